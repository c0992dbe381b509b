//! Time by dispatch, from timestamp queries.

use super::{Gpu, Slice};
use crate::{Error, Result};

/// One dispatch with its time.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DispatchTime {
    /// The layer.
    pub label: String,
    /// The shader.
    pub kernel: &'static str,
    /// Milliseconds on the GPU.
    pub ms: f64,
    /// Work, where the layer states it.
    pub multiply_adds: u64,
}

/// A query set with two timestamps a dispatch.
pub(super) struct Stopwatch {
    queries: wgpu::QuerySet,
    count: u32,
}

/// WebGPU's limit of queries in one set.
const MAX_QUERIES: usize = 4096;

impl Stopwatch {
    pub(super) fn new(gpu: &Gpu, dispatches: usize) -> Result<Self> {
        if !gpu.has_timestamps() {
            return Err(Error::Usage("this adapter has no timestamp queries, so layers cannot be timed".into()));
        }
        if dispatches == 0 || dispatches * 2 > MAX_QUERIES {
            return Err(Error::Usage(format!(
                "{dispatches} dispatches: only 1 to {} can be timed in one run",
                MAX_QUERIES / 2
            )));
        }
        let count = dispatches as u32 * 2;
        let queries = gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("stopwatch"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        Ok(Self { queries, count })
    }

    pub(super) fn begin<'a>(&'a mut self, encoder: &'a mut wgpu::CommandEncoder, index: usize) -> wgpu::ComputePass<'a> {
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &self.queries,
                beginning_of_pass_write_index: Some(index as u32 * 2),
                end_of_pass_write_index: Some(index as u32 * 2 + 1),
            }),
        })
    }

    /// Milliseconds of every dispatch.
    pub(super) async fn finish(self, gpu: &Gpu, mut encoder: wgpu::CommandEncoder) -> Result<Vec<f64>> {
        let bytes = u64::from(self.count) * 8;
        let resolved = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: bytes,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        encoder.resolve_query_set(&self.queries, 0..self.count, &resolved, 0);
        gpu.queue().submit([encoder.finish()]);
        let bytes = Slice { buffer: resolved, offset: 0, bytes }.read(gpu).await?;
        let period_ms = f64::from(gpu.queue().get_timestamp_period()) / 1e6;
        let ticks: Vec<u64> = bytes.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
        Ok(ticks.as_chunks::<2>().0.iter().map(|[begin, end]| end.saturating_sub(*begin) as f64 * period_ms).collect())
    }
}
