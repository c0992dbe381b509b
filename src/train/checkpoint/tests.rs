use super::*;
use crate::train::{Init, init};

fn spec() -> ResNetSpec {
    ResNetSpec::named("resnet8").unwrap().with_classes(Some(3))
}

fn weights(seed: u64) -> Tensors {
    init::initialise(&spec().build().unwrap(), Init::HeFanOut, false, seed).unwrap().tensors
}

fn checkpoint(optimizer: Optimizer) -> Checkpoint {
    let recipe = Recipe { optimizer, depth: "stage3".parse().unwrap(), accumulation: 2, ..Recipe::default() };
    let learning = |name: &str| recipe.trains(name) && !name.contains("running_");
    let state = |seed| -> Tensors { weights(seed).into_iter().filter(|(name, _)| learning(name)).collect() };
    // What does not learn stays as it is.
    let latest = weights(2).into_iter().chain(weights(1).into_iter().filter(|(name, _)| !recipe.trains(name)));
    let latest: Tensors = latest.collect();
    let summary = Summary { images: 30, loss: f64::NAN, top1: 0.5, top5: 1.0, ece: 0.1 };
    Checkpoint {
        spec: spec(),
        classes: ["cat", "dog", "ox"].map(String::from).into(),
        pixels: Preset::custom(48, [0.5; 3], [0.25; 3]).unwrap(),
        progress: Progress { epoch: 2, step: 14, best_epoch: Some(1), train_images: 30, ..Progress::default() },
        history: vec![Epoch {
            epoch: 1,
            step: 7,
            learning_rate: 0.01,
            train: Summary { loss: 1.5, ..summary },
            validation: None,
            seconds: 0.25,
        }],
        changes: Vec::new(),
        average: None,
        best: weights(1),
        latest: Some(latest),
        optimizer: (0..optimizer.state_buffers() as u64).map(|slot| state(10 + slot)).collect(),
        recipe,
        pictures: Some(PictureSides { train: vec![0, u64::MAX, 7], validation: Vec::new() }),
    }
}

fn error(bytes: &[u8]) -> String {
    Checkpoint::from_bytes("run.safetensors", bytes).unwrap_err().to_string()
}

#[test]
fn a_run_survives_the_file() {
    for optimizer in
        [Optimizer::sgd(), Optimizer::Sgd { momentum: 0.0, nesterov: false }, Optimizer::adam(), Optimizer::adamw()]
    {
        let mut before = checkpoint(optimizer);
        assert_eq!(Checkpoint::from_bytes("run", &before.to_bytes().unwrap()).unwrap(), before);
        // Before the first step, and where the latest weights are the best.
        before.optimizer.clear();
        before.latest = None;
        let after = Checkpoint::from_bytes("run", &before.to_bytes().unwrap()).unwrap();
        assert_eq!(after, before);
        assert_eq!(after.latest(), &before.best);
    }
}

#[test]
fn every_program_sees_plain_weights() {
    let checkpoint = checkpoint(Optimizer::adam());
    let exported = checkpoint.weights_to_bytes(Dtype::F32).unwrap();
    for bytes in [checkpoint.to_bytes().unwrap(), exported.clone()] {
        let state = weights::read("run", &bytes).unwrap();
        assert_eq!(pixels(&state).unwrap().unwrap(), checkpoint.pixels);
        let found = detect::detect(state).unwrap();
        assert_eq!((found.spec, found.classes.unwrap()), (spec(), checkpoint.classes.clone()));
        assert_eq!(found.weights.tensors, checkpoint.best);
        assert_eq!(found.preset, None, "the numbers are no preset's");
    }
    // What PyTorch's strict loading asks for: the network's tensors and a counter for each norm, nothing else.
    let file = ::safetensors::SafeTensors::deserialize(&exported).unwrap();
    let mut names: Vec<String> = file.names().into_iter().map(String::from).collect();
    let mut wanted: Vec<String> = checkpoint.best.keys().cloned().collect();
    wanted
        .extend(wanted.clone().iter().filter_map(|n| Some(format!("{}num_batches_tracked", n.strip_suffix("running_mean")?))));
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
    let counter = file.tensor("layer1.0.bn1.num_batches_tracked").unwrap();
    assert_eq!((counter.dtype(), counter.shape()), (::safetensors::Dtype::I64, &[][..]));
    assert_eq!(counter.data(), 28i64.to_le_bytes(), "14 steps of two parts");
}

#[test]
fn a_named_preset_keeps_its_name() {
    let mut checkpoint = checkpoint(Optimizer::sgd());
    checkpoint.pixels = Preset::named("cifar").unwrap();
    let found = detect::detect(weights::read("w", &checkpoint.weights_to_bytes(Dtype::F16).unwrap()).unwrap()).unwrap();
    assert_eq!(found.preset.as_deref(), Some("cifar"));
}

#[test]
fn foreign_and_damaged_files_are_explained() {
    let checkpoint = checkpoint(Optimizer::sgd());
    let bytes = checkpoint.to_bytes().unwrap();
    assert!(error(&bytes[..bytes.len() / 2]).contains("cut off"));
    assert!(error(b"").contains("empty"));
    assert!(error(&checkpoint.weights_to_bytes(Dtype::F32).unwrap()).contains("no training run to go on with"));

    // The metadata is text at the front of the file; a byte changed for another keeps the file whole.
    let text = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    };
    assert!(error(&text(r#"\"version\":2"#, r#"\"version\":9"#)).contains("newer version"));
    assert!(error(&text(r#"\"step\":14"#, r#"\"step\":-4"#)).contains("cannot be read"));
    assert!(error(&text(r#"\"epochs\":20"#, r#"\"epochs\":00"#)).contains("cannot be read"));
    assert!(error(&text(r#"\"batch\":32"#, r#"\"batch\":31"#)).contains("2 equal parts"));
    assert!(
        error(&text(r#"resume.momentum_buffer.fc.bias"#, r#"resume.momentum_burger.fc.bias"#)).contains("no run with this")
    );
    assert!(error(&text(r#"resume.momentum_buffer.fc.bias"#, r#"resume.momentum_buffer.fc.bits"#)).contains("fc.bias"));
    assert!(error(&text(r#""pixels""#, r#""pixies""#)).contains("pixels"));
}

#[test]
fn what_does_not_fit_is_never_written() {
    let wrong = |change: &dyn Fn(&mut Checkpoint)| {
        let mut checkpoint = checkpoint(Optimizer::sgd());
        change(&mut checkpoint);
        checkpoint.to_bytes().unwrap_err().to_string()
    };
    assert!(wrong(&|c| drop(c.best.swap_remove("fc.bias"))).contains("fc.bias"));
    assert!(wrong(&|c| drop(c.optimizer[0].swap_remove("fc.bias"))).contains("fc.bias"));
    assert!(wrong(&|c| c.optimizer.push(Tensors::new())).contains("1 kinds of optimizer state"));
    assert!(wrong(&|c| drop(c.best.insert("x".into(), HostTensor::new([0], Vec::new())))).contains("`x`"));
    assert!(wrong(&|c| c.spec.classes = Some(4)).contains("[4, 64]"));
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let dir = std::env::temp_dir().join(format!("reslab-checkpoint-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("run.safetensors");
    write_atomically(&path, b"one").unwrap();
    write_atomically(&path, b"two").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
    // A folder in the way cannot be replaced by a file.
    let folder = dir.join("folder");
    std::fs::create_dir_all(folder.join("inside")).unwrap();
    assert!(write_atomically(&folder, b"x").unwrap_err().to_string().contains("folder"));
    assert!(write_atomically(&dir.join("absent/run"), b"x").is_err());
    assert!(write_atomically(std::path::Path::new("/"), b"x").unwrap_err().to_string().contains("no name of a file"));
    let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary file stays: {left:?}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn other_pictures_go_on_at_the_end_of_an_epoch() {
    let mut checkpoint = checkpoint(Optimizer::sgd());
    checkpoint.recipe.batch = 4;
    checkpoint.change_pictures(19, 5);
    assert_eq!(
        (checkpoint.progress.step, checkpoint.progress.train_images, checkpoint.progress.validation_images),
        (10, 19, 5)
    );
    checkpoint.change_pictures(3, 0);
    assert_eq!(checkpoint.progress.step, 2, "fewer than a batch are one batch");
}
