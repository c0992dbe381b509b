//! `reslab export` from the outside. Needs no GPU.

use crate::cli::{Temp, repository, reslab};
use reslab::weights;

const MODEL: &str = "www/models/resnet20-cifar10.safetensors";

#[test]
fn safetensors_are_read_again_with_everything() {
    let dir = Temp::new("export");
    let labels = dir.file("labels.txt", (0..10).map(|i| format!("thing {i}\n")).collect::<String>());
    let out = dir.path("mine.safetensors").display().to_string();
    let pixels = ["--size", "40", "--mean", "0.1,0.2,0.3", "--std", "0.5,0.5,0.25"];
    let arguments = ["export", "--weights", &repository(MODEL), "--labels", &labels, "--format", "safetensors", "--out", &out];
    let run = reslab(&[&arguments[..], &pixels].concat());
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    assert!(run.stderr.contains("mine.safetensors: resnet20, 10 classes, input 40 x 40"), "{run:?}");
    let found = reslab(&["inspect", &out, "--json"]).json();
    assert_eq!((&found["arch"], &found["dtype"]), (&"resnet20".into(), &"f16".into()));
    assert_eq!(found["labels"][3], "thing 3");
    assert_eq!(found["assumed"], serde_json::json!([]));
    // What the file says now is enough: exporting it once more changes nothing.
    let again = dir.path("again.safetensors").display().to_string();
    assert_eq!(reslab(&["export", "--weights", &out, "--format", "safetensors", "--out", &again]).code, 0);
    assert!(std::fs::read(&out).unwrap() == std::fs::read(&again).unwrap());
}

#[test]
fn half_is_half_and_onnx_has_none() {
    let dir = Temp::new("export-half");
    let state = weights::read(MODEL, &std::fs::read(repository(MODEL)).unwrap()).unwrap();
    let whole = dir.file("whole.safetensors", weights::safetensors::write(&state, weights::Dtype::F32).unwrap());
    let half = dir.path("half.safetensors").display().to_string();
    let run = reslab(&["export", "--weights", &whole, "--format", "safetensors", "--half", "--out", &half]);
    assert_eq!(run.code, 0, "{run:?}");
    let written = weights::read(&half, &std::fs::read(&half).unwrap()).unwrap();
    assert!(written.tensors.iter().all(|(name, tensor)| {
        // They came from 16 bits, so nothing is lost.
        tensor.dtype == weights::Dtype::F16 && tensor.data == state.tensors[name].data
    }));
    let run = reslab(&["export", "--weights", &whole, "--format", "onnx", "--half"]);
    assert!(run.error().contains("--half is for safetensors and tflite"), "{run:?}");
}

#[test]
fn onnx_and_its_recipe() {
    let dir = Temp::new("export-onnx");
    let out = dir.path("net.onnx").display().to_string();
    let run = reslab(&["export", "--format", "onnx", "--out", &out, "--recipe", "python"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("onnxruntime.InferenceSession(") && run.stdout.contains("net.onnx"), "{run:?}");
    let bytes = std::fs::read(&out).unwrap();
    // 269,722 parameters of 4 bytes, and little else.
    assert!((1_078_888..1_200_000).contains(&bytes.len()), "{}", bytes.len());
    // It comes back: the same network, and the same answer.
    let found = reslab(&["inspect", &out, "--json"]).json();
    assert_eq!((&found["arch"], &found["params"]), (&"resnet20".into(), &269_722.into()));
    let cat = |more: &[&str]| {
        let run = reslab(&[&["classify", &repository("www/samples/cat.webp"), "--json"], more].concat()).json();
        let top = run["images"][0]["top"][0].clone();
        (top["label"].clone(), top["probability"].as_f64().unwrap())
    };
    let (ours, theirs) = (cat(&[]), cat(&["--weights", &out]));
    assert!(ours.0 == theirs.0 && (ours.1 - theirs.1).abs() < 1e-4, "{ours:?} and {theirs:?}");
}

/// What `classify` says of the sample: the best name and its probability.
fn cat(more: &[&str]) -> (String, f64) {
    let run = reslab(&[&["classify", &repository("www/samples/cat.webp"), "--json"], more].concat()).json();
    let top = &run["images"][0]["top"][0];
    (top["label"].as_str().unwrap().into(), top["probability"].as_f64().unwrap())
}

#[test]
fn tensorflows_formats_come_back_with_the_same_answer() {
    let dir = Temp::new("export-tensorflow");
    let ours = cat(&[]);
    for (name, more, file, tolerance) in [
        ("net", &["--format", "tfjs"][..], "net/model.json", 1e-5),
        ("net.zip", &["--format", "tfjs"], "net.zip", 1e-5),
        ("net.tflite", &["--format", "tflite"], "net.tflite", 1e-4),
        ("half.tflite", &["--format", "tflite", "--half"], "half.tflite", 1e-2),
    ] {
        let out = dir.path(name).display().to_string();
        let run = reslab(&[&["export", "--out", &out], more].concat());
        assert_eq!(run.code, 0, "{run:?}");
        let file = dir.path(file).display().to_string();
        let theirs = cat(&["--weights", &file]);
        assert!(ours.0 == theirs.0 && (ours.1 - theirs.1).abs() < tolerance, "{name}: {ours:?} and {theirs:?}");
    }
    let metadata = std::fs::read(dir.path("net/metadata.json")).unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
    assert_eq!((&metadata["labels"][3], &metadata["imageSize"]), (&"cat".into(), &32.into()));
}

/// The sample turned into two classes, which the network does not know: its own answers are right.
#[test]
fn eight_bits_say_what_they_lose_and_do_not_come_back() {
    let dir = Temp::new("export-int8");
    let sample = std::fs::read(repository("www/samples/cat.webp")).unwrap();
    let rows: String = (0..8).map(|i| format!("cat{i}.webp,{}\n", ["left", "right"][i % 2])).collect();
    (0..8).for_each(|i| drop(dir.file(&format!("cat{i}.webp"), &sample)));
    let table = dir.file("labels.csv", format!("path,label\n{rows}"));
    let out = dir.path("net.tflite").display().to_string();
    let run = reslab(&["export", "--format", "tflite", "--int8", &table, "--out", &out]);
    assert!(run.code == 0 && run.stderr.contains("8 bits: 100.0 % of 4 pictures as before"), "{run:?}");
    // 269,722 parameters of a byte, and what describes them.
    assert!(std::fs::metadata(&out).unwrap().len() < 400_000);
    assert!(reslab(&["inspect", &out]).error().contains("8 bits"), "it is for devices that run it");
    let run = reslab(&["export", "--format", "onnx", "--int8", &table, "--out", &out]);
    assert!(run.error().contains("--int8 is for tflite"), "{run:?}");
}

#[test]
fn what_cannot_be_exported_is_said_in_a_line() {
    let dir = Temp::new("export-bad");
    let notes = dir.file("notes.safetensors", "these are words");
    let run = reslab(&["export", "--weights", &notes, "--format", "onnx", "--out", &dir.path("a.onnx").display().to_string()]);
    assert!(run.error().contains("text"), "{run:?}");
    assert!(!dir.path("a.onnx").exists());
    let out = dir.path("absent/a.onnx").display().to_string();
    let run = reslab(&["export", "--format", "onnx", "--out", &out]);
    assert!(run.error().contains("absent"), "{run:?}");
    assert_eq!(reslab(&["export"]).code, 2, "the format is asked for");
}
