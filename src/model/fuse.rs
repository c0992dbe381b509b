//! From layers to steps: batch norm folded, ReLU and addition fused. Pure, so that it is tested without a GPU.

use super::graph::{Graph, Op, ValueId};

/// What one step computes. Indices are node indices of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A convolution with what its epilogue took over.
    Conv {
        /// The convolution's node.
        conv: usize,
        /// The batch norm folded into its weights.
        norm: Option<usize>,
        /// Whether a second input is added before the ReLU.
        residual: bool,
        /// Whether a ReLU ends it.
        relu: bool,
    },
    /// A batch norm of its own, in front of a pre-activated convolution.
    Norm {
        /// The batch norm's node.
        norm: usize,
        /// Whether a ReLU ends it.
        relu: bool,
    },
    /// An addition no convolution could take over.
    Add {
        /// Whether a ReLU ends it.
        relu: bool,
    },
    /// Any other layer, alone.
    Plain {
        /// Its node.
        node: usize,
    },
}

/// One step of a plan: a dispatch or, for some convolution kernels, a few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name of the layer whose parameters it uses.
    pub name: String,
    /// What it computes.
    pub kind: Kind,
    /// The values it reads; a convolution's residual is the second.
    pub inputs: Vec<ValueId>,
    /// The value it writes.
    pub output: ValueId,
}

/// Fuses the graph. A value in `kept` (taps and results) is always written, so nothing is fused across it.
pub fn fuse(graph: &Graph, kept: &[ValueId]) -> Vec<Step> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            readers[input.0].push(i);
        }
    }
    // The only reader of a value that nobody else wants to see.
    let sole_reader = |value: ValueId| match readers[value.0][..] {
        [reader] if !kept.contains(&value) => Some(reader),
        _ => None,
    };
    let mut absorbed = vec![false; graph.nodes.len()];
    let mut steps = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        if absorbed[i] || matches!(node.op, Op::Input { .. }) {
            continue;
        }
        let mut output = ValueId(i);
        let mut inputs = node.inputs.clone();
        // Takes over the only reader of the output so far, if it is of the wanted sort.
        let mut absorb = |output: &mut ValueId, wanted: &dyn Fn(usize) -> bool| -> Option<usize> {
            let reader = sole_reader(*output).filter(|&reader| wanted(reader))?;
            absorbed[reader] = true;
            *output = ValueId(reader);
            Some(reader)
        };
        let is_relu = |n: usize| graph.nodes[n].op == Op::Relu;
        let kind = match node.op {
            Op::Conv2d(_) => {
                let norm = absorb(&mut output, &|n| matches!(graph.nodes[n].op, Op::BatchNorm { .. }));
                let branch = output;
                // The other branch must have been written by then; nodes stand in execution order.
                let other = |n: usize| graph.nodes[n].inputs.iter().copied().find(|input| *input != branch);
                let add = absorb(&mut output, &|n| graph.nodes[n].op == Op::Add && other(n).is_some_and(|o| o.0 < i));
                inputs.extend(add.and_then(other));
                let relu = absorb(&mut output, &is_relu).is_some();
                Kind::Conv { conv: i, norm, residual: add.is_some(), relu }
            }
            Op::BatchNorm { .. } => Kind::Norm { norm: i, relu: absorb(&mut output, &is_relu).is_some() },
            Op::Add => Kind::Add { relu: absorb(&mut output, &is_relu).is_some() },
            _ => Kind::Plain { node: i },
        };
        steps.push(Step { name: node.name.clone(), kind, inputs, output });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;

    fn steps(name: &str) -> Vec<Step> {
        fuse(&ResNetSpec::named(name).unwrap().build().unwrap(), &[])
    }

    #[test]
    fn v1_is_convolutions_and_a_head() {
        for (name, convolutions) in [("resnet18", 20), ("resnet50", 53), ("resnet152", 155)] {
            let steps = steps(name);
            let convs = steps.iter().filter(|s| matches!(s.kind, Kind::Conv { .. })).count();
            assert_eq!(convs, convolutions, "{name}");
            // Max pool, average pool, linear, softmax: every norm, ReLU and addition is fused.
            assert_eq!(steps.len(), convolutions + 4, "{name}");
        }
    }

    #[test]
    fn every_block_of_a_pre_activation_net_adds_in_its_last_convolution() {
        let steps = steps("resnet50v2-slim");
        assert!(!steps.iter().any(|s| matches!(s.kind, Kind::Add { .. })));
        let norms = steps.iter().filter(|s| matches!(s.kind, Kind::Norm { relu: true, .. })).count();
        assert_eq!(norms, 16 + 1); // one in front of every block and the last one
    }

    #[test]
    fn option_a_adds_in_the_convolution_too() {
        assert!(!steps("resnet20").iter().any(|s| matches!(s.kind, Kind::Add { .. })));
    }

    #[test]
    fn a_tap_is_written() {
        let graph = ResNetSpec::named("resnet18").unwrap().build().unwrap();
        let tap = graph.value("layer1.0.bn1").unwrap();
        let steps = fuse(&graph, &[tap]);
        assert!(steps.iter().any(|s| s.output == tap && matches!(s.kind, Kind::Conv { norm: Some(_), relu: false, .. })));
        assert!(steps.iter().any(|s| s.inputs == [tap] && matches!(s.kind, Kind::Plain { .. })));
    }
}
