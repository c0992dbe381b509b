//! Every ResNet as a table, the layer graph it becomes, and the plans that run, explain and train it.

pub mod attribution;
mod build;
pub mod fuse;
pub mod graph;
pub mod plan;
pub(crate) mod published;
pub mod resnet;
pub mod training;
mod turns;

pub use plan::{InferencePlan, MemoryUse, PlanBuilder, PlanOptions};
pub use resnet::ResNetSpec;
pub(crate) use turns::without_turns;
pub use turns::{Turn, Turns};
