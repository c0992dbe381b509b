//! A network as layers in order: plain data, no GPU.
//!
//! A [`Graph`] is a list of [`Node`]s in execution order; node `i` writes value `i`, value ids are node indices. Node names are
//! the checkpoint keys' stems (`layer1.0.conv1`), so parameters need no renaming.

use crate::{Error, Result};

pub use crate::device::Shape;
use crate::ops::{Input, LayerParam};
pub use crate::ops::{Layer, Op, Padding};

/// A value is the output of the node with this index; node 0 is the input image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique name; parameters are `name.weight` and so on.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// The values it reads.
    pub inputs: Vec<ValueId>,
}

/// A parameter or buffer the network wants from a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Full name, e.g. `layer1.0.bn1.running_mean`.
    pub name: String,
    /// Shape in torch's order.
    pub shape: Vec<usize>,
    /// False for BN's running statistics, which no optimizer touches.
    pub trainable: bool,
}

impl Node {
    /// Its parameters and buffers under their full names.
    pub fn params(&self) -> Vec<Param> {
        let named = |param: LayerParam| Param {
            name: format!("{}.{}", self.name, param.role),
            shape: param.shape,
            trainable: param.trainable,
        };
        self.op.params().into_iter().map(named).collect()
    }
}

/// Side of an image that leaves something of every layer.
const LARGE_PX: usize = 4096;

/// Layers in execution order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// Node `i` computes value `i`; inputs come before their readers.
    pub nodes: Vec<Node>,
    /// Further names of values: a stage's end (`layer1`) is its last block's output.
    pub aliases: Vec<(String, ValueId)>,
}

impl Graph {
    /// Appends a node and returns its value.
    pub fn push(&mut self, name: impl Into<String>, op: impl Into<Op>, inputs: &[ValueId]) -> ValueId {
        self.nodes.push(Node { name: name.into(), op: op.into(), inputs: inputs.to_vec() });
        ValueId(self.nodes.len() - 1)
    }

    /// The value called `name`: a node (`layer1.0.conv1`), a block (`layer1.0`) or a stage (`layer1`).
    pub fn value(&self, name: &str) -> Result<ValueId> {
        self.nodes
            .iter()
            .position(|node| node.name == name)
            .map(ValueId)
            .or_else(|| self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, value)| *value))
            .ok_or_else(|| Error::Unknown {
                kind: "layer",
                name: name.into(),
                known: self.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", "),
            })
    }

    /// Cuts the net behind `value`: the layers up to it, and the layers after it with `value` as their input.
    ///
    /// Training only the last layers runs the first part as an inference plan, which keeps no activations.
    ///
    /// # Errors
    /// [`Error::Spec`] when a later layer reads something in front of the cut: the cut goes through a block.
    pub fn split_at(&self, value: ValueId) -> Result<(Graph, Graph)> {
        // Channels do not depend on the size of the images.
        let channels = self.shapes(1, LARGE_PX, LARGE_PX)?[value.0].c;
        let moved = |id: &ValueId| (id.0 >= value.0).then(|| ValueId(id.0 - value.0));
        let mut tail = Graph {
            nodes: vec![Node { name: "input".into(), op: Input { channels }.into(), inputs: Vec::new() }],
            ..Self::default()
        };
        for node in &self.nodes[value.0 + 1..] {
            let inputs: Option<Vec<ValueId>> = node.inputs.iter().map(moved).collect();
            let Some(inputs) = inputs else {
                let cut = &self.nodes[value.0].name;
                return Err(Error::Spec(format!(
                    "`{}` reads past the cut behind `{cut}`: cut at the end of a block",
                    node.name
                )));
            };
            tail.nodes.push(Node { inputs, ..node.clone() });
        }
        let (head_aliases, tail_aliases) =
            self.aliases.iter().cloned().partition(|(_, id): &(String, ValueId)| id.0 <= value.0);
        tail.aliases = tail_aliases;
        tail.aliases.iter_mut().for_each(|(_, id)| id.0 -= value.0);
        Ok((Graph { nodes: self.nodes[..=value.0].to_vec(), aliases: head_aliases }, tail))
    }

    /// The value that training and export end in: the logits `fc`, or what a net without a head ends in.
    pub fn result(&self) -> ValueId {
        self.value("fc").unwrap_or(ValueId(self.nodes.len().saturating_sub(1)))
    }

    /// Which nodes read each value.
    pub(super) fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| readers[input.0].push(i));
        }
        readers
    }

    /// Parameters and buffers in node order.
    pub fn params(&self) -> Vec<Param> {
        self.nodes.iter().flat_map(Node::params).collect()
    }

    /// Number of trainable scalars (what frameworks print as parameters).
    pub fn parameter_count(&self) -> usize {
        self.params().iter().filter(|p| p.trainable).map(|p| p.shape.iter().product::<usize>()).sum()
    }

    /// Every value's shape for a batch of `n` images of `h` by `w`, or which layer the image is too small for.
    pub fn shapes(&self, n: usize, h: usize, w: usize) -> Result<Vec<Shape>> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut inputs: Vec<Shape> = node.inputs.iter().map(|id| shapes[id.0]).collect();
            if inputs.is_empty() {
                inputs.push(Shape::new(n, 0, h, w));
            }
            let shape = node.op.output_shape(&inputs).map_err(|reason| Error::Spec(format!("`{}` {reason}", node.name)))?;
            if [shape.n, shape.c, shape.h, shape.w].contains(&0) {
                return Err(Error::Spec(format!("an image of {w}x{h} px (batch {n}) leaves nothing of layer `{}`", node.name)));
            }
            shapes.push(shape);
        }
        Ok(shapes)
    }
}
