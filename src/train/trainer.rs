//! The training loop in pieces: every [`Trainer::advance`] is a chunk of work, after which a page may draw, a person may pause
//! and a program may save.
//!
//! Everything random is drawn from the recipe's seed, the epoch and the step, so that a run that was stopped and resumed is the
//! run that was not. No step waits for the GPU; sums are read once a chunk.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use web_time::{Duration, Instant};

use super::machine::{Design, Machine, Outcome};
use super::{Budget, Metrics, Recipe};
use crate::data::{ImageSet, Preset};
use crate::gpu::Context;
use crate::model::ResNetSpec;
use crate::model::training::{Totals, TrainingMemory};
use crate::weights::StateDict;
use crate::{Error, Result};

/// What is trained, on what and how.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The network, with as many classes as the set.
    pub spec: ResNetSpec,
    /// A value for each of its parameters and statistics: a checkpoint's, or fresh ones.
    pub weights: StateDict,
    /// How pictures become input.
    pub preset: Preset,
    /// How it is trained.
    pub recipe: Recipe,
    /// All pictures.
    pub images: ImageSet,
    /// Indices of the pictures to train on.
    pub train: Vec<usize>,
    /// Indices of the pictures to judge by; may be empty.
    pub validation: Vec<usize>,
    /// GPU memory for pictures and kept features.
    pub budget: Budget,
    /// Most bytes of GPU memory for parameters, optimizer and activations.
    pub training_bytes: u64,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Epochs done.
    pub epoch: u32,
    /// Steps done of the epoch after those.
    pub step: u32,
    /// Updates in all; Adam's corrections count them.
    pub updates: u32,
    /// Sums over the steps done of this epoch.
    pub totals: Totals,
    /// What the learning rate was multiplied by after losses that were no numbers.
    pub rate_factor: f32,
    /// Epochs since the best one.
    pub waited: u32,
}

/// One epoch's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: u32,
    /// Learning rate of its last step.
    pub learning_rate: f32,
    /// Mean loss of the training images as they were augmented, while the weights moved.
    pub train_loss: f64,
    /// Top-1 accuracy of the same.
    pub train_top1: f64,
    /// Mean loss of the validation images afterwards.
    pub validation_loss: Option<f64>,
    /// Top-1 accuracy of the same.
    pub validation_top1: Option<f64>,
    /// Time it took, validation included.
    pub seconds: f64,
}

/// What a chunk of work came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Steps were done.
    Progress(Progress),
    /// Validation images were judged; the share done, 0 to 1.
    Validating(f32),
    /// An epoch ended. A caller that saves does it here.
    Epoch(EpochRecord),
    /// A loss was no number. The run went back to the end of this epoch and goes on with half the rate.
    Reverted {
        /// Epochs done there.
        epoch: u32,
        /// Factor on the schedule's rate from here on.
        rate_factor: f32,
    },
    /// Nothing is left to do.
    Finished {
        /// Why before the last epoch, if so.
        early: bool,
    },
}

/// Figures while an epoch goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Steps done of it.
    pub step: u32,
    /// Its steps.
    pub steps: u32,
    /// Mean loss so far in this epoch.
    pub loss: f64,
    /// Top-1 accuracy so far in this epoch.
    pub top1: f64,
    /// Rate of the last step.
    pub learning_rate: f32,
    /// Training images a second in this chunk.
    pub images_per_s: f64,
}

/// What a run is like before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// Images of a step.
    pub batch: usize,
    /// Micro-batches of a step: more than one where a whole batch does not fit.
    pub micro_batches: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: u32,
    /// Epochs asked for.
    pub epochs: u32,
    /// Scalars that are trained.
    pub trained_parameters: usize,
    /// Scalars in all.
    pub parameters: usize,
    /// Whether batch norm uses and updates batch statistics.
    pub batch_statistics: bool,
    /// Whether what the frozen layers compute is kept.
    pub keeps_features: bool,
    /// Dispatches of a step.
    pub dispatches: usize,
    /// Parameters, gradients, optimizer state, activations.
    pub memory: TrainingMemory,
    /// Pictures, kept features and the frozen layers.
    pub feed_bytes: u64,
}

/// The weights with the best validation so far (or the newest, without validation images).
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// Epochs done then.
    pub epoch: u32,
    /// Top-1 accuracy and loss on the validation images.
    pub validation: Option<(f64, f64)>,
    /// All weights of the network.
    pub weights: StateDict,
}

/// Everything needed to go on elsewhere or later.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Where the run stands.
    pub position: Position,
    /// The schedule's memory.
    pub plateau: Plateau,
    /// Figures of the epochs so far.
    pub history: Vec<EpochRecord>,
    /// All weights of the network.
    pub weights: StateDict,
    /// The optimizer's state, a value for each trained parameter in each buffer.
    pub optimizer: Vec<StateDict>,
    /// The best weights so far.
    pub best: Option<Best>,
}

/// A run.
#[derive(Debug)]
pub struct Trainer {
    setup: Setup,
    design: Design,
    machine: Machine,
    steps_per_epoch: u32,
    state: State,
    /// Where to go back to.
    good: State,
    phase: Phase,
    chunk: u32,
    epoch_seconds: f64,
}

#[derive(Debug)]
enum Phase {
    Training,
    Validating(Vec<Outcome>),
    Finished { early: bool },
}

/// GPU time of a chunk between two looks at the clock: a page stops within this.
const CHUNK: Duration = Duration::from_millis(300);
/// Host time after which a chunk ends: a page draws in between.
const TURN: Duration = Duration::from_millis(12);

impl Trainer {
    /// Plans the run. Nothing is trained yet.
    ///
    /// # Errors
    /// [`Error::Usage`] for a recipe or a set nothing can be trained with, [`Error::Limit`] when it does not fit, with numbers
    /// and a proposal.
    pub fn new(ctx: &Context, setup: Setup) -> Result<Self> {
        let state = State {
            position: Position { rate_factor: 1.0, ..Position::default() },
            plateau: Plateau::default(),
            history: Vec::new(),
            weights: setup.weights.clone(),
            optimizer: Vec::new(),
            best: None,
        };
        Self::resume(ctx, setup, state)
    }

    /// Goes on where `state` stands. `setup` must be the one the run began with.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), [`Error::TensorMismatch`] when the state is another network's.
    pub fn resume(ctx: &Context, setup: Setup, state: State) -> Result<Self> {
        let design = design(&setup)?;
        let machine = Machine::new(ctx, &design, &setup.images, &state.weights)?;
        machine.restore(&state.weights, &state.optimizer)?;
        let steps_per_epoch = (setup.train.len() / design.batch) as u32;
        let phase = if state.position.epoch >= setup.recipe.epochs { Phase::Finished { early: false } } else { Phase::Training };
        let good = state.clone();
        Ok(Self { setup, design, machine, steps_per_epoch, state, good, phase, chunk: 1, epoch_seconds: 0.0 })
    }

    /// Goes on with another device after the old one was lost, from the end of the last epoch.
    pub fn recover(&mut self, ctx: &Context) -> Result<()> {
        self.machine = Machine::new(ctx, &self.design, &self.setup.images, &self.good.weights)?;
        self.go_back()
    }

    fn go_back(&mut self) -> Result<()> {
        self.state = self.good.clone();
        self.machine.restore(&self.state.weights, &self.state.optimizer)?;
        if self.state.optimizer.is_empty() {
            self.machine.clear_optimizer();
        }
        self.machine.reset_totals();
        self.phase = Phase::Training;
        self.epoch_seconds = 0.0;
        Ok(())
    }

    /// The run in numbers.
    pub fn outline(&self) -> Outline {
        let (memory, feed_bytes) = self.machine.memory();
        let (micro_batches, _) = self.machine.micro_batches();
        let trained_parameters = self.design.trained.parameter_count();
        let frozen = self.design.frozen.as_ref().map_or(0, crate::model::graph::Graph::parameter_count);
        Outline {
            batch: self.design.batch,
            micro_batches,
            steps_per_epoch: self.steps_per_epoch,
            epochs: self.setup.recipe.epochs,
            trained_parameters,
            parameters: trained_parameters + frozen,
            batch_statistics: self.design.batch_statistics(),
            keeps_features: self.machine.keeps_features(),
            dispatches: self.machine.plan().dispatches(),
            memory,
            feed_bytes,
        }
    }

    /// What the run was set up with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Figures of the epochs so far.
    pub fn history(&self) -> &[EpochRecord] {
        &self.state.history
    }

    /// The best weights so far; none before the first epoch ended.
    pub fn best(&self) -> Option<&Best> {
        self.state.best.as_ref()
    }

    /// Does a chunk of the work, about [`CHUNK`] of it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when the device is gone: [`recover`](Self::recover) goes on.
    pub async fn advance(&mut self) -> Result<Event> {
        match std::mem::replace(&mut self.phase, Phase::Training) {
            Phase::Training => self.train().await,
            Phase::Validating(done) => self.validate(done).await,
            Phase::Finished { early } => {
                self.phase = Phase::Finished { early };
                Ok(Event::Finished { early })
            }
        }
    }

    async fn train(&mut self) -> Result<Event> {
        let start = Instant::now();
        let order = order(&self.setup.train, self.setup.recipe.seed, self.state.position.epoch);
        let (mut steps, mut learning_rate) = (0, 0.0);
        while steps < self.chunk && self.state.position.step < self.steps_per_epoch && (steps == 0 || start.elapsed() < TURN) {
            learning_rate = self.learning_rate();
            let position = &mut self.state.position;
            let first = position.step as usize * self.design.batch;
            let images = &order[first..first + self.design.batch];
            let mut rng = generator(self.setup.recipe.seed, position.epoch, position.step + 1);
            position.step += 1;
            position.updates += 1;
            let (number, clip) = (position.updates, self.setup.recipe.clip_norm);
            self.machine.step(&self.setup.images, images, &mut rng, learning_rate, number, clip)?;
            steps += 1;
        }
        let totals = self.machine.totals().await?;
        if totals.not_finite > 0.0 || self.machine.skipped().await? > 0 {
            return self.revert();
        }
        self.machine.reset_totals();
        let sums = &mut self.state.position.totals;
        *sums = Totals {
            loss: sums.loss + totals.loss,
            weight: sums.weight + totals.weight,
            top1: sums.top1 + totals.top1,
            top5: sums.top5 + totals.top5,
            not_finite: 0.0,
        };
        let sums = *sums;
        let elapsed = start.elapsed();
        self.epoch_seconds += elapsed.as_secs_f64();
        // Twice as many or half as many at most: the first steps also compile kernels.
        let fitting = f64::from(steps) * CHUNK.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
        self.chunk = (fitting as u32).clamp(self.chunk / 2, self.chunk * 2).max(1);
        let position = self.state.position;
        if position.step == self.steps_per_epoch {
            self.phase = Phase::Validating(Vec::new());
        }
        let images = f64::from(position.step) * self.design.batch as f64;
        Ok(Event::Progress(Progress {
            epoch: position.epoch + 1,
            step: position.step,
            steps: self.steps_per_epoch,
            loss: sums.loss / sums.weight,
            top1: sums.top1 / images,
            learning_rate,
            images_per_s: f64::from(steps) * self.design.batch as f64 / elapsed.as_secs_f64(),
        }))
    }

    fn learning_rate(&self) -> f32 {
        let Position { epoch, step, rate_factor, .. } = self.state.position;
        let recipe = &self.setup.recipe;
        let step = epoch * self.steps_per_epoch + step;
        let factor = recipe.schedule.factor(step, self.steps_per_epoch, recipe.epochs) * self.state.plateau.factor;
        recipe.learning_rate * factor * rate_factor
    }

    fn revert(&mut self) -> Result<Event> {
        let rate_factor = self.state.position.rate_factor * 0.5;
        if rate_factor < SMALLEST_RATE_FACTOR {
            return Err(Error::Usage(
                "the loss is not a finite number even with a thousandth of the learning rate: check the pictures' mean and std, \
                 the weights and the recipe"
                    .into(),
            ));
        }
        self.good.position.rate_factor = rate_factor;
        self.go_back()?;
        self.machine.forget_skipped();
        Ok(Event::Reverted { epoch: self.state.position.epoch, rate_factor })
    }

    async fn validate(&mut self, mut done: Vec<Outcome>) -> Result<Event> {
        let start = Instant::now();
        let images = &self.setup.validation;
        while done.len() < images.len() && (start.elapsed() < CHUNK || done.is_empty()) {
            let rest = &images[done.len()..];
            let batch = &rest[..rest.len().min(self.machine.evaluation_batch())];
            done.extend(self.machine.evaluate(&self.setup.images, batch).await?);
        }
        self.epoch_seconds += start.elapsed().as_secs_f64();
        if done.len() < images.len() {
            let share = done.len() as f32 / images.len() as f32;
            self.phase = Phase::Validating(done);
            return Ok(Event::Validating(share));
        }
        self.end_epoch(&done).await
    }

    async fn end_epoch(&mut self, outcomes: &[Outcome]) -> Result<Event> {
        self.machine.reset_totals();
        let learning_rate = self.learning_rate_of_last_step();
        let recipe = &self.setup.recipe;
        let validation = (!outcomes.is_empty()).then(|| {
            let count = outcomes.len() as f64;
            let loss = outcomes.iter().map(|o| f64::from(o.loss)).sum::<f64>() / count;
            (outcomes.iter().filter(|o| o.rank == 0).count() as f64 / count, loss)
        });
        let sums = self.state.position.totals;
        let images = f64::from(self.steps_per_epoch) * self.design.batch as f64;
        let record = EpochRecord {
            epoch: self.state.position.epoch + 1,
            learning_rate,
            train_loss: sums.loss / sums.weight,
            train_top1: sums.top1 / images,
            validation_loss: validation.map(|(_, loss)| loss),
            validation_top1: validation.map(|(top1, _)| top1),
            seconds: self.epoch_seconds,
        };
        let weights = self.machine.weights(&self.setup.weights).await?;
        let optimizer = self.machine.optimizer_state().await?;
        let state = &mut self.state;
        state.plateau.observe(&recipe.schedule, record.validation_loss.unwrap_or(record.train_loss));
        let position = &mut state.position;
        *position = Position { epoch: position.epoch + 1, step: 0, totals: Totals::default(), ..*position };
        let better = match (&state.best, validation) {
            (None, _) | (_, None) => true,
            // Equal accuracies are common in small sets; then the loss decides.
            (Some(Best { validation: Some((top1, loss)), .. }), Some(now)) => now.0 > *top1 || now.0 == *top1 && now.1 < *loss,
            (Some(_), Some(_)) => true,
        };
        position.waited = if better { 0 } else { position.waited + 1 };
        let impatient = recipe.patience.is_some_and(|patience| position.waited >= patience);
        let done = position.epoch >= recipe.epochs;
        if better {
            state.best = Some(Best { epoch: position.epoch, validation, weights: weights.clone() });
        }
        state.weights = weights;
        state.optimizer = optimizer;
        state.history.push(record.clone());
        self.good = state.clone();
        self.epoch_seconds = 0.0;
        self.phase = if done || impatient { Phase::Finished { early: !done } } else { Phase::Training };
        Ok(Event::Epoch(record))
    }

    /// The state now, between two chunks. In the middle of an epoch the weights are read back first.
    pub async fn state(&mut self) -> Result<State> {
        if self.state.position.step > 0 {
            self.state.weights = self.machine.weights(&self.setup.weights).await?;
            self.state.optimizer = self.machine.optimizer_state().await?;
        }
        Ok(self.state.clone())
    }

    /// Judges these pictures with the present weights.
    pub async fn evaluate(&mut self, images: &[usize]) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(images.len());
        for batch in images.chunks(self.machine.evaluation_batch()) {
            outcomes.extend(self.machine.evaluate(&self.setup.images, batch).await?);
        }
        self.machine.reset_totals();
        Ok(outcomes)
    }
}
