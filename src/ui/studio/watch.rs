//! The camera with what was trained, and the way back: a frame that is read wrong goes into the class it belongs to.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::recorder::keep_still;
use super::state::Studio;
use crate::engine::Origin;
use crate::studio::ClassId;
use crate::ui::live::{Actions, Live, LiveView};
use crate::ui::workshop::Workshop;

/// The step.
#[component]
pub fn Watch(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let line = move || {
        lab.model.with(|model| match model {
            Some(model) if model.origin == Origin::Trained => t!("studio.watching_trained", name = model.name).into_owned(),
            Some(model) => t!("studio.watching", name = model.name).into_owned(),
            None => String::new(),
        })
    };
    let actions: Actions = Arc::new(move |live| view! { <Wrong studio live /> }.into_any());
    view! {
        <section class="watch" aria-labelledby="watch-title" data-testid="watch">
            <h1 id="watch-title" class="hidden">{t!("studio.live")}</h1>
            <p class="takeaway__line">{line}</p>
            <LiveView lab=*lab actions />
        </section>
    }
}

/// Puts the frame of the moment into a class.
#[component]
fn Wrong(studio: Studio, live: Live) -> impl IntoView {
    share_threshold(studio, live);
    let said = RwSignal::new(String::new());
    let classes = move || studio.project.with(|project| project.as_ref().map(|p| p.classes.clone()).unwrap_or_default());
    let add = move |class: ClassId, name: String| {
        spawn_local(async move {
            let kept = async { keep_still(studio, live.still(super::recorder::FRAME_PX).await?, class).await };
            said.set(match kept.await {
                Ok(_) => t!("studio.added_to", name = name).into_owned(),
                Err(error) => error.to_string(),
            });
        });
    };
    view! {
        <div class="wrong" data-testid="wrong">
            <h2 class="eyebrow">{t!("studio.wrong")}</h2>
            <div class="wrong__classes">
                {move || {
                    classes()
                        .into_iter()
                        .map(|class| {
                            let name = class.name.clone();
                            view! {
                                <button
                                    type="button"
                                    class="button wrong__class"
                                    data-colour=class.colour.to_string()
                                    data-testid="add-to"
                                    on:click=move |_| add(class.id, name.clone())
                                >
                                    {class.name.clone()}
                                </button>
                            }
                        })
                        .collect_view()
                }}
            </div>
            <p class="wrong__said" role="status">{move || said.get()}</p>
        </div>
    }
}

/// The project's threshold is the view's, and a change here is kept as one on the judging step is.
fn share_threshold(studio: Studio, live: Live) {
    let kept = move || studio.project.with_untracked(|project| project.as_ref().map(|project| project.settings.threshold));
    if let Some(threshold) = kept() {
        live.threshold.set(threshold);
    }
    Effect::new(move |_| {
        let threshold = live.threshold.get();
        if kept().is_some_and(|kept| kept != threshold) {
            studio.change(|project| project.settings.threshold = threshold);
        }
    });
}
