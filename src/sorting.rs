//! Sorting, compiled once.
//!
//! `slice::sort` is compiled again for every type and every comparison, some 5 KB of wasm each: an eighth of the files' part was sorting.
//! Here positions are sorted, by one function that the others call. The order is that of the standard library's stable sorts.

use std::cmp::Ordering;
#[cfg(any(target_arch = "wasm32", test))]
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::hash::BuildHasher;

use indexmap::IndexMap;

/// [`slice::sort`].
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// [`slice::sort_by_key`]: the key is computed at each comparison.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// [`slice::sort_by`].
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut order = positions(items.len(), &|a, b| compare(&items[a], &items[b]));
    put(&mut order, &mut |a, b| items.swap(a, b));
}

/// [`IndexMap::sort_keys`].
pub fn sort_keys<V, S: BuildHasher>(map: &mut IndexMap<String, V, S>) {
    let mut entries: Vec<(String, V)> = map.drain(..).collect();
    sort_by(&mut entries, |a, b| a.0.cmp(&b.0));
    map.extend(entries);
}

/// The set of `items`. `collect` would sort them first, by a sort of their type's own.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The map of `entries`, likewise.
#[cfg(any(target_arch = "wasm32", test))]
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

/// The positions `0..len` in order; equal ones stay as they are.
#[inline(never)]
fn positions(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
    order
}

/// Swaps until at each place is what was at `order[place]` before.
#[inline(never)]
fn put(order: &mut [usize], swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        let mut place = start;
        // Each cycle of the permutation, once: a place that is right points to itself.
        while order[place] != start {
            let from = order[place];
            swap(place, from);
            order[place] = place;
            place = from;
        }
        order[place] = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_standard_library() {
        let mut state = 7_u64;
        let mut below = |count: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % count) as u32
        };
        for len in (0..40).chain([257, 1000]) {
            let items: Vec<(u32, usize)> = (0..len).map(|i| (below(len as u64 / 3 + 1), i)).collect();
            let (mut ours, mut theirs) = (items.clone(), items);
            sort_by_key(&mut ours, |item| item.0);
            theirs.sort_by_key(|item| item.0);
            assert_eq!(ours, theirs, "equal ones stay in their order");
            sort_by(&mut ours, |a, b| b.cmp(a));
            theirs.sort_by(|a, b| b.cmp(a));
            assert_eq!(ours, theirs);
        }
        let mut words = ["pool", "add", "relu"].map(String::from);
        sort(&mut words);
        assert_eq!(words, ["add", "pool", "relu"]);
        assert!(
            map([(2, 'b'), (1, 'a'), (2, 'c')]).into_iter().eq([(1, 'a'), (2, 'c')]) && set([3, 1, 3]).into_iter().eq([1, 3])
        );
        let mut map = IndexMap::from([("b".to_owned(), 1), ("a".to_owned(), 2)]);
        sort_keys(&mut map);
        assert_eq!(map.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
