//! Grouped convolution on a GPU against the processor's, forward and backward.

use crate::gradcheck::{
    assert_near, contexts, elements, garbage, padded_vector, processor, read, slice, tensor, values, vector,
};
use reslab::device::{Device, Recorder, Shape, Slice};
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

fn parameters(ctx: &Device, x: Shape, layer: &GroupedConv2d, weight: &[f32], bias: &[f32]) -> (ConvKernel, Vec<Slice>) {
    let kernel = layer.training_kernel(ctx, x);
    (kernel, vec![slice(ctx, &layer.pack(kernel, 0, weight)), slice(ctx, &layer.pack(kernel, 1, bias))])
}

fn forward(ctx: &Device, x: Shape, layer: &GroupedConv2d, residual: bool, relu: bool) -> Vec<f32> {
    let (y, o) = (layer.conv.output_shape(x), operands(x, layer));
    let (kernel, parameters) = parameters(ctx, x, layer, &o.weight, &o.bias);
    let added = residual.then(|| tensor(ctx, y, &o.d_output));
    let output = garbage(ctx, y);
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
    read(ctx, &output)
}

/// By the input (with another gradient added), the weights and the bias.
fn backward(ctx: &Device, x: Shape, layer: &GroupedConv2d) -> [Vec<f32>; 3] {
    let (y, o) = (layer.conv.output_shape(x), operands(x, layer));
    let (kernel, parameters) = parameters(ctx, x, layer, &o.weight, &o.bias);
    let d_parameters: Vec<Slice> = [0, 1].iter().map(|i| slice(ctx, &vec![0.0; layer.packed_len(kernel, *i)])).collect();
    let (result, addend) = (garbage(ctx, x), tensor(ctx, x, &o.addend));
    for gradient in [Gradient::Weight, Gradient::Bias, Gradient::Input] {
        let scratch = layer.training_scratch(ctx, TrainingStep::Backward(gradient), kernel, x);
        let scratch: Vec<Slice> = scratch.into_iter().map(|bytes| Slice::new(ctx, "scratch", bytes).unwrap()).collect();
        let call = Backward {
            label: "grouped",
            input: &tensor(ctx, x, &o.input),
            output: &garbage(ctx, y),
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
    let packed = vector(ctx, &d_parameters[0]);
    let d_weight = layer.unpack(kernel, 0, &packed);
    // What an update would change of packed weights is weights.
    let sum = |values: &[f32]| values.iter().map(|v| f64::from(v.abs())).sum::<f64>();
    assert!((sum(&packed) - sum(&d_weight)).abs() < 1e-6 * sum(&packed), "padding has no gradient in {layer:?}");
    [read(ctx, &result), d_weight, padded_vector(ctx, &d_parameters[1], layer.conv.out_channels)]
}

#[test]
fn forward_agrees_with_the_processors() {
    for (x, layer) in cases() {
        for (residual, relu) in [(false, false), (false, true), (true, true)] {
            let expected = forward(processor(), x, &layer, residual, relu);
            for ctx in contexts() {
                let got = forward(ctx, x, &layer, residual, relu);
                assert_near(&format!("{layer:?}, residual {residual}, relu {relu}"), &got, &expected, 1e-5);
            }
        }
    }
}

#[test]
fn backward_agrees_with_the_processors() {
    for (x, layer) in cases() {
        let expected = backward(processor(), x, &layer);
        for ctx in contexts() {
            let got = backward(ctx, x, &layer);
            for (i, name) in ["d_input", "d_weight", "d_bias"].iter().enumerate() {
                assert_near(&format!("{name} of {layer:?}"), &got[i], &expected[i], 1e-5);
            }
        }
    }
}
