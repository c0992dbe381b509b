//! PyTorch checkpoints: `torch.save`'s zip archive (1.6 and later), the stream of pickles before it, and plain pickles of arrays.
//!
//! | zip entry (below one folder) | holds |
//! | --- | --- |
//! | `data.pkl` | the object, a pickle; storages are persistent ids |
//! | `data/KEY` | a storage's raw elements |
//! | `byteorder` | `little` or `big`; absent means little |
//! | `constants.pkl`, `code/` | a TorchScript program: its object is a module whose attributes are tensors |
//!
//! The old format is five pickles in a row (magic number, protocol version, system info, the object, the storages' keys), then
//! for each key a length in elements (8 bytes) and the raw elements. The tar archive before that is `tar.rs`.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::contents::{Contents, Facts, Stored};
use super::objects::{self, Array, Found, Raw};
use super::zip::Archive;
use super::{Dtype, shown};
use crate::data::element::Element;
use crate::data::pickle::{self, Heap, Tensor, Value};

/// A zip archive that `torch.save` or `torch.jit.save` wrote; `root` is the folder of its `data.pkl`.
pub(super) fn parse_zip<'a>(archive: &'a Archive<'a>, root: &str) -> Result<Contents<'a>, String> {
    if let Some(order) = archive.get(&format!("{root}byteorder"))
        && archive.bytes(order)? != b"little"
    {
        return Err("it was written on a big-endian machine; save it again on a little-endian one".into());
    }
    let pickled = archive.get(&format!("{root}data.pkl")).ok_or("its `data.pkl` is missing")?;
    let (value, heap, _) = pickle::load(archive.bytes(pickled)?)?;
    let root = root.to_string();
    let script = archive.get(&format!("{root}constants.pkl")).is_some();
    let storage = move |key: &str| match archive.get(&format!("{root}data/{key}")) {
        Some(entry) => archive.bytes(entry),
        None => Err(format!("the storage `{}` is missing from the archive", shown(key))),
    };
    let mut contents = listed(heap, value, archive.len(), Box::new(storage))?;
    if script {
        contents.facts.notes.push("it is a TorchScript program: its tensors are read, its code is not run".into());
    }
    Ok(contents)
}

/// A pickle that `torch.save` did not write: a dict of NumPy arrays (Detectron's `.pkl`).
pub(super) fn parse_pickle(bytes: &[u8]) -> Result<Contents<'_>, String> {
    let (value, heap, _) = pickle::load(bytes)?;
    listed(heap, value, bytes.len(), Box::new(|_| Err("a pickle alone holds no storages".into())))
}

/// Finds the storage of a key.
pub(super) type Storages<'a> = Box<dyn Fn(&str) -> Result<&'a [u8], String> + 'a>;

/// Reads a file that `torch.save` wrote before 1.6, or with `_use_new_zipfile_serialization=False`.
pub(super) fn parse_legacy(bytes: &[u8]) -> Result<Contents<'_>, String> {
    let mut rest = bytes;
    let mut header = || {
        let (value, heap, taken) = pickle::load(rest)?;
        rest = &rest[taken..];
        Ok::<_, String>((value, heap))
    };
    header()?; // the magic number, which made this the format
    let (Value::Int(1001), _) = header()? else {
        return Err("its protocol version is not 1001, the only one of torch.save's old format".into());
    };
    if let (Value::Dict(info), heap) = header()?
        && heap.dicts[info].contains(&(Value::Str("little_endian"), Value::Bool(false)))
    {
        return Err("it was written on a big-endian machine; save it again on a little-endian one".into());
    }
    let (value, heap) = header()?;
    let (Value::Sequence(keys), key_heap) = header()? else {
        return Err("the list of its storages is missing".into());
    };

    // The size of a storage's elements stands only where the object names it.
    let sizes: HashMap<&str, usize> =
        heap.storages.iter().map(|storage| (storage.key, storage.element.map_or(1, Element::size))).collect();
    let mut storages: HashMap<String, &[u8]> = HashMap::new();
    for key in &key_heap.sequences[keys] {
        let Value::Str(key) = *key else { return Err("the list of its storages holds something else than names".into()) };
        let Some(&size) = sizes.get(key) else { return Err(format!("its storage `{}` belongs to no tensor", shown(key))) };
        let taken = rest.split_first_chunk().and_then(|(len, data)| {
            let len = usize::try_from(u64::from_le_bytes(*len)).ok()?.checked_mul(size)?;
            data.split_at_checked(len)
        });
        let Some((data, behind)) = taken else {
            return Err(format!("the storage `{}` ends in the middle: the file was cut off", shown(key)));
        };
        storages.insert(key.to_string(), data);
        rest = behind;
    }
    let storage = move |key: &str| storages.get(key).copied().ok_or_else(|| format!("the storage `{}` is missing", shown(key)));
    listed(heap, value, bytes.len(), Box::new(storage))
}

/// The tensors of an object, to be read from its storages.
pub(super) fn listed<'a>(
    heap: Heap<'a>,
    root: Value<'a>,
    limit: usize,
    storages: Storages<'a>,
) -> Result<Contents<'a>, String> {
    let (found, facts) = objects::search(&heap, root);
    if found.is_empty() {
        return Err(match root {
            Value::Tensor(_) => "it holds a single tensor, not a state dict with the tensors of a network".into(),
            _ => nothing(&facts),
        });
    }
    if root_is_tensor(&found) {
        return Err("it holds a single tensor, not a state dict with the tensors of a network".into());
    }
    let mut tensors = IndexMap::new();
    let mut places = Vec::new();
    for (name, found) in found {
        let (shape, element) = match &found {
            Found::Tensor(index) => {
                let tensor = &heap.tensors[*index];
                (tensor.shape.iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect(), tensor.element)
            }
            Found::Array(array) => (array.shape.clone(), array.element),
            Found::Reference(_) => continue,
        };
        tensors.insert(name, Stored::new(shape, element, places.len()));
        places.push(found);
    }
    let source = move |stored: &Stored| {
        let Element::Float(dtype) = stored.element else { return Err("it holds no floating-point numbers".into()) };
        match &places[stored.place] {
            Found::Tensor(index) => view(&heap, &storages, &heap.tensors[*index], dtype),
            Found::Array(array) => array.elements(dtype),
            Found::Reference(_) => Err("it refers to another object".into()),
        }
    };
    let mut contents = Contents::new(tensors, limit, Box::new(source));
    contents.facts = facts;
    Ok(contents)
}

fn root_is_tensor(found: &IndexMap<String, Found<'_>>) -> bool {
    found.len() == 1 && found.contains_key("")
}

fn nothing(facts: &Facts) -> String {
    let keys = if facts.keys.is_empty() { "nothing".into() } else { format!("`{}`", facts.keys.join("`, `")) };
    format!(
        "no tensors were found in it; expected names with tensors, at the top or below names like `state_dict` and `model`; found \
         {keys}"
    )
}

impl Array<'_> {
    /// Its elements row by row.
    pub fn elements(&self, dtype: Dtype) -> Result<Vec<f32>, String> {
        let mut bytes = match self.bytes {
            Raw::Bytes(bytes) => bytes.to_vec(),
            Raw::Latin1(text) => {
                let byte = |c: char| u8::try_from(u32::from(c)).map_err(|_| "its bytes are no bytes");
                text.chars().map(byte).collect::<Result<_, _>>()?
            }
        };
        if self.big_endian {
            bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        let data = dtype.elements(&bytes);
        Ok(if self.fortran { turned(&data, &self.shape) } else { data })
    }
}

/// Elements in which the first axis runs fastest, row by row.
pub(super) fn turned(data: &[f32], shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    if count != data.len() {
        return Vec::new(); // the caller compares lengths
    }
    let mut out = Vec::with_capacity(count);
    let mut index = vec![0; shape.len()];
    for _ in 0..count {
        let mut at = 0;
        for (i, n) in index.iter().zip(shape).rev() {
            at = at * n + i;
        }
        out.push(data[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// The elements of a torch tensor.
fn view<'a>(heap: &Heap<'a>, storages: &Storages<'a>, tensor: &Tensor, dtype: Dtype) -> Result<Vec<f32>, String> {
    let Tensor { offset, shape, strides, .. } = tensor;
    if shape.contains(&0) {
        return Ok(Vec::new());
    }
    let storage = heap.storages[tensor.storage];
    let bytes = storages(storage.key)?;
    // Its part of the storage, then from its first element to after its last.
    let unit = storage.element.map_or(1, Element::size) as u64;
    let part = range(bytes, storage.offset.checked_mul(unit), storage.len.checked_mul(unit));
    part.and_then(|part| strided(part, dtype, *offset, shape, strides)).ok_or_else(|| {
        format!("offset {offset}, shape {shape:?} and strides {strides:?} reach beyond its storage `{}`", shown(storage.key))
    })
}

/// A strided view, row by row; numbers in elements. `None` when it reaches beyond `bytes`.
pub(super) fn strided(bytes: &[u8], dtype: Dtype, offset: u64, shape: &[u64], strides: &[u64]) -> Option<Vec<f32>> {
    let sizes: Vec<usize> = shape.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<_>>()?;
    let count = sizes.iter().try_fold(1usize, |product, &n| product.checked_mul(n))?;
    if count == 0 {
        return Some(Vec::new());
    }
    if strides.len() != shape.len() {
        return None;
    }
    let span = shape.iter().zip(strides).try_fold(1u64, |span, (&n, &stride)| span.checked_add((n - 1).checked_mul(stride)?)); // n >= 1, as count > 0
    let size = dtype.size() as u64;
    let part = range(bytes, offset.checked_mul(size), span.and_then(|n| n.checked_mul(size)))?;
    let contiguous = shape.iter().zip(strides).rev().try_fold(1u64, |expected, (&n, &stride)| {
        (n == 1 || stride == expected).then(|| expected * n) // at most `count`
    });
    if contiguous.is_some() {
        return Some(dtype.elements(part));
    }
    // Counts through the axes like an odometer. `span` was checked, so no position leaves `part`.
    let steps: Vec<usize> = strides.iter().zip(&sizes).map(|(&s, &n)| if n == 1 { 0 } else { s as usize }).collect();
    let mut data = Vec::with_capacity(count);
    let mut index = vec![0; sizes.len()];
    let mut position = 0;
    while data.len() < count {
        data.push(dtype.element(&part[position * dtype.size()..][..dtype.size()]));
        for axis in (0..sizes.len()).rev() {
            index[axis] += 1;
            position += steps[axis];
            if index[axis] < sizes[axis] {
                break;
            }
            position -= index[axis] * steps[axis];
            index[axis] = 0;
        }
    }
    Some(data)
}

/// `bytes[start..start + len]`, if it lies inside.
fn range(bytes: &[u8], start: Option<u64>, len: Option<u64>) -> Option<&[u8]> {
    let start = usize::try_from(start?).ok()?;
    let len = usize::try_from(len?).ok()?;
    bytes.get(start..start.checked_add(len)?)
}
