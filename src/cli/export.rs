//! `reslab export`: a model as a file for other programs.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::data::DataArgs;
use super::model::ModelArgs;
use super::pixels::PixelArgs;
use super::{Global, Stop, classify, eight, model, output};
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
    /// Write weights of 16 bits: half the size, and as exact as most networks need (safetensors and tflite).
    #[arg(long)]
    half: bool,
    /// Write numbers of 8 bits (tflite alone), spread over what these labelled pictures make of the network; says what is lost by it.
    #[arg(long, value_name = "DATA", conflicts_with = "half")]
    int8: Option<PathBuf>,
    /// Write 8 bits also where they lose more than a point of accuracy.
    #[arg(long, requires = "int8")]
    accept_loss: bool,
    #[command(flatten)]
    data: DataArgs,
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
    /// TensorFlow.js' layers API, as Teachable Machine saves it: a folder of three files, or a ZIP file where --out ends so.
    Tfjs,
    /// TensorFlow Lite: for LiteRT and MediaPipe on telephones and in pages; --half writes weights of 16 bits.
    Tflite,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// Python.
    Python,
    /// JavaScript in a page.
    Javascript,
}

/// Needs no GPU: a file is read, recognised and written. Numbers of 8 bits alone are spread over pictures first.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Stop> {
    let source = arguments.model.source()?;
    let labels = arguments.labels.as_deref().map(classify::read_labels).transpose()?;
    let mut found = source.detect()?;
    if arguments.half {
        if matches!(arguments.format, Format::Onnx | Format::Tfjs) {
            let what = "--half is for safetensors and tflite: ONNX and TensorFlow.js files are written with weights of 32 bits";
            return Err(Error::Usage(what.into()).into());
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
        Format::Tfjs => ExportFormat::TensorFlowJs,
        Format::Tflite if arguments.half => ExportFormat::TensorFlowLiteF16,
        Format::Tflite => ExportFormat::TensorFlowLite,
    };
    let is_zip = |path: &PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    let folder = arguments.out.as_ref().filter(|path| format == ExportFormat::TensorFlowJs && !is_zip(path));
    let (path, size) = if let Some(folder) = folder {
        fs::create_dir_all(folder)
            .map_err(|error| Error::Io { path: folder.display().to_string(), reason: error.to_string() })?;
        let files = portable.tensorflow_js()?;
        files.iter().try_for_each(|(name, bytes)| write_atomically(&folder.join(name), bytes))?;
        (folder.clone(), files.iter().map(|(_, bytes)| bytes.len()).sum())
    } else if let Some(pictures) = &arguments.int8 {
        if format != ExportFormat::TensorFlowLite {
            return Err(
                Error::Usage("--int8 is for tflite: other formats are written with numbers of 16 or 32 bits".into()).into()
            );
        }
        let bytes = eight::write(global, &portable, &arguments.data, pictures, arguments.accept_loss)?;
        let usual = || PathBuf::from(portable.file_name_int8());
        let path = arguments.out.clone().unwrap_or_else(usual);
        write_atomically(&path, &bytes)?;
        (path, bytes.len())
    } else {
        let file = portable.write(format)?;
        let path = arguments.out.clone().unwrap_or_else(|| PathBuf::from(&file.file_name));
        write_atomically(&path, &file.bytes)?;
        (path, file.bytes.len())
    };
    let (arch, size, (width, height)) = (&found.spec.arch, output::megabytes(size as u64), pixels.crop);
    let classes = found.spec.classes.map_or("features".into(), |classes| format!("{classes} classes"));
    output::remark(&format!("{}: {arch}, {classes}, input {width} x {height}, {size}", path.display()));
    model::remark(&assumed, &found.notes);
    let Some(language) = arguments.recipe else { return Ok(()) };
    let recipes = portable.recipes(format, &path.display().to_string());
    let text = match language {
        Language::Python => &recipes.python,
        Language::Javascript => &recipes.javascript,
    };
    if text.is_empty() {
        return Err(Error::Usage("TensorFlow.js runs in JavaScript alone: ask for --recipe javascript".into()).into());
    }
    output::print(text)
}
