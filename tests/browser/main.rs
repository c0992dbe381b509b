//! What a browser does: headless Chromium, through `cargo xtask test wasm`. One program, since each is linked with all of the page.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::wasm_bindgen_test_configure;

wasm_bindgen_test_configure!(run_in_browser);

mod device;
mod train;
mod web;
