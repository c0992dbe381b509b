//! What is kept of a run beside its checkpoint.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::data::Preset;
use crate::engine::{Activation, Sides};
use crate::ops::LossKind;
use crate::studio::{ClassId, Picture, PictureId, Role};
use crate::train::{Epoch, Recipe};

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
    /// What the dials said of that; none in a record of an older page.
    #[serde(default)]
    pub told: Option<Recipe>,
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
    pub fn sides_now(&self, pictures: &[Picture]) -> Sides {
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
    pub fn changes(&self, pictures: &[Picture]) -> (usize, usize) {
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
