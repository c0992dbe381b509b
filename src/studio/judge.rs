//! What the answers of a network to pictures of known classes are worth: how many are right and how sure that number is, which
//! classes are taken for which, which pictures to look at, and what a threshold would keep back.

use super::PictureId;
use crate::sorting;
use crate::train::Outcome;
use crate::train::metrics::{calibration_error, wilson_interval};

/// What a network said of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Which one.
    pub picture: PictureId,
    /// Its class, as an index into the network's classes.
    pub class: usize,
    /// Of every class, 0 to 1.
    pub probabilities: Vec<f32>,
}

impl Judged {
    /// The most probable class with its probability; class 0 with 0 where there are none.
    pub fn answer(&self) -> (usize, f32) {
        let best = self.probabilities.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        best.unwrap_or((0, 0.0))
    }

    /// Whether the most probable class is the picture's own.
    pub fn is_right(&self) -> bool {
        self.answer().0 == self.class
    }

    /// Probability of a class; 0 for one that the network does not know.
    fn of(&self, class: usize) -> f32 {
        self.probabilities.get(class).copied().unwrap_or(0.0)
    }
}

/// All that a person wants to know of a set of answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// Pictures judged.
    pub pictures: usize,
    /// Of them, answered rightly.
    pub right: usize,
    /// The share that is right, 0 to 1; 0 without pictures.
    pub accuracy: f64,
    /// Where the true share lies with 95 % confidence (Wilson 1927).
    pub interval: (f64, f64),
    /// `confusion[t][p]`: the pictures of class `t` that were taken for class `p`.
    pub confusion: Vec<Vec<Vec<PictureId>>>,
    /// By class.
    pub classes: Vec<ClassFigures>,
    /// Expected calibration error, see [`calibration_error`].
    pub calibration_error: f64,
}

/// One class, seen against all others. A share of nothing is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassFigures {
    /// Pictures of the class.
    pub support: usize,
    /// Of the pictures taken for the class, the share that is.
    pub precision: Option<f64>,
    /// Of the pictures of the class, the share that was found.
    pub recall: Option<f64>,
    /// Harmonic mean of the two, `2 TP / (2 TP + FP + FN)`.
    pub f1: Option<f64>,
}

impl Assessment {
    /// Of answers of a network that knows `classes` classes. Pictures of others are left out.
    pub fn of(judged: &[Judged], classes: usize) -> Self {
        let mut confusion = vec![vec![Vec::new(); classes]; classes];
        let mut outcomes = Vec::with_capacity(judged.len());
        for one in judged {
            let (answer, confidence) = one.answer();
            let cell = confusion.get_mut(one.class).and_then(|row| row.get_mut(answer));
            if let Some(cell) = cell {
                cell.push(one.picture);
                // Only what calibration reads matters here.
                outcomes.push(Outcome { label: one.class as u32, predicted: answer as u32, confidence, loss: 0.0, rank: 0 });
            }
        }
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let figures = |class: usize| {
            let support = confusion[class].iter().map(Vec::len).sum();
            let taken: usize = confusion.iter().map(|row| row[class].len()).sum();
            let right = confusion[class][class].len();
            ClassFigures {
                support,
                precision: share(right, taken),
                recall: share(right, support),
                f1: share(2 * right, support + taken),
            }
        };
        let right = (0..classes).map(|class| confusion[class][class].len()).sum();
        let pictures = outcomes.len();
        Self {
            pictures,
            right,
            accuracy: share(right, pictures).unwrap_or(0.0),
            interval: wilson_interval(right as u64, pictures as u64),
            classes: (0..classes).map(figures).collect(),
            calibration_error: calibration_error(&outcomes),
            confusion,
        }
    }

    /// Classes that are taken for each other: the true one, the one it was taken for and how often, the most frequent first.
    pub fn confused(&self) -> Vec<(usize, usize, usize)> {
        let mut pairs = Vec::new();
        for (truth, row) in self.confusion.iter().enumerate() {
            for (answer, pictures) in row.iter().enumerate() {
                if truth != answer && !pictures.is_empty() {
                    pairs.push((truth, answer, pictures.len()));
                }
            }
        }
        sorting::sort_by_key(&mut pairs, |pair| std::cmp::Reverse(pair.2));
        pairs
    }
}

/// Wrong answers, the surest first, at most `count`.
pub fn surest_and_wrong(judged: &[Judged], count: usize) -> Vec<&Judged> {
    let mut wrong: Vec<&Judged> = judged.iter().filter(|one| !one.is_right()).collect();
    sorting::sort_by(&mut wrong, |a, b| b.answer().1.total_cmp(&a.answer().1));
    wrong.truncate(count);
    wrong
}

/// Probability of another class from which on a picture is suspect.
const SURE: f32 = 0.8;
/// Share of the pictures that are not suspect which a network must know, to be believed about the others.
const KNOWS: f64 = 0.95;
/// Share of suspects beyond which the network is doubted rather than the pictures.
const MOST_SUSPECTS: f64 = 0.2;

/// A picture whose class is probably not the one it was given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suspect {
    /// Which one.
    pub picture: PictureId,
    /// The class it has.
    pub given: usize,
    /// The class it seems to be.
    pub suggested: usize,
    /// How much more probable the suggested class is, -1 to 1.
    pub margin: f32,
}

/// Pictures that are likely mislabelled, the clearest first: confident learning (Northcutt, Jiang and Chuang 2021,
/// arXiv:1911.00068). A class' threshold is the mean probability that its own pictures have of it; a picture that passes the
/// threshold of another class, and of no class more than of that, is an off-diagonal entry of the confident joint.
///
/// Answers to pictures that were not learnt from tell most: a network may know the wrong ones it has learnt by heart.
///
/// A network that is often wrong takes its own mistakes for those of the person. So it says nothing unless it knows nearly all of the
/// other pictures, and names only pictures of which it is sure.
pub fn likely_mislabelled(judged: &[Judged], classes: usize) -> Vec<Suspect> {
    let thresholds: Vec<f32> = (0..classes)
        .map(|class| {
            let own: Vec<f32> = judged.iter().filter(|one| one.class == class).map(|one| one.of(class)).collect();
            // A class without pictures is nobody's true class.
            if own.is_empty() { f32::INFINITY } else { own.iter().sum::<f32>() / own.len() as f32 }
        })
        .collect();
    let suspect = |one: &Judged| {
        let passing = (0..classes).filter(|class| one.of(*class) >= thresholds[*class]);
        let suggested = passing.max_by(|a, b| one.of(*a).total_cmp(&one.of(*b)).then(b.cmp(a)))?;
        let margin = one.of(suggested) - one.of(one.class);
        let sure = one.of(suggested) >= SURE && one.of(one.class) <= 1.0 - SURE;
        let found = suggested != one.class && one.class < classes && sure;
        found.then_some(Suspect { picture: one.picture, given: one.class, suggested, margin })
    };
    let mut suspects: Vec<Suspect> = judged.iter().filter_map(suspect).collect();
    let others = judged.len() - suspects.len();
    let right = judged.iter().filter(|one| one.is_right()).count();
    if (right as f64) < KNOWS * others as f64 || suspects.len() as f64 > MOST_SUSPECTS * judged.len() as f64 {
        return Vec::new();
    }
    sorting::sort_by(&mut suspects, |a, b| b.margin.total_cmp(&a.margin));
    suspects
}

/// What a threshold would do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdPoint {
    /// Least probability of an answer.
    pub threshold: f32,
    /// Share of the pictures that get an answer.
    pub answered: f64,
    /// Share of the answers that are right; `None` when there are none.
    pub accuracy: Option<f64>,
}

/// What an answer at or above this probability would be worth; below it, the page says "not sure".
pub fn at_threshold(judged: &[Judged], threshold: f32) -> ThresholdPoint {
    let answered: Vec<&Judged> = judged.iter().filter(|one| one.answer().1 >= threshold).collect();
    let right = answered.iter().filter(|one| one.is_right()).count();
    ThresholdPoint {
        threshold,
        answered: answered.len() as f64 / judged.len().max(1) as f64,
        accuracy: (!answered.is_empty()).then(|| right as f64 / answered.len() as f64),
    }
}

/// [`at_threshold`] from 0 to 1 in steps of a hundredth.
pub fn threshold_curve(judged: &[Judged]) -> Vec<ThresholdPoint> {
    (0..=100).map(|hundredth| at_threshold(judged, hundredth as f32 / 100.0)).collect()
}

/// Answers of about the same probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// Answers in it.
    pub answers: usize,
    /// Their mean probability.
    pub confidence: f64,
    /// The share that is right: the same, if probabilities are to be believed.
    pub accuracy: f64,
}

/// How often answers of a probability are right, in ten bins `(i/10, (i+1)/10]`; `None` for an empty one.
pub fn calibration(judged: &[Judged]) -> [Option<CalibrationBin>; 10] {
    let mut sums = [(0usize, 0.0f64, 0usize); 10];
    for one in judged {
        let confidence = one.answer().1;
        // A cast brings NaN and numbers below 0 to 0.
        let (answers, confidences, right) = &mut sums[(((confidence * 10.0).ceil() - 1.0) as usize).min(9)];
        *answers += 1;
        *confidences += f64::from(confidence);
        *right += usize::from(one.is_right());
    }
    sums.map(|(answers, confidences, right)| {
        let share = |sum: f64| sum / answers as f64;
        (answers > 0).then(|| CalibrationBin { answers, confidence: share(confidences), accuracy: share(right as f64) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(picture: PictureId, class: usize, probabilities: &[f32]) -> Judged {
        Judged { picture, class, probabilities: probabilities.to_vec() }
    }

    /// Two of three cups, both mugs; a bowl taken for a mug.
    fn answers() -> Vec<Judged> {
        vec![
            judged(1, 0, &[0.9, 0.05, 0.05]),
            judged(2, 0, &[0.6, 0.3, 0.1]),
            judged(3, 0, &[0.2, 0.7, 0.1]),
            judged(4, 1, &[0.1, 0.8, 0.1]),
            judged(5, 1, &[0.3, 0.4, 0.3]),
            judged(6, 2, &[0.02, 0.95, 0.03]),
        ]
    }

    #[test]
    fn figures_by_hand() {
        let all = Assessment::of(&answers(), 3);
        assert_eq!((all.pictures, all.right), (6, 4));
        assert!((all.accuracy - 4.0 / 6.0).abs() < 1e-12);
        // Wilson's interval of 4 in 6, as statsmodels gives it.
        assert!((all.interval.0 - 0.29999).abs() < 1e-4 && (all.interval.1 - 0.90323).abs() < 1e-4, "{:?}", all.interval);
        assert_eq!(all.confusion[0], [vec![1, 2], vec![3], vec![]]);
        assert_eq!(all.confusion[2], [vec![], vec![6], vec![]]);
        let mug = all.classes[1];
        assert_eq!((mug.support, mug.precision, mug.recall), (2, Some(0.5), Some(1.0)));
        assert!((mug.f1.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        let bowl = all.classes[2];
        assert_eq!((bowl.support, bowl.precision, bowl.recall, bowl.f1), (1, None, Some(0.0), Some(0.0)));
        assert_eq!(all.confused(), [(0, 1, 1), (2, 1, 1)]);
    }

    #[test]
    fn nothing_judged_is_no_trouble() {
        let none = Assessment::of(&[], 2);
        assert_eq!((none.pictures, none.accuracy, none.interval), (0, 0.0, (0.0, 1.0)));
        assert!(likely_mislabelled(&[], 2).is_empty() && surest_and_wrong(&[], 3).is_empty());
        assert_eq!(at_threshold(&[], 0.5), ThresholdPoint { threshold: 0.5, answered: 0.0, accuracy: None });
        // A picture of a class that is no more.
        assert_eq!(Assessment::of(&[judged(1, 7, &[0.5, 0.5])], 2).pictures, 0);
    }

    #[test]
    fn the_surest_wrong_answer_comes_first() {
        let answers = answers();
        let wrong: Vec<PictureId> = surest_and_wrong(&answers, 5).iter().map(|one| one.picture).collect();
        assert_eq!(wrong, [6, 3]);
        assert_eq!(surest_and_wrong(&answers, 1).len(), 1);
    }

    #[test]
    fn a_swapped_label_is_found_and_an_unsure_answer_is_not() {
        // Twenty clear pictures of either class, one of class 0 labelled 1, and one that may be either.
        let mut set: Vec<Judged> =
            (0..40).map(|i| if i % 2 == 0 { judged(i, 0, &[0.9, 0.1]) } else { judged(i, 1, &[0.15, 0.85]) }).collect();
        set.push(judged(100, 1, &[0.97, 0.03]));
        set.push(judged(101, 1, &[0.55, 0.45]));
        let suspects = likely_mislabelled(&set, 2);
        assert_eq!(suspects.len(), 1, "{suspects:?}");
        assert_eq!((suspects[0].picture, suspects[0].given, suspects[0].suggested), (100, 1, 0));
        assert!((suspects[0].margin - 0.94).abs() < 1e-6);
    }

    #[test]
    fn a_picture_must_be_as_clear_as_those_of_the_class_it_seems_to_be() {
        // Class 1 is always very sure: what is less sure of it than its own pictures are is none of them.
        let mut set: Vec<Judged> = (0..30).map(|i| judged(i, 0, &[0.9, 0.1])).collect();
        set.extend((30..60).map(|i| judged(i, 1, &[0.01, 0.99])));
        set.push(judged(100, 0, &[0.1, 0.9]));
        assert!(likely_mislabelled(&set, 2).is_empty());
        set.push(judged(101, 0, &[0.005, 0.995]));
        assert_eq!(likely_mislabelled(&set, 2).iter().map(|s| s.picture).collect::<Vec<_>>(), [101]);
    }

    #[test]
    fn a_weak_network_accuses_no_picture() {
        // 80 of 100 right, as a last layer on a network that knows something else; of its mistakes it is sure.
        let mut set: Vec<Judged> =
            (0..80).map(|i| judged(i, (i % 2) as usize, if i % 2 == 0 { &[0.85, 0.15] } else { &[0.15, 0.85] })).collect();
        set.extend((80..100).map(|i| judged(i, (i % 2) as usize, if i % 2 == 0 { &[0.05, 0.95] } else { &[0.6, 0.4] })));
        assert!(likely_mislabelled(&set, 2).is_empty());
        // Where most of a class seems to be another, it is the network that is wrong.
        let mut set: Vec<Judged> = (0..30).map(|i| judged(i, 0, &[0.95, 0.05])).collect();
        set.extend((30..50).map(|i| judged(i, 1, &[0.99, 0.01])));
        set.push(judged(50, 1, &[0.1, 0.9]));
        assert!(likely_mislabelled(&set, 2).is_empty());
    }

    #[test]
    fn a_threshold_trades_answers_for_right_ones() {
        let answers = answers();
        let all = at_threshold(&answers, 0.0);
        assert_eq!((all.answered, all.accuracy), (1.0, Some(4.0 / 6.0)));
        let some = at_threshold(&answers, 0.75);
        assert_eq!((some.answered, some.accuracy), (0.5, Some(2.0 / 3.0)));
        assert_eq!(at_threshold(&answers, 0.99).accuracy, None);
        let curve = threshold_curve(&answers);
        assert_eq!(curve.len(), 101);
        assert!(curve.is_sorted_by(|a, b| a.answered >= b.answered));
    }

    #[test]
    fn calibration_compares_what_is_said_with_what_is_true() {
        let bins = calibration(&answers());
        let last = bins[9].unwrap();
        assert_eq!(last.answers, 1, "0.9 belongs to the bin below");
        assert_eq!((bins[8].unwrap().answers, bins[8].unwrap().accuracy), (1, 1.0));
        assert_eq!(last.accuracy, 0.0);
        assert!(bins[0].is_none() && bins[3].is_some());
    }
}
