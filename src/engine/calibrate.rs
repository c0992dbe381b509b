//! The smallest and largest that each value of a network becomes over some pictures: what numbers of 8 bits are spread over.

use crate::data::RgbaImage;
use crate::device::{Device, Precision};
use crate::model::{InferencePlan, PlanOptions};
use crate::ops::Preprocessor;
use crate::weights::deploy::{Deployed, taps};
use crate::{Error, Result};

/// Looks at pictures one after the other.
#[derive(Debug)]
pub struct Calibration {
    plan: InferencePlan,
    pixels: Preprocessor,
    /// Values of the deployed network by the layer that writes them.
    taps: Vec<(usize, String)>,
    ranges: Vec<(f32, f32)>,
}

impl Calibration {
    /// # Errors
    /// Those of [`InferencePlan::new`].
    pub fn new(ctx: &Device, model: &Deployed<'_>) -> Result<Self> {
        let (taps, count) = taps(model)?;
        let graph = model.spec.build()?;
        let (width, height) = model.pixels.crop;
        let options = PlanOptions {
            precision: Precision::F32,
            width: width as usize,
            height: height as usize,
            taps: taps.iter().map(|(_, name)| name.clone()).collect(),
            ..PlanOptions::new(1)
        };
        let plan = InferencePlan::new(ctx, &graph, model.weights, options)?;
        let pixels = Preprocessor::new(ctx, model.pixels.clone(), plan.input().clone())?;
        let mut ranges = vec![(0.0, 0.0); count];
        // Pixels of 0 to 255 after the first step.
        let (factor, offset) = model.pixels.affine();
        for channel in 0..3 {
            for pixel in [0.0, 255.0] {
                widen(&mut ranges[1], pixel * factor[channel] + offset[channel]);
            }
        }
        Ok(Self { plan, pixels, taps, ranges })
    }

    /// Looks at one more picture; what the network answers, as logits.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn look(&mut self, ctx: &Device, image: &RgbaImage) -> Result<Vec<f32>> {
        let logits = self.answer(ctx, image).await?;
        for (value, name) in &self.taps {
            let values = self.plan.read(ctx, name).await?;
            values.into_iter().for_each(|number| widen(&mut self.ranges[*value], number));
        }
        Ok(logits)
    }

    /// What the network answers to a picture that nothing is spread over, as logits.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn answer(&mut self, ctx: &Device, image: &RgbaImage) -> Result<Vec<f32>> {
        self.pixels.run(ctx, &[image])?;
        self.plan.run(ctx)?;
        self.plan.read(ctx, "fc").await
    }

    /// What was seen.
    ///
    /// # Errors
    /// [`Error::Usage`] where a value was no finite number.
    pub fn ranges(&self) -> Result<Vec<(f32, f32)>> {
        if self.ranges.iter().all(|(low, high)| low.is_finite() && high.is_finite()) {
            return Ok(self.ranges.clone());
        }
        Err(Error::Usage(
            "the network gives numbers that are not finite for these pictures: it cannot be written in 8 bits".into(),
        ))
    }
}

fn widen(range: &mut (f32, f32), value: f32) {
    // Not `min`, which passes over what is no number.
    range.0 = if value < range.0 || value.is_nan() { value } else { range.0 };
    range.1 = if value > range.1 || value.is_nan() { value } else { range.1 };
}
