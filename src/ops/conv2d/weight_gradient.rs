//! The gradient by the weights: a matrix product over all pixels of the batch.
//!
//! `d_weight[o, i, ky, kx] += sum over n, y, x of input[n, i, y*stride - pad + ky, x*stride - pad + kx] * d_output[n, o, y, x]`.
//! As a matrix it has a row for each kernel position and input channel, in the order of the forward packing, and a column for
//! each output channel. It is small where the sums are longest (a first layer of 64 channels: 147 x 64 over all pixels), so the
//! pixels are cut into chunks, summed side by side, until there are enough workgroups; a last dispatch adds the partial sums.

use super::figures::Figures;
use super::tiling::{ACCUMULATE, SUM, SumParams};
use super::{Conv2d, ConvWeightGradient, Tiling};
use crate::Result;
use crate::device::{Family, Recorder, Shape};
use crate::gpu::{Gpu, Shader, shader};
use crate::ops::grid;

/// A kernel, and how many pixels each of its workgroups sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WeightGradient {
    tile: WeightTile,
    chunk: usize,
}

/// Sums of a workgroup: rows x channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum WeightTile {
    /// 8 rows x 8 channels an invocation, in registers: software adapters.
    Registers,
    /// In workgroup memory, 8 x 8 an invocation.
    Tiled128x64,
    /// In workgroup memory, 8 x 4 an invocation.
    Tiled64x64,
    /// In workgroup memory, 8 x 4 an invocation: 32 channels.
    Tiled64x32,
    /// In workgroup memory, 8 x 4 an invocation: 16 channels.
    Tiled128x16,
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

/// Chunks end at multiples of this: what the tiled kernel takes a step.
const CHUNK_STEP: usize = 16;

/// Shorter chunks cost more in partial sums than their workgroups gain.
const MIN_CHUNK: usize = 64;

/// The longest sum of one invocation: the error of a sum in order grows with its length.
const MAX_CHUNK: usize = 32_768;

/// Workgroups that keep a software adapter's cores busy to the end.
const CPU_WORKGROUPS: usize = 16;

/// Largest buffer of partial sums.
const PARTIAL_BYTES: usize = 16 << 20;

impl WeightGradient {
    pub(super) fn choose(gpu: &Gpu, conv: &Conv2d, input: Shape, forward: Tiling) -> Self {
        let matrix = Matrix::new(conv, forward);
        let most = (PARTIAL_BYTES.min(gpu.limits().storage_binding_bytes as usize) / (matrix.vec4s() * 16)).max(1);
        let pixels = pixels(conv, input);
        let least = pixels.div_ceil(MAX_CHUNK).min(most);
        // In whole steps of the kernels.
        let chunk =
            |chunks: usize| pixels.div_ceil(chunks.min(pixels / MIN_CHUNK).clamp(least, most)).next_multiple_of(CHUNK_STEP);
        if gpu.family() == Family::Cpu {
            let [x, y] = WeightTile::Registers.tiles(matrix);
            return Self { tile: WeightTile::Registers, chunk: chunk(CPU_WORKGROUPS.div_ceil(x * y)) };
        }
        let tiles = [WeightTile::Tiled128x64, WeightTile::Tiled64x64, WeightTile::Tiled64x32, WeightTile::Tiled128x16];
        let counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
        let all = tiles.into_iter().flat_map(|tile| counts.map(|chunks| Self { tile, chunk: chunk(chunks) }));
        let cycles = |way: &Self| {
            let ([x, y], chunks) = (way.tile.tiles(matrix), pixels.div_ceil(way.chunk).max(1));
            let [groups, steps, chunks, values] = [x * y * chunks, way.chunk / CHUNK_STEP, chunks, matrix.vec4s() * 4];
            way.tile.figures().cycles(groups as u64, steps as u64, chunks as u64, values as u64)
        };
        all.min_by_key(cycles).unwrap_or(Self { tile: WeightTile::Tiled64x64, chunk: chunk(1) })
    }

    /// Every kernel, with one chunk and with many.
    pub(super) fn all(conv: &Conv2d, input: Shape) -> Vec<Self> {
        let whole = pixels(conv, input).next_multiple_of(CHUNK_STEP);
        WeightTile::ALL.into_iter().flat_map(|tile| [CHUNK_STEP, whole].map(|chunk| Self { tile, chunk })).collect()
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
        let point = [conv.kernel, conv.stride, pad_top, pad_left] == [1, 1, 0, 0];
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
        let kernel = gpu.kernel(self.tile.shader(point), precision, &[]);
        let [x, y] = self.tile.tiles(matrix);
        let blocks = [x as u32, y as u32, chunks as u32];
        let (cost, target) = (conv.multiply_adds(input), partials.unwrap_or(call.d_weight));
        let slices = [&call.input.slice, &call.d_output.slice, target];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, blocks, cost)?;

        let Some(partials) = partials else { return Ok(()) };
        let params = SumParams { count: matrix.vec4s() as u32, parts: chunks as u32, out_c4: 1, finish: ACCUMULATE };
        let kernel = gpu.kernel(Shader { sums: true, ..SUM }, precision, &[]);
        // There is neither bias nor residual.
        let slices = [partials, partials, partials, call.d_weight];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, grid(gpu, matrix.vec4s()), 0)
    }
}

impl WeightTile {
    const ALL: [Self; 5] = [Self::Registers, Self::Tiled128x64, Self::Tiled64x64, Self::Tiled64x32, Self::Tiled128x16];

    /// `point` for a kernel of one position without stride and padding; direct sums know no difference.
    pub(in crate::ops) const fn shader(self, point: bool) -> Shader {
        const TILED: Shader = shader!("conv2d_d_weight_tiled");
        macro_rules! tiled {
            ($name:literal, $sizes:expr) => {
                if point {
                    TILED.sized(concat!("conv2d_d_weight_", $name, "_1x1"), const { &sizes($sizes, true) })
                } else {
                    TILED.sized(concat!("conv2d_d_weight_", $name), const { &sizes($sizes, false) })
                }
            };
        }
        match self {
            Self::Registers => shader!("conv2d_d_weight_direct"),
            Self::Tiled128x64 => tiled!("128x64", [32, 16, 2, 2, 4, 2]),
            Self::Tiled64x64 => tiled!("64x64", [16, 16, 2, 1, 2, 2]),
            Self::Tiled64x32 => tiled!("64x32", [16, 8, 2, 1, 4, 2]),
            Self::Tiled128x16 => tiled!("128x16", [32, 4, 2, 1, 8, 1]),
        }
    }

    fn figures(self) -> Figures {
        Figures(match self {
            Self::Registers | Self::Tiled64x64 => [2, 7, 1138, 3002],
            Self::Tiled128x64 => [2, 4, 2202, 4108],
            Self::Tiled64x32 => [1, 5, 1178, 2988],
            Self::Tiled128x16 => [1, 4, 1222, 3082],
        })
    }

    /// Workgroups over the rows and over the columns.
    fn tiles(self, matrix: Matrix) -> [usize; 2] {
        let [rows, columns] = match self {
            // 64 invocations of 2 x 2 vec4s each, in one dimension.
            Self::Registers => return [(matrix.rows.div_ceil(2) * matrix.columns / 2).div_ceil(64), 1],
            Self::Tiled128x64 => [32, 16],
            Self::Tiled64x64 => [16, 16],
            Self::Tiled64x32 => [16, 8],
            Self::Tiled128x16 => [32, 4],
        };
        [matrix.rows.div_ceil(rows), matrix.columns.div_ceil(columns)]
    }
}

/// conv2d_d_weight_tiled's sizes. An invocation's loads follow from the others: vec4s of a tile times 16 pixels by invocations.
const fn sizes(values: [u32; 6], point: bool) -> [(&'static str, u32); 8] {
    let [rows4, channels4, tr, tc, value_loads, gradient_loads] = values;
    [
        ("ROWS4", rows4),
        ("CHANNELS4", channels4),
        ("TR", tr),
        ("TC", tc),
        ("VALUE_LOADS", value_loads),
        ("GRADIENT_LOADS", gradient_loads),
        ("POINT", point as u32),
        ("WINDOW", !point as u32),
    ]
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
        let (_, tile) = forward.tile.size();
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
