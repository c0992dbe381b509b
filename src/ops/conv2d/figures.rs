//! How long a tiled kernel takes on a graphics card, for the choice of a tile. A model, not a measurement: docs/performance.md.

/// Of a tile, as `cargo xtask kernels` prints them for navi21 in f32: waves of 64 invocations in a workgroup, waves that a SIMD holds,
/// cycles of its vector unit for a wave and 16 steps of the reduction, cycles of the same where the wave is alone.
pub(super) struct Figures(pub(super) [u64; 4]);

/// Compute units of the cards that a choice is made for: it should be good for both.
const UNITS: [u64; 2] = [32, 80];

/// Cycles of a workgroup in front of and behind its loop.
const EDGE: u64 = 3_000;

/// Cycles between one dispatch and the next, which waits for it.
const DISPATCH: u64 = 8_800;

/// Bytes that a card moves in a cycle, mostly to and from its cache.
const BYTES_A_CYCLE: u64 = 450;

impl Figures {
    /// Cycles for `groups` workgroups of so many times 16 steps, and for the dispatch that adds `parts` sums of so many values; on all
    /// of [`UNITS`] together.
    pub(super) fn cycles(&self, groups: u64, steps: u64, parts: u64, values: u64) -> u64 {
        let Self([waves, most, busy, alone]) = *self;
        let of = |units: u64| {
            // Workgroups go over the units, their waves over the two SIMDs of each.
            let each = (groups.div_ceil(units) * waves).div_ceil(2);
            let round = |waves: u64| if waves == 0 { 0 } else { steps * alone.max(waves * busy) + EDGE };
            each / most * round(most) + round(each % most)
        };
        let sum = if parts == 1 { 0 } else { moved(2 * parts * values * 4) };
        UNITS.into_iter().map(of).sum::<u64>() + sum
    }
}

/// Cycles of a dispatch that moves so many bytes and computes next to nothing; on all of [`UNITS`] together.
pub(super) fn moved(bytes: u64) -> u64 {
    UNITS.len() as u64 * (DISPATCH + bytes / BYTES_A_CYCLE)
}
