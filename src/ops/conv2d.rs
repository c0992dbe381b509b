//! 2-D convolution: shape rule, kernels and their weight layouts, dispatch.
//!
//! Forward: `out[n, o, y, x] = bias[o] + sum over i, ky, kx of input[n, i, y*stride - pad + ky, x*stride - pad + kx] * weight[o, i, ky, kx]`,
//! then `+ residual` and `max(., 0)` where asked for.

use super::{Padding, flag};
use crate::Result;
use crate::gpu::{Context, Precision, Recorder, Shader, Shape, Slice, Tensor, shader};

/// A square 2-D convolution (cross-correlation, as every framework has it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Padding with zeros.
    pub padding: Padding,
    /// Whether it has a bias of its own.
    pub bias: bool,
}

impl Conv2d {
    /// `(N, I, H, W) -> (N, O, H', W')`.
    pub fn output_shape(&self, input: Shape) -> Shape {
        let (_, _, h) = self.padding.resolve(input.h, self.kernel, self.stride);
        let (_, _, w) = self.padding.resolve(input.w, self.kernel, self.stride);
        Shape::new(input.n, self.out_channels, h, w)
    }

    /// Multiply-adds for one run over `input`.
    pub fn multiply_adds(&self, input: Shape) -> u64 {
        let out = self.output_shape(input);
        (out.n * out.h * out.w * self.out_channels * self.in_channels * self.kernel * self.kernel) as u64
    }
}

/// A way to compute a convolution: a shader (or a few) with its weight layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConvKernel {
    /// Any kernel size and stride; four pixels by four channels a thread, in registers.
    Direct,
}

/// One convolution to record.
#[derive(Debug)]
pub struct ConvCall<'a> {
    /// Layer name.
    pub label: &'a str,
    /// Geometry.
    pub conv: &'a Conv2d,
    /// `(N, I, H, W)`.
    pub input: &'a Tensor,
    /// From [`ConvKernel::pack`], in the input's precision.
    pub weight: &'a Slice,
    /// f32, `(O)` padded to fours.
    pub bias: &'a Slice,
    /// Added before the ReLU; the output's shape.
    pub residual: Option<&'a Tensor>,
    /// Whether negative results become zero.
    pub relu: bool,
    /// `(N, O, H', W')`.
    pub output: &'a Tensor,
    /// As many slices as [`ConvKernel::scratch`] asked for.
    pub scratch: &'a [Slice],
}

const DIRECT: Shader = shader!("conv2d_direct");

/// The shaders' `Params`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    in_h: u32,
    in_w: u32,
    in_c4: u32,
    out_h: u32,
    out_w: u32,
    out_c4: u32,
    kernel_h: u32,
    kernel_w: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
}

impl Params {
    fn new(conv: &Conv2d, input: Shape, output: Shape) -> Self {
        let (pad_top, _, _) = conv.padding.resolve(input.h, conv.kernel, conv.stride);
        let (pad_left, _, _) = conv.padding.resolve(input.w, conv.kernel, conv.stride);
        Self {
            batch: input.n as u32,
            in_h: input.h as u32,
            in_w: input.w as u32,
            in_c4: input.c4() as u32,
            out_h: output.h as u32,
            out_w: output.w as u32,
            out_c4: output.c4() as u32,
            kernel_h: conv.kernel as u32,
            kernel_w: conv.kernel as u32,
            stride: conv.stride as u32,
            pad_top: pad_top as u32,
            pad_left: pad_left as u32,
        }
    }
}

impl ConvKernel {
    /// Every kernel, for the test that compares them all with the naive reference.
    pub const ALL: &[Self] = &[Self::Direct];

    /// The kernel for this layer on this adapter.
    pub fn choose(_ctx: &Context, _conv: &Conv2d, _input: Shape, _precision: Precision) -> Self {
        Self::Direct
    }

    /// Whether the kernel can compute this geometry at all.
    pub fn supports(self, _conv: &Conv2d) -> bool {
        match self {
            Self::Direct => true,
        }
    }

    /// From torch's `(O, I, K, K)` to the kernel's layout.
    pub fn pack(self, conv: &Conv2d, weight: &[f32]) -> Vec<f32> {
        match self {
            Self::Direct => pack_direct(conv, weight),
        }
    }

    /// Bytes of each temporary buffer the kernel needs during the call.
    pub fn scratch(self, _conv: &Conv2d, _input: Shape, _precision: Precision) -> Vec<u64> {
        match self {
            Self::Direct => Vec::new(),
        }
    }

    /// Appends the dispatches.
    pub fn record(self, recorder: &mut Recorder, ctx: &Context, call: &ConvCall<'_>) -> Result<()> {
        let output = call.output.shape;
        let params = Params::new(call.conv, call.input.shape, output);
        let constants = [("RELU", flag(call.relu)), ("RESIDUAL", flag(call.residual.is_some()))];
        match self {
            Self::Direct => {
                let kernel = ctx.kernel(DIRECT, call.input.precision, &constants);
                // Without a residual the binding still needs a buffer; the bias is one that is not written.
                let residual = call.residual.map_or(call.bias, |r| &r.slice);
                let grid = [(output.w.div_ceil(4) * output.c4()).div_ceil(64) as u32, output.h as u32, output.n as u32];
                let slices = [&call.input.slice, call.weight, call.bias, residual, &call.output.slice];
                recorder.dispatch(ctx, call.label, kernel, &slices, params, grid, call.conv.multiply_adds(call.input.shape))
            }
        }
    }
}

/// `[ky][kx][i4][o4][4 inputs]` of vec4s over four outputs.
fn pack_direct(conv: &Conv2d, weight: &[f32]) -> Vec<f32> {
    let (o, i, k) = (conv.out_channels, conv.in_channels, conv.kernel);
    let (o4, i4) = (o.div_ceil(4), i.div_ceil(4));
    let mut packed = vec![0.0; k * k * i4 * o4 * 16];
    for out in 0..o {
        for input in 0..i {
            for tap in 0..k * k {
                let row = ((tap * i4 + input / 4) * o4 + out / 4) * 4 + input % 4;
                packed[row * 4 + out % 4] = weight[(out * i + input) * k * k + tap];
            }
        }
    }
    packed
}
