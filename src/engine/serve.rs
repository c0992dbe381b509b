//! The engine behind messages: one loop that takes commands in order and answers with events.

use std::borrow::Cow;
use std::collections::VecDeque;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender};
use futures_util::StreamExt;

use super::benchmark::{Benchmark, BenchmarkEvent};
use super::core::Engine;
use super::export::ExportFormat;
use super::frame::Frame;
use super::heatmap::HeatmapKind;
use super::judge::{Judging, JudgingEvent};
use super::known::LoadOptions;
use super::later;
use super::message::{Command, Event, Picture, PrecisionChoice};
use super::train::{EstimateOrder, PreviewOrder, ResumeOrder, Run, TrainingEvent, TrainingOrder};
use crate::data::{RgbaImage, decode_later};
use crate::device::{DeviceChoice, DeviceKind, DeviceOptions};
use crate::train::Recipe;
use crate::{Error, Result, web};

/// Predictions a result carries.
const TOP: usize = 5;

/// Serves commands until every sender is gone. Events to a door that has left are dropped.
///
/// A lost device is opened again, the model planned anew and the command repeated once; the door sees a new
/// [`Event::Device`] and [`Event::Ready`].
pub async fn serve(options: DeviceOptions, commands: UnboundedReceiver<Command>, events: UnboundedSender<Event>) {
    match Engine::open(options).await {
        Ok(engine) => serve_engine(engine, options, commands, events).await,
        Err(error) => drop(events.unbounded_send(Event::Failed { id: None, error })),
    }
}

/// How a lost device is opened again.
#[derive(Debug)]
pub(super) struct Reopening {
    options: DeviceOptions,
    /// Losses since a command was last finished.
    losses: u32,
}

impl Reopening {
    fn new(options: DeviceOptions) -> Self {
        Self { options, losses: 0 }
    }

    /// A command was finished: the device works.
    pub(super) fn works(&mut self) {
        self.losses = 0;
    }

    /// What to open now. A graphics card that was lost twice without one finished command between would be lost again: the processor
    /// goes on.
    fn next(&mut self) -> DeviceOptions {
        self.losses += 1;
        if self.losses > 1 {
            self.options.choice = DeviceChoice::Kind(DeviceKind::Cpu);
        }
        self.options
    }
}

/// [`serve`] with an engine that is open already; `options` are for opening it again.
pub async fn serve_engine(
    mut engine: Engine,
    options: DeviceOptions,
    mut commands: UnboundedReceiver<Command>,
    events: UnboundedSender<Event>,
) {
    let send = |event: Event| drop(events.unbounded_send(event));
    send(Event::Device(engine.device()));
    let mut reopening = Reopening::new(options);
    let mut queue = Queue::default();
    let mut training: Option<Run> = None;
    loop {
        // Everything that has arrived is sorted in before the next piece of work, so that a newer frame can win, and so
        // that training stops within a chunk.
        while let Ok(command) = commands.try_recv() {
            queue.push(command);
        }
        let going = training.as_ref().is_some_and(Run::is_going);
        let job = queue.pop();
        if job.is_none() && !going {
            match commands.next().await {
                Some(command) => queue.push(command),
                None => return,
            }
            continue;
        }
        if let Some(mut job) = job {
            let mut outcome = run(&mut engine, &mut training, &mut job, &send).await;
            // Once on a new device, and once more on the processor.
            for _ in 0..2 {
                if !matches!(outcome, Err(Error::DeviceLost(_))) {
                    break;
                }
                outcome = match recover(&mut engine, &mut reopening, &send).await {
                    Ok(()) => run(&mut engine, &mut training, &mut job, &send).await,
                    Err(error) => Err(error),
                };
            }
            if outcome.is_ok() {
                reopening.works();
            }
            match outcome {
                Ok(Left::Nothing) => {}
                // Behind what has come meanwhile: nobody waits for all of it.
                Ok(Left::Some) => {
                    web::yield_now().await;
                    queue.0.push_back(job);
                }
                Err(error) => send(job.failed(error)),
            }
        }
        // One picture, one chunk: neither waits for all of the other.
        if let Some(run) = training.as_mut().filter(|run| run.is_going())
            && let Err(error) = advance(&mut engine, run, &mut reopening, &send).await
        {
            training = None;
            send(Event::Training(TrainingEvent::Failed(error)));
        }
    }
}

async fn advance(engine: &mut Engine, run: &mut Run, reopening: &mut Reopening, send: &dyn Fn(Event)) -> Result<()> {
    later::advance(engine, run, reopening, send).await?.await
}

/// Opens a new device and plans the model again from its weights, which stay in memory.
pub(super) async fn recover(engine: &mut Engine, reopening: &mut Reopening, send: &dyn Fn(Event)) -> Result<()> {
    engine.reopen(reopening.next()).await?;
    send(Event::Device(engine.device()));
    if engine.model().is_some() {
        let info = engine.replan(&mut |_| {}).await?;
        send(Event::Ready(Box::new(info)));
    }
    Ok(())
}

/// Whether a job is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    Some,
}

async fn run(engine: &mut Engine, training: &mut Option<Run>, job: &mut Job, send: &dyn Fn(Event)) -> Result<Left> {
    match job {
        Job::Load { name, bytes, options } => {
            let mut progress = |progress| send(Event::Loading { name: name.clone(), progress });
            let info = engine.load(name, bytes, options, &mut progress).await?;
            send(Event::Ready(Box::new(info)));
        }
        Job::NameClasses(names) => {
            // A model that was replaced meanwhile is about other classes.
            if engine.model().is_some_and(|info| info.labels.len() == names.len()) {
                let info = engine.name_classes(std::mem::take(names))?;
                send(Event::Ready(Box::new(info)));
            }
        }
        Job::UsePretrained => {
            let info = engine.use_pretrained(&mut |_| {}).await?;
            send(Event::Ready(Box::new(info)));
        }
        Job::SetPrecision(choice) => {
            let name = engine.model().map(|info| info.name.clone());
            let mut progress = |progress| {
                if let Some(name) = &name {
                    send(Event::Loading { name: name.clone(), progress });
                }
            };
            if let Some(info) = engine.set_precision(*choice, &mut progress).await? {
                send(Event::Ready(Box::new(info)));
            }
        }
        Job::Classify { id, name, image } => {
            let result = engine.classify(&*pixels(name, image).await?, TOP).await?;
            send(Event::Classified { id: *id, result });
        }
        job => return later::run(engine, training, job, send).await,
    }
    Ok(Left::Nothing)
}

/// A picture's pixels, decoded where it is a file.
pub(super) async fn pixels<'a>(name: &str, image: &'a Picture) -> Result<Cow<'a, RgbaImage>> {
    Ok(match image {
        Picture::Decoded(image) => Cow::Borrowed(image),
        Picture::File(bytes) => Cow::Owned(decode_later(name, bytes).await?),
    })
}

/// Work that waits.
pub(super) enum Job {
    Load {
        name: String,
        bytes: Vec<u8>,
        options: LoadOptions,
    },
    NameClasses(Vec<String>),
    UsePretrained,
    SetPrecision(PrecisionChoice),
    Classify {
        id: u64,
        name: String,
        image: Picture,
    },
    Frame {
        id: u64,
        frame: Frame,
        map_of: Option<usize>,
    },
    Heatmap {
        id: u64,
        name: String,
        image: Picture,
        class: usize,
        kind: HeatmapKind,
    },
    Profile,
    Export(ExportFormat),
    /// `None` once it is begun.
    StartTraining(Option<Box<TrainingOrder>>),
    ResumeTraining(Option<Box<ResumeOrder>>),
    StopTraining,
    ContinueTraining(Option<Box<Recipe>>),
    TrainedWeights,
    Estimate(Box<EstimateOrder>),
    Preview(Box<PreviewOrder>),
    Judge(Judging),
    Benchmark(Box<Benchmark>),
}

impl Job {
    fn is_training(&self) -> bool {
        matches!(
            self,
            Self::StartTraining(_)
                | Self::ResumeTraining(_)
                | Self::StopTraining
                | Self::ContinueTraining(_)
                | Self::TrainedWeights
        )
    }

    /// Tells the door that it ended with an error.
    fn failed(&self, error: Error) -> Event {
        match self {
            Self::Estimate(order) => Event::Training(TrainingEvent::Estimated { number: order.number, estimate: Err(error) }),
            Self::Preview(order) => Event::Training(TrainingEvent::Previewed { number: order.number, pictures: Err(error) }),
            Self::Judge(judging) => Event::Judging(JudgingEvent::Failed { number: judging.number(), error }),
            Self::Benchmark(benchmark) => Event::Benchmark(BenchmarkEvent::Failed { number: benchmark.number(), error }),
            job if job.is_training() => Event::Training(TrainingEvent::Failed(error)),
            job => Event::Failed { id: job.id(), error },
        }
    }

    fn id(&self) -> Option<u64> {
        match self {
            Self::Classify { id, .. } | Self::Frame { id, .. } | Self::Heatmap { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// Jobs in order; at most one frame waits, the newest.
#[derive(Default)]
struct Queue(VecDeque<Job>);

impl Queue {
    fn push(&mut self, command: Command) {
        match command {
            Command::Load { name, bytes, origin, preset, choices, beside } => {
                let options = LoadOptions { origin, preset, choices, beside, ..LoadOptions::default() };
                self.0.push_back(Job::Load { name, bytes, options });
            }
            Command::NameClasses(names) => self.0.push_back(Job::NameClasses(names)),
            Command::UsePretrained => self.0.push_back(Job::UsePretrained),
            Command::SetPrecision(choice) => self.0.push_back(Job::SetPrecision(choice)),
            Command::Classify { id, name, image } => self.0.push_back(Job::Classify { id, name, image }),
            Command::ClassifyFrame { id, frame, map_of } => {
                self.0.retain(|job| !matches!(job, Job::Frame { .. }));
                self.0.push_back(Job::Frame { id, frame, map_of });
            }
            Command::Heatmap { id, name, image, class, kind } => {
                self.0.push_back(Job::Heatmap { id, name, image, class, kind });
            }
            Command::ClearQueue => self.0.retain(|job| !matches!(job, Job::Classify { .. })),
            Command::Profile => self.0.push_back(Job::Profile),
            Command::Export { format } => self.0.push_back(Job::Export(format)),
            Command::StartTraining(order) => self.0.push_back(Job::StartTraining(Some(order))),
            Command::ResumeTraining(order) => self.0.push_back(Job::ResumeTraining(Some(order))),
            Command::StopTraining => {
                // Before the pictures that wait, but not before the start it is about.
                let at = self.0.iter().rposition(Job::is_training).map_or(0, |last| last + 1);
                self.0.insert(at, Job::StopTraining);
            }
            Command::ContinueTraining(recipe) => self.0.push_back(Job::ContinueTraining(recipe)),
            Command::TrainedWeights => self.0.push_back(Job::TrainedWeights),
            Command::EstimateTraining(order) => self.0.push_back(Job::Estimate(order)),
            Command::PreviewAugmentation(order) => {
                // The newest wins: a slider sends many.
                self.0.retain(|job| !matches!(job, Job::Preview(_)));
                self.0.push_back(Job::Preview(order));
            }
            Command::Judge(order) => self.0.push_back(Job::Judge(Judging::new(order))),
            Command::Benchmark(order) => self.0.push_back(Job::Benchmark(Box::new(Benchmark::new(order)))),
            Command::StopBenchmark => self.0.retain(|job| !matches!(job, Job::Benchmark(_))),
            Command::StopJudging => self.0.retain(|job| !matches!(job, Job::Judge(_))),
        }
    }

    fn pop(&mut self) -> Option<Job> {
        self.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u64) -> Command {
        let image = RgbaImage { width: 1, height: 1, pixels: vec![0; 4] };
        Command::ClassifyFrame { id, frame: Frame::Pixels(image), map_of: None }
    }

    #[test]
    fn the_newest_frame_replaces_one_that_waits() {
        let mut queue = Queue::default();
        queue.push(frame(1));
        queue.push(Command::Profile);
        queue.push(frame(2));
        assert!(matches!(queue.pop(), Some(Job::Profile)));
        assert_eq!(queue.pop().and_then(|job| job.id()), Some(2));
        assert!(queue.pop().is_none());
    }

    #[test]
    fn clearing_keeps_what_is_no_picture_of_the_tray() {
        let mut queue = Queue::default();
        queue.push(Command::Classify { id: 1, name: "a".into(), image: Picture::File(Vec::new()) });
        queue.push(frame(2));
        queue.push(Command::Profile);
        queue.push(Command::ClearQueue);
        assert_eq!(queue.pop().and_then(|job| job.id()), Some(2));
        assert!(matches!(queue.pop(), Some(Job::Profile)));
        assert!(queue.pop().is_none());
    }
}
