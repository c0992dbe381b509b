//! What benchmarks begin and end with: random weights and input, and statistics of times.

use crate::model::Turns;
use crate::model::graph::Graph;
use crate::sorting;
use crate::weights::{HostTensor, StateDict};

/// Statistics of the times of runs, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTimes {
    /// In the order they were taken.
    pub all: Vec<f64>,
    /// Arithmetic mean.
    pub mean: f64,
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// Standard deviation of the sample: divided by n - 1.
    pub deviation: f64,
    /// The shortest.
    pub min: f64,
}

impl RunTimes {
    /// Of at least one value; everything is NaN without one.
    pub fn of(all: Vec<f64>) -> Self {
        let mut sorted = all.clone();
        sorting::sort_by(&mut sorted, f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let n = sorted.len();
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let squares: f64 = sorted.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            median: (at(n.saturating_sub(1) / 2) + at(n / 2)) / 2.0,
            deviation: (squares / (n.max(2) - 1) as f64).sqrt(),
            min: at(0),
            all,
        }
    }
}

/// Weights drawn so that values stay finite at any depth, the same in every run: convolutions after He et al. 2015, batch
/// norm close to the identity. Takes a turn after every tensor.
pub async fn random_weights(graph: &Graph, turns: &mut Turns<'_>) -> StateDict {
    let mut state = StateDict::default();
    for param in graph.params() {
        let count = param.shape.iter().product();
        let mut noise = Noise::new(&param.name);
        let role = param.name.rsplit('.').next().unwrap_or_default();
        let data = match (role, param.shape.len()) {
            ("running_var", _) => vec![1.0; count],
            ("weight", 1) => vec![0.5; count],
            ("weight", _) => {
                let fan_in: usize = param.shape[1..].iter().product();
                // Uniform in [-a, a) has the variance a^2 / 3.
                noise.values(count, (6.0 / fan_in as f32).sqrt())
            }
            _ => noise.values(count, 0.1),
        };
        state.tensors.insert(param.name, HostTensor::new(param.shape, data));
        turns.offer().await;
    }
    state
}

/// A stream of pseudo-random numbers (splitmix64) seeded by a name (FNV-1a).
#[derive(Debug)]
pub struct Noise(u64);

impl Noise {
    /// The stream of this name.
    pub fn new(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// `count` numbers in [-range, range).
    pub fn values(&mut self, count: usize, range: f32) -> Vec<f32> {
        let number = |_| {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            ((z >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * range
        };
        (0..count).map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::model::ResNetSpec;
    use crate::weights::detect;

    #[test]
    fn statistics_of_even_odd_and_single() {
        let of = |values: &[f64]| {
            let RunTimes { mean, median, deviation, min, .. } = RunTimes::of(values.to_vec());
            [mean, median, deviation, min]
        };
        assert_eq!(of(&[3.0, 1.0, 2.0]), [2.0, 2.0, 1.0, 1.0]);
        assert_eq!(of(&[4.0, 1.0, 2.0, 1.0])[1], 1.5);
        assert_eq!(of(&[5.0]), [5.0, 5.0, 0.0, 5.0]);
        assert!(of(&[])[1].is_nan());
    }

    #[test]
    fn random_weights_fit_the_network_and_repeat() {
        let graph = ResNetSpec::named("resnet20").unwrap().build().unwrap();
        let draw = || random_weights(&graph, &mut Turns::none()).now_or_never().unwrap();
        let first = draw();
        assert_eq!(first, draw());
        assert_eq!(detect::detect(first).unwrap().spec.arch, "resnet20");
    }
}
