//! TensorFlow Lite out (LiteRT, MediaPipe): flatbuffers by the public schema, schema.fbs and metadata_schema.fbs of TensorFlow Lite; a
//! table's field numbers and enum values here are theirs.
//!
//! The input `input` is `(1, H, W, 3)`, RGB pixels of 0 to 255: float32, and uint8 in a file of 8 bits. The output is probabilities (there
//! of 256ths). Norms are folded into convolutions. Behind the flatbuffer lies a zip archive with `labels.txt`, as the Android tools write
//! and read it; a buffer called `reslab` has what this project's files say.

use half::f16;

use super::deploy::{self, Deployed, Step, Work};
use super::flatbuffer::{Field, Table, Tables};
use super::quantise::{Grid, Weights8};
use crate::data::answers::answers;
use crate::data::zip::Frame;
use crate::ops::Border;
use crate::{Error, Result};

/// Name of the buffer with this project's metadata.
pub(super) const OWN: &str = "reslab";
/// Names of the classes, one a line, in the archive at the end.
pub const LABELS: &str = "labels.txt";
/// The largest file that flatbuffers can be.
const MAX_BYTES: usize = i32::MAX as usize;

/// How numbers are kept.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// 32 bits.
    Float32,
    /// Weights of 16 bits, computed with in 32.
    Float16,
    /// Weights and activations of 8 bits; the smallest and largest of each value of [`deploy::steps`].
    Int8(&'a [(f32, f32)]),
}

/// The file.
///
/// # Errors
/// Those of [`onnx::write`](super::onnx::write), [`Error::Usage`] for paddings that it has not.
pub fn write(model: &Deployed<'_>, numbers: Numbers<'_>) -> Result<Vec<u8>> {
    let steps = deploy::steps(model)?;
    let floats: usize = model.weights.tensors.values().map(|tensor| tensor.data.len()).sum();
    if floats * 4 > MAX_BYTES - (1 << 24) {
        return Err(Error::Usage(format!(
            "TensorFlow Lite files hold up to 2 GB, and this network needs {:.1} GB; export it as safetensors",
            floats as f64 * 4e-9
        )));
    }
    let (width, height) = model.pixels.crop;
    let mut writer = Writer::new(numbers, [height as usize, width as usize, 3], &steps);
    for (i, step) in steps.iter().enumerate() {
        writer.step(i, step);
    }
    let mut file = writer.finish(model, &steps);
    // The archive of associated files.
    let labels: String = answers(model.labels).iter().map(|name| name.replace(['\n', '\r'], " ") + "\n").collect();
    let mut frame = Frame::behind(file.len() as u64);
    if let Some(header) = frame.header(LABELS, crc32fast::hash(labels.as_bytes()), labels.len() as u64) {
        file.extend(header);
        file.extend(labels.as_bytes());
        file.extend(frame.finish());
    }
    Ok(file)
}

/// `TensorType`.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Float32 = 0,
    Float16 = 1,
    Int32 = 2,
    UInt8 = 3,
    Int8 = 9,
}

/// What a reader asks of a tensor's type.
pub(super) const FLOAT16: u8 = Kind::Float16 as u8;
pub(super) const INT8: u8 = Kind::Int8 as u8;

/// `BuiltinOperator`, and the version from which on it does what is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Operator(i32, i32);

const ADD: i32 = 0;
const AVERAGE_POOL_2D: i32 = 1;
const CONV_2D: i32 = 3;
const DEPTHWISE_CONV_2D: i32 = 4;
const DEQUANTIZE: i32 = 6;
const FULLY_CONNECTED: i32 = 9;
const LOGISTIC: i32 = 14;
const MAX_POOL_2D: i32 = 17;
const RELU: i32 = 19;
const SOFTMAX: i32 = 25;
const PAD: i32 = 34;
const MEAN: i32 = 40;
const QUANTIZE: i32 = 114;

struct Writer<'a> {
    to: Tables<'a>,
    numbers: Numbers<'a>,
    tensors: Vec<Table>,
    buffers: Vec<Table>,
    operators: Vec<Table>,
    codes: Vec<Operator>,
    /// The tensor of each value.
    values: Vec<usize>,
    /// Its grid, in a file of 8 bits.
    grids: Vec<Grid>,
    input: usize,
}

impl<'a> Writer<'a> {
    fn new(numbers: Numbers<'a>, input: [usize; 3], steps: &[Step]) -> Self {
        let mut writer = Self {
            to: Tables::default(),
            numbers,
            tensors: Vec::new(),
            buffers: Vec::new(),
            operators: Vec::new(),
            codes: Vec::new(),
            values: Vec::new(),
            grids: Vec::new(),
            input: 0,
        };
        // Number 0 is empty: of what is computed.
        let empty = writer.to.table(&[]);
        writer.buffers.push(empty);
        if let Numbers::Int8(ranges) = numbers {
            writer.grids = super::quantise::grids(steps, ranges);
        }
        let shape = shape_of(input);
        if let Numbers::Int8(_) = numbers {
            // Bytes as pictures have them; what computes with 8 bits wants them with a sign.
            let bytes = Grid { scale: 1.0, zero: 0 };
            writer.input = writer.tensor("input", &shape, Kind::UInt8, 0, Some((&[bytes.scale], bytes.zero, 0)));
            let own = writer.value("input.signed", 0, &shape);
            writer.operator(Operator(QUANTIZE, 1), &[writer.input], own, None);
            writer.values.push(own);
        } else {
            writer.input = writer.value("input", 0, &shape);
            writer.values.push(writer.input);
        }
        writer
    }

    /// A buffer that begins at a multiple of 16 bytes of the file, whose end and length are such multiples too.
    fn buffer(&mut self, data: &[u8]) -> usize {
        let data = self.to.aligned(data);
        let buffer = self.to.table(&[(0, data)]);
        self.buffers.push(buffer);
        self.buffers.len() - 1
    }

    /// A tensor; in a file of 8 bits with its scales, their zero, and the axis that they are for.
    fn tensor(&mut self, name: &str, shape: &[usize], kind: Kind, buffer: usize, grid: Option<(&[f32], i32, usize)>) -> usize {
        let quantisation = grid.map(|(scales, zero, axis)| {
            let (scale, zeros) = (self.to.floats(scales), self.to.longs(&vec![i64::from(zero); scales.len()]));
            self.to.table(&[(2, scale), (3, zeros), (6, Field::Int(axis as i32))])
        });
        let (name, shape) = (self.to.text(name), self.to.ints(shape));
        let mut fields =
            vec![(0, shape), (1, Field::Byte(kind as u8)), (2, Field::Int(buffer as i32)), (3, name), (8, Field::Bool(true))];
        fields.extend(quantisation.map(|table| (4, Field::At(table))));
        let tensor = self.to.table(&fields);
        self.tensors.push(tensor);
        self.tensors.len() - 1
    }

    /// The tensor of a value.
    fn value(&mut self, name: &str, value: usize, shape: &[usize]) -> usize {
        match self.grids.get(value).copied() {
            Some(Grid { scale, zero }) => self.tensor(name, shape, Kind::Int8, 0, Some((&[scale], zero, 0))),
            None => self.tensor(name, shape, Kind::Float32, 0, None),
        }
    }

    fn constant_ints(&mut self, name: &str, shape: &[usize], values: &[i32], grid: Option<(&[f32], i32, usize)>) -> usize {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let buffer = self.buffer(&bytes);
        self.tensor(name, shape, Kind::Int32, buffer, grid)
    }

    /// Weight and bias of a layer over value `input`; of 8 bits a scale each along `axis`, or one for all.
    fn weights(
        &mut self,
        name: &str,
        shape: &[usize],
        axis: Option<usize>,
        weight: &[f32],
        bias: &[f32],
        input: usize,
    ) -> [usize; 2] {
        let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        match self.numbers {
            Numbers::Float32 | Numbers::Float16 => {
                let weight = if let Numbers::Float16 = self.numbers {
                    let bytes: Vec<u8> = weight.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
                    let buffer = self.buffer(&bytes);
                    let half = self.tensor(&weight_name, shape, Kind::Float16, buffer, None);
                    let whole = self.tensor(&format!("{weight_name}.f32"), shape, Kind::Float32, 0, None);
                    self.operator(Operator(DEQUANTIZE, 3), &[half], whole, None);
                    whole
                } else {
                    let buffer = self.buffer(&floats(weight));
                    self.tensor(&weight_name, shape, Kind::Float32, buffer, None)
                };
                let buffer = self.buffer(&floats(bias));
                [weight, self.tensor(&bias_name, &[bias.len()], Kind::Float32, buffer, None)]
            }
            Numbers::Int8(_) => {
                let input = self.grids[input].scale;
                let Weights8 { weight, scales, bias } = Weights8::new(weight, bias, axis.is_some(), input);
                let bytes: Vec<u8> = weight.iter().map(|value| *value as u8).collect();
                let buffer = self.buffer(&bytes);
                let sums: Vec<f32> = scales.iter().map(|scale| scale * input).collect();
                let weight = self.tensor(&weight_name, shape, Kind::Int8, buffer, Some((&scales, 0, axis.unwrap_or_default())));
                [weight, self.constant_ints(&bias_name, &[bias.len()], &bias, Some((&sums, 0, 0)))]
            }
        }
    }

    fn step(&mut self, i: usize, step: &Step) {
        let Step { name, work, inputs, relu, shape, .. } = step;
        let eight = matches!(self.numbers, Numbers::Int8(_));
        let version = |floats, bytes| if eight { bytes } else { floats };
        let fused = Field::Byte(u8::from(*relu));
        let mut from: Vec<usize> = inputs.iter().map(|value| self.values[*value]).collect();
        let channels = shape[2];
        let pads = |border: &Border| Field::Byte(u8::from(*border != Border::Same));
        let step_of = |stride: &usize| Field::Int(*stride as i32);
        let pool = |kernel: &usize, stride: &usize, border: &Border| {
            let window = Field::Int(*kernel as i32);
            (5, vec![(0, pads(border)), (1, step_of(stride)), (2, step_of(stride)), (3, window), (4, window), (5, fused)])
        };
        let (operator, options) = match work {
            Work::Convolution { kernel, stride, border, groups, weight, bias } => {
                let shape = [channels, *kernel, *kernel, weight.len() / (channels * kernel * kernel).max(1)];
                from.extend(self.weights(name, &shape, Some(0), weight, bias, inputs[0]));
                let options = vec![(0, pads(border)), (1, step_of(stride)), (2, step_of(stride)), (3, fused)];
                (Operator(CONV_2D, if *groups > 1 { 6 } else { version(1, 3) }), Some((1, options)))
            }
            Work::Scale { scale, shift } => {
                from.extend(self.weights(name, &[1, 1, 1, channels], Some(3), scale, shift, inputs[0]));
                let one = Field::Int(1);
                let options = vec![(0, Field::Byte(1)), (1, one), (2, one), (3, one), (4, fused)];
                (Operator(DEPTHWISE_CONV_2D, version(1, 3)), Some((2, options)))
            }
            Work::Sum => (Operator(ADD, version(1, 2)), Some((11, vec![(0, fused)]))),
            Work::Rectifier => (Operator(RELU, version(1, 2)), None),
            Work::Largest { kernel, stride, border } => {
                (Operator(MAX_POOL_2D, version(1, 2)), Some(pool(kernel, stride, border)))
            }
            Work::Mean { kernel, stride, border } => {
                (Operator(AVERAGE_POOL_2D, version(1, 2)), Some(pool(kernel, stride, border)))
            }
            Work::GlobalMean => {
                from.push(self.constant_ints(&format!("{name}.axes"), &[2], &[1, 2], None));
                (Operator(MEAN, version(1, 2)), Some((27, vec![(0, Field::Bool(false))])))
            }
            Work::Pad { cells: [top, bottom, left, right], channels: [before, behind] } => {
                let sizes = [0, 0, *top, *bottom, *left, *right, *before, *behind].map(|size| size as i32);
                from.push(self.constant_ints(&format!("{name}.sizes"), &[4, 2], &sizes, None));
                (Operator(PAD, version(1, 2)), Some((22, Vec::new())))
            }
            Work::Dense { weight, bias } => {
                let shape = [channels, weight.len() / channels.max(1)];
                from.extend(self.weights(name, &shape, None, weight, bias, inputs[0]));
                (Operator(FULLY_CONNECTED, version(1, 4)), Some((8, vec![(0, fused)])))
            }
            Work::Softmax => (Operator(SOFTMAX, version(1, 2)), Some((9, vec![(0, Field::Float(1.0))]))),
            Work::Sigmoid => (Operator(LOGISTIC, version(1, 2)), None),
        };
        let output = self.value(name, i + 1, &shape_of(*shape));
        self.values.push(output);
        self.operator(operator, &from, output, options);
    }

    fn operator(&mut self, operator: Operator, inputs: &[usize], output: usize, options: Option<(u8, Vec<(u16, Field)>)>) {
        let code = self.codes.iter().position(|known| *known == operator).unwrap_or_else(|| {
            self.codes.push(operator);
            self.codes.len() - 1
        });
        let options = options.map(|(kind, fields)| (kind, self.to.table(&fields)));
        let (inputs, outputs) = (self.to.ints(inputs), self.to.ints(&[output]));
        let mut fields = vec![(0, Field::Int(code as i32)), (1, inputs), (2, outputs)];
        if let Some((kind, options)) = options {
            fields.extend([(3, Field::Byte(kind)), (4, Field::At(options))]);
        }
        let operator = self.to.table(&fields);
        self.operators.push(operator);
    }

    /// Metadata, the graph and the file's root.
    fn finish(mut self, model: &Deployed<'_>, steps: &[Step]) -> Vec<u8> {
        let mut output = self.values[steps.len()];
        let result = if model.spec.classes.is_some() { "probabilities" } else { "features" };
        if let (Numbers::Int8(_), Some(last)) = (self.numbers, steps.last()) {
            let grid = self.grids[steps.len()];
            let unsigned = self.tensor(
                &format!("{result}.bytes"),
                &shape_of(last.shape),
                Kind::UInt8,
                0,
                Some((&[grid.scale], grid.zero + 128, 0)),
            );
            self.operator(Operator(QUANTIZE, 1), &[output], unsigned, None);
            output = unsigned;
        }
        let own = model.told().to_string().into_bytes();
        let theirs = metadata(model, result);
        let mut entries = Vec::new();
        for (name, bytes) in [("TFLITE_METADATA", &theirs), (OWN, &own)] {
            let buffer = self.buffer(bytes);
            let name = self.to.text(name);
            entries.push(self.to.table(&[(0, name), (1, Field::Int(buffer as i32))]));
        }
        let (input_name, output_name) = (self.to.text("input"), self.to.text(result));
        let maps = [
            self.to.table(&[(0, input_name), (1, Field::Int(self.input as i32))]),
            self.to.table(&[(0, output_name), (1, Field::Int(output as i32))]),
        ];
        let (inputs, outputs, key) = (self.to.tables(&maps[..1]), self.to.tables(&maps[1..]), self.to.text("serving_default"));
        let signature = self.to.table(&[(0, inputs), (1, outputs), (2, key), (4, Field::Int(0))]);

        let (tensors, operators) = (self.tensors.clone(), self.operators.clone());
        let (tensors, operators, name) = (self.to.tables(&tensors), self.to.tables(&operators), self.to.text(&model.spec.arch));
        let (inputs, outputs) = (self.to.ints(&[self.input]), self.to.ints(&[output]));
        let graph = self.to.table(&[(0, tensors), (1, inputs), (2, outputs), (3, operators), (4, name)]);
        let mut codes = Vec::new();
        for Operator(code, version) in self.codes.clone() {
            codes.push(self.to.table(&[(0, Field::Byte(code as u8)), (2, Field::Int(version)), (3, Field::Int(code))]));
        }
        let buffers = self.buffers.clone();
        let (codes, graphs, buffers) = (self.to.tables(&codes), self.to.tables(&[graph]), self.to.tables(&buffers));
        let (entries, signatures) = (self.to.tables(&entries), self.to.tables(&[signature]));
        let description = self.to.text(concat!("ResLab ", env!("CARGO_PKG_VERSION")));
        let root = self.to.table(&[
            (0, Field::Int(3)),
            (1, codes),
            (2, graphs),
            (3, description),
            (4, buffers),
            (6, entries),
            (7, signatures),
        ]);
        self.to.finish(root, "TFL3")
    }
}

/// `ModelMetadata`, which MediaPipe and Android's tools read: how pixels are scaled (not at all) and where the labels are.
fn metadata(model: &Deployed<'_>, result: &str) -> Vec<u8> {
    let mut to = Tables::default();
    let rgb = to.table(&[(0, Field::Byte(1))]);
    let content = to.table(&[(0, Field::Byte(2)), (1, Field::At(rgb))]);
    let (mean, std) = (to.floats(&[0.0]), to.floats(&[1.0]));
    let numbers = to.table(&[(0, mean), (1, std)]);
    let unit = to.table(&[(0, Field::Byte(1)), (1, Field::At(numbers))]);
    let (units, name, words) = (
        to.tables(&[unit]),
        to.text("input"),
        to.text("RGB pixels of 0 to 255, resized and cropped as `reslab` in the metadata says"),
    );
    let input = to.table(&[(0, name), (1, words), (3, Field::At(content)), (4, units)]);
    let (file, what) = (to.text(LABELS), to.text("names of the classes"));
    let file = to.table(&[(0, file), (1, what), (2, Field::Byte(2))]);
    let feature = to.table(&[]);
    let content = to.table(&[(0, Field::Byte(1)), (1, Field::At(feature))]);
    let (files, name) = (to.tables(&[file]), to.text(result));
    let mut fields = vec![(0, name), (3, Field::At(content))];
    if model.spec.classes.is_some() {
        fields.push((6, files));
    }
    let output = to.table(&fields);
    let (inputs, outputs) = (to.tables(&[input]), to.tables(&[output]));
    let graph = to.table(&[(2, inputs), (3, outputs)]);
    let (graphs, name, version) = (to.tables(&[graph]), to.text(&model.spec.arch), to.text("1.0.0"));
    let root = to.table(&[(0, name), (3, graphs), (7, version)]);
    to.finish(root, "M001")
}

/// With a batch of one.
fn shape_of([height, width, channels]: [usize; 3]) -> Vec<usize> {
    if height == 0 { vec![1, channels] } else { vec![1, height, width, channels] }
}
