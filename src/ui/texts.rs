//! The page's texts that are not in its first part: the workshop's English ones, which come with it (www/locales/workshop), and every other
//! language, which is fetched when it is wanted (www/languages). The first part's English is compiled in by `i18n!` (lib.rs).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use rust_i18n::Backend;

/// A file's texts by screen and name: `{ "look": { "choose": "Choose pictures" } }` is `look.choose`.
type Texts = HashMap<String, HashMap<String, String>>;

/// By language.
static TEXTS: RwLock<Option<HashMap<String, Texts>>> = RwLock::new(None);

/// Looks into the texts that have arrived.
pub struct Arrived;

/// The workshop's English, as the files are.
const WORKSHOP: [&str; 6] = [
    include_str!("../../www/locales/workshop/benchmark.en.json"),
    include_str!("../../www/locales/workshop/camera.en.json"),
    include_str!("../../www/locales/workshop/judge.en.json"),
    include_str!("../../www/locales/workshop/studio.en.json"),
    include_str!("../../www/locales/workshop/takeaway.en.json"),
    include_str!("../../www/locales/workshop/train.en.json"),
];

/// Makes the workshop's English known to `t!`.
pub fn add_workshop() {
    for file in WORKSHOP {
        // Files of ours: a test reads them.
        let _ = add("en", file);
    }
}

/// Makes a language's file known to `t!`.
///
/// # Errors
/// When it is none.
pub fn add(language: &str, file: &str) -> Result<(), serde_json::Error> {
    let texts: Texts = serde_json::from_str(file)?;
    // A thread that panicked while it held them left whole texts behind.
    let mut all = TEXTS.write().unwrap_or_else(PoisonError::into_inner);
    let known = all.get_or_insert_default().entry(language.to_owned()).or_default();
    for (screen, texts) in texts {
        known.entry(screen).or_default().extend(texts);
    }
    Ok(())
}

/// Whether a language is here.
pub fn has(language: &str) -> bool {
    TEXTS.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|all| all.contains_key(language))
}

impl Backend for Arrived {
    // This and `messages_for_locale` are for tools; the page asks for one text at a time.
    fn available_locales(&self) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn translate(&self, locale: &str, key: &str) -> Option<Cow<'_, str>> {
        let all = TEXTS.read().unwrap_or_else(PoisonError::into_inner);
        let (screen, name) = key.split_once('.')?;
        Some(all.as_ref()?.get(locale)?.get(screen)?.get(name)?.clone().into())
    }

    fn messages_for_locale(&self, _: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn every_file_of_the_workshop_is_there_and_read() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("www/locales/workshop");
        let mut there: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
        let mut here = WORKSHOP.to_vec();
        there.sort();
        here.sort();
        assert_eq!(there, here, "a file is missing in WORKSHOP");
        for file in WORKSHOP {
            assert!(!serde_json::from_str::<Texts>(file).unwrap().is_empty(), "{file:.80}");
        }
    }

    #[test]
    fn texts_are_found_in_the_language_or_in_english() {
        add_workshop();
        assert!(!has("zh"));
        add("zh", r#"{ "shell": { "look": "识别" }, "train": { "done": "训练完成" } }"#).unwrap();
        assert!(has("zh"));
        let text = |language, key| crate::_rust_i18n_translate(language, key).into_owned();
        assert_eq!(text("zh", "shell.look"), "识别");
        assert_eq!(text("zh", "train.done"), "训练完成");
        assert_eq!(text("zh", "train.start"), text("en", "train.start"));
        assert_ne!(text("en", "train.start"), "en.train.start");
        assert_eq!(text("en", "shell.look"), "Recognise");
        assert!(add("de", "<!doctype html>").is_err() && !has("de"), "a server's page for what it does not have");
    }
}
