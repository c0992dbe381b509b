//! Which images train and which validate: seeded, stratified by class, and with near duplicates on one side.
//!
//! Frames of one webcam burst look alike. If some of them trained and others validated, validation would reward a network for
//! remembering pictures. So images that look alike form groups, and a group is never parted.

use super::RgbaImage;
use super::random::{Stream, generator, shuffle};
use crate::{Error, Result};

/// Hashes that differ in at most this many of their 64 bits are taken for the same picture. A frame's neighbour in a burst
/// differs in a few bits. Pictures that have nothing in common rarely come so near: of 500 CIFAR-100 images of a class 0 to 23
/// chains form, the longest (apples before white) of 14; with 8 bits it has 77.
pub const NEAR_DUPLICATE_BITS: u32 = 6;

/// Indices of the images on either side, each rising.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Images to learn from.
    pub train: Vec<usize>,
    /// Images to judge by; none of them looks like one that trains.
    pub validation: Vec<usize>,
}

/// Puts about `fraction` of every class aside for validation.
///
/// `groups[i]` names the group of image `i` (see [`near_duplicates`]); `&[]` makes every image its own. Groups stay whole, so
/// a class can miss the fraction by part of a group. Every class keeps a group to train on; a class of two groups or more also
/// gives one to validation. A fraction of 0 trains on everything.
///
/// # Errors
/// [`Error::Usage`] when the fraction is not from 0 to below 1, or `groups` has another length than `labels`.
pub fn stratified(labels: &[usize], groups: &[usize], fraction: f32, seed: u64) -> Result<Split> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(Error::Usage(format!(
            "a validation fraction of {fraction} cannot be used; give a number from 0 (train on everything) to below 1"
        )));
    }
    if !groups.is_empty() && groups.len() != labels.len() {
        return Err(Error::Usage(format!("{} images have {} groups; every image needs one", labels.len(), groups.len())));
    }
    let mut split = Split { train: Vec::new(), validation: Vec::new() };
    let mut rng = generator(seed, Stream::Split);
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    for class in 0..classes {
        let images: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class).collect();
        let mut parts = parts(&images, groups);
        // Drawn even where nothing is put aside, so that one class never changes the split of the next.
        shuffle(&mut rng, &mut parts);
        let wanted = f64::from(fraction) * images.len() as f64;
        let mut aside = 0;
        let mut left = parts.len();
        for part in parts {
            let nearer = (aside as f64 + part.len() as f64 - wanted).abs() < (aside as f64 - wanted).abs();
            let first = aside == 0 && fraction > 0.0 && left == 2;
            if left > 1 && (nearer || first) {
                aside += part.len();
                split.validation.extend(part);
            } else {
                split.train.extend(part);
            }
            left -= 1;
        }
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    Ok(split)
}

/// The images of a class by group, in the order in which the groups first appear.
fn parts(images: &[usize], groups: &[usize]) -> Vec<Vec<usize>> {
    let mut parts: indexmap::IndexMap<usize, Vec<usize>> = indexmap::IndexMap::new();
    for &image in images {
        parts.entry(groups.get(image).copied().unwrap_or(image)).or_default().push(image);
    }
    parts.into_values().collect()
}

/// A fingerprint of what a picture looks like (difference hash, dHash): the picture is averaged down to 9 by 8 grey cells, and
/// each of 64 bits says whether a cell is darker than its right neighbour. Size, compression and brightness hardly change it.
pub fn difference_hash(image: &RgbaImage) -> u64 {
    const COLUMNS: usize = 9;
    const ROWS: usize = 8;
    let (width, height) = (image.width as usize, image.height as usize);
    let mut cells = [[0u64; COLUMNS]; ROWS];
    for (row, line) in cells.iter_mut().enumerate() {
        let ys = cell(row, ROWS, height);
        for (column, value) in line.iter_mut().enumerate() {
            let xs = cell(column, COLUMNS, width);
            let mut sum = 0u64;
            for y in ys.clone() {
                let pixels = &image.pixels[4 * (y * width + xs.start)..4 * (y * width + xs.end)];
                // Rec. 601 luma in thousandths.
                let luma = |p: &[u8]| 299 * u64::from(p[0]) + 587 * u64::from(p[1]) + 114 * u64::from(p[2]);
                sum += pixels.chunks_exact(4).map(luma).sum::<u64>();
            }
            *value = sum / (xs.len() * ys.len()) as u64;
        }
    }
    let bits = cells.iter().flat_map(|line| line.windows(2).map(|pair| u64::from(pair[0] < pair[1])));
    bits.fold(0, |hash, bit| hash << 1 | bit)
}

/// The pixels of cell `i` of `count` along a side of `size` pixels; never none.
fn cell(i: usize, count: usize, size: usize) -> std::ops::Range<usize> {
    let start = i * size / count;
    start..((i + 1) * size / count).max(start + 1)
}

/// A group for every image, named by the first image in it: images of one class whose hashes differ in at most `bits` bits,
/// and those that are joined by a chain of such pairs. Compares every pair of a class.
pub fn near_duplicates(labels: &[usize], hashes: &[u64], bits: u32) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..hashes.len()).collect();
    let mut classes: indexmap::IndexMap<usize, Vec<usize>> = indexmap::IndexMap::new();
    for (image, &label) in labels.iter().enumerate().take(hashes.len()) {
        classes.entry(label).or_default().push(image);
    }
    for images in classes.values() {
        for (k, &a) in images.iter().enumerate() {
            for &b in &images[..k] {
                if (hashes[a] ^ hashes[b]).count_ones() <= bits {
                    let (a, b) = (root(&mut parent, a), root(&mut parent, b));
                    // The smaller index is the root, so a group is named by its first image.
                    parent[a.max(b)] = a.min(b);
                }
            }
        }
    }
    (0..hashes.len()).map(|image| root(&mut parent, image)).collect()
}

/// The root of a union-find tree; halves the path on the way.
fn root(parent: &mut [usize], mut image: usize) -> usize {
    while parent[image] != image {
        parent[image] = parent[parent[image]];
        image = parent[image];
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `counts[k]` images of class k, interleaved.
    fn labels(counts: &[usize]) -> Vec<usize> {
        let most = counts.iter().max().copied().unwrap_or(0);
        (0..most).flat_map(|i| (0..counts.len()).filter(move |&k| i < counts[k])).collect()
    }

    fn validating(split: &Split, labels: &[usize], class: usize) -> usize {
        split.validation.iter().filter(|&&i| labels[i] == class).count()
    }

    #[test]
    fn every_class_gives_its_fraction() {
        let labels = labels(&[100, 50, 10, 3, 2, 1]);
        let split = stratified(&labels, &[], 0.2, 1).unwrap();
        let found: Vec<usize> = (0..6).map(|class| validating(&split, &labels, class)).collect();
        assert_eq!(found, [20, 10, 2, 1, 1, 0]);
        let mut all = [split.train.clone(), split.validation.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        assert!(split.train.is_sorted() && split.validation.is_sorted());
    }

    #[test]
    fn the_seed_decides() {
        let labels = labels(&[40, 40]);
        let split = |seed| stratified(&labels, &[], 0.25, seed).unwrap();
        assert_eq!(split(7), split(7));
        assert_ne!(split(7), split(8));
    }

    #[test]
    fn fractions_at_the_ends() {
        let labels = labels(&[5, 1]);
        let all = stratified(&labels, &[], 0.0, 1).unwrap();
        assert_eq!((all.train.len(), all.validation.len()), (6, 0));
        let most = stratified(&labels, &[], 0.99, 1).unwrap();
        assert_eq!(validating(&most, &labels, 0), 4, "one image of every class trains");
        assert!(stratified(&[], &[], 0.2, 1).unwrap().train.is_empty());
        for wrong in [-0.1, 1.0, f32::NAN] {
            assert!(stratified(&labels, &[], wrong, 1).unwrap_err().to_string().contains("0 (train on everything)"));
        }
        assert!(stratified(&labels, &[0], 0.2, 1).is_err());
    }

    #[test]
    fn groups_stay_whole() {
        // Ten bursts of six frames and ten single images.
        let labels = vec![0; 70];
        let groups: Vec<usize> = (0..70).map(|i| if i < 60 { i / 6 } else { i }).collect();
        for seed in 0..20 {
            let split = stratified(&labels, &groups, 0.2, seed).unwrap();
            assert!((11..=17).contains(&split.validation.len()), "{} of 70", split.validation.len());
            let of = |side: &[usize]| side.iter().map(|&i| groups[i]).collect::<std::collections::HashSet<_>>();
            assert!(of(&split.train).is_disjoint(&of(&split.validation)));
        }
        // Two bursts: one on either side, though that is half of the images. One burst: it trains.
        let split = stratified(&[0; 8], &[0, 0, 0, 0, 1, 1, 1, 1], 0.1, 3).unwrap();
        assert_eq!((split.train.len(), split.validation.len()), (4, 4));
        assert!(stratified(&[0; 4], &[0; 4], 0.5, 3).unwrap().validation.is_empty());
    }

    /// A soft pattern of its own for each `kind`, seen with an offset in brightness.
    fn picture(width: u32, height: u32, kind: u32, brighter: u8) -> RgbaImage {
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
                let wave = (7.0 * u * (1.0 + kind as f32) + 5.0 * v * (2.0 + kind as f32)).sin();
                let value = (100.0 + 60.0 * wave) as u8 + brighter;
                pixels.extend([value, value / 2, 255 - value, 255]);
            }
        }
        RgbaImage { width, height, pixels }
    }

    #[test]
    fn a_hash_knows_the_picture_again() {
        let first = difference_hash(&picture(96, 64, 0, 0));
        let differs = |image: &RgbaImage| (difference_hash(image) ^ first).count_ones();
        assert!(differs(&picture(96, 64, 0, 20)) <= NEAR_DUPLICATE_BITS);
        assert!(differs(&picture(48, 32, 0, 0)) <= NEAR_DUPLICATE_BITS);
        assert!(differs(&picture(96, 64, 1, 0)) > 3 * NEAR_DUPLICATE_BITS);
        // A ramp that gets lighter to the right sets all bits, its mirror none; pictures of a pixel are no trouble.
        let ramp = |rising: bool| RgbaImage {
            width: 18,
            height: 8,
            pixels: (0..18 * 8).flat_map(|i| [if rising { i % 18 * 10 } else { 250 - i % 18 * 10 }; 4]).collect(),
        };
        assert_eq!((difference_hash(&ramp(true)), difference_hash(&ramp(false))), (u64::MAX, 0));
        assert_eq!(difference_hash(&RgbaImage { width: 1, height: 1, pixels: vec![9; 4] }), 0);
    }

    #[test]
    fn near_duplicates_join_in_chains_within_a_class() {
        //           0     1       2        3     4        5
        let hashes = [0b0, 0b1111, 0xff00, 0b11, 0b1111111, 0b0];
        let labels = [0, 0, 0, 0, 0, 1];
        assert_eq!(near_duplicates(&labels, &hashes, 2), [0, 0, 2, 0, 4, 5]);
        assert_eq!(near_duplicates(&labels, &hashes, 3), [0, 0, 2, 0, 0, 5]);
        assert_eq!(near_duplicates(&labels, &hashes, 0), [0, 1, 2, 3, 4, 5]);
        assert!(near_duplicates(&[], &[], 4).is_empty());
    }
}
