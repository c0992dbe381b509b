//! A project out of this page and back in, as one archive.

use std::collections::HashMap;

use js_sys::Date;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::intake::Heap;
use super::keeping::said;
use super::state::{Adding, Studio};
use super::train::Record;
use crate::studio::archive::{CHECKPOINT, HISTORY, MANIFEST, Manifest, RUNS, safe};
use crate::studio::{ClassId, Picture, ProjectId, Role};
use crate::web::{self, ArchiveBuilder, Run, Vault};
use crate::{Error, Result};

impl Studio {
    /// Saves a project as an archive. Pictures go from the browser's storage into the file without being read here.
    pub fn export(self, id: ProjectId) {
        spawn_local(async move {
            if let Err(error) = self.export_now(id).await {
                self.adding.set(None);
                self.fail(&error);
            }
        });
    }

    /// Saves the examples of a class as an archive of one folder, which can be added to any project.
    pub fn export_class(self, class: ClassId) {
        spawn_local(async move {
            if let Err(error) = self.export_class_now(class).await {
                self.fail(&error);
            }
        });
    }

    async fn export_class_now(self, class: ClassId) -> Result<()> {
        let vault = self.vault()?;
        let Some(project) = self.project.get_untracked() else { return Ok(()) };
        let Some(name) = project.class(class).map(|class| class.name.clone()) else { return Ok(()) };
        let wanted = |picture: &&Picture| picture.class == class && picture.role == Role::Example;
        let pictures: Vec<Picture> = self.pictures.with_untracked(|all| all.iter().filter(wanted).cloned().collect());
        let file_name = format!("{}.zip", safe(&name));
        let bytes = pictures.iter().map(|picture| picture.bytes).sum();
        let Some(place) = web::choose_place(&file_name, bytes).await else { return Ok(()) };
        let mut archive = ArchiveBuilder::default();
        add_pictures(&mut archive, &vault, &Manifest::new(&project, &pictures)).await?;
        archive.save(&file_name, place).await
    }

    async fn export_now(self, id: ProjectId) -> Result<()> {
        let vault = self.vault()?;
        let Some(project) = self.projects.with_untracked(|all| all.iter().find(|project| project.id == id).cloned()) else {
            return Ok(());
        };
        let pictures: Vec<Picture> = vault.pictures(id).await?.into_iter().filter(|picture| !picture.trashed).collect();
        let manifest = Manifest::new(&project, &pictures);
        let runs: Vec<Run> = vault.runs(id).await?.into_iter().filter(|run| !Record::is_trashed(&run.history)).collect();
        let file_name = format!("{}.zip", safe(&project.name));
        let checkpoints = runs.iter().map(|run| run.checkpoint.size() as u64);
        let bytes = pictures.iter().map(|picture| picture.bytes).chain(checkpoints).sum();
        let Some(place) = web::choose_place(&file_name, bytes).await else { return Ok(()) };
        let mut archive = ArchiveBuilder::default();
        archive.add_bytes(MANIFEST, &manifest.write()?)?;
        add_pictures(&mut archive, &vault, &manifest).await?;
        // The run in use where every page looks for it, the others in folders of their own.
        let used = runs.iter().find(|run| Some(run.id) == project.run).or(runs.last()).map(|run| run.id);
        for run in &runs {
            let folder = if Some(run.id) == used { String::new() } else { format!("{RUNS}/{}/", run.id) };
            archive.add_bytes(&format!("{folder}{HISTORY}"), run.history.as_bytes())?;
            archive.add_blob(&format!("{folder}{CHECKPOINT}"), &run.checkpoint).await?;
        }
        archive.save(&file_name, place).await
    }

    /// Makes a project of what this page wrote, and opens it: an archive, one that was packed again with a folder around it, or a
    /// folder. `root` is where its manifest lies, with a `/` at its end.
    pub(super) async fn import(self, heap: &Heap, root: &str) -> Result<()> {
        let id = self.new_number();
        let imported = self.import_now(heap, root, id).await;
        self.finish(imported, id).await;
        Ok(())
    }

    async fn import_now(self, heap: &Heap, root: &str, id: ProjectId) -> Result<()> {
        let vault = self.vault()?;
        let files: HashMap<&str, usize> =
            heap.found.iter().enumerate().filter_map(|(at, file)| Some((file.path.strip_prefix(root)?, at))).collect();
        let entry = |path: &str| files.get(path).copied();
        let missing = |path: &str| Error::File { name: path.into(), reason: t!("studio.not_inside").into_owned().into() };
        let manifest = Manifest::read(&heap.bytes(entry(MANIFEST).ok_or_else(|| missing(MANIFEST))?).await?)?;
        let mut project = manifest.project;
        (project.id, project.changed_ms, project.trashed) = (id, Date::now(), false);
        // Of an older page's archive nobody knows the number.
        let used = project.run.unwrap_or_else(|| self.new_number());
        project.run = Some(used);
        let of = manifest.pictures.len();
        let mut numbers = HashMap::new();
        for (done, kept) in manifest.pictures.into_iter().enumerate() {
            self.adding.set(Some(Adding { done, of }));
            let Some(entry) = entry(&kept.path) else {
                self.skip(kept.path, t!("studio.not_inside").into_owned());
                continue;
            };
            let added = async {
                let bytes = heap.bytes(entry).await?;
                // Not what the manifest says of it: the file may have been replaced by hand.
                let specimen = web::specimen_of_bytes(&kept.picture.name, &bytes).await?;
                let before = kept.picture.id;
                let picture = Picture {
                    id: self.new_number(),
                    project: project.id,
                    trashed: false,
                    width: specimen.width,
                    height: specimen.height,
                    bytes: specimen.bytes,
                    kind: specimen.kind,
                    crc32: specimen.crc32,
                    ..kept.picture
                };
                vault.add_picture(&picture, &specimen.file, &specimen.thumbnail).await.map(|()| (before, picture.id))
            };
            match added.await {
                Ok((before, now)) => drop(numbers.insert(before, now)),
                // Of one that cannot be kept whole nothing is kept.
                Err(error @ Error::Storage(_)) => return Err(error),
                Err(error) => self.skip(kept.path, said(&error)),
            }
        }
        let folders = files.keys().filter_map(|path| {
            let (number, file) = path.strip_prefix(RUNS)?.strip_prefix('/')?.split_once('/')?;
            Some((format!("{RUNS}/{number}/"), number.parse().ok()?)).filter(|_| file == HISTORY)
        });
        let others: Vec<(String, u64)> = folders.collect();
        for (folder, id) in others.into_iter().chain([(String::new(), used)]) {
            let path = |file: &str| format!("{folder}{file}");
            let (Some(checkpoint), Some(history)) = (entry(&path(CHECKPOINT)), entry(&path(HISTORY))) else { continue };
            let checkpoint = web::blob(CHECKPOINT, &heap.bytes(checkpoint).await?, "application/octet-stream")?;
            let history = String::from_utf8_lossy(&heap.bytes(history).await?).into_owned();
            let history = Record::renumbered(&history, &numbers);
            vault.put_run(project.id, &Run { id, checkpoint, history }).await?;
        }
        // Last, so that a project is whole when it is there at all.
        vault.put_project(&project).await?;
        self.say_listed(id);
        self.projects.update(|all| all.insert(0, project));
        let skipped = self.skipped.get_untracked();
        self.open_now(id).await?;
        self.skipped.set(skipped);
        Ok(())
    }
}

/// From the browser's storage into the archive, without being read here.
async fn add_pictures(archive: &mut ArchiveBuilder, vault: &Vault, manifest: &Manifest) -> Result<()> {
    for kept in &manifest.pictures {
        let file = vault.file(kept.picture.id).await?;
        archive.add(&kept.path, &file, kept.picture.crc32, kept.picture.bytes)?;
    }
    Ok(())
}
