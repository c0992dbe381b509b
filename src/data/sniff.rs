//! What a file is, from its first bytes: names end in anything, and a person who dropped the wrong file wants to hear what
//! it was.
//!
//! Signatures are those of the formats' own specifications (ISO BMFF `ftyp` brands for HEIC, AVIF and MP4).

/// A file's kind, as far as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG (JFIF or Exif).
    Jpeg,
    /// Portable Network Graphics.
    Png,
    /// WebP, lossy, lossless or animated.
    WebP,
    /// GIF; its first frame is used.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF, its first page.
    Tiff,
    /// Netpbm: PBM, PGM, PPM or PAM.
    Pnm,
    /// Truevision TGA, which only its name or its end tells.
    Tga,
    /// Quite OK Image.
    Qoi,
    /// AVIF: browsers decode it. On the command line nothing does: the decoders in Rust that there are either build on C and
    /// assembly or have a licence of another kind.
    Avif,
    /// An Apple or camera HEIF picture.
    Heic,
    /// Something else, in words with an article: "a PDF document".
    Other(&'static str),
}

impl Format {
    /// The format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Pnm => "PPM",
            Self::Tga => "TGA",
            Self::Qoi => "QOI",
            Self::Avif => "AVIF",
            Self::Heic => "HEIC",
            Self::Other(what) => what,
        }
    }

    /// Whether [`decode`](super::decode) reads it: in the page JPEG, PNG and what browsers do not know (TIFF, PPM, TGA, QOI), on the
    /// command line WebP, GIF and BMP too. AVIF and HEIC are left to the browser.
    pub fn is_decodable(self) -> bool {
        match self {
            Self::Jpeg | Self::Png | Self::Tiff | Self::Pnm | Self::Tga | Self::Qoi => true,
            Self::WebP | Self::Gif | Self::Bmp => cfg!(not(target_arch = "wasm32")),
            Self::Avif | Self::Heic | Self::Other(_) => false,
        }
    }

    /// Whether browsers may know it; Safari alone knows HEIC and TIFF, and TIFF is read better here.
    pub fn is_a_browsers(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::WebP | Self::Gif | Self::Bmp | Self::Avif | Self::Heic)
    }

    /// The MIME type of a format that every browser shows.
    pub fn mime(self) -> Option<&'static str> {
        match self {
            Self::Jpeg => Some("image/jpeg"),
            Self::Png => Some("image/png"),
            Self::WebP => Some("image/webp"),
            _ => None,
        }
    }

    /// As [`of`](Self::of), with the name where the bytes do not tell enough: TGA has no signature at its start, and most cameras'
    /// raw files begin like a TIFF.
    pub fn of_file(name: &str, bytes: &[u8]) -> Self {
        let ending = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase());
        match Self::of(bytes) {
            Self::Tiff if RAW.contains(&ending.as_str()) => Self::Other("a camera raw file"),
            Self::Other(_) if bytes.ends_with(b"TRUEVISION-XFILE.\0") || ending == "tga" && is_tga_header(bytes) => Self::Tga,
            format => format,
        }
    }

    /// Recognises `bytes`, the start of a file (512 bytes are enough).
    pub fn of(bytes: &[u8]) -> Self {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        if starts(b"\xff\xd8\xff") {
            Self::Jpeg
        } else if starts(b"\x89PNG\r\n\x1a\n") {
            Self::Png
        } else if starts(b"GIF87a") || starts(b"GIF89a") {
            Self::Gif
        } else if starts(b"RIFF") && at(8, b"WEBP") {
            Self::WebP
        } else if at(4, b"ftyp") {
            iso_brand(bytes)
        } else if starts(b"BM") && bytes.get(6..10) == Some(&[0; 4]) {
            // Bytes 6 to 9 are reserved and zero, which keeps texts that begin with "BM" out.
            Self::Bmp
        } else if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
            // Canon's raw files carry their own mark.
            if at(8, b"CR") { Self::Other("a camera raw file") } else { Self::Tiff }
        } else if starts(b"qoif") {
            Self::Qoi
        } else if bytes.len() > 3 && bytes[0] == b'P' && (b'1'..=b'7').contains(&bytes[1]) && bytes[2].is_ascii_whitespace() {
            Self::Pnm
        } else {
            Self::Other(other(bytes))
        }
    }
}

/// Endings of cameras' raw files that begin like a TIFF.
const RAW: [&str; 11] = ["dng", "nef", "nrw", "arw", "sr2", "srf", "cr2", "pef", "orf", "rw2", "3fr"];

/// Name endings of pictures. HEIC and AVIF are among them so that the person hears why they are not read where they are not.
const PICTURES: [&str; 21] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff", "ppm", "pgm", "pbm", "pnm", "tga",
    "qoi", "avif", "heic", "heif",
];

/// Whether a file of this name or path is taken for a picture: by its ending. `None` where it has no ending, and only its first
/// bytes can tell.
pub fn is_picture_name(path: &str) -> Option<bool> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => Some(PICTURES.iter().any(|known| end.eq_ignore_ascii_case(known))),
        Some(_) => Some(false),
        None => None,
    }
}

/// Colour map, kind and depth of pixels as the TGA specification allows them.
fn is_tga_header(bytes: &[u8]) -> bool {
    let &[_, map, kind, _, _, _, _, _, _, _, _, _, w0, w1, h0, h1, depth, ..] = bytes else { return false };
    map < 2
        && matches!(kind, 1..=3 | 9..=11)
        && (w0, w1) != (0, 0)
        && (h0, h1) != (0, 0)
        && [8, 15, 16, 24, 32].contains(&depth)
}

/// The brands of an ISO base media file: the major one and the compatible ones of its `ftyp` box.
fn iso_brand(bytes: &[u8]) -> Format {
    let length = bytes.get(..4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let brands = bytes.get(8..length.clamp(8, bytes.len().max(8))).unwrap_or_default();
    // The second word is the minor version, not a brand; no version spells one of these names.
    let has = |names: &[&[u8; 4]]| brands.chunks_exact(4).any(|brand| names.iter().any(|name| brand == *name));
    if has(&[b"avif", b"avis"]) {
        Format::Avif
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Format::Heic
    } else if has(&[b"crx "]) {
        Format::Other("a camera raw file")
    } else {
        Format::Other("a video")
    }
}

fn other(bytes: &[u8]) -> &'static str {
    /// Offset, signature, what it is.
    const SIGNATURES: &[(usize, &[u8], &str)] = &[
        (0, b"%PDF", "a PDF document"),
        (0, b"8BPS", "a Photoshop document"),
        (0, b"\0\0\x01\0", "an icon (ICO) file"),
        (0, b"\xff\x0a", "a JPEG XL picture"),
        (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
        (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
        (0, b"\x1a\x45\xdf\xa3", "a video"),
        (8, b"AVI ", "a video"),
        (0, b"RIFF", "a sound or media file"),
        (0, b"OggS", "a sound or video file"),
        (0, b"ID3", "a sound file"),
        (0, b"\x80\x02", "a PyTorch weights file"),
        (0, b"PK\x03\x04", "a ZIP archive (or a PyTorch weights file or an Office document)"),
        (0, b"\x1f\x8b", "a compressed archive"),
        (0, b"7z\xbc\xaf\x27\x1c", "a compressed archive"),
        (0, b"Rar!", "a compressed archive"),
        (257, b"ustar", "a tar archive"),
        (0, b"\x7fELF", "a program"),
        (0, b"MZ", "a program"),
    ];
    for (offset, magic, what) in SIGNATURES {
        if bytes.get(*offset..).is_some_and(|rest| rest.starts_with(magic)) {
            return what;
        }
    }
    // A safetensors file is a little-endian u64 header length and then JSON.
    if bytes.get(8) == Some(&b'{') && bytes.get(4..8) == Some(&[0; 4]) {
        return "a safetensors weights file";
    }
    let head = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The cut at 512 may fall inside a character.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default(),
        Err(_) => return "a file of unknown kind",
    };
    if text.contains("<svg") {
        "an SVG drawing"
    } else if ["<!doctype html", "<html"].iter().any(|tag| text.trim_start().to_ascii_lowercase().starts_with(tag)) {
        "a web page"
    } else if text.chars().all(|c| !c.is_control() || c.is_whitespace()) && !text.is_empty() {
        "a text file"
    } else {
        "a file of unknown kind"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_people_drop() {
        let cases: &[(&[u8], Format)] = &[
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Format::Jpeg),
            (b"\x89PNG\r\n\x1a\n\0\0", Format::Png),
            (b"GIF89a\x01\0", Format::Gif),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Format::WebP),
            (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0", Format::Bmp),
            (b"BMW is a maker of cars", Format::Other("a text file")),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Format::Heic),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix", Format::Heic),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Format::Avif),
            (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", Format::Avif),
            (b"\0\0\0\x14ftypisom\0\0\x02\0mp41", Format::Other("a video")),
            (b"\x1a\x45\xdf\xa3\x01", Format::Other("a video")),
            (b"RIFF\0\0\0\0AVI LIST", Format::Other("a video")),
            (b"%PDF-1.7", Format::Other("a PDF document")),
            (b"II*\0\x08\0\0\0", Format::Tiff),
            (b"II*\0\x10\0\0\0CR\x02\0", Format::Other("a camera raw file")),
            (b"qoif\0\0\0\x01", Format::Qoi),
            (b"P6\n3 2\n255\n", Format::Pnm),
            (b"P. Smith", Format::Other("a text file")),
            (b"<?xml version=\"1.0\"?><svg xmlns=", Format::Other("an SVG drawing")),
            (b"<!DOCTYPE html><html>", Format::Other("a web page")),
            (b"airplane\ncar\n", Format::Other("a text file")),
            (b"\x40\0\0\0\0\0\0\0{\"fc.weight\":", Format::Other("a safetensors weights file")),
            (b"\x01\x02\x03\x04\xfe", Format::Other("a file of unknown kind")),
        ];
        for (bytes, format) in cases {
            assert_eq!(Format::of(bytes), *format, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_name_helps_where_the_bytes_do_not_tell() {
        let mut tga = [0; 18];
        (tga[2], tga[12], tga[14], tga[16]) = (2, 3, 2, 24);
        assert_eq!(Format::of_file("a.tga", &tga), Format::Tga);
        assert_ne!(Format::of_file("a.bin", &tga), Format::Tga);
        assert_eq!(Format::of_file("x.NEF", b"II*\0\x08\0\0\0"), Format::Other("a camera raw file"));
        let names = ["a.JPE", "b/c.tiff", "x.heic", ".png", "a.txt", "cat.1"].map(is_picture_name);
        assert_eq!(names, [Some(true), Some(true), Some(true), Some(false), Some(false), Some(false)]);
        assert_eq!(is_picture_name("a.b/img1"), None);
    }

    #[test]
    fn short_and_odd_headers_do_not_panic() {
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
        for end in 0..heic.len() {
            Format::of(&heic[..end]);
        }
        Format::of(b"\xff\xff\xff\xffftyp");
        Format::of(b"\0\0\0\0ftyp");
        assert_eq!(Format::of(&[b'x'; 600]), Format::Other("a text file"));
        let mut text = vec![b'x'; 511];
        text.extend("é".as_bytes());
        assert_eq!(Format::of(&text), Format::Other("a text file"));
    }
}
