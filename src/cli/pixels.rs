//! `--preset`, `--size`, `--mean`, `--std`: how pictures become a network's input.

use clap::Args;

use crate::data::{Filter, Preset};
use crate::{Error, Result};

#[derive(Debug, Default, Args)]
pub(super) struct PixelArgs {
    /// Recipe of pixels by name: imagenet, imagenet-v2, timm-a1, timm-a1-288, caffe, caffe-exact, keras-v2, keras-v2-exact, cifar,
    /// cifar-mean. By default the weights file's, else the usual one of its architecture.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["mean", "std"])]
    preset: Option<String>,
    /// Filter of the resize: bilinear and bicubic as Pillow has them, bicubic-opencv, bicubic-keras. By default the preset's.
    #[arg(long, value_name = "NAME", value_parser = filter)]
    filter: Option<Filter>,
    /// Side of the network's input in pixels: changes a preset's, or goes with --mean and --std (shorter side resized to it,
    /// centre cropped).
    #[arg(long, value_name = "N")]
    size: Option<u32>,
    /// Mean of red, green, blue, for pixels in 0..1.
    #[arg(long, value_name = "R,G,B", value_parser = triple, requires = "std", allow_hyphen_values = true)]
    mean: Option<Triple>,
    /// Standard deviation of red, green, blue, for pixels in 0..1.
    #[arg(long, value_name = "R,G,B", value_parser = triple, requires = "mean", allow_hyphen_values = true)]
    std: Option<Triple>,
}

/// Three channels; a type of its own because clap takes lists apart.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Triple([f32; 3]);

impl PixelArgs {
    /// Whether any of them was given.
    pub(super) fn is_given(&self) -> bool {
        let Self { preset, filter, size, mean, std } = self;
        preset.is_some() || filter.is_some() || size.is_some() || mean.is_some() || std.is_some()
    }

    /// The recipe in full; where none was given the model's `own`, with the side of --size.
    pub(super) fn preset_or(&self, own: impl FnOnce() -> Result<Preset>) -> Result<Preset> {
        let preset = match self {
            Self { preset: None, size: Some(size), mean: None, std: None, .. } => own()?.with_size(*size)?,
            Self { preset: None, size: None, mean: None, std: None, .. } => own()?,
            _ => self.preset()?.map_or_else(own, Ok)?,
        };
        Ok(Preset { filter: self.filter.unwrap_or(preset.filter), ..preset })
    }

    /// The recipe in full, or none when the model's own shall be used.
    pub(super) fn preset(&self) -> Result<Option<Preset>> {
        let preset = self.preset_without_filter()?;
        match (preset, self.filter) {
            (Some(preset), Some(filter)) => Ok(Some(Preset { filter, ..preset })),
            (None, Some(_)) => Err(Error::Usage(format!("--filter needs --preset ({}) beside it", Preset::NAMES.join(", ")))),
            (preset, None) => Ok(preset),
        }
    }

    fn preset_without_filter(&self) -> Result<Option<Preset>> {
        match (&self.preset, self.size, self.mean, self.std) {
            (None, None, None, None) => Ok(None),
            (Some(name), None, ..) => Preset::named(name).map(Some),
            (Some(name), Some(size), ..) => Preset::named(name)?.with_size(size).map(Some),
            (None, Some(size), Some(mean), Some(std)) => Preset::custom(size, mean.0, std.0).map(Some),
            (None, None, ..) => {
                Err(Error::Usage("--mean and --std need --size, the side of the network's input in pixels".into()))
            }
            (None, Some(_), ..) => {
                Err(Error::Usage(format!("--size needs --preset ({}) or --mean and --std beside it", Preset::NAMES.join(", "))))
            }
        }
    }
}

fn filter(name: &str) -> std::result::Result<Filter, String> {
    let found = Filter::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, filter)| filter);
    found.ok_or_else(|| format!("expected one of {}", Filter::NAMES.map(|(name, _)| name).join(", ")))
}

fn triple(text: &str) -> std::result::Result<Triple, String> {
    let numbers: Vec<f32> = text
        .split(',')
        .map(|part| part.trim().parse::<f32>().ok().filter(|n| n.is_finite()))
        .collect::<Option<_>>()
        .ok_or("expected three numbers with commas between, like 0.485,0.456,0.406")?;
    let count = numbers.len();
    numbers.try_into().map(Triple).map_err(|_| format!("expected three numbers, one a channel, not {count}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Option<PixelArgs> {
        #[derive(clap::Parser)]
        struct Wrapper {
            #[command(flatten)]
            pixels: PixelArgs,
        }
        <Wrapper as clap::Parser>::try_parse_from(std::iter::once(&"x").chain(arguments)).ok().map(|w| w.pixels)
    }

    fn preset(arguments: &[&str]) -> Result<Option<Preset>> {
        parse(arguments).expect("a valid command line").preset()
    }

    #[test]
    fn a_recipe_by_name_by_numbers_or_the_models_own() {
        assert_eq!(preset(&[]), Ok(None));
        assert_eq!(preset(&["--preset", "cifar"]), Preset::named("cifar").map(Some));
        assert_eq!(preset(&["--preset", "imagenet", "--size", "64"]).unwrap().unwrap().crop, (64, 64));
        let custom = preset(&["--size", "32", "--mean", "0.485,0.456, 0.406", "--std", "0.229,0.224,0.225"]).unwrap().unwrap();
        let named = Preset::named("cifar").unwrap();
        assert_eq!((custom.mean, custom.std, custom.crop, custom.scale), (named.mean, named.std, named.crop, named.scale));
        assert_eq!(
            preset(&["--preset", "cifar", "--filter", "bicubic-opencv"]).unwrap().unwrap().filter,
            Filter::BicubicOpencv
        );
        assert!(preset(&["--filter", "bicubic"]).unwrap_err().to_string().contains("--preset"));
        assert!(parse(&["--filter", "lanczos"]).is_none());
        assert_eq!(preset(&["--size", "8", "--mean", "-1,-1,-1", "--std", "1,1,1"]).unwrap().unwrap().mean, [-1.0; 3]);
    }

    #[test]
    fn incomplete_recipes_are_refused() {
        assert!(preset(&["--size", "32"]).unwrap_err().to_string().contains("--preset"));
        assert!(preset(&["--mean", "0,0,0", "--std", "1,1,1"]).unwrap_err().to_string().contains("--size"));
        assert!(preset(&["--preset", "nonsense"]).unwrap_err().to_string().contains("imagenet"));
        for wrong in [["--mean", "0,0,0"], ["--std", "1,1,1"], ["--mean", "1,2"], ["--mean", "a,b,c"], ["--mean", "nan,0,0"]] {
            assert!(parse(&wrong).is_none(), "{wrong:?}");
        }
        assert!(parse(&["--preset", "cifar", "--mean", "0,0,0", "--std", "1,1,1"]).is_none());
    }
}
