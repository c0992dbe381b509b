//! How sums over the pixels of a batch are split: chunks of pixels first, then the chunks' results together.

use super::grid;
use crate::device::{Family, Shape};
use crate::gpu::Gpu;

/// The pixels `(N*H*W)` of a tensor in chunks; one invocation takes a chunk and four channels, `chunk * C4 + c4`.
///
/// The pixels of chunk `i` are `i * stride + k * step` for `k < length`, as far as they exist. shaders/shared/chunks.wgsl declares
/// the same fields.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Chunks {
    pub pixels: u32,
    pub c4: u32,
    pub count: u32,
    pub length: u32,
    pub stride: u32,
    pub step: u32,
    /// Within a uniform a struct takes up whole 16 bytes.
    padding: [u32; 2],
}

/// Pixels that are worth an invocation of their own.
const MIN_LENGTH: usize = 8;

impl Chunks {
    pub fn new(gpu: &Gpu, shape: Shape) -> Self {
        Self::of(gpu.family(), shape.n * shape.h * shape.w, shape.c4())
    }

    fn of(family: Family, pixels: usize, c4: usize) -> Self {
        // Enough to fill a GPU, and a few workgroups for each core of a CPU.
        let invocations = match family {
            Family::Gpu => 512 * 64,
            Family::Cpu => 32 * 64,
        };
        let wanted = (invocations / c4.max(1)).clamp(1, pixels.div_ceil(MIN_LENGTH).max(1));
        let length = pixels.div_ceil(wanted).max(1);
        let count = pixels.div_ceil(length);
        let (stride, step) = match family {
            // Neighbouring invocations read neighbouring pixels at the same time.
            Family::Gpu => (1, count),
            // An invocation reads on in its own piece of memory.
            Family::Cpu => (length, 1),
        };
        Self {
            pixels: pixels as u32,
            c4: c4 as u32,
            count: count as u32,
            length: length as u32,
            stride: stride as u32,
            step: step as u32,
            padding: [0; 2],
        }
    }

    /// The grid of a pass with one invocation a chunk and four channels.
    pub fn grid(&self, gpu: &Gpu) -> [u32; 3] {
        grid(gpu, self.count as usize * self.c4 as usize)
    }

    /// The grid of a pass that merges the chunks: a workgroup takes 8 groups of four channels.
    pub fn merge_grid(&self) -> [u32; 3] {
        [self.c4.div_ceil(8), 1, 1]
    }

    /// Invocations of a merging workgroup that share the chunks of a group of channels: the shaders' `ROWS`.
    pub fn merge_rows(gpu: &Gpu) -> f64 {
        match gpu.family() {
            Family::Gpu => 16.0,
            Family::Cpu => 1.0,
        }
    }

    /// Bytes of `vectors` vec4s of f32 a group of channels, for every chunk.
    pub fn bytes(&self, vectors: u64) -> u64 {
        u64::from(self.count) * u64::from(self.c4) * vectors * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_lies_in_one_chunk() {
        for family in [Family::Gpu, Family::Cpu] {
            for (pixels, c4) in
                [(1, 1), (7, 3), (8, 512), (9, 1), (70, 2), (392, 512), (131_072, 4), (100_003, 16), (5, 100_000)]
            {
                let chunks = Chunks::of(family, pixels, c4);
                let mut seen = vec![0; pixels];
                for chunk in 0..chunks.count {
                    let inside = (0..chunks.length).map(|k| (chunk * chunks.stride + k * chunks.step) as usize);
                    let inside: Vec<usize> = inside.filter(|pixel| *pixel < pixels).collect();
                    assert!(!inside.is_empty(), "{chunks:?}: chunk {chunk} is empty");
                    inside.into_iter().for_each(|pixel| seen[pixel] += 1);
                }
                assert!(seen.iter().all(|count| *count == 1), "{chunks:?}");
            }
        }
    }
}
