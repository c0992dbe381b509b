//! Weights outside the GPU: named tensors in torchvision's layout (NCHW, OIHW) and names.
//!
//! [`load`] turns the bytes of a file into a network, whatever the file is called, in four steps, each a home of its own:
//!
//! 1. What the file is (`format`), and what is in it (`contents`): a reader for each container (`safetensors`, `pth` with `data::pickle` and
//!    `objects`, `tar`, `exported`, `npy`, `keras`,
//!    `tensorflow`) lists names, shapes and types before a number is read.
//! 2. Which of that is the network (`select`): a prefix, a dialect of names (`dialects`), a classifier (`head`). What is none of ours
//!    is refused by its right name (`relatives`).
//! 3. Which network that is: a table off the shapes (`shapes`), published nets by name and `config.json` (`known`), and what nobody
//!    tells (`assume`).
//! 4. Every tensor checked against the table ([`detect`]).
//!
//! [`safetensors::write`] and [`onnx::write`] are the ways out. Nothing here touches a file system or a network, so it all runs in the
//! browser too.
//!
//! Files are untrusted. A reader never runs code from a file, never follows a number in it without a check, and never
//! allocates more than a small multiple of the file's own size.

use indexmap::IndexMap;

use self::detect::Detected;
use crate::data::text::shown;
use crate::split::in_part;
use crate::{Error, Result};

mod assume;
mod contents;
pub mod deploy;
pub mod detect;
mod dialects;
pub mod eight;
mod exported;
mod flatbuffer;
mod format;
mod head;
pub mod hub;
mod inspect;
mod keras;
mod keras_layers;
mod known;
mod npy;
mod objects;
pub mod onnx;
mod onnx_preact;
mod onnx_read;
mod open;
mod protobuf;
mod pth;
mod quantise;
mod relatives;
pub mod safetensors;
mod select;
mod shapes;
mod table;
mod tar;
mod tensorflow;
pub mod tfjs;
mod tfjs_read;
pub mod tflite;
mod tflite_read;
mod zip;

pub use crate::data::element::Dtype;
pub use assume::Choices;
pub use format::FileFormat;
pub use inspect::{Inspection, LayerInfo, inspect};
pub use open::{Files, PIXELS_TAKEN, companions, is_part, load};
pub use tensorflow::{index_name as checkpoint_index, latest as latest_checkpoint};

/// What the names of tensors begin with that only a training run wants which goes on: optimizer state, the latest weights
/// where others were better. [`detect`](detect::detect) passes over them.
pub const RESUME_PREFIX: &str = "resume.";

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
        get(&self.tensors, name, shape)
    }

    /// Takes away prefixes that wrappers put in front of every name: `DataParallel`'s `module.`, `torch.compile`'s
    /// `_orig_mod.`, a training script's `model.`.
    fn strip_prefixes(&mut self) {
        const WRAPPERS: &[&str] = &["module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "resnet.", "encoder."];
        while let Some((first, _)) = self.tensors.first() {
            let Some(prefix) = WRAPPERS.iter().find(|prefix| first.starts_with(**prefix)) else { return };
            if !self.tensors.keys().all(|name| name.starts_with(prefix)) {
                return;
            }
            // Names stay distinct: all of them lose the same beginning.
            self.tensors = std::mem::take(&mut self.tensors)
                .into_iter()
                .map(|(name, tensor)| (name[prefix.len()..].to_string(), tensor))
                .collect();
        }
    }
}

/// The tensor `name` of `tensors` if it has `shape`; otherwise an error naming both shapes.
pub fn get<'a>(tensors: &'a IndexMap<String, HostTensor>, name: &str, shape: &[usize]) -> Result<&'a HostTensor> {
    let mismatch =
        |found: String| Error::TensorMismatch { tensor: shown(name), expected: format!("a tensor of shape {shape:?}"), found };
    let tensor = tensors.get(name).ok_or_else(|| mismatch("no tensor of that name".into()))?;
    if tensor.shape != shape {
        return Err(mismatch(format!("shape {:?}", tensor.shape)));
    }
    Ok(tensor)
}

/// Reads every tensor of a checkpoint: safetensors, PyTorch's files in any of their formats, NumPy arrays.
///
/// What the file is follows from its first bytes; `file_name` only appears in errors. Tensors of f32, f16, bf16 and f64 come
/// out as f32, whole-number tensors (BN's `num_batches_tracked`) are left out, and wrappers' prefixes are taken off the names. What
/// belongs to a network, and to which, is [`load`]'s to find out.
///
/// # Errors
/// [`Error::WeightsFile`] saying what the file is instead, or what is wrong with it.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<StateDict> {
    open::read(file_name, bytes)
}

/// [`read`] for safetensors alone, whose code is small.
///
/// # Errors
/// Those of [`read`].
pub fn read_safetensors(file_name: &str, bytes: &[u8]) -> Result<StateDict> {
    open::read_safetensors(file_name, bytes)
}

/// [`load`] where the page's first part is to know our own safetensors files alone: what reads others comes [later](crate::split).
///
/// # Errors
/// Those of [`load`].
pub async fn load_any(files: Files<'_>, choices: &Choices) -> Result<Detected> {
    if choices.is_empty()
        && let Ok(FileFormat::Safetensors) = format::sniff(files.bytes)
        && let Some(found) = open::own(&files)?
    {
        return Ok(found);
    }
    match format::sniff(files.bytes) {
        Ok(FileFormat::Keras | FileFormat::KerasH5) => load_keras(files, choices).await,
        _ => match load_other(files, choices).await? {
            Some(found) => Ok(found),
            None => load_keras(files, choices).await,
        },
    }
}

in_part! { files:
    /// `None` for what turns out to hold HDF5: a `.keras` file is an archive, as PyTorch's are.
    fn load_other(files: Files<'_>, choices: &Choices) -> Result<Option<Detected>> {
        match open::load_with(&files, choices, open::no_hdf5) {
            Ok((found, _)) => Ok(Some(found)),
            Err(Error::WeightsFile { reason, .. }) if reason.contains(open::HDF5_INSIDE) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

in_part! { keras:
    fn load_keras(files: Files<'_>, choices: &Choices) -> Result<Detected> {
        load(&files, choices).map(|(found, _)| found)
    }
}

#[cfg(test)]
mod forms_tests;
#[cfg(test)]
mod tests;
