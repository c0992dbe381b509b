//! The sum over all pixels by channel: the bias gradient of a convolution.

use super::chunks::Chunks;
use crate::Result;
use crate::cpu::Step;
use crate::device::{Device, Precision, Recorder, Shape, Slice, Tensor};
use crate::gpu::{Shader, shader};

const PARTIAL: Shader = shader!("channel_sum_partial");
const TOTAL: Shader = shader!("channel_sum_total");

/// Bytes of the scratch buffer of [`record_channel_sum`].
pub fn channel_sum_scratch_bytes(device: &Device, shape: Shape) -> u64 {
    // The processor sums in place.
    device.gpu().map_or(0, |gpu| Chunks::new(gpu, shape).bytes(1))
}

/// `d_bias[c] += sum over n, y, x of d_output[n, c, y, x]`; `d_bias` is f32, padded to fours.
pub fn record_channel_sum(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    d_output: &Tensor,
    scratch: &Slice,
    d_bias: &Slice,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::ChannelSum {
            shape: d_output.shape.into(),
            input: recorder.span(&d_output.slice),
            sum: recorder.span(d_bias),
        };
        return recorder.step(label, step, 0);
    };
    let chunks = Chunks::new(gpu, d_output.shape);
    let partial = gpu.kernel(PARTIAL, d_output.precision, &[]);
    recorder.dispatch(gpu, label, partial, &[&d_output.slice, scratch], chunks, chunks.grid(gpu), 0)?;
    let total = gpu.kernel(TOTAL, Precision::F32, &[("ROWS", Chunks::merge_rows(gpu))]);
    recorder.dispatch(gpu, label, total, &[scratch, d_bias], chunks, chunks.merge_grid(), 0)
}
