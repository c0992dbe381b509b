//! Answers, JSON, error lines and exit codes of `inspect`, `classify`, `eval`, `bench` and `models`.

use crate::cli::{Temp, command, ran, repository, reslab};
use serde_json::{Value, json};

const MODEL: &str = "www/models/resnet20-cifar10.safetensors";
const SAMPLES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

fn sample(class: &str) -> String {
    repository(&format!("www/samples/{class}.webp"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The folder of an evaluation: the page's sample pictures, one a class.
fn sample_set(name: &str) -> Temp {
    let dir = Temp::new(name);
    for class in SAMPLES {
        dir.file(&format!("{class}/0.webp"), std::fs::read(sample(class)).unwrap());
    }
    dir
}

#[test]
fn inspect_describes_the_bundled_model() {
    let found = reslab(&["inspect", &repository(MODEL), "--json"]).json();
    for key in ["arch", "family", "classes", "params", "dtype", "layers"] {
        assert!(found.get(key).is_some(), "{key} is missing: {:?}", keys(&found));
    }
    assert_eq!(found["arch"], "resnet20");
    assert_eq!(found["family"], "cifar-v1");
    assert_eq!(found["classes"], 10);
    assert_eq!(found["dtype"], "f16");
    // He et al. 2015, table 6: 0.27 million.
    assert_eq!(found["params"], 269_722);
    let layers = found["layers"].as_array().unwrap();
    assert_eq!(layers[0], json!({ "name": "conv1", "kind": "conv2d", "shape": [16, 3, 3, 3], "params": 432 }));
    assert_eq!(layers.iter().map(|layer| layer["params"].as_u64().unwrap()).sum::<u64>(), 269_722);

    let text = reslab(&["inspect", &repository(MODEL)]);
    assert_eq!(text.code, 0);
    assert!(text.stdout.contains("resnet20") && text.stdout.contains("layer3.2.conv2"), "{}", text.stdout);
}

#[test]
fn classify_answers_for_every_picture_in_json() {
    let run = reslab(&["classify", &sample("ship"), &sample("frog"), "--top", "3", "--json"]);
    assert!(run.said.is_empty(), "{run:?}");
    let found = run.json();
    assert_eq!(
        keys(&found),
        [
            "model",
            "arch",
            "precision",
            "preset",
            "activation",
            "assumed",
            "notes",
            "device",
            "device_kind",
            "software",
            "images"
        ]
    );
    let images = found["images"].as_array().unwrap();
    assert_eq!(images.len(), 2);
    for (image, class) in images.iter().zip(["ship", "frog"]) {
        assert_eq!(keys(image), ["file", "top", "ms", "width", "height"]);
        assert_eq!(image["file"], sample(class));
        let top = image["top"].as_array().unwrap();
        assert_eq!(top.len(), 3);
        assert_eq!(top[0]["label"], class);
        assert_eq!(top[0]["class"], SAMPLES.iter().position(|c| *c == class).unwrap());
        let probabilities: Vec<f64> = top.iter().map(|t| t["probability"].as_f64().unwrap()).collect();
        assert!(probabilities.is_sorted_by(|a, b| a >= b) && probabilities.iter().sum::<f64>() <= 1.0 + 1e-6, "{top:?}");
    }
    // More classes than the net has: all of them, together certain.
    let all = reslab(&["classify", &sample("ship"), "--top", "50", "--json"]).json();
    let top = all["images"][0]["top"].as_array().unwrap().clone();
    let sum: f64 = top.iter().map(|t| t["probability"].as_f64().unwrap()).sum();
    assert!(top.len() == 10 && (sum - 1.0).abs() < 1e-5, "{top:?}");
}

#[test]
fn a_broken_picture_does_not_keep_the_others_from_an_answer() {
    let dir = Temp::new("broken");
    let broken = dir.file("notes.jpg", "these are words");
    let absent = dir.path("absent.png").display().to_string();
    let run = reslab(&["classify", &broken, &sample("truck"), &absent, "--top", "1"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("truck.webp") && run.stdout.contains(" %  truck"), "{run:?}");
    assert!(run.stderr.contains("resnet20-cifar10 (f"), "model, element type and device are named beside the answers: {run:?}");
    assert_eq!(run.said.iter().filter(|line| line.contains(&broken)).count(), 1, "{run:?}");
    assert_eq!(run.said.iter().filter(|line| line.contains("absent.png: there is no such file")).count(), 1, "{run:?}");

    let run = reslab(&["classify", &broken, &sample("truck"), "--json"]);
    assert_eq!(run.code, 1);
    let found = run.json_whatever_the_code();
    assert!(found["images"][0]["error"].as_str().unwrap().contains("not a picture"), "{found}");
    assert_eq!(found["images"][1]["top"][0]["label"], "truck");
}

#[test]
fn own_labels_and_own_pixels() {
    let dir = Temp::new("labels");
    let names: Vec<String> = SAMPLES.iter().map(|class| format!("my {class}")).collect();
    let labels = dir.file("labels.txt", names.join("\r\n") + "\n");
    let found = reslab(&["classify", &sample("dog"), "--weights", &repository(MODEL), "--labels", &labels, "--json"]).json();
    assert_eq!(found["images"][0]["top"][0]["label"], "my dog");

    let few = dir.file("few.txt", "one\ntwo\n");
    let run = reslab(&["classify", &sample("dog"), "--labels", &few]);
    assert!(run.error().contains("2 class names were given, but the network has 10 classes"), "{run:?}");

    // The preset in numbers gives the preset's answer: the picture is square.
    let probability = |arguments: &[&str]| {
        let dog = sample("dog");
        let found = reslab(&[&["classify", &dog, "--json", "--precision", "f32"], arguments].concat()).json();
        found["images"][0]["top"][0]["probability"].as_f64().unwrap()
    };
    let named = probability(&["--preset", "cifar"]);
    let numbers = probability(&["--size", "32", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]);
    assert!((named - numbers).abs() < 1e-6, "{named} and {numbers}");
}

#[test]
fn eval_counts_what_classify_says() {
    let dir = sample_set("eval");
    let right = {
        let pictures: Vec<String> = SAMPLES.iter().map(|class| sample(class)).collect();
        let arguments: Vec<&str> = ["classify", "--json"].into_iter().chain(pictures.iter().map(String::as_str)).collect();
        let found = reslab(&arguments).json();
        let images = found["images"].as_array().unwrap().clone();
        let place = |class: &str, image: &Value| image["top"].as_array().unwrap().iter().position(|t| t["label"] == class);
        let places: Vec<Option<usize>> = SAMPLES.iter().zip(&images).map(|(class, image)| place(class, image)).collect();
        (places.iter().filter(|p| **p == Some(0)).count(), places.iter().flatten().count())
    };
    // Three a run: the last run is not full.
    let run = reslab(&["eval", &dir.text(), "--batch", "3", "--json"]);
    assert!(run.said.is_empty(), "{run:?}");
    let found = run.json();
    for key in ["images", "top1", "top5", "ms_per_image", "device"] {
        assert!(found.get(key).is_some(), "{key} is missing: {:?}", keys(&found));
    }
    assert_eq!((&found["images"], &found["failed"], &found["batch"]), (&json!(10), &json!(0), &json!(3)));
    assert_eq!(found["top1"].as_f64().unwrap(), right.0 as f64 / 10.0);
    assert_eq!(found["top5"].as_f64().unwrap(), right.1 as f64 / 10.0);
    assert!(found["ms_per_image"].as_f64().unwrap() > 0.0);

    // A class's folder under another's name is wrong in both counts, unless the other is among the net's five.
    std::fs::rename(dir.path("ship"), dir.path("swap")).unwrap();
    std::fs::rename(dir.path("dog"), dir.path("ship")).unwrap();
    std::fs::rename(dir.path("swap"), dir.path("dog")).unwrap();
    let swapped = reslab(&["eval", &dir.text(), "--json"]).json();
    assert_eq!(swapped["top1"].as_f64().unwrap(), (right.0 - 2) as f64 / 10.0);

    let limited = reslab(&["eval", &dir.text(), "--limit", "4", "--json"]).json();
    assert_eq!(limited["images"], 4);
    let text = reslab(&["eval", &dir.text(), "--limit", "2"]);
    assert!(text.code == 0 && text.stdout.contains("top-1") && text.stdout.contains("per image"), "{text:?}");
}

#[test]
fn eval_refuses_folders_that_are_not_the_classes() {
    let dir = Temp::new("classes");
    dir.file("cat/0.webp", std::fs::read(sample("cat")).unwrap());
    dir.file("unicorn/0.webp", std::fs::read(sample("horse")).unwrap());
    let run = reslab(&["eval", &dir.text()]);
    let error = run.error();
    assert!(error.contains("2 folders") && error.contains("`unicorn`") && error.contains("knows 10 classes"), "{error}");
    // A part of the classes by their names is fine.
    std::fs::remove_dir_all(dir.path("unicorn")).unwrap();
    assert_eq!(reslab(&["eval", &dir.text(), "--json"]).json()["images"], 1);
    assert!(reslab(&["eval", &dir.path("absent").display().to_string()]).error().contains("does not exist"));
    assert!(reslab(&["eval", &sample("cat")]).error().contains("is a file"));
}

#[test]
fn eval_reports_pictures_it_cannot_read() {
    let dir = sample_set("unreadable");
    dir.file("cat/1.png", "no picture");
    let run = reslab(&["eval", &dir.text(), "--json"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.said.len() == 1 && run.said[0].contains("1.png"), "{run:?}");
    let found = run.json_whatever_the_code();
    assert_eq!((&found["images"], &found["failed"]), (&json!(10), &json!(1)));
}

#[test]
fn bench_measures_and_lists_every_dispatch() {
    let found = reslab(&["bench", "--arch", "resnet20", "--batch", "2", "--runs", "3", "--layers", "--json"]).json();
    assert_eq!((&found["arch"], &found["batch"], &found["size"]), (&json!("resnet20"), &json!(2), &json!(32)));
    // He et al. 2015: 41 million multiply-adds an image.
    assert!((found["gflop"].as_f64().unwrap() - 4.0 * 0.041).abs() < 0.004, "{}", found["gflop"]);
    for key in ["mean_ms", "median_ms", "min_ms", "first_ms", "gflops", "submits"] {
        assert!(found[key].as_f64().unwrap() > 0.0, "{key}: {}", found[key]);
    }
    for key in ["parameter_bytes", "activation_bytes"] {
        assert!(found["memory"][key].as_f64().unwrap() > 0.0, "{key}: {}", found["memory"]);
    }
    assert!(found["min_ms"].as_f64() <= found["median_ms"].as_f64());
    let layers = found["layers"].as_array().unwrap();
    assert_eq!(layers.len() as u64, found["dispatches"].as_u64().unwrap());
    assert_eq!(layers[0]["name"], "conv1");
    let shares: f64 = layers.iter().map(|layer| layer["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");

    let other = reslab(&["bench", "--runs", "1", "--kernel", "direct-registers", "--layers", "--device", "software"]);
    assert!(other.code == 0 && other.stdout.contains("conv2d_") && other.stdout.contains("GFLOP/s"), "{other:?}");
    assert!(!["tiled", "winograd"].iter().any(|name| other.stdout.contains(name)), "{}", other.stdout);
}

#[test]
fn models_are_listed_with_what_a_download_would_mean() {
    let cache = Temp::new("models");
    let found = ran(command(&["models", "--json"]).env("RESLAB_CACHE_DIR", cache.text()).output().unwrap()).json();
    let models = found.as_array().unwrap();
    assert_eq!(models[0]["name"], "resnet20-cifar10");
    assert_eq!((&models[0]["bundled"], &models[0]["on_this_device"]), (&json!(true), &json!(true)));
    for model in &models[1..] {
        assert_eq!(model["on_this_device"], false);
        assert!(model["bytes"].as_u64().unwrap() > 40_000_000 && !model["license"].as_str().unwrap().is_empty(), "{model}");
    }
    assert!(models.iter().any(|model| model["name"] == "resnet50.a1_in1k"));
}

#[test]
fn every_failure_is_one_line_and_exit_code_1() {
    let dir = Temp::new("failures");
    let model = std::fs::read(repository(MODEL)).unwrap();
    let cut = dir.file("cut.safetensors", &model[..model.len() / 2]);
    let text = dir.file("words.pth", "words");
    let picture = sample("cat");
    let cases: &[(&[&str], &str)] = &[
        (&["inspect", &cut], "cut.safetensors"),
        (&["inspect", &text], "words.pth"),
        (&["inspect", &dir.text()], "it is a folder"),
        (&["inspect", "/no/such/file"], "there is no such file"),
        (&["classify", &picture, "--weights", &cut], "cut.safetensors"),
        (&["classify", &picture, "--model", "resnet51"], "resnet20-cifar10, resnet18.tv_in1k"),
        (&["classify", &picture, "--preset", "nonsense"], "imagenet"),
        (&["classify", &picture, "--size", "32"], "--preset"),
        (&["classify", &picture, "--labels", "/no/such/file"], "there is no such file"),
        (&["eval", &dir.text()], "one folder of pictures for each class"),
        (&["bench", "--arch", "resnet21"], "6n+2"),
        (&["bench", "--arch", "vgg16"], "resnet18, resnet34"),
    ];
    for (arguments, expected) in cases {
        let run = reslab(arguments);
        assert!(run.error().contains(expected), "{arguments:?}: {run:?}");
    }
}

#[test]
fn wrong_command_lines_are_exit_code_2() {
    let cases: &[&[&str]] = &[
        &[],
        &["classify"],
        &["nonsense"],
        &["classify", "x.png", "--top", "0"],
        &["classify", "x.png", "--model", "a", "--weights", "b"],
        &["eval", "dir", "--mean", "1,2", "--std", "1,1,1"],
        &["bench", "--kernel", "nonsense"],
        &["bench", "--batch", "0"],
        &["models", "--adapter", "nonsense"],
    ];
    for arguments in cases {
        let run = reslab(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {run:?}");
    }
    let help = reslab(&["--help"]);
    assert!(
        help.code == 0 && ["classify", "eval", "train", "inspect", "bench", "models"].iter().all(|c| help.stdout.contains(c))
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(&["inspect", &repository(MODEL)]).spawn().unwrap();
    drop(child.stdout.take());
    let run = ran(child.wait_with_output().unwrap());
    assert!(run.code == 0 && run.said.is_empty(), "{run:?}");
}

/// Mesa's drivers say "error: XDG_RUNTIME_DIR is invalid" on servers, as often as they are opened.
#[test]
fn only_our_own_words_are_on_stderr() {
    let picture = sample("cat");
    let model = repository(MODEL);
    let mut child = command(&["classify", &picture, "--weights", &model, "--device", "software"]);
    let run = ran(child.env_remove("XDG_RUNTIME_DIR").output().unwrap());
    // Which network on which adapter.
    assert!(run.code == 0 && run.stderr.lines().count() == 1 && run.stderr.contains("software adapter"), "{run:?}");
}

#[test]
fn features_are_what_layers_make_of_pictures() {
    let temp = Temp::new("features");
    let out = temp.path("out.safetensors").display().to_string();
    let (cat, dog) = (repository("www/samples/cat.webp"), repository("www/samples/dog.webp"));
    let layers = ["--layer", "block1,global_pool", "--layer", "predictions", "--device", "cpu", "--out", &out];
    let said = reslab(&[&["features", &cat, &dog][..], &layers].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let state = reslab::weights::read_safetensors("out.safetensors", &std::fs::read(&out).unwrap()).unwrap();
    let shapes: Vec<(&str, &[usize])> = state.tensors.iter().map(|(name, tensor)| (name.as_str(), &tensor.shape[..])).collect();
    let expected: [(&str, &[usize]); 3] =
        [("layer1", &[2, 16, 32, 32]), ("avgpool", &[2, 64, 1, 1]), ("softmax", &[2, 10, 1, 1])];
    assert_eq!(shapes, expected);
    // Means of what is not negative; and the answers are those of `classify`.
    assert!(state.tensors["avgpool"].data.iter().all(|value| *value >= 0.0));
    let answers = reslab(&["classify", &cat, &dog, "--device", "cpu", "--top", "10", "--json"]).json();
    for (picture, row) in state.tensors["softmax"].data.chunks(10).enumerate() {
        for answer in answers["images"][picture]["top"].as_array().unwrap() {
            let (class, probability) = (answer["class"].as_u64().unwrap(), answer["probability"].as_f64().unwrap());
            assert!((f64::from(row[class as usize]) - probability).abs() < 1e-5, "{answer}");
        }
    }
    assert!(state.metadata["pictures"].contains("dog.webp"));
    let wrong = reslab(&["features", &cat, "--layer", "block7"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.error().contains("block7") && wrong.error().contains("layer3"), "{}", wrong.error());
    let list = reslab(&["features", "--list"]);
    assert!(list.stdout.lines().any(|line| line == "layer2.1"), "{}", list.stdout);
}
