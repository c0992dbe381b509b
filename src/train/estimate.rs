//! What a run will take, told before anything is planned: good to a factor of two, which is what a person wants to know who
//! chooses between minutes and hours.

use serde::Serialize;

use super::Recipe;
use super::machine::Graphs;
use crate::Result;
use crate::data::ImageSize;
use crate::device::{Precision, Shape};
use crate::model::ResNetSpec;
use crate::model::graph::{Graph, Layer, Node};
use crate::ops::LayerKind;

/// A run as it is meant to be.
#[derive(Debug, Clone)]
pub struct Prospect {
    /// The network, with its classes.
    pub spec: ResNetSpec,
    /// How it is trained.
    pub recipe: Recipe,
    /// Size of the pictures.
    pub size: ImageSize,
    /// Pictures that train.
    pub train: usize,
    /// Pictures that validate.
    pub validation: usize,
}

/// How fast a device is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Multiply-adds a second in a forward pass.
    pub multiply_adds_per_s: f64,
    /// Whether a CPU pretends to be the GPU.
    pub software: bool,
}

/// What a run will take, about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The whole run.
    pub seconds: f64,
    /// GPU memory.
    pub memory_bytes: u64,
    /// Scalars that learn.
    pub trained_parameters: usize,
    /// Scalars in all.
    pub parameters: usize,
}

/// A training step of a layer, in forward passes of it: the way back is two products of the same size, through kernels that do
/// about half as well (ResNet-18 and ResNet-20, measured with `reslab bench --train`).
const STEP_IN_PASSES: f64 = 5.0;
/// What queueing a layer's dispatches costs in a browser on a real GPU, forward and back.
const LAYER_S: f64 = 60e-6;
/// Kernels are made before the first step.
const PREPARING_S: (f64, f64) = (1.0, 4.0);

impl Prospect {
    /// # Errors
    /// Those of a network or recipe that does not fit.
    pub fn estimate(&self, pace: Pace) -> Result<Estimate> {
        let Self { spec, recipe, size, train, validation } = self;
        recipe.validate_for(spec)?;
        let graphs = Graphs::new(&spec.build()?, recipe.depth)?;
        let batch = (recipe.batch as usize).min((*train).max(1));
        let micro = (batch / recipe.accumulation.max(1) as usize).max(1);
        let image = Shape::new(micro, 3, size.height as usize, size.width as usize);
        let frozen_shapes = graphs.frozen.as_ref().map(|graph| graph.shapes(micro, image.h, image.w)).transpose()?;
        let input = frozen_shapes.as_ref().and_then(|shapes| shapes.last()).copied().unwrap_or(image);
        let shapes = graphs.trained.shapes(micro, input.h, input.w)?;

        let per_image = |graph: &Graph, shapes: &[Shape]| multiply_adds(graph, shapes) as f64 / micro as f64;
        let trained = per_image(&graphs.trained, &shapes);
        let frozen = match (&graphs.frozen, &frozen_shapes) {
            (Some(graph), Some(shapes)) => per_image(graph, shapes),
            _ => 0.0,
        };
        let epochs = f64::from(recipe.epochs);
        let (train, validation) = (*train as f64, *validation as f64);
        // Without augmentation the frozen layers say the same every time.
        let frozen_passes = if recipe.augmentation.is_none() { train + validation } else { epochs * (train + validation) };
        let work = frozen * frozen_passes + epochs * trained * (STEP_IN_PASSES * train + validation);
        let steps = epochs * (train / micro as f64).max(1.0);
        let layers = graphs.trained.nodes.len() as f64;
        let preparing = if pace.software { PREPARING_S.1 } else { PREPARING_S.0 };
        let seconds = work / pace.multiply_adds_per_s.max(1.0) + steps * layers * LAYER_S + preparing;

        let trained_parameters = graphs.trained.parameter_count();
        let frozen_parameters = graphs.frozen.as_ref().map_or(0, Graph::parameter_count);
        let buffers = 2 + recipe.optimizer.state_buffers() as u64;
        let weights = 4 * (trained_parameters as u64 * buffers + frozen_parameters as u64);
        let frozen_values = frozen_shapes.as_deref().map_or(0, |shapes| 3 * largest(shapes));
        // What the way back reads is kept: inputs of convolutions and norms. A few more come and go.
        let kept: u64 = graphs.trained.nodes.iter().zip(&shapes).filter(|(node, _)| is_kept(node)).map(|(_, s)| bytes(s)).sum();
        let pictures = size.bytes() as u64 * (train + validation) as u64;
        let memory_bytes = weights + frozen_values + kept + 3 * largest(&shapes) + pictures;
        Ok(Estimate { seconds, memory_bytes, trained_parameters, parameters: trained_parameters + frozen_parameters })
    }
}

fn bytes(shape: &Shape) -> u64 {
    shape.bytes(Precision::F32)
}

fn largest(shapes: &[Shape]) -> u64 {
    shapes.iter().map(bytes).max().unwrap_or(0)
}

fn is_kept(node: &Node) -> bool {
    match node.op.kind() {
        LayerKind::Conv1x1 | LayerKind::Conv3x3 | LayerKind::ConvLarge | LayerKind::Pool => true,
        LayerKind::Elementwise => node.inputs.len() < 2,
        LayerKind::Norm | LayerKind::Classifier | LayerKind::Loss | LayerKind::Update => false,
    }
}

/// Of one forward pass.
pub fn multiply_adds(graph: &Graph, shapes: &[Shape]) -> u64 {
    let of = |node: &Node| node.inputs.first().map_or(0, |input| node.op.multiply_adds(shapes[input.0]));
    graph.nodes.iter().map(of).sum()
}
