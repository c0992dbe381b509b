//! Which values may share a buffer: pure, so that aliasing is tested without a GPU.

use crate::sorting;

/// When a value is alive, in steps of a recording, and how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// The step that writes it.
    pub first: usize,
    /// The last step that reads it.
    pub last: usize,
    /// Size in bytes.
    pub bytes: u64,
}

/// A slot for every value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Slot of value `i`.
    pub slot_of: Vec<usize>,
    /// Bytes of each slot.
    pub slots: Vec<u64>,
}

impl Assignment {
    /// Bytes of all slots.
    pub fn total_bytes(&self) -> u64 {
        self.slots.iter().sum()
    }
}

/// Greedy by size (Pisarchyk and Lee 2020, arXiv:2001.03288): the largest values first, each into the slot that fits best
/// among those free during its whole life. Values that live at the same step never share a slot.
pub fn assign_slots(lifetimes: &[Lifetime]) -> Assignment {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    sorting::sort_by_key(&mut order, |&i| (std::cmp::Reverse(lifetimes[i].bytes), lifetimes[i].first));
    let mut slot_of = vec![0; lifetimes.len()];
    let mut slots: Vec<(u64, Vec<usize>)> = Vec::new();
    for value in order {
        let life = lifetimes[value];
        let free =
            |tenants: &[usize]| tenants.iter().all(|&t| lifetimes[t].last < life.first || life.last < lifetimes[t].first);
        // Slots were opened by larger values, so any free one is large enough; the smallest wastes least.
        let best = (0..slots.len()).filter(|&s| free(&slots[s].1)).min_by_key(|&s| slots[s].0);
        let slot = best.unwrap_or_else(|| {
            slots.push((life.bytes, Vec::new()));
            slots.len() - 1
        });
        slots[slot].1.push(value);
        slot_of[value] = slot;
    }
    Assignment { slot_of, slots: slots.into_iter().map(|(bytes, _)| bytes).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(first: usize, last: usize, bytes: u64) -> Lifetime {
        Lifetime { first, last, bytes }
    }

    #[test]
    fn a_chain_needs_two_slots() {
        let plan = assign_slots(&[life(0, 1, 100), life(1, 2, 100), life(2, 3, 100), life(3, 4, 100)]);
        assert_eq!(plan.slots, [100, 100]);
    }

    #[test]
    fn a_residual_keeps_its_input_alive() {
        let plan = assign_slots(&[life(0, 2, 100), life(1, 2, 40), life(2, 3, 100)]);
        assert_eq!(plan.slots.len(), 3);
    }

    #[test]
    fn neighbours_in_time_never_share_and_every_value_fits() {
        // A fixed pseudo-random set of lifetimes.
        let mut seed = 7_u64;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let lives: Vec<Lifetime> = (0..200)
            .map(|_| {
                let first = next(50) as usize;
                life(first, first + next(8) as usize, 1 + next(1000))
            })
            .collect();
        let plan = assign_slots(&lives);
        for (i, a) in lives.iter().enumerate() {
            assert!(a.bytes <= plan.slots[plan.slot_of[i]]);
            for (j, b) in lives.iter().enumerate().skip(i + 1) {
                let together = a.first <= b.last && b.first <= a.last;
                assert!(!together || plan.slot_of[i] != plan.slot_of[j], "{a:?} and {b:?} share a slot");
            }
        }
        let sum: u64 = lives.iter().map(|l| l.bytes).sum();
        assert!(plan.total_bytes() < sum / 2);
    }
}
