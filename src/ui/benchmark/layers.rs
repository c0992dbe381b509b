//! Where the time goes: a bar for every layer, coloured by what it computes, and the shares of the kinds.

use std::sync::Arc;

use leptos::prelude::*;
use rust_i18n::t;

use crate::engine::{BenchmarkReport, BenchmarkWork, LayerKind, LayerTime};
use crate::ui::format;
use crate::ui::notice;

/// The picture; it is a table, so that it can also be read out.
#[component]
pub fn Layers(report: Arc<BenchmarkReport>) -> impl IntoView {
    let both_ways = report.order.work == BenchmarkWork::Training;
    view! {
        <section class="card" aria-labelledby="speed-layers-title" data-testid="bench-layers">
            <h2 class="eyebrow" id="speed-layers-title">{t!("benchmark.layers")}</h2>
            {match &report.layers {
                Ok(layers) => {
                    let total: f64 = layers.iter().map(LayerTime::ms).sum();
                    let longest = layers.iter().map(LayerTime::ms).fold(f64::MIN_POSITIVE, f64::max);
                    view! {
                        {kinds(layers, total)}
                        <p class="speed__caption">{t!("benchmark.layers_apart")}</p>
                        {both_ways.then(|| view! { <p class="speed__caption">{t!("benchmark.both_ways")}</p> })}
                        <div class="speed__scroll" tabindex="0" role="group" aria-labelledby="speed-layers-title">
                            <table class="speed__table speed__layers">
                                <thead>
                                    <tr>
                                        <th scope="col">{t!("benchmark.layer")}</th>
                                        <th scope="col" class="speed__kind">{t!("benchmark.kind")}</th>
                                        <th scope="col">{t!("benchmark.time")}</th>
                                        <th scope="col" class="speed__figure">"GFLOP/s"</th>
                                    </tr>
                                </thead>
                                <tbody>{layers.iter().map(|layer| row(layer, longest)).collect_view()}</tbody>
                            </table>
                        </div>
                    }
                        .into_any()
                }
                Err(error) => view! { <p class="layers__note">{notice::sentence(error)}</p> }.into_any(),
            }}
        </section>
    }
}

/// The kinds' shares of the time as one strip with its legend.
fn kinds(layers: &[LayerTime], total: f64) -> impl IntoView + use<> {
    let of = |kind: LayerKind| layers.iter().filter(|layer| layer.kind == kind).map(LayerTime::ms).sum::<f64>();
    let sums: Vec<_> = LayerKind::ALL.map(|kind| (kind, of(kind))).into_iter().filter(|(_, ms)| *ms > 0.0).collect();
    let share = |ms: f64| ms / total.max(f64::MIN_POSITIVE);
    view! {
        <div class="speed__strip" aria-hidden="true">
            {sums
                .iter()
                .map(|(kind, ms)| view! { <span data-kind=mark(*kind) style:flex-grow=format!("{:.5}", share(*ms))></span> })
                .collect_view()}
        </div>
        <ul class="speed__legend" data-testid="bench-kinds">
            {sums
                .iter()
                .map(|(kind, ms)| {
                    view! {
                        <li>
                            <span class="speed__chip" data-kind=mark(*kind) aria-hidden="true"></span>
                            {words(*kind)}
                            " "
                            <b>{format::share(share(*ms))}</b>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}

fn row(layer: &LayerTime, longest: f64) -> impl IntoView + use<> {
    let width = |ms: f64| format!("{:.2}%", 100.0 * ms / longest);
    view! {
        <tr data-testid="bench-layer" data-kind=mark(layer.kind)>
            <th scope="row">{layer.name.clone()}</th>
            <td class="speed__kind">{words(layer.kind)}</td>
            <td class="speed__time">
                <span class="speed__lane" aria-hidden="true">
                    <span class="speed__forward" style:width=width(layer.forward_ms)></span>
                    <span class="speed__backward" style:width=width(layer.backward_ms)></span>
                </span>
                <span class="speed__ms">{format::duration_ms(layer.ms())}</span>
            </td>
            <td class="speed__figure">{layer.gflops().map(|rate| format!("{rate:.1}"))}</td>
        </tr>
    }
}

fn words(kind: LayerKind) -> String {
    match kind {
        LayerKind::Conv1x1 => t!("benchmark.conv1x1"),
        LayerKind::Conv3x3 => t!("benchmark.conv3x3"),
        LayerKind::ConvLarge => t!("benchmark.conv_large"),
        LayerKind::Norm => t!("benchmark.norm"),
        LayerKind::Pool => t!("benchmark.pool"),
        LayerKind::Elementwise => t!("benchmark.elementwise"),
        LayerKind::Classifier => t!("benchmark.classifier"),
        LayerKind::Loss => t!("benchmark.loss"),
        LayerKind::Update => t!("benchmark.update"),
    }
    .into_owned()
}

/// What the styles know it by.
fn mark(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Conv1x1 => "conv1x1",
        LayerKind::Conv3x3 => "conv3x3",
        LayerKind::ConvLarge => "conv-large",
        LayerKind::Norm => "norm",
        LayerKind::Pool => "pool",
        LayerKind::Elementwise => "elementwise",
        LayerKind::Classifier => "classifier",
        LayerKind::Loss => "loss",
        LayerKind::Update => "update",
    }
}
