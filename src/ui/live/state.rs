//! What a live view knows, and the loop that reads frame after frame.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::{AbortHandle, abortable};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use web_sys::HtmlVideoElement;

use super::smooth::{Announcer, Smoother, top};
use crate::engine::{Frame, FrameReading, FrameWay, Heatmap, ModelInfo, Prediction};
use crate::ui::format;
use crate::ui::lab::Lab;
use crate::ui::notice;
use crate::web::{self, Camera, CameraChoice, CameraInfo, CameraTrouble, Facing, Still, VideoSource};
use crate::{Error, Result};

/// Classes shown.
pub const TOP: usize = 5;
/// The share under which the view says that it is not sure, until the person moves the slider.
const THRESHOLD: f32 = 0.5;
/// Share of a new value in the speed that is shown.
const SPEED_SHARE: f64 = 0.1;

/// What the view is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// No camera.
    Off,
    /// The person is asked, or the camera starts.
    Opening,
    /// Frames come.
    On,
    /// Nobody looks: the tab is hidden, or the view is scrolled away.
    Paused,
    /// The camera is on, but no frame comes from it; it may begin again at any time.
    Silent,
    /// There is no picture, and why.
    Trouble(CameraTrouble),
}

impl Phase {
    /// Whether there is a picture of the camera, if only an old one.
    pub fn shows(&self) -> bool {
        matches!(self, Self::On | Self::Paused | Self::Silent)
    }
}

/// The camera the person chose last, in the browser's local storage.
const KEPT_AS: &str = "reslab-camera";

/// The cameras to try where the person has named none now: the one they chose before, then `usual`.
pub fn usual_cameras(usual: &[CameraChoice]) -> Vec<CameraChoice> {
    web::recall(KEPT_AS).map(CameraChoice::Device).into_iter().chain(usual.iter().cloned()).collect()
}

/// Remembers a camera that was chosen from the list.
pub fn keep_camera(choice: &CameraChoice) {
    if let CameraChoice::Device(id) = choice {
        web::remember(KEPT_AS, id);
    }
}

/// Opens the first of these that is there.
pub async fn open_first(video: &HtmlVideoElement, choices: Vec<CameraChoice>) -> Result<Camera, CameraTrouble> {
    let mut opened = Err(CameraTrouble::NoCamera);
    for choice in choices {
        opened = Camera::open(video, choice).await;
        if !matches!(opened, Err(CameraTrouble::NoSuchCamera)) {
            break;
        }
    }
    opened
}

/// How fast it goes, smoothed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Frames read in a second.
    pub fps: f64,
    /// Milliseconds from a frame to its answer.
    pub ms: f64,
}

/// A live view's state. Copied into its components; it ends with the component that made it, and the camera with it.
#[derive(Clone, Copy)]
pub struct Live {
    /// The page.
    pub lab: Lab,
    /// What it does.
    pub phase: RwSignal<Phase>,
    /// The cameras there are, known once one has been opened.
    pub cameras: RwSignal<Vec<CameraInfo>>,
    /// The open one's [id](CameraInfo::id).
    pub device: RwSignal<Option<String>>,
    /// Where the open one looks.
    pub facing: RwSignal<Option<Facing>>,
    /// Whether its picture is shown mirrored, once the person has chosen.
    pub mirrored: RwSignal<Option<bool>>,
    /// Width and height of its frames.
    pub size: RwSignal<(u32, u32)>,
    /// Smoothed, the most probable first.
    pub top: RwSignal<Vec<Prediction>>,
    /// Shares below it mean "not sure".
    pub threshold: RwSignal<f32>,
    /// Of the last frames.
    pub speed: RwSignal<Option<Speed>>,
    /// The class whose map is shown; none means the most probable one.
    pub picked: RwSignal<Option<usize>>,
    /// Where the network looks, while the page [shows it](super::Looks).
    pub heatmap: RwSignal<Option<Arc<Heatmap>>>,
    /// What went wrong with a frame.
    pub error: RwSignal<Option<String>>,
    /// Frames read since the camera was opened.
    pub frames: RwSignal<u64>,
    /// How the last one got to the GPU.
    pub way: RwSignal<Option<FrameWay>>,
    pub(super) video: NodeRef<html::Video>,
    camera: StoredValue<Option<Rc<Camera>>, LocalStorage>,
    /// Counts what is opened: a camera that comes for an older turn is not wanted any more.
    turn: StoredValue<u64>,
    /// Ends the loop of the camera that was opened last.
    going: StoredValue<Option<AbortHandle>>,
}

impl Live {
    /// A view whose camera is off.
    pub fn new(lab: Lab) -> Self {
        let live = Self {
            lab,
            phase: RwSignal::new(Phase::Off),
            cameras: RwSignal::new(Vec::new()),
            device: RwSignal::new(None),
            facing: RwSignal::new(None),
            mirrored: RwSignal::new(None),
            size: RwSignal::new((4, 3)),
            top: RwSignal::new(Vec::new()),
            threshold: RwSignal::new(THRESHOLD),
            speed: RwSignal::new(None),
            picked: RwSignal::new(None),
            heatmap: RwSignal::new(None),
            error: RwSignal::new(None),
            frames: RwSignal::new(0),
            way: RwSignal::new(None),
            video: NodeRef::new(),
            camera: StoredValue::new_local(None),
            turn: StoredValue::new(0),
            going: StoredValue::new(None),
        };
        on_cleanup(move || live.release());
        // A hidden tab gets no frames, so the loop cannot tell.
        let listener = window_event_listener(leptos::ev::visibilitychange, move |_| {
            if document().hidden() && live.phase.get_untracked() == Phase::On {
                live.phase.set(Phase::Paused);
            }
        });
        on_cleanup(move || listener.remove());
        let watch = web::CameraWatch::new(move || {
            // Before one was allowed, browsers hide them.
            if live.cameras.try_with_untracked(Vec::is_empty) == Some(false) {
                spawn_local(async move { drop(live.cameras.try_set(web::cameras().await)) });
            }
        });
        let watch = StoredValue::new_local(watch);
        on_cleanup(move || {
            drop(watch.try_update_value(Option::take));
            web::keep_awake("camera", false);
        });
        Effect::new(move |_| web::keep_awake("camera", live.phase.with(Phase::shows)));
        live
    }

    /// Opens the camera that suits: on phones and tablets the one that looks away, for things; elsewhere the browser's choice.
    pub fn open_usual(self) {
        let is_handheld = window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches());
        let usual = if is_handheld { &[CameraChoice::Back, CameraChoice::Any][..] } else { &[CameraChoice::Any] };
        self.open_or(usual_cameras(usual), None);
    }

    /// Opens this camera in place of the one that is open; that one goes on where this one cannot be had.
    pub fn open(self, choice: CameraChoice) {
        keep_camera(&choice);
        let before = self.phase.with_untracked(Phase::shows).then(|| self.device.get_untracked()).flatten();
        self.open_or(vec![choice], before.map(CameraChoice::Device));
    }

    fn open_or(self, choices: Vec<CameraChoice>, before: Option<CameraChoice>) {
        let Some(video) = self.video.get_untracked() else { return };
        self.release();
        self.error.set(None);
        self.phase.set(Phase::Opening);
        let turn = self.turn.get_value();
        spawn_local(self.start(turn, video, choices, before));
    }

    /// Turns the camera off.
    pub fn close(self) {
        self.release();
        self.phase.set(Phase::Off);
        self.top.set(Vec::new());
        self.heatmap.set(None);
        self.picked.set(None);
    }

    /// Ends the loop, and the camera goes with it.
    fn release(self) {
        self.turn.try_update_value(|turn| *turn += 1);
        if let Some(handle) = self.going.try_update_value(Option::take).flatten() {
            handle.abort();
        }
        drop(self.camera.try_update_value(Option::take));
    }

    /// The newest frame as a file, at most `max_side` pixels on its longer side.
    ///
    /// # Errors
    /// [`Error::Usage`] while the camera is off, and those of [`Camera::still`].
    pub async fn still(self, max_side: u32) -> Result<Still> {
        let camera = self.camera.try_get_value().flatten();
        let camera = camera.ok_or_else(|| Error::Usage("the camera is off; start it first".into()))?;
        camera.still(max_side).await
    }

    /// The class to map: the one that was picked, else the most probable.
    fn mapped(self) -> Option<usize> {
        let first = || self.top.with_untracked(|top| top.first().map(|best| best.class));
        self.picked.get_untracked().or_else(first)
    }

    fn is_turn(self, turn: u64) -> bool {
        self.turn.try_get_value() == Some(turn)
    }

    async fn start(self, turn: u64, video: HtmlVideoElement, choices: Vec<CameraChoice>, before: Option<CameraChoice>) {
        let mut opened = open_first(&video, choices).await;
        let mut failed = None;
        if let (Err(trouble), Some(before)) = (&opened, before)
            && self.is_turn(turn)
        {
            failed = Some(trouble.sentence());
            keep_camera(&before);
            opened = Camera::open(&video, before).await;
        }
        // The person may have left meanwhile, and the view with its signals: the camera is dropped.
        if !self.is_turn(turn) {
            return;
        }
        let camera = match opened {
            Ok(camera) => Rc::new(camera),
            Err(trouble) => return self.phase.set(Phase::Trouble(trouble)),
        };
        camera.on_ended(move |trouble| {
            self.close();
            self.phase.set(Phase::Trouble(trouble));
        });
        self.facing.set(camera.facing());
        self.device.set(camera.device_id());
        self.frames.set(0);
        self.speed.set(None);
        self.phase.set(Phase::On);
        self.error.set(failed);
        self.camera.set_value(Some(camera));
        let cameras = web::cameras().await;
        if self.is_turn(turn) {
            self.cameras.set(cameras);
            let (watch, handle) = abortable(self.watch(turn, video));
            self.going.set_value(Some(handle));
            // It ends when the camera does.
            let _ = watch.await;
        }
    }

    /// Reads one frame after another: while one is read, those that pass are not looked at.
    async fn watch(self, turn: u64, video: HtmlVideoElement) {
        let source = VideoSource::new(video.clone());
        let mut reader = Reader::default();
        loop {
            let comes = web::frame_comes(&video).await;
            if !self.is_turn(turn) {
                return;
            }
            if !comes {
                // What was said last is of a picture that nobody sees any more.
                self.phase.set(Phase::Silent);
                self.top.set(Vec::new());
                self.heatmap.set(None);
                reader = Reader::default();
                continue;
            }
            let phase = if is_watched(&video) { Phase::On } else { Phase::Paused };
            let paused = phase == Phase::Paused;
            if self.phase.get_untracked() != phase {
                self.phase.set(phase);
                reader.last_ms = None;
            }
            let model = self.lab.model.get_untracked().filter(|_| !self.lab.model_pending());
            let (Some(size), Some(model), false) = (source.size(), model, paused) else { continue };
            if self.size.get_untracked() != size {
                self.size.set(size);
            }
            let map_of = self.mapped().filter(|class| self.lab.looks.on.get_untracked() && *class < model.labels.len());
            let reading = self.lab.read_frame(Frame::Video(source.clone()), map_of).await;
            if !self.is_turn(turn) {
                return;
            }
            match reading {
                Ok(reading) => self.show(&mut reader, model, reading),
                Err(Error::Cancelled) => {}
                Err(error) => {
                    // A model that names no classes fails at every frame: it is said once.
                    reader.failed = true;
                    let sentence = Some(notice::sentence(&error));
                    if self.error.get_untracked() != sentence {
                        self.error.set(sentence);
                    }
                }
            }
        }
    }

    fn show(self, reader: &mut Reader, model: Arc<ModelInfo>, reading: FrameReading) {
        let now_ms = web::now_ms();
        if reader.model.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &model)) {
            *reader = Reader { model: Some(model.clone()), ..Reader::default() };
            self.picked.set(None);
        }
        let values = reader.smoother.add(&reading.probabilities, now_ms);
        let prediction = |class: usize| {
            let label = format::class(&model, model.labels.get(class)?);
            Some(Prediction { class, label, probability: values[class] })
        };
        let best: Vec<Prediction> = top(values, TOP).into_iter().filter_map(prediction).collect();
        let sure = best.first().filter(|best| best.probability >= self.threshold.get_untracked());
        if reader.announcer.hear(sure.map(|best| best.class), now_ms).is_some()
            && let Some(best) = sure
        {
            self.lab.spoken.set(t!("live.spoken", name = best.label).into_owned());
        }
        self.top.set(best);
        // Whether it is still wanted when it arrives.
        let wanted = self.lab.looks.on.get_untracked();
        let map = reading.heatmap.filter(|_| wanted).map(Arc::new);
        if map.is_some() || self.heatmap.with_untracked(Option::is_some) {
            self.heatmap.set(map);
        }
        if let Some(last_ms) = reader.last_ms.replace(now_ms) {
            let new = Speed { fps: 1e3 / (now_ms - last_ms).max(1e-3), ms: reading.ms };
            let old = self.speed.get_untracked().unwrap_or(new);
            let mix = |old: f64, new: f64| old + SPEED_SHARE * (new - old);
            // Intervals are averaged, not rates.
            self.speed.set(Some(Speed { fps: 1.0 / mix(1.0 / old.fps, 1.0 / new.fps), ms: mix(old.ms, new.ms) }));
        }
        if self.way.get_untracked() != Some(reading.way) {
            self.way.set(Some(reading.way));
        }
        // That a camera could not be had is said until the person closes it.
        if reader.failed && self.error.with_untracked(Option::is_some) {
            self.error.set(None);
        }
        reader.failed = false;
        self.frames.update(|frames| *frames += 1);
    }
}

/// What the loop carries from frame to frame.
#[derive(Default)]
struct Reader {
    model: Option<Arc<ModelInfo>>,
    smoother: Smoother,
    announcer: Announcer,
    last_ms: Option<f64>,
    /// The last frame could not be read.
    failed: bool,
}

/// Whether the tab is in front and some of the element on the screen.
fn is_watched(element: &HtmlVideoElement) -> bool {
    let height = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(f64::MAX);
    let place = element.get_bounding_client_rect();
    !document().hidden() && place.bottom() > 0.0 && place.top() < height
}
