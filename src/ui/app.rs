//! The screen: header, stage and reading, tray, model, layers, and what the page listens to as a whole.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::lab::Lab;
use super::layers::LayersPanel;
use super::model::ModelPanel;
use super::reading::Reading;
use super::samples::Samples;
use super::stage::Stage;
use super::train_panel::TrainPanel;
use super::tray::Tray;
use super::unsupported::Unsupported;

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let lab = Lab::start();
    listen(lab);
    view! {
        <Header lab />
        {move || match lab.missing.get() {
            Some(missing) => view! { <Unsupported missing /> }.into_any(),
            None => {
                view! {
                    <main id="main" class="bench" data-testid="lab">
                        <h1 class="hidden">"ResLab: what does the picture show?"</h1>
                        <div class="bench__left">
                            <Stage lab />
                            <Samples lab />
                            <Tray lab />
                            <TrainPanel lab />
                            <LayersPanel lab />
                        </div>
                        <div class="bench__right">
                            <Reading lab />
                            <ModelPanel lab />
                        </div>
                    </main>
                }
                    .into_any()
            }
        }}
        <footer class="foot">
            <p>
                "Your pictures stay in this tab: nothing is uploaded. The page asks another host only when you download a model from the hub."
            </p>
        </footer>
        <p class="hidden" role="status" aria-live="polite" data-testid="spoken">
            {move || lab.spoken.get()}
        </p>
    }
}

#[component]
fn Header(lab: Lab) -> impl IntoView {
    view! {
        <header class="head">
            <div class="mark">
                <Logo />
                <span class="mark__word">"Res" <b>"Lab"</b></span>
            </div>
            <p class="head__line">"A residual network on this device\u{2019}s GPU. Drop a picture, read its class."</p>
            <Show when=move || lab.device.with(Option::is_some) && lab.missing.with(Option::is_none)>
                <p class="device" class:device--slow=move || lab.software() data-testid="device">
                    <span class="device__lamp" aria-hidden="true"></span>
                    <span class="hidden">"Running on "</span>
                    <span class="device__name">{move || lab.device_name()}</span>
                    <Show when=move || lab.software()>
                        <span class="device__note">"software adapter: slow"</span>
                    </Show>
                </p>
            </Show>
        </header>
    }
}

/// A residual block: two layers in line, and the shortcut around them that meets the line again.
#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="mark__logo" viewBox="0 0 44 36" width="44" height="36" fill="none" aria-hidden="true">
            <path class="mark__cut" d="M6 24 C6 9 10 5 16 5 H26 C33 5 37 9 37 18.5" stroke-width="2.6" stroke-linecap="round" />
            <path class="mark__line" d="M2 24 H33" stroke-width="2.6" stroke-linecap="round" />
            <rect class="mark__layer" x="11" y="16.5" width="6.5" height="15" rx="1.8" />
            <rect class="mark__layer" x="22" y="16.5" width="6.5" height="15" rx="1.8" />
            <circle class="mark__sum" cx="37" cy="24" r="5" />
        </svg>
    }
}

/// Drops and pastes count anywhere on the page.
fn listen(lab: Lab) {
    let works = move || lab.missing.with_untracked(Option::is_none);
    // Entering a child counts as leaving its parent: only when every entry is left is the drag outside.
    let depth = StoredValue::new(0_i32);
    window_event_listener(ev::dragenter, move |event| {
        if works() && carries_files(&event) {
            event.prevent_default();
            depth.update_value(|depth| *depth += 1);
            lab.dragging.set(true);
        }
    });
    window_event_listener(ev::dragleave, move |event| {
        if carries_files(&event) {
            depth.update_value(|depth| *depth = (*depth - 1).max(0));
            if depth.get_value() == 0 {
                lab.dragging.set(false);
            }
        }
    });
    window_event_listener(ev::dragover, move |event| {
        if works() {
            // Without this the browser opens the file in place of the page.
            event.prevent_default();
        }
    });
    window_event_listener(ev::drop, move |event| {
        event.prevent_default();
        depth.set_value(0);
        lab.dragging.set(false);
        if works() && falls_on_training(&event) {
            lab.add_training_drop(&event);
        } else if works() {
            lab.take_drop(&event);
        }
    });
    window_event_listener(ev::paste, move |event| {
        if works() {
            lab.take_paste(&event);
        }
    });
}

/// Whether it was dropped on the training panel, where folders are classes.
fn falls_on_training(event: &web_sys::DragEvent) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| element.closest("[data-takes=training]").is_ok_and(|panel| panel.is_some()))
}

fn carries_files(event: &web_sys::DragEvent) -> bool {
    let types = event.data_transfer().map(|data| data.types());
    types.is_some_and(|types| types.iter().any(|kind| kind == "Files"))
}
