//! How sums are cut into workgroups on a GPU, and the weight layout that goes with it.

use super::figures::Figures;
use super::{PHASES, Params};
use crate::Result;
use crate::device::{Family, Precision, Recorder, Slice};
use crate::gpu::{Gpu, Shader, shader};
use crate::ops::grid;

/// How a convolution's sums are spread over invocations.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tiling {
    /// Outputs of a workgroup, and with them the weights' layout.
    pub tile: Tile,
    /// Parts of the reduction, summed side by side where there are few outputs; a last dispatch adds them in order.
    pub parts: u32,
}

/// Outputs of a workgroup: pixels x channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tile {
    /// 8 pixels x 8 channels an invocation, in registers, without barriers: software adapters.
    #[default]
    Registers,
    /// In workgroup memory, 8 x 8 an invocation: large grids.
    Tiled128x64,
    /// In workgroup memory, 8 x 4 an invocation.
    Tiled64x64,
    /// In workgroup memory, 8 x 4 an invocation: 32 channels.
    Tiled64x32,
    /// In workgroup memory, 8 x 4 an invocation: 16 channels.
    Tiled128x16,
    /// In workgroup memory, 4 x 4 an invocation: few outputs.
    Tiled32x32,
}

impl Default for Tiling {
    fn default() -> Self {
        Self { tile: Tile::default(), parts: 1 }
    }
}

/// The tile's name, and the number of parts where there are several: `Tiled64x64`, `Tiled64x64/4`.
impl std::fmt::Debug for Tiling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.parts {
            1 => write!(f, "{:?}", self.tile),
            parts => write!(f, "{:?}/{parts}", self.tile),
        }
    }
}

/// The operands of one convolution; shapes and epilogue stand in its [`Params`].
pub(super) struct Call<'a> {
    pub(super) label: &'a str,
    pub(super) precision: Precision,
    /// Independent convolutions of the same shape, one behind the other in every buffer.
    pub(super) count: usize,
    pub(super) input: &'a Slice,
    pub(super) weight: &'a Slice,
    pub(super) bias: &'a Slice,
    pub(super) residual: Option<&'a Slice>,
    pub(super) output: &'a Slice,
    /// [`Tiling::partials`] bytes where there are parts.
    pub(super) partials: Option<&'a Slice>,
    pub(super) cost: u64,
}

/// What is to be summed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) pixels: usize,
    /// Output channels.
    pub(super) channels: usize,
    /// vec4s of a sum.
    pub(super) depth: usize,
    /// Convolutions of this size.
    pub(super) count: usize,
}

/// Adds parts.
pub(super) const SUM: Shader = shader!("conv2d_sum");

/// Its `Params`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct SumParams {
    pub(super) count: u32,
    pub(super) parts: u32,
    pub(super) out_c4: u32,
    pub(super) finish: u32,
}

/// Bit of `SumParams::finish`: what is there is added.
pub(super) const ACCUMULATE: u32 = 16;

/// Parts end at multiples of this: what a step of the kernels divides.
const DEPTH_STEP: usize = 4;

/// Largest buffer of partial sums.
const PARTIAL_BYTES: u64 = 64 << 20;

impl Tiling {
    pub(super) const ALL: &[Self] = &[
        Self { tile: Tile::Registers, parts: 1 },
        Self { tile: Tile::Tiled128x64, parts: 1 },
        Self { tile: Tile::Tiled64x64, parts: 1 },
        Self { tile: Tile::Tiled64x32, parts: 1 },
        Self { tile: Tile::Tiled128x16, parts: 1 },
        Self { tile: Tile::Tiled32x32, parts: 1 },
        Self { tile: Tile::Tiled128x64, parts: 2 },
        Self { tile: Tile::Tiled64x64, parts: 3 },
        Self { tile: Tile::Tiled32x32, parts: 7 },
    ];

    /// For this work on this adapter.
    pub(super) fn choose(gpu: &Gpu, work: Work) -> Self {
        match gpu.family() {
            Family::Cpu => Self::default(),
            Family::Gpu => Self::for_cards(work, gpu.limits().storage_binding_bytes).0,
        }
    }

    /// The fastest for graphics cards with partial sums of at most `limit` bytes, and its [cycles](Figures::cycles).
    pub(super) fn for_cards(work: Work, limit: u64) -> (Self, u64) {
        let outputs = (work.pixels * work.channels.next_multiple_of(4) * work.count) as u64;
        let steps = work.depth.div_ceil(DEPTH_STEP) as u64;
        let tiles = [Tile::Tiled128x64, Tile::Tiled64x64, Tile::Tiled64x32, Tile::Tiled128x16, Tile::Tiled32x32];
        let all = tiles.into_iter().flat_map(|tile| [1, 2, 3, 4, 6, 8, 12, 16].map(|parts| Self { tile, parts }));
        let possible = |tiling: &Self| {
            let parts = u64::from(tiling.parts);
            parts == 1 || steps / parts >= 4 && parts * outputs * 4 <= limit.min(PARTIAL_BYTES)
        };
        let timed = all.filter(possible).map(|tiling| (tiling, tiling.cycles(work, steps, outputs)));
        timed.min_by_key(|(_, cycles)| *cycles).unwrap_or_default()
    }

    fn cycles(self, work: Work, steps: u64, outputs: u64) -> u64 {
        let (x, y) = self.tiles(work.pixels, work.channels);
        let parts = u64::from(self.parts);
        self.tile.figures().cycles((x * y * work.count) as u64 * parts, steps.div_ceil(parts), parts, outputs)
    }

    /// vec4s of the reduction that a part has, and how many parts there are.
    fn cut(self, depth: usize) -> (usize, usize) {
        let chunk = depth.div_ceil(self.parts as usize).next_multiple_of(DEPTH_STEP).max(DEPTH_STEP);
        (chunk, depth.div_ceil(chunk).max(1))
    }

    /// Bytes of the partial sums of `vec4s` outputs; none for a reduction in one part.
    pub(super) fn partials(self, depth: usize, vec4s: usize) -> Option<u64> {
        let (_, parts) = self.cut(depth);
        (parts > 1).then_some((parts * vec4s * 16) as u64)
    }

    /// Appends the dispatches.
    pub(super) fn record(self, recorder: &mut Recorder, gpu: &Gpu, call: &Call<'_>, mut params: Params) -> Result<()> {
        let size = |value: u32| value as usize;
        let (chunk, parts) = self.cut(params.depth());
        (params.chunk, params.count) = (chunk as u32, call.count as u32);
        let (x, y) = self.tiles(params.pixels(), size(params.out_c4) * 4);
        let blocks = [x as u32, y as u32, (call.count * parts) as u32];
        // Without a residual its binding still needs a buffer; any that is not written does.
        let residual = call.residual.unwrap_or(call.bias);
        let shader = self.tile.shader(params.is_point());
        let Some(partials) = call.partials else {
            let slices = [call.input, call.weight, call.bias, residual, call.output];
            let kernel = gpu.kernel(shader, call.precision, &[]);
            return recorder.dispatch(gpu, call.label, kernel, &slices, params, blocks, call.cost);
        };
        let finish = params.finish;
        params.finish &= PHASES;
        let kernel = gpu.kernel(Shader { sums: call.precision != Precision::F32, ..shader }, call.precision, &[]);
        let slices = [call.input, call.weight, call.bias, call.bias, partials];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, blocks, call.cost)?;

        let vec4s = size(params.batch * params.out_h * params.out_w * params.out_c4);
        let sum = SumParams { count: vec4s as u32, parts: parts as u32, out_c4: params.out_c4, finish };
        let kernel = gpu.kernel(SUM, call.precision, &[]);
        let slices = [partials, call.bias, residual, call.output];
        recorder.dispatch(gpu, call.label, kernel, &slices, sum, grid(gpu, vec4s), 0)
    }

    /// Workgroups over the pixels and over the channels.
    fn tiles(self, pixels: usize, channels: usize) -> (usize, usize) {
        let (x, y) = self.tile.size();
        (pixels.div_ceil(x), channels.div_ceil(y))
    }

    /// From `(O, I, taps)` to `(ceil(O / tile), taps, ceil(I / 4), 4 inputs, tile / 4)` of vec4s over four outputs: a
    /// workgroup reads its part from front to back. Channels that do not exist weigh nothing.
    pub(super) fn pack(self, outputs: usize, inputs: usize, taps: usize, weight: &[f32]) -> Vec<f32> {
        let (_, tile) = self.tile.size();
        let rows = inputs.next_multiple_of(4);
        let mut packed = vec![0.0; self.packed_len(outputs, inputs, taps)];
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

    /// Number of values [`pack`](Self::pack) gives.
    pub(super) fn packed_len(self, outputs: usize, inputs: usize, taps: usize) -> usize {
        outputs.next_multiple_of(self.tile.size().1) * taps * inputs.next_multiple_of(4)
    }

    /// The inverse of [`pack`](Self::pack).
    pub(super) fn unpack(self, outputs: usize, inputs: usize, taps: usize, packed: &[f32]) -> Vec<f32> {
        let (_, tile) = self.tile.size();
        let rows = taps * inputs.next_multiple_of(4);
        let at = |out: usize, input: usize, tap: usize| {
            let row = tap * inputs.next_multiple_of(4) + input;
            (out / tile * rows + row) * tile + out % tile
        };
        (0..outputs * inputs * taps).map(|i| packed[at(i / taps / inputs, i / taps % inputs, i % taps)]).collect()
    }
}

impl Tile {
    /// Output pixels and output channels of a workgroup.
    pub(super) fn size(self) -> (usize, usize) {
        match self {
            Self::Registers => (512, 8),
            Self::Tiled128x64 => (128, 64),
            Self::Tiled64x64 => (64, 64),
            Self::Tiled64x32 => (64, 32),
            Self::Tiled128x16 => (128, 16),
            Self::Tiled32x32 => (32, 32),
        }
    }

    fn figures(self) -> Figures {
        Figures(match self {
            Self::Registers | Self::Tiled64x64 => [2, 5, 1128, 2968],
            Self::Tiled128x64 => [2, 4, 2244, 4496],
            Self::Tiled64x32 => [1, 4, 1156, 2944],
            Self::Tiled128x16 => [1, 4, 1200, 3025],
            Self::Tiled32x32 => [1, 8, 616, 2260],
        })
    }

    /// `point` for a kernel of one position without padding; direct sums know no difference.
    pub(in crate::ops) const fn shader(self, point: bool) -> Shader {
        const TILED: Shader = shader!("conv2d_tiled");
        macro_rules! tiled {
            ($name:literal, $sizes:expr) => {
                if point {
                    TILED.sized(concat!("conv2d_tiled_", $name, "_1x1"), const { &sizes($sizes, true) })
                } else {
                    TILED.sized(concat!("conv2d_tiled_", $name), const { &sizes($sizes, false) })
                }
            };
        }
        match self {
            Self::Registers => shader!("conv2d_direct"),
            Self::Tiled128x64 => tiled!("128x64", [128, 64, 8, 2, 2, 2, 1]),
            Self::Tiled64x64 => tiled!("64x64", [64, 64, 8, 1, 4, 2, 2]),
            Self::Tiled64x32 => tiled!("64x32", [64, 32, 8, 1, 4, 4, 2]),
            Self::Tiled128x16 => tiled!("128x16", [128, 16, 8, 1, 4, 8, 1]),
            Self::Tiled32x32 => tiled!("32x32", [32, 32, 4, 1, 4, 2, 2]),
        }
    }
}

/// conv2d_tiled's sizes. An invocation's loads follow from the others: pixels (and channels) of a tile times vec4s of a step by
/// invocations.
const fn sizes(values: [u32; 7], point: bool) -> [(&'static str, u32); 9] {
    let [pixels, channels, tm, tn4, k4, value_loads, weight_loads] = values;
    [
        ("PIXELS", pixels),
        ("CHANNELS", channels),
        ("TM", tm),
        ("TN4", tn4),
        ("K4", k4),
        ("VALUE_LOADS", value_loads),
        ("WEIGHT_LOADS", weight_loads),
        ("POINT", point as u32),
        ("WINDOW", !point as u32),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_packed_tile_by_tile_in_reading_order() {
        let weight: Vec<f32> = (1..=9 * 3 * 4).map(|v| v as f32).collect();
        let registers = Tiling::default();
        let packed = registers.pack(9, 3, 4, &weight);
        // Two tiles of 8 outputs, 4 taps, 3 inputs padded to 4.
        assert_eq!(packed.len(), 2 * 4 * 4 * 8);
        let at = |out: usize, input: usize, tap: usize| weight[(out * 3 + input) * 4 + tap];
        assert_eq!(packed[..8], std::array::from_fn::<f32, 8, _>(|out| at(out, 0, 0)));
        assert_eq!(packed[8..16], std::array::from_fn::<f32, 8, _>(|out| at(out, 1, 0)));
        assert_eq!(packed[24..32], [0.0; 8], "the fourth input does not exist");
        assert_eq!(packed[32], at(0, 0, 1), "after the inputs comes the next tap");
        assert_eq!(packed[128..136], [at(8, 0, 0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "the second tile has one output");
        assert_eq!(registers.packed_len(9, 3, 4), packed.len());
        assert_eq!(registers.unpack(9, 3, 4, &packed), weight);
    }

    #[test]
    fn few_pixels_are_cut_in_depth_and_few_channels_get_a_narrow_tile() {
        let choose = |pixels, channels, depth| Tiling::for_cards(Work { pixels, channels, depth, count: 1 }, u64::MAX).0;
        // The last stage of ResNet-18 at batch 1 and 32, the first of ResNet-20 at batch 128.
        assert!(choose(49, 512, 1152).parts > 4);
        assert_eq!(choose(32 * 3136, 64, 144).parts, 1);
        assert_eq!(choose(128 * 1024, 16, 36), Tiling { tile: Tile::Tiled128x16, parts: 1 });
        // Partial sums must fit.
        assert_eq!(Tiling::for_cards(Work { pixels: 49, channels: 512, depth: 1152, count: 1 }, 1000).0.parts, 1);
    }

    #[test]
    fn a_cut_ends_at_whole_steps_and_covers_the_depth() {
        for (depth, parts) in [(1, 1), (9, 3), (1152, 7), (5, 16), (0, 1)] {
            let (chunk, parts) = Tiling { tile: Tile::default(), parts }.cut(depth);
            assert!(
                chunk % DEPTH_STEP == 0 && chunk * parts >= depth && chunk * (parts - 1) <= depth,
                "{depth}: {chunk} x {parts}"
            );
        }
    }
}
