//! GPU memory back to the CPU.

use futures_channel::oneshot;

use super::{Gpu, Slice};
use crate::{Error, Result};

impl Slice {
    /// Waits for queued work and copies the slice's bytes.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when the device is gone, [`Error::Gpu`] when it refused the copy.
    pub async fn read(&self, gpu: &Gpu) -> Result<Vec<u8>> {
        gpu.check()?;
        let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: self.bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffer, self.offset, &staging, 0, self.bytes);
        gpu.queue().submit([encoder.finish()]);
        let (sender, receiver) = oneshot::channel();
        staging.slice(..).map_async(wgpu::MapMode::Read, move |result| {
            // The receiver is only gone when the caller stopped waiting.
            let _ = sender.send(result);
        });
        #[cfg(not(target_arch = "wasm32"))]
        if let Err(error) = gpu.device().poll(wgpu::PollType::wait_indefinitely()) {
            return Err(Error::Gpu { doing: "waiting for results".into(), message: error.to_string() });
        }
        let failed =
            |message: String| gpu.check().err().unwrap_or(Error::Gpu { doing: "reading results back".into(), message });
        match receiver.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("the read was dropped".into())),
        }
        // A fault during the run leaves garbage behind; say so instead of returning it.
        gpu.check()?;
        let view = staging.slice(..).get_mapped_range().map_err(|e| failed(e.to_string()))?;
        let bytes = view.to_vec();
        drop(view);
        staging.unmap();
        // A browser frees it with its garbage, which may come late: at 30 frames a second that is too much.
        staging.destroy();
        Ok(bytes)
    }
}
