//! A training step as plain data: which layer is computed forward and backward in which order, over which buffers, and how
//! long each buffer lives. No GPU, so that order and lifetimes are tested as they are.
//!
//! Backward walks the forward steps in reverse (reverse-mode differentiation). A value's gradient is complete when all its
//! readers were visited. The first reader's contribution is written (`=`); each further one is computed as
//! `new = contribution + old` into another buffer, because a dispatch cannot read and write one buffer.

use crate::device::{Assignment, Lifetime, Precision, Shape, assign_slots};
use crate::model::fuse::{self, fuse};
use crate::model::graph::{Graph, Layer, ValueId};
use crate::ops::{BackwardRule, Gradient, Operand, Purpose, TrainingStep};
use crate::{Error, Result};

/// A buffer of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct BufferId(pub usize);

/// A layer with what it took over, and its buffers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerStep {
    /// Index of its node.
    pub node: usize,
    pub inputs: Vec<BufferId>,
    pub residual: Option<BufferId>,
    pub relu: bool,
    pub output: BufferId,
    pub saved: Vec<BufferId>,
    pub scratch: Vec<BufferId>,
}

/// What one step computes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Forward(LayerStep),
    /// The loss of the logits and its gradient.
    Loss {
        logits: BufferId,
        d_logits: BufferId,
    },
    /// A part of a layer's backward pass. With a residual and a ReLU, `d_output` is masked in place and becomes the residual's
    /// gradient.
    Backward {
        layer: LayerStep,
        gradient: Gradient,
        d_output: BufferId,
        accumulate: Option<BufferId>,
        d_input: Option<BufferId>,
        scratch: Vec<BufferId>,
    },
    /// `sum = a + b`: the gradients of two readers.
    AddGradients {
        a: BufferId,
        b: BufferId,
        sum: BufferId,
    },
    /// `to = from`: a gradient that two values share is about to be masked in place for one of them.
    CopyGradient {
        from: BufferId,
        to: BufferId,
    },
}

/// What is differentiated by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The loss by every parameter.
    Loss,
    /// A logit by a value; the caller writes the gradient of the logits.
    Value(ValueId),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Buffer {
    /// What it holds, for errors.
    pub name: String,
    /// For activations and their gradients.
    pub shape: Option<Shape>,
    pub life: Lifetime,
}

/// The steps and buffers of one forward and backward pass.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub steps: Vec<Step>,
    /// Number of steps that compute the logits; then come the loss and the backward steps.
    pub forward: usize,
    pub buffers: Vec<Buffer>,
    pub input: BufferId,
    pub logits: BufferId,
    pub d_logits: BufferId,
    /// The value that the [`Goal`] is differentiated by, and its gradient; of [`Goal::Loss`] the logits and theirs.
    pub kept: [BufferId; 2],
}

impl Tape {
    /// The shape of an activation or its gradient.
    pub fn shape(&self, id: BufferId) -> Shape {
        self.buffers[id.0].shape.expect("only activations and their gradients are used as tensors")
    }

    /// A slot for every buffer but the first, the input, which the caller provides.
    pub fn assignment(&self) -> Assignment {
        let lifetimes: Vec<Lifetime> = self.buffers[1..].iter().map(|buffer| buffer.life).collect();
        assign_slots(&lifetimes)
    }
}

/// Writes the tape of `graph`, which ends in logits (`fc`). `scratch` says which temporaries a step of a node needs, in bytes;
/// they depend on the device. The first buffer is the input, which the caller provides.
///
/// # Errors
/// [`Error::Spec`] for a layer without a gradient on the way.
pub(crate) fn write(
    graph: &Graph,
    shapes: &[Shape],
    goal: Goal,
    scratch: &dyn Fn(usize, TrainingStep) -> Vec<u64>,
) -> Result<Tape> {
    let kept = match goal {
        Goal::Loss => None,
        Goal::Value(value) => Some(value),
    };
    let result = graph.result();
    let mut steps = fuse(graph, kept.as_slice(), Purpose::Training);
    steps.retain(|step| step.output <= result);
    // Gradients of what the goal depends on: of everything but the input, or of what comes after the value.
    let mut wanted = vec![goal == Goal::Loss; graph.nodes.len()];
    wanted[0] = false;
    if let Some(value) = kept {
        wanted[value.0] = true;
        for step in &steps {
            wanted[step.output.0] |= step.reads().any(|read| wanted[read.0]);
        }
        if !wanted[result.0] {
            let name = &graph.nodes[value.0].name;
            return Err(Error::Usage(format!("no class depends on `{name}`; choose another layer")));
        }
    }
    let values = vec![None; graph.nodes.len()];
    let mut writer = Writer {
        graph,
        shapes,
        goal,
        scratch,
        tape: Tape::default(),
        values,
        wanted: Vec::new(),
        gradients: Vec::new(),
        shared: Vec::new(),
    };
    writer.forward(&steps, &wanted, result);
    writer.backward()?;
    writer.keep(kept.unwrap_or(result))?;
    Ok(writer.tape)
}

struct Writer<'a> {
    graph: &'a Graph,
    shapes: &'a [Shape],
    goal: Goal,
    scratch: &'a dyn Fn(usize, TrainingStep) -> Vec<u64>,
    tape: Tape,
    /// The buffer of every value that is written.
    values: Vec<Option<BufferId>>,
    /// By buffer: whether its gradient is asked for.
    wanted: Vec<bool>,
    /// By buffer: its gradient so far.
    gradients: Vec<Option<BufferId>>,
    /// Gradients that are those of more than one value: a residual's is its sum's.
    shared: Vec<BufferId>,
}

impl Writer<'_> {
    fn buffer(&mut self, name: String, shape: Option<Shape>, bytes: u64) -> BufferId {
        let now = self.tape.steps.len();
        let life = Lifetime { first: now, last: now, bytes: bytes.max(16).next_multiple_of(16) };
        self.tape.buffers.push(Buffer { name, shape, life });
        self.wanted.push(false);
        self.gradients.push(None);
        BufferId(self.tape.buffers.len() - 1)
    }

    fn activation(&mut self, name: String, shape: Shape) -> BufferId {
        self.buffer(name, Some(shape), shape.bytes(Precision::F32))
    }

    /// The buffer for another gradient of `value`.
    fn gradient(&mut self, value: BufferId) -> BufferId {
        self.activation(format!("gradient of `{}`", self.tape.buffers[value.0].name), self.tape.shape(value))
    }

    fn buffers(&mut self, what: &str, node: usize, bytes: Vec<u64>) -> Vec<BufferId> {
        let name = format!("{what} of `{}`", self.graph.nodes[node].name);
        bytes.into_iter().map(|bytes| self.buffer(name.clone(), None, bytes)).collect()
    }

    fn value(&self, id: ValueId) -> BufferId {
        self.values[id.0].expect("nodes are in execution order, and only fused values have no buffer")
    }

    /// Appends a step; every buffer it touches lives until then.
    fn push(&mut self, step: Step, touched: impl IntoIterator<Item = BufferId>) {
        let now = self.tape.steps.len();
        for id in touched {
            self.tape.buffers[id.0].life.last = now;
        }
        self.tape.steps.push(step);
    }

    fn forward(&mut self, steps: &[fuse::Step], wanted: &[bool], result: ValueId) {
        self.tape.input = self.activation(self.graph.nodes[0].name.clone(), self.shapes[0]);
        self.values[0] = Some(self.tape.input);
        for step in steps {
            let inputs: Vec<BufferId> = step.inputs.iter().map(|id| self.value(*id)).collect();
            let residual = step.residual.map(|id| self.value(id));
            let (node, value) = (step.node, step.output);
            let output = self.activation(self.graph.nodes[value.0].name.clone(), self.shapes[value.0]);
            self.values[value.0] = Some(output);
            self.wanted[output.0] = wanted[value.0];
            let saved = self.graph.nodes[node].op.saved(self.tape.shape(inputs[0]), self.shapes[node]);
            let saved = self.buffers("what is kept", node, saved);
            let scratch = self.buffers("temporaries", node, (self.scratch)(node, TrainingStep::Forward));
            let touched = [&inputs[..], &[output], &saved, &scratch].concat().into_iter().chain(residual);
            let step = LayerStep { node, inputs, residual, relu: step.relu, output, saved, scratch };
            self.push(Step::Forward(step), touched);
        }
        self.tape.logits = self.value(result);
        self.tape.forward = self.tape.steps.len();
    }

    fn backward(&mut self) -> Result<()> {
        let logits = self.tape.logits;
        let d_logits = self.activation("gradient of the logits".into(), self.tape.shape(logits));
        self.gradients[logits.0] = Some(d_logits);
        self.tape.d_logits = d_logits;
        if self.goal == Goal::Loss {
            self.push(Step::Loss { logits, d_logits }, [logits, d_logits]);
        }
        for index in (0..self.tape.forward).rev() {
            if let Step::Forward(layer) = self.tape.steps[index].clone() {
                self.backward_of(layer)?;
            }
        }
        // Those of the logits come from outside.
        if self.goal != Goal::Loss {
            self.tape.buffers[d_logits.0].life.first = 0;
        }
        self.tape.buffers[logits.0].life.last = usize::MAX;
        Ok(())
    }

    /// By which value the goal was differentiated: it can be read after the run, and so can its gradient if nobody else can.
    fn keep(&mut self, value: ValueId) -> Result<()> {
        let id = self.value(value);
        let none = || Error::Usage(format!("no class depends on `{}`; choose another layer", self.graph.nodes[value.0].name));
        let gradient = self.gradients[id.0].ok_or_else(none)?;
        self.tape.kept = [id, gradient];
        if self.goal != Goal::Loss {
            [id, gradient].iter().for_each(|id| self.tape.buffers[id.0].life.last = usize::MAX);
        }
        Ok(())
    }

    fn backward_of(&mut self, layer: LayerStep) -> Result<()> {
        let trains = self.goal == Goal::Loss;
        let reads_wanted = layer.inputs.iter().chain(&layer.residual).any(|id| self.wanted[id.0]);
        // A value nobody on the way to the logits reads has no gradient.
        let Some(mut d_output) = self.gradients[layer.output.0].filter(|_| trains || reads_wanted) else { return Ok(()) };
        let node = &self.graph.nodes[layer.node];
        let parts = match node.op.backward_rule(layer.residual.is_some()) {
            BackwardRule::Parts(parts) => parts,
            BackwardRule::Identity => {
                layer.inputs.iter().for_each(|input| self.pass_on(*input, d_output));
                Vec::new()
            }
            BackwardRule::Undefined => {
                return Err(Error::Spec(format!("`{}` ({}) has no gradient", node.name, node.op.name())));
            }
        };
        let masks = layer.relu && layer.residual.is_some();
        if let Some(residual) = layer.residual.filter(|_| !masks) {
            self.pass_on(residual, d_output);
        }
        if masks && self.shared.contains(&d_output) {
            let copy = self.activation(self.tape.buffers[d_output.0].name.clone(), self.tape.shape(layer.output));
            self.push(Step::CopyGradient { from: d_output, to: copy }, [d_output, copy]);
            d_output = copy;
        }
        let input = layer.inputs[0];
        for part in parts {
            let gradient = part.gradient;
            let contributes = gradient.is_of_input() && self.wanted[input.0];
            // Only its gradient of the input is asked for, and by nobody.
            if !contributes && (gradient == Gradient::Input || !(trains || gradient.is_of_input())) {
                continue;
            }
            let (mut accumulate, mut d_input) = (None, None);
            if contributes {
                accumulate = self.gradients[input.0];
                d_input = Some(self.gradient(input));
                self.gradients[input.0] = d_input;
            }
            let scratch = (self.scratch)(layer.node, TrainingStep::Backward(gradient));
            let scratch = self.buffers("temporaries", layer.node, scratch);
            let mut touched = scratch.clone();
            touched.push(d_output);
            for operand in part.reads {
                match operand {
                    Operand::Input => touched.push(input),
                    Operand::Output => touched.push(layer.output),
                    Operand::Saved => touched.extend(&layer.saved),
                }
            }
            touched.extend(accumulate.into_iter().chain(d_input));
            let step = Step::Backward { layer: layer.clone(), gradient, d_output, accumulate, d_input, scratch };
            self.push(step, touched);
        }
        if let Some(residual) = layer.residual.filter(|_| masks) {
            self.pass_on(residual, d_output);
        }
        Ok(())
    }

    /// `d_output` as it is becomes (a part of) the gradient of `value`.
    fn pass_on(&mut self, value: BufferId, d_output: BufferId) {
        if !self.wanted[value.0] {
            return;
        }
        match self.gradients[value.0] {
            None => {
                self.gradients[value.0] = Some(d_output);
                self.shared.push(d_output);
            }
            Some(old) => {
                let sum = self.gradient(value);
                self.gradients[value.0] = Some(sum);
                self.push(Step::AddGradients { a: old, b: d_output, sum }, [old, d_output, sum]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;
    use crate::ops::LayerKind;

    fn tape_of(name: &str, goal: impl Fn(&Graph) -> Goal) -> (Graph, Tape) {
        let graph = ResNetSpec::named(name).unwrap().build().unwrap();
        let shapes = graph.shapes(2, 64, 64).unwrap();
        let tape = write(&graph, &shapes, goal(&graph), &|_, _| Vec::new()).unwrap();
        (graph, tape)
    }

    fn tape(name: &str) -> Tape {
        tape_of(name, |_| Goal::Loss).1
    }

    fn backward(step: &Step) -> Option<Gradient> {
        match step {
            Step::Backward { gradient, .. } => Some(*gradient),
            _ => None,
        }
    }

    fn count(tape: &Tape, wanted: impl Fn(&Step) -> bool) -> usize {
        tape.steps.iter().filter(|step| wanted(step)).count()
    }

    #[test]
    fn every_layer_is_differentiated_once_and_the_image_is_not() {
        for (name, convolutions) in [("resnet18", 20), ("resnet50", 53), ("resnet50v2-slim", 53), ("resnet20", 19)] {
            let (graph, tape) = tape_of(name, |_| Goal::Loss);
            assert_eq!(count(&tape, |s| backward(s) == Some(Gradient::Weight)), convolutions, "{name}");
            let is_norm = |node: usize| graph.nodes[node].op.kind() == LayerKind::Norm;
            let forward = |s: &Step| matches!(s, Step::Forward(layer) if is_norm(layer.node));
            let back = |s: &Step| matches!(s, Step::Backward { layer, d_input: Some(_), .. } if is_norm(layer.node));
            assert_eq!(count(&tape, back), count(&tape, forward), "{name}");
            assert!(
                !tape
                    .steps
                    .iter()
                    .any(|s| matches!(s, Step::Backward { d_input: Some(_), layer, .. } if layer.inputs[0] == tape.input))
            );
            // Every addition is some layer's epilogue; the sum of two gradients is, too.
            let sums = |s: &Step| {
                matches!(s, Step::AddGradients { .. }) || matches!(s, Step::Forward(layer) if layer.inputs.len() > 1)
            };
            assert_eq!(count(&tape, sums), 0, "{name}");
        }
    }

    #[test]
    fn an_identity_shortcut_hands_its_gradient_on_and_the_branch_adds_to_it() {
        let tape = tape("resnet18");
        let accumulating = |step: &Step| matches!(step, Step::Backward { accumulate: Some(_), .. });
        assert_eq!(count(&tape, accumulating), 8, "one for each block");
        assert_eq!(count(&tape, |s| matches!(s, Step::CopyGradient { .. })), 0);
    }

    #[test]
    fn what_a_later_step_reads_is_not_overwritten_and_memory_is_shared() {
        let tape = tape("resnet50");
        let lives: Vec<Lifetime> = tape.buffers[1..].iter().map(|buffer| buffer.life).collect();
        let assignment = tape.assignment();
        for (a, one) in lives.iter().enumerate() {
            for (b, other) in lives.iter().enumerate().skip(a + 1) {
                let together = one.first <= other.last && other.first <= one.last;
                assert!(!together || assignment.slot_of[a] != assignment.slot_of[b], "{a} and {b}");
            }
        }
        let all: u64 = lives.iter().map(|life| life.bytes).sum();
        assert!(assignment.total_bytes() * 10 < all * 7, "{} of {all}", assignment.total_bytes());
    }

    #[test]
    fn by_a_value_only_what_comes_after_it_is_differentiated() {
        let (graph, tape) = tape_of("resnet18", |graph| Goal::Value(graph.value("layer4.0").unwrap()));
        let last = graph.value("layer4.0").unwrap();
        let nodes: Vec<usize> = tape
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Backward { layer, gradient, .. } => {
                    assert!(gradient.is_of_input());
                    Some(layer.node)
                }
                _ => None,
            })
            .collect();
        // Classifier, average pooling, and a block of two convolutions and two norms.
        assert_eq!(nodes.len(), 6);
        assert!(nodes.iter().all(|node| *node > last.0));
        let [value, gradient] = tape.kept;
        assert_eq!(tape.shape(value), tape.shape(gradient));
        assert!(tape.buffers[value.0].life.last == usize::MAX && tape.buffers[tape.d_logits.0].life.first == 0);
    }
}
