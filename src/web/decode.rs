//! Pictures through the browser's decoder: off the main thread, with every format the browser has, and for JPEG the same
//! library (libjpeg-turbo) as the reference pipelines. For JPEG and PNG the `image` crate stands behind it, and it alone reads what
//! browsers do not know (TIFF, PPM, TGA, QOI). HEIC is the browser's, where it has a decoder.
//!
//! What reaches the network must not depend on the way the pixels came:
//! - The bytes are [probed](probe) first, so that a bad file gets the same sentence as on the command line.
//! - No colour management: [`RgbaImage`] keeps the numbers in the file, as Pillow does.
//! - A canvas holds colours multiplied by alpha and so forgets those under transparency, which Pillow keeps: a picture that
//!   PNG that turns out to be transparent is decoded again by the `image` crate.
//! - Some browsers blur what is read from a canvas, against fingerprinting. A canvas of known colours shows it, and then
//!   the `image` crate is used for JPEG and PNG.

use std::cell::OnceCell;

use js_sys::{Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, File, ImageBitmap, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

use super::js::{call_global, wait, words};
use super::task::yield_now;
use crate::data::header::is_whole;
use crate::data::image::{check_size, cut_off, unread};
use crate::data::{Format, RgbaImage, decode_later, probe};
use crate::error::Fault;
use crate::{Error, Result};

/// Largest file that is taken for a picture.
const MAX_BYTES: f64 = 512.0 * 1024.0 * 1024.0;
/// Pixels read from a canvas at a time: below the smallest limit of a browser (16 megapixels) and a few ms of work.
const STRIP_PIXELS: u32 = 4_000_000;

/// Unpacks a picture the person chose, turned upright by its EXIF orientation.
///
/// # Errors
/// [`Error::Image`] with a sentence for the person: a folder, not a picture, empty, broken or cut off, too large, a format
/// this browser does not know.
pub async fn decode_file(file: &File) -> Result<RgbaImage> {
    let name = file.name();
    let refuse = |reason: Fault| Error::Image { file: name.clone(), reason };
    if file.size() > MAX_BYTES {
        let [has, most] = [file.size(), MAX_BYTES].map(|bytes| format!("{:.0} MB", bytes / 1e6));
        return Err(refuse(Fault::TooLarge { has, most }));
    }
    let bytes = super::read_file(file).await.map_err(|_| refuse(Fault::Unreadable {}))?;
    decode_blob(&name, file, &bytes).await
}

/// Unpacks a picture in memory; `name` is used in errors. As [`decode_file`].
///
/// # Errors
/// As [`decode_file`].
pub async fn decode_bytes(name: &str, bytes: &[u8]) -> Result<RgbaImage> {
    probe(name, bytes)?;
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    match Blob::new_with_u8_array_sequence(&parts) {
        Ok(blob) => decode_blob(name, &blob, bytes).await,
        Err(_) => decode_later(name, bytes).await,
    }
}

async fn decode_blob(name: &str, blob: &Blob, bytes: &[u8]) -> Result<RgbaImage> {
    let format = probe(name, bytes)?.format;
    // Browsers show what they have of a file that stops early.
    let whole = is_whole(format, bytes);
    if !whole && !format.is_decodable() {
        return Err(cut_off(name, format));
    }
    let browser = canvas_is_exact() && whole && format.is_a_browsers();
    if !format.is_decodable() || browser {
        match by_browser(name, blob).await {
            Ok(image) if !format.is_decodable() || is_opaque(&image) => return Ok(image),
            Ok(_) => log::debug!("{name} has transparent parts: decoding again without a canvas"),
            Err(Failed::Refused(error)) => return Err(error),
            Err(Failed::Browser(why)) if format.is_decodable() => log::debug!("the browser cannot decode {name}: {why}"),
            // Safari reads them; nothing else does.
            Err(Failed::Browser(_)) if format == Format::Heic => return Err(unread(name, format)),
            Err(Failed::Browser(why)) => {
                log::warn!("the browser cannot decode {name}: {why}");
                return Err(Error::Image { file: name.into(), reason: Fault::NotByThisBrowser { format: format.name() } });
            }
        }
    }
    decode_later(name, bytes).await
}

/// Why the browser gave no pixels.
enum Failed {
    /// It gave up, in its words.
    Browser(String),
    /// The picture is not to be used at all.
    Refused(Error),
}

impl From<JsValue> for Failed {
    fn from(error: JsValue) -> Self {
        Self::Browser(words(&error))
    }
}

/// Closed as soon as its pixels are copied: it holds memory that no garbage collector sees.
struct Bitmap(ImageBitmap);

impl Drop for Bitmap {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn by_browser(name: &str, blob: &Blob) -> Result<RgbaImage, Failed> {
    let options = Object::new();
    for (key, value) in [("imageOrientation", "from-image"), ("premultiplyAlpha", "none"), ("colorSpaceConversion", "none")] {
        Reflect::set(&options, &key.into(), &value.into())?;
    }
    let bitmap = Bitmap(wait(call_global("createImageBitmap", &[blob.into(), options.into()])?).await?.dyn_into()?);
    let (width, height) = (bitmap.0.width(), bitmap.0.height());
    check_size(name, width, height).map_err(Failed::Refused)?;

    let mut pixels = Vec::new();
    pixels
        .try_reserve_exact(width as usize * height as usize * 4)
        .map_err(|_| Failed::Refused(Error::Image { file: name.into(), reason: Fault::NoMemoryForPixels { width, height } }))?;
    let rows = (STRIP_PIXELS / width).clamp(1, height);
    let context = canvas(width, rows)?;
    for top in (0..height).step_by(rows as usize) {
        if top > 0 {
            yield_now().await;
        }
        let rows = rows.min(height - top);
        context.clear_rect(0.0, 0.0, f64::from(width), f64::from(rows));
        context.draw_image_with_image_bitmap(&bitmap.0, 0.0, -f64::from(top))?;
        pixels.extend_from_slice(&read(&context, width, rows)?);
    }
    RgbaImage::new(name, width, height, pixels).map_err(Failed::Refused)
}

/// A canvas in main memory, where reading is cheap and exact.
pub(super) fn canvas(width: u32, height: u32) -> Result<OffscreenCanvasRenderingContext2d, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"willReadFrequently".into(), &true.into())?;
    let context = OffscreenCanvas::new(width, height)?.get_context_with_context_options("2d", &options)?;
    context.ok_or("there is no canvas for it")?.dyn_into().map_err(JsValue::from)
}

pub(super) fn read(context: &OffscreenCanvasRenderingContext2d, width: u32, height: u32) -> Result<Vec<u8>, JsValue> {
    let data = context.get_image_data(0.0, 0.0, f64::from(width), f64::from(height))?;
    Ok(data.data().0)
}

fn is_opaque(image: &RgbaImage) -> bool {
    image.pixels.iter().skip(3).step_by(4).all(|alpha| *alpha == 255)
}

/// Whether a canvas gives back the colours that were painted; found out once.
fn canvas_is_exact() -> bool {
    thread_local!(static EXACT: OnceCell<bool> = const { OnceCell::new() });
    EXACT.with(|exact| {
        *exact.get_or_init(|| {
            let exact = paints_exactly().unwrap_or(false);
            if !exact {
                log::warn!("this browser changes what is read from a canvas: pictures are decoded without it");
            }
            exact
        })
    })
}

fn paints_exactly() -> Result<bool, JsValue> {
    const SIDE: u32 = 32;
    let context = canvas(SIDE, SIDE)?;
    // No two alike: protections leave flat areas alone.
    let colour = |x: u32, y: u32| [(x * 8 + 3) as u8, (y * 8 + 1) as u8, ((x * 37 + y * 91) % 256) as u8];
    for y in 0..SIDE {
        for x in 0..SIDE {
            let [r, g, b] = colour(x, y);
            context.set_fill_style_str(&format!("rgb({r} {g} {b})"));
            context.fill_rect(f64::from(x), f64::from(y), 1.0, 1.0);
        }
    }
    let pixels = read(&context, SIDE, SIDE)?;
    Ok(pixels.chunks_exact(4).zip(0..).all(|(pixel, at)| pixel[..3] == colour(at % SIDE, at / SIDE) && pixel[3] == 255))
}
