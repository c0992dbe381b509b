//! The camera in place of pictures, on the first screen.

use leptos::prelude::*;

use super::{Live, LiveReading, LiveStage};
use crate::ui::lab::Lab;
use crate::ui::layers::LayersPanel;
use crate::ui::model::ModelPanel;

/// Both columns of the screen.
#[component]
pub fn LookLive(lab: Lab) -> impl IntoView {
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
