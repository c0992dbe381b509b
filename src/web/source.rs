//! Pictures that a page shows already: elements, canvases, bitmaps, frames of a video.

use js_sys::{ArrayBuffer, Function, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, File, ImageData, Response};

use super::decode::{canvas, decode_bytes};
use super::fetch::{CancelToken, Progress, fetch_bytes};
use super::files::read_blob;
use super::js::{call, get, wait, words};
use crate::data::RgbaImage;
use crate::{Error, Result};

const EXPECTED: &str = "expected an HTMLImageElement, ImageBitmap, HTMLCanvasElement, OffscreenCanvas, HTMLVideoElement, VideoFrame, \
                        ImageData, Blob, File, Response, ArrayBuffer, Uint8Array or an address";

/// The pixels of a picture, whatever kind of thing shows it, in its own size and not in the page's.
///
/// A file (`Blob`, `File`, `Response`, bytes, what is at an address) is decoded with the numbers in it, as [`decode_bytes`] does;
/// everything else gives what the browser draws: colours under transparency are black, colour profiles are applied.
///
/// # Errors
/// [`Error::Image`] with a sentence: no picture, one that has not loaded, one of another site, too large.
pub async fn pixels_of(source: &JsValue) -> Result<RgbaImage> {
    if let Some(blob) = source.dyn_ref::<Blob>() {
        let name = source.dyn_ref::<File>().map_or_else(|| "the picture".to_owned(), File::name);
        return decode_bytes(&name, &read_blob(&name, blob).await?).await;
    }
    let kind = kind_of(source);
    if let Some(response) = source.dyn_ref::<Response>() {
        let name = name_of(&response.url()).unwrap_or_else(|| "the picture".to_owned());
        let body = match response.array_buffer() {
            Ok(body) => wait(body).await,
            Err(error) => Err(error),
        };
        let body = body.map_err(|_| Error::Image {
            file: name.clone(),
            reason: "The response's body cannot be read: it was read before, or broke off. Fetch it again.".into(),
        })?;
        return decode_bytes(&name, &Uint8Array::new(&body).to_vec()).await;
    }
    if is_bytes(source) {
        return decode_bytes("the picture", &Uint8Array::new(source).to_vec()).await;
    }
    if is_address(source) {
        let (name, bytes) = file_of(source, |_| ()).await?;
        return decode_bytes(&name, &bytes).await;
    }
    if let Some(data) = source.dyn_ref::<ImageData>() {
        return RgbaImage::new(&kind, data.width(), data.height(), data.data().0);
    }
    let refuse = |reason: String| Error::Image { file: kind.clone(), reason: reason.into() };
    let sizes = match kind.as_str() {
        "HTMLImageElement" => {
            // An image that is still on its way is waited for; one that cannot be loaded is refused here.
            let decoded = call(source, "decode").and_then(|promise| Ok(wait(promise.dyn_into()?)));
            let decoded = match decoded {
                Ok(promise) => promise.await,
                Err(error) => Err(error),
            };
            decoded.map_err(|e| refuse(format!("The image has not loaded ({}); check its address.", words(&e))))?;
            ["naturalWidth", "naturalHeight"]
        }
        "HTMLVideoElement" => ["videoWidth", "videoHeight"],
        "VideoFrame" => ["displayWidth", "displayHeight"],
        "ImageBitmap" | "HTMLCanvasElement" | "OffscreenCanvas" => ["width", "height"],
        _ => return Err(refuse(format!("This cannot be classified: {EXPECTED}."))),
    };
    let [width, height] = sizes.map(|key| get(source, key).as_f64().unwrap_or_default() as u32);
    if width == 0 || height == 0 {
        let what = if kind == "HTMLVideoElement" {
            "The video has no frame yet; wait for its `loadeddata` event"
        } else {
            "It has no pixels"
        };
        return Err(refuse(format!("{what} ({width} x {height}).")));
    }
    crate::data::image::check_size(&kind, width, height)?;
    let pixels = draw(source, width, height).map_err(|e| {
        let taint = get(&e, "name").as_string().is_some_and(|name| name == "SecurityError");
        refuse(if taint {
            "The browser does not let this page read a picture of another site: serve it with CORS headers and set \
             `crossOrigin = 'anonymous'` before its `src`, or fetch it and give the Blob."
                .into()
        } else {
            format!("The browser cannot draw it ({}).", words(&e))
        })
    })?;
    RgbaImage::new(&kind, width, height, pixels)
}

/// A whole file and its name: from an address (text or `URL`), an `ArrayBuffer`, a `Uint8Array`, a `Blob` or a `File`.
///
/// # Errors
/// [`Error::Network`], [`Error::Io`] with the browser's words, [`Error::Usage`] for anything else.
pub async fn file_of(source: &JsValue, on_progress: impl Fn(f32)) -> Result<(String, Vec<u8>)> {
    if let Some(blob) = source.dyn_ref::<Blob>() {
        let name = source.dyn_ref::<File>().map_or_else(|| "model".to_owned(), File::name);
        let bytes = read_blob(&name, blob).await?;
        return Ok((name, bytes));
    }
    if is_address(source) {
        let url = source.as_string().or_else(|| get(source, "href").as_string()).unwrap_or_default();
        let name = name_of(&url).unwrap_or_else(|| url.clone());
        let progress = |progress: Progress| progress.share().into_iter().for_each(&on_progress);
        return Ok((name, fetch_bytes(&url, progress, &CancelToken::new()).await?));
    }
    if is_bytes(source) {
        return Ok(("model".into(), Uint8Array::new(source).to_vec()));
    }
    Err(Error::Usage(format!(
        "a model is loaded from its address (text or URL) or its bytes (ArrayBuffer, Uint8Array, Blob), not from {}",
        kind_of(source)
    )))
}

fn is_address(source: &JsValue) -> bool {
    source.is_string() || source.is_instance_of::<web_sys::Url>()
}

fn is_bytes(source: &JsValue) -> bool {
    source.is_instance_of::<ArrayBuffer>() || source.is_instance_of::<Uint8Array>()
}

/// The last part of an address's path.
fn name_of(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    path.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// `drawImage` takes all these kinds; naming each of them would cost a binding each.
fn draw(source: &JsValue, width: u32, height: u32) -> Result<Vec<u8>, JsValue> {
    let context = canvas(width, height)?;
    let draw: Function = Reflect::get(&context, &"drawImage".into())?.dyn_into()?;
    draw.call3(&context, source, &0.into(), &0.into())?;
    Ok(context.get_image_data(0.0, 0.0, f64::from(width), f64::from(height))?.data().0)
}

/// The name of its class, `HTMLImageElement`; for anything else its JavaScript type.
fn kind_of(source: &JsValue) -> String {
    let class = get(&get(source, "constructor"), "name").as_string().filter(|_| source.is_object());
    let typed = || source.js_typeof().as_string().unwrap_or_default();
    class.unwrap_or_else(|| if source.is_null() { "null".into() } else { typed() })
}
