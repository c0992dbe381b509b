//! Which of a file's tensors are the network: a prefix, a dialect, a classifier. The rest is told and passed over.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::contents::{Contents, is_factor};
use super::dialects::{DIALECTS, Dialect};
use super::head::{self, Search};
use super::{Choices, Dtype, HostTensor, StateDict, shown};
use crate::data::element::Element;
use crate::{Error, Result};

/// The network's tensors under torchvision's names.
pub(super) struct Selected {
    pub state: StateDict,
    /// The file's name of each tensor that has another one here.
    pub names: IndexMap<String, String>,
    /// What stands before the body's names in the file.
    pub prefix: String,
    /// Whose names the file has.
    pub whose: &'static str,
    pub notes: Vec<String>,
    /// What was assumed of the classifier.
    pub assumed: Vec<String>,
}

/// A body in the file.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Candidate {
    dialect: usize,
    prefix: String,
}

/// What a body is to a training script, from its prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Net,
    /// An average of the weights over training.
    Average,
    /// A copy that a contrastive method moves slowly behind the net.
    Momentum,
    /// Belongs to an optimizer.
    State,
}

fn role(prefix: &str) -> Role {
    let mut role = Role::Net;
    for part in prefix.to_ascii_lowercase().split('.') {
        let words: Vec<&str> = part.split('_').collect();
        if part.contains("optim") || part.contains("sched") {
            return Role::State;
        }
        if words.iter().any(|word| ["ema", "averaged", "shadow", "swa"].contains(word)) {
            role = Role::Average;
        }
        if ["encoder_k", "key_encoder", "encoder_m", "momentum_encoder", "target", "target_encoder", "backbone_momentum"]
            .contains(&part)
        {
            role = Role::Momentum;
        }
    }
    role
}

/// Containers of training scripts, whose names say nothing about what is in them.
const CONTAINERS: &[&str] = &["state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params"];

/// Chooses the network and reads its tensors.
///
/// # Errors
/// [`Error::UnknownArchitecture`] when there is none, or several; [`Error::WeightsFile`] when a tensor cannot be read.
pub(super) fn select(file: &str, contents: &Contents<'_>, choices: &Choices) -> Result<Selected> {
    let candidates = candidates(contents);
    let mut notes = contents.facts.notes.clone();
    let chosen = choose(&candidates, choices, &mut notes)?;
    let Some(Candidate { dialect, prefix }) = chosen else {
        return Err(super::relatives::refuse(contents));
    };
    let dialect = &DIALECTS[dialect];
    let others: Vec<&str> =
        candidates.iter().map(|c| c.prefix.as_str()).filter(|other| *other != prefix && !prefix.starts_with(*other)).collect();
    let taken = |name: &str| others.iter().any(|other| name.starts_with(other));
    let mut body = body(contents, dialect, &prefix, &taken);
    number_averaged_shortcuts(contents, &mut body, dialect.whose.contains("resnetv2"));
    let body = body;
    super::relatives::check(contents, &body)?;

    let wrong = |reason: String| Error::WeightsFile { file: file.into(), reason };
    let mut tensors = IndexMap::new();
    for (canonical, name) in &body {
        let stored = &contents.tensors[name.as_str()];
        // Counters, and what has a type that nothing here needs.
        if matches!(stored.element, Element::Integer(_)) || canonical.ends_with("num_batches_tracked") {
            continue;
        }
        tensors.insert(canonical.clone(), contents.read(name).map_err(wrong)?);
    }
    let mut names: IndexMap<String, String> = body.clone();
    let features = features(&tensors);
    let mut assumed = Vec::new();
    let is_body: HashSet<&str> = body.values().map(String::as_str).collect();
    let beside = |name: &str| is_body.contains(name) || taken(name);
    match head::search(contents, &prefix, features, &beside) {
        Search::Found(head) => {
            let last = head.layers.len() - 1;
            for (i, layer) in head.layers.iter().enumerate() {
                let name = if last == 0 { "fc".to_string() } else { format!("fc.{}", 2 * i) };
                let mut weight = contents.read(&layer.weight).map_err(wrong)?;
                weight.shape.truncate(2); // a 1x1 convolution is a linear layer
                let bias = match &layer.bias {
                    Some(bias) => contents.read(bias).map_err(wrong)?,
                    None => HostTensor { dtype: weight.dtype, ..HostTensor::new([layer.outputs], vec![0.0; layer.outputs]) },
                };
                names.insert(format!("{name}.weight"), layer.weight.clone());
                names.extend(layer.bias.clone().map(|bias| (format!("{name}.bias"), bias)));
                tensors.insert(format!("{name}.weight"), weight);
                tensors.insert(format!("{name}.bias"), bias);
            }
            if last > 0 {
                assumed.push(format!(
                    "its head has {} linear layers (`{}`, ...); a ReLU is assumed between them",
                    last + 1,
                    shown(&head.layers[0].weight)
                ));
            }
        }
        Search::Other(why) => notes.push(format!(
            "its head was left out: {why}, which is not supported; what is loaded ends in features (`reslab train` gives it a new \
             head)"
        )),
        Search::None => {}
    }
    if unfold_norms(&mut tensors) {
        notes.push("its batch norms are folded into the convolutions; norms that change nothing take their place".into());
    }
    fold_stray_biases(&mut tensors);
    complete_norms(&mut tensors);

    let used: HashSet<&str> = names.values().map(String::as_str).collect();
    tell_rest(contents, &used, &taken, &mut notes);
    let state = StateDict { tensors, metadata: contents.metadata.clone() };
    Ok(Selected { state, names, prefix, whose: dialect.whose, notes, assumed })
}

/// Every body of a known dialect.
fn candidates(contents: &Contents<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (name, stored) in &contents.tensors {
        if stored.shape.len() != 4 {
            continue;
        }
        for (dialect, Dialect { anchors, .. }) in DIALECTS.iter().enumerate() {
            for anchor in *anchors {
                let Some(prefix) = name.strip_suffix(anchor) else { continue };
                if prefix.is_empty() || prefix.ends_with('.') {
                    found.push(Candidate { dialect, prefix: prefix.to_string() });
                }
            }
        }
    }
    // A sequence's numbers also end other names: only what begins with a stem counts, and of several stems the longest way in.
    found.retain(|candidate| {
        let Candidate { dialect, prefix } = candidate;
        let rename = DIALECTS[*dialect].rename;
        let stem = |(name, _): (&String, _)| {
            name.strip_prefix(prefix.as_str()).and_then(rename).is_some_and(|n| n.starts_with("conv1."))
        };
        contents.tensors.iter().any(stem)
    });
    // Two dialects may know a prefix: the one that names more of its tensors has it.
    let named = |candidate: &Candidate| {
        let rename = DIALECTS[candidate.dialect].rename;
        let below = contents.tensors.iter().filter_map(|(name, _)| name.strip_prefix(candidate.prefix.as_str()));
        below.filter(|name| rename(name).is_some()).count()
    };
    let mut best: Vec<(Candidate, usize)> = Vec::new();
    for candidate in found {
        let count = named(&candidate);
        match best.iter_mut().find(|(known, _)| known.prefix == candidate.prefix) {
            Some(known) if known.1 < count => *known = (candidate, count),
            Some(_) => {}
            None => best.push((candidate, count)),
        }
    }
    best.into_iter().map(|(candidate, _)| candidate).collect()
}

/// The body to take, `None` where there is none.
fn choose(candidates: &[Candidate], choices: &Choices, notes: &mut Vec<String>) -> Result<Option<Candidate>> {
    let name = |candidate: &Candidate| shown(candidate.prefix.trim_end_matches('.'));
    if let Some(wanted) = &choices.prefix {
        let wanted = wanted.trim_end_matches('.');
        let found = candidates.iter().find(|candidate| candidate.prefix.trim_end_matches('.') == wanted);
        return found.cloned().map(Some).ok_or_else(|| Error::Unknown {
            kind: "prefix",
            name: wanted.into(),
            known: candidates.iter().map(name).collect::<Vec<_>>().join(", "),
        });
    }
    let of = |wanted: Role| -> Vec<&Candidate> { candidates.iter().filter(|c| role(&c.prefix) == wanted).collect() };
    let (nets, averages, slow) = (of(Role::Net), of(Role::Average), of(Role::Momentum));
    if let Some(slow) = slow.first()
        && let Some(net) = nets.first()
    {
        notes.push(format!("the network below `{}` was taken, not its slow copy `{}`", name(net), name(slow)));
    }
    let chosen = match (nets.as_slice(), averages.as_slice()) {
        ([], []) => return Ok(slow.first().map(|&c| c.clone())),
        ([net], []) => net,
        ([], [average, ..]) => average,
        ([net], [average, ..]) => {
            // An average inside the same state dict is a helper of the script; beside it, it is the better net (timm takes it).
            let common = net.prefix.split('.').zip(average.prefix.split('.')).take_while(|(a, b)| a == b).count();
            let inside = common > 0 && CONTAINERS.contains(&net.prefix.split('.').next().unwrap_or(""));
            let average_wins = choices.ema.unwrap_or(!inside);
            let (taken, left) = if average_wins { (average, net) } else { (net, average) };
            let (what, other) =
                if average_wins { ("averaged weights (EMA)", "--no-ema takes") } else { ("weights", "passed over:") };
            let left = if left.prefix.is_empty() { "those without a prefix".into() } else { format!("`{}`", name(left)) };
            notes.push(format!("it holds the network twice; the {what} `{}` were taken, {other} {left}", name(taken)));
            taken
        }
        (many, _) => {
            let names: Vec<String> = many.iter().map(|c| format!("`{}`", name(c))).collect();
            return Err(Error::UnknownArchitecture(format!(
                "the file holds {} networks, {}; choose one with --prefix NAME (in JavaScript `prefix`), or save one alone",
                many.len(),
                names.join(", ")
            )));
        }
    };
    Ok(Some((*chosen).clone()))
}

/// The body's tensors: torchvision's name to the file's.
fn body(contents: &Contents<'_>, dialect: &Dialect, prefix: &str, taken: &dyn Fn(&str) -> bool) -> IndexMap<String, String> {
    let mut body = IndexMap::new();
    for name in contents.tensors.keys() {
        if is_factor(name) || taken(name) {
            continue;
        }
        if let Some(canonical) = name.strip_prefix(prefix).and_then(dialect.rename) {
            body.entry(canonical).or_insert_with(|| name.clone());
        }
    }
    body
}

/// Convolution and norm of a shortcut with an average pool are numbered after the pool, as in timm. Others leave the number out
/// where a stride of 1 has no pool (mmpretrain), or have no numbers; timm's `resnetv2_*` have such pools with stems of three
/// convolutions.
fn number_averaged_shortcuts(contents: &Contents<'_>, body: &mut IndexMap<String, String>, by_stem: bool) {
    let is_conv = |name: &String| contents.tensors.get(name).is_some_and(|stored| stored.shape.len() == 4);
    let averaged = body.iter().any(|(name, theirs)| name.ends_with(".downsample.1.weight") && is_conv(theirs))
        || (by_stem && body.contains_key("conv1.0.weight"));
    if !averaged {
        return;
    }
    let unnumbered: HashSet<String> = body
        .iter()
        .filter(|(name, theirs)| name.ends_with(".downsample.0.weight") && is_conv(theirs))
        .map(|(name, _)| name[..name.len() - "0.weight".len()].to_string())
        .collect();
    let renamed = |name: String| {
        let at = name.find(".downsample.").map_or(0, |at| at + ".downsample.".len());
        if !unnumbered.contains(&name[..at]) {
            return name;
        }
        let (block, rest) = name.split_at(at);
        match (rest.strip_prefix("0."), rest.strip_prefix("1.")) {
            (Some(rest), _) => format!("{block}1.{rest}"),
            (_, Some(rest)) => format!("{block}2.{rest}"),
            _ => name,
        }
    };
    *body = std::mem::take(body).into_iter().map(|(name, theirs)| (renamed(name), theirs)).collect();
}

/// Channels of the last stage.
fn features(tensors: &IndexMap<String, HostTensor>) -> usize {
    let last = (1..).take_while(|k| tensors.contains_key(&format!("layer{k}.0.conv1.weight"))).last().unwrap_or(1);
    let outputs = |j: usize| tensors.get(&format!("layer{last}.0.conv{j}.weight")).and_then(|t| t.shape.first().copied());
    outputs(3).or_else(|| outputs(2)).unwrap_or(0)
}

/// The norm that follows a convolution in a v1 net.
fn norm_after(conv: &str) -> Option<String> {
    let (block, last) = conv.rsplit_once('.').map_or(("", conv), |(block, last)| (block, last));
    let norm = match last.strip_prefix("conv") {
        Some(j) => format!("bn{j}"),
        // A stem of three convolutions.
        None if block == "conv1" => match last {
            "0" | "3" => (last.parse::<usize>().ok()? + 1).to_string(),
            "6" => return Some("bn1".into()),
            _ => return None,
        },
        // The second is that of an average pool's shortcut; a norm of this number is no convolution.
        None if block.ends_with("downsample") => match last {
            "0" => "1".into(),
            "1" => "2".into(),
            _ => return None,
        },
        None => return None,
    };
    Some(if block.is_empty() { norm } else { format!("{block}.{norm}") })
}

/// A bias before a batch norm only moves the mean that the norm takes away. Where some convolutions have one and others not, they
/// go there; a net whose every convolution has one keeps them.
fn fold_stray_biases(tensors: &mut IndexMap<String, HostTensor>) {
    if tensors.contains_key("norm.weight") || !tensors.contains_key("bn1.weight") && tensors.contains_key("bn1.running_mean") {
        return;
    }
    let convs: Vec<String> = tensors
        .iter()
        .filter(|(name, tensor)| name.ends_with(".weight") && tensor.shape.len() == 4)
        .map(|(name, _)| name[..name.len() - ".weight".len()].to_string())
        .collect();
    let biased: Vec<&String> = convs.iter().filter(|conv| tensors.contains_key(&format!("{conv}.bias"))).collect();
    if biased.is_empty() {
        return;
    }
    let norms: Vec<Option<String>> = convs.iter().map(|conv| norm_after(conv)).collect();
    if biased.len() == convs.len() {
        return;
    }
    for (conv, norm) in convs.iter().zip(&norms) {
        let Some(norm) = norm else { continue };
        let mean = format!("{norm}.running_mean");
        if !tensors.contains_key(&mean) {
            continue;
        }
        let Some(bias) = tensors.shift_remove(&format!("{conv}.bias")) else { continue };
        if let Some(mean) = tensors.get_mut(&mean).filter(|mean| mean.data.len() == bias.data.len()) {
            mean.data.iter_mut().zip(&bias.data).for_each(|(mean, bias)| *mean -= bias);
        }
    }
}

/// The usual epsilon of a norm, which is added to the variance again.
const EPS: f32 = 1e-5;

/// A net whose norms were folded into its convolutions for speed: the biases become norms of mean 0 and deviation 1.
fn unfold_norms(tensors: &mut IndexMap<String, HostTensor>) -> bool {
    if tensors.keys().any(|name| name.ends_with(".running_mean")) || !tensors.contains_key("layer1.0.conv1.bias") {
        return false;
    }
    let convs: Vec<String> = tensors
        .keys()
        .filter_map(|name| name.strip_suffix(".bias"))
        .filter(|name| !name.starts_with("fc"))
        .filter(|name| tensors.get(&format!("{name}.weight")).is_some_and(|weight| weight.shape.len() == 4))
        .map(str::to_string)
        .collect();
    for conv in convs {
        let Some(norm) = norm_after(&conv) else { continue };
        let Some(bias) = tensors.shift_remove(&format!("{conv}.bias")) else { continue };
        let filled = |value: f32| HostTensor { data: vec![value; bias.data.len()], ..bias.clone() };
        for (part, tensor) in
            [("weight", filled(1.0)), ("bias", bias.clone()), ("running_mean", filled(0.0)), ("running_var", filled(1.0 - EPS))]
        {
            tensors.insert(format!("{norm}.{part}"), tensor);
        }
    }
    true
}

/// Norms without weight and bias have ones and zeros (`affine=False`); those of which only a bias is left were folded into the
/// convolution before (pre-activation nets of ONNX), and change nothing else.
fn complete_norms(tensors: &mut IndexMap<String, HostTensor>) {
    let folded = |name: &String| {
        let norm = name.strip_suffix(".bias")?;
        let there = |part: &str| tensors.contains_key(&format!("{norm}.{part}"));
        let (block, last) = norm.rsplit_once('.')?;
        let is_norm = last.starts_with("bn") || (block == "conv1" && ["1", "4"].contains(&last));
        (is_norm && !there("weight") && !there("running_mean")).then(|| norm.to_string())
    };
    for norm in tensors.keys().filter_map(folded).collect::<Vec<_>>() {
        let bias = tensors[&format!("{norm}.bias")].clone();
        for (part, value) in [("weight", 1.0), ("running_mean", 0.0), ("running_var", 1.0 - EPS)] {
            tensors.insert(format!("{norm}.{part}"), HostTensor { data: vec![value; bias.data.len()], ..bias.clone() });
        }
    }
    let means: Vec<(String, usize, Dtype)> = tensors
        .iter()
        .filter_map(|(name, mean)| Some((name.strip_suffix(".running_mean")?.to_string(), mean.data.len(), mean.dtype)))
        .collect();
    for (norm, count, dtype) in means {
        for (part, value) in [("weight", 1.0), ("bias", 0.0)] {
            let tensor = || HostTensor { dtype, ..HostTensor::new([count], vec![value; count]) };
            tensors.entry(format!("{norm}.{part}")).or_insert_with(tensor);
        }
    }
}

/// Says what was passed over.
fn tell_rest(contents: &Contents<'_>, used: &HashSet<&str>, taken: &dyn Fn(&str) -> bool, notes: &mut Vec<String>) {
    let rest: Vec<&str> = contents
        .tensors
        .iter()
        .filter(|(name, stored)| {
            !matches!(stored.element, Element::Integer(_))
                && !used.contains(name.as_str())
                && !is_factor(name)
                && !name.starts_with(super::RESUME_PREFIX)
                && role(name) == Role::Net
                && !taken(name)
                && !stored.shape.is_empty()
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if rest.is_empty() {
        return;
    }
    let more = if rest.len() > 3 { format!(" and {} more", rest.len() - 3) } else { String::new() };
    let names: Vec<String> = rest.iter().take(3).map(|name| format!("`{}`", shown(name))).collect();
    notes.push(format!("passed over, since the network has no such tensors: {}{more}", names.join(", ")));
}
