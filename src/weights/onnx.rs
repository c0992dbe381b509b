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
use crate::model::graph::{Graph, Layer, Shape};
use crate::model::resnet::ResNetSpec;
use crate::ops::{LayerKind, Onnx, OnnxAttribute, OnnxItem, OnnxValues};
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
    let layers = layers(&graph, &graph.shapes(1, height, width)?);

    // The parts of a graph in front of its parameters, then each parameter up to its data: lengths come before contents, so all
    // are known before the first byte of the file is written.
    let mut small = layers;
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

/// Nodes, input, output and the few small constants of a graph: up to its [result](Graph::result), so that who loads the file gets
/// logits and no probabilities.
fn layers(graph: &Graph, shapes: &[Shape]) -> Message {
    let result = graph.result().0;
    // A node's name is its value's name.
    let mut names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    names[0] = INPUT;
    names[result] = if graph.value("fc").is_ok() { LOGITS } else { FEATURES };
    let mut message = Message::default();
    for (i, node) in graph.nodes.iter().enumerate().take(result + 1) {
        let inputs = node.inputs.iter().map(|id| names[id.0].to_string()).collect();
        let input_shapes: Vec<Shape> = node.inputs.iter().map(|id| shapes[id.0]).collect();
        let params = node.params().into_iter().map(|param| param.name).collect();
        let mut onnx = Onnx::new(&node.name, inputs, &input_shapes, params, names[i]);
        node.op.onnx(&mut onnx);
        onnx.finish().iter().for_each(|item| message.item(item));
    }
    let Shape { c, h, w, .. } = shapes[0];
    message.message(11, &value(INPUT, &[c, h, w]));
    // Logits or features of a net without a pool are a map.
    let Shape { c, h, w, .. } = shapes[result];
    let sizes = if graph.nodes[result].op.kind() == LayerKind::Classifier || h * w == 1 { vec![c] } else { vec![c, h, w] };
    message.message(12, &value(names[result], &sizes));
    message
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

/// `AttributeProto`; `type` is required since IR version 2.
fn attribute(attribute: &OnnxAttribute) -> Message {
    let mut message = Message::default();
    match attribute {
        OnnxAttribute::Float(name, value) => {
            message.text(1, name);
            message.float(2, *value);
            message.int(20, 1);
        }
        OnnxAttribute::Int(name, value) => {
            message.text(1, name);
            message.int(3, *value);
            message.int(20, 2);
        }
        OnnxAttribute::Ints(name, values) => {
            message.text(1, name);
            values.iter().for_each(|value| message.int(8, *value));
            message.int(20, 7);
        }
    }
    message
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

    /// A node or constant of a graph.
    fn item(&mut self, item: &OnnxItem) {
        match item {
            OnnxItem::Node { name, operator, inputs, output, attributes } => {
                let mut node = Self::default();
                inputs.iter().for_each(|input| node.text(1, input));
                node.text(2, output);
                node.text(3, name);
                node.text(4, operator);
                attributes.iter().for_each(|setting| node.message(5, &attribute(setting)));
                self.message(1, &node);
            }
            OnnxItem::Constant { name, shape, values } => {
                let (kind, data): (i64, Vec<u8>) = match values {
                    OnnxValues::Float(values) => (FLOAT, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
                    OnnxValues::Int(values) => (INT64, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
                };
                let mut tensor = tensor_head(name, kind, shape, data.len());
                tensor.0.extend(data);
                self.message(5, &tensor);
            }
        }
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
