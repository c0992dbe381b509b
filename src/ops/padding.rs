//! Padding, one rule for convolutions and pools.

use serde::{Deserialize, Serialize};

/// How a convolution or pool pads its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// `kernel / 2` on every side: torchvision, Caffe and TF-slim's `conv2d_same`.
    Symmetric,
    /// TensorFlow's SAME: the output is `ceil(size / stride)` and an odd total puts the extra row or column at the end.
    Same,
}

impl Padding {
    /// `(before, after, output size)` of one axis of `size` elements.
    pub fn resolve(self, size: usize, kernel: usize, stride: usize) -> (usize, usize, usize) {
        match self {
            Self::Symmetric => {
                let pad = kernel / 2;
                let out = (size + 2 * pad).checked_sub(kernel).map_or(0, |span| span / stride + 1);
                (pad, pad, out)
            }
            Self::Same => {
                let out = size.div_ceil(stride);
                let total = (out.saturating_sub(1) * stride + kernel).saturating_sub(size);
                (total / 2, total - total / 2, out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_extra_cell_at_the_end() {
        // TensorFlow: 224 with a 3x3 stride 2 window gives 112 and pads (0, 1); an odd 225 gives 113 and pads (1, 1).
        assert_eq!(Padding::Same.resolve(224, 3, 2), (0, 1, 112));
        assert_eq!(Padding::Same.resolve(225, 3, 2), (1, 1, 113));
        assert_eq!(Padding::Same.resolve(7, 3, 1), (1, 1, 7));
        assert_eq!(Padding::Same.resolve(8, 1, 2), (0, 0, 4));
    }

    #[test]
    fn symmetric_padding_is_torch() {
        assert_eq!(Padding::Symmetric.resolve(224, 7, 2), (3, 3, 112));
        assert_eq!(Padding::Symmetric.resolve(112, 3, 2), (1, 1, 56));
        assert_eq!(Padding::Symmetric.resolve(7, 1, 2), (0, 0, 4));
    }
}
