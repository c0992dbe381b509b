//! The screens that come later: studio and benchmark. Their code is in parts of its own (see [`crate::split`]).
//!
//! The page's first part knows a [`Door`] and no more. [`Workshop`] is what stands behind it, and what its components know.

use std::ops::Deref;
use std::rc::Rc;

use futures_util::FutureExt;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::benchmark::{Bench, screen};
use super::focus::guard_focus;
use super::lab::{Busy, Lab};
use super::part::{Opening, Part, coming, failed};
use super::screen::Screen;
use super::studio::{Exports, Judging, Step, Studio, Teach, Training, Tries, follow_step};
use super::texts;
use crate::Result;
use crate::engine::Event;
use crate::split::in_page_part;
use crate::web;

/// The workshop as the first part sees it.
pub trait Door {
    /// The studio's screen.
    fn teach(&self) -> AnyView;
    /// The benchmark's screen.
    fn benchmark(&self) -> AnyView;
    /// What the engine has to say to one of these.
    fn hear(&self, event: Event);
    /// What was dropped on one of these screens.
    fn take_drop(&self, event: &web_sys::DragEvent);
    /// Pictures pasted into one of these screens.
    fn take_paste(&self, event: &web_sys::ClipboardEvent);
}

in_page_part! { studio:
    fn open(lab: Lab) -> Result<Rc<dyn Door>> {
        Ok(Rc::new(Workshop::start(lab)))
    }
}

impl Lab {
    /// Fetches the workshop, unless it is there or on its way.
    fn open_workshop(self) {
        if self.workshop.with_untracked(|opening| matches!(opening, Opening::Coming | Opening::Open(_))) {
            return;
        }
        self.workshop.set(Opening::Coming);
        spawn_local(async move {
            self.workshop.set(match open(self).await {
                Ok(door) => Opening::Open(door),
                Err(error) => {
                    log::error!("{error}");
                    Opening::Failed
                }
            });
        });
    }

    /// Its door, once it is open.
    pub fn door(self) -> Option<Rc<dyn Door>> {
        self.workshop.with_untracked(|opening| match opening {
            Opening::Open(door) => Some(door.clone()),
            _ => None,
        })
    }
}

/// A screen of the workshop, or what stands there until its code has come.
#[component]
pub fn Later(lab: Lab, show: fn(&dyn Door) -> AnyView) -> impl IntoView {
    lab.open_workshop();
    move || match lab.workshop.get() {
        Opening::Open(door) => show(&*door),
        Opening::Closed | Opening::Coming => coming(),
        Opening::Failed => failed(move || lab.open_workshop()),
    }
}

/// What these screens know: the page's [`Lab`], and what nobody else needs. Copied into their components; lives as long as the page.
#[derive(Clone, Copy)]
pub struct Workshop {
    lab: Lab,
    pub studio: Studio,
    /// The step of the open project.
    pub step: RwSignal<Step>,
    pub training: Training,
    pub judging: Judging,
    pub exports: Exports,
    pub tries: Tries,
    pub benchmark: Bench,
}

impl Deref for Workshop {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

/// The styles of the studio's screens, which come with them.
const STYLES: [&str; 3] = [
    include_str!("../../www/styles/studio.css"),
    include_str!("../../www/styles/train.css"),
    include_str!("../../www/styles/judge.css"),
];

impl Workshop {
    fn start(lab: Lab) -> Self {
        texts::add_workshop();
        for sheet in STYLES {
            web::add_styles(sheet);
        }
        guard_focus();
        let studio = Studio::start();
        let workshop = Self {
            lab,
            studio,
            step: follow_step(studio),
            training: Training::new(),
            judging: Judging::new(),
            exports: Exports::new(),
            tries: Tries::new(),
            benchmark: Bench::new(),
        };
        workshop.follow_training();
        workshop.tell_where();
        workshop.stay_awake();
        workshop
    }
}

impl Workshop {
    /// A device that falls asleep trains nothing, and breaks off a download.
    fn stay_awake(self) {
        let busy = Memo::new(move |_| {
            let fetching = self.lab.busy.with(|busy| matches!(busy, Some(Busy::Fetching { .. })));
            let judging = self.judging.busy.with(Option::is_some);
            let adding = self.studio.adding.with(Option::is_some);
            self.training.busy() || fetching || judging || adding || self.studio.filming.with(Option::is_some)
        });
        Effect::new(move |_| web::keep_awake("work", busy.get()));
    }

    /// The benchmark has no use for files; whoever gives it one is told where it belongs.
    fn refuse_files(self) {
        self.benchmark.error.set(Some(t!("benchmark.no_files").into_owned()));
    }

    /// Keeps the window's title and the way back into the studio.
    fn tell_where(self) {
        let name = move || self.studio.project.with(|project| project.as_ref().map(|project| project.name.clone()));
        let open = Memo::new(move |_| name().is_some());
        Effect::new(move |_| self.lab.teach.set(open.get().then(|| self.step.get().href())));
        Effect::new(move |_| {
            self.language.track();
            let step = self.step.get().title();
            let title = name().map(|name| match self.training.state_words() {
                Some(state) => format!("{state} \u{b7} {name}"),
                None => format!("{name} \u{b7} {step}"),
            });
            if self.lab.title.get_untracked() != title {
                self.lab.title.set(title);
            }
        });
    }
}

impl Door for Workshop {
    fn teach(&self) -> AnyView {
        view! { <Teach lab=*self /> }.into_any()
    }

    fn benchmark(&self) -> AnyView {
        let lab = *self;
        view! { <Part fetch=|| screen().boxed_local() show=move |screen| screen(lab) /> }.into_any()
    }

    fn hear(&self, event: Event) {
        match event {
            Event::Training(event) => self.on_training(event),
            Event::Judging(event) => self.on_judging(event),
            Event::Benchmark(event) => self.on_benchmark(event),
            Event::Exported { file_name, bytes, recipes } => self.exports.on_exported(&file_name, &bytes, recipes),
            // Pictures and the model are the lab's.
            _ => {}
        }
    }

    fn take_drop(&self, event: &web_sys::DragEvent) {
        match self.screen.get_untracked() {
            Screen::Bench => self.refuse_files(),
            _ => self.take_dropped(event),
        }
    }

    fn take_paste(&self, event: &web_sys::ClipboardEvent) {
        match self.screen.get_untracked() {
            Screen::Bench if web::files_from_paste(event).is_empty() => {}
            Screen::Bench => self.refuse_files(),
            _ => self.take_pasted(event),
        }
    }
}
