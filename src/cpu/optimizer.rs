//! Optimizers and the gradient's norm.

use crate::elementwise::piece;
use crate::pool::Pool;
use crate::program::Rule;
use crate::simd::{Kernel, Level, Vector, dispatch, vectorised};

/// Sums side by side, so that they fill vectors.
const SUMS: usize = 64;

/// The sum of squares of a gradient.
pub(crate) fn squares(pool: &Pool, level: Level, gradient: &[f32]) -> f64 {
    let len = piece(1);
    let mut partial = vec![0.0; gradient.len().div_ceil(len)];
    let tasks: Vec<_> = partial.iter_mut().zip(gradient.chunks(len)).collect();
    pool.each(tasks, |(to, from)| squares_piece(level, from, to));
    partial.iter().sum()
}

vectorised! {
    fn squares_piece<'a>(gradient: &'a [f32], sum: &'a mut f64) {
        let mut sums = [0.0f32; SUMS];
        let (whole, rest) = gradient.as_chunks::<SUMS>();
        for values in whole {
            for k in 0..SUMS {
                sums[k] += values[k] * values[k];
            }
        }
        *sum = sums.iter().chain(&rest.iter().map(|g| g * g).collect::<Vec<_>>()).map(|v| f64::from(*v)).sum();
    }
}

/// An update's numbers.
#[derive(Clone, Copy)]
pub(crate) struct Update {
    pub rule: Rule,
    pub rate: f32,
    pub correction1: f32,
    pub correction2: f32,
    /// On the gradient, so that its norm is not too large.
    pub clip: f32,
    pub decay: f32,
    pub decoupled: bool,
}

/// The factor that clips the whole gradient, as torch.nn.utils.clip_grad_norm_.
pub(crate) fn clip(squares: f32, max_norm: f32) -> f32 {
    let length = squares.sqrt() + 1e-6;
    if length <= max_norm { 1.0 } else { max_norm / length }
}

pub(crate) fn update(
    pool: &Pool,
    level: Level,
    call: &Update,
    params: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let len = piece(1);
    // Rules without state have empty pieces of it.
    let mut firsts = first.chunks_mut(len);
    let mut seconds = second.chunks_mut(len);
    let tasks: Vec<_> = params
        .chunks_mut(len)
        .zip(gradients.chunks(len))
        .map(|(p, g)| (p, g, firsts.next().unwrap_or_default(), seconds.next().unwrap_or_default()))
        .collect();
    pool.each(tasks, |(p, g, first, second)| match call.rule {
        Rule::Sgd => sgd(level, call, p, g),
        Rule::Momentum { momentum, nesterov } => descend(level, call, momentum, nesterov, p, g, first),
        Rule::Adam { beta1, beta2, eps } => adam(level, call, [beta1, beta2, eps], p, g, first, second),
    });
}

impl Update {
    /// The parameter and its gradient after clipping and decay.
    #[inline(always)]
    fn decayed(&self, p: f32, g: f32) -> (f32, f32) {
        let g = g * self.clip;
        // Decay as L2 joins the gradient; decoupled decay shrinks the parameter itself.
        if self.decoupled { (p - self.rate * self.decay * p, g) } else { (p, g + self.decay * p) }
    }
}

vectorised! {
    fn sgd<'a>(call: &'a Update, params: &'a mut [f32], gradients: &'a [f32]) {
        let call = *call;
        for (p, g) in params.iter_mut().zip(gradients) {
            let (kept, g) = call.decayed(*p, *g);
            *p = kept - call.rate * g;
        }
    }
}

vectorised! {
    fn descend<'a>(
        call: &'a Update,
        momentum: f32,
        nesterov: bool,
        params: &'a mut [f32],
        gradients: &'a [f32],
        velocity: &'a mut [f32]
    ) {
        let call = *call;
        for ((p, g), velocity) in params.iter_mut().zip(gradients).zip(velocity) {
            let (kept, g) = call.decayed(*p, *g);
            let v = momentum * *velocity + g;
            *velocity = v;
            *p = kept - call.rate * if nesterov { g + momentum * v } else { v };
        }
    }
}

vectorised! {
    fn adam<'a>(
        call: &'a Update,
        numbers: [f32; 3],
        params: &'a mut [f32],
        gradients: &'a [f32],
        mean: &'a mut [f32],
        square: &'a mut [f32]
    ) {
        let call = *call;
        let [beta1, beta2, eps] = numbers;
        let rate = call.rate / call.correction1;
        for ((p, g), (mean, square)) in params.iter_mut().zip(gradients).zip(mean.iter_mut().zip(square)) {
            let (kept, g) = call.decayed(*p, *g);
            let m = beta1 * *mean + (1.0 - beta1) * g;
            let v = beta2 * *square + (1.0 - beta2) * g * g;
            *mean = m;
            *square = v;
            *p = kept - rate * m / ((v / call.correction2).sqrt() + eps);
        }
    }
}
