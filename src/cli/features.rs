//! `reslab features`: what layers of a network make of pictures, as one safetensors file.

use std::path::PathBuf;

use clap::Args;

use super::model::ModelArgs;
use super::pixels::PixelArgs;
use super::{Global, Stop, model, output};
use crate::data::decode;
use crate::engine::pixel_options;
use crate::model::attribution::map_layers;
use crate::model::graph::Graph;
use crate::model::{PlanBuilder, PlanOptions};
use crate::ops::Preprocessor;
use crate::train::checkpoint::write_atomically;
use crate::weights::{Dtype, HostTensor, StateDict, safetensors};
use crate::{Error, Result};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Pictures: JPEG, PNG, WebP, GIF (first frame), BMP.
    #[arg(value_name = "IMAGE", required_unless_present = "list")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Layers to read, with commas or repeatedly, by their names here (`reslab summary`) or TF-slim's (block1, global_pool,
    /// resnet_v2_50/block1/unit_2/bottleneck_v2); `all` is every layer. By default what the classifier reads.
    #[arg(long = "layer", value_name = "NAME", value_delimiter = ',')]
    layers: Vec<String>,
    /// Print the stages, blocks and ends that have names, and stop.
    #[arg(long)]
    list: bool,
    /// File to write: a tensor [pictures, channels, height, width] for each layer, and the pictures' names in the metadata.
    #[arg(long, value_name = "FILE", default_value = "features.safetensors")]
    out: PathBuf,
    #[command(flatten)]
    pixels: PixelArgs,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Stop> {
    let source = arguments.model.source()?;
    let found = source.detect()?;
    let graph = found.spec.build()?;
    if arguments.list {
        return output::print(&(end_points(&graph).join("\n") + "\n"));
    }
    let pixels = arguments.pixels.preset_or(|| pixel_options(&found, source.preset))?;
    let taps = taps(&graph, &arguments.layers)?;
    let ctx = global.device()?;
    model::remark(&found.assumed, &found.notes);

    let (width, height) = pixels.crop;
    let options = PlanOptions { taps: taps.clone(), height: height as usize, width: width as usize, ..PlanOptions::new(0) };
    let shapes = graph.shapes(1, options.height, options.width)?;
    let mut builder = PlanBuilder::new(&ctx, &graph, options)?;
    let mut input = Preprocessor::new(&ctx, pixels, builder.input().clone())?;
    while builder.advance(&ctx, &graph, &found.weights)? {}
    let plan = builder.finish();

    let mut values = vec![Vec::new(); taps.len()];
    for path in &arguments.images {
        let name = path.display().to_string();
        let image = decode(&name, &model::read_file(path)?)?;
        input.run(&ctx, &[&image])?;
        plan.run(&ctx)?;
        for (tap, values) in taps.iter().zip(&mut values) {
            values.extend(pollster::block_on(plan.read(&ctx, tap))?);
        }
    }
    let mut state = StateDict::default();
    for (tap, values) in taps.into_iter().zip(values) {
        let shape = shapes[graph.value(&tap)?.0];
        let shape = [arguments.images.len(), shape.c, shape.h, shape.w];
        state.tensors.insert(tap, HostTensor::new(shape, values));
    }
    let names: Vec<String> = arguments.images.iter().map(|path| path.display().to_string()).collect();
    // A list of strings is plain data.
    state.metadata.insert("pictures".into(), serde_json::to_string(&names).unwrap_or_default());
    state.metadata.insert("arch".into(), found.spec.arch.clone());
    write_atomically(&arguments.out, &safetensors::write(&state, Dtype::F32)?)?;
    let layers: Vec<String> = state.tensors.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.shape)).collect();
    output::print(&format!("{}: {}\n", arguments.out.display(), layers.join(", ")))
}

/// Names people ask for: the stem, stages and blocks, what the classifier reads, logits, probabilities.
fn end_points(graph: &Graph) -> Vec<String> {
    let there = |name: &&str| graph.value(name).is_ok();
    let last = ["avgpool", "fc", "softmax"].into_iter().filter(there).map(String::from);
    let mut names: Vec<String> = ["conv1"].into_iter().filter(there).map(String::from).collect();
    names.extend(map_layers(graph));
    names.extend(last);
    names
}

/// The layers meant, each once, in the order asked for.
fn taps(graph: &Graph, wanted: &[String]) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    if wanted.is_empty() {
        let pooled = if graph.value("avgpool").is_ok() { Some("avgpool") } else { None };
        let last = graph.nodes.last().map_or("", |node| node.name.as_str());
        found.push(pooled.unwrap_or(last).into());
    }
    for name in wanted {
        if name == "all" {
            // The input is the picture.
            found.extend(graph.nodes.iter().skip(1).map(|node| node.name.clone()));
            continue;
        }
        let known = [name.clone(), slim(name)].into_iter().find(|name| graph.value(name).is_ok());
        found.push(known.ok_or_else(|| Error::Unknown {
            kind: "layer",
            name: name.clone(),
            known: end_points(graph).join(", "),
        })?);
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|name| seen.insert(name.clone()));
    Ok(found)
}

/// The name here of one of TF-slim's end points.
fn slim(name: &str) -> String {
    let rest = match name.split_once('/') {
        Some((scope, rest)) if scope.starts_with("resnet_v") => rest,
        _ => name,
    };
    match rest {
        "global_pool" => return "avgpool".into(),
        "logits" | "spatial_squeeze" => return "fc".into(),
        "predictions" => return "softmax".into(),
        "postnorm" => return "norm.relu".into(),
        _ => {}
    }
    let mut ours = String::new();
    for part in rest.split('/') {
        let number = |start: &str| part.strip_prefix(start).and_then(|number| number.parse::<usize>().ok());
        match (number("block"), number("unit_"), part) {
            (Some(block), ..) => ours = format!("layer{block}"),
            // They count from 1.
            (_, Some(unit), _) if unit > 0 => ours += &format!(".{}", unit - 1),
            (.., "bottleneck_v1" | "bottleneck_v2") => {}
            _ => return String::new(),
        }
    }
    ours
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;

    #[test]
    fn layers_are_found_by_either_name() {
        let graph = ResNetSpec::named("resnet50v2-slim").unwrap().build().unwrap();
        let names = |wanted: &[&str]| taps(&graph, &wanted.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        assert_eq!(names(&[]), ["avgpool"]);
        assert_eq!(
            names(&["block2", "resnet_v2_50/block3/unit_6/bottleneck_v2", "global_pool", "logits", "predictions", "layer2"]),
            ["layer2", "layer3.5", "avgpool", "fc", "softmax"]
        );
        assert_eq!(names(&["all"]).len(), graph.nodes.len() - 1);
        let wrong = taps(&graph, &["block9".into()]).unwrap_err().to_string();
        assert!(wrong.contains("block9") && wrong.contains("layer4"), "{wrong}");
        assert!(end_points(&graph).iter().all(|name| graph.value(name).is_ok()));
    }
}
