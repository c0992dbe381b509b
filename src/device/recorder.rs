//! A list of steps, made once and replayed.

use std::sync::Arc;

use super::open::Backend;
use super::processor::Program;
use super::{Device, DispatchTime, FrameTexture, Slice};
use crate::Result;
use crate::cpu::{Span, Step};
use crate::gpu::{self, Gpu, Kernel};

/// Collects steps; [`finish`](Recorder::finish) freezes them.
#[derive(Default)]
pub struct Recorder {
    gpu: gpu::Recorder,
    cpu: Vec<Task>,
    /// What the processor's steps name, which must outlive them.
    kept: Vec<Slice>,
}

/// A step of the processor.
struct Task {
    /// None for copies and zeroing, which are not timed.
    label: Option<String>,
    /// In multiply-adds.
    cost: u64,
    step: Step,
}

impl Recorder {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a dispatch. `slices` are bound to 0, 1, ... in order and `params`, a uniform, to the next index. `cost` is
    /// its work in multiply-adds (0 if small), by which [`Recording::run`] cuts long recordings into submits.
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when a grid dimension is over the device's limit.
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
        let slices: Vec<_> = slices.iter().map(|slice| slice.gpu()).collect();
        self.gpu.dispatch(gpu, label, kernel, &slices, params, workgroups, cost)
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
        let slices: Vec<_> = slices.iter().map(|slice| slice.gpu()).collect();
        self.gpu.dispatch_frame(gpu, label, kernel, frame, &slices, params, workgroups, cost)
    }

    /// Appends a step of the processor. `cost` is its work in multiply-adds (0 if small).
    pub fn step(&mut self, label: &str, step: Step, cost: u64) -> Result<()> {
        self.cpu.push(Task { label: Some(label.into()), cost, step });
        Ok(())
    }

    /// A slice as the processor's steps name it; it lives as long as the recording.
    pub fn span(&mut self, slice: &Slice) -> Span {
        self.kept.push(slice.clone());
        slice.span()
    }

    /// Appends a copy between two slices of the same size.
    pub fn copy(&mut self, from: &Slice, to: &Slice) {
        assert_eq!(from.bytes(), to.bytes(), "a copy needs two slices of one size");
        if from.is_gpu() {
            return self.gpu.copy(from.gpu(), to.gpu());
        }
        let step = Step::Copy { from: self.span(from), to: self.span(to) };
        self.cpu.push(Task { label: None, cost: 0, step });
    }

    /// Number of dispatches so far; on the processor, of steps.
    pub fn dispatches(&self) -> usize {
        self.gpu.dispatches() + self.cpu.iter().filter(|task| task.label.is_some()).count()
    }

    /// Appends zeroing a slice.
    pub fn clear(&mut self, slice: &Slice) {
        if slice.is_gpu() {
            return self.gpu.clear(slice.gpu());
        }
        let step = Step::Clear { span: self.span(slice) };
        self.cpu.push(Task { label: None, cost: 0, step });
    }

    /// Freezes the list of a forward pass, which makes a few submits at most.
    pub fn finish(self, device: &Device) -> Recording {
        self.freeze(device, gpu::Recorder::finish)
    }

    /// Freezes a list of a training step's size: it is cut into as many submits as its work asks for, so that none runs long
    /// enough for a browser to give up the device.
    pub fn finish_long(self, device: &Device) -> Recording {
        self.freeze(device, gpu::Recorder::finish_long)
    }

    fn freeze(self, device: &Device, finish: fn(gpu::Recorder, &Gpu) -> gpu::Recording) -> Recording {
        Recording(match device.backend() {
            Backend::Gpu(gpu) => List::Gpu(finish(self.gpu, gpu)),
            Backend::Cpu(processor) => {
                let parts = self.cpu.into_iter().map(|Task { label, cost, step }| ((label, step.name(), cost), step));
                let (labels, steps) = parts.unzip::<Label, Step, Vec<_>, Vec<_>>();
                List::Cpu { program: processor.program(steps), labels, _kept: self.kept }
            }
        })
    }
}

/// A frozen list of steps.
#[derive(Debug)]
pub struct Recording(List);

/// A step of the processor without its operands: its label, its kernel, and its cost in multiply-adds.
type Label = (Option<String>, &'static str, u64);

#[derive(Debug)]
enum List {
    Gpu(gpu::Recording),
    Cpu { program: Program, labels: Vec<Label>, _kept: Vec<Slice> },
}

impl Recording {
    /// Number of dispatches of one run; on the processor, of steps.
    pub fn dispatches(&self) -> usize {
        match &self.0 {
            List::Gpu(recording) => recording.dispatches(),
            List::Cpu { labels, .. } => labels.iter().filter(|(label, ..)| label.is_some()).count(),
        }
    }

    /// The steps in words, for the test that holds them.
    pub fn list(&self) -> Vec<String> {
        match &self.0 {
            List::Gpu(recording) => recording.list(),
            List::Cpu { labels, .. } => {
                labels.iter().map(|(label, kernel, _)| format!("{}: {kernel}", label.as_deref().unwrap_or_default())).collect()
            }
        }
    }

    /// The dispatches of a graphics card, in order; none on the processor.
    pub fn each(&self) -> Vec<gpu::Dispatch<'_>> {
        match &self.0 {
            List::Gpu(recording) => recording.each(),
            List::Cpu { .. } => Vec::new(),
        }
    }

    /// Multiply-adds of one run, as far as the steps stated them.
    pub fn cost(&self) -> u64 {
        match &self.0 {
            List::Gpu(recording) => recording.cost(),
            List::Cpu { labels, .. } => labels.iter().map(|(.., cost)| cost).sum(),
        }
    }

    /// Number of submits of one run.
    pub fn submits(&self) -> usize {
        match &self.0 {
            List::Gpu(recording) => recording.submits(),
            List::Cpu { .. } => 1,
        }
    }

    /// Queues one run. Results are there for any later read.
    pub fn run(&self, device: &Device) -> Result<()> {
        match (&self.0, device.backend()) {
            (List::Gpu(recording), Backend::Gpu(gpu)) => recording.run(gpu),
            (List::Cpu { program, .. }, Backend::Cpu(_)) => program.run(),
            _ => panic!("a recording of one device was run on another"),
        }
    }

    /// Runs once and times every dispatch.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) when the device cannot time dispatches.
    pub async fn profile(&self, device: &Device) -> Result<Vec<DispatchTime>> {
        match (&self.0, device.backend()) {
            (List::Gpu(recording), Backend::Gpu(gpu)) => recording.profile(gpu).await,
            (List::Cpu { program, labels, .. }, Backend::Cpu(_)) => {
                let times = program.time().await?;
                let timed = |((label, kernel, cost), ms): (&Label, f64)| {
                    Some(DispatchTime { label: label.clone()?, kernel, ms, multiply_adds: *cost })
                };
                Ok(labels.iter().zip(times).filter_map(timed).collect())
            }
            _ => panic!("a recording of one device was run on another"),
        }
    }
}
