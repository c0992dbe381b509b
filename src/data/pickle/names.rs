//! The names a pickle may use, and what they mean here.

use super::super::element::{Dtype, Element};

/// A name with a meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Global {
    OrderedDict,
    /// A dict whose arguments say nothing about its items.
    Dict,
    Counter,
    Set,
    Size,
    /// Makes a plain value that no tensor depends on: a device, a complex number.
    Plain,
    /// `_codecs.encode(text, 'latin1')`: how protocol 2 writes bytes.
    Encode,
    /// Gives its first argument back.
    Same,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildSubclass,
    Storage(Element),
    UntypedStorage,
    Dtype(Element),
    /// Any other name, by its number.
    Foreign(usize),
}

impl Global {
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("collections", "defaultdict") => Self::Dict,
            ("collections", "Counter") => Self::Counter,
            ("builtins" | "__builtin__", "dict") => Self::OrderedDict,
            ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "tuple") => Self::Set,
            ("torch", "Size") => Self::Size,
            ("torch", "device") | ("builtins" | "__builtin__", "bytearray" | "complex") => Self::Plain,
            ("_codecs", "encode") => Self::Encode,
            ("torch._utils", "_rebuild_tensor") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensorV2,
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildTensorV3,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::RebuildParameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::RebuildSubclass,
            ("torch.jit._pickle", "restore_type_tag" | "build_intlist" | "build_doublelist" | "build_boollist") => Self::Same,
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

/// Names that run commands or load code when Python opens the file.
pub(super) fn is_hostile(module: &str, name: &str) -> bool {
    let root = module.split('.').next().unwrap_or(module);
    match root {
        "builtins" | "__builtin__" => {
            matches!(
                name,
                "eval" | "exec" | "execfile" | "compile" | "__import__" | "open" | "input" | "breakpoint" | "globals"
            )
        }
        "os" | "posix" | "nt" | "subprocess" | "sys" | "shutil" | "socket" | "runpy" | "importlib" | "pty" | "commands"
        | "webbrowser" | "ctypes" | "pip" | "bdb" | "pdb" | "timeit" | "cProfile" | "asyncio" | "multiprocessing" => true,
        "code" => name.starts_with("Interactive") || name == "interact",
        _ => false,
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
        "complex32" => Element::Unsupported("complex32", 4),
        "complex64" => Element::Unsupported("complex64", 8),
        "complex128" => Element::Unsupported("complex128", 16),
        "float8_e4m3fn" => Element::Unsupported("float8_e4m3fn", 1),
        "float8_e4m3fnuz" => Element::Unsupported("float8_e4m3fnuz", 1),
        "float8_e5m2" => Element::Unsupported("float8_e5m2", 1),
        "float8_e5m2fnuz" => Element::Unsupported("float8_e5m2fnuz", 1),
        "float8_e8m0fnu" => Element::Unsupported("float8_e8m0fnu", 1),
        "float4_e2m1fn_x2" => Element::Unsupported("float4_e2m1fn_x2", 1),
        _ => return None,
    })
}
