//! The live view: a camera, what the network says of it, and where it looks.

#[cfg(target_arch = "wasm32")]
mod ask;

#[cfg(target_arch = "wasm32")]
pub use ask::{Asked, Reply};
