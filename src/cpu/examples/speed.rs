//! GFLOP/s of the convolutions of ResNet-18, ResNet-50 and ResNet-20, layer by layer, in every method, and of a training step's.
//!
//! `cargo run --release -p reslab-cpu --example speed -- resnet18 1 2 forward` takes the network, the batch, the threads and
//! `forward` or `train`. For WebAssembly see `speed.mjs`.
#![allow(unsafe_code)] // the two functions that Node gives

use reslab_cpu::{Conv, ConvMethod, Executor, Method, Purpose, Shape, Span, Step, Window};

/// Input and output channels, input rows, kernel, stride, how often.
type Layer = (u32, u32, u32, u32, u32, usize);

const RESNET18: &[Layer] = &[
    (3, 64, 224, 7, 2, 1),
    (64, 64, 56, 3, 1, 4),
    (64, 128, 56, 3, 2, 1),
    (64, 128, 56, 1, 2, 1),
    (128, 128, 28, 3, 1, 3),
    (128, 256, 28, 3, 2, 1),
    (128, 256, 28, 1, 2, 1),
    (256, 256, 14, 3, 1, 3),
    (256, 512, 14, 3, 2, 1),
    (256, 512, 14, 1, 2, 1),
    (512, 512, 7, 3, 1, 3),
];

const RESNET50: &[Layer] = &[
    (3, 64, 224, 7, 2, 1),
    (64, 64, 56, 1, 1, 1),
    (64, 64, 56, 3, 1, 3),
    (64, 256, 56, 1, 1, 4),
    (256, 64, 56, 1, 1, 2),
    (256, 128, 56, 1, 1, 1),
    (128, 128, 56, 3, 2, 1),
    (128, 512, 28, 1, 1, 4),
    (256, 512, 56, 1, 2, 1),
    (512, 128, 28, 1, 1, 3),
    (128, 128, 28, 3, 1, 3),
    (512, 256, 28, 1, 1, 1),
    (256, 256, 28, 3, 2, 1),
    (256, 1024, 14, 1, 1, 6),
    (512, 1024, 28, 1, 2, 1),
    (1024, 256, 14, 1, 1, 5),
    (256, 256, 14, 3, 1, 5),
    (1024, 512, 14, 1, 1, 1),
    (512, 512, 14, 3, 2, 1),
    (512, 2048, 7, 1, 1, 3),
    (1024, 2048, 14, 1, 2, 1),
    (2048, 512, 7, 1, 1, 2),
    (512, 512, 7, 3, 1, 2),
];

/// For 32 x 32 pixels.
const RESNET20: &[Layer] = &[
    (3, 16, 32, 3, 1, 1),
    (16, 16, 32, 3, 1, 6),
    (16, 32, 32, 3, 2, 1),
    (32, 32, 16, 3, 1, 5),
    (32, 64, 16, 3, 2, 1),
    (64, 64, 8, 3, 1, 5),
];

fn conv(&(i, o, size, kernel, stride, _): &Layer, batch: u32) -> Conv {
    let out = (size + 2 * (kernel / 2) - kernel) / stride + 1;
    let window = Window { kernel, stride, pad_top: kernel / 2, pad_left: kernel / 2 };
    Conv { input: Shape::new(batch, i, size, size), output: Shape::new(batch, o, out, out), window, groups: 1 }
}

fn buffer(executor: &mut Executor, next: &mut u32, len: usize) -> Span {
    let values: Vec<f32> = (0..len).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let id = *next;
    *next += 1;
    executor.alloc(id, bytes.len() as u64).expect("memory for a layer");
    executor.write(id, 0, &bytes).expect("a write into a new buffer");
    Span { buffer: id, offset: 0, bytes: bytes.len() as u64 }
}

fn measure(network: &str, batch: u32, threads: usize, train: bool) {
    let (layers, rounds) = match network {
        "resnet50" => (RESNET50, 3),
        "resnet20" => (RESNET20, 3),
        _ => (RESNET18, 3),
    };
    let mut executor = Executor::new(threads).expect("threads");
    print(&format!("{network}, batch {batch}, {threads} threads, {}", executor.instructions()));
    let mut names = vec!["direct", "winograd", ""];
    if train {
        names = vec!["forward", "d_input", "d_weight"];
    }
    let (mut steps, mut next) = (Vec::new(), 0);
    for layer in layers {
        let conv = conv(layer, batch);
        let (input, output) =
            (buffer(&mut executor, &mut next, conv.input.len()), buffer(&mut executor, &mut next, conv.output.len()));
        let direct = ConvMethod::choose(&conv, Purpose::Training);
        let mut step = |method: ConvMethod| {
            let weight = buffer(&mut executor, &mut next, method.packed_len(&conv));
            Step::Conv { conv, method, input, weight, bias: None, residual: None, relu: true, output }
        };
        if train {
            let (input, d_output) = (input, output);
            steps.push(Some(step(direct)));
            let weight = buffer(&mut executor, &mut next, direct.packed_len(&conv));
            let d_input = buffer(&mut executor, &mut next, conv.input.len());
            steps.push(Some(Step::ConvInputGradient { conv, method: direct, d_output, weight, accumulate: None, d_input }));
            steps.push(Some(Step::ConvWeightGradient { conv, method: direct, input, d_output, d_weight: weight }));
        } else {
            for method in [Method::Direct, Method::Winograd4] {
                let method = ConvMethod { method, ..direct };
                steps.push(method.supports(&conv).then(|| step(method)));
            }
            steps.push(None);
        }
    }
    // Each step often enough that a coarse clock does; by turns, so that a slow moment does not fall on one of them alone.
    let clock = move || if threads == 1 { thread_ms().unwrap_or_else(now) } else { now() };
    let mut best = vec![f64::MAX; steps.len()];
    for _ in 0..rounds {
        for (i, step) in steps.iter().enumerate() {
            let Some(step) = step else { continue };
            let products = conv(&layers[i / 3], batch).multiply_adds();
            let program = vec![step.clone(); 3_000_000_000u64.div_ceil(products).clamp(1, 200) as usize];
            let start = clock();
            executor.run(&program).expect("a program that fits");
            best[i] = best[i].min((clock() - start) / program.len() as f64);
        }
    }
    let mut totals = [0.0; 4];
    for (layer, times) in layers.iter().zip(best.chunks_exact(3)) {
        let gflop = conv(layer, batch).multiply_adds() as f64 * 2e-9;
        let (i, o, size, kernel, stride, count) = *layer;
        let mut line = format!("{i:5} {o:5} {size:4} {kernel}x{kernel} /{stride} x{count}");
        for (name, ms) in names.iter().zip(times).filter(|(_, ms)| **ms < f64::MAX) {
            line += &format!("   {name} {ms:8.3} ms {:6.1} GFLOP/s", gflop / ms * 1e3);
        }
        print(&line);
        let least = times.iter().copied().fold(f64::MAX, f64::min);
        for (total, ms) in totals.iter_mut().zip(times) {
            *total += count as f64 * if *ms < f64::MAX { *ms } else { times[0] };
        }
        totals[3] += count as f64 * least;
    }
    let all = if train { totals[..3].iter().sum() } else { totals[3] };
    print(&format!(
        "{:.1}, {:.1}, {:.1} ms; {} {all:.1} ms",
        totals[0],
        totals[1],
        totals[2],
        if train { "all" } else { "best" }
    ));
}

/// Time that this thread ran, on Linux, so that one thread can be measured beside other work; else the time of day.
#[cfg(not(target_arch = "wasm32"))]
fn thread_ms() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? * 1e-6)
}

#[cfg(not(target_arch = "wasm32"))]
fn now() -> f64 {
    use std::time::Instant;
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64() * 1e3
}

#[cfg(not(target_arch = "wasm32"))]
fn print(line: &str) {
    println!("{line}");
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args.get(i).and_then(|arg| arg.parse().ok()).unwrap_or(1);
    let network = args.first().map_or("resnet18", String::as_str);
    measure(network, number(1) as u32, number(2), args.get(3).is_some_and(|mode| mode == "train"));
}

#[cfg(target_arch = "wasm32")]
mod node {
    #[link(wasm_import_module = "host")]
    unsafe extern "C" {
        pub safe fn now() -> f64;
        fn print(text: *const u8, len: usize);
    }

    pub fn line(text: &str) {
        // SAFETY: the host reads this much from there, and the text outlives the call.
        unsafe { print(text.as_ptr(), text.len()) }
    }

    /// Network 0 to 2: ResNet-18, -50, -20.
    #[unsafe(no_mangle)]
    extern "C" fn measure(network: u32, batch: u32, train: u32) {
        super::measure(["resnet18", "resnet50", "resnet20"][network as usize % 3], batch, 1, train == 1);
    }
}

#[cfg(target_arch = "wasm32")]
fn thread_ms() -> Option<f64> {
    None
}

#[cfg(target_arch = "wasm32")]
fn now() -> f64 {
    node::now()
}

#[cfg(target_arch = "wasm32")]
fn print(line: &str) {
    node::line(line);
}

#[cfg(target_arch = "wasm32")]
fn main() {}
