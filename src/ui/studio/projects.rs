//! The projects of this device, and the ways to a new one.

use leptos::prelude::*;
use rust_i18n::t;

use super::picker::{FileButton, Pick};
use super::state::Studio;
use super::step::{Step, go};
use crate::studio::shapes::ExampleSet;
use crate::studio::{Project, Role};
use crate::ui::focus::focus;
use crate::ui::format;
use crate::ui::workshop::Workshop;
use crate::web::vault;

/// The list.
#[component]
pub fn Projects(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let import = move |files: Vec<web_sys::File>| {
        lab.step.set(Step::Collect);
        files.into_iter().for_each(|file| studio.add_archive(file, Role::Example));
    };
    let empty = move || studio.projects.with(Vec::is_empty);
    view! {
        <section class="start" aria-labelledby="start-title">
            <h1 id="start-title" class="studio__title">{t!("studio.start_title")}</h1>
            <p class="start__line">{t!("studio.start_line")}</p>
            <div class="start__ways">
                <button
                    type="button"
                    class="button button--main"
                    data-testid="new-project"
                    on:click=move |_| {
                        studio.create(&t!("studio.new_name"));
                        for _ in 0..2 {
                            studio.add_class();
                        }
                        go(lab.step, Step::Collect);
                        focus("[data-testid='class-name']");
                    }
                >
                    {t!("studio.new_project")}
                </button>
                <FileButton pick=Pick::Archive label=t!("studio.import") testid="import-project" chosen=import />
            </div>
            <p class="start__or">{t!("studio.or_try")}</p>
            <div class="start__ways">
                <ExampleButton lab set=ExampleSet::Shapes />
                <ExampleButton lab set=ExampleSet::Patterns />
            </div>
        </section>
        <Show when=move || !empty()>
            <section class="projects" aria-labelledby="projects-title">
                <h2 id="projects-title" class="eyebrow">{t!("studio.projects")}</h2>
                <ul class="projects__list">
                    <For each=move || studio.projects.get() key=|project| (project.id, project.changed_ms as u64, project.name.clone()) children=move |project| {
                        view! { <Row lab project /> }
                    } />
                </ul>
            </section>
        </Show>
        <Space studio />
    }
}

#[component]
fn ExampleButton(lab: Workshop, set: ExampleSet) -> impl IntoView {
    let (title, testid) = match set {
        ExampleSet::Shapes => (t!("studio.shapes"), "example-shapes"),
        ExampleSet::Patterns => (t!("studio.patterns"), "example-patterns"),
    };
    view! {
        <button type="button" class="button" data-testid=testid on:click=move |_| {
            lab.studio.create_examples(set);
            go(lab.step, Step::Collect);
        }>
            {title}
        </button>
    }
}

#[component]
fn Row(lab: Workshop, project: Project) -> impl IntoView {
    let studio = lab.studio;
    let Project { id, name, classes, changed_ms, .. } = project;
    let classes = classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>().join(", ");
    let date = js_sys::Date::new(&changed_ms.into()).to_locale_string(&rust_i18n::locale(), &js_sys::Object::new());
    let of = |what: String| format!("{what}: {name}");
    let (duplicate, export, delete) =
        (of(t!("studio.duplicate").into()), of(t!("studio.save_zip").into()), of(t!("studio.delete").into()));
    view! {
        <li class="projects__row" data-testid="project">
            <button type="button" class="projects__open" data-testid="open-project" on:click=move |_| {
                go(lab.step, Step::Collect);
                studio.open(id);
            }>
                <b>{name.clone()}</b>
                <span class="projects__classes">{classes}</span>
                <span class="projects__date">{String::from(date)}</span>
            </button>
            <div class="projects__tools">
                <button type="button" class="button button--quiet" aria-label=duplicate on:click=move |_| studio.duplicate(id)>
                    {t!("studio.duplicate")}
                </button>
                <button type="button" class="button button--quiet" aria-label=export data-testid="export-project" on:click=move |_| studio.export(id)>
                    {t!("studio.save_zip")}
                </button>
                <button type="button" class="button button--quiet" aria-label=delete data-testid="delete-project" on:click=move |_| studio.delete_project(id)>
                    {t!("studio.delete")}
                </button>
            </div>
        </li>
    }
}

/// How full the storage is, and whether it lasts.
#[component]
pub fn Space(studio: Studio) -> impl IntoView {
    /// From here on the person is warned.
    const NEARLY_FULL: f64 = 0.8;
    move || {
        studio.quota.get().map(|quota| {
            let full = quota.used / quota.allowed.max(1.0) > NEARLY_FULL;
            view! {
                <p class="space" class:space--full=full data-testid="space">
                    {t!("studio.space", used = format::bytes(quota.used as u64), allowed = format::bytes(quota.allowed as u64))}
                    {full.then(|| view! { <b>" " {t!("studio.nearly_full")}</b> })}
                    {(!quota.persisted && vault::forgets_in_seven_days())
                        .then(|| view! { <b data-testid="seven-days">" " {t!("studio.seven_days")}</b> })}
                    {(!quota.persisted && studio.refused.get())
                        .then(|| view! { <span role="status" data-testid="persist-refused">" " {t!("studio.persist_refused")}</span> })}
                    {(!quota.persisted && !studio.refused.get())
                        .then(|| {
                            view! {
                                " "
                                <button type="button" class="link" data-testid="persist" on:click=move |_| studio.persist()>
                                    {t!("studio.persist")}
                                </button>
                            }
                        })}
                </p>
            }
        })
    }
}
