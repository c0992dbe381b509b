//! What the studio has to say at its lower edge: progress, what was skipped, what can be undone, what failed.

use std::time::Duration;

use leptos::prelude::*;
use rust_i18n::t;

use super::state::{Adding, Studio};
use crate::studio::Deed;
use crate::ui::notice::Notice;

/// Files named at a time; the rest is counted.
const NAMED: usize = 100;
/// Letters shown of a path.
const PATH: usize = 300;

/// All of it.
#[component]
pub fn Reports(studio: Studio) -> impl IntoView {
    view! {
        <div class="reports">
            <Notice text=studio.error testid="studio-error" />
            <Skipped studio />
            {move || studio.adding.get().map(|adding| view! { <Progress adding /> })}
            <div role="status">
                {move || studio.deeds.with(|deeds| deeds.last().map(|deed| (deeds.len(), words(deed)))).map(|(number, words)| view! { <Undo studio number words /> })}
            </div>
        </div>
    }
}

#[component]
fn Progress(adding: Adding) -> impl IntoView {
    view! {
        <div class="toast" data-testid="adding">
            <span>{t!("studio.adding", done = adding.done, of = adding.of)}</span>
            <progress class="meter" max=adding.of.to_string() value=adding.done.to_string() aria-label=t!("studio.adding_label")></progress>
        </div>
    }
}

/// Seconds for which the offer to undo is shown, while nobody points at it or has the focus in it. What was done can be undone with the
/// keys afterwards.
const UNDO_S: u64 = 12;

#[component]
fn Undo(studio: Studio, number: usize, words: String) -> impl IntoView {
    let (gone, held) = (RwSignal::new(false), RwSignal::new(false));
    let wait = move || {
        let leave = move || {
            if held.try_get_untracked() == Some(false) {
                gone.try_set(true);
            }
        };
        set_timeout(leave, Duration::from_secs(UNDO_S));
    };
    wait();
    let let_go = move || {
        held.set(false);
        wait();
    };
    view! {
        <Show when=move || !gone.get()>
        <div
            class="toast"
            data-testid="undo-toast"
            data-number=number.to_string()
            on:pointerenter=move |_| held.set(true)
            on:pointerleave=move |_| let_go()
            on:focusin=move |_| held.set(true)
            on:focusout=move |_| let_go()
        >
            <span>{words.clone()}</span>
            <button type="button" class="button" data-testid="undo" on:click=move |_| studio.undo()>
                {t!("studio.undo")}
            </button>
            <button
                type="button"
                class="button button--quiet"
                aria-label=t!("studio.dismiss")
                on:click=move |_| studio.deeds.update(|deeds| drop(deeds.pop()))
            >
                "\u{d7}"
            </button>
        </div>
        </Show>
    }
}

fn words(deed: &Deed) -> String {
    match deed {
        Deed::DeletedPictures(ids) if ids.len() == 1 => t!("studio.deleted_one"),
        Deed::DeletedPictures(ids) => t!("studio.deleted_many", count = ids.len()),
        Deed::DeletedClass { class, pictures, .. } => {
            t!("studio.deleted_class", name = class.name, count = pictures.len())
        }
        Deed::Moved(moves) => t!("studio.moved", count = moves.len()),
        Deed::DeletedRun(_) => t!("studio.deleted_run"),
        Deed::DeletedProject(_) => t!("studio.deleted_project"),
    }
    .into_owned()
}

#[component]
fn Skipped(studio: Studio) -> impl IntoView {
    let count = Memo::new(move |_| studio.skipped.with(|all| all.iter().map(|one| one.count).sum::<usize>()));
    view! {
        <Show when=move || count.get() != 0>
            <details class="toast toast--list" data-testid="skipped">
                <summary>
                    {move || match count.get() {
                        1 => t!("studio.skipped_one"),
                        count => t!("studio.skipped_many", count = count),
                    }}
                </summary>
                <ul class="skipped">
                    {move || {
                        studio
                            .skipped
                            .with(|all| {
                                all.iter().take(NAMED).map(|one| view! { <li><b>{one.path.chars().take(PATH).collect::<String>()}</b> " " {one.reason.clone()}</li> }).collect_view()
                            })
                    }}
                </ul>
                <button type="button" class="button" on:click=move |_| studio.skipped.set(Vec::new())>
                    {t!("studio.close")}
                </button>
            </details>
        </Show>
    }
}
