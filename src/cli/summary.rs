//! `reslab summary`: a network layer by layer, without weights and without a device; and the depths of a family.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Stop, model, output};
use crate::Result;
use crate::model::ResNetSpec;
use crate::model::graph::{Graph, Layer};
use crate::model::resnet::CifarShortcut;
use crate::train::estimate::multiply_adds;
use crate::train::{Init, Recipe};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A network's name, a .json file with a block table, or a weights file.
    #[arg(value_name = "NAME|FILE", required_unless_present = "depths")]
    network: Option<String>,
    /// Side of the square images in pixels; by default what the network was made for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    size: Option<u32>,
    /// With another number of classes; 0 for features without a head.
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// List the depths of a family instead: n, layers, parameters, multiply-adds.
    #[arg(long, value_enum, value_name = "FAMILY", conflicts_with = "network")]
    depths: Option<Family>,
    /// Write the block table as JSON, to be changed and used as --arch.
    #[arg(long, conflicts_with_all = ["depths", "json"])]
    table: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Family {
    /// 6n+2 layers for CIFAR, zero-padding shortcuts (the paper).
    CifarV1,
    /// 6n+2 layers for CIFAR, as Keras' example writes them.
    KerasV1,
    /// 9n+2 layers for CIFAR, pre-activated, as Keras' example writes them.
    KerasV2,
    /// 18 to 152 layers for ImageNet, the stride on the 3x3.
    Imagenet,
    /// The same with the stride on the first 1x1 (the paper, Caffe).
    ImagenetCaffe,
    /// 50 to 200 layers for ImageNet, pre-activated, as TF-slim writes them.
    SlimV2,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Summary {
    arch: String,
    family: &'static str,
    /// Convolutions and the classifier, as names count them.
    depth: usize,
    classes: Option<usize>,
    size: usize,
    /// Scalars that learn.
    parameters: usize,
    /// Running statistics.
    statistics: usize,
    /// Of one image.
    multiply_adds: u64,
    batch_norm: Norm,
    /// How its code base draws weights, and the recipe that trains it there, where ResLab has it.
    init: Init,
    recipe: Option<&'static str>,
    layers: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Norm {
    eps: f32,
    /// Share of a batch in the running statistics.
    momentum: f32,
    unbiased: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    kind: &'static str,
    /// Channels, rows, columns.
    output: [usize; 3],
    parameters: usize,
    multiply_adds: u64,
    inputs: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Stop> {
    if let Some(family) = arguments.depths {
        let depths = family.depths()?;
        return if arguments.json { output::print_json(&depths) } else { output::print(&depths_text(&depths)) };
    }
    // clap sees to it that there is one.
    let mut spec = model::network(arguments.network.as_deref().unwrap_or_default())?;
    if let Some(classes) = arguments.classes {
        spec.classes = (classes > 0).then_some(classes);
    }
    spec.build()?;
    if arguments.table {
        let text = serde_json::to_string_pretty(&spec).map_err(|error| crate::Error::Spec(error.to_string()))?;
        return output::print(&text);
    }
    let summary = Summary::of(&spec, arguments.size.map_or(spec.default_image_size(), |size| size as usize))?;
    if arguments.json { output::print_json(&summary) } else { output::print(&summary.text()) }
}

impl Summary {
    fn of(spec: &ResNetSpec, size: usize) -> Result<Self> {
        let graph = spec.build()?;
        let shapes = graph.shapes(1, size, size)?;
        let count = |trainable: bool| -> usize {
            let params = graph.params();
            params.iter().filter(|p| p.trainable == trainable).map(|p| p.shape.iter().product::<usize>()).sum()
        };
        let row = |(index, node): (usize, &crate::model::graph::Node)| Row {
            name: node.name.clone(),
            kind: node.op.name(),
            output: [shapes[index].c, shapes[index].h, shapes[index].w],
            parameters: node.params().iter().filter(|p| p.trainable).map(|p| p.shape.iter().product::<usize>()).sum(),
            multiply_adds: node.inputs.first().map_or(0, |input| node.op.multiply_adds(shapes[input.0])),
            inputs: node.inputs.iter().map(|input| graph.nodes[input.0].name.clone()).collect(),
        };
        let (momentum, unbiased) = spec.norm_rule();
        let recipe = Recipe::usual_for(spec);
        Ok(Self {
            arch: spec.arch.clone(),
            family: spec.family(),
            depth: spec.depth(),
            classes: spec.classes,
            size,
            parameters: count(true),
            statistics: count(false),
            multiply_adds: multiply_adds(&graph, &shapes),
            batch_norm: Norm { eps: spec.bn_eps, momentum, unbiased },
            init: recipe.and_then(Recipe::named).map_or_else(Init::default, |recipe| recipe.init),
            recipe,
            layers: graph.nodes.iter().enumerate().map(row).collect(),
        })
    }

    fn text(&self) -> String {
        let norm = &self.batch_norm;
        let variance = if norm.unbiased { "unbiased" } else { "biased" };
        let word = |value: &dyn erased::Word| value.word();
        let facts = [
            ("network", format!("{} ({}), {} layers", self.arch, self.family, self.depth)),
            ("classes", self.classes.map_or("none: it ends in features".into(), |classes| classes.to_string())),
            ("images", format!("{0} x {0} pixels", self.size)),
            ("parameters", format!("{}, and {} running statistics", self.parameters, self.statistics)),
            ("multiply-adds", format!("{:.3} G an image", self.multiply_adds as f64 / 1e9)),
            ("batch norm", format!("eps {}, share of a batch {}, {variance} variance", norm.eps, norm.momentum)),
            ("weights", word(&self.init)),
            ("recipe", self.recipe.map_or("no other than the default".into(), |name| format!("--recipe {name}"))),
        ];
        let facts: Vec<Vec<String>> = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
        let mut rows = vec![["layer", "kind", "output", "parameters", "M multiply-adds", "reads"].map(String::from).to_vec()];
        rows.extend(self.layers.iter().map(|layer| {
            let [c, h, w] = layer.output;
            let number = |n: usize| if n == 0 { String::new() } else { n.to_string() };
            let work =
                if layer.multiply_adds == 0 { String::new() } else { format!("{:.2}", layer.multiply_adds as f64 / 1e6) };
            let (name, kind) = (layer.name.clone(), layer.kind.to_owned());
            vec![name, kind, format!("{c} x {h} x {w}"), number(layer.parameters), work, layer.inputs.join(", ")]
        }));
        format!("{}\n{}", output::table(&facts, &[]), output::table(&rows, &[3, 4]))
    }
}

/// A word of an enumeration as JSON has it, for people.
mod erased {
    pub trait Word {
        fn word(&self) -> String;
    }

    impl<T: serde::Serialize> Word for T {
        fn word(&self) -> String {
            serde_json::to_value(self).ok().and_then(|value| Some(value.as_str()?.replace('_', " "))).unwrap_or_default()
        }
    }
}

/// A line of a family's table.
#[derive(Debug, Serialize)]
struct Depth {
    /// Blocks of a stage, where the family counts by them.
    n: Option<usize>,
    layers: usize,
    arch: String,
    parameters: usize,
    multiply_adds: u64,
}

impl Family {
    fn depths(self) -> Result<Vec<Depth>> {
        let numbers: &[usize] = match self {
            Self::CifarV1 => &[3, 5, 7, 9, 18, 200],
            Self::KerasV1 => &[3, 5, 7, 9, 18, 27],
            Self::KerasV2 => &[2, 6, 12, 18, 111],
            Self::Imagenet => &[18, 34, 50, 101, 152],
            Self::ImagenetCaffe => &[50, 101, 152],
            Self::SlimV2 => &[50, 101, 152, 200],
        };
        let depth = |&n: &usize| -> Result<Depth> {
            let (count, spec) = match self {
                Self::CifarV1 => (Some(n), ResNetSpec::cifar_v1(6 * n + 2, CifarShortcut::ZeroPad, Some(10))?),
                Self::KerasV1 => (Some(n), ResNetSpec::cifar_v1(6 * n + 2, CifarShortcut::Keras, Some(10))?),
                Self::KerasV2 => (Some(n), ResNetSpec::cifar_v2(9 * n + 2, Some(10))?),
                Self::Imagenet => (None, ResNetSpec::named(&format!("resnet{n}"))?),
                Self::ImagenetCaffe => (None, ResNetSpec::named(&format!("resnet{n}-caffe"))?),
                Self::SlimV2 => (None, ResNetSpec::named(&format!("resnet{n}v2-slim"))?),
            };
            let graph: Graph = spec.build()?;
            let size = spec.default_image_size();
            Ok(Depth {
                n: count,
                layers: spec.depth(),
                parameters: graph.parameter_count(),
                multiply_adds: multiply_adds(&graph, &graph.shapes(1, size, size)?),
                arch: spec.arch,
            })
        };
        numbers.iter().map(depth).collect()
    }
}

fn depths_text(depths: &[Depth]) -> String {
    let mut rows = vec![["n", "layers", "name", "parameters", "G multiply-adds"].map(String::from).to_vec()];
    rows.extend(depths.iter().map(|depth| {
        let n = depth.n.map_or_else(String::new, |n| n.to_string());
        let (layers, work) = (depth.layers.to_string(), format!("{:.3}", depth.multiply_adds as f64 / 1e9));
        vec![n, layers, depth.arch.clone(), depth.parameters.to_string(), work]
    }));
    output::table(&rows, &[0, 1, 3, 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depths_have_the_parameters_of_the_documents() {
        // Keras' CIFAR-10 example: 0.27, 0.46, 0.66, 0.85 and 1.7 million.
        let keras: Vec<usize> = Family::KerasV1.depths().unwrap().iter().map(|depth| depth.parameters).collect();
        assert_eq!(keras[..5], [273_066, 467_946, 662_826, 857_706, 1_734_666]);
        let layers: Vec<usize> = Family::KerasV2.depths().unwrap().iter().map(|depth| depth.layers).collect();
        assert_eq!(layers, [20, 56, 110, 164, 1001]);
        // Table 1 of the paper says 3.8, 7.6 and 11.3 billion with the stride on the first 1x1.
        let caffe = Family::ImagenetCaffe.depths().unwrap();
        let work: Vec<String> = caffe.iter().map(|depth| format!("{:.1}", depth.multiply_adds as f64 / 1e9)).collect();
        assert_eq!(work, ["3.9", "7.6", "11.3"]);
        assert!(depths_text(&caffe).contains("resnet152-caffe"));
    }

    #[test]
    fn a_summary_names_layers_shapes_and_what_its_framework_does() {
        let spec = ResNetSpec::named("resnet20-keras").unwrap();
        let summary = Summary::of(&spec, 32).unwrap();
        assert_eq!((summary.parameters, summary.statistics, summary.recipe), (273_066, 2 * 688, Some("keras-cifar")));
        let text = summary.text();
        for part in
            ["eps 0.001, share of a batch 0.01, biased variance", "keras he normal", "--recipe keras-cifar", "64 x 8 x 8"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let fc = summary.layers.iter().find(|layer| layer.name == "fc").unwrap();
        assert_eq!((fc.parameters, fc.output), (650, [10, 1, 1]));
        let seed = Summary::of(&ResNetSpec::named("resnet50-51-classes").unwrap(), 224).unwrap();
        let fc = seed.layers.iter().find(|layer| layer.name == "fc").unwrap();
        assert_eq!(fc.parameters, 14 * 14 * 2048 * 51 + 51);
    }
}
