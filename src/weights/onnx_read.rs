//! ONNX models of ResNets: their tensors, by the way the graph runs. Names of initializers are the exporter's own (`onnx::Conv_193`),
//! so a convolution is called by its place: stem, stage, block, position. Strides, pools and epsilon are in the graph, so nothing is
//! assumed.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::contents::{Contents, Module, Stored};
use super::protobuf::{Field, fields, whole};
use super::{Dtype, shown};
use crate::data::element::Element;

/// An attribute's value, as far as it matters.
#[derive(Debug, Default, Clone)]
struct Attribute<'a> {
    float: Option<f32>,
    ints: Vec<i64>,
    tensor: Option<&'a [u8]>,
}

#[derive(Debug, Default)]
struct Node<'a> {
    op: &'a str,
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    attributes: HashMap<&'a str, Attribute<'a>>,
}

/// A constant tensor.
#[derive(Debug, Clone)]
pub(super) struct Tensor<'a> {
    shape: Vec<usize>,
    element: Element,
    data: Data<'a>,
}

#[derive(Debug, Clone)]
enum Data<'a> {
    Raw(&'a [u8]),
    /// `float_data`, packed: little-endian f32 too.
    External {
        file: &'a str,
        offset: usize,
        length: Option<usize>,
    },
    Missing,
}

#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    nodes: Vec<Node<'a>>,
    tensors: HashMap<&'a str, Tensor<'a>>,
    inputs: Vec<&'a str>,
    metadata: IndexMap<String, String>,
}

/// Whether the bytes can be an ONNX model: a message with a graph in it.
pub(super) fn is_model(bytes: &[u8]) -> bool {
    bytes.first() == Some(&8) && fields(bytes).take(64).any(|(number, field)| number == 7 && matches!(field, Field::Bytes(_)))
}

/// Files that hold tensors of a model.
pub(super) fn external_files(bytes: &[u8]) -> Vec<String> {
    let Some(model) = parse(bytes) else { return Vec::new() };
    let mut files: Vec<String> = Vec::new();
    for tensor in model.tensors.values() {
        if let Data::External { file, .. } = tensor.data
            && !file.contains(['/', '\\'])
            && !files.iter().any(|known| known == file)
        {
            files.push(file.to_string());
        }
    }
    files
}

fn parse(bytes: &[u8]) -> Option<Model<'_>> {
    let mut model = Model::default();
    let mut graph = None;
    for (number, field) in fields(bytes) {
        match (number, field) {
            (7, Field::Bytes(found)) => graph = Some(found),
            (14, Field::Bytes(entry)) => {
                let text = |wanted| fields(entry).find(|(number, _)| *number == wanted).and_then(|(_, field)| field.text());
                if let (Some(key), Some(value)) = (text(1), text(2)) {
                    model.metadata.insert(key.into(), value.into());
                }
            }
            _ => {}
        }
    }
    for (number, field) in fields(graph?) {
        let Field::Bytes(part) = field else { continue };
        match number {
            1 => model.nodes.push(node(part)),
            5 => {
                if let Some((name, tensor)) = tensor(part) {
                    model.tensors.insert(name, tensor);
                }
            }
            11 => model.inputs.extend(fields(part).find(|(number, _)| *number == 1).and_then(|(_, field)| field.text())),
            _ => {}
        }
    }
    // Older exporters write weights as nodes.
    for node in &model.nodes {
        if let ("Constant", [output], Some(bytes)) =
            (node.op, node.outputs.as_slice(), node.attributes.get("value").and_then(|value| value.tensor))
            && let Some((_, tensor)) = tensor(bytes)
        {
            model.tensors.insert(*output, tensor);
        }
    }
    Some(model)
}

fn node(bytes: &[u8]) -> Node<'_> {
    let mut node = Node::default();
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, field) => node.inputs.extend(field.text()),
            (2, field) => node.outputs.extend(field.text()),
            (4, field) => node.op = field.text().unwrap_or_default(),
            (5, Field::Bytes(bytes)) => {
                let mut attribute = Attribute::default();
                let mut name = "";
                for (number, field) in fields(bytes) {
                    match (number, field) {
                        (1, field) => name = field.text().unwrap_or_default(),
                        (2, Field::Bits32(bits)) => attribute.float = Some(f32::from_bits(bits)),
                        (3 | 8, field) => field.numbers(&mut attribute.ints),
                        (5, Field::Bytes(tensor)) => attribute.tensor = Some(tensor),
                        _ => {}
                    }
                }
                node.attributes.insert(name, attribute);
            }
            _ => {}
        }
    }
    node
}

fn tensor(bytes: &[u8]) -> Option<(&str, Tensor<'_>)> {
    let (mut name, mut dims, mut kind, mut data) = ("", Vec::new(), 0, Data::Missing);
    let (mut file, mut offset, mut length) = (None, 0, None);
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, field) => field.numbers(&mut dims),
            (2, Field::Number(n)) => kind = n,
            (4 | 9, Field::Bytes(bytes)) => data = Data::Raw(bytes),
            (8, field) => name = field.text()?,
            (13, Field::Bytes(entry)) => {
                let text = |wanted| fields(entry).find(|(number, _)| *number == wanted).and_then(|(_, field)| field.text());
                match (text(1), text(2)) {
                    (Some("location"), location) => file = location,
                    (Some("offset"), Some(number)) => offset = number.parse().ok()?,
                    (Some("length"), Some(number)) => length = Some(number.parse().ok()?),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    if let Some(file) = file {
        data = Data::External { file, offset, length };
    }
    let shape = dims.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>()?;
    let element = match kind {
        1 => Element::Float(Dtype::F32),
        10 => Element::Float(Dtype::F16),
        11 => Element::Float(Dtype::F64),
        16 => Element::Float(Dtype::BF16),
        2 | 3 | 9 => Element::Integer(1),
        4 | 5 => Element::Integer(2),
        6 | 12 => Element::Integer(4),
        7 | 13 => Element::Integer(8),
        _ => Element::Unsupported("a kind that is not known here", 1),
    };
    Some((name, Tensor { shape, element, data }))
}

/// Lists the tensors of a model by torchvision's names. `beside` finds files with external data.
pub(super) fn list<'a>(bytes: &'a [u8], beside: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Contents<'a>, String> {
    if !whole(bytes) {
        return Err("it is an ONNX model that ends in the middle: the file was cut off".into());
    }
    let model = parse(bytes).ok_or("it is an ONNX model without a graph")?;
    let walk = if model.metadata.contains_key("spec") { Walk::new(&model).by_name() } else { Walk::new(&model).run()? };
    let mut tensors = IndexMap::new();
    let mut places = Vec::new();
    for (name, (tensor, turned)) in walk.tensors {
        let size = tensor
            .shape
            .iter()
            .try_fold(tensor.element.size(), |product, &n| product.checked_mul(n))
            .ok_or("a shape is too large")?;
        let data = match tensor.data {
            Data::Raw(bytes) => bytes,
            Data::External { file, offset, length } => {
                let whole = beside(file).ok_or_else(|| {
                    format!("its tensors are in `{0}`, which is missing: put it into the same folder (in the page: choose both together)", shown(file))
                })?;
                let end = offset.checked_add(length.unwrap_or(size));
                end.and_then(|end| whole.get(offset..end)).ok_or_else(|| format!("`{}` is cut off", shown(file)))?
            }
            Data::Missing => return Err(format!("its tensor for `{name}` has no data, or data of a kind that is not read")),
        };
        let mut shape = tensor.shape.clone();
        let turn = (turned && shape.len() == 2).then(|| (shape[0], shape[1]));
        if turn.is_some() {
            shape.reverse();
        }
        tensors.insert(name, Stored::new(shape, tensor.element, places.len()));
        places.push((data, turn));
    }
    let limit = bytes.len() + places.iter().map(|(data, _)| data.len()).sum::<usize>();
    let source = move |stored: &Stored| {
        let Element::Float(dtype) = stored.element else { return Err("it holds no floating-point numbers".into()) };
        let (data, turn) = places[stored.place];
        let values = dtype.elements(data);
        Ok(match turn {
            Some((rows, columns)) if values.len() == rows * columns => {
                (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| values[r * columns + c]).collect()
            }
            _ => values,
        })
    };
    let mut contents = Contents::new(tensors, limit, Box::new(source));
    contents.metadata = model.metadata.clone();
    contents.facts.modules = walk.modules;
    Ok(contents)
}

/// The way through the graph.
pub(super) struct Walk<'m, 'a> {
    model: &'m Model<'a>,
    /// Nodes that read a value.
    readers: HashMap<&'a str, Vec<usize>>,
    pub(super) tensors: IndexMap<String, (Tensor<'a>, bool)>,
    modules: IndexMap<String, Module>,
}

/// A chain from a value to an addition.
struct Branch {
    convs: Vec<usize>,
    norms: Vec<Option<usize>>,
    relus: usize,
    /// Operations without parameters: a shortcut that pads.
    others: bool,
    /// An average pool (ResNet-D).
    pool: Option<usize>,
    add: usize,
}

pub(super) fn strange(what: &str) -> String {
    format!(
        "its graph is not a ResNet's that can be read ({what}); export the network's weights as safetensors, or with \
         `torch.save(model.state_dict(), ...)`"
    )
}

impl<'m, 'a> Walk<'m, 'a> {
    fn new(model: &'m Model<'a>) -> Self {
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, node) in model.nodes.iter().enumerate() {
            for input in &node.inputs {
                let of = readers.entry(*input).or_default();
                if of.last() != Some(&i) {
                    of.push(i);
                }
            }
        }
        Self { model, readers, tensors: IndexMap::new(), modules: IndexMap::new() }
    }

    pub(super) fn readers(&self, value: &str) -> &[usize] {
        self.readers.get(value).map_or(&[], Vec::as_slice)
    }

    pub(super) fn output(&self, node: usize) -> &'a str {
        self.model.nodes[node].outputs.first().copied().unwrap_or_default()
    }

    pub(super) fn op(&self, node: usize) -> &'a str {
        self.model.nodes[node].op
    }

    /// The one node that reads a value, past those that change nothing.
    pub(super) fn only(&self, value: &'a str) -> Option<usize> {
        let mut value = value;
        for _ in 0..8 {
            let &[reader] = self.readers(value) else { return None };
            if !["Identity", "Dropout", "Cast"].contains(&self.op(reader)) {
                return Some(reader);
            }
            value = self.output(reader);
        }
        None
    }

    pub(super) fn int(&self, node: usize, name: &str) -> Option<usize> {
        let ints = &self.model.nodes[node].attributes.get(name)?.ints;
        ints.first().and_then(|&n| usize::try_from(n).ok())
    }

    /// Our own export: its tensors have our names.
    fn by_name(mut self) -> Self {
        // Constants of pools and pads are none of them.
        let is_own = |name: &str| ["weight", "bias", "running_mean", "running_var"].iter().any(|end| name.ends_with(end));
        let floats =
            self.model.tensors.iter().filter(|(name, tensor)| is_own(name) && matches!(tensor.element, Element::Float(_)));
        self.tensors = floats.map(|(name, tensor)| (name.to_string(), (tensor.clone(), false))).collect();
        self
    }

    fn run(mut self) -> Result<Self, String> {
        let weights = &self.model.tensors;
        let input =
            self.model.inputs.iter().copied().find(|input| !weights.contains_key(input)).ok_or_else(|| strange("no input"))?;
        let stem = self
            .only(input)
            .filter(|&node| self.op(node) == "Conv")
            .ok_or_else(|| strange("it does not begin with a convolution"))?;
        if let Some(convs) = self.pre_activated(stem) {
            self.pre_activation(&convs)?;
            return Ok(self);
        }
        let value = self.stem(stem)?;
        let mut value = self.max_pool(value);
        let (mut stage, mut block) = (0, 0);
        let mut before = None;
        loop {
            let branches: Vec<Branch> =
                self.readers(value).to_vec().into_iter().filter_map(|node| self.branch(value, node)).collect();
            let Some(main) = branches.iter().find(|branch| branch.relus > 0) else { break };
            let shortcut = branches.iter().find(|branch| branch.relus == 0 && branch.add == main.add);
            let width = main.convs.last().and_then(|&conv| self.width(conv));
            // A stage begins where the shape changes.
            if shortcut.is_some_and(|shortcut| shortcut.others || !shortcut.convs.is_empty())
                || (before.is_some() && before != width)
                || stage == 0
            {
                (stage, block) = (stage + 1, 0);
            }
            before = width;
            let name = format!("layer{stage}.{block}");
            for (j, (&conv, &norm)) in main.convs.iter().zip(&main.norms).enumerate() {
                self.conv(&format!("{name}.conv{}", j + 1), conv)?;
                self.norm(&format!("{name}.bn{}", j + 1), norm)?;
            }
            if let Some(shortcut) = shortcut
                && let (&[conv], &[norm]) = (shortcut.convs.as_slice(), shortcut.norms.as_slice())
            {
                let first = usize::from(shortcut.pool.is_some());
                if let Some(pool) = shortcut.pool {
                    self.is_halving(pool)?;
                }
                self.conv(&format!("{name}.downsample.{first}"), conv)?;
                self.norm(&format!("{name}.downsample.{}", first + 1), norm)?;
            }
            let sum = self.output(main.add);
            let relu = self.only_relu(sum).ok_or_else(|| strange("no ReLU after an addition: a pre-activation net"))?;
            value = self.output(relu);
            block += 1;
            if stage * 10_000 + block > 2_000_000 {
                return Err(strange("it has no end"));
            }
        }
        if stage == 0 {
            return Err(strange("no residual block after the stem"));
        }
        self.head(value)?;
        Ok(self)
    }

    /// The value after the stem's pool, if it has one.
    pub(super) fn max_pool(&mut self, value: &'a str) -> &'a str {
        match self.only(value).filter(|&node| self.op(node) == "MaxPool") {
            Some(pool) => {
                self.modules.insert("maxpool".into(), module("MaxPool2d", self.int(pool, "strides")));
                self.output(pool)
            }
            None => value,
        }
    }

    /// One convolution, or three with norms and ReLUs between; the value after the last ReLU.
    fn stem(&mut self, first: usize) -> Result<&'a str, String> {
        let mut convs = vec![first];
        let value = loop {
            let (_, value) = self.after_conv(convs[convs.len() - 1]);
            let relu = self.only(value).filter(|&node| self.op(node) == "Relu");
            let value = relu
                .map(|node| self.output(node))
                .ok_or_else(|| strange("no ReLU after the first convolution: a pre-activation net"))?;
            match self.only(value).filter(|&node| self.op(node) == "Conv") {
                Some(next) if convs.len() < 4 => convs.push(next),
                _ => break value,
            }
        };
        let names: &[(&str, &str)] = match convs.len() {
            1 => &[("conv1", "bn1")],
            3 => &[("conv1.0", "conv1.1"), ("conv1.3", "conv1.4"), ("conv1.6", "bn1")],
            count => return Err(strange(&format!("a stem of {count} convolutions"))),
        };
        for (&conv, (name, norm_name)) in convs.iter().zip(names) {
            let (norm, _) = self.after_conv(conv);
            self.conv(name, conv)?;
            self.norm(norm_name, norm)?;
        }
        Ok(value)
    }

    /// Whether an average pool is ResNet-D's.
    pub(super) fn is_halving(&self, pool: usize) -> Result<(), String> {
        let windows = [self.int(pool, "kernel_shape"), self.int(pool, "strides")];
        if windows == [Some(2); 2] && self.int(pool, "count_include_pad").unwrap_or(0) == 0 {
            return Ok(());
        }
        Err(strange("an average pool in a shortcut that is not of 2x2 with stride 2 and without its padding"))
    }

    pub(super) fn only_relu(&self, value: &'a str) -> Option<usize> {
        self.readers(value).iter().copied().find(|&node| self.op(node) == "Relu")
    }

    /// The norm that follows a convolution, if one does, and the value after both.
    pub(super) fn after_conv(&self, conv: usize) -> (Option<usize>, &'a str) {
        let value = self.output(conv);
        match self.only(value) {
            Some(norm) if self.op(norm) == "BatchNormalization" => (Some(norm), self.output(norm)),
            _ => (None, value),
        }
    }

    pub(super) fn width(&self, conv: usize) -> Option<usize> {
        let weight = self.model.nodes[conv].inputs.get(1)?;
        self.model.tensors.get(weight)?.shape.first().copied()
    }

    /// The chain from `value` through `node` to an addition.
    fn branch(&self, value: &'a str, node: usize) -> Option<Branch> {
        let mut branch = Branch { convs: Vec::new(), norms: Vec::new(), relus: 0, others: false, pool: None, add: 0 };
        let mut at = node;
        let mut value = value;
        for _ in 0..64 {
            value = match self.op(at) {
                "Conv" => {
                    let (norm, value) = self.after_conv(at);
                    branch.convs.push(at);
                    branch.norms.push(norm);
                    value
                }
                "Relu" => {
                    branch.relus += 1;
                    self.output(at)
                }
                "Add" => {
                    // The constant of a linear layer is no shortcut.
                    let constant = self.model.nodes[at].inputs.iter().any(|input| self.model.tensors.contains_key(input));
                    branch.add = at;
                    return (!constant && (!branch.convs.is_empty() || branch.relus == 0)).then_some(branch);
                }
                "AveragePool" => {
                    branch.others = true;
                    branch.pool = Some(at);
                    self.output(at)
                }
                "Pad" | "Slice" | "Concat" | "Mul" | "MaxPool" => {
                    branch.others = true;
                    self.output(at)
                }
                "Identity" | "Cast" => self.output(at),
                _ => return None,
            };
            at = self.readers(value).first().copied()?;
        }
        let _ = value;
        None
    }

    pub(super) fn head(&mut self, value: &'a str) -> Result<(), String> {
        let mut at = self.only(value);
        let mut layers: Vec<(usize, Option<&'a str>)> = Vec::new();
        while let Some(node) = at {
            match self.op(node) {
                "GlobalAveragePool" | "ReduceMean" | "AveragePool" | "Flatten" | "Reshape" | "Squeeze" | "Relu"
                | "Identity" | "Dropout" | "Softmax" | "LogSoftmax" | "Sigmoid" => {}
                "GlobalMaxPool" => return Err(strange("it ends in a maximum over the picture")),
                // A classifier that is a 1x1 convolution (timm's `resnetv2_*`) has the same inputs.
                "Gemm" | "Conv" => layers.push((node, self.model.nodes[node].inputs.get(2).copied())),
                "MatMul" => layers.push((node, None)),
                "Add" => {
                    let bias =
                        self.model.nodes[node].inputs.iter().copied().find(|input| self.model.tensors.contains_key(input));
                    if let Some(last) = layers.last_mut() {
                        last.1 = bias;
                    }
                }
                other => return Err(strange(&format!("`{}` after the last stage", shown(other)))),
            }
            at = self.only(self.output(node));
        }
        let last = layers.len().saturating_sub(1);
        for (i, (node, bias)) in layers.into_iter().enumerate() {
            let name = if last == 0 { "fc".to_string() } else { format!("fc.{}", 2 * i) };
            let weight = self.model.nodes[node].inputs.get(1).copied().unwrap_or_default();
            // A matrix product has (in, out), as Gemm has without `transB`.
            let turned = self.op(node) == "MatMul" || (self.op(node) == "Gemm" && self.int(node, "transB") != Some(1));
            self.keep(format!("{name}.weight"), weight, turned)?;
            if let Some(bias) = bias {
                self.keep(format!("{name}.bias"), bias, false)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, name: String, tensor: &str, turned: bool) -> Result<(), String> {
        let tensor = self.model.tensors.get(tensor).ok_or_else(|| strange(&format!("the weights of `{name}` are computed")))?;
        self.tensors.insert(name, (tensor.clone(), turned));
        Ok(())
    }

    pub(super) fn conv(&mut self, name: &str, node: usize) -> Result<(), String> {
        let inputs = self.model.nodes[node].inputs.clone();
        if self.int(node, "dilations").is_some_and(|dilation| dilation > 1) {
            return Err(strange(&format!("`{name}` is a dilated convolution, which is not supported")));
        }
        self.modules.insert(name.into(), module("Conv2d", Some(self.int(node, "strides").unwrap_or(1))));
        self.keep(format!("{name}.weight"), inputs.get(1).copied().unwrap_or_default(), false)?;
        match inputs.get(2) {
            Some(bias) if !bias.is_empty() => self.keep(format!("{name}.bias"), bias, false),
            _ => Ok(()),
        }
    }

    pub(super) fn norm(&mut self, name: &str, node: Option<usize>) -> Result<(), String> {
        let Some(node) = node else { return Ok(()) };
        let eps = self.model.nodes[node].attributes.get("epsilon").and_then(|value| value.float).unwrap_or(1e-5);
        let inputs = self.model.nodes[node].inputs.clone();
        for (part, tensor) in ["weight", "bias", "running_mean", "running_var"].iter().zip(inputs.iter().skip(1)) {
            self.keep(format!("{name}.{part}"), tensor, false)?;
        }
        self.modules.insert(name.into(), Module { eps: Some(f64::from(eps)), ..module("BatchNorm2d", None) });
        Ok(())
    }
}

fn module(class: &str, stride: Option<usize>) -> Module {
    Module { class: ("onnx".into(), class.into()), stride, ..Module::default() }
}
