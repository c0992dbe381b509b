//! `reslab hand-off`: a run that has not begun, as a folder for PyTorch on other machines. What it trains and on which pictures is what
//! `reslab train` with the same arguments would; what comes back is a file of weights.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::Arguments;
use super::pictures::{Folders, Keep, Pictures};
use super::plan::{Begin, Plan};
use crate::cli::{Stop, output};
use crate::data::dataset::Sample;
use crate::data::{Activation, Filter, ImageSize, Preset, Resize};
use crate::model::ResNetSpec;
use crate::ops::{Augmentation, LossKind, Optimizer, Statistics};
use crate::train::recipe::{ClassWeights, RateMultipliers, TrainDepth};
use crate::train::schedule::{Plateau, Position};
use crate::train::{Recipe, Schedule, checkpoint};
use crate::weights::{Dtype, StateDict, safetensors};
use crate::{Error, Result};

/// Pixels of a side of what is kept of a picture here: enough to know its likes by.
const LOOK: u32 = 8;
/// Rates an epoch: PyTorch takes the nearest.
const RATES: u64 = 64;

/// Writes the folder of `--out`.
pub(in crate::cli) fn run(arguments: &Arguments) -> Result<(), Stop> {
    if arguments.resume.is_some() {
        return Err(Error::Usage(
            "a run that is under way goes on where it is; hand off before it begins, or name its weights with --weights".into(),
        )
        .into());
    }
    let Some(out) = &arguments.out else { return Err(Error::Usage("--out names the folder to write".into()).into()) };
    if out.exists() && fs::read_dir(out).map_or(true, |mut entries| entries.next().is_some()) {
        return Err(io(out, "it exists and is not an empty folder; name another").into());
    }
    let folders = Folders::open(&arguments.data, &arguments.dir, arguments.val.as_deref())?;
    let classes = folders.classes.clone();
    let Plan { origin, preset, recipe, begin, .. } = Plan::new(arguments, &classes)?;
    let Begin::New { spec, weights } = begin else { return Ok(()) }; // without --resume none is under way
    let small = preset.clone().with_size(LOOK)?;
    let keep = Keep { size: ImageSize::of(&small, false), whole_side: None, memory_bytes: u64::MAX };
    let stop = Arc::new(AtomicBool::new(false));
    let pictures = folders.load(&small, keep, (recipe.val_fraction, recipe.seed), None, &stop)?;

    let names = folder_names(&classes);
    let (train, validation) = copy(out, &names, &pictures)?;
    let write = |name: &str, bytes: &[u8]| fs::write(out.join(name), bytes).map_err(|error| io(out, &error.to_string()));
    let text = |name: &str, text: String| write(name, text.as_bytes());
    let activation = match recipe.loss {
        LossKind::SoftmaxCrossEntropy { .. } => Activation::Softmax,
        LossKind::SigmoidCrossEntropy { .. } => Activation::Sigmoid,
    };
    let metadata = checkpoint::metadata(&spec, &classes, &preset, activation);
    let state = StateDict { metadata, tensors: weights.tensors };
    write("init.safetensors", &safetensors::write(&state, Dtype::F32)?)?;
    let pretty = |value: &Value| format!("{value:#}\n");
    text("recipe.json", pretty(&recipe_json(&spec, &recipe, &names, train)))?;
    text("args.yaml", timm(&spec, &recipe, &preset, classes.len()))?;
    text("training_arguments.json", pretty(&hugging_face(&recipe, train)))?;
    text("classes.txt", classes.iter().map(|name| format!("{name}\n")).collect())?;
    text("folders.txt", names.iter().map(|name| format!("{name}\n")).collect())?;
    for (name, content) in [
        ("train.py", include_str!("handoff/train.py")),
        ("net.py", include_str!("handoff/net.py")),
        ("pictures.py", include_str!("handoff/pictures.py")),
        ("requirements.txt", include_str!("handoff/requirements.txt")),
    ] {
        write(name, content.as_bytes())?;
    }
    let title = out.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (width, height) = preset.crop;
    let readme = [
        ("@NAME@", title),
        ("@COUNT@", train.to_string()),
        ("@VAL@", validation.to_string()),
        ("@CLASSES@", classes.len().to_string()),
        ("@ARCH@", format!("{} {origin}", spec.arch)),
        ("@SIZE@", format!("{width} x {height}")),
        ("@EPOCHS@", recipe.epochs.to_string()),
    ];
    let readme =
        readme.iter().fold(include_str!("handoff/README.md").to_string(), |text, (mark, word)| text.replace(mark, word));
    text("README.md", readme)?;
    output::remark(&format!(
        "{}: {} {origin}, {train} pictures train and {validation} validate, {} classes; README.md has the commands",
        out.display(),
        spec.arch,
        classes.len()
    ));
    not_taken(&recipe).iter().for_each(|sentence| output::remark(&format!("note: {sentence}")));
    Ok(())
}

fn io(path: &Path, reason: &str) -> Error {
    Error::Io { path: path.display().to_string(), reason: reason.into() }
}

/// What file systems take of a name, each once.
fn folder_names(classes: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let fine = |c: char| if c.is_control() || "/\\<>:\"|?*".contains(c) { '_' } else { c };
    let name = |(i, class): (usize, &String)| {
        let plain: String = class.trim().trim_matches('.').chars().map(fine).take(100).collect();
        // Systems that do not tell large letters from small ones.
        let mut name = if plain.is_empty() { format!("class {i}") } else { plain };
        if !taken.insert(name.to_lowercase()) {
            name = format!("{name} {i}");
            taken.insert(name.to_lowercase());
        }
        name
    };
    classes.iter().enumerate().map(name).collect()
}

/// Puts the pictures' own bytes where the split has them; how many train and validate.
fn copy(out: &Path, names: &[String], pictures: &Pictures) -> Result<(usize, usize)> {
    let bar = output::bar(pictures.files.len() as u64, "{msg} [{bar:40}] {pos}/{len}, {eta} left");
    bar.set_message("writing pictures");
    let sides = [("train", &pictures.split.train), ("val", &pictures.split.validation)];
    let mut counts = Vec::new();
    for (side, images) in sides {
        let folder = |name: &String| out.join("data").join(side).join(name);
        for name in names {
            fs::create_dir_all(folder(name)).map_err(|error| io(&folder(name), &error.to_string()))?;
        }
        for &image in images {
            let sample = &pictures.files[image];
            let path = folder(&names[sample.label]).join(file_name(sample, image));
            fs::write(&path, sample.file()?).map_err(|error| io(&path, &error.to_string()))?;
            bar.inc(1);
        }
        counts.push(images.len());
    }
    bar.finish_and_clear();
    Ok((counts[0], counts[1]))
}

/// The picture's number, so that no two are the same, and its own name; a name without an ending is that of numbers, written as PNG.
fn file_name(sample: &Sample, number: usize) -> PathBuf {
    let base = sample.name.rsplit(['/', '\\', ':']).next().unwrap_or_default();
    let plain: String = base.chars().map(|c| if c.is_control() || "<>\"|?*[]".contains(c) { '_' } else { c }).collect();
    let tail: String = plain.chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
    let ending = if sample.is_file() { "" } else { ".png" };
    PathBuf::from(format!("{number:06}-{tail}{ending}"))
}

/// What `train.py` reads.
fn recipe_json(spec: &ResNetSpec, recipe: &Recipe, folders: &[String], pictures: usize) -> Value {
    let (optimizer, arguments) = match recipe.optimizer {
        Optimizer::Sgd { momentum, nesterov } => ("SGD", json!({ "momentum": momentum, "nesterov": nesterov })),
        Optimizer::Adam { beta1, beta2, eps, uncorrected_eps: _ } => ("Adam", json!({ "betas": [beta1, beta2], "eps": eps })),
        Optimizer::AdamW { beta1, beta2, eps } => ("AdamW", json!({ "betas": [beta1, beta2], "eps": eps })),
    };
    let (loss, smoothing) = match recipe.loss {
        LossKind::SoftmaxCrossEntropy { label_smoothing } => ("softmax", label_smoothing),
        LossKind::SigmoidCrossEntropy { label_smoothing } => ("sigmoid", label_smoothing),
    };
    let learns = match recipe.depth {
        TrainDepth::All => vec![String::new()],
        TrainDepth::Head => vec!["fc".into()],
        TrainDepth::FromStage(first) => {
            let stages = (1..=spec.stages.len()).filter(|stage| *stage >= first as usize).map(|stage| format!("layer{stage}."));
            stages.chain(["fc".into(), "norm.".into()]).collect()
        }
    };
    let steps_per_epoch = (pictures as u64).div_ceil(u64::from(recipe.batch)).max(1);
    json!({
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "accumulation": recipe.accumulation,
        "seed": recipe.seed % (1 << 31),
        "optimizer": optimizer,
        "optimizer_arguments": arguments,
        "rates": rates(recipe, steps_per_epoch),
        "weight_decay": recipe.weight_decay.value,
        "skip_norm_and_bias": recipe.weight_decay.skip_norm_and_bias,
        "clip_norm": recipe.clip_norm,
        "frozen_statistics": recipe.statistics(spec) == Statistics::Running,
        "loss": loss,
        "label_smoothing": smoothing,
        "learns": learns,
        "augmentation": recipe.augmentation,
        "folders": folders,
    })
}

/// The learning rate at even places of the run.
fn rates(recipe: &Recipe, steps_per_epoch: u64) -> Vec<f64> {
    let (epochs, plateau) = (u64::from(recipe.epochs), Plateau::default());
    let places = epochs * RATES.min(steps_per_epoch);
    let at = |place: u64| {
        let step = place * (epochs * steps_per_epoch - 1) / places.max(1);
        let position = Position { step, steps_per_epoch, epochs: recipe.epochs };
        f64::from(recipe.learning_rate) * recipe.schedule.factor(position, &plateau)
    };
    (0..=places).map(at).collect()
}

/// `args.yaml` of timm's `train.py`: what it has too.
fn timm(spec: &ResNetSpec, recipe: &Recipe, preset: &Preset, classes: usize) -> String {
    let (width, height) = preset.crop;
    let arch = if spec.stages.len() == 4 && !spec.is_pre_activation() { spec.arch.as_str() } else { "resnet18" };
    let (optimizer, momentum) = match recipe.optimizer {
        Optimizer::Sgd { momentum, nesterov } => (if nesterov { "sgd" } else { "momentum" }, momentum),
        Optimizer::Adam { .. } => ("adam", 0.9),
        Optimizer::AdamW { .. } => ("adamw", 0.9),
    };
    let crop = match preset.resize {
        Resize::Shorter(side) => f64::from(width) / f64::from(side),
        Resize::Exact(side, _) => f64::from(width) / f64::from(side),
    };
    let filter = if preset.filter == Filter::Bilinear { "bilinear" } else { "bicubic" };
    let scaled = |values: [f32; 3]| values.map(|value| value / (preset.scale * 255.0));
    let (schedule, warmup) = match recipe.schedule {
        Schedule::Cosine { warmup_epochs, .. } => ("cosine", warmup_epochs),
        Schedule::Steps { .. } => ("step", 0.0),
        _ => ("none", 0.0),
    };
    let smoothing = match recipe.loss {
        LossKind::SoftmaxCrossEntropy { label_smoothing } | LossKind::SigmoidCrossEntropy { label_smoothing } => {
            label_smoothing
        }
    };
    let aug = &recipe.augmentation;
    let window = aug.resized_crop.map_or((1.0, 1.0), |crop| crop.scale);
    let ratio = aug.resized_crop.map_or((1.0, 1.0), |crop| crop.ratio);
    let head = if classes == 1 { "bce_loss: true\n" } else { "" };
    format!(
        "data_dir: data\ntrain_split: train\nval_split: val\nclass_map: folders.txt\nmodel: {arch}\nnum_classes: {classes}\n\
         initial_checkpoint: init.safetensors\ninput_size: [{}, {height}, {width}]\ncrop_pct: {crop:.4}\ninterpolation: {filter}\n\
         mean: {:?}\nstd: {:?}\nbatch_size: {}\ngrad_accum_steps: {}\nepochs: {}\nopt: {optimizer}\nmomentum: {momentum}\n\
         weight_decay: {}\nlr: {}\nsched: {schedule}\nwarmup_epochs: {}\nwarmup_lr: {}\nsmoothing: {smoothing}\nhflip: {}\n\
         scale: [{:?}, {:?}]\nratio: [{:?}, {:?}]\ncolor_jitter: {:?}\nreprob: {:?}\nmixup: {:?}\nseed: {}\n{head}",
        spec.image_channels,
        scaled(preset.mean),
        scaled(preset.std),
        recipe.micro_batch(),
        recipe.accumulation,
        recipe.epochs,
        recipe.weight_decay.value,
        recipe.learning_rate,
        warmup.round() as u32,
        recipe.learning_rate * 0.01,
        if aug.flip { 0.5 } else { 0.0 },
        window.0,
        window.1,
        ratio.0,
        ratio.1,
        aug.brightness,
        aug.erasing,
        aug.mixup_alpha,
        recipe.seed % (1 << 31),
    )
}

/// Hugging Face's `TrainingArguments`.
fn hugging_face(recipe: &Recipe, pictures: usize) -> Value {
    let steps = (pictures as u64).div_ceil(u64::from(recipe.batch)).max(1);
    let (kind, warmup) = match recipe.schedule {
        Schedule::Cosine { warmup_epochs, .. } => ("cosine", (warmup_epochs * steps as f64).round() as u64),
        Schedule::ReduceOnPlateau { .. } => ("reduce_lr_on_plateau", 0),
        _ => ("constant", 0),
    };
    let mut arguments = json!({
        "output_dir": "out",
        "num_train_epochs": recipe.epochs,
        "per_device_train_batch_size": recipe.micro_batch(),
        "gradient_accumulation_steps": recipe.accumulation,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": kind,
        "warmup_steps": warmup,
        "weight_decay": recipe.weight_decay.value,
        "max_grad_norm": recipe.clip_norm.unwrap_or(0.0),
        "seed": recipe.seed % (1 << 31),
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "remove_unused_columns": false,
    });
    match recipe.loss {
        LossKind::SoftmaxCrossEntropy { label_smoothing } if label_smoothing > 0.0 => {
            arguments["label_smoothing_factor"] = label_smoothing.into();
        }
        _ => {}
    }
    match recipe.optimizer {
        Optimizer::Sgd { .. } => arguments["optim"] = "sgd".into(),
        Optimizer::Adam { beta1, beta2, eps, uncorrected_eps: _ } | Optimizer::AdamW { beta1, beta2, eps } => {
            let named: HashMap<&str, f32> = [("adam_beta1", beta1), ("adam_beta2", beta2), ("adam_epsilon", eps)].into();
            named.into_iter().for_each(|(key, value)| arguments[key] = value.into());
            arguments["optim"] = "adamw_torch".into();
        }
    }
    arguments
}

/// What `train.py` does not do.
fn not_taken(recipe: &Recipe) -> Vec<&'static str> {
    let mut sentences = Vec::new();
    if recipe.augmentation.mixup_alpha > 0.0 {
        sentences.push("train.py does no mixup; args.yaml has it for timm");
    }
    if recipe.augmentation.cutmix_alpha > 0.0 {
        sentences.push("train.py does no CutMix");
    }
    let Augmentation { flip_vertical, shear_deg, zoom, channel_shift, shift_share, .. } = recipe.augmentation;
    if flip_vertical || shear_deg > 0.0 || zoom > 0.0 || channel_shift > 0.0 || shift_share != [0.0; 2] {
        sentences.push("train.py neither flips upside down nor shears, zooms, shifts by shares or shifts channels");
    }
    if recipe.ema.is_some() {
        sentences.push("train.py keeps no moving average of the weights");
    }
    if recipe.class_weights != ClassWeights::None {
        sentences.push("train.py weighs all classes the same");
    }
    if recipe.early_stopping.is_some() {
        sentences.push("train.py does not stop early; it keeps the best epoch");
    }
    if recipe.multipliers != RateMultipliers::default() {
        sentences.push("train.py has one learning rate for all layers");
    }
    if matches!(recipe.schedule, Schedule::ReduceOnPlateau { .. } | Schedule::Both { .. }) {
        sentences.push("train.py does not wait for a plateau: its rate stays");
    }
    sentences
}
