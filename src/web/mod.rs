//! The browser: files, fetching, storage. Natively only what the engine needs of it.

#[cfg(target_arch = "wasm32")]
mod task;

#[cfg(target_arch = "wasm32")]
pub use task::yield_now;

/// Natively nothing else waits for this thread.
#[cfg(not(target_arch = "wasm32"))]
pub async fn yield_now() {}
