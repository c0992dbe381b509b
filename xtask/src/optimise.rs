//! Trunk's post-build hook: makes the wasm of the page and of the ES module smaller where wasm-opt is at hand.
//!
//! Trunk can call wasm-opt itself, but downloads one of its own choice when the version differs; a build must not do that.
//! What counts is the size after gzip, so three things are done besides `-Oz`: functions are sorted by name, which puts copies of
//! a generic function side by side (3 %); wasm-bindgen's names between wasm and JavaScript, each with a hash of its own, become
//! short ones (2 %); and the glue loses its comments.

use crate::{
    offline,
    sh::{self, Result, command, run as run_command, say},
    tools,
};
use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{Mutex, PoisonError},
    thread,
};

/// The features rustc's wasm32 target and wasm-bindgen use; all of them are in every browser with WebGPU.
const FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    // The processor's part alone.
    "--enable-simd",
];

/// Whom the page's policy lets it ask besides its own host.
const HUB_HOSTS: &str = "https://huggingface.co https://*.huggingface.co https://*.hf.co";

pub fn run() -> Result<ExitCode> {
    let dir = env::var_os("TRUNK_STAGING_DIR").map(PathBuf::from);
    let dir = dir.ok_or("optimise is called by trunk, which sets TRUNK_STAGING_DIR")?;
    let release = env::var("TRUNK_PROFILE").as_deref() == Ok("release");
    #[cfg(feature = "split")]
    crate::split::split(&dir, if release { "page" } else { "debug" })?;
    if release {
        make_smaller(&dir)?;
    }
    link_app(&dir)?;
    if let Ok(hub) = env::var("RESLAB_HUB_URL") {
        allow_mirror(&dir, &hub)?;
    }
    if release {
        // Last: it reads what the files have become.
        offline::write(&dir)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn make_smaller(dir: &Path) -> Result<()> {
    let entries = fs::read_dir(dir).map_err(|e| format!("{} cannot be read: {e}", dir.display()))?;
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let ending = |end: &'static str| paths.iter().filter(move |path| path.extension().is_some_and(|e| e == end));
    for style in ending("css") {
        let lean = fs::read_to_string(style).and_then(|text| fs::write(style, lean_style(&text)));
        lean.map_err(|e| format!("{} cannot be made smaller: {e}", style.display()))?;
    }
    let mut files: Vec<&PathBuf> = ending("wasm").collect();
    // One after the other they take minutes. The largest first, so that none is left over at the end.
    files.sort_by_key(|path| fs::metadata(path).map_or(0, |m| m.len()));
    let wasm_opt = tools::find_wasm_opt();
    let files = Mutex::new(files);
    let next = || files.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let worker = || {
        while let Some(wasm) = next() {
            make_one_smaller(wasm_opt.as_deref(), wasm)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("wasm-opt's thread panicked".into())))
    })
}

fn make_one_smaller(wasm_opt: Option<&Path>, wasm: &Path) -> Result<()> {
    let size = || fs::metadata(wasm).map_or(0, |m| m.len());
    let before = size();
    // The page works as the compiler made it too: an old wasm-opt, or none, is no reason to have no page.
    let done = match wasm_opt {
        Some(wasm_opt) => optimise(wasm_opt, wasm),
        None => Err("wasm-opt is not here".into()),
    };
    if let Err(e) = done {
        say(format!("{e}: the page is larger than it could be, and works"));
        drop_custom_sections(wasm)?;
    }
    without_paths(wasm)?;
    let name = wasm.file_name().unwrap_or_default().to_string_lossy();
    say(format!("{name}: {before} to {} bytes", size()));
    Ok(())
}

/// Panics name the source files of libraries with their paths on the machine that built them, which are nobody else's business and do not
/// pack well. Lines and columns stay; of our own files the path too.
fn without_paths(wasm: &Path) -> Result<()> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let crates = home.map(|home| home.join("registry/src/").to_string_lossy().into_owned());
    let failed = |e| format!("{} cannot be rewritten: {e}", wasm.display());
    let mut bytes = fs::read(wasm).map_err(failed)?;
    for start in crates.iter().map(String::as_str).chain(["/rustc/"]) {
        blank_paths(&mut bytes, start.as_bytes());
    }
    fs::write(wasm, bytes).map_err(failed)
}

/// Overwrites what begins with `start` and ends with `.rs`; nothing else moves.
fn blank_paths(bytes: &mut [u8], start: &[u8]) {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(start.len()).position(|window| window == start) {
        at += found;
        let in_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/\\._-+".contains(byte);
        let length = bytes[at..].iter().position(|byte| !in_path(byte)).unwrap_or(bytes.len() - at);
        // The next text may follow without anything between.
        match bytes[at..at + length].windows(3).position(|window| window == b".rs") {
            Some(dot) => {
                bytes[at..at + dot + 3].fill(b'/');
                at += dot + 3;
            }
            None => at += start.len(),
        }
    }
}

/// The place in bench.html for the links to the app's files, and how they begin in index.html (Trunk.toml).
const APP: (&str, &str) = ("<!-- the app -->", "<link id=\"app-");

/// Gives bench.html the links of index.html by which the browser fetches the app's files early.
fn link_app(dir: &Path) -> Result<()> {
    let (index, bench) = (dir.join("index.html"), dir.join("bench.html"));
    let read = |path: &Path| fs::read_to_string(path).map_err(|e| format!("{} cannot be read: {e}", path.display()));
    let text = with_links(&read(&bench)?, &read(&index)?)
        .ok_or("index.html has no links to the app, or bench.html no place for them")?;
    fs::write(&bench, text).map_err(|e| format!("{} cannot be written: {e}", bench.display()))
}

/// A build for a mirror of the hub may ask it, and no longer the hub.
fn allow_mirror(dir: &Path, hub: &str) -> Result<()> {
    let index = dir.join("index.html");
    let text = fs::read_to_string(&index).map_err(|e| format!("{} cannot be read: {e}", index.display()))?;
    let text = with_mirror(&text, hub)?;
    fs::write(&index, text).map_err(|e| format!("{} cannot be written: {e}", index.display()))
}

fn with_mirror(index: &str, hub: &str) -> Result<String> {
    let end = hub.find("://").map_or(0, |scheme| hub[scheme + 3..].find('/').map_or(hub.len(), |path| scheme + 3 + path));
    let origin = &hub[..end];
    if origin.is_empty() || origin.contains(|c: char| c.is_whitespace() || "\"';,<>".contains(c)) {
        return Err(format!("RESLAB_HUB_URL is `{hub}`: an address such as https://hub.example.org was expected"));
    }
    if !index.contains(HUB_HOSTS) {
        return Err("www/index.html's policy does not name the hub's hosts".into());
    }
    Ok(index.replace(HUB_HOSTS, origin))
}

fn with_links(bench: &str, index: &str) -> Option<String> {
    let link = |at: usize| index[at..].find('>').map(|length| &index[at..=at + length]);
    let links: Vec<&str> = index.match_indices(APP.1).filter_map(|(at, _)| link(at)).collect();
    (links.len() == 2 && bench.contains(APP.0)).then(|| bench.replace(APP.0, &links.join("\n    ")))
}

fn optimise(wasm_opt: &Path, wasm: &Path) -> Result<()> {
    let mut smaller = wasm_opt_command(wasm_opt, wasm);
    run_command(smaller.args(["--reorder-functions-by-name", "-Oz", "-o"]).arg(wasm))?;
    // `app_bg.wasm` and `app.js` belong together. A part that comes later has no glue of its own.
    let stem = wasm.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_suffix("_bg"));
    let Some(stem) = stem else { return Ok(()) };
    let glue = wasm.with_file_name(format!("{stem}.js"));
    let read = |path: &Path| fs::read_to_string(path).map_err(|e| format!("{} cannot be read: {e}", path.display()));
    let text = read(&glue)?;
    let renamed = wasm.with_extension("wasm.renamed");
    let mut rename = wasm_opt_command(wasm_opt, wasm);
    let report = sh::output(rename.arg("--minify-imports-and-exports-and-modules").arg("-o").arg(&renamed));
    let names = report.as_deref().and_then(Names::parse);
    // What fetches a part that comes later takes some of the exports.
    let loader = names.as_ref().and_then(|names| names.loader.as_ref()).map(|loader| wasm.with_file_name(loader));
    let loader = loader.map(|path| read(&path).map(|text| (path, text))).transpose()?;
    let shorter = names.and_then(|names| {
        let glue = without_comments(&names.rewrite(&text)?);
        let loader = match loader {
            Some((path, text)) => Some((path, without_comments(&names.rewrite_loader(&text)?))),
            None => None,
        };
        Some((glue, loader))
    });
    let result = match shorter {
        // Names that were not all found must stay as they are on both sides.
        None => fs::remove_file(&renamed),
        Some((text, loader)) => fs::rename(&renamed, wasm)
            .and_then(|()| fs::write(&glue, text))
            .and_then(|()| loader.map_or(Ok(()), |(path, text)| fs::write(path, text))),
    };
    result.map_err(|e| format!("{} cannot be replaced: {e}", wasm.display()))?;
    // Without the names it finds a little more (0.4 %), which counts in what every visitor fetches.
    run_command(wasm_opt_command(wasm_opt, wasm).args(["-Oz", "-o"]).arg(wasm))
}

fn wasm_opt_command(wasm_opt: &Path, wasm: &Path) -> Command {
    let mut command = command(wasm_opt);
    command.args(FEATURES).arg(wasm);
    command
}

/// Short names for what wasm and glue call each other, as wasm-opt reports them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    /// wasm-bindgen's module of imports; wasm-opt calls it `a`.
    module: String,
    /// The module that fetches a part that comes later, and what is imported from it. It gets the same short name.
    loader: Option<String>,
    loads: Vec<(String, String)>,
    imports: HashMap<String, String>,
    exports: HashMap<String, String>,
}

impl Names {
    /// wasm-opt prints a line `["module", "name", "short"]` for an import and `["name", "short"]` for an export.
    fn parse(report: &str) -> Option<Self> {
        let mut names = Self::default();
        for line in report.lines() {
            let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            match quoted[..] {
                [module, name, short] if module.ends_with("_bg.js") => {
                    if !names.module.is_empty() && names.module != module {
                        return None;
                    }
                    names.module = module.into();
                    names.imports.insert(name.into(), short.into());
                }
                [module, name, short] => {
                    if names.loader.as_ref().is_some_and(|loader| loader != module) {
                        return None;
                    }
                    names.loader = Some(module.into());
                    names.loads.push((name.into(), short.into()));
                }
                [name, short] => drop(names.exports.insert(name.into(), short.into())),
                _ => {}
            }
        }
        (!names.imports.is_empty()).then_some(names)
    }

    /// The glue with short names: imports are keys of an object, exports are members of `wasm`. `None` when a name is not
    /// where it is expected.
    fn rewrite(&self, glue: &str) -> Option<String> {
        let glue = self.one_module(glue)?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let mut text = String::with_capacity(glue.len());
        let mut imports = 0;
        let mut rest = glue.as_str();
        while let Some(start) = rest.find(is_word) {
            let (before, from) = rest.split_at(start);
            let (word, behind) = from.split_at(from.find(|c| !is_word(c)).unwrap_or(from.len()));
            text.push_str(before);
            let short = match (behind.starts_with(':'), self.imports.get(word)) {
                (true, Some(short)) => {
                    imports += 1;
                    short
                }
                _ if text.ends_with("wasm.") => self.exports.get(word)?,
                _ => word,
            };
            text.push_str(short);
            rest = behind;
        }
        text.push_str(rest);
        (imports == self.imports.len()).then_some(text)
    }

    /// The glue with all imports in the one module `a`.
    fn one_module(&self, glue: &str) -> Option<String> {
        let module = format!("\"{}\":", self.module);
        let (before, behind) = glue.split_once(&module).filter(|(_, behind)| !behind.contains(&module))?;
        let Some(loader) = &self.loader else { return Some(format!("{before}\"a\":{behind}")) };
        // `"./app_bg.js": import0, "./loader.js": import1,` becomes `"a": { ...import0, b: import1.load },`.
        let (own, behind) = behind.split_once(',')?;
        let (between, entry) = behind.split_once(&format!("\"{loader}\":"))?;
        let (other, behind) = entry.split_once(',')?;
        let other = other.trim();
        let loads: String = self.loads.iter().map(|(name, short)| format!(", {short}: {other}.{name}")).collect();
        Some(format!("{before}\"a\": {{ ...{}{loads} }},{}{behind}", own.trim(), between.trim_end()))
    }

    /// The loader takes exports apart by name: `const { long, } = initSync(`.
    fn rewrite_loader(&self, loader: &str) -> Option<String> {
        let (before, names) = loader.split_once("const { ")?;
        let (names, behind) = names.split_once("} = initSync(")?;
        let short = |name: &str| self.exports.get(name).map(|short| format!("{short}: {name}, "));
        let names: Option<String> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(short).collect();
        Some(format!("{before}const {{ {}}} = initSync({behind}", names?))
    }
}

/// wasm-bindgen's comments stand on lines of their own, and no text of its runs over lines.
fn without_comments(glue: &str) -> String {
    let lines = glue.lines().map(str::trim).filter(|line| !line.is_empty());
    let code = lines.filter(|line| !["//", "/*", "* ", "*/"].iter().any(|start| line.starts_with(start)));
    code.flat_map(|line| [line, "\n"]).collect()
}

/// A style sheet without its comments and its indentation; no text in one of ours holds what begins a comment.
fn lean_style(style: &str) -> String {
    let mut code = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, behind)| behind);
    }
    code.push_str(rest);
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Function names and the like, which the compiler leaves for [`optimise`] to sort by.
fn drop_custom_sections(wasm: &Path) -> Result<()> {
    let bytes = fs::read(wasm).map_err(|e| format!("{} cannot be read: {e}", wasm.display()))?;
    let Some(lean) = without_custom_sections(&bytes) else { return Err(format!("{} is damaged", wasm.display())) };
    fs::write(wasm, lean).map_err(|e| format!("{} cannot be written: {e}", wasm.display()))
}

/// A module is a header of 8 bytes and sections: a kind (0 is custom), a length in LEB128, contents.
fn without_custom_sections(module: &[u8]) -> Option<Vec<u8>> {
    let mut lean = module.get(..8)?.to_vec();
    let mut at = 8;
    while at < module.len() {
        let mut behind = at + 1;
        let mut length = 0_usize;
        for shift in (0..35).step_by(7) {
            let byte = *module.get(behind)?;
            behind += 1;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = behind.checked_add(length)?;
        let section = module.get(at..end)?;
        if section[0] != 0 {
            lean.extend_from_slice(section);
        }
        at = end;
    }
    Some(lean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_machine_are_not_in_the_page() {
        let mut bytes =
            b"words/home/a/registry/src/x-1.0/src/lib.rssrc/ops/add.rs\0/rustc/ the book\xff/rustc/0f/core/num.rs!".to_vec();
        blank_paths(&mut bytes, b"/home/a/registry/src/");
        blank_paths(&mut bytes, b"/rustc/");
        let slashes = |text: &str| "/".repeat(text.len());
        let library = slashes("/home/a/registry/src/x-1.0/src/lib.rs");
        let expected = [
            format!("words{library}src/ops/add.rs\0/rustc/ the book").as_bytes(),
            b"\xff",
            format!("{}!", slashes("/rustc/0f/core/num.rs")).as_bytes(),
        ]
        .concat();
        assert_eq!(bytes, expected);
    }

    const REPORT: &str = r#"{
 "imports": [
  ["./app_bg.js", "__wbg_call_0123456789abcdef", "a"],
  ["./app_bg.js", "__wbg_now_fedcba9876543210", "b"]
 ],
 "exports": [
  ["memory", "c"],
  ["__wbindgen_start", "d"]
 ]
}"#;

    const GLUE: &str = "\
/**
 * Calls.
 */
function imports() {
    const import0 = {
        __proto__: null,
        __wbg_call_0123456789abcdef: function(arg0) { return arg0(wasm.memory.buffer); },
        __wbg_now_fedcba9876543210: () => Date.now(),
    };
    return { \"./app_bg.js\": import0 };
}
// Begins.
wasm.__wbindgen_start();
";

    #[test]
    fn glue_and_wasm_agree_on_short_names() {
        let names = Names::parse(REPORT).unwrap();
        let text = without_comments(&names.rewrite(GLUE).unwrap());
        assert_eq!(
            text,
            "function imports() {\nconst import0 = {\n__proto__: null,\na: function(arg0) { return arg0(wasm.c.buffer); },\n\
             b: () => Date.now(),\n};\nreturn { \"a\": import0 };\n}\nwasm.d();\n"
        );
    }

    #[test]
    fn names_that_are_not_where_they_should_be_stay() {
        let names = Names::parse(REPORT).unwrap();
        assert_eq!(names.rewrite(&GLUE.replace("__wbg_now_fedcba9876543210:", "other:")), None, "an import is missing");
        assert_eq!(names.rewrite(&GLUE.replace("wasm.__wbindgen_start", "wasm.other")), None, "an export is unknown");
        assert_eq!(names.rewrite(&GLUE.replace("app_bg", "other_bg")), None, "the module is another one");
        assert_eq!(Names::parse(&REPORT.replacen("./app_bg.js", "./other_bg.js", 1)), None, "two modules");
        assert_eq!(Names::parse("Fatal: unknown option"), None);
    }

    #[test]
    fn a_part_that_comes_later_is_loaded_by_short_names() {
        let report = REPORT.replace("\"b\"]\n ],", "\"b\"],\n  [\"./later.js\", \"load_later\", \"e\"]\n ],");
        let names = Names::parse(&report).unwrap();
        let glue = GLUE.replace("\"./app_bg.js\": import0 }", "\"./app_bg.js\": import0, \"./later.js\": import1, }");
        let text = names.rewrite(&glue).unwrap();
        assert!(text.contains("return { \"a\": { ...import0, e: import1.load_later }, }"), "{text}");
        assert_eq!(names.rewrite(GLUE), None, "the glue does not know the loader");
        let loader = "f();\nconst { memory, } = initSync(undefined);\ng({ memory, });\n";
        assert_eq!(
            names.rewrite_loader(loader).unwrap(),
            "f();\nconst { c: memory, } = initSync(undefined);\ng({ memory, });\n"
        );
        assert_eq!(names.rewrite_loader("const { other, } = initSync(undefined);"), None, "not an export");
    }

    #[test]
    fn styles_lose_what_is_for_people_alone() {
        let style = "/* All. */\n\n.a,\n.b {\n  /* Why:\n     so. */\n  margin: 0 auto;\n}\n";
        assert_eq!(lean_style(style), ".a,\n.b {\nmargin: 0 auto;\n}\n");
        assert_eq!(lean_style("a { b: c } /* no end"), "a { b: c }\n");
    }

    #[test]
    fn custom_sections_go_and_the_others_stay() {
        let module = b"\0asm\x01\0\0\0\x00\x03\x01n!\x01\x02ab\x00\x01x";
        assert_eq!(without_custom_sections(module).unwrap(), b"\0asm\x01\0\0\0\x01\x02ab");
        assert_eq!(without_custom_sections(&module[..12]), None);
        assert_eq!(without_custom_sections(b"\0asm"), None);
    }

    #[test]
    fn the_bench_page_that_is_shipped_takes_the_links_of_the_app() {
        let bench = fs::read_to_string(sh::root().join("www/bench.html")).unwrap();
        let index = "<head><link id=\"app-js\" href=\"./a.js\"><link id=\"app-wasm\" href=\"./a.wasm\"></head>";
        let linked = with_links(&bench, index).unwrap();
        assert!(linked.contains("href=\"./a.js\">") && linked.contains("href=\"./a.wasm\">"), "{linked}");
        assert!(with_links(&linked, index).is_none() && with_links(&bench, "<head></head>").is_none());
    }

    #[test]
    fn a_build_for_a_mirror_may_ask_it_alone() {
        let index = fs::read_to_string(crate::sh::root().join("www/index.html")).unwrap();
        let text = with_mirror(&index, "https://hub.example.org/models").unwrap();
        assert!(text.contains("connect-src 'self' blob: https://hub.example.org;") && !text.contains("huggingface"), "{text}");
        assert!(with_mirror(&index, "hub.example.org").unwrap_err().contains("RESLAB_HUB_URL"));
    }
}
