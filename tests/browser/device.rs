//! The GPU layer in the browser: headless Chromium, through `cargo xtask test wasm`.
//!
//! Natively the operations are tested in depth; these make sure that the same code works on a browser's WebGPU, where every
//! wait is a promise and the device has other limits.

use reslab::{
    Error,
    device::{Device, DeviceOptions, Precision, Recorder, Shape, Tensor},
    ops::{SHADERS, record_add, record_relu, record_softmax},
};
use wasm_bindgen_test::wasm_bindgen_test;

async fn context() -> Device {
    let options = DeviceOptions::software();
    Device::new(options).await.expect("no WebGPU: Chromium needs the flags of webdriver.json and a Vulkan driver")
}

#[wasm_bindgen_test]
async fn a_recording_of_two_kernels_runs_and_runs_again() {
    let ctx = context().await;
    // Five channels: the last group of four is padded.
    let shape = Shape::new(2, 5, 3, 2);
    let values: Vec<f32> = (0..60).map(|i| i as f32 - 30.0).collect();
    let a = Tensor::from_nchw(&ctx, "a", shape, Precision::F32, &values).unwrap();
    let sum = Tensor::zeros(&ctx, "sum", shape, Precision::F32).unwrap();
    let out = Tensor::zeros(&ctx, "out", shape, Precision::F32).unwrap();
    let mut recorder = Recorder::new();
    record_add(&mut recorder, &ctx, "add", &a, &a, false, &sum).unwrap();
    record_relu(&mut recorder, &ctx, "relu", &sum, &out).unwrap();
    let recording = recorder.finish(&ctx);
    assert_eq!(recording.dispatches(), 2);

    recording.run(&ctx).unwrap();
    let expected: Vec<f32> = values.iter().map(|v| (2.0 * v).max(0.0)).collect();
    assert_eq!(out.read_nchw(&ctx).await.unwrap(), expected);

    // The same recording over new input.
    let negated: Vec<f32> = values.iter().map(|v| -v).collect();
    a.write_nchw(&ctx, &negated);
    recording.run(&ctx).unwrap();
    let expected: Vec<f32> = negated.iter().map(|v| (2.0 * v).max(0.0)).collect();
    assert_eq!(out.read_nchw(&ctx).await.unwrap(), expected);
}

#[wasm_bindgen_test]
async fn softmax_sums_to_one_and_keeps_the_order() {
    let ctx = context().await;
    let shape = Shape::new(1, 10, 1, 1);
    let logits: Vec<f32> = (0..10).map(|i| (i as f32 * 1.7).sin() * 20.0).collect();
    let input = Tensor::from_nchw(&ctx, "logits", shape, Precision::F32, &logits).unwrap();
    let output = Tensor::zeros(&ctx, "probabilities", shape, Precision::F32).unwrap();
    let mut recorder = Recorder::new();
    record_softmax(&mut recorder, &ctx, "softmax", &input, &output).unwrap();
    recorder.finish(&ctx).run(&ctx).unwrap();
    let got = output.read_nchw(&ctx).await.unwrap();

    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f32 = logits.iter().map(|v| (v - max).exp()).sum();
    for (got, logit) in got.iter().zip(&logits) {
        assert!((got - (logit - max).exp() / sum).abs() < 1e-5, "{got} for the logit {logit}");
    }
}

/// Natively naga compiles, which takes what the language and a browser do not, such as `a ^ b * c`. The kernels that only graphics cards
/// get are run by no other test here.
#[wasm_bindgen_test]
async fn the_browser_takes_the_kernels_of_graphics_cards() {
    let ctx = context().await;
    let gpu = ctx.gpu().expect("a software adapter is behind WebGPU");
    for shader in SHADERS.iter().filter(|shader| !shader.sizes.is_empty()) {
        gpu.kernel(*shader, Precision::F32, &[]);
    }
    // What was wrong is told by the time that something is read.
    let tensor = Tensor::zeros(&ctx, "tensor", Shape::new(1, 4, 1, 1), Precision::F32).unwrap();
    tensor.read_nchw(&ctx).await.unwrap();
    gpu.check().unwrap();
}

#[wasm_bindgen_test]
async fn a_lost_device_is_an_error_that_says_so() {
    let ctx = context().await;
    let shape = Shape::new(1, 4, 1, 1);
    let tensor = Tensor::zeros(&ctx, "tensor", shape, Precision::F32).unwrap();
    ctx.destroy();
    assert!(matches!(tensor.read_nchw(&ctx).await, Err(Error::DeviceLost(_))));
}

#[wasm_bindgen_test]
async fn a_buffer_over_the_limit_is_refused_with_its_numbers() {
    let ctx = Device::new(DeviceOptions { default_limits: true, ..DeviceOptions::software() }).await.unwrap();
    // WebGPU's default: 128 MiB a binding.
    assert_eq!(ctx.limits().storage_binding_bytes, 128 << 20);
    let shape = Shape::new(1, 64, 1024, 1024);
    let error = Tensor::zeros(&ctx, "activation", shape, Precision::F32).unwrap_err();
    let Error::Limit { needed, limit, .. } = error else { panic!("{error}") };
    assert_eq!((needed, limit), (256 << 20, 128 << 20));
}
