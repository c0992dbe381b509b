//! `torch.save` before version 0.1.10 (2017): a tar archive with `sys_info`, `storages`, `tensors` and `pickle`.
//!
//! | entry | holds |
//! | --- | --- |
//! | `storages` | a pickled count; for each a pickled `(key, location, class)`, a length in elements (8 bytes), the elements; then a pickled list of views |
//! | `tensors` | a pickled count; for each a pickled `(key, storage's key, class)`, the number of axes (4 bytes), 4 bytes of nothing, sizes and steps (8 bytes each), the offset (8 bytes) |
//! | `pickle` | the object; tensors are persistent ids with their key |

use std::collections::HashMap;

use indexmap::IndexMap;

use super::contents::{Contents, Stored};
use super::objects::{self, Found};
use super::pth::strided;
use super::shown;
use crate::data::element::Element;
use crate::data::pickle::{self, Global, Value};
use crate::data::tar::{BLOCK, Walk};

const CUT: &str = "it ends in the middle: the file was cut off";

struct Stretch<'a> {
    element: Element,
    bytes: &'a [u8],
}

struct View {
    storage: String,
    shape: Vec<u64>,
    strides: Vec<u64>,
    offset: u64,
}

/// Reads the archive.
pub(super) fn parse(bytes: &[u8]) -> Result<Contents<'_>, String> {
    let entries = entries(bytes)?;
    let entry = |name: &str| {
        entries.get(name).copied().ok_or_else(|| {
            format!("it is a tar archive without `{name}`, not one that torch.save wrote; unpack it and choose the weights file inside")
        })
    };
    let storages = storages(entry("storages")?)?;
    let views = tensors(entry("tensors")?)?;
    let (value, heap, _) = pickle::load(entry("pickle")?)?;
    let (found, facts) = objects::search(&heap, value);
    let mut listed = IndexMap::new();
    let mut places = Vec::new();
    for (name, found) in found {
        let Found::Reference(key) = found else { continue };
        let Some(view) = views.get(key) else { continue };
        let Some(storage) = storages.get(&view.storage) else {
            return Err(format!("the storage of tensor `{}` is missing", shown(&name)));
        };
        let shape = view.shape.iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
        listed.insert(name, Stored::new(shape, storage.element, places.len()));
        places.push(key.to_string());
    }
    if listed.is_empty() {
        return Err("no tensors were found in it".into());
    }
    let source = move |stored: &Stored| {
        let view = views.get(&places[stored.place]).ok_or("it is missing")?;
        let storage = storages.get(&view.storage).ok_or("its storage is missing")?;
        let Element::Float(dtype) = stored.element else { return Err("it holds no floating-point numbers".into()) };
        strided(storage.bytes, dtype, view.offset, &view.shape, &view.strides)
            .ok_or_else(|| "its offset, shape and strides reach beyond its storage".into())
    };
    let mut contents = Contents::new(listed, bytes.len(), Box::new(source));
    contents.facts = facts;
    Ok(contents)
}

/// Entries of a tar archive by their last name.
fn entries(bytes: &[u8]) -> Result<HashMap<String, &[u8]>, String> {
    let (mut walk, mut length) = (Walk::new(bytes.len() as u64), BLOCK);
    while let Some((start, count)) = walk.wanted(length) {
        // `wanted` stays within the archive.
        match walk.take(&bytes[start as usize..][..count as usize]).map_err(|reason| format!("as a tar archive, {reason}"))? {
            Some(next) => length = next,
            None => break,
        }
    }
    let entries = std::mem::take(&mut walk.entries).into_iter().map(|entry| {
        let name = entry.name.rsplit('/').next().unwrap_or_default().to_string();
        (name, &bytes[entry.start as usize..][..entry.size as usize])
    });
    Ok(entries.collect())
}

/// A number of things, pickled.
fn count(bytes: &mut &[u8]) -> Result<i64, String> {
    let (value, _, taken) = pickle::load(bytes)?;
    *bytes = &bytes[taken..];
    match value {
        Value::Int(count) => Ok(count),
        _ => Err("its list of storages or tensors has no count".into()),
    }
}

fn number(bytes: &mut &[u8]) -> Result<u64, String> {
    let (number, rest) = bytes.split_first_chunk().ok_or(CUT)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*number))
}

/// A key as text, whatever it was.
fn key(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Int(n) => Some(n.to_string()),
        Value::Str(text) => Some(text.to_string()),
        _ => None,
    }
}

fn storages(mut bytes: &[u8]) -> Result<HashMap<String, Stretch<'_>>, String> {
    let mut storages = HashMap::new();
    for _ in 0..count(&mut bytes)? {
        let (value, heap, taken) = pickle::load(bytes)?;
        bytes = &bytes[taken..];
        let Value::Sequence(parts) = value else { return Err("a storage is not described".into()) };
        let [id, _, Value::Global(Global::Storage(element))] = heap.sequences[parts].as_slice() else {
            return Err("a storage has no known type".into());
        };
        let len = usize::try_from(number(&mut bytes)?).ok().and_then(|len| len.checked_mul(element.size())).ok_or(CUT)?;
        let (data, rest) = bytes.split_at_checked(len).ok_or(CUT)?;
        bytes = rest;
        storages.insert(key(id).ok_or("a storage has no key")?, Stretch { element: *element, bytes: data });
    }
    // Storages that are a part of another: (key, of, offset, length).
    let Ok((Value::Sequence(views), heap, _)) = pickle::load(bytes) else { return Ok(storages) };
    for view in &heap.sequences[views] {
        let Value::Sequence(view) = *view else { continue };
        let [id, of, Value::Int(offset), Value::Int(len)] = heap.sequences[view].as_slice() else { continue };
        let whole = key(of).and_then(|of| storages.get(&of)).ok_or("a storage is a part of one that is missing")?;
        let size = whole.element.size();
        let range = || {
            let start = usize::try_from(*offset).ok()?.checked_mul(size)?;
            whole.bytes.get(start..start.checked_add(usize::try_from(*len).ok()?.checked_mul(size)?)?)
        };
        let part = Stretch { element: whole.element, bytes: range().ok_or(CUT)? };
        storages.insert(key(id).ok_or("a storage has no key")?, part);
    }
    Ok(storages)
}

fn tensors(mut bytes: &[u8]) -> Result<HashMap<String, View>, String> {
    let mut tensors = HashMap::new();
    for _ in 0..count(&mut bytes)? {
        let (value, heap, taken) = pickle::load(bytes)?;
        bytes = &bytes[taken..];
        let Value::Sequence(parts) = value else { return Err("a tensor is not described".into()) };
        let [id, storage, ..] = heap.sequences[parts].as_slice() else { return Err("a tensor is not described".into()) };
        let (axes, rest) = bytes.split_first_chunk::<4>().ok_or(CUT)?;
        let axes = u32::from_le_bytes(*axes);
        if axes > 16 {
            return Err("a tensor has more than 16 axes".into());
        }
        bytes = rest.get(4..).ok_or(CUT)?;
        let mut numbers = |count: u32| (0..count).map(|_| number(&mut bytes)).collect::<Result<Vec<_>, _>>();
        let (shape, strides) = (numbers(axes)?, numbers(axes)?);
        let offset = numbers(1)?[0];
        let storage = key(storage).ok_or("a tensor has no storage")?;
        tensors.insert(key(id).ok_or("a tensor has no key")?, View { storage, shape, strides, offset });
    }
    Ok(tensors)
}
