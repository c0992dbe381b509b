//! Our own TensorFlow.js models, read again: `model.json` with `weights.bin` beside it.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::contents::Contents;
use super::keras_layers::{self, Layer, Variable};
use super::{Dtype, deploy, shown};
use crate::data::element::Element;
use crate::model::resnet::ResNetSpec;

/// The model in a file of JSON, if it is one of the layers API.
pub(super) fn model(bytes: &[u8]) -> Option<Value> {
    let is_text = bytes.trim_ascii_start().starts_with(b"{");
    let model: Value = is_text.then(|| serde_json::from_slice(bytes).ok())??;
    (model["modelTopology"].is_object() && model["weightsManifest"].is_array()).then_some(model)
}

/// Names of the files with its weights.
pub(super) fn files(model: &Value) -> Vec<String> {
    let groups = model["weightsManifest"].as_array().into_iter().flatten();
    let paths = groups.flat_map(|group| group["paths"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    paths.filter(|path| !path.contains(['/', '\\'])).map(str::to_string).collect()
}

/// Lists the tensors of a model that this program wrote; `find` gives its other files.
pub(super) fn list<'a>(model: &Value, size: usize, find: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Contents<'a>, String> {
    let metadata = deploy::metadata(&model["userDefinedMetadata"]);
    let spec = metadata.get("spec").and_then(|spec| serde_json::from_str::<ResNetSpec>(spec).ok()).ok_or(
        "it is a TensorFlow.js model of another program: ResLab opens those that it wrote itself; save the weights as safetensors, Keras \
         or ONNX",
    )?;
    let mut bytes: Vec<u8> = Vec::new();
    for name in files(model) {
        bytes.extend(find(&name).ok_or_else(|| {
            format!("its weights are in `{}`, which is missing: choose both files together, or the ZIP file", shown(&name))
        })?);
    }
    let (mut layers, mut at): (IndexMap<String, Layer>, usize) = (IndexMap::new(), 0);
    let groups = model["weightsManifest"].as_array().into_iter().flatten();
    for weight in groups.flat_map(|group| group["weights"].as_array().into_iter().flatten()) {
        const DAMAGED: &str = "its list of weights is damaged";
        let (name, role) = weight["name"].as_str().and_then(|name| name.split_once('/')).ok_or(DAMAGED)?;
        let shape = weight["shape"].as_array().ok_or(DAMAGED)?;
        let shape: Option<Vec<usize>> = shape.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect();
        let mut shape = shape.ok_or(DAMAGED)?;
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).ok_or(DAMAGED)?;
        if weight["dtype"] != "float32" || !weight["quantization"].is_null() {
            return Err("its weights are not of 32 bits; open the file that it was exported from".into());
        }
        let place = at;
        at = count.checked_mul(4).and_then(|size| at.checked_add(size)).ok_or(DAMAGED)?;
        if at > bytes.len() {
            return Err("its weights.bin is cut off".into());
        }
        // A single output was written as two, the second of zeros.
        if let (Some(1), Some(last @ 2), true) = (spec.classes, shape.last_mut(), name.starts_with("fc")) {
            *last = 1;
        }
        let layer = layers.entry(name.into()).or_insert_with(|| Layer {
            name: name.into(),
            group: name.into(),
            above: String::new(),
            variables: Vec::new(),
        });
        layer.variables.push(Variable {
            role: keras_layers::role(role).into(),
            shape,
            element: Element::Float(Dtype::F32),
            place,
        });
    }
    let blocks: usize = spec.stages.iter().map(|stage| stage.blocks.min(1 << 20)).sum();
    if blocks > layers.len() {
        return Err("its description is of another network".into()); // and no graph of millions of layers
    }
    // Pixels and what pads channels are no parameters.
    let params = spec.build().map_err(|error| error.to_string())?.params();
    let own: HashSet<&str> = params.iter().filter_map(|param| param.name.rsplit_once('.')).map(|(layer, _)| layer).collect();
    let layers = layers.into_values().filter(|layer| own.contains(layer.name.as_str())).collect();
    let one = spec.classes == Some(1);
    let read = move |place: usize, stored: &super::contents::Stored| {
        let count: usize = stored.shape.iter().product();
        // Of the two columns of a single output the first.
        let step = if one && matches!(stored.shape[..], [1, _]) { 2 } else { 1 };
        let end = place.saturating_add(4 * step * count).min(bytes.len());
        Ok(Dtype::F32.elements(&bytes[place..end]).into_iter().step_by(step).collect())
    };
    let mut contents = keras_layers::list(layers, None, size + at, Box::new(read))?;
    contents.metadata = metadata;
    Ok(contents)
}
