//! What crosses the boundary between the engine and a door: plain data, commands in and events out.

use serde::Serialize;

use super::benchmark::{BenchmarkEvent, BenchmarkOrder};
use super::export::{ExportFormat, Recipes};
use super::frame::{Frame, FrameReading};
use super::heatmap::{Heatmap, HeatmapKind};
use super::judge::{JudgeOrder, JudgingEvent};
use super::train::{EstimateOrder, PreviewOrder, ResumeOrder, TrainingEvent, TrainingOrder};
use crate::Error;
use crate::data::image::RgbaImage;
use crate::data::{Activation, Preset};
use crate::device::{Adapter, DeviceKind, DispatchTime, Precision};
use crate::model::MemoryUse;
use crate::train::Recipe;
use crate::weights::Choices;

/// Element type the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrecisionChoice {
    /// f16 where a real GPU offers it, f32 elsewhere: software adapters gain nothing from f16.
    #[default]
    Auto,
    /// f32.
    F32,
    /// f16; falls back to f32 where the adapter has none, and [`ModelInfo::precision`] says so.
    F16,
}

/// Where a model's bytes came from, for the label beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Shipped with the page.
    Bundled,
    /// Just downloaded.
    Downloaded,
    /// Downloaded earlier and kept on this device.
    FromThisDevice,
    /// A file the user chose.
    OwnFile,
    /// Trained here.
    Trained,
}

/// From a door to the engine.
#[derive(Debug)]
pub enum Command {
    /// Replace the model by the one in these bytes (safetensors or PyTorch).
    Load {
        /// Name shown to people: a file name or a hub name.
        name: String,
        /// The whole file.
        bytes: Vec<u8>,
        /// Where they came from.
        origin: Origin,
        /// Preset of the pixels; by default the file's metadata, else guessed from the architecture.
        preset: Option<String>,
        /// What a person says of the file that it does not say itself.
        choices: Choices,
        /// Files that came with it, see [`Files`](crate::weights::Files).
        beside: Vec<(String, Vec<u8>)>,
    },
    /// Give the loaded model's classes other names, as many as it has. Answered by [`Event::Ready`].
    NameClasses(Vec<String>),
    /// Go back to the last model that was not trained here. Answered by [`Event::Ready`], also where it is the loaded one.
    UsePretrained,
    /// Change the element type; the loaded model is planned again.
    SetPrecision(PrecisionChoice),
    /// Say what an image shows. Answered by [`Event::Classified`] or [`Event::Failed`] with the same id, in order.
    Classify {
        /// The door's own number for it.
        id: u64,
        /// File name, for errors.
        name: String,
        /// The picture.
        image: Picture,
    },
    /// Like `Classify`, but a newer frame replaces one that still waits (webcam). Answered by [`Event::Frame`].
    ClassifyFrame {
        /// The door's own number for it.
        id: u64,
        /// The frame.
        frame: Frame,
        /// The class to map, if any.
        map_of: Option<usize>,
    },
    /// Say where the model looks in an image. Answered by [`Event::Heatmap`] or [`Event::Failed`] with the same id.
    Heatmap {
        /// The door's own number for it.
        id: u64,
        /// File name, for errors.
        name: String,
        /// The picture.
        image: Picture,
        /// Index of the class.
        class: usize,
        /// Which map.
        kind: HeatmapKind,
    },
    /// Forget the images that still wait to be classified. Frames and maps stay.
    ClearQueue,
    /// Time every layer of the loaded model once. Answered by [`Event::Profiled`].
    Profile,
    /// Hand over the loaded model as a file. Answered by [`Event::Exported`].
    Export {
        /// The kind of file.
        format: ExportFormat,
    },
    /// Train a model; a run from before is forgotten. Answered by [`Event::Training`]. Pictures are classified
    /// between the chunks of the run.
    StartTraining(Box<TrainingOrder>),
    /// Go on with a run of an earlier visit.
    ResumeTraining(Box<ResumeOrder>),
    /// Rest after the present chunk; the best weights so far become the model.
    StopTraining,
    /// Go on where training rests, with another recipe where one is given. Answered by [`TrainingEvent::Planned`] where that changes
    /// something, by [`TrainingEvent::Refused`] where it cannot.
    ContinueTraining(Option<Box<Recipe>>),
    /// Hand over the best weights of the run so far. Answered by [`TrainingEvent::Weights`].
    TrainedWeights,
    /// Say what a run would take. Answered by [`TrainingEvent::Estimated`].
    EstimateTraining(Box<EstimateOrder>),
    /// Show what augmentation does. Answered by [`TrainingEvent::Previewed`].
    PreviewAugmentation(Box<PreviewOrder>),
    /// Say what the loaded model makes of many pictures. Answered by [`Event::Judging`], a batch at a time.
    Judge(Box<JudgeOrder>),
    /// Leave what is not judged yet.
    StopJudging,
    /// Measure a network with random weights, beside the loaded model. Answered by [`Event::Benchmark`]; other work is done
    /// between its runs.
    Benchmark(Box<BenchmarkOrder>),
    /// Leave the runs that are not done yet.
    StopBenchmark,
}

/// A picture to classify.
#[derive(Debug, Clone)]
pub enum Picture {
    /// Decoded by the door (the browser's decoder).
    Decoded(RgbaImage),
    /// A whole file, decoded by the `image` crate.
    File(Vec<u8>),
}

/// From the engine to a door.
#[derive(Debug, Clone)]
pub enum Event {
    /// The device is open (again, after a loss).
    Device(DeviceInfo),
    /// A model is being prepared; 0 to 1.
    Loading {
        /// Its name.
        name: String,
        /// Share done.
        progress: f32,
    },
    /// A model is ready; it replaced any other.
    Ready(Box<ModelInfo>),
    /// The answer for an image.
    Classified {
        /// As in the command.
        id: u64,
        /// What it shows.
        result: Classification,
    },
    /// The answer for a frame.
    Frame {
        /// As in the command.
        id: u64,
        /// What it shows.
        reading: FrameReading,
    },
    /// The answer to [`Command::Heatmap`].
    Heatmap {
        /// As in the command.
        id: u64,
        /// Where the model looks.
        heatmap: Heatmap,
    },
    /// Times by layer.
    Profiled(Vec<DispatchTime>),
    /// The loaded model as a file.
    Exported {
        /// What to call it.
        file_name: String,
        /// Its content.
        bytes: Vec<u8>,
        /// Lines of code that use it.
        recipes: Recipes,
    },
    /// Training has something to say.
    Training(TrainingEvent),
    /// Many pictures are being judged.
    Judging(JudgingEvent),
    /// A network is being measured.
    Benchmark(BenchmarkEvent),
    /// Something failed; the engine goes on with what it had.
    Failed {
        /// The image it was about, if any.
        id: Option<u64>,
        /// What, and what to do.
        error: Error,
    },
}

/// The device as shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What it is.
    pub kind: DeviceKind,
    /// Threads of a processor; 0 for a graphics card.
    pub threads: usize,
    /// Largest piece of memory it gives.
    pub memory_bytes: u64,
    /// Name, backend and whether it is software.
    pub adapter: Adapter,
    /// Whether f16 storage is possible.
    pub f16: bool,
    /// Whether layers can be timed.
    pub timestamps: bool,
}

/// A loaded model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// File or hub name.
    pub name: String,
    /// `resnet50`.
    pub arch: String,
    /// `v1`, `v2`, `cifar-v1`, `cifar-v2`.
    pub family: String,
    /// What it can answer, in the order of the probabilities: the classes, for a single output its name and "not" it; empty for a
    /// net without a head.
    pub labels: Vec<String>,
    /// A name for each logit.
    pub outputs: Vec<String>,
    /// Whether somebody named them; else they were guessed from their number.
    pub own_labels: bool,
    /// How logits become probabilities.
    pub activation: Activation,
    /// Trainable scalars.
    pub parameters: usize,
    /// Element type in use.
    pub precision: Precision,
    /// Name of the pixel preset in use.
    pub preset: String,
    /// The preset itself.
    #[serde(skip)]
    pub pixels: Preset,
    /// Input side in pixels.
    pub size: u32,
    /// GPU memory of the plan for one image.
    pub memory: MemoryUse,
    /// Dispatches of one forward pass.
    pub dispatches: usize,
    /// Where the bytes came from.
    pub origin: Origin,
    /// What the file could not tell and was assumed, as sentences; empty when its metadata told.
    pub assumed: Vec<String>,
    /// What else is to be known of how the file was read, as sentences.
    pub notes: Vec<String>,
    /// Layers that can be [mapped](HeatmapKind::GradCam), in order; the last is the one of [`HeatmapKind::Cam`].
    pub map_layers: Vec<String>,
}

/// What a net says of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// Most probable classes, best first, at most as many as were asked for.
    pub top: Vec<Prediction>,
    /// Milliseconds from the decoded pixels to the probabilities on the CPU.
    pub ms: f64,
    /// Image size in pixels.
    pub width: u32,
    /// Image size in pixels.
    pub height: u32,
}

/// One class with its probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Index of the logit.
    pub class: usize,
    /// Its name.
    pub label: String,
    /// 0 to 1; over all classes of a softmax they add up to 1.
    pub probability: f32,
}
