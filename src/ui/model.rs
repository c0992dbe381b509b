//! The model in use: what it is, what it costs, and the ways to another one.

use leptos::prelude::*;
use rust_i18n::t;

use super::assumed::Assumed;
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
                <h2 class="eyebrow" id="model-title">{t!("model.title")}</h2>
                {move || lab.model.get().map(|model| view! { <span class="tag" data-testid="origin">{origin(model.origin)}</span> })}
            </div>
            {move || match lab.model.get() {
                Some(model) => view! { <Facts lab model=(*model).clone() /> }.into_any(),
                None => {
                    view! {
                        <p class="model__name">
                            {move || if lab.busy.with(Option::is_some) { t!("model.coming") } else { t!("model.none") }}
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
fn Facts(lab: Lab, model: ModelInfo) -> impl IntoView {
    let shown = model.clone();
    let memory = model.memory.weight_bytes + model.memory.activation_bytes;
    let classes = if model.labels.is_empty() { t!("model.no_classes").into_owned() } else { format::count(model.labels.len()) };
    view! {
        <p class="model__name" data-testid="model-name">{model.name}</p>
        <dl class="facts">
            <div>
                <dt>{t!("model.network")}</dt>
                <dd data-testid="arch">{format!("{} \u{b7} {}", model.arch, family(&model.family))}</dd>
            </div>
            <div>
                <dt>{t!("model.parameters")}</dt>
                <dd>{format::count(model.parameters)}</dd>
            </div>
            <div>
                <dt>{t!("model.classes")}</dt>
                <dd>{classes}</dd>
            </div>
            <div>
                <dt>{t!("model.input")}</dt>
                <dd>{format!("{0} \u{d7} {0} px", model.size)}</dd>
            </div>
            <div>
                <dt>{t!("model.memory")}</dt>
                <dd>{format::bytes(memory)}</dd>
            </div>
            <div>
                <dt>{t!("model.dispatches")}</dt>
                <dd>{model.dispatches}</dd>
            </div>
        </dl>
        <Assumed lab model=shown />
    }
}

/// How far a model that was asked for is.
#[component]
pub fn Progress(lab: Lab) -> impl IntoView {
    // The kind alone decides what is there; the numbers change inside it, so that a button keeps the focus.
    let fetching = Memo::new(move |_| matches!(lab.busy.get(), Some(Busy::Fetching { .. })));
    let words = move || match lab.busy.get() {
        Some(Busy::Fetching { name, received, total: Some(total) }) => {
            t!("model.received_of", name = name, received = format::bytes(received), total = format::bytes(total)).into_owned()
        }
        Some(Busy::Fetching { name, received: 0, .. }) => t!("model.asking", name = name).into_owned(),
        Some(Busy::Fetching { name, received, .. }) => {
            t!("model.received", name = name, received = format::bytes(received)).into_owned()
        }
        Some(Busy::Preparing { name, progress }) => {
            t!("model.preparing", name = name, percent = format!("{:.0}", progress * 100.0)).into_owned()
        }
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
                        {t!("model.cancel")}
                    </button>
                </Show>
                <progress class="meter" max="1" value=move || format!("{:.3}", share()) aria-label=t!("model.progress")></progress>
            </div>
        </Show>
    }
}

fn origin(origin: Origin) -> String {
    match origin {
        Origin::Bundled => t!("model.origin_bundled"),
        Origin::Downloaded => t!("model.origin_downloaded"),
        Origin::FromThisDevice => t!("model.origin_from_device"),
        Origin::OwnFile => t!("model.origin_own_file"),
        Origin::Trained => t!("model.origin_trained"),
    }
    .into_owned()
}

fn family(family: &str) -> String {
    match family {
        "v1" => t!("model.family_v1"),
        "v2" => t!("model.family_v2"),
        "cifar-v1" => t!("model.family_cifar_v1"),
        "cifar-v2" => t!("model.family_cifar_v2"),
        other => other.to_owned().into(),
    }
    .into_owned()
}
