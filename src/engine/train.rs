//! A training run behind the engine's messages: the pictures it is given, and how it goes on between two turns of the page.

use super::core::Engine;
use super::message::{Event, ModelInfo};
use crate::data::split::{self, NEAR_DUPLICATE_BITS};
use crate::data::{ImageSet, ImageSize, Preset, RgbaImage};
use crate::train::{self, Outline, Recipe, Trainer};
use crate::weights::Dtype;
use crate::{Error, Result};

/// Labelled pictures, reduced to the network's input size as they come in.
#[derive(Debug, Clone)]
pub struct Examples {
    images: ImageSet,
    preset: Preset,
    /// What each picture looks like, to keep near duplicates on one side of the split.
    hashes: Vec<u64>,
}

impl Examples {
    /// None yet, for a model that reads pixels as `preset` says.
    pub fn new(classes: Vec<String>, preset: &Preset) -> Self {
        let size = ImageSize::of(preset, true);
        Self { images: ImageSet::new(classes, size), preset: preset.clone(), hashes: Vec::new() }
    }

    /// Adds a picture of the class with this index.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such class.
    pub fn push(&mut self, name: String, image: &RgbaImage, class: u32) -> Result<()> {
        self.images.push(name, image, &self.preset, class)?;
        self.hashes.push(split::difference_hash(image));
        Ok(())
    }

    /// Number of pictures of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.images.classes.len()];
        self.images.labels.iter().for_each(|label| counts[*label as usize] += 1);
        counts
    }

    /// Parts the pictures for this recipe.
    ///
    /// # Errors
    /// [`Error::Usage`] for fewer than two classes, or a class without pictures.
    fn split(self, recipe: &Recipe) -> Result<(ImageSet, split::Split)> {
        let classes = &self.images.classes;
        if classes.len() < 2 {
            return Err(Error::Usage(format!(
                "{} of pictures cannot be told from anything; give two or more, each a folder of its own",
                if classes.is_empty() { "no class" } else { "one class" }
            )));
        }
        if let Some(empty) = self.counts().iter().position(|count| *count == 0) {
            return Err(Error::Usage(format!("the class `{}` has no picture that could be read; add some", classes[empty])));
        }
        let labels: Vec<usize> = self.images.labels.iter().map(|label| *label as usize).collect();
        let groups = split::near_duplicates(&labels, &self.hashes, NEAR_DUPLICATE_BITS);
        let split = split::stratified(&labels, &groups, recipe.val_fraction, recipe.seed)?;
        Ok((self.images, split))
    }
}

/// What a door asks for.
#[derive(Debug, Clone)]
pub struct TrainingOrder {
    /// Name of the model that comes out.
    pub name: String,
    /// How it is trained.
    pub recipe: Recipe,
    /// On what.
    pub examples: Examples,
}

/// What a run has to say.
#[derive(Debug, Clone)]
pub enum TrainingEvent {
    /// It begins: the run in numbers.
    Planned(Outline),
    /// A chunk was done.
    Went(train::Event),
    /// The device was lost and is open again; the run goes on from the end of the last epoch.
    Recovered,
    /// It rests, because it was asked to or because it is over. [`Command::ContinueTraining`](super::Command::ContinueTraining)
    /// goes on with what is left.
    Rests {
        /// Every epoch was done, or early stopping ended the run.
        finished: bool,
    },
    /// The weights of the best epoch as a safetensors file.
    Weights {
        /// What to call it.
        file_name: String,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The run ended with this error, or could not begin.
    Failed(Error),
}

/// A run and whether it goes on.
#[derive(Debug)]
pub(super) struct Run {
    name: String,
    trainer: Trainer,
    going: bool,
}

impl Run {
    pub(super) async fn start(engine: &Engine, order: TrainingOrder, send: &impl Fn(Event)) -> Result<Self> {
        let (images, split) = order.examples.split(&order.recipe)?;
        let trainer = engine.trainer(order.recipe, images, split).await?;
        send(Event::Training(TrainingEvent::Planned(trainer.outline())));
        Ok(Self { name: order.name, trainer, going: true })
    }

    /// Whether a chunk is to be done.
    pub(super) fn is_going(&self) -> bool {
        self.going
    }

    pub(super) fn go_on(&mut self) {
        self.going = true;
    }

    /// Rests after the chunk that was done last. The best weights so far become the engine's model.
    pub(super) async fn stop(&mut self, engine: &mut Engine, send: &impl Fn(Event)) -> Result<()> {
        if std::mem::take(&mut self.going) {
            self.rest(engine, false, send).await?;
        }
        Ok(())
    }

    /// Does a chunk. A lost device is opened again, and the run goes on from the end of the last epoch.
    pub(super) async fn advance(&mut self, engine: &mut Engine, send: &impl Fn(Event)) -> Result<()> {
        let event = self.trainer.advance().await?;
        let finished = matches!(event, train::Event::Finished { .. });
        send(Event::Training(TrainingEvent::Went(event)));
        if finished {
            self.going = false;
            self.rest(engine, true, send).await?;
        }
        Ok(())
    }

    /// Goes on with the engine's device, which was opened again.
    pub(super) fn recover(&mut self, engine: &Engine, send: &impl Fn(Event)) -> Result<()> {
        self.trainer.recover(engine.context())?;
        send(Event::Training(TrainingEvent::Recovered));
        Ok(())
    }

    async fn rest(&mut self, engine: &mut Engine, finished: bool, send: &impl Fn(Event)) -> Result<()> {
        if self.trainer.last_epoch().progress.epoch > 0 {
            let info: ModelInfo = engine.adopt(&self.name, self.trainer.last_epoch(), &mut |_| {}).await?;
            send(Event::Ready(Box::new(info)));
        }
        send(Event::Training(TrainingEvent::Rests { finished }));
        Ok(())
    }

    /// The best weights so far as a file.
    pub(super) fn weights(&self) -> Result<TrainingEvent> {
        let bytes = self.trainer.last_epoch().weights_to_bytes(Dtype::F32)?;
        Ok(TrainingEvent::Weights { file_name: format!("{}.safetensors", self.name), bytes })
    }
}
