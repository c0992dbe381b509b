//! A labelled set of pictures, all of one size: what training reads. They lie in memory, or come from somewhere each time.

use std::borrow::Cow;
use std::sync::Arc;

use super::resample::resize_to;
use super::{Filter, Geometry, Preset, Resize, RgbaImage};
use crate::{Error, Result};

/// Where pictures come from that are not all held in memory.
pub trait PictureSource: std::fmt::Debug + Send + Sync {
    /// What will be asked for next, in this order, in this form; pictures may be passed over.
    fn expect(&self, order: &[usize], form: Form);

    /// Picture `index` of the stored size: RGB, row-major.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read any more.
    fn read(&self, index: usize) -> Result<Vec<u8>>;

    /// The whole of picture `index`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_whole(&self, index: usize) -> Result<Whole>;
}

/// In which form a picture is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As the network's input, with a margin.
    #[default]
    Input,
    /// All of it, for random crops.
    Whole,
}

/// All of a picture on a square, from which random crops are cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whole {
    /// RGB, row-major. A picture that fits on the square stands in its corner as it is, and its last row and column are repeated; a
    /// larger one is stretched onto it.
    pub pixels: Vec<u8>,
    /// Width and height of the picture before.
    pub size: (u32, u32),
}

impl Whole {
    /// Of this picture, on a square of `side` pixels.
    pub fn of(image: &RgbaImage, filter: Filter, side: u32) -> Self {
        let size = (image.width, image.height);
        if size.0.max(size.1) > side {
            let geometry = Geometry { resized: (side, side), crop: (side, side), left: 0, top: 0 };
            return Self { pixels: resize_to(image, &geometry, filter), size };
        }
        // What inference does with transparent pixels is done here, too.
        let geometry = Geometry { resized: size, crop: size, left: 0, top: 0 };
        let plain = resize_to(image, &geometry, filter);
        let at = |x: u32, y: u32| (y.min(size.1 - 1) * size.0 + x.min(size.0 - 1)) as usize * 3;
        let places = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| plain[at(x, y)..][..3].iter().copied()).collect();
        Self { pixels, size }
    }

    /// Width and height of the part of the square that shows the picture.
    pub fn extent(size: (u32, u32), side: u32) -> (u32, u32) {
        if size.0.max(size.1) > side { (side, side) } else { size }
    }
}

/// Side of the square that random crops for this input are cut from: twice as long, so that a crop of a quarter of the area is as sharp
/// as the input.
pub fn whole_side(preset: &Preset) -> u32 {
    2 * preset.crop.0.max(preset.crop.1)
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
    /// Of the squares that random crops are cut from.
    whole_side: Option<u32>,
    wholes: Vec<Whole>,
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

    /// Keeps all of every picture as well, on squares of `side` pixels, so that random crops can be cut from it.
    pub fn with_wholes(mut self, side: u32) -> Self {
        self.whole_side = Some(side);
        self
    }

    /// Side of the squares that random crops are cut from, where there are any.
    pub fn whole_side(&self) -> Option<u32> {
        self.whole_side
    }

    /// Resizes a picture as `preset` says and appends it. Its central part is exactly what inference would crop.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such class.
    pub fn push(&mut self, name: String, image: &RgbaImage, preset: &Preset, label: u32) -> Result<()> {
        let whole = self.whole_side.map(|side| Whole::of(image, preset.filter, side));
        self.push_pixels(name, stored_pixels(image, preset, self.size), label)?;
        self.wholes.extend(whole);
        Ok(())
    }

    /// Appends all of the picture that was appended last.
    pub fn push_whole(&mut self, whole: Whole) {
        self.wholes.push(whole);
    }

    /// Drops all but the input of these pictures: nothing is learnt from them.
    pub fn drop_wholes(&mut self, images: &[usize]) {
        for image in images {
            if let Some(whole) = self.wholes.get_mut(*image) {
                *whole = Whole::default();
            }
        }
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
        Self { classes, labels, names, size, source: Some(source), ..Self::default() }
    }

    /// Whether the pictures are not held here.
    pub fn is_streamed(&self) -> bool {
        self.source.is_some()
    }

    /// Makes room for so many pictures more, so that adding them copies nothing.
    pub fn reserve(&mut self, pictures: usize) {
        self.pixels.reserve_exact(pictures * self.size.bytes());
    }

    /// Says in which order pictures will be asked for, and in which form.
    pub fn expect(&self, order: &[usize], form: Form) {
        if let Some(source) = &self.source {
            source.expect(order, form);
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

impl ImageSet {
    /// All of picture `index`.
    ///
    /// # Errors
    /// [`Error::Io`] as [`image`](Self::image); [`Error::Usage`] where it was not kept.
    pub fn whole(&self, index: usize) -> Result<Cow<'_, Whole>> {
        if let Some(source) = &self.source {
            return source.read_whole(index).map(Cow::Owned);
        }
        let missing = || Error::Usage(format!("only the middle of `{}` was kept", self.names[index]));
        self.wholes.get(index).filter(|whole| !whole.pixels.is_empty()).map(Cow::Borrowed).ok_or_else(missing)
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
    fn all_of_a_picture_is_on_the_square() {
        // One that fits is there pixel by pixel.
        let small = picture(5, 3);
        let whole = Whole::of(&small, Filter::Bilinear, 8);
        let at = |x: usize, y: usize| whole.pixels[(y * 8 + x) * 3];
        assert_eq!((whole.size, whole.pixels.len()), ((5, 3), 8 * 8 * 3));
        for (x, y) in [(0, 0), (4, 2), (3, 1)] {
            assert_eq!(at(x, y), small.pixels[(y * 5 + x) * 4]);
        }
        assert_eq!((at(7, 1), at(2, 7)), (at(4, 1), at(2, 2)), "its edge goes on");
        // One that does not is stretched: what was a quarter from the left still is.
        let pixels = (0..64 * 16).flat_map(|i| if i % 64 < 16 { [200, 0, 0, 255] } else { [0, 0, 100, 255] }).collect();
        let wide = Whole::of(&RgbaImage::new("wide", 64, 16, pixels).unwrap(), Filter::Bilinear, 16);
        assert_eq!(Whole::extent(wide.size, 16), (16, 16));
        assert_eq!((wide.pixels[2 * 3], wide.pixels[12 * 3 + 2]), (200, 100));
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
