//! Max pool and global average pool.

use super::layer::{Backward, BackwardRule, Forward, Gradient, Layer, LayerKind, Operand, operands};
use super::nhwc::{self, Nhwc};
use super::onnx::{Onnx, OnnxAttribute, OnnxValues, pads, window};
use super::{Padding, Statistics, flag, grid};
use crate::cpu::{Step, Window};
use crate::device::{Device, Recorder, Shape, Slice, Tensor};
use crate::gpu::{Shader, shader};
use crate::{Error, Result};

/// A square max pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Window height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Which cells are padding.
    pub padding: Padding,
    /// Padding cells count as zeros (Keras Applications v2 pads before the pool) instead of being left out of the maximum.
    pub zeros: bool,
}

impl MaxPool {
    /// `(N, C, H, W) -> (N, C, H', W')`.
    pub fn output_shape(&self, input: Shape) -> Shape {
        let (_, _, h) = self.padding.resolve(input.h, self.kernel, self.stride);
        let (_, _, w) = self.padding.resolve(input.w, self.kernel, self.stride);
        Shape::new(input.n, input.c, h, w)
    }

    fn window(&self, input: Shape) -> Window {
        let (pad_top, _, _) = self.padding.resolve(input.h, self.kernel, self.stride);
        let (pad_left, _, _) = self.padding.resolve(input.w, self.kernel, self.stride);
        let [kernel, stride, pad_top, pad_left] = [self.kernel, self.stride, pad_top, pad_left].map(|n| n as u32);
        Window { kernel, stride, pad_top, pad_left }
    }
}

impl Layer for MaxPool {
    fn kind(&self) -> LayerKind {
        LayerKind::Pool
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(self.output_shape(inputs[0]))
    }

    /// Where each maximum was.
    fn saved(&self, _: Shape, output: Shape) -> Vec<u64> {
        vec![max_pool_argmax_bytes(output)]
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        record_max_pool(recorder, ctx, call.label, self, &call.inputs[0], call.output)
    }

    fn training_forward(
        &self,
        recorder: &mut Recorder,
        ctx: &Device,
        call: &Forward<'_>,
        saved: &[Slice],
        _: Statistics,
    ) -> Result<()> {
        let [argmax] = operands(call.label, saved)?;
        record_max_pool_train(recorder, ctx, call.label, self, &call.inputs[0], argmax, call.output)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::input(&[Operand::Saved])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()> {
        let ([argmax], d_input) = (operands(call.label, call.saved)?, call.d_input()?);
        record_max_pool_backward(recorder, ctx, call.label, self, argmax, call.d_output, call.accumulate, d_input)
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        let x = onnx.input();
        let pads = pads(self.padding, x, self.kernel, self.stride);
        let attributes = window(self.kernel, self.stride, pads);
        if !self.zeros || pads == [0; 4] {
            return onnx.node("MaxPool", attributes);
        }
        // MaxPool leaves its padding out of the maximum, and zeros of a `Pad` in front of it are made such padding by some
        // versions of ONNX Runtime. So the zeros come afterwards: nothing at windows that touch the border is below zero.
        let y = self.output_shape(x);
        let touches = |at: usize, before: i64, size: usize| {
            let first = (at * self.stride) as i64 - before;
            first < 0 || first + self.kernel as i64 > size as i64
        };
        let cells = (0..y.h * y.w).map(|i| touches(i / y.w, pads[0], x.h) || touches(i % y.w, pads[1], x.w));
        let border = cells.map(|touches| if touches { 0.0 } else { f32::MIN }).collect();
        onnx.before("valid", "MaxPool", attributes);
        onnx.constant("border", &[1, 1, y.h, y.w], OnnxValues::Float(border));
        onnx.node("Max", []);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Largest(nhwc::Window { kernel: self.kernel, stride: self.stride, padding: self.padding }, self.zeros)
    }
}

/// Mean over H and W: `(N, C, H, W) -> (N, C, 1, 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalAvgPool;

impl Layer for GlobalAvgPool {
    fn kind(&self) -> LayerKind {
        LayerKind::Pool
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(Shape { h: 1, w: 1, ..inputs[0] })
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        record_global_avg_pool(recorder, ctx, call.label, &call.inputs[0], call.output)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::input(&[])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()> {
        record_global_avg_pool_backward(recorder, ctx, call.label, call.d_output, call.accumulate, call.d_input()?)
    }

    /// `(N, C)`, as the classifier's matrix product wants it.
    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.before("pool", "GlobalAveragePool", []);
        onnx.node("Flatten", [OnnxAttribute::Int("axis", 1)]);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::GlobalMean
    }
}

const MAX_POOL: Shader = shader!("max_pool_forward");
const MAX_POOL_TRAIN: Shader = shader!("max_pool_train");
const MAX_POOL_BACKWARD: Shader = shader!("max_pool_backward");
const GLOBAL_AVG_POOL: Shader = shader!("global_avg_pool_forward");
const GLOBAL_AVG_POOL_BACKWARD: Shader = shader!("global_avg_pool_backward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct PoolParams {
    batch: u32,
    in_h: u32,
    in_w: u32,
    c4: u32,
    out_h: u32,
    out_w: u32,
    kernel: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
}

impl PoolParams {
    /// Sizes of input and output, and the window of a pool from one to the other.
    pub(super) fn new(window: Window, x: Shape, y: Shape) -> Self {
        Self {
            batch: x.n as u32,
            in_h: x.h as u32,
            in_w: x.w as u32,
            c4: x.c4() as u32,
            out_h: y.h as u32,
            out_w: y.w as u32,
            kernel: window.kernel,
            stride: window.stride,
            pad_top: window.pad_top,
            pad_left: window.pad_left,
        }
    }
}

/// `output[n, c, y, x]` is the maximum over the window at `(y, x) * stride - pad`.
pub fn record_max_pool(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    pool: &MaxPool,
    input: &Tensor,
    output: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::MaxPool {
            input_shape: input.shape.into(),
            output_shape: output.shape.into(),
            window: pool.window(input.shape),
            zeros: pool.zeros,
            input: recorder.span(&input.slice),
            argmax: None,
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let params = PoolParams::new(pool.window(input.shape), input.shape, output.shape);
    let kernel = gpu.kernel(MAX_POOL, input.precision, &[("ZEROS", flag(pool.zeros))]);
    recorder.dispatch(gpu, label, kernel, &[&input.slice, &output.slice], params, grid(gpu, output.shape.vec4s()), 0)
}

/// Bytes of the places that [`record_max_pool_train`] stores for an output of this shape: a byte a value.
pub fn max_pool_argmax_bytes(output: Shape) -> u64 {
    output.vec4s() as u64 * 4
}

/// [`record_max_pool`] that also stores where in its window each maximum was. Of equal values the first in row-major order wins,
/// as in PyTorch.
///
/// # Errors
/// [`Error::Spec`] for a window of more than 255 cells, whose places do not fit a byte.
pub fn record_max_pool_train(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    pool: &MaxPool,
    input: &Tensor,
    argmax: &Slice,
    output: &Tensor,
) -> Result<()> {
    if pool.kernel > 15 {
        return Err(Error::Spec(format!(
            "max pool `{label}` has a window of {0}x{0}; training takes up to 15x15",
            pool.kernel
        )));
    }
    let Some(gpu) = device.gpu() else {
        let step = Step::MaxPool {
            input_shape: input.shape.into(),
            output_shape: output.shape.into(),
            window: pool.window(input.shape),
            zeros: pool.zeros,
            input: recorder.span(&input.slice),
            argmax: Some(recorder.span(argmax)),
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let params = PoolParams::new(pool.window(input.shape), input.shape, output.shape);
    let kernel = gpu.kernel(MAX_POOL_TRAIN, input.precision, &[("ZEROS", flag(pool.zeros))]);
    let slices = [&input.slice, argmax, &output.slice];
    recorder.dispatch(gpu, label, kernel, &slices, params, grid(gpu, output.shape.vec4s()), 0)
}

/// `d_input` = the sum of `d_output` over the windows whose maximum the pixel was, plus `accumulate` (another buffer of
/// `d_input`'s shape). A padding zero that won takes its gradient with it.
#[allow(clippy::too_many_arguments)] // the operation's operands
pub fn record_max_pool_backward(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    pool: &MaxPool,
    argmax: &Slice,
    d_output: &Tensor,
    accumulate: Option<&Tensor>,
    d_input: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::MaxPoolBackward {
            input_shape: d_input.shape.into(),
            output_shape: d_output.shape.into(),
            window: pool.window(d_input.shape),
            argmax: recorder.span(argmax),
            d_output: recorder.span(&d_output.slice),
            accumulate: accumulate.map(|tensor| recorder.span(&tensor.slice)),
            d_input: recorder.span(&d_input.slice),
        };
        return recorder.step(label, step, 0);
    };
    let params = PoolParams::new(pool.window(d_input.shape), d_input.shape, d_output.shape);
    let kernel = gpu.kernel(MAX_POOL_BACKWARD, d_output.precision, &[("ACCUMULATE", flag(accumulate.is_some()))]);
    let slices = [argmax, &d_output.slice, &accumulate.unwrap_or(d_output).slice, &d_input.slice];
    recorder.dispatch(gpu, label, kernel, &slices, params, grid(gpu, d_input.shape.vec4s()), 0)
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct GlobalAvgPoolParams {
    batch: u32,
    pixels: u32,
    c4: u32,
}

impl GlobalAvgPoolParams {
    fn new(x: Shape) -> Self {
        Self { batch: x.n as u32, pixels: (x.h * x.w) as u32, c4: x.c4() as u32 }
    }
}

/// `(N, C, H, W) -> (N, C, 1, 1)`: the mean over H and W.
pub fn record_global_avg_pool(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    input: &Tensor,
    output: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let shape = input.shape.into();
        let (input, output) = (recorder.span(&input.slice), recorder.span(&output.slice));
        return recorder.step(label, Step::GlobalAvgPool { shape, input, output }, 0);
    };
    let params = GlobalAvgPoolParams::new(input.shape);
    let kernel = gpu.kernel(GLOBAL_AVG_POOL, input.precision, &[]);
    recorder.dispatch(gpu, label, kernel, &[&input.slice, &output.slice], params, grid(gpu, output.shape.vec4s()), 0)
}

/// `d_input[n, c, y, x] = d_output[n, c] / (H * W)`, plus `accumulate` (another buffer of `d_input`'s shape).
pub fn record_global_avg_pool_backward(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    d_output: &Tensor,
    accumulate: Option<&Tensor>,
    d_input: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::GlobalAvgPoolBackward {
            shape: d_input.shape.into(),
            d_output: recorder.span(&d_output.slice),
            accumulate: accumulate.map(|tensor| recorder.span(&tensor.slice)),
            d_input: recorder.span(&d_input.slice),
        };
        return recorder.step(label, step, 0);
    };
    let params = GlobalAvgPoolParams::new(d_input.shape);
    let kernel = gpu.kernel(GLOBAL_AVG_POOL_BACKWARD, d_output.precision, &[("ACCUMULATE", flag(accumulate.is_some()))]);
    let slices = [&d_output.slice, &accumulate.unwrap_or(d_output).slice, &d_input.slice];
    recorder.dispatch(gpu, label, kernel, &slices, params, grid(gpu, d_input.shape.vec4s()), 0)
}
