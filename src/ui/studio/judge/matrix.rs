//! Which class is taken for which, as a table whose cells show their pictures.

use leptos::prelude::*;
use rust_i18n::t;

use super::tables::Tiles;
use crate::studio::PictureId;
use crate::studio::judge::Assessment;
use crate::ui::workshop::Workshop;

/// The table, and the pictures of the cell that was chosen.
#[component]
pub fn Matrix(lab: Workshop, assessment: Memo<Assessment>, names: Memo<Vec<String>>) -> impl IntoView {
    let chosen = RwSignal::new(None::<(usize, usize)>);
    let cell = move |truth: usize, answer: usize| {
        let count = Memo::new(move |_| {
            assessment.with(|all| all.confusion.get(truth).and_then(|row| row.get(answer)).map_or(0, Vec::len))
        });
        // Share of the row, which the colour shows.
        let share = move || {
            let support = assessment.with(|all| all.classes.get(truth).map_or(0, |class| class.support));
            if support == 0 { 0.0 } else { count.get() as f64 / support as f64 }
        };
        let spoken = move || {
            let names = names.get();
            let name = |class: usize| names.get(class).cloned().unwrap_or_default();
            t!("judge.cell", count = count.get(), truth = name(truth), answer = name(answer)).into_owned()
        };
        view! {
            <td class="matrix__cell" class:matrix__cell--right=truth == answer style=("--share", move || format!("{:.3}", share()))>
                <button
                    type="button"
                    class="matrix__button"
                    data-testid=format!("cell-{truth}-{answer}")
                    aria-label=spoken
                    aria-pressed=move || (chosen.get() == Some((truth, answer))).to_string()
                    disabled=move || count.get() == 0
                    on:click=move |_| chosen.update(|now| *now = if *now == Some((truth, answer)) { None } else { Some((truth, answer)) })
                >
                    {count}
                </button>
            </td>
        }
    };
    let pictures = Memo::new(move |_| -> Vec<PictureId> {
        let Some((truth, answer)) = chosen.get() else { return Vec::new() };
        assessment.with(|all| all.confusion.get(truth).and_then(|row| row.get(answer)).cloned().unwrap_or_default())
    });
    let words = move || {
        let names = names.get();
        let name = |class: usize| names.get(class).cloned().unwrap_or_default();
        chosen.get().map(|(truth, answer)| {
            t!("judge.cell", count = pictures.with(Vec::len), truth = name(truth), answer = name(answer)).into_owned()
        })
    };
    view! {
        <h2 class="judge__title" id="matrix-title">{t!("judge.matrix")}</h2>
        <p class="judge__hint">{t!("judge.matrix_hint")}</p>
        <div class="matrix" tabindex="0" role="region" aria-labelledby="matrix-title">
            <table class="matrix__table" data-testid="matrix">
                <thead>
                    <tr>
                        <td class="matrix__corner">{t!("judge.corner")}</td>
                        {move || names.get().into_iter().map(|name| view! { <th scope="col">{name}</th> }).collect_view()}
                    </tr>
                </thead>
                <tbody>
                    {move || {
                        let names = names.get();
                        let classes = names.len();
                        names
                            .into_iter()
                            .enumerate()
                            .map(|(truth, name)| {
                                view! {
                                    <tr>
                                        <th scope="row">{name}</th>
                                        {(0..classes).map(|answer| cell(truth, answer)).collect_view()}
                                    </tr>
                                }
                            })
                            .collect_view()
                    }}
                </tbody>
            </table>
        </div>
        {move || words().map(|words| view! { <p class="matrix__chosen" role="status" data-testid="matrix-chosen">{words}</p> })}
        <Tiles lab ids=pictures testid="matrix-pictures" />
    }
}
