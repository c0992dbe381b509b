//! How pictures come into a project: files, folders, archives, frames, ready-made sets.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use wasm_bindgen::JsCast;
use web_sys::File;

use super::state::{Adding, Studio};
use crate::studio::folders::{self, Skipped};
use crate::studio::shapes::ExampleSet;
use crate::studio::{ClassId, Picture, Project, Role};
use crate::web::{self, Archive, Folders, Specimen};
use crate::{Error, Result};

/// Pictures of each class in a ready-made set.
const EXAMPLES: u32 = 40;

impl Studio {
    /// Adds files to a class: pictures, and archives of pictures.
    pub fn add_files(self, files: Vec<File>, class: ClassId, role: Role) {
        let (archives, pictures): (Vec<_>, Vec<_>) = files.into_iter().partition(is_zip);
        self.add(pictures.into_iter().map(|file| (Target::Class(class), Source::File(file))).collect(), role);
        archives.into_iter().for_each(|file| self.add_archive(file, role));
    }

    /// Adds folders, each of which is a class.
    pub fn add_folders(self, folders: Folders, role: Role) {
        let (archives, others): (Vec<_>, Vec<_>) = folders.others.into_iter().partition(|(_, file)| is_zip(file));
        let others = others.into_iter().map(|(path, _)| Skipped { path, reason: t!("studio.no_picture").into_owned() });
        let (sorted, loose) = folders::sort(folders.pictures);
        self.skipped.update(|skipped| skipped.extend(others.chain(loose)));
        self.add(sorted.into_iter().map(|(class, _, file)| (Target::Named(class), Source::File(file))).collect(), role);
        archives.into_iter().for_each(|(_, file)| self.add_archive(file, role));
    }

    /// Takes what was dropped: on a class its files go there, elsewhere each folder is a class.
    pub fn take_drop(self, event: &web_sys::DragEvent) {
        let class = class_under(event);
        if self.project.with_untracked(Option::is_none) {
            self.error.set(Some(t!("studio.no_project").into_owned()));
            return;
        }
        // What was dropped is only there while the event is handled; the call copies it before it first waits.
        let folders = web::folders_from_drop(event);
        spawn_local(async move {
            match (folders.await, class) {
                (Ok(folders), Some(class)) => {
                    let files = folders.pictures.into_iter().chain(folders.others).map(|(_, file)| file);
                    self.add_files(files.collect(), class, Role::Example);
                }
                (Ok(folders), None) => self.add_folders(folders, Role::Example),
                (Err(error), _) => self.fail(&error),
            }
        });
    }

    /// Takes pasted pictures into the class that was touched last.
    pub fn take_paste(self, event: &web_sys::ClipboardEvent) {
        let files = web::files_from_paste(event);
        // A paste of text belongs to the field it goes into.
        if files.is_empty() {
            return;
        }
        event.prevent_default();
        match self.target.get_untracked() {
            Some(class) => self.add_files(files, class, Role::Example),
            None => self.error.set(Some(t!("studio.paste_where").into_owned())),
        }
    }

    /// Adds an archive of pictures, one folder a class; one that this page made becomes a project of its own.
    pub fn add_archive(self, file: File, role: Role) {
        spawn_local(async move {
            let name = file.name();
            let opened = async {
                let archive = Archive::open(&name, &file).await?;
                if super::archive::is_project(&archive) {
                    return self.import(archive).await;
                }
                let entries = archive.entries.iter().filter(|entry| web::is_picture(&entry.name)).cloned();
                let (sorted, loose) = folders::sort(entries.map(|entry| (inside(&name, &entry.name), entry)).collect());
                if sorted.is_empty() && loose.is_empty() {
                    return Err(Error::Io { path: name.clone(), reason: t!("studio.no_picture_inside").into_owned() });
                }
                self.skipped.update(|skipped| skipped.extend(loose));
                let archive = std::rc::Rc::new(archive);
                let source = |entry| Source::Entry(archive.clone(), entry);
                self.add(sorted.into_iter().map(|(class, _, entry)| (Target::Named(class), source(entry))).collect(), role);
                Ok(())
            };
            if let Err(error) = opened.await {
                self.fail(&error);
            }
        });
    }

    /// Makes a project of a ready-made set.
    pub fn create_examples(self, set: ExampleSet) {
        let title = match set {
            ExampleSet::Shapes => t!("studio.shapes"),
            ExampleSet::Patterns => t!("studio.patterns"),
        };
        self.create(&title);
        let drawn = set.classes().iter().enumerate().flat_map(|(class, key)| {
            let name = t!(format!("studio.example_{key}")).into_owned();
            (0..EXAMPLES).map(move |number| (Target::Named(name.clone()), Source::Drawn(set, class, number)))
        });
        self.add(drawn.collect(), Role::Example);
    }

    /// Adds a picture that is ready, to the open project. False when it is there already.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn add_specimen(self, name: &str, class: ClassId, role: Role, specimen: Specimen) -> Result<bool> {
        let Some(project) = self.project.with_untracked(|project| project.as_ref().map(|project| project.id)) else {
            return Err(Error::Usage(t!("studio.no_project").into_owned()));
        };
        if self.has(&specimen.digest).is_some() {
            return Ok(false);
        }
        let picture = Picture {
            id: self.new_number(),
            project,
            class,
            role,
            name: name.into(),
            width: specimen.width,
            height: specimen.height,
            bytes: specimen.bytes,
            kind: specimen.kind,
            digest: specimen.digest,
            crc32: specimen.crc32,
            trashed: false,
        };
        // In the list first: a second copy that comes meanwhile is known as one.
        self.pictures.update(|pictures| pictures.push(picture.clone()));
        let added = self.vault()?.add_picture(&picture, &specimen.file, &specimen.thumbnail).await;
        if added.is_err() {
            self.pictures.update(|pictures| pictures.retain(|known| known.id != picture.id));
        }
        added.map(|()| true)
    }

    /// Name of the class that holds a picture of this digest.
    fn has(self, digest: &str) -> Option<String> {
        let class = self.pictures.with_untracked(|all| all.iter().find(|p| p.digest == digest).map(|p| p.class))?;
        self.project.with_untracked(|project| project.as_ref()?.class(class).map(|class| class.name.clone()))
    }

    fn add(self, sources: Vec<(Target, Source)>, role: Role) {
        if sources.is_empty() {
            return;
        }
        let project = self.project.with_untracked(|project| project.as_ref().map(|project| project.id));
        let begun = self.adding.get_untracked().unwrap_or(Adding { done: 0, of: 0 });
        self.adding.set(Some(Adding { of: begun.of + sources.len(), ..begun }));
        spawn_local(async move {
            for (target, source) in sources {
                if self.project.with_untracked(|open| open.as_ref().map(|open| open.id)) != project {
                    // Another project was opened meanwhile: these belong to the one before.
                    self.adding.set(None);
                    return;
                }
                let path = source.path();
                match self.add_one(&target, source, role).await {
                    Ok(true) => {}
                    Ok(false) => self.skip(path, t!("studio.known").into_owned()),
                    Err(Error::Image { reason, .. }) => self.skip(path, reason),
                    Err(error @ Error::Io { .. }) if error.to_string().contains("no room left") => {
                        self.fail(&error);
                        break;
                    }
                    Err(error) => self.skip(path, error.to_string()),
                }
                self.adding.update(|adding| {
                    if let Some(adding) = adding {
                        adding.done += 1;
                    }
                });
                // The page draws between two pictures.
                web::yield_now().await;
            }
            if self.adding.get_untracked().is_none_or(|adding| adding.done >= adding.of) {
                self.adding.set(None);
            }
            self.measure();
        });
    }

    async fn add_one(self, target: &Target, source: Source, role: Role) -> Result<bool> {
        let name = source.path();
        let specimen = source.specimen().await?;
        let class = match target {
            Target::Class(class) => *class,
            Target::Named(class) => self.class_named(class)?,
        };
        self.add_specimen(&name, class, role, specimen).await
    }

    fn class_named(self, name: &str) -> Result<ClassId> {
        let known = self.project.with_untracked(|project| {
            project.as_ref().and_then(|project| project.classes.iter().find(|class| class.name == name).map(|class| class.id))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let mut made = Err(Error::Usage(t!("studio.no_project").into_owned()));
        self.change(|project: &mut Project| made = project.class_named(name));
        made
    }

    pub(super) fn skip(self, path: String, reason: String) {
        self.skipped.update(|skipped| skipped.push(Skipped { path, reason }));
    }
}

/// Where a picture goes.
enum Target {
    Class(ClassId),
    /// Made when it is not there.
    Named(String),
}

/// Where a picture comes from.
enum Source {
    File(File),
    Entry(std::rc::Rc<Archive>, crate::data::zip::Entry),
    Drawn(ExampleSet, usize, u32),
}

impl Source {
    fn path(&self) -> String {
        match self {
            Self::File(file) => file.name(),
            Self::Entry(_, entry) => entry.name.rsplit('/').next().unwrap_or(&entry.name).to_owned(),
            Self::Drawn(set, class, number) => format!("{}-{}.png", set.classes()[*class], number + 1),
        }
    }

    async fn specimen(&self) -> Result<Specimen> {
        match self {
            Self::File(file) => web::specimen_of_file(file).await,
            Self::Entry(archive, entry) => web::specimen_of_bytes(&self.path(), &archive.bytes(entry).await?).await,
            Self::Drawn(set, class, number) => {
                web::specimen_of_image(&self.path(), &set.picture(*class, *number), "image/png").await
            }
        }
    }
}

/// The class whose card lies under the pointer.
fn class_under(event: &web_sys::DragEvent) -> Option<ClassId> {
    let element = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    element.closest("[data-class]").ok()??.get_attribute("data-class")?.parse().ok()
}

fn is_zip(file: &File) -> bool {
    file.name().to_ascii_lowercase().ends_with(".zip")
}

/// A path as if the archive were a folder: `cat/1.jpg` in `pets.zip` is `pets/cat/1.jpg`.
fn inside(archive: &str, path: &str) -> String {
    let root = archive.rsplit_once('.').map_or(archive, |(stem, _)| stem);
    format!("{root}/{path}")
}
