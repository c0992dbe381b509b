//! Files for TensorFlow.js and TensorFlow Lite as what reads them sees them, and read again; what TensorFlow's own programs make of them
//! is tested in tests/e2e/deploy.spec.mjs and tests/golden/check_deploy.py.

use indexmap::IndexMap;

use super::*;
use crate::data::Preset;
use crate::data::preset::ChannelOrder;
use crate::model::resnet::{CifarShortcut, NAMED, StrideOn};
use crate::weights::flatbuffer::Read;
use crate::weights::tflite::{self, Numbers};
use crate::weights::{Choices, FileFormat, Files, HostTensor, detect, load, tfjs};

/// Weights that differ from each other, with norms that do something.
fn weights(spec: &ResNetSpec) -> StateDict {
    let mut state = StateDict::default();
    for (k, param) in spec.build().unwrap().params().into_iter().enumerate() {
        let count: usize = param.shape.iter().product();
        let middle = if param.name.ends_with("running_var") { 1.0 } else { 0.1 };
        let value = |i: usize| middle + (((i * 7 + k * 13) % 97) as f32 / 97.0 - 0.5) * 0.2;
        state.tensors.insert(param.name, HostTensor::new(param.shape, (0..count).map(value).collect()));
    }
    state
}

fn deployed<T>(spec: &ResNetSpec, state: &StateDict, then: impl FnOnce(&Deployed<'_>) -> T) -> T {
    let pixels = Preset { channel_order: ChannelOrder::Bgr, ..Preset::named("cifar").unwrap() };
    let labels: Vec<String> = (0..spec.classes.unwrap_or(0)).map(|i| format!("thing {i}")).collect();
    let mut metadata: IndexMap<String, String> = detect::metadata(spec, Some(&labels), None);
    metadata.insert("pixels".into(), serde_json::to_string(&pixels).unwrap());
    let (labels, metadata) = (&labels[..], &metadata);
    then(&Deployed { spec, weights: state, labels, pixels: &pixels, activation: Activation::Softmax, metadata })
}

/// Nets of every shortcut, padding and order, each small.
fn nets() -> Vec<ResNetSpec> {
    let mut nets = vec![
        ResNetSpec::cifar_v1(8, CifarShortcut::ZeroPad, Some(3)).unwrap(),
        ResNetSpec::cifar_v1(8, CifarShortcut::Keras, Some(2)).unwrap(),
        ResNetSpec::cifar_v1(8, CifarShortcut::Projection, Some(1)).unwrap(),
        ResNetSpec::cifar_v2(11, Some(2)).unwrap(),
    ];
    let mut headed = nets[0].clone();
    headed.head = vec![5];
    nets.push(headed);
    nets
}

/// Scale and shift of each norm and the convolutions under them: what two sets of weights must agree in.
fn folded(spec: &ResNetSpec, state: &StateDict) -> Vec<f32> {
    let numbers = |step: Step| match step.work {
        Work::Convolution { weight, bias, .. } | Work::Dense { weight, bias } => [weight, bias].concat(),
        Work::Scale { scale, shift } => [scale, shift].concat(),
        _ => Vec::new(),
    };
    deployed(spec, state, |model| steps(model).unwrap().into_iter().flat_map(numbers).collect())
}

fn close(a: &[f32], b: &[f32], tolerance: f32) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * a.abs().max(1.0))
}

#[test]
fn tensorflow_js_comes_back_as_it_was() {
    for spec in nets() {
        let state = weights(&spec);
        let files = deployed(&spec, &state, |model| tfjs::write(model, "net").unwrap());
        let [(model, json), (weights_name, bytes), (metadata, teachable)] = files.try_into().unwrap();
        let teachable: serde_json::Value = serde_json::from_slice(&teachable).unwrap();
        assert_eq!((metadata, &teachable["imageSize"]), (tfjs::METADATA, &32.into()));
        let names = if spec.classes == Some(1) { vec!["thing 0", "not thing 0"] } else { vec!["thing 0", "thing 1"] };
        assert_eq!(teachable["labels"].as_array().unwrap()[..2], names);
        // Either file first, and both in an archive.
        let zip = crate::data::zip::stored([("a/model.json", &json[..]), ("a/weights.bin", &bytes[..])]).unwrap();
        let beside = [[(weights_name.to_string(), bytes.clone())], [(model.to_string(), json.clone())]];
        for files in [
            Files { name: "x/model.json", bytes: &json, beside: &beside[0] },
            Files { name: "weights.bin", bytes: &bytes, beside: &beside[1] },
            Files::alone("net.zip", &zip),
        ] {
            let (found, format) = load(&files, &Choices::default()).unwrap();
            assert_eq!((format, &found.spec), (FileFormat::TensorFlowJs, &spec));
            assert_eq!(found.weights.tensors, state.tensors, "{}", spec.arch);
            // A single output cannot be a softmax, whatever is said of it.
            assert!(found.assumed.is_empty() || spec.classes == Some(1));
        }
        let alone = load(&Files::alone("model.json", &json), &Choices::default()).unwrap_err().to_string();
        assert!(alone.contains("weights.bin") && alone.contains("together"), "{alone}");
    }
}

#[test]
fn tensorflow_lite_comes_back_with_the_same_answers() {
    for spec in nets() {
        let state = weights(&spec);
        for (numbers, tolerance) in [(Numbers::Float32, 1e-6), (Numbers::Float16, 1e-3)] {
            let bytes = deployed(&spec, &state, |model| tflite::write(model, numbers).unwrap());
            let (found, format) = load(&Files::alone("net.tflite", &bytes), &Choices::default()).unwrap();
            assert_eq!((format, &found.spec), (FileFormat::TensorFlowLite, &spec));
            assert!(close(&folded(&spec, &state), &folded(&spec, &found.weights), tolerance), "{}", spec.arch);
            assert_eq!(found.classes.unwrap()[0], "thing 0");
        }
    }
}

#[test]
fn eight_bits_are_refused_and_foreign_files_too() {
    let spec = &nets()[0];
    let state = weights(spec);
    let count = deployed(spec, &state, |model| steps(model).unwrap().len());
    let ranges = vec![(-2.0, 2.0); count + 1];
    let bytes = deployed(spec, &state, |model| tflite::write(model, Numbers::Int8(&ranges)).unwrap());
    let error = load(&Files::alone("net.tflite", &bytes), &Choices::default()).unwrap_err().to_string();
    assert!(error.contains("8 bits") && error.contains("exported from"), "{error}");
    let json = br#"{"modelTopology":{},"weightsManifest":[]}"#;
    let error = load(&Files::alone("model.json", json), &Choices::default()).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
}

/// Every offset leads somewhere, buffers begin where TensorFlow wants them, and operators read what was written.
#[test]
fn the_flatbuffer_is_sound() {
    for spec in nets() {
        let state = weights(&spec);
        let bytes = deployed(&spec, &state, |model| tflite::write(model, Numbers::Float16).unwrap());
        let root = Read::root(&bytes).unwrap();
        let buffers: Vec<_> = root.tables(4).collect();
        for data in buffers.iter().filter_map(|buffer| buffer.bytes(0)) {
            let at = data.as_ptr() as usize - bytes.as_ptr() as usize;
            assert_eq!(at % 16, 0);
        }
        let graph = root.tables(2).next().unwrap();
        let tensors: Vec<_> = graph.tables(0).collect();
        let constant = |tensor: &Read<'_>| tensor.int(2).is_some_and(|at| buffers[at as usize].bytes(0).is_some());
        let mut written: Vec<bool> = tensors.iter().map(constant).collect();
        graph.ints(1).unwrap().iter().for_each(|input| written[*input as usize] = true);
        for operator in graph.tables(3) {
            for input in operator.ints(1).unwrap() {
                assert!(written[input as usize], "{:?} is read before it is there", tensors[input as usize].text(3));
            }
            operator.ints(2).unwrap().iter().for_each(|output| written[*output as usize] = true);
        }
        assert!(written[graph.ints(2).unwrap()[0] as usize]);
        let archive = crate::weights::zip::Archive::open(&bytes).unwrap();
        let labels = archive.bytes(archive.get(tflite::LABELS).unwrap()).unwrap();
        assert!(labels.starts_with(b"thing 0\n"));
    }
}

#[test]
fn every_published_net_can_be_written_but_what_the_formats_lack() {
    for name in NAMED {
        let spec = ResNetSpec::named(name).unwrap().with_classes(Some(2));
        if spec.depth() > 60 || *name == "resnet50-51-classes" {
            continue; // the same blocks, more of them; a classifier over the whole map, which TensorFlow Lite files of ours lack
        }
        let state = weights(&spec);
        let pixels = Preset::named("cifar").unwrap().with_size(if spec.default_image_size() == 32 { 32 } else { 64 }).unwrap();
        let metadata = IndexMap::new();
        let labels = ["a".to_string(), "b".to_string()];
        let model = Deployed {
            spec: &spec,
            weights: &state,
            labels: &labels,
            pixels: &pixels,
            activation: Activation::Sigmoid,
            metadata: &metadata,
        };
        assert!(!steps(&model).unwrap().is_empty(), "{name}");
        match tfjs::write(&model, "x") {
            Ok(_) => assert_eq!(spec.groups, 1),
            Err(error) => assert!(spec.groups > 1 && error.to_string().contains("in groups"), "{name}: {error}"),
        }
    }
    let v1 = ResNetSpec::v1(18, StrideOn::Conv3x3, Some(2)).unwrap();
    let grey = ResNetSpec { image_channels: 1, ..v1 };
    let error = deployed(&grey, &weights(&grey), |model| steps(model).unwrap_err().to_string());
    assert!(error.contains("1 channels") && error.contains("ONNX"), "{error}");
}
