//! Why a file, a picture or a download cannot be used: what people meet most, each with a sentence of its own, so that the page can say
//! it in its language.

use std::fmt;

/// Writes the sentences once: for [`Fault`]'s `Display`, and for who translates them.
macro_rules! faults {
    ($($(#[$meta:meta])* $key:literal $name:ident { $($field:ident: $kind:ty),* } $english:literal;)*) => {
        /// A reason with its English sentence. Names of kinds of files (`what`) are English phrases with keys of their own
        /// ([`kind_key`]).
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "the sentence says what each field is")]
        pub enum Fault {
            $($(#[$meta])* $name { $($field: $kind),* },)*
            /// In English alone.
            Other(String),
        }

        impl Fault {
            /// Key and English sentence of each, with the fields' names in braces.
            pub const TEXTS: &[(&str, &str)] = &[$((concat!("error.", $key), $english)),*];

            /// Key and English sentence; of what is English alone there is no key.
            fn text(&self) -> Result<(&'static str, &'static str), &str> {
                match self {
                    $(Self::$name { .. } => Ok((concat!("error.", $key), $english)),)*
                    Self::Other(english) => Err(english),
                }
            }

            /// What stands in the sentence, by name.
            pub fn arguments(&self) -> Vec<(&'static str, &dyn fmt::Display)> {
                match self {
                    $(Self::$name { $($field),* } => vec![$((stringify!($field), $field as &dyn fmt::Display)),*],)*
                    Self::Other(_) => Vec::new(),
                }
            }
        }
    };
}

faults! {
    // Files and folders.
    "no_file" NoFile {} "What was dropped is no file: save the picture on this device first, then drop the file.";
    "empty_folder" EmptyFolder {} "The folder is empty; drop one that holds pictures.";
    "no_pictures" NoPictures { count: usize }
        "There is no picture among the files of this folder ({count}); drop one with JPEG, PNG, WebP, GIF or BMP pictures.";
    "too_many_files" TooManyFiles { most: usize } "More than {most} files were given; give fewer at once.";
    "unreadable" Unreadable {}
        "It cannot be read: it may be a folder, or have been moved or changed since it was chosen. Choose it again.";
    "too_large" TooLarge { has: String, most: String } "The file has {has}; up to {most} can be read.";
    "no_memory" NoMemory {} "There is no memory for it; close other tabs and try again.";
    "not_made" NotMade {} "The browser could not make this file; close other tabs and try again.";
    // Pictures.
    "empty_file" EmptyFile {} "The file is empty (0 bytes); save or download it again.";
    "not_a_picture" NotAPicture { what: &'static str }
        "This is not a picture that can be read but {what}; use a JPEG, PNG, WebP, GIF, BMP or TIFF picture.";
    "odd_jpeg" OddJpeg { what: &'static str }
        "This is {what}, which cannot be read here; save it as an ordinary JPEG or PNG and use that.";
    "damaged_header" DamagedHeader { format: &'static str }
        "The header of the {format} picture is damaged or cut off; download or export it again, or use another one.";
    "cut_off" CutOff { format: &'static str } "The {format} picture stops before its end; download or copy it again.";
    "heic" Heic {}
        "This is a HEIC picture (an iPhone's format), which cannot be read here; save or export it as JPEG and use that.";
    "unread_format" UnreadFormat { format: &'static str }
        "{format} pictures are only read by browsers that know the format; save or export it as JPEG or PNG and use that.";
    "not_by_this_browser" NotByThisBrowser { format: &'static str }
        "This browser cannot read this {format} picture: it does not know the format or the picture is damaged. Save or export it as JPEG or PNG and use that.";
    "odd_kind" OddKind { format: &'static str }
        "This kind of {format} picture cannot be read; save it as an ordinary JPEG or PNG and use that.";
    "damaged_picture" DamagedPicture { format: &'static str }
        "The {format} picture is damaged; download or export it again, or use another one.";
    "damaged_gif" DamagedGif { width: u32, height: u32, bytes: usize }
        "The GIF picture is damaged ({width} x {height} pixels cannot be in {bytes} bytes); download or export it again, or use another one.";
    "floats" Floats { format: &'static str }
        "This {format} picture holds floating-point numbers; save it with 8 or 16 bits a channel and use that.";
    "no_pixels" NoPixels { width: u32, height: u32 } "The picture has no pixels ({width} x {height}); use another one.";
    "too_many_pixels" TooManyPixels { width: u32, height: u32, side: u32, most: u64 }
        "The picture is {width} x {height} pixels; up to {side} pixels a side and {most} megapixels can be read. Make it smaller first.";
    "no_memory_for_pixels" NoMemoryForPixels { width: u32, height: u32 }
        "There is no memory for {width} x {height} pixels; close other tabs or make the picture smaller first.";
    // Downloads.
    "unreachable" Unreachable {} "the server could not be reached; check the connection and try again";
    "no_cors" NoCors { host: String }
        "{host} could not be reached from this page: it is not there, or its answer lacks CORS headers (`Access-Control-Allow-Origin`), without which browsers give no page another site's files. Have the server send them, or put the file on the page's own site";
    "refused" Refused { status: u16 } "the server refuses it; the file may have become private (HTTP {status})";
    "absent" Absent { status: u16 } "there is no such file there; it may have been moved or renamed (HTTP {status})";
    "too_many_requests" TooManyRequests { status: u16 }
        "the server has had too many requests; wait a minute and try again (HTTP {status})";
    "server_trouble" ServerTrouble { status: u16 } "the server is in trouble; try again later (HTTP {status})";
    "odd_answer" OddAnswer { status: u16 } "the server's answer is no file; check the address (HTTP {status})";
    "broken_off" BrokenOff {} "the connection broke off; start the download again to go on";
    "web_page" WebPage {} "a web page came instead of the file; check the address, or whether this network wants you to log in first";
    "wrong_length" WrongLength {} "not as many bytes came as the server had announced; start the download again to go on";
    "no_safetensors" NoSafetensors { bytes: usize } "the {bytes} bytes that came are no safetensors file; try again later";
    "no_part" NoPart {}
        "it could not be fetched, and what you asked for needs it; check your connection and try again, or reload the page if it has been updated meanwhile";
    "no_texts" NoTexts {} "the server sent something else than the texts of this language";
    // Archives.
    "no_archive" NoArchive {} "it is no zip archive, or it was cut off; make it again";
    "damaged_archive" DamagedArchive {} "it is damaged; make or download the archive again";
    "locked" Locked {} "it is locked with a password; make the archive without one";
    "odd_packing" OddPacking { method: u16 } "it is packed in a way (method {method}) that browsers do not know; use plain zip";
    "unpacks_to_more" UnpacksToMore {} "it unpacks to more than it says, or than can be read; make the archive again";
    "too_large_for_zip" TooLargeForZip {} "it is too large for a zip archive";
    "no_project" NoProject {} "it holds no project that can be read; save the project again where it came from";
    "newer_project" NewerProject { version: u32 } "a newer page wrote it (version {version}); reload this page and try again";
}

impl Fault {
    /// Under which the page's languages have it; `None` for what is English alone.
    pub fn key(&self) -> Option<&'static str> {
        self.text().ok().map(|(key, _)| key)
    }
}

// Not by `thiserror`: code for each of the sentences would be a hundredth of the page's first part.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = match self.text() {
            Ok((_, english)) => english,
            Err(english) => return f.write_str(english),
        };
        let arguments = self.arguments();
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
            f.write_str(before)?;
            if let Some((_, value)) = arguments.iter().find(|(known, _)| *known == name) {
                value.fmt(f)?;
            }
            rest = after;
        }
        f.write_str(rest)
    }
}

impl std::error::Error for Fault {}

impl From<String> for Fault {
    fn from(english: String) -> Self {
        Self::Other(english)
    }
}

impl From<&str> for Fault {
    fn from(english: &str) -> Self {
        Self::Other(english.into())
    }
}

/// The key of a kind of file by its English phrase: `error.kind_a_pdf_document` of "a PDF document".
pub fn kind_key(phrase: &str) -> String {
    let words: Vec<String> = phrase
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    format!("error.kind_{}", words.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_its_sentence_and_has_a_key_with_what_stands_in_it() {
        let fault = Fault::TooLarge { has: "3 GB".into(), most: "1.5 GB".into() };
        assert_eq!(fault.to_string(), "The file has 3 GB; up to 1.5 GB can be read.");
        assert_eq!(fault.key(), Some("error.too_large"));
        let (_, template) = Fault::TEXTS.iter().find(|(key, _)| *key == "error.too_large").unwrap();
        let said = fault
            .arguments()
            .iter()
            .fold(template.to_string(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &value.to_string()));
        assert_eq!(said, fault.to_string());
        assert_eq!(Fault::from("x").key(), None);
        assert_eq!(Fault::from("100 {x}").to_string(), "100 {x}");
        for (key, english) in Fault::TEXTS {
            assert_eq!(english.matches('{').count(), english.matches('}').count(), "{key}");
        }
        assert_eq!(kind_key("a JPEG with 12 bits a sample"), "error.kind_a_jpeg_with_12_bits_a_sample");
    }
}
