//! Rows of a table by index: features that were computed once become the input of many steps.

use super::grid;
use crate::Result;
use crate::cpu::Step;
use crate::device::{Device, Recorder, Slice, Tensor};
use crate::gpu::{Shader, shader};

const GATHER: Shader = shader!("gather_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    rows: u32,
    row_vec4s: u32,
}

/// `output[n] = bank[indices[n]]`: `bank` holds images of the output's shape behind each other, in f32; `indices` one u32 for
/// each of the N images, below the number stored.
pub fn record_gather(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    bank: &Slice,
    indices: &Slice,
    output: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::Gather {
            rows: output.shape.n as u32,
            row: (output.shape.values() / output.shape.n as u64) as u32,
            bank: recorder.span(bank),
            indices: recorder.span(indices),
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let count = output.shape.vec4s();
    let params = Params { rows: output.shape.n as u32, row_vec4s: (count / output.shape.n) as u32 };
    let kernel = gpu.kernel(GATHER, output.precision, &[]);
    recorder.dispatch(gpu, label, kernel, &[bank, indices, &output.slice], params, grid(gpu, count), 0)
}
