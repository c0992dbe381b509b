//! `reslab export`: a model as a file for other programs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::model::ModelArgs;
use super::pixels::PixelArgs;
use super::{Stop, classify, model, output};
use crate::Error;
use crate::engine::{ExportFormat, Known, LoadOptions, Portable, pixel_options};
use crate::train::checkpoint::write_atomically;
use crate::weights::Dtype;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArgs,
    /// Kind of file.
    #[arg(long, value_enum)]
    format: Format,
    /// Write weights of 16 bits: half the size, and as exact as most networks need (safetensors alone).
    #[arg(long)]
    half: bool,
    /// File to write; by default one with the model's name in this folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Class names in the order of the logits: one a line, or a JSON list. By default the weights file's.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    pixels: PixelArgs,
    /// Print a short program that uses the file.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    recipe: Option<Language>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// PyTorch's tensor names; class names and preprocessing in the metadata.
    Safetensors,
    /// The whole network, for ONNX Runtime and others (opset 17).
    Onnx,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// Python.
    Python,
    /// JavaScript in a page.
    Javascript,
}

/// Needs no GPU: a file is read, recognised and written.
pub(super) fn run(arguments: &Arguments) -> Result<(), Stop> {
    let source = arguments.model.source()?;
    let labels = arguments.labels.as_deref().map(classify::read_labels).transpose()?;
    let mut found = source.detect()?;
    if arguments.half {
        if matches!(arguments.format, Format::Onnx) {
            return Err(Error::Usage("--half is for safetensors: ONNX files are written with weights of 32 bits".into()).into());
        }
        found.weights.tensors.values_mut().for_each(|tensor| tensor.dtype = Dtype::F16);
    }
    let pixels = arguments.pixels.preset_or(|| pixel_options(&found, source.preset))?;
    let Known { labels, assumed, .. } =
        pollster::block_on(Known::of(&found, &LoadOptions { pixels: Some(pixels.clone()), labels, ..source.options() }))?;
    let portable = Portable {
        name: &source.name,
        spec: &found.spec,
        weights: &found.weights,
        labels: &labels,
        pixels: &pixels,
        origin: source.origin,
        activation: found.activation,
    };
    let format = match arguments.format {
        Format::Safetensors => ExportFormat::Safetensors,
        Format::Onnx => ExportFormat::Onnx,
    };
    let file = portable.write(format)?;
    let path = arguments.out.clone().unwrap_or_else(|| PathBuf::from(&file.file_name));
    write_atomically(&path, &file.bytes)?;
    let (arch, size, (width, height)) = (&found.spec.arch, output::megabytes(file.bytes.len() as u64), pixels.crop);
    let classes = found.spec.classes.map_or("features".into(), |classes| format!("{classes} classes"));
    output::remark(&format!("{}: {arch}, {classes}, input {width} x {height}, {size}", path.display()));
    model::remark(&assumed, &found.notes);
    let Some(language) = arguments.recipe else { return Ok(()) };
    let recipes = portable.recipes(format, &path.display().to_string());
    output::print(match language {
        Language::Python => &recipes.python,
        Language::Javascript => &recipes.javascript,
    })
}
