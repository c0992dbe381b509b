//! Training as the page knows it: how the open project is to be trained, where its run stands, and what is kept of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use serde::{Deserialize, Serialize};
use web_sys::Blob;

use crate::data::{Preset, RgbaImage};
use crate::engine::{
    Activation, Backbone, Beginning, Command, EstimateOrder, Examples, ModelInfo, Origin, PreviewOrder, ResumeOrder, Sides,
    TrainingEvent, TrainingOrder, scratch_preset,
};
use crate::ops::LossKind;
use crate::studio::mirror;
use crate::studio::usual::{fitted, usual};
use crate::studio::{Class, ClassId, Deed, Picture, PictureId, Project, ProjectId, Role, RunId, Settings};
use crate::train::recipe::TrainDepth;
use crate::train::{self, Epoch, Estimate, Outline, Recipe, Steps};
use crate::ui::format;
use crate::ui::lab::Pending;
use crate::ui::workshop::Workshop;
use crate::web::{self, Run};
use crate::{Error, Result};

/// Where the run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has begun.
    Idle,
    /// Pictures are decoded and reduced.
    Reading { done: usize, of: usize },
    /// The engine plans.
    Planning,
    /// It learns.
    Going,
    /// Asked to rest; the present chunk ends first.
    Stopping,
    /// At rest, or done.
    Rests { finished: bool },
}

/// What is kept of a run beside its checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Name of the model.
    pub name: String,
    /// The project's classes in the order of the logits.
    pub classes: Vec<ClassId>,
    /// Which pictures trained and which judged.
    pub sides: Sides,
    /// How it was trained.
    pub recipe: Recipe,
    /// How the network reads pictures.
    pub pixels: Preset,
    /// Every epoch so far.
    pub history: Vec<Epoch>,
    /// Nothing was left to do.
    pub finished: bool,
    /// Digests of those pictures: one that was deleted and added again is known by it.
    #[serde(default)]
    pub digests: HashMap<PictureId, String>,
    /// What it began with, in words; empty in a record of an older page.
    #[serde(default)]
    pub from: String,
    /// Milliseconds since 1970 when it began; 0 in a record of an older page.
    #[serde(default)]
    pub begun_ms: f64,
    /// Set aside by its deletion, which can be undone.
    #[serde(default)]
    pub trashed: bool,
}

impl Record {
    /// The sides by the numbers that the pictures have now.
    fn sides_now(&self, pictures: &[Picture]) -> Sides {
        let known: HashSet<PictureId> = pictures.iter().map(|picture| picture.id).collect();
        let by_digest: HashMap<&str, PictureId> =
            pictures.iter().map(|picture| (picture.digest.as_str(), picture.id)).collect();
        let now = |id: &PictureId| match self.digests.get(id) {
            Some(digest) if !known.contains(id) => by_digest.get(digest.as_str()).copied().unwrap_or(*id),
            _ => *id,
        };
        let side = |ids: &[PictureId]| ids.iter().map(now).collect();
        Sides { train: side(&self.sides.train), validation: side(&self.sides.validation) }
    }

    /// How many of these pictures the run does not know, and how many it knows that are not among them.
    fn changes(&self, pictures: &[Picture]) -> (usize, usize) {
        let sides = self.sides_now(pictures);
        let before: HashSet<PictureId> = sides.train.into_iter().chain(sides.validation).collect();
        let now: HashSet<PictureId> = pictures
            .iter()
            .filter(|picture| picture.role == Role::Example && self.classes.contains(&picture.class))
            .map(|picture| picture.id)
            .collect();
        (now.difference(&before).count(), before.difference(&now).count())
    }

    /// A kept record whose pictures have got other numbers: old ones with the new ones. A text that is no record stays as it is.
    pub fn renumbered(text: &str, numbers: &HashMap<PictureId, PictureId>) -> String {
        let Ok(mut record) = serde_json::from_str::<Self>(text) else { return text.to_owned() };
        for side in [&mut record.sides.train, &mut record.sides.validation] {
            *side = side.iter().filter_map(|picture| numbers.get(picture).copied()).collect();
        }
        record.digests = record.digests.into_iter().filter_map(|(id, digest)| Some((*numbers.get(&id)?, digest))).collect();
        serde_json::to_string(&record).unwrap_or_else(|_| text.to_owned())
    }

    /// Whether a kept record is set aside.
    pub fn is_trashed(text: &str) -> bool {
        serde_json::from_str::<Self>(text).is_ok_and(|record| record.trashed)
    }

    /// How the network's logits are meant.
    pub fn activation(&self) -> Activation {
        match self.recipe.loss {
            LossKind::SoftmaxCrossEntropy { .. } => Activation::Softmax,
            LossKind::SigmoidCrossEntropy { .. } => Activation::Sigmoid,
        }
    }
}

/// The state; lives as long as the page.
#[derive(Clone, Copy)]
pub struct Training {
    pub backbone: RwSignal<Backbone>,
    /// The last model that was not trained here.
    pub pretrained: RwSignal<Option<Arc<ModelInfo>>>,
    pub phase: RwSignal<Phase>,
    pub outline: RwSignal<Option<Outline>>,
    pub steps: RwSignal<Option<Steps>>,
    /// Share of the validation that is done.
    pub validating: RwSignal<Option<f32>>,
    pub history: RwSignal<Vec<Epoch>>,
    /// The run of the open project that is in use.
    pub record: RwSignal<Option<Record>>,
    /// Its number.
    pub run: RwSignal<Option<RunId>>,
    /// All runs of the open project that are kept, the oldest first.
    pub runs: RwSignal<Vec<(RunId, Record)>>,
    pub error: RwSignal<Option<String>>,
    /// No error, but worth knowing.
    pub note: RwSignal<Option<String>>,
    /// What each depth would take: head, last stage, all.
    pub estimates: RwSignal<[Option<Estimate>; 3]>,
    /// What the network would see.
    pub preview: RwSignal<Vec<RgbaImage>>,
    /// The project whose run it is, and whether the engine holds it.
    project: StoredValue<Option<ProjectId>>,
    alive: RwSignal<bool>,
    /// Counts up with every reading of pictures: an older one ends.
    reading: StoredValue<u64>,
    /// The checkpoint that is coming in, and the last whole one.
    pieces: StoredValue<Vec<Blob>, LocalStorage>,
    kept: StoredValue<Option<Blob>, LocalStorage>,
    /// What the engine says is about the run of a project that was left.
    left: StoredValue<bool>,
    /// Pictures that are new and gone since the run that goes on.
    changed: StoredValue<(usize, usize)>,
}

impl Training {
    pub fn new() -> Self {
        Self {
            backbone: RwSignal::new(Backbone::Pretrained),
            pretrained: RwSignal::new(None),
            phase: RwSignal::new(Phase::Idle),
            outline: RwSignal::new(None),
            steps: RwSignal::new(None),
            validating: RwSignal::new(None),
            history: RwSignal::new(Vec::new()),
            record: RwSignal::new(None),
            run: RwSignal::new(None),
            runs: RwSignal::new(Vec::new()),
            error: RwSignal::new(None),
            note: RwSignal::new(None),
            estimates: RwSignal::new([None; 3]),
            preview: RwSignal::new(Vec::new()),
            project: StoredValue::new(None),
            alive: RwSignal::new(false),
            reading: StoredValue::new(0),
            pieces: StoredValue::new_local(Vec::new()),
            kept: StoredValue::new_local(None),
            left: StoredValue::new(false),
            changed: StoredValue::new((0, 0)),
        }
    }

    /// Whether a run is being prepared or learns.
    pub fn busy(self) -> bool {
        !matches!(self.phase.get(), Phase::Idle | Phase::Rests { .. })
    }

    /// The same without following it.
    pub fn busy_now(self) -> bool {
        untrack(|| self.busy())
    }

    /// Whether there is a run to go on with.
    pub fn can_go_on(self) -> bool {
        matches!(self.phase.get(), Phase::Rests { finished: false }) && (self.alive.get() || self.record.with(Option::is_some))
    }

    /// Share of the run that is done, 0 to 1.
    pub fn progress(self) -> f64 {
        match self.phase.get() {
            Phase::Reading { done, of } => done as f64 / of.max(1) as f64,
            Phase::Rests { finished: true } => 1.0,
            _ => {
                let (Some(outline), Some(now)) = (self.outline.get(), self.steps.get()) else { return 0.0 };
                let share = f64::from(now.epoch - 1) + now.step as f64 / now.steps.max(1) as f64;
                (share / f64::from(outline.epochs.max(1))).min(1.0)
            }
        }
    }

    /// How far a run is, for a window's title: `3 of 15, 92 %`. Nothing while none goes on.
    pub fn state_words(self) -> Option<String> {
        if !self.busy() {
            return None;
        }
        let epochs = self.outline.with(|outline| outline.as_ref().map(|outline| outline.epochs))?;
        let (done, best) = self.history.with(|history| {
            let best = best_epoch(history).map(|best| format::share(best.validation.unwrap_or(best.train).top1));
            (history.len(), best)
        });
        let count = t!("train.title_count", done = done, epochs = epochs);
        Some(best.map_or_else(|| count.clone().into_owned(), |best| format!("{count}, {best}")))
    }

    /// Seconds the rest will take, once that can be told.
    pub fn seconds_left(self) -> Option<f64> {
        let (outline, now) = (self.outline.get()?, self.steps.get()?);
        let left = f64::from(outline.epochs) - f64::from(now.epoch - 1) - now.step as f64 / now.steps.max(1) as f64;
        // The first epoch also compiles kernels: the newest tells the most.
        let epoch = self.history.with(|history| history.last().map(|epoch| epoch.seconds));
        let epoch = epoch.unwrap_or((outline.steps_per_epoch * u64::from(outline.batch)) as f64 / now.images_per_s.max(1e-9));
        Some(epoch * left)
    }

    fn forget(self) {
        self.phase.set(Phase::Idle);
        self.outline.set(None);
        self.steps.set(None);
        self.validating.set(None);
        self.history.set(Vec::new());
        self.record.set(None);
        self.run.set(None);
        self.error.set(None);
        self.note.set(None);
        self.preview.set(Vec::new());
        self.kept.set_value(None);
        self.pieces.set_value(Vec::new());
    }
}

impl Workshop {
    /// What the open project's training will be told.
    pub fn recipe(self) -> Recipe {
        let settings = self.studio.project.with(|p| p.as_ref().map(|p| p.settings.clone()).unwrap_or_default());
        let usual = usual(&settings, self.pictures_to_learn(), self.pixels().map_or(32, |pixels| pixels.crop.0));
        let (depth, epochs) = (usual.depth, usual.epochs);
        fitted(Recipe { depth, epochs, ..settings.recipe.unwrap_or(usual) })
    }

    /// How the network that training begins with reads pictures.
    pub fn pixels(self) -> Option<Preset> {
        match self.training.backbone.get() {
            Backbone::Pretrained => self.training.pretrained.with(|model| model.as_ref().map(|model| model.pixels.clone())),
            Backbone::Loaded => self.model.with(|model| model.as_ref().map(|model| model.pixels.clone())),
            Backbone::Scratch { arch, side } => scratch_preset(&arch, side).ok(),
        }
    }

    /// Stages of the network that training begins with: CIFAR's have three, all others four.
    pub fn stages(self) -> u32 {
        let family = match self.training.backbone.get() {
            Backbone::Scratch { arch, .. } => crate::model::ResNetSpec::named(&arch).map(|spec| spec.family().to_owned()).ok(),
            Backbone::Pretrained => self.training.pretrained.with(|m| m.as_ref().map(|m| m.family.clone())),
            Backbone::Loaded => self.model.with(|model| model.as_ref().map(|model| model.family.clone())),
        };
        if family.is_some_and(|family| family.starts_with("cifar")) { 3 } else { 4 }
    }

    /// The classes that take part, with how many pictures each has to learn from.
    pub fn classes_to_learn(self) -> Vec<(Class, usize)> {
        let enabled: Vec<Class> =
            self.studio.project.with(|project| project.as_ref().map(|p| p.enabled().cloned().collect()).unwrap_or_default());
        enabled.into_iter().map(|class| (self.studio.count(class.id), class)).map(|(count, class)| (class, count)).collect()
    }

    pub fn pictures_to_learn(self) -> usize {
        self.classes_to_learn().iter().map(|(_, count)| count).sum()
    }

    /// Two classes of the open project that are each other's mirror image: by their names, or because a trained network took one for
    /// the other.
    pub fn mirror_pair(self) -> Option<(ClassId, ClassId)> {
        self.studio.project.with(|project| {
            let project = project.as_ref()?;
            let enabled: Vec<&Class> = project.enabled().collect();
            let names: Vec<String> = enabled.iter().map(|class| class.name.clone()).collect();
            let named = mirror::by_name(&names).map(|(a, b)| (enabled[a].id, enabled[b].id));
            let there = |id: ClassId| enabled.iter().any(|class| class.id == id);
            named.or_else(|| project.settings.mirrored.iter().copied().find(|(a, b)| there(*a) && there(*b)))
        })
    }

    /// Changes how the open project is trained.
    pub fn change_settings(self, change: impl FnOnce(&mut Settings)) {
        self.studio.change(|project| change(&mut project.settings));
    }

    /// Follows the open project and the loaded model, as long as the page lives.
    pub fn follow_training(self) {
        let training = self.training;
        Effect::new(move |_| {
            if let Some(model) = self.model.get().filter(|model| model.origin != Origin::Trained) {
                training.pretrained.set(Some(model));
            }
        });
        // A class that was renamed has its new name wherever the network answers, and in what is exported.
        let names = Memo::new(move |_| {
            let of = training.record.with(|record| record.as_ref().map(|record| (record.name.clone(), record.classes.clone())));
            let name = |project: &Project, id: &ClassId| project.class(*id).map(|class| class.name.clone());
            let (run, classes) = of?;
            let names = self
                .studio
                .project
                .with(|project| classes.iter().map(|id| name(project.as_ref()?, id)).collect::<Option<Vec<_>>>());
            Some((run, names?))
        });
        Effect::new(move |_| {
            let (Some(model), Some((run, names))) = (self.model.get(), names.get()) else { return };
            let is_runs = model.origin == Origin::Trained && model.name == run && model.labels.len() == names.len();
            if is_runs && model.labels != names {
                self.send(Command::NameClasses(names));
            }
        });
        Effect::new(move |_| {
            if let Some(run) = self.studio.returning.get() {
                self.studio.returning.set(None);
                self.undelete_run(run);
            }
        });
        let open = Memo::new(move |_| self.studio.project.with(|project| project.as_ref().map(|project| project.id)));
        let ready = Memo::new(move |_| self.model.with(Option::is_some));
        Effect::new(move |_| {
            let (open, ready) = (open.get(), ready.get());
            // A run goes on when its project is closed for a while.
            if ready && open.is_some() && open != training.project.get_value() {
                if matches!(training.phase.get_untracked(), Phase::Planning | Phase::Going | Phase::Stopping) {
                    training.left.set_value(true);
                    self.send(Command::StopTraining);
                }
                training.alive.set(false);
                training.reading.update_value(|reading| *reading += 1);
                training.project.set_value(open);
                // Nothing of the project before is shown as this one's.
                training.forget();
                training.runs.set(Vec::new());
                training.backbone.set(Backbone::Pretrained);
                training.estimates.set([None; 3]);
                self.judging.answers.set(None);
                self.exports.forget();
                self.tries.forget();
                self.open_runs();
            }
        });
    }

    /// Brings back what is kept of the open project's runs.
    fn open_runs(self) {
        spawn_local(async move {
            if let Err(error) = self.open_runs_now().await {
                self.training.error.set(Some(error.to_string()));
            }
        });
    }

    /// All of them, and the network of the one in use as the model.
    async fn open_runs_now(self) -> Result<()> {
        let (id, wanted) = match self.studio.project.with_untracked(|open| open.as_ref().map(|open| (open.id, open.run))) {
            Some(open) => open,
            None => return Ok(()),
        };
        let vault = self.studio.vault()?;
        let mut runs = Vec::new();
        for run in vault.runs(id).await? {
            // A page of another version wrote something else: the run is not lost, but this page cannot show it.
            let Ok(record) = serde_json::from_str::<Record>(&run.history) else { continue };
            if record.trashed && !self.studio.can_undo_run(run.id) {
                vault.delete_run(id, run.id).await?;
            } else if !record.trashed && !record.history.is_empty() {
                runs.push((run.id, record));
            }
        }
        if self.training.project.get_value() != Some(id) {
            return Ok(());
        }
        let chosen = runs.iter().map(|(run, _)| *run).find(|run| Some(*run) == wanted);
        let chosen = chosen.or_else(|| runs.last().map(|(run, _)| *run));
        self.training.runs.set(runs);
        match chosen {
            Some(run) => self.take_run(run).await,
            None => {
                self.training.run.set(None);
                self.training.record.set(None);
                self.use_pretrained();
                Ok(())
            }
        }
    }

    /// Shows a kept run and makes its network the model.
    async fn take_run(self, run: RunId) -> Result<()> {
        let training = self.training;
        let Some(project) = training.project.get_value() else { return Ok(()) };
        let known = |runs: &Vec<(RunId, Record)>| runs.iter().find(|(id, _)| *id == run).map(|(_, record)| record.clone());
        let Some(record) = training.runs.with_untracked(known) else { return Ok(()) };
        let kept = self.studio.vault()?.runs(project).await?.into_iter().find(|kept| kept.id == run);
        let Some(kept) = kept.filter(|_| training.project.get_value() == Some(project)) else { return Ok(()) };
        // What went wrong before this is shown stays said.
        let said = (training.error.get_untracked(), training.note.get_untracked());
        training.forget();
        training.error.set(said.0);
        training.note.set(said.1);
        training.alive.set(false);
        training.history.set(record.history.clone());
        training.phase.set(Phase::Rests { finished: record.finished });
        training.kept.set_value(Some(kept.checkpoint));
        training.run.set(Some(run));
        training.record.set(Some(record));
        self.judging.answers.set(None);
        self.exports.forget();
        self.tries.forget();
        self.use_run().await
    }

    /// Uses another run of the open project.
    pub fn choose_run(self, run: RunId) {
        if self.training.busy_now() || self.training.run.get_untracked() == Some(run) {
            return;
        }
        self.studio.change(|project| project.run = Some(run));
        self.training.error.set(None);
        self.training.note.set(None);
        spawn_local(async move {
            if let Err(error) = self.take_run(run).await {
                self.training.error.set(Some(error.to_string()));
            }
        });
    }

    /// Deletes a run; can be undone.
    pub fn delete_run(self, run: RunId) {
        let training = self.training;
        if training.busy_now() {
            return;
        }
        self.studio.push_deed(Deed::DeletedRun(run));
        self.mark_run(run, true);
        training.runs.update(|runs| runs.retain(|(id, _)| *id != run));
        if training.run.get_untracked() == Some(run) {
            match training.runs.with_untracked(|runs| runs.last().map(|(id, _)| *id)) {
                Some(other) => self.choose_run(other),
                None => {
                    training.alive.set(false);
                    training.forget();
                    self.judging.answers.set(None);
                    self.exports.forget();
                    self.use_pretrained();
                }
            }
        }
    }

    /// Brings a deleted run back.
    fn undelete_run(self, run: RunId) {
        self.mark_run(run, false);
    }

    /// Writes whether a run is set aside. One that comes back is shown in its place, and used where there is no other.
    fn mark_run(self, run: RunId, trashed: bool) {
        let training = self.training;
        let Some(project) = training.project.get_value() else { return };
        self.studio.write(move |vault| async move {
            let Some(mut kept) = vault.runs(project).await?.into_iter().find(|kept| kept.id == run) else { return Ok(()) };
            let Ok(mut record) = serde_json::from_str::<Record>(&kept.history) else { return Ok(()) };
            record.trashed = trashed;
            if let Ok(history) = serde_json::to_string(&record) {
                kept.history = history;
                vault.put_run(project, &kept).await?;
            }
            if !trashed && training.project.get_value() == Some(project) {
                training.runs.update(|runs| {
                    runs.push((run, record));
                    runs.sort_by_key(|(id, _)| *id);
                });
                if training.run.get_untracked().is_none() {
                    self.choose_run(run);
                }
            }
            Ok(())
        });
    }

    /// Makes the kept run's network the model.
    pub async fn use_run(self) -> Result<()> {
        let training = self.training;
        let (record, run) = (training.record.get_untracked(), training.run.get_untracked());
        let (Some(record), Some(run), Some(project)) = (record, run, training.project.get_value()) else { return Ok(()) };
        let Some(kept) = training.kept.with_value(Clone::clone) else { return Ok(()) };
        let name = record.name;
        let bytes = web::read_blob(&name, &kept).await?;
        // Another run or project may have been opened meanwhile.
        if (training.run.get_untracked(), training.project.get_value()) == (Some(run), Some(project)) {
            self.pending.update_value(|pending| pending.push_back(Pending::Model(Some((project, run)))));
            let (choices, beside) = (Default::default(), Vec::new());
            self.send(Command::Load { name, bytes, origin: Origin::Trained, preset: None, choices, beside });
        }
        Ok(())
    }

    /// Goes back from a network that was trained here to the one before it.
    fn use_pretrained(self) {
        if self.model.with_untracked(Option::is_some) {
            self.pending.update_value(|pending| pending.push_back(Pending::Model(None)));
            self.send(Command::UsePretrained);
        }
    }

    /// Whether the loaded model is the network of the open project's run.
    pub fn has_own_network(self) -> bool {
        let project = self.studio.project.with(|project| project.as_ref().map(|project| project.id));
        let own = project.zip(self.training.run.get());
        own.is_some()
            && self.model_run.get() == own
            && self.model.with(|model| model.as_ref().is_some_and(|model| model.origin == Origin::Trained))
    }

    /// Reads the pictures and begins.
    pub fn start_training(self) {
        let training = self.training;
        training.error.set(None);
        training.note.set(None);
        let Some(pixels) = untrack(|| self.pixels()) else {
            training.error.set(Some(t!("train.no_model").into_owned()));
            return;
        };
        let classes = untrack(|| self.classes_to_learn());
        if classes.len() < 2 {
            training.error.set(Some(t!("train.few_classes").into_owned()));
            return;
        }
        if let Some((class, _)) = classes.iter().find(|(_, count)| *count == 0) {
            training.error.set(Some(t!("train.empty_class", name = class.name).into_owned()));
            return;
        }
        let recipe = untrack(|| self.recipe());
        if let Err(error) = recipe.validate() {
            training.error.set(Some(error.to_string()));
            return;
        }
        let before =
            training.record.get_untracked().map(|record| self.studio.pictures.with_untracked(|all| record.sides_now(all)));
        let backbone = training.backbone.get_untracked();
        let from = self.backbone_name(&backbone);
        training.outline.set(None);
        training.steps.set(None);
        training.history.set(Vec::new());
        // A run of its own: those before stay as they are.
        training.kept.set_value(None);
        training.pieces.set_value(Vec::new());
        training.run.set(Some(self.studio.new_number()));
        let name = self.run_name();
        let record = Record {
            name: name.clone(),
            classes: classes.iter().map(|(class, _)| class.id).collect(),
            sides: Sides::default(),
            recipe: recipe.clone(),
            pixels: pixels.clone(),
            history: Vec::new(),
            finished: false,
            digests: HashMap::new(),
            from,
            begun_ms: js_sys::Date::now(),
            trashed: false,
        };
        // A network that was trained here has learnt from its pictures: they may never judge it.
        let sides = before.filter(|_| backbone == Backbone::Loaded);
        self.begin(pixels, record, move |examples| {
            Command::StartTraining(Box::new(TrainingOrder { name, backbone, recipe, examples, sides }))
        });
    }

    fn run_name(self) -> String {
        self.studio.project.with_untracked(|project| project.as_ref().map(|p| p.name.clone()).unwrap_or_default())
    }

    /// What training begins with, in words.
    fn backbone_name(self, backbone: &Backbone) -> String {
        match backbone {
            Backbone::Pretrained => self.training.pretrained.with_untracked(|m| m.as_ref().map(|m| m.name.clone())),
            Backbone::Loaded => self.model.with_untracked(|model| model.as_ref().map(|model| model.name.clone())),
            Backbone::Scratch { arch, .. } => Some(arch.clone()),
        }
        .unwrap_or_default()
    }

    /// Reads the pictures of these classes and gives the engine the order made of them.
    fn begin(self, pixels: Preset, record: Record, order: impl FnOnce(Examples) -> Command + 'static) {
        let training = self.training;
        let number = training.reading.try_update_value(|reading| {
            *reading += 1;
            *reading
        });
        let classes = record.classes.clone();
        spawn_local(async move {
            match self.read_examples(number, &classes, &pixels).await {
                Ok(Some(examples)) => {
                    training.phase.set(Phase::Planning);
                    training.record.set(Some(record));
                    self.send(order(examples));
                }
                // Stopped: what was there before is there again.
                Ok(None) => {
                    training.phase.set(Phase::Idle);
                    self.open_runs();
                }
                Err(error) => self.training_failed(&error),
            }
        });
    }

    /// Decodes one picture after the other and keeps only its reduced form. `None` when it was stopped.
    async fn read_examples(self, number: Option<u64>, classes: &[ClassId], pixels: &Preset) -> Result<Option<Examples>> {
        let training = self.training;
        let mut examples = Examples::new(self.class_names(classes), pixels);
        let pictures = self.studio.pictures.get_untracked();
        let pictures: Vec<_> = pictures
            .into_iter()
            .filter(|picture| picture.role == Role::Example)
            .filter_map(|picture| Some((classes.iter().position(|class| *class == picture.class)? as u32, picture)))
            .collect();
        let of = pictures.len();
        let mut unreadable = 0;
        for (done, (class, picture)) in pictures.into_iter().enumerate() {
            training.phase.set(Phase::Reading { done, of });
            match self.studio.image(picture.id).await {
                Ok(image) => examples.push(picture.id, picture.name, &image, class)?,
                Err(error) => {
                    log::warn!("{error}");
                    unreadable += 1;
                }
            }
            if Some(training.reading.get_value()) != number {
                return Ok(None);
            }
        }
        if unreadable > 0 {
            training.note.set(Some(t!("train.unreadable", count = unreadable).into_owned()));
        }
        Ok(Some(examples))
    }

    /// Names of these classes of the open project.
    pub fn class_names(self, classes: &[ClassId]) -> Vec<String> {
        let name = |project: &Project, id: ClassId| project.class(id).map(|class| class.name.clone());
        self.studio.project.with_untracked(|project| {
            let known = |id: &ClassId| project.as_ref().and_then(|project| name(project, *id));
            classes.iter().map(|id| known(id).unwrap_or_else(|| "\u{2013}".into())).collect()
        })
    }

    /// Ends the reading of pictures, or has the run rest after its present chunk.
    pub fn stop_training(self) {
        let training = self.training;
        match training.phase.get_untracked() {
            Phase::Reading { .. } => training.reading.update_value(|reading| *reading += 1),
            Phase::Planning | Phase::Going => {
                training.phase.set(Phase::Stopping);
                self.send(Command::StopTraining);
            }
            Phase::Idle | Phase::Stopping | Phase::Rests { .. } => {}
        }
    }

    /// Goes on with the run: the engine's, or after the page was opened anew the kept one. `more` epochs are added to it.
    pub fn continue_training(self, more: u32) {
        let training = self.training;
        training.error.set(None);
        if training.alive.get_untracked() && more == 0 {
            training.phase.set(Phase::Going);
            self.send(Command::ContinueTraining);
            return;
        }
        let (Some(record), Some(kept)) = (training.record.get_untracked(), training.kept.with_value(Clone::clone)) else {
            return;
        };
        let epochs = (more > 0).then(|| record.history.len() as u32 + more);
        training.alive.set(false);
        training.phase.set(Phase::Planning);
        spawn_local(async move {
            match web::read_blob(&record.name, &kept).await {
                Ok(checkpoint) => {
                    let name = record.name.clone();
                    let (sides, changed) =
                        self.studio.pictures.with_untracked(|all| (record.sides_now(all), record.changes(all)));
                    self.training.changed.set_value(changed);
                    self.begin(record.pixels.clone(), record, move |examples| {
                        Command::ResumeTraining(Box::new(ResumeOrder { name, checkpoint, examples, sides, epochs }))
                    });
                }
                Err(error) => self.training_failed(&error),
            }
        });
    }

    /// Asks for the weights, to save them.
    pub fn save_trained(self) {
        self.training.error.set(None);
        self.send(Command::TrainedWeights);
    }

    /// Whether weights can be asked for.
    pub fn holds_run(self) -> bool {
        self.training.alive.get() && self.training.history.with(|history| !history.is_empty())
    }

    /// Asks what each depth would take.
    pub fn estimate_training(self) {
        let recipe = self.recipe();
        let depths = [TrainDepth::Head, TrainDepth::FromStage(self.stages()), TrainDepth::All];
        let (classes, pictures) = (self.classes_to_learn().len(), self.pictures_to_learn());
        let settings = self.studio.project.with(|p| p.as_ref().map(|p| p.settings.clone()).unwrap_or_default());
        let side = self.pixels().map_or(32, |pixels| pixels.crop.0);
        for (number, depth) in depths.into_iter().enumerate() {
            let usual = usual(&Settings { depth, ..settings.clone() }, pictures, side);
            let own = || fitted(Recipe { depth, epochs: usual.epochs, ..recipe.clone() });
            let recipe = if settings.recipe.is_some() { own() } else { usual };
            let backbone = self.training.backbone.get();
            let order = EstimateOrder { number: number as u64, backbone, recipe, classes, pictures };
            self.send(Command::EstimateTraining(Box::new(order)));
        }
    }

    /// Asks what the network would see of a picture, and shows it.
    pub fn preview_augmentation(self, picture: PictureId, others: Vec<PictureId>) {
        let recipe = untrack(|| self.recipe());
        let Some(pixels) = untrack(|| self.pixels()) else { return };
        spawn_local(async move {
            let mut examples = Examples::new(vec!["picture".into()], &pixels);
            for id in std::iter::once(picture).chain(others) {
                match self.studio.image(id).await {
                    Ok(image) => drop(examples.push(id, id.to_string(), &image, 0)),
                    Err(error) => return self.training.error.set(Some(error.to_string())),
                }
            }
            self.send(Command::PreviewAugmentation(Box::new(PreviewOrder { number: picture, recipe, examples, count: 8 })));
        });
    }

    fn training_failed(self, error: &Error) {
        self.training.alive.set(false);
        self.training.phase.set(Phase::Idle);
        self.training.error.set(Some(error.to_string()));
        // What was kept last is there still.
        self.open_runs();
    }

    pub fn on_training(self, event: TrainingEvent) {
        let training = self.training;
        if training.left.get_value() && !matches!(event, TrainingEvent::Estimated { .. } | TrainingEvent::Previewed { .. }) {
            // Its last epoch is kept already.
            if matches!(event, TrainingEvent::Rests { .. } | TrainingEvent::Failed(_)) {
                training.left.set_value(false);
                // The engine has made the other project's network the model.
                self.model_run.set(None);
                self.open_runs();
            }
            return;
        }
        match event {
            TrainingEvent::Planned(plan) => {
                let plan = *plan;
                let beginning = plan.beginning;
                training.alive.set(true);
                training.outline.set(Some(plan.outline));
                training.history.set(plan.history.clone());
                training.record.update(|record| {
                    if let Some(record) = record {
                        let digest =
                            |id: &PictureId, all: &Vec<Picture>| all.iter().find(|p| p.id == *id).map(|p| p.digest.clone());
                        let ids = plan.sides.train.iter().chain(&plan.sides.validation);
                        record.digests = self
                            .studio
                            .pictures
                            .with_untracked(|all| ids.filter_map(|id| Some((*id, digest(id, all)?))).collect());
                        record.sides = plan.sides;
                        record.recipe = plan.recipe;
                        record.history = plan.history;
                        record.finished = false;
                    }
                });
                if beginning == Beginning::OtherPictures {
                    let (new, gone) = training.changed.get_value();
                    training.note.set(Some(t!("train.other_pictures", new = new, gone = gone).into_owned()));
                }
                if training.phase.get_untracked() == Phase::Planning {
                    training.phase.set(Phase::Going);
                }
                self.spoken.set(t!("train.begun").into_owned());
            }
            TrainingEvent::Went(event) => self.on_progress(event),
            TrainingEvent::CheckpointPiece(piece) => match web::blob("the checkpoint", &piece, "") {
                Ok(piece) => training.pieces.update_value(|pieces| pieces.push(piece)),
                Err(error) => self.studio.fail(&error),
            },
            TrainingEvent::Checkpoint { .. } => {
                let pieces = training.pieces.try_update_value(std::mem::take).unwrap_or_default();
                let parts: js_sys::Array = pieces.iter().collect();
                match Blob::new_with_blob_sequence(&parts) {
                    Ok(whole) => training.kept.set_value(Some(whole)),
                    Err(error) => log::error!("the checkpoint cannot be put together: {error:?}"),
                }
                self.keep_run();
            }
            TrainingEvent::Recovered => {
                training.steps.set(None);
                training.note.set(Some(t!("train.recovered").into_owned()));
            }
            TrainingEvent::Rests { finished } => {
                training.phase.set(Phase::Rests { finished });
                training.validating.set(None);
                training.record.update(|record| {
                    if let Some(record) = record {
                        record.finished = finished;
                    }
                });
                self.keep_run();
                if !training.history.with_untracked(Vec::is_empty) {
                    // The engine has made its best weights the model.
                    self.model_run.set(training.project.get_value().zip(training.run.get_untracked()));
                }
                self.spoken.set(if finished { t!("train.spoken_done") } else { t!("train.spoken_rests") }.into_owned());
                if !training.history.with_untracked(Vec::is_empty) {
                    self.classify_again();
                    self.pump();
                }
            }
            TrainingEvent::Weights { file_name, bytes } => {
                if let Err(error) = web::save_bytes(&file_name, &bytes) {
                    training.error.set(Some(error.to_string()));
                }
            }
            TrainingEvent::Estimated { number, estimate } => {
                if let Err(error) = &estimate {
                    log::warn!("no estimate: {error}");
                }
                training.estimates.update(|all| {
                    if let Some(place) = all.get_mut(number as usize) {
                        *place = estimate.ok();
                    }
                });
            }
            TrainingEvent::Previewed { pictures, .. } => match pictures {
                Ok(pictures) => training.preview.set(pictures),
                Err(error) => training.error.set(Some(error.to_string())),
            },
            TrainingEvent::Failed(error) => self.training_failed(&error),
        }
    }

    /// Writes the run as it stands; the one before stays until this one is whole.
    fn keep_run(self) {
        let training = self.training;
        let history = training.history.get_untracked();
        training.record.update(|record| {
            if let Some(record) = record {
                record.history = history;
            }
        });
        let (Some(project), Some(id), Some(record), Some(checkpoint)) = (
            training.project.get_value(),
            training.run.get_untracked(),
            training.record.get_untracked().filter(|record| !record.history.is_empty()),
            training.kept.with_value(Clone::clone),
        ) else {
            return;
        };
        match serde_json::to_string(&record) {
            Ok(history) => {
                training.runs.update(|runs| match runs.iter_mut().find(|(run, _)| *run == id) {
                    Some((_, known)) => *known = record,
                    None => runs.push((id, record)),
                });
                if self.studio.project.with_untracked(|p| p.as_ref().is_some_and(|p| p.id == project && p.run != Some(id))) {
                    self.studio.change(|project| project.run = Some(id));
                }
                self.studio.write(move |vault| async move { vault.put_run(project, &Run { id, checkpoint, history }).await });
            }
            Err(error) => log::error!("the run cannot be written: {error}"),
        }
    }

    fn on_progress(self, event: train::Event) {
        let training = self.training;
        match event {
            train::Event::Steps(steps) => {
                training.validating.set(None);
                training.steps.set(Some(steps));
            }
            train::Event::Validating(share) => training.validating.set(Some(share)),
            train::Event::Epoch(epoch) => {
                training.validating.set(None);
                training.history.update(|history| history.push(*epoch));
            }
            train::Event::Reverted { epoch, rate_factor } => {
                training.history.update(|history| history.truncate(epoch as usize));
                training.note.set(Some(t!("train.reverted", epoch = epoch, factor = rate_factor).into_owned()));
            }
            train::Event::Finished { early: true } => training.note.set(Some(t!("train.early").into_owned())),
            train::Event::Finished { early: false } => {}
        }
    }
}

/// The epoch whose weights are kept: that of the best validation, by loss where accuracies are equal; the last one where nothing
/// validates.
pub fn best_epoch(history: &[Epoch]) -> Option<&Epoch> {
    let judged = history.iter().filter_map(|epoch| Some((epoch, epoch.validation?)));
    let best = judged.reduce(|best, now| {
        let better = now.1.top1 > best.1.top1 || now.1.top1 == best.1.top1 && now.1.loss < best.1.loss;
        if better { now } else { best }
    });
    best.map(|(epoch, _)| epoch).or(history.last())
}

/// `1 epoch`, `12 epochs`.
pub fn epochs_words(count: usize) -> String {
    match count {
        1 => t!("train.epochs_one"),
        count => t!("train.epochs_many", count = count),
    }
    .into_owned()
}
