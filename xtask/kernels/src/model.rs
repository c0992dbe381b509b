//! How long the convolutions of a recording would take on a card with so many compute units, from what the driver says of their kernels
//! and from the grids. A model, not a measurement: waves in order, no bank conflicts, memory by latency alone, and by bandwidth for
//! partial sums and weights that are turned round.

use std::collections::BTreeMap;

use reslab::gpu::Dispatch;

use crate::compile::{Job, Report, parse};

const CLOCK: f64 = 2.2e9;
/// Seconds between one dispatch and the next: drain, barrier, launch.
const DISPATCH: f64 = 4e-6;
/// Cycles of a workgroup in front of and behind its loop.
const EDGE: f64 = 3000.0;
/// Bytes a second of what only moves memory, mostly from a cache.
const BANDWIDTH: f64 = 1e12;
/// Multiply-adds of a compute unit in a cycle.
const PEAK: f64 = 64.0;

/// What a convolution does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    Forward,
    InputGradient,
    WeightGradient,
}

/// A dispatch of a convolution.
pub struct Work {
    pub pass: Pass,
    pub label: String,
    pub job: Job,
    pub groups: [u32; 3],
    /// Turns of the kernel's loop, of its workgroups on average; none where it only moves memory.
    pub turns: Option<f64>,
    /// What it moves then.
    pub bytes: u64,
    /// Multiply-adds, where the layer states them.
    pub cost: u64,
}

/// The convolutions among dispatches.
pub fn convolutions(dispatches: &[Dispatch<'_>]) -> Result<Vec<Work>, String> {
    let mut list: Vec<Work> = Vec::new();
    let mut turned = false;
    for dispatch in dispatches {
        let source = dispatch.kernel.source();
        let Some(kind) = source.shader.file.strip_prefix("conv2d_") else { continue };
        let job = Job::from(source);
        let params = params(&job, dispatch.params)?;
        let value = |name: &str| params.get(name).copied().map(u64::from).ok_or_else(|| format!("{}: no `{name}`", job.name));
        let size =
            |name: &str| source.shader.sizes.iter().find(|(size, _)| *size == name).map_or(1, |(_, value)| u64::from(*value));
        let pass = match kind {
            "d_weight_tiled" | "d_weight_direct" => Pass::WeightGradient,
            // Its product follows, perhaps in parts.
            "reverse_weights" => Pass::InputGradient,
            "sum" => list.last().map_or(Pass::Forward, |before| before.pass),
            _ if turned => Pass::InputGradient,
            _ => Pass::Forward,
        };
        turned = kind == "reverse_weights";
        let turns = match kind {
            "tiled" => {
                let (depth, parts) = depth(&value)?;
                Some((depth / (parts * size("K4") as f64)).ceil())
            }
            "d_weight_tiled" => Some(value("chunk")?.div_ceil(16) as f64),
            _ => None,
        };
        let bytes = match kind {
            // Its other bindings may be there for form's sake.
            "sum" => {
                let reads = value("parts")? + (value("finish")? & 4) / 4 + (value("finish")? & 16) / 16;
                16 * value("count")? * (reads + 1)
            }
            _ => dispatch.buffers.iter().sum(),
        };
        let (label, groups, cost) = (dispatch.label.into(), dispatch.workgroups, dispatch.cost);
        list.push(Work { pass, label, job, groups, turns, bytes, cost });
    }
    Ok(list)
}

/// vec4s of a sum, and in how many parts it is cut. Phases of an input gradient have an equal share of the kernel on average.
fn depth(value: &dyn Fn(&str) -> Result<u64, String>) -> Result<(f64, f64), String> {
    let spread = if value("finish")? & 8 != 0 { value("stride")? } else { 1 };
    let longest = value("kernel_h")?.div_ceil(spread) * value("kernel_w")?.div_ceil(spread) * value("in_c4")?;
    let depth = (value("kernel_h")? * value("kernel_w")? * value("in_c4")?) as f64 / (spread * spread) as f64;
    Ok((depth, longest.div_ceil(value("chunk")?).max(1) as f64))
}

/// The numbers of a uniform by their names in the shader.
fn params(job: &Job, bytes: &[u8]) -> Result<BTreeMap<String, u32>, String> {
    let (module, _) = parse(job)?;
    let uniform = module.global_variables.iter().find(|(_, variable)| variable.space == naga::AddressSpace::Uniform);
    let Some(naga::TypeInner::Struct { members, .. }) = uniform.map(|(_, variable)| &module.types[variable.ty].inner) else {
        return Ok(BTreeMap::new());
    };
    let number = |member: &naga::StructMember| {
        let at = member.offset as usize;
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        Some((member.name.clone()?, u32::from_le_bytes(bytes)))
    };
    Ok(members.iter().filter_map(number).collect())
}

/// Seconds that a dispatch takes.
pub fn seconds(work: &Work, report: &Report, units: u64) -> f64 {
    let (Some(turns), Some(inner)) = (work.turns, &report.inner) else {
        return DISPATCH + work.bytes as f64 / BANDWIDTH;
    };
    let groups: u64 = work.groups.iter().copied().map(u64::from).product();
    // Workgroups go over the units, their waves over the two SIMDs of each.
    let waves = groups.div_ceil(units) * u64::from(report.invocations.div_ceil(report.wave));
    let waves = waves.div_ceil(2);
    let round = |waves: u64| {
        let (some, waves) = (waves > 0, waves as f64);
        if some { turns * inner.alone.max(waves * inner.vector).max(waves * 2.0 * inner.memory) + EDGE } else { 0.0 }
    };
    let most = report.waves.max(1);
    ((waves / most) as f64 * round(most) + round(waves % most)) / CLOCK + DISPATCH
}

/// Seconds at the peak.
pub fn least(cost: u64, units: u64) -> f64 {
    cost as f64 / (units as f64 * PEAK * CLOCK)
}
