//! Optimizers: element-wise updates of flat f32 parameters, with weight decay and clipping of the global gradient norm.

use crate::{Error, Result};

/// The rule that turns gradients into a step, with the numbers that do not change from step to step.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent as `torch.optim.SGD` (dampening 0): `v = momentum * v + g`, then `p -= lr * v`, or with
    /// Nesterov's look-ahead `p -= lr * (g + momentum * v)`. The rate is outside of `v`, so that a schedule acts at once.
    Sgd {
        /// 0 (none) to below 1.
        momentum: f32,
        /// Look ahead (Sutskever et al. 2013); needs a momentum.
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015, arXiv:1412.6980) as `torch.optim.Adam`: eps is added to the corrected root.
    Adam {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root.
        eps: f32,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101) as `torch.optim.AdamW`.
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root.
        eps: f32,
    },
}

impl Default for Optimizer {
    /// SGD with the momentum of the ResNet papers.
    fn default() -> Self {
        Self::sgd()
    }
}

impl Optimizer {
    /// SGD with momentum 0.9 (He et al. 2016).
    pub fn sgd() -> Self {
        Self::Sgd { momentum: 0.9, nesterov: false }
    }

    /// Adam with PyTorch's defaults.
    pub fn adam() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }

    /// AdamW with PyTorch's defaults.
    pub fn adamw() -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }

    /// Buffers of state, each as large as the parameters: none, the momentum, or Adam's two means. They start as zeros.
    pub fn state_buffers(&self) -> usize {
        match self {
            Self::Sgd { momentum, .. } => usize::from(*momentum != 0.0),
            Self::Adam { .. } | Self::AdamW { .. } => 2,
        }
    }

    /// # Errors
    /// [`Error::Usage`] naming the number that makes no sense.
    pub fn validate(&self) -> Result<()> {
        let unit = |name: &str, value: f32| {
            if (0.0..1.0).contains(&value) {
                return Ok(());
            }
            Err(Error::Usage(format!("a {name} of {value} cannot be used; give a number from 0 to below 1")))
        };
        match *self {
            Self::Sgd { momentum, nesterov } => {
                unit("momentum", momentum)?;
                if nesterov && momentum == 0.0 {
                    return Err(Error::Usage("Nesterov needs a momentum above 0; 0.9 is usual".into()));
                }
            }
            Self::Adam { beta1, beta2, eps } | Self::AdamW { beta1, beta2, eps } => {
                unit("beta1", beta1)?;
                unit("beta2", beta2)?;
                if !(eps.is_finite() && eps > 0.0) {
                    return Err(Error::Usage(format!(
                        "an eps of {eps} cannot be used; give a small positive number like 1e-8"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// What changes from step to step, written into a small storage buffer before each step; the recording stays the same.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct StepValues {
    /// The schedule's rate of this step.
    pub learning_rate: f32,
    /// Number of this step, from 1.
    pub step: u32,
    /// `1 - beta1^step`; 1 for SGD.
    pub bias_correction1: f32,
    /// `1 - beta2^step`; 1 for SGD.
    pub bias_correction2: f32,
    /// Largest allowed norm of the whole gradient; `f32::MAX` when it is not clipped.
    pub max_norm: f32,
    _align: [u32; 3],
}

impl StepValues {
    /// For step number `step` (from 1).
    pub fn new(optimizer: &Optimizer, learning_rate: f32, step: u32, clip_norm: Option<f32>) -> Self {
        let (beta1, beta2) = match *optimizer {
            Optimizer::Sgd { .. } => (0.0, 0.0),
            Optimizer::Adam { beta1, beta2, .. } | Optimizer::AdamW { beta1, beta2, .. } => (beta1, beta2),
        };
        // In f64: 0.999^1 is so near to 1 that f32 would lose digits of the difference.
        let correction = |beta: f32| (1.0 - f64::from(beta).powf(f64::from(step.max(1)))) as f32;
        Self {
            learning_rate,
            step,
            bias_correction1: correction(beta1),
            bias_correction2: correction(beta2),
            max_norm: clip_norm.unwrap_or(f32::MAX),
            _align: [0; 3],
        }
    }
}
