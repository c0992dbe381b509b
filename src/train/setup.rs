//! What a run begins with: network, pictures, recipe, and how much memory it may take.

use super::Recipe;
use crate::data::split::Split;
use crate::data::{ImageSet, Preset};
use crate::model::ResNetSpec;
use crate::{Error, Result};

/// What is trained, on what and how.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The network, with as many classes as the set.
    pub spec: ResNetSpec,
    /// How pictures become input.
    pub preset: Preset,
    /// How it is trained.
    pub recipe: Recipe,
    /// All pictures.
    pub images: ImageSet,
    /// Which of them train and which judge.
    pub split: Split,
    /// GPU memory.
    pub budget: Budget,
}

/// Most bytes of GPU memory a run may take. WebGPU tells nobody how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Parameters, gradients, optimizer state and activations; a batch that needs more is run in parts.
    pub training_bytes: u64,
    /// Pictures; when there are more, they are sent again when they are needed again.
    pub image_bytes: u64,
    /// What frozen layers computed, kept where no augmentation changes it; when there is more, it is computed again.
    pub feature_bytes: u64,
}

impl Default for Budget {
    /// What GPUs with 4 GB can spare; 3,500 pictures of 224 x 224.
    fn default() -> Self {
        Self { training_bytes: 2 << 30, image_bytes: 512 << 20, feature_bytes: 256 << 20 }
    }
}

impl Setup {
    /// # Errors
    /// [`Error::Usage`] for a recipe that does not fit the network, or a set nothing can be learned from.
    pub(super) fn check(&self) -> Result<()> {
        self.recipe.validate_for(&self.spec)?;
        let classes = self.images.classes.len();
        if self.spec.classes != Some(classes) {
            let has = self.spec.classes.unwrap_or(0);
            return Err(Error::Usage(format!("the network has {has} classes, but the pictures have {classes}")));
        }
        if self.split.train.is_empty() {
            return Err(Error::Usage("there are no pictures to train on; add some to each class".into()));
        }
        let size = self.images.size();
        if (size.width, size.height) != self.preset.crop {
            return Err(Error::Usage(format!(
                "the pictures are {} x {} pixels, but the preset wants {} x {}",
                size.width, size.height, self.preset.crop.0, self.preset.crop.1
            )));
        }
        Ok(())
    }

    /// Training images of each class.
    pub(super) fn class_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.images.classes.len()];
        self.split.train.iter().for_each(|image| counts[self.images.labels[*image] as usize] += 1);
        counts
    }

    /// The last one takes what is left.
    pub(super) fn steps_per_epoch(&self) -> u64 {
        self.split.train.len().div_ceil(self.recipe.batch.max(1) as usize) as u64
    }

    /// Images of the last part of an epoch's last step, where they are fewer than run at a time otherwise.
    pub(super) fn rest(&self, recipe: &Recipe) -> Option<u32> {
        let rest = self.split.train.len() % recipe.batch.max(1) as usize % recipe.micro_batch().max(1) as usize;
        (rest > 0).then_some(rest as u32)
    }
}
