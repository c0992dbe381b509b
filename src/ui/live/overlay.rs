//! Heatmaps as pictures: over a video on a canvas, over a picture as an image.

use leptos::html;
use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::ramp;
use std::sync::Arc;

use crate::engine::Heatmap;

/// Paints a map with a pixel for each of its values; the browser smooths what lies between.
pub fn paint(canvas: &HtmlCanvasElement, map: &Heatmap) -> Result<(), JsValue> {
    let (width, height) = (map.width as u32, map.height as u32);
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context = canvas.get_context("2d")?.ok_or("there is no canvas for it")?.dyn_into::<CanvasRenderingContext2d>()?;
    let pixels: Vec<u8> = map.values.iter().flat_map(|value| ramp::colour(*value)).collect();
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), width, height)?;
    context.put_image_data(&image, 0.0, 0.0)
}

/// A map as the address of a small picture.
pub fn address(map: &Heatmap) -> Option<String> {
    let canvas = document().create_element("canvas").ok()?.dyn_into::<HtmlCanvasElement>().ok()?;
    paint(&canvas, map).ok()?;
    canvas.to_data_url().ok()
}

/// The map of the moment, where its maker puts it.
#[component]
pub fn MapCanvas(map: RwSignal<Option<Arc<Heatmap>>>) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    Effect::new(move |_| {
        let (Some(canvas), Some(map)) = (canvas.get(), map.get()) else { return };
        if paint(&canvas, &map).is_err() {
            log::debug!("the map could not be painted");
        }
    });
    view! {
        <canvas
            node_ref=canvas
            class="live__map"
            hidden=move || map.with(Option::is_none)
            width="1"
            height="1"
            aria-hidden="true"
            data-testid="live-map"
        ></canvas>
    }
}

/// What the colours mean.
#[component]
pub fn Legend() -> impl IntoView {
    view! {
        <div class="legend" data-testid="legend">
            <span>{t!("live.legend_low")}</span>
            <span class="legend__ramp" style:background=ramp::gradient() aria-hidden="true"></span>
            <span>{t!("live.legend_high")}</span>
        </div>
    }
}
