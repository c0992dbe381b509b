//! Random numbers that repeat: the same seed gives the same split, order, augmentation and weights on every machine.
//!
//! ChaCha with 8 rounds is a specified stream, so no version of a crate can change it; the steps from its words to
//! permutations and reals are written here for the same reason.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Independent uses of one seed; each has its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Which images validate.
    Split,
    /// The order of the training images in the epoch of this number.
    Order(u32),
    /// What augmentation draws for the optimizer step of this number.
    Augment(u32),
    /// The initial values of the parameter whose name has this hash.
    Init(u32),
}

/// The generator for one use of `seed`. Whatever else was drawn before, it begins at the same place: a run that resumes
/// goes on as if it had never stopped.
pub fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    let (kind, number) = match stream {
        Stream::Split => (0, 0),
        Stream::Order(epoch) => (1, epoch),
        Stream::Augment(epoch) => (2, epoch),
        Stream::Init(name) => (3, name),
    };
    rng.set_stream(kind << 32 | u64::from(number));
    rng
}

/// A whole number below `bound`, every one equally likely; 0 for a bound of 0.
pub fn below(rng: &mut impl Rng, bound: u64) -> u64 {
    // Words of the last, incomplete run of `bound` numbers are drawn again.
    let Some(incomplete) = (u64::MAX % bound.max(1) + 1).checked_rem(bound) else { return 0 };
    loop {
        let word = rng.next_u64();
        if word <= u64::MAX - incomplete {
            return word % bound;
        }
    }
}

/// A number in 0..1, a multiple of 2^-53.
pub fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// A draw from the standard normal distribution (Box and Muller 1958).
pub fn normal(rng: &mut impl Rng) -> f64 {
    // 1 - u is never 0, whose logarithm would be infinite.
    let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(rng)).cos()
}

/// Brings `items` into a random order, every one equally likely (Fisher and Yates).
pub fn shuffle<T>(rng: &mut impl Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_order_for_ever() {
        let order = |seed, stream| {
            let mut items: Vec<u32> = (0..10).collect();
            shuffle(&mut generator(seed, stream), &mut items);
            items
        };
        // Written down once: other numbers would mean that old checkpoints resume to another result.
        assert_eq!(order(1, Stream::Order(0)), [0, 1, 8, 7, 3, 6, 4, 9, 5, 2]);
        assert_eq!(order(1, Stream::Order(0)), order(1, Stream::Order(0)));
        assert_ne!(order(1, Stream::Order(0)), order(1, Stream::Order(1)));
        assert_ne!(order(1, Stream::Order(0)), order(2, Stream::Order(0)));
        assert_ne!(order(1, Stream::Order(3)), order(1, Stream::Augment(3)));
    }

    #[test]
    fn draws_have_the_moments_of_their_distribution() {
        let mut rng = generator(5, Stream::Split);
        let n = 20_000;
        let mut counts = [0; 7];
        (0..n).for_each(|_| counts[below(&mut rng, 7) as usize] += 1);
        // Five standard deviations of a count.
        let spread = 5.0 * (f64::from(n) * 6.0 / 49.0).sqrt();
        assert!(counts.iter().all(|&c| (f64::from(c) - f64::from(n) / 7.0).abs() < spread), "{counts:?}");
        assert_eq!(below(&mut rng, 0), 0);
        assert_eq!(below(&mut rng, 1), 0);

        let draws: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|d| d * d).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.04 && (variance - 1.0).abs() < 0.06, "mean {mean}, variance {variance}");
    }
}
