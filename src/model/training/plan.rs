//! The compiled plan of a training step.

use super::parameters::Parameters;
use super::scribe::{self, Scribe};
use super::tape::{BufferId, Goal, Step};
use crate::device::{Device, DispatchTime, Precision, Recorder, Recording, Shape, Slice, Tensor};
use crate::model::Turns;
use crate::model::graph::{Graph, Layer};
use crate::ops::{self, LayerKind, LossCall, LossKind, Optimizer, Statistics, StepValues, Target, UpdateCall};
use crate::{Error, Result};

/// What a step computes.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// What is minimised.
    pub loss: LossKind,
    /// Targets of a step are shares of classes, see [`LossCall::shares`].
    pub shares: bool,
    /// Weight of each class in the loss; empty means 1 for all.
    pub class_weights: Vec<f32>,
    /// Batch norm: batch statistics, or the running ones (frozen).
    pub statistics: Statistics,
    /// Micro-batches whose gradients are summed before an update.
    pub micro_batches: usize,
    /// How gradients become updates.
    pub optimizer: Optimizer,
    /// Decay the weights themselves (AdamW) instead of adding it to the gradient (L2).
    pub decoupled: bool,
}

/// What a dispatch of a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// Convolutions, pools, shortcuts and the classifier, forward.
    Forward,
    /// Batch norm, forward.
    ForwardNorm,
    /// The loss.
    Loss,
    /// Gradients of weights and biases.
    WeightGradient,
    /// Gradients of activations.
    InputGradient,
    /// Batch norm, backward.
    BackwardNorm,
    /// Gradient norm and optimizer.
    Update,
}

impl Pass {
    fn of(graph: &Graph, step: &Step) -> Self {
        let norm = |node: usize| graph.nodes[node].op.kind() == LayerKind::Norm;
        match step {
            Step::Forward(layer) if norm(layer.node) => Self::ForwardNorm,
            Step::Forward(_) => Self::Forward,
            Step::Loss { .. } => Self::Loss,
            Step::Backward { layer, .. } if norm(layer.node) => Self::BackwardNorm,
            Step::Backward { gradient, .. } if gradient.is_of_parameters() => Self::WeightGradient,
            Step::Backward { .. } | Step::AddGradients { .. } | Step::CopyGradient { .. } => Self::InputGradient,
        }
    }
}

/// GPU memory of training, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct TrainingMemory {
    /// Parameters and running statistics.
    pub parameter_bytes: u64,
    /// Gradients of the parameters.
    pub gradient_bytes: u64,
    /// Momentum, or Adam's moments.
    pub optimizer_bytes: u64,
    /// Activations, their gradients and temporaries, shared by lifetime.
    pub activation_bytes: u64,
}

impl TrainingMemory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.parameter_bytes + self.gradient_bytes + self.optimizer_bytes + self.activation_bytes
    }
}

/// Sums over the images since the last [`reset_totals`](TrainingPlan::reset_totals).
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Sum of losses times their weights.
    pub loss: f64,
    /// Sum of the weights.
    pub weight: f64,
    /// Images whose class had the largest logit.
    pub top1: f64,
    /// Images whose class was among the five largest.
    pub top5: f64,
    /// Images whose loss was not a finite number.
    pub not_finite: f64,
}

impl Totals {
    /// Adds another run's sums.
    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.weight += other.weight;
        self.top1 += other.top1;
        self.top5 += other.top5;
        self.not_finite += other.not_finite;
    }
}

/// Forward, backward and update, ready to be replayed.
#[derive(Debug)]
pub struct TrainingPlan {
    input: Tensor,
    logits: Tensor,
    targets: Slice,
    rows: Slice,
    totals: Slice,
    values: Slice,
    norm: Slice,
    gradients: Vec<Slice>,
    /// What activations and temporaries lie in.
    slots: Vec<Slice>,
    step: Recording,
    /// Of the step's dispatches.
    passes: Vec<Pass>,
    update: Recording,
    evaluate: Recording,
    memory: TrainingMemory,
    optimizer: Optimizer,
}

impl TrainingPlan {
    /// Plans the training of `graph`, which ends in the classifier `fc`, over what lies in `input` (images, or what a frozen
    /// part in front computes).
    ///
    /// # Errors
    /// [`Error::Limit`] when a buffer exceeds what the adapter allows, [`Error::Spec`] when the input is too small or the net
    /// has no classifier.
    pub async fn new(
        ctx: &Device,
        graph: &Graph,
        parameters: &Parameters,
        input: &Tensor,
        options: &TrainingOptions,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        Self::plan(ctx, graph, parameters, input, options, None, turns).await
    }

    /// A plan of the same training for another number of images, in the same buffers where they are large enough. The two take turns:
    /// gradients and totals of both add up, and either one's update uses them.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub async fn beside(
        &self,
        ctx: &Device,
        graph: &Graph,
        parameters: &Parameters,
        input: &Tensor,
        options: &TrainingOptions,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        Self::plan(ctx, graph, parameters, input, options, Some(self), turns).await
    }

    async fn plan(
        ctx: &Device,
        graph: &Graph,
        parameters: &Parameters,
        input: &Tensor,
        options: &TrainingOptions,
        other: Option<&Self>,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        graph.value("fc").map_err(|_| Error::Spec("a net without a classifier `fc` cannot be trained".into()))?;
        let shape = input.shape;
        let pool = other.map_or(&[][..], |other| &other.slots);
        let scribe = Scribe::new(ctx, graph, parameters, input, Goal::Loss, pool)?;
        let tape = &scribe.tape;

        let classes = tape.shape(tape.logits).c;
        let mut class_weights = vec![1.0; classes];
        if !options.class_weights.is_empty() {
            class_weights.clone_from(&options.class_weights);
        }
        class_weights.resize(classes.next_multiple_of(4), 0.0);
        let fixed = |what: &str, bytes: usize| Slice::new(ctx, what, bytes as u64);
        let targets = fixed("targets", shape.n * size_of::<Target>())?;
        let rows = fixed("losses by image", shape.n * 16)?;
        let common = |what: &str, bytes: usize, of: fn(&Self) -> &Slice| match other {
            Some(other) => Ok(of(other).clone()),
            None => fixed(what, bytes),
        };
        let totals = common("totals", 32, |other| &other.totals)?;
        let class_weights = Slice::with_bytes(ctx, "class weights", &Precision::F32.encode(&class_weights))?;
        let loss = |recorder: &mut Recorder, d_logits: Option<BufferId>| {
            let d_logits = d_logits.map(|id| scribe.tensor(id));
            let call = LossCall {
                label: "loss",
                kind: options.loss,
                shares: options.shares && d_logits.is_some(),
                logits: &scribe.tensor(tape.logits),
                targets: &targets,
                class_weights: &class_weights,
                share: 1.0 / options.micro_batches as f32,
                d_logits: d_logits.as_ref(),
                rows: &rows,
                totals: &totals,
            };
            ops::record_loss(recorder, ctx, &call)
        };

        let mut recorder = Recorder::new();
        let mut passes = Vec::new();
        for step in &tape.steps {
            match step {
                Step::Loss { d_logits, .. } => loss(&mut recorder, Some(*d_logits))?,
                step => scribe.record(&mut recorder, step, options.statistics)?,
            }
            turns.offer().await;
            passes.resize(recorder.dispatches(), Pass::of(graph, step));
        }
        let step = recorder.finish_long(ctx);

        let mut recorder = Recorder::new();
        for step in &tape.steps[..tape.forward] {
            scribe.record(&mut recorder, step, Statistics::Running)?;
            turns.offer().await;
        }
        loss(&mut recorder, None)?;
        let evaluate = recorder.finish_long(ctx);

        let values = common("step values", size_of::<StepValues>(), |other| &other.values)?;
        let norm = common("gradient norm", 16, |other| &other.norm)?;
        let update = record_update(ctx, parameters, options, &values, &norm)?;

        let (parameter_bytes, gradient_bytes, optimizer_bytes) = parameters.bytes();
        Ok(Self {
            input: input.clone(),
            logits: scribe.tensor(tape.logits),
            targets,
            rows,
            totals,
            values,
            norm,
            slots: scribe.slots.clone(),
            gradients: parameters.regions().iter().map(|region| region.gradients.clone()).collect(),
            step,
            passes,
            update,
            evaluate,
            memory: TrainingMemory { parameter_bytes, gradient_bytes, optimizer_bytes, activation_bytes: scribe.bytes },
            optimizer: options.optimizer,
        })
    }

    /// What a plan for `input` would need, without making it.
    pub fn estimate(ctx: &Device, graph: &Graph, parameters: &Parameters, input: Shape) -> Result<TrainingMemory> {
        let activation_bytes = scribe::tape(ctx, graph, parameters, input, Goal::Loss)?.assignment().total_bytes();
        let (parameter_bytes, gradient_bytes, optimizer_bytes) = parameters.bytes();
        Ok(TrainingMemory { parameter_bytes, gradient_bytes, optimizer_bytes, activation_bytes })
    }

    /// Where images or features go: `(N, C, H, W)`.
    pub fn input(&self) -> &Tensor {
        &self.input
    }

    /// The logits `(N, classes, 1, 1)` of the last run.
    pub fn logits(&self) -> &Tensor {
        &self.logits
    }

    /// By image of the last run: loss, rank of the true class, largest probability, predicted class.
    pub fn rows(&self) -> &Slice {
        &self.rows
    }

    /// Sets the classes of the images in the input, one for each of the N.
    pub fn set_targets(&self, ctx: &Device, targets: &[Target]) {
        self.targets.write(ctx, bytemuck::cast_slice(targets));
    }

    /// Queues forward and backward of one micro-batch; gradients and totals add up.
    pub fn accumulate(&self, ctx: &Device) -> Result<()> {
        self.step.run(ctx)
    }

    /// Queues the update with the gradients summed so far and clears them. Steps count from 1. A step whose gradient is not
    /// finite changes nothing and is counted, see [`skipped`](Self::skipped).
    pub fn update(&self, ctx: &Device, learning_rate: f32, step: u32, clip_norm: Option<f32>) -> Result<()> {
        let values = StepValues::new(&self.optimizer, learning_rate, step, clip_norm);
        self.values.write(ctx, bytemuck::bytes_of(&values));
        self.update.run(ctx)
    }

    /// Queues a forward pass with the running statistics, and its loss.
    pub fn evaluate(&self, ctx: &Device) -> Result<()> {
        self.evaluate.run(ctx)
    }

    /// Starts new totals.
    pub fn reset_totals(&self, ctx: &Device) {
        self.totals.write(ctx, &[0; 32]);
    }

    /// Waits for the queued work and reads the sums.
    pub async fn totals(&self, ctx: &Device) -> Result<Totals> {
        let values = Precision::F32.decode(&self.totals.read(ctx).await?);
        let at = |i: usize| f64::from(values[i]);
        Ok(Totals { loss: at(0), weight: at(1), top1: at(2), top5: at(3), not_finite: at(4) })
    }

    /// Gradient norm of the last update, and how many updates were left out because it was not finite.
    pub async fn skipped(&self, ctx: &Device) -> Result<(f32, u32)> {
        let values = Precision::F32.decode(&self.norm.read(ctx).await?);
        Ok((values[0].sqrt(), values[1] as u32))
    }

    /// Forgets totals and skipped updates, and gradients that no update has used.
    pub fn forget(&self, ctx: &Device) {
        self.reset_totals(ctx);
        self.norm.write(ctx, &[0; 16]);
        self.gradients.iter().for_each(|slice| slice.write(ctx, &vec![0; slice.bytes() as usize]));
    }

    /// Bytes on the GPU.
    pub fn memory(&self) -> TrainingMemory {
        self.memory
    }

    /// What is replayed: forward and backward, the update, the evaluation.
    pub fn recordings(&self) -> [&Recording; 3] {
        [&self.step, &self.update, &self.evaluate]
    }

    /// Dispatches of a step of one micro-batch.
    pub fn dispatches(&self) -> usize {
        self.step.dispatches() + self.update.dispatches()
    }

    /// Multiply-adds of forward and backward.
    pub fn cost(&self) -> u64 {
        self.step.cost()
    }

    /// Runs one step and times every dispatch.
    pub async fn profile(&self, ctx: &Device) -> Result<Vec<(Pass, DispatchTime)>> {
        let step = self.step.profile(ctx).await?;
        let update = self.update.profile(ctx).await?;
        let times = self.passes.iter().copied().zip(step);
        Ok(times.chain(update.into_iter().map(|time| (Pass::Update, time))).collect())
    }
}

fn record_update(
    ctx: &Device,
    parameters: &Parameters,
    options: &TrainingOptions,
    values: &Slice,
    norm: &Slice,
) -> Result<Recording> {
    let mut recorder = Recorder::new();
    let gradients: Vec<Slice> = parameters.regions().iter().map(|region| region.gradients.clone()).collect();
    let bytes = gradients.iter().map(Slice::bytes).sum();
    let scratch = Slice::new(ctx, "sums of squares", ops::gradient_norm_scratch_bytes(bytes))?;
    ops::record_gradient_norm(&mut recorder, ctx, "gradient norm", &gradients, &scratch, norm)?;
    for region in parameters.regions() {
        let call = UpdateCall {
            label: "update",
            optimizer: &options.optimizer,
            params: &region.values,
            gradients: &region.gradients,
            state: &region.state,
            values,
            norm,
            learning_rate_multiplier: region.multiplier,
            weight_decay: region.decay,
            decoupled: options.decoupled,
        };
        ops::record_update(&mut recorder, ctx, &call)?;
    }
    gradients.iter().for_each(|slice| recorder.clear(slice));
    Ok(recorder.finish_long(ctx))
}
