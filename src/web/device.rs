//! What the browser says of WebGPU before the engine has opened a device, and what it is asked for then.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use super::js::{call, get, wait, window};

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
    Some(name.unwrap_or_else(|| "an adapter without a name".into()))
}

fn gpu() -> Option<JsValue> {
    let gpu = get(&window().ok()?.navigator(), "gpu");
    (!gpu.is_undefined() && !gpu.is_null()).then_some(gpu)
}

/// While this lives, a device that is asked for gets `subgroups` where the adapter has them. See [`ask_for_subgroups`].
#[derive(Debug)]
pub struct SubgroupsAsked(JsValue);

impl Drop for SubgroupsAsked {
    fn drop(&mut self) {
        // The browser's own method stands behind the one that was put in front of it.
        let _ = Reflect::delete_property(self.0.unchecked_ref::<Object>(), &"requestAdapter".into());
    }
}

/// wgpu 30 cannot ask a browser for subgroups, on which the fast kernels for software adapters rest. www/boot.js does it for our
/// own page; in somebody else's page nothing may stay changed, so only the adapters that are asked for while the returned value
/// lives are touched. Leaves the mark that gpu/context.rs looks for.
pub fn ask_for_subgroups() -> Option<SubgroupsAsked> {
    let gpu = gpu()?;
    let request: Function = get(&gpu, "requestAdapter").dyn_into().ok()?;
    let this = gpu.clone();
    let asked = Closure::<dyn FnMut(JsValue) -> Result<Promise, JsValue>>::new(move |options: JsValue| {
        let promise: Promise = request.call1(&this, &options)?.dyn_into()?;
        let found = Closure::once(|adapter: JsValue| -> JsValue {
            add_to_device_request(&adapter);
            adapter
        });
        let then: Function = get(&promise, "then").dyn_into()?;
        then.call1(&promise, &found.into_js_value())?.dyn_into()
    });
    Reflect::set(&gpu, &"requestAdapter".into(), &asked.into_js_value()).ok()?;
    Some(SubgroupsAsked(gpu))
}

/// Puts `subgroups` into what this adapter's `requestDevice` asks for.
fn add_to_device_request(adapter: &JsValue) {
    let features = get(adapter, "features");
    let has: Option<Function> = get(&features, "has").dyn_into().ok();
    let offered = has.and_then(|has| has.call1(&features, &"subgroups".into()).ok()).is_some_and(|has| has.is_truthy());
    // A page that asks for itself has set the mark, and it stays as the adapter has it.
    let _ = Reflect::set(&js_sys::global(), &"reslabSubgroups".into(), &offered.into());
    let Ok(request) = get(adapter, "requestDevice").dyn_into::<Function>() else { return };
    if !offered {
        return;
    }
    let this = adapter.clone();
    let asked = Closure::<dyn FnMut(JsValue) -> Result<JsValue, JsValue>>::new(move |descriptor: JsValue| {
        let wanted = Array::from(&get(&descriptor, "requiredFeatures"));
        wanted.push(&"subgroups".into());
        let descriptor = Object::assign(&Object::new(), descriptor.unchecked_ref::<Object>());
        Reflect::set(&descriptor, &"requiredFeatures".into(), &wanted)?;
        request.call1(&this, &descriptor)
    });
    let _ = Reflect::set(adapter, &"requestDevice".into(), &asked.into_js_value());
}

/// Milliseconds since the page's navigation began.
pub fn now_ms() -> f64 {
    window().ok().and_then(|window| window.performance()).map_or(0.0, |clock| clock.now())
}
