//! TensorFlow.js out: a model of its layers API, as Teachable Machine saves one: `model.json`, `weights.bin`, `metadata.json`.
//!
//! The input `input` is float32 `(N, H, W, 3)`: `pixel / 127 - 1`, red first, which is what Teachable Machine's library gives its
//! models. A first layer `pixels`, a 1x1 convolution, makes of it what the network was trained on, so that nobody has to know. The output
//! is probabilities. Layers keep the checkpoint's names; batch norm stays a layer, so that the model can be trained on.

use serde_json::{Value, json};

use super::StateDict;
use super::deploy::Deployed;
use crate::data::Activation;
use crate::data::answers::answers;
use crate::model::graph::{Graph, Layer, Node, Shape};
use crate::ops::{Border, Nhwc, Window};
use crate::{Error, Result};

/// The model's topology and list of weights.
pub const MODEL: &str = "model.json";
/// All weights, one after the other.
pub const WEIGHTS: &str = "weights.bin";
/// What Teachable Machine's library reads.
pub const METADATA: &str = "metadata.json";
/// The layer in front of the network.
pub(super) const PIXELS: &str = "pixels";
/// A pixel is `127 * (x + 1)`.
const HALF: f32 = 127.0;

/// The files by name.
///
/// # Errors
/// Those of [`onnx::write`](super::onnx::write); [`Error::Usage`] for what its layers cannot do: convolutions in groups.
pub fn write(model: &Deployed<'_>, name: &str) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let graph = model.spec.build()?;
    let (width, height) = model.pixels.crop;
    let shapes = graph.shapes(1, height as usize, width as usize)?;
    let mut writer =
        Writer { graph: &graph, weights: model.weights, layers: Vec::new(), manifest: Vec::new(), bytes: Vec::new() };
    let result = writer.network(model, &shapes)?;
    let Writer { layers, manifest, bytes, .. } = writer;
    let topology = json!({
        "class_name": "Model",
        "config": {
            "name": model.spec.arch,
            "layers": layers,
            "input_layers": [["input", 0, 0]],
            "output_layers": [[result, 0, 0]],
        },
        "keras_version": "tfjs-layers 1.3.1",
        "backend": "tensor_flow.js",
    });
    let told = model.told();
    let file = json!({
        "format": "layers-model",
        "generatedBy": concat!("ResLab ", env!("CARGO_PKG_VERSION")),
        "convertedBy": null,
        "modelTopology": topology,
        "weightsManifest": [{ "paths": [WEIGHTS], "weights": manifest }],
        "userDefinedMetadata": told,
    });
    let metadata = json!({
        "tfjsVersion": "1.3.1",
        "tmVersion": "2.4.10",
        "packageVersion": "0.8.5",
        "packageName": "@teachablemachine/image",
        "userMetadata": told,
        "modelName": name,
        "labels": answers(model.labels),
        "imageSize": width,
    });
    // A tree of JSON is always written.
    let text = |value: &Value| value.to_string().into_bytes();
    Ok(vec![(MODEL, text(&file)), (WEIGHTS, bytes), (METADATA, text(&metadata))])
}

struct Writer<'a> {
    graph: &'a Graph,
    weights: &'a StateDict,
    layers: Vec<Value>,
    manifest: Vec<Value>,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    /// All layers; the name of the last.
    fn network(&mut self, model: &Deployed<'_>, shapes: &[Shape]) -> Result<String> {
        let graph = self.graph;
        let Shape { c, h, w, .. } = shapes[0];
        if c != 3 {
            return Err(Error::Usage(format!(
                "it takes images of {c} channels, and this format is for pictures of 3; use ONNX"
            )));
        }
        self.layers.push(json!({
            "class_name": "InputLayer",
            "name": "input",
            "config": { "batch_input_shape": [null, h, w, c], "dtype": "float32", "sparse": false, "name": "input" },
            "inbound_nodes": [],
        }));
        let (factor, offset) = model.pixels.affine();
        let (mut kernel, source) = (vec![0.0; 9], model.pixels.channel_order.indices());
        (0..3).for_each(|o| kernel[source[o] * 3 + o] = HALF * factor[o]);
        let bias: Vec<f32> = (0..3).map(|o| HALF * factor[o] + offset[o]).collect();
        self.convolution(PIXELS, "input", 3, 1, 1, Border::Valid, true);
        self.weight(PIXELS, "kernel", &[1, 1, 3, 3], &kernel);
        self.weight(PIXELS, "bias", &[3], &bias);
        // The value of each node, by the layer that gives it.
        let mut names: Vec<String> = vec![PIXELS.into()];
        let result = graph.result().0;
        for (node, shape) in graph.nodes.iter().zip(shapes).take(result + 1).skip(1) {
            let from = node.inputs.iter().map(|id| names[id.0].clone()).collect::<Vec<_>>();
            let input = shapes[node.inputs[0].0];
            names.push(self.layer(node, &from, input, *shape, model.spec.classes == Some(1))?);
        }
        if model.spec.classes.is_none() {
            return Ok(names.swap_remove(result));
        }
        let one = model.spec.classes == Some(1);
        let kind = if model.activation == Activation::Softmax || one { "softmax" } else { "sigmoid" };
        Ok(self.simple("Activation", "probabilities", &[&names[result]], json!({ "activation": kind })))
    }

    /// One layer and what must stand in front of it.
    fn layer(&mut self, node: &Node, from: &[String], input: Shape, output: Shape, one: bool) -> Result<String> {
        let (name, x) = (node.name.as_str(), from[0].as_str());
        let params = node.params();
        let read = |role: usize| self.weights.get(&params[role].name, &params[role].shape);
        Ok(match node.op.nhwc() {
            Nhwc::Input => x.into(),
            Nhwc::Convolution(_, 2..) => {
                return Err(Error::Usage(
                    "TensorFlow.js's layers have no convolutions in groups (ResNeXt); export it as TensorFlow Lite or ONNX"
                        .into(),
                ));
            }
            Nhwc::Convolution(window, _) => {
                let (weight, bias) = (read(0)?, params.get(1).map(|_| read(1)).transpose()?);
                let (kernel, shape) = (hwio(&weight.data, &weight.shape), &weight.shape);
                let sizes = [shape[2], shape[3], shape[1], shape[0]];
                let (x, border) = self.padded(name, x, window.border(input.h, input.w));
                self.convolution(name, &x, output.c, window.kernel, window.stride, border, bias.is_some());
                self.weight(name, "kernel", &sizes, &kernel);
                if let Some(bias) = bias {
                    self.weight(name, "bias", &bias.shape, &bias.data);
                }
                name.into()
            }
            Nhwc::Normalisation(epsilon) => {
                let settings = json!({ "axis": -1, "momentum": 0.9, "epsilon": epsilon, "center": true, "scale": true });
                let layer = self.simple("BatchNormalization", name, &[x], settings);
                for (role, theirs) in ["gamma", "beta", "moving_mean", "moving_variance"].into_iter().enumerate() {
                    let tensor = self.weights.get(&params[role].name, &params[role].shape)?;
                    self.weight(name, theirs, &tensor.shape, &tensor.data);
                }
                layer
            }
            Nhwc::Rectifier => self.simple("Activation", name, &[x], json!({ "activation": "relu" })),
            Nhwc::Sum => self.simple("Add", name, &[x, &from[1]], json!({})),
            Nhwc::Largest(window, zeros) => self.largest(name, x, window, zeros, input)?,
            Nhwc::Mean(window) => {
                let Window { kernel, stride, .. } = window;
                match window.border(input.h, input.w) {
                    Border::Cells(_) => return Err(unusual(name)),
                    border => self.simple("AveragePooling2D", name, &[x], pool(kernel, stride, border)),
                }
            }
            Nhwc::Flatten => self.simple("Flatten", name, &[x], json!({ "data_format": "channels_last" })),
            Nhwc::GlobalMean => self.simple("GlobalAveragePooling2D", name, &[x], json!({ "data_format": "channels_last" })),
            Nhwc::Shortcut { stride, channels, .. } if channels == input.c => {
                self.simple("MaxPooling2D", name, &[x], pool(1, stride, Border::Valid))
            }
            Nhwc::Shortcut { stride, before, channels } => {
                // Its layers cannot pad channels: a convolution that copies them.
                let mut kernel = vec![0.0; input.c * channels];
                (0..input.c).for_each(|c| kernel[c * channels + before + c] = 1.0);
                self.convolution(name, x, channels, 1, stride, Border::Valid, false);
                self.weight(name, "kernel", &[1, 1, input.c, channels], &kernel);
                name.into()
            }
            Nhwc::Dense => {
                let (weight, bias) = (read(0)?, read(1)?);
                let (outputs, inputs) = (weight.shape[0], weight.shape[1]);
                let mut kernel: Vec<f32> =
                    (0..inputs * outputs).map(|at| weight.data[at % outputs * inputs + at / outputs]).collect();
                let (mut bias, mut units) = (bias.data.clone(), outputs);
                if one && outputs == 1 {
                    // Yes and no as a softmax over the logit and 0.
                    kernel = kernel.iter().flat_map(|w| [*w, 0.0]).collect();
                    bias.push(0.0);
                    units = 2;
                }
                let settings = json!({ "units": units, "activation": "linear", "use_bias": true });
                let layer = self.simple("Dense", name, &[x], settings);
                self.weight(name, "kernel", &[inputs, units], &kernel);
                self.weight(name, "bias", &[units], &bias);
                layer
            }
            Nhwc::Probabilities => self.simple("Activation", name, &[x], json!({ "activation": "softmax" })),
        })
    }

    /// A largest-of-window layer; its padding counts for nothing, as TensorFlow's, or as zeros.
    fn largest(&mut self, name: &str, x: &str, window: Window, zeros: bool, input: Shape) -> Result<String> {
        let Window { kernel, stride, .. } = window;
        Ok(match window.border(input.h, input.w) {
            Border::Cells(_) | Border::Same if zeros => {
                let (x, border) = self.padded(name, x, Border::Cells(window.cells(input.h, input.w)));
                self.simple("MaxPooling2D", name, &[&x], pool(kernel, stride, border))
            }
            // Around every pixel, of which every `stride`-th is kept.
            Border::Cells(_) if kernel % 2 == 1 => {
                let around = self.simple("MaxPooling2D", &format!("{name}.around"), &[x], pool(kernel, 1, Border::Same));
                self.simple("MaxPooling2D", name, &[&around], pool(1, stride, Border::Valid))
            }
            Border::Cells(_) => return Err(unusual(name)),
            border => self.simple("MaxPooling2D", name, &[x], pool(kernel, stride, border)),
        })
    }

    /// What a window reads where its border is a layer of its own.
    fn padded(&mut self, name: &str, x: &str, border: Border) -> (String, Border) {
        let Border::Cells([top, bottom, left, right]) = border else { return (x.into(), border) };
        let settings = json!({ "padding": [[top, bottom], [left, right]], "data_format": "channels_last" });
        (self.simple("ZeroPadding2D", &format!("{name}.pad"), &[x], settings), Border::Valid)
    }

    #[allow(clippy::too_many_arguments)] // a convolution simply has this many properties
    fn convolution(&mut self, name: &str, x: &str, filters: usize, kernel: usize, stride: usize, border: Border, bias: bool) {
        let settings = json!({
            "filters": filters,
            "kernel_size": [kernel, kernel],
            "strides": [stride, stride],
            "padding": word(border),
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "activation": "linear",
            "use_bias": bias,
        });
        self.simple("Conv2D", name, &[x], settings);
    }

    /// A layer over others; its name.
    fn simple(&mut self, class: &str, name: &str, from: &[&str], mut settings: Value) -> String {
        settings["name"] = name.into();
        settings["trainable"] = true.into();
        settings["dtype"] = "float32".into();
        let nodes: Vec<Value> = from.iter().map(|from| json!([from, 0, 0, {}])).collect();
        self.layers.push(json!({ "class_name": class, "name": name, "config": settings, "inbound_nodes": [nodes] }));
        name.into()
    }

    fn weight(&mut self, layer: &str, role: &str, shape: &[usize], values: &[f32]) {
        self.manifest.push(json!({ "name": format!("{layer}/{role}"), "shape": shape, "dtype": "float32" }));
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
}

fn word(border: Border) -> &'static str {
    if border == Border::Same { "same" } else { "valid" }
}

fn pool(kernel: usize, stride: usize, border: Border) -> Value {
    json!({
        "pool_size": [kernel, kernel],
        "strides": [stride, stride],
        "padding": word(border),
        "data_format": "channels_last",
    })
}

fn unusual(name: &str) -> Error {
    Error::Usage(format!("the padding of `{name}` cannot be written in this format; export it as ONNX"))
}

/// `(O, I, H, W)` to `(H, W, I, O)`.
fn hwio(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let [outputs, inputs, height, width] = [shape[0], shape[1], shape[2], shape[3]];
    let mut turned = Vec::with_capacity(values.len());
    for at in 0..height * width {
        for i in 0..inputs {
            turned.extend((0..outputs).map(|o| values[(o * inputs + i) * height * width + at]));
        }
    }
    turned
}
