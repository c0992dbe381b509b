//! The graphics card, and the only place that names wgpu.
//!
//! A [`Gpu`] is a WebGPU device with its limits. A [`Shader`] with constants becomes a cached [`Kernel`]; dispatches of kernels over
//! [`Slice`]s are collected by a [`Recorder`] and frozen into a [`Recording`], which is replayed as often as wanted: bind
//! groups and uniform parameters are made once. Above `ops` nobody sees these: `device` has the types that fit either device.

mod adapter;
mod frame;
mod kernel;
mod precision;
mod profile;
mod readback;
mod recording;
mod slice;

pub use adapter::{Adapter, Family, Gpu, GpuOptions, Limits};
pub use frame::FrameTexture;
pub use kernel::{Kernel, KernelSource, Shader};
pub(crate) use kernel::{stripped, stripped_length};
pub use precision::Precision;
pub use profile::DispatchTime;
pub use recording::{Dispatch, Recorder, Recording};
pub use slice::Slice;

/// The text of a file in `shaders/`, stripped of its comments as the program is compiled.
macro_rules! wgsl {
    ($($path:literal),+) => {{
        const FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $($path),+));
        const TEXT: [u8; $crate::gpu::stripped_length(FILE)] = $crate::gpu::stripped(FILE);
        const SOURCE: &str = match std::str::from_utf8(&TEXT) {
            Ok(text) => text,
            Err(_) => panic!("a shader's file is UTF-8, and so is what is left without its comments"),
        };
        SOURCE
    }};
}
pub(crate) use wgsl;

/// Declares a [`Shader`] from `shaders/NAME.wgsl`.
macro_rules! shader {
    ($name:literal) => {
        $crate::gpu::Shader::new($name, $crate::gpu::wgsl!($name, ".wgsl"))
    };
}
pub(crate) use shader;
