//! The processor's executor in this program: a command is done when its call returns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use web_time::Instant;

use crate::cpu::{Conv, ConvMethod, Executor, Span, Step};
use crate::{Error, Result};

pub(super) struct Queue {
    executor: Mutex<Executor>,
    threads: usize,
    programs: Mutex<HashMap<u32, Arc<[Step]>>>,
    fault: Mutex<Option<Error>>,
}

impl Queue {
    pub(super) async fn open(threads: usize) -> Result<Self> {
        let executor = Executor::new(threads)?;
        let threads = executor.threads();
        Ok(Self { executor: Mutex::new(executor), threads, programs: Mutex::default(), fault: Mutex::default() })
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    pub(super) fn check(&self) -> Result<()> {
        lock(&self.fault).take().map_or(Ok(()), Err)
    }

    pub(super) fn alloc(&self, id: u32, bytes: u64) -> Result<()> {
        Ok(lock(&self.executor).alloc(id, bytes)?)
    }

    pub(super) fn free(&self, id: u32) {
        lock(&self.executor).free(id);
    }

    pub(super) fn write(&self, id: u32, offset: u64, bytes: &[u8]) {
        if let Err(error) = lock(&self.executor).write(id, offset, bytes) {
            lock(&self.fault).get_or_insert(error.into());
        }
    }

    pub(super) fn pack(&self, to: Span, method: &ConvMethod, conv: &Conv, weight: &[f32]) {
        if let Err(error) = lock(&self.executor).pack(to, method, conv, weight) {
            lock(&self.fault).get_or_insert(error.into());
        }
    }

    pub(super) async fn read(&self, id: u32, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        Ok(lock(&self.executor).read(id, offset, bytes)?)
    }

    pub(super) fn program(&self, id: u32, steps: Vec<Step>) {
        lock(&self.programs).insert(id, steps.into());
    }

    pub(super) fn forget(&self, id: u32) {
        lock(&self.programs).remove(&id);
    }

    pub(super) fn run(&self, id: u32) -> Result<()> {
        let steps = self.steps(id);
        Ok(lock(&self.executor).run(&steps)?)
    }

    pub(super) async fn time(&self, id: u32) -> Result<Vec<f64>> {
        let steps = self.steps(id);
        let start = Instant::now();
        Ok(lock(&self.executor).run_timed(&steps, || start.elapsed().as_secs_f64() * 1e3)?)
    }

    /// A program is asked for by whoever keeps it, so it is there; without steps nothing would be done.
    fn steps(&self, id: u32) -> Arc<[Step]> {
        lock(&self.programs).get(&id).cloned().unwrap_or_default()
    }
}

/// A poisoned lock only means that another thread panicked; steps check their operands each time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
