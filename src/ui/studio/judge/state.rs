//! What the network of the open project says of its pictures.

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::StreamExt;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::engine::{Command, Examples, JudgeOrder, JudgingEvent, Origin};
use crate::studio::judge::Judged;
use crate::studio::{ClassId, Picture, PictureId, Role};
use crate::ui::studio::train::Record;
use crate::ui::workshop::Workshop;
use crate::{Error, Result};

/// Which pictures are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Put aside when training began.
    Validation,
    /// Learnt from.
    Train,
    /// Given for the test alone.
    Test,
}

/// Answers to the pictures of each set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers {
    pub validation: Vec<Judged>,
    pub train: Vec<Judged>,
    pub test: Vec<Judged>,
    /// The classes, in the order of the logits.
    pub classes: Vec<ClassId>,
    /// Epochs the network had when it was asked.
    pub epochs: usize,
}

impl Answers {
    pub fn of(&self, set: Group) -> &Vec<Judged> {
        match set {
            Group::Validation => &self.validation,
            Group::Train => &self.train,
            Group::Test => &self.test,
        }
    }
}

/// The state; lives as long as the page.
#[derive(Clone, Copy)]
pub struct Judging {
    pub answers: RwSignal<Option<Answers>>,
    /// Pictures done, and of how many.
    pub busy: RwSignal<Option<(usize, usize)>>,
    pub error: RwSignal<Option<String>>,
    /// Counts up with every order: what belongs to an older one is left.
    number: StoredValue<u64>,
    events: StoredValue<Option<UnboundedSender<JudgingEvent>>>,
}

/// Pictures that are decoded and sent at a time.
const PART: usize = 32;

impl Judging {
    pub fn new() -> Self {
        Self {
            answers: RwSignal::new(None),
            busy: RwSignal::new(None),
            error: RwSignal::new(None),
            number: StoredValue::new(0),
            events: StoredValue::new(None),
        }
    }
}

impl Workshop {
    /// Whether the loaded model is the run's.
    fn model_is_of(self, record: &Record) -> bool {
        self.model.with_untracked(|model| {
            model.as_ref().is_some_and(|model| {
                model.origin == Origin::Trained && model.name == record.name && model.labels.len() == record.classes.len()
            })
        })
    }

    /// Judges every picture of the run's classes.
    pub fn judge(self) {
        let judging = self.judging;
        let Some(record) = self.training.record.get_untracked().filter(|record| !record.history.is_empty()) else { return };
        let number = self.new_id();
        judging.number.set_value(number);
        judging.error.set(None);
        judging.busy.set(Some((0, 0)));
        spawn_local(async move {
            let judged = self.judge_now(number, &record).await;
            if judging.number.get_value() != number {
                return;
            }
            judging.busy.set(None);
            match judged {
                Ok(answers) => judging.answers.set(Some(answers)),
                Err(Error::Cancelled) => {}
                Err(error) => judging.error.set(Some(error.to_string())),
            }
        });
    }

    async fn judge_now(self, number: u64, record: &Record) -> Result<Answers> {
        let judging = self.judging;
        if !self.model_is_of(record) {
            self.use_run().await?;
        }
        let place = |picture: &Picture| record.classes.iter().position(|class| *class == picture.class);
        let pictures: Vec<(usize, Picture)> = self.studio.pictures.with_untracked(|pictures| {
            pictures.iter().filter_map(|picture| Some((place(picture)?, picture.clone()))).collect()
        });
        let (sender, mut events) = unbounded();
        judging.events.set_value(Some(sender));
        // The engine compares the number of classes alone; names may have been changed since.
        let names = self.class_names(&record.classes);
        let of = pictures.len();
        let mut answers = Answers { classes: record.classes.clone(), epochs: record.history.len(), ..Answers::default() };
        let mut done = 0;
        for part in pictures.chunks(PART) {
            let mut examples = Examples::new(names.clone(), &record.pixels);
            for (class, picture) in part {
                match self.studio.image(picture.id).await {
                    Ok(image) => examples.push(picture.id, picture.name.clone(), &image, *class as u32)?,
                    Err(error) => log::warn!("{error}"),
                }
                if judging.number.get_value() != number {
                    return Err(Error::Cancelled);
                }
            }
            done += part.len();
            if examples.is_empty() {
                continue;
            }
            self.send(Command::Judge(Box::new(JudgeOrder { number, examples, activation: record.activation() })));
            while let Some(event) = events.next().await {
                match event {
                    JudgingEvent::Judged { number: n, verdicts, last } if n == number => {
                        for verdict in verdicts {
                            let judged = Judged {
                                picture: verdict.picture,
                                class: verdict.class as usize,
                                probabilities: verdict.probabilities,
                            };
                            self.sort_in(&mut answers, record, judged);
                        }
                        if last {
                            break;
                        }
                    }
                    JudgingEvent::Failed { number: n, error } if n == number => return Err(error),
                    _ => {}
                }
            }
            judging.busy.set(Some((done, of)));
        }
        Ok(answers)
    }

    fn sort_in(self, answers: &mut Answers, record: &Record, judged: Judged) {
        let id: PictureId = judged.picture;
        let test = self
            .studio
            .pictures
            .with_untracked(|pictures| pictures.iter().any(|picture| picture.id == id && picture.role == Role::Test));
        if test {
            answers.test.push(judged);
        } else if record.sides.train.contains(&id) {
            answers.train.push(judged);
        } else {
            // What came after training was not learnt from: it judges.
            answers.validation.push(judged);
        }
    }

    pub fn on_judging(self, event: JudgingEvent) {
        self.judging.events.with_value(|events| {
            if let Some(events) = events {
                drop(events.unbounded_send(event));
            }
        });
    }

    /// Leaves what is not judged yet.
    pub fn stop_judging(self) {
        self.judging.number.set_value(self.new_id());
        self.judging.busy.set(None);
        self.send(Command::StopJudging);
    }
}
