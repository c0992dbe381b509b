//! How the run goes: progress, numbers and curves.

use leptos::prelude::*;
use rust_i18n::t;

use super::clock;
use super::curves::Curves;
use super::record::best_epoch;
use super::state::{Phase, epochs_words};
use crate::ui::format;
use crate::ui::studio::step::Step;
use crate::ui::workshop::Workshop;

/// All of it.
#[component]
pub fn Course(lab: Workshop) -> impl IntoView {
    let training = lab.training;
    let words = move || match training.phase.get() {
        Phase::Idle => String::new(),
        Phase::Reading { done, of } => t!("train.reading", done = done + 1, of = of).into_owned(),
        Phase::Planning => t!("train.planning").into_owned(),
        Phase::Rests { finished } => {
            let epochs = epochs_words(training.history.with(Vec::len));
            let best = training.history.with(|history| {
                best_epoch(history).map_or_else(String::new, |best| format::share(best.validation.unwrap_or(best.train).top1))
            });
            let key = if finished {
                t!("train.done", epochs = epochs, best = best)
            } else {
                t!("train.rests", epochs = epochs, best = best)
            };
            key.into_owned()
        }
        Phase::Going | Phase::Stopping => going(lab),
    };
    let rests =
        Memo::new(move |_| matches!(training.phase.get(), Phase::Rests { .. }) && training.history.with(|h| !h.is_empty()));
    let dash = || "\u{2013}".to_owned();
    // While it learns the newest steps; at rest the epoch whose weights are kept.
    let latest = move || {
        training.history.with(|history| if rests.get() { best_epoch(history).cloned() } else { history.last().cloned() })
    };
    let steps = move || training.steps.get().filter(|_| !rests.get());
    let train_loss = move || steps().map(|now| now.loss).or_else(|| latest().map(|epoch| epoch.train.loss));
    let train_right = move || steps().map(|now| now.top1).or_else(|| latest().map(|epoch| epoch.train.top1));
    let validation = move || latest().and_then(|epoch| epoch.validation);
    let number = move |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.3}"));
    let share = move |value: Option<f64>| value.map_or_else(dash, format::share);
    view! {
        <div class="course" data-testid="train-course">
            <p class="course__words" data-testid="train-words">{words}</p>
            <progress class="meter" max="1" value=move || format!("{:.3}", training.progress()) aria-label=t!("train.progress")></progress>
            {move || training.note.get().map(|note| view! { <p class="course__note" role="status" data-testid="train-note">{note}</p> })}
            <table class="figures">
                <caption class="figures__caption">
                    {move || {
                        let epoch = latest().map(|epoch| epoch.epoch)?;
                        let best = rests.get();
                        Some(if best { t!("train.figures_best", epoch = epoch).into_owned() } else { t!("train.figures_now").into_owned() })
                    }}
                </caption>
                <thead>
                    <tr>
                        <td></td>
                        <th scope="col">{t!("train.on_training")}</th>
                        <th scope="col">{t!("train.on_validation")}</th>
                    </tr>
                </thead>
                <tbody>
                    <tr>
                        <th scope="row">{t!("train.accuracy")}</th>
                        <td data-testid="train-accuracy">{move || share(train_right())}</td>
                        <td data-testid="val-accuracy">{move || share(validation().map(|now| now.top1))}</td>
                    </tr>
                    <tr>
                        <th scope="row">{t!("train.loss")}</th>
                        <td data-testid="train-loss">{move || number(train_loss())}</td>
                        <td data-testid="val-loss">{move || number(validation().map(|now| now.loss))}</td>
                    </tr>
                </tbody>
            </table>
            <Curves history=training.history />
            <p class="train__hint">{t!("train.curves_hint")}</p>
            <p class="course__facts">{move || facts(lab)}</p>
            <Show when=move || rests.get()>
                <p class="course__next">
                    <a class="button button--main" data-testid="train-judge" href=Step::Judge.href()>{t!("train.judge")}</a>
                    <a class="button" data-testid="train-live" href=Step::Live.href()>{t!("train.live")}</a>
                </p>
            </Show>
        </div>
    }
}

fn going(lab: Workshop) -> String {
    let training = lab.training;
    let Some(outline) = training.outline.get() else { return t!("train.planning").into_owned() };
    let Some(now) = training.steps.get() else { return t!("train.first_step").into_owned() };
    let mut words = t!("train.epoch_of", epoch = now.epoch, epochs = outline.epochs).into_owned();
    let doing = match training.validating.get() {
        Some(share) => t!("train.validating", share = format!("{:.0}", share * 100.0)),
        None => t!("train.step_of", step = now.step, steps = now.steps),
    };
    words = format!("{words} \u{b7} {doing}");
    match training.seconds_left() {
        Some(seconds) => format!("{words} \u{b7} {}", t!("train.left", time = clock(seconds))),
        None => words,
    }
}

/// What the run is, in one line.
fn facts(lab: Workshop) -> Option<String> {
    let outline = lab.training.outline.get()?;
    let memory = format::bytes(outline.memory.total() + outline.feed_bytes);
    let (learn, all) = (format::count(outline.trained_parameters), format::count(outline.parameters));
    Some(t!("train.facts", learn = learn, all = all, batch = outline.batch, memory = memory).into_owned())
}
