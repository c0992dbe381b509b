//! The benchmark screen: how fast networks are on this device, in the spirit of the classic timing loops
//! (soumith/convnet-benchmarks): warm-up, runs one by one, figures that can be compared.

pub mod browser;
pub mod markdown;

#[cfg(target_arch = "wasm32")]
mod figures;
#[cfg(target_arch = "wasm32")]
mod form;
#[cfg(target_arch = "wasm32")]
mod layers;
#[cfg(target_arch = "wasm32")]
mod screen;
#[cfg(target_arch = "wasm32")]
mod state;

#[cfg(target_arch = "wasm32")]
pub(super) use self::screen::screen;
#[cfg(target_arch = "wasm32")]
pub(super) use self::state::Bench;
