//! Time by layer, from the GPU's own clock.

use leptos::prelude::*;
use rust_i18n::t;

use super::format;
use super::lab::{Lab, Layers};
use crate::device::DispatchTime;

/// Folded away until it is wanted; opening it measures.
#[component]
pub fn LayersPanel(lab: Lab) -> impl IntoView {
    let timed = move || lab.device.with(|device| device.as_ref().is_some_and(|device| device.timestamps));
    let ready = move || lab.model.with(Option::is_some);
    let open = RwSignal::new(false);
    // A new model leaves no times behind: while the panel is open they are measured again.
    Effect::new(move || {
        let settled = lab.busy.with(Option::is_none);
        if open.get() && timed() && ready() && settled && lab.layers.get() == Layers::None {
            lab.profile();
        }
    });
    view! {
        <details
            class="card layers"
            data-testid="layers"
            on:toggle=move |event| open.set(event_target::<web_sys::HtmlDetailsElement>(&event).open())
        >
            <summary>{t!("look.layers")}</summary>
            {move || {
                if lab.device.with(Option::is_some) && !timed() {
                    return view! { <p class="layers__note">{t!("look.layers_untimed")}</p> }.into_any();
                }
                match lab.layers.get() {
                    Layers::Times(times) => view! { <Table times=times.to_vec() /> }.into_any(),
                    Layers::Failed(sentence) => view! { <p class="notice" role="alert">{sentence}</p> }.into_any(),
                    Layers::Measuring => view! { <p class="layers__note">{t!("look.layers_measuring")}</p> }.into_any(),
                    Layers::None => view! { <p class="layers__note">{t!("look.layers_later")}</p> }.into_any(),
                }
            }}
            <Show when=move || matches!(lab.layers.get(), Layers::Times(_) | Layers::Failed(_))>
                <button type="button" class="button" data-testid="measure" on:click=move |_| lab.profile()>{t!("look.layers_again")}</button>
            </Show>
        </details>
    }
}

/// A layer's dispatches together: some kernels need several.
struct LayerTime {
    name: String,
    kernels: Vec<&'static str>,
    ms: f64,
    multiply_adds: u64,
}

/// Their names in words: all that a convolution has in common is said by its layer.
fn kernels(names: &[&str]) -> String {
    let words = names.iter().map(|name| name.trim_start_matches("conv2d_").trim_end_matches("_forward").replace('_', " "));
    words.collect::<Vec<_>>().join(", ")
}

fn by_layer(times: &[DispatchTime]) -> Vec<LayerTime> {
    let mut layers: Vec<LayerTime> = Vec::new();
    for time in times {
        match layers.last_mut().filter(|layer| layer.name == time.label) {
            Some(layer) => {
                layer.ms += time.ms;
                layer.multiply_adds += time.multiply_adds;
                if !layer.kernels.contains(&time.kernel) {
                    layer.kernels.push(time.kernel);
                }
            }
            None => layers.push(LayerTime {
                name: time.label.clone(),
                kernels: vec![time.kernel],
                ms: time.ms,
                multiply_adds: time.multiply_adds,
            }),
        }
    }
    layers
}

#[component]
fn Table(times: Vec<DispatchTime>) -> impl IntoView {
    let dispatches = times.len();
    let layers = by_layer(&times);
    let total: f64 = layers.iter().map(|layer| layer.ms).sum();
    let longest = layers.iter().map(|layer| layer.ms).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    view! {
        <div class="layers__scroll" tabindex="0" role="region" aria-label=t!("look.layers")>
            <table class="layers__table">
                <caption>{t!("look.layers_total", time = format::duration_ms(total), dispatches = dispatches)}</caption>
                <thead>
                    <tr>
                        <th scope="col">{t!("look.layer")}</th>
                        <th scope="col">{t!("look.kernel")}</th>
                        <th scope="col">{t!("look.time")}</th>
                        <th scope="col">"GFLOP/s"</th>
                    </tr>
                </thead>
                <tbody>
                    {layers
                        .into_iter()
                        .map(|layer| {
                            // Two operations in a multiply-add; ms to s and operations to giga cancel to 1e-6.
                            let rate = (layer.multiply_adds > 0 && layer.ms > 0.0)
                                .then(|| format!("{:.1}", 2e-6 * layer.multiply_adds as f64 / layer.ms));
                            view! {
                                <tr data-testid="layer">
                                    <th scope="row">{layer.name}</th>
                                    <td class="layers__kernel">{kernels(&layer.kernels)}</td>
                                    <td class="layers__time">
                                        <span class="layers__bar" aria-hidden="true" style:width=format!("{:.1}%", 100.0 * layer.ms / longest)></span>
                                        {format::duration_ms(layer.ms)}
                                    </td>
                                    <td class="layers__rate">{rate}</td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
    }
}
