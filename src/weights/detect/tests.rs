use super::*;
use crate::model::resnet::{ConvBias, NAMED};
use crate::weights::{Choices, Files, HostTensor};

/// A checkpoint of zeros with the tensors of `spec`, batch norms' counters left out as the readers do.
fn zeros(spec: &ResNetSpec) -> StateDict {
    let params = spec.build().unwrap().params();
    let tensor = |shape: Vec<usize>| {
        let len = shape.iter().product();
        HostTensor::new(shape, vec![0.0; len])
    };
    StateDict {
        tensors: params.into_iter().map(|param| (param.name, tensor(param.shape))).collect(),
        metadata: IndexMap::new(),
    }
}

fn named(name: &str) -> ResNetSpec {
    ResNetSpec::named(name).unwrap()
}

fn rename(state: StateDict, rule: impl Fn(&str) -> String) -> StateDict {
    let tensors = state.tensors.into_iter().map(|(name, tensor)| (rule(&name), tensor)).collect();
    StateDict { tensors, ..state }
}

fn put(state: &mut StateDict, name: &str, shape: &[usize]) {
    state.tensors.insert(name.into(), HostTensor::new(shape, vec![0.0; shape.iter().product()]));
}

fn message(state: StateDict) -> String {
    detect(state).unwrap_err().to_string()
}

#[test]
fn every_named_net_is_recognised_by_its_shapes() {
    // Of a classifier over the whole map the shapes do not tell the map's sides; files of ours carry the table.
    for name in NAMED.iter().filter(|name| **name != "resnet50-51-classes") {
        let detected = detect(zeros(&named(name))).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Caffe's stride, TF-slim's and Keras' pool leave no trace: torchvision's and TF-slim's v2 nets have the same shapes.
        let expected = named(&name.replace("-caffe", "").replace("v1-slim", "").replace("v2-keras", "v2-slim"));
        assert_eq!(detected.spec, expected, "{name}");
        assert!(detected.assumed[0].contains(&expected.arch), "{name}: {:?}", detected.assumed);
        assert_eq!(
            detected.assumed.iter().any(|s| s.contains("Keras' has the same")),
            expected.arch.ends_with("v2-slim"),
            "{name}"
        );
        let wanted: Vec<String> = expected.build().unwrap().params().into_iter().map(|param| param.name).collect();
        assert!(detected.weights.tensors.keys().eq(&wanted), "{name}");
    }
}

#[test]
fn metadata_settles_what_shapes_cannot_show() {
    let names: Vec<String> = (0..1000).map(|i| format!("thing {i}")).collect();
    for name in ["resnet50-caffe", "resnet50v2-keras"] {
        let mut state = zeros(&named(name));
        state.metadata = metadata(&named(name), Some(&names), Some("keras-v2"));
        let detected = detect(state).unwrap();
        assert_eq!(detected.spec, named(name));
        assert_eq!(detected.classes.as_ref(), Some(&names));
        assert_eq!(detected.preset.as_deref(), Some("keras-v2"));
        assert!(detected.assumed.is_empty());
        // The name alone is enough too; head and image channels follow the tensors.
        let mut other = named(name).with_classes(Some(7));
        other.image_channels = 1;
        let mut state = zeros(&other);
        state.metadata.insert("arch".into(), name.to_string());
        assert_eq!(detect(state).unwrap().spec, other);
    }
}

#[test]
fn a_table_of_its_own_comes_back_from_metadata() {
    // labml's form: biased convolutions, no pool, features only, a stride of 2 in the very first block alone.
    let mut spec = named("resnet18").with_classes(None);
    spec.arch = "labml".into();
    spec.bias = ConvBias::Always;
    spec.stem.pool = None;
    spec.stages = ResNetSpec::stages_from_lists(&[2, 1, 3], &[32, 48, 64], Some(&[8, 12, 16]), &[2, 1, 1]).unwrap();
    let mut state = zeros(&spec);
    state.metadata = metadata(&spec, None, None);
    assert_eq!(detect(state).unwrap().spec, spec);

    // ResNet-50 with a 3x3 stem of stride 1 and 51 classes: right but for the stride's place, which the note mentions.
    let mut spec = named("resnet50").with_classes(Some(51));
    (spec.stem.kernel, spec.stem.stride, spec.stem.pool) = (3, 1, None);
    let detected = detect(zeros(&spec)).unwrap();
    assert_eq!(ResNetSpec { arch: spec.arch.clone(), ..detected.spec }, spec);
    assert_eq!(detected.assumed.len(), 1);
}

#[test]
fn other_heads_channels_and_names_are_no_obstacle() {
    let mut spec = named("resnet34").with_classes(Some(3));
    spec.image_channels = 4;
    assert_eq!(detect(zeros(&spec)).unwrap().spec, spec);
    let features = named("resnet101").with_classes(None);
    assert_eq!(detect(zeros(&features)).unwrap().spec, features);

    let renamed = |name: &str| name.replace("fc.", "linear.").replace("downsample", "shortcut");
    for name in ["resnet20", "resnet20-projection", "resnet50"] {
        let mut state = rename(zeros(&named(name)), renamed);
        put(&mut state, "bn1.num_batches_tracked", &[]);
        assert_eq!(detect(state).unwrap().spec, named(name), "{name}");
    }
}

#[test]
fn wide_nets_load_as_tables() {
    let mut spec = named("resnet50");
    spec.arch = "wide_resnet50_2".into();
    for stage in &mut spec.stages {
        stage.bottleneck = stage.bottleneck.map(|width| 2 * width);
    }
    let detected = detect(zeros(&spec)).unwrap();
    assert_eq!(detected.spec, spec);
    assert!(detected.assumed[0].contains("taken as wide_resnet50_2"), "{:?}", detected.assumed);
}

/// As a file, since the names of relatives are refused before a number is read.
fn file(state: &StateDict) -> Result<Detected> {
    let bytes = crate::weights::safetensors::write(state, crate::weights::Dtype::F16).unwrap();
    crate::weights::load(&Files::alone("net.safetensors", &bytes), &Choices::default()).map(|(found, _)| found)
}

#[test]
fn variants_that_cannot_be_built_are_named() {
    let resnet = || zeros(&ResNetSpec { stages: named("resnet20").stages, ..named("resnet18") });
    let with = |name: &str, shape: &[usize]| {
        let mut state = resnet();
        put(&mut state, name, shape);
        file(&state).unwrap_err().to_string()
    };
    assert!(with("conv1.0.weight", &[32, 3, 3, 3]).contains("stem is several convolutions (`conv1.0.weight`"));
    assert!(with("conv2.weight", &[32, 3, 3, 3]).contains("stem is several convolutions (`conv2.weight`"));
    assert!(with("layer1.0.conv2.weight", &[16, 2, 3, 3]).contains("8 groups"));
    assert!(with("layer1.0.se.fc1.weight", &[16, 256, 1, 1]).contains("SE-ResNet"));
    assert!(with("layer1.0.se.conv.weight", &[1, 1, 3]).contains("ECA-ResNet"));
    let of = |state: StateDict| file(&state).unwrap_err().to_string();
    let features = rename(resnet(), |name| format!("features.0.{}", name.rsplit('.').next().unwrap()));
    let text = of(features);
    assert!(text.contains("`features.0.weight`") && !text.contains("VGG"), "{text}");
    let mut group_norm = resnet();
    group_norm.tensors.retain(|name, _| !name.contains("running"));
    assert!(of(group_norm).contains("group norm"));
}

/// Nets with the widths of `name` divided by 8, so that a file of one is small.
fn narrow(name: &str) -> ResNetSpec {
    let mut spec = named(name).with_classes(Some(5));
    spec.stem.channels /= 8;
    spec.stem.deep = spec.stem.deep.map(|widths| widths.map(|width| width / 8));
    for stage in &mut spec.stages {
        (stage.blocks, stage.channels) = (1, stage.channels / 8);
        stage.bottleneck = stage.bottleneck.map(|width| width / 8);
    }
    spec.groups = spec.groups.div_ceil(8);
    spec
}

#[test]
fn stems_pools_and_groups_come_back_from_names_and_shapes() {
    for name in ["resnet50d", "resnet50t", "resnet50s", "resnet18d", "resnext50_32x4d", "resnext50d_32x4d", "resnetv2_50d"] {
        let spec = narrow(name);
        let found = file(&zeros(&spec)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(ResNetSpec { arch: spec.arch.clone(), ..found.spec }, spec, "{name}");
        assert!(!found.assumed.is_empty(), "{name}");
        // At their full width they have their names.
        let found = detect(zeros(&named(name))).unwrap();
        assert_eq!((found.spec, found.assumed[0].contains(name)), (named(name), true), "{name}");
    }
}

#[test]
fn others_number_stems_and_averaged_shortcuts_otherwise() {
    // mmpretrain: the stem with its last norm in one sequence, and no number for the pool that a stride of 1 has not.
    let mut spec = narrow("resnet50d");
    let state = zeros(&spec);
    let mmpretrain = |name: &str| {
        let name = name.replace("layer1.0.downsample.1", "layer1.0.downsample.0");
        let name = name.replace("layer1.0.downsample.2", "layer1.0.downsample.1");
        let stem = name.strip_prefix("conv1.").map(|rest| format!("stem.{rest}"));
        let name = stem.or(name.strip_prefix("bn1.").map(|rest| format!("stem.7.{rest}"))).unwrap_or(name);
        if name.starts_with("fc.") { format!("head.{name}") } else { format!("backbone.{name}") }
    };
    let found = file(&rename(state.clone(), mmpretrain)).unwrap();
    assert_eq!(found.weights.tensors.keys().collect::<Vec<_>>(), state.tensors.keys().collect::<Vec<_>>());

    // timm's resnetv2 has no numbers at all.
    spec = narrow("resnetv2_50d");
    let state = zeros(&spec);
    let timm = |name: &str| {
        let stem =
            [("conv1.0", "conv1"), ("conv1.1", "norm1"), ("conv1.3", "conv2"), ("conv1.4", "norm2"), ("conv1.6", "conv3")];
        if let Some((ours, theirs)) = stem.iter().find(|(ours, _)| name.starts_with(ours)) {
            return name.replace(ours, &format!("stem.{theirs}"));
        }
        let Some(rest) = name.strip_prefix("layer") else { return name.replace("fc.", "head.fc.") };
        let (stage, rest) = rest.split_at(1);
        let rest = rest.replace(".bn", ".norm").replace("downsample.1", "downsample.conv");
        format!("stages.{}.blocks{rest}", stage.parse::<usize>().unwrap() - 1)
    };
    let mut renamed = rename(state.clone(), timm);
    // Its classifier is a 1x1 convolution.
    renamed.tensors["head.fc.weight"].shape.extend([1, 1]);
    let found = file(&renamed).unwrap();
    assert_eq!(found.weights.tensors.keys().collect::<Vec<_>>(), state.tensors.keys().collect::<Vec<_>>());
    assert_eq!(found.spec.shortcut, crate::model::resnet::Shortcut::AveragePool);
}

#[test]
fn choices_change_what_was_assumed_and_must_fit() {
    let with = |choices: Choices| recognise(zeros(&named("resnet50")), &Beside { choices, ..Beside::default() });
    let caffe = with(Choices { named: Some("resnet50-caffe".into()), ..Choices::default() }).unwrap();
    assert_eq!((caffe.spec, caffe.assumed), (named("resnet50-caffe"), Vec::new()));
    let other = with(Choices { stem_stride: Some(1), stem_pool: Some(false), ..Choices::default() }).unwrap();
    assert_eq!((other.spec.stem.stride, other.spec.stem.pool), (1, None));
    assert!(!other.assumed.join(" ").contains("first convolution"), "{:?}", other.assumed);
    let wrong = with(Choices { named: Some("resnet18".into()), ..Choices::default() }).unwrap_err().to_string();
    assert!(wrong.contains("--as resnet18 does not fit") && wrong.contains("`resnet50`"), "{wrong}");
    assert!(with(Choices { named: Some("vgg16".into()), ..Choices::default() }).unwrap_err().to_string().contains("vgg16"));
    let blur = with(Choices { named: Some("resnetblur50".into()), ..Choices::default() }).unwrap_err().to_string();
    assert!(blur.contains("blur pools"), "{blur}");
    let basic = Beside {
        choices: Choices { stride_on: Some(crate::model::resnet::StrideOn::Conv1x1), ..Choices::default() },
        ..Beside::default()
    };
    assert!(recognise(zeros(&named("resnet18")), &basic).unwrap_err().to_string().contains("bottleneck"));
}

#[test]
fn a_single_output_answers_yes_or_no_and_the_loss_is_read() {
    let one = detect(zeros(&named("resnet18").with_classes(Some(1)))).unwrap();
    assert_eq!(one.activation, Activation::Sigmoid);
    assert!(one.assumed.iter().any(|sentence| sentence.contains("single output")), "{:?}", one.assumed);
    let mut state = zeros(&named("resnet20"));
    assert_eq!(detect(state.clone()).unwrap().activation, Activation::Softmax);
    state.metadata.extend(loss_metadata(Activation::Sigmoid));
    assert_eq!(detect(state).unwrap().activation, Activation::Sigmoid);
}

#[test]
fn a_tensor_that_does_not_fit_is_named_with_both_shapes() {
    let mut state = zeros(&named("resnet18"));
    put(&mut state, "layer3.1.conv2.weight", &[256, 128, 3, 3]);
    let text = message(state);
    assert!(
        text.contains("`layer3.1.conv2.weight`") && text.contains("[256, 256, 3, 3]") && text.contains("[256, 128, 3, 3]"),
        "{text}"
    );

    let mut state = zeros(&named("resnet18"));
    state.tensors.shift_remove("fc.bias");
    let text = message(state);
    assert!(text.contains("`fc.bias`") && text.contains("no tensor of that name"), "{text}");

    let mut state = zeros(&named("resnet18"));
    put(&mut state, "fc.weight", &[]);
    put(&mut state, "conv1.weight", &[64, 3, 7]);
    assert!(message(state).contains("`conv1.weight`"));

    let mut state = zeros(&named("resnet18"));
    for i in 0..7 {
        put(&mut state, &format!("extra{i}.weight"), &[1]);
    }
    let text = message(state);
    assert!(text.contains("`extra0.weight`") && text.contains("`extra4.weight`") && text.contains("2 more"), "{text}");
    assert!(!text.contains("extra5"), "{text}");
}

#[test]
fn metadata_that_contradicts_the_tensors_is_an_error() {
    let with = |key: &str, value: &str| {
        let mut state = zeros(&named("resnet20"));
        state.metadata.insert(key.into(), value.into());
        message(state)
    };
    assert!(with("spec", "{\"arch\":").contains("`spec`"));
    assert!(with("classes", "[\"cat\", \"dog\"]").contains("names 2 classes"));
    assert!(with("classes", "cat").contains("JSON list"));
    assert!(with("arch", "resnet56").contains("layer1.3.conv1.weight"));
    let mut hostile = named("resnet20");
    hostile.stages[0].blocks = usize::MAX;
    assert!(with("spec", &serde_json::to_string(&hostile).unwrap()).contains("blocks"));
    let mut hostile = named("resnet20");
    hostile.stages = vec![hostile.stages[0]; 100_000];
    assert!(with("spec", &serde_json::to_string(&hostile).unwrap()).contains("blocks"));
    hostile.stages.clear();
    hostile.stem.channels = usize::MAX;
    assert!(with("spec", &serde_json::to_string(&hostile).unwrap()).contains("table"));
    // A name that other programs use means nothing here.
    let mut state = zeros(&named("resnet20"));
    state.metadata.insert("arch".into(), "gpt2".into());
    assert_eq!(detect(state).unwrap().spec, named("resnet20"));
}

#[test]
fn inspection_has_what_the_command_line_prints() {
    let spec = named("resnet20");
    let mut state = zeros(&spec);
    state.metadata = metadata(&spec, None, Some("cifar"));
    let bytes = crate::weights::safetensors::write(&state, crate::weights::Dtype::F16).unwrap();
    let json =
        serde_json::to_value(crate::weights::inspect(&Files::alone("net.safetensors", &bytes), &Choices::default()).unwrap())
            .unwrap();
    assert_eq!(json["arch"], "resnet20");
    assert_eq!(json["family"], "cifar-v1");
    assert_eq!(json["classes"], 10);
    assert_eq!(json["params"], 269_722);
    assert_eq!(json["dtype"], "f16");
    assert_eq!(json["format"], "safetensors");
    let layers = json["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 19 + 19 + 1); // convolutions, batch norms, the classifier
    assert_eq!(layers[0]["name"], "conv1");
    let total: u64 = layers.iter().map(|layer| layer["params"].as_u64().unwrap()).sum();
    assert_eq!(total, 269_722);
}
