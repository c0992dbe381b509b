//! `window.__bench`: forward passes and training steps of a net timed in a browser, for comparisons with other libraries
//! (www/bench.html).
//!
//! A call says what to run and gets its figures:
//!
//! ```js
//! await __bench({ model: 'resnet18', batch: 1, size: 224, mode: 'infer', steps: 5, wantOutput: false, assets: '/data' })
//! // -> { first_ms, runs: [ms, ...], median_ms, output?, losses?, info, heap_mb }
//! ```
//!
//! `assets` is a folder with `MODEL.safetensors` (torchvision's names) and `input_bBATCH_SIZE.f32` (NCHW). The first call for
//! a net, size and mode loads it and runs it once; `first_ms` counts from the start of the navigation to its result. The
//! state stays for later calls. A timed step begins with images in the page's memory and ends with its result there: the
//! logits, or the loss after the update.
//!
//! The mode `train` trains all of the net (batch norm with batch statistics, SGD with momentum), `head` the classifier behind
//! the frozen rest. They read `MODEL_c10.safetensors`, `train_x.f32` (NCHW), `train_y.i32` and `train.json`
//! (`{ lr, momentum }`); `losses` are those of all steps so far.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::{join3, join5};
use js_sys::{JSON, JsString, Promise, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsError, JsValue, closure::Closure};
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use super::{Bench, BenchmarkJob, BenchmarkWork, RunTimes};
use crate::device::{Device, DeviceOptions, Precision};
use crate::model::{ResNetSpec, Turns};
use crate::ops::Target;
use crate::split::in_page_part;
use crate::web::{fetch_whole, now_ms};
use crate::weights::{self, StateDict};
use crate::{Error, Result};

/// What to run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    /// Name of an architecture, e.g. `resnet18`.
    model: String,
    batch: usize,
    /// Side of the images in pixels.
    size: usize,
    /// `infer`, `train` or `head`.
    mode: String,
    /// Timed runs of this call.
    steps: usize,
    want_output: bool,
    /// Address of the folder with weights and input.
    assets: String,
    precision: Precision,
}

impl Default for Config {
    fn default() -> Self {
        let (model, mode, assets) = ("resnet18".into(), "infer".into(), ".".into());
        Self { model, batch: 1, size: 224, mode, steps: 0, want_output: false, assets, precision: Precision::F32 }
    }
}

impl Config {
    /// Whether a session of `other` serves this one.
    fn same_session(&self, other: &Self) -> bool {
        let key = |c: &Self| (c.model.clone(), c.batch, c.size, c.mode.clone(), c.precision);
        key(self) == key(other)
    }

    fn trains(&self) -> bool {
        self.mode != "infer"
    }

    /// A forward pass.
    fn job(&self, spec: ResNetSpec) -> BenchmarkJob {
        BenchmarkJob::new(spec, BenchmarkWork::Forward, self.batch, self.size)
    }

    /// A file of the folder with the data.
    async fn fetch(&self, file: &str) -> Result<Vec<u8>> {
        let url = format!("{}/{file}", self.assets.trim_end_matches('/'));
        fetch_whole(&url).await
    }
}

/// The figures of a call.
#[derive(Debug, Serialize)]
struct Report<'a> {
    first_ms: f64,
    load_ms: f64,
    runs: Vec<f64>,
    median_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    losses: Option<&'a [f32]>,
    info: String,
    heap_mb: f64,
}

/// The recipe, `train.json`.
#[derive(Debug, Deserialize)]
struct Hyperparameters {
    lr: f32,
    momentum: f32,
}

/// A net that is ready to run.
struct Session {
    config: Config,
    ctx: Device,
    bench: Bench,
    images: Vec<f32>,
    targets: Vec<Target>,
    /// Logits of the first run, or the losses of all steps.
    results: Vec<f32>,
    first_ms: f64,
    load_ms: f64,
}

#[derive(Default)]
struct Sessions {
    open: Vec<Session>,
}

/// Defines the global function `__bench`, once its code has come.
pub fn install() {
    console_error_panic_hook::set_once();
    // Fails only when a logger is set already.
    let _ = console_log::init_with_level(log::Level::Warn);
    spawn_local(async {
        if let Err(error) = define().await {
            log::error!("{error}");
        }
    });
}

in_page_part! { benchmark:
    fn define() -> Result<()> {
        define_bench();
        Ok(())
    }
}

fn define_bench() {
    // Taken out while a call runs: two at once would time each other.
    let bench = Rc::new(RefCell::new(Some(Sessions::default())));
    let call = Closure::<dyn Fn(JsValue) -> Promise>::new(move |config: JsValue| {
        let bench = bench.clone();
        future_to_promise(async move {
            let config = parse(&config)?;
            let Some(mut state) = bench.borrow_mut().take() else {
                return Err(JsError::new("another __bench call is still running; await it first").into());
            };
            let report = state.run(config).await;
            let report = report
                .map_err(|e| JsError::new(&e.to_string()))
                .and_then(|text| JSON::parse(&text).map_err(|_| JsError::new("the report is not valid JSON")));
            bench.replace(Some(state));
            Ok(report?)
        })
    });
    if Reflect::set(&js_sys::global(), &"__bench".into(), &call.into_js_value()).is_err() {
        log::error!("window.__bench cannot be defined");
    }
}

fn parse(config: &JsValue) -> Result<Config, JsError> {
    let wrong = |reason: &str| JsError::new(&format!("__bench wants {{ model, batch, size, mode, steps, assets }}: {reason}"));
    let text = JSON::stringify(config).ok().and_then(|text| text.dyn_into::<JsString>().ok());
    let text = text.map(String::from).ok_or_else(|| wrong("an object was expected"))?;
    let config: Config = serde_json::from_str(&text).map_err(|e| wrong(&e.to_string()))?;
    if !["infer", "train", "head"].contains(&config.mode.as_str()) {
        return Err(wrong(&format!("mode `{}` is unknown; infer, train and head are known", config.mode)));
    }
    if config.batch == 0 || config.size == 0 {
        return Err(wrong("batch and size are at least 1"));
    }
    Ok(config)
}

impl Sessions {
    async fn run(&mut self, config: Config) -> Result<String> {
        let at = match self.open.iter().position(|session| session.config.same_session(&config)) {
            Some(at) => at,
            None => {
                let session = Session::open(self.open.first().map(|session| session.ctx.clone()), &config).await?;
                self.open.push(session);
                self.open.len() - 1
            }
        };
        let session = &mut self.open[at];
        let mut runs = Vec::with_capacity(config.steps);
        for _ in 0..config.steps {
            let begin = now_ms();
            let result = session.step().await?;
            runs.push(now_ms() - begin);
            if config.trains() {
                session.results.extend(result);
            }
        }
        let report = Report {
            first_ms: session.first_ms,
            load_ms: session.load_ms,
            median_ms: (!runs.is_empty()).then(|| RunTimes::of(runs.clone()).median),
            runs,
            output: (config.want_output && !config.trains()).then_some(&session.results),
            losses: config.trains().then_some(&session.results),
            info: describe(&session.ctx, &session.bench),
            heap_mb: (core::arch::wasm32::memory_size(0) * 65_536) as f64 / 1e6,
        };
        serde_json::to_string(&report).map_err(|e| Error::Usage(e.to_string()))
    }
}

impl Session {
    /// Loads weights and data while the device opens, plans, and runs once.
    async fn open(ctx: Option<Device>, config: &Config) -> Result<Self> {
        let begin = now_ms();
        let (mut session, state) = match config.trains() {
            false => Self::inference(ctx, config).await?,
            true => Self::training(ctx, config).await?,
        };
        session.bench.load(&session.ctx, &state, &mut Turns::none()).await?;
        let (shape, found) = (session.bench.input().shape, session.images.len());
        let expected = shape.n * shape.c * shape.h * shape.w;
        if found != expected {
            return Err(Error::Usage(format!("the images hold {found} numbers, {shape:?} needs {expected}")));
        }
        session.load_ms = now_ms() - begin;
        session.results = session.step().await?;
        session.first_ms = now_ms();
        Ok(session)
    }

    fn new(config: &Config, ctx: Device, bench: Bench, images: &[u8], targets: Vec<Target>) -> Self {
        let (config, images) = (config.clone(), Precision::F32.decode(images));
        Self { config, ctx, bench, images, targets, results: Vec::new(), first_ms: 0.0, load_ms: 0.0 }
    }

    /// Everything but the weights is planned, and kernels are compiled, by the time they are there.
    async fn inference(ctx: Option<Device>, config: &Config) -> Result<(Self, StateDict)> {
        let Config { model, batch, size, .. } = config;
        let job = BenchmarkJob { precision: config.precision, ..config.job(ResNetSpec::named(model)?) };
        let planned = async {
            let ctx = device(ctx).await?;
            let bench = Bench::new(&ctx, &job, &mut Turns::none()).await?;
            bench.warm_up(&ctx)?;
            Ok::<_, Error>((ctx, bench))
        };
        let (weights_file, input_file) = (format!("{model}.safetensors"), format!("input_b{batch}_{size}.f32"));
        let (planned, file, input) = join3(planned, config.fetch(&weights_file), config.fetch(&input_file)).await;
        let (ctx, bench) = planned?;
        let state = weights::read_safetensors(&weights_file, &file?)?;
        Ok((Self::new(config, ctx, bench, &input?, Vec::new()), state))
    }

    async fn training(ctx: Option<Device>, config: &Config) -> Result<(Self, StateDict)> {
        let weights_file = format!("{}_c10.safetensors", config.model);
        let [x, y, recipe] = ["train_x.f32", "train_y.i32", "train.json"].map(|file| config.fetch(file));
        let (ctx, file, x, y, recipe) = join5(device(ctx), config.fetch(&weights_file), x, y, recipe).await;
        let ctx = ctx?;
        let state = weights::read_safetensors(&weights_file, &file?)?;
        let recipe: Hyperparameters = serde_json::from_slice(&recipe?).map_err(|e| Error::Usage(format!("train.json: {e}")))?;
        let targets: Vec<Target> = y?.as_chunks().0.iter().map(|bytes| Target::class(u32::from_le_bytes(*bytes))).collect();
        if targets.len() != config.batch {
            return Err(Error::Usage(format!("train_y.i32 holds {} classes, a batch is {}", targets.len(), config.batch)));
        }
        let classes = state.tensors.get("fc.bias").and_then(|bias| bias.shape.first()).copied();
        let job = BenchmarkJob {
            work: BenchmarkWork::Training,
            head_only: config.mode == "head",
            learning_rate: recipe.lr,
            momentum: recipe.momentum,
            ..config.job(ResNetSpec::named(&config.model)?.with_classes(classes))
        };
        let bench = Bench::new(&ctx, &job, &mut Turns::none()).await?;
        Ok((Self::new(config, ctx, bench, &x?, targets), state))
    }

    /// One step, from the images in the page's memory to its result there: the logits, or the loss.
    async fn step(&mut self) -> Result<Vec<f32>> {
        self.bench.input().write_nchw(&self.ctx, &self.images);
        self.bench.set_targets(&self.ctx, &self.targets);
        self.bench.run(&self.ctx).await
    }
}

/// The device of the page, opened by the first call.
async fn device(ctx: Option<Device>) -> Result<Device> {
    match ctx {
        Some(ctx) => Ok(ctx),
        None => Device::new(DeviceOptions::default()).await,
    }
}

/// The device, memory and work.
fn describe(ctx: &Device, bench: &Bench) -> String {
    let (name, memory) = (&ctx.adapter().name, bench.memory());
    let mb = |bytes: u64| bytes as f64 / 1e6;
    format!(
        "{}; {}; parameters {:.1} MB, gradients {:.1} MB, momentum {:.1} MB, activations {:.1} MB; \
         {} dispatches, {} submits of a forward pass",
        if name.is_empty() { "unnamed adapter" } else { name },
        ctx.kind(),
        mb(memory.parameter_bytes),
        mb(memory.gradient_bytes),
        mb(memory.optimizer_bytes),
        mb(memory.activation_bytes),
        bench.dispatches(),
        bench.submits()
    )
}
