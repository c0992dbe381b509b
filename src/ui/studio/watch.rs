//! The project's network on something new: files, or the camera. And the way back: what is read wrong goes into the class it belongs to.

use std::sync::Arc;

use futures_util::FutureExt;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::next::NextStep;
use super::recorder::keep_still;
use super::state::Studio;
use super::step::Step;
use super::tryout::Tryout;
use crate::studio::ClassId;
use crate::ui::lab::Lab;
use crate::ui::live::{Actions, Live, Phase, live_view};
use crate::ui::notice;
use crate::ui::part::Part;
use crate::ui::workshop::Workshop;

/// The step.
#[component]
pub fn Watch(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let own = Memo::new(move |_| lab.has_own_network());
    let line = move || {
        let name = studio.project.with(|project| project.as_ref().map(|project| project.name.clone()).unwrap_or_default());
        t!("studio.watching_trained", name = name)
    };
    view! {
        <section class="watch" aria-labelledby="watch-title" data-testid="watch">
            <h1 id="watch-title" class="hidden">{t!("studio.live")}</h1>
            <Show when=move || own.get() fallback=move || view! { <NothingTrained lab words=t!("studio.nothing_to_watch") /> }>
                <p class="takeaway__line">{line}</p>
                <Both lab />
                <NextStep>
                    <a class="button button--main" data-testid="next" href=Step::Export.href()>{t!("studio.next_export")}</a>
                </NextStep>
            </Show>
        </section>
    }
}

#[component]
fn Both(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let actions: Actions = Arc::new(move |live| view! { <Wrong studio live /> }.into_any());
    let show =
        move |view: fn(Lab, AnyView, Actions) -> AnyView| view(*lab, view! { <Tryout lab /> }.into_any(), actions.clone());
    view! { <Part fetch=|| live_view().boxed_local() show /> }
}

/// What a step that needs the project's own network shows while there is none.
#[component]
pub fn NothingTrained(lab: Workshop, #[prop(into)] words: String) -> impl IntoView {
    // The run's network is on its way, or a run goes on whose first epoch is not done.
    let coming = Memo::new(move |_| {
        lab.training.record.with(|r| r.as_ref().is_some_and(|r| !r.history.is_empty())) && !lab.training.busy()
    });
    let learning = Memo::new(move |_| lab.training.busy());
    view! {
        <div class="card judge__empty" data-testid="nothing-trained">
            {move || {
                if coming.get() {
                    return view! { <p role="status">{t!("studio.network_coming")}</p> }.into_any();
                }
                let words = if learning.get() { t!("studio.network_learning").into_owned() } else { words.clone() };
                view! {
                    <p>{words}</p>
                    <a class="button button--main" href=Step::Train.href()>{t!("judge.go_train")}</a>
                }
                    .into_any()
            }}
        </div>
    }
}

/// Puts the frame of the moment into a class.
#[component]
fn Wrong(studio: Studio, live: Live) -> impl IntoView {
    share_threshold(studio, live);
    let said = RwSignal::new(String::new());
    let classes = move || studio.project.with(|project| project.as_ref().map(|p| p.classes.clone()).unwrap_or_default());
    let on = Memo::new(move |_| live.phase.with(Phase::shows));
    let add = move |class: ClassId, name: String| {
        spawn_local(async move {
            let kept = async { keep_still(studio, live.still(super::recorder::FRAME_PX).await?, class).await };
            said.set(match kept.await {
                Ok(_) => t!("studio.added_to", name = name).into_owned(),
                Err(error) => notice::sentence(&error),
            });
        });
    };
    view! {
        <Show when=move || on.get()>
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
        </Show>
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
