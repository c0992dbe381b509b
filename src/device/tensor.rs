//! Shapes, element types and pieces of buffers.

use super::{Device, Precision, Slice};
use crate::Result;

/// `(N, C, H, W)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Images in the batch.
    pub n: usize,
    /// Channels.
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl Shape {
    /// `(n, c, h, w)`.
    pub fn new(n: usize, c: usize, h: usize, w: usize) -> Self {
        Self { n, c, h, w }
    }

    /// Groups of four channels on the GPU; the last one is padded with zeros.
    pub fn c4(&self) -> usize {
        self.c.div_ceil(4)
    }

    /// vec4 elements on the GPU: `n * h * w * c4`.
    pub fn vec4s(&self) -> usize {
        self.n * self.h * self.w * self.c4()
    }

    /// Elements on the device, padding channels included.
    pub fn values(&self) -> u64 {
        self.vec4s() as u64 * 4
    }

    /// Bytes on the GPU.
    pub fn bytes(&self, precision: Precision) -> u64 {
        (self.vec4s() * 4 * precision.bytes()) as u64
    }
}

impl From<Shape> for crate::cpu::Shape {
    fn from(Shape { n, c, h, w }: Shape) -> Self {
        Self::new(n as u32, c as u32, h as u32, w as u32)
    }
}

/// An activation on the GPU: NHWC, channels in fours, `array<vec4<Elem>>` with index `((n*H + y)*W + x)*C4 + c4`.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Where it lies.
    pub slice: Slice,
    /// Its shape, with the true number of channels.
    pub shape: Shape,
    /// Its element type.
    pub precision: Precision,
}

impl Tensor {
    /// A tensor of zeros.
    pub fn zeros(ctx: &Device, what: &str, shape: Shape, precision: Precision) -> Result<Self> {
        Ok(Self { slice: Slice::new(ctx, what, shape.bytes(precision))?, shape, precision })
    }

    /// The first images of a batch.
    pub fn first(&self, images: usize) -> Self {
        let shape = Shape { n: images.min(self.shape.n), ..self.shape };
        Self { slice: self.slice.part(0, shape.bytes(self.precision)), shape, precision: self.precision }
    }

    /// Writes `(N, C, H, W)` values.
    pub fn write_nchw(&self, ctx: &Device, values: &[f32]) {
        self.slice.write(ctx, &self.precision.encode(&nchw_to_gpu(values, self.shape)));
    }

    /// A tensor holding `(N, C, H, W)` values.
    pub fn from_nchw(ctx: &Device, what: &str, shape: Shape, precision: Precision, values: &[f32]) -> Result<Self> {
        let tensor = Self::zeros(ctx, what, shape, precision)?;
        tensor.write_nchw(ctx, values);
        Ok(tensor)
    }

    /// Reads the values back as `(N, C, H, W)`.
    pub async fn read_nchw(&self, ctx: &Device) -> Result<Vec<f32>> {
        let bytes = self.slice.read(ctx).await?;
        Ok(gpu_to_nchw(&self.precision.decode(&bytes), self.shape))
    }
}

/// From torch's order to the GPU's; padding channels are zero.
pub fn nchw_to_gpu(values: &[f32], shape: Shape) -> Vec<f32> {
    let Shape { n, c, h, w } = shape;
    assert_eq!(values.len(), n * c * h * w, "{shape:?} wants another number of values");
    let stride = shape.c4() * 4;
    let mut out = vec![0.0; shape.vec4s() * 4];
    for image in 0..n {
        for channel in 0..c {
            let plane = &values[(image * c + channel) * h * w..][..h * w];
            for (pixel, value) in plane.iter().enumerate() {
                out[(image * h * w + pixel) * stride + channel] = *value;
            }
        }
    }
    out
}

/// From the GPU's order to torch's.
pub fn gpu_to_nchw(values: &[f32], shape: Shape) -> Vec<f32> {
    let Shape { n, c, h, w } = shape;
    let stride = shape.c4() * 4;
    let mut out = vec![0.0; n * c * h * w];
    for image in 0..n {
        for channel in 0..c {
            for pixel in 0..h * w {
                out[(image * c + channel) * h * w + pixel] = values[(image * h * w + pixel) * stride + channel];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_round_trips_and_pads_with_zeros() {
        let shape = Shape::new(2, 5, 3, 2);
        let values: Vec<f32> = (1..=60).map(|v| v as f32).collect();
        let gpu = nchw_to_gpu(&values, shape);
        assert_eq!(gpu.len(), 2 * 3 * 2 * 8);
        assert_eq!(&gpu[..8], &[1.0, 7.0, 13.0, 19.0, 25.0, 0.0, 0.0, 0.0]);
        assert_eq!(gpu_to_nchw(&gpu, shape), values);
    }

    #[test]
    fn f16_encoding_round_trips() {
        let values = [0.5, -2.0, 65504.0, 0.0];
        assert_eq!(Precision::F16.decode(&Precision::F16.encode(&values)), values);
        assert_eq!(Precision::F32.decode(&Precision::F32.encode(&values)), values);
    }
}
