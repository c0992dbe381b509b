//! Shortcuts without parameters: TF-slim's subsample (a 1x1 max pool) and the paper's option A (new channels of zeros).

use super::{flag, grid};
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Shape, Tensor, shader};

const SHORTCUT: Shader = shader!("shortcut_forward");
const SHORTCUT_BACKWARD: Shader = shader!("shortcut_backward");

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

impl Params {
    /// `count` vec4s are written: of `y` forward, of `x` backward.
    fn new(stride: usize, offset: usize, x: Shape, y: Shape, count: usize) -> Self {
        Self {
            in_h: x.h as u32,
            in_w: x.w as u32,
            in_channels: x.c as u32,
            out_h: y.h as u32,
            out_w: y.w as u32,
            out_channels: y.c as u32,
            stride: stride as u32,
            offset: offset as u32,
            count: count as u32,
        }
    }
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
    let count = output.shape.vec4s();
    let params = Params::new(stride, offset, input.shape, output.shape, count);
    let kernel = ctx.kernel(SHORTCUT, input.precision, &[]);
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], params, grid(ctx, count), 0)
}

/// `d_input[n, c, y * stride, x * stride] = d_output[n, offset + c, y, x]`, zero at the pixels that were left out, plus
/// `accumulate` (another buffer of `d_input`'s shape).
#[allow(clippy::too_many_arguments)] // the operation's operands
pub fn record_shortcut_backward(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    stride: usize,
    offset: usize,
    d_output: &Tensor,
    accumulate: Option<&Tensor>,
    d_input: &Tensor,
) -> Result<()> {
    let count = d_input.shape.vec4s();
    let params = Params::new(stride, offset, d_input.shape, d_output.shape, count);
    let kernel = ctx.kernel(SHORTCUT_BACKWARD, d_output.precision, &[("ACCUMULATE", flag(accumulate.is_some()))]);
    let slices = [&d_output.slice, &accumulate.unwrap_or(d_output).slice, &d_input.slice];
    recorder.dispatch(ctx, label, kernel, &slices, params, grid(ctx, count), 0)
}
