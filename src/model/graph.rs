//! A network as layers in order: plain data, no GPU.
//!
//! A [`Graph`] is a list of [`Node`]s in execution order; node `i` writes value `i`, value ids are node indices. Node names are
//! the checkpoint keys' stems (`layer1.0.conv1`), so parameters need no renaming.

use crate::{Error, Result};

pub use crate::gpu::Shape;
pub use crate::ops::{Conv2d, MaxPool, Padding};

/// A value is the output of the node with this index; node 0 is the input image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// What a node computes. Shapes are written `(N, C, H, W)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The network's input, `(N, C, H, W)`.
    Input {
        /// Image channels.
        channels: usize,
    },
    /// Parameters `weight (O, I, K, K)` and, if it has one, `bias (O)`.
    Conv2d(Conv2d),
    /// Parameters `weight`, `bias`, `running_mean`, `running_var`, each `(C)`.
    BatchNorm {
        /// Channels.
        channels: usize,
        /// Added to the variance.
        eps: f32,
    },
    /// `max(x, 0)`.
    Relu,
    /// Sum of two values of one shape.
    Add,
    /// Maximum over windows.
    MaxPool(MaxPool),
    /// Every `stride`-th row and column: a 1x1 max pool, TF-slim's `subsample`.
    Subsample {
        /// Step in both axes.
        stride: usize,
    },
    /// Option A of the ResNet paper: subsample, then new channels of zeros.
    ZeroPadShortcut {
        /// Step in both axes.
        stride: usize,
        /// Channels after padding.
        out_channels: usize,
        /// How many zero channels stand before the copied ones.
        offset: usize,
    },
    /// Mean over H and W: `(N, C, H, W) -> (N, C, 1, 1)`.
    GlobalAvgPool,
    /// Parameters `weight (O, I)` and `bias (O)`.
    Linear {
        /// Input features.
        in_features: usize,
        /// Output features.
        out_features: usize,
    },
    /// Over the channel axis.
    Softmax,
}

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
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[ValueId]) -> ValueId {
        self.nodes.push(Node { name: name.into(), op, inputs: inputs.to_vec() });
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
        let channels = self.nodes[..=value.0].iter().rev().find_map(|node| match node.op {
            Op::Input { channels } | Op::BatchNorm { channels, .. } => Some(channels),
            Op::Conv2d(conv) => Some(conv.out_channels),
            Op::ZeroPadShortcut { out_channels, .. } => Some(out_channels),
            Op::Linear { out_features, .. } => Some(out_features),
            _ => None,
        });
        let channels = channels.ok_or_else(|| Error::Spec("a net without an input cannot be cut".into()))?;
        let moved = |id: &ValueId| (id.0 >= value.0).then(|| ValueId(id.0 - value.0));
        let mut tail = Graph {
            nodes: vec![Node { name: "input".into(), op: Op::Input { channels }, inputs: Vec::new() }],
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

    /// Parameters and buffers in node order.
    pub fn params(&self) -> Vec<Param> {
        let mut params = Vec::new();
        for node in &self.nodes {
            let mut add = |suffix: &str, shape: Vec<usize>, trainable| {
                params.push(Param { name: format!("{}.{suffix}", node.name), shape, trainable });
            };
            match node.op {
                Op::Conv2d(c) => {
                    add("weight", vec![c.out_channels, c.in_channels, c.kernel, c.kernel], true);
                    if c.bias {
                        add("bias", vec![c.out_channels], true);
                    }
                }
                Op::BatchNorm { channels, .. } => {
                    add("weight", vec![channels], true);
                    add("bias", vec![channels], true);
                    add("running_mean", vec![channels], false);
                    add("running_var", vec![channels], false);
                }
                Op::Linear { in_features, out_features } => {
                    add("weight", vec![out_features, in_features], true);
                    add("bias", vec![out_features], true);
                }
                _ => {}
            }
        }
        params
    }

    /// Number of trainable scalars (what frameworks print as parameters).
    pub fn parameter_count(&self) -> usize {
        self.params().iter().filter(|p| p.trainable).map(|p| p.shape.iter().product::<usize>()).sum()
    }

    /// Every value's shape for a batch of `n` images of `h` by `w`, or which layer the image is too small for.
    pub fn shapes(&self, n: usize, h: usize, w: usize) -> Result<Vec<Shape>> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let input = node.inputs.first().map(|id| shapes[id.0]);
            let shape = match (&node.op, input) {
                (Op::Input { channels }, _) => Shape::new(n, *channels, h, w),
                (_, None) => return Err(Error::Spec(format!("layer `{}` reads nothing", node.name))),
                (Op::Conv2d(c), Some(x)) => {
                    if x.c != c.in_channels {
                        return Err(Error::Spec(format!("`{}` wants {} channels, gets {}", node.name, c.in_channels, x.c)));
                    }
                    c.output_shape(x)
                }
                (Op::MaxPool(p), Some(x)) => p.output_shape(x),
                (Op::Subsample { stride }, Some(x)) => Shape::new(x.n, x.c, x.h.div_ceil(*stride), x.w.div_ceil(*stride)),
                (Op::ZeroPadShortcut { stride, out_channels, .. }, Some(x)) => {
                    Shape::new(x.n, *out_channels, x.h.div_ceil(*stride), x.w.div_ceil(*stride))
                }
                (Op::GlobalAvgPool, Some(x)) => Shape::new(x.n, x.c, 1, 1),
                (Op::Linear { out_features, .. }, Some(x)) => Shape::new(x.n, *out_features, 1, 1),
                (Op::Add, Some(x)) => {
                    let other = shapes[node.inputs[1].0];
                    if other != x {
                        return Err(Error::Spec(format!("`{}` adds {x:?} and {other:?}: the branches must agree", node.name)));
                    }
                    x
                }
                (Op::BatchNorm { .. } | Op::Relu | Op::Softmax, Some(x)) => x,
            };
            if [shape.n, shape.c, shape.h, shape.w].contains(&0) {
                return Err(Error::Spec(format!("an image of {w}x{h} px (batch {n}) leaves nothing of layer `{}`", node.name)));
            }
            shapes.push(shape);
        }
        Ok(shapes)
    }
}
