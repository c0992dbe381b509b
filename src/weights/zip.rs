//! The entries of a PyTorch archive, in place: `torch.save` stores them as they are.

use std::collections::HashMap;

use super::shown;
use crate::data::zip::{self, LOCAL, TAIL, part};

/// Where an archive keeps an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    name: String,
    /// Neither compressed nor encrypted.
    stored: bool,
    start: u64,
    len: u64,
}

impl Entry {
    /// The entry's contents, in place.
    pub(super) fn bytes<'a>(&self, archive: &'a [u8]) -> Result<&'a [u8], String> {
        if !self.stored {
            return Err(format!(
                "`{}` is compressed or encrypted inside the archive; torch.save stores entries as they are: pack it with `zip -0`",
                shown(&self.name)
            ));
        }
        part(archive, self.start, self.len).ok_or_else(|| format!("`{}` lies beyond the end of the archive", shown(&self.name)))
    }
}

/// Every entry by its name.
pub(super) fn entries(archive: &[u8]) -> Result<HashMap<String, Entry>, String> {
    let damaged = |what: &str| {
        let length = archive.len();
        format!("its zip archive is damaged ({what}): the download or copy was probably cut off at {length} bytes")
    };
    let tail = &archive[archive.len().saturating_sub(TAIL as usize)..];
    let found = zip::directory(tail, archive.len() as u64).ok_or_else(|| damaged("its directory is missing"))?;
    // Its length is not always told where there is a 64-bit record: its entries end it.
    let directory = archive.get(usize::try_from(found.start).unwrap_or(usize::MAX)..);
    let entries = directory.and_then(|directory| zip::entries(directory, found.count));
    let entries = entries.ok_or_else(|| damaged("its directory has a hole"))?;
    entries
        .into_iter()
        .map(|entry| {
            let header = part(archive, entry.local, LOCAL);
            let start = header.and_then(|header| zip::contents_start(header, entry.local));
            let start = start.ok_or_else(|| damaged("an entry is not where its directory says"))?;
            let stored = entry.method == 0 && !entry.encrypted;
            Ok((entry.name.clone(), Entry { name: entry.name, stored, start, len: entry.packed }))
        })
        .collect()
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

    #[test]
    fn entries_lie_where_another_program_put_them() {
        for (large, comment) in [(false, ""), (true, ""), (false, "made by hand PK\x05\x06 and signed")] {
            let archive = archive(large, comment);
            let entries = entries(&archive).unwrap();
            assert_eq!(entries.len(), 2, "{large} {comment}");
            assert_eq!(entries["net/data.pkl"].bytes(&archive).unwrap(), b"pickle");
            assert_eq!(entries["net/data/0"].bytes(&archive).unwrap(), [1, 2, 3]);
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
        assert_eq!(entries(&archive).unwrap()["net/data.pkl"].bytes(&archive).unwrap(), b"pickle");
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let whole = archive(true, "");
        for end in 0..whole.len() {
            assert!(entries(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                for entry in entries(&damaged).into_iter().flatten().map(|(_, entry)| entry) {
                    let _ = entry.bytes(&damaged);
                }
            }
        }
        let compressed = Entry { name: "a".into(), stored: false, start: 0, len: 1 };
        assert!(compressed.bytes(b"xyz").unwrap_err().contains("zip -0"));
        let beyond = Entry { name: "a".into(), stored: true, start: u64::MAX, len: 2 };
        assert!(beyond.bytes(b"xyz").unwrap_err().contains("beyond the end"));
    }
}
