//! The steps of a project, in the order people take them; any can be opened at any time.

use leptos::ev;
use leptos::prelude::*;
use rust_i18n::t;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Classes and their pictures.
    Collect,
    /// The recipe, and the run.
    Train,
    /// How good it is, and where it fails.
    Judge,
    /// The camera with what was trained.
    Live,
    /// Files to keep.
    Export,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Collect, Self::Train, Self::Judge, Self::Live, Self::Export];

    /// Behind `#teach/` in the address.
    pub fn address(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Train => "train",
            Self::Judge => "judge",
            Self::Live => "live",
            Self::Export => "export",
        }
    }

    /// For a link.
    pub fn href(self) -> String {
        format!("#teach/{}", self.address())
    }

    /// In the menu.
    pub fn title(self) -> String {
        match self {
            Self::Collect => t!("studio.collect"),
            Self::Train => t!("studio.train"),
            Self::Judge => t!("studio.judge"),
            Self::Live => t!("studio.live"),
            Self::Export => t!("studio.export"),
        }
        .into_owned()
    }

    fn current() -> Option<Self> {
        let hash = web_sys::window()?.location().hash().ok()?;
        let name = hash.strip_prefix("#teach/")?;
        Self::ALL.into_iter().find(|step| step.address() == name)
    }
}

/// The step the address names, as long as the page lives. Other screens leave it as it is.
pub fn follow_address() -> RwSignal<Step> {
    let step = RwSignal::new(Step::current().unwrap_or(Step::Collect));
    window_event_listener(ev::hashchange, move |_| {
        if let Some(now) = Step::current().filter(|now| *now != step.get_untracked()) {
            step.set(now);
        }
    });
    step
}
