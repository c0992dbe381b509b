//! One file an operation: shape rule, weight packing, dispatch.
//!
//! Activations are [`Tensor`](crate::gpu::Tensor)s: NHWC, channels in fours. Every `record_*` function appends dispatches to a
//! [`Recorder`]; nothing runs before the recording does.

mod add;
mod batch_norm;
mod conv2d;
mod linear;
mod padding;
mod pool;
mod preprocess;
mod relu;
mod shortcut;
mod softmax;
mod winograd;

pub use add::record_add;
pub use batch_norm::{Affine, record_batch_norm};
pub use conv2d::{Blocking, Conv2d, ConvBackward, ConvCall, ConvInputGradient, ConvKernel, ConvWeightGradient, Method};
pub use linear::{Linear, record_linear};
pub use padding::Padding;
pub use pool::{MaxPool, record_global_avg_pool, record_max_pool};
pub use preprocess::Preprocessor;
pub use relu::record_relu;
pub use shortcut::record_shortcut;
pub use softmax::record_softmax;

use crate::gpu::{Context, Shader, shader};

/// Invocations of a workgroup of every element-wise kernel; the shaders say the same.
const ELEMENTWISE_WORKGROUP: usize = 64;

/// A grid of at least `threads` invocations in rows: one dimension alone ends at 65535 workgroups. Kernels compute their index
/// as `id.x + id.y * workgroups.x * 64` and return past the end.
fn grid(ctx: &Context, threads: usize) -> [u32; 3] {
    let groups = threads.div_ceil(ELEMENTWISE_WORKGROUP).max(1);
    let x = groups.min(ctx.limits().workgroups_per_dimension as usize);
    [x as u32, groups.div_ceil(x) as u32, 1]
}

/// 1.0 or 0.0: `override` constants travel as numbers.
fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Every shader of the crate, for the test that validates them.
pub const SHADERS: &[Shader] = &[
    shader!("add_forward"),
    shader!("batch_norm_forward"),
    shader!("conv2d_d_weight_direct"),
    shader!("conv2d_d_weight_subgroup4"),
    shader!("conv2d_d_weight_subgroup8"),
    shader!("conv2d_d_weight_subgroup8x16"),
    shader!("conv2d_d_weight_subgroup8x32"),
    shader!("conv2d_d_weight_sum"),
    shader!("conv2d_d_weight_tiled"),
    shader!("conv2d_direct"),
    shader!("conv2d_join_phases"),
    shader!("conv2d_reverse_weights"),
    shader!("conv2d_subgroup4"),
    shader!("conv2d_subgroup8"),
    shader!("conv2d_subgroup8x16"),
    shader!("conv2d_subgroup8x32"),
    shader!("conv2d_tiled32"),
    shader!("conv2d_tiled64"),
    shader!("conv2d_winograd2_input"),
    shader!("conv2d_winograd2_output"),
    shader!("conv2d_winograd4_input"),
    shader!("conv2d_winograd4_output"),
    shader!("global_avg_pool_forward"),
    shader!("linear_forward"),
    shader!("max_pool_forward"),
    shader!("preprocess_horizontal"),
    shader!("preprocess_vertical"),
    shader!("relu_forward"),
    shader!("shortcut_forward"),
    shader!("softmax_forward"),
];
