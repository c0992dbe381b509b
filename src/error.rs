//! The one error type of the crate.
//!
//! Every variant says what was expected, what was found and, where a person can act, what to do. An error is shown once,
//! where the user looks: the page's alert, or the command line's last line.

mod fault;

pub use fault::{Fault, kind_key};

/// A result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, in words a user can act on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No WebGPU / Vulkan / Metal / DX12 adapter answered.
    #[error("no graphics adapter was found: {0}")]
    NoAdapter(String),
    /// The GPU device disappeared (driver reset, tab in the background, `destroy()`).
    #[error("the GPU device was lost ({0}); load the model again to go on")]
    DeviceLost(String),
    /// The GPU refused something; a bug on our side or an exhausted device.
    #[error("the GPU reported an error while {doing}: {message}")]
    Gpu {
        /// What was being done.
        doing: String,
        /// The driver's or browser's words.
        message: String,
    },
    /// The processor refused something; a bug on our side or too little memory.
    #[error(transparent)]
    Processor(#[from] crate::cpu::Error),
    /// A plan needs more than the adapter offers.
    #[error("{what} needs {needed} bytes, but this GPU allows {limit}: {hint}")]
    Limit {
        /// The thing that is too large, e.g. ``activation `layer1.0` ``.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
        /// What the user can do.
        hint: String,
    },
    /// A network table breaks one of its rules.
    #[error("this network table is not valid: {0}")]
    Spec(String),
    /// A name that is not in the list of architectures or models.
    #[error("unknown {kind} `{name}`; known are: {known}")]
    Unknown {
        /// "architecture", "model", "layer", "preset".
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// A comma separated list of what exists.
        known: String,
    },
    /// A weights file that cannot be read.
    #[error("{file} is not a readable weights file: {reason}")]
    WeightsFile {
        /// File name as the user knows it.
        file: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A tensor is missing or has another shape than the network wants.
    #[error("tensor `{tensor}`: expected {expected}, found {found}")]
    TensorMismatch {
        /// Name in the file.
        tensor: String,
        /// What the network wants.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The names and shapes match no known family.
    #[error("no known ResNet layout matches these weights: {0}")]
    UnknownArchitecture(String),
    /// An image that cannot be used; the sentence is made for the person who dropped it.
    #[error("{file}: {reason}")]
    Image {
        /// File name as the user knows it.
        file: String,
        /// A whole sentence for the person.
        reason: Fault,
    },
    /// A file, folder or archive of a person that cannot be used.
    #[error("{}{reason}", lead(.name))]
    File {
        /// Its name as the user knows it; empty for what has none.
        name: String,
        /// Why, and what to do.
        reason: Fault,
    },
    /// A file or folder that cannot be read or written.
    #[error("{path}: {reason}")]
    Io {
        /// The path or name.
        path: String,
        /// The operating system's or browser's words.
        reason: String,
    },
    /// The browser's storage of projects does not keep what it is given.
    #[error("this browser's storage: {0}")]
    Storage(#[from] StorageTrouble),
    /// A download failed.
    #[error("download of {url} failed: {reason}")]
    Network {
        /// Address.
        url: String,
        /// What happened and what to do.
        reason: Fault,
    },
    /// The user cancelled.
    #[error("cancelled")]
    Cancelled,
    /// An option or argument with a value that makes no sense.
    #[error("{0}")]
    Usage(String),
}

/// Why the browser does not keep or give back what belongs to a project. The page has a sentence for each in its language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageTrouble {
    /// No room is left for it.
    #[error("it has no room left; delete projects or pictures you no longer need, or free disk space, and try again")]
    Full,
    /// A newer version of the page has written there.
    #[error("a newer version of this page was here; reload the page")]
    Newer,
    /// It does not answer.
    #[error("it does not answer; close other tabs of this page, or restart the browser")]
    Silent,
    /// It keeps nothing for this page: a private window, or site data are blocked.
    #[error("it keeps nothing for this page; leave the private window, or allow this site to store data")]
    Unavailable,
    /// What was asked for is not there any more: another tab has deleted it.
    #[error("this is not there any more: another tab has deleted it")]
    Gone,
    /// The browser's words for something else.
    #[error("it fails ({0}); try again, or restart the browser")]
    Broken(String),
}

/// A name in front of what is said of it.
fn lead(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("{name}: ") }
}
