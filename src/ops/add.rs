//! Addition of two branches as a layer of its own; in most blocks a convolution's epilogue does it.

use super::layer::{BackwardRule, Forward, Layer, LayerKind, Purpose, Tail};
use super::nhwc::Nhwc;
use super::onnx::Onnx;
use super::{flag, grid};
use crate::Result;
use crate::cpu::Step;
use crate::device::{Device, Recorder, Shape, Tensor};
use crate::gpu::{Shader, shader};

const ADD: Shader = shader!("add_forward");

/// `output = a + b`, then ReLU where asked for; shapes equal.
pub fn record_add(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    a: &Tensor,
    b: &Tensor,
    relu: bool,
    output: &Tensor,
) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        let step = Step::Add {
            count: a.shape.values(),
            a: recorder.span(&a.slice),
            b: recorder.span(&b.slice),
            relu,
            output: recorder.span(&output.slice),
        };
        return recorder.step(label, step, 0);
    };
    let count = a.shape.vec4s();
    let kernel = gpu.kernel(ADD, a.precision, &[("RELU", flag(relu))]);
    recorder.dispatch(gpu, label, kernel, &[&a.slice, &b.slice, &output.slice], count as u32, grid(gpu, count), 0)
}

/// Sum of two values of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Add;

impl Layer for Add {
    fn kind(&self) -> LayerKind {
        LayerKind::Elementwise
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [a, b] if a == b => Ok(*a),
            [a, b] => Err(format!("adds {a:?} and {b:?}: the branches must agree")),
            _ => Err(format!("adds two values, not {}", inputs.len())),
        }
    }

    fn tail(&self) -> Option<Tail> {
        Some(Tail::Add)
    }

    fn takes(&self, purpose: Purpose) -> &'static [Tail] {
        match purpose {
            Purpose::Inference => &[Tail::Relu],
            Purpose::Training => &[],
        }
    }

    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()> {
        record_add(recorder, ctx, call.label, &call.inputs[0], &call.inputs[1], call.relu, call.output)
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::Identity
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.node("Add", []);
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Sum
    }
}
