//! Shortcuts without parameters: TF-slim's subsample (a 1x1 max pool) and the paper's option A (new channels of zeros).

use super::grid;
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Tensor, shader};

const SHORTCUT: Shader = shader!("shortcut_forward");

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

/// `output[n, offset + c, y, x] = input[n, c, y * stride, x * stride]`, zero in the other channels.
pub fn record_shortcut(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    stride: usize,
    offset: usize,
    input: &Tensor,
    output: &Tensor,
) -> Result<()> {
    let (x, y) = (input.shape, output.shape);
    let count = y.vec4s();
    let params = Params {
        in_h: x.h as u32,
        in_w: x.w as u32,
        in_channels: x.c as u32,
        out_h: y.h as u32,
        out_w: y.w as u32,
        out_channels: y.c as u32,
        stride: stride as u32,
        offset: offset as u32,
        count: count as u32,
    };
    let kernel = ctx.kernel(SHORTCUT, input.precision, &[]);
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], params, grid(ctx, count), 0)
}
