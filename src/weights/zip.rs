//! The directory of a zip archive (PKWARE's APPNOTE.TXT 6.3), with its 64-bit extension, which `torch.save` always writes.
//!
//! A checkpoint's entries are stored as they are, so all that is wanted is where they lie: this is a tenth of what a library for
//! every archive would add to the page.

use std::collections::HashMap;

use super::shown;

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
    let (mut at, count) = directory(archive).ok_or_else(|| damaged("its directory is missing"))?;
    let mut entries = HashMap::new();
    for _ in 0..count {
        // Each takes 46 bytes or more, so a count that lies ends at the end of the file.
        let (entry, behind) = entry(archive, at).ok_or_else(|| damaged("its directory has a hole"))?;
        entries.insert(entry.name.clone(), entry);
        at = behind;
    }
    Ok(entries)
}

/// 16 and 32 ones stand for a value in the 64-bit extension.
const SEE_64_16: u64 = 0xffff;
const SEE_64_32: u64 = 0xffff_ffff;

/// Offset of the first entry of the central directory, and the number of entries.
fn directory(archive: &[u8]) -> Option<(u64, u64)> {
    /// The end record without its comment, and the longest comment.
    const LENGTH: usize = 22;
    const COMMENT: usize = 0xffff;
    /// The 64-bit record's locator stands in front of the end record.
    const LOCATOR: usize = 20;
    let last = archive.len().checked_sub(LENGTH)?;
    let end = (last.saturating_sub(COMMENT)..=last).rev().find(|at| {
        let comment = number(archive, *at as u64 + 20, 2);
        archive[*at..].starts_with(b"PK\x05\x06")
            && comment.is_some_and(|n| *at as u64 + LENGTH as u64 + n <= archive.len() as u64)
    })? as u64;
    let (count, start) = (number(archive, end + 10, 2)?, number(archive, end + 16, 4)?);
    if count != SEE_64_16 && start != SEE_64_32 {
        return Some((start, count));
    }
    let locator = end.checked_sub(LOCATOR as u64)?;
    if part(archive, locator, 4)? != b"PK\x06\x07" {
        return Some((start, count));
    }
    let record = number(archive, locator + 8, 8)?;
    if part(archive, record, 4)? != b"PK\x06\x06" {
        return None;
    }
    Some((number(archive, record.checked_add(48)?, 8)?, number(archive, record.checked_add(32)?, 8)?))
}

/// The entry at `at` of the central directory, and where the next one begins.
fn entry(archive: &[u8], at: u64) -> Option<(Entry, u64)> {
    if part(archive, at, 4)? != b"PK\x01\x02" {
        return None;
    }
    let (flags, method) = (number(archive, at + 8, 2)?, number(archive, at + 10, 2)?);
    let (name_len, extra_len, comment_len) =
        (number(archive, at + 28, 2)?, number(archive, at + 30, 2)?, number(archive, at + 32, 2)?);
    let (mut packed, unpacked) = (number(archive, at + 20, 4)?, number(archive, at + 24, 4)?);
    let mut local = number(archive, at + 42, 4)?;
    let name = String::from_utf8_lossy(part(archive, at + 46, name_len)?).into_owned();
    if let Some(long) = extra_64(part(archive, at + 46 + name_len, extra_len)?) {
        // It holds those values, in this order, for which there was no room.
        let mut place = 0;
        let mut next = || {
            place += 8;
            number(long, place - 8, 8)
        };
        if unpacked == SEE_64_32 {
            next()?;
        }
        if packed == SEE_64_32 {
            packed = next()?;
        }
        if local == SEE_64_32 {
            local = next()?;
        }
    }
    if part(archive, local, 4)? != b"PK\x03\x04" {
        return None;
    }
    // Name and extras are repeated in front of the contents, the extras with another length.
    let start = local + 30 + number(archive, local + 26, 2)? + number(archive, local + 28, 2)?;
    let entry = Entry { name, stored: method == 0 && flags & 1 == 0, start, len: packed };
    Some((entry, at + 46 + name_len + extra_len + comment_len))
}

/// The 64-bit values among an entry's extras: kind and length of two bytes each, contents.
fn extra_64(extras: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let (kind, length) = (number(extras, at, 2)?, number(extras, at + 2, 2)?);
        let contents = part(extras, at + 4, length)?;
        if kind == 1 {
            return Some(contents);
        }
        at += 4 + length;
    }
}

/// `bytes[start..start + len]`, if it lies inside.
fn part(bytes: &[u8], start: u64, len: u64) -> Option<&[u8]> {
    let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
    bytes.get(start..start.checked_add(len)?)
}

/// `count` bytes at `at`, the lowest first.
fn number(bytes: &[u8], at: u64, count: u64) -> Option<u64> {
    Some(part(bytes, at, count)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
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
        let (count, start) = (number(&archive, end as u64 + 10, 2).unwrap(), number(&archive, end as u64 + 16, 4).unwrap());
        let mut tail = archive.split_off(end);
        let record = archive.len() as u64;
        archive.extend(b"PK\x06\x06");
        archive.extend([0; 28]);
        archive.extend(count.to_le_bytes());
        archive.extend([0; 8]);
        archive.extend(start.to_le_bytes());
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
