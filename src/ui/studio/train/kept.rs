//! The runs of the open project that are kept: brought back, one chosen, deleted and undeleted.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::record::Record;
use super::state::Phase;
use crate::engine::{Command, Origin};
use crate::sorting;
use crate::studio::{Deed, RunId};
use crate::ui::lab::Pending;
use crate::ui::notice;
use crate::ui::workshop::Workshop;
use crate::web;
use crate::{Result, StorageTrouble};

impl Workshop {
    /// Brings back what is kept of the open project's runs.
    pub(super) fn open_runs(self) {
        spawn_local(async move {
            if let Err(error) = self.open_runs_now().await {
                self.training.error.set(Some(notice::sentence(&error)));
            }
        });
    }

    /// All of them, and the network of the one in use as the model.
    async fn open_runs_now(self) -> Result<()> {
        let (id, wanted) = match self.studio.project.with_untracked(|open| open.as_ref().map(|open| (open.id, open.run))) {
            Some(open) => open,
            None => return Ok(()),
        };
        let vault = self.studio.vault()?;
        let mut runs = Vec::new();
        for run in vault.runs(id).await? {
            // A page of another version wrote something else: the run is not lost, but this page cannot show it.
            let Ok(record) = serde_json::from_str::<Record>(&run.history) else { continue };
            if record.trashed {
                if !self.studio.can_undo_run(run.id) && web::is_alone(vault.name()).await {
                    vault.delete_run(id, run.id).await?;
                }
            } else if !record.history.is_empty() {
                runs.push((run.id, record));
            }
        }
        if self.training.project.get_value() != Some(id) {
            return Ok(());
        }
        let chosen = runs.iter().map(|(run, _)| *run).find(|run| Some(*run) == wanted);
        let chosen = chosen.or_else(|| runs.last().map(|(run, _)| *run));
        self.training.runs.set(runs);
        match chosen {
            Some(run) => self.take_run(run).await,
            None => {
                self.training.run.set(None);
                self.training.record.set(None);
                self.use_pretrained();
                Ok(())
            }
        }
    }

    /// Shows a kept run and makes its network the model.
    async fn take_run(self, run: RunId) -> Result<()> {
        let training = self.training;
        let Some(project) = training.project.get_value() else { return Ok(()) };
        let known = |runs: &Vec<(RunId, Record)>| runs.iter().find(|(id, _)| *id == run).map(|(_, record)| record.clone());
        let Some(record) = training.runs.with_untracked(known) else { return Ok(()) };
        let kept = self.studio.vault()?.runs(project).await?.into_iter().find(|kept| kept.id == run);
        let Some(kept) = kept.filter(|_| training.project.get_value() == Some(project)) else { return Ok(()) };
        // What went wrong before this is shown stays said.
        let said = (training.error.get_untracked(), training.note.get_untracked());
        training.forget();
        training.error.set(said.0);
        training.note.set(said.1);
        training.alive.set(false);
        training.history.set(record.history.clone());
        training.phase.set(Phase::Rests { finished: record.finished });
        training.kept.set_value(Some(kept.checkpoint));
        training.run.set(Some(run));
        training.record.set(Some(record));
        self.judging.answers.set(None);
        self.exports.forget();
        self.tries.forget();
        self.use_run().await
    }

    /// Uses another run of the open project.
    pub fn choose_run(self, run: RunId) {
        if self.training.busy_now() || self.training.run.get_untracked() == Some(run) {
            return;
        }
        self.studio.change(|project| project.run = Some(run));
        self.training.error.set(None);
        self.training.note.set(None);
        spawn_local(async move {
            if let Err(error) = self.take_run(run).await {
                self.training.error.set(Some(notice::sentence(&error)));
            }
        });
    }

    /// Deletes a run; can be undone.
    pub fn delete_run(self, run: RunId) {
        let training = self.training;
        if training.busy_now() {
            return;
        }
        self.studio.push_deed(Deed::DeletedRun(run));
        self.mark_run(run, true);
        training.runs.update(|runs| runs.retain(|(id, _)| *id != run));
        if training.run.get_untracked() == Some(run) {
            match training.runs.with_untracked(|runs| runs.last().map(|(id, _)| *id)) {
                Some(other) => self.choose_run(other),
                None => {
                    training.alive.set(false);
                    training.forget();
                    self.judging.answers.set(None);
                    self.exports.forget();
                    self.use_pretrained();
                }
            }
        }
    }

    /// Brings a deleted run back.
    pub(super) fn undelete_run(self, run: RunId) {
        self.mark_run(run, false);
    }

    /// Writes whether a run is set aside. One that comes back is shown in its place, and used where there is no other.
    fn mark_run(self, run: RunId, trashed: bool) {
        let training = self.training;
        let Some(project) = training.project.get_value() else { return };
        self.studio.write(move |vault| async move {
            let Some(mut kept) = vault.runs(project).await?.into_iter().find(|kept| kept.id == run) else {
                return Err(StorageTrouble::Gone.into());
            };
            let Ok(mut record) = serde_json::from_str::<Record>(&kept.history) else { return Ok(()) };
            record.trashed = trashed;
            if let Ok(history) = serde_json::to_string(&record) {
                kept.history = history;
                vault.put_run(project, &kept).await?;
            }
            if !trashed && training.project.get_value() == Some(project) {
                training.runs.update(|runs| {
                    runs.push((run, record));
                    sorting::sort_by_key(runs, |(id, _)| *id);
                });
                if training.run.get_untracked().is_none() {
                    self.choose_run(run);
                }
            }
            Ok(())
        });
    }

    /// Makes the kept run's network the model.
    pub async fn use_run(self) -> Result<()> {
        let training = self.training;
        let (record, run) = (training.record.get_untracked(), training.run.get_untracked());
        let (Some(record), Some(run), Some(project)) = (record, run, training.project.get_value()) else { return Ok(()) };
        let Some(kept) = training.kept.with_value(Clone::clone) else { return Ok(()) };
        let name = record.name;
        let bytes = web::read_blob(&name, &kept).await?;
        // Another run or project may have been opened meanwhile.
        if (training.run.get_untracked(), training.project.get_value()) == (Some(run), Some(project)) {
            self.pending.update_value(|pending| pending.push_back(Pending::Model(Some((project, run)))));
            let (choices, beside) = (Default::default(), Vec::new());
            self.send(Command::Load { name, bytes, origin: Origin::Trained, preset: None, choices, beside });
        }
        Ok(())
    }

    /// Goes back from a network that was trained here to the one before it.
    pub(super) fn use_pretrained(self) {
        if self.model.with_untracked(Option::is_some) {
            self.pending.update_value(|pending| pending.push_back(Pending::Model(None)));
            self.send(Command::UsePretrained);
        }
    }
}
