//! Reads `tests/golden/values/train/*.safetensors` (see `tests/golden/train_values.py`): what PyTorch's f64 says a training
//! step does.

#![allow(dead_code)] // each test that includes this file uses its part

use std::path::Path;

use indexmap::IndexMap;
use reslab::device::Shape;
use reslab::model::ResNetSpec;
use reslab::ops::Optimizer;
use reslab::weights::{HostTensor, StateDict};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::generator;

/// The nets with golden training values.
pub const NAMES: [&str; 9] = [
    "resnet20",
    "resnet20v2",
    "resnet18",
    "resnet50",
    "resnet50v2-slim",
    "resnext14_4x4d",
    "resnet14d",
    "resnetv2_14",
    "preact-resnet10",
];

/// One net, its batch and what the reference says.
pub struct Case {
    /// `resnet20`.
    pub name: String,
    /// The block table.
    pub spec: ResNetSpec,
    /// The batch's shape.
    pub input: Shape,
    /// The generator's name for the batch.
    image: String,
    /// True class of each image.
    pub labels: Vec<u32>,
    /// `(N, classes)` with the batch's own statistics in every batch norm.
    pub logits: Vec<f32>,
    /// Mean softmax cross-entropy of the batch.
    pub loss: f32,
    /// Share of the batch's statistics in the running ones.
    pub momentum: f32,
    /// Whether the running variance takes the unbiased one, n / (n - 1).
    pub unbiased: bool,
    /// d loss / d parameter, by the parameter's name.
    pub gradients: Vec<Figures>,
    /// Running means and variances after one step, by name.
    pub statistics: Vec<Figures>,
    /// The first loss and those after each of 10 updates on the same batch, by optimizer.
    pub runs: Vec<Run>,
}

/// A tensor of the reference, or what was kept of it.
pub struct Figures {
    /// The tensor's name: `layer1.0.conv1.weight`.
    pub name: String,
    /// Its L2 norm.
    pub norm: f64,
    kept: Kept,
}

enum Kept {
    Whole(Vec<f32>),
    /// Too large: a few elements, and sums under random signs.
    Parts {
        probes: Vec<f32>,
        sketch: Vec<f32>,
    },
}

/// One optimizer's ten steps.
pub struct Run {
    /// `sgd`, `nesterov-l2`, `adam`, `adamw`.
    pub name: String,
    /// The rule.
    pub optimizer: Optimizer,
    /// Constant rate.
    pub learning_rate: f32,
    /// On every parameter; decoupled for AdamW, otherwise L2.
    pub weight_decay: f32,
    /// The loss after 0, 1, ..., 10 updates.
    pub losses: Vec<f32>,
}

/// The training case stored under `name`, one of [`NAMES`].
///
/// # Panics
/// When the file is missing or not as `tests/golden/train_values.py` writes it.
pub fn case(name: &str) -> Case {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/values/train");
    let path = folder.join(format!("{name}.safetensors"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors header");
    let metadata = header.metadata().as_ref().expect("metadata");
    let json = |key: &str| -> Value { serde_json::from_str(&metadata[key]).expect("JSON in the metadata") };
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let find = |tensor: &str| -> Option<Vec<f32>> {
        let data = file.tensor(tensor).ok()?;
        Some(data.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    };
    let floats = |tensor: &str| find(tensor).unwrap_or_else(|| panic!("{name}: no `{tensor}`"));

    let classes = json("classes").as_u64().expect("a number of classes") as usize;
    let spec = ResNetSpec::named(&metadata["arch"]).expect("a known architecture").with_classes(Some(classes));
    let [n, c, h, w]: [usize; 4] = serde_json::from_value(json("input")).expect("a shape");
    let figures = |kind: &str, trainable: bool| -> Vec<Figures> {
        let params = spec.build().expect("a valid table").params();
        let wanted = params.into_iter().filter(|param| param.trainable == trainable);
        wanted
            .map(|param| {
                let key = format!("{kind}.{}", param.name);
                let kept = match find(&key) {
                    Some(whole) => Kept::Whole(whole),
                    None => Kept::Parts { probes: floats(&format!("{key}.probes")), sketch: floats(&format!("{key}.sketch")) },
                };
                Figures { name: param.name, norm: f64::from(floats(&format!("{key}.norm"))[0]), kept }
            })
            .collect()
    };
    let bn = json("bn");
    Case {
        name: name.into(),
        input: Shape::new(n, c, h, w),
        image: metadata["image"].clone(),
        labels: (0..n).map(|i| ((7 * i + 3) % classes) as u32).collect(),
        logits: floats("logits"),
        loss: floats("loss")[0],
        momentum: number(&bn, "momentum"),
        unbiased: bn["unbiased"].as_bool().expect("a yes or no"),
        gradients: figures("grad", true),
        statistics: figures("stat", false),
        runs: json("runs").as_array().expect("a list of runs").iter().map(|how| run(how, &floats)).collect(),
        spec,
    }
}

fn number(object: &Value, key: &str) -> f32 {
    object[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {object}")) as f32
}

fn run(how: &Value, floats: &dyn Fn(&str) -> Vec<f32>) -> Run {
    let beta = |i: usize| how["betas"][i].as_f64().expect("a beta") as f32;
    let optimizer = match how["optimizer"].as_str() {
        Some("sgd") => {
            Optimizer::Sgd { momentum: number(how, "momentum"), nesterov: how["nesterov"].as_bool().expect("a yes or no") }
        }
        Some("adam") => Optimizer::Adam {
            beta1: beta(0),
            beta2: beta(1),
            eps: number(how, "eps"),
            uncorrected_eps: how["uncorrected_eps"].as_bool().unwrap_or(false),
        },
        Some("adamw") => Optimizer::AdamW { beta1: beta(0), beta2: beta(1), eps: number(how, "eps") },
        other => panic!("an unknown optimizer {other:?}"),
    };
    let name = how["name"].as_str().expect("a name").to_owned();
    Run {
        optimizer,
        learning_rate: number(how, "lr"),
        weight_decay: number(how, "weight_decay"),
        losses: floats(&format!("losses.{name}")),
        name,
    }
}

/// Parameters and running statistics as they are before the step: generated, and changed as `condition` in
/// `train_values.py` says, which keeps batch norm's outputs away from zero, where rounding would decide what a ReLU does.
pub fn conditioned(spec: &ResNetSpec) -> StateDict {
    let params = spec.build().expect("a valid table").params();
    let norms: Vec<String> =
        params.iter().filter_map(|param| param.name.strip_suffix(".running_var").map(str::to_owned)).collect();
    let mut tensors: IndexMap<String, HostTensor> = params
        .into_iter()
        .map(|param| {
            let data = generator::tensor(&param.name, &param.shape);
            (param.name, HostTensor::new(param.shape, data))
        })
        .collect();
    for name in &norms {
        let scale = if feeds_sum(name, &norms) { 0.125 } else { 1.0 };
        let weight = &mut tensors[&format!("{name}.weight")].data;
        let generated = weight.clone();
        weight.iter_mut().for_each(|w| *w *= scale);
        let bias = &mut tensors[&format!("{name}.bias")].data;
        for (channel, (b, w)) in bias.iter_mut().zip(generated).enumerate() {
            let away = if channel % 4 == 3 { -2.5 * w } else { 2.5 * w };
            *b = (*b + away) * scale;
        }
    }
    tensors["fc.weight"].data.iter_mut().for_each(|w| *w *= 2.0);
    StateDict { tensors, ..StateDict::default() }
}

impl Case {
    /// [`conditioned`] weights of its net.
    pub fn weights(&self) -> StateDict {
        conditioned(&self.spec)
    }

    /// The batch, NCHW.
    pub fn images(&self) -> Vec<f32> {
        let Shape { n, c, h, w } = self.input;
        generator::tensor(&self.image, &[n, c, h, w])
    }

    /// The optimizer run called `name`.
    pub fn run(&self, name: &str) -> &Run {
        self.runs.iter().find(|run| run.name == name).unwrap_or_else(|| panic!("{}: no run `{name}`", self.name))
    }

    /// The L2 distance of `ours` from the gradient `golden`, relative to its norm. A gradient that is exactly zero, as that of
    /// a bias in front of a batch norm, is measured by a thousandth of the norm of all gradients together.
    pub fn gradient_error(&self, golden: &Figures, ours: &[f32]) -> f64 {
        let all = self.gradients.iter().map(|g| g.norm * g.norm).sum::<f64>().sqrt();
        golden.distance(ours) / if golden.norm == 0.0 { 1e-3 * all } else { golden.norm }
    }
}

/// Whether the norm called `name` is the last before a residual sum, or before the classifier of a pre-activation net.
fn feeds_sum(name: &str, norms: &[String]) -> bool {
    if norms.iter().any(|norm| norm == "norm") {
        return name == "norm";
    }
    let Some((block, last)) = name.rsplit_once('.') else { return true };
    if block == "conv1" {
        return false; // in a stem of three convolutions
    }
    let Some(number) = last.strip_prefix("bn") else { return true }; // a projection's norm
    let next: u32 = number.parse::<u32>().expect("a number") + 1;
    !norms.contains(&format!("{block}.bn{next}"))
}

impl Figures {
    /// The L2 norm of `ours` minus the reference, relative to the reference's.
    pub fn relative_error(&self, ours: &[f32]) -> f64 {
        self.distance(ours) / self.norm
    }

    /// The L2 norm of `ours` minus the reference. Exact for a tensor that was kept in full; otherwise the root of an unbiased
    /// estimate of its square from the sketch, and at least what the probes show.
    fn distance(&self, ours: &[f32]) -> f64 {
        let l2 = |a: &mut dyn Iterator<Item = f64>, b: &[f32]| {
            a.zip(b).map(|(a, b)| (a - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
        };
        match &self.kept {
            Kept::Whole(whole) => {
                assert_eq!(ours.len(), whole.len(), "{}: another number of elements than the reference", self.name);
                l2(&mut ours.iter().map(|v| f64::from(*v)), whole)
            }
            Kept::Parts { probes, sketch: golden } => {
                let index = |j: u64| (j * 2_654_435_761 % ours.len() as u64) as usize;
                let at_probes = l2(&mut (0..).map(|j| f64::from(ours[index(j)])), probes);
                let sketched = l2(&mut sketch(ours).into_iter(), golden);
                at_probes.max(sketched / (SKETCH as f64).sqrt())
            }
        }
    }
}

/// Numbers in a sketch.
pub const SKETCH: usize = 16;

/// Sums of the elements under [`SKETCH`] fixed random signs, as `generator.sketch` in Python: sign k of element i is bit
/// 63 - k of splitmix64's output i for the name "sketch". The mean square of two sketches' difference estimates the squared
/// L2 norm of the tensors' difference.
pub fn sketch(values: &[f32]) -> [f64; SKETCH] {
    let seed = generator::seed_of("sketch");
    let mut sums = [0.0; SKETCH];
    for (i, &value) in (1..).zip(values) {
        let bits = generator::splitmix(seed, i);
        for (k, sum) in sums.iter_mut().enumerate() {
            // The sign bit of an f64 is its highest.
            *sum += f64::from_bits(f64::from(value).to_bits() ^ (bits << k & 1 << 63));
        }
    }
    sums
}
