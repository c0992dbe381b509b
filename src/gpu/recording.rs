//! A list of dispatches and copies, made once and replayed.

use std::sync::Arc;

use super::profile::Stopwatch;
use super::{DispatchTime, FrameTexture, Gpu, Kernel, Slice};
use crate::{Error, Result};

/// Collects steps; [`finish`](Recorder::finish) turns their parameters into one uniform buffer and makes the bind groups.
#[derive(Default)]
pub struct Recorder {
    steps: Vec<Pending>,
    uniforms: Vec<u8>,
}

enum Pending {
    Dispatch {
        label: String,
        kernel: Arc<Kernel>,
        frame: Option<wgpu::TextureView>,
        slices: Vec<Slice>,
        uniform: (u64, u64),
        workgroups: [u32; 3],
        cost: u64,
    },
    Copy {
        from: Slice,
        to: Slice,
    },
    Clear {
        slice: Slice,
    },
}

/// Offsets of uniforms; WebGPU's default alignment, which no adapter exceeds.
const UNIFORM_ALIGNMENT: usize = 256;

impl Recorder {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a dispatch. `slices` are bound to 0, 1, ... in order and `params`, a uniform, to the next index. `cost` is
    /// its work in multiply-adds (0 if small), by which [`Recording::run`] cuts long recordings into submits.
    ///
    /// # Errors
    /// [`Error::Limit`] when a grid dimension is over the device's limit.
    #[allow(clippy::too_many_arguments)] // a dispatch simply has this many parts
    pub fn dispatch<P: bytemuck::NoUninit>(
        &mut self,
        gpu: &Gpu,
        label: &str,
        kernel: Arc<Kernel>,
        slices: &[&Slice],
        params: P,
        workgroups: [u32; 3],
        cost: u64,
    ) -> Result<()> {
        self.push(gpu, label, kernel, None, slices, params, workgroups, cost)
    }

    /// Appends a dispatch as [`dispatch`](Self::dispatch) does; `frame` is bound in front of `slices`.
    #[allow(clippy::too_many_arguments)] // a dispatch simply has this many parts
    pub fn dispatch_frame<P: bytemuck::NoUninit>(
        &mut self,
        gpu: &Gpu,
        label: &str,
        kernel: Arc<Kernel>,
        frame: &FrameTexture,
        slices: &[&Slice],
        params: P,
        workgroups: [u32; 3],
        cost: u64,
    ) -> Result<()> {
        self.push(gpu, label, kernel, Some(frame.view().clone()), slices, params, workgroups, cost)
    }

    #[allow(clippy::too_many_arguments)] // a dispatch simply has this many parts
    fn push<P: bytemuck::NoUninit>(
        &mut self,
        gpu: &Gpu,
        label: &str,
        kernel: Arc<Kernel>,
        frame: Option<wgpu::TextureView>,
        slices: &[&Slice],
        params: P,
        workgroups: [u32; 3],
        cost: u64,
    ) -> Result<()> {
        let limit = gpu.limits().workgroups_per_dimension;
        if let Some(count) = workgroups.into_iter().find(|count| *count > limit) {
            return Err(Error::Limit {
                what: format!("the grid of `{label}` (in workgroups)"),
                needed: u64::from(count),
                limit: u64::from(limit),
                hint: "use a smaller batch or image".into(),
            });
        }
        let bytes = bytemuck::bytes_of(&params);
        let offset = self.uniforms.len().next_multiple_of(UNIFORM_ALIGNMENT);
        self.uniforms.resize(offset, 0);
        self.uniforms.extend_from_slice(bytes);
        // WGSL rounds a uniform struct up to 16 bytes.
        let size = bytes.len().next_multiple_of(16);
        self.uniforms.resize(offset + size, 0);
        self.steps.push(Pending::Dispatch {
            label: label.into(),
            kernel,
            frame,
            slices: slices.iter().map(|slice| (*slice).clone()).collect(),
            uniform: (offset as u64, size as u64),
            workgroups,
            cost,
        });
        Ok(())
    }

    /// Appends a copy between two slices of the same size.
    pub fn copy(&mut self, from: &Slice, to: &Slice) {
        assert_eq!(from.bytes, to.bytes, "a copy needs two slices of one size");
        self.steps.push(Pending::Copy { from: from.clone(), to: to.clone() });
    }

    /// Number of dispatches so far.
    pub fn dispatches(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Pending::Dispatch { .. })).count()
    }

    /// Appends zeroing a slice.
    pub fn clear(&mut self, slice: &Slice) {
        self.steps.push(Pending::Clear { slice: slice.clone() });
    }

    /// Freezes the list of a forward pass, which makes a few submits at most.
    pub fn finish(self, gpu: &Gpu) -> Recording {
        self.freeze(gpu, MAX_SUBMITS)
    }

    /// Freezes a list of a training step's size: it is cut into as many submits as its work asks for, so that none runs long
    /// enough for a browser to give up the device.
    pub fn finish_long(self, gpu: &Gpu) -> Recording {
        self.freeze(gpu, u64::MAX)
    }

    fn freeze(self, gpu: &Gpu, max_submits: u64) -> Recording {
        let uniform = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: self.uniforms.len().max(16).next_multiple_of(16) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut bytes = self.uniforms;
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        gpu.queue().write_buffer(&uniform, 0, &bytes);
        let steps = self
            .steps
            .into_iter()
            .map(|step| match step {
                Pending::Copy { from, to } => Step::Copy { from, to },
                Pending::Clear { slice } => Step::Clear { slice },
                Pending::Dispatch { label, kernel, frame, slices, uniform: (offset, size), workgroups, cost } => {
                    let params = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: &uniform,
                        offset,
                        size: std::num::NonZeroU64::new(size),
                    });
                    let entries: Vec<_> = frame
                        .iter()
                        .map(wgpu::BindingResource::TextureView)
                        .chain(slices.iter().map(Slice::binding))
                        .chain([params])
                        .enumerate()
                        .map(|(i, resource)| wgpu::BindGroupEntry { binding: i as u32, resource })
                        .collect();
                    let bind_group = gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
                        label: Some(&label),
                        layout: &kernel.layout,
                        entries: &entries,
                    });
                    let params = bytes[offset as usize..(offset + size) as usize].into();
                    Step::Dispatch { label, kernel, bind_group, slices, params, workgroups, cost }
                }
            })
            .collect();
        Recording { steps, max_submits }
    }
}

enum Step {
    Dispatch {
        label: String,
        kernel: Arc<Kernel>,
        bind_group: wgpu::BindGroup,
        /// What is bound: for [`Recording::list`].
        slices: Vec<Slice>,
        /// The uniform's bytes: for [`Recording::each`].
        params: Box<[u8]>,
        workgroups: [u32; 3],
        cost: u64,
    },
    Copy {
        from: Slice,
        to: Slice,
    },
    Clear {
        slice: Slice,
    },
}

/// A dispatch of a recording, for who looks at it without running it.
#[derive(Debug)]
pub struct Dispatch<'a> {
    /// The layer.
    pub label: &'a str,
    /// What runs.
    pub kernel: &'a Kernel,
    /// The grid.
    pub workgroups: [u32; 3],
    /// Bytes of its uniform, as the shader's `Params` declares them.
    pub params: &'a [u8],
    /// Bytes of its buffers, in the order of their bindings.
    pub buffers: Vec<u64>,
    /// Multiply-adds, where the layer states them.
    pub cost: u64,
}

/// A frozen list of steps.
pub struct Recording {
    steps: Vec<Step>,
    max_submits: u64,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({} dispatches)", self.dispatches())
    }
}

/// A forward pass makes at most this many submits; reading its result is one more.
const MAX_SUBMITS: u64 = 3;
/// Work of a submit below which cutting it brings nothing: a fast GPU does this in milliseconds, a software adapter in
/// about a second.
const SUBMIT_COST: u64 = 4_000_000_000;

impl Recording {
    /// Number of dispatches of one run.
    pub fn dispatches(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Dispatch { .. })).count()
    }

    /// The steps in words, for the test that holds them: label, kernel, grid and operands of each. Buffers are numbered by first
    /// use, an offset within one follows in bytes.
    pub fn list(&self) -> Vec<String> {
        let mut buffers: Vec<wgpu::Buffer> = Vec::new();
        let mut operand = |slice: &Slice| {
            let known = buffers.iter().position(|buffer| *buffer == slice.buffer);
            let number = known.unwrap_or_else(|| {
                buffers.push(slice.buffer.clone());
                buffers.len() - 1
            });
            if slice.offset == 0 { format!(" {number}") } else { format!(" {number}+{}", slice.offset) }
        };
        let mut words = |what: String, slices: &[&Slice]| slices.iter().fold(what, |line, slice| line + &operand(slice));
        self.steps
            .iter()
            .map(|step| match step {
                Step::Dispatch { label, kernel, slices, workgroups: [x, y, z], .. } => {
                    let slices: Vec<&Slice> = slices.iter().collect();
                    words(format!("{label}: {} {x}x{y}x{z} of", kernel.name), &slices)
                }
                Step::Copy { from, to } => words("copy".into(), &[from, to]),
                Step::Clear { slice } => words("clear".into(), &[slice]),
            })
            .collect()
    }

    /// The dispatches, in order.
    pub fn each(&self) -> Vec<Dispatch<'_>> {
        let dispatch = |step| match step {
            &Step::Dispatch { ref label, ref kernel, ref slices, ref params, workgroups, cost, .. } => {
                let buffers = slices.iter().map(Slice::bytes).collect();
                Some(Dispatch { label, kernel, workgroups, params, buffers, cost })
            }
            Step::Copy { .. } | Step::Clear { .. } => None,
        };
        self.steps.iter().filter_map(dispatch).collect()
    }

    /// Multiply-adds of one run, as far as the steps stated them.
    pub fn cost(&self) -> u64 {
        self.steps.iter().map(Step::cost).sum()
    }

    /// Number of submits of one run.
    pub fn submits(&self) -> usize {
        self.chunks().len()
    }

    /// Long recordings are cut into a few submits of similar work: one that runs for seconds may cost the device.
    fn chunks(&self) -> Vec<std::ops::Range<usize>> {
        let total = self.cost();
        let share = total.div_ceil(total.div_ceil(SUBMIT_COST).clamp(1, self.max_submits)).max(1);
        let mut chunks = Vec::new();
        let (mut start, mut done) = (0, 0);
        for (i, step) in self.steps.iter().enumerate() {
            done += step.cost();
            let boundary = share * (chunks.len() as u64 + 1);
            // A submit for the little work that is left would only cost.
            if done >= boundary && total - done >= share / 2 && (chunks.len() as u64) < self.max_submits - 1 {
                chunks.push(start..i + 1);
                start = i + 1;
            }
        }
        if start < self.steps.len() {
            chunks.push(start..self.steps.len());
        }
        chunks
    }

    /// Queues one run. Results are there for any later read.
    pub fn run(&self, gpu: &Gpu) -> Result<()> {
        gpu.check()?;
        for chunk in self.chunks() {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            encode(&self.steps[chunk], &mut encoder);
            gpu.queue().submit([encoder.finish()]);
        }
        Ok(())
    }

    /// Runs once with a timestamp around every dispatch.
    ///
    /// # Errors
    /// [`Error::Usage`] when the adapter cannot time dispatches.
    pub async fn profile(&self, gpu: &Gpu) -> Result<Vec<DispatchTime>> {
        gpu.check()?;
        let mut watch = Stopwatch::new(gpu, self.dispatches())?;
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let mut timed = Vec::new();
        for step in &self.steps {
            if let Step::Dispatch { label, kernel, bind_group, workgroups, cost, .. } = step {
                let mut pass = watch.begin(&mut encoder, timed.len());
                pass.set_pipeline(&kernel.pipeline);
                pass.set_bind_group(0, bind_group, &[]);
                pass.dispatch_workgroups(workgroups[0], workgroups[1], workgroups[2]);
                timed.push((label.clone(), kernel.name, *cost));
            } else {
                encode(std::slice::from_ref(step), &mut encoder);
            }
        }
        let times = watch.finish(gpu, encoder).await?;
        Ok(timed
            .into_iter()
            .zip(times)
            .map(|((label, kernel, multiply_adds), ms)| DispatchTime { label, kernel, ms, multiply_adds })
            .collect())
    }
}

impl Step {
    fn cost(&self) -> u64 {
        match self {
            Self::Dispatch { cost, .. } => *cost,
            Self::Copy { .. } | Self::Clear { .. } => 0,
        }
    }
}

fn encode(steps: &[Step], encoder: &mut wgpu::CommandEncoder) {
    let mut steps = steps.iter().peekable();
    while let Some(step) = steps.peek() {
        match step {
            Step::Copy { from, to } => {
                encoder.copy_buffer_to_buffer(&from.buffer, from.offset, &to.buffer, to.offset, from.bytes);
                steps.next();
            }
            Step::Clear { slice } => {
                encoder.clear_buffer(&slice.buffer, slice.offset, Some(slice.bytes));
                steps.next();
            }
            Step::Dispatch { .. } => {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                while let Some(Step::Dispatch { kernel, bind_group, workgroups, .. }) =
                    steps.next_if(|step| matches!(step, Step::Dispatch { .. }))
                {
                    pass.set_pipeline(&kernel.pipeline);
                    pass.set_bind_group(0, bind_group, &[]);
                    pass.dispatch_workgroups(workgroups[0], workgroups[1], workgroups[2]);
                }
            }
        }
    }
}
