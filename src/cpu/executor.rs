//! Buffers by number, and a loop over steps.

use crate::Result;
use crate::memory::{Line, Memory, wrong};
use crate::method::ConvMethod;
use crate::pack::pack;
use crate::pool::Pool;
use crate::program::{Conv, Span, Step};
use crate::run::Run;
use crate::simd::Level;

/// Runs programs: keeps their buffers and, natively, the threads.
pub struct Executor {
    memory: Memory,
    pool: Pool,
    level: Level,
    /// For the turned weights of an input gradient.
    turned: Vec<Line>,
}

impl Executor {
    /// With this many threads; 0 takes as many as the machine offers. In WebAssembly it is always one.
    ///
    /// # Errors
    /// [`Error::Threads`](crate::Error::Threads) when the system starts none.
    pub fn new(threads: usize) -> Result<Self> {
        Ok(Self { memory: Memory::default(), pool: Pool::new(threads)?, level: Level::detect(), turned: Vec::new() })
    }

    /// Threads that work on a step.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The instruction set in use, for people: "AVX-512".
    pub fn instructions(&self) -> &'static str {
        self.level.name()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// A buffer of zeros under this number, in place of any that had it. Whoever asks chooses the number, so that commands can be
    /// queued without waiting for answers.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) when the system gives none of this size.
    pub fn alloc(&mut self, id: u32, bytes: u64) -> Result<()> {
        self.memory.alloc(id, bytes)
    }

    /// Gives a buffer back; its number may be given again. Unknown numbers are ignored.
    pub fn free(&mut self, id: u32) {
        self.memory.free(id);
    }

    /// Writes `bytes` from `offset` on, both in bytes of any number.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) for an unknown buffer or a place past its end.
    pub fn write(&mut self, id: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        self.memory.write(id, offset, bytes)
    }

    /// Packs a convolution's weights, torch's `(O, I / groups, K, K)`, by `method` at the start of a span.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) when the method does not compute the geometry, for another number of weights, or a
    /// span that is too short or in no buffer.
    pub fn pack(&mut self, to: Span, method: &ConvMethod, conv: &Conv, weight: &[f32]) -> Result<()> {
        let wanted = conv.weights();
        if !method.supports(conv) || weight.len() != wanted {
            let reason = format!("{method:?} of {conv:?} packs {wanted} weights, and {} came", weight.len());
            return Err(wrong("pack", reason));
        }
        self.memory.lend("pack", [], [Some(to)], |[], [packed]| {
            let len = method.packed_len(conv);
            let have = packed.len();
            let packed = packed.get_mut(..len).ok_or_else(|| wrong("pack", format!("{len} values do not fit into {have}")))?;
            pack(method, conv, weight, packed);
            Ok(())
        })
    }

    /// Reads `len` bytes from `offset` on.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) for an unknown buffer or a place past its end.
    pub fn read(&self, id: u32, offset: u64, len: u64) -> Result<Vec<u8>> {
        self.memory.read(id, offset, len).map(<[u8]>::to_vec)
    }

    /// Runs the steps in order.
    ///
    /// # Errors
    /// [`Error::Program`](crate::Error::Program) for the first step that does not fit its operands. Steps before it have run.
    pub fn run(&mut self, steps: &[Step]) -> Result<()> {
        self.each(steps, |_| {})
    }

    /// Runs the steps in order; `clock` says milliseconds since any moment. The time of each step, in milliseconds.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_timed(&mut self, steps: &[Step], clock: impl Fn() -> f64 + Sync + Send) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(steps.len());
        let mut before = clock();
        self.each(steps, |()| {
            let now = clock();
            times.push(now - before);
            before = now;
        })?;
        Ok(times)
    }

    fn each(&mut self, steps: &[Step], mut done: impl FnMut(()) + Send) -> Result<()> {
        let Self { memory, pool, level, turned } = self;
        pool.enter(|| {
            let mut run = Run { memory, pool, level: *level, turned };
            steps.iter().try_for_each(|step| run.step(step).map(&mut done))
        })
    }
}
