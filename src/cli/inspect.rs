//! `reslab inspect`: what is in a weights file.

use std::path::PathBuf;

use clap::Args;

use super::model::ChoiceArgs;
use super::{Stop, model, output};
use crate::data::Activation;
use crate::engine::told_by_hub;
use crate::weights::{self, Files, Inspection};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Weights file of any kind that can be read (docs/weights.md).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    choices: ChoiceArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Stop> {
    let source = model::Source { choices: arguments.choices.choices(), ..model::file(&arguments.file)? };
    let files = Files { name: &source.name, bytes: &source.bytes, beside: &source.beside };
    let choices = told_by_hub(&source.name, &source.options());
    let mut inspection = weights::inspect(&files, &choices)?;
    if inspection.preset.is_none() {
        inspection.preset = source.preset.map(Into::into);
    }
    if arguments.json { output::print_json(&inspection) } else { output::print(&text(&inspection)) }
}

fn text(found: &Inspection) -> String {
    let mut facts = vec![
        ("architecture", found.arch.clone()),
        ("family", found.family.clone()),
        ("classes", found.classes.map_or("none: it ends in features".into(), |n| n.to_string())),
        ("parameters", found.params.to_string()),
        ("element type", found.dtype.clone()),
        ("file", output::megabytes(found.bytes as u64)),
    ];
    if let Some(preset) = &found.preset {
        facts.push(("preset", preset.clone()));
    }
    if let Some(labels) = &found.labels {
        let more = if labels.len() > 10 { ", ..." } else { "" };
        facts.push(("labels", labels[..labels.len().min(10)].join(", ") + more));
    }
    if found.activation == Activation::Sigmoid {
        facts.push(("probabilities", "sigmoid: each class a yes or no of its own".into()));
    }
    facts.extend(found.assumed.iter().map(|sentence| ("assumed", sentence.clone())));
    facts.extend(found.notes.iter().map(|sentence| ("note", sentence.clone())));
    let facts: Vec<_> = facts.into_iter().map(|(name, value)| vec![name.to_string(), value]).collect();
    let layers = found.layers.iter().map(|layer| {
        let shape: Vec<String> = layer.shape.iter().map(ToString::to_string).collect();
        vec![layer.name.clone(), layer.kind.to_string(), shape.join(" x "), layer.params.to_string()]
    });
    let header = ["layer", "kind", "weight", "parameters"].map(String::from).to_vec();
    let layers: Vec<_> = std::iter::once(header).chain(layers).collect();
    format!("{}\n{}", output::table(&facts, &[]), output::table(&layers, &[3]))
}
