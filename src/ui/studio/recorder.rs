//! Pictures from the webcam: hold a button, and frames go into a class.

use std::cell::Cell;
use std::rc::Rc;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use wasm_bindgen::JsCast;

use super::keeping::said;
use super::state::Studio;
use crate::Result;
use crate::split::in_page_part;
use crate::studio::{ClassId, Role};
use crate::ui::focus::focus;
use crate::ui::live::{camera_name, chosen_camera, keep_camera, open_first, own_tab, usual_cameras};
use crate::web::{self, Camera, CameraChoice, CameraInfo, CameraTrouble, CameraWatch, Facing, Still};

/// Longer side of a kept frame in pixels: more than any network here sees.
pub(super) const FRAME_PX: u32 = 512;
/// Frames a second that can be chosen.
const RATES: [u32; 5] = [1, 2, 5, 10, 15];
/// Seconds of the countdown, and those of the recording after it that can be chosen.
const COUNTDOWN_S: u32 = 3;
const LENGTHS: [u32; 4] = [2, 4, 8, 15];
/// Milliseconds without a new picture after which a recording says why.
const SAME_MS: f64 = 2000.0;

/// What the recorder is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// Seconds left before it begins.
    Counting(u32),
    /// While the button is held, or for a while by itself.
    Recording {
        held: bool,
    },
}

/// Whether the key is one that holds the button.
fn is_hold(event: &web_sys::KeyboardEvent) -> bool {
    matches!(event.key().as_str(), " " | "Enter")
}

/// Has the button keep the pointer until it is let go: a sentence that comes up above it moves it away from under the pointer.
fn capture(event: &web_sys::PointerEvent) {
    let button = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    if button.is_some_and(|button| button.set_pointer_capture(event.pointer_id()).is_err()) {
        log::debug!("the pointer is not kept");
    }
}

/// Whether the key goes to something that does something with it.
fn has_own_use(event: &web_sys::KeyboardEvent) -> bool {
    const USES: &str = "button, input, select, textarea, a, summary, [role=button], [contenteditable]";
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| element.closest(USES).is_ok_and(|found| found.is_some()))
}

/// Keeps a frame as a picture of a class; false when the very same one is there.
pub(super) async fn keep_still(studio: Studio, still: Still, class: ClassId) -> Result<bool> {
    let name = format!("camera-{:.0}.jpg", js_sys::Date::now());
    let specimen = web::specimen_of_bytes(&name, &web::read_blob(&name, &still.blob).await?).await?;
    studio.add_specimen(&name, class, Role::Example, specimen).await
}

in_page_part! { camera:
    /// [`Recorder`] as a function of the studio and a class.
    pub fn recorder() -> Result<fn(Studio, ClassId) -> AnyView> {
        Ok(|studio, class| view! { <Recorder studio class /> }.into_any())
    }
}

/// The recorder of a class, in its card. The camera goes on with it and ends with it.
#[component]
fn Recorder(studio: Studio, class: ClassId) -> impl IntoView {
    let video = NodeRef::<html::Video>::new();
    let camera = StoredValue::new_local(None::<Rc<Camera>>);
    let opening = RwSignal::new(false);
    let on = RwSignal::new(false);
    let mirrored = RwSignal::new(true);
    let cameras = RwSignal::new(Vec::<CameraInfo>::new());
    let device = RwSignal::new(None::<String>);
    let trouble = RwSignal::new(None::<String>);
    let embedded = RwSignal::new(false);
    let doing = RwSignal::new(Doing::Nothing);
    let rate = RwSignal::new(5_u32);
    let length = RwSignal::new(4_u32);
    let taken = RwSignal::new(0_u32);
    // No frame comes; all that come are there already.
    let (silent, same) = (RwSignal::new(false), RwSignal::new(false));
    // Width by height of the camera's picture.
    let ratio = RwSignal::new(4.0 / 3.0);
    // A second try, or leaving, makes the answer to the first one void.
    let attempt = StoredValue::new(0_u32);
    // Only the newest recording goes on: an older one may still be asleep between two frames.
    let recording = StoredValue::new(0_u32);

    let close = move || {
        doing.set(Doing::Nothing);
        attempt.update_value(|attempt| *attempt += 1);
        if let Some(camera) = camera.try_update_value(Option::take).flatten() {
            camera.stop();
        }
        opening.set(false);
        on.set(false);
        silent.set(false);
    };
    let watch = StoredValue::new_local(CameraWatch::new(move || {
        spawn_local(async move {
            let known = web::cameras().await;
            if on.try_get_untracked() == Some(true) {
                cameras.set(known);
            }
        });
    }));
    on_cleanup(move || {
        drop(watch.try_update_value(Option::take));
        if let Some(camera) = camera.try_update_value(Option::take).flatten() {
            camera.stop();
        }
    });
    let open = move |choices: Vec<CameraChoice>| {
        // Where the new one cannot be had, the one before goes on.
        let before = device.get_untracked().filter(|_| on.get_untracked()).map(CameraChoice::Device);
        close();
        let Some(video) = video.get_untracked() else { return };
        trouble.set(None);
        opening.set(true);
        let mine = attempt.get_value();
        spawn_local(async move {
            let mut opened = open_first(&video, choices).await;
            if let (Err(why), Some(before)) = (&opened, before)
                && attempt.try_get_value() == Some(mine)
            {
                trouble.set(Some(why.sentence()));
                keep_camera(&before);
                opened = Camera::open(&video, before).await;
            }
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
                    device.set(opened.device_id());
                    camera.set_value(Some(Rc::new(opened)));
                    on.set(true);
                    // The button is what comes next: it is brought into sight with the picture above it.
                    focus("[data-testid='hold']");
                    let known = web::cameras().await;
                    if attempt.try_get_value() == Some(mine) {
                        cameras.set(known);
                    }
                    while attempt.try_get_value() == Some(mine) {
                        let comes = web::frame_comes(&video).await;
                        if attempt.try_get_value() == Some(mine) && silent.get_untracked() == comes {
                            silent.set(!comes);
                        }
                    }
                }
                Err(why) => {
                    embedded.set(matches!(why, CameraTrouble::Embedded(_)));
                    trouble.set(Some(why.sentence()));
                }
            }
        });
    };

    // Once, when the video stands in the document.
    Effect::new(move |opened: Option<bool>| {
        let ready = video.get().is_some();
        if ready && opened != Some(true) {
            open(usual_cameras(&[CameraChoice::Any]));
        }
        ready
    });

    // Frames at the chosen rate until something else is done.
    let record = move |until: Option<f64>| {
        let Some(camera) = camera.get_value() else { return };
        taken.set(0);
        same.set(false);
        let mut last_new = web::now_ms();
        let now = Doing::Recording { held: until.is_none() };
        doing.set(now);
        let mine = recording.try_update_value(|recording| {
            *recording += 1;
            *recording
        });
        spawn_local(async move {
            while doing.try_get_untracked() == Some(now) && recording.try_get_value() == mine {
                let begun = web::now_ms();
                if until.is_some_and(|until| begun >= until) {
                    doing.set(Doing::Nothing);
                    break;
                }
                let kept = async { keep_still(studio, camera.still(FRAME_PX).await?, class).await };
                match kept.await {
                    // A frame that equals one before (a covered lens) is one picture.
                    Ok(true) => {
                        taken.update(|taken| *taken += 1);
                        last_new = begun;
                        same.set(false);
                    }
                    Ok(false) if begun - last_new > SAME_MS => same.set(true),
                    Ok(false) => {}
                    Err(error) => {
                        doing.set(Doing::Nothing);
                        trouble.set(Some(said(&error)));
                    }
                }
                let Some(rate) = rate.try_get_untracked() else { break };
                let rest = 1000.0 / f64::from(rate) - (web::now_ms() - begun);
                web::sleep(rest.max(0.0)).await;
            }
            studio.measure();
        });
    };
    let stop = move || {
        // A button that leaves the page with the focus is told so when its state is gone.
        if doing.try_get_untracked() == Some(Doing::Recording { held: true }) {
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
            if let Some(length) = length.try_get_untracked() {
                record(Some(web::now_ms() + f64::from(length) * 1000.0));
            }
        });
    };
    let held = move |event: web_sys::KeyboardEvent| {
        if is_hold(&event) {
            event.prevent_default();
            if !event.repeat() && doing.get_untracked() == Doing::Nothing {
                record(None);
            }
        }
    };
    // The space bar holds wherever the focus is, but for what has a use for it.
    let anywhere = [
        window_event_listener(ev::keydown, move |event| {
            if event.key() == " " && on.get_untracked() && !has_own_use(&event) {
                held(event);
            }
        }),
        window_event_listener(ev::keyup, move |event| {
            if event.key() == " " && !has_own_use(&event) {
                stop();
            }
        }),
    ];
    on_cleanup(move || anywhere.into_iter().for_each(|listener| listener.remove()));
    let is_recording = move || matches!(doing.get(), Doing::Recording { .. });
    view! {
        <section class="recorder" aria-label=t!("camera.title") data-testid="recorder">
            <div
                class="recorder__frame"
                class:recorder__frame--on=move || on.get()
                class:recorder__frame--live=is_recording
                style:--ratio=move || format!("{:.4}", ratio.get())
            >
                <video
                    node_ref=video
                    class="recorder__video"
                    class:recorder__video--mirrored=move || mirrored.get()
                    playsinline
                    autoplay
                    prop:muted=true
                    aria-label=t!("camera.preview")
                    data-testid="recorder-video"
                    on:resize=move |_| {
                        if let Some(video) = video.get_untracked() {
                            ratio.set(f64::from(video.video_width().max(1)) / f64::from(video.video_height().max(1)));
                        }
                    }
                ></video>
                <span class="recorder__crop" aria-hidden="true"></span>
                {move || match doing.get() {
                    Doing::Counting(left) => view! { <span class="recorder__count" role="status">{left}</span> }.into_any(),
                    Doing::Recording { .. } => {
                        view! { <span class="recorder__taken" data-testid="taken">{move || t!("camera.taken", count = taken.get())}</span> }.into_any()
                    }
                    Doing::Nothing => ().into_any(),
                }}
            </div>
            <div class="recorder__tools">
                <Show when=move || silent.get()>
                    <p class="recorder__trouble" role="status" data-testid="camera-silent">{t!("live.silent")}</p>
                </Show>
                <Show when=move || same.get() && is_recording() && !silent.get()>
                    <p class="recorder__trouble" role="status" data-testid="camera-same">{t!("camera.same")}</p>
                </Show>
                {move || trouble.get().map(|trouble| view! { <p class="recorder__trouble" role="alert" data-testid="camera-trouble">{trouble}</p> })}
                <Show when=move || opening.get()>
                    <p class="train__hint" role="status">{t!("camera.opening")}</p>
                </Show>
                <Show when=move || embedded.get()>{own_tab()}</Show>
                <Show when=move || !on.get() && !opening.get() && !embedded.get()>
                    <button type="button" class="button" data-testid="camera-again" on:click=move |_| open(usual_cameras(&[CameraChoice::Any]))>
                        {t!("live.try_again")}
                    </button>
                </Show>
                <Show when=move || on.get()>
                    <button
                        type="button"
                        class="button button--main recorder__hold"
                        data-testid="hold"
                        aria-pressed=move || is_recording().to_string()
                        on:pointerdown=move |event| {
                            capture(&event);
                            if doing.get_untracked() == Doing::Nothing {
                                record(None);
                            }
                        }
                        on:pointerup=move |_| stop()
                        on:pointerleave=move |_| stop()
                        on:pointercancel=move |_| stop()
                        on:contextmenu=move |event| event.prevent_default()
                        on:keydown=held
                        on:keyup=move |event| if is_hold(&event) { stop() }
                        on:blur=move |_| stop()
                    >
                        {t!("camera.hold")}
                    </button>
                    <p class="train__hint">{t!("camera.crop")}</p>
                    <div class="recorder__row">
                        <button type="button" class="button" data-testid="hands-free" on:click=hands_free>
                            {move || match doing.get() {
                                Doing::Nothing => t!("camera.hands_free", wait = COUNTDOWN_S, seconds = length.get()),
                                _ => t!("camera.stop"),
                            }}
                        </button>
                        <label class="recorder__rate">
                            <span>{t!("camera.length")}</span>
                            <select
                                class="select"
                                data-testid="record-length"
                                on:change=move |event| {
                                    if let Ok(wanted) = event_target_value(&event).parse() {
                                        length.set(wanted);
                                    }
                                }
                            >
                                {LENGTHS
                                    .map(|choice| {
                                        view! { <option value=choice.to_string() selected=move || length.get() == choice>{t!("camera.seconds", count = choice)}</option> }
                                    })
                                    .collect_view()}
                            </select>
                        </label>
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
                        <Show when=move || cameras.with(|cameras| cameras.len() > 1)>
                            <label class="recorder__rate">
                                <span>{t!("live.camera")}</span>
                                <select
                                    class="select"
                                    data-testid="record-camera"
                                    on:change=move |event| {
                                        let choice = chosen_camera(&event, device);
                                        keep_camera(&choice);
                                        open(vec![choice]);
                                    }
                                >
                                    {move || {
                                        cameras
                                            .get()
                                            .into_iter()
                                            .enumerate()
                                            .map(|(i, camera)| {
                                                let id = camera.id.clone();
                                                let chosen = move || device.with(|device| device.as_ref() == Some(&id));
                                                view! { <option value=camera.id.clone() prop:selected=chosen>{camera_name(&camera, i)}</option> }
                                            })
                                            .collect_view()
                                    }}
                                </select>
                            </label>
                        </Show>
                        <label class="recorder__check">
                            <input
                                type="checkbox"
                                data-testid="record-mirror"
                                prop:checked=move || mirrored.get()
                                on:change=move |event| mirrored.set(event_target_checked(&event))
                            />
                            {t!("camera.mirror")}
                        </label>
                    </div>
                </Show>
            </div>
        </section>
    }
}
