//! Trainable parameters, their gradients and the optimizer's state: a few flat buffers, so that an update is a handful of
//! dispatches however many layers there are.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::Result;
use crate::gpu::{Context, Precision, Shape, Slice};
use crate::model::graph::{Graph, Node, Op, Param};
use crate::model::{Turns, without_turns};
use crate::ops::{Conv2d, ConvKernel, Linear};
use crate::weights::{self, HostTensor, StateDict};

/// How parameters are sorted into regions: those with the same factor on the learning rate and the same weight decay lie
/// together.
pub struct Grouping<'a> {
    /// Buffers of state the optimizer keeps for every parameter: 0, 1 or 2.
    pub state_buffers: usize,
    /// Factor on the learning rate, and weight decay, of a parameter.
    pub group: &'a dyn Fn(&Param) -> (f32, f32),
}

/// How a parameter lies on the GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Packing {
    /// A convolution's weight in its forward kernel's layout.
    Conv(Conv2d, ConvKernel),
    /// The classifier's weight.
    Linear(Linear),
    /// One value a channel, padded to fours.
    Channels,
}

impl Packing {
    fn pack(&self, tensor: &HostTensor) -> Vec<f32> {
        match self {
            Self::Conv(conv, kernel) => kernel.pack(conv, &tensor.data),
            Self::Linear(linear) => linear.pack(&tensor.data),
            Self::Channels => {
                let mut values = tensor.data.clone();
                values.resize(values.len().next_multiple_of(4), 0.0);
                values
            }
        }
    }

    fn unpack(&self, shape: &[usize], packed: &[f32]) -> Vec<f32> {
        match self {
            Self::Conv(conv, kernel) => kernel.unpack(conv, packed),
            Self::Linear(linear) => linear.unpack(packed),
            Self::Channels => packed[..shape[0]].to_vec(),
        }
    }

    fn packed_len(&self, shape: &[usize]) -> usize {
        match self {
            Self::Conv(conv, kernel) => kernel.packed_len(conv),
            Self::Linear(linear) => linear.packed_len(),
            Self::Channels => shape[0].next_multiple_of(4),
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    packing: Packing,
    /// `None` for running statistics.
    region: Option<usize>,
    /// Bytes from the start of the region, or of the statistics.
    offset: u64,
    bytes: u64,
}

/// Parameters with one learning rate and one weight decay, in one buffer; the other buffers have its layout.
#[derive(Debug)]
pub struct Region {
    /// The parameters.
    pub values: Slice,
    /// Their gradients.
    pub gradients: Slice,
    /// The optimizer's state: momentum, or Adam's two moments.
    pub state: Vec<Slice>,
    /// Factor on the learning rate.
    pub multiplier: f32,
    /// Weight decay.
    pub decay: f32,
}

/// What a step changes.
#[derive(Debug)]
pub struct Parameters {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    regions: Vec<Region>,
    statistics: Slice,
    kernels: HashMap<String, ConvKernel>,
}

impl Parameters {
    /// Lays out the parameters of `graph` for images or features of `input`, without values: see [`load`](Self::load).
    ///
    /// # Errors
    /// [`Error::Spec`] when the input is too small, [`Error::Limit`] when one parameter alone is larger than a binding.
    pub fn new(ctx: &Context, graph: &Graph, input: Shape, grouping: &Grouping<'_>) -> Result<Self> {
        let shapes = graph.shapes(input.n, input.h, input.w)?;
        let mut layout = Layout {
            alignment: ctx.limits().offset_alignment,
            limit: ctx.limits().storage_binding_bytes,
            ..Default::default()
        };
        let mut kernels = HashMap::new();
        let nodes: HashMap<&str, &Node> = graph.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
        for param in graph.params() {
            let (stem, role) = param.name.rsplit_once('.').unwrap_or((&param.name, ""));
            // Parameters are named after their node.
            let node = nodes[stem];
            let packing = match &node.op {
                Op::Conv2d(conv) if role == "weight" => {
                    let kernel = ConvKernel::choose_for_training(ctx, conv, shapes[node.inputs[0].0]);
                    kernels.insert(node.name.clone(), kernel);
                    Packing::Conv(*conv, kernel)
                }
                Op::Linear { in_features, out_features } if role == "weight" => {
                    Packing::Linear(Linear { in_features: *in_features, out_features: *out_features })
                }
                _ => Packing::Channels,
            };
            let group = param.trainable.then(|| (grouping.group)(&param));
            layout.place(param.name, param.shape, packing, group);
        }
        let regions = layout
            .regions
            .iter()
            .map(|region| {
                let slice = |what: &str| Slice::new(ctx, &format!("{what} of the network"), region.bytes);
                Ok(Region {
                    values: slice("parameters")?,
                    gradients: slice("gradients")?,
                    state: (0..grouping.state_buffers).map(|_| slice("optimizer state")).collect::<Result<_>>()?,
                    multiplier: region.multiplier,
                    decay: region.decay,
                })
            })
            .collect::<Result<_>>()?;
        let by_name = layout.entries.iter().enumerate().map(|(i, entry)| (entry.name.clone(), i)).collect();
        let statistics = Slice::new(ctx, "running statistics", layout.statistics_bytes)?;
        Ok(Self { entries: layout.entries, by_name, regions, statistics, kernels })
    }

    /// Writes every parameter and running statistic from `weights`; gradients and optimizer state are as they were (zero in a
    /// new object).
    ///
    /// # Errors
    /// [`Error::TensorMismatch`] when one is missing or has another shape.
    pub fn load(&self, ctx: &Context, weights: &StateDict) -> Result<()> {
        without_turns(self.load_in_turns(ctx, weights, &mut Turns::none()))
    }

    /// [`load`](Self::load), with turns for others between parameters.
    pub async fn load_in_turns(&self, ctx: &Context, weights: &StateDict, turns: &mut Turns<'_>) -> Result<()> {
        for entry in &self.entries {
            let packed = entry.packing.pack(weights.get(&entry.name, &entry.shape)?);
            self.slice_of(entry, |region| &region.values).write(ctx, &Precision::F32.encode(&packed));
            turns.offer().await;
        }
        Ok(())
    }

    /// Reads every parameter and running statistic back, in graph order, under checkpoint names.
    pub async fn read(&self, ctx: &Context) -> Result<StateDict> {
        self.read_in_turns(ctx, &mut Turns::none()).await
    }

    /// [`read`](Self::read), in pieces, with turns for others between them.
    pub async fn read_in_turns(&self, ctx: &Context, turns: &mut Turns<'_>) -> Result<StateDict> {
        self.read_from(ctx, |region| Some(&region.values), true, turns).await
    }

    /// Reads the gradients back in the parameters' shapes.
    pub async fn read_gradients(&self, ctx: &Context) -> Result<StateDict> {
        self.read_from(ctx, |region| Some(&region.gradients), false, &mut Turns::none()).await
    }

    /// Reads the optimizer's state buffer `index` back in the parameters' shapes.
    pub async fn read_state(&self, ctx: &Context, index: usize, turns: &mut Turns<'_>) -> Result<StateDict> {
        self.read_from(ctx, |region| region.state.get(index), false, turns).await
    }

    /// Zeroes the optimizer's state.
    pub fn clear_state(&self, ctx: &Context) {
        for slice in self.regions.iter().flat_map(|region| &region.state) {
            slice.write(ctx, &vec![0; slice.bytes() as usize]);
        }
    }

    /// Writes the optimizer's state buffer `index`, as [`read_state`](Self::read_state) gave it.
    ///
    /// # Errors
    /// [`Error::TensorMismatch`](crate::Error::TensorMismatch) when a tensor is missing or has another shape.
    pub async fn load_state(
        &self,
        ctx: &Context,
        index: usize,
        state: &IndexMap<String, HostTensor>,
        turns: &mut Turns<'_>,
    ) -> Result<()> {
        for entry in self.entries.iter().filter(|entry| entry.region.is_some()) {
            let packed = entry.packing.pack(weights::get(state, &entry.name, &entry.shape)?);
            self.slice_of(entry, |region| &region.state[index]).write(ctx, &Precision::F32.encode(&packed));
            turns.offer().await;
        }
        Ok(())
    }

    async fn read_from<'a>(
        &'a self,
        ctx: &Context,
        buffer: impl Fn(&'a Region) -> Option<&'a Slice>,
        statistics: bool,
        turns: &mut Turns<'_>,
    ) -> Result<StateDict> {
        let mut tensors: Vec<Option<HostTensor>> = vec![None; self.entries.len()];
        for region in (0..self.regions.len()).map(Some).chain(statistics.then_some(None)) {
            let Some(slice) = region.map_or(Some(&self.statistics), |region| buffer(&self.regions[region])) else { continue };
            // Parameters of a region lie one behind the other: neighbours are read together, as far as a piece goes.
            let mut rest: Vec<usize> = (0..self.entries.len()).filter(|i| self.entries[*i].region == region).collect();
            while let Some(&first) = rest.first() {
                let start = self.entries[first].offset;
                let end = |i: usize| self.entries[i].offset + self.entries[i].bytes;
                let count = rest.iter().take_while(|i| end(**i) - start <= READ_BYTES).count().max(1);
                let bytes = slice.part(start, end(rest[count - 1]) - start).read(ctx).await?;
                for index in rest.drain(..count) {
                    let entry = &self.entries[index];
                    let from = (entry.offset - start) as usize;
                    let packed = Precision::F32.decode(&bytes[from..from + entry.bytes as usize]);
                    let values = entry.packing.unpack(&entry.shape, &packed);
                    tensors[index] = Some(HostTensor::new(entry.shape.clone(), values));
                    turns.offer().await;
                }
            }
        }
        let named = self.entries.iter().zip(tensors).filter_map(|(entry, tensor)| Some((entry.name.clone(), tensor?)));
        Ok(StateDict { tensors: named.collect(), ..StateDict::default() })
    }

    /// The parameter or running statistic `name`.
    pub(super) fn value(&self, name: &str) -> Slice {
        self.slice_of(self.entry(name), |region| &region.values)
    }

    /// The gradient of the parameter `name`.
    pub(super) fn gradient(&self, name: &str) -> Slice {
        self.slice_of(self.entry(name), |region| &region.gradients)
    }

    /// The forward kernel in whose layout the convolution `node` keeps its weight.
    pub(super) fn kernel(&self, node: &str) -> ConvKernel {
        self.kernels[node]
    }

    /// The regions, each updated by one dispatch.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Buffers of state the optimizer keeps.
    pub fn state_buffers(&self) -> usize {
        self.regions.first().map_or(0, |region| region.state.len())
    }

    /// Bytes of parameters and statistics, of gradients, and of the optimizer's state.
    pub fn bytes(&self) -> (u64, u64, u64) {
        let values: u64 = self.regions.iter().map(|region| region.values.bytes()).sum();
        let state = self.regions.iter().flat_map(|region| &region.state).map(Slice::bytes).sum();
        (values + self.statistics.bytes(), values, state)
    }

    fn entry(&self, name: &str) -> &Entry {
        // The plan asks for the parameters of the graph this object was made from.
        &self.entries[self.by_name[name]]
    }

    fn slice_of<'a>(&'a self, entry: &Entry, buffer: impl Fn(&'a Region) -> &'a Slice) -> Slice {
        let whole = entry.region.map_or(&self.statistics, |region| buffer(&self.regions[region]));
        whole.part(entry.offset, entry.bytes)
    }
}

/// Parameters that are read back at a time, unless one alone is larger: copies of more hold up a page.
const READ_BYTES: u64 = 4 << 20;

#[derive(Debug)]
struct PlannedRegion {
    multiplier: f32,
    decay: f32,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Layout {
    alignment: u64,
    limit: u64,
    entries: Vec<Entry>,
    regions: Vec<PlannedRegion>,
    statistics_bytes: u64,
}

impl Layout {
    /// Appends a parameter to the last region of its `(multiplier, decay)` group, or opens another when that one is full.
    fn place(&mut self, name: String, shape: Vec<usize>, packing: Packing, group: Option<(f32, f32)>) {
        let bytes = packing.packed_len(&shape) as u64 * 4;
        let room = bytes.next_multiple_of(self.alignment);
        let (region, offset) = match group {
            None => {
                let offset = self.statistics_bytes;
                self.statistics_bytes += room;
                (None, offset)
            }
            Some((multiplier, decay)) => {
                let fits = |r: &PlannedRegion| (r.multiplier, r.decay) == (multiplier, decay) && r.bytes + room <= self.limit;
                let index = self.regions.iter().position(fits).unwrap_or_else(|| {
                    self.regions.push(PlannedRegion { multiplier, decay, bytes: 0 });
                    self.regions.len() - 1
                });
                let offset = self.regions[index].bytes;
                self.regions[index].bytes += room;
                (Some(index), offset)
            }
        };
        self.entries.push(Entry { name, shape, packing, region, offset, bytes });
    }
}
