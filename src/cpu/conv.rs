//! Convolution as a matrix product: forward, and both gradients.
//!
//! A row of the left matrix is what lies under an output pixel. It is never copied out: with the image padded by zeros, each row of
//! the window is one piece of memory ([`Runs`]), `kernel * channels` values that meet as many rows of a packed panel of weights. A
//! block of a few pixels and one panel is summed in registers, then bias, residual and ReLU are applied and it is stored.
//! (The indirect product of M. Dukhan 2019, arXiv:1907.02129, with padded rows in place of pointers.)
//!
//! The gradient by the input is the same product over `d_output` with the weights turned round; with a stride `s` it falls apart into
//! `s * s` of them, one for each remainder of row and column (V. Dumoulin and F. Visin 2016, arXiv:1603.07285, chapter 4). The
//! gradient by the weights is a product over pixels, whose left rows are again read in place.

use std::ops::Range;

use crate::memory::with_scratch;
use crate::pool::Pool;
use crate::program::Conv;
use crate::simd::{self, Kernel, Level, Vector, dispatch};

/// The convolution that a product computes: any padding, negative ones too, and kernels that are not square.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub images: usize,
    pub in_h: usize,
    pub in_w: usize,
    /// Values of an input pixel in memory.
    pub in_channels: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub kernel_h: usize,
    pub kernel_w: usize,
    pub stride: usize,
    pub pad_top: isize,
    pub pad_left: isize,
    pub groups: usize,
    /// Input channels of a group, and the same padded to fours.
    pub group_in: usize,
    pub depth: usize,
    /// Output channels of a group.
    pub group_out: usize,
}

impl Geometry {
    pub fn new(conv: &Conv) -> Self {
        let (x, y) = (conv.input, conv.output);
        Self {
            images: x.n as usize,
            in_h: x.h as usize,
            in_w: x.w as usize,
            in_channels: x.channels(),
            out_h: y.h as usize,
            out_w: y.w as usize,
            kernel_h: conv.window.kernel as usize,
            kernel_w: conv.window.kernel as usize,
            stride: conv.window.stride as usize,
            pad_top: conv.window.pad_top as isize,
            pad_left: conv.window.pad_left as isize,
            groups: conv.groups as usize,
            group_in: (x.c / conv.groups) as usize,
            depth: conv.depth(),
            group_out: conv.width(),
        }
    }

    /// Whether the input can be read where it is.
    fn in_place(&self) -> bool {
        let fits = |pad: isize, size: usize, kernel: usize, out: usize| {
            pad <= 0 && out > 0 && (out - 1) * self.stride + kernel + pad.unsigned_abs() <= size
        };
        // A group's padding channels are the next group's values, and past the end nothing.
        let whole = self.groups == 1 || self.group_in == self.depth;
        whole
            && fits(self.pad_top, self.in_h, self.kernel_h, self.out_h)
            && fits(self.pad_left, self.in_w, self.kernel_w, self.out_w)
    }

    /// Columns of a padded row.
    fn padded_w(&self) -> usize {
        (self.out_w.max(1) - 1) * self.stride + self.kernel_w
    }

    /// Values of padded input under one row of output pixels, overlaps with the next row left out.
    fn row_values(&self) -> usize {
        self.stride.min(self.kernel_h) * self.padded_w() * self.in_channels
    }

    /// Rows of all images' outputs.
    pub fn rows(&self) -> usize {
        self.images * self.out_h
    }
}

/// The pieces of memory under an output pixel: `count` of `len` values, from one to the next `step` (and `row_step` after `per_row`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    pub count: usize,
    pub len: usize,
    per_row: usize,
    step: usize,
    row_step: usize,
}

impl Runs {
    /// One piece.
    pub fn one(len: usize) -> Self {
        Self { count: 1, len, per_row: 1, step: 0, row_step: 0 }
    }

    fn new(g: &Geometry, width: usize) -> Self {
        let row_step = width * g.in_channels;
        if g.groups == 1 {
            return Self { count: g.kernel_h, len: g.kernel_w * g.depth, per_row: 1, step: 0, row_step };
        }
        Self { count: g.kernel_h * g.kernel_w, len: g.depth, per_row: g.kernel_w, step: g.in_channels, row_step }
    }

    #[inline(always)]
    pub fn offset(&self, run: usize) -> usize {
        run / self.per_row * self.row_step + run % self.per_row * self.step
    }
}

/// A part of the output's rows, counted over all images, and where the pixels under them are.
pub(crate) struct Band<'a> {
    pub source: &'a [f32],
    pub runs: Runs,
    /// The first value under each output pixel of the band.
    pub bases: Vec<u32>,
}

/// Values past the end that a group's padding channels may touch.
const SLACK: usize = 16;

impl Band<'_> {
    /// Lends the band of `rows`; its input is copied between zeros where it must be.
    pub fn with<R>(g: &Geometry, input: &[f32], rows: Range<usize>, work: impl FnOnce(&Band<'_>) -> R) -> R {
        let mut bases = Vec::with_capacity(rows.len() * g.out_w);
        if g.in_place() {
            let runs = Runs::new(g, g.in_w);
            for row in rows {
                let y = (row % g.out_h * g.stride).wrapping_add_signed(-g.pad_top);
                let first = ((row / g.out_h * g.in_h + y) * g.in_w).wrapping_add_signed(-g.pad_left);
                bases.extend((0..g.out_w).map(|x| ((first + x * g.stride) * g.in_channels) as u32));
            }
            return work(&Band { source: input, runs, bases });
        }
        let width = g.padded_w();
        let line = width * g.in_channels;
        // Pieces of the band within one image: image, first row, rows.
        let mut pieces: Vec<(usize, usize, usize)> = Vec::new();
        let mut row = rows.start;
        while row < rows.end {
            let (image, y) = (row / g.out_h, row % g.out_h);
            let count = (g.out_h - y).min(rows.end - row);
            pieces.push((image, y, count));
            row += count;
        }
        let lines = |count: usize| (count - 1) * g.stride + g.kernel_h;
        let total: usize = pieces.iter().map(|piece| lines(piece.2)).sum();
        with_scratch(total * line + SLACK, |scratch| {
            let mut start = 0;
            for (image, y, count) in pieces {
                for k in 0..lines(count) {
                    let to = &mut scratch[start + k * line..][..line];
                    let from_y = (y * g.stride + k) as isize - g.pad_top;
                    if from_y < 0 || from_y >= g.in_h as isize {
                        to.fill(0.0);
                        continue;
                    }
                    // Columns before the image, of it, and after it.
                    let before = (g.pad_left.max(0) as usize).min(width);
                    let skipped = ((-g.pad_left).max(0) as usize).min(g.in_w);
                    let inside = (g.in_w - skipped).min(width - before);
                    let from = (image * g.in_h + from_y as usize) * g.in_w + skipped;
                    let (zeros, to) = to.split_at_mut(before * g.in_channels);
                    zeros.fill(0.0);
                    let (pixels, zeros) = to.split_at_mut(inside * g.in_channels);
                    pixels.copy_from_slice(&input[from * g.in_channels..][..inside * g.in_channels]);
                    zeros.fill(0.0);
                }
                for k in 0..count {
                    let first = start + k * g.stride * line;
                    bases.extend((0..g.out_w).map(|x| (first + x * g.stride * g.in_channels) as u32));
                }
                start += lines(count) * line;
            }
            scratch[start..].fill(0.0);
            work(&Band { source: scratch, runs: Runs::new(g, width), bases })
        })
    }
}

/// One output pixel, or some of its channels: where the sums go, and what is added to them (nothing, or as many values).
pub(crate) struct Row<'a> {
    pub to: &'a mut [f32],
    pub add: &'a [f32],
}

impl<'a> Row<'a> {
    /// The channels from `first` on, which it loses.
    fn split_off(&mut self, first: usize) -> Self {
        let (keep, to) = std::mem::take(&mut self.to).split_at_mut(first);
        self.to = keep;
        let (keep, add) = self.add.split_at(first.min(self.add.len()));
        self.add = keep;
        Self { to, add }
    }
}

/// What happens to sums before they are stored.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    /// By output channel; may be shorter than they are, the rest is 0.
    pub bias: &'a [f32],
    pub relu: bool,
}

/// A product's task: some rows of pixels and some panels.
pub(crate) struct Task<'a> {
    pub band: Range<usize>,
    pub panels: Range<usize>,
    /// The pixels, with the panels' channels alone.
    pub rows: Vec<Row<'a>>,
}

/// The first output channel of a panel.
fn first_channel(g: &Geometry, panel: usize, p: usize) -> usize {
    let panels = g.group_out.div_ceil(panel);
    p / panels * g.group_out + p % panels * panel
}

/// The tasks of every band of rows of pixels, `parts` each that share the panels; their pixels' padding channels become zero.
pub(crate) fn tasks<'a>(
    g: &Geometry,
    panel: usize,
    bands: &[Range<usize>],
    parts: usize,
    mut rows: Vec<Row<'a>>,
) -> Vec<Task<'a>> {
    let all_panels = g.group_out.div_ceil(panel) * g.groups;
    let channels = g.groups * g.group_out;
    let mut tasks = Vec::with_capacity(bands.len() * parts);
    // From the end, so that rows can be cut off.
    for band in bands.iter().rev() {
        let mut rest = rows.split_off(band.start * g.out_w);
        for row in &mut rest {
            row.to[channels..].fill(0.0);
        }
        for part in (0..parts).rev() {
            let panels = part * all_panels / parts..(part + 1) * all_panels / parts;
            let first = first_channel(g, panel, panels.start);
            let rows = match part {
                0 => std::mem::take(&mut rest),
                _ => rest.iter_mut().map(|row| row.split_off(first)).collect(),
            };
            tasks.push(Task { band: band.clone(), panels, rows });
        }
    }
    tasks.reverse();
    tasks
}

/// Bytes of input that a task keeps in the cache nearest to the core, and of weights beyond which these are read once a task instead.
const BAND_BYTES: usize = 192 << 10;
const WEIGHT_BYTES: usize = 768 << 10;
/// Bytes of input of a task that goes through the weights once.
const LARGE_BAND_BYTES: usize = 1536 << 10;

/// `rows = [relu](window * weight + bias + add)` for each output pixel in order; `weight` is `[group][panel][run][panel channel]`.
#[allow(clippy::too_many_arguments)] // the operands of a product
pub(crate) fn product(
    pool: &Pool,
    level: Level,
    g: &Geometry,
    input: &[f32],
    weight: &[f32],
    panel: usize,
    finish: Finish<'_>,
    rows: Vec<Row<'_>>,
) {
    let panels = g.group_out.div_ceil(panel);
    let all_panels = panels * g.groups;
    let panel_len = g.kernel_h * g.kernel_w * g.depth * panel;
    let heavy = all_panels * panel_len * 4 > WEIGHT_BYTES;
    let row_bytes = (g.row_values() * 4).max(1);
    let threads = pool.threads();
    let parts = if heavy { threads.min(all_panels) } else { 1 };
    let bands = {
        let bytes = if heavy { LARGE_BAND_BYTES } else { BAND_BYTES };
        let by_size = (g.rows() * row_bytes).div_ceil(bytes);
        // Enough for every thread, and for a fair share at the end.
        let by_threads = if threads > parts { threads.div_ceil(parts) * 3 } else { 1 };
        by_size.max(by_threads).clamp(1, g.rows().max(1))
    };
    let bands: Vec<_> = (0..bands).map(|b| b * g.rows() / bands..(b + 1) * g.rows() / bands).collect();
    let tasks = tasks(g, panel, &bands, parts, rows);
    pool.each(tasks, |mut task| {
        let first = first_channel(g, panel, task.panels.start);
        Band::with(g, input, task.band.clone(), |band| {
            // A few pixels with all panels, or a panel with all pixels: what is smaller stays in the cache.
            let blocks = if heavy { 1 } else { task.rows.len().div_ceil(simd::rows(level)) };
            for block in 0..blocks {
                let range = block * task.rows.len() / blocks..(block + 1) * task.rows.len() / blocks;
                let (bases, rows) = (&band.bases[range.clone()], &mut task.rows[range]);
                for p in task.panels.clone() {
                    // The panel's first channel in its group, and how many it has.
                    let (group, inside) = (p / panels, p % panels * panel);
                    let wide = (g.group_out - inside).min(panel);
                    let channel = group * g.group_out + inside;
                    let mut bias = [0.0; MAX_PANEL];
                    let from = &finish.bias[channel.min(finish.bias.len())..];
                    let known = from.len().min(wide);
                    bias[..known].copy_from_slice(&from[..known]);
                    let store = Store { at: channel - first, wide, bias: &bias[..panel], relu: finish.relu };
                    let source = &band.source[group * g.group_in..];
                    let weight = &weight[p * panel_len..][..panel_len];
                    dispatch(level, PanelKernel { source, runs: band.runs, bases, weight, panel, store, rows });
                }
            }
        });
    });
}

/// The most output channels of a panel.
pub(crate) const MAX_PANEL: usize = 32;

/// How sums are stored.
#[derive(Clone, Copy)]
pub(crate) struct Store<'a> {
    /// The panel's place in the row, and how many of its channels exist.
    pub at: usize,
    pub wide: usize,
    /// Of the whole panel.
    pub bias: &'a [f32],
    pub relu: bool,
}

/// The products of some pixels with one panel.
pub(crate) struct PanelKernel<'a, 'r> {
    pub source: &'a [f32],
    pub runs: Runs,
    pub bases: &'a [u32],
    pub weight: &'a [f32],
    /// Channels of the panel: one vector or two.
    pub panel: usize,
    pub store: Store<'a>,
    pub rows: &'a mut [Row<'r>],
}

impl Kernel for PanelKernel<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        match self.panel / V::LANES {
            1 => self.blocks::<V, 1>(),
            _ => self.blocks::<V, 2>(),
        }
    }
}

impl PanelKernel<'_, '_> {
    #[inline(always)]
    fn blocks<V: Vector, const NV: usize>(self) {
        let Self { source, runs, weight, store, .. } = self;
        // Of nearly equal size, so that none is nearly empty.
        let count = self.rows.len().div_ceil(V::ROWS);
        for i in 0..count {
            let range = i * self.rows.len() / count..(i + 1) * self.rows.len() / count;
            let (bases, rows) = (&self.bases[range.clone()], &mut self.rows[range]);
            match bases.len() {
                11.. if V::ROWS >= 12 => block::<V, 12, NV>(source, runs, bases, weight, store, rows),
                9.. if V::ROWS >= 10 => block::<V, 10, NV>(source, runs, bases, weight, store, rows),
                7.. if V::ROWS >= 8 => block::<V, 8, NV>(source, runs, bases, weight, store, rows),
                5.. => block::<V, 6, NV>(source, runs, bases, weight, store, rows),
                3.. => block::<V, 4, NV>(source, runs, bases, weight, store, rows),
                1.. => block::<V, 2, NV>(source, runs, bases, weight, store, rows),
                0 => {}
            }
        }
    }
}

/// The sums of up to `MR` pixels with a panel of `NV` vectors.
#[inline(always)]
fn block<V: Vector, const MR: usize, const NV: usize>(
    source: &[f32],
    runs: Runs,
    bases: &[u32],
    mut weight: &[f32],
    store: Store<'_>,
    rows: &mut [Row<'_>],
) {
    // A missing pixel repeats the last one.
    let bases: [usize; MR] = std::array::from_fn(|r| bases[r.min(bases.len() - 1)] as usize);
    let mut sums = [[V::splat(0.0); NV]; MR];
    let fours = runs.len / 4;
    for run in 0..runs.count {
        let offset = runs.offset(run);
        let mut values: [&[[f32; 4]]; MR] = [&[]; MR];
        for r in 0..MR {
            values[r] = &source[bases[r] + offset..].as_chunks().0[..fours];
        }
        let (now, rest) = weight.split_at(runs.len * NV * V::LANES);
        weight = rest;
        for (k, w) in (0..fours).zip(now.chunks_exact(4 * NV * V::LANES)) {
            for j in 0..4 {
                let mut now = [V::splat(0.0); NV];
                for v in 0..NV {
                    now[v] = V::load(&w[(j * NV + v) * V::LANES..]);
                }
                for r in 0..MR {
                    let x = V::splat(values[r][k][j]);
                    for v in 0..NV {
                        sums[r][v] = x.mul_add(now[v], sums[r][v]);
                    }
                }
            }
        }
    }
    let low = V::splat(if store.relu { 0.0 } else { f32::NEG_INFINITY });
    for (row, sums) in rows.iter_mut().zip(sums) {
        let panel = NV * V::LANES;
        if store.wide == panel {
            let to = &mut row.to[store.at..][..panel];
            for (v, sum) in sums.into_iter().enumerate() {
                let at = v * V::LANES;
                let mut sum = sum.add(V::load(&store.bias[at..]));
                if !row.add.is_empty() {
                    sum = sum.add(V::load(&row.add[store.at + at..]));
                }
                sum.at_least(low).store(&mut to[at..]);
            }
            continue;
        }
        let mut values = [0.0; MAX_PANEL];
        for (v, sum) in sums.into_iter().enumerate() {
            let at = v * V::LANES;
            sum.add(V::load(&store.bias[at..])).store(&mut values[at..]);
        }
        let to = &mut row.to[store.at..][..store.wide];
        for (c, (to, value)) in to.iter_mut().zip(values).enumerate() {
            let value = if row.add.is_empty() { value } else { value + row.add[store.at + c] };
            *to = if store.relu && value < 0.0 { 0.0 } else { value };
        }
    }
}
