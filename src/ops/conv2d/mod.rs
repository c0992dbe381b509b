//! 2-D convolution: shape rule, kernels and their weight layouts, dispatch, gradients.
//!
//! Forward ([`ConvKernel`]): `out[n, o, y, x] = bias[o] + sum over i, ky, kx of
//! input[n, i, y*stride - pad + ky, x*stride - pad + kx] * weight[o, i, ky, kx]`, then `+ residual` and `max(., 0)` where asked for.
//!
//! Backward ([`ConvBackward`]): `d_input` is a convolution of `d_output` with the weights turned round, `d_weight` a matrix
//! product over all pixels.

mod backward;
mod blocking;
mod kernel;
mod weight_gradient;

pub use backward::{ConvBackward, ConvInputGradient, ConvWeightGradient};
pub use blocking::Blocking;
pub use kernel::{ConvCall, ConvKernel, Method};

use super::Padding;
use crate::gpu::Shape;

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

    /// Kernel positions.
    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Padding above and on the left, for an input of this size.
    fn pads(&self, input: Shape) -> (usize, usize) {
        let before = |size| self.padding.resolve(size, self.kernel, self.stride).0;
        (before(input.h), before(input.w))
    }

    /// Multiply-adds for one run over `input`.
    pub fn multiply_adds(&self, input: Shape) -> u64 {
        let out = self.output_shape(input);
        (out.n * out.h * out.w * self.out_channels * self.in_channels * self.kernel * self.kernel) as u64
    }
}

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
    finish: u32,
    unused: [u32; 3],
}

/// Bits of `Params::finish`. A uniform, not constants: one pipeline of each shader does for every layer.
const ADD_BIAS: u32 = 1;
const RELU: u32 = 2;
const ADD_RESIDUAL: u32 = 4;

impl Params {
    fn new(conv: &Conv2d, input: Shape, output: Shape, finish: u32) -> Self {
        let (pad_top, pad_left) = conv.pads(input);
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
            finish,
            unused: [0; 3],
        }
    }

    /// Products of a `(rows, in_c4 * 4)` matrix with a `(in_c4 * 4, out_c4 * 4)` one, as a 1x1 convolution.
    fn product(rows: usize, in_c4: usize, out_c4: usize) -> Self {
        Self {
            batch: 1,
            in_h: 1,
            in_w: rows as u32,
            in_c4: in_c4 as u32,
            out_h: 1,
            out_w: rows as u32,
            out_c4: out_c4 as u32,
            kernel_h: 1,
            kernel_w: 1,
            stride: 1,
            pad_top: 0,
            pad_left: 0,
            finish: 0,
            unused: [0; 3],
        }
    }
}
