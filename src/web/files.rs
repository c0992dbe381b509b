//! Files: dropped, pasted, chosen, saved.

use std::future::Future;

use js_sys::{Array, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{
    Blob, BlobPropertyBag, ClipboardEvent, DataTransferItem, DragEvent, File, FileList, FileSystemDirectoryEntry,
    FileSystemEntry, FileSystemFileEntry, HtmlAnchorElement, HtmlInputElement, Url,
};

use super::js::{get, wait, window, words};
use crate::data::Format;
use crate::data::sniff::is_picture_name;
use crate::error::Fault;
use crate::sorting;
use crate::{Error, Result};

/// Most files taken from one drop.
pub const MAX_FILES: usize = 5000;
/// Folders inside folders that are followed.
const MAX_DEPTH: usize = 16;
/// Largest file that is read into memory: a page has 4 GiB of it, and unpacked weights are needed beside the file.
const MAX_FILE_BYTES: f64 = 1.5 * 1024.0 * 1024.0 * 1024.0;
/// How long a download's address stays valid after the click; some browsers start late.
const SAVE_GRACE_MS: i32 = 60_000;

/// The files of a drop: those dropped as such, and the pictures in folders, at any depth; where there are none, the files of a network
/// (a TensorFlow checkpoint, Hugging Face's folder).
///
/// The event's data is taken at once (a browser takes it away when the event is over); the future walks the folders.
///
/// # Errors
/// [`Error::File`] for a folder without pictures or one that cannot be read, when nothing that was dropped is a file, or for more than
/// [`MAX_FILES`] files.
pub fn files_from_drop(event: &DragEvent) -> impl Future<Output = Result<Vec<File>>> + use<> {
    walk(dropped(event))
}

/// What was dropped, while the event is handled.
fn dropped(event: &DragEvent) -> Vec<Dropped> {
    let mut dropped = Vec::new();
    if let Some(data) = event.data_transfer() {
        let items = data.items();
        let things = (0..items.length()).filter_map(|index| items.get(index)).filter(|item| item.kind() == "file");
        dropped.extend(things.filter_map(|item| Dropped::of(&item)));
        if dropped.is_empty() {
            dropped.extend(list(data.files()).into_iter().map(Dropped::File));
        }
    }
    dropped
}

/// The pictures in folders that were dropped, each with its path, `pets/cat/1.jpg`, and the names of what is no picture. As
/// [`files_from_drop`].
///
/// # Errors
/// As [`files_from_drop`].
pub fn folders_from_drop(event: &DragEvent) -> impl Future<Output = Result<Folders>> + use<> {
    let dropped = dropped(event);
    async move {
        if dropped.is_empty() {
            return Err(no_file());
        }
        let mut folders = Folders::default();
        let mut empty = None;
        for thing in dropped {
            match thing {
                Dropped::File(file) => folders.take(file.name(), file)?,
                Dropped::Entry(folder) => {
                    walk_folder(&folder, &mut folders).await?;
                    empty = Some(folder.name());
                }
            }
        }
        match empty {
            Some(folder) if folders.pictures.is_empty() && folders.others.is_empty() => Err(no_pictures(&folder, 0)),
            _ => Ok(folders),
        }
    }
}

/// The pictures of a folder chosen in `<input type=file webkitdirectory>`, as [`folders_from_drop`]. The choice is cleared.
///
/// # Errors
/// [`Error::File`] for more than [`MAX_FILES`] files.
pub fn folders_from_input(input: &HtmlInputElement) -> Result<Folders> {
    let mut folders = Folders::default();
    for file in files_from_input(input) {
        let path = Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
        let path = path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name());
        folders.take(path, file)?;
    }
    Ok(folders)
}

/// Whether this browser lets people choose a folder. Those of many phones do not.
pub fn folders_work() -> bool {
    let input = get(&js_sys::global(), "HTMLInputElement");
    Reflect::has(&get(&input, "prototype"), &"webkitdirectory".into()).unwrap_or(false)
}

/// What was found in folders.
#[derive(Debug, Default)]
pub struct Folders {
    /// Pictures by their name's ending, with their paths.
    pub pictures: Vec<(String, File)>,
    /// Everything else but hidden files, with their paths.
    pub others: Vec<(String, File)>,
}

impl Folders {
    fn take(&mut self, path: String, file: File) -> Result<()> {
        let path = path.trim_start_matches('/').to_owned();
        let hidden = path.split('/').any(|part| part.starts_with('.'));
        if hidden {
            return Ok(());
        }
        if self.pictures.len() == MAX_FILES {
            return Err(too_many());
        }
        if is_picture(&file.name()) {
            self.pictures.push((path, file))
        } else {
            self.others.push((path, file))
        }
        Ok(())
    }
}

/// The files of a paste; empty when text was pasted, also where the clipboard has a picture of it, as spreadsheets put it there.
pub fn files_from_paste(event: &ClipboardEvent) -> Vec<File> {
    let Some(data) = event.clipboard_data() else { return Vec::new() };
    let files = list(data.files());
    // A file manager copies the names (or addresses) of files as text beside them.
    let names_a_file = |line: &str| line.starts_with("file:") || files.iter().any(|file| line.ends_with(&file.name()));
    let text = data.get_data("text/plain").unwrap_or_default();
    let is_names = text.lines().map(str::trim).filter(|line| !line.is_empty()).all(names_a_file);
    if is_names { files } else { Vec::new() }
}

/// The files chosen in `<input type=file>`. The choice is cleared, so that choosing the same file again is noticed.
pub fn files_from_input(input: &HtmlInputElement) -> Vec<File> {
    let files = list(input.files());
    input.set_value("");
    files
}

/// A file's bytes.
///
/// # Errors
/// [`Error::File`] when it is a folder, has been moved or changed since it was chosen, or is larger than 1.5 GiB.
pub async fn read_file(file: &File) -> Result<Vec<u8>> {
    let refuse = |reason: Fault| Error::File { name: file.name(), reason };
    if file.size() > MAX_FILE_BYTES {
        let [has, most] = [file.size(), MAX_FILE_BYTES].map(|bytes| format!("{:.1} GB", bytes / 1e9));
        return Err(refuse(Fault::TooLarge { has, most }));
    }
    let buffer = wait(file.array_buffer()).await.map_err(|e| unreadable(&file.name(), &e))?;
    let array = Uint8Array::new(&buffer);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(array.length() as usize).map_err(|_| refuse(Fault::NoMemory {}))?;
    bytes.resize(array.length() as usize, 0);
    array.copy_to(&mut bytes);
    Ok(bytes)
}

/// Saves a text as a download of the browser.
///
/// `mime` is its type, e.g. `text/csv`.
///
/// # Errors
/// [`Error::File`] when the browser cannot do it.
pub fn save_text(file_name: &str, mime: &str, text: &str) -> Result<()> {
    save(file_name, mime, &text.into()).map_err(|e| not_made(file_name, &e))
}

/// Saves bytes as a download of the browser.
///
/// # Errors
/// [`Error::File`] when the browser cannot do it.
pub fn save_bytes(file_name: &str, bytes: &[u8]) -> Result<()> {
    save(file_name, "application/octet-stream", &Uint8Array::from(bytes).into()).map_err(|e| not_made(file_name, &e))
}

/// Saves a blob as a download of the browser; it is not read on the way.
///
/// # Errors
/// [`Error::File`] when the browser cannot do it.
pub fn save_blob(file_name: &str, blob: &Blob) -> Result<()> {
    offer(file_name, blob).map_err(|e| not_made(file_name, &e))
}

/// `part` is a string or a buffer.
fn save(file_name: &str, mime: &str, part: &JsValue) -> Result<(), JsValue> {
    offer(file_name, &blob_of(&Array::of1(part), mime)?)
}

/// A blob of strings, buffers and blobs one after the other; blobs are not read.
pub(super) fn blob_of(parts: &Array, mime: &str) -> Result<Blob, JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type(mime);
    Blob::new_with_buffer_source_sequence_and_options(parts, &options)
}

/// A blob of these bytes; `name` is used in errors.
///
/// # Errors
/// [`Error::File`] when there is no memory for it.
pub fn blob(name: &str, bytes: &[u8], mime: &str) -> Result<Blob> {
    blob_of(&Array::of1(&Uint8Array::from(bytes)), mime).map_err(|e| not_made(name, &e))
}

/// The bytes of a blob; `name` is used in errors.
///
/// # Errors
/// [`Error::File`] when the browser cannot do it.
pub async fn read_blob(name: &str, blob: &Blob) -> Result<Vec<u8>> {
    match wait(blob.array_buffer().unchecked_into()).await {
        Ok(buffer) => Ok(Uint8Array::new(&buffer).to_vec()),
        Err(error) => Err(unreadable(name, &error)),
    }
}

fn offer(file_name: &str, blob: &Blob) -> Result<(), JsValue> {
    let window = window()?;
    let document = window.document().ok_or("there is no document here")?;
    let url = Url::create_object_url_with_blob(blob)?;
    let link: HtmlAnchorElement = document.create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(file_name);
    link.click();
    let revoke = Closure::once_into_js(move || drop(Url::revoke_object_url(&url)));
    window.set_timeout_with_callback_and_timeout_and_arguments_0(revoke.unchecked_ref(), SAVE_GRACE_MS)?;
    Ok(())
}

/// An address for a file's bytes, e.g. for `<img src>`; it ends with this value.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectUrl(String);

impl ObjectUrl {
    /// `blob:...`
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for ObjectUrl {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for ObjectUrl {
    fn drop(&mut self) {
        // Fails for no address that was made by the browser.
        let _ = Url::revoke_object_url(&self.0);
    }
}

/// Makes an address for a file or blob.
///
/// # Errors
/// [`Error::File`] when the browser cannot do it.
pub fn object_url(blob: &Blob) -> Result<ObjectUrl> {
    let name = blob.dyn_ref::<File>().map_or_else(|| "picture".to_owned(), File::name);
    Url::create_object_url_with_blob(blob).map(ObjectUrl).map_err(|e| not_made(&name, &e))
}

/// One thing that was dropped.
enum Dropped {
    File(File),
    Entry(FileSystemEntry),
}

impl Dropped {
    fn of(item: &DataTransferItem) -> Option<Self> {
        // A file that is on no file system (dragged out of another page) has no entry.
        match item.webkit_get_as_entry().ok().flatten() {
            Some(entry) if entry.is_directory() => Some(Self::Entry(entry)),
            _ => item.get_as_file().ok().flatten().map(Self::File),
        }
    }
}

async fn walk(dropped: Vec<Dropped>) -> Result<Vec<File>> {
    if dropped.is_empty() {
        return Err(no_file());
    }
    let mut files = Vec::new();
    for thing in dropped {
        match thing {
            Dropped::File(file) => push(&mut files, file)?,
            Dropped::Entry(folder) => {
                let mut found = Folders::default();
                walk_folder(&folder, &mut found).await?;
                let Folders { mut pictures, mut others } = found;
                let count = others.len();
                if pictures.is_empty() {
                    // A network in several files.
                    others.retain(|(path, _)| crate::weights::is_part(path));
                    pictures = others;
                }
                if pictures.is_empty() {
                    return Err(no_pictures(&folder.name(), count));
                }
                pictures.into_iter().try_for_each(|(_, file)| push(&mut files, file))?;
            }
        }
    }
    Ok(files)
}

/// Adds what is in the folder, by name within each folder.
async fn walk_folder(folder: &FileSystemEntry, found: &mut Folders) -> Result<()> {
    let mut waiting = vec![(folder.clone(), 0)];
    while let Some((entry, depth)) = waiting.pop() {
        if entry.is_file() {
            let (name, path) = (entry.name(), entry.full_path());
            let entry: FileSystemFileEntry = entry.unchecked_into();
            let promise = Promise::new(&mut |done, fail| entry.file_with_callback_and_callback(&done, &fail));
            let file = wait(promise).await.map_err(|e| unreadable(&name, &e))?;
            found.take(path, file.unchecked_into())?;
        } else if depth < MAX_DEPTH {
            let mut children = children(&entry).await?;
            sorting::sort_by_key(&mut children, FileSystemEntry::name);
            // The last one pushed is the next one taken.
            waiting.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
        }
    }
    Ok(())
}

async fn children(folder: &FileSystemEntry) -> Result<Vec<FileSystemEntry>> {
    let reader = folder.unchecked_ref::<FileSystemDirectoryEntry>().create_reader();
    let mut found = Vec::new();
    loop {
        let mut failed = None;
        let promise = Promise::new(&mut |done, fail| {
            failed = reader.read_entries_with_callback_and_callback(&done, &fail).err();
        });
        if let Some(error) = failed {
            return Err(unreadable(&folder.name(), &error));
        }
        // Browsers hand over about a hundred at a time, and none at the end.
        let batch: Array = wait(promise).await.map_err(|e| unreadable(&folder.name(), &e))?.unchecked_into();
        if batch.length() == 0 {
            return Ok(found);
        }
        found.extend(batch.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}

fn push(files: &mut Vec<File>, file: File) -> Result<()> {
    if files.len() == MAX_FILES {
        return Err(too_many());
    }
    files.push(file);
    Ok(())
}

fn list(files: Option<FileList>) -> Vec<File> {
    let files = files.as_ref();
    files.map_or_else(Vec::new, |files| (0..files.length()).filter_map(|index| files.get(index)).collect())
}

/// Whether a file of this name or path is taken for a picture.
pub fn is_picture(name: &str) -> bool {
    is_picture_name(name) == Some(true)
}

/// Whether a file without an ending in its name is a picture, by its first bytes.
pub async fn looks_like_a_picture(file: &Blob) -> bool {
    let head = match file.slice_with_f64_and_f64(0.0, 512.0) {
        Ok(head) => read_blob("", &head).await.unwrap_or_default(),
        Err(_) => return false,
    };
    !matches!(Format::of(&head), Format::Other(_))
}

fn no_pictures(folder: &str, others: usize) -> Error {
    let reason = if others == 0 { Fault::EmptyFolder {} } else { Fault::NoPictures { count: others } };
    Error::File { name: folder.into(), reason }
}

fn no_file() -> Error {
    // It has no name.
    Error::File { name: String::new(), reason: Fault::NoFile {} }
}

fn too_many() -> Error {
    Error::File { name: String::new(), reason: Fault::TooManyFiles { most: MAX_FILES } }
}

pub(super) fn unreadable(name: &str, error: &JsValue) -> Error {
    log::warn!("{name}: {}", words(error));
    Error::File { name: name.into(), reason: Fault::Unreadable {} }
}

pub(super) fn not_made(name: &str, error: &JsValue) -> Error {
    log::warn!("{name}: {}", words(error));
    Error::File { name: name.into(), reason: Fault::NotMade {} }
}
