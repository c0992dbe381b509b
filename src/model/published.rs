//! Published nets: the paper's, and variations by the names that torchvision, timm and kuangliu give them.
//!
//! | names | what differs | source |
//! | --- | --- | --- |
//! | `resnext50_32x4d`, `resnext50d_32x4d`, `resnext101_32x8d`, ... | groups in the 3x3 | Xie et al. 2016, arXiv:1611.05431 |
//! | `wide_resnet50_2`, `wide_resnet101_2` | twice the width in the 3x3 | Zagoruyko and Komodakis 2016, arXiv:1605.07146 |
//! | `resnet50c`, `resnet50d`, `resnet50s`, `resnet50t`, `resnet26d`, ... | stems of three 3x3, in -d and -t an average pool in the shortcuts | He et al. 2018, arXiv:1812.01187; timm |
//! | `resnetv2_50`, `resnetv2_50d`, `resnetv2_50t`, ... | pre-activation, strides where torchvision has them, no biases | timm |
//! | `preact-resnet18`, ... | pre-activation for small pictures, no last norm | kuangliu/pytorch-cifar |
//! | `resnet14-residual-block`, ... | 3x3 convolutions and norms as shortcuts | yunjey/pytorch-tutorial; 6n+2, and 18 and 34 for ImageNet |
//! | `resnet50-51-classes` | 3x3 stem of stride 1, average pool of 7 x 7 with stride 1, a linear layer over the map | a TensorFlow 1 walk-through |
//! | `labml`, `labml:3,3,3-16,32,64-k3` | no ReLU in the stem, one stride in the very first block | labml.ai's annotated ResNet |
//! | `resnet18-3x3`, ... | a 3x3 stem without a pool | kuangliu/pytorch-cifar, weiaicunzai/pytorch-cifar100 |

use super::graph::Padding;
use super::resnet::{
    BlockOrder, CifarShortcut, ConvBias, FinalPool, NAMED, Pool, ResNetSpec, Shortcut, Stage, Stem, StemPool, StrideOn,
    StrideUnit, V2Dialect,
};
use crate::{Error, Result};

/// The stem's pool of every ImageNet net in PyTorch.
pub(crate) const POOL: StemPool = StemPool { kernel: 3, stride: 2, padding: Padding::Symmetric, zeros: false };

impl ResNetSpec {
    /// An ImageNet v1 net of 18, 34, 50, 101 or 152 layers (table 1 of the paper).
    pub fn v1(depth: usize, stride_on: StrideOn, classes: Option<usize>) -> Result<Self> {
        let published = [18, 34, 50, 101, 152].contains(&depth).then(|| v1(depth, depth >= 50)).flatten();
        let Some(spec) = published else {
            return Err(Error::Spec(format!("v1 has depth 18, 34, 50, 101 or 152, not {depth}")));
        };
        let caffe = stride_on == StrideOn::Conv1x1 && depth >= 50;
        Ok(Self { arch: spec.arch.clone() + if caffe { "-caffe" } else { "" }, stride_on, classes, ..spec })
    }

    /// Keras Applications' v1 net of 50, 101 or 152 layers: the stride on the first 1x1, biases everywhere, its own epsilon.
    pub fn keras_v1(depth: usize, classes: Option<usize>) -> Result<Self> {
        let spec = Self::v1(depth, StrideOn::Conv1x1, classes)?;
        if depth < 50 {
            return Err(Error::Spec(format!("Keras Applications has v1 nets of 50, 101 or 152 layers, not {depth}")));
        }
        Ok(Self { arch: format!("resnet{depth}v1-keras"), bias: ConvBias::Always, bn_eps: 1.001e-5, ..spec })
    }

    /// TF-slim's v1 net of 50, 101, 152 or 200 layers: the stride on a stage's last block, whose shortcut skips pixels; the pool is
    /// padded as TensorFlow does.
    pub fn slim_v1(depth: usize, classes: Option<usize>) -> Result<Self> {
        let published = [50, 101, 152, 200].contains(&depth).then(|| v1(depth, true)).flatten();
        let Some(mut spec) = published else {
            return Err(Error::Spec(format!("TF-slim has v1 nets of 50, 101, 152 or 200 layers, not {depth}")));
        };
        for (stage, stride) in spec.stages.iter_mut().zip([2, 2, 2, 1]) {
            stage.stride = stride;
        }
        spec.stem.pool = Some(StemPool { padding: Padding::Same, ..POOL });
        Ok(Self { arch: format!("resnet{depth}v1-slim"), stride_unit: StrideUnit::Last, classes, ..spec })
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
                deep: None,
                norm: false,
                relu: false,
                pool: Some(StemPool {
                    kernel: 3,
                    stride: 2,
                    padding: if slim { Padding::Same } else { Padding::Symmetric },
                    zeros: !slim,
                }),
            },
            stages: imagenet_bottlenecks(blocks, [2, 2, 2, 1]),
            order: BlockOrder::PreActivation,
            shortcut: Shortcut::ProjectionWithoutNorm,
            groups: 1,
            stride_on: StrideOn::Conv3x3,
            stride_unit: StrideUnit::Last,
            padding: Padding::Symmetric,
            bias: ConvBias::WithoutNorm,
            bn_eps: if slim { 1e-5 } else { 1.001e-5 },
            bn_momentum: None,
            bn_unbiased: None,
            final_norm: true,
            pool: Pool::Global,
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
            stem: Stem { channels: 16, kernel: 3, stride: 1, deep: None, norm: true, relu: true, pool: None },
            stages: vec![stage(16, 1), stage(32, 2), stage(64, 2)],
            order: BlockOrder::PostActivation,
            shortcut: match shortcut {
                CifarShortcut::ZeroPad => Shortcut::ZeroPad,
                CifarShortcut::Projection => Shortcut::Projection,
                CifarShortcut::Keras => Shortcut::ProjectionWithoutNorm,
            },
            groups: 1,
            stride_on: StrideOn::Conv3x3,
            stride_unit: StrideUnit::First,
            padding: if keras { Padding::Same } else { Padding::Symmetric },
            bias: if keras { ConvBias::Always } else { ConvBias::Never },
            bn_eps: if keras { 1e-3 } else { 1e-5 },
            bn_momentum: None,
            bn_unbiased: None,
            final_norm: true,
            pool: Pool::Global,
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
            stem: Stem { channels: 16, kernel: 3, stride: 1, deep: None, norm: true, relu: true, pool: None },
            stages: vec![stage(16, 64, 1), stage(64, 128, 2), stage(128, 256, 2)],
            order: BlockOrder::PreActivationRawProjection,
            shortcut: Shortcut::ProjectionWithoutNorm,
            groups: 1,
            stride_on: StrideOn::Conv1x1,
            stride_unit: StrideUnit::First,
            padding: Padding::Same,
            bias: ConvBias::Always,
            bn_eps: 1e-3,
            bn_momentum: None,
            bn_unbiased: None,
            final_norm: true,
            pool: Pool::Global,
            head: Vec::new(),
            classes,
        })
    }

    /// A ResNet-50 as a TensorFlow 1 walk-through for 51 classes writes it: a 3x3 stem of stride 1, the stride on the first 1x1, biases
    /// everywhere, SAME padding, eps 1e-3, and a 7x7 average pool of stride 1 in front of a linear layer over all 14 x 14 pixels.
    pub fn tensorflow_51() -> Result<Self> {
        let mut spec = Self::v1(50, StrideOn::Conv1x1, Some(51))?;
        (spec.stem.kernel, spec.stem.stride) = (3, 1);
        spec.stem.pool = Some(StemPool { padding: Padding::Same, ..POOL });
        let pool = FinalPool { kernel: 7, stride: 1, padding: Padding::Same, image: 224 };
        Ok(Self {
            arch: "resnet50-51-classes".into(),
            padding: Padding::Same,
            bias: ConvBias::Always,
            bn_eps: 1e-3,
            pool: Pool::Average(pool),
            ..spec
        })
    }

    /// labml's `ResNetBase(n_blocks, n_channels, bottlenecks, first_kernel_size=..)`: a stem of stride 2 without ReLU and pool, biases
    /// everywhere, a stride of 2 in the very first block and none after it.
    ///
    /// # Errors
    /// [`Error::Spec`] when the lists are empty or not equally long.
    pub fn labml(
        blocks: &[usize],
        channels: &[usize],
        bottlenecks: Option<&[usize]>,
        first_kernel: usize,
        classes: Option<usize>,
    ) -> Result<Self> {
        let strides: Vec<usize> = (0..blocks.len()).map(|stage| if stage == 0 { 2 } else { 1 }).collect();
        let stages = Self::stages_from_lists(blocks, channels, bottlenecks, &strides)?;
        let first = channels.first().copied().ok_or_else(|| Error::Spec("at least one stage is needed".into()))?;
        let list = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let mut arch = format!("labml:{}-{}", list(blocks), list(channels));
        if let Some(bottlenecks) = bottlenecks {
            arch += &format!("-b{}", list(bottlenecks));
        }
        let Some(plain) = v1(18, false) else { return Err(Error::Spec("there is no ResNet-18".into())) };
        Ok(Self {
            arch: format!("{arch}-k{first_kernel}"),
            stem: Stem { channels: first, kernel: first_kernel, stride: 2, deep: None, norm: true, relu: false, pool: None },
            stages,
            bias: ConvBias::Always,
            classes,
            ..plain
        })
    }

    /// `labml:3,3,3-16,32,64-k3`, with `-b16,32,64` for bottlenecks; plain `labml` is its experiment's for CIFAR-10.
    fn labml_by_name(rest: &str) -> Result<Self> {
        let Some(lists) = rest.strip_prefix(':') else {
            let spec = Self::labml(&[3, 3, 3], &[16, 32, 64], None, 3, Some(10))?;
            return Ok(Self { arch: "labml".into(), ..spec });
        };
        let wrong = || {
            Error::Spec(format!(
                "`labml:{lists}` is no list of blocks and one of channels, like labml:3,3,3-16,32,64 with -b4,8,16 for bottlenecks and -k3 \
                 for the first kernel"
            ))
        };
        let list =
            |text: &str| text.split(',').map(|number| number.parse().ok()).collect::<Option<Vec<usize>>>().ok_or_else(wrong);
        let mut parts = lists.split('-');
        let (blocks, channels) = (list(parts.next().ok_or_else(wrong)?)?, list(parts.next().ok_or_else(wrong)?)?);
        let (mut bottlenecks, mut kernel) = (None, 7);
        for part in parts {
            match (part.strip_prefix('b'), part.strip_prefix('k')) {
                (Some(numbers), _) => bottlenecks = Some(list(numbers)?),
                (_, Some(number)) => kernel = number.parse().map_err(|_| wrong())?,
                _ => return Err(wrong()),
            }
        }
        Self::labml(&blocks, &channels, bottlenecks.as_deref(), kernel, Some(10))
    }

    /// The net called `name` (see [`NAMED`]), with its usual number of classes: 1000 for ImageNet nets, 10 for CIFAR's.
    pub fn named(name: &str) -> Result<Self> {
        if let Some(spec) = variation(name) {
            let small = spec.stem.pool.is_none();
            return Ok(spec.with_classes(Some(if small { 10 } else { 1000 })));
        }
        let unknown = || Error::Unknown { kind: "architecture", name: name.into(), known: NAMED.join(", ") };
        if let Some(rest) = name.strip_prefix("labml").filter(|rest| rest.is_empty() || rest.starts_with(':')) {
            return Self::labml_by_name(rest);
        }
        let rest = name.strip_prefix("resnet").ok_or_else(unknown)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let depth: usize = rest[..digits].parse().map_err(|_| unknown())?;
        match &rest[digits..] {
            "" if matches!(depth, 18 | 34 | 50 | 101 | 152) => Self::v1(depth, StrideOn::Conv3x3, Some(1000)),
            "-caffe" if matches!(depth, 50 | 101 | 152) => Self::v1(depth, StrideOn::Conv1x1, Some(1000)),
            "" => Self::cifar_v1(depth, CifarShortcut::ZeroPad, Some(10)),
            "-projection" => Self::cifar_v1(depth, CifarShortcut::Projection, Some(10)),
            "-keras" => Self::cifar_v1(depth, CifarShortcut::Keras, Some(10)),
            "-51-classes" if depth == 50 => Self::tensorflow_51(),
            "-residual-block" if matches!(depth, 18 | 34) => {
                let spec = Self::v1(depth, StrideOn::Conv3x3, Some(1000))?;
                Ok(Self { arch: name.into(), shortcut: Shortcut::Projection3x3, ..spec })
            }
            "-residual-block" => {
                let spec = Self::cifar_v1(depth, CifarShortcut::Projection, Some(10))?;
                Ok(Self { arch: name.into(), shortcut: Shortcut::Projection3x3, ..spec })
            }
            "v1-keras" => Self::keras_v1(depth, Some(1000)),
            "v1-slim" => Self::slim_v1(depth, Some(1000)),
            "v2-slim" => Self::v2(depth, V2Dialect::Slim, Some(1000)),
            "v2-keras" => Self::v2(depth, V2Dialect::Keras, Some(1000)),
            "v2" => Self::cifar_v2(depth, Some(10)),
            _ => Err(unknown()),
        }
    }
}

fn imagenet_bottlenecks(blocks: [usize; 4], strides: [usize; 4]) -> Vec<Stage> {
    let stage = |i: usize| {
        let width = 64 << i;
        Stage { blocks: blocks[i], channels: 4 * width, bottleneck: Some(width), stride: strides[i] }
    };
    (0..4).map(stage).collect()
}

/// A v1 net of four stages in PyTorch's form, called `resnet{depth}`; `None` where nobody published one of these layers.
pub(crate) fn v1(depth: usize, bottleneck: bool) -> Option<ResNetSpec> {
    let blocks = match (depth, bottleneck) {
        (10, false) | (14, true) => [1; 4],
        (18, false) | (26, true) => [2; 4],
        (34, false) | (50, true) => [3, 4, 6, 3],
        (101, true) => [3, 4, 23, 3],
        (152, true) => [3, 8, 36, 3],
        (200, true) => [3, 24, 36, 3],
        _ => return None,
    };
    let stage = |i: usize| {
        let width = 64 << i;
        let channels = if bottleneck { 4 * width } else { width };
        Stage { blocks: blocks[i], channels, bottleneck: bottleneck.then_some(width), stride: if i == 0 { 1 } else { 2 } }
    };
    Some(ResNetSpec {
        arch: format!("resnet{depth}"),
        image_channels: 3,
        stem: Stem { channels: 64, kernel: 7, stride: 2, deep: None, norm: true, relu: true, pool: Some(POOL) },
        stages: (0..4).map(stage).collect(),
        order: BlockOrder::PostActivation,
        shortcut: Shortcut::Projection,
        groups: 1,
        stride_on: StrideOn::Conv3x3,
        stride_unit: StrideUnit::First,
        padding: Padding::Symmetric,
        bias: ConvBias::Never,
        bn_eps: 1e-5,
        bn_momentum: None,
        bn_unbiased: None,
        final_norm: true,
        pool: Pool::Global,
        head: Vec::new(),
        classes: None,
    })
}

/// Stem of three 3x3 convolutions by the letter that names it, and whether the shortcuts have an average pool.
fn lettered(spec: &mut ResNetSpec, letter: &str) -> Option<()> {
    let (deep, channels, averaged) = match letter {
        "" => return Some(()),
        "c" => ([32, 32], 64, false),
        "d" => ([32, 32], 64, true),
        "s" => ([64, 64], 128, false),
        "t" => ([24, 32], 64, true),
        _ => return None,
    };
    spec.stem = Stem { channels, kernel: 3, deep: Some(deep), ..spec.stem };
    if averaged {
        spec.shortcut = Shortcut::AveragePool;
    }
    Some(())
}

/// A 3x3 convolution of stride 1 and no pool, for small pictures.
fn small(spec: &mut ResNetSpec) {
    (spec.stem.kernel, spec.stem.stride, spec.stem.pool) = (3, 1, None);
}

/// The variation of this name, features only. Plain names (`resnet50`) are none: [`ResNetSpec::named`] knows them.
pub(crate) fn variation(name: &str) -> Option<ResNetSpec> {
    const FAMILIES: [&str; 5] = ["wide_resnet", "resnetv2_", "preact-resnet", "resnext", "resnet"];
    let family = *FAMILIES.iter().find(|family| name.starts_with(**family))?;
    let rest = &name[family.len()..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (depth, suffix) = (rest[..digits].parse().ok()?, &rest[digits..]);
    let mut spec = v1(depth, ![10, 18, 34].contains(&depth))?;
    match family {
        "wide_resnet" => {
            if suffix != "_2" || ![50, 101].contains(&depth) {
                return None;
            }
            widen(&mut spec, |width| 2 * width);
        }
        "resnext" => {
            let (letter, groups) = suffix.split_once('_')?;
            let (groups, width) = groups.strip_suffix('d')?.split_once('x')?;
            let (groups, width): (usize, usize) = (groups.parse().ok()?, width.parse().ok()?);
            if !(1..=1024).contains(&groups) || !(1..=1024).contains(&width) || spec.stages[0].bottleneck.is_none() {
                return None;
            }
            lettered(&mut spec, letter)?;
            widen(&mut spec, |planes| planes * width / 64 * groups);
            spec.groups = groups;
        }
        "resnet" if suffix == "-3x3" => small(&mut spec),
        "resnet" if suffix.is_empty() => return None,
        "resnet" => lettered(&mut spec, suffix)?,
        _ => {
            spec.order = BlockOrder::PreActivation;
            spec.shortcut = Shortcut::ProjectionWithoutNorm;
            (spec.stem.norm, spec.stem.relu) = (false, false);
            if family == "preact-resnet" {
                if !suffix.is_empty() {
                    return None;
                }
                small(&mut spec);
                spec.final_norm = false;
            } else {
                lettered(&mut spec, suffix)?;
            }
        }
    }
    spec.arch = name.into();
    Some(spec)
}

fn widen(spec: &mut ResNetSpec, width: impl Fn(usize) -> usize) {
    for stage in &mut spec.stages {
        stage.bottleneck = stage.bottleneck.map(&width);
    }
}

/// The name that a table of four stages would have, whether or not a net of that name has these shapes.
pub(crate) fn likely_name(spec: &ResNetSpec) -> String {
    let depth = spec.depth();
    let averaged = spec.shortcut == Shortcut::AveragePool;
    let letter = match (spec.stem.deep, averaged) {
        (None, _) => "",
        (Some([24, _]), _) => "t",
        (Some(_), true) => "d",
        (Some([64, _]), false) => "s",
        (Some(_), false) => "c",
    };
    let small = spec.stem.deep.is_none() && spec.stem.kernel == 3;
    let width = spec.stages.first().and_then(|stage| stage.bottleneck).unwrap_or(64);
    match (spec.is_pre_activation(), spec.groups) {
        (true, _) if small => format!("preact-resnet{depth}"),
        (true, _) => format!("resnetv2_{depth}{letter}"),
        (false, 1) if small => format!("resnet{depth}-3x3"),
        (false, 1) if width == 128 => format!("wide_resnet{depth}_2"),
        (false, 1) => format!("resnet{depth}{letter}"),
        (false, groups) => format!("resnext{depth}{letter}_{groups}x{}d", width / groups),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trainable parameters of torchvision 0.29 and timm 1.0 with 1000 classes.
    #[test]
    fn parameter_counts_are_the_published_ones() {
        for (name, count) in PARAMETERS {
            let spec = ResNetSpec::named(name).unwrap();
            assert_eq!(spec.with_classes(Some(1000)).build().unwrap().parameter_count(), *count, "{name}");
        }
    }

    #[test]
    fn tables_come_back_to_their_names() {
        for (name, _) in PARAMETERS {
            assert_eq!(likely_name(&variation(name).unwrap()), *name);
        }
        for name in ["resnet50", "resnet50x", "resnext18_32x4d", "resnext50_32x4", "wide_resnet34_2", "resnetv2_50x1", "vgg16"]
        {
            assert_eq!(variation(name), None, "{name}");
        }
    }

    const PARAMETERS: &[(&str, usize)] = &[
        ("resnext50_32x4d", 25_028_904),
        ("resnext50d_32x4d", 25_048_136),
        ("resnext101_32x4d", 44_177_704),
        ("resnext101_32x8d", 88_791_336),
        ("resnext101_64x4d", 83_455_272),
        ("wide_resnet50_2", 68_883_240),
        ("wide_resnet101_2", 126_886_696),
        ("resnet10t", 5_435_488),
        ("resnet14t", 10_081_632),
        ("resnet18d", 11_708_744),
        ("resnet26d", 16_014_408),
        ("resnet26t", 16_011_872),
        ("resnet34d", 21_816_904),
        ("resnet50c", 25_576_264),
        ("resnet50d", 25_576_264),
        ("resnet50s", 25_680_808),
        ("resnet50t", 25_573_728),
        ("resnet101d", 44_568_392),
        ("resnet152d", 60_212_040),
        ("resnet200d", 64_693_064),
        ("resnetv2_18", 11_687_720),
        ("resnetv2_34d", 21_815_112),
        ("resnetv2_50", 25_549_352),
        ("resnetv2_50d", 25_568_584),
        ("resnetv2_50t", 25_566_048),
        ("resnetv2_101", 44_541_480),
        ("resnetv2_152d", 60_204_360),
    ];
}
