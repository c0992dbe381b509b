//! The page: Leptos components, one a file, over the engine's commands and events.
//!
//! [`lab`](self) holds what the page knows; components read its signals and call its methods, and nothing else talks to the
//! engine. Only the wasm target has the page; numbers and tables are plain Rust and tested natively.

pub mod benchmark;
pub mod csv;
pub mod format;
pub mod live;
pub mod texts;

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod assumed;
#[cfg(target_arch = "wasm32")]
mod bars;
#[cfg(target_arch = "wasm32")]
mod device;
#[cfg(target_arch = "wasm32")]
mod focus;
#[cfg(target_arch = "wasm32")]
mod header;
#[cfg(target_arch = "wasm32")]
mod intake;
#[cfg(target_arch = "wasm32")]
mod lab;
#[cfg(target_arch = "wasm32")]
mod language;
#[cfg(target_arch = "wasm32")]
mod layers;
#[cfg(target_arch = "wasm32")]
mod model;
#[cfg(target_arch = "wasm32")]
mod model_picker;
#[cfg(target_arch = "wasm32")]
mod models;
#[cfg(target_arch = "wasm32")]
mod notice;
#[cfg(target_arch = "wasm32")]
mod part;
#[cfg(target_arch = "wasm32")]
mod precision;
#[cfg(target_arch = "wasm32")]
mod queue;
#[cfg(target_arch = "wasm32")]
mod reading;
#[cfg(target_arch = "wasm32")]
mod samples;
#[cfg(target_arch = "wasm32")]
mod screen;
#[cfg(target_arch = "wasm32")]
mod stage;
#[cfg(target_arch = "wasm32")]
mod studio;
#[cfg(target_arch = "wasm32")]
mod tray;
#[cfg(target_arch = "wasm32")]
mod unsupported;
#[cfg(target_arch = "wasm32")]
mod workshop;

/// Shows the page. Called once, by `main`.
#[cfg(target_arch = "wasm32")]
pub fn mount() {
    console_error_panic_hook::set_once();
    // A second logger cannot be there: this runs once.
    let _ = console_log::init_with_level(log::Level::Warn);
    // Leptos' own spawning begins with the first thing it mounts.
    wasm_bindgen_futures::spawn_local(async {
        let language = language::start().await;
        leptos::mount::mount_to_body(move || leptos::view! { <app::App language /> });
    });
}
