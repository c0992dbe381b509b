//! Folders of pictures into memory, and which of them train.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::cli::{Stop, model, output};
use crate::data::dataset::{ImageFolder, Sample};
use crate::data::image_set::stored_pixels;
use crate::data::split::{NEAR_DUPLICATE_BITS, Split, difference_hash, near_duplicates, stratified};
use crate::data::{ImageSet, ImageSize, Preset, decode};
use crate::{Error, Result};

/// What a run learns from and is judged by.
#[derive(Debug)]
pub(super) struct Pictures {
    pub images: ImageSet,
    pub split: Split,
    /// Files that could not be read; they count nowhere else.
    pub unreadable: usize,
    /// Pictures that look like an earlier one of their class and went to its side of the split.
    pub near_duplicates: usize,
}

/// The folders, listed but not read.
#[derive(Debug)]
pub(super) struct Folders {
    pub classes: Vec<String>,
    samples: Vec<Sample>,
    /// The first of `samples` that comes from the validation folder.
    validation: Option<usize>,
}

/// Classes larger than this are split picture by picture: near duplicates are found by comparing all pairs.
const MOST_COMPARED: usize = 20_000;
/// Errors of single pictures that are shown; a wrong folder can hold thousands.
const MOST_COMPLAINTS: usize = 10;

impl Folders {
    /// Lists `dir`, and `validation` if there is one: its folders must be classes of `dir`.
    pub(super) fn open(dir: &Path, validation: Option<&Path>) -> Result<Self> {
        let ImageFolder { classes, mut samples, .. } = ImageFolder::open(dir)?;
        if classes.len() < 2 {
            return Err(Error::Io {
                path: dir.display().to_string(),
                reason: format!("it holds one class, `{}`; telling classes apart takes at least two folders", classes[0]),
            });
        }
        let Some(path) = validation else { return Ok(Self { classes, samples, validation: None }) };
        let first = samples.len();
        let other = ImageFolder::open(path)?;
        for sample in other.samples {
            let name = &other.classes[sample.label];
            let Some(label) = classes.iter().position(|class| class == name) else {
                return Err(Error::Io {
                    path: path.display().to_string(),
                    reason: format!("its folder `{name}` is none of the {} classes of {}", classes.len(), dir.display()),
                });
            };
            samples.push(Sample { label, ..sample });
        }
        Ok(Self { classes, samples, validation: Some(first) })
    }

    /// Decodes all pictures, several at a time, and splits them; `fraction` counts where there is no validation folder.
    /// Those that cannot be read are reported and left out.
    pub(super) fn load(
        self,
        preset: &Preset,
        size: ImageSize,
        fraction: f32,
        seed: u64,
        stop: &AtomicBool,
    ) -> std::result::Result<Pictures, Stop> {
        let Self { classes, samples, validation } = self;
        let mut sizes = vec![0; classes.len()];
        samples.iter().for_each(|sample| sizes[sample.label] += 1);
        let compares = validation.is_none() && fraction > 0.0 && sizes.iter().all(|size| *size <= MOST_COMPARED);

        let mut images = ImageSet::new(classes, size);
        let mut hashes = Vec::new();
        let mut unreadable = 0;
        // The first image of the set that validates.
        let mut first = None;
        let bar = output::bar(samples.len() as u64, "{msg} [{bar:40}] {pos}/{len}, {speed} images/s, {eta} left");
        bar.set_message("reading pictures");
        bar.enable_steady_tick(Duration::from_millis(250));
        let done = in_order(
            &samples,
            |sample| {
                let name = sample.path.display().to_string();
                let image = decode(&name, &model::read_file(&sample.path)?)?;
                let hash = if compares { difference_hash(&image) } else { 0 };
                Ok((name, stored_pixels(&image, preset, size), hash))
            },
            |index, read: Result<(String, Vec<u8>, u64)>| {
                if stop.load(Ordering::Relaxed) {
                    bar.suspend(|| output::remark("stopped while reading pictures; nothing was trained"));
                    return Err(Stop::Interrupted);
                }
                bar.inc(1);
                if validation == Some(index) {
                    first = Some(images.len());
                }
                match read {
                    Ok((name, pixels, hash)) => {
                        images.push_pixels(name, pixels, samples[index].label as u32)?;
                        hashes.push(hash);
                    }
                    Err(error) => {
                        unreadable += 1;
                        if unreadable <= MOST_COMPLAINTS {
                            bar.suspend(|| output::complain(&error));
                        }
                    }
                }
                Ok(())
            },
        );
        bar.finish_and_clear();
        done?;
        if unreadable > MOST_COMPLAINTS {
            output::remark(&format!("... and {} more pictures cannot be read", unreadable - MOST_COMPLAINTS));
        }

        let mut near = 0;
        let split = match first {
            Some(first) => Split { train: (0..first).collect(), validation: (first..images.len()).collect() },
            None => {
                let labels: Vec<usize> = images.labels.iter().map(|label| *label as usize).collect();
                let groups = if compares { near_duplicates(&labels, &hashes, NEAR_DUPLICATE_BITS) } else { Vec::new() };
                near = groups.iter().enumerate().filter(|(image, group)| image != *group).count();
                stratified(&labels, &groups, fraction, seed)?
            }
        };
        check(&images, &split, validation.is_some() || fraction > 0.0)?;
        Ok(Pictures { images, split, unreadable, near_duplicates: near })
    }
}

/// Whether every class trains, and something validates where it should.
fn check(images: &ImageSet, split: &Split, validates: bool) -> Result<()> {
    let trains = |class: usize| split.train.iter().any(|image| images.labels[*image] as usize == class);
    if let Some(class) = (0..images.classes.len()).find(|class| !trains(*class)) {
        return Err(Error::Usage(format!(
            "none of the pictures of the class `{}` could be read; replace them or remove the folder",
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
