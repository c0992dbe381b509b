//! Weights to start from: drawn from a seed, or another network's with a new head.

use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

use crate::data::random::{Stream, generator, normal, unit};
use crate::model::graph::{Graph, Layer, Node, Param};
use crate::ops::{LayerKind, Tail};
use crate::weights::{HostTensor, StateDict};
use crate::{Error, Result};

/// How weights are drawn. Batch norm always starts as the identity of standardised values (weight 1, bias 0, running mean 0 and
/// variance 1), and biases of convolutions at 0 but with [`Init::Torch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// As torchvision's ResNets: convolutions from a normal distribution of variance `2 / fan_out` (He et al. 2015,
    /// arXiv:1502.01852), the classifier as `torch.nn.Linear`, its weights and biases evenly from
    /// `-1 / sqrt(fan_in)` to `1 / sqrt(fan_in)`.
    #[default]
    HeFanOut,
    /// As Keras' `he_normal`, which its CIFAR-10 example uses for convolutions and classifier: a normal distribution cut off at
    /// twice its deviation, of variance `2 / fan_in` after the cut; the classifier's bias is 0.
    KerasHeNormal,
    /// As `slim.variance_scaling_initializer()`: cut off at twice its deviation, of variance `2.6 / fan_in` before the cut, which is
    /// all but `2 / fan_in` after it.
    SlimVarianceScaling,
    /// As TensorFlow's `xavier_initializer` and Keras' `glorot_uniform`: evenly up to `sqrt(6 / (fan_in + fan_out))`
    /// (Glorot and Bengio 2010).
    Xavier,
    /// As PyTorch draws a layer that nobody initialises: weights and biases of convolutions and of the classifier evenly up to
    /// `1 / sqrt(fan_in)`.
    Torch,
}

/// Standard deviation of a standard normal distribution cut off at -2 and 2 (Keras' and TensorFlow's constant).
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Weights for `graph`, each tensor drawn from `seed` and its own name, so that the same layer of another network gets the
/// same numbers.
///
/// With `zero_last_norm` the last batch norm of every block starts with weight 0, so that blocks begin as the identity (Goyal et
/// al. 2017, arXiv:1706.02677; torchvision's `zero_init_residual`).
///
/// # Errors
/// [`Error::Usage`] for `zero_last_norm` where a block does not end in a norm: in a pre-activation network a ReLU follows the
/// norm, and behind a weight of 0 it would pass no gradient, for ever.
pub fn initialise(graph: &Graph, init: impl Into<Draws>, zero_last_norm: bool, seed: u64) -> Result<StateDict> {
    let init = init.into();
    let mut state = StateDict::default();
    for param in graph.params() {
        let data = draw(graph, &param, init, seed);
        state.tensors.insert(param.name, HostTensor::new(param.shape, data));
    }
    if zero_last_norm {
        for node in graph.nodes.iter().filter(|node| node.op.tail() == Some(Tail::Add)) {
            // The builder puts the branch first and the shortcut second.
            let branch = node.inputs.first().map(|id| &graph.nodes[id.0]);
            let Some(norm) = branch.filter(|branch| branch.op.kind() == LayerKind::Norm) else {
                return Err(Error::Usage(
                    "the last norm of a block can only start at zero where nothing follows it; this network is \
                     pre-activated: leave zero-initialisation out"
                        .into(),
                ));
            };
            if let Some(weight) = state.tensors.get_mut(&format!("{}.weight", norm.name)) {
                weight.data.fill(0.0);
            }
        }
    }
    Ok(state)
}

/// The weights of `pretrained` for `graph`. Its classifier is drawn as [`initialise`] does unless `keep_head` says that the
/// classes are the same ones, and their number is. Says whether it was drawn.
///
/// # Errors
/// [`Error::TensorMismatch`] when any other tensor is missing or has another shape.
pub fn transfer(
    graph: &Graph,
    pretrained: &StateDict,
    keep_head: bool,
    init: impl Into<Draws>,
    seed: u64,
) -> Result<(StateDict, bool)> {
    let init = init.into();
    let params = graph.params();
    let is_head = |param: &Param| head(graph, &param.name).is_some();
    let fits = || params.iter().filter(|param| is_head(param)).all(|p| pretrained.get(&p.name, &p.shape).is_ok());
    let new_head = !(keep_head && fits());
    let mut state = StateDict::default();
    for param in params {
        let tensor = if new_head && is_head(&param) {
            HostTensor::new(param.shape.clone(), draw(graph, &param, init, seed))
        } else {
            pretrained.get(&param.name, &param.shape)?.clone()
        };
        state.tensors.insert(param.name, tensor);
    }
    Ok((state, new_head))
}

/// Whether two lists name the same classes in the same order, letter case, spaces, dashes and underscores aside: outputs that
/// mean other things are no better a start than drawn ones.
pub fn same_classes(a: &[String], b: &[String]) -> bool {
    let plain = |name: &String| name.replace(['_', '-'], " ").to_lowercase();
    a.iter().map(plain).eq(b.iter().map(plain))
}

/// How weights are drawn, and what biases begin with where that is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draws {
    /// The distribution of weights.
    pub init: Init,
    /// Of all biases of convolutions and linear layers.
    pub bias: Option<f32>,
}

impl From<Init> for Draws {
    fn from(init: Init) -> Self {
        Self { init, bias: None }
    }
}

/// Inputs of the layer that a bias belongs to: its weight has all axes but the first for them. `None` for a norm's.
fn inputs_of(graph: &Graph, bias: &str) -> Option<usize> {
    let name = bias.strip_suffix(".bias")?;
    let node = graph.nodes.iter().find(|node| node.name == name)?;
    let weight = node.op.params().into_iter().next()?;
    (weight.shape.len() > 1).then(|| weight.shape.iter().skip(1).product())
}

/// The values of one parameter or running statistic.
fn draw(graph: &Graph, param: &Param, Draws { init, bias }: Draws, seed: u64) -> Vec<f32> {
    if let Some((bias, _)) = bias.zip(inputs_of(graph, &param.name)) {
        return vec![bias; param.shape.iter().product()];
    }
    let count: usize = param.shape.iter().product();
    let mut rng = generator(seed, Stream::Init(hash(&param.name)));
    // A weight's shape is (O, I, ...): an output sees all axes but the first, an input all but the second.
    let fan_in: usize = param.shape.iter().skip(1).product();
    match (init, param.shape.as_slice()) {
        (Init::HeFanOut, &[_, inputs, _, _]) => {
            let fan_out = count / inputs.max(1);
            let deviation = (2.0 / fan_out as f64).sqrt();
            (0..count).map(|_| (deviation * normal(&mut rng)) as f32).collect()
        }
        (Init::HeFanOut, &[_, inputs]) => evenly(count, inputs, &mut rng),
        (Init::Torch, &[_, _] | &[_, _, _, _]) => evenly(count, fan_in, &mut rng),
        (Init::Xavier, &[outputs, inputs, ..]) if inputs > 0 => {
            let fan_out = outputs * (fan_in / inputs);
            let bound = (6.0 / (fan_in + fan_out) as f64).sqrt();
            (0..count).map(|_| (bound * (2.0 * unit(&mut rng) - 1.0)) as f32).collect()
        }
        (Init::KerasHeNormal | Init::SlimVarianceScaling, &[_, _] | &[_, _, _, _]) => {
            let deviation = match init {
                Init::KerasHeNormal => (2.0 / fan_in as f64).sqrt() / TRUNCATED_DEVIATION,
                _ => (2.6 / fan_in as f64).sqrt(),
            };
            let mut truncated = || loop {
                let value = normal(&mut rng);
                if value.abs() <= 2.0 {
                    return (deviation * value) as f32;
                }
            };
            (0..count).map(|_| truncated()).collect()
        }
        _ if param.name.ends_with(".weight") || param.name.ends_with(".running_var") => vec![1.0; count],
        _ => match (init, head(graph, &param.name), inputs_of(graph, &param.name)) {
            (Init::HeFanOut, Some(inputs), _) | (Init::Torch, _, Some(inputs)) => evenly(count, inputs, &mut rng),
            _ => vec![0.0; count],
        },
    }
}

/// As `torch.nn.Linear` draws its weights and biases.
fn evenly(count: usize, inputs: usize, rng: &mut impl Rng) -> Vec<f32> {
    let bound = 1.0 / (inputs.max(1) as f64).sqrt();
    (0..count).map(|_| (bound * (2.0 * unit(rng) - 1.0)) as f32).collect()
}

/// How many features the classifier reads, if `name` is one of its parameters.
fn head(graph: &Graph, name: &str) -> Option<usize> {
    let owner = |node: &&Node| name.strip_prefix(&node.name).is_some_and(|rest| rest.starts_with('.'));
    let weight = graph.nodes.iter().find(owner)?.params().into_iter().next()?;
    match weight.shape[..] {
        [_, features] => Some(features),
        _ => None,
    }
}

/// FNV-1a of the name, 32 bits.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811C_9DC5, |h, byte| (h ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResNetSpec;

    fn graph(name: &str) -> Graph {
        ResNetSpec::named(name).unwrap().build().unwrap()
    }

    fn data<'a>(state: &'a StateDict, name: &str) -> &'a [f32] {
        &state.tensors[name].data
    }

    fn deviation(values: &[f32]) -> f64 {
        (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    fn all(values: &[f32], value: f32) -> bool {
        values.iter().all(|v| *v == value)
    }

    #[test]
    fn torchvision_draws_by_fan_out() {
        let state = initialise(&graph("resnet18"), Init::HeFanOut, false, 1).unwrap();
        assert_eq!(state.tensors.len(), graph("resnet18").params().len());
        // conv1 has 64 outputs of 7 x 7, the projection 128 of 1 x 1; the classifier reads 512 features.
        for (name, expected) in [
            ("conv1.weight", (2.0f64 / (64.0 * 49.0)).sqrt()),
            ("layer2.0.downsample.0.weight", (2.0f64 / 128.0).sqrt()),
            ("layer4.1.conv2.weight", (2.0f64 / (512.0 * 9.0)).sqrt()),
            ("fc.weight", (1.0f64 / 512.0 / 3.0).sqrt()),
        ] {
            let found = deviation(data(&state, name));
            assert!((found / expected - 1.0).abs() < 0.05, "{name}: {found}, expected {expected}");
        }
        let bound = 1.0 / 512f32.sqrt();
        assert!(
            data(&state, "fc.bias").iter().all(|b| b.abs() <= bound)
                && deviation(data(&state, "fc.bias")) > 0.3 * f64::from(bound)
        );
        for (role, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
            assert!(all(data(&state, &format!("layer3.1.bn2.{role}")), value), "{role}");
        }
    }

    #[test]
    fn keras_draws_by_fan_in_and_cuts_off() {
        let state = initialise(&graph("resnet20-keras"), Init::KerasHeNormal, false, 1).unwrap();
        let weights = data(&state, "layer3.0.conv1.weight"); // 32 inputs of 3 x 3
        let expected = (2.0f64 / 288.0).sqrt();
        assert!((deviation(weights) / expected - 1.0).abs() < 0.02);
        let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        assert!(f64::from(largest) <= 2.0 * expected / TRUNCATED_DEVIATION);
        assert!(all(data(&state, "layer3.0.conv1.bias"), 0.0) && all(data(&state, "fc.bias"), 0.0));
    }

    #[test]
    fn every_framework_has_its_spread() {
        // 32 inputs and 64 outputs of 3 x 3.
        let drawn = |net: &str, init| initialise(&graph(net), init, false, 1).unwrap();
        let (name, inputs, outputs) = ("layer3.0.conv1.weight", 288.0f64, 576.0f64);
        let even = |bound: f64| bound / 3.0f64.sqrt();
        for (net, init, expected, largest) in [
            // tf.truncated_normal of a deviation of sqrt(1.3 * 2 / n), as slim's code has it.
            ("resnet20", Init::SlimVarianceScaling, TRUNCATED_DEVIATION * (2.6 / inputs).sqrt(), 2.0 * (2.6 / inputs).sqrt()),
            ("resnet20", Init::Xavier, even((6.0 / (inputs + outputs)).sqrt()), (6.0 / (inputs + outputs)).sqrt()),
            // kaiming_uniform_(a=sqrt(5)): sqrt(6 / ((1 + 5) * fan_in)).
            ("resnet20-keras", Init::Torch, even((1.0 / inputs).sqrt()), (1.0 / inputs).sqrt()),
        ] {
            let state = drawn(net, init);
            let weights = data(&state, name);
            assert!((deviation(weights) / expected - 1.0).abs() < 0.02, "{init:?}: {}", deviation(weights));
            let found = f64::from(weights.iter().fold(0.0f32, |m, w| m.max(w.abs())));
            assert!(found <= largest * 1.000001 && found > 0.9 * largest, "{init:?}: {found} of {largest}");
        }
        let torch = drawn("resnet20-keras", Init::Torch);
        let bias = deviation(data(&torch, "layer3.0.conv1.bias")) / even((1.0 / inputs).sqrt());
        assert!((0.7..1.3).contains(&bias), "biases are drawn, too: {bias}");
        assert!(all(data(&torch, "layer3.0.bn1.bias"), 0.0));

        let constant = initialise(&graph("resnet20-keras"), Draws { init: Init::Xavier, bias: Some(0.01) }, false, 1).unwrap();
        assert!(["conv1.bias", "layer3.0.conv2.bias", "fc.bias"].iter().all(|name| all(data(&constant, name), 0.01)));
        assert!(all(data(&constant, "bn1.bias"), 0.0) && all(data(&constant, "bn1.running_mean"), 0.0));
    }

    #[test]
    fn the_seed_and_the_name_decide() {
        let draw = |name: &str, seed| initialise(&graph(name), Init::HeFanOut, false, seed).unwrap();
        assert_eq!(draw("resnet20", 3), draw("resnet20", 3));
        let (a, b) = (draw("resnet20", 3), draw("resnet32", 3));
        assert_eq!(a.tensors["layer1.2.conv1.weight"], b.tensors["layer1.2.conv1.weight"]);
        assert_ne!(a.tensors["layer1.2.conv1.weight"], a.tensors["layer1.2.conv2.weight"]);
        assert_ne!(a.tensors["conv1.weight"], draw("resnet20", 4).tensors["conv1.weight"]);
    }

    #[test]
    fn zero_initialised_blocks_begin_as_the_identity() {
        for (name, last) in [("resnet18", "bn2"), ("resnet50", "bn3")] {
            let mut spec = ResNetSpec::named(name).unwrap();
            spec.stages.truncate(2); // the others are many numbers more, and no other rule
            let state = initialise(&spec.build().unwrap(), Init::HeFanOut, true, 1).unwrap();
            for (key, tensor) in state.tensors.iter().filter(|(key, _)| key.contains(".bn") && key.ends_with(".weight")) {
                let zero = key.ends_with(&format!("{last}.weight"));
                assert!(all(&tensor.data, if zero { 0.0 } else { 1.0 }), "{key}");
            }
            assert!(all(data(&state, "layer2.0.downsample.1.weight"), 1.0));
        }
        let error = initialise(&graph("resnet56v2"), Init::HeFanOut, true, 1).unwrap_err();
        assert!(error.to_string().contains("pre-activated"));
    }

    #[test]
    fn another_number_of_classes_gets_a_new_head() {
        let pretrained = initialise(&graph("resnet20"), Init::HeFanOut, false, 1).unwrap();
        let five = ResNetSpec::named("resnet20").unwrap().with_classes(Some(5)).build().unwrap();
        let (state, new_head) = transfer(&five, &pretrained, true, Init::HeFanOut, 2).unwrap();
        assert!(new_head);
        assert_eq!(state.tensors["fc.weight"].shape, [5, 64]);
        assert_eq!(state.tensors["layer3.2.conv2.weight"], pretrained.tensors["layer3.2.conv2.weight"]);
        assert!(deviation(data(&state, "fc.weight")) > 0.0);

        let (same, new_head) = transfer(&graph("resnet20"), &pretrained, true, Init::HeFanOut, 2).unwrap();
        assert!(!new_head && same.tensors == pretrained.tensors);
        let (other, new_head) = transfer(&graph("resnet20"), &pretrained, false, Init::HeFanOut, 2).unwrap();
        assert!(new_head && other.tensors["fc.weight"] != pretrained.tensors["fc.weight"]);
        let error = transfer(&graph("resnet18"), &pretrained, true, Init::HeFanOut, 2).unwrap_err();
        assert!(error.to_string().contains("conv1.weight"), "{error}");
    }
}
