//! Packing a convolution's weights for a method: see [`ConvMethod`](crate::ConvMethod) for the layout.

use crate::method::{ConvMethod, Method};
use crate::program::Conv;
use crate::simd::{Kernel, Level, Vector, dispatch};

/// Elements of a transformed tile in one direction.
pub(crate) const SIZE: usize = 6;

/// From torch's `(O, I / groups, K, K)` into all of `packed`, whose missing channels become zeros. The lengths are the caller's matter.
pub(crate) fn pack(method: &ConvMethod, conv: &Conv, weight: &[f32], packed: &mut [f32]) {
    match method.method {
        Method::Direct => direct(method, conv, weight, packed),
        Method::Winograd2 | Method::Winograd4 => {
            let (panel, outputs, inputs) = (method.panel as usize, conv.width(), conv.input.c as usize);
            dispatch(Level::detect(), Winograd { panel, outputs, inputs, depth: conv.depth(), weight, packed });
        }
    }
}

fn direct(method: &ConvMethod, conv: &Conv, weight: &[f32], packed: &mut [f32]) {
    let (panel, depth, taps, width) = (method.panel as usize, conv.depth(), conv.taps(), conv.width());
    let inputs = (conv.input.c / conv.groups) as usize;
    let panels = packed.chunks_exact_mut(taps * depth * panel);
    for (at, packed) in panels.enumerate() {
        let (group, first) = (at / method.panels(conv), at % method.panels(conv) * panel);
        let missing = width - first < panel || inputs < depth;
        if missing {
            packed.fill(0.0);
        }
        let filters = weight.chunks_exact(inputs * taps).skip(group * width + first).take(panel.min(width - first));
        for (lane, filter) in filters.enumerate() {
            for (input, filter) in filter.chunks_exact(taps).enumerate() {
                for (tap, value) in filter.iter().enumerate() {
                    packed[(tap * depth + input) * panel + lane] = *value;
                }
            }
        }
    }
}

/// `G g`, with G for the points 0, 1, -1, 2, -2 and infinity (A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural
/// Networks", CVPR 2016).
#[inline(always)]
fn to_domain<V: Vector>(g: [V; 3]) -> [V; SIZE] {
    let times = |value: V, factor: f32| value.mul_add(V::splat(factor), V::splat(0.0));
    let even = times(g[0].add(g[2]), -1.0 / 6.0);
    let odd = times(g[1], 1.0 / 6.0);
    let far = g[2].mul_add(V::splat(1.0 / 6.0), times(g[0], 1.0 / 24.0));
    let half = times(g[1], 1.0 / 12.0);
    [times(g[0], 0.25), even.sub(odd), even.add(odd), far.add(half), far.sub(half), g[2]]
}

/// `G g G^T` of every filter, a vector of output channels at a time.
struct Winograd<'a> {
    panel: usize,
    /// Channels there are, and input channels with those that pad them.
    outputs: usize,
    inputs: usize,
    depth: usize,
    weight: &'a [f32],
    packed: &'a mut [f32],
}

impl Kernel for Winograd<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { panel, outputs, inputs, depth, weight, packed } = self;
        let panels = outputs.div_ceil(panel);
        for first in (0..panels * panel).step_by(V::LANES) {
            for input in 0..depth {
                // No vector is wider.
                let mut filters = [[0.0; 16]; 9];
                for lane in 0..V::LANES.min(outputs.saturating_sub(first)) {
                    let at = ((first + lane) * inputs + input) * 9;
                    let filter = if input < inputs { &weight[at..at + 9] } else { &[0.0; 9] };
                    for (filters, value) in filters.iter_mut().zip(filter) {
                        filters[lane] = *value;
                    }
                }
                let g: [V; 9] = std::array::from_fn(|tap| V::load(&filters[tap]));
                let columns: [[V; SIZE]; 3] = std::array::from_fn(|x| to_domain([g[x], g[3 + x], g[6 + x]]));
                let rows: [[V; SIZE]; SIZE] = std::array::from_fn(|y| to_domain([columns[0][y], columns[1][y], columns[2][y]]));
                for (element, values) in rows.into_iter().flatten().enumerate() {
                    let place = (element * panels + first / panel) * depth + input;
                    values.store(&mut packed[place * panel + first % panel..]);
                }
            }
        }
    }
}
