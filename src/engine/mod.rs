//! The boundary to the doors: [`Command`]s in, [`Event`]s out.

mod message;

pub use message::{Classification, Command, DeviceInfo, Event, ModelInfo, Origin, Picture, PrecisionChoice, Prediction};
