use super::*;
use crate::model::graph::Graph;

fn spec(name: &str) -> ResNetSpec {
    ResNetSpec::named(name).unwrap()
}

fn graph(name: &str) -> Graph {
    spec(name).build().unwrap()
}

#[test]
fn the_default_is_valid_and_survives_json() {
    let mut recipe = Recipe::default();
    recipe.validate_for(&spec("resnet18")).unwrap();
    recipe.depth = TrainDepth::FromStage(3);
    recipe.class_weights = ClassWeights::List(vec![1.0, 2.0]);
    recipe.optimizer = Optimizer::adamw();
    recipe.schedule = Schedule::one_cycle();
    let json = serde_json::to_string(&recipe).unwrap();
    assert!(json.contains(r#""depth":"stage3""#), "{json}");
    assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
    // What is left out has its default, what nobody knows is an error.
    let short: Recipe = serde_json::from_str(r#"{"epochs": 3}"#).unwrap();
    assert_eq!(short, Recipe { epochs: 3, ..Recipe::default() });
    assert!(serde_json::from_str::<Recipe>(r#"{"epoch": 3}"#).is_err());
    assert!(serde_json::from_str::<Recipe>(r#"{"depth": "stage0"}"#).is_err());
}

#[test]
fn the_recipes_of_others_can_be_used() {
    for name in Recipe::names() {
        let recipe = Recipe::named(name).unwrap_or_else(|| panic!("{name} is no recipe"));
        recipe.validate().unwrap();
    }
    assert_eq!(Recipe::named("keras"), None);
    let keras = Recipe::named("keras-cifar").unwrap();
    let decayed = |recipe: &Recipe| -> Vec<String> {
        let params = graph("resnet20-keras").params();
        params.into_iter().filter(|p| p.trainable && recipe.decay(p) > 0.0).map(|p| p.name).collect()
    };
    assert_eq!(decayed(&keras).len(), 19 + 2, "convolutions, those of shortcuts too");
    assert!(decayed(&keras).iter().all(|name| name.ends_with(".weight") && !name.starts_with("fc")));
    for (arch, name) in [
        ("resnet20-keras", Some("keras-cifar")),
        ("resnet56v2", Some("keras-cifar")),
        ("resnet50v2-slim", Some("slim")),
        ("resnet50-51-classes", Some("tf51")),
        ("labml:2,2-8,16", Some("labml")),
        ("resnet18", None),
        ("resnet50v2-keras", None),
    ] {
        assert_eq!(Recipe::usual_for(&spec(arch)), name, "{arch}");
    }
}

#[test]
fn the_depth_chooses_layers() {
    let trained = |depth: &str, net: &str| -> Vec<String> {
        let recipe = Recipe { depth: depth.parse().unwrap(), ..Recipe::default() };
        let params = graph(net).params();
        let names = params.iter().filter(|p| recipe.trains(&p.name)).map(|p| p.name.split('.').next().unwrap().to_owned());
        let mut parts: Vec<String> = names.collect();
        parts.dedup();
        parts
    };
    assert_eq!(trained("head", "resnet50v2-slim"), ["fc"]);
    assert_eq!(trained("stage4", "resnet50v2-slim"), ["layer4", "norm", "fc"]);
    assert_eq!(trained("stage2", "resnet20"), ["layer2", "layer3", "fc"]);
    assert_eq!(trained("stage1", "resnet20"), ["layer1", "layer2", "layer3", "fc"]);
    assert_eq!(trained("all", "resnet20"), ["conv1", "bn1", "layer1", "layer2", "layer3", "fc"]);
    for text in ["", "stage", "stage0", "stage-1", "everything"] {
        assert!(text.parse::<TrainDepth>().unwrap_err().to_string().contains("stage1"), "{text}");
    }
}

#[test]
fn multipliers_and_decay_follow_the_names() {
    let multipliers = RateMultipliers { stem: 0.1, stages: vec![0.2, 0.3], head: 10.0 };
    let mut recipe = Recipe { multipliers, ..Recipe::default() };
    let found = ["conv1.weight", "bn1", "layer1.0.conv1", "layer2.1.bn2.bias", "layer3.0.conv1", "norm", "fc"]
        .map(|name| recipe.rate_multiplier(name));
    assert_eq!(found, [0.1, 0.1, 0.2, 0.3, 1.0, 10.0, 10.0]);

    let decayed = |recipe: &Recipe| -> usize {
        graph("resnet20").params().iter().filter(|p| p.trainable && recipe.decay(p) > 0.0).count()
    };
    assert_eq!(decayed(&recipe), 20); // 19 convolutions and fc.weight
    recipe.weight_decay.skip_norm_and_bias = false;
    assert_eq!(decayed(&recipe), 20 + 2 * 19 + 1); // and 19 norms, and fc.bias
    assert!(!recipe.decays_decoupled());
    recipe.optimizer = Optimizer::adamw();
    assert!(recipe.decays_decoupled());
}

#[test]
fn batch_norm_follows_batch_size_and_family() {
    let mut recipe = Recipe { batch: 16, ..Recipe::default() };
    let statistics = |recipe: &Recipe, name: &str| recipe.statistics(&spec(name));
    let batch = |momentum, unbiased| Statistics::Batch { momentum, unbiased };
    assert_eq!(statistics(&recipe, "resnet18"), batch(0.1, true));
    assert_eq!(statistics(&recipe, "resnet20-keras"), batch(0.01, false));
    assert_eq!(statistics(&recipe, "resnet56v2"), batch(0.01, false));
    assert_eq!(statistics(&recipe, "resnet50v2-keras"), batch(0.01, false));
    assert_eq!(statistics(&recipe, "resnet50v2-slim"), batch(0.003, true));
    assert_eq!(statistics(&recipe, "resnet50v1-slim"), batch(0.003, true));
    // Pre-activation of timm's and kuangliu's is PyTorch's all the same.
    assert_eq!(statistics(&recipe, "resnetv2_50"), batch(0.1, true));
    assert_eq!(statistics(&recipe, "preact-resnet18"), batch(0.1, true));
    // What counts is how many images run at a time.
    recipe.accumulation = 2;
    assert_eq!(statistics(&recipe, "resnet18"), Statistics::Running);
    recipe.bn_statistics = BnStatistics::Batch;
    assert_eq!(statistics(&recipe, "resnet18"), batch(0.1, true));
    recipe.bn_statistics = BnStatistics::Frozen;
    assert_eq!(statistics(&recipe, "resnet18"), Statistics::Running);
}

#[test]
fn class_weights_balance() {
    // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 6 + [1] * 3 + [2])
    let weights = ClassWeights::Balanced.resolve(&[6, 3, 1]);
    assert!(weights.iter().zip([0.5555556, 1.1111112, 3.3333333]).all(|(a, b)| (a - b).abs() < 1e-6), "{weights:?}");
    assert_eq!(ClassWeights::Balanced.resolve(&[4, 0]), [0.5, 0.0]);
    assert_eq!(ClassWeights::None.resolve(&[6, 3]), [1.0, 1.0]);
    assert_eq!(ClassWeights::List(vec![2.0, 3.0]).resolve(&[6, 3]), [2.0, 3.0]);
}

#[test]
fn nonsense_is_explained() {
    let wrong = |change: &dyn Fn(&mut Recipe)| {
        let mut recipe = Recipe::default();
        change(&mut recipe);
        recipe.validate_for(&spec("resnet20")).unwrap_err().to_string()
    };
    assert!(wrong(&|r| r.epochs = 0).contains("at least 1"));
    assert!(wrong(&|r| r.batch = 0).contains("1 to 65536"));
    assert!(wrong(&|r| r.accumulation = 3).contains("3 equal parts"));
    assert!(wrong(&|r| r.accumulation = 0).contains("0 equal parts"));
    assert!(wrong(&|r| r.learning_rate = f32::NAN).contains("learning rate of NaN"));
    assert!(wrong(&|r| r.weight_decay.value = -1.0).contains("weight decay of -1"));
    assert!(wrong(&|r| r.clip_norm = Some(0.0)).contains("clipped"));
    assert!(wrong(&|r| r.depth = TrainDepth::FromStage(4)).contains("3 stages"));
    assert!(wrong(&|r| r.depth = TrainDepth::FromStage(0)).contains("counted from 1"));
    assert!(wrong(&|r| r.multipliers.head = 0.0).contains("multiplier of 0"));
    assert!(wrong(&|r| r.multipliers.stages = vec![1.0; 4]).contains("4 multipliers"));
    assert!(wrong(&|r| r.class_weights = ClassWeights::List(vec![1.0])).contains("10 classes"));
    assert!(wrong(&|r| r.class_weights = ClassWeights::List(vec![0.0; 10])).contains("above 0"));
    assert!(wrong(&|r| r.val_fraction = 1.0).contains("validation fraction"));
    assert!(wrong(&|r| r.early_stopping = Some(0)).contains("patience"));
    assert!(wrong(&|r| r.schedule = Schedule::cosine(20.0)).contains("does not fit"));
    assert!(wrong(&|r| r.augmentation.hue = 2.0).contains("hue"));
    let features = spec("resnet20").with_classes(None);
    assert!(Recipe::default().validate_for(&features).unwrap_err().to_string().contains("features"));
}
