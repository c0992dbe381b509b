//! The trainer in a browser: a small net learns generated pictures, and the page gets its turn between chunks.

use std::cell::Cell;
use std::rc::Rc;

use reslab::data::random::{Stream, below, generator};
use reslab::data::split::Split;
use reslab::data::{ImageSet, ImageSize, Preset};
use reslab::device::{Device, DeviceOptions};
use reslab::model::{ResNetSpec, Turns};
use reslab::ops::Augmentation;
use reslab::train::{Budget, Event, Init, Recipe, Schedule, Setup, Trainer, init};
use reslab::web;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

const SIDE: u32 = 8;

/// Noise that is brighter in the colour of its class.
fn pictures(count: usize) -> ImageSet {
    let mut set =
        ImageSet::new(["red", "green"].map(String::from).to_vec(), ImageSize { width: SIDE, height: SIDE, margin: 0 });
    let mut rng = generator(3, Stream::Init(0));
    for i in 0..count {
        let mut value = |bright: bool| below(&mut rng, 150) as u8 + if bright { 60 } else { 0 };
        let pixels = (0..SIDE * SIDE).flat_map(|_| [0, 1, 2].map(|channel| value(channel == i % 2))).collect();
        set.push_pixels(format!("{i}"), pixels, (i % 2) as u32).unwrap();
    }
    set
}

#[wasm_bindgen_test]
async fn a_small_net_learns_and_the_page_gets_its_turn() {
    let spec: ResNetSpec = serde_json::from_str(
        r#"{"arch": "tiny", "stem": {"channels": 8, "kernel": 3, "stride": 1}, "classes": 2,
            "stages": [{"blocks": 1, "channels": 8, "stride": 1}, {"blocks": 1, "channels": 16, "stride": 2}]}"#,
    )
    .unwrap();
    let ctx = Device::new(DeviceOptions::software()).await.unwrap();
    let weights = init::initialise(&spec.build().unwrap(), Init::default(), false, 1).unwrap();
    let setup = Setup {
        spec,
        preset: Preset::named("cifar").unwrap().with_size(SIDE).unwrap(),
        recipe: Recipe {
            epochs: 6,
            batch: 16,
            learning_rate: 0.1,
            schedule: Schedule::Constant,
            augmentation: Augmentation::default(),
            ..Recipe::default()
        },
        images: pictures(48),
        split: Split { train: (0..32).collect(), validation: (32..48).collect() },
        budget: Budget::default(),
    };
    let mut trainer = Trainer::new(&ctx, setup, weights, &mut Turns::none()).await.unwrap();

    // Another task of the page: every turn it gets counts.
    let turns = Rc::new(Cell::new(0));
    let other = turns.clone();
    spawn_local(async move {
        while Rc::strong_count(&other) > 1 {
            web::yield_now().await;
            other.set(other.get() + 1);
        }
    });
    let (mut losses, mut validation, mut chunks) = (Vec::new(), Vec::new(), 0);
    loop {
        let before = turns.get();
        match trainer.advance(&mut Turns::none()).await.unwrap() {
            Event::Steps(steps) => {
                chunks += 1;
                assert!(turns.get() > before, "step {} of epoch {} let nobody else in", steps.step, steps.epoch);
            }
            Event::Epoch(epoch) => {
                losses.push(epoch.train.loss);
                validation.push(epoch.validation.unwrap().loss);
            }
            Event::Validating(_) => {}
            Event::Reverted { .. } => panic!("the loss was no finite number"),
            Event::Finished { early } => {
                assert!(!early);
                break;
            }
        }
    }
    assert!(chunks >= 6, "{chunks} chunks for 6 epochs");
    assert_eq!(losses.len(), 6);
    assert!(losses[5] < 0.5 * losses[0], "{losses:?}");
    assert!(validation[5] < 0.5 && validation.iter().all(|loss| loss.is_finite()), "{validation:?}");
}
