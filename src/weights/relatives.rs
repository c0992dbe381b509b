//! Nets that are no ResNet of ours, by their right names: what a layer we do not build is called, and what is missing.

use indexmap::IndexMap;

use super::contents::Contents;
use super::shown;
use crate::{Error, Result};

fn no(text: impl Into<String>) -> Error {
    Error::UnknownArchitecture(text.into())
}

/// Whether the body (torchvision's name to the file's) can be a ResNet that can be built.
///
/// # Errors
/// [`Error::UnknownArchitecture`] naming the layer that cannot.
pub(super) fn check(contents: &Contents<'_>, body: &IndexMap<String, String>) -> Result<()> {
    let shape = |name: &str| body.get(name).and_then(|name| contents.tensors.get(name)).map(|stored| stored.shape.as_slice());
    let theirs = |name: &str| shown(body.get(name).map_or(name, String::as_str));
    let part = |part: &str| body.keys().find(|name| name.contains(part)).map(|name| theirs(name));
    if contents.tensors.keys().any(|name| name.contains("attnpool.")) {
        return Err(no("it ends in an attention pool (`attnpool`, CLIP's ResNets), which is not supported"));
    }
    if let Some(name) = part(".se.conv.") {
        return Err(no(format!("its blocks have efficient channel attention (`{name}`, ECA-ResNet), which is not supported")));
    }
    if let Some(name) = part(".se.").or_else(|| part(".se_module.")).or_else(|| part(".se_layer.")) {
        return Err(no(format!("its blocks have squeeze-and-excitation (`{name}`, SE-ResNet), which is not supported")));
    }
    if let Some(name) = part(".attn").or_else(|| part(".cbam")) {
        return Err(no(format!("its blocks have attention (`{name}`), which is not supported")));
    }
    let norm = body.keys().find(|name| {
        let Some(layer) = name.strip_suffix(".weight") else { return false };
        shape(name).is_some_and(|shape| shape.len() == 1) && !body.contains_key(&format!("{layer}.running_mean"))
    });
    if let Some(norm) = norm
        && !body.keys().any(|name| name.ends_with("running_mean"))
    {
        let v2 = if body.contains_key("norm.weight") { " (with weight-standardized convolutions: BiT)" } else { "" };
        return Err(no(format!(
            "its norms (`{}`, ...) have no running mean and variance: either they are group norms{v2}, which are not supported, or \
             only the parameters were saved (`named_parameters()`) and what batch norm needs is missing: save `model.state_dict()`",
            theirs(norm)
        )));
    }
    let is_conv = |name: &str| shape(name).is_some_and(|shape| shape.len() == 4);
    let deep = is_conv("conv1.0.weight");
    let three = ["conv1.0.weight", "conv1.3.weight", "conv1.6.weight"].iter().all(|name| is_conv(name));
    if body.contains_key("conv2.weight") || (deep && (!three || body.contains_key("conv1.9.weight"))) {
        let name = theirs(if body.contains_key("conv2.weight") { "conv2.weight" } else { "conv1.0.weight" });
        return Err(no(format!(
            "its stem is several convolutions (`{name}`, ...), and not the three of a ResNet-C or -D (`conv1.0`, `conv1.3`, \
             `conv1.6`), which is not supported"
        )));
    }
    let bottleneck = body.contains_key("layer1.0.conv3.weight");
    for j in [1, 2, 3] {
        let name = format!("layer1.0.conv{j}.weight");
        let before = if j == 1 { None } else { shape(&format!("layer1.0.conv{}.weight", j - 1)) };
        if let (Some(&[before, ..]), Some(&[_, inputs, ..])) = (before, shape(&name))
            && !(bottleneck && j == 2)
            && inputs != 0
            && inputs < before
            && before.is_multiple_of(inputs)
        {
            return Err(no(format!(
                "`{}` is a convolution in {} groups; groups are supported in the 3x3 convolution of bottleneck blocks alone \
                 (ResNeXt)",
                theirs(&name),
                before / inputs
            )));
        }
    }
    Ok(())
}

/// The error for a file without a body of any dialect.
pub(super) fn refuse(contents: &Contents<'_>) -> Error {
    let names: Vec<&String> = contents.tensors.keys().collect();
    let some = |part: &str| names.iter().any(|name| name.contains(part));
    if contents.facts.nameless > 0 && contents.facts.nameless == names.len() {
        return no(format!(
            "it holds a list of {} tensors without names (`list(model.parameters())`), and batch norms' running means are not among \
             them; save `model.state_dict()`",
            names.len()
        ));
    }
    if names.iter().all(|name| name.contains("optim") || name.contains("exp_avg") || name.contains("momentum_buffer")) {
        return no("it holds an optimizer's state, but no weights; choose the file with the model's `state_dict`");
    }
    if some("conv1_1x1.") || some("stages.0.0.conv1_kxk.") {
        let what = if some("attn_pool") || some("head.pos_embed") || some("head.qkv") || some("head.q.") {
            "timm's ByobNet, with an attention pool (`resnet50_clip`)"
        } else {
            "timm's ByobNet (`resnet33ts`, `resnet61q`, `gcresnet50t`, ...)"
        };
        return no(format!("the names (`{}`, ...) are those of {what}, which is not supported", shown(names[0])));
    }
    if names.iter().any(|name| name.split('.').any(|part| part == "conv2d" || part.starts_with("conv2d_"))) {
        return no(format!(
            "its layers have the names that Keras gives by itself (`{}`, ...), which do not tell where a layer is; nets with Keras \
             Applications' names (`conv2_block1_1_conv`) and those of its CIFAR-10 example can be read",
            shown(names[0])
        ));
    }
    if some("patch_embed") || some("cls_token") {
        return no("it is a vision transformer (`patch_embed`, `cls_token`), not a ResNet");
    }
    let some: Vec<String> = names.iter().map(|name| format!("`{}`", shown(name))).take(5).collect();
    no(format!(
        "no names of a ResNet were found: torchvision's (`layer1.0.conv1.weight`), timm's, Hugging Face's and others are known; the \
         file has {}",
        if some.is_empty() { "no tensors".into() } else { some.join(", ") }
    ))
}
