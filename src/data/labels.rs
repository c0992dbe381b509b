//! Class names: those of ImageNet-1k and CIFAR-10, and files of them.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::split::in_part;
use crate::{Error, Result};

static IMAGENET: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("imagenet_classes.txt").lines().collect());

/// Classes of CIFAR-10 in the data set's order, which is alphabetical.
pub const CIFAR10: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Short English names of the 1000 classes of ImageNet-1k (ILSVRC 2012), in the order of their WordNet ids: the order of the
/// outputs of torchvision's, timm's and Keras' networks.
pub fn imagenet() -> &'static [&'static str] {
    &IMAGENET
}

in_part! { files:
    /// [`guess`], whose list of a thousand names the page's first part does without.
    pub fn guess_later(classes: usize, image_size: usize) -> Result<Vec<String>> {
        Ok(guess(classes, image_size))
    }
}

/// Names for a network of which only the number of classes and the side of its images (px) are known: ImageNet's for 1000, the
/// same behind "background" for TF-slim's 1001, CIFAR-10's for 10 classes of small images; otherwise `class 0`, `class 1`, ...
pub fn guess(classes: usize, image_size: usize) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    match classes {
        1000 => owned(imagenet()),
        1001 => std::iter::once("background".to_string()).chain(imagenet().iter().map(|name| name.to_string())).collect(),
        10 if image_size <= 32 => owned(&CIFAR10),
        _ => (0..classes).map(|i| format!("class {i}")).collect(),
    }
}

/// Reads a file of class names. Text: one a line, also numbered (`0 cat`, `0: cat`, `0,cat`, `cat,0`, with or without a line of
/// titles). JSON: a list `["cat", "dog"]`, numbers to names `{"0": "cat"}` or, as Keras has it, `{"0": ["n02123045", "tabby"]}` (the
/// last string is the name), names to numbers `{"cat": 0}` (torchvision's `class_to_idx`), or an object with one of these under
/// `id2label`, `label_names`, `class_names`, `classes`, `class_to_idx`, `label2id`, `labels`, `names` (a `config.json`).
///
/// # Errors
/// [`Error::Io`] when the file is empty, not UTF-8, or JSON of another form.
pub fn parse(file_name: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let fail = |reason: String| Error::Io { path: file_name.into(), reason };
    let text = std::str::from_utf8(bytes).map_err(|_| {
        fail("class names are a text file in UTF-8, one name a line or a JSON list; this is something else".into())
    })?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(fail("the file of class names is empty; expected one name a line, or a JSON list".into()));
    }
    let is_list = text.starts_with('[');
    if !is_list && !text.starts_with('{') {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        return Ok(numbered(&lines).unwrap_or_else(|| lines.iter().map(|line| line.to_string()).collect()));
    }
    let json: Value =
        serde_json::from_str(text).map_err(|error| fail(format!("the class names are no readable JSON: {error}")))?;
    from_json(&json).ok_or_else(|| {
        fail(
            r#"expected class names as a JSON list of strings, an object {"0": "cat", "1": "dog"} or {"cat": 0, "dog": 1} without gaps, or a config.json with `id2label`"#
                .into(),
        )
    })
}

/// Keys under which files keep class names, the ones that say most first.
const KEYS: [&str; 12] = [
    "id2label",
    "idx_to_class",
    "idx2label",
    "label_names",
    "class_names",
    "classnames",
    "classes",
    "CLASSES",
    "class_to_idx",
    "label2id",
    "labels",
    "names",
];

/// Class names in any of the forms that [`parse`] knows; `None` where there are none.
pub fn from_json(json: &Value) -> Option<Vec<String>> {
    let names = match json {
        Value::Array(items) => items.iter().map(name).collect::<Option<Vec<_>>>(),
        Value::Object(items) => by_number(items).or_else(|| {
            let found = KEYS.iter().filter_map(|key| items.get(*key));
            found.filter_map(from_json).next().or_else(|| items.get("pretrained_cfg").and_then(from_json))
        }),
        _ => None,
    };
    names.filter(|names| !names.is_empty())
}

/// Numbers from 0 without a gap, in any order, as keys or as values.
fn by_number(items: &Map<String, Value>) -> Option<Vec<String>> {
    let as_keys = || (0..items.len()).map(|i| name(items.get(&i.to_string())?)).collect::<Option<Vec<_>>>();
    let as_values = || {
        let mut names = vec![None; items.len()];
        for (name, number) in items {
            *names.get_mut(usize::try_from(number.as_u64()?).ok()?)? = Some(name.clone());
        }
        names.into_iter().collect::<Option<Vec<String>>>()
    };
    as_keys().or_else(as_values)
}

/// Names out of lines that carry numbers from 0 without a gap, before or after the name.
fn numbered(lines: &[&str]) -> Option<Vec<String>> {
    let split = |line: &str| -> Option<(usize, String)> {
        let clean = |text: &str| text.trim().trim_matches('"').to_string();
        let number = |text: &str| text.trim().trim_matches('"').parse::<usize>().ok();
        let first = line.split_once([',', ';', '\t', ':']).or_else(|| line.split_once(' '));
        let before = first.and_then(|(n, name)| Some((number(n)?, clean(name))));
        before.or_else(|| line.rsplit_once([',', ';', '\t']).and_then(|(name, n)| Some((number(n)?, clean(name)))))
    };
    let place = |lines: &[&str]| {
        let mut names = vec![None; lines.len()];
        for line in lines {
            let (number, name) = split(line)?;
            let slot = names.get_mut(number).filter(|slot| slot.is_none() && !name.is_empty())?;
            *slot = Some(name);
        }
        names.into_iter().collect::<Option<Vec<String>>>()
    };
    // A line of titles has no number.
    place(lines).or_else(|| if lines.len() > 1 && split(lines[0]).is_none() { place(&lines[1..]) } else { None })
}

/// A string, or the last of a list of strings.
fn name(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.as_array()?.last()?.as_str()).map(str::to_string)
}

/// `labels`, if there are as many as the network has classes.
///
/// # Errors
/// [`Error::Usage`] with both numbers.
pub fn check(labels: Vec<String>, classes: usize) -> Result<Vec<String>> {
    if labels.len() == classes {
        Ok(labels)
    } else {
        let given = match labels.len() {
            1 => "1 class name was".to_owned(),
            count => format!("{count} class names were"),
        };
        Err(Error::Usage(format!("{given} given, but the network has {classes} classes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenet_is_in_the_standard_order() {
        let names = imagenet();
        assert_eq!(names.len(), 1000);
        for (index, name) in
            [(0, "tench"), (22, "bald eagle"), (281, "tabby"), (386, "African elephant"), (779, "school bus"), (954, "banana")]
        {
            assert_eq!(names[index], name);
        }
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 1000);
        assert!(names.iter().all(|name| !name.is_empty() && name.trim() == *name));
    }

    #[test]
    fn names_are_guessed_by_number_of_classes() {
        assert_eq!(guess(1000, 224)[281], "tabby");
        assert_eq!(guess(1001, 224)[282], "tabby");
        assert_eq!(guess(10, 32)[3], "cat");
        assert_eq!(guess(10, 224)[3], "class 3");
        assert_eq!(guess(3, 32), ["class 0", "class 1", "class 2"]);
    }

    #[test]
    fn every_form_of_file_gives_the_same_names() {
        for text in [
            "cat\ndog\n",
            "cat\r\ndog\r\n",
            "\u{feff}cat\ndog",
            r#"["cat", "dog"]"#,
            r#"{"1": "dog", "0": "cat"}"#,
            r#"{"0": ["n02123045", "cat"], "1": ["n02084071", "dog"]}"#,
            r#"{"dog": 1, "cat": 0}"#,
            r#"{"model_type": "resnet", "id2label": {"0": "cat", "1": "dog"}, "label2id": {"cat": 0, "dog": 1}}"#,
            r#"{"architecture": "resnet18", "pretrained_cfg": {"label_names": ["cat", "dog"]}}"#,
            r#"{"class_to_idx": {"cat": 0, "dog": 1}}"#,
            "0 cat\n1 dog",
            "0: cat\n1: dog\n",
            "label,id\ndog,1\ncat,0",
            "0,cat\n1,dog",
        ] {
            assert_eq!(parse("labels", text.as_bytes()).unwrap(), ["cat", "dog"], "{text}");
        }
    }

    #[test]
    fn other_files_are_errors() {
        for bytes in [
            &b""[..],
            b" \n ",
            b"\xff\xfe\0",
            b"[1, 2]",
            b"[]",
            b"{}",
            b"[\"cat\"",
            br#"{"0": "cat", "2": "dog"}"#,
            br#"{"cat": 0, "dog": 2}"#,
            b"[[]]",
        ] {
            let message = parse("labels.txt", bytes).unwrap_err().to_string();
            assert!(message.starts_with("labels.txt: "), "{message}");
        }
        let message = check(vec!["cat".into()], 2).unwrap_err().to_string();
        assert_eq!(message, "1 class name was given, but the network has 2 classes");
    }
}
