//! A picture made ready to be kept in a project: of a size that is worth keeping, with a thumbnail and a digest.

use web_sys::{Blob, File};

use super::decode_bytes;
use super::files::{blob, read_blob, read_file};
use super::thumbnail::encode;
use crate::data::{RgbaImage, probe};
use crate::{Result, studio};

/// Files up to this size are kept as they are.
const KEEP_BYTES: usize = 400_000;
/// Longer side of what is kept of larger ones: no network here sees more than a third of it.
const KEEP_PX: u32 = 1024;
/// Longer side of a tile's picture: twice the tile's, for screens with fine pixels.
const TILE_PX: u32 = 176;

/// What is kept of a picture.
#[derive(Debug)]
pub struct Specimen {
    /// The picture itself: the file as it was, or a smaller JPEG.
    pub file: Blob,
    /// MIME type of `file`.
    pub kind: String,
    /// For its tile.
    pub thumbnail: Blob,
    /// Pixels of `file`.
    pub width: u32,
    /// Pixels of `file`.
    pub height: u32,
    /// Bytes of `file`.
    pub bytes: u64,
    /// CRC-32 of `file`.
    pub crc32: u32,
    /// Digest of the file as it came.
    pub digest: String,
}

/// Makes a file ready.
///
/// # Errors
/// [`Error::Image`](crate::Error::Image) with a sentence for the person, as [`decode_file`](super::decode_file).
pub async fn specimen_of_file(file: &File) -> Result<Specimen> {
    let bytes = read_file(file).await?;
    specimen_of_bytes(&file.name(), &bytes).await
}

/// Makes a file in memory ready; `name` is used in errors.
///
/// # Errors
/// As [`specimen_of_file`].
pub async fn specimen_of_bytes(name: &str, bytes: &[u8]) -> Result<Specimen> {
    let digest = studio::digest(bytes);
    let format = probe(name, bytes)?.format;
    let image = decode_bytes(name, bytes).await?;
    let kept;
    let (kind, pixels, bytes) = match format.mime() {
        Some(kind) if bytes.len() <= KEEP_BYTES => (kind, (image.width, image.height), bytes),
        _ => {
            let smaller = image.reduced(KEEP_PX);
            kept = read_blob(name, &encode(name, &smaller, "image/jpeg", 0.92).await?).await?;
            ("image/jpeg", (smaller.width, smaller.height), &kept[..])
        }
    };
    finish(name, &image, kind, pixels, bytes, digest).await
}

/// Makes pixels ready, written as a file of this MIME type; `name` is used in errors.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) with the browser's words.
pub async fn specimen_of_image(name: &str, image: &RgbaImage, kind: &str) -> Result<Specimen> {
    let bytes = read_blob(name, &encode(name, image, kind, 0.92).await?).await?;
    let digest = studio::digest(&bytes);
    finish(name, image, kind, (image.width, image.height), &bytes, digest).await
}

async fn finish(
    name: &str,
    image: &RgbaImage,
    kind: &str,
    (width, height): (u32, u32),
    bytes: &[u8],
    digest: String,
) -> Result<Specimen> {
    Ok(Specimen {
        file: blob(name, bytes, kind)?,
        kind: kind.into(),
        thumbnail: encode(name, &image.reduced(TILE_PX), "image/webp", 0.8).await?,
        width,
        height,
        bytes: bytes.len() as u64,
        crc32: crc32fast::hash(bytes),
        digest,
    })
}
