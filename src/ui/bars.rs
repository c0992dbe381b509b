//! Probabilities as bars over a scale.

use leptos::prelude::*;

use super::format;
use crate::engine::Prediction;

/// The most probable classes, best first.
#[component]
pub fn Bars(top: Vec<Prediction>) -> impl IntoView {
    view! {
        <ol class="bars" data-testid="top5">
            {top
                .into_iter()
                .map(|prediction| {
                    let share = if prediction.probability.is_finite() { prediction.probability.clamp(0.0, 1.0) } else { 0.0 };
                    view! {
                        <li class="bars__row" data-testid="prediction">
                            <span class="bars__label">{format::label(&prediction.label)}</span>
                            <span class="bars__value">{format::percent(prediction.probability)}</span>
                            <span class="bars__track" aria-hidden="true">
                                <span class="bars__bar" style:width=format!("{:.2}%", share * 100.0)></span>
                            </span>
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
