//! Trunk's post-build hook, first part: cuts the wasm of the page and of the ES module in parts, where the code says so (src/split.rs
//! there).
//!
//! The cut has to come before wasm-bindgen, which trunk has run already. So what the compiler made is taken once more, cut, and
//! wasm-bindgen's work on the first part takes the place of trunk's files. Names of the page have trunk's hash in common:
//! `reslab-HASH.js` with `reslab-HASH_bg.wasm`, `part-NAME-HASH.wasm` for each part that comes later, `part-NAME-NAME-HASH.wasm` for
//! what several of them share, and `parts-HASH.js`, which fetches them. Those of the module, which other pages name, have none:
//! `reslab-bindings.js`, `reslab-bindings_bg.wasm`, `reslab-parts.js`, `reslab-part-NAME.wasm`; `reslab.js` is www/reslab.js.

use crate::{
    sh::{self, Result, say},
    tools,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The page's binary, by which trunk names its files, and the ES module's.
const PAGE: &str = "reslab";
const MODULE: &str = "reslab-module";

/// How the files of a program that is cut are called.
struct Names {
    /// Its binary.
    binary: &'static str,
    /// Of the first part's glue and wasm, without an ending.
    first: String,
    /// Of the JavaScript that fetches the others.
    loader: String,
    /// Before and after a part's name.
    part: (&'static str, String),
}

/// Cuts the page and the module that trunk has put into `dir`.
pub fn split(dir: &Path, profile: &str) -> Result<()> {
    let hash = hash_of_page(dir)?;
    let page = Names {
        binary: PAGE,
        first: format!("{PAGE}-{hash}"),
        loader: format!("parts-{hash}.js"),
        part: ("part-", format!("-{hash}.wasm")),
    };
    cut(dir, profile, &page)?;
    let module = Names {
        binary: MODULE,
        first: "reslab-bindings".into(),
        loader: "reslab-parts.js".into(),
        part: ("reslab-part-", ".wasm".into()),
    };
    cut(dir, profile, &module)?;
    for trunks in ["reslab-module.js", "reslab-module_bg.wasm"] {
        // What trunk made of the whole program.
        let _ = fs::remove_file(dir.join(trunks));
    }
    Ok(())
}

fn cut(dir: &Path, profile: &str, program: &Names) -> Result<()> {
    let compiled = compiled(profile, program.binary)?;
    let wasm = fs::read(&compiled).map_err(|e| format!("{} cannot be read: {e}", compiled.display()))?;
    let work = compiled.with_file_name(format!("{}-parts", program.binary));
    let first = work.join("first.wasm");
    let (link, glue) = (format!("./{}", program.loader), format!("./{}.js", program.first));
    let mut options = wasm_split_cli_support::Options::new(&wasm);
    options.output_dir = &work;
    options.main_out_path = &first;
    options.link_name = &link;
    options.main_module = &glue;
    let parts =
        wasm_split_cli_support::transform(options).map_err(|e| format!("{} cannot be cut: {e:#}", compiled.display()))?;

    let mut bindgen = tools::wasm_bindgen()?;
    // The other parts find the first one's memory and table by the names that the linker gave them.
    bindgen.args(["--target", "web", "--keep-lld-exports", "--no-demangle", "--no-typescript"]);
    bindgen.args(["--out-name", &program.first, "--out-dir"]).arg(dir).arg(&first);
    sh::run(&mut bindgen)?;

    let failed = |what: &Path, e: std::io::Error| format!("{} cannot be put into the page: {e}", what.display());
    let loader = work.join(&link);
    let mut text = fs::read_to_string(&loader).map_err(|e| failed(&loader, e))?;
    for (stem, name) in names(&parts.prefetch_map) {
        let (part, file) = (work.join(format!("{stem}.wasm")), format!("{}{name}{}", program.part.0, program.part.1));
        text = with_name(&text, &stem, &file).ok_or_else(|| format!("{} does not fetch {stem}", loader.display()))?;
        let bytes = fs::copy(&part, dir.join(&file)).map_err(|e| failed(&part, e))?;
        say(format!("cut out of {}: {file}, {bytes} bytes", program.binary));
    }
    let text = for_any_server(&text).ok_or_else(|| format!("{} is not as expected", loader.display()))?;
    fs::write(dir.join(&link), text).map_err(|e| failed(&loader, e))
}

/// A name for each file that the cut made, by its stem there: of one part that part's, of what several need theirs together.
fn names<'a>(prefetch: impl IntoIterator<Item = (&'a String, &'a Vec<String>)>) -> BTreeMap<String, String> {
    let mut needed_by = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (part, stems) in prefetch {
        for stem in stems {
            needed_by.entry(stem).or_default().insert(part);
        }
    }
    let joined = |parts: BTreeSet<&str>| parts.into_iter().collect::<Vec<_>>().join("-");
    needed_by.into_iter().map(|(stem, parts)| (stem.to_owned(), joined(parts))).collect()
}

/// The loader with a file's name in the page.
fn with_name(loader: &str, stem: &str, file: &str) -> Option<String> {
    let fetched = format!("\"./{stem}.wasm\"");
    (loader.matches(&fetched).count() == 1).then(|| loader.replace(&fetched, &format!("\"./{file}\"")))
}

/// The loader for servers that do not know wasm's type: streaming refuses their answer.
fn for_any_server(loader: &str) -> Option<String> {
    const STREAMING: &str = "WebAssembly.instantiateStreaming(src, imports)";
    if !loader.contains(STREAMING) {
        return None;
    }
    let text = loader.replace(STREAMING, "instantiate(src, imports)");
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
fn compiled(profile: &str, binary: &str) -> Result<PathBuf> {
    let metadata = sh::output(sh::cargo().args(["metadata", "--no-deps", "--format-version", "1"]));
    let target = metadata.as_deref().and_then(target_directory).ok_or("cargo does not say where it builds")?;
    Ok(Path::new(&target).join("wasm32-unknown-unknown").join(profile).join(format!("{binary}.wasm")))
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
    fn the_loader_gets_the_names_in_the_page_and_takes_any_answer() {
        let text = "x(new URL(\"./split_studio.wasm\", here)); y(WebAssembly.instantiateStreaming(src, imports));\n";
        let named = with_name(text, "split_studio", "part-studio-0f.wasm").unwrap();
        let loader = for_any_server(&named).unwrap();
        assert!(loader.starts_with("x(new URL(\"./part-studio-0f.wasm\", here)); y(instantiate(src, imports));\n"), "{loader}");
        assert_eq!(with_name(text, "split_export", "part-export-0f.wasm"), None, "nothing fetches it");
        assert_eq!(for_any_server("nothing of it"), None);
    }

    #[test]
    fn what_several_parts_need_is_named_after_them() {
        let needs =
            |part: &str, stems: &[&str]| (part.to_owned(), stems.iter().map(|&stem| stem.to_owned()).collect::<Vec<_>>());
        let map = BTreeMap::from([needs("studio", &["chunk_1", "split_studio"]), needs("files", &["chunk_1", "split_files"])]);
        let expected = [("chunk_1", "files-studio"), ("split_files", "files"), ("split_studio", "studio")];
        assert_eq!(names(&map), expected.map(|(stem, name)| (stem.to_owned(), name.to_owned())).into());
    }
}
