//! How a network wants its pictures: size, crop, channel order and normalisation, by name.

use serde::{Deserialize, Serialize};

use super::Filter;
use crate::{Error, Result};

/// Largest side of a network input made from a picture.
pub const MAX_INPUT_PX: u32 = 4096;

/// The size of a picture before the crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The shorter side becomes this long, the longer one follows (torchvision's `Resize(int)`).
    Shorter(u32),
    /// Width and height whatever the picture's proportions (torchvision's `Resize((h, w))`).
    Exact(u32, u32),
}

/// The order of the channels in the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelOrder {
    /// Red first: everything but Caffe.
    Rgb,
    /// Blue first, as OpenCV and so Caffe read pictures.
    Bgr,
}

impl ChannelOrder {
    /// Which of red, green, blue stands in each input channel.
    pub fn indices(self) -> [usize; 3] {
        match self {
            Self::Rgb => [0, 1, 2],
            Self::Bgr => [2, 1, 0],
        }
    }
}

/// A recipe from 8-bit pictures to a network's input: resize with anti-aliasing, centre crop, then
/// `(pixel * scale - mean) / std` per input channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name in `--preset`.
    pub name: String,
    /// Size before the crop.
    pub resize: Resize,
    /// Width and height of the crop, which is the network's input.
    pub crop: (u32, u32),
    /// Filter of the resize.
    pub filter: Filter,
    /// Order of the input's channels.
    pub channel_order: ChannelOrder,
    /// Factor on the pixel (0 to 255) before `mean` is taken away.
    pub scale: f32,
    /// Subtracted from the scaled pixel, in the order of the input's channels.
    pub mean: [f32; 3],
    /// Divides the difference, in the order of the input's channels.
    pub std: [f32; 3],
}

/// Where a picture's pixels go: its size after the resize and the window cut from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Width and height after the resize.
    pub resized: (u32, u32),
    /// Width and height of the crop.
    pub crop: (u32, u32),
    /// Column of the resized picture where the crop starts; negative when the picture is narrower and is padded.
    pub left: i32,
    /// Row of the resized picture where the crop starts; negative when the picture is lower and is padded.
    pub top: i32,
}

/// ImageNet's statistics as torchvision and timm use them, for pixels in 0..1.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
const BYTE: f32 = 1.0 / 255.0;

impl Preset {
    /// Every name that [`named`](Self::named) knows.
    pub const NAMES: [&'static str; 10] = [
        "imagenet",
        "imagenet-v2",
        "timm-a1",
        "timm-a1-288",
        "caffe",
        "caffe-exact",
        "keras-v2",
        "keras-v2-exact",
        "cifar",
        "cifar-mean",
    ];

    /// The preset of this name:
    ///
    /// | name | resize | crop | values |
    /// | --- | --- | --- | --- |
    /// | `imagenet` | shorter side 256, bilinear | 224 | torchvision's `ImageClassification` preset (weights V1, timm's tv_in1k) |
    /// | `imagenet-v2` | shorter side 232, bilinear | 224 | torchvision's preset of the weights V2 |
    /// | `timm-a1` | shorter side 235 = floor(224 / 0.95), bicubic | 224 | timm's `resnetNN.a1_in1k`, `crop_pct` 0.95 |
    /// | `timm-a1-288` | shorter side 288, bicubic | 288 | the same nets at timm's `test_input_size`, `test_crop_pct` 1 |
    /// | `caffe` | shorter side 256, bilinear | 224 | BGR in 0..255 less the mean 103.939, 116.779, 123.68 (He et al.'s and Keras' v1 nets) |
    /// | `caffe-exact` | exactly 224 x 224, bilinear | 224 | as `caffe`, with the size that Keras' `load_img(target_size=...)` gives |
    /// | `keras-v2` | shorter side 256, bilinear | 224 | -1..1: Keras' `preprocess_input` mode `tf`; it fixes no crop, so this is the central 0.875 that TF-slim evaluates with |
    /// | `keras-v2-exact` | exactly 224 x 224, bilinear | 224 | as `keras-v2`, with the size that Keras' `load_img` gives |
    /// | `cifar` | exactly 32 x 32, bilinear (nothing for CIFAR's own pictures) | 32 | ImageNet's mean and std, as the published CIFAR ResNet-20 to 1202 in PyTorch |
    /// | `cifar-mean` | as `cifar` | 32 | 0..1 less CIFAR-10's channel means 125.3, 123.0, 113.9 (of 255), not divided |
    ///
    /// # Errors
    /// [`Error::Unknown`] with the list of names.
    pub fn named(name: &str) -> Result<Self> {
        let shorter = |side| (Resize::Shorter(side), Filter::Bilinear);
        let exact = |side| (Resize::Exact(side, side), Filter::Bilinear);
        let bicubic = |side| (Resize::Shorter(side), Filter::Bicubic);
        let rgb = ChannelOrder::Rgb;
        let ((resize, filter), crop, channel_order, scale, mean, std) = match name {
            "imagenet" => (shorter(256), 224, rgb, BYTE, IMAGENET_MEAN, IMAGENET_STD),
            "timm-a1" => (bicubic(235), 224, rgb, BYTE, IMAGENET_MEAN, IMAGENET_STD),
            "timm-a1-288" => (bicubic(288), 288, rgb, BYTE, IMAGENET_MEAN, IMAGENET_STD),
            "imagenet-v2" => (shorter(232), 224, rgb, BYTE, IMAGENET_MEAN, IMAGENET_STD),
            "caffe-exact" => (exact(224), 224, ChannelOrder::Bgr, 1.0, [103.939, 116.779, 123.68], [1.0; 3]),
            "keras-v2-exact" => (exact(224), 224, rgb, 1.0 / 127.5, [1.0; 3], [1.0; 3]),
            "caffe" => (shorter(256), 224, ChannelOrder::Bgr, 1.0, [103.939, 116.779, 123.68], [1.0; 3]),
            "keras-v2" => (shorter(256), 224, rgb, 1.0 / 127.5, [1.0; 3], [1.0; 3]),
            "cifar" => (exact(32), 32, rgb, BYTE, IMAGENET_MEAN, IMAGENET_STD),
            "cifar-mean" => (exact(32), 32, rgb, BYTE, [125.3 / 255.0, 123.0 / 255.0, 113.9 / 255.0], [1.0; 3]),
            _ => {
                return Err(Error::Unknown { kind: "preset", name: name.into(), known: Self::NAMES.join(", ") });
            }
        };
        Ok(Self { name: name.into(), resize, crop: (crop, crop), filter, channel_order, scale, mean, std })
    }

    /// A preset from numbers: the shorter side becomes `size` (bilinear), the centre `size` x `size` is kept, and
    /// `mean` and `std` apply to RGB pixels in 0..1, as torchvision's `Normalize` takes them.
    ///
    /// # Errors
    /// [`Error::Usage`] when the size is 0 or over [`MAX_INPUT_PX`], a value is not finite, a std is not positive, or a mean
    /// was written for pixels in 0..255.
    pub fn custom(size: u32, mean: [f32; 3], std: [f32; 3]) -> Result<Self> {
        let preset = Self {
            name: "custom".into(),
            resize: Resize::Shorter(size),
            crop: (size, size),
            filter: Filter::Bilinear,
            channel_order: ChannelOrder::Rgb,
            scale: BYTE,
            mean,
            std,
        };
        check_side(size)?;
        if let Some(bad) = mean.iter().find(|m| !(-2.0..=2.0).contains(*m)) {
            return Err(Error::Usage(format!(
                "a mean of {bad} does not fit pixels in 0..1; give three numbers like 0.485,0.456,0.406 (divide means of \
                 0..255 pixels, and their std, by 255)"
            )));
        }
        if let Some(bad) = std.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(Error::Usage(format!(
                "a standard deviation of {bad} cannot divide pixels; give three positive numbers like 0.229,0.224,0.225"
            )));
        }
        Ok(preset)
    }

    /// Whether every number can be used; a preset that was read from a file may hold anything.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        let (w, h) = self.crop;
        let sides = match self.resize {
            Resize::Shorter(side) => [w, h, side, side],
            Resize::Exact(width, height) => [w, h, width, height],
        };
        sides.into_iter().try_for_each(check_side)?;
        let fine = self.scale.is_finite()
            && self.mean.iter().all(|m| m.is_finite())
            && self.std.iter().all(|s| s.is_finite() && *s > 0.0);
        if fine {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "pixels cannot be normalised with a scale of {}, means of {:?} and standard deviations of {:?}: they must be finite, \
             and the deviations positive",
            self.scale, self.mean, self.std
        )))
    }

    /// The same recipe for a square input of `size` pixels: crop and resize keep their proportion, rounded down as timm
    /// does.
    ///
    /// # Errors
    /// [`Error::Usage`] when the size is 0 or over [`MAX_INPUT_PX`].
    pub fn with_size(mut self, size: u32) -> Result<Self> {
        check_side(size)?;
        if self.crop != (size, size) {
            let scaled = |side: u32, of: u32| (u64::from(side) * u64::from(size) / u64::from(of)).max(1) as u32;
            self.resize = match self.resize {
                Resize::Shorter(side) => Resize::Shorter(scaled(side, self.crop.0.min(self.crop.1))),
                Resize::Exact(w, h) => Resize::Exact(scaled(w, self.crop.0), scaled(h, self.crop.1)),
            };
            self.crop = (size, size);
        }
        Ok(self)
    }

    /// Normalisation of an 8-bit pixel as `pixel * factor + offset`, in the order of the input's channels.
    pub fn affine(&self) -> ([f32; 3], [f32; 3]) {
        let factor = std::array::from_fn(|c| (f64::from(self.scale) / f64::from(self.std[c])) as f32);
        let offset = std::array::from_fn(|c| (-f64::from(self.mean[c]) / f64::from(self.std[c])) as f32);
        (factor, offset)
    }

    /// Sizes and offsets for a picture of `width` x `height` pixels (both at least 1), by torchvision's rules:
    ///
    /// - `Resize(s)`: the shorter side becomes `s`, the longer one `int(s * long / short)`.
    /// - `CenterCrop`: starts at `round((side - crop) / 2)`, a half rounding to the even number as Python does; a smaller
    ///   picture gets black bars, the odd line at the right or bottom.
    pub fn geometry(&self, width: u32, height: u32) -> Geometry {
        let (width, height) = (width.max(1), height.max(1));
        let resized = match self.resize {
            Resize::Exact(w, h) => (w, h),
            Resize::Shorter(side) => {
                let follow = |long: u32, short: u32| {
                    u32::try_from(u64::from(side) * u64::from(long) / u64::from(short)).unwrap_or(u32::MAX)
                };
                if width <= height { (side, follow(height, width)) } else { (follow(width, height), side) }
            }
        };
        let start = |side: u32, crop: u32| {
            let slack = i64::from(side) - i64::from(crop);
            let half = slack.div_euclid(2);
            let start = match slack {
                // Padding: floor((crop - side) / 2) black lines come first.
                ..0 => -(-slack / 2),
                _ if slack % 2 == 1 && half % 2 == 1 => half + 1,
                _ => half,
            };
            // Half of a u32 fits into i32.
            start as i32
        };
        Geometry { resized, crop: self.crop, left: start(resized.0, self.crop.0), top: start(resized.1, self.crop.1) }
    }
}

fn check_side(size: u32) -> Result<()> {
    if (1..=MAX_INPUT_PX).contains(&size) {
        return Ok(());
    }
    Err(Error::Usage(format!("an input size of {size} cannot be used; give a side from 1 to {MAX_INPUT_PX} pixels")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_follows_torchvision() {
        // Printed by tests/fixtures/images/make.py --geometry: picture, resize, crop, resized picture, left, top.
        let cases = [
            ((500, 375), 256, 224, (341, 256), 58, 16),
            ((331, 500), 256, 224, (256, 386), 16, 81),
            ((32, 32), 32, 32, (32, 32), 0, 0),
            ((1, 1), 256, 224, (256, 256), 16, 16),
            ((33, 57), 20, 29, (20, 34), -4, 2),
            ((57, 33), 21, 30, (36, 21), 3, -4),
            ((1000, 3), 8, 31, (2666, 8), 1318, -11),
            ((4000, 3000), 235, 224, (313, 235), 44, 6),
            ((301, 300), 288, 288, (288, 288), 0, 0),
            ((257, 258), 231, 224, (231, 231), 4, 4),
            ((90, 61), 233, 224, (343, 233), 60, 4),
        ];
        for (picture, side, crop, resized, left, top) in cases {
            let mut preset = Preset::custom(crop, [0.0; 3], [1.0; 3]).unwrap();
            preset.resize = Resize::Shorter(side);
            let expected = Geometry { resized, crop: (crop, crop), left, top };
            assert_eq!(preset.geometry(picture.0, picture.1), expected, "{picture:?} to {side}, crop {crop}");
        }
    }

    #[test]
    fn every_listed_name_exists_and_others_are_answered_with_the_list() {
        for name in Preset::NAMES {
            assert_eq!(Preset::named(name).unwrap().name, name);
        }
        let error = Preset::named("imagnet").unwrap_err().to_string();
        assert!(error.contains("`imagnet`") && error.contains("imagenet, imagenet-v2, timm-a1"), "{error}");
    }

    #[test]
    fn ranges_of_normalised_values() {
        let range = |name: &str| {
            let (factor, offset) = Preset::named(name).unwrap().affine();
            [offset[0], 255.0 * factor[0] + offset[0]]
        };
        let close = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).abs() < 1e-5 && (a[1] - b[1]).abs() < 1e-5;
        assert!(close(range("keras-v2"), [-1.0, 1.0]));
        assert!(close(range("imagenet"), [-0.485 / 0.229, 0.515 / 0.229]));
        assert!(close(range("caffe"), [-103.939, 255.0 - 103.939]));
        assert!(close(range("cifar-mean"), [-125.3 / 255.0, 129.7 / 255.0]));
    }

    #[test]
    fn custom_numbers_are_checked() {
        let error = |size, mean, std| Preset::custom(size, [mean; 3], [std; 3]).unwrap_err().to_string();
        assert!(error(0, 0.5, 0.5).contains("1 to 4096"));
        assert!(error(32, 123.7, 0.5).contains("divide means"));
        assert!(error(32, f32::NAN, 0.5).contains("0..1"));
        assert!(error(32, 0.5, 0.0).contains("positive"));
        assert!(Preset::custom(32, [0.5; 3], [0.5; 3]).is_ok());
    }

    #[test]
    fn a_preset_survives_json_and_a_spoilt_one_is_refused() {
        for name in Preset::NAMES {
            let preset = Preset::named(name).unwrap();
            preset.validate().unwrap();
            let json = serde_json::to_string(&preset).unwrap();
            assert_eq!(serde_json::from_str::<Preset>(&json).unwrap(), preset, "{json}");
        }
        let preset = Preset::named("cifar").unwrap();
        assert!(Preset { crop: (0, 32), ..preset.clone() }.validate().is_err());
        assert!(Preset { resize: Resize::Shorter(1 << 30), ..preset.clone() }.validate().is_err());
        let error = Preset { std: [0.0; 3], ..preset }.validate().unwrap_err();
        assert!(error.to_string().contains("deviations positive"));
    }

    #[test]
    fn another_size_keeps_the_proportion_of_the_crop() {
        let preset = Preset::named("imagenet").unwrap().with_size(64).unwrap();
        assert_eq!((preset.resize, preset.crop), (Resize::Shorter(73), (64, 64)));
        let preset = Preset::named("cifar").unwrap().with_size(64).unwrap();
        assert_eq!((preset.resize, preset.crop), (Resize::Exact(64, 64), (64, 64)));
        let same = Preset::named("timm-a1").unwrap();
        assert_eq!(same.clone().with_size(224).unwrap(), same);
        assert!(same.with_size(0).is_err());
    }
}
