//! The fully connected layer of the head.

use super::layer::{Backward, BackwardPart, BackwardRule, Forward, Gradient, Layer, LayerKind, LayerParam, Operand, operands};
use super::nhwc::Nhwc;
use super::onnx::{Onnx, OnnxAttribute};
use super::{ConvKernel, grid};
use crate::cpu::Step;
use crate::device::{Device, Recorder, Shape, Slice, Tensor};
use crate::gpu::{Shader, shader};
use crate::{Error, Result};

const LINEAR: Shader = shader!("linear_forward");
const LINEAR_INPUT_GRADIENT: Shader = shader!("linear_input_gradient");
const LINEAR_WEIGHT_GRADIENT: Shader = shader!("linear_weight_gradient");

/// A fully connected layer.
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
        let mut packed = vec![0.0; self.packed_len()];
        for (i, value) in weight.iter().enumerate() {
            packed[self.place(i / self.in_features, i % self.in_features)] = *value;
        }
        packed
    }

    /// The inverse of [`pack`](Self::pack).
    pub fn unpack(&self, packed: &[f32]) -> Vec<f32> {
        (0..self.out_features).flat_map(|out| (0..self.in_features).map(move |input| packed[self.place(out, input)])).collect()
    }

    /// Elements of packed weights.
    pub fn packed_len(&self) -> usize {
        self.in_features.div_ceil(4) * self.out_features.div_ceil(4) * 16
    }

    /// Where `weight[out][input]` lies in packed weights.
    fn place(&self, out: usize, input: usize) -> usize {
        let o4 = self.out_features.div_ceil(4);
        (((input / 4) * o4 + out / 4) * 4 + input % 4) * 4 + out % 4
    }
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    in_c4: u32,
    out_c4: u32,
}

impl Params {
    fn new(x: Shape, y: Shape) -> Self {
        Self { batch: x.n as u32, in_c4: x.c4() as u32, out_c4: y.c4() as u32 }
    }
}

/// Images, input features, output features.
fn sizes(x: Shape, y: Shape) -> [u32; 3] {
    [x.n as u32, x.c as u32, y.c as u32]
}

/// `output (N, O) = input (N, I) * weight^T + bias`. `weight` is packed by [`Linear::pack`] in the input's precision, `bias` f32.
pub fn record_linear(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    input: &Tensor,
    weight: &Slice,
    bias: &Slice,
    output: &Tensor,
) -> Result<()> {
    let cost = (input.shape.n * input.shape.c * output.shape.c) as u64;
    let Some(gpu) = device.gpu() else {
        let [batch, inputs, outputs] = sizes(input.shape, output.shape);
        let (input, output) = (recorder.span(&input.slice), recorder.span(&output.slice));
        let (weight, bias) = (recorder.span(weight), recorder.span(bias));
        return recorder.step(label, Step::Linear { batch, inputs, outputs, input, weight, bias, output }, cost);
    };
    let params = Params::new(input.shape, output.shape);
    let kernel = gpu.kernel(LINEAR, input.precision, &[]);
    let blocks = [output.shape.c4().div_ceil(4) as u32, output.shape.n as u32, 1];
    recorder.dispatch(gpu, label, kernel, &[&input.slice, weight, bias, &output.slice], params, blocks, cost)
}

/// `d_input (N, I) = d_output (N, O) * weight`. `weight` is packed by [`Linear::pack`], in f32.
pub fn record_linear_input_gradient(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    d_output: &Tensor,
    weight: &Slice,
    d_input: &Tensor,
) -> Result<()> {
    let (x, y) = (d_input.shape, d_output.shape);
    let cost = (x.n * x.c * y.c) as u64;
    let Some(gpu) = device.gpu() else {
        let [batch, inputs, outputs] = sizes(x, y);
        let (d_output, d_input) = (recorder.span(&d_output.slice), recorder.span(&d_input.slice));
        let weight = recorder.span(weight);
        return recorder.step(label, Step::LinearInputGradient { batch, inputs, outputs, d_output, weight, d_input }, cost);
    };
    let kernel = gpu.kernel(LINEAR_INPUT_GRADIENT, d_output.precision, &[]);
    let slices = [&d_output.slice, weight, &d_input.slice];
    // An invocation takes four images and four inputs.
    recorder.dispatch(gpu, label, kernel, &slices, Params::new(x, y), grid(gpu, x.n.div_ceil(4) * x.c4()), cost)
}

/// `d_weight (O, I) += d_output^T * input` and `d_bias (O) += sum over n of d_output`. `d_weight` is packed as
/// [`Linear::pack`] does, `d_bias` padded to fours, both f32.
pub fn record_linear_weight_gradient(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    input: &Tensor,
    d_output: &Tensor,
    d_weight: &Slice,
    d_bias: &Slice,
) -> Result<()> {
    let (x, y) = (input.shape, d_output.shape);
    let cost = (x.n * x.c * y.c) as u64;
    let Some(gpu) = device.gpu() else {
        let [batch, inputs, outputs] = sizes(x, y);
        let (input, d_output) = (recorder.span(&input.slice), recorder.span(&d_output.slice));
        let (d_weight, d_bias) = (recorder.span(d_weight), recorder.span(d_bias));
        let step = Step::LinearWeightGradient { batch, inputs, outputs, input, d_output, d_weight, d_bias };
        return recorder.step(label, step, cost);
    };
    let kernel = gpu.kernel(LINEAR_WEIGHT_GRADIENT, input.precision, &[]);
    let slices = [&input.slice, &d_output.slice, d_weight, d_bias];
    recorder.dispatch(gpu, label, kernel, &slices, Params::new(x, y), grid(gpu, x.c4() * y.c4()), cost)
}

impl Layer for Linear {
    fn kind(&self) -> LayerKind {
        LayerKind::Classifier
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs[0] {
            Shape { n, c, h: 1, w: 1 } if c == self.in_features => Ok(Shape::new(n, self.out_features, 1, 1)),
            x => Err(format!("wants {} features, gets {x:?}", self.in_features)),
        }
    }

    fn params(&self) -> Vec<LayerParam> {
        let weight = LayerParam::trained("weight", &[self.out_features, self.in_features]);
        vec![weight, LayerParam::trained("bias", &[self.out_features])]
    }

    fn multiply_adds(&self, input: Shape) -> u64 {
        (input.n * self.in_features * self.out_features) as u64
    }

    fn weight_len(&self, _: ConvKernel) -> usize {
        self.packed_len()
    }

    fn pack_weight(&self, _: ConvKernel, weight: &[f32]) -> Vec<f32> {
        self.pack(weight)
    }

    fn unpack_weight(&self, _: ConvKernel, packed: &[f32]) -> Vec<f32> {
        self.unpack(packed)
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        let [weight, bias] = operands(call.label, call.parameters)?;
        record_linear(recorder, ctx, call.label, &call.inputs[0], weight, bias, call.output)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::Parts(vec![BackwardPart { gradient: Gradient::All, reads: &[Operand::Input] }])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()> {
        if call.accumulate.is_some() {
            return Err(Error::Spec(format!("`{}` must be the only reader of its features", call.label)));
        }
        let ([weight, _], [d_weight, d_bias]) =
            (operands(call.label, call.parameters)?, operands(call.label, call.d_parameters)?);
        record_linear_weight_gradient(recorder, ctx, call.label, call.input, call.d_output, d_weight, d_bias)?;
        match call.d_input {
            Some(d_input) => record_linear_input_gradient(recorder, ctx, call.label, call.d_output, weight, d_input),
            None => Ok(()),
        }
    }

    /// `weight (O, I)` is as PyTorch keeps it.
    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.node("Gemm", [OnnxAttribute::Int("transB", 1)]);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Dense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_has_an_inverse() {
        let linear = Linear { in_features: 5, out_features: 6 };
        let weight: Vec<f32> = (1..=30).map(|v| v as f32).collect();
        let packed = linear.pack(&weight);
        assert_eq!(packed.len(), linear.packed_len());
        assert_eq!(&packed[..8], &[1.0, 6.0, 11.0, 16.0, 2.0, 7.0, 12.0, 17.0]);
        assert_eq!(linear.unpack(&packed), weight);
    }
}
