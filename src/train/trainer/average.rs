//! The moving average of the weights: what validates and is kept, while training goes on with its own.

use super::{Trainer, dict};
use crate::Result;
use crate::model::Turns;
use crate::train::checkpoint::Tensors;

impl Trainer {
    /// Takes the weights of this step into the average.
    pub(super) async fn average(&mut self, turns: &mut Turns<'_>) -> Result<()> {
        let Some(ema) = self.setup.recipe.ema else { return Ok(()) };
        let now = self.machine.weights(self.state.latest(), turns).await?;
        let updates = &mut self.state.progress.averaged;
        match &mut self.averaged {
            Some(average) => mix(average, &now, ema.decay_after(*updates)),
            None => self.averaged = Some(now),
        }
        *updates += 1;
        Ok(())
    }

    /// Before validation: the average in place of the weights, which are held.
    pub(super) async fn show_average(&mut self, turns: &mut Turns<'_>) -> Result<()> {
        if let Some(average) = &self.averaged {
            self.held = Some(self.machine.weights(self.state.latest(), turns).await?);
            self.machine.put(&dict(average), turns).await?;
        }
        Ok(())
    }

    /// After validation: the weights again. They are given back, with what was judged where that was another.
    pub(super) async fn hide_average(&mut self, turns: &mut Turns<'_>) -> Result<(Tensors, Option<Tensors>)> {
        let Some(held) = self.held.take() else {
            return Ok((self.machine.weights(self.state.latest(), turns).await?, None));
        };
        self.machine.put(&dict(&held), turns).await?;
        Ok((held, self.averaged.clone()))
    }
}

/// `average = decay * average + (1 - decay) * now`, running statistics too (torchvision's `use_buffers=True`).
fn mix(average: &mut Tensors, now: &Tensors, decay: f64) {
    for (name, tensor) in average {
        let Some(new) = now.get(name) else { continue };
        for (old, new) in tensor.data.iter_mut().zip(&*new.data) {
            *old = (decay * f64::from(*old) + (1.0 - decay) * f64::from(*new)) as f32;
        }
    }
}
