//! Our own TensorFlow Lite files, read again: the table in their metadata says what their tensors are. Norms were folded into the
//! convolutions before them: what comes back has the folded weights, and norms that only add.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::contents::{Contents, Stored};
use super::flatbuffer::Read;
use super::{Dtype, tflite};
use crate::data::element::Element;
use crate::model::fuse::fuse;
use crate::model::graph::{Layer, Node};
use crate::model::resnet::ResNetSpec;
use crate::ops::{Nhwc, Purpose};

/// Whether the bytes are such a file.
pub(super) fn is_model(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"TFL3")
}

const FOREIGN: &str = "it is a TensorFlow Lite model of another program: ResLab opens those that it wrote itself; save the weights as \
                       safetensors, Keras or ONNX";
const DAMAGED: &str = "it is a TensorFlow Lite model that is damaged or was cut off";

/// A tensor's bytes and `TensorType`.
type Constant<'a> = (&'a [u8], u8);

/// Lists the tensors of a model that this program wrote.
pub(super) fn list(bytes: &[u8]) -> Result<Contents<'_>, String> {
    let root = Read::root(bytes).ok_or(DAMAGED)?;
    let buffers: Vec<Read<'_>> = root.tables(4).collect();
    let own = root.tables(6).find(|entry| entry.text(0) == Some(tflite::OWN)).ok_or(FOREIGN)?;
    let own = own.int(1).and_then(|at| buffers.get(at as usize)?.bytes(0)).ok_or(DAMAGED)?;
    let metadata = super::deploy::metadata(&serde_json::from_slice(own).map_err(|_| DAMAGED)?);
    let spec: ResNetSpec = metadata.get("spec").and_then(|spec| serde_json::from_str(spec).ok()).ok_or(DAMAGED)?;

    let graph = root.tables(2).next().ok_or(DAMAGED)?;
    let mut constants: HashMap<&str, Constant<'_>> = HashMap::new();
    for tensor in graph.tables(0) {
        let data = tensor.int(2).and_then(|at| buffers.get(at as usize)?.bytes(0));
        if let (Some(name), Some(data), Some(kind)) = (tensor.text(3), data, tensor.byte(1)) {
            constants.insert(name, (data, kind));
        }
    }
    if constants.values().any(|(_, kind)| *kind == tflite::INT8) {
        return Err("its weights are of 8 bits, for devices that run it: a network is opened from weights of 16 or 32 bits; \
                    open the file that it was exported from"
            .into());
    }
    let blocks: usize = spec.stages.iter().map(|stage| stage.blocks.min(1 << 20)).sum();
    if blocks > constants.len() {
        return Err(DAMAGED.into()); // and no graph of millions of layers
    }
    let mut found = Found { constants, tensors: IndexMap::new(), values: Vec::new() };
    let net = spec.build().map_err(|error| error.to_string())?;
    let result = net.result();
    for step in fuse(&net, &[result], Purpose::Inference) {
        found.layer(step.layer(&net), step.norm.map(|norm| &net.nodes[norm]))?;
    }
    let Found { tensors, values, .. } = found;
    let mut contents = Contents::new(tensors, bytes.len(), Box::new(move |stored: &Stored| Ok(values[stored.place].clone())));
    contents.metadata = metadata;
    Ok(contents)
}

struct Found<'a> {
    constants: HashMap<&'a str, Constant<'a>>,
    tensors: IndexMap<String, Stored>,
    values: Vec<Vec<f32>>,
}

impl Found<'_> {
    fn put(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        self.tensors.insert(name.into(), Stored::new(shape.to_vec(), Element::Float(Dtype::F32), self.values.len()));
        self.values.push(values);
    }

    /// The values of a constant, at least `count`.
    fn constant(&self, name: &str, count: usize) -> Result<Vec<f32>, String> {
        let (bytes, kind) =
            self.constants.get(name).ok_or_else(|| format!("its tensor `{}` is missing", super::shown(name)))?;
        let dtype = if *kind == tflite::FLOAT16 { Dtype::F16 } else { Dtype::F32 };
        let mut values = dtype.elements(bytes);
        if values.len() < count {
            return Err(DAMAGED.into());
        }
        // A single output was written as two, the second of zeros.
        values.truncate(count);
        Ok(values)
    }

    /// The parameters of a layer and of the norm that was folded into it.
    fn layer(&mut self, node: &Node, norm: Option<&Node>) -> Result<(), String> {
        let params = node.params();
        let Some(weight) = params.first() else { return Ok(()) };
        let count = |shape: &[usize]| shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).ok_or(DAMAGED);
        let values = self.constant(&format!("{}.weight", node.name), count(&weight.shape)?)?;
        let bias = self.constant(&format!("{}.bias", node.name), weight.shape[0])?;
        match (node.op.nhwc(), weight.shape.as_slice()) {
            (Nhwc::Normalisation(eps), _) => {
                self.norm(node, eps, values, bias);
                return Ok(());
            }
            (Nhwc::Convolution(..), &[outputs, inputs, height, width]) => {
                let taps = height * width;
                let turned = (0..outputs * inputs * taps).map(|at| {
                    let (o, i, tap) = (at / (inputs * taps), at / taps % inputs, at % taps);
                    values[(o * taps + tap) * inputs + i]
                });
                self.put(&weight.name, &weight.shape, turned.collect());
            }
            _ => self.put(&weight.name, &weight.shape, values),
        }
        if let Some(own) = params.get(1) {
            self.put(&own.name, &own.shape, bias);
            if let Some((node, eps)) = norm.and_then(|norm| Some((norm, epsilon(norm)?))) {
                self.norm(node, eps, vec![1.0; weight.shape[0]], vec![0.0; weight.shape[0]]);
            }
        } else if let Some((node, eps)) = norm.and_then(|norm| Some((norm, epsilon(norm)?))) {
            self.norm(node, eps, vec![1.0; weight.shape[0]], bias);
        }
        Ok(())
    }

    /// A norm of this scale and shift: mean 0, and a variance that makes the root of its denominator 1.
    fn norm(&mut self, node: &Node, eps: f32, scale: Vec<f32>, shift: Vec<f32>) {
        let channels = scale.len();
        let parts = [scale, shift, vec![0.0; channels], vec![1.0 - eps; channels]];
        for (param, values) in node.params().iter().zip(parts) {
            self.put(&param.name, &param.shape, values);
        }
    }
}

fn epsilon(norm: &Node) -> Option<f32> {
    if let Nhwc::Normalisation(eps) = norm.op.nhwc() { Some(eps) } else { None }
}
