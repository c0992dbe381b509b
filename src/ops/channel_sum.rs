//! The sum over all pixels by channel: the bias gradient of a convolution.

use super::chunks::Chunks;
use crate::Result;
use crate::gpu::{Context, Precision, Recorder, Shader, Shape, Slice, Tensor, shader};

const PARTIAL: Shader = shader!("channel_sum_partial");
const TOTAL: Shader = shader!("channel_sum_total");

/// Bytes of the scratch buffer of [`record_channel_sum`].
pub fn channel_sum_scratch_bytes(ctx: &Context, shape: Shape) -> u64 {
    Chunks::new(ctx, shape).bytes(1)
}

/// `d_bias[c] += sum over n, y, x of d_output[n, c, y, x]`; `d_bias` is f32, padded to fours.
pub fn record_channel_sum(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    d_output: &Tensor,
    scratch: &Slice,
    d_bias: &Slice,
) -> Result<()> {
    let chunks = Chunks::new(ctx, d_output.shape);
    let partial = ctx.kernel(PARTIAL, d_output.precision, &[]);
    recorder.dispatch(ctx, label, partial, &[&d_output.slice, scratch], chunks, chunks.grid(ctx), 0)?;
    let total = ctx.kernel(TOTAL, Precision::F32, &[("ROWS", Chunks::merge_rows(ctx))]);
    recorder.dispatch(ctx, label, total, &[scratch, d_bias], chunks, chunks.merge_grid(), 0)
}
