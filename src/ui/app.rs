//! The page: its head, the screen the address names, its foot, and what it listens to as a whole.

use futures_util::FutureExt;
use leptos::ev;
use leptos::prelude::*;
use rust_i18n::t;

use super::device::Device;
use super::header::Header;
use super::lab::Lab;
use super::layers::LayersPanel;
use super::live::look_live;
use super::model::ModelPanel;
use super::part::Part;
use super::reading::Reading;
use super::samples::Samples;
use super::screen::Screen;
use super::stage::Stage;
use super::tray::Tray;
use super::unsupported::Unsupported;
use super::workshop::Later;

/// The whole page.
#[component]
pub fn App(language: &'static str) -> impl IntoView {
    let language = RwSignal::new(language);
    let lab = Lab::start(language);
    listen(lab);
    name_window(lab, language);
    // Texts are read when a view is made: another language makes the views again, over the same state.
    move || {
        language.track();
        view! { <Page lab language /> }
    }
}

#[component]
fn Page(lab: Lab, language: RwSignal<&'static str>) -> impl IntoView {
    view! {
        <Header lab language />
        {move || match (lab.missing.get(), lab.screen.get()) {
            (Some(missing), _) => view! { <Unsupported missing /> }.into_any(),
            (None, Screen::Look) => view! { <Look lab /> }.into_any(),
            (None, Screen::Teach) => view! { <Later lab show=|door| door.teach() /> }.into_any(),
            (None, Screen::Bench) => view! { <Later lab show=|door| door.benchmark() /> }.into_any(),
        }}
        <footer class="foot">
            <p data-testid="privacy">
                {move || match (lab.missing.get(), lab.screen.get()) {
                    (None, Screen::Teach) => t!("shell.privacy_teach"),
                    (None, Screen::Bench) => t!("shell.privacy_bench"),
                    _ => t!("shell.privacy"),
                }}
            </p>
            <Show when=move || lab.device.with(Option::is_some) && lab.missing.with(Option::is_none)>
                <Device lab />
            </Show>
        </footer>
        <p class="hidden" role="status" aria-live="polite" data-testid="spoken">
            {move || lab.spoken.get()}
        </p>
    }
}

/// The window's title: the project and where it stands, or what the screen is for.
fn name_window(lab: Lab, language: RwSignal<&'static str>) {
    Effect::new(move |_| {
        language.track();
        let title = match lab.screen.get() {
            Screen::Look => t!("shell.title").into_owned(),
            Screen::Bench => format!("{} \u{b7} ResLab", Screen::Bench.title()),
            Screen::Teach => match lab.title.get() {
                Some(title) => format!("{title} \u{b7} ResLab"),
                None => format!("{} \u{b7} ResLab", Screen::Teach.title()),
            },
        };
        document().set_title(&title);
    });
}

/// Drop a picture or point the camera, read the class.
#[component]
fn Look(lab: Lab) -> impl IntoView {
    let watching = lab.watching;
    on_cleanup(move || {
        // Another language makes the same screen again; another screen turns the camera off.
        if lab.screen.get_untracked() != Screen::Look {
            watching.set(false);
        }
    });
    view! {
        <main id="main" class="bench" data-testid="lab">
            <h1 class="hidden">{t!("shell.title")}</h1>
            {move || {
                if watching.get() {
                    view! { <Part fetch=|| look_live().boxed_local() show=move |view| view(lab) /> }.into_any()
                } else {
                    view! { <LookAtPictures lab /> }.into_any()
                }
            }}
        </main>
    }
}

#[component]
fn LookAtPictures(lab: Lab) -> impl IntoView {
    view! {
        <div class="bench__left">
            <Stage lab />
            <Samples lab />
            <Tray lab />
            <LayersPanel lab />
        </div>
        <div class="bench__right">
            <Reading lab />
            <ModelPanel lab />
        </div>
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
        if works() {
            match lab.screen.get_untracked() {
                Screen::Teach => lab.door().map_or((), |door| door.take_drop(&event)),
                Screen::Look | Screen::Bench => lab.take_drop(&event),
            }
        }
    });
    window_event_listener(ev::paste, move |event| {
        if works() {
            match lab.screen.get_untracked() {
                Screen::Teach => lab.door().map_or((), |door| door.take_paste(&event)),
                Screen::Look | Screen::Bench => lab.take_paste(&event),
            }
        }
    });
}

fn carries_files(event: &web_sys::DragEvent) -> bool {
    let types = event.data_transfer().map(|data| data.types());
    types.is_some_and(|types| types.iter().any(|kind| kind == "Files"))
}
