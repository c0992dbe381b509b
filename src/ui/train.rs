//! Training as the page knows it: the pictures by class, the recipe, and where the run stands.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;

use super::format;
use super::lab::Lab;
use crate::data::Preset;
use crate::engine::{Backbone, Command, Examples, TrainingEvent, TrainingOrder};
use crate::ops::Augmentation;
use crate::studio::folders::{self as train_classes, Skipped};
use crate::train::recipe::TrainDepth;
use crate::train::{self, Epoch, Outline, Recipe, Steps};
use crate::web::{self, Folders};
use crate::{Error, Result};

/// How much of the network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    Head,
    LastStage,
    All,
}

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
    /// Asked to stop; the present chunk ends first.
    Stopping,
    /// Stopped, or done.
    Rests { finished: bool },
}

/// A class and how many pictures it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub name: String,
    pub pictures: usize,
}

/// A picture to learn from.
#[derive(Clone)]
struct Picked {
    class: String,
    path: String,
    file: web_sys::File,
}

/// The panel's state; lives as long as the page.
#[derive(Clone, Copy)]
pub struct Training {
    pub classes: RwSignal<Vec<Class>>,
    pub skipped: RwSignal<Vec<Skipped>>,
    pub depth: RwSignal<Depth>,
    pub epochs: RwSignal<u32>,
    /// `None` for the depth's own.
    pub rate: RwSignal<Option<f32>>,
    pub phase: RwSignal<Phase>,
    pub outline: RwSignal<Option<Outline>>,
    pub steps: RwSignal<Option<Steps>>,
    /// Share of the validation that is done.
    pub validating: RwSignal<Option<f32>>,
    pub history: RwSignal<Vec<Epoch>>,
    pub error: RwSignal<Option<String>>,
    /// No error, but worth knowing.
    pub note: RwSignal<Option<String>>,
    picked: StoredValue<Vec<Picked>, LocalStorage>,
    /// The reading of pictures that is under way; another number ends it.
    reading: StoredValue<u64>,
}

impl Training {
    pub(super) fn new() -> Self {
        Self {
            classes: RwSignal::new(Vec::new()),
            skipped: RwSignal::new(Vec::new()),
            depth: RwSignal::new(Depth::Head),
            epochs: RwSignal::new(15),
            rate: RwSignal::new(None),
            phase: RwSignal::new(Phase::Idle),
            outline: RwSignal::new(None),
            steps: RwSignal::new(None),
            validating: RwSignal::new(None),
            history: RwSignal::new(Vec::new()),
            error: RwSignal::new(None),
            note: RwSignal::new(None),
            picked: StoredValue::new_local(Vec::new()),
            reading: StoredValue::new(0),
        }
    }

    /// Whether a run is being prepared or learns.
    pub fn busy(self) -> bool {
        !matches!(self.phase.get(), Phase::Idle | Phase::Rests { .. })
    }

    /// Share of the run that is done, 0 to 1.
    pub fn progress(self) -> f64 {
        match self.phase.get() {
            Phase::Reading { done, of } => done as f64 / of.max(1) as f64,
            _ => {
                let Some(outline) = self.outline.get() else { return 0.0 };
                let share =
                    self.steps.get().map_or(0.0, |now| f64::from(now.epoch - 1) + now.step as f64 / now.steps.max(1) as f64);
                (share / f64::from(outline.epochs.max(1))).min(1.0)
            }
        }
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

    fn add(self, folders: Folders) {
        let others = folders.others.into_iter().map(|(path, _)| Skipped { path, reason: "It is no picture.".into() });
        let (sorted, loose) = train_classes::sort(folders.pictures);
        self.skipped.update(|skipped| skipped.extend(others.chain(loose)));
        self.picked.update_value(|picked| {
            for (class, path, file) in sorted {
                if !picked.iter().any(|known| known.path == path && known.class == class) {
                    picked.push(Picked { class, path, file });
                }
            }
            picked.sort_by(|a, b| (&a.class, &a.path).cmp(&(&b.class, &b.path)));
        });
        self.count();
        if self.classes.with_untracked(Vec::is_empty) {
            self.error.set(Some(
                "There is no picture in it. Choose a folder that holds one folder of pictures for each class.".into(),
            ));
        }
    }

    fn count(self) {
        let mut classes: Vec<Class> = Vec::new();
        self.picked.with_value(|picked| {
            for Picked { class, .. } in picked {
                match classes.last_mut().filter(|last| last.name == *class) {
                    Some(last) => last.pictures += 1,
                    None => classes.push(Class { name: class.clone(), pictures: 1 }),
                }
            }
        });
        self.classes.set(classes);
    }

    fn recipe(self, preset: &Preset, stages: u32) -> Recipe {
        let pictures = self.picked.with_value(Vec::len);
        let augmentation = Augmentation { flip: true, shift_px: preset.crop.0 / 8, ..Augmentation::default() };
        let (depth, augmentation) = match self.depth.get_untracked() {
            // What the frozen layers say of a picture is then computed once.
            Depth::Head => (TrainDepth::Head, Augmentation::default()),
            Depth::LastStage => (TrainDepth::FromStage(stages), augmentation),
            Depth::All => (TrainDepth::All, augmentation),
        };
        let rate = self.rate.get_untracked().unwrap_or(self.depth.get_untracked().usual_rate());
        // Few pictures must still be several steps an epoch.
        let batch = match pictures {
            0..80 => 8,
            80..320 => 16,
            _ => 32,
        };
        Recipe { epochs: self.epochs.get_untracked(), batch, learning_rate: rate, depth, augmentation, ..Recipe::default() }
    }
}

impl Depth {
    /// A learning rate that suits it.
    pub fn usual_rate(self) -> f32 {
        match self {
            Self::Head => 0.05,
            Self::LastStage | Self::All => 0.01,
        }
    }
}

impl Lab {
    /// Takes a folder chosen in a dialog.
    pub fn add_training_input(self, event: &web_sys::Event) {
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(input) = input else { return };
        self.add_training(web::folders_from_input(&input));
    }

    /// Takes folders dropped on the panel.
    pub fn add_training_drop(self, event: &web_sys::DragEvent) {
        let folders = web::folders_from_drop(event);
        spawn_local(async move { self.add_training(folders.await) });
    }

    fn add_training(self, folders: Result<Folders>) {
        if self.training.busy() {
            return;
        }
        self.training.error.set(None);
        match folders {
            Ok(folders) => self.training.add(folders),
            Err(error) => self.training.error.set(Some(error.to_string())),
        }
    }

    /// Forgets the pictures.
    pub fn clear_training(self) {
        let training = self.training;
        training.picked.update_value(Vec::clear);
        training.skipped.set(Vec::new());
        training.error.set(None);
        training.count();
    }

    /// Reads the pictures and begins.
    pub fn start_training(self) {
        let training = self.training;
        training.error.set(None);
        training.note.set(None);
        let Some(model) = self.model.get_untracked() else {
            training.error.set(Some("Wait until a model is loaded: training begins from it.".into()));
            return;
        };
        if training.classes.with_untracked(Vec::len) < 2 {
            training.error.set(Some("Give pictures of at least two classes, each in a folder of its own.".into()));
            return;
        }
        training.outline.set(None);
        training.steps.set(None);
        training.validating.set(None);
        training.history.set(Vec::new());
        let number = self.new_id();
        training.reading.set_value(number);
        // CIFAR's networks have three stages, all others four.
        let stages = if model.family.starts_with("cifar") { 3 } else { 4 };
        let recipe = training.recipe(&model.pixels, stages);
        let name = format!("{}-trained", model.arch);
        spawn_local(async move {
            match self.read_examples(number, &model.pixels).await {
                Ok(Some(examples)) => {
                    training.phase.set(Phase::Planning);
                    self.send(Command::StartTraining(Box::new(TrainingOrder {
                        name,
                        backbone: Backbone::Loaded,
                        recipe,
                        examples,
                        sides: None,
                    })));
                }
                Ok(None) => {}
                Err(error) => self.training_failed(&error),
            }
        });
    }

    /// Decodes one picture after the other and keeps only its reduced form. `None` when it was stopped.
    async fn read_examples(self, number: u64, preset: &Preset) -> Result<Option<Examples>> {
        let training = self.training;
        let picked = training.picked.with_value(Clone::clone);
        let classes = training.classes.get_untracked().into_iter().map(|class| class.name).collect::<Vec<_>>();
        let mut examples = Examples::new(classes.clone(), preset);
        for (done, Picked { class, path, file }) in picked.iter().enumerate() {
            training.phase.set(Phase::Reading { done, of: picked.len() });
            match web::decode_file(file).await {
                Ok(image) => {
                    // Classes were counted from the same list.
                    let label = classes.iter().position(|name| name == class).unwrap_or_default();
                    examples.push(done as u64, path.clone(), &image, label as u32)?;
                }
                Err(error) => {
                    let reason = match error {
                        Error::Image { reason, .. } => reason,
                        error => error.to_string(),
                    };
                    training.picked.update_value(|picked| picked.retain(|other| other.path != *path || other.class != *class));
                    training.skipped.update(|skipped| skipped.push(Skipped { path: path.clone(), reason }));
                }
            }
            if training.reading.get_value() != number {
                return Ok(None);
            }
        }
        training.count();
        Ok(Some(examples))
    }

    /// Ends the reading of pictures, or the run after its present chunk.
    pub fn stop_training(self) {
        let training = self.training;
        match training.phase.get_untracked() {
            Phase::Reading { .. } => {
                training.reading.set_value(0);
                training.phase.set(Phase::Idle);
            }
            Phase::Planning | Phase::Going => {
                training.phase.set(Phase::Stopping);
                self.send(Command::StopTraining);
            }
            Phase::Idle | Phase::Stopping | Phase::Rests { .. } => {}
        }
    }

    /// Goes on after a stop.
    pub fn continue_training(self) {
        self.training.phase.set(Phase::Going);
        self.send(Command::ContinueTraining);
    }

    /// Asks for the weights, to save them.
    pub fn save_trained(self) {
        self.training.error.set(None);
        self.send(Command::TrainedWeights);
    }

    fn training_failed(self, error: &Error) {
        self.training.phase.set(Phase::Idle);
        self.training.error.set(Some(error.to_string()));
    }

    pub(super) fn on_training(self, event: TrainingEvent) {
        let training = self.training;
        match event {
            TrainingEvent::Planned(plan) => {
                training.outline.set(Some(plan.outline));
                if training.phase.get_untracked() == Phase::Planning {
                    training.phase.set(Phase::Going);
                }
                self.spoken.set("Training has begun.".into());
            }
            TrainingEvent::Went(event) => self.on_progress(event),
            TrainingEvent::Recovered => {
                training.steps.set(None);
                training.note.set(Some(
                    "The graphics device was lost and is back. Training goes on from the end of the last epoch.".into(),
                ));
            }
            TrainingEvent::Rests { finished } => {
                training.phase.set(Phase::Rests { finished });
                training.validating.set(None);
                let epochs = training.history.with_untracked(Vec::len);
                let end = if finished { "Training is done." } else { "Training has stopped." };
                let best = best(&training.history.get_untracked());
                let share = best.map_or_else(String::new, |share| format!(" Best accuracy: {}.", format::share(share)));
                self.spoken.set(format!("{end} {}.{share}", format::plural(epochs, "epoch")));
                if epochs > 0 {
                    self.classify_again();
                    self.pump();
                }
            }
            TrainingEvent::Weights { file_name, bytes } => {
                if let Err(error) = web::save_bytes(&file_name, &bytes) {
                    training.error.set(Some(error.to_string()));
                }
            }
            TrainingEvent::CheckpointPiece(_)
            | TrainingEvent::Checkpoint { .. }
            | TrainingEvent::Estimated { .. }
            | TrainingEvent::Previewed { .. } => {}
            TrainingEvent::Failed(error) => self.training_failed(&error),
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
                training.note.set(Some(format!(
                    "The loss was no finite number. Training went back to the end of epoch {epoch} and goes on with {rate_factor} \
                     of the learning rate."
                )));
            }
            train::Event::Finished { early: true } => {
                training.note.set(Some("Validation did not become better any more, so training ended early.".into()));
            }
            train::Event::Finished { early: false } => {}
        }
    }
}

/// The best validation accuracy, or training accuracy where there is no validation.
pub(super) fn best(history: &[Epoch]) -> Option<f64> {
    history.iter().map(|epoch| epoch.validation.unwrap_or(epoch.train).top1).max_by(f64::total_cmp)
}
