//! Where projects are kept: the browser's IndexedDB. What was written is there after a crash, a closed tab or a reload.
//!
//! Records are JSON of the types in [`studio`](crate::studio); pictures, thumbnails and checkpoints are blobs, which a browser
//! keeps on disk and hands out without reading them. Everything that belongs together is written in one transaction.

use js_sys::{Array, Object};
use rexie::{Index, KeyRange, ObjectStore, Rexie, Transaction, TransactionMode, TransactionResult};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

use super::js::{get, wait, window};
use crate::studio::{Picture, PictureId, Project, ProjectId, RunId};
use crate::{Error, Result};

const DATABASE: &str = "reslab";
const VERSION: u32 = 1;
const PROJECTS: &str = "projects";
/// Records of pictures, without pixels: `{ project, json }`.
const PICTURES: &str = "pictures";
const FILES: &str = "files";
const THUMBNAILS: &str = "thumbnails";
/// Runs of a project: `{ id, checkpoint, history }` by `[project, id]`. A page that knew one run a project wrote it by the project's
/// number, without `id`; it stays there as the run 0. So both pages read the same database.
const RUNS: &str = "runs";
const BY_PROJECT: &str = "project";

/// The projects of this device.
#[derive(Debug)]
pub struct Vault(Rexie);

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

impl Vault {
    /// Opens the projects of this device.
    ///
    /// # Errors
    /// [`Error::Io`] where the browser keeps nothing (some private windows).
    pub async fn open() -> Result<Self> {
        let pictures = ObjectStore::new(PICTURES).add_index(Index::new(BY_PROJECT, "project"));
        let stores = [PROJECTS, FILES, THUMBNAILS, RUNS].map(ObjectStore::new);
        let builder = Rexie::builder(DATABASE).version(VERSION).add_object_store(pictures);
        let opened = stores.into_iter().fold(builder, |builder, store| builder.add_object_store(store)).build().await;
        opened.map(Self).map_err(|e| failed(&e))
    }

    /// All projects, also those set aside.
    pub async fn projects(&self) -> Result<Vec<Project>> {
        let transaction = self.read(&[PROJECTS])?;
        let texts = store(&transaction, PROJECTS)?.get_all(None, None).await.map_err(|e| failed(&e))?;
        Ok(texts.iter().filter_map(|text| parsed(&text.as_string()?)).collect())
    }

    /// Writes a project's record.
    pub async fn put_project(&self, project: &Project) -> Result<()> {
        let transaction = self.write(&[PROJECTS])?;
        put(&transaction, PROJECTS, project.id, &json(project)?.into()).await?;
        done(transaction).await
    }

    /// Records of a project's pictures, also those set aside, in the order they came.
    pub async fn pictures(&self, project: ProjectId) -> Result<Vec<Picture>> {
        let transaction = self.read(&[PICTURES])?;
        let index = store(&transaction, PICTURES)?.index(BY_PROJECT).map_err(|e| failed(&e))?;
        let range = KeyRange::only(&number(project)).map_err(|e| failed(&e.into()))?;
        let records = index.get_all(Some(range), None).await.map_err(|e| failed(&e))?;
        Ok(records.iter().filter_map(|record| parsed(&get(record, "json").as_string()?)).collect())
    }

    /// Keeps a new picture: its record, its file and its thumbnail, all or nothing.
    pub async fn add_picture(&self, picture: &Picture, file: &Blob, thumbnail: &Blob) -> Result<()> {
        let transaction = self.write(&[PICTURES, FILES, THUMBNAILS])?;
        put(&transaction, PICTURES, picture.id, &record(picture)?).await?;
        put(&transaction, FILES, picture.id, file).await?;
        put(&transaction, THUMBNAILS, picture.id, thumbnail).await?;
        done(transaction).await
    }

    /// Writes changed records of pictures, all or nothing.
    pub async fn put_pictures(&self, pictures: &[Picture]) -> Result<()> {
        let transaction = self.write(&[PICTURES])?;
        for picture in pictures {
            put(&transaction, PICTURES, picture.id, &record(picture)?).await?;
        }
        done(transaction).await
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
        let transaction = self.write(&[PICTURES, FILES, THUMBNAILS])?;
        for picture in pictures {
            for name in [PICTURES, FILES, THUMBNAILS] {
                store(&transaction, name)?.delete(number(*picture)).await.map_err(|e| failed(&e))?;
            }
        }
        done(transaction).await
    }

    /// Forgets a project with all that belongs to it, for good.
    pub async fn delete_project(&self, project: ProjectId) -> Result<()> {
        let pictures: Vec<PictureId> = self.pictures(project).await?.iter().map(|picture| picture.id).collect();
        self.delete_pictures(&pictures).await?;
        let runs: Vec<RunId> = self.runs(project).await?.iter().map(|run| run.id).collect();
        let transaction = self.write(&[PROJECTS, RUNS])?;
        for run in runs {
            store(&transaction, RUNS)?.delete(run_key(project, run)).await.map_err(|e| failed(&e))?;
        }
        store(&transaction, PROJECTS)?.delete(number(project)).await.map_err(|e| failed(&e))?;
        done(transaction).await
    }

    /// Keeps a run as it stands now; what was kept of it before stays until this is whole.
    pub async fn put_run(&self, project: ProjectId, run: &Run) -> Result<()> {
        let transaction = self.write(&[RUNS])?;
        let fields = [("id", &number(run.id)), ("checkpoint", &*run.checkpoint), ("history", &run.history.as_str().into())];
        let record = object(&fields)?;
        let kept = store(&transaction, RUNS)?.put(&record, Some(&run_key(project, run.id))).await;
        kept.map(drop).map_err(|e| failed(&e))?;
        done(transaction).await
    }

    /// The runs of a project, the oldest first.
    pub async fn runs(&self, project: ProjectId) -> Result<Vec<Run>> {
        let transaction = self.read(&[RUNS])?;
        let runs = store(&transaction, RUNS)?;
        let first = runs.get(number(project)).await.map_err(|e| failed(&e))?;
        // In the order of keys a list comes after every number: these are all that begin with the project.
        let (from, to) = (Array::of1(&number(project)), Array::of2(&number(project), &Array::new()));
        let range = KeyRange::bound(&from, &to, None, None).map_err(|e| failed(&e.into()))?;
        let others = runs.get_all(Some(range), None).await.map_err(|e| failed(&e))?;
        Ok(first.iter().chain(&others).filter_map(run_of).collect())
    }

    /// Forgets a run for good.
    pub async fn delete_run(&self, project: ProjectId, run: RunId) -> Result<()> {
        let transaction = self.write(&[RUNS])?;
        store(&transaction, RUNS)?.delete(run_key(project, run)).await.map_err(|e| failed(&e))?;
        done(transaction).await
    }

    async fn blob(&self, name: &str, picture: PictureId) -> Result<Blob> {
        let transaction = self.read(&[name])?;
        let blob = store(&transaction, name)?.get(number(picture)).await.map_err(|e| failed(&e))?;
        blob.and_then(|blob| blob.dyn_into().ok()).ok_or_else(|| trouble("the picture is not there any more".into()))
    }

    fn read(&self, stores: &[&str]) -> Result<Transaction> {
        self.0.transaction(stores, TransactionMode::ReadOnly).map_err(|e| failed(&e))
    }

    fn write(&self, stores: &[&str]) -> Result<Transaction> {
        self.0.transaction(stores, TransactionMode::ReadWrite).map_err(|e| failed(&e))
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

fn store(transaction: &Transaction, name: &str) -> Result<rexie::Store> {
    transaction.store(name).map_err(|e| failed(&e))
}

async fn put(transaction: &Transaction, name: &str, key: u64, value: &JsValue) -> Result<()> {
    store(transaction, name)?.put(value, Some(&number(key))).await.map(drop).map_err(|e| failed(&e))
}

async fn done(transaction: Transaction) -> Result<()> {
    match transaction.done().await {
        Ok(TransactionResult::Committed) => Ok(()),
        // The reason is not handed on; a full disk is by far the most common.
        Ok(TransactionResult::Aborted) => Err(full()),
        Err(error) => Err(failed(&error)),
    }
}

fn run_key(project: ProjectId, run: RunId) -> JsValue {
    if run == 0 { number(project) } else { Array::of2(&number(project), &number(run)).into() }
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
    Object::from_entries(&entries).map(JsValue::from).map_err(|_| trouble("a record could not be made".into()))
}

/// Numbers of projects and pictures stay below 2^53.
fn number(key: u64) -> JsValue {
    (key as f64).into()
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| trouble(e.to_string()))
}

/// A record that cannot be read is left alone: a newer version of the page may have written it.
fn parsed<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).inspect_err(|e| log::warn!("a record is not understood: {e}")).ok()
}

fn failed(error: &rexie::Error) -> Error {
    let reason = match error {
        rexie::Error::IdbError(error) => error.to_string(),
        error => error.to_string(),
    };
    if reason.contains("Quota") { full() } else { trouble(reason) }
}

fn full() -> Error {
    trouble(
        "the browser has no room left for it. Delete projects or pictures you no longer need, or free disk space, and try again"
            .into(),
    )
}

fn trouble(reason: String) -> Error {
    Error::Io { path: "this browser's storage".into(), reason }
}
