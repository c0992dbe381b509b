//! Batch norm (S. Ioffe and C. Szegedy 2015, arXiv:1502.03167).
//!
//! Sums over pixels are taken in pieces of a fixed size, so that they do not depend on the number of threads.

use crate::elementwise::{add_to, at_least, piece};
use crate::pool::Pool;
use crate::program::Statistics;
use crate::simd::{Kernel, Level, Vector, dispatch, vectorised};

/// Vectors over channels repeated side by side until a loop over them is worth its start: a whole number of pixels.
fn repeated(channels: usize, vector: impl Fn(usize) -> f32) -> Vec<f32> {
    let one: Vec<f32> = (0..channels).map(vector).collect();
    one.repeat(64usize.div_ceil(channels.max(1)))
}

/// What normalises: `(input - mean) * scale + bias`, by channel, repeated.
struct Coefficients {
    mean: Vec<f32>,
    scale: Vec<f32>,
    bias: Vec<f32>,
}

#[allow(clippy::too_many_arguments)] // the operation's operands
fn normalise(
    pool: &Pool,
    level: Level,
    channels: usize,
    by: &Coefficients,
    input: &[f32],
    residual: &[f32],
    relu: bool,
    output: &mut [f32],
) {
    let len = piece(channels);
    let tasks: Vec<_> = output.chunks_mut(len).enumerate().collect();
    pool.each(tasks, |(i, to)| {
        let part = |values: &'_ [f32]| i * len..(i * len + to.len()).min(values.len());
        let residual = if residual.is_empty() { residual } else { &residual[part(residual)] };
        normalise_piece(level, by, &input[part(input)], residual, relu, to);
    });
}

vectorised! {
    fn normalise_piece<'a>(by: &'a Coefficients, input: &'a [f32], residual: &'a [f32], relu: bool, output: &'a mut [f32]) {
        let low = if relu { 0.0 } else { f32::NEG_INFINITY };
        let period = by.mean.len();
        if residual.is_empty() {
            for (to, from) in output.chunks_mut(period).zip(input.chunks(period)) {
                let by = by.mean.iter().zip(&by.scale).zip(&by.bias);
                for ((to, x), ((mean, scale), bias)) in to.iter_mut().zip(from).zip(by) {
                    // The mean first: taken off at the end it would round more.
                    *to = at_least((x - mean) * scale + bias, low);
                }
            }
            return;
        }
        for ((to, from), residual) in output.chunks_mut(period).zip(input.chunks(period)).zip(residual.chunks(period)) {
            let by = by.mean.iter().zip(&by.scale).zip(&by.bias);
            for (((to, x), residual), ((mean, scale), bias)) in to.iter_mut().zip(from).zip(residual).zip(by) {
                *to = at_least((x - mean) * scale + bias + residual, low);
            }
        }
    }
}

/// `output = [relu](scale * input + shift)`.
pub(crate) fn inference(
    pool: &Pool,
    level: Level,
    input: &[f32],
    (scale, shift): (&[f32], &[f32]),
    relu: bool,
    output: &mut [f32],
) {
    let channels = scale.len();
    let by = Coefficients {
        mean: repeated(channels, |_| 0.0),
        scale: repeated(channels, |c| scale[c]),
        bias: repeated(channels, |c| shift[c]),
    };
    normalise(pool, level, channels, &by, input, &[], relu, output);
}

/// Parameters and running statistics, each of the padded number of channels.
pub(crate) struct Params<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub running_mean: &'a mut [f32],
    pub running_var: &'a mut [f32],
    pub eps: f32,
}

#[allow(clippy::too_many_arguments)] // the operation's operands
pub(crate) fn forward(
    pool: &Pool,
    level: Level,
    statistics: Statistics,
    params: Params<'_>,
    input: &[f32],
    residual: &[f32],
    relu: bool,
    saved: &mut [f32],
    output: &mut [f32],
) {
    let channels = params.weight.len();
    let pixels = input.len() / channels;
    let (means, rest) = saved.split_at_mut(channels);
    let (inverses, rest) = rest.split_at_mut(channels);
    let (scales, biases) = rest.split_at_mut(channels);
    let moments = match statistics {
        Statistics::Batch { .. } => moments(pool, level, channels, input),
        Statistics::Running => Vec::new(),
    };
    for c in 0..channels {
        let (mean, var) = match statistics {
            Statistics::Batch { momentum, unbiased } => {
                let (mean, deviations) = moments[c];
                let var = deviations / pixels as f64;
                let update = if unbiased { deviations / (pixels as f64 - 1.0) } else { var };
                let (mean, var, update) = (mean as f32, var as f32, update as f32);
                params.running_mean[c] += momentum * (mean - params.running_mean[c]);
                params.running_var[c] += momentum * (update - params.running_var[c]);
                (mean, var)
            }
            Statistics::Running => (params.running_mean[c], params.running_var[c]),
        };
        means[c] = mean;
        inverses[c] = 1.0 / (var + params.eps).sqrt();
        scales[c] = params.weight[c] * inverses[c];
        biases[c] = params.bias[c];
    }
    let by = Coefficients {
        mean: repeated(channels, |c| means[c]),
        scale: repeated(channels, |c| scales[c]),
        bias: repeated(channels, |c| biases[c]),
    };
    normalise(pool, level, channels, &by, input, residual, relu, output);
}

/// Mean and sum of squared deviations of each channel over all pixels.
fn moments(pool: &Pool, level: Level, channels: usize, input: &[f32]) -> Vec<(f64, f64)> {
    let len = piece(channels);
    // Of each piece: means, then squared deviations.
    let mut partial = vec![0.0; input.len().div_ceil(len) * 2 * channels];
    let tasks: Vec<_> = partial.chunks_exact_mut(2 * channels).zip(input.chunks(len)).collect();
    pool.each(tasks, |(to, from)| {
        let (mean, deviations) = to.split_at_mut(channels);
        moments_piece(level, from, mean, deviations);
    });
    let mut total = vec![(0.0, 0.0); channels];
    let mut count = 0.0;
    for (partial, from) in partial.chunks_exact(2 * channels).zip(input.chunks(len)) {
        // Chan, Golub and LeVeque 1979: moments of two samples together.
        let more = (from.len() / channels) as f64;
        let share = more / (count + more);
        for (c, (mean, deviations)) in total.iter_mut().enumerate() {
            let delta = f64::from(partial[c]) - *mean;
            *mean += delta * share;
            *deviations += f64::from(partial[channels + c]) + delta * delta * count * share;
        }
        count += more;
    }
    total
}

vectorised! {
    fn moments_piece<'a>(input: &'a [f32], mean: &'a mut [f32], deviations: &'a mut [f32]) {
        let channels = mean.len();
        // Twice over a piece that is still in the cache: exact, and without a division a pixel.
        let period = channels * 64usize.div_ceil(channels);
        let mut sums = vec![0.0; period];
        for pixels in input.chunks(period) {
            add_to(&mut sums, pixels);
        }
        let share = 1.0 / (input.len() / channels) as f32;
        for sums in sums.chunks_exact(channels) {
            add_to(mean, sums);
        }
        mean.iter_mut().for_each(|value| *value *= share);
        let means = mean.repeat(period / channels);
        sums.fill(0.0);
        for pixels in input.chunks(period) {
            for ((sum, x), mean) in sums.iter_mut().zip(pixels).zip(&means) {
                let d = x - mean;
                *sum += d * d;
            }
        }
        for sums in sums.chunks_exact(channels) {
            add_to(deviations, sums);
        }
    }
}

/// What a backward pass reads and writes; vectors of the padded number of channels.
pub(crate) struct Backward<'a> {
    pub batch: bool,
    pub input: &'a [f32],
    /// With a residual and ReLU: what the sign is taken from; else empty.
    pub output: &'a [f32],
    pub saved: &'a [f32],
    /// The sign of the output follows from the input.
    pub relu: bool,
    pub accumulate: &'a [f32],
}

/// The gradient of the output: read, or masked by the ReLU on the way.
pub(crate) enum Gradient<'a> {
    Read(&'a [f32]),
    Masked(&'a mut [f32]),
}

pub(crate) fn backward(
    pool: &Pool,
    level: Level,
    call: &Backward<'_>,
    gradient: Gradient<'_>,
    d_weight: &mut [f32],
    d_bias: &mut [f32],
    d_input: &mut [f32],
) {
    let channels = d_weight.len();
    let (means, rest) = call.saved.split_at(channels);
    let (inverses, rest) = rest.split_at(channels);
    let (scales, biases) = rest.split_at(channels);
    let by = Coefficients {
        mean: repeated(channels, |c| means[c]),
        scale: repeated(channels, |c| scales[c]),
        bias: repeated(channels, |c| biases[c]),
    };
    let len = piece(channels);
    let part = |values: &'_ [f32], i: usize| i * len..((i + 1) * len).min(values.len());
    let count = call.input.len().div_ceil(len);
    let mut partial = vec![0.0; count * 2 * channels];
    let sums = partial.chunks_exact_mut(2 * channels).enumerate();
    let gradient: &[f32] = match gradient {
        Gradient::Read(gradient) => {
            pool.each(sums.collect(), |(i, sums)| {
                let (input, gradient) = (&call.input[part(call.input, i)], &gradient[part(gradient, i)]);
                sums_piece(level, &by, input, gradient, call.relu, sums);
            });
            gradient
        }
        Gradient::Masked(gradient) => {
            let tasks: Vec<_> = sums.zip(gradient.chunks_mut(len)).collect();
            pool.each(tasks, |((i, sums), gradient)| {
                mask_piece(level, &call.output[part(call.output, i)], gradient);
                sums_piece(level, &by, &call.input[part(call.input, i)], gradient, false, sums);
            });
            gradient
        }
    };
    let mut total = vec![0.0f64; 2 * channels];
    for partial in partial.chunks_exact(2 * channels) {
        for (total, partial) in total.iter_mut().zip(partial) {
            *total += f64::from(*partial);
        }
    }
    let pixels = call.input.len() as f64 / channels as f64;
    let (mut factors, mut offsets) = (vec![0.0; channels], vec![0.0; channels]);
    for c in 0..channels {
        let (dz, product) = (total[c], total[channels + c] * f64::from(inverses[c]));
        d_weight[c] += product as f32;
        d_bias[c] += dz as f32;
        // Through mean and variance of the batch: d_input = scale * dz + factor * (x - mean) + offset.
        if call.batch {
            factors[c] = (-f64::from(scales[c]) * f64::from(inverses[c]) * product / pixels) as f32;
            offsets[c] = (-f64::from(scales[c]) * dz / pixels) as f32;
        }
    }
    let (factors, offsets) = (repeated(channels, |c| factors[c]), repeated(channels, |c| offsets[c]));
    let tasks: Vec<_> = d_input.chunks_mut(len).enumerate().collect();
    pool.each(tasks, |(i, to)| {
        let (input, gradient) = (&call.input[part(call.input, i)], &gradient[part(gradient, i)]);
        let accumulate = if call.accumulate.is_empty() { &[] } else { &call.accumulate[part(call.accumulate, i)] };
        input_piece(level, &by, &factors, &offsets, call.relu, input, gradient, accumulate, to);
    });
}

vectorised! {
    fn mask_piece<'a>(output: &'a [f32], gradient: &'a mut [f32]) {
        for (dz, y) in gradient.iter_mut().zip(output) {
            *dz = if *y > 0.0 { *dz } else { 0.0 };
        }
    }
}

vectorised! {
    /// Sums of dz, then of `dz * (x - mean)`, by channel.
    fn sums_piece<'a>(by: &'a Coefficients, input: &'a [f32], gradient: &'a [f32], relu: bool, sums: &'a mut [f32]) {
        let channels = sums.len() / 2;
        let period = by.mean.len();
        let (mut dzs, mut products) = (vec![0.0; period], vec![0.0; period]);
        for (x, dz) in input.chunks(period).zip(gradient.chunks(period)) {
            let sums = dzs.iter_mut().zip(&mut products);
            let by = by.mean.iter().zip(&by.scale).zip(&by.bias);
            for (((x, dz), sums), ((mean, scale), bias)) in x.iter().zip(dz).zip(sums).zip(by) {
                let d = x - mean;
                let dz = if !relu || d * scale + bias > 0.0 { *dz } else { 0.0 };
                *sums.0 += dz;
                *sums.1 += dz * d;
            }
        }
        let (to, to_products) = sums.split_at_mut(channels);
        for (dzs, products) in dzs.chunks_exact(channels).zip(products.chunks_exact(channels)) {
            add_to(to, dzs);
            add_to(to_products, products);
        }
    }
}

vectorised! {
    fn input_piece<'a>(
        by: &'a Coefficients,
        factors: &'a [f32],
        offsets: &'a [f32],
        relu: bool,
        input: &'a [f32],
        gradient: &'a [f32],
        accumulate: &'a [f32],
        d_input: &'a mut [f32]
    ) {
        let period = by.mean.len();
        for ((to, x), dz) in d_input.chunks_mut(period).zip(input.chunks(period)).zip(gradient.chunks(period)) {
            let by = by.mean.iter().zip(&by.scale).zip(&by.bias).zip(factors.iter().zip(offsets));
            for (((to, x), dz), (((mean, scale), bias), (factor, offset))) in to.iter_mut().zip(x).zip(dz).zip(by) {
                let d = x - mean;
                let dz = if !relu || d * scale + bias > 0.0 { *dz } else { 0.0 };
                // x - mean first: with a mean far from zero the products would cancel.
                *to = scale * dz + (factor * d + offset);
            }
        }
        add_to(d_input, accumulate);
    }
}
