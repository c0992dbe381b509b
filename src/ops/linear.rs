//! The fully connected layer of the head.

use super::grid;
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Slice, Tensor, shader};

const LINEAR: Shader = shader!("linear_forward");

/// Sizes of a fully connected layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// I.
    pub in_features: usize,
    /// O.
    pub out_features: usize,
}

impl Linear {
    /// From torch's `(O, I)` to `[i4][o4][4 inputs]` of vec4s over four outputs, so that neighbouring threads read
    /// neighbouring vectors.
    pub fn pack(&self, weight: &[f32]) -> Vec<f32> {
        let (o4, i4) = (self.out_features.div_ceil(4), self.in_features.div_ceil(4));
        let mut packed = vec![0.0; i4 * o4 * 16];
        for out in 0..self.out_features {
            for input in 0..self.in_features {
                let row = ((input / 4) * o4 + out / 4) * 4 + input % 4;
                packed[row * 4 + out % 4] = weight[out * self.in_features + input];
            }
        }
        packed
    }
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    in_c4: u32,
    out_c4: u32,
}

/// `output (N, O) = input (N, I) * weight^T + bias`. `weight` is packed by [`Linear::pack`] in the input's precision, `bias` f32.
pub fn record_linear(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    input: &Tensor,
    weight: &Slice,
    bias: &Slice,
    output: &Tensor,
) -> Result<()> {
    let params = Params { batch: input.shape.n as u32, in_c4: input.shape.c4() as u32, out_c4: output.shape.c4() as u32 };
    let kernel = ctx.kernel(LINEAR, input.precision, &[]);
    let cost = (input.shape.n * input.shape.c * output.shape.c) as u64;
    recorder.dispatch(
        ctx,
        label,
        kernel,
        &[&input.slice, weight, bias, &output.slice],
        params,
        grid(ctx, output.shape.vec4s()),
        cost,
    )
}
