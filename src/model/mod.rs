//! Every ResNet as a table, the layer graph it becomes, and the plan that runs it.

pub mod graph;
pub mod resnet;
