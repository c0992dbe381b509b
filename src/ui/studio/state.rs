//! What the studio knows: the projects of this device, the open one with its pictures, and what can be undone.
//!
//! Everything that changes is written to the [vault](crate::web::Vault) at once. Writes are begun in the order of the changes, and
//! the browser keeps that order for the same records.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::keeping::said;
use super::train::Record;
use crate::data::RgbaImage;
use crate::sorting;
use crate::studio::folders::Skipped;
use crate::studio::project::{Numbers, move_pictures, set_aside};
use crate::studio::{ClassId, Deed, Picture, PictureId, Project, ProjectId, Role, RunId};
use crate::ui::focus::mend_focus;
use crate::web::{self, Elder, ObjectUrl, Quota, Standing, Tabs, Vault, vault};
use crate::{Error, Result, StorageTrouble};

/// Key of the project that was open last, in the browser's local storage.
pub(super) const OPEN_KEY: &str = "reslab-project";
/// Deeds that can be undone.
const UNDO_LIMIT: usize = 50;

/// Whether the projects are at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Being opened.
    Opening,
    /// The same, for longer than it should take.
    Late,
    /// A newer version of the page has written there.
    Newer,
    /// Open; where the browser keeps nothing, in memory.
    Open,
}

/// Pictures that are being added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adding {
    pub done: usize,
    pub of: usize,
}

/// A tile's picture, once it is read.
pub type Thumbnail = ArcRwSignal<Option<Arc<ObjectUrl>>>;

/// The studio's state. Copied into every component; lives as long as the page.
#[derive(Clone, Copy)]
pub struct Studio {
    pub storage: RwSignal<Storage>,
    /// All that are not deleted, the newest change first.
    pub projects: RwSignal<Vec<Project>>,
    /// The open one.
    pub project: RwSignal<Option<Project>>,
    /// Its pictures, but for those that were deleted, oldest first.
    pub pictures: RwSignal<Vec<Picture>>,
    pub selected: RwSignal<BTreeSet<PictureId>>,
    /// The class that was touched last: what is pasted goes there.
    pub target: RwSignal<Option<ClassId>>,
    /// The class whose card has the camera.
    pub filming: RwSignal<Option<ClassId>>,
    pub deeds: RwSignal<Vec<Deed>>,
    pub adding: RwSignal<Option<Adding>>,
    /// Files that were not taken, and why.
    pub skipped: RwSignal<Vec<Skipped>>,
    pub error: RwSignal<Option<String>>,
    pub quota: RwSignal<Option<Quota>>,
    /// The browser has declined to keep the projects for good.
    pub refused: RwSignal<bool>,
    /// A run whose deletion is undone; training brings it back.
    pub returning: RwSignal<Option<RunId>>,
    /// How it stands with what was written.
    pub standing: RwSignal<Standing>,
    /// Projects of the site that are not this copy's own.
    pub elder: RwSignal<Vec<Project>>,
    pub(super) elder_vault: StoredValue<Option<Rc<Elder>>, LocalStorage>,
    /// Whether another tab has the open project too.
    pub elsewhere: RwSignal<bool>,
    pub(super) tabs: StoredValue<Option<Tabs>, LocalStorage>,
    /// Deleted pictures of the open project; they leave the vault when it is opened anew.
    pub(super) trash: StoredValue<Vec<Picture>>,
    /// The project that was closed last.
    closed: StoredValue<Option<ProjectId>>,
    thumbnails: StoredValue<HashMap<PictureId, Thumbnail>>,
    numbers: StoredValue<Numbers>,
    /// Counts up with every project that is opened: what is read of an earlier one comes too late.
    openings: StoredValue<u64>,
    pub(super) vault: StoredValue<Option<Rc<Vault>>, LocalStorage>,
}

impl Studio {
    /// Begins to open the vault, and in it the project that was open last.
    pub fn start() -> Self {
        let studio = Self {
            storage: RwSignal::new(Storage::Opening),
            projects: RwSignal::new(Vec::new()),
            project: RwSignal::new(None),
            pictures: RwSignal::new(Vec::new()),
            selected: RwSignal::new(BTreeSet::new()),
            target: RwSignal::new(None),
            filming: RwSignal::new(None),
            deeds: RwSignal::new(Vec::new()),
            adding: RwSignal::new(None),
            skipped: RwSignal::new(Vec::new()),
            error: RwSignal::new(None),
            quota: RwSignal::new(None),
            refused: RwSignal::new(false),
            returning: RwSignal::new(None),
            standing: RwSignal::new(Standing::default()),
            elder: RwSignal::new(Vec::new()),
            elder_vault: StoredValue::new_local(None),
            elsewhere: RwSignal::new(false),
            tabs: StoredValue::new_local(None),
            trash: StoredValue::new(Vec::new()),
            closed: StoredValue::new(None),
            thumbnails: StoredValue::new(HashMap::new()),
            numbers: StoredValue::new(Numbers::default()),
            openings: StoredValue::new(0),
            vault: StoredValue::new_local(None),
        };
        studio.keep();
        studio
    }

    pub(super) fn vault(self) -> Result<Rc<Vault>> {
        self.vault.with_value(Clone::clone).ok_or_else(|| StorageTrouble::Silent.into())
    }

    /// A key of the browser's local storage that other copies of the page on this site do not have.
    pub(super) fn own_key(self, key: &str) -> String {
        self.vault.with_value(|vault| vault.as_ref().map_or_else(|| key.to_owned(), |vault| vault.own_key(key)))
    }

    /// Runs a write beside the page; its failure is said.
    pub(super) fn write<F: Future<Output = Result<()>> + 'static>(self, job: impl FnOnce(Rc<Vault>) -> F) {
        match self.vault() {
            Ok(vault) => {
                let job = job(vault);
                spawn_local(async move {
                    if let Err(error) = job.await {
                        self.fail(&error);
                    }
                });
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Says an error, unless it is said already: what is not saved stays told until it is.
    pub(super) fn fail(self, error: &Error) {
        log::error!("{error}");
        if !(matches!(error, Error::Storage(_)) && self.standing.with_untracked(|standing| standing.unsaved > 0)) {
            self.error.set(Some(said(error)));
        }
    }

    /// Asks how full the storage is.
    pub fn measure(self) {
        spawn_local(async move { self.quota.set(vault::quota().await) });
    }

    /// Asks the browser to keep the projects when disk space is short.
    pub fn persist(self) {
        spawn_local(async move {
            self.refused.set(!vault::ask_to_persist().await);
            self.quota.set(vault::quota().await);
        });
    }

    pub(super) fn new_number(self) -> u64 {
        let beyond = self.pictures.with_untracked(|pictures| pictures.last().map_or(0, |picture| picture.id));
        self.numbers.try_update_value(|numbers| numbers.next(js_sys::Date::now(), beyond)).unwrap_or_default()
    }

    // Projects

    /// Makes a project and opens it.
    pub fn create(self, name: &str) -> ProjectId {
        let project = Project::new(self.new_number(), name, js_sys::Date::now());
        self.closed.set_value(None);
        let id = project.id;
        self.projects.update(|projects| projects.insert(0, project.clone()));
        self.openings.update_value(|number| *number += 1);
        self.show(project.clone(), Vec::new());
        self.write(move |vault| async move {
            vault.put_project(&project).await?;
            self.say_listed(id);
            Ok(())
        });
        id
    }

    /// Opens a project.
    pub fn open(self, id: ProjectId) {
        self.closed.set_value(None);
        spawn_local(async move {
            if let Err(error) = self.open_now(id).await {
                self.fail(&error);
            }
        });
    }

    pub(super) async fn open_now(self, id: ProjectId) -> Result<()> {
        let vault = self.vault()?;
        let number = self.openings.try_update_value(|number| {
            *number += 1;
            *number
        });
        // Another tab may have changed or deleted it since the list was read.
        let Some(project) = vault.project(id).await?.filter(|project| !project.trashed) else {
            self.projects.update(|all| all.retain(|project| project.id != id));
            return Err(StorageTrouble::Gone.into());
        };
        let (gone, pictures): (Vec<_>, Vec<_>) = vault.pictures(id).await?.into_iter().partition(|picture| picture.trashed);
        // While another tab is there it may offer to bring them back.
        if !gone.is_empty() && web::is_alone(vault.name()).await {
            vault.delete_pictures(&gone.iter().map(|picture| picture.id).collect::<Vec<_>>()).await?;
        }
        if Some(self.openings.get_value()) == number {
            self.projects
                .update(|all| all.iter_mut().filter(|known| known.id == id).for_each(|known| *known = project.clone()));
            self.show(project, pictures);
        }
        Ok(())
    }

    fn show(self, project: Project, mut pictures: Vec<Picture>) {
        sorting::sort_by_key(&mut pictures, |picture| picture.id);
        web::remember(&self.own_key(OPEN_KEY), &project.id.to_string());
        self.selected.set(BTreeSet::new());
        self.target.set(None);
        self.filming.set(None);
        self.skipped.set(Vec::new());
        self.forget_deeds();
        self.thumbnails.set_value(HashMap::new());
        self.pictures.set(pictures);
        self.project.set(Some(project));
        self.say_open();
        // The list that was left had the focus.
        mend_focus();
    }

    /// Nothing can be undone any more.
    pub(super) fn forget_deeds(self) {
        self.deeds.set(Vec::new());
        self.trash.set_value(Vec::new());
    }

    /// Closes the open project: the list of all is shown, and the address says so.
    pub fn close(self) {
        self.leave_for_list();
        if let Some(location) = web_sys::window().map(|window| window.location())
            && location.set_hash(super::step::LIST).is_err()
        {
            log::debug!("the address stays as it is");
        }
    }

    /// Closes the open project because the address is the list's.
    pub(super) fn leave_for_list(self) {
        self.say_closed();
        web::remember(&self.own_key(OPEN_KEY), "");
        self.closed.set_value(self.project.with_untracked(|open| open.as_ref().map(|open| open.id)));
        self.leave();
        mend_focus();
    }

    /// Opens the project that was closed last: the way back leads into it.
    pub(super) fn open_again(self) {
        if let Some(id) = self.closed.get_value() {
            self.open(id);
        }
    }

    /// Shows the list of all, and tells nobody.
    pub(super) fn leave(self) {
        self.openings.update_value(|number| *number += 1);
        self.project.set(None);
        self.pictures.set(Vec::new());
        // What was done in it is undone in it.
        self.forget_deeds();
    }

    /// Changes the open project and writes it.
    pub fn change(self, change: impl FnOnce(&mut Project)) {
        self.project.update(|project| {
            if let Some(project) = project {
                change(project);
                project.changed_ms = js_sys::Date::now();
            }
        });
        self.save_project();
    }

    pub(super) fn save_project(self) {
        let Some(project) = self.project.get_untracked() else { return };
        self.projects.update(|all| {
            if let Some(known) = all.iter_mut().find(|known| known.id == project.id) {
                *known = project.clone();
            }
        });
        self.write(|vault| async move { vault.put_project(&project).await });
    }

    /// Deletes a project; can be undone until the page is opened anew.
    pub fn delete_project(self, id: ProjectId) {
        let Some(mut project) = self.projects.with_untracked(|all| all.iter().find(|project| project.id == id).cloned()) else {
            return;
        };
        project.trashed = true;
        self.say_gone(id);
        self.projects.update(|all| all.retain(|project| project.id != id));
        if self.project.with_untracked(|open| open.as_ref().is_some_and(|open| open.id == id)) {
            self.close();
        }
        self.deeds.set(vec![Deed::DeletedProject(id)]);
        self.write(move |vault| async move {
            vault.put_project(&project).await?;
            self.say_listed(id);
            Ok(())
        });
    }

    /// Copies a project with its pictures.
    pub fn duplicate(self, id: ProjectId) {
        spawn_local(async move {
            let to = self.new_number();
            let copied = self.duplicate_now(id, to).await;
            self.finish(copied, to).await;
        });
    }

    async fn duplicate_now(self, id: ProjectId, to: ProjectId) -> Result<()> {
        let vault = self.vault()?;
        let Some(mut copy) = self.projects.with_untracked(|all| all.iter().find(|project| project.id == id).cloned()) else {
            return Ok(());
        };
        copy.id = to;
        copy.name = t!("studio.copy_of", name = copy.name).into_owned();
        copy.changed_ms = js_sys::Date::now();
        let pictures = vault.pictures(id).await?.into_iter().filter(|picture| !picture.trashed).collect::<Vec<_>>();
        let of = pictures.len();
        let mut numbers = HashMap::new();
        for (done, mut picture) in pictures.into_iter().enumerate() {
            self.adding.set(Some(Adding { done, of }));
            let (file, thumbnail) = (vault.file(picture.id).await?, vault.thumbnail(picture.id).await?);
            let before = picture.id;
            (picture.id, picture.project) = (self.new_number(), copy.id);
            numbers.insert(before, picture.id);
            vault.add_picture(&picture, &file, &thumbnail).await?;
        }
        for mut run in vault.runs(id).await? {
            run.history = Record::renumbered(&run.history, &numbers);
            vault.put_run(copy.id, &run).await?;
        }
        vault.put_project(&copy).await?;
        self.say_listed(copy.id);
        self.projects.update(|all| all.insert(0, copy));
        Ok(())
    }

    // Classes

    /// Adds a class that the person has yet to name.
    pub fn add_class(self) -> Option<ClassId> {
        let name = self.next_class_name();
        self.try_change(|project| project.add_placeholder(&name))
    }

    /// A name for one more class.
    fn next_class_name(self) -> String {
        let taken = |name: &str| {
            self.project
                .with_untracked(|project| project.as_ref().is_some_and(|p| p.classes.iter().any(|class| class.name == name)))
        };
        let names = (1_u32..).map(|number| t!("studio.class_number", number = number).into_owned());
        // There are fewer classes than numbers.
        names.into_iter().find(|name| !taken(name)).unwrap_or_default()
    }

    /// Renames a class; the refusal is a sentence for beside its name.
    pub fn rename_class(self, id: ClassId, name: &str) -> Result<()> {
        let mut result = Ok(());
        self.change(|project| result = project.rename_class(id, name));
        result
    }

    /// Deletes a class with its pictures.
    pub fn delete_class(self, id: ClassId) {
        let mut pictures = self.pictures.get_untracked();
        let mut deed = None;
        self.change(|project| deed = project.delete_class(id, &mut pictures));
        if let Some(deed) = deed {
            self.settle(pictures, deed);
        }
    }

    fn try_change<T>(self, change: impl FnOnce(&mut Project) -> Result<T>) -> Option<T> {
        let mut result = None;
        self.change(|project| result = Some(change(project)));
        match result? {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.set(Some(error.to_string()));
                None
            }
        }
    }

    // Pictures

    /// Deletes pictures.
    pub fn delete_pictures(self, ids: &BTreeSet<PictureId>) {
        let mut pictures = self.pictures.get_untracked();
        let deleted = set_aside(&mut pictures, |picture| ids.contains(&picture.id));
        if !deleted.is_empty() {
            self.settle(pictures, Deed::DeletedPictures(deleted));
        }
    }

    /// Moves pictures to another class.
    pub fn move_pictures(self, ids: &BTreeSet<PictureId>, to: ClassId) {
        let mut pictures = self.pictures.get_untracked();
        let deed = move_pictures(&mut pictures, ids, to);
        if deed != Deed::Moved(Vec::new()) {
            self.settle(pictures, deed);
        }
    }

    /// Undoes the last deed.
    pub fn undo(self) {
        let mut last = None;
        self.deeds.update(|deeds| last = deeds.pop());
        let Some(deed) = last else { return };
        if let Deed::DeletedProject(id) = deed {
            self.undelete_project(id);
            return;
        }
        if let Deed::DeletedRun(run) = deed {
            self.returning.set(Some(run));
            return;
        }
        let mut pictures = self.pictures.get_untracked();
        self.trash.update_value(|trash| pictures.append(trash));
        let before = pictures.clone();
        self.change(|project| project.undo(&deed, &mut pictures));
        let changed = changes(&before, &pictures);
        self.part(pictures);
        self.write_pictures(changed);
    }

    fn undelete_project(self, id: ProjectId) {
        self.write(move |vault| async move {
            let mut project = vault.project(id).await?.ok_or(StorageTrouble::Gone)?;
            project.trashed = false;
            vault.put_project(&project).await?;
            self.projects.update(|all| all.insert(0, project));
            self.say_listed(id);
            Ok(())
        });
    }

    /// Remembers a deed, so that it can be undone.
    pub(super) fn push_deed(self, deed: Deed) {
        self.deeds.update(|deeds| {
            deeds.push(deed);
            if deeds.len() > UNDO_LIMIT {
                deeds.remove(0);
            }
        });
    }

    /// Whether the deletion of this run can still be undone.
    pub(super) fn can_undo_run(self, run: RunId) -> bool {
        self.deeds.with_untracked(|deeds| deeds.contains(&Deed::DeletedRun(run)))
    }

    /// Takes the changed records, remembers the deed and writes both.
    fn settle(self, pictures: Vec<Picture>, deed: Deed) {
        let changed = self.pictures.with_untracked(|before| changes(before, &pictures));
        self.part(pictures);
        self.selected.set(BTreeSet::new());
        self.push_deed(deed);
        self.write_pictures(changed);
    }

    fn part(self, pictures: Vec<Picture>) {
        let (trash, mut pictures): (Vec<_>, Vec<_>) = pictures.into_iter().partition(|picture| picture.trashed);
        self.trash.update_value(|all| all.extend(trash));
        sorting::sort_by_key(&mut pictures, |picture| picture.id);
        self.pictures.set(pictures);
    }

    fn write_pictures(self, changed: Vec<Picture>) {
        if !changed.is_empty() {
            self.write(|vault| async move { vault.put_pictures(&changed).await });
        }
    }

    /// Pictures of a class and role in the open project, oldest first.
    pub fn ids(self, class: ClassId, role: Role) -> Vec<PictureId> {
        self.pictures.with(|pictures| {
            pictures.iter().filter(|picture| picture.class == class && picture.role == role).map(|picture| picture.id).collect()
        })
    }

    /// How many pictures of a class there are to learn from.
    pub fn count(self, class: ClassId) -> usize {
        self.pictures
            .with(|pictures| pictures.iter().filter(|picture| picture.class == class && picture.role == Role::Example).count())
    }

    /// The picture's tile: read from the vault when it is first asked for.
    pub fn thumbnail(self, id: PictureId) -> Thumbnail {
        let known = self.thumbnails.with_value(|all| all.get(&id).cloned());
        if let Some(known) = known {
            return known;
        }
        let tile: Thumbnail = ArcRwSignal::new(None);
        self.thumbnails.update_value(|all| drop(all.insert(id, tile.clone())));
        let shown = tile.clone();
        spawn_local(async move {
            let read = async { web::object_url(&self.vault()?.thumbnail(id).await?) };
            match read.await {
                Ok(url) => shown.set(Some(Arc::new(url))),
                Err(error) => log::warn!("{error}"),
            }
        });
        tile
    }

    /// The pixels of a kept picture.
    pub async fn image(self, id: PictureId) -> Result<RgbaImage> {
        let file = self.vault()?.file(id).await?;
        let name = self.name(id);
        let bytes = web::read_blob(&name, &file).await?;
        web::decode_bytes(&name, &bytes).await
    }

    fn name(self, id: PictureId) -> String {
        let name = |pictures: &Vec<Picture>| pictures.iter().find(|picture| picture.id == id).map(|p| p.name.clone());
        self.pictures.with_untracked(name).unwrap_or_else(|| "picture".into())
    }
}

/// The records that are not what they were.
fn changes(before: &[Picture], now: &[Picture]) -> Vec<Picture> {
    let before: HashMap<PictureId, &Picture> = before.iter().map(|picture| (picture.id, picture)).collect();
    now.iter().filter(|picture| before.get(&picture.id) != Some(picture)).cloned().collect()
}
