//! 2-D convolution: shape rule, kernels and their weight layouts, dispatch.
//!
//! Forward: `out[n, o, y, x] = bias[o] + sum over i, ky, kx of input[n, i, y*stride - pad + ky, x*stride - pad + kx] * weight[o, i, ky, kx]`,
//! then `+ residual` and `max(., 0)` where asked for.

use super::{Padding, flag};
use crate::Result;
use crate::gpu::{Context, Family, Precision, Recorder, Shader, Shape, Slice, Tensor, shader};

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
    /// 8 pixels x 8 channels an invocation, in registers: software adapters without subgroups, and nets with few channels there.
    Direct,
    /// 8 pixels x 32 channels a subgroup of 4 lanes: SwiftShader.
    Subgroup4,
    /// 32 pixels x 64 channels a subgroup of 8 lanes: llvmpipe.
    Subgroup8,
    /// Tiles of 64 x 64 in workgroup memory: GPUs.
    Tiled64,
    /// Tiles of 32 x 32 in workgroup memory: GPUs, layers with few outputs.
    Tiled32,
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

/// Workgroups of 64 x 64 outputs below which the small tile fills a GPU better.
const FEW_WORKGROUPS: usize = 64;

impl ConvKernel {
    /// Every kernel, for the test that compares them all with the naive reference.
    pub const ALL: &[Self] = &[Self::Direct, Self::Subgroup4, Self::Subgroup8, Self::Tiled64, Self::Tiled32];

    /// The kernel for this layer on this adapter.
    pub fn choose(ctx: &Context, conv: &Conv2d, input: Shape, _precision: Precision) -> Self {
        match ctx.family() {
            Family::Gpu => {
                let (x, y) = Self::Tiled64.tiles(conv.output_shape(input));
                if x * y < FEW_WORKGROUPS { Self::Tiled32 } else { Self::Tiled64 }
            }
            Family::Cpu => {
                let wanted = match ctx.subgroup_lanes() {
                    Some(4) => Self::Subgroup4,
                    Some(8) => Self::Subgroup8,
                    _ => Self::Direct,
                };
                // A tile more than half empty costs more than subgroups save.
                let (_, channels) = wanted.tile();
                if conv.out_channels.next_multiple_of(channels) >= 2 * conv.out_channels { Self::Direct } else { wanted }
            }
        }
    }

    /// Whether the device can run the kernel.
    pub fn available(self, ctx: &Context) -> bool {
        match self {
            Self::Subgroup4 => ctx.subgroup_lanes() == Some(4),
            Self::Subgroup8 => ctx.subgroup_lanes() == Some(8),
            Self::Direct | Self::Tiled64 | Self::Tiled32 => true,
        }
    }

    /// Whether the kernel can compute this geometry at all.
    pub fn supports(self, _conv: &Conv2d) -> bool {
        match self {
            Self::Direct | Self::Subgroup4 | Self::Subgroup8 | Self::Tiled64 | Self::Tiled32 => true,
        }
    }

    /// From torch's `(O, I, K, K)` to the kernel's layout.
    pub fn pack(self, conv: &Conv2d, weight: &[f32]) -> Vec<f32> {
        pack_tiles(conv, weight, self.tile().1)
    }

    /// Bytes of each temporary buffer the kernel needs during the call.
    pub fn scratch(self, _conv: &Conv2d, _input: Shape, _precision: Precision) -> Vec<u64> {
        Vec::new()
    }

    /// Appends the dispatches.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when the output needs more workgroups than the device allows.
    pub fn record(self, recorder: &mut Recorder, ctx: &Context, call: &ConvCall<'_>) -> Result<()> {
        let output = call.output.shape;
        let params = Params::new(call.conv, call.input.shape, output);
        let constants = [("RELU", flag(call.relu)), ("RESIDUAL", flag(call.residual.is_some()))];
        let kernel = ctx.kernel(self.shader(), call.input.precision, &constants);
        // Without a residual the binding still needs a buffer; the bias is one that is not written.
        let residual = call.residual.map_or(call.bias, |r| &r.slice);
        let slices = [&call.input.slice, call.weight, call.bias, residual, &call.output.slice];
        // Rows of workgroups: one dimension alone ends at 65535.
        let (tiles, channels) = self.tiles(output);
        let row = tiles.min(ctx.limits().workgroups_per_dimension as usize).max(1);
        let grid = [row as u32, channels as u32, tiles.div_ceil(row) as u32];
        recorder.dispatch(ctx, call.label, kernel, &slices, params, grid, call.conv.multiply_adds(call.input.shape))
    }

    fn shader(self) -> Shader {
        match self {
            Self::Direct => shader!("conv2d_direct"),
            Self::Subgroup4 => shader!("conv2d_subgroup4"),
            Self::Subgroup8 => shader!("conv2d_subgroup8"),
            Self::Tiled64 => shader!("conv2d_tiled64"),
            Self::Tiled32 => shader!("conv2d_tiled32"),
        }
    }

    /// Output pixels and output channels of a workgroup.
    fn tile(self) -> (usize, usize) {
        match self {
            Self::Direct => (512, 8),
            Self::Subgroup4 => (8, 32),
            Self::Subgroup8 => (32, 64),
            Self::Tiled64 => (64, 64),
            Self::Tiled32 => (32, 32),
        }
    }

    /// Workgroups over the pixels and over the channels.
    fn tiles(self, output: Shape) -> (usize, usize) {
        let (pixels, channels) = self.tile();
        ((output.n * output.h * output.w).div_ceil(pixels), output.c.div_ceil(channels))
    }
}

/// `(ceil(O / tile), KH, KW, ceil(I / 4), 4 inputs, tile / 4)` of vec4s over four outputs: a workgroup reads its part from
/// front to back. Channels that do not exist weigh nothing.
fn pack_tiles(conv: &Conv2d, weight: &[f32], tile: usize) -> Vec<f32> {
    let (o, i, taps) = (conv.out_channels, conv.in_channels, conv.kernel * conv.kernel);
    let i4 = i.div_ceil(4) * 4;
    let mut packed = vec![0.0; o.div_ceil(tile) * taps * i4 * tile];
    for out in 0..o {
        for input in 0..i {
            for tap in 0..taps {
                let row = (out / tile * taps + tap) * i4 + input;
                packed[row * tile + out % tile] = weight[(out * i + input) * taps + tap];
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_packed_tile_by_tile_in_reading_order() {
        let conv = Conv2d { in_channels: 3, out_channels: 9, kernel: 2, stride: 1, padding: Padding::Same, bias: false };
        let weight: Vec<f32> = (1..=9 * 3 * 4).map(|v| v as f32).collect();
        let packed = pack_tiles(&conv, &weight, 8);
        // Two tiles of 8 outputs, 4 taps, 3 inputs padded to 4.
        assert_eq!(packed.len(), 2 * 4 * 4 * 8);
        let at = |out: usize, input: usize, tap: usize| weight[(out * 3 + input) * 4 + tap];
        assert_eq!(packed[..8], std::array::from_fn::<f32, 8, _>(|out| at(out, 0, 0)));
        assert_eq!(packed[8..16], std::array::from_fn::<f32, 8, _>(|out| at(out, 1, 0)));
        assert_eq!(packed[24..32], [0.0; 8], "the fourth input does not exist");
        assert_eq!(packed[32], at(0, 0, 1), "after the inputs comes the next tap");
        assert_eq!(packed[128..136], [at(8, 0, 0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "the second tile has one output");
    }
}
