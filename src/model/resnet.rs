//! Every ResNet family as a table; `build.rs` turns a table into a graph.
//!
//! | family | constructor | source |
//! | --- | --- | --- |
//! | v1 18/34/50/101/152 | [`ResNetSpec::v1`] | He et al. 2015, arXiv:1512.03385; names and stride placement of torchvision |
//! | v2 50/101/152/200 | [`ResNetSpec::v2`] | He et al. 2016, arXiv:1603.05027; TF-slim and Keras Applications dialects |
//! | CIFAR v1, 6n+2 | [`ResNetSpec::cifar_v1`] | section 4.2 of arXiv:1512.03385; Keras' CIFAR-10 example for [`CifarShortcut::Keras`] |
//! | CIFAR v2, 9n+2 | [`ResNetSpec::cifar_v2`] | Keras' CIFAR-10 example |
//! | ResNeXt, wide, C/D/S/T, timm's v2, ... | [`ResNetSpec::named`] | `published.rs` |
//! | anything else | fill in [`ResNetSpec`] | a block table, also as JSON |
//!
//! Layer names are torchvision's checkpoint keys. Pre-activation nets, which torchvision does not have, keep the scheme: `bnJ`
//! stands directly in front of `convJ`, the projection is `downsample.0`, the last norm is `norm`, the classifier `fc`. Stems of three
//! convolutions and shortcuts with an average pool have timm's names: `conv1.0`, `conv1.3`, `conv1.6`, `downsample.1`.

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
    /// The layers before the first stage; left out, the first stage reads the image (TF-slim's `include_root_block=False`).
    #[serde(default, skip_serializing_if = "Stem::is_none")]
    pub stem: Stem,
    /// Stages in order; each may change the resolution and the width once.
    pub stages: Vec<Stage>,
    /// Whether norm and ReLU follow a convolution or precede it.
    #[serde(default)]
    pub order: BlockOrder,
    /// What the shortcut does where the shape changes.
    #[serde(default)]
    pub shortcut: Shortcut,
    /// Groups of the 3x3 convolution of a bottleneck block (ResNeXt's cardinality).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub groups: usize,
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
    /// Share of a batch's statistics in batch norm's running ones; left out, the one of the framework that the table is of: 0.1 in
    /// PyTorch, 0.01 in Keras, 0.003 in TF-slim ([`Self::norm_rule`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bn_momentum: Option<f32>,
    /// Whether the running variance follows the unbiased one of a batch; left out, as with the framework's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bn_unbiased: Option<bool>,
    /// Whether a pre-activation net ends in a norm and a ReLU; all do but kuangliu's PreActResNet.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub final_norm: bool,
    /// From the last map to features.
    #[serde(default, skip_serializing_if = "Pool::is_global")]
    pub pool: Pool,
    /// Widths of linear layers between the average pool and the classifier, each with a ReLU after it; usually none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<usize>,
    /// Number of classes; `None` ends the net after the pool, with features.
    pub classes: Option<usize>,
}

fn three() -> usize {
    3
}
fn one() -> usize {
    1
}
fn is_one(value: &usize) -> bool {
    *value == 1
}
fn symmetric() -> Padding {
    Padding::Symmetric
}
fn torch_eps() -> f32 {
    1e-5
}

/// The layers before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stem {
    /// Output channels.
    pub channels: usize,
    /// Kernel height and width.
    pub kernel: usize,
    /// Step of the convolution, of the first where there are three.
    pub stride: usize,
    /// Channels of two convolutions before the last, each with norm and ReLU (ResNet-C, -D, -S, -T).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deep: Option<[usize; 2]>,
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

impl Stem {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// From the last map to features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The mean of all pixels.
    #[default]
    Global,
    /// None: features, or with classes the logits of every pixel by a 1x1 convolution (TF-slim's `global_pool=False`).
    None,
    /// An average pool, and a linear layer over all that is left: for images of one size only.
    Average(FinalPool),
}

impl Pool {
    fn is_global(&self) -> bool {
        *self == Self::Global
    }
}

/// An average pool in front of a linear layer over the whole map, which is read in TensorFlow's order: rows, columns, channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalPool {
    /// Window height and width.
    pub kernel: usize,
    /// Step in both axes.
    pub stride: usize,
    /// Which cells are padding; they are left out of the mean.
    #[serde(default = "symmetric")]
    pub padding: Padding,
    /// Side of the square images that the linear layer is made for.
    pub image: usize,
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
    /// A 3x3 convolution with the stride, followed by a batch norm in v1 (yunjey's PyTorch tutorial).
    #[serde(rename = "projection-3x3")]
    Projection3x3,
    /// ResNet-D: an average pool of the stride, then a 1x1 convolution, followed by a batch norm in v1.
    AveragePool,
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

/// Which block of a stage carries the stride. Where it is the last and the width stays, its shortcut skips pixels without weights.
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

/// Names [`ResNetSpec::named`] knows, as shown in lists; CIFAR depths are examples of 6n+2 and 9n+2, the last four of variations
/// (`published.rs`).
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
    "resnet50v1-slim",
    "resnet101v1-slim",
    "resnet152v1-slim",
    "resnet50v1-keras",
    "resnet101v1-keras",
    "resnet152v1-keras",
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
    "resnet50d",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "resnetv2_50",
    "resnet50-51-classes",
    "resnet14-residual-block",
    "labml",
];

impl ResNetSpec {
    /// The same net with another number of classes.
    pub fn with_classes(mut self, classes: Option<usize>) -> Self {
        self.classes = classes;
        self
    }

    /// Whether norm and ReLU stand in front of the convolutions.
    pub fn is_pre_activation(&self) -> bool {
        self.order != BlockOrder::PostActivation
    }

    /// Convolution layers and the classifier, as names count them.
    pub(crate) fn depth(&self) -> usize {
        let layers = |stage: &Stage| stage.blocks.saturating_mul(if stage.bottleneck.is_some() { 3 } else { 2 });
        self.stages.iter().map(layers).fold(2, usize::saturating_add)
    }

    /// Channels that the first stage reads.
    pub fn first_channels(&self) -> usize {
        if self.stem.is_none() { self.image_channels } else { self.stem.channels }
    }

    /// How batch norm's running statistics follow a batch's: their share, and whether the variance is the unbiased one. What the table
    /// says, else what its framework does: Keras' tables are those with its own epsilons (0.01, biased), TF-slim's those with the stride
    /// on a stage's last block (0.003; unbiased because TensorFlow's fused kernel corrects what it returns), all others PyTorch's.
    pub fn norm_rule(&self) -> (f32, bool) {
        let keras = [1e-3, 1.001e-5].contains(&self.bn_eps);
        let (momentum, unbiased) = match (keras, self.stride_unit) {
            (true, _) => (0.01, false),
            (false, StrideUnit::Last) => (0.003, true),
            (false, StrideUnit::First) => (0.1, true),
        };
        (self.bn_momentum.unwrap_or(momentum), self.bn_unbiased.unwrap_or(unbiased))
    }

    /// Whether its outputs are one row of logits an image.
    pub fn classifies(&self) -> bool {
        self.classes.is_some() && self.pool != Pool::None
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
        match self.pool {
            Pool::Average(pool) => pool.image,
            _ if self.family().starts_with("cifar") => 32,
            _ => 224,
        }
    }

    /// Which rule is broken, if one is.
    pub(super) fn validate(&self) -> Result<()> {
        let rule = |ok: bool, text: &str| if ok { Ok(()) } else { Err(Error::Spec(text.into())) };
        rule(!self.stages.is_empty(), "at least one stage is needed")?;
        if let Pool::Average(FinalPool { kernel, stride, image, .. }) = self.pool {
            rule((1..=31).contains(&kernel), "the last pool's window must be 1 to 31")?;
            rule((1..=8).contains(&stride), "the last pool's stride must be 1 to 8")?;
            rule((1..=4096).contains(&image), "the last pool is made for images of 1 to 4096 pixels")?;
        }
        rule(
            self.pool != Pool::None || self.head.is_empty(),
            "hidden layers of the head stand behind a pool: with `pool` none there can be none",
        )?;
        rule(
            self.bn_momentum.is_none_or(|share| share > 0.0 && share <= 1.0),
            "bn_momentum is the share of a batch in the running statistics: above 0 and up to 1, 0.1 is PyTorch's (Keras' 0.99 is 0.01 here)",
        )?;
        rule(self.classes != Some(0), "the number of classes must be at least 1 (leave it out for features without a head)")?;
        rule((1..=1024).contains(&self.image_channels), "image channels must be 1 to 1024")?;
        rule(self.bn_eps.is_finite() && self.bn_eps > 0.0, "bn_eps must be a positive number")?;
        rule(self.head.iter().all(|width| (1..=65536).contains(width)), "hidden layers of the head must be 1 to 65536 wide")?;
        rule(self.head.len() <= 16, "the head has more than 16 hidden layers")?;
        rule(self.classes.is_none_or(|n| n <= 1 << 20), "more than 1048576 classes are not supported")?;
        let stem = &self.stem;
        let some = !stem.is_none();
        rule(!some || stem.kernel % 2 == 1 && stem.kernel <= 31, "the stem's kernel must be odd and at most 31")?;
        rule(!some || (1..=8).contains(&stem.stride), "the stem's stride must be 1 to 8")?;
        rule(!some || (1..=65536).contains(&stem.channels), "the stem must have 1 to 65536 channels")?;
        rule(
            stem.deep.is_none_or(|widths| widths.iter().all(|width| (1..=65536).contains(width))),
            "each convolution of the stem must have 1 to 65536 channels",
        )?;
        rule(self.groups >= 1, "the number of groups must be at least 1")?;
        if let Some(pool) = stem.pool {
            rule((1..=31).contains(&pool.kernel), "the stem pool's window must be 1 to 31")?;
            rule((1..=8).contains(&pool.stride), "the stem pool's stride must be 1 to 8")?;
        }
        let bottlenecks = self.stages.iter().filter(|s| s.bottleneck.is_some()).count();
        rule(
            bottlenecks == 0 || bottlenecks == self.stages.len(),
            "either every stage has a bottleneck width or none: the lists of blocks, channels and bottlenecks must be equally long",
        )?;
        let mut previous = self.first_channels();
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
            rule(
                self.groups == 1 || stage.bottleneck.is_some_and(|width| width.is_multiple_of(self.groups)),
                &format!("stage {k}: groups are of bottleneck blocks and must divide their width"),
            )?;
            rule(
                self.shortcut != Shortcut::AveragePool || stage.stride <= 2,
                &format!("stage {k}: a shortcut with an average pool has a stride of 1 or 2"),
            )?;
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
            ("resnet50v1-keras", 25_583_592),
            ("resnet101v1-keras", 44_601_832),
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
            if ["resnet50-51-classes", "labml"].contains(name) {
                continue; // they halve the picture at other places
            }
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
