//! A network's convolutions, recorded as a graphics card gets them, and modelled.

use std::collections::BTreeMap;

use reslab::device::{Device, DeviceOptions, Family, Precision, Recording, Shape, Tensor};
use reslab::model::training::{Grouping, Parameters, TrainingOptions, TrainingPlan};
use reslab::model::{PlanBuilder, PlanOptions, ResNetSpec, Turns};
use reslab::ops::{LossKind, Optimizer, Statistics};

use crate::compile::Job;
use crate::model::{self, Pass, Work};
use crate::{Net, compile_for};

/// The card whose compiler is asked.
const FAMILY: &str = "navi21";

pub fn print(net: &Net, checks: bool) -> Result<(), String> {
    let works = pollster::block_on(recorded(net)).map_err(|e| e.to_string())??;
    let mut jobs: Vec<Job> = Vec::new();
    for work in &works {
        if !jobs.contains(&work.job) {
            jobs.push(work.job.clone());
        }
    }
    let reports = compile_for(FAMILY, &jobs, checks)?;
    let report = |work: &Work| {
        let at = jobs.iter().position(|job| *job == work.job).unwrap_or(0);
        reports.get(at).ok_or("the compiler gave too few reports")
    };
    let unit = 80;
    println!("{:<24} {:<15} {:<28} {:<14} {:>6} {:>9}  share of the peak", "layer", "pass", "kernel", "grid", "turns", "us");
    for work in &works {
        let time = model::seconds(work, report(work)?, unit);
        let [x, y, z] = work.groups;
        let turns = work.turns.map_or(String::new(), |turns| format!("{turns}"));
        let share = 100.0 * model::least(work.cost, unit) / time;
        let (pass, grid) = (format!("{:?}", work.pass), format!("{x}x{y}x{z}"));
        let share = if work.cost > 0 { format!("{share:.0}%") } else { String::new() };
        println!("{:<24} {pass:<15} {:<28} {grid:<14} {turns:>6} {:>9.1}  {share}", work.label, work.job.name, 1e6 * time);
    }
    println!("(with {unit} units; shares count the products of direct sums, of which Winograd needs a quarter)\n");
    for &units in &net.units {
        let mut passes: BTreeMap<Pass, (f64, f64)> = BTreeMap::new();
        for work in &works {
            let sums = passes.entry(work.pass).or_default();
            sums.0 += model::seconds(work, report(work)?, units);
            sums.1 += model::least(work.cost, units);
        }
        let words = |(pass, (time, least)): (&Pass, &(f64, f64))| {
            format!("{pass:?} {:.2} ms ({:.1}% of the peak)", 1e3 * time, 100.0 * least / time)
        };
        let passes: Vec<String> = passes.iter().map(words).collect();
        println!("{} batch {}, {units} units: {}", net.name, net.batch, passes.join(", "));
    }
    Ok(())
}

type Works = Result<Vec<Work>, String>;

async fn recorded(net: &Net) -> reslab::Result<Works> {
    let options = DeviceOptions { family: Some(Family::Gpu), ..DeviceOptions::software() };
    let device = Device::new(options).await?;
    let spec = ResNetSpec::named(&net.name)?;
    let small = net.name.starts_with("resnet20") || net.name.starts_with("resnet56");
    let side = net.size.unwrap_or(if small { 32 } else { 224 });
    let graph = spec.build()?;
    let works = |recording: &Recording| model::convolutions(&recording.each());
    if !net.train {
        let options = PlanOptions { batch: net.batch, height: side, width: side, ..PlanOptions::new(0) };
        return Ok(works(PlanBuilder::new(&device, &graph, options)?.finish().recording()));
    }
    let shape = Shape::new(net.batch, 3, side, side);
    let optimizer = Optimizer::sgd();
    let grouping = Grouping { state_buffers: optimizer.state_buffers(), group: &|_| (1.0, 1e-4) };
    let parameters = Parameters::new(&device, &graph, shape, &grouping)?;
    let input = Tensor::zeros(&device, "images", shape, Precision::F32)?;
    let options = TrainingOptions {
        loss: LossKind::default(),
        shares: false,
        class_weights: Vec::new(),
        statistics: Statistics::Batch { momentum: 0.1, unbiased: true },
        micro_batches: 1,
        optimizer,
        decoupled: false,
    };
    let plan = TrainingPlan::new(&device, &graph, &parameters, &input, &options, &mut Turns::none()).await?;
    Ok(works(plan.recordings()[0]))
}
