//! A plain interpreter of [`Graph`] on the CPU: the definition of every layer in loops, f32, nothing folded or fused.
//! What the GPU computes, layer by layer, can be held against it.

use reslab::device::Shape;
use reslab::model::graph::{Graph, Op};
use reslab::ops::{AvgPool, BatchNorm, Conv2d, GroupedConv2d, Linear, MaxPool, ZeroPadShortcut};

use crate::generator;

/// Every node's value in NCHW order, for the generated parameters and `input`.
///
/// # Panics
/// When the graph does not take an input of `shape`.
pub fn run(graph: &Graph, shape: Shape, input: &[f32]) -> Vec<Vec<f32>> {
    let shapes = graph.shapes(shape.n, shape.h, shape.w).expect("the graph takes this input");
    let mut values: Vec<Vec<f32>> = Vec::with_capacity(graph.nodes.len());
    for (node, &out) in graph.nodes.iter().zip(&shapes) {
        let param = |role: &str, shape: &[usize]| generator::tensor(&format!("{}.{role}", node.name), shape);
        let x = node.inputs.first().map(|id| View { shape: shapes[id.0], data: &values[id.0] });
        let value = match (&node.op, x) {
            (Op::Input(_), _) => input.to_vec(),
            (Op::Conv2d(c), Some(x)) => {
                let weight = param("weight", &[c.out_channels, c.in_channels, c.kernel, c.kernel]);
                let bias = if c.bias { param("bias", &[c.out_channels]) } else { vec![0.0; c.out_channels] };
                conv2d(x, c, 1, &weight, &bias, out)
            }
            (Op::GroupedConv2d(GroupedConv2d { conv: c, groups }), Some(x)) => {
                let weight = param("weight", &[c.out_channels, c.in_channels / groups, c.kernel, c.kernel]);
                let bias = if c.bias { param("bias", &[c.out_channels]) } else { vec![0.0; c.out_channels] };
                conv2d(x, c, *groups, &weight, &bias, out)
            }
            (Op::BatchNorm(BatchNorm { channels, eps }), Some(x)) => {
                let [gamma, beta, mean, var] =
                    ["weight", "bias", "running_mean", "running_var"].map(|role| param(role, &[*channels]));
                each(out, |n, c, h, w| (x.at(n, c, h, w) - mean[c]) / (var[c] + eps).sqrt() * gamma[c] + beta[c])
            }
            (Op::Relu(_), Some(x)) => x.data.iter().map(|v| v.max(0.0)).collect(),
            (Op::Add(_), Some(x)) => x.data.iter().zip(&values[node.inputs[1].0]).map(|(a, b)| a + b).collect(),
            (Op::MaxPool(p), Some(x)) => max_pool(x, p, out),
            (Op::AvgPool(p), Some(x)) => avg_pool(x, p, out),
            (Op::ZeroPadShortcut(ZeroPadShortcut { stride, offset, .. }), Some(x)) => {
                each(out, |n, c, h, w| match c.checked_sub(*offset) {
                    Some(c) if c < x.shape.c => x.at(n, c, h * stride, w * stride),
                    _ => 0.0,
                })
            }
            (Op::GlobalAvgPool(_), Some(x)) => {
                let area = x.shape.h * x.shape.w;
                x.data.chunks(area).map(|plane| plane.iter().sum::<f32>() / area as f32).collect()
            }
            (Op::Linear(Linear { in_features, out_features }), Some(x)) => {
                let weight = param("weight", &[*out_features, *in_features]);
                let bias = param("bias", &[*out_features]);
                let dot = |row: &[f32], image: &[f32]| row.iter().zip(image).map(|(a, b)| a * b).sum::<f32>();
                let row = |o: usize| &weight[o * in_features..][..*in_features];
                each(out, |n, o, _, _| bias[o] + dot(row(o), &x.data[n * in_features..][..*in_features]))
            }
            (Op::Softmax(_), Some(x)) => x.data.chunks(out.c).flat_map(softmax).collect(),
            (op, _) => panic!("`{}` ({op:?}) reads nothing, or has no definition here", node.name),
        };
        values.push(value);
    }
    values
}

#[derive(Clone, Copy)]
struct View<'a> {
    shape: Shape,
    data: &'a [f32],
}

impl View<'_> {
    fn at(&self, n: usize, c: usize, h: usize, w: usize) -> f32 {
        self.data[((n * self.shape.c + c) * self.shape.h + h) * self.shape.w + w]
    }
}

fn each(shape: Shape, mut f: impl FnMut(usize, usize, usize, usize) -> f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(shape.n * shape.c * shape.h * shape.w);
    for n in 0..shape.n {
        for c in 0..shape.c {
            for h in 0..shape.h {
                out.extend((0..shape.w).map(|w| f(n, c, h, w)));
            }
        }
    }
    out
}

/// One weight at a time over a whole plane: slow to read memory, but vectorised, and the order of sums is the naive one.
fn conv2d(x: View<'_>, conv: &Conv2d, groups: usize, weight: &[f32], bias: &[f32], out: Shape) -> Vec<f32> {
    let (k, stride) = (conv.kernel, conv.stride);
    let (top, _, _) = conv.padding.resolve(x.shape.h, k, stride);
    let (left, _, _) = conv.padding.resolve(x.shape.w, k, stride);
    let mut result = Vec::with_capacity(out.n * out.c * out.h * out.w);
    for n in 0..out.n {
        for o in 0..out.c {
            let mut plane = vec![bias[o]; out.h * out.w];
            let inputs = x.shape.c / groups;
            let first_input = o / (out.c / groups) * inputs;
            for i in 0..inputs {
                let input = &x.data[(n * x.shape.c + first_input + i) * x.shape.h * x.shape.w..][..x.shape.h * x.shape.w];
                for ky in 0..k {
                    for kx in 0..k {
                        let factor = weight[((o * inputs + i) * k + ky) * k + kx];
                        // Output columns whose input column lies inside the image.
                        let first = left.saturating_sub(kx).div_ceil(stride);
                        let end = (x.shape.w + left).saturating_sub(kx).div_ceil(stride).min(out.w);
                        for oy in 0..out.h {
                            let Some(iy) = (oy * stride + ky).checked_sub(top).filter(|iy| *iy < x.shape.h) else { continue };
                            if first >= end {
                                continue;
                            }
                            let row = &input[iy * x.shape.w + first * stride + kx - left..];
                            let sums = &mut plane[oy * out.w + first..oy * out.w + end];
                            for (sum, v) in sums.iter_mut().zip(row.iter().step_by(stride)) {
                                *sum += factor * v;
                            }
                        }
                    }
                }
            }
            result.extend(plane);
        }
    }
    result
}

fn max_pool(x: View<'_>, pool: &MaxPool, out: Shape) -> Vec<f32> {
    let (top, _, _) = pool.padding.resolve(x.shape.h, pool.kernel, pool.stride);
    let (left, _, _) = pool.padding.resolve(x.shape.w, pool.kernel, pool.stride);
    each(out, |n, c, h, w| {
        let mut largest = f32::NEG_INFINITY;
        for ky in 0..pool.kernel {
            for kx in 0..pool.kernel {
                let y = (h * pool.stride + ky).checked_sub(top).filter(|y| *y < x.shape.h);
                let column = (w * pool.stride + kx).checked_sub(left).filter(|x_| *x_ < x.shape.w);
                match (y, column) {
                    (Some(y), Some(column)) => largest = largest.max(x.at(n, c, y, column)),
                    _ if pool.zeros => largest = largest.max(0.0),
                    _ => {}
                }
            }
        }
        largest
    })
}

fn avg_pool(x: View<'_>, pool: &AvgPool, out: Shape) -> Vec<f32> {
    let (top, _, _) = pool.padding.resolve(x.shape.h, pool.kernel, pool.stride);
    let (left, _, _) = pool.padding.resolve(x.shape.w, pool.kernel, pool.stride);
    each(out, |n, c, h, w| {
        let (mut sum, mut cells) = (0.0, 0);
        for ky in 0..pool.kernel {
            for kx in 0..pool.kernel {
                let y = (h * pool.stride + ky).checked_sub(top).filter(|y| *y < x.shape.h);
                let column = (w * pool.stride + kx).checked_sub(left).filter(|x_| *x_ < x.shape.w);
                if let (Some(y), Some(column)) = (y, column) {
                    (sum, cells) = (sum + x.at(n, c, y, column), cells + 1);
                }
            }
        }
        sum / cells as f32
    })
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|v| (v - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}
