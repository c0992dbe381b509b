//! A pickle machine that can only build what a checkpoint of tensors is made of.
//!
//! Python's pickle is a program: `GLOBAL` names any function and `REDUCE` calls it. This machine knows the opcodes `torch.save`
//! writes, and a closed list of names ([`Global`]) that it gives a meaning of its own; any other name is an error. Nothing is
//! ever imported or called. Opcodes and their arguments: the documentation of Python's `pickletools`.
//!
//! Values are small copies: containers live in the [`Heap`] and are referred to by index, so a file can neither nest them
//! deep enough to overflow the stack when they are dropped nor make them leak by a cycle.

use std::collections::HashMap;

use super::{Dtype, shown};

/// Objects a pickle may make. A checkpoint of ResNet-1202 with Adam's state makes about 400,000.
const MAX_OBJECTS: usize = 1 << 22;

/// What elements a storage has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Element {
    /// Floating-point numbers that can be read.
    Float(Dtype),
    /// Whole numbers or booleans of this many bytes: counters, which nobody needs for inference.
    Integer(usize),
    /// Anything else, by torch's name and bytes.
    Unsupported(&'static str, usize),
}

impl Element {
    /// Bytes of one element.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Float(dtype) => dtype.size(),
            Self::Integer(size) | Self::Unsupported(_, size) => size,
        }
    }
}

/// The names a pickle may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    Counter,
    Set,
    Size,
    /// Makes a plain value that no tensor depends on: a device, bytes, a complex number.
    Plain,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    Storage(Element),
    UntypedStorage,
    Dtype(Element),
}

impl Global {
    fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("collections", "Counter") => Self::Counter,
            ("builtins" | "__builtin__", "set" | "frozenset") => Self::Set,
            ("torch", "Size") => Self::Size,
            // Protocol 2 writes bytes as `_codecs.encode(text, 'latin1')`.
            ("torch", "device") | ("_codecs", "encode") | ("builtins" | "__builtin__", "bytearray" | "complex") => Self::Plain,
            ("torch._utils", "_rebuild_tensor") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensorV2,
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildTensorV3,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::RebuildParameter,
            ("torch.storage", "UntypedStorage") | ("torch", "UntypedStorage") => Self::UntypedStorage,
            ("torch" | "torch.cuda", _) => match storage_element(name) {
                Some(element) => Self::Storage(element),
                None if module == "torch" => Self::Dtype(dtype_element(name)?),
                None => return None,
            },
            _ => return None,
        })
    }
}

/// `torch.FloatStorage` and its kin.
fn storage_element(name: &str) -> Option<Element> {
    Some(match name.strip_suffix("Storage")? {
        "Float" => Element::Float(Dtype::F32),
        "Half" => Element::Float(Dtype::F16),
        "BFloat16" => Element::Float(Dtype::BF16),
        "Double" => Element::Float(Dtype::F64),
        "Long" => Element::Integer(8),
        "Int" => Element::Integer(4),
        "Short" => Element::Integer(2),
        "Char" | "Byte" | "Bool" => Element::Integer(1),
        "ComplexFloat" => Element::Unsupported("complex64", 8),
        "ComplexDouble" => Element::Unsupported("complex128", 16),
        "QInt32" => Element::Unsupported("qint32", 4),
        "QInt8" => Element::Unsupported("qint8", 1),
        "QUInt8" => Element::Unsupported("quint8", 1),
        "QUInt4x2" => Element::Unsupported("quint4x2", 1),
        "QUInt2x4" => Element::Unsupported("quint2x4", 1),
        _ => return None,
    })
}

/// `torch.float32` and its kin; these appear as values in a checkpoint, and as the type of an untyped storage's tensor.
fn dtype_element(name: &str) -> Option<Element> {
    Some(match name {
        "float32" | "float" => Element::Float(Dtype::F32),
        "float16" | "half" => Element::Float(Dtype::F16),
        "bfloat16" => Element::Float(Dtype::BF16),
        "float64" | "double" => Element::Float(Dtype::F64),
        "int64" | "long" | "uint64" => Element::Integer(8),
        "int32" | "int" | "uint32" => Element::Integer(4),
        "int16" | "short" | "uint16" => Element::Integer(2),
        "int8" | "uint8" | "bool" => Element::Integer(1),
        "complex64" => Element::Unsupported("complex64", 8),
        "complex128" => Element::Unsupported("complex128", 16),
        "float8_e4m3fn" => Element::Unsupported("float8_e4m3fn", 1),
        "float8_e5m2" => Element::Unsupported("float8_e5m2", 1),
        _ => return None,
    })
}

/// A value; containers, storages and tensors are indices into the [`Heap`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// Floating-point numbers, bytes, whole numbers wider than 64 bits: read past, never used.
    Opaque,
    Str(&'a str),
    Sequence(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
}

/// A storage that a persistent id names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Storage<'a> {
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
pub(super) struct Tensor {
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
pub(super) struct Heap<'a> {
    pub sequences: Vec<Vec<Value<'a>>>,
    pub dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub storages: Vec<Storage<'a>>,
    pub tensors: Vec<Tensor>,
}

/// Runs one pickle at the front of `bytes`: its value, what it made, and how many bytes it took.
///
/// # Errors
/// What is broken or forbidden, as a sentence.
pub(super) fn load(bytes: &[u8]) -> Result<(Value<'_>, Heap<'_>, usize), String> {
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
                0x8a => self.long()?,
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Opaque)?;
                }
                // Python 2 wrote its strings as bytes: SHORT_BINSTRING, BINSTRING.
                0x8c | b'U' => self.string(1)?,
                b'X' | b'T' => self.string(4)?,
                0x8d => self.string(8)?,
                b'C' | b'B' => {
                    let n = self.length(if op == b'C' { 1 } else { 4 })?;
                    self.take(n)?;
                    self.push(Value::Opaque)?;
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
                // BUILD sets attributes: `_metadata` of a state dict, of which nothing is needed.
                b'b' => {
                    self.pop()?;
                    self.top()?;
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

    fn long(&mut self) -> Result<(), String> {
        let n = self.length(1)?;
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
        let text = std::str::from_utf8(bytes).or_else(|_| broken("a string that is not UTF-8"))?;
        self.push(Value::Str(text))
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
            _ => return broken("an item for something that is no list"),
        }
        Ok(())
    }

    /// Sets keys and values, alternating, on the dict on top; assigning twice keeps the later value at the earlier place,
    /// which the reader of the dict takes care of.
    fn set(&mut self, items: &[Value<'a>]) -> Result<(), String> {
        match self.top()? {
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

    fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        match Global::find(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(format!(
                "it asks for `{}.{}`. Only tensors and plain containers are read, code is never run; \
                 save the weights with `torch.save(model.state_dict(), ...)` or as safetensors",
                shown(module),
                shown(name)
            )),
        }
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
            [Value::Str("module"), ..] => {
                return Err(
                    "it holds a whole model with its code. Only tensors are read, code is never run; save the weights \
                            with `torch.save(model.state_dict(), ...)`"
                        .into(),
                );
            }
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
        let Value::Global(function) = function else { return broken("a call of something that is no function") };
        match (function, arguments.as_slice()) {
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
                    None => broken("a tensor of an untyped storage"),
                }
            }
            (
                Global::RebuildTensorV3,
                [Value::Storage(storage), offset, shape, strides, _, _, Value::Global(Global::Dtype(element)), ..],
            ) => self.tensor(*storage, *element, *offset, *shape, *strides),
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => Ok(*tensor),
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
