//! A device, at most one loaded model, and the way from a picture to probabilities.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use web_time::{Duration, Instant};

use super::export::{ExportFormat, Exported, Portable};
use super::heatmap::Maps;
use super::known::{Known, LoadOptions, keeps_head, told_by_hub};
use super::message::{Classification, DeviceInfo, ModelInfo, Origin, PrecisionChoice, Prediction};
use super::train::Backbone;
use crate::data::answers::{answers, best};
use crate::data::image::RgbaImage;
use crate::data::split::Split;
use crate::data::{Activation, ImageSet, ImageSize, Preset, labels};
use crate::device::{Device, DeviceOptions, DispatchTime, Precision};
use crate::model::attribution::{cam_layer, map_layers};
use crate::model::graph::Graph;
use crate::model::{InferencePlan, PlanBuilder, PlanOptions, ResNetSpec, Turns};
use crate::ops::{LossKind, Preprocessor};
use crate::train::{Budget, Checkpoint, Estimate, Judge, Pace, Prospect, Recipe, Setup, Trainer, init};
use crate::weights::{self, Files, StateDict};
use crate::{Error, Result, web};

/// The core behind every door.
#[derive(Debug)]
pub struct Engine {
    ctx: Device,
    choice: PrecisionChoice,
    model: Option<Model>,
    /// Where training began: the last model that was not trained here, while one that was is loaded.
    pretrained: Option<Network>,
}

/// What training begins from.
#[derive(Debug)]
struct Network {
    spec: ResNetSpec,
    weights: StateDict,
    preset: Preset,
    info: ModelInfo,
}

#[derive(Debug)]
pub(super) struct Model {
    spec: ResNetSpec,
    pub graph: Graph,
    /// Kept in memory: a lost device or another precision needs them again.
    pub weights: StateDict,
    pub preset: Preset,
    batch: usize,
    pub plan: InferencePlan,
    pub pixels: Preprocessor,
    pub maps: Maps,
    /// For many pictures at a time, once it was needed.
    judge: Option<Judge>,
    /// Multiply-adds a second, once it was measured.
    pace: Option<f64>,
    pub info: ModelInfo,
}

impl Model {
    /// The value to read for probabilities, and what is still to be done with it.
    pub fn output(&self) -> (&'static str, Option<Activation>) {
        match (self.info.activation, self.spec.classes) {
            (Activation::Softmax, Some(2..)) => ("softmax", None),
            (activation, _) => ("fc", Some(activation)),
        }
    }

    /// An error for a net that ends in features.
    pub fn check_head(&self) -> Result<()> {
        match self.spec.classes {
            Some(_) if !self.spec.classifies() => Err(Error::Usage(format!(
                "`{}` has no pool: it gives logits for every pixel, not for a picture; export it to use them",
                self.info.name
            ))),
            Some(_) => Ok(()),
            None => Err(Error::Usage(format!("`{}` ends in features without a head, so it names no classes", self.info.name))),
        }
    }
}

/// A model before it is planned.
struct Source {
    name: String,
    origin: Origin,
    spec: ResNetSpec,
    weights: StateDict,
    preset: Preset,
    labels: Vec<String>,
    own_labels: bool,
    activation: Activation,
    assumed: Vec<String>,
    notes: Vec<String>,
}

/// Longest stretch of work between two turns of the page.
const TURN: Duration = Duration::from_millis(12);
/// Pictures judged at a time, on a software adapter and on a GPU.
const JUDGE_BATCH: (usize, usize) = (4, 16);

impl Engine {
    /// Opens the device.
    ///
    /// # Errors
    /// [`Error::NoAdapter`].
    pub async fn open(options: DeviceOptions) -> Result<Self> {
        Ok(Self { ctx: Device::new(options).await?, choice: PrecisionChoice::Auto, model: None, pretrained: None })
    }

    /// Opens a new device in place of a lost one. The model must be [planned again](Self::replan).
    pub async fn reopen(&mut self, options: DeviceOptions) -> Result<()> {
        self.ctx = Device::new(options).await?;
        Ok(())
    }

    /// The device as shown to people.
    pub fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: self.ctx.kind(),
            threads: self.ctx.threads(),
            memory_bytes: self.ctx.limits().buffer_bytes,
            adapter: self.ctx.adapter().clone(),
            f16: self.ctx.has_f16(),
            timestamps: self.ctx.has_timestamps(),
        }
    }

    /// The device itself, for benchmarks.
    pub fn context(&self) -> &Device {
        &self.ctx
    }

    /// The loaded model.
    pub fn model(&self) -> Option<&ModelInfo> {
        self.model.as_ref().map(|model| &model.info)
    }

    /// The loaded model's plan.
    pub fn plan(&self) -> Result<&InferencePlan> {
        Ok(&self.loaded()?.plan)
    }

    /// Reads a weights file, recognises the network and plans it. On an error the model loaded before stays.
    pub async fn load(
        &mut self,
        name: &str,
        bytes: &[u8],
        options: &LoadOptions,
        progress: &mut dyn FnMut(f32),
    ) -> Result<ModelInfo> {
        progress(0.0);
        web::yield_now().await;
        let files = Files { name, bytes, beside: &options.beside };
        let found = weights::load_any(files, &told_by_hub(name, options)).await?;
        let known = Known::of(&found, options).await?;
        let source = Source {
            name: name.into(),
            origin: options.origin,
            spec: found.spec,
            weights: found.weights,
            preset: known.pixels,
            labels: known.labels,
            own_labels: known.own_labels,
            activation: found.activation,
            assumed: known.assumed,
            notes: found.notes,
        };
        self.install(source, options.batch, progress).await
    }

    /// Plans a model and puts it in the place of the one before.
    async fn install(&mut self, source: Source, batch: usize, progress: &mut dyn FnMut(f32)) -> Result<ModelInfo> {
        let Source { name, origin, spec, weights, preset, labels, own_labels, activation, assumed, notes } = source;
        let graph = spec.build()?;
        let (plan, pixels) = plan(&self.ctx, self.choice, &graph, &weights, &preset, batch, progress).await?;
        let info = ModelInfo {
            name,
            arch: spec.arch.clone(),
            family: spec.family().into(),
            labels: answers(&labels),
            outputs: labels,
            own_labels,
            activation,
            parameters: graph.parameter_count(),
            precision: plan.options().precision,
            preset: preset.name.clone(),
            pixels: preset.clone(),
            size: preset.crop.0,
            memory: plan.memory(),
            dispatches: plan.recording().dispatches(),
            origin,
            assumed,
            notes,
            map_layers: map_layers(&graph),
        };
        let maps = Maps::default();
        let info_kept = info.clone();
        let model = Model { spec, graph, weights, preset, batch, plan, pixels, maps, judge: None, pace: None, info: info_kept };
        let before = self.model.replace(model);
        if origin != Origin::Trained {
            self.pretrained = None;
        } else if let Some(before) = before.filter(|before| before.info.origin != Origin::Trained) {
            let Model { spec, weights, preset, info, .. } = before;
            self.pretrained = Some(Network { spec, weights, preset, info });
        }
        Ok(info)
    }

    /// Gives the classes of the loaded model other names: what it answers and what is exported carries them.
    ///
    /// # Errors
    /// [`Error::Usage`] without a model, or for another number of names.
    pub fn name_classes(&mut self, names: Vec<String>) -> Result<ModelInfo> {
        let Some(model) = &mut self.model else { return Err(Error::Usage("no model is loaded; load one first".into())) };
        model.info.outputs = labels::check(names, model.info.outputs.len())?;
        model.info.labels = answers(&model.info.outputs);
        Ok(model.info.clone())
    }

    /// The network that a run begins with, and whether its classes are these.
    fn beginning(&self, backbone: &Backbone, classes: &[String]) -> Result<(&ResNetSpec, &StateDict, &Preset, bool)> {
        let loaded = self.loaded()?;
        let (spec, weights, preset, info) = match (&self.pretrained, backbone) {
            (Some(Network { spec, weights, preset, info }), Backbone::Pretrained) => (spec, weights, preset, info),
            _ => (&loaded.spec, &loaded.weights, &loaded.preset, &loaded.info),
        };
        Ok((spec, weights, preset, keeps_head(&info.outputs, info.own_labels, info.origin, classes)))
    }

    /// Plans a run on these pictures. A network that knows other classes gets a new classifier.
    ///
    /// # Errors
    /// Those of [`Trainer::new`]; [`Error::Unknown`] for an architecture that there is not.
    pub async fn trainer(&self, backbone: &Backbone, recipe: Recipe, images: ImageSet, split: Split) -> Result<Trainer> {
        let classes = Some(images.classes.len());
        let (spec, weights, preset) = if let Backbone::Scratch { arch, side } = backbone {
            let spec = ResNetSpec::named(arch)?.with_classes(classes);
            let weights = init::initialise(&spec.build()?, recipe.draws(), recipe.zero_init_last_norm, recipe.seed)?;
            (spec, weights, super::scratch_preset(arch, *side)?)
        } else {
            let (spec, weights, preset, same) = self.beginning(backbone, &images.classes)?;
            let mut spec = spec.clone().with_classes(classes);
            if !same {
                spec.head.clear();
            }
            let (weights, _) = init::transfer(&spec.build()?, weights, same, recipe.draws(), recipe.seed)?;
            (spec, weights, preset.clone())
        };
        self.plan_run(Setup { spec, preset, recipe, images, split, budget: Budget::default() }, weights).await
    }

    /// Plans a run that begins with the best weights of another, on other pictures or for other classes.
    ///
    /// # Errors
    /// Those of [`Trainer::new`].
    pub async fn trainer_from(&self, run: Checkpoint, images: ImageSet, split: Split) -> Result<Trainer> {
        let spec = run.spec.with_classes(Some(images.classes.len()));
        let same = init::same_classes(&run.classes, &images.classes);
        let best = StateDict { tensors: run.best, ..StateDict::default() };
        let (weights, _) = init::transfer(&spec.build()?, &best, same, run.recipe.draws(), run.recipe.seed)?;
        let setup = Setup { spec, preset: run.pixels, recipe: run.recipe, images, split, budget: Budget::default() };
        self.plan_run(setup, weights).await
    }

    async fn plan_run(&self, setup: Setup, weights: StateDict) -> Result<Trainer> {
        let mut turn = turns();
        Trainer::new(&self.ctx, setup, weights, &mut Turns::new(&mut turn)).await
    }

    /// Plans a run to go on where it stopped.
    ///
    /// # Errors
    /// Those of [`Trainer::resume`].
    pub async fn resume(&self, run: Checkpoint, images: ImageSet, split: Split) -> Result<Trainer> {
        let mut turn = turns();
        Trainer::resume(&self.ctx, run, images, split, Budget::default(), &mut Turns::new(&mut turn)).await
    }

    /// What a run would take, about; the first time for a model, it is measured how fast this device runs it.
    ///
    /// # Errors
    /// Those of a network or recipe that does not fit.
    pub async fn estimate(&mut self, backbone: &Backbone, recipe: Recipe, classes: usize, pictures: usize) -> Result<Estimate> {
        let pace = Pace { multiply_adds_per_s: self.pace().await?, software: self.ctx.adapter().software };
        let (spec, preset) = if let Backbone::Scratch { arch, side } = backbone {
            (ResNetSpec::named(arch)?, super::scratch_preset(arch, *side)?)
        } else {
            let (spec, _, preset, _) = self.beginning(backbone, &[])?;
            (spec.clone(), preset.clone())
        };
        let validation = (f64::from(recipe.val_fraction) * pictures as f64).round() as usize;
        let prospect = Prospect {
            spec: spec.with_classes(Some(classes.max(2))),
            recipe,
            size: ImageSize::of(&preset, true),
            train: pictures - validation.min(pictures),
            validation,
        };
        prospect.estimate(pace)
    }

    /// Multiply-adds a second of the loaded model's forward pass.
    async fn pace(&mut self) -> Result<f64> {
        /// Passes that are queued at once: what one more costs is the pass, without the wait for its result.
        const PASSES: u32 = 3;
        if let Some(pace) = self.loaded()?.pace {
            return Ok(pace);
        }
        self.plan_judge().await?;
        let ctx = self.ctx.clone();
        let model = self.model.as_mut().ok_or_else(no_model)?;
        let Some(judge) = &model.judge else { return Err(no_model()) };
        let mut times = Vec::new();
        // The first pass makes the kernels.
        for passes in [1, 1, PASSES] {
            let start = Instant::now();
            for _ in 0..passes {
                judge.idle_run(&ctx)?;
            }
            judge.wait(&ctx).await?;
            times.push(start.elapsed().as_secs_f64());
            web::yield_now().await;
        }
        let seconds = ((times[2] - times[1]) / f64::from(PASSES - 1)).max(1e-5);
        let pace = judge.cost() as f64 / seconds;
        model.pace = Some(pace);
        Ok(pace)
    }

    /// Plans the loaded model for many pictures at a time, unless it is.
    async fn plan_judge(&mut self) -> Result<()> {
        let ctx = self.ctx.clone();
        let model = self.model.as_mut().ok_or_else(no_model)?;
        if model.spec.classes.is_none() {
            return Err(Error::Usage(format!("`{}` ends in features without a head, so it names no classes", model.info.name)));
        }
        if model.judge.is_none() {
            let batch = if ctx.adapter().software { JUDGE_BATCH.0 } else { JUDGE_BATCH.1 };
            let mut turn = turns();
            let mut turns = Turns::new(&mut turn);
            model.judge = Some(Judge::new(&ctx, &model.graph, &model.weights, &model.preset, batch, &mut turns).await?);
        }
        Ok(())
    }

    /// Logits of the first of these pictures, as many as are judged at a time. They were reduced as `preset` says.
    ///
    /// # Errors
    /// [`Error::Usage`] when the loaded model reads pixels in another way or names no classes, else those of the device.
    pub async fn judge(&mut self, preset: &Preset, set: &ImageSet, pictures: &[usize]) -> Result<Vec<Vec<f32>>> {
        let model = self.loaded()?;
        if model.preset != *preset || model.spec.classes != Some(set.classes.len()) {
            return Err(Error::Usage(format!(
                "the pictures were made ready for another model than `{}`; judge them again",
                model.info.name
            )));
        }
        self.plan_judge().await?;
        let ctx = self.ctx.clone();
        let model = self.model.as_mut().ok_or_else(no_model)?;
        let Some(judge) = &mut model.judge else { return Err(no_model()) };
        let batch = &pictures[..pictures.len().min(judge.batch())];
        judge.logits(&ctx, set, batch).await
    }

    /// Puts the best weights of a run in the place of the loaded model.
    pub async fn adopt(&mut self, name: &str, run: &Checkpoint, progress: &mut dyn FnMut(f32)) -> Result<ModelInfo> {
        let source = Source {
            name: name.into(),
            origin: Origin::Trained,
            spec: run.spec.clone(),
            weights: StateDict { tensors: run.best.clone(), ..StateDict::default() },
            preset: run.pixels.clone(),
            labels: run.classes.clone(),
            own_labels: true,
            activation: match run.recipe.loss {
                LossKind::SoftmaxCrossEntropy { .. } => Activation::Softmax,
                LossKind::SigmoidCrossEntropy { .. } => Activation::Sigmoid,
            },
            assumed: Vec::new(),
            notes: Vec::new(),
        };
        self.install(source, 1, progress).await
    }

    /// Makes the last model that was not trained here the loaded one again; it is the loaded one already where nothing was trained.
    pub async fn use_pretrained(&mut self, progress: &mut dyn FnMut(f32)) -> Result<ModelInfo> {
        // Kept until the other one is planned: nothing is lost by an error.
        let Some(Network { spec, weights, preset, info }) = &self.pretrained else {
            return Ok(self.loaded()?.info.clone());
        };
        let ModelInfo { name, origin, labels, own_labels, activation, assumed, notes, .. } = info.clone();
        let source = Source {
            name,
            origin,
            spec: spec.clone(),
            weights: weights.clone(),
            preset: preset.clone(),
            labels,
            own_labels,
            activation,
            assumed,
            notes,
        };
        self.install(source, 1, progress).await
    }

    /// Uses another element type, planning a loaded model again.
    pub async fn set_precision(&mut self, choice: PrecisionChoice, progress: &mut dyn FnMut(f32)) -> Result<Option<ModelInfo>> {
        self.choice = choice;
        match self.model {
            Some(_) => self.replan(progress).await.map(Some),
            None => Ok(None),
        }
    }

    /// Plans the loaded model again from its weights.
    pub async fn replan(&mut self, progress: &mut dyn FnMut(f32)) -> Result<ModelInfo> {
        let (ctx, choice) = (self.ctx.clone(), self.choice);
        let model = self.model.as_mut().ok_or_else(no_model)?;
        let (plan, pixels) = plan(&ctx, choice, &model.graph, &model.weights, &model.preset, model.batch, progress).await?;
        model.info.precision = plan.options().precision;
        model.info.memory = plan.memory();
        model.info.dispatches = plan.recording().dispatches();
        model.plan = plan;
        model.pixels = pixels;
        model.maps = Maps::default();
        // Its buffers are the old device's.
        model.judge = None;
        model.pace = None;
        Ok(model.info.clone())
    }

    /// What one picture shows: the `top` most probable classes.
    pub async fn classify(&mut self, image: &RgbaImage, top: usize) -> Result<Classification> {
        let start = Instant::now();
        let probabilities = self.probabilities(image).await?;
        let labels = &self.loaded()?.info.labels;
        let top = best(&probabilities[..labels.len().min(probabilities.len())], top)
            .into_iter()
            .map(|class| Prediction { class, label: labels[class].clone(), probability: probabilities[class] })
            .collect();
        Ok(Classification { top, ms: start.elapsed().as_secs_f64() * 1e3, width: image.width, height: image.height })
    }

    /// Probabilities of the answers for one picture.
    async fn probabilities(&mut self, image: &RgbaImage) -> Result<Vec<f32>> {
        let (output, activation) = self.loaded()?.output();
        let values = self.forward(std::slice::from_ref(image), output).await?;
        Ok(activation.map_or_else(|| values.clone(), |activation| activation.probabilities(&values)))
    }

    /// Logits `(N, classes)`, row by row, of at most as many pictures as the model was loaded for.
    pub async fn logits(&mut self, images: &[RgbaImage]) -> Result<Vec<f32>> {
        self.forward(images, "fc").await
    }

    async fn forward(&mut self, images: &[RgbaImage], output: &str) -> Result<Vec<f32>> {
        let model = self.model.as_mut().ok_or_else(no_model)?;
        model.check_head()?;
        if images.len() > model.batch {
            return Err(Error::Usage(format!("{} pictures for a model loaded for {} at a time", images.len(), model.batch)));
        }
        model.pixels.run(&self.ctx, &images.iter().collect::<Vec<_>>())?;
        model.plan.run(&self.ctx)?;
        let mut values = model.plan.read(&self.ctx, output).await?;
        values.truncate(values.len() / model.batch * images.len());
        Ok(values)
    }

    /// The loaded model as a file.
    ///
    /// # Errors
    /// [`Error::Usage`] without a model; those of [`Portable::write`].
    pub fn export(&self, format: ExportFormat) -> Result<Exported> {
        let Model { spec, weights, preset, info, .. } = self.loaded()?;
        let ModelInfo { name, outputs: labels, origin, activation, .. } = info;
        Portable { name, spec, weights, labels, pixels: preset, origin: *origin, activation: *activation }.write(format)
    }

    /// Times every layer of the loaded model once.
    pub async fn profile(&self) -> Result<Vec<DispatchTime>> {
        self.loaded()?.plan.profile(&self.ctx).await
    }

    pub(super) fn loaded_mut(&mut self) -> Result<&mut Model> {
        self.model.as_mut().ok_or_else(no_model)
    }

    fn loaded(&self) -> Result<&Model> {
        self.model.as_ref().ok_or_else(no_model)
    }
}

/// Turns of the page for long work: after each stretch of [`TURN`].
pub(super) fn turns() -> impl FnMut() -> LocalBoxFuture<'static, ()> {
    let last = Rc::new(Cell::new(Instant::now()));
    move || {
        let last = last.clone();
        async move {
            if last.get().elapsed() > TURN {
                web::yield_now().await;
                last.set(Instant::now());
            }
        }
        .boxed_local()
    }
}

fn no_model() -> Error {
    Error::Usage("no model is loaded; choose one first".into())
}

/// Plans layer by layer, with turns for the page between.
async fn plan(
    ctx: &Device,
    choice: PrecisionChoice,
    graph: &Graph,
    weights: &StateDict,
    preset: &Preset,
    batch: usize,
    progress: &mut dyn FnMut(f32),
) -> Result<(InferencePlan, Preprocessor)> {
    let f16 = match choice {
        PrecisionChoice::Auto => ctx.has_f16() && !ctx.adapter().software,
        PrecisionChoice::F16 => ctx.has_f16(),
        PrecisionChoice::F32 => false,
    };
    // Maps of classes are of one picture, and read what the average pooling reads: it is written anyway.
    let taps = match cam_layer(graph) {
        Ok(layer) if batch == 1 => vec![graph.nodes[layer.0].name.clone()],
        _ => Vec::new(),
    };
    let options = PlanOptions {
        taps,
        precision: if f16 { Precision::F16 } else { Precision::F32 },
        batch,
        height: preset.crop.1 as usize,
        width: preset.crop.0 as usize,
        ..PlanOptions::new(0)
    };
    let mut builder = PlanBuilder::new(ctx, graph, options)?;
    let mut pixels = Preprocessor::new(ctx, preset.clone(), builder.input().clone())?;
    // The first picture would wait for the driver to compile, and its time would be the compiler's; now it does so while weights are packed.
    pixels.run(ctx, &[&RgbaImage { width: 1, height: 1, pixels: vec![0; 4] }])?;
    builder.warm_up(ctx)?;
    let mut turn = Instant::now();
    while builder.advance(ctx, graph, weights)? {
        if turn.elapsed() > TURN {
            progress(builder.progress());
            web::yield_now().await;
            turn = Instant::now();
        }
    }
    if batch == 1 {
        // What was compiled is only known to be done when something comes back.
        let last = graph.nodes.last().map_or("", |node| node.name.as_str());
        builder.plan().read(ctx, last).await?;
    }
    ctx.check()?;
    progress(1.0);
    Ok((builder.finish(), pixels))
}
