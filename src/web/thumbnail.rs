//! Pictures written as files by the browser: small copies of them, since a grid of hundreds of photographs must not unpack each of
//! them to show it, and what a project keeps.

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
    object_url(&encode(name, image, "image/webp", 0.8).await?)
}

/// A file of the picture, of a MIME type the browser writes (one that it does not becomes a PNG); `quality` is 0 to 1.
///
/// # Errors
/// [`Error::Io`] with the browser's words.
pub async fn encode(name: &str, image: &RgbaImage, kind: &str, quality: f64) -> Result<Blob> {
    let written = async {
        let context = canvas(image.width, image.height)?;
        let data = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&image.pixels), image.width, image.height)?;
        context.put_image_data(&data, 0.0, 0.0)?;
        let options = ImageEncodeOptions::new();
        options.set_type(kind);
        options.set_quality(quality);
        let promise = context.canvas().convert_to_blob_with_options(&options)?;
        Ok::<_, JsValue>(wait(promise.unchecked_into()).await?.unchecked_into())
    };
    written.await.map_err(|e| Error::Io { path: name.into(), reason: words(&e) })
}
