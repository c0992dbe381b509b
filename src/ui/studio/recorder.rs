//! Pictures from the webcam: hold a button, and frames go into a class.

use std::cell::Cell;
use std::rc::Rc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::state::Studio;
use crate::Result;
use crate::studio::{Class, ClassId, Role};
use crate::web::{self, Camera, CameraChoice, Facing, Still};

/// Longer side of a kept frame in pixels: more than any network here sees.
pub(super) const FRAME_PX: u32 = 512;
/// Frames a second that can be chosen.
const RATES: [u32; 5] = [1, 2, 5, 10, 15];
/// Seconds of the countdown, and of the recording after it.
const COUNTDOWN_S: u32 = 3;
const HANDS_FREE_S: f64 = 4.0;

/// What the recorder is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// Seconds left before it begins.
    Counting(u32),
    Recording,
}

/// Keeps a frame as a picture of a class; false when the very same one is there.
pub(super) async fn keep_still(studio: Studio, still: Still, class: ClassId) -> Result<bool> {
    let name = format!("camera-{:.0}.jpg", js_sys::Date::now());
    let specimen = web::specimen_of_bytes(&name, &web::read_blob(&name, &still.blob).await?).await?;
    studio.add_specimen(&name, class, Role::Example, specimen).await
}

/// The recorder; frames go into the class that was touched last.
#[component]
pub fn Recorder(studio: Studio, classes: Memo<Vec<Class>>) -> impl IntoView {
    let video = NodeRef::<html::Video>::new();
    let camera = StoredValue::new_local(None::<Rc<Camera>>);
    let opening = RwSignal::new(false);
    let on = RwSignal::new(false);
    let mirrored = RwSignal::new(true);
    let trouble = RwSignal::new(None::<String>);
    let doing = RwSignal::new(Doing::Nothing);
    let rate = RwSignal::new(5_u32);
    let taken = RwSignal::new(0_u32);
    // A second try, or leaving, makes the answer to the first one void.
    let attempt = StoredValue::new(0_u32);

    let close = move || {
        doing.set(Doing::Nothing);
        attempt.update_value(|attempt| *attempt += 1);
        if let Some(camera) = camera.try_update_value(Option::take).flatten() {
            camera.stop();
        }
        opening.set(false);
        on.set(false);
    };
    on_cleanup(move || {
        if let Some(camera) = camera.try_update_value(Option::take).flatten() {
            camera.stop();
        }
    });
    let open = move |choice: CameraChoice| {
        close();
        let Some(video) = video.get_untracked() else { return };
        trouble.set(None);
        opening.set(true);
        let mine = attempt.get_value();
        spawn_local(async move {
            let opened = Camera::open(&video, choice).await;
            if attempt.try_get_value() != Some(mine) {
                return;
            }
            opening.set(false);
            match opened {
                Ok(opened) => {
                    mirrored.set(opened.facing() != Some(Facing::Back));
                    opened.on_ended(move |why| {
                        close();
                        trouble.set(Some(why.sentence()));
                    });
                    camera.set_value(Some(Rc::new(opened)));
                    on.set(true);
                    if studio.target.get_untracked().is_none() {
                        studio.target.set(classes.with_untracked(|all| all.first().map(|class| class.id)));
                    }
                }
                Err(why) => trouble.set(Some(why.sentence())),
            }
        });
    };

    // Frames at the chosen rate until something else is done.
    let record = move |until: Option<f64>| {
        let (Some(camera), Some(class)) = (camera.get_value(), studio.target.get_untracked()) else { return };
        taken.set(0);
        doing.set(Doing::Recording);
        spawn_local(async move {
            while doing.try_get_untracked() == Some(Doing::Recording) {
                let begun = web::now_ms();
                if until.is_some_and(|until| begun >= until) {
                    doing.set(Doing::Nothing);
                    break;
                }
                let kept = async { keep_still(studio, camera.still(FRAME_PX).await?, class).await };
                match kept.await {
                    // A frame that equals one before (a covered lens) is one picture.
                    Ok(new) => taken.update(|taken| *taken += u32::from(new)),
                    Err(error) => {
                        doing.set(Doing::Nothing);
                        trouble.set(Some(error.to_string()));
                    }
                }
                let rest = 1000.0 / f64::from(rate.get_untracked()) - (web::now_ms() - begun);
                web::sleep(rest.max(0.0)).await;
            }
            studio.measure();
        });
    };
    let stop = move || {
        if doing.get_untracked() == Doing::Recording {
            doing.set(Doing::Nothing);
        }
    };
    let hands_free = move |_| {
        if doing.get_untracked() != Doing::Nothing {
            doing.set(Doing::Nothing);
            return;
        }
        let mine = Rc::new(Cell::new(COUNTDOWN_S));
        doing.set(Doing::Counting(COUNTDOWN_S));
        spawn_local(async move {
            while mine.get() > 0 {
                web::sleep(1000.0).await;
                if doing.try_get_untracked() != Some(Doing::Counting(mine.get())) {
                    return;
                }
                mine.set(mine.get() - 1);
                doing.set(Doing::Counting(mine.get()));
            }
            record(Some(web::now_ms() + HANDS_FREE_S * 1000.0));
        });
    };
    let held = move |event: web_sys::KeyboardEvent| {
        if matches!(event.key().as_str(), " " | "Enter") {
            event.prevent_default();
            if !event.repeat() && doing.get_untracked() == Doing::Nothing {
                record(None);
            }
        }
    };
    let into = move |event: web_sys::Event| studio.target.set(event_target_value(&event).parse().ok());
    let target = move || studio.target.get().map(|id| id.to_string()).unwrap_or_default();
    view! {
        <section class="recorder card" aria-labelledby="recorder-title" data-testid="recorder">
            <h2 id="recorder-title" class="eyebrow">{t!("camera.title")}</h2>
            <div class="recorder__frame" class:recorder__frame--on=move || on.get() class:recorder__frame--live=move || doing.get() == Doing::Recording>
                <video
                    node_ref=video
                    class="recorder__video"
                    class:recorder__video--mirrored=move || mirrored.get()
                    playsinline
                    autoplay
                    prop:muted=true
                    aria-label=t!("camera.preview")
                    data-testid="recorder-video"
                ></video>
                {move || match doing.get() {
                    Doing::Counting(left) => view! { <span class="recorder__count" role="status">{left}</span> }.into_any(),
                    Doing::Recording => view! { <span class="recorder__taken" data-testid="taken">{move || t!("camera.taken", count = taken.get())}</span> }.into_any(),
                    Doing::Nothing => ().into_any(),
                }}
            </div>
            {move || trouble.get().map(|trouble| view! { <p class="recorder__trouble" role="alert" data-testid="camera-trouble">{trouble}</p> })}
            <Show
                when=move || on.get()
                fallback=move || {
                    view! {
                        <div class="recorder__tools">
                            <button
                                type="button"
                                class="button"
                                data-testid="open-camera"
                                disabled=move || opening.get()
                                on:click=move |_| open(CameraChoice::Any)
                            >
                                {move || if opening.get() { t!("camera.opening") } else { t!("camera.open") }}
                            </button>
                        </div>
                    }
                }
            >
                <div class="recorder__tools">
                    <label class="recorder__into">
                        <span>{t!("camera.into")}</span>
                        <select class="select" data-testid="record-into" prop:value=target on:change=into>
                            {move || {
                                classes
                                    .get()
                                    .into_iter()
                                    .map(|class| {
                                        let id = class.id;
                                        view! {
                                            <option value=id.to_string() selected=move || studio.target.get() == Some(id)>{class.name}</option>
                                        }
                                    })
                                    .collect_view()
                            }}
                        </select>
                    </label>
                    <button
                        type="button"
                        class="button button--main recorder__hold"
                        data-testid="hold"
                        aria-pressed=move || (doing.get() == Doing::Recording).to_string()
                        on:pointerdown=move |_| if doing.get_untracked() == Doing::Nothing { record(None) }
                        on:pointerup=move |_| stop()
                        on:pointerleave=move |_| stop()
                        on:pointercancel=move |_| stop()
                        on:contextmenu=move |event| event.prevent_default()
                        on:keydown=held
                        on:keyup=move |_| stop()
                        on:blur=move |_| stop()
                    >
                        {t!("camera.hold")}
                    </button>
                    <button type="button" class="button" data-testid="hands-free" on:click=hands_free>
                        {move || match doing.get() {
                            Doing::Nothing => t!("camera.hands_free", seconds = COUNTDOWN_S),
                            _ => t!("camera.stop"),
                        }}
                    </button>
                    <label class="recorder__rate">
                        <span>{t!("camera.rate")}</span>
                        <select
                            class="select"
                            data-testid="record-rate"
                            on:change=move |event| {
                                if let Ok(wanted) = event_target_value(&event).parse() {
                                    rate.set(wanted);
                                }
                            }
                        >
                            {RATES
                                .map(|choice| view! { <option value=choice.to_string() selected=move || rate.get() == choice>{choice}</option> })
                                .collect_view()}
                        </select>
                    </label>
                    <button type="button" class="button button--quiet" on:click=move |_| open(if mirrored.get_untracked() { CameraChoice::Back } else { CameraChoice::Front })>
                        {t!("camera.turn")}
                    </button>
                    <button type="button" class="button button--quiet" data-testid="close-camera" on:click=move |_| close()>
                        {t!("camera.close")}
                    </button>
                </div>
            </Show>
        </section>
    }
}
