//! Which network a checkpoint belongs to, from its metadata or from the names and shapes of its tensors.
//!
//! What a file's metadata says comes first: our own files carry their block table. Without it the table is read off the
//! shapes ([`super::shapes`]), and what they cannot show is settled by who knows it, or assumed ([`super::assume`]);
//! [`Detected::assumed`] says so. Whatever the source of the table, every tensor is then checked against it.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::assume::{self, Choices};
use super::contents::Facts;
use super::known::Config;
use super::shapes::{Shapes, published};
use super::{RESUME_PREFIX, StateDict, shown};
use crate::data::Activation;
use crate::model::resnet::ResNetSpec;
use crate::{Error, Result};

/// A checkpoint and the network it fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// The network.
    pub spec: ResNetSpec,
    /// The tensors under their canonical names, exactly those `spec` wants.
    pub weights: StateDict,
    /// Class names, if the file carries them; as many as the network has classes.
    pub classes: Option<Vec<String>>,
    /// Name of the pixel preset, if the file carries it.
    pub preset: Option<String>,
    /// How its outputs become probabilities.
    pub activation: Activation,
    /// What the file could not tell and was assumed, as sentences for the person; empty when it told.
    pub assumed: Vec<String>,
    /// What else the person should know of how it was read: what was passed over, which of two nets was taken.
    pub notes: Vec<String>,
}

/// Metadata keys of the files this project writes.
mod key {
    pub const ARCH: &str = "arch";
    pub const SPEC: &str = "spec";
    pub const CLASSES: &str = "classes";
    pub const PRESET: &str = "preset";
    /// The loss it was trained with: `softmax`, `sigmoid`.
    pub const LOSS: &str = "loss";
    /// A run that can be resumed; its recipe names the loss too.
    pub const TRAINING: &str = "training";
}

/// The metadata that lets a file be loaded without guessing: the table as JSON, its name, class names, pixel preset.
///
/// ```
/// # use reslab::{model::resnet::ResNetSpec, weights::{StateDict, detect}};
/// let spec = ResNetSpec::named("resnet20")?;
/// let state = StateDict { metadata: detect::metadata(&spec, None, Some("cifar")), ..Default::default() };
/// assert_eq!(state.metadata["arch"], "resnet20");
/// # Ok::<_, reslab::Error>(())
/// ```
pub fn metadata(spec: &ResNetSpec, classes: Option<&[String]>, preset: Option<&str>) -> IndexMap<String, String> {
    // A table and a list of strings are plain data, which serde_json can always write.
    let json = |value: serde_json::Result<String>| value.expect("plain data becomes JSON");
    let mut metadata = IndexMap::from([
        (key::ARCH.to_string(), spec.arch.clone()),
        (key::SPEC.to_string(), json(serde_json::to_string(spec))),
    ]);
    if let Some(classes) = classes {
        metadata.insert(key::CLASSES.into(), json(serde_json::to_string(classes)));
    }
    if let Some(preset) = preset {
        metadata.insert(key::PRESET.into(), preset.into());
    }
    metadata
}

/// What is known of a file beside its tensors.
#[derive(Debug, Default)]
pub(super) struct Beside<'a> {
    pub choices: Choices,
    pub config: Option<Config>,
    pub facts: Facts,
    /// What stands before the names of layers in `facts`.
    pub prefix: &'a str,
}

/// Finds the network `state` belongs to and checks every tensor's name and shape against it.
///
/// # Errors
/// [`Error::UnknownArchitecture`] when the names are no ResNet's; [`Error::TensorMismatch`] when one tensor does not fit;
/// [`Error::Spec`] when the metadata contradicts itself.
pub fn detect(state: StateDict) -> Result<Detected> {
    recognise(state, &Beside::default())
}

/// The table in the file's metadata, which only this project writes: such a file needs no guess.
pub(super) fn has_table(metadata: &IndexMap<String, String>) -> bool {
    metadata.contains_key(key::SPEC)
}

/// [`detect`] with what is known beside.
pub(super) fn recognise(mut state: StateDict, beside: &Beside<'_>) -> Result<Detected> {
    state.tensors.retain(|name, _| !name.starts_with(RESUME_PREFIX));
    canonical_names(&mut state);
    let Beside { choices, config, facts, prefix } = beside;
    let mut notes = Vec::new();
    let told = from_metadata(&state)?;
    let (spec, mut assumed) = match told {
        Some(spec) if choices.is_empty() => (spec, Vec::new()),
        Some(spec) => {
            assume::settle(spec, true, choices, None, &Facts::default(), "", &mut notes).map(|(spec, _)| (spec, Vec::new()))?
        }
        None => {
            let (spec, is_published) = published(Shapes(&state.tensors).table()?);
            assume::settle(spec, is_published, choices, config.as_ref(), facts, prefix, &mut notes)?
        }
    };
    let mut found = checked(spec, state)?;
    if found.classes.is_none() {
        found.classes = other_names(&found.spec, config.as_ref(), facts, &mut notes);
    }
    if config.as_ref().is_some_and(|config| config.sigmoid) {
        found.activation = Activation::Sigmoid;
    }
    if let Some(activation) = facts.activation.filter(|_| found.spec.classes != Some(1)) {
        found.activation = activation;
    }
    if found.spec.classes == Some(1) && loss(&found.weights.metadata) == Activation::Softmax {
        assumed.push("it has a single output: a sigmoid was taken, so that it answers yes or no".into());
    }
    Ok(Detected { assumed, notes, ..found })
}

/// [`detect`] for files with their table in the metadata alone. The page's first part knows no more.
pub(super) fn by_table(mut state: StateDict) -> Result<Detected> {
    state.tensors.retain(|name, _| !name.starts_with(RESUME_PREFIX));
    match table(&state)? {
        Some(spec) => checked(spec, state),
        None => Err(Error::Spec("the file's metadata has no `spec`".into())),
    }
}

/// Checks every tensor against the table.
fn checked(spec: ResNetSpec, state: StateDict) -> Result<Detected> {
    let blocks: usize = spec.stages.iter().map(|stage| stage.blocks.min(1 << 20)).sum();
    if blocks > state.tensors.len() {
        // Also keeps a hostile table from building a graph of millions of layers.
        return Err(Error::Spec(format!("it has {blocks} blocks, but the file holds only {} tensors", state.tensors.len())));
    }
    let weights = verified(&spec, state)?;
    let classes = class_names(&spec, &weights)?;
    let one = spec.classes == Some(1);
    let activation = if one { Activation::Sigmoid } else { loss(&weights.metadata) };
    let preset = weights.metadata.get(key::PRESET).cloned();
    Ok(Detected { spec, weights, classes, preset, activation, assumed: Vec::new(), notes: Vec::new() })
}

/// The loss in the metadata of our own files.
fn loss(metadata: &IndexMap<String, String>) -> Activation {
    let training = || {
        let run: serde_json::Value = serde_json::from_str(metadata.get(key::TRAINING)?).ok()?;
        Some(run["recipe"]["loss"].to_string())
    };
    let loss = metadata.get(key::LOSS).cloned().or_else(training).unwrap_or_default();
    if loss.contains("sigmoid") { Activation::Sigmoid } else { Activation::Softmax }
}

/// The metadata that tells how outputs become probabilities; none for the usual softmax.
pub fn loss_metadata(activation: Activation) -> Option<(String, String)> {
    (activation == Activation::Sigmoid).then(|| (key::LOSS.into(), "sigmoid".into()))
}

/// Class names of a config beside the file or of objects in it, where they are as many as the network has classes.
fn other_names(spec: &ResNetSpec, config: Option<&Config>, facts: &Facts, notes: &mut Vec<String>) -> Option<Vec<String>> {
    let wanted = spec.classes?;
    if let Some(names) = config.and_then(|config| config.classes.clone()) {
        if names.len() == wanted {
            return Some(names);
        }
        notes.push(format!(
            "the config.json beside it names {} classes, but the network has {wanted}: they were not used",
            names.len()
        ));
    }
    let found = facts.names.iter().filter_map(|(_, json)| crate::data::labels::from_json(json));
    let mut found = found.filter(|names| names.len() == wanted);
    found.next()
}

/// Renames what other code bases call differently: `linear` is `fc`, `shortcut.0` is `downsample.0`. Files have come through
/// [`select`](super::select) already.
fn canonical_names(state: &mut StateDict) {
    let rename = |name: &str| -> String {
        if let Some(rest) = name.strip_prefix("linear.").or_else(|| name.strip_prefix("classifier.")) {
            return format!("fc.{rest}");
        }
        name.replace(".shortcut.", ".downsample.")
    };
    let renamed: IndexMap<String, ()> = state.tensors.keys().map(|name| (rename(name), ())).collect();
    if renamed.len() == state.tensors.len() {
        state.tensors = renamed.into_keys().zip(std::mem::take(&mut state.tensors).into_values()).collect();
    }
}

/// The table the file itself names, with the head and image channels of its tensors.
fn from_metadata(state: &StateDict) -> Result<Option<ResNetSpec>> {
    if let Some(spec) = table(state)? {
        return Ok(Some(spec));
    }
    let Some(Ok(mut spec)) = state.metadata.get(key::ARCH).map(|arch| ResNetSpec::named(arch)) else {
        return Ok(None); // other programs may use the key for names of their own
    };
    let shapes = Shapes(&state.tensors);
    (spec.classes, spec.head) = shapes.head();
    if let Some(&[_, channels, _, _]) = shapes.get("conv1.weight").or_else(|| shapes.get("conv1.0.weight")) {
        spec.image_channels = channels;
    }
    Ok(Some(spec))
}

/// The table in the metadata.
fn table(state: &StateDict) -> Result<Option<ResNetSpec>> {
    let Some(json) = state.metadata.get(key::SPEC) else { return Ok(None) };
    let wrong = |error| Error::Spec(format!("the `spec` in the file's metadata cannot be read: {error}"));
    serde_json::from_str(json).map(Some).map_err(wrong)
}

/// Class names of the metadata; their number must be the network's.
fn class_names(spec: &ResNetSpec, state: &StateDict) -> Result<Option<Vec<String>>> {
    let Some(json) = state.metadata.get(key::CLASSES) else { return Ok(None) };
    let names: Vec<String> = serde_json::from_str(json)
        .map_err(|error| Error::Spec(format!("the `classes` in the file's metadata are no JSON list of strings: {error}")))?;
    match spec.classes {
        Some(classes) if classes == names.len() => Ok(Some(names)),
        Some(classes) => {
            Err(Error::Spec(format!("the file's metadata names {} classes, but the network has {classes}", names.len())))
        }
        None => Ok(None),
    }
}

/// The tensors of `spec` in its order, or which one is missing, of another shape, or too many.
fn verified(spec: &ResNetSpec, mut state: StateDict) -> Result<StateDict> {
    let params = spec.build()?.params();
    for param in &params {
        let tensor = state.get(&param.name, &param.shape).map_err(|error| match error {
            Error::TensorMismatch { tensor, expected, found } => {
                Error::TensorMismatch { tensor, expected: format!("{expected} for {}", spec.arch), found }
            }
            other => other,
        })?;
        if tensor.data.len() != param.shape.iter().product::<usize>() {
            return Err(Error::TensorMismatch {
                tensor: param.name.clone(),
                expected: format!("{} values", param.shape.iter().product::<usize>()),
                found: format!("{}", tensor.data.len()),
            });
        }
    }
    let wanted: HashSet<&str> = params.iter().map(|param| param.name.as_str()).collect();
    let left: Vec<&str> = state
        .tensors
        .keys()
        .map(String::as_str)
        .filter(|name| !wanted.contains(name) && !name.ends_with("num_batches_tracked"))
        .collect();
    if !left.is_empty() {
        let more = if left.len() > 5 { format!(" and {} more", left.len() - 5) } else { String::new() };
        return Err(Error::UnknownArchitecture(format!(
            "the file fits {}, but also holds `{}`{more}, which that network does not have",
            spec.arch,
            left.iter().take(5).map(|name| shown(name)).collect::<Vec<_>>().join("`, `")
        )));
    }
    let mut tensors = IndexMap::with_capacity(params.len());
    for param in &params {
        // `get` above has found each of them, and names in a graph are unique.
        if let Some(tensor) = state.tensors.swap_remove(&param.name) {
            tensors.insert(param.name.clone(), tensor);
        }
    }
    Ok(StateDict { tensors, metadata: state.metadata })
}

#[cfg(test)]
mod tests;
