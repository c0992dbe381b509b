//! Images, presets, labels: plain data, no GPU.

pub mod answers;
pub mod catalog;
pub mod cifar;
#[cfg(not(target_arch = "wasm32"))]
pub mod dataset;
pub mod element;
pub mod header;
pub mod image;
pub mod image_set;
pub mod labels;
pub mod npy;
pub(crate) mod pickle;
pub mod preset;
pub mod random;
pub mod resample;
pub mod sniff;
pub mod split;
#[cfg(not(target_arch = "wasm32"))]
pub mod stream;
pub mod tar;
pub mod text;
pub mod zip;

pub use answers::Activation;
pub use image::{RgbaImage, decode, decode_later, probe};
pub use image_set::{Form, ImageSet, ImageSize, Whole, whole_side};
pub use preset::{ChannelOrder, Geometry, Preset, Resize};
pub use resample::Filter;
pub use sniff::Format;

/// A digest of a file, to know it again: FNV-1a with 64 bits.
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
