//! Flatbuffers: tables written by field number, and read in place.
//!
//! Google's crate writes them; what it would need generated code for is a list of numbers here. Its tables are read by `unsafe` code, ours,
//! from files of anyone, with a check of every offset.

use flatbuffers::{FlatBufferBuilder, Push, TableFinishedWIPOffset, Vector, WIPOffset};

/// A table that was written.
pub(super) type Table = WIPOffset<TableFinishedWIPOffset>;

/// A field's value.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Byte(u8),
    Bool(bool),
    Int(i32),
    Float(f32),
    /// Of a table, a vector or a text.
    At(Table),
}

/// A file that is written, from its leaves to its root.
#[derive(Default)]
pub(super) struct Tables<'a>(FlatBufferBuilder<'a>);

/// Where a table keeps its field of this number.
fn slot(field: u16) -> u16 {
    4 + 2 * field
}

impl Tables<'_> {
    /// A table of these fields.
    pub fn table(&mut self, fields: &[(u16, Field)]) -> Table {
        let start = self.0.start_table();
        for (number, field) in fields {
            let at = slot(*number);
            match *field {
                Field::Byte(value) => self.0.push_slot_always(at, value),
                Field::Bool(value) => self.0.push_slot_always(at, value),
                Field::Int(value) => self.0.push_slot_always(at, value),
                Field::Float(value) => self.0.push_slot_always(at, value),
                Field::At(value) => self.0.push_slot_always(at, value),
            }
        }
        let end = self.0.end_table(start);
        WIPOffset::new(end.value())
    }

    pub fn text(&mut self, text: &str) -> Field {
        Field::At(WIPOffset::new(self.0.create_string(text).value()))
    }

    pub fn ints(&mut self, values: &[usize]) -> Field {
        let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
        Field::At(vector(&mut self.0, &values))
    }

    pub fn tables(&mut self, tables: &[Table]) -> Field {
        Field::At(WIPOffset::new(self.0.create_vector(tables).value()))
    }

    pub fn floats(&mut self, values: &[f32]) -> Field {
        Field::At(vector(&mut self.0, values))
    }

    pub fn longs(&mut self, values: &[i64]) -> Field {
        Field::At(vector(&mut self.0, values))
    }

    /// Bytes that begin at a multiple of 16 of the file.
    pub fn aligned(&mut self, bytes: &[u8]) -> Field {
        // Counted from the end; `finish` makes the whole a multiple.
        while !(self.0.unfinished_data().len() + bytes.len()).is_multiple_of(16) {
            self.0.push(0u8);
        }
        Field::At(vector(&mut self.0, bytes))
    }

    /// The file, a multiple of 16 bytes.
    pub fn finish(mut self, root: Table, identifier: &str) -> Vec<u8> {
        // In front come the root's offset and the identifier, 8 bytes.
        self.0.push(0u64);
        while self.0.unfinished_data().len() % 16 != 8 {
            self.0.push(0u64);
        }
        self.0.finish(root, Some(identifier));
        self.0.finished_data().to_vec()
    }
}

fn vector<'a, T: Push>(builder: &mut FlatBufferBuilder<'a>, values: &[T]) -> Table
where
    T::Output: 'a,
{
    let made: WIPOffset<Vector<'a, T::Output>> = builder.create_vector(values);
    WIPOffset::new(made.value())
}

/// A table of a file that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Read<'a> {
    /// The root of a file.
    pub fn root(bytes: &'a [u8]) -> Option<Self> {
        Self { bytes, at: 0 }.follow(0)
    }

    fn number<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn word(&self, at: usize) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.number(at)?)).ok()
    }

    /// The table that the offset at `at` leads to.
    fn follow(&self, at: usize) -> Option<Self> {
        let at = at.checked_add(self.word(at)?)?;
        (at < self.bytes.len()).then_some(Self { at, ..*self })
    }

    /// Where the field is; nowhere if it is left out.
    fn field(&self, field: u16) -> Option<usize> {
        let back = i32::from_le_bytes(self.number(self.at)?);
        let list = usize::try_from(i64::try_from(self.at).ok()? - i64::from(back)).ok()?;
        let (size, slot) = (u16::from_le_bytes(self.number(list)?), slot(field));
        if slot + 2 > size {
            return None;
        }
        match u16::from_le_bytes(self.number(list.checked_add(slot.into())?)?) {
            0 => None,
            offset => self.at.checked_add(offset.into()),
        }
    }

    pub fn byte(&self, field: u16) -> Option<u8> {
        self.number::<1>(self.field(field)?).map(|[byte]| byte)
    }

    pub fn int(&self, field: u16) -> Option<u32> {
        self.number(self.field(field)?).map(u32::from_le_bytes)
    }

    /// A vector: its start and its length in elements of `size` bytes.
    fn vector(&self, field: u16, size: usize) -> Option<(usize, usize)> {
        let at = self.follow(self.field(field)?)?.at;
        let (start, count) = (at.checked_add(4)?, self.word(at)?);
        let end = start.checked_add(count.checked_mul(size)?)?;
        (end <= self.bytes.len()).then_some((start, count))
    }

    pub fn bytes(&self, field: u16) -> Option<&'a [u8]> {
        let (start, count) = self.vector(field, 1)?;
        self.bytes.get(start..start + count)
    }

    pub fn text(&self, field: u16) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(field)?).ok()
    }

    /// Whole numbers: what tests follow operators by.
    #[cfg(test)]
    pub fn ints(&self, field: u16) -> Option<Vec<u32>> {
        let (start, count) = self.vector(field, 4)?;
        (0..count).map(|i| self.number(start + 4 * i).map(u32::from_le_bytes)).collect()
    }

    /// The tables of a vector; those that lead nowhere are left out.
    pub fn tables(&self, field: u16) -> impl Iterator<Item = Self> + use<'a> {
        let (start, count) = self.vector(field, 4).unwrap_or_default();
        let table = *self;
        (0..count).filter_map(move |i| table.follow(start + 4 * i))
    }
}
