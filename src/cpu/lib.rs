//! The processor as a device: kernels with SIMD and threads, and an executor of programs made of plain data.
//!
//! A crate of its own, so that a Web Worker links it alone, it is optimised for speed in every profile, and it cannot import
//! anything of what is above it. It is the only place that names SIMD or threads.
//!
//! - [`program`]: what can be done, as data ([`Step`]); the same operations and memory layouts as the WGSL kernels have.
//! - [`ConvMethod`]: how a convolution is computed, and the packing of its weights.
//! - [`Executor`]: buffers by number, and a loop over steps. A step borrows the pieces of buffers that it names (`memory`); what
//!   does not fit is an error, never a panic.
//! - `simd`: one vector type an instruction set (AVX-512, AVX2, NEON, WebAssembly SIMD), and the choice among them at run time. The
//!   only file with `unsafe`.
//! - `pool`: threads. A step is cut into tasks that write different memory; sums are cut into pieces of a fixed size. So the
//!   result is the same, bit for bit, with any number of threads.
//! - `conv`, `conv_backward`, `winograd`: convolution and its gradients as one block of products in registers.
//! - The other files: an operation or a few each, as plain loops that the compiler turns into vectors (`simd::vectorised`).

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
mod pack;
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
