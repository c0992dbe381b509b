//! The classifier of a network among a file's tensors: one linear layer or several, wherever they are and whatever they are called.

use indexmap::IndexMap;

use super::contents::{Contents, is_factor};
use super::shown;

/// What classifiers are called, the usual ones first.
const NAMES: &[&str] = &[
    "fc",
    "classifier",
    "linear",
    "head",
    "last_linear",
    "logits",
    "cls",
    "output",
    "out",
    "fc_out",
    "dense",
    "predictions",
    "probs",
];
/// Parts of names of what is no classifier although it is linear and reads the features.
const OTHERS: &[&str] =
    &["proj", "predict", "contrast", "aux", "ema", "momentum", "target", "queue", "embed", "attn", "teacher"];

/// Linear layers in order, by the file's names of their weight and bias.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub layers: Vec<Linear>,
}

/// A linear layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    pub weight: String,
    pub bias: Option<String>,
    pub outputs: usize,
}

/// What was found of a classifier.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Search {
    Found(Head),
    /// There is one, but it cannot be built: why, as the rest of a sentence.
    Other(String),
    None,
}

/// A group of layers that belong together: `fc.0`, `fc.3`.
#[derive(Default)]
struct Group<'a> {
    layers: Vec<(&'a str, usize, usize)>,
    normed: bool,
}

/// The classifier that reads `features` values, among tensors that are no part of the body. `prefix` is the body's.
pub(super) fn search(contents: &Contents<'_>, prefix: &str, features: usize, is_body: &dyn Fn(&str) -> bool) -> Search {
    let mut groups: IndexMap<&str, Group<'_>> = IndexMap::new();
    for (name, stored) in &contents.tensors {
        if is_body(name) || is_factor(name) {
            continue;
        }
        if let Some(layer) = name.strip_suffix(".running_mean") {
            groups.entry(group_of(layer)).or_default().normed = true;
        }
        let Some(layer) = name.strip_suffix(".weight") else { continue };
        let (outputs, inputs) = match *stored.shape.as_slice() {
            [outputs, inputs] | [outputs, inputs, 1, 1] if stored.is_float() => (outputs, inputs),
            _ => continue,
        };
        groups.entry(group_of(layer)).or_default().layers.push((layer, outputs, inputs));
    }
    // What stands nearest to the body comes first: `model.head.` for `model.backbone.`.
    let near = |name: &str| 1 + name.split('.').zip(prefix.split('.')).take_while(|(a, b)| a == b).count();
    let score = |name: &str| {
        // What it has in common with the body's prefix says nothing of it.
        let common: usize =
            name.split('.').zip(prefix.split('.')).take_while(|(a, b)| a == b).map(|(part, _)| part.len() + 1).sum();
        let lower = name.get(common..).unwrap_or(name).to_ascii_lowercase();
        let last = lower.rsplit('.').find(|part| !part.bytes().all(|b| b.is_ascii_digit())).unwrap_or("");
        // Keras' classifier, and no predictor of a contrastive method.
        if last != "predictions" && OTHERS.iter().any(|other| lower.contains(other)) {
            return None;
        }
        let known = NAMES.iter().position(|known| *known == last).map_or(0, |at| NAMES.len() - at);
        Some((near(name), known))
    };
    let mut best: Option<((usize, usize), &str)> = None;
    let mut other = Search::None;
    for (name, group) in &groups {
        let Some(score) = score(name) else { continue };
        let Some(&(first, _, inputs)) = group.layers.first() else { continue };
        if group.normed {
            other = Search::Other(format!("`{}` has batch norms between its layers", shown(name)));
            continue;
        }
        if inputs == 2 * features {
            other = Search::Other(format!("`{}` reads average and maximum together (fastai's pooling)", shown(first)));
            continue;
        }
        let chained = group.layers.windows(2).all(|pair| pair[0].1 == pair[1].2);
        if inputs != features || !chained {
            if matches!(other, Search::None) && score.1 > 0 {
                other = Search::Other(format!("`{}` reads {inputs} values, but the body gives {features}", shown(first)));
            }
            continue;
        }
        if best.is_none_or(|(known, _)| score > known) {
            best = Some((score, name));
        }
    }
    let Some((_, name)) = best else { return other };
    let layers = groups[name].layers.iter().map(|(layer, outputs, _)| {
        let bias = format!("{layer}.bias");
        let bias = contents.tensors.get(&bias).filter(|bias| bias.shape == [*outputs]).map(|_| bias.clone());
        Linear { weight: format!("{layer}.weight"), bias, outputs: *outputs }
    });
    Search::Found(Head { layers: layers.collect() })
}

/// The name that layers of one sequence have in common: `fc` of `fc.1`, itself of `fc`.
fn group_of(layer: &str) -> &str {
    match layer.rsplit_once('.') {
        Some((group, last)) if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) => group,
        _ => layer,
    }
}
