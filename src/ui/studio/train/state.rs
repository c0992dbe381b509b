//! Training as the page knows it: how the open project is to be trained, where its run stands, and what is kept of it.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use web_sys::Blob;

use super::record::{Record, best_epoch};
use crate::data::{Preset, RgbaImage};
use crate::engine::{Backbone, Command, EstimateOrder, Examples, ModelInfo, Origin, PreviewOrder, scratch_preset};
use crate::studio::mirror;
use crate::studio::usual::{fitted, usual};
use crate::studio::{Class, ClassId, PictureId, Project, ProjectId, RunId, Settings};
use crate::train::recipe::TrainDepth;
use crate::train::{Epoch, Estimate, Outline, Recipe, Steps};
use crate::ui::format;
use crate::ui::notice;
use crate::ui::workshop::Workshop;

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
    /// What came of a run that ended while nobody looked.
    pub ended: RwSignal<Option<String>>,
    /// What each depth would take: head, last stage, all.
    pub estimates: RwSignal<[Option<Estimate>; 3]>,
    /// What the network would see.
    pub preview: RwSignal<Vec<RgbaImage>>,
    /// The project whose run it is, and whether the engine holds it.
    pub(super) project: StoredValue<Option<ProjectId>>,
    pub(super) alive: RwSignal<bool>,
    /// Counts up with every reading of pictures: an older one ends.
    pub(super) reading: StoredValue<u64>,
    /// The checkpoint that is coming in, and the last whole one.
    pub(super) pieces: StoredValue<Vec<Blob>, LocalStorage>,
    pub(super) kept: StoredValue<Option<Blob>, LocalStorage>,
    /// What the engine says is about the run of a project that was left.
    pub(super) left: StoredValue<bool>,
    /// Another network was asked for to begin training with: the project's own comes back after it.
    pub(super) returns: StoredValue<bool>,
    /// Pictures that are new and gone since the run that goes on.
    pub(super) changed: StoredValue<(usize, usize)>,
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
            ended: RwSignal::new(None),
            estimates: RwSignal::new([None; 3]),
            preview: RwSignal::new(Vec::new()),
            project: StoredValue::new(None),
            alive: RwSignal::new(false),
            reading: StoredValue::new(0),
            pieces: StoredValue::new_local(Vec::new()),
            kept: StoredValue::new_local(None),
            left: StoredValue::new(false),
            returns: StoredValue::new(false),
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

    /// How far a run is, for a window's title: `3 of 15, 92 %`; what came of it until somebody looks. Nothing while none goes on.
    pub fn state_words(self) -> Option<String> {
        if !self.busy() {
            return self.ended.get();
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

    pub(super) fn forget(self) {
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
        self.follow_looks();
        Effect::new(move |_| {
            if let Some(model) = self.model.get().filter(|model| model.origin != Origin::Trained) {
                training.pretrained.set(Some(model));
                if training.returns.try_update_value(std::mem::take) == Some(true) {
                    spawn_local(async move {
                        if let Err(error) = self.use_run().await {
                            training.error.set(Some(notice::sentence(&error)));
                        }
                    });
                }
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

    /// Whether the loaded model is the network of the open project's run.
    pub fn has_own_network(self) -> bool {
        let project = self.studio.project.with(|project| project.as_ref().map(|project| project.id));
        let own = project.zip(self.training.run.get());
        own.is_some()
            && self.model_run.get() == own
            && self.model.with(|model| model.as_ref().is_some_and(|model| model.origin == Origin::Trained))
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
            let mut examples = Examples::new(vec!["picture".into()], &pixels).for_recipe(&recipe, 1 + others.len());
            for id in std::iter::once(picture).chain(others) {
                match self.studio.image(id).await {
                    Ok(image) => drop(examples.push(id, id.to_string(), &image, 0)),
                    Err(error) => return self.training.error.set(Some(notice::sentence(&error))),
                }
            }
            self.send(Command::PreviewAugmentation(Box::new(PreviewOrder { number: picture, recipe, examples, count: 8 })));
        });
    }
}

/// `1 epoch`, `12 epochs`.
pub fn epochs_words(count: usize) -> String {
    match count {
        1 => t!("train.epochs_one"),
        count => t!("train.epochs_many", count = count),
    }
    .into_owned()
}
