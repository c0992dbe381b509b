//! Models from the hub: streamed, resumed where a download broke off, kept on this device.

use super::awake::Awake;
use super::fetch::{Answer, Caching, CancelToken, Progress, append, network};
use super::js::meta;
use super::store::{Manifest, Store};
use crate::error::Fault;
use crate::weights::hub::{BASE_URL, HubModel};
use crate::{Error, Result};

/// A piece is written to the device once this much has arrived: little is lost when the tab is closed, and a model of
/// 240 MB is a few dozen pieces.
const PIECE_BYTES: usize = 4 * 1024 * 1024;
/// How often a connection that broke off is taken up again without asking, as long as each one brought something.
const RETRIES: usize = 3;

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// It was kept here from an earlier download; nothing was asked of the network.
    pub from_this_device: bool,
    /// A whole sentence for the person when the file could not be kept.
    pub warning: Option<String>,
}

/// A file on a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Name it is kept under.
    pub name: String,
    /// Its address.
    pub url: String,
}

/// Names of the models kept on this device, in alphabetical order; empty where the browser keeps nothing.
pub async fn cached() -> Vec<String> {
    match Store::open().await {
        Ok(store) => store.complete().await,
        Err(_) => Vec::new(),
    }
}

/// Forgets the model `name`, a half downloaded one too.
///
/// # Errors
/// [`Error::Io`] with the browser's words.
pub async fn remove(name: &str) -> Result<()> {
    let refused = |reason| Error::Io { path: name.into(), reason };
    Store::open().await.map_err(refused)?.remove(name).await.map_err(refused)
}

/// The hub's address that the page names in `<meta name="reslab-hub">`, if it does; else the one built in.
pub fn base_url(built_in: &str) -> String {
    meta("reslab-hub").unwrap_or_else(|| built_in.to_owned()).trim_end_matches('/').to_owned()
}

/// Whether an address is one of the hub's, or of the mirror's in its place.
pub(super) fn is_of_hub(url: &str) -> bool {
    url.strip_prefix(&base_url(BASE_URL)).is_some_and(|path| path.starts_with('/'))
}

/// What the page asks for models, in words: the hub by its name, a mirror by its host.
pub fn name() -> String {
    let base = base_url(BASE_URL);
    let rest = base.split_once("://").map_or(&*base, |(_, rest)| rest);
    match rest.split('/').next().unwrap_or(rest) {
        "huggingface.co" => "Hugging Face".into(),
        mirror => mirror.into(),
    }
}

/// Gets a model of the hub's list. As [`get`].
///
/// # Errors
/// Those of [`get`].
pub async fn download(model: &HubModel, on_progress: impl FnMut(Progress), cancel: &CancelToken) -> Result<Fetched> {
    get(&Remote { name: model.name.into(), url: model.url(&base_url(BASE_URL)) }, on_progress, cancel).await
}

/// Gets a file: from this device when it is here, else from its server, going on where an earlier download ended.
///
/// What arrives is written to the device piece by piece, so that a cancelled or broken download is not lost. A resumed
/// download is taken up only when the server says by its ETag (or date) that the file is still the same one; otherwise it
/// starts over. A connection that breaks off is taken up again by itself a few times.
///
/// # Errors
/// [`Error::Network`] with what happened, [`Error::Cancelled`] once `cancel` was used.
pub async fn get(remote: &Remote, mut on_progress: impl FnMut(Progress), cancel: &CancelToken) -> Result<Fetched> {
    cancel.check()?;
    let (store, mut warning) = match Store::open().await {
        Ok(store) => (Some(store), None),
        Err(why) => (None, Some(not_kept(&why))),
    };
    let mut download = Download::new(remote, store);
    if download.restore().await {
        let received = download.bytes.len() as u64;
        on_progress(Progress { received, total: Some(received) });
        return Ok(Fetched { bytes: download.bytes, from_this_device: true, warning: None });
    }
    // A device that falls asleep breaks the connection off.
    let _awake = Awake::new("download");
    let mut retries = 0;
    loop {
        let before = download.bytes.len();
        let Err(error) = download.transfer(&mut on_progress, cancel).await else { break };
        download.flush(0).await;
        if error == Error::Cancelled || download.bytes.len() <= before || retries == RETRIES {
            return Err(error);
        }
        retries += 1;
        log::info!("{}: {error}; going on from byte {}", remote.name, download.bytes.len());
    }
    if let Err(error) = check_content(&remote.url, &download.bytes) {
        download.start_over().await;
        return Err(error);
    }
    download.finish().await;
    warning = warning.or(download.not_kept.take());
    Ok(Fetched { bytes: download.bytes, from_this_device: false, warning })
}

/// A download under way: what has arrived and what of it is kept.
struct Download<'a> {
    remote: &'a Remote,
    /// `None` once the device keeps nothing (more).
    store: Option<Store>,
    manifest: Manifest,
    bytes: Vec<u8>,
    /// Why it is not kept, as a sentence.
    not_kept: Option<String>,
}

impl<'a> Download<'a> {
    fn new(remote: &'a Remote, store: Option<Store>) -> Self {
        let manifest = Manifest { url: remote.url.clone(), ..Manifest::default() };
        Self { remote, store, manifest, bytes: Vec::new(), not_kept: None }
    }

    /// Takes up what is on the device. True when that is the whole file.
    async fn restore(&mut self) -> bool {
        let name = &self.remote.name;
        let Some(store) = &self.store else { return false };
        let Some(manifest) = store.manifest(name).await else { return false };
        // A part is only good for the address it came from, and only if a later version can be told from it.
        let usable = manifest.complete || (manifest.url == self.remote.url && manifest.validator.is_some());
        let bytes = if usable { store.read(name, &manifest).await } else { None };
        match bytes {
            Some(bytes) => {
                self.bytes = bytes;
                self.manifest = manifest;
                self.manifest.complete
            }
            None => {
                self.start_over().await;
                false
            }
        }
    }

    /// One request and all that comes of it.
    async fn transfer(&mut self, on_progress: &mut impl FnMut(Progress), cancel: &CancelToken) -> Result<()> {
        let url = &self.remote.url;
        if self.manifest.total == Some(self.bytes.len() as u64) {
            return Ok(());
        }
        let mut answer = Answer::request(url, self.bytes.len() as u64, Caching::None, cancel).await?;
        if !self.bytes.is_empty() && !self.continues(&answer) {
            // 416: the file has become shorter. 206: another version. Anything but success is reported below.
            if matches!(answer.status(), 206 | 416) {
                self.start_over().await;
                answer = Answer::request(url, 0, Caching::None, cancel).await?;
            } else if answer.status() == 200 {
                self.start_over().await;
            }
        }
        answer.check_status()?;
        if self.bytes.is_empty() {
            self.manifest.validator = validator(&answer);
            self.manifest.total = answer.length();
        }
        let total = self.manifest.total;
        if let Some(total) = total {
            let missing = usize::try_from(total).unwrap_or(usize::MAX).saturating_sub(self.bytes.len());
            self.bytes.try_reserve_exact(missing).map_err(|_| network(url, Fault::NoMemory {}))?;
        }
        on_progress(Progress { received: self.bytes.len() as u64, total });
        let mut body = answer.body()?;
        while let Some(piece) = body.next(cancel).await? {
            append(url, &mut self.bytes, &piece)?;
            let received = self.bytes.len() as u64;
            if total.is_some_and(|total| received > total) {
                self.start_over().await;
                return Err(network(url, Fault::WrongLength {}));
            }
            on_progress(Progress { received, total });
            self.flush(PIECE_BYTES).await;
        }
        let received = self.bytes.len() as u64;
        match total {
            Some(total) if received < total => Err(network(url, Fault::BrokenOff {})),
            _ => Ok(()),
        }
    }

    /// Whether an answer goes on where the bytes end, in the same version of the file.
    fn continues(&self, answer: &Answer) -> bool {
        let from = self.bytes.len() as u64;
        // Servers need not show Content-Range to scripts of other sites; then the length has to do.
        let start = answer.header("content-range").and_then(|range| range_start(&range));
        let total = answer.length().map(|rest| rest + from);
        answer.status() == 206
            && start.is_none_or(|start| start == from)
            && (total.is_none() || self.manifest.total.is_none() || total == self.manifest.total)
            && self.manifest.validator.is_some()
            && validator(answer) == self.manifest.validator
    }

    /// Keeps what has arrived since the last time, if it is more than `at_least` bytes.
    async fn flush(&mut self, at_least: usize) {
        // Without a validator the part could never be used.
        let Some(store) = self.store.as_ref().filter(|_| self.manifest.validator.is_some()) else { return };
        let name = &self.remote.name;
        let kept = self.manifest.bytes().unwrap_or(0);
        let news = &self.bytes[kept as usize..];
        if news.is_empty() || news.len() < at_least {
            return;
        }
        let mut manifest = self.manifest.clone();
        manifest.pieces.push((kept, news.len() as u64));
        let mut written = store.put_piece(name, kept, news).await;
        if written.is_ok() {
            written = store.put_manifest(name, &manifest).await;
        }
        match written {
            Ok(()) => self.manifest = manifest,
            Err(why) => self.give_up_keeping(&why).await,
        }
    }

    /// Keeps the rest and marks the file as complete.
    async fn finish(&mut self) {
        if self.manifest.validator.is_none() {
            // Needed for resuming only.
            self.manifest.validator = Some(String::new());
        }
        self.flush(0).await;
        let Some(store) = &self.store else { return };
        self.manifest.complete = true;
        self.manifest.total = Some(self.bytes.len() as u64);
        if let Err(why) = store.put_manifest(&self.remote.name, &self.manifest).await {
            self.give_up_keeping(&why).await;
        }
    }

    /// Forgets all that has arrived.
    async fn start_over(&mut self) {
        if let Some(store) = &self.store {
            // What cannot be removed is overwritten.
            let _ = store.remove(&self.remote.name).await;
        }
        self.bytes.clear();
        self.manifest = Manifest { url: self.remote.url.clone(), ..Manifest::default() };
    }

    /// The device is full or refuses: go on in memory, and leave no half a file there.
    async fn give_up_keeping(&mut self, why: &str) {
        log::warn!("{} is not kept on this device: {why}", self.remote.name);
        if let Some(store) = self.store.take() {
            let _ = store.remove(&self.remote.name).await;
        }
        self.not_kept = Some(not_kept(why));
    }
}

fn not_kept(why: &str) -> String {
    format!("The model works, but this browser could not keep it on this device ({why}); it is downloaded again next time.")
}

/// What tells one version of a file from the next: a strong ETag, else the date.
fn validator(answer: &Answer) -> Option<String> {
    // Two files of one weak ETag may differ in bytes (RFC 9110, 8.8.1).
    let tag = answer.header("etag").filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| answer.header("last-modified")).filter(|text| !text.is_empty())
}

/// `bytes 200-1000/67589` starts at 200.
fn range_start(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.parse().ok()
}

/// Refuses what is plainly no safetensors file before it is kept: an 8-byte header length, then JSON.
fn check_content(url: &str, bytes: &[u8]) -> Result<()> {
    let header = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    let fits = header.is_some_and(|header| header.saturating_add(8) <= bytes.len() as u64) && bytes.get(8) == Some(&b'{');
    if url.ends_with(".safetensors") && !fits {
        return Err(network(url, Fault::NoSafetensors { bytes: bytes.len() }));
    }
    Ok(())
}
