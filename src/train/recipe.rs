//! Everything a training run is told: one plain value that the command line and the page fill in, that a checkpoint keeps, and
//! that together with the images and the first weights determines the result.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::init::Draws;
use super::{Init, Schedule};
use crate::model::graph::Param;
use crate::model::resnet::ResNetSpec;
use crate::ops::{Augmentation, LossKind, Optimizer, Statistics};
use crate::{Error, Result};

/// How to train. [`Default`] is for fine-tuning a pretrained network on a person's own images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Passes over the training images.
    pub epochs: u32,
    /// Images an optimizer step learns from.
    pub batch: u32,
    /// Parts that the batch is run in, one after the other, for less memory; divides `batch`. Gradients are those of the
    /// whole batch, but batch norm sees one part at a time.
    pub accumulation: u32,
    /// The rate that the schedule's factors apply to.
    pub learning_rate: f32,
    /// The rule of a step.
    pub optimizer: Optimizer,
    /// How the rate moves.
    pub schedule: Schedule,
    /// Pulls weights towards zero.
    pub weight_decay: WeightDecay,
    /// Longest gradient, all parameters together; a longer one is scaled down.
    pub clip_norm: Option<f32>,
    /// Which part of the network learns.
    pub depth: TrainDepth,
    /// Different rates for different parts.
    pub multipliers: RateMultipliers,
    /// What batch norm normalises with.
    pub bn_statistics: BnStatistics,
    /// Share of a batch in batch norm's running statistics; the network's own where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bn_momentum: Option<f32>,
    /// What is minimised, with its label smoothing.
    pub loss: LossKind,
    /// What an image of each class counts.
    pub class_weights: ClassWeights,
    /// How pictures are varied.
    pub augmentation: Augmentation,
    /// Share of the images put aside for validation where there is no set of its own; 0 for none.
    pub val_fraction: f32,
    /// Stop after this many epochs without a better validation.
    pub early_stopping: Option<u32>,
    /// The moving average of the weights, which then validates and is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<Ema>,
    /// Of the split, the order, augmentation and drawn weights.
    pub seed: u64,
    /// How drawn weights are distributed: all of a network from scratch, or a new head.
    pub init: Init,
    /// What the biases of convolutions and linear layers begin with, where that is not for [`init`](Self::init) to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_bias: Option<f32>,
    /// Blocks begin as the identity; from scratch only.
    pub zero_init_last_norm: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 32,
            accumulation: 1,
            learning_rate: 0.01,
            optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: true },
            schedule: Schedule::cosine(1.0),
            weight_decay: WeightDecay { value: 1e-4, decoupled: false, skip_norm_and_bias: true, skip_head: false },
            clip_norm: None,
            depth: TrainDepth::All,
            multipliers: RateMultipliers::default(),
            bn_statistics: BnStatistics::Auto,
            bn_momentum: None,
            loss: LossKind::default(),
            class_weights: ClassWeights::None,
            augmentation: Augmentation { flip: true, shift_px: 4, ..Augmentation::default() },
            val_fraction: 0.2,
            early_stopping: None,
            ema: None,
            seed: 1,
            init: Init::default(),
            init_bias: None,
            zero_init_last_norm: false,
        }
    }
}

/// An exponential moving average of the weights (Polyak and Juditsky 1992), as torchvision's training keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ema {
    /// Share of the old in each update, above 0 and below 1.
    pub decay: f64,
    /// Optimizer steps from one update to the next.
    pub steps: u32,
}

impl Ema {
    /// The share after so many updates: at first less, so that drawn weights are soon forgotten, as TensorFlow's `num_updates` does.
    pub fn decay_after(&self, updates: u64) -> f64 {
        let updates = updates as f64;
        self.decay.min((1.0 + updates) / (10.0 + updates))
    }
}

/// Weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightDecay {
    /// 0 for none.
    pub value: f32,
    /// Weights shrink by `rate * value` beside the step (Loshchilov and Hutter 2019) instead of `value * weight` being added to
    /// the gradient (L2: Keras' regularizer of `value / 2`, PyTorch's `weight_decay`). AdamW always does.
    pub decoupled: bool,
    /// Norms and biases are left as they are.
    pub skip_norm_and_bias: bool,
    /// So is the classifier (Keras' CIFAR-10 example regularises convolutions alone).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_head: bool,
}

/// Factors on the learning rate; 1 everywhere by default. A factor of 0 is refused: [`TrainDepth`] freezes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateMultipliers {
    /// Everything before the first stage.
    pub stem: f32,
    /// `layer1`, `layer2`, ...; stages beyond the list have 1.
    pub stages: Vec<f32>,
    /// The classifier, and the last norm of a pre-activation network.
    pub head: f32,
}

impl Default for RateMultipliers {
    fn default() -> Self {
        Self { stem: 1.0, stages: Vec::new(), head: 1.0 }
    }
}

/// How much of the network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum TrainDepth {
    /// The classifier alone.
    Head,
    /// `layerK` and everything behind it; the first stage is 1.
    FromStage(u32),
    /// Everything.
    #[default]
    All,
}

/// What batch norm normalises with during training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BnStatistics {
    /// The running statistics where fewer than [`FEW_IMAGES`] run at a time, otherwise the batch's.
    #[default]
    Auto,
    /// The batch's own; the running ones follow.
    Batch,
    /// The running ones, which stay.
    Frozen,
}

/// Below this, a batch's own statistics are too noisy to train with.
pub const FEW_IMAGES: u32 = 16;

/// What an image of each class counts in the loss.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// All the same.
    #[default]
    None,
    /// Every class as much as any other, however many images it has.
    Balanced,
    /// One number a class.
    List(Vec<f32>),
}

/// A network's part, as the depth of training and the multipliers see it.
enum Part {
    Stem,
    Stage(u32),
    /// The last norm of a pre-activation network.
    LastNorm,
    Head,
}

impl Part {
    /// Of a layer or parameter: `layer2.0.conv1.weight` belongs to stage 2.
    fn of(name: &str) -> Self {
        let first = name.split('.').next().unwrap_or(name);
        match first.strip_prefix("layer").map(str::parse) {
            Some(Ok(stage)) => Self::Stage(stage),
            _ if first == "fc" => Self::Head,
            _ if first == "norm" => Self::LastNorm,
            _ => Self::Stem,
        }
    }
}

/// Recipes of others, by the names that `--recipe` knows.
const NAMED: [(&str, &str); 5] = [
    ("keras-cifar", include_str!("recipes/keras-cifar.json")),
    ("slim", include_str!("recipes/slim.json")),
    ("labml", include_str!("recipes/labml.json")),
    ("tf51", include_str!("recipes/tf51.json")),
    ("torchvision", include_str!("recipes/torchvision.json")),
];

impl Recipe {
    /// Every name that [`named`](Self::named) knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.into_iter().map(|(name, _)| name)
    }

    /// Somebody else's recipe: `keras-cifar` (Keras' CIFAR-10 example), `slim` (TF-slim's defaults), `labml` (its CIFAR-10 experiment),
    /// `tf51` (the TensorFlow walk-through of `resnet50-51-classes`), `torchvision` (its reference training of the first weights).
    pub fn named(name: &str) -> Option<Self> {
        let (_, text) = NAMED.iter().find(|(known, _)| *known == name)?;
        serde_json::from_str(text).ok()
    }

    /// The name of the recipe that this network's code base trains it with, where it has one of its own.
    pub fn usual_for(spec: &ResNetSpec) -> Option<&'static str> {
        let arch = spec.arch.as_str();
        match arch {
            "resnet50-51-classes" => Some("tf51"),
            _ if arch.starts_with("labml") => Some("labml"),
            _ if arch.ends_with("-slim") => Some("slim"),
            _ if spec.bn_eps == 1e-3 => Some("keras-cifar"),
            _ => None,
        }
    }

    /// How weights are drawn.
    pub fn draws(&self) -> Draws {
        Draws { init: self.init, bias: self.init_bias }
    }

    /// Images that run through the network at a time.
    pub fn micro_batch(&self) -> u32 {
        self.batch / self.accumulation.max(1)
    }

    /// Whether the parameters of this layer learn.
    pub fn trains(&self, layer: &str) -> bool {
        match (self.depth, Part::of(layer)) {
            (TrainDepth::All, _) | (_, Part::Head) => true,
            (TrainDepth::FromStage(first), Part::Stage(stage)) => stage >= first,
            (TrainDepth::FromStage(_), Part::LastNorm) => true,
            (TrainDepth::FromStage(_), Part::Stem) | (TrainDepth::Head, _) => false,
        }
    }

    /// Factor on the learning rate of this layer.
    pub fn rate_multiplier(&self, layer: &str) -> f32 {
        let RateMultipliers { stem, stages, head } = &self.multipliers;
        match Part::of(layer) {
            Part::Stem => *stem,
            Part::Stage(stage) => (stage as usize).checked_sub(1).and_then(|k| stages.get(k)).copied().unwrap_or(1.0),
            Part::LastNorm | Part::Head => *head,
        }
    }

    /// Weight decay of this parameter.
    pub fn decay(&self, param: &Param) -> f32 {
        // Of all parameters only the kernels of convolutions and the classifier's weight have more than one axis.
        let spared = self.weight_decay.skip_norm_and_bias && param.shape.len() < 2
            || self.weight_decay.skip_head && matches!(Part::of(&param.name), Part::Head);
        if spared { 0.0 } else { self.weight_decay.value }
    }

    /// Whether decay acts beside the step instead of through the gradient.
    pub fn decays_decoupled(&self) -> bool {
        self.weight_decay.decoupled || matches!(self.optimizer, Optimizer::AdamW { .. })
    }

    /// What batch norm does in a training step of this network.
    pub fn statistics(&self, spec: &ResNetSpec) -> Statistics {
        match self.bn_statistics {
            BnStatistics::Frozen => Statistics::Running,
            BnStatistics::Auto if self.micro_batch() < FEW_IMAGES => Statistics::Running,
            BnStatistics::Auto | BnStatistics::Batch => {
                let (momentum, unbiased) = spec.norm_rule();
                Statistics::Batch { momentum: self.bn_momentum.unwrap_or(momentum), unbiased }
            }
        }
    }

    /// The same for the images that are left of an epoch: a single one says nothing about the others, and leaves the statistics alone.
    pub fn rest_statistics(&self, spec: &ResNetSpec, images: u32) -> Statistics {
        match self.statistics(spec) {
            Statistics::Batch { .. } if images == 1 => Statistics::Running,
            Statistics::Batch { .. } if self.bn_statistics == BnStatistics::Auto && images < FEW_IMAGES => Statistics::Running,
            statistics => statistics,
        }
    }

    /// # Errors
    /// [`Error::Usage`] naming the first number that makes no sense.
    pub fn validate(&self) -> Result<()> {
        let check = |ok: bool, message: &dyn Fn() -> String| if ok { Ok(()) } else { Err(Error::Usage(message())) };
        check(self.epochs > 0, &|| "0 epochs train nothing; give at least 1".into())?;
        check((1..=65_536).contains(&self.batch), &|| {
            format!("a batch of {} images cannot be used; give a number from 1 to 65536", self.batch)
        })?;
        check(self.accumulation > 0 && self.batch.is_multiple_of(self.accumulation), &|| {
            format!("a batch of {} images cannot be run in {} equal parts; give a divisor", self.batch, self.accumulation)
        })?;
        check(self.learning_rate.is_finite() && self.learning_rate > 0.0, &|| {
            format!("a learning rate of {} does not learn; give a positive number like 0.01", self.learning_rate)
        })?;
        self.optimizer.validate()?;
        self.schedule.validate(self.epochs)?;
        let decay = self.weight_decay.value;
        check(decay.is_finite() && decay >= 0.0, &|| {
            format!("a weight decay of {decay} cannot be used; give 0 or a small positive number like 0.0001")
        })?;
        check(self.clip_norm.is_none_or(|norm| norm.is_finite() && norm > 0.0), &|| {
            format!("a gradient cannot be clipped to a norm of {:?}; give a positive number like 1", self.clip_norm)
        })?;
        check(self.bn_momentum.is_none_or(|share| share > 0.0 && share <= 1.0), &|| {
            format!(
                "a batch norm momentum of {:?} cannot be used; give the share of a batch, above 0 and up to 1 (PyTorch's is 0.1, Keras' \
                 0.99 is 0.01 here)",
                self.bn_momentum
            )
        })?;
        check(self.depth != TrainDepth::FromStage(0), &|| "stages are counted from 1; `all` trains the stem too".into())?;
        let RateMultipliers { stem, stages, head } = &self.multipliers;
        let odd = [stem, head].into_iter().chain(stages).find(|m| !(m.is_finite() && **m > 0.0));
        check(odd.is_none(), &|| {
            format!(
                "a multiplier of {} on the learning rate cannot be used; give a positive number, and choose with the depth \
                 of training what stays as it is",
                odd.copied().unwrap_or_default()
            )
        })?;
        self.loss.validate()?;
        if let ClassWeights::List(weights) = &self.class_weights {
            let fine = weights.iter().all(|w| w.is_finite() && *w >= 0.0) && weights.iter().any(|w| *w > 0.0);
            check(fine, &|| "class weights must be numbers of 0 or more, and one of them above 0".into())?;
        }
        check(self.init_bias.is_none_or(f32::is_finite), &|| "biases can only begin with a finite number, like 0.01".into())?;
        self.augmentation.validate()?;
        check((0.0..1.0).contains(&self.val_fraction), &|| {
            format!(
                "a validation fraction of {} cannot be used; give a number from 0 (train on everything) to below 1",
                self.val_fraction
            )
        })?;
        check(self.ema.is_none_or(|ema| ema.decay > 0.0 && ema.decay < 1.0 && ema.steps > 0), &|| {
            "a moving average wants a decay above 0 and below 1, like 0.999, and at least 1 step between two updates".into()
        })?;
        check(self.early_stopping != Some(0), &|| "early stopping needs at least 1 epoch of patience".into())
    }

    /// [`validate`](Self::validate), and whether the recipe fits this network.
    ///
    /// # Errors
    /// [`Error::Usage`] saying what does not.
    pub fn validate_for(&self, spec: &ResNetSpec) -> Result<()> {
        self.validate()?;
        let stages = spec.stages.len();
        let Some(classes) = spec.classes else {
            return Err(Error::Usage(format!("{} ends in features; give it classes to train it", spec.arch)));
        };
        if !spec.classifies() {
            return Err(Error::Usage(format!(
                "{} has no pool, so it has logits for every pixel; give it one to train it",
                spec.arch
            )));
        }
        if let TrainDepth::FromStage(stage) = self.depth
            && stage as usize > stages
        {
            return Err(Error::Usage(format!("{} has {stages} stages; there is no stage {stage} to train from", spec.arch)));
        }
        if self.multipliers.stages.len() > stages {
            let given = self.multipliers.stages.len();
            return Err(Error::Usage(format!("{} has {stages} stages, but {given} multipliers were given", spec.arch)));
        }
        match &self.class_weights {
            ClassWeights::List(weights) if weights.len() != classes => {
                Err(Error::Usage(format!("there are {classes} classes, but {} class weights", weights.len())))
            }
            _ => Ok(()),
        }
    }
}

impl ClassWeights {
    /// The weight of each class, for so many training images of each. Balanced weights are scikit-learn's,
    /// `images / (classes * images of the class)`; a class without images has 0.
    pub fn resolve(&self, counts: &[u64]) -> Vec<f32> {
        let images: u64 = counts.iter().sum();
        let balanced = |&count: &u64| match count {
            0 => 0.0,
            count => (images as f64 / (counts.len() as f64 * count as f64)) as f32,
        };
        match self {
            Self::None => vec![1.0; counts.len()],
            Self::Balanced => counts.iter().map(balanced).collect(),
            Self::List(weights) => weights.clone(),
        }
    }
}

/// `head`, `stage3`, `all`.
impl fmt::Display for TrainDepth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => write!(f, "head"),
            Self::FromStage(stage) => write!(f, "stage{stage}"),
            Self::All => write!(f, "all"),
        }
    }
}

impl FromStr for TrainDepth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("stage").map(str::parse)) {
            ("head", _) => Ok(Self::Head),
            ("all", _) => Ok(Self::All),
            (_, Some(Ok(stage))) if stage > 0 => Ok(Self::FromStage(stage)),
            _ => Err(Error::Unknown {
                kind: "depth of training",
                name: text.into(),
                known: "head, stage1, stage2, ... (that stage and everything behind it), all".into(),
            }),
        }
    }
}

impl From<TrainDepth> for String {
    fn from(depth: TrainDepth) -> Self {
        depth.to_string()
    }
}

impl TryFrom<String> for TrainDepth {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests;
