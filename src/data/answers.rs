//! From a network's outputs to answers: probabilities, and the names they belong to.

use crate::sorting;
use serde::{Deserialize, Serialize};

/// How logits become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// One class is right: probabilities sum to 1.
    #[default]
    Softmax,
    /// Every class is a yes or no of its own.
    Sigmoid,
}

impl Activation {
    /// The probabilities of a picture's logits, one each.
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

    /// Probabilities of the [`answers`]: as [`apply`](Self::apply), and for a single logit yes and no.
    pub fn probabilities(self, logits: &[f32]) -> Vec<f32> {
        match logits {
            // A softmax of one number is 1 whatever the picture.
            [logit] => {
                let yes = Self::Sigmoid.apply(&[*logit])[0];
                vec![yes, 1.0 - yes]
            }
            _ => self.apply(logits),
        }
    }
}

/// What a network with these outputs can answer: a name for each; with a single output, its name and "not" it.
pub fn answers(outputs: &[String]) -> Vec<String> {
    match outputs {
        [name] => vec![name.clone(), format!("not {name}")],
        _ => outputs.to_vec(),
    }
}

/// Indices of the largest values, largest first; equal ones in their order.
pub fn best(probabilities: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    sorting::sort_by(&mut order, |&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    order.truncate(count);
    order
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

    #[test]
    fn one_logit_is_a_yes_and_a_no_whatever_it_was_trained_with() {
        for activation in [Activation::Softmax, Activation::Sigmoid] {
            let found = activation.probabilities(&[-(3f32.ln())]);
            assert!((found[0] - 0.25).abs() < 1e-6 && (found[1] - 0.75).abs() < 1e-6, "{found:?}");
        }
        assert_eq!(answers(&["cat".into()]), ["cat", "not cat"]);
        assert_eq!(answers(&["cat".into(), "dog".into()]), ["cat", "dog"]);
        assert_eq!(best(&[0.25, 0.75, 0.75, f32::NAN], 2).len(), 2);
        assert_eq!(best(&[0.2, 0.5, 0.5], 9), [1, 2, 0]);
    }
}
