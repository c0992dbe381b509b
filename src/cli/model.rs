//! `--model`, `--weights`: which model, and its bytes.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{hub, output};
use crate::data::Preset;
use crate::engine::{Engine, LoadOptions, ModelInfo, Origin};
use crate::{Error, Result};

/// The bundled model: a ResNet-20 for CIFAR-10's classes, trained by `reslab train` (docs/learning.md).
pub(super) const BUNDLED: &str = "resnet20-cifar10";
const BUNDLED_BYTES: &[u8] = include_bytes!("../../www/models/resnet20-cifar10.safetensors");

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// Model by name, downloaded once when it is one of the hub's (see `reslab models`). The default is the bundled one.
    #[arg(long, value_name = "NAME", conflicts_with = "weights")]
    model: Option<String>,
    /// Weights file: safetensors, or PyTorch's .pth, .pt, .th, .bin.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
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
}

impl ModelArgs {
    /// Reads or downloads what the arguments name.
    pub(super) fn source(&self) -> Result<Source> {
        if let Some(path) = &self.weights {
            let name = path.display().to_string();
            return Ok(Source { name, bytes: read_file(path)?.into(), origin: Origin::OwnFile, preset: None });
        }
        match self.model.as_deref() {
            None | Some(BUNDLED) => {
                Ok(Source { name: BUNDLED.into(), bytes: BUNDLED_BYTES.into(), origin: Origin::Bundled, preset: None })
            }
            Some(name) => hub::source(name),
        }
    }
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
        let options = LoadOptions { origin: self.origin, preset: self.preset.map(Into::into), pixels, labels, batch };
        let (bar, mut progress) = output::loading(&self.name);
        let loaded = pollster::block_on(engine.load(&self.name, &self.bytes, &options, &mut progress));
        bar.finish_and_clear();
        loaded
    }
}

/// Size of the bundled model's file.
pub(super) fn bundled_bytes() -> u64 {
    BUNDLED_BYTES.len() as u64
}

/// The content of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let io = |reason: String| Error::Io { path: path.display().to_string(), reason };
    if path.is_dir() {
        return Err(io("it is a folder; give a file".into()));
    }
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => io("there is no such file".into()),
        _ => io(error.to_string()),
    })
}
