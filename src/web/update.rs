//! A newer version of the page that waits to be used (www/boot.js, www/sw.js).

use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, ServiceWorker};

use super::js::{call, get, wait, window};

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

/// Loads the page again in the newest version that the server has: a worker that keeps an older one is renewed first.
pub fn reload_newest() {
    wasm_bindgen_futures::spawn_local(async {
        let renewed = async {
            let container = get(&window()?.navigator(), "serviceWorker");
            let registration = wait(call(&container, "getRegistration")?.dyn_into()?).await?;
            wait(call(&registration, "update")?.dyn_into()?).await?;
            let newest = ["waiting", "installing"].map(|state| get(&registration, state)).into_iter().find(JsValue::is_object);
            Ok::<_, JsValue>(newest.and_then(|worker| worker.dyn_into::<ServiceWorker>().ok()))
        };
        if let Ok(Some(worker)) = renewed.await {
            // It takes over when it is there, and the page is then its own.
            let Ok(window) = window() else { return };
            let location = window.location();
            let reload = Closure::<dyn Fn(Event)>::new(move |_| drop(location.reload()));
            window.navigator().service_worker().set_oncontrollerchange(Some(reload.as_ref().unchecked_ref()));
            reload.forget();
            let told = worker.clone();
            let tell = Closure::<dyn Fn()>::new(move || {
                if told.post_message(&JsValue::from_str("use-now")).is_err() {
                    log::warn!("the new version does not answer");
                }
            });
            worker.set_onstatechange(Some(tell.as_ref().unchecked_ref()));
            tell.forget();
            if worker.post_message(&JsValue::from_str("use-now")).is_ok() {
                return;
            }
        }
        if let Ok(window) = window() {
            drop(window.location().reload());
        }
    });
}

fn waiting() -> Option<ServiceWorker> {
    get(&js_sys::global(), WORKER).dyn_into().ok()
}
