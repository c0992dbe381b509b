//! What the network says of the picture on the stage.

use leptos::prelude::*;

use super::bars::{Bars, Pick};
use super::format;
use super::lab::{Answer, Lab, Shot, Status};
use super::live::PictureLooks;
use crate::engine::ModelInfo;

/// A network with at most this many classes says which they are.
const FEW_CLASSES: usize = 20;

/// The answer, or what is missing for one.
#[component]
pub fn Reading(lab: Lab) -> impl IntoView {
    view! {
        <section class="card reading" aria-label="Result" data-testid="result">
            {move || match lab.shot() {
                None => view! { <Empty lab /> }.into_any(),
                Some(shot) => view! { <Shown lab shot /> }.into_any(),
            }}
            {move || lab.model.get().and_then(|model| few_classes(&model))}
        </section>
    }
}

#[component]
fn Empty(lab: Lab) -> impl IntoView {
    view! {
        <div class="reading__empty">
            <h2 class="eyebrow">"Reading"</h2>
            <p class="reading__wait">
                {move || {
                    if lab.model.with(Option::is_some) {
                        "Ready. The five most probable classes appear here."
                    } else if lab.busy.with(Option::is_some) {
                        "The network is being prepared\u{2026}"
                    } else {
                        "Choose a model to begin."
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
                        Status::Waiting if lab.model.with(Option::is_none) => "Waits for the network to be ready\u{2026}",
                        Status::Waiting => "Waits for its turn\u{2026}",
                        Status::Working | Status::Done => "Looking\u{2026}",
                        Status::Cancelled => "Stopped before it was read.",
                        Status::Failed(_) => "No reading for this one: the reason is beside the picture.",
                    };
                    view! {
                        <h2 class="eyebrow">"Reading"</h2>
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
    let Answer { result, model, decode_ms } = answer;
    let Some(best) = result.top.first().cloned() else {
        return view! {
            <h2 class="eyebrow">"Reading"</h2>
            <p class="reading__wait">"This network ends in features and names no classes."</p>
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
        <h2 class="eyebrow">"Reading"</h2>
        <p class="reading__best" data-testid="best">
            <span class="reading__label">{format::label(&best.label)}</span>
            <span class="reading__share">{format::percent(best.probability)}</span>
        </p>
        <Bars top=result.top pick />
        <PictureLooks lab shot answer=looked />
        <dl class="measures">
            <div>
                <dt>"Network"</dt>
                <dd data-testid="ms">{format::duration_ms(result.ms)}</dd>
            </div>
            <div>
                <dt>"Decoding"</dt>
                <dd>{format::duration_ms(decode_ms)}</dd>
            </div>
            <div>
                <dt>"Picture"</dt>
                <dd>{format!("{} \u{d7} {}", result.width, result.height)}</dd>
            </div>
            <div class="measures__long">
                <dt>"Read by"</dt>
                <dd data-testid="read-by">
                    {move || format!("{} on {}", model.name, lab.device_name())}
                    <Show when=move || lab.software()>
                        <span class="measures__slow" data-testid="software-note">
                            "A software adapter: the processor stands in for a graphics card, so it is slow. The answer is the same."
                        </span>
                    </Show>
                </dd>
            </div>
        </dl>
    }
    .into_any()
}

fn few_classes(model: &ModelInfo) -> Option<impl IntoView + use<>> {
    let count = model.labels.len();
    (1..=FEW_CLASSES).contains(&count).then(|| {
        let names = model.labels.iter().map(|label| format::label(label)).collect::<Vec<_>>().join(", ");
        view! {
            <p class="remark" data-testid="few-classes">
                <b>{format!("This network knows only {count} things: ")}</b>
                {names}
                ". Whatever it sees, it names one of them. A model from the hub knows 1,000."
            </p>
        }
    })
}
