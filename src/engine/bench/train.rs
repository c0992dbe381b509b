//! Training steps as `__bench` times them.

use futures_util::future::join5;
use serde::Deserialize;

use super::{Config, describe, device};
use crate::gpu::{Context, Precision, Shape, Tensor};
use crate::model::training::{Grouping, Parameters, TrainingOptions, TrainingPlan};
use crate::model::{InferencePlan, PlanOptions, ResNetSpec, Turns};
use crate::ops::{LossKind, Optimizer, Statistics, Target};
use crate::web::{CancelToken, fetch_bytes};
use crate::{Error, Result, weights};

/// The recipe, `train.json`.
#[derive(Debug, Deserialize)]
struct Hyperparameters {
    lr: f32,
    momentum: f32,
}

/// A net in training, its batch and how far it is.
pub(super) struct Training {
    /// With the head alone: what computes its features.
    backbone: Option<InferencePlan>,
    plan: TrainingPlan,
    images: Vec<f32>,
    targets: Vec<Target>,
    learning_rate: f32,
    steps: u32,
}

impl Training {
    /// Loads weights and data while the device opens, and plans.
    pub(super) async fn open(ctx: Option<Context>, config: &Config) -> Result<(Context, Self)> {
        let Config { model, batch, size, assets, .. } = config;
        let assets = assets.trim_end_matches('/');
        let weights_url = format!("{assets}/{model}_c10.safetensors");
        let [x_url, y_url, recipe_url] = ["train_x.f32", "train_y.i32", "train.json"].map(|file| format!("{assets}/{file}"));
        let cancel = CancelToken::new();
        let fetch = |url| fetch_bytes(url, |_| {}, &cancel);
        let (ctx, file, x, y, recipe) =
            join5(device(ctx), fetch(&weights_url), fetch(&x_url), fetch(&y_url), fetch(&recipe_url)).await;
        let ctx = ctx?;
        let state = weights::read(&weights_url, &file?)?;
        let recipe: Hyperparameters =
            serde_json::from_slice(&recipe?).map_err(|e| Error::Usage(format!("{recipe_url}: {e}")))?;
        let images = Precision::F32.decode(&x?);
        let shape = Shape::new(*batch, 3, *size, *size);
        let labels: Vec<u32> = y?.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        if images.len() != batch * 3 * size * size || labels.len() != *batch {
            return Err(Error::Usage(format!(
                "{x_url} holds {} numbers and {y_url} {} classes; {shape:?} needs {} and {batch}",
                images.len(),
                labels.len(),
                batch * 3 * size * size,
            )));
        }
        let classes = state.tensors.get("fc.bias").and_then(|bias| bias.shape.first()).copied();
        let graph = ResNetSpec::named(model)?.with_classes(classes).build()?;

        let (backbone, graph, input) = if config.mode == "head" {
            let (frozen, head) = graph.split_at(graph.value("avgpool")?)?;
            let backbone = InferencePlan::new(&ctx, &frozen, &state, PlanOptions { batch: *batch, ..PlanOptions::new(*size) })?;
            let features = backbone.output("avgpool")?.clone();
            (Some(backbone), head, features)
        } else {
            (None, graph, Tensor::zeros(&ctx, "images", shape, Precision::F32)?)
        };
        let optimizer = Optimizer::Sgd { momentum: recipe.momentum, nesterov: false };
        let grouping = Grouping { state_buffers: optimizer.state_buffers(), group: &|_| (1.0, 0.0) };
        let parameters = Parameters::new(&ctx, &graph, input.shape, &grouping)?;
        parameters.load(&ctx, &state, &mut Turns::none()).await?;
        let options = TrainingOptions {
            loss: LossKind::default(),
            class_weights: Vec::new(),
            // PyTorch's.
            statistics: Statistics::Batch { momentum: 0.1, unbiased: true },
            micro_batches: 1,
            optimizer,
            decoupled: false,
        };
        let plan = TrainingPlan::new(&ctx, &graph, &parameters, &input, &options, &mut Turns::none()).await?;
        ctx.check()?;
        let targets = labels.into_iter().map(Target::class).collect();
        Ok((ctx, Self { backbone, plan, images, targets, learning_rate: recipe.lr, steps: 0 }))
    }

    /// One step, from the images in the page's memory to the loss there. The loss is read behind the update, so it comes
    /// when the update is done.
    pub(super) async fn step(&mut self, ctx: &Context) -> Result<f32> {
        let plan = &self.plan;
        self.backbone.as_ref().map_or(plan.input(), InferencePlan::input).write_nchw(ctx, &self.images);
        plan.set_targets(ctx, &self.targets);
        plan.reset_totals(ctx);
        if let Some(backbone) = &self.backbone {
            backbone.run(ctx)?;
        }
        self.steps += 1;
        plan.accumulate(ctx)?;
        plan.update(ctx, self.learning_rate, self.steps, None)?;
        let totals = plan.totals(ctx).await?;
        Ok((totals.loss / totals.weight) as f32)
    }

    pub(super) fn describe(&self, ctx: &Context) -> String {
        let memory = self.plan.memory();
        let frozen = self.backbone.as_ref().map(|plan| (plan.memory(), plan.recording().dispatches()));
        let frozen_bytes = frozen.map_or(0, |(memory, _)| memory.weight_bytes + memory.activation_bytes);
        let mb = |bytes: u64| bytes as f64 / 1e6;
        format!(
            "{}; parameters {:.1} MB, gradients {:.1} MB, momentum {:.1} MB, activations {:.1} MB, frozen layers {:.1} MB; \
             {} dispatches a step",
            describe(ctx),
            mb(memory.parameter_bytes),
            mb(memory.gradient_bytes),
            mb(memory.optimizer_bytes),
            mb(memory.activation_bytes),
            mb(frozen_bytes),
            self.plan.dispatches() + frozen.map_or(0, |(_, dispatches)| dispatches),
        )
    }
}
