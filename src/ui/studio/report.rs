//! What the studio has to say at its lower edge: progress, what was skipped, what can be undone, what failed.

use leptos::prelude::*;
use rust_i18n::t;

use super::state::{Adding, Studio};
use crate::studio::Deed;
use crate::ui::notice::Notice;

/// Files named at a time; the rest is counted.
const NAMED: usize = 100;

/// All of it.
#[component]
pub fn Reports(studio: Studio) -> impl IntoView {
    view! {
        <div class="reports">
            <Notice text=studio.error testid="studio-error" />
            <Skipped studio />
            {move || studio.adding.get().map(|adding| view! { <Progress adding /> })}
            <div role="status">
                {move || studio.deeds.with(|deeds| deeds.last().map(words)).map(|words| view! { <Undo studio words /> })}
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

#[component]
fn Undo(studio: Studio, words: String) -> impl IntoView {
    view! {
        <div class="toast" data-testid="undo-toast">
            <span>{words}</span>
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
                                all.iter().take(NAMED).map(|one| view! { <li><b>{one.path.clone()}</b> " " {one.reason.clone()}</li> }).collect_view()
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
