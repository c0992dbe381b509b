//! Pictures of a set as the network reads them, a few at a time: for judging, and to show what augmentation does.

use crate::data::random::{Stream, generator};
use crate::data::{ChannelOrder, ImageSet, ImageSize, Preset, RgbaImage};
use crate::device::{Device, Precision, Recorder, Recording, Shape, Slice, Tensor};
use crate::model::graph::Graph;
use crate::model::{InferencePlan, PlanBuilder, PlanOptions, Turns};
use crate::ops::{self, AugmentCall, Augmentation, Draw, Fill, ImageBank};
use crate::weights::StateDict;
use crate::{Error, Result};

/// From 8-bit pictures to a tensor of the network's input.
#[derive(Debug)]
struct Gather {
    bank: ImageBank,
    draws: Slice,
    recording: Recording,
    size: ImageSize,
    whole: bool,
}

impl Gather {
    /// For as many pictures at a time as `output` has rows; of all of them, on squares of `whole_side`, where that is given.
    fn new(
        ctx: &Device,
        preset: &Preset,
        size: ImageSize,
        (whole_side, fill): (Option<u32>, Fill),
        output: &Tensor,
    ) -> Result<Self> {
        let batch = output.shape.n;
        let bank = match whole_side {
            Some(side) => ImageBank::new(ctx, batch, side as usize, side as usize, 3)?,
            None => {
                let (width, height) = size.stored();
                ImageBank::new(ctx, batch, height, width, 3)?.with_margin(size.margin as usize)
            }
        };
        let draws = Slice::new(ctx, "draws", (batch * size_of::<Draw>()) as u64)?;
        let mut recorder = Recorder::new();
        let call = AugmentCall { label: "gather", bank: &bank, draws: &draws, preset, fill, output };
        ops::record_augment(&mut recorder, ctx, &call)?;
        Ok(Self { bank, draws, recording: recorder.finish(ctx), size, whole: whole_side.is_some() })
    }

    /// Rows and columns of the input.
    fn input(&self) -> (usize, usize) {
        (self.size.height as usize, self.size.width as usize)
    }

    /// Puts pictures of the set into the bank, the first at place 0.
    fn put(&mut self, ctx: &Device, set: &ImageSet, pictures: impl Iterator<Item = usize>) -> Result<Vec<ops::Picture>> {
        let mut put = Vec::new();
        for (place, picture) in pictures.enumerate() {
            if self.whole {
                let whole = set.whole(picture)?;
                self.bank.write_whole(ctx, place, &whole)?;
            } else {
                self.bank.write(ctx, place, &set.image(picture)?)?;
            }
            put.extend(self.bank.picture(place));
        }
        Ok(put)
    }

    /// Queues the batch.
    fn run(&self, ctx: &Device, draws: &[Draw]) -> Result<()> {
        self.draws.write(ctx, bytemuck::cast_slice(draws));
        self.recording.run(ctx)
    }
}

/// A network that says of many pictures what it makes of each.
#[derive(Debug)]
pub struct Judge {
    gather: Gather,
    plan: InferencePlan,
    batch: usize,
}

impl Judge {
    /// Plans `graph`, which ends in the classifier `fc`, for `batch` pictures at a time of the size that training stores them in.
    ///
    /// # Errors
    /// [`Error::Limit`] when a buffer exceeds what the adapter allows; [`Error::TensorMismatch`] when a weight is missing.
    pub async fn new(
        ctx: &Device,
        graph: &Graph,
        weights: &StateDict,
        preset: &Preset,
        batch: usize,
        turns: &mut Turns<'_>,
    ) -> Result<Self> {
        let size = ImageSize::of(preset, true);
        let options = PlanOptions { batch, height: size.height as usize, width: size.width as usize, ..PlanOptions::new(0) };
        let mut builder = PlanBuilder::new(ctx, graph, options)?;
        let gather = Gather::new(ctx, preset, size, (None, Fill::Mean), builder.input())?;
        while builder.advance(ctx, graph, weights)? {
            turns.offer().await;
        }
        ctx.check()?;
        Ok(Self { gather, plan: builder.finish(), batch })
    }

    /// Most pictures at a time.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Multiply-adds of a whole batch.
    pub fn cost(&self) -> u64 {
        self.plan.recording().cost()
    }

    /// Queues a batch of whatever the input holds: to measure how long one takes.
    pub fn idle_run(&self, ctx: &Device) -> Result<()> {
        self.plan.run(ctx)
    }

    /// Waits for what is queued.
    pub async fn wait(&self, ctx: &Device) -> Result<()> {
        self.plan.read(ctx, "fc").await.map(drop)
    }

    /// Logits of each picture, as inference has them.
    ///
    /// # Errors
    /// [`Error::Usage`] for more pictures than a batch or pictures of another size, else those of the device.
    pub async fn logits(&mut self, ctx: &Device, set: &ImageSet, pictures: &[usize]) -> Result<Vec<Vec<f32>>> {
        if set.size() != self.gather.size || pictures.len() > self.batch {
            return Err(Error::Usage(format!(
                "{} pictures of {:?} for a network that judges {} of {:?} at a time",
                pictures.len(),
                set.size(),
                self.batch,
                self.gather.size
            )));
        }
        let put = self.gather.put(ctx, set, pictures.iter().copied())?;
        let mut draws: Vec<Draw> = put.iter().map(|picture| Draw::plain(picture, self.gather.input())).collect();
        let Some(first) = draws.first().copied() else { return Ok(Vec::new()) };
        // Rows that fill the batch show the first picture again.
        draws.resize(self.batch, first);
        self.gather.run(ctx, &draws)?;
        self.plan.run(ctx)?;
        let values = self.plan.read(ctx, "fc").await?;
        let classes = values.len() / self.batch;
        Ok(values.chunks(classes.max(1)).take(pictures.len()).map(<[f32]>::to_vec).collect())
    }
}

/// What training shows the network of the first picture of a set, `count` times over. Mixup takes the other pictures, as far as
/// there are any.
///
/// # Errors
/// [`Error::Usage`] for a strength that makes no sense or an empty set, else those of the device.
pub async fn preview(
    ctx: &Device,
    set: &ImageSet,
    preset: &Preset,
    augmentation: &Augmentation,
    count: usize,
    seed: u64,
) -> Result<Vec<RgbaImage>> {
    augmentation.validate()?;
    if set.is_empty() || count == 0 {
        return Err(Error::Usage("there is no picture to show".into()));
    }
    let size = set.size();
    // Each row of the picture's own has another beside it, which mixup may bring together.
    let rows = if augmentation.mixes() { 2 * count } else { count };
    let shape = Shape::new(rows, 3, size.height as usize, size.width as usize);
    let output = Tensor::zeros(ctx, "augmented pictures", shape, Precision::F32)?;
    let whole_side = set.whole_side().filter(|_| augmentation.resized_crop.is_some());
    let mut gather = Gather::new(ctx, preset, size, (whole_side, augmentation.fill), &output)?;
    let others = set.len() - 1;
    let shown = |row: usize| if row < count || others == 0 { 0 } else { 1 + (row - count) % others };
    let put = gather.put(ctx, set, (0..rows).map(shown))?;
    let mut rng = generator(seed, Stream::Augment(0));
    let draws = augmentation.draw_batch(&mut rng, &put, gather.input());
    gather.run(ctx, &draws)?;
    let values = output.read_nchw(ctx).await?;
    values.chunks(values.len() / rows).take(count).map(|image| shown_image(image, preset, size)).collect()
}

/// A normalised picture `(3, H, W)` as people see it.
fn shown_image(values: &[f32], preset: &Preset, size: ImageSize) -> Result<RgbaImage> {
    let (factor, offset) = preset.affine();
    let order = if preset.channel_order == ChannelOrder::Bgr { [2, 1, 0] } else { [0, 1, 2] };
    let plane = (size.width * size.height) as usize;
    let byte = |pixel: usize, colour: usize| {
        let channel = order[colour];
        ((values[channel * plane + pixel] - offset[channel]) / factor[channel]).round() as u8
    };
    let pixels = (0..plane).flat_map(|pixel| [byte(pixel, 0), byte(pixel, 1), byte(pixel, 2), 255]).collect();
    RgbaImage::new("preview", size.width, size.height, pixels)
}
