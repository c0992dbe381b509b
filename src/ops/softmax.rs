//! Probabilities from logits.

use super::layer::{BackwardRule, Forward, Layer, LayerKind};
use super::nhwc::Nhwc;
use super::onnx::{Onnx, OnnxAttribute};
use crate::Result;
use crate::cpu::Step;
use crate::device::{Device, Recorder, Shape, Tensor};
use crate::gpu::{Shader, shader};

const SOFTMAX: Shader = shader!("softmax_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    channels: u32,
    c4: u32,
}

/// `output[n, c] = exp(input[n, c] - max) / sum`, over the channels of each image.
pub fn record_softmax(recorder: &mut Recorder, device: &Device, label: &str, input: &Tensor, output: &Tensor) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let Shape { n, c, .. } = input.shape;
        let (input, output) = (recorder.span(&input.slice), recorder.span(&output.slice));
        return recorder.step(label, Step::Softmax { batch: n as u32, channels: c as u32, input, output }, 0);
    };
    let params = Params { channels: input.shape.c as u32, c4: input.shape.c4() as u32 };
    let kernel = gpu.kernel(SOFTMAX, input.precision, &[]);
    // One workgroup an image.
    let images = input.shape.n as u32;
    recorder.dispatch(gpu, label, kernel, &[&input.slice, &output.slice], params, [images, 1, 1], 0)
}

/// Probabilities over the channel axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax;

impl Layer for Softmax {
    fn kind(&self) -> LayerKind {
        LayerKind::Classifier
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(inputs[0])
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        record_softmax(recorder, ctx, call.label, &call.inputs[0], call.output)
    }

    /// Losses are computed from logits.
    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::Undefined
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.node("Softmax", [OnnxAttribute::Int("axis", 1)]);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Probabilities
    }
}
