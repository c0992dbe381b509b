//! A word at the end of a training that nobody watches: in the window's title, and where it was asked for as a notice and a tone.

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use crate::ui::workshop::Workshop;
use crate::web;

/// Key of the choice in the browser's local storage.
const KEY: &str = "reslab-bell";

impl Workshop {
    /// A training is done, or rests by itself.
    pub(super) fn ring(self, finished: bool) {
        if !web::is_hidden() {
            return;
        }
        let words = if finished { t!("train.spoken_done") } else { t!("train.spoken_rests") }.into_owned();
        if web::recall(KEY).is_some_and(|choice| !choice.is_empty()) {
            let name = self.studio.project.with_untracked(|project| project.as_ref().map(|project| project.name.clone()));
            web::ring(&name.unwrap_or_default(), &words);
        }
        self.training.ended.set(Some(words));
    }

    /// The title says it until the page is looked at.
    pub(super) fn follow_looks(self) {
        window_event_listener(ev::visibilitychange, move |_| {
            if !web::is_hidden() {
                self.training.ended.set(None);
            }
        });
    }
}

/// The choice.
#[component]
pub fn Bell(lab: Workshop) -> impl IntoView {
    let training = lab.training;
    let on = RwSignal::new(web::recall(KEY).is_some_and(|choice| !choice.is_empty()));
    let choose = move |event: web_sys::Event| {
        let wanted = event_target_checked(&event);
        on.set(wanted);
        web::remember(KEY, if wanted { "on" } else { "" });
        if wanted {
            // Without a notice there is the tone.
            spawn_local(async move {
                web::ask_to_ring().await;
            });
        }
    };
    view! {
        <Show when=move || training.busy()>
            <label class="train__hint">
                <input type="checkbox" data-testid="bell" prop:checked=move || on.get() on:change=choose />
                " "
                {t!("train.bell")}
            </label>
        </Show>
    }
}
