//! `reslab classify`: what pictures show.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::model::ModelArgs;
use super::pixels::PixelArgs;
use super::{Global, PrecisionArg, Stop, describe, model, output};
use crate::data::{Activation, decode, labels};
use crate::device::{DeviceKind, Precision};
use crate::engine::{Classification, Engine, ModelInfo};
use crate::{Error, Result};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Pictures: JPEG, PNG, WebP, GIF (first frame), BMP.
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Class names in the order of the logits: one a line, numbered or not, or JSON (a list, class_to_idx, a config.json).
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Classes to show for each picture.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    #[command(flatten)]
    pixels: PixelArgs,
    /// Element type on the GPU.
    #[arg(long, value_enum, default_value_t = PrecisionArg::Auto)]
    precision: PrecisionArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The whole answer, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    arch: String,
    precision: Precision,
    preset: String,
    /// How outputs become probabilities.
    activation: Activation,
    /// What the file could not tell and was assumed.
    assumed: Vec<String>,
    /// What else is to be known of how it was read.
    notes: Vec<String>,
    device: String,
    device_kind: DeviceKind,
    software: bool,
    images: Vec<Answer>,
}

#[derive(Debug, Serialize)]
struct Answer {
    file: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Classified(Classification),
    Failed { error: String },
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Stop> {
    let pixels = arguments.pixels.preset()?;
    let labels = arguments.labels.as_deref().map(read_labels).transpose()?;
    let source = arguments.model.source()?;
    let mut engine = global.open(arguments.precision)?;
    let info = source.load(&mut engine, pixels, labels, 1)?;
    let device = engine.device();
    if !arguments.json {
        let precision = format!("{:?}", info.precision).to_lowercase();
        output::remark(&format!("{} ({precision}) on {}", info.name, describe(&device.adapter)));
        model::remark(&info.assumed, &info.notes);
    }

    let mut failed = false;
    let mut answers = Vec::new();
    for path in &arguments.images {
        let file = path.display().to_string();
        let outcome = match classify(&mut engine, path, &file, arguments.top as usize) {
            Ok(found) => Outcome::Classified(found),
            // Without a device none of the pictures left can be answered.
            Err(error @ (Error::DeviceLost(_) | Error::Gpu { .. })) => return Err(error.into()),
            Err(error) => {
                output::complain(&error);
                failed = true;
                Outcome::Failed { error: error.to_string() }
            }
        };
        if arguments.json {
            answers.push(Answer { file, outcome });
        } else if let Outcome::Classified(found) = outcome {
            output::print(&text(&file, &found))?;
        }
    }
    if arguments.json {
        let ModelInfo { name, arch, precision, preset, activation, assumed, notes, .. } = info;
        let adapter = device.adapter;
        let report = Report {
            model: name,
            arch,
            precision,
            preset,
            activation,
            assumed,
            notes,
            device: adapter.name,
            device_kind: device.kind,
            software: adapter.software,
            images: answers,
        };
        output::print_json(&report)?;
    }
    if failed { Err(Stop::Reported) } else { Ok(()) }
}

fn classify(engine: &mut Engine, path: &Path, name: &str, top: usize) -> Result<Classification> {
    let image = decode(name, &model::read_file(path)?)?;
    pollster::block_on(engine.classify(&image, top))
}

fn text(file: &str, found: &Classification) -> String {
    let mut text = format!("{file}  ({} x {}, {:.0} ms)\n", found.width, found.height, found.ms);
    for prediction in &found.top {
        text += &format!("  {:5.1} %  {}\n", prediction.probability * 100.0, prediction.label);
    }
    text
}

pub(super) fn read_labels(path: &Path) -> Result<Vec<String>> {
    labels::parse(&path.display().to_string(), &model::read_file(path)?)
}
