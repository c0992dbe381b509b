//! A program for the processor as plain data: what to do, with which pieces of which buffers.
//!
//! Every operation means what the WGSL kernel of the same name means, in the same memory layout: activations are NHWC with
//! channels padded to fours (padding channels are zero), vectors over channels are f32 padded to fours, linear weights are
//! `[in / 4][out / 4][4 inputs][4 outputs]`. Convolution weights alone have a packing of their own: [`ConvMethod`](crate::ConvMethod).
//!
//! Gradients of activations are written (`=`), plus `accumulate` where there is one; gradients of parameters are added (`+=`).

use serde::{Deserialize, Serialize};

/// A piece of one of the executor's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// From [`Executor::alloc`](crate::Executor::alloc).
    pub buffer: u32,
    /// In bytes, a multiple of 4.
    pub offset: u64,
    /// Length; operations use as much of it as they need.
    pub bytes: u64,
}

/// `(N, C, H, W)` with the true number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Images in the batch.
    pub n: u32,
    /// Channels.
    pub c: u32,
    /// Rows.
    pub h: u32,
    /// Columns.
    pub w: u32,
}

impl Shape {
    /// `(n, c, h, w)`.
    pub fn new(n: u32, c: u32, h: u32, w: u32) -> Self {
        Self { n, c, h, w }
    }

    /// Channels in memory: padded to fours.
    pub fn channels(&self) -> usize {
        (self.c as usize).next_multiple_of(4)
    }

    /// `n * h * w`.
    pub fn pixels(&self) -> usize {
        self.n as usize * self.h as usize * self.w as usize
    }

    /// Values in memory, padding channels included.
    pub fn len(&self) -> usize {
        self.pixels() * self.channels()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A window that moves over an image: which input pixels an output pixel sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: u32,
    /// Step in both axes.
    pub stride: u32,
    /// Rows of padding above. Those below follow from the output's size.
    pub pad_top: u32,
    /// Columns of padding on the left.
    pub pad_left: u32,
}

/// A 2-D convolution over a certain input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conv {
    /// `(N, I, H, W)`.
    pub input: Shape,
    /// `(N, O, H', W')`.
    pub output: Shape,
    /// Kernel, stride and padding.
    pub window: Window,
    /// Groups of channels that do not see each other, 1 for an ordinary convolution. Divides I and O.
    pub groups: u32,
}

/// Which mean and variance a training step normalises with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Statistics {
    /// Those of the batch; the running ones follow: `running += momentum * (batch - running)`.
    Batch {
        /// The batch's share.
        momentum: f32,
        /// The running variance takes `n / (n - 1)` of the batch's.
        unbiased: bool,
    },
    /// The running ones, as they are.
    Running,
}

/// What an update does with a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Rule {
    /// `p -= rate * g`; no state.
    Sgd,
    /// `v = momentum * v + g`, `p -= rate * v`, or with `nesterov` `p -= rate * (g + momentum * v)`; one state.
    Momentum {
        /// The share of the old velocity.
        momentum: f32,
        /// Look ahead.
        nesterov: bool,
    },
    /// Adam; two states, the mean of gradients and that of their squares.
    Adam {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root.
        eps: f32,
    },
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the operands are named and described with the operation
pub enum Step {
    /// `to = from`; spans of one size.
    Copy { from: Span, to: Span },
    /// Zeros.
    Clear { span: Span },
    /// `output = [relu](input * weight + bias [+ residual])`. `weight` is packed by `method`; `bias` is `(O)`, none is zero.
    Conv {
        conv: Conv,
        method: crate::ConvMethod,
        input: Span,
        weight: Span,
        bias: Option<Span>,
        residual: Option<Span>,
        relu: bool,
        output: Span,
    },
    /// `d_input = gradient [+ accumulate]`. `weight` as the forward step's, packed by a direct `method`.
    ConvInputGradient {
        conv: Conv,
        method: crate::ConvMethod,
        d_output: Span,
        weight: Span,
        accumulate: Option<Span>,
        d_input: Span,
    },
    /// `d_weight += gradient`, in the packing of a direct `method`.
    ConvWeightGradient { conv: Conv, method: crate::ConvMethod, input: Span, d_output: Span, d_weight: Span },
    /// `sum[c] += sum over n, y, x of input[n, c, y, x]`: a bias gradient.
    ChannelSum { shape: Shape, input: Span, sum: Span },
    /// `output = [relu](scale * input + shift)` by channel.
    NormInference { shape: Shape, input: Span, scale: Span, shift: Span, relu: bool, output: Span },
    /// `output = [relu]((input - mean) * weight / sqrt(var + eps) + bias [+ residual])`. `saved` keeps mean, 1/std, scale and bias,
    /// each `(C)` padded to fours, for the backward pass.
    NormForward {
        shape: Shape,
        statistics: Statistics,
        eps: f32,
        input: Span,
        weight: Span,
        bias: Span,
        running_mean: Span,
        running_var: Span,
        saved: Span,
        residual: Option<Span>,
        relu: bool,
        output: Span,
    },
    /// The gradients of `NormForward`. With `relu` and no `residual` the sign of the output follows from input and `saved`. With
    /// `relu` and `residual` it is that of `output`, and `d_output` is overwritten by the gradient below the ReLU, which is the
    /// residual's. `d_weight`, `d_bias` are added to; `d_input` is written where there is one.
    NormBackward {
        shape: Shape,
        /// The statistics were those of the batch, so that the gradient runs through them.
        batch: bool,
        input: Span,
        /// Only read with `relu` and `residual`.
        output: Span,
        d_output: Span,
        saved: Span,
        relu: bool,
        residual: bool,
        d_weight: Span,
        d_bias: Span,
        accumulate: Option<Span>,
        d_input: Option<Span>,
    },
    /// `output = max(input, 0)` of `count` values.
    Relu { count: u64, input: Span, output: Span },
    /// `d_input = (d_output where output > 0) [+ accumulate]` of `count` values.
    ReluBackward { count: u64, output: Span, d_output: Span, accumulate: Option<Span>, d_input: Span },
    /// `output = [relu](a + b)` of `count` values.
    Add { count: u64, a: Span, b: Span, relu: bool, output: Span },
    /// The maximum of each window. With `zeros` padding cells are zeros that take part. `argmax` gets a byte a value:
    /// `ky * kernel + kx` of the first maximum, 255 for padding.
    MaxPool {
        input_shape: Shape,
        output_shape: Shape,
        window: Window,
        zeros: bool,
        input: Span,
        argmax: Option<Span>,
        output: Span,
    },
    /// `d_input = sum of d_output over the windows whose maximum the pixel was [+ accumulate]`.
    MaxPoolBackward {
        input_shape: Shape,
        output_shape: Shape,
        window: Window,
        argmax: Span,
        d_output: Span,
        accumulate: Option<Span>,
        d_input: Span,
    },
    /// The mean of the cells of each window that are inside the image.
    AvgPool { input_shape: Shape, output_shape: Shape, window: Window, input: Span, output: Span },
    /// `d_input = sum over the windows of d_output / cells inside [+ accumulate]`.
    AvgPoolBackward {
        input_shape: Shape,
        output_shape: Shape,
        window: Window,
        d_output: Span,
        accumulate: Option<Span>,
        d_input: Span,
    },
    /// `output (N, C)` = the mean over the pixels of each image.
    GlobalAvgPool { shape: Shape, input: Span, output: Span },
    /// `d_input = d_output / (H * W) [+ accumulate]` at every pixel.
    GlobalAvgPoolBackward { shape: Shape, d_output: Span, accumulate: Option<Span>, d_input: Span },
    /// `output[n, offset + c, y, x] = input[n, c, y * stride, x * stride]`, zero in the other channels.
    Shortcut { input_shape: Shape, output_shape: Shape, stride: u32, offset: u32, input: Span, output: Span },
    /// `d_input[n, c, y * stride, x * stride] = d_output[n, offset + c, y, x]`, else zero, `[+ accumulate]`.
    ShortcutBackward {
        input_shape: Shape,
        output_shape: Shape,
        stride: u32,
        offset: u32,
        d_output: Span,
        accumulate: Option<Span>,
        d_input: Span,
    },
    /// `output (N, O) = input (N, I) * weight^T + bias`.
    Linear { batch: u32, inputs: u32, outputs: u32, input: Span, weight: Span, bias: Span, output: Span },
    /// `d_input = d_output * weight`.
    LinearInputGradient { batch: u32, inputs: u32, outputs: u32, d_output: Span, weight: Span, d_input: Span },
    /// `d_weight += d_output^T * input`, `d_bias += sum of d_output`.
    LinearWeightGradient { batch: u32, inputs: u32, outputs: u32, input: Span, d_output: Span, d_weight: Span, d_bias: Span },
    /// Softmax over the channels of each image, `(N, C)`.
    Softmax { batch: u32, channels: u32, input: Span, output: Span },
    /// Loss, gradient and counts of a batch: what loss_rows.wgsl and loss_totals.wgsl do.
    ///
    /// `targets` are N times (label u32, other u32, lambda f32, weight f32); `rows` N times (loss, rank, confidence, predicted);
    /// `totals` two vec4s, added to.
    Loss {
        batch: u32,
        classes: u32,
        /// Sigmoid cross-entropy instead of softmax.
        sigmoid: bool,
        /// Rows count the same in the mean, else by their classes.
        even: bool,
        smoothing: f32,
        /// Factor on the gradient.
        share: f32,
        logits: Span,
        targets: Span,
        class_weights: Span,
        d_logits: Option<Span>,
        rows: Span,
        totals: Span,
    },
    /// `norm` = (sum of squares of all gradients, steps skipped because it was not finite (`+=`), norm, 0).
    GradientNorm { gradients: Vec<Span>, norm: Span },
    /// One step of an optimizer for a flat region of f32. `values` are (rate f32, number u32, correction1 f32, correction2 f32,
    /// max_norm f32); `norm` is `GradientNorm`'s. Nothing is changed when the norm is not finite.
    Update {
        rule: Rule,
        params: Span,
        gradients: Span,
        state: Vec<Span>,
        values: Span,
        norm: Span,
        /// Factor on the rate.
        multiplier: f32,
        decay: f32,
        /// Decay shrinks the parameter instead of joining the gradient.
        decoupled: bool,
    },
    /// A batch of training pictures, warped, coloured, normalised, erased and mixed: what augment_gather.wgsl does. `draws` are N
    /// times its `Draw` (28 words), `bank` the chunks of a bank of pictures of 8-bit values.
    Augment {
        /// `(N, 3 or 1, H, W)`.
        output_shape: Shape,
        picture_height: u32,
        picture_width: u32,
        /// Stored pictures a chunk.
        chunk_pictures: u32,
        /// Blue first.
        bgr: bool,
        /// What lies outside of a picture: nothing, the nearest edge, the mirror image, the other end, black.
        fill: u32,
        factor: [f32; 4],
        offset: [f32; 4],
        draws: Span,
        bank: Vec<Span>,
        output: Span,
    },
    /// `output[r] = bank[indices[r]]`, rows of `row` values.
    Gather { rows: u32, row: u32, bank: Span, indices: Span, output: Span },
    /// `map[y, x] = sum over c of weights[c] * features[0, c, y, x]`.
    ClassMap { shape: Shape, features: Span, weights: Span, map: Span },
    /// First pass of a resize, along rows: RGBA bytes to RGB in the low bytes of u32s. `bounds` are (first, count) u32s a column,
    /// counted from the source's first column, `weights` `stride` i32s a column with 22 fractional bits.
    ResizeRows {
        columns: u32,
        rows: u32,
        source_width: u32,
        /// First row of the source that is read.
        source_row: u32,
        /// First row of `middle` that is written.
        first_row: u32,
        stride: u32,
        source: Span,
        bounds: Span,
        weights: Span,
        middle: Span,
    },
    /// Second pass, along columns, and normalisation into `output`, `(N, 3, height, width)`.
    ResizeColumns {
        width: u32,
        height: u32,
        /// Pictures in `middle`, one after the other.
        images: u32,
        /// Rows of a picture in `middle`.
        rows: u32,
        /// Place of the first picture in the batch.
        first_image: u32,
        stride: u32,
        /// Blue first.
        bgr: bool,
        factor: [f32; 4],
        offset: [f32; 4],
        middle: Span,
        bounds: Span,
        weights: Span,
        output: Span,
    },
}

impl Step {
    /// The operation's name, for profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Copy { .. } => "copy",
            Self::Clear { .. } => "clear",
            Self::Conv { .. } => "conv",
            Self::ConvInputGradient { .. } => "conv_input_gradient",
            Self::ConvWeightGradient { .. } => "conv_weight_gradient",
            Self::ChannelSum { .. } => "channel_sum",
            Self::NormInference { .. } => "norm_inference",
            Self::NormForward { .. } => "norm_forward",
            Self::NormBackward { .. } => "norm_backward",
            Self::Relu { .. } => "relu",
            Self::ReluBackward { .. } => "relu_backward",
            Self::Add { .. } => "add",
            Self::MaxPool { .. } => "max_pool",
            Self::MaxPoolBackward { .. } => "max_pool_backward",
            Self::AvgPool { .. } => "avg_pool",
            Self::AvgPoolBackward { .. } => "avg_pool_backward",
            Self::GlobalAvgPool { .. } => "global_avg_pool",
            Self::GlobalAvgPoolBackward { .. } => "global_avg_pool_backward",
            Self::Shortcut { .. } => "shortcut",
            Self::ShortcutBackward { .. } => "shortcut_backward",
            Self::Linear { .. } => "linear",
            Self::LinearInputGradient { .. } => "linear_input_gradient",
            Self::LinearWeightGradient { .. } => "linear_weight_gradient",
            Self::Softmax { .. } => "softmax",
            Self::Loss { .. } => "loss",
            Self::GradientNorm { .. } => "gradient_norm",
            Self::Update { .. } => "update",
            Self::Augment { .. } => "augment",
            Self::Gather { .. } => "gather",
            Self::ClassMap { .. } => "class_map",
            Self::ResizeRows { .. } => "resize_rows",
            Self::ResizeColumns { .. } => "resize_columns",
        }
    }
}
