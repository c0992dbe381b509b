//! Every ResNet family as a table; `build.rs` turns a table into a graph.
//!
//! | family | constructor | source |
//! | --- | --- | --- |
//! | v1 18/34/50/101/152 | [`ResNetSpec::v1`] | He et al. 2015, arXiv:1512.03385; names and stride placement of torchvision |
//! | v2 50/101/152/200 | [`ResNetSpec::v2`] | He et al. 2016, arXiv:1603.05027; TF-slim and Keras Applications dialects |
//! | CIFAR v1, 6n+2 | [`ResNetSpec::cifar_v1`] | section 4.2 of arXiv:1512.03385; Keras' CIFAR-10 example for [`CifarShortcut::Keras`] |
//! | CIFAR v2, 9n+2 | [`ResNetSpec::cifar_v2`] | Keras' CIFAR-10 example |
//! | anything else | fill in [`ResNetSpec`] | a block table, also as JSON |
//!
//! Layer names are torchvision's checkpoint keys. Pre-activation nets, which torchvision does not have, keep the scheme: `bnJ`
//! stands directly in front of `convJ`, the projection is `downsample.0`, the last norm is `norm`, the classifier `fc`.

use serde::{Deserialize, Serialize};

use super::graph::Padding;
use crate::{Error, Result};

/// The block table of a ResNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetSpec {
    /// Name shown to people: `resnet50`, `my-net`.
    pub arch: String,
    /// Channels of the input image.
    #[serde(default = "three")]
    pub image_channels: usize,
    /// The layers before the first stage.
    pub stem: Stem,
    /// Stages in order; each may change the resolution and the width once.
    pub stages: Vec<Stage>,
    /// Whether norm and ReLU follow a convolution or precede it.
    #[serde(default)]
    pub order: BlockOrder,
    /// What the shortcut does where the shape changes.
    #[serde(default)]
    pub shortcut: Shortcut,
    /// Which convolution of a bottleneck block carries the stride.
    #[serde(default)]
    pub stride_on: StrideOn,
    /// Which block of a stage carries the stride.
    #[serde(default)]
    pub stride_unit: StrideUnit,
    /// Padding of every convolution.
    #[serde(default = "symmetric")]
    pub padding: Padding,
    /// Which convolutions have a bias.
    #[serde(default)]
    pub bias: ConvBias,
    /// Added to the variance in every batch norm. Default 1e-5 (PyTorch, TF-slim).
    #[serde(default = "torch_eps")]
    pub bn_eps: f32,
    /// Whether a pre-activation net ends in a norm and a ReLU; all do but kuangliu's PreActResNet.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub final_norm: bool,
    /// Widths of linear layers between the average pool and the classifier, each with a ReLU after it; usually none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<usize>,
    /// Number of classes; `None` ends the net after the average pool, with features.
    pub classes: Option<usize>,
}

fn three() -> usize {
    3
}
fn symmetric() -> Padding {
    Padding::Symmetric
}
fn torch_eps() -> f32 {
    1e-5
}

/// The layers before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stem {
    /// Output channels.
    pub channels: usize,
    /// Kernel height and width.
    pub kernel: usize,
    /// Step of the convolution.
    pub stride: usize,
    /// Whether a batch norm follows.
    #[serde(default = "yes")]
    pub norm: bool,
    /// Whether a ReLU follows.
    #[serde(default = "yes")]
    pub relu: bool,
    /// The max pool, if there is one.
    #[serde(default)]
    pub pool: Option<StemPool>,
}

fn yes() -> bool {
    true
}
fn is_yes(value: &bool) -> bool {
    *value
}

/// The stem's max pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemPool {
    /// Window height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Which cells are padding.
    #[serde(default = "symmetric")]
    pub padding: Padding,
    /// Padding cells count as zeros (Keras Applications v2).
    #[serde(default)]
    pub zeros: bool,
}

/// A run of blocks of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Number of residual blocks.
    pub blocks: usize,
    /// Output channels of every block.
    pub channels: usize,
    /// Width inside a bottleneck block (1x1, 3x3, 1x1); `None` for the basic block (3x3, 3x3).
    #[serde(default)]
    pub bottleneck: Option<usize>,
    /// Step of one block of the stage, see [`StrideUnit`].
    pub stride: usize,
}

/// Where norm and ReLU stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockOrder {
    /// v1: conv, norm, ReLU; a ReLU after the addition.
    #[default]
    PostActivation,
    /// v2: norm, ReLU, conv; the projection reads the pre-activated input (TF-slim, Keras Applications).
    PreActivation,
    /// v2 as Keras' CIFAR example has it: the projection reads the raw input.
    PreActivationRawProjection,
}

/// What the shortcut does where the shape changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shortcut {
    /// Option B: a 1x1 convolution, followed by a batch norm in v1.
    #[default]
    Projection,
    /// A 1x1 convolution without a norm (Keras' CIFAR example, every v2).
    ProjectionWithoutNorm,
    /// Option A: no parameters; zero channels stand evenly before and behind the old ones.
    ZeroPad,
    /// Option A with all zero channels behind the old ones.
    ZeroPadBehind,
}

/// Which convolution of a bottleneck carries the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrideOn {
    /// torchvision ("v1.5"), TF-slim.
    #[default]
    Conv3x3,
    /// The paper, Caffe, Keras.
    Conv1x1,
}

/// Which block of a stage carries the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrideUnit {
    /// The paper, torchvision.
    #[default]
    First,
    /// TF-slim and Keras Applications v2.
    Last,
}

/// Which convolutions have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvBias {
    /// None: batch norm has its own.
    #[default]
    Never,
    /// Those whose output meets no batch norm first: stem, projection and last 1x1 of TF-slim's v2.
    WithoutNorm,
    /// All of them (Keras' CIFAR example, labml).
    Always,
}

/// The two published forms of the ImageNet v2 nets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum V2Dialect {
    /// TF-slim: stem pool padded SAME, eps 1e-5.
    Slim,
    /// Keras Applications: stem pool over a border of zeros, eps 1.001e-5.
    Keras,
}

/// The shortcuts of the CIFAR v1 nets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CifarShortcut {
    /// Option A, the paper's choice for CIFAR.
    ZeroPad,
    /// Option B: 1x1 convolution and batch norm.
    Projection,
    /// Keras' CIFAR example: biased convolutions, SAME padding, eps 1e-3, a 1x1 shortcut without norm.
    Keras,
}

/// Names [`ResNetSpec::named`] knows, as shown in lists; CIFAR depths are examples of 6n+2 and 9n+2.
pub const NAMED: &[&str] = &[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet50-caffe",
    "resnet101-caffe",
    "resnet152-caffe",
    "resnet50v2-slim",
    "resnet101v2-slim",
    "resnet152v2-slim",
    "resnet200v2-slim",
    "resnet50v2-keras",
    "resnet101v2-keras",
    "resnet152v2-keras",
    "resnet200v2-keras",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "resnet1202",
    "resnet20-projection",
    "resnet20-keras",
    "resnet56v2",
    "resnet110v2",
    "resnet164v2",
    "resnet1001v2",
];

impl ResNetSpec {
    /// An ImageNet v1 net of 18, 34, 50, 101 or 152 layers (table 1 of the paper).
    pub fn v1(depth: usize, stride_on: StrideOn, classes: Option<usize>) -> Result<Self> {
        let (blocks, bottleneck) = match depth {
            18 => ([2, 2, 2, 2], false),
            34 => ([3, 4, 6, 3], false),
            50 => ([3, 4, 6, 3], true),
            101 => ([3, 4, 23, 3], true),
            152 => ([3, 8, 36, 3], true),
            _ => return Err(Error::Spec(format!("v1 has depth 18, 34, 50, 101 or 152, not {depth}"))),
        };
        let stages = imagenet_stages(blocks, bottleneck, [1, 2, 2, 2]);
        let caffe = stride_on == StrideOn::Conv1x1 && bottleneck;
        Ok(Self {
            arch: format!("resnet{depth}{}", if caffe { "-caffe" } else { "" }),
            image_channels: 3,
            stem: Stem {
                channels: 64,
                kernel: 7,
                stride: 2,
                norm: true,
                relu: true,
                pool: Some(StemPool { kernel: 3, stride: 2, padding: Padding::Symmetric, zeros: false }),
            },
            stages,
            order: BlockOrder::PostActivation,
            shortcut: Shortcut::Projection,
            stride_on,
            stride_unit: StrideUnit::First,
            padding: Padding::Symmetric,
            bias: ConvBias::Never,
            bn_eps: 1e-5,
            final_norm: true,
            head: Vec::new(),
            classes,
        })
    }

    /// An ImageNet v2 (full pre-activation) net of 50, 101, 152 or 200 layers.
    pub fn v2(depth: usize, dialect: V2Dialect, classes: Option<usize>) -> Result<Self> {
        let blocks = match depth {
            50 => [3, 4, 6, 3],
            101 => [3, 4, 23, 3],
            152 => [3, 8, 36, 3],
            200 => [3, 24, 36, 3],
            _ => return Err(Error::Spec(format!("v2 has depth 50, 101, 152 or 200, not {depth}"))),
        };
        let slim = dialect == V2Dialect::Slim;
        Ok(Self {
            arch: format!("resnet{depth}v2-{}", if slim { "slim" } else { "keras" }),
            image_channels: 3,
            stem: Stem {
                channels: 64,
                kernel: 7,
                stride: 2,
                norm: false,
                relu: false,
                pool: Some(StemPool {
                    kernel: 3,
                    stride: 2,
                    padding: if slim { Padding::Same } else { Padding::Symmetric },
                    zeros: !slim,
                }),
            },
            stages: imagenet_stages(blocks, true, [2, 2, 2, 1]),
            order: BlockOrder::PreActivation,
            shortcut: Shortcut::ProjectionWithoutNorm,
            stride_on: StrideOn::Conv3x3,
            stride_unit: StrideUnit::Last,
            padding: Padding::Symmetric,
            bias: ConvBias::WithoutNorm,
            bn_eps: if slim { 1e-5 } else { 1.001e-5 },
            final_norm: true,
            head: Vec::new(),
            classes,
        })
    }

    /// A CIFAR v1 net of depth 6n+2: three stages of n basic blocks, 16, 32 and 64 wide.
    pub fn cifar_v1(depth: usize, shortcut: CifarShortcut, classes: Option<usize>) -> Result<Self> {
        if depth < 8 || !(depth - 2).is_multiple_of(6) {
            return Err(Error::Spec(format!("a CIFAR v1 net has depth 6n+2 (20, 32, 44, 56, 110, ...), not {depth}")));
        }
        let blocks = (depth - 2) / 6;
        let keras = shortcut == CifarShortcut::Keras;
        let stage = |channels, stride| Stage { blocks, channels, bottleneck: None, stride };
        Ok(Self {
            arch: match shortcut {
                CifarShortcut::ZeroPad => format!("resnet{depth}"),
                CifarShortcut::Projection => format!("resnet{depth}-projection"),
                CifarShortcut::Keras => format!("resnet{depth}-keras"),
            },
            image_channels: 3,
            stem: Stem { channels: 16, kernel: 3, stride: 1, norm: true, relu: true, pool: None },
            stages: vec![stage(16, 1), stage(32, 2), stage(64, 2)],
            order: BlockOrder::PostActivation,
            shortcut: match shortcut {
                CifarShortcut::ZeroPad => Shortcut::ZeroPad,
                CifarShortcut::Projection => Shortcut::Projection,
                CifarShortcut::Keras => Shortcut::ProjectionWithoutNorm,
            },
            stride_on: StrideOn::Conv3x3,
            stride_unit: StrideUnit::First,
            padding: if keras { Padding::Same } else { Padding::Symmetric },
            bias: if keras { ConvBias::Always } else { ConvBias::Never },
            bn_eps: if keras { 1e-3 } else { 1e-5 },
            final_norm: true,
            head: Vec::new(),
            classes,
        })
    }

    /// A CIFAR v2 net of depth 9n+2 as Keras writes it: three stages of n bottleneck blocks ending 64, 128 and 256 wide.
    pub fn cifar_v2(depth: usize, classes: Option<usize>) -> Result<Self> {
        if depth < 11 || !(depth - 2).is_multiple_of(9) {
            return Err(Error::Spec(format!("a CIFAR v2 net has depth 9n+2 (20, 56, 110, 164, 1001, ...), not {depth}")));
        }
        let blocks = (depth - 2) / 9;
        let stage = |width, channels, stride| Stage { blocks, channels, bottleneck: Some(width), stride };
        Ok(Self {
            arch: format!("resnet{depth}v2"),
            image_channels: 3,
            stem: Stem { channels: 16, kernel: 3, stride: 1, norm: true, relu: true, pool: None },
            stages: vec![stage(16, 64, 1), stage(64, 128, 2), stage(128, 256, 2)],
            order: BlockOrder::PreActivationRawProjection,
            shortcut: Shortcut::ProjectionWithoutNorm,
            stride_on: StrideOn::Conv1x1,
            stride_unit: StrideUnit::First,
            padding: Padding::Same,
            bias: ConvBias::Always,
            bn_eps: 1e-3,
            final_norm: true,
            head: Vec::new(),
            classes,
        })
    }

    /// The net called `name` (see [`NAMED`]), with its usual number of classes: 1000 for ImageNet nets, 10 for CIFAR's.
    pub fn named(name: &str) -> Result<Self> {
        let unknown = || Error::Unknown { kind: "architecture", name: name.into(), known: NAMED.join(", ") };
        let rest = name.strip_prefix("resnet").ok_or_else(unknown)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let depth: usize = rest[..digits].parse().map_err(|_| unknown())?;
        match &rest[digits..] {
            "" if matches!(depth, 18 | 34 | 50 | 101 | 152) => Self::v1(depth, StrideOn::Conv3x3, Some(1000)),
            "-caffe" if matches!(depth, 50 | 101 | 152) => Self::v1(depth, StrideOn::Conv1x1, Some(1000)),
            "" => Self::cifar_v1(depth, CifarShortcut::ZeroPad, Some(10)),
            "-projection" => Self::cifar_v1(depth, CifarShortcut::Projection, Some(10)),
            "-keras" => Self::cifar_v1(depth, CifarShortcut::Keras, Some(10)),
            "v2-slim" => Self::v2(depth, V2Dialect::Slim, Some(1000)),
            "v2-keras" => Self::v2(depth, V2Dialect::Keras, Some(1000)),
            "v2" => Self::cifar_v2(depth, Some(10)),
            _ => Err(unknown()),
        }
    }

    /// The same net with another number of classes.
    pub fn with_classes(mut self, classes: Option<usize>) -> Self {
        self.classes = classes;
        self
    }

    /// Whether norm and ReLU stand in front of the convolutions.
    pub fn is_pre_activation(&self) -> bool {
        self.order != BlockOrder::PostActivation
    }

    /// A word for the family, as metadata and `inspect` show it.
    pub fn family(&self) -> &'static str {
        match (self.is_pre_activation(), self.stem.pool.is_some(), self.stages.len()) {
            (false, false, 3) => "cifar-v1",
            (true, false, 3) => "cifar-v2",
            (false, _, _) => "v1",
            (true, _, _) => "v2",
        }
    }

    /// Side of the square images the published net was made for, in pixels.
    pub fn default_image_size(&self) -> usize {
        if self.family().starts_with("cifar") { 32 } else { 224 }
    }

    /// Which rule is broken, if one is.
    pub(super) fn validate(&self) -> Result<()> {
        let rule = |ok: bool, text: &str| if ok { Ok(()) } else { Err(Error::Spec(text.into())) };
        rule(!self.stages.is_empty(), "at least one stage is needed")?;
        rule(self.classes != Some(0), "the number of classes must be at least 1 (leave it out for features without a head)")?;
        rule((1..=1024).contains(&self.image_channels), "image channels must be 1 to 1024")?;
        rule(self.bn_eps.is_finite() && self.bn_eps > 0.0, "bn_eps must be a positive number")?;
        rule(self.head.iter().all(|width| (1..=65536).contains(width)), "hidden layers of the head must be 1 to 65536 wide")?;
        rule(self.head.len() <= 16, "the head has more than 16 hidden layers")?;
        rule(self.classes.is_none_or(|n| n <= 1 << 20), "more than 1048576 classes are not supported")?;
        let stem = &self.stem;
        rule(stem.kernel % 2 == 1 && stem.kernel <= 31, "the stem's kernel must be odd and at most 31")?;
        rule((1..=8).contains(&stem.stride), "the stem's stride must be 1 to 8")?;
        rule((1..=65536).contains(&stem.channels), "the stem must have 1 to 65536 channels")?;
        if let Some(pool) = stem.pool {
            rule((1..=31).contains(&pool.kernel), "the stem pool's window must be 1 to 31")?;
            rule((1..=8).contains(&pool.stride), "the stem pool's stride must be 1 to 8")?;
        }
        let bottlenecks = self.stages.iter().filter(|s| s.bottleneck.is_some()).count();
        rule(
            bottlenecks == 0 || bottlenecks == self.stages.len(),
            "either every stage has a bottleneck width or none: the lists of blocks, channels and bottlenecks must be equally long",
        )?;
        let mut previous = stem.channels;
        for (i, stage) in self.stages.iter().enumerate() {
            let k = i + 1;
            rule(stage.blocks > 0, &format!("stage {k} needs at least one block"))?;
            rule(stage.blocks <= 4096, &format!("stage {k} has more than 4096 blocks"))?;
            rule((1..=65536).contains(&stage.channels), &format!("stage {k} must have 1 to 65536 channels"))?;
            rule(
                stage.bottleneck.is_none_or(|w| (1..=65536).contains(&w)),
                &format!("stage {k}: the bottleneck width must be 1 to 65536"),
            )?;
            rule((1..=8).contains(&stage.stride), &format!("stage {k}: the stride must be 1 to 8"))?;
            if matches!(self.shortcut, Shortcut::ZeroPad | Shortcut::ZeroPadBehind) {
                let text = format!(
                    "a zero-padding shortcut can only widen: stage {k} goes from {previous} to {} channels",
                    stage.channels
                );
                rule(stage.channels >= previous, &text)?;
            }
            previous = stage.channels;
        }
        Ok(())
    }

    /// A table from parallel lists, as papers print it: blocks, channels and strides by stage, bottleneck widths or none.
    ///
    /// # Errors
    /// [`Error::Spec`] when the lists have different lengths.
    pub fn stages_from_lists(
        blocks: &[usize],
        channels: &[usize],
        bottlenecks: Option<&[usize]>,
        strides: &[usize],
    ) -> Result<Vec<Stage>> {
        let n = blocks.len();
        if channels.len() != n || strides.len() != n || bottlenecks.is_some_and(|b| b.len() != n) {
            return Err(Error::Spec(format!(
                "blocks ({n}), channels ({}), bottlenecks ({}) and strides ({}) must be equally long",
                channels.len(),
                bottlenecks.map_or("none".into(), |b| b.len().to_string()),
                strides.len()
            )));
        }
        Ok((0..n)
            .map(|i| Stage {
                blocks: blocks[i],
                channels: channels[i],
                bottleneck: bottlenecks.map(|b| b[i]),
                stride: strides[i],
            })
            .collect())
    }
}

fn imagenet_stages(blocks: [usize; 4], bottleneck: bool, strides: [usize; 4]) -> Vec<Stage> {
    (0..4)
        .map(|i| {
            let width = 64 << i;
            Stage {
                blocks: blocks[i],
                channels: if bottleneck { 4 * width } else { width },
                bottleneck: bottleneck.then_some(width),
                stride: strides[i],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trainable parameters as torchvision, Keras Applications and Keras' CIFAR example report them.
    #[test]
    fn parameter_counts_are_the_published_ones() {
        for (name, count) in [
            ("resnet18", 11_689_512),
            ("resnet34", 21_797_672),
            ("resnet50", 25_557_032),
            ("resnet101", 44_549_160),
            ("resnet152", 60_192_808),
            ("resnet50v2-keras", 25_568_360),
            ("resnet101v2-keras", 44_577_896),
            ("resnet152v2-keras", 60_236_904),
            ("resnet20", 269_722),
            ("resnet110", 1_727_962),
        ] {
            let graph = ResNetSpec::named(name).unwrap().build().unwrap();
            assert_eq!(graph.parameter_count(), count, "{name}");
        }
    }

    #[test]
    fn every_listed_name_builds_and_keeps_its_name() {
        for name in NAMED {
            let spec = ResNetSpec::named(name).unwrap();
            assert_eq!(&spec.arch, name);
            let size = spec.default_image_size();
            let graph = spec.build().unwrap();
            let shapes = graph.shapes(1, size, size).unwrap();
            let head = graph.value("avgpool").unwrap();
            let before = shapes[graph.nodes[head.0].inputs[0].0];
            assert_eq!(before.h, if size == 32 { 8 } else { 7 }, "{name}");
        }
    }

    #[test]
    fn wrong_tables_name_the_rule() {
        let message = |r: Result<ResNetSpec>| r.unwrap_err().to_string();
        assert!(message(ResNetSpec::named("resnet21")).contains("6n+2"));
        assert!(message(ResNetSpec::named("resnet57v2")).contains("9n+2"));
        assert!(message(ResNetSpec::named("vgg16")).contains("resnet18"));
        let zero = ResNetSpec::named("resnet18").unwrap().with_classes(Some(0)).build();
        assert!(zero.unwrap_err().to_string().contains("at least 1"));
        let lists = ResNetSpec::stages_from_lists(&[2, 2], &[16], None, &[1, 2]);
        assert!(lists.unwrap_err().to_string().contains("equally long"));
    }

    #[test]
    fn a_table_survives_json() {
        let spec = ResNetSpec::named("resnet50v2-slim").unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ResNetSpec>(&json).unwrap(), spec);
    }
}
