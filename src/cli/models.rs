//! `reslab models`: what `--model` takes.

use clap::Args;
use serde::Serialize;

use super::{Stop, hub, model, output};
use crate::weights::hub::HUB;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A model as `--json` lists it.
#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    arch: &'static str,
    bytes: u64,
    license: &'static str,
    source: &'static str,
    /// It needs no download: part of the program, or in the cache.
    on_this_device: bool,
    /// Part of the program.
    bundled: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Stop> {
    let bundled = Entry {
        name: model::BUNDLED,
        arch: "resnet20",
        bytes: model::bundled_bytes(),
        license: crate::engine::BUNDLED_LICENSE,
        source: "trained for this project on CIFAR-10 (10 classes)",
        on_this_device: true,
        bundled: true,
    };
    let mut entries = vec![bundled];
    for model in HUB {
        entries.push(Entry {
            name: model.name,
            arch: model.arch,
            bytes: model.bytes,
            license: model.license,
            source: model.source,
            on_this_device: hub::cached_path(model)?.exists(),
            bundled: false,
        });
    }
    if arguments.json {
        return output::print_json(&entries);
    }
    let mut rows = vec![["model", "size", "licence", "", "source"].map(String::from).to_vec()];
    rows.extend(entries.iter().map(|entry| {
        let place = match (entry.bundled, entry.on_this_device) {
            (true, _) => "bundled",
            (false, true) => "on this device",
            (false, false) => "to download",
        };
        vec![entry.name.into(), output::megabytes(entry.bytes), entry.license.into(), place.into(), entry.source.into()]
    }));
    output::print(&output::table(&rows, &[1]))
}
