//! Which part of a picture speaks for a class: class activation maps of any layer.
//!
//! Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): `map = relu(sum over c of a_c * A_c)` with `A` the layer's output and `a_c`
//! the mean over its pixels of the gradient of the class's logit. At the layer in front of global average pooling `a_c` is the
//! classifier's weight divided by the number of pixels, and the map is the class activation map (Zhou et al. 2016,
//! arXiv:1512.04150) up to that factor.
//!
//! The gradient is a training step's, with the running statistics, from one logit back to the layer and no further.

use super::Turns;
use super::graph::{Graph, Layer, ValueId};
use super::training::scribe::Scribe;
use super::training::tape::Goal;
use super::training::{Grouping, Parameters};
use crate::device::{Device, Precision, Recorder, Recording, Shape, Slice, Tensor};
use crate::ops::{self, LayerKind, Statistics};
use crate::sorting;
use crate::weights::StateDict;
use crate::{Error, Result};

/// The layer whose output global average pooling takes the mean of, where the net ends in that and a classifier.
///
/// # Errors
/// [`Error::Usage`] for another end: there is no exact class activation map then.
pub fn cam_layer(graph: &Graph) -> Result<ValueId> {
    let pool = graph.value("avgpool").ok().map(|pool| &graph.nodes[pool.0]);
    let pool = pool.filter(|node| node.op.kind() == LayerKind::Pool).and_then(|node| node.inputs.first());
    match (pool, graph.value("fc")) {
        (Some(features), Ok(_)) => Ok(*features),
        _ => Err(Error::Usage("a net without a classifier after its average pooling has no map of a class".into())),
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
    sorting::sort_by_key(&mut layers, |(value, name)| (*value, name.len()));
    layers.dedup_by_key(|(value, _)| *value);
    layers.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// The weights of one class in the classifier, `(in_features)`.
///
/// # Errors
/// [`Error::Usage`] for a class that is not there, [`Error::TensorMismatch`] for weights without a classifier.
pub fn class_weights(graph: &Graph, weights: &StateDict, class: usize) -> Result<Vec<f32>> {
    let params = graph.nodes[graph.value("fc")?.0].params();
    let Some([classes, features]) = params.first().map(|weight| &*weight.shape) else {
        return Err(Error::Usage("`fc` is no linear layer, so it has no weights by class".into()));
    };
    if class >= *classes {
        return Err(Error::Usage(format!("class number {class} is not there: the network has {classes} classes")));
    }
    let weight = weights.get(&params[0].name, &params[0].shape)?;
    Ok(weight.data[class * features..(class + 1) * features].to_vec())
}

/// Grad-CAM of one layer, ready to be replayed for any picture and class.
#[derive(Debug)]
pub struct GradCam {
    input: Tensor,
    /// The gradient of the logits: 1 for the class.
    d_logits: Tensor,
    recording: Recording,
    gradient: Tensor,
    map: Slice,
    size: (usize, usize),
}

impl GradCam {
    /// Plans the map of `layer` for one picture of `height` x `width` pixels; all of it in f32.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a layer that is not there, [`Error::Usage`] for one that the logits do not come from or that has no
    /// pixels, [`Error::TensorMismatch`] for weights of another net, [`Error::Limit`] when the adapter allows less.
    pub async fn new(
        ctx: &Device,
        graph: &Graph,
        weights: &StateDict,
        layer: &str,
        (height, width): (usize, usize),
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        let (target, end) = (graph.value(layer)?, cam_layer(graph)?);
        if target.0 > end.0 {
            return Err(Error::Usage(format!("`{layer}` has no pixels; choose a layer in front of the average pooling")));
        }
        let image = graph.shapes(1, height, width)?[0];
        let parameters = Parameters::new(ctx, graph, image, &Grouping { state_buffers: 0, group: &|_| (0.0, 0.0) })?;
        parameters.load(ctx, weights, turns).await?;
        let input = Tensor::zeros(ctx, "picture", image, Precision::F32)?;
        let scribe = Scribe::new(ctx, graph, &parameters, &input, Goal::Value(target), &[])?;
        let mut recorder = Recorder::new();
        for step in &scribe.tape.steps {
            scribe.record(&mut recorder, step, Statistics::Running)?;
            turns.offer().await;
        }
        let [value, gradient] = scribe.tape.kept.map(|id| scribe.tensor(id));
        let shape = value.shape;
        let means = Tensor::zeros(ctx, "means of gradients", Shape::new(1, shape.c, 1, 1), Precision::F32)?;
        ops::record_global_avg_pool(&mut recorder, ctx, "grad-cam weights", &gradient, &means)?;
        let map = Slice::new(ctx, "class activation map", ops::class_map_bytes(shape.h * shape.w))?;
        ops::record_class_map(&mut recorder, ctx, "grad-cam", &value, &means.slice, &map)?;
        let d_logits = scribe.tensor(scribe.tape.d_logits);
        let size = (shape.w, shape.h);
        Ok(Self { d_logits, recording: recorder.finish_long(ctx), gradient, map, size, input })
    }

    /// Where the picture goes: `(1, C, height, width)`, f32.
    pub fn input(&self) -> &Tensor {
        &self.input
    }

    /// Width and height of the map.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The map of a class, row by row, before the ReLU.
    ///
    /// # Errors
    /// [`Error::Usage`] for a class that is not there.
    pub async fn map(&self, ctx: &Device, class: usize) -> Result<Vec<f32>> {
        let classes = self.d_logits.shape.c;
        if class >= classes {
            return Err(Error::Usage(format!("class number {class} is not there: the network has {classes} classes")));
        }
        let logit: Vec<f32> = (0..classes).map(|c| if c == class { 1.0 } else { 0.0 }).collect();
        self.d_logits.write_nchw(ctx, &logit);
        self.recording.run(ctx)?;
        let mut map = Precision::F32.decode(&self.map.read(ctx).await?);
        map.truncate(self.size.0 * self.size.1);
        Ok(map)
    }

    /// The gradient of the class's logit with respect to the layer's output in the last run, `(1, C, h, w)`.
    pub fn gradient(&self) -> &Tensor {
        &self.gradient
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
