//! The log: one JSON object a line, for programs and for people with a spreadsheet.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::pictures::Facts;
use super::report::Report;
use crate::data::Preset;
use crate::device::{Device, DeviceKind};
use crate::train::{Changed, Epoch, Outline, Recipe, Steps, Trainer};
use crate::{Error, Result};

/// A line of the log; `event` says which.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    /// A run begins or goes on.
    Start(Box<Start<'a>>),
    Epoch(&'a Epoch),
    /// Every so many steps, where that was asked for.
    Steps {
        /// Over all epochs.
        done: u64,
        #[serde(flatten)]
        steps: &'a Steps,
    },
    /// The loss was no finite number.
    Reverted {
        epoch: u32,
        rate_factor: f64,
    },
    /// A run goes on with another recipe.
    Changed {
        epoch: u32,
        step: u64,
        changed: &'a [Changed],
    },
    DeviceLost {
        reason: &'a str,
    },
    /// Ctrl-C; the checkpoint holds this step.
    Stopped {
        epoch: u32,
        step: u64,
    },
    End(&'a Report),
}

/// What a run is made of.
#[derive(Debug, Serialize)]
pub(super) struct Start<'a> {
    version: &'static str,
    arch: &'a str,
    weights: &'a str,
    classes: &'a [String],
    pixels: &'a Preset,
    train_images: usize,
    validation_images: usize,
    unreadable: usize,
    pictures: &'a Facts,
    /// Epochs done before.
    epoch: u32,
    recipe: &'a Recipe,
    outline: Outline,
    device: &'a str,
    device_kind: DeviceKind,
    software: bool,
}

impl<'a> Start<'a> {
    pub(super) fn of(trainer: &'a Trainer, weights: &'a str, device: &'a Device, facts: &'a Facts) -> Self {
        let setup = trainer.setup();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            arch: &setup.spec.arch,
            weights,
            classes: &setup.images.classes,
            pixels: &setup.preset,
            train_images: setup.split.train.len(),
            validation_images: setup.split.validation.len(),
            unreadable: facts.unreadable,
            pictures: facts,
            epoch: trainer.last_epoch().progress.epoch,
            recipe: &setup.recipe,
            outline: trainer.outline(),
            device: &device.adapter().name,
            device_kind: device.kind(),
            software: device.adapter().software,
        }
    }
}

/// The file, if one was asked for.
#[derive(Debug)]
pub(super) struct Log(Option<(String, File)>);

impl Log {
    pub(super) fn open(path: Option<&Path>, append: bool) -> Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let name = path.display().to_string();
        let file = OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path);
        let file = file.map_err(|error| Error::Io { path: name.clone(), reason: error.to_string() })?;
        Ok(Self(Some((name, file))))
    }

    /// Writes a line at once, so that `tail -f` shows it.
    pub(super) fn write(&mut self, line: &Line<'_>) -> Result<()> {
        let Some((name, file)) = &mut self.0 else { return Ok(()) };
        let written = serde_json::to_string(line).map_err(std::io::Error::from).and_then(|text| writeln!(file, "{text}"));
        written.map_err(|error| Error::Io { path: name.clone(), reason: error.to_string() })
    }
}
