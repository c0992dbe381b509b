//! Published nets by the names that other programs give them, and what their `config.json` says.

use serde_json::Value;

use crate::data::{ChannelOrder, Filter, Preset, Resize};
use crate::model::published;
use crate::model::resnet::{BlockOrder, ResNetSpec, Stage, StrideOn};

/// The published name of a table that is made by rule: wide nets for small pictures.
pub(super) fn name_of(spec: &ResNetSpec) -> Option<String> {
    // Zagoruyko and Komodakis 2016: three stages of basic blocks, 16, 32 and 64 times k wide.
    let wide = spec.order == BlockOrder::PreActivation && spec.stages.len() == 3 && spec.stem.channels == 16;
    let k = spec.stages.first().map_or(0, |stage| stage.channels / 16);
    let even = spec.stages.iter().enumerate().all(|(i, stage)| stage.bottleneck.is_none() && stage.channels == (16 << i) * k);
    (wide && k > 0 && even && spec.stem.kernel == 3).then(|| format!("wrn-{}-{k}", spec.depth() + 2))
}

/// What a name says of a network.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Named {
    Net(Box<ResNetSpec>),
    /// It is a net that cannot be built: why.
    Other(&'static str),
    Unknown,
}

/// The network of this name: ours, torchvision's and timm's.
pub(super) fn named(name: &str) -> Named {
    let name = name.trim().to_ascii_lowercase().replace("hf_hub:", "");
    let name = name.rsplit('/').next().unwrap_or_default();
    // timm's names have the training recipe after a dot.
    let name = name.split('.').next().unwrap_or_default();
    let name = name.strip_prefix("tv_").unwrap_or(name);
    if ["resnetblur", "resnetaa", "seresnetaa", "resnextaa"].iter().any(|blurred| name.starts_with(blurred)) {
        return Named::Other("a net with blur pools (anti-aliased), which is not supported");
    }
    // Of timm's depths these are CIFAR's too (6n+2); other programs mean timm's.
    let found = match name {
        "resnet10" | "resnet14" | "resnet26" | "resnet200" => {
            let depth = name["resnet".len()..].parse().unwrap_or_default();
            published::v1(depth, depth != 10)
        }
        _ => ResNetSpec::named(name).ok(),
    };
    found.map_or(Named::Unknown, |spec| Named::Net(Box::new(spec)))
}

/// What a file's `config.json` says, in Hugging Face's form or timm's.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    /// The network's table, where it is told in full.
    pub spec: Option<ResNetSpec>,
    /// Its name.
    pub arch: Option<String>,
    pub classes: Option<Vec<String>>,
    pub pixels: Option<Preset>,
    /// Every class is a yes or no of its own.
    pub sigmoid: bool,
    /// A layer that is not supported.
    pub refused: Option<String>,
}

impl Config {
    /// Reads `config.json`, and Hugging Face's `preprocessor_config.json`.
    pub fn read(config: &Value, preprocessor: Option<&Value>) -> Self {
        let mut found = Self {
            classes: crate::data::labels::from_json(config).filter(|names| !is_placeholder(names)),
            arch: config["architecture"].as_str().map(str::to_string),
            sigmoid: config["problem_type"] == "multi_label_classification",
            ..Self::default()
        };
        if config["model_type"] == "resnet" {
            found.hugging_face(config);
        }
        let pretrained = &config["pretrained_cfg"];
        if pretrained.is_object() {
            found.pixels = timm_pixels(pretrained);
        }
        if let Some(preprocessor) = preprocessor {
            found.pixels = hugging_face_pixels(preprocessor).or(found.pixels);
        }
        found
    }

    /// `ResNetConfig` of Transformers; absent keys have its defaults.
    fn hugging_face(&mut self, config: &Value) {
        let number = |key: &str, default: usize| config[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
        let list = |key: &str, default: [usize; 4]| match config[key].as_array() {
            Some(items) => items.iter().filter_map(|item| usize::try_from(item.as_u64()?).ok()).collect(),
            None => default.to_vec(),
        };
        let yes = |key: &str| config[key].as_bool().unwrap_or(false);
        let activation = config["hidden_act"].as_str().unwrap_or("relu");
        if activation != "relu" {
            self.refused = Some(format!("its activation is `{activation}` (config.json); only ReLU is supported"));
        }
        let (depths, widths) = (list("depths", [3, 4, 6, 3]), list("hidden_sizes", [256, 512, 1024, 2048]));
        if depths.len() != widths.len() || depths.is_empty() || depths.len() > 64 {
            return;
        }
        let bottleneck = config["layer_type"].as_str().unwrap_or("bottleneck") == "bottleneck";
        let stage = |(i, (blocks, channels)): (usize, (&usize, &usize))| Stage {
            blocks: *blocks,
            channels: *channels,
            bottleneck: bottleneck.then_some(channels / 4),
            stride: if i == 0 && !yes("downsample_in_first_stage") { 1 } else { 2 },
        };
        let Some(mut spec) = published::v1(if bottleneck { 50 } else { 18 }, bottleneck) else { return };
        spec.stages = depths.iter().zip(&widths).enumerate().map(stage).collect();
        spec.stem.channels = number("embedding_size", 64);
        spec.image_channels = number("num_channels", 3);
        if bottleneck && yes("downsample_in_bottleneck") {
            spec.stride_on = StrideOn::Conv1x1;
        }
        spec.arch = "resnet-custom".into();
        self.spec = Some(spec);
    }
}

/// Hugging Face's names for classes that nobody named.
fn is_placeholder(names: &[String]) -> bool {
    names.iter().enumerate().all(|(i, name)| *name == format!("LABEL_{i}"))
}

fn triple(value: &Value) -> Option<[f32; 3]> {
    let numbers: Vec<f32> = value.as_array()?.iter().filter_map(|n| n.as_f64().map(|n| n as f32)).collect();
    match *numbers.as_slice() {
        [a] => Some([a; 3]),
        [a, b, c] => Some([a, b, c]),
        _ => None,
    }
}

fn preset(name: &str, side: u32, shorter: u32, filter: Filter, mean: [f32; 3], std: [f32; 3]) -> Option<Preset> {
    let preset = Preset {
        name: name.into(),
        resize: Resize::Shorter(shorter),
        crop: (side, side),
        filter,
        channel_order: ChannelOrder::Rgb,
        scale: 1.0 / 255.0,
        mean,
        std,
    };
    preset.validate().is_ok().then_some(preset)
}

/// The evaluation transform of timm: shorter side to `floor(size / crop_pct)`, centre crop.
fn timm_pixels(config: &Value) -> Option<Preset> {
    let side = u32::try_from(config["input_size"].as_array()?.last()?.as_u64()?).ok()?;
    let crop = config["crop_pct"].as_f64().filter(|crop| *crop > 0.0 && *crop <= 1.0).unwrap_or(0.875);
    let filter = if config["interpolation"] == "bilinear" { Filter::Bilinear } else { Filter::Bicubic };
    let shorter = (f64::from(side) / crop).floor() as u32;
    let (mean, std) = (triple(&config["mean"])?, triple(&config["std"])?);
    // The same numbers have the name they have in lists.
    let known = Preset::NAMES.iter().filter_map(|name| Preset::named(name).ok());
    let found = preset("config.json", side, shorter, filter, mean, std)?;
    Some(known.into_iter().find(|known| Preset { name: found.name.clone(), ..known.clone() } == found).unwrap_or(found))
}

/// `preprocessor_config.json` of a ConvNextImageProcessor or ViTImageProcessor.
fn hugging_face_pixels(config: &Value) -> Option<Preset> {
    let (mean, std) = (triple(&config["image_mean"])?, triple(&config["image_std"])?);
    let size = &config["size"];
    let side = [size, &size["shortest_edge"], &size["height"]].into_iter().find_map(Value::as_u64)?;
    let side = u32::try_from(side).ok()?;
    let crop = config["crop_pct"].as_f64().filter(|crop| *crop > 0.0 && *crop <= 1.0);
    // Pillow's numbers of its filters.
    let filter = if config["resample"].as_u64() == Some(3) { Filter::Bicubic } else { Filter::Bilinear };
    // ConvNext's processor crops below 384 pixels.
    let shorter = match crop {
        Some(crop) if side < 384 => (f64::from(side) / crop) as u32,
        _ => side,
    };
    let found = preset("preprocessor_config.json", side, shorter, filter, mean, std)?;
    Some(if crop.is_none() || side >= 384 { Preset { resize: Resize::Exact(side, side), ..found } } else { found })
}
