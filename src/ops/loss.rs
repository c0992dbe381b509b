//! Classification losses with their gradient and the counts behind loss and accuracy.

use crate::{Error, Result};

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LossKind {
    /// Exactly one class is right. As `torch.nn.CrossEntropyLoss(weight, label_smoothing=..)`: the target is
    /// `1 - label_smoothing` on the label plus `label_smoothing / C` on every class (Szegedy et al. 2016, arXiv:1512.00567), and
    /// the mean is weighted by the class weights of the labels.
    SoftmaxCrossEntropy {
        /// 0 (none) to below 1.
        #[serde(default)]
        label_smoothing: f32,
    },
    /// Every class is a yes or no of its own. As `torch.nn.BCEWithLogitsLoss(weight)`: the mean over images and classes. The
    /// target is moved towards 1/2, `target * (1 - label_smoothing) + label_smoothing / 2`, as Keras' `BinaryCrossentropy` does.
    SigmoidCrossEntropy {
        /// 0 (none) to below 1.
        #[serde(default)]
        label_smoothing: f32,
    },
}

impl Default for LossKind {
    /// Softmax cross-entropy without smoothing.
    fn default() -> Self {
        Self::SoftmaxCrossEntropy { label_smoothing: 0.0 }
    }
}

impl LossKind {
    /// The strength of label smoothing.
    pub fn label_smoothing(&self) -> f32 {
        match *self {
            Self::SoftmaxCrossEntropy { label_smoothing } | Self::SigmoidCrossEntropy { label_smoothing } => label_smoothing,
        }
    }

    /// # Errors
    /// [`Error::Usage`] when the smoothing is not in 0..1.
    pub fn validate(&self) -> Result<()> {
        let smoothing = self.label_smoothing();
        if (0.0..1.0).contains(&smoothing) {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "label smoothing of {smoothing} leaves no label; give a number from 0 to below 1, 0.1 is usual"
        )))
    }
}

/// One image's target on the GPU. With mixup (Zhang et al. 2018, arXiv:1710.09412) it is `lambda` of `label` and
/// `1 - lambda` of `other`; without, the two are the same class.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Target {
    /// Class, below the number of classes.
    pub label: u32,
    /// Class of the picture mixed in.
    pub other: u32,
    /// Share of `label`, 0 to 1.
    pub lambda: f32,
    /// What the image counts: 1, or 0 for a row that only fills the batch.
    pub weight: f32,
}

impl Target {
    /// A row that fills the batch and counts nowhere.
    pub const FILLER: Self = Self { label: 0, other: 0, lambda: 1.0, weight: 0.0 };

    /// An image of one class.
    pub fn class(label: u32) -> Self {
        Self { label, other: label, lambda: 1.0, weight: 1.0 }
    }

    /// A mixture of two images.
    pub fn mixed(label: u32, other: u32, lambda: f32) -> Self {
        Self { label, other, lambda, weight: 1.0 }
    }
}
