//! Adapter, device, limits, features and what becomes of a lost device.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kernel::{Kernel, KernelKey};
use crate::{Error, Result};

/// Which kernels suit an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A real GPU: tiles in workgroup memory.
    Gpu,
    /// A software adapter (SwiftShader, llvmpipe, WARP): registers only, no barriers.
    Cpu,
}

/// How to open a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GpuOptions {
    /// Ask for a software adapter even where there is a real GPU.
    pub software: bool,
    /// Kernel family to use whatever the adapter is (tests run both on one adapter).
    pub family: Option<Family>,
    /// Stay within WebGPU's default limits even where the adapter offers more.
    pub default_limits: bool,
}

/// The adapter as shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// The driver's name for it; browsers may leave it empty.
    pub name: String,
    /// "Vulkan", "Metal", "Dx12", "BrowserWebGpu".
    pub backend: String,
    /// A CPU pretends to be a GPU: slow, and said so in the page.
    pub software: bool,
}

/// The limits that plans respect, in bytes or counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest binding of a storage buffer.
    pub storage_binding_bytes: u64,
    /// Largest buffer.
    pub buffer_bytes: u64,
    /// Workgroups in one dimension of a dispatch.
    pub workgroups_per_dimension: u32,
    /// Offset alignment of storage and uniform bindings.
    pub offset_alignment: u64,
}

/// A device with its queue, limits and compiled kernels. Cheap to clone.
#[derive(Clone)]
pub struct Gpu {
    inner: Arc<Inner>,
}

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter: Adapter,
    limits: Limits,
    family: Family,
    f16: bool,
    timestamps: bool,
    kernels: Mutex<HashMap<KernelKey, Arc<Kernel>>>,
    state: Arc<Mutex<DeviceState>>,
}

#[derive(Default)]
struct DeviceState {
    lost: Option<String>,
    /// The first error nobody caught; later ones follow from it.
    error: Option<Error>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({:?})", self.inner.adapter)
    }
}

/// What to say where nothing answers.
const NO_ANSWER: &str = if cfg!(target_arch = "wasm32") {
    "the browser offers this page none; its driver may be old or blocked, or hardware acceleration may be turned off"
} else {
    "no driver answered"
};

impl Gpu {
    /// Opens a device.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] when there is no WebGPU, Vulkan, Metal or DX12 adapter or it gives no device.
    // In the browser the handles inside stay on their thread anyway; natively they are shared between threads.
    #[cfg_attr(target_arch = "wasm32", allow(clippy::arc_with_non_send_sync))]
    pub async fn new(options: GpuOptions) -> Result<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.flags = wgpu::InstanceFlags::empty();
        let instance = wgpu::Instance::new(descriptor);
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                force_fallback_adapter: options.software,
                ..Default::default()
            })
            .await
            .map_err(|e| {
                // wgpu lists every driver that it was built without; that helps nobody who only wants an answer.
                log::debug!("{e}");
                Error::NoAdapter(NO_ANSWER.into())
            })?;
        let info = adapter.get_info();
        let available = adapter.limits();
        let mut limits = wgpu::Limits::defaults();
        if !options.default_limits {
            limits.max_storage_buffer_binding_size = available.max_storage_buffer_binding_size;
            limits.max_buffer_size = available.max_buffer_size;
        }
        limits = limits.or_worse_values_from(&available);
        let wanted = wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY;
        let features = adapter.features() & wanted;
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("reslab"),
                required_features: features,
                required_limits: limits.clone(),
                memory_hints: wgpu::MemoryHints::Performance,
                ..Default::default()
            })
            .await
            .map_err(|e| {
                log::warn!("`{}`: {e}", info.name);
                Error::NoAdapter(format!("`{}` is there, but gave no device; other programs or tabs may hold it", info.name))
            })?;

        let state = Arc::new(Mutex::new(DeviceState::default()));
        let on_lost = state.clone();
        device.set_device_lost_callback(move |reason, message| {
            let text = if message.is_empty() { format!("{reason:?}") } else { message };
            lock(&on_lost).lost.get_or_insert(text);
        });
        let on_error = state.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            log::error!("uncaptured GPU error: {error}");
            let message = error.to_string();
            lock(&on_error).error.get_or_insert(Error::Gpu { doing: "running kernels".into(), message });
        }));

        let software = info.device_type == wgpu::DeviceType::Cpu;
        let family = options.family.unwrap_or(if software { Family::Cpu } else { Family::Gpu });
        Ok(Self {
            inner: Arc::new(Inner {
                adapter: Adapter { name: info.name, backend: format!("{:?}", info.backend), software },
                limits: Limits {
                    storage_binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
                    buffer_bytes: limits.max_buffer_size,
                    workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
                    offset_alignment: u64::from(
                        limits.min_storage_buffer_offset_alignment.max(limits.min_uniform_buffer_offset_alignment),
                    ),
                },
                family,
                f16: features.contains(wgpu::Features::SHADER_F16),
                timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
                kernels: Mutex::default(),
                state,
                device,
                queue,
            }),
        })
    }

    /// The adapter in words.
    pub fn adapter(&self) -> &Adapter {
        &self.inner.adapter
    }

    /// What this device was granted.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// The kernel family that suits the adapter.
    pub fn family(&self) -> Family {
        self.inner.family
    }

    /// Whether shaders may use f16 storage.
    pub fn has_f16(&self) -> bool {
        self.inner.f16
    }

    /// Whether dispatches can be timed.
    pub fn has_timestamps(&self) -> bool {
        self.inner.timestamps
    }

    /// An error when the device is lost, or has reported a fault nobody caught since the last check. A fault is reported
    /// once: the device goes on, and what was loaded before stays usable.
    pub fn check(&self) -> Result<()> {
        let mut state = lock(&self.inner.state);
        if let Some(reason) = &state.lost {
            return Err(Error::DeviceLost(reason.clone()));
        }
        let Some(error) = state.error.take() else { return Ok(()) };
        drop(state);
        // What failed may have been a kernel, and which one is not told: the next plan compiles its kernels anew.
        self.kernels().clear();
        Err(error)
    }

    /// Destroys the device, as a browser does with a hung GPU; every later use reports [`Error::DeviceLost`].
    pub fn destroy(&self) {
        lock(&self.inner.state).lost.get_or_insert("destroyed".into());
        self.inner.device.destroy();
    }

    pub(super) fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    pub(super) fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    pub(super) fn kernels(&self) -> MutexGuard<'_, HashMap<KernelKey, Arc<Kernel>>> {
        lock(&self.inner.kernels)
    }
}

/// A poisoned lock only means that another thread panicked; the maps behind these locks stay consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
