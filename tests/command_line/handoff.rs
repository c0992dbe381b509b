//! `reslab hand-off` from the outside; what PyTorch makes of the folder is tested in tests/golden/check_handoff.py.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::{Temp, repository, reslab};

/// Five pictures of each of two classes, one with a name that no folder can have.
fn pictures(dir: &Temp) -> String {
    let mut table = String::from("path,label\n");
    for (class, samples) in
        [("cat/dog", ["cat", "dog", "deer", "horse", "frog"]), ("ship", ["ship", "airplane", "automobile", "truck", "bird"])]
    {
        for sample in samples {
            let name = format!("{sample}.webp");
            dir.file(&name, std::fs::read(repository(&format!("www/samples/{name}"))).unwrap());
            table += &format!("{name},{class}\n");
        }
    }
    dir.file("labels.csv", table)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_run_becomes_a_folder_that_has_all_it_needs() {
    let dir = Temp::new("hand-off");
    let table = pictures(&dir);
    let out = dir.path("bundle");
    let arguments = ["--epochs", "3", "--batch", "4", "--val-fraction", "0.4", "--optimizer", "adamw", "--lr", "0.001"];
    let text = out.display().to_string();
    let run = reslab(&[&["hand-off", &table, "--out", &text], &arguments[..]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("6 pictures train and 4 validate, 2 classes"), "{run:?}");
    // The pictures' own bytes, each once, under names that any system takes.
    let bytes = |side: &str| -> Vec<Vec<u8>> {
        files(&out.join("data").join(side)).iter().map(|path| std::fs::read(path).unwrap()).collect()
    };
    let kept: BTreeSet<Vec<u8>> = bytes("train").into_iter().chain(bytes("val")).collect();
    let given: BTreeSet<Vec<u8>> = files(Path::new(&dir.text()))
        .into_iter()
        .filter(|path| path.parent() == Some(Path::new(&dir.text())))
        .filter(|path| path.extension().is_some_and(|ending| ending == "webp"))
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert_eq!((bytes("train").len(), bytes("val").len()), (6, 4));
    assert!(kept == given);
    assert!(out.join("data/train/cat_dog").is_dir() && out.join("data/val/ship").is_dir());
    // What it begins with, and the recipes.
    let found = reslab(&["inspect", &out.join("init.safetensors").display().to_string(), "--json"]).json();
    assert_eq!((&found["arch"], &found["labels"][0]), (&"resnet20".into(), &"cat/dog".into()));
    let json = |name: &str| -> serde_json::Value { serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap() };
    let recipe = json("recipe.json");
    assert_eq!(
        (&recipe["optimizer"], &recipe["folders"][0], &recipe["epochs"]),
        (&"AdamW".into(), &"cat_dog".into(), &3.into())
    );
    let rates = recipe["rates"].as_array().unwrap();
    assert!(rates.iter().all(|rate| (0.0..=0.0010001).contains(&rate.as_f64().unwrap())), "{rates:?}");
    assert_eq!(json("training_arguments.json")["optim"], "adamw_torch");
    let yaml = std::fs::read_to_string(out.join("args.yaml")).unwrap();
    assert!(yaml.contains("\nopt: adamw\n") && yaml.contains("\nbatch_size: 4\n"), "{yaml}");
    let train = std::fs::read_to_string(out.join("train.py")).unwrap();
    assert!(train.lines().count() <= 80);
    let readme = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(!readme.contains('@') && readme.matches("torchrun").count() >= 2, "{readme}");
    // Nothing is written over.
    let again = reslab(&["hand-off", &table, "--out", &text]);
    assert!(again.error().contains("not an empty folder"), "{again:?}");
}
