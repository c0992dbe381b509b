//! Numbers from a seed, the same everywhere.

/// SplitMix64.
pub struct Random(u64);

impl Random {
    /// For input `index` of a reader: every input can be made alone.
    pub fn of(reader: &str, index: u64) -> Self {
        let name = reader
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let mut random = Self(name ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `count - 1`; 0 where there is none.
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A number at which something often goes wrong.
    pub fn odd_number(&mut self, size: usize) -> u64 {
        let known =
            [0, 1, 2, 3, 4, 7, 16, 127, 128, 255, 256, 1 << 16, (1 << 31) - 1, 1 << 31, u64::from(u32::MAX), 1 << 32, 1 << 40];
        match self.below(6) {
            0 => u64::MAX,
            1 => i64::MAX as u64,
            2 => (size as u64).wrapping_add(self.below(5) as u64).wrapping_sub(2),
            3 => self.next() >> self.below(64),
            _ => *self.pick(&known),
        }
    }
}
