//! From pictures in memory to what the trained layers read: a bank of 8-bit images on the GPU, augmentation, the frozen
//! layers in front, and, where these always compute the same, their results kept.

use std::collections::HashSet;

use rand_chacha::ChaCha8Rng;

use super::setup::{Budget, Setup};
use crate::Result;
use crate::data::{ImageSet, ImageSize};
use crate::device::{Device, Precision, Recorder, Recording, Shape, Slice, Tensor};
use crate::model::graph::Graph;
use crate::model::{InferencePlan, PlanBuilder, PlanOptions, Turns};
use crate::ops::{self, AugmentCall, Augmentation, Draw, ImageBank, Picture, Target};
use crate::weights::StateDict;

/// Where the trained layers get their input from.
#[derive(Debug)]
pub(super) struct Feed {
    bank: ImageBank,
    /// Which picture lies in each place of the bank, and the place of each picture.
    places: Places,
    augmentation: Augmentation,
    draws: Slice,
    augment: Recording,
    /// Where random crops are cut from, in training.
    wholes: Option<Wholes>,
    frozen: Option<Frozen>,
    features: Option<Features>,
    batch: usize,
    /// Rows and columns of the network's input.
    input_size: (usize, usize),
    output: Tensor,
}

/// All of the pictures, for random crops.
#[derive(Debug)]
struct Wholes {
    bank: ImageBank,
    places: Places,
    augment: Recording,
}

/// The layers in front of the trained ones.
#[derive(Debug)]
struct Frozen {
    plan: InferencePlan,
    output: Tensor,
}

/// What the frozen layers said of every picture so far.
#[derive(Debug)]
struct Features {
    bank: Slice,
    row_bytes: u64,
    known: Vec<bool>,
    indices: Slice,
    gather: Recording,
    input: Tensor,
}

/// A ring of places for more pictures than fit.
#[derive(Debug)]
struct Places {
    picture_at: Vec<Option<usize>>,
    place_of: Vec<Option<usize>>,
    next: usize,
}

impl Places {
    fn new(places: usize, pictures: usize) -> Self {
        Self { picture_at: vec![None; places], place_of: vec![None; pictures], next: 0 }
    }

    /// The places of a batch's pictures, each with whether it must be written there first. A picture that is in keeps its
    /// place; another takes the place that was filled longest ago and is not this batch's own.
    fn take(&mut self, pictures: &[usize]) -> Vec<(usize, bool)> {
        let own: HashSet<usize> = pictures.iter().filter_map(|picture| self.place_of[*picture]).collect();
        let mut taken = Vec::with_capacity(pictures.len());
        for &picture in pictures {
            if let Some(place) = self.place_of[picture] {
                taken.push((place, false));
                continue;
            }
            // There are at least two places for each picture of a batch, so this ends.
            while own.contains(&self.next) {
                self.next = (self.next + 1) % self.picture_at.len();
            }
            let place = self.next;
            self.next = (self.next + 1) % self.picture_at.len();
            if let Some(old) = self.picture_at[place].replace(picture) {
                self.place_of[old] = None;
            }
            self.place_of[picture] = Some(place);
            taken.push((place, true));
        }
        taken
    }
}

impl Feed {
    /// For batches of `batch` pictures out of the run's. `frozen` are the layers in front of the trained ones with all weights.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when not even a few batches of pictures fit.
    pub(super) async fn new(
        ctx: &Device,
        setup: &Setup,
        batch: usize,
        frozen: Option<(&Graph, &StateDict)>,
        augmentation: Augmentation,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        let Setup { images: set, preset, budget, .. } = setup;
        let budget = *budget;
        let size = set.size();
        let (width, height) = size.stored();
        let frozen = match frozen {
            Some((graph, weights)) => Some(Frozen::new(ctx, graph, weights, batch, size, turns).await?),
            None => None,
        };
        let shape = Shape::new(batch, 3, size.height as usize, size.width as usize);
        let images = match &frozen {
            Some(frozen) => frozen.plan.input().clone(),
            None => Tensor::zeros(ctx, "training images", shape, Precision::F32)?,
        };
        let features = match &frozen {
            Some(frozen) if augmentation.is_none() => Features::new(ctx, &frozen.output, set.len(), budget)?,
            _ => None,
        };
        // With features kept, every picture is needed once; without, a batch must never push out its own pictures.
        // What is read from disk in random order has left a small ring before it is asked for again.
        let wanted = if features.is_some() || set.is_streamed() { 2 * batch } else { set.len() };
        let crops = set.whole_side().filter(|_| augmentation.resized_crop.is_some()).map(|side| side as usize);
        // Pictures that are cropped are looked at as they are when they validate.
        let (whole_budget, budget) = match crops {
            Some(_) => (budget.image_bytes / 4 * 3, budget.image_bytes / 4),
            None => (0, budget.image_bytes),
        };
        let affordable = |bytes: u64, picture: usize| ((bytes / picture as u64) as usize).max(2 * batch);
        let count = wanted.min(affordable(budget, size.bytes()));
        let bank = ImageBank::new(ctx, count, height, width, 3)?.with_margin(size.margin as usize);
        let draws = Slice::new(ctx, "augmentation draws", (batch * size_of::<Draw>()) as u64)?;
        let fill = augmentation.fill;
        let mut recorder = Recorder::new();
        let call = AugmentCall { label: "augment", bank: &bank, draws: &draws, preset, fill, output: &images };
        ops::record_augment(&mut recorder, ctx, &call)?;
        let wholes = match crops {
            Some(side) => {
                let count = wanted.min(affordable(whole_budget, side * side * 3));
                let bank = ImageBank::new(ctx, count, side, side, 3)?;
                let mut recorder = Recorder::new();
                let call = AugmentCall { label: "augment", bank: &bank, draws: &draws, preset, fill, output: &images };
                ops::record_augment(&mut recorder, ctx, &call)?;
                Some(Wholes { bank, places: Places::new(count, set.len()), augment: recorder.finish_long(ctx) })
            }
            None => None,
        };
        let output = match (&features, &frozen) {
            (Some(features), _) => features.input.clone(),
            (None, Some(frozen)) => frozen.output.clone(),
            (None, None) => images.clone(),
        };
        Ok(Self {
            bank,
            places: Places::new(count, set.len()),
            augmentation,
            draws,
            augment: recorder.finish_long(ctx),
            wholes,
            frozen,
            features,
            batch,
            input_size: (shape.h, shape.w),
            output,
        })
    }

    /// What the trained layers read, `(N, C, H, W)`.
    pub(super) fn output(&self) -> &Tensor {
        &self.output
    }

    /// Bytes of pictures, kept features and the frozen layers.
    pub(super) fn bytes(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| {
            let memory = frozen.plan.memory();
            memory.weight_bytes + memory.activation_bytes
        });
        let wholes = self.wholes.as_ref().map_or(0, |wholes| wholes.bank.bytes());
        wholes + self.bank.bytes() + self.features.as_ref().map_or(0, |features| features.bank.bytes()) + frozen
    }

    /// Whether the frozen layers' results are kept.
    pub(super) fn keeps_features(&self) -> bool {
        self.features.is_some()
    }

    /// Queues the input for these pictures (at most a batch; the rest is filled up and counts nowhere) and gives their targets.
    /// Without `rng` they stay as they are.
    pub(super) fn fill(
        &mut self,
        ctx: &Device,
        set: &ImageSet,
        pictures: &[usize],
        rng: Option<&mut ChaCha8Rng>,
    ) -> Result<Vec<Target>> {
        let labels: Vec<u32> = pictures.iter().map(|picture| set.labels[*picture]).collect();
        let mut targets: Vec<Target> = labels.iter().map(|label| Target::class(*label)).collect();
        if self.features.is_some() {
            self.learn_features(ctx, set, pictures)?;
            if let Some(features) = &self.features {
                let mut indices: Vec<u32> = pictures.iter().map(|picture| *picture as u32).collect();
                indices.resize(self.batch, 0);
                features.indices.write(ctx, bytemuck::cast_slice(&indices));
                features.gather.run(ctx)?;
            }
        } else {
            let cropped = rng.is_some() && self.wholes.is_some();
            let stored = match &mut self.wholes {
                Some(wholes) if cropped => wholes.bring_in(ctx, set, pictures)?,
                _ => self.bring_in(ctx, set, pictures)?,
            };
            let draws = match rng {
                Some(rng) => self.augmentation.draw_batch(rng, &stored, self.input_size),
                None => stored.iter().map(|picture| Draw::plain(picture, self.input_size)).collect(),
            };
            for (target, draw) in targets.iter_mut().zip(&draws).filter(|(_, draw)| draw.lambda < 1.0) {
                *target = Target::mixed(target.label, labels[draw.partner as usize], draw.lambda);
            }
            self.run_images(ctx, draws, cropped)?;
        }
        targets.resize(self.batch, Target::FILLER);
        Ok(targets)
    }

    /// Writes the pictures that are not in the bank.
    fn bring_in(&mut self, ctx: &Device, set: &ImageSet, pictures: &[usize]) -> Result<Vec<Picture>> {
        let mut stored = Vec::with_capacity(self.batch);
        for (picture, (place, missing)) in pictures.iter().zip(self.places.take(pictures)) {
            if missing {
                self.bank.write(ctx, place, &set.image(*picture)?)?;
            }
            stored.extend(self.bank.picture(place));
        }
        Ok(stored)
    }

    fn run_images(&self, ctx: &Device, mut draws: Vec<Draw>, cropped: bool) -> Result<()> {
        if let Some(first) = draws.first().copied() {
            // Rows that fill the batch show the first picture, unmixed, and count nowhere.
            let filler = Draw { partner: 0, lambda: 1.0, ..first };
            draws.resize(self.batch, filler);
        }
        self.draws.write(ctx, bytemuck::cast_slice(&draws));
        match &self.wholes {
            Some(wholes) if cropped => wholes.augment.run(ctx)?,
            _ => self.augment.run(ctx)?,
        }
        self.frozen.as_ref().map_or(Ok(()), |frozen| frozen.plan.run(ctx))
    }

    /// Computes and keeps the features of pictures that have none yet.
    fn learn_features(&mut self, ctx: &Device, set: &ImageSet, pictures: &[usize]) -> Result<()> {
        let Some(features) = &self.features else { return Ok(()) };
        let mut unknown: Vec<usize> = pictures.iter().copied().filter(|picture| !features.known[*picture]).collect();
        unknown.dedup();
        for chunk in unknown.chunks(self.batch) {
            let stored = self.bring_in(ctx, set, chunk)?;
            let draws = stored.iter().map(|picture| Draw::plain(picture, self.input_size)).collect();
            self.run_images(ctx, draws, false)?;
            if let (Some(features), Some(frozen)) = (&mut self.features, &self.frozen) {
                let rows = &frozen.output.slice;
                let bytes = features.row_bytes;
                let part = |slice: &Slice, row: usize| slice.part(row as u64 * bytes, bytes);
                let pairs = chunk.iter().enumerate().map(|(row, picture)| (part(rows, row), part(&features.bank, *picture)));
                Slice::copy_all(ctx, &pairs.collect::<Vec<_>>())?;
                chunk.iter().for_each(|picture| features.known[*picture] = true);
            }
        }
        Ok(())
    }
}

impl Wholes {
    /// As [`Feed::bring_in`].
    fn bring_in(&mut self, ctx: &Device, set: &ImageSet, pictures: &[usize]) -> Result<Vec<Picture>> {
        let mut stored = Vec::with_capacity(pictures.len());
        for (picture, (place, missing)) in pictures.iter().zip(self.places.take(pictures)) {
            if missing {
                let whole = set.whole(*picture)?;
                self.bank.write_whole(ctx, place, &whole)?;
            }
            stored.extend(self.bank.picture(place));
        }
        Ok(stored)
    }
}

impl Frozen {
    async fn new(
        ctx: &Device,
        graph: &Graph,
        weights: &StateDict,
        batch: usize,
        size: ImageSize,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        let (height, width) = (size.height as usize, size.width as usize);
        let options = PlanOptions { batch, height, width, ..PlanOptions::new(width) };
        let mut builder = PlanBuilder::new(ctx, graph, options)?;
        while builder.advance(ctx, graph, weights)? {
            turns.offer().await;
        }
        let plan = builder.finish();
        let name = graph.nodes.last().map_or("", |node| node.name.as_str());
        let output = plan.output(name)?.clone();
        Ok(Self { plan, output })
    }
}

impl Features {
    /// None when they would not fit.
    fn new(ctx: &Device, output: &Tensor, pictures: usize, budget: Budget) -> Result<Option<Self>> {
        let row_bytes = output.slice.bytes() / output.shape.n as u64;
        let bytes = row_bytes * pictures as u64;
        if bytes > budget.feature_bytes.min(ctx.limits().storage_binding_bytes) {
            return Ok(None);
        }
        let bank = Slice::new(ctx, "features", bytes)?;
        let indices = Slice::new(ctx, "feature indices", output.shape.n as u64 * 4)?;
        let input = Tensor::zeros(ctx, "features of a batch", output.shape, Precision::F32)?;
        let mut recorder = Recorder::new();
        ops::record_gather(&mut recorder, ctx, "features", &bank, &indices, &input)?;
        let gather = recorder.finish(ctx);
        Ok(Some(Self { bank, row_bytes, known: vec![false; pictures], indices, gather, input }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_place_until_the_ring_comes_round() {
        let mut places = Places::new(4, 6);
        assert_eq!(places.take(&[0, 1]), [(0, true), (1, true)]);
        assert_eq!(places.take(&[0, 2]), [(0, false), (2, true)]);
        assert_eq!(places.take(&[3, 4]), [(3, true), (0, true)], "the oldest goes");
        assert_eq!(places.take(&[1, 0]), [(1, false), (2, true)], "but not one of this batch");
        assert_eq!(places.take(&[2, 1]), [(3, true), (1, false)]);
        assert_eq!(places.take(&[4, 4]), [(0, false), (0, false)], "twice in a batch is once in the bank");
    }
}
