//! What to do next for a better network, as data: the page puts it into words.

use super::judge::Assessment;

/// A piece of advice. Classes are indices into the list that was asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Advice {
    /// There is nothing to tell apart yet.
    TooFewClasses,
    /// A class has fewer pictures than can be learnt from: so many, and how many to add.
    TooFewPictures {
        /// Which.
        class: usize,
        /// It has.
        pictures: usize,
        /// Add.
        add: usize,
    },
    /// One class has several times the pictures of another: the network will prefer it.
    Unbalanced {
        /// The largest class.
        most: usize,
        /// Its pictures.
        most_pictures: usize,
        /// The smallest class.
        least: usize,
        /// Its pictures.
        least_pictures: usize,
    },
    /// Nearly all pictures of a class look the same.
    NearDuplicates {
        /// Which.
        class: usize,
        /// Its pictures.
        pictures: usize,
        /// Of them, unlike each other.
        distinct: usize,
    },
    /// Pictures of one class are taken for another.
    Confused {
        /// What they are.
        class: usize,
        /// What they are taken for.
        taken_for: usize,
        /// How many.
        wrong: usize,
        /// Of how many pictures of the class.
        of: usize,
        /// What can be done about it.
        means: Means,
    },
    /// Some pictures look as if they were in the wrong class: that comes before all other advice.
    Suspects {
        /// How many.
        pictures: usize,
    },
    /// Pictures were mirrored in training, though the mirror image of one class is the other.
    Mirrored {
        /// A class.
        class: usize,
        /// What its mirror image shows.
        other: usize,
    },
    /// It knows the pictures it has learnt from, and others much less.
    Overfitting {
        /// Accuracy on pictures it has learnt from, 0 to 1.
        train: f64,
        /// On others.
        validation: f64,
        /// What can be done about it.
        means: Means,
    },
    /// It does not even know the pictures it has learnt from.
    Underfitting {
        /// Accuracy on them, 0 to 1.
        train: f64,
        /// What can be done about it.
        means: Means,
    },
    /// So few pictures judge that the accuracy says little.
    FewJudges {
        /// How many.
        pictures: usize,
        /// Where the true accuracy lies with 95 % confidence.
        interval: (f64, f64),
        /// What can be done about it.
        means: Means,
    },
    /// None were put aside to judge by.
    NoJudges,
    /// A test with pictures from elsewhere goes much worse than validation.
    WorseInTest {
        /// Accuracy in validation.
        validation: f64,
        /// In the test.
        test: f64,
    },
    /// Nothing to say against it: try it on something new.
    Fine,
}

/// What the person can do: advice names nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Means {
    /// More pictures can be taken: the page did not draw them.
    pub pictures: bool,
    /// More layers can be trained.
    pub layers: bool,
}

/// What else is known of a trained network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What the person can do.
    pub means: Means,
    /// Pictures that look as if they were in the wrong class.
    pub suspects: usize,
    /// Two classes that are each other's mirror image, where pictures were mirrored in training.
    pub mirrored: Option<(usize, usize)>,
}

/// Fewer pictures than this of a class are hardly enough.
pub const FEW_PICTURES: usize = 10;
/// What a class should come to, where it has fewer than [`FEW_PICTURES`].
pub const ENOUGH_PICTURES: usize = 20;
/// One class may have so many times the pictures of another.
const BALANCE: usize = 3;
/// Least share of pictures unlike each other; bursts of a webcam have less.
const DISTINCT: f64 = 0.2;
/// A pair of classes is confused when this share of a class goes to the other.
const CONFUSED: f64 = 0.15;
/// Pairs named at most.
const PAIRS: usize = 3;
/// Accuracy on learnt pictures, minus that on others, beyond which it learns by heart.
const GAP: f64 = 0.15;
/// Accuracy on learnt pictures below which it has not learnt.
const LEARNT: f64 = 0.8;
/// An interval wider than this says little.
const WIDE: f64 = 0.3;

/// What can be told before anything is trained, from the number of pictures of each class and, where it is known, how many of
/// them look unlike each other. The most important comes first.
pub fn before_training(pictures: &[usize], distinct: Option<&[usize]>) -> Vec<Advice> {
    let mut advice = Vec::new();
    if pictures.len() < 2 {
        return vec![Advice::TooFewClasses];
    }
    for (class, &count) in pictures.iter().enumerate().filter(|(_, count)| **count < FEW_PICTURES) {
        advice.push(Advice::TooFewPictures { class, pictures: count, add: ENOUGH_PICTURES - count });
    }
    let by_count = |class: &usize| pictures[*class];
    // The first of equals, so that advice does not jump about.
    let most = (0..pictures.len()).rev().max_by_key(by_count).unwrap_or(0);
    let least = (0..pictures.len()).min_by_key(by_count).unwrap_or(0);
    if pictures[most] > BALANCE * pictures[least] {
        advice.push(Advice::Unbalanced { most, most_pictures: pictures[most], least, least_pictures: pictures[least] });
    }
    for (class, (&count, &distinct)) in pictures.iter().zip(distinct.unwrap_or_default()).enumerate() {
        if count >= FEW_PICTURES && (distinct as f64) < DISTINCT * count as f64 {
            advice.push(Advice::NearDuplicates { class, pictures: count, distinct });
        }
    }
    advice
}

/// What the answers of a trained network tell. Sets that were not judged are `None`.
pub fn after_training(
    train: Option<&Assessment>,
    validation: Option<&Assessment>,
    test: Option<&Assessment>,
    known: &Known,
) -> Vec<Advice> {
    let means = known.means;
    let some = |set: Option<&'_ Assessment>| set.filter(|set| set.pictures > 0).cloned();
    let (train, validation, test) = (some(train), some(validation), some(test));
    let mut advice = Vec::new();
    if let Some((class, other)) = known.mirrored {
        advice.push(Advice::Mirrored { class, other });
    }
    if known.suspects > 0 {
        advice.push(Advice::Suspects { pictures: known.suspects });
    }
    let judge = test.as_ref().or(validation.as_ref());
    match judge {
        None => advice.push(Advice::NoJudges),
        Some(judge) if judge.interval.1 - judge.interval.0 > WIDE => {
            advice.push(Advice::FewJudges { pictures: judge.pictures, interval: judge.interval, means });
        }
        Some(_) => {}
    }
    if let Some(train) = &train {
        if train.accuracy < LEARNT {
            advice.push(Advice::Underfitting { train: train.accuracy, means });
        } else if let Some(validation) = validation.as_ref().filter(|set| train.accuracy - set.accuracy > GAP) {
            advice.push(Advice::Overfitting { train: train.accuracy, validation: validation.accuracy, means });
        }
    }
    if let (Some(validation), Some(test)) = (&validation, &test)
        && validation.accuracy - test.accuracy > GAP
    {
        advice.push(Advice::WorseInTest { validation: validation.accuracy, test: test.accuracy });
    }
    if let Some(judge) = judge {
        let confused = judge.confused().into_iter().filter_map(|(class, taken_for, wrong)| {
            let of = judge.classes[class].support;
            // Those that are in the wrong class are named already.
            let many = wrong as f64 >= CONFUSED * of as f64 && wrong > known.suspects;
            many.then_some(Advice::Confused { class, taken_for, wrong, of, means })
        });
        advice.extend(confused.take(PAIRS));
    }
    if advice.is_empty() {
        advice.push(Advice::Fine);
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::super::judge::Judged;
    use super::*;

    #[test]
    fn small_and_uneven_classes_are_named() {
        assert_eq!(before_training(&[5], None), [Advice::TooFewClasses]);
        assert_eq!(before_training(&[30, 30], None), []);
        assert_eq!(
            before_training(&[100, 4], None),
            [
                Advice::TooFewPictures { class: 1, pictures: 4, add: 16 },
                Advice::Unbalanced { most: 0, most_pictures: 100, least: 1, least_pictures: 4 },
            ]
        );
        assert_eq!(before_training(&[30, 90], None), [], "three times as many is no trouble");
    }

    #[test]
    fn a_burst_of_one_view_is_one_picture() {
        let advice = before_training(&[40, 40], Some(&[3, 30]));
        assert_eq!(advice, [Advice::NearDuplicates { class: 0, pictures: 40, distinct: 3 }]);
    }

    /// `right` of `all` pictures of each class, wrong ones taken for the next class.
    fn set(classes: usize, right: usize, all: usize) -> Assessment {
        let mut judged = Vec::new();
        for class in 0..classes {
            for i in 0..all {
                let mut probabilities = vec![0.0; classes];
                probabilities[if i < right { class } else { (class + 1) % classes }] = 1.0;
                judged.push(Judged { picture: judged.len() as u64, class, probabilities });
            }
        }
        Assessment::of(&judged, classes)
    }

    const MEANS: Means = Means { pictures: true, layers: true };
    const KNOWN: Known = Known { means: MEANS, suspects: 0, mirrored: None };

    fn advice(train: Option<&Assessment>, validation: Option<&Assessment>, test: Option<&Assessment>) -> Vec<Advice> {
        after_training(train, validation, test, &KNOWN)
    }

    #[test]
    fn a_network_that_learnt_by_heart_or_not_at_all() {
        let (good, bad) = (set(2, 100, 100), set(2, 70, 100));
        assert_eq!(advice(Some(&good), Some(&good), None), [Advice::Fine]);
        let told = advice(Some(&good), Some(&bad), None);
        assert_eq!(told[0], Advice::Overfitting { train: 1.0, validation: 0.7, means: MEANS });
        assert_eq!(told[1], Advice::Confused { class: 0, taken_for: 1, wrong: 30, of: 100, means: MEANS });
        assert_eq!(advice(Some(&bad), Some(&bad), None)[0], Advice::Underfitting { train: 0.7, means: MEANS });
        assert_eq!(advice(Some(&good), Some(&good), Some(&bad))[0], Advice::WorseInTest { validation: 1.0, test: 0.7 });
    }

    #[test]
    fn few_judges_and_none() {
        let few = set(2, 2, 3);
        assert!(matches!(advice(None, Some(&few), None)[0], Advice::FewJudges { pictures: 6, .. }));
        assert_eq!(advice(None, None, None), [Advice::NoJudges]);
        assert_eq!(advice(None, Some(&set(2, 0, 0)), None), [Advice::NoJudges], "an empty set judges nothing");
    }

    #[test]
    fn what_is_in_the_wrong_class_comes_first_and_is_no_confusion() {
        let (good, some_wrong) = (set(2, 100, 100), set(2, 17, 20));
        let known = Known { suspects: 3, mirrored: Some((0, 1)), ..KNOWN };
        let told = after_training(Some(&good), Some(&some_wrong), None, &known);
        assert_eq!(told[..2], [Advice::Mirrored { class: 0, other: 1 }, Advice::Suspects { pictures: 3 }]);
        assert!(!told.iter().any(|advice| matches!(advice, Advice::Confused { .. })), "{told:?}");
    }
}
