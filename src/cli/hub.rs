//! Models of the hub: downloaded once into the user's cache folder, resumed where a connection broke.
//!
//! While a download is under way the cache holds `NAME.part` and, beside it, `NAME.etag` with the server's name for that
//! version of the file: bytes of two versions are never joined (RFC 9110, 13.1.5 `If-Range`). The finished file is renamed
//! to `NAME.safetensors`, so what bears that name is whole.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;
use indicatif::ProgressBar;
use ureq::http::{HeaderMap, Response, StatusCode, header};

use super::model::{BUNDLED, Source, read_file};
use super::output;
use crate::engine::Origin;
use crate::weights::Choices;
use crate::weights::hub::{self, HubModel};
use crate::{Error, Result};

/// Tries in a row that bring nothing new before a download is given up.
const TRIES: u32 = 4;
/// Longest silence of a server.
const SILENCE: Duration = Duration::from_secs(60);

/// A hub model's bytes, from the cache or downloaded into it.
pub(super) fn source(name: &str) -> Result<Source> {
    let model = find(name)?;
    let path = cached_path(model)?;
    let mut origin = Origin::FromThisDevice;
    if !path.exists() {
        let base = std::env::var("RESLAB_HUB_URL").unwrap_or_else(|_| hub::BASE_URL.into());
        let url = model.url(&base);
        output::remark(&format!(
            "downloading {}: {}, licence {}, {}, from {url}",
            model.name,
            output::megabytes(model.bytes),
            model.license,
            model.source
        ));
        let bar = output::bar(model.bytes, "{msg} [{bar:40}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left");
        bar.set_message(model.name);
        let done = Download { url: &url, target: &path, expected: model.bytes, bar: &bar, token: None }.run();
        bar.finish_and_clear();
        done?;
        origin = Origin::Downloaded;
    }
    Ok(Source {
        name: model.name.into(),
        bytes: read_file(&path)?.into(),
        origin,
        preset: Some(model.preset),
        beside: Vec::new(),
        choices: Choices::default(),
    })
}

/// The model whose file in the cache has these bytes, whatever the file at hand is called.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<&'static HubModel> {
    hub::HUB.iter().find(|model| {
        let Ok(path) = cached_path(model) else { return false };
        let same_size = std::fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64);
        same_size && std::fs::read(&path).is_ok_and(|cached| cached == bytes)
    })
}

/// The model of this name, or an error that lists all names, the bundled one too.
fn find(name: &str) -> Result<&'static HubModel> {
    hub::find(name).map_err(|error| match error {
        Error::Unknown { kind, name, known } => Error::Unknown { kind, name, known: format!("{BUNDLED}, {known}") },
        other => other,
    })
}

/// Where a model lies, or would lie, on this device: `RESLAB_CACHE_DIR`, else the system's cache folder for this user.
pub(super) fn cached_path(model: &HubModel) -> Result<PathBuf> {
    Ok(cache_folder()?.join(format!("{}.safetensors", model.name)))
}

/// Where downloads lie.
pub(super) fn cache_folder() -> Result<PathBuf> {
    Ok(match std::env::var_os("RESLAB_CACHE_DIR").filter(|dir| !dir.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => etcetera::base_strategy::choose_native_strategy()
            .map_err(|error| Error::Io {
                path: "cache folder".into(),
                reason: format!("{error}; set RESLAB_CACHE_DIR to a folder for downloaded models"),
            })?
            .cache_dir()
            .join("reslab"),
    })
}

pub(super) struct Download<'a> {
    pub url: &'a str,
    /// The finished file.
    pub target: &'a Path,
    /// Its size in bytes, or nearly so.
    pub expected: u64,
    pub bar: &'a ProgressBar,
    /// Opens what is not for everyone.
    pub token: Option<&'a str>,
}

/// Who asks servers.
pub(super) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("reslab/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// How one request ended.
enum Outcome {
    Complete,
    /// Worth another try.
    Broken(String),
}

impl Download<'_> {
    pub fn run(&self) -> Result<()> {
        if let Some(folder) = self.target.parent() {
            std::fs::create_dir_all(folder).map_err(|error| io(folder, &error))?;
        }
        let part_path = self.target.with_extension("part");
        let mut part = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&part_path)
            .map_err(|error| io(&part_path, &error))?;
        match part.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Io {
                    path: part_path.display().to_string(),
                    reason: "another reslab is downloading this model; wait for it and try again".into(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io(&part_path, &error)),
        }
        if self.target.exists() {
            // Another process finished between our look and the lock.
            return Ok(());
        }
        self.fill(&mut part)?;
        part.sync_all().map_err(|error| io(&part_path, &error))?;
        // Windows renames no open file.
        drop(part);
        std::fs::rename(&part_path, self.target).map_err(|error| io(self.target, &error))?;
        let _ = std::fs::remove_file(self.etag_path());
        Ok(())
    }

    /// Asks until the whole file has come.
    fn fill(&self, part: &mut File) -> Result<()> {
        let agent = agent();
        let (mut most, mut vain) = (self.length(part)?, 0);
        loop {
            let reason = match self.request(&agent, part)? {
                Outcome::Complete => return self.check(part),
                Outcome::Broken(reason) => reason,
            };
            let have = self.length(part)?;
            if have > most {
                (most, vain) = (have, 0);
                continue;
            }
            vain += 1;
            if vain == TRIES {
                return Err(self.error(reason + &kept(have)));
            }
            std::thread::sleep(Duration::from_millis(250 << vain));
        }
    }

    /// One request for what is still missing, written to the end of `part`.
    fn request(&self, agent: &ureq::Agent, part: &mut File) -> Result<Outcome> {
        let mut have = self.length(part)?;
        let etag = std::fs::read_to_string(self.etag_path()).unwrap_or_default();
        let mut request = agent.get(self.url);
        if let Some(token) = self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if have > 0 && !etag.is_empty() {
            request = request.header(header::RANGE, format!("bytes={have}-")).header(header::IF_RANGE, etag);
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                return Err(self.error(format!("this is no http address ({error}); check RESLAB_HUB_URL")));
            }
            Err(ureq::Error::HostNotFound) => {
                return Ok(Outcome::Broken("the host was not found; check the network connection".into()));
            }
            Err(error) => return Ok(Outcome::Broken(error.to_string())),
        };
        let total = match response.status() {
            StatusCode::OK => {
                // From the start: the first request, or a server that cannot resume, or another version of the file.
                self.cut(part, 0)?;
                have = 0;
                self.remember(response.headers())?;
                response.body().content_length()
            }
            StatusCode::PARTIAL_CONTENT => match content_range(response.headers()) {
                Some((start, total)) if start == have => Some(total),
                _ => {
                    self.cut(part, 0)?;
                    return Ok(Outcome::Broken("the server sent another part of the file than it was asked for".into()));
                }
            },
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                self.cut(part, 0)?;
                return Ok(Outcome::Broken("the file has changed on the server".into()));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Outcome::Broken(format!("the server answered {status}")));
            }
            status => {
                let reason = format!("the server answered {status}; check RESLAB_HUB_URL if you set it");
                return Err(self.error(reason + &kept(have)));
            }
        };
        self.bar.set_length(total.unwrap_or(self.expected));
        self.receive(&mut response, part, have, total)
    }

    fn receive(
        &self,
        response: &mut Response<ureq::Body>,
        part: &mut File,
        mut have: u64,
        total: Option<u64>,
    ) -> Result<Outcome> {
        self.bar.set_position(have);
        part.seek(SeekFrom::Start(have)).map_err(|error| io(self.target, &error))?;
        let mut reader = response.body_mut().as_reader();
        let mut chunk = vec![0; 1 << 16];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => {
                    part.write_all(&chunk[..n]).map_err(|error| io(self.target, &error))?;
                    have += n as u64;
                    self.bar.set_position(have);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Outcome::Broken(format!("the connection broke: {error}"))),
            }
        }
        match total {
            Some(total) if have != total => Ok(Outcome::Broken(format!("the connection ended after {have} of {total} bytes"))),
            _ => Ok(Outcome::Complete),
        }
    }

    /// A file of quite another size is something else: an error page, a pointer to a large file.
    fn check(&self, part: &mut File) -> Result<()> {
        let have = self.length(part)?;
        if have.abs_diff(self.expected) > self.expected / 20 {
            self.cut(part, 0)?;
            return Err(self.error(format!(
                "the server sent {have} bytes where about {} were expected; check RESLAB_HUB_URL and that no login page stands \
                 between",
                self.expected
            )));
        }
        Ok(())
    }

    /// Keeps the version's name if it is a strong one: a weak one does not promise equal bytes.
    fn remember(&self, headers: &HeaderMap) -> Result<()> {
        let etag = headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).filter(|etag| etag.starts_with('"'));
        std::fs::write(self.etag_path(), etag.unwrap_or_default()).map_err(|error| io(&self.etag_path(), &error))
    }

    fn etag_path(&self) -> PathBuf {
        self.target.with_extension("etag")
    }

    fn length(&self, part: &File) -> Result<u64> {
        part.metadata().map(|data| data.len()).map_err(|error| io(self.target, &error))
    }

    fn cut(&self, part: &File, length: u64) -> Result<()> {
        part.set_len(length).map_err(|error| io(self.target, &error))
    }

    fn error(&self, reason: String) -> Error {
        Error::Network { url: self.url.into(), reason: reason.into() }
    }
}

/// What a failed download leaves for the next one.
fn kept(have: u64) -> String {
    match have {
        0 => String::new(),
        have => format!("; {} are kept, run the command again to go on from there", output::megabytes(have)),
    }
}

/// First byte and whole length of `Content-Range: bytes 100-199/200`.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()?))
}

pub(super) fn io(path: &Path, error: &std::io::Error) -> Error {
    Error::Io { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_or_refused() {
        let range =
            |value: &'static str| content_range(&HeaderMap::from_iter([(header::CONTENT_RANGE, value.parse().unwrap())]));
        assert_eq!(range("bytes 100-199/200"), Some((100, 200)));
        for wrong in ["bytes */200", "bytes 100-199/*", "items 0-1/2", "bytes 5", ""] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
