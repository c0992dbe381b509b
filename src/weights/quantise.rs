//! Numbers of 8 bits as TensorFlow Lite has them: activations on a grid of their own each, weights on one a channel around zero, biases
//! of 32 bits on the product of both.

use super::deploy::{Step, Work};

/// `scale * (q - zero)` for `q` of -128 to 127.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    pub scale: f32,
    pub zero: i32,
}

/// Of probabilities: 256ths.
const PROBABILITIES: Grid = Grid { scale: 1.0 / 256.0, zero: -128 };
/// Of pixels.
const PIXELS: Grid = Grid { scale: 1.0, zero: -128 };

impl Grid {
    /// The grid that holds values of `low` to `high`, and zero.
    pub fn of((low, high): (f32, f32)) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = ((high - low) / 255.0).max(1e-9);
        Self { scale, zero: (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i32 }
    }
}

/// The grid of every value, from their smallest and largest. What a pool or a pad writes is on the grid of what it reads.
pub(super) fn grids(steps: &[Step], ranges: &[(f32, f32)]) -> Vec<Grid> {
    let mut grids = vec![PIXELS];
    for (i, step) in steps.iter().enumerate() {
        grids.push(match step.work {
            Work::Largest { .. } | Work::Mean { .. } | Work::Pad { .. } => grids[step.inputs[0]],
            Work::Softmax | Work::Sigmoid => PROBABILITIES,
            _ => Grid::of(ranges.get(i + 1).copied().unwrap_or((-1.0, 1.0))),
        });
    }
    grids
}

/// A layer's weights.
#[derive(Debug)]
pub(super) struct Weights8 {
    pub weight: Vec<i8>,
    /// One a channel, or one.
    pub scales: Vec<f32>,
    pub bias: Vec<i32>,
}

impl Weights8 {
    /// With a scale a channel of the output, or one for all; `input` is the scale of what the layer reads.
    pub fn new(weight: &[f32], bias: &[f32], channels: bool, input: f32) -> Self {
        let rows = bias.len().max(1);
        let row = weight.len() / rows;
        let largest = |values: &[f32]| values.iter().fold(0f32, |most, value| most.max(value.abs()));
        // A bias has 32 bits: where weights are tiny beside it, their grid is coarser.
        let scale = |o: usize| (largest(&weight[o * row..(o + 1) * row]) / 127.0).max(bias[o].abs() / (input * 1e9)).max(1e-12);
        let mut scales: Vec<f32> = (0..rows).map(scale).collect();
        if !channels {
            scales = vec![largest(&scales)];
        }
        let of = |o: usize| scales[if channels { o } else { 0 }];
        let weight = weight
            .iter()
            .enumerate()
            .map(|(i, value)| (value / of(i / row.max(1))).round().clamp(-127.0, 127.0) as i8)
            .collect();
        let bias = bias.iter().enumerate().map(|(o, value)| (value / (of(o) * input)).round() as i32).collect();
        Self { weight, scales, bias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_on_every_grid_and_ends_are_its_ends() {
        let grid = Grid::of((-1.0, 1.55));
        let value = |q: i32| grid.scale * (q - grid.zero) as f32;
        assert!((value(-128) + 1.0).abs() < 0.01 && (value(127) - 1.55).abs() < 0.01, "{grid:?}");
        assert_eq!(Grid::of((0.0, 2.55)).zero, -128, "nothing is lost on what a ReLU leaves");
        assert!(Grid::of((0.0, 0.0)).scale > 0.0);
    }

    #[test]
    fn weights_have_a_scale_a_channel_and_biases_its_product() {
        let Weights8 { weight, scales, bias } = Weights8::new(&[1.0, -0.5, 0.011, 0.02], &[0.5, 0.0], true, 0.1);
        assert_eq!(weight, [127, -64, 70, 127]);
        assert_eq!(bias, [(0.5 / (scales[0] * 0.1)).round() as i32, 0]);
        let one = Weights8::new(&[1.0, -0.5, 0.01, 0.02], &[0.5, 0.0], false, 0.1);
        assert_eq!((one.scales.len(), one.weight), (1, vec![127, -64, 1, 3]));
    }
}
