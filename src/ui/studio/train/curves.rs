//! How a run went, epoch by epoch, as two small line charts.

use leptos::prelude::*;

use rust_i18n::t;

use crate::train::Epoch;
use crate::ui::format;

/// Size of a chart's drawing in its own units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 96.0;

/// Loss and accuracy of training and validation.
#[component]
pub fn Curves(history: RwSignal<Vec<Epoch>>) -> impl IntoView {
    let loss = move || {
        let history = history.get();
        let train = history.iter().map(|epoch| epoch.train.loss).collect();
        let validation = history.iter().filter_map(|epoch| epoch.validation).map(|summary| summary.loss).collect();
        chart(t!("train.loss").into_owned(), train, validation, None, |value| format!("{value:.3}"))
    };
    let accuracy = move || {
        let history = history.get();
        let train = history.iter().map(|epoch| epoch.train.top1).collect();
        let validation = history.iter().filter_map(|epoch| epoch.validation).map(|summary| summary.top1).collect();
        chart(t!("train.accuracy").into_owned(), train, validation, Some(1.0), format::share)
    };
    view! {
        <div class="curves" data-testid="curves">
            {loss}
            {accuracy}
            <p class="curves__key" aria-hidden="true">
                <span class="curves__swatch curves__swatch--train"></span>
                {t!("train.on_training")}
                <span class="curves__swatch curves__swatch--validation"></span>
                {t!("train.on_validation")}
            </p>
        </div>
    }
}

/// `top` is the upper end of the scale; by default the largest value.
fn chart(title: String, train: Vec<f64>, validation: Vec<f64>, top: Option<f64>, words: fn(f64) -> String) -> impl IntoView {
    let largest = train.iter().chain(&validation).copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let top = top.unwrap_or(largest).max(f64::MIN_POSITIVE);
    let newest = |values: &[f64]| values.last().map(|value| words(*value));
    let spoken = match (newest(&train), newest(&validation)) {
        (Some(train), Some(validation)) => {
            t!("train.curve_both", title = title, train = train, validation = validation).into_owned()
        }
        (Some(train), None) => t!("train.curve_train", title = title, train = train).into_owned(),
        _ => title.clone(),
    };
    view! {
        <figure class="curves__chart">
            <figcaption>{title}</figcaption>
            <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="img" aria-label=spoken preserveAspectRatio="none">
                <path class="curves__grid" d=format!("M0 0.5H{WIDTH} M0 {0}H{WIDTH} M0 {1}H{WIDTH}", HEIGHT / 2.0, HEIGHT - 0.5) />
                <path class="curves__line curves__line--train" d=line(&train, top) />
                <path class="curves__line curves__line--validation" d=line(&validation, top) />
            </svg>
            <span class="curves__top" aria-hidden="true">{words(top)}</span>
        </figure>
    }
}

/// An SVG path through one value an epoch; a single one is drawn as a short dash.
fn line(values: &[f64], top: f64) -> String {
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    let mut down = false;
    for (i, value) in values.iter().enumerate() {
        if value.is_finite() {
            let (x, y) = (i as f64 * step, HEIGHT - 1.0 - (value / top).clamp(0.0, 1.0) * (HEIGHT - 2.0));
            path.push_str(&format!("{}{x:.1} {y:.1}", if down { "L" } else { "M" }));
        }
        // A loss that is no number leaves a gap.
        down = value.is_finite();
    }
    if values.len() == 1 && down {
        path.push_str("h6");
    }
    path
}
