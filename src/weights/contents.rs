//! What a file holds before a number of it is read: names, shapes and element types of its tensors, and what its other objects
//! tell. Every reader of a format gives one of these; the tensors that the network needs are then read one by one.

use std::cell::Cell;

use indexmap::IndexMap;
use serde_json::Value;

use super::{HostTensor, shown};
use crate::data::Activation;
use crate::data::element::Element;

/// A file, listed.
pub(super) struct Contents<'a> {
    /// Tensors by their whole name: containers inside the file count as prefixes (`state_dict.module.conv1.weight`).
    pub tensors: IndexMap<String, Stored>,
    /// String metadata of safetensors, under its own keys.
    pub metadata: IndexMap<String, String>,
    /// What else it tells.
    pub facts: Facts,
    source: Source<'a>,
    /// Elements that may still be made. Every element of an honest file takes a byte or more, so as many as the file has bytes
    /// are enough; views that repeat a storage over and over run out.
    budget: Cell<usize>,
}

/// Reads the elements at a place, row by row.
pub(super) type Source<'a> = Box<dyn Fn(&Stored) -> Result<Vec<f32>, String> + 'a>;

/// A tensor that can be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub shape: Vec<usize>,
    pub element: Element,
    /// The reader's own number for it.
    pub place: usize,
    /// Computed from tensors of these names instead.
    pub made_of: Option<MadeOf>,
}

/// A weight that a file keeps in factors.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MadeOf {
    /// `g * v / |v|`, the norm over all axes but the first.
    WeightNorm { magnitude: String, direction: String },
    /// `w / (u W v)`.
    SpectralNorm { weight: String, u: String, v: String },
}

/// What a file tells beside its tensors.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Facts {
    /// Objects under keys that name classes (`class_to_idx`, `classes`, ...), in the order of the file.
    pub names: Vec<(String, Value)>,
    /// Names of networks: `arch` of training scripts.
    pub arch: Vec<String>,
    /// Layers of a pickled module by path.
    pub modules: IndexMap<String, Module>,
    /// Tensors in a list, without names.
    pub nameless: usize,
    /// Keys at the top, for errors.
    pub keys: Vec<String>,
    /// What the person should know of how it was read.
    pub notes: Vec<String>,
    /// Whose nets its layers' names are.
    pub form: Option<Form>,
    /// What its last layer makes of its outputs.
    pub activation: Option<Activation>,
    /// Factor and offset of a layer that scales pixels before the network.
    pub rescaling: Option<(f32, f32)>,
    /// Side of the pictures it was made for, in pixels.
    pub side: Option<u32>,
}

/// Nets of other frameworks that names tell, but shapes do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Keras Applications' `ResNet50`, `ResNet101`, `ResNet152`: stride on the first 1x1, biases everywhere.
    KerasV1,
    /// Its `ResNet50` before Keras 2.3: other names, and an epsilon of 1e-3.
    KerasOld,
    /// `ResNet50V2`, ...: pre-activation, stride in a stage's last block.
    KerasV2,
    /// TF-slim's `resnet_v1_50`, ...: stride in a stage's last block, its pool padded as TensorFlow does.
    SlimV1,
    /// TF-slim's `resnet_v2_50`, ...
    SlimV2,
}

impl Form {
    pub fn is_keras(self) -> bool {
        matches!(self, Self::KerasV1 | Self::KerasOld | Self::KerasV2)
    }
}

/// A layer of a pickled module.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Module {
    /// Module and name of its class.
    pub class: (String, String),
    pub stride: Option<usize>,
    pub eps: Option<f64>,
    pub dilation: Option<usize>,
}

impl Stored {
    pub fn new(shape: Vec<usize>, element: Element, place: usize) -> Self {
        Self { shape, element, place, made_of: None }
    }

    /// Whether its elements are numbers a network computes with.
    pub fn is_float(&self) -> bool {
        matches!(self.element, Element::Float(_))
    }
}

/// Whether a tensor of this name is a factor of another, see [`Contents::join_factors`].
pub(super) fn is_factor(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    name.contains(".parametrizations.") || matches!(last, "weight_g" | "weight_v" | "weight_u" | "weight_orig")
}

impl<'a> Contents<'a> {
    /// `limit` is the number of elements that may be read in all.
    pub fn new(tensors: IndexMap<String, Stored>, limit: usize, source: Source<'a>) -> Self {
        Self { tensors, metadata: IndexMap::new(), facts: Facts::default(), source, budget: Cell::new(limit) }
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// Why it cannot be read, beginning with its name.
    pub fn read(&self, name: &str) -> Result<HostTensor, String> {
        let of = |reason: String| format!("tensor `{}`: {reason}", shown(name));
        let stored = self.tensors.get(name).ok_or_else(|| of("it is missing".into()))?;
        let dtype = match stored.element {
            Element::Float(dtype) => dtype,
            Element::Integer(bytes) => {
                return Err(of(format!(
                    "its elements are whole numbers of {bytes} bytes; floating-point numbers are expected"
                )));
            }
            Element::Unsupported(kind, _) => {
                return Err(of(format!("its elements are of type {kind}; f32, f16, bf16 and f64 can be read")));
            }
        };
        if let Some(parts) = &stored.made_of {
            return Ok(HostTensor { shape: stored.shape.clone(), data: self.made(parts)?, dtype });
        }
        let count = stored.shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        let left = count.and_then(|count| self.budget.get().checked_sub(count));
        self.budget.set(left.ok_or_else(|| of("its shape is larger than the file".into()))?);
        let data = (self.source)(stored).map_err(of)?;
        if Some(data.len()) != count {
            return Err(of(format!("it has {} elements, but its shape is {:?}", data.len(), stored.shape)));
        }
        Ok(HostTensor { shape: stored.shape.clone(), data, dtype })
    }

    fn made(&self, parts: &MadeOf) -> Result<Vec<f32>, String> {
        match parts {
            MadeOf::WeightNorm { magnitude, direction } => {
                let (g, mut v) = (self.read(magnitude)?, self.read(direction)?);
                let row = v.data.len() / g.data.len().max(1);
                for (row, g) in v.data.chunks_mut(row.max(1)).zip(&g.data) {
                    let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                    row.iter_mut().for_each(|x| *x = (f64::from(*x) * f64::from(*g) / norm) as f32);
                }
                Ok(v.data)
            }
            MadeOf::SpectralNorm { weight, u, v } => {
                let (mut w, u, v) = (self.read(weight)?, self.read(u)?, self.read(v)?);
                let dot = |row: &[f32]| row.iter().zip(&v.data).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
                let rows = w.data.chunks(v.data.len().max(1));
                let sigma: f64 = rows.zip(&u.data).map(|(row, u)| f64::from(*u) * dot(row)).sum();
                w.data.iter_mut().for_each(|x| *x = (f64::from(*x) / sigma) as f32);
                Ok(w.data)
            }
        }
    }

    /// Puts whole weights where the file keeps them in factors: weight and spectral normalisation of PyTorch, by hooks or as
    /// parametrisations.
    pub fn join_factors(&mut self) {
        let mut joined = Vec::new();
        for name in self.tensors.keys() {
            // (its factors, the name of the whole)
            let found = if let Some(layer) = name.strip_suffix(".weight_g") {
                self.weight_norm(name, &format!("{layer}.weight_v"), layer)
            } else if let Some(layer) = name.strip_suffix(".parametrizations.weight.original0") {
                self.weight_norm(name, &format!("{layer}.parametrizations.weight.original1"), layer)
            } else if let Some(layer) = name.strip_suffix(".weight_orig") {
                self.spectral_norm(name, &format!("{layer}.weight"), layer)
            } else if let Some(layer) = name.strip_suffix(".parametrizations.weight.original") {
                self.spectral_norm(name, &format!("{layer}.parametrizations.weight.0."), layer)
            } else {
                None
            };
            joined.extend(found);
        }
        if joined.is_empty() {
            return;
        }
        self.facts.notes.push(format!(
            "{} weights are kept in factors (weight or spectral normalisation) and were multiplied out",
            joined.len()
        ));
        // The factors stay: the whole is read from them.
        self.tensors.extend(joined);
    }

    fn weight_norm(&self, magnitude: &str, direction: &str, layer: &str) -> Option<(String, Stored)> {
        let (g, v) = (self.tensors.get(magnitude)?, self.tensors.get(direction)?);
        let rows: usize = g.shape.iter().product();
        let fits = v.shape.first() == Some(&rows) && g.shape.first() == Some(&rows) && rows > 0;
        let made_of = MadeOf::WeightNorm { magnitude: magnitude.into(), direction: direction.into() };
        fits.then(|| (format!("{layer}.weight"), Stored { made_of: Some(made_of), ..v.clone() }))
    }

    fn spectral_norm(&self, weight: &str, stem: &str, layer: &str) -> Option<(String, Stored)> {
        let (u, v) = (format!("{stem}_u"), format!("{stem}_v"));
        let w = self.tensors.get(weight)?;
        let (rows, columns) = (self.tensors.get(&u)?.shape.as_slice(), self.tensors.get(&v)?.shape.as_slice());
        let rest: usize = w.shape.iter().skip(1).product();
        let fits = w.shape.first().copied() == rows.first().copied() && columns == [rest] && rows.len() == 1;
        let made_of = MadeOf::SpectralNorm { weight: weight.into(), u, v };
        fits.then(|| (format!("{layer}.weight"), Stored { made_of: Some(made_of), ..w.clone() }))
    }
}
