//! Answers that hold still: probabilities smoothed over time, and when a class is worth saying aloud.

use crate::sorting;

/// Time constant of the smoothing: an answer that has changed has reached 63 % of its new value after this long.
pub const TIME_CONSTANT_MS: f64 = 400.0;
/// How long a class has to stay until it is spoken.
const STEADY_MS: f64 = 1000.0;

/// Exponential smoothing over time, the same at any number of frames a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Smoother {
    values: Vec<f32>,
    at_ms: f64,
}

impl Smoother {
    /// Takes in a frame's probabilities at a time and gives the smoothed ones. Another number of classes starts anew.
    pub fn add(&mut self, probabilities: &[f32], now_ms: f64) -> &[f32] {
        let elapsed = (now_ms - self.at_ms).max(0.0);
        self.at_ms = now_ms;
        if self.values.len() == probabilities.len() {
            let share = (1.0 - (-elapsed / TIME_CONSTANT_MS).exp()) as f32;
            for (value, new) in self.values.iter_mut().zip(probabilities) {
                // One broken frame does not spoil those after it.
                let new = if new.is_finite() { *new } else { 0.0 };
                *value += share * (new - *value);
            }
        } else {
            self.values = probabilities.iter().map(|new| if new.is_finite() { *new } else { 0.0 }).collect();
        }
        &self.values
    }
}

/// The indices of the `count` largest values, the largest first; equal ones in their order.
pub fn top(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    sorting::sort_by(&mut order, |&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(count);
    order
}

/// Decides when a class is spoken: once it has stayed for a second, and only when it is another than the last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Announcer {
    candidate: Option<usize>,
    since_ms: f64,
    spoken: Option<usize>,
}

impl Announcer {
    /// Takes in the class of a frame, none when the network is not sure, and gives the class to speak now.
    pub fn hear(&mut self, class: Option<usize>, now_ms: f64) -> Option<usize> {
        if class != self.candidate {
            self.candidate = class;
            self.since_ms = now_ms;
        }
        let steady = class.filter(|_| now_ms - self.since_ms >= STEADY_MS)?;
        (self.spoken.replace(steady) != Some(steady)).then_some(steady)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_goes_by_time_and_not_by_frames() {
        let (mut slow, mut fast) = (Smoother::default(), Smoother::default());
        slow.add(&[0.0, 1.0], 0.0);
        fast.add(&[0.0, 1.0], 0.0);
        let once = slow.add(&[1.0, 0.0], TIME_CONSTANT_MS).to_vec();
        let mut often = Vec::new();
        for i in 1..=40 {
            often = fast.add(&[1.0, 0.0], f64::from(i) * TIME_CONSTANT_MS / 40.0).to_vec();
        }
        assert!((once[0] - 0.632).abs() < 1e-3, "{once:?}");
        assert!((once[0] - often[0]).abs() < 1e-4 && (often[0] + often[1] - 1.0).abs() < 1e-4, "{often:?}");
    }

    #[test]
    fn broken_frames_and_other_models_do_no_harm() {
        let mut smoother = Smoother::default();
        assert_eq!(smoother.add(&[f32::NAN, 0.5], 0.0), [0.0, 0.5]);
        assert!(smoother.add(&[f32::NAN, 0.5], 10.0).iter().all(|value| value.is_finite()));
        assert_eq!(smoother.add(&[0.1, 0.2, 0.7], 20.0), [0.1, 0.2, 0.7]);
        assert_eq!(top(&[0.1, 0.7, 0.2, 0.7], 3), [1, 3, 2]);
        assert_eq!(top(&[0.3], 5), [0]);
    }

    #[test]
    fn a_class_is_spoken_once_it_has_stayed() {
        let mut announcer = Announcer::default();
        assert_eq!(announcer.hear(Some(1), 0.0), None);
        assert_eq!(announcer.hear(Some(1), 999.0), None);
        assert_eq!(announcer.hear(Some(1), 1000.0), Some(1));
        assert_eq!(announcer.hear(Some(1), 9000.0), None);
        assert_eq!(announcer.hear(Some(2), 9100.0), None);
        // It flickers: nothing is said, and the first class is not said again.
        assert_eq!(announcer.hear(Some(1), 9900.0), None);
        assert_eq!(announcer.hear(Some(1), 11_000.0), None);
        assert_eq!(announcer.hear(None, 11_100.0), None);
        assert_eq!(announcer.hear(Some(2), 12_000.0), None);
        assert_eq!(announcer.hear(Some(2), 13_000.0), Some(2));
    }
}
