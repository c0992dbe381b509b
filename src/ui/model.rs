//! The model in use: what it is, what it costs, and the ways to another one.

use leptos::prelude::*;

use super::format;
use super::lab::{Busy, Lab};
use super::model_picker::ModelPicker;
use super::notice::Notice;
use super::precision::PrecisionSwitch;
use crate::engine::{ModelInfo, Origin};

/// The panel.
#[component]
pub fn ModelPanel(lab: Lab) -> impl IntoView {
    view! {
        <section class="card model" aria-labelledby="model-title" data-testid="model">
            <div class="model__head">
                <h2 class="eyebrow" id="model-title">"Model"</h2>
                {move || lab.model.get().map(|model| view! { <span class="tag" data-testid="origin">{origin(model.origin)}</span> })}
            </div>
            {move || match lab.model.get() {
                Some(model) => view! { <Facts model=(*model).clone() /> }.into_any(),
                None => {
                    view! {
                        <p class="model__name">
                            {move || if lab.busy.with(Option::is_some) { "On its way\u{2026}" } else { "None loaded" }}
                        </p>
                    }
                        .into_any()
                }
            }}
            <Progress lab />
            <Notice text=lab.model_error testid="model-error" />
            {move || lab.remark.get().map(|remark| view! { <p class="remark">{remark}</p> })}
            <Show when=move || lab.model.with(Option::is_some)>
                <PrecisionSwitch lab />
            </Show>
            <ModelPicker lab />
        </section>
    }
}

#[component]
fn Facts(model: ModelInfo) -> impl IntoView {
    let memory = model.memory.weight_bytes + model.memory.activation_bytes;
    let classes = if model.labels.is_empty() { "none (features)".into() } else { format::count(model.labels.len()) };
    view! {
        <p class="model__name" data-testid="model-name">{model.name}</p>
        <dl class="facts">
            <div>
                <dt>"Network"</dt>
                <dd data-testid="arch">{format!("{} \u{b7} {}", model.arch, family(&model.family))}</dd>
            </div>
            <div>
                <dt>"Parameters"</dt>
                <dd>{format::count(model.parameters)}</dd>
            </div>
            <div>
                <dt>"Classes"</dt>
                <dd>{classes}</dd>
            </div>
            <div>
                <dt>"Input"</dt>
                <dd>{format!("{0} \u{d7} {0} px", model.size)}</dd>
            </div>
            <div>
                <dt>"GPU memory"</dt>
                <dd>{format::bytes(memory)}</dd>
            </div>
            <div>
                <dt>"Dispatches"</dt>
                <dd>{model.dispatches}</dd>
            </div>
        </dl>
        {(!model.assumed.is_empty())
            .then(|| {
                view! {
                    <p class="remark" data-testid="assumed">
                        <b>"The file could not tell everything. Assumed: "</b>
                        {model.assumed.join(" ")}
                    </p>
                }
            })}
    }
}

#[component]
fn Progress(lab: Lab) -> impl IntoView {
    // The kind alone decides what is there; the numbers change inside it, so that a button keeps the focus.
    let fetching = Memo::new(move |_| matches!(lab.busy.get(), Some(Busy::Fetching { .. })));
    let words = move || match lab.busy.get() {
        Some(Busy::Fetching { name, received, total: Some(total) }) => {
            format!("{name}: {} of {}", format::bytes(received), format::bytes(total))
        }
        Some(Busy::Fetching { name, received: 0, .. }) => format!("{name}: asking\u{2026}"),
        Some(Busy::Fetching { name, received, .. }) => format!("{name}: {}", format::bytes(received)),
        Some(Busy::Preparing { name, progress }) => format!("{name}: preparing, {:.0} %", progress * 100.0),
        None => String::new(),
    };
    let share = move || match lab.busy.get() {
        Some(Busy::Fetching { received, total: Some(total), .. }) => received as f64 / total.max(1) as f64,
        Some(Busy::Preparing { progress, .. }) => f64::from(progress),
        _ => 0.0,
    };
    view! {
        <Show when=move || lab.busy.with(Option::is_some)>
            <div class="busy" data-testid="busy">
                <p class="busy__words">{words}</p>
                <Show when=move || fetching.get()>
                    <button type="button" class="button button--quiet" data-testid="cancel-download" on:click=move |_| lab.cancel_download()>
                        "Cancel"
                    </button>
                </Show>
                <progress class="meter" max="1" value=move || format!("{:.3}", share()) aria-label="Model progress"></progress>
            </div>
        </Show>
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Bundled => "ships with the page",
        Origin::Downloaded => "downloaded",
        Origin::FromThisDevice => "from this device",
        Origin::OwnFile => "your file",
        Origin::Trained => "trained here",
    }
}

fn family(family: &str) -> &str {
    match family {
        "v1" => "post-activation",
        "v2" => "pre-activation",
        "cifar-v1" => "CIFAR, post-activation",
        "cifar-v2" => "CIFAR, pre-activation",
        other => other,
    }
}
