//! Types of numbers in files.

use serde::{Deserialize, Serialize};

/// Element type a tensor had in its file; in memory every tensor is f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE 754 single.
    F32,
    /// IEEE 754 half.
    F16,
    /// The upper half of a single.
    BF16,
    /// IEEE 754 double.
    F64,
}

impl Dtype {
    /// Bytes an element takes in a file.
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// `f32`, `f16`, `bf16`, `f64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::F64 => "f64",
        }
    }

    /// One little-endian element; `bytes` must hold [`Dtype::size`] of them.
    pub(crate) fn element(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Self::F16, &[a, b]) => half::f16::from_le_bytes([a, b]).to_f32(),
            (Self::BF16, &[a, b]) => half::bf16::from_le_bytes([a, b]).to_f32(),
            (Self::F64, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
            _ => unreachable!("callers cut elements of exactly {} bytes", self.size()),
        }
    }

    /// Little-endian elements in order; a rest shorter than an element is left out.
    pub(crate) fn elements(self, bytes: &[u8]) -> Vec<f32> {
        let bytes = &bytes[..bytes.len() - bytes.len() % self.size()];
        if self == Self::F32 && cfg!(target_endian = "little") {
            return bytemuck::pod_collect_to_vec(bytes); // a plain copy: most files are f32, and they are large
        }
        bytes.chunks_exact(self.size()).map(|element| self.element(element)).collect()
    }
}

/// What elements a storage has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Element {
    /// Floating-point numbers that can be read.
    Float(Dtype),
    /// Whole numbers or booleans of this many bytes: counters, which nobody needs for inference.
    Integer(usize),
    /// Anything else, by its name and bytes.
    Unsupported(&'static str, usize),
}

impl Element {
    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Float(dtype) => dtype.size(),
            Self::Integer(size) | Self::Unsupported(_, size) => size,
        }
    }
}

/// The letters of a NumPy type (`f4`, `i8`, `?`), without its byte order.
pub(crate) fn numpy_element(letters: &str) -> Option<Element> {
    Some(match letters {
        "f4" => Element::Float(Dtype::F32),
        "f2" => Element::Float(Dtype::F16),
        "f8" => Element::Float(Dtype::F64),
        "b1" | "?" | "i1" | "u1" => Element::Integer(1),
        "i2" | "u2" => Element::Integer(2),
        "i4" | "u4" => Element::Integer(4),
        "i8" | "u8" => Element::Integer(8),
        "c8" => Element::Unsupported("complex64", 8),
        "c16" => Element::Unsupported("complex128", 16),
        _ => return None,
    })
}
