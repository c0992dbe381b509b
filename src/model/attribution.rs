//! Which part of a picture speaks for a class: class activation maps of any layer.
//!
//! Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): `map = relu(sum over c of a_c * A_c)` with `A` the layer's output and `a_c`
//! the mean over its pixels of the gradient of the class's logit. At the layer in front of global average pooling `a_c` is the
//! classifier's weight divided by the number of pixels, and the map is the class activation map (Zhou et al. 2016,
//! arXiv:1512.04150) up to that factor.
//!
//! The gradient is taken of the network as it is used: batch norm folded, with its running statistics. So only gradients of
//! activations are needed, and only of those behind the layer.

use super::fuse::{Kind, Step, fuse};
use super::graph::{Graph, Op, ValueId};
use super::plan::{affine, conv_parameters};
use super::{InferencePlan, PlanOptions};
use crate::gpu::{Context, Precision, Recorder, Recording, Shape, Slice, Tensor};
use crate::ops::{self, ConvBackward, ConvInputGradient, ConvKernel, Method};
use crate::weights::StateDict;
use crate::{Error, Result};

/// The layer whose output global average pooling takes the mean of, where the net ends in that and a classifier.
///
/// # Errors
/// [`Error::Usage`] for another end: there is no exact class activation map then.
pub fn cam_layer(graph: &Graph) -> Result<ValueId> {
    let pool = graph.nodes.iter().find(|node| node.op == Op::GlobalAvgPool);
    match (pool.and_then(|pool| pool.inputs.first()), graph.value("fc")) {
        (Some(features), Ok(_)) => Ok(*features),
        _ => Err(Error::Usage("a net without a classifier behind its average pooling has no map of a class".into())),
    }
}

/// The layers of `graph` a person may ask for, in order: blocks and stages, and last the [`cam_layer`]. Empty without one.
pub fn map_layers(graph: &Graph) -> Vec<String> {
    let Ok(end) = cam_layer(graph) else { return Vec::new() };
    let last = (end, graph.nodes[end.0].name.as_str());
    let stages = graph.aliases.iter().map(|(name, value)| (*value, name.as_str()));
    let nodes = graph.nodes.iter().enumerate().map(|(index, node)| (ValueId(index), node.name.as_str()));
    let blocks = nodes.filter(|(_, name)| name.starts_with("layer") && name.split('.').count() == 2);
    let mut layers: Vec<(ValueId, &str)> = stages.chain(blocks).filter(|(value, _)| *value <= end).chain([last]).collect();
    // A stage ends where its last block ends; the stage's name is the shortest.
    layers.sort_by_key(|(value, name)| (*value, name.len()));
    layers.dedup_by_key(|(value, _)| *value);
    layers.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// The weights of one class in the classifier, `(in_features)`.
///
/// # Errors
/// [`Error::Usage`] for a class that is not there, [`Error::TensorMismatch`] for weights without a classifier.
pub fn class_weights(graph: &Graph, weights: &StateDict, class: usize) -> Result<Vec<f32>> {
    let node = graph.value("fc")?;
    let Op::Linear { in_features, out_features } = graph.nodes[node.0].op else {
        return Err(Error::Usage("`fc` is no linear layer, so it has no weights by class".into()));
    };
    if class >= out_features {
        return Err(Error::Usage(format!("class number {class} is not there: the network has {out_features} classes")));
    }
    let weight = weights.get("fc.weight", &[out_features, in_features])?;
    Ok(weight.data[class * in_features..(class + 1) * in_features].to_vec())
}

/// Grad-CAM of one layer, ready to be replayed for any picture and class.
#[derive(Debug)]
pub struct GradCam {
    forward: InferencePlan,
    /// The gradient of what the classifier reads: the class's weights.
    seed: Slice,
    backward: Recording,
    gradient: Tensor,
    map: Slice,
    size: (usize, usize),
}

impl GradCam {
    /// Plans the map of `layer` for one picture of `height` x `width` pixels; all of it in f32.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a layer that is not there, [`Error::Usage`] for one that the logits do not come from or that has no
    /// pixels, and those of [`InferencePlan::new`].
    pub fn new(ctx: &Context, graph: &Graph, weights: &StateDict, layer: &str, height: usize, width: usize) -> Result<Self> {
        let (target, end) = (graph.value(layer)?, cam_layer(graph)?);
        if target.0 > end.0 {
            return Err(Error::Usage(format!("`{layer}` has no pixels; choose a layer in front of the average pooling")));
        }
        let pooled = graph.value("avgpool")?;
        let shapes = graph.shapes(1, height, width)?;
        let steps = fuse(graph, &[target, pooled]);
        let reached = reached(graph, &steps, target);
        if !reached[pooled.0] {
            return Err(Error::Usage(format!("no class depends on `{layer}`; choose another layer")));
        }
        let path: Vec<&Step> = steps.iter().filter(|step| step.output != target && reached[step.output.0]).collect();
        let name = |value: ValueId| graph.nodes[value.0].name.clone();
        // What the way back looks at: signs behind a ReLU, and what a max pool chose from.
        let mut taps = vec![name(target), name(pooled)];
        for step in &path {
            if has_relu(graph, step) {
                taps.push(name(step.output));
            }
            if matches!(step.kind, Kind::Plain { node } if matches!(graph.nodes[node].op, Op::MaxPool(_))) {
                taps.push(name(step.inputs[0]));
            }
        }
        let options = PlanOptions { height, width, taps, ..PlanOptions::new(0) };
        let forward = InferencePlan::new(ctx, graph, weights, options)?;

        let mut way = WayBack {
            ctx,
            graph,
            weights,
            shapes: &shapes,
            forward: &forward,
            reached: &reached,
            gradients: vec![None; graph.nodes.len()],
            recorder: Recorder::new(),
        };
        let seed = way.activation(pooled)?;
        way.gradients[pooled.0] = Some(seed.clone());
        let past_the_pool = |step: &&Step| step.output.0 <= pooled.0;
        for step in path.iter().copied().filter(past_the_pool).rev() {
            way.step(step)?;
        }
        let WayBack { mut recorder, gradients, .. } = way;
        let gradient = gradients[target.0]
            .clone()
            .ok_or_else(|| Error::Usage(format!("no class depends on `{layer}`; choose another layer")))?;
        let shape = shapes[target.0];
        let means = Tensor::zeros(ctx, "means of gradients", Shape::new(1, shape.c, 1, 1), Precision::F32)?;
        ops::record_global_avg_pool(&mut recorder, ctx, "grad-cam weights", &gradient, &means)?;
        let map = Slice::new(ctx, "class activation map", ops::class_map_bytes(shape.h * shape.w))?;
        ops::record_class_map(&mut recorder, ctx, "grad-cam", forward.output(&name(target))?, &means.slice, &map)?;
        let backward = recorder.finish_long(ctx);
        Ok(Self { seed: seed.slice, backward, gradient, map, size: (shape.w, shape.h), forward })
    }

    /// Where the picture goes: `(1, C, height, width)`, f32.
    pub fn input(&self) -> &Tensor {
        self.forward.input()
    }

    /// Width and height of the map.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The map of the class with these [weights](class_weights), row by row, before the ReLU.
    pub async fn map(&self, ctx: &Context, class_weights: &[f32]) -> Result<Vec<f32>> {
        self.seed.write_values(ctx, Precision::F32, class_weights);
        self.forward.run(ctx)?;
        self.backward.run(ctx)?;
        let mut map = Precision::F32.decode(&self.map.read(ctx).await?);
        map.truncate(self.size.0 * self.size.1);
        Ok(map)
    }

    /// The gradient of the class's logit with respect to the layer's output in the last run, `(1, C, h, w)`.
    pub fn gradient(&self) -> &Tensor {
        &self.gradient
    }
}

/// Which values depend on `target`.
fn reached(graph: &Graph, steps: &[Step], target: ValueId) -> Vec<bool> {
    let mut reached = vec![false; graph.nodes.len()];
    reached[target.0] = true;
    for step in steps {
        reached[step.output.0] |= step.inputs.iter().any(|input| reached[input.0]);
    }
    reached
}

fn has_relu(graph: &Graph, step: &Step) -> bool {
    match step.kind {
        Kind::Conv { relu, .. } | Kind::Norm { relu, .. } | Kind::Add { relu } => relu,
        Kind::Plain { node } => graph.nodes[node].op == Op::Relu,
    }
}

/// Records gradients of activations, step by step from the last.
struct WayBack<'a> {
    ctx: &'a Context,
    graph: &'a Graph,
    weights: &'a StateDict,
    shapes: &'a [Shape],
    forward: &'a InferencePlan,
    reached: &'a [bool],
    /// By value; complete when all its readers were visited.
    gradients: Vec<Option<Tensor>>,
    recorder: Recorder,
}

impl WayBack<'_> {
    fn activation(&self, value: ValueId) -> Result<Tensor> {
        let what = format!("gradient of `{}`", self.graph.nodes[value.0].name);
        Tensor::zeros(self.ctx, &what, self.shapes[value.0], Precision::F32)
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        // A value nobody on the way to the logits reads has no gradient.
        let Some(d_output) = self.gradients[step.output.0].clone() else { return Ok(()) };
        let (ctx, label) = (self.ctx, step.name.as_str());
        let d_output = match has_relu(self.graph, step) {
            false => d_output,
            true => {
                let masked = self.activation(step.output)?;
                let output = self.forward.output(&self.graph.nodes[step.output.0].name)?;
                ops::record_relu_backward(&mut self.recorder, ctx, label, output, &d_output, None, &masked)?;
                masked
            }
        };
        let input = step.inputs[0];
        match step.kind {
            Kind::Conv { conv, norm, residual, .. } => {
                if residual {
                    self.pass_on(step.inputs[1], &d_output)?;
                }
                if self.reached[input.0] {
                    self.convolution(conv, norm, input, &d_output)?;
                }
                Ok(())
            }
            Kind::Norm { norm, .. } => {
                let affine = affine(self.graph, norm, self.weights)?;
                let scale = Slice::with_bytes(ctx, "norm scale", &Precision::F32.encode(&affine.scale))?;
                let shift = Slice::new(ctx, "no shift", scale.bytes())?;
                let scaled = self.activation(input)?;
                ops::record_batch_norm(&mut self.recorder, ctx, label, &d_output, &scale, &shift, false, &scaled)?;
                self.pass_on(input, &scaled)
            }
            Kind::Add { .. } => {
                self.pass_on(input, &d_output)?;
                self.pass_on(step.inputs[1], &d_output)
            }
            Kind::Plain { node } => self.plain(node, input, &d_output),
        }
    }

    /// Adds a finished contribution to a value's gradient.
    fn pass_on(&mut self, value: ValueId, contribution: &Tensor) -> Result<()> {
        if !self.reached[value.0] {
            return Ok(());
        }
        let sum = match self.gradients[value.0].take() {
            None => contribution.clone(),
            Some(old) => {
                let sum = self.activation(value)?;
                ops::record_add(&mut self.recorder, self.ctx, "sum of gradients", &old, contribution, false, &sum)?;
                sum
            }
        };
        self.gradients[value.0] = Some(sum);
        Ok(())
    }

    fn convolution(&mut self, node: usize, norm: Option<usize>, input: ValueId, d_output: &Tensor) -> Result<()> {
        let Op::Conv2d(conv) = &self.graph.nodes[node].op else { unreachable!("fuse() puts convolutions here") };
        let (ctx, shape) = (self.ctx, self.shapes[input.0]);
        let mut kernel = ConvKernel::choose(ctx, conv, shape, Precision::F32);
        kernel.method = Method::Direct;
        let backward = ConvBackward::choose(ctx, conv, shape, kernel);
        let (values, _) = conv_parameters(self.graph, node, norm, self.weights)?;
        let packed = backward.forward().pack(conv, &values);
        let weight = Slice::with_bytes(ctx, "weights for a gradient", &Precision::F32.encode(&packed))?;
        let scratch = backward.input_scratch(conv, shape);
        let scratch = scratch.into_iter().map(|bytes| Slice::new(ctx, "scratch", bytes)).collect::<Result<Vec<_>>>()?;
        let old = self.gradients[input.0].take();
        let d_input = self.activation(input)?;
        let call = ConvInputGradient {
            label: &self.graph.nodes[node].name,
            conv,
            d_output,
            weight: &weight,
            accumulate: old.as_ref(),
            d_input: &d_input,
            scratch: &scratch,
        };
        backward.record_input(&mut self.recorder, ctx, &call)?;
        self.gradients[input.0] = Some(d_input);
        Ok(())
    }

    fn plain(&mut self, node: usize, input: ValueId, d_output: &Tensor) -> Result<()> {
        let (ctx, label) = (self.ctx, self.graph.nodes[node].name.as_str());
        if self.graph.nodes[node].op == Op::Relu {
            return self.pass_on(input, d_output);
        }
        let old = self.gradients[input.0].take();
        let d_input = self.activation(input)?;
        match &self.graph.nodes[node].op {
            Op::GlobalAvgPool => {
                ops::record_global_avg_pool_backward(&mut self.recorder, ctx, label, d_output, old.as_ref(), &d_input)?;
            }
            Op::MaxPool(pool) => {
                let picked = self.forward.output(&self.graph.nodes[input.0].name)?;
                let argmax = Slice::new(ctx, "places of maxima", ops::max_pool_argmax_bytes(d_output.shape))?;
                let again = Tensor::zeros(ctx, "maxima", d_output.shape, Precision::F32)?;
                ops::record_max_pool_train(&mut self.recorder, ctx, label, pool, picked, &argmax, &again)?;
                ops::record_max_pool_backward(&mut self.recorder, ctx, label, pool, &argmax, d_output, old.as_ref(), &d_input)?;
            }
            Op::Subsample { stride } => {
                ops::record_shortcut_backward(&mut self.recorder, ctx, label, *stride, 0, d_output, old.as_ref(), &d_input)?;
            }
            Op::ZeroPadShortcut { stride, offset, .. } => {
                let recorder = &mut self.recorder;
                ops::record_shortcut_backward(recorder, ctx, label, *stride, *offset, d_output, old.as_ref(), &d_input)?;
            }
            _ => unreachable!("nothing else stands between a layer with pixels and the average pooling"),
        }
        self.gradients[input.0] = Some(d_input);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;

    #[test]
    fn layers_to_ask_for_are_blocks_and_stages_and_what_the_pooling_reads() {
        let layers = |name: &str| map_layers(&ResNetSpec::named(name).unwrap().build().unwrap());
        let expected = ["layer1.0", "layer1", "layer2.0", "layer2", "layer3.0", "layer3", "layer4.0", "layer4"];
        assert_eq!(layers("resnet18"), expected);
        // A pre-activated net ends in a norm and a ReLU behind its last stage.
        let slim = layers("resnet50v2-slim");
        assert_eq!(slim[slim.len() - 2..], ["layer4", "norm.relu"]);
    }
}
