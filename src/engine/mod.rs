//! The boundary to the doors. [`Engine`] is the core both doors drive; [`serve`] runs it behind [`Command`]s and [`Event`]s.

#[cfg(target_arch = "wasm32")]
pub mod bench;
mod benchmark;
mod calibrate;
mod core;
mod export;
mod frame;
mod heatmap;
mod judge;
mod known;
mod later;
mod message;
mod serve;
mod train;

pub use self::core::Engine;
pub use benchmark::{
    Bench, BenchmarkEvent, BenchmarkJob, BenchmarkOrder, BenchmarkPhase, BenchmarkReport, BenchmarkWork, LayerKind, LayerTime,
    Noise, RunTimes, random_weights,
};
pub use calibrate::Calibration;
pub use export::{BUNDLED_LICENSE, ExportFormat, Exported, Portable, Recipes};
pub use frame::{Frame, FrameReading, FrameWay};
pub use heatmap::{Heatmap, HeatmapKind};
pub use judge::{Activation, JudgeOrder, JudgingEvent, Verdict};
pub use known::{Known, LoadOptions, keeps_head, pixel_options, told_by_hub, usual_preset};
pub use message::{Classification, Command, DeviceInfo, Event, ModelInfo, Origin, Picture, PrecisionChoice, Prediction};
pub use serve::{serve, serve_engine};
pub use train::{
    Backbone, Beginning, EstimateOrder, Examples, Plan, PreviewOrder, ResumeOrder, Sides, TrainingEvent, TrainingOrder,
    scratch_preset,
};
