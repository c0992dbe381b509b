//! A newer version of the page that waits to be used (www/boot.js, www/sw.js).

use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, ServiceWorker};

use super::js::{get, window};

/// What www/boot.js says when a newer version is there.
const EVENT: &str = "reslab-update";
/// Where it keeps the worker of that version.
const WORKER: &str = "reslabUpdate";

/// Calls `then` when a newer version of the page is ready, now or later.
pub fn on_update(then: impl Fn() + 'static) {
    let Ok(window) = window() else { return };
    if waiting().is_some() {
        then();
    }
    let heard = Closure::<dyn Fn(Event)>::new(move |_| then());
    if window.add_event_listener_with_callback(EVENT, heard.as_ref().unchecked_ref()).is_ok() {
        // It listens as long as the page lives.
        heard.forget();
    }
}

/// Uses the newer version: the page loads again.
pub fn use_update() {
    let Some(worker) = waiting() else { return };
    let Ok(window) = window() else { return };
    let location = window.location();
    let reload = Closure::<dyn Fn(Event)>::new(move |_| drop(location.reload()));
    window.navigator().service_worker().set_oncontrollerchange(Some(reload.as_ref().unchecked_ref()));
    reload.forget();
    if let Err(error) = worker.post_message(&JsValue::from_str("use-now")) {
        log::warn!("the new version does not answer: {error:?}");
    }
}

fn waiting() -> Option<ServiceWorker> {
    get(&js_sys::global(), WORKER).dyn_into().ok()
}
