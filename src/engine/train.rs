//! A training run behind the engine's messages: the pictures it is given, where it begins, and how it goes on between two turns
//! of the page.

use std::collections::HashMap;

use super::core::{Engine, turns};
use super::message::{Event, ModelInfo};
use crate::data::split::{self, Look, Split};
use crate::data::{ImageSet, ImageSize, Preset, RgbaImage, whole_side};
use crate::model::{ResNetSpec, Turns};
use crate::sorting;
use crate::train::{self, Changed, Checkpoint, Epoch, Estimate, Outline, Recipe, Trainer};
use crate::weights::Dtype;
use crate::{Error, Result};

/// What pictures for random crops may take, as long as they are as large as the input at least.
const WHOLE_BYTES: u64 = 512 << 20;

/// Labelled pictures, reduced to the network's input size as they come in.
#[derive(Debug, Clone)]
pub struct Examples {
    images: ImageSet,
    preset: Preset,
    /// The door's own number for each picture.
    ids: Vec<u64>,
    /// What each picture looks like, to keep near duplicates on one side of the split.
    looks: Vec<Look>,
}

impl Examples {
    /// None yet, for a model that reads pixels as `preset` says.
    pub fn new(classes: Vec<String>, preset: &Preset) -> Self {
        let size = ImageSize::of(preset, true);
        Self { images: ImageSet::new(classes, size), preset: preset.clone(), ids: Vec::new(), looks: Vec::new() }
    }

    /// For a recipe with random crops: they are cut from all of each picture. As large as memory allows for so many.
    pub fn for_recipe(mut self, recipe: &Recipe, pictures: usize) -> Self {
        if recipe.augmentation.resized_crop.is_some() {
            let most = (WHOLE_BYTES as f64 / (3 * pictures.max(1)) as f64).sqrt() as u32;
            let side = whole_side(&self.preset);
            self.images = self.images.with_wholes(side.min(most).max(side / 2));
        }
        self
    }

    /// Adds a picture of the class with this index. `id` is the door's own number for it: results come back with it.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such class.
    pub fn push(&mut self, id: u64, name: String, image: &RgbaImage, class: u32) -> Result<()> {
        self.images.push(name, image, &self.preset, class)?;
        self.ids.push(id);
        self.looks.push(Look::at(image));
        Ok(())
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of pictures of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.images.classes.len()];
        self.images.labels.iter().for_each(|label| counts[*label as usize] += 1);
        counts
    }

    /// Pictures that look like no other of their class: the images that a network really learns from.
    pub fn distinct(&self) -> usize {
        let groups = self.groups();
        groups.iter().enumerate().filter(|(image, group)| image == *group).count()
    }

    pub(super) fn images(&self) -> &ImageSet {
        &self.images
    }

    pub(super) fn ids(&self) -> &[u64] {
        &self.ids
    }

    pub(super) fn preset(&self) -> &Preset {
        &self.preset
    }

    fn labels(&self) -> Vec<usize> {
        self.images.labels.iter().map(|label| *label as usize).collect()
    }

    /// A group for every picture: those of a class that look alike.
    fn groups(&self) -> Vec<usize> {
        split::near_duplicates(&self.labels(), &self.looks)
    }

    /// Parts the pictures for this recipe. What was on one side before stays there: a picture that a network has learnt from
    /// can never judge it.
    ///
    /// # Errors
    /// [`Error::Usage`] for fewer than two classes, or a class without pictures.
    fn split(&self, recipe: &Recipe, before: Option<&Sides>) -> Result<Split> {
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
        let groups = self.groups();
        let split = split::stratified(&self.labels(), &groups, recipe.val_fraction, recipe.seed)?;
        Ok(match before {
            Some(before) if recipe.val_fraction > 0.0 => self.keep_sides(&split, &groups, before),
            _ => split,
        })
    }

    /// The split with every picture of `before`, and what looks like it, on the side where it was.
    fn keep_sides(&self, split: &Split, groups: &[usize], before: &Sides) -> Split {
        let mut side: HashMap<usize, bool> = HashMap::new();
        for (image, id) in self.ids.iter().enumerate() {
            if before.validation.contains(id) {
                side.entry(groups[image]).or_insert(true);
            } else if before.train.contains(id) {
                // A group that was parted by a new picture between its halves: it has been learnt from.
                side.insert(groups[image], false);
            }
        }
        let validates =
            |image: &usize| side.get(&groups[*image]).copied().unwrap_or_else(|| split.validation.binary_search(image).is_ok());
        let (validation, train) = (0..self.len()).partition(validates);
        Split { train, validation }
    }

    /// The same sides as before, where these are exactly the same pictures.
    fn same_split(&self, sides: &Sides) -> Option<Split> {
        let place: HashMap<u64, usize> = self.ids.iter().enumerate().map(|(image, id)| (*id, image)).collect();
        let indices = |ids: &[u64]| -> Option<Vec<usize>> {
            let mut indices = ids.iter().map(|id| place.get(id).copied()).collect::<Option<Vec<_>>>()?;
            sorting::sort(&mut indices);
            Some(indices)
        };
        let split = Split { train: indices(&sides.train)?, validation: indices(&sides.validation)? };
        (split.train.len() + split.validation.len() == self.len()).then_some(split)
    }

    fn sides(&self, split: &Split) -> Sides {
        let ids = |images: &[usize]| images.iter().map(|image| self.ids[*image]).collect();
        Sides { train: ids(&split.train), validation: ids(&split.validation) }
    }
}

/// Which pictures train and which judge, by the door's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Sides {
    /// Learnt from.
    pub train: Vec<u64>,
    /// Judged by.
    pub validation: Vec<u64>,
}

/// Where a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backbone {
    /// The last model that was not trained here: the loaded one, or the one that was loaded before training replaced it.
    #[default]
    Pretrained,
    /// The loaded model, whatever it is: a trained one learns further.
    Loaded,
    /// Drawn weights.
    Scratch {
        /// Name of the architecture, see [`ResNetSpec::named`].
        arch: String,
        /// Side of the pictures in pixels.
        side: u32,
    },
}

/// How a network of this architecture, from scratch, wants its pictures.
///
/// # Errors
/// [`Error::Unknown`] for another name, [`Error::Usage`] for a side that cannot be used.
pub fn scratch_preset(arch: &str, side: u32) -> Result<Preset> {
    super::usual_preset(&ResNetSpec::named(arch)?)?.with_size(side)
}

/// What a door asks for.
#[derive(Debug, Clone)]
pub struct TrainingOrder {
    /// Name of the model that comes out.
    pub name: String,
    /// Where it begins.
    pub backbone: Backbone,
    /// How it is trained.
    pub recipe: Recipe,
    /// On what.
    pub examples: Examples,
    /// The sides of an earlier run on these pictures, which stay.
    pub sides: Option<Sides>,
}

/// A run to go on with after the page was closed.
#[derive(Debug, Clone)]
pub struct ResumeOrder {
    /// Name of the model that comes out.
    pub name: String,
    /// A checkpoint file.
    pub checkpoint: Vec<u8>,
    /// The pictures, of the run's classes in its order, by the names they have now. Others than before begin a new run with the
    /// checkpoint's weights and recipe.
    pub examples: Examples,
    /// The sides that the run had.
    pub sides: Sides,
    /// Another recipe for what is left.
    pub recipe: Option<Recipe>,
}

/// What a run would take.
#[derive(Debug, Clone)]
pub struct EstimateOrder {
    /// The door's own number for it.
    pub number: u64,
    /// Where it would begin.
    pub backbone: Backbone,
    /// How it would be trained.
    pub recipe: Recipe,
    /// Number of classes.
    pub classes: usize,
    /// Pictures in all.
    pub pictures: usize,
}

/// What augmentation makes of a picture.
#[derive(Debug, Clone)]
pub struct PreviewOrder {
    /// The door's own number for it.
    pub number: u64,
    /// The recipe whose augmentation is meant.
    pub recipe: Recipe,
    /// The picture first; mixup takes the others.
    pub examples: Examples,
    /// How many variations.
    pub count: usize,
}

/// How a run came to begin where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A new run.
    New,
    /// Where it stood when the page was closed, or when it was asked to rest.
    Resumed,
    /// A new run from the weights of the one before, because there are other pictures or classes now.
    OtherPictures,
}

/// A run as it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In numbers.
    pub outline: Outline,
    /// How it is trained; a batch may be smaller than asked for.
    pub recipe: Recipe,
    /// Which pictures train and which judge.
    pub sides: Sides,
    /// Why it begins where it does.
    pub beginning: Beginning,
    /// Epochs that are done already.
    pub history: Vec<Epoch>,
    /// What of the recipe is different from here on, where the run goes on.
    pub changed: Vec<Changed>,
}

/// What a run has to say.
#[derive(Debug, Clone)]
pub enum TrainingEvent {
    /// It begins.
    Planned(Box<Plan>),
    /// A chunk was done.
    Went(train::Event),
    /// A piece of the checkpoint file; the pieces together are the file.
    CheckpointPiece(Vec<u8>),
    /// The checkpoint is whole, of the run as it stands after so many epochs.
    Checkpoint {
        /// Whole epochs done.
        epochs: u32,
    },
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
    /// What a run would take, or why there cannot be one.
    Estimated {
        /// As in the order.
        number: u64,
        /// The figures.
        estimate: Result<Estimate>,
    },
    /// What the network would see.
    Previewed {
        /// As in the order.
        number: u64,
        /// Variations of the picture.
        pictures: Result<Vec<RgbaImage>>,
    },
    /// The run still rests: it cannot go on with this recipe.
    Refused(Error),
    /// The run ended with this error, or could not begin.
    Failed(Error),
}

/// A run and whether it goes on.
#[derive(Debug)]
pub(super) struct Run {
    name: String,
    trainer: Trainer,
    sides: Sides,
    going: bool,
}

impl Run {
    pub(super) async fn start(engine: &Engine, order: TrainingOrder, send: &dyn Fn(Event)) -> Result<Self> {
        let TrainingOrder { name, backbone, recipe, examples, sides } = order;
        let split = examples.split(&recipe, sides.as_ref())?;
        let sides = examples.sides(&split);
        let trainer = engine.trainer(&backbone, recipe, examples.images, split).await?;
        Ok(Self::begin(name, trainer, sides, (Beginning::New, Vec::new()), send))
    }

    /// Goes on with a run from an earlier visit.
    pub(super) async fn resume(engine: &Engine, order: ResumeOrder, send: &dyn Fn(Event)) -> Result<Self> {
        let ResumeOrder { name, checkpoint, examples, sides, recipe } = order;
        let mut checkpoint = Checkpoint::from_bytes(&name, &checkpoint)?;
        let changed = match recipe {
            Some(recipe) => checkpoint.change(recipe)?,
            None => Vec::new(),
        };
        // Classes are the run's own, in its order; some may have got another name since.
        if checkpoint.classes.len() == examples.images.classes.len() {
            checkpoint.classes.clone_from(&examples.images.classes);
        }
        let same = (checkpoint.classes == examples.images.classes).then(|| examples.same_split(&sides)).flatten();
        if let Some(split) = same {
            let trainer = engine.resume(checkpoint, examples.images, split).await?;
            return Ok(Self::begin(name, trainer, sides, (Beginning::Resumed, changed), send));
        }
        let split = examples.split(&checkpoint.recipe, Some(&sides))?;
        let sides = examples.sides(&split);
        let trainer = engine.trainer_from(checkpoint, examples.images, split).await?;
        Ok(Self::begin(name, trainer, sides, (Beginning::OtherPictures, changed), send))
    }

    fn begin(name: String, trainer: Trainer, sides: Sides, beginning: (Beginning, Vec<Changed>), send: &dyn Fn(Event)) -> Self {
        let run = Self { name, trainer, sides, going: true };
        run.announce(beginning, send);
        run
    }

    /// Says how the run goes on from here.
    fn announce(&self, (beginning, changed): (Beginning, Vec<Changed>), send: &dyn Fn(Event)) {
        let plan = Plan {
            outline: self.trainer.outline(),
            recipe: self.trainer.setup().recipe.clone(),
            sides: self.sides.clone(),
            beginning,
            history: self.trainer.last_epoch().history.clone(),
            changed,
        };
        send(Event::Training(TrainingEvent::Planned(Box::new(plan))));
    }

    /// Whether a chunk is to be done.
    pub(super) fn is_going(&self) -> bool {
        self.going
    }

    /// Goes on, with another recipe where one is given.
    pub(super) async fn go_on(&mut self, engine: &Engine, recipe: Option<Box<Recipe>>, send: &dyn Fn(Event)) -> Result<()> {
        if let Some(recipe) = recipe {
            let mut turn = turns();
            match self.trainer.change(engine.context(), *recipe, &mut Turns::new(&mut turn)).await {
                Ok(changed) if changed.is_empty() => {}
                Ok(changed) => self.announce((Beginning::Resumed, changed), send),
                Err(error @ Error::DeviceLost(_)) => return Err(error),
                Err(error) => {
                    send(Event::Training(TrainingEvent::Refused(error)));
                    return Ok(());
                }
            }
        }
        self.going = true;
        Ok(())
    }

    /// Rests after the chunk that was done last. The best weights so far become the engine's model, and the run is handed over
    /// as it stands.
    pub(super) async fn stop(&mut self, engine: &mut Engine, send: &dyn Fn(Event)) -> Result<()> {
        if std::mem::take(&mut self.going) {
            let mut turn = turns();
            let now = self.trainer.checkpoint(&mut Turns::new(&mut turn)).await?;
            hand_over(&now, send).await?;
            self.rest(engine, false, send).await?;
        }
        Ok(())
    }

    /// Does a chunk; an epoch's end hands a checkpoint over. A lost device is opened again, and the run goes on from the end of
    /// the last epoch.
    pub(super) async fn advance(&mut self, engine: &mut Engine, send: &dyn Fn(Event)) -> Result<()> {
        let mut turn = turns();
        let event = self.trainer.advance(&mut Turns::new(&mut turn)).await?;
        let finished = matches!(event, train::Event::Finished { .. });
        let epoch = matches!(event, train::Event::Epoch(_));
        send(Event::Training(TrainingEvent::Went(event)));
        if epoch {
            hand_over(self.trainer.last_epoch(), send).await?;
        }
        if finished {
            self.going = false;
            self.rest(engine, true, send).await?;
        }
        Ok(())
    }

    /// Goes on with the engine's device, which was opened again.
    pub(super) async fn recover(&mut self, engine: &Engine, send: &dyn Fn(Event)) -> Result<()> {
        let mut turn = turns();
        self.trainer.recover(engine.context(), &mut Turns::new(&mut turn)).await?;
        send(Event::Training(TrainingEvent::Recovered));
        Ok(())
    }

    async fn rest(&mut self, engine: &mut Engine, finished: bool, send: &dyn Fn(Event)) -> Result<()> {
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

/// Sends a checkpoint in pieces, so that neither writing it nor taking it holds up the page.
async fn hand_over(checkpoint: &Checkpoint, send: &dyn Fn(Event)) -> Result<()> {
    let mut turn = turns();
    let mut take = |piece| send(Event::Training(TrainingEvent::CheckpointPiece(piece)));
    checkpoint.write(&mut take, &mut Turns::new(&mut turn)).await?;
    send(Event::Training(TrainingEvent::Checkpoint { epochs: checkpoint.progress.epoch }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures of two classes that all look different.
    fn examples(ids: std::ops::Range<u64>) -> Examples {
        let preset = Preset::named("cifar").unwrap();
        let mut examples = Examples::new(["a", "b"].map(String::from).to_vec(), &preset);
        for id in ids {
            let mut rng = crate::data::random::generator(id, crate::data::random::Stream::Init(0));
            let pixels = (0..32 * 32 * 4).map(|_| crate::data::random::below(&mut rng, 256) as u8).collect();
            let image = RgbaImage::new("noise", 32, 32, pixels).unwrap();
            examples.push(id, id.to_string(), &image, (id % 2) as u32).unwrap();
        }
        examples
    }

    #[test]
    fn what_has_been_learnt_from_never_judges() {
        let recipe = Recipe { val_fraction: 0.25, ..Recipe::default() };
        let first = examples(100..140);
        let sides = first.sides(&first.split(&recipe, None).unwrap());
        assert_eq!((sides.train.len(), sides.validation.len()), (30, 10));

        let more = examples(80..160);
        let split = more.split(&Recipe { seed: 9, ..recipe.clone() }, Some(&sides)).unwrap();
        let now = more.sides(&split);
        assert!(sides.train.iter().all(|id| now.train.contains(id)));
        assert!(sides.validation.iter().all(|id| now.validation.contains(id)));
        let new = now.validation.iter().filter(|id| !(100..140).contains(*id)).count();
        assert!((4..=16).contains(&new), "{new} of 40 new pictures validate");
        assert_eq!(now.train.len() + now.validation.len(), 80);
    }

    #[test]
    fn the_same_pictures_are_known_again_in_any_order() {
        let recipe = Recipe::default();
        let first = examples(0..20);
        let split = first.split(&recipe, None).unwrap();
        let sides = first.sides(&split);
        assert_eq!(first.same_split(&sides), Some(split));
        assert_eq!(examples(0..21).same_split(&sides), None, "a picture more");
        assert_eq!(examples(1..20).same_split(&sides), None, "a picture less");
        assert_eq!(examples(1..21).same_split(&sides), None, "another picture");
        assert_eq!(first.distinct(), 20);
    }
}
