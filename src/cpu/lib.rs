//! The processor as a device: kernels with SIMD and threads, and an executor of programs made of plain data.
//!
//! A crate of its own, so that a Web Worker links it alone, it is optimised for speed in every profile, and it cannot import
//! anything of what lies above it. It is the only place that names SIMD or threads.
//!
//! - [`program`]: what can be done, as data ([`Step`]); the same operations and memory layouts as the WGSL kernels have.
//! - [`ConvMethod`]: how a convolution is computed, and the packing of its weights.
//! - [`Executor`]: buffers by number, and a loop over steps.

mod conv;
mod conv_backward;
mod elementwise;
mod error;
mod executor;
mod linear;
mod loss;
mod memory;
mod method;
mod norm;
mod optimizer;
mod pictures;
mod pool;
mod pooling;
pub mod program;
mod run;
mod simd;
mod winograd;

pub use error::{Error, Result};
pub use executor::Executor;
pub use method::{ConvMethod, Method, Purpose};
pub use program::{Conv, Rule, Shape, Span, Statistics, Step, Window};
