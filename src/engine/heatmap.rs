//! Where a network looks: class activation maps of pictures and of live frames.

use super::core::{Engine, turns};
use crate::Result;
use crate::data::image::RgbaImage;
use crate::device::{Device, Precision, Recorder, Recording, Slice};
use crate::model::attribution::{GradCam, cam_layer, class_weights};
use crate::model::graph::Graph;
use crate::model::{InferencePlan, Turns};
use crate::ops::{Preprocessor, class_map_bytes, record_class_map};
use crate::weights::StateDict;

/// Which map of a class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HeatmapKind {
    /// The exact class activation map (Zhou et al. 2016): the last feature map, weighted by the class's row of the classifier.
    /// Cheap enough for every frame.
    #[default]
    Cam,
    /// Grad-CAM (Selvaraju et al. 2017) of the layer with this name: its output, weighted by the mean gradient of each channel.
    GradCam {
        /// A layer, block or stage, e.g. `layer3`.
        layer: String,
    },
}

/// How much each part of what the network sees speaks for a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// Index of the class.
    pub class: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row, 0 to 1: what speaks against the class is 0, and the largest value is 1. All are 0 where nothing speaks for it.
    pub values: Vec<f32>,
}

impl Heatmap {
    /// From the sums of a map: without what is negative, divided by the largest.
    pub fn from_sums(class: usize, (width, height): (usize, usize), mut values: Vec<f32>) -> Self {
        values.resize(width * height, 0.0);
        // NaN is no evidence either.
        let peak = values.iter().copied().fold(0.0_f32, f32::max);
        let some = peak > 0.0 && peak.is_finite();
        values.iter_mut().for_each(|value| *value = if some { (value.max(0.0) / peak).min(1.0) } else { 0.0 });
        Self { class, width, height, values }
    }
}

/// The maps of a loaded model, made when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct Maps {
    cam: Option<Cam>,
    grad_cam: Option<Layer>,
}

/// The map of the features that the last forward pass left.
#[derive(Debug)]
struct Cam {
    weights: Slice,
    /// Whose weights these are.
    class: Option<usize>,
    map: Slice,
    recording: Recording,
    size: (usize, usize),
}

#[derive(Debug)]
struct Layer {
    name: String,
    plan: GradCam,
    pixels: Preprocessor,
}

impl Maps {
    /// Queues the map of `class` over what `plan` computed last, and hands out where it will be.
    pub(super) fn record(
        &mut self,
        ctx: &Device,
        graph: &Graph,
        weights: &StateDict,
        plan: &InferencePlan,
        class: usize,
    ) -> Result<(Slice, (usize, usize))> {
        let cam = match &mut self.cam {
            Some(cam) => cam,
            empty => empty.insert(Cam::new(ctx, graph, plan)?),
        };
        if cam.class != Some(class) {
            cam.class = None;
            cam.weights.write_values(ctx, Precision::F32, &class_weights(graph, weights, class)?);
            cam.class = Some(class);
        }
        cam.recording.run(ctx)?;
        Ok((cam.map.clone(), cam.size))
    }
}

impl Cam {
    fn new(ctx: &Device, graph: &Graph, plan: &InferencePlan) -> Result<Self> {
        let features = plan.output(&graph.nodes[cam_layer(graph)?.0].name)?;
        let (c4, size) = (features.shape.c4(), (features.shape.w, features.shape.h));
        let weights = Slice::new(ctx, "weights of a class", c4 as u64 * 16)?;
        let map = Slice::new(ctx, "class activation map", class_map_bytes(size.0 * size.1))?;
        let mut recorder = Recorder::new();
        record_class_map(&mut recorder, ctx, "cam", features, &weights, &map)?;
        Ok(Self { weights, class: None, map, recording: recorder.finish(ctx), size })
    }
}

/// A map from its slice.
pub(super) async fn read(ctx: &Device, class: usize, slice: &Slice, size: (usize, usize)) -> Result<Heatmap> {
    let mut sums = Precision::F32.decode(&slice.read(ctx).await?);
    sums.truncate(size.0 * size.1);
    Ok(Heatmap::from_sums(class, size, sums))
}

impl Engine {
    /// Where the loaded model looks when it finds `class` in this picture. The map lies over what the network sees: the crop of
    /// the model's preset.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) without a model or a head, or for a class that is not there;
    /// [`Error::Unknown`](crate::Error::Unknown) for a layer that is not there.
    pub async fn heatmap(&mut self, image: &RgbaImage, class: usize, kind: &HeatmapKind) -> Result<Heatmap> {
        let ctx = self.context().clone();
        let model = self.loaded_mut()?;
        match kind {
            HeatmapKind::Cam => {
                model.pixels.run(&ctx, &[image])?;
                model.plan.run(&ctx)?;
                let (map, size) = model.maps.record(&ctx, &model.graph, &model.weights, &model.plan, class)?;
                read(&ctx, class, &map, size).await
            }
            HeatmapKind::GradCam { layer } => {
                let kept = model.maps.grad_cam.take().filter(|kept| kept.name == *layer);
                let mut kept = match kept {
                    Some(kept) => kept,
                    None => {
                        let (width, height) = model.preset.crop;
                        let (size, mut turn) = ((height as usize, width as usize), turns());
                        let plan =
                            GradCam::new(&ctx, &model.graph, &model.weights, layer, size, &mut Turns::new(&mut turn)).await?;
                        let pixels = Preprocessor::new(&ctx, model.preset.clone(), plan.input().clone())?;
                        Layer { name: layer.clone(), plan, pixels }
                    }
                };
                kept.pixels.run(&ctx, &[image])?;
                let sums = kept.plan.map(&ctx, class).await?;
                let size = kept.plan.size();
                model.maps.grad_cam = Some(kept);
                Ok(Heatmap::from_sums(class, size, sums))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lie_between_zero_and_one_whatever_the_sums() {
        let map = Heatmap::from_sums(3, (2, 2), vec![-1.0, 0.0, 2.0, 4.0]);
        assert_eq!(map.values, [0.0, 0.0, 0.5, 1.0]);
        assert_eq!(Heatmap::from_sums(0, (2, 1), vec![-1.0, -2.0]).values, [0.0, 0.0]);
        assert_eq!(Heatmap::from_sums(0, (2, 1), vec![f32::NAN, 1.0]).values, [0.0, 1.0]);
        assert_eq!(Heatmap::from_sums(0, (2, 1), vec![f32::INFINITY, 1.0]).values, [0.0, 0.0]);
    }
}
