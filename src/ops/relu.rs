//! ReLU as a layer of its own; most are fused into the layer before.

use super::grid;
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Tensor, shader};

const RELU: Shader = shader!("relu_forward");

/// `output = max(input, 0)`, shapes equal.
pub fn record_relu(recorder: &mut Recorder, ctx: &Context, label: &str, input: &Tensor, output: &Tensor) -> Result<()> {
    let count = input.shape.vec4s();
    let kernel = ctx.kernel(RELU, input.precision, &[]);
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], count as u32, grid(ctx, count), 0)
}
