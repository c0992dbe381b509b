//! One tiny ResNet as scripts and frameworks save it (tests/fixtures/weights/make_forms.py), loaded to the same tensors.

use super::*;

macro_rules! forms {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/forms/", $name)) as &[u8])),*]
    };
}

const FORMS: &[(&str, &[u8])] = forms![
    "plain.safetensors",
    "reference.pth",
    "average.pth",
    "names.pth",
    "two.pth",
    "parameters.pth",
    "named_parameters.pth",
    "moco.pth",
    "lightning.ckpt",
    "head_elsewhere.pth",
    "head_dropout.pth",
    "head_without_bias.pth",
    "head_of_layers.pth",
    "sequential.pth",
    "module.pth",
    "module_silu.pth",
    "script.pt",
    "exported.pt2",
    "float8_beside.pth",
    "stem_with_bias.pth",
    "folded.pth",
    "weight_norm.pth",
    "spectral_norm.pth",
    "arrays.pth",
    "arrays.pkl",
    "arrays.npz",
    "deflated.pth",
    "tar.pth",
    "transformers.safetensors",
    "script.onnx",
    "script_train.onnx",
    "program.onnx",
];

fn bytes(name: &str) -> &'static [u8] {
    FORMS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no form {name}")).1
}

fn load_with(name: &str, choices: &Choices) -> Result<Detected> {
    load(&Files::alone(name, bytes(name)), choices).map(|(found, _)| found)
}

fn loaded(name: &str) -> Detected {
    load_with(name, &Choices::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn refused(name: &str) -> String {
    match load_with(name, &Choices::default()) {
        Err(error) => error.to_string(),
        Ok(found) => panic!("{name} was taken for {}", found.spec.arch),
    }
}

/// Largest difference of a tensor's values.
fn apart(a: &HostTensor, b: &HostTensor) -> f32 {
    assert_eq!(a.shape, b.shape);
    a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_form_gives_the_same_network() {
    let plain = loaded("plain.safetensors");
    assert_eq!((plain.spec.classes, plain.spec.stages.len()), (Some(3), 2));
    for name in [
        "reference.pth",
        "average.pth",
        "names.pth",
        "moco.pth",
        "lightning.ckpt",
        "head_elsewhere.pth",
        "head_dropout.pth",
        "sequential.pth",
        "module.pth",
        "script.pt",
        "exported.pt2",
        "float8_beside.pth",
        "stem_with_bias.pth",
        "weight_norm.pth",
        "arrays.pth",
        "arrays.pkl",
        "arrays.npz",
        "deflated.pth",
        "tar.pth",
    ] {
        let found = loaded(name);
        assert_eq!(found.spec, plain.spec, "{name}");
        for (tensor, expected) in &plain.weights.tensors {
            let difference = apart(&found.weights.tensors[tensor], expected);
            assert!(difference <= 1e-6, "{name}: {tensor} is {difference} apart");
        }
    }
}

#[test]
fn heads_of_other_forms() {
    let plain = loaded("plain.safetensors");
    let found = loaded("head_without_bias.pth");
    assert_eq!(found.weights.tensors["fc.bias"].data, [0.0; 3]);
    assert_eq!(found.weights.tensors["fc.weight"], plain.weights.tensors["fc.weight"]);
    let found = loaded("head_of_layers.pth");
    assert_eq!((found.spec.head.as_slice(), found.spec.classes), (&[5][..], Some(3)));
    assert!(found.assumed.iter().any(|sentence| sentence.contains("ReLU")), "{:?}", found.assumed);
    assert_eq!(found.weights.tensors["fc.2.weight"].shape, [3, 5]);
    let found = loaded("spectral_norm.pth");
    let expected =
        read("expected", include_bytes!("../../tests/fixtures/weights/forms/spectral_expected.safetensors")).unwrap();
    assert!(apart(&found.weights.tensors["fc.weight"], &expected.tensors["fc.weight"]) < 1e-5);
}

/// Folding multiplies a kernel by the norm's scale; the norm that takes its place changes nothing.
#[test]
fn norms_folded_into_convolutions_come_back_as_norms_that_change_nothing() {
    let (plain, found) = (loaded("plain.safetensors").weights, loaded("folded.pth").weights);
    let of = |state: &StateDict, name: &str| state.tensors[name].data.clone();
    let scale = of(&plain, "bn1.weight")[1] / (of(&plain, "bn1.running_var")[1] + 1e-5).sqrt();
    let row = of(&plain, "conv1.weight").len() / 4;
    assert!((of(&found, "conv1.weight")[row] - of(&plain, "conv1.weight")[row] * scale).abs() < 1e-6);
    assert!((of(&found, "bn1.bias")[1] - (of(&plain, "bn1.bias")[1] - of(&plain, "bn1.running_mean")[1] * scale)).abs() < 1e-5);
    assert!((of(&found, "bn1.weight")[0] / (of(&found, "bn1.running_var")[0] + 1e-5).sqrt() - 1.0).abs() < 1e-6);
}

#[test]
fn graphs_of_both_exporters_are_followed() {
    let (plain, folded) = (loaded("plain.safetensors"), loaded("folded.pth"));
    for (name, like) in [("script_train.onnx", &plain), ("script.onnx", &folded), ("program.onnx", &folded)] {
        let found = loaded(name);
        assert_eq!(found.spec, like.spec, "{name}");
        assert!(found.assumed.is_empty(), "{name}: {:?}", found.assumed);
        for (tensor, expected) in &like.weights.tensors {
            let difference = apart(&found.weights.tensors[tensor], expected);
            assert!(difference <= 1e-5, "{name}: {tensor} is {difference} apart");
        }
    }
}

#[test]
fn averaged_weights_are_taken_and_said_so() {
    let found = loaded("average.pth");
    assert!(found.notes.iter().any(|note| note.contains("EMA") && note.contains("--no-ema")), "{:?}", found.notes);
    let last = load_with("average.pth", &Choices { ema: Some(false), ..Choices::default() }).unwrap();
    assert!(last.weights.tensors["conv1.weight"].data.iter().all(|value| *value == 0.0));
    let slow = loaded("moco.pth");
    assert!(slow.notes.iter().any(|note| note.contains("encoder_q") && note.contains("encoder_k")), "{:?}", slow.notes);
}

#[test]
fn names_of_classes_and_harmless_objects_beside_the_tensors() {
    let found = loaded("names.pth");
    assert_eq!(found.classes.unwrap(), ["ant", "bee", "wasp"]);
    let passed = loaded("lightning.ckpt").notes.join(" ");
    assert!(passed.contains("criterion.weight"), "{passed}");
}

#[test]
fn a_pickled_module_tells_its_strides_and_is_refused_for_what_it_computes_otherwise() {
    assert!(loaded("module.pth").assumed.is_empty());
    assert!(!loaded("script.pt").assumed.is_empty());
    let reason = refused("module_silu.pth");
    assert!(reason.contains("SiLU") && reason.contains("layer1.0.relu"), "{reason}");
}

#[test]
fn what_is_no_network_says_what_is_missing() {
    let two = refused("two.pth");
    assert!(two.contains("2 networks") && two.contains("`generator`") && two.contains("--prefix"), "{two}");
    let choice = Choices { prefix: Some("discriminator".into()), ..Choices::default() };
    assert_eq!(load_with("two.pth", &choice).unwrap().spec.classes, Some(3));
    assert!(refused("parameters.pth").contains("without names"));
    let named = refused("named_parameters.pth");
    assert!(named.contains("running mean") && named.contains("state_dict()"), "{named}");
}

#[test]
fn a_config_beside_tells_what_no_shape_shows() {
    let name = "transformers.safetensors";
    let alone = loaded(name);
    assert!(!alone.assumed.is_empty());
    assert_eq!(alone.spec.stride_on, crate::model::resnet::StrideOn::Conv3x3);
    let config = include_bytes!("../../tests/fixtures/weights/forms/transformers.config.json").to_vec();
    let beside = [("config.json".to_string(), config)];
    let files = Files { name, bytes: bytes(name), beside: &beside };
    let (found, format) = load(&files, &Choices::default()).unwrap();
    assert_eq!(format, FileFormat::Safetensors);
    assert_eq!(found.spec.stride_on, crate::model::resnet::StrideOn::Conv1x1);
    assert_eq!(found.spec.stages[0].stride, 2);
    assert_eq!(found.classes.unwrap(), ["ant", "bee", "wasp"]);
    assert!(found.assumed.is_empty(), "{:?}", found.assumed);
    // One for another network is told and left.
    let beside = [("config.json".to_string(), br#"{"id2label": {"0": "a", "1": "b"}}"#.to_vec())];
    let other =
        load(&Files { beside: &beside, ..Files::alone("plain.safetensors", bytes("plain.safetensors")) }, &Choices::default());
    let other = other.unwrap().0;
    assert!(other.classes.is_none() && other.notes.iter().any(|note| note.contains("names 2 classes")), "{:?}", other.notes);
}

#[test]
fn a_file_in_parts_needs_all_of_them() {
    let state = read("plain", bytes("plain.safetensors")).unwrap();
    let half = |keep: fn(usize) -> bool| {
        let tensors =
            state.tensors.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, (name, t))| (name.clone(), t.clone()));
        safetensors::write(&StateDict { tensors: tensors.collect(), ..StateDict::default() }, Dtype::F32).unwrap()
    };
    let (first, second) = (half(|i| i % 2 == 0), half(|i| i % 2 == 1));
    let parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let beside = [(parts[1].to_string(), second.clone())];
    let whole = load(&Files { name: parts[0], bytes: &first, beside: &beside }, &Choices::default()).unwrap().0;
    assert_eq!(whole.weights.tensors.len(), state.tensors.len());
    let index = format!(r#"{{"weight_map": {{"conv1.weight": "{}", "fc.bias": "{}"}}}}"#, parts[0], parts[1]);
    let both = [(parts[0].to_string(), first), (parts[1].to_string(), second)];
    let by_index = Files { name: "model.safetensors.index.json", bytes: index.as_bytes(), beside: &both };
    assert_eq!(load(&by_index, &Choices::default()).unwrap().0.weights, whole.weights);
    assert_eq!(&companions(by_index.name, by_index.bytes)[2..], parts);
    let reason = load(&Files { beside: &both[..1], ..by_index }, &Choices::default()).unwrap_err().to_string();
    assert!(reason.contains("one of 2 parts") && reason.contains(parts[1]), "{reason}");
    // No index leads out of the folder.
    let out = br#"{"weight_map": {"a": "../../etc/passwd", "b": "x.safetensors"}}"#;
    assert_eq!(&companions("model.safetensors.index.json", out)[2..], ["x.safetensors"]);
}

/// Damage may or may not be noticed, but a reader always comes back, and detection too.
#[test]
fn no_damage_panics() {
    let count = std::env::var("RESLAB_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(400usize);
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for i in 0..count {
        let (name, whole) = FORMS[i % FORMS.len()];
        let mut damaged = whole.to_vec();
        for _ in 0..1 + random(4) {
            let at = random(damaged.len());
            match random(5) {
                0 => damaged[at] = random(256) as u8,
                1 => damaged[at] ^= 1 << random(8),
                2 => damaged.truncate(at.max(1)),
                3 => damaged[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
                _ => {
                    let from = random(damaged.len());
                    let piece: Vec<u8> = damaged[from..].iter().copied().take(16).collect();
                    damaged.splice(at..at, piece);
                }
            }
        }
        if let Ok((found, _)) = load(&Files::alone(name, &damaged), &Choices::default()) {
            let elements: usize = found.weights.tensors.values().map(|tensor| tensor.data.len()).sum();
            assert!(elements <= 64 * damaged.len(), "{name}, case {i}: {elements} elements");
        }
    }
}
