//! `reslab pull`: a ResNet of the Hugging Face hub, of whoever, with the files that say what it is. A revision is pinned, its licence shown,
//! and what arrives is held against the SHA-256 that the hub states.
//!
//! `HF_ENDPOINT` (or `RESLAB_HUB_URL`) names another hub, `HF_TOKEN` opens what is not for everyone, and what Hugging Face's own programs
//! keep on this device (`HF_HUB_CACHE`, `HF_HOME`) is taken from there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::hub::{self, Download};
use super::{Stop, model, output};
use crate::weights::hub::BASE_URL;
use crate::{Error, Result};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The repository: timm/resnet50.a1_in1k, microsoft/resnet-18, ...
    #[arg(value_name = "OWNER/NAME")]
    name: String,
    /// A branch, tag or commit.
    #[arg(long, value_name = "NAME", default_value = "main")]
    revision: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Files with weights, the best first.
const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
/// What says more of them.
const BESIDE: [&str; 2] = ["config.json", "preprocessor_config.json"];
/// Names the revision that was pulled last.
const PINNED: &str = "revision.txt";
/// An answer of the hub is a list of files; more is something else.
const MOST_JSON: u64 = 16 << 20;

/// A file of the repository.
struct Entry {
    name: String,
    size: u64,
    sha256: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> std::result::Result<(), Stop> {
    let (owner, name) = repository(&arguments.name)?;
    let (path, license, revision) = match in_their_cache(owner, name, &arguments.revision) {
        Some((path, revision)) => {
            output::remark(&format!("{} is on this device already: {}", arguments.name, path.display()));
            (path, None, revision)
        }
        None => fetch(owner, name, &arguments.revision)?,
    };
    let found = model::file(&path)?.detect()?;
    model::remark(&found.assumed, &found.notes);
    let classes = found.spec.classes.map_or("features".into(), |classes| format!("{classes} classes"));
    output::remark(&format!(
        "{}: {}, {classes}; use it with --weights, or --model {}",
        arguments.name, found.spec.arch, arguments.name
    ));
    if arguments.json {
        return output::print_json(&json!({
            "name": arguments.name,
            "revision": revision,
            "license": license,
            "path": path.display().to_string(),
            "arch": found.spec.arch,
        }));
    }
    output::print(&format!("{}\n", path.display()))
}

/// Where the weights lie of a repository that was pulled.
pub(super) fn pulled(repository_name: &str) -> Result<PathBuf> {
    let (owner, name) = repository(repository_name)?;
    let folder = hub::cache_folder()?.join(format!("{owner}--{name}"));
    let revision = std::fs::read_to_string(folder.join(PINNED)).unwrap_or_default();
    let weights = |folder: PathBuf| WEIGHTS.map(|file| folder.join(file)).into_iter().find(|path| path.is_file());
    let own = (!revision.is_empty()).then(|| weights(folder.join(revision.trim()))).flatten();
    own.or_else(|| in_their_cache(owner, name, "main").map(|(path, _)| path)).ok_or_else(|| {
        Error::Usage(format!("{repository_name} is not on this device; `reslab pull {repository_name}` fetches it"))
    })
}

/// Owner and name.
fn repository(text: &str) -> Result<(&str, &str)> {
    let fine = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !part.contains("..")
    };
    text.split_once('/').filter(|(owner, name)| fine(owner) && fine(name)).ok_or_else(|| {
        Error::Usage(format!("`{text}` is no repository of the hub: give OWNER/NAME, like timm/resnet50.a1_in1k"))
    })
}

fn base() -> String {
    let of = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
    of("HF_ENDPOINT").or_else(|| of("RESLAB_HUB_URL")).unwrap_or_else(|| BASE_URL.into()).trim_end_matches('/').into()
}

fn token() -> Option<String> {
    std::env::var("HF_TOKEN").ok().map(|token| token.trim().to_string()).filter(|token| !token.is_empty())
}

/// Weights that Hugging Face's programs keep: `models--OWNER--NAME/snapshots/COMMIT`, and the commit.
fn in_their_cache(owner: &str, name: &str, revision: &str) -> Option<(PathBuf, String)> {
    let of = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || of("HOME").or_else(|| of("USERPROFILE")).map(|home| home.join(".cache/huggingface"));
    let cache = of("HF_HUB_CACHE").or_else(|| of("HF_HOME").or_else(home).map(|home| home.join("hub")))?;
    let folder = cache.join(format!("models--{owner}--{name}"));
    let commit = std::fs::read_to_string(folder.join("refs").join(revision)).unwrap_or_else(|_| revision.into());
    let snapshot = folder.join("snapshots").join(commit.trim());
    let path = WEIGHTS.map(|file| snapshot.join(file)).into_iter().find(|path| path.is_file())?;
    Some((path, commit.trim().into()))
}

/// Downloads what is missing of a repository; weights, licence and commit.
fn fetch(owner: &str, name: &str, revision: &str) -> Result<(PathBuf, Option<String>, String)> {
    let (base, token) = (base(), token());
    let url = format!("{base}/api/models/{owner}/{name}/revision/{revision}?blobs=true");
    let told = ask(&url, token.as_deref())?;
    let wrong = |reason: &str| Error::Network { url: url.clone(), reason: reason.into() };
    let commit = told["sha"].as_str().filter(|sha| !sha.is_empty() && sha.chars().all(|c| c.is_ascii_alphanumeric()));
    let commit = commit.ok_or_else(|| wrong("the answer names no commit"))?.to_string();
    let tagged = |tag: &Value| tag.as_str()?.strip_prefix("license:").map(str::to_string);
    let license = told["cardData"]["license"].as_str().map(str::to_string);
    let license = license.or_else(|| told["tags"].as_array()?.iter().find_map(tagged));
    let entry = |file: &Value| {
        let name = file["rfilename"].as_str()?.to_string();
        let sha256 = file["lfs"]["sha256"].as_str().or(file["lfs"]["oid"].as_str());
        let size = file["size"].as_u64().or(file["lfs"]["size"].as_u64()).unwrap_or(0);
        Some(Entry { name, size, sha256: sha256.map(|digest| digest.trim_start_matches("sha256:").to_ascii_lowercase()) })
    };
    let entries: Vec<Entry> = told["siblings"].as_array().into_iter().flatten().filter_map(entry).collect();
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    let weights = WEIGHTS.iter().find_map(|name| find(name)).ok_or_else(|| {
        wrong("it holds neither model.safetensors nor pytorch_model.bin, so there are no weights of one network to open")
    })?;
    let folder = hub::cache_folder()?.join(format!("{owner}--{name}"));
    let at = folder.join(&commit);
    output::remark(&format!(
        "{owner}/{name} at {commit}: licence {}, {} of weights, from {base}",
        license.as_deref().unwrap_or("not stated"),
        output::megabytes(weights.size)
    ));
    for entry in BESIDE.iter().filter_map(|name| find(name)).chain([weights]) {
        let target = at.join(&entry.name);
        if !target.exists() {
            let url = format!("{base}/{owner}/{name}/resolve/{commit}/{}", entry.name);
            let bar = output::bar(entry.size, "{msg} [{bar:40}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left");
            bar.set_message(entry.name.clone());
            let done = Download { url: &url, target: &target, expected: entry.size, bar: &bar, token: token.as_deref() }.run();
            bar.finish_and_clear();
            done?;
        }
        if let Some(expected) = &entry.sha256 {
            let found = digest(&target)?;
            if found != *expected {
                // It must not pass for the file next time.
                let _ = std::fs::remove_file(&target);
                return Err(Error::Network {
                    url: format!("{base}/{owner}/{name}"),
                    reason: format!(
                        "{} has the SHA-256 {found}, and the hub states {expected}: it was removed, pull it again",
                        entry.name
                    )
                    .into(),
                });
            }
        }
    }
    std::fs::write(folder.join(PINNED), &commit).map_err(|error| hub::io(&folder, &error))?;
    Ok((at.join(&weights.name), license, commit))
}

/// The hub's answer as JSON.
fn ask(url: &str, token: Option<&str>) -> Result<Value> {
    let wrong = |reason: String| Error::Network { url: url.into(), reason: reason.into() };
    let mut request = hub::agent().get(url);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut response = request.call().map_err(|error| wrong(error.to_string()))?;
    match response.status().as_u16() {
        200 => {}
        401 | 403 => {
            return Err(wrong(
                "it is not for everyone, or is not there: check the name, or set HF_TOKEN to a token that may read it".into(),
            ));
        }
        404 => return Err(wrong("the hub has no such repository or revision; check the name".into())),
        status => return Err(wrong(format!("the hub answered {status}"))),
    }
    let mut text = Vec::new();
    let read = response.body_mut().as_reader().take(MOST_JSON).read_to_end(&mut text);
    read.map_err(|error| wrong(format!("the connection broke: {error}")))?;
    serde_json::from_slice(&text).map_err(|_| wrong("the answer is no JSON; check that no login page stands between".into()))
}

/// SHA-256 of a file in hexadecimal digits.
fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|error| hub::io(path, &error))?;
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut chunk).map_err(|error| hub::io(path, &error))? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hasher.update(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_repositories_and_no_paths() {
        assert_eq!(repository("timm/resnet50.a1_in1k").unwrap(), ("timm", "resnet50.a1_in1k"));
        for wrong in ["resnet50", "a/b/c", "../b", "a/..", "a/b c", "/b", "a/"] {
            assert!(repository(wrong).unwrap_err().to_string().contains("OWNER/NAME"), "{wrong}");
        }
    }
}
