//! A network that is ready to be timed.

use web_time::Instant;

use super::super::core::turns;
use super::{BenchmarkOrder, BenchmarkWork, Noise, random_weights};
use crate::gpu::{Context, DispatchTime, Precision, Shape, Tensor};
use crate::model::graph::Graph;
use crate::model::training::{Grouping, Parameters, Pass, TrainingMemory, TrainingOptions, TrainingPlan};
use crate::model::{InferencePlan, PlanBuilder, PlanOptions, ResNetSpec, Turns};
use crate::ops::{LossKind, Optimizer, Statistics, Target};
use crate::{Error, Result};

/// Largest memory a plan may ask for. Browsers do not say how much the GPU has, and some fall over where they should refuse.
const MEMORY_LIMIT_BYTES: u64 = 8_000_000_000;
/// Learning rate of measured steps; small, so that random targets do no harm to the numbers.
const LEARNING_RATE: f32 = 1e-4;

/// Refuses what no buffer can hold before anything is laid out: batch and side are anybody's choice, and in a page sizes are
/// counted in 32 bits.
///
/// # Errors
/// [`Error::Limit`], and [`Error::Spec`] when the images are too small.
fn check_size(ctx: &Context, graph: &Graph, input: Shape, precision: Precision) -> Result<()> {
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

/// The same random image everywhere: a whole batch in the page's memory would be large.
async fn fill(ctx: &Context, input: &Tensor, turns: &mut Turns<'_>) {
    let one = Shape { n: 1, ..input.shape };
    let values = Noise::new("input").values(one.c * one.h * one.w, 1.0);
    let bytes = one.bytes(input.precision);
    for image in 0..input.shape.n as u64 {
        let slice = input.slice.part(image * bytes, bytes);
        Tensor { slice, shape: one, precision: input.precision }.write_nchw(ctx, &values);
        turns.offer().await;
    }
}

/// The plan with its weights and input on the GPU.
#[derive(Debug)]
pub(super) struct Ready {
    graph: Graph,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    Forward(Box<InferencePlan>),
    Training { plan: Box<TrainingPlan>, steps: u32 },
}

impl Ready {
    /// Plans, with turns for the page, and uploads random weights and images.
    ///
    /// # Errors
    /// [`Error::Spec`] when the images are too small, [`Error::Limit`] when the plan is too large, [`Error::Usage`] for an
    /// empty batch or f16 where the adapter has none.
    pub(super) async fn new(ctx: &Context, order: &BenchmarkOrder) -> Result<Self> {
        let spec = ResNetSpec::named(&order.arch)?;
        let graph = spec.build()?;
        if order.batch == 0 {
            return Err(Error::Usage("a batch holds at least one image".into()));
        }
        let shape = Shape::new(order.batch, spec.image_channels, order.size, order.size);
        check_size(ctx, &graph, shape, order.precision)?;
        ctx.check()?;
        let mut turn = turns();
        let mut turns = Turns::new(&mut turn);
        let plan = match order.work {
            BenchmarkWork::Forward => {
                let options = PlanOptions { precision: order.precision, batch: order.batch, ..PlanOptions::new(order.size) };
                let mut builder = PlanBuilder::new(ctx, &graph, options)?;
                let weights = random_weights(&graph, &mut turns).await;
                while builder.advance(ctx, &graph, &weights)? {
                    turns.offer().await;
                }
                Plan::Forward(Box::new(builder.finish()))
            }
            BenchmarkWork::Training => {
                let optimizer = Optimizer::sgd();
                let grouping = Grouping { state_buffers: optimizer.state_buffers(), group: &|_| (1.0, 1e-4) };
                let parameters = Parameters::new(ctx, &graph, shape, &grouping)?;
                let needed = TrainingPlan::estimate(ctx, &graph, &parameters, shape)?.total();
                if needed > MEMORY_LIMIT_BYTES {
                    return Err(Error::Limit {
                        what: format!("a training step of {}", order.arch),
                        needed,
                        limit: MEMORY_LIMIT_BYTES,
                        hint: "use a smaller batch or smaller images".into(),
                    });
                }
                let weights = random_weights(&graph, &mut turns).await;
                parameters.load(ctx, &weights, &mut turns).await?;
                let input = Tensor::zeros(ctx, "images", shape, Precision::F32)?;
                let options = TrainingOptions {
                    loss: LossKind::default(),
                    class_weights: Vec::new(),
                    // PyTorch's.
                    statistics: Statistics::Batch { momentum: 0.1, unbiased: true },
                    micro_batches: 1,
                    optimizer,
                    decoupled: false,
                };
                let plan = TrainingPlan::new(ctx, &graph, &parameters, &input, &options, &mut turns).await?;
                let classes = spec.classes.unwrap_or(1);
                let targets: Vec<Target> = (0..order.batch).map(|image| Target::class((image % classes) as u32)).collect();
                plan.set_targets(ctx, &targets);
                Plan::Training { plan: Box::new(plan), steps: 0 }
            }
        };
        let input = match &plan {
            Plan::Forward(plan) => plan.input(),
            Plan::Training { plan, .. } => plan.input(),
        };
        fill(ctx, input, &mut turns).await;
        // What did not fit is reported here.
        ctx.check()?;
        Ok(Self { graph, plan })
    }

    /// Milliseconds of a run: from its call to its result on the CPU.
    pub(super) async fn run(&mut self, ctx: &Context) -> Result<f64> {
        // What others have queued is not its work.
        self.wait(ctx).await?;
        let start = Instant::now();
        match &mut self.plan {
            Plan::Forward(plan) => {
                plan.run(ctx)?;
            }
            Plan::Training { plan, steps } => {
                *steps += 1;
                plan.accumulate(ctx)?;
                plan.update(ctx, LEARNING_RATE, *steps, None)?;
            }
        }
        self.wait(ctx).await?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        ctx.check()?;
        Ok(ms)
    }

    /// Reads the result: it comes when all that was queued is done.
    async fn wait(&self, ctx: &Context) -> Result<()> {
        match &self.plan {
            Plan::Forward(plan) => plan.read(ctx, "fc").await.map(drop),
            Plan::Training { plan, .. } => plan.totals(ctx).await.map(drop),
        }
    }

    /// A run with a clock around every dispatch.
    pub(super) async fn profile(&self, ctx: &Context) -> Result<Vec<(Pass, DispatchTime)>> {
        match &self.plan {
            Plan::Forward(plan) => Ok(plan.profile(ctx).await?.into_iter().map(|time| (Pass::Forward, time)).collect()),
            Plan::Training { plan, .. } => plan.profile(ctx).await,
        }
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Of a run.
    pub(super) fn multiply_adds(&self) -> u64 {
        match &self.plan {
            Plan::Forward(plan) => plan.recording().cost(),
            Plan::Training { plan, .. } => plan.cost(),
        }
    }

    /// Of a run.
    pub(super) fn dispatches(&self) -> usize {
        match &self.plan {
            Plan::Forward(plan) => plan.recording().dispatches(),
            Plan::Training { plan, .. } => plan.dispatches(),
        }
    }

    pub(super) fn memory(&self) -> TrainingMemory {
        match &self.plan {
            Plan::Forward(plan) => {
                let memory = plan.memory();
                TrainingMemory {
                    parameter_bytes: memory.weight_bytes,
                    activation_bytes: memory.activation_bytes,
                    ..TrainingMemory::default()
                }
            }
            Plan::Training { plan, .. } => plan.memory(),
        }
    }
}
