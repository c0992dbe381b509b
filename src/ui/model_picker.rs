//! The ways to another model: the bundled one, the hub's, a file of one's own.

use leptos::html;
use leptos::prelude::*;
use rust_i18n::t;

use super::format;
use super::lab::Lab;
use super::models::{BUNDLED, BUNDLED_BYTES};
use crate::web;
use crate::weights::hub::{self, HUB, HubModel};

/// Folded away until it is wanted: one model is enough for most visits.
#[component]
pub fn ModelPicker(lab: Lab) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let open = move |_| {
        if let Some(input) = input.get() {
            input.click();
        }
    };
    let bundled_in_use = move || lab.model.with(|model| model.as_ref().is_some_and(|model| model.name == BUNDLED));
    view! {
        <details class="picker" data-testid="model-picker">
            <summary>{t!("model.another")}</summary>
            <h3 class="picker__title">{t!("model.bundled_title")}</h3>
            <ul class="picker__list">
                <li class="offer">
                    <span class="offer__name">{BUNDLED}</span>
                    <span class="offer__facts">{t!("model.bundled_facts", size = format::bytes(BUNDLED_BYTES))}</span>
                    <span class="offer__act">
                        <Show when=move || !bundled_in_use() fallback=|| view! { <span class="tag">{t!("model.in_use")}</span> }>
                            <button type="button" class="button" data-testid="use-bundled" on:click=move |_| lab.use_bundled()>
                                {t!("model.use")}
                            </button>
                        </Show>
                    </span>
                </li>
            </ul>
            <h3 class="picker__title">{t!("model.own_title")}</h3>
            <p class="picker__note">
                {t!("model.own_note")}
            </p>
            <button type="button" class="button" data-testid="open-weights" on:click=open>{t!("model.open")}</button>
            <input
                node_ref=input
                class="hidden"
                type="file"
                tabindex="-1"
                multiple
                accept=".safetensors,.json,.pth,.pth.tar,.tar,.pt,.pt2,.th,.bin,.ckpt,.pkl,.npz,.zip,.onnx,.h5,.hdf5,.keras,.pb,.index,.data-00000-of-00001"
                aria-hidden="true"
                data-testid="weights-input"
                on:change=move |event| lab.take_weights_input(&event)
            />
            <h3 class="picker__title">{t!("model.hub_title", hub = web::hub::name())}</h3>
            <p class="picker__note">
                {t!("model.hub_note", hub = web::hub::name())}
            </p>
            <ul class="picker__list">{HUB.iter().map(|model| view! { <Offer lab model /> }).collect_view()}</ul>
        </details>
    }
}

#[component]
fn Offer(lab: Lab, model: &'static HubModel) -> impl IntoView {
    let in_use = Memo::new(move |_| lab.model.with(|now| now.as_ref().is_some_and(|now| now.name == model.name)));
    let kept = Memo::new(move |_| lab.kept.with(|kept| kept.iter().any(|name| name == model.name)));
    let recommended = Memo::new(move |_| hub::recommended(lab.graphics_card()).is_some_and(|best| best.name == model.name));
    let size = format::bytes(model.bytes);
    let spoken = t!("model.download_spoken", name = model.name, size = size, license = model.license).into_owned();
    view! {
        <li class="offer" data-testid="offer">
            <span class="offer__name">
                {t!("model.offer_accuracy", share = format::share(f64::from(model.top1)))}
                <Show when=move || recommended.get()>
                    " "
                    <span class="tag" data-testid="recommended">{t!("model.recommended")}</span>
                </Show>
            </span>
            <span class="offer__facts">{t!("model.offer_facts", size = size, work = format!("{:.1}", model.work))}</span>
            <span class="offer__file" title=model.source>{model.name} " \u{b7} " {model.license}</span>
            <span class="offer__act">
                <Show when=move || kept.get()>
                    <span class="tag" data-testid="kept">{t!("model.kept")}</span>
                    <button
                        type="button"
                        class="button button--quiet"
                        aria-label=t!("model.remove_spoken", name = model.name)
                        on:click=move |_| lab.forget(model)
                    >
                        {t!("model.remove")}
                    </button>
                </Show>
                {move || {
                    if in_use.get() {
                        view! { <span class="tag">{t!("model.in_use")}</span> }.into_any()
                    } else if kept.get() {
                        view! {
                            <button type="button" class="button" aria-label=t!("model.use_spoken", name = model.name) on:click=move |_| lab.use_hub(model)>
                                {t!("model.use")}
                            </button>
                        }
                            .into_any()
                    } else {
                        view! {
                            <button type="button" class="button" aria-label=spoken.clone() on:click=move |_| lab.use_hub(model)>
                                {t!("model.download")}
                            </button>
                        }
                            .into_any()
                    }
                }}
            </span>
        </li>
    }
}
