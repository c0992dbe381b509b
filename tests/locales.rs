//! The page's texts: every one that the sources ask for is there in every language, and none is left over.
//!
//! It reads sources and texts as files, so it sees what only the page compiles.
#![cfg(not(target_arch = "wasm32"))]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    marker::PhantomData,
    path::Path,
};

use reslab::error::{Fault, kind_key};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Keys that reach `t!` through a variable, by what they begin with. Those that `format!` makes inside `t!` are seen.
const BY_VARIABLE: &[&str] = &["train.refused"];

#[test]
fn every_text_is_there_once_and_in_every_language() {
    let mut english: BTreeMap<String, String> = faults().collect();
    let mut wrong = Vec::new();
    for (screen, key, text) in texts() {
        if !key.starts_with(&format!("{screen}.")) {
            wrong.push(format!("`{key}` stands in {screen}.en.json"));
        }
        if english.insert(key.clone(), text).is_some() {
            wrong.push(format!("`{key}` is there twice"));
        }
    }
    let languages = files(Path::new("www/languages"), "json");
    assert!(!languages.is_empty());
    for (file, text) in languages {
        // What goes wrong is said by a file of its own, which comes later.
        let errors = file.ends_with(".errors.json");
        let mut missing: BTreeSet<&String> = english.keys().filter(|key| key.starts_with("error.") == errors).collect();
        for (key, text) in entries(&file, &text) {
            if key.starts_with("error.") != errors {
                wrong.push(format!("{file}: `{key}` stands in the other file"));
            }
            let Some(original) = english.get(&key) else {
                wrong.push(format!("{file}: `{key}` is no text of the page"));
                continue;
            };
            if !missing.remove(&key) {
                wrong.push(format!("{file}: `{key}` is there twice"));
            }
            if text.trim().is_empty() {
                wrong.push(format!("{file}: `{key}` is empty"));
            }
            if placeholders(&text) != placeholders(original) {
                wrong.push(format!("{file}: `{key}` has other placeholders than in English"));
            }
        }
        wrong.extend(missing.into_iter().map(|key| format!("{file}: `{key}` is missing")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The core's reasons, which are English in the sources and have keys in the other languages, and the kinds of files they name.
fn faults() -> impl Iterator<Item = (String, String)> {
    let templates = Fault::TEXTS.iter().map(|(key, text)| (key.to_string(), text.replace('{', "%{")));
    let source = |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("text");
    let sources = [source("src/data/sniff.rs"), source("src/data/header.rs")];
    let code = sources.iter().map(|text| text.split("#[cfg(test)]").next().unwrap_or_default());
    let phrases = code.flat_map(|code| {
        let starts = code.match_indices("\"a ").chain(code.match_indices("\"an "));
        starts.filter_map(|(at, _)| code[at + 1..].split('"').next())
    });
    let kinds: BTreeMap<String, String> = phrases.map(|phrase| (kind_key(phrase), phrase.to_owned())).collect();
    assert!(
        kinds.contains_key("error.kind_a_pdf_document") && kinds.contains_key("error.kind_an_arithmetic_coded_jpeg"),
        "{kinds:?}"
    );
    templates.chain(kinds)
}

#[test]
fn every_language_can_be_chosen() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui/language.rs")).expect("text");
    for (file, _) in files(Path::new("www/languages"), "json") {
        let name = Path::new(&file).file_name().and_then(|name| name.to_str()).expect("files have names");
        let code = name.split('.').next().unwrap_or_default();
        let errors = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("www/languages/{code}.errors.json"));
        assert!(errors.is_file(), "`{code}` has no errors");
        assert!(source.contains(&format!("(\"{code}\", \"")), "`{code}` is not in LANGUAGES");
    }
}

#[test]
fn sources_and_texts_ask_for_one_another() {
    let texts: BTreeMap<String, BTreeSet<String>> =
        texts().into_iter().map(|(_, key, text)| (key, placeholders(&text))).collect();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (file, source) in files(Path::new("src"), "rs") {
        for call in calls(&source) {
            let found: Vec<_> = match call.key {
                Key::Whole(key) => texts.get_key_value(key).into_iter().collect(),
                // A text that wants more than the call gives is another's.
                Key::Made(pattern) => texts
                    .iter()
                    .filter(|(key, wanted)| {
                        fits(key, pattern) && wanted.iter().all(|name| call.arguments().contains(name.as_str()))
                    })
                    .collect(),
                Key::Variable => continue,
            };
            if found.is_empty() {
                wrong.push(format!("{file}: {} is in no file of www/locales", call.text));
            }
            for (key, wanted) in found {
                used.insert(key.clone());
                for name in wanted.iter().filter(|name| !call.arguments().contains(name.as_str())) {
                    wrong.push(format!("{file}: `{key}` wants `{name}`, which {} does not give", call.text));
                }
            }
        }
    }
    let by_variable = |key: &String| BY_VARIABLE.iter().any(|start| key.starts_with(start));
    wrong.extend(
        texts.keys().filter(|key| !used.contains(*key) && !by_variable(key)).map(|key| format!("nothing asks for `{key}`")),
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What of the page's sources is in its second part alone: there the texts of both parts are known.
const WORKSHOP: &[&str] = &["src/ui/workshop.rs", "src/ui/studio/", "src/ui/benchmark/"];
/// Below these, what the first part shows too.
const FIRST: &[&str] = &["src/ui/live/looks.rs", "src/ui/live/overlay.rs", "src/ui/live/ask.rs"];

#[test]
fn the_first_part_asks_for_none_of_the_workshops_texts() {
    let workshop: BTreeSet<String> =
        files(Path::new("www/locales/workshop"), "json").into_iter().map(|(file, _)| screen_of(&file)).collect();
    assert!(workshop.contains("train"), "{workshop:?}");
    let mut wrong = Vec::new();
    for (file, source) in files(Path::new("src"), "rs") {
        let later = WORKSHOP.iter().any(|start| file.starts_with(start)) && !FIRST.contains(&&*file);
        for call in calls(&source).into_iter().filter(|_| !later) {
            let (Key::Whole(key) | Key::Made(key)) = call.key else { continue };
            if key.split('.').next().is_some_and(|screen| workshop.contains(screen)) {
                wrong.push(format!("{file}: {} comes with the workshop", call.text));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn calls_are_seen_and_nothing_else() {
    let source = r#"
        let a = t!("one.a");
        format!("{}", t!( "one.b", name = x(1, ")"), count = 2));
        {t!(format!("one.c_{kind}"))} assert!("one.d");
        t!(words);
    "#;
    let found = calls(source);
    let keys: Vec<_> = found.iter().map(|call| call.key).collect();
    assert_eq!(keys, [Key::Whole("one.a"), Key::Whole("one.b"), Key::Made("one.c_{kind}"), Key::Variable]);
    assert_eq!(found[1].arguments(), BTreeSet::from(["name", "count"]));
    assert!(fits("one.a_b", "one.{}_{kind}") && fits("one.ab", "one.{a}b"));
    assert!(!fits("one.ab", "one.{}_{kind}") && !fits("two.a_b", "one.{}") && !fits("one.abc", "one.{a}b"));
    assert_eq!(placeholders("%{a} of %{bc}, 5 %"), BTreeSet::from(["a".to_owned(), "bc".to_owned()]));
}

/// A use of `t!`.
struct Call<'a> {
    key: Key<'a>,
    /// All of it.
    text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Key<'a> {
    Whole(&'a str),
    /// `format!` makes it from this.
    Made(&'a str),
    Variable,
}

impl<'a> Call<'a> {
    /// Names in front of a single `=`.
    fn arguments(&self) -> BTreeSet<&'a str> {
        let names = self.text.match_indices('=').filter_map(|(at, _)| {
            let before = self.text[..at].trim_end();
            let start = before.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |i| i + 1);
            Some(&before[start..]).filter(|name| !name.is_empty())
        });
        names.collect()
    }
}

fn calls(source: &str) -> Vec<Call<'_>> {
    let mut found = Vec::new();
    for (at, opening) in source.match_indices("t!(") {
        if source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let inside = &source[at + opening.len()..];
        let text = &source[at..at + opening.len() + closing(inside)];
        let inside = inside.trim_start();
        let key = if let Some(literal) = inside.strip_prefix('"') {
            Key::Whole(&literal[..literal.find('"').unwrap_or(0)])
        } else if let Some(literal) = inside.strip_prefix("format!(\"") {
            Key::Made(&literal[..literal.find('"').unwrap_or(0)])
        } else {
            Key::Variable
        };
        found.push(Call { key, text });
    }
    found
}

/// Whether a key can be made from a `format!` string: its fixed parts in their order, anything in the holes.
fn fits(key: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('{').map(|part| part.split_once('}').map_or(part, |(_, fixed)| fixed));
    let Some(mut rest) = parts.next().and_then(|start| key.strip_prefix(start)) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || pattern.ends_with('}')
}

/// Bytes up to and with the parenthesis that closes what is open at the start.
fn closing(text: &str) -> usize {
    let (mut level, mut quoted, mut escaped) = (1, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => level += 1,
            ')' if !quoted => level -= 1,
            _ => {}
        }
        if level == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// The names in `%{name}`.
fn placeholders(text: &str) -> BTreeSet<String> {
    text.split("%{").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned()).collect()
}

/// Every English text as (screen, key, text); a key that stands twice comes twice.
fn texts() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (file, text) in files(Path::new("www/locales"), "json") {
        let screen = screen_of(&file);
        all.extend(entries(&file, &text).into_iter().map(|(key, text)| (screen.clone(), key, text)));
    }
    assert!(all.len() > 100, "no texts found");
    all
}

/// The screen whose texts a file holds: `look` of `first/look.en.json`.
fn screen_of(file: &str) -> String {
    let name = Path::new(file).file_name().and_then(|name| name.to_str()).expect("files have names");
    name.strip_suffix(".en.json").unwrap_or_else(|| panic!("{file} is not SCREEN.en.json")).to_owned()
}

/// A file's texts by key, `screen.name`, in their order.
fn entries(file: &str, text: &str) -> Vec<(String, String)> {
    let screens: Entries<Entries<String>> = serde_json::from_str(text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let texts = |(screen, texts): (String, Entries<String>)| {
        texts.0.into_iter().map(move |(name, text)| (format!("{screen}.{name}"), text))
    };
    screens.0.into_iter().flat_map(texts).collect()
}

/// An object with all that stands in it, also what does so twice.
struct Entries<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadEntries(PhantomData)).map(Self)
    }
}

struct ReadEntries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ReadEntries<T> {
    type Value = Vec<(String, T)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of screens, each an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Files with this ending below a folder of the repository, with their content.
fn files(dir: &Path, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).expect("the folder is there") {
        let path = dir.join(entry.expect("readable").file_name());
        let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path);
        if whole.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push((path.display().to_string(), fs::read_to_string(whole).expect("text")));
        }
    }
    found
}
