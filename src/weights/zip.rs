//! The entries of a zip archive. Stored ones stay in place, as `torch.save` writes them; compressed ones are unpacked at once.

use indexmap::IndexMap;

use super::shown;
use crate::data::zip::{self, LOCAL, TAIL, part};

/// Bytes that compressed entries may unpack to, all together.
const MAX_UNPACKED: u64 = 4 << 30;
/// No byte of deflate's stands for more.
const MAX_RATIO: u64 = 1032;

/// A zip archive that can be read.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    entries: IndexMap<String, Entry>,
    unpacked: Vec<Vec<u8>>,
}

/// Where an archive keeps an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    name: String,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Stored {
        start: u64,
        len: u64,
    },
    /// Index into [`Archive::unpacked`].
    Unpacked(usize),
    Unreadable(&'static str),
}

impl<'a> Archive<'a> {
    /// Reads the directory and unpacks what is compressed.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let mut archive = Self { bytes, entries: IndexMap::new(), unpacked: Vec::new() };
        let mut left = MAX_UNPACKED;
        for entry in directory(bytes)? {
            let header = part(bytes, entry.local, LOCAL);
            let start = header.and_then(|header| zip::contents_start(header, entry.local));
            let start = start.ok_or_else(|| damaged(bytes, "an entry is not where its directory says"))?;
            let place = match (entry.encrypted, entry.method) {
                (true, _) => Place::Unreadable("encrypted"),
                (_, 0) => Place::Stored { start, len: entry.packed },
                (_, 8) => {
                    let packed = part(bytes, start, entry.packed).ok_or_else(|| damaged(bytes, "an entry is cut off"))?;
                    if entry.size > left || entry.size > entry.packed.saturating_mul(MAX_RATIO) {
                        return Err(format!(
                            "its compressed entries claim to unpack to more than {} GiB, or to more than they can",
                            MAX_UNPACKED >> 30
                        ));
                    }
                    left -= entry.size;
                    let size = usize::try_from(entry.size).map_err(|_| "its entries are too large for this device")?;
                    let contents = miniz_oxide::inflate::decompress_to_vec_with_limit(packed, size)
                        .map_err(|_| damaged(bytes, "a compressed entry cannot be unpacked"))?;
                    archive.unpacked.push(contents);
                    Place::Unpacked(archive.unpacked.len() - 1)
                }
                _ => Place::Unreadable("packed in a way that is not known here"),
            };
            archive.entries.insert(entry.name.clone(), Entry { name: entry.name, place });
        }
        Ok(archive)
    }

    /// Names in the order of the directory.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Bytes of the archive and of what was unpacked from it.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.unpacked.iter().map(Vec::len).sum::<usize>()
    }

    /// The contents of an entry.
    pub fn bytes(&self, entry: &Entry) -> Result<&[u8], String> {
        match entry.place {
            Place::Stored { start, len } => part(self.bytes, start, len)
                .ok_or_else(|| format!("`{}` lies beyond the end of the archive", shown(&entry.name))),
            Place::Unpacked(index) => Ok(&self.unpacked[index]),
            Place::Unreadable(how) => {
                Err(format!("`{}` is {how} inside the archive; pack it again with `zip -0`", shown(&entry.name)))
            }
        }
    }
}

fn damaged(archive: &[u8], what: &str) -> String {
    format!("its zip archive is damaged ({what}): the download or copy was probably cut off at {} bytes", archive.len())
}

fn directory(archive: &[u8]) -> Result<Vec<zip::Entry>, String> {
    let tail = &archive[archive.len().saturating_sub(TAIL as usize)..];
    let found = zip::directory(tail, archive.len() as u64).ok_or_else(|| damaged(archive, "its directory is missing"))?;
    // Its length is not always told where there is a 64-bit record: its entries end it.
    let directory = archive.get(usize::try_from(found.start).unwrap_or(usize::MAX)..);
    let entries = directory.and_then(|directory| zip::entries(directory, found.count));
    entries.ok_or_else(|| damaged(archive, "its directory has a hole"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};
    use std::io::{Cursor, Write};

    fn archive(large: bool, comment: &str) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.set_comment(comment).unwrap();
        for (name, contents) in [("net/data.pkl", &b"pickle"[..]), ("net/data/0", &[1, 2, 3])] {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
            writer.start_file(name, options).unwrap();
            writer.write_all(contents).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn contents<'a>(archive: &'a Archive<'_>, name: &str) -> &'a [u8] {
        archive.bytes(archive.get(name).unwrap()).unwrap()
    }

    #[test]
    fn entries_lie_where_another_program_put_them() {
        for (large, comment) in [(false, ""), (true, ""), (false, "made by hand PK\x05\x06 and signed")] {
            let bytes = archive(large, comment);
            let archive = Archive::open(&bytes).unwrap();
            assert_eq!(archive.names().count(), 2, "{large} {comment}");
            assert_eq!(contents(&archive, "net/data.pkl"), b"pickle");
            assert_eq!(contents(&archive, "net/data/0"), [1, 2, 3]);
        }
    }

    /// The 64-bit records as `torch.save` writes them, and every 32-bit value pointing there.
    #[test]
    fn the_64_bit_extension_is_followed() {
        let mut archive = archive(false, "");
        let end = archive.len() - 22;
        let found = zip::directory(&archive, archive.len() as u64).unwrap();
        let mut tail = archive.split_off(end);
        let record = archive.len() as u64;
        archive.extend(b"PK\x06\x06");
        archive.extend([0; 28]);
        archive.extend(found.count.to_le_bytes());
        archive.extend(found.len.to_le_bytes());
        archive.extend(found.start.to_le_bytes());
        archive.extend(b"PK\x06\x07\0\0\0\0");
        archive.extend(record.to_le_bytes());
        archive.extend([1, 0, 0, 0]);
        tail[8..20].fill(0xff);
        archive.extend(tail);
        assert_eq!(contents(&Archive::open(&archive).unwrap(), "net/data.pkl"), b"pickle");
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let whole = archive(true, "");
        for end in 0..whole.len() {
            assert!(Archive::open(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let Ok(archive) = Archive::open(&damaged) else { continue };
                for name in archive.names() {
                    let _ = archive.bytes(archive.get(name).unwrap());
                }
            }
        }
        let archive = Archive { bytes: b"xyz", entries: IndexMap::new(), unpacked: Vec::new() };
        let entry = |place| Entry { name: "a".into(), place };
        assert!(archive.bytes(&entry(Place::Unreadable("encrypted"))).unwrap_err().contains("zip -0"));
        assert!(archive.bytes(&entry(Place::Stored { start: u64::MAX, len: 2 })).unwrap_err().contains("beyond the end"));
    }

    #[test]
    fn compressed_entries_are_unpacked_to_what_they_claim_and_no_further() {
        let deflated = miniz_oxide::deflate::compress_to_vec(&[7; 5000], 6);
        let mut frame = zip::Frame::default();
        let mut bytes = frame.header("a", 0, deflated.len() as u64).unwrap();
        bytes.extend(&deflated);
        bytes.extend(frame.finish());
        let directory = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let with_size = |size: u32| {
            let mut bytes = bytes.clone();
            bytes[directory + 10] = 8;
            bytes[directory + 24..directory + 28].copy_from_slice(&size.to_le_bytes());
            bytes
        };
        let honest = with_size(5000);
        assert_eq!(contents(&Archive::open(&honest).unwrap(), "a"), [7; 5000]);
        assert!(Archive::open(&with_size(4999)).unwrap_err().contains("cannot be unpacked"));
        assert!(Archive::open(&with_size(4_000_000_000)).unwrap_err().contains("more than they can"));
    }
}
