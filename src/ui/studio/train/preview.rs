//! What the network really sees of a picture, with the augmentation that is set.

use leptos::html;
use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::{Clamped, JsCast};

use crate::data::RgbaImage;
use crate::studio::{PictureId, Role};
use crate::ui::workshop::Workshop;

/// Pictures that mixup may take.
const OTHERS: usize = 4;

/// A button, and eight variations of a picture.
#[component]
pub fn Preview(lab: Workshop) -> impl IntoView {
    let pictures = lab.training.preview;
    let next = StoredValue::new(0usize);
    let show = move |_| {
        let ids: Vec<PictureId> = lab.studio.pictures.with_untracked(|pictures| {
            pictures.iter().filter(|picture| picture.role == Role::Example).map(|picture| picture.id).collect()
        });
        let count = ids.len().max(1);
        // A stride that visits pictures of all classes.
        let place = next.try_update_value(|next| {
            *next = (*next + count / 3 + 1) % count;
            *next
        });
        let place = place.unwrap_or_default();
        let Some(&picture) = ids.get(place) else { return };
        let others = (1..=OTHERS.min(count - 1)).map(|by| ids[(place + by * count / (OTHERS + 1)) % count]);
        lab.preview_augmentation(picture, others.filter(|id| *id != picture).collect());
    };
    view! {
        <div class="preview">
            <button type="button" class="button" data-testid="preview" on:click=show>{t!("train.preview")}</button>
            <div class="preview__strip" data-testid="preview-strip" role="group" aria-label=t!("train.preview_label")>
                {move || pictures.get().into_iter().map(|image| view! { <Shown image /> }).collect_view()}
            </div>
        </div>
    }
}

#[component]
fn Shown(image: RgbaImage) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    let (width, height) = (image.width, image.height);
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        let data = web_sys::ImageData::new_with_u8_clamped_array_and_sh(Clamped(&image.pixels), width, height);
        let context =
            canvas.get_context("2d").ok().flatten().and_then(|c| c.dyn_into::<web_sys::CanvasRenderingContext2d>().ok());
        if let (Ok(data), Some(context)) = (data, context)
            && let Err(error) = context.put_image_data(&data, 0.0, 0.0)
        {
            log::warn!("a preview cannot be drawn: {error:?}");
        }
    });
    view! { <canvas node_ref=canvas class="preview__picture" width=width height=height></canvas> }
}
