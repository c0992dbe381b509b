//! ReLU as a layer of its own; most are fused into the layer before.

use super::{flag, grid};
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Tensor, shader};

const RELU: Shader = shader!("relu_forward");
const RELU_BACKWARD: Shader = shader!("relu_backward");

/// `output = max(input, 0)`, shapes equal.
pub fn record_relu(recorder: &mut Recorder, ctx: &Context, label: &str, input: &Tensor, output: &Tensor) -> Result<()> {
    let count = input.shape.vec4s();
    let kernel = ctx.kernel(RELU, input.precision, &[]);
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], count as u32, grid(ctx, count), 0)
}

/// `d_input = d_output` where `output > 0`, else 0, plus `accumulate` (another buffer of the same shape). At 0 the gradient is 0, as
/// in PyTorch.
pub fn record_relu_backward(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    output: &Tensor,
    d_output: &Tensor,
    accumulate: Option<&Tensor>,
    d_input: &Tensor,
) -> Result<()> {
    let count = output.shape.vec4s();
    let kernel = ctx.kernel(RELU_BACKWARD, output.precision, &[("ACCUMULATE", flag(accumulate.is_some()))]);
    let slices = [&output.slice, &d_output.slice, &accumulate.unwrap_or(d_output).slice, &d_input.slice];
    recorder.dispatch(ctx, label, kernel, &slices, count as u32, grid(ctx, count), 0)
}
