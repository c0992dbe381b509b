//! The camera in place of pictures, on the first screen.

use leptos::prelude::*;

use super::{Live, LiveReading, LiveStage};
use crate::Result;
use crate::split::in_page_part;
use crate::ui::lab::Lab;
use crate::ui::layers::LayersPanel;
use crate::ui::model::ModelPanel;

in_page_part! { camera:
    /// The screen, as a function of the page.
    pub fn look_live() -> Result<fn(Lab) -> AnyView> {
        Ok(|lab| view! { <LookLive lab /> }.into_any())
    }
}

/// Both columns of the screen.
#[component]
fn LookLive(lab: Lab) -> impl IntoView {
    let live = Live::new(lab);
    view! {
        <div class="bench__left">
            <LiveStage live on_close=move |()| lab.watching.set(false) />
            <LayersPanel lab />
        </div>
        <div class="bench__right">
            <LiveReading live />
            <ModelPanel lab />
        </div>
    }
}
