//! The import rule: which part of the crate may know which. ARCHITECTURE.md says why.
//!
//! It reads the sources as text, so it sees code of both targets at once, whatever this test is compiled for.
#![cfg(not(target_arch = "wasm32"))]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every top-level module with the ones it may import; `error`, `sorting` and `split` are free for all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // A crate of its own (see OWN_CRATE), named through `crate::cpu`; its errors become the crate's.
    ("error", &["cpu"]),
    ("sorting", &[]),
    ("split", &[]),
    ("gpu", &[]),
    // One set of types for either device.
    ("device", &["gpu", "cpu"]),
    // `data` is plain data that knows nothing; ops::preprocess takes its presets and weights of a resize.
    ("ops", &["device", "gpu", "cpu", "data"]),
    // Beside each other: a plan reads a state dict's tensors, detection and naming go by the model's tables.
    ("model", &["device", "ops", "weights"]),
    ("weights", &["ops", "model", "data"]),
    ("data", &[]),
    ("train", &["device", "ops", "model", "weights", "data"]),
    // What a project is, and what can be done to it: plain data above the recipe it is trained by.
    ("studio", &["data", "train"]),
    ("web", &["data", "weights", "studio"]),
    ("engine", &["device", "ops", "model", "weights", "data", "train", "web"]),
    ("ui", &["device", "ops", "model", "weights", "data", "train", "web", "engine", "studio"]),
    // Binaries that use the library from outside.
    ("module", &[]),
    ("processor", &[]),
    ("cli", &["device", "ops", "model", "weights", "data", "train", "engine"]),
];

/// The folder that is a crate of its own: it cannot name anything of this one, and its `crate::` is not ours.
const OWN_CRATE: &str = "cpu";

/// Crates that it may use; a Web Worker fetches them all.
const OWN_CRATE_DEPENDENCIES: &[&str] = &["bytemuck", "rayon", "serde", "thiserror"];

/// Crates that only some modules may name; `main` is src/main.rs.
const CONFINED: &[(&str, &[&str])] = &[
    ("leptos", &["ui", "main"]),
    ("web_sys", &["web", "ui"]),
    ("wgpu", &["gpu"]),
    ("clap", &["cli"]),
    ("rayon", &["cpu"]),
    ("reslab_cpu", &["lib", "cpu", "processor"]),
];

/// Exceptions: a file (below src/) that may name a confined crate all the same, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    // (file, crate, reason)
    ("device/worker.rs", "web_sys", "the processor of a browser is in a Web Worker"),
];

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = code(&fs::read_to_string(src().join(&file)).unwrap());
        let module = module(&file);
        if module == OWN_CRATE {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            // lib.rs and main.rs put the parts together; any other new module needs its line in the table.
            assert!(["lib", "main"].contains(&module.as_str()), "src/{} is in no row of MAY_IMPORT", file.display());
            continue;
        };
        for target in imports(&text, depth(&file)) {
            if target != module
                && !["error", "sorting", "split"].contains(&target.as_str())
                && !allowed.contains(&target.as_str())
            {
                wrong.push(format!("src/{} imports `{target}`; `{module}` may import {allowed:?}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_processor_needs_few_crates() {
    let manifest = fs::read_to_string(src().join(OWN_CRATE).join("Cargo.toml")).unwrap();
    let mut in_dependencies = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| in_dependencies) {
            found.insert(name.to_owned());
        }
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), OWN_CRATE_DEPENDENCIES);
}

#[test]
fn confined_crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = code(&fs::read_to_string(src().join(&file)).unwrap());
        let module = module(&file);
        for (name, homes) in CONFINED {
            let excepted = EXCEPTIONS.iter().any(|(f, c, _)| Path::new(f) == file && c == name);
            if !homes.contains(&module.as_str()) && !excepted && names_crate(&text, name) {
                wrong.push(format!("src/{} names `{name}`, which belongs to {homes:?}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Adding a layer touches its file (or folder), its shaders, `ops/mod.rs` and its test; the tables name what they are built of.
#[test]
fn a_layer_is_named_in_its_file_the_list_and_the_tables_alone() {
    let list = code(&fs::read_to_string(src().join("ops/mod.rs")).unwrap());
    let (_, list) = list.split_once("layers! {").expect("ops/mod.rs has the list of layers");
    let (list, _) = list.split_once('}').unwrap();
    let layers: Vec<(&str, &str)> = list.split(',').filter_map(|line| line.trim().split_once("::")).collect();
    assert!(layers.len() >= 10, "{layers:?}");
    let mut wrong = Vec::new();
    for file in sources() {
        let own = |home: &str| file.starts_with(format!("ops/{home}")) || file == Path::new(&format!("ops/{home}.rs"));
        if ["ops/mod.rs", "model/build.rs"].iter().any(|known| file == Path::new(known)) {
            continue;
        }
        let from = if module(&file) == "ops" { "super" } else { "ops" };
        let paths = paths(&tokens(&code_without_tests(&file)));
        // A layer may be built of another.
        for (_, layer) in layers.iter().filter(|_| !layers.iter().any(|(home, _)| own(home))) {
            // Every graph begins with the input.
            let begins = *layer == "Input" && file == Path::new("model/graph.rs");
            let names = |path: &[String]| {
                let of_list = path.iter().any(|part| part == from || part == "Op");
                of_list && path.iter().any(|part| part == layer) && !begins
            };
            if paths.iter().any(|path| names(path)) {
                wrong.push(format!("src/{} names the layer {layer}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A file is read after those it imports: within these modules no two files import each other, nor do several in a ring.
#[test]
fn files_import_in_no_circle() {
    for part in ["gpu", "ops", "model", "weights", "train", "studio"] {
        let files: Vec<(Vec<String>, PathBuf)> =
            sources().into_iter().filter(|file| module(file) == part).map(|file| (module_path(&file), file)).collect();
        let mut edges: Vec<BTreeSet<usize>> = Vec::new();
        for (own, file) in &files {
            let imports = paths(&tokens(&code_without_tests(file)));
            let targets = imports.iter().filter_map(|path| {
                let path = absolute(path, own)?;
                // The longest module that begins the path; a folder's mod.rs only puts its files together.
                let target = (0..files.len()).filter(|i| path.starts_with(&files[*i].0)).max_by_key(|i| files[*i].0.len())?;
                (!own.starts_with(&files[target].0)).then_some(target)
            });
            edges.push(targets.collect());
        }
        // What imports nothing that is left is taken out, until only circles are left.
        let mut left: BTreeSet<usize> = (0..files.len()).collect();
        while let Some(done) = left.iter().copied().find(|i| edges[*i].is_disjoint(&left)) {
            left.remove(&done);
        }
        let circle: Vec<_> = left.iter().map(|i| files[*i].1.display().to_string()).collect();
        assert!(circle.is_empty(), "these files import each other, or wait for those that do: {circle:?}");
    }
}

#[test]
fn the_reader_of_sources_sees_imports_and_nothing_else() {
    let text = code(
        r##"
        //! crate::ui in a comment
        /* use crate::engine; /* nested */ crate::train */
        use crate::{Error, device::{Device, Slice}, ops};
        use crate::weights::pth;
        macro_rules! m { () => { $crate::model::Graph } }
        const S: &str = "crate::cli \" crate::web";
        const R: &str = r#"crate::train " "#;
        fn f<'a>(c: &'a char) -> bool { *c == '"' || *c == '\'' || crate::data::ok(c) }
        use super::sibling; use super::super::engine;
        "##,
    );
    let found: Vec<String> = imports(&text, 2).into_iter().collect();
    assert_eq!(found, ["data", "device", "engine", "model", "ops", "weights"]);
    assert!(names_crate("use wgpu::Device;", "wgpu") && names_crate("x(::web_sys::A)", "web_sys"));
    assert!(!names_crate("my_wgpu::Device; gpu::wgpu_like", "wgpu"));
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every .rs file below src/, relative to it.
fn sources() -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(src()).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&src(), &mut found);
    found.sort();
    assert!(found.len() > 3, "no sources found");
    found
}

/// The top-level module a file belongs to.
fn module(file: &Path) -> String {
    let first = file.iter().next().unwrap().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// The modules that lead to a file, its own last.
fn module_path(file: &Path) -> Vec<String> {
    let mut path: Vec<String> = file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

/// The code of a file without its unit tests, which come last.
fn code_without_tests(file: &Path) -> String {
    let text = code(&fs::read_to_string(src().join(file)).unwrap());
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

/// A path as it is seen from the crate's root; none for one that does not begin with `crate`, `super` or `self`.
fn absolute(path: &[String], own: &[String]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match path.first()?.as_str() {
        "crate" => (0, &path[1..]),
        "self" => (own.len(), &path[1..]),
        "super" => (own.len().checked_sub(supers)?, &path[supers..]),
        _ => return None,
    };
    Some([&own[..base], rest].concat())
}

/// Every path of two or more names, those of `use a::{b, c::d}` one by one.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    fn tree(tokens: &[String], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
        let mut path = before.to_vec();
        loop {
            match tokens.get(at).map(String::as_str) {
                Some("{") => {
                    at += 1;
                    while tokens.get(at).is_some_and(|token| token != "}") {
                        at = tree(tokens, at, &path, found);
                        at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                    }
                    return at + 1;
                }
                Some(name) if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => path.push(name.to_owned()),
                _ => return at + 1,
            }
            at += 1;
            if tokens.get(at).is_none_or(|token| token != "::") {
                if tokens.get(at).is_some_and(|token| token == "as") {
                    at += 2;
                }
                found.push(path);
                return at;
            }
            at += 1;
        }
    }
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = tokens.get(at + 1).is_some_and(|next| next == "::") && tokens[at] != "::";
        at = if begins { tree(tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// How many `super::` lead from a file's module to the crate's root.
fn depth(file: &Path) -> usize {
    let parts = file.iter().count();
    if file.file_stem().is_some_and(|stem| stem == "mod") { parts - 1 } else { parts }
}

/// The text without comments and string literals.
fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, word: &str| word.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let ident_before = i > 0 && (chars[i - 1].is_alphanumeric() || chars[i - 1] == '_');
        if starts(i, "//") {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if starts(i, "/*") {
            let mut level = 0;
            loop {
                if starts(i, "/*") {
                    level += 1;
                    i += 2;
                } else if starts(i, "*/") {
                    level -= 1;
                    i += 2;
                } else {
                    i += 1;
                }
                if level == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if !ident_before && chars[i] == 'r' && (starts(i, "r\"") || starts(i, "r#")) {
            let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
            if chars.get(i + 1 + hashes) != Some(&'"') {
                // A raw identifier.
                out.push(chars[i]);
                i += 1;
                continue;
            }
            let end = format!("\"{}", "#".repeat(hashes));
            i += hashes + 2;
            while i < chars.len() && !starts(i, &end) {
                i += 1;
            }
            i += end.len();
        } else if chars[i] == '"' {
            i += 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if chars[i] == '\'' && (chars.get(i + 1) == Some(&'\\') || chars.get(i + 2) == Some(&'\'')) {
            // A character, not a lifetime.
            i += if chars[i + 1] == '\\' { 3 } else { 2 };
            while i < chars.len() && chars[i] != '\'' {
                i += 1;
            }
            i += 1;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    out
}

/// The top-level modules that `crate::...` and long enough chains of `super::` lead to.
fn imports(text: &str, depth: usize) -> BTreeSet<String> {
    let tokens = tokens(text);
    let at = |i: usize| tokens.get(i).map_or("", String::as_str);
    let known = |name: &str| MAY_IMPORT.iter().any(|(module, _)| *module == name);
    let mut found = BTreeSet::new();
    let mut i = 0;
    while i < tokens.len() {
        let mut end = i;
        if at(i) == "crate" && at(i + 1) == "::" {
            end = i + 2;
        } else if at(i) == "super" && at(i + 1) == "::" {
            let mut supers = 0;
            while at(end) == "super" && at(end + 1) == "::" {
                supers += 1;
                end += 2;
            }
            if supers < depth {
                i = end;
                continue;
            }
        }
        if end == i {
            i += 1;
            continue;
        }
        if at(end) == "{" {
            let mut level = 0;
            let mut first = false;
            loop {
                match at(end) {
                    "" => break,
                    "{" => {
                        level += 1;
                        first = level == 1;
                    }
                    "}" => level -= 1,
                    "," => first = level == 1,
                    name => {
                        if first && known(name) {
                            found.insert(name.to_owned());
                        }
                        first = false;
                    }
                }
                end += 1;
                if level == 0 {
                    break;
                }
            }
        } else if known(at(end)) {
            found.insert(at(end).to_owned());
        }
        i = end;
    }
    found
}

/// Identifiers, `::` and every other character that is not space.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(&next) = chars.peek() {
                if !(next.is_alphanumeric() || next == '_') {
                    break;
                }
                word.push(next);
                chars.next();
            }
            tokens.push(word);
        } else if c == ':' && chars.peek() == Some(&':') {
            chars.next();
            tokens.push("::".to_owned());
        } else if !c.is_whitespace() {
            tokens.push(c.to_string());
        }
    }
    tokens
}

/// Whether `name::` or `use name` stands in the text as a path of its own.
fn names_crate(text: &str, name: &str) -> bool {
    let tokens = tokens(text);
    tokens.iter().enumerate().any(|(i, token)| {
        let before = i.checked_sub(1).map_or("", |i| &tokens[i]);
        let before_that = i.checked_sub(2).map_or("", |i| &tokens[i]);
        let after = tokens.get(i + 1).map_or("", String::as_str);
        // `module::name::x` is somebody else's `name`; `::name::x` is the crate.
        let own = before == "::" && before_that.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_');
        token == name && !own && (after == "::" || before == "use")
    })
}
