//! Zip archives (PKWARE's APPNOTE.TXT 6.3) with their 64-bit extension: where the entries of one lie, and the bytes around the
//! contents of a new one.
//!
//! Contents never pass through here, so an archive of gigabytes is read and written without holding it: the caller has a file it
//! can look into at any place, and puts a new one together from pieces. That, and the page's size, is why no library does it.

use super::text::decode_all;

/// An entry as the directory tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path inside the archive.
    pub name: String,
    /// How it is packed: 0 not at all, 8 deflated.
    pub method: u16,
    /// Needs a password.
    pub encrypted: bool,
    /// CRC-32 of the unpacked contents.
    pub crc32: u32,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes unpacked.
    pub size: u64,
    /// Where its local header lies.
    pub local: u64,
}

/// Where the directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directory {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Entries.
    pub count: u64,
}

/// So many bytes from an archive's end are sure to hold its end records, whatever its comment.
pub const TAIL: u64 = END + COMMENT + LOCATOR + END_64;
/// Bytes of a local header before its name.
pub const LOCAL: u64 = 30;

const END: u64 = 22;
const COMMENT: u64 = 0xffff;
const LOCATOR: u64 = 20;
const END_64: u64 = 56;
/// 16 and 32 ones stand for a value in the 64-bit extension.
const SEE_64_16: u64 = 0xffff;
const SEE_64_32: u64 = 0xffff_ffff;
/// Names are UTF-8.
const UTF_8: u16 = 1 << 11;

/// Finds the directory from the last bytes of an archive of `total` bytes; [`TAIL`] of them are enough.
pub fn directory(tail: &[u8], total: u64) -> Option<Directory> {
    let before = total.checked_sub(tail.len() as u64)?;
    let last = tail.len().checked_sub(END as usize)?;
    let end = (last.saturating_sub(COMMENT as usize)..=last).rev().find(|at| {
        let comment = number(tail, *at as u64 + 20, 2);
        tail[*at..].starts_with(b"PK\x05\x06") && comment.is_some_and(|n| *at as u64 + END + n <= tail.len() as u64)
    })? as u64;
    let plain =
        Directory { count: number(tail, end + 10, 2)?, len: number(tail, end + 12, 4)?, start: number(tail, end + 16, 4)? };
    if plain.count != SEE_64_16 && plain.start != SEE_64_32 && plain.len != SEE_64_32 {
        return Some(plain);
    }
    let Some(locator) = end.checked_sub(LOCATOR).filter(|at| part(tail, *at, 4) == Some(b"PK\x06\x07")) else {
        return Some(plain);
    };
    let record = number(tail, locator + 8, 8)?.checked_sub(before)?;
    if part(tail, record, 4)? != b"PK\x06\x06" {
        return None;
    }
    let at = |offset: u64| number(tail, record.checked_add(offset)?, 8);
    Some(Directory { count: at(32)?, len: at(40)?, start: at(48)? })
}

/// The entries of a directory, in its order; names are taken for UTF-8.
pub fn entries(directory: &[u8], count: u64) -> Option<Vec<Entry>> {
    let named = |(entry, bytes): (Entry, Option<&[u8]>)| match bytes {
        Some(bytes) => Entry { name: String::from_utf8_lossy(bytes).into_owned(), ..entry },
        None => entry,
    };
    Some(raw_entries(directory, count)?.into_iter().map(named).collect())
}

/// The entries of a directory that people packed, in its order.
///
/// Names are UTF-8 where the entry says so or has Info-ZIP's extra field with one; the others are bytes of some code page, which is
/// guessed for all of them together (`hint` is the person's language, see [`decode_all`]). Where no name has a `/`, a `\` separates
/// folders: some packers on Windows write it.
pub fn peoples_entries(directory: &[u8], count: u64, hint: &str) -> Option<Vec<Entry>> {
    let (mut entries, bytes): (Vec<Entry>, Vec<Option<&[u8]>>) = raw_entries(directory, count)?.into_iter().unzip();
    let unnamed: Vec<usize> = (0..bytes.len()).filter(|number| bytes[*number].is_some()).collect();
    let names = decode_all(&bytes.into_iter().flatten().collect::<Vec<_>>(), hint);
    for (number, name) in unnamed.into_iter().zip(names) {
        entries[number].name = name;
    }
    if !entries.iter().any(|entry| entry.name.contains('/')) {
        entries.iter_mut().for_each(|entry| entry.name = entry.name.replace('\\', "/"));
    }
    Some(entries)
}

/// An entry, with the bytes of its name where their code page is not known.
type RawEntry<'a> = (Entry, Option<&'a [u8]>);

/// Entries of a directory.
fn raw_entries(directory: &[u8], count: u64) -> Option<Vec<RawEntry<'_>>> {
    let mut entries = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        // Each takes 46 bytes or more, so a count that lies ends with the directory.
        let (entry, bytes, after) = entry(directory, at)?;
        entries.push((entry, bytes));
        at = after;
    }
    Some(entries)
}

/// The entry at `at` of a directory, the bytes of its name where their code page is not known, and where the next entry begins.
fn entry(directory: &[u8], at: u64) -> Option<(Entry, Option<&[u8]>, u64)> {
    if part(directory, at, 4)? != b"PK\x01\x02" {
        return None;
    }
    let field = |offset: u64, count: u64| number(directory, at + offset, count);
    let (flags, method, crc32) = (field(8, 2)?, field(10, 2)?, field(16, 4)?);
    let (mut packed, mut size, mut local) = (field(20, 4)?, field(24, 4)?, field(42, 4)?);
    let (name_len, extra_len, comment_len) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
    let bytes = part(directory, at + 46, name_len)?;
    let extras = part(directory, at + 46 + name_len, extra_len)?;
    let unicode = if flags & u64::from(UTF_8) != 0 { std::str::from_utf8(bytes).ok() } else { unicode_path(extras, bytes) };
    let name = unicode.unwrap_or_default().to_owned();
    if let Some(long) = extra(extras, 1) {
        // It holds those values, in this order, for which there was no room.
        let mut place = 0;
        for value in [&mut size, &mut packed, &mut local] {
            if *value == SEE_64_32 {
                *value = number(long, place, 8)?;
                place += 8;
            }
        }
    }
    let entry = Entry { name, method: method as u16, encrypted: flags & 1 == 1, crc32: crc32 as u32, packed, size, local };
    Some((entry, unicode.is_none().then_some(bytes), at + 46 + name_len + extra_len + comment_len))
}

/// Info-ZIP's name in UTF-8, where it belongs to these bytes: a version, their checksum, the name.
fn unicode_path<'a>(extras: &'a [u8], bytes: &[u8]) -> Option<&'a str> {
    let contents = extra(extras, 0x7075)?;
    let fits = number(contents, 0, 1)? == 1 && number(contents, 1, 4)? == u64::from(crc32fast::hash(bytes));
    std::str::from_utf8(contents.get(5..)?).ok().filter(|_| fits)
}

/// Where the contents begin behind the local header at `local`, from its first [`LOCAL`] bytes: name and extras are repeated
/// there, the extras with another length than in the directory.
pub fn contents_start(header: &[u8], local: u64) -> Option<u64> {
    if part(header, 0, 4)? != b"PK\x03\x04" {
        return None;
    }
    local.checked_add(LOCAL + number(header, 26, 2)? + number(header, 28, 2)?)
}

/// The extra of this kind (1: 64-bit values): kind and length of two bytes each, contents.
fn extra(extras: &[u8], wanted: u64) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let (kind, length) = (number(extras, at, 2)?, number(extras, at + 2, 2)?);
        let contents = part(extras, at + 4, length)?;
        if kind == wanted {
            return Some(contents);
        }
        at += 4 + length;
    }
}

/// `bytes[start..start + len]`, if it lies inside.
pub fn part(bytes: &[u8], start: u64, len: u64) -> Option<&[u8]> {
    let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
    bytes.get(start..start.checked_add(len)?)
}

/// `count` bytes at `at`, the lowest first.
fn number(bytes: &[u8], at: u64, count: u64) -> Option<u64> {
    Some(part(bytes, at, count)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// A whole archive of these entries, stored as they are; none for what an archive cannot hold.
pub fn stored<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<Vec<u8>> {
    let (mut frame, mut archive) = (Frame::default(), Vec::new());
    for (name, contents) in files {
        archive.extend(frame.header(name, crc32fast::hash(contents), contents.len() as u64)?);
        archive.extend(contents);
    }
    archive.extend(frame.finish());
    Some(archive)
}

/// The frame of a new archive, whose entries are stored as they are: a header in front of each, the directory at the end.
#[derive(Debug, Default)]
pub struct Frame {
    directory: Vec<u8>,
    count: u64,
    /// Bytes so far.
    at: u64,
}

impl Frame {
    /// Of an archive behind so many other bytes of its file.
    pub fn behind(at: u64) -> Self {
        Self { at, ..Self::default() }
    }

    /// What stands in front of an entry's contents. `None` for contents of 4 GiB or a name of 64 KiB, which an entry cannot hold.
    pub fn header(&mut self, name: &str, crc32: u32, size: u64) -> Option<Vec<u8>> {
        let size = u32::try_from(size).ok().filter(|size| u64::from(*size) != SEE_64_32)?;
        let name_len = u16::try_from(name.len()).ok()?;
        let local = self.at;
        // From "version needed" to the sizes, the same in both places. 1980-01-01, the first day there is, for every entry: equal
        // projects make equal archives.
        let version: u16 = if local < SEE_64_32 { 20 } else { 45 };
        let mut common = Vec::new();
        common.extend(version.to_le_bytes());
        for half in [UTF_8, 0, 0, 0x21] {
            common.extend(half.to_le_bytes());
        }
        for word in [crc32, size, size] {
            common.extend(word.to_le_bytes());
        }
        common.extend(name_len.to_le_bytes());

        let mut header = b"PK\x03\x04".to_vec();
        header.extend(&common);
        header.extend([0; 2]);
        header.extend(name.as_bytes());

        let long = (local >= SEE_64_32).then_some(local);
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(version.to_le_bytes());
        self.directory.extend(&common);
        self.directory.extend(if long.is_some() { 12u16 } else { 0 }.to_le_bytes());
        // Comment, disk, inner and outer attributes.
        self.directory.extend([0; 10]);
        self.directory.extend((local.min(SEE_64_32) as u32).to_le_bytes());
        self.directory.extend(name.as_bytes());
        if let Some(local) = long {
            self.directory.extend([1, 0, 8, 0]);
            self.directory.extend(local.to_le_bytes());
        }
        self.count += 1;
        self.at += header.len() as u64 + u64::from(size);
        Some(header)
    }

    /// Directory and end, which close the archive.
    pub fn finish(self) -> Vec<u8> {
        let Self { directory: mut bytes, count, at: start } = self;
        let len = bytes.len() as u64;
        if count >= SEE_64_16 || start >= SEE_64_32 {
            let record = start + len;
            bytes.extend(b"PK\x06\x06");
            bytes.extend((END_64 - 12).to_le_bytes());
            bytes.extend([45, 0, 45, 0]);
            bytes.extend([0; 8]);
            for value in [count, count, len, start] {
                bytes.extend(value.to_le_bytes());
            }
            bytes.extend(b"PK\x06\x07\0\0\0\0");
            bytes.extend(record.to_le_bytes());
            bytes.extend([1, 0, 0, 0]);
        }
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        let short = (count.min(SEE_64_16) as u16).to_le_bytes();
        bytes.extend(short);
        bytes.extend(short);
        bytes.extend((len.min(SEE_64_32) as u32).to_le_bytes());
        bytes.extend((start.min(SEE_64_32) as u32).to_le_bytes());
        bytes.extend([0; 2]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    fn read(archive: &[u8]) -> Option<Vec<(Entry, Vec<u8>)>> {
        let tail = &archive[archive.len().saturating_sub(TAIL as usize)..];
        let found = directory(tail, archive.len() as u64)?;
        let entries = entries(part(archive, found.start, found.len)?, found.count)?;
        entries
            .into_iter()
            .map(|entry| {
                let start = contents_start(part(archive, entry.local, LOCAL)?, entry.local)?;
                let contents = part(archive, start, entry.packed)?.to_vec();
                Some((entry, contents))
            })
            .collect()
    }

    fn write(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut frame = Frame::default();
        let mut archive = Vec::new();
        for (name, contents) in files {
            archive.extend(frame.header(name, crc32fast::hash(contents), contents.len() as u64).unwrap());
            archive.extend(*contents);
        }
        archive.extend(frame.finish());
        archive
    }

    #[test]
    fn another_program_reads_what_is_written() {
        let files: [(&str, &[u8]); 3] = [("猫/1.jpg", b"first"), ("project.json", b"{}"), ("empty", b"")];
        let archive = write(&files);
        let mut theirs = ::zip::ZipArchive::new(Cursor::new(&archive)).unwrap();
        for (name, contents) in files {
            let mut found = Vec::new();
            // Reading also compares the checksum.
            theirs.by_name(name).unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, contents);
        }
        let ours = read(&archive).unwrap();
        assert_eq!(ours.iter().map(|(entry, contents)| (&*entry.name, &**contents)).collect::<Vec<_>>(), files);
    }

    #[test]
    fn more_entries_than_16_bits_count_take_the_64_bit_end() {
        let names: Vec<String> = (0..66_000).map(|i| i.to_string()).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b"x"[..])).collect();
        let archive = write(&files);
        assert_eq!(read(&archive).unwrap().len(), files.len());
        assert_eq!(::zip::ZipArchive::new(Cursor::new(&archive)).unwrap().len(), files.len());
    }

    #[test]
    fn an_entry_beyond_four_gigabytes_is_found_by_its_64_bit_place() {
        let mut frame = Frame { at: 5 << 32, ..Frame::default() };
        frame.header("far", 7, 3).unwrap();
        let end = frame.at;
        let tail = frame.finish();
        let found = directory(&tail, end + tail.len() as u64).unwrap();
        assert_eq!((found.start, found.count), (end, 1));
        let entries = entries(&tail[..found.len as usize], found.count).unwrap();
        assert_eq!((entries[0].local, entries[0].size, entries[0].crc32), (5 << 32, 3, 7));
        assert!(Frame::default().header("large", 0, 1 << 32).is_none());
    }

    /// A directory of one entry with these name bytes, flags and extras.
    fn directory_of(names: &[(&[u8], u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, flags, extras) in names {
            bytes.extend(b"PK\x01\x02\x14\0\x14\0");
            bytes.extend(flags.to_le_bytes());
            bytes.extend([0; 18]);
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend((extras.len() as u16).to_le_bytes());
            bytes.extend([0; 14]);
            bytes.extend(*name);
            bytes.extend(*extras);
        }
        bytes
    }

    fn names(entries: &[(&[u8], u16, &[u8])]) -> Vec<String> {
        let read = peoples_entries(&directory_of(entries), entries.len() as u64, "").unwrap();
        read.into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn names_are_utf_8_or_of_one_code_page() {
        let gbk: [&[u8]; 4] = [b"\xb9\xb7/0.png", b"\xc4\xf1/0.png", b"\xc2\xed/0.png", b"\xc3\xa8/0.png"];
        assert_eq!(names(&gbk.map(|name| (name, 0, &b""[..]))), ["狗/0.png", "鸟/0.png", "马/0.png", "猫/0.png"]);
        assert_eq!(names(&[("é/1".as_bytes(), UTF_8, b"")]), ["é/1"]);
        assert_eq!(names(&[("é/1".as_bytes(), 0, b"")]), ["é/1"], "as the Finder writes them");
        let mut extra = vec![0x75, 0x70, 8, 0, 1];
        extra.extend(crc32fast::hash(b"caf?").to_le_bytes());
        extra.extend("猫".as_bytes());
        assert_eq!(names(&[(b"caf?", 0, &extra)]), ["猫"]);
        assert_eq!(names(&[(b"other", 0, &extra)]), ["other"], "the extra field is of another name");
        let windows: [&[u8]; 2] = [b"cat\\0.png", b"dog\\0.png"];
        assert_eq!(names(&windows.map(|name| (name, 0, &b""[..]))), ["cat/0.png", "dog/0.png"]);
        assert_eq!(names(&[(b"a\\b/c", 0, b"")]), ["a\\b/c"]);
    }
}
