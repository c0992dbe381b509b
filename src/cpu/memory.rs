//! Buffers by number, and the pieces of them that a step reads and writes.

use bytemuck::Zeroable;

use crate::program::Span;
use crate::{Error, Result};

/// A cache line: buffers begin at one, so that no vector is spread over two.
#[repr(C, align(64))]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Line([f32; 16]);

#[derive(Default)]
struct Buffer {
    lines: Vec<Line>,
    bytes: u64,
}

impl Buffer {
    fn values(&self) -> &[f32] {
        bytemuck::cast_slice(&self.lines)
    }
}

/// The largest number of a buffer: the table of buffers has a place for every number below.
const MAX_BUFFERS: u32 = 1 << 20;

/// All buffers.
#[derive(Default)]
pub(crate) struct Memory {
    buffers: Vec<Option<Buffer>>,
    bytes: u64,
}

/// An error of a step or call.
pub(crate) fn wrong(step: &str, reason: String) -> Error {
    Error::Program { step: step.to_owned(), reason }
}

impl Memory {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn alloc(&mut self, id: u32, bytes: u64) -> Result<()> {
        let count = usize::try_from(bytes.div_ceil(64)).map_err(|_| Error::Memory { bytes })?;
        let lines = bytemuck::allocation::try_zeroed_vec::<Line>(count).map_err(|()| Error::Memory { bytes })?;
        if id > MAX_BUFFERS {
            return Err(wrong("alloc", format!("buffers are numbered up to {MAX_BUFFERS}, and {id} came")));
        }
        self.free(id);
        self.bytes += bytes;
        let place = id as usize;
        if place >= self.buffers.len() {
            self.buffers.resize_with(place + 1, || None);
        }
        self.buffers[place] = Some(Buffer { lines, bytes });
        Ok(())
    }

    pub fn free(&mut self, id: u32) {
        if let Some(buffer) = self.buffers.get_mut(id as usize).and_then(Option::take) {
            self.bytes -= buffer.bytes;
        }
    }

    fn buffer(&self, step: &str, id: u32) -> Result<&Buffer> {
        let found = self.buffers.get(id as usize).and_then(Option::as_ref);
        found.ok_or_else(|| wrong(step, format!("there is no buffer {id}")))
    }

    /// First value and number of values of a span.
    fn place(&self, step: &str, span: Span) -> Result<(usize, usize)> {
        let buffer = self.buffer(step, span.buffer)?;
        let end = span.offset.checked_add(span.bytes);
        if !span.offset.is_multiple_of(4) || end.is_none_or(|end| end > buffer.bytes) {
            return Err(wrong(step, format!("{span:?} is no piece of a buffer of {} bytes", buffer.bytes)));
        }
        Ok(((span.offset / 4) as usize, (span.bytes / 4) as usize))
    }

    pub fn write(&mut self, id: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        let range = self.range(id, offset, bytes.len() as u64)?;
        if let Some(buffer) = &mut self.buffers[id as usize] {
            bytemuck::cast_slice_mut::<Line, u8>(&mut buffer.lines)[range].copy_from_slice(bytes);
        }
        Ok(())
    }

    pub fn read(&self, id: u32, offset: u64, len: u64) -> Result<&[u8]> {
        let range = self.range(id, offset, len)?;
        Ok(&bytemuck::cast_slice(&self.buffer("read", id)?.lines)[range])
    }

    fn range(&self, id: u32, offset: u64, len: u64) -> Result<std::ops::Range<usize>> {
        let buffer = self.buffer("read or write", id)?;
        let end = offset.checked_add(len).filter(|end| *end <= buffer.bytes);
        let end = end.ok_or_else(|| {
            wrong("read or write", format!("{len} bytes from {offset} on are not in a buffer of {} bytes", buffer.bytes))
        })?;
        Ok(offset as usize..end as usize)
    }

    /// Lends pieces to read and pieces to write, empty ones for None. A piece that is written overlaps no other.
    pub fn lend<const R: usize, const W: usize, T>(
        &mut self,
        step: &str,
        reads: [Option<Span>; R],
        writes: [Option<Span>; W],
        work: impl FnOnce([&[f32]; R], [&mut [f32]; W]) -> Result<T>,
    ) -> Result<T> {
        for span in reads.iter().chain(&writes).flatten() {
            self.place(step, *span)?;
        }
        let writes = writes.map(|span| span.map(|span| (span.buffer, span.offset as usize / 4, span.bytes as usize / 4)));
        // Buffers that are written are out of the table meanwhile.
        let mut taken: Vec<(u32, Buffer)> = Vec::new();
        for (id, ..) in writes.iter().flatten() {
            if let Some(buffer) = self.buffers[*id as usize].take() {
                taken.push((*id, buffer));
            }
        }
        let result = self.carve(step, &reads, &writes, &mut taken).and_then(|(reads, writes)| work(reads, writes));
        for (id, buffer) in taken {
            self.buffers[id as usize] = Some(buffer);
        }
        result
    }

    #[allow(clippy::type_complexity)] // two arrays of slices
    fn carve<'a, const R: usize, const W: usize>(
        &'a self,
        step: &str,
        reads: &[Option<Span>; R],
        writes: &[Option<(u32, usize, usize)>; W],
        taken: &'a mut [(u32, Buffer)],
    ) -> Result<([&'a [f32]; R], [&'a mut [f32]; W])> {
        let overlap = || wrong(step, "a piece that it writes overlaps another operand".to_owned());
        let mut written: [&'a mut [f32]; W] = std::array::from_fn(|_| Default::default());
        // What is left of the buffers that are written: buffer, first value, values.
        let mut left: Vec<(u32, usize, &'a [f32])> = Vec::new();
        for (id, buffer) in taken {
            let mut order: Vec<(usize, usize, usize)> = Vec::new();
            for (i, write) in writes.iter().enumerate() {
                if let Some((_, start, len)) = write.filter(|(of, ..)| of == id) {
                    order.push((start, len, i));
                }
            }
            order.sort_unstable();
            let mut rest: &'a mut [f32] = bytemuck::cast_slice_mut(&mut buffer.lines);
            let mut done = 0;
            for (start, len, i) in order {
                let before = start.checked_sub(done).ok_or_else(overlap)?;
                let (gap, tail) = rest.split_at_mut(before);
                let (piece, tail) = tail.split_at_mut(len);
                left.push((*id, done, gap));
                written[i] = piece;
                rest = tail;
                done = start + len;
            }
            left.push((*id, done, rest));
        }
        let mut read: [&'a [f32]; R] = [&[]; R];
        for (read, span) in read.iter_mut().zip(reads) {
            let Some(span) = span else { continue };
            let (start, len) = (span.offset as usize / 4, span.bytes as usize / 4);
            *read = match &self.buffers[span.buffer as usize] {
                Some(buffer) => &buffer.values()[start..start + len],
                None => {
                    let piece = left.iter().find(|(id, first, values)| {
                        *id == span.buffer && *first <= start && start + len <= first + values.len()
                    });
                    let (_, first, values) = piece.ok_or_else(overlap)?;
                    &values[start - first..][..len]
                }
            };
        }
        Ok((read, written))
    }
}

thread_local! {
    static FREE: std::cell::RefCell<Vec<Vec<Line>>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Lends `len` values of memory, kept for the thread's next task. They hold anything at first.
pub(crate) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut lines = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if lines.len() * 16 < len {
        lines.resize(len.div_ceil(16), Line::zeroed());
    }
    let result = work(&mut bytemuck::cast_slice_mut(&mut lines)[..len]);
    FREE.with_borrow_mut(|free| free.push(lines));
    result
}
