//! A word at the end of something long, for who looks elsewhere: the system's notice and a short tone, when the person has asked for it.

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::js::{call, get, wait, window, words};

/// Pitch and length of the tone.
const TONE_HZ: f64 = 880.0;
const TONE_S: f64 = 0.35;
const VOLUME: f64 = 0.08;

/// Whether nobody sees the page now.
pub fn is_hidden() -> bool {
    window().ok().and_then(|window| window.document()).is_some_and(|document| document.hidden())
}

/// Asks whether notices may be shown; to be called by a click. False where the browser or the person declines, then there is the tone alone.
pub async fn ask_to_ring() -> bool {
    let asked = async { wait(call(&get(&js_sys::global(), "Notification"), "requestPermission")?.dyn_into()?).await };
    asked.await.is_ok_and(|answer| answer.as_string().as_deref() == Some("granted"))
}

/// Shows the notice, and sounds the tone.
pub fn ring(title: &str, body: &str) {
    if let Err(error) = notice(title, body) {
        log::debug!("no notice: {}", words(&error));
    }
    if let Err(error) = tone() {
        log::debug!("no tone: {}", words(&error));
    }
}

fn notice(title: &str, body: &str) -> Result<(), JsValue> {
    let class: Function = get(&js_sys::global(), "Notification").dyn_into()?;
    if get(&class, "permission").as_string().as_deref() == Some("granted") {
        let options = Object::from_entries(&Array::of1(&Array::of2(&"body".into(), &body.into())))?;
        Reflect::construct(&class, &Array::of2(&title.into(), &options))?;
    }
    Ok(())
}

fn tone() -> Result<(), JsValue> {
    let class: Function = get(&js_sys::global(), "AudioContext").dyn_into()?;
    let context = Reflect::construct(&class, &Array::new())?;
    let (tone, volume) = (call(&context, "createOscillator")?, call(&context, "createGain")?);
    Reflect::set(&get(&tone, "frequency"), &"value".into(), &TONE_HZ.into())?;
    Reflect::set(&get(&volume, "gain"), &"value".into(), &VOLUME.into())?;
    let connect = |from: &JsValue, to: &JsValue| get(from, "connect").dyn_into::<Function>()?.call1(from, to);
    connect(&tone, &volume)?;
    connect(&volume, &get(&context, "destination"))?;
    call(&tone, "start")?;
    let end = get(&context, "currentTime").as_f64().unwrap_or_default() + TONE_S;
    get(&tone, "stop").dyn_into::<Function>()?.call1(&tone, &end.into())?;
    // A browser lends a page few of them.
    let close = wasm_bindgen::closure::Closure::once_into_js(move || drop(call(&context, "close")));
    Reflect::set(&tone, &"onended".into(), &close)?;
    Ok(())
}
