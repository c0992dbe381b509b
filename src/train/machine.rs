//! Everything of a run that lives on the GPU; built anew from host memory when the device was lost.

use rand_chacha::ChaCha8Rng;

use super::feed::{Budget, Feed};
use crate::data::{ImageSet, Preset};
use crate::gpu::{Context, Precision, Shape, Slice};
use crate::model::graph::{Graph, ValueId};
use crate::model::training::{Grouping, Parameters, Totals, TrainingMemory, TrainingOptions, TrainingPlan};
use crate::ops::Augmentation;
use crate::weights::StateDict;
use crate::{Error, Result};

/// What a machine is built for.
#[derive(Debug, Clone)]
pub(super) struct Design {
    /// The layers in front of the trained ones, and those.
    pub frozen: Option<Graph>,
    pub trained: Graph,
    pub preset: Preset,
    pub augmentation: Augmentation,
    pub grouping: Grouping,
    pub options: TrainingOptions,
    /// Images of a step: micro-batches times their size.
    pub batch: usize,
    pub budget: Budget,
    /// Most bytes for parameters, optimizer and activations.
    pub training_bytes: u64,
}

/// What the network said of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Index of the image in its set.
    pub image: usize,
    /// Loss without class weights.
    pub loss: f32,
    /// How many classes got a larger logit than the true one.
    pub rank: usize,
    /// Largest probability.
    pub confidence: f32,
    /// Class with the largest probability.
    pub predicted: usize,
}

#[derive(Debug)]
pub(super) struct Machine {
    ctx: Context,
    feed: Feed,
    parameters: Parameters,
    plan: TrainingPlan,
    micro_batch: usize,
    micro_batches: usize,
}

impl Design {
    /// Cuts `graph` behind `boundary`, or not at all.
    pub(super) fn cut(graph: &Graph, boundary: Option<ValueId>) -> Result<(Option<Graph>, Graph)> {
        match boundary {
            None => Ok((None, graph.clone())),
            Some(value) => graph.split_at(value).map(|(frozen, trained)| (Some(frozen), trained)),
        }
    }

    fn shapes(&self, images: usize) -> Result<(Shape, Shape)> {
        let (width, height) = self.preset.crop;
        let shape = Shape::new(images, 3, height as usize, width as usize);
        let Some(frozen) = &self.frozen else { return Ok((shape, shape)) };
        let shapes = frozen.shapes(images, shape.h, shape.w)?;
        Ok((shape, shapes.last().copied().unwrap_or(shape)))
    }
}

impl Machine {
    /// The largest micro-batch that divides the batch and whose plan fits; `weights` hold every layer.
    ///
    /// # Errors
    /// [`Error::Limit`] with numbers and a proposal when not even one image at a time fits.
    pub(super) fn new(ctx: &Context, design: &Design, set: &ImageSet, weights: &StateDict) -> Result<Self> {
        let mut refusal = None;
        for micro_batch in (1..=design.batch).rev().filter(|size| design.batch.is_multiple_of(*size)) {
            match Self::with_micro_batch(ctx, design, set, weights, micro_batch) {
                Err(error @ Error::Limit { .. }) => refusal = Some(error),
                built => return built,
            }
        }
        Err(refusal.unwrap_or_else(|| Error::Usage("a batch of 0 images trains nothing; give 1 or more".into())))
    }

    fn with_micro_batch(
        ctx: &Context,
        design: &Design,
        set: &ImageSet,
        weights: &StateDict,
        micro_batch: usize,
    ) -> Result<Self> {
        let (_, input) = design.shapes(micro_batch)?;
        let parameters = Parameters::new(ctx, &design.trained, input, &design.grouping)?;
        let needed = TrainingPlan::estimate(ctx, &design.trained, &parameters, input)?.total();
        if needed > design.training_bytes {
            return Err(Error::Limit {
                what: format!("training with {micro_batch} images at a time"),
                needed,
                limit: design.training_bytes,
                hint: "train fewer layers (the head, or from a later stage on), use smaller images or a smaller network, or \
                       allow more memory"
                    .into(),
            });
        }
        parameters.load(ctx, weights)?;
        let frozen = design.frozen.as_ref().map(|graph| (graph, weights));
        let feed = Feed::new(ctx, set, &design.preset, micro_batch, frozen, design.augmentation, design.budget)?;
        let micro_batches = design.batch / micro_batch;
        let options = TrainingOptions { micro_batches, ..design.options.clone() };
        let plan = TrainingPlan::new(ctx, &design.trained, &parameters, feed.output(), &options)?;
        ctx.check()?;
        Ok(Self { ctx: ctx.clone(), feed, parameters, plan, micro_batch, micro_batches })
    }

    /// Queues a whole step over `design.batch` images.
    pub(super) fn step(
        &mut self,
        set: &ImageSet,
        images: &[usize],
        rng: &mut ChaCha8Rng,
        learning_rate: f32,
        number: u32,
        clip_norm: Option<f32>,
    ) -> Result<()> {
        for images in images.chunks(self.micro_batch) {
            let targets = self.feed.fill(&self.ctx, set, images, Some(rng))?;
            self.plan.set_targets(&self.ctx, &targets);
            self.plan.accumulate(&self.ctx)?;
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
        let outcome = |(image, row): (&usize, &[f32; 4])| Outcome {
            image: *image,
            loss: row[0],
            rank: row[1] as usize,
            confidence: row[2],
            predicted: row[3] as usize,
        };
        Ok(images.iter().zip(rows.as_chunks().0).map(outcome).collect())
    }

    pub(super) fn context(&self) -> &Context {
        &self.ctx
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

    /// The trained layers' parameters and statistics over the `frozen` layers'.
    pub(super) async fn weights(&self, frozen: &StateDict) -> Result<StateDict> {
        let mut weights = frozen.clone();
        weights.tensors.extend(self.parameters.read(&self.ctx).await?.tensors);
        Ok(weights)
    }

    /// The optimizer's state buffers.
    pub(super) async fn optimizer_state(&self) -> Result<Vec<StateDict>> {
        let mut buffers = Vec::new();
        for index in 0..self.parameters.state_buffers() {
            buffers.push(self.parameters.read_state(&self.ctx, index).await?);
        }
        Ok(buffers)
    }

    /// Goes back to these weights and this state.
    pub(super) fn restore(&self, weights: &StateDict, optimizer: &[StateDict]) -> Result<()> {
        self.parameters.load(&self.ctx, weights)?;
        for (index, state) in optimizer.iter().enumerate() {
            self.parameters.load_state(&self.ctx, index, state)?;
        }
        Ok(())
    }

    pub(super) fn plan(&self) -> &TrainingPlan {
        &self.plan
    }

    pub(super) fn memory(&self) -> (TrainingMemory, u64) {
        (self.plan.memory(), self.feed.bytes())
    }

    pub(super) fn keeps_features(&self) -> bool {
        self.feed.keeps_features()
    }

    pub(super) fn micro_batches(&self) -> (usize, usize) {
        (self.micro_batches, self.micro_batch)
    }
}
