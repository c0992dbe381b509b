//! Trainable parameters, their gradients and the optimizer's state: a few flat buffers, so that an update is a handful of
//! dispatches however many layers there are.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::Result;
use crate::device::{Device, Precision, Shape, Slice};
use crate::model::Turns;
use crate::model::graph::{Graph, Layer, Node, Op, Param};
use crate::ops::ConvKernel;
use crate::weights::{self, HostTensor, StateDict};

/// How parameters are sorted into regions: those with the same factor on the learning rate and the same weight decay lie
/// together.
pub struct Grouping<'a> {
    /// Buffers of state the optimizer keeps for every parameter: 0, 1 or 2.
    pub state_buffers: usize,
    /// Factor on the learning rate, and weight decay, of a parameter.
    pub group: &'a dyn Fn(&Param) -> (f32, f32),
}

/// Where and how a parameter lies on the GPU.
#[derive(Debug, Clone)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    trainable: bool,
    /// Whose parameter it is, the how many-th, and the kernel in whose layout it lies.
    op: Op,
    index: usize,
    kernel: ConvKernel,
    /// `None` for running statistics.
    region: Option<usize>,
    /// Bytes from the start of the region, or of the statistics.
    offset: u64,
    bytes: u64,
}

impl Entry {
    fn pack(&self, values: &[f32]) -> Vec<f32> {
        self.op.pack(self.kernel, self.index, values)
    }

    fn unpack(&self, packed: &[f32]) -> Vec<f32> {
        self.op.unpack(self.kernel, self.index, packed)
    }
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
    /// The first entry of each node with parameters.
    first: HashMap<String, usize>,
    regions: Vec<Region>,
    statistics: Slice,
}

impl Parameters {
    /// Lays out the parameters of `graph` for images or features of `input`, without values: see [`load`](Self::load).
    ///
    /// # Errors
    /// [`Error::Spec`] when the input is too small, [`Error::Limit`] when one parameter alone is larger than a binding.
    pub fn new(ctx: &Device, graph: &Graph, input: Shape, grouping: &Grouping<'_>) -> Result<Self> {
        let shapes = graph.shapes(input.n, input.h, input.w)?;
        let mut layout = Layout {
            alignment: ctx.limits().offset_alignment,
            limit: ctx.limits().storage_binding_bytes,
            ..Default::default()
        };
        let mut first = HashMap::new();
        for node in &graph.nodes {
            let Some(input) = node.inputs.first() else { continue };
            let kernel = node.op.training_kernel(ctx, shapes[input.0]);
            for (index, param) in node.params().into_iter().enumerate() {
                first.entry(node.name.clone()).or_insert(layout.entries.len());
                let group = param.trainable.then(|| (grouping.group)(&param));
                let Param { name, shape, trainable } = param;
                let entry =
                    Entry { name, shape, trainable, op: node.op.clone(), index, kernel, region: None, offset: 0, bytes: 0 };
                layout.place(entry, group);
            }
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
        let statistics = Slice::new(ctx, "running statistics", layout.statistics_bytes)?;
        Ok(Self { entries: layout.entries, first, regions, statistics })
    }

    /// Writes every parameter and running statistic from `weights`; gradients and optimizer state are as they were (zero in a
    /// new object).
    ///
    /// # Errors
    /// [`Error::TensorMismatch`] when one is missing or has another shape.
    pub async fn load(&self, ctx: &Device, weights: &StateDict, turns: &mut Turns<'_>) -> Result<()> {
        for entry in &self.entries {
            let packed = entry.pack(&weights.get(&entry.name, &entry.shape)?.data);
            self.slice_of(entry, |region| &region.values).write(ctx, &Precision::F32.encode(&packed));
            turns.offer().await;
        }
        Ok(())
    }

    /// Reads every parameter and running statistic back, in graph order, under checkpoint names.
    pub async fn read(&self, ctx: &Device, turns: &mut Turns<'_>) -> Result<StateDict> {
        self.read_from(ctx, |region| Some(&region.values), true, turns).await
    }

    /// Reads the gradients back in the parameters' shapes.
    pub async fn read_gradients(&self, ctx: &Device) -> Result<StateDict> {
        self.read_from(ctx, |region| Some(&region.gradients), false, &mut Turns::none()).await
    }

    /// Reads the optimizer's state buffer `index` back in the parameters' shapes.
    pub async fn read_state(&self, ctx: &Device, index: usize, turns: &mut Turns<'_>) -> Result<StateDict> {
        self.read_from(ctx, |region| region.state.get(index), false, turns).await
    }

    /// Zeroes the optimizer's state.
    pub fn clear_state(&self, ctx: &Device) {
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
        ctx: &Device,
        index: usize,
        state: &IndexMap<String, HostTensor>,
        turns: &mut Turns<'_>,
    ) -> Result<()> {
        for entry in self.entries.iter().filter(|entry| entry.region.is_some()) {
            let packed = entry.pack(&weights::get(state, &entry.name, &entry.shape)?.data);
            self.slice_of(entry, |region| &region.state[index]).write(ctx, &Precision::F32.encode(&packed));
            turns.offer().await;
        }
        Ok(())
    }

    async fn read_from<'a>(
        &'a self,
        ctx: &Device,
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
                    let values = entry.unpack(&packed);
                    tensors[index] = Some(HostTensor::new(entry.shape.clone(), values));
                    turns.offer().await;
                }
            }
        }
        let named = self.entries.iter().zip(tensors).filter_map(|(entry, tensor)| Some((entry.name.clone(), tensor?)));
        Ok(StateDict { tensors: named.collect(), ..StateDict::default() })
    }

    /// The parameters and running statistics of a node of the graph, in its layer's order.
    pub(super) fn values(&self, node: &Node) -> Vec<Slice> {
        self.entries_of(node).iter().map(|entry| self.slice_of(entry, |region| &region.values)).collect()
    }

    /// The gradients of its parameters, in the same order.
    pub(super) fn gradients(&self, node: &Node) -> Vec<Slice> {
        let trained = self.entries_of(node).iter().filter(|entry| entry.trainable);
        trained.map(|entry| self.slice_of(entry, |region| &region.gradients)).collect()
    }

    /// The kernel in whose layout a node keeps its weight.
    pub(super) fn kernel(&self, node: &Node) -> ConvKernel {
        self.entries_of(node).first().map_or_else(ConvKernel::default, |entry| entry.kernel)
    }

    fn entries_of(&self, node: &Node) -> &[Entry] {
        let Some(&first) = self.first.get(&node.name) else { return &[] };
        &self.entries[first..first + node.op.params().len()]
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
    fn place(&mut self, entry: Entry, group: Option<(f32, f32)>) {
        let bytes = entry.op.packed_len(entry.kernel, entry.index) as u64 * 4;
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
        self.entries.push(Entry { region, offset, bytes, ..entry });
    }
}
