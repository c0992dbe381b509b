//! `reslab bench`: speed and memory of a network on this device.

mod train;

use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::model::ModelArgs;
use super::{Global, PrecisionArg, Stop, output};
use crate::engine::{Engine, Noise, RunTimes, random_weights};
use crate::gpu::{Context, DispatchTime, Precision};
use crate::model::{InferencePlan, PlanOptions, ResNetSpec, Turns};
use crate::ops::ConvKernel;
use crate::weights::{self, StateDict, detect};
use crate::{Error, Result};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Network by name, with random weights: resnet18 to resnet152, resnet50-caffe, resnet50v2-slim, resnet50v2-keras,
    /// resnet20, resnet164v2 and their kin. Without it the bundled model, --model or --weights is measured.
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
    /// Use this convolution kernel for every layer it can do, e.g. direct-registers or winograd4-tiled64.
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
    software: bool,
    precision: Precision,
    batch: usize,
    size: usize,
    /// Trainable scalars.
    params: usize,
    /// 2 x multiply-adds of one run, in 10^9.
    gflop: f64,
    /// Packing and uploading the weights, compiling kernels.
    prepare_ms: f64,
    /// The first run after that.
    first_ms: f64,
    runs: usize,
    /// From the call to the logits on the CPU.
    mean_ms: f64,
    median_ms: f64,
    /// Standard deviation of the runs.
    deviation_ms: f64,
    min_ms: f64,
    /// A run's share of all runs queued at once, which hides the way to the GPU and back; not measured on software adapters,
    /// where there is none.
    queued_ms: Option<f64>,
    /// By the median.
    images_per_second: f64,
    /// By the median, or by the queued time where there is one.
    gflops: f64,
    weight_bytes: u64,
    activation_bytes: u64,
    dispatches: usize,
    submits: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Layer>>,
}

/// One dispatch, in the order of execution.
#[derive(Debug, Serialize)]
struct Layer {
    name: String,
    kernel: &'static str,
    ms: f64,
    /// Of the time of all layers, 0 to 1.
    share: f64,
    /// 2 x multiply-adds / time; none where the layer states no work.
    gflops: Option<f64>,
}

/// Runs with a timestamp around every dispatch; each takes a little longer than a plain one.
const PROFILES: u32 = 5;

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Stop> {
    let (name, spec, weights) = network(arguments)?;
    let engine = global.open(arguments.precision)?;
    let ctx = engine.context();
    if arguments.train {
        return train::run(ctx, arguments, name, &spec, &weights);
    }
    let graph = spec.build()?;
    let size = arguments.size.map_or(spec.default_image_size(), |n| n as usize);
    let options = PlanOptions {
        precision: precision(&engine, arguments.precision),
        batch: arguments.batch as usize,
        conv_kernel: available(arguments.kernel, ctx)?,
        ..PlanOptions::new(size)
    };
    let start = Instant::now();
    let plan = InferencePlan::new(ctx, &graph, &weights, options)?;
    let prepare_ms = elapsed_ms(start);
    drop(weights);
    plan.input().write_nchw(ctx, &Noise::new("input").values(plan.input().shape.n * spec.image_channels * size * size, 1.0));

    let output = if spec.classes.is_some() { "fc" } else { "avgpool" };
    let run = || -> Result<f64> {
        let start = Instant::now();
        plan.run(ctx)?;
        pollster::block_on(plan.read(ctx, output))?;
        Ok(elapsed_ms(start))
    };
    let first_ms = run()?;
    let bar = output::bar(u64::from(arguments.warmup + arguments.runs), "{msg} [{bar:40}] {pos}/{len} runs, {eta} left");
    bar.set_message(name.clone());
    let measured = (|| {
        for _ in 0..arguments.warmup {
            run()?;
            bar.inc(1);
        }
        (0..arguments.runs).map(|_| run().inspect(|_| bar.inc(1))).collect::<Result<Vec<f64>>>()
    })();
    bar.finish_and_clear();
    let times = RunTimes::of(measured?);
    let queued_ms = if ctx.adapter().software { None } else { Some(queued(&plan, ctx, output, arguments.runs)?) };
    let layers = if arguments.layers { Some(layers(&plan, ctx, arguments.runs.min(PROFILES))?) } else { None };

    let gflop = 2.0 * plan.recording().cost() as f64 / 1e9;
    let memory = plan.memory();
    let report = Report {
        model: name,
        params: graph.parameter_count(),
        arch: spec.arch,
        device: ctx.adapter().name.clone(),
        backend: ctx.adapter().backend.clone(),
        software: ctx.adapter().software,
        precision: plan.options().precision,
        batch: plan.options().batch,
        size,
        gflop,
        prepare_ms,
        first_ms,
        runs: arguments.runs as usize,
        mean_ms: times.mean,
        median_ms: times.median,
        deviation_ms: times.deviation,
        min_ms: times.min,
        queued_ms,
        images_per_second: plan.options().batch as f64 / times.median * 1e3,
        gflops: gflop / queued_ms.unwrap_or(times.median) * 1e3,
        weight_bytes: memory.weight_bytes,
        activation_bytes: memory.activation_bytes,
        dispatches: plan.recording().dispatches(),
        submits: plan.recording().submits(),
        layers,
    };
    if arguments.json { output::print_json(&report) } else { output::print(&text(&report)) }
}

/// The network to measure and its weights.
fn network(arguments: &Arguments) -> Result<(String, ResNetSpec, StateDict)> {
    if let Some(arch) = &arguments.arch {
        let spec = ResNetSpec::named(arch)?;
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

/// The name of a convolution kernel as `--kernel` takes it: method and blocking, `winograd4-subgroup8`.
fn kernel_name(kernel: ConvKernel) -> String {
    format!("{:?}-{:?}", kernel.method, kernel.blocking).to_lowercase()
}

fn kernel(name: &str) -> std::result::Result<ConvKernel, String> {
    let known = || ConvKernel::all().map(kernel_name).collect::<Vec<_>>().join(", ");
    ConvKernel::all()
        .find(|kernel| kernel_name(*kernel) == name.to_lowercase())
        .ok_or_else(|| format!("known are: {}", known()))
}

fn available(kernel: Option<ConvKernel>, ctx: &Context) -> Result<Option<ConvKernel>> {
    match kernel {
        Some(kernel) if !kernel.available(ctx) => {
            let usable: Vec<_> = ConvKernel::all().filter(|k| k.available(ctx)).map(kernel_name).collect();
            Err(Error::Usage(format!(
                "the kernel `{}` does not run on {}; use one of {}",
                kernel_name(kernel),
                ctx.adapter().name,
                usable.join(", ")
            )))
        }
        kernel => Ok(kernel),
    }
}

/// Time of a run when many are queued without a wait between them.
fn queued(plan: &InferencePlan, ctx: &Context, output: &str, runs: u32) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..runs {
        plan.run(ctx)?;
    }
    pollster::block_on(plan.read(ctx, output))?;
    Ok(elapsed_ms(start) / f64::from(runs))
}

/// Every dispatch with the median of its times in `runs` timed runs.
fn layers(plan: &InferencePlan, ctx: &Context, runs: u32) -> Result<Vec<Layer>> {
    let profiles = (0..runs).map(|_| pollster::block_on(plan.profile(ctx))).collect::<Result<Vec<Vec<DispatchTime>>>>()?;
    let Some(first) = profiles.first() else { return Ok(Vec::new()) };
    let median = |index: usize| RunTimes::of(profiles.iter().map(|times| times[index].ms).collect()).median;
    let times: Vec<f64> = (0..first.len()).map(median).collect();
    let total: f64 = times.iter().sum();
    let layer = |(dispatch, ms): (&DispatchTime, f64)| Layer {
        name: dispatch.label.clone(),
        kernel: dispatch.kernel,
        ms,
        share: if total > 0.0 { ms / total } else { 0.0 },
        gflops: (dispatch.multiply_adds > 0 && ms > 0.0).then(|| 2.0 * dispatch.multiply_adds as f64 / ms / 1e6),
    };
    Ok(first.iter().zip(times).map(layer).collect())
}

fn elapsed_ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn text(report: &Report) -> String {
    let precision = format!("{:?}", report.precision).to_lowercase();
    let mut rows = vec![
        ("network", format!("{} ({} parameters)", report.model, report.params)),
        ("device", format!("{}, {}{}", report.device, report.backend, if report.software { ", software adapter" } else { "" })),
        ("input", format!("{} x 3 x {} x {}, {precision}", report.batch, report.size, report.size)),
        ("prepared in", format!("{:.0} ms, first run {:.1} ms", report.prepare_ms, report.first_ms)),
        (
            "a run",
            format!(
                "median {:.2} ms, mean {:.2} ms, deviation {:.2} ms, best {:.2} ms ({} runs)",
                report.median_ms, report.mean_ms, report.deviation_ms, report.min_ms, report.runs
            ),
        ),
    ];
    if let Some(queued) = report.queued_ms {
        rows.push(("queued", format!("{queued:.2} ms a run")));
    }
    rows.extend([
        (
            "speed",
            format!("{:.1} images/s, {:.1} GFLOP/s ({:.2} GFLOP a run)", report.images_per_second, report.gflops, report.gflop),
        ),
        (
            "GPU memory",
            format!(
                "weights {}, activations {}",
                output::megabytes(report.weight_bytes),
                output::megabytes(report.activation_bytes)
            ),
        ),
        ("work", format!("{} dispatches in {} submits", report.dispatches, report.submits)),
    ]);
    let mut text = output::table(&rows.into_iter().map(|(name, value)| vec![name.into(), value]).collect::<Vec<_>>(), &[]);
    if let Some(layers) = &report.layers {
        let total: f64 = layers.iter().map(|layer| layer.ms).sum();
        let mut rows = vec![["layer", "kernel", "ms", "share", "GFLOP/s"].map(String::from).to_vec()];
        rows.extend(layers.iter().map(|layer| {
            vec![
                layer.name.clone(),
                layer.kernel.into(),
                format!("{:.3}", layer.ms),
                format!("{:.1} %", layer.share * 100.0),
                layer.gflops.map_or_else(String::new, |gflops| format!("{gflops:.1}")),
            ]
        }));
        rows.push(vec!["all layers".into(), String::new(), format!("{total:.3}")]);
        text += &format!("\n{}", output::table(&rows, &[2, 3, 4]));
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
        assert!(kernel("nonsense").unwrap_err().contains("winograd4-tiled64"));
    }
}
