//! The compiled plan of a forward pass: weights folded and packed, buffers shared by lifetime, one recording to replay.

use super::fuse::{Kind, Step, fuse};
use super::graph::{Graph, Op, ValueId};
use crate::gpu::{
    Assignment, Context, DispatchTime, Lifetime, Precision, Recorder, Recording, Shape, Slice, Tensor, assign_slots,
};
use crate::ops::{self, Affine, Conv2d, ConvCall, ConvKernel, Linear, Method};
use crate::weights::StateDict;
use crate::{Error, Result};

/// What to plan for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOptions {
    /// Element type of activations and weights.
    pub precision: Precision,
    /// Images a run.
    pub batch: usize,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Further layers to keep for reading, by name: `layer4`, `layer1.0.conv1`.
    pub taps: Vec<String>,
    /// Use this convolution kernel wherever it can, whatever the adapter (tests and measurements).
    pub conv_kernel: Option<ConvKernel>,
}

impl PlanOptions {
    /// f32, one square image of `size` pixels, no taps.
    pub fn new(size: usize) -> Self {
        Self { precision: Precision::F32, batch: 1, height: size, width: size, taps: Vec::new(), conv_kernel: None }
    }
}

/// GPU memory of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct MemoryUse {
    /// Packed weights and biases.
    pub weight_bytes: u64,
    /// Activations and temporaries, shared by lifetime.
    pub activation_bytes: u64,
}

/// Builds a plan: everything but the weights at once, then layer by layer their values, so that a page can show progress and
/// stay alive between layers.
///
/// ```no_run
/// # use reslab::{gpu::Context, model::{graph::Graph, PlanBuilder, PlanOptions}, weights::StateDict};
/// # fn f(ctx: &Context, graph: &Graph, weights: &StateDict) -> reslab::Result<()> {
/// let mut builder = PlanBuilder::new(ctx, graph, PlanOptions::new(224))?;
/// builder.warm_up(ctx)?;
/// while builder.advance(ctx, graph, weights)? {
///     println!("{:.0} %", builder.progress() * 100.0);
/// }
/// let plan = builder.finish();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PlanBuilder {
    plan: InferencePlan,
    steps: Vec<Step>,
    kernels: Vec<Option<ConvKernel>>,
    /// Of each step, in the order of [`parameter_values`].
    parameters: Vec<Vec<Slice>>,
    next: usize,
}

impl PlanBuilder {
    /// Fuses the graph, shares buffers, allocates them and records every dispatch; weights are zero. The last layers (`fc` and `softmax`, or whatever a net without a
    /// head ends in) can always be read.
    ///
    /// # Errors
    /// [`Error::Spec`] when the image is too small, [`Error::Limit`] when a layer exceeds the adapter's binding size,
    /// [`Error::Unknown`] for a tap that is no layer, [`Error::Usage`] for f16 where the adapter has none.
    pub fn new(ctx: &Context, graph: &Graph, options: PlanOptions) -> Result<Self> {
        if options.precision == Precision::F16 && !ctx.has_f16() {
            return Err(Error::Usage("this adapter has no shader-f16; use f32".into()));
        }
        let shapes = graph.shapes(options.batch, options.height, options.width)?;
        let mut outputs = Vec::new();
        let last = graph.nodes.last().map_or("", |node| node.name.as_str());
        let results = if graph.value("fc").is_ok() { vec!["fc", "softmax"] } else { vec![last] };
        for name in results.into_iter().chain(options.taps.iter().map(String::as_str)) {
            outputs.push((name.to_owned(), graph.value(name)?));
        }
        let kept: Vec<ValueId> = outputs.iter().map(|(_, value)| *value).collect();
        let steps = fuse(graph, &kept);

        let mut kernels: Vec<_> = steps.iter().map(|s| conv_kernel(ctx, graph, s, &shapes, &options)).collect();
        if options.conv_kernel.is_none() {
            limit_winograd(&mut kernels, |step, kernel| match convolution(graph, &steps[step]) {
                Some(conv) => kernel.saving(conv, shapes[steps[step].inputs[0].0]),
                None => 0,
            });
        }
        let layout = Layout::new(graph, &steps, &kernels, &shapes, &kept, options.precision);
        let slots = layout
            .assignment
            .slots
            .iter()
            .enumerate()
            .map(|(i, bytes)| Slice::new(ctx, &format!("activations of `{}`", layout.largest_name(graph, i)), *bytes))
            .collect::<Result<Vec<_>>>()?;
        let slice = |index: usize| slots[layout.assignment.slot_of[index]].part(0, layout.lifetimes[index].bytes);
        let mut tensors = vec![None; graph.nodes.len()];
        for (index, value) in layout.values.iter().enumerate() {
            tensors[value.0] = Some(Tensor { slice: slice(index), shape: shapes[value.0], precision: options.precision });
        }
        let tensor = |value: ValueId| tensors[value.0].as_ref().expect("every value a step touches was laid out above");

        let mut recorder = Recorder::new();
        let mut parameters = Vec::with_capacity(steps.len());
        let mut scratch_index = layout.values.len();
        for (step, kernel) in steps.iter().zip(&kernels) {
            let count = kernel.map_or(0, |kernel| scratch_bytes(graph, step, kernel, &shapes, options.precision).len());
            let scratch: Vec<_> = (scratch_index..scratch_index + count).map(slice).collect();
            scratch_index += count;
            let slices = parameter_bytes(graph, step, *kernel, options.precision)
                .into_iter()
                .map(|(what, bytes)| Slice::new(ctx, &format!("{}.{what}", step.name), bytes as u64))
                .collect::<Result<Vec<_>>>()?;
            record(&mut recorder, ctx, graph, step, *kernel, &slices, &scratch, &tensor)?;
            parameters.push(slices);
        }
        let memory = MemoryUse {
            weight_bytes: parameters.iter().flatten().map(Slice::bytes).sum(),
            activation_bytes: slots.iter().map(Slice::bytes).sum(),
        };
        let plan = InferencePlan {
            input: tensor(ValueId(0)).clone(),
            outputs: outputs.iter().map(|(name, value)| (name.clone(), tensor(*value).clone())).collect(),
            recording: recorder.finish(ctx),
            memory,
            options,
        };
        Ok(Self { plan, steps, kernels, parameters, next: 0 })
    }

    /// Queues a pass with what weights there are: drivers compile a kernel, or the most of it, when it first runs, and may do
    /// so while weights are still fetched and packed. A batch is too much work to do in vain, and waits.
    pub fn warm_up(&self, ctx: &Context) -> Result<()> {
        if self.plan.options.batch > 1 {
            return Ok(());
        }
        self.plan.run(ctx)
    }

    /// Where the plan's images go.
    pub fn input(&self) -> &Tensor {
        self.plan.input()
    }

    /// Share of the layers done, 0 to 1.
    pub fn progress(&self) -> f32 {
        self.next as f32 / self.steps.len().max(1) as f32
    }

    /// Packs and uploads the next layer's weights. False when nothing is left.
    ///
    /// # Errors
    /// [`Error::TensorMismatch`] when a parameter is missing or has another shape.
    pub fn advance(&mut self, ctx: &Context, graph: &Graph, weights: &StateDict) -> Result<bool> {
        let Some(step) = self.steps.get(self.next) else { return Ok(false) };
        let values = parameter_values(graph, step, self.kernels[self.next], weights)?;
        for (index, (values, slice)) in values.into_iter().zip(&self.parameters[self.next]).enumerate() {
            // Weights come first; what is added to sums or scales them is f32.
            let precision = if index == 0 && !matches!(step.kind, Kind::Norm { .. }) {
                self.plan.options.precision
            } else {
                Precision::F32
            };
            slice.write_values(ctx, precision, &values);
        }
        self.next += 1;
        Ok(true)
    }

    /// The plan, once [`advance`](Self::advance) has nothing left.
    pub fn finish(self) -> InferencePlan {
        self.plan
    }
}

/// What a step's parameters are called, and their bytes on the GPU.
fn parameter_bytes(graph: &Graph, step: &Step, kernel: Option<ConvKernel>, precision: Precision) -> Vec<(&'static str, usize)> {
    let fours = |channels: usize| channels.next_multiple_of(4) * 4;
    let node = match step.kind {
        Kind::Conv { conv: node, .. } | Kind::Norm { norm: node, .. } | Kind::Plain { node } => node,
        Kind::Add { .. } => return Vec::new(),
    };
    match &graph.nodes[node].op {
        Op::Conv2d(conv) => {
            let weights = kernel.unwrap_or_default().packed_len(conv);
            vec![("weight", weights * precision.bytes()), ("bias", fours(conv.out_channels))]
        }
        Op::BatchNorm { channels, .. } => vec![("scale", fours(*channels)), ("shift", fours(*channels))],
        Op::Linear { in_features, out_features } => {
            let linear = Linear { in_features: *in_features, out_features: *out_features };
            vec![("weight", linear.packed_len() * precision.bytes()), ("bias", fours(*out_features))]
        }
        _ => Vec::new(),
    }
}

/// A step's parameters from the network's, batch norm folded in, packed: in the order of [`parameter_bytes`].
fn parameter_values(graph: &Graph, step: &Step, kernel: Option<ConvKernel>, weights: &StateDict) -> Result<Vec<Vec<f32>>> {
    Ok(match step.kind {
        Kind::Conv { conv: node, norm, .. } => {
            let Op::Conv2d(conv) = &graph.nodes[node].op else { unreachable!("fuse() puts convolutions here") };
            let (weight, bias) = conv_parameters(graph, node, norm, weights)?;
            vec![kernel.unwrap_or_default().pack(conv, &weight), bias]
        }
        Kind::Norm { norm, .. } => {
            let affine = affine(graph, norm, weights)?;
            vec![affine.scale, affine.shift]
        }
        Kind::Plain { node } => match &graph.nodes[node].op {
            Op::Linear { in_features, out_features } => {
                let linear = Linear { in_features: *in_features, out_features: *out_features };
                let name = &graph.nodes[node].name;
                let weight = weights.get(&format!("{name}.weight"), &[linear.out_features, linear.in_features])?;
                let bias = weights.get(&format!("{name}.bias"), &[linear.out_features])?;
                vec![linear.pack(&weight.data), bias.data.clone()]
            }
            _ => Vec::new(),
        },
        Kind::Add { .. } => Vec::new(),
    })
}

/// Records a step's dispatches.
#[allow(clippy::too_many_arguments)] // a step simply has this many parts
fn record<'a>(
    recorder: &mut Recorder,
    ctx: &Context,
    graph: &Graph,
    step: &Step,
    kernel: Option<ConvKernel>,
    parameters: &[Slice],
    scratch: &[Slice],
    tensor: &impl Fn(ValueId) -> &'a Tensor,
) -> Result<()> {
    let (input, output) = (tensor(step.inputs[0]), tensor(step.output));
    let label = step.name.as_str();
    match (&step.kind, parameters) {
        (&Kind::Conv { conv: node, residual, relu, .. }, [weight, bias]) => {
            let Op::Conv2d(conv) = &graph.nodes[node].op else { unreachable!("fuse() puts convolutions here") };
            let residual = residual.then(|| tensor(step.inputs[1]));
            let call = ConvCall { label, conv, input, weight, bias, residual, relu, output, scratch };
            kernel.unwrap_or_default().record(recorder, ctx, &call)
        }
        (&Kind::Norm { relu, .. }, [scale, shift]) => {
            ops::record_batch_norm(recorder, ctx, label, input, scale, shift, relu, output)
        }
        (&Kind::Add { relu }, _) => ops::record_add(recorder, ctx, label, input, tensor(step.inputs[1]), relu, output),
        (&Kind::Plain { node }, parameters) => match (&graph.nodes[node].op, parameters) {
            (Op::Linear { .. }, [weight, bias]) => ops::record_linear(recorder, ctx, label, input, weight, bias, output),
            (Op::Relu, _) => ops::record_relu(recorder, ctx, label, input, output),
            (Op::MaxPool(pool), _) => ops::record_max_pool(recorder, ctx, label, pool, input, output),
            (Op::Subsample { stride }, _) => ops::record_shortcut(recorder, ctx, label, *stride, 0, input, output),
            (Op::ZeroPadShortcut { stride, offset, .. }, _) => {
                ops::record_shortcut(recorder, ctx, label, *stride, *offset, input, output)
            }
            (Op::GlobalAvgPool, _) => ops::record_global_avg_pool(recorder, ctx, label, input, output),
            (Op::Softmax, _) => ops::record_softmax(recorder, ctx, label, input, output),
            _ => unreachable!("fuse() gives these their own kind, and parameter_bytes() a linear layer its two"),
        },
        _ => unreachable!("parameter_bytes() gives convolutions and norms two each"),
    }
}

/// A forward pass, ready to be replayed.
#[derive(Debug)]
pub struct InferencePlan {
    input: Tensor,
    outputs: Vec<(String, Tensor)>,
    recording: Recording,
    memory: MemoryUse,
    options: PlanOptions,
}

impl InferencePlan {
    /// Builds the whole plan at once.
    ///
    /// # Errors
    /// Those of [`PlanBuilder::new`] and [`PlanBuilder::advance`].
    pub fn new(ctx: &Context, graph: &Graph, weights: &StateDict, options: PlanOptions) -> Result<Self> {
        let mut builder = PlanBuilder::new(ctx, graph, options)?;
        while builder.advance(ctx, graph, weights)? {}
        ctx.check()?;
        Ok(builder.finish())
    }

    /// Where images go: `(batch, C, height, width)`. It keeps its content from run to run.
    pub fn input(&self) -> &Tensor {
        &self.input
    }

    /// What was planned for.
    pub fn options(&self) -> &PlanOptions {
        &self.options
    }

    /// Bytes on the GPU.
    pub fn memory(&self) -> MemoryUse {
        self.memory
    }

    /// The dispatches.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Queues a forward pass over the input.
    pub fn run(&self, ctx: &Context) -> Result<()> {
        self.recording.run(ctx)
    }

    /// Reads the layer `name` (`fc`, `softmax`, `avgpool` or a tap) of the last run as `(N, C, H, W)` values.
    pub async fn read(&self, ctx: &Context, name: &str) -> Result<Vec<f32>> {
        self.output(name)?.read_nchw(ctx).await
    }

    /// The tensor of the layer `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the plan does not keep that layer.
    pub fn output(&self, name: &str) -> Result<&Tensor> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor).ok_or_else(|| Error::Unknown {
            kind: "layer among those kept by this plan",
            name: name.into(),
            known: self.outputs.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Runs once and times every layer.
    pub async fn profile(&self, ctx: &Context) -> Result<Vec<DispatchTime>> {
        self.recording.profile(ctx).await
    }
}

/// Lifetimes of all values that are written, then of all temporaries.
struct Layout {
    values: Vec<ValueId>,
    lifetimes: Vec<Lifetime>,
    assignment: Assignment,
}

impl Layout {
    fn new(
        graph: &Graph,
        steps: &[Step],
        kernels: &[Option<ConvKernel>],
        shapes: &[Shape],
        kept: &[ValueId],
        precision: Precision,
    ) -> Self {
        // The input lives through the whole run: a repeated run starts from the same image.
        let mut values = vec![ValueId(0)];
        let mut lifetimes = vec![Lifetime { first: 0, last: usize::MAX, bytes: slot_bytes(shapes[0].bytes(precision)) }];
        for (t, step) in steps.iter().enumerate() {
            let last_read = steps.iter().rposition(|s| s.inputs.contains(&step.output)).unwrap_or(t);
            let last = if kept.contains(&step.output) { usize::MAX } else { last_read };
            values.push(step.output);
            lifetimes.push(Lifetime { first: t, last, bytes: slot_bytes(shapes[step.output.0].bytes(precision)) });
        }
        for (t, (step, kernel)) in steps.iter().zip(kernels).enumerate() {
            if let Some(kernel) = kernel {
                for bytes in scratch_bytes(graph, step, *kernel, shapes, precision) {
                    lifetimes.push(Lifetime { first: t, last: t, bytes: slot_bytes(bytes) });
                }
            }
        }
        let assignment = assign_slots(&lifetimes);
        Self { values, lifetimes, assignment }
    }

    /// A layer whose value fills the slot, for the error when the slot is too large.
    fn largest_name<'a>(&self, graph: &'a Graph, slot: usize) -> &'a str {
        self.values
            .iter()
            .enumerate()
            .filter(|(i, _)| self.assignment.slot_of[*i] == slot)
            .max_by_key(|(i, _)| self.lifetimes[*i].bytes)
            .map_or("a temporary buffer", |(_, value)| graph.nodes[value.0].name.as_str())
    }
}

/// Slices are whole vec4s.
fn slot_bytes(bytes: u64) -> u64 {
    bytes.max(16).next_multiple_of(16)
}

fn convolution<'a>(graph: &'a Graph, step: &Step) -> Option<&'a Conv2d> {
    let Kind::Conv { conv, .. } = step.kind else { return None };
    let Op::Conv2d(conv) = &graph.nodes[conv].op else { return None };
    Some(conv)
}

fn conv_kernel(ctx: &Context, graph: &Graph, step: &Step, shapes: &[Shape], options: &PlanOptions) -> Option<ConvKernel> {
    let conv = convolution(graph, step)?;
    let wanted = options.conv_kernel.filter(|kernel| kernel.supports(conv));
    Some(wanted.unwrap_or_else(|| ConvKernel::choose(ctx, conv, shapes[step.inputs[0].0], options.precision)))
}

/// Dispatches up to which a plan may be filled with Winograd's, which are three where the direct method has one. A larger
/// plan may grow by a tenth.
const FULL_PLAN: usize = 60;

/// Takes Winograd from the layers it saves least, as `saving` tells by step and kernel, until the plan is not too full.
fn limit_winograd(kernels: &mut [Option<ConvKernel>], saving: impl Fn(usize, ConvKernel) -> usize) {
    let full = FULL_PLAN.max(kernels.len() * 11 / 10);
    let affordable = full.saturating_sub(kernels.len()) / 2;
    let mut layers: Vec<_> = kernels
        .iter_mut()
        .enumerate()
        .filter_map(|(step, kernel)| kernel.as_mut().map(|kernel| (step, kernel)))
        .filter(|(_, kernel)| kernel.method != Method::Direct)
        .collect();
    // The sort is stable: among equals the earlier layers keep it.
    layers.sort_by_cached_key(|(step, kernel)| std::cmp::Reverse(saving(*step, **kernel)));
    for (_, kernel) in layers.into_iter().skip(affordable) {
        kernel.method = Method::Direct;
    }
}

fn scratch_bytes(graph: &Graph, step: &Step, kernel: ConvKernel, shapes: &[Shape], precision: Precision) -> Vec<u64> {
    let Some(conv) = convolution(graph, step) else { return Vec::new() };
    kernel.scratch(conv, shapes[step.inputs[0].0], precision)
}

/// A convolution's weight `(O, I, K, K)` and bias `(O)` with the batch norm folded in.
pub(super) fn conv_parameters(
    graph: &Graph,
    node: usize,
    norm: Option<usize>,
    weights: &StateDict,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let node = &graph.nodes[node];
    let Op::Conv2d(conv) = &node.op else { unreachable!("called with a convolution") };
    let shape = [conv.out_channels, conv.in_channels, conv.kernel, conv.kernel];
    let mut weight = weights.get(&format!("{}.weight", node.name), &shape)?.data.clone();
    let mut bias = match conv.bias {
        true => weights.get(&format!("{}.bias", node.name), &[conv.out_channels])?.data.clone(),
        false => vec![0.0; conv.out_channels],
    };
    if let Some(norm) = norm {
        affine(graph, norm, weights)?.fold(&mut weight, &mut bias);
    }
    Ok((weight, bias))
}

/// A batch norm as scale and shift.
pub(super) fn affine(graph: &Graph, node: usize, weights: &StateDict) -> Result<Affine> {
    let node = &graph.nodes[node];
    let Op::BatchNorm { channels, eps } = node.op else { unreachable!("called with a batch norm") };
    let get = |suffix: &str| Ok::<_, Error>(&weights.get(&format!("{}.{suffix}", node.name), &[channels])?.data);
    Ok(Affine::new(get("weight")?, get("bias")?, get("running_mean")?, get("running_var")?, eps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Blocking;

    #[test]
    fn winograd_stays_where_it_saves_most_and_plans_stay_short() {
        let kernel = |method| Some(ConvKernel { method, blocking: Blocking::Subgroup8 });
        let dispatches = |kernels: &[Option<ConvKernel>]| {
            kernels.iter().map(|k| if k.is_some_and(|k| k.method != Method::Direct) { 3 } else { 1 }).sum::<usize>()
        };
        // As ResNet-18: room for all.
        let mut small = vec![kernel(Method::Winograd4); 18];
        small.resize(24, None);
        limit_winograd(&mut small, |_, _| 1);
        assert_eq!(dispatches(&small), 60);
        // As ResNet-50, where later layers save more: the last two keep it.
        let mut large = vec![kernel(Method::Direct); 46];
        large.resize(57, kernel(Method::Winograd2));
        limit_winograd(&mut large, |step, _| step);
        assert_eq!(dispatches(&large), 61);
        assert!(large[55..].iter().all(|k| *k == kernel(Method::Winograd2)));
    }
}
