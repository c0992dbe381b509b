//! Pieces of a device's memory.

use super::open::Backend;
use super::processor::Piece;
use super::{Device, Precision};
use crate::cpu::{Conv, ConvMethod, Span};
use crate::{Error, Result, gpu};

/// A piece of a buffer on the device. It must only be used with the device it was made on.
#[derive(Debug, Clone)]
pub struct Slice(Memory);

#[derive(Debug, Clone)]
enum Memory {
    Gpu(gpu::Slice),
    Cpu(Piece),
}

impl Slice {
    /// A fresh buffer of zeros of its own, of whole vec4s.
    ///
    /// # Errors
    /// [`Error::Limit`] when it is larger than the device allows for `what`.
    pub fn new(device: &Device, what: &str, bytes: u64) -> Result<Self> {
        let limit = device.limits().storage_binding_bytes;
        if bytes > limit {
            return Err(too_large(what, bytes, limit));
        }
        // Bindings are sized in whole vec4s, and an empty buffer cannot be bound.
        let bytes = bytes.max(16).next_multiple_of(16);
        Ok(Self(match device.backend() {
            Backend::Gpu(gpu) => Memory::Gpu(gpu::Slice::new(gpu, what, bytes)),
            Backend::Cpu(processor) => Memory::Cpu(processor.alloc(what, bytes)?),
        }))
    }

    /// A buffer holding `bytes` (padded to whole vec4s).
    pub fn with_bytes(device: &Device, what: &str, bytes: &[u8]) -> Result<Self> {
        let slice = Self::new(device, what, bytes.len() as u64)?;
        slice.write(device, bytes);
        Ok(slice)
    }

    /// Queues a copy of `bytes` to the start of the slice; it happens before any later run.
    ///
    /// # Panics
    /// When `bytes` is longer than the slice: a bug of the caller.
    pub fn write(&self, device: &Device, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= self.bytes(), "write of {} bytes into a slice of {}", bytes.len(), self.bytes());
        match (device.backend(), &self.0) {
            (Backend::Gpu(gpu), Memory::Gpu(slice)) => slice.write(gpu, bytes),
            (Backend::Cpu(processor), Memory::Cpu(piece)) => processor.write(piece, bytes),
            _ => self.stranger(),
        }
    }

    /// Queues a copy of `values` in this precision to the start of the slice.
    ///
    /// # Panics
    /// When there are more values than the slice holds: a bug of the caller.
    pub fn write_values(&self, device: &Device, precision: Precision, values: &[f32]) {
        match precision {
            // Memory has them as the device wants them.
            Precision::F32 => self.write(device, bytemuck::cast_slice(values)),
            Precision::F16 => self.write(device, &precision.encode(values)),
        }
    }

    /// Queues the packing of a convolution's weights, `(O, I / groups, K, K)`, at the start of the slice.
    ///
    /// # Panics
    /// Where the device is not the processor: a bug of the caller.
    pub fn pack_weights(&self, device: &Device, method: &ConvMethod, conv: &Conv, weight: &[f32]) {
        match (device.backend(), &self.0) {
            (Backend::Cpu(processor), Memory::Cpu(piece)) => processor.pack(piece, method, conv, weight),
            _ => self.stranger(),
        }
    }

    /// Queues copies of whole slices, each to the start of another buffer's at least as long.
    pub fn copy_all(device: &Device, copies: &[(Slice, Slice)]) -> Result<()> {
        let mut recorder = super::Recorder::new();
        for (from, to) in copies {
            recorder.copy(from, &to.part(0, from.bytes()));
        }
        recorder.finish(device).run(device)
    }

    /// Waits for queued work and copies the slice's bytes.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when the device is gone, [`Error::Gpu`] when it refused the copy.
    pub async fn read(&self, device: &Device) -> Result<Vec<u8>> {
        match (device.backend(), &self.0) {
            (Backend::Gpu(gpu), Memory::Gpu(slice)) => slice.read(gpu).await,
            (Backend::Cpu(processor), Memory::Cpu(piece)) => processor.read(piece).await,
            _ => self.stranger(),
        }
    }

    /// The part of `bytes` bytes from `offset`, which must be a multiple of the device's offset alignment.
    pub fn part(&self, offset: u64, bytes: u64) -> Self {
        Self(match &self.0 {
            Memory::Gpu(slice) => Memory::Gpu(slice.part(offset, bytes)),
            Memory::Cpu(piece) => Memory::Cpu(piece.part(offset, bytes)),
        })
    }

    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Memory::Gpu(slice) => slice.bytes(),
            Memory::Cpu(piece) => piece.bytes(),
        }
    }

    /// What a kernel binds.
    pub(super) fn gpu(&self) -> &gpu::Slice {
        match &self.0 {
            Memory::Gpu(slice) => slice,
            Memory::Cpu(_) => self.stranger(),
        }
    }

    /// What a step of the processor names.
    pub(super) fn span(&self) -> Span {
        match &self.0 {
            Memory::Cpu(piece) => piece.span(),
            Memory::Gpu(_) => self.stranger(),
        }
    }

    pub(super) fn is_gpu(&self) -> bool {
        matches!(self.0, Memory::Gpu(_))
    }

    /// Nothing a person can do leads here: plans, tensors and slices are made for one device and thrown away with it.
    fn stranger(&self) -> ! {
        panic!("a slice of one device was used with another: {self:?}")
    }
}

pub(super) fn too_large(what: &str, needed: u64, limit: u64) -> Error {
    let hint = "use a smaller batch or image, f16, or a narrower network".into();
    Error::Limit { what: what.into(), needed, limit, hint }
}
