//! Why there is no picture, and the way on.

use leptos::prelude::*;
use rust_i18n::t;

use super::state::Live;
use crate::web::{CameraChoice, CameraTrouble};

impl CameraTrouble {
    /// What happened and what to do, for the person.
    pub fn sentence(&self) -> String {
        match self {
            Self::InsecureContext => t!("live.trouble_insecure"),
            Self::Refused => t!("live.trouble_refused"),
            Self::Embedded(page) if page.is_empty() => t!("live.trouble_embedded", page = t!("live.another_page")),
            Self::Embedded(page) => t!("live.trouble_embedded", page = page),
            Self::NoCamera => t!("live.trouble_none"),
            Self::InUse => t!("live.trouble_in_use"),
            Self::NoSuchCamera => t!("live.trouble_not_this"),
            Self::Unplugged => t!("live.trouble_unplugged"),
            Self::Other(words) => t!("live.trouble_other", words = words),
        }
        .into_owned()
    }

    /// What a button may try next; none where only the page's address can help.
    pub fn next_choice(&self) -> Option<(String, CameraChoice)> {
        match self {
            Self::InsecureContext | Self::Embedded(_) => None,
            Self::NoSuchCamera => Some((t!("live.any_camera").into_owned(), CameraChoice::Any)),
            _ => Some((t!("live.try_again").into_owned(), CameraChoice::Any)),
        }
    }
}

/// Opens the page in a tab of its own, where no other page decides what it may have.
pub fn own_tab() -> impl IntoView {
    let address = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
    view! {
        <a class="button button--main" data-testid="own-tab" href=address target="_blank" rel="noopener">{t!("live.own_tab")}</a>
    }
}

/// The sentence in the camera's place, with its button.
#[component]
pub fn Trouble(live: Live, trouble: CameraTrouble) -> impl IntoView {
    let next = trouble.next_choice();
    let embedded = matches!(trouble, CameraTrouble::Embedded(_));
    view! {
        <div class="live__trouble" role="alert" data-testid="live-trouble">
            <p>{trouble.sentence()}</p>
            {embedded.then(own_tab)}
            {next
                .map(|(label, choice)| {
                    view! {
                        <button type="button" class="button button--main" data-testid="live-again" on:click=move |_| live.open(choice.clone())>
                            {label}
                        </button>
                    }
                })}
        </div>
    }
}
