//! The loop around the trainer: what is shown, what is saved, what happens to Ctrl-C and to a lost device.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;

use super::curves;
use super::log::{Line, Log};
use super::pictures::Facts;
use super::report::Report;
use crate::cli::{Global, Stop, output};
use crate::device::Device;
use crate::model::Turns;
use crate::train::checkpoint::write_atomically;
use crate::train::{Epoch, Event, Outcome, Steps, Trainer};
use crate::weights::Dtype;
use crate::{Error, Result};

/// A run under way.
pub(super) struct Session<'a> {
    global: &'a Global,
    ctx: Device,
    trainer: Trainer,
    out: PathBuf,
    log: Log,
    stop: Arc<AtomicBool>,
    files: Files,
    /// Devices lost since the last epoch.
    lost: u32,
}

/// Further files beside the checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files {
    /// A checkpoint of its own every so many steps.
    pub every: Option<u64>,
    /// How many of them stay.
    pub keep: Option<u64>,
    /// The weights of every epoch that was better than all before.
    pub best: bool,
}

/// A device that is lost more often than this within an epoch will be lost again.
const MOST_LOST: u32 = 3;

impl<'a> Session<'a> {
    pub(super) fn new(
        global: &'a Global,
        ctx: Device,
        trainer: Trainer,
        out: PathBuf,
        log: Log,
        stop: Arc<AtomicBool>,
        files: Files,
    ) -> Self {
        Self { global, ctx, trainer, out, log, stop, files, lost: 0 }
    }

    /// The checkpoint's path.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    /// The curves' path.
    fn curves(&self) -> PathBuf {
        self.out.with_extension("svg")
    }

    /// The best weights without the run.
    pub(super) fn weights_alone(&self, dtype: Dtype) -> Result<Vec<u8>> {
        self.trainer.last_epoch().weights_to_bytes(dtype)
    }

    /// Trains to the end, or until Ctrl-C: then the checkpoint is written, and the user told `how_to_resume`.
    pub(super) fn run(&mut self, how_to_resume: &str) -> Result<(), Stop> {
        let outline = self.trainer.outline();
        let bar = output::bar(u64::from(outline.epochs) * outline.steps_per_epoch, "{prefix} [{bar:30}] {msg}, {eta} left");
        bar.set_position(self.trainer.last_epoch().progress.step);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.set_message("compiling kernels");
        let done = self.train(&bar, how_to_resume);
        bar.finish_and_clear();
        done
    }

    fn train(&mut self, bar: &ProgressBar, how_to_resume: &str) -> Result<(), Stop> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return self.pause(bar, how_to_resume);
            }
            match pollster::block_on(self.trainer.advance(&mut Turns::none())) {
                Ok(Event::Steps(steps)) => {
                    self.show(bar, &steps);
                    self.keep_step(bar, &steps)?;
                }
                Ok(Event::Validating(share)) => bar.set_message(format!("validating, {:.0} %", share * 100.0)),
                Ok(Event::Epoch(epoch)) => self.end_epoch(bar, &epoch)?,
                Ok(Event::Reverted { epoch, rate_factor }) => {
                    self.log.write(&Line::Reverted { epoch, rate_factor })?;
                    bar.suspend(|| {
                        output::remark(&format!(
                            "the loss was no finite number: back to the end of epoch {epoch}, on with {rate_factor} of the rate"
                        ))
                    });
                }
                Ok(Event::Finished { early }) => {
                    if early {
                        bar.suspend(|| output::remark("no better validation for as long as --early-stopping waits: done"));
                    }
                    return Ok(());
                }
                Err(Error::DeviceLost(reason)) => bar.suspend(|| self.reopen(&reason))?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn show(&self, bar: &ProgressBar, steps: &Steps) {
        let epochs = self.trainer.setup().recipe.epochs;
        bar.set_prefix(format!("epoch {}/{epochs}", steps.epoch));
        bar.set_position(u64::from(steps.epoch - 1) * steps.steps + steps.step);
        bar.set_message(format!(
            "loss {:.3}, top-1 {:.1} %, {:.0} images/s",
            steps.loss,
            steps.top1 * 100.0,
            steps.images_per_s
        ));
    }

    /// A path beside the checkpoint: `net-step-500.safetensors`.
    fn beside(&self, kind: &str, number: u64) -> PathBuf {
        let stem = self.out.file_stem().unwrap_or_default().to_string_lossy();
        let ending = self.out.extension().map_or_else(|| "safetensors".into(), |ending| ending.to_string_lossy());
        self.out.with_file_name(format!("{stem}-{kind}-{number}.{ending}"))
    }

    /// The checkpoint and the log's line of every so many steps; older ones go.
    fn keep_step(&mut self, bar: &ProgressBar, steps: &Steps) -> Result<()> {
        let done = u64::from(steps.epoch - 1) * steps.steps + steps.step;
        let Some(every) = self.files.every.filter(|every| done.is_multiple_of(*every)) else { return Ok(()) };
        let state = pollster::block_on(self.trainer.checkpoint(&mut Turns::none()))?;
        write_atomically(&self.beside("step", done), &state.to_bytes()?)?;
        self.log.write(&Line::Steps { done, steps })?;
        let Some(keep) = self.files.keep else { return Ok(()) };
        // Those of sessions before count, too; where the number of steps changed on the way, numbers in between stay.
        let mut old = done.saturating_sub(keep * every);
        while old > 0 {
            let path = self.beside("step", old);
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                Err(error) => {
                    bar.suspend(|| output::remark(&format!("{} cannot be removed: {error}", path.display())));
                    break;
                }
            }
            old = old.saturating_sub(every);
        }
        Ok(())
    }

    fn end_epoch(&mut self, bar: &ProgressBar, epoch: &Epoch) -> Result<()> {
        self.lost = 0;
        let state = self.trainer.last_epoch();
        write_atomically(&self.out, &state.to_bytes()?)?;
        write_atomically(&self.curves(), curves::svg(&state.history)?.as_bytes())?;
        if self.files.best && state.progress.best_epoch == Some(epoch.epoch) {
            write_atomically(&self.beside("best", epoch.epoch.into()), &state.weights_to_bytes(Dtype::F32)?)?;
        }
        self.log.write(&Line::Epoch(epoch))?;
        let mut text =
            format!("epoch {:>3}: loss {:.4}, top-1 {:.2} %", epoch.epoch, epoch.train.loss, epoch.train.top1 * 100.0);
        if let Some(validation) = &epoch.validation {
            text += &format!("; validation loss {:.4}, top-1 {:.2} %", validation.loss, validation.top1 * 100.0);
            if self.trainer.last_epoch().progress.best_epoch == Some(epoch.epoch) {
                text += ", the best so far";
            }
        }
        text += &format!("; rate {:.2e}, {:.1} s", epoch.learning_rate, epoch.seconds);
        bar.suspend(|| output::remark(&text));
        Ok(())
    }

    fn pause(&mut self, bar: &ProgressBar, how_to_resume: &str) -> Result<(), Stop> {
        bar.set_message("stopping");
        let state = pollster::block_on(self.trainer.checkpoint(&mut Turns::none()))?;
        write_atomically(&self.out, &state.to_bytes()?)?;
        let (epoch, step) = (state.progress.epoch, state.progress.step);
        self.log.write(&Line::Stopped { epoch, step })?;
        bar.suspend(|| output::remark(&format!("stopped after {epoch} epochs ({step} steps); to go on: {how_to_resume}")));
        Err(Stop::Interrupted)
    }

    /// Another device in place of a lost one, at the end of the last epoch.
    fn reopen(&mut self, reason: &str) -> Result<()> {
        self.log.write(&Line::DeviceLost { reason })?;
        self.lost += 1;
        if self.lost > MOST_LOST {
            return Err(Error::DeviceLost(reason.into()));
        }
        output::remark(&format!("the GPU device was lost ({reason}); going on from the last epoch with a new one"));
        self.ctx = self.global.device()?;
        pollster::block_on(self.trainer.recover(&self.ctx, &mut Turns::none()))
    }

    /// Judges the best weights: on the validation pictures, or where there are none on those that trained; and on the test set.
    pub(super) fn judge(&mut self, test: &[usize], facts: &Facts) -> Result<Report, Stop> {
        let split = &self.trainer.setup().split;
        let images = if split.validation.is_empty() { &split.train } else { &split.validation }.clone();
        let bar = output::bar((images.len() + test.len()) as u64, "{msg} [{bar:40}] {pos}/{len}, {eta} left");
        bar.set_message("judging the best weights");
        pollster::block_on(self.trainer.take_best(&mut Turns::none()))?;
        let judged = self.outcomes(&images, &bar).and_then(|outcomes| Ok((outcomes, self.outcomes(test, &bar)?)));
        bar.finish_and_clear();
        let (outcomes, test) = judged?;
        let files = (self.out.display().to_string(), self.curves().display().to_string());
        let report = Report::of(&self.trainer, &images, &outcomes, &test, files, facts);
        self.log.write(&Line::End(&report))?;
        Ok(report)
    }

    fn outcomes(&mut self, images: &[usize], bar: &ProgressBar) -> Result<Vec<Outcome>, Stop> {
        let outline = self.trainer.outline();
        let most = (outline.batch / outline.accumulation.max(1)).max(1) as usize;
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(images.len());
        self.trainer.expect(images);
        while outcomes.len() < images.len() {
            if self.stop.load(Ordering::Relaxed) {
                bar.suspend(|| output::remark("stopped before the summary; the checkpoint is complete"));
                return Err(Stop::Interrupted);
            }
            let rest = &images[outcomes.len()..];
            let part = &rest[..rest.len().min(most)];
            match pollster::block_on(self.trainer.evaluate(part)) {
                Ok(found) => outcomes.extend(found),
                Err(Error::DeviceLost(reason)) => {
                    bar.suspend(|| self.reopen(&reason))?;
                    pollster::block_on(self.trainer.take_best(&mut Turns::none()))?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            bar.inc(part.len() as u64);
        }
        Ok(outcomes)
    }
}
