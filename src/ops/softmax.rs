//! Probabilities from logits.

use super::layer::{BackwardRule, Forward, Layer, LayerKind};
use super::onnx::{Onnx, OnnxAttribute};
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Shape, Tensor, shader};

const SOFTMAX: Shader = shader!("softmax_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    channels: u32,
    c4: u32,
}

/// `output[n, c] = exp(input[n, c] - max) / sum`, over the channels of each image.
pub fn record_softmax(recorder: &mut Recorder, ctx: &Context, label: &str, input: &Tensor, output: &Tensor) -> Result<()> {
    let params = Params { channels: input.shape.c as u32, c4: input.shape.c4() as u32 };
    let kernel = ctx.kernel(SOFTMAX, input.precision, &[]);
    // One workgroup an image.
    let images = input.shape.n as u32;
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], params, [images, 1, 1], 0)
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

    fn forward(&self, recorder: &mut Recorder, ctx: &Context, call: &Forward<'_>) -> Result<()> {
        record_softmax(recorder, ctx, call.label, &call.inputs[0], call.output)
    }

    /// Losses are computed from logits.
    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::Undefined
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.node("Softmax", [OnnxAttribute::Int("axis", 1)]);
    }
}
