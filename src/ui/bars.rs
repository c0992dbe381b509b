//! Probabilities as bars over a scale.

use leptos::prelude::*;

use super::format;
use crate::engine::Prediction;

/// Bars that can be clicked: which class is picked, and who is told of another.
#[derive(Clone, Copy)]
pub struct Pick {
    /// Whether bars can be clicked now.
    pub on: Signal<bool>,
    /// The class that is picked.
    pub class: Signal<Option<usize>>,
    /// Called with a class.
    pub choose: Callback<usize>,
}

/// The most probable classes, best first, under the names they have here.
#[component]
pub fn Bars(top: Vec<Prediction>, #[prop(optional)] pick: Option<Pick>) -> impl IntoView {
    view! {
        <ol class="bars" data-testid="top5">
            {top
                .into_iter()
                .map(|prediction| {
                    let class = prediction.class;
                    let bar = StoredValue::new(prediction);
                    view! {
                        <li data-testid="prediction">
                            {move || match pick.filter(|pick| pick.on.get()) {
                                Some(pick) => {
                                    view! {
                                        <button
                                            type="button"
                                            class="bars__row bars__row--pick"
                                            aria-pressed=move || (pick.class.get() == Some(class)).to_string()
                                            on:click=move |_| pick.choose.run(class)
                                        >
                                            {bar.with_value(row)}
                                        </button>
                                    }
                                        .into_any()
                                }
                                None => view! { <div class="bars__row">{bar.with_value(row)}</div> }.into_any(),
                            }}
                        </li>
                    }
                })
                .collect_view()}
        </ol>
        <div class="scale" aria-hidden="true">
            <span>"0"</span>
            <span>"25"</span>
            <span>"50"</span>
            <span>"75"</span>
            <span>"100 %"</span>
        </div>
    }
}

fn row(prediction: &Prediction) -> impl IntoView + use<> {
    let share = if prediction.probability.is_finite() { prediction.probability.clamp(0.0, 1.0) } else { 0.0 };
    view! {
        <span class="bars__label">{prediction.label.clone()}</span>
        <span class="bars__value">{format::percent(prediction.probability)}</span>
        <span class="bars__track" aria-hidden="true">
            <span class="bars__bar" style:width=format!("{:.2}%", share * 100.0)></span>
        </span>
    }
}
