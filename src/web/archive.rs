//! Zip archives as files of the browser: looked into piece by piece, and put together without reading what goes in.

use js_sys::{Array, Function, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, ReadableWritablePair, Response};

use super::files::{blob_of, read_blob};
use super::js::{get, wait, words};
use crate::data::zip::{self, Entry, Frame, LOCAL, TAIL};
use crate::{Error, Result};

/// Largest entry that is unpacked: a checkpoint of the largest network fits.
const MAX_ENTRY_BYTES: u64 = 1 << 30;

/// An archive that is being read.
#[derive(Debug)]
pub struct Archive {
    name: String,
    file: Blob,
    /// What is in it, folders left out.
    pub entries: Vec<Entry>,
}

impl Archive {
    /// Reads the directory; `name` is used in errors.
    ///
    /// # Errors
    /// [`Error::Io`] when it is no zip archive or damaged.
    pub async fn open(name: &str, file: &Blob) -> Result<Self> {
        let total = file.size() as u64;
        let damaged = || io(name, "it is no zip archive, or it was cut off; make it again".into());
        let tail = slice(name, file, total.saturating_sub(TAIL), total).await?;
        let found = zip::directory(&tail, total).ok_or_else(damaged)?;
        let end = found.start.saturating_add(found.len).min(total);
        let directory = slice(name, file, found.start, end).await?;
        let mut entries = zip::entries(&directory, found.count).ok_or_else(damaged)?;
        entries.retain(|entry| !entry.name.ends_with('/'));
        Ok(Self { name: name.into(), file: file.clone(), entries })
    }

    /// An entry's contents, unpacked.
    ///
    /// # Errors
    /// [`Error::Io`] for an entry that is encrypted, packed in an unusual way, damaged, or of more than 1 GiB.
    pub async fn bytes(&self, entry: &Entry) -> Result<Vec<u8>> {
        let name = format!("{} in {}", entry.name, self.name);
        if entry.size > MAX_ENTRY_BYTES {
            return Err(io(&name, format!("it has {:.1} GB; up to 1 GB can be read", entry.size as f64 / 1e9)));
        }
        let header = slice(&name, &self.file, entry.local, entry.local.saturating_add(LOCAL)).await?;
        let start = zip::contents_start(&header, entry.local);
        let start = start.ok_or_else(|| io(&name, "the archive is damaged; make it again".into()))?;
        let end = start.saturating_add(entry.packed);
        let bytes = match (entry.encrypted, entry.method) {
            (false, 0) => slice(&name, &self.file, start, end).await?,
            (false, 8) => inflate(&name, &cut(&name, &self.file, start, end)?).await?,
            (true, _) => return Err(io(&name, "it is locked with a password; make the archive without one".into())),
            (_, method) => {
                return Err(io(
                    &name,
                    format!("it is packed in a way (method {method}) that browsers do not know; use plain zip"),
                ));
            }
        };
        if bytes.len() as u64 != entry.size || crc32fast::hash(&bytes) != entry.crc32 {
            return Err(io(&name, "it is damaged: its checksum is wrong. Make or download the archive again".into()));
        }
        Ok(bytes)
    }
}

/// Unpacks as it goes: what says it is small and is not ends at the limit.
async fn inflate(name: &str, packed: &Blob) -> Result<Vec<u8>> {
    let unpacked = async {
        // web-sys calls it unstable; all browsers with WebGPU have it.
        let class: Function = get(&js_sys::global(), "DecompressionStream").dyn_into()?;
        let stream = Reflect::construct(&class, &Array::of1(&"deflate-raw".into()))?;
        let (readable, writable) = (get(&stream, "readable"), get(&stream, "writable"));
        let pair = ReadableWritablePair::new(readable.unchecked_ref(), writable.unchecked_ref());
        let readable = packed.stream().pipe_through(&pair);
        let buffer = Response::new_with_opt_readable_stream(Some(&readable))?.array_buffer()?;
        wait(buffer.unchecked_into()).await
    };
    let buffer: Result<_, JsValue> = unpacked.await;
    let buffer = buffer.map_err(|e| io(name, format!("it cannot be unpacked ({})", words(&e))))?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

fn cut(name: &str, file: &Blob, start: u64, end: u64) -> Result<Blob> {
    file.slice_with_f64_and_f64(start as f64, end as f64).map_err(|e| io(name, words(&e)))
}

async fn slice(name: &str, file: &Blob, start: u64, end: u64) -> Result<Vec<u8>> {
    read_blob(name, &cut(name, file, start, end)?).await
}

fn io(name: &str, reason: String) -> Error {
    Error::Io { path: name.into(), reason }
}

/// An archive in the making: headers in memory, contents wherever they are.
#[derive(Debug, Default)]
pub struct ArchiveBuilder {
    frame: Frame,
    parts: Array,
}

impl ArchiveBuilder {
    /// Adds a file that lies in the browser's storage, whose checksum and size are known.
    ///
    /// # Errors
    /// [`Error::Io`] for a file of 4 GiB or more.
    pub fn add(&mut self, name: &str, contents: &Blob, crc32: u32, size: u64) -> Result<()> {
        self.header(name, crc32, size)?;
        self.parts.push(contents);
        Ok(())
    }

    /// Adds a file in memory.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_bytes(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        self.header(name, crc32fast::hash(contents), contents.len() as u64)?;
        self.parts.push(&Uint8Array::from(contents));
        Ok(())
    }

    fn header(&mut self, name: &str, crc32: u32, size: u64) -> Result<()> {
        let header = self.frame.header(name, crc32, size);
        let header = header.ok_or_else(|| io(name, "it is too large for a zip archive".into()))?;
        self.parts.push(&Uint8Array::from(&header[..]));
        Ok(())
    }

    /// The archive.
    ///
    /// # Errors
    /// [`Error::Io`] with the browser's words.
    pub fn finish(self) -> Result<Blob> {
        self.parts.push(&Uint8Array::from(&self.frame.finish()[..]));
        blob_of(&self.parts, "application/zip").map_err(|e| io("the archive", words(&e)))
    }
}
