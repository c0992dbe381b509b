//! The steps of a project, in the order people take them; any can be opened at any time.

use leptos::ev;
use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::JsValue;

use super::state::Studio;

/// Address of the list of projects.
pub const LIST: &str = "#teach";

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

/// Shows a step, and says so in the address.
pub fn go(step: RwSignal<Step>, to: Step) {
    step.set(to);
    let to = to.href();
    if let Some(location) = web_sys::window().map(|window| window.location())
        && location.hash().is_ok_and(|hash| hash != to)
        && location.set_hash(&to).is_err()
    {
        log::debug!("the address stays as it is");
    }
}

/// The step the address names, as long as the page lives. Other screens leave it as it is. `#teach` alone is the list of projects: who
/// goes back to it leaves the project, who comes from another screen finds the project where it was.
pub fn follow_address(studio: Studio) -> RwSignal<Step> {
    let step = RwSignal::new(Step::current().unwrap_or(Step::Collect));
    window_event_listener(ev::hashchange, move |event: web_sys::HashChangeEvent| {
        let is_open = studio.project.with_untracked(Option::is_some);
        match Step::current() {
            Some(now) => {
                if now != step.get_untracked() {
                    step.set(now);
                }
                if !is_open {
                    studio.open_again();
                }
            }
            None if is_open && is_list() && event.old_url().contains("#teach/") => studio.leave_for_list(),
            None => {}
        }
        if is_list() && studio.project.with_untracked(Option::is_some) {
            name_step(step.get_untracked());
        }
    });
    let open = Memo::new(move |_| studio.project.with(|project| project.as_ref().map(|project| project.id)));
    Effect::new(move |_| {
        if open.get().is_some() && is_list() {
            name_step(step.get_untracked());
        }
    });
    step
}

/// Whether the address is that of the list of projects.
fn is_list() -> bool {
    web_sys::window().and_then(|window| window.location().hash().ok()).is_some_and(|hash| hash == LIST)
}

/// Puts the step into the address in place of what is there.
fn name_step(step: Step) {
    let history = web_sys::window().and_then(|window| window.history().ok());
    let to = step.href();
    if history.is_none_or(|history| history.replace_state_with_url(&JsValue::NULL, "", Some(&to)).is_err()) {
        log::debug!("the address stays as it is");
    }
}
