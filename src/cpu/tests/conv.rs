//! Convolutions on odd shapes against plain sums in f64, in every method, with one thread and several.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{Machine, assert_near, count, random, wide};
use reslab_cpu::{Conv, ConvMethod, Method, Purpose, Shape, Step, Window};

/// Batch, input and output channels, rows, columns, kernel, stride, groups, and whether padding is TensorFlow's SAME.
type Case = (u32, u32, u32, u32, u32, u32, u32, u32, bool);

const CASES: &[Case] = &[
    (1, 1, 1, 1, 1, 1, 1, 1, false),
    (2, 5, 3, 7, 4, 1, 1, 1, false),
    (1, 8, 40, 6, 5, 1, 2, 1, false),
    (3, 3, 17, 11, 9, 7, 2, 1, false),
    (1, 3, 64, 30, 31, 7, 2, 1, true),
    (2, 16, 16, 9, 13, 3, 1, 1, false),
    (1, 5, 33, 8, 8, 3, 1, 1, true),
    (2, 20, 12, 10, 7, 3, 2, 1, false),
    (1, 4, 9, 9, 10, 3, 2, 1, true),
    (3, 1, 5, 6, 6, 5, 3, 1, false),
    (1, 7, 6, 5, 5, 2, 3, 1, true),
    (2, 12, 24, 7, 7, 3, 1, 4, false),
    (1, 6, 9, 8, 5, 3, 2, 3, false),
    (2, 10, 6, 5, 6, 1, 1, 2, false),
    (1, 96, 72, 14, 14, 3, 1, 1, false),
    // Weights that are read once a task, in parts by channels.
    (2, 256, 136, 7, 7, 3, 1, 1, false),
];

fn conv(&(n, i, o, h, w, kernel, stride, groups, same): &Case) -> Conv {
    let axis = |size: u32| {
        if same {
            let out = size.div_ceil(stride);
            (((out - 1) * stride + kernel).saturating_sub(size) / 2, out)
        } else {
            (kernel / 2, (size + 2 * (kernel / 2) - kernel) / stride + 1)
        }
    };
    let ((pad_top, out_h), (pad_left, out_w)) = (axis(h), axis(w));
    let window = Window { kernel, stride, pad_top, pad_left };
    Conv { input: Shape::new(n, i, h, w), output: Shape::new(n, o, out_h, out_w), window, groups }
}

/// Calls `visit(output, input, weight)` with the places of every product.
fn products(conv: &Conv, mut visit: impl FnMut(usize, usize, usize)) {
    let (x, y, k) = (conv.input, conv.output, conv.window.kernel);
    let (group_in, group_out) = (x.c / conv.groups, y.c / conv.groups);
    let place = |s: Shape, n: u32, c: u32, row: u32, column: u32| (((n * s.c + c) * s.h + row) * s.w + column) as usize;
    for n in 0..x.n {
        for o in 0..y.c {
            for (oy, ox) in (0..y.h).flat_map(|oy| (0..y.w).map(move |ox| (oy, ox))) {
                for i in 0..group_in {
                    for (ky, kx) in (0..k).flat_map(|ky| (0..k).map(move |kx| (ky, kx))) {
                        let iy = (oy * conv.window.stride + ky).wrapping_sub(conv.window.pad_top);
                        let ix = (ox * conv.window.stride + kx).wrapping_sub(conv.window.pad_left);
                        if iy < x.h && ix < x.w {
                            let weight = (((o * group_in + i) * k + ky) * k + kx) as usize;
                            visit(place(y, n, o, oy, ox), place(x, n, o / group_out * group_in + i, iy, ix), weight);
                        }
                    }
                }
            }
        }
    }
}

fn weights(conv: &Conv) -> usize {
    (conv.output.c * (conv.input.c / conv.groups) * conv.window.kernel * conv.window.kernel) as usize
}

fn methods(conv: &Conv) -> Vec<ConvMethod> {
    let direct = ConvMethod::choose(conv, Purpose::Training);
    assert_eq!(direct.method, Method::Direct);
    let all = [Method::Direct, Method::Winograd4].map(|method| ConvMethod { method, ..direct });
    let mut all: Vec<_> = all.into_iter().filter(|method| method.supports(conv)).collect();
    // Panels of the other width.
    let other = ConvMethod::choose(&Conv { output: Shape { c: 4, ..conv.output }, groups: 1, ..*conv }, Purpose::Training);
    all.push(ConvMethod { panel: if direct.panel == other.panel { other.panel * 2 } else { other.panel }, ..direct });
    all
}

#[test]
fn forward_is_the_plain_sum_with_bias_residual_and_relu() {
    for case in CASES {
        let conv = conv(case);
        let (x, w) = (random(1, count(conv.input)), random(2, weights(&conv)));
        let (bias, residual) = (random(3, conv.output.c as usize), random(4, count(conv.output)));
        let mut sums = vec![0.0; count(conv.output)];
        products(&conv, |y, xi, wi| sums[y] += f64::from(x[xi]) * f64::from(w[wi]));
        for method in methods(&conv) {
            for (with_bias, with_residual, relu) in
                [(false, false, false), (true, false, true), (true, true, false), (true, true, true)]
            {
                let pixels = (conv.output.h * conv.output.w) as usize;
                let expected: Vec<f64> = (0..sums.len())
                    .map(|i| {
                        let b = if with_bias { f64::from(bias[i / pixels % conv.output.c as usize]) } else { 0.0 };
                        let sum = sums[i] + b + if with_residual { f64::from(residual[i]) } else { 0.0 };
                        if relu { sum.max(0.0) } else { sum }
                    })
                    .collect();
                let results = [1, 3].map(|threads| {
                    let mut m = Machine::new(threads);
                    let output = m.garbage(conv.output.len());
                    let step = Step::Conv {
                        conv,
                        method,
                        input: m.tensor(&x, conv.input),
                        weight: m.values(&method.pack(&conv, &w)),
                        bias: with_bias.then(|| m.values(&bias)),
                        residual: with_residual.then(|| m.tensor(&residual, conv.output)),
                        relu,
                        output,
                    };
                    m.run(&[step]);
                    m.read_tensor(output, conv.output)
                });
                let what = format!("{conv:?} {method:?}");
                let tolerance = if method.method == Method::Winograd4 { 2e-5 } else { 4e-6 };
                assert_near(&what, &results[0], &expected, tolerance);
                assert_eq!(results[0], results[1], "{what}: threads change the result");
            }
        }
    }
}

#[test]
fn gradients_are_the_plain_sums() {
    for case in CASES {
        let conv = conv(case);
        let (x, w, dy) = (random(1, count(conv.input)), random(2, weights(&conv)), random(3, count(conv.output)));
        let (earlier, earlier_w) = (random(4, count(conv.input)), random(5, weights(&conv)));
        let (mut dx, mut dw) = (vec![0.0; x.len()], wide(&earlier_w));
        products(&conv, |y, xi, wi| {
            dx[xi] += f64::from(dy[y]) * f64::from(w[wi]);
            dw[wi] += f64::from(dy[y]) * f64::from(x[xi]);
        });
        for method in methods(&conv).into_iter().filter(|method| method.method == Method::Direct) {
            for accumulate in [false, true] {
                let results = [1, 3].map(|threads| {
                    let mut m = Machine::new(threads);
                    let d_output = m.tensor(&dy, conv.output);
                    let d_input = m.garbage(conv.input.len());
                    let d_weight = m.values(&method.pack(&conv, &earlier_w));
                    let steps = [
                        Step::ConvInputGradient {
                            conv,
                            method,
                            d_output,
                            weight: m.values(&method.pack(&conv, &w)),
                            accumulate: accumulate.then(|| m.tensor(&earlier, conv.input)),
                            d_input,
                        },
                        Step::ConvWeightGradient { conv, method, input: m.tensor(&x, conv.input), d_output, d_weight },
                    ];
                    m.run(&steps);
                    let packed = m.read(d_weight);
                    let unpacked = method.unpack(&conv, &packed);
                    assert_eq!(method.pack(&conv, &unpacked), packed, "{conv:?}: padding of the weights was touched");
                    (m.read_tensor(d_input, conv.input), unpacked)
                });
                let more = if accumulate { wide(&earlier) } else { vec![0.0; x.len()] };
                let expected: Vec<f64> = dx.iter().zip(more).map(|(a, b)| a + b).collect();
                assert_near(&format!("d_input of {conv:?}"), &results[0].0, &expected, 4e-6);
                assert_near(&format!("d_weight of {conv:?}"), &results[0].1, &dw, 4e-6);
                assert!(results[0] == results[1], "{conv:?}: threads change the gradients");
            }
        }
    }
}

#[test]
fn packing_round_trips() {
    for case in CASES {
        let conv = conv(case);
        let w = random(7, weights(&conv));
        for method in methods(&conv) {
            let packed = method.pack(&conv, &w);
            assert_eq!(packed.len(), method.packed_len(&conv));
            if method.method == Method::Direct {
                assert_eq!(method.unpack(&conv, &packed), w, "{conv:?} {method:?}");
            }
        }
    }
}
