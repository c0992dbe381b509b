//! The layers with little or no parameters, backward: ReLU, pools, shortcuts and the linear layer, against finite differences of
//! their definitions.

use std::sync::LazyLock;

use crate::gradcheck::{
    TOLERANCE, assert_close, contexts, elements, functional, garbage, gradient, padded_vector, plus, read, slice, tensor,
    to_f64, values, vector,
};
use reslab::Error;
use reslab::device::{Device, DeviceKind, DeviceOptions, Recorder, Shape, Slice, Tensor};
use reslab::ops::{
    AvgPool, Backward, ConvKernel, Forward, Gradient, Layer as _, Linear, MaxPool, Padding, Statistics, max_pool_argmax_bytes,
    record_global_avg_pool, record_global_avg_pool_backward, record_linear, record_linear_input_gradient,
    record_linear_weight_gradient, record_max_pool, record_max_pool_backward, record_max_pool_train, record_relu,
    record_relu_backward, record_shortcut, record_shortcut_backward,
};

/// A layer with one input and no parameters.
struct Layer<'a> {
    name: &'a str,
    input: Shape,
    output: Shape,
    /// The definition, NCHW.
    definition: &'a dyn Fn(&[f64]) -> Vec<f64>,
    /// Records the forward pass, then the backward pass.
    record: &'a dyn Fn(&Device, &mut Recorder, &Operands),
}

static PROCESSOR: LazyLock<Device> =
    LazyLock::new(|| pollster::block_on(Device::new(DeviceOptions::of(DeviceKind::Cpu))).expect("a processor"));

/// What both passes read and write.
struct Operands {
    x: Tensor,
    y: Tensor,
    dy: Tensor,
    accumulate: Option<Tensor>,
    dx: Tensor,
}

impl Layer<'_> {
    /// Forward and gradient in both families and on the processor, with another gradient to be added and without.
    fn check(&self) {
        let input = values(elements(self.input), 1);
        let d_output = values(elements(self.output), 2);
        let other = values(elements(self.input), 3);
        let output = (self.definition)(&to_f64(&input));
        let d_input = gradient(&input, |x| functional(&d_output, &(self.definition)(x)));
        for ctx in contexts().iter().chain([&*PROCESSOR]) {
            let family = ctx.gpu().map(|gpu| gpu.family());
            let what = |tensor: &str| format!("{tensor} of {} of {:?} in {family:?}", self.name, self.input);
            for accumulate in [None, Some(tensor(ctx, self.input, &other))] {
                let expected = if accumulate.is_some() { plus(&d_input, &other) } else { d_input.clone() };
                let operands = Operands {
                    x: tensor(ctx, self.input, &input),
                    y: garbage(ctx, self.output),
                    dy: tensor(ctx, self.output, &d_output),
                    accumulate,
                    dx: garbage(ctx, self.input),
                };
                let mut recorder = Recorder::new();
                (self.record)(ctx, &mut recorder, &operands);
                recorder.finish(ctx).run(ctx).unwrap();
                assert_close(&what("output"), &read(ctx, &operands.y), &output, TOLERANCE);
                assert_close(&what("d_input"), &read(ctx, &operands.dx), &expected, TOLERANCE);
            }
        }
    }
}

/// Every `(n, c, y, x)` of a shape in row-major order.
fn places(s: Shape) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..elements(s)).map(move |i| (i / s.w / s.h / s.c, i / s.w / s.h % s.c, i / s.w % s.h, i % s.w))
}

fn at(s: Shape, n: usize, c: usize, y: usize, x: usize) -> usize {
    ((n * s.c + c) * s.h + y) * s.w + x
}

#[test]
fn relu() {
    for shape in [Shape::new(2, 6, 5, 7), Shape::new(1, 1, 1, 1), Shape::new(1, 9, 13, 3)] {
        Layer {
            name: "relu",
            input: shape,
            output: shape,
            definition: &|x| x.iter().map(|v| v.max(0.0)).collect(),
            record: &|ctx, recorder, o| {
                record_relu(recorder, ctx, "relu", &o.x, &o.y).unwrap();
                record_relu_backward(recorder, ctx, "relu", &o.y, &o.dy, o.accumulate.as_ref(), &o.dx).unwrap();
            },
        }
        .check();
    }
}

#[test]
fn global_avg_pool() {
    for shape in [Shape::new(2, 6, 5, 7), Shape::new(1, 3, 1, 1), Shape::new(3, 10, 4, 4)] {
        Layer {
            name: "global average pool",
            input: shape,
            output: Shape::new(shape.n, shape.c, 1, 1),
            definition: &|x| {
                let area = shape.h * shape.w;
                x.chunks(area).map(|plane| plane.iter().sum::<f64>() / area as f64).collect()
            },
            record: &|ctx, recorder, o| {
                record_global_avg_pool(recorder, ctx, "pool", &o.x, &o.y).unwrap();
                record_global_avg_pool_backward(recorder, ctx, "pool", &o.dy, o.accumulate.as_ref(), &o.dx).unwrap();
            },
        }
        .check();
    }
}

fn record_avg_pool(ctx: &Device, recorder: &mut Recorder, pool: &AvgPool, o: &Operands) {
    let call = Forward {
        label: "pool",
        inputs: std::slice::from_ref(&o.x),
        residual: None,
        relu: false,
        output: &o.y,
        parameters: &[],
        scratch: &[],
        kernel: ConvKernel::default(),
    };
    pool.forward(recorder, ctx, &call).unwrap();
    let call = Backward {
        label: "pool",
        input: &o.x,
        output: &o.y,
        saved: &[],
        residual: false,
        relu: false,
        d_output: &o.dy,
        parameters: &[],
        d_parameters: &[],
        accumulate: o.accumulate.as_ref(),
        d_input: Some(&o.dx),
        scratch: &[],
        kernel: ConvKernel::default(),
        statistics: Statistics::Running,
    };
    pool.backward(Gradient::Input, recorder, ctx, &call).unwrap();
}

#[test]
fn average_pools_of_windows() {
    // ResNet-D's on sizes its stride divides and does not, one pixel, and windows that overlap or are padded in front.
    for (input, kernel, stride, padding) in [
        (Shape::new(2, 6, 8, 6), 2, 2, Padding::Same),
        (Shape::new(2, 5, 7, 5), 2, 2, Padding::Same),
        (Shape::new(1, 3, 1, 1), 2, 2, Padding::Same),
        (Shape::new(1, 4, 6, 9), 3, 2, Padding::Symmetric),
        (Shape::new(1, 1, 5, 7), 3, 1, Padding::Same),
    ] {
        let pool = AvgPool { kernel, stride, padding };
        let output = pool.output_shape(input);
        let (top, _, _) = padding.resolve(input.h, kernel, stride);
        let (left, _, _) = padding.resolve(input.w, kernel, stride);
        Layer {
            name: &format!("{pool:?}"),
            input,
            output,
            definition: &|values| {
                let value = |(n, c, y, x): (usize, usize, usize, usize)| {
                    let cells = (0..kernel * kernel).map(|k| (y * stride + k / kernel, x * stride + k % kernel));
                    let inside: Vec<f64> = cells
                        .filter_map(|(y, x)| Some((y.checked_sub(top)?, x.checked_sub(left)?)))
                        .filter(|(y, x)| *y < input.h && *x < input.w)
                        .map(|(y, x)| values[at(input, n, c, y, x)])
                        .collect();
                    inside.iter().sum::<f64>() / inside.len() as f64
                };
                places(output).map(value).collect()
            },
            record: &|ctx, recorder, o| record_avg_pool(ctx, recorder, &pool, o),
        }
        .check();
    }
}

#[test]
fn shortcuts() {
    // TF-slim's subsample, the paper's option A with its zeros around, behind and off the fours, at sizes the stride does not divide.
    for (input, out_channels, stride, offset) in [
        (Shape::new(2, 6, 7, 5), 6, 2, 0),
        (Shape::new(1, 3, 9, 8), 7, 2, 2),
        (Shape::new(2, 4, 5, 5), 8, 2, 0),
        (Shape::new(1, 5, 6, 7), 5, 1, 0),
        (Shape::new(1, 8, 8, 7), 16, 3, 4),
    ] {
        let output = Shape::new(input.n, out_channels, input.h.div_ceil(stride), input.w.div_ceil(stride));
        Layer {
            name: "shortcut",
            input,
            output,
            definition: &|values| {
                let value = |(n, c, y, x): (usize, usize, usize, usize)| match c.checked_sub(offset) {
                    Some(c) if c < input.c => values[at(input, n, c, y * stride, x * stride)],
                    _ => 0.0,
                };
                places(output).map(value).collect()
            },
            record: &|ctx, recorder, o| {
                record_shortcut(recorder, ctx, "shortcut", stride, offset, &o.x, &o.y).unwrap();
                record_shortcut_backward(recorder, ctx, "shortcut", stride, offset, &o.dy, o.accumulate.as_ref(), &o.dx)
                    .unwrap();
            },
        }
        .check();
    }
}

fn record_pool(ctx: &Device, recorder: &mut Recorder, pool: &MaxPool, o: &Operands) {
    let argmax = Slice::new(ctx, "argmax", max_pool_argmax_bytes(o.y.shape)).unwrap();
    record_max_pool_train(recorder, ctx, "pool", pool, &o.x, &argmax, &o.y).unwrap();
    record_max_pool_backward(recorder, ctx, "pool", pool, &argmax, &o.dy, o.accumulate.as_ref(), &o.dx).unwrap();
}

#[test]
fn max_pool() {
    let cases = [
        (Shape::new(2, 6, 9, 7), 3, 2, Padding::Symmetric, false),
        (Shape::new(1, 5, 8, 10), 3, 2, Padding::Symmetric, true),
        (Shape::new(1, 3, 8, 9), 3, 2, Padding::Same, false),
        (Shape::new(2, 1, 7, 7), 3, 1, Padding::Same, true),
        (Shape::new(1, 4, 5, 6), 2, 3, Padding::Same, false),
        (Shape::new(1, 2, 1, 1), 3, 2, Padding::Symmetric, true),
        (Shape::new(1, 2, 17, 18), 15, 2, Padding::Symmetric, false),
    ];
    for (input, kernel, stride, padding, zeros) in cases {
        let pool = MaxPool { kernel, stride, padding, zeros };
        let output = pool.output_shape(input);
        let (top, _, _) = padding.resolve(input.h, kernel, stride);
        let (left, _, _) = padding.resolve(input.w, kernel, stride);
        Layer {
            name: &format!("{pool:?}"),
            input,
            output,
            definition: &|values| {
                let value = |(n, c, y, x): (usize, usize, usize, usize)| {
                    let cells = (0..kernel * kernel).map(|k| (y * stride + k / kernel, x * stride + k % kernel));
                    let cell = |(y, x): (usize, usize)| {
                        let y = y.checked_sub(top).filter(|y| *y < input.h);
                        let x = x.checked_sub(left).filter(|x| *x < input.w);
                        match (y, x) {
                            (Some(y), Some(x)) => values[at(input, n, c, y, x)],
                            _ if zeros => 0.0,
                            _ => f64::NEG_INFINITY,
                        }
                    };
                    cells.map(cell).fold(f64::NEG_INFINITY, f64::max)
                };
                places(output).map(value).collect()
            },
            record: &|ctx, recorder, o| record_pool(ctx, recorder, &pool, o),
        }
        .check();
    }
}

#[test]
fn the_training_max_pool_equals_the_inference_one() {
    let input = Shape::new(2, 5, 11, 8);
    let pool = MaxPool { kernel: 3, stride: 2, padding: Padding::Symmetric, zeros: true };
    let output = pool.output_shape(input);
    for ctx in contexts() {
        let x = tensor(ctx, input, &values(elements(input), 5));
        let [a, b] = [garbage(ctx, output), garbage(ctx, output)];
        let argmax = Slice::new(ctx, "argmax", max_pool_argmax_bytes(output)).unwrap();
        let mut recorder = Recorder::new();
        record_max_pool(&mut recorder, ctx, "pool", &pool, &x, &a).unwrap();
        record_max_pool_train(&mut recorder, ctx, "pool", &pool, &x, &argmax, &b).unwrap();
        recorder.finish(ctx).run(ctx).unwrap();
        assert_eq!(read(ctx, &a), read(ctx, &b));
    }
}

/// Of equal values the first in row-major order gets the gradient; padding zeros come first at the upper and left edges.
#[test]
fn ties_in_a_max_pool_go_to_the_first() {
    let input = Shape::new(1, 1, 5, 5);
    let first_cells = |places: &[usize]| -> Vec<f32> {
        (0..25).map(|i| if places.contains(&(i / 5)) && places.contains(&(i % 5)) { 1.0 } else { 0.0 }).collect()
    };
    for (value, zeros, expected) in [
        // Windows start at -1, 1 and 3; their first pixels are 0, 1 and 3.
        (-2.0, false, first_cells(&[0, 1, 3])),
        (0.0, true, first_cells(&[1, 3])),
    ] {
        let pool = MaxPool { kernel: 3, stride: 2, padding: Padding::Symmetric, zeros };
        for ctx in contexts() {
            let output = pool.output_shape(input);
            let operands = Operands {
                x: tensor(ctx, input, &[value; 25]),
                y: garbage(ctx, output),
                dy: tensor(ctx, output, &[1.0; 9]),
                accumulate: None,
                dx: garbage(ctx, input),
            };
            let mut recorder = Recorder::new();
            record_pool(ctx, &mut recorder, &pool, &operands);
            recorder.finish(ctx).run(ctx).unwrap();
            assert_eq!(
                read(ctx, &operands.dx),
                expected,
                "all cells {value}, zeros: {zeros}, {:?}",
                ctx.gpu().unwrap().family()
            );
        }
    }
}

#[test]
fn a_max_pool_too_large_for_its_index_is_refused() {
    let ctx = &contexts()[0];
    let pool = MaxPool { kernel: 16, stride: 1, padding: Padding::Same, zeros: false };
    let x = tensor(ctx, Shape::new(1, 1, 2, 2), &[0.0; 4]);
    let error = record_max_pool_train(&mut Recorder::new(), ctx, "pool", &pool, &x, &x.slice, &x).unwrap_err();
    assert!(matches!(&error, Error::Spec(text) if text.contains("16x16")), "{error}");
}

#[test]
fn linear() {
    for (batch, in_features, out_features) in [(1, 5, 3), (3, 10, 7), (5, 8, 4), (2, 1, 9)] {
        let layer = Linear { in_features, out_features };
        let (input, output) = (Shape::new(batch, in_features, 1, 1), Shape::new(batch, out_features, 1, 1));
        let x = values(elements(input), 1);
        let weight = values(in_features * out_features, 2);
        let bias = values(out_features, 3);
        let d_output = values(elements(output), 4);
        let definition = |x: &[f64], weight: &[f64], bias: &[f64]| -> Vec<f64> {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let row = |image| weight.chunks(in_features).zip(bias).map(move |(row, b)| dot(row, image) + b);
            x.chunks(in_features).flat_map(row).collect()
        };
        let [x64, weight64, bias64] = [&x, &weight, &bias].map(|v| to_f64(v));
        let loss = |x: &[f64], w: &[f64], b: &[f64]| functional(&d_output, &definition(x, w, b));
        let d_input = gradient(&x, |x| loss(x, &weight64, &bias64));
        let before = values(weight.len(), 5);
        let d_weight = plus(&gradient(&weight, |w| loss(&x64, w, &bias64)), &before);
        let d_bias = plus(&gradient(&bias, |b| loss(&x64, &weight64, b)), &before[..out_features]);

        for ctx in contexts() {
            let [gpu_x, gpu_dy] = [tensor(ctx, input, &x), tensor(ctx, output, &d_output)];
            let [gpu_y, gpu_dx] = [garbage(ctx, output), garbage(ctx, input)];
            let packed = slice(ctx, &layer.pack(&weight));
            let gpu_dw = slice(ctx, &layer.pack(&before));
            let gpu_db = slice(ctx, &before[..out_features]);
            let mut recorder = Recorder::new();
            record_linear(&mut recorder, ctx, "fc", &gpu_x, &packed, &slice(ctx, &bias), &gpu_y).unwrap();
            record_linear_input_gradient(&mut recorder, ctx, "fc", &gpu_dy, &packed, &gpu_dx).unwrap();
            record_linear_weight_gradient(&mut recorder, ctx, "fc", &gpu_x, &gpu_dy, &gpu_dw, &gpu_db).unwrap();
            recorder.finish(ctx).run(ctx).unwrap();

            let what = |tensor: &str| format!("{tensor} of {layer:?}, batch {batch}");
            assert_close(&what("output"), &read(ctx, &gpu_y), &definition(&x64, &weight64, &bias64), TOLERANCE);
            assert_close(&what("d_input"), &read(ctx, &gpu_dx), &d_input, TOLERANCE);
            assert_close(&what("d_bias"), &padded_vector(ctx, &gpu_db, out_features), &d_bias, TOLERANCE);
            let raw = vector(ctx, &gpu_dw);
            let unpacked = layer.unpack(&raw);
            assert_close(&what("d_weight"), &unpacked, &d_weight, TOLERANCE);
            // Packing what was unpacked gives zeros in every place that is no weight.
            assert_eq!(layer.pack(&unpacked), raw[..layer.packed_len()], "padding of {layer:?}");
        }
    }
}
