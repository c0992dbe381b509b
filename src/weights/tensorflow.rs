//! TensorFlow's checkpoints. Both kinds are a table of names ([`super::table`]):
//!
//! | kind | files | an entry holds |
//! | --- | --- | --- |
//! | V2 | `NAME.index`, `NAME.data-00000-of-0000N`; a SavedModel's are `variables/variables.*` | type, shape, and where in which data file the elements are (`tensor_bundle.proto`) |
//! | V1 (before 2017) | one, often called `.ckpt` | the elements (`saved_tensor_slice.proto`) |
//!
//! TensorFlow 1 and TF-slim call variables by scope (`resnet_v1_50/conv1/weights`). `tf.train.Checkpoint` and SavedModels call them by
//! the way to the object (`model/_operations/1/_kernel/.ATTRIBUTES/VARIABLE_VALUE`), and keep a graph of objects
//! (`trackable_object_graph.proto`) in which every variable has its own full name: that is what layers are found by.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::contents::{Contents, Stored};
use super::keras_layers::{self, Layer, Variable};
use super::protobuf::{Field, fields, varint};
use super::table::Table;
use super::{Dtype, shown};
use crate::data::element::Element;

/// Name of the graph of objects.
const GRAPH: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";
/// Ends the name of a variable that is called by the way to it.
const VALUE: &str = "/.ATTRIBUTES/VARIABLE_VALUE";
/// Last parts of names of what optimizers of TensorFlow 1 keep beside a variable.
const SLOTS: [&str; 8] = ["Momentum", "RMSProp", "RMSProp_1", "Adam", "Adam_1", "Adagrad", "Ftrl", "Ftrl_1"];
/// The average that TensorFlow 1 keeps beside a variable.
const AVERAGE: &str = "/ExponentialMovingAverage";
/// Most data files of a checkpoint.
const MAX_SHARDS: usize = 1000;

const CUT: &str = "it is damaged, or was cut off";

/// Where the elements of a tensor are.
enum Place<'a> {
    /// In a data file.
    Shard { shard: usize, offset: usize, size: usize },
    /// In an entry of a V1 checkpoint: a message `TensorProto`.
    Message(&'a [u8]),
}

/// A tensor under TensorFlow's name.
struct Entry<'a> {
    shape: Vec<usize>,
    element: Element,
    place: Place<'a>,
}

/// Names of the data files that belong to the table of names called `NAME.index`; none for a V1 checkpoint, which has none.
pub(super) fn shards(name: &str, index: &[u8]) -> Vec<String> {
    let Some(stem) = name.strip_suffix(".index") else { return Vec::new() };
    let mut count = None;
    if let Ok(table) = Table::open(index) {
        // The very first entry is the header.
        let _ = table.each(|key, value| {
            if key.is_empty() {
                count = header(value).ok();
            }
            Err(String::new())
        });
    }
    let Some(count) = count else { return Vec::new() };
    (0..count).map(|shard| format!("{stem}.data-{shard:05}-of-{count:05}")).collect()
}

/// The table of names of a data file called `NAME.data-00000-of-0000N`.
pub fn index_name(name: &str) -> Option<String> {
    let (stem, rest) = name.rsplit_once(".data-")?;
    let (shard, count) = rest.split_once("-of-")?;
    let number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (number(shard) && number(count)).then(|| format!("{stem}.index"))
}

/// Number of data files, of a `BundleHeaderProto`.
fn header(bytes: &[u8]) -> Result<usize, String> {
    let (mut count, mut big_endian) = (0, false);
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, Field::Number(n)) => count = usize::try_from(n).unwrap_or(usize::MAX),
            (2, Field::Number(n)) => big_endian = n != 0,
            _ => {}
        }
    }
    if big_endian {
        return Err("it was written on a big-endian machine; save it again on another".into());
    }
    if !(1..=MAX_SHARDS).contains(&count) {
        return Err(format!("its header tells of {count} data files; 1 to {MAX_SHARDS} can be read"));
    }
    Ok(count)
}

/// Lists the variables of a checkpoint. `shard` gives the data file of a number of so many; `config` is the model's, where it is known.
pub(super) fn list<'a>(
    table: &'a Table<'_>,
    shard: &dyn Fn(usize, usize) -> Result<&'a [u8], String>,
    config: Option<&Value>,
) -> Result<Contents<'a>, String> {
    let (mut entries, mut shards) = (IndexMap::new(), Vec::new());
    let mut first = true;
    table.each(|key, value| {
        if std::mem::take(&mut first) {
            // A V2 header begins with a number, a V1 one with a message.
            if matches!(fields(value).next(), Some((1, Field::Number(_)))) {
                let count = header(value)?;
                shards = (0..count).map(|number| shard(number, count)).collect::<Result<_, _>>()?;
            } else {
                entries = announced(value);
            }
            return Ok(());
        }
        if shards.is_empty() {
            slice(value, &mut entries);
        } else if let Ok(name) = std::str::from_utf8(key)
            && !name.contains('\0')
        {
            // Pieces of a variable that is cut have other names.
            entries.insert(name.to_string(), bundled(value)?);
        }
        Ok(())
    })?;
    let limit = table.len() + shards.iter().map(|shard| shard.len()).sum::<usize>();
    let names = match entries.shift_remove(GRAPH) {
        Some(Entry { place, .. }) => names_of_objects(text(&place, &shards).ok_or(CUT)?),
        None => HashMap::new(),
    };
    let (layers, entries) = layers(entries, &names);
    let read = move |place: usize, stored: &Stored| elements(&entries[place], stored, &shards);
    keras_layers::list(layers, config, limit, Box::new(read))
}

/// A `BundleEntryProto`.
fn bundled<'a>(bytes: &[u8]) -> Result<Entry<'a>, String> {
    let (mut kind, mut sizes, mut sliced) = (0, Vec::new(), false);
    let (mut shard, mut offset, mut size) = (0, 0, 0);
    let number = |n: u64| usize::try_from(n).map_err(|_| CUT);
    for (field, value) in fields(bytes) {
        match (field, value) {
            (1, Field::Number(n)) => kind = n,
            (2, Field::Bytes(bytes)) => sizes = shape(bytes),
            (3, Field::Number(n)) => shard = number(n)?,
            (4, Field::Number(n)) => offset = number(n)?,
            (5, Field::Number(n)) => size = number(n)?,
            (7, _) => sliced = true,
            _ => {}
        }
    }
    let element = if sliced { CUT_UP } else { element(kind) };
    Ok(Entry { shape: sizes, element, place: Place::Shard { shard, offset, size } })
}

/// The first message of this number.
fn message(bytes: &[u8], wanted: u32) -> Option<&[u8]> {
    fields(bytes).find_map(|(number, field)| match field {
        Field::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    })
}

/// The variables that the first entry of a V1 checkpoint tells of (`SavedTensorSliceMeta`), still without elements.
fn announced<'a>(header: &[u8]) -> IndexMap<String, Entry<'a>> {
    let mut entries = IndexMap::new();
    for (number, field) in message(header, 1).into_iter().flat_map(fields) {
        let (1, Field::Bytes(variable)) = (number, field) else { continue };
        let Some(name) = message(variable, 1).and_then(|name| std::str::from_utf8(name).ok()) else { continue };
        let kind = fields(variable).find_map(|(number, field)| match field {
            Field::Number(kind) if number == 3 => Some(kind),
            _ => None,
        });
        let slices = fields(variable).filter(|(number, _)| *number == 4).count();
        let element = if slices > 1 { CUT_UP } else { element(kind.unwrap_or(0)) };
        let shape = message(variable, 2).map(shape).unwrap_or_default();
        entries.insert(name.to_string(), Entry { shape, element, place: Place::Message(&[]) });
    }
    entries
}

/// Variables in pieces, one for each of several machines.
const CUT_UP: Element = Element::Unsupported("a variable cut into pieces (partitioned)", 1);

/// Puts the elements of another entry (a `SavedTensorSlices`, whose second field is a slice) to their variable.
fn slice<'a>(bytes: &'a [u8], entries: &mut IndexMap<String, Entry<'a>>) {
    let Some(saved) = message(bytes, 2) else { return };
    let name = message(saved, 1).and_then(|name| std::str::from_utf8(name).ok());
    if let (Some(entry), Some(data)) = (name.and_then(|name| entries.get_mut(name)), message(saved, 3)) {
        entry.place = Place::Message(data);
    }
}

/// A `TensorShapeProto`.
fn shape(bytes: &[u8]) -> Vec<usize> {
    let dims = fields(bytes).filter_map(|(number, field)| match field {
        Field::Bytes(dim) if number == 2 => Some(dim),
        _ => None,
    });
    let size = |dim: &[u8]| {
        let size = fields(dim).find_map(|(number, field)| match field {
            Field::Number(size) if number == 1 => Some(size),
            _ => None,
        });
        usize::try_from(size.unwrap_or(0)).unwrap_or(usize::MAX)
    };
    dims.map(size).collect()
}

/// By the numbers of `types.proto`.
fn element(kind: u64) -> Element {
    match kind {
        1 => Element::Float(Dtype::F32),
        2 => Element::Float(Dtype::F64),
        14 => Element::Float(Dtype::BF16),
        19 => Element::Float(Dtype::F16),
        4 | 6 | 10 => Element::Integer(1),
        5 | 17 => Element::Integer(2),
        3 | 22 => Element::Integer(4),
        9 | 23 => Element::Integer(8),
        7 => Element::Unsupported("string", 1),
        8 | 18 => Element::Unsupported("complex", 8),
        11..=13 | 15 | 16 => Element::Unsupported("quantised", 1),
        _ => Element::Unsupported("a kind that is not known here", 1),
    }
}

/// The bytes of a single text: its length, a checksum, the text.
fn text<'a>(place: &Place<'a>, shards: &[&'a [u8]]) -> Option<&'a [u8]> {
    let Place::Shard { shard, offset, size } = *place else { return None };
    let mut bytes = shards.get(shard)?.get(offset..offset.checked_add(size)?)?;
    let length = usize::try_from(varint(&mut bytes)?).ok()?;
    bytes.get(4..)?.get(..length)
}

/// Full names of variables by the names under which a `TrackableObjectGraph` says they are saved.
fn names_of_objects(graph: &[u8]) -> HashMap<&str, &str> {
    let mut names = HashMap::new();
    for (_, node) in fields(graph).filter(|(number, _)| *number == 1) {
        let Field::Bytes(node) = node else { continue };
        for (_, attribute) in fields(node).filter(|(number, _)| *number == 2) {
            let Field::Bytes(attribute) = attribute else { continue };
            let (mut full, mut key) = (None, None);
            for (number, field) in fields(attribute) {
                match number {
                    2 => full = field.text(),
                    3 => key = field.text(),
                    _ => {}
                }
            }
            if let (Some(full), Some(key)) = (full, key) {
                names.insert(key, full);
            }
        }
    }
    names
}

/// The variables by layer, and where they are. What an optimizer keeps is left out.
fn layers<'a>(entries: IndexMap<String, Entry<'a>>, names: &HashMap<&str, &str>) -> (Vec<Layer>, Vec<Entry<'a>>) {
    // Keras 3's optimizers, whatever they are called, by what each of them counts.
    let optimizers: Vec<String> =
        entries.keys().filter_map(|key| key.strip_suffix(VALUE)?.strip_suffix("_iterations").map(String::from)).collect();
    let of_optimizer = |key: &str| of_optimizer(key, &optimizers);
    // Where two variables have one full name, the way to them tells them apart.
    let mut seen: HashMap<&str, &Entry<'_>> = HashMap::new();
    let mut ambiguous: HashSet<&str> = HashSet::new();
    for (key, entry) in &entries {
        if let Some(&full) = names.get(key.as_str()).filter(|_| !of_optimizer(key))
            && let Some(other) = seen.insert(full, entry)
            && other.shape != entry.shape
        {
            ambiguous.insert(full);
        }
    }
    let full_names = !names.is_empty() && ambiguous.is_empty();
    let (mut found, mut places): (IndexMap<(String, String), Layer>, Vec<Entry<'a>>) = (IndexMap::new(), Vec::new());
    for (key, entry) in entries {
        if of_optimizer(&key) {
            continue;
        }
        let full = names.get(key.as_str()).filter(|_| full_names).copied();
        let name = full.unwrap_or_else(|| key.strip_suffix(VALUE).unwrap_or(&key));
        // An average is a net of its own.
        let (average, name) = name.strip_suffix(AVERAGE).map_or(("", name), |name| ("ema.", name));
        let (layer, variable) = name.rsplit_once('/').unwrap_or(("", name));
        let (above, layer) = layer.rsplit_once('/').unwrap_or(("", layer));
        let above = if above.is_empty() { average.to_string() } else { format!("{average}{}.", above.replace('/', ".")) };
        let role = keras_layers::role(variable.trim_start_matches('_')).to_string();
        let layer = found.entry((above, layer.to_string())).or_insert_with_key(|(above, name)| Layer {
            name: name.clone(),
            group: name.clone(),
            above: above.clone(),
            variables: Vec::new(),
        });
        // An exported model keeps each variable under two ways.
        if layer.variables.iter().any(|known| known.role == role) {
            continue;
        }
        layer.variables.push(Variable { role, shape: entry.shape.clone(), element: entry.element, place: places.len() });
        places.push(entry);
    }
    (found.into_values().collect(), places)
}

/// Whether only a training run needs the variable. Keras 3's optimizers list the network's variables, too, and a checkpoint may have
/// them under that way alone.
fn of_optimizer(key: &str, optimizers: &[String]) -> bool {
    let within = |optimizer: &String| key.strip_prefix(optimizer.as_str());
    if key.contains("/_trainable_variables/") || optimizers.iter().find_map(within).is_some() {
        return !key.contains("_trainable_variables/");
    }
    let last = key.rsplit('/').next().unwrap_or(key);
    key.contains("/.OPTIMIZER_SLOT/")
        || SLOTS.contains(&last)
        || ["global_step", "save_counter", "beta1_power", "beta2_power"].contains(&last)
        || key.split('/').any(|part| part == "optimizer" || part == "save_counter" || part == "keras_api")
}

/// The elements as TensorFlow has them.
fn elements(entry: &Entry<'_>, stored: &Stored, shards: &[&[u8]]) -> Result<Vec<f32>, String> {
    let Element::Float(dtype) = stored.element else { return Err("it holds no floating-point numbers".into()) };
    match entry.place {
        Place::Shard { shard, offset, size } => {
            let data =
                shards.get(shard).ok_or_else(|| format!("it is in data file {shard}, which is none of this checkpoint"))?;
            let bytes = offset.checked_add(size).and_then(|end| data.get(offset..end));
            Ok(dtype.elements(bytes.ok_or("it lies beyond the end of its data file, which was probably cut off")?))
        }
        Place::Message(message) => numbers(message, dtype, stored),
    }
}

/// The elements of a `TensorProto`: raw, or one by one, of which the last is repeated.
fn numbers(message: &[u8], dtype: Dtype, stored: &Stored) -> Result<Vec<f32>, String> {
    let mut values: Vec<f32> = Vec::new();
    for (number, field) in fields(message) {
        match (number, dtype, field) {
            // `tensor_content`, and packed floats and doubles, are what they are in memory.
            (4, _, Field::Bytes(bytes)) | (5, Dtype::F32, Field::Bytes(bytes)) | (6, Dtype::F64, Field::Bytes(bytes)) => {
                values.extend(dtype.elements(bytes));
            }
            (5, Dtype::F32, Field::Bits32(bits)) => values.push(f32::from_bits(bits)),
            (6, Dtype::F64, Field::Bits64(bits)) => values.push(f64::from_bits(bits) as f32),
            (13, Dtype::F16 | Dtype::BF16, field) => {
                let mut halves = Vec::new();
                field.numbers(&mut halves);
                values.extend(halves.into_iter().flat_map(|half| dtype.elements(&(half as u16).to_le_bytes())));
            }
            _ => {}
        }
    }
    let count = stored.shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).unwrap_or(0);
    // `Contents::read` has seen that the shape is no larger than the file.
    if let Some(&last) = values.last()
        && values.len() < count
    {
        values.resize(count, last);
    }
    Ok(values)
}

/// The configuration of a model in `keras_metadata.pb`, which Keras 2 puts beside a SavedModel: of its nodes the first that is a model.
pub(super) fn keras_metadata(bytes: &[u8]) -> Option<Value> {
    fields(bytes).find_map(|(_, node)| {
        let Field::Bytes(node) = node else { return None };
        let texts: Vec<&str> = fields(node).filter_map(|(_, field)| field.text()).collect();
        let is_model = texts.iter().any(|text| {
            ["_tf_keras_network", "_tf_keras_sequential", "_tf_keras_model"].iter().any(|identifier| text == identifier)
        });
        let json = texts.iter().find(|text| text.starts_with('{')).filter(|_| is_model)?;
        serde_json::from_str(json).ok()
    })
}

/// The name, without folders, of the table of names that a folder's file `checkpoint` says is the latest.
pub fn latest(checkpoint: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(checkpoint).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("model_checkpoint_path:"))?.trim().trim_matches('"');
    let name = path.rsplit(['/', '\\']).next()?;
    (!name.is_empty()).then(|| format!("{name}.index"))
}

/// The sentence for a data file that is missing.
pub(super) fn missing(name: &str) -> String {
    format!(
        "it is a part of a TensorFlow checkpoint, and its `{}` is missing: put it into the same folder (in the page: choose all of its \
         files together)",
        shown(name)
    )
}

#[cfg(test)]
mod tests;
