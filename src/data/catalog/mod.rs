//! What a heap of files is as a data set: which are pictures, of which class, and which train, validate or test.
//!
//! Pure: a door lists the files of a folder or an archive, reads the few small texts that [`wanted`] names, and gets a [`Catalog`]
//! from [`Catalog::of`]. Folders, label tables and other tools' projects are told apart here, alike in the page and on the
//! command line.

mod folders;
mod projects;
mod table;

use std::collections::{BTreeMap, HashMap};

pub use table::{LabelColumns, Table};

use super::text::nfc;
use crate::sorting;
use crate::{Error, Result};

/// What a picture is for, where the data set says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Learnt from.
    Training,
    /// Judged by while training goes on.
    Validation,
    /// Judged by in the end.
    Test,
}

impl Part {
    /// The part that a folder or a value of this name means: `train`, `val`, `valid`, `test` and their like.
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "train" | "training" | "train_set" | "trainset" | "train_images" => Some(Self::Training),
            "val" | "valid" | "validation" | "validate" | "dev" | "eval" | "val_set" | "valset" | "val_images" => {
                Some(Self::Validation)
            }
            "test" | "testing" | "test_set" | "testset" | "test_images" => Some(Self::Test),
            _ => None,
        }
    }
}

/// A file of the heap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path with `/`, from the folder or archive on.
    pub path: String,
    /// Whether it is taken for a picture.
    pub picture: bool,
    /// Bytes.
    pub size: u64,
}

/// A picture of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Place in the list of files.
    pub file: usize,
    /// Index of its class.
    pub class: usize,
    /// What it is for; [`Part::Training`] where nothing says it.
    pub part: Part,
}

/// A data set: classes and their pictures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// Names of the classes in the order of their labels.
    pub classes: Vec<String>,
    /// By part, class and path.
    pub members: Vec<Member>,
    /// Whether the data set says which pictures validate or test.
    pub has_parts: bool,
    /// Files that are no pictures, by the ending of their name (`.txt`; `no ending`).
    pub left_out: BTreeMap<String, usize>,
    /// Sentences about what was assumed and what was passed over.
    pub notes: Vec<String>,
    /// Pictures that belong to no class: place in the list of files and a sentence.
    pub homeless: Vec<(usize, String)>,
}

/// What a person may say about the data set.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of the classes in the order of their labels, from a file of class names.
    pub classes: Option<Vec<String>>,
    /// Columns of the label table.
    pub columns: LabelColumns,
}

/// Largest text that is read to understand a data set.
pub const MAX_TEXT_BYTES: u64 = 256 << 20;

/// The files whose contents say something about the others: label tables, manifests, class lists.
pub fn wanted(found: &[Found]) -> Vec<usize> {
    let visible = |file: &&(usize, &Found)| !is_junk(&file.1.path) && !file.1.picture && file.1.size <= MAX_TEXT_BYTES;
    let keys: std::collections::HashSet<&str> =
        found.iter().filter(|file| file.picture).map(|file| projects::shard_key(&file.path)).collect();
    let is_wanted = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
        match ending {
            "csv" | "tsv" | "jsonl" | "ndjson" => true,
            // Beside a picture of the same name it is a sample of a WebDataset shard.
            "cls" => true,
            "json" => ["manifest", "metadata", "project", "labels"].contains(&stem) || keys.contains(projects::shard_key(path)),
            "txt" => ["classes", "class_names", "classnames", "labels", "train", "val", "valid", "test"].contains(&stem),
            _ => false,
        }
    };
    let files = found.iter().enumerate();
    files.filter(|file| visible(&file)).filter(|(_, file)| is_wanted(&file.path)).map(|(place, _)| place).collect()
}

impl Catalog {
    /// Understands the files; `texts` are the contents of those that [`wanted`] named, as far as they could be read.
    ///
    /// # Errors
    /// [`Error::Usage`] with what was expected and what was found, where no picture has a class.
    pub fn of(found: &[Found], texts: &HashMap<usize, Vec<u8>>, options: &Options) -> Result<Self> {
        let pictures: Vec<usize> =
            (0..found.len()).filter(|file| found[*file].picture && !is_junk(&found[*file].path)).collect();
        let mut catalog = match projects::read(found, texts)? {
            Some(catalog) => catalog,
            None if pictures.is_empty() => {
                return Err(Error::Usage(match found.iter().filter(|file| !is_junk(&file.path)).count() {
                    0 => "it is empty; expected one folder of pictures for each class".into(),
                    n => format!(
                        "none of its {n} files is a picture that can be read ({}); expected one folder of pictures for each class",
                        endings(&count_endings(found))
                    ),
                }));
            }
            None => match table::read_all(found, &pictures, texts, options)? {
                Some(catalog) => catalog,
                None => folders::read(found, &pictures)?,
            },
        };
        catalog.left_out = count_endings(found);
        for file in texts.keys() {
            // It was understood rather than left out, or told about in a note.
            if let Some(count) = catalog.left_out.get_mut(&ending(&found[*file].path)) {
                *count -= 1;
            }
        }
        catalog.left_out.retain(|_, count| *count > 0);
        if let Some(names) = &options.classes {
            catalog.name_classes(names)?;
        }
        catalog.order(found);
        Ok(catalog)
    }

    /// Classes in the order of a list; numbers are places in it.
    fn name_classes(&mut self, names: &[String]) -> Result<()> {
        let place = |class: &String| {
            let named = names.iter().position(|name| nfc(name) == *class);
            named.or_else(|| class.parse().ok().filter(|number| *number < names.len()))
        };
        let mut places = Vec::with_capacity(self.classes.len());
        for class in &self.classes {
            places.push(place(class).ok_or_else(|| {
                Error::Usage(format!("the class `{class}` is not among the {} names of the list of classes", names.len()))
            })?);
        }
        self.members.iter_mut().for_each(|member| member.class = places[member.class]);
        self.classes = names.to_vec();
        Ok(())
    }

    fn order(&mut self, found: &[Found]) {
        sorting::sort_by(&mut self.members, |a, b| {
            (a.part, a.class).cmp(&(b.part, b.class)).then_with(|| found[a.file].path.cmp(&found[b.file].path))
        });
    }

    /// Number of pictures of this part.
    pub fn count(&self, part: Part) -> usize {
        self.members.iter().filter(|member| member.part == part).count()
    }
}

/// Names in the order of labels: `0` to `n - 1` as numbers, everything else by its bytes, as torchvision's `ImageFolder` does.
fn sorted_names(mut names: Vec<String>) -> Vec<String> {
    sorting::sort(&mut names);
    let mut numbers: Vec<(usize, String)> = names.iter().filter_map(|name| Some((name.parse().ok()?, name.clone()))).collect();
    sorting::sort(&mut numbers);
    let counts = numbers.len() == names.len() && numbers.iter().enumerate().all(|(place, (number, _))| place == *number);
    if counts { numbers.into_iter().map(|(_, name)| name).collect() } else { names }
}

/// Hidden files, and what systems leave beside the pictures.
pub fn is_junk(path: &str) -> bool {
    path.split('/')
        .any(|part| part.starts_with('.') || ["__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN"].contains(&part))
}

/// `.txt`, or `no ending`.
pub fn ending(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && !ending.is_empty() && ending.len() <= 12 => {
            format!(".{}", ending.to_lowercase())
        }
        _ => "no ending".into(),
    }
}

fn count_endings(found: &[Found]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in found.iter().filter(|file| !file.picture && !is_junk(&file.path)) {
        *counts.entry(ending(&file.path)).or_insert(0) += 1;
    }
    counts
}

/// `3 .txt, 1 .heic`.
pub fn endings(counts: &BTreeMap<String, usize>) -> String {
    let parts: Vec<String> = counts.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
    parts.join(", ")
}

/// A few of the names, in quotes.
fn some(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// Members of classes that are made as they come.
#[derive(Default)]
struct Builder {
    classes: indexmap::IndexMap<String, ()>,
    members: Vec<Member>,
}

impl Builder {
    fn add(&mut self, file: usize, class: &str, part: Part) {
        let class = nfc(class.trim()).into_owned();
        let index = match self.classes.get_index_of(&class) {
            Some(index) => index,
            None => self.classes.insert_full(class, ()).0,
        };
        self.members.push(Member { file, class: index, part });
    }

    /// Classes in the order of [`sorted_names`], or as they came.
    fn finish(self, sort: bool, has_parts: bool) -> Catalog {
        let came: Vec<String> = self.classes.into_keys().collect();
        let classes = if sort { sorted_names(came.clone()) } else { came.clone() };
        let place: HashMap<&String, usize> = classes.iter().enumerate().map(|(place, name)| (name, place)).collect();
        let members = self.members.into_iter().map(|member| Member { class: place[&came[member.class]], ..member }).collect();
        Catalog { members, has_parts, classes: classes.clone(), ..Catalog::default() }
    }
}

#[cfg(test)]
mod tests;
