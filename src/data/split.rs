//! Which images train and which validate: seeded, stratified by class, and with near duplicates on one side.
//!
//! Frames of one webcam burst look alike. If some of them trained and others validated, validation would reward a network for
//! remembering pictures. So images that look alike form groups, and a group is never parted.

use super::RgbaImage;
use super::random::{Stream, generator, shuffle};
use crate::sorting;
use crate::{Error, Result};

/// Hashes that differ in at most this many of their 64 bits may be of the same picture: a frame's neighbour in a burst differs in a
/// few. It is no proof: of 500 handwritten digits of a class, or of drawings on white, most pairs come as near.
pub const NEAR_DUPLICATE_BITS: u32 = 6;
/// The second look: the correlation of both pictures' 16 x 16 grey cells. Frames of a burst have 0.985 and more where the camera
/// hardly moves; of pairs of handwritten digits of one class one in a hundred has.
const NEAR_DUPLICATE_CORRELATION: f64 = 0.985;
/// Neighbouring cells that differ at all, of 64, below which a hash says little: flat pictures are never taken for each other.
const FEWEST_DIFFERENCES: u32 = 12;

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
/// `groups[i]` names the group of image `i` (see [`near_duplicates`]); `&[]` makes every image its own. Groups stay whole as far as
/// the fraction allows: no class loses more than its share, rounded, or one image, and where its groups are too large for that, one
/// of them is parted at its end. Every class keeps images to train on; a class that is one group only trains. A fraction of 0
/// trains on everything.
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
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); classes];
    labels.iter().enumerate().for_each(|(image, label)| members[*label].push(image));
    for images in members {
        let mut parts = parts(&images, groups);
        // Drawn even where nothing is put aside, so that one class never changes the split of the next.
        shuffle(&mut rng, &mut parts);
        let wanted = share(images.len(), fraction);
        if parts.len() < 2 || wanted == 0 {
            split.train.extend(images);
            continue;
        }
        let mut aside = Vec::new();
        let mut trains: Vec<Vec<usize>> = Vec::new();
        for part in parts {
            if aside.len() + part.len() <= wanted { aside.extend(part) } else { trains.push(part) }
        }
        if 2 * aside.len() < wanted {
            // The groups are larger than the share: the end of the smallest one validates.
            if let Some(smallest) = trains.iter_mut().min_by_key(|part| part.len()) {
                aside.extend(smallest.split_off(smallest.len() - (wanted - aside.len())));
            }
        }
        split.validation.extend(aside);
        split.train.extend(trains.into_iter().flatten());
    }
    sorting::sort(&mut split.train);
    sorting::sort(&mut split.validation);
    Ok(split)
}

/// The share of so many images, to the nearest whole number: at least one, and never all.
fn share(images: usize, fraction: f32) -> usize {
    if fraction == 0.0 || images < 2 {
        return 0;
    }
    // A half goes down.
    let nearest = (f64::from(fraction) * images as f64 + 0.5).ceil() - 1.0;
    (nearest as usize).clamp(1, images - 1)
}

/// The images of a class by group, in the order in which the groups first appear.
fn parts(images: &[usize], groups: &[usize]) -> Vec<Vec<usize>> {
    let mut parts: indexmap::IndexMap<usize, Vec<usize>> = indexmap::IndexMap::new();
    for &image in images {
        parts.entry(groups.get(image).copied().unwrap_or(image)).or_default().push(image);
    }
    parts.into_values().collect()
}

/// What a picture looks like, small enough to keep for every picture of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    hash: u64,
    /// 16 x 16 grey cells; none where the hash says too little to compare at all.
    cells: Option<Box<[u8; CELLS * CELLS]>>,
}

/// Cells of a [`Look`] along either side.
const CELLS: usize = 16;

impl Look {
    /// Looks at a picture.
    pub fn at(image: &RgbaImage) -> Self {
        let cells = grey_cells::<9, 8>(image);
        let pairs = || cells.iter().flat_map(|line| line.windows(2));
        let hash = pairs().fold(0, |hash, pair| hash << 1 | u64::from(pair[0] < pair[1]));
        // In thousandths of a grey level.
        let differences = pairs().filter(|pair| pair[0].abs_diff(pair[1]) > 2000).count() as u32;
        let small = || {
            let cells = grey_cells::<CELLS, CELLS>(image);
            let mut bytes = Box::new([0; CELLS * CELLS]);
            bytes.iter_mut().zip(cells.iter().flatten()).for_each(|(byte, cell)| *byte = (cell / 1000).min(255) as u8);
            bytes
        };
        Self { hash, cells: (differences >= FEWEST_DIFFERENCES).then(small) }
    }

    /// Whether both show nearly the same.
    pub fn resembles(&self, other: &Self) -> bool {
        let (Some(a), Some(b)) = (&self.cells, &other.cells) else { return false };
        (self.hash ^ other.hash).count_ones() <= NEAR_DUPLICATE_BITS
            && correlation(&a[..], &b[..]) >= NEAR_DUPLICATE_CORRELATION
    }
}

/// Pearson's; 0 where one of them is flat.
fn correlation(a: &[u8], b: &[u8]) -> f64 {
    let mean = |values: &[u8]| values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a) - mean_a, f64::from(*b) - mean_b);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    if aa == 0.0 || bb == 0.0 { 0.0 } else { ab / (aa * bb).sqrt() }
}

/// The picture averaged down to grey cells, in thousandths of a grey level.
fn grey_cells<const COLUMNS: usize, const ROWS: usize>(image: &RgbaImage) -> [[u64; COLUMNS]; ROWS] {
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
    cells
}

/// The pixels of cell `i` of `count` along a side of `size` pixels; never none.
fn cell(i: usize, count: usize, size: usize) -> std::ops::Range<usize> {
    let start = i * size / count;
    start..((i + 1) * size / count).max(start + 1)
}

/// A group for every image, named by the first image in it: images of one class that resemble each other, and those that are joined
/// by a chain of such pairs (the frames of a burst change little by little). Compares every pair of a class.
pub fn near_duplicates(labels: &[usize], looks: &[Look]) -> Vec<usize> {
    grouped(labels, looks.len(), |a, b| looks[a].resembles(&looks[b]))
}

fn grouped(labels: &[usize], count: usize, alike: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..count).collect();
    let mut classes: indexmap::IndexMap<usize, Vec<usize>> = indexmap::IndexMap::new();
    for (image, &label) in labels.iter().enumerate().take(count) {
        classes.entry(label).or_default().push(image);
    }
    for images in classes.values() {
        for (k, &a) in images.iter().enumerate() {
            for &b in &images[..k] {
                if alike(a, b) {
                    let (a, b) = (root(&mut parent, a), root(&mut parent, b));
                    // The smaller index is the root, so a group is named by its first image.
                    parent[a.max(b)] = a.min(b);
                }
            }
        }
    }
    (0..count).map(|image| root(&mut parent, image)).collect()
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
        // One burst trains.
        assert!(stratified(&[0; 4], &[0; 4], 0.5, 3).unwrap().validation.is_empty());
    }

    #[test]
    fn large_groups_cost_a_class_no_more_than_its_share() {
        // Two bursts of which either is more than the share: the end of one validates.
        let split = stratified(&[0; 8], &[0, 0, 0, 0, 4, 4, 4, 4], 0.1, 3).unwrap();
        assert_eq!((split.train.len(), split.validation.len()), (7, 1));
        assert!(split.validation == [3] || split.validation == [7]);
        // One large group and single images.
        let groups: Vec<usize> = (0..60).map(|image| if image < 55 { 0 } else { image }).collect();
        for seed in 0..20 {
            let split = stratified(&[0; 60], &groups, 0.2, seed).unwrap();
            assert_eq!(split.validation.len(), 12, "{seed}");
            let classes = [vec![0; 60], vec![1; 3]].concat();
            let all: Vec<usize> = groups.iter().copied().chain([60, 60, 62]).collect();
            let split = stratified(&classes, &all, 0.9, seed).unwrap();
            assert!((0..2).all(|class| split.train.iter().any(|image| classes[*image] == class)));
        }
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

    /// A frame of a burst: the same scene with other noise, light and a little movement.
    fn frame(seed: u64) -> RgbaImage {
        let mut rng = generator(seed, Stream::Split);
        let mut draw = |bound: u64| super::super::random::below(&mut rng, bound) as i32;
        let (shift, light) = (draw(2), draw(12));
        let mut image = picture(96, 64, 0, 0);
        let before = image.clone();
        for (at, value) in image.pixels.iter_mut().enumerate().filter(|(at, _)| at % 4 < 3) {
            let moved = before.pixels.get(at + 4 * shift as usize).copied().unwrap_or(*value);
            *value = (i32::from(moved) + light + draw(9) - 4).clamp(0, 255) as u8;
        }
        image
    }

    #[test]
    fn frames_of_a_burst_resemble_each_other_and_other_pictures_do_not() {
        let looks: Vec<Look> = (0..8).map(|seed| Look::at(&frame(seed))).collect();
        assert!(looks.iter().all(|look| look.resembles(&looks[0])));
        assert!((1..3).all(|kind| !looks[0].resembles(&Look::at(&picture(96, 64, kind, 0)))));
        assert_eq!(near_duplicates(&[0; 8], &looks), [0; 8]);
        // Size and compression hardly change it.
        assert!(Look::at(&picture(96, 64, 0, 0)).resembles(&Look::at(&picture(48, 32, 0, 9))));
        // A ramp that gets lighter to the right sets all bits, its mirror none; pictures of a pixel are no trouble.
        let ramp = |rising: bool| RgbaImage {
            width: 18,
            height: 8,
            pixels: (0..18 * 8).flat_map(|i| [if rising { i % 18 * 10 } else { 250 - i % 18 * 10 }; 4]).collect(),
        };
        assert_eq!((Look::at(&ramp(true)).hash, Look::at(&ramp(false)).hash), (u64::MAX, 0));
        assert_eq!(Look::at(&RgbaImage { width: 1, height: 1, pixels: vec![9; 4] }).hash, 0);
    }

    /// A stroke on an even ground, as digits and drawings are: a few segments about a shape that all of a class share.
    fn drawing(seed: u64, ground: u8, ink: u8) -> RgbaImage {
        let mut rng = generator(seed, Stream::Split);
        let mut jitter = || super::super::random::unit(&mut rng) as f32 * 0.2 - 0.1;
        let corners: Vec<(f32, f32)> =
            [(0.3, 0.2), (0.7, 0.25), (0.4, 0.5), (0.7, 0.75), (0.3, 0.8)].map(|(x, y)| (x + jitter(), y + jitter())).into();
        let pixels = (0..28 * 28).flat_map(|at| {
            let (x, y) = ((at % 28) as f32 / 28.0, (at / 28) as f32 / 28.0);
            let distance = corners.windows(2).map(|pair| {
                let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
                let along =
                    (((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0).powi(2) + (y1 - y0).powi(2))).clamp(0.0, 1.0);
                ((x - x0 - along * (x1 - x0)).powi(2) + (y - y0 - along * (y1 - y0)).powi(2)).sqrt()
            });
            let near = distance.fold(1.0_f32, f32::min) < 0.06;
            let value = if near { ink } else { ground };
            [value, value, value, 255]
        });
        RgbaImage { width: 28, height: 28, pixels: pixels.collect() }
    }

    #[test]
    fn digits_drawings_and_blank_pages_are_not_swallowed() {
        for (ground, ink) in [(0, 255), (255, 30)] {
            let looks: Vec<Look> = (0..60).map(|seed| Look::at(&drawing(seed, ground, ink))).collect();
            let groups = near_duplicates(&[0; 60], &looks);
            let distinct = groups.iter().enumerate().filter(|(image, group)| image == *group).count();
            assert!(distinct >= 40, "{distinct} of 60");
            let validating = stratified(&[0; 60], &groups, 0.2, 1).unwrap().validation.len();
            assert!((6..=12).contains(&validating), "{validating}");
        }
        let blank: Vec<Look> =
            (0..5).map(|shade| Look::at(&RgbaImage { width: 9, height: 9, pixels: vec![250 - shade; 324] })).collect();
        assert_eq!(near_duplicates(&[0; 5], &blank), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn pictures_join_in_chains_within_a_class() {
        let places = [0, 2, 9, 4, 6, 1_i32];
        let labels = [0, 0, 0, 0, 0, 1];
        let within = |distance: i32| grouped(&labels, 6, |a, b| (places[a] - places[b]).abs() <= distance);
        assert_eq!(within(2), [0, 0, 2, 0, 0, 5]);
        assert_eq!(within(3), [0, 0, 0, 0, 0, 5]);
        assert_eq!(within(0), [0, 1, 2, 3, 4, 5]);
        assert!(near_duplicates(&[], &[]).is_empty());
    }
}
