//! Training: the recipe and its pure parts (schedule, metrics, initial weights), and the checkpoint they are kept in.

pub mod checkpoint;
pub mod init;
pub mod metrics;
pub mod recipe;
pub mod schedule;

pub use checkpoint::{Checkpoint, Epoch, Progress};
pub use init::Init;
pub use metrics::{Outcome, Report, Summary};
pub use recipe::Recipe;
pub use schedule::{Plateau, Position, RateStep, Schedule};
