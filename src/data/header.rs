//! What a picture's file says of itself before anything is unpacked: its size, and whether it reaches its end.
//!
//! Decoders are not asked. The page leaves some formats to the browser, whose decoder unpacks 50,000 pixels a side before it
//! tells, and shows what it has of a file that was cut off.

use super::Format;

/// Columns and rows as stored, before the EXIF orientation; `None` where the header is damaged, cut off or has no size.
pub fn size(format: Format, bytes: &[u8]) -> Option<(u32, u32)> {
    match format {
        Format::Jpeg => jpeg_size(bytes),
        // The first chunk is IHDR (PNG specification, 11.2.1).
        Format::Png if bytes.get(12..16)? == b"IHDR" => Some((big32(bytes, 16)?, big32(bytes, 20)?)),
        Format::WebP => webp_size(bytes),
        // The logical screen (GIF89a, 18).
        Format::Gif => Some((little(bytes, 6, 2)?, little(bytes, 8, 2)?)),
        Format::Bmp => bmp_size(bytes),
        Format::Avif | Format::Heic => avif_size(bytes),
        // The specification's header: four bytes of name, then both sides.
        Format::Qoi => Some((big32(bytes, 4)?, big32(bytes, 8)?)),
        Format::Tga => Some((little(bytes, 12, 2)?, little(bytes, 14, 2)?)),
        _ => None,
    }
}

/// What makes a JPEG one of those that hardly any program reads, in words; `None` for ordinary ones (ITU-T T.81, table B.1).
pub fn jpeg_oddity(bytes: &[u8]) -> Option<&'static str> {
    let (marker, frame, _) = jpeg_frame(bytes)?;
    match marker {
        0xc5..=0xc7 => Some("a hierarchical JPEG"),
        0xc3 => Some("a lossless JPEG (as medical devices and cameras' raw files have it)"),
        0xc9..=0xcb | 0xcd..=0xcf => Some("an arithmetic-coded JPEG"),
        _ if frame.first().is_some_and(|precision| *precision != 8) => Some("a JPEG with 12 bits a sample"),
        _ => None,
    }
}

/// The colour around the first frame of a GIF that covers a part of the screen, as Pillow shows it, and the frame's left, top,
/// right and bottom: that of the transparent entry of the palette, or of its first. `None` where the frame covers all.
pub fn gif_surroundings(bytes: &[u8]) -> Option<([u8; 3], [u32; 4])> {
    let (width, height) = size(Format::Gif, bytes)?;
    let (at, transparent) = gif_frame(bytes)?;
    let side = |offset: usize| little(bytes, at + offset, 2);
    let (left, top) = (side(1)?, side(3)?);
    let (right, bottom) = (left + side(5)?, top + side(7)?);
    if left == 0 && top == 0 && right >= width && bottom >= height {
        return None;
    }
    // The frame's own palette goes before the screen's.
    let palette = if bytes.get(at + 9)? & 0x80 == 0 { 13 } else { at + 10 };
    let colour = bytes.get(palette + 3 * transparent..).and_then(|rest| rest.first_chunk::<3>());
    Some((*colour?, [left, top, right, bottom]))
}

/// Width and height of a GIF's first frame, which may be larger than the screen.
pub fn gif_frame_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (at, _) = gif_frame(bytes)?;
    Some((little(bytes, at + 5, 2)?, little(bytes, at + 7, 2)?))
}

/// Where the first frame of a GIF begins, and its transparent entry.
fn gif_frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut transparent = 0;
    loop {
        match bytes.get(at)? {
            // Graphic control: a length of 4, flags, a delay, the transparent entry.
            0x21 => {
                if bytes.get(at + 1) == Some(&0xf9) && bytes.get(at + 3)? & 1 == 1 {
                    transparent = usize::from(*bytes.get(at + 6)?);
                }
                at += 2;
                while let length @ 1.. = usize::from(*bytes.get(at)?) {
                    at += 1 + length;
                }
                at += 1;
            }
            0x2c => return Some((at, transparent)),
            0 => at += 1,
            _ => return None,
        }
    }
}

/// Whether the picture (of a GIF, the first frame) reaches its end, as far as the file's structure tells.
pub fn is_whole(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::Jpeg => jpeg_is_whole(bytes),
        Format::Png => png_has_end(bytes),
        // A RIFF file says its length after the first four bytes, without the eight of this header.
        Format::WebP => little(bytes, 4, 4).is_some_and(|length| bytes.len() as u64 >= u64::from(length) + 8),
        Format::Gif => gif_frame_is_whole(bytes).unwrap_or(false),
        Format::Bmp => bmp_is_whole(bytes).unwrap_or(false),
        _ => true,
    }
}

/// Start of scan, the last segment that can be skipped by its length.
const JPEG_SCAN: u8 = 0xda;

/// The segments up to the first scan: marker, contents and the offset behind them (ITU-T T.81, B.1.1.4).
fn jpeg_segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8], usize)> {
    let mut at = 2;
    let mut done = false;
    std::iter::from_fn(move || {
        while !done {
            let &[0xff, marker, high, low] = bytes.get(at..at + 4)? else { return None };
            if marker == 0xff {
                // Fill bytes may precede a marker.
                at += 1;
                continue;
            }
            let start = at + 4;
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
            done = marker == JPEG_SCAN;
            return Some((marker, bytes.get(start..at).unwrap_or_default(), at));
        }
        None
    })
}

/// The frame's marker and header.
fn jpeg_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    // Frames are the markers C0 to CF without the tables C4 and CC and the reserved C8 (T.81, table B.1).
    let frame = |marker: u8| marker & 0xf0 == 0xc0 && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
    jpeg_segments(bytes).find(|(marker, ..)| frame(*marker))
}

fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (_, frame, _) = jpeg_frame(bytes)?;
    let &[_precision, h1, h0, w1, w0, ..] = frame else { return None };
    Some((u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into()))
}

/// Decoders fill what is missing of a JPEG with grey and say nothing.
///
/// The segments before the first scan are skipped, because an embedded thumbnail has an end marker too. In a scan 0xFF is
/// always followed by a zero or a restart marker, so FF D9 after it can only be the end.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let scan = jpeg_segments(bytes).find(|(marker, ..)| *marker == JPEG_SCAN);
    scan.and_then(|(_, _, end)| bytes.get(end..)).is_some_and(|scan| scan.windows(2).any(|pair| pair == [0xff, 0xd9]))
}

/// The last chunk of a PNG is an empty IEND (PNG specification, 11.2.5).
fn png_has_end(bytes: &[u8]) -> bool {
    let mut at = 8_usize;
    while let Some(&[a, b, c, d, ref kind @ ..]) = bytes.get(at..at.saturating_add(8)) {
        // Length, name and checksum are four bytes each.
        let next = at.checked_add(u32::from_be_bytes([a, b, c, d]) as usize).and_then(|end| end.checked_add(12));
        let Some(next) = next else { return false };
        if kind == b"IEND" {
            return true;
        }
        at = next;
    }
    false
}

/// By the kind of the first chunk: lossy (RFC 6386, 9.1), lossless (RFC 9649, 3.4) or extended (RFC 9649, 2.7).
fn webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8 " if bytes.get(23..26)? == b"\x9d\x01\x2a" => {
            Some((little(bytes, 26, 2)? & 0x3fff, little(bytes, 28, 2)? & 0x3fff))
        }
        b"VP8L" if bytes.get(20) == Some(&0x2f) => {
            let bits = little(bytes, 21, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1)),
        _ => None,
    }
}

/// Follows the blocks (GIF89a, 20 to 26) to the end of the first frame; `None` where the file ends before.
fn gif_frame_is_whole(bytes: &[u8]) -> Option<bool> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let behind_blocks = |mut at: usize| loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    };
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        at = match bytes.get(at)? {
            // An extension: a label, then blocks.
            0x21 => behind_blocks(at + 2)?,
            // A frame: place and size, colours, the code size, blocks.
            0x2c => return behind_blocks(at + 11 + table(*bytes.get(at + 9)?)).map(|_| true),
            // Some writers pad.
            0 => at + 1,
            _ => return Some(false),
        };
    }
}

/// The header Windows has had since 3.0 holds 32-bit sizes, the one before 16-bit ones; rows from the top have a negative
/// height.
fn bmp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    if little(bytes, 14, 4)? == BMP_CORE_HEADER {
        return Some((little(bytes, 18, 2)?, little(bytes, 20, 2)?));
    }
    let signed = |at: usize| little(bytes, at, 4).map(u32::cast_signed);
    Some((u32::try_from(signed(18)?).ok()?, signed(22)?.unsigned_abs()))
}

const BMP_CORE_HEADER: u32 = 12;

fn bmp_is_whole(bytes: &[u8]) -> Option<bool> {
    /// Run-length encodings of 8 and 4 bits; everything else a bitmap holds is plain rows.
    const RUNS: [u32; 2] = [1, 2];
    let (width, height) = bmp_size(bytes)?;
    let core = little(bytes, 14, 4)? == BMP_CORE_HEADER;
    let bits = little(bytes, if core { 24 } else { 28 }, 2)?;
    let compression = if core { 0 } else { little(bytes, 30, 4)? };
    let length = match compression {
        runs if RUNS.contains(&runs) => u64::from(little(bytes, 34, 4)?),
        _ => (u64::from(width) * u64::from(bits)).div_ceil(32) * 4 * u64::from(height),
    };
    Some(bytes.len() as u64 >= u64::from(little(bytes, 10, 4)?) + length)
}

/// The largest image extent of an AVIF: the `ispe` properties (ISO 23008-12, 6.5.3) hold a version word, width and height.
fn avif_size(bytes: &[u8]) -> Option<(u32, u32)> {
    // Properties stand in the `meta` box at the start.
    let head = &bytes[..bytes.len().min(64 * 1024)];
    (0..head.len())
        .filter(|at| head[*at..].starts_with(b"ispe"))
        .filter_map(|at| Some((big32(head, at + 8)?, big32(head, at + 12)?)))
        .max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

/// `count` bytes at `at`, the lowest first.
fn little(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    Some(bytes.get(at..at + count)?.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

/// Four bytes at `at`, the highest first.
fn big32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    #[test]
    fn sizes_are_the_decoders_and_files_end_where_they_end() {
        let names = ["baseline420.jpg", "progressive.jpg", "rotated.jpg", "grey16.png", "lossy.webp", "lossless.webp"];
        for name in names.into_iter().chain(["animated.gif", "rgb.bmp", "palette.bmp"]) {
            let bytes = fixture(name);
            let format = Format::of(&bytes);
            let expected = image::ImageReader::new(std::io::Cursor::new(&bytes)).with_guessed_format().unwrap();
            assert_eq!(size(format, &bytes), expected.into_dimensions().ok(), "{name}");
            assert!(is_whole(format, &bytes), "{name}");
            for end in 0..bytes.len() {
                // No cut may panic, and one before the picture's last quarter is always noticed.
                let (_, whole) = (size(format, &bytes[..end]), is_whole(format, &bytes[..end]));
                let frames = if name == "animated.gif" { 8 } else { 1 };
                assert!(!whole || end > bytes.len() * 3 / 4 / frames, "{name} cut at {end} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn rarer_headers_are_read_too() {
        let mut webp = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0".to_vec();
        webp.extend([0x4f, 0xc3, 0x00, 0x0f, 0x00, 0x00]);
        assert_eq!(size(Format::WebP, &webp), Some((50_000, 16)));
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0\x02\0\x03\0\x01\0\x18\0".to_vec();
        assert_eq!(size(Format::Bmp, &bmp), Some((2, 3)));
        bmp.extend([0; 2 * 4 * 3 - 1]);
        assert!(!is_whole(Format::Bmp, &bmp));
        bmp.push(0);
        assert!(is_whole(Format::Bmp, &bmp));
        let mut top_down = fixture("rgb.bmp");
        let (width, height) = size(Format::Bmp, &top_down).unwrap();
        top_down[22..26].copy_from_slice(&(-height.cast_signed()).to_le_bytes());
        assert_eq!(size(Format::Bmp, &top_down), Some((width, height)));
    }

    #[test]
    fn jpegs_that_hardly_anything_reads_are_named() {
        let ordinary = fixture("baseline420.jpg");
        assert_eq!(jpeg_oddity(&ordinary), None);
        assert_eq!(jpeg_oddity(&fixture("progressive.jpg")), None);
        let at = ordinary.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        let with = |place: usize, value: u8| {
            let mut bytes = ordinary.clone();
            bytes[at + place] = value;
            jpeg_oddity(&bytes).unwrap_or_default()
        };
        assert!(with(1, 0xc9).contains("arithmetic"));
        assert!(with(1, 0xc3).contains("lossless"));
        assert!(with(4, 12).contains("12 bits"));
    }
}
