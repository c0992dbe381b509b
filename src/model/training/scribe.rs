//! From the steps of the tape to dispatches: which kernels a layer gets, what they need besides values, and their recording.

use super::parameters::Parameters;
use super::plan::TrainingOptions;
use super::tape::{BufferId, Sizes, Step, Tape};
use crate::Result;
use crate::gpu::{Context, Precision, Recorder, Shape, Slice, Tensor};
use crate::model::graph::{Graph, Op};
use crate::ops::{
    self, Conv2d, ConvBackward, ConvCall, ConvInputGradient, ConvWeightGradient, LossCall, NormBackward, NormForward,
    NormParams, Statistics,
};

/// By node: the convolutions and how their gradients are computed.
pub(super) struct Convolutions(Vec<Option<(Conv2d, ConvBackward)>>);

impl Convolutions {
    pub(super) fn choose(ctx: &Context, graph: &Graph, parameters: &Parameters, shapes: &[Shape]) -> Self {
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

pub(super) struct DeviceSizes<'a> {
    pub ctx: &'a Context,
    pub convs: &'a Convolutions,
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
pub(super) struct Scribe<'a> {
    pub ctx: &'a Context,
    pub graph: &'a Graph,
    pub parameters: &'a Parameters,
    pub convs: &'a Convolutions,
    pub tape: &'a Tape,
    pub buffers: Vec<Slice>,
    pub options: &'a TrainingOptions,
    pub targets: Slice,
    pub rows: Slice,
    pub totals: Slice,
    pub class_weights: Slice,
}

impl Scribe<'_> {
    pub(super) fn tensor(&self, id: BufferId) -> Tensor {
        let shape = self.tape.buffers[id.0].shape.expect("only activations are used as tensors");
        Tensor { slice: self.buffers[id.0].clone(), shape, precision: Precision::F32 }
    }

    fn slices(&self, ids: &[BufferId]) -> Vec<Slice> {
        ids.iter().map(|id| self.buffers[id.0].clone()).collect()
    }

    pub(super) fn loss(&self, recorder: &mut Recorder, logits: BufferId, d_logits: Option<BufferId>) -> Result<()> {
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

    pub(super) fn record(&self, recorder: &mut Recorder, step: &Step, statistics: Statistics) -> Result<()> {
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
