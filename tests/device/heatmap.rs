//! Class activation maps against sums written out and against finite differences.

use crate::generator;
use indexmap::IndexMap;
use pollster::block_on;
use reslab::Error;
use reslab::data::RgbaImage;
use reslab::device::{Device, DeviceOptions};
use reslab::engine::{Engine, Frame, HeatmapKind, LoadOptions};
use reslab::model::attribution::GradCam;
use reslab::model::graph::Graph;
use reslab::model::{InferencePlan, PlanOptions, ResNetSpec, Turns};
use reslab::weights::{self, Dtype, HostTensor, StateDict};

const MODEL: &[u8] = include_bytes!("../../www/models/resnet20-cifar10.safetensors");
const CAT: usize = 3;

fn picture() -> RgbaImage {
    let pixels = (0..48 * 40).flat_map(|i: u32| [(i % 251) as u8, (i * 7 % 256) as u8, (i / 9 % 256) as u8, 255]).collect();
    RgbaImage::new("picture", 48, 40, pixels).unwrap()
}

async fn engine() -> Engine {
    let mut engine = Engine::open(DeviceOptions::software()).await.expect("these tests need a Vulkan, Metal or DX12 adapter");
    engine.load("bundled", MODEL, &LoadOptions::default(), &mut |_| {}).await.unwrap();
    engine
}

/// `sum over c of weights[c] * features[c]`, pixel by pixel.
fn weighted(features: &[f32], weights: &[f32]) -> Vec<f32> {
    let pixels = features.len() / weights.len();
    let at = |pixel: usize| weights.iter().zip(features.chunks(pixels)).map(|(w, plane)| w * plane[pixel]).sum();
    (0..pixels).map(at).collect()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

#[track_caller]
fn assert_close(what: &str, ours: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let scale = largest(expected).max(1e-6);
    for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}, value {i}: {a} instead of {b}");
    }
}

#[test]
fn cam_is_the_last_feature_map_weighted_by_the_class() {
    block_on(async {
        let mut engine = engine().await;
        let weights = weights::read("bundled", MODEL).unwrap();
        let map = engine.heatmap(&picture(), CAT, &HeatmapKind::Cam).await.unwrap();
        assert_eq!((map.class, map.width, map.height), (CAT, 8, 8));

        let ctx = engine.context().clone();
        let graph = ResNetSpec::named("resnet20").unwrap().build().unwrap();
        let last = &graph.nodes[graph.value("layer3").unwrap().0].name;
        let features = engine.plan().unwrap().read(&ctx, last).await.unwrap();
        let row = &weights.get("fc.weight", &[10, 64]).unwrap().data[CAT * 64..][..64];
        let sums = weighted(&features, row);
        let peak = sums.iter().copied().fold(0.0, f32::max);
        assert!(peak > 0.0, "some part of the picture speaks for the class");
        let expected: Vec<f32> = sums.iter().map(|sum| sum.max(0.0) / peak).collect();
        assert_close("CAM", &map.values, &expected, 1e-4);
        assert!(largest(&map.values) == 1.0);

        // At the layer the pooling reads, Grad-CAM is CAM.
        let layer = engine.model().unwrap().map_layers.last().unwrap().clone();
        let same = engine.heatmap(&picture(), CAT, &HeatmapKind::GradCam { layer }).await.unwrap();
        assert_close("Grad-CAM", &same.values, &map.values, 1e-3);
    });
}

#[test]
fn a_frame_has_the_picture_s_answer_and_map() {
    block_on(async {
        let mut engine = engine().await;
        let still = engine.classify(&picture(), 1).await.unwrap();
        let map = engine.heatmap(&picture(), CAT, &HeatmapKind::Cam).await.unwrap();
        let live = engine.read_frame(&Frame::Pixels(picture()), Some(CAT)).await.unwrap();
        assert_eq!(live.probabilities.len(), 10);
        assert!((live.probabilities[still.top[0].class] - still.top[0].probability).abs() < 1e-5);
        assert_close("map", &live.heatmap.unwrap().values, &map.values, 1e-5);
        assert!(engine.read_frame(&Frame::Pixels(picture()), None).await.unwrap().heatmap.is_none());
        // Another class has another map, and the first one's comes back.
        let other = engine.read_frame(&Frame::Pixels(picture()), Some(0)).await.unwrap().heatmap.unwrap();
        assert!(other.class == 0 && other.values != map.values);
        let again = engine.read_frame(&Frame::Pixels(picture()), Some(CAT)).await.unwrap().heatmap.unwrap();
        assert_close("map again", &again.values, &map.values, 1e-5);
    });
}

#[test]
fn what_cannot_be_mapped_is_refused_in_words() {
    block_on(async {
        let mut engine = engine().await;
        let error = engine.heatmap(&picture(), 10, &HeatmapKind::Cam).await.unwrap_err();
        assert!(matches!(&error, Error::Usage(words) if words.contains("10 classes")), "{error}");
        let mut grad = async |layer: &str| {
            engine.heatmap(&picture(), CAT, &HeatmapKind::GradCam { layer: layer.into() }).await.unwrap_err()
        };
        assert!(matches!(grad("layer9").await, Error::Unknown { .. }));
        let error = grad("avgpool").await;
        assert!(matches!(&error, Error::Usage(words) if words.contains("no pixels")), "{error}");
        // The engine goes on.
        assert_eq!(engine.heatmap(&picture(), CAT, &HeatmapKind::Cam).await.unwrap().values.len(), 64);
    });
}

/// A net with seeded weights.
fn net(name: &str, classes: usize) -> (Graph, StateDict) {
    let graph = ResNetSpec::named(name).unwrap().with_classes(Some(classes)).build().unwrap();
    let tensors: IndexMap<String, HostTensor> = graph
        .params()
        .into_iter()
        .map(|param| {
            let data = generator::tensor(&param.name, &param.shape);
            (param.name, HostTensor { shape: param.shape, data, dtype: Dtype::F32 })
        })
        .collect();
    (graph, StateDict { tensors, ..StateDict::default() })
}

/// The gradient of `layer` against central differences of the rest of the net, along the gradient itself and along whole
/// channels, and the map against the sums.
fn check(name: &str, layer: &str, side: usize) {
    const CLASSES: usize = 7;
    const CLASS: usize = 4;
    let ctx = block_on(Device::new(DeviceOptions::software())).unwrap();
    let (graph, weights) = net(name, CLASSES);
    let image = generator::tensor("image.input", &[1, 3, side, side]);

    let plan = block_on(GradCam::new(&ctx, &graph, &weights, layer, (side, side), &mut Turns::none())).unwrap();
    plan.input().write_nchw(&ctx, &image);
    let map = block_on(plan.map(&ctx, CLASS)).unwrap();
    let gradient = block_on(plan.gradient().read_nchw(&ctx)).unwrap();

    let options = PlanOptions { taps: vec![layer.into()], ..PlanOptions::new(side) };
    let head = InferencePlan::new(&ctx, &graph, &weights, options).unwrap();
    head.input().write_nchw(&ctx, &image);
    head.run(&ctx).unwrap();
    let features = block_on(head.read(&ctx, layer)).unwrap();

    let pixels = plan.size().0 * plan.size().1;
    let means: Vec<f32> = gradient.chunks(pixels).map(|plane| plane.iter().sum::<f32>() / pixels as f32).collect();
    assert_close(&format!("{name} {layer}: map"), &map, &weighted(&features, &means), 1e-3);

    let (_, tail) = graph.split_at(graph.value(layer).unwrap()).unwrap();
    let options = PlanOptions { height: plan.size().1, width: plan.size().0, ..PlanOptions::new(0) };
    let tail = InferencePlan::new(&ctx, &tail, &weights, options).unwrap();
    let logit = |shift: &dyn Fn(usize) -> f32| {
        let values: Vec<f32> = features.iter().enumerate().map(|(i, value)| value + shift(i)).collect();
        tail.input().write_nchw(&ctx, &values);
        tail.run(&ctx).unwrap();
        f64::from(block_on(tail.read(&ctx, "fc")).unwrap()[CLASS])
    };
    let squares: f64 = gradient.iter().map(|g| f64::from(*g).powi(2)).sum();
    let norm = squares.sqrt() as f32;
    assert!(norm > 0.0, "{name} {layer} has a gradient");
    // Small against the features, so that few signs change, and large against rounding.
    let step = 2e-4 * (features.iter().map(|v| v * v).sum::<f32>()).sqrt();
    let along = |direction: &dyn Fn(usize) -> f32| {
        (logit(&|i| step * direction(i)) - logit(&|i| -step * direction(i))) / f64::from(2.0 * step)
    };
    let slope = along(&|i| gradient[i] / norm);
    assert!((slope - squares.sqrt()).abs() < 0.02 * squares.sqrt(), "{name} {layer}: slope {slope}, norm {}", squares.sqrt());
    for channel in [0, means.len() / 2, means.len() - 1] {
        let unit = 1.0 / (pixels as f32).sqrt();
        let slope = along(&|i| if i / pixels == channel { unit } else { 0.0 });
        let expected = f64::from(means[channel]) * (pixels as f64).sqrt();
        assert!((slope - expected).abs() < 0.03 * squares.sqrt(), "{name} {layer}, channel {channel}: {slope}, {expected}");
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    // Strided blocks with option A's shortcut; a block in the middle of a stage.
    check("resnet20", "layer1", 32);
    check("resnet20", "layer2.0", 32);
    // Projections behind a max pool.
    check("resnet18", "conv1", 32);
    check("resnet18", "layer3.0", 64);
    // Pre-activation: norms of their own.
    check("resnet56v2", "layer2", 16);
}
