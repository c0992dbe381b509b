//! Everything of a run that lives on the GPU; built anew from host memory when the device was lost.

use rand_chacha::ChaCha8Rng;

use super::Outcome;
use super::checkpoint::Tensors;
use super::feed::Feed;
use super::recipe::{Recipe, TrainDepth};
use super::setup::Setup;
use crate::data::ImageSet;
use crate::device::{Device, Precision, Shape};
use crate::model::Turns;
use crate::model::graph::{Graph, Param};
use crate::model::training::{Grouping, Parameters, Totals, TrainingMemory, TrainingOptions, TrainingPlan};
use crate::ops::{LossKind, Statistics};
use crate::weights::StateDict;
use crate::{Error, Result};

/// A network, cut in front of the first layer that learns.
#[derive(Debug, Clone)]
pub(super) struct Graphs {
    /// Layers that stay as they are.
    pub frozen: Option<Graph>,
    /// Layers that learn.
    pub trained: Graph,
}

impl Graphs {
    pub(super) fn new(graph: &Graph, depth: TrainDepth) -> Result<Self> {
        let first = match depth {
            TrainDepth::All => return Ok(Self { frozen: None, trained: graph.clone() }),
            TrainDepth::Head => graph.value("avgpool")?.0 + 1,
            TrainDepth::FromStage(stage) => {
                let prefix = format!("layer{stage}.");
                let found = graph.nodes.iter().position(|node| node.name.starts_with(&prefix));
                found.ok_or_else(|| Error::Usage(format!("this network has no stage {stage} to train from")))?
            }
        };
        // Nodes stand in execution order: the one in front of a stage ends what comes before it.
        let (frozen, trained) = graph.split_at(crate::model::graph::ValueId(first - 1))?;
        Ok(Self { frozen: Some(frozen), trained })
    }

    /// What the trained layers read for so many images.
    fn input(&self, images: usize, set: &ImageSet) -> Result<Shape> {
        let size = set.size();
        let shape = Shape::new(images, 3, size.height as usize, size.width as usize);
        let Some(frozen) = &self.frozen else { return Ok(shape) };
        let shapes = frozen.shapes(images, shape.h, shape.w)?;
        Ok(shapes.last().copied().unwrap_or(shape))
    }
}

#[derive(Debug)]
pub(super) struct Machine {
    ctx: Device,
    feed: Feed,
    parameters: Parameters,
    plan: TrainingPlan,
    /// For the images that are left of an epoch.
    rest: Option<Rest>,
    statistics: Statistics,
    micro_batch: usize,
    parts: usize,
    /// What an image of each class counts in the mean of a step.
    counts: Vec<f32>,
}

#[derive(Debug)]
struct Rest {
    plan: TrainingPlan,
    images: usize,
    statistics: Statistics,
}

impl Machine {
    /// With `recipe.accumulation` parts of a batch, or as many more as it takes to fit; the recipe is changed to say so.
    ///
    /// # Errors
    /// [`Error::Limit`] with numbers and a proposal when not even one image at a time fits.
    pub(super) async fn new(
        ctx: &Device,
        setup: &Setup,
        graphs: &Graphs,
        recipe: &mut Recipe,
        weights: &StateDict,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        let mut refusal = None;
        for parts in (recipe.accumulation..=recipe.batch).filter(|parts| recipe.batch.is_multiple_of(*parts)) {
            recipe.accumulation = parts;
            match Self::with_recipe(ctx, setup, graphs, recipe, weights, turns).await {
                Err(error @ Error::Limit { .. }) => refusal = Some(error),
                built => return built,
            }
        }
        Err(refusal.unwrap_or_else(|| Error::Usage("a batch of 0 images trains nothing; give 1 or more".into())))
    }

    async fn with_recipe(
        ctx: &Device,
        setup: &Setup,
        graphs: &Graphs,
        recipe: &Recipe,
        weights: &StateDict,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        let micro_batch = recipe.micro_batch() as usize;
        let input = graphs.input(micro_batch, &setup.images)?;
        let group = |param: &Param| (recipe.rate_multiplier(&param.name), recipe.decay(param));
        let grouping = Grouping { state_buffers: recipe.optimizer.state_buffers(), group: &group };
        let parameters = Parameters::new(ctx, &graphs.trained, input, &grouping)?;
        let needed = TrainingPlan::estimate(ctx, &graphs.trained, &parameters, input)?.total();
        let limit = setup.budget.training_bytes;
        if needed > limit {
            return Err(Error::Limit {
                what: format!("training with {micro_batch} images at a time"),
                needed,
                limit,
                hint: "train fewer layers (the head, or from a later stage on), use smaller images or a smaller network, or \
                       allow more memory"
                    .into(),
            });
        }
        parameters.load(ctx, weights, turns).await?;
        let frozen = graphs.frozen.as_ref().map(|graph| (graph, weights));
        let feed = Feed::new(ctx, setup, micro_batch, frozen, recipe.augmentation, turns).await?;
        let class_weights = recipe.class_weights.resolve(&setup.class_counts());
        let statistics = recipe.statistics(&setup.spec);
        let shares = recipe.augmentation.mixes();
        let even = shares || matches!(recipe.loss, LossKind::SigmoidCrossEntropy { .. });
        let counts = if even { vec![1.0; class_weights.len()] } else { class_weights.clone() };
        let options = TrainingOptions {
            loss: recipe.loss,
            shares,
            class_weights,
            statistics,
            micro_batches: recipe.accumulation as usize,
            optimizer: recipe.optimizer,
            decoupled: recipe.decays_decoupled(),
        };
        let plan = TrainingPlan::new(ctx, &graphs.trained, &parameters, feed.output(), &options, turns).await?;
        let rest = match setup.rest(recipe) {
            Some(images) => {
                let statistics = recipe.rest_statistics(&setup.spec, images);
                let options = TrainingOptions { statistics, ..options };
                let input = feed.output().first(images as usize);
                let plan = plan.beside(ctx, &graphs.trained, &parameters, &input, &options, turns).await?;
                Some(Rest { plan, images: images as usize, statistics })
            }
            None => None,
        };
        ctx.check()?;
        let parts = recipe.accumulation as usize;
        Ok(Self { ctx: ctx.clone(), feed, parameters, plan, rest, statistics, micro_batch, parts, counts })
    }

    /// Queues a whole step over these images: a batch, or what is left of an epoch. `number` counts the optimizer's updates from 1.
    pub(super) fn step(
        &mut self,
        set: &ImageSet,
        images: &[usize],
        rng: &mut ChaCha8Rng,
        learning_rate: f32,
        number: u32,
        clip_norm: Option<f32>,
    ) -> Result<()> {
        let weigh = |images: &[usize]| -> f32 { images.iter().map(|image| self.counts[set.labels[*image] as usize]).sum() };
        let whole = weigh(images);
        let shares: Vec<f32> = images.chunks(self.micro_batch).map(|part| weigh(part) / whole).collect();
        for (part, share) in images.chunks(self.micro_batch).zip(shares) {
            let mut targets = self.feed.fill(&self.ctx, set, part, Some(rng))?;
            // A plan takes the mean over its images and a part of it; the gradient is to be that of the mean over the whole step.
            let factor = if whole > 0.0 { share * self.parts as f32 } else { 1.0 };
            targets.iter_mut().for_each(|target| target.weight *= factor);
            let plan = match &self.rest {
                Some(rest) if part.len() < self.micro_batch => {
                    targets.truncate(rest.images);
                    &rest.plan
                }
                _ => &self.plan,
            };
            plan.set_targets(&self.ctx, &targets);
            plan.accumulate(&self.ctx)?;
        }
        self.plan.update(&self.ctx, learning_rate, number, clip_norm)
    }

    /// Most images of one evaluation.
    pub(super) fn evaluation_batch(&self) -> usize {
        self.micro_batch
    }

    /// Runs these images (at most [`evaluation_batch`](Self::evaluation_batch)) as inference does.
    pub(super) async fn evaluate(&mut self, set: &ImageSet, images: &[usize]) -> Result<Vec<Outcome>> {
        let targets = self.feed.fill(&self.ctx, set, images, None)?;
        self.plan.set_targets(&self.ctx, &targets);
        self.plan.evaluate(&self.ctx)?;
        let rows = Precision::F32.decode(&self.plan.rows().read(&self.ctx).await?);
        let outcome = |(image, row): (&usize, &[f32; 4])| Outcome::from_row(set.labels[*image], *row);
        Ok(images.iter().zip(rows.as_chunks().0).map(outcome).collect())
    }

    pub(super) fn reset_totals(&self) {
        self.plan.reset_totals(&self.ctx);
    }

    /// Waits for the queued steps.
    pub(super) async fn totals(&self) -> Result<Totals> {
        self.plan.totals(&self.ctx).await
    }

    /// Updates left out because their gradient was not finite.
    pub(super) async fn skipped(&self) -> Result<u32> {
        Ok(self.plan.skipped(&self.ctx).await?.1)
    }

    /// All weights: what the trained layers' are now, and the others from `others`.
    pub(super) async fn weights(&self, others: &Tensors, turns: &mut Turns<'_>) -> Result<Tensors> {
        let mut learned = self.parameters.read(&self.ctx, turns).await?.tensors;
        let mut weights = Tensors::with_capacity(others.len());
        for (name, tensor) in others {
            let tensor = learned.swap_remove(name).unwrap_or_else(|| tensor.clone());
            weights.insert(name.clone(), tensor);
            turns.offer().await;
        }
        Ok(weights)
    }

    /// The optimizer's state buffers.
    pub(super) async fn optimizer_state(&self, turns: &mut Turns<'_>) -> Result<Vec<Tensors>> {
        let mut buffers = Vec::new();
        for index in 0..self.parameters.state_buffers() {
            buffers.push(self.parameters.read_state(&self.ctx, index, turns).await?.tensors);
        }
        Ok(buffers)
    }

    /// Other weights; the optimizer goes on with its state.
    pub(super) async fn put(&self, weights: &StateDict, turns: &mut Turns<'_>) -> Result<()> {
        self.parameters.load(&self.ctx, weights, turns).await
    }

    /// Goes back to these weights and this state; without a state the optimizer begins anew.
    pub(super) async fn restore(&self, weights: &StateDict, optimizer: &[Tensors], turns: &mut Turns<'_>) -> Result<()> {
        self.parameters.load(&self.ctx, weights, turns).await?;
        self.parameters.clear_state(&self.ctx);
        for (index, tensors) in optimizer.iter().enumerate() {
            self.parameters.load_state(&self.ctx, index, tensors, turns).await?;
        }
        self.plan.forget(&self.ctx);
        Ok(())
    }

    pub(super) fn dispatches(&self) -> usize {
        self.plan.dispatches()
    }

    pub(super) fn uses_batch_statistics(&self) -> bool {
        matches!(self.statistics, Statistics::Batch { .. })
    }

    /// Images that are left of an epoch beside its whole parts, and whether batch norm uses their statistics.
    pub(super) fn rest(&self) -> Option<(u32, bool)> {
        let batch = |statistics| matches!(statistics, Statistics::Batch { .. });
        self.rest.as_ref().map(|rest| (rest.images as u32, batch(rest.statistics)))
    }

    /// Of training, and of what feeds it.
    pub(super) fn memory(&self) -> (TrainingMemory, u64) {
        let mut memory = self.plan.memory();
        memory.activation_bytes += self.rest.as_ref().map_or(0, |rest| rest.plan.memory().activation_bytes);
        (memory, self.feed.bytes())
    }

    pub(super) fn keeps_features(&self) -> bool {
        self.feed.keeps_features()
    }
}
