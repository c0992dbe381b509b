//! 2-D convolution: shape rule, kernels and their weight layouts, dispatch.
//!
//! Forward: `out[n, o, y, x] = bias[o] + sum over i, ky, kx of input[n, i, y*stride - pad + ky, x*stride - pad + kx] * weight[o, i, ky, kx]`,
//! then `+ residual` and `max(., 0)` where asked for.

use super::winograd::Winograd;
use super::{Padding, grid};
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

/// A way to compute a convolution: what is multiplied, and how the products are cut up.
///
/// The default runs every convolution on every device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ConvKernel {
    /// What is multiplied.
    pub method: Method,
    /// How it is cut up.
    pub blocking: Blocking,
}

/// What a convolution multiplies.
///
/// In f16 storage Winograd's intermediate values lose too much (F(4x4) most), so [`ConvKernel::choose`] takes it in f32 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Every weight with every value under it, in one dispatch.
    #[default]
    Direct,
    /// Winograd's F(2x2, 3x3): 2.25 times fewer products, three dispatches, 1.8 times the weights.
    Winograd2,
    /// Winograd's F(4x4, 3x3): 4 times fewer products, three dispatches, 4 times the weights.
    Winograd4,
}

/// How a convolution's sums are spread over invocations; each is a shader with its weight layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Blocking {
    /// 8 pixels x 8 channels an invocation, in registers: software adapters without subgroups, and few channels there.
    #[default]
    Registers,
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
    finish: u32,
    unused: [u32; 3],
}

/// Bits of `Params::finish`. A uniform, not constants: one pipeline of each shader does for every layer.
const ADD_BIAS: u32 = 1;
const RELU: u32 = 2;
const ADD_RESIDUAL: u32 = 4;

impl Params {
    fn new(conv: &Conv2d, input: Shape, output: Shape, finish: u32) -> Self {
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

/// Workgroups of 64 x 64 outputs below which the small tile fills a GPU better.
const FEW_WORKGROUPS: usize = 64;

/// Price of loading or storing a vec4 on a software adapter, in multiply-adds: 66 on llvmpipe, 85 on SwiftShader
/// (ResNet-18's transforms against its direct convolutions).
const VEC4_COST: usize = 70;

/// Winograd must promise at least this share of the direct cost off, or it is not worth its memory and two dispatches.
const WINOGRAD_GAIN: f64 = 0.15;

/// Largest weights in F(4x4, 3x3)'s domain: 4 times the plain ones matter little for 128 channels, but not for 512.
const WINOGRAD4_WEIGHT_BYTES: usize = 4 << 20;

/// Largest temporary buffer Winograd may ask for.
const WINOGRAD_SCRATCH_BYTES: u64 = 64 << 20;

impl ConvKernel {
    /// The kernel for this layer on this adapter.
    pub fn choose(ctx: &Context, conv: &Conv2d, input: Shape, precision: Precision) -> Self {
        let output = conv.output_shape(input);
        let direct = |blocking| Self { method: Method::Direct, blocking };
        if ctx.family() == Family::Gpu {
            let (x, y) = Blocking::Tiled64.tiles(output.n * output.h * output.w, output.c);
            return direct(if x * y < FEW_WORKGROUPS { Blocking::Tiled32 } else { Blocking::Tiled64 });
        }
        let blocking = match ctx.subgroup_lanes() {
            Some(4) => Blocking::Subgroup4,
            Some(8) => Blocking::Subgroup8,
            _ => Blocking::Registers,
        };
        // A tile more than half empty costs more than subgroups save.
        if conv.out_channels.next_multiple_of(blocking.tile().1) >= 2 * conv.out_channels {
            return direct(Blocking::Registers);
        }
        if precision == Precision::F16 {
            return direct(blocking);
        }
        let limit = WINOGRAD_SCRATCH_BYTES.min(ctx.limits().storage_binding_bytes);
        direct(blocking).cheapest(conv, input, limit)
    }

    /// Itself or the Winograd form with this blocking that costs clearly less and needs no temporary buffer over `limit` bytes.
    fn cheapest(self, conv: &Conv2d, input: Shape, limit: u64) -> Self {
        let worth = self.cost(conv, input) as f64 * (1.0 - WINOGRAD_GAIN);
        [Method::Winograd2, Method::Winograd4]
            .map(|method| Self { method, ..self })
            .into_iter()
            .filter(|kernel| kernel.supports(conv))
            .filter(|kernel| kernel.scratch(conv, input, Precision::F32).into_iter().all(|bytes| bytes <= limit))
            .filter(|kernel| {
                let bytes = conv.in_channels * conv.out_channels * 36 * 4;
                kernel.method != Method::Winograd4 || bytes <= WINOGRAD4_WEIGHT_BYTES
            })
            .min_by_key(|kernel| kernel.cost(conv, input))
            .filter(|kernel| kernel.cost(conv, input) as f64 <= worth)
            .unwrap_or(self)
    }

    /// Time on a software adapter, in multiply-adds: what tiles compute, empty parts too, and what is loaded and stored
    /// besides.
    fn cost(self, conv: &Conv2d, input: Shape) -> usize {
        let output = conv.output_shape(input);
        let pixels = output.n * output.h * output.w;
        let sums = |rows: usize, depth: usize| {
            let (pixels, channels) = self.blocking.tile();
            let pixels = if self.blocking == Blocking::Registers { 8 } else { pixels };
            rows.next_multiple_of(pixels) * output.c.next_multiple_of(channels) * depth
        };
        match self.method.winograd() {
            None => sums(pixels, input.c * conv.kernel * conv.kernel) + VEC4_COST * pixels * output.c4(),
            Some(winograd) => {
                let tiles = winograd.tiles(output);
                let transforms = tiles * winograd.products() * 2 * (input.c4() + output.c4());
                winograd.products() * sums(tiles, input.c) + VEC4_COST * (transforms + pixels * output.c4())
            }
        }
    }

    /// Every kernel, for the test that compares them all with the naive reference.
    pub fn all() -> impl Iterator<Item = Self> {
        [Method::Direct, Method::Winograd2, Method::Winograd4]
            .into_iter()
            .flat_map(|method| Blocking::ALL.iter().map(move |&blocking| Self { method, blocking }))
    }

    /// Whether the device can run the kernel.
    pub fn available(self, ctx: &Context) -> bool {
        match self.blocking {
            Blocking::Subgroup4 => ctx.subgroup_lanes() == Some(4),
            Blocking::Subgroup8 => ctx.subgroup_lanes() == Some(8),
            Blocking::Registers | Blocking::Tiled64 | Blocking::Tiled32 => true,
        }
    }

    /// Whether the kernel can compute this geometry at all.
    pub fn supports(self, conv: &Conv2d) -> bool {
        match self.method {
            Method::Direct => true,
            Method::Winograd2 | Method::Winograd4 => conv.kernel == 3 && conv.stride == 1,
        }
    }

    /// From torch's `(O, I, K, K)` to the kernel's layout.
    pub fn pack(self, conv: &Conv2d, weight: &[f32]) -> Vec<f32> {
        let (outputs, inputs) = (conv.out_channels, conv.in_channels);
        match self.method.winograd() {
            None => self.blocking.pack(outputs, inputs, conv.kernel * conv.kernel, weight),
            Some(winograd) => {
                let matrices = winograd.weights(weight);
                matrices.chunks(outputs * inputs).flat_map(|m| self.blocking.pack(outputs, inputs, 1, m)).collect()
            }
        }
    }

    /// Bytes of each temporary buffer the kernel needs during the call.
    pub fn scratch(self, conv: &Conv2d, input: Shape, precision: Precision) -> Vec<u64> {
        let output = conv.output_shape(input);
        let Some(winograd) = self.method.winograd() else { return Vec::new() };
        let vec4s = winograd.products() * winograd.tiles(output);
        [input.c4(), output.c4()].map(|c4| (vec4s * c4 * 4 * precision.bytes()) as u64).to_vec()
    }

    /// Appends the dispatches.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when the output needs more workgroups than the device allows.
    pub fn record(self, recorder: &mut Recorder, ctx: &Context, call: &ConvCall<'_>) -> Result<()> {
        let (input, output, precision) = (call.input.shape, call.output.shape, call.input.precision);
        let set = |bit: u32, on: bool| if on { bit } else { 0 };
        let finish = ADD_BIAS | set(RELU, call.relu) | set(ADD_RESIDUAL, call.residual.is_some());
        let params = Params::new(call.conv, input, output, finish);
        // Without a residual the binding still needs a buffer; the bias is one that is not written.
        let residual = call.residual.map_or(call.bias, |r| &r.slice);
        let cost = call.conv.multiply_adds(input);

        let Some(winograd) = self.method.winograd() else {
            let kernel = ctx.kernel(self.blocking.shader(), precision, &[]);
            let slices = [&call.input.slice, call.weight, call.bias, residual, &call.output.slice];
            let grid = self.blocking.grid(output.n * output.h * output.w, output.c, 1);
            return recorder.dispatch(ctx, call.label, kernel, &slices, params, grid, cost);
        };
        let [values, sums] = call.scratch else {
            unreachable!("the caller passes the two buffers that `scratch` asked for");
        };
        let tiles = winograd.tiles(output);
        let kernel = ctx.kernel(winograd.input_shader(), precision, &[]);
        let threads = grid(ctx, tiles * input.c4());
        recorder.dispatch(ctx, call.label, kernel, &[&call.input.slice, values], params, threads, 0)?;

        let kernel = ctx.kernel(self.blocking.shader(), precision, &[]);
        let product = Params::product(tiles, input.c4(), output.c4());
        let slices = [values, call.weight, call.bias, call.bias, sums];
        let blocks = self.blocking.grid(tiles, output.c, winograd.products());
        recorder.dispatch(ctx, call.label, kernel, &slices, product, blocks, cost)?;

        let kernel = ctx.kernel(winograd.output_shader(), precision, &[]);
        let threads = grid(ctx, tiles * output.c4());
        recorder.dispatch(ctx, call.label, kernel, &[sums, call.bias, residual, &call.output.slice], params, threads, 0)
    }
}

impl Method {
    fn winograd(self) -> Option<Winograd> {
        match self {
            Self::Direct => None,
            Self::Winograd2 => Some(Winograd::F2),
            Self::Winograd4 => Some(Winograd::F4),
        }
    }
}

impl Blocking {
    const ALL: &[Self] = &[Self::Registers, Self::Subgroup4, Self::Subgroup8, Self::Tiled64, Self::Tiled32];

    fn shader(self) -> Shader {
        match self {
            Self::Registers => shader!("conv2d_direct"),
            Self::Subgroup4 => shader!("conv2d_subgroup4"),
            Self::Subgroup8 => shader!("conv2d_subgroup8"),
            Self::Tiled64 => shader!("conv2d_tiled64"),
            Self::Tiled32 => shader!("conv2d_tiled32"),
        }
    }

    /// Output pixels and output channels of a workgroup.
    fn tile(self) -> (usize, usize) {
        match self {
            Self::Registers => (512, 8),
            Self::Subgroup4 => (8, 32),
            Self::Subgroup8 => (32, 64),
            Self::Tiled64 => (64, 64),
            Self::Tiled32 => (32, 32),
        }
    }

    /// Workgroups over the pixels and over the channels.
    fn tiles(self, pixels: usize, channels: usize) -> (usize, usize) {
        let (x, y) = self.tile();
        (pixels.div_ceil(x), channels.div_ceil(y))
    }

    fn grid(self, pixels: usize, channels: usize, count: usize) -> [u32; 3] {
        let (x, y) = self.tiles(pixels, channels);
        [x as u32, y as u32, count as u32]
    }

    /// From `(O, I, taps)` to `(ceil(O / tile), taps, ceil(I / 4), 4 inputs, tile / 4)` of vec4s over four outputs: a
    /// workgroup reads its part from front to back. Channels that do not exist weigh nothing.
    fn pack(self, outputs: usize, inputs: usize, taps: usize, weight: &[f32]) -> Vec<f32> {
        let (_, tile) = self.tile();
        let rows = inputs.next_multiple_of(4);
        let mut packed = vec![0.0; outputs.next_multiple_of(tile) * taps * rows];
        // Rows are written whole, and the sources advance side by side: both stay in the cache.
        for (t, block) in packed.chunks_mut(taps * rows * tile).enumerate() {
            let first = t * tile;
            let filters = &weight[first * inputs * taps..];
            let count = tile.min(outputs - first);
            for at in 0..inputs * taps {
                let (input, tap) = (at / taps, at % taps);
                let row = &mut block[(tap * rows + input) * tile..][..count];
                for (out, value) in row.iter_mut().enumerate() {
                    *value = filters[out * inputs * taps + at];
                }
            }
        }
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv(in_channels: usize, out_channels: usize, kernel: usize, stride: usize) -> Conv2d {
        Conv2d { in_channels, out_channels, kernel, stride, padding: Padding::Symmetric, bias: false }
    }

    #[test]
    fn weights_are_packed_tile_by_tile_in_reading_order() {
        let weight: Vec<f32> = (1..=9 * 3 * 4).map(|v| v as f32).collect();
        let packed = Blocking::Registers.pack(9, 3, 4, &weight);
        // Two tiles of 8 outputs, 4 taps, 3 inputs padded to 4.
        assert_eq!(packed.len(), 2 * 4 * 4 * 8);
        let at = |out: usize, input: usize, tap: usize| weight[(out * 3 + input) * 4 + tap];
        assert_eq!(packed[..8], std::array::from_fn::<f32, 8, _>(|out| at(out, 0, 0)));
        assert_eq!(packed[8..16], std::array::from_fn::<f32, 8, _>(|out| at(out, 1, 0)));
        assert_eq!(packed[24..32], [0.0; 8], "the fourth input does not exist");
        assert_eq!(packed[32], at(0, 0, 1), "after the inputs comes the next tap");
        assert_eq!(packed[128..136], [at(8, 0, 0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "the second tile has one output");
    }

    #[test]
    fn winograd_is_chosen_where_it_was_measured_to_pay() {
        let choose = |blocking, c: usize, o: usize, size: usize, batch: usize| {
            let direct = ConvKernel { method: Method::Direct, blocking };
            direct.cheapest(&conv(c, o, 3, 1), Shape::new(batch, c, size, size), WINOGRAD_SCRATCH_BYTES).method
        };
        // ResNet-18 at 224 on llvmpipe, whole layers: 10 -> 6.3, 10 -> 5.0, 11 -> 6.3 ms of CPU time; 7x7 gains nothing.
        assert_eq!(choose(Blocking::Subgroup8, 64, 64, 56, 1), Method::Winograd4);
        assert_eq!(choose(Blocking::Subgroup8, 128, 128, 28, 1), Method::Winograd4);
        assert_eq!(choose(Blocking::Subgroup8, 256, 256, 14, 1), Method::Winograd2);
        assert_eq!(choose(Blocking::Subgroup8, 512, 512, 7, 1), Method::Direct);
        assert_eq!(choose(Blocking::Subgroup8, 512, 512, 7, 8), Method::Winograd2);
        // SwiftShader's small tiles waste nothing there: 70 -> 40 ms.
        assert_eq!(choose(Blocking::Subgroup4, 512, 512, 7, 1), Method::Winograd2);
        // A batch whose temporaries would be larger than the limit.
        assert_eq!(choose(Blocking::Subgroup8, 64, 64, 224, 8), Method::Direct);
        let strided = ConvKernel { method: Method::Winograd4, blocking: Blocking::Subgroup8 };
        assert!(!strided.supports(&conv(64, 64, 3, 2)));
        assert!(!strided.supports(&conv(64, 64, 1, 1)));
    }
}
