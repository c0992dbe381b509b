//! Pieces of GPU buffers.

use super::Gpu;

/// A piece of a GPU buffer that can be bound.
#[derive(Debug, Clone)]
pub struct Slice {
    pub(super) buffer: wgpu::Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Slice {
    /// A fresh buffer of zeros of its own, of whole vec4s and at least one: an empty one cannot be bound. It must be within the
    /// device's limits.
    pub fn new(gpu: &Gpu, what: &str, bytes: u64) -> Self {
        let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Self { buffer, offset: 0, bytes }
    }

    /// Queues a copy of `bytes` to the start of the slice; it happens before any later submit.
    ///
    /// # Panics
    /// When `bytes` is longer than the slice: a bug of the caller.
    pub fn write(&self, gpu: &Gpu, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= self.bytes, "write of {} bytes into a slice of {}", bytes.len(), self.bytes);
        if bytes.len().is_multiple_of(4) {
            gpu.queue().write_buffer(&self.buffer, self.offset, bytes);
        } else {
            // Copies are in units of four bytes.
            let mut padded = bytes.to_vec();
            padded.resize(bytes.len().next_multiple_of(4), 0);
            gpu.queue().write_buffer(&self.buffer, self.offset, &padded);
        }
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

    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.offset,
            size: std::num::NonZeroU64::new(self.bytes),
        })
    }
}
