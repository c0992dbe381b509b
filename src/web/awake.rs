//! Keeps the screen on while something goes on that nobody touches the device for: a device that sleeps computes nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;

use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::spawn_local;

use super::js::{call, get, wait, window, words};

thread_local! {
    static AWAKE: RefCell<State> = RefCell::default();
}

#[derive(Default)]
struct State {
    /// What wants the screen on.
    reasons: BTreeSet<&'static str>,
    /// The browser's promise to keep it on, until it takes that back.
    lock: Option<JsValue>,
    /// The page listens for being looked at again: a hidden page loses the lock.
    listens: bool,
}

/// Keeps the screen on for this reason, or lets it sleep as far as this reason goes. Nothing happens in browsers without wake locks.
pub fn keep_awake(reason: &'static str, on: bool) {
    let (wanted, listens) = AWAKE.with_borrow_mut(|awake| {
        if on {
            awake.reasons.insert(reason);
        } else {
            awake.reasons.remove(reason);
        }
        (!awake.reasons.is_empty(), std::mem::replace(&mut awake.listens, true))
    });
    if !listens {
        listen();
    }
    if wanted {
        ask();
    } else if let Some(lock) = AWAKE.with_borrow_mut(|awake| awake.lock.take()) {
        release(&lock);
    }
}

/// Keeps the screen on for this reason for as long as it lives.
pub(super) struct Awake(&'static str);

impl Awake {
    pub(super) fn new(reason: &'static str) -> Self {
        keep_awake(reason, true);
        Self(reason)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        keep_awake(self.0, false);
    }
}

fn listen() {
    let seen = Closure::<dyn Fn()>::new(|| {
        if AWAKE.with_borrow(|awake| !awake.reasons.is_empty()) {
            ask();
        }
    });
    let document = window().ok().and_then(|window| window.document());
    if document.is_some_and(|document| {
        document.add_event_listener_with_callback("visibilitychange", seen.as_ref().unchecked_ref()).is_err()
    }) {
        log::debug!("a hidden page stays without its wake lock");
    }
    seen.forget();
}

fn ask() {
    let held = |awake: &State| awake.lock.as_ref().is_some_and(|lock| !get(lock, "released").is_truthy());
    let hidden = window().ok().and_then(|window| window.document()).is_none_or(|document| document.hidden());
    if hidden || AWAKE.with_borrow(held) {
        return;
    }
    spawn_local(async {
        let asked = async {
            let locks = get(&window()?.navigator(), "wakeLock");
            wait(call(&locks, "request")?.dyn_into()?).await
        };
        match asked.await {
            Ok(lock) => {
                // What wanted it may be done by now, or another answer may have come first.
                let spare =
                    AWAKE.with_borrow_mut(|awake| if awake.reasons.is_empty() { Some(lock) } else { awake.lock.replace(lock) });
                if let Some(spare) = spare {
                    release(&spare);
                }
            }
            Err(error) => log::debug!("the screen may sleep: {}", words(&error)),
        }
    });
}

fn release(lock: &JsValue) {
    if call(lock, "release").is_err() {
        log::debug!("the wake lock is gone already");
    }
}
