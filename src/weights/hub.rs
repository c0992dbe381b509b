//! Pretrained models on the Hugging Face hub that a person may choose to download: data and addresses, no network.
//!
//! They are timm's conversions (<https://huggingface.co/timm>) of two sets of ImageNet-1k weights: torchvision's first
//! (`tv_in1k`) and those of recipe A1 of "ResNet strikes back" (`a1_in1k`). Licences are those of the model cards.

use crate::{Error, Result};

/// Where models come from: `RESLAB_HUB_URL` at build time, or the hub itself.
pub const BASE_URL: &str = match option_env!("RESLAB_HUB_URL") {
    Some(url) => url,
    None => "https://huggingface.co",
};

/// A model of the hub.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HubModel {
    /// Its name here and in timm, e.g. `resnet18.tv_in1k`.
    pub name: &'static str,
    /// Its repository, e.g. `timm/resnet18.tv_in1k`.
    pub repo: &'static str,
    /// Size of its safetensors file in bytes, to show before the download: that of the same tensors saved by the safetensors
    /// library. The file served may differ by some bytes; what the server says counts.
    pub bytes: u64,
    /// SPDX name of its licence.
    pub license: &'static str,
    /// Who trained it, and how.
    pub source: &'static str,
    /// Name of its pixel preset in `data::Preset::named`.
    pub preset: &'static str,
    /// Name of its network in [`crate::model::resnet::ResNetSpec::named`].
    pub arch: &'static str,
    /// Share of ImageNet's validation pictures it names right, at 224 pixels; timm's `results-imagenet.csv` of 2026.
    pub top1: f32,
    /// Multiply-adds of one 224 x 224 picture, over those of ResNet-18.
    pub work: f32,
}

const TORCHVISION: &str = "torchvision (IMAGENET1K_V1), arXiv:1512.03385";
const STRIKES_BACK: &str = "timm, recipe A1 of ResNet strikes back, arXiv:2110.00476";

macro_rules! model {
    ($arch:literal, "tv", $bytes:literal, $top1:literal, $work:literal) => {
        model!($arch, ".tv_in1k", $bytes, $top1, $work, "BSD-3-Clause", TORCHVISION, "imagenet")
    };
    ($arch:literal, "a1", $bytes:literal, $top1:literal, $work:literal) => {
        model!($arch, ".a1_in1k", $bytes, $top1, $work, "Apache-2.0", STRIKES_BACK, "timm-a1")
    };
    ($arch:literal, $tag:literal, $bytes:literal, $top1:literal, $work:literal, $license:literal, $source:expr, $preset:literal) => {
        HubModel {
            name: concat!($arch, $tag),
            repo: concat!("timm/", $arch, $tag),
            bytes: $bytes,
            license: $license,
            source: $source,
            preset: $preset,
            arch: $arch,
            top1: $top1,
            work: $work,
        }
    };
}

/// Every model on offer, smallest first.
pub const HUB: &[HubModel] = &[
    model!("resnet18", "tv", 46_807_480, 0.698, 1.0),
    model!("resnet18", "a1", 46_807_480, 0.715, 1.0),
    model!("resnet34", "tv", 87_278_552, 0.733, 2.0),
    model!("resnet34", "a1", 87_278_552, 0.764, 2.0),
    model!("resnet50", "tv", 102_469_872, 0.762, 2.3),
    model!("resnet50", "a1", 102_469_872, 0.804, 2.3),
    model!("resnet101", "tv", 178_675_840, 0.774, 4.3),
    model!("resnet101", "a1", 178_675_840, 0.815, 4.3),
    model!("resnet152", "tv", 241_463_544, 0.783, 6.4),
    model!("resnet152", "a1", 241_463_544, 0.820, 6.4),
];

impl HubModel {
    /// Address of its weights below `base` (see [`BASE_URL`]).
    pub fn url(&self, base: &str) -> String {
        format!("{}/{}/resolve/main/model.safetensors", base.trim_end_matches('/'), self.repo)
    }
}

/// The model called `name`, with or without the repository's owner.
///
/// # Errors
/// [`Error::Unknown`] with the list of names.
pub fn find(name: &str) -> Result<&'static HubModel> {
    HUB.iter().find(|model| model.name == name || model.repo == name).ok_or_else(|| Error::Unknown {
        kind: "model",
        name: name.into(),
        known: HUB.iter().map(|model| model.name).collect::<Vec<_>>().join(", "),
    })
}

/// The model a file is called after: `resnet18.a1_in1k`, `resnet18.a1_in1k.safetensors`, with folders before it or without.
pub fn published(file_name: &str) -> Option<&'static HubModel> {
    let name = file_name.rsplit(['/', '\\']).next()?;
    let name = name.strip_suffix(".safetensors").unwrap_or(name);
    HUB.iter().find(|model| model.name == name)
}

impl HubModel {
    /// Whether a file of this size can be the model's; headers differ by some bytes.
    pub fn is_size(&self, bytes: usize) -> bool {
        (bytes as u64).abs_diff(self.bytes) < self.bytes / 100
    }
}

/// The model for who has none of the hub's yet: the strongest that is quick on such a device, a graphics card or not.
pub fn recommended(graphics_card: bool) -> Option<&'static HubModel> {
    let name = if graphics_card { "resnet50.a1_in1k" } else { "resnet18.a1_in1k" };
    HUB.iter().find(|model| model.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::{Layer, Node};
    use crate::model::resnet::ResNetSpec;

    #[test]
    fn addresses_are_the_hubs() {
        let model = find("resnet50.a1_in1k").unwrap();
        let expected = "https://huggingface.co/timm/resnet50.a1_in1k/resolve/main/model.safetensors";
        assert_eq!(model.url("https://huggingface.co"), expected);
        assert_eq!(find("timm/resnet50.a1_in1k").unwrap().url("https://huggingface.co/"), expected);
        assert!(find("resnet51").unwrap_err().to_string().contains("resnet152.tv_in1k"));
    }

    #[test]
    fn every_model_is_a_network_a_preset_and_a_size_that_go_together() {
        for model in HUB {
            let graph = ResNetSpec::named(model.arch).unwrap().build().unwrap();
            assert!(["imagenet", "timm-a1"].contains(&model.preset));
            // f32 tensors, one 8-byte counter for each batch norm, and a header of at most 110 bytes for each tensor.
            let params = graph.params();
            let values: usize = params.iter().map(|param| param.shape.iter().product::<usize>()).sum();
            let least = 4 * values as u64;
            assert!(
                (least..least + 110 * 2 * params.len() as u64).contains(&model.bytes),
                "{}: {} bytes",
                model.name,
                model.bytes
            );
            assert!(model.name.starts_with(model.arch));
            let macs = |arch| {
                let graph = ResNetSpec::named(arch).unwrap().build().unwrap();
                let shapes = graph.shapes(1, 224, 224).unwrap();
                let of = |node: &Node| node.inputs.first().map_or(0, |input| node.op.multiply_adds(shapes[input.0]));
                graph.nodes.iter().map(of).sum::<u64>() as f32
            };
            let work = macs(model.arch) / macs("resnet18");
            assert!((work - model.work).abs() < 0.06, "{}: {work}", model.name);
        }
        let names: std::collections::HashSet<_> = HUB.iter().map(|model| model.name).collect();
        assert_eq!(names.len(), HUB.len());
    }
}
