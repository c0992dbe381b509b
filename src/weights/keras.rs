//! Keras' files: `.weights.h5` and `.keras` of Keras 3, `.h5` of any Keras. A layer is found by its own name, which all of them
//! keep: two convolutions of a block have the same shape.
//!
//! Keras 3 keeps a layer's variables by number (`layers/conv2d_3/vars/0`) below a group whose attribute `name` is the layer's;
//! older files and `.h5` by name (`model_weights/conv1_conv/conv1_conv/kernel:0`).

use std::collections::HashSet;

use hdf5_pure::{AttrValue, DType, Dataset, Datatype, DatatypeByteOrder, File, Group};
use indexmap::IndexMap;
use serde_json::Value;

use super::contents::{Contents, KerasForm, Stored};
use super::pickle::Element;
use super::{Dtype, shown};
use crate::data::Activation;

/// Groups below each other, and in all: links may lead back.
const MAX_DEPTH: usize = 24;
const MAX_GROUPS: usize = 100_000;

/// How a dataset becomes a tensor.
#[derive(Clone, Copy)]
enum Turn {
    None,
    /// `(H, W, I, O)` to `(O, I, H, W)`.
    Kernel,
    /// `(I, O)` to `(O, I)`.
    Matrix,
}

/// The variables of a layer.
struct Found {
    name: String,
    /// What its group is called.
    group: String,
    /// Groups above the layer's own, for models inside models.
    above: String,
    variables: Vec<(String, Dataset)>,
}

fn damaged(error: hdf5_pure::Error) -> String {
    format!("it is an HDF5 file that cannot be read: {error}")
}

/// Lists the tensors of an HDF5 file of weights; `config` is the model's, where it lies beside (`.keras`).
pub(super) fn list(bytes: &[u8], config: Option<Value>) -> Result<Contents<'static>, String> {
    let file = File::from_bytes(bytes.to_vec()).map_err(damaged)?;
    let root = file.root();
    let attributes = root.attrs().map_err(damaged)?;
    let legacy = root.groups().map_err(damaged)?.iter().any(|name| name == "model_weights");
    let start = if legacy { root.group("model_weights").map_err(damaged)? } else { root };
    let mut layers = Vec::new();
    walk(&start, &mut Vec::new(), &mut 0, &mut layers).map_err(damaged)?;

    let config = config.or_else(|| text(attributes.get("model_config")?).and_then(|text| serde_json::from_str(&text).ok()));
    let form = form(&layers);
    let example = form.is_none() && example_names(&mut layers)?;
    if form.is_some() {
        only_a_head_besides(&mut layers, config.as_ref())?;
    }
    let (mut tensors, mut sources) = (IndexMap::new(), Vec::new());
    for layer in layers {
        for (role, dataset) in layer.variables {
            let shape = dataset.shape().map_err(damaged)?;
            let shape: Option<Vec<usize>> = shape.iter().map(|&n| usize::try_from(n).ok()).collect();
            let mut shape = shape.ok_or("a shape is too large")?;
            let element = match dataset.dtype().map_err(damaged)? {
                DType::F32 => Element::Float(Dtype::F32),
                DType::F64 => Element::Float(Dtype::F64),
                DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64 => {
                    Element::Integer(8)
                }
                DType::Other(kind) if is_half(&kind) => Element::Float(Dtype::F16),
                _ => Element::Unsupported("a kind that is not known here", 1),
            };
            let turn = match (role.as_str(), shape.len()) {
                ("weight", 4) => Turn::Kernel,
                ("weight", 2) => Turn::Matrix,
                _ => Turn::None,
            };
            match turn {
                Turn::Kernel => shape = vec![shape[3], shape[2], shape[0], shape[1]],
                Turn::Matrix => shape.reverse(),
                Turn::None => {}
            }
            let tensor = format!("{}{}.{role}", layer.above, layer.name);
            tensors.insert(tensor, Stored::new(shape, element, sources.len()));
            sources.push((dataset, turn));
        }
    }
    let mut contents = Contents::new(tensors, bytes.len(), Box::new(move |stored| read(&sources[stored.place], stored)));
    contents.facts.keras = form;
    if example {
        contents.facts.notes.push(
            "its layers have no names of their own: they were taken for Keras' CIFAR-10 example's, in the order in which they were made".into(),
        );
    }
    if let Some(config) = config.filter(|_| form.is_some() || example) {
        settings(&config, example, &mut contents)?;
    }
    Ok(contents)
}

/// IEEE 754 half, and not bfloat16.
fn is_half(kind: &Datatype) -> bool {
    match kind {
        Datatype::FloatingPoint { size: 2, byte_order: DatatypeByteOrder::LittleEndian, layout } => {
            (layout.exponent_size, layout.exponent_bias, layout.mantissa_size) == (5, 15, 10)
        }
        _ => false,
    }
}

/// Numbers in torch's order.
fn read((dataset, turn): &(Dataset, Turn), stored: &Stored) -> Result<Vec<f32>, String> {
    let values = match stored.element {
        Element::Float(Dtype::F64) => dataset.read_f64().map_err(damaged)?.into_iter().map(|v| v as f32).collect(),
        Element::Float(Dtype::F16) => Dtype::F16.elements(&dataset.read_raw().map_err(damaged)?),
        _ => dataset.read_f32().map_err(damaged)?,
    };
    let count: usize = stored.shape.iter().product();
    if values.len() != count {
        return Ok(values); // the caller says that the length is wrong
    }
    Ok(match (turn, stored.shape.as_slice()) {
        (Turn::Kernel, &[outputs, inputs, height, width]) => {
            let mut turned = Vec::with_capacity(count);
            for o in 0..outputs {
                for i in 0..inputs {
                    turned.extend((0..height * width).map(|k| values[(k * inputs + i) * outputs + o]));
                }
            }
            turned
        }
        (Turn::Matrix, &[outputs, inputs]) => {
            (0..outputs * inputs).map(|at| values[at % inputs * outputs + at / inputs]).collect()
        }
        _ => values,
    })
}

fn text(value: &AttrValue) -> Option<String> {
    match value {
        AttrValue::String(text)
        | AttrValue::AsciiString(text)
        | AttrValue::VarLenString(text)
        | AttrValue::VarLenAsciiString(text) => Some(text.clone()),
        AttrValue::StringSized { value, .. } | AttrValue::AsciiStringSized { value, .. } => Some(value.clone()),
        _ => None,
    }
}

fn walk(group: &Group, path: &mut Vec<String>, visited: &mut usize, found: &mut Vec<Found>) -> Result<(), hdf5_pure::Error> {
    *visited += 1;
    let optimizer = path.first().is_some_and(|first| first.starts_with("optimizer"));
    if path.len() > MAX_DEPTH || *visited > MAX_GROUPS || optimizer {
        return Ok(());
    }
    let datasets = group.datasets()?;
    if !datasets.is_empty() {
        found.extend(layer(group, path, datasets)?);
    }
    for name in group.groups()? {
        let below = group.group(&name)?;
        path.push(name);
        walk(&below, path, visited, found)?;
        path.pop();
    }
    Ok(())
}

/// The variables of one group.
fn layer(group: &Group, path: &[String], datasets: Vec<String>) -> Result<Option<Found>, hdf5_pure::Error> {
    let numbered = path.last().is_some_and(|last| last == "vars");
    let opened = |name: &String| Ok((name.clone(), group.dataset(name)?));
    let mut variables = datasets.iter().map(opened).collect::<Result<Vec<_>, hdf5_pure::Error>>()?;
    let (mut name, mut above) = (path.last().cloned().unwrap_or_default(), path.len().saturating_sub(1));
    let mut group_name = name.clone();
    if numbered {
        above = path.len().saturating_sub(2);
        name = path.get(above).cloned().unwrap_or_default();
        group_name.clone_from(&name);
        if let Some(told) = group.attrs()?.get("name").and_then(text) {
            name = told;
        }
        variables.sort_by_key(|(number, _)| number.parse::<usize>().unwrap_or(usize::MAX));
        let first = variables[0].1.shape()?.len();
        let roles: &[&str] = match (first, variables.len()) {
            (4 | 2, 1 | 2) => &["weight", "bias"],
            (1, 4) => &["gamma", "beta", "moving_mean", "moving_variance"],
            // Which of three is missing is not told.
            _ => &[],
        };
        for (role, (number, _)) in roles.iter().zip(&mut variables) {
            *number = (*role).to_string();
        }
    }
    for (role, _) in &mut variables {
        let known = role.split(':').next().unwrap_or_default();
        *role = match known {
            "kernel" | "gamma" => "weight",
            "beta" => "bias",
            "moving_mean" => "running_mean",
            "moving_variance" => "running_var",
            other => other,
        }
        .to_string();
    }
    // `layers` says nothing, and of older files' `conv1_conv/conv1_conv` one is enough.
    let above: Vec<&str> = path[..above].iter().map(String::as_str).filter(|part| *part != "layers" && *part != name).collect();
    let above: String = above.iter().map(|part| format!("{part}.")).collect();
    Ok(Some(Found { name, group: group_name, above, variables }))
}

/// Which of Keras Applications' nets the names are.
fn form(layers: &[Found]) -> Option<KerasForm> {
    let names: HashSet<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
    let first = names.contains("conv2_block1_1_conv");
    let v2 = names.contains("conv2_block1_preact_bn");
    first.then_some(if v2 { KerasForm::V2 } else { KerasForm::V1 })
}

/// The number in a name that Keras gives by itself: 0 of `conv2d`, 3 of `conv2d_3`.
fn counted(name: &str, class: &str) -> Option<usize> {
    let rest = name.strip_prefix(class)?;
    if rest.is_empty() { Some(0) } else { rest.strip_prefix('_')?.parse().ok() }
}

/// Names the layers of Keras' CIFAR-10 example as torchvision would. Its layers are only counted, in the order in which its code makes
/// them: of a block the convolutions, then that of the shortcut. Says whether it is one of its nets, by all kernels' sizes and widths.
fn example_names(layers: &mut [Found]) -> Result<bool, String> {
    let of = |class: &str| {
        let mut found: Vec<(usize, usize)> =
            layers.iter().enumerate().filter_map(|(i, layer)| Some((counted(&layer.name, class)?, i))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, i)| i).collect::<Vec<_>>()
    };
    let (convs, norms) = (of("conv2d"), of("batch_normalization"));
    let mut kernels = Vec::new();
    for &i in &convs {
        let Some((_, weight)) = layers[i].variables.iter().find(|(role, _)| role == "weight") else { return Ok(false) };
        let &[kernel, _, _, outputs] = weight.shape().map_err(damaged)?.as_slice() else { return Ok(false) };
        kernels.push((kernel, outputs));
    }
    // (name, kernel, width) of each convolution, and the names of norms.
    let (mut expected, mut normed) = (vec![("conv1".to_string(), 3, 16)], vec!["bn1".to_string()]);
    let v2 = kernels.get(1).is_some_and(|(kernel, _)| *kernel == 1);
    let per_block = if v2 { 3 } else { 2 };
    let blocks = convs.len().saturating_sub(if v2 { 4 } else { 3 }) / (3 * per_block);
    for k in 0..3usize {
        for block in 0..blocks {
            let name = format!("layer{}.{block}", k + 1);
            // The width inside a bottleneck, and the one that a block ends in.
            let (inner, outer) = if v2 { ([16, 64, 128][k], 64 << k) } else { (16 << k, 16 << k) };
            let widths: &[(u64, u64)] = if v2 { &[(1, inner), (3, inner), (1, outer)] } else { &[(3, outer), (3, outer)] };
            for (j, &(kernel, width)) in widths.iter().enumerate() {
                expected.push((format!("{name}.conv{}", j + 1), kernel, width));
                // The very first is pre-activated by the stem.
                if !(v2 && k == 0 && block == 0 && j == 0) {
                    normed.push(format!("{name}.bn{}", j + 1));
                }
            }
            if block == 0 && (v2 || k > 0) {
                expected.push((format!("{name}.downsample.0"), 1, outer));
            }
        }
    }
    if v2 {
        normed.push("norm".into());
    }
    let same = expected.iter().map(|(_, kernel, width)| (*kernel, *width)).eq(kernels.iter().copied());
    if blocks == 0 || !same || normed.len() != norms.len() {
        return Ok(false);
    }
    let names = expected.into_iter().map(|(name, ..)| name).chain(normed);
    for (i, name) in convs.into_iter().chain(norms).zip(names) {
        (layers[i].above, layers[i].name) = (String::new(), name);
    }
    Ok(true)
}

/// Sees that what is no part of the body is linear layers that follow each other, and numbers them. Anything else would be passed
/// over, and change the answer.
fn only_a_head_besides(layers: &mut [Found], config: Option<&Value>) -> Result<(), String> {
    let is_body = |name: &str| {
        let stage = name.strip_prefix("conv").and_then(|rest| rest.split_once('_')).map(|(stage, _)| stage);
        name == "post_bn" || stage.is_some_and(|stage| !stage.is_empty() && stage.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut flat = Vec::new();
    config.into_iter().for_each(|config| flatten(config, 0, &mut flat));
    let place = |name: &str| flat.iter().position(|layer| layer["config"]["name"] == name);
    let mut head = Vec::new();
    for (i, layer) in layers.iter().enumerate().filter(|(_, layer)| !is_body(&layer.name)) {
        // A random layer keeps the state of its generator.
        let Some((_, weight)) = layer.variables.iter().find(|(role, _)| role != "bias" && role != "seed_generator_state")
        else {
            continue;
        };
        match weight.shape().map_err(damaged)?.as_slice() {
            &[inputs, outputs] if layer.variables.len() <= 2 => head.push((i, inputs, outputs)),
            [] | [_] if layer.variables.len() == 1 => {}
            _ => {
                return Err(format!(
                    "its layer `{}` is neither of Keras Applications' ResNets nor a linear layer after one, and is not supported",
                    shown(&layer.name)
                ));
            }
        }
    }
    // As the model has them, or by the numbers that Keras gives: to groups in the model's order, to names in that of making.
    let number = |name: &str| {
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        name[name.len() - digits..].parse::<usize>().unwrap_or(0)
    };
    head.sort_by_key(|(i, ..)| (place(&layers[*i].name), number(&layers[*i].group)));
    if head.windows(2).any(|pair| pair[0].2 != pair[1].1) {
        return Err(format!(
            "its linear layers (`{}`, ...) do not follow each other in the order of their names; save the model with its configuration \
             (`model.save(\"model.keras\")`)",
            shown(&layers[head[0].0].name)
        ));
    }
    if head.len() > 1 {
        for (number, (i, ..)) in head.into_iter().enumerate() {
            (layers[i].above, layers[i].name) = (String::new(), format!("dense.{number}"));
        }
    }
    Ok(())
}

/// What the model's configuration says: layers that are not supported, the picture's size, rescaling, the last activation.
fn settings(config: &Value, example: bool, contents: &mut Contents<'_>) -> Result<(), String> {
    /// What a ResNet is made of, and what does nothing after training.
    const KNOWN: &[&str] = &[
        "InputLayer",
        "ZeroPadding2D",
        "Conv2D",
        "BatchNormalization",
        "Activation",
        "ReLU",
        "MaxPooling2D",
        "Add",
        "GlobalAveragePooling2D",
        "Dense",
        "Dropout",
        "SpatialDropout2D",
        "GaussianNoise",
        "Softmax",
        "Functional",
        "Sequential",
        "Model",
        "Rescaling",
    ];
    /// Of the CIFAR-10 example: over all that is left of its pictures.
    const ITS: &[&str] = &["AveragePooling2D", "Flatten"];
    let mut layers = Vec::new();
    flatten(config, 0, &mut layers);
    for layer in &layers {
        let class = layer["class_name"].as_str().unwrap_or_default();
        let random = class.starts_with("Random") || class == "AutoContrast";
        let supported = KNOWN.contains(&class) || random || (example && ITS.contains(&class));
        if !supported {
            let name = layer["config"]["name"].as_str().or(layer["name"].as_str()).unwrap_or_default();
            return Err(format!(
                "its model has a layer `{}` of class `{}`, which is not supported; save the network without it (what prepares \
                 pictures belongs before the network)",
                shown(name),
                shown(class)
            ));
        }
    }
    let dense: Vec<&&Value> = layers.iter().filter(|layer| layer["class_name"] == "Dense").collect();
    for layer in dense.iter().rev().skip(1) {
        let activation = activation(&layer["config"]["activation"]).unwrap_or_else(|| "linear".into());
        if activation != "relu" {
            return Err(format!(
                "a linear layer before its last has the activation `{}`; only ReLU is supported",
                shown(&activation)
            ));
        }
    }
    let last = dense.last();
    if let Some(activation) = last.and_then(|layer| activation(&layer["config"]["activation"])) {
        match activation.as_str() {
            "sigmoid" => contents.facts.activation = Some(Activation::Sigmoid),
            "softmax" | "linear" => {}
            other => return Err(format!("its last layer has the activation `{}`, which is not supported", shown(other))),
        }
    }
    let rescaling = layers.iter().find(|layer| layer["class_name"] == "Rescaling").map(|layer| &layer["config"]);
    if let Some(rescaling) = rescaling {
        let (scale, offset) = (rescaling["scale"].as_f64(), rescaling["offset"].as_f64().or(Some(0.0)));
        let (Some(scale), Some(offset)) = (scale, offset) else {
            return Err("its `Rescaling` layer has a scale for each channel, which is not supported".into());
        };
        contents.facts.rescaling = Some((scale as f32, offset as f32));
    }
    let input = layers.iter().find(|layer| layer["class_name"] == "InputLayer").map(|layer| &layer["config"]);
    let shape =
        input.map(|input| if input["batch_shape"].is_array() { &input["batch_shape"] } else { &input["batch_input_shape"] });
    if let Some([_, height, width, _]) = shape.and_then(Value::as_array).map(Vec::as_slice)
        && let (Some(height), Some(width)) = (height.as_u64(), width.as_u64())
        && height == width
    {
        contents.facts.side = u32::try_from(height).ok();
    }
    if example && contents.facts.side.is_some_and(|side| side != 32) {
        return Err(
            "it is Keras' CIFAR-10 example for pictures that are not of 32 x 32: its last pool then is not over all of them, \
                    which is not supported"
                .into(),
        );
    }
    Ok(())
}

/// An activation by name, whether it is a string or an object.
fn activation(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["config"].as_str()).or_else(|| value["class_name"].as_str()).map(str::to_string)
}

/// Layers of a model and of models in it, in order.
fn flatten<'a>(config: &'a Value, depth: usize, layers: &mut Vec<&'a Value>) {
    if depth > 8 {
        return;
    }
    for layer in config["config"]["layers"].as_array().into_iter().flatten() {
        if layer["config"]["layers"].is_array() {
            flatten(layer, depth + 1, layers);
        } else {
            layers.push(layer);
        }
    }
}

#[cfg(test)]
mod tests;
