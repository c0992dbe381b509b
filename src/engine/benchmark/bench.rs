//! A network that is ready to be timed: the one engine behind the page's benchmark, `reslab bench` and `window.__bench`.

use web_time::Instant;

use super::{BenchmarkWork, Noise};
use crate::device::{Device, DispatchTime, Precision, Shape, Tensor};
use crate::model::graph::Graph;
use crate::model::training::{Grouping, Parameters, Pass, TrainingMemory, TrainingOptions, TrainingPlan};
use crate::model::{InferencePlan, PlanBuilder, PlanOptions, ResNetSpec, Turns};
use crate::ops::{ConvKernel, LossKind, Optimizer, Statistics, Target};
use crate::weights::StateDict;
use crate::{Error, Result};

/// Largest memory a plan may ask for. Browsers do not say how much the GPU has, and some fall over where they should refuse.
const MEMORY_LIMIT_BYTES: u64 = 8_000_000_000;
/// Refuses what no buffer can hold before anything is laid out: batch and side are anybody's choice, and in a page sizes are
/// counted in 32 bits.
///
/// # Errors
/// [`Error::Limit`], and [`Error::Spec`] when the images are too small.
fn check_size(ctx: &Device, graph: &Graph, input: Shape, precision: Precision) -> Result<()> {
    let limit = ctx.limits().storage_binding_bytes;
    let shapes = graph.shapes(input.n, input.h, input.w)?;
    for (node, shape) in graph.nodes.iter().zip(shapes) {
        let sides = [shape.n, shape.h, shape.w, shape.c.next_multiple_of(4), precision.bytes()];
        let needed = sides.into_iter().fold(1_u64, |product, side| product.saturating_mul(side as u64));
        if needed > limit {
            return Err(Error::Limit {
                what: format!("activation `{}`", node.name),
                needed,
                limit,
                hint: "use a smaller batch or smaller images".into(),
            });
        }
    }
    Ok(())
}

/// What is timed.
#[derive(Debug, Clone)]
pub struct BenchmarkJob {
    /// The network.
    pub spec: ResNetSpec,
    /// What a run is.
    pub work: BenchmarkWork,
    /// Training: of the classifier alone, after the rest as a forward pass.
    pub head_only: bool,
    /// Images a run.
    pub batch: usize,
    /// Side of the images in pixels.
    pub size: usize,
    /// Element type of a forward pass; training is in f32.
    pub precision: Precision,
    /// Use this convolution kernel in a forward pass wherever it can be.
    pub conv_kernel: Option<ConvKernel>,
    /// Training: SGD's.
    pub learning_rate: f32,
    /// Training: SGD's.
    pub momentum: f32,
}

impl BenchmarkJob {
    /// f32; training of all layers, at a rate so small that random targets do no harm to the numbers.
    pub fn new(spec: ResNetSpec, work: BenchmarkWork, batch: usize, size: usize) -> Self {
        let (head_only, precision, conv_kernel) = (false, Precision::F32, None);
        Self { spec, work, head_only, batch, size, precision, conv_kernel, learning_rate: 1e-4, momentum: 0.9 }
    }
}

/// The plan of a [`BenchmarkJob`].
#[derive(Debug)]
pub struct Bench {
    graph: Graph,
    classes: usize,
    learning_rate: f32,
    /// All layers, or those before the one that is trained.
    forward: Option<(Graph, PlanBuilder)>,
    training: Option<Training>,
    /// Where images go.
    input: Tensor,
}

#[derive(Debug)]
struct Training {
    parameters: Parameters,
    plan: TrainingPlan,
    steps: u32,
}

impl Bench {
    /// Plans, with turns for others; weights, images and classes are zero.
    ///
    /// # Errors
    /// [`Error::Spec`] when the images are too small or what is trained has no classes, [`Error::Limit`] when the plan is too
    /// large, [`Error::Usage`] for an empty batch or f16 where the adapter has none.
    pub async fn new(ctx: &Device, job: &BenchmarkJob, turns: &mut Turns<'_>) -> Result<Self> {
        let BenchmarkJob { spec, batch, size, .. } = job;
        let graph = spec.build()?;
        if *batch == 0 {
            return Err(Error::Usage("a batch holds at least one image".into()));
        }
        let shape = Shape::new(*batch, spec.image_channels, *size, *size);
        check_size(ctx, &graph, shape, job.precision)?;
        ctx.check()?;
        let (forward, trained) = match job.work {
            BenchmarkWork::Forward => (Some(graph.clone()), None),
            BenchmarkWork::Training if job.head_only => {
                let (frozen, head) = graph.split_at(graph.value("avgpool")?)?;
                (Some(frozen), Some(head))
            }
            BenchmarkWork::Training => (None, Some(graph.clone())),
        };
        let forward = match forward {
            Some(graph) => {
                let (precision, conv_kernel) = (job.precision, job.conv_kernel);
                let options = PlanOptions { precision, batch: *batch, conv_kernel, ..PlanOptions::new(*size) };
                let builder = PlanBuilder::new(ctx, &graph, options)?;
                Some((graph, builder))
            }
            None => None,
        };
        let (input, features) = match &forward {
            Some((graph, builder)) => (builder.input().clone(), builder.plan().output(result(graph))?.clone()),
            None => {
                let images = Tensor::zeros(ctx, "images", shape, Precision::F32)?;
                (images.clone(), images)
            }
        };
        let training = match trained {
            Some(graph) => Some(Training::new(ctx, &graph, &features, job, turns).await?),
            None => None,
        };
        let (classes, learning_rate) = (spec.classes.unwrap_or(1), job.learning_rate);
        Ok(Self { graph, classes, learning_rate, forward, training, input })
    }

    /// Queues a forward pass with what weights there are: see [`PlanBuilder::warm_up`].
    pub fn warm_up(&self, ctx: &Device) -> Result<()> {
        self.forward.as_ref().map_or(Ok(()), |(_, builder)| builder.warm_up(ctx))
    }

    /// Uploads the weights, with turns for others.
    ///
    /// # Errors
    /// [`Error::TensorMismatch`] when one is missing or has another shape, and what did not fit the device.
    pub async fn load(&mut self, ctx: &Device, weights: &StateDict, turns: &mut Turns<'_>) -> Result<()> {
        if let Some((graph, builder)) = &mut self.forward {
            while builder.advance(ctx, graph, weights)? {
                turns.offer().await;
            }
        }
        if let Some(training) = &self.training {
            training.parameters.load(ctx, weights, turns).await?;
        }
        ctx.check()
    }

    /// Random images, the same one everywhere (a whole batch in the page's memory would be large), and classes in turn.
    pub async fn fill(&self, ctx: &Device, turns: &mut Turns<'_>) {
        let input = self.input();
        let one = Shape { n: 1, ..input.shape };
        let values = Noise::new("input").values(one.c * one.h * one.w, 1.0);
        let bytes = one.bytes(input.precision);
        for image in 0..input.shape.n as u64 {
            let slice = input.slice.part(image * bytes, bytes);
            Tensor { slice, shape: one, precision: input.precision }.write_nchw(ctx, &values);
            turns.offer().await;
        }
        let targets: Vec<Target> = (0..input.shape.n).map(|image| Target::class((image % self.classes) as u32)).collect();
        self.set_targets(ctx, &targets);
    }

    /// Where images go: `(N, C, H, W)`.
    pub fn input(&self) -> &Tensor {
        &self.input
    }

    /// The classes of the images, where something is trained.
    pub fn set_targets(&self, ctx: &Device, targets: &[Target]) {
        if let Some(training) = &self.training {
            training.plan.set_targets(ctx, targets);
        }
    }

    /// A run from images on the GPU to its result on the CPU: the logits, or the loss, which is read after the update.
    pub async fn run(&mut self, ctx: &Device) -> Result<Vec<f32>> {
        self.queue(ctx)?;
        self.result(ctx).await
    }

    /// Queues a run.
    pub fn queue(&mut self, ctx: &Device) -> Result<()> {
        if let Some((_, builder)) = &self.forward {
            builder.plan().run(ctx)?;
        }
        if let Some(training) = &mut self.training {
            training.steps += 1;
            training.plan.reset_totals(ctx);
            training.plan.accumulate(ctx)?;
            training.plan.update(ctx, self.learning_rate, training.steps, None)?;
        }
        Ok(())
    }

    /// The result of the run that was queued last. It comes when all that was queued is done.
    pub async fn result(&self, ctx: &Device) -> Result<Vec<f32>> {
        if let Some(training) = &self.training {
            let totals = training.plan.totals(ctx).await?;
            return Ok(vec![(totals.loss / totals.weight) as f32]);
        }
        match self.plan() {
            Some(plan) => plan.read(ctx, result(&self.graph)).await,
            None => Ok(Vec::new()),
        }
    }

    /// Milliseconds of a [`run`](Self::run). What others have queued is not its work.
    pub async fn time(&mut self, ctx: &Device) -> Result<f64> {
        self.result(ctx).await?;
        let start = Instant::now();
        self.run(ctx).await?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        ctx.check()?;
        Ok(ms)
    }

    /// A run with a clock around every dispatch.
    pub async fn profile(&self, ctx: &Device) -> Result<Vec<(Pass, DispatchTime)>> {
        let mut times = Vec::new();
        if let Some(plan) = self.plan() {
            times.extend(plan.profile(ctx).await?.into_iter().map(|time| (Pass::Forward, time)));
        }
        if let Some(training) = &self.training {
            times.extend(training.plan.profile(ctx).await?);
        }
        Ok(times)
    }

    /// The network.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    fn plan(&self) -> Option<&InferencePlan> {
        self.forward.as_ref().map(|(_, builder)| builder.plan())
    }

    /// Of a run.
    pub fn multiply_adds(&self) -> u64 {
        self.plan().map_or(0, |plan| plan.recording().cost()) + self.training.as_ref().map_or(0, |t| t.plan.cost())
    }

    /// Of a run.
    pub fn dispatches(&self) -> usize {
        let trained = self.training.as_ref().map_or(0, |training| training.plan.dispatches());
        self.plan().map_or(0, |plan| plan.recording().dispatches()) + trained
    }

    /// Of a forward pass.
    pub fn submits(&self) -> usize {
        self.plan().map_or(0, |plan| plan.recording().submits())
    }

    /// On the GPU.
    pub fn memory(&self) -> TrainingMemory {
        let mut memory = self.training.as_ref().map_or_else(TrainingMemory::default, |training| training.plan.memory());
        if let Some(plan) = self.plan() {
            memory.parameter_bytes += plan.memory().weight_bytes;
            memory.activation_bytes += plan.memory().activation_bytes;
        }
        memory
    }
}

/// What a net ends in: `fc`, or the features of one without a head.
fn result(graph: &Graph) -> &str {
    &graph.nodes[graph.result().0].name
}

impl Training {
    /// SGD with momentum and PyTorch's batch statistics.
    async fn new(ctx: &Device, graph: &Graph, input: &Tensor, job: &BenchmarkJob, turns: &mut Turns<'_>) -> Result<Self> {
        let optimizer = Optimizer::Sgd { momentum: job.momentum, nesterov: false };
        let grouping = Grouping { state_buffers: optimizer.state_buffers(), group: &|_| (1.0, 0.0) };
        let parameters = Parameters::new(ctx, graph, input.shape, &grouping)?;
        let needed = TrainingPlan::estimate(ctx, graph, &parameters, input.shape)?.total();
        if needed > MEMORY_LIMIT_BYTES {
            return Err(Error::Limit {
                what: format!("a training step of {}", job.spec.arch),
                needed,
                limit: MEMORY_LIMIT_BYTES,
                hint: "use a smaller batch or smaller images".into(),
            });
        }
        let options = TrainingOptions {
            shares: false,
            loss: LossKind::default(),
            class_weights: Vec::new(),
            statistics: Statistics::Batch { momentum: 0.1, unbiased: true },
            micro_batches: 1,
            optimizer,
            decoupled: false,
        };
        let plan = TrainingPlan::new(ctx, graph, &parameters, input, &options, turns).await?;
        Ok(Self { parameters, plan, steps: 0 })
    }
}
