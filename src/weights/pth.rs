//! PyTorch checkpoints: `torch.save`'s zip archive (1.6 and later) and the stream of pickles before it.
//!
//! | zip entry (below one folder) | holds |
//! | --- | --- |
//! | `data.pkl` | the object, a pickle; storages are persistent ids |
//! | `data/KEY` | a storage's raw elements |
//! | `byteorder` | `little` or `big`; absent means little |
//!
//! The old format is five pickles in a row (magic number, protocol version, system info, the object, the storages' keys), then
//! for each key a length in elements (8 bytes) and the raw elements.

use std::collections::{HashMap, HashSet};

use super::pickle::{self, Element, Heap, Tensor, Value};
use super::zip::{self, Entry};
use super::{Dtype, HostTensor, StateDict, shown};

/// Reads a zip archive that `torch.save` wrote.
pub(super) fn parse_zip(bytes: &[u8]) -> Result<StateDict, String> {
    let entries = zip::entries(bytes)?;
    let Some((root, pickled)) = entries
        .iter()
        .filter_map(|(name, entry)| Some((name.strip_suffix("data.pkl")?, entry)))
        .filter(|(root, _)| root.is_empty() || root.ends_with('/'))
        .min_by_key(|(root, _)| root.len())
    else {
        return Err(foreign_zip(&entries));
    };
    if entries.contains_key(&format!("{root}constants.pkl")) {
        return Err("it is a TorchScript program. Only tensors are read, code is never run; \
                    save the weights with `torch.save(model.state_dict(), ...)`"
            .into());
    }
    if let Some(order) = entries.get(&format!("{root}byteorder"))
        && order.bytes(bytes)? != b"little"
    {
        return Err("it was written on a big-endian machine; save it again on a little-endian one".into());
    }
    let (value, heap, _) = pickle::load(pickled.bytes(bytes)?)?;
    let storage = |key: &str| match entries.get(&format!("{root}data/{key}")) {
        Some(entry) => entry.bytes(bytes),
        None => Err(format!("the storage `{}` is missing from the archive", shown(key))),
    };
    Reader { heap: &heap, storage: &storage, budget: bytes.len() }.state_dict(value)
}

/// What a zip archive without `data.pkl` seems to be.
fn foreign_zip(entries: &HashMap<String, Entry>) -> String {
    let has = |suffix: &str| entries.keys().any(|name| name.ends_with(suffix));
    let what = if has("model.weights.h5") {
        "a Keras model (.keras)"
    } else if has(".npy") {
        "a NumPy archive (.npz)"
    } else if has(".pth") || has(".pt") || has(".safetensors") {
        return "it is a zip archive around a weights file; unpack it and choose the file inside".into();
    } else {
        "a zip archive without `data.pkl`"
    };
    format!(
        "it is {what}, not a PyTorch checkpoint; save the weights as safetensors, or with `torch.save(model.state_dict(), ...)`"
    )
}

/// Reads a file that `torch.save` wrote before 1.6, or with `_use_new_zipfile_serialization=False`.
pub(super) fn parse_legacy(bytes: &[u8]) -> Result<StateDict, String> {
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
    let mut storages: HashMap<&str, &[u8]> = HashMap::new();
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
        storages.insert(key, data);
        rest = behind;
    }
    let storage = |key: &str| storages.get(key).copied().ok_or_else(|| format!("the storage `{}` is missing", shown(key)));
    Reader { heap: &heap, storage: &storage, budget: bytes.len() }.state_dict(value)
}

/// Finds the state dict in the object of a checkpoint and reads its tensors.
struct Reader<'a> {
    heap: &'a Heap<'a>,
    storage: &'a dyn Fn(&str) -> Result<&'a [u8], String>,
    /// Elements that may still be made. Every element of an honest file takes two bytes or more, so as many elements as the
    /// file has bytes are enough; views that repeat a storage over and over run out.
    budget: usize,
}

/// Where training scripts keep the weights; the first that holds tensors is taken.
const CONTAINERS: &[&str] = &[
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "module",
    "state_dict_ema",
    "model_ema",
];

/// How deep containers may stand inside each other.
const MAX_DEPTH: usize = 8;

impl<'a> Reader<'a> {
    fn state_dict(mut self, root: Value<'a>) -> Result<StateDict, String> {
        let Value::Dict(root) = root else {
            return Err(match root {
                Value::Tensor(_) => "it holds a single tensor, not a state dict with the tensors of a network".into(),
                _ => "it holds no state dict (names with tensors)".to_string(),
            });
        };
        let Some(dict) = self.find(root, 0, &mut HashSet::new()) else {
            let keys: Vec<String> = self.entries(root).map(|(key, _)| shown(key)).take(8).collect();
            return Err(format!(
                "no tensors were found in it; expected names with tensors, at the top or below `{}`; found {}",
                CONTAINERS[..4].join("`, `"),
                if keys.is_empty() { "nothing".into() } else { format!("`{}`", keys.join("`, `")) }
            ));
        };
        let mut state = StateDict::default();
        for (name, value) in self.entries(dict).collect::<Vec<_>>() {
            let Value::Tensor(index) = value else { continue };
            let tensor = &self.heap.tensors[index];
            match tensor.element {
                Element::Integer(_) => {}
                Element::Unsupported(kind, _) => {
                    return Err(format!(
                        "tensor `{}` has elements of type {kind}; f32, f16, bf16 and f64 can be read",
                        shown(name)
                    ));
                }
                Element::Float(dtype) => {
                    let tensor = self.read(tensor, dtype).map_err(|reason| format!("tensor `{}`: {reason}", shown(name)))?;
                    state.tensors.insert(name.to_string(), tensor);
                }
            }
        }
        Ok(state)
    }

    /// A dict's entries with names, the last of each name.
    fn entries(&self, dict: usize) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let items = &self.heap.dicts[dict];
        let mut seen = HashSet::new();
        let mut last: Vec<_> = items
            .iter()
            .rev()
            .filter_map(|&(key, value)| if let Value::Str(key) = key { Some((key, value)) } else { None })
            .filter(|(key, _)| seen.insert(*key))
            .collect();
        last.reverse();
        last.into_iter()
    }

    /// The dict with the network's tensors: below a known name, or the dict itself, or the only one below another name.
    /// Every dict is looked at once, so dicts that refer to each other cost nothing.
    fn find(&self, dict: usize, depth: usize, seen: &mut HashSet<usize>) -> Option<usize> {
        if depth > MAX_DEPTH || !seen.insert(dict) {
            return None;
        }
        let entries: Vec<_> = self.entries(dict).collect();
        let mut below = |name: &str, value: Value<'a>| match value {
            Value::Dict(inner) if !name.contains("optim") && !name.contains("sched") => self.find(inner, depth + 1, seen),
            _ => None,
        };
        for container in CONTAINERS {
            if let Some(&(name, value)) = entries.iter().find(|(name, _)| name == container)
                && let Some(found) = below(name, value)
            {
                return Some(found);
            }
        }
        if entries.iter().any(|(_, value)| matches!(value, Value::Tensor(_))) {
            return Some(dict);
        }
        let mut others = entries.iter().filter_map(|&(name, value)| below(name, value));
        let first = others.next()?;
        others.next().is_none().then_some(first)
    }

    /// A tensor's elements in row-major order.
    fn read(&mut self, tensor: &Tensor, dtype: Dtype) -> Result<HostTensor, String> {
        const TOO_LARGE: &str = "its shape is larger than the file";
        let shape = tensor.shape.iter().map(|&n| usize::try_from(n).map_err(|_| TOO_LARGE)).collect::<Result<Vec<_>, _>>()?;
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).ok_or(TOO_LARGE)?;
        self.budget = self.budget.checked_sub(count).ok_or(TOO_LARGE)?;
        if count == 0 {
            return Ok(HostTensor { shape, data: Vec::new(), dtype });
        }

        let storage = self.heap.storages[tensor.storage];
        let bytes = (self.storage)(storage.key)?;
        let outside = || {
            format!(
                "offset {}, shape {:?} and strides {:?} reach beyond its storage `{}`",
                tensor.offset,
                tensor.shape,
                tensor.strides,
                shown(storage.key)
            )
        };
        // Its part of the storage, then from its first element to behind its last.
        let unit = storage.element.map_or(1, Element::size) as u64;
        let part = range(bytes, storage.offset.checked_mul(unit), storage.len.checked_mul(unit)).ok_or_else(outside)?;
        let span = tensor
            .shape
            .iter()
            .zip(&tensor.strides)
            .try_fold(1u64, |span, (&n, &stride)| span.checked_add((n - 1).checked_mul(stride)?)); // n >= 1, as count > 0
        let size = dtype.size() as u64;
        let part = range(part, tensor.offset.checked_mul(size), span.and_then(|n| n.checked_mul(size))).ok_or_else(outside)?;

        let contiguous = shape.iter().zip(&tensor.strides).rev().try_fold(1u64, |expected, (&n, &stride)| {
            (n == 1 || stride == expected).then(|| expected * n as u64) // at most `count`
        });
        if contiguous.is_some() {
            return Ok(HostTensor { shape, data: dtype.elements(part), dtype });
        }
        // Counts through the axes like an odometer. `span` was checked, so no position leaves `part`.
        let strides: Vec<usize> =
            tensor.strides.iter().zip(&shape).map(|(&s, &n)| if n == 1 { 0 } else { s as usize }).collect();
        let mut data = Vec::with_capacity(count);
        let mut index = vec![0; shape.len()];
        let mut position = 0;
        while data.len() < count {
            data.push(dtype.element(&part[position * dtype.size()..][..dtype.size()]));
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                position += strides[axis];
                if index[axis] < shape[axis] {
                    break;
                }
                position -= index[axis] * strides[axis];
                index[axis] = 0;
            }
        }
        Ok(HostTensor { shape, data, dtype })
    }
}

/// `bytes[start..start + len]`, if it lies inside.
fn range(bytes: &[u8], start: Option<u64>, len: Option<u64>) -> Option<&[u8]> {
    let start = usize::try_from(start?).ok()?;
    let len = usize::try_from(len?).ok()?;
    bytes.get(start..start.checked_add(len)?)
}
