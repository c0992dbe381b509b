//! Many pictures at once: a grid with an answer on each, progress, and a table to keep.

use leptos::prelude::*;
use rust_i18n::t;

use super::csv;
use super::format;
use super::lab::{Lab, Shot, Status};
use super::notice;
use crate::web;

/// The pictures of this visit, once there is more than one.
#[component]
pub fn Tray(lab: Lab) -> impl IntoView {
    let count = move || lab.shots.with(Vec::len);
    let many = move || count() > 1;
    let done = move || count().saturating_sub(lab.remaining.get());
    let busy = move || lab.remaining.get() != 0;
    let stopped = move || {
        lab.remaining.track();
        lab.shots.with(|shots| shots.iter().any(|shot| *shot.status.read() == Status::Cancelled))
    };
    let save = move |_| {
        let text = csv::table(&lab.rows(), web::decimal_comma());
        if let Err(error) = web::save_text("reslab-results.csv", "text/csv", &text) {
            lab.picture_error.set(Some(notice::sentence(&error)));
        }
    };
    view! {
        <Show when=move || lab.cleared.with(|shots| !shots.is_empty())>
            <p class="tray__cleared" data-testid="cleared">
                {move || t!("look.cleared", count = lab.cleared.with(Vec::len))}
                <button type="button" class="button" data-testid="undo-clear" on:click=move |_| lab.bring_back()>{t!("look.undo")}</button>
            </p>
        </Show>
        <Show when=many>
            <section class="tray" aria-labelledby="tray-title" data-testid="tray">
                <div class="tray__head">
                    <h2 class="eyebrow" id="tray-title">
                        {move || if count() == 1 { t!("look.pictures_one") } else { t!("look.pictures_many", count = count()) }}
                    </h2>
                    <div class="tray__tools">
                        <Show when=busy>
                            <span class="tray__count" data-testid="progress">{move || t!("look.progress", done = done(), count = count())}</span>
                            <button type="button" class="button" data-testid="cancel" on:click=move |_| lab.cancel()>{t!("look.stop")}</button>
                        </Show>
                        <Show when=stopped>
                            <button type="button" class="button" data-testid="resume" on:click=move |_| lab.resume()>{t!("look.go_on")}</button>
                        </Show>
                        <button type="button" class="button" data-testid="csv" on:click=save>{t!("look.save_csv")}</button>
                        <button type="button" class="button button--quiet" data-testid="clear" on:click=move |_| lab.clear()>{t!("look.clear")}</button>
                    </div>
                </div>
                <Show when=busy>
                    <progress class="meter" max=move || count().to_string() value=move || done().to_string() aria-label=t!("look.pictures_read")></progress>
                </Show>
                <ul class="grid">
                    <For each=move || lab.shots.get() key=|shot| shot.id children=move |shot| view! { <Tile lab shot /> } />
                </ul>
            </section>
        </Show>
    }
}

#[component]
fn Tile(lab: Lab, shot: Shot) -> impl IntoView {
    let Shot { id, name, status, answer, thumbnail, .. } = shot;
    let chosen = move || lab.selected.get() == Some(id);
    let failed = {
        let status = status.clone();
        move || matches!(status.get(), Status::Failed(_))
    };
    let working = {
        let status = status.clone();
        move || matches!(status.get(), Status::Waiting | Status::Working)
    };
    let title = name.clone();
    let failed_class = failed.clone();
    view! {
        <li>
            <button
                type="button"
                class="tile"
                class:tile--failed=failed_class
                class:tile--working=working
                title=title
                aria-pressed=move || chosen().to_string()
                data-testid="tile"
                on:click=move |_| lab.selected.set(Some(id))
            >
                <span class="tile__picture">
                    {move || {
                        let thumbnail = thumbnail.get().filter(|_| !failed());
                        thumbnail.map(|url| view! { <img src=url.as_str().to_owned() alt="" loading="lazy" decoding="async" /> })
                    }}
                </span>
                <span class="tile__text">
                    {move || match (status.get(), answer.get()) {
                        (Status::Failed(sentence), _) => {
                            view! {
                                <span class="tile__label">{name.clone()}</span>
                                <span class="tile__error">{sentence}</span>
                            }
                                .into_any()
                        }
                        (_, Some(answer)) => {
                            let best = answer.result.top.first().cloned();
                            view! {
                                <span class="tile__label">{best.as_ref().map(|best| format::class(&answer.model, &best.label))}</span>
                                <span class="tile__value">{best.map(|best| format::percent(best.probability))}</span>
                                <span class="tile__name">{name.clone()}</span>
                            }
                                .into_any()
                        }
                        (status, None) => {
                            let word = match status {
                                Status::Waiting => t!("look.tile_waits"),
                                Status::Cancelled => t!("look.tile_stopped"),
                                _ => t!("look.tile_looking"),
                            };
                            view! { <span class="tile__label tile__label--wait">{word}</span> }.into_any()
                        }
                    }}
                </span>
            </button>
        </li>
    }
}
