//! How pictures come into a project: files, folders, archives, frames, ready-made sets.

use std::collections::HashMap;
use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use wasm_bindgen::JsCast;
use web_sys::File;

use super::film::reader;
use super::keeping::said;
use super::state::{Adding, Studio};
use super::step::{self, Step};
use crate::data::catalog::{self, Found, Part, is_junk};
use crate::data::sniff::is_picture_name;
use crate::data::text::nfc;
use crate::data::{Format, RgbaImage, npy};
use crate::sorting;
use crate::studio::archive::{MANIFEST, Manifest};
use crate::studio::folders::{self, Placed, Placing, Skipped};
use crate::studio::shapes::{ExampleSet, PICTURES, TEST_PICTURES};
use crate::studio::{ClassId, Picture, Project, Role};
use crate::ui::intake::is_weights;
use crate::ui::notice;
use crate::ui::workshop::Workshop;
use crate::web::{self, Archive, Entry, Folders, Specimen};
use crate::{Error, Result};

impl Studio {
    /// Adds files to a class: pictures, and archives of pictures.
    pub fn add_files(self, files: Vec<File>, class: ClassId, role: Role) {
        let (films, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| web::is_video(&file.name()));
        if !films.is_empty() {
            spawn_local(async move {
                match reader().await {
                    Ok(read) => films.into_iter().for_each(|film| read(self, film, class, role)),
                    Err(error) => self.fail(&error),
                }
            });
        }
        let (packed, pictures): (Vec<_>, Vec<_>) = files.into_iter().partition(is_packed);
        self.add(pictures.into_iter().map(|file| (Target::Class(class), Source::File(file), role)).collect());
        packed.into_iter().for_each(|file| self.add_archive(file, role));
    }

    /// Adds folders: of classes, of splits, an unpacked project; or pictures with a table of labels.
    pub fn add_folders(self, folders: Folders, role: Role) {
        let (packed, others): (Vec<_>, Vec<_>) = folders.others.into_iter().partition(|(_, file)| is_packed(file));
        packed.into_iter().for_each(|(_, file)| self.add_archive(file, role));
        spawn_local(async move {
            let mut heap = Heap::default();
            for (path, file) in folders.pictures.into_iter().chain(others) {
                let named = is_picture_name(&path);
                let picture = match named {
                    Some(picture) => picture,
                    None => web::looks_like_a_picture(&file).await,
                };
                heap.add(path, picture, file.size() as u64, Thing::File(file));
            }
            if heap.found.is_empty() {
                return;
            }
            match self.add_heap(&heap, role).await {
                // Pictures that no folder names: each is told.
                Err(Error::Usage(_)) => {
                    for found in heap.found {
                        let reason =
                            if found.picture { folders::NO_FOLDER.into() } else { t!("studio.no_picture").into_owned() };
                        self.skip(found.path, reason);
                    }
                }
                Err(error) => self.fail(&error),
                Ok(()) => {}
            }
        });
    }

    /// Adds what a heap of files is: a project of its own, or classes with their pictures.
    async fn add_heap(self, heap: &Heap, role: Role) -> Result<()> {
        if let Some(root) = heap.project().await? {
            return self.import(heap, &root).await;
        }
        let mut texts = HashMap::new();
        for file in catalog::wanted(&heap.found) {
            texts.insert(file, heap.bytes(file).await?);
        }
        let Placing { placed, skipped, left_out } = folders::place_later(&heap.found, &texts).await?;
        self.skipped.update(|all| all.extend(skipped));
        for (ending, count) in left_out {
            let one = Skipped { path: format!("{count} × {ending}"), reason: t!("studio.no_picture").into_owned(), count };
            self.skipped.update(|all| all.push(one));
        }
        let source = |placed: Placed| {
            let role = if role.is_test() { role } else { placed.role };
            let source = match &heap.things[placed.file] {
                Thing::File(file) => Source::File(file.clone()),
                Thing::Entry(archive, entry) => Source::Entry(archive.clone(), entry.clone()),
            };
            (Target::Named(placed.class), source, role)
        };
        self.add(placed.into_iter().map(source).collect());
        Ok(())
    }

    /// Adds what is packed: an archive of folders, of pictures with a table, of another tool's project, or NumPy's arrays; one that
    /// this page made becomes a project of its own.
    pub fn add_archive(self, file: File, role: Role) {
        spawn_local(async move {
            let name = file.name();
            let opened = async {
                let archive = Rc::new(Archive::open(&name, &file).await?);
                if name.to_ascii_lowercase().ends_with(".npz") {
                    return self.add_arrays(&name, &archive, role).await;
                }
                let mut heap = Heap::default();
                for entry in &archive.entries {
                    let path = inside(&name, &entry.name);
                    let picture = match is_picture_name(&path) {
                        Some(picture) => picture,
                        None if is_junk(&path) => false,
                        None => !matches!(Format::of(&archive.bytes(entry).await?), Format::Other(_)),
                    };
                    heap.add(path, picture, entry.size, Thing::Entry(archive.clone(), entry.clone()));
                }
                match self.add_heap(&heap, role).await {
                    Err(Error::Usage(_)) if !heap.found.iter().any(|found| found.picture && !is_junk(&found.path)) => {
                        Err(Error::File { name: name.clone(), reason: t!("studio.no_picture_inside").into_owned().into() })
                    }
                    Err(Error::Usage(reason)) => Err(Error::Io { path: name.clone(), reason }),
                    added => added,
                }
            };
            if let Err(error) = opened.await {
                self.fail(&error);
            }
        });
    }

    /// Adds the pictures of an `.npz` archive; of more than a project can hold an even choice.
    async fn add_arrays(self, name: &str, archive: &Archive, role: Role) -> Result<()> {
        let fail = |reason: String| Error::Io { path: name.into(), reason };
        let names: Vec<&str> = archive.entries.iter().map(|entry| entry.name.trim_end_matches(".npy")).collect();
        let pairs = npy::pairs(&names);
        if pairs.is_empty() {
            let names = names.join(", ");
            return Err(fail(format!("its arrays are {names}; expected pictures and labels by name, as x_train and y_train")));
        }
        let mut sources = Vec::new();
        for (part, x, y) in pairs {
            let entry = |wanted: &str| names.iter().position(|name| *name == wanted).and_then(|at| archive.entries.get(at));
            let (Some(pixels), Some(labels)) = (entry(x), entry(y)) else { continue };
            let bytes = archive.bytes(pixels).await?;
            let labels = archive.bytes(labels).await?;
            let (pictures, labels) = npy::pictures_with_labels(name, (x, &bytes), (y, &labels)).await?;
            let role = if part == Part::Test { Role::Test } else { role };
            let arrays = Rc::new(Arrays { name: x.to_owned(), bytes, pictures });
            let source = |(index, label)| (Target::Named(label), Source::Array(arrays.clone(), index), role);
            sources.extend(labels.into_iter().enumerate().map(source));
        }
        let all = sources.len();
        if all > web::MAX_FILES {
            let chosen = |at: usize| at * web::MAX_FILES / all != (at + 1) * web::MAX_FILES / all;
            sources = sources.into_iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, source)| source).collect();
            let reason = t!("studio.some_of_many", count = web::MAX_FILES, of = all).into_owned();
            self.skipped.update(|skipped| skipped.push(Skipped { path: name.into(), reason, count: all - web::MAX_FILES }));
        }
        // Labels that count become classes in their order.
        sorting::sort_by_key(&mut sources, |(target, ..)| match target {
            Target::Named(label) => (label.parse::<u64>().unwrap_or(u64::MAX), label.clone()),
            Target::Class(_) => (0, String::new()),
        });
        self.add(sources);
        Ok(())
    }

    /// Makes a project of a ready-made set.
    pub fn create_examples(self, set: ExampleSet) {
        let title = match set {
            ExampleSet::Shapes => t!("studio.shapes"),
            ExampleSet::Patterns => t!("studio.patterns"),
        };
        self.create(&title);
        self.change(|project| project.settings = set.settings());
        let drawn = set.classes().iter().enumerate().flat_map(|(class, key)| {
            let name = t!(format!("studio.example_{key}")).into_owned();
            (0..PICTURES).map(move |number| (Target::Named(name.clone()), Source::Drawn(set, class, number), Role::Example))
        });
        self.add(drawn.collect());
    }

    /// Adds ready-made pictures to a class, which takes their name while it has none of its own.
    pub fn add_drawn(self, id: ClassId, set: ExampleSet, class: usize) {
        let name = t!(format!("studio.example_{}", set.classes()[class])).into_owned();
        let placeholder = |project: &Project| project.class(id).is_some_and(|class| class.placeholder);
        if self.project.with_untracked(|project| project.as_ref().is_some_and(placeholder))
            && let Err(error) = self.rename_class(id, &name)
        {
            // Another class has the name already: this one keeps its own.
            log::debug!("{error}");
        }
        self.add((0..PICTURES).map(|number| (Target::Class(id), Source::Drawn(set, class, number), Role::Example)).collect());
    }

    /// The ready-made class that a class's pictures are of, as their names tell.
    pub fn drawn(self, class: ClassId) -> Option<(ExampleSet, usize)> {
        self.pictures.with(|pictures| pictures.iter().filter(|p| p.class == class).find_map(|p| ExampleSet::of_file(&p.name)))
    }

    /// Draws pictures to test with, of those classes that are ready-made.
    pub fn draw_test(self, classes: &[ClassId]) {
        let drawn = classes.iter().filter_map(|id| Some((*id, untrack(|| self.drawn(*id))?)));
        let sources = drawn.flat_map(|(id, (set, class))| {
            TEST_PICTURES.map(move |number| (Target::Class(id), Source::Drawn(set, class, number), Role::Test))
        });
        self.add(sources.collect());
    }

    /// Adds a picture that is ready, to the open project. False when it is there already.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn add_specimen(self, name: &str, class: ClassId, role: Role, specimen: Specimen) -> Result<bool> {
        let Some(project) = self.project.with_untracked(|project| project.as_ref().map(|project| project.id)) else {
            return Err(no_project());
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
        // Where the browser does not take it, it stays in memory until it does.
        self.vault()?.add_picture(&picture, &specimen.file, &specimen.thumbnail).await?;
        Ok(true)
    }

    /// Name of the class that holds a picture of this digest.
    fn has(self, digest: &str) -> Option<String> {
        let class = self.pictures.with_untracked(|all| all.iter().find(|p| p.digest == digest).map(|p| p.class))?;
        self.project.with_untracked(|project| project.as_ref()?.class(class).map(|class| class.name.clone()))
    }

    fn add(self, sources: Vec<(Target, Source, Role)>) {
        if sources.is_empty() {
            return;
        }
        let project = self.project.with_untracked(|project| project.as_ref().map(|project| project.id));
        let begun = self.adding.get_untracked().unwrap_or(Adding { done: 0, of: 0 });
        self.adding.set(Some(Adding { of: begun.of + sources.len(), ..begun }));
        spawn_local(async move {
            let mut left = sources.len();
            for (target, source, role) in sources {
                if self.project.with_untracked(|open| open.as_ref().map(|open| open.id)) != project {
                    // Another project was opened meanwhile: these belong to the one before.
                    self.adding.set(None);
                    return;
                }
                let path = source.path();
                left -= 1;
                match self.add_one(&target, source, role).await {
                    Ok(true) => {}
                    Ok(false) => self.skip(path, t!("studio.known").into_owned()),
                    Err(Error::Image { reason, .. } | Error::File { reason, .. }) => self.skip(path, notice::fault(&reason)),
                    Err(error @ Error::Storage(_)) => {
                        // The rest would only be more that is not saved.
                        if left > 0 {
                            let path = t!("studio.the_rest", count = left).into_owned();
                            self.skipped.update(|skipped| skipped.push(Skipped { path, reason: said(&error), count: left }));
                        }
                        self.fail(&error);
                        self.adding.set(None);
                        break;
                    }
                    Err(error) => self.skip(path, notice::sentence(&error)),
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
            project
                .as_ref()
                .and_then(|project| project.classes.iter().find(|class| nfc(&class.name) == nfc(name)).map(|class| class.id))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let mut all = self.pictures.get_untracked();
        self.trash.with_value(|trash| all.extend(trash.iter().cloned()));
        self.change(|project| project.drop_placeholders(&all));
        let mut made = Err(no_project());
        self.change(|project: &mut Project| made = project.class_named(name));
        made
    }

    pub(super) fn skip(self, path: String, reason: String) {
        self.skipped.update(|skipped| skipped.push(Skipped { path, reason, count: 1 }));
    }
}

impl Workshop {
    /// Whether a picture that is dropped or pasted is to be tried rather than learnt from.
    fn tries_here(self) -> bool {
        !matches!(self.step.get_untracked(), Step::Collect | Step::Export) && untrack(|| self.has_own_network())
    }

    /// Tries pictures where their answers are shown.
    fn try_here(self, files: Vec<File>) {
        if self.step.get_untracked() == Step::Train {
            step::go(self.step, Step::Live);
        }
        self.try_files(files);
    }

    /// Takes what was dropped: on a class its files go there; elsewhere each folder is a class, and single pictures are tried where the
    /// network is tried.
    pub fn take_dropped(self, event: &web_sys::DragEvent) {
        let (studio, class, tries) = (self.studio, class_under(event), self.tries_here());
        if studio.project.with_untracked(Option::is_none) {
            studio.error.set(Some(t!("studio.no_project").into_owned()));
            return;
        }
        let trains = self.step.get_untracked() == Step::Train;
        // What was dropped is only there while the event is handled; the call copies it before it first waits.
        let folders = web::folders_from_drop(event);
        spawn_local(async move {
            match (folders.await, class) {
                // A network to begin with. On other steps such files may hold pictures.
                (Ok(folders), None) if trains && folders.others.iter().any(|(path, _)| is_weights(path)) => {
                    let files = folders.others.into_iter().map(|(_, file)| file).collect();
                    self.begin_from(|| self.load_files(files));
                }
                (Ok(folders), Some(class)) => {
                    let files = folders.pictures.into_iter().chain(folders.others).map(|(_, file)| file);
                    studio.add_files(files.collect(), class, Role::Example);
                }
                (Ok(folders), None) if tries && folders.pictures.iter().all(|(path, _)| !path.contains('/')) => {
                    let others = folders.others.into_iter().filter(|(_, file)| !is_packed(file));
                    self.try_here(folders.pictures.into_iter().chain(others).map(|(_, file)| file).collect());
                }
                (Ok(folders), None) => studio.add_folders(folders, Role::Example),
                (Err(error), _) => studio.fail(&error),
            }
        });
    }

    /// Takes pasted pictures into the class that was touched last, or tries them.
    pub fn take_pasted(self, event: &web_sys::ClipboardEvent) {
        let files = web::files_from_paste(event);
        // A paste of text belongs to the field it goes into.
        if files.is_empty() {
            return;
        }
        event.prevent_default();
        match self.studio.target.get_untracked() {
            _ if self.tries_here() => self.try_here(files),
            Some(class) => self.studio.add_files(files, class, Role::Example),
            None => self.studio.error.set(Some(t!("studio.paste_where").into_owned())),
        }
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
    Entry(Rc<Archive>, Entry),
    Array(Rc<Arrays>, usize),
    Drawn(ExampleSet, usize, u32),
}

impl Source {
    fn path(&self) -> String {
        match self {
            Self::File(file) => file.name(),
            Self::Entry(_, entry) => entry.name.rsplit('/').next().unwrap_or(&entry.name).to_owned(),
            Self::Array(arrays, index) => format!("{}-{index}.png", arrays.name),
            Self::Drawn(set, class, number) => set.file(*class, *number),
        }
    }

    async fn specimen(&self) -> Result<Specimen> {
        match self {
            Self::File(file) => web::specimen_of_file(file).await,
            Self::Entry(archive, entry) => web::specimen_of_bytes(&self.path(), &archive.bytes(entry).await?).await,
            Self::Array(arrays, index) => {
                let [height, width, _] = arrays.pictures.size;
                let pixels = arrays.pictures.rgba(&arrays.bytes, *index).unwrap_or_default();
                let image = RgbaImage::new(&self.path(), width as u32, height as u32, pixels)?;
                web::specimen_of_image(&self.path(), &image, "image/png").await
            }
            Self::Drawn(set, class, number) => {
                web::specimen_of_image(&self.path(), &set.picture(*class, *number), "image/png").await
            }
        }
    }
}

fn no_project() -> Error {
    Error::File { name: String::new(), reason: t!("studio.no_project").into_owned().into() }
}

/// The class whose card lies under the pointer.
fn class_under(event: &web_sys::DragEvent) -> Option<ClassId> {
    let element = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    element.closest("[data-class]").ok()??.get_attribute("data-class")?.parse().ok()
}

/// Files as they were given, and where each is.
#[derive(Default)]
pub(super) struct Heap {
    pub found: Vec<Found>,
    things: Vec<Thing>,
}

enum Thing {
    File(File),
    Entry(Rc<Archive>, Entry),
}

/// Pictures that are numbers.
struct Arrays {
    name: String,
    bytes: Vec<u8>,
    pictures: npy::Pictures,
}

impl Heap {
    fn add(&mut self, path: String, picture: bool, size: u64, thing: Thing) {
        self.found.push(Found { path, picture, size });
        self.things.push(thing);
    }

    /// A file's contents.
    pub async fn bytes(&self, file: usize) -> Result<Vec<u8>> {
        match &self.things[file] {
            Thing::File(file) => web::read_file(file).await,
            Thing::Entry(archive, entry) => archive.bytes(entry).await,
        }
    }

    /// The folder (with a `/` at its end) that holds a project of this page.
    async fn project(&self) -> Result<Option<String>> {
        for (file, found) in self.found.iter().enumerate() {
            let Some(root) = found.path.strip_suffix(MANIFEST).filter(|root| root.is_empty() || root.ends_with('/')) else {
                continue;
            };
            if !is_junk(&found.path) && Manifest::is_one(&self.bytes(file).await?) {
                return Ok(Some(root.to_owned()));
            }
        }
        Ok(None)
    }
}

/// Whether something is to be opened rather than decoded.
fn is_packed(file: &File) -> bool {
    web::is_archive(&file.name()) || file.name().to_ascii_lowercase().ends_with(".npz")
}

/// A path as if the archive were a folder: `cat/1.jpg` in `pets.zip` is `pets/cat/1.jpg`. Teachable Machine calls a class's samples
/// `cat-samples.zip`.
fn inside(archive: &str, path: &str) -> String {
    let root = archive.split_once('.').map_or(archive, |(stem, _)| stem).trim_end_matches("-samples");
    format!("{}/{path}", if root.is_empty() { archive } else { root })
}
