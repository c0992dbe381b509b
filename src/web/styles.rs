//! Styles that come with a part of the page.

use std::cell::RefCell;

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::js::{get, window, words};

thread_local! {
    /// What was added.
    static ADDED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Adds a style sheet to the page, once. Its policy allows no inline style; a sheet that a script makes is none.
pub fn add_styles(text: &'static str) {
    let known = ADDED.with_borrow_mut(|added| {
        let known = added.contains(&text);
        added.push(text);
        known
    });
    if known {
        return;
    }
    if let Err(error) = adopt(text) {
        log::error!("styles cannot be added: {}", words(&error));
    }
}

fn adopt(text: &str) -> Result<(), JsValue> {
    let window = window()?;
    let class: Function = get(&window, "CSSStyleSheet").dyn_into()?;
    let sheet = Reflect::construct(&class, &Array::new())?;
    get(&sheet, "replaceSync").dyn_into::<Function>()?.call1(&sheet, &text.into())?;
    let sheets = get(&get(&window, "document"), "adoptedStyleSheets");
    get(&sheets, "push").dyn_into::<Function>()?.call1(&sheets, &sheet)?;
    Ok(())
}
