//! The fully connected layer. Weights are `[in / 4][out / 4][4 inputs][4 outputs]`, blocks of 16 values.

use crate::elementwise::add_to;
use crate::pool::Pool;
use crate::simd::{Kernel, Level, Vector, dispatch, vectorised};

/// Values of a block of weights.
const BLOCK: usize = 16;
/// Blocks of outputs of a task, and images that it sums at a time: together they stay in the nearest cache.
const OUTPUTS: usize = 32;
const IMAGES: usize = 8;

/// `output = input * weight^T + bias`; rows of `inputs` and `outputs` values, both padded to fours.
pub(crate) fn forward(
    pool: &Pool,
    level: Level,
    (inputs, outputs): (usize, usize),
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    output: &mut [f32],
) {
    let mut tasks: Vec<(usize, Vec<&mut [f32]>)> = (0..outputs.div_ceil(OUTPUTS * 4)).map(|i| (i, Vec::new())).collect();
    for row in output.chunks_exact_mut(outputs) {
        for (task, part) in tasks.iter_mut().zip(row.chunks_mut(OUTPUTS * 4)) {
            task.1.push(part);
        }
    }
    pool.each(tasks, |(i, mut rows)| {
        let first = i * OUTPUTS * 4;
        for (n, rows) in rows.chunks_mut(IMAGES).enumerate() {
            let input = &input[n * IMAGES * inputs..][..rows.len() * inputs];
            forward_part(level, inputs, outputs, first, input, weight, &bias[first..], rows);
        }
    });
}

vectorised! {
    fn forward_part<'a>(
        inputs: usize,
        outputs: usize,
        first: usize,
        input: &'a [f32],
        weight: &'a [f32],
        bias: &'a [f32],
        rows: &'a mut [&'a mut [f32]]
    ) {
        let wide = rows[0].len() * 4;
        let mut sums = vec![0.0; rows.len() * wide];
        for (i, weight) in weight.chunks_exact(outputs * 4).enumerate() {
            let weight = &weight[first * 4..][..wide];
            for (sums, input) in sums.chunks_exact_mut(wide).zip(input.chunks_exact(inputs)) {
                let x: [f32; BLOCK] = std::array::from_fn(|k| input[i * 4 + k / 4]);
                for (sums, weight) in sums.as_chunks_mut::<BLOCK>().0.iter_mut().zip(weight.as_chunks::<BLOCK>().0) {
                    for k in 0..BLOCK {
                        sums[k] += x[k] * weight[k];
                    }
                }
            }
        }
        for (row, sums) in rows.iter_mut().zip(sums.chunks_exact(wide)) {
            for (o, to) in row.iter_mut().enumerate() {
                *to = bias[o] + (0..4).map(|k| sums[o / 4 * BLOCK + k * 4 + o % 4]).sum::<f32>();
            }
        }
    }
}

/// `d_input = d_output * weight`.
pub(crate) fn input_gradient(
    pool: &Pool,
    level: Level,
    (inputs, outputs): (usize, usize),
    d_output: &[f32],
    weight: &[f32],
    d_input: &mut [f32],
) {
    let mut tasks: Vec<(&[f32], Vec<&mut [f32]>)> = weight.chunks_exact(outputs * 4).map(|row| (row, Vec::new())).collect();
    for row in d_input.chunks_exact_mut(inputs) {
        for (task, four) in tasks.iter_mut().zip(row.chunks_exact_mut(4)) {
            task.1.push(four);
        }
    }
    pool.each(tasks, |(weight, mut fours)| input_gradient_four(level, outputs, d_output, weight, &mut fours));
}

vectorised! {
    fn input_gradient_four<'a>(outputs: usize, d_output: &'a [f32], weight: &'a [f32], fours: &'a mut [&'a mut [f32]]) {
        for (to, d_output) in fours.iter_mut().zip(d_output.chunks_exact(outputs)) {
            let mut sums = [0.0; BLOCK];
            for (dy, weight) in d_output.as_chunks::<4>().0.iter().zip(weight.as_chunks::<BLOCK>().0) {
                for k in 0..BLOCK {
                    sums[k] += dy[k % 4] * weight[k];
                }
            }
            for (to, sums) in to.iter_mut().zip(sums.as_chunks::<4>().0) {
                *to = sums.iter().sum();
            }
        }
    }
}

/// `d_weight += d_output^T * input`, `d_bias += sum of d_output`.
pub(crate) fn weight_gradient(
    pool: &Pool,
    level: Level,
    (inputs, outputs): (usize, usize),
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let tasks: Vec<_> = d_weight.chunks_exact_mut(outputs * 4).enumerate().collect();
    pool.each(tasks, |(i, d_weight)| weight_gradient_four(level, inputs, i, input, d_output, d_weight));
    for row in d_output.chunks_exact(outputs) {
        add_to(d_bias, row);
    }
}

vectorised! {
    fn weight_gradient_four<'a>(inputs: usize, i: usize, input: &'a [f32], d_output: &'a [f32], d_weight: &'a mut [f32]) {
        let outputs = d_weight.len() / 4;
        for (input, d_output) in input.chunks_exact(inputs).zip(d_output.chunks_exact(outputs)) {
            let x: [f32; BLOCK] = std::array::from_fn(|k| input[i * 4 + k / 4]);
            for (to, dy) in d_weight.as_chunks_mut::<BLOCK>().0.iter_mut().zip(d_output.as_chunks::<4>().0) {
                for k in 0..BLOCK {
                    to[k] += x[k] * dy[k % 4];
                }
            }
        }
    }
}
