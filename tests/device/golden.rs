//! Reads `tests/golden/values/*.safetensors` (see `tests/golden/README.md`).

use std::path::Path;

use reslab::device::Shape;
use reslab::model::ResNetSpec;
use safetensors::SafeTensors;

use crate::generator;

/// One net, its input and what the reference says.
pub struct Case {
    /// File stem: `resnet18`, `resnet50v2-slim@odd`.
    pub name: String,
    /// The block table.
    pub spec: ResNetSpec,
    /// The input's shape.
    pub input: Shape,
    /// `(N, classes)`, or `(N, C)` pooled features where the net has no head.
    pub logits: Vec<f32>,
    /// The last stem layer and every stage.
    pub points: Vec<EndPoint>,
}

/// A few figures of one intermediate value.
pub struct EndPoint {
    /// The value's name in our graph.
    pub name: String,
    /// The element at flat NCHW index `j * 2654435761 mod count`, for j = 0, 1, ...
    pub probes: Vec<f32>,
    /// Mean over all elements.
    pub mean: f32,
    /// Largest magnitude.
    pub largest: f32,
}

/// The case stored under `name`.
///
/// # Panics
/// When the file is missing or not as `tests/golden/generate.py` writes it.
pub fn case(name: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/values").join(format!("{name}.safetensors"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors header");
    let metadata = header.metadata().as_ref().expect("metadata");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let floats = |tensor: &str| -> Vec<f32> {
        let data = file.tensor(tensor).unwrap_or_else(|e| panic!("{name}: {tensor}: {e}"));
        data.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let spec = match metadata.get("arch") {
        Some(arch) => ResNetSpec::named(arch).expect("a known architecture"),
        None => serde_json::from_str(&metadata["spec"]).expect("a block table"),
    };
    let [n, c, h, w]: [usize; 4] = serde_json::from_str(&metadata["input"]).expect("a shape");
    let mut points: Vec<EndPoint> = file
        .names()
        .iter()
        .filter_map(|key| key.strip_suffix(".probes"))
        .map(|point| {
            let stats = floats(&format!("{point}.stats"));
            EndPoint { name: point.into(), probes: floats(&format!("{point}.probes")), mean: stats[0], largest: stats[1] }
        })
        .collect();
    points.sort_by_key(|point| (point.name.starts_with("layer"), point.name.clone()));
    Case { name: name.into(), spec, input: Shape::new(n, c, h, w), logits: floats("logits"), points }
}

impl Case {
    /// The input image batch, NCHW.
    pub fn image(&self) -> Vec<f32> {
        let Shape { n, c, h, w } = self.input;
        generator::tensor("input", &[n, c, h, w])
    }

    /// The node whose value the golden `logits` are.
    pub fn result(&self) -> &'static str {
        if self.spec.classes.is_some() { "fc" } else { "avgpool" }
    }

    /// Panics unless `ours` is within `tolerance` times the largest golden magnitude; returns the error in that unit.
    pub fn check_logits(&self, ours: &[f32], tolerance: f32) -> f32 {
        let largest = self.logits.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
        check(&self.name, "logits", ours, &self.logits, largest, tolerance)
    }

    /// The same for one end point, whose value `ours` is in full, in NCHW order.
    pub fn check_point(&self, point: &EndPoint, ours: &[f32], tolerance: f32) -> f32 {
        let probes: Vec<f32> =
            (0..point.probes.len() as u64).map(|j| ours[(j * 2_654_435_761 % ours.len() as u64) as usize]).collect();
        let mean = ours.iter().map(|v| f64::from(*v)).sum::<f64>() / ours.len() as f64;
        let largest = ours.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
        let figures = [mean as f32, largest];
        let a = check(&self.name, &point.name, &probes, &point.probes, point.largest, tolerance);
        let b = check(&self.name, &point.name, &figures, &[point.mean, point.largest], point.largest, tolerance);
        a.max(b)
    }
}

fn check(case: &str, what: &str, ours: &[f32], golden: &[f32], unit: f32, tolerance: f32) -> f32 {
    assert_eq!(ours.len(), golden.len(), "{case}: {what}: another number of elements than the reference");
    let mut worst = 0.0;
    for (i, (a, b)) in ours.iter().zip(golden).enumerate() {
        let error = (a - b).abs() / unit;
        // Written so that NaN fails too.
        assert!(
            error <= tolerance,
            "{case}: {what}[{i}] is {a}, the reference says {b}: {error:e} of {unit}, allowed {tolerance:e}"
        );
        worst = error.max(worst);
    }
    worst
}
