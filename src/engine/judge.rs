//! Many pictures, each with all of its probabilities: what a person judges a network by. A batch at a time, so that frames and
//! training go on in between.

use super::core::Engine;
use super::message::Event;
use super::train::Examples;
use crate::{Error, Result};

/// How logits become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// One class is right: probabilities sum to 1.
    #[default]
    Softmax,
    /// Every class is a yes or no of its own.
    Sigmoid,
}

impl Activation {
    /// The probabilities of a picture's logits.
    pub fn apply(self, logits: &[f32]) -> Vec<f32> {
        match self {
            Self::Softmax => {
                let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
                let sum: f32 = powers.iter().sum();
                powers.iter().map(|power| power / sum).collect()
            }
            Self::Sigmoid => logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_logits() {
        let soft = Activation::Softmax.apply(&[1.0, 3.0, 1000.0]);
        assert_eq!(soft, [0.0, 0.0, 1.0], "large logits do not overflow");
        let soft = Activation::Softmax.apply(&[0.0, 3f32.ln()]);
        assert!((soft[0] - 0.25).abs() < 1e-6 && (soft[1] - 0.75).abs() < 1e-6);
        let sigmoid = Activation::Sigmoid.apply(&[0.0, 3f32.ln(), -200.0]);
        assert!((sigmoid[0] - 0.5).abs() < 1e-6 && (sigmoid[1] - 0.75).abs() < 1e-6 && sigmoid[2] == 0.0);
    }
}
