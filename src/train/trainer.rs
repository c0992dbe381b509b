//! The training loop in pieces: every [`Trainer::advance`] is a chunk of work, after which a page may draw, a person may pause
//! and a program may save.
//!
//! Everything random is drawn from the recipe's seed and the position in the run, so that a run that was stopped and resumed
//! is the run that was not. No step waits for the GPU; sums are read once a chunk.

mod average;
mod finder;

use serde::Serialize;
use web_time::{Duration, Instant};

use super::checkpoint::{Checkpoint, Epoch, PictureSides, Tensors};
use super::machine::{Graphs, Machine};
use super::setup::{Budget, Setup};
use super::{Changed, Outcome, Position, Progress, Recipe, Summary};
use crate::data::random::{Stream, generator, shuffle};
use crate::data::split::Split;
use crate::data::{Form, ImageSet};
use crate::device::Device;
use crate::model::Turns;
use crate::model::graph::Graph;
use crate::model::training::{Totals, TrainingMemory};
use crate::weights::StateDict;
use crate::{Error, Result};

pub use finder::RateSearch;

/// What a chunk of work came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Steps were done.
    Steps(Steps),
    /// Validation images were judged; the share done, 0 to 1.
    Validating(f32),
    /// An epoch ended: a good moment to save.
    Epoch(Box<Epoch>),
    /// A loss was no finite number. The run went back to the end of an epoch and goes on with half the rate.
    Reverted {
        /// Epochs done there.
        epoch: u32,
        /// Factor on the schedule's rate from here on.
        rate_factor: f64,
    },
    /// Nothing is left to do.
    Finished {
        /// Validation had not become better for as long as the recipe waits.
        early: bool,
    },
}

/// Figures while an epoch goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Steps {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Steps done of it.
    pub step: u64,
    /// Its steps.
    pub steps: u64,
    /// Mean loss so far in this epoch, over augmented images and with weights that move.
    pub loss: f64,
    /// Top-1 accuracy of the same, 0 to 1.
    pub top1: f64,
    /// Rate of the last step.
    pub learning_rate: f64,
    /// Training images a second in this chunk.
    pub images_per_s: f64,
}

/// A run in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outline {
    /// Images of a step.
    pub batch: u32,
    /// Parts a step is run in: more than the recipe says where a batch does not fit.
    pub accumulation: u32,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Images of the last of them.
    pub last_batch: u32,
    /// Whether batch norm uses batch statistics in its last part, too.
    pub last_batch_statistics: bool,
    /// Epochs asked for.
    pub epochs: u32,
    /// Scalars that learn.
    pub trained_parameters: usize,
    /// Scalars in all.
    pub parameters: usize,
    /// Whether batch norm uses and updates batch statistics.
    pub batch_statistics: bool,
    /// Whether what the frozen layers compute is kept.
    pub keeps_features: bool,
    /// Dispatches of a step's part with its update.
    pub dispatches: usize,
    /// Parameters, gradients, optimizer state, activations.
    pub memory: TrainingMemory,
    /// Pictures, kept features and the frozen layers, in bytes.
    pub feed_bytes: u64,
}

/// A run.
#[derive(Debug)]
pub struct Trainer {
    setup: Setup,
    graphs: Graphs,
    machine: Machine,
    /// Where the run stands; its weights and optimizer state are those of `kept`.
    state: Checkpoint,
    /// What the run goes back to: the end of the last epoch, or where it was resumed.
    kept: Kept,
    /// The moving average of the weights as of the last step that it took in.
    averaged: Option<Tensors>,
    /// The weights, while validation looks at their average.
    held: Option<Tensors>,
    phase: Phase,
    /// Steps of the next chunk.
    chunk: u64,
    /// Chunks end where the number of steps done is a multiple of this.
    every: Option<u64>,
    /// Time spent on this epoch, in seconds.
    seconds: f64,
    /// The epoch, from 0, whose order the pictures' source was told.
    announced: Option<u32>,
}

/// A step with the sums of its epoch.
#[derive(Debug, Clone, Copy)]
struct Kept {
    step: u64,
    updates: u64,
    partial: Totals,
    partial_images: u64,
    averaged: u64,
}

impl Kept {
    fn of(progress: &Progress) -> Self {
        let Progress { step, updates, partial, partial_images, averaged, .. } = *progress;
        Self { step, updates, partial, partial_images, averaged }
    }
}

#[derive(Debug)]
enum Phase {
    Training,
    Validating(Vec<Outcome>),
    Finished { early: bool },
}

/// What a chunk should take on the GPU: whoever stops a run waits for this.
const CHUNK: Duration = Duration::from_millis(300);
/// Time on the CPU after which a chunk takes no further step: a page draws in between.
const TURN: Duration = Duration::from_millis(12);
/// Ten halvings of the learning rate; a loss that is then still no number has another cause.
const SMALLEST_RATE_FACTOR: f64 = 1.0 / 1024.0;

impl Trainer {
    /// Plans a run from `weights`, which hold a value for each parameter and statistic of the network
    /// ([`initialise`](super::init::initialise), [`transfer`](super::init::transfer)). Nothing is trained yet.
    ///
    /// # Errors
    /// [`Error::Usage`] for a recipe or a set nothing can be trained with, [`Error::Limit`] when it does not fit, with numbers
    /// and a proposal.
    pub async fn new(ctx: &Device, setup: Setup, weights: StateDict, turns: &mut Turns<'_>) -> Result<Self> {
        let state = Checkpoint {
            spec: setup.spec.clone(),
            classes: setup.images.classes.clone(),
            pixels: setup.preset.clone(),
            recipe: setup.recipe.clone(),
            progress: Progress {
                train_images: setup.split.train.len() as u64,
                validation_images: setup.split.validation.len() as u64,
                ..Progress::default()
            },
            history: Vec::new(),
            changes: Vec::new(),
            average: None,
            best: weights.tensors,
            latest: None,
            optimizer: Vec::new(),
            pictures: None,
        };
        Self::start(ctx, setup, state, turns).await
    }

    /// Goes on where a checkpoint stands, to the same result as if it had never stopped. Network, recipe and pixels are the
    /// checkpoint's; [`Checkpoint::change`] gives it another recipe before.
    ///
    /// # Errors
    /// Those of [`new`](Self::new); [`Error::Usage`] when there are other pictures than the run began with.
    pub async fn resume(
        ctx: &Device,
        checkpoint: Checkpoint,
        images: ImageSet,
        split: Split,
        budget: Budget,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        let found = (split.train.len() as u64, split.validation.len() as u64);
        let wanted = (checkpoint.progress.train_images, checkpoint.progress.validation_images);
        if found != wanted || checkpoint.classes != images.classes {
            return Err(Error::Usage(format!(
                "the run began with {} training and {} validation pictures of {} classes, but there are {} and {} of {}; give \
                 the same folder, or start a new run from these weights",
                wanted.0,
                wanted.1,
                checkpoint.classes.len(),
                found.0,
                found.1,
                images.classes.len()
            )));
        }
        let setup = Setup {
            spec: checkpoint.spec.clone(),
            preset: checkpoint.pixels.clone(),
            recipe: checkpoint.recipe.clone(),
            images,
            split,
            budget,
        };
        Self::start(ctx, setup, checkpoint, turns).await
    }

    async fn start(ctx: &Device, mut setup: Setup, mut state: Checkpoint, turns: &mut Turns<'_>) -> Result<Self> {
        setup.check()?;
        // A set smaller than a batch is one batch.
        let recipe = &mut state.recipe;
        if setup.split.train.len() < recipe.batch as usize {
            recipe.batch = setup.split.train.len() as u32;
            recipe.accumulation = 1;
        }
        let graphs = Graphs::new(&setup.spec.build()?, recipe.depth)?;
        let weights = dict(state.latest());
        let machine = Machine::new(ctx, &setup, &graphs, &mut state.recipe, &weights, turns).await?;
        setup.recipe = state.recipe.clone();
        // A new machine has these weights and an empty optimizer state already.
        if !state.optimizer.is_empty() {
            machine.restore(&weights, &state.optimizer, turns).await?;
        }
        let phase = next(&state);
        let kept = Kept::of(&state.progress);
        let averaged = state.average.clone().filter(|_| setup.recipe.ema.is_some());
        Ok(Self {
            setup,
            graphs,
            machine,
            state,
            kept,
            averaged,
            held: None,
            phase,
            chunk: 1,
            every: None,
            seconds: 0.0,
            announced: None,
        })
    }

    /// Goes on with another recipe from where the run stands, between two chunks. Says what is different; where that is nothing, nothing
    /// happens. On an error the run goes on as it was.
    ///
    /// # Errors
    /// Those of [`Checkpoint::change`], and of [`new`](Self::new) where the new recipe does not fit.
    pub async fn change(&mut self, ctx: &Device, recipe: Recipe, turns: &mut Turns<'_>) -> Result<Vec<Changed>> {
        let recipe = Recipe { batch: recipe.batch.min(self.setup.split.train.len() as u32), ..recipe };
        let mut state = self.checkpoint(turns).await?;
        let changed = state.change(recipe)?;
        if changed.is_empty() {
            return Ok(changed);
        }
        let before = std::mem::replace(&mut self.setup.recipe, state.recipe.clone());
        if before.needs_other_plans(&state.recipe) {
            let plan = async {
                let graphs = Graphs::new(&self.setup.spec.build()?, state.recipe.depth)?;
                let weights = dict(state.latest());
                let machine = Machine::new(ctx, &self.setup, &graphs, &mut state.recipe, &weights, turns).await?;
                if !state.optimizer.is_empty() {
                    machine.restore(&weights, &state.optimizer, turns).await?;
                }
                Ok::<_, Error>((graphs, machine))
            };
            match plan.await {
                Ok((graphs, machine)) => (self.graphs, self.machine) = (graphs, machine),
                Err(error) => {
                    self.setup.recipe = before;
                    return Err(error);
                }
            }
            self.setup.recipe = state.recipe.clone();
            self.held = None;
        } else if let Some(held) = self.held.take() {
            self.machine.put(&dict(&held), turns).await?;
        }
        if state.recipe.ema.is_none() {
            (state.average, state.progress.averaged) = (None, 0);
        }
        self.averaged = state.average.clone();
        self.phase = next(&state);
        self.kept = Kept::of(&state.progress);
        self.state = state;
        self.announced = None;
        Ok(changed)
    }

    /// Goes on with another device after the old one was lost, from the end of the last epoch or where the run was resumed.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn recover(&mut self, ctx: &Device, turns: &mut Turns<'_>) -> Result<()> {
        let weights = dict(self.state.latest());
        self.machine = Machine::new(ctx, &self.setup, &self.graphs, &mut self.state.recipe, &weights, turns).await?;
        self.go_back(turns).await
    }

    /// Back to the weights in host memory.
    async fn go_back(&mut self, turns: &mut Turns<'_>) -> Result<()> {
        let progress = &mut self.state.progress;
        let Kept { step, updates, partial, partial_images, averaged } = self.kept;
        (progress.step, progress.updates, progress.averaged) = (step, updates, averaged);
        (self.averaged, self.held) = (self.state.average.clone(), None);
        let progress = &mut self.state.progress;
        (progress.partial, progress.partial_images) = (partial, partial_images);
        let weights = dict(self.state.latest());
        self.machine.restore(&weights, &self.state.optimizer, turns).await?;
        self.phase = Phase::Training;
        self.seconds = 0.0;
        self.announced = None;
        Ok(())
    }

    /// The run in numbers.
    pub fn outline(&self) -> Outline {
        let (memory, feed_bytes) = self.machine.memory();
        let trained_parameters = self.graphs.trained.parameter_count();
        let (rest, batch) = (self.machine.rest(), self.setup.recipe.batch);
        let last_batch = match self.setup.split.train.len() as u32 % batch {
            0 => batch,
            images => images,
        };
        Outline {
            batch: self.setup.recipe.batch,
            accumulation: self.setup.recipe.accumulation,
            steps_per_epoch: self.setup.steps_per_epoch(),
            last_batch,
            last_batch_statistics: rest.map_or(self.machine.uses_batch_statistics(), |(_, batch)| batch),
            epochs: self.setup.recipe.epochs,
            trained_parameters,
            parameters: trained_parameters + self.graphs.frozen.as_ref().map_or(0, Graph::parameter_count),
            batch_statistics: self.machine.uses_batch_statistics(),
            keeps_features: self.machine.keeps_features(),
            dispatches: self.machine.dispatches(),
            memory,
            feed_bytes,
        }
    }

    /// What the run was set up with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The run as of the end of the last epoch, with its history and the best weights so far.
    pub fn last_epoch(&self) -> &Checkpoint {
        &self.state
    }

    /// Does a chunk of the work.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when the device is gone: [`recover`](Self::recover) goes on. [`Error::Usage`] when the loss stays
    /// no finite number at a thousandth of the rate.
    pub async fn advance(&mut self, turns: &mut Turns<'_>) -> Result<Event> {
        match std::mem::replace(&mut self.phase, Phase::Training) {
            Phase::Training => self.train(turns).await,
            Phase::Validating(done) => self.validate(done, turns).await,
            Phase::Finished { early } => {
                self.phase = Phase::Finished { early };
                Ok(Event::Finished { early })
            }
        }
    }

    async fn train(&mut self, turns: &mut Turns<'_>) -> Result<Event> {
        let start = Instant::now();
        let recipe = &self.setup.recipe;
        let steps = self.setup.steps_per_epoch();
        let epoch = self.state.progress.epoch;
        let end = steps * u64::from(epoch + 1);
        let order = self.order(epoch);
        let first = self.state.progress.step;
        if self.announced != Some(epoch) {
            self.announced = Some(epoch);
            let crops = recipe.augmentation.resized_crop.is_some() && self.setup.images.whole_side().is_some();
            let form = if crops { Form::Whole } else { Form::Input };
            self.setup.images.expect(&order[(first % steps) as usize * recipe.batch as usize..], form);
        }
        let mut learning_rate = 0.0;
        let mut seen = 0;
        let ema = recipe.ema.map(|ema| u64::from(ema.steps));
        let stops = self.every.into_iter().chain(ema).map(|every| (first / every + 1) * every);
        let stop = stops.min().unwrap_or(u64::MAX);
        while self.state.progress.step < end.min(first + self.chunk).min(stop)
            && (self.state.progress.step == first || start.elapsed() < TURN)
        {
            learning_rate = self.learning_rate();
            let number = self.state.progress.step;
            let rest = &order[(number % steps) as usize * recipe.batch as usize..];
            let images = &rest[..rest.len().min(recipe.batch as usize)];
            let mut rng = generator(recipe.seed, Stream::Augment(number as u32));
            let rate = learning_rate as f32;
            let update = self.state.progress.updates as u32 + 1;
            self.machine.step(&self.setup.images, images, &mut rng, rate, update, recipe.clip_norm)?;
            self.state.progress.step += 1;
            self.state.progress.updates += 1;
            seen += images.len() as u64;
        }
        let totals = self.machine.totals().await?;
        let done = self.state.progress.step;
        // A gradient can overflow where the loss does not; that is looked at once an epoch, for it costs a wait.
        if totals.not_finite > 0.0 || done == end && self.machine.skipped().await? > 0 {
            return self.revert(turns).await;
        }
        self.machine.reset_totals();
        let elapsed = start.elapsed().as_secs_f64();
        self.seconds += elapsed;
        self.chunk = next_chunk(self.chunk, done - first, elapsed);
        let progress = &mut self.state.progress;
        progress.partial.add(&totals);
        progress.partial_images += seen;
        let (sums, images) = (progress.partial, progress.partial_images);
        // A run that goes on at such a step has taken it in already.
        if done > first && ema.is_some_and(|steps| done.is_multiple_of(steps)) {
            self.average(turns).await?;
        }
        if done == end {
            self.show_average(turns).await?;
            self.phase = Phase::Validating(Vec::new());
        }
        let step = done - u64::from(epoch) * steps;
        Ok(Event::Steps(Steps {
            epoch: epoch + 1,
            step,
            steps,
            loss: sums.loss / sums.weight,
            top1: sums.top1 / images as f64,
            learning_rate,
            images_per_s: seen as f64 / elapsed,
        }))
    }

    /// The training images of an epoch.
    fn order(&self, epoch: u32) -> Vec<usize> {
        let mut order = self.setup.split.train.clone();
        shuffle(&mut generator(self.setup.recipe.seed, Stream::Order(epoch)), &mut order);
        order
    }

    /// Rate of the next step.
    fn learning_rate(&self) -> f64 {
        let Progress { step, plateau, rate_factor, .. } = &self.state.progress;
        let recipe = &self.setup.recipe;
        let position = Position { step: *step, steps_per_epoch: self.setup.steps_per_epoch(), epochs: recipe.epochs };
        f64::from(recipe.learning_rate) * recipe.schedule.factor(position, plateau) * rate_factor
    }

    async fn revert(&mut self, turns: &mut Turns<'_>) -> Result<Event> {
        let rate_factor = self.state.progress.rate_factor / 2.0;
        if rate_factor < SMALLEST_RATE_FACTOR {
            return Err(Error::Usage(
                "the loss is not a finite number even at a thousandth of the learning rate: check the weights, and the mean and \
                 std of the pixels"
                    .into(),
            ));
        }
        self.state.progress.rate_factor = rate_factor;
        self.go_back(turns).await?;
        Ok(Event::Reverted { epoch: self.state.progress.epoch, rate_factor })
    }

    async fn validate(&mut self, mut done: Vec<Outcome>, turns: &mut Turns<'_>) -> Result<Event> {
        let start = Instant::now();
        let images = &self.setup.split.validation;
        if done.is_empty() {
            self.announced = None;
            self.setup.images.expect(images, Form::Input);
        }
        while done.len() < images.len() {
            let rest = &images[done.len()..];
            let batch = &rest[..rest.len().min(self.machine.evaluation_batch())];
            done.extend(self.machine.evaluate(&self.setup.images, batch).await?);
            if start.elapsed() >= TURN {
                break;
            }
        }
        self.seconds += start.elapsed().as_secs_f64();
        if done.len() < images.len() {
            let share = done.len() as f32 / images.len() as f32;
            self.phase = Phase::Validating(done);
            return Ok(Event::Validating(share));
        }
        self.end_epoch(&done, turns).await
    }

    async fn end_epoch(&mut self, outcomes: &[Outcome], turns: &mut Turns<'_>) -> Result<Event> {
        self.machine.reset_totals();
        let validation = (!outcomes.is_empty()).then(|| Summary::of(outcomes));
        let (weights, judged) = self.hide_average(turns).await?;
        self.state.optimizer = self.machine.optimizer_state(turns).await?;
        self.state.average.clone_from(&self.averaged);

        let recipe = &self.setup.recipe;
        let progress = &mut self.state.progress;
        let images = std::mem::take(&mut progress.partial_images);
        let sums = std::mem::take(&mut progress.partial);
        progress.epoch += 1;
        let share = |count: f64| count / images as f64;
        let train =
            Summary { images, loss: sums.loss / sums.weight, top1: share(sums.top1), top5: share(sums.top5), ece: f64::NAN };
        // Of the plateau as it was while the epoch went on.
        let last_step =
            Position { step: progress.step - 1, steps_per_epoch: self.setup.steps_per_epoch(), epochs: recipe.epochs };
        let learning_rate =
            f64::from(recipe.learning_rate) * recipe.schedule.factor(last_step, &progress.plateau) * progress.rate_factor;
        progress.plateau.observe(&recipe.schedule, validation.map_or(train.loss, |summary| summary.loss));
        let best = progress.best_epoch.and_then(|epoch| self.state.history.get(epoch as usize - 1)?.validation);
        // Accuracies are often equal in small sets; then the loss decides. Without validation the newest weights are the best.
        let better = match (best, validation) {
            (Some(best), Some(now)) => now.top1 > best.top1 || now.top1 == best.top1 && now.loss < best.loss,
            _ => true,
        };
        if better {
            progress.best_epoch = Some(progress.epoch);
        }
        let epoch =
            Epoch { epoch: progress.epoch, step: progress.step, learning_rate, train, validation, seconds: self.seconds };
        match judged {
            Some(judged) => {
                if better {
                    self.state.best = judged;
                }
                self.state.latest = Some(weights);
            }
            None if better => (self.state.best, self.state.latest) = (weights, None),
            None => self.state.latest = Some(weights),
        }
        self.kept = Kept::of(&self.state.progress);
        self.state.history.push(epoch.clone());
        self.seconds = 0.0;
        self.phase = next(&self.state);
        Ok(Event::Epoch(Box::new(epoch)))
    }

    /// The run as it stands between two chunks, to go on from.
    pub async fn checkpoint(&self, turns: &mut Turns<'_>) -> Result<Checkpoint> {
        let mut state = self.state.clone();
        if state.progress.step > u64::from(state.progress.epoch) * self.setup.steps_per_epoch() {
            state.latest = Some(match &self.held {
                Some(held) => held.clone(),
                None => self.machine.weights(self.state.latest(), turns).await?,
            });
            state.average.clone_from(&self.averaged);
            state.optimizer = self.machine.optimizer_state(turns).await?;
        }
        Ok(state)
    }

    /// Puts the best weights in place of the latest, to judge them; the run is over then.
    pub async fn take_best(&mut self, turns: &mut Turns<'_>) -> Result<()> {
        self.machine.restore(&dict(&self.state.best), &[], turns).await?;
        self.phase = Phase::Finished { early: self.state.progress.epoch < self.setup.recipe.epochs };
        Ok(())
    }

    /// From now on a chunk ends wherever the number of steps done is a multiple of `steps`, so that [`checkpoint`](Self::checkpoint) can
    /// be asked for there.
    pub fn stop_every(&mut self, steps: u64) {
        self.every = Some(steps.max(1));
    }

    /// Keeps with every checkpoint which pictures train and which validate.
    pub fn remember(&mut self, pictures: PictureSides) {
        self.state.pictures = Some(pictures);
    }

    /// Says which pictures [`evaluate`](Self::evaluate) will be asked about, in parts.
    pub fn expect(&mut self, images: &[usize]) {
        self.announced = None;
        self.setup.images.expect(images, Form::Input);
    }

    /// What the network says of these pictures with the weights it has now, without augmentation.
    pub async fn evaluate(&mut self, images: &[usize]) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(images.len());
        for batch in images.chunks(self.machine.evaluation_batch()) {
            outcomes.extend(self.machine.evaluate(&self.setup.images, batch).await?);
        }
        self.machine.reset_totals();
        Ok(outcomes)
    }
}

/// Steps that fill [`CHUNK`], at most twice or half as many as before: the first ones also compile kernels.
fn next_chunk(chunk: u64, steps: u64, seconds: f64) -> u64 {
    let fitting = steps as f64 * CHUNK.as_secs_f64() / seconds.max(1e-6);
    (fitting as u64).clamp(chunk / 2, chunk * 2).max(1)
}

/// What comes after an epoch, or first where a run goes on: nothing once every epoch is done, or validation was not better for as long
/// as early stopping waits.
fn next(state: &Checkpoint) -> Phase {
    let Progress { epoch, best_epoch, waiting_since, .. } = state.progress;
    let waited = epoch - best_epoch.unwrap_or(0).max(waiting_since).min(epoch);
    if epoch >= state.recipe.epochs {
        Phase::Finished { early: false }
    } else if epoch > 0 && state.recipe.early_stopping.is_some_and(|patience| waited >= patience) {
        Phase::Finished { early: true }
    } else {
        Phase::Training
    }
}

fn dict(tensors: &Tensors) -> StateDict {
    StateDict { tensors: tensors.clone(), ..StateDict::default() }
}
