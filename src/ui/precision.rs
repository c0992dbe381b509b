//! The switch between 32-bit and 16-bit numbers.

use leptos::prelude::*;
use rust_i18n::t;

use super::lab::Lab;
use crate::device::Precision;
use crate::engine::PrecisionChoice;

/// Two choices; the one in use is marked.
#[component]
pub fn PrecisionSwitch(lab: Lab) -> impl IntoView {
    let in_use = move || lab.model.with(|model| model.as_ref().map(|model| model.precision));
    let f16 = move || lab.device.with(|device| device.as_ref().is_some_and(|device| device.f16));
    let busy = move || lab.busy.with(Option::is_some);
    let choice = move |name: &'static str, precision: Precision, choice: PrecisionChoice| {
        let possible = move || precision == Precision::F32 || f16();
        view! {
            <label class="switch__one">
                <input
                    type="radio"
                    name="precision"
                    value=name
                    prop:checked=move || in_use() == Some(precision)
                    disabled=move || !possible() || busy()
                    aria-describedby="precision-note"
                    data-testid=format!("precision-{name}")
                    on:change=move |_| lab.set_precision(choice)
                />
                <span>{name}</span>
            </label>
        }
    };
    view! {
        <fieldset class="switch">
            <legend>{t!("model.numbers")}</legend>
            <div class="switch__choices">
                {choice("f32", Precision::F32, PrecisionChoice::F32)} {choice("f16", Precision::F16, PrecisionChoice::F16)}
            </div>
            <p class="switch__note" id="precision-note" data-testid="precision-note">
                {move || {
                    if f16() {
                        t!("model.f16_note")
                    } else {
                        t!("model.no_f16_note")
                    }
                }}
            </p>
        </fieldset>
    }
}
