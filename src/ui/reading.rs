//! What the network says of the picture on the stage.

use leptos::prelude::*;
use rust_i18n::t;

use super::bars::{Bars, Pick};
use super::format;
use super::lab::{Answer, Lab, Shot, Status};
use super::live::PictureLooks;
use crate::engine::{ModelInfo, Origin};
use crate::web;
use crate::weights::hub;

/// A network with at most this many classes says which they are.
const FEW_CLASSES: usize = 20;
/// A less probable class is no answer.
const SURE: f32 = 0.5;

/// The answer, or what is missing for one.
#[component]
pub fn Reading(lab: Lab) -> impl IntoView {
    view! {
        <section class="card reading" aria-label=t!("look.result") data-testid="result">
            {move || lab.model.get().and_then(|model| few_classes(lab, &model))}
            {move || match lab.shot() {
                None => view! { <Empty lab /> }.into_any(),
                Some(shot) => view! { <Shown lab shot /> }.into_any(),
            }}
        </section>
    }
}

#[component]
fn Empty(lab: Lab) -> impl IntoView {
    view! {
        <div class="reading__empty">
            <h2 class="eyebrow">{t!("look.reading")}</h2>
            <p class="reading__wait">
                {move || {
                    if lab.model.with(Option::is_some) {
                        t!("look.ready")
                    } else if lab.busy.with(Option::is_some) {
                        t!("look.preparing")
                    } else {
                        t!("look.choose_model")
                    }
                }}
            </p>
        </div>
    }
}

#[component]
fn Shown(lab: Lab, shot: Shot) -> impl IntoView {
    let status = shot.status.clone();
    let answer = shot.answer.clone();
    let stale = {
        let status = shot.status.clone();
        move || matches!(status.get(), Status::Waiting | Status::Working)
    };
    let busy = stale.clone();
    view! {
        <div class="reading__body" class:reading__body--stale=stale aria-busy=move || busy().to_string()>
            {move || match answer.get() {
                Some(answer) => view! { <Answered lab shot=shot.clone() answer /> }.into_any(),
                None => {
                    let wait = match status.get() {
                        Status::Waiting if lab.model.with(Option::is_none) => t!("look.waits_network"),
                        Status::Waiting => t!("look.waits_turn"),
                        Status::Working | Status::Done => t!("look.looking"),
                        Status::Cancelled => t!("look.stopped_before"),
                        Status::Failed(_) => t!("look.no_reading"),
                    };
                    view! {
                        <h2 class="eyebrow">{t!("look.reading")}</h2>
                        <p class="reading__wait">{wait}</p>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}

#[component]
fn Answered(lab: Lab, shot: Shot, answer: Answer) -> impl IntoView {
    let looked = answer.clone();
    let Answer { mut result, model, decode_ms } = answer;
    for one in &mut result.top {
        one.label = format::class(&model, &one.label);
    }
    let Some(best) = result.top.first().cloned() else {
        return view! {
            <h2 class="eyebrow">{t!("look.reading")}</h2>
            <p class="reading__wait">{t!("look.features_only")}</p>
        }
        .into_any();
    };
    let (looks, first) = (lab.looks, best.class);
    let pick = Pick {
        on: looks.on.into(),
        class: Signal::derive(move || looks.class.get().or(Some(first))),
        choose: Callback::new(move |class| looks.class.set(Some(class))),
    };
    view! {
        <h2 class="eyebrow">{t!("look.reading")}</h2>
        <p class="reading__best" data-testid="best">
            {if best.probability >= SURE {
                view! {
                    <span class="reading__label">{best.label}</span>
                    <span class="reading__share">{format::percent(best.probability)}</span>
                }
                    .into_any()
            } else {
                view! { <span class="reading__label reading__label--unsure">{t!("live.not_sure")}</span> }.into_any()
            }}
        </p>
        <Bars top=result.top pick />
        <PictureLooks lab shot answer=looked />
        <dl class="measures">
            <div>
                <dt>{t!("look.network_time")}</dt>
                <dd data-testid="ms">{format::duration_ms(result.ms)}</dd>
            </div>
            <div>
                <dt>{t!("look.decoding")}</dt>
                <dd>{format::duration_ms(decode_ms)}</dd>
            </div>
            <div>
                <dt>{t!("look.picture")}</dt>
                <dd>{format!("{} \u{d7} {}", result.width, result.height)}</dd>
            </div>
            <div class="measures__long">
                <dt>{t!("look.read_by")}</dt>
                <dd data-testid="read-by">
                    {move || t!("look.read_by_on", model = model.name, device = lab.device_name())}
                    <Show when=move || lab.software()>
                        <span class="measures__slow" data-testid="software-note">
                            {t!("look.software")}
                        </span>
                    </Show>
                </dd>
            </div>
        </dl>
    }
    .into_any()
}

/// Before any answer: what the network can say at all, and the way to one that knows more.
fn few_classes(lab: Lab, model: &ModelInfo) -> Option<impl IntoView + use<>> {
    let count = model.labels.len();
    let own = model.origin == Origin::Trained;
    (1..=FEW_CLASSES).contains(&count).then(|| {
        let names =
            model.labels.iter().map(|label| format::class(model, label)).collect::<Vec<_>>().join(&*t!("format.between"));
        let other = (!own).then(|| hub::recommended(lab.graphics_card())).flatten();
        view! {
            <div class="few" data-testid="few-classes">
                <p>
                    <b>{t!("look.few_classes", count = count)}</b>
                    {names}
                    {t!("look.few_classes_more")}
                </p>
                {other
                    .map(|other| {
                        view! {
                            <button
                                type="button"
                                class="button"
                                data-testid="use-recommended"
                                disabled=move || lab.busy.with(Option::is_some)
                                on:click=move |_| lab.use_hub(other)
                            >
                                {t!("look.use_recommended", size = format::bytes(other.bytes), hub = web::hub::name())}
                            </button>
                        }
                    })}
            </div>
        }
    })
}
