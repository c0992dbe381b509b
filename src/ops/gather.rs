//! Rows of a table by index: features that were computed once become the input of many steps.

use super::grid;
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Slice, Tensor, shader};

const GATHER: Shader = shader!("gather_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    rows: u32,
    row_vec4s: u32,
}

/// `output[n] = bank[indices[n]]`: `bank` holds images of the output's shape behind each other, in f32; `indices` one u32 for
/// each of the N images, below the number stored.
pub fn record_gather(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    bank: &Slice,
    indices: &Slice,
    output: &Tensor,
) -> Result<()> {
    let count = output.shape.vec4s();
    let params = Params { rows: output.shape.n as u32, row_vec4s: (count / output.shape.n) as u32 };
    let kernel = ctx.kernel(GATHER, output.precision, &[]);
    recorder.dispatch(ctx, label, kernel, &[bank, indices, &output.slice], params, grid(ctx, count), 0)
}
