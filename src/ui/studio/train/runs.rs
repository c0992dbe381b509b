//! The trainings of a project that are kept: what each was and how good, which one is in use, and what can be done with it.

use leptos::prelude::*;
use rust_i18n::t;

use super::record::{Record, best_epoch};
use crate::studio::RunId;
use crate::train::recipe::TrainDepth;
use crate::ui::format;
use crate::ui::studio::step::{Step, go};
use crate::ui::workshop::Workshop;

/// The list; nothing while nothing was trained.
#[component]
pub fn Runs(lab: Workshop) -> impl IntoView {
    let runs = lab.training.runs;
    view! {
        <Show when=move || !runs.with(Vec::is_empty)>
            <div class="card runs" data-testid="runs">
                <h2 id="runs-title" class="judge__title">{t!("train.runs")}</h2>
                <p class="train__hint">{t!("train.runs_hint")}</p>
                <div class="runs__scroll" tabindex="0" role="region" aria-labelledby="runs-title">
                    <table class="figures runs__table">
                        <thead>
                            <tr>
                                <th scope="col" class="figures__name">{t!("train.run_used")}</th>
                                <th scope="col">{t!("train.run_accuracy")}</th>
                                <th scope="col">{t!("train.run_loss")}</th>
                                <th scope="col">{t!("train.epochs_short")}</th>
                                <th scope="col" class="figures__name">{t!("train.depth")}</th>
                                <th scope="col" class="figures__name">{t!("train.backbone")}</th>
                                <td></td>
                            </tr>
                        </thead>
                        <tbody>
                            <For
                                each=move || {
                                    let numbered = runs.get().into_iter().enumerate().map(|(i, (id, record))| (i + 1, id, record));
                                    numbered.rev().collect::<Vec<_>>()
                                }
                                key=|(number, id, record)| (*number, *id, record.history.len(), record.finished)
                                children=move |(number, id, record)| view! { <Row lab number id record /> }
                            />
                        </tbody>
                    </table>
                </div>
            </div>
        </Show>
    }
}

#[component]
fn Row(lab: Workshop, number: usize, id: RunId, record: Record) -> impl IntoView {
    let training = lab.training;
    let dash = || "\u{2013}".to_owned();
    let best = best_epoch(&record.history);
    let judged = best.map(|epoch| epoch.validation.unwrap_or(epoch.train));
    let accuracy = judged.map_or_else(dash, |judged| format::share(judged.top1));
    let loss = judged.map_or_else(dash, |judged| format!("{:.3}", judged.loss));
    let epochs = record.history.len();
    let depth = depth_words(record.recipe.depth);
    let from = if record.from.is_empty() { dash() } else { record.from.clone() };
    let date = (record.begun_ms > 0.0).then(|| {
        let date = js_sys::Date::new(&record.begun_ms.into());
        String::from(date.to_locale_string(&rust_i18n::locale(), &js_sys::Object::new()))
    });
    let name = t!("train.run_number", number = number).into_owned();
    let of = |what: String| format!("{what}: {name}");
    let (export, delete) = (of(t!("studio.export").into()), of(t!("studio.delete").into()));
    let used = move || training.run.get() == Some(id);
    view! {
        <tr data-testid="run" class:runs__used=used>
            <th scope="row" class="figures__name">
                <label class="runs__name">
                    <input
                        type="radio"
                        name="run"
                        data-testid="use-run"
                        prop:checked=used
                        disabled=move || training.busy()
                        on:change=move |_| lab.choose_run(id)
                    />
                    <span>
                        <b>{name.clone()}</b>
                        {date.map(|date| view! { <span class="runs__date">{date}</span> })}
                    </span>
                </label>
            </th>
            <td data-testid="run-accuracy">{accuracy}</td>
            <td>{loss}</td>
            <td>{epochs}</td>
            <td class="figures__name">{depth}</td>
            <td class="figures__name">{from}</td>
            <td class="runs__tools">
                <button
                    type="button"
                    class="button button--quiet"
                    aria-label=export
                    data-testid="export-run"
                    disabled=move || training.busy()
                    on:click=move |_| {
                        lab.choose_run(id);
                        go(lab.step, Step::Export);
                    }
                >
                    {t!("studio.export")}
                </button>
                <button
                    type="button"
                    class="button button--quiet"
                    aria-label=delete
                    data-testid="delete-run"
                    disabled=move || training.busy()
                    on:click=move |_| lab.delete_run(id)
                >
                    {t!("studio.delete")}
                </button>
            </td>
        </tr>
    }
}

/// What was trained, in words.
pub fn depth_words(depth: TrainDepth) -> String {
    match depth {
        TrainDepth::Head => t!("train.depth_head"),
        TrainDepth::FromStage(_) => t!("train.depth_stage"),
        TrainDepth::All => t!("train.depth_all"),
    }
    .into_owned()
}
