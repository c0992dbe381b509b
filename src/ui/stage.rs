//! The drop zone, which shows the picture once there is one.

use leptos::html;
use leptos::prelude::*;

use super::lab::{Answer, Lab, Status};
use super::notice::Notice;
use crate::data::{Geometry, Preset};

/// Pictures narrower than this are shown with their pixels, as the network gets them (CIFAR's are 32 pixels wide).
const SMALL_PX: u32 = 100;

/// Drop, choose or paste; below it what went wrong, if something did.
#[component]
pub fn Stage(lab: Lab) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let choose = move |_| {
        if let Some(input) = input.get() {
            input.click();
        }
    };
    view! {
        <section class="stage" aria-label="Picture">
            <div
                class="zone"
                class:zone--over=move || lab.dragging.get()
                class:zone--full=move || lab.selected.with(Option::is_some)
                data-testid="drop-zone"
            >
                <span class="zone__corners" aria-hidden="true"></span>
                {move || match lab.shot() {
                    Some(shot) => {
                        let status = shot.status.clone();
                        let failed = Memo::new(move |_| match status.get() {
                            Status::Failed(sentence) => Some(sentence),
                            _ => None,
                        });
                        let small = RwSignal::new(false);
                        let answer = shot.answer.clone();
                        let seen = shot.answer.clone();
                        let (url, alt, name) = (shot.src(), shot.alt.clone(), shot.name.clone());
                        view! {
                            <figure class="zone__picture">
                                {move || match failed.get() {
                                    None => {
                                        let answer = answer.clone();
                                        view! {
                                            <div class="zone__frame">
                                                <img
                                                    src=url.clone()
                                                    alt=alt.clone()
                                                    data-testid="picture"
                                                    on:load=move |event| small.set(is_small(&event))
                                                    class:pixels=move || small.get()
                                                />
                                                {move || answer.get().and_then(|answer| field(&answer))}
                                            </div>
                                        }
                                            .into_any()
                                    }
                                    Some(sentence) => {
                                        view! { <p class="zone__failed" role="alert">{sentence}</p> }.into_any()
                                    }
                                }}
                                <figcaption class="zone__caption">
                                    <span class="zone__name" data-testid="file-name">{name}</span>
                                    <span class="zone__seen" data-testid="seen">{move || seen.get().map(|answer| seen_as(&answer))}</span>
                                </figcaption>
                            </figure>
                        }
                            .into_any()
                    }
                    None => {
                        view! {
                            <div class="zone__empty">
                                <svg class="zone__icon" viewBox="0 0 48 48" width="48" height="48" fill="none" aria-hidden="true">
                                    <path d="M24 31V8m0 0l-8.5 8.5M24 8l8.5 8.5" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round" />
                                    <path d="M8 31v6a3 3 0 003 3h26a3 3 0 003-3v-6" stroke-width="2.5" stroke-linecap="round" />
                                </svg>
                                <p class="zone__title">
                                    <span class="wide">"Drop a picture"</span>
                                    <span class="narrow">"Show it a picture"</span>
                                </p>
                                <p class="zone__hint wide">"anywhere on this page, or paste one. Many at once are welcome."</p>
                                <p class="zone__hint narrow">"from your photos or the camera, one or many."</p>
                            </div>
                        }
                            .into_any()
                    }
                }}
                <div class="zone__drop" aria-hidden="true">"Let go to read it"</div>
            </div>
            <div class="stage__bar">
                <button id="choose" type="button" class="button button--main" data-testid="choose" on:click=choose>
                    {move || if lab.selected.with(Option::is_some) { "Choose more pictures" } else { "Choose pictures" }}
                </button>
                <input
                    node_ref=input
                    class="hidden"
                    type="file"
                    accept="image/*"
                    multiple
                    tabindex="-1"
                    aria-label="Choose pictures"
                    data-testid="file-input"
                    on:change=move |event| lab.take_input(&event)
                />
                <p class="stage__formats">"JPEG, PNG, WebP, GIF, BMP, AVIF"</p>
            </div>
            <Notice text=lab.picture_error testid="picture-error" />
        </section>
    }
}

fn is_small(event: &web_sys::Event) -> bool {
    event_target::<web_sys::HtmlImageElement>(event).natural_width() < SMALL_PX
}

/// Where the network's input lies in the picture, when the preset is one with a name.
fn geometry(answer: &Answer) -> Option<Geometry> {
    let preset = Preset::named(&answer.model.preset).ok()?.with_size(answer.model.size).ok()?;
    Some(preset.geometry(answer.result.width, answer.result.height))
}

/// Dims what the crop cuts off. The drawing has the picture's own coordinates and is fitted as the picture is.
fn field(answer: &Answer) -> Option<impl IntoView + use<>> {
    let Geometry { resized, crop, left, top } = geometry(answer)?;
    let (width, height) = (f64::from(answer.result.width), f64::from(answer.result.height));
    let (per_x, per_y) = (width / f64::from(resized.0.max(1)), height / f64::from(resized.1.max(1)));
    let (left, top) = (f64::from(left.max(0)) * per_x, f64::from(top.max(0)) * per_y);
    let (right, bottom) = ((left + f64::from(crop.0) * per_x).min(width), (top + f64::from(crop.1) * per_y).min(height));
    // Less than one part in a hundred is nothing to show.
    let cut = 1.0 - (right - left) * (bottom - top) / (width * height);
    (cut > 0.01).then(|| {
        let inside = format!("M{left:.1} {top:.1}H{right:.1}V{bottom:.1}H{left:.1}Z");
        view! {
            <svg class="zone__field" viewBox=format!("0 0 {width} {height}") aria-hidden="true" data-testid="field">
                <path class="zone__cut" fill-rule="evenodd" d=format!("M0 0H{width}V{height}H0Z{inside}") />
                <path class="zone__edge" d=inside />
            </svg>
        }
    })
}

fn seen_as(answer: &Answer) -> String {
    format!("the network sees {0} \u{d7} {0} pixels", answer.model.size)
}
