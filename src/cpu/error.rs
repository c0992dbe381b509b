//! What can go wrong on the processor. Errors are plain data: they cross from a Web Worker as values.

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// The system has no memory of this size left.
    #[error("the processor needs {bytes} bytes of memory for a buffer and the system gave none; use a smaller batch or image")]
    Memory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// A step or a call that does not fit its operands: a bug of whoever made the program.
    #[error("the processor cannot run {step}: {reason}")]
    Program {
        /// The step's or call's name.
        step: String,
        /// What was expected and what came.
        reason: String,
    },
    /// The system started no threads.
    #[error("the system started no threads for the processor: {0}")]
    Threads(String),
}
