//! The gradient by the weights: a matrix product over all pixels of the batch.
//!
//! `d_weight[o, i, ky, kx] += sum over n, y, x of input[n, i, y*stride - pad + ky, x*stride - pad + kx] * d_output[n, o, y, x]`.
//! As a matrix it has a row for each kernel position and input channel, in the order of the forward packing, and a column for
//! each output channel. It is small where the sums are longest (a first layer of 64 channels: 147 x 64 over all pixels), so the
//! pixels are cut into chunks, summed side by side, until there are enough workgroups; a last dispatch adds the partial sums.

use super::{Conv2d, ConvWeightGradient, Tiling};
use crate::Result;
use crate::device::{Family, Recorder, Shape};
use crate::gpu::{Gpu, Shader, shader};
use crate::ops::grid;

/// A kernel, and how many pixels each of its workgroups sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WeightGradient {
    tiling: WeightTiling,
    chunk: usize,
}

/// How the sums are spread over invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WeightTiling {
    /// 8 rows x 8 channels an invocation, in registers.
    Registers,
    /// Tiles of 64 x 64 in workgroup memory: GPUs.
    Tiled,
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
    kernel_w: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
    rows: u32,
    tile_c4: u32,
    columns: u32,
    chunk: u32,
    add: u32,
}

/// conv2d_d_weight_sum's `Params`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct SumParams {
    count: u32,
    chunks: u32,
}

const SUM: Shader = shader!("conv2d_d_weight_sum");

/// Chunks end at multiples of this: what the tiled kernel takes a step.
const CHUNK_STEP: usize = 16;

/// Shorter chunks cost more in partial sums than their workgroups gain.
const MIN_CHUNK: usize = 64;

/// The longest sum of one invocation: the error of a sum in order grows with its length.
const MAX_CHUNK: usize = 32_768;

/// Workgroups that keep a GPU busy.
const GPU_WORKGROUPS: usize = 256;

/// Workgroups that keep a software adapter's cores busy to the end.
const CPU_WORKGROUPS: usize = 16;

/// Largest buffer of partial sums.
const PARTIAL_BYTES: usize = 16 << 20;

impl WeightGradient {
    pub(super) fn choose(gpu: &Gpu, conv: &Conv2d, input: Shape, forward: Tiling) -> Self {
        let (tiling, wanted) = match gpu.family() {
            Family::Gpu => (WeightTiling::Tiled, GPU_WORKGROUPS),
            Family::Cpu => (WeightTiling::Registers, CPU_WORKGROUPS),
        };
        let matrix = Matrix::new(conv, forward);
        let [x, y] = tiling.tiles(matrix);
        let most = PARTIAL_BYTES.min(gpu.limits().storage_binding_bytes as usize) / (matrix.vec4s() * 16);
        let pixels = pixels(conv, input);
        let chunks = wanted.div_ceil(x * y).min(pixels / MIN_CHUNK).max(pixels.div_ceil(MAX_CHUNK)).clamp(1, most.max(1));
        Self { tiling, chunk: pixels.div_ceil(chunks).next_multiple_of(CHUNK_STEP) }
    }

    /// Every kernel, with one chunk and with many.
    pub(super) fn all(conv: &Conv2d, input: Shape) -> Vec<Self> {
        let whole = pixels(conv, input).next_multiple_of(CHUNK_STEP);
        let tilings = [WeightTiling::Registers, WeightTiling::Tiled];
        tilings.into_iter().flat_map(|tiling| [CHUNK_STEP, whole].map(|chunk| Self { tiling, chunk })).collect()
    }

    fn chunks(self, conv: &Conv2d, input: Shape) -> usize {
        pixels(conv, input).div_ceil(self.chunk).max(1)
    }

    pub(super) fn scratch(self, conv: &Conv2d, input: Shape, forward: Tiling) -> Vec<u64> {
        match self.chunks(conv, input) {
            1 => Vec::new(),
            chunks => vec![(chunks * Matrix::new(conv, forward).vec4s() * 16) as u64],
        }
    }

    pub(super) fn record(
        self,
        forward: Tiling,
        recorder: &mut Recorder,
        gpu: &Gpu,
        call: &ConvWeightGradient<'_>,
    ) -> Result<()> {
        let (conv, input, output) = (call.conv, call.input.shape, call.d_output.shape);
        assert_eq!(output, conv.output_shape(input), "d_output of `{}`", call.label);
        let precision = call.input.precision;
        let matrix = Matrix::new(conv, forward);
        let chunks = self.chunks(conv, input);
        let (pad_top, pad_left) = conv.pads(input);
        let params = Params {
            batch: input.n as u32,
            in_h: input.h as u32,
            in_w: input.w as u32,
            in_c4: input.c4() as u32,
            out_h: output.h as u32,
            out_w: output.w as u32,
            out_c4: output.c4() as u32,
            kernel_w: conv.kernel as u32,
            stride: conv.stride as u32,
            pad_top: pad_top as u32,
            pad_left: pad_left as u32,
            rows: matrix.rows as u32,
            tile_c4: matrix.tile_c4 as u32,
            columns: matrix.columns as u32,
            chunk: self.chunk as u32,
            add: u32::from(chunks == 1),
        };
        let partials = match call.scratch {
            _ if chunks == 1 => None,
            [partials, ..] => Some(partials),
            [] => unreachable!("the caller passes the buffer that `weight_scratch` asked for"),
        };
        let kernel = gpu.kernel(self.tiling.shader(), precision, &[]);
        let [x, y] = self.tiling.tiles(matrix);
        let blocks = [x as u32, y as u32, chunks as u32];
        let (cost, target) = (conv.multiply_adds(input), partials.unwrap_or(call.d_weight));
        let slices = [&call.input.slice, &call.d_output.slice, target];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, blocks, cost)?;

        let Some(partials) = partials else { return Ok(()) };
        let params = SumParams { count: matrix.vec4s() as u32, chunks: chunks as u32 };
        let kernel = gpu.kernel(SUM, precision, &[]);
        recorder.dispatch(gpu, call.label, kernel, &[partials, call.d_weight], params, grid(gpu, matrix.vec4s()), 0)
    }
}

impl WeightTiling {
    fn shader(self) -> Shader {
        match self {
            Self::Registers => shader!("conv2d_d_weight_direct"),
            Self::Tiled => shader!("conv2d_d_weight_tiled"),
        }
    }

    /// Workgroups over the rows and over the columns.
    fn tiles(self, matrix: Matrix) -> [usize; 2] {
        match self {
            // 64 invocations of 2 x 2 vec4s each, in one dimension.
            Self::Registers => [(matrix.rows.div_ceil(2) * matrix.columns / 2).div_ceil(64), 1],
            Self::Tiled => [matrix.rows.div_ceil(16), matrix.columns.div_ceil(16)],
        }
    }
}

/// The gradient as a matrix in the forward kernel's packing, rows and columns in fours.
#[derive(Debug, Clone, Copy)]
struct Matrix {
    rows: usize,
    /// With the padding of the last tile.
    columns: usize,
    tile_c4: usize,
}

impl Matrix {
    fn new(conv: &Conv2d, forward: Tiling) -> Self {
        let (_, tile) = forward.tile();
        Self {
            rows: conv.taps() * conv.in_channels.div_ceil(4),
            columns: conv.out_channels.next_multiple_of(tile) / 4,
            tile_c4: tile / 4,
        }
    }

    fn vec4s(self) -> usize {
        self.rows * 4 * self.columns
    }
}

/// Output pixels of the whole batch.
fn pixels(conv: &Conv2d, input: Shape) -> usize {
    let output = conv.output_shape(input);
    output.n * output.h * output.w
}
