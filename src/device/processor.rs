//! The processor as a device: a queue of commands to an executor, on this thread or in a Web Worker.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use web_time::Instant;

use super::{Adapter, Limits};
use crate::cpu::{Executor, Span, Step};
use crate::{Error, Result};

/// The processor. Cheap to clone.
#[derive(Clone)]
pub struct Processor(Arc<Inner>);

struct Inner {
    executor: Mutex<Executor>,
    adapter: Adapter,
    threads: usize,
    /// The first fault of a command that nobody waited for.
    fault: Mutex<Option<Error>>,
    destroyed: AtomicBool,
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Processor({})", self.0.adapter.name)
    }
}

/// What an address can reach; how much memory there is shows when it is asked for.
const ADDRESSABLE: u64 = if cfg!(target_pointer_width = "32") { 1 << 30 } else { 1 << 40 };

const LIMITS: Limits = Limits {
    storage_binding_bytes: ADDRESSABLE,
    buffer_bytes: ADDRESSABLE,
    workgroups_per_dimension: u32::MAX,
    // A cache line.
    offset_alignment: 64,
};

impl Processor {
    /// With so many threads; 0 takes as many as the machine offers.
    ///
    /// # Errors
    /// When the system starts no threads.
    pub(super) fn open(threads: usize) -> Result<Self> {
        let executor = Executor::new(threads)?;
        let threads = executor.threads();
        let many = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        Ok(Self(Arc::new(Inner {
            executor: Mutex::new(executor),
            adapter: Adapter { name: format!("processor, {many}"), backend: "Cpu".into(), software: false },
            threads,
            fault: Mutex::default(),
            destroyed: AtomicBool::new(false),
        })))
    }

    /// In words.
    pub fn adapter(&self) -> &Adapter {
        &self.0.adapter
    }

    /// Threads that work on a step.
    pub fn threads(&self) -> usize {
        self.0.threads
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.executor().bytes()
    }

    pub(super) fn limits(&self) -> &Limits {
        &LIMITS
    }

    /// The first fault since the last check.
    pub(super) fn check(&self) -> Result<()> {
        if self.0.destroyed.load(Ordering::Relaxed) {
            return Err(Error::DeviceLost("destroyed".into()));
        }
        lock(&self.0.fault).take().map_or(Ok(()), Err)
    }

    /// Every later use reports [`Error::DeviceLost`].
    pub(super) fn destroy(&self) {
        self.0.destroyed.store(true, Ordering::Relaxed);
    }

    /// A buffer of zeros.
    pub(super) fn alloc(&self, bytes: u64) -> Result<Piece> {
        let id = self.executor().alloc(bytes)?;
        Ok(Piece { buffer: Arc::new(Buffer { processor: self.clone(), id }), offset: 0, bytes })
    }

    pub(super) fn write(&self, to: &Piece, bytes: &[u8]) {
        if let Err(error) = self.executor().write(to.buffer.id, to.offset, bytes) {
            lock(&self.0.fault).get_or_insert(error.into());
        }
    }

    pub(super) async fn read(&self, from: &Piece) -> Result<Vec<u8>> {
        self.check()?;
        Ok(self.executor().read(from.buffer.id, from.offset, from.bytes)?)
    }

    pub(super) fn run(&self, steps: &[Step]) -> Result<()> {
        self.check()?;
        Ok(self.executor().run(steps)?)
    }

    /// Runs and says how many milliseconds each step took.
    pub(super) async fn time(&self, steps: &[Step]) -> Result<Vec<f64>> {
        self.check()?;
        let start = Instant::now();
        Ok(self.executor().run_timed(steps, || start.elapsed().as_secs_f64() * 1e3)?)
    }

    fn executor(&self) -> MutexGuard<'_, Executor> {
        lock(&self.0.executor)
    }
}

/// A poisoned lock only means that another thread panicked; steps check their operands each time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of the executor, freed with its last piece.
struct Buffer {
    processor: Processor,
    id: u32,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.processor.executor().free(self.id);
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
