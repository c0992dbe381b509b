//! Where models come from: shipped with the page, downloaded from the hub, or a file of one's own.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::lab::{Busy, Lab, OwnFile, Pending};
use super::notice;
use crate::engine::{Command, Origin, PrecisionChoice};
use crate::split::in_page_part;
use crate::web;
use crate::weights::Choices;
use crate::weights::hub::{HUB, HubModel};
use crate::{Error, Result};

/// The model that ships with the page.
pub const BUNDLED: &str = "resnet20-cifar10";
/// Size of its file in bytes, shown beside its name.
pub const BUNDLED_BYTES: u64 = include_bytes!("../../www/models/resnet20-cifar10.safetensors").len() as u64;
/// Key of the hub model in use, in the browser's local storage.
const CHOSEN_KEY: &str = "reslab-model";
const BUNDLED_FILE: &str = "models/resnet20-cifar10.safetensors";

/// A model's file, and what goes with it.
struct Given {
    bytes: Vec<u8>,
    origin: Origin,
    choices: Choices,
    beside: Vec<(String, Vec<u8>)>,
}

impl Given {
    fn alone(bytes: Vec<u8>, origin: Origin) -> Self {
        Self { bytes, origin, choices: Choices::default(), beside: Vec::new() }
    }
}

type Got = LocalBoxFuture<'static, Result<Given>>;

in_page_part! { files:
    /// What goes on where a download ended and keeps what comes in is not for a first look.
    fn download(lab: Lab, model: &'static HubModel, cancel: web::CancelToken) -> Result<Got> {
        Ok(async move {
            let progress = move |p: web::Progress| lab.report(model.name, &p);
            let got = web::hub::download(model, progress, &cancel).await;
            lab.refresh_kept();
            let got = got?;
            lab.remark.set(got.warning);
            Ok(Given::alone(got.bytes, if got.from_this_device { Origin::FromThisDevice } else { Origin::Downloaded }))
        }
        .boxed_local())
    }
}

impl Lab {
    /// Loads the model that was chosen on the last visit, if it is kept on this device; else the one that ships with the page.
    pub(super) fn use_last(self) {
        let chosen = web::recall(CHOSEN_KEY).and_then(|name| HUB.iter().find(|model| model.name == name));
        let Some(chosen) = chosen else { return self.load_bundled() };
        spawn_local(async move {
            if web::hub::cached().await.iter().any(|name| name == chosen.name) {
                self.use_hub(chosen);
            } else {
                self.load_bundled();
            }
        });
    }

    /// Goes back to the model that ships with the page.
    pub fn use_bundled(self) {
        web::remember(CHOSEN_KEY, "");
        self.load_bundled();
    }

    fn load_bundled(self) {
        let cancel = self.begin_fetch(BUNDLED);
        let canceller = cancel.clone();
        let got = async move {
            let progress = move |p: web::Progress| self.report(BUNDLED, &p);
            let bytes = web::fetch_bytes(BUNDLED_FILE, progress, &canceller).await?;
            Ok(Given::alone(bytes, Origin::Bundled))
        };
        self.fetch(BUNDLED, None, cancel, got.boxed_local());
    }

    /// Loads a model of the hub, from this device where it is kept.
    pub fn use_hub(self, model: &'static HubModel) {
        web::remember(CHOSEN_KEY, model.name);
        let cancel = self.begin_fetch(model.name);
        let canceller = cancel.clone();
        let got = async move { download(self, model, canceller).await?.await };
        self.fetch(model.name, Some(model.preset), cancel, got.boxed_local());
    }

    /// Loads a weights file the user gave, with the files that came with it: a config, the other parts of a file in several.
    pub fn load_file(self, file: web_sys::File, beside: Vec<web_sys::File>) {
        self.own_file.set_value(Some(OwnFile { file, beside }));
        self.load_own();
    }

    /// Loads the person's file, read as they have chosen.
    pub fn load_own(self) {
        let Some(OwnFile { file, beside }) = self.own_file.get_value() else { return };
        let name = file.name();
        let choices = self.own_choices();
        let cancel = self.begin_fetch(&name);
        let got = async move {
            let bytes = web::read_file(&file).await?;
            let mut files = Vec::new();
            for file in beside {
                files.push((file.name(), web::read_file(&file).await?));
            }
            Ok(Given { bytes, origin: Origin::OwnFile, choices, beside: files })
        };
        self.fetch(&name, None, cancel, got.boxed_local());
    }

    /// What the person said of the file in use; kept in the browser under its name and size.
    pub fn own_choices(self) -> Choices {
        let kept = self.own_file.with_value(|own| own.as_ref().and_then(|own| web::recall(&own.key())));
        kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps what the person says of the file in use and reads it again.
    pub fn choose(self, choices: &Choices) {
        if let Some(key) = self.own_file.with_value(|own| own.as_ref().map(OwnFile::key)) {
            // Plain data becomes JSON.
            web::remember(&key, &serde_json::to_string(choices).unwrap_or_default());
            self.load_own();
        }
    }

    /// Stops a download; what has arrived is kept for the next try.
    pub fn cancel_download(self) {
        if let Some(cancel) = self.download.try_update_value(Option::take).flatten() {
            cancel.cancel();
        }
        if !self.model_pending() {
            self.busy.set(None);
        }
        self.pump();
    }

    /// Frees the device's copy of a hub model.
    pub fn forget(self, model: &'static HubModel) {
        spawn_local(async move {
            if let Err(error) = web::hub::remove(model.name).await {
                self.model_error.set(Some(notice::sentence(&error)));
            }
            self.refresh_kept();
        });
    }

    /// Asks which hub models are kept on this device.
    pub(super) fn refresh_kept(self) {
        spawn_local(async move { self.kept.set(web::hub::cached().await) });
    }

    /// Plans the model again with another element type.
    pub fn set_precision(self, choice: PrecisionChoice) {
        let Some(model) = self.model.get_untracked() else { return };
        self.model_error.set(None);
        self.busy.set(Some(Busy::Preparing { name: model.name.clone(), progress: 0.0 }));
        let run = self.model_run.get_untracked();
        self.pending.update_value(|pending| pending.push_back(Pending::Model(run)));
        self.send(Command::SetPrecision(choice));
    }

    fn report(self, name: &str, progress: &web::Progress) {
        let (received, total) = (progress.received, progress.total);
        if self.download.with_value(Option::is_some) {
            self.busy.set(Some(Busy::Fetching { name: name.into(), received, total }));
        }
    }

    /// A newer wish takes the place of one that is still on its way.
    fn begin_fetch(self, name: &str) -> web::CancelToken {
        self.cancel_download();
        self.model_error.set(None);
        self.remark.set(None);
        let cancel = web::CancelToken::new();
        self.download.set_value(Some(cancel.clone()));
        self.busy.set(Some(Busy::Fetching { name: name.into(), received: 0, total: None }));
        cancel
    }

    /// Gives the engine what comes.
    fn fetch(self, name: &str, preset: Option<&'static str>, cancel: web::CancelToken, got: Got) {
        let name = name.to_owned();
        spawn_local(async move {
            let got = got.await;
            if cancel.is_cancelled() {
                return;
            }
            self.download.set_value(None);
            match got {
                Ok(Given { bytes, origin, choices, beside }) => {
                    self.busy.set(Some(Busy::Preparing { name: name.clone(), progress: 0.0 }));
                    self.pending.update_value(|pending| pending.push_back(Pending::Model(None)));
                    let preset = preset.map(str::to_owned);
                    self.send(Command::Load { name, bytes, origin, preset, choices, beside });
                }
                Err(error) => {
                    self.busy.set(None);
                    if error != Error::Cancelled {
                        self.model_error.set(Some(notice::sentence(&error)));
                    }
                    self.pump();
                }
            }
        });
    }
}
