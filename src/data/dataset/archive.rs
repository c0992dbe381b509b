//! ZIP and tar archives on disk, read in place.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::io;
use crate::data::{tar, zip};
use crate::{Error, Result};

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArchiveKind {
    Zip,
    Tar,
    /// A tar archive in gzip.
    TarGz,
}

/// Endings of archives, the longest first.
const ENDINGS: [&str; 5] = [".tar.gz", ".tgz", ".tar", ".zip", ".tm"];

/// Whether a file of this name is an archive that is read.
pub(super) fn has_ending(path: &str) -> bool {
    ENDINGS.iter().any(|ending| path.to_ascii_lowercase().ends_with(ending))
}

/// Its name without folder and ending, and without what Teachable Machine puts behind a class's name.
pub(super) fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    let ending = ENDINGS.iter().find(|ending| lower.ends_with(*ending)).map_or(0, |ending| ending.len());
    name[..name.len() - ending].trim_end_matches("-samples")
}

impl ArchiveKind {
    /// By the first bytes; `None` where it is no archive.
    pub(super) fn of(path: &Path) -> Result<Option<Self>> {
        let fail = |error: std::io::Error| io(path, error.to_string());
        let file = File::open(path).map_err(fail)?;
        let mut head = Vec::new();
        (&file).take(512).read_to_end(&mut head).map_err(fail)?;
        // An empty ZIP begins with its end.
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Ok(Some(Self::Zip));
        }
        if head.starts_with(b"\x1f\x8b") {
            return Ok(Some(Self::TarGz));
        }
        let ustar = head.get(257..262) == Some(b"ustar");
        // The oldest archives carry no mark: their names do.
        Ok((ustar || path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar"))).then_some(Self::Tar))
    }
}

/// An open archive.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    file: Mutex<File>,
    entries: Vec<Entry>,
    /// What was unpacked to read it in place; removed with this value.
    _unpacked: Option<Unpacked>,
}

#[derive(Debug)]
enum Entry {
    Zip(zip::Entry),
    Tar(tar::Entry),
}

/// A file in the system's folder for such.
#[derive(Debug)]
struct Unpacked(PathBuf);

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Largest entry that is unpacked. An array of a large `.npz` fits.
const MAX_ENTRY_BYTES: u64 = 8 << 30;
/// Deflate makes at most 1032 bytes of one (its longest copies in two bits each); what claims more is damaged.
const MAX_EXPANSION: u64 = 1040;

impl Archive {
    pub(super) fn open(path: &Path, kind: ArchiveKind) -> Result<Self> {
        let fail = |error: std::io::Error| io(path, error.to_string());
        let mut unpacked = None;
        let mut file = File::open(path).map_err(fail)?;
        if kind == ArchiveKind::TarGz {
            let guard = unpack(path, &file)?;
            file = File::open(&guard.0).map_err(fail)?;
            unpacked = Some(guard);
        }
        let total = file.metadata().map_err(fail)?.len();
        let mut part = |start: u64, length: u64| -> Result<Vec<u8>> { read(&mut file, start, length).map_err(fail) };
        let entries = match kind {
            ArchiveKind::Zip => zip_entries(path, total, &mut part)?.into_iter().map(Entry::Zip).collect(),
            _ => tar_entries(path, total, &mut part)?.into_iter().map(Entry::Tar).collect(),
        };
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), entries, _unpacked: unpacked })
    }

    /// Names and sizes.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().map(|entry| match entry {
            Entry::Zip(entry) => (entry.name.as_str(), entry.size),
            Entry::Tar(entry) => (entry.name.as_str(), entry.size),
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().map(|(name, _)| name)
    }

    /// An entry's contents, never more than its archive says they are.
    pub(super) fn bytes(&self, index: usize) -> Result<Vec<u8>> {
        let Some(entry) = self.entries.get(index) else { return Ok(Vec::new()) };
        let part = |start: u64, length: u64| {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            read(&mut file, start, length).map_err(|error| io(&self.path, error.to_string()))
        };
        match entry {
            Entry::Tar(entry) => part(entry.start, entry.size),
            Entry::Zip(entry) => {
                let fail = |reason: String| Error::Io { path: format!("{}/{}", self.path.display(), entry.name), reason };
                if entry.encrypted {
                    return Err(fail("it is locked with a password; make the archive without one".into()));
                }
                if entry.size > MAX_ENTRY_BYTES || entry.size / MAX_EXPANSION > entry.packed {
                    return Err(fail(format!(
                        "it says it has {} bytes, packed in {}; that cannot be",
                        entry.size, entry.packed
                    )));
                }
                let damaged = || fail("it is damaged; make or download the archive again".into());
                let start = zip::contents_start(&part(entry.local, zip::LOCAL)?, entry.local).ok_or_else(damaged)?;
                let packed = part(start, entry.packed)?;
                let bytes = match entry.method {
                    0 => packed,
                    8 => {
                        let mut bytes = Vec::new();
                        bytes.try_reserve_exact(entry.size as usize).map_err(|_| fail("there is no memory for it".into()))?;
                        let inflate = flate2::read::DeflateDecoder::new(&packed[..]);
                        inflate.take(entry.size + 1).read_to_end(&mut bytes).map_err(|_| damaged())?;
                        bytes
                    }
                    method => return Err(fail(format!("it is packed in a rare way (method {method}); make a plain ZIP"))),
                };
                if bytes.len() as u64 != entry.size || crc32fast::hash(&bytes) != entry.crc32 {
                    return Err(damaged());
                }
                Ok(bytes)
            }
        }
    }
}

/// Exactly these bytes.
fn read(file: &mut File, start: u64, length: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    // What a damaged archive says of its entries is not believed: memory grows with what is there.
    let found = file.take(length).read_to_end(&mut bytes)?;
    if (found as u64) < length {
        Err(std::io::Error::other("the archive was cut off; download or copy it again"))
    } else {
        Ok(bytes)
    }
}

fn zip_entries(path: &Path, total: u64, part: &mut dyn FnMut(u64, u64) -> Result<Vec<u8>>) -> Result<Vec<zip::Entry>> {
    let damaged =
        || io(path, "its directory is missing or damaged: the ZIP archive was cut off; download or make it again".into());
    let tail = part(total.saturating_sub(zip::TAIL), total.min(zip::TAIL))?;
    let found = zip::directory(&tail, total).ok_or_else(damaged)?;
    let directory = part(found.start, found.len.min(total.saturating_sub(found.start)))?;
    let language = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let mut entries = zip::peoples_entries(&directory, found.count, &language.replace('_', "-")).ok_or_else(damaged)?;
    entries.retain(|entry| !entry.name.ends_with('/'));
    Ok(entries)
}

fn tar_entries(path: &Path, total: u64, part: &mut dyn FnMut(u64, u64) -> Result<Vec<u8>>) -> Result<Vec<tar::Entry>> {
    let mut walk = tar::Walk::new(total);
    let mut length = tar::BLOCK;
    while let Some((start, count)) = walk.wanted(length) {
        match walk.take(&part(start, count)?).map_err(|reason| io(path, reason.into()))? {
            Some(next) => length = next,
            None => break,
        }
    }
    Ok(walk.entries)
}

/// Unpacks gzip into a temporary file, so that pictures can be read in any order.
fn unpack(path: &Path, file: &File) -> Result<Unpacked> {
    /// A picture hardly shrinks; an archive that grows a hundredfold and more beyond this is no data set.
    const FREE_BYTES: u64 = 1 << 30;
    const EXPANSION: u64 = 100;
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let fail = |error: std::io::Error| io(path, format!("it cannot be unpacked ({error})"));
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let target = std::env::temp_dir().join(format!("reslab-{}-{number}.tar", std::process::id()));
    let mut out = File::options().write(true).create_new(true).open(&target).map_err(fail)?;
    let unpacked = Unpacked(target);
    let limit = FREE_BYTES.max(EXPANSION * file.metadata().map_err(fail)?.len());
    let mut input = flate2::read::MultiGzDecoder::new(std::io::BufReader::new(file)).take(limit + 1);
    let written = std::io::copy(&mut input, &mut out).map_err(fail)?;
    if written > limit {
        return Err(io(path, format!("it unpacks to more than {} GB; unpack it yourself and give the folder", limit >> 30)));
    }
    out.flush().map_err(fail)?;
    Ok(unpacked)
}
