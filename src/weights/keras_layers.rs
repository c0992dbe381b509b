//! Keras' layers by name, whatever file they come from: which of its nets they are, and their tensors in torch's order.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::contents::{Contents, Form, Stored};
use super::shown;
use crate::data::Activation;
use crate::data::element::Element;
use crate::sorting;

/// The variables of a layer.
pub(super) struct Layer {
    pub name: String,
    /// What its group is called, where that is another name.
    pub group: String,
    /// What stands before the layer's own name, for models inside models; ends in a dot.
    pub above: String,
    pub variables: Vec<Variable>,
}

/// A variable as Keras has it.
pub(super) struct Variable {
    /// `weight`, `bias`, ..., see [`role`].
    pub role: String,
    pub shape: Vec<usize>,
    pub element: Element,
    /// The reader's own number for it.
    pub place: usize,
}

/// torch's word for a variable that TensorFlow or Keras calls `name`.
pub(super) fn role(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    match name {
        "kernel" | "weights" | "gamma" => "weight",
        "biases" | "beta" => "bias",
        "moving_mean" => "running_mean",
        "moving_variance" => "running_var",
        other => keras1_role(other),
    }
}

/// Keras 1 calls a variable by its layer and a word (`conv1_W`, `bn_conv1_running_std`, which is a variance), TensorFlow may count it.
fn keras1_role(name: &str) -> &str {
    let counted = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let whole = counted.strip_suffix('_').filter(|_| counted.len() < name.len()).unwrap_or(name);
    let words = [
        ("_W", "weight"),
        ("_b", "bias"),
        ("_gamma", "weight"),
        ("_beta", "bias"),
        ("_running_mean", "running_mean"),
        ("_running_std", "running_var"),
    ];
    words.into_iter().find(|(word, _)| whole.ends_with(word)).map_or(name, |(_, role)| role)
}

/// How a variable becomes a tensor.
#[derive(Clone, Copy)]
enum Turn {
    None,
    /// `(H, W, I, O)` to `(O, I, H, W)`.
    Kernel,
    /// `(I, O)` to `(O, I)`.
    Matrix,
}

impl Turn {
    /// Of a variable in this role; its shape becomes torch's.
    fn of(role: &str, shape: &mut [usize]) -> Self {
        match (role, &mut *shape) {
            ("weight", [height, width, inputs, outputs]) => {
                let turned = [*outputs, *inputs, *height, *width];
                shape.copy_from_slice(&turned);
                Self::Kernel
            }
            ("weight", [inputs, outputs]) => {
                std::mem::swap(inputs, outputs);
                Self::Matrix
            }
            _ => Self::None,
        }
    }

    /// The values in torch's order; `shape` is torch's.
    fn apply(self, values: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if count != Some(values.len()) {
            return values; // the caller says that the length is wrong
        }
        match (self, shape) {
            (Self::Kernel, &[outputs, inputs, height, width]) => {
                let mut turned = Vec::with_capacity(values.len());
                for o in 0..outputs {
                    for i in 0..inputs {
                        turned.extend((0..height * width).map(|k| values[(k * inputs + i) * outputs + o]));
                    }
                }
                turned
            }
            (Self::Matrix, &[outputs, inputs]) => {
                (0..outputs * inputs).map(|at| values[at % inputs * outputs + at / inputs]).collect()
            }
            _ => values,
        }
    }
}

/// Reads the values of the variable of this number.
pub(super) type Read<'a> = Box<dyn Fn(usize, &Stored) -> Result<Vec<f32>, String> + 'a>;

/// Lists the tensors of layers; `config` is the model's, where it is known. `limit` as in [`Contents::new`].
pub(super) fn list<'a>(
    mut layers: Vec<Layer>,
    config: Option<&Value>,
    limit: usize,
    read: Read<'a>,
) -> Result<Contents<'a>, String> {
    if form(&layers).is_none() {
        without_scopes(&mut layers);
    }
    let old = old_names(&mut layers);
    let form = if old { Some(Form::KerasOld) } else { form(&layers) };
    let example = form.is_none() && example_names(&mut layers);
    if form.is_some_and(Form::is_keras) {
        only_a_head_besides(&mut layers, config)?;
    }
    let (mut tensors, mut places) = (IndexMap::new(), Vec::new());
    for layer in layers {
        for Variable { role, mut shape, element, place } in layer.variables {
            let turn = Turn::of(&role, &mut shape);
            let name = format!("{}{}.{role}", layer.above, layer.name);
            tensors.insert(name, Stored::new(shape, element, places.len()));
            places.push((place, turn));
        }
    }
    let source = move |stored: &Stored| {
        let (place, turn) = places[stored.place];
        Ok(turn.apply(read(place, stored)?, &stored.shape))
    };
    let mut contents = Contents::new(tensors, limit, Box::new(source));
    contents.facts.form = form;
    if old {
        let flat = config.map(flattened).unwrap_or_default();
        let named = |name: &str| flat.iter().any(|layer| layer["config"]["name"] == name || layer["name"] == name);
        if !flat.is_empty() && !named("pool1_pad") {
            return Err("it is Keras' ResNet50 of before 2.2.3, whose first pool is not padded, which is not supported".into());
        }
        let pool = if flat.is_empty() { ", and its first pool was taken to be padded, as since Keras 2.2.3" } else { "" };
        contents.facts.notes.push(format!(
            "its layers have the names of Keras Applications before Keras 2.3, which an epsilon of 1e-3 goes with{pool}"
        ));
    }
    if example {
        contents.facts.notes.push(
            "its layers have no names of their own: they were taken for Keras' CIFAR-10 example's, in the order in which they were made".into(),
        );
    }
    if let Some(config) = config.filter(|_| form.is_some_and(Form::is_keras) || example) {
        settings(config, example, &mut contents)?;
    }
    Ok(contents)
}

/// Whose nets the names are, Keras Applications' or TF-slim's.
fn form(layers: &[Layer]) -> Option<Form> {
    let names: HashSet<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
    if names.contains("conv2_block1_1_conv") {
        let v2 = names.contains("conv2_block1_preact_bn");
        return Some(if v2 { Form::KerasV2 } else { Form::KerasV1 });
    }
    let slim = |unit: &str| layers.iter().any(|layer| layer.name == "conv1" && layer.above.ends_with(unit));
    match (slim("block1.unit_1.bottleneck_v1."), slim("block1.unit_1.bottleneck_v2.")) {
        (true, _) => Some(Form::SlimV1),
        (_, true) => Some(Form::SlimV2),
        _ => None,
    }
}

/// A layer of Keras Applications' ResNet50 before Keras 2.3.
const OLD: &str = "res2a_branch2a";

/// Names the layers of Keras Applications' ResNets before Keras 2.3 as later versions do; says whether they are such.
fn old_names(layers: &mut [Layer]) -> bool {
    let is_old = layers.iter().any(|layer| layer.name == OLD);
    if is_old {
        for layer in layers {
            if let Some(name) = later_name(&layer.name) {
                layer.name = name;
            }
        }
    }
    is_old
}

/// `res3b_branch2a` is `conv3_block2_1_conv` today.
fn later_name(name: &str) -> Option<String> {
    match name {
        "conv1" => return Some("conv1_conv".into()),
        "bn_conv1" => return Some("conv1_bn".into()),
        "fc1000" => return Some("predictions".into()),
        _ => {}
    }
    let (rest, kind) = match (name.strip_prefix("res"), name.strip_prefix("bn")) {
        (Some(rest), _) => (rest, "conv"),
        (_, Some(rest)) => (rest, "bn"),
        _ => return None,
    };
    let (place, branch) = rest.split_once("_branch")?;
    let layer = ["1", "2a", "2b", "2c"].iter().position(|known| *known == branch)?;
    let stage = place.get(..1)?.parse::<u8>().ok()?;
    // Blocks are a, b, c, ..., in deep nets a, b1, b2, ...
    let block = match place.get(1..)?.as_bytes() {
        [letter @ b'a'..=b'z'] => usize::from(letter - b'a') + 1,
        [b'b', number @ ..] => std::str::from_utf8(number).ok()?.parse::<usize>().ok()?.checked_add(1)?,
        _ => return None,
    };
    Some(format!("conv{stage}_block{block}_{layer}_{kind}"))
}

/// Takes the `_1` off names of layers that TensorFlow 1 gave to the second net of a program, where names are known without it.
fn without_scopes(layers: &mut [Layer]) {
    let scope = |name: &str| {
        let (_, number) = name.rsplit_once('_')?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| format!("_{number}"))
    };
    let first = layers.iter().find(|layer| layer.name.contains("_conv_") || layer.name.contains("_branch"));
    let Some(scope) = first.and_then(|layer| scope(&layer.name)) else { return };
    let shorter = |name: &String| name.strip_suffix(&scope).unwrap_or(name).to_owned();
    let names: HashSet<String> = layers.iter().map(|layer| shorter(&layer.name)).collect();
    if names.contains("conv2_block1_1_conv") || names.contains(OLD) {
        layers.iter_mut().for_each(|layer| layer.name = shorter(&layer.name));
    }
}

/// The number in a name that Keras gives by itself: 0 of `conv2d`, 3 of `conv2d_3`.
fn counted(name: &str, class: &str) -> Option<usize> {
    let rest = name.strip_prefix(class)?;
    if rest.is_empty() { Some(0) } else { rest.strip_prefix('_')?.parse().ok() }
}

/// Names the layers of Keras' CIFAR-10 example as torchvision would. Its layers are only counted, in the order in which its code makes
/// them: of a block the convolutions, then that of the shortcut. Says whether it is one of its nets, by all kernels' sizes and widths.
fn example_names(layers: &mut [Layer]) -> bool {
    let of = |class: &str| {
        let mut found: Vec<(usize, usize)> =
            layers.iter().enumerate().filter_map(|(i, layer)| Some((counted(&layer.name, class)?, i))).collect();
        sorting::sort(&mut found);
        found.into_iter().map(|(_, i)| i).collect::<Vec<_>>()
    };
    let (convs, norms) = (of("conv2d"), of("batch_normalization"));
    let mut kernels = Vec::new();
    for &i in &convs {
        let weight = layers[i].variables.iter().find(|variable| variable.role == "weight");
        let Some(&[kernel, _, _, outputs]) = weight.map(|weight| weight.shape.as_slice()) else { return false };
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
            let widths: &[(usize, usize)] = if v2 { &[(1, inner), (3, inner), (1, outer)] } else { &[(3, outer), (3, outer)] };
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
        return false;
    }
    let names = expected.into_iter().map(|(name, ..)| name).chain(normed);
    for (i, name) in convs.into_iter().chain(norms).zip(names) {
        (layers[i].above, layers[i].name) = (String::new(), name);
    }
    true
}

/// Sees that what is no part of the body is linear layers that follow each other, and numbers them. Anything else would be passed
/// over, and change the answer.
fn only_a_head_besides(layers: &mut [Layer], config: Option<&Value>) -> Result<(), String> {
    let is_body = |name: &str| {
        let stage = name.strip_prefix("conv").and_then(|rest| rest.split_once('_')).map(|(stage, _)| stage);
        name == "post_bn" || stage.is_some_and(|stage| !stage.is_empty() && stage.bytes().all(|b| b.is_ascii_digit()))
    };
    let flat = config.map(flattened).unwrap_or_default();
    let place = |name: &str| flat.iter().position(|layer| layer["config"]["name"] == name);
    let mut head = Vec::new();
    for (i, layer) in layers.iter().enumerate().filter(|(_, layer)| !is_body(&layer.name)) {
        // A random layer keeps the state of its generator.
        let counts = |variable: &&Variable| !["bias", "seed_generator_state"].contains(&variable.role.as_str());
        let Some(weight) = layer.variables.iter().find(counts) else { continue };
        match weight.shape.as_slice() {
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
    sorting::sort_by_key(&mut head, |(i, ..)| (place(&layers[*i].name), number(&layers[*i].group)));
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
    let layers = flattened(config);
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
    // In a SavedModel a tuple is an object.
    let shape = shape.map(|shape| if shape.is_array() { shape } else { &shape["items"] });
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
fn flattened(config: &Value) -> Vec<&Value> {
    let mut layers = Vec::new();
    flatten(config, 0, &mut layers);
    layers
}

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
