//! Data sets that other tools pack: Teachable Machine's and genai-tm's projects, our own, and WebDataset's shards.

use std::collections::HashMap;

use serde_json::Value;

use super::{Builder, Catalog, Found, Part, is_junk};
use crate::sorting;
use crate::{Error, Result};

/// What separates class and number in a picture's name in a Teachable Machine project.
const TEACHABLE: &str = "-!-";

/// A path without what comes after the first dot of its file name: the name of a sample in a WebDataset shard.
pub(super) fn shard_key(path: &str) -> &str {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    path[name..].find('.').map_or(path, |dot| &path[..name + dot])
}

/// The data set, where it is one of these.
pub(super) fn read(found: &[Found], texts: &HashMap<usize, Vec<u8>>) -> Result<Option<Catalog>> {
    let json = |name: &str| {
        let mut files: Vec<usize> = texts.keys().copied().filter(|file| file_name(&found[*file].path) == name).collect();
        // The outermost one is about the whole.
        sorting::sort_by_key(&mut files, |file| found[*file].path.matches('/').count());
        files.into_iter().find_map(|file| Some((file, serde_json::from_slice::<Value>(texts.get(&file)?).ok()?)))
    };
    if let Some((file, manifest)) = json("project.json").filter(|(_, manifest)| manifest["format"] == "reslab-project") {
        return Ok(Some(reslab(found, &found[file].path, &manifest)));
    }
    if let Some(catalog) = teachable(found, json("manifest.json").map(|(_, manifest)| manifest))? {
        return Ok(Some(catalog));
    }
    if let Some((file, metadata)) = json("metadata.json")
        && let Some(catalog) = genai(found, &found[file].path, &metadata)?
    {
        return Ok(Some(catalog));
    }
    Ok(shards(found, texts))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder a file lies in, with a `/` at its end.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// A project that the studio saved; unpacked, or packed again with a folder around it.
fn reslab(found: &[Found], manifest_path: &str, manifest: &Value) -> Catalog {
    let root = folder(manifest_path);
    let files: HashMap<&str, usize> =
        found.iter().enumerate().filter_map(|(at, file)| Some((file.path.strip_prefix(root)?, at))).collect();
    let classes: Vec<(u64, &str)> = manifest["project"]["classes"]
        .as_array()
        .map(|classes| classes.iter().filter_map(|class| Some((class["id"].as_u64()?, class["name"].as_str()?))).collect())
        .unwrap_or_default();
    let mut builder = Builder::default();
    let mut missing = 0;
    let pictures = manifest["pictures"].as_array().map_or(&[][..], Vec::as_slice);
    // Classes in the project's order, whichever picture comes first.
    let of = |id: u64| pictures.iter().filter(move |picture| picture["class"].as_u64() == Some(id));
    for (id, name) in &classes {
        for picture in of(*id) {
            let part = if picture["role"] == "test" { Part::Test } else { Part::Training };
            match picture["path"].as_str().and_then(|path| files.get(path)) {
                Some(file) => builder.add(*file, name, part),
                None => missing += 1,
            }
        }
    }
    let has_parts = builder.members.iter().any(|member| member.part == Part::Test);
    let mut catalog = builder.finish(false, has_parts);
    if missing > 0 {
        catalog.notes.push(format!("{missing} pictures that project.json names are not there"));
    }
    catalog
}

/// Teachable Machine's `.tm`: `manifest.json`, and `Class 1-!-0.jpg` for every picture, classes in the order of appearance.
fn teachable(found: &[Found], manifest: Option<Value>) -> Result<Option<Catalog>> {
    let kind =
        manifest.as_ref().filter(|manifest| manifest["appdata"].is_object()).and_then(|manifest| manifest["type"].as_str());
    if let Some(kind) = kind.filter(|kind| *kind != "image") {
        return Err(Error::Usage(format!(
            "it is a Teachable Machine project of kind `{kind}`; only image projects hold pictures to learn from"
        )));
    }
    let samples: Vec<(usize, &str)> = found
        .iter()
        .enumerate()
        .filter(|(_, file)| file.picture && !is_junk(&file.path))
        .filter_map(|(at, file)| Some((at, file_name(&file.path).rsplit_once(TEACHABLE)?.0)))
        .collect();
    if samples.is_empty() || (kind.is_none() && samples.len() * 2 < found.iter().filter(|file| file.picture).count()) {
        return Ok(None);
    }
    let mut builder = Builder::default();
    samples.into_iter().for_each(|(file, class)| builder.add(file, class, Part::Training));
    Ok(Some(builder.finish(false, false)))
}

/// genai-tm's archive: `samples/{class}_{number}.png` and the classes' names in `metadata.json`.
fn genai(found: &[Found], metadata_path: &str, metadata: &Value) -> Result<Option<Catalog>> {
    for (key, kind) in [("tfjsSpeechCommandsVersion", "sounds"), ("poseNetArchitecture", "poses")] {
        if metadata.get(key).is_some() {
            return Err(Error::Usage(format!("it is a project of {kind}; only image projects hold pictures to learn from")));
        }
    }
    let Some(labels) = metadata["labels"].as_array() else { return Ok(None) };
    let root = format!("{}samples/", folder(metadata_path));
    let mut samples: Vec<(usize, usize)> = Vec::new();
    for (at, file) in found.iter().enumerate().filter(|(_, file)| file.picture) {
        let Some(name) = file.path.strip_prefix(&root) else { continue };
        if let Some(class) =
            name.split_once('_').and_then(|(class, _)| class.parse().ok()).filter(|class| *class < labels.len())
        {
            samples.push((class, at));
        }
    }
    if samples.is_empty() {
        return Ok(None);
    }
    // Classes in the order of the labels.
    sorting::sort(&mut samples);
    let mut builder = Builder::default();
    for (class, file) in samples {
        builder.add(file, labels[class].as_str().unwrap_or(&class.to_string()), Part::Training);
    }
    Ok(Some(builder.finish(false, false)))
}

/// WebDataset: files of a sample have one name and lie side by side, `000017.jpg` and `000017.cls` (or a `.json` with a label).
fn shards(found: &[Found], texts: &HashMap<usize, Vec<u8>>) -> Option<Catalog> {
    let mut labels: HashMap<&str, String> = HashMap::new();
    for (file, bytes) in texts {
        let path = &found[*file].path;
        let label = match path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
            Some("cls") => std::str::from_utf8(bytes).ok().map(|text| text.trim().to_owned()),
            Some("json") => serde_json::from_slice::<Value>(bytes).ok().and_then(|value| {
                let label = ["class_name", "label_name", "label", "cls", "class"].iter().find_map(|key| value.get(key))?;
                label.as_str().map(str::to_owned).or_else(|| label.as_u64().map(|number| number.to_string()))
            }),
            _ => None,
        };
        if let Some(label) = label.filter(|label| !label.is_empty()) {
            labels.insert(shard_key(path), label);
        }
    }
    let pictures: Vec<usize> = (0..found.len()).filter(|file| found[*file].picture && !is_junk(&found[*file].path)).collect();
    let labelled: Vec<(usize, &String)> =
        pictures.iter().filter_map(|file| Some((*file, labels.get(shard_key(&found[*file].path))?))).collect();
    if labelled.is_empty() || labelled.len() * 2 < pictures.len() {
        return None;
    }
    let mut builder = Builder::default();
    let mut has_parts = false;
    for (file, label) in labelled {
        // The shard's own name stands in front: `train-000012/000017.jpg`.
        let word = |part: &str| Part::named(part.split(['-', '_', '.']).next().unwrap_or(part));
        let part = folder(&found[file].path).split('/').find_map(word);
        has_parts |= part.is_some_and(|part| part != Part::Training);
        builder.add(file, label, part.unwrap_or(Part::Training));
    }
    let mut catalog = builder.finish(true, has_parts);
    if catalog.members.len() < pictures.len() {
        catalog.notes.push(format!("{} pictures have no label beside them", pictures.len() - catalog.members.len()));
    }
    Some(catalog)
}
