//! What is done value by value, or channel by channel.

use crate::pool::Pool;
use crate::simd::{Kernel, Level, Vector, dispatch, vectorised};

/// Values of a task that is not worth another thread.
const PIECE: usize = 32 << 10;

/// Values of a piece of rows of `unit` values.
pub(crate) fn piece(unit: usize) -> usize {
    unit * (PIECE / unit.max(1)).max(1)
}

/// The `i`-th piece of an operand that may be missing.
fn part(values: &[f32], i: usize, len: usize) -> &[f32] {
    if values.is_empty() { values } else { &values[i * PIECE..][..len] }
}

pub(crate) fn add(pool: &Pool, level: Level, a: &[f32], b: &[f32], relu: bool, output: &mut [f32]) {
    let tasks: Vec<_> = output.chunks_mut(PIECE).enumerate().collect();
    pool.each(tasks, |(i, to)| add_piece(level, part(a, i, to.len()), part(b, i, to.len()), relu, to));
}

vectorised! {
    fn add_piece<'a>(a: &'a [f32], b: &'a [f32], relu: bool, output: &'a mut [f32]) {
        let low = if relu { 0.0 } else { f32::NEG_INFINITY };
        for (to, (a, b)) in output.iter_mut().zip(a.iter().zip(b)) {
            *to = at_least(a + b, low);
        }
    }
}

/// `low` where it is larger; what is no number stays so.
#[inline(always)]
pub(crate) fn at_least(value: f32, low: f32) -> f32 {
    if value < low { low } else { value }
}

pub(crate) fn relu(pool: &Pool, level: Level, input: &[f32], output: &mut [f32]) {
    let tasks: Vec<_> = output.chunks_mut(PIECE).enumerate().collect();
    pool.each(tasks, |(i, to)| relu_piece(level, part(input, i, to.len()), to));
}

vectorised! {
    fn relu_piece<'a>(input: &'a [f32], output: &'a mut [f32]) {
        for (to, value) in output.iter_mut().zip(input) {
            *to = at_least(*value, 0.0);
        }
    }
}

pub(crate) fn relu_backward(
    pool: &Pool,
    level: Level,
    output: &[f32],
    d_output: &[f32],
    accumulate: &[f32],
    d_input: &mut [f32],
) {
    let tasks: Vec<_> = d_input.chunks_mut(PIECE).enumerate().collect();
    pool.each(tasks, |(i, to)| {
        let len = to.len();
        relu_backward_piece(level, part(output, i, len), part(d_output, i, len), part(accumulate, i, len), to);
    });
}

vectorised! {
    fn relu_backward_piece<'a>(output: &'a [f32], d_output: &'a [f32], accumulate: &'a [f32], d_input: &'a mut [f32]) {
        for (to, (y, dy)) in d_input.iter_mut().zip(output.iter().zip(d_output)) {
            *to = if *y > 0.0 { *dy } else { 0.0 };
        }
        add_to(d_input, accumulate);
    }
}

/// `to += from`, where there is one.
#[inline(always)]
pub(crate) fn add_to(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// `sum[c] += sum of input[pixel, c]`.
pub(crate) fn channel_sum(pool: &Pool, level: Level, channels: usize, input: &[f32], sum: &mut [f32]) {
    let len = piece(channels);
    let mut partial = vec![0.0; input.len().div_ceil(len) * channels];
    let tasks: Vec<_> = partial.chunks_exact_mut(channels).zip(input.chunks(len)).collect();
    pool.each(tasks, |(to, from)| channel_sum_piece(level, from, to));
    for partial in partial.chunks_exact(channels) {
        add_to(sum, partial);
    }
}

vectorised! {
    fn channel_sum_piece<'a>(input: &'a [f32], sum: &'a mut [f32]) {
        let channels = sum.len();
        for pixel in input.chunks_exact(channels) {
            add_to(sum, pixel);
        }
    }
}

/// Rows of a table by index, of `row` values. An index past the end gives zeros.
pub(crate) fn gather(bank: &[f32], indices: &[u32], row: usize, output: &mut [f32]) {
    for (to, index) in output.chunks_exact_mut(row.max(1)).zip(indices) {
        match bank.get(*index as usize * row..(*index as usize + 1) * row) {
            Some(from) => to.copy_from_slice(from),
            None => to.fill(0.0),
        }
    }
}

/// `map[pixel] = sum of weights[c] * features[pixel, c]`.
pub(crate) fn class_map(features: &[f32], weights: &[f32], map: &mut [f32]) {
    for (to, pixel) in map.iter_mut().zip(features.chunks_exact(weights.len())) {
        *to = pixel.iter().zip(weights).map(|(a, b)| a * b).sum();
    }
}

/// Softmax of each row of `padded` values of which `channels` count; the rest becomes zero.
pub(crate) fn softmax(input: &[f32], channels: usize, padded: usize, output: &mut [f32]) {
    for (to, from) in output.chunks_exact_mut(padded).zip(input.chunks_exact(padded)) {
        // The maximum, so that exp cannot overflow.
        let high = from[..channels].iter().fold(f32::NEG_INFINITY, |high, value| high.max(*value));
        let mut sum = 0.0;
        for (to, from) in to.iter_mut().zip(&from[..channels]) {
            *to = (from - high).exp();
            sum += *to;
        }
        to[..channels].iter_mut().for_each(|value| *value /= sum);
        to[channels..].fill(0.0);
    }
}
