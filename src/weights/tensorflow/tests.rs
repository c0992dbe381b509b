//! Checkpoints that TensorFlow wrote (tests/fixtures/weights/make_tensorflow.py). What TensorFlow makes of pictures is in
//! `tests/device/golden_parity.rs`.

use super::super::zip::Archive;
use super::super::{Choices, FileFormat, Files, companions, load};
use super::*;
use crate::Result;
use crate::data::Activation;
use crate::model::resnet::StrideUnit;
use crate::weights::detect::Detected;

fn packed(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/weights/tensorflow/{name}.zip", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The files of a checkpoint, without folders.
fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let packed = packed(name);
    let archive = Archive::open(&packed).unwrap();
    let of = |name: &str| archive.bytes(archive.get(name).unwrap()).unwrap().to_vec();
    archive.names().map(|name| (name.rsplit('/').next().unwrap().to_string(), of(name))).collect()
}

/// Loads with the file that ends so given first, and the others beside it.
fn loaded(name: &str, first: &str) -> Result<Detected> {
    let mut beside = files(name);
    let at = beside.iter().position(|(name, _)| name.ends_with(first)).unwrap();
    let (first, bytes) = beside.remove(at);
    load(&Files { name: &first, bytes: &bytes, beside: &beside }, &Choices::default()).map(|(found, format)| {
        assert_eq!(format, FileFormat::TensorFlow);
        found
    })
}

fn zipped(name: &str) -> Detected {
    load(&Files::alone(name, &packed(name)), &Choices::default()).unwrap_or_else(|error| panic!("{name}: {error}")).0
}

#[test]
fn slims_nets_have_its_strides_and_pixels() {
    for (name, order, pixels) in [("slim_v1", "v1-slim", "vgg"), ("slim_v2", "v2-slim", "inception")] {
        let found = zipped(name);
        assert!(found.spec.arch.ends_with(&format!("{order}-custom")), "{}", found.spec.arch);
        assert_eq!(found.spec.stride_unit, StrideUnit::Last);
        assert_eq!(found.spec.stages.iter().map(|stage| stage.stride).collect::<Vec<_>>(), [2, 1]);
        let assumed = found.assumed.join(" ");
        assert!(assumed.contains("TF-slim") && assumed.contains(pixels), "{assumed}");
        // An optimizer's momentum and the step are nobody's business.
        assert!(found.notes.is_empty(), "{:?}", found.notes);
    }
    let pixels: crate::data::Preset = serde_json::from_str(&zipped("slim_v2").weights.metadata["pixels"]).unwrap();
    assert_eq!((pixels.crop, pixels.mean), ((299, 299), [1.0; 3]));
    // The first kind of checkpoint holds the same net.
    let (old, new) = (zipped("slim_old"), zipped("slim_v1"));
    assert_eq!((old.spec, old.weights.tensors), (new.spec, new.weights.tensors));
    let alone = files("slim_old").remove(0);
    assert!(load(&Files::alone(&alone.0, &alone.1), &Choices::default()).is_ok());
}

#[test]
fn variables_of_objects_are_known_by_their_full_names() {
    let v1 = zipped("keras_v1");
    assert!(v1.spec.arch.starts_with("resnet14v1-keras") && v1.preset.as_deref() == Some("caffe-exact"), "{}", v1.spec.arch);
    assert!(zipped("keras_v2").spec.arch.contains("v2-keras"));
    for name in ["keras_exported", "keras_saved", "keras2"] {
        assert_eq!(zipped(name).spec, v1.spec, "{name}");
    }
    // An exported model keeps each variable twice, under other ways.
    assert_eq!(zipped("keras_exported").weights.tensors, v1.weights.tensors);
    // Keras 2 leaves the model's configuration beside: its last activation, which is checked, and the picture's size.
    let saved = zipped("keras2_saved");
    assert_eq!(saved.weights.tensors, zipped("keras2").weights.tensors);
    assert!(saved.assumed.join(" ").contains("33 x 33"), "{:?}", saved.assumed);
    assert_eq!(saved.activation, Activation::Softmax);
}

#[test]
fn any_file_of_a_checkpoint_stands_for_it() {
    let expected = zipped("slim_v1");
    for first in [".index", ".data-00000-of-00001"] {
        assert_eq!(loaded("slim_v1", first).unwrap().weights, expected.weights, "{first}");
    }
    let mut beside = files("keras_saved");
    let graph = b"\x08\x01\x12\x04saved_model.pb serving_default";
    let files = Files { name: "saved_model.pb", bytes: graph, beside: &beside };
    assert_eq!(load(&files, &Choices::default()).unwrap().0.weights, zipped("keras_saved").weights);
    let reason = load(&Files::alone("saved_model.pb", graph), &Choices::default()).unwrap_err().to_string();
    assert!(reason.contains("holds no weights") && reason.contains("variables.index"), "{reason}");

    beside = self::files("slim_v1");
    let at = |ending: &str| beside.iter().position(|(name, _)| name.ends_with(ending)).unwrap();
    let (index, data) = (&beside[at(".index")], &beside[at("-of-00001")]);
    assert_eq!(&companions(&index.0, &index.1)[3..], std::slice::from_ref(&data.0));
    let reason = load(&Files::alone(&index.0, &index.1), &Choices::default()).unwrap_err().to_string();
    assert!(reason.contains(&data.0) && reason.contains("is missing"), "{reason}");
    let reason = load(&Files::alone(&data.0, &data.1), &Choices::default()).unwrap_err().to_string();
    assert!(reason.contains(&index.0) && reason.contains("is missing"), "{reason}");
    let cut = [(data.0.clone(), data.1[..data.1.len() / 2].to_vec())];
    let reason = load(&Files { name: &index.0, bytes: &index.1, beside: &cut }, &Choices::default()).unwrap_err().to_string();
    assert!(reason.contains("beyond the end of its data file"), "{reason}");
}

#[test]
fn names_of_files() {
    assert_eq!(index_name("model.ckpt-5.data-00001-of-00002").as_deref(), Some("model.ckpt-5.index"));
    assert_eq!(index_name("data-00001-of-2"), None);
    assert_eq!(index_name("picture.data-1-of-2"), None);
    let text = b"model_checkpoint_path: \"/home/a/model.ckpt-7\"\nall_model_checkpoint_paths: \"model.ckpt-5\"\n";
    assert_eq!(latest(text).as_deref(), Some("model.ckpt-7.index"));
    assert_eq!(latest(b"nothing"), None);
}

#[test]
fn a_networks_variables_that_its_optimizer_has_are_the_networks() {
    let entry = || Entry { shape: vec![3], element: Element::Float(Dtype::F32), place: Place::Message(&[]) };
    for optimizer in ["optimizer", "opt"] {
        let key = |rest: &str| format!("{optimizer}/{rest}{VALUE}");
        let keys = [
            key("_trainable_variables/0"),
            key("_variables/1"),
            key("_iterations"),
            key("_learning_rate"),
            format!("model/_operations/2/moving_mean{VALUE}"),
        ];
        let names: HashMap<&str, &str> = keys
            .iter()
            .map(String::as_str)
            .zip([
                "conv1_bn/gamma",
                "adam/conv1_bn_gamma_momentum",
                "adam/iteration",
                "adam/learning_rate",
                "conv1_bn/moving_mean",
            ])
            .collect();
        let (layers, _) = layers(keys.iter().map(|key| (key.clone(), entry())).collect(), &names);
        let found: Vec<(&str, Vec<&str>)> = layers
            .iter()
            .map(|layer| (layer.name.as_str(), layer.variables.iter().map(|variable| variable.role.as_str()).collect()))
            .collect();
        assert_eq!(found, [("conv1_bn", vec!["weight", "running_mean"])], "{optimizer}");
    }
}
