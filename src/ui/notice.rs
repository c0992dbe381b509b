//! An error, said where the user looks.

use leptos::prelude::*;
use rust_i18n::t;

use crate::Error;

/// An error as a sentence of the page's language. The core's words are English; other languages say so in front of them.
pub fn sentence(error: &Error) -> String {
    t!("shell.error", error = error).into_owned()
}

/// Shows the sentence in `text` until it is closed or replaced.
#[component]
pub fn Notice(text: RwSignal<Option<String>>, testid: &'static str) -> impl IntoView {
    move || {
        text.get().map(|sentence| {
            view! {
                <div class="notice" role="alert" data-testid=testid>
                    <p>{sentence}</p>
                    <button type="button" class="notice__close" aria-label=t!("shell.close_message") on:click=move |_| text.set(None)>
                        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
                            <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" />
                        </svg>
                    </button>
                </div>
            }
        })
    }
}
