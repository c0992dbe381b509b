//! A network as programs on telephones and in pages have it: channels last, norms folded into convolutions, pixels in and probabilities
//! out. Pure data, from which [`tflite`](super::tflite) writes its files.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::StateDict;
use crate::data::{Activation, Preset};
use crate::model::fuse::fuse;
use crate::model::graph::{Layer, Node, Shape, ValueId};
use crate::model::resnet::ResNetSpec;
use crate::ops::{Affine, Border, Nhwc, Purpose, Window};
use crate::{Error, Result};

/// A network with all that its users need to know.
#[derive(Debug, Clone, Copy)]
pub struct Deployed<'a> {
    /// The network.
    pub spec: &'a ResNetSpec,
    /// Its parameters under their checkpoint keys.
    pub weights: &'a StateDict,
    /// A name for each logit.
    pub labels: &'a [String],
    /// How pictures become its input.
    pub pixels: &'a Preset,
    /// How its outputs become probabilities.
    pub activation: Activation,
    /// What this project's files say of it.
    pub metadata: &'a IndexMap<String, String>,
}

impl Deployed<'_> {
    /// The metadata as JSON.
    pub(super) fn told(&self) -> Value {
        self.metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
    }
}

/// Metadata from JSON; what is no text is left out.
pub(super) fn metadata(told: &Value) -> IndexMap<String, String> {
    let entries = told.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string()))).collect()
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Work {
    /// Weights are `(O, H, W, I / groups)`.
    Convolution {
        kernel: usize,
        stride: usize,
        border: Border,
        groups: usize,
        weight: Vec<f32>,
        bias: Vec<f32>,
    },
    /// A scale and a shift a channel.
    Scale {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    Sum,
    Rectifier,
    Largest {
        kernel: usize,
        stride: usize,
        border: Border,
    },
    Mean {
        kernel: usize,
        stride: usize,
        border: Border,
    },
    GlobalMean,
    /// Zeros: cells at top, bottom, left, right, and channels before and behind.
    Pad {
        cells: [usize; 4],
        channels: [usize; 2],
    },
    /// Weights are `(O, I)`.
    Dense {
        weight: Vec<f32>,
        bias: Vec<f32>,
    },
    Softmax,
    Sigmoid,
}

/// One operation. Value 0 is the picture, step `i` writes value `i + 1`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub name: String,
    pub work: Work,
    pub inputs: Vec<usize>,
    pub relu: bool,
    /// Height, width and channels of what it writes; a vector has height 0.
    pub shape: [usize; 3],
    /// The network's value that it writes, where that is one.
    pub value: Option<ValueId>,
}

/// The first step's name: from RGB pixels of 0 to 255 to what the network was trained on.
pub(super) const PIXELS: &str = "pixels";

/// The steps from pixels to probabilities, or to the features of a net without a head.
///
/// # Errors
/// [`Error::TensorMismatch`] when the weights are not the network's, [`Error::Usage`] for what cannot be written.
pub(super) fn steps(model: &Deployed<'_>) -> Result<Vec<Step>> {
    let graph = model.spec.build()?;
    let (width, height) = model.pixels.crop;
    let shapes = graph.shapes(1, height as usize, width as usize)?;
    let Shape { c, h, w, .. } = shapes[0];
    if c != 3 {
        return Err(Error::Usage(format!("it takes images of {c} channels, and this format is for pictures of 3; use ONNX")));
    }
    let mut list = List { steps: Vec::new(), input: [h, w, c] };
    let (factor, offset) = model.pixels.affine();
    let (mut weight, source) = (vec![0.0; 9], model.pixels.channel_order.indices());
    (0..3).for_each(|o| weight[o * 3 + source[o]] = factor[o]);
    let bias = offset.to_vec();
    let first = Work::Convolution { kernel: 1, stride: 1, border: Border::Valid, groups: 1, weight, bias };
    let mut values = HashMap::from([(ValueId(0), list.push(PIXELS, first, vec![0], [h, w, c]))]);
    let result = graph.result();
    for step in fuse(&graph, &[result], Purpose::Inference).iter().filter(|step| step.output.0 <= result.0) {
        let node = step.layer(&graph);
        let inputs: Vec<usize> = step.inputs.iter().map(|id| values[id]).collect();
        let norm = step.norm.map(|norm| affine(&graph.nodes[norm], model.weights)).transpose()?;
        let mut value = list.layer(node, inputs, norm.as_ref(), model)?;
        if let Some(other) = step.residual {
            list.steps[value - 1].value = Some(ValueId(step.norm.unwrap_or(step.node)));
            let shape = list.steps[value - 1].shape;
            value = list.push(&graph.nodes[step.output.0].name, Work::Sum, vec![value, values[&other]], shape);
        }
        (list.steps[value - 1].relu, list.steps[value - 1].value) = (step.relu, Some(step.output));
        values.insert(step.output, value);
    }
    if model.spec.classes.is_some() {
        let softmax = model.activation == Activation::Softmax || model.spec.classes == Some(1);
        let (value, shape) = (list.steps.len(), list.steps.last().map_or([0; 3], |step| step.shape));
        list.push("probabilities", if softmax { Work::Softmax } else { Work::Sigmoid }, vec![value], shape);
    }
    Ok(list.steps)
}

/// Which values of a network decide about numbers of 8 bits: each with the layer whose output it is; and how many values there are. What only
/// moves numbers about has the grid of its input, and that of pixels and probabilities is known.
///
/// # Errors
/// As `steps`.
pub fn taps(model: &Deployed<'_>) -> Result<(Vec<(usize, String)>, usize)> {
    let (steps, graph) = (steps(model)?, model.spec.build()?);
    let tapped = steps.iter().enumerate().filter(|(_, step)| {
        !matches!(step.work, Work::Largest { .. } | Work::Mean { .. } | Work::Pad { .. } | Work::Softmax | Work::Sigmoid)
    });
    let named = tapped.filter_map(|(i, step)| Some((i + 1, graph.nodes[step.value?.0].name.clone())));
    Ok((named.collect(), steps.len() + 1))
}

/// A norm's scale and shift.
fn affine(norm: &Node, weights: &StateDict) -> Result<Affine> {
    let values = parameters(norm, weights)?;
    norm.op.affine(&values).ok_or_else(|| Error::Usage(format!("`{}` is no norm", norm.name)))
}

fn parameters<'a>(node: &Node, weights: &'a StateDict) -> Result<Vec<&'a [f32]>> {
    node.params().iter().map(|param| Ok(&*weights.get(&param.name, &param.shape)?.data)).collect()
}

struct List {
    steps: Vec<Step>,
    input: [usize; 3],
}

impl List {
    fn push(&mut self, name: &str, work: Work, inputs: Vec<usize>, shape: [usize; 3]) -> usize {
        self.steps.push(Step { name: name.into(), work, inputs, relu: false, shape, value: None });
        self.steps.len()
    }

    fn shape(&self, value: usize) -> [usize; 3] {
        if value == 0 { self.input } else { self.steps[value - 1].shape }
    }

    /// A layer with what must stand in front of it; the value it writes.
    fn layer(&mut self, node: &Node, inputs: Vec<usize>, norm: Option<&Affine>, model: &Deployed<'_>) -> Result<usize> {
        let values = parameters(node, model.weights)?;
        let x = inputs[0];
        let [h, w, c] = self.shape(x);
        let sizes = |height, width| Shape::new(1, c, height, width);
        let output = |shape: Shape| [shape.h, shape.w, shape.c];
        let of = || {
            let shapes: Vec<Shape> = inputs.iter().map(|_| sizes(h, w)).collect();
            node.op.output_shape(&shapes).map(output).map_err(|reason| Error::Spec(format!("`{}` {reason}", node.name)))
        };
        let name = node.name.as_str();
        Ok(match node.op.nhwc() {
            Nhwc::Input => x,
            Nhwc::Convolution(window, groups) => {
                let shape = of()?;
                let (mut weight, outputs) = (values[0].to_vec(), shape[2]);
                let mut bias = values.get(1).map_or_else(|| vec![0.0; outputs], |bias| bias.to_vec());
                if let Some(norm) = norm {
                    norm.fold(&mut weight, &mut bias);
                }
                let weight = ohwi(&weight, outputs, c / groups);
                let Window { kernel, stride, .. } = window;
                let (x, border) = self.padded(name, x, window.border(h, w));
                self.push(name, Work::Convolution { kernel, stride, border, groups, weight, bias }, vec![x], shape)
            }
            Nhwc::Normalisation(_) => {
                let Affine { scale, shift } = affine(node, model.weights)?;
                self.push(name, Work::Scale { scale, shift }, inputs, [h, w, c])
            }
            Nhwc::Rectifier => self.push(name, Work::Rectifier, inputs, [h, w, c]),
            Nhwc::Sum => self.push(name, Work::Sum, inputs, [h, w, c]),
            Nhwc::Largest(window, zeros) => {
                let (shape, Window { kernel, stride, .. }) = (of()?, window);
                match window.border(h, w) {
                    Border::Cells(_) | Border::Same if zeros => {
                        let (x, border) = self.padded(name, x, Border::Cells(window.cells(h, w)));
                        self.push(name, Work::Largest { kernel, stride, border }, vec![x], shape)
                    }
                    // Around every pixel, of which every `stride`-th is kept.
                    Border::Cells(_) if kernel % 2 == 1 => {
                        let around = Work::Largest { kernel, stride: 1, border: Border::Same };
                        let x = self.push(&format!("{name}.around"), around, vec![x], [h, w, c]);
                        self.push(name, Work::Largest { kernel: 1, stride, border: Border::Valid }, vec![x], shape)
                    }
                    Border::Cells(_) => return Err(unusual(name)),
                    border => self.push(name, Work::Largest { kernel, stride, border }, vec![x], shape),
                }
            }
            Nhwc::Mean(window) => {
                let (shape, Window { kernel, stride, .. }) = (of()?, window);
                match window.border(h, w) {
                    Border::Cells(_) => return Err(unusual(name)),
                    border => self.push(name, Work::Mean { kernel, stride, border }, vec![x], shape),
                }
            }
            Nhwc::Flatten => {
                return Err(Error::Spec(format!(
                    "`{name}` makes features of a whole map, which TensorFlow Lite files of ours cannot hold; export ONNX"
                )));
            }
            Nhwc::GlobalMean => self.push(name, Work::GlobalMean, vec![x], [0, 0, c]),
            Nhwc::Shortcut { stride, before, channels } => {
                let shape = of()?;
                let work = Work::Largest { kernel: 1, stride, border: Border::Valid };
                if channels == c {
                    return Ok(self.push(name, work, vec![x], shape));
                }
                let x = if stride > 1 {
                    self.push(&format!("{name}.subsample"), work, vec![x], [shape[0], shape[1], c])
                } else {
                    x
                };
                let channels = [before, channels - c - before];
                self.push(name, Work::Pad { cells: [0; 4], channels }, vec![x], shape)
            }
            Nhwc::Dense => {
                let (mut weight, mut bias) = (values[0].to_vec(), values[1].to_vec());
                let is_last = name == "fc" || name == format!("fc.{}", 2 * model.spec.head.len());
                if model.spec.classes == Some(1) && is_last {
                    // Yes and no as a softmax over the logit and 0.
                    weight.extend(vec![0.0; weight.len()]);
                    bias.push(0.0);
                }
                let outputs = bias.len();
                self.push(name, Work::Dense { weight, bias }, vec![x], [0, 0, outputs])
            }
            Nhwc::Probabilities => self.push(name, Work::Softmax, vec![x], [0, 0, c]),
        })
    }

    /// What a window reads where its border is a step of its own.
    fn padded(&mut self, name: &str, x: usize, border: Border) -> (usize, Border) {
        let Border::Cells(cells) = border else { return (x, border) };
        let ([h, w, c], [top, bottom, left, right]) = (self.shape(x), cells);
        let work = Work::Pad { cells, channels: [0; 2] };
        (self.push(&format!("{name}.pad"), work, vec![x], [h + top + bottom, w + left + right, c]), Border::Valid)
    }
}

fn unusual(name: &str) -> Error {
    Error::Usage(format!("the padding of `{name}` cannot be written in this format; export it as ONNX"))
}

/// `(O, I, H, W)` to `(O, H, W, I)`.
fn ohwi(values: &[f32], outputs: usize, inputs: usize) -> Vec<f32> {
    let taps = values.len() / (outputs * inputs).max(1);
    let mut turned = Vec::with_capacity(values.len());
    for o in 0..outputs {
        for at in 0..taps {
            turned.extend((0..inputs).map(|i| values[(o * inputs + i) * taps + at]));
        }
    }
    turned
}

#[cfg(test)]
mod tests;
