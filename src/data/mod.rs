//! Images, presets, labels: plain data, no GPU.

#[cfg(not(target_arch = "wasm32"))]
pub mod dataset;
pub mod header;
pub mod image;
pub mod image_set;
pub mod labels;
pub mod preset;
pub mod random;
pub mod resample;
pub mod sniff;
pub mod split;
pub mod zip;

pub use image::{RgbaImage, decode, decode_later, probe};
pub use image_set::{ImageSet, ImageSize};
pub use preset::{ChannelOrder, Geometry, Preset, Resize};
pub use resample::Filter;
pub use sniff::Format;
