//! The figures of a network, and all networks measured so far.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::state::Bench;
use super::{browser, markdown};
use crate::engine::{BenchmarkReport, BenchmarkWork};
use crate::ui::format;
use crate::ui::workshop::Workshop;
use crate::web;

/// One network in full.
#[component]
pub fn Figures(lab: Workshop, report: Arc<BenchmarkReport>) -> impl IntoView {
    let browser = browser::name(&user_agent());
    let copied = RwSignal::new(None);
    let copy = {
        let (report, browser) = (report.clone(), browser.clone());
        move |_| {
            let reports = lab.benchmark.reports.get_untracked();
            let text = markdown::table(reports.iter().map(|report| &**report), &report, &lab.device_name(), &browser);
            spawn_local(async move {
                let done = web::copy_text(&text).await;
                copied.set(Some(done));
                lab.spoken.set(if done { t!("benchmark.copied") } else { t!("benchmark.not_copied") }.into_owned());
            });
        }
    };
    let BenchmarkReport { order, times, memory, .. } = &*report;
    let title = t!(
        "benchmark.result_title",
        name = order.arch,
        work = work_words(order.work),
        batch = order.batch,
        size = order.size,
        numbers = format!("{:?}", order.precision).to_lowercase()
    );
    let measured = [
        (t!("benchmark.median"), format::duration_ms(times.median), "bench-median"),
        (t!("benchmark.images_per_second"), rate(report.images_per_second()), "bench-rate"),
        (t!("benchmark.gflops"), rate(report.gflops()), "bench-gflops"),
    ];
    let parts = [
        (t!("benchmark.weights"), memory.parameter_bytes),
        (t!("benchmark.gradients"), memory.gradient_bytes),
        (t!("benchmark.optimizer"), memory.optimizer_bytes),
        (t!("benchmark.activations"), memory.activation_bytes),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(what, bytes)| t!("benchmark.part", what = what, size = format::bytes(bytes)).into_owned())
        .collect();
    let facts = [
        (t!("benchmark.mean"), format!("{} \u{b1} {}", format::duration_ms(times.mean), format::duration_ms(times.deviation))),
        (t!("benchmark.min"), format::duration_ms(times.min)),
        (t!("benchmark.first"), format::duration_ms(report.first_ms)),
        (t!("benchmark.prepared"), format::duration_ms(report.prepare_ms)),
        (t!("benchmark.operations"), format!("{:.2} GFLOP", report.operations / 1e9)),
        (t!("benchmark.parameters"), format::count(report.parameters)),
        (t!("benchmark.dispatches"), report.dispatches.to_string()),
    ];
    view! {
        <section class="card" aria-labelledby="figures-title" data-testid="bench-figures">
            <div class="speed__bar">
                <h2 class="eyebrow" id="figures-title">{t!("benchmark.figures")}</h2>
                <button type="button" class="button" data-testid="bench-copy" on:click=copy>
                    {move || match copied.get() {
                        Some(true) => t!("benchmark.copied"),
                        Some(false) => t!("benchmark.not_copied"),
                        None => t!("benchmark.copy"),
                    }}
                </button>
            </div>
            <p class="speed__name" data-testid="bench-name">{title}</p>
            <dl class="speed__main">
                {measured
                    .into_iter()
                    .map(|(what, value, testid)| {
                        view! {
                            <div>
                                <dt>{what}</dt>
                                <dd data-testid=testid>{value}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
            {runs(&times.all)}
            <dl class="facts">
                {facts
                    .into_iter()
                    .map(|(what, value)| {
                        view! {
                            <div>
                                <dt>{what}</dt>
                                <dd>{value}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
                <div class="speed__long">
                    <dt>{t!("benchmark.memory")}</dt>
                    <dd data-testid="bench-memory">{format!("{} ({})", format::bytes(memory.total()), parts.join(", "))}</dd>
                </div>
                <div class="speed__long">
                    <dt>{t!("benchmark.device")}</dt>
                    <dd>{move || lab.device_name()}</dd>
                </div>
                <div class="speed__long">
                    <dt>{t!("benchmark.browser")}</dt>
                    <dd>{browser}</dd>
                </div>
            </dl>
        </section>
    }
}

/// Every run as a column over the time of the longest, so that outliers are seen. The figures beside it say it in words.
fn runs(times: &[f64]) -> impl IntoView + use<> {
    const HEIGHT: f64 = 40.0;
    let longest = times.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let width = times.len().max(1);
    let columns: Vec<_> = times
        .iter()
        .enumerate()
        .map(|(index, ms)| {
            let height = ms / longest * HEIGHT;
            view! { <rect x=format!("{:.2}", index as f64 + 0.12) y=format!("{:.2}", HEIGHT - height) width="0.76" height=format!("{height:.2}") /> }
        })
        .collect();
    view! {
        <svg class="speed__runs" viewBox=format!("0 0 {width} {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
            {columns}
        </svg>
        <p class="speed__caption">{t!("benchmark.each_run", time = format::duration_ms(longest))}</p>
    }
}

/// The networks measured since the page was opened, once there are two to compare.
#[component]
pub fn Results(bench: Bench) -> impl IntoView {
    view! {
        <Show when=move || bench.reports.with(|reports| reports.len() > 1)>
            <section class="card" aria-labelledby="results-title">
                <h2 class="eyebrow" id="results-title">{t!("benchmark.results")}</h2>
                <div class="speed__scroll" tabindex="0" role="group" aria-labelledby="results-title">
                    <table class="speed__table" data-testid="bench-results">
                        <thead>
                            <tr>
                                <th scope="col">{t!("benchmark.network")}</th>
                                <th scope="col">{t!("benchmark.work")}</th>
                                <th scope="col" class="speed__figure">{t!("benchmark.batch_short")}</th>
                                <th scope="col" class="speed__figure">{t!("benchmark.image_short")}</th>
                                <th scope="col" class="speed__figure">{t!("benchmark.median")}</th>
                                <th scope="col" class="speed__figure">{t!("benchmark.images_per_second")}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {move || {
                                bench.reports.get().into_iter().enumerate().map(|(index, report)| row(bench, index, &report)).collect_view()
                            }}
                        </tbody>
                    </table>
                </div>
            </section>
        </Show>
    }
}

fn row(bench: Bench, index: usize, report: &BenchmarkReport) -> impl IntoView + use<> {
    let order = &report.order;
    view! {
        <tr>
            <th scope="row">
                <button
                    type="button"
                    class="speed__pick"
                    aria-pressed=move || (bench.shown.get() == index).to_string()
                    on:click=move |_| bench.shown.set(index)
                >
                    {order.arch.clone()}
                </button>
            </th>
            <td>{work_words(order.work)}</td>
            <td class="speed__figure">{order.batch}</td>
            <td class="speed__figure">{order.size}</td>
            <td class="speed__figure">{format::duration_ms(report.times.median)}</td>
            <td class="speed__figure">{rate(report.images_per_second())}</td>
        </tr>
    }
}

fn work_words(work: BenchmarkWork) -> String {
    match work {
        BenchmarkWork::Forward => t!("benchmark.forward"),
        BenchmarkWork::Training => t!("benchmark.training"),
    }
    .into_owned()
}

/// Three digits that count.
fn rate(value: f64) -> String {
    match value {
        v if !v.is_finite() => format::duration_ms(v),
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

fn user_agent() -> String {
    web_sys::window().and_then(|window| window.navigator().user_agent().ok()).unwrap_or_default()
}
