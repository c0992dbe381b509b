//! An open project: its name, its steps, and the step that is open.

use leptos::prelude::*;
use rust_i18n::t;

use super::collect::Collect;
use super::judge::Judge;
use super::step::Step;
use super::tabs::Elsewhere;
use super::takeaway::TakeAway;
use super::train::Train;
use super::watch::Watch;
use crate::ui::workshop::Workshop;

/// The whole of it.
#[component]
pub fn Workbench(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let name = move || studio.project.with(|project| project.as_ref().map(|project| project.name.clone()).unwrap_or_default());
    let rename = move |event: web_sys::Event| {
        let wanted = event_target_value(&event);
        if wanted.trim().is_empty() {
            studio.project.notify();
        } else {
            studio.change(|project| project.name = wanted.trim().chars().take(crate::studio::project::MAX_NAME).collect());
        }
    };
    view! {
        <div class="bar">
            <button type="button" class="button button--quiet" data-testid="all-projects" on:click=move |_| studio.close()>
                "\u{2190} " {t!("studio.all_projects")}
            </button>
            <label class="bar__name">
                <span class="hidden">{t!("studio.project_name")}</span>
                <input class="name" data-testid="project-name" maxlength="80" prop:value=name on:change=rename />
            </label>
            <p class="bar__saved" data-testid="saved">
                {move || studio.saved_words()}
            </p>
        </div>
        <Elsewhere studio />
        <nav class="steps" aria-label=t!("studio.steps")>
            <ol class="steps__list">
                {Step::ALL
                    .into_iter()
                    .enumerate()
                    .map(|(index, step)| {
                        view! {
                            <li>
                                <a
                                    class="steps__link"
                                    href=step.href()
                                    aria-current=move || (lab.step.get() == step).then_some("step")
                                    data-testid=format!("step-{}", step.address())
                                >
                                    <span class="steps__number" aria-hidden="true">{index + 1}</span>
                                    {step.title()}
                                </a>
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
        </nav>
        {move || match lab.step.get() {
            Step::Collect => view! { <Collect lab /> }.into_any(),
            Step::Train => view! { <Train lab /> }.into_any(),
            Step::Judge => view! { <Judge lab /> }.into_any(),
            Step::Live => view! { <Watch lab /> }.into_any(),
            Step::Export => view! { <TakeAway lab /> }.into_any(),
        }}
    }
}
