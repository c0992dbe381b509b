//! Files that Keras wrote (tests/fixtures/weights/make_keras.py), to the logits that Keras gives.

use super::super::contents::Form;
use super::super::zip::Archive;
use super::super::{Choices, FileFormat, Files, load};
use super::*;
use crate::Result;
use crate::data::Activation;
use crate::weights::detect::Detected;

/// The file of this name, unpacked.
fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/keras");
    let packed = std::fs::read(format!("{folder}/{name}.zip")).unwrap();
    let archive = Archive::open(&packed).unwrap();
    archive.bytes(archive.get(name).unwrap()).unwrap().to_vec()
}

fn loaded(name: &str) -> Result<(Detected, FileFormat)> {
    load(&Files::alone(name, &file(name)), &Choices::default())
}

/// What Keras makes of pictures is in `tests/device/golden_parity.rs`.
#[test]
fn every_kind_of_file_gives_the_same_tensors() {
    for (name, other) in [("v1.weights.h5", "v1.h5"), ("v2.weights.h5", "v2.h5"), ("transfer.weights.h5", "transfer.keras")] {
        let read = |name: &str| loaded(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ((a, format), (b, _)) = (read(name), read(other));
        assert_eq!((a.spec, format), (b.spec, FileFormat::KerasH5));
        assert_eq!(a.weights.tensors, b.weights.tensors);
        let assumed = a.assumed.join(" ");
        assert!(assumed.contains("none of its nets") && assumed.contains("exactly"), "{name}: {assumed}");
    }
    assert_eq!(loaded("transfer.keras").unwrap().1, FileFormat::Keras);
}

#[test]
fn the_model_tells_its_pixels_and_its_last_activation() {
    let (found, _) = loaded("transfer.keras").unwrap();
    assert_eq!(found.activation, Activation::Sigmoid);
    assert!(found.assumed.join(" ").contains("`Rescaling`"), "{:?}", found.assumed);
    let pixels: crate::data::Preset = serde_json::from_str(&found.weights.metadata["pixels"]).unwrap();
    assert_eq!((pixels.crop, pixels.mean, pixels.std), ((33, 33), [1.0; 3], [1.0; 3]));
    let (v1, _) = loaded("v1.weights.h5").unwrap();
    assert_eq!(v1.preset.as_deref(), Some("caffe-exact"));
    assert_eq!(loaded("v2.weights.h5").unwrap().0.preset.as_deref(), Some("keras-v2-exact"));
    assert_eq!(v1.activation, Activation::Softmax);
}

#[test]
fn keras_own_nets_are_known_by_their_shapes() {
    // Tensors under Keras' names, without a file around them.
    for (name, form) in [
        ("resnet50v1-keras", Form::KerasV1),
        ("resnet101v2-keras", Form::KerasV2),
        ("resnet152v1-slim", Form::SlimV1),
        ("resnet50v2-slim", Form::SlimV2),
    ] {
        let spec = crate::model::ResNetSpec::named(name).unwrap().with_classes(Some(4));
        let state = |name: &str, shape: Vec<usize>| {
            let count = shape.iter().product();
            (name.to_string(), crate::weights::HostTensor::new(shape, vec![0.0; count]))
        };
        let tensors = spec.build().unwrap().params().into_iter().map(|param| state(&param.name, param.shape)).collect();
        let state = crate::weights::StateDict { tensors, ..Default::default() };
        let facts = super::super::contents::Facts { form: Some(form), ..Default::default() };
        let beside = crate::weights::detect::Beside { facts, ..Default::default() };
        let found = crate::weights::detect::recognise(state, &beside).unwrap();
        assert_eq!((found.spec, found.assumed.len()), (spec, 0), "{name}");
    }
}

#[test]
fn layers_that_are_not_supported_are_named() {
    let config =
        |class: &str, name: &str| serde_json::json!({"config": {"layers": [{"class_name": class, "config": {"name": name}}]}});
    let bytes = file("v1.weights.h5");
    let refused = |class: &str| match list(&bytes, Some(config(class, "odd"))) {
        Err(reason) => reason,
        Ok(_) => panic!("{class} was passed over"),
    };
    let reason = refused("Lambda");
    assert!(reason.contains("`odd` of class `Lambda`"), "{reason}");
    assert!(refused("GlobalMaxPooling2D").contains("GlobalMaxPooling2D"));
    assert!(list(&bytes, Some(config("RandomZoom", "zoom"))).is_ok());
    let damaged = list(b"\x89HDF\r\n\x1a\nnothing", None).map(|_| ());
    assert!(damaged.unwrap_err().contains("HDF5 file that cannot be read"));
}

#[test]
fn linear_layers_after_the_body_are_in_the_models_order() {
    // Their names were given in another order, that of making.
    let (two, _) = loaded("two.keras").unwrap();
    assert_eq!((two.spec.head, two.spec.classes), (vec![6], Some(3)));
    assert_eq!(loaded("two.weights.h5").unwrap().0.weights.tensors, two.weights.tensors);
}

#[test]
fn the_cifar_example_is_known_by_the_order_of_its_layers() {
    for (name, arch) in [("example1.weights.h5", "resnet8-keras"), ("example2.weights.h5", "resnet11v2")] {
        let (found, _) = loaded(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.spec, crate::model::ResNetSpec::named(arch).unwrap(), "{name}");
        assert!(found.notes.join(" ").contains("CIFAR-10 example"), "{:?}", found.notes);
    }
}

/// As `no_damage_panics` of the other forms.
#[test]
fn damage_is_an_error_and_never_a_panic() {
    let count = std::env::var("RESLAB_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(200usize);
    let whole = [file("v1.weights.h5"), file("v2.h5"), file("transfer.keras")];
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for i in 0..count {
        let mut damaged = whole[i % whole.len()].clone();
        for _ in 0..1 + random(4) {
            // Most of such a file is empty: what is not is hit.
            let at = (0..64).map(|_| random(damaged.len())).find(|at| damaged[*at] != 0).unwrap_or(0);
            match random(4) {
                0 => damaged[at] = random(256) as u8,
                1 => damaged[at] ^= 1 << random(8),
                2 => damaged.truncate(at.max(1)),
                _ => damaged[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
            }
        }
        if let Ok((found, _)) = load(&Files::alone("damaged", &damaged), &Choices::default()) {
            let elements: usize = found.weights.tensors.values().map(|tensor| tensor.data.len()).sum();
            assert!(elements <= 64 * damaged.len(), "case {i}: {elements} elements");
        }
    }
}

#[test]
fn a_keras_archive_is_read_where_archives_are_pytorchs_first() {
    let bytes = file("transfer.keras");
    for name in ["transfer.keras", "renamed.zip"] {
        let found = pollster::block_on(crate::weights::load_any(Files::alone(name, &bytes), &Choices::default())).unwrap();
        assert_eq!(found, loaded("transfer.keras").unwrap().0, "{name}");
    }
}

/// A net under the names of Keras Applications, each turned by `rename`, as a reader lists it.
fn listed(rename: impl Fn(&str) -> String, config: Option<serde_json::Value>) -> std::result::Result<Detected, String> {
    let bytes = file("v1.weights.h5");
    // The fixture's net has their names; its shapes are its own.
    let opened = File::from_bytes(bytes.clone()).unwrap();
    let (mut found, mut left) = (Found::default(), 10_000);
    walk(&opened.root(), &mut Vec::new(), &mut left, &mut found).unwrap();
    let Found { mut layers, datasets } = found;
    layers.iter_mut().for_each(|layer| layer.name = rename(&layer.name));
    let read = Box::new(move |place: usize, stored: &Stored| read(&datasets[place], stored));
    let contents = keras_layers::list(layers, config.as_ref(), bytes.len(), read)?;
    crate::weights::open::recognised("net.h5", None, &Choices::default(), contents).map_err(|error| error.to_string())
}

#[test]
fn names_of_older_versions_are_known() {
    let today = listed(str::to_owned, None).unwrap();
    // The second net of a program in TensorFlow 1.
    let counted = listed(|name| format!("{name}_1"), None).unwrap();
    assert_eq!((&counted.spec, &counted.weights), (&today.spec, &today.weights));
    // Keras 2.0 to 2.2.
    let before = |name: &str| {
        let mut parts = name.split('_');
        match (name, parts.next().and_then(|stage| stage.strip_prefix("conv")), parts.next(), parts.next(), parts.next()) {
            ("conv1_conv", ..) => "conv1".into(),
            ("conv1_bn", ..) => "bn_conv1".into(),
            ("predictions", ..) => "fc1000".into(),
            (_, Some(stage), Some(block), Some(layer), Some(kind)) => {
                let block = (b'a' + block.trim_start_matches("block").parse::<u8>().unwrap() - 1) as char;
                let branch = ["1", "2a", "2b", "2c"][layer.parse::<usize>().unwrap()];
                format!("{}{stage}{block}_branch{branch}", if kind == "conv" { "res" } else { "bn" })
            }
            _ => name.into(),
        }
    };
    let old = listed(before, None).unwrap();
    assert_eq!(old.weights.tensors, today.weights.tensors);
    assert_eq!(old.spec.bn_eps, 1e-3);
    assert!(old.notes.join(" ").contains("first pool was taken to be padded"), "{:?}", old.notes);
    let layer = |name: &str| serde_json::json!({"class_name": "ZeroPadding2D", "config": {"name": name}});
    let model =
        |names: &[&str]| serde_json::json!({"config": {"layers": names.iter().map(|name| layer(name)).collect::<Vec<_>>()}});
    assert!(listed(before, Some(model(&["conv1_pad", "pool1_pad"]))).is_ok());
    let reason = listed(before, Some(model(&["conv1_pad"]))).unwrap_err();
    assert!(reason.contains("first pool is not padded"), "{reason}");
}

#[test]
fn variables_of_keras_1_have_their_layers_names() {
    let roles = [
        "conv1_W:0",
        "conv1_b_1:0",
        "bn_conv1_gamma:0",
        "bn_conv1_beta",
        "bn_conv1_running_mean:0",
        "bn_conv1_running_std_1:0",
    ];
    let expected = ["weight", "bias", "weight", "bias", "running_mean", "running_var"];
    assert_eq!(roles.map(keras_layers::role), expected);
    assert_eq!(
        ["kernel:0", "moving_variance:0", "seed_generator_state"].map(keras_layers::role),
        ["weight", "running_var", "seed_generator_state"]
    );
}
