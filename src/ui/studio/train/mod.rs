//! The training step: one button with good defaults, every dial behind it, and the run as it goes.

mod base;
mod bell;
mod course;
mod curves;
mod dials;
mod going;
mod kept;
mod preview;
mod record;
mod runs;
mod state;

use leptos::prelude::*;
use rust_i18n::t;

pub use self::record::Record;
pub use self::state::{Phase, Training};

use self::base::StrongerBase;
use self::bell::Bell;
use self::course::Course;
use self::dials::Dials;
use self::runs::Runs;
use self::state::epochs_words;
use super::step::Step;
use crate::engine::Backbone;
use crate::studio::advice::before_training;
use crate::train::recipe::TrainDepth;
use crate::ui::focus::mend_focus;
use crate::ui::format;
use crate::ui::notice::Notice;
use crate::ui::studio::judge::advice_words;
use crate::ui::workshop::Workshop;

/// Networks offered from scratch, with the side of the pictures each is sensible for.
const SCRATCH: [(&str, u32); 5] = [("resnet8", 32), ("resnet20", 32), ("resnet56", 32), ("resnet18", 64), ("resnet50", 96)];

/// The step.
#[component]
pub fn Train(lab: Workshop) -> impl IntoView {
    let training = lab.training;
    let counts =
        Memo::new(move |_| lab.classes_to_learn().into_iter().map(|(class, count)| (class.name, count)).collect::<Vec<_>>());
    let enough = Memo::new(move |_| counts.with(|counts| counts.iter().filter(|(_, count)| *count > 0).count() >= 2));
    let begun = Memo::new(move |_| training.busy() || training.history.with(|history| !history.is_empty()));
    // Anything that changes what a run would take asks anew, a moment after the last change.
    let plan = Memo::new(move |_| (lab.recipe(), training.backbone.get(), lab.pictures_to_learn(), lab.pixels(), enough.get()));
    Effect::new(move |_| {
        let (.., pixels, enough) = plan.get();
        if enough && pixels.is_some() && lab.model.with(Option::is_some) && !untrack(|| training.busy()) {
            untrack(|| lab.estimate_training());
        }
    });
    let advice = move || {
        // Of a part of the pictures nothing can be said.
        if lab.studio.adding.with(Option::is_some) {
            return vec![t!("train.still_adding").into_owned()];
        }
        let counts = counts.get();
        let names: Vec<String> = counts.iter().map(|(name, _)| name.clone()).collect();
        let pictures: Vec<usize> = counts.iter().map(|(_, count)| *count).collect();
        before_training(&pictures, None).iter().map(|advice| advice_words(advice, &names)).collect::<Vec<_>>()
    };
    view! {
        <section class="train" aria-labelledby="train-title" data-testid="train">
            <h1 id="train-title" class="hidden">{t!("studio.train")}</h1>
            <Show
                when=move || enough.get()
                fallback=|| {
                    view! {
                        <div class="card train__empty" data-testid="train-empty">
                            <p>{t!("train.nothing_to_learn")}</p>
                            <a class="button" href=Step::Collect.href()>{t!("train.go_collect")}</a>
                        </div>
                    }
                }
            >
                <div class="train__sides">
                    <div class="card train__main">
                        <p class="train__lead" data-testid="train-pictures">
                            {move || t!("train.from", pictures = lab.pictures_to_learn(), classes = counts.with(Vec::len))}
                        </p>
                        {move || {
                            advice()
                                .into_iter()
                                .map(|words| view! { <p class="train__advice" data-testid="train-advice">{words}</p> })
                                .collect_view()
                        }}
                        <Mirror lab />
                        <StrongerBase lab />
                        <Backbones lab />
                        <Depths lab />
                        <Epochs lab />
                        <Actions lab />
                        <Bell lab />
                        <Notice text=training.error testid="train-error" />
                    </div>
                    <div class="card train__course">
                        <Show
                            when=move || begun.get()
                            fallback=|| view! { <p class="train__empty">{t!("train.not_begun")}</p> }
                        >
                            <Course lab />
                        </Show>
                    </div>
                    <div class="card train__more">
                        <Dials lab />
                    </div>
                </div>
                <Runs lab />
            </Show>
        </section>
    }
}

/// What mirroring would do to classes that are each other's mirror image.
#[component]
fn Mirror(lab: Workshop) -> impl IntoView {
    let pair = Memo::new(move |_| lab.mirror_pair().map(|(a, b)| lab.class_names(&[a, b])));
    let flips = Memo::new(move |_| lab.recipe().augmentation.flip);
    let off = move |_| {
        let mut recipe = untrack(|| lab.recipe());
        recipe.augmentation.flip = false;
        lab.change_settings(|settings| settings.recipe = Some(recipe));
    };
    move || {
        let names = pair.get()?;
        let [name, other] = names.as_slice() else { return None };
        let flips = flips.get();
        let words = if flips {
            t!("train.mirror_on", name = name, other = other)
        } else {
            t!("train.mirror_off", name = name, other = other)
        };
        let words = words.into_owned();
        let testid = if flips { "mirror-on" } else { "mirror-off" };
        Some(view! {
            <p class:train__advice=flips class:train__hint=!flips data-testid=testid>
                {words}
                {flips.then(|| view! {
                    " "
                    <button type="button" class="button" data-testid="mirror-turn-off" on:click=off>{t!("train.mirror_turn_off")}</button>
                })}
            </p>
        })
    }
}

/// Where training begins.
#[component]
fn Backbones(lab: Workshop) -> impl IntoView {
    let training = lab.training;
    let pretrained =
        move || training.pretrained.with(|model| model.as_ref().map(|model| model.name.clone()).unwrap_or_default());
    let trained = Memo::new(move |_| {
        let own = lab.has_own_network();
        lab.model.with(|model| model.as_ref().filter(|_| own).map(|model| model.name.clone()))
    });
    // The network that was to be trained on is gone: with the run, or with the project.
    Effect::new(move |_| {
        if trained.with(Option::is_none) && training.backbone.get_untracked() == Backbone::Loaded {
            training.backbone.set(Backbone::Pretrained);
        }
    });
    let chosen = move || match training.backbone.get() {
        Backbone::Pretrained => "pretrained".to_owned(),
        Backbone::Loaded => "loaded".to_owned(),
        Backbone::Scratch { arch, .. } => arch,
    };
    let choose = move |event: web_sys::Event| {
        let value = event_target_value(&event);
        training.backbone.set(match value.as_str() {
            "pretrained" => Backbone::Pretrained,
            "loaded" => Backbone::Loaded,
            arch => {
                let side = SCRATCH.iter().find(|(name, _)| *name == arch).map_or(32, |(_, side)| *side);
                Backbone::Scratch { arch: arch.to_owned(), side }
            }
        });
        // A network that knows nothing has to learn everything.
        if matches!(training.backbone.get_untracked(), Backbone::Scratch { .. }) {
            lab.change_settings(|settings| settings.depth = TrainDepth::All);
        }
    };
    view! {
        <div class="train__field">
            <label for="train-backbone">{t!("train.backbone")}</label>
            <select
                id="train-backbone"
                class="select"
                data-testid="train-backbone"
                disabled=move || training.busy()
                prop:value=chosen
                on:change=choose
            >
                <option value="pretrained">{move || t!("train.backbone_pretrained", name = pretrained())}</option>
                {move || trained.get().map(|name| view! { <option value="loaded">{t!("train.backbone_loaded", name = name)}</option> })}
                {SCRATCH
                    .map(|(arch, side)| {
                        view! { <option value=arch>{t!("train.backbone_scratch", name = arch, side = side)}</option> }
                    })
                    .collect_view()}
            </select>
            <p class="train__hint">{t!("train.backbone_hint")} " " <a href="#look">{t!("train.backbone_more")}</a></p>
        </div>
    }
}

/// How much learns, with what each choice takes.
#[component]
fn Depths(lab: Workshop) -> impl IntoView {
    let training = lab.training;
    let depth = Memo::new(move |_| lab.recipe().depth);
    let scratch = Memo::new(move |_| matches!(training.backbone.get(), Backbone::Scratch { .. }));
    let choice = move |index: usize, testid: &'static str, title: String, hint: String| {
        let value = move || [TrainDepth::Head, TrainDepth::FromStage(lab.stages()), TrainDepth::All][index];
        let takes = move || {
            training.estimates.with(|all| all[index]).map(|estimate| {
                let memory = format::bytes(estimate.memory_bytes);
                t!("train.takes", time = clock(estimate.seconds), memory = memory).into_owned()
            })
        };
        let checked = move || {
            let now = (index, depth.get());
            matches!(now, (0, TrainDepth::Head) | (1, TrainDepth::FromStage(_)) | (2, TrainDepth::All))
        };
        view! {
            <label class="depth">
                <input
                    type="radio"
                    name="train-depth"
                    data-testid=testid
                    disabled=move || scratch.get() && index != 2
                    prop:checked=checked
                    on:change=move |_| lab.change_settings(|settings| settings.depth = untrack(value))
                />
                <span class="depth__words">
                    <b>{title}</b>
                    <span>{hint}</span>
                </span>
                <span class="depth__takes" data-testid=format!("{testid}-takes")>{takes}</span>
            </label>
        }
    };
    view! {
        <fieldset class="train__field" disabled=move || training.busy()>
            <legend>{t!("train.depth")}</legend>
            {choice(0, "depth-head", t!("train.depth_head").into_owned(), t!("train.depth_head_hint").into_owned())}
            {choice(1, "depth-stage", t!("train.depth_stage").into_owned(), t!("train.depth_stage_hint").into_owned())}
            {choice(2, "depth-all", t!("train.depth_all").into_owned(), t!("train.depth_all_hint").into_owned())}
        </fieldset>
    }
}

#[component]
fn Epochs(lab: Workshop) -> impl IntoView {
    let epochs = Memo::new(move |_| lab.recipe().epochs);
    let change = move |event: web_sys::Event| {
        if let Ok(epochs) = event_target_value(&event).parse::<u32>() {
            lab.change_settings(|settings| settings.epochs = Some(epochs.clamp(1, 1000)));
        } else {
            lab.studio.project.notify();
        }
    };
    view! {
        <div class="train__field train__field--row">
            <label for="train-epochs">{t!("train.epochs")}</label>
            <input
                id="train-epochs"
                class="number"
                type="number"
                min="1"
                max="1000"
                data-testid="train-epochs"
                disabled=move || lab.training.busy()
                prop:value=move || epochs.get().to_string()
                on:change=change
            />
            <p class="train__hint">{t!("train.epochs_hint")}</p>
        </div>
    }
}

#[component]
fn Actions(lab: Workshop) -> impl IntoView {
    let training = lab.training;
    // One of the two is there at any time; a button keeps the focus while numbers change.
    let busy = Memo::new(move |_| training.busy());
    let rests = Memo::new(move |_| training.can_go_on());
    let done = Memo::new(move |_| training.phase.get() == Phase::Rests { finished: true });
    let holds = Memo::new(move |_| lab.holds_run());
    // The button that had the focus is another one now.
    Effect::new(move |_| {
        busy.track();
        mend_focus();
    });
    let stopping = move || training.phase.get() == Phase::Stopping;
    let ready = move || lab.model.with(Option::is_some) && lab.studio.adding.with(Option::is_none);
    view! {
        <div class="train__actions">
            <Show
                when=move || busy.get()
                fallback=move || {
                    view! {
                        <Show when=move || rests.get()>
                            <button type="button" class="button button--main" data-testid="train-continue" on:click=move |_| lab.continue_training(0)>
                                {t!("train.go_on")}
                            </button>
                        </Show>
                        <button
                            type="button"
                            class="button"
                            class:button--main=move || !rests.get() && !done.get()
                            data-testid="train-start"
                            disabled=move || !ready()
                            on:click=move |_| lab.start_training()
                        >
                            {move || if rests.get() || done.get() { t!("train.again") } else { t!("train.start") }}
                        </button>
                        <Show when=move || done.get()>
                            <button
                                type="button"
                                class="button"
                                data-testid="train-further"
                                on:click=move |_| lab.continue_training(untrack(|| lab.recipe().epochs))
                            >
                                {move || t!("train.further", epochs = epochs_words(lab.recipe().epochs as usize))}
                            </button>
                        </Show>
                    }
                }
            >
                <button type="button" class="button button--main" data-testid="train-stop" disabled=stopping on:click=move |_| lab.stop_training()>
                    {move || if stopping() { t!("train.pausing") } else { t!("train.pause") }}
                </button>
            </Show>
            <Show when=move || !busy.get() && (done.get() || rests.get())>
                <p class="train__hint train__kept">{t!("train.again_hint")}</p>
            </Show>
            <Show when=move || !busy.get() && holds.get()>
                <button type="button" class="button" data-testid="train-save" on:click=move |_| lab.save_trained()>
                    {t!("train.save")}
                </button>
            </Show>
        </div>
    }
}

/// `40 seconds`, `3 minutes`, `2 h 5 min`: no more digits than an estimate has.
pub fn clock(seconds: f64) -> String {
    match seconds.max(1.0).ceil() as u64 {
        1 => t!("train.seconds_one"),
        s @ 0..90 => t!("train.seconds", count = s),
        s @ 90..5400 => t!("train.minutes", count = s.div_ceil(60)),
        s => t!("train.hours", hours = s / 3600, minutes = s % 3600 / 60),
    }
    .into_owned()
}
