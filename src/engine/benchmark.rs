//! How fast a network is on this device: one run at a time between other work, with random weights, beside the loaded model.

mod bench;
mod layers;
mod numbers;

use web_time::Instant;

use super::core::{Engine, turns};
use super::message::Event;
use crate::device::{Adapter, Device, DispatchTime, Precision};
use crate::model::training::{Pass, TrainingMemory};
use crate::model::{ResNetSpec, Turns};
use crate::{Error, Result};

pub use crate::ops::LayerKind;
pub use bench::{Bench, BenchmarkJob};
pub use layers::LayerTime;
pub use numbers::{Noise, RunTimes, random_weights};

/// What a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BenchmarkWork {
    /// From images on the GPU to the logits on the CPU.
    #[default]
    Forward,
    /// Forward, backward and update of the whole network: SGD with momentum, batch statistics, f32.
    Training,
}

/// A network to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchmarkOrder {
    /// The door's own number for it.
    pub number: u64,
    /// A name of [`NAMED`](crate::model::resnet::NAMED).
    pub arch: String,
    /// Images a run.
    pub batch: usize,
    /// Side of the images in pixels.
    pub size: usize,
    /// What a run does.
    pub work: BenchmarkWork,
    /// Element type; training is in f32 whatever this says.
    pub precision: Precision,
    /// Runs before those that count, at least 1: the first compiles kernels.
    pub warm_up: usize,
    /// Runs that count, at least 1.
    pub runs: usize,
}

/// Where a benchmark stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchmarkPhase {
    /// Kernels are compiled and caches fill.
    WarmUp,
    /// Runs that count.
    Runs,
    /// Runs with a clock around every layer.
    Layers,
}

/// What came of a [`BenchmarkOrder`].
#[derive(Debug, Clone)]
pub enum BenchmarkEvent {
    /// A run is next.
    Going {
        /// As in the order.
        number: u64,
        /// What it is for.
        phase: BenchmarkPhase,
        /// Runs done, of all phases.
        done: usize,
        /// Runs of all phases.
        total: usize,
    },
    /// All is measured.
    Finished {
        /// As in the order.
        number: u64,
        /// The figures.
        report: Box<BenchmarkReport>,
    },
    /// The order ended with this error.
    Failed {
        /// As in the order.
        number: u64,
        /// What, and what to do.
        error: Error,
    },
}

/// The figures of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchmarkReport {
    /// What was measured; the precision is the one in use.
    pub order: BenchmarkOrder,
    /// The device.
    pub adapter: Adapter,
    /// Trainable scalars.
    pub parameters: usize,
    /// Two operations for every multiply-add of a run.
    pub operations: f64,
    /// Milliseconds of planning, drawing and uploading the weights.
    pub prepare_ms: f64,
    /// Milliseconds of the first run, which compiles kernels.
    pub first_ms: f64,
    /// The runs that count.
    pub times: RunTimes,
    /// Bytes on the GPU; gradients and optimizer are 0 for a forward pass.
    pub memory: TrainingMemory,
    /// Dispatches of a run.
    pub dispatches: usize,
    /// Median times by layer in the order of execution, or why there are none.
    pub layers: Result<Vec<LayerTime>>,
}

impl BenchmarkReport {
    /// By the median.
    pub fn images_per_second(&self) -> f64 {
        self.order.batch as f64 / self.times.median * 1e3
    }

    /// 10^9 operations a second, by the median.
    pub fn gflops(&self) -> f64 {
        self.operations / self.times.median / 1e6
    }
}

/// Runs with a clock around every layer.
const PROFILES: usize = 3;

/// An order and how far it is.
#[derive(Debug)]
pub(super) struct Benchmark {
    order: Box<BenchmarkOrder>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    ready: Bench,
    prepare_ms: f64,
    /// Warm-up and what counts.
    times: Vec<f64>,
    profiles: Vec<Vec<(Pass, DispatchTime)>>,
}

impl Benchmark {
    pub(super) fn new(mut order: Box<BenchmarkOrder>) -> Self {
        order.warm_up = order.warm_up.max(1);
        order.runs = order.runs.max(1);
        if order.work == BenchmarkWork::Training {
            order.precision = Precision::F32;
        }
        Self { order, open: None }
    }

    pub(super) fn number(&self) -> u64 {
        self.order.number
    }

    /// Plans, or does the next run; says whether something is left.
    pub(super) async fn advance(&mut self, engine: &Engine, send: &dyn Fn(Event)) -> Result<bool> {
        let outcome = self.next(engine.context(), send).await;
        if matches!(outcome, Err(Error::DeviceLost(_))) {
            // Its buffers went with the device: on another one everything begins anew.
            self.open = None;
        }
        outcome
    }

    async fn next(&mut self, ctx: &Device, send: &dyn Fn(Event)) -> Result<bool> {
        let order = &*self.order;
        let (counted, total) = (order.warm_up + order.runs, order.warm_up + order.runs + PROFILES);
        let going = |phase, done| send(Event::Benchmark(BenchmarkEvent::Going { number: order.number, phase, done, total }));
        let Some(open) = &mut self.open else {
            going(BenchmarkPhase::WarmUp, 0);
            let start = Instant::now();
            let spec = ResNetSpec::named(&order.arch)?;
            let job =
                BenchmarkJob { precision: order.precision, ..BenchmarkJob::new(spec, order.work, order.batch, order.size) };
            let mut turn = turns();
            let mut turns = Turns::new(&mut turn);
            let mut ready = Bench::new(ctx, &job, &mut turns).await?;
            let weights = random_weights(ready.graph(), &mut turns).await;
            ready.load(ctx, &weights, &mut turns).await?;
            ready.fill(ctx, &mut turns).await;
            let prepare_ms = start.elapsed().as_secs_f64() * 1e3;
            self.open = Some(Open { ready, prepare_ms, times: Vec::new(), profiles: Vec::new() });
            return Ok(true);
        };
        if open.times.len() < counted {
            let phase = if open.times.len() < order.warm_up { BenchmarkPhase::WarmUp } else { BenchmarkPhase::Runs };
            going(phase, open.times.len());
            open.times.push(open.ready.time(ctx).await?);
            return Ok(true);
        }
        let mut untimed = None;
        if open.profiles.len() < PROFILES {
            going(BenchmarkPhase::Layers, counted + open.profiles.len());
            match open.ready.profile(ctx).await {
                Ok(profile) => {
                    open.profiles.push(profile);
                    return Ok(true);
                }
                // No clock, or more layers than it can time: the figures of whole runs stand all the same.
                Err(error @ Error::Usage(_)) => untimed = Some(error),
                Err(error) => return Err(error),
            }
        }
        let report = BenchmarkReport {
            order: order.clone(),
            adapter: ctx.adapter().clone(),
            parameters: open.ready.graph().parameter_count(),
            operations: 2.0 * open.ready.multiply_adds() as f64,
            prepare_ms: open.prepare_ms,
            first_ms: open.times[0],
            times: RunTimes::of(open.times[order.warm_up..].to_vec()),
            memory: open.ready.memory(),
            dispatches: open.ready.dispatches(),
            layers: untimed.map_or_else(|| Ok(layers::by_layer(open.ready.graph(), &open.profiles)), Err),
        };
        send(Event::Benchmark(BenchmarkEvent::Finished { number: order.number, report: Box::new(report) }));
        Ok(false)
    }
}
