//! One file that a training run can go on from, and that everything else can use as weights.
//!
//! It is a safetensors file. The best weights so far stand under torchvision's names with PyTorch's `num_batches_tracked`
//! beside each running mean; what only a resumed run wants follows under names that begin with `resume.`:
//!
//! | tensor | what |
//! | --- | --- |
//! | `layer1.0.conv1.weight`, ... | best parameters and running statistics; the latest ones where nothing validates |
//! | `resume.latest.NAME` | the latest ones of what learns, where they are not the best |
//! | `resume.average.NAME` | the moving average of what learns, where the recipe asks for it |
//! | `resume.momentum_buffer.NAME` | SGD's momentum |
//! | `resume.exp_avg.NAME`, `resume.exp_avg_sq.NAME` | Adam's means |
//!
//! Metadata: `arch`, `spec`, `classes`, `preset` as [`detect::metadata`] writes them, `pixels` (the whole [`Preset`]),
//! `training` (recipe, progress and history) and, from the command line, `pictures` (digests of what trains and what validates). So `detect`, and with it every command, takes a checkpoint for plain weights.
//!
//! PyTorch refuses names it does not know, so a checkpoint is filtered on the way:
//!
//! ```python
//! state = {k: v for k, v in load_file("cats.safetensors").items() if not k.startswith("resume.")}
//! torchvision.models.resnet18(num_classes=5).load_state_dict(state)
//! ```
//!
//! What [`Checkpoint::weights_to_bytes`] writes holds nothing else and loads as it is.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Plateau, Recipe, Summary};
use crate::data::{Activation, Preset};
use crate::model::graph::Param;
use crate::model::resnet::ResNetSpec;
use crate::model::training::Totals;
use crate::model::{Turns, without_turns};
use crate::ops::{LossKind, Optimizer};
use crate::weights::{self, Dtype, HostTensor, RESUME_PREFIX, StateDict, detect, safetensors};
use crate::{Error, Result};

/// Tensors by name.
pub type Tensors = IndexMap<String, HostTensor>;

/// A training run at rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The network.
    pub spec: ResNetSpec,
    /// A name for each class.
    pub classes: Vec<String>,
    /// How pictures become the network's input.
    pub pixels: Preset,
    /// What the run was told.
    pub recipe: Recipe,
    /// How far it has come.
    pub progress: Progress,
    /// Every epoch so far.
    pub history: Vec<Epoch>,
    /// What of the recipe was changed on the way.
    pub changes: Vec<Change>,
    /// Best parameters and running statistics, as many as the network has.
    pub best: Tensors,
    /// The latest ones; `None` where they are the best.
    pub latest: Option<Tensors>,
    /// The moving average of the latest ones, where the recipe asks for it.
    pub average: Option<Tensors>,
    /// The optimizer's state in the order of [`slots`], a tensor for each parameter that learns; empty before the first step.
    pub optimizer: Vec<Tensors>,
    /// Which pictures train and which validate, where the door remembers them by their files.
    pub pictures: Option<PictureSides>,
}

/// The sides of a run's pictures, by digests of their files ([`digest`](crate::data::digest)), in the order the run has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PictureSides {
    /// Learnt from.
    pub train: Vec<u64>,
    /// Judged by.
    pub validation: Vec<u64>,
}

impl PictureSides {
    /// As metadata: 16 hexadecimal digits a picture.
    fn text(&self) -> String {
        let hex = |digests: &[u64]| digests.iter().map(|digest| format!("{digest:016x}")).collect::<String>();
        format!("{} {}", hex(&self.train), hex(&self.validation))
    }

    fn parse(text: &str) -> Option<Self> {
        let digests = |hex: &str| -> Option<Vec<u64>> {
            let (digests, rest) = hex.as_bytes().as_chunks::<16>();
            let digest = |digits: &[u8; 16]| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
            digests.iter().map(digest).collect::<Option<_>>().filter(|_| rest.is_empty())
        };
        let (train, validation) = text.split_once(' ')?;
        Some(Self { train: digests(train)?, validation: digests(validation)? })
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Whole epochs done.
    pub epoch: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// The epoch, counted from 1, after which the best weights were taken.
    pub best_epoch: Option<u32>,
    /// Product of all reductions after a loss that was no number.
    pub rate_factor: f64,
    /// What the plateau schedule remembers.
    pub plateau: Plateau,
    /// Images that train; a run only goes on with as many.
    pub train_images: u64,
    /// Images that validate.
    pub validation_images: u64,
    /// Sums over the steps of the epoch that is under way.
    #[serde(default)]
    pub partial: Totals,
    /// Images of these steps.
    #[serde(default)]
    pub partial_images: u64,
    /// Updates of the weights' moving average.
    #[serde(default)]
    pub averaged: u64,
    /// Updates that the optimizer's state has seen.
    #[serde(default)]
    pub updates: u64,
    /// The epoch from which early stopping waits: where the run was changed last.
    #[serde(default)]
    pub waiting_since: u32,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            epoch: 0,
            step: 0,
            best_epoch: None,
            rate_factor: 1.0,
            plateau: Plateau::default(),
            train_images: 0,
            validation_images: 0,
            partial: Totals::default(),
            partial_images: 0,
            averaged: 0,
            updates: 0,
            waiting_since: 0,
        }
    }
}

/// Optimizer steps of an epoch; the last one may have fewer images.
pub(super) fn steps_per_epoch(images: u64, batch: u32) -> u64 {
    images.div_ceil(u64::from(batch).max(1)).max(1)
}

impl Progress {
    /// From a version that left out what filled no whole batch.
    fn update(&mut self, batch: u32) {
        let batch = u64::from(batch).min(self.train_images).max(1);
        let (epochs, before) = (u64::from(self.epoch), (self.train_images / batch).max(1));
        let of_epoch = self.step.saturating_sub(epochs * before);
        self.updates = self.step;
        self.partial_images = of_epoch * batch;
        self.step = epochs * steps_per_epoch(self.train_images, batch as u32) + of_epoch;
    }
}

/// A change of the recipe on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Whole epochs done before.
    pub epoch: u32,
    /// Optimizer steps done before.
    pub step: u64,
    /// What changed.
    pub changed: Vec<Changed>,
}

/// One number or choice of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// Its name in the recipe: `learning_rate`.
    pub field: String,
    /// As JSON has it.
    pub from: serde_json::Value,
    /// As JSON has it.
    pub to: serde_json::Value,
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |value: &serde_json::Value| value.to_string().replace('"', "");
        write!(f, "{} from {} to {}", self.field.replace('_', " "), plain(&self.from), plain(&self.to))
    }
}

/// One epoch of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u32,
    /// Optimizer steps done at its end.
    pub step: u64,
    /// Rate of its last step.
    pub learning_rate: f64,
    /// While it trained: over augmented images, with weights that still moved.
    pub train: Summary,
    /// At its end.
    pub validation: Option<Summary>,
    /// How long it took, with validation.
    pub seconds: f64,
}

/// What the metadata holds beside what `detect` reads.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Training {
    /// [`VERSION`].
    version: u32,
    recipe: Recipe,
    progress: Progress,
    history: Vec<Epoch>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
}

/// Of the `training` metadata; a change that older programs would misread counts it up. In version 1 what was left of an epoch beside
/// whole batches was not trained.
const VERSION: u32 = 2;
const TRAINING: &str = "training";
const PIXELS: &str = "pixels";
const PICTURES: &str = "pictures";
const LATEST: &str = "latest";
const AVERAGE: &str = "average";
/// Of what [`Checkpoint::write`] gives away at a time.
const PIECE_BYTES: usize = 4 << 20;

/// PyTorch's names of what the optimizer keeps for each parameter, in the order of its state buffers.
pub fn slots(optimizer: &Optimizer) -> &'static [&'static str] {
    let all: &[&str] = match optimizer {
        Optimizer::Sgd { .. } => &["momentum_buffer"],
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } => &["exp_avg", "exp_avg_sq"],
    };
    &all[..optimizer.state_buffers()]
}

impl Checkpoint {
    /// The latest weights, which the run goes on with.
    pub fn latest(&self) -> &Tensors {
        self.latest.as_ref().unwrap_or(&self.best)
    }

    /// Goes on with so many pictures instead, at the end of the last whole epoch.
    pub fn change_pictures(&mut self, train: u64, validation: u64) {
        let progress = &mut self.progress;
        (progress.train_images, progress.validation_images) = (train, validation);
        progress.step = u64::from(progress.epoch) * steps_per_epoch(train, self.recipe.batch);
        (progress.partial, progress.partial_images) = (Totals::default(), 0);
    }

    /// The file.
    ///
    /// # Errors
    /// [`Error::TensorMismatch`] when a tensor is missing or does not belong to the network.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        without_turns(self.write(&mut |piece| bytes.extend(piece), &mut Turns::none()))?;
        Ok(bytes)
    }

    /// The file in pieces of a few megabytes, with turns for others between them.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes), before the first piece.
    pub async fn write(&self, take: &mut dyn FnMut(Vec<u8>), turns: &mut Turns<'_>) -> Result<()> {
        self.check()?;
        let training = Training {
            version: VERSION,
            recipe: self.recipe.clone(),
            progress: self.progress,
            history: self.history.clone(),
            changes: self.changes.clone(),
        };
        let mut metadata = self.metadata();
        metadata.insert(TRAINING.into(), json(&training));
        if let Some(pictures) = &self.pictures {
            metadata.insert(PICTURES.into(), pictures.text());
        }
        let mut resumed: Vec<(String, &HostTensor)> = Vec::new();
        let average = self.average.iter().map(|tensors| (AVERAGE, tensors));
        let parts = self.latest.iter().map(|tensors| (LATEST, tensors)).chain(average);
        for (part, tensors) in parts.chain(slots(&self.recipe.optimizer).iter().copied().zip(&self.optimizer)) {
            // What does not learn stands there once, where the latest is the best: it may have learnt before the recipe was changed.
            let other =
                |name: &str, tensor: &HostTensor| [LATEST, AVERAGE].contains(&part) && self.best.get(name) != Some(tensor);
            let learning = tensors.iter().filter(|(name, tensor)| self.recipe.trains(name) || other(name, tensor));
            resumed.extend(learning.map(|(name, tensor)| (format!("{RESUME_PREFIX}{part}.{name}"), tensor)));
        }
        let mut tensors: Vec<(&str, &HostTensor)> = self.best.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        tensors.extend(resumed.iter().map(|(name, tensor)| (name.as_str(), *tensor)));
        let mut piece = safetensors::write_head(&metadata, &self.batches_tracked(), &tensors, Dtype::F32)?;
        for (name, tensor) in &tensors {
            for values in tensor.data.chunks(PIECE_BYTES / size_of::<f32>()) {
                safetensors::write_values(&mut piece, name, values, Dtype::F32)?;
                if piece.len() >= PIECE_BYTES {
                    take(std::mem::take(&mut piece));
                }
                turns.offer().await;
            }
        }
        take(piece);
        Ok(())
    }

    /// The best weights alone, for any program that reads safetensors; PyTorch loads them with `strict=True`.
    ///
    /// # Errors
    /// [`Error::TensorMismatch`] when a tensor is missing, or a value is too large for f16; [`Error::Usage`] for a `dtype`
    /// other than f32 and f16.
    pub fn weights_to_bytes(&self, dtype: Dtype) -> Result<Vec<u8>> {
        self.check()?;
        let tensors: Vec<(&str, &HostTensor)> = self.best.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        safetensors::write_parts(&self.metadata(), &self.batches_tracked(), &tensors, dtype)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `file_name` appears in errors.
    ///
    /// # Errors
    /// [`Error::WeightsFile`] when the file is damaged, holds weights but no training run, or was written by a newer program;
    /// the errors of [`detect::detect`] when its tensors do not fit its own network.
    pub fn from_bytes(file_name: &str, bytes: &[u8]) -> Result<Self> {
        let wrong = |reason: String| Error::WeightsFile { file: file_name.into(), reason };
        let mut state = weights::read_safetensors(file_name, bytes)?;
        let Some(text) = state.metadata.get(TRAINING) else {
            return Err(wrong(
                "it holds weights, but no training run to go on with; start a new run from these weights instead".into(),
            ));
        };
        let version = serde_json::from_str::<serde_json::Value>(text).ok().and_then(|value| value["version"].as_u64());
        if version.is_some_and(|version| version > u64::from(VERSION)) {
            return Err(wrong("its training run was saved by a newer version of this program; update to go on".into()));
        }
        let Training { version, recipe, mut progress, history, changes } =
            serde_json::from_str(text).map_err(|error| wrong(format!("its training run cannot be read: {error}")))?;
        let pixels = pixels(&state)?
            .ok_or_else(|| wrong("its metadata does not say how pictures become the network's input (`pixels`)".into()))?;

        if version < VERSION {
            progress.update(recipe.batch);
        }
        let pictures = state.metadata.get(PICTURES).and_then(|text| PictureSides::parse(text));
        let mut parts: IndexMap<&str, Tensors> = IndexMap::new();
        let known: Vec<&str> = [LATEST, AVERAGE].iter().chain(slots(&recipe.optimizer)).copied().collect();
        for (name, tensor) in state.tensors.iter_mut().filter(|(name, _)| name.starts_with(RESUME_PREFIX)) {
            let rest = &name[RESUME_PREFIX.len()..];
            let part = rest.split_once('.').and_then(|(part, name)| Some((*known.iter().find(|k| **k == part)?, name)));
            let Some((part, name)) = part else {
                return Err(wrong(format!("it holds `{rest}`, which no run with this optimizer has")));
            };
            // Taken, not copied: the state may be as large as the weights several times over.
            let taken = std::mem::replace(tensor, HostTensor::new([0], Vec::new()));
            parts.entry(part).or_default().insert(name.into(), taken);
        }
        let found = detect::detect(state)?;
        // In the order of the best ones, with what stands there alone.
        let mut whole = |part: &str| {
            parts.swap_remove(part).map(|mut tensors| {
                for (name, tensor) in found.weights.tensors.iter().filter(|(name, _)| !recipe.trains(name)) {
                    tensors.entry(name.clone()).or_insert_with(|| tensor.clone());
                }
                tensors
            })
        };
        let (latest, average) = (whole(LATEST), whole(AVERAGE));
        let optimizer: Vec<Tensors> = slots(&recipe.optimizer).iter().filter_map(|slot| parts.swap_remove(slot)).collect();
        let classes = found.classes.ok_or_else(|| wrong("its metadata does not name its classes".into()))?;
        let checkpoint = Self {
            spec: found.spec,
            classes,
            pixels,
            recipe,
            progress,
            history,
            changes,
            best: found.weights.tensors,
            latest,
            average,
            optimizer,
            pictures,
        };
        checkpoint.recipe.validate_for(&checkpoint.spec)?;
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// Metadata of the weights, with or without the run.
    fn metadata(&self) -> IndexMap<String, String> {
        let activation = match self.recipe.loss {
            LossKind::SoftmaxCrossEntropy { .. } => Activation::Softmax,
            LossKind::SigmoidCrossEntropy { .. } => Activation::Sigmoid,
        };
        metadata(&self.spec, &self.classes, &self.pixels, activation)
    }

    /// PyTorch's counter beside each running mean. It counts forward passes in training mode.
    fn batches_tracked(&self) -> Vec<(String, i64)> {
        let passes = self.progress.step.saturating_mul(u64::from(self.recipe.accumulation));
        let passes = i64::try_from(passes).unwrap_or(i64::MAX);
        let norms = self.best.keys().filter_map(|name| name.strip_suffix("running_mean"));
        norms.map(|norm| (format!("{norm}num_batches_tracked"), passes)).collect()
    }

    /// Whether every tensor is there and has its shape.
    fn check(&self) -> Result<()> {
        let params = self.spec.build()?.params();
        let all: Vec<&Param> = params.iter().collect();
        for tensors in [&self.best].into_iter().chain(&self.latest).chain(&self.average) {
            complete(tensors, &all)?;
        }
        let learning: Vec<&Param> = params.iter().filter(|p| p.trainable && self.recipe.trains(&p.name)).collect();
        let wanted = slots(&self.recipe.optimizer).len();
        if ![0, wanted].contains(&self.optimizer.len()) {
            return Err(Error::TensorMismatch {
                tensor: format!("{RESUME_PREFIX}..."),
                expected: format!("{wanted} kinds of optimizer state"),
                found: self.optimizer.len().to_string(),
            });
        }
        self.optimizer.iter().try_for_each(|tensors| complete(tensors, &learning))
    }
}

/// Whether `tensors` are exactly `params`.
fn complete(tensors: &Tensors, params: &[&Param]) -> Result<()> {
    let mismatch =
        |tensor: &str, expected: String, found: String| Err(Error::TensorMismatch { tensor: tensor.into(), expected, found });
    for param in params {
        match tensors.get(&param.name) {
            Some(tensor) if tensor.shape == param.shape => {}
            Some(tensor) => return mismatch(&param.name, format!("shape {:?}", param.shape), format!("{:?}", tensor.shape)),
            None => return mismatch(&param.name, format!("shape {:?}", param.shape), "no tensor of that name".into()),
        }
    }
    if tensors.len() > params.len() {
        // More than all of them: one is none of them.
        let odd = tensors.keys().find(|name| params.iter().all(|param| param.name != **name));
        return mismatch(odd.map_or("", String::as_str), "no such tensor".into(), "one more than the network has".into());
    }
    Ok(())
}

/// What makes weights a whole model: table, class names (none for a net without a head), how pictures become its input, and how
/// outputs become probabilities.
pub fn metadata(spec: &ResNetSpec, classes: &[String], pixels: &Preset, activation: Activation) -> IndexMap<String, String> {
    let named = Preset::named(&pixels.name).is_ok_and(|preset| preset == *pixels);
    let preset = named.then_some(pixels.name.as_str());
    let mut metadata = detect::metadata(spec, (!classes.is_empty()).then_some(classes), preset);
    metadata.insert(PIXELS.into(), json(pixels));
    metadata.extend(detect::loss_metadata(activation));
    metadata
}

/// The pixel options that a checkpoint or its exported weights carry; `None` for other files.
///
/// # Errors
/// [`Error::Usage`] when they are there, but cannot be used.
pub fn pixels(state: &StateDict) -> Result<Option<Preset>> {
    let Some(text) = state.metadata.get(PIXELS) else { return Ok(None) };
    let preset: Preset = serde_json::from_str(text)
        .map_err(|error| Error::Usage(format!("the `pixels` in the file's metadata cannot be read: {error}")))?;
    preset.validate()?;
    Ok(Some(preset))
}

/// Plain data as JSON.
fn json(value: &impl Serialize) -> String {
    // Fails only for maps with keys that are no strings and for a Serialize of one's own; here both are absent.
    serde_json::to_string(value).expect("plain data becomes JSON")
}

/// Writes a file so that at every moment either the old one or the whole new one is there: a temporary file in the same
/// folder is written, flushed to the disk and renamed.
///
/// # Errors
/// [`Error::Io`] with the system's words; the old file is then as it was.
#[cfg(not(target_arch = "wasm32"))]
pub fn write_atomically(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    use std::{fs, io::Write};

    let failed = |error: std::io::Error| Error::Io { path: path.display().to_string(), reason: error.to_string() };
    let Some(name) = path.file_name() else {
        return Err(Error::Io {
            path: path.display().to_string(),
            reason: "is no name of a file; give one to write to".into(),
        });
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.part", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // The write has failed already; a leftover that cannot be removed either changes nothing.
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    // The rename itself is on the disk once the folder is. Windows cannot open folders, and needs no such thing.
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| std::path::Path::new("."));
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
