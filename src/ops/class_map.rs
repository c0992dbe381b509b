//! Class activation maps: a layer's channels summed pixel by pixel, weighted.
//!
//! Forward `(1, C, h, w)` features and `C` weights -> `h * w` values. Nothing is trained through it, so it has no backward pass.

use super::{expect_bytes, grid};
use crate::Result;
use crate::cpu::Step;
use crate::device::{Device, Recorder, Slice, Tensor};
use crate::gpu::{Shader, shader};

const CLASS_MAP: Shader = shader!("class_map_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    pixels: u32,
    c4: u32,
}

/// Bytes of the map of a layer with this many pixels.
pub fn class_map_bytes(pixels: usize) -> u64 {
    pixels as u64 * 4
}

/// `map[y, x] = sum over c of weights[c] * features[c, y, x]` of the first image; weights and map are f32, padding weights zero.
///
/// # Errors
/// [`Error::Usage`](crate::Error::Usage) for slices that are too short.
pub fn record_class_map(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    features: &Tensor,
    weights: &Slice,
    map: &Slice,
) -> Result<()> {
    let (pixels, c4) = (features.shape.h * features.shape.w, features.shape.c4());
    expect_bytes(label, "weights", weights, c4 as u64 * 16)?;
    expect_bytes(label, "a map", map, class_map_bytes(pixels))?;
    let Some(gpu) = device.gpu() else {
        let step = Step::ClassMap {
            shape: features.shape.into(),
            features: recorder.span(&features.slice),
            weights: recorder.span(weights),
            map: recorder.span(map),
        };
        return recorder.step(label, step, 0);
    };
    let kernel = gpu.kernel(CLASS_MAP, features.precision, &[]);
    let params = Params { pixels: pixels as u32, c4: c4 as u32 };
    let cost = (pixels * features.shape.c) as u64;
    recorder.dispatch(gpu, label, kernel, &[&features.slice, weights, map], params, grid(gpu, pixels), cost)
}
