//! How other programs call the layers of a ResNet. Each dialect is one value: a name that marks it, and a function from its names
//! to torchvision's.

/// Names of one code base.
pub(super) struct Dialect {
    /// Whose names they are, for people.
    pub whose: &'static str,
    /// Tensors of the first block by which it is known; what stands before is a prefix.
    pub anchors: &'static [&'static str],
    /// torchvision's name for one of its names; `None` for what is no part of the body.
    pub rename: fn(&str) -> Option<String>,
}

/// Every dialect; a file is asked for all of them.
pub(super) const DIALECTS: &[Dialect] = &[
    Dialect { whose: "torchvision", anchors: &["layer1.0.conv1.weight"], rename: torchvision },
    Dialect {
        whose: "Hugging Face Transformers",
        anchors: &["encoder.stages.0.layers.0.layer.0.convolution.weight"],
        rename: hugging_face,
    },
    Dialect { whose: "weiaicunzai/pytorch-cifar100", anchors: &["conv2_x.0.residual_function.0.weight"], rename: cifar100 },
    Dialect { whose: "timm (resnetv2)", anchors: &["stages.0.blocks.0.conv1.weight"], rename: timm_v2 },
    Dialect { whose: "detectron2", anchors: &["res2.0.conv1.weight"], rename: detectron },
    Dialect { whose: "xternalz/WideResNet-pytorch", anchors: &["block1.layer.0.conv1.weight"], rename: wide },
    Dialect { whose: "Keras Applications", anchors: &["conv2_block1_1_conv.weight"], rename: keras_v1 },
    Dialect { whose: "Keras Applications (V2)", anchors: &["conv2_block1_1_conv.weight"], rename: keras_v2 },
    Dialect { whose: "TF-slim", anchors: &["block1.unit_1.bottleneck_v1.conv1.weight"], rename: slim_v1 },
    Dialect { whose: "TF-slim (v2)", anchors: &["block1.unit_1.bottleneck_v2.conv1.weight"], rename: slim_v2 },
    // `nn.Sequential(*net.children())`: convolution, norm, ReLU, max pool, stages; nets for small pictures have no pool.
    Dialect { whose: "torch.nn.Sequential", anchors: &["4.0.conv1.weight"], rename: sequential::<4> },
    Dialect { whose: "torch.nn.Sequential", anchors: &["3.0.conv1.weight"], rename: sequential::<3> },
    Dialect { whose: "torch.nn.Sequential", anchors: &["2.0.conv1.weight"], rename: sequential::<2> },
    // Our own tables' body, which has these names too: a net whose first stage is called otherwise is none.
];

/// Splits off a first segment that is a number.
fn number(name: &str) -> Option<(usize, &str)> {
    let (first, rest) = name.split_once('.')?;
    Some((first.parse().ok()?, rest))
}

/// torchvision, and those who follow it but for `shortcut` (kuangliu, akamaster).
fn torchvision(name: &str) -> Option<String> {
    // mmpretrain's ResNet-C and -D number their stem through to its last norm.
    if let Some((i, rest)) = name.strip_prefix("stem.").and_then(number) {
        return Some(if i == 7 { format!("bn1.{rest}") } else { format!("conv1.{i}.{rest}") });
    }
    let first = name.split('.').next()?;
    // More than one convolution before the stages is a stem of another net: taken along, so that it is seen.
    let numbered =
        |kind: &str| first.strip_prefix(kind).is_some_and(|k| !k.is_empty() && k.bytes().all(|b| b.is_ascii_digit()));
    let is_body = numbered("layer") || numbered("conv") || numbered("bn") || first == "norm";
    is_body.then(|| name.replace(".shortcut.", ".downsample."))
}

fn hugging_face(name: &str) -> Option<String> {
    let part = |rest: &str, conv: &str, norm: &str| {
        let (kind, last) = rest.split_once('.')?;
        match kind {
            "convolution" => Some(format!("{conv}.{last}")),
            "normalization" => Some(format!("{norm}.{last}")),
            _ => None,
        }
    };
    if let Some(rest) = name.strip_prefix("embedder.embedder.") {
        return part(rest, "conv1", "bn1");
    }
    let (stage, rest) = number(name.strip_prefix("encoder.stages.")?)?;
    let (block, rest) = number(rest.strip_prefix("layers.")?)?;
    let block = format!("layer{}.{block}", stage + 1);
    if let Some(rest) = rest.strip_prefix("shortcut.") {
        return part(rest, &format!("{block}.downsample.0"), &format!("{block}.downsample.1"));
    }
    let (j, rest) = number(rest.strip_prefix("layer.")?)?;
    part(rest, &format!("{block}.conv{}", j + 1), &format!("{block}.bn{}", j + 1))
}

fn cifar100(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("conv1.") {
        let (i, rest) = number(rest)?;
        return match i {
            0 => Some(format!("conv1.{rest}")),
            1 => Some(format!("bn1.{rest}")),
            _ => None,
        };
    }
    let (stage, rest) = name.strip_prefix("conv")?.split_once("_x.")?;
    let stage = stage.parse::<usize>().ok()?.checked_sub(1)?;
    let (block, rest) = number(rest)?;
    let block = format!("layer{stage}.{block}");
    if let Some(rest) = rest.strip_prefix("shortcut.") {
        return Some(format!("{block}.downsample.{rest}"));
    }
    // Convolution, norm, ReLU, and again.
    let (i, rest) = number(rest.strip_prefix("residual_function.")?)?;
    match i % 3 {
        0 => Some(format!("{block}.conv{}.{rest}", i / 3 + 1)),
        1 => Some(format!("{block}.bn{}.{rest}", i / 3 + 1)),
        _ => None,
    }
}

fn timm_v2(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("stem.") {
        return match rest.split_once('.')? {
            ("conv", last) => Some(format!("conv1.{last}")),
            ("norm", last) => Some(format!("bn1.{last}")),
            ("conv1", last) => Some(format!("conv1.0.{last}")),
            ("norm1", last) => Some(format!("conv1.1.{last}")),
            ("conv2", last) => Some(format!("conv1.3.{last}")),
            ("norm2", last) => Some(format!("conv1.4.{last}")),
            ("conv3", last) => Some(format!("conv1.6.{last}")),
            ("norm3", last) => Some(format!("bn1.{last}")),
            _ => None,
        };
    }
    if name.starts_with("norm.") {
        return Some(name.into());
    }
    let (stage, rest) = number(name.strip_prefix("stages.")?)?;
    let (block, rest) = number(rest.strip_prefix("blocks.")?)?;
    let rest = rest.replace("downsample.conv.", "downsample.0.").replace("downsample.norm.", "downsample.1.");
    let rest = match rest.strip_prefix("norm") {
        Some(rest) => format!("bn{rest}"),
        None => rest,
    };
    Some(format!("layer{}.{block}.{rest}", stage + 1))
}

fn detectron(name: &str) -> Option<String> {
    let normed = |rest: &str, conv: &str, norm: &str| match rest.strip_prefix("norm.") {
        Some(last) => format!("{norm}.{last}"),
        None => format!("{conv}.{rest}"),
    };
    if let Some(rest) = name.strip_prefix("stem.conv1.") {
        return Some(normed(rest, "conv1", "bn1"));
    }
    let (stage, rest) = number(name.strip_prefix("res")?)?;
    let (block, rest) = number(rest)?;
    let block = format!("layer{}.{block}", stage.checked_sub(1)?);
    if let Some(rest) = rest.strip_prefix("shortcut.") {
        return Some(normed(rest, &format!("{block}.downsample.0"), &format!("{block}.downsample.1")));
    }
    let (j, rest) = number(rest.strip_prefix("conv")?)?;
    Some(normed(rest, &format!("{block}.conv{j}"), &format!("{block}.bn{j}")))
}

fn wide(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("bn1.") {
        return Some(format!("norm.{rest}"));
    }
    if name.starts_with("conv1.") {
        return Some(name.into());
    }
    let (stage, rest) = number(name.strip_prefix("block")?)?;
    let rest = rest.strip_prefix("layer.")?;
    Some(format!("layer{stage}.{}", rest.replace("convShortcut.", "downsample.0.")))
}

/// Stage, block and layer of `conv2_block1_1_conv.weight`.
fn keras_block(name: &str) -> Option<(String, &str, &str)> {
    let (layer, part) = name.split_once('.')?;
    let (stage, rest) = layer.strip_prefix("conv")?.split_once("_block")?;
    let (block, layer) = rest.split_once('_')?;
    let (stage, block) = (stage.parse::<usize>().ok()?.checked_sub(1)?, block.parse::<usize>().ok()?.checked_sub(1)?);
    Some((format!("layer{stage}.{block}"), layer, part))
}

fn keras_v1(name: &str) -> Option<String> {
    if let Some((block, layer, part)) = keras_block(name) {
        return match layer {
            "0_conv" => Some(format!("{block}.downsample.0.{part}")),
            "0_bn" => Some(format!("{block}.downsample.1.{part}")),
            "1_conv" | "2_conv" | "3_conv" => Some(format!("{block}.conv{}.{part}", &layer[..1])),
            "1_bn" | "2_bn" | "3_bn" => Some(format!("{block}.bn{}.{part}", &layer[..1])),
            _ => None,
        };
    }
    match name.split_once('.')? {
        ("conv1_conv", part) => Some(format!("conv1.{part}")),
        ("conv1_bn", part) => Some(format!("bn1.{part}")),
        _ => None,
    }
}

fn keras_v2(name: &str) -> Option<String> {
    if let Some((block, layer, part)) = keras_block(name) {
        return match layer {
            "0_conv" => Some(format!("{block}.downsample.0.{part}")),
            "1_conv" | "2_conv" | "3_conv" => Some(format!("{block}.conv{}.{part}", &layer[..1])),
            "preact_bn" => Some(format!("{block}.bn1.{part}")),
            "1_bn" => Some(format!("{block}.bn2.{part}")),
            "2_bn" => Some(format!("{block}.bn3.{part}")),
            _ => None,
        };
    }
    match name.split_once('.')? {
        ("conv1_conv", part) => Some(format!("conv1.{part}")),
        ("post_bn", part) => Some(format!("norm.{part}")),
        _ => None,
    }
}

/// Block and the rest of `block1.unit_1.bottleneck_v1.conv1.weight`.
fn slim_block<'a>(name: &'a str, unit_kind: &str) -> Option<(String, &'a str)> {
    let (stage, rest) = number(name.strip_prefix("block")?)?;
    let (unit, rest) = number(rest.strip_prefix("unit_")?)?;
    let rest = rest.strip_prefix(unit_kind)?.strip_prefix('.')?;
    Some((format!("layer{stage}.{}", unit.checked_sub(1)?), rest))
}

fn slim_v1(name: &str) -> Option<String> {
    let (block, rest) = match slim_block(name, "bottleneck_v1") {
        Some((block, rest)) => (block + ".", rest),
        None => (String::new(), name),
    };
    let (layer, part) = rest.split_once('.')?;
    let (norm, part) = part.strip_prefix("BatchNorm.").map_or((false, part), |part| (true, part));
    match (layer, norm, block.is_empty()) {
        ("conv1", _, true) | ("conv1" | "conv2" | "conv3", _, false) => {
            Some(format!("{block}{}{}.{part}", if norm { "bn" } else { "conv" }, &layer[4..]))
        }
        ("shortcut", _, false) => Some(format!("{block}downsample.{}.{part}", usize::from(norm))),
        _ => None,
    }
}

fn slim_v2(name: &str) -> Option<String> {
    let Some((block, rest)) = slim_block(name, "bottleneck_v2") else {
        return match name.split_once('.')? {
            ("conv1", part) => Some(format!("conv1.{part}")),
            ("postnorm", part) => Some(format!("norm.{part}")),
            _ => None,
        };
    };
    let (layer, part) = rest.split_once('.')?;
    // A norm's number is that of the convolution behind it.
    match (layer, part.strip_prefix("BatchNorm.")) {
        ("preact", _) => Some(format!("{block}.bn1.{part}")),
        ("conv1", Some(part)) => Some(format!("{block}.bn2.{part}")),
        ("conv2", Some(part)) => Some(format!("{block}.bn3.{part}")),
        ("conv1" | "conv2" | "conv3", None) => Some(format!("{block}.{layer}.{part}")),
        ("shortcut", None) => Some(format!("{block}.downsample.0.{part}")),
        _ => None,
    }
}

fn sequential<const FIRST: usize>(name: &str) -> Option<String> {
    let (i, rest) = number(name)?;
    match i {
        0 => Some(format!("conv1.{rest}")),
        1 => Some(format!("bn1.{rest}")),
        _ if i >= FIRST && number(rest).is_some() => {
            Some(format!("layer{}.{}", i - FIRST + 1, rest.replace(".shortcut.", ".downsample.")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_comes_to_torchvisions_names() {
        for (whose, theirs, ours) in [
            ("torchvision", "layer1.0.shortcut.0.weight", "layer1.0.downsample.0.weight"),
            ("Hugging Face Transformers", "embedder.embedder.normalization.bias", "bn1.bias"),
            (
                "Hugging Face Transformers",
                "encoder.stages.2.layers.1.layer.2.normalization.running_mean",
                "layer3.1.bn3.running_mean",
            ),
            (
                "Hugging Face Transformers",
                "encoder.stages.0.layers.0.shortcut.convolution.weight",
                "layer1.0.downsample.0.weight",
            ),
            ("weiaicunzai/pytorch-cifar100", "conv1.1.running_var", "bn1.running_var"),
            ("weiaicunzai/pytorch-cifar100", "conv5_x.1.residual_function.4.weight", "layer4.1.bn2.weight"),
            ("weiaicunzai/pytorch-cifar100", "conv3_x.0.shortcut.1.bias", "layer2.0.downsample.1.bias"),
            ("timm (resnetv2)", "stages.1.blocks.0.downsample.conv.weight", "layer2.0.downsample.0.weight"),
            ("timm (resnetv2)", "stem.conv2.weight", "conv1.3.weight"),
            ("torchvision", "stem.4.running_mean", "conv1.4.running_mean"),
            ("torchvision", "stem.7.bias", "bn1.bias"),
            ("timm (resnetv2)", "stages.3.blocks.2.norm3.running_var", "layer4.2.bn3.running_var"),
            ("detectron2", "res4.0.conv2.norm.weight", "layer3.0.bn2.weight"),
            ("detectron2", "stem.conv1.weight", "conv1.weight"),
            ("xternalz/WideResNet-pytorch", "block2.layer.0.convShortcut.weight", "layer2.0.downsample.0.weight"),
            ("xternalz/WideResNet-pytorch", "bn1.running_mean", "norm.running_mean"),
            ("Keras Applications", "conv3_block2_0_bn.running_var", "layer2.1.downsample.1.running_var"),
            ("Keras Applications", "conv1_bn.bias", "bn1.bias"),
            ("Keras Applications (V2)", "conv5_block1_preact_bn.weight", "layer4.0.bn1.weight"),
            ("Keras Applications (V2)", "conv2_block1_2_bn.weight", "layer1.0.bn3.weight"),
            ("Keras Applications (V2)", "post_bn.running_mean", "norm.running_mean"),
            ("TF-slim", "conv1.BatchNorm.running_var", "bn1.running_var"),
            ("TF-slim", "block2.unit_4.bottleneck_v1.conv3.BatchNorm.bias", "layer2.3.bn3.bias"),
            ("TF-slim", "block1.unit_1.bottleneck_v1.shortcut.weight", "layer1.0.downsample.0.weight"),
            ("TF-slim", "block1.unit_1.bottleneck_v1.shortcut.BatchNorm.weight", "layer1.0.downsample.1.weight"),
            ("TF-slim (v2)", "block3.unit_2.bottleneck_v2.preact.running_mean", "layer3.1.bn1.running_mean"),
            ("TF-slim (v2)", "block3.unit_2.bottleneck_v2.conv2.BatchNorm.weight", "layer3.1.bn3.weight"),
            ("TF-slim (v2)", "block3.unit_2.bottleneck_v2.conv3.bias", "layer3.1.conv3.bias"),
            ("TF-slim (v2)", "postnorm.bias", "norm.bias"),
            ("torch.nn.Sequential", "4.0.conv1.weight", "layer1.0.conv1.weight"),
            ("torch.nn.Sequential", "7.1.bn2.bias", "layer4.1.bn2.bias"),
        ] {
            let dialect = DIALECTS.iter().find(|dialect| dialect.whose == whose).unwrap();
            assert_eq!((dialect.rename)(theirs).as_deref(), Some(ours), "{theirs}");
        }
        for dialect in DIALECTS {
            for anchor in dialect.anchors {
                assert_eq!((dialect.rename)(anchor).as_deref(), Some("layer1.0.conv1.weight"), "{anchor}");
            }
            for other in [
                "",
                ".",
                "fc.weight",
                "layer",
                "layer.0",
                "conv1",
                "res.0.x",
                "encoder.stages.x",
                "stages.0",
                "conv_x.0",
                "block1.unit_0.x",
            ] {
                let _ = (dialect.rename)(other);
            }
        }
    }
}
