//! Anti-aliased resizing with Pillow's arithmetic: what torchvision's `Resize` does to a picture.
//!
//! The resize is separable: first along rows, then along columns, and each pass rounds to 8 bits. An output pixel is a
//! weighted sum of the inputs under a filter that is stretched by the scale when shrinking, so that every input counts.
//! Weights are kept as integers with [`WEIGHT_BITS`] fractional bits, as Pillow does for 8-bit pictures, so sums are exact
//! in any order and the GPU, this module and Pillow agree to the bit.
//!
//! Rows come first in every Pillow up to 12, and in later ones as long as the proportions stay; Pillow 13 takes columns first
//! when it stretches a picture much more along one axis, which moves single values by one.
//!
//! The functions here that touch pixels are the reference for the shaders; [`Taps`] are what both use.

use std::ops::Range;

use super::preset::Geometry;
use super::{Preset, RgbaImage};

/// Fractional bits of a weight: 32 bits less 8 for the pixel and 2 for sign and overshoot.
pub const WEIGHT_BITS: u32 = 22;

/// The reconstruction filter of a resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The triangle of width 2.
    Bilinear,
    /// Keys' cubic with `a = -0.5`, of width 4 (Pillow's and torchvision's choice for pictures).
    Bicubic,
    /// OpenCV's `INTER_CUBIC`: `a = -0.75`, of width 4 whatever the scale (no anti-aliasing), edges repeated. OpenCV's own fixed-point
    /// numbers differ by a level here and there.
    BicubicOpencv,
    /// TensorFlow's and Keras' `bicubic`: `a = -0.5`, of width 4 whatever the scale (no anti-aliasing).
    BicubicKeras,
}

impl Filter {
    /// Every filter with its name in `--filter`.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("bilinear", Self::Bilinear),
        ("bicubic", Self::Bicubic),
        ("bicubic-opencv", Self::BicubicOpencv),
        ("bicubic-keras", Self::BicubicKeras),
    ];

    /// Half the filter's width at scale 1.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic | Self::BicubicOpencv | Self::BicubicKeras => 2.0,
        }
    }

    /// Whether the filter is stretched by the scale when shrinking, so that every input counts.
    fn anti_aliases(self) -> bool {
        matches!(self, Self::Bilinear | Self::Bicubic)
    }

    fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic | Self::BicubicKeras | Self::BicubicOpencv => {
                // Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 15 with a = -1/2, or its a.
                let a = if self == Self::BicubicOpencv { -0.75 } else { -0.5 };
                if x < 1.0 {
                    ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * a
                } else {
                    0.0
                }
            }
        }
    }
}

/// One axis of a resize: for each output pixel of a window, which inputs it sums with which weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taps {
    /// Per output pixel `[first input, number of inputs]`. A pixel outside the resized picture has no inputs: it is black,
    /// which is how torchvision's `CenterCrop` pads.
    pub bounds: Vec<[u32; 2]>,
    /// Weights in units of `2^-WEIGHT_BITS`, `stride` for each output pixel, unused ones zero.
    pub weights: Vec<i32>,
    /// Weights reserved for each output pixel.
    pub stride: u32,
}

impl Taps {
    /// Taps of the output pixels `window` when an axis of `input` pixels is resized to `output`. Window pixels outside
    /// `0..output` are padding.
    ///
    /// # Panics
    /// When `input` or `output` is 0: sizes come from a [`Geometry`], whose sizes are positive.
    pub fn new(input: u32, output: u32, window: Range<i32>, filter: Filter) -> Self {
        assert!(input > 0 && output > 0, "an axis of {input} pixels cannot be resized to {output}");
        let scale = f64::from(input) / f64::from(output);
        let stretch = if filter.anti_aliases() { scale.max(1.0) } else { 1.0 };
        let support = filter.support() * stretch;
        let stride = support.ceil() as u32 * 2 + 1;
        let mut bounds = Vec::with_capacity(window.len());
        let mut weights = Vec::with_capacity(window.len() * stride as usize);
        let mut real = Vec::with_capacity(stride as usize);
        for out in window {
            real.clear();
            let mut first = 0;
            if (0..i64::from(output)).contains(&i64::from(out)) {
                let center = (f64::from(out) + 0.5) * scale;
                // Truncation towards zero, as a C cast does; `as` saturates negatives to 0.
                first = (center - support + 0.5) as u32;
                let end = ((center + support + 0.5) as u32).min(input);
                real.extend((first..end).map(|i| filter.weight((f64::from(i) - center + 0.5) * (1.0 / stretch))));
                if filter == Filter::BicubicOpencv {
                    repeat_edges(&mut real, first, input, center);
                }
            }
            let sum: f64 = real.iter().sum();
            bounds.push([first, real.len() as u32]);
            let one = f64::from(1u32 << WEIGHT_BITS);
            weights.extend(real.iter().map(|w| (w / sum * one).round() as i32));
            weights.resize(bounds.len() * stride as usize, 0);
        }
        Self { bounds, weights, stride }
    }

    /// The inputs that are used at all; empty when every output pixel is padding.
    pub fn span(&self) -> Range<u32> {
        let used = || self.bounds.iter().filter(|[_, count]| *count > 0);
        let first = used().map(|[first, _]| *first).min().unwrap_or(0);
        let end = used().map(|[first, count]| first + count).max().unwrap_or(first);
        first..end
    }

    /// The weighted sum for output pixel `out` over `input(i)`, rounded and clamped to 8 bits.
    fn apply(&self, out: usize, input: impl Fn(usize) -> u8) -> u8 {
        let [first, count] = self.bounds[out];
        let weights = &self.weights[out * self.stride as usize..][..count as usize];
        let half = 1i32 << (WEIGHT_BITS - 1);
        let sum = weights.iter().enumerate().fold(half, |sum, (i, w)| sum + w * i32::from(input(first as usize + i)));
        (sum >> WEIGHT_BITS).clamp(0, 255) as u8
    }
}

/// The taps of both axes of a [`Geometry`]: `(columns, rows)`.
pub fn taps(image: (u32, u32), geometry: &Geometry, filter: Filter) -> (Taps, Taps) {
    let Geometry { resized, crop, left, top } = *geometry;
    // Crops are bounded by `MAX_SIDE_PX`, far below i32's range.
    let columns = Taps::new(image.0, resized.0, left..left + crop.0 as i32, filter);
    let rows = Taps::new(image.1, resized.1, top..top + crop.1 as i32, filter);
    (columns, rows)
}

/// Resizes and crops on the CPU: 8-bit RGB, row-major, of the preset's size. Alpha is ignored.
pub fn resize_and_crop(image: &RgbaImage, preset: &Preset) -> Vec<u8> {
    resize_to(image, &preset.geometry(image.width, image.height), preset.filter)
}

/// [`resize_and_crop`] with a geometry of the caller's.
pub fn resize_to(image: &RgbaImage, geometry: &Geometry, filter: Filter) -> Vec<u8> {
    let (columns, rows) = taps((image.width, image.height), geometry, filter);
    let (out_w, out_h) = (geometry.crop.0 as usize, geometry.crop.1 as usize);
    let width = image.width as usize;
    let span = rows.span();
    let mut middle = Vec::with_capacity(span.len() * out_w * 3);
    for y in span.clone() {
        let row = &image.pixels[y as usize * width * 4..][..width * 4];
        for x in 0..out_w {
            middle.extend((0..3).map(|c| columns.apply(x, |i| row[i * 4 + c])));
        }
    }
    let mut out = Vec::with_capacity(out_h * out_w * 3);
    for y in 0..out_h {
        for x in 0..out_w {
            let at = |i: usize, c: usize| middle[((i - span.start as usize) * out_w + x) * 3 + c];
            out.extend((0..3).map(|c| rows.apply(y, |i| at(i, c))));
        }
    }
    out
}

/// The whole way on the CPU: a network input `(3, H, W)` for one picture. The GPU does the same in `ops::preprocess`.
pub fn preprocess(image: &RgbaImage, preset: &Preset) -> Vec<f32> {
    let rgb = resize_and_crop(image, preset);
    let (factor, offset) = preset.affine();
    let source = preset.channel_order.indices();
    (0..3).flat_map(|c| rgb.iter().skip(source[c]).step_by(3).map(move |v| f32::from(*v) * factor[c] + offset[c])).collect()
}

/// Adds what falls outside of the picture to its first and last pixel, of four taps about `center`.
fn repeat_edges(weights: &mut [f64], first: u32, input: u32, center: f64) {
    let start = (center - 0.5).floor() as i64 - 1;
    for at in (start..start + 4).filter(|at| !(0..i64::from(input)).contains(at)) {
        let weight = Filter::BicubicOpencv.weight(at as f64 - center + 0.5);
        let edge = at.clamp(0, i64::from(input) - 1) - i64::from(first);
        if let Some(sum) = usize::try_from(edge).ok().and_then(|edge| weights.get_mut(edge)) {
            *sum += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_a_pixel_sum_to_one() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (input, output) in [(500, 256), (32, 224), (1, 224), (16384, 3), (333, 333)] {
                let taps = Taps::new(input, output, 0..output as i32, filter);
                for (out, [first, count]) in taps.bounds.iter().enumerate() {
                    let weights = &taps.weights[out * taps.stride as usize..][..taps.stride as usize];
                    let sum: i64 = weights.iter().map(|w| i64::from(*w)).sum();
                    let error = (sum - (1 << WEIGHT_BITS)).abs();
                    assert!(error <= i64::from(*count), "{filter:?} {input}->{output} at {out}: off by {error}");
                    assert!(*count > 0 && first + count <= input);
                }
            }
        }
    }

    #[test]
    fn same_size_is_the_identity() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            let taps = Taps::new(9, 9, 0..9, filter);
            let pixels = [0u8, 255, 3, 77, 128, 254, 1, 90, 200];
            let out: Vec<u8> = (0..9).map(|x| taps.apply(x, |i| pixels[i])).collect();
            assert_eq!(out, pixels);
        }
    }

    #[test]
    fn halving_with_a_triangle_weighs_four_pixels() {
        // Output 1 of 8 -> 4 lies at 3.0; inputs 1.5, 2.5, 3.5, 4.5 are 1.5 and 0.5 away on a triangle of half-width 2,
        // so they weigh 1/8, 3/8, 3/8, 1/8.
        let taps = Taps::new(8, 4, 1..2, Filter::Bilinear);
        assert_eq!(taps.bounds, [[1, 4]]);
        let eighth = 1 << (WEIGHT_BITS - 3);
        assert_eq!(taps.weights[..4], [eighth, 3 * eighth, 3 * eighth, eighth]);
    }

    #[test]
    fn outside_the_picture_is_black_and_reads_nothing() {
        let taps = Taps::new(4, 4, -2..6, Filter::Bicubic);
        assert_eq!(taps.span(), 0..4);
        let out: Vec<u8> = (0..8).map(|x| taps.apply(x, |_| 255)).collect();
        assert_eq!(out, [0, 0, 255, 255, 255, 255, 0, 0]);
        assert!(Taps::new(4, 4, 10..12, Filter::Bilinear).span().is_empty());
    }

    #[test]
    fn other_programs_cubics() {
        // OpenCV's table for a shift of a quarter (a = -0.75), and the edge repeated.
        let taps = Taps::new(8, 16, 0..16, Filter::BicubicOpencv);
        let real = |taps: &Taps, out: usize| -> Vec<f64> {
            let [_, count] = taps.bounds[out];
            taps.weights[out * taps.stride as usize..][..count as usize]
                .iter()
                .map(|w| f64::from(*w) / f64::from(1 << WEIGHT_BITS))
                .collect()
        };
        let close = |found: Vec<f64>, expected: &[f64]| {
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6) && found.len() >= expected.len()
        };
        assert!(close(real(&taps, 5), &[-0.10546875, 0.87890625, 0.26171875, -0.03515625]), "{:?}", real(&taps, 5));
        assert_eq!(taps.bounds[0][0], 0);
        assert!((real(&taps, 0).iter().sum::<f64>() - 1.0).abs() < 1e-6);
        // The first pixel lies a quarter before the first input: three of its four taps fall on that.
        assert!(close(real(&taps, 0), &[-0.03515625 + 0.26171875 + 0.87890625, -0.10546875]), "{:?}", real(&taps, 0));
        // Keras' for the same place (a = -0.5).
        let taps = Taps::new(8, 16, 0..16, Filter::BicubicKeras);
        assert!(close(real(&taps, 5), &[-0.0703125, 0.8671875, 0.2265625, -0.0234375]), "{:?}", real(&taps, 5));
        // Shrinking reads four pixels, whatever lies between.
        assert!(Taps::new(80, 8, 0..8, Filter::BicubicKeras).bounds.iter().all(|[_, count]| *count == 4));
        assert!(Taps::new(80, 8, 0..8, Filter::Bicubic).bounds[4][1] > 30);
    }
}
