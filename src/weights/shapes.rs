//! A block table out of names and shapes, and the published net they belong to.
//!
//! Blocks are counted, widths read off the kernels, the kind of shortcut off `downsample.*`. What leaves no trace in a shape (where a
//! block's stride is, a stem's pool, epsilon) comes from the published family; [`super::assume`] says so.

use indexmap::IndexMap;

use super::{HostTensor, shown};
use crate::model::graph::Padding;
use crate::model::published::{self, POOL};
use crate::model::resnet::{
    BlockOrder, CifarShortcut, ConvBias, Pool, ResNetSpec, Shortcut, Stage, Stem, StrideOn, StrideUnit, V2Dialect,
};
use crate::{Error, Result};

/// Shapes by canonical name.
#[derive(Clone, Copy)]
pub(super) struct Shapes<'a>(pub &'a IndexMap<String, HostTensor>);

impl<'a> Shapes<'a> {
    pub fn get(self, name: &str) -> Option<&'a [usize]> {
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

    /// Number of classes, and the widths of the head's hidden layers.
    pub fn head(self) -> (Option<usize>, Vec<usize>) {
        let outputs = |name: &str| self.get(name).and_then(|shape| shape.first().copied());
        if let Some(classes) = outputs("fc.weight") {
            return (Some(classes), Vec::new());
        }
        let mut widths: Vec<usize> = (0..).map_while(|i| outputs(&format!("fc.{}.weight", 2 * i))).collect();
        (widths.pop(), widths)
    }

    /// The block table these shapes describe, without the strides that no shape shows.
    pub fn table(self) -> Result<ResNetSpec> {
        let deep = self.has("conv1.0.weight") && !self.has("conv1.weight");
        if !(deep || self.has("conv1.weight")) || !self.has("layer1.0.conv1.weight") {
            let names: Vec<String> = self.0.keys().map(|name| shown(name)).take(5).collect();
            return Err(Error::UnknownArchitecture(format!(
                "expected torchvision's names (`conv1.weight`, `layer1.0.conv1.weight`, ...), found `{}`",
                names.join("`, `")
            )));
        }
        let (mut stem_channels, image_channels, kernel) = self.conv(if deep { "conv1.0.weight" } else { "conv1.weight" })?;
        let deep = if deep {
            let widths = [stem_channels, self.conv("conv1.3.weight")?.0];
            stem_channels = self.conv("conv1.6.weight")?.0;
            Some(widths)
        } else {
            None
        };
        let stem_norm = self.has("bn1.weight");
        // A norm before the first convolution has the width of what comes in.
        let final_norm = self.has("norm.weight");
        let pre_activation = final_norm || (!stem_norm && self.has("layer1.0.bn1.weight"));
        let (classes, head) = self.head();

        let mut stages: Vec<Stage> = Vec::new();
        let (mut widened, mut projected, mut normed, mut averaged, mut wide, mut groups) =
            (false, false, false, false, false, 1);
        let mut channels = stem_channels;
        while self.has(&format!("layer{}.0.conv1.weight", stages.len() + 1)) {
            let k = stages.len() + 1;
            let blocks = (0..).take_while(|unit| self.has(&format!("layer{k}.{unit}.conv1.weight"))).count();
            let (inner, _, _) = self.conv(&format!("layer{k}.0.conv1.weight"))?;
            let bottleneck = self.has(&format!("layer{k}.0.conv3.weight"));
            if k == 1 && bottleneck {
                let (_, inputs, _) = self.conv("layer1.0.conv2.weight")?;
                groups = if inputs > 0 && inner.is_multiple_of(inputs) { inner / inputs } else { 1 };
            }
            let (outer, _, _) = self.conv(&format!("layer{k}.0.conv{}.weight", if bottleneck { 3 } else { 2 }))?;
            let averages = self.has(&format!("layer{k}.0.downsample.1.weight"))
                && self.get(&format!("layer{k}.0.downsample.1.weight")).is_some_and(|shape| shape.len() == 4);
            averaged |= averages;
            let has_projection = averages || self.has(&format!("layer{k}.0.downsample.0.weight"));
            projected |= has_projection;
            normed |= self.has(&format!("layer{k}.0.downsample.1.weight"));
            wide |= self.conv(&format!("layer{k}.0.downsample.0.weight")).is_ok_and(|(_, _, kernel)| kernel == 3);
            // The stride by rule: 2, except in the first stage. A projection that keeps the width must be there for a stride.
            let stride = if k == 1 { if has_projection && outer == channels { 2 } else { 1 } } else { 2 };
            widened |= outer != channels || stride != 1;
            stages.push(Stage { blocks, channels: outer, bottleneck: bottleneck.then_some(inner), stride });
            channels = outer;
        }
        let shortcut = match (projected, normed) {
            _ if averaged => Shortcut::AveragePool,
            _ if wide => Shortcut::Projection3x3,
            (true, true) => Shortcut::Projection,
            (true, false) => Shortcut::ProjectionWithoutNorm,
            (false, _) if pre_activation => Shortcut::ProjectionWithoutNorm,
            (false, _) if widened => Shortcut::ZeroPad,
            (false, _) => Shortcut::Projection,
        };
        if shortcut != Shortcut::ZeroPad && !pre_activation {
            // A stage that keeps its width and has no projection keeps its resolution too.
            let mut before = stem_channels;
            for (k, stage) in stages.iter_mut().enumerate() {
                let projection = |i: usize| self.has(&format!("layer{}.0.downsample.{i}.weight", k + 1));
                if stage.channels == before && !projection(0) && !projection(1) {
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
        let small_stem = kernel < 7 && deep.is_none();
        let spec = ResNetSpec {
            arch: String::new(),
            image_channels,
            stem: Stem {
                channels: stem_channels,
                kernel,
                stride: if small_stem { 1 } else { 2 },
                deep,
                norm: stem_norm,
                relu: stem_norm || !pre_activation,
                pool: (!small_stem).then_some(POOL),
            },
            stages,
            order: match (pre_activation, stem_norm) {
                (false, _) => BlockOrder::PostActivation,
                (true, false) => BlockOrder::PreActivation,
                (true, true) => BlockOrder::PreActivationRawProjection,
            },
            shortcut,
            groups,
            stride_on: StrideOn::Conv3x3,
            stride_unit: StrideUnit::First,
            padding: Padding::Symmetric,
            bias,
            bn_eps: 1e-5,
            bn_momentum: None,
            bn_unbiased: None,
            pool: Pool::Global,
            final_norm: final_norm || !pre_activation,
            head,
            classes,
        };
        Ok(ResNetSpec { arch: format!("resnet{}-custom", spec.depth()), ..spec })
    }
}

/// What a checkpoint shows of a table.
pub(super) fn same_shapes(a: &ResNetSpec, b: &ResNetSpec) -> bool {
    let visible = |spec: &ResNetSpec| {
        let stages: Vec<_> = spec.stages.iter().map(|stage| (stage.blocks, stage.channels, stage.bottleneck)).collect();
        let stem = (spec.stem.channels, spec.stem.kernel, spec.stem.deep, spec.stem.norm);
        (stem, stages, spec.shortcut, spec.groups, spec.bias, spec.is_pre_activation(), spec.final_norm)
    };
    visible(a) == visible(b)
}

/// `known` with the head and the image channels of `spec`.
pub(super) fn with_ends_of(known: ResNetSpec, spec: &ResNetSpec) -> ResNetSpec {
    ResNetSpec { image_channels: spec.image_channels, classes: spec.classes, head: spec.head.clone(), ..known }
}

/// labml's net of these stages: it alone has biases everywhere and halves the picture in a first stage that keeps its width.
fn labml(spec: &ResNetSpec) -> Option<ResNetSpec> {
    if spec.bias != ConvBias::Always || spec.stages.first()?.stride != 2 {
        return None;
    }
    let blocks: Vec<usize> = spec.stages.iter().map(|stage| stage.blocks).collect();
    let channels: Vec<usize> = spec.stages.iter().map(|stage| stage.channels).collect();
    let widths: Option<Vec<usize>> = spec.stages.iter().map(|stage| stage.bottleneck).collect();
    let plain = ResNetSpec::named("labml").ok().filter(|plain| same_shapes(plain, spec));
    plain.or_else(|| ResNetSpec::labml(&blocks, &channels, widths.as_deref(), spec.stem.kernel, None).ok())
}

/// Completes a table with what no shape shows, from the published net of the same shapes if there is one. Says whether there is.
pub(super) fn published(mut spec: ResNetSpec) -> (ResNetSpec, bool) {
    let depth = spec.depth();
    let four = spec.stages.len() == 4;
    let bottleneck = spec.stages.first().is_some_and(|stage| stage.bottleneck.is_some());
    let residual_block = format!("resnet{depth}-residual-block");
    let mut candidates = match (spec.is_pre_activation(), four) {
        (false, true) => vec![
            published::v1(depth, bottleneck),
            published::variation(&published::likely_name(&spec)),
            ResNetSpec::keras_v1(depth, None).ok(),
            ResNetSpec::named(&residual_block).ok(),
        ],
        (true, true) => {
            vec![ResNetSpec::v2(depth, V2Dialect::Slim, None).ok(), published::variation(&published::likely_name(&spec))]
        }
        (false, false) => [CifarShortcut::ZeroPad, CifarShortcut::Projection, CifarShortcut::Keras]
            .map(|shortcut| ResNetSpec::cifar_v1(depth, shortcut, None).ok())
            .into_iter()
            .chain([ResNetSpec::named(&residual_block).ok()])
            .collect(),
        (true, false) => vec![ResNetSpec::cifar_v2(depth, None).ok()],
    };
    candidates.push(labml(&spec));
    if let Some(known) = candidates.into_iter().flatten().find(|known| same_shapes(known, &spec)) {
        return (with_ends_of(known, &spec), true);
    }
    if spec.order == BlockOrder::PreActivation && spec.bias != ConvBias::Never {
        // TF-slim's form: its nets have biases.
        spec.stride_unit = StrideUnit::Last;
        let last = spec.stages.len().saturating_sub(1);
        for (k, stage) in spec.stages.iter_mut().enumerate() {
            stage.stride = if k == last { 1 } else { 2 };
        }
        if let Some(pool) = &mut spec.stem.pool {
            pool.padding = Padding::Same;
        }
    } else if spec.order == BlockOrder::PreActivationRawProjection {
        // Keras' CIFAR example.
        spec.stride_on = StrideOn::Conv1x1;
        spec.padding = Padding::Same;
        spec.bn_eps = 1e-3;
    }
    if let Some(name) = super::known::name_of(&spec) {
        spec.arch = name;
        return (spec, true);
    }
    (spec, false)
}
