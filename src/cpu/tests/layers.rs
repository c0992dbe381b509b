//! Every other layer: forward against its formula in f64, backward against finite differences.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{Machine, assert_gradient, assert_near, count, random, to_memory, wide};
use reslab_cpu::{Shape, Span, Statistics, Step, Window};

const SHAPES: [Shape; 4] = [
    Shape { n: 1, c: 1, h: 3, w: 2 },
    Shape { n: 3, c: 5, h: 4, w: 3 },
    Shape { n: 2, c: 24, h: 5, w: 7 },
    Shape { n: 2, c: 70, h: 40, w: 9 },
];

/// Random upstream gradients in memory, zero in padding channels.
fn upstream(shape: Shape) -> Vec<f32> {
    to_memory(&random(77, count(shape)), shape)
}

#[test]
fn elementwise_steps_are_their_formulas() {
    for shape in SHAPES {
        let mut m = Machine::new(2);
        let (a, b) = (random(1, count(shape)), random(2, count(shape)));
        let len = shape.len() as u64;
        let (sa, sb) = (m.tensor(&a, shape), m.tensor(&b, shape));
        let [sum, cut, back] = [0; 3].map(|_| m.garbage(shape.len()));
        m.run(&[
            Step::Add { count: len, a: sa, b: sb, relu: true, output: sum },
            Step::Relu { count: len, input: sa, output: cut },
            Step::ReluBackward { count: len, output: cut, d_output: sb, accumulate: Some(sa), d_input: back },
        ]);
        let pairs = || a.iter().zip(&b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        assert_near("add", &m.read_tensor(sum, shape), &pairs().map(|(a, b)| (a + b).max(0.0)).collect::<Vec<_>>(), 1e-6);
        assert_near("relu", &m.read_tensor(cut, shape), &pairs().map(|(a, _)| a.max(0.0)).collect::<Vec<_>>(), 0.0);
        let expected: Vec<f64> = pairs().map(|(a, b)| if a > 0.0 { a + b } else { a }).collect();
        assert_near("relu backward", &m.read_tensor(back, shape), &expected, 1e-6);
    }
    let mut m = Machine::new(1);
    let (input, output) = (m.values(&[f32::NAN, -1.0, 2.0, f32::NEG_INFINITY]), m.garbage(4));
    m.run(&[Step::Relu { count: 4, input, output }]);
    assert!(m.read(output)[0].is_nan(), "what is no number stays so, or a loss would look finite");
    assert_eq!(m.read(output)[1..], [0.0, 2.0, 0.0]);
}

/// A batch norm's operands.
struct Norm {
    shape: Shape,
    x: Vec<f32>,
    residual: Vec<f32>,
    spans: [Span; 8],
    running: [Vec<f32>; 2],
    output: Span,
}

impl Norm {
    fn new(m: &mut Machine, shape: Shape) -> Self {
        let c = shape.c as usize;
        // A mean that is far from zero, to see that it is taken off first.
        let x: Vec<f32> = random(1, count(shape)).iter().map(|v| v + 3.0).collect();
        let residual = random(2, count(shape));
        let pad = |mut values: Vec<f32>| {
            values.resize(shape.channels(), 0.0);
            values
        };
        let vector = |seed: u64, plus: f32| pad(random(seed, c).iter().map(|v| v + plus).collect());
        let running = [vector(5, 0.0), vector(6, 1.5)];
        let spans = [
            m.tensor(&x, shape),
            m.values(&vector(3, 1.5)),
            m.values(&vector(4, 0.0)),
            m.values(&running[0]),
            m.values(&running[1]),
            m.garbage(4 * shape.channels()),
            m.tensor(&residual, shape),
            m.values(&vec![0.0; 2 * shape.channels()]),
        ];
        let output = m.garbage(shape.len());
        Self { shape, x, residual, spans, running, output }
    }

    fn forward(&self, statistics: Statistics, residual: bool, relu: bool) -> Step {
        let [input, weight, bias, running_mean, running_var, saved, addend, _] = self.spans;
        Step::NormForward {
            shape: self.shape,
            statistics,
            eps: 1e-5,
            input,
            weight,
            bias,
            running_mean,
            running_var,
            saved,
            residual: residual.then_some(addend),
            relu,
            output: self.output,
        }
    }
}

#[test]
fn batch_norm_normalises_and_keeps_statistics() {
    for shape in SHAPES {
        for (batch, residual, relu) in [(true, false, false), (true, true, true), (false, false, true), (false, true, false)] {
            let mut m = Machine::new(2);
            let norm = Norm::new(&mut m, shape);
            let (c, pixels) = (shape.c as usize, (shape.h * shape.w) as usize);
            let (weight, bias) = (m.read(norm.spans[1]), m.read(norm.spans[2]));
            let statistics = match batch {
                true => Statistics::Batch { momentum: 0.25, unbiased: true },
                false => Statistics::Running,
            };
            m.run(&[norm.forward(statistics, residual, relu)]);
            let n = f64::from(shape.n) * pixels as f64;
            let of = |channel: usize| {
                let places = (0..norm.x.len()).filter(move |i| i / pixels % c == channel);
                places.map(|i| f64::from(norm.x[i]))
            };
            let (mut expected, mut means, mut vars) = (vec![0.0; norm.x.len()], Vec::new(), Vec::new());
            for channel in 0..c {
                let (mean, var) = match batch {
                    true => {
                        let mean = of(channel).sum::<f64>() / n;
                        (mean, of(channel).map(|x| (x - mean).powi(2)).sum::<f64>() / n)
                    }
                    false => (f64::from(norm.running[0][channel]), f64::from(norm.running[1][channel])),
                };
                let moved = |old: f32, new: f64| f64::from(old) + if batch { 0.25 * (new - f64::from(old)) } else { 0.0 };
                means.push(moved(norm.running[0][channel], mean));
                vars.push(moved(norm.running[1][channel], if batch { var * n / (n - 1.0) } else { var }));
                for i in (0..norm.x.len()).filter(|i| i / pixels % c == channel) {
                    let y = (f64::from(norm.x[i]) - mean) / (var + 1e-5).sqrt() * f64::from(weight[channel]);
                    let y = y + f64::from(bias[channel]) + if residual { f64::from(norm.residual[i]) } else { 0.0 };
                    expected[i] = if relu { y.max(0.0) } else { y };
                }
            }
            let what = format!("{shape:?} {statistics:?} residual {residual} relu {relu}");
            assert_near(&what, &m.read_tensor(norm.output, shape), &expected, 1e-5);
            assert_near(&what, &m.read(norm.spans[3])[..c], &means, 1e-6);
            assert_near(&what, &m.read(norm.spans[4])[..c], &vars, 1e-5);
        }
    }
}

#[test]
fn batch_norm_gradients_are_those_of_its_output() {
    for shape in SHAPES {
        for (batch, residual, relu) in
            [(true, false, false), (true, false, true), (true, true, true), (false, false, true), (false, true, true)]
        {
            let mut m = Machine::new(2);
            let norm = Norm::new(&mut m, shape);
            let statistics = match batch {
                true => Statistics::Batch { momentum: 0.0, unbiased: true },
                false => Statistics::Running,
            };
            let forward = [norm.forward(statistics, residual, relu)];
            m.run(&forward);
            let dy = upstream(shape);
            let (d_output, d_input) = (m.values(&dy), m.garbage(shape.len()));
            let [input, .., saved, addend, d_params] = norm.spans;
            let channels = 4 * shape.channels() as u64;
            let part = |i: u64| Span { offset: i * channels, bytes: channels, ..d_params };
            m.run(&[Step::NormBackward {
                shape,
                batch,
                input,
                output: norm.output,
                d_output,
                saved,
                relu,
                residual,
                d_weight: part(0),
                d_bias: part(1),
                accumulate: None,
                d_input: Some(d_input),
            }]);
            let what = format!("{shape:?} batch {batch} residual {residual} relu {relu}");
            let (dx, dw, db, dz) = (m.read(d_input), m.read(part(0)), m.read(part(1)), m.read(d_output));
            let mut check = |name: &str, at: Span, gradient: &[f32], eps: f32| {
                assert_gradient(&format!("{name} of {what}"), &mut m, &forward, at, norm.output, &dy, gradient, eps, 0.01);
            };
            check("d_input", input, &dx, 2e-3);
            check("d_weight", norm.spans[1], &dw, 2e-3);
            check("d_bias", norm.spans[2], &db, 2e-3);
            if residual {
                check("d_residual", addend, &dz, 2e-3);
            }
        }
    }
}

#[test]
fn max_pool_takes_the_first_maximum_and_gives_it_the_gradient() {
    let windows = [
        (Shape::new(2, 5, 7, 6), Shape::new(2, 5, 4, 3), Window { kernel: 3, stride: 2, pad_top: 1, pad_left: 1 }),
        (Shape::new(1, 16, 8, 8), Shape::new(1, 16, 4, 4), Window { kernel: 3, stride: 2, pad_top: 0, pad_left: 0 }),
        (Shape::new(3, 1, 5, 5), Shape::new(3, 1, 4, 4), Window { kernel: 2, stride: 1, pad_top: 0, pad_left: 0 }),
    ];
    for (x_shape, y_shape, window) in windows {
        for zeros in [false, true] {
            let mut m = Machine::new(2);
            // Few different values, so that there are equal ones.
            let x: Vec<f32> = random(9, count(x_shape)).iter().map(|v| (v * 4.0).round() / 4.0 - 0.5).collect();
            let (input, argmax) = (m.tensor(&x, x_shape), m.garbage(y_shape.len() / 4));
            let [output, plain, d_input] = [y_shape.len(), y_shape.len(), x_shape.len()].map(|len| m.garbage(len));
            let dy = upstream(y_shape);
            let d_output = m.values(&dy);
            let earlier = random(11, count(x_shape));
            let accumulate = m.tensor(&earlier, x_shape);
            let step = |argmax, output| Step::MaxPool {
                input_shape: x_shape,
                output_shape: y_shape,
                window,
                zeros,
                input,
                argmax,
                output,
            };
            m.run(&[
                step(Some(argmax), output),
                step(None, plain),
                Step::MaxPoolBackward {
                    input_shape: x_shape,
                    output_shape: y_shape,
                    window,
                    argmax,
                    d_output,
                    accumulate: Some(accumulate),
                    d_input,
                },
            ]);
            let (mut expected, mut dx) = (vec![0.0; count(y_shape)], wide(&earlier));
            let dy = common::from_memory(&dy, y_shape);
            for (i, expected) in expected.iter_mut().enumerate() {
                let (w, h) = (y_shape.w as usize, y_shape.h as usize);
                let (plane, oy, ox) = (i / w / h, (i / w % h) as u32, (i % w) as u32);
                let mut best: Option<(f32, Option<usize>)> = None;
                for (ky, kx) in (0..window.kernel).flat_map(|ky| (0..window.kernel).map(move |kx| (ky, kx))) {
                    let y = (oy * window.stride + ky).wrapping_sub(window.pad_top);
                    let x_at = (ox * window.stride + kx).wrapping_sub(window.pad_left);
                    let inside = y < x_shape.h && x_at < x_shape.w;
                    let place = inside.then(|| (plane * x_shape.h as usize + y as usize) * x_shape.w as usize + x_at as usize);
                    let value = place.map(|at| x[at]).or(zeros.then_some(0.0));
                    if let Some(value) = value.filter(|value| best.is_none_or(|(high, _)| *value > high)) {
                        best = Some((value, place));
                    }
                }
                let (value, place) = best.unwrap();
                *expected = f64::from(value);
                if let Some(at) = place {
                    dx[at] += f64::from(dy[i]);
                }
            }
            let what = format!("{window:?} zeros {zeros}");
            assert_near(&what, &m.read_tensor(output, y_shape), &expected, 0.0);
            assert_eq!(m.read(output), m.read(plain), "{what}: with and without places");
            assert_near(&format!("gradient, {what}"), &m.read_tensor(d_input, x_shape), &dx, 1e-6);
        }
    }
}

#[test]
fn average_pool_and_shortcut_are_linear_maps_and_their_gradients() {
    for (shape, to, stride, offset) in [
        (Shape::new(2, 5, 5, 4), Shape::new(2, 11, 3, 2), 2, 3),
        (Shape::new(1, 8, 4, 4), Shape::new(1, 16, 4, 4), 1, 4),
        (Shape::new(3, 1, 3, 3), Shape::new(3, 2, 2, 2), 2, 0),
    ] {
        let mut m = Machine::new(2);
        let (x, earlier) = (random(1, count(shape)), random(2, count(shape)));
        let (input, accumulate) = (m.tensor(&x, shape), m.tensor(&earlier, shape));
        let pooled = Shape { h: 1, w: 1, ..shape };
        let [mean, moved] = [pooled, to].map(|shape| m.garbage(shape.len()));
        let [dx_mean, dx_moved] = [0; 2].map(|_| m.garbage(shape.len()));
        let forward = [
            Step::GlobalAvgPool { shape, input, output: mean },
            Step::Shortcut { input_shape: shape, output_shape: to, stride, offset, input, output: moved },
        ];
        m.run(&forward);
        let (dy_mean, dy_moved) = (upstream(pooled), upstream(to));
        let (d_mean, d_moved) = (m.values(&dy_mean), m.values(&dy_moved));
        let accumulate = Some(accumulate);
        m.run(&[
            Step::GlobalAvgPoolBackward { shape, d_output: d_mean, accumulate, d_input: dx_mean },
            Step::ShortcutBackward {
                input_shape: shape,
                output_shape: to,
                stride,
                offset,
                d_output: d_moved,
                accumulate,
                d_input: dx_moved,
            },
        ]);
        let (w, h) = (to.w as usize, to.h as usize);
        let moved_values = m.read_tensor(moved, to);
        for (i, value) in moved_values.iter().enumerate() {
            let (n, c, y, x_at) = (i / w / h / to.c as usize, i / w / h % to.c as usize, i / w % h, i % w);
            let source = c.checked_sub(offset as usize).filter(|c| *c < shape.c as usize);
            let place = source.map(|c| {
                ((n * shape.c as usize + c) * shape.h as usize + y * stride as usize) * shape.w as usize
                    + x_at * stride as usize
            });
            assert_eq!(*value, place.map_or(0.0, |at| x[at]), "{shape:?} {to:?}: value {i}");
        }
        let earlier = to_memory(&earlier, shape);
        for (what, output, dy, dx) in [("mean", mean, dy_mean, dx_mean), ("shortcut", moved, dy_moved, dx_moved)] {
            let gradient: Vec<f32> = m.read(dx).iter().zip(&earlier).map(|(all, earlier)| all - earlier).collect();
            assert_gradient(what, &mut m, &forward, input, output, &dy, &gradient, 0.25, 1e-4);
        }
    }
}

#[test]
fn an_average_pool_of_windows_leaves_out_what_is_outside() {
    for (x_shape, y_shape, kernel, stride, pad) in [
        (Shape::new(2, 5, 5, 4), Shape::new(2, 5, 3, 2), 2, 2, 0),
        (Shape::new(1, 8, 6, 7), Shape::new(1, 8, 3, 4), 3, 2, 1),
        (Shape::new(1, 3, 1, 1), Shape::new(1, 3, 1, 1), 2, 2, 0),
    ] {
        let mut m = Machine::new(2);
        let (x, dy) = (random(1, count(x_shape)), upstream(y_shape));
        let window = Window { kernel, stride, pad_top: pad, pad_left: pad };
        let (input, output) = (m.tensor(&x, x_shape), m.garbage(y_shape.len()));
        let (d_output, d_input) = (m.values(&dy), m.garbage(x_shape.len()));
        let forward = [Step::AvgPool { input_shape: x_shape, output_shape: y_shape, window, input, output }];
        m.run(&forward);
        m.run(&[Step::AvgPoolBackward {
            input_shape: x_shape,
            output_shape: y_shape,
            window,
            d_output,
            accumulate: None,
            d_input,
        }]);
        let (h, w) = (x_shape.h as i64, x_shape.w as i64);
        let expected: Vec<f64> = (0..count(y_shape) as i64)
            .map(|i| {
                let (plane, oy, ox) = (
                    i / i64::from(y_shape.h * y_shape.w),
                    i / i64::from(y_shape.w) % i64::from(y_shape.h),
                    i % i64::from(y_shape.w),
                );
                let cells = (0..i64::from(kernel * kernel)).map(|k| (k / i64::from(kernel), k % i64::from(kernel)));
                let at = |o: i64, k: i64| o * i64::from(stride) + k - i64::from(pad);
                let inside: Vec<f64> = cells
                    .map(|(ky, kx)| (at(oy, ky), at(ox, kx)))
                    .filter(|(y, x)| (0..h).contains(y) && (0..w).contains(x))
                    .map(|(y, at_x)| f64::from(x[((plane * h + y) * w + at_x) as usize]))
                    .collect();
                inside.iter().sum::<f64>() / inside.len() as f64
            })
            .collect();
        assert_near("average pool", &m.read_tensor(output, y_shape), &expected, 1e-6);
        let gradient = m.read(d_input);
        assert_gradient("average pool", &mut m, &forward, input, output, &dy, &gradient, 0.25, 1e-4);
    }
}

#[test]
fn linear_and_its_gradients() {
    for (batch, inputs, outputs) in [(1u32, 1u32, 1u32), (3, 5, 7), (9, 12, 260), (2, 70, 10)] {
        let mut m = Machine::new(2);
        let (i4, o4) = (inputs.div_ceil(4) as usize, outputs.div_ceil(4) as usize);
        let (x_shape, y_shape) = (Shape::new(batch, inputs, 1, 1), Shape::new(batch, outputs, 1, 1));
        let (x, w, b) = (random(1, count(x_shape)), random(2, (inputs * outputs) as usize), random(3, outputs as usize));
        let place = |o: usize, i: usize| (((i / 4) * o4 + o / 4) * 4 + i % 4) * 4 + o % 4;
        let mut packed = vec![0.0; i4 * o4 * 16];
        for (at, value) in w.iter().enumerate() {
            packed[place(at / inputs as usize, at % inputs as usize)] = *value;
        }
        let mut bias = b.clone();
        bias.resize(o4 * 4, 0.0);
        let dy = upstream(y_shape);
        let (input, weight, bias) = (m.tensor(&x, x_shape), m.values(&packed), m.values(&bias));
        let (output, d_output, d_input) = (m.garbage(y_shape.len()), m.values(&dy), m.garbage(x_shape.len()));
        let (d_weight, d_bias) = (m.values(&vec![0.5; packed.len()]), m.values(&vec![0.5; o4 * 4]));
        let forward = [Step::Linear { batch, inputs, outputs, input, weight, bias, output }];
        m.run(&forward);
        m.run(&[
            Step::LinearInputGradient { batch, inputs, outputs, d_output, weight, d_input },
            Step::LinearWeightGradient { batch, inputs, outputs, input, d_output, d_weight, d_bias },
        ]);
        let row = inputs as usize;
        let expected: Vec<f64> = (0..count(y_shape))
            .map(|at| {
                let (n, o) = (at / outputs as usize, at % outputs as usize);
                let products = x[n * row..][..row].iter().zip(&w[o * row..][..row]);
                f64::from(b[o]) + products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
            })
            .collect();
        assert_near("linear", &m.read_tensor(output, y_shape), &expected, 2e-6);
        let added = |span: Span, m: &Machine| m.read(span).iter().map(|v| v - 0.5).collect::<Vec<_>>();
        let (dx, dw, db) = (m.read(d_input), added(d_weight, &m), added(d_bias, &m));
        for (what, at, gradient) in [("d_input", input, dx), ("d_weight", weight, dw), ("d_bias", bias, db)] {
            assert_gradient(what, &mut m, &forward, at, output, &dy, &gradient, 0.25, 1e-4);
        }
    }
}

#[test]
fn sums_maps_gathers_and_softmax() {
    let shape = Shape::new(2, 5, 3, 4);
    let mut m = Machine::new(2);
    let x = random(1, count(shape));
    let (input, sum) = (m.tensor(&x, shape), m.values(&[1.0; 8]));
    let (weights, map) = (m.values(&[1.0, -2.0, 0.5, 3.0, 1.0, 0.0, 0.0, 0.0]), m.garbage(12));
    let (indices, rows) = (m.bytes(bytemuck::cast_slice(&[2u32, 0, 99])), m.garbage(3 * 8));
    let soft = m.garbage(2 * 8);
    let logits = m.values(&[1.0, 2.0, 500.0, 0.0, -1.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0]);
    m.run(&[
        Step::ChannelSum { shape, input, sum },
        Step::ClassMap { shape, features: input, weights, map },
        Step::Gather { rows: 3, row: 8, bank: input, indices, output: rows },
        Step::Softmax { batch: 2, channels: 5, input: logits, output: soft },
    ]);
    let of = |n: usize, c: usize, pixel: usize| f64::from(x[(n * 5 + c) * 12 + pixel]);
    let sums: Vec<f64> = (0..5).map(|c| 1.0 + (0..2).map(|n| (0..12).map(|p| of(n, c, p)).sum::<f64>()).sum::<f64>()).collect();
    assert_near("channel sum", &m.read(sum)[..5], &sums, 1e-6);
    let by = [1.0, -2.0, 0.5, 3.0, 1.0];
    let expected: Vec<f64> = (0..12).map(|p| (0..5).map(|c| by[c] * of(0, c, p)).sum()).collect();
    assert_near("class map", &m.read(map), &expected, 1e-6);
    let memory = to_memory(&x, shape);
    assert_eq!(m.read(rows), [&memory[16..24], &memory[..8], &[0.0; 8]].concat());
    assert_eq!(m.read(soft)[..8], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(m.read(soft)[8..], [0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0]);
}

#[test]
fn steps_that_do_not_fit_are_errors() {
    let mut m = Machine::new(1);
    let (a, b) = (m.values(&[1.0; 8]), m.values(&[0.0; 8]));
    let relu = |count, input, output| Step::Relu { count, input, output };
    let wrong = [
        relu(9, a, b),
        relu(8, Span { buffer: 77, ..a }, b),
        relu(4, Span { offset: 20, ..a }, b),
        relu(4, Span { offset: 2, bytes: 4, ..a }, b),
        relu(4, Span { offset: u64::MAX - 3, ..a }, b),
        relu(4, Span { bytes: 20, ..a }, Span { offset: 16, bytes: 16, ..a }),
        Step::Copy { from: a, to: Span { bytes: 16, ..b } },
        Step::Shortcut {
            input_shape: Shape::new(1, 4, 1, 1),
            output_shape: Shape::new(1, 4, 1, 1),
            stride: 0,
            offset: 0,
            input: a,
            output: b,
        },
    ];
    for step in wrong {
        assert!(m.0.run(std::slice::from_ref(&step)).is_err(), "{step:?}");
    }
    assert!(m.0.write(a.buffer, 30, &[0; 4]).is_err() && m.0.read(9, 0, 1).is_err());
    // Two parts of one buffer.
    m.run(&[relu(4, Span { bytes: 16, ..a }, Span { offset: 16, bytes: 16, ..a })]);
    let before = m.0.bytes();
    m.0.free(a.buffer);
    assert_eq!(before - m.0.bytes(), 32);
    assert!(m.0.run(&[relu(8, a, b)]).is_err(), "a buffer that was given back");
}
