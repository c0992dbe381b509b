//! What computes, in words, and the choice of another.

use leptos::prelude::*;
use rust_i18n::t;

use super::lab::Lab;
use crate::device::{DeviceChoice, DeviceKind, DeviceOptions};
use crate::web;

/// Key of the choice in the browser's local storage.
const KEPT_AS: &str = "reslab-device";

/// What the address (`?device=cpu`) asks for, else what was chosen on an earlier visit.
pub fn wanted() -> DeviceOptions {
    let named = |name: String| name.parse::<DeviceChoice>().ok();
    let choice = web::query("device").and_then(named).or_else(|| web::recall(KEPT_AS).and_then(named));
    DeviceOptions { choice: choice.unwrap_or_default(), ..DeviceOptions::default() }
}

/// Uses this device from now on: the page begins again with it. Projects are kept.
pub fn choose(name: &str) {
    web::remember(KEPT_AS, name);
    web::reload_without_query();
}

/// The device's name; opened, the choice of another one and how to get a faster one.
#[component]
pub fn Device(lab: Lab) -> impl IntoView {
    let kind = move || lab.device.with(|device| device.as_ref().map(|device| device.kind));
    let options = [("auto", t!("device.auto")), ("gpu", t!("device.gpu")), ("cpu", t!("device.cpu"))];
    let now = DeviceChoice::NAMES.iter().find(|(_, choice)| *choice == wanted().choice).map_or("auto", |(name, _)| name);
    let hint = move || match kind() {
        Some(DeviceKind::Cpu) if !web::is_secure() => Some(t!("missing.insecure_why")),
        Some(DeviceKind::Cpu) if !web::webgpu_available() => Some(t!("missing.no_webgpu_why")),
        Some(DeviceKind::Cpu) if now != "cpu" => Some(t!("missing.no_adapter_why")),
        _ => None,
    };
    view! {
        <details class="device" class:device--slow=move || kind().is_some_and(|kind| kind != DeviceKind::Gpu) data-testid="device">
            <summary class="device__summary">
                <span class="device__lamp" aria-hidden="true"></span>
                <span class="hidden">{t!("shell.running_on")}</span>
                <span class="device__name">{move || lab.device_name()}</span>
                <Show when=move || lab.software()>
                    <span class="device__note">{t!("shell.software")}</span>
                </Show>
            </summary>
            <div class="device__more card">
                <label class="field">
                    <span class="field__name">{t!("device.choose")}</span>
                    <select
                        data-testid="device-choice"
                        on:change=move |event| choose(&event_target_value(&event))
                    >
                        {options
                            .map(|(value, name)| view! { <option value=value selected=value == now>{name}</option> })
                            .collect_view()}
                    </select>
                </label>
                {move || hint().map(|hint| view! { <p data-testid="device-hint">{hint} " " {t!("missing.update")}</p> })}
            </div>
        </details>
    }
}
