//! A project as one zip archive: a folder of pictures for each class, which any program can use, and `project.json` with what only
//! this page knows, so that it comes back as it was.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClassId, Picture, Project, Role};
use crate::error::Fault;
use crate::sorting;
use crate::{Error, Result};

/// The file that makes an archive a project.
pub const MANIFEST: &str = "project.json";
/// The trained network, where there is one.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// What the page knows of the run.
pub const HISTORY: &str = "history.json";
/// Folder of the runs that are not in use, each in a folder named by its number.
pub const RUNS: &str = "runs";
/// Folder of the separate test set's classes.
const TEST: &str = "test-set";
/// And that of the second one's.
const SECOND_TEST: &str = "test-set-2";

const FORMAT: &str = "reslab-project";
/// The newest there is, and the one that pages before it read too.
const VERSION: u32 = 2;
const USUAL: u32 = 1;

/// What `project.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    version: u32,
    /// The project.
    pub project: Project,
    /// Its pictures with their paths in the archive.
    pub pictures: Vec<Kept>,
}

/// A picture with its path in the archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// `cat/1.jpg`.
    pub path: String,
    /// Its record.
    #[serde(flatten)]
    pub picture: Picture,
}

impl Manifest {
    /// Of a project and its pictures; those without a class are left out.
    pub fn new(project: &Project, pictures: &[Picture]) -> Self {
        let mut taken = BTreeSet::new();
        let folders = folders(project);
        let kept = pictures.iter().filter_map(|picture| {
            let class = folders.get(&picture.class)?;
            let folder = match picture.role {
                Role::Example => class.clone(),
                Role::Test => format!("{TEST}/{class}"),
                Role::SecondTest => format!("{SECOND_TEST}/{class}"),
            };
            let path = free(&mut taken, &folder, &with_ending(&safe(&picture.name), &picture.kind));
            Some(Kept { path, picture: picture.clone() })
        });
        let pictures: Vec<Kept> = kept.collect();
        // An older page does not know of a second test set, and would say that it cannot read the file.
        let newer = pictures.iter().any(|kept| kept.picture.role == Role::SecondTest);
        let version = if newer { VERSION } else { USUAL };
        Self { format: FORMAT.into(), version, project: project.clone(), pictures }
    }

    /// The manifest as a file.
    ///
    /// # Errors
    /// None that numbers and texts can cause.
    pub fn write(&self) -> Result<Vec<u8>> {
        // By way of a value: the pretty writer is compiled for that alone.
        let value: Value =
            serde_json::to_string(self).and_then(|text| serde_json::from_str(&text)).map_err(|e| unreadable(&e))?;
        serde_json::to_string_pretty(&value).map(String::into_bytes).map_err(|e| unreadable(&e))
    }

    /// Whether a file of its name is a manifest at all; other programs call files so too.
    pub fn is_one(bytes: &[u8]) -> bool {
        text(bytes).and_then(serde_json::from_str::<Value>).is_ok_and(|value| value["format"] == FORMAT)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::File`] when it is no manifest, or one of a newer page.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let text = text(bytes).map_err(|e| unreadable(&e))?;
        let head: Head = serde_json::from_str(text).map_err(|e| unreadable(&e))?;
        if head.format != FORMAT {
            return Err(refuse(Fault::NoProject {}));
        }
        if head.version > VERSION {
            return Err(refuse(Fault::NewerProject { version: head.version }));
        }
        let mut manifest: Self = serde_json::from_str(text).map_err(|e| unreadable(&e))?;
        // Whoever wrote it may have written anything.
        manifest.project.tidy();
        manifest.pictures.iter_mut().for_each(|kept| kept.picture.tidy());
        Ok(manifest)
    }
}

/// A file's text. Everything the page reads as JSON is text to the parser, which is compiled again for bytes.
fn text(bytes: &[u8]) -> serde_json::Result<&str> {
    std::str::from_utf8(bytes).map_err(serde::de::Error::custom)
}

/// The parser's own words are for those who look for them.
fn unreadable(error: &serde_json::Error) -> Error {
    log::warn!("{MANIFEST}: {error}");
    refuse(Fault::NoProject {})
}

fn refuse(reason: Fault) -> Error {
    Error::File { name: MANIFEST.into(), reason }
}

/// Names that Windows keeps for devices, whatever comes behind a point.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// Longest name of a file or folder, in bytes of UTF-8: paths on Windows have 260 letters, names elsewhere 255 bytes.
const MAX_NAME_BYTES: usize = 120;

/// A name that every file system takes (Windows has the most rules).
pub fn safe(name: &str) -> String {
    let safe = |c: char| if c.is_control() || "\\/:*?\"<>|".contains(c) { '_' } else { c };
    let name: String = name.chars().map(safe).collect();
    let name = shortened(name.trim_matches([' ', '.']));
    match name.as_str() {
        "" => "_".into(),
        name if is_device(name) => format!("_{name}"),
        name => name.to_owned(),
    }
}

/// `con`, `aux.jpg`, `COM1.tar.gz`, `lpt²`.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let port = |kind: &str| stem.strip_prefix(kind).is_some_and(|n| n.chars().count() == 1 && "0123456789¹²³".contains(n));
    DEVICES.contains(&stem.as_str()) || port("com") || port("lpt")
}

/// Cut in its middle, so that its ending stays.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let end = name.rsplit_once('.').map(|(_, end)| format!(".{end}")).filter(|end| end.len() <= 10).unwrap_or_default();
    let mut most = MAX_NAME_BYTES - end.len();
    while !name.is_char_boundary(most) {
        most -= 1;
    }
    name[..most].trim_end_matches([' ', '.']).to_owned() + &end
}

/// The kept file may be a JPEG of what was something else.
fn with_ending(name: &str, kind: &str) -> String {
    let endings: &[&str] = match kind {
        "image/jpeg" => &["jpg", "jpeg", "jfif"],
        "image/png" => &["png"],
        "image/webp" => &["webp"],
        _ => return name.into(),
    };
    let has = name.rsplit_once('.').is_some_and(|(_, end)| endings.iter().any(|known| end.eq_ignore_ascii_case(known)));
    if has { name.into() } else { format!("{name}.{}", endings[0]) }
}

/// A folder for each class that no other has, also where capitals do not count; none has the name of what else is in the archive.
fn folders(project: &Project) -> BTreeMap<ClassId, String> {
    let mut taken = sorting::set([TEST, SECOND_TEST, RUNS].map(String::from));
    let mut folder = |name: &str| {
        let safe = safe(name);
        let numbered = (2_u32..).map(|number| format!("{safe} {number}"));
        // There are more numbers than classes.
        std::iter::once(safe.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase())).unwrap_or_default()
    };
    project.classes.iter().map(|class| (class.id, folder(&class.name))).collect()
}

/// A path no other file has, also where capitals do not count.
fn free(taken: &mut BTreeSet<String>, folder: &str, name: &str) -> String {
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
    let numbered = (2_u32..).map(|number| format!("{folder}/{stem} {number}.{end}"));
    let mut paths = std::iter::once(format!("{folder}/{name}")).chain(numbered);
    // There are more numbers than files.
    paths.find(|path| taken.insert(path.to_lowercase())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (Project, Vec<Picture>) {
        let mut project = Project::new(1, "pets", 5.0);
        let (cat, dog) = (project.add_class("cat/tiger").unwrap(), project.add_class("犬").unwrap());
        let picture = |id, class, name: &str, kind: &str, role| Picture {
            id,
            project: 1,
            class,
            role,
            name: name.into(),
            width: 2,
            height: 3,
            bytes: 4,
            kind: kind.into(),
            digest: "d".into(),
            crc32: 6,
            trashed: false,
        };
        let pictures = vec![
            picture(1, cat, "a.jpg", "image/jpeg", Role::Example),
            picture(2, cat, "A.JPG", "image/jpeg", Role::Example),
            picture(3, dog, "b.heic", "image/jpeg", Role::Example),
            picture(4, dog, "..", "image/png", Role::Test),
            picture(5, 99, "lost.png", "image/png", Role::Test),
            picture(6, cat, "a.jpg", "image/jpeg", Role::SecondTest),
        ];
        (project, pictures)
    }

    #[test]
    fn paths_are_safe_unique_and_tell_the_class() {
        let (project, pictures) = project();
        let manifest = Manifest::new(&project, &pictures);
        let paths: Vec<&str> = manifest.pictures.iter().map(|kept| &*kept.path).collect();
        assert_eq!(
            paths,
            ["cat_tiger/a.jpg", "cat_tiger/A 2.JPG", "犬/b.heic.jpg", "test-set/犬/_.png", "test-set-2/cat_tiger/a.jpg"]
        );
        assert_eq!(manifest.version, VERSION);
        assert_eq!(Manifest::new(&project, &pictures[..5]).version, USUAL, "an older page reads what it knows");
    }

    #[test]
    fn every_system_takes_the_names() {
        for (name, wanted) in [
            ("con", "_con"),
            ("AUX.jpg", "_AUX.jpg"),
            ("com1.tar.gz", "_com1.tar.gz"),
            ("lpt²", "_lpt²"),
            ("nul .png", "_nul .png"),
            ("console", "console"),
            ("com10", "com10"),
            ("dot. ", "dot"),
            ("..", "_"),
            ("a\u{1}b?", "a_b_"),
        ] {
            assert_eq!(safe(name), wanted);
        }
        let long = safe(&("猫".repeat(90) + ".jpeg"));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("猫.jpeg"), "{long}");
    }

    #[test]
    fn classes_whose_names_differ_little_keep_folders_of_their_own() {
        let mut project = Project::new(1, "p", 5.0);
        for name in ["Cat", "cat", "a/b", "a:b", "test-set"] {
            project.add_class(name).unwrap();
        }
        let names: Vec<String> = folders(&project).into_values().collect();
        assert_eq!(names, ["Cat", "cat 2", "a_b", "a_b 2", "test-set 2"]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (project, pictures) = project();
        let manifest = Manifest::new(&project, &pictures);
        assert_eq!(Manifest::read(&manifest.write().unwrap()).unwrap(), manifest);
        assert!(Manifest::read(br#"{"format":"other","version":1}"#).unwrap_err().to_string().contains("no project"));
        assert!(Manifest::read(br#"{"format":"reslab-project","version":9}"#).unwrap_err().to_string().contains("newer"));
        let said = Manifest::read(b"no").unwrap_err().to_string();
        assert!(said.contains("no project that can be read") && !said.contains("line 1"), "{said}");
    }

    #[test]
    fn what_strangers_wrote_is_brought_into_bounds() {
        let (project, pictures) = project();
        let mut value: serde_json::Value =
            serde_json::from_slice(&Manifest::new(&project, &pictures).write().unwrap()).unwrap();
        value["project"]["name"] = format!("<img src=x>{}", "n".repeat(10_000_000)).into();
        let mut class = value["project"]["classes"][0].clone();
        class["name"] = "\u{1b}[31m\u{202e}a\nb".into();
        class["colour"] = 255.into();
        value["project"]["classes"].as_array_mut().unwrap().extend([class.clone(), class]);
        value["project"]["classes"][1]["name"] = "".into();
        value["project"]["next_class"] = 0.into();
        value["project"]["settings"]["threshold"] = 1e30.into();
        value["pictures"][0]["name"] = "p".repeat(1_000_000).into();
        let read = Manifest::read(value.to_string().as_bytes()).unwrap();
        assert!(read.project.name.starts_with("<img src=x>nnn") && read.project.name.chars().count() <= 80);
        let names: Vec<&str> = read.project.classes.iter().map(|class| &*class.name).collect();
        assert_eq!(names, ["cat/tiger", "?"], "a number stands for one class");
        assert!(read.project.classes.iter().all(|class| class.colour < 10));
        assert_eq!(read.project.settings.threshold, 0.5);
        assert!(read.pictures[0].picture.name.len() <= 80);
        let mut project = read.project;
        assert!(project.add_class("new").is_ok_and(|id| id > 1), "new numbers are new");
    }
}
