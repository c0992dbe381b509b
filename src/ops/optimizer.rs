//! Optimizers: element-wise updates of flat f32 parameters, with weight decay and clipping of the global gradient norm.

use super::{expect_bytes, flag, grid};
use crate::cpu::{Rule, Step};
use crate::device::{Device, Precision, Recorder, Slice};
use crate::gpu::{Shader, shader};
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
    /// Adam (Kingma and Ba 2015, arXiv:1412.6980) as `torch.optim.Adam`: eps is added to the corrected root,
    /// unless told otherwise.
    Adam {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squared gradients.
        beta2: f32,
        /// Added to the root.
        eps: f32,
        /// It is added to the root before its bias is corrected, as TensorFlow and Keras do: in the first steps as if it were larger.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        uncorrected_eps: bool,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101) as `torch.optim.AdamW`.
    #[serde(rename = "adamw")]
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
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, uncorrected_eps: false }
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
            Self::Adam { beta1, beta2, eps, .. } | Self::AdamW { beta1, beta2, eps } => {
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
        let (mut first, mut second) = (correction(beta1), correction(beta2));
        if matches!(optimizer, Optimizer::Adam { uncorrected_eps: true, .. }) {
            // rate * sqrt(c2) / c1 * mean / (sqrt(square) + eps): all of the correction is in the rate.
            (first, second) = (first / second.sqrt(), 1.0);
        }
        Self {
            learning_rate,
            step,
            bias_correction1: first,
            bias_correction2: second,
            max_norm: clip_norm.unwrap_or(f32::MAX),
            _align: [0; 3],
        }
    }
}

const SGD: Shader = shader!("sgd_update");
const MOMENTUM: Shader = shader!("momentum_update");
const ADAM: Shader = shader!("adam_update");
const NORM_PARTIAL: Shader = shader!("gradient_norm_partial");
const NORM_TOTAL: Shader = shader!("gradient_norm_total");

/// vec4s that one thread updates, so that what it reads of the step counts little; the shaders say the same.
const UPDATE_THREAD_VEC4S: usize = 8;
/// vec4s that one workgroup of the norm's first pass adds up; the shader says the same.
const NORM_WORKGROUP_VEC4S: u64 = 1024;
/// Most regions one norm is taken over.
const NORM_REGIONS: u64 = 64;

/// Operands of [`record_update`]: one flat region of f32, all of it treated alike.
#[derive(Debug, Clone, Copy)]
pub struct UpdateCall<'a> {
    /// Name in profiles.
    pub label: &'a str,
    /// The rule.
    pub optimizer: &'a Optimizer,
    /// The parameters, updated in place.
    pub params: &'a Slice,
    /// Their gradients, as large.
    pub gradients: &'a Slice,
    /// [`Optimizer::state_buffers`] slices, as large; zeros before the first step.
    pub state: &'a [Slice],
    /// [`StepValues`], written before each step.
    pub values: &'a Slice,
    /// What [`record_gradient_norm`] left.
    pub norm: &'a Slice,
    /// Factor on the learning rate for this region.
    pub learning_rate_multiplier: f32,
    /// Strength of weight decay, 0 for none.
    pub weight_decay: f32,
    /// Decay shrinks the parameter by `lr * weight_decay` of itself instead of joining the gradient as L2 does. [`Optimizer::AdamW`]
    /// always does so.
    pub decoupled: bool,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct UpdateParams {
    count: u32,
    rate_multiplier: f32,
    decay: f32,
    /// Momentum, or beta1, beta2, eps.
    numbers: [f32; 3],
}

/// One step for one region, in one dispatch. The gradient is first multiplied by `min(1, max_norm / (norm + 1e-6))`, as
/// `torch.nn.utils.clip_grad_norm_` does.
///
/// With a gradient norm that is not finite nothing is changed, neither parameters nor state; [`record_gradient_norm`] counts it.
///
/// # Errors
/// [`Error::Usage`] when an operand has another size or number than its description says, or a number makes no sense.
pub fn record_update(recorder: &mut Recorder, device: &Device, call: &UpdateCall<'_>) -> Result<()> {
    let UpdateCall { label, optimizer, params, gradients, state, values, norm, .. } = *call;
    optimizer.validate()?;
    for (name, number) in [("weight decay", call.weight_decay), ("learning-rate multiplier", call.learning_rate_multiplier)] {
        if !(number.is_finite() && number >= 0.0) {
            return Err(Error::Usage(format!("a {name} of {number} cannot be used; give a number that is not negative")));
        }
    }
    if state.len() != optimizer.state_buffers() {
        return Err(Error::Usage(format!(
            "`{label}` wants {} buffers of optimizer state, found {}",
            optimizer.state_buffers(),
            state.len()
        )));
    }
    expect_bytes(label, "gradients", gradients, params.bytes())?;
    for slice in state {
        expect_bytes(label, "optimizer state", slice, params.bytes())?;
    }
    expect_bytes(label, "step values", values, size_of::<StepValues>() as u64)?;
    expect_bytes(label, "a gradient norm", norm, 16)?;
    let decoupled = call.decoupled || matches!(optimizer, Optimizer::AdamW { .. });
    let Some(gpu) = device.gpu() else {
        let step = Step::Update {
            rule: match *optimizer {
                Optimizer::Sgd { momentum: 0.0, .. } => Rule::Sgd,
                Optimizer::Sgd { momentum, nesterov } => Rule::Momentum { momentum, nesterov },
                Optimizer::Adam { beta1, beta2, eps, .. } | Optimizer::AdamW { beta1, beta2, eps } => {
                    Rule::Adam { beta1, beta2, eps }
                }
            },
            params: recorder.span(params),
            gradients: recorder.span(gradients),
            state: state.iter().map(|slice| recorder.span(slice)).collect(),
            values: recorder.span(values),
            norm: recorder.span(norm),
            multiplier: call.learning_rate_multiplier,
            decay: call.weight_decay,
            decoupled,
        };
        return recorder.step(label, step, 0);
    };
    let decoupled = ("DECOUPLED", flag(decoupled));
    let (shader, constants, numbers) = match *optimizer {
        Optimizer::Sgd { momentum: 0.0, .. } => (SGD, vec![decoupled], [0.0; 3]),
        Optimizer::Sgd { momentum, nesterov } => {
            (MOMENTUM, vec![decoupled, ("NESTEROV", flag(nesterov))], [momentum, 0.0, 0.0])
        }
        Optimizer::Adam { beta1, beta2, eps, .. } | Optimizer::AdamW { beta1, beta2, eps } => {
            (ADAM, vec![decoupled], [beta1, beta2, eps])
        }
    };
    let vec4s = (params.bytes() / 16) as usize;
    let uniform =
        UpdateParams { count: vec4s as u32, rate_multiplier: call.learning_rate_multiplier, decay: call.weight_decay, numbers };
    let kernel = gpu.kernel(shader, Precision::F32, &constants);
    let operands: Vec<&Slice> = [params, gradients].into_iter().chain(state).chain([values, norm]).collect();
    recorder.dispatch(gpu, label, kernel, &operands, uniform, grid(gpu, vec4s.div_ceil(UPDATE_THREAD_VEC4S)), 0)
}

/// Bytes of scratch that [`record_gradient_norm`] needs for regions of `total_bytes` together.
pub fn gradient_norm_scratch_bytes(total_bytes: u64) -> u64 {
    (total_bytes.div_ceil(16 * NORM_WORKGROUP_VEC4S) + NORM_REGIONS) * 4
}

/// The norm of the gradients in all regions together: one dispatch a region and one more. Afterwards `norm` is (sum of
/// squares, steps skipped because it was not finite (added to), norm, 0). Squares beyond f32 count as not finite too: that is
/// a norm above 1.8e19.
///
/// # Errors
/// [`Error::Usage`] when there are more than 64 regions or `scratch` is smaller than [`gradient_norm_scratch_bytes`] says.
pub fn record_gradient_norm(
    recorder: &mut Recorder,
    device: &Device,
    label: &str,
    gradients: &[Slice],
    scratch: &Slice,
    norm: &Slice,
) -> Result<()> {
    if gradients.len() as u64 > NORM_REGIONS {
        return Err(Error::Usage(format!(
            "`{label}` takes the norm of at most {NORM_REGIONS} regions, found {}",
            gradients.len()
        )));
    }
    expect_bytes(label, "scratch", scratch, gradient_norm_scratch_bytes(gradients.iter().map(Slice::bytes).sum()))?;
    expect_bytes(label, "a gradient norm", norm, 16)?;
    let Some(gpu) = device.gpu() else {
        let gradients = gradients.iter().map(|slice| recorder.span(slice)).collect();
        let norm = recorder.span(norm);
        return recorder.step(label, Step::GradientNorm { gradients, norm }, 0);
    };
    let kernel = gpu.kernel(NORM_PARTIAL, Precision::F32, &[]);
    let mut first = 0;
    for region in gradients {
        let count = region.bytes() / 16;
        let groups = count.div_ceil(NORM_WORKGROUP_VEC4S) as u32;
        let params = [count as u32, first];
        recorder.dispatch(gpu, label, kernel.clone(), &[region, scratch], params, [groups, 1, 1], 0)?;
        first += groups;
    }
    let kernel = gpu.kernel(NORM_TOTAL, Precision::F32, &[]);
    recorder.dispatch(gpu, &format!("{label}.total"), kernel, &[scratch, norm], first, [1, 1, 1], 0)
}
