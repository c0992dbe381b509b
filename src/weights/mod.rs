//! Weights outside the GPU: named tensors in torchvision's layout (NCHW, OIHW) and names.

use indexmap::IndexMap;

use crate::{Error, Result};

/// Element type a tensor had in its file; in memory every tensor is f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// A tensor on the CPU, row-major in torch's axis order.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Sizes, outermost first: `[out, in, kernel_h, kernel_w]` for a convolution.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` values.
    pub data: Vec<f32>,
    /// Element type in the file it came from.
    pub dtype: Dtype,
}

impl HostTensor {
    /// A tensor of f32 values; `data.len()` must be the product of `shape`.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "tensor of shape {shape:?} got {} values", data.len());
        Self { shape, data, dtype: Dtype::F32 }
    }
}

/// All tensors of a checkpoint by name, in file order, with the file's string metadata.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateDict {
    /// Tensors by their name in torchvision's style, e.g. `layer1.0.conv1.weight`.
    pub tensors: IndexMap<String, HostTensor>,
    /// safetensors `__metadata__`; empty for other formats.
    pub metadata: IndexMap<String, String>,
}

impl StateDict {
    /// The tensor `name` if it has `shape`; otherwise an error naming both shapes.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&HostTensor> {
        let mismatch = |found: String| Error::TensorMismatch {
            tensor: name.into(),
            expected: format!("a tensor of shape {shape:?}"),
            found,
        };
        let tensor = self.tensors.get(name).ok_or_else(|| mismatch("no tensor of that name".into()))?;
        if tensor.shape != shape {
            return Err(mismatch(format!("shape {:?}", tensor.shape)));
        }
        Ok(tensor)
    }
}
