//! How to train: flags over a recipe file over the defaults.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::model::read_file;
use crate::ops::{Augmentation, LossKind, Optimizer, ResizedCrop};
use crate::train::recipe::{BnStatistics, ClassWeights, Ema, RateMultipliers, TrainDepth};
use crate::train::{Init, Recipe, Schedule};
use crate::{Error, Result};

/// The dials of a [`Recipe`]; one that is left out keeps the recipe file's value, else its default.
#[derive(Debug, Default, Args)]
pub(super) struct RecipeArgs {
    /// Start from somebody else's recipe (keras-cifar, slim, labml, tf51, torchvision), or from one in JSON, as the log and
    /// checkpoints hold it; the other options change it.
    #[arg(long, value_name = "NAME|FILE", help_heading = "Recipe")]
    recipe: Option<PathBuf>,
    /// Images an optimizer step learns from [default: 32].
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    batch: Option<u32>,
    /// Run the batch in this many parts for less memory; gradients are those of the whole batch. More are taken where a
    /// batch does not fit [default: 1].
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    accumulation: Option<u32>,
    /// Learning rate, the largest of the schedule [default: 0.01; 0.001 for adam and adamw].
    #[arg(long, value_name = "RATE", help_heading = "Recipe")]
    lr: Option<f32>,
    /// Rule of a step [default: sgd].
    #[arg(long, value_enum, help_heading = "Recipe")]
    optimizer: Option<OptimizerArg>,
    /// Momentum of sgd [default: 0.9].
    #[arg(long, value_name = "M", help_heading = "Recipe")]
    momentum: Option<f32>,
    /// Nesterov's look-ahead for sgd [default: true].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = "Recipe")]
    nesterov: Option<bool>,
    /// How the rate moves: constant, keras, steps:30,60 (a tenth at each epoch), exponential:0.95, cosine, cosine:5 (epochs of
    /// warm-up), one-cycle, plateau, plateau:5 (epochs of patience) [default: cosine:1].
    #[arg(long, value_name = "RULE", help_heading = "Recipe")]
    schedule: Option<Schedule>,
    /// Pull of weights towards zero: L2, or decoupled with adamw [default: 0.0001].
    #[arg(long, value_name = "VALUE", help_heading = "Recipe")]
    weight_decay: Option<f32>,
    /// Decay weights beside the step instead of through the gradient; adamw always does.
    #[arg(long, help_heading = "Recipe")]
    decoupled_decay: bool,
    /// Decay norms and biases too.
    #[arg(long, help_heading = "Recipe")]
    decay_norm_and_bias: bool,
    /// Scale a longer gradient down to this norm, all parameters together; 0 for none [default: none].
    #[arg(long, value_name = "NORM", help_heading = "Recipe")]
    clip_norm: Option<f32>,
    /// What learns: all, head, or stageK (that stage and everything behind it) [default: all].
    #[arg(long, value_name = "DEPTH", help_heading = "Recipe")]
    train: Option<TrainDepth>,
    /// Factor on the learning rate of a part: stem, stage1, stage2, ... or head; may be given several times.
    #[arg(long, value_name = "PART=FACTOR", value_parser = multiplier, help_heading = "Recipe")]
    multiplier: Vec<Multiplier>,
    /// What batch norm normalises with: the batch, the running statistics (frozen), or auto: frozen where fewer than 16
    /// images run at a time, except from scratch [default: auto].
    #[arg(long, value_enum, help_heading = "Recipe")]
    bn: Option<BnArg>,
    /// What is minimised [default: softmax].
    #[arg(long, value_enum, help_heading = "Recipe")]
    loss: Option<LossArg>,
    /// Share of the target that is spread over all classes [default: 0].
    #[arg(long, value_name = "SHARE", help_heading = "Recipe")]
    label_smoothing: Option<f32>,
    /// What an image of each class counts: none (all the same), balanced (every class the same), or one number a class
    /// [default: none].
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights, help_heading = "Recipe")]
    class_weights: Option<ClassWeights>,
    /// How pictures are varied, a list of: none, cifar (shift:4,flip), imagenet (crop,flip), shift:PIXELS, flip,
    /// crop[:LEAST-AREA], rotation:DEGREES, brightness:X, contrast:X, saturation:X, hue:X, colour:X (these three at X, hue at
    /// X/4), erasing:PROBABILITY, mixup:ALPHA, cutmix:ALPHA, vertical-flip, shift-share:X (also shift-x, shift-y), shear:DEGREES,
    /// zoom:X, channel-shift:X, fill:mean|nearest|reflect|wrap|black [default: cifar].
    #[arg(long, value_name = "LIST", value_parser = augmentation, help_heading = "Recipe")]
    augment: Option<Augmentation>,
    /// Share of every class put aside for validation; 0 trains on everything [default: 0.2].
    #[arg(long, value_name = "SHARE", conflicts_with = "val", help_heading = "Recipe")]
    val_fraction: Option<f32>,
    /// Stop after this many epochs without a better validation; 0 for never.
    #[arg(long, value_name = "EPOCHS", help_heading = "Recipe")]
    early_stopping: Option<u32>,
    /// Keep a moving average of the weights with this share of the old in each update; it validates and is kept. 0 for none.
    #[arg(long, value_name = "DECAY", help_heading = "Recipe")]
    ema: Option<f64>,
    /// Optimizer steps from one update of the average to the next [default: 16].
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    ema_steps: Option<u32>,
    /// Of the split, the order, augmentation and drawn weights [default: 1].
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    seed: Option<u64>,
    /// How new weights are drawn [default: he-fan-out].
    #[arg(long, value_enum, help_heading = "Recipe")]
    init: Option<InitArg>,
    /// What biases begin with [default: what --init says].
    #[arg(long, value_name = "VALUE", help_heading = "Recipe", allow_hyphen_values = true)]
    init_bias: Option<f32>,
    /// Share of a batch in batch norm's running statistics [default: the network's framework's].
    #[arg(long, value_name = "SHARE", help_heading = "Recipe")]
    bn_momentum: Option<f32>,
    /// Leave the classifier out of the weight decay.
    #[arg(long, help_heading = "Recipe")]
    no_head_decay: bool,
    /// Blocks begin as the identity: their last batch norm starts at zero. With --arch only.
    #[arg(long, requires = "arch", help_heading = "Recipe")]
    zero_init: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OptimizerArg {
    Sgd,
    Adam,
    Adamw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BnArg {
    Auto,
    Batch,
    Frozen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LossArg {
    /// Exactly one class is right.
    Softmax,
    /// Every class is a yes or no of its own.
    Sigmoid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InitArg {
    /// As torchvision: variance 2 / fan_out.
    HeFanOut,
    /// As Keras' he_normal: variance 2 / fan_in, cut off.
    KerasHeNormal,
    /// As slim.variance_scaling_initializer: variance 2.6 / fan_in before it is cut off.
    Slim,
    /// As TensorFlow's xavier_initializer and Keras' glorot_uniform.
    Xavier,
    /// As PyTorch draws what nobody initialises, biases too.
    Torch,
}

impl RecipeArgs {
    /// The recipe for a run; `usual` is the one that the network's framework trains it with, `from_scratch` when no weights were learnt before, `own_validation` when there is a folder for it.
    ///
    /// # Errors
    /// [`Error::Usage`] when options contradict each other or the recipe file cannot be read; whether numbers make sense is
    /// for [`Recipe::validate_for`] to say.
    pub(super) fn recipe(
        &self,
        usual: Option<&'static str>,
        epochs: Option<u32>,
        from_scratch: bool,
        own_validation: bool,
    ) -> Result<Recipe> {
        // A network of another framework begins with that one's numbers; how long and on which pictures is for people to say.
        let framework = usual.and_then(Recipe::named).map(|recipe| {
            let Recipe { epochs, batch, augmentation, loss, .. } = Recipe::default();
            Recipe { epochs, batch, augmentation, loss, ..recipe }
        });
        let given = self.given()?.or(framework);
        let mut recipe = given.clone().unwrap_or_default();
        let is_adam = |recipe: &Recipe| !matches!(recipe.optimizer, Optimizer::Sgd { .. });
        self.change(&mut recipe, epochs)?;
        if given.is_none() {
            let rate = (is_adam(&recipe) && self.lr.is_none()).then_some(ADAM_RATE);
            set(&mut recipe.learning_rate, rate);
            // The default's epoch of warm-up is the whole of a run of one epoch.
            let unwarmed = (recipe.epochs == 1 && self.schedule.is_none()).then(|| Schedule::cosine(0.0));
            set(&mut recipe.schedule, unwarmed);
        }
        if from_scratch && recipe.bn_statistics == BnStatistics::Auto {
            // There are no running statistics yet that could be frozen.
            recipe.bn_statistics = BnStatistics::Batch;
        }
        set(&mut recipe.val_fraction, own_validation.then_some(0.0));
        if recipe.early_stopping.is_some() && recipe.val_fraction == 0.0 && !own_validation {
            return Err(Error::Usage(
                "early stopping needs validation to wait for: give --val or a --val-fraction above 0, or leave it out".into(),
            ));
        }
        Ok(recipe)
    }

    /// The recipe for a run that goes on with `before`: what is named changes. Whether it can is for
    /// [`Checkpoint::change`](crate::train::Checkpoint::change) to say.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    pub(super) fn resumed(&self, before: &Recipe, epochs: Option<u32>) -> Result<Recipe> {
        let mut recipe = before.clone();
        if let Some(path) = &self.recipe {
            let wrong = |reason: String| Error::Io { path: path.display().to_string(), reason };
            let named = match path.to_str().and_then(Recipe::named) {
                // What cannot change any more stays.
                Some(named) => {
                    let Recipe { val_fraction, seed, init, init_bias, zero_init_last_norm, .. } = before.clone();
                    serde_json::to_vec(&Recipe { val_fraction, seed, init, init_bias, zero_init_last_norm, ..named })
                        .map_err(|error| wrong(error.to_string()))?
                }
                None => read_file(path)?,
            };
            let named: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&named).map_err(|error| wrong(format!("it is no recipe: {error}")))?;
            let merged = serde_json::to_value(&recipe).and_then(|mut all| {
                if let Some(all) = all.as_object_mut() {
                    all.extend(named);
                }
                serde_json::from_value(all)
            });
            recipe = merged.map_err(|error| wrong(format!("it is no recipe: {error}")))?;
        }
        self.change(&mut recipe, epochs)?;
        let other = std::mem::discriminant(&recipe.optimizer) != std::mem::discriminant(&before.optimizer);
        let adaptive = |recipe: &Recipe| !matches!(recipe.optimizer, Optimizer::Sgd { .. });
        if other && adaptive(&recipe) != adaptive(before) && self.lr.is_none() && self.recipe.is_none() {
            return Err(Error::Usage(
                "sgd's steps and adam's are of other lengths: give the new optimizer its rate with --lr".into(),
            ));
        }
        Ok(recipe)
    }

    /// The recipe's file, where there is one.
    fn given(&self) -> Result<Option<Recipe>> {
        let Some(path) = &self.recipe else { return Ok(None) };
        if let Some(recipe) = path.to_str().and_then(Recipe::named) {
            return Ok(Some(recipe));
        }
        if !path.exists() && path.extension().is_none() && path.components().count() == 1 {
            let names: Vec<&str> = Recipe::names().collect();
            return Err(Error::Usage(format!(
                "`{}` is neither a recipe's name ({}) nor a file",
                path.display(),
                names.join(", ")
            )));
        }
        let wrong = |reason: String| Error::Io { path: path.display().to_string(), reason };
        let recipe = serde_json::from_slice(&read_file(path)?);
        recipe.map(Some).map_err(|error| wrong(format!("it is no recipe: {error}")))
    }

    /// What the options say.
    fn change(&self, recipe: &mut Recipe, epochs: Option<u32>) -> Result<()> {
        set(&mut recipe.epochs, epochs);
        set(&mut recipe.batch, self.batch);
        set(&mut recipe.accumulation, self.accumulation);
        recipe.optimizer = self.optimizer(recipe.optimizer)?;
        set(&mut recipe.learning_rate, self.lr);
        set(&mut recipe.schedule, self.schedule.clone());
        set(&mut recipe.weight_decay.value, self.weight_decay);
        recipe.weight_decay.decoupled |= self.decoupled_decay;
        recipe.weight_decay.skip_norm_and_bias &= !self.decay_norm_and_bias;
        set(&mut recipe.clip_norm, self.clip_norm.map(|norm| (norm != 0.0).then_some(norm)));
        set(&mut recipe.depth, self.train);
        self.multiplier.iter().for_each(|multiplier| multiplier.apply(&mut recipe.multipliers));
        set(
            &mut recipe.bn_statistics,
            self.bn.map(|bn| match bn {
                BnArg::Auto => BnStatistics::Auto,
                BnArg::Batch => BnStatistics::Batch,
                BnArg::Frozen => BnStatistics::Frozen,
            }),
        );
        let label_smoothing = self.label_smoothing.unwrap_or(recipe.loss.label_smoothing());
        let sigmoid = match self.loss {
            Some(loss) => loss == LossArg::Sigmoid,
            None => matches!(recipe.loss, LossKind::SigmoidCrossEntropy { .. }),
        };
        recipe.loss = match sigmoid {
            true => LossKind::SigmoidCrossEntropy { label_smoothing },
            false => LossKind::SoftmaxCrossEntropy { label_smoothing },
        };
        set(&mut recipe.class_weights, self.class_weights.clone());
        set(&mut recipe.augmentation, self.augment);
        set(&mut recipe.val_fraction, self.val_fraction);
        set(&mut recipe.early_stopping, self.early_stopping.map(|epochs| (epochs > 0).then_some(epochs)));
        if let Some(decay) = self.ema {
            let steps = recipe.ema.map_or(EMA_STEPS, |ema| ema.steps);
            recipe.ema = (decay != 0.0).then_some(Ema { decay, steps });
        }
        if let (Some(ema), Some(steps)) = (&mut recipe.ema, self.ema_steps) {
            ema.steps = steps;
        }
        set(&mut recipe.seed, self.seed);
        set(
            &mut recipe.init,
            self.init.map(|init| match init {
                InitArg::HeFanOut => Init::HeFanOut,
                InitArg::KerasHeNormal => Init::KerasHeNormal,
                InitArg::Slim => Init::SlimVarianceScaling,
                InitArg::Xavier => Init::Xavier,
                InitArg::Torch => Init::Torch,
            }),
        );
        recipe.init_bias = self.init_bias.or(recipe.init_bias);
        recipe.bn_momentum = self.bn_momentum.or(recipe.bn_momentum);
        recipe.weight_decay.skip_head |= self.no_head_decay;
        recipe.zero_init_last_norm |= self.zero_init;
        Ok(())
    }

    fn optimizer(&self, given: Optimizer) -> Result<Optimizer> {
        let optimizer = match (self.optimizer, given) {
            (None, given) | (Some(OptimizerArg::Sgd), given @ Optimizer::Sgd { .. }) => given,
            (Some(OptimizerArg::Sgd), _) => Recipe::default().optimizer,
            (Some(OptimizerArg::Adam), given @ Optimizer::Adam { .. }) => given,
            (Some(OptimizerArg::Adam), _) => Optimizer::adam(),
            (Some(OptimizerArg::Adamw), given @ Optimizer::AdamW { .. }) => given,
            (Some(OptimizerArg::Adamw), _) => Optimizer::adamw(),
        };
        match optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                let momentum = self.momentum.unwrap_or(momentum);
                // Without a momentum there is nothing to look ahead along.
                let nesterov = self.nesterov.unwrap_or(nesterov && momentum > 0.0);
                Ok(Optimizer::Sgd { momentum, nesterov })
            }
            _ if self.momentum.is_some() || self.nesterov.is_some() => {
                Err(Error::Usage("--momentum and --nesterov belong to sgd; adam has betas of its own (see --recipe)".into()))
            }
            other => Ok(other),
        }
    }
}

/// Adam's usual rate; its steps are as long as the rate, whatever the gradient.
const ADAM_RATE: f32 = 1e-3;
/// Reading the weights back costs about a step.
const EMA_STEPS: u32 = 16;

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

/// `stage3=0.5`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Multiplier {
    part: PartArg,
    factor: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum PartArg {
    Stem,
    /// From 0.
    Stage(usize),
    Head,
}

impl Multiplier {
    fn apply(&self, multipliers: &mut RateMultipliers) {
        match self.part {
            PartArg::Stem => multipliers.stem = self.factor,
            PartArg::Head => multipliers.head = self.factor,
            PartArg::Stage(stage) => {
                let stages = &mut multipliers.stages;
                if stages.len() <= stage {
                    stages.resize(stage + 1, 1.0);
                }
                stages[stage] = self.factor;
            }
        }
    }
}

/// More than any network has; bounds the list that a number on the command line makes.
const MOST_STAGES: usize = 64;

fn multiplier(text: &str) -> std::result::Result<Multiplier, String> {
    let wrong = || "expected a part and a factor, like stem=0.1, stage3=0.5 or head=10".to_owned();
    let (part, factor) = text.split_once('=').ok_or_else(wrong)?;
    let factor = factor.parse().map_err(|_| wrong())?;
    let part = match (part, part.strip_prefix("stage").map(str::parse::<usize>)) {
        ("stem", _) => PartArg::Stem,
        ("head", _) => PartArg::Head,
        (_, Some(Ok(stage @ 1..=MOST_STAGES))) => PartArg::Stage(stage - 1),
        _ => return Err(wrong()),
    };
    Ok(Multiplier { part, factor })
}

fn class_weights(text: &str) -> std::result::Result<ClassWeights, String> {
    match text {
        "none" => Ok(ClassWeights::None),
        "balanced" => Ok(ClassWeights::Balanced),
        list => {
            let numbers: Option<Vec<f32>> = list.split(',').map(|part| part.trim().parse().ok()).collect();
            numbers.map(ClassWeights::List).ok_or_else(|| {
                "expected none, balanced, or one number a class in the order of the sorted folder names, like 1,2.5,1".into()
            })
        }
    }
}

fn augmentation(text: &str) -> std::result::Result<Augmentation, String> {
    let mut augmentation = Augmentation::default();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, argument) = item.split_once(':').map_or((item, None), |(name, argument)| (name, Some(argument)));
        let number = || {
            argument
                .and_then(|argument| argument.parse::<f32>().ok())
                .ok_or_else(|| format!("`{name}` needs its strength as a number, like {name}:{}", example(name)))
        };
        match (name, argument) {
            ("none", None) => augmentation = Augmentation::default(),
            ("cifar", None) => augmentation = Augmentation { shift_px: 4, flip: true, ..augmentation },
            ("imagenet", None) => {
                augmentation = Augmentation { resized_crop: Some(ResizedCrop::default()), flip: true, ..augmentation }
            }
            ("flip", None) => augmentation.flip = true,
            ("crop", None) => augmentation.resized_crop = Some(ResizedCrop::default()),
            ("crop", Some(_)) => {
                let scale = (number()?, 1.0);
                augmentation.resized_crop = Some(ResizedCrop { scale, ..ResizedCrop::default() });
            }
            ("shift", Some(argument)) => {
                augmentation.shift_px =
                    argument.parse().map_err(|_| "`shift` needs a whole number of pixels, like shift:4".to_owned())?;
            }
            ("vertical-flip", None) => augmentation.flip_vertical = true,
            ("shift-share", _) => augmentation.shift_share = [number()?; 2],
            ("shift-x", _) => augmentation.shift_share[0] = number()?,
            ("shift-y", _) => augmentation.shift_share[1] = number()?,
            ("shear", _) => augmentation.shear_deg = number()?,
            ("zoom", _) => augmentation.zoom = number()?,
            ("channel-shift", _) => augmentation.channel_shift = number()?,
            ("cutmix", _) => augmentation.cutmix_alpha = number()?,
            ("fill", Some(name)) => {
                augmentation.fill = serde_json::from_value(name.into()).map_err(|_| {
                    format!("`fill:{name}` is none of fill:mean, fill:nearest, fill:reflect, fill:wrap, fill:black")
                })?;
            }
            ("rotation", _) => augmentation.rotation_deg = number()?,
            ("brightness", _) => augmentation.brightness = number()?,
            ("contrast", _) => augmentation.contrast = number()?,
            ("saturation", _) => augmentation.saturation = number()?,
            ("hue", _) => augmentation.hue = number()?,
            ("colour" | "color", _) => {
                let strength = number()?;
                augmentation.brightness = strength;
                augmentation.contrast = strength;
                augmentation.saturation = strength;
                augmentation.hue = strength / 4.0;
            }
            ("erasing", _) => augmentation.erasing = number()?,
            ("mixup", _) => augmentation.mixup_alpha = number()?,
            ("shift", None) => return Err("`shift` needs a whole number of pixels, like shift:4".into()),
            _ => {
                return Err(format!(
                    "`{item}` is none of none, cifar, imagenet, shift:4, flip, crop, crop:0.5, rotation:15, brightness:0.4, \
                     contrast:0.4, saturation:0.4, hue:0.1, colour:0.4, erasing:0.25, mixup:0.2, cutmix:1, vertical-flip, \
                     shift-share:0.1, shift-x:0.1, shift-y:0.1, shear:10, zoom:0.2, channel-shift:20, fill:nearest"
                ));
            }
        }
    }
    augmentation.validate().map_err(|error| error.to_string())?;
    Ok(augmentation)
}

fn example(name: &str) -> f32 {
    match name {
        "rotation" => 15.0,
        "shear" => 10.0,
        "channel-shift" => 20.0,
        "cutmix" => 1.0,
        "shift-share" | "shift-x" | "shift-y" => 0.1,
        "hue" => 0.1,
        "erasing" => 0.25,
        "mixup" => 0.2,
        _ => 0.4,
    }
}

#[cfg(test)]
mod tests;
