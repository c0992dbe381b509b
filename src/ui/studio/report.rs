//! What the studio has to say at its lower edge: progress, what was skipped, what can be undone, what failed.

use std::time::Duration;

use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::JsCast;

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

/// Seconds for which it is said that files were left out, until somebody opens the list of them.
const SKIPPED_S: u64 = 20;
/// Seconds for which the offer to undo is shown, while nobody points at it or has the focus in it. What was done can be undone with the
/// keys afterwards.
const UNDO_S: u64 = 12;

/// Calls `leave` once the notice has stood for `seconds`, unless somebody holds it; what it gives begins the time again.
fn leaves(seconds: u64, held: RwSignal<bool>, leave: impl Fn() + Copy + 'static) -> impl Fn() + Copy + 'static {
    let turn = StoredValue::new(0_u32);
    move || {
        let Some(mine) = turn.try_update_value(|turn| {
            *turn += 1;
            *turn
        }) else {
            return;
        };
        let end = move || {
            if held.try_get_untracked() == Some(false) && turn.try_get_value() == Some(mine) {
                leave();
            }
        };
        set_timeout(end, Duration::from_secs(seconds));
    }
}

#[component]
fn Undo(studio: Studio, number: usize, words: String) -> impl IntoView {
    let (gone, held) = (RwSignal::new(false), RwSignal::new(false));
    let wait = leaves(UNDO_S, held, move || {
        gone.try_set(true);
    });
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
    // Who has opened it reads.
    let held = RwSignal::new(false);
    let wait = leaves(SKIPPED_S, held, move || {
        studio.skipped.try_set(Vec::new());
    });
    Effect::new(move |_| {
        if count.get() == 0 {
            held.set(false);
        } else {
            wait();
        }
    });
    let toggled = move |event: web_sys::Event| {
        let open = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .is_some_and(|list| list.has_attribute("open"));
        held.set(open);
        wait();
    };
    view! {
        <Show when=move || count.get() != 0>
            <div class="toast toast--list" data-testid="skipped">
            <button type="button" class="button button--quiet toast__close" aria-label=t!("studio.close") data-testid="skipped-close" on:click=move |_| studio.skipped.set(Vec::new())>
                "\u{d7}"
            </button>
            <details on:toggle=toggled>
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
            </details>
            </div>
        </Show>
    }
}
