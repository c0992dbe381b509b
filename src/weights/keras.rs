//! Keras' files: `.weights.h5` and `.keras` of Keras 3, `.h5` of any Keras. A layer is found by its own name, which all of them
//! keep: two convolutions of a block have the same shape.
//!
//! Keras 3 keeps a layer's variables by number (`layers/conv2d_3/vars/0`) below a group whose attribute `name` is the layer's;
//! older files and `.h5` by name (`model_weights/conv1_conv/conv1_conv/kernel:0`).

use hdf5_pure::{AttrValue, DType, Dataset, Datatype, DatatypeByteOrder, File, Group};
use serde_json::Value;

use super::Dtype;
use super::contents::{Contents, Stored};
use super::keras_layers::{self, Layer, Variable};
use crate::data::element::Element;
use crate::sorting;

/// Groups below each other: links may lead back.
const MAX_DEPTH: usize = 24;
/// No group and no dataset takes fewer bytes of a file: a header, its place and its name.
const OBJECT_BYTES: usize = 256;

/// What is in a file: layers, whose variables' places are indices of datasets.
#[derive(Default)]
struct Found {
    layers: Vec<Layer>,
    datasets: Vec<Dataset>,
}

fn damaged(error: hdf5_pure::Error) -> String {
    format!("it is an HDF5 file that cannot be read: {error}")
}

/// Lists the tensors of an HDF5 file of weights; `config` is the model's, where it lies beside (`.keras`).
pub(super) fn list(bytes: &[u8], config: Option<Value>) -> Result<Contents<'static>, String> {
    let file = File::from_bytes(bytes.to_vec()).map_err(damaged)?;
    let root = file.root();
    let attributes = root.attrs().map_err(damaged)?;
    let legacy = root.groups().map_err(damaged)?.iter().any(|name| name == "model_weights");
    let start = if legacy { root.group("model_weights").map_err(damaged)? } else { root };
    let mut found = Found::default();
    let mut left = bytes.len() / OBJECT_BYTES;
    walk(&start, &mut Vec::new(), &mut left, &mut found).map_err(damaged)?;
    if left == 0 {
        return Err("it is an HDF5 file whose groups lead back into each other: it is damaged".into());
    }
    let Found { layers, datasets } = found;

    let config = config.or_else(|| text(attributes.get("model_config")?).and_then(|text| serde_json::from_str(&text).ok()));
    keras_layers::list(layers, config.as_ref(), bytes.len(), Box::new(move |place, stored| read(&datasets[place], stored)))
}

/// IEEE 754 half, and not bfloat16.
fn is_half(kind: &Datatype) -> bool {
    match kind {
        Datatype::FloatingPoint { size: 2, byte_order: DatatypeByteOrder::LittleEndian, layout } => {
            (layout.exponent_size, layout.exponent_bias, layout.mantissa_size) == (5, 15, 10)
        }
        _ => false,
    }
}

/// Its numbers as Keras has them.
fn read(dataset: &Dataset, stored: &Stored) -> Result<Vec<f32>, String> {
    Ok(match stored.element {
        Element::Float(Dtype::F64) => dataset.read_f64().map_err(damaged)?.into_iter().map(|v| v as f32).collect(),
        Element::Float(Dtype::F16) => Dtype::F16.elements(&dataset.read_raw().map_err(damaged)?),
        _ => dataset.read_f32().map_err(damaged)?,
    })
}

fn element(dataset: &Dataset) -> Result<Element, hdf5_pure::Error> {
    Ok(match dataset.dtype()? {
        DType::F32 => Element::Float(Dtype::F32),
        DType::F64 => Element::Float(Dtype::F64),
        DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64 => {
            Element::Integer(8)
        }
        DType::Other(kind) if is_half(&kind) => Element::Float(Dtype::F16),
        _ => Element::Unsupported("a kind that is not known here", 1),
    })
}

fn text(value: &AttrValue) -> Option<String> {
    match value {
        AttrValue::String(text)
        | AttrValue::AsciiString(text)
        | AttrValue::VarLenString(text)
        | AttrValue::VarLenAsciiString(text) => Some(text.clone()),
        AttrValue::StringSized { value, .. } | AttrValue::AsciiStringSized { value, .. } => Some(value.clone()),
        _ => None,
    }
}

fn walk(group: &Group, path: &mut Vec<String>, left: &mut usize, found: &mut Found) -> Result<(), hdf5_pure::Error> {
    let optimizer = path.first().is_some_and(|first| first.starts_with("optimizer"));
    if path.len() > MAX_DEPTH || *left == 0 || optimizer {
        return Ok(());
    }
    *left -= 1;
    let datasets = group.datasets()?;
    if datasets.len() >= *left {
        *left = 0;
        return Ok(());
    }
    *left -= datasets.len();
    if !datasets.is_empty() {
        layer(group, path, datasets, found)?;
    }
    for name in group.groups()? {
        let below = group.group(&name)?;
        path.push(name);
        walk(&below, path, left, found)?;
        path.pop();
    }
    Ok(())
}

/// The variables of one group.
fn layer(group: &Group, path: &[String], datasets: Vec<String>, found: &mut Found) -> Result<(), hdf5_pure::Error> {
    let numbered = path.last().is_some_and(|last| last == "vars");
    let opened = |name: &String| Ok((name.clone(), group.dataset(name)?));
    let mut variables = datasets.iter().map(opened).collect::<Result<Vec<_>, hdf5_pure::Error>>()?;
    let (mut name, mut above) = (path.last().cloned().unwrap_or_default(), path.len().saturating_sub(1));
    let mut group_name = name.clone();
    if numbered {
        above = path.len().saturating_sub(2);
        name = path.get(above).cloned().unwrap_or_default();
        group_name.clone_from(&name);
        if let Some(told) = group.attrs()?.get("name").and_then(text) {
            name = told;
        }
        sorting::sort_by_key(&mut variables, |(number, _)| number.parse::<usize>().unwrap_or(usize::MAX));
        let first = variables[0].1.shape()?.len();
        let roles: &[&str] = match (first, variables.len()) {
            (4 | 2, 1 | 2) => &["weight", "bias"],
            (1, 4) => &["gamma", "beta", "moving_mean", "moving_variance"],
            // Which of three is missing is not told.
            _ => &[],
        };
        for (role, (number, _)) in roles.iter().zip(&mut variables) {
            *number = (*role).to_string();
        }
    }
    // TensorFlow 1 counts the scopes of a program's later nets: `conv1_conv/conv1_conv_1`.
    if let Some(group) = above.checked_sub(1).and_then(|at| path.get(at)).filter(|_| !numbered)
        && name.strip_prefix(group.as_str()).and_then(|rest| rest.strip_prefix('_')).is_some_and(|n| n.parse::<u32>().is_ok())
    {
        name.clone_from(group);
    }
    // `layers` says nothing, and of older files' `conv1_conv/conv1_conv` one is enough.
    let above: Vec<&str> = path[..above].iter().map(String::as_str).filter(|part| *part != "layers" && *part != name).collect();
    let above: String = above.iter().map(|part| format!("{part}.")).collect();
    let mut listed = Vec::new();
    for (role, dataset) in variables {
        let shape = dataset.shape()?.iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
        let role = keras_layers::role(&role).to_string();
        listed.push(Variable { role, shape, element: element(&dataset)?, place: found.datasets.len() });
        found.datasets.push(dataset);
    }
    found.layers.push(Layer { name, group: group_name, above, variables: listed });
    Ok(())
}

#[cfg(test)]
mod tests;
