use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const PICTURE: Picture = Picture { index: 9, height: 30, width: 40, source: (30, 40), margin: 0, mean: [90.0, 120.0, 60.0] };
const SIZE: (usize, usize) = (30, 40);

fn draws(recipe: Augmentation, count: usize) -> Vec<Draw> {
    recipe.validate().unwrap();
    recipe.draw_batch(&mut ChaCha8Rng::seed_from_u64(11), &vec![PICTURE; count], SIZE)
}

fn spread(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)))
}

#[track_caller]
fn assert_spread(what: &str, values: impl Iterator<Item = f32>, low: f32, high: f32) {
    let (least, most) = spread(values);
    let slack = 0.05 * (high - low);
    assert!((low..=low + slack).contains(&least), "{what}: the least of many draws is {least}, expected {low}");
    assert!((high - slack..=high).contains(&most), "{what}: the largest of many draws is {most}, expected {high}");
}

#[test]
fn a_seed_repeats_its_draws_and_another_does_not() {
    let recipe = Augmentation {
        shift_px: 4,
        resized_crop: Some(ResizedCrop::default()),
        flip: true,
        rotation_deg: 10.0,
        brightness: 0.4,
        contrast: 0.4,
        saturation: 0.4,
        hue: 0.1,
        erasing: 0.5,
        mixup_alpha: 0.2,
        ..Augmentation::default()
    };
    let draw = |seed| recipe.draw_batch(&mut ChaCha8Rng::seed_from_u64(seed), &[PICTURE; 20], SIZE);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    // The stream is specified, so the numbers are the same on every machine and in every version.
    let shifts = Augmentation { shift_px: 4, ..Augmentation::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let first: Vec<[f32; 2]> =
        (0..3).map(|_| shifts.draw(&mut rng, &PICTURE, SIZE)).map(|draw| [draw.column[2], draw.row[2]]).collect();
    assert_eq!(first, [[-2.0, 1.0], [4.0, -4.0], [0.0, 3.0]]);
}

#[test]
fn nothing_is_drawn_without_strengths() {
    let none = Augmentation::default();
    assert!(none.is_none());
    assert!(draws(none, 50).iter().all(|draw| *draw == Draw::plain(&PICTURE, SIZE)));
    let identity = Draw::plain(&PICTURE, SIZE);
    assert_eq!((identity.column, identity.row), ([1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]));
    assert_eq!((identity.samples, identity.source), (1, 9));
}

#[test]
fn geometry_keeps_to_its_strengths() {
    let none = Augmentation::default();
    let shifted = draws(Augmentation { shift_px: 3, ..none }, 500);
    for shift in -3..=3 {
        assert!(shifted.iter().any(|draw| draw.column[2] == shift as f32), "no shift by {shift}");
        assert!(shifted.iter().any(|draw| draw.row[2] == shift as f32), "no shift by {shift}");
    }
    assert!(shifted.iter().all(|draw| draw.column[2].abs() <= 3.0 && draw.column[2].fract() == 0.0));

    let flipped = draws(Augmentation { flip: true, ..none }, 500);
    let mirrored = flipped.iter().filter(|draw| draw.column == [-1.0, 0.0, 39.0, 0.0]).count();
    let same = flipped.iter().filter(|draw| **draw == Draw::plain(&PICTURE, SIZE)).count();
    assert!(mirrored + same == 500 && (200..300).contains(&mirrored), "{mirrored} of 500 are mirrored");

    let turned = draws(Augmentation { rotation_deg: 25.0, ..none }, 500);
    assert_spread("angle", turned.iter().map(|draw| draw.column[1].atan2(draw.column[0]).to_degrees()), -25.0, 25.0);
    // The centre stays where it is.
    for draw in &turned {
        let on = |map: [f32; 4]| map[0] * 19.5 + map[1] * 14.5 + map[2];
        assert!((on(draw.column) - 19.5).abs() < 1e-4 && (on(draw.row) - 14.5).abs() < 1e-4);
    }
}

#[test]
fn crops_lie_in_the_picture_and_have_the_asked_area_and_proportion() {
    let crop = ResizedCrop { scale: (0.2, 0.9), ratio: (0.5, 2.0) };
    let crops = draws(Augmentation { resized_crop: Some(crop), ..Augmentation::default() }, 2000);
    let window = |draw: &Draw| (draw.column[0] * 40.0, draw.row[1] * 30.0);
    assert_spread("area", crops.iter().map(|draw| window(draw).0 * window(draw).1 / 1200.0), 0.18, 0.92);
    assert_spread("proportion", crops.iter().map(|draw| (window(draw).0 / window(draw).1).log2()), -1.1, 1.1);
    for draw in &crops {
        // From the outer edge of the first output pixel to that of the last one.
        let edges = |map: [f32; 4], axis: usize, side: f32| (map[2] - map[axis] * 0.5, map[2] + map[axis] * (side - 0.5));
        let ((left, right), (top, bottom)) = (edges(draw.column, 0, 40.0), edges(draw.row, 1, 30.0));
        assert!(left >= -0.501 && right <= 39.501 && top >= -0.501 && bottom <= 29.501, "{draw:?}");
    }
    // A proportion no window of the picture has: the largest one of the nearest allowed proportion, in the middle.
    let thin = ResizedCrop { scale: (1.0, 1.0), ratio: (0.25, 0.25) };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let window = thin.draw(&mut rng, PICTURE.source);
    assert_eq!(window, Window { left: 16.0, top: 0.0, width: 8.0, height: 30.0 });
    // Of a picture that was stretched when it was stored, area and proportion are those it had.
    let stretched = Picture { height: 40, width: 40, source: (120, 480), ..PICTURE };
    let shape = |draw: &Draw| (draw.column[0] * 40.0 * 12.0, draw.row[1] * 30.0 * 3.0);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let recipe = Augmentation { resized_crop: Some(crop), ..Augmentation::default() };
    let crops: Vec<Draw> = (0..2000).map(|_| recipe.draw(&mut rng, &stretched, SIZE)).collect();
    // A fifth of the area within its 120 rows is at least 96 wide.
    assert_spread("proportion", crops.iter().map(|draw| (shape(draw).0 / shape(draw).1).log2()), -0.35, 1.02);
    let left = crops.iter().map(|draw| draw.column[2] - draw.column[0] * 0.5 + 0.5);
    assert!(left.clone().any(|left| left < 2.0) && left.clone().any(|left| left > 25.0), "crops come from all of it");
}

#[test]
fn shrinking_takes_more_samples() {
    let samples = |size| Draw::plain(&PICTURE, size).samples;
    assert_eq!([samples((30, 40)), samples((60, 80)), samples((15, 20)), samples((29, 40))], [1, 1, 2, 2]);
    assert_eq!([samples((10, 40)), samples((1, 1))], [3, 8]);
}

#[test]
fn erased_rectangles_have_the_asked_size_and_frequency() {
    let erased = draws(Augmentation { erasing: 0.3, ..Augmentation::default() }, 2000);
    let areas: Vec<f32> = erased
        .iter()
        .map(|draw| draw.erase)
        .filter(|rectangle| *rectangle != [0; 4])
        .map(|[left, top, right, bottom]| {
            assert!(left < right && right <= 40 && top < bottom && bottom <= 30);
            ((right - left) * (bottom - top)) as f32 / 1200.0
        })
        .collect();
    assert!((500..700).contains(&areas.len()), "{} of 2000", areas.len());
    // Sides are rounded to whole pixels.
    assert_spread("area", areas.into_iter(), 0.016, 0.35);
}

#[test]
fn mixup_pairs_every_row_and_draws_from_beta() {
    for alpha in [0.2, 1.0, 4.0] {
        let mixed = draws(Augmentation { mixup_alpha: alpha, ..Augmentation::default() }, 4000);
        let mut partners: Vec<u32> = mixed.iter().map(|draw| draw.partner).collect();
        partners.sort_unstable();
        assert!(partners.into_iter().eq(0..4000));
        let lambdas = || mixed.iter().map(|draw| f64::from(draw.lambda));
        assert!(lambdas().all(|lambda| (0.0..=1.0).contains(&lambda)));
        let mean = lambdas().sum::<f64>() / 4000.0;
        let variance = lambdas().map(|lambda| (lambda - mean).powi(2)).sum::<f64>() / 4000.0;
        let expected = 1.0 / (4.0 * (2.0 * f64::from(alpha) + 1.0));
        assert!((mean - 0.5).abs() < 0.03, "alpha {alpha}: mean {mean}");
        assert!((variance / expected - 1.0).abs() < 0.1, "alpha {alpha}: variance {variance}, expected {expected}");
    }
}

#[test]
fn keras_geometry_keeps_to_its_strengths() {
    let none = Augmentation::default();
    let shifted = draws(Augmentation { shift_share: [0.1, 0.2], ..none }, 500);
    assert_spread("shift along rows", shifted.iter().map(|draw| draw.column[2]), -4.0, 4.0);
    assert_spread("shift along columns", shifted.iter().map(|draw| draw.row[2]), -6.0, 6.0);
    let zoomed = draws(Augmentation { zoom: 0.3, ..none }, 500);
    assert_spread("zoom", zoomed.iter().map(|draw| draw.column[0]), 0.7, 1.3);
    assert_spread("zoom of the other axis", zoomed.iter().map(|draw| draw.row[1]), 0.7, 1.3);
    let sheared = draws(Augmentation { shear_deg: 20.0, ..none }, 500);
    assert_spread("shear", sheared.iter().map(|draw| (-draw.column[1]).asin().to_degrees()), -20.0, 20.0);
    let turned = draws(Augmentation { flip_vertical: true, ..none }, 500);
    let mirrored = turned.iter().filter(|draw| draw.row == [0.0, -1.0, 29.0, 0.0]).count();
    assert!((200..300).contains(&mirrored), "{mirrored} of 500 stand on their head");
    let lighter = draws(Augmentation { channel_shift: 30.0, ..none }, 500);
    assert_spread("channel shift", lighter.iter().map(|draw| draw.colour[1][3]), -30.0, 30.0);
    // The centre stays where it is.
    for draw in zoomed.iter().chain(&sheared) {
        let on = |map: [f32; 4]| map[0] * 19.5 + map[1] * 14.5 + map[2];
        assert!((on(draw.column) - 19.5).abs() < 1e-4 && (on(draw.row) - 14.5).abs() < 1e-4);
    }
}

#[test]
fn a_cut_rectangle_is_the_share_that_the_target_says() {
    let cut = draws(Augmentation { cutmix_alpha: 1.0, ..Augmentation::default() }, 2000);
    for draw in &cut {
        let [left, top, right, bottom] = draw.erase;
        assert!(draw.row[3] == 1.0 && left <= right && right <= 40 && top <= bottom && bottom <= 30);
        let share = 1.0 - ((right - left) * (bottom - top)) as f32 / 1200.0;
        assert!((draw.lambda - share).abs() < 1e-6);
    }
    let mean = cut.iter().map(|draw| draw.lambda).sum::<f32>() / 2000.0;
    assert!((0.55..0.75).contains(&mean), "half of the area less what lies outside: {mean}");
    let both = Augmentation { cutmix_alpha: 1.0, mixup_alpha: 1.0, ..Augmentation::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let cuts = (0..200).filter(|_| both.draw_batch(&mut rng, &[PICTURE; 2], SIZE)[0].row[3] > 0.0).count();
    assert!((60..140).contains(&cuts), "{cuts} of 200 batches");
}

#[test]
fn colour_strengths_are_kept() {
    let none = Augmentation::default();
    let bright = draws(Augmentation { brightness: 0.4, ..none }, 500);
    assert_spread("brightness", bright.iter().map(|draw| draw.colour[0][0]), 0.6, 1.4);
    let contrast = draws(Augmentation { contrast: 0.2, ..none }, 500);
    assert_spread("contrast", contrast.iter().map(|draw| draw.colour[1][1]), 0.8, 1.2);
    let saturated = draws(Augmentation { saturation: 0.3, ..none }, 500);
    let factor = |draw: &Draw| draw.colour[0][0] - draw.colour[1][0];
    assert_spread("saturation", saturated.iter().map(factor), 0.7, 1.3);
    let turned = draws(Augmentation { hue: 0.1, ..none }, 500);
    // cos of the largest turn is reached, and no turn at all.
    let trace = |draw: &Draw| ((0..3).map(|c| draw.colour[c][c]).sum::<f32>() - 1.0) / 2.0;
    assert_spread("hue", turned.iter().map(trace), (0.2 * std::f32::consts::PI).cos(), 1.0);
}

#[test]
fn strengths_are_checked() {
    let none = Augmentation::default();
    let crop = |scale, ratio| Augmentation { resized_crop: Some(ResizedCrop { scale, ratio }), ..none };
    for (bad, word) in [
        (Augmentation { hue: 0.6, ..none }, "hue of 0.6"),
        (Augmentation { erasing: -0.1, ..none }, "erasing"),
        (Augmentation { brightness: f32::NAN, ..none }, "brightness"),
        (crop((0.0, 1.0), (1.0, 1.0)), "area"),
        (crop((0.5, 0.4), (1.0, 1.0)), "area"),
        (crop((0.5, 0.6), (0.0, 1.0)), "proportions"),
    ] {
        let message = bad.validate().unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
    assert!(crop((0.5, 1.0), (1.0, 1.0)).validate().is_ok());
}

#[test]
fn a_recipe_names_only_what_it_changes() {
    let recipe: Augmentation = serde_json::from_str(r#"{"shift_px":4,"flip":true}"#).unwrap();
    assert_eq!(recipe, Augmentation { shift_px: 4, flip: true, ..Augmentation::default() });
    let text = serde_json::to_string(&recipe).unwrap();
    assert_eq!(serde_json::from_str::<Augmentation>(&text).unwrap(), recipe);
}
