//! Layers as nodes of an ONNX graph, as data; `weights::onnx` writes the file.

use super::Padding;
use crate::device::Shape;

/// A part of an ONNX graph, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum OnnxItem {
    /// `NodeProto`.
    Node {
        /// Its name.
        name: String,
        /// The operator: `Conv`.
        operator: &'static str,
        /// Names of values, parameters and constants.
        inputs: Vec<String>,
        /// The name of its value.
        output: String,
        /// Its settings.
        attributes: Vec<OnnxAttribute>,
    },
    /// A tensor that is no parameter.
    Constant {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its values.
        values: OnnxValues,
    },
}

/// Numbers of a constant.
#[derive(Debug, Clone, PartialEq)]
pub enum OnnxValues {
    /// FLOAT.
    Float(Vec<f32>),
    /// INT64.
    Int(Vec<i64>),
}

/// A setting of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum OnnxAttribute {
    /// FLOAT.
    Float(&'static str, f32),
    /// INT.
    Int(&'static str, i64),
    /// INTS.
    Ints(&'static str, Vec<i64>),
}

/// Collects the nodes of one layer: [`before`](Self::before) and [`constant`](Self::constant) as often as needed, then
/// [`node`](Self::node).
#[derive(Debug)]
pub struct Onnx<'a> {
    name: &'a str,
    inputs: Vec<String>,
    params: Vec<String>,
    output: &'a str,
    shapes: &'a [Shape],
    items: Vec<OnnxItem>,
}

impl<'a> Onnx<'a> {
    /// The layer `name` reads `inputs`, of these shapes for a batch of one, and writes `output`; `params` follow the inputs.
    pub fn new(name: &'a str, inputs: Vec<String>, shapes: &'a [Shape], params: Vec<String>, output: &'a str) -> Self {
        Self { name, inputs, params, output, shapes, items: Vec::new() }
    }

    /// What was collected.
    pub fn finish(self) -> Vec<OnnxItem> {
        self.items
    }

    /// The shape of the first input.
    pub(super) fn input(&self) -> Shape {
        self.shapes[0]
    }

    /// A node `NAME.suffix` over the inputs; its value takes their place.
    pub(super) fn before(&mut self, suffix: &str, operator: &'static str, attributes: impl Into<Vec<OnnxAttribute>>) {
        let name = format!("{}.{suffix}", self.name);
        let inputs = std::mem::replace(&mut self.inputs, vec![name.clone()]);
        self.items.push(OnnxItem::Node { output: name.clone(), name, operator, inputs, attributes: attributes.into() });
    }

    /// A tensor `NAME.suffix`, one more input.
    pub(super) fn constant(&mut self, suffix: &str, shape: &[usize], values: OnnxValues) {
        let name = format!("{}.{suffix}", self.name);
        self.inputs.push(name.clone());
        self.items.push(OnnxItem::Constant { name, shape: shape.to_vec(), values });
    }

    /// The layer's own node, over inputs and parameters.
    pub(super) fn node(&mut self, operator: &'static str, attributes: impl Into<Vec<OnnxAttribute>>) {
        let inputs = self.inputs.iter().chain(&self.params).cloned().collect();
        let (name, output) = (self.name.into(), self.output.into());
        self.items.push(OnnxItem::Node { name, operator, inputs, output, attributes: attributes.into() });
    }
}

/// Cells added at the top, left, bottom and right, as ONNX orders them.
pub(super) fn pads(padding: Padding, x: Shape, kernel: usize, stride: usize) -> [i64; 4] {
    let (top, bottom, _) = padding.resolve(x.h, kernel, stride);
    let (left, right, _) = padding.resolve(x.w, kernel, stride);
    [top as i64, left as i64, bottom as i64, right as i64]
}

/// Attributes of a square window.
pub(super) fn window(kernel: usize, stride: usize, pads: [i64; 4]) -> Vec<OnnxAttribute> {
    vec![
        OnnxAttribute::Ints("kernel_shape", vec![kernel as i64; 2]),
        OnnxAttribute::Ints("strides", vec![stride as i64; 2]),
        OnnxAttribute::Ints("pads", pads.to_vec()),
    ]
}
