//! The gradients of a convolution.

use crate::conv::{Band, Finish, Geometry, MAX_PANEL, Row, product};
use crate::memory::with_scratch;
use crate::method::ConvMethod;
use crate::pool::Pool;
use crate::program::Conv;
use crate::simd::{self, Kernel, Level, Vector, dispatch};

/// One of the convolutions without stride that give an input gradient: of the rows `y` with one remainder of `(y + pad) / stride`.
#[derive(Debug, Clone, Copy)]
struct Axis {
    /// The remainder, which is the first kernel position that these rows meet.
    remainder: usize,
    /// Kernel positions that they meet: `remainder`, `remainder + stride`, ...
    kernel: usize,
    /// First row, and number of rows.
    first: usize,
    count: usize,
    /// Padding before `d_output`.
    pad: isize,
}

impl Axis {
    fn new(remainder: usize, size: usize, kernel: usize, stride: usize, pad: usize) -> Self {
        let first = (remainder + stride - pad % stride) % stride;
        let taps = kernel.saturating_sub(remainder).div_ceil(stride);
        // The row of `d_output` that the first of these rows meets by its first kernel position.
        let last = (first + pad - remainder) / stride;
        Self {
            remainder,
            kernel: taps,
            first,
            count: size.saturating_sub(first).div_ceil(stride),
            pad: taps as isize - 1 - last as isize,
        }
    }

    fn all(size: usize, kernel: usize, stride: usize, pad: usize) -> Vec<Self> {
        (0..stride).map(|remainder| Self::new(remainder, size, kernel, stride, pad)).collect()
    }
}

/// Values of turned weights that [`input_gradient`] needs at a time.
pub(crate) fn turned_len(conv: &Conv) -> usize {
    let s = conv.window.stride.max(1);
    let taps = conv.window.kernel.div_ceil(s).pow(2) as usize;
    let inputs = (conv.input.c / conv.groups.max(1)) as usize;
    let panel = simd::panel(inputs);
    conv.groups as usize * inputs.next_multiple_of(panel) * taps * conv.width().next_multiple_of(4)
}

/// `d_input = gradient [+ accumulate]`; `turned` is memory of [`turned_len`] values.
#[allow(clippy::too_many_arguments)] // the operation's operands
pub(crate) fn input_gradient(
    pool: &Pool,
    level: Level,
    conv: &Conv,
    method: &ConvMethod,
    d_output: &[f32],
    weight: &[f32],
    accumulate: &[f32],
    d_input: &mut [f32],
    turned: &mut [f32],
) {
    let forward = Geometry::new(conv);
    let s = forward.stride;
    let vertical = Axis::all(forward.in_h, forward.kernel_h, s, conv.window.pad_top as usize);
    let horizontal = Axis::all(forward.in_w, forward.kernel_w, s, conv.window.pad_left as usize);
    let panel = simd::panel(forward.group_in);
    let channels = forward.in_channels;
    for v in &vertical {
        for h in &horizontal {
            let g = Geometry {
                images: forward.images,
                in_h: forward.out_h,
                in_w: forward.out_w,
                in_channels: conv.output.channels(),
                out_h: v.count,
                out_w: h.count,
                kernel_h: v.kernel,
                kernel_w: h.kernel,
                stride: 1,
                pad_top: v.pad,
                pad_left: h.pad,
                groups: forward.groups,
                group_in: forward.group_out,
                depth: forward.group_out.next_multiple_of(4),
                group_out: forward.group_in,
            };
            // The pixels of `d_input` whose gradient this is.
            let belongs = |axis: &Axis, at: usize| at >= axis.first && (at - axis.first).is_multiple_of(s);
            let mut rows = Vec::with_capacity(g.rows() * g.out_w);
            for (i, to) in d_input.chunks_exact_mut(channels).enumerate() {
                let (y, x) = (i / forward.in_w % forward.in_h, i % forward.in_w);
                if belongs(v, y) && belongs(h, x) {
                    rows.push(Row {
                        to,
                        add: if accumulate.is_empty() { accumulate } else { &accumulate[i * channels..][..channels] },
                    });
                }
            }
            if v.kernel * h.kernel == 0 {
                for row in rows {
                    match row.add {
                        [] => row.to.fill(0.0),
                        add => row.to.copy_from_slice(add),
                    }
                }
                continue;
            }
            turn(pool, conv, method, &g, (v, h), weight, panel, turned);
            product(pool, level, &g, d_output, turned, panel, Finish { bias: &[], relu: false }, rows);
        }
    }
}

/// The weights for one of the convolutions: kernel positions from the last to the first, input and output channels exchanged.
#[allow(clippy::too_many_arguments)] // the operation's operands
fn turn(
    pool: &Pool,
    conv: &Conv,
    method: &ConvMethod,
    g: &Geometry,
    (v, h): (&Axis, &Axis),
    weight: &[f32],
    panel: usize,
    turned: &mut [f32],
) {
    let (s, kernel) = (conv.window.stride as usize, conv.window.kernel as usize);
    let (from_panel, depth) = (method.panel as usize, conv.depth());
    let from_panels = method.panels(conv);
    let panels = g.group_out.div_ceil(panel);
    let panel_len = g.kernel_h * g.kernel_w * g.depth * panel;
    let tasks: Vec<_> = turned[..g.groups * panels * panel_len].chunks_exact_mut(panel_len).enumerate().collect();
    pool.each(tasks, |(p, to)| {
        let (group, first) = (p / panels, p % panels * panel);
        let wide = (g.group_out - first).min(panel);
        for (tap, to) in to.chunks_exact_mut(g.depth * panel).enumerate() {
            let ky = v.remainder + s * (g.kernel_h - 1 - tap / g.kernel_w);
            let kx = h.remainder + s * (g.kernel_w - 1 - tap % g.kernel_w);
            for (o, to) in to.chunks_exact_mut(panel).enumerate() {
                if o >= g.group_in {
                    to.fill(0.0);
                    continue;
                }
                let matrix = (group * from_panels + o / from_panel) * kernel * kernel + ky * kernel + kx;
                let from = &weight[(matrix * depth + first) * from_panel..][..wide * from_panel];
                let (filled, empty) = to.split_at_mut(wide);
                for (to, from) in filled.iter_mut().zip(from.chunks_exact(from_panel)) {
                    *to = from[o % from_panel];
                }
                empty.fill(0.0);
            }
        }
    });
}

/// Pixels whose products are summed in registers at a time: their `d_output` stays in the nearest cache, and the error of a sum
/// in order grows with its length.
const PIXELS: usize = 256;

/// Some rows of a panel of the gradient: `(run, first value of the run, values)`, at most `Vector::ROWS` each.
type Block = (usize, usize, usize);

struct WeightTask<'a> {
    panel: usize,
    blocks: &'a [Block],
    /// From the first row of the first block to the last of the last one.
    d_weight: &'a mut [f32],
}

/// `d_weight += gradient`, in a direct method's packing.
pub(crate) fn weight_gradient(
    pool: &Pool,
    level: Level,
    conv: &Conv,
    method: &ConvMethod,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
) {
    let g = Geometry::new(conv);
    let panel = method.panel as usize;
    let panels = method.panels(conv);
    let panel_len = conv.taps() * g.depth * panel;
    // Values of a run that belong to the group, and rows of the packed panel that a run has.
    let (runs, len, packed) = match g.groups {
        1 => (g.kernel_h, g.kernel_w * g.depth, g.kernel_w * g.depth),
        _ => (g.kernel_h * g.kernel_w, g.group_in, g.depth),
    };
    let per_run = len.div_ceil(simd::rows(level));
    let blocks: Vec<Block> = (0..runs * per_run)
        .map(|i| {
            let (run, k) = (i / per_run, i % per_run);
            (run, k * len / per_run, (k + 1) * len / per_run - k * len / per_run)
        })
        .collect();
    let all_panels = panels * g.groups;
    let splits = if pool.threads() == 1 { 1 } else { (3 * pool.threads()).div_ceil(all_panels).clamp(1, blocks.len()) };
    let mut tasks = Vec::with_capacity(all_panels * splits);
    for (p, mut rest) in d_weight.chunks_exact_mut(panel_len).enumerate() {
        let mut done = 0;
        for k in 0..splits {
            let blocks = &blocks[k * blocks.len() / splits..(k + 1) * blocks.len() / splits];
            let ((first, from, _), (last, at, count)) = (blocks[0], blocks[blocks.len() - 1]);
            let (start, end) = ((first * packed + from) * panel, (last * packed + at + count) * panel);
            let (_, skipped) = rest.split_at_mut(start - done);
            let (now, later) = skipped.split_at_mut(end - start);
            (rest, done) = (later, end);
            tasks.push(WeightTask { panel: p, blocks, d_weight: now });
        }
    }
    let rows = (PIXELS / g.out_w.max(1)).max(1);
    let out_channels = conv.output.channels();
    pool.each(tasks, |task| {
        let (group, inside) = (task.panel / panels, task.panel % panels * panel);
        let wide = (g.group_out - inside).min(panel);
        let channel = group * g.group_out + inside;
        with_scratch(rows * g.out_w * panel, |packed_rows| {
            for first in (0..g.rows()).step_by(rows) {
                let band = first..(first + rows).min(g.rows());
                let values = &d_output[band.start * g.out_w * out_channels..band.end * g.out_w * out_channels];
                let gradients = if wide == panel && out_channels == panel {
                    values
                } else {
                    for (to, from) in packed_rows.chunks_exact_mut(panel).zip(values.chunks_exact(out_channels)) {
                        let (to, zeros) = to.split_at_mut(wide);
                        to.copy_from_slice(&from[channel..channel + wide]);
                        zeros.fill(0.0);
                    }
                    &packed_rows[..band.len() * g.out_w * panel]
                };
                Band::with(&g, input, band, |band| {
                    let source = &band.source[group * g.group_in..];
                    let d_weight = &mut *task.d_weight;
                    let blocks = task.blocks;
                    dispatch(level, WeightKernel { source, band, gradients, panel, packed, blocks, d_weight });
                });
            }
        });
    });
}

struct WeightKernel<'a> {
    source: &'a [f32],
    band: &'a Band<'a>,
    gradients: &'a [f32],
    panel: usize,
    packed: usize,
    blocks: &'a [Block],
    d_weight: &'a mut [f32],
}

impl Kernel for WeightKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        match self.panel / V::LANES {
            1 => self.blocks::<V, 1>(),
            _ => self.blocks::<V, 2>(),
        }
    }
}

impl WeightKernel<'_> {
    #[inline(always)]
    fn blocks<V: Vector, const NV: usize>(self) {
        let panel = NV * V::LANES;
        let start = self.blocks.first().map_or(0, |(run, from, _)| run * self.packed + from);
        for &(run, from, count) in self.blocks {
            let offset = self.band.runs.offset(run) + from;
            let to = &mut self.d_weight[(run * self.packed + from - start) * panel..][..count * panel];
            let (source, bases, gradients) = (self.source, &self.band.bases[..], self.gradients);
            match count {
                11.. if V::ROWS >= 12 => sums::<V, 12, NV>(source, bases, offset, gradients, to),
                9.. if V::ROWS >= 10 => sums::<V, 10, NV>(source, bases, offset, gradients, to),
                7.. if V::ROWS >= 8 => sums::<V, 8, NV>(source, bases, offset, gradients, to),
                5.. => sums::<V, 6, NV>(source, bases, offset, gradients, to),
                3.. => sums::<V, 4, NV>(source, bases, offset, gradients, to),
                1.. => sums::<V, 2, NV>(source, bases, offset, gradients, to),
                0 => {}
            }
        }
    }
}

/// `to[i] += sum over pixels of source[base + offset + i] * gradients[pixel]`, rows of a panel; `to` may have a row less than `MR`.
#[inline(always)]
fn sums<V: Vector, const MR: usize, const NV: usize>(
    source: &[f32],
    bases: &[u32],
    offset: usize,
    gradients: &[f32],
    to: &mut [f32],
) {
    let panel = NV * V::LANES;
    let mut sums = [[V::splat(0.0); NV]; MR];
    for (base, gradient) in bases.iter().zip(gradients.chunks_exact(panel)) {
        let at = *base as usize + offset;
        // An odd row past the last value is summed but not stored.
        let mut near = [0.0; MR];
        let values = match source.get(at..at + MR) {
            Some(values) => values,
            None => {
                let rest = &source[at..];
                near[..rest.len()].copy_from_slice(rest);
                &near[..]
            }
        };
        let mut w = [V::splat(0.0); NV];
        for v in 0..NV {
            w[v] = V::load(&gradient[v * V::LANES..]);
        }
        for r in 0..MR {
            let x = V::splat(values[r]);
            for v in 0..NV {
                sums[r][v] = x.mul_add(w[v], sums[r][v]);
            }
        }
    }
    for (to, sums) in to.chunks_exact_mut(panel).zip(sums) {
        for (v, sum) in sums.into_iter().enumerate() {
            let to = &mut to[v * V::LANES..];
            sum.add(V::load(to)).store(to);
        }
    }
}

const _: () = assert!(MAX_PANEL >= 32);
