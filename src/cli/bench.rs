//! `reslab bench`: speed and memory of a network on this device.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::model::ModelArgs;
use super::{Global, PrecisionArg, Stop, clock, output};
use crate::device::{Device, DeviceKind, DispatchTime, Precision};
use crate::engine::{Bench, BenchmarkJob, BenchmarkWork, Engine, RunTimes, random_weights};
use crate::model::training::{Pass, TrainingMemory};
use crate::model::{ResNetSpec, Turns};
use crate::ops::{Blocking, ConvKernel};
use crate::weights::{self, StateDict, detect};
use crate::{Error, Result};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Network by name, with random weights: resnet18 to resnet152, resnet50-caffe, resnet50v2-slim, resnet50v2-keras,
    /// resnet20, resnet164v2 and their kin, or a .json file with a block table. Without it the bundled model, --model or --weights is measured.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "weights"])]
    arch: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Images a run.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    batch: u32,
    /// Side of the square images in pixels. By default what the network was made for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    size: Option<u32>,
    /// Element type on the GPU.
    #[arg(long, value_enum, default_value_t = PrecisionArg::Auto)]
    precision: PrecisionArg,
    /// Runs to measure.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Runs before that, not measured.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(..=1000))]
    warmup: u32,
    /// Also time every layer, with timestamp queries.
    #[arg(long)]
    layers: bool,
    /// Measure training steps: forward, backward and update of the whole network with SGD and batch statistics, f32.
    #[arg(long, conflicts_with = "kernel")]
    train: bool,
    /// Use this convolution kernel for every layer it can do, e.g. direct-registers or winograd4-tiled64x64.
    #[arg(long, value_name = "NAME", value_parser = kernel)]
    kernel: Option<ConvKernel>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints. Times in milliseconds of a whole batch.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    arch: String,
    device: String,
    backend: String,
    device_kind: DeviceKind,
    software: bool,
    /// Forward, backward and update instead of forward.
    training: bool,
    precision: Precision,
    batch: usize,
    size: usize,
    /// Trainable scalars.
    params: usize,
    /// 2 x multiply-adds of one run, in 10^9.
    gflop: f64,
    /// Planning, packing and uploading the weights, compiling kernels.
    prepare_ms: f64,
    /// The first run after that.
    first_ms: f64,
    runs: usize,
    /// From the call to the logits, or the loss, on the CPU.
    mean_ms: f64,
    median_ms: f64,
    /// Standard deviation of the runs.
    deviation_ms: f64,
    min_ms: f64,
    /// Every measured run, in order.
    times_ms: Vec<f64>,
    /// A run's share of all runs queued at once, which hides the way to the GPU and back; not measured on software adapters,
    /// where there is none.
    queued_ms: Option<f64>,
    /// By the median.
    images_per_second: f64,
    /// By the median, or by the queued time where there is one.
    gflops: f64,
    memory: TrainingMemory,
    dispatches: usize,
    /// Of a forward pass.
    submits: usize,
    /// Of a training step.
    #[serde(skip_serializing_if = "Option::is_none")]
    passes: Option<Vec<PassTime>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Layer>>,
}

#[derive(Debug, Serialize)]
struct PassTime {
    pass: Pass,
    ms: f64,
    share: f64,
    /// None where the pass states no work.
    gflops: Option<f64>,
}

/// One dispatch, in the order of execution.
#[derive(Debug, Serialize)]
struct Layer {
    pass: Pass,
    name: String,
    kernel: &'static str,
    ms: f64,
    /// Of the time of all layers, 0 to 1.
    share: f64,
    /// 2 x multiply-adds / time; none where the layer states no work.
    gflops: Option<f64>,
    #[serde(skip)]
    multiply_adds: u64,
}

/// Runs with a timestamp around every dispatch; each takes a little longer than a plain one.
const PROFILES: u32 = 5;

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Stop> {
    let (name, spec, weights) = network(arguments)?;
    let engine = global.open(arguments.precision)?;
    let ctx = engine.context();
    let work = if arguments.train { BenchmarkWork::Training } else { BenchmarkWork::Forward };
    let size = arguments.size.map_or(spec.default_image_size(), |n| n as usize);
    let job = BenchmarkJob {
        precision: if arguments.train { Precision::F32 } else { precision(&engine, arguments.precision) },
        conv_kernel: available(arguments.kernel, ctx)?,
        ..BenchmarkJob::new(spec.clone(), work, arguments.batch as usize, size)
    };
    let start = Instant::now();
    let mut turns = Turns::none();
    let mut bench = pollster::block_on(Bench::new(ctx, &job, &mut turns))?;
    pollster::block_on(bench.load(ctx, &weights, &mut turns))?;
    let prepare_ms = elapsed_ms(start);
    drop(weights);
    pollster::block_on(bench.fill(ctx, &mut turns));

    let first_ms = pollster::block_on(bench.time(ctx))?;
    let bar = output::bar(u64::from(arguments.warmup + arguments.runs), "{msg} [{bar:40}] {pos}/{len} runs, {eta} left");
    bar.set_message(name.clone());
    let mut measured = Vec::new();
    for run in 0..arguments.warmup + arguments.runs {
        let ms = pollster::block_on(bench.time(ctx))?;
        bar.inc(1);
        // As TF-slim's benchmark prints it: a dated line every ten runs that count.
        if let Some(step) = run.checked_sub(arguments.warmup) {
            if step.is_multiple_of(10) && arguments.runs > 10 {
                bar.suspend(|| output::remark(&format!("{}: step {step}, duration = {:.3}", clock::now(), ms / 1e3)));
            }
            measured.push(ms);
        }
    }
    bar.finish_and_clear();
    let times = RunTimes::of(measured);
    if arguments.runs > 10 {
        let pass = if arguments.train { "Forward-backward" } else { "Forward" };
        let (mean, deviation) = (times.mean / 1e3, times.deviation / 1e3);
        let line = format!("{pass} across {} steps, {mean:.3} +/- {deviation:.3} sec / batch", arguments.runs);
        output::remark(&format!("{}: {line}", clock::now()));
    }
    let queued_ms = if ctx.adapter().software { None } else { Some(queued(&mut bench, ctx, arguments.runs)?) };
    let layers = if arguments.layers { Some(layers(&bench, ctx, arguments.runs.min(PROFILES))?) } else { None };

    let gflop = 2.0 * bench.multiply_adds() as f64 / 1e9;
    let report = Report {
        model: name,
        params: bench.graph().parameter_count(),
        arch: spec.arch,
        device: ctx.adapter().name.clone(),
        backend: ctx.adapter().backend.clone(),
        device_kind: ctx.kind(),
        software: ctx.adapter().software,
        training: arguments.train,
        precision: job.precision,
        batch: job.batch,
        size,
        gflop,
        prepare_ms,
        first_ms,
        runs: arguments.runs as usize,
        mean_ms: times.mean,
        median_ms: times.median,
        deviation_ms: times.deviation,
        min_ms: times.min,
        times_ms: times.all.clone(),
        queued_ms,
        images_per_second: job.batch as f64 / times.median * 1e3,
        gflops: gflop / queued_ms.unwrap_or(times.median) * 1e3,
        memory: bench.memory(),
        dispatches: bench.dispatches(),
        submits: bench.submits(),
        passes: layers.as_deref().filter(|_| arguments.train).map(passes),
        layers,
    };
    if arguments.json { output::print_json(&report) } else { output::print(&text(&report)) }
}

/// The network to measure and its weights.
fn network(arguments: &Arguments) -> Result<(String, ResNetSpec, StateDict)> {
    if let Some(arch) = &arguments.arch {
        let spec = super::model::architecture(arch)?;
        let weights = pollster::block_on(random_weights(&spec.build()?, &mut Turns::none()));
        return Ok((format!("{arch} with random weights"), spec, weights));
    }
    let source = arguments.model.source()?;
    let found = detect::detect(weights::read(&source.name, &source.bytes)?)?;
    Ok((source.name, found.spec, found.weights))
}

/// The engine's rule for the element type.
fn precision(engine: &Engine, choice: PrecisionArg) -> Precision {
    let device = engine.device();
    let f16 = match choice {
        PrecisionArg::Auto => device.f16 && !device.adapter.software,
        PrecisionArg::F16 => device.f16,
        PrecisionArg::F32 => false,
    };
    if f16 { Precision::F16 } else { Precision::F32 }
}

/// The name of a convolution kernel as `--kernel` takes it: method and blocking, `winograd4-tiled64x64`.
fn kernel_name(kernel: ConvKernel) -> String {
    let cut = match kernel.blocking {
        Blocking::Gpu(tiling) => format!("{tiling:?}"),
        Blocking::Cpu { panel } => format!("panels{panel}"),
    };
    format!("{:?}-{cut}", kernel.method).to_lowercase()
}

fn kernel(name: &str) -> std::result::Result<ConvKernel, String> {
    let known = || ConvKernel::all().map(kernel_name).collect::<Vec<_>>().join(", ");
    ConvKernel::all()
        .find(|kernel| kernel_name(*kernel) == name.to_lowercase())
        .ok_or_else(|| format!("known are: {}", known()))
}

fn available(kernel: Option<ConvKernel>, ctx: &Device) -> Result<Option<ConvKernel>> {
    match kernel {
        Some(kernel) if !kernel.available(ctx) => {
            let (kernel, device) = (kernel_name(kernel), &ctx.adapter().name);
            Err(Error::Usage(format!(
                "the kernel `{kernel}` is WGSL and does not run on {device}; add --device gpu or software"
            )))
        }
        kernel => Ok(kernel),
    }
}

/// Time of a run when many are queued without a wait between them.
fn queued(bench: &mut Bench, ctx: &Device, runs: u32) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..runs {
        bench.queue(ctx)?;
    }
    pollster::block_on(bench.result(ctx))?;
    Ok(elapsed_ms(start) / f64::from(runs))
}

fn gflops(multiply_adds: u64, ms: f64) -> Option<f64> {
    (multiply_adds > 0 && ms > 0.0).then(|| 2.0 * multiply_adds as f64 / ms / 1e6)
}

/// Every dispatch with the median of its times in `runs` timed runs.
fn layers(bench: &Bench, ctx: &Device, runs: u32) -> Result<Vec<Layer>> {
    type Profile = Vec<(Pass, DispatchTime)>;
    let profiles = (0..runs).map(|_| pollster::block_on(bench.profile(ctx))).collect::<Result<Vec<Profile>>>()?;
    let Some(first) = profiles.first() else { return Ok(Vec::new()) };
    let median = |index: usize| RunTimes::of(profiles.iter().map(|times| times[index].1.ms).collect()).median;
    let times: Vec<f64> = (0..first.len()).map(median).collect();
    let total: f64 = times.iter().sum();
    let layer = |((pass, dispatch), ms): (&(Pass, DispatchTime), f64)| Layer {
        pass: *pass,
        name: dispatch.label.clone(),
        kernel: dispatch.kernel,
        ms,
        share: ms / total.max(f64::MIN_POSITIVE),
        gflops: gflops(dispatch.multiply_adds, ms),
        multiply_adds: dispatch.multiply_adds,
    };
    Ok(first.iter().zip(times).map(layer).collect())
}

fn passes(layers: &[Layer]) -> Vec<PassTime> {
    let mut sums: BTreeMap<Pass, (f64, f64, u64)> = BTreeMap::new();
    for layer in layers {
        let (ms, share, work) = sums.entry(layer.pass).or_default();
        *ms += layer.ms;
        *share += layer.share;
        *work += layer.multiply_adds;
    }
    let line = |(pass, (ms, share, work))| PassTime { pass, ms, share, gflops: gflops(work, ms) };
    sums.into_iter().map(line).collect()
}

fn elapsed_ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn text(report: &Report) -> String {
    let precision = format!("{:?}", report.precision).to_lowercase();
    let memory = &report.memory;
    let mut parts = vec![("parameters", memory.parameter_bytes)];
    if report.training {
        parts.extend([("gradients", memory.gradient_bytes), ("optimizer", memory.optimizer_bytes)]);
    }
    parts.push(("activations", memory.activation_bytes));
    let parts: Vec<String> = parts.iter().map(|(name, bytes)| format!("{name} {}", output::megabytes(*bytes))).collect();
    let mut rows = vec![
        ("network", format!("{} ({} parameters)", report.model, report.params)),
        ("device", format!("{}, {}{}", report.device, report.backend, if report.software { ", software adapter" } else { "" })),
        ("input", format!("{} x 3 x {} x {}, {precision}", report.batch, report.size, report.size)),
        ("prepared in", format!("{:.0} ms, first run {:.1} ms", report.prepare_ms, report.first_ms)),
        (
            if report.training { "a step" } else { "a run" },
            format!(
                "median {:.2} ms, mean {:.2} ms, deviation {:.2} ms, best {:.2} ms ({} runs)",
                report.median_ms, report.mean_ms, report.deviation_ms, report.min_ms, report.runs
            ),
        ),
    ];
    if report.training {
        rows.insert(3, ("training", "forward, backward and update of all layers: SGD with momentum, batch statistics".into()));
    }
    if let Some(queued) = report.queued_ms {
        rows.push(("queued", format!("{queued:.2} ms a run")));
    }
    rows.extend([
        (
            "speed",
            format!("{:.1} images/s, {:.1} GFLOP/s ({:.2} GFLOP a run)", report.images_per_second, report.gflops, report.gflop),
        ),
        ("GPU memory", format!("{}: {}", output::megabytes(memory.total()), parts.join(", "))),
        ("work", format!("{} dispatches", report.dispatches)),
    ]);
    let mut text = output::table(&rows.into_iter().map(|(name, value)| vec![name.into(), value]).collect::<Vec<_>>(), &[]);
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.1}"));
    let share = |share: f64| format!("{:.1} %", share * 100.0);
    if let Some(passes) = &report.passes {
        let mut rows = vec![["pass", "ms", "share", "GFLOP/s"].map(String::from).to_vec()];
        let line = |pass: &PassTime| {
            vec![format!("{:?}", pass.pass), format!("{:.2}", pass.ms), share(pass.share), number(pass.gflops)]
        };
        rows.extend(passes.iter().map(line));
        text += &format!("\n{}", output::table(&rows, &[1, 2, 3]));
    }
    if let Some(layers) = &report.layers {
        let total: f64 = layers.iter().map(|layer| layer.ms).sum();
        let mut rows = vec![["layer", "pass", "kernel", "ms", "share", "GFLOP/s"].map(String::from).to_vec()];
        rows.extend(layers.iter().map(|layer| {
            let (pass, ms) = (format!("{:?}", layer.pass), format!("{:.3}", layer.ms));
            vec![layer.name.clone(), pass, layer.kernel.into(), ms, share(layer.share), number(layer.gflops)]
        }));
        rows.push(vec!["all layers".into(), String::new(), String::new(), format!("{total:.3}")]);
        text += &format!("\n{}", output::table(&rows, &[3, 4, 5]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_have_names() {
        for known in ConvKernel::all() {
            assert_eq!(kernel(&kernel_name(known)), Ok(known));
        }
        assert!(kernel("nonsense").unwrap_err().contains("winograd4-tiled64x64"));
    }
}
