//! What is trained, from the arguments: the network and its weights, pixels, recipe; and the same in words.

use super::Arguments;
use crate::cli::model::{self, Source, read_file};
use crate::cli::output::megabytes;
use crate::data::Preset;
use crate::engine::{Known, LoadOptions, keeps_head, pixel_options, usual_preset};
use crate::model::ResNetSpec;
use crate::ops::{LossKind, Optimizer};
use crate::train::init::{initialise, transfer};
use crate::train::{Changed, Checkpoint, Recipe, Trainer};
use crate::weights::StateDict;
use crate::{Error, Result};

/// Everything but the pictures.
pub(super) struct Plan {
    /// Where the weights come from, for people.
    pub origin: String,
    pub preset: Preset,
    pub recipe: Recipe,
    pub begin: Begin,
    /// Of a run that goes on: what of its recipe is different from here on.
    pub changed: Vec<Changed>,
}

/// Where a run begins.
pub(super) enum Begin {
    New { spec: Box<ResNetSpec>, weights: Box<StateDict> },
    Resume(Box<Checkpoint>),
}

impl Begin {
    fn new(spec: ResNetSpec, weights: StateDict) -> Self {
        Self::New { spec: Box::new(spec), weights: Box::new(weights) }
    }
}

impl Plan {
    pub(super) fn new(arguments: &Arguments, classes: &[String]) -> Result<Self> {
        if let Some(path) = &arguments.resume {
            return Self::resume(&path.display().to_string(), &read_file(path)?, arguments);
        }
        let recipe =
            |usual| arguments.recipe.recipe(usual, arguments.epochs, arguments.arch.is_some(), arguments.val.is_some());
        match &arguments.arch {
            Some(arch) => {
                let spec = model::architecture(arch)?.with_classes(Some(classes.len()));
                let recipe = recipe(Recipe::usual_for(&spec))?;
                let preset = arguments.pixels.preset_or(|| usual_preset(&spec))?;
                recipe.validate_for(&spec)?;
                let weights = initialise(&spec.build()?, recipe.draws(), recipe.zero_init_last_norm, recipe.seed)?;
                Ok(Self {
                    origin: "from scratch".into(),
                    preset,
                    recipe,
                    begin: Begin::new(spec, weights),
                    changed: Vec::new(),
                })
            }
            None => Self::pretrained(arguments, &arguments.model.source()?, recipe(None)?, classes),
        }
    }

    fn resume(name: &str, bytes: &[u8], arguments: &Arguments) -> Result<Self> {
        let mut checkpoint = Checkpoint::from_bytes(name, bytes)?;
        for (given, option, why) in [
            (arguments.arch.is_some(), "--arch", "it has its network"),
            (arguments.model.is_given(), "--model and --weights", "it has its network and weights"),
            (arguments.new_head, "--new-head", "it has its classes"),
            (
                arguments.pixels.is_given(),
                "--preset, --size, --mean and --std",
                "its weights were learnt from pixels like these",
            ),
        ] {
            if given {
                return Err(Error::Usage(format!(
                    "{option} cannot change a run that goes on: {why}. To train another, leave --resume out; to begin with this one's \
                     weights, give --weights {name}"
                )));
            }
        }
        let done = checkpoint.progress.epoch;
        let recipe = arguments.recipe.resumed(&checkpoint.recipe, arguments.epochs)?;
        let changed = checkpoint.change(recipe)?;
        Ok(Self {
            origin: format!("going on with {name} after {done} epochs"),
            preset: checkpoint.pixels.clone(),
            recipe: checkpoint.recipe.clone(),
            begin: Begin::Resume(Box::new(checkpoint)),
            changed,
        })
    }

    fn pretrained(arguments: &Arguments, source: &Source, recipe: Recipe, classes: &[String]) -> Result<Self> {
        let mut found = source.detect()?;
        let preset = arguments.pixels.preset_or(|| pixel_options(&found, source.preset))?;
        let options = LoadOptions { pixels: Some(preset.clone()), ..source.options() };
        let Known { labels, own_labels, assumed, .. } = pollster::block_on(Known::of(&found, &options))?;
        model::remark(&assumed, &found.notes);
        let same = !arguments.new_head && keeps_head(&labels, own_labels, source.origin, classes);
        if !same {
            found.spec.head.clear();
        }
        let spec = found.spec.with_classes(Some(classes.len()));
        recipe.validate_for(&spec)?;
        let (weights, new_head) = transfer(&spec.build()?, &found.weights, same, recipe.draws(), recipe.seed)?;
        let head = if new_head { "with a new head" } else { "with its own head" };
        let origin = format!("from the weights of {} {head}", source.name);
        Ok(Self { origin, preset, recipe, begin: Begin::new(spec, weights), changed: Vec::new() })
    }
}

/// The run in a few lines, shown before it starts.
pub(super) fn outline(trainer: &Trainer, origin: &str, device: &str, near_duplicates: usize) -> String {
    let outline = trainer.outline();
    let setup = trainer.setup();
    let recipe = &setup.recipe;
    let learns = if outline.trained_parameters == outline.parameters {
        "all of them learn".into()
    } else {
        format!("{} learn (--train {})", count(outline.trained_parameters), recipe.depth)
    };
    let parts = match outline.accumulation {
        1 => String::new(),
        parts => format!(" in {parts} parts"),
    };
    let decay = recipe.weight_decay.value;
    let optimizer = match recipe.optimizer {
        Optimizer::Sgd { momentum, nesterov: true } => format!("SGD, Nesterov momentum {momentum}"),
        Optimizer::Sgd { momentum, nesterov: false } => format!("SGD, momentum {momentum}"),
        Optimizer::Adam { .. } => "Adam".into(),
        Optimizer::AdamW { .. } => "AdamW".into(),
    };
    let loss = match recipe.loss {
        LossKind::SoftmaxCrossEntropy { .. } => "softmax cross-entropy",
        LossKind::SigmoidCrossEntropy { .. } => "sigmoid cross-entropy",
    };
    let norm = if outline.batch_statistics { "batch statistics" } else { "frozen statistics" };
    let share = recipe.bn_momentum.unwrap_or(setup.spec.norm_rule().0);
    let last = match outline.last_batch {
        last if last == outline.batch => String::new(),
        last => {
            let frozen = outline.batch_statistics && !outline.last_batch_statistics;
            format!(" ({last} in the last one{})", if frozen { ", too few for batch statistics: frozen there" } else { "" })
        }
    };
    let kept = if outline.keeps_features { "; features of the frozen layers are kept" } else { "" };
    let alike = match near_duplicates {
        0 => String::new(),
        n => format!("; {n} near duplicates stay with their likes"),
    };
    let (width, height) = setup.preset.crop;
    format!(
        "{} {origin}: {} parameters, {learns}\n\
         {} pictures train and {} validate, {} classes, {width} x {height} pixels (preset {}){alike}\n\
         {} epochs of {} steps, {} images a step{last}{parts}; {optimizer}, rate {}, schedule {}, weight decay {decay}\n\
         {loss}, batch norm with {norm} (eps {}, share {share}), new weights {}; {} dispatches a part\n\
         {} for training, {} for pictures{kept}; {device}",
        setup.spec.arch,
        count(outline.parameters),
        setup.split.train.len(),
        setup.split.validation.len(),
        setup.images.classes.len(),
        setup.preset.name,
        outline.epochs,
        outline.steps_per_epoch,
        outline.batch,
        recipe.learning_rate,
        recipe.schedule,
        setup.spec.bn_eps,
        init_words(recipe),
        outline.dispatches,
        megabytes(outline.memory.total()),
        megabytes(outline.feed_bytes),
    )
}

/// `slim variance scaling`.
fn init_words(recipe: &Recipe) -> String {
    let name = serde_json::to_value(recipe.init).ok().and_then(|value| Some(value.as_str()?.replace('_', " ")));
    let bias = recipe.init_bias.map_or_else(String::new, |bias| format!(", biases {bias}"));
    name.unwrap_or_default() + &bias
}

fn count(n: usize) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{:.1} k", n as f64 / 1e3),
        _ => format!("{:.2} M", n as f64 / 1e6),
    }
}
