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

/// Input, weights and residual of a case, as `stored` can hold them.
fn operands(case: &Case, stored: Precision) -> [Vec<f32>; 3] {
    let Case { input, conv, .. } = case;
    let weights = conv.out_channels * conv.in_channels * conv.kernel * conv.kernel;
    [(elements(*input), 1), (weights, 2), (elements(conv.output_shape(*input)), 4)]
        .map(|(count, seed)| stored.decode(&stored.encode(&values(count, seed))))
}

/// The operands lie in `precision` on the device.
fn run(ctx: &Device, kernel: ConvKernel, case: &Case, operands: &[Vec<f32>; 3], precision: Precision) -> Vec<f32> {
    let out = case.conv.output_shape(case.input);
    let conv = &case.conv;
    let [input, weight, residual] = operands;
    let bias = slice(ctx, &values(conv.out_channels, 3));
    let weight = Slice::with_bytes(ctx, "weight", &precision.encode(&kernel.pack(conv, weight))).unwrap();
    let input = Tensor::from_nchw(ctx, "input", case.input, precision, input).unwrap();
    let residual = Tensor::from_nchw(ctx, "residual", out, precision, residual).unwrap();
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
        let operands = operands(&case, precision);
        let expected = run(processor(), direct, &case, &operands, Precision::F32);
        for kernel in ConvKernel::all().filter(|kernel| kernel.supports(&case.conv) && used(kernel)) {
            let got = run(ctx, kernel, &case, &operands, precision);
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

/// What a tile reads beside its own values and weights is multiplied by zero or not stored: neither may let a NaN through.
#[test]
fn no_nan_leaks_from_beside_a_tile() {
    let ctx = &contexts()[0];
    let conv = |in_channels, kernel, stride| Conv2d {
        in_channels,
        out_channels: 136,
        kernel,
        stride,
        padding: Padding::Symmetric,
        bias: true,
    };
    // Depths that no step of a kernel divides.
    for conv in [conv(5, 1, 1), conv(3, 3, 1), conv(9, 3, 2)] {
        let case = Case { input: Shape::new(3, conv.in_channels, 7, 9), conv, residual: false, relu: false };
        let out = conv.output_shape(case.input);
        let clean = operands(&case, Precision::F32);
        let direct = ConvKernel::choose_for_training(processor(), &conv, case.input);
        let expected = run(processor(), direct, &case, &clean, Precision::F32);
        let mut dirty = clean.clone();
        let image = elements(case.input) / 3;
        dirty[0][..image].fill(f32::NAN);
        let filter = dirty[1].len() / 136;
        dirty[1][64 * filter..72 * filter].fill(f32::NAN);
        for kernel in ConvKernel::all().filter(|kernel| kernel.supports(&conv)) {
            let got = run(ctx, kernel, &case, &dirty, Precision::F32);
            let plane = out.h * out.w;
            for at in 0..got.len() {
                let (image, channel) = (at / plane / 136, at / plane % 136);
                if image > 0 && !(64..72).contains(&channel) {
                    let (got, expected) = (got[at], expected[at]);
                    let what = format!("{kernel:?} of {conv:?}, image {image}, channel {channel}");
                    assert!((got - expected).abs() < 1e-4, "{what}: {got} instead of {expected}");
                }
            }
        }
    }
}

#[test]
fn winograd_is_taken_for_many_channels_and_pictures_in_f32() {
    let method = |pictures, channels, precision| {
        let padding = Padding::Symmetric;
        let conv = Conv2d { in_channels: channels, out_channels: channels, kernel: 3, stride: 1, padding, bias: false };
        ConvKernel::choose(&contexts()[0], &conv, Shape::new(pictures, channels, 14, 14), precision).method
    };
    assert_eq!(method(32, 256, Precision::F32), Method::Winograd4);
    assert_eq!(method(32, 256, Precision::F16), Method::Direct);
    assert_eq!(method(1, 256, Precision::F32), Method::Direct);
    assert_eq!(method(32, 64, Precision::F32), Method::Direct);
}
