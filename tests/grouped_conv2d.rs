//! Grouped convolution against its definition in loops, forward and backward, and the definition against finite differences.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test that includes this file uses its part
#[path = "common/gradcheck.rs"]
mod gradcheck;

use gradcheck::{assert_close, elements, functional, gradient, to_f64, values};
use reslab::device::{Device, DeviceKind, DeviceOptions, Precision, Recorder, Shape, Slice, Tensor};
use reslab::ops::{Backward, Conv2d, ConvKernel, Forward, Gradient, GroupedConv2d, Layer, Padding, Statistics, TrainingStep};

/// Groups that begin at a multiple of four channels and others, one channel a group, one group; strides, odd sizes.
fn cases() -> Vec<(Shape, GroupedConv2d)> {
    let case = |(n, c, h, w), out_channels, groups, kernel, stride, padding| {
        let conv = Conv2d { in_channels: c, out_channels, kernel, stride, padding, bias: true };
        (Shape::new(n, c, h, w), GroupedConv2d { conv, groups })
    };
    vec![
        case((2, 16, 5, 6), 16, 4, 3, 1, Padding::Symmetric),
        case((1, 32, 7, 5), 32, 4, 3, 2, Padding::Symmetric),
        case((3, 6, 5, 4), 9, 3, 3, 2, Padding::Same),
        case((2, 5, 6, 7), 5, 5, 3, 1, Padding::Symmetric),
        case((1, 10, 4, 5), 4, 2, 1, 1, Padding::Symmetric),
        case((1, 7, 6, 3), 6, 1, 2, 2, Padding::Same),
    ]
}

/// Both families of GPU kernels, and the processor.
fn devices() -> Vec<Device> {
    let processor = pollster::block_on(Device::new(DeviceOptions::of(DeviceKind::Cpu))).unwrap();
    gradcheck::contexts().iter().cloned().chain([processor]).collect()
}

/// `bias + sum` of torch's weight `(O, I / groups, K, K)`, in f64.
fn naive(x: Shape, layer: &GroupedConv2d, input: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let (conv, y) = (&layer.conv, layer.conv.output_shape(x));
    let (top, _, _) = conv.padding.resolve(x.h, conv.kernel, conv.stride);
    let (left, _, _) = conv.padding.resolve(x.w, conv.kernel, conv.stride);
    let (inputs, outputs) = (x.c / layer.groups, y.c / layer.groups);
    let mut result = Vec::new();
    for index in 0..elements(y) {
        let (ox, oy) = (index % y.w, index / y.w % y.h);
        let (o, n) = (index / y.w / y.h % y.c, index / y.w / y.h / y.c);
        let mut sum = bias[o];
        for i in 0..inputs {
            let c = o / outputs * inputs + i;
            for ky in 0..conv.kernel {
                let Some(iy) = (oy * conv.stride + ky).checked_sub(top).filter(|iy| *iy < x.h) else { continue };
                for kx in 0..conv.kernel {
                    let Some(ix) = (ox * conv.stride + kx).checked_sub(left).filter(|ix| *ix < x.w) else { continue };
                    let w = ((o * inputs + i) * conv.kernel + ky) * conv.kernel + kx;
                    sum += weight[w] * input[((n * x.c + c) * x.h + iy) * x.w + ix];
                }
            }
        }
        result.push(sum);
    }
    result
}

struct Operands {
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    d_output: Vec<f32>,
    addend: Vec<f32>,
}

fn operands(x: Shape, layer: &GroupedConv2d) -> Operands {
    let params = layer.params();
    let y = layer.conv.output_shape(x);
    Operands {
        input: values(elements(x), 1),
        weight: values(params[0].count(), 2),
        bias: values(params[1].count(), 3),
        d_output: values(elements(y), 4),
        addend: values(elements(x), 5),
    }
}

fn tensor(ctx: &Device, shape: Shape, values: &[f32]) -> Tensor {
    Tensor::from_nchw(ctx, "operand", shape, Precision::F32, values).unwrap()
}

fn slice(ctx: &Device, values: &[f32]) -> Slice {
    Slice::with_bytes(ctx, "operand", &Precision::F32.encode(values)).unwrap()
}

fn zeros(ctx: &Device, shape: Shape) -> Tensor {
    Tensor::zeros(ctx, "result", shape, Precision::F32).unwrap()
}

fn parameters(ctx: &Device, x: Shape, layer: &GroupedConv2d, weight: &[f32], bias: &[f32]) -> (ConvKernel, Vec<Slice>) {
    let kernel = layer.training_kernel(ctx, x);
    (kernel, vec![slice(ctx, &layer.pack(kernel, 0, weight)), slice(ctx, &layer.pack(kernel, 1, bias))])
}

#[test]
fn forward_is_the_definition() {
    for (x, layer) in cases() {
        let (y, o) = (layer.conv.output_shape(x), operands(x, &layer));
        let sums = naive(x, &layer, &to_f64(&o.input), &to_f64(&o.weight), &to_f64(&o.bias));
        for ctx in &devices() {
            for (residual, relu) in [(false, false), (false, true), (true, true)] {
                let (kernel, parameters) = parameters(ctx, x, &layer, &o.weight, &o.bias);
                let added = residual.then(|| tensor(ctx, y, &o.d_output));
                let output = zeros(ctx, y);
                let call = Forward {
                    label: "grouped",
                    inputs: &[tensor(ctx, x, &o.input)],
                    residual: added.as_ref(),
                    relu,
                    output: &output,
                    parameters: &parameters,
                    scratch: &[],
                    kernel,
                };
                let mut recorder = Recorder::new();
                layer.forward(&mut recorder, ctx, &call).unwrap();
                recorder.finish(ctx).run(ctx).unwrap();
                let finish = |(i, sum): (usize, &f64)| {
                    let value = sum + if residual { f64::from(o.d_output[i]) } else { 0.0 };
                    if relu { value.max(0.0) } else { value }
                };
                let expected: Vec<f64> = sums.iter().enumerate().map(finish).collect();
                let got = pollster::block_on(output.read_nchw(ctx)).unwrap();
                assert_close(&format!("{layer:?}, residual {residual}"), &got, &expected, 1e-6);
            }
        }
    }
}

#[test]
fn backward_is_the_gradient_of_the_definition() {
    for (x, layer) in cases() {
        let (y, o) = (layer.conv.output_shape(x), operands(x, &layer));
        let [input, weight, bias] = [&o.input, &o.weight, &o.bias].map(|values| to_f64(values));
        let loss =
            |input: &[f64], weight: &[f64], bias: &[f64]| functional(&o.d_output, &naive(x, &layer, input, weight, bias));
        let d_input = gradient(&o.input, |input| loss(input, &weight, &bias));
        let d_weight = gradient(&o.weight, |weight| loss(&input, weight, &bias));
        let d_bias = gradient(&o.bias, |bias| loss(&input, &weight, bias));
        let added: Vec<f64> = d_input.iter().zip(&o.addend).map(|(d, a)| d + f64::from(*a)).collect();
        for ctx in &devices() {
            let (kernel, parameters) = parameters(ctx, x, &layer, &o.weight, &o.bias);
            let d_parameters: Vec<Slice> =
                [0, 1].iter().map(|i| slice(ctx, &vec![0.0; layer.packed_len(kernel, *i)])).collect();
            let (result, addend) = (zeros(ctx, x), tensor(ctx, x, &o.addend));
            for gradient in [Gradient::Weight, Gradient::Bias, Gradient::Input] {
                let scratch = layer.training_scratch(ctx, TrainingStep::Backward(gradient), kernel, x);
                let scratch: Vec<Slice> = scratch.into_iter().map(|bytes| Slice::new(ctx, "scratch", bytes).unwrap()).collect();
                let call = Backward {
                    label: "grouped",
                    input: &tensor(ctx, x, &o.input),
                    output: &zeros(ctx, y),
                    saved: &[],
                    residual: false,
                    relu: false,
                    d_output: &tensor(ctx, y, &o.d_output),
                    parameters: &parameters,
                    d_parameters: &d_parameters,
                    accumulate: Some(&addend),
                    d_input: Some(&result),
                    scratch: &scratch,
                    kernel,
                    statistics: Statistics::Running,
                };
                let mut recorder = Recorder::new();
                layer.backward(gradient, &mut recorder, ctx, &call).unwrap();
                recorder.finish(ctx).run(ctx).unwrap();
            }
            let read = |index: usize| {
                let packed = Precision::F32.decode(&pollster::block_on(d_parameters[index].read(ctx)).unwrap());
                layer.unpack(kernel, index, &packed)
            };
            assert_close(&format!("d_input of {layer:?}"), &pollster::block_on(result.read_nchw(ctx)).unwrap(), &added, 1e-5);
            assert_close(&format!("d_weight of {layer:?}"), &read(0), &d_weight, 1e-5);
            assert_close(&format!("d_bias of {layer:?}"), &read(1), &d_bias, 1e-5);
            // What an update would change of packed weights is weights.
            let packed = Precision::F32.decode(&pollster::block_on(d_parameters[0].read(ctx)).unwrap());
            let sum = |values: &[f32]| values.iter().map(|v| f64::from(v.abs())).sum::<f64>();
            assert!((sum(&packed) - sum(&read(0))).abs() < 1e-6 * sum(&packed), "padding has no gradient in {layer:?}");
        }
    }
}
