//! The summary at the end: how good the best weights are, class by class, and which pictures are hard.

use serde::Serialize;

use super::pictures::Facts;
use crate::cli::output::table;
use crate::cli::tables::{percent, tables};
use crate::train::metrics::hardest;
use crate::train::{Outcome, Trainer, metrics};

/// The whole answer, as `--json` prints it and the log's last line holds it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    arch: String,
    /// Names of the classes, in the order of the lists below.
    classes: Vec<String>,
    /// Epochs done.
    epochs: u32,
    best_epoch: Option<u32>,
    steps: u64,
    /// Of training and validation, over all sessions.
    seconds: f64,
    /// Pictures that could not be read.
    unreadable: usize,
    /// What was found in the data set.
    pictures: Facts,
    /// `validation`, or `training` where nothing validates.
    judged_on: &'static str,
    /// Of the best weights.
    result: metrics::Report,
    /// Of the best weights on the test set, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<metrics::Report>,
    hardest: Vec<Hard>,
    checkpoint: String,
    curves: String,
}

/// A picture with a high loss: hard, or in the wrong folder.
#[derive(Debug, Serialize)]
struct Hard {
    file: String,
    class: String,
    predicted: String,
    confidence: f32,
    loss: f32,
}

const HARDEST: usize = 10;
impl Report {
    /// `outcomes[k]` is about picture `images[k]` of the trainer's set, `test` about the test set; `files` are those of checkpoint
    /// and curves.
    pub(super) fn of(
        trainer: &Trainer,
        images: &[usize],
        outcomes: &[Outcome],
        test: &[Outcome],
        (checkpoint, curves): (String, String),
        facts: &Facts,
    ) -> Self {
        let set = &trainer.setup().images;
        let validates = !trainer.setup().split.validation.is_empty();
        let state = trainer.last_epoch();
        let name = |class: u32| set.classes.get(class as usize).cloned().unwrap_or_default();
        let hard = hardest(outcomes, HARDEST).into_iter().map(|index| {
            let outcome = &outcomes[index];
            Hard {
                file: set.names[images[index]].clone(),
                class: name(outcome.label),
                predicted: name(outcome.predicted),
                confidence: outcome.confidence,
                loss: outcome.loss,
            }
        });
        Self {
            arch: trainer.setup().spec.arch.clone(),
            classes: set.classes.clone(),
            epochs: state.progress.epoch,
            best_epoch: state.progress.best_epoch,
            steps: state.progress.step,
            seconds: state.history.iter().map(|epoch| epoch.seconds).sum(),
            unreadable: facts.unreadable,
            pictures: facts.clone(),
            judged_on: if validates { "validation" } else { "training" },
            result: metrics::Report::of(outcomes, set.classes.len()),
            test: (!test.is_empty()).then(|| metrics::Report::of(test, set.classes.len())),
            hardest: hard.collect(),
            checkpoint,
            curves,
        }
    }

    pub(super) fn text(&self) -> String {
        let (classes, confusion) = tables(&self.result, &self.classes);
        let parts = [self.figures(), classes, confusion, self.hard()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn figures(&self) -> String {
        let summary = &self.result.summary;
        let (low, high) = self.result.top1_interval;
        let mut rows = vec![
            ("epochs", format!("{} ({} steps, {:.1} s)", self.epochs, self.steps, self.seconds)),
            ("judged on", format!("{} {} pictures", summary.images, self.judged_on)),
            ("top-1", format!("{} (95 % interval {} to {})", percent(summary.top1), percent(low), percent(high))),
        ];
        if let Some(best) = self.best_epoch {
            rows.insert(1, ("best epoch", best.to_string()));
        }
        if self.classes.len() > 5 {
            rows.push(("top-5", percent(summary.top5)));
        }
        rows.push(("loss", format!("{:.4}", summary.loss)));
        rows.push(("macro F1", percent(self.result.macro_f1())));
        rows.push(("calibration", format!("{} (expected error)", percent(summary.ece))));
        if let Some(test) = &self.test {
            let (low, high) = test.top1_interval;
            let (images, top1) = (test.summary.images, percent(test.summary.top1));
            let line = format!("top-1 {top1} of {images} pictures (95 % interval {} to {})", percent(low), percent(high));
            rows.push(("test set", line));
        }
        rows.push(("checkpoint", self.checkpoint.clone()));
        rows.push(("curves", self.curves.clone()));
        for left_out in self.pictures.left_out() {
            rows.push(("left out", left_out));
        }
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.into(), value]).collect();
        table(&rows, &[])
    }

    fn hard(&self) -> String {
        if self.hardest.is_empty() {
            return String::new();
        }
        let mut rows = vec![["hardest pictures", "class", "taken for", "loss"].map(String::from).to_vec()];
        rows.extend(self.hardest.iter().map(|hard| {
            let predicted = format!("{} ({:.0} %)", hard.predicted, 100.0 * hard.confidence);
            vec![hard.file.clone(), hard.class.clone(), predicted, format!("{:.3}", hard.loss)]
        }));
        table(&rows, &[3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Class k of `classes` is taken for itself, but class 1 once for class 0.
    fn report(classes: usize) -> Report {
        let outcome = |label: usize, predicted: usize| Outcome {
            label: label as u32,
            predicted: predicted as u32,
            confidence: 0.5,
            loss: 1.0,
            rank: u32::from(label != predicted),
        };
        let mut outcomes: Vec<Outcome> = (0..classes).map(|class| outcome(class, class)).collect();
        outcomes.push(outcome(1, 0));
        Report {
            pictures: Facts::default(),
            test: None,
            arch: "tiny".into(),
            classes: (0..classes).map(|class| format!("c{class}")).collect(),
            epochs: 3,
            best_epoch: Some(2),
            steps: 30,
            seconds: 1.0,
            unreadable: 0,
            judged_on: "validation",
            result: metrics::Report::of(&outcomes, classes),
            hardest: Vec::new(),
            checkpoint: "net.safetensors".into(),
            curves: "net.svg".into(),
        }
    }

    /// The text's lines with single spaces between words.
    fn lines(report: &Report) -> Vec<String> {
        report.text().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn few_classes_have_a_matrix_and_many_their_largest_confusions() {
        let few = lines(&report(3));
        for line in ["top-1 75.00 % (95 % interval 30.06 % to 95.44 %)", "is \\ taken for 1 2 3", "c1 2 1 1 .", "c2 3 . . 1"] {
            assert!(few.iter().any(|l| l == line), "{line}: {few:#?}");
        }
        assert!(!few.iter().any(|l| ["top-5", "hardest", "left out"].iter().any(|word| l.starts_with(word))), "{few:#?}");

        let many = lines(&report(30));
        assert!(many.iter().any(|l| l == "class taken for images") && many.iter().any(|l| l == "c1 c0 1 of 2"), "{many:#?}");
        let classes: Vec<&String> =
            many.iter().skip_while(|l| !l.starts_with("weakest")).take_while(|l| !l.is_empty()).collect();
        assert_eq!(classes.len(), 1 + 15, "{many:#?}");
        // By F1: c0 and c1 have 2/3, all others 1.
        assert_eq!(classes[1], "c0 1 50.00 % 100.00 % 66.67 %");
    }
}
