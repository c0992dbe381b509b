//! A webcam on a `<video>` of the page.
//!
//! The video has to stand in the document, muted and `playsinline`, or phones show it full screen or not at all; [`Camera::open`]
//! sets what an element can be given. Dropping the [`Camera`] turns the camera's lamp off.

use std::cell::RefCell;

use futures_util::future::{Either, select};
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{Clamped, JsCast, JsValue, closure::Closure};
use web_sys::{
    Blob, DomException, HtmlVideoElement, ImageEncodeOptions, MediaDeviceInfo, MediaDeviceKind, MediaDevices, MediaStream,
    MediaStreamConstraints, MediaStreamTrack, OffscreenCanvasRenderingContext2d,
};

use super::decode::canvas;
use super::frame::next_frame;
use super::js::{call, get, wait, window, words};
use super::task::sleep;
use crate::data::RgbaImage;
use crate::{Error, Result};

/// What is asked of a camera: more than any network takes, and cheap enough for a phone.
const WIDTH_PX: u32 = 640;
const HEIGHT_PX: u32 = 480;
const FRAMES_PER_SECOND: u32 = 30;
/// Quality of a [`Still`]'s JPEG, 0 to 1: no artefact that a network would learn.
const JPEG_QUALITY: f64 = 0.9;
/// Longer side of a [`Still`]'s pixels: enough for a digest and for telling near duplicates.
pub const DIGEST_PX: u32 = 64;
/// `HTMLMediaElement.HAVE_CURRENT_DATA`: there is a frame to show.
const HAS_A_FRAME: u16 = 2;

/// Where a camera looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facing {
    /// At the person.
    Front,
    /// Away from the person.
    Back,
}

/// A camera of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraInfo {
    /// The browser's number for it, for [`CameraChoice::Device`]. Other sites get another one.
    pub id: String,
    /// Its name; empty in some browsers until the person has allowed a camera.
    pub label: String,
    /// Where it looks, as far as the browser or its name tells.
    pub facing: Option<Facing>,
}

/// Which camera to open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CameraChoice {
    /// The one the browser or the person chooses.
    #[default]
    Any,
    /// One that looks at the person; a device that does not tell gives the one it has.
    Front,
    /// One that looks away; [`CameraTrouble::NoSuchCamera`] where there is none.
    Back,
    /// This one, see [`CameraInfo::id`].
    Device(String),
}

/// Why there is no picture. The page has a sentence and a way on for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraTrouble {
    /// The page came over plain http, where browsers lend no camera.
    InsecureContext,
    /// The person, the browser or the system said no.
    Refused,
    /// Another page shows this one in a frame and does not lend it the camera: its address, where the browser tells it.
    Embedded(String),
    /// No camera is connected.
    NoCamera,
    /// Another program has it, or it does not start.
    InUse,
    /// There is a camera, but not the one that was asked for.
    NoSuchCamera,
    /// It went away while it was on.
    Unplugged,
    /// The browser's words for something else.
    Other(String),
}

impl CameraTrouble {
    /// By the name of the exception, <https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia>, with the
    /// names of older browsers.
    fn of(error: &JsValue) -> Self {
        let name = error.dyn_ref::<DomException>().map(DomException::name);
        // Chrome's OverconstrainedError is no DOMException.
        match name.or_else(|| get(error, "name").as_string()).unwrap_or_default().as_str() {
            "NotAllowedError" | "PermissionDeniedError" | "SecurityError" => embedder().map_or(Self::Refused, Self::Embedded),
            "NotFoundError" | "DevicesNotFoundError" => Self::NoCamera,
            "NotReadableError" | "TrackStartError" | "AbortError" => Self::InUse,
            "OverconstrainedError" | "ConstraintNotSatisfiedError" => Self::NoSuchCamera,
            _ => Self::Other(words(error)),
        }
    }
}

/// The page around this one, unless the browser says that it lends the camera.
fn embedder() -> Option<String> {
    let window = window().ok()?;
    if Object::is(&get(&window, "top"), &window) {
        return None;
    }
    let document = window.document()?;
    // Only Chromium tells; elsewhere a page in a frame that may not have the camera is most likely one that was lent none.
    let policy = get(&document, "featurePolicy");
    let lent =
        get(&policy, "allowsFeature").dyn_into::<js_sys::Function>().and_then(|allows| allows.call1(&policy, &"camera".into()));
    if lent.is_ok_and(|lent| lent.is_truthy()) {
        return None;
    }
    let ancestors = get(&window.location(), "ancestorOrigins");
    let address = get(&ancestors, "0").as_string().unwrap_or_else(|| document.referrer());
    Some(address.trim_end_matches('/').to_owned())
}

/// The cameras of this device. Before the person has allowed one, browsers hide them: then there are none.
pub async fn cameras() -> Vec<CameraInfo> {
    let Ok(devices) = media_devices() else { return Vec::new() };
    let Ok(promise) = devices.enumerate_devices() else { return Vec::new() };
    let Ok(list) = wait(promise).await else { return Vec::new() };
    let list: Array = list.unchecked_into();
    let cameras = list.iter().map(|device| device.unchecked_into::<MediaDeviceInfo>());
    let cameras = cameras.filter(|device| device.kind() == MediaDeviceKind::Videoinput && !device.device_id().is_empty());
    cameras
        .map(|device| {
            let (id, label) = (device.device_id(), device.label());
            let facing = facing_by_capabilities(&device).or_else(|| facing_by_label(&label));
            CameraInfo { id, label, facing }
        })
        .collect()
}

/// Calls back whenever a camera is connected or goes, until it is dropped.
pub struct CameraWatch {
    devices: MediaDevices,
    heard: Closure<dyn Fn()>,
}

impl CameraWatch {
    /// Begins to watch; `None` where the browser lends no camera at all.
    pub fn new(then: impl Fn() + 'static) -> Option<Self> {
        let devices = media_devices().ok()?;
        let heard = Closure::<dyn Fn()>::new(then);
        devices.add_event_listener_with_callback(CHANGED, heard.as_ref().unchecked_ref()).ok()?;
        Some(Self { devices, heard })
    }
}

impl Drop for CameraWatch {
    fn drop(&mut self) {
        if self.devices.remove_event_listener_with_callback(CHANGED, self.heard.as_ref().unchecked_ref()).is_err() {
            log::debug!("cameras are watched still");
        }
    }
}

/// The event of [`CameraWatch`].
const CHANGED: &str = "devicechange";

/// Whether frames still come: false once there was none for [`SILENT_MS`] in a tab that is looked at. A call, a locked phone or a cover can
/// hold a camera up that is on.
pub async fn frame_comes(video: &HtmlVideoElement) -> bool {
    let frame = std::pin::pin!(next_frame(video));
    let late = std::pin::pin!(sleep(SILENT_MS));
    match select(frame, late).await {
        Either::Left(_) => true,
        // A hidden tab gets no frames.
        Either::Right(_) => window().ok().and_then(|window| window.document()).is_some_and(|document| document.hidden()),
    }
}

/// Milliseconds without a frame after which a camera is silent.
const SILENT_MS: f64 = 3000.0;

/// A frame to keep.
#[derive(Debug, Clone)]
pub struct Still {
    /// A JPEG, as the camera sees it: never mirrored.
    pub blob: Blob,
    /// Size of the JPEG in pixels.
    pub width: u32,
    /// Size of the JPEG in pixels.
    pub height: u32,
    /// The same picture with at most [`DIGEST_PX`] on its longer side.
    pub digest: RgbaImage,
}

/// An open camera; its picture is on the video it was opened for.
pub struct Camera {
    video: HtmlVideoElement,
    stream: MediaStream,
    track: MediaStreamTrack,
    facing: Option<Facing>,
    ended: RefCell<Option<Closure<dyn FnMut()>>>,
    stills: Stills,
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Camera({:?}, {:?})", self.track.label(), self.facing)
    }
}

impl Camera {
    /// Asks for a camera and shows it on `video`. The person may take long to answer; who has left by then drops the result.
    ///
    /// # Errors
    /// The trouble, for the person.
    pub async fn open(video: &HtmlVideoElement, choice: CameraChoice) -> Result<Self, CameraTrouble> {
        let devices = media_devices()?;
        let stream = stream_for(&devices, &choice).await?;
        let track = first_track(&stream).ok_or(CameraTrouble::NoCamera)?;
        let facing = facing_of(&track);
        let camera = Self { video: video.clone(), stream, track, facing, ended: RefCell::new(None), stills: Stills::default() };
        camera.show().await;
        // The person may have pulled the plug meanwhile.
        if camera.is_on() { Ok(camera) } else { Err(CameraTrouble::Unplugged) }
    }

    /// Puts the stream on the video and waits until it plays.
    async fn show(&self) {
        let video = &self.video;
        video.set_muted(true);
        video.set_autoplay(true);
        // Attributes, since browsers look at them when a stream is attached.
        for name in ["playsinline", "muted"] {
            if video.set_attribute(name, "").is_err() {
                log::debug!("the video takes no attribute {name}");
            }
        }
        video.set_src_object(Some(&self.stream));
        if let Ok(promise) = video.play()
            && let Err(error) = wait(promise).await
        {
            // It plays by itself as soon as it may.
            log::debug!("the video does not play yet: {}", words(&error));
        }
    }

    /// Where it looks, as far as it is known. A preview is mirrored unless it is [`Facing::Back`].
    pub fn facing(&self) -> Option<Facing> {
        self.facing
    }

    /// The browser's number for it, see [`CameraInfo::id`].
    pub fn device_id(&self) -> Option<String> {
        self.track.get_settings().get_device_id()
    }

    /// Whether it still sends pictures.
    pub fn is_on(&self) -> bool {
        self.track.ready_state() == web_sys::MediaStreamTrackState::Live
    }

    /// The element that shows it.
    pub fn video(&self) -> &HtmlVideoElement {
        &self.video
    }

    /// Whether there is a frame to show.
    pub fn has_frame(&self) -> bool {
        self.video.ready_state() >= HAS_A_FRAME && self.video.video_width() > 0
    }

    /// Calls `then` once when the camera goes away by itself; [`stop`](Self::stop) is no such case. Replaces an earlier callback.
    pub fn on_ended(&self, then: impl FnOnce(CameraTrouble) + 'static) {
        let mut then = Some(then);
        let closure = Closure::new(move || {
            if let Some(then) = then.take() {
                then(CameraTrouble::Unplugged);
            }
        });
        self.track.set_onended(Some(closure.as_ref().unchecked_ref()));
        self.ended.replace(Some(closure));
    }

    /// Turns it off. Dropping does the same.
    pub fn stop(&self) {
        self.track.set_onended(None);
        stop_all(&self.stream);
        // The element may show another camera by now.
        if self.video.src_object().is_some_and(|shown| shown.id() == self.stream.id()) {
            self.video.set_src_object(None);
        }
    }

    /// The newest frame as a file, at most `max_side` pixels on its longer side.
    ///
    /// # Errors
    /// [`Error::Usage`] before the first frame, [`Error::Io`] with the browser's words.
    pub async fn still(&self, max_side: u32) -> Result<Still> {
        if !self.has_frame() {
            return Err(Error::Usage("the camera has shown no picture yet; wait a moment and try again".into()));
        }
        self.stills.take(&self.video, max_side).await
    }
}

/// Takes frames of a video; the canvas is kept from still to still.
#[derive(Default)]
pub(super) struct Stills(RefCell<Option<OffscreenCanvasRenderingContext2d>>);

impl Stills {
    /// The frame that is shown, at most `max_side` pixels on its longer side.
    ///
    /// # Errors
    /// [`Error::Io`] with the browser's words.
    pub(super) async fn take(&self, video: &HtmlVideoElement, max_side: u32) -> Result<Still> {
        let failed = |error: JsValue| Error::Io { path: "the camera's picture".into(), reason: words(&error) };
        let (width, height) = fitted(video.video_width(), video.video_height(), max_side);
        let (promise, digest) = self.draw(video, width, height).map_err(failed)?;
        let blob = wait(promise).await.and_then(|blob| blob.dyn_into::<Blob>()).map_err(failed)?;
        Ok(Still { blob, width, height, digest: digest? })
    }

    /// Draws the frame; the JPEG is a snapshot of the canvas, which may be drawn over while it is written.
    fn draw(&self, video: &HtmlVideoElement, width: u32, height: u32) -> Result<(js_sys::Promise, Result<RgbaImage>), JsValue> {
        let mut kept = self.0.borrow_mut();
        let fits = |context: &OffscreenCanvasRenderingContext2d| {
            let canvas = context.canvas();
            (canvas.width(), canvas.height()) == (width, height)
        };
        let context = match kept.take().filter(fits) {
            Some(context) => kept.insert(context),
            None => kept.insert(canvas(width, height)?),
        };
        let (w, h) = (f64::from(width), f64::from(height));
        context.draw_image_with_html_video_element_and_dw_and_dh(video, 0.0, 0.0, w, h)?;
        let Clamped(pixels) = context.get_image_data(0.0, 0.0, w, h)?.data();
        let digest = RgbaImage::new("the camera's picture", width, height, pixels).map(|image| image.reduced(DIGEST_PX));
        let options = ImageEncodeOptions::new();
        options.set_type("image/jpeg");
        options.set_quality(JPEG_QUALITY);
        Ok((context.canvas().convert_to_blob_with_options(&options)?.unchecked_into(), digest))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A size with the same proportions and at most `max_side` on the longer side.
fn fitted(width: u32, height: u32, max_side: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let side = longest.min(max_side.max(1));
    let scaled =
        |length: u32| ((u64::from(length) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest)).max(1) as u32;
    (scaled(width), scaled(height))
}

fn media_devices() -> Result<MediaDevices, CameraTrouble> {
    let window = window().map_err(|error| CameraTrouble::Other(words(&error)))?;
    // Without a secure context the property is not there at all.
    let devices = get(&window.navigator(), "mediaDevices");
    if !window.is_secure_context() || !devices.is_object() {
        return Err(CameraTrouble::InsecureContext);
    }
    Ok(devices.unchecked_into())
}

/// The facing mode first, since phones know it; a device of that kind by its name where that fails.
async fn stream_for(devices: &MediaDevices, choice: &CameraChoice) -> Result<MediaStream, CameraTrouble> {
    let (facing, mode) = match choice {
        CameraChoice::Any => return request(devices, None).await,
        CameraChoice::Device(id) => return request(devices, Some(("deviceId", id))).await,
        CameraChoice::Front => (Facing::Front, "user"),
        CameraChoice::Back => (Facing::Back, "environment"),
    };
    match request(devices, Some(("facingMode", mode))).await {
        Err(CameraTrouble::NoSuchCamera) => {}
        outcome => return outcome,
    }
    // Names are known once a camera has been allowed, so any one is opened first.
    let any = request(devices, None).await?;
    let found = first_track(&any).and_then(|track| facing_of(&track));
    if found == Some(facing) {
        return Ok(any);
    }
    if let Some(camera) = cameras().await.into_iter().find(|camera| camera.facing == Some(facing)) {
        // Many phones lend one camera at a time.
        stop_all(&any);
        return request(devices, Some(("deviceId", &camera.id))).await;
    }
    if facing == Facing::Front && found.is_none() {
        return Ok(any);
    }
    stop_all(&any);
    Err(CameraTrouble::NoSuchCamera)
}

async fn request(devices: &MediaDevices, exact: Option<(&str, &str)>) -> Result<MediaStream, CameraTrouble> {
    let ask = async {
        let constraints = constraints(exact)?;
        wait(devices.get_user_media_with_constraints(&constraints)?).await?.dyn_into::<MediaStream>()
    };
    ask.await.map_err(|error| CameraTrouble::of(&error))
}

fn constraints(exact: Option<(&str, &str)>) -> Result<MediaStreamConstraints, JsValue> {
    let with = |key: &str, value: JsValue| -> Result<JsValue, JsValue> {
        let object = Object::new();
        Reflect::set(&object, &key.into(), &value)?;
        Ok(object.into())
    };
    let video = Object::new();
    for (key, value) in [("width", WIDTH_PX), ("height", HEIGHT_PX), ("frameRate", FRAMES_PER_SECOND)] {
        Reflect::set(&video, &key.into(), &with("ideal", value.into())?)?;
    }
    if let Some((key, value)) = exact {
        Reflect::set(&video, &key.into(), &with("exact", value.into())?)?;
    }
    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&video);
    Ok(constraints)
}

fn first_track(stream: &MediaStream) -> Option<MediaStreamTrack> {
    stream.get_video_tracks().get(0).dyn_into().ok()
}

fn stop_all(stream: &MediaStream) {
    stream.get_tracks().iter().for_each(|track| track.unchecked_into::<MediaStreamTrack>().stop());
}

fn facing_of(track: &MediaStreamTrack) -> Option<Facing> {
    let mode = track.get_settings().get_facing_mode();
    mode.and_then(|mode| facing_by_mode(&mode)).or_else(|| facing_by_label(&track.label()))
}

fn facing_by_mode(mode: &str) -> Option<Facing> {
    match mode {
        "user" => Some(Facing::Front),
        "environment" => Some(Facing::Back),
        _ => None,
    }
}

/// `InputDeviceInfo.getCapabilities().facingMode`, where the browser has it.
fn facing_by_capabilities(device: &MediaDeviceInfo) -> Option<Facing> {
    let modes = get(&call(device, "getCapabilities").ok()?, "facingMode").dyn_into::<Array>().ok()?;
    modes.iter().find_map(|mode| facing_by_mode(&mode.as_string()?))
}

/// By the words systems put into a camera's name, in their language.
fn facing_by_label(label: &str) -> Option<Facing> {
    const BACK: [&str; 9] = ["back", "rear", "environment", "world", "rück", "arrière", "trasera", "后置", "背面"];
    const FRONT: [&str; 8] = ["front", "user", "facetime", "selfie", "avant", "delantera", "前置", "前面"];
    let label = label.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
    if has(&BACK) { Some(Facing::Back) } else { has(&FRONT).then_some(Facing::Front) }
}
