//! What is measured, how far it is, and what was found.

use std::sync::Arc;

use leptos::prelude::*;
use rust_i18n::t;

use crate::device::Precision;
use crate::engine::{BenchmarkEvent, BenchmarkOrder, BenchmarkPhase, BenchmarkReport, BenchmarkWork, Command};
use crate::model::ResNetSpec;
use crate::ui::format;
use crate::ui::notice;
use crate::ui::workshop::Workshop;

/// Runs before those that count: the first compiles kernels, the others fill caches and wake the GPU's clock.
const WARM_UP: usize = 3;

/// How far a benchmark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Going {
    pub phase: BenchmarkPhase,
    /// Runs done, of all phases.
    pub done: usize,
    pub total: usize,
}

/// The screen's state; it stays while other screens are shown.
#[derive(Clone, Copy)]
pub struct Bench {
    pub arch: RwSignal<String>,
    pub batch: RwSignal<usize>,
    pub size: RwSignal<usize>,
    pub work: RwSignal<BenchmarkWork>,
    pub precision: RwSignal<Precision>,
    pub runs: RwSignal<usize>,
    pub going: RwSignal<Option<Going>>,
    pub error: RwSignal<Option<String>>,
    /// What was measured since the page was opened.
    pub reports: RwSignal<Vec<Arc<BenchmarkReport>>>,
    /// Which of them is shown in full.
    pub shown: RwSignal<usize>,
    /// Of the newest order; events of older ones come too late.
    number: StoredValue<u64>,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            arch: RwSignal::new("resnet18".into()),
            batch: RwSignal::new(1),
            size: RwSignal::new(224),
            work: RwSignal::new(BenchmarkWork::Forward),
            precision: RwSignal::new(Precision::F32),
            runs: RwSignal::new(10),
            going: RwSignal::new(None),
            error: RwSignal::new(None),
            reports: RwSignal::new(Vec::new()),
            shown: RwSignal::new(0),
            number: StoredValue::new(0),
        }
    }

    /// Another network, with images of the size it was made for.
    pub fn choose(self, arch: String) {
        if let Ok(spec) = ResNetSpec::named(&arch) {
            self.size.set(spec.default_image_size());
            self.arch.set(arch);
        }
    }

    /// The one shown in full.
    pub fn report(self) -> Option<Arc<BenchmarkReport>> {
        self.reports.with(|reports| reports.get(self.shown.get()).cloned())
    }
}

impl Workshop {
    /// Measures what is chosen.
    pub fn start_benchmark(self) {
        let bench = self.benchmark;
        let number = self.new_id();
        bench.number.set_value(number);
        bench.error.set(None);
        bench.going.set(Some(Going { phase: BenchmarkPhase::WarmUp, done: 0, total: WARM_UP + bench.runs.get_untracked() }));
        self.send(Command::Benchmark(Box::new(BenchmarkOrder {
            number,
            arch: bench.arch.get_untracked(),
            batch: bench.batch.get_untracked(),
            size: bench.size.get_untracked(),
            work: bench.work.get_untracked(),
            precision: bench.precision.get_untracked(),
            warm_up: WARM_UP,
            runs: bench.runs.get_untracked(),
        })));
    }

    /// Leaves it after the run that is under way.
    pub fn stop_benchmark(self) {
        self.send(Command::StopBenchmark);
        self.benchmark.number.set_value(0);
        self.benchmark.going.set(None);
        self.spoken.set(t!("benchmark.said_stopped").into_owned());
    }

    pub(in crate::ui) fn on_benchmark(self, event: BenchmarkEvent) {
        let bench = self.benchmark;
        let (BenchmarkEvent::Going { number, .. }
        | BenchmarkEvent::Finished { number, .. }
        | BenchmarkEvent::Failed { number, .. }) = &event;
        if bench.number.get_value() != *number {
            return;
        }
        match event {
            BenchmarkEvent::Going { phase, done, total, .. } => bench.going.set(Some(Going { phase, done, total })),
            BenchmarkEvent::Finished { report, .. } => {
                bench.going.set(None);
                let time = format::duration_ms(report.times.median);
                self.spoken.set(t!("benchmark.said_done", name = report.order.arch, time = time).into_owned());
                bench.reports.update(|reports| reports.push(Arc::from(report)));
                bench.shown.set(bench.reports.with_untracked(Vec::len) - 1);
            }
            BenchmarkEvent::Failed { error, .. } => {
                bench.going.set(None);
                bench.error.set(Some(notice::sentence(&error)));
            }
        }
    }
}
