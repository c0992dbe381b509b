//! Every dial of the recipe, behind a drawer: presets, one field a number, and what augmentation makes of a picture.

use leptos::prelude::*;
use rust_i18n::t;

use super::preview::Preview;
use crate::ops::{Augmentation, LossKind, Optimizer, ResizedCrop};
use crate::studio::usual::fitted;
use crate::train::recipe::{BnStatistics, ClassWeights, TrainDepth};
use crate::train::{Init, Recipe, Schedule};
use crate::ui::notice;
use crate::ui::workshop::Workshop;

/// A number of the recipe: where it stands, and what it may be.
#[derive(Clone, Copy)]
struct Dial {
    /// Names it in `train.json` (`train.dial_...`) and in tests.
    name: &'static str,
    low: f64,
    high: f64,
    /// Whether only whole numbers count.
    whole: bool,
    get: fn(&Recipe) -> f64,
    set: fn(&mut Recipe, f64),
}

const fn dial(
    name: &'static str,
    (low, high): (f64, f64),
    whole: bool,
    get: fn(&Recipe) -> f64,
    set: fn(&mut Recipe, f64),
) -> Dial {
    Dial { name, low, high, whole, get, set }
}

const LEARNING: [Dial; 11] = [
    dial("rate", (1e-7, 10.0), false, |r| r.learning_rate.into(), |r, v| r.learning_rate = v as f32),
    dial("momentum", (0.0, 0.999), false, momentum, set_momentum),
    dial("decay", (0.0, 1.0), false, |r| r.weight_decay.value.into(), |r, v| r.weight_decay.value = v as f32),
    dial(
        "clip",
        (0.0, 1000.0),
        false,
        |r| r.clip_norm.map_or(0.0, f64::from),
        |r, v| r.clip_norm = (v > 0.0).then_some(v as f32),
    ),
    dial("warmup", (0.0, 100.0), false, warmup, set_warmup),
    dial("batch", (1.0, 1024.0), true, |r| r.batch.into(), |r, v| r.batch = v as u32),
    dial("accumulation", (1.0, 64.0), true, |r| r.accumulation.into(), |r, v| r.accumulation = v as u32),
    dial("smoothing", (0.0, 0.9), false, |r| r.loss.label_smoothing().into(), |r, v| set_smoothing(r, v as f32)),
    dial("validation", (0.0, 0.9), false, |r| r.val_fraction.into(), |r, v| r.val_fraction = v as f32),
    dial(
        "patience",
        (0.0, 1000.0),
        true,
        |r| r.early_stopping.unwrap_or(0).into(),
        |r, v| {
            r.early_stopping = (v > 0.0).then_some(v as u32);
        },
    ),
    // Beyond 2^53 a number of a page is no whole one.
    dial("seed", (0.0, 9e15), true, |r| r.seed as f64, |r, v| r.seed = v as u64),
];

const MULTIPLIERS: [Dial; 6] = [
    dial("stem", (1e-4, 100.0), false, |r| r.multipliers.stem.into(), |r, v| r.multipliers.stem = v as f32),
    dial("stage1", (1e-4, 100.0), false, |r| stage(r, 0), |r, v| set_stage(r, 0, v)),
    dial("stage2", (1e-4, 100.0), false, |r| stage(r, 1), |r, v| set_stage(r, 1, v)),
    dial("stage3", (1e-4, 100.0), false, |r| stage(r, 2), |r, v| set_stage(r, 2, v)),
    dial("stage4", (1e-4, 100.0), false, |r| stage(r, 3), |r, v| set_stage(r, 3, v)),
    dial("head", (1e-4, 100.0), false, |r| r.multipliers.head.into(), |r, v| r.multipliers.head = v as f32),
];

const VARIETY: [Dial; 9] = [
    dial("shift", (0.0, 128.0), true, |r| r.augmentation.shift_px.into(), |r, v| r.augmentation.shift_px = v as u32),
    dial(
        "zoom",
        (0.05, 1.0),
        false,
        |r| r.augmentation.resized_crop.map_or(1.0, |c| c.scale.0.into()),
        |r, v| {
            let least = |v: f64| ResizedCrop { scale: (v as f32, 1.0), ..ResizedCrop::default() };
            r.augmentation.resized_crop = (v < 1.0).then(|| least(v));
        },
    ),
    dial(
        "rotation",
        (0.0, 180.0),
        false,
        |r| r.augmentation.rotation_deg.into(),
        |r, v| r.augmentation.rotation_deg = v as f32,
    ),
    dial("brightness", (0.0, 1.0), false, |r| r.augmentation.brightness.into(), |r, v| r.augmentation.brightness = v as f32),
    dial("contrast", (0.0, 1.0), false, |r| r.augmentation.contrast.into(), |r, v| r.augmentation.contrast = v as f32),
    dial("saturation", (0.0, 1.0), false, |r| r.augmentation.saturation.into(), |r, v| r.augmentation.saturation = v as f32),
    dial("hue", (0.0, 0.5), false, |r| r.augmentation.hue.into(), |r, v| r.augmentation.hue = v as f32),
    dial("erasing", (0.0, 1.0), false, |r| r.augmentation.erasing.into(), |r, v| r.augmentation.erasing = v as f32),
    dial("mixup", (0.0, 10.0), false, |r| r.augmentation.mixup_alpha.into(), |r, v| r.augmentation.mixup_alpha = v as f32),
];

fn warmup(recipe: &Recipe) -> f64 {
    match recipe.schedule {
        Schedule::Cosine { warmup_epochs, .. } => warmup_epochs,
        _ => 0.0,
    }
}

/// Only the cosine has one of its own.
fn set_warmup(recipe: &mut Recipe, epochs: f64) {
    if let Schedule::Cosine { warmup_epochs, .. } = &mut recipe.schedule {
        *warmup_epochs = epochs;
    }
}

fn momentum(recipe: &Recipe) -> f64 {
    match recipe.optimizer {
        Optimizer::Sgd { momentum, .. } => momentum.into(),
        Optimizer::Adam { beta1, .. } | Optimizer::AdamW { beta1, .. } => beta1.into(),
    }
}

fn set_momentum(recipe: &mut Recipe, value: f64) {
    match &mut recipe.optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            *momentum = value as f32;
            *nesterov &= value > 0.0;
        }
        Optimizer::Adam { beta1, .. } | Optimizer::AdamW { beta1, .. } => *beta1 = value as f32,
    }
}

fn set_smoothing(recipe: &mut Recipe, value: f32) {
    match &mut recipe.loss {
        LossKind::SoftmaxCrossEntropy { label_smoothing } | LossKind::SigmoidCrossEntropy { label_smoothing } => {
            *label_smoothing = value;
        }
    }
}

fn stage(recipe: &Recipe, index: usize) -> f64 {
    recipe.multipliers.stages.get(index).copied().unwrap_or(1.0).into()
}

fn set_stage(recipe: &mut Recipe, index: usize, value: f64) {
    let stages = &mut recipe.multipliers.stages;
    stages.resize(stages.len().max(index + 1), 1.0);
    stages[index] = value as f32;
    // Stages beyond the list have 1; a network with fewer stages takes no longer list.
    while stages.last() == Some(&1.0) {
        stages.pop();
    }
}

/// A choice by name.
#[derive(Clone, Copy)]
struct Choice {
    name: &'static str,
    options: &'static [&'static str],
    get: fn(&Recipe) -> &'static str,
    set: fn(&mut Recipe, &str),
}

const CHOICES: [Choice; 6] = [
    Choice { name: "optimizer", options: &["sgd", "nesterov", "adam", "adamw"], get: optimizer, set: set_optimizer },
    Choice {
        name: "schedule",
        options: &["constant", "cosine", "one-cycle", "steps", "exponential", "plateau"],
        get: schedule,
        set: set_schedule,
    },
    Choice {
        name: "loss",
        options: &["softmax", "sigmoid"],
        get: |r| if matches!(r.loss, LossKind::SoftmaxCrossEntropy { .. }) { "softmax" } else { "sigmoid" },
        set: |r, name| {
            let label_smoothing = r.loss.label_smoothing();
            r.loss = match name {
                "sigmoid" => LossKind::SigmoidCrossEntropy { label_smoothing },
                _ => LossKind::SoftmaxCrossEntropy { label_smoothing },
            };
        },
    },
    Choice {
        name: "weights",
        options: &["same", "balanced"],
        get: |r| if r.class_weights == ClassWeights::None { "same" } else { "balanced" },
        set: |r, name| r.class_weights = if name == "same" { ClassWeights::None } else { ClassWeights::Balanced },
    },
    Choice {
        name: "norm",
        options: &["auto", "batch", "frozen"],
        get: |r| match r.bn_statistics {
            BnStatistics::Auto => "auto",
            BnStatistics::Batch => "batch",
            BnStatistics::Frozen => "frozen",
        },
        set: |r, name| {
            r.bn_statistics = match name {
                "batch" => BnStatistics::Batch,
                "frozen" => BnStatistics::Frozen,
                _ => BnStatistics::Auto,
            };
        },
    },
    Choice {
        name: "init",
        options: &["he", "keras"],
        get: |r| if r.init == Init::HeFanOut { "he" } else { "keras" },
        set: |r, name| r.init = if name == "he" { Init::HeFanOut } else { Init::KerasHeNormal },
    },
];

fn optimizer(recipe: &Recipe) -> &'static str {
    match recipe.optimizer {
        Optimizer::Sgd { nesterov: true, .. } => "nesterov",
        Optimizer::Sgd { .. } => "sgd",
        Optimizer::Adam { .. } => "adam",
        Optimizer::AdamW { .. } => "adamw",
    }
}

/// With a rate that suits it: Adam's steps are of the rate's own size.
fn set_optimizer(recipe: &mut Recipe, name: &str) {
    let adaptive = |recipe: &Recipe| !matches!(recipe.optimizer, Optimizer::Sgd { .. });
    let before = adaptive(recipe);
    recipe.optimizer = match name {
        "sgd" => Optimizer::sgd(),
        "adam" => Optimizer::adam(),
        "adamw" => Optimizer::adamw(),
        _ => Optimizer::Sgd { momentum: 0.9, nesterov: true },
    };
    match (before, adaptive(recipe)) {
        (false, true) => recipe.learning_rate /= 10.0,
        (true, false) => recipe.learning_rate *= 10.0,
        _ => {}
    }
}

fn schedule(recipe: &Recipe) -> &'static str {
    match recipe.schedule {
        Schedule::Constant => "constant",
        Schedule::Cosine { .. } => "cosine",
        Schedule::OneCycle { .. } => "one-cycle",
        Schedule::Steps { .. } => "steps",
        Schedule::Exponential { .. } => "exponential",
        Schedule::ReduceOnPlateau { .. } | Schedule::Both { .. } => "plateau",
    }
}

fn set_schedule(recipe: &mut Recipe, name: &str) {
    let epochs = recipe.epochs;
    recipe.schedule = match name {
        "constant" => Schedule::Constant,
        "one-cycle" => Schedule::one_cycle(),
        // A tenth at one half and at three quarters, as the ResNet papers do.
        "steps" => {
            let step = |epoch: u32, factor| crate::train::RateStep { epoch, factor };
            Schedule::Steps { steps: vec![step((epochs / 2).max(1), 0.1), step((epochs * 3 / 4).max(2), 0.01)] }
        }
        "exponential" => Schedule::Exponential { gamma: 0.95 },
        "plateau" => Schedule::reduce_on_plateau(),
        _ => Schedule::cosine(1.0),
    };
    *recipe = fitted(recipe.clone());
}

/// A recipe to begin from, by name.
type RecipePreset = (&'static str, fn(&mut Recipe));

const PRESETS: [RecipePreset; 3] = [
    ("varied", |recipe| {
        recipe.augmentation = Augmentation {
            rotation_deg: 12.0,
            brightness: 0.25,
            contrast: 0.25,
            saturation: 0.2,
            resized_crop: Some(ResizedCrop { scale: (0.5, 1.0), ..ResizedCrop::default() }),
            ..Augmentation::default()
        };
    }),
    ("adamw", |recipe| {
        recipe.optimizer = Optimizer::adamw();
        recipe.learning_rate = if recipe.depth == TrainDepth::Head { 5e-3 } else { 1e-3 };
        recipe.weight_decay.value = 0.01;
    }),
    ("scratch", |recipe| {
        recipe.optimizer = Optimizer::Sgd { momentum: 0.9, nesterov: true };
        recipe.learning_rate = 0.1;
        recipe.weight_decay.value = 5e-4;
        recipe.schedule = Schedule::one_cycle();
        recipe.augmentation = Augmentation { shift_px: 4, ..Augmentation::default() };
    }),
];

/// The drawer.
#[component]
pub fn Dials(lab: Workshop) -> impl IntoView {
    let changed = Memo::new(move |_| lab.studio.project.with(|p| p.as_ref().is_some_and(|p| p.settings.recipe.is_some())));
    let busy = Memo::new(move |_| lab.training.busy());
    let numbers = move |dials: &'static [Dial]| dials.iter().map(|dial| view! { <Number lab dial=*dial /> }).collect_view();
    view! {
        <details class="dials" data-testid="train-dials">
            <summary>{t!("train.dials")}</summary>
            <p class="train__hint">{t!("train.dials_hint")}</p>
            <fieldset class="dials__all" disabled=move || busy.get()>
                <div class="dials__presets">
                    <span>{t!("train.presets")}</span>
                    {PRESETS
                        .map(|(name, apply)| {
                            view! {
                                <button type="button" class="button" data-testid=format!("preset-{name}") on:click=move |_| change(lab, apply)>
                                    {t!(format!("train.preset_{name}"))}
                                </button>
                            }
                        })
                        .collect_view()}
                    <button
                        type="button"
                        class="button button--quiet"
                        data-testid="train-reset"
                        disabled=move || !changed.get()
                        on:click=move |_| lab.change_settings(|settings| settings.recipe = None)
                    >
                        {t!("train.reset")}
                    </button>
                </div>
                <h2 class="dials__title">{t!("train.part_learning")}</h2>
                <div class="dials__grid">
                    {CHOICES.map(|choice| view! { <Select lab choice /> }).collect_view()}
                    {numbers(&LEARNING)}
                </div>
                <h2 class="dials__title">{t!("train.part_multipliers")}</h2>
                <p class="train__hint">{t!("train.multipliers_hint")}</p>
                <div class="dials__grid">{numbers(&MULTIPLIERS)}</div>
                <h2 class="dials__title">{t!("train.part_variety")}</h2>
                <p class="train__hint">{t!("train.variety_hint")}</p>
                <div class="dials__grid">
                    <label class="dials__check">
                        <input
                            type="checkbox"
                            data-testid="dial-flip"
                            prop:checked=move || lab.recipe().augmentation.flip
                            on:change=move |event| {
                                let flip = event_target_checked(&event);
                                change(lab, move |recipe| recipe.augmentation.flip = flip);
                            }
                        />
                        {t!("train.dial_flip")}
                    </label>
                    {numbers(&VARIETY)}
                </div>
                <Preview lab />
            </fieldset>
        </details>
    }
}

/// Writes a changed recipe into the project's settings.
fn change(lab: Workshop, change: impl FnOnce(&mut Recipe)) {
    let mut recipe = untrack(|| lab.recipe());
    change(&mut recipe);
    lab.change_settings(|settings| settings.recipe = Some(recipe));
}

#[component]
fn Number(lab: Workshop, dial: Dial) -> impl IntoView {
    let refusal = RwSignal::new(None::<String>);
    let value = Memo::new(move |_| (dial.get)(&lab.recipe()));
    let id = format!("dial-{}", dial.name);
    let change_to = move |event: web_sys::Event| {
        // This reader of numbers is in the page anyway; the standard one brings a table of 10 KB.
        let number = serde_json::from_str::<f64>(event_target_value(&event).trim());
        let fitting = number.ok().filter(|v| (dial.low..=dial.high).contains(v) && (!dial.whole || v.fract() == 0.0));
        let Some(number) = fitting else {
            let key = if dial.whole { "train.refused_whole" } else { "train.refused" };
            refusal.set(Some(t!(key, low = dial.low, high = dial.high).into_owned()));
            return;
        };
        let mut recipe = untrack(|| lab.recipe());
        (dial.set)(&mut recipe, number);
        match recipe.validate() {
            Ok(()) => {
                refusal.set(None);
                lab.change_settings(|settings| settings.recipe = Some(recipe));
            }
            Err(error) => refusal.set(Some(notice::sentence(&error))),
        }
    };
    view! {
        <div class="dials__field">
            <label for=id.clone()>{t!(format!("train.dial_{}", dial.name))}</label>
            <input
                id=id.clone()
                class="number"
                type="number"
                step="any"
                min=dial.low.to_string()
                max=dial.high.to_string()
                data-testid=id
                // Only the cosine schedule has a warm-up of its own.
                disabled=move || dial.name == "warmup" && !matches!(lab.recipe().schedule, Schedule::Cosine { .. })
                aria-invalid=move || refusal.with(Option::is_some).then_some("true")
                // f32 in f64 has digits that nobody gave.
                prop:value=move || (value.get() as f32).to_string()
                on:change=change_to
            />
            {move || refusal.get().map(|words| view! { <p class="dials__refusal" role="alert">{words}</p> })}
        </div>
    }
}

#[component]
fn Select(lab: Workshop, choice: Choice) -> impl IntoView {
    let id = format!("dial-{}", choice.name);
    let value = Memo::new(move |_| (choice.get)(&lab.recipe()));
    view! {
        <div class="dials__field">
            <label for=id.clone()>{t!(format!("train.dial_{}", choice.name))}</label>
            <select
                id=id.clone()
                class="select"
                data-testid=id
                prop:value=move || value.get()
                on:change=move |event| {
                    let name = event_target_value(&event);
                    change(lab, move |recipe| (choice.set)(recipe, &name));
                }
            >
                {choice
                    .options
                    .iter()
                    .map(|option| {
                        view! {
                            <option value=*option selected=move || value.get() == *option>
                                {t!(format!("train.{}_{option}", choice.name))}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
}
