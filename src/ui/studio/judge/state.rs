//! What the network of the open project says of its pictures.

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::engine::{Command, Examples, JudgeOrder, JudgingEvent};
use crate::studio::judge::Judged;
use crate::studio::mirror;
use crate::studio::{ClassId, Picture, PictureId, Role};
use crate::ui::notice;
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
    /// Given for the second test alone.
    SecondTest,
}

/// Answers to the pictures of each set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers {
    pub validation: Vec<Judged>,
    pub train: Vec<Judged>,
    pub test: Vec<Judged>,
    pub second_test: Vec<Judged>,
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
            Group::SecondTest => &self.second_test,
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
/// Pictures of a class that are looked at in a mirror.
const MIRRORED: usize = 10;

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
                Err(error) => judging.error.set(Some(notice::sentence(&error))),
            }
        });
    }

    async fn judge_now(self, number: u64, record: &Record) -> Result<Answers> {
        let judging = self.judging;
        if !untrack(|| self.has_own_network()) {
            self.use_run().await?;
        }
        let place = |picture: &Picture| record.classes.iter().position(|class| *class == picture.class);
        let pictures: Vec<(usize, Picture)> = self.studio.pictures.with_untracked(|pictures| {
            pictures.iter().filter_map(|picture| Some((place(picture)?, picture.clone()))).collect()
        });
        let (sender, mut events) = unbounded();
        judging.events.set_value(Some(sender));
        let of = pictures.len();
        let mut answers = Answers { classes: record.classes.clone(), epochs: record.history.len(), ..Answers::default() };
        for (part, pictures) in pictures.chunks(PART).enumerate() {
            for judged in self.ask(number, record, pictures, false, &mut events).await? {
                self.sort_in(&mut answers, record, judged);
            }
            judging.busy.set(Some((part * PART + pictures.len(), of)));
        }
        self.look_in_mirror(number, record, &pictures, &answers, &mut events).await?;
        Ok(answers)
    }

    /// What the network says of these pictures, or of what they look like in a mirror.
    async fn ask(
        self,
        number: u64,
        record: &Record,
        pictures: &[(usize, Picture)],
        in_mirror: bool,
        events: &mut UnboundedReceiver<JudgingEvent>,
    ) -> Result<Vec<Judged>> {
        // The engine compares the number of classes alone; names may have been changed since.
        let mut examples = Examples::new(self.class_names(&record.classes), &record.pixels);
        for (class, picture) in pictures {
            match self.studio.image(picture.id).await {
                Ok(image) => {
                    let image = if in_mirror { mirror::mirrored(&image) } else { image };
                    examples.push(picture.id, picture.name.clone(), &image, *class as u32)?;
                }
                Err(error) => log::warn!("{error}"),
            }
            if self.judging.number.get_value() != number {
                return Err(Error::Cancelled);
            }
        }
        let mut answers = Vec::new();
        if examples.is_empty() {
            return Ok(answers);
        }
        self.send(Command::Judge(Box::new(JudgeOrder { number, examples, activation: record.activation() })));
        while let Some(event) = events.next().await {
            match event {
                JudgingEvent::Judged { number: n, verdicts, last } if n == number => {
                    answers.extend(verdicts.into_iter().map(|verdict| Judged {
                        picture: verdict.picture,
                        class: verdict.class as usize,
                        probabilities: verdict.probabilities,
                    }));
                    if last {
                        break;
                    }
                }
                JudgingEvent::Failed { number: n, error } if n == number => return Err(error),
                _ => {}
            }
        }
        Ok(answers)
    }

    /// Finds out whether mirrored pictures are taken for other classes; the project keeps it.
    async fn look_in_mirror(
        self,
        number: u64,
        record: &Record,
        pictures: &[(usize, Picture)],
        answers: &Answers,
        events: &mut UnboundedReceiver<JudgingEvent>,
    ) -> Result<()> {
        let mut some = Vec::new();
        for class in 0..record.classes.len() {
            some.extend(pictures.iter().filter(|(of, _)| *of == class).take(MIRRORED).cloned());
        }
        let mut mirrored = Vec::new();
        for part in some.chunks(PART) {
            mirrored.extend(self.ask(number, record, part, true, events).await?);
        }
        let all = [&answers.validation, &answers.train, &answers.test, &answers.second_test];
        let plain = |of: &Judged| all.iter().find_map(|set| set.iter().find(|one| one.picture == of.picture)).cloned();
        let (plain, mirrored): (Vec<Judged>, Vec<Judged>) = mirrored.into_iter().filter_map(|m| Some((plain(&m)?, m))).unzip();
        let found = mirror::by_answers(&plain, &mirrored, record.classes.len());
        let found: Vec<(ClassId, ClassId)> = found.into_iter().map(|(a, b)| (record.classes[a], record.classes[b])).collect();
        let known = self.studio.project.with_untracked(|project| project.as_ref().map(|p| p.settings.mirrored.clone()));
        // A network that was taught wrong names by mirroring cannot tell: what was found before stays.
        if known.is_some_and(|known| known != found && !(found.is_empty() && record.recipe.augmentation.flip)) {
            self.change_settings(|settings| settings.mirrored = found);
        }
        Ok(())
    }

    fn sort_in(self, answers: &mut Answers, record: &Record, judged: Judged) {
        let id: PictureId = judged.picture;
        let role = |pictures: &Vec<Picture>| pictures.iter().find(|picture| picture.id == id).map(|picture| picture.role);
        let role = self.studio.pictures.with_untracked(role);
        if role == Some(Role::Test) {
            answers.test.push(judged);
        } else if role == Some(Role::SecondTest) {
            answers.second_test.push(judged);
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
