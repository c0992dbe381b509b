//! Batch norm in inference mode: a scale and a shift a channel, folded into the convolution before it where there is one.

use super::{flag, grid};
use crate::Result;
use crate::gpu::{Context, Recorder, Shader, Slice, Tensor, shader};

/// What batch norm with fixed statistics amounts to: `y = scale * x + shift`, each of length C.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// `weight / sqrt(running_var + eps)`.
    pub scale: Vec<f32>,
    /// `bias - running_mean * scale`.
    pub shift: Vec<f32>,
}

impl Affine {
    /// From the layer's parameters and statistics (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2).
    pub fn new(weight: &[f32], bias: &[f32], running_mean: &[f32], running_var: &[f32], eps: f32) -> Self {
        let scale: Vec<f32> = weight
            .iter()
            .zip(running_var)
            .map(|(w, var)| (f64::from(*w) / (f64::from(*var) + f64::from(eps)).sqrt()) as f32)
            .collect();
        let shift = (0..bias.len()).map(|c| bias[c] - running_mean[c] * scale[c]).collect();
        Self { scale, shift }
    }

    /// Folds it into the convolution `(O, ...)` in front of it: the convolution's weights are scaled by output channel and its
    /// bias becomes `scale * bias + shift`.
    pub fn fold(&self, weight: &mut [f32], bias: &mut [f32]) {
        let row = weight.len() / self.scale.len();
        for (o, scale) in self.scale.iter().enumerate() {
            weight[o * row..(o + 1) * row].iter_mut().for_each(|w| *w *= scale);
            bias[o] = bias[o] * scale + self.shift[o];
        }
    }
}

const BATCH_NORM: Shader = shader!("batch_norm_forward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    count: u32,
    c4: u32,
}

/// `output = scale * input + shift` by channel, then ReLU where asked for. `scale` and `shift` are f32, padded to fours.
#[allow(clippy::too_many_arguments)] // the operation's operands
pub fn record_batch_norm(
    recorder: &mut Recorder,
    ctx: &Context,
    label: &str,
    input: &Tensor,
    scale: &Slice,
    shift: &Slice,
    relu: bool,
    output: &Tensor,
) -> Result<()> {
    let count = input.shape.vec4s();
    let params = Params { count: count as u32, c4: input.shape.c4() as u32 };
    let kernel = ctx.kernel(BATCH_NORM, input.precision, &[("RELU", flag(relu))]);
    recorder.dispatch(ctx, label, kernel, &[&input.slice, scale, shift, &output.slice], params, grid(ctx, count), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_equals_normalising() {
        let affine = Affine::new(&[2.0, 0.5], &[1.0, -1.0], &[0.5, 3.0], &[4.0, 0.25], 0.0);
        assert_eq!(affine, Affine { scale: vec![1.0, 1.0], shift: vec![0.5, -4.0] });
        let affine = Affine { scale: vec![2.0, -1.0], shift: vec![0.5, 1.0] };
        let (mut weight, mut bias) = (vec![1.0, 2.0, 3.0, 4.0], vec![10.0, 20.0]);
        affine.fold(&mut weight, &mut bias);
        assert_eq!(weight, [2.0, 4.0, -3.0, -4.0]);
        assert_eq!(bias, [20.5, -19.0]);
    }
}
