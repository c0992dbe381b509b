//! Frames of a `<video>`: when there is a new one, and how it gets to the GPU.

use std::cell::Cell;

use futures_channel::oneshot;
use js_sys::Function;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{HtmlVideoElement, ImageBitmap};

use super::decode::{canvas, read};
use super::js::{get, wait, window, words};
use crate::data::RgbaImage;
use crate::{Error, Result};

thread_local! {
    /// Whether a browser has refused to copy a video to the GPU as it is. It would refuse again, for every frame.
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// The frame that a video shows when its turn comes: never an older one, so frames do not queue.
#[derive(Debug, Clone)]
pub struct VideoSource(HtmlVideoElement);

impl VideoSource {
    /// Of an element in the document.
    pub fn new(video: HtmlVideoElement) -> Self {
        Self(video)
    }

    /// Width and height of the frame in pixels; `None` before the first.
    pub fn size(&self) -> Option<(u32, u32)> {
        let (width, height) = (self.0.video_width(), self.0.video_height());
        // HAVE_CURRENT_DATA.
        (self.0.ready_state() >= 2 && width > 0 && height > 0).then_some((width, height))
    }

    /// The element itself.
    pub fn element(&self) -> &JsValue {
        self.0.as_ref()
    }

    /// Whether this browser is to be asked for a copy of the element itself; else of a [bitmap](Self::bitmap).
    pub fn is_direct(&self) -> bool {
        !REFUSED.get()
    }

    /// Remembers that the browser copies no video; `why` is logged.
    pub fn refuse_direct(&self, why: &str) {
        REFUSED.set(true);
        log::warn!("this browser does not copy a video to the GPU ({why}): frames go through a bitmap");
    }

    /// The frame as a bitmap, which every browser copies.
    ///
    /// # Errors
    /// [`Error::Io`] with the browser's words.
    pub async fn bitmap(&self) -> Result<FrameBitmap> {
        let make = async {
            let promise = window()?.create_image_bitmap_with_html_video_element(&self.0)?;
            wait(promise).await?.dyn_into::<ImageBitmap>()
        };
        let bitmap = make.await.map_err(|error| Error::Io { path: "the video's frame".into(), reason: words(&error) })?;
        Ok(FrameBitmap(bitmap))
    }

    /// The frame's pixels.
    ///
    /// # Errors
    /// [`Error::Io`] with the browser's words.
    pub async fn pixels(&self) -> Result<RgbaImage> {
        let bitmap = self.bitmap().await?;
        bitmap.pixels().map_err(|error| Error::Io { path: "the video's frame".into(), reason: words(&error) })
    }
}

/// Closed when it is dropped: it holds memory that no garbage collector sees.
#[derive(Debug)]
pub struct FrameBitmap(ImageBitmap);

impl FrameBitmap {
    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }

    fn pixels(&self) -> Result<RgbaImage, JsValue> {
        let (width, height) = self.size();
        let context = canvas(width, height)?;
        context.draw_image_with_image_bitmap(&self.0, 0.0, 0.0)?;
        Ok(RgbaImage { width, height, pixels: read(&context, width, height)? })
    }

    /// The bitmap itself.
    pub fn as_js(&self) -> &JsValue {
        self.0.as_ref()
    }
}

impl Drop for FrameBitmap {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Waits for the video's next frame, or for the next paint of the page where the browser does not tell of frames. Nothing comes
/// while the page is hidden. It may be dropped at any time.
pub async fn next_frame(video: &HtmlVideoElement) {
    let (sender, receiver) = oneshot::channel::<()>();
    let mut sender = Some(sender);
    let wake = Closure::<dyn FnMut()>::new(move || {
        if let Some(sender) = sender.take() {
            // Nobody waits any more when the future was dropped.
            let _ = sender.send(());
        }
    });
    let by_video = Asked::new(video, "requestVideoFrameCallback", "cancelVideoFrameCallback", &wake);
    let asked = by_video.or_else(|| Asked::new(&window().ok()?.into(), "requestAnimationFrame", "cancelAnimationFrame", &wake));
    if asked.is_some() {
        // The sender lives in `wake`.
        let _ = receiver.await;
    }
}

/// A callback that is taken back when it is dropped: its closure goes with it.
struct Asked {
    of: JsValue,
    cancel: &'static str,
    number: JsValue,
}

impl Asked {
    fn new(of: &JsValue, request: &str, cancel: &'static str, wake: &Closure<dyn FnMut()>) -> Option<Self> {
        let request = get(of, request).dyn_into::<Function>().ok()?;
        let number = request.call1(of, wake.as_ref()).ok()?;
        Some(Self { of: of.clone(), cancel, number })
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Ok(cancel) = get(&self.of, self.cancel).dyn_into::<Function>()
            && cancel.call1(&self.of, &self.number).is_err()
        {
            log::debug!("a callback could not be taken back");
        }
    }
}
