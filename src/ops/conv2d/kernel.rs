//! The choice of a kernel, and its dispatches.

use super::figures::moved;
use super::tiling::{Call, Tiling};
use super::{ADD_BIAS, ADD_RESIDUAL, Conv2d, Params, RELU, Work};
use crate::Result;
use crate::cpu::{ConvMethod, Purpose, Step};
use crate::device::{Device, Family, Precision, Recorder, Shape, Slice, Tensor};
use crate::gpu::Gpu;
use crate::ops::grid;
use crate::ops::winograd::{self, PRODUCTS};

/// A way to compute a convolution: what is multiplied, and how the products are cut up.
///
/// The default runs every convolution on every GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ConvKernel {
    /// What is multiplied.
    pub method: Method,
    /// How it is cut up.
    pub blocking: Blocking,
}

/// How products are cut up, and with it the layout of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blocking {
    /// On a GPU.
    Gpu(Tiling),
    /// On the processor: panels of output channels, a few vectors wide.
    Cpu {
        /// Output channels of a panel.
        panel: u32,
    },
}

impl Default for Blocking {
    fn default() -> Self {
        Self::Gpu(Tiling::default())
    }
}

/// What a convolution multiplies.
///
/// In f16 storage Winograd's intermediate values lose too much (F(4x4) most). No GPU was measured yet, so [`ConvKernel::choose`]
/// takes F(4x4) there only where its transforms are small beside the products: many channels, many pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Every weight with every value under it, in one dispatch.
    #[default]
    Direct,
    /// Winograd's F(2x2, 3x3), on the processor alone: 2.25 times fewer products, 1.8 times the weights.
    Winograd2,
    /// Winograd's F(4x4, 3x3): 4 times fewer products, on a GPU three dispatches, 4 times the weights.
    Winograd4,
}

/// One convolution to record.
#[derive(Debug)]
pub struct ConvCall<'a> {
    /// Layer name.
    pub label: &'a str,
    /// Geometry.
    pub conv: &'a Conv2d,
    /// `(N, I, H, W)`.
    pub input: &'a Tensor,
    /// From [`ConvKernel::pack`], in the input's precision.
    pub weight: &'a Slice,
    /// f32, `(O)` padded to fours.
    pub bias: &'a Slice,
    /// Added before the ReLU; the output's shape.
    pub residual: Option<&'a Tensor>,
    /// Whether negative results become zero.
    pub relu: bool,
    /// `(N, O, H', W')`.
    pub output: &'a Tensor,
    /// As many slices as [`ConvKernel::scratch`] asked for.
    pub scratch: &'a [Slice],
}

impl ConvKernel {
    /// The kernel for this layer on this device, in a forward pass of this precision.
    pub fn choose(device: &Device, conv: &Conv2d, input: Shape, precision: Precision) -> Self {
        match device.gpu() {
            Some(gpu) => {
                let winograd = (precision == Precision::F32).then(|| GpuKernel::winograd(gpu, conv, input)).flatten();
                winograd.unwrap_or_else(|| GpuKernel::direct(gpu, conv, input)).into()
            }
            None => ConvMethod::choose(&conv.on(input), Purpose::Inference).into(),
        }
    }

    /// The kernel for this layer on this device while its weights change: the direct one, as Winograd's would have to be
    /// transformed again at every step.
    pub fn choose_for_training(device: &Device, conv: &Conv2d, input: Shape) -> Self {
        match device.gpu() {
            Some(gpu) => GpuKernel::direct(gpu, conv, input).into(),
            None => ConvMethod::choose(&conv.on(input), Purpose::Training).into(),
        }
    }

    fn side(self) -> Side {
        let method = self.method;
        match self.blocking {
            Blocking::Gpu(tiling) => Side::Gpu(GpuKernel { method, tiling }),
            Blocking::Cpu { panel } => Side::Cpu(ConvMethod { method: method.into(), panel }),
        }
    }

    /// Every kernel of a GPU, for the test that compares them all with a reference.
    pub fn all() -> impl Iterator<Item = Self> {
        [Method::Direct, Method::Winograd4]
            .into_iter()
            .flat_map(|method| Tiling::ALL.iter().map(move |&tiling| GpuKernel { method, tiling }))
            // Winograd's products are short, and many.
            .filter(|kernel| kernel.method == Method::Direct || kernel.tiling.parts == 1)
            .map(Self::from)
    }

    /// Whether the device can run the kernel.
    pub fn available(self, device: &Device) -> bool {
        matches!(self.blocking, Blocking::Gpu(_)) == device.gpu().is_some()
    }

    /// Whether the kernel can compute this geometry at all.
    pub fn supports(self, conv: &Conv2d) -> bool {
        match self.side() {
            Side::Gpu(kernel) => kernel.supports(conv),
            Side::Cpu(method) => method.supports(&conv.geometry()),
        }
    }

    /// From torch's `(O, I, K, K)` to the kernel's layout.
    pub fn pack(self, conv: &Conv2d, weight: &[f32]) -> Vec<f32> {
        match self.side() {
            Side::Gpu(kernel) => kernel.pack(conv, weight),
            Side::Cpu(method) => method.pack(&conv.geometry(), weight),
        }
    }

    /// The processor's method, if it is one.
    pub(super) fn on_processor(self) -> Option<ConvMethod> {
        match self.side() {
            Side::Gpu(_) => None,
            Side::Cpu(method) => Some(method),
        }
    }

    /// The inverse of [`pack`](Self::pack): to torch's `(O, I, K, K)`.
    ///
    /// # Panics
    /// For a Winograd kernel, whose weights have no inverse: training keeps its weights for direct ones.
    pub fn unpack(self, conv: &Conv2d, packed: &[f32]) -> Vec<f32> {
        assert_eq!(self.method, Method::Direct, "only directly packed weights can be unpacked");
        match self.side() {
            Side::Gpu(kernel) => kernel.tiling.unpack(conv.out_channels, conv.in_channels, conv.taps(), packed),
            Side::Cpu(method) => method.unpack(&conv.geometry(), packed),
        }
    }

    /// Number of packed weights, padding entries included.
    pub fn packed_len(self, conv: &Conv2d) -> usize {
        match self.side() {
            Side::Gpu(kernel) => kernel.packed_len(conv),
            Side::Cpu(method) => method.packed_len(&conv.geometry()),
        }
    }

    /// Bytes of each temporary buffer the kernel needs during the call.
    pub fn scratch(self, conv: &Conv2d, input: Shape, precision: Precision) -> Vec<u64> {
        match self.side() {
            Side::Gpu(kernel) => kernel.scratch(conv, input, precision),
            // The executor has its own.
            Side::Cpu(_) => Vec::new(),
        }
    }

    /// Appends the dispatches.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when the output needs more workgroups than the device allows.
    ///
    /// # Panics
    /// When the kernel is not [available](Self::available) on the device.
    pub fn record(self, recorder: &mut Recorder, device: &Device, call: &ConvCall<'_>) -> Result<()> {
        match (self.side(), device.gpu()) {
            (Side::Gpu(kernel), Some(gpu)) => kernel.record(recorder, gpu, call),
            (Side::Cpu(method), None) => {
                let step = Step::Conv {
                    conv: call.conv.on(call.input.shape),
                    method,
                    input: recorder.span(&call.input.slice),
                    weight: recorder.span(call.weight),
                    bias: Some(recorder.span(call.bias)),
                    residual: call.residual.map(|tensor| recorder.span(&tensor.slice)),
                    relu: call.relu,
                    output: recorder.span(&call.output.slice),
                };
                recorder.step(call.label, step, call.conv.multiply_adds(call.input.shape))
            }
            _ => panic!("{self:?} was recorded for another device"),
        }
    }
}

/// A kernel by its device.
enum Side {
    Gpu(GpuKernel),
    Cpu(ConvMethod),
}

impl From<GpuKernel> for ConvKernel {
    fn from(GpuKernel { method, tiling }: GpuKernel) -> Self {
        Self { method, blocking: Blocking::Gpu(tiling) }
    }
}

impl From<ConvMethod> for ConvKernel {
    fn from(ConvMethod { method, panel }: ConvMethod) -> Self {
        let method = match method {
            crate::cpu::Method::Direct => Method::Direct,
            crate::cpu::Method::Winograd2 => Method::Winograd2,
            crate::cpu::Method::Winograd4 => Method::Winograd4,
        };
        Self { method, blocking: Blocking::Cpu { panel } }
    }
}

impl From<Method> for crate::cpu::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Direct => Self::Direct,
            Method::Winograd2 => Self::Winograd2,
            Method::Winograd4 => Self::Winograd4,
        }
    }
}

/// Fewer channels or pictures, and the transforms eat what Winograd saves.
const WINOGRAD_CHANNELS: usize = 256;
const WINOGRAD_BATCH: usize = 8;

/// A way to compute a convolution on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GpuKernel {
    method: Method,
    tiling: Tiling,
}

impl GpuKernel {
    /// The direct kernel for this layer on this adapter.
    fn direct(gpu: &Gpu, conv: &Conv2d, input: Shape) -> Self {
        let output = conv.output_shape(input);
        let depth = conv.taps() * input.c4();
        let work = Work { pixels: output.n * output.h * output.w, channels: output.c, depth, count: 1 };
        Self { method: Method::Direct, tiling: Tiling::choose(gpu, work) }
    }

    /// Winograd's F(4x4) where it should be clearly faster on a graphics card.
    fn winograd(gpu: &Gpu, conv: &Conv2d, input: Shape) -> Option<Self> {
        let method = Method::Winograd4;
        let possible = Self { method, tiling: Tiling::default() }.supports(conv);
        let few = conv.in_channels.min(conv.out_channels) < WINOGRAD_CHANNELS || input.n < WINOGRAD_BATCH;
        if gpu.family() == Family::Cpu || few || !possible {
            return None;
        }
        let (output, limit) = (conv.output_shape(input), gpu.limits().storage_binding_bytes);
        let tiles = winograd::tiles(output);
        let bytes = |vec4s: usize| 16 * vec4s as u64;
        let [values, sums] = [input.c4(), output.c4()].map(|c4| bytes(PRODUCTS * tiles * c4));
        if values.max(sums) > limit {
            return None;
        }
        let direct =
            Work { pixels: output.n * output.h * output.w, channels: output.c, depth: conv.taps() * input.c4(), count: 1 };
        let product = Work { pixels: tiles, depth: input.c4(), count: PRODUCTS, ..direct };
        // In one part.
        let (tiling, cycles) = Tiling::for_cards(product, 0);
        let transforms = moved(bytes(input.vec4s()) + values) + moved(sums + bytes(output.vec4s()));
        let (_, direct) = Tiling::for_cards(direct, limit);
        (10 * (cycles + transforms) < 9 * direct).then_some(Self { method, tiling })
    }

    fn supports(self, conv: &Conv2d) -> bool {
        match self.method {
            Method::Direct => true,
            Method::Winograd2 => false,
            Method::Winograd4 => conv.kernel == 3 && conv.stride == 1,
        }
    }

    fn pack(self, conv: &Conv2d, weight: &[f32]) -> Vec<f32> {
        let (outputs, inputs) = (conv.out_channels, conv.in_channels);
        if self.method == Method::Direct {
            return self.tiling.pack(outputs, inputs, conv.taps(), weight);
        }
        let matrices = winograd::weights(weight);
        matrices.chunks(outputs * inputs).flat_map(|m| self.tiling.pack(outputs, inputs, 1, m)).collect()
    }

    fn packed_len(self, conv: &Conv2d) -> usize {
        let matrices = if self.method == Method::Direct { conv.taps() } else { PRODUCTS };
        self.tiling.packed_len(conv.out_channels, conv.in_channels, matrices)
    }

    fn scratch(self, conv: &Conv2d, input: Shape, precision: Precision) -> Vec<u64> {
        let output = conv.output_shape(input);
        if self.method == Method::Direct {
            return self.tiling.partials(conv.taps() * input.c4(), output.vec4s()).into_iter().collect();
        }
        let vec4s = PRODUCTS * winograd::tiles(output);
        [input.c4(), output.c4()].map(|c4| (vec4s * c4 * 4 * precision.bytes()) as u64).to_vec()
    }

    fn record(self, recorder: &mut Recorder, gpu: &Gpu, call: &ConvCall<'_>) -> Result<()> {
        let (input, output, precision) = (call.input.shape, call.output.shape, call.input.precision);
        let set = |bit: u32, on: bool| if on { bit } else { 0 };
        let finish = ADD_BIAS | set(RELU, call.relu) | set(ADD_RESIDUAL, call.residual.is_some());
        let params = Params::new(call.conv, input, output, finish);
        let residual = call.residual.map(|residual| &residual.slice);
        let direct = Call {
            label: call.label,
            precision,
            count: 1,
            input: &call.input.slice,
            weight: call.weight,
            bias: call.bias,
            residual,
            output: &call.output.slice,
            partials: None,
            cost: call.conv.multiply_adds(input),
        };
        if self.method == Method::Direct {
            return self.tiling.record(recorder, gpu, &Call { partials: call.scratch.first(), ..direct }, params);
        }
        let [values, sums] = call.scratch else {
            unreachable!("the caller passes the two buffers that `scratch` asked for");
        };
        let tiles = winograd::tiles(output);
        let kernel = gpu.kernel(winograd::INPUT, precision, &[]);
        let threads = grid(gpu, tiles * input.c4());
        recorder.dispatch(gpu, call.label, kernel, &[&call.input.slice, values], params, threads, 0)?;

        let product = Call { count: PRODUCTS, input: values, residual: None, output: sums, ..direct };
        self.tiling.record(recorder, gpu, &product, Params::product(tiles, input.c4(), output.c4()))?;

        let kernel = gpu.kernel(winograd::OUTPUT, precision, &[]);
        let threads = grid(gpu, tiles * output.c4());
        // Without a residual the binding still needs a buffer.
        let slices = [sums, residual.unwrap_or(sums), call.bias, &call.output.slice];
        recorder.dispatch(gpu, call.label, kernel, &slices, params, threads, 0)
    }
}
