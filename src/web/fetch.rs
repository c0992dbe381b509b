//! Fetching with progress and cancel.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, ReferrerPolicy, RequestCache, RequestCredentials, RequestInit,
    Response,
};

use super::js::{call_global, get, navigator, wait, words};
use crate::error::Fault;
use crate::{Error, Result};

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes so far, those of an earlier, interrupted attempt included.
    pub received: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

impl Progress {
    /// Share done, 0 to 1, where the total is known.
    pub fn share(self) -> Option<f32> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.received as f32 / total as f32).min(1.0))
    }
}

/// Stops a download from elsewhere in the page. Clones stop the same one.
#[derive(Debug, Clone)]
pub struct CancelToken {
    controller: Option<AbortController>,
    cancelled: Rc<Cell<bool>>,
}

impl CancelToken {
    /// A token nobody has cancelled.
    pub fn new() -> Self {
        Self { controller: AbortController::new().ok(), cancelled: Rc::default() }
    }

    /// Stops what was started with this token, also a read that waits for the network.
    pub fn cancel(&self) {
        self.cancelled.set(true);
        if let Some(controller) = &self.controller {
            controller.abort();
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// [`Error::Cancelled`] once cancelled.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

/// Fetches a whole file into memory.
///
/// `on_progress` hears of every piece that arrives.
///
/// # Errors
/// [`Error::Network`] when the server cannot be reached, answers with anything but success or breaks off;
/// [`Error::Cancelled`] once `cancel` was used.
pub async fn fetch_bytes(url: &str, mut on_progress: impl FnMut(Progress), cancel: &CancelToken) -> Result<Vec<u8>> {
    let answer = Answer::request(url, 0, Caching::Ordinary, cancel).await?;
    answer.check_status()?;
    let total = answer.length();
    let mut body = answer.body()?;
    let mut bytes = Vec::new();
    // At once, so that growing does not copy it over and over; memory that cannot be had is noticed piece by piece.
    let _ = bytes.try_reserve_exact(usize::try_from(total.unwrap_or_default()).unwrap_or_default());
    on_progress(Progress { received: 0, total });
    while let Some(piece) = body.next(cancel).await? {
        append(url, &mut bytes, &piece)?;
        let received = bytes.len() as u64;
        // A compressed body outgrows the length it was announced with.
        on_progress(Progress { received, total: total.filter(|total| received <= *total) });
    }
    Ok(bytes)
}

/// Fetches a whole file of which nobody watches the progress: the browser collects it, and the page is free meanwhile.
///
/// # Errors
/// As [`fetch_bytes`].
pub async fn fetch_whole(url: &str) -> Result<Vec<u8>> {
    let answer = Answer::request(url, 0, Caching::Ordinary, &CancelToken::new()).await?;
    answer.check_status()?;
    let broken = |e: JsValue| broken_off(url, &e);
    let buffer = wait(answer.response.array_buffer().map_err(broken)?).await.map_err(broken)?;
    let mut bytes = Vec::new();
    append(url, &mut bytes, &Uint8Array::new(&buffer))?;
    Ok(bytes)
}

/// Adds a piece to what has arrived; memory that cannot be had is an error, not the end of the page.
pub(super) fn append(url: &str, bytes: &mut Vec<u8>, piece: &Uint8Array) -> Result<()> {
    let start = bytes.len();
    let length = piece.length() as usize;
    bytes.try_reserve(length).map_err(|_| network(url, Fault::NoMemory {}))?;
    bytes.resize(start + length, 0);
    piece.copy_to(&mut bytes[start..]);
    Ok(())
}

/// What the browser's own HTTP cache does with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caching {
    /// As the server says.
    Ordinary,
    /// Keep no copy: the caller keeps one itself.
    None,
}

/// A server's answer whose body has not been read yet.
pub(super) struct Answer {
    url: String,
    response: Response,
}

impl Answer {
    /// Asks for `url` from byte `from` on.
    pub(super) async fn request(url: &str, from: u64, caching: Caching, cancel: &CancelToken) -> Result<Self> {
        cancel.check()?;
        let response = send(url, from, caching, cancel).await;
        cancel.check()?;
        // A browser tells scripts nothing about why: no connection, no such host and a missing CORS header look alike. The hub has one.
        let response = response.map_err(|e| {
            log::warn!("{url}: {}", words(&e));
            network(
                url,
                foreign_host(url)
                    .filter(|_| !super::hub::is_of_hub(url))
                    .map_or(Fault::Unreachable {}, |host| Fault::NoCors { host }),
            )
        })?;
        Ok(Self { url: url.into(), response })
    }

    pub(super) fn status(&self) -> u16 {
        self.response.status()
    }

    /// A header, where the server lets scripts of other sites see it.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.response.headers().get(name).ok().flatten()
    }

    /// Bytes of the body as announced; unknown when it is compressed.
    pub(super) fn length(&self) -> Option<u64> {
        if self.header("content-encoding").is_some() {
            return None;
        }
        self.header("content-length")?.trim().parse().ok()
    }

    /// An error that says what the status means, unless it is a success and no web page.
    pub(super) fn check_status(&self) -> Result<()> {
        if self.response.ok() {
            // A portal one logs into, or a host that answers every address with its page.
            let page = self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
            return if page { Err(network(&self.url, Fault::WebPage {})) } else { Ok(()) };
        }
        let status = self.status();
        let reason = match status {
            401 | 403 => Fault::Refused { status },
            404 | 410 => Fault::Absent { status },
            429 => Fault::TooManyRequests { status },
            500..=599 => Fault::ServerTrouble { status },
            _ => Fault::OddAnswer { status },
        };
        Err(network(&self.url, reason))
    }

    /// The body, piece by piece.
    pub(super) fn body(self) -> Result<Body> {
        let reader = match self.response.body() {
            Some(stream) => Some(ReadableStreamDefaultReader::new(&stream).map_err(|e| broken_off(&self.url, &e))?),
            None => None,
        };
        Ok(Body { url: self.url, reader })
    }
}

/// A body on its way. Dropping it ends the transfer.
pub(super) struct Body {
    url: String,
    reader: Option<ReadableStreamDefaultReader>,
}

impl Body {
    /// The next piece, `None` at the end.
    pub(super) async fn next(&mut self, cancel: &CancelToken) -> Result<Option<Uint8Array>> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let read = wait(reader.read()).await;
        cancel.check()?;
        let read = read.map_err(|e| broken_off(&self.url, &e))?;
        if get(&read, "done").is_truthy() {
            self.reader = None;
            return Ok(None);
        }
        get(&read, "value").dyn_into().map(Some).map_err(|e| broken_off(&self.url, &e))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            // Nobody waits for the answer of a stream that was given up; a rejection would be reported as uncaught.
            let cancelled = reader.cancel();
            wasm_bindgen_futures::spawn_local(async move { drop(wait(cancelled).await) });
        }
    }
}

async fn send(url: &str, from: u64, caching: Caching, cancel: &CancelToken) -> Result<Response, JsValue> {
    let options = RequestInit::new();
    options.set_credentials(RequestCredentials::SameOrigin);
    // The address of the page is nobody's business.
    options.set_referrer_policy(ReferrerPolicy::NoReferrer);
    if caching == Caching::None {
        options.set_cache(RequestCache::NoStore);
    }
    if let Some(controller) = &cancel.controller {
        options.set_signal(Some(&controller.signal()));
    }
    if from > 0 {
        // A range with a start alone is a "simple" header, which needs no preflight; If-Range would.
        let headers = Headers::new()?;
        headers.set("range", &format!("bytes={from}-"))?;
        options.set_headers(&headers);
    }
    wait(call_global("fetch", &[url.into(), options.into()])?).await?.dyn_into()
}

pub(super) fn network(url: &str, reason: Fault) -> Error {
    Error::Network { url: url.into(), reason }
}

fn broken_off(url: &str, error: &JsValue) -> Error {
    log::warn!("{url}: {}", words(error));
    network(url, Fault::BrokenOff {})
}

/// The host of an address, where it is not the page's own and the browser believes itself to be connected: then a missing CORS header
/// is the likeliest fault.
fn foreign_host(url: &str) -> Option<String> {
    let location = get(&js_sys::global(), "location");
    let url = web_sys::Url::new_with_base(url, &get(&location, "href").as_string()?).ok()?;
    let online = get(&navigator(), "onLine").as_bool() != Some(false);
    (online && url.protocol().starts_with("http") && get(&location, "origin").as_string()? != url.origin()).then(|| url.host())
}
