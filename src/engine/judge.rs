//! Many pictures, each with all of its probabilities: what a person judges a network by. A batch at a time, so that frames and
//! training go on in between.

use super::core::Engine;
use super::message::Event;
use super::train::Examples;
pub use crate::data::Activation;
use crate::{Error, Result};

/// Pictures to judge.
#[derive(Debug, Clone)]
pub struct JudgeOrder {
    /// The door's own number for it.
    pub number: u64,
    /// The pictures, reduced for the loaded model; classes in the order of its logits.
    pub examples: Examples,
    /// How the model's logits are meant.
    pub activation: Activation,
}

/// What the model says of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The door's number for the picture.
    pub picture: u64,
    /// Its class, as given.
    pub class: u32,
    /// Of every class, in the order of the logits.
    pub probabilities: Vec<f32>,
}

/// What came of a [`JudgeOrder`].
#[derive(Debug, Clone)]
pub enum JudgingEvent {
    /// Some more pictures were judged.
    Judged {
        /// As in the order.
        number: u64,
        /// These pictures.
        verdicts: Vec<Verdict>,
        /// Nothing is left of this order.
        last: bool,
    },
    /// The order ended with this error.
    Failed {
        /// As in the order.
        number: u64,
        /// What, and what to do.
        error: Error,
    },
}

/// An order and how far it is.
#[derive(Debug)]
pub(super) struct Judging {
    order: Box<JudgeOrder>,
    done: usize,
}

impl Judging {
    pub(super) fn new(order: Box<JudgeOrder>) -> Self {
        Self { order, done: 0 }
    }

    pub(super) fn number(&self) -> u64 {
        self.order.number
    }

    /// Judges the next batch; says whether some are left.
    pub(super) async fn advance(&mut self, engine: &mut Engine, send: &dyn Fn(Event)) -> Result<bool> {
        let JudgeOrder { number, examples, activation } = &*self.order;
        let rest: Vec<usize> = (self.done..examples.len()).collect();
        let rows = engine.judge(examples.preset(), examples.images(), &rest).await?;
        let verdict = |(image, logits): (usize, Vec<f32>)| Verdict {
            picture: examples.ids()[image],
            class: examples.images().labels[image],
            probabilities: activation.apply(&logits),
        };
        let verdicts: Vec<Verdict> = rest.into_iter().zip(rows).map(verdict).collect();
        self.done += verdicts.len();
        let last = self.done >= examples.len();
        send(Event::Judging(JudgingEvent::Judged { number: *number, verdicts, last }));
        Ok(!last)
    }
}
