//! safetensors in and out: a header length (8 bytes, little-endian), a JSON header, raw little-endian tensors.
//!
//! <https://huggingface.co/docs/safetensors>; reading is the `safetensors` crate's, which checks that offsets cover the file
//! exactly and never overlap.

use ::safetensors::tensor::{Dtype as FileDtype, SafeTensorError, SafeTensors};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::contents::{Contents, Stored};
use super::{Dtype, HostTensor, StateDict};
use crate::data::element::Element;
use crate::sorting;
use crate::{Error, Result};

/// Tensors and metadata of a file, or of one in several parts.
pub(super) fn list<'a>(parts: &[&'a [u8]]) -> Result<Contents<'a>, String> {
    let mut tensors = IndexMap::new();
    let mut metadata = IndexMap::new();
    let mut places: Vec<&'a [u8]> = Vec::new();
    for bytes in parts {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| explain(&error, bytes))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| explain(&error, bytes))?;
        if let Some(found) = header.metadata() {
            metadata.extend(found.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let mut in_file = file.tensors();
        // The crate has them in any order. Those of no bytes lie where the next one begins.
        sorting::sort_by(&mut in_file, |(a, one), (b, other)| {
            one.data().as_ptr().cmp(&other.data().as_ptr()).then(one.data().len().cmp(&other.data().len())).then(a.cmp(b))
        });
        for (name, tensor) in in_file {
            tensors.insert(name, Stored::new(tensor.shape().to_vec(), element(tensor.dtype()), places.len()));
            places.push(tensor.data());
        }
    }
    sorting::sort_keys(&mut metadata); // the crate hands out a hash map
    let limit = parts.iter().map(|part| part.len()).sum();
    let source = move |stored: &Stored| match stored.element {
        Element::Float(dtype) => Ok(dtype.elements(places[stored.place])),
        _ => Err("it holds no floating-point numbers".into()),
    };
    let mut contents = Contents::new(tensors, limit, Box::new(source));
    contents.metadata = metadata;
    Ok(contents)
}

fn element(dtype: FileDtype) -> Element {
    match dtype {
        FileDtype::F32 => Element::Float(Dtype::F32),
        FileDtype::F16 => Element::Float(Dtype::F16),
        FileDtype::BF16 => Element::Float(Dtype::BF16),
        FileDtype::F64 => Element::Float(Dtype::F64),
        FileDtype::BOOL | FileDtype::U8 | FileDtype::I8 => Element::Integer(1),
        FileDtype::U16 | FileDtype::I16 => Element::Integer(2),
        FileDtype::U32 | FileDtype::I32 => Element::Integer(4),
        FileDtype::U64 | FileDtype::I64 => Element::Integer(8),
        FileDtype::F8_E4M3 => Element::Unsupported("F8_E4M3", 1),
        FileDtype::F8_E5M2 => Element::Unsupported("F8_E5M2", 1),
        FileDtype::C64 => Element::Unsupported("C64", 8),
        _ => Element::Unsupported("a kind that is not known here (F4, F6, F8)", 1),
    }
}

/// The crate's errors in words for the person with the file.
fn explain(error: &SafeTensorError, bytes: &[u8]) -> String {
    let claimed = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    match (error, claimed) {
        (SafeTensorError::HeaderTooLarge | SafeTensorError::InvalidHeaderLength, Some(claimed)) => format!(
            "its header claims {claimed} bytes, but the whole file has {}: it is cut off or not safetensors at all",
            bytes.len()
        ),
        (SafeTensorError::MetadataIncompleteBuffer, _) => format!(
            "its {} bytes are not what its header describes: the download or copy was cut off, or the file was changed",
            bytes.len()
        ),
        (SafeTensorError::ValidationOverflow, _) => "the shape of one of its tensors is larger than the file can be".into(),
        _ => format!("its header is damaged: {error}"),
    }
}

/// Writes f32 or f16 tensors in the order of `state`, with its metadata; `format: pt` is added, as other tools expect it.
///
/// # Errors
/// [`Error::TensorMismatch`] when a finite value is too large for f16; [`Error::Usage`] for another `dtype`.
pub fn write(state: &StateDict, dtype: Dtype) -> Result<Vec<u8>> {
    let tensors: Vec<(&str, &HostTensor)> = state.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    write_parts(&state.metadata, &[], &tensors, dtype)
}

/// As [`write`], of tensors from several places, behind `scalars`: int64 tensors of shape `[]`, as PyTorch keeps counters.
pub(crate) fn write_parts(
    metadata: &IndexMap<String, String>,
    scalars: &[(String, i64)],
    tensors: &[(&str, &HostTensor)],
    dtype: Dtype,
) -> Result<Vec<u8>> {
    let mut bytes = write_head(metadata, scalars, tensors, dtype)?;
    for (name, tensor) in tensors {
        write_values(&mut bytes, name, &tensor.data, dtype)?;
    }
    Ok(bytes)
}

/// The file up to the first tensor: its header and the scalars. The tensors' [values](write_values) follow in order.
pub(crate) fn write_head(
    metadata: &IndexMap<String, String>,
    scalars: &[(String, i64)],
    tensors: &[(&str, &HostTensor)],
    dtype: Dtype,
) -> Result<Vec<u8>> {
    let name_in_file = match dtype {
        Dtype::F32 => "F32",
        Dtype::F16 => "F16",
        _ => return Err(Error::Usage(format!("weights are saved as f32 or f16, not {}", dtype.name()))),
    };
    let mut entries = Map::from_iter([("format".to_string(), Value::from("pt"))]);
    entries.extend(metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
    let mut header = Map::from_iter([("__metadata__".to_string(), Value::from(entries))]);
    let mut end = 0;
    let mut entry = |name: &str, kind: &str, shape: &[usize], bytes: usize| {
        let start = end;
        end += bytes;
        header.insert(name.into(), json!({ "dtype": kind, "shape": shape, "data_offsets": [start, end] }));
    };
    // The widest elements come first, so that everything is aligned.
    for (name, _) in scalars {
        entry(name, "I64", &[], size_of::<i64>());
    }
    for (name, tensor) in tensors {
        entry(name, name_in_file, &tensor.shape, tensor.data.len() * dtype.size());
    }
    let mut header = Value::from(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' '); // keeps the tensors aligned
    let mut bytes = Vec::with_capacity(8 + header.len() + scalars.len() * size_of::<i64>());
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for (_, value) in scalars {
        bytes.extend(value.to_le_bytes());
    }
    Ok(bytes)
}

/// Appends a tensor's values.
pub(crate) fn write_values(bytes: &mut Vec<u8>, name: &str, values: &[f32], dtype: Dtype) -> Result<()> {
    bytes.reserve(values.len() * dtype.size());
    for &value in values {
        if dtype == Dtype::F32 {
            bytes.extend(value.to_le_bytes());
            continue;
        }
        let short = half::f16::from_f32(value);
        if value.is_finite() && !short.is_finite() {
            return Err(Error::TensorMismatch {
                tensor: name.into(),
                expected: "values up to 65504, the largest f16".into(),
                found: format!("{value}; save as f32 instead"),
            });
        }
        bytes.extend(short.to_le_bytes());
    }
    Ok(())
}
