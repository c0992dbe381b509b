//! Classification losses with their gradient and the counts behind loss and accuracy.

use super::{expect_bytes, flag};
use crate::cpu::Step;
use crate::device::{Device, Family, Precision, Recorder, Slice, Tensor};
use crate::gpu::{Shader, shader};
use crate::{Error, Result};

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LossKind {
    /// Exactly one class is right. As `torch.nn.CrossEntropyLoss(weight, label_smoothing=..)`: the target is
    /// `1 - label_smoothing` on the label plus `label_smoothing / C` on every class (Szegedy et al. 2016, arXiv:1512.00567), and
    /// the mean is weighted by the class weights of the labels.
    SoftmaxCrossEntropy {
        /// 0 (none) to below 1.
        #[serde(default)]
        label_smoothing: f32,
    },
    /// Every class is a yes or no of its own. As `torch.nn.BCEWithLogitsLoss(weight)`: the mean over images and classes. The
    /// target is moved towards 1/2, `target * (1 - label_smoothing) + label_smoothing / 2`, as Keras' `BinaryCrossentropy` does.
    SigmoidCrossEntropy {
        /// 0 (none) to below 1.
        #[serde(default)]
        label_smoothing: f32,
    },
}

impl Default for LossKind {
    /// Softmax cross-entropy without smoothing.
    fn default() -> Self {
        Self::SoftmaxCrossEntropy { label_smoothing: 0.0 }
    }
}

impl LossKind {
    /// The strength of label smoothing.
    pub fn label_smoothing(&self) -> f32 {
        match *self {
            Self::SoftmaxCrossEntropy { label_smoothing } | Self::SigmoidCrossEntropy { label_smoothing } => label_smoothing,
        }
    }

    /// # Errors
    /// [`Error::Usage`] when the smoothing is not in 0..1.
    pub fn validate(&self) -> Result<()> {
        let smoothing = self.label_smoothing();
        if (0.0..1.0).contains(&smoothing) {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "label smoothing of {smoothing} leaves no label; give a number from 0 to below 1, 0.1 is usual"
        )))
    }
}

/// One image's target on the GPU. With mixup (Zhang et al. 2018, arXiv:1710.09412) it is `lambda` of `label` and
/// `1 - lambda` of `other`; without, the two are the same class.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Target {
    /// Class, below the number of classes.
    pub label: u32,
    /// Class of the picture mixed in.
    pub other: u32,
    /// Share of `label`, 0 to 1.
    pub lambda: f32,
    /// Factor on the image's gradient, usually 1; 0 for a row that only fills the batch. Losses and accuracy count all others alike.
    pub weight: f32,
}

impl Target {
    /// A row that fills the batch and counts nowhere.
    pub const FILLER: Self = Self { label: 0, other: 0, lambda: 1.0, weight: 0.0 };

    /// An image of one class.
    pub fn class(label: u32) -> Self {
        Self { label, other: label, lambda: 1.0, weight: 1.0 }
    }

    /// A mixture of two images.
    pub fn mixed(label: u32, other: u32, lambda: f32) -> Self {
        Self { label, other, lambda, weight: 1.0 }
    }
}

const ROWS: Shader = shader!("loss_rows");
const TOTALS: Shader = shader!("loss_totals");

/// Operands of [`record_loss`].
#[derive(Debug, Clone, Copy)]
pub struct LossCall<'a> {
    /// Name in profiles.
    pub label: &'a str,
    /// The loss.
    pub kind: LossKind,
    /// Targets are shares of classes (mixup, CutMix): every image counts the same in the mean, whatever its classes' weights.
    pub shares: bool,
    /// `(N, C, 1, 1)`.
    pub logits: &'a Tensor,
    /// N [`Target`]s.
    pub targets: &'a Slice,
    /// `(C)` f32, padded to fours; all 1 when classes count the same.
    pub class_weights: &'a Slice,
    /// Factor on the gradient: 1 / the number of micro-batches whose gradients are added up.
    pub share: f32,
    /// `(N, C, 1, 1)`, written: the gradient of the mean loss times `share`. None to evaluate only.
    pub d_logits: Option<&'a Tensor>,
    /// N vec4s, written: the loss (as torch's `reduction="none"`), the rank of the label's class (0: it is the top one), the
    /// confidence (largest probability), the predicted class. A row of weight 0 becomes zeros. With logits that are not
    /// finite the loss is NaN and the rank C.
    pub rows: &'a Slice,
    /// Two vec4s, added to: sum of losses, sum of what the images count in the mean, right in the first one, right in the first five; then rows
    /// whose loss is not finite (these count in none of the sums), 0, 0, 0. The mean loss is the first over the second.
    pub totals: &'a Slice,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct RowsParams {
    batch: u32,
    classes: u32,
    c4: u32,
    smoothing: f32,
    share: f32,
    not_a_number: u32,
}

/// Loss, gradient and accuracy of a batch, in two dispatches.
///
/// The mean over a batch is torch's. `CrossEntropyLoss(weight)` divides the sum by the class weights of the labels, but by the number of
/// images where targets are probabilities of classes, which mixtures are: so does this with [`shares`](LossCall::shares).
/// `BCEWithLogitsLoss(weight)` takes the mean over images and classes. Accuracy goes by the label with the larger share.
///
/// A row whose logits are not finite gets a gradient of NaN, so that the gradient norm sees it and the optimizer skips the step.
///
/// # Errors
/// [`Error::Usage`] when an operand is too small or of another shape, or the smoothing makes no sense.
pub fn record_loss(recorder: &mut Recorder, device: &Device, call: &LossCall<'_>) -> Result<()> {
    let LossCall { label, kind, shares, logits, targets, class_weights, rows, totals, .. } = *call;
    kind.validate()?;
    let shape = logits.shape;
    if (shape.h, shape.w) != (1, 1) {
        return Err(Error::Usage(format!("the loss `{label}` wants logits of one pixel, found {shape:?}")));
    }
    let (n, c4) = (shape.n as u64, shape.c4() as u64);
    expect_bytes(label, "targets", targets, n * 16)?;
    expect_bytes(label, "class weights", class_weights, c4 * 16)?;
    expect_bytes(label, "rows", rows, n * 16)?;
    expect_bytes(label, "totals", totals, 32)?;
    let other = |tensor: &&Tensor| (tensor.shape, tensor.precision) != (shape, logits.precision);
    if let Some(tensor) = call.d_logits.filter(other) {
        return Err(Error::Usage(format!("the loss `{label}` wants a gradient like the logits, {shape:?}, found {tensor:?}")));
    }
    let sigmoid = matches!(kind, LossKind::SigmoidCrossEntropy { .. });
    let even = shares || sigmoid;
    let Some(gpu) = device.gpu() else {
        let step = Step::Loss {
            batch: shape.n as u32,
            classes: shape.c as u32,
            sigmoid,
            even,
            smoothing: kind.label_smoothing(),
            share: call.share,
            logits: recorder.span(&logits.slice),
            targets: recorder.span(targets),
            class_weights: recorder.span(class_weights),
            d_logits: call.d_logits.map(|tensor| recorder.span(&tensor.slice)),
            rows: recorder.span(rows),
            totals: recorder.span(totals),
        };
        return recorder.step(label, step, 0);
    };
    let d_logits = match call.d_logits {
        Some(tensor) => tensor.slice.clone(),
        // The shader declares the binding whether or not it writes to it.
        None => Slice::new(device, "no gradient", 16)?,
    };
    // Each thread reads what the others found: a software adapter wants few.
    let threads = match gpu.family() {
        Family::Gpu => 64.0,
        Family::Cpu => 8.0,
    };
    let gradient = flag(call.d_logits.is_some());
    let constants = [("EVEN", flag(even)), ("SIGMOID", flag(sigmoid)), ("GRADIENT", gradient), ("THREADS", threads)];
    let params = RowsParams {
        batch: shape.n as u32,
        classes: shape.c as u32,
        c4: shape.c4() as u32,
        smoothing: kind.label_smoothing(),
        share: call.share,
        not_a_number: f32::NAN.to_bits(),
    };
    recorder.dispatch(
        gpu,
        label,
        gpu.kernel(ROWS, logits.precision, &constants),
        &[&logits.slice, targets, class_weights, &d_logits, rows],
        params,
        [shape.n as u32, 1, 1],
        0,
    )?;
    let kernel = gpu.kernel(TOTALS, Precision::F32, &constants[..1]);
    let operands = [rows, targets, class_weights, totals];
    recorder.dispatch(gpu, &format!("{label}.totals"), kernel, &operands, shape.n as u32, [1, 1, 1], 0)
}
