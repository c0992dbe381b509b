//! What goes with a network beside its weights: how to load it, its pixels and the names of its classes, and what was assumed of them.

use super::message::Origin;
use crate::Result;
use crate::data::{Preset, labels};
use crate::model::ResNetSpec;
use crate::train::{checkpoint, init};
use crate::weights::detect::Detected;
use crate::weights::{Choices, PIXELS_TAKEN, hub};

/// How to load a model.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// Where the bytes came from.
    pub origin: Origin,
    /// Name of the pixel preset the file was published with, see [`pixel_options`].
    pub preset: Option<String>,
    /// A recipe of pixels in full, which wins over all others.
    pub pixels: Option<Preset>,
    /// Class names; by default the file's metadata, else ImageNet's or CIFAR-10's where the number fits.
    pub labels: Option<Vec<String>>,
    /// Images of one run.
    pub batch: usize,
    /// What a person says of the file that it does not say itself.
    pub choices: Choices,
    /// Files that lie beside it, see [`Files`].
    pub beside: Vec<(String, Vec<u8>)>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            origin: Origin::OwnFile,
            preset: None,
            pixels: None,
            labels: None,
            batch: 1,
            choices: Choices::default(),
            beside: Vec::new(),
        }
    }
}

/// How a file's network wants its pictures: as the file's metadata says in full, else the preset it was `published` with, else
/// the one its metadata names, else the usual one of the architecture.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Unknown`] when the metadata says something that cannot be used.
pub fn pixel_options(found: &Detected, published: Option<&str>) -> Result<Preset> {
    if let Some(pixels) = checkpoint::pixels(&found.weights)? {
        return Ok(pixels);
    }
    published.or(found.preset.as_deref()).map_or_else(|| usual_preset(&found.spec), Preset::named)
}

/// Choices for a file of the hub, which is known by its name: the network it is.
pub fn told_by_hub(name: &str, options: &LoadOptions) -> Choices {
    let mut choices = options.choices.clone();
    let published = matches!(options.origin, Origin::Downloaded | Origin::FromThisDevice);
    if published
        && choices.is_empty()
        && let Some(model) = hub::published(name)
    {
        choices.named = Some(model.arch.into());
    }
    choices
}

/// Whether a network's head goes on learning with these classes: they are its own, or it is a person's file in which nobody named
/// them and there are as many.
pub fn keeps_head(labels: &[String], own_labels: bool, origin: Origin, classes: &[String]) -> bool {
    let nameless = !own_labels && origin == Origin::OwnFile;
    labels.len() == classes.len() && (nameless || init::same_classes(labels, classes))
}

/// What goes with a network: pixels, class names, and what was assumed of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// How pictures become its input.
    pub pixels: Preset,
    /// A name for each output; empty for a net without a head.
    pub labels: Vec<String>,
    /// Whether the names are the model's own and not guessed from their number.
    pub own_labels: bool,
    /// Everything that was assumed, of the network too.
    pub assumed: Vec<String>,
}

impl Known {
    /// What the options say, else the file, else what is usual, with a sentence.
    ///
    /// # Errors
    /// Those of [`pixel_options`]; [`Error::Usage`] when there are not as many names as the network has outputs.
    pub async fn of(found: &Detected, options: &LoadOptions) -> Result<Self> {
        let mut assumed = found.assumed.clone();
        if options.pixels.is_some() || options.preset.is_some() {
            assumed.retain(|sentence| !sentence.starts_with(PIXELS_TAKEN));
        }
        let pixels = match &options.pixels {
            Some(pixels) => pixels.clone(),
            None => {
                let pixels = pixel_options(found, options.preset.as_deref())?;
                let told = options.preset.is_some() || found.preset.is_some() || checkpoint::pixels(&found.weights)?.is_some();
                if !told {
                    assumed.push(format!(
                        "the file does not say how pictures become its input: the preset `{}` was taken (--preset names another)",
                        pixels.name
                    ));
                }
                pixels
            }
        };
        let own = options.labels.clone().or_else(|| found.classes.clone());
        let own_labels = own.is_some();
        let labels = match (own, found.spec.classes) {
            (Some(names), Some(classes)) => labels::check(names, classes)?,
            (None, Some(classes)) => {
                let names = labels::guess_later(classes, found.spec.default_image_size()).await?;
                let whose = match classes {
                    1000 | 1001 => Some("ImageNet's"),
                    10 if names[0] != "class 0" => Some("CIFAR-10's"),
                    _ => None,
                };
                // Models of the hub are published for ImageNet.
                if let Some(whose) = whose.filter(|_| options.preset.is_none()) {
                    assumed.push(format!("the file names no classes; because there are {classes}, they were taken as {whose}"));
                }
                names
            }
            (_, None) => Vec::new(),
        };
        Ok(Self { pixels, labels, own_labels, assumed })
    }
}

/// The recipe of pixels a family is published with.
///
/// # Errors
/// None: every family's preset exists.
pub fn usual_preset(spec: &ResNetSpec) -> Result<Preset> {
    let caffe = spec.arch.ends_with("-caffe") || spec.arch.ends_with("v1-keras");
    Preset::named(match (spec.family(), caffe) {
        ("cifar-v1" | "cifar-v2", _) => "cifar",
        ("v2", _) => "keras-v2",
        (_, true) => "caffe",
        _ => "imagenet",
    })
}
