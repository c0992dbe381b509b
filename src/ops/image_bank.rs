//! Training pictures that stay on the GPU, as bytes.

use crate::data::Whole;
use crate::device::{Device, Slice};
use crate::{Error, Result};

/// Buffers a bank may be spread over: with the draws and the output they fill the eight storage bindings WebGPU promises.
pub(super) const MAX_CHUNKS: usize = 6;

/// Pictures of one size as 8-bit values, three bytes a pixel (or one), in one buffer or a few where a binding is too small.
#[derive(Debug)]
pub struct ImageBank {
    count: usize,
    height: usize,
    width: usize,
    channels: usize,
    margin: usize,
    chunk_pictures: usize,
    chunks: Vec<Slice>,
    /// Mean colour of every picture, for contrast.
    means: Vec<[f32; 3]>,
    /// Of pictures that are not as large as their place, or were of another size before: rows and columns that show them, and that they
    /// had.
    wholes: Vec<Option<[(usize, usize); 2]>>,
}

/// What a draw needs to know of a stored picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picture {
    /// Its index in the bank.
    pub index: u32,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Rows and columns that it had before it was stored; crops are drawn in these.
    pub source: (usize, usize),
    /// Rows and columns on every side around what inference would show: crops and rotations may draw from them.
    pub margin: usize,
    /// Mean red, green and blue, 0 to 255.
    pub mean: [f32; 3],
}

impl ImageBank {
    /// Bytes on the GPU of `count` pictures: each is padded to whole fours of bytes.
    pub fn bytes_for(count: usize, height: usize, width: usize, channels: usize) -> u64 {
        count as u64 * (height as u64 * width as u64 * channels as u64).next_multiple_of(4)
    }

    /// How many pictures of this size one bank takes on this device, whatever memory is free.
    pub fn capacity(device: &Device, height: usize, width: usize, channels: usize) -> usize {
        let picture = Self::bytes_for(1, height, width, channels).max(4);
        MAX_CHUNKS * (device.limits().storage_binding_bytes / picture) as usize
    }

    /// A bank of `count` black pictures.
    ///
    /// # Errors
    /// [`Error::Usage`] when a picture would be empty or has other than 1 or 3 channels, [`Error::Limit`] when the bank is
    /// larger than the device allows.
    pub fn new(device: &Device, count: usize, height: usize, width: usize, channels: usize) -> Result<Self> {
        Self::with_chunk_bytes(device, count, height, width, channels, device.limits().storage_binding_bytes)
    }

    /// The same with at most `chunk_bytes` in a buffer.
    ///
    /// # Errors
    /// As [`new`](Self::new), with six times `chunk_bytes` as the limit.
    pub fn with_chunk_bytes(
        device: &Device,
        count: usize,
        height: usize,
        width: usize,
        channels: usize,
        chunk_bytes: u64,
    ) -> Result<Self> {
        if count == 0 || height == 0 || width == 0 || !matches!(channels, 1 | 3) {
            return Err(Error::Usage(format!(
                "a bank holds at least one picture of 1 or 3 channels, asked for {count} of {width} x {height} pixels with \
                 {channels} channels"
            )));
        }
        let picture = Self::bytes_for(1, height, width, channels);
        let chunk_pictures = (chunk_bytes.min(device.limits().storage_binding_bytes) / picture) as usize;
        if count > MAX_CHUNKS * chunk_pictures {
            return Err(Error::Limit {
                what: format!("keeping {count} pictures of {width} x {height} pixels"),
                needed: Self::bytes_for(count, height, width, channels),
                limit: (MAX_CHUNKS * chunk_pictures) as u64 * picture,
                hint: "use fewer or smaller pictures, or load them in parts".into(),
            });
        }
        let chunk_pictures = chunk_pictures.min(count);
        let chunks = (0..count)
            .step_by(chunk_pictures)
            .map(|first| Slice::new(device, "training pictures", chunk_pictures.min(count - first) as u64 * picture))
            .collect::<Result<_>>()?;
        Ok(Self {
            count,
            height,
            width,
            channels,
            margin: 0,
            chunk_pictures,
            chunks,
            means: vec![[0.0; 3]; count],
            wholes: vec![None; count],
        })
    }

    /// The same bank for pictures with a margin: what is shown without augmentation is their middle.
    ///
    /// # Panics
    /// When the margin leaves nothing of a picture.
    pub fn with_margin(mut self, margin: usize) -> Self {
        assert!(2 * margin < self.height.min(self.width), "a margin of {margin} of {} x {}", self.width, self.height);
        self.margin = margin;
        self
    }

    /// Puts a picture at `index`: `height * width * channels` bytes by rows, the channels of a pixel side by side, red first.
    ///
    /// # Errors
    /// [`Error::Usage`] when the index or the number of bytes does not fit.
    pub fn write(&mut self, device: &Device, index: usize, pixels: &[u8]) -> Result<()> {
        let expected = self.height * self.width * self.channels;
        if index >= self.count || pixels.len() != expected {
            return Err(Error::Usage(format!(
                "a bank of {} pictures of {expected} bytes cannot take {} bytes as picture {index} (counted from 0)",
                self.count,
                pixels.len()
            )));
        }
        let bytes = Self::bytes_for(1, self.height, self.width, self.channels);
        let place = (index % self.chunk_pictures) as u64 * bytes;
        self.chunks[index / self.chunk_pictures].part(place, bytes).write(device, pixels);
        self.wholes[index] = None;
        self.means[index] = self.mean(pixels, (self.height, self.width));
        Ok(())
    }

    /// The same for all of a picture on the square of its place.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_whole(&mut self, device: &Device, index: usize, whole: &Whole) -> Result<()> {
        self.write(device, index, &whole.pixels)?;
        let (width, height) = Whole::extent(whole.size, self.width as u32);
        let extent = (height as usize, width as usize);
        self.wholes[index] = Some([extent, (whole.size.1 as usize, whole.size.0 as usize)]);
        self.means[index] = self.mean(&whole.pixels, extent);
        Ok(())
    }

    /// Mean colour of so many rows and columns.
    fn mean(&self, pixels: &[u8], (rows, columns): (usize, usize)) -> [f32; 3] {
        let mut sums = [0u64; 3];
        for row in pixels.chunks_exact(self.width * self.channels).take(rows) {
            for pixel in row.chunks_exact(self.channels).take(columns) {
                for (sum, c) in sums.iter_mut().zip(0..) {
                    *sum += u64::from(pixel[self.channels.min(c + 1) - 1]);
                }
            }
        }
        sums.map(|sum| sum as f32 / (rows * columns).max(1) as f32)
    }

    /// What a draw needs to know of the picture at `index`, or None past the end.
    pub fn picture(&self, index: usize) -> Option<Picture> {
        let mean = *self.means.get(index)?;
        let [(height, width), source] = self.wholes[index].unwrap_or([(self.height, self.width); 2]);
        Some(Picture { index: index as u32, height, width, source, margin: self.margin, mean })
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never: a bank holds at least one picture.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Rows and columns of a picture.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// Channels of a picture: 3 or 1.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Bytes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.chunks.iter().map(Slice::bytes).sum()
    }

    pub(super) fn chunks(&self) -> &[Slice] {
        &self.chunks
    }

    pub(super) fn chunk_pictures(&self) -> usize {
        self.chunk_pictures
    }
}
