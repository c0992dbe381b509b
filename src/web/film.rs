//! Video files as a source of pictures.

use futures_util::future::{Either, select};
use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{File, HtmlVideoElement};

use super::camera::{Still, Stills};
use super::files::{ObjectUrl, object_url};
use super::js::{wait, window};
use super::task::sleep;
use crate::{Error, Result};

/// Milliseconds after which a video that does not answer is given up.
const LATE_MS: f64 = 15_000.0;
/// Beyond the end of every video.
const FAR_S: f64 = 1e9;

/// Whether a file of this name is taken for a video.
pub fn is_video(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".mp4", ".m4v", ".mov", ".webm", ".mkv", ".ogv", ".avi"].iter().any(|ending| name.ends_with(ending))
}

/// A video file that is open.
pub struct Film {
    name: String,
    video: HtmlVideoElement,
    stills: Stills,
    /// Seconds.
    pub seconds: f64,
    _address: ObjectUrl,
}

impl Film {
    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Image`] with a sentence for the person, when the browser does not read it.
    pub async fn open(file: &File) -> Result<Self> {
        let name = file.name();
        let address = object_url(file)?;
        let video =
            window().ok().and_then(|window| window.document()?.create_element("video").ok()).ok_or_else(|| unread(&name))?;
        let video: HtmlVideoElement = video.unchecked_into();
        video.set_muted(true);
        video.set_preload("auto");
        let opened = happens(&video, "loadeddata");
        video.set_src(&address);
        opened.await.ok_or_else(|| unread(&name))?;
        // What a browser records itself says its length only when it was at its end.
        if !video.duration().is_finite() {
            let found = happens(&video, "seeked");
            video.set_current_time(FAR_S);
            found.await.ok_or_else(|| unread(&name))?;
        }
        let seconds = if video.duration().is_finite() { video.duration() } else { video.current_time() };
        if video.video_width() == 0 || seconds <= 0.0 {
            return Err(unread(&name));
        }
        Ok(Self { name, video, stills: Stills::default(), seconds, _address: address })
    }

    /// The frame at so many seconds, at most `max_side` pixels on its longer side.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn frame(&self, at_s: f64, max_side: u32) -> Result<Still> {
        let there = happens(&self.video, "seeked");
        self.video.set_current_time(at_s);
        there.await.ok_or_else(|| unread(&self.name))?;
        self.stills.take(&self.video, max_side).await
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        // The decoder goes with the source.
        if self.video.remove_attribute("src").is_ok() {
            self.video.load();
        }
    }
}

/// Waits for an event of the video; `None` when it fails instead, or nothing happens.
fn happens(video: &HtmlVideoElement, event: &str) -> impl Future<Output = Option<JsValue>> + use<> {
    let promise = Promise::new(&mut |done, fail| {
        let listened = video.add_event_listener_with_callback(event, &done);
        let listens = listened.and_then(|()| video.add_event_listener_with_callback("error", &fail));
        if listens.is_err() {
            log::debug!("the video is not listened to");
        }
    });
    async move {
        match select(std::pin::pin!(wait(promise)), std::pin::pin!(sleep(LATE_MS))).await {
            Either::Left((happened, _)) => happened.ok(),
            Either::Right(_) => None,
        }
    }
}

fn unread(name: &str) -> Error {
    let reason = "This browser cannot read this video: it does not know its format, or the file is damaged. Save it as MP4 (H.264) or WebM and use that.";
    Error::Image { file: name.into(), reason: reason.into() }
}
