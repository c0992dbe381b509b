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

/// Builds a plan layer by layer, so that a page can show progress and stay alive between layers.
///
/// ```no_run
/// # use reslab::{gpu::Context, model::{graph::Graph, PlanBuilder, PlanOptions}, weights::StateDict};
/// # fn f(ctx: &Context, graph: &Graph, weights: &StateDict) -> reslab::Result<()> {
/// let mut builder = PlanBuilder::new(ctx, graph, PlanOptions::new(224))?;
/// while builder.advance(ctx, graph, weights)? {
///     println!("{:.0} %", builder.progress() * 100.0);
/// }
/// let plan = builder.finish(ctx);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PlanBuilder {
    options: PlanOptions,
    steps: Vec<Step>,
    next: usize,
    recorder: RecorderBox,
    tensors: Vec<Option<Tensor>>,
    scratch: Vec<(ConvKernel, Vec<Slice>)>,
    outputs: Vec<(String, ValueId)>,
    memory: MemoryUse,
}

/// `Recorder` has no useful Debug form.
struct RecorderBox(Recorder);
impl std::fmt::Debug for RecorderBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl PlanBuilder {
    /// Fuses the graph, shares buffers and allocates them. The last layers (`fc` and `softmax`, or whatever a net without a
    /// head ends in) can always be read.
    ///
    /// # Errors
    /// [`Error::Spec`] when the image is too small, [`Error::Limit`] when an activation exceeds the adapter's binding size,
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
        let mut scratch_index = layout.values.len();
        let scratch = steps
            .iter()
            .zip(&kernels)
            .map(|(step, kernel)| {
                let Some(kernel) = *kernel else { return (ConvKernel::default(), Vec::new()) };
                let count = scratch_bytes(graph, step, kernel, &shapes, options.precision).len();
                let slices = (scratch_index..scratch_index + count).map(slice).collect();
                scratch_index += count;
                (kernel, slices)
            })
            .collect();
        let memory = MemoryUse { weight_bytes: 0, activation_bytes: slots.iter().map(Slice::bytes).sum() };
        Ok(Self { options, steps, next: 0, recorder: RecorderBox(Recorder::new()), tensors, scratch, outputs, memory })
    }

    /// Share of the layers done, 0 to 1.
    pub fn progress(&self) -> f32 {
        self.next as f32 / self.steps.len().max(1) as f32
    }

    /// Packs and uploads the next layer's weights and compiles its kernel. False when nothing is left.
    ///
    /// # Errors
    /// [`Error::TensorMismatch`] when a parameter is missing or has another shape.
    pub fn advance(&mut self, ctx: &Context, graph: &Graph, weights: &StateDict) -> Result<bool> {
        let Some(step) = self.steps.get(self.next) else { return Ok(false) };
        let (kernel, scratch) = &self.scratch[self.next];
        let recorder = &mut self.recorder.0;
        let tensor = |value: ValueId| self.tensors[value.0].as_ref().expect("every value a step touches was laid out in new()");
        let (input, output) = (tensor(step.inputs[0]), tensor(step.output));
        let precision = self.options.precision;
        let label = step.name.as_str();
        let mut upload = |what: &str, bytes: &[u8]| {
            let slice = Slice::with_bytes(ctx, &format!("{label}.{what}"), bytes)?;
            self.memory.weight_bytes += slice.bytes();
            Ok::<_, Error>(slice)
        };
        match step.kind {
            Kind::Conv { conv: node, norm, residual, relu } => {
                let Op::Conv2d(conv) = &graph.nodes[node].op else { unreachable!("fuse() puts convolutions here") };
                let (weight, bias) = conv_parameters(graph, node, norm, weights)?;
                let weight = upload("weight", &precision.encode(&kernel.pack(conv, &weight)))?;
                let bias = upload("bias", &in_fours(bias))?;
                let residual = residual.then(|| tensor(step.inputs[1]));
                let call = ConvCall { label, conv, input, weight: &weight, bias: &bias, residual, relu, output, scratch };
                kernel.record(recorder, ctx, &call)?;
            }
            Kind::Norm { norm, relu } => {
                let affine = affine(graph, norm, weights)?;
                let scale = upload("scale", &in_fours(affine.scale))?;
                let shift = upload("shift", &in_fours(affine.shift))?;
                ops::record_batch_norm(recorder, ctx, label, input, &scale, &shift, relu, output)?;
            }
            Kind::Add { relu } => ops::record_add(recorder, ctx, label, input, tensor(step.inputs[1]), relu, output)?,
            Kind::Plain { node } => match &graph.nodes[node].op {
                Op::Linear { in_features, out_features } => {
                    let linear = Linear { in_features: *in_features, out_features: *out_features };
                    let name = &graph.nodes[node].name;
                    let weight = weights.get(&format!("{name}.weight"), &[linear.out_features, linear.in_features])?;
                    let bias = weights.get(&format!("{name}.bias"), &[linear.out_features])?;
                    let weight = upload("weight", &precision.encode(&linear.pack(&weight.data)))?;
                    let bias = upload("bias", &in_fours(bias.data.clone()))?;
                    ops::record_linear(recorder, ctx, label, input, &weight, &bias, output)?;
                }
                Op::Relu => ops::record_relu(recorder, ctx, label, input, output)?,
                Op::MaxPool(pool) => ops::record_max_pool(recorder, ctx, label, pool, input, output)?,
                Op::Subsample { stride } => ops::record_shortcut(recorder, ctx, label, *stride, 0, input, output)?,
                Op::ZeroPadShortcut { stride, offset, .. } => {
                    ops::record_shortcut(recorder, ctx, label, *stride, *offset, input, output)?;
                }
                Op::GlobalAvgPool => ops::record_global_avg_pool(recorder, ctx, label, input, output)?,
                Op::Softmax => ops::record_softmax(recorder, ctx, label, input, output)?,
                Op::Input { .. } | Op::Conv2d(_) | Op::BatchNorm { .. } | Op::Add => {
                    unreachable!("fuse() gives these their own kind")
                }
            },
        }
        self.next += 1;
        Ok(true)
    }

    /// Freezes the recording.
    pub fn finish(self, ctx: &Context) -> InferencePlan {
        let tensor = |value: ValueId| self.tensors[value.0].clone().expect("outputs and the input were laid out in new()");
        InferencePlan {
            input: tensor(ValueId(0)),
            outputs: self.outputs.iter().map(|(name, value)| (name.clone(), tensor(*value))).collect(),
            recording: self.recorder.0.finish(ctx),
            memory: self.memory,
            options: self.options,
        }
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
        Ok(builder.finish(ctx))
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

/// f32 bytes, padded to whole vec4s with zeros.
fn in_fours(mut values: Vec<f32>) -> Vec<u8> {
    values.resize(values.len().next_multiple_of(4), 0.0);
    Precision::F32.encode(&values)
}

/// A convolution's weight `(O, I, K, K)` and bias `(O)` with the batch norm folded in.
fn conv_parameters(graph: &Graph, node: usize, norm: Option<usize>, weights: &StateDict) -> Result<(Vec<f32>, Vec<f32>)> {
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
fn affine(graph: &Graph, node: usize, weights: &StateDict) -> Result<Affine> {
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
