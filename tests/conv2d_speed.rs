//! How fast the three passes of a convolution are, by layer: `cargo test --test conv2d_speed -- --ignored --nocapture`.
//! It prints and asserts nothing about time; timings on a shared machine are noisy.
#![cfg(not(target_arch = "wasm32"))]

use reslab::gpu::{Context, ContextOptions, Precision, Recorder, Shape, Slice, Tensor};
use reslab::ops::{Conv2d, ConvBackward, ConvCall, ConvInputGradient, ConvKernel, ConvWeightGradient, Padding};

/// Channels in and out, input size, kernel, stride, and how often the network has the layer.
type Layer = (usize, usize, usize, usize, usize, usize);

/// ResNet-18 (He et al. 2015, arXiv:1512.03385, table 1) at 64x64.
const RESNET18: [Layer; 12] = [
    (3, 64, 64, 7, 2, 1),
    (64, 64, 16, 3, 1, 4),
    (64, 128, 16, 3, 2, 1),
    (64, 128, 16, 1, 2, 1),
    (128, 128, 8, 3, 1, 3),
    (128, 256, 8, 3, 2, 1),
    (128, 256, 8, 1, 2, 1),
    (256, 256, 4, 3, 1, 3),
    (256, 512, 4, 3, 2, 1),
    (256, 512, 4, 1, 2, 1),
    (512, 512, 2, 3, 1, 3),
    (64, 256, 16, 1, 1, 0), // of ResNet-50
];

/// ResNet-20 for CIFAR (section 4.2).
const RESNET20: [Layer; 6] = [
    (3, 16, 32, 3, 1, 1),
    (16, 16, 32, 3, 1, 6),
    (16, 32, 32, 3, 2, 1),
    (32, 32, 16, 3, 1, 5),
    (32, 64, 16, 3, 2, 1),
    (64, 64, 8, 3, 1, 5),
];

/// Milliseconds of a recording, the best of some runs, by kernel in order.
fn best(ctx: &Context, recorder: Recorder) -> (f64, String) {
    let recording = recorder.finish(ctx);
    let runs: Vec<_> = (0..4).map(|_| pollster::block_on(recording.profile(ctx)).expect("timestamp queries")).collect();
    let times: Vec<(&str, f64)> =
        (0..runs[0].len()).map(|i| (runs[0][i].kernel, runs.iter().map(|run| run[i].ms).fold(f64::MAX, f64::min))).collect();
    let parts: Vec<String> = times.iter().map(|(name, ms)| format!("{} {ms:.2}", name.trim_start_matches("conv2d_"))).collect();
    (times.iter().map(|(_, ms)| ms).sum(), parts.join(", "))
}

fn measure(ctx: &Context, name: &str, batch: usize, layers: &[Layer]) {
    println!("{name}, batch {batch}, on {}: ms (GMAC/s) of forward, d_input, d_weight", ctx.adapter().name);
    let f32s = |what: &str, count: usize| Slice::new(ctx, what, count as u64 * 4).unwrap();
    let mut totals = [0.0; 3];
    for &(c, o, size, kernel, stride, times) in layers {
        let conv = Conv2d { in_channels: c, out_channels: o, kernel, stride, padding: Padding::Symmetric, bias: false };
        let shape = Shape::new(batch, c, size, size);
        let forward = ConvKernel::choose_for_training(ctx, &conv, shape);
        let backward = ConvBackward::choose(ctx, &conv, shape, forward);
        let buffers = |bytes: Vec<u64>| bytes.into_iter().map(|b| Slice::new(ctx, "scratch", b).unwrap()).collect::<Vec<_>>();
        let input = Tensor::zeros(ctx, "input", shape, Precision::F32).unwrap();
        let output = Tensor::zeros(ctx, "output", conv.output_shape(shape), Precision::F32).unwrap();
        let d_input = Tensor::zeros(ctx, "d_input", shape, Precision::F32).unwrap();
        let (weight, d_weight) = (f32s("weight", forward.packed_len(&conv)), f32s("d_weight", forward.packed_len(&conv)));
        let bias = f32s("bias", o.next_multiple_of(4));

        let mut recorders = [Recorder::new(), Recorder::new(), Recorder::new()];
        let call = ConvCall {
            label: "forward",
            conv: &conv,
            input: &input,
            weight: &weight,
            bias: &bias,
            residual: None,
            relu: false,
            output: &output,
            scratch: &[],
        };
        forward.record(&mut recorders[0], ctx, &call).unwrap();
        let call = ConvInputGradient {
            label: "d_input",
            conv: &conv,
            d_output: &output,
            weight: &weight,
            accumulate: None,
            d_input: &d_input,
            scratch: &buffers(backward.input_scratch(&conv, shape)),
        };
        backward.record_input(&mut recorders[1], ctx, &call).unwrap();
        let call = ConvWeightGradient {
            label: "d_weight",
            conv: &conv,
            input: &input,
            d_output: &output,
            d_weight: &d_weight,
            scratch: &buffers(backward.weight_scratch(&conv, shape)),
        };
        backward.record_weight(&mut recorders[2], ctx, &call).unwrap();

        let work = conv.multiply_adds(shape) as f64 / 1e6;
        print!("{times} x {c:3} -> {o:3}, {size:2} px, {kernel}x{kernel} / {stride}:");
        let mut details = Vec::new();
        for (total, recorder) in totals.iter_mut().zip(recorders) {
            let (ms, parts) = best(ctx, recorder);
            *total += ms * times as f64;
            print!(" {ms:7.2} ({:5.1})", work / ms);
            details.push(parts);
        }
        println!("  [{}]", details.join(" | "));
    }
    println!("whole net: forward {:.1}, d_input {:.1}, d_weight {:.1} ms", totals[0], totals[1], totals[2]);
}

#[test]
#[ignore = "a measurement"]
fn passes_by_layer() {
    let ctx = pollster::block_on(Context::new(ContextOptions::default())).expect("a Vulkan, Metal or DX12 adapter");
    measure(&ctx, "ResNet-18", 8, &RESNET18);
    measure(&ctx, "ResNet-20", 128, &RESNET20);
}
