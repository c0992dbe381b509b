//! The workshop's texts, which come with it: www/locales/workshop. Those of the first part are compiled in by `i18n!` (lib.rs).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use rust_i18n::{Backend, SimpleBackend};

/// Looks into the workshop's texts, once they are there.
pub struct Workshop;

static TEXTS: OnceLock<SimpleBackend> = OnceLock::new();

/// The files, as they are.
const FILES: [&str; 6] = [
    include_str!("../../www/locales/workshop/benchmark.json"),
    include_str!("../../www/locales/workshop/camera.json"),
    include_str!("../../www/locales/workshop/judge.json"),
    include_str!("../../www/locales/workshop/studio.json"),
    include_str!("../../www/locales/workshop/takeaway.json"),
    include_str!("../../www/locales/workshop/train.json"),
];

/// Makes them known to `t!`.
pub fn add_workshop() {
    TEXTS.get_or_init(|| {
        let mut backend = SimpleBackend::new();
        for file in FILES {
            for (language, texts) in read(file) {
                backend.add_translations(language.into(), texts);
            }
        }
        backend
    });
}

/// Texts by key.
type Texts = HashMap<Cow<'static, str>, Cow<'static, str>>;

/// A file's texts by language.
fn read(file: &'static str) -> HashMap<String, Texts> {
    let mut languages = HashMap::<String, Texts>::new();
    // Files of ours: a test reads them. What is no object of texts is the format's version.
    let entries: HashMap<&'static str, serde_json::Value> = serde_json::from_str(file).unwrap_or_default();
    for (key, value) in entries {
        let serde_json::Value::Object(texts) = value else { continue };
        for (language, text) in texts {
            if let serde_json::Value::String(text) = text {
                languages.entry(language).or_default().insert(key.into(), text.into());
            }
        }
    }
    languages
}

impl Backend for Workshop {
    fn available_locales(&self) -> Vec<Cow<'_, str>> {
        TEXTS.get().map(Backend::available_locales).unwrap_or_default()
    }

    fn translate(&self, locale: &str, key: &str) -> Option<Cow<'_, str>> {
        TEXTS.get()?.translate(locale, key)
    }

    fn messages_for_locale(&self, locale: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
        TEXTS.get()?.messages_for_locale(locale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn every_file_is_there_and_read() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("www/locales/workshop");
        let mut there: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
        let mut here = FILES.to_vec();
        there.sort();
        here.sort();
        assert_eq!(there, here, "a file is missing in FILES");
        for file in FILES {
            let languages = read(file);
            assert!(!languages["en"].is_empty() && languages["en"].len() == languages["zh"].len(), "{file:.80}");
        }
    }

    #[test]
    fn texts_of_both_parts_are_found() {
        add_workshop();
        let text = |key| crate::_rust_i18n_translate("zh", key).into_owned();
        assert_eq!(text("shell.look"), "识别");
        assert_eq!(text("train.done"), Workshop.translate("zh", "train.done").unwrap());
    }
}
