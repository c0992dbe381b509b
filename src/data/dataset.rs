//! A labelled set of pictures on disk: one folder a class, as torchvision's `ImageFolder` reads it.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// File name endings that are taken for pictures.
const EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "jfif"];

/// One picture of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The file.
    pub path: PathBuf,
    /// Index of its class.
    pub label: usize,
}

/// The pictures of a folder with one sub-folder a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFolder {
    /// Names of the sub-folders in byte order; a class's index is its label.
    pub classes: Vec<String>,
    /// Every picture, by class and then by name.
    pub samples: Vec<Sample>,
    /// Files left out because their name does not end like a picture's.
    pub skipped: usize,
}

impl ImageFolder {
    /// Lists `dir`. Folders and files whose name begins with a dot are ignored; pictures in deeper folders belong to the
    /// class above them.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be read, has no sub-folders, or a class holds no picture.
    pub fn open(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            let found = if dir.exists() { "is a file" } else { "does not exist" };
            return Err(io(dir, format!("{found}; give a folder that holds one folder of pictures for each class")));
        }
        let (folders, files) = entries(dir, true)?;
        if folders.is_empty() {
            let found = match files.len() {
                0 => "the folder is empty".to_owned(),
                n => format!("the folder holds {n} files and no folders"),
            };
            return Err(io(dir, format!("{found}; expected one folder of pictures for each class")));
        }
        let mut set = Self { classes: Vec::new(), samples: Vec::new(), skipped: files.len() };
        for folder in folders {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let before = set.samples.len();
            set.add(&folder, set.classes.len())?;
            if set.samples.len() == before {
                return Err(io(
                    &folder,
                    format!("no pictures for the class `{name}` ({}); remove the folder or fill it", EXTENSIONS.join(", ")),
                ));
            }
            set.classes.push(name);
        }
        Ok(set)
    }

    fn add(&mut self, folder: &Path, label: usize) -> Result<()> {
        let (folders, files) = entries(folder, false)?;
        for path in files {
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if EXTENSIONS.contains(&extension.as_str()) {
                self.samples.push(Sample { path, label });
            } else {
                self.skipped += 1;
            }
        }
        folders.iter().try_for_each(|folder| self.add(folder, label))
    }
}

/// Folders and files of `dir`, each sorted by name, without hidden ones. Links to files and classes are followed; those to
/// folders below a class only when `follow` is set, since they may form a loop.
fn entries(dir: &Path, follow: bool) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let mut folders = Vec::new();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| io(dir, e.to_string()))? {
        let entry = entry.map_err(|e| io(dir, e.to_string()))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if path.is_dir() && !follow && path.is_symlink() {
            continue;
        }
        if path.is_dir() { folders.push(path) } else { files.push(path) }
    }
    folders.sort();
    files.sort();
    Ok((folders, files))
}

fn io(path: &Path, reason: String) -> Error {
    Error::Io { path: path.display().to_string(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for each test, removed at the end.
    struct Temp(PathBuf);

    impl Temp {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("reslab-dataset-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }

        fn file(&self, path: &str) -> &Self {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
            self
        }
    }

    impl Drop for Temp {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn classes_and_files_are_sorted_and_others_counted() {
        let dir = Temp::new("sorted");
        dir.file("dog/b.png").file("dog/a.JPG").file("cat/1.jpeg").file("cat/readme.txt").file("notes.md");
        dir.file(".git/config").file("dog/more/c.webp");
        let set = ImageFolder::open(&dir.0).unwrap();
        assert_eq!(set.classes, ["cat", "dog"]);
        let found: Vec<_> = set.samples.iter().map(|s| (s.path.strip_prefix(&dir.0).unwrap(), s.label)).collect();
        let expected = [("cat/1.jpeg", 0), ("dog/a.JPG", 1), ("dog/b.png", 1), ("dog/more/c.webp", 1)];
        assert_eq!(found, expected.map(|(path, label)| (Path::new(path), label)));
        assert_eq!(set.skipped, 2);
    }

    #[test]
    fn wrong_folders_are_explained() {
        let dir = Temp::new("wrong");
        let error = |path: &Path| ImageFolder::open(path).unwrap_err().to_string();
        assert!(error(&dir.0.join("absent")).contains("does not exist"));
        assert!(error(&dir.0).contains("the folder is empty; expected one folder"));
        dir.file("a.png");
        assert!(error(&dir.0).contains("1 files and no folders"));
        assert!(error(&dir.0.join("a.png")).contains("is a file"));
        dir.file("cat/readme.txt");
        assert!(error(&dir.0).contains("no pictures for the class `cat`"));
    }
}
