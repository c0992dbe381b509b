//! Which class a picture in chosen folders belongs to.

use std::collections::{BTreeMap, BTreeSet};

/// A file that will not be learned from, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path.
    pub path: String,
    /// A sentence for the person.
    pub reason: String,
}

/// Gives every picture the name of its class, from its path `pets/cat/1.jpg`: the chosen folder holds one folder a class, as
/// torchvision's `ImageFolder` has it. A folder with pictures of its own and at most one folder of pictures inside is a class
/// itself, so that `cat` and `dog` can be given one by one.
pub fn sort<T>(pictures: Vec<(String, T)>) -> (Vec<(String, String, T)>, Vec<Skipped>) {
    let mut loose: BTreeSet<String> = BTreeSet::new();
    let mut inside: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, _) in &pictures {
        match path.split('/').collect::<Vec<_>>()[..] {
            [root, _] => drop(loose.insert(root.to_owned())),
            [root, folder, _, ..] => drop(inside.entry(root.to_owned()).or_default().insert(folder.to_owned())),
            _ => {}
        }
    }
    let folders = |root: &str| inside.get(root).map_or(0, BTreeSet::len);
    let is_class = |root: &str| loose.contains(root) && folders(root) < 2;
    let mut sorted = Vec::with_capacity(pictures.len());
    let mut skipped = Vec::new();
    for (path, picture) in pictures {
        let class = match path.split('/').collect::<Vec<_>>()[..] {
            [root, _, ..] if is_class(root) => root.to_owned(),
            [_, class, _, ..] => class.to_owned(),
            _ => {
                skipped.push(Skipped { path, reason: "It lies in no folder that names its class.".into() });
                continue;
            }
        };
        sorted.push((class, path, picture));
    }
    // A folder's files come in any order; classes are in alphabetical order, as torchvision's are.
    sorted.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    (sorted, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(paths: &[&str]) -> (Vec<String>, usize) {
        let (sorted, skipped) = sort(paths.iter().map(|path| ((*path).to_owned(), ())).collect());
        (sorted.into_iter().map(|(class, ..)| class).collect(), skipped.len())
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
        assert_eq!(classes(&["4.jpg"]), (vec![], 1));
    }
}
