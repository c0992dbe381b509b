//! The foot of a step: the one thing to do next, always in sight.

use leptos::prelude::*;
use rust_i18n::t;

/// A bar at the lower edge of the screen.
#[component]
pub fn NextStep(children: Children) -> impl IntoView {
    view! {
        <div class="next" role="group" aria-label=t!("studio.next")>
            {children()}
        </div>
    }
}
