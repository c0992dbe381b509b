//! Teaching the network one's own classes: pictures by folder, how much learns, and how it goes.

use leptos::html;
use leptos::prelude::*;

use super::format;
use super::lab::Lab;
use super::notice::Notice;
use super::train::{Depth, Phase, best};
use super::train_curve::Curves;

/// Names shown of the files that were left out.
const SKIPPED_SHOWN: usize = 50;

/// Folded away until it is wanted.
#[component]
pub fn TrainPanel(lab: Lab) -> impl IntoView {
    let training = lab.training;
    let some = move || training.classes.with(|classes| !classes.is_empty());
    let begun = move || training.outline.with(Option::is_some);
    view! {
        <details class="card train" data-testid="train" data-takes="training">
            <summary>"Teach it your own classes"</summary>
            <p class="train__lead">
                "One folder of pictures for each class, a few dozen in each. Training begins from the model in use and runs on this device; the pictures stay in this tab."
            </p>
            <Folders lab />
            <Show when=some>
                <Classes lab />
            </Show>
            <Notice text=training.error testid="train-error" />
            <Show when=some>
                <Choices lab />
            </Show>
            <Show when=move || some() || begun()>
                <Actions lab />
            </Show>
            <Show when=move || training.busy() || begun()>
                <Course lab />
            </Show>
        </details>
    }
}

#[component]
fn Folders(lab: Lab) -> impl IntoView {
    let training = lab.training;
    let input = NodeRef::<html::Input>::new();
    let open = move |_| {
        if let Some(input) = input.get() {
            input.click();
        }
    };
    let some = move || training.classes.with(|classes| !classes.is_empty());
    view! {
        <div class="train__folders">
            <button type="button" class="button" disabled=move || training.busy() data-testid="train-folder" on:click=open>
                {move || if some() { "Add another folder" } else { "Choose a folder" }}
            </button>
            <span class="train__hint">"or drop folders on this panel"</span>
            <Show when=move || some() && !training.busy()>
                <button type="button" class="button button--quiet" data-testid="train-clear" on:click=move |_| lab.clear_training()>
                    "Clear"
                </button>
            </Show>
            <input
                node_ref=input
                class="hidden"
                type="file"
                multiple
                tabindex="-1"
                prop:webkitdirectory=true
                aria-label="Choose a folder with one folder of pictures for each class"
                data-testid="train-input"
                on:change=move |event| lab.add_training_input(&event)
            />
        </div>
    }
}

#[component]
fn Classes(lab: Lab) -> impl IntoView {
    let training = lab.training;
    let skipped = move || training.skipped.with(Vec::len);
    view! {
        <ul class="train__classes" data-testid="train-classes" aria-label="Classes">
            {move || {
                training
                    .classes
                    .get()
                    .into_iter()
                    .map(|class| view! { <li>{format!("{} ", format::label(&class.name))} <b>{class.pictures}</b></li> })
                    .collect_view()
            }}
        </ul>
        <Show when=move || skipped() != 0>
            <details class="train__skipped" data-testid="train-skipped">
                <summary>{move || format!("{} left out", format::plural(skipped(), "file"))}</summary>
                <ul>
                    {move || {
                        training.skipped.with(|skipped| {
                            let row = |skipped: &crate::studio::folders::Skipped| {
                                view! { <li><b>{skipped.path.clone()}</b> " " {skipped.reason.clone()}</li> }
                            };
                            skipped.iter().take(SKIPPED_SHOWN).map(row).collect_view()
                        })
                    }}
                </ul>
            </details>
        </Show>
    }
}

#[component]
fn Choices(lab: Lab) -> impl IntoView {
    let training = lab.training;
    let choice = move |depth: Depth, id: &'static str, title: &'static str, hint: &'static str| {
        view! {
            <label class="train__choice">
                <input
                    type="radio"
                    name="train-depth"
                    data-testid=id
                    prop:checked=move || training.depth.get() == depth
                    on:change=move |_| {
                        training.depth.set(depth);
                        training.rate.set(None);
                    }
                />
                <span>
                    <b>{title}</b>
                    <span>{hint}</span>
                </span>
            </label>
        }
    };
    let epochs = move |event| {
        if let Ok(epochs) = event_target_value(&event).parse::<u32>() {
            training.epochs.set(epochs.clamp(1, 1000));
        }
    };
    let rate = move |event| {
        // This reader of numbers is in the page anyway; the standard one brings a table of 10 KB.
        let rate = serde_json::from_str::<f32>(event_target_value(&event).trim());
        let rate = rate.ok().filter(|rate| rate.is_finite() && *rate > 0.0);
        training.rate.set(rate);
    };
    let shown = move || training.rate.get().unwrap_or(training.depth.get().usual_rate());
    view! {
        <fieldset class="train__depth" disabled=move || training.busy()>
            <legend>"What learns"</legend>
            {choice(Depth::Head, "depth-head", "The last layer", "Quickest: what the network sees stays, only the names are new.")}
            {choice(Depth::LastStage, "depth-stage", "The last stage", "In between: its most abstract features adapt, too.")}
            {choice(Depth::All, "depth-all", "The whole network", "Slowest, and best where your pictures look unlike those it knows.")}
        </fieldset>
        <details class="train__more" data-testid="train-more">
            <summary>"More"</summary>
            <div class="train__fields">
                <label>
                    "Epochs"
                    <input type="number" min="1" max="1000" step="1" data-testid="train-epochs" disabled=move || training.busy()
                        prop:value=move || training.epochs.get().to_string() on:change=epochs />
                </label>
                <label>
                    "Learning rate"
                    <input type="number" min="0.00001" max="10" step="any" data-testid="train-rate" disabled=move || training.busy()
                        prop:value=move || shown().to_string() on:change=rate />
                </label>
            </div>
        </details>
    }
}

#[component]
fn Actions(lab: Lab) -> impl IntoView {
    let training = lab.training;
    // One of the two is there at any time; a button keeps the focus while numbers change.
    let busy = Memo::new(move |_| training.busy());
    let rests = Memo::new(move |_| training.phase.get() == Phase::Rests { finished: false });
    let has_model = Memo::new(move |_| training.history.with(|history| !history.is_empty()));
    let stopping = move || training.phase.get() == Phase::Stopping;
    view! {
        <div class="train__actions">
            <Show
                when=move || busy.get()
                fallback=move || {
                    view! {
                        <Show when=move || rests.get()>
                            <button type="button" class="button button--main" data-testid="train-continue" on:click=move |_| lab.continue_training()>
                                "Continue"
                            </button>
                        </Show>
                        <Show when=move || training.classes.with(|classes| !classes.is_empty())>
                            <button
                                type="button"
                                class="button"
                                class:button--main=move || !rests.get()
                                data-testid="train-start"
                                on:click=move |_| lab.start_training()
                            >
                                {move || if rests.get() { "Start again" } else { "Start training" }}
                            </button>
                        </Show>
                    }
                }
            >
                <button
                    type="button"
                    class="button button--main"
                    data-testid="train-stop"
                    disabled=stopping
                    on:click=move |_| lab.stop_training()
                >
                    {move || if stopping() { "Stopping\u{2026}" } else { "Stop" }}
                </button>
            </Show>
            <Show when=move || has_model.get()>
                <button type="button" class="button" data-testid="train-save" on:click=move |_| lab.save_trained()>
                    "Save model"
                </button>
            </Show>
        </div>
    }
}

/// Progress, numbers and curves.
#[component]
fn Course(lab: Lab) -> impl IntoView {
    let training = lab.training;
    let words = move || match training.phase.get() {
        Phase::Idle => String::new(),
        Phase::Reading { done, of } => format!("Reading picture {} of {of}", done + 1),
        Phase::Planning => "Preparing\u{2026}".into(),
        Phase::Rests { finished } => {
            let epochs = format::plural(training.history.with(Vec::len), "epoch");
            let best = training.history.with(|history| best(history));
            let best = best.map_or_else(String::new, |best| format!(" Best accuracy {}.", format::share(best)));
            format!("{} after {epochs}.{best}", if finished { "Done" } else { "Stopped" })
        }
        Phase::Going | Phase::Stopping => going(lab),
    };
    let steps = move || training.steps.get();
    let latest = move || training.history.with(|history| history.last().and_then(|epoch| epoch.validation));
    view! {
        <div class="train__course" data-testid="train-course">
            <p class="train__words" data-testid="train-words">{words}</p>
            <progress class="meter" max="1" value=move || format!("{:.3}", training.progress()) aria-label="Training progress"></progress>
            {move || training.note.get().map(|note| view! { <p class="remark" data-testid="train-note">{note}</p> })}
            <Show when=move || training.outline.with(Option::is_some)>
                <dl class="train__numbers">
                    <div>
                        <dt>"Loss, training"</dt>
                        <dd data-testid="train-loss">{move || steps().map_or("\u{2013}".into(), |now| format!("{:.3}", now.loss))}</dd>
                    </div>
                    <div>
                        <dt>"Accuracy, training"</dt>
                        <dd data-testid="train-accuracy">{move || steps().map_or("\u{2013}".into(), |now| format::share(now.top1))}</dd>
                    </div>
                    <div>
                        <dt>"Loss, validation"</dt>
                        <dd data-testid="val-loss">{move || latest().map_or("\u{2013}".into(), |now| format!("{:.3}", now.loss))}</dd>
                    </div>
                    <div>
                        <dt>"Accuracy, validation"</dt>
                        <dd data-testid="val-accuracy">{move || latest().map_or("\u{2013}".into(), |now| format::share(now.top1))}</dd>
                    </div>
                </dl>
                <Curves history=training.history />
                <p class="train__facts">{move || facts(lab)}</p>
            </Show>
        </div>
    }
}

fn going(lab: Lab) -> String {
    let training = lab.training;
    let Some(outline) = training.outline.get() else { return "Preparing\u{2026}".into() };
    let Some(now) = training.steps.get() else { return "The first step is the slowest\u{2026}".into() };
    let epoch = format!("Epoch {} of {}", now.epoch, outline.epochs);
    let doing = match training.validating.get() {
        Some(share) => format!("validating, {:.0} %", share * 100.0),
        None => format!("step {} of {}", now.step, now.steps),
    };
    let left = training.seconds_left().map_or_else(String::new, |seconds| format!(" \u{b7} about {} left", clock(seconds)));
    format!("{epoch} \u{b7} {doing}{left}")
}

/// `40 s`, `3 min`, `2 h 5 min`: no more digits than an estimate has.
fn clock(seconds: f64) -> String {
    match seconds.max(1.0).ceil() as u64 {
        s @ 0..90 => format!("{s} s"),
        s @ 90..5400 => format!("{} min", s.div_ceil(60)),
        s => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// What the run is, in one line.
fn facts(lab: Lab) -> Option<String> {
    let outline = lab.training.outline.get()?;
    Some(format!(
        "{} of {} parameters learn, {} images a step, {} of GPU memory.",
        format::count(outline.trained_parameters),
        format::count(outline.parameters),
        outline.batch,
        format::bytes(outline.memory.total() + outline.feed_bytes),
    ))
}
