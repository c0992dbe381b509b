//! The run that goes on: begun, stopped, continued, and what the engine says of it.

use std::collections::HashMap;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use web_sys::Blob;

use super::record::Record;
use super::state::Phase;
use crate::data::Preset;
use crate::engine::{Backbone, Beginning, Command, Examples, ResumeOrder, Sides, TrainingEvent, TrainingOrder};
use crate::studio::{ClassId, Picture, PictureId, Project, Role};
use crate::train::{self, Recipe};
use crate::ui::notice;
use crate::ui::workshop::Workshop;
use crate::web::{self, Run};
use crate::{Error, Result};

impl Workshop {
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
            training.error.set(Some(notice::sentence(&error)));
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
            told: Some(recipe.clone()),
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
        self.begin(pixels, record, recipe.clone(), move |examples| {
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
    fn begin(self, pixels: Preset, record: Record, recipe: Recipe, order: impl FnOnce(Examples) -> Command + 'static) {
        let training = self.training;
        let number = training.reading.try_update_value(|reading| {
            *reading += 1;
            *reading
        });
        let classes = record.classes.clone();
        spawn_local(async move {
            match self.read_examples(number, &classes, &pixels, &recipe).await {
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
    async fn read_examples(
        self,
        number: Option<u64>,
        classes: &[ClassId],
        pixels: &Preset,
        recipe: &Recipe,
    ) -> Result<Option<Examples>> {
        let training = self.training;
        let pictures = self.studio.pictures.get_untracked();
        let pictures: Vec<_> = pictures
            .into_iter()
            .filter(|picture| picture.role == Role::Example)
            .filter_map(|picture| Some((classes.iter().position(|class| *class == picture.class)? as u32, picture)))
            .collect();
        let of = pictures.len();
        let mut examples = Examples::new(self.class_names(classes), pixels).for_recipe(recipe, of);
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

    /// Goes on with the run: the engine's, or after the page was opened anew the kept one. `more` epochs are added to it. Dials that were
    /// changed since count from here on.
    pub fn continue_training(self, more: u32) {
        let training = self.training;
        training.error.set(None);
        let dials = untrack(|| self.recipe());
        let (mut recipe, mut crops) = (None, false);
        training.record.update(|record| {
            let Some(record) = record else { return };
            let told = record.told.replace(dials.clone()).unwrap_or_else(|| record.recipe.clone());
            let mut wanted = record.recipe.with_changes(&told, &dials);
            if more > 0 {
                wanted.epochs = record.history.len() as u32 + more;
            }
            // Random crops are cut from all of each picture, which the engine may not have.
            crops = wanted.augmentation.resized_crop.is_some() && record.recipe.augmentation.resized_crop.is_none();
            recipe = Some(wanted);
        });
        if training.alive.get_untracked() && more == 0 && !crops {
            training.phase.set(Phase::Going);
            self.send(Command::ContinueTraining(recipe.map(Box::new)));
            return;
        }
        let (Some(record), Some(kept)) = (training.record.get_untracked(), training.kept.with_value(Clone::clone)) else {
            return;
        };
        training.alive.set(false);
        training.phase.set(Phase::Planning);
        spawn_local(async move {
            match web::read_blob(&record.name, &kept).await {
                Ok(checkpoint) => {
                    let name = record.name.clone();
                    let (sides, changed) =
                        self.studio.pictures.with_untracked(|all| (record.sides_now(all), record.changes(all)));
                    self.training.changed.set_value(changed);
                    let wanted = recipe.clone().unwrap_or_else(|| record.recipe.clone());
                    self.begin(record.pixels.clone(), record, wanted, move |examples| {
                        Command::ResumeTraining(Box::new(ResumeOrder { name, checkpoint, examples, sides, recipe }))
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

    fn training_failed(self, error: &Error) {
        self.training.alive.set(false);
        self.training.phase.set(Phase::Idle);
        self.training.error.set(Some(notice::sentence(error)));
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
                if !plan.changed.is_empty() {
                    let what: Vec<String> = plan.changed.iter().map(ToString::to_string).collect();
                    training.note.set(Some(t!("train.changed", what = what.join("; ")).into_owned()));
                }
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
                self.ring(finished);
                if !training.history.with_untracked(Vec::is_empty) {
                    self.classify_again();
                    self.pump();
                }
            }
            TrainingEvent::Weights { file_name, bytes } => {
                if let Err(error) = web::save_bytes(&file_name, &bytes) {
                    training.error.set(Some(notice::sentence(&error)));
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
                Err(error) => training.error.set(Some(notice::sentence(&error))),
            },
            TrainingEvent::Refused(error) => {
                training.phase.set(Phase::Rests { finished: false });
                training.error.set(Some(notice::sentence(&error)));
            }
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
