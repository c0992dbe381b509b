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
            Self::InsecureContext => None,
            Self::NoSuchCamera => Some((t!("live.any_camera").into_owned(), CameraChoice::Any)),
            _ => Some((t!("live.try_again").into_owned(), CameraChoice::Any)),
        }
    }
}

/// The sentence in the camera's place, with its button.
#[component]
pub fn Trouble(live: Live, trouble: CameraTrouble) -> impl IntoView {
    let next = trouble.next_choice();
    view! {
        <div class="live__trouble" role="alert" data-testid="live-trouble">
            <p>{trouble.sentence()}</p>
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
