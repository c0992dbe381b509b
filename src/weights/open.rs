//! From bytes to a network: the container, what is in it, which of that is the network.

use serde_json::Value;

use super::assume::Choices;
use super::contents::{Contents, Facts, Form};
use super::detect::{self, Beside, Detected};
use super::known::Config;
use super::select::select;
use super::table::{self, Table};
use super::zip::Archive;
use super::{
    FileFormat, StateDict, exported, format, keras, npy, onnx_read, pth, safetensors, shown, tar, tensorflow, tfjs, tfjs_read,
    tflite_read,
};
use crate::data::{ChannelOrder, Preset, Resize};
use crate::{Error, Result};

/// A weights file and the files that lie beside it.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// Names without folders, and contents: `config.json`, `preprocessor_config.json`, lists of classes, the other parts of a file
    /// in several, the other files of a TensorFlow checkpoint.
    pub beside: &'a [(String, Vec<u8>)],
}

impl<'a> Files<'a> {
    /// A file alone.
    pub fn alone(name: &'a str, bytes: &'a [u8]) -> Self {
        Self { name, bytes, beside: &[] }
    }

    fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.beside.iter().find(|(found, _)| found == name).map(|(_, bytes)| bytes.as_slice())
    }

    /// The file of this name, also the first.
    fn any(&self, name: &str) -> Option<&'a [u8]> {
        if base(self.name) == name { Some(self.bytes) } else { self.find(name) }
    }

    fn json(&self, name: &str) -> Option<Value> {
        serde_json::from_slice(self.find(name)?).ok()
    }
}

/// Names, without folders, of files that say more of the file called `name`; those that are there belong into [`Files::beside`]. A
/// file in several parts needs all of its parts.
pub fn companions(name: &str, bytes: &[u8]) -> Vec<String> {
    let file = base(name);
    let mut names: Vec<String> = ["config.json", "preprocessor_config.json"].map(String::from).into();
    if let Some(model) = tfjs_read::model(bytes) {
        names.extend(tfjs_read::files(&model));
    } else if table::is_table(bytes) {
        names.push(KERAS_METADATA.into());
        names.extend(tensorflow::shards(file, bytes));
    } else if let Some(index) = index_of(file, bytes) {
        names.extend(index);
    } else if onnx_read::is_model(bytes) {
        names.extend(onnx_read::external_files(bytes));
    } else if let Some((stem, rest)) = file.split_once("-00")
        && let Some((_, count)) = rest.rsplit_once("-of-")
    {
        // A part of a file in parts: the others have the same name but for the number.
        let digits: String = count.chars().take_while(char::is_ascii_digit).collect();
        let ending = &count[digits.len()..];
        let parts = digits.parse::<usize>().unwrap_or(0).min(MAX_PARTS);
        let part = |i: usize| format!("{stem}-{i:00$}-of-{digits}{ending}", digits.len());
        names.extend((1..=parts).map(part).filter(|part| part != file));
    }
    names
}

/// Whether a file of this path may belong to a network in several files.
pub fn is_part(path: &str) -> bool {
    let name = base(path);
    [".json", ".index", ".pb", ".safetensors"].iter().any(|ending| name.ends_with(ending))
        || [CHECKPOINT, tfjs::WEIGHTS].contains(&name)
        || tensorflow::index_name(name).is_some()
}

/// Says in a folder of checkpoints which is the latest.
const CHECKPOINT: &str = "checkpoint";
/// Most parts of a file that are looked for.
const MAX_PARTS: usize = 1000;
/// Keras 2's configuration of a model, in the folder above a SavedModel's variables.
const KERAS_METADATA: &str = "keras_metadata.pb";

/// A name without folders.
fn base(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// The parts that an index names, if the file is one.
fn index_of(name: &str, bytes: &[u8]) -> Option<Vec<String>> {
    if !name.ends_with(".index.json") && !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let index: Value = serde_json::from_slice(bytes).ok()?;
    let mut parts: Vec<String> = Vec::new();
    for part in index["weight_map"].as_object()?.values().filter_map(Value::as_str) {
        // A name, never a way out of the folder.
        if !part.contains(['/', '\\']) && parts.len() < MAX_PARTS && !parts.iter().any(|known| known == part) {
            parts.push(part.to_string());
        }
    }
    Some(parts)
}

/// Lists what is in an HDF5 file of Keras, with the model's configuration where that lies beside it.
pub(super) type Hdf5 = for<'a> fn(&'a [u8], Option<Value>) -> Result<Contents<'a>, String>;

/// For who has no reader of HDF5: in the page that is a part of its own, which a file of that kind alone asks for.
pub(super) fn no_hdf5(_: &[u8], _: Option<Value>) -> Result<Contents<'_>, String> {
    Err(HDF5_INSIDE.into())
}

/// What [`no_hdf5`] says. No person reads it: who is told so reads the file again, with the reader.
pub(super) const HDF5_INSIDE: &str = "it holds a file of HDF5";

/// What is done with a file's contents once they are listed.
type Visit<'v> = &'v mut dyn FnMut(FileFormat, Contents<'_>) -> Result<()>;

/// Reads a file, finds its network and checks every tensor against it.
///
/// # Errors
/// [`Error::WeightsFile`] saying what the file is instead, or what is wrong with it; those of [`detect::detect`].
pub fn load(files: &Files<'_>, choices: &Choices) -> Result<(Detected, FileFormat)> {
    load_with(files, choices, keras::list)
}

/// [`load`] with a reader of HDF5.
pub(super) fn load_with(files: &Files<'_>, choices: &Choices, hdf5: Hdf5) -> Result<(Detected, FileFormat)> {
    let config = files.json("config.json");
    let preprocessor = files.json("preprocessor_config.json");
    let config = config.map(|config| Config::read(&config, preprocessor.as_ref()));
    let mut loaded = None;
    visit(files, hdf5, &mut |format, contents| {
        loaded = Some((recognised(files.name, config.as_ref(), choices, contents)?, format));
        Ok(())
    })?;
    // `visit` calls once or fails.
    loaded.ok_or_else(|| Error::WeightsFile { file: files.name.into(), reason: "nothing was read".into() })
}

/// The network of a file's contents.
pub(super) fn recognised(
    name: &str,
    config: Option<&Config>,
    choices: &Choices,
    mut contents: Contents<'_>,
) -> Result<Detected> {
    if detect::has_table(&contents.metadata) {
        // Our own: exactly its names.
        let state = everything(name, &contents)?;
        return detect::recognise(state, &Beside { choices: choices.clone(), ..Beside::default() });
    }
    contents.join_factors();
    let selected = select(name, &contents, choices)?;
    let (pixels, sentence) = their_pixels(&contents.facts).unzip();
    let beside = Beside { choices: choices.clone(), config: config.cloned(), facts: contents.facts, prefix: &selected.prefix };
    let in_file = |error| with_their_names(error, &selected.names, selected.whose);
    let mut found = detect::recognise(selected.state, &beside).map_err(in_file)?;
    found.assumed.extend(selected.assumed);
    found.assumed.extend(sentence);
    found.notes.splice(0..0, selected.notes);
    let theirs = config.and_then(|config| config.pixels.as_ref());
    if let Some(pixels) = pixels.filter(|_| config.is_none()) {
        found.preset = known_preset(&pixels);
        keep_pixels(&mut found, &pixels);
    }
    if let Some(pixels) = theirs {
        keep_pixels(&mut found, pixels);
    }
    Ok(found)
}

fn keep_pixels(found: &mut Detected, pixels: &Preset) {
    let json = serde_json::to_string(pixels).expect("plain data becomes JSON");
    found.weights.metadata.entry("pixels".into()).or_insert(json);
}

/// How the sentence begins that says which pixels were assumed; it is not said to who names them.
pub const PIXELS_TAKEN: &str = "pixels were taken";

/// How nets of these forms want their pixels, and the sentence that says so: Keras' `load_img(target_size=...)` and `preprocess_input`,
/// unless the model itself scales pixels; TF-slim's preprocessing by its factory.
fn their_pixels(facts: &Facts) -> Option<(Preset, String)> {
    let (name, what) = match facts.form? {
        Form::KerasV1 | Form::KerasOld => {
            ("caffe-exact", "as `keras.applications.resnet.preprocess_input` gives them (BGR less the mean)")
        }
        Form::KerasV2 => ("keras-v2-exact", "as `keras.applications.resnet_v2.preprocess_input` gives them (-1 to 1)"),
        Form::SlimV1 => {
            let (channel_order, mean) = (ChannelOrder::Rgb, [123.68, 116.779, 103.939]);
            let preset = Preset { name: "slim-vgg".into(), channel_order, mean, ..Preset::named("caffe").ok()? };
            let what = "as TF-slim's `vgg_preprocessing` gives them to its v1 nets (RGB less the mean)";
            return Some((preset, format!("{PIXELS_TAKEN} {what}")));
        }
        Form::SlimV2 => {
            let (resize, crop) = (Resize::Shorter(342), (299, 299));
            let preset = Preset { name: "slim-inception".into(), resize, crop, ..Preset::named("keras-v2").ok()? };
            let what = "as TF-slim's `inception_preprocessing` gives them to its v2 nets (-1 to 1), at 299 x 299";
            return Some((preset, format!("{PIXELS_TAKEN} {what}")));
        }
    };
    let mut preset = Preset::named(name).ok()?.with_size(facts.side.unwrap_or(224)).ok()?;
    let what = match facts.rescaling {
        Some((scale, offset)) => {
            let rgb = ChannelOrder::Rgb;
            preset =
                Preset { name: "rescaling".into(), channel_order: rgb, scale, mean: [-offset; 3], std: [1.0; 3], ..preset };
            "as its layer `Rescaling` makes them"
        }
        None => what,
    };
    preset.validate().ok()?;
    let (width, height) = preset.crop;
    Some((preset, format!("{PIXELS_TAKEN} {what}, of pictures resized to exactly {width} x {height}")))
}

/// The name of a preset with these numbers.
fn known_preset(pixels: &Preset) -> Option<String> {
    Preset::named(&pixels.name).ok().filter(|known| known == pixels).map(|known| known.name)
}

/// A safetensors file with its table in the metadata; `None` for any other.
pub(super) fn own(files: &Files<'_>) -> Result<Option<Detected>> {
    let wrong = |reason: String| Error::WeightsFile { file: files.name.into(), reason };
    let contents = safetensors::list(&[files.bytes]).map_err(wrong)?;
    if !detect::has_table(&contents.metadata) {
        return Ok(None);
    }
    detect::by_table(everything(files.name, &contents)?).map(Some)
}

/// Names the tensor as the file does.
fn with_their_names(error: Error, names: &indexmap::IndexMap<String, String>, whose: &str) -> Error {
    match error {
        Error::TensorMismatch { tensor, expected, found } => match names.get(&tensor) {
            Some(theirs) if *theirs != tensor => Error::TensorMismatch { tensor: theirs.clone(), expected, found },
            None if whose != "torchvision" => {
                Error::TensorMismatch { tensor: format!("{tensor}` (of {whose}, in torchvision's names) `"), expected, found }
            }
            _ => Error::TensorMismatch { tensor, expected, found },
        },
        other => other,
    }
}

/// Every tensor of a safetensors file that this project writes or is given by its own pages.
pub(super) fn read_safetensors(name: &str, bytes: &[u8]) -> Result<StateDict> {
    let wrong = |reason: String| Error::WeightsFile { file: name.into(), reason };
    match format::sniff(bytes).map_err(wrong)? {
        FileFormat::Safetensors => everything(name, &safetensors::list(&[bytes]).map_err(wrong)?),
        _ => Err(wrong("a safetensors file was expected here, and this is one of another kind".into())),
    }
}

/// Every tensor of floating-point numbers, wrappers' prefixes taken off.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<StateDict> {
    let mut state = StateDict::default();
    visit(&Files::alone(name, bytes), keras::list, &mut |_, contents| {
        state = everything(name, &contents)?;
        Ok(())
    })?;
    state.strip_prefixes();
    Ok(state)
}

/// Where training scripts keep the weights; the first that holds tensors is taken.
const CONTAINERS: &[&str] = &[
    "state_dict.",
    "model_state_dict.",
    "model_state.",
    "model.",
    "net.",
    "network.",
    "weights.",
    "params.",
    "module.",
    "state_dict_ema.",
    "model_ema.",
];

fn everything(file: &str, contents: &Contents<'_>) -> Result<StateDict> {
    let wrong = |reason: String| Error::WeightsFile { file: file.into(), reason };
    let below = CONTAINERS.iter().find(|container| contents.tensors.keys().any(|name| name.starts_with(**container)));
    let below = below.filter(|_| !contents.tensors.keys().any(|name| !name.contains('.'))).unwrap_or(&"");
    let mut state = StateDict { metadata: contents.metadata.clone(), ..StateDict::default() };
    let mut unreadable = None;
    for (name, stored) in contents.tensors.iter() {
        let Some(short) = name.strip_prefix(below) else { continue };
        if stored.is_float() {
            state.tensors.insert(short.into(), contents.read(name).map_err(wrong)?);
        } else if unreadable.is_none() && matches!(stored.element, crate::data::element::Element::Unsupported(..)) {
            unreadable = Some(name);
        }
    }
    if state.tensors.is_empty() {
        return Err(wrong(match unreadable.map(|name| contents.read(name)) {
            Some(Err(reason)) => reason,
            _ => "it holds no tensors of floating-point numbers".into(),
        }));
    }
    Ok(state)
}

/// Lists what the file holds.
fn visit(files: &Files<'_>, hdf5: Hdf5, done: Visit<'_>) -> Result<()> {
    let wrong = |reason: String| Error::WeightsFile { file: files.name.into(), reason };
    if let Some(index) = checkpoint(files).map_err(wrong)? {
        let (all, config) = (|name: &str| files.any(name), files.find(KERAS_METADATA));
        return visit_checkpoint(index, &all, config, done).map_err(wrong)?;
    }
    // Whichever of its files is given first.
    if [tfjs::MODEL, tfjs::WEIGHTS].contains(&base(files.name))
        && let Some(bytes) = files.any(tfjs::MODEL)
        && let Some(model) = tfjs_read::model(bytes)
    {
        let contents = tfjs_read::list(&model, bytes.len(), &|name| files.any(name)).map_err(wrong)?;
        return done(FileFormat::TensorFlowJs, contents);
    }
    let format = match format::sniff(files.bytes) {
        Ok(format) => format,
        // An index names the parts; the file itself holds nothing.
        Err(reason) => match index_of(files.name, files.bytes) {
            Some(parts) => return visit_parts(files, &parts, done),
            None => return Err(wrong(reason)),
        },
    };
    let contents = match format {
        FileFormat::Safetensors => {
            let all = companions(files.name, files.bytes);
            if all.len() > 2 && all[2..].iter().any(|part| files.find(part).is_some()) {
                let mut parts = all[2..].to_vec();
                parts.insert(0, String::new());
                return visit_parts(files, &parts, done);
            }
            safetensors::list(&[files.bytes])
        }
        FileFormat::KerasH5 => hdf5(files.bytes, None),
        FileFormat::TorchZip | FileFormat::TorchScript | FileFormat::TorchExport | FileFormat::Npz | FileFormat::Keras => {
            return visit_zip(files, 0, hdf5, done);
        }
        FileFormat::TorchLegacy => pth::parse_legacy(files.bytes),
        FileFormat::TorchTar => tar::parse(files.bytes),
        FileFormat::Pickle => pth::parse_pickle(files.bytes),
        FileFormat::Onnx => onnx_read::list(files.bytes, &|name| files.find(name)),
        FileFormat::TensorFlowLite => tflite_read::list(files.bytes),
        // Never: `checkpoint` knows every table, and JSON has no first bytes of its own.
        FileFormat::TensorFlow | FileFormat::TensorFlowJs => Err("it is a table without names".into()),
    };
    done(format, contents.map_err(wrong)?)
}

/// Name and content of the table of names, where the files are a TensorFlow checkpoint: whichever of them is given first. Of several
/// that one which the folder's file `checkpoint` says is the latest.
fn checkpoint<'a>(files: &Files<'a>) -> Result<Option<(&'a str, &'a [u8])>, String> {
    let (name, is_table) = (base(files.name), table::is_table(files.bytes));
    let index = tensorflow::index_name(name);
    if !is_table && index.is_none() && name != "saved_model.pb" {
        return Ok(None);
    }
    let beside = files.beside.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let mut tables: Vec<_> = beside.filter(|(name, bytes)| name.ends_with(".index") && table::is_table(bytes)).collect();
    if is_table {
        tables.insert(0, (name, files.bytes));
    }
    if let Some(index) = index {
        let found = tables.into_iter().find(|(name, _)| *name == index);
        return found.map(Some).ok_or_else(|| tensorflow::missing(&index));
    }
    choose(&tables, files.find(CHECKPOINT).and_then(tensorflow::latest).as_ref())
}

/// The table of this name, else the only one.
fn choose<'a>(tables: &[(&'a str, &'a [u8])], name: Option<&String>) -> Result<Option<(&'a str, &'a [u8])>, String> {
    if let Some(found) = tables.iter().find(|(found, _)| Some(base(found)) == name.map(String::as_str)) {
        return Ok(Some(*found));
    }
    match tables {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        several => Err(format!(
            "there are {} TensorFlow checkpoints (`{}`, ...); choose the files of one of them",
            several.len(),
            shown(several[0].0)
        )),
    }
}

/// A checkpoint whose table of names has this name and content; `find` gives its other files.
fn visit_checkpoint<'a>(
    (name, index): (&str, &'a [u8]),
    find: &dyn Fn(&str) -> Option<&'a [u8]>,
    keras: Option<&[u8]>,
    done: Visit<'_>,
) -> Result<Result<()>, String> {
    let table = Table::open(index)?;
    let stem = name.strip_suffix(".index").unwrap_or(name);
    let shard = |number: usize, count: usize| {
        let name = format!("{stem}.data-{number:05}-of-{count:05}");
        find(&name).ok_or_else(|| tensorflow::missing(&name))
    };
    let config = keras.and_then(tensorflow::keras_metadata);
    let contents = tensorflow::list(&table, &shard, config.as_ref())?;
    Ok(done(FileFormat::TensorFlow, contents))
}

/// A file in parts; an empty name stands for the file itself.
fn visit_parts(files: &Files<'_>, parts: &[String], done: Visit<'_>) -> Result<()> {
    let wrong = |reason: String| Error::WeightsFile { file: files.name.into(), reason };
    let missing: Vec<String> =
        parts.iter().filter(|part| !part.is_empty() && files.find(part).is_none()).map(|part| shown(part)).collect();
    if !missing.is_empty() {
        return Err(wrong(format!(
            "it is one of {} parts, and {} of them {} missing: put `{}` into the same folder (in the page: choose them together)",
            parts.len(),
            missing.len(),
            if missing.len() == 1 { "is" } else { "are" },
            missing.iter().take(3).cloned().collect::<Vec<_>>().join("`, `")
        )));
    }
    let bytes: Vec<&[u8]> =
        parts.iter().map(|part| if part.is_empty() { files.bytes } else { files.find(part).unwrap_or_default() }).collect();
    if let Some(other) = bytes.iter().position(|part| format::sniff(part) != Ok(FileFormat::Safetensors)) {
        return Err(wrong(format!(
            "its part `{}` is no safetensors file; files in parts are read in that format: save one file with \
             `save_pretrained(folder, safe_serialization=True, max_shard_size=\"10GB\")`",
            shown(&parts[other])
        )));
    }
    done(FileFormat::Safetensors, safetensors::list(&bytes).map_err(wrong)?)
}

/// How deep archives may be inside each other.
const MAX_NESTING: usize = 2;

/// A zip archive, by what is in it.
fn visit_zip(files: &Files<'_>, depth: usize, hdf5: Hdf5, done: Visit<'_>) -> Result<()> {
    let wrong = |reason: String| Error::WeightsFile { file: files.name.into(), reason };
    let archive = Archive::open(files.bytes).map_err(wrong)?;
    let pickle = archive
        .names()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .filter(|root| root.is_empty() || root.ends_with('/'))
        .min_by_key(|root| root.len());
    if let Some(root) = pickle {
        let script = archive.get(&format!("{root}constants.pkl")).is_some();
        let format = if script { FileFormat::TorchScript } else { FileFormat::TorchZip };
        return done(format, pth::parse_zip(&archive, root).map_err(wrong)?);
    }
    if let Some(entry) = archive.get("model.weights.h5") {
        let config = archive.get("config.json").map(|entry| archive.bytes(entry)).transpose().map_err(wrong)?;
        let config = config.and_then(|json| serde_json::from_slice(json).ok());
        let contents = hdf5(archive.bytes(entry).map_err(wrong)?, config).map_err(wrong)?;
        return done(FileFormat::Keras, contents);
    }
    if let Some(index) = checkpoint_inside(&archive).map_err(wrong)? {
        let bytes = |name: &str| archive.get(name).and_then(|entry| archive.bytes(entry).ok());
        let folder = &index[..index.len() - base(&index).len()];
        let above = folder.strip_suffix("variables/").unwrap_or(folder);
        let (table, config) = (bytes(&index).unwrap_or_default(), bytes(&format!("{above}{KERAS_METADATA}")));
        let find = |name: &str| bytes(&format!("{folder}{name}"));
        return visit_checkpoint((base(&index), table), &find, config, done).map_err(wrong)?;
    }
    let model = archive.names().find(|name| base(name) == tfjs::MODEL && !name.starts_with("__MACOSX/")).map(str::to_string);
    if let Some(name) = model {
        let bytes = |name: &str| archive.get(name).and_then(|entry| archive.bytes(entry).ok());
        if let Some(model) = bytes(&name).and_then(tfjs_read::model) {
            let folder = &name[..name.len() - tfjs::MODEL.len()];
            let find = |name: &str| bytes(&format!("{folder}{name}"));
            return done(FileFormat::TensorFlowJs, tfjs_read::list(&model, archive.len(), &find).map_err(wrong)?);
        }
    }
    if archive.names().any(|name| name.ends_with(".npy")) {
        return done(FileFormat::Npz, npy::list(&archive).map_err(wrong)?);
    }
    if let Some(inner) = exported::state(&archive) {
        let bytes = archive.get(&inner).map(|entry| archive.bytes(entry)).transpose().map_err(wrong)?.unwrap_or_default();
        let mut done = |_, contents: Contents<'_>| done(FileFormat::TorchExport, contents);
        return visit_zip(&Files { bytes, ..*files }, depth + 1, hdf5, &mut done);
    }
    if exported::has_weights(&archive) {
        return done(FileFormat::TorchExport, exported::list(&archive).map_err(wrong)?);
    }
    let is_weights = |name: &&str| {
        [".pth", ".pt", ".th", ".bin", ".safetensors", ".npz", ".ckpt", ".pkl", ".h5", ".keras", ".onnx"]
            .iter()
            .any(|ending| name.ends_with(ending))
            && !name.starts_with("__MACOSX/")
    };
    let inside: Vec<&str> = archive.names().filter(is_weights).collect();
    match inside.as_slice() {
        [one] if depth < MAX_NESTING => {
            let entry = archive.get(one).ok_or_else(|| wrong("an entry is missing".into()))?;
            let bytes = archive.bytes(entry).map_err(wrong)?;
            let mut done = |format, mut contents: Contents<'_>| {
                contents.facts.notes.push(format!("it is a zip archive; `{}` inside was read", shown(one)));
                done(format, contents)
            };
            let inner = Files { bytes, ..*files };
            match format::sniff(bytes).map_err(wrong)? {
                FileFormat::TorchZip => visit_zip(&inner, depth + 1, hdf5, &mut done),
                _ => visit(&inner, hdf5, &mut done),
            }
        }
        [_, _, ..] => Err(wrong(format!(
            "it is a zip archive around {} weights files (`{}`, ...); unpack it and choose one of them",
            inside.len(),
            shown(inside[0])
        ))),
        _ => Err(wrong(
            "it is a zip archive without `data.pkl` or another file of weights in it; choose a file that `torch.save`, safetensors, \
             NumPy or Keras has written"
                .into(),
        )),
    }
}

/// The table of names of the TensorFlow checkpoint in an archive.
fn checkpoint_inside(archive: &Archive<'_>) -> Result<Option<String>, String> {
    let bytes = |name: &str| archive.get(name).and_then(|entry| archive.bytes(entry).ok());
    let names = archive.names().filter(|name| name.ends_with(".index") && !name.starts_with("__MACOSX/"));
    let tables: Vec<_> = names.filter_map(|name| Some((name, bytes(name).filter(|bytes| table::is_table(bytes))?))).collect();
    let latest = archive.names().find(|name| base(name) == CHECKPOINT).and_then(|name| tensorflow::latest(bytes(name)?));
    Ok(choose(&tables, latest.as_ref())?.map(|(name, _)| name.to_string()))
}
