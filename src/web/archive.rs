//! Archives as files of the browser: looked into piece by piece, and put together without reading what goes in.

use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, ReadableStreamDefaultReader, ReadableWritablePair};

use super::files::{blob_of, not_made, read_blob, save_blob, unreadable};
use super::js::{call, get, wait, window, words};
use crate::data::tar;
use crate::data::zip::{self, Frame, LOCAL, TAIL};
use crate::error::Fault;
use crate::{Error, Result};

/// Largest entry that is unpacked: a checkpoint of the largest network fits.
const MAX_ENTRY_BYTES: u64 = 1 << 30;

/// Most bytes a packed tar archive may unpack to: it is held whole.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// An archive that is being read: ZIP, tar, or tar in gzip.
#[derive(Debug)]
pub struct Archive {
    name: String,
    file: Blob,
    /// What is in it, folders left out.
    pub entries: Vec<Entry>,
}

/// A file of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path.
    pub name: String,
    /// Bytes, unpacked.
    pub size: u64,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Zip(zip::Entry),
    /// First byte in the archive.
    Span(u64),
}

/// Whether a file of this name is an archive that is read.
pub fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".zip", ".tm", ".tar", ".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending))
}

impl Archive {
    /// Lists what is in it; `name` is used in errors.
    ///
    /// # Errors
    /// [`Error::File`] when it is no such archive or damaged.
    pub async fn open(name: &str, file: &Blob) -> Result<Self> {
        let head = slice(name, file, 0, (file.size() as u64).min(512)).await?;
        if head.starts_with(b"\x1f\x8b") {
            let unpacked = unpack(name, file, "gzip", MAX_UNPACKED_BYTES).await?;
            let file = blob_of(&unpacked, "").map_err(|e| not_made(name, &e))?;
            return Self::tar(name, file).await;
        }
        if head.get(257..262) == Some(b"ustar") || name.to_ascii_lowercase().ends_with(".tar") {
            return Self::tar(name, file.clone()).await;
        }
        Self::zip(name, file).await
    }

    async fn zip(name: &str, file: &Blob) -> Result<Self> {
        let total = file.size() as u64;
        let damaged = || refuse(name, Fault::NoArchive {});
        let tail = slice(name, file, total.saturating_sub(TAIL), total).await?;
        let found = zip::directory(&tail, total).ok_or_else(damaged)?;
        let end = found.start.saturating_add(found.len).min(total);
        let directory = slice(name, file, found.start, end).await?;
        let entries = zip::peoples_entries(&directory, found.count, &page_language()).ok_or_else(damaged)?;
        let entries = entries.into_iter().filter(|entry| !entry.name.ends_with('/'));
        let entries = entries.map(|entry| Entry { name: entry.name.clone(), size: entry.size, place: Place::Zip(entry) });
        Ok(Self { name: name.into(), file: file.clone(), entries: entries.collect() })
    }

    async fn tar(name: &str, file: Blob) -> Result<Self> {
        let mut walk = tar::Walk::new(file.size() as u64);
        let mut length = tar::BLOCK;
        while let Some((start, count)) = walk.wanted(length) {
            let piece = slice(name, &file, start, start + count).await?;
            match walk.take(&piece).map_err(|_| refuse(name, Fault::DamagedArchive {}))? {
                Some(next) => length = next,
                None => break,
            }
        }
        let entry = |entry: tar::Entry| Entry { name: entry.name, size: entry.size, place: Place::Span(entry.start) };
        Ok(Self { name: name.into(), entries: walk.entries.into_iter().map(entry).collect(), file })
    }

    /// An entry's contents, unpacked; never more than the archive says they are.
    ///
    /// # Errors
    /// [`Error::File`] for an entry that is encrypted, packed in an unusual way, damaged, or of more than 1 GiB.
    pub async fn bytes(&self, entry: &Entry) -> Result<Vec<u8>> {
        let name = format!("{} in {}", entry.name, self.name);
        if entry.size > MAX_ENTRY_BYTES {
            let has = format!("{:.1} GB", entry.size as f64 / 1e9);
            return Err(refuse(&name, Fault::TooLarge { has, most: "1 GB".into() }));
        }
        let zipped = match &entry.place {
            Place::Span(start) => return slice(&name, &self.file, *start, start.saturating_add(entry.size)).await,
            Place::Zip(entry) => entry,
        };
        let header = slice(&name, &self.file, zipped.local, zipped.local.saturating_add(LOCAL)).await?;
        let start = zip::contents_start(&header, zipped.local);
        let start = start.ok_or_else(|| refuse(&name, Fault::DamagedArchive {}))?;
        let end = start.saturating_add(zipped.packed);
        let bytes = match (zipped.encrypted, zipped.method) {
            (false, 0) => slice(&name, &self.file, start, end).await?,
            (false, 8) => {
                let parts = unpack(&name, &cut(&name, &self.file, start, end)?, "deflate-raw", zipped.size).await?;
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(zipped.size as usize).map_err(|_| refuse(&name, Fault::NoMemory {}))?;
                parts.iter().for_each(|part| bytes.extend(part.unchecked_into::<Uint8Array>().to_vec()));
                bytes
            }
            (true, _) => return Err(refuse(&name, Fault::Locked {})),
            (_, method) => return Err(refuse(&name, Fault::OddPacking { method })),
        };
        if bytes.len() as u64 != zipped.size || crc32fast::hash(&bytes) != zipped.crc32 {
            return Err(refuse(&name, Fault::DamagedArchive {}));
        }
        Ok(bytes)
    }
}

/// The language the page is shown in: archives of the person's own country are likely.
fn page_language() -> String {
    let root = window().ok().and_then(|window| window.document()?.document_element());
    root.and_then(|root| root.get_attribute("lang")).unwrap_or_default()
}

/// Unpacks piece by piece, and stops where it becomes more than `limit` bytes: a small file that says so can hold terabytes.
async fn unpack(name: &str, packed: &Blob, format: &str, limit: u64) -> Result<Array> {
    let unpacked = async {
        // web-sys calls it unstable; all browsers with WebGPU have it.
        let class: Function = get(&js_sys::global(), "DecompressionStream").dyn_into()?;
        let stream = Reflect::construct(&class, &Array::of1(&format.into()))?;
        let (readable, writable) = (get(&stream, "readable"), get(&stream, "writable"));
        let pair = ReadableWritablePair::new(readable.unchecked_ref(), writable.unchecked_ref());
        let readable = packed.stream().pipe_through(&pair);
        let reader: ReadableStreamDefaultReader = readable.get_reader().unchecked_into();
        let (parts, mut total) = (Array::new(), 0.0);
        loop {
            let piece = wait(reader.read()).await?;
            if get(&piece, "done").is_truthy() {
                return Ok(Some(parts));
            }
            let value: Uint8Array = get(&piece, "value").dyn_into()?;
            total += f64::from(value.length());
            if total > limit as f64 {
                // The rest is not wanted; whatever the stream says to that changes nothing.
                let _ = wait(reader.cancel()).await;
                return Ok(None);
            }
            parts.push(&value);
        }
    };
    let unpacked: Result<Option<Array>, JsValue> = unpacked.await;
    match unpacked {
        Ok(parts) => parts.ok_or_else(|| refuse(name, Fault::UnpacksToMore {})),
        Err(error) => {
            log::warn!("{name}: {}", words(&error));
            Err(refuse(name, Fault::DamagedArchive {}))
        }
    }
}

fn cut(name: &str, file: &Blob, start: u64, end: u64) -> Result<Blob> {
    file.slice_with_f64_and_f64(start as f64, end as f64).map_err(|e| unreadable(name, &e))
}

async fn slice(name: &str, file: &Blob, start: u64, end: u64) -> Result<Vec<u8>> {
    read_blob(name, &cut(name, file, start, end)?).await
}

fn refuse(name: &str, reason: Fault) -> Error {
    Error::File { name: name.into(), reason }
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
    /// [`Error::File`] for a file of 4 GiB or more.
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
        let header = header.ok_or_else(|| refuse(name, Fault::TooLargeForZip {}))?;
        self.parts.push(&Uint8Array::from(&header[..]));
        Ok(())
    }

    /// Adds a file of any size that lies in the browser's storage; it is read once, piece by piece, for its checksum.
    ///
    /// # Errors
    /// As [`add`](Self::add), and when it cannot be read.
    pub async fn add_blob(&mut self, name: &str, contents: &Blob) -> Result<()> {
        let size = contents.size() as u64;
        let mut crc = crc32fast::Hasher::new();
        let mut at = 0;
        while at < size {
            let end = (at + PIECE_BYTES).min(size);
            crc.update(&slice(name, contents, at, end).await?);
            at = end;
        }
        self.add(name, contents, crc.finalize(), size)
    }

    /// Saves the archive there. Nothing of it is held here on the way.
    ///
    /// # Errors
    /// [`Error::File`] with the browser's words.
    pub async fn save(self, file_name: &str, place: Outlet) -> Result<()> {
        self.parts.push(&Uint8Array::from(&self.frame.finish()[..]));
        let failed = |e: JsValue| not_made(file_name, &e);
        match place {
            Outlet::Download => save_blob(file_name, &blob_of(&self.parts, "application/zip").map_err(failed)?),
            Outlet::Chosen(stream) => {
                for part in self.parts.iter() {
                    if let Err(error) = told(&stream, "write", &part).await {
                        // What is half written is thrown away by the browser.
                        drop(told(&stream, "abort", &error).await);
                        return Err(failed(error));
                    }
                }
                told(&stream, "close", &JsValue::UNDEFINED).await.map(drop).map_err(failed)
            }
        }
    }
}

/// Bytes that are read at a time.
const PIECE_BYTES: u64 = 8 << 20;
/// From here on the person is asked where to, and the file is written there part by part: a download of the browser may want as much room
/// again for the time being, which a phone does not have.
const ASK_BYTES: u64 = 256 << 20;

/// Where a file is saved.
#[derive(Debug)]
pub enum Outlet {
    /// Among the browser's downloads.
    Download,
    /// In a file that was chosen, as a stream.
    Chosen(JsValue),
}

/// Where a file of about so many bytes is to be saved; `None` when the person has changed their mind. To be called soon after the
/// click: browsers ask nothing out of the blue.
pub async fn choose_place(file_name: &str, bytes: u64) -> Option<Outlet> {
    let Ok(picker) = get(&js_sys::global(), "showSaveFilePicker").dyn_into::<Function>() else { return Some(Outlet::Download) };
    if bytes < ASK_BYTES {
        return Some(Outlet::Download);
    }
    let chosen = async {
        let options = Object::from_entries(&Array::of1(&Array::of2(&"suggestedName".into(), &file_name.into())))?;
        let file = wait(picker.call1(&js_sys::global(), &options)?.dyn_into()?).await?;
        wait(call(&file, "createWritable")?.dyn_into()?).await
    };
    match chosen.await {
        Ok(stream) => Some(Outlet::Chosen(stream)),
        Err(error) if get(&error, "name").as_string().as_deref() == Some("AbortError") => None,
        Err(error) => {
            log::warn!("no place can be chosen: {}", words(&error));
            Some(Outlet::Download)
        }
    }
}

/// Calls a method that answers later.
async fn told(object: &JsValue, method: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
    let method: Function = get(object, method).dyn_into()?;
    wait(method.call1(object, argument)?.dyn_into()?).await
}
