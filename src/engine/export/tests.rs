use super::*;
use crate::model::ResNetSpec;
use crate::model::resnet::{CifarShortcut, StrideOn};
use crate::weights::{self, detect};

fn weights_of(spec: &ResNetSpec) -> StateDict {
    let mut state = StateDict::default();
    for (k, param) in spec.build().unwrap().params().into_iter().enumerate() {
        let count: usize = param.shape.iter().product();
        state.tensors.insert(param.name, HostTensor::new(param.shape, (0..count).map(|i| (i + k) as f32 * 1e-3).collect()));
    }
    state
}

fn small() -> ResNetSpec {
    ResNetSpec::cifar_v1(8, CifarShortcut::ZeroPad, Some(2)).unwrap()
}

#[test]
fn safetensors_come_back_with_names_and_pixels_in_full() {
    let (spec, labels) = (small(), ["tea \"cup\"".to_string(), "杯".to_string()]);
    let pixels = Preset::custom(48, [0.1, 0.2, 0.3], [0.5, 0.25, 0.125]).unwrap();
    let state = weights_of(&spec);
    let model = Portable {
        name: "cups",
        spec: &spec,
        weights: &state,
        labels: &labels,
        pixels: &pixels,
        origin: Origin::Trained,
        activation: Activation::Softmax,
    };
    let file = model.write(ExportFormat::Safetensors).unwrap();
    assert_eq!(file.file_name, "cups.safetensors");
    let found = detect::detect(weights::read("cups.safetensors", &file.bytes).unwrap()).unwrap();
    assert_eq!((&found.spec, found.classes.as_deref()), (&spec, Some(&labels[..])));
    assert_eq!(crate::engine::pixel_options(&found, None).unwrap(), pixels);
    assert!(found.assumed.is_empty());
    assert_eq!(found.weights.tensors, state.tensors);
    // What PyTorch's load_state_dict(strict=True) wants beside them.
    let text = String::from_utf8_lossy(&file.bytes);
    assert_eq!(text.matches("num_batches_tracked").count(), 1 + 3 * 2);
}

#[test]
fn sixteen_bits_stay_sixteen_bits_in_safetensors() {
    let spec = small();
    let mut state = weights_of(&spec);
    for tensor in state.tensors.values_mut() {
        tensor.dtype = Dtype::F16;
        tensor.data.iter_mut().for_each(|v| *v = half::f16::from_f32(*v).to_f32());
    }
    let pixels = Preset::named("cifar").unwrap();
    let model = Portable {
        name: "a",
        spec: &spec,
        weights: &state,
        labels: &[],
        pixels: &pixels,
        origin: Origin::OwnFile,
        activation: Activation::Softmax,
    };
    let file = model.write(ExportFormat::Safetensors).unwrap();
    assert_eq!(weights::read("a", &file.bytes).unwrap().tensors, state.tensors);
    assert!(file.bytes.len() < model.write(ExportFormat::Onnx).unwrap().bytes.len());
}

#[test]
fn licences_follow_the_model() {
    let (spec, pixels) = (small(), Preset::named("cifar").unwrap());
    let mut state = weights_of(&spec);
    let written = |state: &StateDict, name: &str, origin| {
        let model = Portable {
            name,
            spec: &spec,
            weights: state,
            labels: &[],
            pixels: &pixels,
            origin,
            activation: Activation::Softmax,
        };
        let file = model.write(ExportFormat::Safetensors).unwrap();
        weights::read("x", &file.bytes).unwrap().metadata.get("license").cloned()
    };
    assert_eq!(written(&state, "mine.pth", Origin::OwnFile), None);
    assert_eq!(written(&state, "resnet20-cifar10", Origin::Bundled).as_deref(), Some(BUNDLED_LICENSE));
    assert_eq!(written(&state, "resnet18.tv_in1k", Origin::FromThisDevice).as_deref(), Some("BSD-3-Clause"));
    state.metadata.insert("license".into(), "CC0-1.0".into());
    assert_eq!(written(&state, "mine.pth", Origin::OwnFile).as_deref(), Some("CC0-1.0"));
}

#[test]
fn files_get_a_name_that_any_system_takes() {
    let (spec, pixels, state) = (small(), Preset::named("cifar").unwrap(), StateDict::default());
    let name = |name| {
        let model = Portable {
            name,
            spec: &spec,
            weights: &state,
            labels: &[],
            pixels: &pixels,
            origin: Origin::OwnFile,
            activation: Activation::Softmax,
        };
        model.file_name(ExportFormat::Onnx)
    };
    assert_eq!(name("/home/me/cats.v2.pth"), "cats.v2.onnx");
    assert_eq!(name("C:\\nets\\cats.safetensors"), "cats.onnx");
    assert_eq!(name("timm/resnet18.a1_in1k"), "resnet18.a1_in1k.onnx");
    assert_eq!(name("cups: \"big\"?"), "cups_ _big__.onnx");
    assert_eq!(name("..\u{7}"), "_.onnx");
    assert_eq!(name("我的杯子"), "我的杯子.onnx");
    assert_eq!(name(" .safetensors"), "resnet8.onnx");
    assert_eq!(name(&"x".repeat(500)).len(), MAX_NAME + 5);
}

#[test]
fn recipes_hold_the_numbers_of_the_model() {
    let state = StateDict::default();
    let recipe = |spec: &ResNetSpec, pixels: &Preset, labels: &[String], format| {
        let model = Portable {
            name: "m",
            spec,
            weights: &state,
            labels,
            pixels,
            origin: Origin::Trained,
            activation: Activation::Softmax,
        };
        model.recipes(format, "my \"m\".file")
    };
    let names = ["cat".to_string(), "l'oie".to_string()];
    let v1 = ResNetSpec::v1(18, StrideOn::Conv3x3, Some(2)).unwrap();
    let timm = Preset::named("timm-a1").unwrap();
    let torch = recipe(&v1, &timm, &names, ExportFormat::Safetensors);
    for part in
        ["torchvision.models.resnet18(num_classes=2)", "BICUBIC", "235 * side", "224", " / 255", "\"my \\\"m\\\".file\""]
    {
        assert!(torch.python.contains(part), "{part}\n{}", torch.python);
    }
    assert!(torch.javascript.contains("Classifier.load(\"my \\\"m\\\".file\")"), "{}", torch.javascript);
    let caffe = recipe(&v1, &Preset::named("caffe").unwrap(), &names, ExportFormat::Onnx);
    assert!(caffe.python.contains("[:, :, ::-1]") && !caffe.python.contains(" / 255"), "{}", caffe.python);
    assert!(caffe.javascript.contains("2 - c") && caffe.javascript.contains(r#"["cat","l'oie"]"#), "{}", caffe.javascript);
    assert!(recipe(&v1, &Preset::named("keras-v2").unwrap(), &names, ExportFormat::Onnx).python.contains("x / 127.5"));

    let cifar = Preset::named("cifar").unwrap();
    let own = recipe(&small(), &cifar, &names, ExportFormat::Safetensors).python;
    assert!(
        own.contains("Net([(1, 16, 1), (1, 32, 2), (1, 64, 2)], 16, 64, 2)") && !own.contains("import torchvision"),
        "{own}"
    );
    assert!(!own.contains("crop"), "an exact resize needs none: {own}");
    // A net that PyTorch has not is sent to ONNX, and no preprocessing is shown that nothing uses.
    let v2 = ResNetSpec::cifar_v2(11, Some(2)).unwrap();
    let v2 = recipe(&v2, &cifar, &names, ExportFormat::Safetensors).python;
    assert!(v2.contains("ONNX") && !v2.contains("Image"), "{v2}");
    let headless = recipe(&small().with_classes(None), &cifar, &[], ExportFormat::Onnx);
    assert!(headless.python.contains("features.shape") && !headless.python.contains("json"), "{}", headless.python);
}
