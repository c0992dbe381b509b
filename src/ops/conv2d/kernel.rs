//! The choice of a kernel, and its dispatches.

use super::tiling::{Call, Tiling};
use super::{ADD_BIAS, ADD_RESIDUAL, Conv2d, Params, RELU};
use crate::Result;
use crate::cpu::{ConvMethod, Purpose, Step};
use crate::device::{Device, Family, Precision, Recorder, Shape, Slice, Tensor};
use crate::gpu::Gpu;
use crate::ops::grid;
use crate::ops::winograd::Winograd;

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
/// In f16 storage Winograd's intermediate values lose too much (F(4x4) most), so [`ConvKernel::choose`] takes it in f32 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Every weight with every value under it, in one dispatch.
    #[default]
    Direct,
    /// Winograd's F(2x2, 3x3): 2.25 times fewer products, three dispatches, 1.8 times the weights.
    Winograd2,
    /// Winograd's F(4x4, 3x3): 4 times fewer products, three dispatches, 4 times the weights.
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

/// Price of loading or storing a vec4 on a software adapter, in multiply-adds: 66 on llvmpipe, 85 on SwiftShader
/// (ResNet-18's transforms against its direct convolutions).
const VEC4_COST: usize = 70;

/// Winograd must promise at least this share of the direct cost off, or it is not worth its memory and two dispatches.
const WINOGRAD_GAIN: f64 = 0.15;

/// Largest weights in F(4x4, 3x3)'s domain: 4 times the plain ones matter little for 128 channels, but not for 512.
const WINOGRAD4_WEIGHT_BYTES: usize = 4 << 20;

/// Largest temporary buffer Winograd may ask for.
const WINOGRAD_SCRATCH_BYTES: u64 = 64 << 20;

impl ConvKernel {
    /// The kernel for this layer on this device.
    pub fn choose(device: &Device, conv: &Conv2d, input: Shape, precision: Precision) -> Self {
        match device.gpu() {
            Some(gpu) => GpuKernel::choose(gpu, conv, input, precision).into(),
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

    /// What Winograd takes off the direct method's cost for this layer on a software adapter, in multiply-adds; 0 for the
    /// direct method itself, and on the processor, which is not asked for dispatches.
    pub(crate) fn saving(self, conv: &Conv2d, input: Shape) -> usize {
        match self.side() {
            Side::Gpu(kernel) => kernel.saving(conv, input),
            Side::Cpu(_) => 0,
        }
    }

    /// Every kernel of a GPU, for the test that compares them all with a reference.
    pub fn all() -> impl Iterator<Item = Self> {
        [Method::Direct, Method::Winograd2, Method::Winograd4]
            .into_iter()
            .flat_map(|method| Tiling::ALL.iter().map(move |&tiling| GpuKernel { method, tiling }.into()))
    }

    /// Whether the device can run the kernel.
    pub fn available(self, device: &Device) -> bool {
        match (self.side(), device.gpu()) {
            (Side::Gpu(kernel), Some(gpu)) => kernel.tiling.available(gpu),
            (Side::Cpu(_), None) => true,
            _ => false,
        }
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

/// A way to compute a convolution on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GpuKernel {
    method: Method,
    tiling: Tiling,
}

impl GpuKernel {
    /// The kernel for this layer on this adapter.
    fn choose(gpu: &Gpu, conv: &Conv2d, input: Shape, precision: Precision) -> Self {
        let direct = Self::direct(gpu, conv, input);
        let software = gpu.family() == Family::Cpu && direct.tiling != Tiling::Registers;
        if !software || precision == Precision::F16 {
            return direct;
        }
        let limit = WINOGRAD_SCRATCH_BYTES.min(gpu.limits().storage_binding_bytes);
        direct.cheapest(conv, input, limit)
    }

    /// The direct one.
    fn direct(gpu: &Gpu, conv: &Conv2d, input: Shape) -> Self {
        let output = conv.output_shape(input);
        Self { method: Method::Direct, tiling: Tiling::choose(gpu, output.n * output.h * output.w, output.c) }
    }

    /// Itself or the Winograd form with this blocking that costs clearly less and needs no temporary buffer over `limit` bytes.
    fn cheapest(self, conv: &Conv2d, input: Shape, limit: u64) -> Self {
        let worth = self.cost(conv, input) as f64 * (1.0 - WINOGRAD_GAIN);
        [Method::Winograd2, Method::Winograd4]
            .map(|method| Self { method, ..self })
            .into_iter()
            .filter(|kernel| kernel.supports(conv))
            .filter(|kernel| kernel.scratch(conv, input, Precision::F32).into_iter().all(|bytes| bytes <= limit))
            .filter(|kernel| {
                let bytes = conv.in_channels * conv.out_channels * 36 * 4;
                kernel.method != Method::Winograd4 || bytes <= WINOGRAD4_WEIGHT_BYTES
            })
            .min_by_key(|kernel| kernel.cost(conv, input))
            .filter(|kernel| kernel.cost(conv, input) as f64 <= worth)
            .unwrap_or(self)
    }

    fn saving(self, conv: &Conv2d, input: Shape) -> usize {
        Self { method: Method::Direct, ..self }.cost(conv, input).saturating_sub(self.cost(conv, input))
    }

    /// Time on a software adapter, in multiply-adds: what tiles compute, empty parts too, and what is loaded and stored
    /// besides.
    fn cost(self, conv: &Conv2d, input: Shape) -> usize {
        let output = conv.output_shape(input);
        let pixels = output.n * output.h * output.w;
        let sums = |rows: usize, depth: usize| {
            let (pixels, channels) = self.tiling.tile();
            let pixels = if self.tiling == Tiling::Registers { 8 } else { pixels };
            rows.next_multiple_of(pixels) * output.c.next_multiple_of(channels) * depth
        };
        match self.method.winograd() {
            None => sums(pixels, input.c * conv.kernel * conv.kernel) + VEC4_COST * pixels * output.c4(),
            Some(winograd) => {
                let tiles = winograd.tiles(output);
                let transforms = tiles * winograd.products() * 2 * (input.c4() + output.c4());
                winograd.products() * sums(tiles, input.c) + VEC4_COST * (transforms + pixels * output.c4())
            }
        }
    }

    fn supports(self, conv: &Conv2d) -> bool {
        match self.method {
            Method::Direct => true,
            Method::Winograd2 | Method::Winograd4 => conv.kernel == 3 && conv.stride == 1,
        }
    }

    fn pack(self, conv: &Conv2d, weight: &[f32]) -> Vec<f32> {
        let (outputs, inputs) = (conv.out_channels, conv.in_channels);
        match self.method.winograd() {
            None => self.tiling.pack(outputs, inputs, conv.taps(), weight),
            Some(winograd) => {
                let matrices = winograd.weights(weight);
                matrices.chunks(outputs * inputs).flat_map(|m| self.tiling.pack(outputs, inputs, 1, m)).collect()
            }
        }
    }

    fn packed_len(self, conv: &Conv2d) -> usize {
        let matrices = self.method.winograd().map_or(conv.taps(), Winograd::products);
        self.tiling.packed_len(conv.out_channels, conv.in_channels, matrices)
    }

    fn scratch(self, conv: &Conv2d, input: Shape, precision: Precision) -> Vec<u64> {
        let output = conv.output_shape(input);
        let Some(winograd) = self.method.winograd() else { return Vec::new() };
        let vec4s = winograd.products() * winograd.tiles(output);
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
            cost: call.conv.multiply_adds(input),
        };
        let Some(winograd) = self.method.winograd() else {
            return self.tiling.record(recorder, gpu, &direct, params);
        };
        let [values, sums] = call.scratch else {
            unreachable!("the caller passes the two buffers that `scratch` asked for");
        };
        let tiles = winograd.tiles(output);
        let kernel = gpu.kernel(winograd.input_shader(), precision, &[]);
        let threads = grid(gpu, tiles * input.c4());
        let texels = recorder.stage(gpu, &call.input.slice, precision, input.vec4s())?;
        recorder.dispatch_texels(gpu, call.label, kernel, &[&texels], &[values], params, threads, 0)?;

        let product = Call { count: winograd.products(), input: values, residual: None, output: sums, ..direct };
        self.tiling.record(recorder, gpu, &product, Params::product(tiles, input.c4(), output.c4()))?;

        let kernel = gpu.kernel(winograd.output_shader(), precision, &[]);
        let threads = grid(gpu, tiles * output.c4());
        let texels = recorder.stage(gpu, sums, precision, winograd.products() * tiles * output.c4())?;
        // Without a residual the binding still needs a texture.
        let residual = match residual {
            Some(residual) => recorder.stage(gpu, residual, precision, output.vec4s())?,
            None => texels.clone(),
        };
        let slices = [call.bias, &call.output.slice];
        recorder.dispatch_texels(gpu, call.label, kernel, &[&texels, &residual], &slices, params, threads, 0)
    }
}

impl Method {
    fn winograd(self) -> Option<Winograd> {
        match self {
            Self::Direct => None,
            Self::Winograd2 => Some(Winograd::F2),
            Self::Winograd4 => Some(Winograd::F4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Padding;

    fn conv(in_channels: usize, out_channels: usize, kernel: usize, stride: usize) -> Conv2d {
        Conv2d { in_channels, out_channels, kernel, stride, padding: Padding::Symmetric, bias: false }
    }

    #[test]
    fn winograd_is_chosen_where_it_was_measured_to_pay() {
        let choose = |tiling, c: usize, o: usize, size: usize, batch: usize| {
            let direct = GpuKernel { method: Method::Direct, tiling };
            direct.cheapest(&conv(c, o, 3, 1), Shape::new(batch, c, size, size), WINOGRAD_SCRATCH_BYTES).method
        };
        // ResNet-18 at 224 on llvmpipe, whole layers: 10 -> 6.3, 10 -> 5.0, 11 -> 6.3 ms of CPU time; 7x7 gains nothing.
        assert_eq!(choose(Tiling::Subgroup8, 64, 64, 56, 1), Method::Winograd4);
        assert_eq!(choose(Tiling::Subgroup8, 128, 128, 28, 1), Method::Winograd4);
        assert_eq!(choose(Tiling::Subgroup8, 256, 256, 14, 1), Method::Winograd2);
        assert_eq!(choose(Tiling::Subgroup8, 512, 512, 7, 1), Method::Direct);
        assert_eq!(choose(Tiling::Subgroup8, 512, 512, 7, 8), Method::Winograd2);
        // SwiftShader's small tiles waste nothing there: 70 -> 40 ms.
        assert_eq!(choose(Tiling::Subgroup4, 512, 512, 7, 1), Method::Winograd2);
        // A batch whose temporaries would be larger than the limit.
        assert_eq!(choose(Tiling::Subgroup8, 64, 64, 224, 8), Method::Direct);
        let strided = GpuKernel { method: Method::Winograd4, tiling: Tiling::Subgroup8 };
        assert!(!strided.supports(&conv(64, 64, 3, 2)));
        assert!(!strided.supports(&conv(64, 64, 1, 1)));
    }
}
