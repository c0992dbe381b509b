//! Trunk's post-build hook, second part: tells the service worker which files make up the page.

use crate::sh::Result;
use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hasher},
    path::Path,
};

const WORKER: &str = "sw.js";
const VERSION: &str = "const VERSION = '';";
const FILES: &str = "const FILES = [];";
/// Pages for people who embed or measure; not part of the app.
const LEFT_OUT: [&str; 5] = ["sw.js", "bench.html", "example.html", "example.js", "example.css"];

/// Whether a file belongs to the ES module, which is for other pages too.
fn of_module(name: &str) -> bool {
    ["reslab.js", "reslab.d.ts", "reslab-parts.js"].contains(&name)
        || ["reslab-bindings", "reslab-part-"].iter().any(|start| name.starts_with(start))
}

/// Writes the list and its digest into the worker of the page in `dir`.
pub fn write(dir: &Path) -> Result<()> {
    let worker = dir.join(WORKER);
    let cannot = |e: std::io::Error| format!("{} cannot be prepared: {e}", worker.display());
    let mut files = BTreeMap::new();
    collect(dir, "", &mut files).map_err(cannot)?;
    let mut digest = DefaultHasher::new();
    for (name, contents) in &files {
        digest.write(name.as_bytes());
        digest.write(contents);
    }
    let names: Vec<String> = files.keys().map(|name| format!("'./{name}'")).collect();
    let text = fs::read_to_string(&worker).map_err(cannot)?;
    let text = filled(&text, digest.finish(), &names).ok_or("www/sw.js has no empty VERSION and FILES to fill in")?;
    fs::write(&worker, text).map_err(cannot)
}

fn filled(text: &str, digest: u64, names: &[String]) -> Option<String> {
    if !text.contains(VERSION) || !text.contains(FILES) {
        return None;
    }
    let text = text.replace(VERSION, &format!("const VERSION = '{digest:016x}';"));
    Some(text.replace(FILES, &format!("const FILES = [{}];", names.join(", "))))
}

/// Every file below `dir` by its path with `/`, but for those that are left out.
fn collect(dir: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else if !LEFT_OUT.contains(&&*name) && !of_module(&name) {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_that_is_shipped_can_be_filled() {
        let worker = fs::read_to_string(crate::sh::root().join("www/sw.js")).unwrap();
        let text = filled(&worker, 7, &["'./index.html'".into()]).unwrap();
        assert!(text.contains("const VERSION = '0000000000000007';") && text.contains("const FILES = ['./index.html'];"));
        assert!(filled(&text, 7, &[]).is_none(), "it was filled already");
    }
}
