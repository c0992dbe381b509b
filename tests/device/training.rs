//! Whole training runs on generated pictures: that they learn, stop, resume, recover and refuse as they should.

use reslab::Error;
use reslab::data::random::{Stream, below, generator};
use reslab::data::split::Split;
use reslab::data::{ImageSet, ImageSize, Preset, Resize, RgbaImage};
use reslab::device::{Device, DeviceOptions};
use reslab::model::{ResNetSpec, Turns};
use reslab::ops::{Augmentation, Optimizer, ResizedCrop};
use reslab::train::checkpoint::Tensors;
use reslab::train::recipe::{BnStatistics, ClassWeights, Ema, TrainDepth};
use reslab::train::{Budget, Checkpoint, Event, Init, Recipe, Schedule, Setup, Summary, Trainer, init};
use reslab::weights::StateDict;

const SIDE: u32 = 8;

fn context() -> Device {
    pollster::block_on(Device::new(DeviceOptions::software())).expect("a Vulkan, Metal or DX12 adapter")
}

fn preset() -> Preset {
    Preset::named("cifar").unwrap().with_size(SIDE).unwrap()
}

/// Two stages of one block each.
fn spec(classes: usize) -> ResNetSpec {
    let json = format!(
        r#"{{"arch": "tiny", "stem": {{"channels": 8, "kernel": 3, "stride": 1}}, "classes": {classes},
            "stages": [{{"blocks": 1, "channels": 8, "stride": 1}}, {{"blocks": 1, "channels": 16, "stride": 2}}]}}"#
    );
    serde_json::from_str(&json).unwrap()
}

/// Noise with a bar: its colour and direction make the class.
fn pictures(count: usize, classes: usize) -> ImageSet {
    let names = (0..classes).map(|class| format!("class {class}")).collect();
    let mut set = ImageSet::new(names, ImageSize { width: SIDE, height: SIDE, margin: 0 });
    let mut rng = generator(7, Stream::Init(0));
    for i in 0..count {
        let class = i % classes;
        let place = 1 + below(&mut rng, u64::from(SIDE) - 2) as u32;
        let mut pixels = Vec::new();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let along = if class.is_multiple_of(2) { x } else { y };
                for channel in 0..3 {
                    let bright = along == place && channel == class / 2 % 3;
                    pixels.push(below(&mut rng, 120) as u8 + if bright { 120 } else { 0 });
                }
            }
        }
        set.push_pixels(format!("{i}"), pixels, class as u32).unwrap();
    }
    set
}

/// 3 of 4 train, the others validate.
fn split(count: usize) -> Split {
    let (validation, train) = (0..count).partition(|i| i / 4 % 4 == 3);
    Split { train, validation }
}

fn recipe() -> Recipe {
    Recipe {
        epochs: 3,
        batch: 16,
        learning_rate: 0.05,
        schedule: Schedule::Constant,
        augmentation: Augmentation { shift_px: 1, ..Augmentation::default() },
        ..Recipe::default()
    }
}

fn setup(recipe: Recipe) -> Setup {
    let (images, split) = (pictures(64, 4), split(64));
    Setup { spec: spec(4), preset: preset(), recipe, images, split, budget: Budget::default() }
}

fn fresh(spec: &ResNetSpec) -> StateDict {
    init::initialise(&spec.build().unwrap(), Init::default(), false, 1).unwrap()
}

fn trainer(ctx: &Device, setup: Setup) -> Trainer {
    let weights = fresh(&setup.spec);
    pollster::block_on(Trainer::new(ctx, setup, weights, &mut Turns::none())).unwrap()
}

/// To the end; every event on the way.
fn run(trainer: &mut Trainer) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        events.push(advance(trainer));
        if let Some(Event::Finished { .. }) = events.last() {
            return events;
        }
    }
}

fn advance(trainer: &mut Trainer) -> Event {
    pollster::block_on(trainer.advance(&mut Turns::none())).unwrap()
}

/// The run as another process finds it in the file that this one leaves, on a device of its own.
fn through_a_file(trainer: &mut Trainer) -> Trainer {
    let stopped = pollster::block_on(trainer.checkpoint(&mut Turns::none())).unwrap();
    let restored = Checkpoint::from_bytes("run.safetensors", &stopped.to_bytes().unwrap()).unwrap();
    let (ctx, mut turns) = (context(), Turns::none());
    let resumed = Trainer::resume(&ctx, restored, pictures(64, 4), split(64), Budget::default(), &mut turns);
    pollster::block_on(resumed).unwrap()
}

fn to_the_end(mut trainer: Trainer) -> Checkpoint {
    run(&mut trainer);
    trainer.last_epoch().clone()
}

fn same_weights(a: &Checkpoint, b: &Checkpoint) {
    assert_eq!(a.progress, b.progress);
    assert!(a.latest() == b.latest(), "the runs ended in different weights");
    assert!(a.optimizer == b.optimizer, "the runs ended in different optimizer states");
}

#[test]
fn learns_256_pictures_by_heart() {
    let ctx = context();
    let images = pictures(256, 4);
    let split = Split { train: (0..256).collect(), validation: Vec::new() };
    let recipe = Recipe {
        epochs: 12,
        batch: 32,
        learning_rate: 0.1,
        schedule: Schedule::one_cycle(),
        augmentation: Augmentation::default(),
        ..Recipe::default()
    };
    let setup = Setup { spec: spec(4), preset: preset(), recipe, images, split, budget: Budget::default() };
    let mut trainer = trainer(&ctx, setup);
    run(&mut trainer);
    let outcomes = pollster::block_on(trainer.evaluate(&(0..256).collect::<Vec<_>>())).unwrap();
    let summary = Summary::of(&outcomes);
    assert_eq!(summary.top1, 1.0, "{summary:?}");
}

#[test]
fn a_run_that_was_stopped_ends_as_the_one_that_was_not() {
    let ctx = context();
    let recipe = Recipe { optimizer: Optimizer::adamw(), learning_rate: 2e-3, ..recipe() };
    let whole = to_the_end(trainer(&ctx, setup(recipe.clone())));

    // Stopped between two epochs, and again within the second: a trainer begins with a single step, so that is after one of three.
    let mut first = trainer(&ctx, setup(recipe));
    while !matches!(advance(&mut first), Event::Epoch(_)) {}
    let mut second = through_a_file(&mut first);
    drop(first);
    assert!(matches!(advance(&mut second), Event::Steps(steps) if steps.epoch == 2 && steps.step == 1));
    let resumed = through_a_file(&mut second);
    drop(second);
    let resumed = to_the_end(resumed);
    same_weights(&whole, &resumed);
    assert_eq!(whole.history.len(), resumed.history.len());
    for (a, b) in whole.history.iter().zip(&resumed.history) {
        // Sums of f32 over chunks, whose length follows the clock.
        assert!(
            (a.train.loss - b.train.loss).abs() < 1e-5 * a.train.loss,
            "epoch {}: {} and {}",
            a.epoch,
            a.train.loss,
            b.train.loss
        );
        let [one, other] = [a, b].map(|epoch| epoch.validation.expect("there are validation pictures"));
        assert_eq!((a.train.top1, one.top1), (b.train.top1, other.top1));
        // JSON may change the last digit.
        assert!((one.loss - other.loss).abs() < 1e-12, "epoch {}: {} and {}", a.epoch, one.loss, other.loss);
    }
}

#[test]
fn a_lost_device_costs_the_epoch_under_way_and_nothing_else() {
    let ctx = context();
    let whole = to_the_end(trainer(&ctx, setup(recipe())));

    let ctx = context();
    let mut trainer = trainer(&ctx, setup(recipe()));
    while !matches!(pollster::block_on(trainer.advance(&mut Turns::none())).unwrap(), Event::Steps(steps) if steps.epoch == 2) {
    }
    ctx.destroy();
    let error = loop {
        match pollster::block_on(trainer.advance(&mut Turns::none())) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::DeviceLost(_)), "{error}");
    pollster::block_on(trainer.recover(&context(), &mut Turns::none())).unwrap();
    same_weights(&whole, &to_the_end(trainer));
}

#[test]
fn a_loss_that_is_no_number_goes_back_and_halves_the_rate() {
    let ctx = context();
    // Infinite weights after one step.
    let recipe = Recipe { learning_rate: 1e38, ..recipe() };
    let mut trainer = trainer(&ctx, setup(recipe));
    let mut factors = Vec::new();
    let error = loop {
        match pollster::block_on(trainer.advance(&mut Turns::none())) {
            Ok(Event::Reverted { epoch, rate_factor }) => {
                assert_eq!(epoch, 0);
                factors.push(rate_factor);
            }
            Ok(Event::Finished { .. }) => panic!("nothing can be learned at such a rate"),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(factors[..3], [0.5, 0.25, 0.125]);
    assert!(error.contains("not a finite number"), "{error}");
    let weights = trainer.last_epoch().latest();
    assert!(weights.values().all(|tensor| tensor.data.iter().all(|v| v.is_finite())));
}

#[test]
fn parts_of_a_batch_add_up_to_the_batch() {
    let ctx = context();
    // Running statistics: batch norm would see each part alone.
    let whole = Recipe { epochs: 1, bn_statistics: BnStatistics::Frozen, ..recipe() };
    let parts = Recipe { accumulation: 4, ..whole.clone() };
    let [whole, parts] = [whole, parts].map(|recipe| to_the_end(trainer(&ctx, setup(recipe))));
    for (name, tensor) in whole.latest() {
        let other = &parts.latest()[name];
        for (a, b) in tensor.data.iter().zip(&other.data) {
            assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "{name}: {a} and {b}");
        }
    }
}

#[test]
fn a_head_trains_on_kept_features_and_leaves_the_rest_alone() {
    let ctx = context();
    let recipe = Recipe { depth: TrainDepth::Head, augmentation: Augmentation::default(), epochs: 4, ..recipe() };
    let start = fresh(&spec(4));
    let kept = trainer(&ctx, setup(recipe.clone()));
    assert!(kept.outline().keeps_features);
    assert_eq!(kept.outline().trained_parameters, 16 * 4 + 4);
    let kept = to_the_end(kept);
    for (name, tensor) in kept.latest() {
        assert_eq!(start.tensors[name] == *tensor, !name.starts_with("fc."), "{name}");
    }
    // Without room for features they are computed anew in every step, to the same end.
    let mut computed = setup(recipe);
    computed.budget.feature_bytes = 0;
    let computed = trainer(&ctx, computed);
    assert!(!computed.outline().keeps_features);
    same_weights(&kept, &to_the_end(computed));
}

#[test]
fn pictures_that_do_not_fit_are_sent_again() {
    let ctx = context();
    let whole = to_the_end(trainer(&ctx, setup(recipe())));
    let mut small = setup(recipe());
    small.budget.image_bytes = 0; // that is, two batches' worth
    same_weights(&whole, &to_the_end(trainer(&ctx, small)));
}

#[test]
fn a_later_stage_and_what_follows_it_train() {
    let ctx = context();
    let recipe = Recipe { depth: TrainDepth::FromStage(2), epochs: 1, ..recipe() };
    let start = fresh(&spec(4));
    let trained = to_the_end(trainer(&ctx, setup(recipe)));
    for (name, tensor) in trained.latest() {
        let moves = name.starts_with("layer2.") || name.starts_with("fc.");
        assert_eq!(start.tensors[name] != *tensor, moves, "{name}");
    }
}

#[test]
fn a_batch_too_large_is_run_in_parts_and_a_network_too_large_refused() {
    let ctx = context();
    let bytes = |setup: Setup| trainer(&ctx, setup).outline().memory.total();
    let whole = bytes(setup(recipe()));
    let mut tight = setup(recipe());
    tight.budget.training_bytes = whole - 1;
    let outline = trainer(&ctx, tight).outline();
    assert_eq!((outline.batch, outline.accumulation), (16, 2));
    assert!(!outline.batch_statistics, "eight images at a time are too few for batch statistics");

    let mut impossible = setup(recipe());
    impossible.budget.training_bytes = 1000;
    let weights = fresh(&impossible.spec);
    let error = pollster::block_on(Trainer::new(&ctx, impossible, weights, &mut Turns::none())).unwrap_err().to_string();
    assert!(error.contains("1 images at a time") && error.contains("train fewer layers"), "{error}");
}

#[test]
fn waiting_in_vain_ends_a_run() {
    let ctx = context();
    // Nothing moves, so no epoch is better than the first.
    let recipe =
        Recipe { epochs: 50, learning_rate: 1e-30, early_stopping: Some(2), bn_statistics: BnStatistics::Frozen, ..recipe() };
    let mut trainer = trainer(&ctx, setup(recipe));
    let events = run(&mut trainer);
    assert_eq!(events.last(), Some(&Event::Finished { early: true }));
    assert_eq!((trainer.last_epoch().progress.epoch, trainer.last_epoch().progress.best_epoch), (3, Some(1)));
}

#[test]
fn other_pictures_cannot_go_on_with_a_run() {
    let ctx = context();
    let mut trainer = trainer(&ctx, setup(recipe()));
    while !matches!(pollster::block_on(trainer.advance(&mut Turns::none())).unwrap(), Event::Epoch(_)) {}
    let checkpoint = trainer.last_epoch().clone();
    let error = pollster::block_on(Trainer::resume(
        &ctx,
        checkpoint,
        pictures(80, 4),
        split(80),
        Budget::default(),
        &mut Turns::none(),
    ))
    .unwrap_err()
    .to_string();
    assert!(error.contains("48 training and 16 validation"), "{error}");
}

#[test]
fn what_fills_no_batch_is_trained_like_the_rest() {
    let ctx = context();
    // Of 48 pictures the last step has 12: in parts of nine these are nine and three, and classes weigh differently.
    let recipe = Recipe {
        epochs: 2,
        batch: 18,
        bn_statistics: BnStatistics::Frozen,
        class_weights: ClassWeights::List(vec![0.5, 1.0, 2.0, 0.1]),
        ..recipe()
    };
    let parts = Recipe { accumulation: 2, ..recipe.clone() };
    let whole = trainer(&ctx, setup(recipe));
    let outline = whole.outline();
    assert_eq!((outline.steps_per_epoch, outline.last_batch), (3, 12));
    let [whole, parts] = [to_the_end(whole), to_the_end(trainer(&ctx, setup(parts)))];
    assert_eq!((whole.progress.step, whole.history[0].train.images), (6, 48));
    for (name, tensor) in whole.latest() {
        let other = &parts.latest()[name];
        for (a, b) in tensor.data.iter().zip(&other.data) {
            assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "{name}: {a} and {b}");
        }
    }
}

#[test]
fn a_single_picture_that_is_left_leaves_the_statistics_alone() {
    let ctx = context();
    let recipe = Recipe { epochs: 1, batch: 47, bn_statistics: BnStatistics::Batch, ..recipe() };
    let trainer = trainer(&ctx, setup(recipe));
    let outline = trainer.outline();
    assert_eq!((outline.last_batch, outline.batch_statistics, outline.last_batch_statistics), (1, true, false));
    let checkpoint = to_the_end(trainer);
    assert!(checkpoint.history[0].train.loss.is_finite() && checkpoint.progress.step == 2);
}

#[test]
fn the_log_has_the_rate_that_an_epoch_was_trained_with() {
    let ctx = context();
    // Nothing moves, so the second epoch is no better and the third has a tenth of the rate.
    let schedule =
        Schedule::ReduceOnPlateau { factor: 0.1, patience: 0, threshold: 1e-4, min_factor: 0.0, rule: Default::default() };
    let recipe = Recipe { epochs: 4, learning_rate: 1e-20, schedule, bn_statistics: BnStatistics::Frozen, ..recipe() };
    let checkpoint = to_the_end(trainer(&ctx, setup(recipe)));
    let rates: Vec<f64> = checkpoint.history.iter().map(|epoch| epoch.learning_rate / f64::from(1e-20f32)).collect();
    for (rate, expected) in rates.iter().zip([1.0, 1.0, 0.1, 0.01]) {
        assert!((rate - expected).abs() < 1e-9, "{rates:?}");
    }
}

#[test]
fn a_run_that_stopped_early_stays_stopped_until_it_is_told_otherwise() {
    let ctx = context();
    let recipe =
        Recipe { epochs: 9, learning_rate: 1e-30, early_stopping: Some(1), bn_statistics: BnStatistics::Frozen, ..recipe() };
    let mut first = trainer(&ctx, setup(recipe.clone()));
    run(&mut first);
    assert_eq!(first.last_epoch().progress.epoch, 2);
    let mut resumed = through_a_file(&mut first);
    assert_eq!(advance(&mut resumed), Event::Finished { early: true });
    // Patience begins anew with a change.
    let changed =
        pollster::block_on(resumed.change(&ctx, Recipe { early_stopping: Some(2), ..recipe }, &mut Turns::none())).unwrap();
    assert_eq!(changed.len(), 1);
    run(&mut resumed);
    assert_eq!(resumed.last_epoch().progress.epoch, 4);
}

#[test]
fn dials_that_change_while_a_run_rests_count_when_it_goes_on() {
    let ctx = context();
    let before = Recipe { batch: 20, optimizer: Optimizer::sgd(), ..recipe() };
    let after = Recipe { batch: 12, learning_rate: 0.01, depth: TrainDepth::FromStage(2), ..before.clone() };
    let mut going = trainer(&ctx, setup(before));
    while !matches!(advance(&mut going), Event::Steps(steps) if steps.epoch == 2) {}
    let stopped = pollster::block_on(going.checkpoint(&mut Turns::none())).unwrap();

    // A page changes the run that it holds, the command line the file.
    let mut restored = Checkpoint::from_bytes("run.safetensors", &stopped.to_bytes().unwrap()).unwrap();
    restored.change(after.clone()).unwrap();
    let mut turns = Turns::none();
    let resumed = Trainer::resume(&ctx, restored, pictures(64, 4), split(64), Budget::default(), &mut turns);
    let resumed = to_the_end(pollster::block_on(resumed).unwrap());
    let refused = Recipe { seed: 99, ..after.clone() };
    assert!(pollster::block_on(going.change(&ctx, refused, &mut Turns::none())).is_err());
    let changed = pollster::block_on(going.change(&ctx, after.clone(), &mut Turns::none())).unwrap();
    let names: Vec<&str> = changed.iter().map(|changed| changed.field.as_str()).collect();
    assert_eq!(names, ["batch", "learning_rate", "depth"]);
    assert_eq!(going.outline().steps_per_epoch, 4);
    let going = to_the_end(going);
    same_weights(&going, &resumed);
    assert_eq!((going.changes.len(), going.changes[0].epoch, &going.recipe), (1, 1, &after));
    for (name, tensor) in going.latest() {
        // Twelve at a time are too few for batch statistics.
        let learns = name.starts_with("layer2.") || name.starts_with("fc.");
        let moves = learns && !name.contains("running_");
        assert_eq!(stopped.latest()[name] != *tensor, moves, "{name}");
    }
}

#[test]
fn crops_are_cut_from_all_of_a_picture_and_validation_sees_what_inference_sees() {
    let ctx = context();
    // What tells the classes apart lies at the ends of long pictures, where the middle square shows nothing.
    let picture = |class: u32, seed: u64| {
        let mut rng = generator(seed, Stream::Init(1));
        let pixels = (0..16u32 * 48).flat_map(|i| {
            let (x, noise) = (i % 48, below(&mut rng, 40) as u8);
            let lit = !(16..32).contains(&x);
            [if lit && class == 0 { 220 } else { noise }, if lit && class == 1 { 220 } else { noise }, noise, 255]
        });
        RgbaImage::new("long", 48, 16, pixels.collect()).unwrap()
    };
    let preset = Preset { resize: Resize::Shorter(16), ..preset().with_size(16).unwrap() };
    let crop = ResizedCrop { scale: (0.2, 0.4), ratio: (0.9, 1.1) };
    let outcome = |side: Option<u32>| {
        let mut images = ImageSet::new(vec!["red".into(), "green".into()], ImageSize { width: 16, height: 16, margin: 0 });
        if let Some(side) = side {
            images = images.with_wholes(side);
        }
        for i in 0..32 {
            images.push(i.to_string(), &picture(i % 2, u64::from(i)), &preset, i % 2).unwrap();
        }
        let split = Split { train: (0..24).collect(), validation: (24..32).collect() };
        let augmentation = Augmentation { resized_crop: Some(crop), ..Augmentation::default() };
        let recipe = Recipe { epochs: 6, batch: 12, bn_statistics: BnStatistics::Batch, augmentation, ..recipe() };
        let setup = Setup { spec: spec(2), preset: preset.clone(), recipe, images, split, budget: Budget::default() };
        to_the_end(trainer(&ctx, setup)).history.last().unwrap().clone()
    };
    let (all, middle) = (outcome(Some(32)), outcome(None));
    assert!(all.train.top1 > 0.75, "two crops of three show an end: {}", all.train.top1);
    assert!(middle.train.top1 < 0.75, "the middle shows nothing: {}", middle.train.top1);
    assert!(all.validation.unwrap().top1 < 0.9, "validation looks at the middle: {:?}", all.validation);
}

#[test]
fn the_average_of_the_weights_is_what_validates_and_is_kept() {
    let ctx = context();
    let ema = Ema { decay: 0.8, steps: 2 };
    let recipe = Recipe { epochs: 2, batch: 12, ema: Some(ema), bn_statistics: BnStatistics::Batch, ..recipe() };
    let mut averaging = trainer(&ctx, setup(recipe.clone()));
    averaging.stop_every(1);
    let mut expected: Option<Vec<f64>> = None;
    let flat = |tensors: &Tensors| tensors.values().flat_map(|tensor| tensor.data.clone()).map(f64::from).collect::<Vec<f64>>();
    loop {
        match advance(&mut averaging) {
            Event::Steps(steps) if steps.step % 2 == 0 => {
                let now = pollster::block_on(averaging.checkpoint(&mut Turns::none())).unwrap();
                let weights = flat(now.latest());
                let decay = ema.decay_after(now.progress.averaged - 1);
                expected = Some(match expected {
                    Some(old) => old.iter().zip(weights).map(|(old, new)| decay * old + (1.0 - decay) * new).collect(),
                    None => weights,
                });
                let found = flat(now.average.as_ref().unwrap());
                let far = found.iter().zip(expected.as_ref().unwrap()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far < 1e-5, "the average is off by {far}");
            }
            Event::Finished { .. } => break,
            _ => {}
        }
    }
    // Training itself knows nothing of it.
    let plain = to_the_end(trainer(&ctx, setup(Recipe { ema: None, ..recipe.clone() })));
    let averaged = averaging.last_epoch().clone();
    assert!(plain.latest() == averaged.latest(), "the run's own weights are those without an average");
    assert!(averaged.best != *averaged.latest());
    // What validated is what the file gives others.
    let best = averaged.history[averaged.progress.best_epoch.unwrap() as usize - 1].validation.unwrap();
    pollster::block_on(averaging.take_best(&mut Turns::none())).unwrap();
    let validation = averaging.setup().split.validation.clone();
    let again = Summary::of(&pollster::block_on(averaging.evaluate(&validation)).unwrap());
    assert!((again.loss - best.loss).abs() < 1e-6 && again.top1 == best.top1, "{again:?} and {best:?}");

    // A run that was stopped ends in the same average.
    let mut first = trainer(&ctx, setup(recipe));
    while !matches!(advance(&mut first), Event::Steps(steps) if steps.epoch == 1 && steps.step == 4) {}
    let resumed = to_the_end(through_a_file(&mut first));
    assert!(resumed.average == averaged.average && resumed.latest() == averaged.latest());
}

#[test]
fn a_search_for_a_rate_leaves_the_run_as_it_was() {
    let ctx = context();
    let mut searching = trainer(&ctx, setup(recipe()));
    let search = pollster::block_on(searching.find_rate(1e-5, 10.0, 40, &mut Turns::none())).unwrap();
    assert!(search.rates.len() >= 10 && search.rates.len() == search.smoothed.len());
    assert!(search.rates.windows(2).all(|pair| pair[0] < pair[1]));
    let rate = search.suggestion.expect("these pictures can be learnt");
    assert!((1e-4..5.0).contains(&rate), "{rate}");
    same_weights(&to_the_end(searching), &to_the_end(trainer(&ctx, setup(recipe()))));
    let mut refused = trainer(&ctx, setup(recipe()));
    let error = pollster::block_on(refused.find_rate(1.0, 0.1, 40, &mut Turns::none())).unwrap_err().to_string();
    assert!(error.contains("two rising numbers"), "{error}");
}
