//! The processor as a device: buffers and programs by number, and a queue of commands to the executor that has them.
//!
//! Natively the executor is here and a command is a call. In a browser it is in a Web Worker, so that no frame of the page waits for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(not(target_arch = "wasm32"))]
use super::here::Queue;
#[cfg(target_arch = "wasm32")]
use super::worker::Queue;
use super::{Adapter, Limits};
use crate::cpu::{Conv, ConvMethod, Span, Step};
use crate::{Error, Result};

/// The processor. Cheap to clone.
#[derive(Clone)]
pub struct Processor(Arc<Inner>);

struct Inner {
    queue: Queue,
    adapter: Adapter,
    numbers: Numbers,
    /// Of all buffers.
    bytes: AtomicU64,
    destroyed: AtomicBool,
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Processor({})", self.0.adapter.name)
    }
}

/// What WebAssembly can address, less what the program itself needs; natively the system says when memory is out.
const MEMORY_BYTES: u64 = if cfg!(target_arch = "wasm32") { 3 << 30 } else { u64::MAX };

const LIMITS: Limits = Limits {
    storage_binding_bytes: if cfg!(target_arch = "wasm32") { 1 << 30 } else { 1 << 40 },
    buffer_bytes: if cfg!(target_arch = "wasm32") { 1 << 30 } else { 1 << 40 },
    workgroups_per_dimension: u32::MAX,
    // A cache line.
    offset_alignment: 64,
};

impl Processor {
    /// With so many threads; 0 takes as many as the machine offers.
    ///
    /// # Errors
    /// When the system starts no threads, or the browser no worker.
    // In the browser the handles inside stay on their thread anyway; natively they are shared between threads.
    #[cfg_attr(target_arch = "wasm32", allow(clippy::arc_with_non_send_sync))]
    pub(super) async fn open(threads: usize) -> Result<Self> {
        let queue = Queue::open(threads).await?;
        let many = if queue.threads() == 1 { "1 thread".to_owned() } else { format!("{} threads", queue.threads()) };
        Ok(Self(Arc::new(Inner {
            queue,
            adapter: Adapter { name: format!("processor, {many}"), backend: "Cpu".into(), software: false },
            numbers: Numbers::default(),
            bytes: AtomicU64::new(0),
            destroyed: AtomicBool::new(false),
        })))
    }

    /// In words.
    pub fn adapter(&self) -> &Adapter {
        &self.0.adapter
    }

    /// Threads that work on a step.
    pub fn threads(&self) -> usize {
        self.0.queue.threads()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn limits(&self) -> &Limits {
        &LIMITS
    }

    /// The first fault since the last check of a command that nobody waited for.
    pub(super) fn check(&self) -> Result<()> {
        if self.0.destroyed.load(Ordering::Relaxed) {
            return Err(Error::DeviceLost("destroyed".into()));
        }
        self.0.queue.check()
    }

    /// Every later use reports [`Error::DeviceLost`].
    pub(super) fn destroy(&self) {
        self.0.destroyed.store(true, Ordering::Relaxed);
    }

    /// A buffer of zeros.
    ///
    /// # Errors
    /// [`Error::Limit`] for `what` when there is not so much memory.
    #[cfg_attr(target_arch = "wasm32", allow(clippy::arc_with_non_send_sync))]
    pub(super) fn alloc(&self, what: &str, bytes: u64) -> Result<Piece> {
        let too_much = |limit| super::slice::too_large(what, bytes, limit);
        let left = MEMORY_BYTES.saturating_sub(self.bytes());
        if bytes > left {
            return Err(too_much(left));
        }
        let id = self.0.numbers.take();
        if self.0.queue.alloc(id, bytes).is_err() {
            self.0.numbers.give_back(id);
            return Err(too_much(self.bytes()));
        }
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(Piece { buffer: Arc::new(Buffer { processor: self.clone(), id, bytes }), offset: 0, bytes })
    }

    pub(super) fn write(&self, to: &Piece, bytes: &[u8]) {
        self.0.queue.write(to.buffer.id, to.offset, bytes);
    }

    pub(super) fn pack(&self, to: &Piece, method: &ConvMethod, conv: &Conv, weight: &[f32]) {
        self.0.queue.pack(to.span(), method, conv, weight);
    }

    pub(super) async fn read(&self, from: &Piece) -> Result<Vec<u8>> {
        self.check()?;
        let bytes = self.0.queue.read(from.buffer.id, from.offset, from.bytes).await?;
        self.check()?;
        Ok(bytes)
    }

    /// Keeps a list of steps to be run.
    pub(super) fn program(&self, steps: Vec<Step>) -> Program {
        let id = self.0.numbers.take();
        self.0.queue.program(id, steps);
        Program { processor: self.clone(), id }
    }
}

/// Numbers of buffers and programs; those given back are taken again.
#[derive(Default)]
struct Numbers {
    next: AtomicU32,
    free: Mutex<Vec<u32>>,
}

impl Numbers {
    fn take(&self) -> u32 {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn give_back(&self, number: u32) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }
}

/// A list of steps at the executor, forgotten when it is dropped.
pub(super) struct Program {
    processor: Processor,
    id: u32,
}

impl Program {
    /// Queues one run.
    pub(super) fn run(&self) -> Result<()> {
        self.processor.check()?;
        self.processor.0.queue.run(self.id)
    }

    /// Runs once and says how many milliseconds each step took.
    pub(super) async fn time(&self) -> Result<Vec<f64>> {
        self.processor.check()?;
        self.processor.0.queue.time(self.id).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.processor.0.queue.forget(self.id);
        self.processor.0.numbers.give_back(self.id);
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({})", self.id)
    }
}

/// A buffer of the executor, freed with its last piece.
struct Buffer {
    processor: Processor,
    id: u32,
    bytes: u64,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let inner = &self.processor.0;
        inner.queue.free(self.id);
        inner.numbers.give_back(self.id);
        inner.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A piece of a buffer.
#[derive(Clone)]
pub(super) struct Piece {
    buffer: Arc<Buffer>,
    offset: u64,
    bytes: u64,
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.span())
    }
}

impl Piece {
    pub(super) fn part(&self, offset: u64, bytes: u64) -> Self {
        assert!(offset + bytes <= self.bytes, "part {offset}+{bytes} of a slice of {}", self.bytes);
        Self { buffer: self.buffer.clone(), offset: self.offset + offset, bytes }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn span(&self) -> Span {
        Span { buffer: self.buffer.id, offset: self.offset, bytes: self.bytes }
    }
}
