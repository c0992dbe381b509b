//! The network's input, a layer that computes nothing.

use super::layer::{BackwardRule, Forward, Layer, LayerKind};
use super::nhwc::Nhwc;
use super::onnx::Onnx;
use crate::Result;
use crate::device::{Device, Recorder, Shape};

/// Images, or what frozen layers computed: `(N, C, H, W)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Channels.
    pub channels: usize,
}

impl Layer for Input {
    fn kind(&self) -> LayerKind {
        LayerKind::Elementwise
    }

    /// Of what the graph is given.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(Shape { c: self.channels, ..inputs[0] })
    }

    fn forward(&self, _: &mut Recorder, _: &Device, _: &Forward<'_>) -> Result<()> {
        Ok(())
    }

    fn backward_rule(&self, _residual: bool) -> BackwardRule {
        BackwardRule::Undefined
    }

    fn onnx(&self, _: &mut Onnx<'_>) {}

    fn nhwc(&self) -> Nhwc {
        Nhwc::Input
    }
}
