//! The compiled plan of a forward pass: weights folded and packed, buffers shared by lifetime, one recording to replay.

use super::fuse::{Step, fuse};
use super::graph::{Graph, Layer, Node, ValueId};
use crate::device::{
    Assignment, Device, DispatchTime, Lifetime, Precision, Recorder, Recording, Shape, Slice, Tensor, assign_slots,
};
use crate::ops::{Constant, ConvKernel, Forward, Purpose};
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
/// # use reslab::{device::Device, model::{graph::Graph, PlanBuilder, PlanOptions}, weights::StateDict};
/// # fn f(ctx: &Device, graph: &Graph, weights: &StateDict) -> reslab::Result<()> {
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
    kernels: Vec<ConvKernel>,
    /// Of each step, its layer's constants.
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
    pub fn new(ctx: &Device, graph: &Graph, options: PlanOptions) -> Result<Self> {
        if options.precision == Precision::F16 && !ctx.has_f16() {
            return Err(Error::Usage("this adapter has no shader-f16; use f32".into()));
        }
        let shapes = graph.shapes(options.batch, options.height, options.width)?;
        let mut outputs = Vec::new();
        let last = graph.nodes.last().map_or("", |node| node.name.as_str());
        let mut results = ["fc", "softmax"].into_iter().filter(|name| graph.value(name).is_ok()).collect::<Vec<_>>();
        if results.is_empty() {
            results.push(last);
        }
        for name in results.into_iter().chain(options.taps.iter().map(String::as_str)) {
            outputs.push((name.to_owned(), graph.value(name)?));
        }
        let kept: Vec<ValueId> = outputs.iter().map(|(_, value)| *value).collect();
        let steps = fuse(graph, &kept, Purpose::Inference);

        let input = |step: &Step| shapes[step.inputs[0].0];
        let kernel = |step: &Step| step.layer(graph).op.kernel(ctx, input(step), options.precision, options.conv_kernel);
        let kernels: Vec<ConvKernel> = steps.iter().map(kernel).collect();
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
        for (step, &kernel) in steps.iter().zip(&kernels) {
            let Node { name: label, op, .. } = step.layer(graph);
            let count = op.scratch(kernel, input(step), options.precision).len();
            let scratch: Vec<_> = (scratch_index..scratch_index + count).map(slice).collect();
            scratch_index += count;
            let slice = |constant: &Constant| {
                let bytes = constant.len * constant.precision(options.precision).bytes();
                Slice::new(ctx, &format!("{label}.{}", constant.role), bytes as u64)
            };
            let slices = op.constants(kernel).iter().map(slice).collect::<Result<Vec<_>>>()?;
            let inputs: Vec<Tensor> = step.inputs.iter().map(|value| tensor(*value).clone()).collect();
            let call = Forward {
                label,
                inputs: &inputs,
                residual: step.residual.map(tensor),
                relu: step.relu,
                output: tensor(step.output),
                parameters: &slices,
                scratch: &scratch,
                kernel,
            };
            op.forward(&mut recorder, ctx, &call)?;
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

    /// Queues a pass with what weights there are: a GPU's driver compiles a kernel, or the most of it, when it first runs, and may do
    /// so while weights are still fetched and packed. A batch is too much work to do in vain, and waits; so does the processor, which
    /// has nothing to compile.
    pub fn warm_up(&self, ctx: &Device) -> Result<()> {
        if self.plan.options.batch > 1 || ctx.gpu().is_none() {
            return Ok(());
        }
        self.plan.run(ctx)
    }

    /// The plan as far as it is.
    pub fn plan(&self) -> &InferencePlan {
        &self.plan
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
    pub fn advance(&mut self, ctx: &Device, graph: &Graph, weights: &StateDict) -> Result<bool> {
        let Some(step) = self.steps.get(self.next) else { return Ok(false) };
        let (node, kernel) = (step.layer(graph), self.kernels[self.next]);
        let norm = match step.norm.map(|norm| &graph.nodes[norm]) {
            Some(norm) => norm.op.affine(&parameters(norm, weights)?),
            None => None,
        };
        let values = node.op.constant_values(kernel, &parameters(node, weights)?, norm.as_ref());
        for ((constant, values), slice) in node.op.constants(kernel).iter().zip(values).zip(&self.parameters[self.next]) {
            values.write(ctx, constant.precision(self.plan.options.precision), slice);
        }
        self.next += 1;
        Ok(true)
    }

    /// The plan, once [`advance`](Self::advance) has nothing left.
    pub fn finish(self) -> InferencePlan {
        self.plan
    }
}

/// A layer's parameters, in its order.
fn parameters<'a>(node: &Node, weights: &'a StateDict) -> Result<Vec<&'a [f32]>> {
    node.params().iter().map(|param| Ok(&*weights.get(&param.name, &param.shape)?.data)).collect()
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
    pub fn new(ctx: &Device, graph: &Graph, weights: &StateDict, options: PlanOptions) -> Result<Self> {
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
    pub fn run(&self, ctx: &Device) -> Result<()> {
        self.recording.run(ctx)
    }

    /// Reads the layer `name` (`fc`, `softmax`, `avgpool` or a tap) of the last run as `(N, C, H, W)` values.
    pub async fn read(&self, ctx: &Device, name: &str) -> Result<Vec<f32>> {
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
    pub async fn profile(&self, ctx: &Device) -> Result<Vec<DispatchTime>> {
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
        kernels: &[ConvKernel],
        shapes: &[Shape],
        kept: &[ValueId],
        precision: Precision,
    ) -> Self {
        // The input lives through the whole run: a repeated run starts from the same image.
        let mut values = vec![ValueId(0)];
        let mut lifetimes = vec![Lifetime { first: 0, last: usize::MAX, bytes: slot_bytes(shapes[0].bytes(precision)) }];
        for (t, step) in steps.iter().enumerate() {
            let last_read = steps.iter().rposition(|s| s.reads().any(|value| value == step.output)).unwrap_or(t);
            let last = if kept.contains(&step.output) { usize::MAX } else { last_read };
            values.push(step.output);
            lifetimes.push(Lifetime { first: t, last, bytes: slot_bytes(shapes[step.output.0].bytes(precision)) });
        }
        for (t, (step, kernel)) in steps.iter().zip(kernels).enumerate() {
            for bytes in step.layer(graph).op.scratch(*kernel, shapes[step.inputs[0].0], precision) {
                lifetimes.push(Lifetime { first: t, last: t, bytes: slot_bytes(bytes) });
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
