//! Grouped convolution (ResNeXt, Xie et al. 2017, arXiv:1611.05431): channels in groups, an output sees the inputs of its group alone.
//!
//! On a GPU one direct kernel each way, whatever the number of groups. A group need not begin at a multiple of four channels: weights
//! are packed over those vec4s of the input that their group touches, with zeros for the channels of other groups. The processor's
//! convolutions know groups themselves.

use super::layer::{
    Backward, BackwardRule, Constant, Forward, Gradient, Layer, LayerKind, LayerParam, Purpose, Tail, TrainingStep, Values,
    operands,
};
use super::nhwc::{Nhwc, Window};
use super::onnx::{Onnx, OnnxAttribute};
use super::{Affine, Blocking, Conv2d, ConvKernel, channel_sum_scratch_bytes, flag, grid, record_channel_sum};
use crate::cpu::{self, ConvMethod, Step};
use crate::device::{Device, Precision, Recorder, Shape, Slice};
use crate::gpu::{Shader, shader};
use crate::{Error, Result};

const FORWARD: Shader = shader!("grouped_conv2d_forward");
const D_INPUT: Shader = shader!("grouped_conv2d_d_input");
const D_WEIGHT: Shader = shader!("grouped_conv2d_d_weight");

/// A convolution of groups of channels, each on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupedConv2d {
    /// Channels of all groups, kernel, stride, padding and bias.
    pub conv: Conv2d,
    /// Groups; they divide the input and the output channels.
    pub groups: usize,
}

/// The shaders' `Params`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    in_h: u32,
    in_w: u32,
    in_c4: u32,
    out_h: u32,
    out_w: u32,
    out_c4: u32,
    kernel: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
    groups: u32,
    group_in: u32,
    group_out: u32,
    span: u32,
    count: u32,
}

impl GroupedConv2d {
    /// Input channels of a group.
    fn inputs(&self) -> usize {
        self.conv.in_channels / self.groups
    }

    /// Output channels of a group.
    fn outputs(&self) -> usize {
        self.conv.out_channels / self.groups
    }

    /// The most vec4s of the input that a group touches.
    fn span(&self) -> usize {
        let touched = |group: usize| ((group + 1) * self.inputs()).div_ceil(4) - group * self.inputs() / 4;
        (0..self.groups).map(touched).max().unwrap_or(0)
    }

    /// Where torch's weight `(O, I / groups, K, K)` number `index` is in packed ones: `[O/4][K][K][span][4 outputs][4 inputs]`.
    fn place(&self, index: usize) -> usize {
        let taps = self.conv.kernel * self.conv.kernel;
        let (out, input, tap) = (index / taps / self.inputs(), index / taps % self.inputs(), index % taps);
        let first = out / self.outputs() * self.inputs();
        let at = first % 4 + input;
        (((out / 4 * taps + tap) * self.span() + at / 4) * 4 + out % 4) * 4 + at % 4
    }

    fn weights(&self) -> usize {
        self.conv.out_channels * self.inputs() * self.conv.kernel * self.conv.kernel
    }

    /// Padding above and on the left, for an input of this size.
    fn pads(&self, x: Shape) -> (u32, u32) {
        let before = |size| self.conv.padding.resolve(size, self.conv.kernel, self.conv.stride).0 as u32;
        (before(x.h), before(x.w))
    }

    /// For `count` threads or workgroups.
    fn uniforms(&self, x: Shape, count: usize) -> Params {
        let (conv, y) = (&self.conv, self.conv.output_shape(x));
        let (pad_top, pad_left) = self.pads(x);
        Params {
            batch: x.n as u32,
            in_h: x.h as u32,
            in_w: x.w as u32,
            in_c4: x.c4() as u32,
            out_h: y.h as u32,
            out_w: y.w as u32,
            out_c4: y.c4() as u32,
            kernel: conv.kernel as u32,
            stride: conv.stride as u32,
            pad_top,
            pad_left,
            groups: self.groups as u32,
            group_in: self.inputs() as u32,
            group_out: self.outputs() as u32,
            span: self.span() as u32,
            count: count as u32,
        }
    }

    /// As the processor's kernels have it.
    fn on(&self, x: Shape) -> cpu::Conv {
        let ((pad_top, pad_left), output) = (self.pads(x), self.conv.output_shape(x).into());
        let [kernel, stride, groups] = [self.conv.kernel, self.conv.stride, self.groups].map(|n| n as u32);
        cpu::Conv { input: x.into(), output, window: cpu::Window { kernel, stride, pad_top, pad_left }, groups }
    }

    /// On the processor its method, and what the packing of weights goes by, whatever the images' size.
    fn on_processor(&self, kernel: ConvKernel) -> Option<(ConvMethod, cpu::Conv)> {
        let Blocking::Cpu { panel } = kernel.blocking else { return None };
        let method = ConvMethod { method: cpu::Method::Direct, panel };
        Some((method, self.on(Shape::new(1, self.conv.in_channels, self.conv.kernel, self.conv.kernel))))
    }
}

impl Layer for GroupedConv2d {
    fn kind(&self) -> LayerKind {
        self.conv.kind()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let channels = [self.conv.in_channels, self.conv.out_channels];
        if self.groups == 0 || channels.iter().any(|channels| !channels.is_multiple_of(self.groups)) {
            return Err(format!(
                "has {} groups, which must divide its channels ({} and {})",
                self.groups, channels[0], channels[1]
            ));
        }
        Layer::output_shape(&self.conv, inputs)
    }

    fn params(&self) -> Vec<LayerParam> {
        let mut params = Layer::params(&self.conv);
        params[0].shape[1] = self.inputs();
        params
    }

    fn multiply_adds(&self, input: Shape) -> u64 {
        self.conv.multiply_adds(input) / self.groups as u64
    }

    fn takes(&self, purpose: Purpose) -> &'static [Tail] {
        self.conv.takes(purpose)
    }

    fn kernel(&self, device: &Device, input: Shape, _: Precision, _: Option<ConvKernel>) -> ConvKernel {
        self.training_kernel(device, input)
    }

    fn training_kernel(&self, device: &Device, input: Shape) -> ConvKernel {
        match device.gpu() {
            Some(_) => ConvKernel::default(),
            None => ConvMethod::choose(&self.on(input), cpu::Purpose::Training).into(),
        }
    }

    fn weight_len(&self, kernel: ConvKernel) -> usize {
        if let Some((method, conv)) = self.on_processor(kernel) {
            return method.packed_len(&conv);
        }
        self.conv.out_channels.next_multiple_of(4) * self.conv.kernel * self.conv.kernel * self.span() * 4
    }

    fn pack_weight(&self, kernel: ConvKernel, weight: &[f32]) -> Vec<f32> {
        if let Some((method, conv)) = self.on_processor(kernel) {
            return method.pack(&conv, weight);
        }
        let mut packed = vec![0.0; self.weight_len(kernel)];
        weight.iter().enumerate().for_each(|(index, value)| packed[self.place(index)] = *value);
        packed
    }

    fn unpack_weight(&self, kernel: ConvKernel, packed: &[f32]) -> Vec<f32> {
        if let Some((method, conv)) = self.on_processor(kernel) {
            return method.unpack(&conv, packed);
        }
        (0..self.weights()).map(|index| packed[self.place(index)]).collect()
    }

    fn constants(&self, kernel: ConvKernel) -> Vec<Constant> {
        let weight = Constant { role: "weight", len: self.weight_len(kernel), always_f32: false };
        let bias = Constant { role: "bias", len: self.conv.out_channels.next_multiple_of(4), always_f32: true };
        vec![weight, bias]
    }

    fn constant_values(&self, kernel: ConvKernel, params: &[&[f32]], norm: Option<&Affine>) -> Vec<Values> {
        let (weight, bias) = self.conv.folded(params, norm);
        let weight = match self.on_processor(kernel) {
            Some((method, conv)) => Values::Weights(method, conv, weight),
            None => Values::Ready(self.pack_weight(kernel, &weight)),
        };
        vec![weight, Values::Ready(bias)]
    }

    fn training_scratch(&self, device: &Device, step: TrainingStep, _: ConvKernel, input: Shape) -> Vec<u64> {
        match step {
            TrainingStep::Backward(Gradient::Bias) => vec![channel_sum_scratch_bytes(device, self.conv.output_shape(input))],
            _ => Vec::new(),
        }
    }

    fn forward(&self, recorder: &mut Recorder, device: &Device, call: &Forward<'_>) -> Result<()> {
        let (input, weight, output) = (&call.inputs[0], &call.parameters[0], call.output);
        let cost = self.multiply_adds(input.shape);
        let Some(gpu) = device.gpu() else {
            let Some((method, _)) = self.on_processor(call.kernel) else {
                return Err(Error::Usage(format!("`{}` was planned for another device", call.label)));
            };
            let step = Step::Conv {
                conv: self.on(input.shape),
                method,
                input: recorder.span(&input.slice),
                weight: recorder.span(weight),
                bias: call.parameters.get(1).map(|bias| recorder.span(bias)),
                residual: call.residual.map(|tensor| recorder.span(&tensor.slice)),
                relu: call.relu,
                output: recorder.span(&output.slice),
            };
            return recorder.step(call.label, step, cost);
        };
        let bias = match call.parameters.get(1) {
            Some(bias) => bias.clone(),
            None => Slice::new(device, "no bias", self.conv.out_channels.next_multiple_of(4) as u64 * 4)?,
        };
        let constants = [("RESIDUAL", flag(call.residual.is_some())), ("RELU", flag(call.relu))];
        let kernel = gpu.kernel(FORWARD, input.precision, &constants);
        let residual = call.residual.map_or(&bias, |residual| &residual.slice);
        let slices = [&input.slice, weight, &bias, residual, &output.slice];
        let count = output.shape.vec4s();
        recorder.dispatch(gpu, call.label, kernel, &slices, self.uniforms(input.shape, count), grid(gpu, count), cost)
    }

    fn backward_rule(&self, residual: bool) -> BackwardRule {
        self.conv.backward_rule(residual)
    }

    fn backward(&self, gradient: Gradient, recorder: &mut Recorder, device: &Device, call: &Backward<'_>) -> Result<()> {
        let Backward { label, input, d_output, .. } = *call;
        if gradient == Gradient::Bias {
            let ([scratch], [_, d_bias]) = (operands(label, call.scratch)?, operands(label, call.d_parameters)?);
            return record_channel_sum(recorder, device, label, d_output, scratch, d_bias);
        }
        let cost = self.multiply_adds(input.shape);
        match (gradient, device.gpu(), self.on_processor(call.kernel)) {
            (Gradient::Weight, Some(gpu), _) => {
                let kernel = gpu.kernel(D_WEIGHT, input.precision, &[]);
                let slices = [&input.slice, &d_output.slice, &call.d_parameters[0]];
                let count = self.weight_len(call.kernel) / 4;
                let x = count.min(gpu.limits().workgroups_per_dimension as usize);
                let blocks = [x as u32, count.div_ceil(x) as u32, 1];
                recorder.dispatch(gpu, label, kernel, &slices, self.uniforms(input.shape, count), blocks, cost)
            }
            (Gradient::Weight, None, Some((method, _))) => {
                let step = Step::ConvWeightGradient {
                    conv: self.on(input.shape),
                    method,
                    input: recorder.span(&input.slice),
                    d_output: recorder.span(&d_output.slice),
                    d_weight: recorder.span(&call.d_parameters[0]),
                };
                recorder.step(label, step, cost)
            }
            (Gradient::Input, Some(gpu), _) => {
                let d_input = call.d_input()?;
                let kernel = gpu.kernel(D_INPUT, d_output.precision, &[("ACCUMULATE", flag(call.accumulate.is_some()))]);
                let accumulate = call.accumulate.map_or(&d_output.slice, |tensor| &tensor.slice);
                let slices = [&d_output.slice, &call.parameters[0], accumulate, &d_input.slice];
                let count = d_input.shape.vec4s();
                recorder.dispatch(gpu, label, kernel, &slices, self.uniforms(input.shape, count), grid(gpu, count), cost)
            }
            (Gradient::Input, None, Some((method, _))) => {
                let step = Step::ConvInputGradient {
                    conv: self.on(input.shape),
                    method,
                    d_output: recorder.span(&d_output.slice),
                    weight: recorder.span(&call.parameters[0]),
                    accumulate: call.accumulate.map(|tensor| recorder.span(&tensor.slice)),
                    d_input: recorder.span(&call.d_input()?.slice),
                };
                recorder.step(label, step, cost)
            }
            // No part of the rule, or a kernel of another device.
            _ => Err(Error::Usage(format!("`{label}` has no kernel for {gradient:?} on this device"))),
        }
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        let mut attributes = self.conv.onnx_window(onnx.input());
        attributes.push(OnnxAttribute::Int("group", self.groups as i64));
        onnx.node("Conv", attributes);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Convolution(
            Window { kernel: self.conv.kernel, stride: self.conv.stride, padding: self.conv.padding },
            self.groups,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Padding;

    #[test]
    fn packing_has_an_inverse_wherever_groups_begin() {
        for (inputs, outputs, groups) in [(128, 128, 32), (6, 9, 3), (5, 5, 5), (10, 4, 2), (7, 3, 1)] {
            let padding = Padding::Symmetric;
            let conv = Conv2d { in_channels: inputs, out_channels: outputs, kernel: 3, stride: 1, padding, bias: false };
            let layer = GroupedConv2d { conv, groups };
            let weight: Vec<f32> = (1..=layer.weights()).map(|v| v as f32).collect();
            let packed = layer.pack_weight(ConvKernel::default(), &weight);
            assert_eq!(packed.iter().filter(|v| **v != 0.0).count(), weight.len(), "no two weights share a place");
            assert_eq!(layer.unpack_weight(ConvKernel::default(), &packed), weight);
        }
    }

    #[test]
    fn groups_on_fours_waste_nothing() {
        let padding = Padding::Symmetric;
        let conv = Conv2d { in_channels: 256, out_channels: 256, kernel: 3, stride: 1, padding, bias: false };
        let layer = GroupedConv2d { conv, groups: 32 };
        assert_eq!(layer.span(), 2);
        assert_eq!(layer.weight_len(ConvKernel::default()), layer.weights());
    }
}
