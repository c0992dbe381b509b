//! Pools and the shortcut without parameters: output pixels that look at few input pixels.

use crate::elementwise::add_to;
use crate::pool::Pool;
use crate::program::{Shape, Window};
use crate::simd::{Kernel, Level, Vector, dispatch, vectorised};

/// Of padding, among the places of maxima.
const PADDING: u8 = 255;

/// Geometry of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Pooling {
    pub input: Shape,
    pub output: Shape,
    pub window: Window,
}

impl Pooling {
    fn at(&self, n: usize, y: usize, x: usize) -> usize {
        ((n * self.input.h as usize + y) * self.input.w as usize + x) * self.input.channels()
    }
}

/// Rows of an image's pixels that a task takes.
fn rows_of(shape: &Shape) -> usize {
    (shape.w as usize * shape.channels()).max(1)
}

pub(crate) fn max_pool(
    pool: &Pool,
    level: Level,
    call: &Pooling,
    zeros: bool,
    input: &[f32],
    argmax: Option<&mut [u8]>,
    output: &mut [f32],
) {
    let row = rows_of(&call.output);
    match argmax {
        Some(argmax) => {
            let tasks: Vec<_> = output.chunks_exact_mut(row).zip(argmax.chunks_exact_mut(row)).enumerate().collect();
            pool.each(tasks, |(i, (to, argmax))| max_pool_row(level, call, zeros, input, i, argmax, to));
        }
        None => {
            let tasks: Vec<_> = output.chunks_exact_mut(row).enumerate().collect();
            pool.each(tasks, |(i, to)| max_pool_row(level, call, zeros, input, i, &mut [], to));
        }
    }
}

vectorised! {
    fn max_pool_row<'a>(call: &'a Pooling, zeros: bool, input: &'a [f32], row: usize, argmax: &'a mut [u8], output: &'a mut [f32]) {
        let (n, oy) = (row / call.output.h as usize, row % call.output.h as usize);
        let Window { kernel, stride, pad_top, pad_left } = call.window;
        let channels = call.input.channels();
        for (ox, to) in output.chunks_exact_mut(channels).enumerate() {
            let places = if argmax.is_empty() { &mut [][..] } else { &mut argmax[ox * channels..][..channels] };
            let mut empty = true;
            // Row by row, and only a larger value replaces an earlier one: of equal ones the first wins, as in PyTorch.
            for ky in 0..kernel {
                for kx in 0..kernel {
                    let y = (oy as u32 * stride + ky).wrapping_sub(pad_top);
                    let x = (ox as u32 * stride + kx).wrapping_sub(pad_left);
                    let inside = y < call.input.h && x < call.input.w;
                    let place = if inside { (ky * kernel + kx) as u8 } else { PADDING };
                    if inside {
                        let from = &input[call.at(n, y as usize, x as usize)..][..channels];
                        if empty {
                            to.copy_from_slice(from);
                            places.fill(place);
                        } else if places.is_empty() {
                            for (to, value) in to.iter_mut().zip(from) {
                                *to = if *value > *to { *value } else { *to };
                            }
                        } else {
                            for ((to, value), at) in to.iter_mut().zip(from).zip(&mut *places) {
                                *at = if *value > *to { place } else { *at };
                                *to = if *value > *to { *value } else { *to };
                            }
                        }
                        empty = false;
                    } else if zeros {
                        if empty {
                            to.fill(0.0);
                            places.fill(place);
                        } else {
                            for (c, to) in to.iter_mut().enumerate() {
                                if *to < 0.0 {
                                    *to = 0.0;
                                    if let Some(at) = places.get_mut(c) {
                                        *at = place;
                                    }
                                }
                            }
                        }
                        empty = false;
                    }
                }
            }
            if empty {
                to.fill(0.0);
                places.fill(PADDING);
            }
        }
    }
}

pub(crate) fn max_pool_backward(
    pool: &Pool,
    level: Level,
    call: &Pooling,
    argmax: &[u8],
    d_output: &[f32],
    accumulate: &[f32],
    d_input: &mut [f32],
) {
    let row = rows_of(&call.input);
    let tasks: Vec<_> = d_input.chunks_exact_mut(row).enumerate().collect();
    pool.each(tasks, |(i, to)| {
        let accumulate = if accumulate.is_empty() { accumulate } else { &accumulate[i * row..][..row] };
        max_pool_backward_row(level, call, argmax, d_output, accumulate, i, to);
    });
}

vectorised! {
    fn max_pool_backward_row<'a>(
        call: &'a Pooling,
        argmax: &'a [u8],
        d_output: &'a [f32],
        accumulate: &'a [f32],
        row: usize,
        d_input: &'a mut [f32]
    ) {
        let (n, y) = (row / call.input.h as usize, row % call.input.h as usize);
        let Window { kernel, stride, pad_top, pad_left } = call.window;
        let (out_h, out_w, channels) = (call.output.h as usize, call.output.w as usize, call.input.channels());
        let (kernel, stride) = (kernel as usize, stride as usize);
        let py = y + pad_top as usize;
        d_input.fill(0.0);
        for (x, to) in d_input.chunks_exact_mut(channels).enumerate() {
            let px = x + pad_left as usize;
            for oy in windows_over(py, &call.window, out_h) {
                for ox in windows_over(px, &call.window, out_w) {
                    let from = ((n * out_h + oy) * out_w + ox) * channels;
                    let here = ((py - oy * stride) * kernel + px - ox * stride) as u8;
                    let values = d_output[from..][..channels].iter().zip(&argmax[from..][..channels]);
                    for (to, (value, place)) in to.iter_mut().zip(values) {
                        *to += if *place == here { *value } else { 0.0 };
                    }
                }
            }
        }
        add_to(d_input, accumulate);
    }
}

/// The windows over a padded coordinate: `o * stride <= at < o * stride + kernel`.
fn windows_over(at: usize, window: &Window, most: usize) -> std::ops::Range<usize> {
    let (kernel, stride) = (window.kernel as usize, window.stride as usize);
    (at + 1).saturating_sub(kernel).div_ceil(stride)..(at / stride + 1).min(most)
}

/// First cell and end of window `at` along an axis of `size` cells, cut to the image.
fn span(at: usize, pad: u32, window: &Window, size: usize) -> (usize, usize) {
    let first = at * window.stride as usize;
    let inside = |cell: usize| cell.saturating_sub(pad as usize).min(size);
    (inside(first), inside(first + window.kernel as usize))
}

pub(crate) fn avg_pool(pool: &Pool, level: Level, call: &Pooling, input: &[f32], output: &mut [f32]) {
    let tasks: Vec<_> = output.chunks_exact_mut(rows_of(&call.output)).enumerate().collect();
    pool.each(tasks, |(i, to)| avg_pool_row(level, call, input, i, to));
}

vectorised! {
    fn avg_pool_row<'a>(call: &'a Pooling, input: &'a [f32], row: usize, output: &'a mut [f32]) {
        let (n, oy) = (row / call.output.h as usize, row % call.output.h as usize);
        let (window, channels) = (&call.window, call.input.channels());
        let (y0, y1) = span(oy, window.pad_top, window, call.input.h as usize);
        for (ox, to) in output.chunks_exact_mut(channels).enumerate() {
            let (x0, x1) = span(ox, window.pad_left, window, call.input.w as usize);
            to.fill(0.0);
            for y in y0..y1 {
                for x in x0..x1 {
                    add_to(to, &input[call.at(n, y, x)..][..channels]);
                }
            }
            let cells = ((y1 - y0) * (x1 - x0)).max(1) as f32;
            to.iter_mut().for_each(|value| *value /= cells);
        }
    }
}

pub(crate) fn avg_pool_backward(
    pool: &Pool,
    level: Level,
    call: &Pooling,
    d_output: &[f32],
    accumulate: &[f32],
    d_input: &mut [f32],
) {
    let row = rows_of(&call.input);
    let tasks: Vec<_> = d_input.chunks_exact_mut(row).enumerate().collect();
    pool.each(tasks, |(i, to)| {
        let accumulate = if accumulate.is_empty() { accumulate } else { &accumulate[i * row..][..row] };
        avg_pool_backward_row(level, call, d_output, accumulate, i, to);
    });
}

vectorised! {
    fn avg_pool_backward_row<'a>(
        call: &'a Pooling,
        d_output: &'a [f32],
        accumulate: &'a [f32],
        row: usize,
        d_input: &'a mut [f32]
    ) {
        let (n, y) = (row / call.input.h as usize, row % call.input.h as usize);
        let window = &call.window;
        let (in_h, in_w) = (call.input.h as usize, call.input.w as usize);
        let (out_h, out_w, channels) = (call.output.h as usize, call.output.w as usize, call.input.channels());
        d_input.fill(0.0);
        for (x, to) in d_input.chunks_exact_mut(channels).enumerate() {
            for oy in windows_over(y + window.pad_top as usize, window, out_h) {
                let (y0, y1) = span(oy, window.pad_top, window, in_h);
                for ox in windows_over(x + window.pad_left as usize, window, out_w) {
                    let (x0, x1) = span(ox, window.pad_left, window, in_w);
                    let cells = ((y1 - y0) * (x1 - x0)).max(1) as f32;
                    let from = &d_output[((n * out_h + oy) * out_w + ox) * channels..][..channels];
                    for (to, value) in to.iter_mut().zip(from) {
                        *to += *value / cells;
                    }
                }
            }
        }
        add_to(d_input, accumulate);
    }
}

pub(crate) fn global_avg_pool(pool: &Pool, level: Level, pixels: usize, channels: usize, input: &[f32], output: &mut [f32]) {
    let tasks: Vec<_> = output.chunks_exact_mut(channels).zip(input.chunks_exact(pixels * channels)).collect();
    pool.each(tasks, |(to, from)| global_avg_pool_image(level, pixels, from, to));
}

vectorised! {
    fn global_avg_pool_image<'a>(pixels: usize, input: &'a [f32], output: &'a mut [f32]) {
        output.fill(0.0);
        for pixel in input.chunks_exact(output.len()) {
            add_to(output, pixel);
        }
        output.iter_mut().for_each(|value| *value /= pixels as f32);
    }
}

pub(crate) fn global_avg_pool_backward(
    pool: &Pool,
    pixels: usize,
    channels: usize,
    d_output: &[f32],
    accumulate: &[f32],
    d_input: &mut [f32],
) {
    let len = pixels * channels;
    let tasks: Vec<_> = d_input.chunks_exact_mut(len).zip(d_output.chunks_exact(channels)).enumerate().collect();
    pool.each(tasks, |(i, (to, from))| {
        let share: Vec<f32> = from.iter().map(|value| value / pixels as f32).collect();
        to.chunks_exact_mut(channels).for_each(|to| to.copy_from_slice(&share));
        if !accumulate.is_empty() {
            add_to(to, &accumulate[i * len..][..len]);
        }
    });
}

/// Geometry of a shortcut: every `stride`-th pixel, channels moved up by `offset`.
#[derive(Clone, Copy)]
pub(crate) struct Shortcut {
    pub input: Shape,
    pub output: Shape,
    pub stride: usize,
    pub offset: usize,
}

impl Shortcut {
    /// Channels that have a place in the output.
    fn kept(&self) -> usize {
        (self.input.c as usize).min((self.output.c as usize).saturating_sub(self.offset))
    }

    pub fn forward(&self, pool: &Pool, input: &[f32], output: &mut [f32]) {
        let tasks: Vec<_> = output.chunks_exact_mut(rows_of(&self.output)).enumerate().collect();
        let (channels, kept) = (self.input.channels(), self.kept());
        pool.each(tasks, |(i, row)| {
            let (n, y) = (i / self.output.h as usize, i % self.output.h as usize * self.stride);
            row.fill(0.0);
            for (x, to) in row.chunks_exact_mut(self.output.channels()).enumerate() {
                let x = x * self.stride;
                if y < self.input.h as usize && x < self.input.w as usize {
                    let from = ((n * self.input.h as usize + y) * self.input.w as usize + x) * channels;
                    to[self.offset..][..kept].copy_from_slice(&input[from..][..kept]);
                }
            }
        });
    }

    pub fn backward(&self, pool: &Pool, d_output: &[f32], accumulate: &[f32], d_input: &mut [f32]) {
        let len = rows_of(&self.input);
        let tasks: Vec<_> = d_input.chunks_exact_mut(len).enumerate().collect();
        let (out_h, out_w, kept) = (self.output.h as usize, self.output.w as usize, self.kept());
        pool.each(tasks, |(i, row)| {
            let (n, y) = (i / self.input.h as usize, i % self.input.h as usize);
            if accumulate.is_empty() {
                row.fill(0.0);
            } else {
                row.copy_from_slice(&accumulate[i * len..][..len]);
            }
            let oy = y / self.stride;
            if !y.is_multiple_of(self.stride) || oy >= out_h {
                return;
            }
            for (x, to) in row.chunks_exact_mut(self.input.channels()).enumerate().step_by(self.stride) {
                let ox = x / self.stride;
                if ox < out_w {
                    let from = ((n * out_h + oy) * out_w + ox) * self.output.channels() + self.offset;
                    add_to(&mut to[..kept], &d_output[from..][..kept]);
                }
            }
        });
    }
}
