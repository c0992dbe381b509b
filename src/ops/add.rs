//! Addition of two branches as a layer of its own; in most blocks a convolution's epilogue does it.

use super::{flag, grid};
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Tensor, shader};

const ADD: Shader = shader!("add_forward");

/// `output = a + b`, then ReLU where asked for; shapes equal.
pub fn record_add(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    a: &Tensor,
    b: &Tensor,
    relu: bool,
    output: &Tensor,
) -> Result<()> {
    let count = a.shape.vec4s();
    let kernel = ctx.kernel(ADD, a.precision, &[("RELU", flag(relu))]);
    recorder.dispatch(ctx, label, kernel, &[&a.slice, &b.slice, &output.slice], count as u32, grid(ctx, count), 0)
}
