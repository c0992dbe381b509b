//! Whether this tab is the only one of the page.
//!
//! Every tab holds a shared lock for as long as it lives, whatever way it ends. Where a browser has no locks (plain http) a tab takes itself
//! for the only one.

use std::pin::pin;

use futures_util::future::{Either, select};
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use super::js::{call, get, wait, window, words};

/// Holds the lock of this name from now on. A frame of another site may be refused it.
pub async fn be_counted(name: &str) {
    let mut request = Err(JsValue::UNDEFINED);
    let held = Promise::new(&mut |held, _| {
        // The lock is held until this promise ends, which it never does.
        let hold = Closure::once_into_js(move || {
            let _ = held.call0(&JsValue::UNDEFINED);
            Promise::new(&mut |_, _| {})
        });
        request = locks().and_then(|locks| {
            let options = Object::new();
            Reflect::set(&options, &"mode".into(), &"shared".into())?;
            let request: Function = get(&locks, "request").dyn_into()?;
            request.call3(&locks, &name.into(), &options, &hold)?.dyn_into::<Promise>()
        });
    });
    let refused = match request {
        // What is asked for ends with a refusal, or never.
        Ok(request) => match select(pin!(wait(held)), pin!(wait(request))).await {
            Either::Left(_) => return,
            Either::Right((ended, _)) => ended.err(),
        },
        Err(error) => Some(error),
    };
    log::debug!("this tab is not counted: {}", refused.map(|error| words(&error)).unwrap_or_default());
}

/// Whether no other tab holds the lock of this name.
pub async fn is_alone(name: &str) -> bool {
    let holders = async {
        let state = wait(call(&locks()?, "query")?.dyn_into()?).await?;
        let held: Array = get(&state, "held").dyn_into()?;
        let holders = held.iter().filter(|lock| get(lock, "name").as_string().as_deref() == Some(name)).count();
        Ok::<_, JsValue>(holders)
    };
    holders.await.is_ok_and(|holders| holders <= 1) || locks().is_err()
}

fn locks() -> Result<JsValue, JsValue> {
    let locks = get(&window()?.navigator(), "locks");
    if locks.is_object() { Ok(locks) } else { Err("this browser has no locks".into()) }
}
