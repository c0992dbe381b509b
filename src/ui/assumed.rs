//! What a weights file could not tell: what was assumed, and the person's word against it.

use leptos::prelude::*;
use rust_i18n::t;

use super::lab::Lab;
use crate::engine::{ModelInfo, Origin};
use crate::model::resnet::StrideOn;
use crate::weights::Choices;

/// The sentences, and for a file of the person's own the choices that change them.
#[component]
pub fn Assumed(lab: Lab, model: ModelInfo) -> impl IntoView {
    let choices = lab.own_choices();
    let own = model.origin == Origin::OwnFile;
    let told = !model.assumed.is_empty();
    let remark = |testid: &'static str, title: String, sentences: &[String]| {
        (!sentences.is_empty()).then(|| {
            let text = sentences.iter().map(|sentence| format!("{sentence}. ")).collect::<String>();
            view! {
                <p class="remark" data-testid=testid>
                    <b>{title}</b>
                    {text}
                </p>
            }
        })
    };
    let (assumed, notes) = (model.assumed.clone(), model.notes.clone());
    view! {
        {remark("assumed", t!("model.assumed").into_owned(), &assumed)}
        {remark("notes", t!("model.notes").into_owned(), &notes)}
        {(own && (told || !choices.is_empty())).then(|| view! { <Panel lab choices /> })}
    }
}

/// One choice of several words; the first is "as the file says".
#[component]
fn Choice(
    title: String,
    testid: &'static str,
    words: Vec<(&'static str, String)>,
    chosen: &'static str,
    on_choose: impl Fn(String) + 'static,
) -> impl IntoView {
    view! {
        <label class="choice">
            <span>{title}</span>
            <select data-testid=testid on:change=move |event| on_choose(event_target_value(&event))>
                {words
                    .into_iter()
                    .map(|(value, text)| view! { <option value=value selected=value == chosen>{text}</option> })
                    .collect_view()}
            </select>
        </label>
    }
}

#[component]
fn Panel(lab: Lab, choices: Choices) -> impl IntoView {
    let usual = || ("", t!("model.as_assumed").into_owned());
    let change = move |set: fn(&mut Choices, &str)| {
        move |value: String| {
            let mut choices = lab.own_choices();
            set(&mut choices, &value);
            lab.choose(&choices);
        }
    };
    let stride = match choices.stem_stride {
        Some(1) => "1",
        Some(2) => "2",
        _ => "",
    };
    let pool = choices.stem_pool.map_or("", |pool| if pool { "yes" } else { "no" });
    let on = choices.stride_on.map_or("", |on| if on == StrideOn::Conv1x1 { "1x1" } else { "3x3" });
    let words = |values: [&'static str; 2]| {
        std::iter::once(usual()).chain(values.map(|value| (value, value.to_string()))).collect::<Vec<_>>()
    };
    let yes_no = vec![usual(), ("yes", t!("model.yes").into_owned()), ("no", t!("model.no").into_owned())];
    view! {
        <details class="choices" data-testid="choices" open=!choices.is_empty()>
            <summary>{t!("model.correct")}</summary>
            <Choice
                title=t!("model.stem_stride").into_owned()
                testid="stem-stride"
                words=words(["1", "2"])
                chosen=stride
                on_choose=change(|choices, value| choices.stem_stride = value.parse().ok())
            />
            <Choice
                title=t!("model.stem_pool").into_owned()
                testid="stem-pool"
                words=yes_no
                chosen=pool
                on_choose=change(|choices, value| choices.stem_pool = (!value.is_empty()).then_some(value == "yes"))
            />
            <Choice
                title=t!("model.stride_on").into_owned()
                testid="stride-on"
                words=words(["3x3", "1x1"])
                chosen=on
                on_choose=change(|choices, value| {
                    choices.stride_on = match value {
                        "1x1" => Some(StrideOn::Conv1x1),
                        "3x3" => Some(StrideOn::Conv3x3),
                        _ => None,
                    }
                })
            />
            <p class="picker__note">{t!("model.choices_kept")}</p>
        </details>
    }
}
