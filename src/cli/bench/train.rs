//! `reslab bench --train`: speed and memory of training steps.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::{Arguments, elapsed_ms};
use crate::cli::{Stop, output};
use crate::engine::{Noise, RunTimes};
use crate::gpu::{Context, DispatchTime, Precision, Shape, Tensor};
use crate::model::training::{Grouping, Parameters, Pass, TrainingMemory, TrainingOptions, TrainingPlan};
use crate::model::{ResNetSpec, Turns};
use crate::ops::{LossKind, Optimizer, Statistics, Target};
use crate::weights::StateDict;
use crate::{Error, Result};

/// What `--json` prints. Times in milliseconds of a whole step.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    arch: String,
    device: String,
    software: bool,
    batch: usize,
    size: usize,
    /// 2 x multiply-adds of forward and backward, in 10^9.
    gflop: f64,
    /// Planning, uploading the weights, compiling kernels.
    prepare_ms: f64,
    first_ms: f64,
    runs: usize,
    median_ms: f64,
    min_ms: f64,
    /// By the median.
    images_per_second: f64,
    gflops: f64,
    memory: TrainingMemory,
    dispatches: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    passes: Option<Vec<PassTime>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Dispatch>>,
}

#[derive(Debug, Serialize)]
struct PassTime {
    pass: Pass,
    ms: f64,
    share: f64,
    /// None where the pass states no work.
    gflops: Option<f64>,
}

/// One dispatch in the order of execution.
#[derive(Debug, Serialize)]
struct Dispatch {
    pass: Pass,
    name: String,
    kernel: &'static str,
    ms: f64,
    gflops: Option<f64>,
}

pub(super) fn run(
    ctx: &Context,
    arguments: &Arguments,
    name: String,
    spec: &ResNetSpec,
    weights: &StateDict,
) -> Result<(), Stop> {
    let Some(classes) = spec.classes else {
        return Err(Error::Usage(format!("{} ends in features; only a network with classes can be trained", spec.arch)).into());
    };
    let graph = spec.build()?;
    let batch = arguments.batch as usize;
    let size = arguments.size.map_or(spec.default_image_size(), |n| n as usize);
    let shape = Shape::new(batch, spec.image_channels, size, size);
    let optimizer = Optimizer::sgd();

    let start = Instant::now();
    let grouping = Grouping { state_buffers: optimizer.state_buffers(), group: &|_| (1.0, 1e-4) };
    let parameters = Parameters::new(ctx, &graph, shape, &grouping)?;
    pollster::block_on(parameters.load(ctx, weights, &mut Turns::none()))?;
    let input = Tensor::zeros(ctx, "images", shape, Precision::F32)?;
    let options = TrainingOptions {
        loss: LossKind::default(),
        class_weights: Vec::new(),
        statistics: Statistics::Batch { momentum: 0.1, unbiased: true },
        micro_batches: 1,
        optimizer,
        decoupled: false,
    };
    let plan = pollster::block_on(TrainingPlan::new(ctx, &graph, &parameters, &input, &options, &mut Turns::none()))?;
    ctx.check()?;
    let prepare_ms = elapsed_ms(start);
    input.write_nchw(ctx, &Noise::new("input").values(shape.n * shape.c * size * size, 1.0));
    let targets: Vec<Target> = (0..batch).map(|image| Target::class((image % classes) as u32)).collect();
    plan.set_targets(ctx, &targets);

    let mut number = 0;
    let mut step = || -> Result<f64> {
        let start = Instant::now();
        number += 1;
        plan.accumulate(ctx)?;
        plan.update(ctx, 1e-4, number, None)?;
        pollster::block_on(plan.totals(ctx))?;
        Ok(elapsed_ms(start))
    };
    let first_ms = step()?;
    let bar = output::bar(u64::from(arguments.warmup + arguments.runs), "{msg} [{bar:40}] {pos}/{len} steps, {eta} left");
    bar.set_message(name.clone());
    let measured = (|| {
        for _ in 0..arguments.warmup {
            step()?;
            bar.inc(1);
        }
        (0..arguments.runs).map(|_| step().inspect(|_| bar.inc(1))).collect::<Result<Vec<f64>>>()
    })();
    bar.finish_and_clear();
    let times = RunTimes::of(measured?);
    let profile = if arguments.layers { Some(pollster::block_on(plan.profile(ctx))?) } else { None };

    let gflop = 2.0 * plan.cost() as f64 / 1e9;
    let report = Report {
        model: name,
        arch: spec.arch.clone(),
        device: ctx.adapter().name.clone(),
        software: ctx.adapter().software,
        batch,
        size,
        gflop,
        prepare_ms,
        first_ms,
        runs: arguments.runs as usize,
        median_ms: times.median,
        min_ms: times.min,
        images_per_second: batch as f64 / times.median * 1e3,
        gflops: gflop / times.median * 1e3,
        memory: plan.memory(),
        dispatches: plan.dispatches(),
        passes: profile.as_deref().map(passes),
        layers: profile.map(|times| times.into_iter().map(dispatch).collect()),
    };
    if arguments.json { output::print_json(&report) } else { output::print(&text(&report)) }
}

fn gflops(multiply_adds: u64, ms: f64) -> Option<f64> {
    (multiply_adds > 0 && ms > 0.0).then(|| 2.0 * multiply_adds as f64 / ms / 1e6)
}

fn passes(profile: &[(Pass, DispatchTime)]) -> Vec<PassTime> {
    let mut sums: BTreeMap<Pass, (f64, u64)> = BTreeMap::new();
    for (pass, time) in profile {
        let (ms, work) = sums.entry(*pass).or_default();
        *ms += time.ms;
        *work += time.multiply_adds;
    }
    let total: f64 = sums.values().map(|(ms, _)| ms).sum();
    let line = |(pass, (ms, work))| PassTime { pass, ms, share: ms / total.max(f64::MIN_POSITIVE), gflops: gflops(work, ms) };
    sums.into_iter().map(line).collect()
}

fn dispatch((pass, time): (Pass, DispatchTime)) -> Dispatch {
    Dispatch { pass, gflops: gflops(time.multiply_adds, time.ms), name: time.label, kernel: time.kernel, ms: time.ms }
}

fn text(report: &Report) -> String {
    let memory = &report.memory;
    let rows = [
        ("network", report.model.clone()),
        ("device", format!("{}{}", report.device, if report.software { ", software adapter" } else { "" })),
        ("step", format!("{} x 3 x {} x {}, f32, SGD with momentum, batch statistics", report.batch, report.size, report.size)),
        ("prepared in", format!("{:.0} ms, first step {:.1} ms", report.prepare_ms, report.first_ms)),
        ("a step", format!("median {:.2} ms, best {:.2} ms ({} steps)", report.median_ms, report.min_ms, report.runs)),
        (
            "speed",
            format!(
                "{:.1} images/s, {:.1} GFLOP/s ({:.2} GFLOP a step)",
                report.images_per_second, report.gflops, report.gflop
            ),
        ),
        (
            "GPU memory",
            format!(
                "{}: parameters {}, gradients {}, optimizer {}, activations {}",
                output::megabytes(memory.total()),
                output::megabytes(memory.parameter_bytes),
                output::megabytes(memory.gradient_bytes),
                output::megabytes(memory.optimizer_bytes),
                output::megabytes(memory.activation_bytes)
            ),
        ),
        ("work", format!("{} dispatches", report.dispatches)),
    ];
    let mut text = output::table(&rows.map(|(name, value)| vec![name.into(), value]), &[]);
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:.1}"));
    if let Some(passes) = &report.passes {
        let mut rows = vec![["pass", "ms", "share", "GFLOP/s"].map(String::from).to_vec()];
        rows.extend(passes.iter().map(|pass| {
            let share = format!("{:.1} %", pass.share * 100.0);
            vec![format!("{:?}", pass.pass), format!("{:.2}", pass.ms), share, number(pass.gflops)]
        }));
        text += &format!("\n{}", output::table(&rows, &[1, 2, 3]));
    }
    if let Some(layers) = &report.layers {
        let mut rows = vec![["layer", "pass", "kernel", "ms", "GFLOP/s"].map(String::from).to_vec()];
        rows.extend(layers.iter().map(|layer| {
            let pass = format!("{:?}", layer.pass);
            vec![layer.name.clone(), pass, layer.kernel.into(), format!("{:.3}", layer.ms), number(layer.gflops)]
        }));
        text += &format!("\n{}", output::table(&rows, &[3, 4]));
    }
    text
}
