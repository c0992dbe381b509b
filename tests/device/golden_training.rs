//! A training step against PyTorch in f64 (`tests/golden/train_values.py`): logits, loss, every parameter's gradient, running
//! statistics, and the losses of ten updates with each optimizer.

use crate::golden_train::{self, Case, Run};
use reslab::device::{Device, DeviceKind, DeviceOptions, Family, Precision, Tensor};
use reslab::model::Turns;
use reslab::model::graph::Param;
use reslab::model::training::{Grouping, Parameters, TrainingOptions, TrainingPlan};
use reslab::ops::{LossKind, Optimizer, Statistics, Target};

/// What issue and house ask for: relative to the norm of the tensor, or to the loss.
const TOLERANCE: f64 = 1e-3;

const CPU: DeviceOptions = DeviceOptions::of(DeviceKind::Cpu);
const SOFTWARE: DeviceOptions = DeviceOptions::software();

fn open(options: DeviceOptions) -> Device {
    pollster::block_on(Device::new(options)).expect("a Vulkan, Metal or DX12 adapter (Debian: mesa-vulkan-drivers)")
}

struct Step {
    parameters: Parameters,
    plan: TrainingPlan,
}

fn plan(ctx: &Device, case: &Case, run: &Run) -> Step {
    let graph = case.spec.build().unwrap();
    let decoupled = matches!(run.optimizer, Optimizer::AdamW { .. });
    let group = |_: &Param| (1.0, run.weight_decay);
    let grouping = Grouping { state_buffers: run.optimizer.state_buffers(), group: &group };
    let parameters = Parameters::new(ctx, &graph, case.input, &grouping).unwrap();
    pollster::block_on(parameters.load(ctx, &case.weights(), &mut Turns::none())).unwrap();
    let input = Tensor::from_nchw(ctx, "input", case.input, Precision::F32, &case.images()).unwrap();
    let options = TrainingOptions {
        shares: false,
        loss: LossKind::default(),
        class_weights: Vec::new(),
        statistics: Statistics::Batch { momentum: case.momentum, unbiased: case.unbiased },
        micro_batches: 1,
        optimizer: run.optimizer,
        decoupled,
    };
    let plan = pollster::block_on(TrainingPlan::new(ctx, &graph, &parameters, &input, &options, &mut Turns::none())).unwrap();
    let targets: Vec<Target> = case.labels.iter().map(|label| Target::class(*label)).collect();
    plan.set_targets(ctx, &targets);
    ctx.check().unwrap();
    Step { parameters, plan }
}

fn one_step(name: &str, device: DeviceOptions) {
    let ctx = open(device);
    let case = golden_train::case(name);
    let Step { parameters, plan } = plan(&ctx, &case, &case.runs[0]);
    plan.accumulate(&ctx).unwrap();

    let logits = pollster::block_on(plan.logits().read_nchw(&ctx)).unwrap();
    let largest = case.logits.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    for (ours, theirs) in logits.iter().zip(&case.logits) {
        assert!((ours - theirs).abs() <= 1e-3 * largest, "{name}: logit {ours}, PyTorch {theirs}");
    }
    let totals = pollster::block_on(plan.totals(&ctx)).unwrap();
    let loss = totals.loss / totals.weight;
    assert!((loss - f64::from(case.loss)).abs() <= TOLERANCE * f64::from(case.loss), "{name}: loss {loss}, {}", case.loss);

    let gradients = pollster::block_on(parameters.read_gradients(&ctx)).unwrap();
    let mut worst = (0.0, String::new());
    for expected in &case.gradients {
        let error = case.gradient_error(expected, &gradients.tensors[&expected.name].data);
        if error > worst.0 {
            worst = (error, expected.name.clone());
        }
    }
    println!(
        "{name} on {}: largest relative error of a gradient {:.1e} ({}), {} dispatches",
        ctx.kind(),
        worst.0,
        worst.1,
        plan.dispatches()
    );
    assert!(worst.0 <= TOLERANCE, "{name}: gradient of {} is off by {:.1e} of its norm", worst.1, worst.0);

    let state = pollster::block_on(parameters.read(&ctx, &mut Turns::none())).unwrap();
    for expected in &case.statistics {
        let error = expected.relative_error(&state.tensors[&expected.name].data);
        assert!(error <= 1e-4, "{name}: {} is off by {error:.1e}", expected.name);
    }
}

fn ten_steps(name: &str, device: DeviceOptions) {
    let ctx = open(device);
    let case = golden_train::case(name);
    for run in &case.runs {
        let Step { plan, .. } = plan(&ctx, &case, run);
        let mut losses = Vec::new();
        for step in 1..=run.losses.len() as u32 {
            plan.reset_totals(&ctx);
            plan.accumulate(&ctx).unwrap();
            let totals = pollster::block_on(plan.totals(&ctx)).unwrap();
            losses.push(totals.loss / totals.weight);
            plan.update(&ctx, run.learning_rate, step, None).unwrap();
        }
        for (step, (ours, theirs)) in losses.iter().zip(&run.losses).enumerate() {
            let error = (ours - f64::from(*theirs)).abs() / f64::from(*theirs);
            assert!(error <= TOLERANCE, "{name}, {} after {step} updates: loss {ours}, PyTorch {theirs}", run.name);
        }
    }
}

#[test]
fn cifar_v1() {
    for device in [CPU, SOFTWARE] {
        one_step("resnet20", device);
        ten_steps("resnet20", device);
    }
}

#[test]
fn cifar_v1_with_the_kernels_for_gpus() {
    one_step("resnet20", DeviceOptions { family: Some(Family::Gpu), ..SOFTWARE });
}

#[test]
fn cifar_v2() {
    for device in [CPU, SOFTWARE] {
        one_step("resnet20v2", device);
        ten_steps("resnet20v2", device);
    }
}

#[test]
fn resnet18() {
    for device in [CPU, SOFTWARE] {
        one_step("resnet18", device);
        ten_steps("resnet18", device);
    }
}

#[test]
fn resnet50() {
    for device in [CPU, SOFTWARE] {
        one_step("resnet50", device);
        ten_steps("resnet50", device);
    }
}

#[test]
fn resnet50_v2() {
    for device in [CPU, SOFTWARE] {
        one_step("resnet50v2-slim", device);
        ten_steps("resnet50v2-slim", device);
    }
}

/// The nets with layers of their own, one block a stage: groups, stems of three with average pools, pre-activation.
#[test]
fn variations() {
    for name in ["resnext14_4x4d", "resnet14d", "resnetv2_14", "preact-resnet10"] {
        one_step(name, CPU);
        ten_steps(name, CPU);
        one_step(name, SOFTWARE);
    }
}
