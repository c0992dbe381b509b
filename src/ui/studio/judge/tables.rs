//! Classes in figures, pictures to look at, and what a threshold does.

use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::JsCast;

use crate::sorting;
use crate::studio::judge::{Assessment, Judged, Suspect, at_threshold, calibration, surest_and_wrong, threshold_curve};
use crate::studio::{ClassId, PictureId};
use crate::ui::format;
use crate::ui::workshop::Workshop;

/// Pictures shown in a list of examples.
const SHOWN: usize = 12;
/// Pictures of a cell in the document.
const MOST_TILES: usize = 200;

/// Precision, recall and F1 by class.
#[component]
pub fn Classes(assessment: Memo<Assessment>, names: Memo<Vec<String>>) -> impl IntoView {
    let share = |share: Option<f64>| share.map_or_else(|| "\u{2013}".to_owned(), format::share);
    view! {
        <h2 class="judge__title" id="classes-title">{t!("judge.classes")}</h2>
        <p class="judge__hint">{t!("judge.classes_hint")}</p>
        <div class="matrix" tabindex="0" role="region" aria-labelledby="classes-title">
            <table class="figures figures--wide" data-testid="class-table">
                <thead>
                    <tr>
                        <th scope="col" class="figures__name">{t!("judge.class")}</th>
                        <th scope="col">{t!("judge.support")}</th>
                        <th scope="col">{t!("judge.precision")}</th>
                        <th scope="col">{t!("judge.recall")}</th>
                        <th scope="col">"F1"</th>
                    </tr>
                </thead>
                <tbody>
                    {move || {
                        let figures = assessment.with(|all| all.classes.clone());
                        names
                            .get()
                            .into_iter()
                            .zip(figures)
                            .map(|(name, class)| {
                                view! {
                                    <tr>
                                        <th scope="row">{name}</th>
                                        <td>{class.support}</td>
                                        <td>{share(class.precision)}</td>
                                        <td>{share(class.recall)}</td>
                                        <td>{share(class.f1)}</td>
                                    </tr>
                                }
                            })
                            .collect_view()
                    }}
                </tbody>
            </table>
        </div>
    }
}

/// A picture's thumbnail; its name is said.
#[component]
fn Tile(lab: Workshop, id: PictureId, #[prop(into)] alt: String) -> impl IntoView {
    let thumbnail = lab.studio.thumbnail(id);
    let src = move || thumbnail.get().map(|url| url.as_str().to_owned()).unwrap_or_default();
    view! { <img class="tiles__picture" src=src alt=alt loading="lazy" decoding="async" /> }
}

/// Pictures side by side.
#[component]
pub fn Tiles(lab: Workshop, ids: Memo<Vec<PictureId>>, testid: &'static str) -> impl IntoView {
    let name = move |id: PictureId| {
        let found = |pictures: &Vec<crate::studio::Picture>| pictures.iter().find(|p| p.id == id).map(|p| p.name.clone());
        lab.studio.pictures.with_untracked(found).unwrap_or_default()
    };
    view! {
        <ul class="tiles" data-testid=testid>
            {move || {
                ids.get().into_iter().take(MOST_TILES).map(|id| view! { <li><Tile lab id alt=name(id) /></li> }).collect_view()
            }}
        </ul>
    }
}

/// Wrong answers, the surest first.
#[component]
pub fn SurelyWrong(lab: Workshop, shown: Memo<Vec<Judged>>, names: Memo<Vec<String>>) -> impl IntoView {
    let wrong = Memo::new(move |_| shown.with(|shown| surest_and_wrong(shown, SHOWN).into_iter().cloned().collect::<Vec<_>>()));
    view! {
        <h2 class="judge__title">{t!("judge.surely_wrong")}</h2>
        <Show
            when=move || !wrong.with(Vec::is_empty)
            fallback=|| view! { <p class="judge__hint">{t!("judge.none_wrong")}</p> }
        >
            <p class="judge__hint">{t!("judge.surely_wrong_hint")}</p>
            <ul class="tiles tiles--words" data-testid="surely-wrong">
                {move || {
                    let names = names.get();
                    let name = |class: usize| names.get(class).cloned().unwrap_or_default();
                    wrong
                        .get()
                        .into_iter()
                        .map(|one| {
                            let (answer, confidence) = one.answer();
                            let words = t!("judge.wrong_answer", answer = name(answer), share = format::percent(confidence), truth = name(one.class));
                            view! {
                                <li>
                                    <Tile lab id=one.picture alt="" />
                                    <span>{words}</span>
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
        </Show>
    }
}

/// Pictures that seem to be of another class, with a button that moves them there.
#[component]
pub fn Suspects(
    lab: Workshop,
    found: Memo<Vec<Suspect>>,
    classes: Memo<Vec<ClassId>>,
    names: Memo<Vec<String>>,
) -> impl IntoView {
    let suspects = Memo::new(move |_| found.with(|found| found.iter().take(SHOWN).copied().collect::<Vec<_>>()));
    view! {
        <h2 class="judge__title">{t!("judge.suspects")}</h2>
        <Show
            when=move || !suspects.with(Vec::is_empty)
            fallback=|| view! { <p class="judge__hint" data-testid="no-suspects">{t!("judge.no_suspects")}</p> }
        >
            <p class="judge__hint">{t!("judge.suspects_hint")}</p>
            <ul class="tiles tiles--words" data-testid="suspects">
                {move || {
                    let (names, classes) = (names.get(), classes.get());
                    let name = |class: usize| names.get(class).cloned().unwrap_or_default();
                    suspects
                        .get()
                        .into_iter()
                        .map(|suspect| {
                            let to = classes.get(suspect.suggested).copied();
                            let fix = move |_| {
                                if let Some(to) = to {
                                    lab.studio.move_pictures(&sorting::set([suspect.picture]), to);
                                }
                            };
                            let suggested = name(suspect.suggested);
                            view! {
                                <li>
                                    <Tile lab id=suspect.picture alt="" />
                                    <span>{t!("judge.suspect", given = name(suspect.given), suggested = suggested)}</span>
                                    <button type="button" class="button" data-testid="fix" on:click=fix>
                                        {t!("judge.fix", suggested = suggested)}
                                    </button>
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
        </Show>
    }
}

/// The probability under which the network says "not sure": what it costs and what it brings.
#[component]
pub fn Threshold(lab: Workshop, shown: Memo<Vec<Judged>>) -> impl IntoView {
    let threshold = Memo::new(move |_| {
        lab.studio.project.with(|project| project.as_ref().map_or(0.5, |project| project.settings.threshold))
    });
    let slide = move |event: web_sys::Event| {
        if let Ok(percent) = event_target_value(&event).parse::<u32>() {
            lab.change_settings(|settings| settings.threshold = percent.min(100) as f32 / 100.0);
        }
    };
    let press = move |event: web_sys::MouseEvent| {
        let chart = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if let Some(place) = chart.map(|chart| chart.get_bounding_client_rect()).filter(|place| place.width() > 0.0) {
            let share = ((f64::from(event.client_x()) - place.left()) / place.width()).clamp(0.0, 1.0);
            lab.change_settings(|settings| settings.threshold = (share * 100.0).round() as f32 / 100.0);
        }
    };
    let words = move || {
        let point = shown.with(|shown| at_threshold(shown, threshold.get()));
        let answered = format::share(point.answered);
        match point.accuracy {
            Some(right) => t!("judge.threshold_words", answered = answered, right = format::share(right)),
            None => t!("judge.threshold_none"),
        }
        .into_owned()
    };
    let percent = move || format!("{:.0}", threshold.get() * 100.0);
    let ends = |shares: [f64; 3]| shares.map(|share| view! { <span>{format::share(share)}</span> }).collect_view();
    let line = move |of: fn(&crate::studio::judge::ThresholdPoint) -> Option<f64>| {
        let curve = shown.with(|shown| threshold_curve(shown));
        let mut path = String::new();
        for point in &curve {
            let Some(value) = of(point) else { break };
            let start = if path.is_empty() { 'M' } else { 'L' };
            path.push_str(&format!("{start}{:.0} {:.1}", point.threshold * 300.0, 95.0 - 94.0 * value));
        }
        path
    };
    let bins = move || {
        let bins = shown.with(|shown| calibration(shown));
        let row = bins.into_iter().flatten().map(|bin| {
            view! {
                <tr>
                    <td>{format::share(bin.confidence)}</td>
                    <td>{format::share(bin.accuracy)}</td>
                    <td>{bin.answers}</td>
                </tr>
            }
        });
        row.collect_view()
    };
    view! {
        <h2 class="judge__title">{t!("judge.threshold")}</h2>
        <p class="judge__hint">{t!("judge.threshold_hint")}</p>
        <label class="threshold">
            <span class="threshold__label">{move || t!("judge.threshold_label", percent = percent())}</span>
            <input
                class="threshold__slider"
                type="range"
                min="0"
                max="100"
                data-testid="threshold"
                prop:value=percent
                aria-valuetext=move || format!("{} %", percent())
                on:change=slide
            />
        </label>
        <p data-testid="threshold-words" role="status">{words}</p>
        <figure class="curves__chart threshold__chart">
            <div class="curves__plot">
                <div class="curves__y" aria-hidden="true">{ends([1.0, 0.5, 0.0])}</div>
                // A press on the chart is one on the slider above it, which the keyboard has.
                <svg
                    viewBox="0 0 300 96"
                    role="img"
                    aria-label=move || format!("{} {}", t!("judge.threshold_chart"), words())
                    preserveAspectRatio="none"
                    data-testid="threshold-chart"
                    on:click=press
                >
                    <path class="curves__grid" d="M0 0.5H300 M0 48H300 M0 95.5H300" />
                    <path class="curves__marker" d=move || format!("M{:.0} 0V96", threshold.get() * 300.0) />
                    <path class="curves__line curves__line--train" d=move || line(|point| Some(point.answered)) />
                    <path class="curves__line curves__line--validation" d=move || line(|point| point.accuracy) />
                </svg>
                <div class="curves__x" aria-hidden="true">{ends([0.0, 0.5, 1.0])}</div>
            </div>
        </figure>
        <p class="curves__key" aria-hidden="true">
            <span class="curves__swatch curves__swatch--train"></span>
            {t!("judge.answered")}
            <span class="curves__swatch curves__swatch--validation"></span>
            {t!("judge.answered_right")}
        </p>
        <details class="judge__more">
            <summary>{t!("judge.calibration")}</summary>
            <p class="judge__hint">{t!("judge.calibration_hint")}</p>
            <table class="figures figures--wide">
                <thead>
                    <tr>
                        <th scope="col">{t!("judge.said")}</th>
                        <th scope="col">{t!("judge.was_right")}</th>
                        <th scope="col">{t!("judge.answers")}</th>
                    </tr>
                </thead>
                <tbody>{bins}</tbody>
            </table>
        </details>
    }
}
