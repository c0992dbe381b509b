//! ReLU as a layer of its own; most are fused into the layer before.

use super::layer::{Backward, BackwardRule, Forward, Gradient, Layer, LayerKind, Operand, Tail};
use super::nhwc::Nhwc;
use super::onnx::Onnx;
use super::{flag, grid};
use crate::Result;
use crate::cpu::Step;
use crate::device::{Device, Recorder, Shape, Tensor};
use crate::gpu::{Shader, shader};

const RELU: Shader = shader!("relu_forward");
const RELU_BACKWARD: Shader = shader!("relu_backward");

/// `output = max(input, 0)`, shapes equal.
pub fn record_relu(recorder: &mut Recorder, device: &Device, label: &str, input: &Tensor, output: &Tensor) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let shape = input.shape;
        let (input, output) = (recorder.span(&input.slice), recorder.span(&output.slice));
        return recorder.step(label, Step::Relu { count: shape.values(), input, output }, 0);
    };
    let count = input.shape.vec4s();
    let kernel = gpu.kernel(RELU, input.precision, &[]);
    recorder.dispatch(gpu, label, kernel, &[&input.slice, &output.slice], count as u32, grid(gpu, count), 0)
}

/// `d_input = d_output` where `output > 0`, else 0, plus `accumulate` (another buffer of the same shape). At 0 the gradient is 0, as
/// in PyTorch.
pub fn record_relu_backward(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    output: &Tensor,
    d_output: &Tensor,
    accumulate: Option<&Tensor>,
    d_input: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::ReluBackward {
            count: output.shape.values(),
            output: recorder.span(&output.slice),
            d_output: recorder.span(&d_output.slice),
            accumulate: accumulate.map(|tensor| recorder.span(&tensor.slice)),
            d_input: recorder.span(&d_input.slice),
        };
        return recorder.step(label, step, 0);
    };
    let count = output.shape.vec4s();
    let kernel = gpu.kernel(RELU_BACKWARD, output.precision, &[("ACCUMULATE", flag(accumulate.is_some()))]);
    let slices = [&output.slice, &d_output.slice, &accumulate.unwrap_or(d_output).slice, &d_input.slice];
    recorder.dispatch(gpu, label, kernel, &slices, count as u32, grid(gpu, count), 0)
}

/// `max(x, 0)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relu;

impl Layer for Relu {
    fn kind(&self) -> LayerKind {
        LayerKind::Elementwise
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(inputs[0])
    }

    fn tail(&self) -> Option<Tail> {
        Some(Tail::Relu)
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        record_relu(recorder, ctx, call.label, &call.inputs[0], call.output)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::input(&[Operand::Output])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()> {
        record_relu_backward(recorder, ctx, call.label, call.output, call.d_output, call.accumulate, call.d_input()?)
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.node("Relu", []);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Rectifier
    }
}
