//! Every convolution kernel against the definition in loops, on shapes that fit no tile.
#![cfg(not(target_arch = "wasm32"))]

use reslab::device::{Device, DeviceOptions, Precision, Recorder, Shape, Slice, Tensor};
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

/// Values in -1..1 that no rounding favours.
fn values(count: usize, mut seed: u32) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The definition, summed in f64; NCHW.
fn reference(case: &Case, input: &[f32], weight: &[f32], bias: &[f32], residual: &[f32]) -> Vec<f32> {
    let (x, conv, out) = (case.input, &case.conv, case.conv.output_shape(case.input));
    let (top, _, _) = conv.padding.resolve(x.h, conv.kernel, conv.stride);
    let (left, _, _) = conv.padding.resolve(x.w, conv.kernel, conv.stride);
    let mut result = Vec::new();
    for (n, o, oy, ox) in (0..out.n)
        .flat_map(|n| (0..out.c).flat_map(move |o| (0..out.h).flat_map(move |y| (0..out.w).map(move |x| (n, o, y, x)))))
    {
        let mut sum = f64::from(bias[o]);
        for i in 0..x.c {
            for ky in 0..conv.kernel {
                let Some(iy) = (oy * conv.stride + ky).checked_sub(top).filter(|y| *y < x.h) else { continue };
                for kx in 0..conv.kernel {
                    let Some(ix) = (ox * conv.stride + kx).checked_sub(left).filter(|v| *v < x.w) else { continue };
                    let value = input[((n * x.c + i) * x.h + iy) * x.w + ix];
                    sum += f64::from(value) * f64::from(weight[((o * x.c + i) * conv.kernel + ky) * conv.kernel + kx]);
                }
            }
        }
        if case.residual {
            sum += f64::from(residual[result.len()]);
        }
        result.push(if case.relu { sum.max(0.0) } else { sum } as f32);
    }
    result
}

fn run(ctx: &Device, kernel: ConvKernel, case: &Case, precision: Precision) -> (Vec<f32>, Vec<f32>) {
    let out = case.conv.output_shape(case.input);
    // What f16 storage cannot hold is not the kernel's error.
    let stored = |v: Vec<f32>| precision.decode(&precision.encode(&v));
    let conv = &case.conv;
    let input = stored(values(case.input.n * case.input.c * case.input.h * case.input.w, 1));
    let weight = stored(values(conv.out_channels * conv.in_channels * conv.kernel * conv.kernel, 2));
    let bias = values(conv.out_channels, 3);
    let residual = stored(values(out.n * out.c * out.h * out.w, 4));
    let expected = reference(case, &input, &weight, &bias, &residual);

    let mut in_fours = bias.clone();
    in_fours.resize(out.c4() * 4, 0.0);
    let bias = Slice::with_bytes(ctx, "bias", &Precision::F32.encode(&in_fours)).unwrap();
    let weight = Slice::with_bytes(ctx, "weight", &precision.encode(&kernel.pack(conv, &weight))).unwrap();
    let input = Tensor::from_nchw(ctx, "input", case.input, precision, &input).unwrap();
    let residual = Tensor::from_nchw(ctx, "residual", out, precision, &residual).unwrap();
    let output = Tensor::from_nchw(ctx, "output", out, precision, &vec![7.0; out.n * out.c * out.h * out.w]).unwrap();
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
    (pollster::block_on(output.read_nchw(ctx)).unwrap(), expected)
}

fn check(precision: Precision, tolerance: f32) {
    let ctx = pollster::block_on(Device::new(DeviceOptions::software())).expect("a Vulkan, Metal or DX12 adapter");
    if precision == Precision::F16 && !ctx.has_f16() {
        return;
    }
    // Winograd is never chosen for f16.
    let used = |kernel: &ConvKernel| precision == Precision::F32 || kernel.method == Method::Direct;
    for kernel in ConvKernel::all().filter(|kernel| kernel.available(&ctx) && used(kernel)) {
        for case in cases().iter().filter(|case| kernel.supports(&case.conv)) {
            let (got, expected) = run(&ctx, kernel, case, precision);
            let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(
                worst <= tolerance * largest,
                "{kernel:?} {:?} on {:?}: off by {worst} of {largest}",
                case.conv,
                case.input
            );
        }
    }
}

#[test]
fn every_kernel_computes_the_definition() {
    check(Precision::F32, 1e-5);
}

#[test]
fn every_kernel_computes_the_definition_from_f16_storage() {
    check(Precision::F16, 1e-3);
}
