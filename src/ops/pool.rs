//! Max pool and global average pool.

use super::{Padding, flag, grid};
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Shape, Tensor, shader};

/// A square max pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Window height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Which cells are padding.
    pub padding: Padding,
    /// Padding cells count as zeros (Keras Applications v2 pads before the pool) instead of being left out of the maximum.
    pub zeros: bool,
}

impl MaxPool {
    /// `(N, C, H, W) -> (N, C, H', W')`.
    pub fn output_shape(&self, input: Shape) -> Shape {
        let (_, _, h) = self.padding.resolve(input.h, self.kernel, self.stride);
        let (_, _, w) = self.padding.resolve(input.w, self.kernel, self.stride);
        Shape::new(input.n, input.c, h, w)
    }
}

const MAX_POOL: Shader = shader!("max_pool_forward");
const GLOBAL_AVG_POOL: Shader = shader!("global_avg_pool_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct MaxPoolParams {
    batch: u32,
    in_h: u32,
    in_w: u32,
    c4: u32,
    out_h: u32,
    out_w: u32,
    kernel: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
}

/// `output[n, c, y, x]` is the maximum over the window at `(y, x) * stride - pad`.
pub fn record_max_pool(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    pool: &MaxPool,
    input: &Tensor,
    output: &Tensor,
) -> Result<()> {
    let (x, y) = (input.shape, output.shape);
    let (pad_top, _, _) = pool.padding.resolve(x.h, pool.kernel, pool.stride);
    let (pad_left, _, _) = pool.padding.resolve(x.w, pool.kernel, pool.stride);
    let params = MaxPoolParams {
        batch: x.n as u32,
        in_h: x.h as u32,
        in_w: x.w as u32,
        c4: x.c4() as u32,
        out_h: y.h as u32,
        out_w: y.w as u32,
        kernel: pool.kernel as u32,
        stride: pool.stride as u32,
        pad_top: pad_top as u32,
        pad_left: pad_left as u32,
    };
    let kernel = ctx.kernel(MAX_POOL, input.precision, &[("ZEROS", flag(pool.zeros))]);
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], params, grid(ctx, y.vec4s()), 0)
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct GlobalAvgPoolParams {
    batch: u32,
    pixels: u32,
    c4: u32,
}

/// `(N, C, H, W) -> (N, C, 1, 1)`: the mean over H and W.
pub fn record_global_avg_pool(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    input: &Tensor,
    output: &Tensor,
) -> Result<()> {
    let x = input.shape;
    let params = GlobalAvgPoolParams { batch: x.n as u32, pixels: (x.h * x.w) as u32, c4: x.c4() as u32 };
    let kernel = ctx.kernel(GLOBAL_AVG_POOL, input.precision, &[]);
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], params, grid(ctx, output.shape.vec4s()), 0)
}
