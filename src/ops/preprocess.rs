//! Pictures to a network's input on the GPU: resize with anti-aliasing, centre crop, normalise, lay out.
//!
//! Forward `(H, W, 4)` 8-bit pictures of any size -> `(N, 3, h, w)`: two dispatches for a group of pictures of one size. The
//! CPU does the same in [`data::resample`](crate::data::resample), to the bit before normalisation. A frame of a video comes in a
//! texture and takes the same way, with a first pass of its own.

use std::ops::Range;

use crate::cpu::Step;
use crate::data::resample::{Taps, taps};
use crate::data::{ChannelOrder, Preset, RgbaImage};
use crate::device::{Device, FrameTexture, Precision, Recorder, Recording, Slice, Tensor};
use crate::gpu::{Gpu, Shader, shader};
use crate::{Error, Result};

const HORIZONTAL: Shader = shader!("preprocess_horizontal");
const FRAME: Shader = shader!("preprocess_frame");
const VERTICAL: Shader = shader!("preprocess_vertical");

/// Columns and rows of a workgroup of both shaders.
const WORKGROUP: (u32, u32) = (16, 4);

/// Bytes of pictures on the GPU at a time. A larger picture goes through in bands of rows; 8 megapixels are enough to keep
/// any GPU busy and far below the smallest binding limit.
const BAND_BYTES: u64 = 32 << 20;

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct HorizontalParams {
    columns: u32,
    rows: u32,
    source_width: u32,
    first_row: u32,
    stride: u32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct FrameParams {
    columns: u32,
    rows: u32,
    first_row: u32,
    stride: u32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct VerticalParams {
    width: u32,
    height: u32,
    rows: u32,
    first_image: u32,
    stride: u32,
    order: u32,
    _align: [u32; 2],
    factor: [f32; 4],
    offset: [f32; 4],
}

/// Fills a network's input from pictures by a [`Preset`]. Buffers and recordings are kept for the next pictures of the
/// same size.
#[derive(Debug)]
pub struct Preprocessor {
    preset: Preset,
    output: Tensor,
    band_bytes: u64,
    prepared: Option<Prepared>,
    frame: Option<Frame>,
}

/// Pictures that go through together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    size: (u32, u32),
    /// Place of the first one in the batch.
    first: usize,
    count: usize,
}

#[derive(Debug)]
struct Prepared {
    group: Group,
    /// The part of a picture that is read at all.
    columns: Range<u32>,
    /// `count` pictures, or one band of a picture.
    source: Slice,
    bands: Vec<Band>,
}

/// A video's frames, one at a time.
#[derive(Debug)]
struct Frame {
    texture: FrameTexture,
    recording: Recording,
}

#[derive(Debug)]
struct Band {
    /// Rows of the picture.
    rows: Range<u32>,
    recording: Recording,
}

/// A picture whose three channels are its luma: Pillow's `convert("L")`, ITU-R 601-2 in 16 bits.
fn luma(image: &RgbaImage) -> RgbaImage {
    let mut pixels = image.pixels.clone();
    for pixel in pixels.chunks_exact_mut(4) {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        let grey = ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16) as u8;
        pixel[..3].fill(grey);
    }
    RgbaImage { pixels, ..*image }
}

impl Preprocessor {
    /// A preprocessor that writes to `output`, `(N, 3, h, w)` with the preset's crop, or `(N, 1, h, w)`: luma, with the preset's first
    /// mean and std.
    ///
    /// # Errors
    /// [`Error::Spec`] when the network's input has another number of channels or another size.
    pub fn new(device: &Device, preset: Preset, output: Tensor) -> Result<Self> {
        let found = (output.shape.w as u32, output.shape.h as u32);
        if ![1, 3].contains(&output.shape.c) || found != preset.crop {
            return Err(Error::Spec(format!(
                "the preset `{}` makes pictures of 3 channels and {} x {} pixels, the network's input has {} channels and {} x \
                 {} pixels; choose a preset or a size that fits",
                preset.name, preset.crop.0, preset.crop.1, output.shape.c, found.0, found.1
            )));
        }
        let band_bytes = BAND_BYTES.min(device.limits().storage_binding_bytes);
        Ok(Self { preset, output, band_bytes, prepared: None, frame: None })
    }

    /// Uploads at most this many bytes of pictures at a time (at least one row of one picture).
    pub fn with_band_bytes(mut self, bytes: u64) -> Self {
        self.band_bytes = bytes;
        self.prepared = None;
        self
    }

    /// The recipe.
    pub fn preset(&self) -> &Preset {
        &self.preset
    }

    /// Queues the work that puts picture `i` at place `i` of the batch. Places after the last picture keep what they had.
    ///
    /// # Errors
    /// [`Error::Usage`] when there are more pictures than places, [`Error::Limit`] when the half-resized picture is larger
    /// than the adapter allows.
    pub fn run(&mut self, device: &Device, images: &[&RgbaImage]) -> Result<()> {
        if images.len() > self.output.shape.n {
            return Err(Error::Usage(format!(
                "{} pictures do not fit into a batch of {}; pass fewer at a time",
                images.len(),
                self.output.shape.n
            )));
        }
        if self.output.shape.c == 1 {
            let grey: Vec<RgbaImage> = images.iter().map(|image| luma(image)).collect();
            return self.run_groups(device, &grey.iter().collect::<Vec<_>>());
        }
        self.run_groups(device, images)
    }

    fn run_groups(&mut self, device: &Device, images: &[&RgbaImage]) -> Result<()> {
        let mut first = 0;
        for same in images.chunk_by(|a, b| (a.width, a.height) == (b.width, b.height)) {
            let size = (same[0].width, same[0].height);
            for part in same.chunks(self.group_limit(device, size)) {
                self.run_group(device, Group { size, first, count: part.len() }, part)?;
                first += part.len();
            }
        }
        Ok(())
    }

    /// The texture that frames of this size are put into, and whether it is new. It stays until a frame has another size.
    ///
    /// # Errors
    /// [`Error::Usage`] on a processor, which takes frames as pixels; those of [`FrameTexture::new`]; [`Error::Limit`] when the half-resized frame is larger than the adapter allows.
    pub fn frame_texture(&mut self, device: &Device, size: (u32, u32)) -> Result<(&FrameTexture, bool)> {
        let gpu = device.gpu().ok_or_else(|| Error::Usage("a processor has no textures; give it the frame's pixels".into()))?;
        let kept = self.frame.take().filter(|frame| frame.texture.size() == size);
        let is_new = kept.is_none();
        let frame = match kept {
            Some(frame) => frame,
            None => self.prepare_frame(device, gpu, FrameTexture::new(gpu, size.0, size.1)?)?,
        };
        Ok((&self.frame.insert(frame).texture, is_new))
    }

    /// Queues the work that puts the frame in the [texture](Self::frame_texture) at the first place of the batch.
    ///
    /// # Errors
    /// [`Error::Usage`] when no texture was asked for.
    pub fn run_frame(&self, device: &Device) -> Result<()> {
        match &self.frame {
            Some(frame) => frame.recording.run(device),
            None => Err(Error::Usage("there is no frame to read; put one into the frame's texture first".into())),
        }
    }

    fn prepare_frame(&self, device: &Device, gpu: &Gpu, texture: FrameTexture) -> Result<Frame> {
        let size = texture.size();
        let geometry = self.preset.geometry(size.0, size.1);
        let (across, down) = taps(size, &geometry, self.preset.filter);
        let rows = down.span();
        let (width, count) = (geometry.crop.0, rows.len() as u32);
        let middle = Slice::new(device, "the half-resized frame", u64::from(count) * u64::from(width) * 4)?;
        let [bounds, weights] = tables(device, &across, 0)?;
        let mut recorder = Recorder::new();
        recorder.dispatch_frame(
            gpu,
            "preprocess.frame",
            gpu.kernel(FRAME, self.output.precision, &[]),
            &texture,
            &[&bounds, &weights, &middle],
            FrameParams { columns: width, rows: count, first_row: rows.start, stride: across.stride },
            [width.div_ceil(WORKGROUP.0), count.div_ceil(WORKGROUP.1), 1],
            u64::from(count) * u64::from(width) * u64::from(across.stride) * 3,
        )?;
        self.record_vertical(&mut recorder, device, &middle, &down, Group { size, first: 0, count: 1 })?;
        Ok(Frame { texture, recording: recorder.finish(device) })
    }

    /// The second pass, from the half-resized pictures of a group into the network's input.
    fn record_vertical(
        &self,
        recorder: &mut Recorder,
        device: &Device,
        middle: &Slice,
        down: &Taps,
        group: Group,
    ) -> Result<()> {
        let rows = down.span();
        let [bounds, weights] = tables(device, down, rows.start)?;
        let (factor, offset) = self.preset.affine();
        // Channels that only fill up the last four stay zero.
        let grey = self.output.shape.c == 1;
        let pad = |[a, b, c]: [f32; 3]| if grey { [a, 0.0, 0.0, 0.0] } else { [a, b, c, 0.0] };
        let (width, height) = self.preset.crop;
        let bgr = self.preset.channel_order == ChannelOrder::Bgr;
        let cost = group.count as u64 * u64::from(height) * u64::from(width) * u64::from(down.stride) * 3;
        let Some(gpu) = device.gpu() else {
            let step = Step::ResizeColumns {
                width,
                height,
                images: group.count as u32,
                rows: rows.len() as u32,
                first_image: group.first as u32,
                stride: down.stride,
                bgr,
                factor: pad(factor),
                offset: pad(offset),
                middle: recorder.span(middle),
                bounds: recorder.span(&bounds),
                weights: recorder.span(&weights),
                output: recorder.span(&self.output.slice),
            };
            return recorder.step("preprocess.vertical", step, cost);
        };
        recorder.dispatch(
            gpu,
            "preprocess.vertical",
            gpu.kernel(VERTICAL, self.output.precision, &[]),
            &[middle, &bounds, &weights, &self.output.slice],
            VerticalParams {
                width,
                height,
                rows: rows.len() as u32,
                first_image: group.first as u32,
                stride: down.stride,
                order: if grey { 2 } else { u32::from(bgr) },
                _align: [0; 2],
                factor: pad(factor),
                offset: pad(offset),
            },
            [width.div_ceil(WORKGROUP.0), height.div_ceil(WORKGROUP.1), group.count as u32],
            cost,
        )
    }

    /// How many pictures of this size may go through together: their rows must fit the band and the grid.
    fn group_limit(&self, device: &Device, size: (u32, u32)) -> usize {
        let bytes = u64::from(size.0) * u64::from(size.1) * 4;
        let rows = u64::from(device.limits().workgroups_per_dimension) * u64::from(WORKGROUP.1);
        let middle = u64::from(size.1) * u64::from(self.preset.crop.0) * 4;
        let by_middle = device.limits().storage_binding_bytes / middle.max(1);
        (self.band_bytes / bytes.max(1)).min(rows / u64::from(size.1.max(1))).min(by_middle).max(1) as usize
    }

    fn run_group(&mut self, device: &Device, group: Group, images: &[&RgbaImage]) -> Result<()> {
        let prepared = match self.prepared.take().filter(|prepared| prepared.group == group) {
            Some(prepared) => prepared,
            None => self.prepare(device, group)?,
        };
        for band in &prepared.bands {
            upload(device, &prepared.source, images, &prepared.columns, &band.rows);
            // A write happens before the submits that follow it and after those before it, so one buffer serves all bands.
            band.recording.run(device)?;
        }
        self.prepared = Some(prepared);
        Ok(())
    }

    fn prepare(&self, device: &Device, group: Group) -> Result<Prepared> {
        let geometry = self.preset.geometry(group.size.0, group.size.1);
        let (across, down) = taps(group.size, &geometry, self.preset.filter);
        let (columns, rows) = (across.span(), down.span());
        let (width, _) = geometry.crop;
        let source_width = columns.len() as u32;
        let row_bytes = u64::from(source_width) * 4;
        // A group of several pictures fits into one band by `group_limit`.
        let band_rows = (self.band_bytes / row_bytes.max(1)).clamp(1, rows.len().max(1) as u64) as u32;
        let source_bytes = match group.count {
            1 => u64::from(band_rows) * row_bytes,
            count => count as u64 * rows.len() as u64 * row_bytes,
        };
        let source = Slice::new(device, "the picture", source_bytes)?;
        let middle_bytes = group.count as u64 * rows.len() as u64 * u64::from(width) * 4;
        let middle = Slice::new(device, "the half-resized picture", middle_bytes)?;
        let [across_bounds, across_weights] = tables(device, &across, columns.start)?;

        let mut bands = Vec::new();
        let mut start = rows.start;
        while start < rows.end {
            let end = if group.count > 1 { rows.end } else { rows.end.min(start + band_rows) };
            let lines = (end - start) * group.count as u32;
            let mut recorder = Recorder::new();
            let params = HorizontalParams {
                columns: width,
                rows: lines,
                source_width,
                first_row: start - rows.start,
                stride: across.stride,
            };
            record_horizontal(
                &mut recorder,
                device,
                self.output.precision,
                params,
                [&source, &across_bounds, &across_weights, &middle],
            )?;
            if end == rows.end {
                self.record_vertical(&mut recorder, device, &middle, &down, group)?;
            }
            bands.push(Band { rows: start..end, recording: recorder.finish(device) });
            start = end;
        }
        Ok(Prepared { group, columns, source, bands })
    }
}

/// The first pass: `operands` are the picture, bounds, weights and the half-resized picture.
fn record_horizontal(
    recorder: &mut Recorder,
    device: &Device,
    precision: Precision,
    params: HorizontalParams,
    operands: [&Slice; 4],
) -> Result<()> {
    let HorizontalParams { columns, rows, source_width, first_row, stride } = params;
    let label = "preprocess.horizontal";
    let cost = u64::from(rows) * u64::from(columns) * u64::from(stride) * 3;
    let Some(gpu) = device.gpu() else {
        let [source, bounds, weights, middle] = operands.map(|slice| recorder.span(slice));
        let step =
            Step::ResizeRows { columns, rows, source_width, source_row: 0, first_row, stride, source, bounds, weights, middle };
        return recorder.step(label, step, cost);
    };
    let kernel = gpu.kernel(HORIZONTAL, precision, &[]);
    recorder.dispatch(
        gpu,
        label,
        kernel,
        &operands,
        params,
        [columns.div_ceil(WORKGROUP.0), rows.div_ceil(WORKGROUP.1), 1],
        cost,
    )
}

/// Bounds, counted from the first input that is on the GPU, and weights.
fn tables(device: &Device, taps: &Taps, start: u32) -> Result<[Slice; 2]> {
    let bounds: Vec<[u32; 2]> = taps.bounds.iter().map(|&[first, count]| [first.saturating_sub(start), count]).collect();
    Ok([
        Slice::with_bytes(device, "resize bounds", bytemuck::cast_slice(&bounds))?,
        Slice::with_bytes(device, "resize weights", bytemuck::cast_slice(&taps.weights))?,
    ])
}

/// Writes these rows and columns of every picture one after another.
fn upload(device: &Device, source: &Slice, images: &[&RgbaImage], columns: &Range<u32>, rows: &Range<u32>) {
    let line = |image: &RgbaImage| image.width as usize * 4;
    if let [image] = images
        && columns.len() == image.width as usize
    {
        source.write(device, &image.pixels[rows.start as usize * line(image)..rows.end as usize * line(image)]);
        return;
    }
    let mut bytes = Vec::with_capacity(images.len() * rows.len() * columns.len() * 4);
    for image in images {
        for row in rows.clone() {
            let row = &image.pixels[row as usize * line(image)..][..line(image)];
            bytes.extend_from_slice(&row[columns.start as usize * 4..columns.end as usize * 4]);
        }
    }
    source.write(device, &bytes);
}
