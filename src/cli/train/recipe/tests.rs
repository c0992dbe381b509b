use super::*;

fn parse(arguments: &[&str]) -> std::result::Result<RecipeArgs, String> {
    #[derive(clap::Parser)]
    struct Wrapper {
        #[arg(long)]
        arch: Option<String>,
        #[arg(long)]
        val: Option<String>,
        #[command(flatten)]
        recipe: RecipeArgs,
    }
    let parsed = <Wrapper as clap::Parser>::try_parse_from(std::iter::once(&"x").chain(arguments));
    parsed.map(|Wrapper { recipe, .. }| recipe).map_err(|error| error.to_string())
}

fn recipe(arguments: &[&str]) -> Recipe {
    parse(arguments).unwrap().recipe(None, None, false, false).unwrap()
}

#[test]
fn flags_change_the_default() {
    assert_eq!(recipe(&[]), Recipe::default());
    let found = recipe(&[
        "--batch",
        "64",
        "--accumulation",
        "4",
        "--lr",
        "0.1",
        "--momentum",
        "0.8",
        "--nesterov",
        "false",
        "--schedule",
        "one-cycle",
        "--weight-decay",
        "5e-4",
        "--decoupled-decay",
        "--decay-norm-and-bias",
        "--clip-norm",
        "1",
        "--train",
        "stage2",
        "--multiplier",
        "stem=0.1",
        "--multiplier",
        "stage3=0.5",
        "--multiplier",
        "head=10",
        "--bn",
        "batch",
        "--loss",
        "sigmoid",
        "--label-smoothing",
        "0.1",
        "--class-weights",
        "1,2",
        "--augment",
        "flip,shift:2,colour:0.4,mixup:0.2",
        "--val-fraction",
        "0.1",
        "--early-stopping",
        "5",
        "--seed",
        "7",
        "--init",
        "keras-he-normal",
    ]);
    assert_eq!((found.batch, found.accumulation, found.learning_rate, found.seed), (64, 4, 0.1, 7));
    assert_eq!(found.optimizer, Optimizer::Sgd { momentum: 0.8, nesterov: false });
    assert_eq!(found.schedule, Schedule::one_cycle());
    assert!(found.weight_decay.value == 5e-4 && found.weight_decay.decoupled && !found.weight_decay.skip_norm_and_bias);
    assert_eq!((found.clip_norm, found.depth), (Some(1.0), TrainDepth::FromStage(2)));
    assert_eq!(found.multipliers, RateMultipliers { stem: 0.1, stages: vec![1.0, 1.0, 0.5], head: 10.0 });
    assert_eq!(found.bn_statistics, BnStatistics::Batch);
    assert_eq!(found.loss, LossKind::SigmoidCrossEntropy { label_smoothing: 0.1 });
    assert_eq!(found.class_weights, ClassWeights::List(vec![1.0, 2.0]));
    let Augmentation { shift_px, flip, brightness, hue, mixup_alpha, resized_crop, .. } = found.augmentation;
    assert_eq!((shift_px, flip, brightness, hue, mixup_alpha, resized_crop), (2, true, 0.4, 0.1, 0.2, None));
    assert_eq!((found.val_fraction, found.early_stopping, found.init), (0.1, Some(5), Init::KerasHeNormal));
}

#[test]
fn defaults_follow_what_is_chosen() {
    assert_eq!(recipe(&["--optimizer", "adamw"]).learning_rate, ADAM_RATE);
    assert_eq!(recipe(&["--optimizer", "adam", "--lr", "0.5"]).learning_rate, 0.5);
    assert_eq!(recipe(&["--momentum", "0"]).optimizer, Optimizer::Sgd { momentum: 0.0, nesterov: false });
    let args = parse(&[]).unwrap();
    assert_eq!(args.recipe(None, Some(1), false, false).unwrap().schedule, Schedule::cosine(0.0));
    assert_eq!(args.recipe(None, None, true, false).unwrap().bn_statistics, BnStatistics::Batch);
    assert_eq!(args.recipe(None, None, false, true).unwrap().val_fraction, 0.0);
    let frozen = parse(&["--bn", "frozen"]).unwrap().recipe(None, None, true, false).unwrap();
    assert_eq!(frozen.bn_statistics, BnStatistics::Frozen);
}

#[test]
fn a_framework_brings_its_numbers_and_options_win() {
    let args = parse(&["--lr", "0.02"]).unwrap();
    let slim = args.recipe(Some("slim"), None, true, false).unwrap();
    assert_eq!(
        (slim.init, slim.bn_momentum, slim.learning_rate, slim.epochs),
        (Init::SlimVarianceScaling, Some(0.003), 0.02, 20)
    );
    let named = parse(&["--recipe", "keras-cifar", "--batch", "64"]).unwrap().recipe(None, None, true, false).unwrap();
    assert_eq!((named.epochs, named.batch, named.weight_decay.skip_head), (200, 64, true));
    let wrong = parse(&["--recipe", "kears"]).unwrap().recipe(None, None, true, false).unwrap_err().to_string();
    assert!(wrong.contains("keras-cifar, slim"), "{wrong}");
}

#[test]
fn a_run_that_goes_on_keeps_what_is_not_named() {
    let before = Recipe { batch: 7, seed: 4, early_stopping: Some(3), ..Recipe::default() };
    let resumed = |arguments: &[&str]| parse(arguments).unwrap().resumed(&before, Some(30));
    let recipe = resumed(&["--lr", "0.5", "--early-stopping", "0"]).unwrap();
    assert_eq!(recipe, Recipe { epochs: 30, learning_rate: 0.5, early_stopping: None, ..before.clone() });
    assert!(resumed(&["--optimizer", "adam"]).unwrap_err().to_string().contains("--lr"));
    let keras = resumed(&["--recipe", "keras-cifar"]).unwrap();
    assert_eq!((keras.seed, keras.init, keras.batch), (4, Init::HeFanOut, 32));
}

#[test]
fn augmentations_by_name() {
    assert!(augmentation("none").unwrap().is_none() && augmentation("flip,none").unwrap().is_none());
    let cifar = augmentation("cifar, rotation:10").unwrap();
    assert_eq!((cifar.shift_px, cifar.flip, cifar.rotation_deg), (4, true, 10.0));
    assert_eq!(augmentation("imagenet").unwrap(), augmentation("crop,flip").unwrap());
    assert_eq!(augmentation("crop:0.5").unwrap().resized_crop.unwrap().scale, (0.5, 1.0));
    for (text, expected) in [
        ("blur", "none of none"),
        ("shift:x", "whole number"),
        ("shift", "whole number"),
        ("hue", "hue:0.1"),
        ("hue:3", "from 0 (off) to 0.5"),
        ("flip:1", "none of none"),
        ("crop:2", "rising shares"),
    ] {
        let error = augmentation(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn contradictions_are_refused() {
    let error = |arguments: &[&str]| parse(arguments).unwrap().recipe(None, None, false, false).unwrap_err().to_string();
    assert!(error(&["--optimizer", "adam", "--momentum", "0.9"]).contains("belong to sgd"));
    assert!(error(&["--early-stopping", "3", "--val-fraction", "0"]).contains("needs validation"));
    assert!(error(&["--recipe", "/no/such/file"]).contains("no such file"));
    for wrong in [
        &["--multiplier", "stage0=1"][..],
        &["--multiplier", "neck=1"],
        &["--multiplier", "stage99999999999=1"],
        &["--class-weights", "many"],
        &["--schedule", "steps"],
        &["--train", "tail"],
        &["--val", "x", "--val-fraction", "0.1"],
        &["--zero-init"],
    ] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}
