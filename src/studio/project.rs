//! A project: classes, the pictures in them, and how to train on them.
//!
//! Pictures are records here; their pixels lie in the browser's storage under the same number. Nothing is lost by a slip:
//! whatever is deleted is set aside as a [`Deed`] that can be undone, and leaves the storage when the project is opened anew.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::sorting;
use crate::train::Recipe;
use crate::train::recipe::TrainDepth;
use crate::{Error, Result};

/// Number of a project, unlike any other's on this device.
pub type ProjectId = u64;
/// Number of a class within its project; never used again after the class is deleted.
pub type ClassId = u32;
/// Number of a picture, unlike any other's on this device.
pub type PictureId = u64;
/// Number of a training run within its project; rises with time. 0 is the one run that a project of an older page has.
pub type RunId = u64;

/// Colours that classes take in turn; the page has that many.
pub const COLOURS: u8 = 10;
/// Longest name of a class or project in characters.
pub const MAX_NAME: usize = 80;

/// What a project is, without its pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// Name for people.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_ms: f64,
    /// Milliseconds since 1970 of the last change.
    pub changed_ms: f64,
    /// In the order people gave them: the order of the logits.
    pub classes: Vec<Class>,
    next_class: ClassId,
    /// Set aside by its deletion, which can be undone.
    #[serde(default)]
    pub trashed: bool,
    /// How to train.
    #[serde(default)]
    pub settings: Settings,
    /// The run whose network is used; the newest one where none was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A class of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its number.
    pub id: ClassId,
    /// Name for people, and of the logit.
    pub name: String,
    /// Which of the page's [`COLOURS`].
    pub colour: u8,
    /// Whether it takes part in training.
    pub enabled: bool,
    /// Named by the page and never by the person: an import takes its place while it is empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub placeholder: bool,
}

/// What a picture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Learnt from, or put aside to validate.
    #[default]
    Example,
    /// Only ever judged: the separate test set.
    Test,
    /// Only ever judged: a second test set, of another place, day or camera than the first.
    SecondTest,
}

impl Role {
    /// Whether such pictures are never learnt from.
    pub fn is_test(self) -> bool {
        self != Self::Example
    }
}

/// A picture of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Its number; rises with time.
    pub id: PictureId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its class.
    pub class: ClassId,
    /// What it is for.
    #[serde(default)]
    pub role: Role,
    /// File name, or a name for a webcam frame.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Size of the kept file.
    pub bytes: u64,
    /// MIME type of the kept file.
    pub kind: String,
    /// Digest of the file as it was added: the same file is added once.
    pub digest: String,
    /// CRC-32 of the kept file, for the archive.
    pub crc32: u32,
    /// Set aside by a deletion, which can be undone.
    #[serde(default)]
    pub trashed: bool,
}

/// Choices of the training screen; a project keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How much of the network learns.
    pub depth: TrainDepth,
    /// Passes over the pictures; as many as suit the depth where nobody has chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// All settings, once the person has changed one.
    pub recipe: Option<Recipe>,
    /// Classes whose mirrored pictures a trained network took for the other: mirroring would teach it wrong names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrored: Vec<(ClassId, ClassId)>,
    /// Probability under which an answer is "not sure".
    pub threshold: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { depth: TrainDepth::Head, epochs: None, recipe: None, mirrored: Vec::new(), threshold: 0.5 }
    }
}

/// Something that was done and can be undone.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Pictures were deleted.
    DeletedPictures(Vec<PictureId>),
    /// A class was deleted with its pictures.
    DeletedClass {
        /// The class.
        class: Class,
        /// Where it stood.
        index: usize,
        /// Pictures deleted with it.
        pictures: Vec<PictureId>,
    },
    /// Pictures changed their class: picture and the class it had.
    Moved(Vec<(PictureId, ClassId)>),
    /// A run was deleted. Which one was in use before it is the page's to know.
    DeletedRun(RunId),
    /// A project was deleted.
    DeletedProject(ProjectId),
}

impl Picture {
    /// As [`Project::tidy`].
    pub fn tidy(&mut self) {
        self.name = shortened(&self.name);
    }
}

impl Project {
    /// A project without classes.
    pub fn new(id: ProjectId, name: &str, now_ms: f64) -> Self {
        Self {
            id,
            name: shortened(name),
            created_ms: now_ms,
            changed_ms: now_ms,
            classes: Vec::new(),
            next_class: 0,
            trashed: false,
            settings: Settings::default(),
            run: None,
        }
    }

    /// Brings what a stranger wrote into the bounds of what this page writes: names are short and visible, and differ; each number is one
    /// class.
    pub fn tidy(&mut self) {
        self.name = shortened(&self.name);
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        self.classes.retain(|class| ids.insert(class.id));
        for class in &mut self.classes {
            let name = Some(shortened(&class.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| "?".into());
            // There are more numbers than classes.
            let mut others =
                (2_u32..).map(|number| format!("{} {number}", name.chars().take(MAX_NAME - 11).collect::<String>()));
            class.name = if names.contains(&name) { others.find(|name| !names.contains(name)).unwrap_or(name) } else { name };
            names.insert(class.name.clone());
            class.colour %= COLOURS;
        }
        let above = ids.last().map_or(0, |last| last.saturating_add(1));
        self.next_class = self.next_class.max(above);
        if !(0.0..=1.0).contains(&self.settings.threshold) {
            self.settings.threshold = Settings::default().threshold;
        }
    }

    /// Adds a class at the end and gives its number.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is empty or taken.
    pub fn add_class(&mut self, name: &str) -> Result<ClassId> {
        let name = self.free_name(name, None)?;
        let id = self.next_class;
        self.next_class += 1;
        self.classes.push(Class { id, name, colour: (id % u32::from(COLOURS)) as u8, enabled: true, placeholder: false });
        Ok(id)
    }

    /// Adds a class that nobody has named yet.
    ///
    /// # Errors
    /// As [`add_class`](Self::add_class).
    pub fn add_placeholder(&mut self, name: &str) -> Result<ClassId> {
        let id = self.add_class(name)?;
        if let Some(class) = self.classes.last_mut() {
            class.placeholder = true;
        }
        Ok(id)
    }

    /// Takes out the classes that nobody has named and that hold no picture, also none that could come back.
    pub fn drop_placeholders(&mut self, pictures: &[Picture]) {
        let used = sorting::set(pictures.iter().map(|picture| picture.class));
        self.classes.retain(|class| !class.placeholder || used.contains(&class.id));
    }

    /// The class of this name, made if there is none.
    ///
    /// # Errors
    /// As [`add_class`](Self::add_class).
    pub fn class_named(&mut self, name: &str) -> Result<ClassId> {
        let wanted = shortened(name);
        match self.classes.iter().find(|class| class.name == wanted) {
            Some(class) => Ok(class.id),
            None => self.add_class(name),
        }
    }

    /// Gives a class another name.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is empty or taken.
    pub fn rename_class(&mut self, id: ClassId, name: &str) -> Result<()> {
        let name = self.free_name(name, Some(id))?;
        if let Some(class) = self.classes.iter_mut().find(|class| class.id == id) {
            class.name = name;
            class.placeholder = false;
        }
        Ok(())
    }

    fn free_name(&self, name: &str, but: Option<ClassId>) -> Result<String> {
        let name = shortened(name);
        if name.is_empty() {
            return Err(Error::Usage("a class needs a name".into()));
        }
        if self.classes.iter().any(|class| class.name == name && Some(class.id) != but) {
            return Err(Error::Usage(format!("there is a class `{name}` already; give another name")));
        }
        Ok(name)
    }

    /// Moves a class by so many places; it stops at either end.
    pub fn move_class(&mut self, id: ClassId, by: isize) {
        if let Some(from) = self.index_of(id) {
            let to = from.saturating_add_signed(by).min(self.classes.len() - 1);
            let class = self.classes.remove(from);
            self.classes.insert(to, class);
        }
    }

    /// Takes a class out and sets its pictures aside.
    pub fn delete_class(&mut self, id: ClassId, pictures: &mut [Picture]) -> Option<Deed> {
        let index = self.index_of(id)?;
        let class = self.classes.remove(index);
        let pictures = set_aside(pictures, |picture| picture.class == id);
        Some(Deed::DeletedClass { class, index, pictures })
    }

    /// Undoes a deed but [`Deed::DeletedRun`] and [`Deed::DeletedProject`], which are not about classes and pictures.
    pub fn undo(&mut self, deed: &Deed, pictures: &mut [Picture]) {
        let mut back = |ids: &[PictureId]| {
            let ids = sorting::set(ids);
            pictures.iter_mut().filter(|picture| ids.contains(&picture.id)).for_each(|picture| picture.trashed = false);
        };
        match deed {
            Deed::DeletedPictures(ids) => back(ids),
            Deed::DeletedClass { class, index, pictures } => {
                back(pictures);
                let mut class = class.clone();
                // The name may be taken by now.
                while self.classes.iter().any(|other| other.name == class.name) {
                    class.name = format!("{} 2", class.name);
                }
                self.classes.insert((*index).min(self.classes.len()), class);
            }
            Deed::Moved(moves) => {
                for (id, class) in moves {
                    let there = self.index_of(*class).is_some();
                    if let Some(picture) = pictures.iter_mut().find(|picture| picture.id == *id).filter(|_| there) {
                        picture.class = *class;
                    }
                }
            }
            Deed::DeletedRun(_) | Deed::DeletedProject(_) => {}
        }
    }

    /// Place of a class.
    pub fn index_of(&self, id: ClassId) -> Option<usize> {
        self.classes.iter().position(|class| class.id == id)
    }

    /// A class by its number.
    pub fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.iter().find(|class| class.id == id)
    }

    /// The classes that take part in training.
    pub fn enabled(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().filter(|class| class.enabled)
    }
}

/// Sets the pictures aside that are meant, and says which ones they were.
pub fn set_aside(pictures: &mut [Picture], meant: impl Fn(&Picture) -> bool) -> Vec<PictureId> {
    let meant = pictures.iter_mut().filter(|picture| !picture.trashed && meant(picture));
    meant
        .map(|picture| {
            picture.trashed = true;
            picture.id
        })
        .collect()
}

/// Moves pictures to another class and says where they were.
pub fn move_pictures(pictures: &mut [Picture], ids: &BTreeSet<PictureId>, to: ClassId) -> Deed {
    let meant = pictures.iter_mut().filter(|picture| ids.contains(&picture.id) && picture.class != to);
    Deed::Moved(meant.map(|picture| (picture.id, std::mem::replace(&mut picture.class, to))).collect())
}

/// Numbers that rise with the clock and are never given twice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers(u64);

impl Numbers {
    /// The next one. `now_ms` is the clock; `beyond` the largest number known from elsewhere.
    pub fn next(&mut self, now_ms: f64, beyond: u64) -> u64 {
        // A thousand a millisecond stay below 2^53 for 280 years, which is what JavaScript's numbers hold.
        self.0 = ((now_ms * 1000.0) as u64).max(self.0 + 1).max(beyond + 1);
        self.0
    }
}

/// Without white space around it, and at most [`MAX_NAME`] characters.
fn shortened(name: &str) -> String {
    // Those of the second kind turn the direction of what comes after them.
    let hidden = |c: &char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    name.trim().chars().filter(|c| !hidden(c)).take(MAX_NAME).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(id: PictureId, class: ClassId) -> Picture {
        Picture {
            id,
            project: 1,
            class,
            role: Role::Example,
            name: format!("{id}.jpg"),
            width: 4,
            height: 4,
            bytes: 10,
            kind: "image/jpeg".into(),
            digest: id.to_string(),
            crc32: 0,
            trashed: false,
        }
    }

    #[test]
    fn classes_keep_their_number_whatever_happens_to_the_others() {
        let mut project = Project::new(1, " Cups ", 0.0);
        assert_eq!(project.name, "Cups");
        let (cup, mug) = (project.add_class("cup").unwrap(), project.add_class("mug").unwrap());
        assert!(project.add_class(" cup ").unwrap_err().to_string().contains("already"));
        assert!(project.add_class("  ").unwrap_err().to_string().contains("name"));
        assert_eq!(project.class_named("mug").unwrap(), mug);
        project.rename_class(mug, "mug").unwrap();
        assert!(project.rename_class(mug, "cup").is_err());
        project.move_class(mug, -5);
        assert_eq!(project.index_of(cup), Some(1));
        project.delete_class(cup, &mut []).unwrap();
        let third = project.add_class("bowl").unwrap();
        assert_ne!(third, cup, "a deleted class' number would give its pictures to another class");
    }

    #[test]
    fn every_deletion_can_be_undone() {
        let mut project = Project::new(1, "p", 0.0);
        let (a, b) = (project.add_class("a").unwrap(), project.add_class("b").unwrap());
        let mut pictures = vec![picture(1, a), picture(2, b), picture(3, a)];
        let before = (project.clone(), pictures.clone());

        let first = Deed::DeletedPictures(set_aside(&mut pictures, |picture| picture.id == 3));
        let second = project.delete_class(a, &mut pictures).unwrap();
        assert_eq!(second, Deed::DeletedClass { class: before.0.classes[0].clone(), index: 0, pictures: vec![1] });
        assert!(pictures[0].trashed && !pictures[1].trashed && pictures[2].trashed);
        project.undo(&second, &mut pictures);
        assert!(!pictures[0].trashed && pictures[2].trashed, "what was deleted before stays deleted");
        project.undo(&first, &mut pictures);
        assert_eq!((project.clone(), pictures.clone()), before);

        let moved = move_pictures(&mut pictures, &BTreeSet::from([1, 2]), b);
        assert_eq!(moved, Deed::Moved(vec![(1, a)]));
        project.undo(&moved, &mut pictures);
        assert_eq!(pictures, before.1);
    }

    #[test]
    fn a_class_that_comes_back_takes_a_free_name() {
        let mut project = Project::new(1, "p", 0.0);
        let a = project.add_class("a").unwrap();
        let deed = project.delete_class(a, &mut []).unwrap();
        project.add_class("a").unwrap();
        project.undo(&deed, &mut []);
        assert_eq!(project.classes.iter().map(|class| &*class.name).collect::<Vec<_>>(), ["a 2", "a"]);
    }

    #[test]
    fn numbers_rise_even_when_the_clock_goes_back() {
        let mut numbers = Numbers::default();
        let first = numbers.next(1e12, 0);
        assert!(numbers.next(1e12, 0) > first && numbers.next(5.0, 0) > first);
        assert_eq!(numbers.next(0.0, first + 100), first + 101);
    }

    #[test]
    fn a_project_of_an_older_page_is_read() {
        let text = r#"{"id":5,"name":"p","created_ms":1.0,"changed_ms":2.0,"classes":[{"id":0,"name":"a","colour":0,"enabled":true}],"next_class":1}"#;
        let project: Project = serde_json::from_str(text).unwrap();
        assert_eq!(project.settings, Settings::default());
        assert!(!project.trashed && project.run.is_none() && !project.classes[0].placeholder);
    }

    #[test]
    fn a_project_as_it_was_written_before_there_were_runs_keeps_its_choices() {
        let text = r#"{"id":5,"name":"p","created_ms":1.0,"changed_ms":2.0,"classes":[],"next_class":1,"trashed":false,
            "settings":{"depth":"stage3","epochs":15,"recipe":null,"threshold":0.25}}"#;
        let project: Project = serde_json::from_str(text).unwrap();
        assert_eq!((project.settings.epochs, project.settings.threshold), (Some(15), 0.25));
        assert_eq!(project.settings.depth, TrainDepth::FromStage(3));
        // And that page reads what this one writes, as long as nobody asks for what it does not know.
        let written = serde_json::to_string(&Project::new(1, "p", 0.0)).unwrap();
        for key in ["run", "mirrored", "epochs", "placeholder"] {
            assert!(!written.contains(&format!("\"{key}\"")), "{written}");
        }
    }

    #[test]
    fn an_import_takes_the_place_of_classes_nobody_named() {
        let mut project = Project::new(1, "p", 0.0);
        let ids: Vec<ClassId> = ["Class 1", "Class 2", "Class 3"].map(|name| project.add_placeholder(name).unwrap()).into();
        let mine = project.add_class("mine").unwrap();
        project.rename_class(ids[1], "cup").unwrap();
        project.drop_placeholders(&[picture(1, ids[2])]);
        let left: Vec<ClassId> = project.classes.iter().map(|class| class.id).collect();
        assert_eq!(left, [ids[1], ids[2], mine], "named ones and those with pictures stay");
    }
}
