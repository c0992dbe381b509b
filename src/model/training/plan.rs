//! The compiled plan of a training step.

use super::parameters::Parameters;
use super::tape::{self, BufferId, Sizes, Step, Tape};
use crate::gpu::{Context, DispatchTime, Lifetime, Precision, Recorder, Recording, Shape, Slice, Tensor, assign_slots};
use crate::model::graph::{Graph, Op};
use crate::model::{Turns, without_turns};
use crate::ops::{
    self, Conv2d, ConvBackward, ConvCall, ConvInputGradient, ConvWeightGradient, LossCall, LossKind, NormBackward, NormForward,
    NormParams, Optimizer, Statistics, StepValues, Target, UpdateCall,
};
use crate::{Error, Result};

/// What a step computes.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// What is minimised.
    pub loss: LossKind,
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
    fn of(step: &Step) -> Self {
        match step {
            Step::Norm { .. } => Self::ForwardNorm,
            Step::NormBackward { .. } => Self::BackwardNorm,
            Step::Loss { .. } => Self::Loss,
            Step::LinearBackward { .. } | Step::ConvWeightBackward { .. } | Step::ConvBiasBackward { .. } => {
                Self::WeightGradient
            }
            Step::Conv { .. }
            | Step::Relu { .. }
            | Step::Add { .. }
            | Step::MaxPool { .. }
            | Step::Shortcut { .. }
            | Step::AvgPool { .. }
            | Step::Linear { .. } => Self::Forward,
            _ => Self::InputGradient,
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
    pub fn new(
        ctx: &Context,
        graph: &Graph,
        parameters: &Parameters,
        input: &Tensor,
        options: &TrainingOptions,
    ) -> Result<Self> {
        without_turns(Self::in_turns(ctx, graph, parameters, input, options, &mut Turns::none()))
    }

    /// [`new`](Self::new), with turns for others between layers.
    pub async fn in_turns(
        ctx: &Context,
        graph: &Graph,
        parameters: &Parameters,
        input: &Tensor,
        options: &TrainingOptions,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        graph.value("fc").map_err(|_| Error::Spec("a net without a classifier `fc` cannot be trained".into()))?;
        let shape = input.shape;
        let shapes = graph.shapes(shape.n, shape.h, shape.w)?;
        let convs = Convolutions::choose(ctx, graph, parameters, &shapes);
        let tape = tape::write(graph, &shapes, &DeviceSizes { ctx, convs: &convs });
        let lifetimes: Vec<Lifetime> = tape.buffers[1..].iter().map(|buffer| buffer.life).collect();
        let assignment = assign_slots(&lifetimes);
        let slots = assignment
            .slots
            .iter()
            .enumerate()
            .map(|(slot, bytes)| {
                let largest = (0..lifetimes.len())
                    .filter(|i| assignment.slot_of[*i] == slot)
                    .max_by_key(|i| lifetimes[*i].bytes)
                    .map_or("", |i| tape.buffers[i + 1].name.as_str());
                Slice::new(ctx, &format!("training buffer ({largest})"), *bytes)
            })
            .collect::<Result<Vec<_>>>()?;
        let buffers: Vec<Slice> = std::iter::once(input.slice.clone())
            .chain((0..lifetimes.len()).map(|i| slots[assignment.slot_of[i]].part(0, lifetimes[i].bytes)))
            .collect();

        let classes = tape.buffers[tape.logits.0].shape.map_or(0, |shape| shape.c);
        let mut class_weights = vec![1.0; classes];
        if !options.class_weights.is_empty() {
            class_weights.clone_from(&options.class_weights);
        }
        class_weights.resize(classes.next_multiple_of(4), 0.0);
        let fixed = |what: &str, bytes: usize| Slice::new(ctx, what, bytes as u64);
        let scribe = Scribe {
            ctx,
            graph,
            parameters,
            convs: &convs,
            tape: &tape,
            buffers,
            options,
            targets: fixed("targets", shape.n * size_of::<Target>())?,
            rows: fixed("losses by image", shape.n * 16)?,
            totals: fixed("totals", 32)?,
            class_weights: Slice::with_bytes(ctx, "class weights", &Precision::F32.encode(&class_weights))?,
        };

        let mut recorder = Recorder::new();
        let mut passes = Vec::new();
        for step in &tape.steps {
            scribe.record(&mut recorder, step, options.statistics)?;
            turns.offer().await;
            passes.resize(recorder.dispatches(), Pass::of(step));
        }
        let step = recorder.finish_long(ctx);

        let mut recorder = Recorder::new();
        for step in &tape.steps[..tape.forward] {
            scribe.record(&mut recorder, step, Statistics::Running)?;
            turns.offer().await;
        }
        scribe.loss(&mut recorder, tape.logits, None)?;
        let evaluate = recorder.finish_long(ctx);

        let values = fixed("step values", size_of::<StepValues>())?;
        let norm = fixed("gradient norm", 16)?;
        let update = record_update(ctx, parameters, options, &values, &norm)?;

        let (parameter_bytes, gradient_bytes, optimizer_bytes) = parameters.bytes();
        let activation_bytes = slots.iter().map(Slice::bytes).sum();
        Ok(Self {
            input: input.clone(),
            logits: scribe.tensor(tape.logits),
            targets: scribe.targets,
            rows: scribe.rows,
            totals: scribe.totals,
            values,
            norm,
            gradients: parameters.regions().iter().map(|region| region.gradients.clone()).collect(),
            step,
            passes,
            update,
            evaluate,
            memory: TrainingMemory { parameter_bytes, gradient_bytes, optimizer_bytes, activation_bytes },
            optimizer: options.optimizer,
        })
    }

    /// What a plan for `input` would need, without making it.
    pub fn estimate(ctx: &Context, graph: &Graph, parameters: &Parameters, input: Shape) -> Result<TrainingMemory> {
        let shapes = graph.shapes(input.n, input.h, input.w)?;
        let convs = Convolutions::choose(ctx, graph, parameters, &shapes);
        let tape = tape::write(graph, &shapes, &DeviceSizes { ctx, convs: &convs });
        let lifetimes: Vec<Lifetime> = tape.buffers[1..].iter().map(|buffer| buffer.life).collect();
        let (parameter_bytes, gradient_bytes, optimizer_bytes) = parameters.bytes();
        let activation_bytes = assign_slots(&lifetimes).total_bytes();
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
    pub fn set_targets(&self, ctx: &Context, targets: &[Target]) {
        self.targets.write(ctx, bytemuck::cast_slice(targets));
    }

    /// Queues forward and backward of one micro-batch; gradients and totals add up.
    pub fn accumulate(&self, ctx: &Context) -> Result<()> {
        self.step.run(ctx)
    }

    /// Queues the update with the gradients summed so far and clears them. Steps count from 1. A step whose gradient is not
    /// finite changes nothing and is counted, see [`skipped`](Self::skipped).
    pub fn update(&self, ctx: &Context, learning_rate: f32, step: u32, clip_norm: Option<f32>) -> Result<()> {
        let values = StepValues::new(&self.optimizer, learning_rate, step, clip_norm);
        self.values.write(ctx, bytemuck::bytes_of(&values));
        self.update.run(ctx)
    }

    /// Queues a forward pass with the running statistics, and its loss.
    pub fn evaluate(&self, ctx: &Context) -> Result<()> {
        self.evaluate.run(ctx)
    }

    /// Starts new totals.
    pub fn reset_totals(&self, ctx: &Context) {
        self.totals.write(ctx, &[0; 32]);
    }

    /// Waits for the queued work and reads the sums.
    pub async fn totals(&self, ctx: &Context) -> Result<Totals> {
        let values = Precision::F32.decode(&self.totals.read(ctx).await?);
        let at = |i: usize| f64::from(values[i]);
        Ok(Totals { loss: at(0), weight: at(1), top1: at(2), top5: at(3), not_finite: at(4) })
    }

    /// Gradient norm of the last update, and how many updates were left out because it was not finite.
    pub async fn skipped(&self, ctx: &Context) -> Result<(f32, u32)> {
        let values = Precision::F32.decode(&self.norm.read(ctx).await?);
        Ok((values[0].sqrt(), values[1] as u32))
    }

    /// Forgets totals and skipped updates, and gradients that no update has used.
    pub fn forget(&self, ctx: &Context) {
        self.reset_totals(ctx);
        self.norm.write(ctx, &[0; 16]);
        self.gradients.iter().for_each(|slice| slice.write(ctx, &vec![0; slice.bytes() as usize]));
    }

    /// Bytes on the GPU.
    pub fn memory(&self) -> TrainingMemory {
        self.memory
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
    pub async fn profile(&self, ctx: &Context) -> Result<Vec<(Pass, DispatchTime)>> {
        let step = self.step.profile(ctx).await?;
        let update = self.update.profile(ctx).await?;
        let times = self.passes.iter().copied().zip(step);
        Ok(times.chain(update.into_iter().map(|time| (Pass::Update, time))).collect())
    }
}

fn record_update(
    ctx: &Context,
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

/// By node: the convolutions and how their gradients are computed.
struct Convolutions(Vec<Option<(Conv2d, ConvBackward)>>);

impl Convolutions {
    fn choose(ctx: &Context, graph: &Graph, parameters: &Parameters, shapes: &[Shape]) -> Self {
        let of = |node: &crate::model::graph::Node| match &node.op {
            Op::Conv2d(conv) => {
                let kernel = parameters.kernel(&node.name);
                Some((*conv, ConvBackward::choose(ctx, conv, shapes[node.inputs[0].0], kernel)))
            }
            _ => None,
        };
        Self(graph.nodes.iter().map(of).collect())
    }

    fn at(&self, node: usize) -> &(Conv2d, ConvBackward) {
        self.0[node].as_ref().expect("the tape names convolutions here")
    }
}

struct DeviceSizes<'a> {
    ctx: &'a Context,
    convs: &'a Convolutions,
}

impl Sizes for DeviceSizes<'_> {
    fn norm(&self, shape: Shape) -> (u64, u64) {
        (ops::norm_saved_bytes(shape), ops::norm_scratch_bytes(self.ctx, shape))
    }

    fn argmax(&self, output: Shape) -> u64 {
        ops::max_pool_argmax_bytes(output)
    }

    fn conv_weight(&self, node: usize, input: Shape) -> Vec<u64> {
        let (conv, backward) = self.convs.at(node);
        backward.weight_scratch(conv, input)
    }

    fn conv_input(&self, node: usize, input: Shape) -> Vec<u64> {
        let (conv, backward) = self.convs.at(node);
        backward.input_scratch(conv, input)
    }

    fn channel_sum(&self, output: Shape) -> u64 {
        ops::channel_sum_scratch_bytes(self.ctx, output)
    }
}

/// Turns steps of the tape into dispatches.
struct Scribe<'a> {
    ctx: &'a Context,
    graph: &'a Graph,
    parameters: &'a Parameters,
    convs: &'a Convolutions,
    tape: &'a Tape,
    buffers: Vec<Slice>,
    options: &'a TrainingOptions,
    targets: Slice,
    rows: Slice,
    totals: Slice,
    class_weights: Slice,
}

impl Scribe<'_> {
    fn tensor(&self, id: BufferId) -> Tensor {
        let shape = self.tape.buffers[id.0].shape.expect("only activations are used as tensors");
        Tensor { slice: self.buffers[id.0].clone(), shape, precision: Precision::F32 }
    }

    fn slices(&self, ids: &[BufferId]) -> Vec<Slice> {
        ids.iter().map(|id| self.buffers[id.0].clone()).collect()
    }

    fn loss(&self, recorder: &mut Recorder, logits: BufferId, d_logits: Option<BufferId>) -> Result<()> {
        let d_logits = d_logits.map(|id| self.tensor(id));
        let call = LossCall {
            label: "loss",
            kind: self.options.loss,
            logits: &self.tensor(logits),
            targets: &self.targets,
            class_weights: &self.class_weights,
            share: 1.0 / self.options.micro_batches as f32,
            d_logits: d_logits.as_ref(),
            rows: &self.rows,
            totals: &self.totals,
        };
        ops::record_loss(recorder, self.ctx, &call)
    }

    fn record(&self, recorder: &mut Recorder, step: &Step, statistics: Statistics) -> Result<()> {
        let ctx = self.ctx;
        let name = |node: usize| self.graph.nodes[node].name.as_str();
        let value = |node: usize, role: &str| self.parameters.value(&format!("{}.{role}", name(node)));
        let gradient = |node: usize, role: &str| self.parameters.gradient(&format!("{}.{role}", name(node)));
        let tensor = |id: &BufferId| self.tensor(*id);
        let maybe = |id: &Option<BufferId>| id.map(|id| self.tensor(id));
        match step {
            Step::Conv { node, input, residual, output } => {
                let (conv, _) = self.convs.at(*node);
                let bias = match conv.bias {
                    true => value(*node, "bias"),
                    false => Slice::new(ctx, "no bias", conv.out_channels.next_multiple_of(4) as u64 * 4)?,
                };
                let residual = maybe(residual);
                let call = ConvCall {
                    label: name(*node),
                    conv,
                    input: &tensor(input),
                    weight: &value(*node, "weight"),
                    bias: &bias,
                    residual: residual.as_ref(),
                    relu: false,
                    output: &tensor(output),
                    scratch: &[],
                };
                self.parameters.kernel(name(*node)).record(recorder, ctx, &call)
            }
            Step::Norm { node, input, residual, relu, output, saved, scratch } => {
                let slices = NormSlices::new(self.parameters, name(*node));
                let residual = maybe(residual);
                let call = NormForward {
                    label: name(*node),
                    input: &tensor(input),
                    params: slices.params(self.eps(*node)),
                    statistics,
                    saved: &self.buffers[saved.0],
                    scratch: &self.buffers[scratch.0],
                    residual: residual.as_ref(),
                    relu: *relu,
                    output: &tensor(output),
                };
                ops::record_norm_forward(recorder, ctx, &call)
            }
            Step::NormBackward { node, input, output, d_output, relu, residual, saved, scratch, accumulate, d_input } => {
                let slices = NormSlices::new(self.parameters, name(*node));
                let (accumulate, d_input) = (maybe(accumulate), maybe(d_input));
                let call = NormBackward {
                    label: name(*node),
                    input: &tensor(input),
                    output: &tensor(output),
                    d_output: &tensor(d_output),
                    params: slices.params(self.eps(*node)),
                    statistics,
                    saved: &self.buffers[saved.0],
                    scratch: &self.buffers[scratch.0],
                    relu: *relu,
                    d_weight: &gradient(*node, "weight"),
                    d_bias: &gradient(*node, "bias"),
                    accumulate: accumulate.as_ref(),
                    d_input: d_input.as_ref(),
                    d_residual: *residual,
                };
                ops::record_norm_backward(recorder, ctx, &call)
            }
            Step::Relu { node, input, output } => ops::record_relu(recorder, ctx, name(*node), &tensor(input), &tensor(output)),
            Step::ReluBackward { node, output, d_output, accumulate, d_input } => ops::record_relu_backward(
                recorder,
                ctx,
                name(*node),
                &tensor(output),
                &tensor(d_output),
                maybe(accumulate).as_ref(),
                &tensor(d_input),
            ),
            Step::Add { node, a, b, output } => {
                ops::record_add(recorder, ctx, name(*node), &tensor(a), &tensor(b), false, &tensor(output))
            }
            Step::AddGradients { a, b, sum } => {
                ops::record_add(recorder, ctx, "sum of gradients", &tensor(a), &tensor(b), false, &tensor(sum))
            }
            Step::CopyGradient { from, to } => {
                recorder.copy(&self.buffers[from.0], &self.buffers[to.0]);
                Ok(())
            }
            Step::MaxPool { node, input, argmax, output } => {
                let argmax = &self.buffers[argmax.0];
                ops::record_max_pool_train(
                    recorder,
                    ctx,
                    name(*node),
                    self.pool(*node),
                    &tensor(input),
                    argmax,
                    &tensor(output),
                )
            }
            Step::MaxPoolBackward { node, argmax, d_output, accumulate, d_input } => ops::record_max_pool_backward(
                recorder,
                ctx,
                name(*node),
                self.pool(*node),
                &self.buffers[argmax.0],
                &tensor(d_output),
                maybe(accumulate).as_ref(),
                &tensor(d_input),
            ),
            Step::Shortcut { node, input, output } => {
                let (stride, offset) = self.shortcut(*node);
                ops::record_shortcut(recorder, ctx, name(*node), stride, offset, &tensor(input), &tensor(output))
            }
            Step::ShortcutBackward { node, d_output, accumulate, d_input } => {
                let (stride, offset) = self.shortcut(*node);
                ops::record_shortcut_backward(
                    recorder,
                    ctx,
                    name(*node),
                    stride,
                    offset,
                    &tensor(d_output),
                    maybe(accumulate).as_ref(),
                    &tensor(d_input),
                )
            }
            Step::AvgPool { node, input, output } => {
                ops::record_global_avg_pool(recorder, ctx, name(*node), &tensor(input), &tensor(output))
            }
            Step::AvgPoolBackward { node, d_output, accumulate, d_input } => ops::record_global_avg_pool_backward(
                recorder,
                ctx,
                name(*node),
                &tensor(d_output),
                maybe(accumulate).as_ref(),
                &tensor(d_input),
            ),
            Step::Linear { node, input, output } => ops::record_linear(
                recorder,
                ctx,
                name(*node),
                &tensor(input),
                &value(*node, "weight"),
                &value(*node, "bias"),
                &tensor(output),
            ),
            Step::LinearBackward { node, input, d_output, d_input } => {
                let (d_weight, d_bias) = (gradient(*node, "weight"), gradient(*node, "bias"));
                let (input, d_output) = (tensor(input), tensor(d_output));
                ops::record_linear_weight_gradient(recorder, ctx, name(*node), &input, &d_output, &d_weight, &d_bias)?;
                match d_input {
                    Some(d_input) => ops::record_linear_input_gradient(
                        recorder,
                        ctx,
                        name(*node),
                        &d_output,
                        &value(*node, "weight"),
                        &tensor(d_input),
                    ),
                    None => Ok(()),
                }
            }
            Step::Loss { logits, d_logits } => self.loss(recorder, *logits, Some(*d_logits)),
            Step::ConvWeightBackward { node, input, d_output, scratch } => {
                let (conv, backward) = self.convs.at(*node);
                let call = ConvWeightGradient {
                    label: name(*node),
                    conv,
                    input: &tensor(input),
                    d_output: &tensor(d_output),
                    d_weight: &gradient(*node, "weight"),
                    scratch: &self.slices(scratch),
                };
                backward.record_weight(recorder, ctx, &call)
            }
            Step::ConvBiasBackward { node, d_output, scratch } => ops::record_channel_sum(
                recorder,
                ctx,
                name(*node),
                &tensor(d_output),
                &self.buffers[scratch.0],
                &gradient(*node, "bias"),
            ),
            Step::ConvInputBackward { node, d_output, accumulate, d_input, scratch } => {
                let (conv, backward) = self.convs.at(*node);
                let accumulate = maybe(accumulate);
                let call = ConvInputGradient {
                    label: name(*node),
                    conv,
                    d_output: &tensor(d_output),
                    weight: &value(*node, "weight"),
                    accumulate: accumulate.as_ref(),
                    d_input: &tensor(d_input),
                    scratch: &self.slices(scratch),
                };
                backward.record_input(recorder, ctx, &call)
            }
        }
    }

    fn eps(&self, node: usize) -> f32 {
        match self.graph.nodes[node].op {
            Op::BatchNorm { eps, .. } => eps,
            _ => unreachable!("the tape names batch norms here"),
        }
    }

    fn pool(&self, node: usize) -> &ops::MaxPool {
        match &self.graph.nodes[node].op {
            Op::MaxPool(pool) => pool,
            _ => unreachable!("the tape names max pools here"),
        }
    }

    /// Stride and channel offset.
    fn shortcut(&self, node: usize) -> (usize, usize) {
        match self.graph.nodes[node].op {
            Op::Subsample { stride } => (stride, 0),
            Op::ZeroPadShortcut { stride, offset, .. } => (stride, offset),
            _ => unreachable!("the tape names shortcuts here"),
        }
    }
}

/// A batch norm's parameters and statistics.
struct NormSlices([Slice; 4]);

impl NormSlices {
    fn new(parameters: &Parameters, name: &str) -> Self {
        Self(["weight", "bias", "running_mean", "running_var"].map(|role| parameters.value(&format!("{name}.{role}"))))
    }

    fn params(&self, eps: f32) -> NormParams<'_> {
        let [weight, bias, running_mean, running_var] = &self.0;
        NormParams { weight, bias, running_mean, running_var, eps }
    }
}
