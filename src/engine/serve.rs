//! The engine behind messages: one loop that takes commands in order and answers with events.

use std::collections::VecDeque;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender};
use futures_util::StreamExt;

use super::core::{Engine, LoadOptions};
use super::message::{Command, Event, Picture, PrecisionChoice};
use crate::data::image::{RgbaImage, decode};
use crate::gpu::ContextOptions;
use crate::{Error, Result};

/// Predictions a result carries.
const TOP: usize = 5;

/// Serves commands until every sender is gone. Events to a door that has left are dropped.
///
/// A lost device is opened again, the model planned anew and the command repeated once; the door sees a new
/// [`Event::Device`] and [`Event::Ready`].
pub async fn serve(options: ContextOptions, commands: UnboundedReceiver<Command>, events: UnboundedSender<Event>) {
    match Engine::open(options).await {
        Ok(engine) => serve_engine(engine, options, commands, events).await,
        Err(error) => drop(events.unbounded_send(Event::Failed { id: None, error })),
    }
}

/// [`serve`] with an engine that is open already; `options` are for opening it again.
pub async fn serve_engine(
    mut engine: Engine,
    options: ContextOptions,
    mut commands: UnboundedReceiver<Command>,
    events: UnboundedSender<Event>,
) {
    let send = |event: Event| drop(events.unbounded_send(event));
    send(Event::Device(engine.device()));
    let mut queue = Queue::default();
    loop {
        // Everything that has arrived is sorted in before the next piece of work, so that a newer frame can win.
        while let Ok(command) = commands.try_recv() {
            queue.push(command);
        }
        let Some(job) = queue.pop() else {
            match commands.next().await {
                Some(command) => queue.push(command),
                None => return,
            }
            continue;
        };
        let id = job.id();
        if let Err(error) = run(&mut engine, &job, &send).await {
            let error = match error {
                Error::DeviceLost(_) => match recover(&mut engine, options, &send).await {
                    Ok(()) => match run(&mut engine, &job, &send).await {
                        Ok(()) => continue,
                        Err(error) => error,
                    },
                    Err(error) => error,
                },
                error => error,
            };
            send(Event::Failed { id, error });
        }
    }
}

/// Opens a new device and plans the model again from its weights, which stay in memory.
async fn recover(engine: &mut Engine, options: ContextOptions, send: &impl Fn(Event)) -> Result<()> {
    engine.reopen(options).await?;
    send(Event::Device(engine.device()));
    if engine.model().is_some() {
        let info = engine.replan(&mut |_| {}).await?;
        send(Event::Ready(Box::new(info)));
    }
    Ok(())
}

async fn run(engine: &mut Engine, job: &Job, send: &impl Fn(Event)) -> Result<()> {
    match job {
        Job::Load { name, bytes, options } => {
            let mut progress = |progress| send(Event::Loading { name: name.clone(), progress });
            let info = engine.load(name, bytes, options, &mut progress).await?;
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
            let decoded;
            let image = match image {
                Picture::Decoded(image) => image,
                Picture::File(bytes) => {
                    decoded = decode(name, bytes)?;
                    &decoded
                }
            };
            let result = engine.classify(image, TOP).await?;
            send(Event::Classified { id: *id, result });
        }
        Job::Frame { id, image } => {
            let result = engine.classify(image, TOP).await?;
            send(Event::Classified { id: *id, result });
        }
        Job::Profile => send(Event::Profiled(engine.profile().await?)),
    }
    Ok(())
}

/// Work that waits.
enum Job {
    Load { name: String, bytes: Vec<u8>, options: LoadOptions },
    SetPrecision(PrecisionChoice),
    Classify { id: u64, name: String, image: Picture },
    Frame { id: u64, image: RgbaImage },
    Profile,
}

impl Job {
    fn id(&self) -> Option<u64> {
        match self {
            Self::Classify { id, .. } | Self::Frame { id, .. } => Some(*id),
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
            Command::Load { name, bytes, origin, preset } => {
                self.0.push_back(Job::Load { name, bytes, options: LoadOptions { origin, preset, ..LoadOptions::default() } });
            }
            Command::SetPrecision(choice) => self.0.push_back(Job::SetPrecision(choice)),
            Command::Classify { id, name, image } => self.0.push_back(Job::Classify { id, name, image }),
            Command::ClassifyFrame { id, image } => {
                self.0.retain(|job| !matches!(job, Job::Frame { .. }));
                self.0.push_back(Job::Frame { id, image });
            }
            Command::ClearQueue => self.0.retain(|job| job.id().is_none()),
            Command::Profile => self.0.push_back(Job::Profile),
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
        Command::ClassifyFrame { id, image }
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
    fn clearing_keeps_what_is_no_image() {
        let mut queue = Queue::default();
        queue.push(frame(1));
        queue.push(Command::Profile);
        queue.push(Command::ClearQueue);
        assert!(matches!(queue.pop(), Some(Job::Profile)));
        assert!(queue.pop().is_none());
    }
}
