//! Average pool: the mean of the cells of each window that are inside the image.

use super::layer::{Backward, BackwardRule, Forward, Gradient, Layer, LayerKind};
use super::nhwc::{self, Nhwc};
use super::onnx::{Onnx, pads, window};
use super::pool::PoolParams;
use super::{Padding, flag, grid};
use crate::Result;
use crate::cpu::{Step, Window};
use crate::device::{Device, Recorder, Shape};
use crate::gpu::{Shader, shader};

const FORWARD: Shader = shader!("avg_pool_forward");
const BACKWARD: Shader = shader!("avg_pool_backward");

/// A square average pool. Padding cells are left out of the mean.
///
/// With [`Padding::Same`] and a window as large as its step it is PyTorch's
/// `AvgPool2d(stride, ceil_mode=True, count_include_pad=False)`, the pool of ResNet-D's shortcuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvgPool {
    /// Window height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Which cells are padding.
    pub padding: Padding,
}

impl AvgPool {
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

impl Layer for AvgPool {
    fn kind(&self) -> LayerKind {
        LayerKind::Pool
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(self.output_shape(inputs[0]))
    }

    fn forward(&self, recorder: &mut Recorder, device: &Device, call: &Forward<'_>) -> Result<()> {
        let (input, output) = (&call.inputs[0], call.output);
        let window = self.window(input.shape);
        let Some(gpu) = device.gpu() else {
            let step = Step::AvgPool {
                input_shape: input.shape.into(),
                output_shape: output.shape.into(),
                window,
                input: recorder.span(&input.slice),
                output: recorder.span(&output.slice),
            };
            return recorder.step(call.label, step, 0);
        };
        let params = PoolParams::new(window, input.shape, output.shape);
        let kernel = gpu.kernel(FORWARD, input.precision, &[]);
        let slices = [&input.slice, &output.slice];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, grid(gpu, output.shape.vec4s()), 0)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::input(&[])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, device: &Device, call: &Backward<'_>) -> Result<()> {
        let (d_output, d_input) = (call.d_output, call.d_input()?);
        let window = self.window(d_input.shape);
        let Some(gpu) = device.gpu() else {
            let step = Step::AvgPoolBackward {
                input_shape: d_input.shape.into(),
                output_shape: d_output.shape.into(),
                window,
                d_output: recorder.span(&d_output.slice),
                accumulate: call.accumulate.map(|tensor| recorder.span(&tensor.slice)),
                d_input: recorder.span(&d_input.slice),
            };
            return recorder.step(call.label, step, 0);
        };
        let params = PoolParams::new(window, d_input.shape, d_output.shape);
        let kernel = gpu.kernel(BACKWARD, d_output.precision, &[("ACCUMULATE", flag(call.accumulate.is_some()))]);
        let slices = [&d_output.slice, &call.accumulate.unwrap_or(d_output).slice, &d_input.slice];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, grid(gpu, d_input.shape.vec4s()), 0)
    }

    /// Padding is written out and left out of the mean, which is `AveragePool`'s default.
    fn onnx(&self, onnx: &mut Onnx<'_>) {
        let pads = pads(self.padding, onnx.input(), self.kernel, self.stride);
        onnx.node("AveragePool", window(self.kernel, self.stride, pads));
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Mean(nhwc::Window { kernel: self.kernel, stride: self.stride, padding: self.padding })
    }
}
