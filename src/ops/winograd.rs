//! Winograd's minimal filtering for 3x3 convolutions with stride 1: `Y = A^T [(G g G^T) * (B^T d B)] A`, summed over input
//! channels in the middle, where it is one matrix product for each of the transformed tile's elements.
//!
//! Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. B and A stand in the shaders.
//! Error against a direct sum in f32, relative to the largest output: F(2x2) none, F(4x4) five to ten times (3e-6).

use crate::device::Shape;
use crate::gpu::{Shader, shader};

/// A filter size: F(m x m, 3x3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Winograd {
    /// Tiles of 2x2 outputs from 4x4 inputs.
    F2,
    /// Tiles of 4x4 outputs from 6x6 inputs.
    F4,
}

/// G for the points 0, 1, -1 and infinity.
const G2: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

/// G for the points 0, 1, -1, 2, -2 and infinity.
const G4: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

impl Winograd {
    fn outputs(self) -> usize {
        match self {
            Self::F2 => 2,
            Self::F4 => 4,
        }
    }

    fn g(self) -> &'static [[f64; 3]] {
        match self {
            Self::F2 => &G2,
            Self::F4 => &G4,
        }
    }

    /// Matrix products: elements of a transformed tile.
    pub(super) fn products(self) -> usize {
        self.g().len().pow(2)
    }

    /// Rows of each product: tiles of an output.
    pub(super) fn tiles(self, output: Shape) -> usize {
        output.n * output.h.div_ceil(self.outputs()) * output.w.div_ceil(self.outputs())
    }

    pub(super) fn input_shader(self) -> Shader {
        match self {
            Self::F2 => shader!("conv2d_winograd2_input"),
            Self::F4 => shader!("conv2d_winograd4_input"),
        }
    }

    pub(super) fn output_shader(self) -> Shader {
        match self {
            Self::F2 => shader!("conv2d_winograd2_output"),
            Self::F4 => shader!("conv2d_winograd4_output"),
        }
    }

    /// `G g G^T` of every 3x3 filter: from `(O, I, 3, 3)` to `(products, O, I)`.
    pub(super) fn weights(self, weight: &[f32]) -> Vec<f32> {
        let g = self.g();
        let size = g.len();
        let filters = weight.len() / 9;
        let mut transformed = vec![0.0; size * size * filters];
        for (filter, taps) in weight.as_chunks::<9>().0.iter().enumerate() {
            for (i, gi) in g.iter().enumerate() {
                let row: [f64; 3] = std::array::from_fn(|x| (0..3).map(|y| gi[y] * f64::from(taps[y * 3 + x])).sum());
                for (j, gj) in g.iter().enumerate() {
                    let sum: f64 = row.iter().zip(gj).map(|(a, b)| a * b).sum();
                    transformed[(i * size + j) * filters + filter] = sum as f32;
                }
            }
        }
        transformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_g_times_filter_times_g_transposed() {
        let filter: Vec<f32> = (0..9).map(|v| v as f32).collect();
        let f2 = Winograd::F2.weights(&filter);
        assert_eq!(f2.len(), 16);
        assert_eq!((f2[0], f2[3], f2[12], f2[15]), (0.0, 2.0, 6.0, 8.0), "the corners are the filter's");
        assert_eq!(f2[5], 36.0 / 4.0, "half of all rows and half of all columns: a quarter of the sum");
        let f4 = Winograd::F4.weights(&filter);
        assert_eq!((f4[5], f4[30], f4[35]), (2.0 / 4.0, 6.0 / 4.0, 8.0));
        assert!((f4[7] - 1.0).abs() < 1e-7, "36 / 6 / 6");
    }

    #[test]
    fn filters_stay_in_order_in_every_product() {
        let mut filters = vec![0.0f32; 2 * 9];
        filters[9..].fill(1.0);
        let f2 = Winograd::F2.weights(&filters);
        assert!(f2.chunks(2).all(|pair| pair[0] == 0.0), "the first filter is zero");
        assert_eq!(f2[5 * 2 + 1], 9.0 / 4.0);
    }

    #[test]
    fn tiles_cover_sizes_that_do_not_divide() {
        assert_eq!(Winograd::F2.tiles(Shape::new(3, 1, 7, 8)), 3 * 4 * 4);
        assert_eq!(Winograd::F4.tiles(Shape::new(1, 1, 7, 9)), 2 * 3);
    }
}
