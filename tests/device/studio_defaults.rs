//! The studio's promises with the network that ships with the page: its own example is learnt with the settings nobody has touched, so are
//! classes that are each other's mirror image, and no picture of either is called mislabelled.

use reslab::data::split::{Look, near_duplicates, stratified};
use reslab::data::{ImageSet, ImageSize, RgbaImage};
use reslab::device::{DeviceKind, DeviceOptions};
use reslab::engine::{Activation, Backbone, Engine, LoadOptions, Origin};
use reslab::model::Turns;
use reslab::studio::Settings;
use reslab::studio::judge::{Judged, likely_mislabelled};
use reslab::studio::shapes::{ExampleSet, PICTURES};
use reslab::studio::usual::usual;
use reslab::train::Event;
use reslab::train::recipe::TrainDepth;

/// What came of a training with the usual settings.
struct Outcome {
    accuracy: f64,
    /// Pictures that would be called mislabelled.
    suspects: usize,
}

/// Trains the network that ships with the page on such pictures.
fn taught(classes: usize, pictures: u32, depth: TrainDepth, picture: impl Fn(usize, u32) -> RgbaImage) -> Outcome {
    pollster::block_on(async {
        let mut engine = Engine::open(DeviceOptions::of(DeviceKind::Cpu)).await.expect("a processor");
        let bytes = std::fs::read("www/models/resnet20-cifar10.safetensors").unwrap();
        let options = LoadOptions { origin: Origin::Bundled, ..LoadOptions::default() };
        let model = engine.load("resnet20-cifar10", &bytes, &options, &mut |_| {}).await.unwrap();
        let names = (0..classes).map(|class| format!("class {class}")).collect();
        let mut images = ImageSet::new(names, ImageSize::of(&model.pixels, true));
        let mut looks = Vec::new();
        for class in 0..classes {
            for number in 0..pictures {
                let image = picture(class, number);
                looks.push(Look::at(&image));
                images.push(format!("{class}-{number}"), &image, &model.pixels, class as u32).unwrap();
            }
        }
        let labels: Vec<usize> = images.labels.iter().map(|label| *label as usize).collect();
        let recipe = usual(&Settings { depth, ..Settings::default() }, images.labels.len(), model.size);
        let groups = near_duplicates(&labels, &looks);
        let split = stratified(&labels, &groups, recipe.val_fraction, recipe.seed).unwrap();
        let judged_set = images.clone();
        let validation = split.validation.clone();
        let mut trainer = engine.trainer(&Backbone::Pretrained, recipe, images, split).await.unwrap();
        while !matches!(trainer.advance(&mut Turns::none()).await.unwrap(), Event::Finished { .. }) {}
        engine.adopt("taught", trainer.last_epoch(), &mut |_| {}).await.unwrap();
        let mut judged = Vec::new();
        let mut rest: Vec<usize> = (0..labels.len()).collect();
        while !rest.is_empty() {
            let rows = engine.judge(&model.pixels, &judged_set, &rest).await.unwrap();
            for (image, logits) in rest.drain(..rows.len()).zip(rows) {
                let probabilities = Activation::Softmax.apply(&logits);
                judged.push(Judged { picture: image as u64, class: labels[image], probabilities });
            }
        }
        let right = validation.iter().filter(|image| judged[**image].is_right()).count();
        let suspects = likely_mislabelled(&judged, classes);
        let accuracy = right as f64 / validation.len() as f64;
        let all = judged.iter().filter(|one| one.is_right()).count() as f64 / judged.len() as f64;
        eprintln!("{depth}: {accuracy:.3} of validation, {all:.3} of all, {suspects:?}");
        Outcome { accuracy, suspects: suspects.len() }
    })
}

/// An arrow on plain ground, in any colours, somewhere: the classes are left and right.
fn arrow(class: usize, number: u32) -> RgbaImage {
    const SIDE: u32 = 96;
    let mut state = u64::from(number) * 2 + class as u64 + 1;
    let mut chance = move || {
        // Knuth's MMIX generator; its high bits are good.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1_u32 << 24)
    };
    chance();
    let (dark, bright) = ([0; 3].map(|_| chance() * 110.0), [0; 3].map(|_| 150.0 + chance() * 100.0));
    let (ground, figure) = if chance() < 0.5 { (dark, bright) } else { (bright, dark) };
    let scale = 24.0 + 14.0 * chance();
    let room = f64::from(SIDE) / 2.0 - scale;
    let (cx, cy) = (48.0 + (chance() * 2.0 - 1.0) * room, 48.0 + (chance() * 2.0 - 1.0) * room);
    let mut pixels = Vec::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (dx, dy) = ((f64::from(x) - cx) / scale, (f64::from(y) - cy) / scale);
            let dx = if class == 0 { -dx } else { dx };
            let shaft = dx > -0.95 && dx < 0.2 && dy.abs() < 0.2;
            let head = (0.1..0.95).contains(&dx) && dy.abs() < 0.75 * (0.95 - dx) / 0.85;
            let colour = if shaft || head { figure } else { ground };
            pixels.extend(colour.map(|value| value as u8));
            pixels.push(255);
        }
    }
    RgbaImage { width: SIDE, height: SIDE, pixels }
}

const DEPTHS: [TrainDepth; 3] = [TrainDepth::Head, TrainDepth::FromStage(3), TrainDepth::All];

#[test]
fn examples_are_learnt_with_the_settings_nobody_has_touched() {
    // Patterns repeat every few pixels of what the network sees, which is near what it can tell at all.
    for (set, least) in [(ExampleSet::Shapes, 0.95), (ExampleSet::Patterns, 0.95)] {
        let outcome = taught(3, PICTURES, set.settings().depth, |class, number| set.picture(class, number));
        assert!(outcome.accuracy >= least, "{set:?}: {}", outcome.accuracy);
        assert_eq!(outcome.suspects, 0, "{set:?}: all of them are labelled rightly");
    }
}

#[test]
fn left_and_right_are_learnt_at_every_depth() {
    for depth in DEPTHS {
        let outcome = taught(2, 40, depth, arrow);
        assert!(outcome.accuracy >= 0.95, "{depth}: {}", outcome.accuracy);
        assert_eq!(outcome.suspects, 0, "{depth}");
    }
}
