//! From the steps of the tape to dispatches: buffers by lifetime, and each layer asked to record itself.

use super::parameters::Parameters;
use super::tape::{self, BufferId, Goal, LayerStep, Step, Tape};
use crate::Result;
use crate::device::{Device, Precision, Recorder, Shape, Slice, Tensor};
use crate::model::graph::{Graph, Layer};
use crate::ops::{self, Backward, Forward, Statistics};
use crate::sorting;

/// Writes the tape of `graph`, whose input has this shape.
///
/// # Errors
/// [`Error::Spec`](crate::Error::Spec) when the input is too small or a layer has no gradient.
pub(crate) fn tape(ctx: &Device, graph: &Graph, parameters: &Parameters, input: Shape, goal: Goal) -> Result<Tape> {
    let shapes = graph.shapes(input.n, input.h, input.w)?;
    tape::write(graph, &shapes, goal, &|index, step| {
        let node = &graph.nodes[index];
        node.op.training_scratch(ctx, step, parameters.kernel(node), shapes[node.inputs[0].0])
    })
}

/// Turns steps of a tape into dispatches.
pub(crate) struct Scribe<'a> {
    ctx: &'a Device,
    graph: &'a Graph,
    parameters: &'a Parameters,
    pub tape: Tape,
    buffers: Vec<Slice>,
    /// What they lie in.
    pub slots: Vec<Slice>,
    /// Bytes of those that were made for it.
    pub bytes: u64,
}

impl<'a> Scribe<'a> {
    /// Makes the buffers of the tape, `input` aside; out of `pool`, which nobody else uses meanwhile, where it has large enough ones.
    ///
    /// # Errors
    /// Those of [`tape`], and [`Error::Limit`](crate::Error::Limit) when a buffer exceeds what the adapter allows.
    pub fn new(
        ctx: &'a Device,
        graph: &'a Graph,
        parameters: &'a Parameters,
        input: &Tensor,
        goal: Goal,
        pool: &[Slice],
    ) -> Result<Self> {
        let tape = tape(ctx, graph, parameters, input.shape, goal)?;
        let assignment = tape.assignment();
        let own = &tape.buffers[1..];
        let largest = |slot: usize| {
            let tenants = own.iter().zip(&assignment.slot_of).filter(|(_, of)| **of == slot);
            tenants.max_by_key(|(buffer, _)| buffer.life.bytes).map_or("", |(buffer, _)| buffer.name.as_str())
        };
        // The largest of the pool for the largest slot, and so on.
        let mut pool: Vec<&Slice> = pool.iter().collect();
        sorting::sort_by_key(&mut pool, |slice| std::cmp::Reverse(slice.bytes()));
        let mut by_size: Vec<usize> = (0..assignment.slots.len()).collect();
        sorting::sort_by_key(&mut by_size, |slot| std::cmp::Reverse(assignment.slots[*slot]));
        let mut given = vec![None; by_size.len()];
        for (slot, slice) in by_size.into_iter().zip(pool) {
            given[slot] = (slice.bytes() >= assignment.slots[slot]).then_some(slice);
        }
        let mut bytes = 0;
        let mut slots = Vec::with_capacity(given.len());
        for (slot, (given, wanted)) in given.into_iter().zip(&assignment.slots).enumerate() {
            slots.push(match given {
                Some(slice) => slice.clone(),
                None => {
                    bytes += wanted;
                    Slice::new(ctx, &format!("training buffer ({})", largest(slot)), *wanted)?
                }
            });
        }
        let part = |(buffer, slot): (&tape::Buffer, &usize)| slots[*slot].part(0, buffer.life.bytes);
        let buffers = std::iter::once(input.slice.clone()).chain(own.iter().zip(&assignment.slot_of).map(part)).collect();
        Ok(Self { ctx, graph, parameters, tape, buffers, slots, bytes })
    }

    /// An activation or its gradient.
    pub fn tensor(&self, id: BufferId) -> Tensor {
        Tensor { slice: self.buffers[id.0].clone(), shape: self.tape.shape(id), precision: Precision::F32 }
    }

    fn slices(&self, ids: &[BufferId]) -> Vec<Slice> {
        ids.iter().map(|id| self.buffers[id.0].clone()).collect()
    }

    /// Appends a step of the tape. The loss is recorded by who asks for it.
    ///
    /// # Errors
    /// What the layers say.
    pub fn record(&self, recorder: &mut Recorder, step: &Step, statistics: Statistics) -> Result<()> {
        let ctx = self.ctx;
        match step {
            Step::Forward(layer) => self.forward(recorder, layer, statistics),
            Step::Loss { .. } => Ok(()),
            Step::Backward { layer, gradient, d_output, accumulate, d_input, scratch } => {
                let node = &self.graph.nodes[layer.node];
                let (accumulate, d_input) = (accumulate.map(|id| self.tensor(id)), d_input.map(|id| self.tensor(id)));
                let call = Backward {
                    label: &node.name,
                    input: &self.tensor(layer.inputs[0]),
                    output: &self.tensor(layer.output),
                    saved: &self.slices(&layer.saved),
                    residual: layer.residual.is_some(),
                    relu: layer.relu,
                    d_output: &self.tensor(*d_output),
                    parameters: &self.parameters.values(node),
                    d_parameters: &self.parameters.gradients(node),
                    accumulate: accumulate.as_ref(),
                    d_input: d_input.as_ref(),
                    scratch: &self.slices(scratch),
                    kernel: self.parameters.kernel(node),
                    statistics,
                };
                node.op.backward(*gradient, recorder, ctx, &call)
            }
            Step::AddGradients { a, b, sum } => {
                let [a, b, sum] = [a, b, sum].map(|id| self.tensor(*id));
                ops::record_add(recorder, ctx, "sum of gradients", &a, &b, false, &sum)
            }
            Step::CopyGradient { from, to } => {
                recorder.copy(&self.buffers[from.0], &self.buffers[to.0]);
                Ok(())
            }
        }
    }

    fn forward(&self, recorder: &mut Recorder, layer: &LayerStep, statistics: Statistics) -> Result<()> {
        let node = &self.graph.nodes[layer.node];
        let inputs: Vec<Tensor> = layer.inputs.iter().map(|id| self.tensor(*id)).collect();
        let residual = layer.residual.map(|id| self.tensor(id));
        let call = Forward {
            label: &node.name,
            inputs: &inputs,
            residual: residual.as_ref(),
            relu: layer.relu,
            output: &self.tensor(layer.output),
            parameters: &self.parameters.values(node),
            scratch: &self.slices(&layer.scratch),
            kernel: self.parameters.kernel(node),
        };
        node.op.training_forward(recorder, self.ctx, &call, &self.slices(&layer.saved), statistics)
    }
}
