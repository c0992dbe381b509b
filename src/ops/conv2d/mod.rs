//! 2-D convolution: shape rule, kernels and their weight layouts, dispatch, gradients.
//!
//! Forward ([`ConvKernel`]): `out[n, o, y, x] = bias[o] + sum over i, ky, kx of
//! input[n, i, y*stride - pad + ky, x*stride - pad + kx] * weight[o, i, ky, kx]`, then `+ residual` and `max(., 0)` where asked for.
//!
//! Backward ([`ConvBackward`]): `d_input` is a convolution of `d_output` with the weights turned round, `d_weight` a matrix
//! product over all pixels.

mod backward;
mod figures;
mod kernel;
mod tiling;
mod weight_gradient;

pub use backward::{ConvBackward, ConvInputGradient, ConvWeightGradient};
pub use kernel::{Blocking, ConvCall, ConvKernel, Method};
use tiling::Work;
pub use tiling::{Tile, Tiling};
pub(in crate::ops) use weight_gradient::WeightTile;

use super::layer::{
    Backward, BackwardPart, BackwardRule, Constant, Forward, Gradient, Layer, LayerKind, LayerParam, Operand, Purpose, Tail,
    TrainingStep, Values, operands,
};
use super::nhwc::{Nhwc, Window};
use super::onnx::{Onnx, OnnxAttribute, pads, window};
use super::{Affine, Padding, channel_sum_scratch_bytes, record_channel_sum};
use crate::Result;
use crate::device::{Device, Precision, Recorder, Shape, Slice};

/// A square 2-D convolution (cross-correlation, as every framework has it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Padding with zeros.
    pub padding: Padding,
    /// Whether it has a bias of its own.
    pub bias: bool,
}

impl Conv2d {
    /// `(N, I, H, W) -> (N, O, H', W')`.
    pub fn output_shape(&self, input: Shape) -> Shape {
        let (_, _, h) = self.padding.resolve(input.h, self.kernel, self.stride);
        let (_, _, w) = self.padding.resolve(input.w, self.kernel, self.stride);
        Shape::new(input.n, self.out_channels, h, w)
    }

    /// Kernel positions.
    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Padding above and on the left, for an input of this size.
    fn pads(&self, input: Shape) -> (usize, usize) {
        let before = |size| self.padding.resolve(size, self.kernel, self.stride).0;
        (before(input.h), before(input.w))
    }

    /// As the processor's kernels have it, over an input of this shape.
    fn on(&self, input: Shape) -> crate::cpu::Conv {
        let (pad_top, pad_left) = self.pads(input);
        let [kernel, stride, pad_top, pad_left] = [self.kernel, self.stride, pad_top, pad_left].map(|n| n as u32);
        let window = crate::cpu::Window { kernel, stride, pad_top, pad_left };
        crate::cpu::Conv { input: input.into(), output: self.output_shape(input).into(), window, groups: 1 }
    }

    /// What the packing of weights depends on, whatever the images' size.
    fn geometry(&self) -> crate::cpu::Conv {
        self.on(Shape::new(1, self.in_channels, self.kernel, self.kernel))
    }

    /// Multiply-adds for one run over `input`.
    pub fn multiply_adds(&self, input: Shape) -> u64 {
        let out = self.output_shape(input);
        (out.n * out.h * out.w * self.out_channels * self.in_channels * self.kernel * self.kernel) as u64
    }
}

impl Conv2d {
    /// Weight and bias, with a norm folded in.
    pub(super) fn folded(&self, params: &[&[f32]], norm: Option<&Affine>) -> (Vec<f32>, Vec<f32>) {
        let mut weight = params[0].to_vec();
        let mut bias = params.get(1).map_or_else(|| vec![0.0; self.out_channels], |bias| bias.to_vec());
        if let Some(norm) = norm {
            norm.fold(&mut weight, &mut bias);
        }
        (weight, bias)
    }

    pub(super) fn onnx_window(&self, input: Shape) -> Vec<OnnxAttribute> {
        window(self.kernel, self.stride, pads(self.padding, input, self.kernel, self.stride))
    }
}

impl Layer for Conv2d {
    fn kind(&self) -> LayerKind {
        match self.kernel {
            1 => LayerKind::Conv1x1,
            3 => LayerKind::Conv3x3,
            _ => LayerKind::ConvLarge,
        }
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs[0].c {
            c if c == self.in_channels => Ok(self.output_shape(inputs[0])),
            c => Err(format!("wants {} channels, gets {c}", self.in_channels)),
        }
    }

    fn params(&self) -> Vec<LayerParam> {
        let weight = LayerParam::trained("weight", &[self.out_channels, self.in_channels, self.kernel, self.kernel]);
        let bias = self.bias.then(|| LayerParam::trained("bias", &[self.out_channels]));
        std::iter::once(weight).chain(bias).collect()
    }

    fn multiply_adds(&self, input: Shape) -> u64 {
        self.multiply_adds(input)
    }

    fn takes(&self, purpose: Purpose) -> &'static [Tail] {
        match purpose {
            Purpose::Inference => &[Tail::Norm, Tail::Add, Tail::Relu],
            Purpose::Training => &[Tail::Add],
        }
    }

    fn kernel(&self, ctx: &Device, input: Shape, precision: Precision, wanted: Option<ConvKernel>) -> ConvKernel {
        let wanted = wanted.filter(|kernel| kernel.supports(self));
        wanted.unwrap_or_else(|| ConvKernel::choose(ctx, self, input, precision))
    }

    fn training_kernel(&self, ctx: &Device, input: Shape) -> ConvKernel {
        ConvKernel::choose_for_training(ctx, self, input)
    }

    fn weight_len(&self, kernel: ConvKernel) -> usize {
        kernel.packed_len(self)
    }

    fn pack_weight(&self, kernel: ConvKernel, weight: &[f32]) -> Vec<f32> {
        kernel.pack(self, weight)
    }

    fn unpack_weight(&self, kernel: ConvKernel, packed: &[f32]) -> Vec<f32> {
        kernel.unpack(self, packed)
    }

    /// A bias always: a norm that is folded in has one.
    fn constants(&self, kernel: ConvKernel) -> Vec<Constant> {
        let bias = self.out_channels.next_multiple_of(4);
        let weight = Constant { role: "weight", len: self.weight_len(kernel), always_f32: false };
        vec![weight, Constant { role: "bias", len: bias, always_f32: true }]
    }

    fn constant_values(&self, kernel: ConvKernel, params: &[&[f32]], norm: Option<&Affine>) -> Vec<Values> {
        let (weight, bias) = self.folded(params, norm);
        let weight = match kernel.on_processor() {
            Some(method) => Values::Weights(method, self.geometry(), weight),
            None => Values::Ready(self.pack_weight(kernel, &weight)),
        };
        vec![weight, Values::Ready(bias)]
    }

    fn scratch(&self, kernel: ConvKernel, input: Shape, precision: Precision) -> Vec<u64> {
        kernel.scratch(self, input, precision)
    }

    fn training_scratch(&self, ctx: &Device, step: TrainingStep, kernel: ConvKernel, input: Shape) -> Vec<u64> {
        let backward = || ConvBackward::choose(ctx, self, input, kernel);
        match step {
            TrainingStep::Backward(Gradient::Weight) => backward().weight_scratch(self, input),
            TrainingStep::Backward(Gradient::Bias) => vec![channel_sum_scratch_bytes(ctx, self.output_shape(input))],
            TrainingStep::Backward(Gradient::Input) => backward().input_scratch(self, input),
            TrainingStep::Forward => kernel.scratch(self, input, Precision::F32),
            TrainingStep::Backward(Gradient::All) => Vec::new(),
        }
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        let Forward { label, residual, relu, output, scratch, .. } = *call;
        let bias = match call.parameters.get(1) {
            Some(bias) => bias.clone(),
            None => Slice::new(ctx, "no bias", self.out_channels.next_multiple_of(4) as u64 * 4)?,
        };
        let (input, weight) = (&call.inputs[0], &call.parameters[0]);
        let conv = ConvCall { label, conv: self, input, weight, bias: &bias, residual, relu, output, scratch };
        call.kernel.record(recorder, ctx, &conv)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        let weight = BackwardPart { gradient: Gradient::Weight, reads: &[Operand::Input] };
        let bias = self.bias.then_some(BackwardPart { gradient: Gradient::Bias, reads: &[] });
        let input = BackwardPart { gradient: Gradient::Input, reads: &[] };
        BackwardRule::Parts([Some(weight), bias, Some(input)].into_iter().flatten().collect())
    }

    fn backward(&self, gradient: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()> {
        let Backward { label, input, d_output, accumulate, scratch, .. } = *call;
        let backward = || ConvBackward::choose(ctx, self, input.shape, call.kernel);
        match gradient {
            Gradient::Weight => {
                let d_weight = &call.d_parameters[0];
                let call = ConvWeightGradient { label, conv: self, input, d_output, d_weight, scratch };
                backward().record_weight(recorder, ctx, &call)
            }
            Gradient::Bias => {
                let ([scratch], [_, d_bias]) = (operands(label, scratch)?, operands(label, call.d_parameters)?);
                record_channel_sum(recorder, ctx, label, d_output, scratch, d_bias)
            }
            Gradient::Input => {
                let (weight, d_input) = (&call.parameters[0], call.d_input()?);
                let call = ConvInputGradient { label, conv: self, d_output, weight, accumulate, d_input, scratch };
                backward().record_input(recorder, ctx, &call)
            }
            // No part of the rule.
            Gradient::All => Ok(()),
        }
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.node("Conv", self.onnx_window(onnx.input()));
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Convolution(Window { kernel: self.kernel, stride: self.stride, padding: self.padding }, 1)
    }
}

/// The shaders' `Params`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    in_h: u32,
    in_w: u32,
    in_c4: u32,
    out_h: u32,
    out_w: u32,
    out_c4: u32,
    kernel_h: u32,
    kernel_w: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
    finish: u32,
    /// vec4s of the reduction that a part has, and the number of convolutions; [`Tiling::record`] fills both in.
    chunk: u32,
    count: u32,
    /// vec4s from one phase's weights to the next.
    phase: u32,
}

/// Bits of `Params::finish`. A uniform, not constants: one pipeline of each shader does for every layer.
const ADD_BIAS: u32 = 1;
const RELU: u32 = 2;
const ADD_RESIDUAL: u32 = 4;
/// The convolutions are the phases of an input gradient: see `backward`.
const PHASES: u32 = 8;

impl Params {
    fn new(conv: &Conv2d, input: Shape, output: Shape, finish: u32) -> Self {
        let (pad_top, pad_left) = conv.pads(input);
        Self {
            batch: input.n as u32,
            in_h: input.h as u32,
            in_w: input.w as u32,
            in_c4: input.c4() as u32,
            out_h: output.h as u32,
            out_w: output.w as u32,
            out_c4: output.c4() as u32,
            kernel_h: conv.kernel as u32,
            kernel_w: conv.kernel as u32,
            stride: conv.stride as u32,
            pad_top: pad_top as u32,
            pad_left: pad_left as u32,
            finish,
            chunk: 0,
            count: 0,
            phase: 0,
        }
    }

    /// Products of a `(rows, in_c4 * 4)` matrix with a `(in_c4 * 4, out_c4 * 4)` one, as a 1x1 convolution.
    fn product(rows: usize, in_c4: usize, out_c4: usize) -> Self {
        Self {
            batch: 1,
            in_h: 1,
            in_w: rows as u32,
            in_c4: in_c4 as u32,
            out_h: 1,
            out_w: rows as u32,
            out_c4: out_c4 as u32,
            kernel_h: 1,
            kernel_w: 1,
            stride: 1,
            pad_top: 0,
            pad_left: 0,
            finish: 0,
            chunk: 0,
            count: 0,
            phase: 0,
        }
    }

    /// Whether there is one kernel position and no padding.
    fn is_point(&self) -> bool {
        [self.kernel_h, self.kernel_w, self.pad_top, self.pad_left] == [1, 1, 0, 0]
    }

    /// The stride of the phases, 1 without phases.
    fn spread(&self) -> usize {
        if self.finish & PHASES != 0 { self.stride as usize } else { 1 }
    }

    /// Output pixels of one convolution.
    fn pixels(&self) -> usize {
        let of = |size: u32| (size as usize).div_ceil(self.spread());
        self.batch as usize * of(self.out_h) * of(self.out_w)
    }

    /// vec4s of a sum; of the longest one for phases.
    fn depth(&self) -> usize {
        let of = |size: u32| (size as usize).div_ceil(self.spread());
        of(self.kernel_h) * of(self.kernel_w) * self.in_c4 as usize
    }
}
