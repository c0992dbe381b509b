//! `--model`, `--weights`: which model, and its bytes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{hub, output, pull};
use crate::data::Preset;
use crate::engine::{Engine, LoadOptions, ModelInfo, Origin, told_by_hub};
use crate::model::ResNetSpec;
use crate::model::resnet::StrideOn;
use crate::weights::detect::Detected;
use crate::weights::{self, Choices, Files, companions, load};
use crate::{Error, Result};

/// The bundled model: a ResNet-20 for CIFAR-10's classes, trained by `reslab train` (docs/learning.md).
pub(super) const BUNDLED: &str = "resnet20-cifar10";
const BUNDLED_BYTES: &[u8] = include_bytes!("../../www/models/resnet20-cifar10.safetensors");

/// A network by name, or from a .json file with its block table.
pub(super) fn architecture(name: &str) -> Result<ResNetSpec> {
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("json")) {
        return ResNetSpec::named(name);
    }
    serde_json::from_slice(&read_file(path)?).map_err(|error| Error::Spec(format!("{name} cannot be read as one: {error}")))
}

/// [`architecture`], or the network of a weights file.
pub(super) fn network(name: &str) -> Result<ResNetSpec> {
    let is_file = Path::new(name).is_file() && !name.to_lowercase().ends_with(".json");
    if is_file { Ok(file(Path::new(name))?.detect()?.spec) } else { architecture(name) }
}

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// Model by name, downloaded once when it is one of the hub's (see `reslab models`). The default is the bundled one.
    #[arg(long, value_name = "NAME", conflicts_with = "weights")]
    model: Option<String>,
    /// Weights file: safetensors, PyTorch's (.pth, .pt, .th, .bin, .pt2, .ckpt), NumPy's .npz; docs/weights.md has the list. A
    /// config.json in the same folder is read too.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    choices: ChoiceArgs,
}

/// What a person knows of a file that it does not say itself.
#[derive(Debug, Args)]
pub(super) struct ChoiceArgs {
    /// The weights are this network's, where others have the same shapes: resnet50-caffe, resnet18-3x3, ...
    #[arg(long = "as", value_name = "NAME")]
    named: Option<String>,
    /// Step of the first convolution.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    stem_stride: Option<u8>,
    /// Whether a max pool follows the first convolution.
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    stem_pool: Option<bool>,
    /// Which convolution of a bottleneck block has the stride.
    #[arg(long, value_enum)]
    stride_on: Option<StrideArg>,
    /// Take the weights as they were last, not their average over training, where the file holds both.
    #[arg(long)]
    no_ema: bool,
    /// Which network of a file with several: what its names begin with.
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
}

impl ModelArgs {
    /// Whether a model was named, not the bundled one left.
    pub(super) fn is_given(&self) -> bool {
        self.model.is_some() || self.weights.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StrideArg {
    /// torchvision, TF-slim.
    #[value(name = "3x3")]
    Conv3x3,
    /// The paper, Caffe, Keras.
    #[value(name = "1x1")]
    Conv1x1,
}

fn yes_or_no(text: &str) -> std::result::Result<bool, String> {
    match text {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err("expected yes or no".into()),
    }
}

impl ChoiceArgs {
    pub(super) fn choices(&self) -> Choices {
        Choices {
            named: self.named.clone(),
            stem_stride: self.stem_stride.map(usize::from),
            stem_pool: self.stem_pool,
            stride_on: self.stride_on.map(|on| match on {
                StrideArg::Conv3x3 => StrideOn::Conv3x3,
                StrideArg::Conv1x1 => StrideOn::Conv1x1,
            }),
            ema: self.no_ema.then_some(false),
            prefix: self.prefix.clone(),
        }
    }
}

/// A weights file in memory.
#[derive(Debug)]
pub(super) struct Source {
    /// Name for people.
    pub name: String,
    /// The whole file.
    pub bytes: std::borrow::Cow<'static, [u8]>,
    /// Where it came from.
    pub origin: Origin,
    /// Name of the pixel preset it was published with, where that is known.
    pub preset: Option<&'static str>,
    /// Files of its folder that say more of it.
    pub beside: Vec<(String, Vec<u8>)>,
    /// What the command line says of it.
    pub choices: Choices,
}

impl ModelArgs {
    /// Reads or downloads what the arguments name.
    pub(super) fn source(&self) -> Result<Source> {
        let choices = self.choices.choices();
        if let Some(path) = &self.weights {
            return Ok(Source { choices, ..file(path)? });
        }
        let source = match self.model.as_deref() {
            None | Some(BUNDLED) => Source {
                name: BUNDLED.into(),
                bytes: BUNDLED_BYTES.into(),
                origin: Origin::Bundled,
                preset: None,
                beside: Vec::new(),
                choices: Choices::default(),
            },
            Some(name) if name.contains('/') && crate::weights::hub::find(name).is_err() => file(&pull::pulled(name)?)?,
            Some(name) => hub::source(name)?,
        };
        Ok(Source { choices, ..source })
    }
}

/// A weights file with what lies beside it. Of a TensorFlow checkpoint any file, the name that all have in common, or the folder.
pub(super) fn file(path: &Path) -> Result<Source> {
    let found = checkpoint(path);
    let path = found.as_deref().unwrap_or(path);
    let name = path.display().to_string();
    let bytes = read_file(path)?;
    // The bytes that `--model` would load are the same model.
    let model = match crate::weights::hub::published(&name).filter(|model| model.is_size(bytes.len())) {
        Some(model) => Some(model),
        None => hub::of_bytes(&bytes),
    };
    if let Some(model) = model {
        let (name, preset) = (model.name.into(), Some(model.preset));
        let choices = Choices::default();
        return Ok(Source { name, bytes: bytes.into(), origin: Origin::FromThisDevice, preset, beside: Vec::new(), choices });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let read = |name: String| {
        let here = std::fs::read(folder.join(&name));
        // A SavedModel keeps its configuration above its variables.
        let above = || std::fs::read(folder.parent().filter(|_| folder.ends_with("variables"))?.join(&name)).ok();
        let content = here.ok().or_else(above)?;
        Some((name, content))
    };
    let beside = companions(&name, &bytes).into_iter().filter_map(read).collect();
    Ok(Source { name, bytes: bytes.into(), origin: Origin::OwnFile, preset: None, beside, choices: Choices::default() })
}

/// The table of names of the TensorFlow checkpoint that a path means, where it is not the path itself.
fn checkpoint(path: &Path) -> Option<PathBuf> {
    let is_file = |path: PathBuf| path.is_file().then_some(path);
    let name = path.file_name()?.to_str().unwrap_or_default();
    if path.is_dir() {
        let latest = || std::fs::read(path.join("checkpoint")).ok().and_then(|text| weights::latest_checkpoint(&text));
        let indices = std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let mut indices = indices.filter(|path| path.extension().is_some_and(|ending| ending == "index"));
        let only = indices.next().filter(|_| indices.next().is_none());
        return is_file(path.join("variables/variables.index"))
            .or_else(|| is_file(path.join(latest()?)))
            .or_else(|| only.and_then(is_file));
    }
    if name == "saved_model.pb" {
        return is_file(path.with_file_name("variables").join("variables.index"));
    }
    if let Some(index) = weights::checkpoint_index(name) {
        return is_file(path.with_file_name(index));
    }
    if path.exists() { None } else { is_file(path.with_file_name(format!("{name}.index"))) }
}

impl Source {
    /// Loads the model, with a progress bar; `pixels`, `labels` and `batch` as in [`LoadOptions`].
    pub(super) fn load(
        &self,
        engine: &mut Engine,
        pixels: Option<Preset>,
        labels: Option<Vec<String>>,
        batch: usize,
    ) -> Result<ModelInfo> {
        let options = LoadOptions { pixels, labels, batch, ..self.options() };
        let (bar, mut progress) = output::loading(&self.name);
        let loaded = pollster::block_on(engine.load(&self.name, &self.bytes, &options, &mut progress));
        bar.finish_and_clear();
        loaded
    }

    /// How the engine is to load it.
    pub(super) fn options(&self) -> LoadOptions {
        LoadOptions {
            origin: self.origin,
            preset: self.preset.map(Into::into),
            choices: self.choices.clone(),
            beside: self.beside.clone(),
            ..LoadOptions::default()
        }
    }

    /// Recognises the network without a device.
    pub(super) fn detect(&self) -> Result<Detected> {
        let files = Files { name: &self.name, bytes: &self.bytes, beside: &self.beside };
        load(&files, &told_by_hub(&self.name, &self.options())).map(|(found, _)| found)
    }
}

/// Says on stderr what was assumed of a model, and what else is to be known of it.
pub(super) fn remark(assumed: &[String], notes: &[String]) {
    assumed.iter().for_each(|sentence| output::remark(&format!("assumed: {sentence}")));
    notes.iter().for_each(|sentence| output::remark(&format!("note: {sentence}")));
}

/// Size of the bundled model's file.
pub(super) fn bundled_bytes() -> u64 {
    BUNDLED_BYTES.len() as u64
}

/// The content of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let io = |reason: String| Error::Io { path: path.display().to_string(), reason };
    if path.is_dir() {
        return Err(io("it is a folder, and holds no TensorFlow checkpoint or not one alone; give a file".into()));
    }
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => io("there is no such file".into()),
        _ => io(error.to_string()),
    })
}
