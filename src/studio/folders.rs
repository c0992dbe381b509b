//! Which class a picture in chosen folders, archives and tables belongs to.

use std::collections::{BTreeMap, HashMap};

use super::Role;
use crate::data::catalog::{Catalog, Found, Options, Part, is_junk};
use crate::sorting;
use crate::split::in_page_part;
use crate::{Error, Result};

/// Files that will not be learned from, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// A path; of many files of one kind what their names end with, `12 × .txt`.
    pub path: String,
    /// A sentence for the person.
    pub reason: String,
    /// How many files it is about.
    pub count: usize,
}

/// What [`place`] found.
#[derive(Debug, Default)]
pub struct Placing {
    /// By class and path.
    pub placed: Vec<Placed>,
    /// Pictures of no class, and what else was passed over.
    pub skipped: Vec<Skipped>,
    /// Files that are no pictures, by the ending of their name.
    pub left_out: BTreeMap<String, usize>,
}

/// A picture's place in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Index in the list of files.
    pub file: usize,
    /// Name of its class.
    pub class: String,
    /// Whether it belongs to the separate test set.
    pub role: Role,
}

in_page_part! { files:
    /// [`place`], for the page.
    ///
    /// # Errors
    /// Those of [`place`].
    pub fn place_later<'a>(found: &'a [Found], texts: &'a HashMap<usize, Vec<u8>>) -> Result<Placing> {
        place(found, texts)
    }
}

/// Gives every picture its class, from paths like `pets/cat/1.jpg` and from what `texts` say (see
/// [`wanted`](crate::data::catalog::wanted)). Each of several chosen folders is looked at by itself, so that folders of classes and
/// classes can be given together; unless they are the splits of one data set, or a table names pictures in them.
///
/// # Errors
/// [`Error::Usage`] where no picture has a class, with what was expected.
pub fn place(found: &[Found], texts: &HashMap<usize, Vec<u8>>) -> Result<Placing> {
    let mut roots: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (file, Found { path, .. }) in found.iter().enumerate().filter(|(_, found)| !is_junk(&found.path)) {
        roots.entry(path.split_once('/').map_or("", |(root, _)| root)).or_default().push(file);
    }
    let with_pictures =
        || roots.iter().filter(|(root, files)| !root.is_empty() && files.iter().any(|file| found[*file].picture));
    let splits = with_pictures().all(|(root, _)| Part::named(root).is_some());
    let loose_text = roots.get("").is_some_and(|files| files.iter().any(|file| texts.contains_key(file)));
    let groups: Vec<Vec<usize>> = if splits || loose_text || with_pictures().count() < 2 {
        vec![roots.values().flatten().copied().collect()]
    } else {
        roots.into_values().collect()
    };
    let several = groups.len() > 1;
    let (mut placed, mut skipped, mut failed, mut one) = (Vec::new(), Vec::new(), None, false);
    let mut left_out = BTreeMap::new();
    for group in groups {
        let files: Vec<Found> = group.iter().map(|file| found[*file].clone()).collect();
        let texts = group.iter().enumerate().filter_map(|(at, file)| Some((at, texts.get(file)?.clone()))).collect();
        let catalog = match Catalog::of(&files, &texts, &Options::default()) {
            Ok(catalog) => catalog,
            Err(error) => {
                let loose = group.iter().filter(|file| found[**file].picture);
                skipped.extend(loose.map(|file| homeless(&found[*file].path, NO_FOLDER.into())));
                failed = Some(error);
                continue;
            }
        };
        one = true;
        for (file, reason) in catalog.homeless {
            skipped.push(homeless(&files[file].path, reason));
        }
        for (ending, count) in catalog.left_out {
            *left_out.entry(ending).or_insert(0) += count;
        }
        skipped.extend(catalog.notes.into_iter().filter(|note| !note.contains("lie in no folder")).map(|note| {
            let mut letters = note.chars();
            let reason =
                letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default();
            Skipped { path: String::new(), reason: reason + ".", count: 1 }
        }));
        for member in catalog.members {
            let role = if member.part == Part::Test { Role::Test } else { Role::Example };
            placed
                .push((member.class, Placed { file: group[member.file], class: catalog.classes[member.class].clone(), role }));
        }
    }
    if !one {
        return Err(failed.unwrap_or_else(|| Error::Usage("it is empty".into())));
    }
    if several {
        // Of several folders the classes come by name.
        sorting::sort_by(&mut placed, |(_, a), (_, b)| (&a.class, &found[a.file].path).cmp(&(&b.class, &found[b.file].path)));
    } else {
        sorting::sort_by(&mut placed, |(a, x), (b, y)| (a, &found[x.file].path).cmp(&(b, &found[y.file].path)));
    }
    Ok(Placing { placed: placed.into_iter().map(|(_, placed)| placed).collect(), skipped, left_out })
}

/// Of a picture without a class.
pub const NO_FOLDER: &str = "It lies in no folder that names its class.";

fn homeless(path: &str, reason: String) -> Skipped {
    Skipped { path: path.into(), reason, count: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_paths(paths: &[&str]) -> (Vec<String>, usize) {
        let found: Vec<Found> = paths.iter().map(|path| Found { path: (*path).into(), picture: true, size: 1 }).collect();
        let Placing { placed, skipped, .. } = place(&found, &HashMap::new()).unwrap();
        (placed.into_iter().map(|placed| format!("{} {}", placed.class, found[placed.file].path)).collect(), skipped.len())
    }

    fn classes(paths: &[&str]) -> (Vec<String>, usize) {
        let (placed, skipped) = place_paths(paths);
        (placed.into_iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect(), skipped)
    }

    #[test]
    fn folders_inside_the_chosen_one_are_classes() {
        let found = classes(&["pets/cat/1.jpg", "pets/dog/2.jpg", "pets/dog/more/3.jpg", "pets/cover.jpg"]);
        assert_eq!(found, (vec!["cat".into(), "dog".into(), "dog".into()], 1));
        assert_eq!(classes(&["pets/cat/1.jpg"]), (vec!["cat".into()], 0));
        assert_eq!(classes(&["pets/dog/1.jpg", "pets/cat/1.jpg"]).0, ["cat", "dog"]);
    }

    #[test]
    fn a_folder_of_pictures_is_a_class() {
        let found = classes(&["cat/1.jpg", "cat/more/2.jpg", "dog/3.jpg"]);
        assert_eq!(found, (vec!["cat".into(), "cat".into(), "dog".into()], 0));
        let found = [Found { path: "4.jpg".into(), picture: true, size: 1 }];
        assert!(place(&found, &HashMap::new()).unwrap_err().to_string().contains("no folders"));
    }

    #[test]
    fn several_folders_of_classes_are_looked_at_one_by_one() {
        let (found, _) = classes(&["pets/cat/1.jpg", "pets/dog/1.jpg", "birds/owl/1.jpg", "birds/hen/1.jpg"]);
        assert_eq!(found.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn splits_are_no_classes_and_the_test_set_is_apart() {
        let paths = ["d/train/cat/1.jpg", "d/train/dog/1.jpg", "d/valid/cat/2.jpg", "d/test/dog/3.jpg"];
        let found: Vec<Found> = paths.iter().map(|path| Found { path: (*path).into(), picture: true, size: 1 }).collect();
        let Placing { placed, .. } = place(&found, &HashMap::new()).unwrap();
        assert_eq!(placed.iter().filter(|placed| placed.role == Role::Test).count(), 1);
        assert!(placed.iter().all(|placed| ["cat", "dog"].contains(&placed.class.as_str())));
        // The splits themselves were chosen.
        let (found, _) = classes(&["train/cat/1.jpg", "train/dog/1.jpg", "test/cat/1.jpg"]);
        assert!(!found.contains(&"train".to_owned()));
    }

    #[test]
    fn a_table_beside_folders_is_about_them() {
        let mut found: Vec<Found> =
            ["flat/0.png", "flat/1.png"].iter().map(|path| Found { path: (*path).into(), picture: true, size: 1 }).collect();
        found.push(Found { path: "labels.csv".into(), picture: false, size: 30 });
        let texts = HashMap::from([(2, b"path,label\nflat/0.png,ant\nflat/1.png,bee\n".to_vec())]);
        let Placing { placed, skipped, .. } = place(&found, &texts).unwrap();
        assert_eq!((placed[0].class.as_str(), placed[1].class.as_str(), skipped.len()), ("ant", "bee", 0));
    }
}
