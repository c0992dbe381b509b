//! Augmentation: drawn on the CPU, a few numbers a picture, and done on the GPU while a batch is gathered from the
//! [`ImageBank`], in one dispatch.

use crate::cpu::Step;
use rand_chacha::rand_core::Rng;

use super::colour::Colour;
use super::image_bank::MAX_CHUNKS;
use super::{ImageBank, Picture, expect_bytes, grid};
use crate::data::random::{below, normal, shuffle, unit};
use crate::data::{ChannelOrder, Preset};
use crate::device::{Device, Recorder, Slice, Tensor};
use crate::gpu::{Shader, shader};
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
    /// Largest shift along rows and along columns as a share of the input's side, drawn between pixels too (Keras'
    /// `width_shift_range` and `height_shift_range`).
    pub shift_share: [f32; 2],
    /// What is shown where the picture ends.
    pub fill: Fill,
    /// Mirror left and right every other time.
    pub flip: bool,
    /// Mirror above and below every other time.
    pub flip_vertical: bool,
    /// Largest shear, in degrees.
    pub shear_deg: f32,
    /// Sides are stretched by factors from `1 - zoom` to `1 + zoom`, each axis for itself (Keras' `zoom_range`).
    pub zoom: f32,
    /// Largest number that is added to all channels, of 255 (Keras' `channel_shift_range`).
    pub channel_shift: f32,
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
    /// alpha of the Beta distribution the share of a picture that is left around another's rectangle is drawn from (Yun et al. 2019,
    /// arXiv:1905.04899). With mixup beside it every other batch has one of them.
    pub cutmix_alpha: f32,
}

/// What is shown where a picture ends, by Keras' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Zero after normalisation: the mean colour.
    #[default]
    Mean,
    /// The nearest pixel of the edge.
    Nearest,
    /// The picture, mirrored at its edge.
    Reflect,
    /// The picture again.
    Wrap,
    /// Black.
    Black,
}

impl Augmentation {
    /// Whether pictures stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether pictures are mixed, so that an image may be of two classes.
    pub fn mixes(&self) -> bool {
        self.mixup_alpha > 0.0 || self.cutmix_alpha > 0.0
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
            ("cutmix", self.cutmix_alpha, 100.0),
            ("shift", self.shift_share[0], 1.0),
            ("shift", self.shift_share[1], 1.0),
            ("shear", self.shear_deg, 80.0),
            ("zoom", self.zoom, 0.9),
            ("channel shift", self.channel_shift, 255.0),
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

    /// Draws for a batch, a picture a row, for an input of `size` (rows, columns). The same generator gives the same draws.
    ///
    /// With mixup every row gets a partner: each picture is mixed into exactly one row, perhaps its own.
    pub fn draw_batch(&self, rng: &mut impl Rng, pictures: &[Picture], size: (usize, usize)) -> Vec<Draw> {
        let mut draws: Vec<Draw> = pictures.iter().map(|picture| self.draw(rng, picture, size)).collect();
        if self.mixes() {
            let both = self.mixup_alpha > 0.0 && self.cutmix_alpha > 0.0;
            let cuts = if both { below(rng, 2) == 1 } else { self.cutmix_alpha > 0.0 };
            let mut partners: Vec<u32> = (0..draws.len() as u32).collect();
            shuffle(rng, &mut partners);
            for (draw, partner) in draws.iter_mut().zip(partners) {
                draw.partner = partner;
                if cuts {
                    let share = beta(rng, f64::from(self.cutmix_alpha));
                    draw.cut(rng, size, share);
                } else {
                    draw.lambda = beta(rng, f64::from(self.mixup_alpha)) as f32;
                }
            }
        }
        draws
    }

    /// The draw of one picture, for an input of `size` (rows, columns); nothing is mixed in.
    ///
    /// Shift, then rotation, then flip, then crop take an output pixel back to the stored picture. Where the map leaves the
    /// picture the input is zero, so a crop that is shifted or turned shows more of the picture first. The colour changes
    /// come in random order, as torchvision's `ColorJitter`, and are one affine map, so that values are cut to 0..255 once, at
    /// the end; the mean grey of contrast is that of the whole stored picture.
    pub fn draw(&self, rng: &mut impl Rng, picture: &Picture, size: (usize, usize)) -> Draw {
        let window = match &self.resized_crop {
            Some(crop) => {
                let (rows, columns) =
                    (picture.height as f64 / picture.source.0 as f64, picture.width as f64 / picture.source.1 as f64);
                let Window { left, top, width, height } = crop.draw(rng, picture.source);
                Window { left: left * columns, top: top * rows, width: width * columns, height: height * rows }
            }
            None => Window::middle(picture),
        };
        let flip = self.flip && below(rng, 2) == 1;
        let largest = f64::from(self.rotation_deg);
        let angle = if largest > 0.0 { between(rng, -largest, largest).to_radians() } else { 0.0 };
        let most = f64::from(self.shift_px);
        let mut shift = || below(rng, 2 * u64::from(self.shift_px) + 1) as f64 - most;
        let mut shift = (shift(), shift());
        // What is off takes no number, so that runs of before go on as they were.
        let spread = |rng: &mut _, most: f32| if most > 0.0 { between(rng, -f64::from(most), f64::from(most)) } else { 0.0 };
        shift.0 += spread(rng, self.shift_share[0]) * size.1 as f64;
        shift.1 += spread(rng, self.shift_share[1]) * size.0 as f64;
        let warp = Warp {
            flip,
            flip_vertical: self.flip_vertical && below(rng, 2) == 1,
            angle,
            shear: spread(rng, self.shear_deg).to_radians(),
            zoom: (1.0 + spread(rng, self.zoom), 1.0 + spread(rng, self.zoom)),
            shift,
        };
        let mut draw = Draw::warped(picture, size, &window, &warp);
        draw.colour = self.colour(rng, picture.mean);
        let added = spread(rng, self.channel_shift) as f32;
        draw.colour.iter_mut().for_each(|row| row[3] += added);
        if self.erasing > 0.0 && unit(rng) < f64::from(self.erasing) {
            draw.erase = erase(rng, size);
        }
        draw
    }

    fn colour(&self, rng: &mut impl Rng, mean: [f32; 3]) -> [[f32; 4]; 3] {
        let factor = |rng: &mut _, strength: f32| between(rng, 1.0 - f64::from(strength), 1.0 + f64::from(strength));
        let mut order = [0, 1, 2, 3];
        shuffle(rng, &mut order);
        let mut colour = Colour::SAME;
        for change in order {
            match change {
                0 if self.brightness > 0.0 => colour = colour.brightness(factor(rng, self.brightness)),
                1 if self.contrast > 0.0 => colour = colour.contrast(factor(rng, self.contrast), mean.map(f64::from)),
                2 if self.saturation > 0.0 => colour = colour.saturation(factor(rng, self.saturation)),
                3 if self.hue > 0.0 => {
                    let most = f64::from(self.hue);
                    colour = colour.hue(between(rng, -most, most));
                }
                _ => {}
            }
        }
        colour.0.map(|row| row.map(|v| v as f32))
    }
}

fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(rng)
}

/// Where something of length `part` starts in `whole`.
fn start(rng: &mut impl Rng, part: usize, whole: usize) -> usize {
    below(rng, (whole - part + 1) as u64) as usize
}

/// Beta(alpha, alpha) from two Gamma variates.
fn beta(rng: &mut impl Rng, alpha: f64) -> f64 {
    let (ln_a, ln_b) = (ln_gamma_variate(rng, alpha), ln_gamma_variate(rng, alpha));
    // a / (a + b); in logarithms, because for a small alpha both may be too small for any float.
    1.0 / (1.0 + (ln_b - ln_a).exp())
}

/// The logarithm of a Gamma(alpha, 1) variate: Marsaglia and Tsang 2000, with their power of a uniform for alpha below 1.
fn ln_gamma_variate(rng: &mut impl Rng, alpha: f64) -> f64 {
    if alpha < 1.0 {
        return ln_gamma_variate(rng, alpha + 1.0) + (1.0 - unit(rng)).ln() / alpha;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - unit(rng)).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

/// The part of a stored picture that is stretched onto the input, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Window {
    fn whole(picture: &Picture) -> Self {
        Self { left: 0.0, top: 0.0, width: picture.width as f64, height: picture.height as f64 }
    }

    /// The picture without its margin.
    fn middle(picture: &Picture) -> Self {
        let (margin, Self { width, height, .. }) = (picture.margin as f64, Self::whole(picture));
        Self { left: margin, top: margin, width: width - 2.0 * margin, height: height - 2.0 * margin }
    }
}

/// Tries before a random rectangle that never fits is given up, as in torchvision.
const ATTEMPTS: usize = 10;

impl ResizedCrop {
    /// torchvision's `RandomResizedCrop.get_params` for a picture of so many rows and columns.
    fn draw(&self, rng: &mut impl Rng, (height, width): (usize, usize)) -> Window {
        let ratio = (f64::from(self.ratio.0), f64::from(self.ratio.1));
        for _ in 0..ATTEMPTS {
            let area = (width * height) as f64 * between(rng, f64::from(self.scale.0), f64::from(self.scale.1));
            let aspect = between(rng, ratio.0.ln(), ratio.1.ln()).exp();
            let (w, h) = ((area * aspect).sqrt().round() as usize, (area / aspect).sqrt().round() as usize);
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let (top, left) = (start(rng, h, height), start(rng, w, width));
                return Window { left: left as f64, top: top as f64, width: w as f64, height: h as f64 };
            }
        }
        // The largest central window of an allowed proportion.
        let (w, h) = (width as f64, height as f64);
        let (w, h) = (w.min((h * ratio.1).round().max(1.0)), h.min((w / ratio.0).round().max(1.0)));
        Window { left: ((width as f64 - w) / 2.0).floor(), top: ((height as f64 - h) / 2.0).floor(), width: w, height: h }
    }
}

/// torchvision's `RandomErasing`: 2 to 33 % of the area, proportions from 0.3 to 3.3.
fn erase(rng: &mut impl Rng, (height, width): (usize, usize)) -> [u32; 4] {
    for _ in 0..ATTEMPTS {
        let area = (width * height) as f64 * between(rng, 0.02, 0.33);
        let aspect = between(rng, 0.3f64.ln(), 3.3f64.ln()).exp();
        let (h, w) = ((area * aspect).sqrt().round() as usize, (area / aspect).sqrt().round() as usize);
        if h < height && w < width {
            let (top, left) = (start(rng, h, height), start(rng, w, width));
            return [left, top, left + w, top + h].map(|v| v as u32);
        }
    }
    [0; 4]
}

/// One image of a batch as drawn on the CPU; the table of these is all that crosses the bus in a step.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Draw {
    /// Column in the stored picture of output pixel `(x, y)`: `column[0] * x + column[1] * y + column[2]`; whole numbers are
    /// centres of pixels. The fourth is padding.
    pub column: [f32; 4],
    /// Row in the stored picture, likewise. The fourth is above 0 where the partner shows in the rectangle that else is erased.
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

impl Draw {
    /// The picture as it is, stretched onto an input of `size` (rows, columns) where that is another size.
    pub fn plain(picture: &Picture, size: (usize, usize)) -> Self {
        Self::warped(picture, size, &Window::middle(picture), &Warp::default())
    }

    /// CutMix: the partner's rectangle, of `1 - share` of the area as far as it lies inside; `lambda` is what is left of this one.
    fn cut(&mut self, rng: &mut impl Rng, (height, width): (usize, usize), share: f64) {
        let side = (1.0 - share).max(0.0).sqrt();
        let (h, w) = ((height as f64 * side) as i64, (width as f64 * side) as i64);
        let (y, x) = (below(rng, height as u64) as i64, below(rng, width as u64) as i64);
        let edge = |at: i64, most: usize| at.clamp(0, most as i64) as u32;
        self.erase = [edge(x - w / 2, width), edge(y - h / 2, height), edge(x + w / 2, width), edge(y + h / 2, height)];
        let [left, top, right, bottom] = self.erase.map(f64::from);
        self.lambda = (1.0 - (right - left) * (bottom - top) / (width * height) as f64) as f32;
        self.row[3] = 1.0;
    }

    /// From pixel centres of the input back to those of the picture.
    fn warped(picture: &Picture, size: (usize, usize), window: &Window, warp: &Warp) -> Self {
        let Warp { flip, flip_vertical, angle, shear, zoom, shift } = *warp;
        let (height, width) = (size.0 as f64, size.1 as f64);
        let (sin, cos) = angle.sin_cos();
        // Of the centre of pixel (0, 0), from the centre of the input, after the shift.
        let (x, y) = (0.5 - shift.0 - width / 2.0, 0.5 - shift.1 - height / 2.0);
        // Zoom, then shear, then rotation.
        let (slant, upright) = (-shear.sin(), shear.cos());
        let row = |a: f64, b: f64| [a * zoom.0, (a * slant + b * upright) * zoom.1];
        let ([a, b], [c, d]) = (row(cos, sin), row(-sin, cos));
        let mut across = [a, b, width / 2.0 + a * x + b * y];
        let mut down = [c, d, height / 2.0 + c * x + d * y];
        if flip_vertical {
            down = [-down[0], -down[1], height - down[2]];
        }
        if flip {
            across = [-across[0], -across[1], width - across[2]];
        }
        let (scale_x, scale_y) = (window.width / width, window.height / height);
        let place = |[x, y, one]: [f64; 3], scale: f64, start: f64| [scale * x, scale * y, start + scale * one - 0.5, 0.0];
        let (column, row) = (place(across, scale_x, window.left), place(down, scale_y, window.top));
        let step = |axis: usize| column[axis].hypot(row[axis]);
        Self {
            column: column.map(|v| v as f32),
            row: row.map(|v| v as f32),
            colour: Colour::SAME.0.map(|row| row.map(|v| v as f32)),
            erase: [0; 4],
            source: picture.index,
            // A hair over a whole number is rounding, or not worth another row of samples.
            samples: (step(0).max(step(1)) - 0.01).ceil().clamp(1.0, f64::from(MAX_SAMPLES)) as u32,
            partner: 0,
            lambda: 1.0,
        }
    }
}

/// What is done to a picture's geometry, from the output back to it.
#[derive(Debug, Clone, Copy)]
struct Warp {
    flip: bool,
    flip_vertical: bool,
    /// In radians, as the shear.
    angle: f64,
    shear: f64,
    /// Along rows and columns.
    zoom: (f64, f64),
    /// In pixels of the input.
    shift: (f64, f64),
}

impl Default for Warp {
    fn default() -> Self {
        Self { flip: false, flip_vertical: false, angle: 0.0, shear: 0.0, zoom: (1.0, 1.0), shift: (0.0, 0.0) }
    }
}

/// Samples along an axis that the shader takes at most.
const MAX_SAMPLES: u32 = 8;

const GATHER: Shader = shader!("augment_gather");

/// Operands of [`record_augment`].
#[derive(Debug, Clone, Copy)]
pub struct AugmentCall<'a> {
    /// Name in profiles.
    pub label: &'a str,
    /// The pictures.
    pub bank: &'a ImageBank,
    /// N [`Draw`]s of pictures of this bank, written before each run.
    pub draws: &'a Slice,
    /// Normalisation and channel order; a bank of one channel takes the first channel's mean and deviation.
    pub preset: &'a Preset,
    /// What is shown where a picture ends.
    pub fill: Fill,
    /// `(N, C, H, W)` with the bank's channels, written.
    pub output: &'a Tensor,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    height: u32,
    width: u32,
    picture_height: u32,
    picture_width: u32,
    picture_words: u32,
    chunk_pictures: u32,
    flags: u32,
    factor: [f32; 4],
    offset: [f32; 4],
}

/// Gathers a batch by its draws, in one dispatch.
///
/// Between pixel centres colours are bilinear; the picture's edge reaches to the outer edge of its last pixels, beyond it
/// there is nothing. Where the map shrinks by a factor s, the mean of ceil(s) x ceil(s) samples (at most 8 x 8) spread evenly
/// over the output pixel is taken, a box filter: for whole factors exactly the mean of the pixels covered. Without any
/// augmentation and with pictures of the input's size the result is exactly the normalised pixel.
///
/// # Errors
/// [`Error::Usage`] when the bank's channels are not the output's or there are too few draws.
pub fn record_augment(recorder: &mut Recorder, device: &Device, call: &AugmentCall<'_>) -> Result<()> {
    let AugmentCall { label, bank, draws, preset, fill, output } = *call;
    let shape = output.shape;
    if shape.c != bank.channels() {
        return Err(Error::Usage(format!(
            "the network's input has {} channels, the stored pictures have {}; use pictures or a network that fit",
            shape.c,
            bank.channels()
        )));
    }
    expect_bytes(label, "draws", draws, (shape.n * size_of::<Draw>()) as u64)?;
    let (factor, offset) = preset.affine();
    let first = |values: [f32; 3]| std::array::from_fn(|c| if c < shape.c { values[c] } else { 0.0 });
    let (height, width) = bank.size();
    let bgr = shape.c == 3 && preset.channel_order == ChannelOrder::Bgr;
    let Some(gpu) = device.gpu() else {
        let step = Step::Augment {
            output_shape: shape.into(),
            picture_height: height as u32,
            picture_width: width as u32,
            chunk_pictures: bank.chunk_pictures() as u32,
            bgr,
            fill: fill as u32,
            factor: first(factor),
            offset: first(offset),
            draws: recorder.span(draws),
            bank: bank.chunks().iter().map(|chunk| recorder.span(chunk)).collect(),
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let params = Params {
        batch: shape.n as u32,
        height: shape.h as u32,
        width: shape.w as u32,
        picture_height: height as u32,
        picture_width: width as u32,
        picture_words: (ImageBank::bytes_for(1, height, width, shape.c) / 4) as u32,
        chunk_pictures: bank.chunk_pictures() as u32,
        flags: u32::from(bgr) | (fill as u32) << 1,
        factor: first(factor),
        offset: first(offset),
    };
    let chunks = bank.chunks();
    let constants = [("CHUNKS", chunks.len() as f64), ("CHANNELS", shape.c as f64)];
    // Bindings without pictures are never read.
    let bound = (0..MAX_CHUNKS).map(|i| chunks.get(i).unwrap_or(&chunks[0]));
    let operands: Vec<&Slice> = [draws, &output.slice].into_iter().chain(bound).collect();
    let kernel = gpu.kernel(GATHER, output.precision, &constants);
    recorder.dispatch(gpu, label, kernel, &operands, params, grid(gpu, shape.n * shape.h * shape.w), 0)
}

#[cfg(test)]
mod tests;
