//! Shapes, element types and pieces of buffers.

use super::Context;
use crate::{Error, Result};

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

    /// Bytes on the GPU.
    pub fn bytes(&self, precision: Precision) -> u64 {
        (self.vec4s() * 4 * precision.bytes()) as u64
    }
}

/// Element type of activations and weights on the GPU; sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit storage.
    #[default]
    F32,
    /// 16-bit storage; needs the shader-f16 feature.
    F16,
}

impl Precision {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// `values` as this type's bytes.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => bytemuck::cast_slice(values).to_vec(),
            Self::F16 => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
        }
    }

    /// The inverse of [`encode`](Self::encode).
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Self::F16 => bytes.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        }
    }
}

/// A piece of a GPU buffer that can be bound.
#[derive(Debug, Clone)]
pub struct Slice {
    pub(super) buffer: wgpu::Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Slice {
    /// A fresh buffer of zeros of its own.
    ///
    /// # Errors
    /// [`Error::Limit`] when it is larger than the adapter allows for `what`.
    pub fn new(ctx: &Context, what: &str, bytes: u64) -> Result<Self> {
        let limit = ctx.limits().storage_binding_bytes;
        if bytes > limit {
            return Err(Error::Limit {
                what: what.into(),
                needed: bytes,
                limit,
                hint: "use a smaller batch or image, f16, or a narrower network".into(),
            });
        }
        // Bindings are sized in whole vec4s, and an empty buffer cannot be bound.
        let bytes = bytes.max(16).next_multiple_of(16);
        let buffer = ctx.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Ok(Self { buffer, offset: 0, bytes })
    }

    /// A buffer holding `bytes` (padded to whole vec4s).
    pub fn with_bytes(ctx: &Context, what: &str, bytes: &[u8]) -> Result<Self> {
        let slice = Self::new(ctx, what, bytes.len() as u64)?;
        slice.write(ctx, bytes);
        Ok(slice)
    }

    /// Queues a copy of `bytes` to the start of the slice; it happens before any later submit.
    ///
    /// # Panics
    /// When `bytes` is longer than the slice: a bug of the caller.
    pub fn write(&self, ctx: &Context, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= self.bytes, "write of {} bytes into a slice of {}", bytes.len(), self.bytes);
        if bytes.len().is_multiple_of(4) {
            ctx.queue().write_buffer(&self.buffer, self.offset, bytes);
        } else {
            // Copies are in units of four bytes.
            let mut padded = bytes.to_vec();
            padded.resize(bytes.len().next_multiple_of(4), 0);
            ctx.queue().write_buffer(&self.buffer, self.offset, &padded);
        }
    }

    /// Queues a copy of `values` in this precision to the start of the slice.
    ///
    /// # Panics
    /// When there are more values than the slice holds: a bug of the caller.
    pub fn write_values(&self, ctx: &Context, precision: Precision, values: &[f32]) {
        match precision {
            // Memory has them as the GPU wants them.
            Precision::F32 => self.write(ctx, bytemuck::cast_slice(values)),
            Precision::F16 => self.write(ctx, &precision.encode(values)),
        }
    }

    /// Queues copies of whole slices, each to the start of another buffer's at least as long, in one submit.
    pub fn copy_all(ctx: &Context, copies: &[(Slice, Slice)]) {
        let mut encoder = ctx.device().create_command_encoder(&Default::default());
        for (from, to) in copies {
            assert!(from.bytes <= to.bytes, "copy of {} bytes into a slice of {}", from.bytes, to.bytes);
            encoder.copy_buffer_to_buffer(&from.buffer, from.offset, &to.buffer, to.offset, from.bytes);
        }
        ctx.queue().submit([encoder.finish()]);
    }

    /// The part of `bytes` bytes from `offset`, which must be a multiple of the adapter's offset alignment.
    pub fn part(&self, offset: u64, bytes: u64) -> Self {
        assert!(offset + bytes <= self.bytes, "part {offset}+{bytes} of a slice of {}", self.bytes);
        Self { buffer: self.buffer.clone(), offset: self.offset + offset, bytes }
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether both begin with the same byte.
    pub(super) fn starts_with(&self, other: &Self) -> bool {
        self.buffer == other.buffer && self.offset == other.offset
    }

    /// Whether any byte belongs to both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.buffer == other.buffer && self.offset < other.offset + other.bytes && other.offset < self.offset + self.bytes
    }

    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.offset,
            size: std::num::NonZeroU64::new(self.bytes),
        })
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
    pub fn zeros(ctx: &Context, what: &str, shape: Shape, precision: Precision) -> Result<Self> {
        Ok(Self { slice: Slice::new(ctx, what, shape.bytes(precision))?, shape, precision })
    }

    /// Writes `(N, C, H, W)` values.
    pub fn write_nchw(&self, ctx: &Context, values: &[f32]) {
        self.slice.write(ctx, &self.precision.encode(&nchw_to_gpu(values, self.shape)));
    }

    /// A tensor holding `(N, C, H, W)` values.
    pub fn from_nchw(ctx: &Context, what: &str, shape: Shape, precision: Precision, values: &[f32]) -> Result<Self> {
        let tensor = Self::zeros(ctx, what, shape, precision)?;
        tensor.write_nchw(ctx, values);
        Ok(tensor)
    }

    /// Reads the values back as `(N, C, H, W)`.
    pub async fn read_nchw(&self, ctx: &Context) -> Result<Vec<f32>> {
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
