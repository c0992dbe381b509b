//! The live view: a camera, what the network says of it, and where it looks.
//!
//! A screen that wants one asks for [`live_view`], or makes a [`Live`] and places its two halves by itself. `actions` adds what the
//! screen does with a frame.

pub mod field;
pub mod ramp;
pub mod smooth;

#[cfg(target_arch = "wasm32")]
mod ask;
#[cfg(target_arch = "wasm32")]
mod looks;
#[cfg(target_arch = "wasm32")]
mod overlay;
#[cfg(target_arch = "wasm32")]
mod screen;
#[cfg(target_arch = "wasm32")]
mod state;
#[cfg(target_arch = "wasm32")]
mod trouble;
#[cfg(target_arch = "wasm32")]
mod view;

#[cfg(target_arch = "wasm32")]
pub use self::{
    ask::{Asked, Reply},
    looks::{Looks, PictureLooks},
    overlay::address,
    screen::look_live,
    state::{Live, Phase, keep_camera, open_first, usual_cameras},
    trouble::own_tab,
    view::{Actions, LiveReading, LiveStage, camera_name, chosen_camera, live_view},
};
