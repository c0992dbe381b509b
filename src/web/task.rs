//! Giving the page a turn.

use futures_channel::oneshot;
use wasm_bindgen::{JsCast, closure::Closure};

/// Lets the browser paint and handle input before going on: a macrotask, since a resolved promise alone runs before both.
/// A message to oneself is not held back as nested timers are.
pub async fn yield_now() {
    let Ok(channel) = web_sys::MessageChannel::new() else { return };
    let (sender, receiver) = oneshot::channel::<()>();
    let wake = Closure::once_into_js(move || {
        // Nobody waits any more when the future was dropped.
        let _ = sender.send(());
    });
    channel.port1().set_onmessage(Some(wake.unchecked_ref()));
    if channel.port2().post_message(&wasm_bindgen::JsValue::NULL).is_ok() {
        // The sender lives in the handler; it can only be dropped by sending or with the whole page.
        let _ = receiver.await;
    }
    channel.port1().close();
}

/// Rests for so many milliseconds; a hidden tab is woken less often.
pub async fn sleep(ms: f64) {
    let promise = js_sys::Promise::new(&mut |done, _| {
        let scope = js_sys::global();
        if let Ok(set_timeout) = super::js::get(&scope, "setTimeout").dyn_into::<js_sys::Function>() {
            // Pages and workers have it; it throws for no number.
            let _ = set_timeout.call2(&scope, &done, &ms.into());
        }
    });
    let _ = super::js::wait(promise).await;
}
