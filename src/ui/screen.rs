//! Which screen is shown. It stands in the address behind `#`, so that links, reloading and the browser's way back work in
//! any folder of any host.

use leptos::ev;
use leptos::prelude::*;
use rust_i18n::t;

/// The page's screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Drop a picture or point the camera, read its class.
    Look,
    /// Collect examples, train, judge, take away.
    Teach,
    /// Measure networks on this device.
    Bench,
}

impl Screen {
    /// All, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Look, Self::Teach, Self::Bench];

    /// Behind the `#` of the address.
    pub fn address(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Teach => "teach",
            Self::Bench => "benchmark",
        }
    }

    /// In the menu.
    pub fn title(self) -> String {
        match self {
            Self::Look => t!("shell.look"),
            Self::Teach => t!("shell.teach"),
            Self::Bench => t!("shell.bench"),
        }
        .into_owned()
    }

    fn current() -> Self {
        let hash = web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
        // What follows a slash belongs to the screen.
        let name = hash.trim_start_matches('#').split('/').next().unwrap_or_default();
        Self::ALL.into_iter().find(|screen| screen.address() == name).unwrap_or(Self::Look)
    }
}

/// The screen the address names, as long as the page lives.
pub fn follow_address() -> RwSignal<Screen> {
    let screen = RwSignal::new(Screen::current());
    window_event_listener(ev::hashchange, move |_| {
        let now = Screen::current();
        if screen.get_untracked() != now {
            screen.set(now);
        }
    });
    screen
}
