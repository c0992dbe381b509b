//! Training pictures on the GPU: a bank of 8-bit images, and batches gathered and augmented from it in one dispatch.

use crate::{Error, Result};

/// Random resized crop: the side and the proportion of a window that is stretched onto the whole input (Szegedy et al. 2015;
/// torchvision's `RandomResizedCrop`).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ResizedCrop {
    /// Least and largest share of the picture's area.
    pub scale: (f32, f32),
    /// Least and largest width / height, drawn evenly in the logarithm.
    pub ratio: (f32, f32),
}

impl Default for ResizedCrop {
    /// torchvision's numbers.
    fn default() -> Self {
        Self { scale: (0.08, 1.0), ratio: (3.0 / 4.0, 4.0 / 3.0) }
    }
}

/// How training pictures are varied; every strength of 0 is off, and [`Default`] is none at all.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Augmentation {
    /// Largest shift along either axis in pixels of the input; what comes in from outside is zero after normalisation, that
    /// is the mean colour. 4 on 32 x 32 is pad-and-crop of the CIFAR recipe (He et al. 2016).
    pub shift_px: u32,
    /// Random resized crop.
    pub resized_crop: Option<ResizedCrop>,
    /// Mirror left and right every other time.
    pub flip: bool,
    /// Largest rotation about the centre, in degrees.
    pub rotation_deg: f32,
    /// Colours are multiplied by a factor from `1 - brightness` to `1 + brightness`.
    pub brightness: f32,
    /// The distance to the picture's mean grey is multiplied by a factor from `1 - contrast` to `1 + contrast`.
    pub contrast: f32,
    /// The distance to each pixel's own grey is multiplied by a factor from `1 - saturation` to `1 + saturation`.
    pub saturation: f32,
    /// Largest turn of the hue, as a share of the whole circle: 0 to 0.5.
    pub hue: f32,
    /// Probability that a rectangle becomes zero after normalisation (Zhong et al. 2020, arXiv:1708.04896).
    pub erasing: f32,
    /// alpha of the Beta distribution the share of a mixed-in picture is drawn from (Zhang et al. 2018, arXiv:1710.09412).
    pub mixup_alpha: f32,
}

impl Augmentation {
    /// Whether pictures stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// # Errors
    /// [`Error::Usage`] naming the strength that makes no sense.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("rotation", self.rotation_deg, 180.0),
            ("brightness", self.brightness, 1.0),
            ("contrast", self.contrast, 1.0),
            ("saturation", self.saturation, 1.0),
            ("hue", self.hue, 0.5),
            ("erasing", self.erasing, 1.0),
            ("mixup", self.mixup_alpha, 100.0),
        ];
        for (name, value, most) in ranges {
            if !(0.0..=most).contains(&value) {
                return Err(Error::Usage(format!("{name} of {value} cannot be used; give a number from 0 (off) to {most}")));
            }
        }
        if let Some(ResizedCrop { scale, ratio }) = self.resized_crop {
            if !(0.0 < scale.0 && scale.0 <= scale.1 && scale.1 <= 1.0) {
                return Err(Error::Usage(format!(
                    "a resized crop of {} to {} of the area cannot be used; give two rising shares above 0 and up to 1, like \
                     0.08 and 1",
                    scale.0, scale.1
                )));
            }
            if !(0.0 < ratio.0 && ratio.0 <= ratio.1 && ratio.1.is_finite()) {
                return Err(Error::Usage(format!(
                    "proportions of {} to {} of a resized crop cannot be used; give two rising positive numbers, like 0.75 \
                     and 1.333",
                    ratio.0, ratio.1
                )));
            }
        }
        Ok(())
    }
}

/// One image of a batch as drawn on the CPU; the table of these is all that crosses the bus in a step.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Draw {
    /// Column in the stored picture of output pixel `(x, y)`: `column[0] * x + column[1] * y + column[2]`; whole numbers are
    /// centres of pixels. The fourth is padding.
    pub column: [f32; 4],
    /// Row in the stored picture, likewise.
    pub row: [f32; 4],
    /// The new red, green and blue (0 to 255) from the old ones: three factors and a constant each.
    pub colour: [[f32; 4]; 3],
    /// Pixels `x, y` with `left <= x < right` and `top <= y < bottom` of the output become zero: left, top, right, bottom.
    pub erase: [u32; 4],
    /// Index of the picture in the bank.
    pub source: u32,
    /// Samples averaged along each axis of an output pixel: more than 1 where the picture shrinks.
    pub samples: u32,
    /// Row of the batch whose picture, with that row's own draw, is mixed in.
    pub partner: u32,
    /// Share of this row's own picture, 1 without mixup.
    pub lambda: f32,
}
