//! Batch norm in training and the sum over channels, against finite differences of their definitions.

use crate::gradcheck::{
    TOLERANCE, assert_close, contexts, elements, functional, garbage, gradient, gradient_at, padded_vector, plus, read, slice,
    tensor, to_f64, values, vector,
};
use reslab::Error;
use reslab::device::{Device, Recorder, Shape, Slice, Tensor};
use reslab::ops::{
    NormBackward, NormForward, NormParams, Statistics, channel_sum_scratch_bytes, norm_saved_bytes, norm_scratch_bytes,
    record_channel_sum, record_norm_backward, record_norm_forward,
};

const TORCH: Statistics = Statistics::Batch { momentum: 0.1, unbiased: true };
const KERAS: Statistics = Statistics::Batch { momentum: 0.01, unbiased: false };
const EPS: f32 = 1e-3;

#[derive(Debug, Clone, Copy)]
struct Case {
    shape: Shape,
    statistics: Statistics,
    residual: bool,
    relu: bool,
    accumulate: bool,
    d_input: bool,
}

fn case(shape: (usize, usize, usize, usize), statistics: Statistics) -> Case {
    let (n, c, h, w) = shape;
    let shape = Shape::new(n, c, h, w);
    Case { shape, statistics, residual: false, relu: false, accumulate: false, d_input: true }
}

/// Everything the layer reads, as the CPU sees it.
struct Operands {
    input: Vec<f32>,
    residual: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    running_mean: Vec<f32>,
    running_var: Vec<f32>,
    d_output: Vec<f32>,
    accumulate: Vec<f32>,
}

impl Operands {
    fn new(shape: Shape) -> Self {
        let (count, c) = (elements(shape), shape.c);
        Self {
            input: values(count, 1),
            residual: values(count, 2),
            weight: values(c, 3).iter().map(|v| 1.0 + 0.5 * v).collect(),
            bias: values(c, 4),
            running_mean: values(c, 5),
            running_var: values(c, 6).iter().map(|v| 1.5 + v).collect(),
            d_output: values(count, 7),
            accumulate: values(count, 8),
        }
    }
}

fn mean_and_variance(shape: Shape, input: &[f64], c: usize) -> (f64, f64) {
    let channel = || input.chunks(shape.h * shape.w).skip(c).step_by(shape.c).flatten();
    let count = (shape.n * shape.h * shape.w) as f64;
    let mean = channel().sum::<f64>() / count;
    (mean, channel().map(|x| (x - mean).powi(2)).sum::<f64>() / count)
}

/// The definition: `[relu]((x - mean) / sqrt(var + eps) * weight + bias [+ residual])`.
fn definition(case: &Case, o: &Operands, input: &[f64], residual: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let shape = case.shape;
    let statistics: Vec<(f64, f64)> = (0..shape.c)
        .map(|c| match case.statistics {
            Statistics::Batch { .. } => mean_and_variance(shape, input, c),
            Statistics::Running => (f64::from(o.running_mean[c]), f64::from(o.running_var[c])),
        })
        .collect();
    let area = shape.h * shape.w;
    (0..input.len())
        .map(|i| {
            let c = i / area % shape.c;
            let (mean, variance) = statistics[c];
            let y = (input[i] - mean) / (variance + f64::from(EPS)).sqrt() * weight[c] + bias[c];
            let y = if case.residual { y + residual[i] } else { y };
            if case.relu { y.max(0.0) } else { y }
        })
        .collect()
}

/// One forward and one backward pass on the GPU.
struct Run {
    output: Vec<f32>,
    d_input: Option<Vec<f32>>,
    d_output: Vec<f32>,
    d_weight: Vec<f32>,
    d_bias: Vec<f32>,
    running_mean: Vec<f32>,
    running_var: Vec<f32>,
}

fn run(ctx: &Device, case: &Case, o: &Operands, gradients: &[f32]) -> Run {
    let shape = case.shape;
    let [input, residual, d_output, accumulate] =
        [&o.input, &o.residual, &o.d_output, &o.accumulate].map(|v| tensor(ctx, shape, v));
    let [weight, bias, running_mean, running_var] =
        [&o.weight, &o.bias, &o.running_mean, &o.running_var].map(|v| slice(ctx, v));
    let [d_weight, d_bias] = [slice(ctx, gradients), slice(ctx, gradients)];
    let output = garbage(ctx, shape);
    let d_input = case.d_input.then(|| garbage(ctx, shape));
    let saved = Slice::new(ctx, "saved", norm_saved_bytes(shape)).unwrap();
    let scratch = Slice::new(ctx, "scratch", norm_scratch_bytes(ctx, shape)).unwrap();
    let params = NormParams { weight: &weight, bias: &bias, running_mean: &running_mean, running_var: &running_var, eps: EPS };
    let mut recorder = Recorder::new();
    let forward = NormForward {
        label: "bn",
        input: &input,
        params,
        statistics: case.statistics,
        saved: &saved,
        scratch: &scratch,
        residual: case.residual.then_some(&residual),
        relu: case.relu,
        output: &output,
    };
    record_norm_forward(&mut recorder, ctx, &forward).unwrap();
    let backward = NormBackward {
        label: "bn",
        input: &input,
        output: &output,
        d_output: &d_output,
        params,
        statistics: case.statistics,
        saved: &saved,
        scratch: &scratch,
        relu: case.relu,
        d_weight: &d_weight,
        d_bias: &d_bias,
        accumulate: case.accumulate.then_some(&accumulate),
        d_input: d_input.as_ref(),
        d_residual: case.residual,
    };
    record_norm_backward(&mut recorder, ctx, &backward).unwrap();
    recorder.finish(ctx).run(ctx).unwrap();
    let vector = |slice: &Slice| padded_vector(ctx, slice, shape.c);
    Run {
        output: read(ctx, &output),
        d_input: d_input.as_ref().map(|t: &Tensor| read(ctx, t)),
        d_output: read(ctx, &d_output),
        d_weight: vector(&d_weight),
        d_bias: vector(&d_bias),
        running_mean: vector(&running_mean),
        running_var: vector(&running_var),
    }
}

/// Forward, every gradient and the running statistics, in both kernel families.
fn check(case: Case) {
    let o = Operands::new(case.shape);
    let [input, residual, weight, bias] = [&o.input, &o.residual, &o.weight, &o.bias].map(|v| to_f64(v));
    let output = definition(&case, &o, &input, &residual, &weight, &bias);
    let loss = |x: &[f64], r: &[f64], w: &[f64], b: &[f64]| functional(&o.d_output, &definition(&case, &o, x, r, w, b));
    let d_input = gradient(&o.input, |x| loss(x, &residual, &weight, &bias));
    let d_input = if case.accumulate { plus(&d_input, &o.accumulate) } else { d_input };
    let before = values(case.shape.c, 9);
    let d_weight = plus(&gradient(&o.weight, |w| loss(&input, &residual, w, &bias)), &before);
    let d_bias = plus(&gradient(&o.bias, |b| loss(&input, &residual, &weight, b)), &before);
    let d_residual = case.residual.then(|| gradient(&o.residual, |r| loss(&input, r, &weight, &bias)));

    let count = (case.shape.n * case.shape.h * case.shape.w) as f64;
    let (running_mean, running_var): (Vec<f64>, Vec<f64>) = (0..case.shape.c)
        .map(|c| {
            let (mean, variance) = mean_and_variance(case.shape, &input, c);
            let old = (f64::from(o.running_mean[c]), f64::from(o.running_var[c]));
            match case.statistics {
                Statistics::Batch { momentum, unbiased } => {
                    let update = if unbiased { variance * count / (count - 1.0) } else { variance };
                    let m = f64::from(momentum);
                    ((1.0 - m) * old.0 + m * mean, (1.0 - m) * old.1 + m * update)
                }
                Statistics::Running => old,
            }
        })
        .unzip();

    for ctx in contexts() {
        let what = |name: &str| format!("{name} of {case:?} in {:?}", ctx.gpu().unwrap().family());
        let got = run(ctx, &case, &o, &before);
        assert_close(&what("output"), &got.output, &output, TOLERANCE);
        assert_close(&what("running_mean"), &got.running_mean, &running_mean, TOLERANCE);
        assert_close(&what("running_var"), &got.running_var, &running_var, TOLERANCE);
        assert_close(&what("d_weight"), &got.d_weight, &d_weight, TOLERANCE);
        assert_close(&what("d_bias"), &got.d_bias, &d_bias, TOLERANCE);
        match (&got.d_input, case.d_input) {
            (Some(got), true) => assert_close(&what("d_input"), got, &d_input, TOLERANCE),
            (got, wanted) => assert_eq!(got.is_some(), wanted),
        }
        match &d_residual {
            Some(d_residual) => assert_close(&what("d_residual"), &got.d_output, d_residual, TOLERANCE),
            None => assert_eq!(got.d_output, o.d_output, "{} stays as it was", what("d_output")),
        }
    }
}

#[test]
fn batch_statistics() {
    check(case((1, 5, 3, 7), TORCH));
    check(Case { relu: true, ..case((2, 4, 5, 5), KERAS) });
    // More groups of channels than a merging workgroup takes.
    check(Case { accumulate: true, ..case((1, 34, 3, 5), TORCH) });
}

#[test]
fn batch_statistics_over_more_chunks_than_rows_with_residual_and_relu() {
    check(Case { residual: true, relu: true, accumulate: true, ..case((3, 6, 9, 8), TORCH) });
}

#[test]
fn running_statistics() {
    check(Case { relu: true, ..case((2, 3, 5, 7), Statistics::Running) });
    check(Case { residual: true, relu: true, accumulate: true, ..case((1, 10, 9, 4), Statistics::Running) });
    check(Case { residual: true, ..case((1, 2, 1, 1), Statistics::Running) });
}

#[test]
fn parameters_alone() {
    check(Case { relu: true, d_input: false, ..case((2, 7, 3, 3), TORCH) });
    check(Case { relu: true, residual: true, d_input: false, ..case((1, 4, 5, 3), Statistics::Running) });
}

/// Where `E[x^2] - E[x]^2` in f32 has no correct digit left: mean 100, standard deviation 0.06, many chunks. An f32 near 100 is
/// known to 4e-6, so that a whole tensor cannot come out better than about 1e-4.
#[test]
fn a_mean_far_from_zero_costs_no_accuracy() {
    let case = case((2, 3, 75, 83), TORCH);
    let mut o = Operands::new(case.shape);
    o.input.iter_mut().for_each(|x| *x = 100.0 + 0.1 * *x);
    let [input, residual, weight, bias] = [&o.input, &o.residual, &o.weight, &o.bias].map(|v| to_f64(v));
    let output = definition(&case, &o, &input, &residual, &weight, &bias);
    let loss = |x: &[f64], w: &[f64]| functional(&o.d_output, &definition(&case, &o, x, &residual, w, &bias));
    let some = || (0..input.len()).step_by(input.len() / 30);
    let d_input = gradient_at(&o.input, some(), |x| loss(x, &weight));
    let d_weight = gradient(&o.weight, |w| loss(&input, w));
    for ctx in contexts() {
        let got = run(ctx, &case, &o, &[0.0; 3]);
        assert_close("output", &got.output, &output, 5e-4);
        let picked: Vec<f32> = some().map(|i| got.d_input.as_ref().unwrap()[i]).collect();
        assert_close("d_input", &picked, &d_input, 5e-4);
        assert_close("d_weight", &got.d_weight, &d_weight, 5e-4);
        let count = (2 * 75 * 83) as f64;
        let running_var: Vec<f64> = (0..3)
            .map(|c| {
                0.9 * f64::from(o.running_var[c]) + 0.1 * mean_and_variance(case.shape, &input, c).1 * count / (count - 1.0)
            })
            .collect();
        assert_close("running_var", &got.running_var, &running_var, 1e-5);
    }
}

#[test]
fn a_constant_channel_normalises_to_its_bias() {
    let case = case((2, 2, 4, 4), TORCH);
    let mut o = Operands::new(case.shape);
    o.input.fill(3.7);
    for ctx in contexts() {
        let got = run(ctx, &case, &o, &[0.0; 2]);
        let bias: Vec<f64> = (0..elements(case.shape)).map(|i| f64::from(o.bias[i / 16 % 2])).collect();
        assert_close("output", &got.output, &bias, 1e-4);
        assert!(got.d_input.unwrap().iter().all(|v| v.is_finite()));
    }
}

#[test]
fn batch_statistics_of_one_value_are_refused() {
    let ctx = &contexts()[0];
    let shape = Shape::new(1, 4, 1, 1);
    let x = tensor(ctx, shape, &[1.0; 4]);
    let vector = slice(ctx, &[1.0; 4]);
    let saved = Slice::new(ctx, "saved", norm_saved_bytes(shape)).unwrap();
    let call = NormForward {
        label: "layer4.0.bn1",
        input: &x,
        params: NormParams { weight: &vector, bias: &vector, running_mean: &vector, running_var: &vector, eps: EPS },
        statistics: TORCH,
        saved: &saved,
        scratch: &saved,
        residual: None,
        relu: false,
        output: &x,
    };
    let error = record_norm_forward(&mut Recorder::new(), ctx, &call).unwrap_err();
    assert!(matches!(&error, Error::Usage(text) if text.contains("layer4.0.bn1") && text.contains("freeze")), "{error}");
}

#[test]
fn channel_sums() {
    for (n, c, h, w) in [(1, 5, 1, 1), (3, 6, 9, 8), (1, 38, 3, 5), (2, 3, 41, 67)] {
        let shape = Shape::new(n, c, h, w);
        let d_output = values(elements(shape), 1);
        let before = values(c, 2);
        let mut expected = to_f64(&before);
        for (plane, values) in d_output.chunks(h * w).enumerate() {
            expected[plane % c] += values.iter().copied().map(f64::from).sum::<f64>();
        }
        for ctx in contexts() {
            let d_bias = slice(ctx, &before);
            let scratch = Slice::new(ctx, "scratch", channel_sum_scratch_bytes(ctx, shape)).unwrap();
            let mut recorder = Recorder::new();
            record_channel_sum(&mut recorder, ctx, "bias", &tensor(ctx, shape, &d_output), &scratch, &d_bias).unwrap();
            recorder.finish(ctx).run(ctx).unwrap();
            assert_close("d_bias", &padded_vector(ctx, &d_bias, c), &expected, TOLERANCE);
            assert_eq!(vector(ctx, &d_bias).len(), c.next_multiple_of(4));
        }
    }
}
