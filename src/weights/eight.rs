//! What a file of 8 bits answers, computed here as TensorFlow Lite's kernels do: before it is saved, so that a person knows what it loses. Plain
//! loops: a few hundred pictures, not a way to run networks.

use super::deploy::{self, Deployed, Step, Work};
use super::quantise::{Grid, Weights8, grids};
use crate::Result;
use crate::ops::Border;

/// A network of 8 bits, ready to run.
#[derive(Debug)]
pub struct EightBits {
    steps: Vec<Step>,
    grids: Vec<Grid>,
    weights: Vec<Option<Weights8>>,
    input: [usize; 3],
}

/// A value: numbers of 8 bits less their zero, row by row, channels last.
type Value = Vec<i16>;

impl EightBits {
    /// The network that [`tflite::write`](super::tflite::write) writes with these smallest and largest values.
    ///
    /// # Errors
    /// Those of it.
    pub fn new(model: &Deployed<'_>, ranges: &[(f32, f32)]) -> Result<Self> {
        let steps = deploy::steps(model)?;
        let grids = grids(&steps, ranges);
        let prepared = |step: &Step| {
            let input = grids[step.inputs[0]].scale;
            match &step.work {
                Work::Convolution { weight, bias, .. } => Some(Weights8::new(weight, bias, true, input)),
                Work::Scale { scale, shift } => Some(Weights8::new(scale, shift, true, input)),
                Work::Dense { weight, bias } => Some(Weights8::new(weight, bias, false, input)),
                _ => None,
            }
        };
        let weights = steps.iter().map(prepared).collect();
        let (width, height) = model.pixels.crop;
        Ok(Self { steps, grids, weights, input: [height as usize, width as usize, 3] })
    }

    /// Probabilities for a picture of the input's size: RGB, row by row.
    pub fn run(&self, pixels: &[u8]) -> Vec<f32> {
        let mut values: Vec<Value> = vec![pixels.iter().map(|pixel| i16::from(*pixel)).collect()];
        let mut shapes = vec![self.input];
        for (i, step) in self.steps.iter().enumerate() {
            let inputs: Vec<&Value> = step.inputs.iter().map(|value| &values[*value]).collect();
            let from = shapes[step.inputs[0]];
            let value = self.step(i, &inputs, from);
            values.push(value);
            shapes.push(step.shape);
        }
        let scale = self.grids.last().map_or(1.0, |grid| grid.scale);
        values.pop().unwrap_or_default().into_iter().map(|value| f32::from(value) * scale).collect()
    }

    fn step(&self, i: usize, inputs: &[&Value], [h, w, c]: [usize; 3]) -> Value {
        let step = &self.steps[i];
        let (grid, of) = (self.grids[i + 1], |input: usize| self.grids[step.inputs[input]]);
        let [out_h, out_w, out_c] = step.shape;
        let low = if step.relu { 0 } else { -128 - grid.zero };
        let put = |real: f32| (real / grid.scale).round().clamp(low as f32, (127 - grid.zero) as f32) as i16;
        let x = inputs[0];
        match &step.work {
            Work::Convolution { kernel, stride, border, groups, .. } => {
                let Some(weights) = &self.weights[i] else { return Vec::new() };
                let (rows, columns) = (before(*border, h, *kernel, *stride), before(*border, w, *kernel, *stride));
                let (inputs, outputs) = (c / groups, out_c / groups);
                let mut value = Vec::with_capacity(out_h * out_w * out_c);
                for at in 0..out_h * out_w {
                    let (y0, x0) = (at / out_w * stride, at % out_w * stride);
                    for o in 0..out_c {
                        let mut sum = weights.bias[o];
                        for ky in 0..*kernel {
                            let Some(y) = (y0 + ky).checked_sub(rows).filter(|y| *y < h) else { continue };
                            for kx in 0..*kernel {
                                let Some(column) = (x0 + kx).checked_sub(columns).filter(|x| *x < w) else { continue };
                                let from = (y * w + column) * c + o / outputs * inputs;
                                let weight = ((o * kernel + ky) * kernel + kx) * inputs;
                                sum += dot(&x[from..from + inputs], &weights.weight[weight..weight + inputs]);
                            }
                        }
                        value.push(put(sum as f32 * of(0).scale * weights.scales[o]));
                    }
                }
                value
            }
            Work::Scale { .. } => {
                let Some(weights) = &self.weights[i] else { return Vec::new() };
                let one = |(at, value): (usize, &i16)| {
                    let o = at % c;
                    let sum = weights.bias[o] + i32::from(*value) * i32::from(weights.weight[o]);
                    put(sum as f32 * of(0).scale * weights.scales[o])
                };
                x.iter().enumerate().map(one).collect()
            }
            Work::Dense { .. } => {
                let Some(weights) = &self.weights[i] else { return Vec::new() };
                let row = |o: usize| weights.bias[o] + dot(x, &weights.weight[o * x.len()..(o + 1) * x.len()]);
                (0..out_c).map(|o| put(row(o) as f32 * of(0).scale * weights.scales[0])).collect()
            }
            Work::Sum => {
                let sum = |(a, b): (&i16, &i16)| put(f32::from(*a) * of(0).scale + f32::from(*b) * of(1).scale);
                x.iter().zip(inputs[1]).map(sum).collect()
            }
            Work::Rectifier => x.iter().map(|value| put((f32::from(*value) * of(0).scale).max(0.0))).collect(),
            Work::Largest { kernel, stride, border } | Work::Mean { kernel, stride, border } => {
                let (rows, columns) = (before(*border, h, *kernel, *stride), before(*border, w, *kernel, *stride));
                let mean = matches!(step.work, Work::Mean { .. });
                let mut value = Vec::with_capacity(out_h * out_w * c);
                for at in 0..out_h * out_w {
                    let (y0, x0) = (at / out_w * stride, at % out_w * stride);
                    let of = |start: usize, less: usize, size: usize| {
                        start.saturating_sub(less)..(start + kernel).saturating_sub(less).min(size)
                    };
                    for channel in 0..c {
                        let cells = of(y0, rows, h).flat_map(|y| of(x0, columns, w).map(move |x| (y * w + x) * c + channel));
                        let (mut most, mut sum, mut count) = (i16::MIN, 0, 0);
                        for cell in cells {
                            (most, sum, count) = (most.max(x[cell]), sum + i32::from(x[cell]), count + 1);
                        }
                        value.push(if mean { (sum as f32 / count.max(1) as f32).round() as i16 } else { most });
                    }
                }
                value
            }
            Work::GlobalMean => {
                let mean = |channel: usize| {
                    let sum: i32 = x.iter().skip(channel).step_by(c).map(|value| i32::from(*value)).sum();
                    put(sum as f32 * of(0).scale / (h * w).max(1) as f32)
                };
                (0..c).map(mean).collect()
            }
            Work::Pad { cells: [top, _, left, _], channels: [behind, _] } => {
                let mut value = vec![0; out_h * out_w * out_c];
                for (at, from) in x.chunks(c).enumerate() {
                    let to = ((at / w + top) * out_w + at % w + left) * out_c + behind;
                    value[to..to + c].copy_from_slice(from);
                }
                value
            }
            Work::Softmax | Work::Sigmoid => {
                let logits: Vec<f32> = x.iter().map(|value| f32::from(*value) * of(0).scale).collect();
                let activation = match step.work {
                    Work::Softmax => crate::data::Activation::Softmax,
                    _ => crate::data::Activation::Sigmoid,
                };
                activation.apply(&logits).into_iter().map(put).collect()
            }
        }
    }
}

/// Cells of padding in front of an axis.
fn before(border: Border, size: usize, kernel: usize, stride: usize) -> usize {
    match border {
        Border::Same => crate::ops::Padding::Same.resolve(size, kernel, stride).0,
        Border::Valid | Border::Cells(_) => 0,
    }
}

fn dot(a: &[i16], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}
