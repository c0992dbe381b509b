//! What a pickle has made, searched for tensors and for what tells of the network: names of classes, of the architecture, layers of
//! a whole module. Nothing else is looked at.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::contents::{Facts, Module};
use crate::data::element::{Element, numpy_element};
use crate::data::pickle::{Heap, Object, Value};

/// How deep containers may stand inside each other.
const MAX_DEPTH: usize = 24;
/// Keys whose value names classes.
const CLASS_KEYS: &[&str] = &[
    "class_to_idx",
    "classes",
    "class_names",
    "classnames",
    "CLASSES",
    "label_names",
    "idx_to_class",
    "id2label",
    "label2id",
    "idx2label",
    "labels",
    "names",
    "categories",
    "vocab",
];
/// Longest list of classes that is looked at.
const MAX_CLASSES: usize = 1 << 16;

/// A tensor or array among the objects.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found<'a> {
    /// Index into the heap's tensors.
    Tensor(usize),
    Array(Array<'a>),
    /// See [`Value::Reference`].
    Reference(&'a str),
}

/// A NumPy array.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array<'a> {
    pub element: Element,
    pub big_endian: bool,
    pub shape: Vec<usize>,
    /// Columns lie together, not rows.
    pub fortran: bool,
    pub bytes: Raw<'a>,
}

/// An array's bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Raw<'a> {
    Bytes(&'a [u8]),
    /// Each byte is a character.
    Latin1(&'a str),
}

/// Everything of interest below `root`: tensors by path.
pub(super) fn search<'a>(heap: &Heap<'a>, root: Value<'a>) -> (IndexMap<String, Found<'a>>, Facts) {
    let mut search = Search { heap, found: IndexMap::new(), facts: Facts::default(), open: HashSet::new(), left: MAX_VALUES };
    if let Value::Dict(dict) = root {
        let keys = heap.dicts[dict].iter().filter_map(|(key, _)| if let Value::Str(key) = key { Some(*key) } else { None });
        search.facts.keys = keys.take(8).map(super::shown).collect();
    }
    search.walk(root, &mut String::new(), 0);
    (search.found, search.facts)
}

struct Search<'h, 'a> {
    heap: &'h Heap<'a>,
    found: IndexMap<String, Found<'a>>,
    facts: Facts,
    /// Containers that are being looked at: what refers to itself ends there.
    open: HashSet<(u8, usize)>,
    /// Values that may still be looked at. Containers that are in several places are looked at in each.
    left: usize,
}

/// Values that are looked at in all.
const MAX_VALUES: usize = 1 << 20;

impl<'a> Search<'_, 'a> {
    fn walk(&mut self, value: Value<'a>, path: &mut String, depth: usize) {
        if depth > MAX_DEPTH || self.left == 0 {
            return;
        }
        self.left -= 1;
        let container = match value {
            Value::Tensor(index) => return self.take(path, Found::Tensor(index)),
            Value::Reference(key) => return self.take(path, Found::Reference(key)),
            Value::Dict(dict) => (0, dict),
            Value::Sequence(list) => (1, list),
            Value::Object(index) => (2, index),
            _ => return,
        };
        if !self.open.insert(container) {
            return;
        }
        match container {
            (0, dict) => self.dict(dict, path, depth, false),
            (1, list) => {
                for (i, item) in self.heap.sequences[list].iter().enumerate() {
                    if is_container(*item) {
                        self.below(&i.to_string(), *item, path, depth);
                    }
                }
            }
            (_, index) => {
                let object = self.heap.objects[index];
                match array(self.heap, &object) {
                    Some(array) => self.take(path, Found::Array(array)),
                    None => self.object(&object, path, depth),
                }
            }
        }
        self.open.remove(&container);
    }

    fn take(&mut self, path: &str, found: Found<'a>) {
        if path.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            self.facts.nameless += 1;
        }
        self.found.insert(path.to_string(), found);
    }

    fn below(&mut self, key: &str, value: Value<'a>, path: &mut String, depth: usize) {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(key);
        self.walk(value, path, depth + 1);
        path.truncate(length);
    }

    /// `module`: the dict is an object's attributes.
    fn dict(&mut self, dict: usize, path: &mut String, depth: usize, module: bool) {
        let mut last: IndexMap<Key<'a>, Value<'a>> = IndexMap::new();
        for (key, value) in &self.heap.dicts[dict] {
            let key = match *key {
                Value::Str(key) => Key::Text(key),
                Value::Int(key) => Key::Number(key),
                _ => continue,
            };
            last.insert(key, *value);
        }
        for (key, value) in last {
            match key {
                // The three dicts of a PyTorch module leave no trace in the names of its state dict.
                Key::Text("_parameters" | "_buffers" | "_modules") if module => self.walk(value, path, depth + 1),
                Key::Text(key) => {
                    self.note(key, value, depth);
                    self.below(key, value, path, depth);
                }
                Key::Number(key) if is_container(value) => self.below(&key.to_string(), value, path, depth),
                Key::Number(_) => {}
            }
        }
    }

    fn object(&mut self, object: &Object<'a>, path: &mut String, depth: usize) {
        let state = match object.state {
            Some(Value::Dict(dict)) => Some(dict),
            _ => None,
        };
        let get = |key: &str| {
            let items = &self.heap.dicts[state?];
            items.iter().rev().find(|(found, _)| *found == Value::Str(key)).map(|(_, value)| *value)
        };
        if get("_modules").is_some() {
            let number = |value: Value<'a>| match value {
                Value::Int(n) => usize::try_from(n).ok(),
                Value::Sequence(list) => match *self.heap.sequences[list] {
                    [Value::Int(n), ..] => usize::try_from(n).ok(),
                    _ => None,
                },
                _ => None,
            };
            let module = Module {
                class: (object.class.0.to_string(), object.class.1.to_string()),
                stride: get("stride").and_then(number),
                dilation: get("dilation").and_then(number),
                eps: get("eps").and_then(|eps| if let Value::Float(eps) = eps { Some(eps) } else { None }),
            };
            self.facts.modules.insert(path.clone(), module);
        }
        for dict in [state, object.items].into_iter().flatten() {
            self.dict(dict, path, depth + 1, true);
        }
    }

    /// Keeps what names classes or the network.
    fn note(&mut self, key: &str, value: Value<'a>, depth: usize) {
        if CLASS_KEYS.contains(&key) {
            if let Some(json) = json(self.heap, value, 0)
                && (json.is_array() || json.is_object())
            {
                self.facts.names.push((key.to_string(), json));
            }
        } else if let ("arch" | "architecture" | "model_name" | "model" | "net" | "backbone", Value::Str(name)) = (key, value)
            && depth <= 4
        {
            self.facts.arch.push(name.to_string());
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Text(&'a str),
    Number(i64),
}

fn is_container(value: Value<'_>) -> bool {
    matches!(value, Value::Dict(_) | Value::Sequence(_) | Value::Object(_) | Value::Tensor(_) | Value::Reference(_))
}

/// Plain data as JSON: strings, numbers, lists and dicts of them.
fn json(heap: &Heap<'_>, value: Value<'_>, depth: usize) -> Option<Json> {
    if depth > 4 {
        return None;
    }
    Some(match value {
        Value::Str(text) => Json::from(text),
        Value::Int(n) => Json::from(n),
        Value::Sequence(list) if heap.sequences[list].len() <= MAX_CLASSES => {
            heap.sequences[list].iter().map(|item| json(heap, *item, depth + 1)).collect::<Option<Vec<_>>>()?.into()
        }
        Value::Dict(dict) if heap.dicts[dict].len() <= MAX_CLASSES => {
            let mut map = Map::new();
            for (key, value) in &heap.dicts[dict] {
                let key = match key {
                    Value::Str(key) => key.to_string(),
                    Value::Int(key) => key.to_string(),
                    _ => return None,
                };
                map.insert(key, json(heap, *value, depth + 1)?);
            }
            map.into()
        }
        // A list of fastai's, a dict of a class of its own.
        Value::Object(object) => match heap.objects[object] {
            Object { items: Some(dict), .. } => json(heap, Value::Dict(dict), depth + 1)?,
            _ => return None,
        },
        _ => return None,
    })
}

/// The NumPy array an object stands for.
fn array<'a>(heap: &Heap<'a>, object: &Object<'a>) -> Option<Array<'a>> {
    let (module, name) = object.class;
    let root = module.strip_prefix("numpy.").unwrap_or("");
    match (root, name, object.state) {
        // (version, shape, dtype, fortran, bytes)
        ("core.multiarray" | "_core.multiarray", "_reconstruct", Some(Value::Sequence(state))) => {
            let [_, shape, dtype, fortran, bytes] = *heap.sequences[state].as_slice() else { return None };
            let (element, big_endian) = dtype_of(heap, dtype)?;
            let fortran = matches!(fortran, Value::Bool(true) | Value::Int(1));
            Some(Array { element, big_endian, shape: shape_of(heap, shape)?, fortran, bytes: raw_of(bytes)? })
        }
        // Protocol 5: (buffer, dtype, shape, order)
        ("core.numeric" | "_core.numeric", "_frombuffer", _) => {
            let Value::Sequence(arguments) = object.arguments else { return None };
            let [bytes, dtype, shape, order] = *heap.sequences[arguments].as_slice() else { return None };
            let (element, big_endian) = dtype_of(heap, dtype)?;
            let fortran = order == Value::Str("F");
            Some(Array { element, big_endian, shape: shape_of(heap, shape)?, fortran, bytes: raw_of(bytes)? })
        }
        _ => None,
    }
}

fn raw_of(value: Value<'_>) -> Option<Raw<'_>> {
    match value {
        Value::Bytes(bytes) => Some(Raw::Bytes(bytes)),
        Value::Str(text) | Value::Latin1(text) => Some(Raw::Latin1(text)),
        _ => None,
    }
}

fn shape_of(heap: &Heap<'_>, value: Value<'_>) -> Option<Vec<usize>> {
    let Value::Sequence(list) = value else { return None };
    let size = |item: &Value<'_>| if let Value::Int(n) = *item { usize::try_from(n).ok() } else { None };
    heap.sequences[list].iter().map(size).collect()
}

/// `numpy.dtype('f4')`, whose state begins `(3, '<', ...)`: type, and whether the high byte comes first.
fn dtype_of(heap: &Heap<'_>, value: Value<'_>) -> Option<(Element, bool)> {
    let Value::Object(object) = value else { return None };
    let Object { class: ("numpy", "dtype"), arguments: Value::Sequence(arguments), state, .. } = heap.objects[object] else {
        return None;
    };
    let &[Value::Str(letters), ..] = heap.sequences[arguments].as_slice() else { return None };
    let big_endian = match state {
        Some(Value::Sequence(state)) => heap.sequences[state].get(1) == Some(&Value::Str(">")),
        _ => false,
    };
    Some((numpy_element(letters)?, big_endian))
}
