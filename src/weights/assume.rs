//! What no name and no shape tells of a network, who may tell it, and the sentence where nobody did.

use serde::{Deserialize, Serialize};

use super::contents::{Facts, Form};
use super::known::{self, Config, Named};
use super::shapes::{same_shapes, with_ends_of};
use crate::model::published::POOL;
use crate::model::resnet::{BlockOrder, ConvBias, ResNetSpec, Shortcut, Stage, Stem, StemPool, StrideOn, V2Dialect};
use crate::{Error, Result};

/// What a person says of a file that the file does not say itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Choices {
    /// It is the network of this name (`resnet50-caffe`, `resnetv2_50`).
    #[serde(rename = "as")]
    pub named: Option<String>,
    /// Step of the first convolution.
    pub stem_stride: Option<usize>,
    /// Whether a max pool follows it.
    pub stem_pool: Option<bool>,
    /// Which convolution of a bottleneck block carries the stride.
    pub stride_on: Option<StrideOn>,
    /// Averaged weights, where the file holds both: by default they are taken.
    pub ema: Option<bool>,
    /// Which network of several: what its names begin with.
    pub prefix: Option<String>,
}

impl Choices {
    /// Nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Who told what no shape shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    /// The whole network.
    net: bool,
    stem: bool,
    pool: bool,
    stride_on: bool,
}

/// Settles what the shapes left open: by the person's choices, else by a config, else by names and layers in the file. The sentences
/// say what is still assumed.
///
/// # Errors
/// [`Error::UnknownArchitecture`] for a net that its name calls one we cannot build, [`Error::Usage`] for choices that do not fit.
pub(super) fn settle(
    mut spec: ResNetSpec,
    is_published: bool,
    choices: &Choices,
    config: Option<&Config>,
    facts: &Facts,
    prefix: &str,
    notes: &mut Vec<String>,
) -> Result<(ResNetSpec, Vec<String>)> {
    let mut told = Told::default();
    if let Some(name) = &choices.named {
        spec = chosen(name, &spec)?;
        told.net = true;
    } else if let Some(form) = facts.form {
        let (net, known) = of_form(&spec, form)?;
        (spec, told.net) = (net, known);
        if !known && choices.is_empty() {
            let whose = whose(form);
            let sentence = format!(
                "its layers have {whose} names, but it is none of its nets: strides, pools and epsilon were taken as theirs"
            );
            return Ok((spec, vec![sentence]));
        }
    } else if let Some(net) = hinted(&spec, config, facts, notes)? {
        spec = net;
        told.net = true;
    } else {
        layers(&mut spec, facts, prefix, &mut told)?;
    }
    if let Some(stride) = choices.stem_stride {
        (spec.stem.stride, told.stem) = (stride, true);
    }
    if let Some(pool) = choices.stem_pool {
        let usual = StemPool { ..POOL };
        spec.stem.pool = pool.then(|| spec.stem.pool.unwrap_or(usual));
        told.pool = true;
    }
    if let Some(stride_on) = choices.stride_on {
        if spec.stages.iter().all(|stage| stage.bottleneck.is_none()) {
            return Err(Error::Usage("--stride-on is about bottleneck blocks, and this network has none: leave it out".into()));
        }
        (spec.stride_on, told.stride_on) = (stride_on, true);
    }
    if !told.net && (told.stem || told.pool || told.stride_on) && !facts_only(choices) && is_published {
        spec.arch = format!("{}-custom", spec.arch.trim_end_matches("-custom"));
    }
    let assumed = if told.net { Vec::new() } else { sentences(&spec, is_published, told) };
    Ok((spec, assumed))
}

/// Whether nothing was chosen that changes the table.
fn facts_only(choices: &Choices) -> bool {
    choices.stem_stride.is_none() && choices.stem_pool.is_none() && choices.stride_on.is_none()
}

/// The network a person named.
fn chosen(name: &str, spec: &ResNetSpec) -> Result<ResNetSpec> {
    match known::named(name) {
        Named::Net(net) => {
            if !same_shapes(&net, spec) {
                return Err(Error::Usage(format!(
                    "--as {name} does not fit: this file's tensors have the shapes of `{}`, those of {name} are others",
                    spec.arch
                )));
            }
            Ok(with_ends_of(*net, spec))
        }
        Named::Other(what) => Err(Error::UnknownArchitecture(format!("{name} is {what}"))),
        Named::Unknown => Err(Error::Unknown {
            kind: "architecture",
            name: name.into(),
            known: crate::model::resnet::NAMED.join(", ")
                + ", resnet26, resnet26d, resnet101s, resnext101_32x8d, wide_resnet101_2, resnetv2_101, resnetv2_50d, \
                   resnet18-3x3, preact-resnet18",
        }),
    }
}

fn whose(form: Form) -> &'static str {
    if form.is_keras() { "Keras Applications'" } else { "TF-slim's" }
}

/// The table of this form with these shapes, and whether it is one of its published nets.
fn of_form(spec: &ResNetSpec, form: Form) -> Result<(ResNetSpec, bool)> {
    let post = spec.order == BlockOrder::PostActivation;
    let fits = match form {
        Form::KerasV1 | Form::KerasOld => post && spec.bias == ConvBias::Always,
        Form::SlimV1 => post && spec.bias == ConvBias::Never,
        Form::KerasV2 | Form::SlimV2 => {
            spec.order == BlockOrder::PreActivation && spec.bias == ConvBias::WithoutNorm && spec.final_norm
        }
    };
    if !fits || spec.stages.iter().any(|stage| stage.bottleneck.is_none()) || spec.groups != 1 {
        return Err(Error::UnknownArchitecture(format!(
            "its layers have the names of {} ResNets, but not their biases, norms and bottleneck blocks: a net of another kind, which is \
             not supported",
            whose(form)
        )));
    }
    let published = |depth: usize| match form {
        Form::KerasV1 => ResNetSpec::keras_v1(depth, None),
        Form::KerasOld => {
            let net = ResNetSpec::keras_v1(depth, None)?;
            Ok(ResNetSpec { arch: format!("{}-custom", net.arch), bn_eps: 1e-3, ..net })
        }
        Form::KerasV2 => ResNetSpec::v2(depth, V2Dialect::Keras, None),
        Form::SlimV1 => ResNetSpec::slim_v1(depth, None),
        Form::SlimV2 => ResNetSpec::v2(depth, V2Dialect::Slim, None),
    };
    let depth = spec.depth();
    if let Ok(net) = published(depth)
        && same_shapes(&net, spec)
    {
        return Ok((with_ends_of(net, spec), true));
    }
    // The same functions make nets of other sizes.
    let like = published(50)?;
    let last = spec.stages.len().saturating_sub(1);
    let stride = |k: usize| match form {
        Form::KerasV1 | Form::KerasOld if k == 0 => 1,
        Form::KerasV2 | Form::SlimV1 | Form::SlimV2 if k == last => 1,
        _ => 2,
    };
    let stages = spec.stages.iter().enumerate().map(|(k, stage)| Stage { stride: stride(k), ..*stage }).collect();
    let stem = Stem { channels: spec.stem.channels, ..like.stem };
    let arch = format!("{}-custom", like.arch.trim_end_matches("-custom").replace("50", &depth.to_string()));
    Ok((with_ends_of(ResNetSpec { arch, stem, stages, ..like }, spec), false))
}

/// The network that a config or a name in the file tells, where it has these shapes.
fn hinted(spec: &ResNetSpec, config: Option<&Config>, facts: &Facts, notes: &mut Vec<String>) -> Result<Option<ResNetSpec>> {
    if let Some(config) = config {
        if let Some(refused) = &config.refused {
            return Err(Error::UnknownArchitecture(refused.clone()));
        }
        if let Some(net) = &config.spec {
            if same_shapes(net, spec) {
                let standard = net.stride_on == StrideOn::Conv3x3 && net.stages.first().is_some_and(|stage| stage.stride == 1);
                let arch =
                    if standard { spec.arch.clone() } else { format!("{}-custom", spec.arch.trim_end_matches("-custom")) };
                return Ok(Some(ResNetSpec { arch, ..with_ends_of(net.clone(), spec) }));
            }
            notes.push("the config.json beside it describes another network and was not used".into());
        }
    }
    let names = config.and_then(|config| config.arch.as_ref()).into_iter().chain(&facts.arch);
    for name in names {
        match known::named(name) {
            Named::Net(net) if same_shapes(&net, spec) => return Ok(Some(with_ends_of(*net, spec))),
            Named::Other(what) => return Err(Error::UnknownArchitecture(format!("it is `{}`, {what}", super::shown(name)))),
            _ => {}
        }
    }
    Ok(None)
}

/// What the layers of a pickled module tell: strides, pools, epsilon. What they are is refused where it cannot be built.
fn layers(spec: &mut ResNetSpec, facts: &Facts, prefix: &str, told: &mut Told) -> Result<()> {
    let at = |name: &str| facts.modules.get(&format!("{prefix}{name}"));
    let stride = |name: &str| at(name).and_then(|conv| conv.stride);
    let Some(stem) = stride("conv1").or_else(|| stride("conv1.0")) else { return Ok(()) };
    let below = |path: &String| prefix.is_empty() || path.starts_with(prefix.trim_end_matches('.'));
    for (path, module) in facts.modules.iter().filter(|(path, _)| below(path)) {
        let name = module.class.1.as_str();
        let activation = module.class.0.contains("activation") && !["ReLU", "Softmax", "LogSoftmax", "Sigmoid"].contains(&name);
        if activation || name.to_ascii_lowercase().contains("blur") || name == "GroupNorm" {
            return Err(Error::UnknownArchitecture(format!(
                "`{}` is a layer of class `{}`, which is not supported",
                super::shown(path),
                super::shown(name)
            )));
        }
        if module.dilation.is_some_and(|dilation| dilation > 1) && name == "Conv2d" {
            return Err(Error::UnknownArchitecture(format!(
                "`{}` is a dilated convolution, which is not supported",
                super::shown(path)
            )));
        }
    }
    spec.stem.stride = stem;
    let pool = at("maxpool").filter(|module| module.class.1 == "MaxPool2d");
    spec.stem.pool = pool.map(|_| spec.stem.pool.unwrap_or(POOL));
    (told.stem, told.pool) = (true, true);
    if let Some(eps) = at("bn1").and_then(|norm| norm.eps) {
        spec.bn_eps = eps as f32;
    }
    let first = |k: usize, j: usize| at(&format!("layer{k}.0.conv{j}")).and_then(|conv| conv.stride);
    for k in 1..=spec.stages.len() {
        let strides = (first(k, 1), first(k, 2));
        if let (Some(a), Some(b)) = strides {
            spec.stages[k - 1].stride = a.max(b);
            if spec.stages[k - 1].bottleneck.is_some() && a.max(b) > 1 {
                spec.stride_on = if a > 1 { StrideOn::Conv1x1 } else { StrideOn::Conv3x3 };
                told.stride_on = true;
            }
        }
    }
    told.net = told.stride_on || spec.stages.iter().all(|stage| stage.bottleneck.is_none());
    Ok(())
}

/// What is assumed, for the person.
fn sentences(spec: &ResNetSpec, is_published: bool, told: Told) -> Vec<String> {
    let mut parts = Vec::new();
    if !told.stem {
        let stem = &spec.stem;
        let what = if stem.deep.is_some() { "a stem of three convolutions, the first" } else { "a first convolution" };
        parts.push(format!("{what} of {0}x{0} with stride {1}", stem.kernel, stem.stride));
    }
    if !told.pool {
        parts.push(if spec.stem.pool.is_some() { "a max pool after it" } else { "no max pool after it" }.to_string());
    }
    if !told.stride_on && spec.stages.iter().any(|stage| stage.bottleneck.is_some()) {
        parts.push(match spec.stride_on {
            StrideOn::Conv3x3 => {
                "strides on the 3x3 convolutions (the paper's, Caffe's and Keras' nets have them on the 1x1)".into()
            }
            StrideOn::Conv1x1 => "strides on the first 1x1 convolutions".to_string(),
        });
    }
    if spec.shortcut == Shortcut::AveragePool {
        parts.push("average pools of 2x2 in the shortcuts where a stage halves the picture".into());
    }
    parts.push("no dilation, no blur pools, average pooling at the end".into());
    let last = parts.pop().unwrap_or_default();
    let what = if is_published {
        format!("no name or shape in the file tells it from others of these shapes: it was taken as {}", spec.arch)
    } else {
        "a table of its own, with strides of 2 from the second stage on".to_string()
    };
    let mut sentences = vec![format!("{what}, with {} and {last}", parts.join(", ")).replace("with  and ", "with ")];
    if spec.arch.ends_with("v2-slim") {
        sentences.push("taken as a TF-slim v2 net; Keras' has the same shapes and pads its first pool with zeros".into());
    }
    if spec.shortcut == Shortcut::ZeroPad {
        sentences.push("zero channels of its shortcuts were taken to be on both sides of the old ones".into());
    }
    sentences
}
