//! `torch.export.save`'s `.pt2` archives: their tensors. `data/weights/*_weights_config.json` describes the raw files beside it; before
//! version 2.7 there is a `serialized_state_dict.pt` that `torch.save` wrote.

use indexmap::IndexMap;
use serde_json::Value;

use super::contents::{Contents, Stored};
use super::pth::strided;
use super::zip::Archive;
use super::{Dtype, shown};
use crate::data::element::Element;

/// The entry with an old archive's state dict.
pub(super) fn state(archive: &Archive<'_>) -> Option<String> {
    archive.names().find(|name| name.ends_with("serialized_state_dict.pt")).map(str::to_string)
}

/// Whether it is a newer archive.
pub(super) fn has_weights(archive: &Archive<'_>) -> bool {
    archive.names().any(|name| name.ends_with("_weights_config.json"))
}

struct View<'a> {
    bytes: &'a [u8],
    offset: u64,
    shape: Vec<u64>,
    strides: Vec<u64>,
}

/// The tensors of a newer archive.
pub(super) fn list<'a>(archive: &'a Archive<'a>) -> Result<Contents<'a>, String> {
    const DAMAGED: &str = "its description of the weights is damaged";
    let config = archive.names().find(|name| name.ends_with("_weights_config.json")).ok_or(DAMAGED)?;
    let folder = config.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let entry = archive.get(config).ok_or(DAMAGED)?;
    let config: Value = serde_json::from_slice(archive.bytes(entry)?).map_err(|_| DAMAGED)?;
    let mut tensors = IndexMap::new();
    let mut views = Vec::new();
    for (name, entry) in config["config"].as_object().ok_or(DAMAGED)? {
        let meta = &entry["tensor_meta"];
        let number = |value: &Value| value["as_int"].as_u64().or_else(|| value.as_u64());
        let numbers = |key: &str| meta[key].as_array().and_then(|items| items.iter().map(number).collect::<Option<Vec<u64>>>());
        let (Some(shape), Some(strides)) = (numbers("sizes"), numbers("strides")) else { continue };
        if entry["use_pickle"] == true {
            continue; // a tensor of a class of its own
        }
        let path = format!("{folder}{}", entry["path_name"].as_str().ok_or(DAMAGED)?);
        let stored = archive.get(&path).ok_or_else(|| format!("the file of tensor `{}` is missing", shown(name)))?;
        let sizes = shape.iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
        tensors.insert(name.clone(), Stored::new(sizes, element(meta["dtype"].as_u64()), views.len()));
        let offset = number(&meta["storage_offset"]).unwrap_or(0);
        views.push(View { bytes: archive.bytes(stored)?, offset, shape, strides });
    }
    let source = move |stored: &Stored| {
        let View { bytes, offset, shape, strides } = &views[stored.place];
        let Element::Float(dtype) = stored.element else { return Err("it holds no floating-point numbers".into()) };
        strided(bytes, dtype, *offset, shape, strides).ok_or_else(|| "its shape and strides reach beyond its file".into())
    };
    let mut contents = Contents::new(tensors, archive.len(), Box::new(source));
    contents.facts.notes.push("it is an exported program: its tensors are read, its code is not run".into());
    Ok(contents)
}

/// `torch._export.serde.schema.ScalarType`.
fn element(code: Option<u64>) -> Element {
    match code {
        Some(6) => Element::Float(Dtype::F16),
        Some(7) => Element::Float(Dtype::F32),
        Some(8) => Element::Float(Dtype::F64),
        Some(13) => Element::Float(Dtype::BF16),
        Some(1 | 2 | 12) => Element::Integer(1),
        Some(3 | 28) => Element::Integer(2),
        Some(4) => Element::Integer(4),
        Some(5) => Element::Integer(8),
        _ => Element::Unsupported("a kind that is not known here", 1),
    }
}
