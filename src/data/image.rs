//! From a file's bytes to pixels, with an error for everything a person may drop instead of a picture.
//!
//! Colours follow Pillow's `Image.open(f).convert("RGB")`, which the networks' reference pipelines use: transparency is
//! dropped, not composed on a background; grey is repeated in three channels; palettes are looked up; of 16 bits the upper
//! eight are kept; colour profiles are not applied.

use std::io::Cursor;

use image::codecs::{bmp, gif, jpeg, png, webp};
use image::{DynamicImage, ImageDecoder, ImageError};

use super::Format;
use crate::{Error, Result};

/// Longest side of a picture that is read.
pub const MAX_SIDE_PX: u32 = 16_384;
/// Most pixels of a picture that is read; 400 MB once unpacked.
pub const MAX_PIXELS: u64 = 100_000_000;

/// A picture in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbaImage {
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// RGBA, 8 bits each, row-major, straight alpha: `width * height * 4` bytes.
    pub pixels: Vec<u8>,
}

impl std::fmt::Debug for RgbaImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbaImage({} x {})", self.width, self.height)
    }
}

impl RgbaImage {
    /// A picture from unpacked pixels, e.g. a browser's `ImageData`.
    ///
    /// # Errors
    /// [`Error::Image`] when a side is 0 or over the limits, or the number of bytes is not `width * height * 4`.
    pub fn new(file_name: &str, width: u32, height: u32, pixels: Vec<u8>) -> Result<Self> {
        check_size(file_name, width, height)?;
        let expected = u64::from(width) * u64::from(height) * 4;
        if pixels.len() as u64 != expected {
            return Err(refuse(
                file_name,
                format!(
                    "The picture came with {} bytes instead of the {expected} that {width} x {height} pixels have; load it \
                     again.",
                    pixels.len()
                ),
            ));
        }
        Ok(Self { width, height, pixels })
    }
}

/// What is known of a picture before its pixels are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The file's format; AVIF is the only one here that [`decode`] does not read.
    pub format: Format,
    /// Columns and rows as stored, before the EXIF orientation; `None` where only the decoder can tell.
    pub size: Option<(u32, u32)>,
}

/// Checks a file without unpacking it: it is a picture, it is whole as far as can be told cheaply, it is not too large. A
/// browser calls this before it hands the bytes to its own decoder, so that the answers to a bad file are the same
/// everywhere.
///
/// # Errors
/// [`Error::Image`] with a sentence for the person.
pub fn probe(file_name: &str, bytes: &[u8]) -> Result<Probe> {
    if bytes.is_empty() {
        return Err(refuse(file_name, "The file is empty (0 bytes); save or download it again.".into()));
    }
    let format = Format::of(bytes);
    match format {
        Format::Heic => Err(refuse(
            file_name,
            "This is a HEIC picture (an iPhone's format), which cannot be read here; save or export it as JPEG and use that."
                .into(),
        )),
        Format::Other(what) => Err(refuse(
            file_name,
            format!("This is not a picture that can be read but {what}; use a JPEG, PNG, WebP, GIF or BMP picture."),
        )),
        Format::Avif => {
            let size = avif_size(bytes);
            if let Some((width, height)) = size {
                check_size(file_name, width, height)?;
            }
            Ok(Probe { format, size })
        }
        _ => {
            let (width, height) = open(format, bytes).map_err(|e| broken(file_name, format, &e))?.dimensions();
            check_size(file_name, width, height)?;
            if format == Format::Jpeg && !jpeg_is_whole(bytes) {
                return Err(cut_off(file_name, format));
            }
            Ok(Probe { format, size: Some((width, height)) })
        }
    }
}

/// Unpacks a picture: JPEG, PNG, WebP, GIF (first frame) or BMP, turned upright by its EXIF orientation.
///
/// # Errors
/// [`Error::Image`] with a sentence for the person: not a picture, broken or cut off, too large (found before anything is
/// allocated), or a format that is known but not read here.
pub fn decode(file_name: &str, bytes: &[u8]) -> Result<RgbaImage> {
    let Probe { format, .. } = probe(file_name, bytes)?;
    if !format.is_decodable() {
        return Err(refuse(
            file_name,
            format!(
                "{} pictures are only read by browsers that know the format; save or export it as JPEG or PNG and use that.",
                format.name()
            ),
        ));
    }
    let image = unpack(format, bytes).map_err(|e| broken(file_name, format, &e))?;
    let (width, height) = (image.width(), image.height());
    Ok(RgbaImage { width, height, pixels: into_rgba(image) })
}

fn unpack(format: Format, bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let mut decoder = open(format, bytes)?;
    // A damaged EXIF block does not spoil the picture.
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// A decoder that has read the header and nothing else.
fn open(format: Format, bytes: &[u8]) -> Result<Box<dyn ImageDecoder + '_>, ImageError> {
    let cursor = Cursor::new(bytes);
    Ok(match format {
        Format::Jpeg => Box::new(jpeg::JpegDecoder::new(cursor)?),
        Format::Png => Box::new(png::PngDecoder::new(cursor)?),
        Format::WebP => Box::new(webp::WebPDecoder::new(cursor)?),
        Format::Gif => Box::new(gif::GifDecoder::new(cursor)?),
        Format::Bmp => Box::new(bmp::BmpDecoder::new(cursor)?),
        Format::Avif | Format::Heic | Format::Other(_) => {
            return Err(ImageError::Unsupported(image::error::ImageFormatHint::Name(format.name().into()).into()));
        }
    })
}

/// To 8-bit RGBA by Pillow's rules.
fn into_rgba(image: DynamicImage) -> Vec<u8> {
    let high = |v: u16| (v >> 8) as u8;
    match image {
        DynamicImage::ImageLuma16(b) => b.iter().flat_map(|&l| [high(l), high(l), high(l), 255]).collect(),
        DynamicImage::ImageLumaA16(b) => {
            b.pixels().flat_map(|p| [high(p.0[0]), high(p.0[0]), high(p.0[0]), high(p.0[1])]).collect()
        }
        DynamicImage::ImageRgb16(b) => b.pixels().flat_map(|p| [high(p.0[0]), high(p.0[1]), high(p.0[2]), 255]).collect(),
        DynamicImage::ImageRgba16(b) => b.iter().map(|&v| high(v)).collect(),
        other => other.into_rgba8().into_raw(),
    }
}

/// Refuses a picture without pixels or over [`MAX_SIDE_PX`] or [`MAX_PIXELS`].
///
/// # Errors
/// [`Error::Image`] with a sentence for the person.
pub fn check_size(file_name: &str, width: u32, height: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(refuse(file_name, format!("The picture has no pixels ({width} x {height}); use another one.")));
    }
    if width > MAX_SIDE_PX || height > MAX_SIDE_PX || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(refuse(
            file_name,
            format!(
                "The picture is {width} x {height} pixels; up to {MAX_SIDE_PX} pixels a side and {} megapixels can be read. \
                 Make it smaller first.",
                MAX_PIXELS / 1_000_000
            ),
        ));
    }
    Ok(())
}

fn refuse(file_name: &str, reason: String) -> Error {
    Error::Image { file: file_name.into(), reason }
}

fn cut_off(file_name: &str, format: Format) -> Error {
    let name = format.name();
    refuse(file_name, format!("The {name} picture stops before its end; download or copy it again."))
}

fn broken(file_name: &str, format: Format, error: &ImageError) -> Error {
    if matches!(error, ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof) {
        return cut_off(file_name, format);
    }
    let detail = error.to_string();
    let detail = detail.trim_end_matches(['.', '\n', ' ']);
    let name = format.name();
    match error {
        ImageError::Unsupported(_) => refuse(
            file_name,
            format!("This kind of {name} picture cannot be read ({detail}); save it as an ordinary JPEG or PNG and use that."),
        ),
        _ => refuse(
            file_name,
            format!("The {name} picture is damaged ({detail}); download or export it again, or use another one."),
        ),
    }
}

/// Whether a JPEG has an end: decoders fill what is missing with grey and say nothing.
///
/// The segments before the first scan are skipped by their length, because an embedded thumbnail has an end marker too.
/// In a scan 0xFF is always followed by a zero or a restart marker, so FF D9 after it can only be the end.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == 0xff {
            // Fill bytes may precede a marker.
            at += 1;
            continue;
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == START_OF_SCAN {
            return bytes.get(at..).is_some_and(|scan| scan.windows(2).any(|pair| pair == [0xff, 0xd9]));
        }
    }
    false
}

/// The largest image extent of an AVIF: the `ispe` properties (ISO 23008-12, 6.5.3) hold a version word, width and height.
fn avif_size(bytes: &[u8]) -> Option<(u32, u32)> {
    // Properties stand in the `meta` box at the start.
    let head = &bytes[..bytes.len().min(64 * 1024)];
    let word = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]);
    head.windows(16)
        .filter(|w| w.starts_with(b"ispe"))
        .map(|w| (word(&w[8..]), word(&w[12..])))
        .max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &[u8]) -> String {
        match decode("x", bytes).unwrap_err() {
            Error::Image { file, reason } if file == "x" => reason,
            other => panic!("{other:?}"),
        }
    }

    fn encoded(format: image::ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let mut image = image::RgbImage::new(width, height);
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            *pixel = image::Rgb([(x * 7) as u8, (y * 5) as u8, (x * y) as u8]);
        }
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).expect("encoding to memory");
        bytes.into_inner()
    }

    #[test]
    fn sentences_for_what_is_no_picture() {
        assert_eq!(reason(b""), "The file is empty (0 bytes); save or download it again.");
        assert!(reason(b"%PDF-1.4 ...").starts_with("This is not a picture that can be read but a PDF document; use a JPEG"));
        assert!(reason(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").contains("HEIC picture"));
        assert!(reason(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf").contains("AVIF pictures are only read by browsers"));
    }

    #[test]
    fn every_format_cut_anywhere_is_an_error_and_not_a_panic() {
        for format in [
            image::ImageFormat::Jpeg,
            image::ImageFormat::Png,
            image::ImageFormat::WebP,
            image::ImageFormat::Gif,
            image::ImageFormat::Bmp,
        ] {
            let bytes = encoded(format, 37, 23);
            let whole = decode("x", &bytes).unwrap_or_else(|e| panic!("{format:?}: {e}"));
            assert_eq!((whole.width, whole.height, whole.pixels.len()), (37, 23, 37 * 23 * 4));
            for end in (1..bytes.len() * 9 / 10).step_by(7) {
                let reason = reason(&bytes[..end]);
                assert!(reason.ends_with('.'), "{format:?} cut at {end}: {reason}");
            }
        }
        let jpeg = encoded(image::ImageFormat::Jpeg, 64, 64);
        assert!(reason(&jpeg[..jpeg.len() * 2 / 3]).contains("JPEG picture stops before its end"));
        let png = encoded(image::ImageFormat::Png, 64, 64);
        assert!(reason(&png[..png.len() / 2]).contains("PNG picture stops before its end"));
    }

    #[test]
    fn damaged_bytes_never_panic() {
        for format in [image::ImageFormat::Jpeg, image::ImageFormat::Png, image::ImageFormat::WebP, image::ImageFormat::Gif] {
            let bytes = encoded(format, 24, 24);
            for at in 4..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0xa5;
                let _ = decode("x", &damaged);
            }
        }
    }

    #[test]
    fn huge_pictures_are_refused_by_their_header() {
        // A header alone: nothing could be decoded, so the size must have been looked at first.
        let mut bmp = encoded(image::ImageFormat::Bmp, 4, 4);
        bmp[18..22].copy_from_slice(&50_000u32.to_le_bytes());
        assert!(reason(&bmp).starts_with("The picture is 50000 x 4 pixels; up to 16384 pixels a side"));
        let mut gif = encoded(image::ImageFormat::Gif, 4, 4);
        gif[6..10].copy_from_slice(&[0xff; 4]);
        assert!(reason(&gif).starts_with("The picture is 65535 x 65535 pixels"), "{}", reason(&gif));
        let mut jpeg = encoded(image::ImageFormat::Jpeg, 8, 8);
        let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        jpeg[frame + 7..frame + 9].copy_from_slice(&50_000u16.to_be_bytes());
        assert!(reason(&jpeg).starts_with("The picture is 50000 x 8 pixels"), "{}", reason(&jpeg));
        assert!(check_size("x", 16_384, 6_000).is_ok());
        assert!(check_size("x", 16_384, 7_000).is_err());
        let mut avif = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf".to_vec();
        avif.extend(b"\0\0\0\x14ispe\0\0\0\0\0\0\xc3\x50\0\0\0\x10");
        assert!(reason(&avif).starts_with("The picture is 50000 x 16 pixels"));
    }

    #[test]
    fn pixels_from_elsewhere_are_checked() {
        assert!(RgbaImage::new("x", 2, 2, vec![0; 16]).is_ok());
        assert!(RgbaImage::new("x", 2, 2, vec![0; 15]).unwrap_err().to_string().contains("15 bytes instead of the 16"));
        assert!(RgbaImage::new("x", 0, 2, vec![]).unwrap_err().to_string().contains("no pixels"));
    }
}
