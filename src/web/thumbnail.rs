//! Small copies of pictures: a grid of hundreds of photographs must not unpack each of them to show it.

use js_sys::Promise;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{Blob, ImageData, ImageEncodeOptions};

use super::decode::canvas;
use super::files::{ObjectUrl, object_url};
use super::js::{wait, words};
use crate::data::RgbaImage;
use crate::{Error, Result};

/// Longer side of a thumbnail: twice a tile's, for screens with fine pixels.
pub const THUMBNAIL_PX: u32 = 320;

/// An address of a small picture, [reduced](RgbaImage::reduced) to [`THUMBNAIL_PX`], as a file; `name` is used in errors.
///
/// # Errors
/// [`Error::Io`] with the browser's words.
pub async fn thumbnail(name: &str, image: &RgbaImage) -> Result<ObjectUrl> {
    match encode(image) {
        Ok(promise) => match wait(promise).await {
            Ok(blob) => object_url(blob.unchecked_ref::<Blob>()),
            Err(error) => Err(failed(name, &error)),
        },
        Err(error) => Err(failed(name, &error)),
    }
}

fn encode(image: &RgbaImage) -> Result<Promise, JsValue> {
    let context = canvas(image.width, image.height)?;
    let data = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&image.pixels), image.width, image.height)?;
    context.put_image_data(&data, 0.0, 0.0)?;
    let options = ImageEncodeOptions::new();
    // A browser that cannot write WebP makes a PNG of it.
    options.set_type("image/webp");
    Ok(context.canvas().convert_to_blob_with_options(&options)?.unchecked_into())
}

fn failed(name: &str, error: &JsValue) -> Error {
    Error::Io { path: name.into(), reason: words(error) }
}
