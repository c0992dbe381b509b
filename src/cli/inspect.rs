//! `reslab inspect`: what is in a weights file.

use std::path::PathBuf;

use clap::Args;

use super::{Stop, model, output};
use crate::weights::{self, Inspection};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Weights: safetensors, or PyTorch's .pth, .pt, .th, .bin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Stop> {
    let name = arguments.file.display().to_string();
    let inspection = weights::inspect(&name, &model::read_file(&arguments.file)?)?;
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
    facts.extend(found.assumed.iter().map(|sentence| ("assumed", sentence.clone())));
    let facts: Vec<_> = facts.into_iter().map(|(name, value)| vec![name.to_string(), value]).collect();
    let layers = found.layers.iter().map(|layer| {
        let shape: Vec<String> = layer.shape.iter().map(ToString::to_string).collect();
        vec![layer.name.clone(), layer.kind.to_string(), shape.join(" x "), layer.params.to_string()]
    });
    let header = ["layer", "kind", "weight", "parameters"].map(String::from).to_vec();
    let layers: Vec<_> = std::iter::once(header).chain(layers).collect();
    format!("{}\n{}", output::table(&facts, &[]), output::table(&layers, &[3]))
}
