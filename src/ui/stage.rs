//! The drop zone, which shows the picture once there is one.

use leptos::html;
use leptos::prelude::*;
use rust_i18n::t;

use super::lab::{Answer, Lab, Status};
use super::live::address;
use super::live::field::Field;
use super::notice::Notice;
use crate::engine::Heatmap;

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
        <section class="stage" aria-label=t!("look.picture")>
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
                        let id = shot.id;
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
                                                {move || answer.get().and_then(|answer| field(&answer, lab.looks.map_of(id).as_deref()))}
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
                                    <span class="wide">{t!("look.drop")}</span>
                                    <span class="narrow">{t!("look.show")}</span>
                                </p>
                                <p class="zone__hint wide">{t!("look.drop_hint")}</p>
                                <p class="zone__hint narrow">{t!("look.show_hint")}</p>
                            </div>
                        }
                            .into_any()
                    }
                }}
                <div class="zone__drop" aria-hidden="true">{t!("look.let_go")}</div>
            </div>
            <div class="stage__bar">
                <button id="choose" type="button" class="button button--main" data-testid="choose" on:click=choose>
                    {move || if lab.selected.with(Option::is_some) { t!("look.choose_more") } else { t!("look.choose") }}
                </button>
                <button type="button" class="button stage__camera" data-testid="camera" on:click=move |_| lab.watching.set(true)>
                    {t!("live.camera")}
                </button>
                <input
                    node_ref=input
                    class="hidden"
                    type="file"
                    accept="image/*"
                    multiple
                    tabindex="-1"
                    aria-hidden="true"
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

/// Dims what the crop cuts off, and lays the map over the rest. The drawing has the picture's own coordinates and is fitted as
/// the picture is.
fn field(answer: &Answer, map: Option<&Heatmap>) -> Option<impl IntoView + use<>> {
    let whole = Field::new(&answer.model.pixels, answer.result.width, answer.result.height);
    let map = map.and_then(address).map(|address| {
        let Field { left, top, right, bottom, .. } = whole;
        view! {
            <image
                href=address
                x=left.to_string()
                y=top.to_string()
                width=(right - left).to_string()
                height=(bottom - top).to_string()
                preserveAspectRatio="none"
                data-testid="picture-map"
            />
        }
    });
    let Field { left, top, right, bottom, width, height } = whole.inside();
    (whole.cuts() || map.is_some()).then(|| {
        let inside = format!("M{left:.1} {top:.1}H{right:.1}V{bottom:.1}H{left:.1}Z");
        view! {
            <svg class="zone__field" viewBox=format!("0 0 {width} {height}") aria-hidden="true" data-testid="field">
                {map}
                <path class="zone__cut" fill-rule="evenodd" d=format!("M0 0H{width}V{height}H0Z{inside}") />
                <path class="zone__edge" d=inside />
            </svg>
        }
    })
}

fn seen_as(answer: &Answer) -> String {
    t!("look.seen", size = answer.model.size).into_owned()
}
