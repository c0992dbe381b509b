//! Folders of pictures: a folder a class, with the levels around them that people and tools add.

use indexmap::IndexMap;

use super::{Builder, Catalog, Found, Part, some};
use crate::data::text::nfc;
use crate::sorting;
use crate::{Error, Result};

/// Pictures at one level: those in the folder itself, and those in each of its folders. Names are compared after NFC.
#[derive(Default)]
struct Level {
    own: Vec<usize>,
    folders: IndexMap<String, Vec<usize>>,
}

/// Paths by their parts.
struct Paths<'a> {
    found: &'a [Found],
}

impl Paths<'_> {
    fn level(&self, files: &[usize], depth: usize) -> Level {
        let mut level = Level::default();
        for file in files {
            let mut parts = self.found[*file].path.split('/').skip(depth);
            match (parts.next(), parts.next()) {
                (Some(folder), Some(_)) => match level.folders.get_mut(nfc(folder).as_ref()) {
                    Some(files) => files.push(*file),
                    None => drop(level.folders.insert(nfc(folder).into_owned(), vec![*file])),
                },
                _ => level.own.push(*file),
            }
        }
        sorting::sort_keys(&mut level.folders);
        level
    }
}

/// The depth of the folder that holds the classes or splits: folders that hold nothing but one folder of folders are stepped
/// over.
pub(super) fn base(found: &[Found], pictures: &[usize]) -> usize {
    let paths = Paths { found };
    let mut depth = 0;
    loop {
        let level = paths.level(pictures, depth);
        if !level.own.is_empty() || level.folders.len() != 1 {
            return depth;
        }
        let inside = paths.level(&level.folders[0], depth + 1);
        // A folder of pictures with one folder inside is a class; with several it holds classes, and a cover or the like.
        if inside.folders.is_empty() || inside.folders.len() == 1 && !inside.own.is_empty() {
            return depth;
        }
        depth += 1;
    }
}

pub(super) fn read(found: &[Found], pictures: &[usize]) -> Result<Catalog> {
    let paths = Paths { found };
    let depth = base(found, pictures);
    let level = paths.level(pictures, depth);
    if level.folders.is_empty() {
        return Err(Error::Usage(format!(
            "it holds {} pictures and no folders; expected one folder of pictures for each class, or a table with a column of \
             paths and one of labels beside them",
            level.own.len()
        )));
    }
    let mut loose: Vec<(usize, String)> = Vec::new();
    let homeless = |files: &[usize], loose: &mut Vec<(usize, String)>| {
        loose.extend(files.iter().map(|file| (*file, "It lies in no folder that names its class.".to_owned())));
    };
    homeless(&level.own, &mut loose);
    let mut notes = Vec::new();
    let splits = splits(&paths, &level, depth)?;
    let mut builder = Builder::default();
    let has_parts = match &splits {
        Some(splits) => {
            let known: Vec<&String> =
                splits.iter().filter(|split| split.part == Part::Training).flat_map(|s| s.level.folders.keys()).collect();
            for split in splits {
                homeless(&split.level.own, &mut loose);
                for (class, files) in &split.level.folders {
                    if split.part != Part::Training && !known.is_empty() && !known.contains(&class) {
                        notes.push(format!(
                            "the {} pictures of `{}/{class}` are left out: no training folder has this name",
                            files.len(),
                            split.name
                        ));
                        continue;
                    }
                    files.iter().for_each(|file| builder.add(*file, class, split.part));
                }
            }
            let named: Vec<&str> = splits.iter().map(|split| split.name.as_str()).collect();
            for (folder, files) in level.folders.iter().filter(|(folder, _)| !named.contains(&folder.as_str())) {
                notes.push(format!(
                    "the {} pictures of `{folder}` are left out: beside {} it is no split",
                    files.len(),
                    some(&named)
                ));
            }
            true
        }
        None => {
            let inside: Vec<Level> = level.folders.values().map(|files| paths.level(files, depth + 1)).collect();
            let below = inside.iter().all(|level| {
                level.own.is_empty() && level.folders.len() > 1 && level.folders.keys().all(|name| Part::named(name).is_some())
            });
            for ((class, files), inside) in level.folders.iter().zip(&inside) {
                if below {
                    for (split, files) in &inside.folders {
                        let part = Part::named(split).unwrap_or(Part::Training);
                        files.iter().for_each(|file| builder.add(*file, class, part));
                    }
                } else {
                    files.iter().for_each(|file| builder.add(*file, class, Part::Training));
                }
            }
            below
        }
    };
    let mut catalog = builder.finish(true, has_parts);
    if !loose.is_empty() {
        notes.push(format!("{} pictures are left out: they lie in no folder that names their class", loose.len()));
    }
    catalog.homeless = loose;
    catalog.notes = notes;
    Ok(catalog)
}

struct Split {
    name: String,
    part: Part,
    level: Level,
}

/// The splits, where the folders are some: all of them are named like one and hold folders, or one that trains and another one
/// hold folders of the same names.
fn splits(paths: &Paths<'_>, level: &Level, depth: usize) -> Result<Option<Vec<Split>>> {
    let mut splits = Vec::new();
    for (name, files) in &level.folders {
        if let Some(part) = Part::named(name) {
            splits.push(Split { name: name.clone(), part, level: paths.level(files, depth + 1) });
        }
    }
    let with_classes = |split: &Split| !split.level.folders.is_empty();
    if splits.is_empty() || !splits.iter().any(with_classes) {
        if splits.len() > 1 && splits.len() == level.folders.len() {
            let names = some(splits.iter().map(|split| &split.name));
            return Err(Error::Usage(format!(
                "the folders {names} are splits, but they hold pictures and no folders of classes; expected train/CLASS/picture, or \
                 a table with a column of paths and one of labels beside them"
            )));
        }
        return Ok(None);
    }
    let all = splits.len() == level.folders.len();
    let trains: Vec<&Split> = splits.iter().filter(|split| split.part == Part::Training && with_classes(split)).collect();
    let like_training = splits.iter().any(|split| {
        split.part != Part::Training
            && split.level.folders.keys().any(|name| trains.iter().any(|t| t.level.folders.contains_key(name)))
    });
    Ok((all || like_training).then_some(splits))
}
