//! What the browser says of WebGPU before the engine has opened a device.

use wasm_bindgen::{JsCast, JsValue};

use super::js::{call, get, navigator, wait, window};

/// Whether the page came in a way that lets browsers offer WebGPU: over https, or from this computer.
pub fn is_secure() -> bool {
    window().is_ok_and(|window| window.is_secure_context())
}

/// Whether the browser has the WebGPU interface at all. An adapter may be missing all the same.
pub fn webgpu_available() -> bool {
    gpu().is_some()
}

/// The adapter's name as far as the browser tells it, e.g. "google swiftshader"; `None` without an adapter.
///
/// Browsers blur it on purpose: mostly it is the vendor and the architecture ("apple metal-3"), rarely the device.
pub async fn adapter_name() -> Option<String> {
    let adapter = wait(call(&gpu()?, "requestAdapter").ok()?.dyn_into().ok()?).await.ok()?;
    if adapter.is_null() || adapter.is_undefined() {
        return None;
    }
    let info = get(&adapter, "info");
    let text = |key: &str| get(&info, key).as_string().filter(|text| !text.is_empty());
    let name = text("description").or_else(|| text("device"));
    let name = name.or_else(|| {
        let parts: Vec<String> = ["vendor", "architecture"].into_iter().filter_map(text).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    });
    Some(name.unwrap_or_else(|| {
        let agent = get(&navigator(), "userAgent").as_string().unwrap_or_default();
        browser_of(&agent).map_or_else(|| "WebGPU".into(), |browser| format!("{browser}'s WebGPU"))
    }))
}

/// The browser that a user agent names, of those that say nothing of their adapters.
fn browser_of(agent: &str) -> Option<&'static str> {
    // Chrome's agent names Safari too.
    ["Firefox", "Chrome", "Safari"].into_iter().find(|browser| agent.contains(&format!("{browser}/")))
}

fn gpu() -> Option<JsValue> {
    let gpu = get(&navigator(), "gpu");
    (!gpu.is_undefined() && !gpu.is_null()).then_some(gpu)
}

/// Milliseconds since the page's navigation began.
pub fn now_ms() -> f64 {
    window().ok().and_then(|window| window.performance()).map_or(0.0, |clock| clock.now())
}
