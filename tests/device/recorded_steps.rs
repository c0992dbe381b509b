//! What plans record, step by step, with the kernels for GPUs: label, kernel, grid and operands. tests/golden/steps.txt keeps a
//! digest for every golden net, forward, and for a few nets' training, and some of the lists themselves.
//!
//! A change of the code that means no change of what runs leaves the file as it is; a commit that changes the file says why.
//! `WRITE_STEPS=1 cargo test --test device recorded_steps::` writes it.

use crate::golden;
use std::{fmt::Write, fs, path::Path};

use reslab::device::{Device, DeviceOptions, Family, Precision, Shape, Tensor};
use reslab::model::training::{Grouping, Parameters, TrainingOptions, TrainingPlan};
use reslab::model::{PlanBuilder, PlanOptions, ResNetSpec, Turns};
use reslab::ops::{LossKind, Optimizer, Statistics};

/// Nets whose training is recorded, with batch and side.
const TRAINED: [(&str, usize, usize); 4] =
    [("resnet20", 4, 32), ("resnet18", 2, 64), ("resnet50v2-slim", 2, 64), ("resnet20-keras", 2, 32)];

/// Recordings that the file has in full.
const IN_FULL: [&str; 4] = ["forward resnet18", "forward resnet50v2-slim", "step resnet20", "evaluation resnet20"];

/// Default limits, so that the adapter does not matter.
fn context() -> Device {
    let options = DeviceOptions { family: Some(Family::Gpu), default_limits: true, ..DeviceOptions::software() };
    pollster::block_on(Device::new(options)).expect("a Vulkan, Metal or DX12 adapter (Debian: mesa-vulkan-drivers)")
}

fn forward(ctx: &Device, name: &str) -> Vec<String> {
    let case = golden::case(name);
    let options = PlanOptions { batch: case.input.n, height: case.input.h, width: case.input.w, ..PlanOptions::new(0) };
    let builder = PlanBuilder::new(ctx, &case.spec.build().unwrap(), options).unwrap();
    builder.finish().recording().list()
}

/// Forward and backward, update, evaluation.
fn training(ctx: &Device, name: &str, batch: usize, side: usize) -> [Vec<String>; 3] {
    let graph = ResNetSpec::named(name).unwrap().with_classes(Some(10)).build().unwrap();
    let shape = Shape::new(batch, 3, side, side);
    let optimizer = Optimizer::sgd();
    let grouping = Grouping { state_buffers: optimizer.state_buffers(), group: &|_| (1.0, 1e-4) };
    let parameters = Parameters::new(ctx, &graph, shape, &grouping).unwrap();
    let input = Tensor::zeros(ctx, "images", shape, Precision::F32).unwrap();
    let options = TrainingOptions {
        shares: false,
        loss: LossKind::default(),
        class_weights: Vec::new(),
        statistics: Statistics::Batch { momentum: 0.1, unbiased: true },
        micro_batches: 1,
        optimizer,
        decoupled: false,
    };
    let plan = pollster::block_on(TrainingPlan::new(ctx, &graph, &parameters, &input, &options, &mut Turns::none())).unwrap();
    plan.recordings().map(|recording| recording.list())
}

/// FNV-1a, 64 bits.
fn digest(lines: &[String]) -> u64 {
    let bytes = lines.iter().flat_map(|line| line.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn plans_record_the_steps_they_always_did() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut nets: Vec<String> = fs::read_dir(root.join("values"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".safetensors").map(str::to_owned))
        .collect();
    nets.sort_unstable();

    let ctx = context();
    let mut recorded: Vec<(String, Vec<String>)> =
        nets.iter().map(|net| (format!("forward {net}"), forward(&ctx, net))).collect();
    for (net, batch, side) in TRAINED {
        let [step, update, evaluation] = training(&ctx, net, batch, side);
        for (what, lines) in [("step", step), ("update", update), ("evaluation", evaluation)] {
            recorded.push((format!("{what} {net}"), lines));
        }
    }
    let mut text = String::new();
    for (what, lines) in &recorded {
        writeln!(text, "{what}: {} steps, {:016x}", lines.len(), digest(lines)).unwrap();
    }
    for (what, lines) in recorded.iter().filter(|(what, _)| IN_FULL.contains(&what.as_str())) {
        write!(text, "\n{what}\n  {}\n", lines.join("\n  ")).unwrap();
    }

    let file = root.join("steps.txt");
    if std::env::var_os("WRITE_STEPS").is_some() {
        fs::write(&file, &text).unwrap();
        // Every list, for a look at what changed.
        let lists: String = recorded.iter().map(|(what, lines)| format!("{what}\n  {}\n", lines.join("\n  "))).collect();
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps.txt"), lists).unwrap();
        return;
    }
    let kept = fs::read_to_string(&file).unwrap();
    let wrong: Vec<String> = kept
        .lines()
        .zip(text.lines())
        .filter(|(kept, now)| kept != now)
        .take(20)
        .map(|(kept, now)| format!("- {kept}\n+ {now}"))
        .collect();
    assert!(kept == text, "tests/golden/steps.txt differs, the first lines being\n{}", wrong.join("\n"));
}
