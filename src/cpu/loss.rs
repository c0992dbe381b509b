//! Classification losses with their gradient and counts: what loss_rows.wgsl and loss_totals.wgsl do.

use bytemuck::{Pod, Zeroable};

/// An image's target: `lambda` of class `label` and the rest of `other`; `weight` is the factor on its gradient, 0 for a row that only
/// fills the batch.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Target {
    label: u32,
    other: u32,
    lambda: f32,
    weight: f32,
}

/// The loss and its numbers.
#[derive(Clone, Copy)]
pub(crate) struct Loss<'a> {
    pub classes: usize,
    /// Classes padded to fours.
    pub padded: usize,
    pub sigmoid: bool,
    /// Rows count the same in the mean, else by their classes.
    pub even: bool,
    pub smoothing: f32,
    pub share: f32,
    pub logits: &'a [f32],
    pub targets: &'a [Target],
    pub class_weights: &'a [f32],
}

impl Loss<'_> {
    /// What a row counts in the mean.
    fn row_weight(&self, target: &Target) -> f32 {
        let of = |class: u32| match self.even {
            true => 1.0,
            false => self.class_weights.get(class as usize).copied().unwrap_or(0.0),
        };
        if target.weight == 0.0 {
            return 0.0;
        }
        target.lambda * of(target.label) + (1.0 - target.lambda) * of(target.other)
    }

    /// The smoothed target of a class.
    fn wanted(&self, class: usize, target: &Target) -> f32 {
        let is = |of: u32| f32::from(u8::from(of as usize == class));
        let hot = target.lambda * is(target.label) + (1.0 - target.lambda) * is(target.other);
        let even = if self.sigmoid { 0.5 } else { 1.0 / self.classes as f32 };
        hot * (1.0 - self.smoothing) + self.smoothing * even
    }

    /// Rows of (loss, rank, confidence, predicted), the gradient where it is wanted (else empty), and totals.
    pub fn run(&self, rows: &mut [[f32; 4]], d_logits: &mut [f32], totals: &mut [f32]) {
        let weights: f32 = self.targets.iter().map(|target| self.row_weight(target)).sum();
        let mut gradients = d_logits.chunks_exact_mut(self.padded);
        for ((row, target), logits) in rows.iter_mut().zip(self.targets).zip(self.logits.chunks_exact(self.padded)) {
            self.row(target, &logits[..self.classes], weights, row, gradients.next().unwrap_or_default());
        }
        for (row, target) in rows.iter().zip(self.targets).filter(|(_, target)| target.weight != 0.0) {
            if !row[0].is_finite() {
                totals[4] += 1.0;
                continue;
            }
            let first = |most: f32| f32::from(u8::from(row[1] < most));
            let sums = [row[0], self.row_weight(target), first(1.0), first(5.0)];
            totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
    }

    fn row(&self, target: &Target, logits: &[f32], weights: f32, row: &mut [f32; 4], gradient: &mut [f32]) {
        // The largest logit, the first of equals.
        let (mut high, mut predicted) = (f32::MIN, 0);
        for (c, x) in logits.iter().enumerate() {
            if *x > high {
                (high, predicted) = (*x, c);
            }
        }
        let known = |class: u32| (class as usize) < self.classes;
        let broken = logits.iter().any(|x| !x.is_finite()) || !known(target.label) || !known(target.other);
        if target.weight == 0.0 {
            *row = [0.0; 4];
            gradient.fill(0.0);
            return;
        }
        if broken {
            *row = [f32::NAN, self.classes as f32, 0.0, predicted as f32];
            // A gradient that is no number keeps the optimizer from taking this step.
            if !gradient.is_empty() {
                gradient[..self.classes].fill(f32::NAN);
                gradient[self.classes..].fill(0.0);
            }
            return;
        }
        let label = if target.lambda >= 0.5 { target.label } else { target.other } as usize;
        let x_label = logits[label];
        let rank = logits.iter().enumerate().filter(|(c, x)| **x > x_label || (**x == x_label && *c < label)).count();
        // Softmax: sums of exponentials, of target * weight, and of target * weight * distance to the maximum.
        let (mut exponentials, mut wanted, mut distances) = (0.0, 0.0, 0.0);
        let mut loss = 0.0;
        for ((c, x), w) in logits.iter().enumerate().zip(self.class_weights) {
            let q = self.wanted(c, target);
            if self.sigmoid {
                // log(1 + exp(x)) - q * x
                loss += w * (x.max(0.0) + (-x.abs()).exp().ln_1p() - q * x) / self.classes as f32;
            } else {
                exponentials += (x - high).exp();
                wanted += w * q;
                distances += w * q * (x - high);
            }
        }
        if !self.sigmoid {
            loss = exponentials.ln() * wanted - distances;
        }
        let confidence = if self.sigmoid { sigmoid(high) } else { 1.0 / exponentials };
        *row = [loss, rank as f32, confidence, predicted as f32];
        if gradient.is_empty() {
            return;
        }
        let factor = if weights > 0.0 { self.share * target.weight / weights } else { 0.0 };
        for ((d, (c, x)), w) in gradient.iter_mut().zip(logits.iter().enumerate()).zip(self.class_weights) {
            let q = self.wanted(c, target);
            *d = match self.sigmoid {
                true => w * (sigmoid(*x) - q) * (factor / self.classes as f32),
                false => ((x - high).exp() / exponentials * wanted - w * q) * factor,
            };
        }
        gradient[self.classes..].fill(0.0);
    }
}

fn sigmoid(x: f32) -> f32 {
    let e = (-x.abs()).exp();
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}
