//! What a file is, by its first bytes; and for files that are something else, a sentence that helps.

use serde::{Deserialize, Serialize};

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// A JSON header and raw tensors.
    Safetensors,
    /// `torch.save` since 1.6: a zip archive with a pickle and a file for each storage.
    TorchZip,
    /// `torch.save` before 1.6: five pickles, then raw storages.
    TorchLegacy,
    /// `torch.save` before 0.1.10: a tar archive.
    TorchTar,
    /// A TorchScript program, of which the tensors are read.
    TorchScript,
    /// A program of `torch.export` (`.pt2`), of which the tensors are read.
    TorchExport,
    /// A pickle of NumPy arrays.
    Pickle,
    /// NumPy arrays in a zip archive.
    Npz,
    /// An ONNX model, of which the weights are read.
    Onnx,
    /// Keras' `.h5` and `.weights.h5`: an HDF5 file.
    KerasH5,
    /// A checkpoint of TensorFlow: a table of names, and mostly data files beside it; also that of a SavedModel.
    #[serde(rename = "tensorflow")]
    TensorFlow,
    /// Keras 3's `.keras`: a zip archive around one, with the model's configuration.
    Keras,
    /// A model of TensorFlow Lite that this program wrote.
    #[serde(rename = "tensorflow-lite")]
    TensorFlowLite,
    /// A model of TensorFlow.js' layers API that this program wrote: JSON, and a file of weights beside it.
    #[serde(rename = "tensorflow-js")]
    TensorFlowJs,
}

/// `torch.save`'s old files open with this number, 0x1950a86a20f9469cfc6c, pickled by protocol 2 as a LONG1 of ten bytes.
pub(super) const TORCH_LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

const HOW: &str = "save the weights as safetensors, or with `torch.save(model.state_dict(), ...)`";

/// The format, or the sentence for a file that is something else.
pub(super) fn sniff(bytes: &[u8]) -> Result<FileFormat, String> {
    if bytes.is_empty() {
        return Err("it is empty (0 bytes); the download or copy may have failed".into());
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Ok(FileFormat::TorchZip);
    }
    if bytes.starts_with(TORCH_LEGACY_MAGIC) {
        return Ok(FileFormat::TorchLegacy);
    }
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Ok(FileFormat::KerasH5);
    }
    if super::tflite_read::is_model(bytes) {
        return Ok(FileFormat::TensorFlowLite);
    }
    if super::table::is_table(bytes) {
        return Ok(FileFormat::TensorFlow);
    }
    if super::onnx_read::is_model(bytes) {
        return Ok(FileFormat::Onnx);
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Ok(FileFormat::TorchTar);
    }
    // PROTO and a version; every pickle since Python 2.3 begins so.
    if let [0x80, 1..=5, _, ..] = bytes {
        return if TORCH_LEGACY_MAGIC.starts_with(bytes) && bytes.len() < TORCH_LEGACY_MAGIC.len() {
            Err(format!("it ends after {} bytes; the download or copy was cut off", bytes.len()))
        } else {
            Ok(FileFormat::Pickle)
        };
    }
    // A safetensors file is a header length of 8 bytes, then a JSON object; the length itself is judged by the reader.
    if bytes.get(8) == Some(&b'{') {
        return Ok(FileFormat::Safetensors);
    }
    if bytes.len() < TORCH_LEGACY_MAGIC.len() && TORCH_LEGACY_MAGIC.starts_with(bytes) {
        return Err(format!("it ends after {} bytes; the download or copy was cut off", bytes.len()));
    }
    Err(other(bytes))
}

/// What a file that is no checkpoint seems to be, and what to do.
fn other(bytes: &[u8]) -> String {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let text: String =
        bytes.iter().take(512).map(|&b| if b.is_ascii() { b.to_ascii_lowercase() as char } else { '.' }).collect();
    let text = text.trim_start();
    if text.starts_with("version https://git-lfs") {
        "it is a Git LFS pointer, a few lines that stand for the real file; fetch that with `git lfs pull`, or download it again".into()
    } else if text.starts_with("<!doctype")
        || text.starts_with("<html")
        || text.starts_with("<?xml")
        || text.starts_with("<head")
    {
        "it is a web page, not weights: the download link led to a page; use the direct link to the file".into()
    } else if starts(b"GGUF") || starts(b"ggml") {
        format!("it is a GGUF file of a language model; {HOW}")
    } else if starts(b"\x93NUMPY") {
        format!("it is a single NumPy array; {HOW}")
    } else if starts(b"\x1f\x8b")
        || starts(b"\x28\xb5\x2f\xfd")
        || starts(b"BZh")
        || starts(b"\xfd7zXZ")
        || starts(b"7z\xbc\xaf")
    {
        "it is a compressed archive; unpack it first and choose the weights file inside".into()
    } else if starts(b"\x89PNG")
        || starts(b"\xff\xd8\xff")
        || starts(b"GIF8")
        || (starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
    {
        "it is an image; weights are a .safetensors, .pth, .pt, .th or .bin file".into()
    } else if bytes.get(2) == Some(&0x12)
        && bytes.windows(14).take(200_000).any(|part| part == b"saved_model.pb" || part == b"serving_defaul")
    {
        "it is a TensorFlow graph (saved_model.pb), which holds no weights: give the folder or a ZIP file of it, or \
         `variables/variables.index` with the data files beside it"
            .into()
    } else if bytes.first() == Some(&8)
        && bytes.get(1).is_some_and(|version| (1..=64).contains(version))
        && onnx_field(bytes.get(2))
    {
        format!("it looks like an ONNX model without its graph: the download or copy may have been cut off; {HOW}")
    } else if text.starts_with('{') || text.starts_with('[') {
        "it is text (JSON), not weights; a server may have answered with an error message instead of the file".into()
    } else if bytes.iter().take(512).all(|&b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        format!("it is a text file, not weights; {HOW}")
    } else if bytes.iter().take(4096).all(|&b| b == 0) {
        "it begins with zeros only; the download or copy may have failed".into()
    } else {
        "it is none of the files that can be read: safetensors, PyTorch's (.pth, .pt, .th, .bin, .pt2, .ckpt), NumPy's (.npz), \
         Keras' (.keras, .h5), TensorFlow's (.index with .data), ONNX"
            .into()
    }
}

/// In an ONNX `ModelProto`, `ir_version` (field 1) is followed by a string or message field of a low number.
fn onnx_field(tag: Option<&u8>) -> bool {
    matches!(tag, Some(0x12 | 0x1a | 0x22 | 0x3a | 0x42))
}
