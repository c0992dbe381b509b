//! How a convolution is computed, and the packing of its weights.
//!
//! Weights are packed in panels of output channels, a few SIMD vectors wide, so that the innermost loop reads them in order:
//! `[group][panel][tap][input channel][output channel of the panel]`, for Winograd
//! `[element of the transformed tile][panel][input channel][output channel of the panel]`. Missing channels are zeros.

use serde::{Deserialize, Serialize};

use crate::pack;
use crate::program::Conv;

/// What is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// Every weight with every value under it.
    Direct,
    /// Winograd's F(2x2, 3x3), which a processor does not take: F(4x4, 3x3) costs less everywhere.
    Winograd2,
    /// Winograd's F(4x4, 3x3): 4 times fewer products, 4 times the weights.
    Winograd4,
}

/// How a convolution is computed on this machine: plain data that says how weights are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConvMethod {
    /// What is multiplied.
    pub method: Method,
    /// Output channels of a panel.
    pub panel: u32,
}

/// What a convolution's weights are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// They stay as they are.
    Inference,
    /// They change from step to step, and gradients are taken: a direct method.
    Training,
}

/// Channels on either side below which Winograd's transforms cost what its fewer products save.
const WINOGRAD_CHANNELS: u32 = 48;

/// Most bytes of Winograd's weights, 4 times the plain ones, that are read faster than their products are made (measured with
/// ResNet-18: 256 channels gain a third at 14 x 14 pixels, 512 at 7 x 7 lose). WebAssembly's products take six times as long, and the
/// same layer is done in 4.2 ms instead of 11.8.
const WINOGRAD_WEIGHT_BYTES: usize = if cfg!(target_arch = "wasm32") { 40 << 20 } else { 10 << 20 };

impl Conv {
    /// Input channels of a group as the kernels read them: padded to fours.
    pub(crate) fn depth(&self) -> usize {
        ((self.input.c / self.groups.max(1)) as usize).next_multiple_of(4)
    }

    /// Output channels of a group.
    pub(crate) fn width(&self) -> usize {
        (self.output.c / self.groups.max(1)) as usize
    }

    /// Kernel positions.
    pub(crate) fn taps(&self) -> usize {
        (self.window.kernel * self.window.kernel) as usize
    }

    /// Number of weights.
    pub(crate) fn weights(&self) -> usize {
        self.output.c as usize * (self.input.c / self.groups.max(1)) as usize * self.taps()
    }

    /// Multiply-adds of one run.
    pub fn multiply_adds(&self) -> u64 {
        let inputs = self.input.c / self.groups.max(1);
        self.output.pixels() as u64 * u64::from(self.output.c) * u64::from(inputs) * self.taps() as u64
    }
}

impl ConvMethod {
    /// The method for this convolution on this machine.
    pub fn choose(conv: &Conv, purpose: Purpose) -> Self {
        let direct = Self { method: Method::Direct, panel: crate::simd::panel(conv.width()) as u32 };
        let winograd = Self { method: Method::Winograd4, ..direct };
        let channels = conv.input.c.min(conv.output.c);
        let pays = channels >= WINOGRAD_CHANNELS && winograd.packed_len(conv) * 4 <= WINOGRAD_WEIGHT_BYTES;
        if purpose == Purpose::Inference && winograd.supports(conv) && pays { winograd } else { direct }
    }

    /// Whether it can compute this geometry at all.
    pub fn supports(&self, conv: &Conv) -> bool {
        let whole = conv.groups >= 1 && conv.input.c.is_multiple_of(conv.groups) && conv.output.c.is_multiple_of(conv.groups);
        let three = (conv.window.kernel, conv.window.stride, conv.groups) == (3, 1, 1);
        let known = match self.method {
            Method::Direct => true,
            Method::Winograd2 => false,
            Method::Winograd4 => three,
        };
        self.panel > 0 && whole && known
    }

    /// Panels of a group.
    pub(crate) fn panels(&self, conv: &Conv) -> usize {
        conv.width().div_ceil(self.panel as usize)
    }

    /// Number of packed weights, padding entries included.
    pub fn packed_len(&self, conv: &Conv) -> usize {
        let matrices = match self.method {
            Method::Direct => conv.taps(),
            Method::Winograd2 | Method::Winograd4 => pack::SIZE * pack::SIZE,
        };
        conv.groups as usize * self.panels(conv) * matrices * conv.depth() * self.panel as usize
    }

    /// Where a direct method keeps `weight[o, i, tap]`, `i` counted in the group.
    fn place(&self, conv: &Conv, o: usize, i: usize, tap: usize) -> usize {
        let (group, o) = (o / conv.width(), o % conv.width());
        let panel = self.panel as usize;
        (((group * self.panels(conv) + o / panel) * conv.taps() + tap) * conv.depth() + i) * panel + o % panel
    }

    /// From torch's `(O, I / groups, K, K)`.
    ///
    /// # Panics
    /// When there are other than `O * I / groups * K * K` weights, or the method does not [support](Self::supports) the geometry:
    /// bugs of the caller.
    pub fn pack(&self, conv: &Conv, weight: &[f32]) -> Vec<f32> {
        assert_eq!(weight.len(), conv.weights(), "weights of {conv:?}");
        assert!(self.supports(conv), "{self:?} does not compute {conv:?}");
        let mut packed = vec![0.0; self.packed_len(conv)];
        pack::pack(self, conv, weight, &mut packed);
        packed
    }

    /// The inverse of [`pack`](Self::pack): to torch's `(O, I / groups, K, K)`.
    ///
    /// # Panics
    /// For a Winograd method, whose weights have no inverse: training keeps its weights for direct ones.
    pub fn unpack(&self, conv: &Conv, packed: &[f32]) -> Vec<f32> {
        assert_eq!(self.method, Method::Direct, "only directly packed weights can be unpacked");
        let (inputs, taps) = ((conv.input.c / conv.groups) as usize, conv.taps());
        let count = conv.output.c as usize * inputs * taps;
        (0..count).map(|at| packed[self.place(conv, at / taps / inputs, at / taps % inputs, at % taps)]).collect()
    }
}
