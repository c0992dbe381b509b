//! Every convolution kernel of a GPU against the processor's, on shapes that fit no tile.

use crate::gradcheck::{assert_near, contexts, elements, processor, slice, values};
use reslab::device::{Device, Precision, Recorder, Shape, Slice, Tensor};
use reslab::ops::{Conv2d, ConvCall, ConvKernel, Method, Padding};

struct Case {
    input: Shape,
    conv: Conv2d,
    residual: bool,
    relu: bool,
}

/// Height and width not a multiple of any tile, channels not a multiple of 4, batch 3, stride 2, asymmetric padding.
fn cases() -> Vec<Case> {
    let case = |(n, c, h, w), out_channels, kernel, stride, padding, residual, relu| Case {
        input: Shape::new(n, c, h, w),
        conv: Conv2d { in_channels: c, out_channels, kernel, stride, padding, bias: true },
        residual,
        relu,
    };
    vec![
        case((3, 6, 13, 9), 10, 3, 1, Padding::Symmetric, true, true),
        case((2, 3, 11, 15), 70, 7, 2, Padding::Same, false, true),
        case((1, 9, 8, 8), 5, 1, 2, Padding::Symmetric, false, false),
        case((1, 4, 10, 12), 130, 3, 2, Padding::Same, true, false),
        case((2, 32, 14, 14), 64, 3, 1, Padding::Symmetric, true, true),
        case((1, 5, 1, 1), 3, 3, 1, Padding::Symmetric, false, false),
        case((1, 70, 9, 5), 33, 1, 1, Padding::Symmetric, true, true),
    ]
}

/// The case's values are what `stored` can hold, and lie in `precision` on the device.
fn run(ctx: &Device, kernel: ConvKernel, case: &Case, stored: Precision, precision: Precision) -> Vec<f32> {
    let out = case.conv.output_shape(case.input);
    let stored = |v: Vec<f32>| stored.decode(&stored.encode(&v));
    let conv = &case.conv;
    let input = stored(values(elements(case.input), 1));
    let weight = stored(values(conv.out_channels * conv.in_channels * conv.kernel * conv.kernel, 2));
    let residual = stored(values(elements(out), 4));

    let bias = slice(ctx, &values(conv.out_channels, 3));
    let weight = Slice::with_bytes(ctx, "weight", &precision.encode(&kernel.pack(conv, &weight))).unwrap();
    let input = Tensor::from_nchw(ctx, "input", case.input, precision, &input).unwrap();
    let residual = Tensor::from_nchw(ctx, "residual", out, precision, &residual).unwrap();
    let output = Tensor::from_nchw(ctx, "output", out, precision, &vec![7.0; elements(out)]).unwrap();
    let scratch: Vec<Slice> = kernel
        .scratch(conv, case.input, precision)
        .into_iter()
        .map(|bytes| Slice::new(ctx, "scratch", bytes).unwrap())
        .collect();
    let mut recorder = Recorder::new();
    let call = ConvCall {
        label: "conv",
        conv,
        input: &input,
        weight: &weight,
        bias: &bias,
        residual: case.residual.then_some(&residual),
        relu: case.relu,
        output: &output,
        scratch: &scratch,
    };
    kernel.record(&mut recorder, ctx, &call).unwrap();
    recorder.finish(ctx).run(ctx).unwrap();
    let raw = precision.decode(&pollster::block_on(output.slice.read(ctx)).unwrap());
    for pixel in raw[..out.vec4s() * 4].chunks(out.c4() * 4) {
        assert!(pixel[out.c..].iter().all(|v| *v == 0.0), "{kernel:?} {case:?}: padding channels are zero", case = case.conv);
    }
    pollster::block_on(output.read_nchw(ctx)).unwrap()
}

fn check(precision: Precision, tolerance: f32) {
    let ctx = &contexts()[0];
    if precision == Precision::F16 && !ctx.has_f16() {
        return;
    }
    // Winograd is never chosen for f16.
    let used = |kernel: &ConvKernel| precision == Precision::F32 || kernel.method == Method::Direct;
    for case in cases() {
        let direct = ConvKernel::choose_for_training(processor(), &case.conv, case.input);
        let expected = run(processor(), direct, &case, precision, Precision::F32);
        for kernel in ConvKernel::all().filter(|kernel| kernel.supports(&case.conv) && used(kernel)) {
            let got = run(ctx, kernel, &case, precision, precision);
            assert_near(&format!("{kernel:?} {:?} on {:?}", case.conv, case.input), &got, &expected, tolerance);
        }
    }
}

#[test]
fn every_kernel_agrees_with_the_processors() {
    check(Precision::F32, 1e-5);
}

#[test]
fn every_kernel_agrees_with_the_processors_from_f16_storage() {
    check(Precision::F16, 1e-3);
}
