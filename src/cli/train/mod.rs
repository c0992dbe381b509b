//! `reslab train`: a network from a folder of labelled pictures, from scratch or from pretrained weights.

mod curves;
pub(super) mod handoff;
mod log;
mod pictures;
mod plan;
mod recipe;
mod report;
mod session;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::log::{Line, Log, Start};
use self::pictures::{Folders, Keep, Pictures};
use self::plan::{Begin, Plan};
use self::recipe::RecipeArgs;
use self::session::{Files, Session};
use super::data::DataArgs;
use super::model::ModelArgs;
use super::pixels::PixelArgs;
use super::{Global, Stop, describe, output};
use crate::data::{ImageSize, whole_side};
use crate::model::Turns;
use crate::train::checkpoint::write_atomically;
use crate::train::{Budget, Setup, Trainer};
use crate::weights::Dtype;
use crate::{Error, Result};

/// Exit code after Ctrl-C, as shells know it: 128 + SIGINT.
pub(super) const INTERRUPTED: u8 = 130;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Labelled pictures: a folder with one folder for each class (under train/, val/, test/ or not), a table of paths and labels
    /// (CSV, TSV, JSON lines), a ZIP or tar archive of either, an .npz of arrays, CIFAR's batches, WebDataset's shards, or a project
    /// of this page, Teachable Machine or genai-tm.
    #[arg(value_name = "DATA")]
    dir: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Train this architecture from scratch: a name (resnet18, resnet20, resnet50v2-keras, ...) or a .json file with a block
    /// table.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "weights"])]
    arch: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Draw a new classifier, also where the network's own is for the same classes.
    #[arg(long)]
    new_head: bool,
    /// Go on with the run of this checkpoint, to the same result as if it had never stopped. The network, pixels and recipe are the
    /// checkpoint's; options of the recipe and --epochs change it from here on.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Pictures to judge by, of the same classes, in any form that DATA may have. Without it, and where DATA has no val/ of its own, a
    /// share is put aside.
    #[arg(long, value_name = "DATA")]
    val: Option<PathBuf>,
    /// Checkpoint to write after every epoch: the best weights, which every command takes as they are, and what resuming
    /// needs. The default is the file of --resume.
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    out: Option<PathBuf>,
    /// Replace the file of --out if there is one.
    #[arg(long)]
    overwrite: bool,
    /// At the end, write the best weights alone to this safetensors file.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Element type of --export.
    #[arg(long, value_enum, default_value_t = ExportArg::F32)]
    export_dtype: ExportArg,
    /// Write what happens to this file, one JSON object a line; a resumed run appends.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Every so many steps, write a checkpoint of its own beside --out (NAME-step-N.safetensors) and a line to the log.
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// Keep only so many of the checkpoints of --every, the newest.
    #[arg(long, value_name = "N", requires = "every", value_parser = clap::value_parser!(u64).range(1..))]
    keep: Option<u64>,
    /// Write the weights of each epoch that is better than all before to a file of its own (NAME-best-EPOCH.safetensors).
    #[arg(long)]
    best_files: bool,
    /// Look for a learning rate instead of training: a hundred steps from 1e-6 to 1, and the rate where the loss falls fastest.
    #[arg(long, conflicts_with = "resume")]
    find_lr: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    /// Passes over the training pictures [default: 20].
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// GPU memory that training may take, in MiB, without the pictures; a batch that needs more is run in parts
    /// [default: 2048].
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    memory: Option<u64>,
    /// Memory that decoded pictures may take, in MiB; where they need more, they are read again in each epoch, and a quarter of this
    /// waits decoded.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    picture_memory: u64,
    #[command(flatten)]
    pixels: PixelArgs,
    #[command(flatten)]
    recipe: RecipeArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportArg {
    F32,
    F16,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Stop> {
    let out = arguments.output_file()?;
    let mut folders = Folders::open(&arguments.data, &arguments.dir, arguments.val.as_deref())?;
    let Plan { origin, preset, recipe, mut begin, changed: dials } = Plan::new(arguments, &folders.classes)?;
    let mut log = Log::open(arguments.log.as_deref(), arguments.resume.is_some())?;
    let stop = stop_on_signals()?;
    let ctx = global.device()?;

    // What a rotation shows may lie outside of the crop that evaluation reads.
    let size = ImageSize::of(&preset, recipe.augmentation.rotation_deg > 0.0);
    let whole_side = recipe.augmentation.resized_crop.map(|_| whole_side(&preset));
    let keep = Keep { size, whole_side, memory_bytes: arguments.picture_memory << 20 };
    let before = match &begin {
        Begin::Resume(checkpoint) => {
            folders.order_as(&checkpoint.classes);
            checkpoint.pictures.clone()
        }
        Begin::New { .. } => None,
    };
    let pictures = folders.load(&preset, keep, (recipe.val_fraction, recipe.seed), before.as_ref(), &stop)?;
    let Pictures { images, split, test, sides, changed, facts, .. } = pictures;
    if let (Begin::Resume(checkpoint), Some(changed)) = (&mut begin, changed) {
        output::remark(&format!(
            "the pictures have changed since the run began: {changed}. Those that it knows stay on their side, and it goes on at the end \
             of epoch {}",
            checkpoint.progress.epoch
        ));
        checkpoint.change_pictures(split.train.len() as u64, split.validation.len() as u64);
    }
    let mut budget = Budget::default();
    if let Some(mib) = arguments.memory {
        budget.training_bytes = mib << 20;
    }
    let spinner = output::spinner("preparing the network");
    let mut turns = Turns::none();
    let trainer = match begin {
        Begin::New { spec, weights } => {
            let setup = Setup { spec: *spec, preset, recipe, images, split, budget };
            pollster::block_on(Trainer::new(&ctx, setup, *weights, &mut turns))
        }
        Begin::Resume(checkpoint) => pollster::block_on(Trainer::resume(&ctx, *checkpoint, images, split, budget, &mut turns)),
    };
    spinner.finish_and_clear();
    let mut trainer = trainer?;
    trainer.remember(sides);

    log.write(&Line::Start(Box::new(Start::of(&trainer, &origin, &ctx, &facts))))?;
    if !dials.is_empty() {
        let words: Vec<String> = dials.iter().map(ToString::to_string).collect();
        output::remark(&format!("changed from here on: {}", words.join("; ")));
        let progress = trainer.last_epoch().progress;
        log.write(&Line::Changed { epoch: progress.epoch, step: progress.step, changed: &dials })?;
    }
    output::remark(&plan::outline(&trainer, &origin, &describe(ctx.adapter()), facts.near_duplicates));
    if arguments.find_lr {
        return find_rate(&mut trainer, &out.with_extension("lr.svg"), arguments.json);
    }
    if let Some(steps) = arguments.every {
        trainer.stop_every(steps);
    }
    let files = Files { every: arguments.every, keep: arguments.keep, best: arguments.best_files };
    let mut session = Session::new(global, ctx, trainer, out, log, stop, files);
    session.run(&arguments.how_to_resume(session.out()))?;
    let report = session.judge(&test, &facts)?;
    if let Some(path) = &arguments.export {
        let dtype = match arguments.export_dtype {
            ExportArg::F32 => Dtype::F32,
            ExportArg::F16 => Dtype::F16,
        };
        write_atomically(path, &session.weights_alone(dtype)?)?;
    }
    if arguments.json { output::print_json(&report) } else { output::print(&report.text()) }
}

/// Steps of a search for a rate, and its ends.
const SEARCH: (usize, f64, f64) = (100, 1e-6, 1.0);

/// `--find-lr`: the picture, and the rate in words or all of it as JSON.
fn find_rate(trainer: &mut Trainer, picture: &std::path::Path, json: bool) -> Result<(), Stop> {
    let spinner = output::spinner("looking for a rate");
    let (steps, low, high) = SEARCH;
    let found = pollster::block_on(trainer.find_rate(low, high, steps, &mut Turns::none()));
    spinner.finish_and_clear();
    let found = found?;
    write_atomically(picture, curves::rates(&found)?.as_bytes())?;
    if json {
        return output::print_json(&found);
    }
    let words = match found.suggestion {
        Some(rate) => format!("the loss falls fastest at a rate of {rate:.1e}: begin with --lr {rate:.1e}"),
        None => "the loss falls at no rate: check the pictures and their classes".into(),
    };
    output::print(&format!("{words}\n{} steps, drawn in {}", found.rates.len(), picture.display()))
}

impl Arguments {
    /// The checkpoint's path, after a look whether it can be written: nobody wants to learn that after an hour.
    fn output_file(&self) -> Result<PathBuf> {
        // clap sees to it that one of them is given.
        let path = self.out.as_ref().or(self.resume.as_ref()).cloned().unwrap_or_default();
        let wrong = |reason: &str| Err(Error::Io { path: path.display().to_string(), reason: reason.into() });
        if path.is_dir() {
            return wrong("it is a folder; give the name of a file to write, like net.safetensors");
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return wrong("there is no such folder to write into; make it first");
        }
        let same =
            |other: &PathBuf| path.canonicalize().is_ok_and(|path| other.canonicalize().is_ok_and(|other| path == other));
        if path.exists() && !self.overwrite && !self.resume.as_ref().is_some_and(same) {
            return wrong("it exists; go on with it by --resume, give another name, or replace it with --overwrite");
        }
        Ok(path)
    }

    /// The command that goes on with this run.
    fn how_to_resume(&self, out: &std::path::Path) -> String {
        let mut command = format!("reslab train {} --resume {}{}", self.dir.display(), out.display(), self.data.typed());
        for (name, path) in [("--val", &self.val), ("--log", &self.log)] {
            if let Some(path) = path {
                command += &format!(" {name} {}", path.display());
            }
        }
        command
    }
}

/// A flag that Ctrl-C, or a polite request of the system to end, sets; the second one ends the program at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down, and raises it.
        signal_hook::flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(|error| Error::Io { path: "signal handler".into(), reason: error.to_string() })?;
    }
    Ok(stop)
}
