//! Small bridges to JavaScript values.

use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// What a promise comes to.
pub(super) async fn wait(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

/// An exception in words: its message, or its name where the message is empty.
pub(super) fn words(error: &JsValue) -> String {
    let part = |key: &str| get(error, key).as_string().filter(|text| !text.is_empty());
    let text = part("message").or_else(|| part("name")).or_else(|| error.as_string());
    let text = text.unwrap_or_else(|| format!("{error:?}"));
    text.trim_end_matches(['.', '\n', ' ']).to_owned()
}

/// The property `key`, or undefined.
pub(super) fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

/// Calls the method `name` without arguments; the exception when there is none.
pub(super) fn call(object: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    get(object, name).dyn_into::<js_sys::Function>()?.call0(object)
}

/// What a page and a worker both have as a property of their global scope, called with these arguments.
pub(super) fn call_global(name: &str, arguments: &[JsValue]) -> Result<Promise, JsValue> {
    let scope = js_sys::global();
    let function: js_sys::Function = get(&scope, name).dyn_into()?;
    function.apply(&scope, &arguments.iter().collect())?.dyn_into()
}

/// The browser, as a page or a worker knows it.
pub(super) fn navigator() -> JsValue {
    get(&js_sys::global(), "navigator")
}

/// The page's window.
pub(super) fn window() -> Result<web_sys::Window, JsValue> {
    web_sys::window().ok_or_else(|| "there is no window here".into())
}

/// The folder this copy of the page is served from, `/` or `/reslab/`.
pub(super) fn page_folder() -> String {
    let path = window().ok().and_then(|window| window.location().pathname().ok()).unwrap_or_default();
    path.rsplit_once('/').map_or("/".into(), |(folder, _)| format!("{folder}/"))
}

/// What `<meta name=NAME content=...>` of the page says; `None` when it is absent or empty.
pub fn meta(name: &str) -> Option<String> {
    let element = web_sys::window()?.document()?.query_selector(&format!("meta[name='{name}']")).ok()??;
    element.get_attribute("content").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
