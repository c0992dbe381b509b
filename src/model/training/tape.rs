//! A training step as plain data: which layer is computed forward and backward in which order, over which buffers, and how
//! long each buffer lives. No GPU, so that order and lifetimes are tested as they are.
//!
//! Backward walks the forward steps in reverse (reverse-mode differentiation). A value's gradient is complete when all its
//! readers were visited. The first reader's contribution is written (`=`); each further one is computed as
//! `new = contribution + old` into another buffer, because a dispatch cannot read and write one buffer.

use super::super::graph::{Graph, Op, ValueId};
use crate::gpu::{Lifetime, Shape};

/// A buffer of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct BufferId(pub usize);

/// What one step computes; node indices are the graph's.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// `output = conv(input) [+ residual]`.
    Conv {
        node: usize,
        input: BufferId,
        residual: Option<BufferId>,
        output: BufferId,
    },
    /// `output = [relu](norm(input) [+ residual])`.
    Norm {
        node: usize,
        input: BufferId,
        residual: Option<BufferId>,
        relu: bool,
        output: BufferId,
        saved: BufferId,
        scratch: BufferId,
    },
    /// `output = max(input, 0)`.
    Relu {
        node: usize,
        input: BufferId,
        output: BufferId,
    },
    /// `output = a + b`.
    Add {
        node: usize,
        a: BufferId,
        b: BufferId,
        output: BufferId,
    },
    MaxPool {
        node: usize,
        input: BufferId,
        argmax: BufferId,
        output: BufferId,
    },
    Shortcut {
        node: usize,
        input: BufferId,
        output: BufferId,
    },
    AvgPool {
        node: usize,
        input: BufferId,
        output: BufferId,
    },
    Linear {
        node: usize,
        input: BufferId,
        output: BufferId,
    },
    /// The loss of the logits and its gradient.
    Loss {
        logits: BufferId,
        d_logits: BufferId,
    },
    LinearBackward {
        node: usize,
        input: BufferId,
        d_output: BufferId,
        d_input: Option<BufferId>,
    },
    ConvWeightBackward {
        node: usize,
        input: BufferId,
        d_output: BufferId,
        scratch: Vec<BufferId>,
    },
    ConvBiasBackward {
        node: usize,
        d_output: BufferId,
        scratch: BufferId,
    },
    ConvInputBackward {
        node: usize,
        d_output: BufferId,
        accumulate: Option<BufferId>,
        d_input: BufferId,
        scratch: Vec<BufferId>,
    },
    /// With a residual, `d_output` is masked in place by the ReLU and becomes the residual's gradient.
    NormBackward {
        node: usize,
        input: BufferId,
        output: BufferId,
        d_output: BufferId,
        relu: bool,
        residual: bool,
        saved: BufferId,
        scratch: BufferId,
        accumulate: Option<BufferId>,
        d_input: Option<BufferId>,
    },
    ReluBackward {
        node: usize,
        output: BufferId,
        d_output: BufferId,
        accumulate: Option<BufferId>,
        d_input: BufferId,
    },
    MaxPoolBackward {
        node: usize,
        argmax: BufferId,
        d_output: BufferId,
        accumulate: Option<BufferId>,
        d_input: BufferId,
    },
    ShortcutBackward {
        node: usize,
        d_output: BufferId,
        accumulate: Option<BufferId>,
        d_input: BufferId,
    },
    AvgPoolBackward {
        node: usize,
        d_output: BufferId,
        accumulate: Option<BufferId>,
        d_input: BufferId,
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

/// Bytes of the buffers that kernels want besides values; given by the caller, because they depend on the device.
pub(super) trait Sizes {
    /// Of a batch norm over `shape`: saved statistics, temporary sums.
    fn norm(&self, shape: Shape) -> (u64, u64);
    /// The index of each maximum.
    fn argmax(&self, output: Shape) -> u64;
    /// Temporaries of a convolution's weight gradient.
    fn conv_weight(&self, node: usize, input: Shape) -> Vec<u64>;
    /// Temporaries of a convolution's input gradient.
    fn conv_input(&self, node: usize, input: Shape) -> Vec<u64>;
    /// Temporaries of a bias gradient.
    fn channel_sum(&self, output: Shape) -> u64;
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Buffer {
    /// What it holds, for errors.
    pub name: String,
    /// For activations and their gradients.
    pub shape: Option<Shape>,
    pub life: Lifetime,
}

/// The steps and buffers of one forward and backward pass.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub steps: Vec<Step>,
    /// Number of steps that compute the logits; then come the loss and the backward steps.
    pub forward: usize,
    pub buffers: Vec<Buffer>,
    pub input: BufferId,
    pub logits: BufferId,
}

/// Writes the tape of `graph`, which ends in logits (`fc`). The first buffer is the input, which the caller provides.
pub(super) fn write(graph: &Graph, shapes: &[Shape], sizes: &dyn Sizes) -> Tape {
    let mut writer = Writer { graph, shapes, sizes, tape: Tape::default(), values: vec![None; graph.nodes.len()] };
    writer.forward();
    writer.backward();
    writer.tape
}

struct Writer<'a> {
    graph: &'a Graph,
    shapes: &'a [Shape],
    sizes: &'a dyn Sizes,
    tape: Tape,
    /// The buffer of every value that is written.
    values: Vec<Option<BufferId>>,
}

impl Writer<'_> {
    fn buffer(&mut self, name: String, shape: Option<Shape>, bytes: u64) -> BufferId {
        let now = self.tape.steps.len();
        let life = Lifetime { first: now, last: now, bytes: bytes.max(16).next_multiple_of(16) };
        self.tape.buffers.push(Buffer { name, shape, life });
        BufferId(self.tape.buffers.len() - 1)
    }

    fn activation(&mut self, name: String, shape: Shape) -> BufferId {
        self.buffer(name, Some(shape), shape.bytes(crate::gpu::Precision::F32))
    }

    fn value(&self, id: ValueId) -> BufferId {
        self.values[id.0].expect("nodes stand in execution order, and only fused values have no buffer")
    }

    /// Appends a step; every buffer it touches lives until then.
    fn push(&mut self, step: Step, touched: &[BufferId]) {
        let now = self.tape.steps.len();
        for id in touched {
            self.tape.buffers[id.0].life.last = now;
        }
        self.tape.steps.push(step);
    }

    fn forward(&mut self) {
        let graph = self.graph;
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
        for (i, node) in graph.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| readers[input.0].push(i));
        }
        let mut absorbed = vec![false; graph.nodes.len()];
        for (i, node) in graph.nodes.iter().enumerate() {
            if absorbed[i] {
                continue;
            }
            if let Op::Input { .. } = node.op {
                let id = self.activation(node.name.clone(), self.shapes[i]);
                self.values[i] = Some(id);
                self.tape.input = id;
                continue;
            }
            // Takes over the only reader of `last` if it is of the wanted sort.
            let mut last = i;
            let mut absorb = |last: &mut usize, wanted: &dyn Fn(usize) -> bool| match readers[*last][..] {
                [reader] if wanted(reader) => {
                    absorbed[reader] = true;
                    *last = reader;
                    true
                }
                _ => false,
            };
            let mut residual = None;
            let mut relu = false;
            if matches!(node.op, Op::Conv2d(_) | Op::BatchNorm { .. }) {
                let branch = ValueId(i);
                // The other branch must have been written by then.
                let other = |n: usize| graph.nodes[n].inputs.iter().copied().find(|id| *id != branch).filter(|id| id.0 < i);
                if absorb(&mut last, &|n| graph.nodes[n].op == Op::Add && other(n).is_some()) {
                    residual = other(last);
                }
            }
            if matches!(node.op, Op::BatchNorm { .. }) {
                relu = absorb(&mut last, &|n| graph.nodes[n].op == Op::Relu);
            }
            let Some(first) = node.inputs.first() else { continue };
            let input = self.value(*first);
            let residual = residual.map(|id| self.value(id));
            let shape = self.shapes[i];
            if node.op == Op::Softmax {
                continue; // the loss works on logits
            }
            let output = self.activation(graph.nodes[last].name.clone(), shape);
            self.values[last] = Some(output);
            let mut touched = vec![input, output];
            touched.extend(residual);
            let step = match &node.op {
                Op::Conv2d(_) => Step::Conv { node: i, input, residual, output },
                Op::BatchNorm { .. } => {
                    let (saved, scratch) = self.sizes.norm(shape);
                    let saved = self.buffer(format!("statistics of `{}`", node.name), None, saved);
                    let scratch = self.buffer(format!("temporaries of `{}`", node.name), None, scratch);
                    touched.extend([saved, scratch]);
                    Step::Norm { node: i, input, residual, relu, output, saved, scratch }
                }
                Op::Relu => Step::Relu { node: i, input, output },
                Op::Add => {
                    let b = self.value(node.inputs[1]);
                    touched.push(b);
                    Step::Add { node: i, a: input, b, output }
                }
                Op::MaxPool(_) => {
                    let argmax = self.buffer(format!("indices of `{}`", node.name), None, self.sizes.argmax(shape));
                    touched.push(argmax);
                    Step::MaxPool { node: i, input, argmax, output }
                }
                Op::Subsample { .. } | Op::ZeroPadShortcut { .. } => Step::Shortcut { node: i, input, output },
                Op::GlobalAvgPool => Step::AvgPool { node: i, input, output },
                Op::Linear { .. } => Step::Linear { node: i, input, output },
                Op::Input { .. } | Op::Softmax => unreachable!("handled above"),
            };
            self.push(step, &touched);
            self.tape.logits = output;
        }
        self.tape.forward = self.tape.steps.len();
    }

    fn backward(&mut self) {
        let logits = self.tape.logits;
        let mut gradients = Gradients { of: vec![None; self.tape.buffers.len()], shared: Vec::new() };
        let shape = self.shape(logits);
        let d_logits = self.activation("gradient of the logits".into(), shape);
        gradients.set(logits, d_logits);
        self.push(Step::Loss { logits, d_logits }, &[logits, d_logits]);
        for index in (0..self.tape.forward).rev() {
            self.backward_of(self.tape.steps[index].clone(), &mut gradients);
        }
        // They can be read after the run.
        self.tape.buffers[logits.0].life.last = usize::MAX;
    }

    fn shape(&self, id: BufferId) -> Shape {
        self.tape.buffers[id.0].shape.expect("only activations are differentiated")
    }

    /// The buffer for the gradient of `value` and what must be added to the contribution; none for the step's input, which
    /// nobody trains.
    fn contribution(&mut self, value: BufferId, gradients: &mut Gradients) -> Option<(Option<BufferId>, BufferId)> {
        if value == self.tape.input {
            return None;
        }
        let old = gradients.get(value);
        let name = format!("gradient of `{}`", self.tape.buffers[value.0].name);
        let new = self.activation(name, self.shape(value));
        gradients.set(value, new);
        Some((old, new))
    }

    /// `d_output` as it is becomes (a part of) the gradient of `value`.
    fn pass_on(&mut self, value: BufferId, d_output: BufferId, gradients: &mut Gradients) {
        if value == self.tape.input {
            return;
        }
        match gradients.get(value) {
            None => {
                gradients.set(value, d_output);
                gradients.shared.push(d_output);
            }
            Some(old) => {
                let name = format!("gradient of `{}`", self.tape.buffers[value.0].name);
                let sum = self.activation(name, self.shape(value));
                gradients.set(value, sum);
                self.push(Step::AddGradients { a: old, b: d_output, sum }, &[old, d_output, sum]);
            }
        }
    }

    fn backward_of(&mut self, step: Step, gradients: &mut Gradients) {
        match step {
            Step::Linear { node, input, output } => {
                let Some(d_output) = gradients.get(output) else { return };
                // The classifier is the only reader of the features.
                let d_input = self.contribution(input, gradients).map(|(_, new)| new);
                let mut touched = vec![input, d_output];
                touched.extend(d_input);
                self.push(Step::LinearBackward { node, input, d_output, d_input }, &touched);
            }
            Step::Conv { node, input, residual, output } => {
                let Some(d_output) = gradients.get(output) else { return };
                if let Some(residual) = residual {
                    self.pass_on(residual, d_output, gradients);
                }
                let shape = self.shape(input);
                let scratch = self.temporaries(node, self.sizes.conv_weight(node, shape));
                let touched = [&[input, d_output], &scratch[..]].concat();
                self.push(Step::ConvWeightBackward { node, input, d_output, scratch }, &touched);
                if matches!(&self.graph.nodes[node].op, Op::Conv2d(conv) if conv.bias) {
                    let scratch = self.temporaries(node, vec![self.sizes.channel_sum(self.shape(output))])[0];
                    self.push(Step::ConvBiasBackward { node, d_output, scratch }, &[d_output, scratch]);
                }
                if let Some((accumulate, d_input)) = self.contribution(input, gradients) {
                    let scratch = self.temporaries(node, self.sizes.conv_input(node, shape));
                    let mut touched = [&[d_output, d_input], &scratch[..]].concat();
                    touched.extend(accumulate);
                    self.push(Step::ConvInputBackward { node, d_output, accumulate, d_input, scratch }, &touched);
                }
            }
            Step::Norm { node, input, residual, relu, output, saved, .. } => {
                let Some(mut d_output) = gradients.get(output) else { return };
                if residual.is_some() && relu && gradients.shared.contains(&d_output) {
                    let copy = self.activation(self.tape.buffers[d_output.0].name.clone(), self.shape(output));
                    self.push(Step::CopyGradient { from: d_output, to: copy }, &[d_output, copy]);
                    d_output = copy;
                }
                let (_, scratch) = self.sizes.norm(self.shape(output));
                let scratch = self.temporaries(node, vec![scratch])[0];
                let contribution = self.contribution(input, gradients);
                let (accumulate, d_input) = (contribution.and_then(|(old, _)| old), contribution.map(|(_, new)| new));
                // Without a residual the ReLU's mask follows from the input.
                let mut touched = vec![input, d_output, saved, scratch];
                touched.extend(residual.map(|_| output));
                touched.extend(accumulate.into_iter().chain(d_input));
                let residual_value = residual;
                let residual = residual.is_some();
                let step =
                    Step::NormBackward { node, input, output, d_output, relu, residual, saved, scratch, accumulate, d_input };
                self.push(step, &touched);
                if let Some(value) = residual_value {
                    self.pass_on(value, d_output, gradients);
                }
            }
            Step::Relu { node, input, output } => {
                let Some(d_output) = gradients.get(output) else { return };
                if let Some((accumulate, d_input)) = self.contribution(input, gradients) {
                    let mut touched = vec![output, d_output, d_input];
                    touched.extend(accumulate);
                    self.push(Step::ReluBackward { node, output, d_output, accumulate, d_input }, &touched);
                }
            }
            Step::Add { a, b, output, .. } => {
                let Some(d_output) = gradients.get(output) else { return };
                self.pass_on(a, d_output, gradients);
                self.pass_on(b, d_output, gradients);
            }
            Step::MaxPool { node, input, argmax, output } => {
                let Some(d_output) = gradients.get(output) else { return };
                if let Some((accumulate, d_input)) = self.contribution(input, gradients) {
                    let mut touched = vec![argmax, d_output, d_input];
                    touched.extend(accumulate);
                    self.push(Step::MaxPoolBackward { node, argmax, d_output, accumulate, d_input }, &touched);
                }
            }
            Step::Shortcut { node, input, output } => {
                let Some(d_output) = gradients.get(output) else { return };
                if let Some((accumulate, d_input)) = self.contribution(input, gradients) {
                    let mut touched = vec![d_output, d_input];
                    touched.extend(accumulate);
                    self.push(Step::ShortcutBackward { node, d_output, accumulate, d_input }, &touched);
                }
            }
            Step::AvgPool { node, input, output } => {
                let Some(d_output) = gradients.get(output) else { return };
                if let Some((accumulate, d_input)) = self.contribution(input, gradients) {
                    let mut touched = vec![d_output, d_input];
                    touched.extend(accumulate);
                    self.push(Step::AvgPoolBackward { node, d_output, accumulate, d_input }, &touched);
                }
            }
            other => unreachable!("{other:?} is no forward step"),
        }
    }

    fn temporaries(&mut self, node: usize, bytes: Vec<u64>) -> Vec<BufferId> {
        let name = format!("temporaries of `{}`", self.graph.nodes[node].name);
        bytes.into_iter().map(|bytes| self.buffer(name.clone(), None, bytes)).collect()
    }
}

/// The gradient buffer of every value so far.
struct Gradients {
    of: Vec<Option<BufferId>>,
    /// Gradients that stand for more than one value: a residual's is its sum's.
    shared: Vec<BufferId>,
}

impl Gradients {
    fn get(&self, value: BufferId) -> Option<BufferId> {
        self.of.get(value.0).copied().flatten()
    }

    fn set(&mut self, value: BufferId, gradient: BufferId) {
        self.of[value.0] = Some(gradient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::assign_slots;
    use crate::model::ResNetSpec;

    struct NoScratch;
    impl Sizes for NoScratch {
        fn norm(&self, _: Shape) -> (u64, u64) {
            (16, 16)
        }
        fn argmax(&self, _: Shape) -> u64 {
            16
        }
        fn conv_weight(&self, _: usize, _: Shape) -> Vec<u64> {
            Vec::new()
        }
        fn conv_input(&self, _: usize, _: Shape) -> Vec<u64> {
            Vec::new()
        }
        fn channel_sum(&self, _: Shape) -> u64 {
            16
        }
    }

    fn tape(name: &str) -> Tape {
        let graph = ResNetSpec::named(name).unwrap().build().unwrap();
        let shapes = graph.shapes(2, 64, 64).unwrap();
        write(&graph, &shapes, &NoScratch)
    }

    fn count(tape: &Tape, wanted: impl Fn(&Step) -> bool) -> usize {
        tape.steps.iter().filter(|step| wanted(step)).count()
    }

    #[test]
    fn every_layer_is_differentiated_once_and_the_image_is_not() {
        for (name, convolutions) in [("resnet18", 20), ("resnet50", 53), ("resnet50v2-slim", 53), ("resnet20", 19)] {
            let tape = tape(name);
            assert_eq!(count(&tape, |s| matches!(s, Step::ConvWeightBackward { .. })), convolutions, "{name}");
            assert_eq!(count(&tape, |s| matches!(s, Step::ConvInputBackward { .. })), convolutions - 1, "{name}");
            let norms = count(&tape, |s| matches!(s, Step::Norm { .. }));
            assert_eq!(count(&tape, |s| matches!(s, Step::NormBackward { d_input: Some(_), .. })), norms, "{name}");
            // Every addition is some layer's epilogue; the sum of two gradients is, too.
            assert_eq!(count(&tape, |s| matches!(s, Step::Add { .. } | Step::AddGradients { .. })), 0, "{name}");
        }
    }

    #[test]
    fn an_identity_shortcut_hands_its_gradient_on_and_the_branch_adds_to_it() {
        let tape = tape("resnet18");
        let accumulating = |step: &Step| {
            matches!(
                step,
                Step::ConvInputBackward { accumulate: Some(_), .. } | Step::MaxPoolBackward { accumulate: Some(_), .. }
            )
        };
        assert_eq!(count(&tape, accumulating), 8, "one for each block");
        assert_eq!(count(&tape, |s| matches!(s, Step::CopyGradient { .. })), 0);
    }

    #[test]
    fn what_a_later_step_reads_is_not_overwritten_and_memory_is_shared() {
        let tape = tape("resnet50");
        let lives: Vec<Lifetime> = tape.buffers[1..].iter().map(|buffer| buffer.life).collect();
        let assignment = assign_slots(&lives);
        for (a, one) in lives.iter().enumerate() {
            for (b, other) in lives.iter().enumerate().skip(a + 1) {
                let together = one.first <= other.last && other.first <= one.last;
                assert!(!together || assignment.slot_of[a] != assignment.slot_of[b], "{a} and {b}");
            }
        }
        let all: u64 = lives.iter().map(|life| life.bytes).sum();
        assert!(assignment.total_bytes() * 10 < all * 7, "{} of {all}", assignment.total_bytes());
    }
}
