//! Questions to the engine that one asker waits for: live frames, and where the network looks.

use std::collections::HashMap;

use futures_channel::oneshot;
use leptos::prelude::*;

use crate::engine::{Classification, Command, Frame, FrameReading, Heatmap, HeatmapKind, Picture};
use crate::ui::lab::Lab;
use crate::{Error, Result};

/// What comes back.
#[derive(Debug)]
pub enum Reply {
    /// Of a frame.
    Frame(Box<FrameReading>),
    /// Of a picture.
    Heatmap(Heatmap),
    /// Of a picture, its classes.
    Classes(Classification),
}

/// Who waits, by the number of the question.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    waiting: StoredValue<HashMap<u64, oneshot::Sender<Result<Reply>>>, LocalStorage>,
    /// The frame that is out: the engine drops it for a newer one, without a word.
    frame: StoredValue<Option<u64>>,
}

impl Asked {
    /// Nobody waits.
    pub fn start() -> Self {
        Self { waiting: StoredValue::new_local(HashMap::new()), frame: StoredValue::new(None) }
    }

    /// Whether the question is one of these.
    pub fn is_asked(self, id: u64) -> bool {
        self.waiting.with_value(|waiting| waiting.contains_key(&id))
    }

    /// Hands over an answer; false when the question is not one of these.
    pub fn answer(self, id: u64, reply: Result<Reply>) -> bool {
        let Some(asker) = self.waiting.try_update_value(|waiting| waiting.remove(&id)).flatten() else { return false };
        // Who has left wants no answer.
        let _ = asker.send(reply);
        true
    }

    fn expect(self, id: u64) -> oneshot::Receiver<Result<Reply>> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.update_value(|waiting| drop(waiting.insert(id, sender)));
        receiver
    }
}

impl Lab {
    /// What the model says of a frame, and where it looks for the class `map_of`. A newer frame takes an older one's place.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when a newer frame came, and those of the engine.
    pub async fn read_frame(self, frame: Frame, map_of: Option<usize>) -> Result<FrameReading> {
        let id = self.new_id();
        let older = self.asked.frame.try_update_value(|newest| newest.replace(id)).flatten();
        if let Some(older) = older {
            self.asked.answer(older, Err(Error::Cancelled));
        }
        let answer = self.asked.expect(id);
        self.send(Command::ClassifyFrame { id, frame, map_of });
        match answer.await {
            Ok(Ok(Reply::Frame(reading))) => Ok(*reading),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Reply::Heatmap(_) | Reply::Classes(_))) | Err(_) => Err(Error::Cancelled),
        }
    }

    /// Where the model looks in a picture; `name` is used in errors.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn heatmap(self, name: String, image: Picture, class: usize, kind: HeatmapKind) -> Result<Heatmap> {
        let id = self.new_id();
        let answer = self.asked.expect(id);
        self.send(Command::Heatmap { id, name, image, class, kind });
        match answer.await {
            Ok(Ok(Reply::Heatmap(heatmap))) => Ok(heatmap),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Reply::Frame(_) | Reply::Classes(_))) | Err(_) => Err(Error::Cancelled),
        }
    }

    /// What the model says of a picture that is not in the tray; `name` is used in errors.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn classes_of(self, name: String, image: Picture) -> Result<Classification> {
        let id = self.new_id();
        let answer = self.asked.expect(id);
        self.send(Command::Classify { id, name, image });
        match answer.await {
            Ok(Ok(Reply::Classes(classes))) => Ok(classes),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Err(Error::Cancelled),
        }
    }
}
