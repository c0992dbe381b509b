//! `reslab eval`: accuracy on a folder with one folder of pictures a class.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::data::{DataArgs, tell};
use super::model::{ModelArgs, Source};
use super::pixels::PixelArgs;
use super::tables::tables;
use super::{Global, PrecisionArg, Stop, classify, describe, model, output};
use crate::data::catalog::{Part, endings};
use crate::data::dataset::{DataSet, Sample};
use crate::data::{Activation, Preset, RgbaImage};
use crate::device::{DeviceKind, Precision};
use crate::engine::{Engine, ModelInfo};
use crate::train::checkpoint::write_atomically;
use crate::train::{Outcome, metrics};
use crate::{Error, Result};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Labelled pictures, in any form that `reslab train` takes: a folder with one folder for each class, a table, an archive, arrays.
    /// Classes named like the model's are matched by name, numbers by what they count, others by their order.
    #[arg(value_name = "DATA")]
    dir: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Which of the data set's parts to use: by default the test set, else what validates, else everything.
    #[arg(long, value_enum)]
    split: Option<SplitArg>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pixels: PixelArgs,
    /// Class names in the order of the logits, as `reslab classify` takes them.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Use only this many pictures, spread evenly over the sorted list and so over the classes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Pictures a run. The default is 32, or fewer where the GPU's buffers are too small for that.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    batch: Option<u32>,
    /// Element type on the GPU.
    #[arg(long, value_enum, default_value_t = PrecisionArg::Auto)]
    precision: PrecisionArg,
    /// Write a line a picture to this CSV file: path, true class, answer, its probability, the true class's rank and the loss.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitArg {
    Train,
    Val,
    Test,
    All,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    arch: String,
    classes: usize,
    precision: Precision,
    preset: String,
    /// What the file could not tell and was assumed.
    assumed: Vec<String>,
    batch: usize,
    device: String,
    device_kind: DeviceKind,
    software: bool,
    /// Pictures evaluated.
    images: usize,
    /// Pictures that could not be read; they count nowhere else.
    failed: usize,
    /// The part of the data set that was used.
    split: &'static str,
    /// Files that are no pictures, by the ending of their name.
    left_out: BTreeMap<String, usize>,
    /// What else is to be known of how the weights and the data set were read.
    notes: Vec<String>,
    /// Share of pictures whose class has the largest logit.
    top1: f64,
    /// Share of pictures whose class is among the five largest logits.
    top5: f64,
    /// Mean loss of a picture: softmax cross-entropy, or sigmoid's where the network was trained with it.
    loss: f64,
    /// Names of the classes, in the order of what follows.
    labels: Vec<String>,
    /// Interval of top-1, precision, recall and F1 by class, and the confusion matrix.
    figures: metrics::Report,
    /// From decoded pixels to logits on the CPU; decoding goes on beside it and is not counted.
    ms_per_image: f64,
    /// The whole evaluation, decoding included, without getting the model ready.
    seconds: f64,
}

const DEFAULT_BATCH: usize = 32;
/// Threads that decode; more than these cannot be kept busy by one GPU's loop.
const MAX_DECODERS: usize = 8;

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Stop> {
    let pixels = arguments.pixels.preset()?;
    let labels = arguments.labels.as_deref().map(classify::read_labels).transpose()?;
    let set = arguments.data.open(&arguments.dir)?;
    if !arguments.json {
        tell(&arguments.dir, &set);
    }
    let (split, chosen) =
        choose(&set, arguments.split).map_err(|reason| Error::Io { path: arguments.dir.display().to_string(), reason })?;
    let source = arguments.model.source()?;
    let mut engine = global.open(arguments.precision)?;
    let (model, batch) = load(&source, &mut engine, (pixels, labels), arguments.batch)?;
    let labels = match_classes(&set.classes, &model.labels).map_err(|reason| Error::Io {
        path: arguments.dir.display().to_string(),
        reason: format!("{reason}, and `{}` knows {} classes", model.name, model.labels.len()),
    })?;
    let samples = spread(&chosen, arguments.limit);
    let device = engine.device();
    if !arguments.json {
        let precision = format!("{:?}", model.precision).to_lowercase();
        output::remark(&format!("{} ({precision}, preset {}) on {}", model.name, model.preset, describe(&device.adapter)));
        model::remark(&model.assumed, &model.notes);
    }

    let bar = output::bar(samples.len() as u64, "{msg} [{bar:40}] {pos}/{len}, {speed} images/s, {eta} left");
    bar.set_message("evaluating");
    bar.enable_steady_tick(Duration::from_millis(250));
    let start = Instant::now();
    let tally = evaluate(&mut engine, &samples, &labels, &model, batch, &bar);
    bar.finish_and_clear();
    let tally = tally?;
    let seconds = start.elapsed().as_secs_f64();
    if tally.outcomes.is_empty() {
        return Err(Error::Io {
            path: arguments.dir.display().to_string(),
            reason: "none of the pictures could be read".into(),
        }
        .into());
    }

    let outcomes: Vec<Outcome> = tally.outcomes.iter().map(|(_, outcome)| *outcome).collect();
    let figures = metrics::Report::of(&outcomes, model.labels.len());
    if let Some(path) = &arguments.predictions {
        write_atomically(path, predictions(&tally.outcomes, &model.labels).as_bytes())?;
    }
    let report = Report {
        classes: model.labels.len(),
        model: model.name,
        arch: model.arch,
        precision: model.precision,
        preset: model.preset,
        assumed: model.assumed,
        batch,
        device: device.adapter.name,
        device_kind: device.kind,
        software: device.adapter.software,
        images: outcomes.len(),
        failed: tally.failed,
        split,
        left_out: set.left_out,
        notes: model.notes.into_iter().chain(set.notes).collect(),
        top1: figures.summary.top1,
        top5: figures.summary.top5,
        loss: figures.summary.loss,
        labels: model.labels,
        ms_per_image: tally.busy.as_secs_f64() * 1e3 / outcomes.len() as f64,
        figures,
        seconds,
    };
    if arguments.json {
        output::print_json(&report)?
    } else {
        output::print(&text(&report))?
    }
    if tally.failed > 0 { Err(Stop::Reported) } else { Ok(()) }
}

fn text(report: &Report) -> String {
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let mut rows = vec![
        ("images", format!("{} ({})", report.images, report.split)),
        ("top-1", percent(report.top1)),
        ("top-5", percent(report.top5)),
        ("loss", format!("{:.4}", report.loss)),
        ("macro F1", percent(report.figures.macro_f1())),
        ("per image", format!("{:.2} ms (batch {})", report.ms_per_image, report.batch)),
        ("in all", format!("{:.1} s", report.seconds)),
    ];
    if report.failed > 0 {
        rows.push(("left out", format!("{} pictures that cannot be read", report.failed)));
    }
    if !report.left_out.is_empty() {
        let count: usize = report.left_out.values().sum();
        rows.push(("left out", format!("{count} files that are no pictures ({})", endings(&report.left_out))));
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_string(), value]).collect();
    let (classes, confusion) = tables(&report.figures, &report.labels);
    [output::table(&rows, &[]), classes, confusion].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A line a picture, as spreadsheets read it.
fn predictions(outcomes: &[(String, Outcome)], labels: &[String]) -> String {
    let quoted = |text: &str| {
        let special = text.contains(['"', ',', '\n', '\r']);
        if special { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    };
    let name = |class: u32| labels.get(class as usize).map_or_else(String::new, |name| quoted(name));
    let mut text = "path,label,predicted,probability,rank,loss\n".to_owned();
    for (path, outcome) in outcomes {
        let Outcome { label, predicted, confidence, loss, rank } = *outcome;
        text += &format!("{},{},{},{confidence:.6},{},{loss:.6}\n", quoted(path), name(label), name(predicted), rank + 1);
    }
    text
}

/// Loads the model for a batch: the one asked for, else the largest power of two up to [`DEFAULT_BATCH`] the GPU has room for.
fn load(
    source: &Source,
    engine: &mut Engine,
    (pixels, labels): (Option<Preset>, Option<Vec<String>>),
    batch: Option<u32>,
) -> Result<(ModelInfo, usize)> {
    let mut size = batch.map_or(DEFAULT_BATCH, |n| n as usize);
    loop {
        match source.load(engine, pixels.clone(), labels.clone(), size) {
            Err(Error::Limit { .. }) if batch.is_none() && size > 1 => size /= 2,
            loaded => return loaded.map(|model| (model, size)),
        }
    }
}

/// The logit of each folder, or why there is none. By name when every folder is named like a class (letter case, spaces and
/// underscores aside); else by order, when there are as many folders as classes and no folder bears another class's name.
fn match_classes(folders: &[String], classes: &[String]) -> std::result::Result<Vec<usize>, String> {
    let plain = |name: &str| name.replace(['_', '-'], " ").to_lowercase();
    let classes: Vec<String> = classes.iter().map(|name| plain(name)).collect();
    if classes.is_empty() {
        return Err("classes are needed for an evaluation".into());
    }
    let named = |folder: &String| {
        let mut found = classes.iter().enumerate().filter(|(_, class)| **class == plain(folder)).map(|(index, _)| index);
        // Two of ImageNet's names stand for two classes each.
        found.next().filter(|_| found.next().is_none())
    };
    let by_name: Vec<Option<usize>> = folders.iter().map(named).collect();
    if let Some(all) = by_name.iter().copied().collect::<Option<Vec<usize>>>() {
        return Ok(all);
    }
    let stranger = folders.iter().zip(&by_name).find(|(_, class)| class.is_none()).map_or("", |(folder, _)| folder);
    if folders.len() + 1 == classes.len() && classes[0] == "background" {
        // TF-slim's nets count from a class that no picture has.
        return Ok((1..classes.len()).collect());
    }
    if folders.len() != classes.len() {
        // Folders that count, of which some are not there.
        let numbers: Option<Vec<usize>> =
            folders.iter().map(|name| name.parse().ok().filter(|number| *number < classes.len())).collect();
        if let Some(numbers) = numbers.filter(|_| by_name.iter().all(Option::is_none)) {
            return Ok(numbers);
        }
        return Err(format!("it holds {} folders, of which `{stranger}` is not named like a class", folders.len()));
    }
    let in_order = by_name.iter().enumerate().all(|(index, class)| class.is_none_or(|class| class == index));
    if !in_order {
        return Err(format!("some folders are named like classes, but `{stranger}` is not"));
    }
    Ok((0..classes.len()).collect())
}

/// The samples of the part that is meant, with its name.
fn choose(set: &DataSet, wanted: Option<SplitArg>) -> std::result::Result<(&'static str, Vec<Sample>), String> {
    let of = |part: Part| -> Vec<Sample> { set.samples.iter().filter(|sample| sample.part == part).cloned().collect() };
    let (name, samples) = match wanted {
        Some(SplitArg::Train) => ("training", of(Part::Training)),
        Some(SplitArg::Val) => ("validation", of(Part::Validation)),
        Some(SplitArg::Test) => ("test", of(Part::Test)),
        Some(SplitArg::All) => ("all", set.samples.clone()),
        None if set.count(Part::Test) > 0 => ("test", of(Part::Test)),
        None if set.count(Part::Validation) > 0 => ("validation", of(Part::Validation)),
        None => ("all", set.samples.clone()),
    };
    if samples.is_empty() { Err(format!("it holds no {name} pictures; use another --split")) } else { Ok((name, samples)) }
}

/// At most `limit` samples at equal distances.
fn spread(samples: &[Sample], limit: Option<u64>) -> Vec<&Sample> {
    let count = limit.map_or(samples.len(), |limit| samples.len().min(usize::try_from(limit).unwrap_or(usize::MAX)));
    (0..count).map(|i| &samples[i * samples.len() / count]).collect()
}

#[derive(Debug, Default)]
struct Tally {
    /// In the order in which the pictures were decoded, with their paths.
    outcomes: Vec<(String, Outcome)>,
    failed: usize,
    busy: Duration,
}

/// A sample with its pixels.
type Decoded<'a> = (&'a Sample, Result<RgbaImage>);

/// Runs every sample through the engine while other threads decode the next ones.
fn evaluate(
    engine: &mut Engine,
    samples: &[&Sample],
    labels: &[usize],
    model: &ModelInfo,
    batch: usize,
    bar: &indicatif::ProgressBar,
) -> Result<Tally> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel::<Decoded<'_>>(batch);
    // One core is left for the loop below.
    let decoders = std::thread::available_parallelism().map_or(1, |n| n.get() - 1).clamp(1, MAX_DECODERS);
    std::thread::scope(|scope| {
        for _ in 0..decoders {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let image = sample.read().map(|(image, _)| image);
                    // The other end is gone when the GPU failed.
                    if sender.send((sample, image)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Owned here, so that an early return closes the channel before the scope waits for the decoders.
        consume(engine, receiver, labels, model, batch, bar)
    })
}

fn consume(
    engine: &mut Engine,
    receiver: Receiver<Decoded<'_>>,
    labels: &[usize],
    model: &ModelInfo,
    batch: usize,
    bar: &indicatif::ProgressBar,
) -> Result<Tally> {
    let classes = model.labels.len();
    let mut tally = Tally::default();
    let (mut images, mut wanted) = (Vec::with_capacity(batch), Vec::with_capacity(batch));
    loop {
        let received = receiver.recv();
        let done = received.is_err();
        match received {
            Ok((sample, Ok(image))) => {
                images.push(image);
                wanted.push((sample.name.clone(), labels[sample.label]));
            }
            Ok((_, Err(error))) => {
                bar.suspend(|| output::complain(&error));
                tally.failed += 1;
                bar.inc(1);
            }
            Err(_) => {}
        }
        if images.len() == batch || (done && !images.is_empty()) {
            let start = Instant::now();
            let mut logits = pollster::block_on(engine.logits(&images))?;
            if model.outputs.len() == 1 {
                // Yes and no: the larger one is the answer.
                logits = logits.iter().flat_map(|logit| [*logit, -logit]).collect();
            }
            tally.busy += start.elapsed();
            for (row, (name, label)) in logits.chunks_exact(classes).zip(wanted.drain(..)) {
                tally.outcomes.push((name, outcome(row, label, model.activation)));
            }
            bar.inc(images.len() as u64);
            images.clear();
        }
        if done {
            return Ok(tally);
        }
    }
}

/// What a row of logits says of a picture of class `label`.
fn outcome(logits: &[f32], label: usize, activation: Activation) -> Outcome {
    let high = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let predicted = logits.iter().position(|logit| *logit == high).unwrap_or_default();
    let exponentials: f32 = logits.iter().map(|logit| (logit - high).exp()).sum();
    let (confidence, loss) = match activation {
        Activation::Softmax => (1.0 / exponentials, exponentials.ln() + high - logits[label]),
        Activation::Sigmoid => {
            // log(1 + exp(x)) - target * x, the mean over classes.
            let term =
                |(class, x): (usize, &f32)| x.max(0.0) + (-x.abs()).exp().ln_1p() - if class == label { *x } else { 0.0 };
            let sum: f32 = logits.iter().enumerate().map(term).sum();
            (1.0 / (1.0 + (-high).exp()), sum / logits.len() as f32)
        }
    };
    Outcome { label: label as u32, predicted: predicted as u32, confidence, loss, rank: rank(logits, label) as u32 }
}

/// How many classes come before `label`: those with larger logits, and equal ones with a smaller index. A logit that is no
/// number is never right.
fn rank(logits: &[f32], label: usize) -> usize {
    let own = logits[label];
    if own.is_nan() {
        return logits.len();
    }
    logits.iter().enumerate().filter(|(class, logit)| **logit > own || (**logit == own && *class < label)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn folders_are_matched_by_name_or_by_order() {
        let classes = names(&["ship", "air plane", "Cat"]);
        assert_eq!(match_classes(&names(&["air_plane", "cat", "ship"]), &classes), Ok(vec![1, 2, 0]));
        assert_eq!(match_classes(&names(&["cat", "ship"]), &classes), Ok(vec![2, 0]), "a part of the classes, by name");
        assert_eq!(match_classes(&names(&["n01", "n02", "n03"]), &classes), Ok(vec![0, 1, 2]), "other names, by order");
        assert!(match_classes(&names(&["n01", "n02"]), &classes).unwrap_err().contains("2 folders, of which `n01`"));
        let misspelt = match_classes(&names(&["air_plane", "cats", "ship"]), &classes);
        assert!(misspelt.unwrap_err().contains("`cats` is not"), "by order it would be wrong without a word");
        let cranes = names(&["crane", "crane"]);
        assert_eq!(match_classes(&names(&["crane", "crane 2"]), &cranes), Ok(vec![0, 1]), "ambiguous names go by order");
        assert_eq!(match_classes(&names(&["1", "0"]), &classes), Ok(vec![1, 0]), "numbers by what they count");
        assert!(match_classes(&names(&["1", "3"]), &classes).is_err());
        let slim = names(&["background", "cat", "dog"]);
        assert_eq!(match_classes(&names(&["n01", "n02"]), &slim), Ok(vec![1, 2]));
        assert!(match_classes(&names(&["a"]), &[]).is_err());
    }

    #[test]
    fn a_limit_takes_from_every_class() {
        let samples: Vec<Sample> = (0..100).map(|i| Sample::named(&i.to_string(), i / 10)).collect();
        let labels = |limit| spread(&samples, limit).iter().map(|s| s.label).collect::<Vec<_>>();
        assert_eq!(labels(Some(10)), (0..10).collect::<Vec<_>>());
        assert_eq!(labels(Some(1000)).len(), 100);
        assert_eq!(labels(None).len(), 100);
        assert_eq!(labels(Some(1)), [0]);
    }

    #[test]
    fn losses_are_pytorchs() {
        // cross_entropy and binary_cross_entropy_with_logits of [2, -1, 0.5] for class 0.
        let soft = outcome(&[2.0, -1.0, 0.5], 0, Activation::Softmax);
        assert!((soft.loss - 0.241_311).abs() < 1e-5 && (soft.confidence - 0.785_597).abs() < 1e-5, "{soft:?}");
        let sigmoid = outcome(&[2.0, -1.0, 0.5], 0, Activation::Sigmoid);
        assert!((sigmoid.loss - 0.471_422).abs() < 1e-5 && (sigmoid.confidence - 0.880_797).abs() < 1e-5, "{sigmoid:?}");
        assert_eq!((soft.predicted, soft.rank), (0, 0));
    }

    #[test]
    fn predictions_are_a_table() {
        let row = |name: &str| (name.to_owned(), outcome(&[0.0, 1.0], 0, Activation::Softmax));
        let text = predictions(&[row("a,b \"c\".png")], &names(&["cat, black", "dog"]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "path,label,predicted,probability,rank,loss");
        assert_eq!(lines[1], "\"a,b \"\"c\"\".png\",\"cat, black\",dog,0.731059,2,1.313262");
    }

    #[test]
    fn ties_go_to_the_smaller_index_as_argmax_does() {
        assert_eq!(rank(&[1.0, 3.0, 2.0], 1), 0);
        assert_eq!(rank(&[1.0, 3.0, 2.0], 0), 2);
        assert_eq!((rank(&[2.0, 2.0], 0), rank(&[2.0, 2.0], 1)), (0, 1));
        assert_eq!(rank(&[f32::NAN, 1.0], 0), 2);
    }
}
