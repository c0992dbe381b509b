//! Winograd's minimal filtering for 3x3 convolutions with stride 1: `Y = A^T [(G g G^T) * (B^T d B)] A`, summed over input
//! channels in the middle, where it is one matrix product for each element of the transformed tile.
//!
//! Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. G is in `method.rs`.

use std::ops::Range;

use crate::conv::{Finish, Geometry, Row, Runs, Store, Task, block_of, tasks};
use crate::memory::with_scratch;
use crate::pool::Pool;
use crate::simd::{Kernel, Level, Vector, dispatch};

/// A filter size. Only the first `IN` of six values count.
trait Filter {
    /// Rows of a tile of the input.
    const IN: usize;
    /// Rows of a tile of the output.
    const OUT: usize;
    /// B^T.
    fn input<V: Vector>(d: [V; 6]) -> [V; 6];
    /// A^T.
    fn output<V: Vector>(m: [V; 6]) -> [V; 4];
}

struct F2;
struct F4;

impl Filter for F2 {
    const IN: usize = 4;
    const OUT: usize = 2;

    #[inline(always)]
    fn input<V: Vector>(d: [V; 6]) -> [V; 6] {
        let zero = V::splat(0.0);
        [d[0].sub(d[2]), d[1].add(d[2]), d[2].sub(d[1]), d[3].sub(d[1]), zero, zero]
    }

    #[inline(always)]
    fn output<V: Vector>(m: [V; 6]) -> [V; 4] {
        let zero = V::splat(0.0);
        [m[0].add(m[1]).add(m[2]), m[1].sub(m[2]).add(m[3]), zero, zero]
    }
}

impl Filter for F4 {
    const IN: usize = 6;
    const OUT: usize = 4;

    #[inline(always)]
    fn input<V: Vector>(d: [V; 6]) -> [V; 6] {
        let times = |v: V, factor: f32, plus: V| v.mul_add(V::splat(factor), plus);
        // Even and odd parts, which the points 1 and -1, and 2 and -2, have in common.
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

    #[inline(always)]
    fn output<V: Vector>(m: [V; 6]) -> [V; 4] {
        let times = |v: V, factor: f32, plus: V| v.mul_add(V::splat(factor), plus);
        let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (c, e) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(a).add(c), times(e, 2.0, b), times(c, 4.0, a), times(e, 8.0, b).add(m[5])]
    }
}

/// Bytes of transformed values of a task: they stay in a core's own cache between the passes.
const TASK_BYTES: usize = 1536 << 10;
/// Tiles that make the weights' way into the cache worth while.
const TILES: usize = 24;

/// `rows = [relu](window * weight + bias + add)`, as [`product`](crate::conv::product); `out` is 2 or 4, weights are
/// `[element][panel][input channel][panel channel]`.
#[allow(clippy::too_many_arguments)] // the operation's operands
pub(crate) fn winograd(
    pool: &Pool,
    level: Level,
    g: &Geometry,
    out: usize,
    input: &[f32],
    weight: &[f32],
    panel: usize,
    finish: Finish<'_>,
    rows: Vec<Row<'_>>,
) {
    let panels = g.group_out.div_ceil(panel);
    let elements = (out + 2) * (out + 2);
    let (tiles_y, tiles_x) = (g.out_h.div_ceil(out), g.out_w.div_ceil(out));
    let all_rows = g.images * tiles_y;
    let heavy = weight.len() * 4 > TASK_BYTES;
    let parts = if heavy { pool.threads().min(panels) } else { 1 };
    let tile_bytes = elements * (g.depth + g.group_out / parts) * 4;
    let by_size = (all_rows * tiles_x * tile_bytes).div_ceil(TASK_BYTES);
    let by_tiles = (all_rows * tiles_x / TILES).max(1);
    let by_threads = if pool.threads() > parts { pool.threads().div_ceil(parts) * 2 } else { 1 };
    let bands = by_size.min(by_tiles).max(by_threads).clamp(1, all_rows.max(1));
    let bands: Vec<Range<usize>> = (0..bands).map(|b| b * all_rows / bands..(b + 1) * all_rows / bands).collect();
    // The first row of output pixels of a row of tiles.
    let first = |row: usize| row / tiles_y * g.out_h + (row % tiles_y * out).min(g.out_h);
    let pixel_rows: Vec<Range<usize>> = bands.iter().map(|band| first(band.start)..first(band.end)).collect();
    let tasks: Vec<_> = tasks(g, panel, &pixel_rows, parts, rows).into_iter().enumerate().collect();
    pool.each(tasks, |(i, mut task)| {
        let call = Call {
            g,
            input,
            weight,
            panel,
            finish,
            tiles: (tiles_y, tiles_x),
            band: bands[i / parts].clone(),
            task: &mut task,
        };
        match out {
            2 => dispatch(level, TaskKernel::<'_, '_, '_, F2>(call, std::marker::PhantomData)),
            _ => dispatch(level, TaskKernel::<'_, '_, '_, F4>(call, std::marker::PhantomData)),
        }
    });
}

struct Call<'a, 'b, 'r> {
    g: &'a Geometry,
    input: &'a [f32],
    weight: &'a [f32],
    panel: usize,
    finish: Finish<'a>,
    /// Of an image.
    tiles: (usize, usize),
    /// Rows of tiles, counted over all images.
    band: Range<usize>,
    task: &'b mut Task<'r>,
}

struct TaskKernel<'a, 'b, 'r, F>(Call<'a, 'b, 'r>, std::marker::PhantomData<F>);

impl<F: Filter> Kernel for TaskKernel<'_, '_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let call = self.0;
        let count = call.band.len() * call.tiles.1;
        let elements = F::IN * F::IN;
        let depth = call.g.depth.next_multiple_of(V::LANES);
        let wide = call.task.panels.len() * call.panel;
        with_scratch(elements * count * (depth + wide), |scratch| {
            let (values, sums) = scratch.split_at_mut(elements * count * depth);
            transform_input::<V, F>(&call, values, depth);
            match call.panel / V::LANES {
                1 => multiply::<V, 1>(&call, elements, values, depth, sums),
                _ => multiply::<V, 2>(&call, elements, values, depth, sums),
            }
            transform_output::<V, F>(call, sums, wide);
        });
    }
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
#[inline(always)]
fn transform_input<V: Vector, F: Filter>(call: &Call<'_, '_, '_>, values: &mut [f32], depth: usize) {
    let g = call.g;
    let count = call.band.len() * call.tiles.1;
    for tile in 0..count {
        let row = call.band.start + tile / call.tiles.1;
        let image = row / call.tiles.0;
        // Of the tile's first value, which may be padding.
        let y = (row % call.tiles.0 * F::OUT) as isize - g.pad_top;
        let x = (tile % call.tiles.1 * F::OUT) as isize - g.pad_left;
        for c in (0..depth).step_by(V::LANES) {
            let mut rows = [[V::splat(0.0); 6]; 6];
            for (k, row) in rows.iter_mut().enumerate().take(F::IN) {
                let y = y + k as isize;
                if y < 0 || y >= g.in_h as isize {
                    continue;
                }
                let line = (image * g.in_h + y as usize) * g.in_w;
                for (j, value) in row.iter_mut().enumerate().take(F::IN) {
                    let x = x + j as isize;
                    if x >= 0 && x < g.in_w as isize {
                        let at = (line + x as usize) * g.in_channels;
                        *value = load(&call.input[at + c..at + g.in_channels]);
                    }
                }
                *row = F::input(*row);
            }
            for j in 0..F::IN {
                let column = F::input(std::array::from_fn(|k| rows[k][j]));
                for (k, value) in column.into_iter().enumerate().take(F::IN) {
                    value.store(&mut values[((k * F::IN + j) * count + tile) * depth + c..]);
                }
            }
        }
    }
}

/// `sums[element][tile][output channel of the task]`: a product for every element.
#[inline(always)]
fn multiply<V: Vector, const NV: usize>(
    call: &Call<'_, '_, '_>,
    elements: usize,
    values: &[f32],
    depth: usize,
    sums: &mut [f32],
) {
    let g = call.g;
    let panel = NV * V::LANES;
    let count = call.band.len() * call.tiles.1;
    let panels = g.group_out.div_ceil(panel);
    let wide = call.task.panels.len() * panel;
    let blocks = count.div_ceil(V::ROWS);
    let bases: Vec<u32> = (0..count).map(|tile| (tile * depth) as u32).collect();
    let runs = Runs::one(g.depth);
    let bias = [0.0; crate::conv::MAX_PANEL];
    for (element, (values, sums)) in
        values.chunks_exact(count * depth).zip(sums.chunks_exact_mut(count * wide)).enumerate().take(elements)
    {
        let mut rows: Vec<Row<'_>> = sums.chunks_exact_mut(wide).map(|to| Row { to, add: &[] }).collect();
        for (i, p) in call.task.panels.clone().enumerate() {
            let weight = &call.weight[(element * panels + p) * g.depth * panel..][..g.depth * panel];
            let store = Store { at: i * panel, wide: panel, bias: &bias[..panel], relu: false };
            for block in 0..blocks {
                let range = block * count / blocks..(block + 1) * count / blocks;
                block_of::<V, NV>(values, runs, &bases[range.clone()], weight, store, &mut rows[range]);
            }
        }
    }
}

/// The task's rows: `A^T m A`, bias, what is added, ReLU.
#[inline(always)]
fn transform_output<V: Vector, F: Filter>(call: Call<'_, '_, '_>, sums: &[f32], wide: usize) {
    let g = call.g;
    let (tiles_y, tiles_x) = call.tiles;
    let count = call.band.len() * tiles_x;
    let first = call.task.panels.start * call.panel;
    let channels = (g.group_out - first).min(wide);
    let low = V::splat(if call.finish.relu { 0.0 } else { f32::NEG_INFINITY });
    // Rows of output pixels before the tile's.
    let start_of = |row: usize| row / tiles_y * g.out_h + row % tiles_y * F::OUT;
    let task_start = start_of(call.band.start);
    for tile in 0..count {
        let row = call.band.start + tile / tiles_x;
        let (y, x) = (row % tiles_y * F::OUT, tile % tiles_x * F::OUT);
        let (height, width) = (F::OUT.min(g.out_h - y), F::OUT.min(g.out_w - x));
        let place = (start_of(row) - task_start) * g.out_w + x;
        for c in (0..channels).step_by(V::LANES) {
            let mut columns = [[V::splat(0.0); 4]; 6];
            for (j, column) in columns.iter_mut().enumerate().take(F::IN) {
                let zero = V::splat(0.0);
                let m: [V; 6] = std::array::from_fn(|k| {
                    if k < F::IN { V::load(&sums[((k * F::IN + j) * count + tile) * wide + c..]) } else { zero }
                });
                *column = F::output(m);
            }
            let bias: V = load(&call.finish.bias[(first + c).min(call.finish.bias.len())..]);
            for k in 0..height {
                let line = F::output(std::array::from_fn(|j| columns[j][k]));
                for (j, value) in line.into_iter().enumerate().take(width) {
                    let Row { to, add } = &mut call.task.rows[place + k * g.out_w + j];
                    let mut value = value.add(bias);
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
