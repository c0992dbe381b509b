//! Winograd's minimal filtering F(4x4, 3x3) for 3x3 convolutions with stride 1: `Y = A^T [(G g G^T) * (B^T d B)] A`, summed over input
//! channels in the middle, where it is one matrix product for each of the transformed tile's elements.
//!
//! Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. B and A stand in the shaders.
//! Error against a direct sum in f32, relative to the largest output: five to ten times that of another direct sum (3e-6). F(2x2) has
//! twice the products: even maps of 7 x 7 pixels, where a third of the larger tiles lies outside, are worse off with it.

use crate::device::Shape;
use crate::gpu::{Shader, shader};

/// Transforms input tiles of 6x6.
pub(super) const INPUT: Shader = shader!("conv2d_winograd4_input");
/// Transforms sums back to output tiles of 4x4.
pub(super) const OUTPUT: Shader = shader!("conv2d_winograd4_output");

/// Side of an output tile.
const SIDE: usize = 4;

/// Matrix products: elements of a transformed tile.
pub(super) const PRODUCTS: usize = G.len() * G.len();

/// G for the points 0, 1, -1, 2, -2 and infinity.
const G: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Rows of each product: tiles of an output.
pub(super) fn tiles(output: Shape) -> usize {
    output.n * output.h.div_ceil(SIDE) * output.w.div_ceil(SIDE)
}

/// `G g G^T` of every 3x3 filter: from `(O, I, 3, 3)` to `(products, O, I)`.
pub(super) fn weights(weight: &[f32]) -> Vec<f32> {
    let filters = weight.len() / 9;
    let mut transformed = vec![0.0; PRODUCTS * filters];
    for (filter, taps) in weight.as_chunks::<9>().0.iter().enumerate() {
        for (i, gi) in G.iter().enumerate() {
            let row: [f64; 3] = std::array::from_fn(|x| (0..3).map(|y| gi[y] * f64::from(taps[y * 3 + x])).sum());
            for (j, gj) in G.iter().enumerate() {
                let sum: f64 = row.iter().zip(gj).map(|(a, b)| a * b).sum();
                transformed[(i * G.len() + j) * filters + filter] = sum as f32;
            }
        }
    }
    transformed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_g_times_filter_times_g_transposed() {
        let filter: Vec<f32> = (0..9).map(|v| v as f32).collect();
        let transformed = weights(&filter);
        assert_eq!(transformed.len(), 36);
        assert_eq!((transformed[5], transformed[30], transformed[35]), (2.0 / 4.0, 6.0 / 4.0, 8.0), "the corners");
        assert!((transformed[7] - 1.0).abs() < 1e-7, "36 / 6 / 6");
    }

    #[test]
    fn filters_stay_in_order_in_every_product() {
        let mut filters = vec![0.0f32; 2 * 9];
        filters[9..].fill(1.0);
        let transformed = weights(&filters);
        assert!(transformed.chunks(2).all(|pair| pair[0] == 0.0), "the first filter is zero");
        assert_eq!(transformed[35 * 2 + 1], 1.0);
    }

    #[test]
    fn tiles_cover_sizes_that_do_not_divide() {
        assert_eq!(tiles(Shape::new(3, 1, 7, 8)), 3 * 2 * 2);
        assert_eq!(tiles(Shape::new(1, 1, 7, 9)), 2 * 3);
    }
}
