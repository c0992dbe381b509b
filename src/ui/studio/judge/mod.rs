//! The judging step: how good the network is, how sure that number is, where it fails, and what to do about it.

mod matrix;
mod state;
mod tables;

use std::collections::BTreeSet;

use leptos::prelude::*;
use rust_i18n::t;

pub use self::state::Judging;

use self::matrix::Matrix;
use self::state::Group;
use self::tables::{Classes, SurelyWrong, Suspects, Threshold};
use super::next::NextStep;
use super::picker::{FileButton, FolderButton, Pick};
use super::step::Step;
use super::tryout::Tryout;
use crate::sorting;
use crate::studio::advice::{Advice, Known, Means, after_training};
use crate::studio::judge::{Assessment, likely_mislabelled};
use crate::studio::shapes::{ExampleSet, TEST_PICTURES};
use crate::studio::{ClassId, Picture, Role};
use crate::train::recipe::TrainDepth;
use crate::ui::format;
use crate::ui::notice::Notice;
use crate::ui::workshop::Workshop;

/// The step.
#[component]
pub fn Judge(lab: Workshop) -> impl IntoView {
    let judging = lab.judging;
    let trained =
        Memo::new(move |_| lab.training.record.with(|record| record.as_ref().is_some_and(|record| !record.history.is_empty())));
    let learning = Memo::new(move |_| lab.training.busy());
    // Judged anew when the network or the pictures are others.
    let wanted = Memo::new(move |_| {
        let epochs =
            lab.training.record.with(|record| record.as_ref().map(|record| (record.history.len(), record.sides.clone())));
        let pictures = lab.studio.pictures.with(|pictures| pictures.iter().map(|p| (p.id, p.role)).collect::<Vec<_>>());
        (epochs, lab.training.run.get(), pictures, lab.model.with(Option::is_some))
    });
    let project = Memo::new(move |_| lab.studio.project.with(|project| project.as_ref().map(|project| project.id)));
    Effect::new(move |before: Option<Option<u64>>| {
        let now = project.get();
        if before.is_some_and(|before| before != now) {
            judging.answers.set(None);
        }
        now
    });
    Effect::new(move |_| {
        let (.., ready) = wanted.get();
        if ready && trained.get() && !learning.get() {
            untrack(|| lab.judge());
        }
    });
    let some = Memo::new(move |_| judging.answers.with(Option::is_some));
    view! {
        <section class="judge" aria-labelledby="judge-title" data-testid="judge">
            <h1 id="judge-title" class="hidden">{t!("studio.judge")}</h1>
            <Show
                when=move || trained.get()
                fallback=|| {
                    view! {
                        <div class="card judge__empty" data-testid="judge-empty">
                            <p>{t!("judge.nothing_trained")}</p>
                            <a class="button" href=Step::Train.href()>{t!("judge.go_train")}</a>
                        </div>
                    }
                }
            >
                <div role="status" class="judge__status">
                    {move || judging.busy.get().map(|(done, of)| view! {
                        <p data-testid="judge-busy">
                            {t!("judge.busy", done = done, of = of)} " "
                            <button type="button" class="button button--quiet" on:click=move |_| lab.stop_judging()>{t!("judge.stop")}</button>
                        </p>
                    })}
                </div>
                <Notice text=judging.error testid="judge-error" />
                <Show when=move || some.get()>
                    <Results lab />
                </Show>
            </Show>
        </section>
    }
}

/// Everything about the answers.
#[component]
fn Results(lab: Workshop) -> impl IntoView {
    let judging = lab.judging;
    let chosen = RwSignal::new(None::<Group>);
    let has =
        move |set: Group| judging.answers.with(|answers| answers.as_ref().is_some_and(|answers| !answers.of(set).is_empty()));
    // A test set says more than validation, and both more than what was learnt from.
    let set = Memo::new(move |_| {
        let usual =
            [Group::Test, Group::Validation, Group::Train].into_iter().find(|set| has(*set)).unwrap_or(Group::Validation);
        chosen.get().filter(|set| has(*set)).unwrap_or(usual)
    });
    let classes = Memo::new(move |_| judging.answers.with(|a| a.as_ref().map(|a| a.classes.clone()).unwrap_or_default()));
    let names = Memo::new(move |_| {
        lab.studio.project.track();
        lab.class_names(&classes.get())
    });
    // A picture that was moved or deleted since is judged by what it is now.
    let current = Memo::new(move |_| {
        let classes = classes.get();
        lab.studio.pictures.with(|pictures| {
            pictures
                .iter()
                .filter_map(|picture| Some((picture.id, classes.iter().position(|class| *class == picture.class)?)))
                .collect::<std::collections::HashMap<_, _>>()
        })
    });
    let judged = move |set: Group| {
        let now = current.get();
        judging.answers.with(|answers| {
            let all = answers.as_ref().map(|answers| answers.of(set).clone()).unwrap_or_default();
            let as_it_is = all.into_iter().filter_map(|mut one| {
                one.class = *now.get(&one.picture)?;
                Some(one)
            });
            as_it_is.collect::<Vec<_>>()
        })
    };
    let shown = Memo::new(move |_| judged(set.get()));
    let everything = Memo::new(move |_| [Group::Validation, Group::Train].map(judged).concat());
    let suspects = Memo::new(move |_| everything.with(|all| likely_mislabelled(all, classes.with(Vec::len))));
    let assess = move |set: Group| Assessment::of(&judged(set), classes.with(Vec::len));
    let assessment = Memo::new(move |_| Assessment::of(&shown.get(), classes.with(Vec::len)));
    let advice = move || {
        let [train, validation, test] = [Group::Train, Group::Validation, Group::Test].map(assess);
        let names = names.get();
        let (mirrored_run, depth) = lab.training.record.with(|record| {
            let recipe = record.as_ref().map(|record| &record.recipe);
            (recipe.is_some_and(|recipe| recipe.augmentation.flip), recipe.map(|recipe| recipe.depth))
        });
        // Of pictures that the page draws nobody can take more.
        let drawn = lab.studio.pictures.with(|all| all.iter().all(|picture| ExampleSet::of_file(&picture.name).is_some()));
        let place = |id: ClassId| classes.with(|classes| classes.iter().position(|class| *class == id));
        let known = Known {
            means: Means { pictures: !drawn, layers: depth != Some(TrainDepth::All) },
            suspects: suspects.with(Vec::len),
            mirrored: lab.mirror_pair().filter(|_| mirrored_run).and_then(|(a, b)| place(a).zip(place(b))),
        };
        after_training(Some(&train), Some(&validation), Some(&test), &known)
            .iter()
            .map(|advice| view! { <li>{advice_words(advice, &names)}</li> })
            .collect_view()
    };
    let tab = move |which: Group, label: String, testid: &'static str| {
        let count = move || judging.answers.with(|answers| answers.as_ref().map_or(0, |answers| answers.of(which).len()));
        view! {
            <button
                type="button"
                class="judge__set"
                data-testid=testid
                aria-pressed=move || (set.get() == which).to_string()
                disabled=move || count() == 0
                on:click=move |_| chosen.set(Some(which))
            >
                {label} " " <span class="judge__count">{count}</span>
            </button>
        }
    };
    view! {
        <div class="judge__sets" role="group" aria-label=t!("judge.sets")>
            {tab(Group::Validation, t!("judge.validation").into_owned(), "set-validation")}
            {tab(Group::Test, t!("judge.test").into_owned(), "set-test")}
            <Show when=move || has(Group::SecondTest)>
                {tab(Group::SecondTest, t!("judge.second_test").into_owned(), "set-second-test")}
            </Show>
            {tab(Group::Train, t!("judge.train").into_owned(), "set-train")}
        </div>
        <div class="judge__head card">
            <p class="judge__accuracy" data-testid="judge-accuracy">{move || format::share(assessment.with(|a| a.accuracy))}</p>
            <div>
                <p data-testid="judge-interval">{move || assessment.with(interval_words)}</p>
                <p class="judge__hint">
                    {move || match set.get() {
                        Group::Validation => t!("judge.validation_hint"),
                        Group::Test | Group::SecondTest => t!("judge.test_hint"),
                        Group::Train => t!("judge.train_hint"),
                    }}
                </p>
            </div>
        </div>
        <div class="card">
            <h2 class="judge__title">{t!("studio.try_title")}</h2>
            <Tryout lab />
        </div>
        <div class="card">
            <h2 class="judge__title">{t!("judge.advice")}</h2>
            <ul class="judge__advice" data-testid="judge-advice">{advice}</ul>
        </div>
        <div class="card">
            <Matrix lab assessment=assessment names=names />
        </div>
        <div class="card">
            <Classes assessment=assessment names=names />
        </div>
        <div class="card">
            <SurelyWrong lab shown=shown names=names />
        </div>
        <div class="card">
            <Suspects lab found=suspects classes=classes names=names />
        </div>
        <div class="card">
            <Threshold lab shown=shown />
        </div>
        <div class="card">
            <TestSet lab classes=classes names=names />
        </div>
        <NextStep>
            <a class="button button--main" data-testid="next" href=Step::Live.href()>{t!("studio.next_try")}</a>
        </NextStep>
    }
}

/// The share of right answers with its interval, in words.
fn interval_words(assessment: &Assessment) -> String {
    let (low, high) = assessment.interval;
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    t!("judge.interval", right = assessment.right, of = assessment.pictures, low = percent(low), high = percent(high))
        .into_owned()
}

/// Pictures from elsewhere that are judged and never learnt from.
#[component]
fn TestSet(lab: Workshop, classes: Memo<Vec<ClassId>>, names: Memo<Vec<String>>) -> impl IntoView {
    let studio = lab.studio;
    let drawn = Memo::new(move |_| classes.with(|classes| classes.iter().any(|class| studio.drawn(*class).is_some())));
    let draw = move |_| studio.draw_test(&classes.get_untracked());
    view! {
        <h2 class="judge__title">{t!("judge.test_set")}</h2>
        <p class="judge__hint">{t!("judge.test_set_hint")}</p>
        <Show when=move || drawn.get()>
            <button type="button" class="button judge__draw" data-testid="test-draw" on:click=draw>
                {t!("judge.test_draw", count = TEST_PICTURES.len())}
            </button>
        </Show>
        <TestPictures lab role=Role::Test name="test" classes names />
        <details class="judge__second">
            <summary data-testid="second-test">{t!("judge.second_test_title")}</summary>
            <p class="judge__hint">{t!("judge.second_test_hint")}</p>
            <TestPictures lab role=Role::SecondTest name="second-test" classes names />
        </details>
    }
}

/// The ways into a test set, and out of it.
#[component]
fn TestPictures(
    lab: Workshop,
    role: Role,
    /// Begins the ids that tests ask for.
    name: &'static str,
    classes: Memo<Vec<ClassId>>,
    names: Memo<Vec<String>>,
) -> impl IntoView {
    let studio = lab.studio;
    let folders = move |folders: crate::Result<crate::web::Folders>| match folders {
        Ok(folders) => studio.add_folders(folders, role),
        Err(error) => studio.fail(&error),
    };
    let there = Memo::new(move |_| {
        let of_role = |picture: &&Picture| picture.role == role;
        studio.pictures.with(|pictures| sorting::set(pictures.iter().filter(of_role).map(|picture| picture.id)))
    });
    view! {
        <div class="judge__uploads">
            <span class="mouse">
                <FolderButton label=t!("judge.test_folder") testid=format!("{name}-folder") chosen=folders />
            </span>
            {move || {
                classes
                    .get()
                    .into_iter()
                    .zip(names.get())
                    .map(|(class, title)| {
                        let label = t!("judge.test_files", name = title);
                        let chosen = move |files| studio.add_files(files, class, role);
                        view! { <FileButton pick=Pick::Files label=label testid=format!("{name}-files-{class}") chosen=chosen /> }
                    })
                    .collect_view()
            }}
            <Show when=move || there.with(|there| !there.is_empty())>
                <button
                    type="button"
                    class="button button--quiet"
                    data-testid=format!("{name}-remove")
                    on:click=move |_| studio.delete_pictures(&there.get_untracked())
                >
                    {move || t!("judge.test_remove", count = there.with(BTreeSet::len))}
                </button>
            </Show>
        </div>
    }
}

/// One after the other; Chinese puts no space between.
fn sentences(first: &str, second: &str) -> String {
    let space = if first.ends_with('。') { "" } else { " " };
    format!("{first}{space}{second}")
}

/// Advice in words. Indices are into `names`.
pub fn advice_words(advice: &Advice, names: &[String]) -> String {
    let name = |class: usize| names.get(class).map_or("\u{2013}", String::as_str);
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    match *advice {
        Advice::TooFewClasses => t!("judge.few_classes"),
        Advice::TooFewPictures { class, pictures, add } => {
            let has = match pictures {
                0 => t!("judge.has_none"),
                1 => t!("judge.has_one"),
                count => t!("judge.has_few", count = count),
            };
            t!("judge.few_pictures", name = name(class), pictures = has, add = add)
        }
        Advice::Unbalanced { most, most_pictures, least, least_pictures } => t!(
            "judge.unbalanced",
            most = name(most),
            most_pictures = most_pictures,
            least = name(least),
            least_pictures = least_pictures
        ),
        Advice::NearDuplicates { class, pictures, distinct } => {
            t!("judge.near_duplicates", name = name(class), pictures = pictures, distinct = distinct)
        }
        Advice::Confused { class, taken_for, wrong, of, means } => {
            let what = t!("judge.confused", name = name(class), other = name(taken_for), wrong = wrong, of = of);
            let todo = match means {
                Means { pictures: true, .. } => t!("judge.confused_pictures", name = name(class), other = name(taken_for)),
                Means { layers: true, .. } => t!("judge.todo_layers"),
                _ => t!("judge.todo_longer"),
            };
            return sentences(&what, &todo);
        }
        Advice::Suspects { pictures: 1 } => t!("judge.suspects_one"),
        Advice::Suspects { pictures } => t!("judge.suspects_many", count = pictures),
        Advice::Mirrored { class, other } => t!("judge.mirrored", name = name(class), other = name(other)),
        Advice::Overfitting { train, validation, means } => {
            let what = t!("judge.overfitting", train = percent(train), validation = percent(validation));
            let todo = if means.pictures { t!("judge.todo_pictures") } else { t!("judge.todo_vary") };
            return sentences(&what, &todo);
        }
        Advice::Underfitting { train, means } => {
            let todo = if means.layers { t!("judge.todo_layers") } else { t!("judge.todo_longer") };
            return sentences(&t!("judge.underfitting", train = percent(train)), &todo);
        }
        Advice::FewJudges { pictures, interval, means } => {
            let (low, high) = (percent(interval.0), percent(interval.1));
            let what = t!("judge.few_judges", pictures = pictures, low = low, high = high);
            if !means.pictures {
                return what.into_owned();
            }
            return sentences(&what, &t!("judge.todo_judges"));
        }
        Advice::NoJudges => t!("judge.no_judges"),
        Advice::WorseInTest { validation, test } => {
            t!("judge.worse_in_test", validation = percent(validation), test = percent(test))
        }
        Advice::Fine => t!("judge.fine"),
    }
    .into_owned()
}
