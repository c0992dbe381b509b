//! From a file's bytes to pixels, with an error for everything a person may drop instead of a picture.
//!
//! Colours follow Pillow's `Image.open(f).convert("RGB")`, which the networks' reference pipelines use: transparency is
//! dropped, not composed on a background; grey is repeated in three channels; palettes are looked up; of 16 bits the upper
//! eight are kept; colour profiles are not applied. Two things differ on purpose: Pillow clips 16-bit grey at 255, which leaves
//! white, and we keep its upper eight bits; in the page, around a GIF's first frame that covers a part of the screen is black
//! rather than a colour of the palette.
//!
//! In the page [`decode`] reads JPEG, PNG and what browsers do not know: every browser with WebGPU has decoders for the others,
//! and it stands behind the cut of the page's wasm.

use std::io::Cursor;

#[cfg(not(target_arch = "wasm32"))]
use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, webp::WebPDecoder};
use image::codecs::{jpeg::JpegDecoder, png::PngDecoder, pnm::PnmDecoder, qoi::QoiDecoder, tga::TgaDecoder, tiff::TiffDecoder};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError};

use super::{Format, header};
use crate::error::Fault;
use crate::split::in_part;
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
            let reason = format!(
                "The picture came with {} bytes instead of the {expected} that {width} x {height} pixels have; load it again.",
                pixels.len()
            );
            return Err(refuse(file_name, reason.into()));
        }
        Ok(Self { width, height, pixels })
    }

    /// A copy for a thumbnail, at most `side` pixels on its longer side. Each of its pixels is the mean of up to 4 x 4 spread
    /// over what it stands for: smooth enough to look at, and cheap for any size.
    pub fn reduced(&self, side: u32) -> Self {
        const SAMPLES: u64 = 4;
        let longest = self.width.max(self.height);
        if longest <= side {
            return self.clone();
        }
        let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longest)).max(1) as u32;
        let (width, height) = (scaled(self.width), scaled(self.height));
        // Where the samples of pixel `at` of `count` lie in a row or column of `length`.
        let samples = |at: u32, count: u32, length: u32| {
            let parts = u64::from(count) * SAMPLES;
            (0..SAMPLES).map(move |i| ((u64::from(at) * SAMPLES + i) * u64::from(length) / parts) as usize)
        };
        let mut pixels = Vec::with_capacity(width as usize * height as usize * 4);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0_u32; 4];
                for row in samples(y, height, self.height) {
                    for column in samples(x, width, self.width) {
                        let pixel = &self.pixels[(row * self.width as usize + column) * 4..][..4];
                        sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                    }
                }
                pixels.extend(sum.map(|sum| (sum / (SAMPLES * SAMPLES) as u32) as u8));
            }
        }
        Self { width, height, pixels }
    }
}

/// What is known of a picture before its pixels are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The file's format; [`Format::is_decodable`] tells whether [`decode`] reads it.
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
        return Err(refuse(file_name, Fault::EmptyFile {}));
    }
    let format = Format::of_file(file_name, bytes);
    if let Format::Other(what) = format {
        return Err(refuse(file_name, Fault::NotAPicture { what }));
    }
    let size = header::size(format, bytes);
    match size {
        Some((width, height)) => check_size(file_name, width, height)?,
        // Their decoders tell before they unpack.
        None if matches!(format, Format::Avif | Format::Heic | Format::Tiff | Format::Pnm) => {}
        None => return Err(refuse(file_name, Fault::DamagedHeader { format: format.name() })),
    }
    if format == Format::Jpeg {
        if let Some(what) = header::jpeg_oddity(bytes) {
            return Err(refuse(file_name, Fault::OddJpeg { what }));
        }
        if !header::is_whole(format, bytes) {
            return Err(cut_off(file_name, format));
        }
    }
    if let (Format::Gif, Some(size)) = (format, size) {
        check_gif_size(file_name, size, bytes.len())?;
        // Decoders make room for the whole frame, also where it reaches beyond the screen.
        if let Some(frame) = header::gif_frame_size(bytes) {
            check_size(file_name, frame.0, frame.1)?;
            check_gif_size(file_name, frame, bytes.len())?;
        }
    }
    Ok(Probe { format, size })
}

in_part! { pictures:
    /// [`decode`], whose code the page's first part does without: the browser's decoders come first.
    ///
    /// # Errors
    /// Those of [`decode`].
    pub fn decode_later(file_name: &str, bytes: &[u8]) -> Result<RgbaImage> {
        decode(file_name, bytes)
    }
}

/// What to say of a format that nothing here reads.
pub(crate) fn unread(file_name: &str, format: Format) -> Error {
    let reason = match format {
        Format::Heic => Fault::Heic {},
        _ => Fault::UnreadFormat { format: format.name() },
    };
    refuse(file_name, reason)
}

/// Unpacks a picture, turned upright by its EXIF orientation: JPEG, PNG, TIFF (first page), PPM and its kin, TGA, QOI and, on the
/// command line, WebP, GIF (first frame) and BMP.
///
/// # Errors
/// [`Error::Image`] with a sentence for the person: not a picture, broken or cut off, too large (found before anything is
/// allocated), or a format that is known but not read here.
pub fn decode(file_name: &str, bytes: &[u8]) -> Result<RgbaImage> {
    let Probe { format, .. } = probe(file_name, bytes)?;
    if !format.is_decodable() {
        return Err(unread(file_name, format));
    }
    unpack(file_name, format, bytes)
}

fn unpack(file_name: &str, format: Format, bytes: &[u8]) -> Result<RgbaImage> {
    let cursor = Cursor::new(bytes);
    let broken = |error: ImageError| broken(file_name, format, &error);
    match format {
        Format::Jpeg => read(file_name, format, JpegDecoder::new(cursor).map_err(broken)?),
        Format::Png => read(file_name, format, PngDecoder::new(cursor).map_err(broken)?),
        #[cfg(not(target_arch = "wasm32"))]
        Format::WebP => read(file_name, format, WebPDecoder::new(cursor).map_err(broken)?),
        Format::Tiff => read(file_name, format, TiffDecoder::new(cursor).map_err(broken)?),
        Format::Pnm => read(file_name, format, PnmDecoder::new(cursor).map_err(broken)?),
        Format::Tga => read(file_name, format, TgaDecoder::new(cursor).map_err(broken)?),
        Format::Qoi => read(file_name, format, QoiDecoder::new(cursor).map_err(broken)?),
        #[cfg(not(target_arch = "wasm32"))]
        Format::Gif => {
            let mut image = read(file_name, format, GifDecoder::new(cursor).map_err(broken)?)?;
            if let Some((colour, frame)) = header::gif_surroundings(bytes) {
                surround(&mut image, colour, frame);
            }
            Ok(image)
        }
        #[cfg(not(target_arch = "wasm32"))]
        Format::Bmp => read(file_name, format, BmpDecoder::new(cursor).map_err(broken)?),
        _ => Err(broken(ImageError::Unsupported(image::error::ImageFormatHint::Name(format.name().into()).into()))),
    }
}

/// Paints what lies outside of a frame (left, top, right, bottom).
#[cfg(not(target_arch = "wasm32"))]
fn surround(image: &mut RgbaImage, [r, g, b]: [u8; 3], [left, top, right, bottom]: [u32; 4]) {
    let width = image.width;
    for (pixel, at) in image.pixels.chunks_exact_mut(4).zip(0u32..) {
        let (x, y) = (at % width, at / width);
        if !(left..right).contains(&x) || !(top..bottom).contains(&y) {
            pixel.copy_from_slice(&[r, g, b, 0]);
        }
    }
}

/// Grey of a colour as Pillow's `convert("L")` has it: Rec. 601's weights in 65536ths, rounded.
pub fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000) >> 16) as u8
}

/// `DynamicImage` would do the same; it has code for every colour type and operation, most of the page's size once.
fn read<D: ImageDecoder>(file_name: &str, format: Format, mut decoder: D) -> Result<RgbaImage> {
    let (width, height) = decoder.dimensions();
    check_size(file_name, width, height)?;
    // A damaged EXIF block does not spoil the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let colour = decoder.color_type();
    if matches!(colour, ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(refuse(file_name, Fault::Floats { format: format.name() }));
    }
    // At most 8 bytes for each of MAX_PIXELS.
    let bytes = decoder.total_bytes() as usize;
    let mut raw = Vec::new();
    raw.try_reserve_exact(bytes).map_err(|_| refuse(file_name, Fault::NoMemoryForPixels { width, height }))?;
    raw.resize(bytes, 0);
    decoder.read_image(&mut raw).map_err(|error| broken(file_name, format, &error))?;
    let pixels = into_rgba(raw, colour.channel_count().into(), colour.bytes_per_pixel() / colour.channel_count());
    Ok(upright(RgbaImage { width, height, pixels }, orientation))
}

/// To 8-bit RGBA by Pillow's rules, from samples of one or two bytes (native order).
fn into_rgba(raw: Vec<u8>, channels: usize, sample_bytes: u8) -> Vec<u8> {
    if (channels, sample_bytes) == (4, 1) {
        return raw;
    }
    let step = usize::from(sample_bytes);
    let high = if cfg!(target_endian = "little") { step - 1 } else { 0 };
    let pixels = raw.chunks_exact(channels * step);
    let rgba = pixels.flat_map(|pixel| {
        let sample = |channel: usize| pixel[channel * step + high];
        match channels {
            1 => [sample(0), sample(0), sample(0), 255],
            2 => [sample(0), sample(0), sample(0), sample(1)],
            3 => [sample(0), sample(1), sample(2), 255],
            _ => [sample(0), sample(1), sample(2), sample(3)],
        }
    });
    rgba.collect()
}

/// Turns and mirrors a picture as its EXIF block asks.
fn upright(image: RgbaImage, orientation: Orientation) -> RgbaImage {
    // Where an upright pixel comes from: axes exchanged first, then counted from the other end.
    let (exchange, flip_x, flip_y) = match orientation {
        Orientation::NoTransforms => return image,
        Orientation::FlipHorizontal => (false, true, false),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, false, true),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, false, true),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, true, false),
    };
    let (columns, rows) = (image.width as usize, image.height as usize);
    let (width, height) = if exchange { (rows, columns) } else { (columns, rows) };
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for y in 0..height {
        for x in 0..width {
            let (x, y) = if exchange { (y, x) } else { (x, y) };
            let x = if flip_x { columns - 1 - x } else { x };
            let y = if flip_y { rows - 1 - y } else { y };
            pixels.extend_from_slice(&image.pixels[(y * columns + x) * 4..][..4]);
        }
    }
    RgbaImage { width: width as u32, height: height as u32, pixels }
}

/// Refuses a picture without pixels or over [`MAX_SIDE_PX`] or [`MAX_PIXELS`].
///
/// # Errors
/// [`Error::Image`] with a sentence for the person.
pub fn check_size(file_name: &str, width: u32, height: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(refuse(file_name, Fault::NoPixels { width, height }));
    }
    if width > MAX_SIDE_PX || height > MAX_SIDE_PX || u64::from(width) * u64::from(height) > MAX_PIXELS {
        let most = MAX_PIXELS / 1_000_000;
        return Err(refuse(file_name, Fault::TooManyPixels { width, height, side: MAX_SIDE_PX, most }));
    }
    Ok(())
}

/// LZW can repeat a byte some 2700 times (runs of up to 4095 pixels in codes of 12 bits), so a large screen in a small file is
/// damage. Small pictures are left alone: their first frame may cover a part of the screen.
fn check_gif_size(file_name: &str, (width, height): (u32, u32), bytes: usize) -> Result<()> {
    const EXPANSION: u64 = 4096;
    const SMALL: u64 = 16_000_000;
    if u64::from(width) * u64::from(height) <= SMALL.max(EXPANSION * bytes as u64) {
        return Ok(());
    }
    Err(refuse(file_name, Fault::DamagedGif { width, height, bytes }))
}

fn refuse(file_name: &str, reason: Fault) -> Error {
    Error::Image { file: file_name.into(), reason }
}

pub(crate) fn cut_off(file_name: &str, format: Format) -> Error {
    refuse(file_name, Fault::CutOff { format: format.name() })
}

fn broken(file_name: &str, format: Format, error: &ImageError) -> Error {
    if matches!(error, ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof) {
        return cut_off(file_name, format);
    }
    // The decoder's own words are for those who look for them.
    log::info!("{file_name}: {error}");
    let format = format.name();
    refuse(
        file_name,
        match error {
            ImageError::Unsupported(_) => Fault::OddKind { format },
            _ => Fault::DamagedPicture { format },
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &[u8]) -> String {
        match decode("x", bytes).unwrap_err() {
            Error::Image { file, reason } if file == "x" => reason.to_string(),
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
        let mut arithmetic = encoded(image::ImageFormat::Jpeg, 8, 8);
        let frame = arithmetic.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        arithmetic[frame + 1] = 0xc9;
        assert!(reason(&arithmetic).contains("arithmetic-coded JPEG"), "{}", reason(&arithmetic));
    }

    #[test]
    fn every_format_cut_anywhere_is_an_error_and_not_a_panic() {
        for format in [
            image::ImageFormat::Jpeg,
            image::ImageFormat::Png,
            image::ImageFormat::WebP,
            image::ImageFormat::Gif,
            image::ImageFormat::Bmp,
            image::ImageFormat::Tiff,
            image::ImageFormat::Pnm,
            image::ImageFormat::Qoi,
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
        use image::ImageFormat::{Gif, Jpeg, Png, Pnm, Qoi, Tga, Tiff, WebP};
        for format in [Jpeg, Png, WebP, Gif, Tiff, Pnm, Tga, Qoi] {
            let bytes = encoded(format, 24, 24);
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0xa5;
                let _ = decode("x.tga", &damaged);
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
    fn a_small_gif_with_a_huge_screen_is_damage() {
        let mut gif = encoded(image::ImageFormat::Gif, 4, 4);
        gif[6..10].copy_from_slice(&[0x88, 0x13, 0x88, 0x13]);
        let reason = reason(&gif);
        assert!(reason.starts_with("The GIF picture is damaged (5000 x 5000 pixels cannot be in"), "{reason}");
    }

    #[test]
    fn a_huge_frame_on_a_small_screen_is_damage_too() {
        let gif = encoded(image::ImageFormat::Gif, 4, 4);
        let frame = gif.windows(9).position(|part| part == [0x2c, 0, 0, 0, 0, 4, 0, 4, 0]).unwrap();
        let with_side = |side: u16| {
            let mut gif = gif.clone();
            for at in [5, 7] {
                gif[frame + at..frame + at + 2].copy_from_slice(&side.to_le_bytes());
            }
            reason(&gif)
        };
        assert!(
            with_side(5000).starts_with("The GIF picture is damaged (5000 x 5000 pixels cannot be in"),
            "{}",
            with_side(5000)
        );
        assert!(with_side(65_535).starts_with("The picture is 65535 x 65535 pixels"), "{}", with_side(65_535));
    }

    #[test]
    fn pictures_are_turned_as_the_image_crate_turns_them() {
        let raw: Vec<u8> = (0..3 * 5 * 4).collect();
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut expected = image::DynamicImage::from(image::RgbaImage::from_raw(3, 5, raw.clone()).unwrap());
            expected.apply_orientation(orientation);
            let found = upright(RgbaImage { width: 3, height: 5, pixels: raw.clone() }, orientation);
            assert_eq!((found.width, found.height), (expected.width(), expected.height()), "{exif}");
            assert_eq!(found.pixels, expected.into_bytes(), "{exif}");
        }
    }

    #[test]
    fn a_reduced_picture_keeps_its_shape_and_colours() {
        let pixels = (0..300 * 100).flat_map(|i| if i % 300 < 150 { [200, 0, 0, 255] } else { [0, 0, 100, 255] }).collect();
        let small = RgbaImage { width: 300, height: 100, pixels }.reduced(30);
        assert_eq!((small.width, small.height, small.pixels.len()), (30, 10, 1200));
        assert_eq!(small.pixels[..4], [200, 0, 0, 255]);
        assert_eq!(small.pixels[29 * 4..30 * 4], [0, 0, 100, 255]);
        assert_eq!(small.reduced(30), small, "small enough already");
        let line = RgbaImage { width: 5000, height: 1, pixels: vec![9; 20_000] }.reduced(100);
        assert_eq!((line.width, line.height), (100, 1));
    }

    #[test]
    fn formats_of_science_and_games_are_read_as_they_are() {
        let png = decode("x", &encoded(image::ImageFormat::Png, 9, 7)).unwrap();
        for format in [image::ImageFormat::Tiff, image::ImageFormat::Pnm, image::ImageFormat::Tga, image::ImageFormat::Qoi] {
            assert_eq!(decode("x.tga", &encoded(format, 9, 7)).unwrap(), png, "{format:?}");
        }
        assert_eq!(decode("x", b"P2\n2 1\n255\n7 200\n").unwrap().pixels, [7, 7, 7, 255, 200, 200, 200, 255]);
        let floats = image::Rgb32FImage::from_pixel(2, 2, image::Rgb([0.5; 3]));
        let mut bytes = Cursor::new(Vec::new());
        floats.write_to(&mut bytes, image::ImageFormat::Tiff).unwrap();
        assert!(reason(&bytes.into_inner()).contains("floating-point"));
    }

    #[test]
    fn around_a_small_first_frame_is_the_palettes_colour_as_in_pillow() {
        // 4 x 3 pixels, a palette of four colours, a frame of 2 x 2 at (1, 1); the values are Pillow 13's.
        let gif = |control: &[u8]| {
            let mut bytes = b"GIF89a\x04\0\x03\0\x81\x01\0".to_vec();
            bytes.extend([10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200]);
            bytes.extend(control);
            bytes.extend(b"\x2c\x01\0\x01\0\x02\0\x02\0\0\x02\x03\x8c\x16\x05\0\x3b");
            bytes
        };
        let corner = |bytes: &[u8]| decode("x", bytes).unwrap().pixels[..3].to_vec();
        assert_eq!(corner(&gif(b"")), [10, 20, 30]);
        assert_eq!(corner(&gif(b"\x21\xf9\x04\x01\0\0\x02\0")), [0, 200, 0]);
        assert_eq!(decode("x", &gif(b"")).unwrap().pixels[5 * 4..][..3], [200, 0, 0]);
    }

    #[test]
    fn grey_is_pillows() {
        // Image.new("RGB", (1, 1), c).convert("L") of Pillow 13.
        for (colour, grey) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([12, 34, 56], 30), ([255; 3], 255)] {
            assert_eq!(luma(colour), grey, "{colour:?}");
        }
    }

    #[test]
    fn samples_become_rgba() {
        assert_eq!(into_rgba(vec![7, 9], 1, 1), [7, 7, 7, 255, 9, 9, 9, 255]);
        assert_eq!(into_rgba(vec![7, 9], 2, 1), [7, 7, 7, 9]);
        let wide: Vec<u8> = [0x1234_u16, 0x5678, 0x9abc].iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(into_rgba(wide, 3, 2), [0x12, 0x56, 0x9a, 255]);
    }

    #[test]
    fn pixels_from_elsewhere_are_checked() {
        assert!(RgbaImage::new("x", 2, 2, vec![0; 16]).is_ok());
        assert!(RgbaImage::new("x", 2, 2, vec![0; 15]).unwrap_err().to_string().contains("15 bytes instead of the 16"));
        assert!(RgbaImage::new("x", 0, 2, vec![]).unwrap_err().to_string().contains("no pixels"));
    }
}
