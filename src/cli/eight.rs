//! `reslab export --int8`: numbers of 8 bits, spread over what labelled pictures make of the network, and what is lost by it.

use std::path::Path;

use super::data::{DataArgs, tell};
use super::{Global, Stop, output};
use crate::Error;
use crate::data::ImageSize;
use crate::data::answers::best;
use crate::data::catalog::Part;
use crate::data::dataset::Sample;
use crate::data::image_set::stored_pixels;
use crate::engine::Portable;

/// Pictures that numbers are spread over, and pictures that judge.
const CALIBRATING: usize = 128;
const JUDGING: usize = 256;
/// More is not saved unless it is asked for, in points.
const MOST_LOST: f64 = 1.0;

/// A `.tflite` file of 8 bits; says what it loses, and refuses to lose more than a point unless that was accepted.
pub(super) fn write(
    global: &Global,
    model: &Portable<'_>,
    options: &DataArgs,
    path: &Path,
    accept: bool,
) -> std::result::Result<Vec<u8>, Stop> {
    let set = options.open(path)?;
    tell(path, &set);
    if model.spec.classes.is_none_or(|classes| classes < 2) {
        return Err(Error::Usage("--int8 is for networks that tell classes apart".into()).into());
    }
    // By name; where the pictures' classes are none of the network's, its own answers count as right.
    let class = |name: &String| model.labels.iter().position(|label| label == name);
    let classes: Option<Vec<usize>> = set.classes.iter().map(class).collect();
    let (judging, calibrating): (Vec<(usize, &Sample)>, Vec<_>) = set
        .samples
        .iter()
        .enumerate()
        .partition(|(i, sample)| if set.has_parts { sample.part != Part::Training } else { i % 2 == 1 });
    let (calibrating, judging) = (spread(&calibrating, CALIBRATING), spread(&judging, JUDGING));
    if calibrating.is_empty() || judging.is_empty() {
        return Err(
            Error::Usage("--int8 wants pictures to spread numbers over and others to judge by: give more".into()).into()
        );
    }
    let ctx = global.device()?;
    let mut calibration = model.calibration(&ctx)?;
    let bar = output::bar((calibrating.len() + judging.len()) as u64, "{msg} [{bar:40}] {pos}/{len}, {eta} left");
    bar.set_message("looking at pictures");
    for sample in calibrating {
        let (image, _) = sample.read()?;
        pollster::block_on(calibration.look(&ctx, &image))?;
        bar.inc(1);
    }
    let ranges = calibration.ranges()?;
    let eight = model.eight_bits(&ranges)?;
    bar.set_message("judging");
    let (mut before, mut after, count) = (0, 0, judging.len());
    for sample in judging {
        let (image, _) = sample.read()?;
        let logits = pollster::block_on(calibration.answer(&ctx, &image))?;
        let pixels = stored_pixels(&image, model.pixels, ImageSize::of(model.pixels, false));
        let (whole, eighth) = (best(&logits, 1), best(&eight.run(&pixels), 1));
        let right = classes.as_ref().map_or(whole.clone(), |classes| vec![classes[sample.label]]);
        before += usize::from(whole == right);
        after += usize::from(eighth == right);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let share = |right: usize| 100.0 * right as f64 / count as f64;
    let lost = share(before) - share(after);
    let what = if classes.is_some() { "right" } else { "as before" };
    output::remark(&format!("8 bits: {:.1} % of {count} pictures {what}, {:.1} % with 32 bits", share(after), share(before)));
    if lost > MOST_LOST && !accept {
        return Err(Error::Usage(format!(
            "8 bits lose {lost:.1} points, more than {MOST_LOST}: nothing was written. Export with --half instead, give more pictures, or say \
             --accept-loss"
        ))
        .into());
    }
    Ok(model.tensorflow_lite_int8(&ranges)?)
}

/// At most `count` of them, evenly.
fn spread<'a>(samples: &[(usize, &'a Sample)], count: usize) -> Vec<&'a Sample> {
    let step = samples.len().div_ceil(count).max(1);
    samples.iter().step_by(step).map(|(_, sample)| *sample).collect()
}
