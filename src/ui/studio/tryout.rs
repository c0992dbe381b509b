//! Pictures to try the project's network on, without a camera: files that are chosen, dropped or pasted beside it.

use std::collections::HashMap;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use web_sys::File;

use super::picker::{FileButton, Pick};
use crate::Result;
use crate::engine::{Classification, Picture};
use crate::studio::{ClassId, Role};
use crate::ui::format;
use crate::ui::notice;
use crate::ui::workshop::Workshop;
use crate::web::{self, ObjectUrl};

/// Pictures shown at a time.
const SHOWN: usize = 8;
/// Classes named for each.
const CLASSES: usize = 3;

/// A picture and what came of it.
#[derive(Clone)]
pub struct Try {
    id: u64,
    name: String,
    url: Option<Arc<ObjectUrl>>,
    answer: ArcRwSignal<Option<std::result::Result<Classification, String>>>,
    /// The class it was added to.
    added: ArcRwSignal<Option<String>>,
}

/// The state; lives as long as the page.
#[derive(Clone, Copy)]
pub struct Tries {
    shown: RwSignal<Vec<Try>>,
    files: StoredValue<HashMap<u64, File>, LocalStorage>,
}

impl Tries {
    pub fn new() -> Self {
        Self { shown: RwSignal::new(Vec::new()), files: StoredValue::new_local(HashMap::new()) }
    }

    /// Another network: what the one before said means nothing.
    pub fn forget(self) {
        if self.shown.with_untracked(|tries| !tries.is_empty()) {
            self.shown.set(Vec::new());
            self.files.set_value(HashMap::new());
        }
    }
}

impl Workshop {
    /// Asks the network what these show, one after the other.
    pub fn try_files(self, files: Vec<File>) {
        let tries: Vec<Try> = files
            .into_iter()
            .take(SHOWN)
            .map(|file| {
                let id = self.new_id();
                let url = web::object_url(&file).ok().map(Arc::new);
                let name = file.name();
                self.tries.files.update_value(|files| drop(files.insert(id, file)));
                Try { id, name, url, answer: ArcRwSignal::new(None), added: ArcRwSignal::new(None) }
            })
            .collect();
        self.tries.shown.update(|all| {
            all.splice(0..0, tries.iter().cloned());
            all.truncate(SHOWN);
        });
        spawn_local(async move {
            for one in tries {
                let Some(file) = self.tries.files.with_value(|files| files.get(&one.id).cloned()) else { continue };
                let answer = self.try_one(one.name.clone(), file).await.map_err(|error| notice::sentence(&error));
                if let Ok(answer) = &answer
                    && let Some(best) = answer.top.first()
                {
                    let share = format::percent(best.probability);
                    self.spoken.set(format!("{}: {}, {share}.", one.name, format::label(&best.label)));
                }
                one.answer.set(Some(answer));
            }
        });
    }

    async fn try_one(self, name: String, file: File) -> Result<Classification> {
        let image = web::decode_file(&file).await?;
        self.classes_of(name, Picture::Decoded(image)).await
    }
}

/// The panel.
#[component]
pub fn Tryout(lab: Workshop) -> impl IntoView {
    let chosen = move |files| lab.try_files(files);
    view! {
        <section class="tryout" aria-label=t!("studio.try_title") data-testid="tryout">
            <div class="tryout__head">
                <FileButton pick=Pick::Pictures label=t!("studio.try_files") testid="try" chosen=chosen />
                <p class="tryout__hint">{t!("studio.try_hint")}</p>
            </div>
            <ul class="tryout__list">
                <For each=move || lab.tries.shown.get() key=|one| one.id children=move |one| view! { <Tried lab one /> } />
            </ul>
        </section>
    }
}

#[component]
fn Tried(lab: Workshop, one: Try) -> impl IntoView {
    let Try { id, name, url, answer, added } = one;
    let (answer, added) = (RwSignal::from(answer), RwSignal::from(added));
    let threshold = move || lab.studio.project.with(|project| project.as_ref().map_or(0.5, |p| p.settings.threshold));
    let words = move || match answer.get() {
        None => t!("look.looking").into_owned(),
        Some(Err(sentence)) => sentence,
        Some(Ok(answer)) => match answer.top.first() {
            Some(best) if best.probability >= threshold() => {
                format!("{} {}", format::label(&best.label), format::percent(best.probability))
            }
            _ => t!("live.not_sure").into_owned(),
        },
    };
    let others = move || {
        let Some(Ok(answer)) = answer.get() else { return String::new() };
        let one = |p: &crate::engine::Prediction| format!("{} {}", format::label(&p.label), format::percent(p.probability));
        answer.top.iter().take(CLASSES).map(one).collect::<Vec<_>>().join(" \u{b7} ")
    };
    let classes = move || lab.studio.project.with(|project| project.as_ref().map(|p| p.classes.clone()).unwrap_or_default());
    let add = move |event: web_sys::Event| {
        let Ok(class) = event_target_value(&event).parse::<ClassId>() else { return };
        if let Some(file) = lab.tries.files.with_value(|files| files.get(&id).cloned()) {
            lab.studio.add_files(vec![file], class, Role::Example);
            added.set(classes().into_iter().find(|known| known.id == class).map(|known| known.name));
        }
    };
    view! {
        <li class="tried card" data-testid="tried">
            {url.map(|url| view! { <img class="tried__picture" src=url.as_str().to_owned() alt=name.clone() /> })}
            <div class="tried__words">
                <p class="tried__name">{name.clone()}</p>
                <p class="tried__best" data-testid="tried-best">{words}</p>
                <p class="tried__others">{others}</p>
                <Show when=move || matches!(answer.get(), Some(Ok(_)))>
                    <label class="tried__wrong">
                        <span class="hidden">{t!("studio.wrong_picture")}</span>
                        <select class="select" on:change=add>
                            <option value="">{t!("studio.wrong_picture")}</option>
                            {move || {
                                classes().into_iter().map(|class| view! { <option value=class.id.to_string()>{class.name}</option> }).collect_view()
                            }}
                        </select>
                    </label>
                </Show>
                <p class="wrong__said" role="status">
                    {move || added.get().map(|name| t!("studio.added_to", name = name).into_owned())}
                </p>
            </div>
        </li>
    }
}
