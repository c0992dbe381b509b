//! How the learning rate moves: pure functions of the position in the run, and for [`Schedule::ReduceOnPlateau`] of what
//! validation said so far. The formulas are those of PyTorch's schedulers of the same names.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A rule for the learning rate. Epochs are counted from 0; a factor applies to the recipe's rate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The recipe's rate all the time.
    #[default]
    Constant,
    /// From each boundary on, the recipe's rate times its factor: `torch.optim.lr_scheduler.MultiStepLR` with free factors.
    /// [`Schedule::keras`] is the rule of Keras' CIFAR-10 example.
    Steps {
        /// In the order of their epochs.
        steps: Vec<RateStep>,
    },
    /// `gamma` to the power of the epoch, as `ExponentialLR`.
    Exponential {
        /// Above 0, up to 1.
        gamma: f64,
    },
    /// A linear rise from 1 % to the whole rate, step by step as `LinearLR(start_factor=0.01)`; then half a cosine down to
    /// `final_factor` after the last step, as `CosineAnnealingLR` (Loshchilov and Hutter 2017, arXiv:1608.03983).
    Cosine {
        /// Length of the rise; 0 for none.
        warmup_epochs: f64,
        /// 0 to 1.
        final_factor: f64,
    },
    /// `OneCycleLR` with cosine annealing in two phases (Smith and Topin 2018, arXiv:1708.07120): up from 1 / `div_factor` of
    /// the recipe's rate, which is the largest, and down to the start divided by `final_div_factor`. PyTorch cycles the
    /// momentum too unless told not to (`cycle_momentum=False`); here it stays.
    OneCycle {
        /// Share of the steps that rise, above 0 and below 1.
        pct_start: f64,
        /// At least 1.
        div_factor: f64,
        /// At least 1.
        final_div_factor: f64,
    },
    /// `ReduceLROnPlateau` (mode `min`, no cooldown): times `factor` when the validation loss has not fallen for more than `patience`
    /// epochs, as PyTorch counts, or for `patience` epochs, as Keras does. Without validation the training loss is watched.
    ReduceOnPlateau {
        /// Above 0 and below 1.
        factor: f64,
        /// Epochs without a better loss that are let pass.
        patience: u32,
        /// A loss counts as better below `best * (1 - threshold)` in PyTorch, below `best - threshold` in Keras (its `min_delta`).
        threshold: f64,
        /// The factors together never fall below this.
        min_factor: f64,
        /// Whose counting.
        #[serde(default, skip_serializing_if = "PlateauRule::is_pytorch")]
        rule: PlateauRule,
    },
    /// The factors of two rules together, one of which may watch a plateau.
    Both {
        /// One of them.
        first: Box<Schedule>,
        /// The other.
        second: Box<Schedule>,
    },
}

/// Which framework's way of counting epochs without a better loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlateauRule {
    /// `patience` epochs are let pass, the rate falls after the next; a relative threshold.
    #[default]
    Pytorch,
    /// The rate falls after `patience` epochs; an absolute threshold.
    Keras,
}

impl PlateauRule {
    fn is_pytorch(&self) -> bool {
        *self == Self::Pytorch
    }
}

/// From `epoch` on, `factor` times the recipe's rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateStep {
    /// First epoch, counted from 0, that the factor holds for.
    pub epoch: u32,
    /// Of the recipe's rate, not of the step before.
    pub factor: f64,
}

/// Where in a run an optimizer step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Optimizer steps done before this one, over all epochs.
    pub step: u64,
    /// Optimizer steps in an epoch; at least 1.
    pub steps_per_epoch: u64,
    /// Epochs of the whole run.
    pub epochs: u32,
}

impl Position {
    /// The epoch the step belongs to, from 0.
    pub fn epoch(&self) -> u64 {
        self.step / self.steps_per_epoch.max(1)
    }
}

/// What [`Schedule::ReduceOnPlateau`] remembers from epoch to epoch; part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Smallest loss so far.
    pub best: Option<f64>,
    /// Epochs since, or since the last reduction.
    pub waited: u32,
    /// Product of the reductions.
    pub factor: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { best: None, waited: 0, factor: 1.0 }
    }
}

impl Plateau {
    /// Takes an epoch's loss into account; a loss that is no number counts as not better. Says whether the rate fell. Does
    /// nothing under another schedule.
    pub fn observe(&mut self, schedule: &Schedule, loss: f64) -> bool {
        let Some(&Schedule::ReduceOnPlateau { factor, patience, threshold, min_factor, rule }) = schedule.plateau() else {
            return false;
        };
        let better = |best: f64| match rule {
            PlateauRule::Pytorch => loss < best * (1.0 - threshold),
            PlateauRule::Keras => loss < best - threshold,
        };
        if loss.is_finite() && self.best.is_none_or(better) {
            self.best = Some(loss);
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        let most = match rule {
            PlateauRule::Pytorch => patience.saturating_add(1),
            PlateauRule::Keras => patience.max(1),
        };
        if self.waited < most {
            return false;
        }
        self.waited = 0;
        let before = self.factor;
        self.factor = (before * factor).max(min_factor);
        self.factor < before
    }
}

/// Share of the rate at which a warm-up begins (torchvision's reference training).
const WARMUP_START: f64 = 0.01;

impl Schedule {
    /// The rule of Keras' CIFAR-10 ResNet example: a tenth from epoch 81 on, then 1/100 from 121, 1/1000 from 161 and 1/2000
    /// from 181, epochs counted from 0 (its code says `epoch > 80`).
    pub fn keras() -> Self {
        let steps = [(81, 1e-1), (121, 1e-2), (161, 1e-3), (181, 0.5e-3)];
        Self::Steps { steps: steps.map(|(epoch, factor)| RateStep { epoch, factor }).into() }
    }

    /// [`Schedule::Cosine`] down to nothing.
    pub fn cosine(warmup_epochs: f64) -> Self {
        Self::Cosine { warmup_epochs, final_factor: 0.0 }
    }

    /// [`Schedule::OneCycle`] with PyTorch's defaults.
    pub fn one_cycle() -> Self {
        Self::OneCycle { pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }

    /// [`Schedule::ReduceOnPlateau`] with Keras' defaults but for the patience.
    pub fn keras_plateau(patience: u32) -> Self {
        Self::ReduceOnPlateau { factor: 0.1, patience, threshold: 1e-4, min_factor: 0.0, rule: PlateauRule::Keras }
    }

    /// [`Schedule::ReduceOnPlateau`] with PyTorch's defaults.
    pub fn reduce_on_plateau() -> Self {
        Self::ReduceOnPlateau { factor: 0.1, patience: 10, threshold: 1e-4, min_factor: 0.0, rule: PlateauRule::Pytorch }
    }

    /// The part that watches a plateau, if one does.
    fn plateau(&self) -> Option<&Self> {
        match self {
            Self::ReduceOnPlateau { .. } => Some(self),
            Self::Both { first, second } => first.plateau().or_else(|| second.plateau()),
            _ => None,
        }
    }

    /// What the recipe's rate is multiplied with in the step at `at`.
    pub fn factor(&self, at: Position, plateau: &Plateau) -> f64 {
        let per_epoch = at.steps_per_epoch.max(1);
        let total = (per_epoch * u64::from(at.epochs)) as f64;
        let step = at.step as f64;
        match self {
            Self::Constant => 1.0,
            Self::Steps { steps } => steps.iter().rev().find(|s| u64::from(s.epoch) <= at.epoch()).map_or(1.0, |s| s.factor),
            Self::Exponential { gamma } => gamma.powf(at.epoch() as f64),
            Self::Cosine { warmup_epochs, final_factor } => {
                let warmup = (warmup_epochs * per_epoch as f64).round();
                if step < warmup {
                    return WARMUP_START + (1.0 - WARMUP_START) * step / warmup;
                }
                let done = ((step - warmup) / (total - warmup).max(1.0)).min(1.0);
                anneal(1.0, *final_factor, done)
            }
            Self::OneCycle { pct_start, div_factor, final_div_factor } => {
                let start = 1.0 / div_factor;
                let top = pct_start * total - 1.0;
                let last = total - 1.0;
                if step <= top {
                    // A rise of one step is at the top at once.
                    return if top > 0.0 { anneal(start, 1.0, step / top) } else { 1.0 };
                }
                let done = if last > top { ((step - top) / (last - top)).min(1.0) } else { 1.0 };
                anneal(1.0, start / final_div_factor, done)
            }
            Self::ReduceOnPlateau { .. } => plateau.factor,
            Self::Both { first, second } => first.factor(at, plateau) * second.factor(at, plateau),
        }
    }

    /// # Errors
    /// [`Error::Usage`] naming the number that makes no sense.
    pub fn validate(&self, epochs: u32) -> Result<()> {
        let check = |ok: bool, message: String| if ok { Ok(()) } else { Err(Error::Usage(message)) };
        let share = |x: f64| x.is_finite() && x > 0.0 && x <= 1.0;
        match self {
            Self::Constant => Ok(()),
            Self::Steps { steps } => {
                check(!steps.is_empty(), "a step schedule needs at least one epoch to step at, like steps:30,60".into())?;
                let rising = steps.windows(2).all(|pair| pair[0].epoch < pair[1].epoch);
                check(rising, "the epochs of a step schedule must rise, like steps:30,60,80".into())?;
                let odd = steps.iter().find(|s| !(s.factor.is_finite() && s.factor > 0.0));
                check(
                    odd.is_none(),
                    odd.map_or(String::new(), |s| {
                        format!("a step to {} times the rate is no step; give a factor above 0", s.factor)
                    }),
                )
            }
            Self::Exponential { gamma } => check(
                share(*gamma),
                format!(
                    "a rate that is multiplied by {gamma} each epoch does not fall; give a number above 0 and up to 1, like 0.95"
                ),
            ),
            Self::Cosine { warmup_epochs, final_factor } => {
                check(
                    warmup_epochs.is_finite() && *warmup_epochs >= 0.0 && *warmup_epochs < f64::from(epochs.max(1)),
                    format!("a warm-up of {warmup_epochs} epochs does not fit into a run of {epochs}; give fewer"),
                )?;
                check(
                    (0.0..=1.0).contains(final_factor),
                    format!("a cosine that ends at {final_factor} of the rate does not fall; give a number from 0 to 1"),
                )
            }
            Self::OneCycle { pct_start, div_factor, final_div_factor } => {
                check(
                    *pct_start > 0.0 && *pct_start < 1.0,
                    format!("one cycle cannot rise for {pct_start} of its steps; give a share between 0 and 1, 0.3 is usual"),
                )?;
                let divides = |x: f64| x.is_finite() && x >= 1.0;
                check(
                    divides(*div_factor) && divides(*final_div_factor),
                    format!(
                        "one cycle starts and ends below its top: div_factor ({div_factor}) and final_div_factor ({final_div_factor}) must be at least 1"
                    ),
                )
            }
            Self::Both { first, second } => {
                first.validate(epochs)?;
                second.validate(epochs)?;
                let simple = |part: &Self| !matches!(part, Self::Both { .. });
                check(simple(first) && simple(second), "a schedule of two parts has no parts in these".into())?;
                check(
                    first.plateau().is_none() || second.plateau().is_none(),
                    "of the two parts of a schedule only one can watch a plateau".into(),
                )
            }
            Self::ReduceOnPlateau { factor, threshold, min_factor, .. } => {
                check(
                    share(*factor) && *factor < 1.0,
                    format!(
                        "a plateau cannot reduce the rate by a factor of {factor}; give a number between 0 and 1, 0.1 is usual"
                    ),
                )?;
                check(
                    (0.0..1.0).contains(threshold) && (0.0..=1.0).contains(min_factor),
                    format!(
                        "a plateau's threshold ({threshold}) and smallest factor ({min_factor}) must be shares from 0 to 1"
                    ),
                )
            }
        }
    }
}

/// Half a cosine from `start` (at 0) to `end` (at 1).
fn anneal(start: f64, end: f64, done: f64) -> f64 {
    end + (start - end) / 2.0 * ((PI * done).cos() + 1.0)
}

/// As the command line writes it: `constant`, `keras`, `steps:30,60` (a tenth each), `exponential:0.95`, `cosine`, `cosine:5`
/// (five epochs of warm-up), `one-cycle`, `plateau`, `plateau:5` (its patience).
impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            Error::Unknown {
            kind: "schedule",
            name: text.into(),
            known:
                "constant, keras, steps:30,60 (a tenth at each epoch), exponential:0.95, cosine, cosine:5 (epochs of warm-up), \
                    one-cycle, plateau, plateau:5 (epochs of patience, as PyTorch counts), keras-plateau:5 (as Keras does), or two with + \
                    between"
                    .into(),
        }
        };
        if let Some((first, second)) = text.split_once('+') {
            return Ok(Self::Both { first: Box::new(first.parse()?), second: Box::new(second.parse()?) });
        }
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| unknown());
        match (name, argument) {
            ("constant", None) => Ok(Self::Constant),
            ("keras", None) => Ok(Self::keras()),
            ("steps", Some(epochs)) => {
                let steps = epochs.split(',').enumerate().map(|(i, epoch)| {
                    let epoch = epoch.trim().parse().map_err(|_| unknown())?;
                    Ok(RateStep { epoch, factor: 0.1f64.powf(i as f64 + 1.0) })
                });
                Ok(Self::Steps { steps: steps.collect::<Result<_>>()? })
            }
            ("exponential", Some(gamma)) => Ok(Self::Exponential { gamma: number(gamma)? }),
            ("cosine", None) => Ok(Self::cosine(0.0)),
            ("cosine", Some(warmup)) => Ok(Self::cosine(number(warmup)?)),
            ("one-cycle", None) => Ok(Self::one_cycle()),
            ("plateau", None) => Ok(Self::reduce_on_plateau()),
            ("keras-plateau", None) => Ok(Self::keras_plateau(10)),
            ("keras-plateau", Some(epochs)) => Ok(Self::keras_plateau(epochs.trim().parse().map_err(|_| unknown())?)),
            ("plateau", Some(epochs)) => match Self::reduce_on_plateau() {
                Self::ReduceOnPlateau { factor, threshold, min_factor, rule, .. } => {
                    let patience = epochs.trim().parse().map_err(|_| unknown())?;
                    Ok(Self::ReduceOnPlateau { factor, patience, threshold, min_factor, rule })
                }
                other => Ok(other),
            },
            _ => Err(unknown()),
        }
    }
}

/// A few words for a summary.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => write!(f, "constant"),
            Self::Steps { .. } if *self == Self::keras() => write!(f, "keras"),
            Self::Steps { steps } => {
                let steps: Vec<String> = steps.iter().map(|s| format!("x{} from epoch {}", s.factor, s.epoch)).collect();
                write!(f, "steps ({})", steps.join(", "))
            }
            Self::Exponential { gamma } => write!(f, "exponential (x{gamma} an epoch)"),
            Self::Cosine { warmup_epochs, .. } if *warmup_epochs == 0.0 => write!(f, "cosine"),
            Self::Cosine { warmup_epochs, .. } => write!(f, "cosine after {warmup_epochs} epochs of warm-up"),
            Self::OneCycle { .. } => write!(f, "one cycle"),
            Self::Both { first, second } => write!(f, "{first}, and {second}"),
            Self::ReduceOnPlateau { factor, patience, rule: PlateauRule::Keras, .. } => {
                write!(f, "x{factor} after {patience} epochs without a lower loss, as Keras counts")
            }
            Self::ReduceOnPlateau { factor, patience, .. } => {
                write!(f, "x{factor} after {patience} epochs without a lower loss")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(schedule: &Schedule, steps: u64, steps_per_epoch: u64) -> Vec<f64> {
        let epochs = steps.div_ceil(steps_per_epoch) as u32;
        schedule.validate(epochs).unwrap();
        let at = |step| Position { step, steps_per_epoch, epochs };
        (0..steps).map(|step| schedule.factor(at(step), &Plateau::default())).collect()
    }

    fn assert_close(ours: &[f64], theirs: &[f64]) {
        assert_eq!(ours.len(), theirs.len());
        for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
            assert!((a - b).abs() <= 1e-8, "step {i}: {a}, PyTorch says {b}");
        }
    }

    // The numbers are torch 2.15's: the rate before each step of `SGD([p], lr=1.0)` with the scheduler of each test, which
    // steps after every optimizer step, or after every second one where an epoch has two.

    #[test]
    fn steps_are_multi_step_lr() {
        // MultiStepLR(o, [2, 3])
        let steps = "steps:2,3".parse().unwrap();
        assert_close(&factors(&steps, 10, 2), &[1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01]);
    }

    #[test]
    fn exponential_is_exponential_lr() {
        // ExponentialLR(o, 0.9)
        let schedule = Schedule::Exponential { gamma: 0.9 };
        assert_close(&factors(&schedule, 8, 2), &[1.0, 1.0, 0.9, 0.9, 0.81, 0.81, 0.729, 0.729]);
    }

    #[test]
    fn cosine_is_cosine_annealing_lr() {
        // CosineAnnealingLR(o, 10)
        let theirs = [
            1.0,
            0.975528258,
            0.904508497,
            0.793892626,
            0.654508497,
            0.5,
            0.345491503,
            0.206107374,
            0.0954915028,
            0.0244717419,
        ];
        assert_close(&factors(&Schedule::cosine(0.0), 10, 5), &theirs);
        // SequentialLR(o, [LinearLR(o, 0.01, total_iters=4), CosineAnnealingLR(o, 8, eta_min=0.1)], [4])
        let theirs = [
            0.01,
            0.2575,
            0.505,
            0.7525,
            1.0,
            0.96574579,
            0.868198052,
            0.722207545,
            0.55,
            0.377792455,
            0.231801948,
            0.13425421,
        ];
        let schedule = Schedule::Cosine { warmup_epochs: 2.0, final_factor: 0.1 };
        assert_close(&factors(&schedule, 12, 2), &theirs);
    }

    #[test]
    fn one_cycle_is_one_cycle_lr() {
        // OneCycleLR(o, 1.0, total_steps=12, cycle_momentum=False)
        let theirs = [
            0.04,
            0.349789654,
            0.879285159,
            0.994415435,
            0.93301297,
            0.811745654,
            0.647378998,
            0.462637103,
            0.283060998,
            0.13347753,
            0.0345669874,
            4e-06,
        ];
        assert_close(&factors(&Schedule::one_cycle(), 12, 3), &theirs);
        // OneCycleLR(o, 1.0, total_steps=10, pct_start=.25, div_factor=10, final_div_factor=100, cycle_momentum=False)
        let theirs =
            [0.1, 0.775, 0.989084727, 0.904603989, 0.75025, 0.552711967, 0.346146011, 0.166269262, 0.0441840439, 0.001];
        let schedule = Schedule::OneCycle { pct_start: 0.25, div_factor: 10.0, final_div_factor: 100.0 };
        assert_close(&factors(&schedule, 10, 5), &theirs);
        // A run too short to rise is finite all the same.
        assert!(factors(&Schedule::one_cycle(), 1, 1).iter().all(|f| f.is_finite()));
    }

    #[test]
    fn plateau_is_reduce_lr_on_plateau() {
        // ReduceLROnPlateau(o, factor=.5, patience=2, threshold=1e-4, min_lr=.2), which steps with these losses.
        let losses = [1.0, 0.9, 0.95, 0.91, 0.899999, 0.92, 0.5, 0.6, 0.7, f64::NAN, 0.6, 0.5, 0.4999, 0.49999, 0.6, 0.6];
        let theirs = [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25];
        let schedule = Schedule::ReduceOnPlateau {
            factor: 0.5,
            patience: 2,
            threshold: 1e-4,
            min_factor: 0.2,
            rule: PlateauRule::Pytorch,
        };
        let at = Position { step: 0, steps_per_epoch: 1, epochs: 16 };
        let mut plateau = Plateau::default();
        let mut ours = Vec::new();
        for loss in losses {
            ours.push(schedule.factor(at, &plateau));
            plateau.observe(&schedule, loss);
            // A checkpoint in between changes nothing.
            plateau = serde_json::from_str(&serde_json::to_string(&plateau).unwrap()).unwrap();
        }
        assert_close(&ours, &theirs);
        // The last loss brought it to the least factor, where it stays.
        assert_eq!(plateau.factor, 0.2);
        assert!((0..9).all(|_| !plateau.observe(&schedule, 1.0)));
        assert!(!plateau.observe(&Schedule::Constant, 1.0));
    }

    #[test]
    fn the_other_plateau_is_keras() {
        // ReduceLROnPlateau(factor=.5, patience=2, min_delta=1e-4, min_lr=.2) of Keras 3.15 over these validation losses: the rate before
        // each epoch.
        let losses = [1.0, 0.9, 0.95, 0.91, 0.89995, 0.92, 0.5, 0.6, 0.7, 0.6, 0.5, 0.4999, 0.49979, 0.6, 0.6];
        let theirs = KERAS_PLATEAU;
        let Schedule::ReduceOnPlateau { threshold, .. } = Schedule::keras_plateau(2) else { panic!("a plateau") };
        let schedule =
            Schedule::ReduceOnPlateau { factor: 0.5, patience: 2, threshold, min_factor: 0.2, rule: PlateauRule::Keras };
        let at = |step| Position { step, steps_per_epoch: 1, epochs: 16 };
        let mut plateau = Plateau::default();
        let both = Schedule::Both { first: Box::new("steps:3".parse().unwrap()), second: Box::new(schedule.clone()) };
        both.validate(16).unwrap();
        let mut together = plateau;
        for (epoch, (loss, rate)) in losses.into_iter().zip(theirs).enumerate() {
            let place = at(epoch as u64);
            assert_close(&[schedule.factor(place, &plateau)], &[rate]);
            assert_close(&[both.factor(place, &together)], &[rate * if epoch < 3 { 1.0 } else { 0.1 }]);
            plateau.observe(&schedule, loss);
            together.observe(&both, loss);
        }
        let json = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), both);
        assert_eq!("keras+keras-plateau:5".parse::<Schedule>().unwrap().to_string().matches("Keras").count(), 1);
        let twice = "plateau+keras-plateau".parse::<Schedule>().unwrap();
        assert!(twice.validate(9).unwrap_err().to_string().contains("only one"));
    }

    const KERAS_PLATEAU: [f64; 15] = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2];

    #[test]
    fn keras_rule_reads_as_its_code() {
        let at = |epoch| Position { step: epoch * 7u64 + 3, steps_per_epoch: 7, epochs: 200 };
        let factor = |epoch| Schedule::keras().factor(at(epoch), &Plateau::default());
        let found = [0, 80, 81, 120, 121, 160, 161, 180, 181, 199].map(factor);
        assert_eq!(found, [1.0, 1.0, 1e-1, 1e-1, 1e-2, 1e-2, 1e-3, 1e-3, 0.5e-3, 0.5e-3]);
    }

    #[test]
    fn names_are_read_and_nonsense_is_explained() {
        let read = |text: &str| text.parse::<Schedule>();
        for text in
            ["constant", "keras", "steps:3", "exponential:0.9", "cosine", "cosine:2.5", "one-cycle", "plateau", "plateau:3"]
        {
            let schedule = read(text).unwrap();
            schedule.validate(200).unwrap();
            let json = serde_json::to_string(&schedule).unwrap();
            assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule, "{json}");
            assert!(!schedule.to_string().is_empty());
        }
        for text in ["", "cosin", "steps", "steps:a", "exponential", "constant:1", "plateau:-1"] {
            assert!(read(text).unwrap_err().to_string().contains("one-cycle"), "{text}");
        }
        let wrong = |text: &str| read(text).unwrap().validate(10).unwrap_err().to_string();
        assert!(wrong("steps:5,3").contains("must rise"));
        assert!(wrong("exponential:1.5").contains("does not fall"));
        assert!(wrong("cosine:10").contains("does not fit into a run of 10"));
        assert!(wrong("cosine:NaN").contains("does not fit"));
    }
}
