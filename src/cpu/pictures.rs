//! From pictures to a network's input: the resize of inference, and the gather of a training batch.

use bytemuck::{Pod, Zeroable};

use crate::pool::Pool;

/// How values become a network's input.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    /// Blue first.
    pub bgr: bool,
    /// By input channel.
    pub factor: [f32; 4],
    pub offset: [f32; 4],
}

impl Affine {
    /// A pixel of the input from red, green and blue; the fourth channel is padding.
    fn apply(&self, [r, g, b]: [f32; 3]) -> [f32; 4] {
        let value = if self.bgr { [b, g, r, 0.0] } else { [r, g, b, 0.0] };
        std::array::from_fn(|c| value[c] * self.factor[c] + self.offset[c])
    }
}

/// Weights of one axis of a resize: 22 fractional bits, as Pillow's.
#[derive(Clone, Copy)]
pub(crate) struct Taps<'a> {
    /// First input and number of inputs of each output.
    pub bounds: &'a [[u32; 2]],
    /// `stride` of each output.
    pub weights: &'a [i32],
    pub stride: usize,
}

impl Taps<'_> {
    /// The rounded sums of three channels of the `i`-th output.
    fn sum(&self, i: usize, pixel: impl Fn(usize) -> u32) -> [u32; 3] {
        let [first, count] = self.bounds[i];
        let weights = &self.weights[i * self.stride..][..(count as usize).min(self.stride)];
        let mut sums = [1i32 << 21; 3];
        for (k, weight) in weights.iter().enumerate() {
            let bits = pixel(first as usize + k);
            for (c, sum) in sums.iter_mut().enumerate() {
                *sum = sum.wrapping_add(((bits >> (8 * c)) & 255) as i32 * weight);
            }
        }
        sums.map(|sum| (sum >> 22).clamp(0, 255) as u32)
    }

    /// The first input past all.
    pub fn end(&self) -> usize {
        self.bounds.iter().map(|[first, count]| (*first as usize).saturating_add(*count as usize)).max().unwrap_or(0)
    }
}

/// First pass: rows of `source_width` RGBA pixels to rows of `taps.bounds` RGB ones.
pub(crate) fn resize_rows(pool: &Pool, taps: Taps<'_>, source_width: usize, source: &[u32], middle: &mut [u32]) {
    let tasks = middle.chunks_exact_mut(taps.bounds.len()).zip(source.chunks_exact(source_width)).collect();
    pool.each(tasks, |(to, from): (&mut [u32], &[u32])| {
        for (x, to) in to.iter_mut().enumerate() {
            let [r, g, b] = taps.sum(x, |at| from[at]);
            *to = r | (g << 8) | (b << 16);
        }
    });
}

/// Second pass: pictures of `rows` rows of `width` pixels to pictures of `taps.bounds` rows, normalised.
pub(crate) fn resize_columns(
    pool: &Pool,
    taps: Taps<'_>,
    (rows, width): (usize, usize),
    affine: &Affine,
    middle: &[u32],
    output: &mut [f32],
) {
    let height = taps.bounds.len();
    let tasks: Vec<_> = output.chunks_exact_mut(width * 4).enumerate().collect();
    pool.each(tasks, |(i, to)| {
        let (image, y) = (i / height, i % height);
        for (x, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let rgb = taps.sum(y, |at| middle[(image * rows + at) * width + x]);
            *to = affine.apply(rgb.map(|v| v as f32));
        }
    });
}

/// One image of a batch as it was drawn: see augment_gather.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Draw {
    column: [f32; 4],
    row: [f32; 4],
    colour: [[f32; 4]; 3],
    /// Left, top, right, bottom.
    erase: [u32; 4],
    source: u32,
    samples: u32,
    partner: u32,
    lambda: f32,
}

impl Draw {
    fn erased(&self, x: usize, y: usize) -> bool {
        let [left, top, right, bottom] = self.erase.map(|v| v as usize);
        (left..right).contains(&x) && (top..bottom).contains(&y)
    }
}

/// A bank of pictures of one size and how they become a batch.
pub(crate) struct Gather<'a> {
    pub height: usize,
    pub width: usize,
    pub picture_height: usize,
    pub picture_width: usize,
    /// Of a picture: 3 or 1.
    pub channels: usize,
    pub chunk_pictures: usize,
    pub bank: &'a [&'a [u8]],
    pub draws: &'a [Draw],
    pub affine: Affine,
    /// What lies outside of a picture, see `place` in augment_gather.wgsl.
    pub fill: u32,
}

impl Gather<'_> {
    /// Fills `(N, 3 or 1, height, width)`.
    pub fn run(&self, pool: &Pool, output: &mut [f32]) {
        let tasks: Vec<_> = output.chunks_exact_mut(self.width * 4).enumerate().collect();
        pool.each(tasks, |(i, to)| {
            let (n, y) = (i / self.height, i % self.height);
            for (x, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let draw = &self.draws[n];
                let (cut, lambda, partner) = (draw.row[3] > 0.0, draw.lambda, draw.partner as usize);
                let own = self.view(if cut && draw.erased(x, y) { partner } else { n }, x, y);
                *to = own;
                if !cut && lambda < 1.0 {
                    let other = self.view(partner, x, y);
                    *to = std::array::from_fn(|c| own[c] * lambda + other[c] * (1.0 - lambda));
                }
            }
        });
    }

    /// The normalised pixel of one row of the batch before mixing; zero, the mean colour, where there is no picture.
    fn view(&self, n: usize, x: usize, y: usize) -> [f32; 4] {
        let Some(draw) = self.draws.get(n) else { return [0.0; 4] };
        if draw.row[3] == 0.0 && draw.erased(x, y) {
            return [0.0; 4];
        }
        let samples = draw.samples.clamp(1, 8);
        let (mut sum, mut found) = ([0.0; 3], 0.0);
        for j in 0..samples {
            for i in 0..samples {
                let place = |at: usize, k: u32| at as f32 + ((k as f32 + 0.5) / samples as f32 - 0.5);
                let (x, y) = (place(x, i), place(y, j));
                let map = |row: &[f32; 4]| row[0] * x + row[1] * y + row[2];
                if let Some(colour) = self.sample(draw.source as usize, map(&draw.column), map(&draw.row)) {
                    sum = std::array::from_fn(|c| sum[c] + colour[c]);
                    found += 1.0;
                }
            }
        }
        if found == 0.0 {
            return [0.0; 4];
        }
        let old = sum.map(|v| v / found);
        let rgb = draw.colour.map(|k| (k[0] * old[0] + k[1] * old[1] + k[2] * old[2] + k[3]).clamp(0.0, 255.0));
        let share = found / (samples * samples) as f32;
        self.affine.apply(rgb).map(|v| v * share)
    }

    /// Colour at a place between pixel centres, None outside of the picture. Bilinear; at a centre the pixel itself.
    fn sample(&self, picture: usize, x: f32, y: f32) -> Option<[f32; 3]> {
        let (width, height) = (self.picture_width as f32, self.picture_height as f32);
        // Written so that what is no number is outside.
        let inside = |x: f32, y: f32| x >= -0.5 && y >= -0.5 && x < width - 0.5 && y < height - 0.5;
        let (x, y) = if inside(x, y) { (x, y) } else { (self.place(x, width), self.place(y, height)) };
        if !inside(x, y) {
            return (self.fill == 4).then_some([0.0; 3]);
        }
        let near = |at: f32, size: usize| (at.floor().max(0.0) as usize).min(size - 1);
        let far = |at: f32, size: usize| ((at.floor() + 1.0).max(0.0) as usize).min(size - 1);
        let (part_x, part_y) = (x - x.floor(), y - y.floor());
        let (x0, y0) = (near(x, self.picture_width), near(y, self.picture_height));
        if part_x == 0.0 && part_y == 0.0 {
            return self.pixel(picture, x0, y0);
        }
        let (x1, y1) = (far(x, self.picture_width), far(y, self.picture_height));
        let mix = |a: [f32; 3], b: [f32; 3], part: f32| std::array::from_fn(|c| a[c] * (1.0 - part) + b[c] * part);
        let above = mix(self.pixel(picture, x0, y0)?, self.pixel(picture, x1, y0)?, part_x);
        let below = mix(self.pixel(picture, x0, y1)?, self.pixel(picture, x1, y1)?, part_x);
        Some(mix(above, below, part_y))
    }

    /// Where a place outside of `0..size` finds its colour.
    fn place(&self, at: f32, size: f32) -> f32 {
        let t = at + 0.5;
        let found = match self.fill {
            1 => at,
            2 => {
                let turn = t - 2.0 * size * (t / (2.0 * size)).floor();
                turn.min(2.0 * size - turn) - 0.5
            }
            3 => t - size * (t / size).floor() - 0.5,
            _ => return at,
        };
        found.clamp(0.0, size - 1.0)
    }

    fn pixel(&self, picture: usize, x: usize, y: usize) -> Option<[f32; 3]> {
        // A picture is padded to whole fours of bytes.
        let bytes = (self.picture_height * self.picture_width * self.channels).next_multiple_of(4);
        let chunk = self.bank.get(picture / self.chunk_pictures)?;
        let at = picture % self.chunk_pictures * bytes + (y * self.picture_width + x) * self.channels;
        let pixel = chunk.get(at..at + self.channels)?;
        Some(std::array::from_fn(|c| f32::from(pixel[c.min(self.channels - 1)])))
    }
}
