//! `reslab train` from the outside: small nets learn coloured shapes. Needs a Vulkan, Metal or DX12 adapter.

use crate::cli::{self, Temp, command, reslab};
use rand_chacha::ChaCha8Rng;
use reslab::data::random::{Stream, below, generator};
use reslab::train::Checkpoint;
use serde_json::Value;

const CLASSES: [&str; 3] = ["disc", "cross", "stripes"];
/// One block a stage, 16 x 16 pixels: what a step takes is mostly its kernels' start.
const NET: &str = r#"{
    "arch": "tiny", "stem": {"channels": 8, "kernel": 3, "stride": 1}, "classes": 1,
    "stages": [{"blocks": 1, "channels": 8, "stride": 1}, {"blocks": 1, "channels": 16, "stride": 2}]
}"#;
const SIDE: u32 = 20;

/// A noisy shape of a random colour at a random place.
fn shape(rng: &mut ChaCha8Rng, class: &str) -> Vec<u8> {
    let mut between = |low: i32, high: i32| low + below(rng, (high - low + 1) as u64) as i32;
    let (cx, cy, radius) = (between(6, 13), between(6, 13), between(4, 6));
    let colour = [between(140, 250), between(140, 250), between(140, 250)];
    let picture = image::RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let (dx, dy) = (x as i32 - cx, y as i32 - cy);
        let inside = match class {
            "disc" => dx * dx + dy * dy <= radius * radius,
            "cross" => dx.abs().min(dy.abs()) < 2 && dx.abs().max(dy.abs()) <= radius,
            _ => (y as i32 + cy) % 4 < 2,
        };
        image::Rgb(colour.map(|value| ((if inside { value } else { 60 }) + between(-20, 20)).clamp(0, 255) as u8))
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// `count` pictures of each class in `folder` of `dir`; its path.
fn shapes(dir: &Temp, folder: &str, classes: &[&str], count: u32, seed: u64) -> String {
    let mut rng = generator(seed, Stream::Split);
    for class in classes {
        for number in 0..count {
            dir.file(&format!("{folder}/{class}/{number:03}.png"), shape(&mut rng, class));
        }
    }
    dir.path(folder).display().to_string()
}

fn path(dir: &Temp, name: &str) -> String {
    dir.path(name).display().to_string()
}

fn checkpoint(path: &str) -> Checkpoint {
    Checkpoint::from_bytes(path, &std::fs::read(path).unwrap()).unwrap()
}

fn log(path: &str) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_learns_and_every_command_takes_the_result_as_it_is() {
    let dir = Temp::new("train");
    let (train, val) = (shapes(&dir, "train", &CLASSES, 24, 1), shapes(&dir, "val", &CLASSES, 9, 2));
    let net = dir.file("net.json", NET);
    let (out, log_file, exported) = (path(&dir, "out.safetensors"), path(&dir, "log"), path(&dir, "exported.safetensors"));
    let found = reslab(&[
        "train",
        &train,
        "--val",
        &val,
        "--arch",
        &net,
        "--preset",
        "cifar-mean",
        "--size",
        "16",
        "--out",
        &out,
        "--log",
        &log_file,
        "--export",
        &exported,
        "--export-dtype",
        "f16",
        "--epochs",
        "12",
        "--batch",
        "18",
        "--lr",
        "0.05",
        "--augment",
        "flip,shift:1",
        "--json",
    ])
    .json();
    let result = &found["result"];
    assert_eq!((&found["judged_on"], &result["summary"]["images"]), (&"validation".into(), &27.into()));
    let top1 = result["summary"]["top1"].as_f64().unwrap();
    assert!(top1 >= 0.9, "{result}");
    let confusion = result["confusion"].as_array().unwrap();
    let row = |row: &Value| row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!(confusion.iter().map(row).collect::<Vec<_>>(), [9, 9, 9]);
    assert!(found["hardest"].as_array().unwrap().len() == 10 && found["unreadable"] == 0);

    // The log tells the same.
    let lines = log(&log_file);
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, [&["start"][..], &["epoch"; 12], &["end"]].concat());
    assert_eq!((&lines[0]["arch"], &lines[0]["outline"]["steps_per_epoch"]), (&"tiny".into(), &4.into()));
    let best = found["best_epoch"].as_u64().unwrap() as usize;
    assert_eq!(lines[best]["validation"]["top1"].as_f64(), Some(top1), "the trainer's own validation");
    assert_eq!(lines[13]["result"], *result);
    let curves = std::fs::read_to_string(dir.path("out.svg")).unwrap();
    assert!(curves.starts_with("<svg") && curves.contains("validation"), "{curves}");

    // No pixel options, no names: the file knows.
    for (file, precision) in [(&out, "f32"), (&exported, "f16")] {
        let judged = reslab(&["eval", &val, "--weights", file, "--json", "--batch", "27", "--precision", "f32"]).json();
        assert_eq!((&judged["images"], &judged["preset"]), (&27.into(), &"cifar-mean".into()));
        assert_eq!(judged["figures"]["confusion"], result["confusion"], "{file}");
        let loss = result["summary"]["loss"].as_f64().unwrap();
        assert!((judged["loss"].as_f64().unwrap() - loss).abs() < 1e-2 * loss.max(0.1), "{file}: {judged}");
        assert_eq!(judged["top1"].as_f64(), Some(top1), "{file} holds {precision}");
    }
    let table = path(&dir, "predictions.csv");
    let run = reslab(&["eval", &val, "--weights", &out, "--predictions", &table]);
    assert!(run.code == 0 && run.stdout.contains("taken for"), "{run:?}");
    let rows = std::fs::read_to_string(&table).unwrap();
    assert_eq!(rows.lines().count(), 1 + 27);
    assert!(rows.lines().any(|row| row.contains("000.png,disc,")), "{rows}");
    let net = reslab(&["summary", &out, "--json"]).json();
    assert_eq!((&net["arch"], &net["classes"]), (&"tiny".into(), &3.into()));
    let answer = reslab(&["classify", &format!("{val}/stripes/000.png"), "--weights", &exported, "--json"]).json();
    assert_eq!(answer["images"][0]["top"][0]["label"], "stripes");
    assert_eq!(answer["images"][0]["top"].as_array().unwrap().len(), 3);

    // A run that is over can be asked for its summary again, and for more.
    let again = reslab(&["train", &train, "--val", &val, "--resume", &out]);
    assert!(again.code == 0 && again.stdout.contains("macro F1") && again.stdout.contains("taken for"), "{again:?}");
    // Dials that change count from there on; checkpoints every other step, of which the newest stays.
    let options = "--epochs 13 --lr 0.02 --every 2 --keep 1 --best-files --json";
    let resumed = ["train", &train, "--val", &val, "--resume", &out, "--log", &log_file];
    let more = reslab(&resumed.into_iter().chain(options.split(' ')).collect::<Vec<_>>()).json();
    assert_eq!(more["epochs"], 13);
    let lines = log(&log_file);
    let events: Vec<&str> = lines[14..].iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["start", "changed", "steps", "steps", "epoch", "end"], "a resumed run appends to the log");
    assert_eq!(lines[15]["changed"][1]["field"], "learning_rate");
    assert_eq!((&lines[16]["done"], &lines[17]["done"]), (&50.into(), &52.into()));
    let there = |name: &str| dir.path(name).exists();
    assert!(there("out-step-52.safetensors") && !there("out-step-50.safetensors"));
    assert_eq!(checkpoint(&path(&dir, "out-step-52.safetensors")).progress.step, 52);
    assert_eq!(there("out-best-13.safetensors"), more["best_epoch"] == 13);
    for (options, reason) in [
        (&["--seed", "9"][..], "the order of the pictures"),
        (&["--arch", "resnet20"], "it has its network"),
        (&["--size", "20"], "learnt from pixels"),
        (&["--epochs", "3"], "has 13 epochs already"),
    ] {
        let run = reslab(&[&["train", &train, "--val", &val, "--resume", &out], options].concat());
        assert!(run.code == 1 && run.stderr.contains(reason), "{options:?}: {run:?}");
    }
    let run = reslab(&["train", &train, "--resume", &out]);
    assert!(run.code == 0 && run.stderr.contains("27 are gone"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_run_that_ends_as_if_it_had_not_been_stopped() {
    use std::io::{BufRead, BufReader};

    let dir = Temp::new("stop");
    let pictures = shapes(&dir, "pictures", &CLASSES, 20, 3);
    let net = dir.file("net.json", NET);
    let (whole, parts) = (path(&dir, "whole.safetensors"), path(&dir, "parts.safetensors"));
    let arguments = |out| {
        let all = "--size 16 --epochs 8 --batch 4 --bn batch --augment cifar --optimizer adamw --seed 5";
        let fixed = ["train", pictures.as_str(), "--arch", net.as_str(), "--out", out];
        fixed.into_iter().chain(all.split(' ')).collect::<Vec<&str>>()
    };
    let run = reslab(&arguments(&whole));
    assert_eq!(run.code, 0, "{run:?}");

    let mut child = command(&arguments(&parts)).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.starts_with("epoch   2")));
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let said: Vec<String> = said.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    let hint = said.iter().find(|line| line.starts_with("stopped after")).unwrap_or_else(|| panic!("{said:?}"));
    assert!(hint.contains(&format!("reslab train {pictures} --resume {parts}")), "{hint}");
    let stopped = checkpoint(&parts);
    assert!((2..8).contains(&stopped.progress.epoch), "{:?}", stopped.progress);

    let run = reslab(&["train", &pictures, "--resume", &parts]);
    assert_eq!(run.code, 0, "{run:?}");
    let (whole, parts) = (checkpoint(&whole), checkpoint(&parts));
    assert_eq!(parts.progress, whole.progress);
    assert!(parts.best == whole.best && parts.latest == whole.latest && parts.optimizer == whole.optimizer);
    let judged = |checkpoint: &Checkpoint| -> Vec<_> {
        checkpoint.history.iter().map(|epoch| epoch.validation.map(|summary| (summary.loss, summary.top1))).collect()
    };
    assert_eq!(judged(&parts), judged(&whole));
}

#[test]
fn pretrained_weights_learn_other_classes() {
    let dir = Temp::new("transfer");
    let pictures = shapes(&dir, "pictures", &["disc", "cross"], 12, 4);
    let words = dir.file("pictures/disc/words.png", "these are words");
    let out = path(&dir, "out.safetensors");
    // The bundled net for CIFAR-10; pixels are its own.
    let run = reslab(&[
        "train",
        &pictures,
        "--out",
        &out,
        "--epochs",
        "2",
        "--batch",
        "8",
        "--accumulation",
        "2",
        "--train",
        "stage3",
        "--multiplier",
        "head=10",
        "--class-weights",
        "balanced",
        "--augment",
        "none",
        "--val-fraction",
        "0",
        "--clip-norm",
        "5",
        "--label-smoothing",
        "0.1",
        "--schedule",
        "one-cycle",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.said.len(), 1, "the unreadable picture is reported and left out: {run:?}");
    assert!(run.said[0].contains(&words) && run.stdout.contains("1 pictures that cannot be read"), "{run:?}");
    assert!(run.stderr.contains("with a new head") && run.stderr.contains("learn (--train stage3)"), "{run:?}");
    assert!(run.stderr.contains("24 pictures train and 0 validate") && run.stdout.contains("24 training pictures"), "{run:?}");
    let state = checkpoint(&out);
    assert_eq!((state.classes.as_slice(), state.pixels.name.as_str()), (&["cross".to_owned(), "disc".into()][..], "cifar"));
    assert_eq!((state.recipe.accumulation, state.recipe.multipliers.head, state.progress.best_epoch), (2, 10.0, Some(2)));
    let before = checkpoint_of_bundled();
    for (name, tensor) in &state.best {
        let same = before.get(name).is_some_and(|old| old.data == tensor.data);
        let frozen = !(name.starts_with("layer3") || name.starts_with("fc."));
        // Running statistics of the trained stage stay too: 4 images a part are too few.
        assert_eq!(same, frozen || name.contains("running_"), "{name}");
    }
}

fn checkpoint_of_bundled() -> reslab::train::checkpoint::Tensors {
    let path = cli::repository("www/models/resnet20-cifar10.safetensors");
    let state = reslab::weights::read(&path, &std::fs::read(&path).unwrap()).unwrap();
    reslab::weights::detect::detect(state).unwrap().weights.tensors
}

/// A run of a few epochs that every one of these tests can afford.
fn quick<'a>(pictures: &'a str, net: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed =
        ["train", pictures, "--arch", net, "--out", out, "--size", "64", "--batch", "8", "--seed", "5", "--epochs", "2"];
    [&fixed, more].concat()
}

#[test]
fn pictures_beyond_memory_or_under_other_names_give_the_same_run() {
    let dir = Temp::new("beyond");
    // 12 kB each at this size: more than a MiB together.
    let pictures = shapes(&dir, "pictures", &CLASSES, 30, 3);
    let net = dir.file("net.json", NET);
    let (whole, streamed) = (path(&dir, "whole.safetensors"), path(&dir, "streamed.safetensors"));
    assert_eq!(reslab(&quick(&pictures, &net, &whole, &[])).code, 0);
    let run = reslab(&quick(&pictures, &net, &streamed, &["--picture-memory", "1"]));
    assert!(run.code == 0 && run.stderr.contains("read again in each epoch"), "{run:?}");
    assert!(checkpoint(&streamed).best == checkpoint(&whole).best);

    // The same pictures under other names, in another order, go on to the same weights.
    let renamed = dir.path("renamed");
    for class in CLASSES {
        std::fs::create_dir_all(renamed.join(class)).unwrap();
        for number in 0..30 {
            let to = renamed.join(class).join(format!("{:03}.png", 29 - number));
            std::fs::copy(dir.path(&format!("pictures/{class}/{number:03}.png")), to).unwrap();
        }
    }
    let renamed = renamed.display().to_string();
    for (pictures, file) in [(&pictures, &whole), (&renamed, &streamed)] {
        let run = reslab(&["train", pictures, "--resume", file, "--epochs", "3"]);
        assert!(run.code == 0 && !run.stderr.contains("have changed"), "{run:?}");
    }
    assert!(checkpoint(&streamed).best == checkpoint(&whole).best && checkpoint(&streamed).latest == checkpoint(&whole).latest);

    // What changed is said, and nothing changes its side.
    let before = checkpoint(&whole).pictures.unwrap();
    std::fs::remove_file(dir.path("pictures/disc/000.png")).unwrap();
    dir.file("pictures/cross/new.png", shape(&mut generator(99, Stream::Split), "cross"));
    let run = reslab(&["train", &pictures, "--resume", &whole, "--epochs", "4"]);
    assert!(run.code == 0 && run.stderr.contains("1 pictures are new") && run.stderr.contains("1 are gone"), "{run:?}");
    let after = checkpoint(&whole).pictures.unwrap();
    let kept = |digests: &[u64], side: &[u64]| digests.iter().filter(|digest| side.contains(digest)).count();
    assert_eq!((kept(&after.train, &before.validation), kept(&after.validation, &before.train)), (0, 0));
    assert_eq!(after.train.len() + after.validation.len(), 90);
}

#[test]
fn splits_and_a_test_set_are_used_as_such_and_everything_is_counted() {
    let dir = Temp::new("splits");
    for (split, count) in [("train", 8), ("valid", 3), ("test", 2)] {
        shapes(&dir, &format!("set/{split}"), &CLASSES, count, count.into());
    }
    dir.file("set/readme.txt", "x");
    let (set, net, out) = (path(&dir, "set"), dir.file("net.json", NET), path(&dir, "net.safetensors"));
    let found = reslab(&quick(&set, &net, &out, &["--json"])).json();
    let pictures = &found["pictures"];
    assert_eq!((&pictures["training"], &pictures["validation"], &pictures["test"]), (&24.into(), &9.into(), &6.into()));
    assert_eq!((&pictures["formats"][".png"], &pictures["left_out"][".txt"]), (&39.into(), &1.into()));
    assert_eq!((&found["result"]["summary"]["images"], &found["test"]["summary"]["images"]), (&9.into(), &6.into()));
    for (split, images) in [(None, 6), (Some("val"), 9), (Some("all"), 39)] {
        let split: Vec<&str> = split.map(|split| vec!["--split", split]).unwrap_or_default();
        let found = reslab(&[&["eval", &set, "--weights", &out, "--json"], &split[..]].concat()).json();
        assert_eq!((&found["images"], &found["left_out"][".txt"]), (&images.into(), &1.into()));
    }
}

#[test]
fn failures_are_one_line_and_leave_other_files_alone() {
    let dir = Temp::new("train-failures");
    let pictures = shapes(&dir, "pictures", &CLASSES, 2, 5);
    let one = shapes(&dir, "one", &["disc"], 1, 5);
    let other = shapes(&dir, "other", &["cat", "disc"], 1, 5);
    let alone = shapes(&dir, "alone", &CLASSES, 1, 5);
    let out = path(&dir, "out.safetensors");
    let taken = dir.file("taken.safetensors", "precious");
    let recipe = dir.file("recipe.json", r#"{"epoch": 3}"#);
    let spoilt = dir.file("net.json", "{}");
    let bundled = cli::repository("www/models/resnet20-cifar10.safetensors");
    let nowhere = path(&dir, "no/such/folder/net.safetensors");
    let cases: &[(&[&str], &str)] = &[
        (&["/no/such/dir", "--out", &out], "does not exist"),
        (&[&one, "--out", &out], "at least two folders"),
        (&[&pictures, "--val", &other, "--out", &out], "`cat` is none of the 3 classes"),
        (&[&alone, "--out", &out, "--arch", "resnet20"], "no pictures are left to validate with"),
        (&[&pictures, "--out", &taken], "--overwrite"),
        (&[&pictures, "--out", &dir.text()], "it is a folder"),
        (&[&pictures, "--out", &nowhere], "no such folder"),
        (&[&pictures, "--out", &out, "--arch", "vgg16"], "unknown architecture"),
        (&[&pictures, "--out", &out, "--arch", &spoilt], "network table is not valid"),
        (&[&pictures, "--out", &out, "--recipe", &recipe], "unknown field `epoch`"),
        (&[&pictures, "--out", &out, "--lr=-1"], "learning rate of -1"),
        (&[&pictures, "--out", &out, "--class-weights", "1,2"], "3 classes, but 2 class weights"),
        (&[&pictures, "--out", &out, "--train", "stage9"], "3 stages"),
        (&[&pictures, "--out", &out, "--size", "0"], "1 to 4096"),
        (&[&pictures, "--resume", &bundled], "no training run to go on with"),
        (&[&pictures, "--resume", &out], "there is no such file"),
        (&[&pictures, "--out", &out, "--arch", "resnet20", "--memory", "1"], "fewer layers"),
    ];
    for (arguments, expected) in cases {
        let run = reslab(&[&["train"], *arguments].concat());
        assert!(run.error().contains(expected), "{arguments:?}: {run:?}");
    }
    assert!(std::fs::read(&taken).unwrap() == b"precious" && !dir.path("out.safetensors").exists());

    let wrong: &[&[&str]] = &[
        &[],
        &[&pictures],
        &[&pictures, "--out", &out, "--arch", "resnet20", "--weights", "x"],
        &[&pictures, "--out", &out, "--val", &pictures, "--val-fraction", "0.1"],
        &[&pictures, "--out", &out, "--augment", "blur"],
        &[&pictures, "--out", &out, "--schedule", "never"],
    ];
    for arguments in wrong {
        let run = reslab(&[&["train"], *arguments].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {run:?}");
    }
}
