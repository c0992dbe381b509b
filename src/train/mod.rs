//! Training: the recipe and its pure parts (schedule, metrics, initial weights), and the checkpoint they are kept in.

pub mod schedule;

pub use schedule::{Plateau, Position, RateStep, Schedule};
