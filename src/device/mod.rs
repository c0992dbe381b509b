//! The device that computes: one set of types, whatever it is.
//!
//! A [`Device`] holds [`Slice`]s and [`Tensor`]s. Operations append steps to a [`Recorder`]; the finished [`Recording`] is replayed as
//! often as wanted. Only `ops` looks at what is behind: it asks for the [`Gpu`](crate::gpu::Gpu) and dispatches kernels there.

#[cfg(not(target_arch = "wasm32"))]
mod here;
mod kind;
mod memory;
mod open;
mod processor;
mod recorder;
mod slice;
mod tensor;
#[cfg(target_arch = "wasm32")]
mod worker;

pub use crate::gpu::{Adapter, DispatchTime, Family, FrameTexture, Gpu, Limits, Precision};
pub use kind::{DeviceChoice, DeviceKind, DeviceOptions};
pub use memory::{Assignment, Lifetime, assign_slots};
pub use open::Device;
pub use processor::Processor;
pub use recorder::{Recorder, Recording};
pub use slice::Slice;
pub use tensor::{Shape, Tensor, gpu_to_nchw, nchw_to_gpu};
#[cfg(target_arch = "wasm32")]
pub use worker::processor_from;
