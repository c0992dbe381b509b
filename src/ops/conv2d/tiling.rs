//! How sums are cut into workgroups on a GPU, and the weight layout that goes with it.

use super::Params;
use crate::Result;
use crate::device::{Family, Precision, Recorder, Slice};
use crate::gpu::{Gpu, Shader, shader};

/// Workgroups of 64 x 64 outputs below which the small tile fills a GPU better.
const FEW_WORKGROUPS: usize = 64;

/// How a convolution's sums are spread over invocations; each is a shader with its weight layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tiling {
    /// 8 pixels x 8 channels an invocation, in registers, without barriers: software adapters.
    #[default]
    Registers,
    /// Tiles of 64 x 64 in workgroup memory: GPUs.
    Tiled64,
    /// Tiles of 32 x 32 in workgroup memory: GPUs, layers with few outputs.
    Tiled32,
}

/// The operands of one dispatch; shapes and epilogue stand in its [`Params`].
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
    pub(super) cost: u64,
}

impl Tiling {
    pub(super) const ALL: &[Self] = &[Self::Registers, Self::Tiled64, Self::Tiled32];

    /// For sums over `pixels` output pixels and `channels` output channels on this adapter.
    pub(super) fn choose(gpu: &Gpu, pixels: usize, channels: usize) -> Self {
        if gpu.family() == Family::Cpu {
            return Self::Registers;
        }
        let (x, y) = Self::Tiled64.tiles(pixels, channels);
        if x * y < FEW_WORKGROUPS { Self::Tiled32 } else { Self::Tiled64 }
    }

    fn shader(self) -> Shader {
        match self {
            Self::Registers => shader!("conv2d_direct"),
            Self::Tiled64 => shader!("conv2d_tiled64"),
            Self::Tiled32 => shader!("conv2d_tiled32"),
        }
    }

    /// Appends the dispatch.
    pub(super) fn record(self, recorder: &mut Recorder, gpu: &Gpu, call: &Call<'_>, params: Params) -> Result<()> {
        let kernel = gpu.kernel(self.shader(), call.precision, &[]);
        let size = |value: u32| value as usize;
        let blocks = self.grid(size(params.batch * params.out_h * params.out_w), size(params.out_c4) * 4, call.count);
        // Without a residual its binding still needs a buffer; any that is not written does.
        let residual = call.residual.unwrap_or(call.bias);
        let slices = [call.input, call.weight, call.bias, residual, call.output];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, blocks, call.cost)
    }

    /// Output pixels and output channels of a workgroup.
    pub(super) fn tile(self) -> (usize, usize) {
        match self {
            Self::Registers => (512, 8),
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
    pub(super) fn pack(self, outputs: usize, inputs: usize, taps: usize, weight: &[f32]) -> Vec<f32> {
        let (_, tile) = self.tile();
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
        outputs.next_multiple_of(self.tile().1) * taps * inputs.next_multiple_of(4)
    }

    /// The inverse of [`pack`](Self::pack).
    pub(super) fn unpack(self, outputs: usize, inputs: usize, taps: usize, packed: &[f32]) -> Vec<f32> {
        let (_, tile) = self.tile();
        let rows = taps * inputs.next_multiple_of(4);
        let at = |out: usize, input: usize, tap: usize| {
            let row = tap * inputs.next_multiple_of(4) + input;
            (out / tile * rows + row) * tile + out % tile
        };
        (0..outputs * inputs * taps).map(|i| packed[at(i / taps / inputs, i / taps % inputs, i % taps)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_packed_tile_by_tile_in_reading_order() {
        let weight: Vec<f32> = (1..=9 * 3 * 4).map(|v| v as f32).collect();
        let packed = Tiling::Registers.pack(9, 3, 4, &weight);
        // Two tiles of 8 outputs, 4 taps, 3 inputs padded to 4.
        assert_eq!(packed.len(), 2 * 4 * 4 * 8);
        let at = |out: usize, input: usize, tap: usize| weight[(out * 3 + input) * 4 + tap];
        assert_eq!(packed[..8], std::array::from_fn::<f32, 8, _>(|out| at(out, 0, 0)));
        assert_eq!(packed[8..16], std::array::from_fn::<f32, 8, _>(|out| at(out, 1, 0)));
        assert_eq!(packed[24..32], [0.0; 8], "the fourth input does not exist");
        assert_eq!(packed[32], at(0, 0, 1), "after the inputs comes the next tap");
        assert_eq!(packed[128..136], [at(8, 0, 0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "the second tile has one output");
        assert_eq!(Tiling::Registers.packed_len(9, 3, 4), packed.len());
        assert_eq!(Tiling::Registers.unpack(9, 3, 4, &packed), weight);
    }
}
