//! A labelled set of pictures, all of one size: what training reads. They lie in memory, or come from somewhere each time.

use std::borrow::Cow;
use std::sync::Arc;

use super::resample::resize_to;
use super::{Geometry, Preset, Resize, RgbaImage};
use crate::{Error, Result};

/// Where pictures come from that are not all held in memory.
pub trait PictureSource: std::fmt::Debug + Send + Sync {
    /// What will be asked for next, in this order; pictures may be passed over.
    fn expect(&self, order: &[usize]);

    /// Picture `index` of the stored size: RGB, row-major.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read any more.
    fn read(&self, index: usize) -> Result<Vec<u8>>;
}

/// 8-bit RGB pictures of one size with their classes.
#[derive(Debug, Clone, Default)]
pub struct ImageSet {
    /// Names of the classes; an image's label is an index into them.
    pub classes: Vec<String>,
    /// Class of every image.
    pub labels: Vec<u32>,
    /// Where every image came from, for people.
    pub names: Vec<String>,
    size: ImageSize,
    pixels: Vec<u8>,
    source: Option<Arc<dyn PictureSource>>,
}

/// Size of the stored pictures: what an evaluation crops, with a margin around it from which augmentation may draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageSize {
    /// Width of the network's input in pixels.
    pub width: u32,
    /// Height of the network's input in pixels.
    pub height: u32,
    /// Further pixels on each side.
    pub margin: u32,
}

impl ImageSize {
    /// The size for a preset: with a margin, as much of the resized picture is kept around the crop as there is of its shorter
    /// side.
    pub fn of(preset: &Preset, with_margin: bool) -> Self {
        let (width, height) = preset.crop;
        let margin = match preset.resize {
            Resize::Shorter(side) if with_margin => side.saturating_sub(width.max(height)) / 2,
            _ => 0,
        };
        Self { width, height, margin }
    }

    /// Width and height with the margin.
    pub fn stored(&self) -> (usize, usize) {
        ((self.width + 2 * self.margin) as usize, (self.height + 2 * self.margin) as usize)
    }

    /// Bytes of one picture.
    pub fn bytes(&self) -> usize {
        let (width, height) = self.stored();
        width * height * 3
    }
}

impl ImageSet {
    /// An empty set.
    pub fn new(classes: Vec<String>, size: ImageSize) -> Self {
        Self { classes, size, ..Self::default() }
    }

    /// Resizes a picture as `preset` says and appends it. Its central part is exactly what inference would crop.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such class.
    pub fn push(&mut self, name: String, image: &RgbaImage, preset: &Preset, label: u32) -> Result<()> {
        self.push_pixels(name, stored_pixels(image, preset, self.size), label)
    }

    /// Appends a picture of the stored size: RGB, row-major.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such class or the number of bytes is not the stored size's.
    pub fn push_pixels(&mut self, name: String, pixels: Vec<u8>, label: u32) -> Result<()> {
        if label as usize >= self.classes.len() {
            return Err(Error::Usage(format!("`{name}` is of class {label}, but there are {} classes", self.classes.len())));
        }
        if pixels.len() != self.size.bytes() {
            return Err(Error::Usage(format!("`{name}` has {} bytes, expected {}", pixels.len(), self.size.bytes())));
        }
        self.pixels.extend(pixels);
        self.labels.push(label);
        self.names.push(name);
        Ok(())
    }

    /// A set whose pictures come from `source` each time.
    pub fn streamed(
        classes: Vec<String>,
        size: ImageSize,
        names: Vec<String>,
        labels: Vec<u32>,
        source: Arc<dyn PictureSource>,
    ) -> Self {
        Self { classes, labels, names, size, pixels: Vec::new(), source: Some(source) }
    }

    /// Whether the pictures are not held here.
    pub fn is_streamed(&self) -> bool {
        self.source.is_some()
    }

    /// Makes room for so many pictures more, so that adding them copies nothing.
    pub fn reserve(&mut self, pictures: usize) {
        self.pixels.reserve_exact(pictures * self.size.bytes());
    }

    /// Says in which order pictures will be asked for.
    pub fn expect(&self, order: &[usize]) {
        if let Some(source) = &self.source {
            source.expect(order);
        }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Size of the pictures.
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// Picture `index`: RGB, row-major.
    ///
    /// # Errors
    /// [`Error::Io`] where it is not in memory and cannot be read any more.
    pub fn image(&self, index: usize) -> Result<Cow<'_, [u8]>> {
        match &self.source {
            Some(source) => source.read(index).map(Cow::Owned),
            None => Ok(Cow::Borrowed(&self.pixels[index * self.size.bytes()..][..self.size.bytes()])),
        }
    }
}

/// A picture resized for a set of this size; free of the set, so that threads can do it side by side.
pub fn stored_pixels(image: &RgbaImage, preset: &Preset, size: ImageSize) -> Vec<u8> {
    let Geometry { resized, crop, left, top } = preset.geometry(image.width, image.height);
    let margin = size.margin;
    let geometry = Geometry {
        resized,
        crop: (crop.0 + 2 * margin, crop.1 + 2 * margin),
        left: left - margin as i32,
        top: top - margin as i32,
    };
    resize_to(image, &geometry, preset.filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::resample::resize_and_crop;

    fn picture(width: u32, height: u32) -> RgbaImage {
        let pixels = (0..width * height).flat_map(|i| [(i * 7) as u8, (i * 13) as u8, (i / 3) as u8, 255]).collect();
        RgbaImage::new("test", width, height, pixels).unwrap()
    }

    #[test]
    fn the_centre_of_a_stored_picture_is_what_inference_crops() {
        let mut preset = Preset::named("imagenet").unwrap().with_size(24).unwrap();
        preset.resize = Resize::Shorter(30);
        for (width, height) in [(41, 33), (30, 61), (24, 24), (100, 31)] {
            let image = picture(width, height);
            let size = ImageSize::of(&preset, true);
            assert_eq!((size.margin, size.stored()), (3, (30, 30)));
            let stored = stored_pixels(&image, &preset, size);
            let row = |y: usize| &stored[((y + 3) * 30 + 3) * 3..][..24 * 3];
            let centre: Vec<u8> = (0..24).flat_map(row).copied().collect();
            assert_eq!(centre, resize_and_crop(&image, &preset), "{width} x {height}");
        }
    }

    #[test]
    fn pictures_of_unknown_classes_or_sizes_are_refused() {
        let preset = Preset::named("cifar").unwrap();
        let mut set = ImageSet::new(vec!["cat".into(), "dog".into()], ImageSize::of(&preset, true));
        set.push("a".into(), &picture(50, 40), &preset, 1).unwrap();
        assert_eq!((set.len(), set.image(0).unwrap().len()), (1, 32 * 32 * 3));
        assert!(set.push("b".into(), &picture(5, 4), &preset, 2).unwrap_err().to_string().contains("2 classes"));
        assert!(set.push_pixels("c".into(), vec![0; 7], 0).unwrap_err().to_string().contains("expected 3072"));
        assert_eq!(set.len(), 1);
    }
}
