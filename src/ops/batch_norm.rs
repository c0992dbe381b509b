//! Batch norm. In inference a scale and a shift a channel, folded into the convolution before it where there is one; in
//! training with the statistics of the batch or the running ones, together with the residual addition and ReLU behind it.

use super::ConvKernel;
use super::chunks::Chunks;
use super::flag;
use super::layer::{
    Backward, BackwardPart, BackwardRule, Constant, Forward, Gradient, Layer, LayerKind, LayerParam, Operand, Purpose, Tail,
    TrainingStep, Values, operands,
};
use super::nhwc::Nhwc;
use super::onnx::{Onnx, OnnxAttribute};
use crate::cpu::Step;
use crate::device::{Device, Precision, Recorder, Shape, Slice, Tensor};
use crate::gpu::{Shader, shader};
use crate::{Error, Result};

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

const FORWARD: Shader = shader!("batch_norm_forward");
const STATISTICS: Shader = shader!("batch_norm_statistics");
const SCALE: Shader = shader!("batch_norm_scale");
const BACKWARD_SUMS: Shader = shader!("batch_norm_backward_sums");
const BACKWARD_SCALE: Shader = shader!("batch_norm_backward_scale");
const BACKWARD: Shader = shader!("batch_norm_backward");

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct ForwardParams {
    chunks: Chunks,
    /// Where the vectors start in their slices, in vec4s.
    mean_at: u32,
    scale_at: u32,
    bias_at: u32,
    padding: u32,
}

/// `output = scale * input + shift` by channel, then ReLU where asked for. `scale` and `shift` are f32, padded to fours.
#[allow(clippy::too_many_arguments)] // the operation's operands
pub fn record_batch_norm(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    input: &Tensor,
    scale: &Slice,
    shift: &Slice,
    relu: bool,
    output: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::NormInference {
            shape: input.shape.into(),
            input: recorder.span(&input.slice),
            scale: recorder.span(scale),
            shift: recorder.span(shift),
            relu,
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let params = ForwardParams { chunks: Chunks::new(gpu, input.shape), mean_at: 0, scale_at: 0, bias_at: 0, padding: 0 };
    let kernel = gpu.kernel(FORWARD, input.precision, &[("MEAN", 0.0), ("RESIDUAL", 0.0), ("RELU", flag(relu))]);
    let slices = [&input.slice, scale, shift, &input.slice, &output.slice];
    recorder.dispatch(gpu, label, kernel, &slices, params, params.chunks.grid(gpu), 0)
}

/// Which mean and variance a training step normalises with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistics {
    /// Those of the batch, and the running ones follow: `running = (1 - momentum) * running + momentum * batch`.
    Batch {
        /// The batch's share: 0.1 in PyTorch, 0.01 in Keras (which calls the rest, 0.99, momentum), 0.003 in TF-slim.
        momentum: f32,
        /// The running variance takes the batch's with `n / (n - 1)`, as PyTorch and TF-slim do, or as it is, as Keras does.
        /// The normalisation itself always divides by `n`.
        unbiased: bool,
    },
    /// The running ones, which stay as they are: "frozen" batch norm.
    Running,
}

/// Parameters and statistics of a batch norm layer: f32 vectors of length C, padded to fours with zeros.
#[derive(Debug, Clone, Copy)]
pub struct NormParams<'a> {
    /// Gamma.
    pub weight: &'a Slice,
    /// Beta.
    pub bias: &'a Slice,
    /// Written with batch statistics, so it lies in another buffer than `weight` and `bias`.
    pub running_mean: &'a Slice,
    /// As `running_mean`.
    pub running_var: &'a Slice,
    /// Added to the variance; positive.
    pub eps: f32,
}

/// One forward pass in training.
#[derive(Debug, Clone, Copy)]
pub struct NormForward<'a> {
    /// The layer's name.
    pub label: &'a str,
    /// `(N, C, H, W)`.
    pub input: &'a Tensor,
    /// Parameters and running statistics.
    pub params: NormParams<'a>,
    /// Which statistics.
    pub statistics: Statistics,
    /// [`norm_saved_bytes`], kept for the backward pass.
    pub saved: &'a Slice,
    /// [`norm_scratch_bytes`], free again afterwards.
    pub scratch: &'a Slice,
    /// Added before the ReLU; shape of `input`.
    pub residual: Option<&'a Tensor>,
    /// ReLU at the end.
    pub relu: bool,
    /// Shape of `input`.
    pub output: &'a Tensor,
}

/// One backward pass.
#[derive(Debug, Clone, Copy)]
pub struct NormBackward<'a> {
    /// The layer's name.
    pub label: &'a str,
    /// What the forward pass read.
    pub input: &'a Tensor,
    /// What the forward pass wrote; only looked at with `relu` and `d_residual`.
    pub output: &'a Tensor,
    /// Gradient of `output`; overwritten with `relu` and `d_residual`.
    pub d_output: &'a Tensor,
    /// As in the forward pass.
    pub params: NormParams<'a>,
    /// As in the forward pass.
    pub statistics: Statistics,
    /// What the forward pass left there.
    pub saved: &'a Slice,
    /// [`norm_scratch_bytes`], free again afterwards.
    pub scratch: &'a Slice,
    /// As in the forward pass.
    pub relu: bool,
    /// `+=`: f32 (C), padded to fours. May share a buffer with `d_bias` (other parts of it).
    pub d_weight: &'a Slice,
    /// `+=`: f32 (C), padded to fours.
    pub d_bias: &'a Slice,
    /// Another gradient of the input, of its shape, to be added to `d_input`; another buffer than `d_input`.
    pub accumulate: Option<&'a Tensor>,
    /// `=` the gradient of `input` plus `accumulate`; none where nothing below is trained.
    pub d_input: Option<&'a Tensor>,
    /// The forward pass had a residual: its gradient, `d_output` behind the ReLU, takes the place of `d_output`.
    pub d_residual: bool,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct ScaleParams {
    chunks: Chunks,
    eps: f32,
    momentum: f32,
}

/// Bytes of [`NormForward::saved`]: mean, 1/std, scale and bias, each of C4 vec4s of f32.
pub fn norm_saved_bytes(shape: Shape) -> u64 {
    4 * shape.c4() as u64 * 16
}

/// Bytes of the scratch buffer that either pass needs for an input of `shape`: two sums a chunk of pixels and two coefficients.
pub fn norm_scratch_bytes(device: &Device, shape: Shape) -> u64 {
    // The processor needs none.
    device.gpu().map_or(0, |gpu| Chunks::new(gpu, shape).bytes(2) + 2 * shape.c4() as u64 * 16)
}

/// `output = [relu]((input - mean) * scale + bias [+ residual])` with `scale = weight / sqrt(var + eps)` (Ioffe and Szegedy 2015, arXiv:1502.03167). Three dispatches with batch statistics, two with
/// running ones.
///
/// # Errors
/// [`Error::Usage`] for batch statistics over a single value a channel, whose variance says nothing.
pub fn record_norm_forward(recorder: &mut Recorder, device: &Device, call: &NormForward<'_>) -> Result<()> {
    let NormForward { label, input, params, saved, scratch, output, .. } = *call;
    let pixels = input.shape.n * input.shape.h * input.shape.w;
    let (batch, momentum, unbiased) = match call.statistics {
        Statistics::Batch { momentum, unbiased } => (true, momentum, unbiased),
        Statistics::Running => (false, 0.0, false),
    };
    if batch && pixels < 2 {
        return Err(Error::Usage(format!(
            "batch norm `{label}` sees one value a channel and needs two or more for batch statistics: \
             use a larger batch or larger images, or freeze the statistics"
        )));
    }
    let Some(gpu) = device.gpu() else {
        let step = Step::NormForward {
            shape: input.shape.into(),
            statistics: match call.statistics {
                Statistics::Batch { momentum, unbiased } => crate::cpu::Statistics::Batch { momentum, unbiased },
                Statistics::Running => crate::cpu::Statistics::Running,
            },
            eps: params.eps,
            input: recorder.span(&input.slice),
            weight: recorder.span(params.weight),
            bias: recorder.span(params.bias),
            running_mean: recorder.span(params.running_mean),
            running_var: recorder.span(params.running_var),
            saved: recorder.span(saved),
            residual: call.residual.map(|tensor| recorder.span(&tensor.slice)),
            relu: call.relu,
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let chunks = Chunks::new(gpu, input.shape);
    if batch {
        let kernel = gpu.kernel(STATISTICS, input.precision, &[]);
        recorder.dispatch(gpu, label, kernel, &[&input.slice, scratch], chunks, chunks.grid(gpu), 0)?;
    }
    let constants = [("BATCH", flag(batch)), ("UNBIASED", flag(unbiased)), ("ROWS", Chunks::merge_rows(gpu))];
    let kernel = gpu.kernel(SCALE, Precision::F32, &constants);
    let slices = [scratch, params.weight, params.bias, params.running_mean, params.running_var, saved];
    let scale = ScaleParams { chunks, eps: params.eps, momentum };
    recorder.dispatch(gpu, label, kernel, &slices, scale, chunks.merge_grid(), 0)?;

    let constants = [("MEAN", 1.0), ("RESIDUAL", flag(call.residual.is_some())), ("RELU", flag(call.relu))];
    let residual = call.residual.unwrap_or(input);
    let params = ForwardParams { chunks, mean_at: 0, scale_at: 2 * chunks.c4, bias_at: 3 * chunks.c4, padding: 0 };
    let kernel = gpu.kernel(FORWARD, input.precision, &constants);
    let slices = [&input.slice, saved, saved, &residual.slice, &output.slice];
    recorder.dispatch(gpu, label, kernel, &slices, params, chunks.grid(gpu), 0)
}

/// The gradients: with `dz = d_output` where `output > 0` (everywhere without ReLU) and `x^ = (input - mean) / std`,
/// `d_weight += sum dz * x^`, `d_bias += sum dz`, and `d_input = scale * dz`, with batch statistics
/// `d_input = scale * (dz - mean(dz) - x^ * mean(dz * x^))`. Three dispatches, two without `d_input`.
pub fn record_norm_backward(recorder: &mut Recorder, device: &Device, call: &NormBackward<'_>) -> Result<()> {
    let NormBackward { label, input, output, d_output, saved, scratch, .. } = *call;
    let Some(gpu) = device.gpu() else {
        let step = Step::NormBackward {
            shape: input.shape.into(),
            batch: call.statistics != Statistics::Running,
            input: recorder.span(&input.slice),
            output: recorder.span(&output.slice),
            d_output: recorder.span(&d_output.slice),
            saved: recorder.span(saved),
            relu: call.relu,
            residual: call.d_residual,
            d_weight: recorder.span(call.d_weight),
            d_bias: recorder.span(call.d_bias),
            accumulate: call.accumulate.map(|tensor| recorder.span(&tensor.slice)),
            d_input: call.d_input.map(|tensor| recorder.span(&tensor.slice)),
        };
        return recorder.step(label, step, 0);
    };
    let chunks = Chunks::new(gpu, input.shape);
    // Without a residual the sign of the output follows from the input, which is read anyway.
    let relu = call.relu && !call.d_residual;
    let mask = call.relu && call.d_residual;
    // An output that is not looked at may lie in memory that belongs to another value by now.
    let output = if mask { output } else { input };
    let constants = [("RELU", flag(relu)), ("MASK", flag(mask))];
    let kernel = gpu.kernel(BACKWARD_SUMS, input.precision, &constants);
    let slices = [&input.slice, &output.slice, &d_output.slice, saved, scratch];
    recorder.dispatch(gpu, label, kernel, &slices, chunks, chunks.grid(gpu), 0)?;

    let kernel = gpu.kernel(BACKWARD_SCALE, Precision::F32, &[("ROWS", Chunks::merge_rows(gpu))]);
    let slices = [scratch, saved, call.d_weight, call.d_bias];
    recorder.dispatch(gpu, label, kernel, &slices, chunks, chunks.merge_grid(), 0)?;

    let Some(d_input) = call.d_input else { return Ok(()) };
    let constants = [
        ("RELU", flag(relu)),
        ("BATCH", flag(call.statistics != Statistics::Running)),
        ("ACCUMULATE", flag(call.accumulate.is_some())),
    ];
    let accumulate = call.accumulate.unwrap_or(input);
    let kernel = gpu.kernel(BACKWARD, input.precision, &constants);
    let slices = [&input.slice, &d_output.slice, saved, scratch, &accumulate.slice, &d_input.slice];
    recorder.dispatch(gpu, label, kernel, &slices, chunks, chunks.grid(gpu), 0)
}

/// A batch norm over the channels. Parameters `weight`, `bias`, `running_mean`, `running_var`, each `(C)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm {
    /// Channels.
    pub channels: usize,
    /// Added to the variance.
    pub eps: f32,
}

impl BatchNorm {
    fn norm_params<'a>(&self, label: &str, slices: &'a [Slice]) -> Result<NormParams<'a>> {
        let [weight, bias, running_mean, running_var] = operands(label, slices)?;
        Ok(NormParams { weight, bias, running_mean, running_var, eps: self.eps })
    }
}

impl Layer for BatchNorm {
    fn kind(&self) -> LayerKind {
        LayerKind::Norm
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(inputs[0])
    }

    fn params(&self) -> Vec<LayerParam> {
        let shape = &[self.channels];
        let trained = ["weight", "bias"].map(|role| LayerParam::trained(role, shape));
        trained.into_iter().chain(["running_mean", "running_var"].map(|role| LayerParam::statistic(role, shape))).collect()
    }

    fn tail(&self) -> Option<Tail> {
        Some(Tail::Norm)
    }

    fn takes(&self, purpose: Purpose) -> &'static [Tail] {
        match purpose {
            Purpose::Inference => &[Tail::Relu],
            Purpose::Training => &[Tail::Add, Tail::Relu],
        }
    }

    fn affine(&self, params: &[&[f32]]) -> Option<Affine> {
        let [weight, bias, mean, var] = params.try_into().ok()?;
        Some(Affine::new(weight, bias, mean, var, self.eps))
    }

    fn constants(&self, _: ConvKernel) -> Vec<Constant> {
        let len = self.channels.next_multiple_of(4);
        ["scale", "shift"].map(|role| Constant { role, len, always_f32: true }).to_vec()
    }

    fn constant_values(&self, _: ConvKernel, params: &[&[f32]], _: Option<&Affine>) -> Vec<Values> {
        self.affine(params).map_or_else(Vec::new, |affine| [affine.scale, affine.shift].map(Values::Ready).into())
    }

    fn training_scratch(&self, ctx: &Device, _: TrainingStep, _: ConvKernel, input: Shape) -> Vec<u64> {
        vec![norm_scratch_bytes(ctx, input)]
    }

    fn saved(&self, input: Shape, _: Shape) -> Vec<u64> {
        vec![norm_saved_bytes(input)]
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        let [scale, shift] = operands(call.label, call.parameters)?;
        record_batch_norm(recorder, ctx, call.label, &call.inputs[0], scale, shift, call.relu, call.output)
    }

    fn training_forward(
        &self,
        recorder: &mut Recorder,
        ctx: &Device,
        call: &Forward<'_>,
        saved: &[Slice],
        statistics: Statistics,
    ) -> Result<()> {
        let Forward { label, residual, relu, output, .. } = *call;
        let ([saved], [scratch]) = (operands(label, saved)?, operands(label, call.scratch)?);
        let (input, params) = (&call.inputs[0], self.norm_params(label, call.parameters)?);
        let norm = NormForward { label, input, params, statistics, saved, scratch, residual, relu, output };
        record_norm_forward(recorder, ctx, &norm)
    }

    /// Without a residual the ReLU's mask follows from the input.
    fn backward_rule(&self, residual: bool) -> BackwardRule {
        let reads: &[Operand] =
            if residual { &[Operand::Input, Operand::Saved, Operand::Output] } else { &[Operand::Input, Operand::Saved] };
        BackwardRule::Parts(vec![BackwardPart { gradient: Gradient::All, reads }])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()> {
        let Backward { label, input, output, d_output, statistics, relu, accumulate, d_input, .. } = *call;
        let ([saved], [scratch]) = (operands(label, call.saved)?, operands(label, call.scratch)?);
        let [d_weight, d_bias] = operands(label, call.d_parameters)?;
        let norm = NormBackward {
            label,
            input,
            output,
            d_output,
            params: self.norm_params(label, call.parameters)?,
            statistics,
            saved,
            scratch,
            relu,
            d_weight,
            d_bias,
            accumulate,
            d_input,
            d_residual: call.residual,
        };
        record_norm_backward(recorder, ctx, &norm)
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.node("BatchNormalization", [OnnxAttribute::Float("epsilon", self.eps)]);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Normalisation(self.eps)
    }
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
