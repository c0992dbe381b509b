//! The gradients of every convolution kernel of a GPU against the processor's.

use crate::gradcheck::{assert_near, contexts, elements, garbage, processor, read, slice, tensor, values, vector};
use reslab::device::{Device, Recorder, Shape, Slice};
use reslab::ops::{Conv2d, ConvBackward, ConvInputGradient, ConvKernel, ConvWeightGradient, Padding};

struct Case {
    input: Shape,
    conv: Conv2d,
}

/// Height and width not a multiple of the stride or of any tile, channels not a multiple of 4, batch 1 and 3.
fn cases() -> Vec<Case> {
    let case = |(n, c, h, w), out_channels, kernel, stride, padding| Case {
        input: Shape::new(n, c, h, w),
        conv: Conv2d { in_channels: c, out_channels, kernel, stride, padding, bias: false },
    };
    vec![
        case((3, 6, 7, 5), 10, 3, 1, Padding::Symmetric),
        case((1, 5, 9, 6), 7, 3, 2, Padding::Symmetric),
        case((3, 9, 8, 5), 6, 3, 2, Padding::Same),
        case((1, 3, 13, 11), 5, 7, 2, Padding::Symmetric),
        case((1, 2, 10, 9), 3, 7, 2, Padding::Same),
        case((3, 10, 5, 7), 35, 1, 1, Padding::Symmetric),
        case((1, 6, 5, 8), 9, 1, 2, Padding::Symmetric),
        case((1, 70, 4, 3), 66, 3, 1, Padding::Same),
        case((3, 4, 1, 1), 3, 3, 2, Padding::Symmetric),
        case((1, 3, 6, 7), 2, 2, 2, Padding::Symmetric),
        case((1, 2, 8, 10), 3, 3, 3, Padding::Same),
    ]
}

/// Input, weights and d_output of a case.
fn operands(case: &Case) -> [Vec<f32>; 3] {
    let conv = &case.conv;
    let weights = conv.out_channels * conv.in_channels * conv.kernel * conv.kernel;
    [values(elements(case.input), 1), values(weights, 2), values(elements(conv.output_shape(case.input)), 3)]
}

#[test]
fn weights_survive_packing() {
    for case in cases() {
        let [_, weight, _] = operands(&case);
        for kernel in ConvKernel::all() {
            if !kernel.supports(&case.conv) {
                continue;
            }
            let packed = kernel.pack(&case.conv, &weight);
            assert_eq!(packed.len(), kernel.packed_len(&case.conv), "{kernel:?} {:?}", case.conv);
            if kernel.method == reslab::ops::Method::Direct {
                assert_eq!(kernel.unpack(&case.conv, &packed), weight, "{kernel:?} {:?}", case.conv);
            }
        }
    }
}

/// Buffers with old values in them: nothing may depend on zeros.
fn scratch(ctx: &Device, bytes: Vec<u64>) -> Vec<Slice> {
    bytes.into_iter().map(|bytes| slice(ctx, &vec![3.0; bytes as usize / 4])).collect()
}

/// `d_input`, plus another gradient with `accumulate`.
fn input_gradient(ctx: &Device, case: &Case, backward: &ConvBackward, accumulate: bool) -> Vec<f32> {
    let [_, weight, d_output] = operands(case);
    let out = case.conv.output_shape(case.input);
    let packed = backward.forward().pack(&case.conv, &weight);
    let other = tensor(ctx, case.input, &values(elements(case.input), 4));
    let d_input = garbage(ctx, case.input);
    let mut recorder = Recorder::new();
    let call = ConvInputGradient {
        label: "conv",
        conv: &case.conv,
        d_output: &tensor(ctx, out, &d_output),
        weight: &slice(ctx, &packed),
        accumulate: accumulate.then_some(&other),
        d_input: &d_input,
        scratch: &scratch(ctx, backward.input_scratch(&case.conv, case.input)),
    };
    backward.record_input(&mut recorder, ctx, &call).unwrap();
    recorder.finish(ctx).run(ctx).unwrap();
    read(ctx, &d_input)
}

/// `d_weight`, plus what an earlier micro-batch has left there.
fn weight_gradient(ctx: &Device, case: &Case, backward: &ConvBackward) -> Vec<f32> {
    let [input, weight, d_output] = operands(case);
    let out = case.conv.output_shape(case.input);
    let kernel = backward.forward();
    let d_weight = slice(ctx, &kernel.pack(&case.conv, &weight));
    let mut recorder = Recorder::new();
    let call = ConvWeightGradient {
        label: "conv",
        conv: &case.conv,
        input: &tensor(ctx, case.input, &input),
        d_output: &tensor(ctx, out, &d_output),
        d_weight: &d_weight,
        scratch: &scratch(ctx, backward.weight_scratch(&case.conv, case.input)),
    };
    backward.record_weight(&mut recorder, ctx, &call).unwrap();
    recorder.finish(ctx).run(ctx).unwrap();
    let mut packed = vector(ctx, &d_weight);
    packed.truncate(kernel.packed_len(&case.conv));
    let got = kernel.unpack(&case.conv, &packed);
    assert_eq!(kernel.pack(&case.conv, &got), packed, "padding entries by {backward:?} of {:?} are zero", case.conv);
    got
}

fn chosen(ctx: &Device, case: &Case) -> ConvBackward {
    let forward = ConvKernel::choose_for_training(ctx, &case.conv, case.input);
    let backward = ConvBackward::choose(ctx, &case.conv, case.input, forward);
    assert_eq!(backward.forward(), forward);
    backward
}

#[test]
fn every_kernel_agrees_with_the_processors() {
    for case in cases() {
        let oracle = chosen(processor(), &case);
        let d_input = [false, true].map(|accumulate| input_gradient(processor(), &case, &oracle, accumulate));
        let d_weight = weight_gradient(processor(), &case, &oracle);
        let check = |ctx: &Device, backward: &ConvBackward, accumulate: bool| {
            let what = |name: &str| format!("{name} by {backward:?} of {:?} on {:?}", case.conv, case.input);
            let got = input_gradient(ctx, &case, backward, accumulate);
            assert_near(&what("d_input"), &got, &d_input[usize::from(accumulate)], 1e-5);
            assert_near(&what("d_weight"), &weight_gradient(ctx, &case, backward), &d_weight, 1e-5);
        };
        for (i, backward) in ConvBackward::all(&contexts()[0], &case.conv, case.input).iter().enumerate() {
            check(&contexts()[0], backward, i % 2 == 0);
        }
        for ctx in contexts() {
            for accumulate in [false, true] {
                check(ctx, &chosen(ctx, &case), accumulate);
            }
        }
    }
}
