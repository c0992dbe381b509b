//! A pickle machine that can only build what a checkpoint of tensors or a batch of CIFAR's is made of.
//!
//! Python's pickle is a program: `GLOBAL` names any function and `REDUCE` calls it. This machine knows the opcodes `torch.save`
//! writes, and a closed list of names ([`Global`]) that it gives a meaning of its own. Any other name makes an [`Object`]: its
//! class's name, its arguments and its state, never looked into by anything but a search for tensors. Nothing is ever imported or
//! called, and names that only an attack would use are refused. Opcodes: the documentation of Python's `pickletools`.
//!
//! Values are small copies: containers live in the [`Heap`] and are referred to by index, so a file can neither nest them
//! deep enough to overflow the stack when they are dropped nor make them leak by a cycle.

use std::collections::HashMap;

pub(crate) use names::Global;

use super::element::Element;
use super::text::shown;

mod names;

/// Objects a pickle may make. A checkpoint of ResNet-1202 with Adam's state makes about 400,000.
const MAX_OBJECTS: usize = 1 << 22;

/// A value; containers, storages and tensors are indices into the [`Heap`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Whole numbers wider than 64 bits and the like: read past, never used.
    Opaque,
    Str(&'a str),
    Bytes(&'a [u8]),
    /// Bytes as protocol 2 writes them: each the code point of a character.
    Latin1(&'a str),
    Sequence(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
    /// Made by a name without a meaning here.
    Object(usize),
    /// A persistent id that is a plain word: `torch.save` before 0.1.10.
    Reference(&'a str),
}

/// What a foreign name made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Object<'a> {
    /// Module and name of the class or function.
    pub class: (&'a str, &'a str),
    /// What it was made with: a sequence.
    pub arguments: Value<'a>,
    /// What it was set to afterwards.
    pub state: Option<Value<'a>>,
    /// Keys and values it was given, a dict, if it is one.
    pub items: Option<usize>,
}

/// A storage that a persistent id names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Storage<'a> {
    /// Type of its elements; `None` for an untyped one, whose length is in bytes.
    pub element: Option<Element>,
    /// The name it has in the file.
    pub key: &'a str,
    /// Elements in front of a view into a larger storage (old files only).
    pub offset: u64,
    /// Its length in elements.
    pub len: u64,
}

/// A strided view of a storage; numbers in elements.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    /// Index of its storage.
    pub storage: usize,
    /// Type of its elements.
    pub element: Element,
    /// First element.
    pub offset: u64,
    /// Sizes, outermost first.
    pub shape: Vec<u64>,
    /// Step in the storage for each axis.
    pub strides: Vec<u64>,
}

/// Everything a pickle has made.
#[derive(Debug, Default)]
pub(crate) struct Heap<'a> {
    pub sequences: Vec<Vec<Value<'a>>>,
    pub dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub storages: Vec<Storage<'a>>,
    pub tensors: Vec<Tensor>,
    pub objects: Vec<Object<'a>>,
    /// Names that [`Global::Foreign`] counts.
    classes: Vec<(&'a str, &'a str)>,
}

/// Runs one pickle at the front of `bytes`: its value, what it made, and how many bytes it took.
///
/// # Errors
/// What is broken or forbidden, as a sentence.
pub(crate) fn load(bytes: &[u8]) -> Result<(Value<'_>, Heap<'_>, usize), String> {
    let mut machine =
        Machine { bytes, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), heap: Heap::default(), made: 0 };
    let value = machine.run()?;
    Ok((value, machine.heap, machine.at))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    heap: Heap<'a>,
    made: usize,
}

fn broken<T>(what: &str) -> Result<T, String> {
    Err(format!("its pickle is damaged ({what})"))
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Value<'a>, String> {
        loop {
            let op = self.take(1)?[0];
            match op {
                0x80 => {
                    let version = self.take(1)?[0];
                    if version > 5 {
                        return Err(format!("its pickle has protocol {version}; up to 5 are known"));
                    }
                }
                0x95 => _ = self.take(8)?, // FRAME: a hint for buffering
                b'.' => return self.pop(),
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                b'K' => self.uint(1, Value::Int)?,
                b'M' => self.uint(2, Value::Int)?,
                b'J' => self.uint(4, |n| Value::Int(i64::from(n as u32 as i32)))?,
                0x8a => self.long(1)?,
                0x8b => self.long(4)?,
                b'G' => {
                    let bits = self.take(8)?.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
                    self.push(Value::Float(f64::from_bits(bits)))?;
                }
                // Python 2 wrote its strings as bytes: SHORT_BINSTRING, BINSTRING.
                0x8c | b'U' => self.string(1)?,
                b'X' | b'T' => self.string(4)?,
                0x8d => self.string(8)?,
                // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8.
                b'C' | b'B' | 0x8e | 0x96 => {
                    let n = self.length(match op {
                        b'C' => 1,
                        b'B' => 4,
                        _ => 8,
                    })?;
                    let bytes = self.take(n)?;
                    self.push(Value::Bytes(bytes))?;
                }
                b')' => self.sequence(Vec::new())?,
                b']' | 0x8f => self.sequence(Vec::new())?, // EMPTY_LIST, EMPTY_SET
                b'}' => self.dict(Vec::new())?,
                b'(' => {
                    self.charge()?;
                    self.marks.push(self.stack.len());
                }
                b't' | b'l' | 0x91 => {
                    let items = self.since_mark()?;
                    self.sequence(items)?;
                }
                0x85 => self.tuple(1)?,
                0x86 => self.tuple(2)?,
                0x87 => self.tuple(3)?,
                b'a' => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                b'e' | 0x90 => {
                    let items = self.since_mark()?;
                    self.extend(items)?;
                }
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set(&[key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set(&items)?;
                }
                b'd' => {
                    let items = self.since_mark()?;
                    self.dict(Vec::new())?;
                    self.set(&items)?;
                }
                b'q' => self.put(1)?,
                b'r' => self.put(4)?,
                0x94 => {
                    let index = u32::try_from(self.memo.len()).or_else(|_| broken("too many memo entries"))?;
                    self.memoize(index)?;
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'0' => _ = self.pop()?,
                b'1' => _ = self.since_mark()?,
                b'2' => {
                    let top = self.top()?;
                    self.push(top)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(module, name)?;
                }
                0x93 => match (self.pop()?, self.pop()?) {
                    (Value::Str(name), Value::Str(module)) => self.global(module, name)?,
                    _ => return broken("a global without a name"),
                },
                b'Q' => self.persistent()?,
                b'R' | 0x81 => {
                    let arguments = self.pop()?;
                    let function = self.pop()?;
                    let value = self.reduce(function, arguments)?;
                    self.push(value)?;
                }
                // NEWOBJ_EX: a class, its arguments, its named arguments.
                0x92 => {
                    self.pop()?;
                    let arguments = self.pop()?;
                    let function = self.pop()?;
                    let value = self.reduce(function, arguments)?;
                    self.push(value)?;
                }
                // BUILD sets attributes. Those of a state dict (`_metadata`) are not needed.
                b'b' => {
                    let state = self.pop()?;
                    if let Value::Object(object) = self.top()? {
                        self.heap.objects[object].state = Some(state);
                    }
                }
                _ => return Err(format!("its pickle uses opcode 0x{op:02x}, which torch.save does not write for tensors")),
            }
        }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err("its pickle ends in the middle: the file was cut off".into());
        };
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    /// An unsigned little-endian number of up to 8 bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, String> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    /// A length, which must lie within the file.
    fn length(&mut self, bytes: usize) -> Result<usize, String> {
        let n = self.number(bytes)?;
        usize::try_from(n).or_else(|_| broken("a length beyond the end of the file"))
    }

    /// Text to the end of a line.
    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return broken("a name without an end") };
        let line = self.take(end)?;
        self.take(1)?;
        std::str::from_utf8(line).or_else(|_| broken("a name that is not UTF-8"))
    }

    fn charge(&mut self) -> Result<(), String> {
        self.made += 1;
        if self.made > MAX_OBJECTS {
            return Err(format!("its pickle makes more than {MAX_OBJECTS} objects, which no ResNet checkpoint does"));
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        self.charge()?;
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return broken("a mark where a value should be");
        }
        self.stack.pop().map_or_else(|| broken("a value is missing"), Ok)
    }

    fn top(&self) -> Result<Value<'a>, String> {
        self.stack.last().copied().map_or_else(|| broken("a value is missing"), Ok)
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        match self.marks.pop() {
            // `pop` never goes below a mark, so it lies within the stack.
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => broken("a mark is missing"),
        }
    }

    fn uint(&mut self, bytes: usize, value: impl FnOnce(i64) -> Value<'a>) -> Result<(), String> {
        let n = self.number(bytes)? as i64; // at most 4 bytes
        self.push(value(n))
    }

    fn long(&mut self, length_bytes: usize) -> Result<(), String> {
        let n = self.length(length_bytes)?;
        let bytes = self.take(n)?;
        let value = if n > 8 {
            Value::Opaque
        } else {
            // Two's complement of n bytes: fill up with the sign.
            let fill = if bytes.last().is_some_and(|&top| top & 0x80 != 0) { 0xff } else { 0 };
            let mut full = [fill; 8];
            full[..n].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(full))
        };
        self.push(value)
    }

    fn string(&mut self, length_bytes: usize) -> Result<(), String> {
        let n = self.length(length_bytes)?;
        let bytes = self.take(n)?;
        // Python 2 kept an array's bytes in a string.
        self.push(std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Str))
    }

    fn sequence(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        self.heap.sequences.push(items);
        self.push(Value::Sequence(self.heap.sequences.len() - 1))
    }

    fn dict(&mut self, items: Vec<(Value<'a>, Value<'a>)>) -> Result<(), String> {
        self.heap.dicts.push(items);
        self.push(Value::Dict(self.heap.dicts.len() - 1))
    }

    fn tuple(&mut self, n: usize) -> Result<(), String> {
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(self.pop()?);
        }
        items.reverse();
        self.sequence(items)
    }

    fn extend(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        match self.top()? {
            Value::Sequence(list) => self.heap.sequences[list].extend(items),
            // A list of a class of its own: nothing in it is looked for.
            Value::Object(_) => {}
            _ => return broken("an item for something that is no list"),
        }
        Ok(())
    }

    /// Sets keys and values, alternating, on the dict on top; assigning twice keeps the later value at the earlier place,
    /// which the reader of the dict takes care of.
    fn set(&mut self, items: &[Value<'a>]) -> Result<(), String> {
        let dict = match self.top()? {
            Value::Object(object) => {
                let dict = match self.heap.objects[object].items {
                    Some(dict) => dict,
                    None => {
                        self.heap.dicts.push(Vec::new());
                        self.heap.dicts.len() - 1
                    }
                };
                self.heap.objects[object].items = Some(dict);
                Value::Dict(dict)
            }
            other => other,
        };
        match dict {
            Value::Dict(dict) if items.len().is_multiple_of(2) => {
                self.heap.dicts[dict].extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            Value::Dict(_) => broken("a key without a value"),
            _ => broken("a key for something that is no dict"),
        }
    }

    fn put(&mut self, bytes: usize) -> Result<(), String> {
        let index = self.number(bytes)? as u32; // at most 4 bytes
        self.memoize(index)
    }

    fn memoize(&mut self, index: u32) -> Result<(), String> {
        self.charge()?;
        let value = self.top()?;
        self.memo.insert(index, value);
        Ok(())
    }

    fn recall(&mut self, bytes: usize) -> Result<(), String> {
        let index = self.number(bytes)? as u32; // at most 4 bytes
        match self.memo.get(&index) {
            Some(&value) => self.push(value),
            None => broken("a memo entry is missing"),
        }
    }

    fn global(&mut self, module: &'a str, name: &'a str) -> Result<(), String> {
        if let Some(global) = Global::find(module, name) {
            return self.push(Value::Global(global));
        }
        if names::is_hostile(module, name) {
            return Err(format!(
                "it asks for `{}.{}`, which a checkpoint has no use for: opened by Python, it would run commands. Here code is \
                 never run; do not trust this file, and get the weights from another source",
                shown(module),
                shown(name)
            ));
        }
        self.heap.classes.push((module, name));
        self.push(Value::Global(Global::Foreign(self.heap.classes.len() - 1)))
    }

    fn items(&self, value: Value<'a>) -> Result<&[Value<'a>], String> {
        match value {
            Value::Sequence(index) => Ok(&self.heap.sequences[index]),
            _ => broken("a tuple is missing"),
        }
    }

    /// `('storage', type, key, location, length[, view])`, where an old file's view is `(key, offset, length)` or None.
    fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        if let Value::Str(key) = id {
            return self.push(Value::Reference(key));
        }
        let storage = match *self.items(id)? {
            [Value::Str("storage"), Value::Global(kind), Value::Str(key), _, Value::Int(len), ref view @ ..] => {
                let element = match kind {
                    Global::Storage(element) => Some(element),
                    Global::UntypedStorage => None,
                    _ => return broken("a storage of no known type"),
                };
                let len = u64::try_from(len).or_else(|_| broken("a storage of negative length"))?;
                match *view {
                    [] | [Value::None] => Storage { element, key, offset: 0, len },
                    [view] => match *self.items(view)? {
                        [_, Value::Int(offset), Value::Int(len)] => match (u64::try_from(offset), u64::try_from(len)) {
                            (Ok(offset), Ok(len)) => Storage { element, key, offset, len },
                            _ => return broken("a view of a storage with negative numbers"),
                        },
                        _ => return broken("a view of a storage without offset and length"),
                    },
                    _ => return broken("a storage with too many properties"),
                }
            }
            // A class, with the text of its source beside it.
            [Value::Str("module"), class, ..] | [class @ Value::Global(_), ..] => return self.push(class),
            _ => return broken("a persistent id that names no storage"),
        };
        self.heap.storages.push(storage);
        self.push(Value::Storage(self.heap.storages.len() - 1))
    }

    /// What calling one of the known names gives.
    fn reduce(&mut self, function: Value<'a>, arguments: Value<'a>) -> Result<Value<'a>, String> {
        let arguments = self.items(arguments)?.to_vec();
        for _ in &arguments {
            self.charge()?;
        }
        let function = match function {
            Value::Global(function) => function,
            // What a foreign name gave is called or made anew (`functools.partial`, a class kept in an object).
            Value::Object(_) | Value::Opaque => return Ok(Value::Opaque),
            _ => return broken("a call of something that is no function"),
        };
        match (function, arguments.as_slice()) {
            (Global::Foreign(class), _) => {
                let (module, name) = self.heap.classes[class];
                // Protocol 2 makes objects by a function: (class, base, state) or (class, arguments...).
                let class = match (module, name, arguments.first()) {
                    ("copyreg" | "copy_reg", "_reconstructor" | "__newobj__" | "__newobj_ex__", Some(Value::Global(class))) => {
                        *class
                    }
                    _ => function,
                };
                let class = match class {
                    Global::Foreign(class) => self.heap.classes[class],
                    Global::OrderedDict | Global::Dict => return self.ordered_dict(Vec::new()),
                    _ => (module, name),
                };
                self.heap.sequences.push(arguments);
                let arguments = Value::Sequence(self.heap.sequences.len() - 1);
                self.heap.objects.push(Object { class, arguments, state: None, items: None });
                Ok(Value::Object(self.heap.objects.len() - 1))
            }
            (Global::Encode, [Value::Str(text), ..]) => Ok(Value::Latin1(text)),
            (Global::Encode, [bytes @ Value::Bytes(_), ..]) => Ok(*bytes),
            (Global::Dict, _) => self.ordered_dict(Vec::new()),
            // A tensor of a subclass: (function, class, arguments, state).
            (Global::RebuildSubclass, [function @ Value::Global(inner), _, arguments @ Value::Sequence(_), ..])
                if *inner != Global::RebuildSubclass =>
            {
                self.reduce(*function, *arguments)
            }
            (Global::OrderedDict, []) => self.ordered_dict(Vec::new()),
            (Global::OrderedDict, [pairs @ Value::Sequence(_)]) => {
                // Python 2 passes the items as a list of pairs.
                let pairs = self.items(*pairs)?.to_vec();
                let mut items = Vec::new();
                for pair in pairs {
                    self.charge()?;
                    match *self.items(pair)? {
                        [key, value] => items.push((key, value)),
                        _ => return broken("an ordered dict of something else than pairs"),
                    }
                }
                self.ordered_dict(items)
            }
            (Global::OrderedDict | Global::Counter, [dict @ Value::Dict(_)]) => Ok(*dict),
            (Global::Counter, []) => self.ordered_dict(Vec::new()),
            (Global::Set | Global::Size, [items @ Value::Sequence(_)]) => Ok(*items),
            (Global::Set | Global::Size, []) => {
                self.heap.sequences.push(Vec::new());
                Ok(Value::Sequence(self.heap.sequences.len() - 1))
            }
            (Global::Plain, _) => Ok(Value::Opaque),
            (Global::RebuildTensor | Global::RebuildTensorV2, [Value::Storage(storage), offset, shape, strides, ..]) => {
                match self.heap.storages[*storage].element {
                    Some(element) => self.tensor(*storage, element, *offset, *shape, *strides),
                    // As old files of new types have it: the type is nowhere.
                    None => Ok(Value::Opaque),
                }
            }
            (
                Global::RebuildTensorV3,
                [Value::Storage(storage), offset, shape, strides, _, _, Value::Global(Global::Dtype(element)), ..],
            ) => self.tensor(*storage, *element, *offset, *shape, *strides),
            (Global::RebuildTensorV3, [Value::Storage(_), ..]) => Ok(Value::Opaque),
            (Global::RebuildParameter, [tensor, ..]) => Ok(*tensor),
            (Global::Same, [value, ..]) => Ok(*value),
            (Global::Storage(_) | Global::UntypedStorage | Global::Dtype(_), _) => Ok(Value::Opaque),
            _ => broken("a call with arguments it should not have"),
        }
    }

    fn ordered_dict(&mut self, items: Vec<(Value<'a>, Value<'a>)>) -> Result<Value<'a>, String> {
        self.heap.dicts.push(items);
        Ok(Value::Dict(self.heap.dicts.len() - 1))
    }

    fn tensor(
        &mut self,
        storage: usize,
        element: Element,
        offset: Value<'a>,
        shape: Value<'a>,
        strides: Value<'a>,
    ) -> Result<Value<'a>, String> {
        let sizes = |value| -> Result<Vec<u64>, String> {
            self.items(value)?
                .iter()
                .map(|item| match *item {
                    Value::Int(n) => u64::try_from(n).or_else(|_| broken("a tensor with a negative size or stride")),
                    _ => broken("a tensor with a size that is no number"),
                })
                .collect()
        };
        let (shape, strides) = (sizes(shape)?, sizes(strides)?);
        let Value::Int(offset) = offset else { return broken("a tensor without an offset") };
        let offset = u64::try_from(offset).or_else(|_| broken("a tensor with a negative offset"))?;
        if shape.len() != strides.len() {
            return broken("a tensor with more sizes than strides, or fewer");
        }
        for _ in &shape {
            self.charge()?;
        }
        self.heap.tensors.push(Tensor { storage, element, offset, shape, strides });
        Ok(Value::Tensor(self.heap.tensors.len() - 1))
    }
}
