//! How fast the three passes of a convolution are, by layer: `cargo test --test device conv2d_speed:: -- --ignored --nocapture`.
//! It prints and asserts nothing about time; timings on a shared machine are noisy.

use reslab::device::{Device, DeviceOptions, Precision, Recorder, Shape, Slice, Tensor};
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

/// Milliseconds this process has computed so far, on all cores, where the system tells. On a software adapter that is what
/// kernels cost, and unlike the time on the clock it hardly depends on what else the machine does.
fn cpu_ms() -> Option<f64> {
    let nanoseconds = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    Some(threads.filter_map(|thread| nanoseconds(&thread.ok()?.path())).sum::<f64>() / 1e6)
}

/// Milliseconds of a recording, the best of some runs: on a software adapter of all cores together.
fn best(ctx: &Device, recorder: Recorder, result: &Slice) -> f64 {
    let recording = recorder.finish(ctx);
    let run = |_| {
        if let (true, Some(start)) = (ctx.adapter().software, cpu_ms()) {
            recording.run(ctx).unwrap();
            pollster::block_on(result.part(0, 16).read(ctx)).unwrap();
            return cpu_ms().unwrap_or(start) - start;
        }
        pollster::block_on(recording.profile(ctx)).expect("timestamp queries").iter().map(|time| time.ms).sum()
    };
    (0..4).map(run).fold(f64::MAX, f64::min)
}

fn measure(ctx: &Device, name: &str, batch: usize, layers: &[Layer]) {
    println!(
        "{name}, batch {batch}, on {}: ms (GMAC/s; of all cores together on a software adapter) of forward, d_input, d_weight",
        ctx.adapter().name
    );
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
        for ((total, recorder), result) in totals.iter_mut().zip(recorders).zip([&output.slice, &d_input.slice, &d_weight]) {
            let ms = best(ctx, recorder, result);
            *total += ms * times as f64;
            print!(" {ms:8.2} ({:5.1})", work / ms);
        }
        println!();
    }
    println!("whole net: forward {:.1}, d_input {:.1}, d_weight {:.1} ms", totals[0], totals[1], totals[2]);
}

#[test]
#[ignore = "a measurement"]
fn passes_by_layer() {
    let ctx = pollster::block_on(Device::new(DeviceOptions::software())).expect("a Vulkan, Metal or DX12 adapter");
    measure(&ctx, "ResNet-18", 8, &RESNET18);
    measure(&ctx, "ResNet-20", 128, &RESNET20);
}
