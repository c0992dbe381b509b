//! Where projects are kept: the browser's IndexedDB. What was written is there after a crash, a closed tab or a reload.
//!
//! Records are JSON of the types in [`studio`](crate::studio); pictures, thumbnails and checkpoints are blobs, which a browser
//! keeps on disk and hands out without reading them. Everything that belongs together is written in one transaction. What the
//! browser refuses is kept in memory until it takes it (`shelf.rs`); so is everything where it keeps nothing.
//!
//! **Names.** Every copy of the page on a site has a database of its own, named by the folder it is served from. Before that there was one
//! for the whole site, [`ELDER`]: the copy that finds it first goes on with it, and it says whose it is ([`HOME`]). Other copies can
//! fetch projects out of it, and leave it as it is.

mod shelf;

use js_sys::{Array, Object};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

use self::shelf::{Change, Key, Shelf, Wanted, look_for, number};
use super::js::{get, page_folder, wait, window};
use crate::sorting;
use crate::studio::{Picture, PictureId, Project, ProjectId, RunId};
use crate::{Error, Result, StorageTrouble};

pub use self::shelf::Standing;

/// The database of pages that knew one for the whole site.
const ELDER: &str = "reslab";
const PROJECTS: &str = "projects";
/// Records of pictures, without pixels: `{ project, json }`.
const PICTURES: &str = "pictures";
const FILES: &str = "files";
const THUMBNAILS: &str = "thumbnails";
/// Runs of a project: `{ id, checkpoint, history }` by `[project, id]`. A page that knew one run a project wrote it by the project's
/// number, without `id`; it stays there as the run 0. So both pages read the same database.
const RUNS: &str = "runs";
const STORES: [&str; 5] = [PROJECTS, PICTURES, FILES, THUMBNAILS, RUNS];
const BY_PROJECT: &str = "project";
/// Among the projects of the elder database, under the number 0: `{ home }`, the folder of the copy that goes on with it. Older
/// pages see that it is no project.
const HOME: Key = Key::One(0);

/// The projects of this device.
pub struct Vault(Shelf);

/// What is kept of one training of a project.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// A checkpoint file, see [`Checkpoint`](crate::train::Checkpoint).
    pub checkpoint: Blob,
    /// What the page wants to know of it again, as JSON.
    pub history: String,
}

/// How much of the disk this page may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// Bytes in use.
    pub used: f64,
    /// Bytes the browser allows.
    pub allowed: f64,
    /// Whether the browser has promised not to clear it when disk space is short.
    pub persisted: bool,
}

/// Projects of this site that another copy of the page goes on with, or an older page wrote.
pub struct Elder {
    /// Them.
    pub vault: Vault,
    /// The folder of that copy, `/reslab/`; empty where an older page alone has written there.
    pub home: String,
}

impl Vault {
    /// Opens the projects of this copy of the page, and those of the site that are not its own.
    ///
    /// # Errors
    /// [`Error::Storage`]: the database is a newer page's, or the browser keeps nothing (some private windows).
    pub async fn open() -> Result<(Self, Option<Elder>)> {
        let folder = page_folder();
        let own = format!("{ELDER} {folder}");
        let Some(elder) = look_for(ELDER).await else { return Ok((Self(Shelf::open(&own).await?), None)) };
        let elder = Self(Shelf::of(elder));
        let home = elder.0.get(PROJECTS, HOME).await?.and_then(|record| get(&record, "home").as_string());
        // Who has projects of its own came here before: what an older page wrote since is fetched, not taken over.
        let claimed = home.is_none() && look_for(&own).await.map(|own| own.close()).is_none();
        if claimed {
            let record = object(&[("home", &folder.as_str().into())])?;
            elder.0.write(vec![(PROJECTS, HOME, Some(record))]).await?;
        }
        if claimed || home.as_ref() == Some(&folder) {
            return Ok((elder, None));
        }
        Ok((Self(Shelf::open(&own).await?), Some(Elder { vault: elder, home: home.unwrap_or_default() })))
    }

    /// Projects that last as long as the page, where the browser keeps none; [`try_again`](Self::try_again) asks it once more.
    pub fn in_memory() -> Self {
        Self(Shelf::in_memory(&format!("{ELDER} {}", page_folder())))
    }

    /// What is unlike for every database of the site: for whatever belongs to its projects alone.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// A key of what the site's pages share that only this copy has; that of old where its database is the elder.
    pub fn own_key(&self, key: &str) -> String {
        format!("{key}{}", self.name().trim_start_matches(ELDER))
    }

    /// Calls back with every change of the [`Standing`], and once now.
    pub fn on_standing(&self, then: impl Fn(Standing) + 'static) {
        self.0.on_standing(then);
    }

    /// Writes what could not be written before.
    ///
    /// # Errors
    /// [`Error::Storage`], and it stays in memory.
    pub async fn try_again(&self) -> Result<()> {
        Ok(self.0.try_again().await?)
    }

    /// All projects, also those set aside.
    pub async fn projects(&self) -> Result<Vec<Project>> {
        let read = |value: &JsValue| parsed::<Project>(&value.as_string()?).map(|project| (Key::One(project.id), project));
        self.all(PROJECTS, &Wanted::All, read).await
    }

    /// One project, also when it is set aside.
    pub async fn project(&self, id: ProjectId) -> Result<Option<Project>> {
        let record = self.0.get(PROJECTS, Key::One(id)).await?;
        Ok(record.and_then(|record| parsed(&record.as_string()?)))
    }

    /// Writes a project's record.
    pub async fn put_project(&self, project: &Project) -> Result<()> {
        self.write(vec![(PROJECTS, Key::One(project.id), Some(json(project)?.into()))]).await
    }

    /// Records of a project's pictures, also those set aside, in the order they came.
    pub async fn pictures(&self, project: ProjectId) -> Result<Vec<Picture>> {
        let read = |value: &JsValue| {
            let picture: Picture = parsed(&get(value, "json").as_string()?)?;
            (picture.project == project).then_some((Key::One(picture.id), picture))
        };
        self.all(PICTURES, &Wanted::OfProject(project), read).await
    }

    /// Keeps a new picture: its record, its file and its thumbnail, all or nothing.
    pub async fn add_picture(&self, picture: &Picture, file: &Blob, thumbnail: &Blob) -> Result<()> {
        let key = Key::One(picture.id);
        let (file, thumbnail) = (Some(file.into()), Some(thumbnail.into()));
        self.write(vec![(PICTURES, key, Some(record(picture)?)), (FILES, key, file), (THUMBNAILS, key, thumbnail)]).await
    }

    /// Writes changed records of pictures, all or nothing.
    pub async fn put_pictures(&self, pictures: &[Picture]) -> Result<()> {
        let change = |picture: &Picture| Ok((PICTURES, Key::One(picture.id), Some(record(picture)?)));
        self.write(pictures.iter().map(change).collect::<Result<_>>()?).await
    }

    /// A picture's file.
    pub async fn file(&self, picture: PictureId) -> Result<Blob> {
        self.blob(FILES, picture).await
    }

    /// A picture's thumbnail.
    pub async fn thumbnail(&self, picture: PictureId) -> Result<Blob> {
        self.blob(THUMBNAILS, picture).await
    }

    /// Forgets pictures for good.
    pub async fn delete_pictures(&self, pictures: &[PictureId]) -> Result<()> {
        self.write(pictures.iter().flat_map(|id| forget_picture(*id)).collect()).await
    }

    /// Forgets a project with all that belongs to it, for good.
    pub async fn delete_project(&self, project: ProjectId) -> Result<()> {
        let pictures = self.pictures(project).await?;
        let runs = self.runs(project).await?;
        let pictures = pictures.iter().flat_map(|picture| forget_picture(picture.id));
        let runs = runs.iter().map(|run| (RUNS, run_key(project, run.id), None));
        self.write(pictures.chain(runs).chain([(PROJECTS, Key::One(project), None)]).collect()).await
    }

    /// Forgets what belongs to no project: the page was closed before an import or a copy was whole. To be called when nothing is under way
    /// here or in another tab.
    pub async fn forget_lost(&self) -> Result<()> {
        let keys = self.0.read(PROJECTS, &Wanted::Keys).await?;
        let mut projects: Vec<u64> = keys.iter().filter_map(|key| Some(key.as_f64()? as u64)).collect();
        sorting::sort(&mut projects);
        let edges = || projects.iter().copied().map(Some);
        let mut lost = Vec::new();
        for (after, before) in std::iter::once(None).chain(edges()).zip(edges().chain([None])) {
            let keys = self.0.read(PICTURES, &Wanted::Between(after, before)).await?;
            lost.extend(keys.iter().filter_map(|key| Some(key.as_f64()? as PictureId)).flat_map(forget_picture));
        }
        for key in self.0.read(RUNS, &Wanted::Keys).await? {
            let pair =
                key.dyn_ref::<Array>().and_then(|pair| Some((pair.get(0).as_f64()? as u64, pair.get(1).as_f64()? as u64)));
            lost.extend(
                pair.filter(|(of, _)| projects.binary_search(of).is_err()).map(|(of, run)| (RUNS, Key::Two(of, run), None)),
            );
        }
        if lost.is_empty() { Ok(()) } else { self.write(lost).await }
    }

    /// Keeps a run as it stands now; what was kept of it before stays until this is whole.
    pub async fn put_run(&self, project: ProjectId, run: &Run) -> Result<()> {
        let fields = [("id", &number(run.id)), ("checkpoint", &*run.checkpoint), ("history", &run.history.as_str().into())];
        self.write(vec![(RUNS, run_key(project, run.id), Some(object(&fields)?))]).await
    }

    /// The runs of a project, the oldest first.
    pub async fn runs(&self, project: ProjectId) -> Result<Vec<Run>> {
        let first = self.0.get(RUNS, Key::One(project)).await?;
        let read = |value: &JsValue| run_of(value).map(|run| (run_key(project, run.id), run));
        let mine = |key: Key| matches!(key, Key::Two(of, _) if of == project);
        let others = self.merged(RUNS, &Wanted::Beginning(project), mine, read).await?;
        Ok(first.as_ref().and_then(run_of).into_iter().chain(others).collect())
    }

    /// Forgets a run for good.
    pub async fn delete_run(&self, project: ProjectId, run: RunId) -> Result<()> {
        self.write(vec![(RUNS, run_key(project, run), None)]).await
    }

    /// Copies a project with all that belongs to it into another vault, under the same numbers. What is there of it is replaced.
    pub async fn copy_to(&self, other: &Self, project: &Project, mut going: impl FnMut(usize, usize)) -> Result<()> {
        let pictures = self.pictures(project.id).await?;
        for (done, picture) in pictures.iter().enumerate() {
            going(done, pictures.len());
            let (file, thumbnail) = (self.file(picture.id).await?, self.thumbnail(picture.id).await?);
            other.add_picture(picture, &file, &thumbnail).await?;
        }
        for run in self.runs(project.id).await? {
            other.put_run(project.id, &run).await?;
        }
        // Last, so that a project is whole when it is there at all.
        other.put_project(project).await
    }

    async fn blob(&self, name: &'static str, picture: PictureId) -> Result<Blob> {
        let blob = self.0.get(name, Key::One(picture)).await?;
        blob.and_then(|blob| blob.dyn_into().ok()).ok_or_else(|| StorageTrouble::Gone.into())
    }

    async fn all<T>(
        &self,
        store: &'static str,
        wanted: &Wanted,
        read: impl Fn(&JsValue) -> Option<(Key, T)>,
    ) -> Result<Vec<T>> {
        self.merged(store, wanted, |_| true, read).await
    }

    /// What the database has, and what it does not have yet; of the latter what has such a key.
    async fn merged<T>(
        &self,
        store: &'static str,
        wanted: &Wanted,
        among: impl Fn(Key) -> bool,
        read: impl Fn(&JsValue) -> Option<(Key, T)>,
    ) -> Result<Vec<T>> {
        let kept = self.0.read(store, wanted).await?;
        let mut all = sorting::map(kept.iter().filter_map(&read));
        for (key, value) in self.0.held(store).into_iter().filter(|(key, _)| among(*key)) {
            match value {
                Some(value) => all.extend(read(&value)),
                None => drop(all.remove(&key)),
            }
        }
        Ok(all.into_values().collect())
    }

    async fn write(&self, changes: Vec<Change>) -> Result<()> {
        Ok(self.0.write(changes).await?)
    }
}

/// How full this page's storage is; `None` where the browser does not say.
pub async fn quota() -> Option<Quota> {
    let storage = window().ok()?.navigator().storage();
    let estimate = wait(storage.estimate().ok()?).await.ok()?;
    let bytes = |key: &str| get(&estimate, key).as_f64();
    let persisted = match storage.persisted() {
        Ok(promise) => wait(promise).await.is_ok_and(|answer| answer.is_truthy()),
        Err(_) => false,
    };
    Some(Quota { used: bytes("usage")?, allowed: bytes("quota")?, persisted })
}

/// Asks the browser not to clear this page's storage when disk space is short. Some browsers ask the person.
pub async fn ask_to_persist() -> bool {
    let Ok(promise) = window().and_then(|window| window.navigator().storage().persist()) else { return false };
    wait(promise).await.is_ok_and(|answer| answer.is_truthy())
}

/// Whether the browser clears what a page keeps when nobody opened the page for seven days: Safari, and every browser on an iPhone, unless the
/// page was installed.
pub fn forgets_in_seven_days() -> bool {
    let Ok(window) = window() else { return false };
    let navigator = window.navigator();
    let apple = get(&navigator, "vendor").as_string().is_some_and(|vendor| vendor.starts_with("Apple"));
    let query = window.match_media("(display-mode: standalone)").ok().flatten();
    let installed = get(&navigator, "standalone").is_truthy() || query.is_some_and(|query| query.matches());
    apple && !installed
}

fn forget_picture(id: PictureId) -> [Change; 3] {
    [PICTURES, FILES, THUMBNAILS].map(|store| (store, Key::One(id), None))
}

fn run_key(project: ProjectId, run: RunId) -> Key {
    if run == 0 { Key::One(project) } else { Key::Two(project, run) }
}

fn run_of(record: &JsValue) -> Option<Run> {
    let id = get(record, "id").as_f64().unwrap_or_default() as RunId;
    let checkpoint = get(record, "checkpoint").dyn_into().ok()?;
    Some(Run { id, checkpoint, history: get(record, "history").as_string()? })
}

fn record(picture: &Picture) -> Result<JsValue> {
    object(&[("project", &number(picture.project)), ("json", &json(picture)?.into())])
}

fn object(fields: &[(&str, &JsValue)]) -> Result<JsValue> {
    let entries: Array = fields.iter().map(|(key, value)| Array::of2(&(*key).into(), value)).collect();
    Object::from_entries(&entries).map(JsValue::from).map_err(|_| broken("a record could not be made".into()))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| broken(e.to_string()))
}

/// A record that cannot be read is left alone: a newer version of the page may have written it.
fn parsed<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).inspect_err(|e| log::warn!("a record is not understood: {e}")).ok()
}

fn broken(reason: String) -> Error {
    StorageTrouble::Broken(reason).into()
}
