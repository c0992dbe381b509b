//! Opening a device, and what it says of itself.

use super::processor::Processor;
use super::{Adapter, DeviceChoice, DeviceKind, DeviceOptions, Limits};
use crate::gpu::{Gpu, GpuOptions};
use crate::{Error, Result};

/// What computes: cheap to clone.
#[derive(Debug, Clone)]
pub struct Device(Backend);

/// What is behind a device.
#[derive(Debug, Clone)]
pub(super) enum Backend {
    Gpu(Gpu),
    Cpu(Processor),
}

impl Device {
    /// Opens the device that the options ask for: without a wish a graphics card, else the processor.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] when there is none of the kind that was asked for.
    pub async fn new(options: DeviceOptions) -> Result<Self> {
        match options.choice {
            DeviceChoice::Kind(DeviceKind::Software) => Self::open_gpu(options, true).await,
            DeviceChoice::Kind(DeviceKind::Cpu) => Self::open_cpu(options).await,
            DeviceChoice::Kind(DeviceKind::Gpu) => {
                let device = Self::open_gpu(options, false).await?;
                match device.kind() {
                    DeviceKind::Gpu => Ok(device),
                    _ => Err(Error::NoAdapter(format!("only `{}` is there, which is software", device.adapter().name))),
                }
            }
            DeviceChoice::Auto => match graphics_card_possible() {
                true => match Self::open_gpu(options, false).await {
                    Ok(device) if device.kind() == DeviceKind::Gpu => Ok(device),
                    _ => Self::open_cpu(options).await,
                },
                false => Self::open_cpu(options).await,
            },
        }
    }

    async fn open_gpu(options: DeviceOptions, software: bool) -> Result<Self> {
        let DeviceOptions { family, default_limits, .. } = options;
        Ok(Self(Backend::Gpu(Gpu::new(GpuOptions { software, family, default_limits }).await?)))
    }

    async fn open_cpu(options: DeviceOptions) -> Result<Self> {
        Ok(Self(Backend::Cpu(Processor::open(options.threads).await?)))
    }

    /// The WebGPU device, where this is one.
    pub fn gpu(&self) -> Option<&Gpu> {
        match &self.0 {
            Backend::Gpu(gpu) => Some(gpu),
            Backend::Cpu(_) => None,
        }
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.0
    }

    /// What it is.
    pub fn kind(&self) -> DeviceKind {
        match &self.0 {
            Backend::Gpu(gpu) if gpu.adapter().software => DeviceKind::Software,
            Backend::Gpu(_) => DeviceKind::Gpu,
            Backend::Cpu(_) => DeviceKind::Cpu,
        }
    }

    /// The device in words.
    pub fn adapter(&self) -> &Adapter {
        match &self.0 {
            Backend::Gpu(gpu) => gpu.adapter(),
            Backend::Cpu(processor) => processor.adapter(),
        }
    }

    /// What this device was granted.
    pub fn limits(&self) -> &Limits {
        match &self.0 {
            Backend::Gpu(gpu) => gpu.limits(),
            Backend::Cpu(processor) => processor.limits(),
        }
    }

    /// Threads that work on it; 0 where a graphics card does.
    pub fn threads(&self) -> usize {
        match &self.0 {
            Backend::Gpu(_) => 0,
            Backend::Cpu(processor) => processor.threads(),
        }
    }

    /// Whether f16 storage is possible.
    pub fn has_f16(&self) -> bool {
        self.gpu().is_some_and(Gpu::has_f16)
    }

    /// Whether layers can be timed.
    pub fn has_timestamps(&self) -> bool {
        self.gpu().is_none_or(Gpu::has_timestamps)
    }

    /// An error when the device is lost, or has reported a fault nobody caught since the last check. A fault is reported
    /// once: the device goes on, and what was loaded before stays usable.
    pub fn check(&self) -> Result<()> {
        match &self.0 {
            Backend::Gpu(gpu) => gpu.check(),
            Backend::Cpu(processor) => processor.check(),
        }
    }

    /// Destroys the device, as a browser does with a hung GPU; every later use reports [`Error::DeviceLost`].
    pub fn destroy(&self) {
        match &self.0 {
            Backend::Gpu(gpu) => gpu.destroy(),
            Backend::Cpu(processor) => processor.destroy(),
        }
    }
}

/// Whether it is worth while to look for a graphics card. On Linux one has a device file; without it the Vulkan loader would
/// find software alone, which says things of its own on stderr when it is opened.
fn graphics_card_possible() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/mali0", "/dev/kgsl-3d0"]
        .iter()
        .any(|path| std::path::Path::new(path).exists())
}
