//! LevelDB's table format, in which TensorFlow keeps the names of a checkpoint: blocks of sorted keys with values, an index of
//! blocks, and a footer of 48 bytes that ends in a fixed number.
//!
//! A block is entries (three numbers: bytes shared with the key before, other bytes of the key, bytes of the value; then those),
//! places where sharing begins anew (4 bytes each) and how many these are (4 bytes); behind it stand how it is packed (1 byte) and a
//! checksum (4 bytes). Crates that read it are whole databases, or panic on damage. Source: LevelDB's doc/table_format.md.

use std::borrow::Cow;
use std::ops::Range;

use super::protobuf::varint;

/// The last bytes of every table.
const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();
const FOOTER: usize = 48;
/// How the block is packed, and its checksum.
const TRAILER: usize = 5;
/// Bytes that blocks may unpack to, all together.
const MAX_UNPACKED: usize = 4 << 30;
/// No byte of Snappy's stands for more: a copy of 64 bytes takes three.
const MAX_RATIO: usize = 22;

const DAMAGED: &str = "its table of names is damaged; the download or copy was probably cut off";

/// Whether bytes are a table.
pub(super) fn is_table(bytes: &[u8]) -> bool {
    bytes.len() >= FOOTER && bytes.ends_with(&MAGIC)
}

/// A table, unpacked.
#[derive(Debug)]
pub(super) struct Table<'a> {
    blocks: Vec<Cow<'a, [u8]>>,
}

impl<'a> Table<'a> {
    /// Unpacks every block.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let footer = bytes.len().checked_sub(FOOTER).filter(|_| is_table(bytes)).ok_or(DAMAGED)?;
        let mut handles = &bytes[footer..];
        handle(&mut handles).ok_or(DAMAGED)?; // of statistics, which nobody writes
        let index = handle(&mut handles).ok_or(DAMAGED)?;
        let mut left = MAX_UNPACKED;
        let index = block(bytes, index, &mut left)?;
        let (mut places, mut total) = (Vec::new(), 0usize);
        entries(&index, |_, place| {
            let place = handle(&mut &index[place]).ok_or(DAMAGED)?;
            // Blocks are not shared, and so are no larger than the file together.
            total = total.checked_add(place.1).filter(|total| *total <= bytes.len()).ok_or(DAMAGED)?;
            places.push(place);
            Ok(())
        })?;
        let blocks = places.into_iter().map(|place| block(bytes, place, &mut left)).collect::<Result<_, _>>()?;
        Ok(Self { blocks })
    }

    /// Bytes of all blocks.
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.len()).sum()
    }

    /// Every key with its value, in order.
    pub fn each<'t>(&'t self, mut visit: impl FnMut(&[u8], &'t [u8]) -> Result<(), String>) -> Result<(), String> {
        self.blocks.iter().try_for_each(|block| entries(block, |key, value| visit(key, &block[value])))
    }
}

/// Start and length of a block.
fn handle(bytes: &mut &[u8]) -> Option<(usize, usize)> {
    let mut number = || usize::try_from(varint(bytes)?).ok();
    Some((number()?, number()?))
}

fn block<'a>(bytes: &'a [u8], (start, length): (usize, usize), left: &mut usize) -> Result<Cow<'a, [u8]>, String> {
    let end = start.checked_add(length).and_then(|end| end.checked_add(TRAILER)).ok_or(DAMAGED)?;
    let (contents, trailer) = bytes.get(start..end).ok_or(DAMAGED)?.split_at(length);
    match trailer[0] {
        0 => Ok(Cow::Borrowed(contents)),
        1 => {
            let size = snap::raw::decompress_len(contents).map_err(|_| DAMAGED)?;
            if size > length.saturating_mul(MAX_RATIO) {
                return Err(DAMAGED.into());
            }
            *left =
                left.checked_sub(size).ok_or_else(|| format!("its blocks unpack to more than {} GiB", MAX_UNPACKED >> 30))?;
            Ok(Cow::Owned(snap::raw::Decoder::new().decompress_vec(contents).map_err(|_| DAMAGED)?))
        }
        _ => Err("its table of names is packed in a way that is not known here".into()),
    }
}

/// Keys, and where in the block their values are.
fn entries(block: &[u8], mut visit: impl FnMut(&[u8], Range<usize>) -> Result<(), String>) -> Result<(), String> {
    let (rest, count) = block.split_last_chunk::<4>().ok_or(DAMAGED)?;
    let restarts = (u32::from_le_bytes(*count) as usize).checked_mul(4).ok_or(DAMAGED)?;
    let end = rest.len().checked_sub(restarts).ok_or(DAMAGED)?;
    let mut rest = &rest[..end];
    let mut key: Vec<u8> = Vec::new();
    while !rest.is_empty() {
        let mut number = || usize::try_from(varint(&mut rest).ok_or(DAMAGED)?).map_err(|_| DAMAGED);
        let (shared, other, length) = (number()?, number()?, number()?);
        if shared > key.len() {
            return Err(DAMAGED.into());
        }
        let (delta, behind) = rest.split_at_checked(other).ok_or(DAMAGED)?;
        key.truncate(shared);
        key.extend(delta);
        let start = end - behind.len();
        rest = behind.get(length..).ok_or(DAMAGED)?;
        visit(&key, start..start + length)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(mut n: usize, out: &mut Vec<u8>) {
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    }

    fn block_of(entries: &[(usize, &str, &[u8])]) -> Vec<u8> {
        let mut block = Vec::new();
        for (shared, rest, value) in entries {
            for n in [*shared, rest.len(), value.len()] {
                number(n, &mut block);
            }
            block.extend(rest.as_bytes());
            block.extend(*value);
        }
        block.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        block
    }

    /// One block, packed or not, and its index.
    fn table(packed: bool) -> Vec<u8> {
        let contents = block_of(&[(0, "conv1/weights", b"a"), (6, "biases", &[7; 300]), (0, "logits", b"")]);
        let contents = if packed { snap::raw::Encoder::new().compress_vec(&contents).unwrap() } else { contents };
        let mut bytes = contents.clone();
        bytes.push(u8::from(packed));
        bytes.extend([0; 4]);
        let mut place = Vec::new();
        number(0, &mut place);
        number(contents.len(), &mut place);
        let (start, index) = (bytes.len(), block_of(&[(0, "z", &place)]));
        bytes.extend(&index);
        bytes.extend([0; TRAILER]);
        let mut footer = vec![0, 0];
        number(start, &mut footer);
        number(index.len(), &mut footer);
        footer.resize(40, 0);
        bytes.extend(footer);
        bytes.extend(MAGIC);
        bytes
    }

    fn listed(bytes: &[u8]) -> Result<Vec<(String, usize)>, String> {
        let table = Table::open(bytes)?;
        let mut found = Vec::new();
        table.each(|key, value| {
            found.push((String::from_utf8_lossy(key).into_owned(), value.len()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn keys_share_beginnings_and_blocks_may_be_packed() {
        for packed in [false, true] {
            let found = listed(&table(packed)).unwrap();
            assert_eq!(found, [("conv1/weights".into(), 1), ("conv1/biases".into(), 300), ("logits".into(), 0)]);
        }
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        for packed in [false, true] {
            let whole = table(packed);
            for end in 0..whole.len() {
                assert!(listed(&whole[..end]).is_err(), "{end}");
            }
            for at in 0..whole.len() {
                for value in [0, 0x7f, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[at] = value;
                    let _ = listed(&damaged);
                }
            }
        }
        // Snappy's header claims four gigabytes.
        let mut claims = table(true);
        claims[..4].fill(0xff);
        claims[4] = 0x0f;
        assert!(listed(&claims).unwrap_err().contains("damaged"));
    }
}
