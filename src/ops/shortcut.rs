//! Shortcuts without parameters: TF-slim's subsample (a 1x1 max pool) and the paper's option A (new channels of zeros).

use super::layer::{Backward, BackwardRule, Forward, Gradient, Layer, LayerKind};
use super::nhwc::Nhwc;
use super::onnx::{Onnx, OnnxValues, window};
use super::{flag, grid};
use crate::Result;
use crate::cpu::Step;
use crate::device::{Device, Recorder, Shape, Tensor};
use crate::gpu::{Shader, shader};

const SHORTCUT: Shader = shader!("shortcut_forward");
const SHORTCUT_BACKWARD: Shader = shader!("shortcut_backward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    in_h: u32,
    in_w: u32,
    in_channels: u32,
    out_h: u32,
    out_w: u32,
    out_channels: u32,
    stride: u32,
    offset: u32,
    count: u32,
}

impl Params {
    /// `count` vec4s are written: of `y` forward, of `x` backward.
    fn new(stride: usize, offset: usize, x: Shape, y: Shape, count: usize) -> Self {
        Self {
            in_h: x.h as u32,
            in_w: x.w as u32,
            in_channels: x.c as u32,
            out_h: y.h as u32,
            out_w: y.w as u32,
            out_channels: y.c as u32,
            stride: stride as u32,
            offset: offset as u32,
            count: count as u32,
        }
    }
}

/// `output[n, offset + c, y, x] = input[n, c, y * stride, x * stride]`, zero in the other channels.
pub fn record_shortcut(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    stride: usize,
    offset: usize,
    input: &Tensor,
    output: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::Shortcut {
            input_shape: input.shape.into(),
            output_shape: output.shape.into(),
            stride: stride as u32,
            offset: offset as u32,
            input: recorder.span(&input.slice),
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let count = output.shape.vec4s();
    let params = Params::new(stride, offset, input.shape, output.shape, count);
    let kernel = gpu.kernel(SHORTCUT, input.precision, &[]);
    recorder.dispatch(gpu, label, kernel, &[&input.slice, &output.slice], params, grid(gpu, count), 0)
}

/// `d_input[n, c, y * stride, x * stride] = d_output[n, offset + c, y, x]`, zero at the pixels that were left out, plus
/// `accumulate` (another buffer of `d_input`'s shape).
#[allow(clippy::too_many_arguments)] // the operation's operands
pub fn record_shortcut_backward(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    stride: usize,
    offset: usize,
    d_output: &Tensor,
    accumulate: Option<&Tensor>,
    d_input: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::ShortcutBackward {
            input_shape: d_input.shape.into(),
            output_shape: d_output.shape.into(),
            stride: stride as u32,
            offset: offset as u32,
            d_output: recorder.span(&d_output.slice),
            accumulate: accumulate.map(|tensor| recorder.span(&tensor.slice)),
            d_input: recorder.span(&d_input.slice),
        };
        return recorder.step(label, step, 0);
    };
    let count = d_input.shape.vec4s();
    let params = Params::new(stride, offset, d_input.shape, d_output.shape, count);
    let kernel = gpu.kernel(SHORTCUT_BACKWARD, d_output.precision, &[("ACCUMULATE", flag(accumulate.is_some()))]);
    let slices = [&d_output.slice, &accumulate.unwrap_or(d_output).slice, &d_input.slice];
    recorder.dispatch(gpu, label, kernel, &slices, params, grid(gpu, count), 0)
}

/// A shortcut without parameters: every `stride`-th row and column, and new channels of zeros.
///
/// With new channels it is option A of the ResNet paper, without any TF-slim's `subsample`, a 1x1 max pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroPadShortcut {
    /// Step in both axes.
    pub stride: usize,
    /// Channels after padding.
    pub out_channels: usize,
    /// How many zero channels come before the copied ones.
    pub offset: usize,
}

impl Layer for ZeroPadShortcut {
    fn kind(&self) -> LayerKind {
        LayerKind::Elementwise
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let (x, stride) = (inputs[0], self.stride);
        Ok(Shape { c: self.out_channels, h: x.h.div_ceil(stride), w: x.w.div_ceil(stride), ..x })
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        record_shortcut(recorder, ctx, call.label, self.stride, self.offset, &call.inputs[0], call.output)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::input(&[])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()> {
        let (label, d_output, d_input) = (call.label, call.d_output, call.d_input()?);
        record_shortcut_backward(recorder, ctx, label, self.stride, self.offset, d_output, call.accumulate, d_input)
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        let new = self.out_channels - onnx.input().c;
        if new == 0 {
            return onnx.node("MaxPool", window(1, self.stride, [0; 4]));
        }
        if self.stride > 1 {
            onnx.before("subsample", "MaxPool", window(1, self.stride, [0; 4]));
        }
        let widths = [0, self.offset, 0, 0, 0, new - self.offset, 0, 0].map(|width| width as i64);
        onnx.constant("pads", &[widths.len()], OnnxValues::Int(widths.to_vec()));
        onnx.node("Pad", []);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Shortcut { stride: self.stride, before: self.offset, channels: self.out_channels }
    }
}
