//! The gradient by the input: a convolution of `d_output` with the weights turned round.
//!
//! `d_input[n, i, y, x] = sum over o, ky, kx of d_output[n, o, (y + pad - ky) / s, (x + pad - kx) / s] * weight[o, i, ky, kx]`,
//! over those kernel positions whose quotients are whole (Dumoulin and Visin 2016, arXiv:1603.07285, chapter 4). With the kernel
//! flipped that is a convolution, which the forward kernels compute. With a stride `s` a row `y` meets only every `s`-th kernel
//! row, the same ones for all rows with the same `y % s`: the gradient falls apart into `s * s` such convolutions
//! without stride, its phases, so that no product with a zero is computed. One dispatch computes them all, each in its pixels.

use super::tiling::Call;
use super::tiling::Tiling;
use super::weight_gradient::WeightGradient;
use super::{ADD_RESIDUAL, Blocking, Conv2d, ConvKernel, Method, PHASES, Params, Work};
use crate::Result;
use crate::cpu::{ConvMethod, Step};
use crate::device::{Device, Recorder, Shape, Slice, Tensor};
use crate::gpu::{Gpu, Shader, shader};

/// How the gradients of one convolution are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvBackward(Way);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Gpu(GpuBackward),
    /// The method in whose packing weights and their gradient are.
    Cpu(ConvMethod),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GpuBackward {
    /// The packing of the weights and of their gradient.
    forward: Tiling,
    /// The kernel of the convolution that gives `d_input`.
    input: Tiling,
    /// The kernel that gives `d_weight`.
    weight: WeightGradient,
}

/// One gradient by the input to record: `d_input = gradient + accumulate`.
#[derive(Debug)]
pub struct ConvInputGradient<'a> {
    /// Layer name.
    pub label: &'a str,
    /// Geometry of the forward convolution.
    pub conv: &'a Conv2d,
    /// `(N, O, H', W')`.
    pub d_output: &'a Tensor,
    /// The weights as [`ConvKernel::pack`] laid them out for the forward kernel, f32.
    pub weight: &'a Slice,
    /// Added to the gradient: another path's, of `d_input`'s shape and in another buffer.
    pub accumulate: Option<&'a Tensor>,
    /// `(N, I, H, W)`.
    pub d_input: &'a Tensor,
    /// As many slices as [`ConvBackward::input_scratch`] asked for.
    pub scratch: &'a [Slice],
}

/// One gradient by the weights to record: `d_weight += gradient`.
#[derive(Debug)]
pub struct ConvWeightGradient<'a> {
    /// Layer name.
    pub label: &'a str,
    /// Geometry of the forward convolution.
    pub conv: &'a Conv2d,
    /// `(N, I, H, W)`: what the forward convolution read.
    pub input: &'a Tensor,
    /// `(N, O, H', W')`.
    pub d_output: &'a Tensor,
    /// f32, in the packing of the forward kernel's weights. Padding entries stay as they are.
    pub d_weight: &'a Slice,
    /// As many slices as [`ConvBackward::weight_scratch`] asked for.
    pub scratch: &'a [Slice],
}

const REVERSE_WEIGHTS: Shader = shader!("conv2d_reverse_weights");

/// conv2d_reverse_weights' `Params`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct ReverseParams {
    kernel: u32,
    stride: u32,
    in_c4: u32,
    out_c4: u32,
    tile_c4: u32,
    reversed_c4: u32,
    reversed_tiles: u32,
    phase: u32,
}

/// Bytes of a vec4 of f32.
const VEC4_BYTES: u64 = 16;

impl ConvBackward {
    /// The kernels for this layer on this device. `forward` is the kernel in whose packing the weights are.
    ///
    /// # Panics
    /// When `forward` is a Winograd kernel, whose weights are not the layer's (see [`ConvKernel::choose_for_training`]), or another
    /// device's.
    pub fn choose(device: &Device, conv: &Conv2d, input: Shape, forward: ConvKernel) -> Self {
        assert_eq!(forward.method, Method::Direct, "gradients are taken by directly packed weights");
        Self(match (forward.blocking, device.gpu()) {
            (Blocking::Gpu(forward), Some(gpu)) => Way::Gpu(GpuBackward {
                forward,
                input: Tiling::choose(gpu, Phases::new(conv, input).work()),
                weight: WeightGradient::choose(gpu, conv, input, forward),
            }),
            (Blocking::Cpu { panel }, None) => Way::Cpu(ConvMethod { method: crate::cpu::Method::Direct, panel }),
            _ => panic!("{forward:?} was chosen for another device"),
        })
    }

    /// Every way that the device can run, for the test that compares them all with a reference.
    pub fn all(device: &Device, conv: &Conv2d, input: Shape) -> Vec<Self> {
        if device.gpu().is_none() {
            return vec![Self::choose(device, conv, input, ConvKernel::choose_for_training(device, conv, input))];
        }
        let (inputs, weights) = (Tiling::ALL, WeightGradient::all(conv, input));
        let mut all = Vec::new();
        for &forward in Tiling::ALL {
            // Each input kernel with some weight kernel and each weight kernel with some input kernel: they do not meet.
            for i in 0..inputs.len().max(weights.len()) {
                let (input, weight) = (inputs[i % inputs.len()], weights[i % weights.len()]);
                all.push(Self(Way::Gpu(GpuBackward { forward, input, weight })));
            }
        }
        all
    }

    /// The forward kernel whose packing this one's weights have.
    pub fn forward(&self) -> ConvKernel {
        match self.0 {
            Way::Gpu(GpuBackward { forward, .. }) => ConvKernel { method: Method::Direct, blocking: Blocking::Gpu(forward) },
            Way::Cpu(method) => method.into(),
        }
    }

    /// Bytes of each temporary buffer that [`record_input`](Self::record_input) needs.
    pub fn input_scratch(&self, conv: &Conv2d, input: Shape) -> Vec<u64> {
        let Way::Gpu(kernels) = self.0 else { return Vec::new() };
        let phases = Phases::new(conv, input);
        let weights = (phases.kernels() * phases.weight_vec4s(kernels.input)) as u64 * VEC4_BYTES;
        [weights].into_iter().chain(kernels.input.partials(phases.depth(), input.vec4s())).collect()
    }

    /// Bytes of each temporary buffer that [`record_weight`](Self::record_weight) needs.
    pub fn weight_scratch(&self, conv: &Conv2d, input: Shape) -> Vec<u64> {
        match self.0 {
            Way::Gpu(GpuBackward { forward, weight, .. }) => weight.scratch(conv, input, forward),
            Way::Cpu(_) => Vec::new(),
        }
    }

    /// Appends the dispatches of `d_input = gradient + accumulate`.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when a grid needs more workgroups than the device allows.
    ///
    /// # Panics
    /// When it was [chosen](Self::choose) for another device.
    pub fn record_input(&self, recorder: &mut Recorder, device: &Device, call: &ConvInputGradient<'_>) -> Result<()> {
        let (conv, input) = (call.conv, call.d_input.shape);
        assert_eq!(call.d_output.shape, conv.output_shape(input), "d_output of `{}`", call.label);
        match (self.0, device.gpu()) {
            (Way::Gpu(kernels), Some(gpu)) => kernels.record_input(recorder, gpu, call),
            (Way::Cpu(method), None) => {
                let step = Step::ConvInputGradient {
                    conv: conv.on(input),
                    method,
                    d_output: recorder.span(&call.d_output.slice),
                    weight: recorder.span(call.weight),
                    accumulate: call.accumulate.map(|tensor| recorder.span(&tensor.slice)),
                    d_input: recorder.span(&call.d_input.slice),
                };
                recorder.step(call.label, step, conv.multiply_adds(input))
            }
            _ => panic!("{self:?} was recorded for another device"),
        }
    }

    /// Appends the dispatches of `d_weight += gradient`.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when a grid needs more workgroups than the device allows.
    ///
    /// # Panics
    /// When it was [chosen](Self::choose) for another device.
    pub fn record_weight(&self, recorder: &mut Recorder, device: &Device, call: &ConvWeightGradient<'_>) -> Result<()> {
        match (self.0, device.gpu()) {
            (Way::Gpu(GpuBackward { forward, weight, .. }), Some(gpu)) => weight.record(forward, recorder, gpu, call),
            (Way::Cpu(method), None) => {
                let step = Step::ConvWeightGradient {
                    conv: call.conv.on(call.input.shape),
                    method,
                    input: recorder.span(&call.input.slice),
                    d_output: recorder.span(&call.d_output.slice),
                    d_weight: recorder.span(call.d_weight),
                };
                recorder.step(call.label, step, call.conv.multiply_adds(call.input.shape))
            }
            _ => panic!("{self:?} was recorded for another device"),
        }
    }
}

impl GpuBackward {
    fn record_input(&self, recorder: &mut Recorder, gpu: &Gpu, call: &ConvInputGradient<'_>) -> Result<()> {
        let (conv, d_input, d_output) = (call.conv, call.d_input, call.d_output);
        let (input, precision) = (d_input.shape, d_input.precision);
        let phases = Phases::new(conv, input);
        let [weights, partials @ ..] = call.scratch else {
            unreachable!("the caller passes the buffers that `input_scratch` asked for");
        };

        let (channels, tile) = (input.c4(), self.input.tile.size().1 / 4);
        let forward = self.forward.tile.size().1;
        let reversed_tiles = channels.div_ceil(tile);
        let phase = phases.weight_vec4s(self.input) as u32;
        let params = ReverseParams {
            kernel: conv.kernel as u32,
            stride: conv.stride as u32,
            in_c4: channels as u32,
            out_c4: d_output.shape.c4() as u32,
            tile_c4: (forward / 4) as u32,
            reversed_c4: tile as u32,
            reversed_tiles: reversed_tiles as u32,
            phase,
        };
        let blocks = [(reversed_tiles * tile).div_ceil(64) as u32, conv.taps() as u32, d_output.shape.c4() as u32];
        let kernel = gpu.kernel(REVERSE_WEIGHTS, precision, &[]);
        recorder.dispatch(gpu, call.label, kernel, &[call.weight, weights], params, blocks, 0)?;

        let (pad_top, pad_left) = conv.pads(input);
        let add = if call.accumulate.is_some() { ADD_RESIDUAL } else { 0 };
        let params = Params {
            in_h: d_output.shape.h as u32,
            in_w: d_output.shape.w as u32,
            in_c4: d_output.shape.c4() as u32,
            out_h: input.h as u32,
            out_w: input.w as u32,
            out_c4: channels as u32,
            pad_top: pad_top as u32,
            pad_left: pad_left as u32,
            phase,
            ..Params::new(conv, input, d_output.shape, PHASES | add)
        };
        let product = Call {
            label: call.label,
            precision,
            count: phases.work().count,
            input: &d_output.slice,
            weight: weights,
            // There is none; its binding still needs a buffer.
            bias: weights,
            residual: call.accumulate.map(|tensor| &tensor.slice),
            output: &d_input.slice,
            partials: partials.first(),
            cost: conv.multiply_adds(input),
        };
        self.input.record(recorder, gpu, &product, params)
    }
}

/// The convolutions without stride into which an input gradient falls apart, numbered by `y % s`, `x % s`.
struct Phases<'a> {
    conv: &'a Conv2d,
    input: Shape,
}

impl<'a> Phases<'a> {
    fn new(conv: &'a Conv2d, input: Shape) -> Self {
        Self { conv, input }
    }

    /// Kernel positions of the longest phase.
    fn taps(&self) -> usize {
        self.conv.kernel.div_ceil(self.conv.stride).pow(2)
    }

    /// vec4s of a sum of the longest phase.
    fn depth(&self) -> usize {
        self.taps() * self.conv.out_channels.div_ceil(4)
    }

    /// With the depth that the phases have on average.
    fn work(&self) -> Work {
        let Self { conv, input } = self;
        let count = conv.stride * conv.stride;
        Work {
            pixels: input.n * input.h.div_ceil(conv.stride) * input.w.div_ceil(conv.stride),
            channels: conv.in_channels,
            depth: (conv.taps() * conv.out_channels.div_ceil(4)).div_ceil(count),
            count,
        }
    }

    /// Phases that have weights: all but those of a stride larger than the kernel.
    fn kernels(&self) -> usize {
        self.conv.kernel.min(self.conv.stride).pow(2)
    }

    /// vec4s from one phase's weights to the next.
    fn weight_vec4s(&self, tiling: Tiling) -> usize {
        tiling.packed_len(self.conv.in_channels, self.conv.out_channels, self.taps()) / 4
    }
}
