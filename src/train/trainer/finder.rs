//! Which learning rate: a few dozen steps whose rate grows from one to the next, as Smith 2015 (arXiv:1506.01186) looks for one.

use serde::Serialize;

use super::Trainer;
use crate::data::random::{Stream, generator};
use crate::model::Turns;
use crate::{Error, Result};

/// What the steps came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateSearch {
    /// Rate of each step; it ends where the loss explodes.
    pub rates: Vec<f64>,
    /// Loss of each step, over augmented images.
    pub losses: Vec<f64>,
    /// The same, smoothed.
    pub smoothed: Vec<f64>,
    /// Where the smoothed loss falls fastest; none where it never falls.
    pub suggestion: Option<f64>,
}

/// Share of the old in the smoothed loss.
const SMOOTHING: f64 = 0.9;
/// The loss has exploded at so many times its least.
const EXPLODED: f64 = 4.0;

impl Trainer {
    /// Takes up to `steps` steps with rates from `low` to `high`, and goes back to where the run stood.
    ///
    /// # Errors
    /// [`Error::Usage`] for rates that do not rise from above 0, or fewer than 10 steps; those of the device.
    pub async fn find_rate(&mut self, low: f64, high: f64, steps: usize, turns: &mut Turns<'_>) -> Result<RateSearch> {
        if !(low > 0.0 && high > low && high.is_finite() && steps >= 10) {
            return Err(Error::Usage(format!(
                "rates from {low} to {high} in {steps} steps cannot be searched; give two rising numbers above 0 and at least 10 steps"
            )));
        }
        let recipe = self.setup.recipe.clone();
        let mut search = RateSearch { rates: Vec::new(), losses: Vec::new(), smoothed: Vec::new(), suggestion: None };
        let order = self.order(0);
        let batches: Vec<Vec<usize>> = order.chunks(recipe.batch as usize).map(<[usize]>::to_vec).collect();
        let (mut sum, mut least) = (0.0, f64::INFINITY);
        self.machine.reset_totals();
        for step in 0..steps {
            let rate = low * (high / low).powf(step as f64 / (steps - 1) as f64);
            let mut rng = generator(recipe.seed, Stream::Augment(step as u32));
            let images = &batches[step % batches.len()];
            self.machine.step(&self.setup.images, images, &mut rng, rate as f32, step as u32 + 1, recipe.clip_norm)?;
            let totals = self.machine.totals().await?;
            self.machine.reset_totals();
            turns.offer().await;
            let loss = totals.loss / totals.weight;
            if totals.not_finite > 0.0 || !loss.is_finite() {
                break;
            }
            sum = SMOOTHING * sum + (1.0 - SMOOTHING) * loss;
            let smoothed = sum / (1.0 - SMOOTHING.powi(step as i32 + 1));
            search.rates.push(rate);
            search.losses.push(loss);
            search.smoothed.push(smoothed);
            least = least.min(smoothed);
            if smoothed > EXPLODED * least {
                break;
            }
        }
        self.go_back(turns).await?;
        search.suggestion = steepest(&search.rates, &search.smoothed);
        Ok(search)
    }
}

/// The rate where the loss falls fastest over the logarithm of the rate, in front of its least.
fn steepest(rates: &[f64], losses: &[f64]) -> Option<f64> {
    let least = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b]))?;
    let slope = |at: usize| (losses[at + 1] - losses[at - 1]) / (rates[at + 1] / rates[at - 1]).ln();
    let falling = (1..least).filter(|at| at + 1 < losses.len()).map(|at| (at, slope(at))).filter(|(_, slope)| *slope < 0.0);
    falling.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| rates[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggestion_is_where_the_loss_falls_fastest() {
        let rates: Vec<f64> = (0..61).map(|step| 1e-6 * 10f64.powf(f64::from(step) / 10.0)).collect();
        // Falls about 1e-3, explodes above 0.1.
        let loss = |rate: &f64| 2.0 - 1.0 / (1.0 + (1e-3 / rate).powi(2)) + (rate / 0.2).powi(3);
        let losses: Vec<f64> = rates.iter().map(loss).collect();
        let found = steepest(&rates, &losses).unwrap();
        assert!((5e-4..2e-3).contains(&found), "{found}");
        assert_eq!(steepest(&rates, &vec![1.0; 61]), None);
        assert_eq!(steepest(&[], &[]), None);
    }
}
