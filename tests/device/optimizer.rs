//! Optimizers against PyTorch's documented formulas in f64, and against numbers PyTorch printed.

use crate::gradcheck::{contexts, values, vector as read};
use reslab::device::{Device, Recorder, Recording, Slice};
use reslab::ops::{Optimizer, StepValues, UpdateCall, gradient_norm_scratch_bytes, record_gradient_norm, record_update};

/// How one region of parameters is treated.
#[derive(Debug, Clone, Copy)]
struct Group {
    count: usize,
    multiplier: f32,
    decay: f32,
    decoupled: bool,
}

/// Regions on the GPU with their gradients and state, and the recording of a step.
struct Trainee {
    optimizer: Optimizer,
    params: Vec<Slice>,
    gradients: Vec<Slice>,
    state: Vec<Vec<Slice>>,
    values: Slice,
    norm: Slice,
    step: Recording,
}

impl Trainee {
    fn new(ctx: &Device, optimizer: Optimizer, groups: &[Group], start: &[Vec<f32>]) -> Self {
        let region = |group: &Group| Slice::new(ctx, "region", group.count as u64 * 4).unwrap();
        let params: Vec<Slice> =
            start.iter().map(|p| Slice::with_bytes(ctx, "params", bytemuck::cast_slice(p)).unwrap()).collect();
        let gradients: Vec<Slice> = groups.iter().map(region).collect();
        let state: Vec<Vec<Slice>> =
            groups.iter().map(|group| (0..optimizer.state_buffers()).map(|_| region(group)).collect()).collect();
        let values = Slice::new(ctx, "values", size_of::<StepValues>() as u64).unwrap();
        let norm = Slice::new(ctx, "norm", 16).unwrap();
        let bytes = gradients.iter().map(Slice::bytes).sum();
        let scratch = Slice::new(ctx, "scratch", gradient_norm_scratch_bytes(bytes)).unwrap();
        let mut recorder = Recorder::new();
        record_gradient_norm(&mut recorder, ctx, "norm", &gradients, &scratch, &norm).unwrap();
        for (i, group) in groups.iter().enumerate() {
            let call = UpdateCall {
                label: "update",
                optimizer: &optimizer,
                params: &params[i],
                gradients: &gradients[i],
                state: &state[i],
                values: &values,
                norm: &norm,
                learning_rate_multiplier: group.multiplier,
                weight_decay: group.decay,
                decoupled: group.decoupled,
            };
            record_update(&mut recorder, ctx, &call).unwrap();
        }
        let step = recorder.finish(ctx);
        Self { optimizer, params, gradients, state, values, norm, step }
    }

    fn step(&self, ctx: &Device, number: u32, rate: f32, clip: Option<f32>, gradients: &[Vec<f32>]) {
        for (slice, gradient) in self.gradients.iter().zip(gradients) {
            slice.write(ctx, bytemuck::cast_slice(gradient));
        }
        self.values.write(ctx, bytemuck::bytes_of(&StepValues::new(&self.optimizer, rate, number, clip)));
        self.step.run(ctx).unwrap();
    }

    fn params(&self, ctx: &Device) -> Vec<Vec<f32>> {
        self.params.iter().map(|slice| read(ctx, slice)).collect()
    }
}

/// The same in f64, from the pseudocode of torch.optim.SGD, Adam, AdamW and torch.nn.utils.clip_grad_norm_.
struct Reference {
    optimizer: Optimizer,
    groups: Vec<Group>,
    params: Vec<Vec<f64>>,
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
}

impl Reference {
    fn new(optimizer: Optimizer, groups: &[Group], start: &[Vec<f32>]) -> Self {
        let zeros: Vec<Vec<f64>> = start.iter().map(|p| vec![0.0; p.len()]).collect();
        let params = start.iter().map(|p| p.iter().map(|v| f64::from(*v)).collect()).collect();
        Self { optimizer, groups: groups.to_vec(), params, first: zeros.clone(), second: zeros }
    }

    fn step(&mut self, number: i32, rate: f32, clip: Option<f32>, gradients: &[Vec<f32>]) {
        let norm = gradients.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let factor = clip.map_or(1.0, |max| (f64::from(max) / (norm + 1e-6)).min(1.0));
        for (r, group) in self.groups.iter().enumerate() {
            let (rate, decay) = (f64::from(rate) * f64::from(group.multiplier), f64::from(group.decay));
            let decoupled = group.decoupled || matches!(self.optimizer, Optimizer::AdamW { .. });
            for (i, gradient) in gradients[r].iter().enumerate() {
                let p = &mut self.params[r][i];
                let (m, v) = (&mut self.first[r][i], &mut self.second[r][i]);
                let mut g = f64::from(*gradient) * factor;
                if decoupled {
                    *p -= rate * decay * *p;
                } else {
                    g += decay * *p;
                }
                match self.optimizer {
                    Optimizer::Sgd { momentum, nesterov } => {
                        let momentum = f64::from(momentum);
                        // PyTorch's buffer starts as the first gradient, which is what zeros give.
                        *m = momentum * *m + g;
                        *p -= rate * if nesterov { g + momentum * *m } else { *m };
                    }
                    Optimizer::Adam { beta1, beta2, eps, .. } | Optimizer::AdamW { beta1, beta2, eps } => {
                        let (beta1, beta2) = (f64::from(beta1), f64::from(beta2));
                        *m = beta1 * *m + (1.0 - beta1) * g;
                        *v = beta2 * *v + (1.0 - beta2) * g * g;
                        let (mean, square) = (*m / (1.0 - beta1.powi(number)), *v / (1.0 - beta2.powi(number)));
                        *p -= rate * mean / (square.sqrt() + f64::from(eps));
                    }
                }
            }
        }
    }
}

fn optimizers() -> [Optimizer; 5] {
    [
        Optimizer::Sgd { momentum: 0.0, nesterov: false },
        Optimizer::sgd(),
        Optimizer::Sgd { momentum: 0.8, nesterov: true },
        Optimizer::adam(),
        Optimizer::adamw(),
    ]
}

/// A region of more than one workgroup that ends in part of one, and a small one treated otherwise.
fn groups(decoupled: bool) -> [Group; 2] {
    [
        Group { count: 5000, multiplier: 1.0, decay: 0.02, decoupled },
        Group { count: 12, multiplier: 0.1, decay: 0.0, decoupled },
    ]
}

#[test]
fn ten_steps_follow_the_formulas() {
    for ctx in contexts() {
        for optimizer in optimizers() {
            for decoupled in [false, true] {
                let groups = groups(decoupled);
                let start = groups.map(|group| values(group.count, 5));
                let trainee = Trainee::new(ctx, optimizer, &groups, &start);
                let mut reference = Reference::new(optimizer, &groups, &start);
                for number in 1..=10 {
                    let rate = 0.05 / number as f32;
                    let gradients = groups.map(|group| values(group.count, 100 + number));
                    // The norm is about 41: no clipping, far above it, far below it.
                    let clip = [None, Some(1000.0), Some(3.0)][number as usize % 3];
                    trainee.step(ctx, number, rate, clip, &gradients);
                    reference.step(number as i32, rate, clip, &gradients);
                }
                let got = trainee.params(ctx);
                for (got, expected) in got.iter().flatten().zip(reference.params.iter().flatten()) {
                    let error = (f64::from(*got) - expected).abs();
                    assert!(error <= 2e-6, "{optimizer:?}, decoupled {decoupled}: {got} instead of {expected}");
                }
                let norm = read(ctx, &trainee.norm);
                let last = groups.map(|group| values(group.count, 110));
                let expected = last.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>();
                assert!((f64::from(norm[0]) / expected - 1.0).abs() < 1e-5, "{norm:?}, expected {expected}");
                assert!((f64::from(norm[2]) / expected.sqrt() - 1.0).abs() < 1e-5 && norm[1] == 0.0, "{norm:?}");
            }
        }
    }
}

/// Printed by PyTorch 2 in f64: three steps on sum(c * p^4) / 4 from p = (1, -2, 0.5) with c = (1, 0.5, 3), gradients clipped
/// by `clip_grad_norm_([p], 2.0)`, lr 0.1, weight_decay 0.01; momentum 0.9 in the second and third row.
#[test]
fn three_steps_are_pytorchs() {
    let expected: [(Optimizer, [f64; 3]); 5] = [
        (Optimizer::Sgd { momentum: 0.0, nesterov: false }, [0.829_057_135, -1.422_836_143, 0.432_696_015]),
        (Optimizer::sgd(), [0.696_404_617, -0.955_292_727, 0.380_933_653]),
        (Optimizer::Sgd { momentum: 0.9, nesterov: true }, [0.573_975_065, -0.683_504_108, 0.327_006_681]),
        (Optimizer::adam(), [0.702_672_726, -1.699_916_456, 0.215_597_508]),
        (Optimizer::adamw(), [0.700_006_652, -1.694_217_065, 0.214_853_201]),
    ];
    let [ctx, _] = contexts();
    let groups = [Group { count: 4, multiplier: 1.0, decay: 0.01, decoupled: false }];
    for (optimizer, expected) in expected {
        let trainee = Trainee::new(ctx, optimizer, &groups, &[vec![1.0, -2.0, 0.5, 0.0]]);
        for number in 1..=3 {
            let p = trainee.params(ctx).remove(0);
            let gradient = p.iter().zip([1.0, 0.5, 3.0, 0.0]).map(|(p, c)| c * p.powi(3)).collect();
            trainee.step(ctx, number, 0.1, Some(2.0), &[gradient]);
        }
        let got = trainee.params(ctx).remove(0);
        for (got, expected) in got.iter().zip(expected) {
            assert!((f64::from(*got) - expected).abs() <= 2e-6, "{optimizer:?}: {got} instead of {expected}");
        }
        assert_eq!(got[3], 0.0, "padding stays zero");
    }
}

#[test]
fn a_gradient_that_is_no_number_changes_nothing_and_is_counted() {
    for ctx in contexts() {
        for optimizer in optimizers() {
            let groups = groups(true);
            let start = groups.map(|group| values(group.count, 5));
            let trainee = Trainee::new(ctx, optimizer, &groups, &start);
            let clean = groups.map(|group| values(group.count, 6));
            trainee.step(ctx, 1, 0.1, Some(1.0), &clean);
            let all = || {
                let state = trainee.state.iter().flatten().map(|slice| read(ctx, slice));
                (trainee.params(ctx), state.collect::<Vec<_>>())
            };
            let before = all();
            // One bad value in one region stops the step for all.
            for (number, bad) in [(2, f32::NAN), (3, f32::INFINITY), (4, f32::MAX)] {
                let mut gradients = clean.clone();
                gradients[0][4999] = bad;
                trainee.step(ctx, number, 0.1, Some(1.0), &gradients);
                assert!(all() == before, "{optimizer:?} moved on a gradient of {bad}");
                let norm = read(ctx, &trainee.norm);
                assert!(!norm[0].is_finite() && norm[1] == (number - 1) as f32, "{norm:?}");
            }
            trainee.step(ctx, 5, 0.1, Some(1.0), &clean);
            assert!(all() != before, "the next good step is taken");
            assert_eq!(read(ctx, &trainee.norm)[1], 3.0, "the count stays");
        }
    }
}

#[test]
fn the_norm_covers_regions_of_many_sizes() {
    let [ctx, _] = contexts();
    // Below, at and above what a workgroup and the second pass's threads take at a time.
    for counts in [vec![4], vec![4096, 4100], vec![4, 1_100_000, 8, 4092]] {
        let data: Vec<Vec<f32>> = counts.iter().map(|count| values(*count, *count as u32)).collect();
        let regions: Vec<Slice> =
            data.iter().map(|d| Slice::with_bytes(ctx, "gradient", bytemuck::cast_slice(d)).unwrap()).collect();
        let bytes = regions.iter().map(Slice::bytes).sum();
        let scratch = Slice::new(ctx, "scratch", gradient_norm_scratch_bytes(bytes)).unwrap();
        let norm = Slice::new(ctx, "norm", 16).unwrap();
        let mut recorder = Recorder::new();
        record_gradient_norm(&mut recorder, ctx, "norm", &regions, &scratch, &norm).unwrap();
        recorder.finish(ctx).run(ctx).unwrap();
        let expected = data.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>();
        let got = read(ctx, &norm)[0];
        assert!((f64::from(got) / expected - 1.0).abs() < 1e-5, "{counts:?}: {got} instead of {expected}");
    }
}

#[test]
fn numbers_and_operands_are_checked() {
    let [ctx, _] = contexts();
    let slice = |bytes| Slice::new(ctx, "x", bytes).unwrap();
    let (region, small, state) = (slice(64), slice(16), [slice(64)]);
    let values = slice(size_of::<StepValues>() as u64);
    let optimizer = Optimizer::sgd();
    let call = UpdateCall {
        label: "update",
        optimizer: &optimizer,
        params: &region,
        gradients: &slice(64),
        state: &state,
        values: &values,
        norm: &small,
        learning_rate_multiplier: 1.0,
        weight_decay: 0.0,
        decoupled: false,
    };
    let error = |call: UpdateCall<'_>| record_update(&mut Recorder::new(), ctx, &call).unwrap_err().to_string();
    assert!(record_update(&mut Recorder::new(), ctx, &call).is_ok());
    assert!(error(UpdateCall { state: &[], ..call }).contains("1 buffers of optimizer state, found 0"));
    assert!(error(UpdateCall { gradients: &small, ..call }).contains("gradients of at least 64 bytes, found 16"));
    assert!(error(UpdateCall { values: &small, ..call }).contains("step values"));
    assert!(error(UpdateCall { weight_decay: -1.0, ..call }).contains("weight decay of -1"));
    assert!(error(UpdateCall { weight_decay: f32::NAN, ..call }).contains("weight decay"));
    for bad in [
        Optimizer::Sgd { momentum: 1.0, nesterov: false },
        Optimizer::Sgd { momentum: 0.0, nesterov: true },
        Optimizer::Adam { beta1: 0.9, beta2: f32::NAN, eps: 1e-8, uncorrected_eps: false },
        Optimizer::AdamW { beta1: 0.9, beta2: 0.999, eps: 0.0 },
    ] {
        assert!(bad.validate().is_err(), "{bad:?}");
    }
    let regions = vec![region.clone(); 65];
    let message = record_gradient_norm(&mut Recorder::new(), ctx, "norm", &regions, &slice(4096), &small).unwrap_err();
    assert!(message.to_string().contains("at most 64 regions"), "{message}");
}

#[test]
fn recipes_name_the_optimizer() {
    let json = r#"{"kind":"adamw","beta1":0.9,"beta2":0.999,"eps":1e-8}"#;
    let optimizer: Optimizer = serde_json::from_str(json).unwrap();
    assert_eq!(optimizer, Optimizer::adamw());
    assert_eq!(serde_json::from_str::<Optimizer>(&serde_json::to_string(&optimizer).unwrap()).unwrap(), optimizer);
    let states = optimizers().map(|optimizer| optimizer.state_buffers());
    assert_eq!(states, [0, 1, 1, 2, 2]);
}
