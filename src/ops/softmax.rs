//! Probabilities from logits.

use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Tensor, shader};

const SOFTMAX: Shader = shader!("softmax_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    channels: u32,
    c4: u32,
}

/// `output[n, c] = exp(input[n, c] - max) / sum`, over the channels of each image.
pub fn record_softmax(recorder: &mut Recorder, ctx: &Context, label: &str, input: &Tensor, output: &Tensor) -> Result<()> {
    let params = Params { channels: input.shape.c as u32, c4: input.shape.c4() as u32 };
    let kernel = ctx.kernel(SOFTMAX, input.precision, &[]);
    // One workgroup an image.
    let images = input.shape.n as u32;
    recorder.dispatch(ctx, label, kernel, &[&input.slice, &output.slice], params, [images, 1, 1], 0)
}
