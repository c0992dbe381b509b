//! # ResLab: ResNets trained and run in the browser
//!
//! One core, two doors. Compiled to WebAssembly the crate is a Leptos page; compiled natively it is a command line. Both
//! drive the same engine: a network [table](model::resnet) becomes a [graph](model::graph), the graph becomes a
//! [plan](model::plan) (batch norm folded, ReLU and residual add fused, buffers shared by lifetime), and the plan is a
//! recording of WGSL compute dispatches that is replayed for every image. A [training plan](model::training) adds the way back, and
//! [`train`] the loop around it.
//!
//! Imports point one way, and a test enforces it:
//!
//! ```text
//! ui -> engine -> train -> model -> ops -> device -> gpu and cpu
//!       weights and data stand beside model; web is used by ui and engine alone
//! ```
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`cpu`] | the only place that names SIMD or threads: kernels for processors and an executor of plans; a crate of its own |
//! | [`gpu`] | the only place that names wgpu: adapter, kernels, dispatches |
//! | [`device`] | one set of types for whatever computes: device, tensors, recordings, memory |
//! | [`ops`] | one file an operation: shape rule, weight packing, dispatch |
//! | [`model`] | every ResNet as a table, the graph, the plans of a forward pass and of a training step |
//! | [`weights`] | safetensors and PyTorch files in, architecture detection, the hub list |
//! | [`data`] | images, presets, labels; no GPU |
//! | [`train`] | the training loop, recipe, schedules, metrics, initial weights, checkpoints |
//! | [`studio`] | projects of classes and pictures, their archive; no browser, no GPU |
//! | [`engine`] | the boundary to the doors: commands in, events out |
//! | `cli` | the command line (native only): classify, eval, inspect, train, bench, models |

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
pub mod data;
pub mod device;
pub mod engine;
pub mod error;
pub mod gpu;
pub mod model;
pub mod ops;

mod sorting;
mod split;
pub mod studio;
pub mod train;
pub mod ui;
pub mod web;
pub mod weights;

pub use error::{Error, Result, StorageTrouble};
/// The processor as a device.
pub use reslab_cpu as cpu;

// The texts of the page's first part, in English; `t!` finds them from here. The others: ui/texts.rs.
rust_i18n::i18n!("www/locales/first", fallback = "en", backend = ui::texts::Arrived);
