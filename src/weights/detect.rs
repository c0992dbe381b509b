//! Which network a checkpoint belongs to, from its metadata or from the names and shapes of its tensors.
//!
//! What a file's metadata says comes first: our own files carry their block table. Without it the table is read off the
//! shapes: blocks by counting, widths from the kernels, the kind of shortcut from `downsample.*`. Some properties leave no
//! trace in a shape (where a block's stride stands, a pool's padding); they are taken from the published family the shapes
//! belong to, and [`Detected::assumed`] says so. Whatever the source of the table, every tensor is then checked against it.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{HostTensor, RESUME_PREFIX, StateDict, shown};
use crate::model::graph::Padding;
use crate::model::resnet::{
    BlockOrder, CifarShortcut, ConvBias, ResNetSpec, Shortcut, Stage, Stem, StemPool, StrideOn, StrideUnit, V2Dialect,
};
use crate::{Error, Result};

/// A checkpoint and the network it fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// The network.
    pub spec: ResNetSpec,
    /// The tensors under their canonical names, exactly those `spec` wants.
    pub weights: StateDict,
    /// Class names, if the file carries them; as many as the network has classes.
    pub classes: Option<Vec<String>>,
    /// Name of the pixel preset, if the file carries it.
    pub preset: Option<String>,
    /// What the shapes could not tell and was assumed, as sentences for the person; empty when the metadata told.
    pub assumed: Vec<String>,
}

/// Metadata keys of the files this project writes.
mod key {
    pub const ARCH: &str = "arch";
    pub const SPEC: &str = "spec";
    pub const CLASSES: &str = "classes";
    pub const PRESET: &str = "preset";
}

/// The metadata that lets a file be loaded without guessing: the table as JSON, its name, class names, pixel preset.
///
/// ```
/// # use reslab::{model::resnet::ResNetSpec, weights::{StateDict, detect}};
/// let spec = ResNetSpec::named("resnet20")?;
/// let state = StateDict { metadata: detect::metadata(&spec, None, Some("cifar")), ..Default::default() };
/// assert_eq!(state.metadata["arch"], "resnet20");
/// # Ok::<_, reslab::Error>(())
/// ```
pub fn metadata(spec: &ResNetSpec, classes: Option<&[String]>, preset: Option<&str>) -> IndexMap<String, String> {
    // A table and a list of strings are plain data, which serde_json can always write.
    let json = |value: serde_json::Result<String>| value.expect("plain data becomes JSON");
    let mut metadata = IndexMap::from([
        (key::ARCH.to_string(), spec.arch.clone()),
        (key::SPEC.to_string(), json(serde_json::to_string(spec))),
    ]);
    if let Some(classes) = classes {
        metadata.insert(key::CLASSES.into(), json(serde_json::to_string(classes)));
    }
    if let Some(preset) = preset {
        metadata.insert(key::PRESET.into(), preset.into());
    }
    metadata
}

/// Finds the network `state` belongs to and checks every tensor's name and shape against it.
///
/// # Errors
/// [`Error::UnknownArchitecture`] when the names are no ResNet's, or those of a variant that is not supported (named in the
/// message); [`Error::TensorMismatch`] when one tensor does not fit; [`Error::Spec`] when the metadata contradicts itself.
pub fn detect(mut state: StateDict) -> Result<Detected> {
    state.tensors.retain(|name, _| !name.starts_with(RESUME_PREFIX));
    canonical_names(&mut state);
    let (spec, assumed) = match from_metadata(&state)? {
        Some(spec) => (spec, Vec::new()),
        None => Shapes(&state.tensors).table()?,
    };
    let blocks: usize = spec.stages.iter().map(|stage| stage.blocks.min(1 << 20)).sum();
    if blocks > state.tensors.len() {
        // Also keeps a hostile table from building a graph of millions of layers.
        return Err(Error::Spec(format!("it has {blocks} blocks, but the file holds only {} tensors", state.tensors.len())));
    }
    let weights = verified(&spec, state)?;
    let classes = class_names(&spec, &weights)?;
    let preset = weights.metadata.get(key::PRESET).cloned();
    Ok(Detected { spec, weights, classes, preset, assumed })
}

/// Renames what other code bases call differently: `linear` is `fc`, `shortcut.0` is `downsample.0`.
fn canonical_names(state: &mut StateDict) {
    let rename = |name: &str| -> String {
        if let Some(rest) = name.strip_prefix("linear.").or_else(|| name.strip_prefix("classifier.")) {
            return format!("fc.{rest}");
        }
        name.replace(".shortcut.", ".downsample.")
    };
    let renamed: IndexMap<String, ()> = state.tensors.keys().map(|name| (rename(name), ())).collect();
    if renamed.len() == state.tensors.len() {
        state.tensors = renamed.into_keys().zip(std::mem::take(&mut state.tensors).into_values()).collect();
    }
}

/// The table the file itself names, with the head and image channels of its tensors.
fn from_metadata(state: &StateDict) -> Result<Option<ResNetSpec>> {
    if let Some(json) = state.metadata.get(key::SPEC) {
        return serde_json::from_str(json)
            .map(Some)
            .map_err(|error| Error::Spec(format!("the `spec` in the file's metadata cannot be read: {error}")));
    }
    let Some(Ok(mut spec)) = state.metadata.get(key::ARCH).map(|arch| ResNetSpec::named(arch)) else {
        return Ok(None); // other programs may use the key for names of their own
    };
    let shapes = Shapes(&state.tensors);
    spec.classes = shapes.get("fc.weight").and_then(|shape| shape.first().copied());
    if let Some(&[_, channels, _, _]) = shapes.get("conv1.weight") {
        spec.image_channels = channels;
    }
    Ok(Some(spec))
}

/// Class names of the metadata; their number must be the network's.
fn class_names(spec: &ResNetSpec, state: &StateDict) -> Result<Option<Vec<String>>> {
    let Some(json) = state.metadata.get(key::CLASSES) else { return Ok(None) };
    let names: Vec<String> = serde_json::from_str(json)
        .map_err(|error| Error::Spec(format!("the `classes` in the file's metadata are no JSON list of strings: {error}")))?;
    match spec.classes {
        Some(classes) if classes == names.len() => Ok(Some(names)),
        Some(classes) => {
            Err(Error::Spec(format!("the file's metadata names {} classes, but the network has {classes}", names.len())))
        }
        None => Ok(None),
    }
}

/// The tensors of `spec` in its order, or which one is missing, of another shape, or too many.
fn verified(spec: &ResNetSpec, mut state: StateDict) -> Result<StateDict> {
    let params = spec.build()?.params();
    for param in &params {
        let tensor = state.get(&param.name, &param.shape).map_err(|error| match error {
            Error::TensorMismatch { tensor, expected, found } => {
                Error::TensorMismatch { tensor, expected: format!("{expected} for {}", spec.arch), found }
            }
            other => other,
        })?;
        if tensor.data.len() != param.shape.iter().product::<usize>() {
            return Err(Error::TensorMismatch {
                tensor: param.name.clone(),
                expected: format!("{} values", param.shape.iter().product::<usize>()),
                found: format!("{}", tensor.data.len()),
            });
        }
    }
    let wanted: HashSet<&str> = params.iter().map(|param| param.name.as_str()).collect();
    let left: Vec<&str> = state
        .tensors
        .keys()
        .map(String::as_str)
        .filter(|name| !wanted.contains(name) && !name.ends_with("num_batches_tracked"))
        .collect();
    if !left.is_empty() {
        let more = if left.len() > 5 { format!(" and {} more", left.len() - 5) } else { String::new() };
        return Err(Error::UnknownArchitecture(format!(
            "the file fits {}, but also holds `{}`{more}, which that network does not have",
            spec.arch,
            left.iter().take(5).map(|name| shown(name)).collect::<Vec<_>>().join("`, `")
        )));
    }
    let mut tensors = IndexMap::with_capacity(params.len());
    for param in &params {
        // `get` above has found each of them, and names in a graph are unique.
        if let Some(tensor) = state.tensors.swap_remove(&param.name) {
            tensors.insert(param.name.clone(), tensor);
        }
    }
    Ok(StateDict { tensors, metadata: state.metadata })
}

/// Shapes by canonical name.
#[derive(Clone, Copy)]
struct Shapes<'a>(&'a IndexMap<String, HostTensor>);

impl<'a> Shapes<'a> {
    fn get(self, name: &str) -> Option<&'a [usize]> {
        self.0.get(name).map(|tensor| tensor.shape.as_slice())
    }

    fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A square kernel as `(out, in, size)`.
    fn conv(self, name: &str) -> Result<(usize, usize, usize)> {
        match self.get(name) {
            Some(&[o, i, height, width]) if height == width => Ok((o, i, height)),
            found => Err(Error::TensorMismatch {
                tensor: name.into(),
                expected: "a square convolution kernel [out, in, k, k]".into(),
                found: found.map_or("no tensor of that name".into(), |shape| format!("shape {shape:?}")),
            }),
        }
    }

    /// The block table these shapes describe, and what had to be assumed.
    fn table(self) -> Result<(ResNetSpec, Vec<String>)> {
        if !self.has("conv1.weight") || !self.has("layer1.0.conv1.weight") {
            self.unsupported()?;
            let names: Vec<String> = self.0.keys().map(|name| shown(name)).take(5).collect();
            return Err(Error::UnknownArchitecture(format!(
                "expected torchvision's names (`conv1.weight`, `layer1.0.conv1.weight`, ...), found `{}`",
                names.join("`, `")
            )));
        }
        self.unsupported()?;
        let pre_activation = self.has("norm.weight");
        let (stem_channels, image_channels, kernel) = self.conv("conv1.weight")?;
        let stem_norm = self.has("bn1.weight");
        let classes = self.get("fc.weight").and_then(|shape| shape.first().copied());

        let mut stages: Vec<Stage> = Vec::new();
        let (mut widened, mut projected, mut normed) = (false, false, false);
        let mut channels = stem_channels;
        while self.has(&format!("layer{}.0.conv1.weight", stages.len() + 1)) {
            let k = stages.len() + 1;
            let blocks = (0..).take_while(|unit| self.has(&format!("layer{k}.{unit}.conv1.weight"))).count();
            let (inner, _, _) = self.conv(&format!("layer{k}.0.conv1.weight"))?;
            let bottleneck = self.has(&format!("layer{k}.0.conv3.weight"));
            let (outer, _, _) = self.conv(&format!("layer{k}.0.conv{}.weight", if bottleneck { 3 } else { 2 }))?;
            let has_projection = self.has(&format!("layer{k}.0.downsample.0.weight"));
            projected |= has_projection;
            normed |= self.has(&format!("layer{k}.0.downsample.1.weight"));
            // The stride by rule: 2, except in the first stage. A projection that keeps the width must be there for a stride.
            let stride = if k == 1 { if has_projection && outer == channels { 2 } else { 1 } } else { 2 };
            widened |= outer != channels || stride != 1;
            stages.push(Stage { blocks, channels: outer, bottleneck: bottleneck.then_some(inner), stride });
            channels = outer;
        }
        let shortcut = match (projected, normed) {
            (true, true) => Shortcut::Projection,
            (true, false) => Shortcut::ProjectionWithoutNorm,
            (false, _) if widened => Shortcut::ZeroPad,
            (false, _) => Shortcut::Projection,
        };
        if shortcut != Shortcut::ZeroPad && !pre_activation {
            // A stage that keeps its width and has no projection keeps its resolution too.
            let mut before = stem_channels;
            for (k, stage) in stages.iter_mut().enumerate() {
                if stage.channels == before && !self.has(&format!("layer{}.0.downsample.0.weight", k + 1)) {
                    stage.stride = 1;
                }
                before = stage.channels;
            }
        }
        let bias = match (self.has("layer1.0.conv1.bias"), self.has("conv1.bias")) {
            (true, _) => ConvBias::Always,
            (false, true) => ConvBias::WithoutNorm,
            (false, false) => ConvBias::Never,
        };
        let small_stem = kernel < 7;
        let pool = StemPool { kernel: 3, stride: 2, padding: Padding::Symmetric, zeros: false };
        let depth = 2 + stages.iter().map(|s| s.blocks * if s.bottleneck.is_some() { 3 } else { 2 }).sum::<usize>();
        let spec = ResNetSpec {
            arch: format!("resnet{depth}-custom"),
            image_channels,
            stem: Stem {
                channels: stem_channels,
                kernel,
                stride: if small_stem { 1 } else { 2 },
                norm: stem_norm,
                relu: stem_norm || !pre_activation,
                pool: (!small_stem).then_some(pool),
            },
            stages,
            order: match (pre_activation, stem_norm) {
                (false, _) => BlockOrder::PostActivation,
                (true, false) => BlockOrder::PreActivation,
                (true, true) => BlockOrder::PreActivationRawProjection,
            },
            shortcut,
            stride_on: StrideOn::Conv3x3,
            stride_unit: StrideUnit::First,
            padding: Padding::Symmetric,
            bias,
            bn_eps: 1e-5,
            classes,
        };
        Ok(published(spec, depth))
    }

    /// An error for relatives of the ResNet that the builder cannot express, by their tell-tale tensors.
    fn unsupported(self) -> Result<()> {
        let feature = |text: &str| Err(Error::UnknownArchitecture(text.into()));
        let has_part = |part: &str| self.0.keys().any(|name| name.contains(part));
        if self.has("conv1.0.weight") {
            return feature("`conv1.0` is a stem of three 3x3 convolutions (ResNet-C, -D, -S), which is not supported");
        }
        if self.0.iter().any(|(name, tensor)| name.ends_with("downsample.1.weight") && tensor.shape.len() == 4) {
            return feature("`downsample.1` is a convolution behind an average pool (ResNet-D), which is not supported");
        }
        if has_part(".se.") || has_part(".se_module.") {
            return feature("its blocks have squeeze-and-excitation (`.se.`, SE-ResNet), which is not supported");
        }
        if has_part(".aa.") || has_part(".attn") {
            return feature("its blocks have blur pools or attention, which are not supported");
        }
        if self.has("stages.0.blocks.0.conv1.weight") || self.has("stem.conv.weight") {
            return feature(
                "the names are those of timm's `resnetv2_*`, whose weight-standardized convolutions are not supported; \
                 `resnet18` to `resnet152` are",
            );
        }
        if self.has("features.0.weight") && !self.has("conv1.weight") {
            return feature("the names (`features.0.weight`, ...) are those of a VGG, AlexNet or MobileNet, not of a ResNet");
        }
        if self.has("bn1.weight") && !self.has("bn1.running_mean") {
            return feature("`bn1` has no running mean: it may be a group norm, and only batch norm is supported");
        }
        if let (Some(&[width, ..]), Some(&[_, inputs, _, _])) =
            (self.get("layer1.0.conv1.weight"), self.get("layer1.0.conv2.weight"))
            && inputs != 0
            && inputs < width
            && width.is_multiple_of(inputs)
        {
            let groups = width / inputs;
            return feature(&format!("`layer1.0.conv2` is a convolution in {groups} groups (ResNeXt), which is not supported"));
        }
        Ok(())
    }
}

/// Completes a table with what no shape shows, from the published net of the same shapes if there is one.
fn published(mut spec: ResNetSpec, depth: usize) -> (ResNetSpec, Vec<String>) {
    let four = spec.stages.len() == 4;
    let candidates = match (spec.is_pre_activation(), four) {
        (false, true) => vec![ResNetSpec::v1(depth, StrideOn::Conv3x3, None)],
        (true, true) => vec![ResNetSpec::v2(depth, V2Dialect::Slim, None)],
        (false, false) => [CifarShortcut::ZeroPad, CifarShortcut::Projection, CifarShortcut::Keras]
            .map(|shortcut| ResNetSpec::cifar_v1(depth, shortcut, None))
            .into(),
        (true, false) => vec![ResNetSpec::cifar_v2(depth, None)],
    };
    let visible = |spec: &ResNetSpec| {
        let stages: Vec<_> = spec.stages.iter().map(|stage| (stage.blocks, stage.channels, stage.bottleneck)).collect();
        (spec.stem.channels, spec.stem.kernel, spec.stem.norm, stages, spec.shortcut, spec.bias, spec.is_pre_activation())
    };
    let mut assumed = Vec::new();
    if let Some(known) = candidates.into_iter().flatten().find(|known| visible(known) == visible(&spec)) {
        if known.arch.ends_with("-slim") {
            assumed.push("taken as a TF-slim v2 net; Keras' has the same shapes and pads its first pool with zeros".into());
        }
        let known = ResNetSpec { image_channels: spec.image_channels, classes: spec.classes, ..known };
        return (known, assumed);
    }
    if spec.is_pre_activation() {
        // Of the pre-activation nets, those with a large stem follow TF-slim and those with a small one Keras' CIFAR example.
        if spec.order == BlockOrder::PreActivation {
            spec.stride_unit = StrideUnit::Last;
            let last = spec.stages.len().saturating_sub(1);
            for (k, stage) in spec.stages.iter_mut().enumerate() {
                stage.stride = if k == last { 1 } else { 2 };
            }
            if let Some(pool) = &mut spec.stem.pool {
                pool.padding = Padding::Same;
            }
        } else {
            spec.stride_on = StrideOn::Conv1x1;
            spec.padding = Padding::Same;
            spec.bn_eps = 1e-3;
        }
    }
    if four
        && depth == 50
        && spec.stages.iter().zip([128, 256, 512, 1024]).all(|(stage, width)| stage.bottleneck == Some(width))
    {
        spec.arch = "wide_resnet50_2".into();
    } else if four
        && depth == 101
        && spec.stages.iter().zip([128, 256, 512, 1024]).all(|(s, width)| s.bottleneck == Some(width))
    {
        spec.arch = "wide_resnet101_2".into();
    } else {
        assumed.push(
            "a table of its own: strides (2 from the second stage on), stem and padding are assumed to follow the published nets; \
             save the table as `spec` in the file's metadata to be sure"
                .into(),
        );
    }
    (spec, assumed)
}

#[cfg(test)]
mod tests;
