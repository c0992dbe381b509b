//! Trunk's post-build hook, first part: cuts the page's wasm in two, where the page says so (src/split.rs there).
//!
//! The cut has to come before wasm-bindgen, which trunk has run already. So what the compiler made is taken once more, cut, and
//! wasm-bindgen's work on the first part takes the place of trunk's two files. Three names belong together, by trunk's hash:
//! `reslab-HASH.js` with `reslab-HASH_bg.wasm`, `workshop-HASH.wasm`, and `workshop-HASH.js`, which fetches it.

use crate::{
    sh::{self, Result, say},
    tools,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The page's binary, by which trunk names its files.
const PAGE: &str = "reslab";
/// The second part, as the page's cuts call it.
const PART: &str = "workshop";

/// Cuts the page that trunk has put into `dir`.
pub fn split(dir: &Path, release: bool) -> Result<()> {
    let hash = hash_of_page(dir)?;
    let compiled = compiled_page(release)?;
    let wasm = fs::read(&compiled).map_err(|e| format!("{} cannot be read: {e}", compiled.display()))?;
    let work = compiled.with_file_name(format!("{PAGE}-parts"));
    let first = work.join("first.wasm");
    let (link, page) = (format!("./{PART}-{hash}.js"), format!("./{PAGE}-{hash}.js"));
    let mut options = wasm_split_cli_support::Options::new(&wasm);
    options.output_dir = &work;
    options.main_out_path = &first;
    options.link_name = &link;
    options.main_module = &page;
    let parts = wasm_split_cli_support::transform(options).map_err(|e| format!("the page's wasm cannot be cut: {e:#}"))?;
    let [part] = &parts.split_modules[..] else {
        return Err(format!("the page was cut into {} parts beside the first, not into one", parts.split_modules.len()));
    };

    let mut bindgen = tools::wasm_bindgen()?;
    // The second part finds the first one's memory and table by the names that the linker gave them.
    bindgen.args(["--target", "web", "--no-typescript", "--keep-lld-exports", "--no-demangle"]);
    bindgen.args(["--out-name", &format!("{PAGE}-{hash}"), "--out-dir"]).arg(dir).arg(&first);
    sh::run(&mut bindgen)?;

    let failed = |what: &Path, e: std::io::Error| format!("{} cannot be put into the page: {e}", what.display());
    fs::copy(part, dir.join(format!("{PART}-{hash}.wasm"))).map_err(|e| failed(part, e))?;
    let loader = work.join(&link);
    let text = fs::read_to_string(&loader).map_err(|e| failed(&loader, e))?;
    let text = loader_text(&text, part, &hash).ok_or_else(|| format!("{} is not as expected", loader.display()))?;
    fs::write(dir.join(&link), text).map_err(|e| failed(&loader, e))?;
    say(format!("the page's wasm is cut in two: {} bytes come later", fs::metadata(part).map_or(0, |m| m.len())));
    Ok(())
}

/// The loader with the part's name in the page, and for servers that do not know wasm's type: streaming refuses their answer.
fn loader_text(text: &str, part: &Path, hash: &str) -> Option<String> {
    const STREAMING: &str = "WebAssembly.instantiateStreaming(src, imports)";
    let name = part.file_name()?.to_str()?;
    if text.matches(name).count() != 1 || text.matches(STREAMING).count() != 1 {
        return None;
    }
    let text = text.replace(name, &format!("{PART}-{hash}.wasm")).replace(STREAMING, "instantiate(src, imports)");
    Some(format!(
        "{text}async function instantiate(source, imports) {{\n    const answer = await source;\n    \
         if (!answer.ok) throw new Error(`${{answer.url}}: status ${{answer.status}}`);\n    \
         return WebAssembly.instantiate(await answer.arrayBuffer(), imports);\n}}\n"
    ))
}

/// Trunk's hash in the names of the page's files.
fn hash_of_page(dir: &Path) -> Result<String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("{} cannot be read: {e}", dir.display()))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut hashes = names.filter_map(|name| {
        let hash = name.strip_prefix(PAGE)?.strip_prefix('-')?.strip_suffix("_bg.wasm")?;
        hash.bytes().all(|b| b.is_ascii_hexdigit()).then(|| hash.to_owned())
    });
    hashes.next().ok_or_else(|| format!("trunk has put no {PAGE}-HASH_bg.wasm into {}", dir.display()))
}

/// What the compiler made, before wasm-bindgen.
fn compiled_page(release: bool) -> Result<PathBuf> {
    let profile = if release { "release" } else { "debug" };
    let metadata = sh::output(sh::cargo().args(["metadata", "--no-deps", "--format-version", "1"]));
    let target = metadata.as_deref().and_then(target_directory).ok_or("cargo does not say where it builds")?;
    Ok(Path::new(&target).join("wasm32-unknown-unknown").join(profile).join(format!("{PAGE}.wasm")))
}

/// Out of `cargo metadata`'s JSON.
fn target_directory(metadata: &str) -> Option<String> {
    let (_, behind) = metadata.split_once("\"target_directory\":\"")?;
    // A path has no quotes; backslashes are doubled.
    let (path, _) = behind.split_once('"')?;
    Some(path.replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_read_out_of_cargos_answer() {
        let metadata = r#"{"packages":[],"target_directory":"C:\\work\\target","version":1}"#;
        assert_eq!(target_directory(metadata).as_deref(), Some(r"C:\work\target"));
        assert_eq!(target_directory("{}"), None);
    }

    #[test]
    fn the_loader_gets_the_parts_name_and_takes_any_answer() {
        let text = "x(new URL(\"./split_workshop.wasm\", here)); y(WebAssembly.instantiateStreaming(src, imports));\n";
        let loader = loader_text(text, Path::new("parts/split_workshop.wasm"), "0f").unwrap();
        assert!(loader.starts_with("x(new URL(\"./workshop-0f.wasm\", here)); y(instantiate(src, imports));\n"), "{loader}");
        assert_eq!(loader_text("nothing of it", Path::new("parts/split_workshop.wasm"), "0f"), None);
    }
}
