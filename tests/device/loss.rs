//! The losses against their definition in f64 (transcribed from PyTorch's documentation) and against finite differences.

use crate::gradcheck::{contexts, values};
use reslab::device::{Device, Precision, Recorder, Shape, Slice, Tensor};
use reslab::ops::{LossCall, LossKind, Target, record_loss};

struct Case {
    kind: LossKind,
    shares: bool,
    classes: usize,
    logits: Vec<f32>,
    targets: Vec<Target>,
    class_weights: Vec<f32>,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    d_logits: Vec<f32>,
    rows: Vec<[f32; 4]>,
    totals: [f32; 8],
}

const SHARE: f32 = 0.25;

impl Case {
    /// Odd numbers of classes and images, mixtures, a filler in the middle, uneven class weights.
    fn random(kind: LossKind, classes: usize, batch: usize, spread: f32) -> Self {
        let logits = values(batch * classes, 7).iter().map(|v| v * spread).collect();
        let class_weights = values(classes, 9).iter().map(|v| 1.0 + 0.9 * v).collect();
        let target = |n: usize| match n % 4 {
            1 => Target::mixed((n * 7 % classes) as u32, (n * 5 % classes) as u32, 0.3),
            2 => Target::FILLER,
            _ => Target::class((n * 7 % classes) as u32),
        };
        Self { kind, shares: false, classes, logits, targets: (0..batch).map(target).collect(), class_weights }
    }

    fn run(&self, ctx: &Device, gradient: bool) -> Outcome {
        let shape = Shape::new(self.targets.len(), self.classes, 1, 1);
        let logits = Tensor::from_nchw(ctx, "logits", shape, Precision::F32, &self.logits).unwrap();
        let sevens = Slice::with_bytes(ctx, "d", &Precision::F32.encode(&vec![7.0; shape.vec4s() * 4])).unwrap();
        let d_logits = Tensor { slice: sevens, ..logits.clone() };
        let targets = Slice::with_bytes(ctx, "targets", bytemuck::cast_slice(&self.targets)).unwrap();
        let class_weights = Slice::with_bytes(ctx, "weights", bytemuck::cast_slice(&self.class_weights)).unwrap();
        let rows = Slice::new(ctx, "rows", shape.n as u64 * 16).unwrap();
        let totals = Slice::new(ctx, "totals", 32).unwrap();
        let call = LossCall {
            label: "loss",
            kind: self.kind,
            shares: self.shares,
            logits: &logits,
            targets: &targets,
            class_weights: &class_weights,
            share: SHARE,
            d_logits: gradient.then_some(&d_logits),
            rows: &rows,
            totals: &totals,
        };
        let mut recorder = Recorder::new();
        record_loss(&mut recorder, ctx, &call).unwrap();
        let recording = recorder.finish(ctx);
        // Twice: the gradient and the rows are written, the totals added to.
        recording.run(ctx).unwrap();
        recording.run(ctx).unwrap();
        let read = |slice: &Slice| Precision::F32.decode(&pollster::block_on(slice.read(ctx)).unwrap());
        let padded = read(&d_logits.slice);
        if gradient {
            for row in padded.chunks(shape.c4() * 4) {
                assert!(row[self.classes..].iter().all(|v| *v == 0.0), "padding channels are zero");
            }
        } else {
            assert!(padded.iter().all(|v| *v == 7.0), "no gradient was asked for");
        }
        Outcome {
            d_logits: pollster::block_on(d_logits.read_nchw(ctx)).unwrap(),
            rows: read(&rows).as_chunks().0.to_vec(),
            totals: read(&totals).try_into().unwrap(),
        }
    }

    fn logits64(&self) -> Vec<f64> {
        self.logits.iter().map(|v| f64::from(*v)).collect()
    }

    /// torch.nn.CrossEntropyLoss and BCEWithLogitsLoss with `reduction="none"`, for one label.
    fn row_loss(&self, x: &[f64], label: u32) -> f64 {
        let weight = |c: usize| f64::from(self.class_weights[c]);
        let (classes, eps) = (self.classes as f64, f64::from(self.kind.label_smoothing()));
        match self.kind {
            LossKind::SoftmaxCrossEntropy { .. } => {
                let high = x.iter().copied().fold(f64::MIN, f64::max);
                let log_sum = high + x.iter().map(|v| (v - high).exp()).sum::<f64>().ln();
                let nll = weight(label as usize) * (log_sum - x[label as usize]);
                let smooth: f64 = x.iter().enumerate().map(|(c, v)| weight(c) * (log_sum - v)).sum();
                (1.0 - eps) * nll + eps / classes * smooth
            }
            LossKind::SigmoidCrossEntropy { .. } => {
                let term = |(c, v): (usize, &f64)| {
                    let y = f64::from(u8::from(c == label as usize)) * (1.0 - eps) + eps / 2.0;
                    let softplus = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
                    // -(y log sigmoid(x) + (1 - y) log(1 - sigmoid(x)))
                    weight(c) * (y * softplus(-v) + (1.0 - y) * softplus(*v))
                };
                x.iter().enumerate().map(term).sum::<f64>() / classes
            }
        }
    }

    fn row(&self, x: &[f64], n: usize) -> f64 {
        let (t, x) = (self.targets[n], &x[n * self.classes..][..self.classes]);
        let lambda = f64::from(t.lambda);
        lambda * self.row_loss(x, t.label) + (1.0 - lambda) * self.row_loss(x, t.other)
    }

    fn row_weight(&self, n: usize) -> f64 {
        let (t, lambda) = (self.targets[n], f64::from(self.targets[n].lambda));
        let weight = |c: u32| f64::from(self.class_weights[c as usize]);
        let classwise = match self.kind {
            LossKind::SoftmaxCrossEntropy { .. } if !self.shares => lambda * weight(t.label) + (1.0 - lambda) * weight(t.other),
            _ => 1.0,
        };
        f64::from(t.weight) * classwise
    }

    /// The mean that is minimised.
    fn mean(&self, x: &[f64]) -> f64 {
        let rows = 0..self.targets.len();
        let sum: f64 = rows.clone().map(|n| f64::from(self.targets[n].weight) * self.row(x, n)).sum();
        sum / rows.map(|n| self.row_weight(n)).sum::<f64>()
    }

    fn finite_differences(&self) -> Vec<f64> {
        let mut x = self.logits64();
        (0..x.len())
            .map(|i| {
                let (old, h) = (x[i], 1e-5);
                x[i] = old + h;
                let above = self.mean(&x);
                x[i] = old - h;
                let below = self.mean(&x);
                x[i] = old;
                (above - below) / (2.0 * h)
            })
            .collect()
    }
}

fn kinds() -> Vec<LossKind> {
    [0.0, 0.1]
        .into_iter()
        .flat_map(|label_smoothing| {
            [LossKind::SoftmaxCrossEntropy { label_smoothing }, LossKind::SigmoidCrossEntropy { label_smoothing }]
        })
        .collect()
}

#[track_caller]
fn assert_near(what: &str, got: f32, expected: f64, tolerance: f64) {
    // Written so that NaN fails too.
    assert!((f64::from(got) - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {got} instead of {expected}");
}

#[test]
fn loss_rank_confidence_and_totals_follow_the_definition() {
    for ctx in contexts() {
        for kind in kinds() {
            // One vec4 in part, more classes than threads, a batch of more rows than threads.
            for (classes, batch) in [(3, 1), (10, 7), (1003, 6), (5, 70)] {
                let case = Case::random(kind, classes, batch, 6.0);
                let got = case.run(ctx, true);
                let x = case.logits64();
                let mut sums = [0.0f64; 4];
                for (n, t) in case.targets.iter().enumerate() {
                    if t.weight == 0.0 {
                        assert_eq!(got.rows[n], [0.0; 4], "a filler's row");
                        continue;
                    }
                    let logits = &x[n * classes..][..classes];
                    let label = if t.lambda >= 0.5 { t.label } else { t.other } as usize;
                    let before = |c: usize| logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
                    let rank = (0..classes).filter(|c| before(*c)).count();
                    let predicted = (0..classes).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
                    let total: f64 = logits.iter().map(|v| v.exp()).sum();
                    let confidence = match kind {
                        LossKind::SoftmaxCrossEntropy { .. } => logits[predicted].exp() / total,
                        LossKind::SigmoidCrossEntropy { .. } => 1.0 / (1.0 + (-logits[predicted]).exp()),
                    };
                    let loss = case.row(&x, n);
                    let what = format!("{kind:?}, {classes} classes, row {n}");
                    assert_near(&what, got.rows[n][0], loss, 1e-5);
                    assert_near(&what, got.rows[n][2], confidence, 1e-5);
                    assert_eq!([got.rows[n][1], got.rows[n][3]], [rank as f32, predicted as f32], "{what}");
                    sums[0] += loss;
                    sums[1] += case.row_weight(n);
                    sums[2] += f64::from(u8::from(rank == 0));
                    sums[3] += f64::from(u8::from(rank < 5));
                }
                for (total, sum) in got.totals.iter().zip(sums) {
                    assert_near(&format!("{kind:?} totals of two runs"), *total, 2.0 * sum, 1e-5);
                }
                assert_eq!(got.totals[4..], [0.0; 4]);
                assert_near("mean", got.totals[0] / got.totals[1], case.mean(&x), 1e-5);
                let without = case.run(ctx, false);
                assert_eq!((without.rows, without.totals), (got.rows, got.totals), "the gradient changes nothing else");
            }
        }
    }
}

#[test]
fn gradient_agrees_with_finite_differences() {
    for ctx in contexts() {
        for kind in kinds() {
            for (classes, batch) in [(10, 7), (3, 1), (130, 3)] {
                let case = Case::random(kind, classes, batch, 4.0);
                let got = case.run(ctx, true).d_logits;
                let expected = case.finite_differences();
                let norm = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
                let error: f64 = got.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - f64::from(SHARE) * b).powi(2)).sum();
                assert!(error.sqrt() <= 1e-5 * f64::from(SHARE) * norm, "{kind:?}, {classes} classes: {error} of {norm}");
            }
        }
    }
}

/// Printed by PyTorch 2: `torch.nn.CrossEntropyLoss(weight=w, label_smoothing=.1)(x, y)` for the x, y and w below, and
/// `torch.nn.BCEWithLogitsLoss(weight=w)(x, one_hot(y))`.
#[test]
fn means_are_pytorchs() {
    let case = |kind| Case {
        kind,
        shares: false,
        classes: 3,
        logits: vec![2.0, -1.0, 0.5, -0.25, 3.0, 1.0],
        targets: vec![Target::class(0), Target::class(2)],
        class_weights: vec![0.5, 1.0, 2.0],
    };
    let [ctx, _] = contexts();
    for (kind, expected) in [
        (LossKind::SoftmaxCrossEntropy { label_smoothing: 0.1 }, 1.772_754_878_819_491_1),
        (LossKind::SigmoidCrossEntropy { label_smoothing: 0.0 }, 1.047_993_349_658_255_2),
    ] {
        let totals = case(kind).run(ctx, false).totals;
        assert_near(&format!("{kind:?}"), totals[0] / totals[1], expected, 1e-6);
    }
}

/// Printed by PyTorch 2.15: `CrossEntropyLoss(weight=w)(x, q)` for the x and w above and probabilities q: the sum by the number of images.
#[test]
fn the_mean_over_mixtures_is_pytorchs() {
    for ctx in contexts() {
        let case = Case {
            kind: LossKind::default(),
            shares: true,
            classes: 3,
            logits: vec![2.0, -1.0, 0.5, -0.25, 3.0, 1.0],
            targets: vec![Target::mixed(0, 1, 0.7), Target::mixed(2, 1, 0.25)],
            class_weights: vec![0.5, 1.0, 2.0],
        };
        let totals = case.run(ctx, true).totals;
        assert_near("mean", totals[0] / totals[1], MIXED_MEAN, 1e-6);
        assert_eq!(totals[1], 4.0, "two images in each of two runs");
        let norm: f64 = case.finite_differences().iter().map(|v| v * v).sum::<f64>().sqrt();
        let error: f64 = case
            .run(ctx, true)
            .d_logits
            .iter()
            .zip(case.finite_differences())
            .map(|(a, b)| (f64::from(*a) - f64::from(SHARE) * b).powi(2))
            .sum();
        assert!(error.sqrt() <= 1e-5 * f64::from(SHARE) * norm, "{error} of {norm}");
    }
}

const MIXED_MEAN: f64 = 1.128_744_909;

#[test]
fn a_weight_is_a_factor_on_the_gradient_alone() {
    let [ctx, _] = contexts();
    let mut case = Case::random(LossKind::default(), 5, 7, 2.0);
    let plain = case.run(ctx, true);
    case.targets.iter_mut().for_each(|target| target.weight *= 0.5);
    let halved = case.run(ctx, true);
    assert_eq!((halved.rows, halved.totals), (plain.rows, plain.totals));
    assert!(halved.d_logits.iter().zip(&plain.d_logits).all(|(a, b)| (a - 0.5 * b).abs() < 1e-7));
}

#[test]
fn large_logits_stay_accurate() {
    let [ctx, _] = contexts();
    for kind in kinds() {
        let mut case = Case::random(kind, 10, 5, 1.0);
        case.logits.iter_mut().enumerate().for_each(|(i, v)| *v = *v * 200.0 + if i % 3 == 0 { 1000.0 } else { -1000.0 });
        let got = case.run(ctx, true);
        let x = case.logits64();
        for (n, row) in got.rows.iter().enumerate().filter(|(n, _)| case.targets[*n].weight > 0.0) {
            assert_near(&format!("{kind:?} row {n}"), row[0], case.row(&x, n), 1e-5);
        }
        assert!(got.d_logits.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn rows_that_are_no_numbers_are_counted_and_stop_the_step() {
    for ctx in contexts() {
        for kind in kinds() {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut case = Case::random(kind, 6, 5, 3.0);
                let clean = case.run(ctx, true);
                case.logits[3 * 6 + 4] = bad;
                // A filler's logits count nowhere, whatever they are.
                case.logits[2 * 6] = bad;
                let got = case.run(ctx, true);
                assert!(got.rows[3][0].is_nan() && got.rows[3][1] == 6.0, "{:?}", got.rows[3]);
                assert_eq!(got.totals[4..], [2.0, 0.0, 0.0, 0.0], "one row in each of two runs");
                assert!(got.totals[..4].iter().all(|v| v.is_finite()));
                assert!(got.d_logits[3 * 6..4 * 6].iter().all(|v| v.is_nan()));
                assert_eq!(got.d_logits[..3 * 6], clean.d_logits[..3 * 6], "other rows keep their gradient");
            }
        }
    }
}

#[test]
fn a_batch_of_fillers_has_no_gradient() {
    let [ctx, _] = contexts();
    let mut case = Case::random(LossKind::default(), 4, 3, 1.0);
    case.targets.fill(Target::FILLER);
    let got = case.run(ctx, true);
    assert_eq!(got.d_logits, vec![0.0; 12]);
    assert_eq!(got.totals, [0.0; 8]);
}

#[test]
fn wrong_operands_are_explained() {
    let [ctx, _] = contexts();
    let tensor = |shape| Tensor::zeros(ctx, "x", shape, Precision::F32).unwrap();
    let (logits, map) = (tensor(Shape::new(4, 10, 1, 1)), tensor(Shape::new(4, 10, 2, 1)));
    let slice = |bytes| Slice::new(ctx, "x", bytes).unwrap();
    let (long, short) = (slice(4096), slice(16));
    let call = LossCall {
        label: "head",
        kind: LossKind::default(),
        shares: false,
        logits: &logits,
        targets: &long,
        class_weights: &long,
        share: 1.0,
        d_logits: None,
        rows: &slice(64),
        totals: &slice(32),
    };
    let error = |call: LossCall<'_>| record_loss(&mut Recorder::new(), ctx, &call).unwrap_err().to_string();
    assert!(record_loss(&mut Recorder::new(), ctx, &call).is_ok());
    assert!(error(LossCall { logits: &map, ..call }).contains("one pixel"));
    assert!(error(LossCall { d_logits: Some(&map), ..call }).contains("gradient"));
    let message = error(LossCall { targets: &short, ..call });
    assert!(message.contains("`head` wants targets of at least 64 bytes, found 16"), "{message}");
    let kind = LossKind::SigmoidCrossEntropy { label_smoothing: 1.0 };
    assert!(error(LossCall { kind, ..call }).contains("smoothing"));
}

#[test]
fn recipes_name_the_loss() {
    let json = r#"{"kind":"softmax_cross_entropy","label_smoothing":0.1}"#;
    let kind: LossKind = serde_json::from_str(json).unwrap();
    assert_eq!(kind, LossKind::SoftmaxCrossEntropy { label_smoothing: 0.1 });
    assert_eq!(serde_json::to_string(&kind).unwrap(), json);
    assert_eq!(serde_json::from_str::<LossKind>(r#"{"kind":"softmax_cross_entropy"}"#).unwrap(), LossKind::default());
}
