//! Times of dispatches as times of layers.

use indexmap::IndexMap;

use crate::device::DispatchTime;
use crate::model::graph::{Graph, Layer};
use crate::model::training::Pass;
use crate::ops::LayerKind;
use crate::sorting;

/// What the layer of a dispatch is.
fn kind(graph: &Graph, label: &str) -> LayerKind {
    match graph.value(label) {
        Ok(value) => graph.nodes[value.0].op.kind(),
        Err(_) if label == "loss" => LayerKind::Loss,
        Err(_) => LayerKind::Update,
    }
}

/// A layer with all of its dispatches. Times are medians over the runs that were timed by layer, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTime {
    /// Its name, or `loss`, `gradient norm`, `update`.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// Of the forward pass and the loss.
    pub forward_ms: f64,
    /// Of gradients and the update.
    pub backward_ms: f64,
    /// Work of both, where the layer states it.
    pub multiply_adds: u64,
}

impl LayerTime {
    /// Both ways.
    pub fn ms(&self) -> f64 {
        self.forward_ms + self.backward_ms
    }

    /// 10^9 operations a second, two for each multiply-add; `None` without work or time.
    pub fn gflops(&self) -> Option<f64> {
        (self.multiply_adds > 0 && self.ms() > 0.0).then(|| 2e-6 * self.multiply_adds as f64 / self.ms())
    }
}

/// The layers in the order in which they first run. Every profile lists the same dispatches.
pub(super) fn by_layer(graph: &Graph, profiles: &[Vec<(Pass, DispatchTime)>]) -> Vec<LayerTime> {
    let Some(first) = profiles.first() else { return Vec::new() };
    let mut layers: IndexMap<&str, LayerTime> = IndexMap::new();
    for (index, (pass, dispatch)) in first.iter().enumerate() {
        let mut times: Vec<f64> = profiles.iter().filter_map(|profile| Some(profile.get(index)?.1.ms)).collect();
        sorting::sort_by(&mut times, f64::total_cmp);
        let ms = times[times.len() / 2];
        let layer = layers.entry(&dispatch.label).or_insert_with(|| LayerTime {
            name: dispatch.label.clone(),
            kind: kind(graph, &dispatch.label),
            forward_ms: 0.0,
            backward_ms: 0.0,
            multiply_adds: 0,
        });
        layer.multiply_adds += dispatch.multiply_adds;
        match pass {
            Pass::Forward | Pass::ForwardNorm | Pass::Loss => layer.forward_ms += ms,
            Pass::WeightGradient | Pass::InputGradient | Pass::BackwardNorm | Pass::Update => layer.backward_ms += ms,
        }
    }
    layers.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;

    #[test]
    fn dispatches_of_a_layer_are_one_line_with_both_ways() {
        let graph = ResNetSpec::named("resnet18").unwrap().build().unwrap();
        let run = |ms: f64| {
            let dispatch =
                |pass, label: &str, ms| (pass, DispatchTime { label: label.into(), kernel: "k", ms, multiply_adds: 1_000_000 });
            vec![
                dispatch(Pass::Forward, "conv1", ms),
                dispatch(Pass::Forward, "conv1", 1.0),
                dispatch(Pass::Forward, "layer2.0.downsample.0", 1.0),
                dispatch(Pass::Loss, "loss", 0.5),
                dispatch(Pass::WeightGradient, "conv1", 3.0),
                dispatch(Pass::Update, "gradient norm", 1.0),
            ]
        };
        let layers = by_layer(&graph, &[run(9.0), run(1.0), run(2.0)]);
        let names: Vec<_> = layers.iter().map(|layer| (layer.name.as_str(), layer.kind)).collect();
        let conv = &layers[0];
        assert_eq!((conv.forward_ms, conv.backward_ms, conv.multiply_adds), (3.0, 3.0, 3_000_000));
        assert_eq!(conv.gflops(), Some(1.0));
        assert_eq!(
            names,
            [
                ("conv1", LayerKind::ConvLarge),
                ("layer2.0.downsample.0", LayerKind::Conv1x1),
                ("loss", LayerKind::Loss),
                ("gradient norm", LayerKind::Update),
            ]
        );
        assert!(by_layer(&graph, &[]).is_empty());
    }
}
