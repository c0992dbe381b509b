//! A device, at most one loaded model, and the way from a picture to probabilities.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::FutureExt;
use web_time::{Duration, Instant};

use super::export::{ExportFormat, Exported, Portable};
use super::message::{Classification, DeviceInfo, ModelInfo, Origin, PrecisionChoice, Prediction};
use crate::data::image::RgbaImage;
use crate::data::split::Split;
use crate::data::{ImageSet, Preset, labels};
use crate::gpu::{Context, ContextOptions, DispatchTime, Precision};
use crate::model::graph::Graph;
use crate::model::{InferencePlan, PlanBuilder, PlanOptions, ResNetSpec, Turns};
use crate::ops::Preprocessor;
use crate::train::{Budget, Checkpoint, Recipe, Setup, Trainer, checkpoint, init};
use crate::weights::detect::Detected;
use crate::weights::{self, StateDict, detect};
use crate::{Error, Result, web};

/// How to load a model.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// Where the bytes came from.
    pub origin: Origin,
    /// Name of the pixel preset the file was published with, see [`pixel_options`].
    pub preset: Option<String>,
    /// A recipe of pixels in full, which wins over all others.
    pub pixels: Option<Preset>,
    /// Class names; by default the file's metadata, else ImageNet's or CIFAR-10's where the number fits.
    pub labels: Option<Vec<String>>,
    /// Images of one run.
    pub batch: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { origin: Origin::OwnFile, preset: None, pixels: None, labels: None, batch: 1 }
    }
}

/// The core behind every door.
#[derive(Debug)]
pub struct Engine {
    ctx: Context,
    choice: PrecisionChoice,
    model: Option<Model>,
}

#[derive(Debug)]
struct Model {
    spec: ResNetSpec,
    graph: Graph,
    /// Kept in memory: a lost device or another precision needs them again.
    weights: StateDict,
    preset: Preset,
    batch: usize,
    plan: InferencePlan,
    pixels: Preprocessor,
    info: ModelInfo,
}

/// A model before it is planned.
struct Source {
    name: String,
    origin: Origin,
    spec: ResNetSpec,
    weights: StateDict,
    preset: Preset,
    labels: Vec<String>,
    assumed: Vec<String>,
}

/// Longest stretch of work between two turns of the page.
const TURN: Duration = Duration::from_millis(12);

impl Engine {
    /// Opens the device.
    ///
    /// # Errors
    /// [`Error::NoAdapter`].
    pub async fn open(options: ContextOptions) -> Result<Self> {
        Ok(Self { ctx: Context::new(options).await?, choice: PrecisionChoice::Auto, model: None })
    }

    /// Opens a new device in place of a lost one. The model must be [planned again](Self::replan).
    pub async fn reopen(&mut self, options: ContextOptions) -> Result<()> {
        self.ctx = Context::new(options).await?;
        Ok(())
    }

    /// The device as shown to people.
    pub fn device(&self) -> DeviceInfo {
        DeviceInfo { adapter: self.ctx.adapter().clone(), f16: self.ctx.has_f16(), timestamps: self.ctx.has_timestamps() }
    }

    /// The device itself, for benchmarks.
    pub fn context(&self) -> &Context {
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
        let found = detect::detect(weights::read(name, bytes)?)?;
        let preset = match &options.pixels {
            Some(pixels) => pixels.clone(),
            None => pixel_options(&found, options.preset.as_deref())?,
        };
        let class_names = class_names(&found, options.labels.clone())?;
        let source = Source {
            name: name.into(),
            origin: options.origin,
            spec: found.spec,
            weights: found.weights,
            preset,
            labels: class_names,
            assumed: found.assumed,
        };
        self.install(source, options.batch, progress).await
    }

    /// Plans a model and puts it in the place of the one before.
    async fn install(&mut self, source: Source, batch: usize, progress: &mut dyn FnMut(f32)) -> Result<ModelInfo> {
        let Source { name, origin, spec, weights, preset, labels, assumed } = source;
        let graph = spec.build()?;
        let (plan, pixels) = plan(&self.ctx, self.choice, &graph, &weights, &preset, batch, progress).await?;
        let info = ModelInfo {
            name,
            arch: spec.arch.clone(),
            family: spec.family().into(),
            labels,
            parameters: graph.parameter_count(),
            precision: plan.options().precision,
            preset: preset.name.clone(),
            pixels: preset.clone(),
            size: preset.crop.0,
            memory: plan.memory(),
            dispatches: plan.recording().dispatches(),
            origin,
            assumed,
        };
        self.model = Some(Model { spec, graph, weights, preset, batch, plan, pixels, info: info.clone() });
        Ok(info)
    }

    /// Plans a run that trains the loaded model on these pictures; where their classes are not as many as the model's, it
    /// gets a new classifier.
    ///
    /// # Errors
    /// Those of [`Trainer::new`].
    pub async fn trainer(&self, recipe: Recipe, images: ImageSet, split: Split) -> Result<Trainer> {
        let model = self.loaded()?;
        let spec = model.spec.clone().with_classes(Some(images.classes.len()));
        let (weights, _) = init::transfer(&spec.build()?, &model.weights, recipe.init, recipe.seed)?;
        let setup = Setup { spec, preset: model.preset.clone(), recipe, images, split, budget: Budget::default() };
        let last = Rc::new(Cell::new(Instant::now()));
        let mut turn = || {
            let last = last.clone();
            async move {
                if last.get().elapsed() > TURN {
                    web::yield_now().await;
                    last.set(Instant::now());
                }
            }
            .boxed_local()
        };
        Trainer::in_turns(&self.ctx, setup, weights, &mut Turns::new(&mut turn)).await
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
            assumed: Vec::new(),
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
        Ok(model.info.clone())
    }

    /// What one picture shows: the `top` most probable classes.
    pub async fn classify(&mut self, image: &RgbaImage, top: usize) -> Result<Classification> {
        let start = Instant::now();
        let probabilities = self.forward(std::slice::from_ref(image), "softmax").await?;
        let labels = &self.loaded()?.info.labels;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let top = order
            .into_iter()
            .take(top)
            .map(|class| Prediction { class, label: labels[class].clone(), probability: probabilities[class] })
            .collect();
        Ok(Classification { top, ms: start.elapsed().as_secs_f64() * 1e3, width: image.width, height: image.height })
    }

    /// Logits `(N, classes)`, row by row, of at most as many pictures as the model was loaded for.
    pub async fn logits(&mut self, images: &[RgbaImage]) -> Result<Vec<f32>> {
        self.forward(images, "fc").await
    }

    async fn forward(&mut self, images: &[RgbaImage], output: &str) -> Result<Vec<f32>> {
        let model = self.model.as_mut().ok_or_else(no_model)?;
        if model.spec.classes.is_none() {
            return Err(Error::Usage(format!("`{}` ends in features without a head, so it names no classes", model.info.name)));
        }
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
        let ModelInfo { name, labels, origin, .. } = info;
        Portable { name, spec, weights, labels, pixels: preset, origin: *origin }.write(format)
    }

    /// Times every layer of the loaded model once.
    pub async fn profile(&self) -> Result<Vec<DispatchTime>> {
        self.loaded()?.plan.profile(&self.ctx).await
    }

    fn loaded(&self) -> Result<&Model> {
        self.model.as_ref().ok_or_else(no_model)
    }
}

fn no_model() -> Error {
    Error::Usage("no model is loaded; choose one first".into())
}

/// Plans layer by layer, with turns for the page between.
async fn plan(
    ctx: &Context,
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
    let options = PlanOptions {
        precision: if f16 { Precision::F16 } else { Precision::F32 },
        batch,
        height: preset.crop.1 as usize,
        width: preset.crop.0 as usize,
        ..PlanOptions::new(0)
    };
    let mut builder = PlanBuilder::new(ctx, graph, options)?;
    let mut pixels = Preprocessor::new(ctx, preset.clone(), builder.input().clone())?;
    // The first picture would wait for the driver to compile; now it does so while weights are packed.
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
    ctx.check()?;
    progress(1.0);
    Ok((builder.finish(), pixels))
}

/// How a file's network wants its pictures: as the file's metadata says in full, else the preset it was `published` with, else
/// the one its metadata names, else the usual one of the architecture.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Unknown`] when the metadata says something that cannot be used.
pub fn pixel_options(found: &Detected, published: Option<&str>) -> Result<Preset> {
    if let Some(pixels) = checkpoint::pixels(&found.weights)? {
        return Ok(pixels);
    }
    published.or(found.preset.as_deref()).map_or_else(|| usual_preset(&found.spec), Preset::named)
}

/// Names for a file's classes: the `own` ones, else those of its metadata, else ImageNet's or CIFAR-10's where the number fits.
/// None for a net without a head.
///
/// # Errors
/// [`Error::Usage`] when there are not as many as the network has classes.
pub fn class_names(found: &Detected, own: Option<Vec<String>>) -> Result<Vec<String>> {
    match (own.or_else(|| found.classes.clone()), found.spec.classes) {
        (Some(names), Some(classes)) => labels::check(names, classes),
        (None, Some(classes)) => Ok(labels::guess(classes, found.spec.default_image_size())),
        (_, None) => Ok(Vec::new()),
    }
}

/// The recipe of pixels a family is published with.
///
/// # Errors
/// None: every family's preset exists.
pub fn usual_preset(spec: &ResNetSpec) -> Result<Preset> {
    Preset::named(match (spec.family(), spec.arch.ends_with("-caffe")) {
        ("cifar-v1" | "cifar-v2", _) => "cifar",
        ("v2", _) => "keras-v2",
        (_, true) => "caffe",
        _ => "imagenet",
    })
}
