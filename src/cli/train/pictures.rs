//! Pictures of a data set: read into memory, or again and again where they are too many; and which of them train.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde::Serialize;

use crate::cli::data::{DataArgs, tell};
use crate::cli::{Stop, output};
use crate::data::Whole;
use crate::data::catalog::Part;
use crate::data::dataset::{DataSet, Sample};
use crate::data::image_set::stored_pixels;
use crate::data::split::{Look, Split, near_duplicates, stratified};
use crate::data::stream::Stream;
use crate::data::{ImageSet, ImageSize, Preset};
use crate::train::PictureSides;
use crate::{Error, Result};

/// What a run learns from and is judged by.
#[derive(Debug)]
pub(super) struct Pictures {
    pub images: ImageSet,
    /// Where each of them lies.
    pub files: Vec<Sample>,
    pub split: Split,
    /// The test set: judged by in the end.
    pub test: Vec<usize>,
    /// Digests of what trains and what validates.
    pub sides: PictureSides,
    /// What is different from the pictures that a resumed run began with; none where nothing is.
    pub changed: Option<String>,
    pub facts: Facts,
}

/// What was found, for the report.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Facts {
    training: usize,
    validation: usize,
    test: usize,
    /// Files that could not be read; they count nowhere else.
    pub unreadable: usize,
    /// Pictures that look like an earlier one of their class and stay on its side of the split.
    pub near_duplicates: usize,
    /// Pictures by the ending of their name.
    formats: BTreeMap<String, usize>,
    /// Files that are no pictures, by the ending of their name.
    left_out: BTreeMap<String, usize>,
    /// What was assumed and passed over.
    notes: Vec<String>,
    /// Whether pictures are read again in each epoch, because all of them are more than memory may hold.
    streamed: bool,
}

impl Facts {
    /// What was left out, in words.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if self.unreadable > 0 {
            parts.push(format!("{} pictures that cannot be read", self.unreadable));
        }
        let count: usize = self.left_out.values().sum();
        if count > 0 {
            parts.push(format!("{count} files that are no pictures ({})", crate::data::catalog::endings(&self.left_out)));
        }
        parts
    }
}

/// The data set, listed but not read.
#[derive(Debug)]
pub(super) struct Folders {
    pub classes: Vec<String>,
    samples: Vec<Sample>,
    /// Whether it says which pictures validate.
    validates: bool,
    facts: Facts,
}

/// What is kept of a picture: pixels as the network sees them, the square that random crops are cut from, what it is compared by, its digest.
type Taken = (Vec<u8>, Option<Whole>, Option<Look>, u64);

/// How pictures are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    pub size: ImageSize,
    /// Side of the squares that random crops are cut from, where there are any.
    pub whole_side: Option<u32>,
    /// Bytes that pictures may take in memory.
    pub memory_bytes: u64,
}

/// Classes larger than this are split picture by picture: near duplicates are found by comparing all pairs.
const MOST_COMPARED: usize = 20_000;
/// Errors of single pictures that are shown; a wrong folder can hold thousands.
const MOST_COMPLAINTS: usize = 10;

impl Folders {
    /// Lists `path`, and `validation` if there is one: its classes must be among those of `path`.
    pub(super) fn open(options: &DataArgs, path: &Path, validation: Option<&Path>) -> Result<Self> {
        let io = |path: &Path, reason: String| Err(Error::Io { path: path.display().to_string(), reason });
        let DataSet { classes, mut samples, left_out, formats, mut notes, .. } = {
            let set = options.open(path)?;
            tell(path, &set);
            set
        };
        if classes.len() < 2 {
            let name = classes.first().map_or("", String::as_str);
            return io(path, format!("it holds one class, `{name}`; telling classes apart takes at least two folders"));
        }
        if let Some(path) = validation {
            let own = samples.iter().filter(|sample| sample.part == Part::Validation).count();
            if own > 0 {
                let note = format!("its own {own} validation pictures are left out: those of --val are used");
                output::remark(&note);
                notes.push(note);
                samples.retain(|sample| sample.part != Part::Validation);
            }
            let other = options.open(path)?;
            tell(path, &other);
            for mut sample in other.samples {
                let name = &other.classes[sample.label];
                let Some(label) = classes.iter().position(|class| class == name) else {
                    return io(
                        path,
                        format!("its folder `{name}` is none of the {} classes of the training pictures", classes.len()),
                    );
                };
                (sample.label, sample.part) = (label, Part::Validation);
                samples.push(sample);
            }
        }
        if !samples.iter().any(|sample| sample.part == Part::Training) {
            return io(path, "it holds no training pictures, only some to validate or test".into());
        }
        let validates = samples.iter().any(|sample| sample.part == Part::Validation);
        let facts = Facts { left_out, formats, notes, ..Facts::default() };
        Ok(Self { classes, samples, validates, facts })
    }

    /// Puts the classes into the order of a run that goes on, where they are the same.
    pub(super) fn order_as(&mut self, classes: &[String]) {
        let places: Option<Vec<usize>> =
            self.classes.iter().map(|class| classes.iter().position(|known| known == class)).collect();
        if let Some(places) = places.filter(|_| self.classes.len() == classes.len()) {
            self.samples.iter_mut().for_each(|sample| sample.label = places[sample.label]);
            self.classes = classes.to_vec();
        }
    }

    /// Decodes all pictures, several at a time, and splits them; `fraction` counts where the data set does not say what validates.
    /// Where all together are larger than memory may be, only their looks are kept, and they are read again in each epoch. Those
    /// that cannot be read are reported and left out. `before` are the sides of the run that goes on.
    pub(super) fn load(
        self,
        preset: &Preset,
        keep: Keep,
        (fraction, seed): (f32, u64),
        before: Option<&PictureSides>,
        stop: &AtomicBool,
    ) -> std::result::Result<Pictures, Stop> {
        let Self { classes, samples, validates, mut facts } = self;
        let mut sizes = vec![0; classes.len()];
        samples.iter().for_each(|sample| sizes[sample.label] += 1);
        let compares = !validates && fraction > 0.0 && sizes.iter().all(|size| *size <= MOST_COMPARED);
        let whole_bytes = keep.whole_side.map_or(0, |side| u64::from(side * side * 3));
        let bytes = (keep.size.bytes() as u64 + whole_bytes) * samples.len() as u64;
        facts.streamed = bytes > keep.memory_bytes;
        if facts.streamed {
            output::remark(&format!(
                "{} pictures take {} in memory, and --picture-memory allows {}: they are read again in each epoch",
                samples.len(),
                output::megabytes(bytes),
                output::megabytes(keep.memory_bytes)
            ));
        }

        let mut images = ImageSet::new(classes, keep.size);
        if let Some(side) = keep.whole_side {
            images = images.with_wholes(side);
        }
        if !facts.streamed {
            images.reserve(samples.len());
        }
        let (mut looks, mut digests, mut readable) = (Vec::new(), Vec::new(), Vec::new());
        let bar = output::bar(samples.len() as u64, "{msg} [{bar:40}] {pos}/{len}, {speed} images/s, {eta} left");
        bar.set_message("reading pictures");
        bar.enable_steady_tick(Duration::from_millis(250));
        let streamed = facts.streamed;
        let done = in_order(
            &samples,
            |sample| {
                let (image, digest) = sample.read()?;
                let look = compares.then(|| Look::at(&image));
                let pixels = if streamed { Vec::new() } else { stored_pixels(&image, preset, keep.size) };
                let whole = keep.whole_side.filter(|_| !streamed).map(|side| Whole::of(&image, preset.filter, side));
                Ok((pixels, whole, look, digest))
            },
            |index, read: Result<Taken>| {
                if stop.load(Ordering::Relaxed) {
                    bar.suspend(|| output::remark("stopped while reading pictures; nothing was trained"));
                    return Err(Stop::Interrupted);
                }
                bar.inc(1);
                match read {
                    Ok((pixels, whole, look, digest)) => {
                        if !streamed {
                            images.push_pixels(samples[index].name.clone(), pixels, samples[index].label as u32)?;
                            whole.into_iter().for_each(|whole| images.push_whole(whole));
                        }
                        looks.extend(look);
                        digests.push(digest);
                        readable.push(index);
                    }
                    Err(error) => {
                        facts.unreadable += 1;
                        if facts.unreadable <= MOST_COMPLAINTS {
                            bar.suspend(|| output::complain(&error));
                        }
                    }
                }
                Ok(())
            },
        );
        bar.finish_and_clear();
        done?;
        if facts.unreadable > MOST_COMPLAINTS {
            output::remark(&format!("... and {} more pictures cannot be read", facts.unreadable - MOST_COMPLAINTS));
        }
        let samples: Vec<Sample> = readable.into_iter().map(|index| samples[index].clone()).collect();

        let part = |part: Part| -> Vec<usize> { (0..samples.len()).filter(|image| samples[*image].part == part).collect() };
        let (training, test) = (part(Part::Training), part(Part::Test));
        let sides = |split: &Split| {
            let digests = |images: &[usize]| images.iter().map(|image| digests[*image]).collect();
            PictureSides { train: digests(&split.train), validation: digests(&split.validation) }
        };
        let mut split = if validates {
            Split { train: training, validation: part(Part::Validation) }
        } else {
            let labels: Vec<usize> = training.iter().map(|image| samples[*image].label).collect();
            let looks: Vec<Look> =
                if compares { training.iter().map(|image| looks[*image].clone()).collect() } else { Vec::new() };
            let groups = if compares { near_duplicates(&labels, &looks) } else { Vec::new() };
            facts.near_duplicates = groups.iter().enumerate().filter(|(image, group)| image != *group).count();
            let mut split = stratified(&labels, &groups, fraction, seed)?;
            if let Some(before) = before {
                let digests: Vec<u64> = training.iter().map(|image| digests[*image]).collect();
                split = keep_sides(&split, &groups, &digests, before);
            }
            let place = |images: Vec<usize>| images.into_iter().map(|image| training[image]).collect();
            Split { train: place(split.train), validation: place(split.validation) }
        };
        let files = samples.clone();
        let mut changed = None;
        if let Some(before) = before {
            // The run's own order, so that it goes on as if files had never been renamed.
            order_by(&mut split.train, &digests, &before.train);
            order_by(&mut split.validation, &digests, &before.validation);
            changed = difference(before, &split, &digests, &samples);
        }
        if streamed {
            let names = samples.iter().map(|sample| sample.name.clone()).collect();
            let labels = samples.iter().map(|sample| sample.label as u32).collect();
            // What waits decoded is a part of what may be kept; pictures that are being decoded are beside it.
            let source = Arc::new(Stream::new(samples, preset.clone(), keep.size, keep.whole_side, keep.memory_bytes / 4));
            images = ImageSet::streamed(images.classes, keep.size, names, labels, source);
            if let Some(side) = keep.whole_side {
                images = images.with_wholes(side);
            }
        }
        images.drop_wholes(&split.validation);
        images.drop_wholes(&test);
        check(&images, &split, validates || fraction > 0.0)?;
        (facts.training, facts.validation, facts.test) = (split.train.len(), split.validation.len(), test.len());
        Ok(Pictures { sides: sides(&split), images, files, split, test, changed, facts })
    }
}

/// The split with every picture that the run knows on the side where it was, and what looks like it too.
fn keep_sides(split: &Split, groups: &[usize], digests: &[u64], before: &PictureSides) -> Split {
    let group = |image: usize| groups.get(image).copied().unwrap_or(image);
    let known =
        before.train.iter().map(|digest| (*digest, false)).chain(before.validation.iter().map(|digest| (*digest, true)));
    let known: HashMap<u64, bool> = known.collect();
    let mut of_group: HashMap<usize, bool> = HashMap::new();
    for (image, digest) in digests.iter().enumerate() {
        if let Some(validates) = known.get(digest) {
            // What was learnt from decides: its likes may not judge.
            let side = of_group.entry(group(image)).or_insert(*validates);
            *side &= *validates;
        }
    }
    let validates = |image: &usize| {
        let own = known.get(&digests[*image]).or_else(|| of_group.get(&group(*image)));
        own.copied().unwrap_or_else(|| split.validation.binary_search(image).is_ok())
    };
    let (validation, train) = (0..digests.len()).partition(validates);
    Split { train, validation }
}

/// Pictures in the order of `wanted`; those that it does not name follow.
fn order_by(images: &mut [usize], digests: &[u64], wanted: &[u64]) {
    let mut places: HashMap<u64, usize> = HashMap::new();
    for (place, digest) in wanted.iter().enumerate() {
        places.entry(*digest).or_insert(place);
    }
    images.sort_by_key(|image| places.get(&digests[*image]).copied().unwrap_or(usize::MAX));
}

/// What is new and what is gone, in words; `None` where nothing is.
fn difference(before: &PictureSides, split: &Split, digests: &[u64], samples: &[Sample]) -> Option<String> {
    const SHOWN: usize = 5;
    let mut counts: HashMap<u64, i64> = HashMap::new();
    before.train.iter().chain(&before.validation).for_each(|digest| *counts.entry(*digest).or_default() += 1);
    let mut new = Vec::new();
    for image in split.train.iter().chain(&split.validation) {
        let count = counts.entry(digests[*image]).or_default();
        *count -= 1;
        if *count < 0 {
            new.push(samples[*image].name.as_str());
        }
    }
    let gone: i64 = counts.values().filter(|count| **count > 0).sum();
    let mut parts = Vec::new();
    if !new.is_empty() {
        let more = if new.len() > SHOWN { ", ..." } else { "" };
        parts.push(format!(
            "{} pictures are new ({}{more})",
            new.len(),
            new.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ")
        ));
    }
    if gone > 0 {
        parts.push(format!("{gone} are gone"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Whether every class trains, and something validates where it should.
fn check(images: &ImageSet, split: &Split, validates: bool) -> Result<()> {
    let mut trains = vec![false; images.classes.len()];
    split.train.iter().for_each(|image| trains[images.labels[*image] as usize] = true);
    if let Some(class) = trains.iter().position(|trains| !trains) {
        return Err(Error::Usage(format!(
            "the class `{}` has no picture to train on that could be read; add some or remove the class",
            images.classes[class]
        )));
    }
    if validates && split.validation.is_empty() {
        return Err(Error::Usage(
            "no pictures are left to validate with: there is only one of each class, or all of a class look nearly the same; \
             give a folder of others with --val, or train on everything with --val-fraction 0"
                .into(),
        ));
    }
    Ok(())
}

/// Does `work` on every item on as many threads as there are cores, and gives the results to `take` in the order of the items.
/// An error of `take` ends it.
fn in_order<I: Sync, R: Send, E>(
    items: &[I],
    work: impl Fn(&I) -> R + Sync,
    mut take: impl FnMut(usize, R) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel(4 * threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    // The other end is gone when `take` failed.
                    if sender.send((index, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Owned here, so that an early return closes the channel before the scope waits for the threads.
        let receiver = receiver;
        let mut early = BTreeMap::new();
        let mut wanted = 0;
        for (index, result) in &receiver {
            early.insert(index, result);
            while let Some(result) = early.remove(&wanted) {
                take(wanted, result)?;
                wanted += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_threads_do() {
        let items: Vec<u64> = (0..200).collect();
        let mut taken = Vec::new();
        let slow_start = |item: &u64| {
            if item.is_multiple_of(7) {
                std::thread::yield_now();
            }
            item * 2
        };
        in_order(&items, slow_start, |index, result| {
            taken.push((index as u64, result));
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(taken, items.iter().map(|i| (*i, i * 2)).collect::<Vec<_>>());
        let stopped = in_order(&items, |i| *i, |index, _| if index == 5 { Err("enough") } else { Ok(()) });
        assert_eq!(stopped, Err("enough"));
    }
}
