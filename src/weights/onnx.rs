//! ONNX out: a network and its weights as one file that ONNX Runtime, Netron and every converter read.
//!
//! Opset 17, IR version 8 (both of ONNX 1.12, 2022). The input `input` is float32 `(N, C, H, W)`, normalised already, with any
//! batch `N`; height and width are fixed, because TensorFlow's SAME padding depends on them and is written out as numbers. The
//! output is `logits (N, classes)`, or `features (N, C)` of a net without a head. Batch norm stays a layer of its own, so that
//! the file can be fine-tuned, and parameters keep their checkpoint keys. What this project knows beside the layers (table, class
//! names, pixels) stands in `metadata_props` under the keys that its safetensors files use.
//!
//! Protocol buffers are written by hand: five kinds of fields are all that a writer needs, and a message type with owned bytes
//! would copy all weights once or twice more. Field numbers are those of <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

use indexmap::IndexMap;

use super::StateDict;
use crate::model::graph::{Graph, MaxPool, Node, Op, Padding, Shape};
use crate::model::resnet::ResNetSpec;
use crate::{Error, Result};

/// Version of ONNX's operators.
pub const OPSET: i64 = 17;
/// Version of the file format that came with [`OPSET`].
const IR_VERSION: i64 = 8;
/// Name of the graph's input.
pub const INPUT: &str = "input";
/// Name of the output of a net with classes.
pub const LOGITS: &str = "logits";
/// Name of the output of a net without a head.
pub const FEATURES: &str = "features";
/// Protocol buffers cannot be larger.
const MAX_BYTES: usize = i32::MAX as usize;

/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// The file of a network that takes images of `height` by `width`.
///
/// # Errors
/// [`Error::Spec`] when the table is not valid or leaves nothing of such an image, [`Error::TensorMismatch`] when a tensor is
/// missing or has another shape, [`Error::Usage`] for more than 2 GB of weights, which ONNX cannot hold in one file.
pub fn write(
    spec: &ResNetSpec,
    weights: &StateDict,
    (height, width): (usize, usize),
    metadata: &IndexMap<String, String>,
) -> Result<Vec<u8>> {
    let graph = spec.build()?;
    let layers = Writer::new(&graph, graph.shapes(1, height, width)?).layers();

    // The parts of a graph in front of its parameters, then each parameter up to its data: lengths come before contents, so all
    // are known before the first byte of the file is written.
    let mut small = layers.message;
    small.text(2, &spec.arch);
    let mut tensors: Vec<(Message, &[f32])> = Vec::new();
    for param in graph.params() {
        let tensor = weights.get(&param.name, &param.shape)?;
        tensors.push((tensor_head(&param.name, FLOAT, &param.shape, size_of_val(&*tensor.data)), &tensor.data));
    }
    let tensor_bytes = |(head, data): &(Message, &[f32])| head.0.len() + size_of_val(*data);
    let graph_bytes = small.0.len() + tensors.iter().map(|t| field_bytes(tensor_bytes(t))).sum::<usize>();

    let mut opset = Message::default();
    opset.int(2, OPSET);
    let mut props = Message::default();
    for (key, value) in metadata {
        let mut entry = Message::default();
        entry.text(1, key);
        entry.text(2, value);
        props.message(14, &entry);
    }
    let mut file = Message::default();
    file.int(1, IR_VERSION);
    file.text(2, "reslab");
    file.text(3, env!("CARGO_PKG_VERSION"));
    file.message(8, &opset);
    let total = file.0.len() + field_bytes(graph_bytes) + props.0.len();
    if total > MAX_BYTES {
        return Err(Error::Usage(format!(
            "ONNX files hold up to 2 GB, and this network needs {:.1} GB; export it as safetensors",
            total as f64 / 1e9
        )));
    }
    file.0.reserve_exact(total - file.0.len());
    file.head(7, graph_bytes);
    file.0.extend(&small.0);
    for tensor in &tensors {
        file.head(5, tensor_bytes(tensor));
        file.0.extend(&tensor.0.0);
        for value in tensor.1 {
            file.0.extend(value.to_le_bytes());
        }
    }
    file.0.extend(&props.0);
    Ok(file.0)
}

/// Nodes, input, output and the few small constants of a graph.
struct Writer<'a> {
    graph: &'a Graph,
    /// Of each value, for a batch of one.
    shapes: Vec<Shape>,
    /// What each value is called in the file.
    names: Vec<String>,
    message: Message,
}

impl<'a> Writer<'a> {
    fn new(graph: &'a Graph, shapes: Vec<Shape>) -> Self {
        // A node's name is its value's name; softmax is left out, so that who loads the file gets logits.
        let names = graph.nodes.iter().map(|node| match node.op {
            Op::Input { .. } => INPUT.to_string(),
            Op::Linear { .. } => LOGITS.to_string(),
            _ => node.name.clone(),
        });
        Self { graph, shapes, names: names.collect(), message: Message::default() }
    }

    fn layers(mut self) -> Self {
        let graph = self.graph;
        for (i, node) in graph.nodes.iter().enumerate() {
            self.layer(i, node);
        }
        self.interface();
        self
    }

    fn layer(&mut self, i: usize, node: &Node) {
        let name = node.name.as_str();
        let output = self.names[i].clone();
        let inputs: Vec<String> = node.inputs.iter().map(|id| self.names[id.0].clone()).collect();
        let x = node.inputs.first().map_or(self.shapes[i], |id| self.shapes[id.0]);
        let params = |suffixes: &[&str]| -> Vec<String> {
            inputs.iter().cloned().chain(suffixes.iter().map(|suffix| format!("{name}.{suffix}"))).collect()
        };
        match &node.op {
            Op::Input { .. } | Op::Softmax => {}
            Op::Conv2d(conv) => {
                let inputs = params(if conv.bias { &["weight", "bias"] } else { &["weight"] });
                let attributes = window(conv.kernel, conv.stride, pads(conv.padding, x, conv.kernel, conv.stride));
                self.node(name, "Conv", &inputs, &output, &attributes);
            }
            Op::BatchNorm { eps, .. } => {
                let inputs = params(&["weight", "bias", "running_mean", "running_var"]);
                self.node(name, "BatchNormalization", &inputs, &output, &[Attribute::Float("epsilon", *eps)]);
            }
            Op::Relu => self.node(name, "Relu", &inputs, &output, &[]),
            Op::Add => self.node(name, "Add", &inputs, &output, &[]),
            Op::MaxPool(pool) => self.max_pool(name, pool, x, inputs, &output),
            Op::Subsample { stride } => self.subsample(name, *stride, &inputs, &output),
            Op::ZeroPadShortcut { stride, out_channels, offset } => {
                let mut inputs = inputs;
                if *stride > 1 {
                    let subsampled = format!("{name}.subsample");
                    self.subsample(&subsampled, *stride, &inputs, &subsampled);
                    inputs = vec![subsampled];
                }
                let before = *offset as i64;
                let behind = (out_channels - offset - x.c) as i64;
                self.pad_channels(name, before, behind, inputs, &output);
            }
            Op::GlobalAvgPool => {
                let pooled = format!("{name}.pool");
                self.node(&pooled, "GlobalAveragePool", &inputs, &pooled, &[]);
                let output = if self.has_head() { output } else { FEATURES.to_string() };
                self.node(name, "Flatten", &[pooled], &output, &[Attribute::Int("axis", 1)]);
            }
            Op::Linear { .. } => {
                // `weight (O, I)` stands as PyTorch keeps it.
                self.node(name, "Gemm", &params(&["weight", "bias"]), &output, &[Attribute::Int("transB", 1)]);
            }
        }
    }

    fn has_head(&self) -> bool {
        self.graph.nodes.iter().any(|node| matches!(node.op, Op::Linear { .. }))
    }

    fn max_pool(&mut self, name: &str, pool: &MaxPool, x: Shape, inputs: Vec<String>, output: &str) {
        let pads = pads(pool.padding, x, pool.kernel, pool.stride);
        if !pool.zeros || pads == [0; 4] {
            return self.node(name, "MaxPool", &inputs, output, &window(pool.kernel, pool.stride, pads));
        }
        // MaxPool leaves its padding out of the maximum, and zeros of a `Pad` in front of it are made such padding by some
        // versions of ONNX Runtime. So the zeros come afterwards: nothing at windows that touch the border is below zero.
        let valid = format!("{name}.valid");
        self.node(&valid, "MaxPool", &inputs, &valid, &window(pool.kernel, pool.stride, pads));
        let y = pool.output_shape(x);
        let touches = |at: usize, before: i64, size: usize| {
            let first = (at * pool.stride) as i64 - before;
            first < 0 || first + pool.kernel as i64 > size as i64
        };
        let cells = (0..y.h * y.w).map(|i| touches(i / y.w, pads[0], x.h) || touches(i % y.w, pads[1], x.w));
        let border: Vec<u8> = cells.flat_map(|touches| (if touches { 0.0 } else { f32::MIN }).to_le_bytes()).collect();
        let constant = format!("{name}.border");
        self.constant(&constant, FLOAT, &[1, 1, y.h, y.w], &border);
        self.node(name, "Max", &[valid, constant], output, &[]);
    }

    /// Every `stride`-th row and column.
    fn subsample(&mut self, name: &str, stride: usize, inputs: &[String], output: &str) {
        self.node(name, "MaxPool", inputs, output, &window(1, stride, [0; 4]));
    }

    /// Channels of zeros before and behind the others.
    fn pad_channels(&mut self, name: &str, before: i64, behind: i64, mut inputs: Vec<String>, output: &str) {
        let widths = [0, before, 0, 0, 0, behind, 0, 0];
        let constant = format!("{name}.pads");
        self.constant(&constant, INT64, &[widths.len()], &widths.map(i64::to_le_bytes).concat());
        inputs.push(constant);
        self.node(name, "Pad", &inputs, output, &[]);
    }

    /// A tensor that is no parameter.
    fn constant(&mut self, name: &str, kind: i64, shape: &[usize], data: &[u8]) {
        let mut tensor = tensor_head(name, kind, shape, data.len());
        tensor.0.extend(data);
        self.message.message(5, &tensor);
    }

    fn node(&mut self, name: &str, kind: &str, inputs: &[String], output: &str, attributes: &[Attribute]) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        node.text(2, output);
        node.text(3, name);
        node.text(4, kind);
        attributes.iter().for_each(|attribute| node.message(5, &attribute.message()));
        self.message.message(1, &node);
    }

    /// Input and output with their shapes.
    fn interface(&mut self) {
        for (node, shape) in self.graph.nodes.iter().zip(&self.shapes) {
            match node.op {
                Op::Input { .. } => self.message.message(11, &value(INPUT, &[shape.c, shape.h, shape.w])),
                Op::GlobalAvgPool if !self.has_head() => self.message.message(12, &value(FEATURES, &[shape.c])),
                Op::Linear { out_features, .. } => self.message.message(12, &value(LOGITS, &[out_features])),
                _ => {}
            }
        }
    }
}

/// `ValueInfoProto` of float32 `(N, ...)`.
fn value(name: &str, sizes: &[usize]) -> Message {
    let mut shape = Message::default();
    let mut batch = Message::default();
    batch.text(2, "N");
    shape.message(1, &batch);
    for size in sizes {
        let mut dimension = Message::default();
        dimension.int(1, *size as i64);
        shape.message(1, &dimension);
    }
    let mut tensor = Message::default();
    tensor.int(1, FLOAT);
    tensor.message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut value = Message::default();
    value.text(1, name);
    value.message(2, &kind);
    value
}

/// A `TensorProto` up to its data.
fn tensor_head(name: &str, kind: i64, shape: &[usize], bytes: usize) -> Message {
    let mut tensor = Message::default();
    shape.iter().for_each(|size| tensor.int(1, *size as i64));
    tensor.int(2, kind);
    tensor.text(8, name);
    tensor.head(9, bytes);
    tensor
}

/// Cells added at the top, left, bottom and right, as ONNX orders them.
fn pads(padding: Padding, x: Shape, kernel: usize, stride: usize) -> [i64; 4] {
    let (top, bottom, _) = padding.resolve(x.h, kernel, stride);
    let (left, right, _) = padding.resolve(x.w, kernel, stride);
    [top as i64, left as i64, bottom as i64, right as i64]
}

/// Attributes of a square window.
fn window(kernel: usize, stride: usize, pads: [i64; 4]) -> [Attribute; 3] {
    [
        Attribute::Ints("kernel_shape", vec![kernel as i64; 2]),
        Attribute::Ints("strides", vec![stride as i64; 2]),
        Attribute::Ints("pads", pads.to_vec()),
    ]
}

enum Attribute {
    Float(&'static str, f32),
    Int(&'static str, i64),
    Ints(&'static str, Vec<i64>),
}

impl Attribute {
    /// `AttributeProto`; `type` is required since IR version 2.
    fn message(&self) -> Message {
        let mut message = Message::default();
        match self {
            Self::Float(name, value) => {
                message.text(1, name);
                message.float(2, *value);
                message.int(20, 1);
            }
            Self::Int(name, value) => {
                message.text(1, name);
                message.int(3, *value);
                message.int(20, 2);
            }
            Self::Ints(name, values) => {
                message.text(1, name);
                values.iter().for_each(|value| message.int(8, *value));
                message.int(20, 7);
            }
        }
        message
    }
}

/// A protocol buffer message as its bytes: fields, each a tag (number and wire type) and a value.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// Seven bits a byte, the lowest first.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Wire type 0; none of our integers is negative.
    fn int(&mut self, field: u64, value: i64) {
        self.varint(field << 3);
        self.varint(value as u64);
    }

    /// Wire type 5: four bytes.
    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    /// Wire type 2 up to its `length` bytes, which the caller appends.
    fn head(&mut self, field: u64, length: usize) {
        self.varint(field << 3 | 2);
        self.varint(length as u64);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.head(field, bytes.len());
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }
}

/// Bytes of a field below number 16 with contents of this length.
fn field_bytes(length: usize) -> usize {
    let mut head = Message::default();
    head.head(1, length);
    head.0.len() + length
}

#[cfg(test)]
mod tests;
