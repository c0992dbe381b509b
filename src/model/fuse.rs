//! From layers to steps: what a layer says it takes over of those after it becomes part of its step. Pure, so that it is tested
//! without a GPU.

use super::graph::{Graph, Layer, Node, ValueId};
use crate::ops::{Purpose, Tail};

/// One step of a plan: a layer and what it took over. Indices are node indices of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The layer.
    pub node: usize,
    /// A norm that was folded into it.
    pub norm: Option<usize>,
    /// What is added before the ReLU.
    pub residual: Option<ValueId>,
    /// Whether a ReLU ends it.
    pub relu: bool,
    /// The values the layer reads.
    pub inputs: Vec<ValueId>,
    /// The value it writes.
    pub output: ValueId,
}

impl Step {
    /// The layer.
    pub fn layer<'a>(&self, graph: &'a Graph) -> &'a Node {
        &graph.nodes[self.node]
    }

    /// All values it reads.
    pub fn reads(&self) -> impl Iterator<Item = ValueId> + '_ {
        self.inputs.iter().copied().chain(self.residual)
    }
}

/// Fuses the graph. A value in `kept` (taps and results) is always written, so nothing is fused across it.
pub fn fuse(graph: &Graph, kept: &[ValueId], purpose: Purpose) -> Vec<Step> {
    let readers = graph.readers();
    let mut absorbed = vec![false; graph.nodes.len()];
    let mut steps = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        if absorbed[i] || node.inputs.is_empty() {
            continue;
        }
        let inputs = node.inputs.clone();
        let mut step = Step { node: i, norm: None, residual: None, relu: false, inputs, output: ValueId(i) };
        for &tail in node.op.takes(purpose) {
            // The only reader of the output so far, which nobody else wants to see.
            let reader = match readers[step.output.0][..] {
                [reader] if !kept.contains(&step.output) && graph.nodes[reader].op.tail() == Some(tail) => reader,
                _ => continue,
            };
            match tail {
                Tail::Norm => step.norm = Some(reader),
                Tail::Relu => step.relu = true,
                Tail::Add => {
                    // The other branch must have been written by then; nodes are in execution order.
                    let other = graph.nodes[reader].inputs.iter().copied().find(|input| *input != step.output);
                    let Some(other) = other.filter(|other| other.0 < i) else { continue };
                    step.residual = Some(other);
                }
            }
            absorbed[reader] = true;
            step.output = ValueId(reader);
        }
        steps.push(step);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;
    use crate::ops::LayerKind;

    fn graph(name: &str) -> Graph {
        ResNetSpec::named(name).unwrap().build().unwrap()
    }

    fn steps(name: &str) -> Vec<(LayerKind, Step)> {
        let graph = graph(name);
        let steps = fuse(&graph, &[], Purpose::Inference);
        steps.into_iter().map(|step| (step.layer(&graph).op.kind(), step)).collect()
    }

    fn is_conv(kind: LayerKind) -> bool {
        matches!(kind, LayerKind::Conv1x1 | LayerKind::Conv3x3 | LayerKind::ConvLarge)
    }

    /// Additions of their own.
    fn additions(name: &str) -> usize {
        steps(name).iter().filter(|(_, step)| step.inputs.len() == 2).count()
    }

    #[test]
    fn v1_is_convolutions_and_a_head() {
        for (name, convolutions) in [("resnet18", 20), ("resnet50", 53), ("resnet152", 155)] {
            let steps = steps(name);
            assert_eq!(steps.iter().filter(|(kind, _)| is_conv(*kind)).count(), convolutions, "{name}");
            // Max pool, average pool, linear, softmax: every norm, ReLU and addition is fused.
            assert_eq!(steps.len(), convolutions + 4, "{name}");
        }
    }

    #[test]
    fn every_block_of_a_pre_activation_net_adds_in_its_last_convolution() {
        assert_eq!(additions("resnet50v2-slim"), 0);
        let norms = steps("resnet50v2-slim").iter().filter(|(kind, step)| *kind == LayerKind::Norm && step.relu).count();
        assert_eq!(norms, 16 + 1); // one in front of every block and the last one
    }

    #[test]
    fn option_a_adds_in_the_convolution_too() {
        assert_eq!(additions("resnet20"), 0);
    }

    #[test]
    fn a_tap_is_written() {
        let graph = graph("resnet18");
        let tap = graph.value("layer1.0.bn1").unwrap();
        let steps = fuse(&graph, &[tap], Purpose::Inference);
        assert!(steps.iter().any(|s| s.output == tap && s.norm == Some(tap.0) && !s.relu));
        assert!(steps.iter().any(|s| s.inputs == [tap] && s.node == tap.0 + 1));
    }

    #[test]
    fn training_keeps_norms_apart_and_adds_where_it_can() {
        let graph = graph("resnet18");
        let steps = fuse(&graph, &[], Purpose::Training);
        assert!(steps.iter().all(|step| step.norm.is_none()));
        let norms = |step: &&Step| step.layer(&graph).op.kind() == LayerKind::Norm;
        assert_eq!(steps.iter().filter(norms).filter(|step| step.residual.is_some() && step.relu).count(), 8);
    }
}
