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

mod train;

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::join3;
use js_sys::{JSON, JsString, Promise, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsError, JsValue, closure::Closure};
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use self::train::Training;
use super::RunTimes;
use crate::gpu::{Context, ContextOptions, Precision};
use crate::model::{InferencePlan, PlanBuilder, PlanOptions, ResNetSpec};
use crate::split::in_workshop;
use crate::web::{CancelToken, fetch_bytes, now_ms};
use crate::{Error, Result, weights};

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

/// A net that is ready to run.
struct Session {
    config: Config,
    work: Work,
    /// Logits of the first run, or the losses of all steps.
    results: Vec<f32>,
    first_ms: f64,
    load_ms: f64,
}

enum Work {
    Infer(Inference),
    Train(Box<Training>),
}

impl Work {
    async fn open(ctx: Option<Context>, config: &Config) -> Result<(Context, Self)> {
        match config.mode.as_str() {
            "infer" => Inference::open(ctx, config).await.map(|(ctx, work)| (ctx, Self::Infer(work))),
            _ => Training::open(ctx, config).await.map(|(ctx, work)| (ctx, Self::Train(Box::new(work)))),
        }
    }

    /// The logits, or the loss.
    async fn step(&mut self, ctx: &Context) -> Result<Vec<f32>> {
        match self {
            Self::Infer(inference) => inference.step(ctx).await,
            Self::Train(training) => Ok(vec![training.step(ctx).await?]),
        }
    }

    fn describe(&self, ctx: &Context) -> String {
        match self {
            Self::Infer(inference) => inference.describe(ctx),
            Self::Train(training) => training.describe(ctx),
        }
    }
}

/// A forward pass and its input.
struct Inference {
    plan: InferencePlan,
    input: Vec<f32>,
}

#[derive(Default)]
struct Bench {
    ctx: Option<Context>,
    sessions: Vec<Session>,
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

in_workshop! {
    fn define() -> Result<()> {
        define_bench();
        Ok(())
    }
}

fn define_bench() {
    // Taken out while a call runs: two at once would time each other.
    let bench = Rc::new(RefCell::new(Some(Bench::default())));
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

impl Bench {
    async fn run(&mut self, config: Config) -> Result<String> {
        let at = match self.sessions.iter().position(|session| session.config.same_session(&config)) {
            Some(at) => at,
            None => {
                let session = self.open(&config).await?;
                self.sessions.push(session);
                self.sessions.len() - 1
            }
        };
        let session = &mut self.sessions[at];
        // Set by open().
        let Some(ctx) = &self.ctx else { return Err(Error::NoAdapter("the device is gone".into())) };
        let trains = matches!(session.work, Work::Train(_));
        let mut runs = Vec::with_capacity(config.steps);
        for _ in 0..config.steps {
            let begin = now_ms();
            let result = session.work.step(ctx).await?;
            runs.push(now_ms() - begin);
            if trains {
                session.results.extend(result);
            }
        }
        let report = Report {
            first_ms: session.first_ms,
            load_ms: session.load_ms,
            median_ms: (!runs.is_empty()).then(|| RunTimes::of(runs.clone()).median),
            runs,
            output: (config.want_output && !trains).then_some(&session.results),
            losses: trains.then_some(&session.results),
            info: session.work.describe(ctx),
            heap_mb: (core::arch::wasm32::memory_size(0) * 65_536) as f64 / 1e6,
        };
        serde_json::to_string(&report).map_err(|e| Error::Usage(e.to_string()))
    }

    async fn open(&mut self, config: &Config) -> Result<Session> {
        let begin = now_ms();
        let (ctx, mut work) = Work::open(self.ctx.clone(), config).await?;
        self.ctx = Some(ctx.clone());
        let load_ms = now_ms() - begin;
        let results = work.step(&ctx).await?;
        Ok(Session { config: config.clone(), work, results, first_ms: now_ms(), load_ms })
    }
}

impl Inference {
    /// Loads weights and input while the device opens, and plans.
    async fn open(ctx: Option<Context>, config: &Config) -> Result<(Context, Self)> {
        let Config { model, batch, size, assets, .. } = config;
        let graph = ResNetSpec::named(model)?.build()?;
        let assets = assets.trim_end_matches('/');
        let weights_url = format!("{assets}/{model}.safetensors");
        let input_url = format!("{assets}/input_b{batch}_{size}.f32");
        let cancel = CancelToken::new();
        let options = PlanOptions { batch: *batch, precision: config.precision, ..PlanOptions::new(*size) };
        // Everything but the weights is ready, and compiled, by the time they are there.
        let prepared = async {
            let ctx = device(ctx).await?;
            let builder = PlanBuilder::new(&ctx, &graph, options)?;
            builder.warm_up(&ctx)?;
            Ok::<_, Error>((ctx, builder))
        };
        let (prepared, file, input) =
            join3(prepared, fetch_bytes(&weights_url, |_| {}, &cancel), fetch_bytes(&input_url, |_| {}, &cancel)).await;
        let (ctx, mut builder) = prepared?;
        let state = weights::read(&weights_url, &file?)?;
        while builder.advance(&ctx, &graph, &state)? {}
        ctx.check()?;
        let plan = builder.finish();
        let input = Precision::F32.decode(&input?);
        let shape = plan.input().shape;
        let expected = shape.n * shape.c * shape.h * shape.w;
        if input.len() != expected {
            return Err(Error::Usage(format!("{input_url} holds {} numbers, {shape:?} needs {expected}", input.len())));
        }
        Ok((ctx, Self { plan, input }))
    }

    async fn step(&self, ctx: &Context) -> Result<Vec<f32>> {
        self.plan.input().write_nchw(ctx, &self.input);
        self.plan.run(ctx)?;
        self.plan.read(ctx, "fc").await
    }

    fn describe(&self, ctx: &Context) -> String {
        let memory = self.plan.memory();
        format!(
            "{}, {:?}; weights {:.1} MB, activations {:.1} MB; {} dispatches, {} submits",
            describe(ctx),
            self.plan.options().precision,
            memory.weight_bytes as f64 / 1e6,
            memory.activation_bytes as f64 / 1e6,
            self.plan.recording().dispatches(),
            self.plan.recording().submits(),
        )
    }
}

/// The device of the page, opened by the first call.
async fn device(ctx: Option<Context>) -> Result<Context> {
    match ctx {
        Some(ctx) => Ok(ctx),
        None => Context::new(ContextOptions::default()).await,
    }
}

/// The adapter and which kernels run on it.
fn describe(ctx: &Context) -> String {
    let adapter = ctx.adapter();
    let lanes = ctx.subgroup_lanes().map_or_else(|| "no fixed subgroups".to_owned(), |lanes| format!("subgroups of {lanes}"));
    format!(
        "{}{}; {:?} kernels, {lanes}",
        if adapter.name.is_empty() { "unnamed adapter" } else { adapter.name.as_str() },
        if adapter.software { " (software)" } else { "" },
        ctx.family(),
    )
}
