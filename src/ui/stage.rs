//! The drop zone, which shows the picture once there is one.

use leptos::html;
use leptos::prelude::*;

use super::lab::{Lab, Status};
use super::notice::Notice;

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
                        let (url, alt, name) = (shot.src(), shot.alt.clone(), shot.name.clone());
                        view! {
                            <figure class="zone__picture">
                                {move || match failed.get() {
                                    None => {
                                        view! { <img src=url.clone() alt=alt.clone() data-testid="picture" /> }.into_any()
                                    }
                                    Some(sentence) => {
                                        view! { <p class="zone__failed" role="alert">{sentence}</p> }.into_any()
                                    }
                                }}
                                <figcaption class="zone__name">{name}</figcaption>
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
                <button type="button" class="button button--main" data-testid="choose" on:click=choose>
                    {move || if lab.selected.with(Option::is_some) { "Choose other pictures" } else { "Choose pictures" }}
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
