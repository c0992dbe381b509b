//! What a network's answers are worth: loss, accuracies, precision and recall by class, calibration, and the images to look at.

use crate::sorting;
use serde::{Deserialize, Deserializer, Serialize};

/// What the network said about one image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// True class.
    pub label: u32,
    /// Class with the largest logit.
    pub predicted: u32,
    /// Probability of `predicted`.
    pub confidence: f32,
    /// The image's loss.
    pub loss: f32,
    /// How many classes got a larger logit than the true one: 0 is right.
    pub rank: u32,
}

impl Outcome {
    /// From a row of the loss kernel: loss, rank, confidence, predicted class.
    pub fn from_row(label: u32, [loss, rank, confidence, predicted]: [f32; 4]) -> Self {
        Self { label, predicted: predicted as u32, confidence, loss, rank: rank as u32 }
    }

    /// Whether the largest logit is the true class's.
    pub fn is_right(&self) -> bool {
        self.predicted == self.label
    }
}

/// The figures of one pass over a set, small enough to keep for every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many images.
    pub images: u64,
    /// Mean loss of an image. Not a number when one image's loss was none (JSON: null).
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Share of images whose class got the largest logit, 0 to 1.
    pub top1: f64,
    /// Share of images whose class is among the five largest logits.
    pub top5: f64,
    /// Expected calibration error, see [`calibration_error`]. Not a number where probabilities were not read back, as of
    /// training images.
    #[serde(deserialize_with = "null_is_nan")]
    pub ece: f64,
}

/// serde_json writes NaN as null and would not read it back.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Everything about one pass over a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The figures of the whole set.
    pub summary: Summary,
    /// 95 % Wilson interval of top-1.
    pub top1_interval: (f64, f64),
    /// By class.
    pub classes: Vec<ClassReport>,
    /// `confusion[t][p]`: images of class `t` that were taken for class `p`.
    pub confusion: Vec<Vec<u32>>,
}

/// One class, seen against all others. A share of nothing is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// Images of the class.
    pub images: u32,
    /// Of the images taken for the class, the share that is.
    pub precision: Option<f64>,
    /// Of the images of the class, the share that was found.
    pub recall: Option<f64>,
    /// Harmonic mean of the two, `2 TP / (2 TP + FP + FN)`.
    pub f1: Option<f64>,
}

impl Summary {
    /// Of a pass over a set; all zeros for an empty one.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let n = outcomes.len().max(1) as f64;
        let share = |count: usize| count as f64 / n;
        Self {
            images: outcomes.len() as u64,
            loss: outcomes.iter().map(|o| f64::from(o.loss)).sum::<f64>() / n,
            top1: share(outcomes.iter().filter(|o| o.is_right()).count()),
            top5: share(outcomes.iter().filter(|o| o.rank < 5).count()),
            ece: calibration_error(outcomes),
        }
    }
}

impl Report {
    /// Of a pass over a set with `classes` classes. An outcome that names a class beyond them appears in the summary only.
    pub fn of(outcomes: &[Outcome], classes: usize) -> Self {
        let mut confusion = vec![vec![0u32; classes]; classes];
        for outcome in outcomes {
            let row = confusion.get_mut(outcome.label as usize);
            if let Some(cell) = row.and_then(|row| row.get_mut(outcome.predicted as usize)) {
                *cell += 1;
            }
        }
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        let by_class = (0..classes).map(|class| {
            let images: u32 = confusion[class].iter().sum();
            let taken: u32 = confusion.iter().map(|row| row[class]).sum();
            let right = confusion[class][class];
            ClassReport {
                images,
                precision: share(right, taken),
                recall: share(right, images),
                f1: share(2 * right, images + taken),
            }
        });
        let right = outcomes.iter().filter(|o| o.is_right()).count();
        Self {
            summary: Summary::of(outcomes),
            top1_interval: wilson_interval(right as u64, outcomes.len() as u64),
            classes: by_class.collect(),
            confusion,
        }
    }

    /// Mean F1 over the classes that have one.
    pub fn macro_f1(&self) -> f64 {
        let scores: Vec<f64> = self.classes.iter().filter_map(|class| class.f1).collect();
        scores.iter().sum::<f64>() / scores.len().max(1) as f64
    }
}

/// Bins of [`calibration_error`].
const CALIBRATION_BINS: usize = 15;

/// Expected calibration error with 15 bins (Guo et al. 2017, arXiv:1706.04599): images are sorted into the bins
/// `(i/15, (i+1)/15]` by confidence, and the distances between mean confidence and accuracy are averaged, weighted by the
/// number of images in the bin.
pub fn calibration_error(outcomes: &[Outcome]) -> f64 {
    let mut bins = [(0.0, 0.0); CALIBRATION_BINS]; // sums of confidence and of right answers
    for outcome in outcomes {
        let confidence = f64::from(outcome.confidence);
        // A cast brings NaN and numbers below 0 to 0.
        let bin = ((confidence * CALIBRATION_BINS as f64).ceil() - 1.0) as usize;
        let (sure, right) = &mut bins[bin.min(CALIBRATION_BINS - 1)];
        *sure += confidence;
        *right += f64::from(u8::from(outcome.is_right()));
    }
    bins.iter().map(|(sure, right)| (sure - right).abs()).sum::<f64>() / outcomes.len().max(1) as f64
}

/// 95 % interval of a share that was seen `successes` times in `trials` (Wilson 1927): unlike the normal approximation it
/// stays within 0 and 1 and is honest for few images. The whole of 0 to 1 for no trial.
pub fn wilson_interval(successes: u64, trials: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054; // the normal distribution's 97.5 % quantile
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = trials as f64;
    let share = successes.min(trials) as f64 / n;
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

/// Indices of up to `count` images with the highest loss, the highest (or no number) first: hard ones, or mislabelled.
pub fn hardest(outcomes: &[Outcome], count: usize) -> Vec<usize> {
    largest(outcomes, count, |o| Some(if o.loss.is_nan() { f32::INFINITY } else { o.loss }))
}

/// Indices of up to `count` wrong answers, the most confident first: the likeliest to be mislabelled.
pub fn sure_and_wrong(outcomes: &[Outcome], count: usize) -> Vec<usize> {
    largest(outcomes, count, |o| (!o.is_right()).then_some(o.confidence))
}

/// Indices of the `count` largest keys, largest first, equal ones in their order; those without a key are left out.
fn largest(outcomes: &[Outcome], count: usize, key: impl Fn(&Outcome) -> Option<f32>) -> Vec<usize> {
    let mut keyed: Vec<(usize, f32)> = outcomes.iter().enumerate().filter_map(|(i, o)| Some((i, key(o)?))).collect();
    sorting::sort_by(&mut keyed, |a, b| b.1.total_cmp(&a.1));
    keyed.into_iter().take(count).map(|(i, _)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(label: u32, predicted: u32, confidence: f32, loss: f32, rank: u32) -> Outcome {
        Outcome { label, predicted, confidence, loss, rank }
    }

    /// scikit-learn's `precision_recall_fscore_support` of these ten answers, and their confusion matrix:
    /// `y = [0,0,0,0,1,1,1,2,2,2]; p = [0,0,0,1,1,1,2,2,0,0]`.
    fn ten() -> Vec<Outcome> {
        let truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
        let answers = [0, 0, 0, 1, 1, 1, 2, 2, 0, 0];
        let answer = |(&t, &p): (&u32, &u32)| outcome(t, p, 0.5, 1.0, u32::from(t != p));
        truth.iter().zip(&answers).map(answer).collect()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn precision_and_recall_are_scikit_learns() {
        let report = Report::of(&ten(), 4);
        assert_eq!(report.confusion, [[3, 1, 0, 0], [0, 2, 1, 0], [2, 0, 1, 0], [0, 0, 0, 0]]);
        let expected = [(4, 0.6, 0.75, 2.0 / 3.0), (3, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0), (3, 0.5, 1.0 / 3.0, 0.4)];
        for (class, (images, precision, recall, f1)) in report.classes.iter().zip(expected) {
            assert_eq!(class.images, images);
            assert!(close(class.precision.unwrap(), precision));
            assert!(close(class.recall.unwrap(), recall));
            assert!(close(class.f1.unwrap(), f1));
        }
        assert_eq!(report.classes[3], ClassReport { images: 0, precision: None, recall: None, f1: None });
        assert!(close(report.macro_f1(), (2.0 / 3.0 + 2.0 / 3.0 + 0.4) / 3.0));
        assert!(close(report.summary.top1, 0.6) && close(report.summary.top5, 1.0) && close(report.summary.loss, 1.0));
    }

    #[test]
    fn calibration_is_the_weighted_gap_between_confidence_and_accuracy() {
        // One bin: 0.5 sure, 0.6 right.
        assert!(close(calibration_error(&ten()), 0.1));
        // 2/15 is in bin (1/15, 2/15], a little more in the next; 1 in the last, 0 in the first.
        let outcomes = [
            outcome(0, 0, 0.13, 0.0, 0), // bin 1, right: gap 0.87
            outcome(0, 1, 0.14, 0.0, 1), // bin 2, wrong: 0.14
            outcome(0, 1, 1.0, 0.0, 1),  // bin 14, wrong, with
            outcome(0, 0, 0.98, 0.0, 0), // a right one: |1.98 - 1|
            outcome(0, 1, 0.0, 0.0, 1),  // bin 0, wrong: 0
        ];
        assert!(close(calibration_error(&outcomes), (0.87 + 0.14 + 0.98 + 0.0) / 5.0));
        assert_eq!(calibration_error(&[]), 0.0);
    }

    #[test]
    fn wilson_intervals_are_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(k, n, method="wilson")
        for (k, n, low, high) in [(8, 10, 0.490162, 0.943318), (0, 10, 0.0, 0.277533), (10, 10, 0.722467, 1.0)] {
            let (a, b) = wilson_interval(k, n);
            assert!((a - low).abs() < 1e-5 && (b - high).abs() < 1e-5, "{k} of {n}: {a} to {b}");
        }
        assert_eq!(wilson_interval(0, 0), (0.0, 1.0));
    }

    #[test]
    fn the_images_to_look_at_come_first() {
        let outcomes = [
            outcome(0, 0, 0.9, 0.1, 0),
            outcome(0, 1, 0.6, 2.0, 1),
            outcome(1, 0, 0.8, 1.5, 1),
            outcome(1, 1, 0.5, f32::NAN, 0),
            outcome(1, 0, 0.8, 2.0, 7),
        ];
        assert_eq!(hardest(&outcomes, 3), [3, 1, 4]);
        assert_eq!(sure_and_wrong(&outcomes, 9), [2, 4, 1]);
        assert!(hardest(&[], 3).is_empty());
        let summary = Summary::of(&outcomes);
        assert!(summary.loss.is_nan() && close(summary.top5, 0.8));
        let json = serde_json::to_string(&summary).unwrap();
        assert!(serde_json::from_str::<Summary>(&json).unwrap().loss.is_nan(), "{json}");
        assert_eq!(Summary::of(&[]).top1, 0.0);
    }

    #[test]
    fn a_row_of_the_kernel_is_read_in_its_order() {
        assert_eq!(Outcome::from_row(4, [0.25, 2.0, 0.75, 9.0]), outcome(4, 9, 0.75, 0.25, 2));
    }
}
