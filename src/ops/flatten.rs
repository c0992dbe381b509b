//! All pixels of an image as features, for a fully connected layer over the whole map.

use super::layer::{Backward, BackwardRule, Forward, Gradient, Layer, LayerKind};
use super::nhwc::Nhwc;
use super::onnx::{Onnx, OnnxAttribute};
use crate::device::{Device, Recorder, Shape};
use crate::{Error, Result};

/// `(N, C, H, W) -> (N, H * W * C, 1, 1)` in TensorFlow's order: rows, columns, then channels. In memory that is what lies there
/// already, as long as channels fill whole fours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flatten;

impl Layer for Flatten {
    fn kind(&self) -> LayerKind {
        LayerKind::Elementwise
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs[0] {
            Shape { n, c, h, w } if c.is_multiple_of(4) => Ok(Shape::new(n, c * h * w, 1, 1)),
            x => Err(format!("wants a multiple of four channels, gets {}", x.c)),
        }
    }

    fn forward(&self, recorder: &mut Recorder, _: &Device, call: &Forward<'_>) -> Result<()> {
        recorder.copy(&call.inputs[0].slice, &call.output.slice);
        Ok(())
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::input(&[])
    }

    fn backward(&self, _: Gradient, recorder: &mut Recorder, _: &Device, call: &Backward<'_>) -> Result<()> {
        if call.accumulate.is_some() {
            return Err(Error::Spec(format!("`{}` must be the only reader of its map", call.label)));
        }
        recorder.copy(&call.d_output.slice, &call.d_input()?.slice);
        Ok(())
    }

    fn nhwc(&self) -> Nhwc {
        Nhwc::Flatten
    }

    fn onnx(&self, onnx: &mut Onnx<'_>) {
        onnx.before("nhwc", "Transpose", [OnnxAttribute::Ints("perm", vec![0, 2, 3, 1])]);
        onnx.node("Flatten", [OnnxAttribute::Int("axis", 1)]);
    }
}
