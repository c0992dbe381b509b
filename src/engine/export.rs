//! The loaded model as a file for other programs, and the lines of code that use it there.

mod recipes;

use indexmap::IndexMap;

use super::calibrate::Calibration;
use super::message::Origin;
use crate::data::{Activation, Preset, zip};
use crate::device::Device;
use crate::model::ResNetSpec;
use crate::train::checkpoint;
use crate::weights::deploy::Deployed;
use crate::weights::eight::EightBits;
use crate::weights::tflite::{self, Numbers};
use crate::weights::{Dtype, HostTensor, StateDict, hub, onnx, safetensors, tfjs};
use crate::{Error, Result};

/// Licence of the bundled model, which was trained for this project.
pub const BUNDLED_LICENSE: &str = "MIT OR Apache-2.0";

/// Longest name of a file without its ending, in characters.
const MAX_NAME: usize = 100;

/// Kinds of files a model can be exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportFormat {
    /// PyTorch's names, class names and pixels in the metadata; this program reads it back.
    Safetensors,
    /// The whole network, for ONNX Runtime.
    Onnx,
    /// The whole network for TensorFlow.js, as Teachable Machine saves it: three files, in a ZIP file.
    TensorFlowJs,
    /// The whole network for LiteRT and MediaPipe.
    TensorFlowLite,
    /// The same with weights of 16 bits.
    TensorFlowLiteF16,
}

impl ExportFormat {
    /// The ending of its files' names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
            Self::TensorFlowJs => "zip",
            Self::TensorFlowLite | Self::TensorFlowLiteF16 => "tflite",
        }
    }

    /// What stands before the ending, where several kinds have the same.
    fn suffix(self) -> &'static str {
        match self {
            Self::TensorFlowJs => "-tfjs",
            Self::TensorFlowLiteF16 => "-f16",
            Self::Safetensors | Self::Onnx | Self::TensorFlowLite => "",
        }
    }
}

/// Everything that makes a model.
#[derive(Debug, Clone, Copy)]
pub struct Portable<'a> {
    /// What people call it: a name, or the name or path of a file.
    pub name: &'a str,
    /// The network.
    pub spec: &'a ResNetSpec,
    /// Its parameters under their checkpoint keys.
    pub weights: &'a StateDict,
    /// Class names in the order of the logits; empty for a net without a head.
    pub labels: &'a [String],
    /// How pictures become its input.
    pub pixels: &'a Preset,
    /// How its outputs become probabilities.
    pub activation: Activation,
    /// Where it came from, which tells the licence of models that others published.
    pub origin: Origin,
}

/// A file, and how to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// What to call it.
    pub file_name: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Lines of code that use it.
    pub recipes: Recipes,
}

/// Short programs that classify a picture with an exported file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipes {
    /// For Python; empty where there is none.
    pub python: String,
    /// For JavaScript in a page.
    pub javascript: String,
    /// For other languages, each with its name; nobody has run these.
    pub others: Vec<(&'static str, String)>,
}

impl Portable<'_> {
    /// The model as a file.
    ///
    /// # Errors
    /// [`TensorMismatch`](crate::Error::TensorMismatch) when the weights are not the network's, [`Usage`](crate::Error::Usage) when the format cannot hold them.
    pub fn write(&self, format: ExportFormat) -> Result<Exported> {
        let bytes = match format {
            ExportFormat::Safetensors => self.safetensors()?,
            ExportFormat::Onnx => self.onnx()?,
            ExportFormat::TensorFlowJs => {
                let files = self.tensorflow_js()?;
                zip::stored(files.iter().map(|(name, bytes)| (*name, bytes.as_slice()))).ok_or_else(|| {
                    Error::Usage("it is larger than the 4 GB that a file in a ZIP file can be; export it as safetensors".into())
                })?
            }
            ExportFormat::TensorFlowLite => self.deployed(|model| tflite::write(model, Numbers::Float32))?,
            ExportFormat::TensorFlowLiteF16 => self.deployed(|model| tflite::write(model, Numbers::Float16))?,
        };
        let file_name = self.file_name(format);
        let recipes = self.recipes(format, &file_name);
        Ok(Exported { file_name, bytes, recipes })
    }

    /// Programs that use the file called `file_name`.
    pub fn recipes(&self, format: ExportFormat, file_name: &str) -> Recipes {
        recipes::recipes(self, format, file_name)
    }

    fn safetensors(&self) -> Result<Vec<u8>> {
        let mut metadata = self.metadata();
        if let Some(license) = self.license() {
            metadata.insert("license".into(), license);
        }
        // In the order of the network, whatever the file's was.
        let params = self.spec.build()?.params();
        let tensors: Vec<(&str, &HostTensor)> = params
            .iter()
            .map(|param| Ok((param.name.as_str(), self.weights.get(&param.name, &param.shape)?)))
            .collect::<Result<_>>()?;
        // What came in 16 bits loses nothing when it goes out in them.
        let half = tensors.iter().all(|(_, tensor)| tensor.dtype == Dtype::F16);
        // PyTorch's counter beside each running mean; how often it was updated is not known any more.
        let norms = params.iter().filter_map(|param| param.name.strip_suffix("running_mean"));
        let counters: Vec<(String, i64)> = norms.map(|norm| (format!("{norm}num_batches_tracked"), 0)).collect();
        safetensors::write_parts(&metadata, &counters, &tensors, if half { Dtype::F16 } else { Dtype::F32 })
    }

    fn onnx(&self) -> Result<Vec<u8>> {
        let mut metadata = self.metadata();
        if let Some(license) = self.license() {
            metadata.insert("model_license".into(), license); // the key that ONNX recommends
        }
        let (width, height) = self.pixels.crop;
        onnx::write(self.spec, self.weights, (height as usize, width as usize), &metadata)
    }

    /// The files of the model for TensorFlow.js, by name.
    ///
    /// # Errors
    /// Those of [`tfjs::write`].
    pub fn tensorflow_js(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        self.deployed(|model| tfjs::write(model, &self.stem()))
    }

    /// The model for TensorFlow Lite in numbers of 8 bits; `ranges` are of a [`Calibration`].
    ///
    /// # Errors
    /// Those of [`tflite::write`].
    pub fn tensorflow_lite_int8(&self, ranges: &[(f32, f32)]) -> Result<Vec<u8>> {
        self.deployed(|model| tflite::write(model, Numbers::Int8(ranges)))
    }

    /// Looks at pictures, to spread numbers of 8 bits over them.
    ///
    /// # Errors
    /// Those of [`Calibration::new`].
    pub fn calibration(&self, ctx: &Device) -> Result<Calibration> {
        self.deployed(|model| Calibration::new(ctx, model))
    }

    /// What the file of 8 bits will answer.
    ///
    /// # Errors
    /// Those of [`EightBits::new`].
    pub fn eight_bits(&self, ranges: &[(f32, f32)]) -> Result<EightBits> {
        self.deployed(|model| EightBits::new(model, ranges))
    }

    /// What `write` makes of the network with all that its users need to know.
    fn deployed<T>(&self, write: impl FnOnce(&Deployed<'_>) -> Result<T>) -> Result<T> {
        let mut metadata = self.metadata();
        if let Some(license) = self.license() {
            metadata.insert("license".into(), license);
        }
        let Self { spec, weights, labels, pixels, activation, .. } = *self;
        write(&Deployed { spec, weights, labels, pixels, activation, metadata: &metadata })
    }

    fn metadata(&self) -> IndexMap<String, String> {
        checkpoint::metadata(self.spec, self.labels, self.pixels, self.activation)
    }

    /// Of the file it came from, or of the model that was published under its name.
    fn license(&self) -> Option<String> {
        let own = ["license", "model_license"].iter().find_map(|key| self.weights.metadata.get(*key));
        let published = || match self.origin {
            Origin::Bundled => Some(BUNDLED_LICENSE.into()),
            Origin::Downloaded | Origin::FromThisDevice => hub::find(self.name).ok().map(|model| model.license.into()),
            Origin::OwnFile | Origin::Trained => None,
        };
        own.cloned().or_else(published)
    }

    /// What to call a file of 8 bits.
    pub fn file_name_int8(&self) -> String {
        format!("{}-int8.tflite", self.stem())
    }

    fn file_name(&self, format: ExportFormat) -> String {
        format!("{}{}.{}", self.stem(), format.suffix(), format.extension())
    }

    /// Its name without folders, the ending of a weights file, and what file systems do not take.
    fn stem(&self) -> String {
        let name = self.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let endings = [".safetensors", ".pth", ".pt", ".th", ".bin", ".onnx", ".tflite"];
        let stem = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        let fine = |c: char| if c.is_control() || "<>:\"|?*".contains(c) { '_' } else { c };
        let stem: String = stem.trim().trim_start_matches('.').chars().map(fine).take(MAX_NAME).collect();
        if stem.is_empty() { self.spec.arch.clone() } else { stem }
    }
}

#[cfg(test)]
mod tests;
