//! What needs a device, in one program: it is linked once, and its tests share adapters. Natively the processor and a Vulkan, Metal or
//! DX12 adapter (a software one will do); the browser's tests are in `tests/browser`.
//!
//! One of the modules alone: `cargo test --test device conv2d::`.
#![cfg(not(target_arch = "wasm32"))]

// What several modules need.
mod generator;
mod golden;
mod golden_train;
mod gradcheck;

// Operations, each with finite differences or the processor.
mod augment;
mod conv2d;
mod conv2d_backward;
mod conv2d_speed;
mod grouped_conv2d;
mod loss;
mod ops_backward;
mod ops_backward_norm;
mod optimizer;
mod preprocess;
mod shaders;

// Whole nets, with PyTorch's values.
mod export_onnx;
mod golden_parity;
mod golden_recipes;
mod golden_train_values;
mod golden_training;
mod recorded_steps;

// What is built from them.
mod engine;
mod heatmap;
mod judge;
mod studio_defaults;
mod training;
