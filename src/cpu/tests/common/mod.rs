//! Random values, layouts, and an executor with buffers that are filled and read as values.
#![allow(dead_code)] // each test file uses its part

use reslab_cpu::{Executor, Shape, Span, Step};

/// Even between -1 and 1, from a seed.
pub fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// From `(N, C, H, W)` to memory.
pub fn to_memory(values: &[f32], shape: Shape) -> Vec<f32> {
    let (pixels, c, stride) = ((shape.h * shape.w) as usize, shape.c as usize, shape.channels());
    let mut out = vec![0.0; shape.len()];
    for (i, value) in values.iter().enumerate() {
        let (n, channel, pixel) = (i / pixels / c, i / pixels % c, i % pixels);
        out[(n * pixels + pixel) * stride + channel] = *value;
    }
    out
}

/// From memory to `(N, C, H, W)`; padding channels must be zero.
pub fn from_memory(values: &[f32], shape: Shape) -> Vec<f32> {
    let (pixels, c, stride) = ((shape.h * shape.w) as usize, shape.c as usize, shape.channels());
    let mut out = vec![0.0; shape.n as usize * c * pixels];
    for (i, value) in values.iter().enumerate() {
        let (n, pixel, channel) = (i / stride / pixels, i / stride % pixels, i % stride);
        if channel < c {
            out[(n * c + channel) * pixels + pixel] = *value;
        } else {
            assert_eq!(*value, 0.0, "padding channel {channel} of {shape:?}");
        }
    }
    out
}

pub fn count(shape: Shape) -> usize {
    shape.pixels() * shape.c as usize
}

/// An executor, and the number of its next buffer.
pub struct Machine(pub Executor, u32);

impl Machine {
    pub fn new(threads: usize) -> Self {
        Self(Executor::new(threads).unwrap(), 0)
    }

    /// A buffer with these values.
    pub fn values(&mut self, values: &[f32]) -> Span {
        self.bytes(bytemuck::cast_slice(values))
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Span {
        let len = (bytes.len() as u64).next_multiple_of(4);
        self.0.alloc(self.1, len).unwrap();
        let span = Span { buffer: self.1, offset: 0, bytes: len };
        self.1 += 1;
        self.0.write(span.buffer, 0, bytes).unwrap();
        span
    }

    /// A buffer of values that a kernel has to overwrite.
    pub fn garbage(&mut self, len: usize) -> Span {
        self.values(&vec![1e9; len])
    }

    /// An activation from `(N, C, H, W)`.
    pub fn tensor(&mut self, values: &[f32], shape: Shape) -> Span {
        self.values(&to_memory(values, shape))
    }

    pub fn set(&mut self, span: Span, values: &[f32]) {
        self.0.write(span.buffer, span.offset, bytemuck::cast_slice(values)).unwrap();
    }

    pub fn read(&self, span: Span) -> Vec<f32> {
        bytemuck::pod_collect_to_vec(&self.0.read(span.buffer, span.offset, span.bytes).unwrap())
    }

    pub fn read_tensor(&self, span: Span, shape: Shape) -> Vec<f32> {
        from_memory(&self.read(span)[..shape.len()], shape)
    }

    pub fn run(&mut self, steps: &[Step]) {
        self.0.run(steps).unwrap();
    }
}

/// Values equal to `tolerance` of the largest.
#[track_caller]
pub fn assert_near(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3, |most: f64, v| most.max(v.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() <= tolerance * largest, "{what}: value {i} is {a}, expected {b}");
    }
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// `gradient` is that of `sum(weights * output)` by the values in `at`, by central differences of `eps` at a few places.
#[allow(clippy::too_many_arguments)] // a derivative has this many parts
#[track_caller]
pub fn assert_gradient(
    what: &str,
    machine: &mut Machine,
    forward: &[Step],
    at: Span,
    output: Span,
    weights: &[f32],
    gradient: &[f32],
    eps: f32,
    tolerance: f64,
) {
    let start = machine.read(at);
    let mut loss = |values: &[f32]| -> f64 {
        machine.set(at, values);
        machine.run(forward);
        machine.read(output).iter().zip(weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let largest = gradient.iter().fold(1e-3f64, |most, v| most.max(f64::from(v.abs())));
    let here = loss(&start);
    let (mut checked, mut kinks) = (0, 0);
    for i in (0..start.len()).step_by(start.len().div_ceil(60)) {
        // Padding values are nobody's.
        if start[i] == 0.0 {
            continue;
        }
        let mut moved = start.clone();
        moved[i] = start[i] + eps;
        let above = loss(&moved);
        moved[i] = start[i] - eps;
        let below = loss(&moved);
        let expected = (above - below) / (2.0 * f64::from(eps));
        // A ReLU between the two has another slope on either side.
        if (above + below - 2.0 * here).abs() / f64::from(eps) > tolerance * largest {
            kinks += 1;
            continue;
        }
        let found = f64::from(gradient[i]);
        assert!((found - expected).abs() <= tolerance * largest, "{what}: gradient {i} is {found}, differences say {expected}");
        checked += 1;
    }
    assert!(checked > 0 && kinks <= 1 + checked / 2, "{what}: {checked} checked, {kinks} kinks");
    machine.set(at, &start);
    machine.run(forward);
}
