//! Whether projects are kept: the vault is opened, what could not be written stays told, and nothing is promised that is not so.

use std::rc::Rc;

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlElement};

use super::state::{Adding, OPEN_KEY, Storage, Studio};
use crate::sorting;
use crate::studio::ProjectId;
use crate::ui::notice;
use crate::web::{self, Elder, Vault};
use crate::{Error, Result, StorageTrouble};

/// Milliseconds after which it is said that the browser's storage does not answer.
const LATE_MS: f64 = 5000.0;
/// Key of the projects of another copy that were looked at already, in the browser's local storage.
const SEEN_KEY: &str = "reslab-elder";

/// An error as the person is told it.
pub(super) fn said(error: &Error) -> String {
    match error {
        Error::Storage(trouble) => sentence(trouble),
        error => notice::sentence(error),
    }
}

fn sentence(trouble: &StorageTrouble) -> String {
    match trouble {
        StorageTrouble::Full => t!("studio.storage_full"),
        StorageTrouble::Newer => t!("studio.storage_newer"),
        StorageTrouble::Silent => t!("studio.storage_late"),
        StorageTrouble::Unavailable => t!("studio.storage_none"),
        StorageTrouble::Gone => t!("studio.storage_gone"),
        // The browser's own words help nobody; the log has them.
        StorageTrouble::Broken(_) => t!("studio.storage_broken"),
    }
    .into_owned()
}

impl Studio {
    /// Opens the vault, and follows what makes a page lose what was typed.
    pub(super) fn keep(self) {
        self.flush_when_left();
        spawn_local(async move {
            web::sleep(LATE_MS).await;
            if self.storage.get_untracked() == Storage::Opening {
                self.storage.set(Storage::Late);
            }
        });
        spawn_local(async move {
            match Vault::open().await {
                // Who went on without it has projects in memory by now.
                Ok(_) if self.storage.get_untracked() == Storage::Open => log::warn!("the storage answered too late"),
                Ok((vault, elder)) => self.begin(vault, elder).await,
                Err(Error::Storage(StorageTrouble::Newer)) => self.storage.set(Storage::Newer),
                Err(error) => {
                    log::warn!("{error}");
                    self.go_without();
                }
            }
        });
    }

    /// Works on in memory.
    fn go_without(self) {
        spawn_local(self.begin(Vault::in_memory(), None));
    }

    async fn begin(self, vault: Vault, elder: Option<Elder>) {
        let vault = Rc::new(vault);
        vault.on_standing(move |standing| self.standing.set(standing));
        self.vault.set_value(Some(vault.clone()));
        self.follow_tabs();
        web::be_counted(vault.name()).await;
        if let Err(error) = self.read_all(&vault).await {
            self.fail(&error);
        }
        // Nothing can be written before this.
        self.storage.set(Storage::Open);
        self.measure();
        if let Some(elder) = elder {
            self.look_at(elder).await;
        }
    }

    async fn read_all(self, vault: &Vault) -> Result<()> {
        if web::is_alone(vault.name()).await {
            // What was deleted on an earlier visit leaves for good: no other tab can still offer to bring it back.
            for project in vault.projects().await?.iter().filter(|project| project.trashed) {
                vault.delete_project(project.id).await?;
            }
            vault.forget_lost().await?;
        }
        self.read_projects().await?;
        let last = web::recall(&self.own_key(OPEN_KEY)).and_then(|id| id.parse().ok());
        let last = self.projects.with_untracked(|all| all.iter().map(|project| project.id).find(|id| Some(*id) == last));
        match last {
            Some(last) => self.open_now(last).await,
            None => Ok(()),
        }
    }

    /// Reads the list of projects.
    pub(super) async fn read_projects(self) -> Result<()> {
        let mut projects = self.vault()?.projects().await?;
        projects.retain(|project| !project.trashed);
        sorting::sort_by(&mut projects, |a, b| b.changed_ms.total_cmp(&a.changed_ms));
        self.projects.set(projects);
        Ok(())
    }

    /// Offers the projects of another copy of the page that are not here and were not looked at.
    async fn look_at(self, elder: Elder) {
        let seen = web::recall(&self.own_key(SEEN_KEY)).unwrap_or_default();
        let seen: Vec<ProjectId> = seen.split(' ').filter_map(|id| id.parse().ok()).collect();
        match elder.vault.projects().await {
            Ok(mut projects) => {
                projects.retain(|project| !project.trashed && !seen.contains(&project.id));
                self.elder_vault.set_value(Some(Rc::new(elder)));
                self.elder.set(projects);
            }
            Err(error) => log::warn!("another copy's projects are not read: {error}"),
        }
    }

    /// Copies the other copy's projects here; they stay there as well.
    fn fetch_elder(self) {
        let Some(elder) = self.elder_vault.with_value(Clone::clone) else { return };
        let projects = self.elder.get_untracked();
        self.leave_elder();
        spawn_local(async move {
            for project in projects {
                let copied = async {
                    let vault = self.vault()?;
                    elder.vault.copy_to(&vault, &project, |done, of| self.adding.set(Some(Adding { done, of }))).await?;
                    self.read_projects().await?;
                    self.say_listed(project.id);
                    Ok(())
                };
                let copied = copied.await;
                self.finish(copied, project.id).await;
            }
        });
    }

    /// The offer is not made again.
    fn leave_elder(self) {
        let seen = web::recall(&self.own_key(SEEN_KEY)).unwrap_or_default();
        let ids = self.elder.with_untracked(|all| all.iter().map(|project| project.id.to_string()).collect::<Vec<_>>());
        web::remember(&self.own_key(SEEN_KEY), format!("{seen} {}", ids.join(" ")).trim());
        self.elder.set(Vec::new());
    }

    /// Ends the making of a project: of one that could not be made whole nothing is left.
    pub(super) async fn finish(self, made: Result<()>, id: ProjectId) {
        self.adding.set(None);
        if let Err(error) = made {
            if let Ok(vault) = self.vault()
                && let Err(error) = vault.delete_project(id).await
            {
                log::warn!("parts of a project are left: {error}");
            }
            self.fail(&error);
        }
        self.measure();
    }

    /// Writes what could not be written. Where there was no room, what was deleted makes some: it can not be brought back any more.
    fn try_again(self) {
        spawn_local(async move {
            let tried = async {
                let vault = self.vault()?;
                if self.standing.with_untracked(|standing| standing.why == Some(StorageTrouble::Full)) {
                    self.empty_trash(&vault).await?;
                }
                let memory = self.standing.with_untracked(|standing| standing.memory);
                vault.try_again().await?;
                if memory {
                    self.read_projects().await?;
                }
                Ok(())
            };
            if let Err(error) = tried.await {
                self.fail(&error);
            }
            self.measure();
        });
    }

    async fn empty_trash(self, vault: &Vault) -> Result<()> {
        let trash = self.trash.with_value(|all| all.iter().map(|picture| picture.id).collect::<Vec<_>>());
        self.forget_deeds();
        if !trash.is_empty() {
            vault.delete_pictures(&trash).await?;
        }
        if web::is_alone(vault.name()).await {
            for project in vault.projects().await?.iter().filter(|project| project.trashed) {
                vault.delete_project(project.id).await?;
            }
        }
        Ok(())
    }

    /// Whether what is seen is kept.
    pub(super) fn saved_words(self) -> String {
        self.standing
            .with(|standing| match standing {
                standing if standing.memory => t!("studio.in_memory"),
                standing if standing.writing > 0 => t!("studio.saving"),
                standing if standing.unsaved > 0 || standing.why.is_some() => t!("studio.unsaved"),
                _ => t!("studio.saved"),
            })
            .into_owned()
    }

    /// What is being typed counts when the page is put away: phones close hidden pages without a further word.
    fn flush_when_left(self) {
        let flush = move || {
            let document = web_sys::window().and_then(|window| window.document());
            let field = document.and_then(|document| document.active_element()).and_then(|e| e.dyn_into::<HtmlElement>().ok());
            let Some(field) = field.filter(|field| field.matches(TYPED).unwrap_or(false)) else { return };
            if let Ok(event) = Event::new("change")
                && field.dispatch_event(&event).is_err()
            {
                log::debug!("what was typed last is not taken");
            }
        };
        window_event_listener(ev::pagehide, move |_| flush());
        window_event_listener(ev::visibilitychange, move |_| {
            if web_sys::window().and_then(|window| window.document()).is_some_and(|document| document.hidden()) {
                flush();
            }
        });
        window_event_listener(ev::beforeunload, move |event| {
            let lost = self.standing.with_untracked(|standing| standing.unsaved > 0)
                || self.standing.with_untracked(|standing| standing.memory) && !self.projects.with_untracked(Vec::is_empty);
            if lost {
                event.prevent_default();
            }
        });
    }
}

/// Fields whose text is taken when they are left.
const TYPED: &str = "input:not([type]), input[type=text], input[type=number], textarea";

/// What is not saved, what is kept nowhere, and what another copy of the page has.
#[component]
pub fn Keeping(studio: Studio) -> impl IntoView {
    let unsaved = Memo::new(move |_| {
        studio.standing.with(|standing| (standing.unsaved > 0 || standing.why.is_some()) && standing.writing == 0)
    });
    let newer = Memo::new(move |_| studio.standing.with(|standing| standing.why == Some(StorageTrouble::Newer)));
    let open = move || studio.storage.get() == Storage::Open;
    view! {
        <Show when=move || open() && unsaved.get()>
            <div class="notice" role="alert" data-testid="unsaved">
                <p>
                    <b>{t!("studio.unsaved_title")}</b>
                    " "
                    {move || studio.standing.with(|standing| standing.why.as_ref().map(sentence))}
                </p>
                <Show when=move || newer.get() fallback=move || view! { <TryAgain studio /> }>
                    <Reload />
                </Show>
                <Download studio />
            </div>
        </Show>
        <Show when=move || open() && studio.standing.with(|standing| standing.memory)>
            <div class="notice" role="status" data-testid="memory-only">
                <p>{t!("studio.memory_only")}</p>
                <TryAgain studio />
                <Download studio />
            </div>
        </Show>
        <Show when=move || !studio.elder.with(Vec::is_empty)>
            <div class="notice" role="status" data-testid="elder">
                <p>
                    {move || {
                        let names = studio.elder.with(|all| all.iter().map(|project| project.name.clone()).collect::<Vec<_>>().join(", "));
                        let home = studio.elder_vault.with_value(|elder| elder.as_ref().map(|elder| elder.home.clone()).unwrap_or_default());
                        if home.is_empty() { t!("studio.elder", names = names) } else { t!("studio.elder_at", names = names, home = home) }
                    }}
                </p>
                <button type="button" class="button" data-testid="fetch-elder" on:click=move |_| studio.fetch_elder()>
                    {t!("studio.fetch_elder")}
                </button>
                <button type="button" class="button button--quiet" data-testid="leave-elder" on:click=move |_| studio.leave_elder()>
                    {t!("studio.leave_elder")}
                </button>
            </div>
        </Show>
    }
}

#[component]
fn TryAgain(studio: Studio) -> impl IntoView {
    view! {
        <button type="button" class="button" data-testid="save-again" on:click=move |_| studio.try_again()>
            {t!("studio.save_again")}
        </button>
    }
}

/// The open project as a file: it does not need the browser's storage.
#[component]
fn Download(studio: Studio) -> impl IntoView {
    let open = Memo::new(move |_| studio.project.with(|project| project.as_ref().map(|project| project.id)));
    move || {
        open.get().map(|id| {
            view! {
                <button type="button" class="button" data-testid="download-now" on:click=move |_| studio.export(id)>
                    {t!("studio.download_now")}
                </button>
            }
        })
    }
}

#[component]
fn Reload() -> impl IntoView {
    view! {
        <button type="button" class="button" data-testid="reload" on:click=move |_| web::reload_newest()>
            {t!("studio.reload")}
        </button>
    }
}

/// The projects are not at hand: why, and the two ways on.
#[component]
pub fn NotOpen(studio: Studio, words: String, testid: &'static str) -> impl IntoView {
    view! {
        <div class="card" role="alert" data-testid=testid>
            <h1 class="studio__title">{t!("studio.not_open")}</h1>
            <p>{words}</p>
            <Reload />
            " "
            <button type="button" class="button" data-testid="go-without" on:click=move |_| studio.go_without()>
                {t!("studio.go_without")}
            </button>
        </div>
    }
}
