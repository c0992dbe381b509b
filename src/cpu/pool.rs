//! Threads.

use crate::Result;

/// The threads that share a step's tasks. What a task computes never depends on how many there are.
pub(crate) struct Pool {
    threads: usize,
    #[cfg(not(target_arch = "wasm32"))]
    pool: Option<rayon::ThreadPool>,
}

impl Pool {
    /// With this many threads, 0 for as many as the machine offers; always one in WebAssembly.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(threads: usize) -> Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let build = || rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("reslab-cpu-{i}")).build();
        let pool = if threads > 1 { Some(build().map_err(|e| crate::Error::Threads(e.to_string()))?) } else { None };
        Ok(Self { threads, pool })
    }

    #[cfg(target_arch = "wasm32")]
    pub fn new(_threads: usize) -> Result<Self> {
        Ok(Self { threads: 1 })
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `work` where [`each`](Self::each) reaches the threads fastest.
    pub fn enter<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(pool) = &self.pool {
            return pool.install(work);
        }
        work()
    }

    /// Does `work` for every task, on all threads.
    pub fn each<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T) + Sync + Send) {
        #[cfg(not(target_arch = "wasm32"))]
        if self.pool.is_some() && tasks.len() > 1 {
            use rayon::prelude::*;
            return tasks.into_par_iter().with_max_len(1).for_each(work);
        }
        tasks.into_iter().for_each(work);
    }
}
