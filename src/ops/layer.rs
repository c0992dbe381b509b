//! What a layer is: one value that answers everything the rest of the program asks of it.
//!
//! Graph, fusing, plans, training and ONNX loop over layers and know none by name. Adding one touches its file in this folder
//! (or its own folder), its shaders, the list [`layers!`](super) in `ops/mod.rs`, and its test.

use super::nhwc::Nhwc;
use super::onnx::Onnx;
use super::{Affine, ConvKernel, Statistics};
use crate::cpu::{Conv, ConvMethod};
use crate::device::{Device, Precision, Recorder, Shape, Slice, Tensor};
use crate::{Error, Result};

/// A layer of a network. Shapes are written `(N, C, H, W)`.
pub trait Layer {
    /// What sort of work it is.
    fn kind(&self) -> LayerKind;

    /// The shape of its output. In words what is wrong with the inputs, where something is.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String>;

    /// Parameters and buffers, as a checkpoint has them.
    fn params(&self) -> Vec<LayerParam> {
        Vec::new()
    }

    /// Multiply-adds of a forward pass.
    fn multiply_adds(&self, _input: Shape) -> u64 {
        0
    }

    /// As what another layer can take it over, where its input has no other reader.
    fn tail(&self) -> Option<Tail> {
        None
    }

    /// Which tails it takes over, in the order in which they may follow it.
    fn takes(&self, _purpose: Purpose) -> &'static [Tail] {
        &[]
    }

    /// As a tail [`Tail::Norm`]: what these parameters amount to, in the order of [`params`](Self::params).
    fn affine(&self, _params: &[&[f32]]) -> Option<Affine> {
        None
    }

    /// How a forward pass computes it, for layers that have a choice; with `wanted` wherever that can.
    fn kernel(&self, _ctx: &Device, _input: Shape, _precision: Precision, _wanted: Option<ConvKernel>) -> ConvKernel {
        ConvKernel::default()
    }

    /// How training computes it; decides the layout of its weights.
    fn training_kernel(&self, _ctx: &Device, _input: Shape) -> ConvKernel {
        ConvKernel::default()
    }

    /// Values of its first parameter on the device. The default is one a channel, padded to fours.
    fn weight_len(&self, _kernel: ConvKernel) -> usize {
        self.params().first().map_or(0, LayerParam::padded_len)
    }

    /// Its first parameter as it lies on the device.
    fn pack_weight(&self, _kernel: ConvKernel, weight: &[f32]) -> Vec<f32> {
        padded(weight)
    }

    /// The inverse of [`pack_weight`](Self::pack_weight).
    fn unpack_weight(&self, _kernel: ConvKernel, packed: &[f32]) -> Vec<f32> {
        packed[..self.params()[0].count()].to_vec()
    }

    /// Values of any of its parameters on the device: all but the first are padded to fours and no more.
    fn packed_len(&self, kernel: ConvKernel, param: usize) -> usize {
        if param == 0 { self.weight_len(kernel) } else { self.params()[param].padded_len() }
    }

    /// Any of its parameters as it lies on the device.
    fn pack(&self, kernel: ConvKernel, param: usize, values: &[f32]) -> Vec<f32> {
        if param == 0 { self.pack_weight(kernel, values) } else { padded(values) }
    }

    /// The inverse of [`pack`](Self::pack).
    fn unpack(&self, kernel: ConvKernel, param: usize, packed: &[f32]) -> Vec<f32> {
        if param == 0 { self.unpack_weight(kernel, packed) } else { packed[..self.params()[param].count()].to_vec() }
    }

    /// What a forward plan keeps on the device. The default is the parameters, the first one in the plan's precision.
    fn constants(&self, kernel: ConvKernel) -> Vec<Constant> {
        let constant = |(index, param): (usize, LayerParam)| {
            let len = self.packed_len(kernel, index);
            Constant { role: param.role, len, always_f32: index > 0 }
        };
        self.params().into_iter().enumerate().map(constant).collect()
    }

    /// The values of [`constants`](Self::constants) from the parameters, with a norm that was taken over folded in.
    fn constant_values(&self, kernel: ConvKernel, params: &[&[f32]], _norm: Option<&Affine>) -> Vec<Values> {
        params.iter().enumerate().map(|(index, values)| Values::Ready(self.pack(kernel, index, values))).collect()
    }

    /// Bytes of each temporary buffer that a forward plan needs.
    fn scratch(&self, _kernel: ConvKernel, _input: Shape, _precision: Precision) -> Vec<u64> {
        Vec::new()
    }

    /// Bytes of each temporary buffer that a step of training needs.
    fn training_scratch(&self, _ctx: &Device, _step: TrainingStep, _kernel: ConvKernel, _input: Shape) -> Vec<u64> {
        Vec::new()
    }

    /// Bytes of each buffer that forward in training leaves for backward, besides input and output.
    fn saved(&self, _input: Shape, _output: Shape) -> Vec<u64> {
        Vec::new()
    }

    /// Appends the dispatches of a forward pass with fixed statistics.
    ///
    /// # Errors
    /// [`Error::Limit`] when the device allows less, and what the layer says.
    fn forward(&self, recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()>;

    /// Appends the dispatches of a forward pass in training, which leaves [`saved`](Self::saved).
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    fn training_forward(
        &self,
        recorder: &mut Recorder,
        ctx: &Device,
        call: &Forward<'_>,
        _saved: &[Slice],
        _statistics: Statistics,
    ) -> Result<()> {
        self.forward(recorder, ctx, call)
    }

    /// What becomes of the gradient of its output; `residual` where it took over an addition.
    fn backward_rule(&self, residual: bool) -> BackwardRule;

    /// Appends the dispatches of one part of [`backward_rule`](Self::backward_rule).
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    fn backward(&self, gradient: Gradient, _recorder: &mut Recorder, _ctx: &Device, call: &Backward<'_>) -> Result<()> {
        Err(Error::Usage(format!("`{}` does not know its gradient ({gradient:?})", call.label)))
    }

    /// The layer as nodes of an ONNX graph.
    fn onnx(&self, onnx: &mut Onnx<'_>);

    /// What it is to programs that keep channels last.
    fn nhwc(&self) -> Nhwc;
}

/// What a layer is for those who look at times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerKind {
    /// A convolution of single pixels.
    Conv1x1,
    /// A convolution of 3 by 3 pixels.
    Conv3x3,
    /// A convolution of larger windows, e.g. the 7 by 7 of the stem.
    ConvLarge,
    /// Batch norm; in a forward pass it is folded into convolutions where it can be.
    Norm,
    /// Maximum or mean of pixels.
    Pool,
    /// ReLU, sums and shortcuts.
    Elementwise,
    /// The classifier with its softmax.
    Classifier,
    /// The loss.
    Loss,
    /// Gradient norm and optimizer.
    Update,
}

impl LayerKind {
    /// All, in the order of a legend.
    pub const ALL: [Self; 9] = [
        Self::Conv1x1,
        Self::Conv3x3,
        Self::ConvLarge,
        Self::Norm,
        Self::Pool,
        Self::Elementwise,
        Self::Classifier,
        Self::Loss,
        Self::Update,
    ];
}

/// A parameter or buffer of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerParam {
    /// The end of its name: `weight`, `running_mean`.
    pub role: &'static str,
    /// Shape in torch's order.
    pub shape: Vec<usize>,
    /// False for statistics, which no optimizer touches. They come after what is trained.
    pub trainable: bool,
}

impl LayerParam {
    pub(crate) fn trained(role: &'static str, shape: &[usize]) -> Self {
        Self { role, shape: shape.to_vec(), trainable: true }
    }

    pub(crate) fn statistic(role: &'static str, shape: &[usize]) -> Self {
        Self { role, shape: shape.to_vec(), trainable: false }
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    fn padded_len(&self) -> usize {
        self.count().next_multiple_of(4)
    }
}

/// Values that a forward plan keeps on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constant {
    /// What it is called.
    pub role: &'static str,
    /// Values.
    pub len: usize,
    /// It scales sums or is added to them, so it is f32 whatever the plan's precision.
    pub always_f32: bool,
}

impl Constant {
    /// Its element type in a plan of this one.
    pub fn precision(&self, plan: Precision) -> Precision {
        if self.always_f32 { Precision::F32 } else { plan }
    }
}

/// Values of a [`Constant`].
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// As the device keeps them.
    Ready(Vec<f32>),
    /// A convolution's weights in torch's order, which the processor packs itself: in a browser that is its worker, so that the page does
    /// not wait and four times less crosses where Winograd is used.
    Weights(ConvMethod, Conv, Vec<f32>),
}

impl Values {
    /// Queues their way to the device.
    pub fn write(&self, device: &Device, precision: Precision, to: &Slice) {
        match self {
            Self::Ready(values) => to.write_values(device, precision, values),
            Self::Weights(method, conv, weight) => to.pack_weights(device, method, conv, weight),
        }
    }
}

fn padded(values: &[f32]) -> Vec<f32> {
    let mut padded = values.to_vec();
    padded.resize(values.len().next_multiple_of(4), 0.0);
    padded
}

/// As many slices as the layer asked for.
pub(super) fn operands<'a, const N: usize>(label: &str, slices: &'a [Slice]) -> Result<&'a [Slice; N]> {
    let wrong = |_| Error::Usage(format!("`{label}` wants {N} buffers, found {}", slices.len()));
    slices.try_into().map_err(wrong)
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Forward with running statistics.
    Inference,
    /// Forward and backward.
    Training,
}

/// A layer that others take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// A scale and a shift a channel.
    Norm,
    /// The sum with another value.
    Add,
    /// `max(x, 0)`.
    Relu,
}

/// A step of training that has temporary buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingStep {
    /// Forward.
    Forward,
    /// A part of backward.
    Backward(Gradient),
}

/// What becomes of the gradient of a layer's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackwardRule {
    /// It is the gradient of every input, as it is.
    Identity,
    /// These parts are computed, in this order, each a step of its own with its own temporaries.
    Parts(Vec<BackwardPart>),
    /// Nobody can train through this layer.
    Undefined,
}

impl BackwardRule {
    /// One part, the gradient of the input.
    pub(crate) fn input(reads: &'static [Operand]) -> Self {
        Self::Parts(vec![BackwardPart { gradient: Gradient::Input, reads }])
    }
}

/// One part of a layer's backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackwardPart {
    /// What it computes.
    pub gradient: Gradient,
    /// What it reads besides the gradient of the output and the parameters.
    pub reads: &'static [Operand],
}

/// What a part of a backward pass computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gradient {
    /// Of the weights.
    Weight,
    /// Of the bias.
    Bias,
    /// Of the input.
    Input,
    /// Of all of them, that of the input only where it is asked for.
    All,
}

impl Gradient {
    /// Whether it is one of the input, too.
    pub fn is_of_input(self) -> bool {
        matches!(self, Self::Input | Self::All)
    }

    /// Whether it is one of parameters, too.
    pub fn is_of_parameters(self) -> bool {
        self != Self::Input
    }
}

/// A value of the forward pass that backward reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// What the layer read.
    Input,
    /// What the layer wrote, with all that it took over.
    Output,
    /// What it [saved](Layer::saved).
    Saved,
}

/// One forward pass to record.
#[derive(Debug)]
pub struct Forward<'a> {
    /// The layer's name.
    pub label: &'a str,
    /// What it reads.
    pub inputs: &'a [Tensor],
    /// Where it took over an addition: what is added.
    pub residual: Option<&'a Tensor>,
    /// Where it took over a ReLU: negative results become zero.
    pub relu: bool,
    /// What it writes.
    pub output: &'a Tensor,
    /// In a plan its [constants](Layer::constants), in training its [parameters](Layer::params).
    pub parameters: &'a [Slice],
    /// As many as [`Layer::scratch`] or [`Layer::training_scratch`] asked for.
    pub scratch: &'a [Slice],
    /// In whose layout the parameters lie.
    pub kernel: ConvKernel,
}

/// One part of a backward pass to record.
#[derive(Debug)]
pub struct Backward<'a> {
    /// The layer's name.
    pub label: &'a str,
    /// What forward read. Holds other values by now unless the part reads it, as do `output` and `saved`.
    pub input: &'a Tensor,
    /// What forward wrote.
    pub output: &'a Tensor,
    /// What forward saved.
    pub saved: &'a [Slice],
    /// Whether forward added something. With `relu`, `d_output` is then masked in place: it is the gradient of what was added.
    pub residual: bool,
    /// Whether a ReLU ended forward.
    pub relu: bool,
    /// The gradient of the output.
    pub d_output: &'a Tensor,
    /// In the order of [`Layer::params`].
    pub parameters: &'a [Slice],
    /// `+=`: of those parameters that are trained.
    pub d_parameters: &'a [Slice],
    /// Another gradient of the input, to be added to `d_input`.
    pub accumulate: Option<&'a Tensor>,
    /// `=`: the gradient of the input; a part [of the input](Gradient::Input) always has it.
    pub d_input: Option<&'a Tensor>,
    /// As many as [`Layer::training_scratch`] asked for.
    pub scratch: &'a [Slice],
    /// As in forward.
    pub kernel: ConvKernel,
    /// As in forward.
    pub statistics: Statistics,
}

impl<'a> Backward<'a> {
    /// Where the gradient of the input goes.
    pub(crate) fn d_input(&self) -> Result<&'a Tensor> {
        self.d_input.ok_or_else(|| Error::Usage(format!("`{}` has nowhere to write its gradient", self.label)))
    }
}

/// Declares the layers: a variant of [`Op`](super::Op) each. The only place where they are told apart.
///
/// Every call is a `match` and no table of functions: what only training calls stays out of the first part of the page's wasm.
macro_rules! layers {
    ($($(#[$doc:meta])* $file:ident::$name:ident),+ $(,)?) => {
        $(pub use $file::$name;)+

        /// A layer, one of the list.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $($(#[$doc])* $name($name),)+
        }

        impl Op {
            /// The operation's name, as `inspect` prints it.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($file),)+
                }
            }
        }

        $(impl From<$name> for Op {
            fn from(layer: $name) -> Self {
                Self::$name(layer)
            }
        })+

        layers! { @methods [$($name)+]
            kind() -> LayerKind;
            output_shape(inputs: &[Shape]) -> Result<Shape, String>;
            params() -> Vec<LayerParam>;
            multiply_adds(input: Shape) -> u64;
            tail() -> Option<Tail>;
            takes(purpose: Purpose) -> &'static [Tail];
            affine(params: &[&[f32]]) -> Option<Affine>;
            kernel(ctx: &Device, input: Shape, precision: Precision, wanted: Option<ConvKernel>) -> ConvKernel;
            training_kernel(ctx: &Device, input: Shape) -> ConvKernel;
            weight_len(kernel: ConvKernel) -> usize;
            pack_weight(kernel: ConvKernel, weight: &[f32]) -> Vec<f32>;
            unpack_weight(kernel: ConvKernel, packed: &[f32]) -> Vec<f32>;
            constants(kernel: ConvKernel) -> Vec<Constant>;
            constant_values(kernel: ConvKernel, params: &[&[f32]], norm: Option<&Affine>) -> Vec<Values>;
            scratch(kernel: ConvKernel, input: Shape, precision: Precision) -> Vec<u64>;
            training_scratch(ctx: &Device, step: TrainingStep, kernel: ConvKernel, input: Shape) -> Vec<u64>;
            saved(input: Shape, output: Shape) -> Vec<u64>;
            forward(recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>) -> Result<()>;
            training_forward(
                recorder: &mut Recorder, ctx: &Device, call: &Forward<'_>, saved: &[Slice], statistics: Statistics
            ) -> Result<()>;
            backward_rule(residual: bool) -> BackwardRule;
            backward(gradient: Gradient, recorder: &mut Recorder, ctx: &Device, call: &Backward<'_>) -> Result<()>;
            onnx(onnx: &mut Onnx<'_>) -> ();
            nhwc() -> Nhwc;
        }
    };
    (@methods $names:tt $($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        impl Layer for Op {
            $(fn $method(&self, $($argument: $type),*) -> $result {
                layers!(@match self $names $method($($argument),*))
            })+
        }
    };
    (@match $this:tt [$($name:ident)+] $method:ident $arguments:tt) => {
        match $this {
            $(Self::$name(layer) => layers!(@call layer $method $arguments),)+
        }
    };
    (@call $layer:ident $method:ident ($($argument:ident),*)) => {
        Layer::$method($layer, $($argument),*)
    };
}
pub(super) use layers;
