//! One file an operation. Those that are layers of a network implement [`Layer`] there and are in the list [`Op`].
//!
//! Activations are [`Tensor`](crate::device::Tensor)s: NHWC, channels in fours. Every `record_*` function appends dispatches to a
//! [`Recorder`]; nothing runs before the recording does.
//!
//! Backward passes stand beside their forward passes and keep one convention: the gradient of an activation is written (`=`),
//! plus another gradient of the same activation where one is given as `accumulate`; the gradient of a parameter is added (`+=`), in
//! the layout of the parameter, so that micro-batches accumulate.

mod add;
mod augment;
mod avg_pool;
mod batch_norm;
mod channel_sum;
mod chunks;
mod class_map;
mod colour;
mod conv2d;
mod flatten;
mod gather;
mod grouped_conv2d;
mod image_bank;
mod input;
mod layer;
mod linear;
mod loss;
mod nhwc;
mod onnx;
mod optimizer;
mod padding;
mod pool;
mod preprocess;
mod relu;
mod shortcut;
mod softmax;
mod winograd;

pub use add::record_add;
pub use augment::{AugmentCall, Augmentation, Draw, Fill, ResizedCrop, record_augment};
pub use batch_norm::{
    Affine, NormBackward, NormForward, NormParams, Statistics, norm_saved_bytes, norm_scratch_bytes, record_batch_norm,
    record_norm_backward, record_norm_forward,
};
pub use channel_sum::{channel_sum_scratch_bytes, record_channel_sum};
pub use class_map::{class_map_bytes, record_class_map};
use conv2d::WeightTile;
pub use conv2d::{Blocking, ConvBackward, ConvCall, ConvInputGradient, ConvKernel, ConvWeightGradient, Method, Tile, Tiling};
pub use gather::record_gather;
pub use image_bank::{ImageBank, Picture};
pub use layer::{
    Backward, BackwardPart, BackwardRule, Constant, Forward, Gradient, Layer, LayerKind, LayerParam, Operand, Purpose, Tail,
    TrainingStep, Values,
};
pub use linear::{record_linear, record_linear_input_gradient, record_linear_weight_gradient};
pub use loss::{LossCall, LossKind, Target, record_loss};
pub use nhwc::{Border, Nhwc, Window};
pub use onnx::{Onnx, OnnxAttribute, OnnxItem, OnnxValues};
pub use optimizer::{Optimizer, StepValues, UpdateCall, gradient_norm_scratch_bytes, record_gradient_norm, record_update};
pub use padding::Padding;
pub use pool::{
    max_pool_argmax_bytes, record_global_avg_pool, record_global_avg_pool_backward, record_max_pool, record_max_pool_backward,
    record_max_pool_train,
};
pub use preprocess::Preprocessor;
pub use relu::{record_relu, record_relu_backward};
pub use shortcut::{record_shortcut, record_shortcut_backward};
pub use softmax::record_softmax;

use crate::device::{Device, Precision, Recorder, Shape, Slice};
use crate::gpu::{Gpu, Shader, shader};
use crate::{Error, Result};

use layer::layers;

layers! {
    /// The network's input.
    input::Input,
    /// Convolution.
    conv2d::Conv2d,
    /// Convolution of groups of channels.
    grouped_conv2d::GroupedConv2d,
    /// Batch norm.
    batch_norm::BatchNorm,
    /// ReLU.
    relu::Relu,
    /// Sum of two values.
    add::Add,
    /// Maximum over windows.
    pool::MaxPool,
    /// Mean over windows.
    avg_pool::AvgPool,
    /// Mean over all pixels.
    pool::GlobalAvgPool,
    /// All pixels as features.
    flatten::Flatten,
    /// Shortcut without parameters.
    shortcut::ZeroPadShortcut,
    /// The fully connected layer.
    linear::Linear,
    /// Probabilities.
    softmax::Softmax,
}

/// Invocations of a workgroup of every element-wise kernel; the shaders say the same.
const ELEMENTWISE_WORKGROUP: usize = 64;

/// A grid of at least `threads` invocations in rows: one dimension alone ends at 65535 workgroups. Kernels compute their index
/// as `id.x + id.y * workgroups.x * 64` and return past the end.
fn grid(gpu: &Gpu, threads: usize) -> [u32; 3] {
    let groups = threads.div_ceil(ELEMENTWISE_WORKGROUP).max(1);
    let x = groups.min(gpu.limits().workgroups_per_dimension as usize);
    [x as u32, groups.div_ceil(x) as u32, 1]
}

/// 1.0 or 0.0: `override` constants travel as numbers.
fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Bindings that are too short would read zeros and drop writes without a word.
fn expect_bytes(label: &str, what: &str, slice: &Slice, bytes: u64) -> Result<()> {
    if slice.bytes() >= bytes {
        return Ok(());
    }
    Err(Error::Usage(format!("`{label}` wants {what} of at least {bytes} bytes, found {}", slice.bytes())))
}

/// Every shader of the crate, for the test that validates them and for those who look at compiled ones.
pub const SHADERS: &[Shader] = &[
    shader!("adam_update"),
    shader!("add_forward"),
    shader!("augment_gather"),
    shader!("avg_pool_backward"),
    shader!("avg_pool_forward"),
    shader!("batch_norm_backward"),
    shader!("batch_norm_backward_scale"),
    shader!("batch_norm_backward_sums"),
    shader!("batch_norm_forward"),
    shader!("batch_norm_scale"),
    shader!("batch_norm_statistics"),
    shader!("channel_sum_partial"),
    shader!("channel_sum_total"),
    shader!("class_map_forward"),
    shader!("conv2d_d_weight_direct"),
    shader!("conv2d_direct"),
    shader!("conv2d_reverse_weights"),
    shader!("conv2d_sum"),
    shader!("conv2d_winograd4_input"),
    shader!("conv2d_winograd4_output"),
    shader!("gather_forward"),
    shader!("global_avg_pool_backward"),
    shader!("global_avg_pool_forward"),
    shader!("gradient_norm_partial"),
    shader!("gradient_norm_total"),
    shader!("grouped_conv2d_d_input"),
    shader!("grouped_conv2d_d_weight"),
    shader!("grouped_conv2d_forward"),
    shader!("linear_forward"),
    shader!("linear_input_gradient"),
    shader!("linear_weight_gradient"),
    shader!("loss_rows"),
    shader!("loss_totals"),
    shader!("max_pool_backward"),
    shader!("max_pool_forward"),
    shader!("max_pool_train"),
    shader!("momentum_update"),
    shader!("preprocess_frame"),
    shader!("preprocess_horizontal"),
    shader!("preprocess_vertical"),
    shader!("relu_backward"),
    shader!("relu_forward"),
    shader!("sgd_update"),
    shader!("shortcut_backward"),
    shader!("shortcut_forward"),
    shader!("softmax_forward"),
    Tile::Tiled128x64.shader(false),
    Tile::Tiled128x64.shader(true),
    Tile::Tiled64x64.shader(false),
    Tile::Tiled64x64.shader(true),
    Tile::Tiled64x32.shader(false),
    Tile::Tiled64x32.shader(true),
    Tile::Tiled128x16.shader(false),
    Tile::Tiled128x16.shader(true),
    Tile::Tiled32x32.shader(false),
    Tile::Tiled32x32.shader(true),
    WeightTile::Tiled128x64.shader(false),
    WeightTile::Tiled128x64.shader(true),
    WeightTile::Tiled64x64.shader(false),
    WeightTile::Tiled64x64.shader(true),
    WeightTile::Tiled64x32.shader(false),
    WeightTile::Tiled64x32.shader(true),
    WeightTile::Tiled128x16.shader(false),
    WeightTile::Tiled128x16.shader(true),
];
