//! How a run went, epoch by epoch: two line charts with their axes, the values under the pointer, and all of them as a table.

use leptos::prelude::*;
use rust_i18n::t;

use crate::train::Epoch;
use crate::ui::format;

/// Size of a chart's drawing in its own units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 120.0;

/// A value in words.
type Words = fn(f64) -> String;

/// Loss and accuracy in training and validation.
#[component]
pub fn Curves(history: RwSignal<Vec<Epoch>>) -> impl IntoView {
    // The epoch under the pointer, from 0; both charts show it.
    let at = RwSignal::new(None::<usize>);
    let decimals: Words = |value| format!("{value:.3}");
    view! {
        <div class="curves" data-testid="curves">
            <Chart history at title=t!("train.accuracy") whole=true words={format::share as Words} testid="curve-accuracy" />
            <Chart history at title=t!("train.loss") whole=false words=decimals testid="curve-loss" />
            <p class="curves__key" aria-hidden="true">
                <span class="curves__swatch curves__swatch--train"></span>
                {t!("train.on_training")}
                <span class="curves__swatch curves__swatch--validation"></span>
                {t!("train.on_validation")}
            </p>
            <details class="curves__all">
                <summary>{t!("train.curve_table")}</summary>
                <div class="curves__scroll" tabindex="0" role="region" aria-label=t!("train.curve_table")>
                    <table class="figures figures--wide">
                        <thead>
                            <tr>
                                <th scope="col">{t!("train.curve_epoch")}</th>
                                <th scope="col">{t!("train.curve_train_accuracy")}</th>
                                <th scope="col">{t!("train.curve_val_accuracy")}</th>
                                <th scope="col">{t!("train.curve_train_loss")}</th>
                                <th scope="col">{t!("train.curve_val_loss")}</th>
                            </tr>
                        </thead>
                        <tbody>{move || history.get().iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
            </details>
        </div>
    }
}

fn row(epoch: &Epoch) -> impl IntoView + use<> {
    let dash = || "\u{2013}".to_owned();
    let validation = epoch.validation;
    view! {
        <tr>
            <th scope="row">{epoch.epoch}</th>
            <td>{format::share(epoch.train.top1)}</td>
            <td>{validation.map_or_else(dash, |validation| format::share(validation.top1))}</td>
            <td>{format!("{:.3}", epoch.train.loss)}</td>
            <td>{validation.map_or_else(dash, |validation| format!("{:.3}", validation.loss))}</td>
        </tr>
    }
}

#[component]
fn Chart(
    history: RwSignal<Vec<Epoch>>,
    at: RwSignal<Option<usize>>,
    #[prop(into)] title: String,
    /// Accuracy, a share of the whole; else loss, on a scale of its largest value.
    whole: bool,
    words: Words,
    testid: &'static str,
) -> impl IntoView {
    let value = move |summary: &crate::train::Summary| if whole { summary.top1 } else { summary.loss };
    let train = Memo::new(move |_| history.with(|all| all.iter().map(|epoch| Some(value(&epoch.train))).collect::<Vec<_>>()));
    let validation =
        Memo::new(move |_| history.with(|all| all.iter().map(|epoch| Some(value(&epoch.validation?))).collect::<Vec<_>>()));
    let top = Memo::new(move |_| {
        let values = train.get().into_iter().chain(validation.get()).flatten().filter(|value| value.is_finite());
        if whole { 1.0 } else { round_up(values.fold(0.0, f64::max)) }
    });
    let epochs = move || train.with(Vec::len);
    let shown =
        move |values: &[Option<f64>], at: usize| values.get(at).copied().flatten().map_or_else(|| "\u{2013}".to_owned(), words);
    let at_epoch = move |at: usize| {
        let (train, validation) = (train.with(|all| shown(all, at)), validation.with(|all| shown(all, at)));
        t!("train.curve_at", epoch = at + 1, train = train, validation = validation).into_owned()
    };
    let spoken = {
        let title = title.clone();
        move || match epochs().checked_sub(1) {
            Some(last) => format!("{title}. {}", at_epoch(last)),
            None => title.clone(),
        }
    };
    let over = move |event: web_sys::PointerEvent| {
        // The pointer may be over a line of the chart.
        let Ok(Some(chart)) = event_target::<web_sys::Element>(&event).closest("svg") else { return };
        let area = chart.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - area.left()) / area.width().max(1.0);
        let last = epochs().saturating_sub(1);
        at.set((epochs() > 0).then(|| (share * last as f64).round().clamp(0.0, last as f64) as usize));
    };
    let marker = move || {
        let last = epochs().saturating_sub(1).max(1);
        at.get().map(|at| format!("M{:.1} 0V{HEIGHT}", at as f64 / last as f64 * WIDTH))
    };
    view! {
        <figure class="curves__chart" data-testid=testid>
            <figcaption>
                <b>{title}</b>
                <span class="curves__at" data-testid=format!("{testid}-at")>{move || at.get().filter(|at| *at < epochs()).map(at_epoch)}</span>
            </figcaption>
            <div class="curves__plot">
                <div class="curves__y" aria-hidden="true">
                    <span>{move || axis(top.get(), whole)}</span>
                    <span>{move || axis(top.get() / 2.0, whole)}</span>
                    <span>{axis(0.0, whole)}</span>
                </div>
                <svg
                    viewBox=format!("0 0 {WIDTH} {HEIGHT}")
                    role="img"
                    aria-label=spoken
                    preserveAspectRatio="none"
                    on:pointermove=over
                    on:pointerdown=over
                    on:pointerleave=move |_| at.set(None)
                >
                    // Something to point at everywhere.
                    <rect width=WIDTH.to_string() height=HEIGHT.to_string() fill="transparent" />
                    <path class="curves__grid" d=format!("M0 0.5H{WIDTH} M0 {0}H{WIDTH} M0 {1}H{WIDTH}", HEIGHT / 2.0, HEIGHT - 0.5) />
                    <path class="curves__marker" d=marker />
                    <path class="curves__line curves__line--train" d=move || train.with(|values| line(values, top.get())) />
                    <path class="curves__line curves__line--validation" d=move || validation.with(|values| line(values, top.get())) />
                </svg>
                <div class="curves__x" aria-hidden="true">
                    <span>{move || if epochs() > 0 { "1" } else { "" }}</span>
                    <span>{t!("train.curve_epoch")}</span>
                    <span>{move || Some(epochs()).filter(|epochs| *epochs > 1)}</span>
                </div>
            </div>
        </figure>
    }
}

/// A value at an axis.
fn axis(value: f64, whole: bool) -> String {
    if whole { format!("{:.0} %", value * 100.0) } else { format!("{value}") }
}

/// The next of 1, 2, 5 times a power of ten: a scale with round numbers.
fn round_up(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(largest.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|top| *top >= largest).unwrap_or(largest)
}

/// An SVG path through one value an epoch; a single one is drawn as a short dash.
fn line(values: &[Option<f64>], top: f64) -> String {
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    let mut down = false;
    for (i, value) in values.iter().enumerate() {
        let value = value.filter(|value| value.is_finite());
        if let Some(value) = value {
            let (x, y) = (i as f64 * step, HEIGHT - 1.0 - (value / top).clamp(0.0, 1.0) * (HEIGHT - 2.0));
            path.push_str(&format!("{}{x:.1} {y:.1}", if down { "L" } else { "M" }));
        }
        // A loss that is no number leaves a gap.
        down = value.is_some();
    }
    if values.len() == 1 && down {
        path.push_str("h6");
    }
    path
}
