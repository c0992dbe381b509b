//! Tests that need a browser: they run in headless Chromium, through `cargo xtask test wasm`.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn the_browser_offers_web_gpu() {
    let global = js_sys::global();
    let navigator = js_sys::Reflect::get(&global, &"navigator".into()).expect("a window has a navigator");
    let gpu = js_sys::Reflect::get(&navigator, &"gpu".into()).expect("navigator is an object");
    assert!(!gpu.is_undefined(), "navigator.gpu is missing: Chromium was started without WebGPU (see webdriver.json)");
}
