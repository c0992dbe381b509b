//! The live view's components: the camera's picture, and what the network says of it.

use std::sync::Arc;

use leptos::prelude::*;
use rust_i18n::t;

use super::field::Field;
use super::looks::LooksSwitch;
use super::overlay::{Legend, MapCanvas};
use super::state::{Live, Phase, TOP};
use super::trouble::Trouble;
use crate::Result;
use crate::engine::{FrameWay, Prediction};
use crate::split::in_page_part;
use crate::ui::format;
use crate::ui::lab::Lab;
use crate::ui::notice::Notice;
use crate::web::{CameraChoice, CameraInfo, Facing};

/// What another screen adds to a live view: it gets the view's state, whose [`still`](Live::still) is the frame of the moment.
pub type Actions = Arc<dyn Fn(Live) -> AnyView + Send + Sync>;

in_page_part! { camera:
    /// [`LiveView`] as a function of the page, what stands above the camera's picture, and what below the answer.
    pub fn live_view() -> Result<fn(Lab, AnyView, Actions) -> AnyView> {
        Ok(|lab, first, actions| view! { <LiveView lab first actions /> }.into_any())
    }
}

/// The camera's picture with the answer below it, for any screen. The person turns the camera on; it ends with the view.
#[component]
fn LiveView(
    /// The page.
    lab: Lab,
    /// Shown above the camera's picture.
    first: AnyView,
    /// Shown below the answer.
    actions: Actions,
) -> impl IntoView {
    let live = Live::new(lab);
    view! {
        <div class="live__both">
            <div class="live__first">{first} <LiveStage live /></div>
            <LiveReading live />
            {actions(live)}
        </div>
    }
}

/// The camera's picture and its buttons. `on_close` is told when the person wants no camera any more; the view was then opened for the
/// camera, which goes on at once. Without it the camera is started and stopped.
#[component]
pub fn LiveStage(live: Live, #[prop(optional, into)] on_close: Option<Callback<()>>) -> impl IntoView {
    // Once, when the video stands in the document.
    Effect::new(move |opened: Option<bool>| {
        let ready = live.video.get().is_some();
        if ready && opened != Some(true) && on_close.is_some() {
            live.open_usual();
        }
        ready
    });
    let phase = live.phase;
    let shows = move || phase.with(Phase::shows);
    let is_mirrored = move || live.mirrored.get().unwrap_or(live.facing.get() != Some(Facing::Back));
    let ratio = move || {
        let (width, height) = live.size.get();
        format!("{:.4}", f64::from(width) / f64::from(height.max(1)))
    };
    let field = Memo::new(move |_| {
        let (width, height) = live.size.get();
        live.lab.model.get().map(|model| Field::new(&model.pixels, width, height))
    });
    let stop = move |_| match on_close {
        Some(on_close) => on_close.run(()),
        None => live.close(),
    };
    view! {
        <section
            class="live"
            aria-label=t!("live.title")
            data-testid="live"
            data-phase=move || phase_name(&phase.get())
            data-frames=move || live.frames.get().to_string()
            data-way=move || live.way.get().map(way_name)
        >
            <div class="live__zone" style:--ratio=ratio>
                <div class="live__picture" class:live__picture--mirrored=is_mirrored hidden=move || !shows()>
                    <video
                        node_ref=live.video
                        class="live__video"
                        aria-label=t!("live.video")
                        data-testid="live-video"
                        playsinline=true
                        muted=true
                        autoplay=true
                    ></video>
                    <div class="live__field" style=move || field.get().map(Field::style)>
                        <MapCanvas map=live.heatmap />
                    </div>
                    {move || field.get().filter(|field| field.cuts()).map(edges)}
                </div>
                <Caption live />
                {move || match phase.get() {
                    Phase::Off => view! { <p class="live__state">{t!("live.off")}</p> }.into_any(),
                    Phase::Opening => view! { <p class="live__state" role="status">{t!("live.opening")}</p> }.into_any(),
                    Phase::Paused => {
                        view! { <p class="live__badge" data-testid="live-paused">{t!("live.paused")}</p> }.into_any()
                    }
                    Phase::Silent => view! { <p class="live__badge" role="status" data-testid="live-silent">{t!("live.silent")}</p> }.into_any(),
                    Phase::Trouble(trouble) => view! { <Trouble live trouble /> }.into_any(),
                    Phase::On => ().into_any(),
                }}
            </div>
            <div class="stage__bar live__bar">
                {move || {
                    if on_close.is_none() && matches!(phase.get(), Phase::Off | Phase::Trouble(_)) {
                        view! {
                            <button type="button" class="button button--main" data-testid="live-start" on:click=move |_| live.open_usual()>
                                {t!("live.start")}
                            </button>
                        }
                            .into_any()
                    } else {
                        let label = if on_close.is_some() { t!("live.close") } else { t!("live.stop") };
                        view! {
                            <button type="button" class="button button--main" data-testid="live-stop" on:click=stop>
                                {label}
                            </button>
                        }
                            .into_any()
                    }
                }}
                <Cameras live />
                <Show when=shows>
                    <label class="recorder__check">
                        <input
                            type="checkbox"
                            data-testid="live-mirror"
                            prop:checked=is_mirrored
                            on:change=move |event| live.mirrored.set(Some(event_target_checked(&event)))
                        />
                        {t!("live.mirror")}
                    </label>
                </Show>
                <p class="live__speed" data-testid="live-speed">
                    {move || {
                        let speed = live.speed.get().filter(|_| shows())?;
                        Some(t!("live.speed", fps = frames(speed.fps), ms = format::duration_ms(speed.ms)).into_owned())
                    }}
                </p>
            </div>
            <Notice text=live.error testid="live-error" />
        </section>
    }
}

/// The answer on the picture itself: it is read where one looks.
#[component]
fn Caption(live: Live) -> impl IntoView {
    let best = Memo::new(move |_| live.top.with(|top| top.first().cloned()));
    view! {
        <Show when=move || live.phase.with(Phase::shows) && best.with(Option::is_some)>
            <p class="live__caption" aria-hidden="true" data-testid="live-caption">
                {move || match best.get() {
                    Some(best) if best.probability >= live.threshold.get() => {
                        format!("{} {}", best.label, format::percent(best.probability))
                    }
                    _ => t!("live.not_sure").into_owned(),
                }}
            </p>
        </Show>
    }
}

fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Off => "off",
        Phase::Opening => "opening",
        Phase::On => "on",
        Phase::Paused => "paused",
        Phase::Silent => "silent",
        Phase::Trouble(_) => "trouble",
    }
}

fn way_name(way: FrameWay) -> &'static str {
    match way {
        FrameWay::Pixels => "pixels",
        FrameWay::Direct => "direct",
        FrameWay::Bitmap => "bitmap",
    }
}

/// Frames a second with a digit where it matters.
fn frames(fps: f64) -> String {
    if fps < 9.95 { format!("{fps:.1}") } else { format!("{fps:.0}") }
}

/// Dims what the network does not see.
fn edges(field: Field) -> impl IntoView + use<> {
    let Field { left, top, right, bottom, .. } = field.inside();
    let (width, height) = (field.width, field.height);
    let inside = format!("M{left:.1} {top:.1}H{right:.1}V{bottom:.1}H{left:.1}Z");
    view! {
        <svg class="live__edges" viewBox=format!("0 0 {width} {height}") preserveAspectRatio="none" aria-hidden="true">
            <path class="live__cut" fill-rule="evenodd" d=format!("M0 0H{width}V{height}H0Z{inside}") />
            <path class="zone__edge" d=inside />
        </svg>
    }
}

/// Which camera: a list where there are several, and a button where they look both ways.
#[component]
fn Cameras(live: Live) -> impl IntoView {
    let is_on = move || live.phase.with(|phase| phase.shows() || *phase == Phase::Opening);
    let several = move || is_on() && live.cameras.with(|cameras| cameras.len() > 1);
    let faces = |cameras: &[CameraInfo], facing: Facing| cameras.iter().any(|camera| camera.facing == Some(facing));
    let both = move || is_on() && live.cameras.with(|all| faces(all, Facing::Front) && faces(all, Facing::Back));
    let turn = move |_| {
        live.open(match live.facing.get_untracked() {
            Some(Facing::Back) => CameraChoice::Front,
            _ => CameraChoice::Back,
        });
    };
    view! {
        <Show when=both>
            <button type="button" class="button" data-testid="live-turn" on:click=turn>{t!("live.turn")}</button>
        </Show>
        <Show when=several>
            <label class="live__cameras">
                <span class="hidden">{t!("live.camera")}</span>
                <select
                    class="select"
                    data-testid="live-camera"
                    on:change=move |event| live.open(chosen_camera(&event, live.device))
                >
                    {move || {
                        live.cameras
                            .get()
                            .into_iter()
                            .enumerate()
                            .map(|(i, camera)| {
                                let id = camera.id.clone();
                                let chosen = move || live.device.with(|device| device.as_ref() == Some(&id));
                                view! { <option value=camera.id.clone() prop:selected=chosen>{camera_name(&camera, i)}</option> }
                            })
                            .collect_view()
                    }}
                </select>
            </label>
        </Show>
    }
}

/// The camera that was chosen from a list. Until it is open the list shows the one that is: it may not be had.
pub fn chosen_camera(event: &web_sys::Event, now: RwSignal<Option<String>>) -> CameraChoice {
    let list = event_target::<web_sys::HtmlSelectElement>(event);
    let choice = CameraChoice::Device(list.value());
    list.set_value(&now.get_untracked().unwrap_or_default());
    choice
}

/// What a camera is called in a list.
pub fn camera_name(camera: &CameraInfo, place: usize) -> String {
    match (camera.label.as_str(), camera.facing) {
        ("", Some(Facing::Front)) => t!("live.front").into_owned(),
        ("", Some(Facing::Back)) => t!("live.back").into_owned(),
        ("", None) => t!("live.camera_number", number = place + 1).into_owned(),
        (label, _) => label.to_owned(),
    }
}

/// What the network says of the frames, smoothed, with the threshold under which it says that it is not sure.
#[component]
pub fn LiveReading(live: Live) -> impl IntoView {
    let best = Memo::new(move |_| live.top.with(|top| top.first().cloned()));
    let sure = move || best.get().filter(|best| best.probability >= live.threshold.get());
    let shows = move || live.phase.with(|phase| phase.shows() || *phase == Phase::Opening);
    let looks = live.lab.looks.on;
    let mapped = move || {
        let class = live.heatmap.with(|map| map.as_ref().map(|map| map.class))?;
        let model = live.lab.model.get()?;
        Some(t!("live.looks_for", name = format::class(&model, model.labels.get(class)?)).into_owned())
    };
    view! {
        <section class="card reading" aria-label=t!("live.reading") data-testid="live-reading">
            <h2 class="eyebrow">{t!("live.reading")}</h2>
            <p class="reading__best" data-testid="live-best" class:live__unsure=move || sure().is_none()>
                <span class="reading__label">
                    {move || match (best.get(), sure()) {
                        (_, Some(best)) => best.label,
                        (Some(_), None) => t!("live.not_sure").into_owned(),
                        (None, None) if live.phase.get() == Phase::Silent => t!("live.silent").into_owned(),
                        (None, None) if shows() => t!("live.waiting").into_owned(),
                        (None, None) => t!("live.no_camera").into_owned(),
                    }}
                </span>
                <span class="reading__share">{move || sure().map(|best| format::percent(best.probability))}</span>
            </p>
            <ol class="bars bars--live" style:--threshold=move || format!("{:.0}%", live.threshold.get() * 100.0) data-testid="live-bars">
                {(0..TOP).map(|rank| view! { <Row live rank /> }).collect_view()}
            </ol>
            <label class="live__threshold">
                <span>{t!("live.threshold")}</span>
                <output>{move || format!("{:.0} %", live.threshold.get() * 100.0)}</output>
                <input
                    type="range"
                    min="0"
                    max="100"
                    step="1"
                    data-testid="live-threshold"
                    prop:value=move || format!("{:.0}", live.threshold.get() * 100.0)
                    on:input=move |event| {
                        if let Ok(percent) = event_target_value(&event).parse::<f32>() {
                            live.threshold.set((percent / 100.0).clamp(0.0, 1.0));
                        }
                    }
                />
            </label>
            <p class="live__note">{t!("live.smoothing")}</p>
            <div class="looks">
                <LooksSwitch lab=live.lab />
                <Show when=move || looks.get()>
                    <div class="looks__body">
                        <p class="looks__hint" data-testid="looks-class">{mapped}</p>
                        <Legend />
                        <p class="looks__note">{t!("live.pick_a_bar")}</p>
                    </div>
                </Show>
            </div>
        </section>
    }
}

/// A bar that keeps its place while classes change theirs, so that it can be clicked and keeps the focus.
#[component]
fn Row(live: Live, rank: usize) -> impl IntoView {
    let one: Memo<Option<Prediction>> = Memo::new(move |_| live.top.with(|top| top.get(rank).cloned()));
    let class = move || one.with(|one| one.as_ref().map(|one| one.class));
    let width = move || {
        let share = one.with(|one| one.as_ref().map_or(0.0, |one| one.probability));
        format!("{:.1}%", share.clamp(0.0, 1.0) * 100.0)
    };
    let label = move || one.with(|one| one.as_ref().map(|one| one.label.clone()));
    let value = move || one.with(|one| one.as_ref().map(|one| format::percent(one.probability)));
    let bar = move || {
        view! {
            <span class="bars__label">{label}</span>
            <span class="bars__value">{value}</span>
            <span class="bars__track" aria-hidden="true">
                <span class="bars__bar" style:width=width></span>
            </span>
        }
    };
    let looks = live.lab.looks.on;
    let picked = move || live.picked.get().is_some() && live.picked.get() == class();
    view! {
        <Show when=move || class().is_some()>
            <li>
                {move || {
                    if looks.get() {
                        view! {
                            <button
                                type="button"
                                class="bars__row bars__row--pick"
                                aria-pressed=move || picked().to_string()
                                on:click=move |_| live.picked.set(if picked() { None } else { class() })
                            >
                                {bar()}
                            </button>
                        }
                            .into_any()
                    } else {
                        view! { <div class="bars__row" data-testid="live-row">{bar()}</div> }.into_any()
                    }
                }}
            </li>
        </Show>
    }
}
