//! CRC-32 (ISO 3309, as PNG and zip use it) with the interface of the crate `crc32fast`, which it replaces (`[patch]` in
//! Cargo.toml).
//!
//! That crate is made for speed and carries a table of 16 KB. Noise to gzip, it was a thirtieth of what a visitor of the page
//! downloads, for checking the chunks of a PNG when the browser's decoder does not do. Sixteen entries are enough for that.

/// The remainders of all four-bit values, by the reversed polynomial.
const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut value = 0;
    while value < 16 {
        let mut remainder = value as u32;
        let mut bit = 0;
        while bit < 4 {
            remainder = remainder >> 1 ^ if remainder & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[value] = remainder;
        value += 1;
    }
    table
};

fn step(state: u32, byte: u8) -> u32 {
    let state = state ^ u32::from(byte);
    let state = state >> 4 ^ TABLE[(state & 15) as usize];
    state >> 4 ^ TABLE[(state & 15) as usize]
}

/// The checksum of `bytes`.
pub fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

/// A checksum that grows.
#[derive(Debug, Clone, Default)]
pub struct Hasher {
    checksum: u32,
    length: u64,
}

impl Hasher {
    /// The checksum of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on from a checksum; what led to it is `length` bytes long, which only [`combine`](Self::combine) asks for.
    pub fn new_with_initial_len(checksum: u32, length: u64) -> Self {
        Self { checksum, length }
    }

    /// Goes on from a checksum.
    pub fn new_with_initial(checksum: u32) -> Self {
        Self::new_with_initial_len(checksum, 0)
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.checksum = !bytes.iter().fold(!self.checksum, |state, byte| step(state, *byte));
        self.length += bytes.len() as u64;
    }

    /// The checksum.
    pub fn finalize(self) -> u32 {
        self.checksum
    }

    /// Back to nothing.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Adds what `other` has seen. Its bytes are not there any more, but their checksum is what they leave of zeros: takes as
    /// long as adding them.
    pub fn combine(&mut self, other: &Self) {
        self.checksum = (0..other.length).fold(self.checksum, |state, _| step(state, 0)) ^ other.checksum;
        self.length += other.length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(hash(b""), 0);
        assert_eq!(hash(b"123456789"), 0xcbf4_3926, "the catalogue's check value");
        assert_eq!(hash(b"IEND"), 0xae42_6082, "the last bytes of every PNG");
    }

    #[test]
    fn parts_make_the_whole() {
        let (first, second) = b"A checksum in two parts.".split_at(9);
        let mut grown = Hasher::new();
        grown.update(first);
        let mut other = Hasher::new_with_initial(grown.clone().finalize());
        other.update(second);
        let mut tail = Hasher::new();
        tail.update(second);
        grown.combine(&tail);
        assert_eq!(grown.clone().finalize(), hash(b"A checksum in two parts."));
        assert_eq!(other.finalize(), grown.clone().finalize());
        grown.reset();
        assert_eq!(grown.finalize(), 0);
    }
}
