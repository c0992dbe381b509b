//! Batches gathered and augmented on the GPU against the definitions in f64.

use crate::gradcheck::contexts;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use reslab::data::{ChannelOrder, Preset};
use reslab::device::{Device, Precision, Recorder, Shape, Slice, Tensor};
use reslab::ops::{AugmentCall, Augmentation, Draw, Fill, ImageBank, Picture, ResizedCrop, record_augment};

/// Bytes that depend on place and seed.
fn bytes(count: usize, seed: u32) -> Vec<u8> {
    (0..count as u32).map(|i| (i.wrapping_add(seed * 77_777).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Numbers that leave a pixel as it is: 0 to 255.
fn raw() -> Preset {
    let mut preset = Preset::custom(8, [0.0; 3], [1.0; 3]).unwrap();
    preset.scale = 1.0;
    preset
}

/// Stored pictures on both sides.
struct Album {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<Vec<u8>>,
    bank: ImageBank,
    fill: Fill,
}

impl Album {
    fn new(ctx: &Device, count: usize, (height, width): (usize, usize), channels: usize) -> Self {
        Self::in_chunks(ctx, count, (height, width), channels, u64::MAX)
    }

    fn in_chunks(ctx: &Device, count: usize, (height, width): (usize, usize), channels: usize, chunk: u64) -> Self {
        let mut bank = ImageBank::with_chunk_bytes(ctx, count, height, width, channels, chunk).unwrap();
        let pixels: Vec<Vec<u8>> = (0..count as u32).map(|seed| bytes(height * width * channels, seed)).collect();
        for (i, picture) in pixels.iter().enumerate() {
            bank.write(ctx, i, picture).unwrap();
        }
        Self { height, width, channels, pixels, bank, fill: Fill::Mean }
    }

    fn pictures(&self, indices: &[usize]) -> Vec<Picture> {
        indices.iter().map(|i| self.bank.picture(*i).unwrap()).collect()
    }

    /// `(N, C, H, W)`.
    fn gather(&self, ctx: &Device, preset: &Preset, draws: &[Draw], (h, w): (usize, usize)) -> Vec<f32> {
        let shape = Shape::new(draws.len(), self.channels, h, w);
        let sevens = Slice::with_bytes(ctx, "input", &Precision::F32.encode(&vec![7.0; shape.vec4s() * 4])).unwrap();
        let output = Tensor { slice: sevens, ..Tensor::zeros(ctx, "input", shape, Precision::F32).unwrap() };
        let table = Slice::with_bytes(ctx, "draws", bytemuck::cast_slice(draws)).unwrap();
        let mut recorder = Recorder::new();
        let call = AugmentCall { label: "augment", bank: &self.bank, draws: &table, preset, fill: self.fill, output: &output };
        record_augment(&mut recorder, ctx, &call).unwrap();
        recorder.finish(ctx).run(ctx).unwrap();
        let padded = Precision::F32.decode(&pollster::block_on(output.slice.read(ctx)).unwrap());
        for pixel in padded.chunks(4) {
            assert!(pixel[self.channels..].iter().all(|v| *v == 0.0), "padding channels are zero");
        }
        pollster::block_on(output.read_nchw(ctx)).unwrap()
    }

    fn at(&self, picture: usize, y: i64, x: i64) -> [f64; 3] {
        let (x, y) = (x.clamp(0, self.width as i64 - 1) as usize, y.clamp(0, self.height as i64 - 1) as usize);
        let place = (y * self.width + x) * self.channels;
        std::array::from_fn(|c| f64::from(self.pixels[picture][place + c.min(self.channels - 1)]))
    }

    /// The definition of one output pixel of a row alone; None where a sample is so near to the picture's edge that rounding
    /// decides whether it counts.
    fn view(&self, preset: &Preset, draw: &Draw, x: usize, y: usize) -> Option<[f64; 3]> {
        if draw.row[3] == 0.0 && erased(draw, x, y) {
            return Some([0.0; 3]);
        }
        let k = f64::from(draw.samples);
        let (mut sum, mut covered) = ([0.0; 3], 0.0);
        for (j, i) in (0..draw.samples).flat_map(|j| (0..draw.samples).map(move |i| (f64::from(j), f64::from(i)))) {
            let (px, py) = (x as f64 + (i + 0.5) / k - 0.5, y as f64 + (j + 0.5) / k - 0.5);
            let on = |map: [f32; 4]| f64::from(map[0]) * px + f64::from(map[1]) * py + f64::from(map[2]);
            let (u, v) = (on(draw.column), on(draw.row));
            let edges = [u + 0.5, v + 0.5, u + 0.5 - self.width as f64, v + 0.5 - self.height as f64];
            if edges.iter().any(|d| d.abs() < 1e-3) {
                return None;
            }
            let outside = edges[0] < 0.0 || edges[1] < 0.0 || edges[2] > 0.0 || edges[3] > 0.0;
            let (mut u, mut v) = (u, v);
            if outside {
                match self.fill {
                    Fill::Mean => continue,
                    Fill::Black => {
                        covered += 1.0;
                        continue;
                    }
                    fill => (u, v) = (filled(fill, u, self.width), filled(fill, v, self.height)),
                }
            }
            covered += 1.0;
            let (x0, y0) = (u.floor(), v.floor());
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let wx = if dx == 0 { 1.0 - (u - x0) } else { u - x0 };
                let wy = if dy == 0 { 1.0 - (v - y0) } else { v - y0 };
                let pixel = self.at(draw.source as usize, y0 as i64 + dy, x0 as i64 + dx);
                (0..3).for_each(|c| sum[c] += wx * wy * pixel[c]);
            }
        }
        if covered == 0.0 {
            return Some([0.0; 3]);
        }
        let old = sum.map(|v| v / covered);
        let new = draw.colour.map(|row| {
            let value: f64 = (0..3).map(|c| f64::from(row[c]) * old[c]).sum::<f64>() + f64::from(row[3]);
            value.clamp(0.0, 255.0)
        });
        let (factor, offset) = preset.affine();
        let order = if self.channels == 3 { preset.channel_order.indices() } else { [0, 1, 2] };
        Some(std::array::from_fn(|c| (new[order[c]] * f64::from(factor[c]) + f64::from(offset[c])) * covered / (k * k)))
    }

    /// Compares a batch with the definition; most pixels are far from every edge.
    #[track_caller]
    fn check(&self, ctx: &Device, preset: &Preset, draws: &[Draw], (h, w): (usize, usize)) {
        let got = self.gather(ctx, preset, draws, (h, w));
        let mut compared = 0;
        for (n, y, x) in (0..draws.len()).flat_map(|n| (0..h).flat_map(move |y| (0..w).map(move |x| (n, y, x)))) {
            let (own, mut lambda) = (&draws[n], f64::from(draws[n].lambda));
            if own.row[3] > 0.0 {
                lambda = if erased(own, x, y) { 0.0 } else { 1.0 };
            }
            let Some(value) = self.view(preset, own, x, y) else { continue };
            let Some(other) = self.view(preset, &draws[own.partner as usize], x, y) else { continue };
            compared += 1;
            for c in 0..self.channels {
                let expected = lambda * value[c] + (1.0 - lambda) * other[c];
                let found = f64::from(got[((n * self.channels + c) * h + y) * w + x]);
                let scale = f64::from(preset.affine().0[c]) * 255.0;
                assert!((found - expected).abs() <= 1e-4 * scale, "row {n}, channel {c}, {x}, {y}: {found}, not {expected}");
            }
        }
        assert!(compared * 10 >= draws.len() * h * w * 9, "only {compared} pixels could be compared");
    }
}

fn erased(draw: &Draw, x: usize, y: usize) -> bool {
    let [left, top, right, bottom] = draw.erase.map(|v| v as usize);
    (left..right).contains(&x) && (top..bottom).contains(&y)
}

/// Where a coordinate outside of `0..size` is looked up, as scipy's modes of these names do.
fn filled(fill: Fill, at: f64, size: usize) -> f64 {
    let size = size as f64;
    let found = match fill {
        Fill::Reflect => {
            let turn = (at + 0.5).rem_euclid(2.0 * size);
            turn.min(2.0 * size - turn) - 0.5
        }
        Fill::Wrap => (at + 0.5).rem_euclid(size) - 0.5,
        _ => at,
    };
    found.clamp(0.0, size - 1.0)
}

/// Every augmentation alone, and all of them.
fn recipes() -> Vec<Augmentation> {
    let none = Augmentation::default();
    let crop = Some(ResizedCrop::default());
    vec![
        none,
        Augmentation { shift_px: 3, ..none },
        Augmentation { resized_crop: crop, ..none },
        Augmentation { flip: true, ..none },
        Augmentation { rotation_deg: 40.0, ..none },
        Augmentation { brightness: 0.8, ..none },
        Augmentation { contrast: 0.8, ..none },
        Augmentation { saturation: 0.9, ..none },
        Augmentation { hue: 0.5, ..none },
        Augmentation { erasing: 0.9, ..none },
        Augmentation { mixup_alpha: 0.7, ..none },
        Augmentation { cutmix_alpha: 1.0, ..none },
        Augmentation { shift_share: [0.3, 0.2], shear_deg: 20.0, zoom: 0.4, flip_vertical: true, channel_shift: 40.0, ..none },
        Augmentation {
            shift_px: 2,
            resized_crop: crop,
            flip: true,
            rotation_deg: 15.0,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.1,
            erasing: 0.5,
            mixup_alpha: 0.4,
            ..none
        },
    ]
}

#[test]
fn every_augmentation_follows_its_definition() {
    for ctx in contexts() {
        for (channels, preset) in [(3, Preset::named("imagenet").unwrap()), (3, Preset::named("caffe").unwrap()), (1, raw())] {
            let album = Album::new(ctx, 5, (19, 23), channels);
            for recipe in recipes() {
                recipe.validate().unwrap();
                // As stored, larger and smaller; another proportion.
                for size in [(19, 23), (32, 30), (9, 7)] {
                    let mut rng = ChaCha8Rng::seed_from_u64(3);
                    let draws = recipe.draw_batch(&mut rng, &album.pictures(&[4, 0, 2, 2, 1, 3]), size);
                    album.check(ctx, &preset, &draws, size);
                }
            }
        }
    }
}

#[test]
fn what_lies_outside_is_filled_as_keras_names_it() {
    for ctx in contexts() {
        let preset = Preset::named("imagenet").unwrap();
        let mut album = Album::new(ctx, 2, (9, 11), 3);
        let far = Augmentation { shift_share: [1.0, 1.0], rotation_deg: 60.0, zoom: 0.9, ..Augmentation::default() };
        for fill in [Fill::Nearest, Fill::Reflect, Fill::Wrap, Fill::Black] {
            album.fill = fill;
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let draws = Augmentation { fill, ..far }.draw_batch(&mut rng, &album.pictures(&[0, 1, 0, 1]), (12, 10));
            album.check(ctx, &preset, &draws, (12, 10));
        }
    }
}

#[test]
fn without_augmentation_the_pixels_are_the_normalised_ones_exactly() {
    for ctx in contexts() {
        for (channels, order) in [(3, ChannelOrder::Rgb), (3, ChannelOrder::Bgr), (1, ChannelOrder::Rgb)] {
            let album = Album::new(ctx, 3, (7, 5), channels);
            let mut preset = raw();
            preset.channel_order = order;
            let pictures = album.pictures(&[2, 0, 1, 2]);
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let draws = Augmentation::default().draw_batch(&mut rng, &pictures, (7, 5));
            assert_eq!(draws, pictures.iter().map(|picture| Draw::plain(picture, (7, 5))).collect::<Vec<_>>());
            let got = album.gather(ctx, &preset, &draws, (7, 5));
            let mut expected = Vec::new();
            for n in [2, 0, 1, 2] {
                for c in 0..channels {
                    let channel = if channels == 3 { order.indices()[c] } else { 0 };
                    expected.extend((0..35).map(|i| f32::from(album.pixels[n][i * channels + channel])));
                }
            }
            assert_eq!(got, expected, "{channels} channels, {order:?}");
        }
    }
}

#[test]
fn a_shift_is_pad_and_crop_with_the_mean_colour() {
    let [ctx, _] = contexts();
    let album = Album::new(ctx, 1, (6, 9), 3);
    let preset = Preset::named("cifar").unwrap();
    let recipe = Augmentation { shift_px: 4, flip: true, ..Augmentation::default() };
    let pictures = album.pictures(&[0; 40]);
    let draws = recipe.draw_batch(&mut ChaCha8Rng::seed_from_u64(5), &pictures, (6, 9));
    let got = album.gather(ctx, &preset, &draws, (6, 9));
    let plain = album.gather(ctx, &preset, &[Draw::plain(&pictures[0], (6, 9))], (6, 9));
    let mut seen = std::collections::BTreeSet::new();
    for image in got.as_chunks::<{ 3 * 54 }>().0 {
        // Exactly one of the crops of the padded picture, or of its mirror image, is this one.
        let crop = |dx: i64, dy: i64, flip: bool| -> Vec<f32> {
            let places = (0..3).flat_map(|c| (0..6).flat_map(move |y| (0..9).map(move |x| (c, y, x))));
            places
                .map(|(c, y, x)| {
                    let (sx, sy) = (x - dx, y - dy);
                    let inside = (0..9).contains(&sx) && (0..6).contains(&sy);
                    let sx = if flip { 8 - sx } else { sx };
                    if inside { plain[((c * 6 + sy) * 9 + sx) as usize] } else { 0.0 }
                })
                .collect()
        };
        let all = (-4..=4).flat_map(|dx| (-4..=4).flat_map(move |dy| [false, true].map(|flip| (dx, dy, flip))));
        let matches: Vec<_> = all.filter(|&(dx, dy, flip)| crop(dx, dy, flip) == image).collect();
        assert_eq!(matches.len(), 1, "{matches:?}");
        seen.insert(matches[0]);
    }
    assert!(seen.len() > 25, "forty draws differ: {seen:?}");
}

#[test]
fn half_the_size_is_the_mean_of_four_pixels() {
    let [ctx, _] = contexts();
    let album = Album::new(ctx, 1, (8, 12), 3);
    let draw = Draw::plain(&album.pictures(&[0])[0], (4, 6));
    let got = album.gather(ctx, &raw(), &[draw], (4, 6));
    for (c, y, x) in (0..3).flat_map(|c| (0..4).flat_map(move |y| (0..6).map(move |x| (c, y, x)))) {
        let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(j, i)| album.at(0, 2 * y + j, 2 * x + i)[c]);
        let found = got[(c * 4 + y as usize) * 6 + x as usize];
        assert_eq!(f64::from(found), four.iter().sum::<f64>() / 4.0, "channel {c}, {x}, {y}");
    }
}

#[test]
fn a_bank_may_lie_in_several_buffers() {
    for ctx in contexts() {
        for per_chunk in [1, 2, 3, 6] {
            // 5 x 5 pixels of 3 bytes take 76 with their padding.
            let album = Album::in_chunks(ctx, 6, (5, 5), 3, 76 * per_chunk + 75);
            assert_eq!(album.bank.len(), 6);
            let recipe = Augmentation { mixup_alpha: 1.0, flip: true, ..Augmentation::default() };
            let pictures = album.pictures(&[5, 0, 3, 1, 4, 2, 0]);
            let draws = recipe.draw_batch(&mut ChaCha8Rng::seed_from_u64(8), &pictures, (5, 5));
            album.check(ctx, &raw(), &draws, (5, 5));
        }
    }
}

#[test]
fn a_bank_that_is_too_large_is_refused_with_numbers() {
    let [ctx, _] = contexts();
    let message = ImageBank::with_chunk_bytes(ctx, 13, 4, 4, 3, 96).unwrap_err().to_string();
    assert!(message.contains("13 pictures of 4 x 4") && message.contains("624 bytes") && message.contains("576"), "{message}");
    assert_eq!(ImageBank::with_chunk_bytes(ctx, 12, 4, 4, 3, 96).unwrap().bytes(), 576);
    let capacity = ImageBank::capacity(ctx, 224, 224, 3);
    assert!(capacity >= 5000, "thousands of pictures fit within WebGPU's default limits, found {capacity}");
    assert!(ImageBank::new(ctx, capacity + 1, 224, 224, 3).is_err());
    assert!(ImageBank::new(ctx, 1, 4, 4, 4).is_err() && ImageBank::new(ctx, 0, 4, 4, 3).is_err());
}

#[test]
fn wrong_uses_are_explained() {
    let [ctx, _] = contexts();
    let mut bank = ImageBank::new(ctx, 2, 3, 3, 3).unwrap();
    let message = bank.write(ctx, 2, &[0; 27]).unwrap_err().to_string();
    assert!(message.contains("2 pictures of 27 bytes") && message.contains("picture 2"), "{message}");
    assert!(bank.write(ctx, 0, &[0; 26]).is_err());
    assert!(bank.picture(2).is_none() && !bank.is_empty());
    let tensor = |c| Tensor::zeros(ctx, "input", Shape::new(2, c, 3, 3), Precision::F32).unwrap();
    let (rgb, grey) = (tensor(3), tensor(1));
    let preset = raw();
    let slice = |bytes| Slice::new(ctx, "draws", bytes).unwrap();
    let (enough, short) = (slice(224), slice(112));
    let record = |draws, output| {
        let call = AugmentCall { label: "augment", bank: &bank, draws, preset: &preset, fill: Fill::Mean, output };
        record_augment(&mut Recorder::new(), ctx, &call)
    };
    assert!(record(&enough, &rgb).is_ok());
    assert!(record(&enough, &grey).unwrap_err().to_string().contains("1 channels, the stored pictures have 3"));
    assert!(record(&short, &rgb).unwrap_err().to_string().contains("draws of at least 224 bytes"));
}
