//! The gradients of every convolution kernel against the definition in loops, and that against finite differences.
#![cfg(not(target_arch = "wasm32"))]

use reslab::device::{Device, DeviceOptions, Family, Precision, Recorder, Shape, Slice, Tensor};
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

/// Values in -1..1 that no rounding favours.
fn values(count: usize, mut seed: u32) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn count(shape: Shape) -> usize {
    shape.n * shape.c * shape.h * shape.w
}

/// Calls `f` with the indices of every product of the convolution: into the output, the input and the weights (torch's order).
fn products(case: &Case, mut f: impl FnMut(usize, usize, usize)) {
    let (x, conv, out) = (case.input, &case.conv, case.conv.output_shape(case.input));
    let (top, _, _) = conv.padding.resolve(x.h, conv.kernel, conv.stride);
    let (left, _, _) = conv.padding.resolve(x.w, conv.kernel, conv.stride);
    for index in 0..count(out) {
        let (ox, oy) = (index % out.w, index / out.w % out.h);
        let (o, n) = (index / out.w / out.h % out.c, index / out.w / out.h / out.c);
        for i in 0..x.c {
            for ky in 0..conv.kernel {
                let Some(iy) = (oy * conv.stride + ky).checked_sub(top).filter(|y| *y < x.h) else { continue };
                for kx in 0..conv.kernel {
                    let Some(ix) = (ox * conv.stride + kx).checked_sub(left).filter(|v| *v < x.w) else { continue };
                    let weight = ((o * x.c + i) * conv.kernel + ky) * conv.kernel + kx;
                    f(index, ((n * x.c + i) * x.h + iy) * x.w + ix, weight);
                }
            }
        }
    }
}

/// `(d_input, d_weight)` by the definition, summed in f64.
fn reference(case: &Case, input: &[f64], weight: &[f64], d_output: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut d_input, mut d_weight) = (vec![0.0; input.len()], vec![0.0; weight.len()]);
    products(case, |o, i, w| {
        d_input[i] += d_output[o] * weight[w];
        d_weight[w] += d_output[o] * input[i];
    });
    (d_input, d_weight)
}

/// `sum(output * d_output)`: what the gradients are the gradients of.
fn objective(case: &Case, input: &[f64], weight: &[f64], d_output: &[f64]) -> f64 {
    let mut sum = 0.0;
    products(case, |o, i, w| sum += input[i] * weight[w] * d_output[o]);
    sum
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Input, weights and d_output of a case.
fn operands(case: &Case) -> [Vec<f32>; 3] {
    let conv = &case.conv;
    let weights = conv.out_channels * conv.in_channels * conv.kernel * conv.kernel;
    [values(count(case.input), 1), values(weights, 2), values(count(conv.output_shape(case.input)), 3)]
}

#[test]
fn the_reference_agrees_with_finite_differences() {
    for case in cases() {
        let [input, weight, d_output] = operands(&case).map(|v| wide(&v));
        let (d_input, d_weight) = reference(&case, &input, &weight, &d_output);
        let check = |gradient: &[f64], name: &str, objective: &dyn Fn(usize, f64) -> f64| {
            let step = 1e-4;
            for at in (0..gradient.len()).step_by(gradient.len() / 7 + 1) {
                let difference = (objective(at, step) - objective(at, -step)) / (2.0 * step);
                assert!(
                    (difference - gradient[at]).abs() <= 1e-8,
                    "{name}[{at}] of {:?}: {} against {difference}",
                    case.conv,
                    gradient[at]
                );
            }
        };
        let moved = |values: &[f64], at: usize, by: f64| {
            let mut values = values.to_vec();
            values[at] += by;
            values
        };
        check(&d_input, "d_input", &|at, by| objective(&case, &moved(&input, at, by), &weight, &d_output));
        check(&d_weight, "d_weight", &|at, by| objective(&case, &input, &moved(&weight, at, by), &d_output));
    }
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

/// Fails unless `got` is `expected` within `1e-5` of the largest.
fn assert_close(got: &[f32], expected: &[f64], what: &str) {
    let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let worst = got.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(worst <= 1e-5 * largest, "{what}: off by {worst} of {largest}");
}

/// Buffers with old values in them: nothing may depend on zeros.
fn scratch(ctx: &Device, bytes: Vec<u64>) -> Vec<Slice> {
    let dirty = |bytes: u64| Slice::with_bytes(ctx, "scratch", &Precision::F32.encode(&vec![3.0; bytes as usize / 4])).unwrap();
    bytes.into_iter().map(dirty).collect()
}

fn check_input(ctx: &Device, case: &Case, backward: &ConvBackward, accumulate: bool) {
    let [_, weight, d_output] = operands(case);
    let out = case.conv.output_shape(case.input);
    let other = values(count(case.input), 4);
    let (mut expected, _) = reference(case, &vec![0.0; count(case.input)], &wide(&weight), &wide(&d_output));
    if accumulate {
        expected.iter_mut().zip(&other).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    let packed = backward.forward().pack(&case.conv, &weight);
    let weight = Slice::with_bytes(ctx, "weight", &Precision::F32.encode(&packed)).unwrap();
    let d_output = Tensor::from_nchw(ctx, "d_output", out, Precision::F32, &d_output).unwrap();
    let other = Tensor::from_nchw(ctx, "other", case.input, Precision::F32, &other).unwrap();
    let d_input = Tensor::from_nchw(ctx, "d_input", case.input, Precision::F32, &vec![7.0; count(case.input)]).unwrap();
    let mut recorder = Recorder::new();
    let call = ConvInputGradient {
        label: "conv",
        conv: &case.conv,
        d_output: &d_output,
        weight: &weight,
        accumulate: accumulate.then_some(&other),
        d_input: &d_input,
        scratch: &scratch(ctx, backward.input_scratch(&case.conv, case.input)),
    };
    backward.record_input(&mut recorder, ctx, &call).unwrap();
    recorder.finish(ctx).run(ctx).unwrap();
    let what = format!("d_input by {backward:?} of {:?} on {:?}", case.conv, case.input);
    let raw = Precision::F32.decode(&pollster::block_on(d_input.slice.read(ctx)).unwrap());
    for pixel in raw[..case.input.vec4s() * 4].chunks(case.input.c4() * 4) {
        assert!(pixel[case.input.c..].iter().all(|v| *v == 0.0), "{what}: padding channels are zero");
    }
    assert_close(&pollster::block_on(d_input.read_nchw(ctx)).unwrap(), &expected, &what);
}

fn check_weight(ctx: &Device, case: &Case, backward: &ConvBackward) {
    let [input, weight, d_output] = operands(case);
    let out = case.conv.output_shape(case.input);
    let (_, mut expected) = reference(case, &wide(&input), &vec![0.0; weight.len()], &wide(&d_output));
    // An earlier micro-batch has left its gradient.
    expected.iter_mut().zip(&weight).for_each(|(sum, v)| *sum += f64::from(*v));
    let kernel = backward.forward();
    let earlier = kernel.pack(&case.conv, &weight);
    let d_weight = Slice::with_bytes(ctx, "d_weight", &Precision::F32.encode(&earlier)).unwrap();
    let input = Tensor::from_nchw(ctx, "input", case.input, Precision::F32, &input).unwrap();
    let d_output = Tensor::from_nchw(ctx, "d_output", out, Precision::F32, &d_output).unwrap();
    let mut recorder = Recorder::new();
    let call = ConvWeightGradient {
        label: "conv",
        conv: &case.conv,
        input: &input,
        d_output: &d_output,
        d_weight: &d_weight,
        scratch: &scratch(ctx, backward.weight_scratch(&case.conv, case.input)),
    };
    backward.record_weight(&mut recorder, ctx, &call).unwrap();
    recorder.finish(ctx).run(ctx).unwrap();
    let what = format!("d_weight by {backward:?} of {:?} on {:?}", case.conv, case.input);
    let mut packed = Precision::F32.decode(&pollster::block_on(d_weight.read(ctx)).unwrap());
    packed.truncate(kernel.packed_len(&case.conv));
    let got = kernel.unpack(&case.conv, &packed);
    assert_close(&got, &expected, &what);
    assert_eq!(kernel.pack(&case.conv, &got), packed, "{what}: padding entries are zero");
}

fn contexts() -> Vec<Device> {
    let open = |family| Device::new(DeviceOptions { family: Some(family), ..DeviceOptions::software() });
    [Family::Cpu, Family::Gpu].map(|family| pollster::block_on(open(family)).expect("a Vulkan, Metal or DX12 adapter")).into()
}

#[test]
fn every_kernel_computes_the_gradients() {
    let ctx = &contexts()[0];
    for case in cases() {
        for (i, backward) in ConvBackward::all(ctx, &case.conv, case.input).iter().enumerate() {
            check_input(ctx, &case, backward, i % 2 == 0);
            check_weight(ctx, &case, backward);
        }
    }
}

#[test]
fn the_kernels_chosen_compute_the_gradients() {
    for ctx in contexts() {
        for case in cases() {
            let forward = ConvKernel::choose_for_training(&ctx, &case.conv, case.input);
            let backward = ConvBackward::choose(&ctx, &case.conv, case.input, forward);
            assert_eq!(backward.forward(), forward);
            check_input(&ctx, &case, &backward, false);
            check_input(&ctx, &case, &backward, true);
            check_weight(&ctx, &case, &backward);
        }
    }
}
