//! An error, said where the user looks.

use leptos::prelude::*;

/// Shows the sentence in `text` until it is closed or replaced.
#[component]
pub fn Notice(text: RwSignal<Option<String>>, testid: &'static str) -> impl IntoView {
    move || {
        text.get().map(|sentence| {
            view! {
                <div class="notice" role="alert" data-testid=testid>
                    <p>{sentence}</p>
                    <button type="button" class="notice__close" aria-label="Close this message" on:click=move |_| text.set(None)>
                        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
                            <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" />
                        </svg>
                    </button>
                </div>
            }
        })
    }
}
