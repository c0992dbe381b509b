//! Winograd's minimal filtering for 3x3 convolutions with stride 1: `Y = A^T [(G g G^T) * (B^T d B)] A`, summed over input
//! channels in the middle, where it is one matrix product for each element of the transformed tile.
//!
//! Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. G is in `pack.rs`.

use std::ops::Range;

use crate::conv::{Finish, Geometry, MAX_PANEL, PanelKernel, Row, Runs, Store, tasks};
use crate::memory::with_scratch;
use crate::pool::Pool;
use crate::simd::{Kernel, Level, Vector, dispatch};

/// Rows of a tile of the output, and of the input.
const OUT: usize = 4;
const IN: usize = 6;
/// Elements of a transformed tile.
const ELEMENTS: usize = IN * IN;

/// `value * factor + plus`.
#[inline(always)]
fn times<V: Vector>(value: V, factor: f32, plus: V) -> V {
    value.mul_add(V::splat(factor), plus)
}

/// B^T d.
#[inline(always)]
fn to_domain<V: Vector>(d: [V; IN]) -> [V; IN] {
    // What the points 1 and -1, and 2 and -2, have in common.
    let (a, b) = (times(d[2], -4.0, d[4]), times(d[1], -4.0, d[3]));
    let (c, e) = (d[4].sub(d[2]), d[3].sub(d[1]));
    [
        times(d[0], 4.0, times(d[2], -5.0, d[4])),
        a.add(b),
        a.sub(b),
        times(e, 2.0, c),
        times(e, -2.0, c),
        times(d[1], 4.0, times(d[3], -5.0, d[5])),
    ]
}

/// A^T m.
#[inline(always)]
fn from_domain<V: Vector>(m: [V; IN]) -> [V; OUT] {
    let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (c, e) = (m[3].add(m[4]), m[3].sub(m[4]));
    [m[0].add(a).add(c), times(e, 2.0, b), times(c, 4.0, a), times(e, 8.0, b).add(m[5])]
}

/// Bytes of transformed values of a task: they stay in a core's own cache between the passes.
const TASK_BYTES: usize = 1536 << 10;
/// Tiles that make the weights' way into the cache worth while.
const TILES: usize = 24;

/// `rows = [relu](window * weight + bias + add)`, as [`product`](crate::conv::product); weights are
/// `[element][panel][input channel][panel channel]`.
#[allow(clippy::too_many_arguments)] // the operation's operands
pub(crate) fn winograd(
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
    let tiles = (g.out_h.div_ceil(OUT), g.out_w.div_ceil(OUT));
    let all_rows = g.images * tiles.0;
    let heavy = weight.len() * 4 > TASK_BYTES;
    let parts = if heavy { pool.threads().min(panels) } else { 1 };
    let tile_bytes = ELEMENTS * (g.depth + g.group_out / parts) * 4;
    let by_size = (all_rows * tiles.1 * tile_bytes).div_ceil(TASK_BYTES);
    let by_tiles = (all_rows * tiles.1 / TILES).max(1);
    let by_threads = if pool.threads() > parts { pool.threads().div_ceil(parts) * 2 } else { 1 };
    let bands = by_size.min(by_tiles).max(by_threads).clamp(1, all_rows.max(1));
    let bands: Vec<Range<usize>> = (0..bands).map(|b| b * all_rows / bands..(b + 1) * all_rows / bands).collect();
    // The first row of output pixels of a row of tiles.
    let first = |row: usize| row / tiles.0 * g.out_h + (row % tiles.0 * OUT).min(g.out_h);
    let pixel_rows: Vec<Range<usize>> = bands.iter().map(|band| first(band.start)..first(band.end)).collect();
    let tasks: Vec<_> = tasks(g, panel, &pixel_rows, parts, rows).into_iter().enumerate().collect();
    pool.each(tasks, |(i, mut task)| {
        let band = bands[i / parts].clone();
        let count = band.len() * tiles.1;
        // Whole vectors of any width.
        let depth = g.depth.next_multiple_of(16);
        let wide = task.panels.len() * panel;
        with_scratch(ELEMENTS * count * (depth + wide), |scratch| {
            let (values, sums) = scratch.split_at_mut(ELEMENTS * count * depth);
            dispatch(level, InputKernel { g, tiles, band: band.clone(), input, values, depth });
            let bases: Vec<u32> = (0..count).map(|tile| (tile * depth) as u32).collect();
            for element in 0..ELEMENTS {
                let source = &values[element * count * depth..][..count * depth];
                let sums = &mut sums[element * count * wide..][..count * wide];
                let mut rows: Vec<Row<'_>> = sums.chunks_exact_mut(wide).map(|to| Row { to, add: &[] }).collect();
                for (k, p) in task.panels.clone().enumerate() {
                    let weight = &weight[(element * panels + p) * g.depth * panel..][..g.depth * panel];
                    let store = Store { at: k * panel, wide: panel, bias: &[0.0; MAX_PANEL][..panel], relu: false };
                    let (runs, rows) = (Runs::one(g.depth), &mut rows[..]);
                    dispatch(level, PanelKernel { source, runs, bases: &bases, weight, panel, store, rows });
                }
            }
            let first = task.panels.start * panel;
            dispatch(level, OutputKernel { g, tiles, band, sums, wide, first, finish, rows: &mut task.rows });
        });
    });
}

/// The first `LANES` values, or zeros after the last one.
#[inline(always)]
fn load<V: Vector>(from: &[f32]) -> V {
    if from.len() >= V::LANES {
        return V::load(from);
    }
    let mut near = [0.0; 16];
    near[..from.len()].copy_from_slice(from);
    V::load(&near)
}

/// `values[element][tile][channel] = B^T d B`.
struct InputKernel<'a> {
    g: &'a Geometry,
    /// Rows and columns of tiles of an image.
    tiles: (usize, usize),
    /// Rows of tiles, counted over all images.
    band: Range<usize>,
    input: &'a [f32],
    values: &'a mut [f32],
    depth: usize,
}

impl Kernel for InputKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { g, tiles, band, input, values, depth } = self;
        let count = band.len() * tiles.1;
        let next = count * depth;
        for tile in 0..count {
            let row = band.start + tile / tiles.1;
            // Of the tile's first value, which may be padding.
            let y = (row % tiles.0 * OUT) as isize - g.pad_top;
            let x = (tile % tiles.1 * OUT) as isize - g.pad_left;
            for c in (0..depth).step_by(V::LANES) {
                let mut rows = [[V::splat(0.0); IN]; IN];
                for (k, values) in rows.iter_mut().enumerate() {
                    let y = y + k as isize;
                    if c >= g.in_channels || y < 0 || y >= g.in_h as isize {
                        continue;
                    }
                    let line = (row / tiles.0 * g.in_h + y as usize) * g.in_w;
                    for (j, value) in values.iter_mut().enumerate() {
                        let x = x + j as isize;
                        if x >= 0 && x < g.in_w as isize {
                            let at = (line + x as usize) * g.in_channels;
                            *value = load(&input[at + c..at + g.in_channels]);
                        }
                    }
                    *values = to_domain(*values);
                }
                let to = &mut values[tile * depth + c..];
                for j in 0..IN {
                    let column = to_domain([rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]]);
                    for k in 0..IN {
                        column[k].store(&mut to[(k * IN + j) * next..]);
                    }
                }
            }
        }
    }
}

/// The task's rows: `A^T m A`, bias, what is added, ReLU.
struct OutputKernel<'a, 'r> {
    g: &'a Geometry,
    tiles: (usize, usize),
    band: Range<usize>,
    sums: &'a [f32],
    /// Channels of the task in `sums`, padding included, and the first of them.
    wide: usize,
    first: usize,
    finish: Finish<'a>,
    rows: &'a mut [Row<'r>],
}

impl Kernel for OutputKernel<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { g, tiles, band, sums, wide, first, finish, rows } = self;
        let count = band.len() * tiles.1;
        let channels = (g.group_out - first).min(wide);
        let low = V::splat(if finish.relu { 0.0 } else { f32::NEG_INFINITY });
        // Rows of output pixels before a row of tiles.
        let before = |row: usize| row / tiles.0 * g.out_h + row % tiles.0 * OUT;
        for tile in 0..count {
            let row = band.start + tile / tiles.1;
            let (y, x) = (row % tiles.0 * OUT, tile % tiles.1 * OUT);
            let (height, width) = (OUT.min(g.out_h - y), OUT.min(g.out_w - x));
            let place = (before(row) - before(band.start)) * g.out_w + x;
            for c in (0..channels).step_by(V::LANES) {
                let from = &sums[tile * wide + c..];
                let next = count * wide;
                let mut columns = [[V::splat(0.0); OUT]; IN];
                for j in 0..IN {
                    let mut column = [V::splat(0.0); IN];
                    for k in 0..IN {
                        column[k] = V::load(&from[(k * IN + j) * next..]);
                    }
                    columns[j] = from_domain(column);
                }
                let bias: V = load(&finish.bias[(first + c).min(finish.bias.len())..]);
                for k in 0..height {
                    let mut line = [V::splat(0.0); IN];
                    for j in 0..IN {
                        line[j] = columns[j][k];
                    }
                    let line = from_domain(line);
                    for j in 0..width {
                        let Row { to, add } = &mut rows[place + k * g.out_w + j];
                        let mut value = line[j].add(bias);
                        if !add.is_empty() {
                            value = value.add(load(&add[c..]));
                        }
                        let value = value.at_least(low);
                        // Of the last vector only the layer's channels.
                        let to = &mut to[c..channels];
                        if to.len() >= V::LANES {
                            value.store(to);
                        } else {
                            let mut near = [0.0; 16];
                            value.store(&mut near);
                            to.copy_from_slice(&near[..to.len()]);
                        }
                    }
                }
            }
        }
    }
}
