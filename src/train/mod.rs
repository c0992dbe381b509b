//! Training: the loop with its recipe, schedule, metrics and first weights, and the checkpoint they are kept in.

mod change;
pub mod checkpoint;
pub mod estimate;
mod feed;
mod gather;
pub mod init;
mod machine;
pub mod metrics;
pub mod recipe;
pub mod schedule;
mod setup;
mod trainer;

pub use checkpoint::{Change, Changed, Checkpoint, Epoch, PictureSides, Progress};
pub use estimate::{Estimate, Pace, Prospect};
pub use gather::{Judge, preview};
pub use init::Init;
pub use metrics::{Outcome, Report, Summary};
pub use recipe::Recipe;
pub use schedule::{Plateau, PlateauRule, Position, RateStep, Schedule};
pub use setup::{Budget, Setup};
pub use trainer::{Event, Outline, RateSearch, Steps, Trainer};
