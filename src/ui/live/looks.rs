//! Where the network looks: the switch that live view and stage share, and the map of the picture on the stage.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::overlay::Legend;
use crate::engine::{Heatmap, HeatmapKind, Picture};
use crate::ui::format;
use crate::ui::lab::{Answer, Lab, Shot};
use crate::ui::notice;
use crate::web;
use crate::{Error, Result};

/// What is to be shown, and the map of the picture on the stage.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// Whether maps are shown at all.
    pub on: RwSignal<bool>,
    /// Of the picture on the stage: the class that was picked; none means the most probable one.
    pub class: RwSignal<Option<usize>>,
    /// The layer of Grad-CAM; none means the class activation map.
    pub layer: RwSignal<Option<String>>,
    /// The number of the picture, and its map.
    pub map: RwSignal<Option<(u64, Arc<Heatmap>)>>,
    /// It is being made.
    pub busy: RwSignal<bool>,
    /// Why there is none.
    pub error: RwSignal<Option<String>>,
    /// Counts the questions: an answer to an older one is not wanted any more.
    turn: StoredValue<u64>,
}

impl Looks {
    /// Nothing is shown.
    pub fn start() -> Self {
        Self {
            on: RwSignal::new(false),
            class: RwSignal::new(None),
            layer: RwSignal::new(None),
            map: RwSignal::new(None),
            busy: RwSignal::new(false),
            error: RwSignal::new(None),
            turn: StoredValue::new(0),
        }
    }

    /// The map of the picture with this number.
    pub fn map_of(self, shot: u64) -> Option<Arc<Heatmap>> {
        self.map.get().filter(|(of, _)| *of == shot && self.on.get()).map(|(_, map)| map)
    }
}

impl Lab {
    /// Asks for the map of the picture on the stage.
    fn look(self, shot: Shot, class: usize) {
        let looks = self.looks;
        let turn = looks.turn.try_update_value(|turn| {
            *turn += 1;
            *turn
        });
        looks.busy.set(true);
        looks.error.set(None);
        spawn_local(async move {
            let map = self.map_of(&shot, class).await;
            if looks.turn.try_get_value() != turn {
                return;
            }
            looks.busy.set(false);
            match map {
                Ok(map) => looks.map.set(Some((shot.id, Arc::new(map)))),
                Err(Error::Cancelled) => {}
                Err(error) => {
                    looks.map.set(None);
                    looks.error.set(Some(notice::sentence(&error)));
                }
            }
        });
    }

    async fn map_of(self, shot: &Shot, class: usize) -> Result<Heatmap> {
        let file = self.files.with_value(|files| files.get(&shot.id).cloned()).ok_or(Error::Cancelled)?;
        let image = web::decode_file(&file).await?;
        let kind = match self.looks.layer.get_untracked() {
            Some(layer) => HeatmapKind::GradCam { layer },
            None => HeatmapKind::Cam,
        };
        self.heatmap(shot.name.clone(), Picture::Decoded(image), class, kind).await
    }
}

/// The switch.
#[component]
pub fn LooksSwitch(lab: Lab) -> impl IntoView {
    let on = lab.looks.on;
    view! {
        <button
            type="button"
            class="button looks__switch"
            aria-pressed=move || on.get().to_string()
            data-testid="looks"
            on:click=move |_| on.update(|on| *on = !*on)
        >
            {t!("live.looks")}
        </button>
    }
}

/// Switch, legend and layers for the picture on the stage.
#[component]
pub fn PictureLooks(lab: Lab, shot: Shot, answer: Answer) -> impl IntoView {
    let looks = lab.looks;
    let layers = answer.model.map_layers.clone();
    let best = answer.result.top.first().map(|best| best.class);
    looks.class.set(None);
    // Another model may not have the layer.
    if looks.layer.with_untracked(|layer| layer.as_ref().is_some_and(|layer| !layers.contains(layer))) {
        looks.layer.set(None);
    }
    let classes = answer.model.labels.len();
    Effect::new(move |_| {
        looks.layer.track();
        let class = looks.class.get().or(best).filter(|class| *class < classes);
        if let (true, Some(class)) = (looks.on.get(), class) {
            lab.look(shot.clone(), class);
        }
    });
    let labels = answer.model.clone();
    let name = move || {
        let class = looks.class.get().or(best)?;
        labels.labels.get(class).map(|name| format::class(&labels, name))
    };
    view! {
        <div class="looks">
            <LooksSwitch lab />
            <Show when=move || looks.on.get()>
                <div class="looks__body">
                    <p class="looks__hint" aria-busy=move || looks.busy.get().to_string() data-testid="looks-class">
                        {let name = name.clone(); move || name().map(|name| t!("live.looks_for", name = name))}
                    </p>
                    <Legend />
                    <LayerPicker lab layers=layers.clone() />
                    {move || looks.error.get().map(|error| view! { <p class="looks__error" role="alert">{error}</p> })}
                </div>
            </Show>
        </div>
    }
}

#[component]
fn LayerPicker(lab: Lab, layers: Vec<String>) -> impl IntoView {
    let layer = lab.looks.layer;
    let choose = move |event: web_sys::Event| {
        let value = event_target_value(&event);
        layer.set((!value.is_empty()).then_some(value));
    };
    view! {
        <details class="looks__more">
            <summary>{t!("live.advanced")}</summary>
            <label class="looks__layer">
                <span>{t!("live.layer")}</span>
                <select class="select" data-testid="looks-layer" on:change=choose>
                    <option value="" selected=move || layer.with(Option::is_none)>{t!("live.layer_cam")}</option>
                    {layers
                        .into_iter()
                        .map(|name| {
                            let own = name.clone();
                            let chosen = move || layer.with(|layer| layer.as_ref() == Some(&own));
                            view! { <option value=name.clone() selected=chosen>{format!("Grad-CAM: {name}")}</option> }
                        })
                        .collect_view()}
                </select>
            </label>
            <p class="looks__note">{t!("live.layer_note")}</p>
        </details>
    }
}
