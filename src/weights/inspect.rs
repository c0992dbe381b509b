//! What is in a weights file, as data: `reslab inspect` prints it.

use serde::Serialize;

use super::{Choices, FileFormat, Files, load};
use crate::Result;
use crate::data::Activation;

/// A weights file, described.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Name of the network, e.g. `resnet50`.
    pub arch: String,
    /// `v1`, `v2`, `cifar-v1`, `cifar-v2`.
    pub family: String,
    /// Number of classes; `None` for a net that ends in features.
    pub classes: Option<usize>,
    /// Trainable scalars, as frameworks count parameters.
    pub params: usize,
    /// Element type of most scalars in the file: `f32`, `f16`, `bf16`, `f64`.
    pub dtype: String,
    /// Layers with parameters, in execution order.
    pub layers: Vec<LayerInfo>,
    /// Format of the file.
    pub format: FileFormat,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// Class names the file carries.
    pub labels: Option<Vec<String>>,
    /// Pixel preset the file carries.
    pub preset: Option<String>,
    /// How outputs become probabilities.
    pub activation: Activation,
    /// What the file could not tell and was assumed.
    pub assumed: Vec<String>,
    /// What else is to be known of how it was read.
    pub notes: Vec<String>,
}

/// A layer with parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerInfo {
    /// Its name, e.g. `layer1.0.conv1`.
    pub name: String,
    /// `conv2d`, `batch_norm`, `linear`.
    pub kind: &'static str,
    /// Shape of its weight, in torch's order.
    pub shape: Vec<usize>,
    /// Trainable scalars.
    pub params: usize,
}

/// Reads a weights file and describes it.
///
/// # Errors
/// Those of [`load`].
pub fn inspect(files: &Files<'_>, choices: &Choices) -> Result<Inspection> {
    let (detected, format) = load(files, choices)?;
    let graph = detected.spec.build()?;
    let mut scalars = [0usize; 4];
    const DTYPES: [super::Dtype; 4] = [super::Dtype::F32, super::Dtype::F16, super::Dtype::BF16, super::Dtype::F64];
    for tensor in detected.weights.tensors.values() {
        for (count, dtype) in scalars.iter_mut().zip(DTYPES) {
            *count += if tensor.dtype == dtype { tensor.data.len() } else { 0 };
        }
    }
    let most = (0..4).rev().max_by_key(|&i| scalars[i]).unwrap_or(0);
    let layers = graph
        .nodes
        .iter()
        .filter_map(|node| {
            let params = node.params();
            let shape = params.first()?.shape.clone();
            let trained = params.iter().filter(|param| param.trainable);
            let count = trained.map(|param| param.shape.iter().product::<usize>()).sum();
            Some(LayerInfo { name: node.name.clone(), kind: node.op.name(), shape, params: count })
        })
        .collect();
    Ok(Inspection {
        arch: detected.spec.arch.clone(),
        family: detected.spec.family().into(),
        classes: detected.spec.classes,
        params: graph.parameter_count(),
        dtype: DTYPES[most].name().into(),
        layers,
        format,
        bytes: files.bytes.len(),
        labels: detected.classes,
        preset: detected.preset,
        activation: detected.activation,
        assumed: detected.assumed,
        notes: detected.notes,
    })
}
