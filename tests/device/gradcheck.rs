//! How backward passes are proven: a naive forward pass in f64, a random linear functional of its output as the loss, the loss'
//! gradient by central finite differences, and the GPU's gradient held against it.

use std::sync::LazyLock;

use reslab::device::{Device, DeviceKind, DeviceOptions, Family, Precision, Shape, Slice, Tensor};

/// Allowed error of a gradient, relative to the norm of the whole tensor; issue 3 asks for 1e-3.
pub const TOLERANCE: f64 = 2e-5;

static CONTEXTS: LazyLock<[Device; 2]> = LazyLock::new(|| {
    [Family::Gpu, Family::Cpu].map(|family| {
        let options = DeviceOptions { family: Some(family), ..DeviceOptions::software() };
        pollster::block_on(Device::new(options)).expect("a Vulkan, Metal or DX12 adapter")
    })
});

/// One context for each kernel family, on the same adapter.
pub fn contexts() -> &'static [Device; 2] {
    &CONTEXTS
}

static PROCESSOR: LazyLock<Device> =
    LazyLock::new(|| pollster::block_on(Device::new(DeviceOptions::of(DeviceKind::Cpu))).expect("a processor"));

/// What WGSL is compared with where finite differences would cost too much or say too little: its kernels are held against the
/// definitions by the tests of its own crate.
pub fn processor() -> &'static Device {
    &PROCESSOR
}

/// Values in -1..1 that no rounding favours.
pub fn values(count: usize, mut seed: u32) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Values in `N, C, H, W` of the shape.
pub fn elements(shape: Shape) -> usize {
    shape.n * shape.c * shape.h * shape.w
}

pub fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// The linear functional `sum of weights * output`, whose gradient at the output is `weights`.
pub fn functional(weights: &[f32], output: &[f64]) -> f64 {
    assert_eq!(weights.len(), output.len());
    weights.iter().zip(output).map(|(w, y)| f64::from(*w) * y).sum()
}

/// Central differences of `loss` at `x` in the directions `indices`.
pub fn gradient_at(x: &[f32], indices: impl IntoIterator<Item = usize>, loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-6;
    let mut x = to_f64(x);
    let mut differences = Vec::new();
    for i in indices {
        let centre = x[i];
        x[i] = centre + STEP;
        let above = loss(&x);
        x[i] = centre - STEP;
        let below = loss(&x);
        x[i] = centre;
        differences.push((above - below) / (2.0 * STEP));
    }
    differences
}

/// Central differences of `loss` at `x` in every direction.
pub fn gradient(x: &[f32], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    gradient_at(x, 0..x.len(), loss)
}

/// Element by element `a + b`.
pub fn plus(a: &[f64], b: &[f32]) -> Vec<f64> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a + f64::from(*b)).collect()
}

/// Asserts that `got` lies within `tolerance` of `expected`, relative to the norm of `expected`.
pub fn assert_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: number of values");
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut got.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
    let size = norm(&mut expected.iter().copied());
    // Written so that NaN fails.
    assert!(error <= tolerance * size, "{what}: off by {error:e} of a norm of {size:e}");
}

/// Asserts that every value of `got` lies within `tolerance` of the largest of `expected`.
pub fn assert_near(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: number of values");
    let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        assert!((got - expected).abs() <= tolerance * largest, "{what}: value {i} is {got}, not {expected}, of {largest}");
    }
}

/// An f32 tensor of these `(N, C, H, W)` values.
pub fn tensor(ctx: &Device, shape: Shape, values: &[f32]) -> Tensor {
    Tensor::from_nchw(ctx, "test", shape, Precision::F32, values).unwrap()
}

/// A tensor to be written, full of garbage, its padding channels too.
pub fn garbage(ctx: &Device, shape: Shape) -> Tensor {
    let tensor = Tensor::zeros(ctx, "test", shape, Precision::F32).unwrap();
    tensor.slice.write(ctx, bytemuck::cast_slice(&vec![7.0f32; shape.vec4s() * 4]));
    tensor
}

/// The `(N, C, H, W)` values of a tensor; its padding channels are asserted to be zero.
pub fn read(ctx: &Device, tensor: &Tensor) -> Vec<f32> {
    let shape = tensor.shape;
    let raw = vector(ctx, &tensor.slice);
    for pixel in raw[..shape.vec4s() * 4].chunks(shape.c4() * 4) {
        assert!(pixel[shape.c..].iter().all(|v| *v == 0.0), "padding channels of {shape:?} are zero");
    }
    pollster::block_on(tensor.read_nchw(ctx)).unwrap()
}

/// A buffer of f32, padded with zeros to whole fours.
pub fn slice(ctx: &Device, values: &[f32]) -> Slice {
    let mut padded = values.to_vec();
    padded.resize(values.len().next_multiple_of(4), 0.0);
    Slice::with_bytes(ctx, "test", bytemuck::cast_slice(&padded)).unwrap()
}

/// All f32 of a buffer.
pub fn vector(ctx: &Device, slice: &Slice) -> Vec<f32> {
    Precision::F32.decode(&pollster::block_on(slice.read(ctx)).unwrap())
}

/// The first `len` f32 of a buffer; those up to the next four are asserted to be zero.
pub fn padded_vector(ctx: &Device, slice: &Slice, len: usize) -> Vec<f32> {
    let mut all = vector(ctx, slice);
    assert!(all[len..len.next_multiple_of(4)].iter().all(|v| *v == 0.0), "padding of a vector of {len} is zero");
    all.truncate(len);
    all
}
