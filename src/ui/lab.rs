//! What the page knows, and its one line to the engine.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures_util::StreamExt;
use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::format;
use super::live::{Asked, Looks, Reply};
use super::notice;
use super::part::Opening;
use super::screen::{Screen, follow_address};
use super::workshop::Door;
use crate::Error;
use crate::device::{DeviceKind, DispatchTime};
use crate::engine::{self, Command, DeviceInfo, Event, ModelInfo};
use crate::web;

/// Why the page cannot work here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The browser has no WebGPU at all.
    WebGpu,
    /// The page came over plain http, where browsers hide WebGPU.
    SecureContext,
    /// There is WebGPU, but no adapter answered.
    Adapter,
}

/// What the model panel is busy with.
#[derive(Debug, Clone, PartialEq)]
pub enum Busy {
    /// Bytes are coming in.
    Fetching { name: String, received: u64, total: Option<u64> },
    /// The engine prepares it; 0 to 1.
    Preparing { name: String, progress: f32 },
}

/// Where a picture stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// In the queue.
    Waiting,
    /// Being decoded or classified.
    Working,
    /// Taken out of the queue by the user.
    Cancelled,
    /// Answered; the answer is in [`Shot::answer`].
    Done,
    /// No answer; a sentence for the person.
    Failed(String),
}

/// What a model said of a picture, and which one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub result: engine::Classification,
    pub model: Arc<ModelInfo>,
    /// Milliseconds from the file to pixels.
    pub decode_ms: f64,
}

/// One picture of the tray.
#[derive(Clone)]
pub struct Shot {
    pub id: u64,
    pub name: String,
    /// Address of the file, for `<img>`; `None` when the browser made none.
    pub url: Option<Arc<web::ObjectUrl>>,
    /// A small copy for its tile, once it is decoded.
    pub thumbnail: ArcRwSignal<Option<Arc<web::ObjectUrl>>>,
    /// Description for people who do not see it.
    pub alt: String,
    /// It came without others: when it is no picture it leaves the tray again, and this one is shown instead.
    pub alone: bool,
    pub before: Option<u64>,
    pub status: ArcRwSignal<Status>,
    /// The last answer; it stays while a newer one is worked on.
    pub answer: ArcRwSignal<Option<Answer>>,
}

/// The layers' times.
#[derive(Debug, Clone, PartialEq)]
pub enum Layers {
    /// Not asked for.
    None,
    /// Being measured.
    Measuring,
    /// Measured.
    Times(Arc<Vec<DispatchTime>>),
    /// Could not be measured.
    Failed(String),
}

/// A person's weights file.
#[derive(Clone)]
pub struct OwnFile {
    pub file: web_sys::File,
    /// What came with it.
    pub beside: Vec<web_sys::File>,
}

impl OwnFile {
    /// Under which the browser keeps what was said of it.
    pub fn key(&self) -> String {
        format!("reslab.choices.{}.{}", self.file.name(), self.file.size())
    }
}

/// A job the engine has not answered yet and that carries no picture's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// A model, and the project and run it is of.
    Model(Option<(u64, u64)>),
    Profile,
}

/// A request for one picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub shot: u64,
    pub decode_ms: f64,
}

/// The page's state. Copied into every component; everything in it lives as long as the page.
#[derive(Clone, Copy)]
pub struct Lab {
    pub(super) commands: StoredValue<UnboundedSender<Command>, LocalStorage>,
    pub missing: RwSignal<Option<Missing>>,
    pub screen: RwSignal<Screen>,
    /// The page's language.
    pub language: RwSignal<&'static str>,
    /// What the studio has open and how far it is, for the window's title.
    pub title: RwSignal<Option<String>>,
    /// Where the studio is, for the way back to it.
    pub teach: RwSignal<Option<String>>,
    /// A newer version of the page waits.
    pub newer: RwSignal<bool>,
    /// The screens that come later.
    pub workshop: RwSignal<Opening<Rc<dyn Door>>, LocalStorage>,
    pub device: RwSignal<Option<DeviceInfo>>,
    /// The browser's words for the adapter, where it has any.
    pub adapter: RwSignal<Option<String>>,
    pub model: RwSignal<Option<Arc<ModelInfo>>>,
    /// The project and run whose network the model is.
    pub model_run: RwSignal<Option<(u64, u64)>>,
    pub busy: RwSignal<Option<Busy>>,
    /// Said beside the model panel.
    pub model_error: RwSignal<Option<String>>,
    /// No error, but worth knowing: the model could not be kept on this device.
    pub remark: RwSignal<Option<String>>,
    /// Said beside the drop zone.
    pub picture_error: RwSignal<Option<String>>,
    /// Names of hub models that are kept on this device.
    pub kept: RwSignal<Vec<String>>,
    pub shots: RwSignal<Vec<Shot>>,
    /// What was cleared last, until another picture comes.
    pub cleared: RwSignal<Vec<Shot>>,
    pub selected: RwSignal<Option<u64>>,
    /// Pictures that wait or are worked on.
    pub remaining: RwSignal<usize>,
    pub layers: RwSignal<Layers>,
    /// Something is dragged over the page.
    pub dragging: RwSignal<bool>,
    /// Read out by screen readers.
    pub spoken: RwSignal<String>,
    pub(super) files: StoredValue<HashMap<u64, web_sys::File>, LocalStorage>,
    pub(super) waiting: StoredValue<VecDeque<u64>>,
    pub(super) in_flight: StoredValue<HashMap<u64, Request>>,
    pub(super) pending: StoredValue<VecDeque<Pending>>,
    pub(super) download: StoredValue<Option<web::CancelToken>, LocalStorage>,
    /// The person's weights file in use and what came with it, to be read again.
    pub(super) own_file: StoredValue<Option<OwnFile>, LocalStorage>,
    pub(super) next_id: StoredValue<u64>,
    pub(super) asked: Asked,
    /// Where the network looks.
    pub looks: Looks,
    /// Whether the Recognise screen shows the camera in place of pictures.
    pub watching: RwSignal<bool>,
}

impl Shot {
    /// What `<img src>` takes.
    pub fn src(&self) -> String {
        self.url.as_ref().map(|url| url.as_str().to_owned()).unwrap_or_default()
    }
}

impl Lab {
    /// Opens the engine and fetches the bundled model.
    pub fn start(language: RwSignal<&'static str>) -> Self {
        let (commands, command_queue) = mpsc::unbounded();
        let lab = Self {
            commands: StoredValue::new_local(commands),
            missing: RwSignal::new(None),
            screen: follow_address(),
            language,
            title: RwSignal::new(None),
            teach: RwSignal::new(None),
            newer: RwSignal::new(false),
            workshop: RwSignal::new_local(Opening::default()),
            device: RwSignal::new(None),
            adapter: RwSignal::new(None),
            model: RwSignal::new(None),
            model_run: RwSignal::new(None),
            busy: RwSignal::new(None),
            model_error: RwSignal::new(None),
            remark: RwSignal::new(None),
            picture_error: RwSignal::new(None),
            kept: RwSignal::new(Vec::new()),
            shots: RwSignal::new(Vec::new()),
            cleared: RwSignal::new(Vec::new()),
            selected: RwSignal::new(None),
            remaining: RwSignal::new(0),
            layers: RwSignal::new(Layers::None),
            dragging: RwSignal::new(false),
            spoken: RwSignal::new(String::new()),
            files: StoredValue::new_local(HashMap::new()),
            waiting: StoredValue::new(VecDeque::new()),
            in_flight: StoredValue::new(HashMap::new()),
            pending: StoredValue::new(VecDeque::new()),
            download: StoredValue::new_local(None),
            own_file: StoredValue::new_local(None),
            next_id: StoredValue::new(0),
            asked: Asked::start(),
            looks: Looks::start(),
            watching: RwSignal::new(false),
        };
        web::on_update(move || lab.newer.set(true));
        let (sender, events) = mpsc::unbounded();
        spawn_local(engine::serve(super::device::wanted(), command_queue, sender));
        spawn_local(lab.listen(events));
        spawn_local(async move { lab.adapter.set(web::adapter_name().await) });
        lab.refresh_kept();
        lab.use_last();
        lab
    }

    pub(super) fn send(self, command: Command) {
        // The engine only leaves when it cannot open a device, and then the page shows why.
        self.commands.with_value(|commands| drop(commands.unbounded_send(command)));
    }

    pub(super) fn new_id(self) -> u64 {
        self.next_id
            .try_update_value(|id| {
                *id += 1;
                *id
            })
            // The value lives as long as the page.
            .unwrap_or_default()
    }

    /// The picture on the stage; changes only when another one is selected.
    pub fn shot(self) -> Option<Shot> {
        self.find(self.selected.get()?)
    }

    /// The address of a screen: the studio is entered where it was left.
    pub fn address_of(self, screen: Screen) -> String {
        let teach = self.teach.get().filter(|_| screen == Screen::Teach);
        teach.unwrap_or_else(|| format!("#{}", screen.address()))
    }

    /// The device's name as people know it.
    pub fn device_name(self) -> String {
        let Some(device) = self.device.get() else { return String::new() };
        if device.kind == DeviceKind::Cpu {
            return match device.threads {
                1 => t!("device.processor"),
                threads => t!("device.processor_threads", threads = threads),
            }
            .into_owned();
        }
        let browser = self.adapter.get().filter(|name| !name.is_empty());
        browser.or(Some(device.adapter.name).filter(|name| !name.is_empty())).unwrap_or_else(|| "GPU".into())
    }

    /// Whether a CPU pretends to be the GPU.
    pub fn software(self) -> bool {
        self.device.with(|device| device.as_ref().is_some_and(|device| device.adapter.software))
    }

    /// Whether a graphics card computes.
    pub fn graphics_card(self) -> bool {
        self.device.with(|device| device.as_ref().is_some_and(|device| device.kind == DeviceKind::Gpu))
    }

    /// Measures every layer once.
    pub fn profile(self) {
        if self.model.with_untracked(Option::is_none) || self.layers.get_untracked() == Layers::Measuring {
            return;
        }
        self.layers.set(Layers::Measuring);
        self.pending.update_value(|pending| pending.push_back(Pending::Profile));
        self.send(Command::Profile);
    }

    async fn listen(self, mut events: UnboundedReceiver<Event>) {
        while let Some(event) = events.next().await {
            self.on_event(event);
        }
    }

    fn on_event(self, event: Event) {
        match event {
            Event::Device(device) => self.device.set(Some(device)),
            Event::Loading { name, progress } => self.busy.set(Some(Busy::Preparing { name, progress })),
            Event::Ready(info) => {
                let answered = self.answered(|pending| matches!(pending, Pending::Model(_)));
                let asked = answered.is_some();
                let same = |model: &Arc<ModelInfo>| model.name == info.name && model.labels.len() == info.labels.len();
                match answered {
                    Some(Pending::Model(run)) => self.model_run.set(run),
                    // The same one again, on another device, in other numbers, or with other names of its classes.
                    _ if self.model.with_untracked(|model| model.as_ref().is_some_and(same)) => {}
                    // A run that ended: whose it is, the studio says.
                    _ => self.model_run.set(None),
                }
                self.spoken.set(t!("model.said_ready", name = info.name).into_owned());
                self.model.set(Some(Arc::new(*info)));
                if self.layers.get_untracked() != Layers::Measuring {
                    self.layers.set(Layers::None);
                }
                self.settle();
                if asked {
                    // It was another network that answered.
                    self.forget_cleared();
                    self.classify_again();
                }
                self.pump();
            }
            Event::Classified { id, result } if self.asked.is_asked(id) => {
                self.asked.answer(id, Ok(Reply::Classes(result)));
            }
            Event::Classified { id, result } => self.on_classified(id, result),
            Event::Frame { id, reading } => {
                self.asked.answer(id, Ok(Reply::Frame(Box::new(reading))));
            }
            Event::Heatmap { id, heatmap } => {
                self.asked.answer(id, Ok(Reply::Heatmap(heatmap)));
            }
            Event::Profiled(times) => {
                self.answered(|pending| *pending == Pending::Profile);
                self.layers.set(Layers::Times(Arc::new(times)));
            }
            event @ (Event::Training(_) | Event::Judging(_) | Event::Benchmark(_) | Event::Exported { .. }) => {
                if let Some(door) = self.door() {
                    door.hear(event);
                }
            }
            Event::Failed { id: Some(id), error } => {
                if !self.asked.answer(id, Err(error.clone())) {
                    self.on_failed(id, &error);
                }
            }
            Event::Failed { id: None, error } => self.on_general_failure(&error),
        }
    }

    /// Takes the oldest open job off the list when it is of this kind.
    fn answered(self, is_kind: fn(&Pending) -> bool) -> Option<Pending> {
        let mut found = None;
        self.pending.update_value(|pending| {
            if pending.front().is_some_and(is_kind) {
                found = pending.pop_front();
            }
        });
        found
    }

    /// The model panel rests unless another job for it waits in the engine.
    fn settle(self) {
        if !self.model_pending() && self.download.with_value(Option::is_none) {
            self.busy.set(None);
        }
    }

    pub(super) fn model_pending(self) -> bool {
        self.pending.with_value(|pending| pending.iter().any(|pending| matches!(pending, Pending::Model(_))))
    }

    fn on_general_failure(self, error: &Error) {
        if self.device.with_untracked(Option::is_none) {
            log::error!("{error}");
            self.busy.set(None);
            self.missing.set(Some(match (web::is_secure(), web::webgpu_available()) {
                (false, _) => Missing::SecureContext,
                (true, false) => Missing::WebGpu,
                (true, true) => Missing::Adapter,
            }));
            return;
        }
        if self.answered(|pending| *pending == Pending::Profile).is_some() {
            self.layers.set(Layers::Failed(notice::sentence(error)));
            return;
        }
        self.answered(|pending| matches!(pending, Pending::Model(_)));
        self.model_error.set(Some(notice::sentence(error)));
        self.settle();
        self.pump();
    }

    fn on_failed(self, request: u64, error: &Error) {
        let taken = self.take_request(request);
        let Some(request) = taken else { return };
        self.fail(request.shot, error);
        self.pump();
    }

    fn on_classified(self, request: u64, result: engine::Classification) {
        // A number that is gone was cancelled, or a newer request took its place.
        let Some(request) = self.take_request(request) else { return };
        let Some(shot) = self.find(request.shot) else { return };
        let Some(model) = self.model.get_untracked() else { return };
        let best = result.top.first().map(|best| {
            let name = format::class(&model, &best.label);
            format!("{}: {name}, {}.", shot.name, format::percent(best.probability))
        });
        shot.answer.set(Some(Answer { result, model, decode_ms: request.decode_ms }));
        shot.status.set(Status::Done);
        self.pump();
        let remaining = self.remaining.get_untracked();
        let many = self.shots.with_untracked(Vec::len) > 1;
        if let Some(best) = best.filter(|_| !many || self.selected.get_untracked() == Some(shot.id)) {
            self.spoken.set(best);
        } else if remaining == 0 {
            self.spoken.set(t!("look.said_done").into_owned());
        }
    }

    pub(super) fn take_request(self, request: u64) -> Option<Request> {
        self.in_flight.try_update_value(|in_flight| in_flight.remove(&request)).flatten()
    }

    pub(super) fn find(self, id: u64) -> Option<Shot> {
        self.shots.with_untracked(|shots| shots.iter().find(|shot| shot.id == id).cloned())
    }
}
