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
            let (_, languages) = read(file);
            for (language, texts) in languages {
                backend.add_translations(language.into(), texts);
            }
        }
        backend
    });
}

/// Texts by key.
type Texts = HashMap<Cow<'static, str>, Cow<'static, str>>;

/// A file's version, and its texts by language.
fn read(file: &'static str) -> (u64, HashMap<String, Texts>) {
    let (mut version, mut languages) = (0, HashMap::<String, Texts>::new());
    // Files of ours: a test reads them.
    let entries: HashMap<&'static str, serde_json::Value> = serde_json::from_str(file).unwrap_or_default();
    for (key, value) in entries {
        match value {
            serde_json::Value::Object(texts) => {
                for (language, text) in texts {
                    if let serde_json::Value::String(text) = text {
                        languages.entry(language).or_default().insert(key.into(), text.into());
                    }
                }
            }
            value => version = value.as_u64().unwrap_or_default(),
        }
    }
    (version, languages)
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

    #[test]
    fn every_file_is_read() {
        for file in FILES {
            let (version, languages) = read(file);
            assert_eq!(version, 2, "{file:.80}");
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
