//! Training a graph: its parameters in a few flat buffers, and the plan of a step.
//!
//! [`Parameters`] own what a step changes: weights, gradients, the optimizer's state and batch norm's running statistics.
//! A [`TrainingPlan`] is three recordings over them and over activations shared by lifetime: forward and backward of a
//! micro-batch (gradients add up), the update, and a forward pass for evaluation. Frozen layers in front are not part of it:
//! [`Graph::split_at`](super::graph::Graph::split_at) cuts them off, and an inference plan runs them.

mod parameters;
mod plan;
pub(super) mod scribe;
pub(super) mod tape;

pub use parameters::{Grouping, Parameters};
pub use plan::{Pass, Totals, TrainingMemory, TrainingOptions, TrainingPlan};
