//! The pictures' way through the engine: two at a time, so that one is decoded while another is classified, and the rest
//! can still be taken back.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::csv;
use super::focus::focus_on;
use super::lab::{Lab, Request, Shot, Status};
use super::notice;
use crate::Error;
use crate::data::RgbaImage;
use crate::engine::{Command, Picture};
use crate::sorting;
use crate::web;

/// Pictures being decoded or classified at a time.
const AT_ONCE: usize = 2;

impl Lab {
    /// Adds pictures to the tray; the first is shown and comes first. One that is there already is shown, not added.
    pub(super) fn add(self, pictures: Vec<(web_sys::File, Option<String>)>) {
        spawn_local(async move {
            let (mut new, mut known) = (Vec::new(), None);
            for (file, alt) in pictures {
                match self.twin(&file).await {
                    None => new.push((file, alt)),
                    id => known = known.or(id),
                }
            }
            if let Some(known) = known.filter(|_| new.is_empty()) {
                self.selected.set(Some(known));
                self.watching.set(false);
                self.spoken.set(t!("look.said_known").into_owned());
            }
            self.add_new(new);
        });
    }

    /// The picture that was made of the same file.
    async fn twin(self, file: &web_sys::File) -> Option<u64> {
        let alike = |other: &web_sys::File| other.name() == file.name() && other.size() == file.size();
        let alike: Vec<_> = self.files.with_value(|files| {
            files
                .iter()
                .filter(|(id, other)| alike(other) && self.find(**id).is_some())
                .map(|(id, other)| (*id, other.clone()))
                .collect()
        });
        for (id, other) in alike {
            // A name and a size may be chance: what is in them is not.
            if web::read_file(&other).await.ok()? == web::read_file(file).await.ok()? {
                return Some(id);
            }
        }
        None
    }

    fn add_new(self, pictures: Vec<(web_sys::File, Option<String>)>) {
        let mut ids = Vec::new();
        let (alone, before) = (pictures.len() == 1, self.selected.get_untracked());
        for (file, alt) in pictures {
            let id = self.new_id();
            let name = file.name();
            let shot = Shot {
                id,
                url: web::object_url(&file).ok().map(Arc::new),
                thumbnail: ArcRwSignal::new(None),
                alt: alt.unwrap_or_else(|| t!("look.your_picture", name = name).into_owned()),
                name,
                alone,
                before,
                status: ArcRwSignal::new(Status::Waiting),
                answer: ArcRwSignal::new(None),
            };
            self.files.update_value(|files| drop(files.insert(id, file)));
            self.shots.update(|shots| shots.push(shot));
            ids.push(id);
        }
        let Some(&first) = ids.first() else { return };
        self.forget_cleared();
        self.selected.set(Some(first));
        // Who gives a picture wants to see it.
        self.watching.set(false);
        self.waiting.update_value(|waiting| ids.iter().rev().for_each(|id| waiting.push_front(*id)));
        self.pump();
    }

    /// Puts every picture in the queue again, the one on the stage first: the model has changed.
    pub(super) fn classify_again(self) {
        let working: Vec<u64> = self.in_flight.with_value(|in_flight| in_flight.values().map(|request| request.shot).collect());
        let selected = self.selected.get_untracked();
        let mut ids: Vec<u64> = Vec::new();
        self.shots.with_untracked(|shots| {
            for shot in shots.iter().filter(|shot| !working.contains(&shot.id)) {
                // What cannot be decoded will not be decodable for another model.
                let failed_decode = matches!(&*shot.status.read_untracked(), Status::Failed(_))
                    && self.files.with_value(|files| !files.contains_key(&shot.id));
                if !failed_decode {
                    shot.status.set(Status::Waiting);
                    ids.push(shot.id);
                }
            }
        });
        sorting::sort_by_key(&mut ids, |id| Some(*id) != selected);
        self.waiting.set_value(ids.into());
    }

    /// Hands the next pictures to the engine while a model is there.
    pub(super) fn pump(self) {
        while self.model.with_untracked(Option::is_some)
            && !self.model_pending()
            && self.in_flight.with_value(|in_flight| in_flight.len() < AT_ONCE)
        {
            let Some(shot) = self.waiting.try_update_value(std::collections::VecDeque::pop_front).flatten() else { break };
            let (Some(shot), Some(file)) = (self.find(shot), self.files.with_value(|files| files.get(&shot).cloned())) else {
                continue;
            };
            shot.status.set(Status::Working);
            let request = self.new_id();
            self.in_flight.update_value(|all| {
                all.insert(request, Request { shot: shot.id, decode_ms: 0.0 });
            });
            spawn_local(self.decode(request, shot, file));
        }
        self.count();
    }

    async fn decode(self, request: u64, shot: Shot, file: web_sys::File) {
        let start = web_time::Instant::now();
        let decoded = web::decode_file(&file).await;
        let decode_ms = start.elapsed().as_secs_f64() * 1e3;
        // Cancelled meanwhile?
        let Some(entry) = self.take_request(request) else { return };
        match decoded {
            Ok(image) => {
                self.add_thumbnail(&shot, &image);
                self.in_flight.update_value(|all| {
                    all.insert(request, Request { decode_ms, ..entry });
                });
                self.send(Command::Classify { id: request, name: shot.name, image: Picture::Decoded(image) });
            }
            Err(error) => {
                self.files.update_value(|files| drop(files.remove(&shot.id)));
                self.fail(shot.id, &error);
                self.pump();
            }
        }
    }

    /// Gives the picture's tile something to show. Without it the tile has its words.
    fn add_thumbnail(self, shot: &Shot, image: &RgbaImage) {
        if shot.thumbnail.read_untracked().is_some() {
            return;
        }
        let (thumbnail, name, copy) = (shot.thumbnail.clone(), shot.name.clone(), image.reduced(web::THUMBNAIL_PX));
        spawn_local(async move {
            match web::thumbnail(&name, &copy).await {
                Ok(url) => thumbnail.set(Some(Arc::new(url))),
                Err(error) => log::warn!("{error}"),
            }
        });
    }

    /// A picture has no answer. Alone it never was a picture: it leaves the tray and the sentence stays beside the drop
    /// zone; among others it keeps its tile.
    pub(super) fn fail(self, id: u64, error: &Error) {
        let sentence = sentence(error);
        let Some(shot) = self.find(id) else { return };
        let decodable = self.files.with_value(|files| files.contains_key(&id));
        if shot.alone && !decodable {
            self.picture_error.set(Some(format!("{}: {sentence}", shot.name)));
            self.shots.update(|shots| shots.retain(|other| other.id != id));
            if self.selected.get_untracked() == Some(id) {
                let last = || self.shots.with_untracked(|shots| shots.last().map(|shot| shot.id));
                self.selected.set(shot.before.filter(|id| self.find(*id).is_some()).or_else(last));
            }
            return;
        }
        shot.status.set(Status::Failed(sentence));
        let (failed, all) = self.shots.with_untracked(|shots| {
            let failed = shots.iter().filter(|shot| matches!(&*shot.status.read_untracked(), Status::Failed(_))).count();
            (failed, shots.len())
        });
        self.picture_error.set(Some(t!("look.some_failed", failed = failed, all = all).into_owned()));
    }

    /// Takes back every picture without an answer.
    pub fn cancel(self) {
        let mut stopped: Vec<u64> = Vec::new();
        self.waiting.update_value(|waiting| stopped.extend(waiting.drain(..)));
        self.in_flight.update_value(|all| stopped.extend(all.drain().map(|(_, request)| request.shot)));
        self.send(Command::ClearQueue);
        for shot in stopped.into_iter().filter_map(|id| self.find(id)) {
            shot.status.set(Status::Cancelled);
        }
        self.count();
        self.spoken.set(t!("look.said_stopped").into_owned());
    }

    /// Empties the tray. Until another picture is given, that can be undone.
    pub fn clear(self) {
        self.cancel();
        self.forget_cleared();
        self.selected.set(None);
        self.picture_error.set(None);
        self.cleared.set(self.shots.get_untracked());
        self.shots.update(Vec::clear);
        self.spoken.set(t!("look.said_empty").into_owned());
        focus_on("choose");
    }

    /// Brings back what was cleared.
    pub fn bring_back(self) {
        let shots = std::mem::take(&mut *self.cleared.write());
        self.selected.set(shots.first().map(|shot| shot.id));
        self.shots.set(shots);
        self.count();
        focus_on("choose");
    }

    /// What was cleared is gone for good.
    pub(super) fn forget_cleared(self) {
        let gone = std::mem::take(&mut *self.cleared.write());
        self.files.update_value(|files| files.retain(|id, _| gone.iter().all(|shot| shot.id != *id)));
    }

    /// Puts cancelled pictures back.
    pub fn resume(self) {
        self.shots.with_untracked(|shots| {
            for shot in shots.iter().filter(|shot| *shot.status.read_untracked() == Status::Cancelled) {
                shot.status.set(Status::Waiting);
                self.waiting.update_value(|waiting| waiting.push_back(shot.id));
            }
        });
        self.pump();
    }

    /// Every picture of the tray as a row of the table.
    pub fn rows(self) -> Vec<csv::Row> {
        self.shots.with_untracked(|shots| shots.iter().map(row).collect())
    }

    fn count(self) {
        let remaining = self.waiting.with_value(|w| w.len()) + self.in_flight.with_value(|all| all.len());
        if self.remaining.get_untracked() != remaining {
            self.remaining.set(remaining);
        }
    }
}

fn row(shot: &Shot) -> csv::Row {
    let answer = shot.answer.get_untracked();
    let status = shot.status.get_untracked();
    let error = match status {
        Status::Failed(sentence) => sentence,
        Status::Done => String::new(),
        Status::Waiting | Status::Working | Status::Cancelled if answer.is_some() => String::new(),
        Status::Waiting | Status::Working => "not classified yet".into(),
        Status::Cancelled => "cancelled".into(),
    };
    csv::Row {
        file: shot.name.clone(),
        ms: answer.as_ref().map(|answer| answer.result.ms),
        model: answer.as_ref().map(|answer| answer.model.name.clone()).unwrap_or_default(),
        top: answer.map(|answer| answer.result.top).unwrap_or_default(),
        error,
    }
}

/// The part of an error made for people: an image's sentence stands beside its name anyway.
fn sentence(error: &Error) -> String {
    match error {
        Error::Image { reason, .. } | Error::File { reason, .. } => notice::fault(reason),
        error => notice::sentence(error),
    }
}
