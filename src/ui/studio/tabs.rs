//! A project that is open in two tabs: both are told, and one can take it over. Without that, what is written last would win
//! and nobody would know.

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::state::Studio;
use crate::Result;
use crate::studio::ProjectId;
use crate::web::Tabs;

/// The tabs' line.
const LINE: &str = "reslab-projects";

/// What tabs say to one another of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// It is open here now; who else has it?
    Open,
    /// It is open here too.
    Here,
    /// It is not open here any more.
    Closed,
    /// It is edited here from now on, or deleted.
    Taken,
    /// It is new in the list of projects, or has left it.
    Listed,
}

impl Word {
    const ALL: [(Self, &str); 5] = [
        (Self::Open, "open"),
        (Self::Here, "here"),
        (Self::Closed, "closed"),
        (Self::Taken, "taken"),
        (Self::Listed, "listed"),
    ];

    fn parse(words: &str) -> Option<(Self, ProjectId)> {
        let (word, id) = words.split_once(' ')?;
        let (word, _) = Self::ALL.into_iter().find(|(_, name)| *name == word)?;
        Some((word, id.parse().ok()?))
    }

    fn of(self, id: ProjectId) -> String {
        let (_, name) = Self::ALL[self as usize];
        format!("{name} {id}")
    }
}

impl Studio {
    /// Begins to listen to other tabs.
    pub(super) fn follow_tabs(self) {
        self.tabs.set_value(Tabs::open(&self.own_key(LINE), move |words| {
            if let Some((word, id)) = Word::parse(words) {
                self.hear(word, id);
            }
        }));
        // A tab that is put away may come back without a line of this code being run.
        window_event_listener(ev::pagehide, move |_| self.say_closed());
        window_event_listener(ev::pageshow, move |_| self.say_open());
    }

    fn say(self, word: Word) {
        if let Some(id) = self.project.with_untracked(|open| open.as_ref().map(|open| open.id)) {
            self.say_of(word, id);
        }
    }

    fn say_of(self, word: Word, id: ProjectId) {
        self.tabs.with_value(|tabs| {
            if let Some(tabs) = tabs {
                tabs.say(&word.of(id));
            }
        });
    }

    /// The open project is open here; those who have it too answer.
    pub(super) fn say_open(self) {
        self.elsewhere.set(false);
        self.say(Word::Open);
    }

    /// The open project is about to be closed.
    pub(super) fn say_closed(self) {
        self.say(Word::Closed);
    }

    /// The project is deleted: who has it open puts it away.
    pub(super) fn say_gone(self, id: ProjectId) {
        self.say_of(Word::Taken, id);
    }

    /// The list of projects has changed by this one, and it is written.
    pub(super) fn say_listed(self, id: ProjectId) {
        self.say_of(Word::Listed, id);
    }

    fn hear(self, word: Word, id: ProjectId) {
        if word == Word::Listed {
            spawn_local(async move {
                if let Err(error) = self.read_projects().await {
                    log::warn!("the list of projects is not read: {error}");
                }
            });
            return;
        }
        if self.project.with_untracked(|open| open.as_ref().map(|open| open.id)) != Some(id) {
            return;
        }
        match word {
            Word::Open => {
                self.elsewhere.set(true);
                // What is written last wins: an undo would bring back more than it says.
                self.forget_deeds();
                self.say(Word::Here);
            }
            Word::Here => self.elsewhere.set(true),
            // Of three tabs two may be left.
            Word::Closed => self.say_open(),
            Word::Taken => {
                self.elsewhere.set(false);
                self.leave();
            }
            Word::Listed => {}
        }
    }

    /// Goes on here with what is kept; the other tabs close the project.
    fn take_over(self) {
        self.say(Word::Taken);
        self.elsewhere.set(false);
        spawn_local(async move {
            if let Err(error) = self.read_anew().await {
                self.fail(&error);
            }
        });
    }

    async fn read_anew(self) -> Result<()> {
        let Some(id) = self.project.with_untracked(|open| open.as_ref().map(|open| open.id)) else { return Ok(()) };
        self.read_projects().await?;
        self.open_now(id).await
    }
}

/// Shown while another tab has the open project too.
#[component]
pub fn Elsewhere(studio: Studio) -> impl IntoView {
    view! {
        <Show when=move || studio.elsewhere.get()>
            <div class="notice" role="alert" data-testid="elsewhere">
                <p>{t!("studio.elsewhere")}</p>
                <button type="button" class="button" data-testid="take-over" on:click=move |_| studio.take_over()>
                    {t!("studio.take_over")}
                </button>
            </div>
        </Show>
    }
}
