//! Reads the assembly of ACO (RADV's compiler): finds loops, counts what is in them, and plays one wave through them.
//!
//! Cycles of a wave alone are a model: in order, 64 cycles for workgroup memory, 300 for a load, 60 for a scalar load, no bank conflicts.

use std::collections::HashMap;

/// What an instruction keeps busy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    /// A multiply-add, or the multiplication that starts one.
    Mac,
    /// The vector unit's other work: additions, addresses, selects, moves.
    Vector,
    /// Quarter rate: 32-bit multiplication, reciprocal, exponential.
    Slow,
    Salu,
    Branch,
    LdsRead,
    LdsWrite,
    Load,
    Store,
    Scalar,
    Wait,
    Barrier,
    Other,
}

#[derive(Debug, Clone)]
struct Op {
    text: String,
    class: Class,
    /// Multiply-adds of a lane: 2 for packed ones.
    macs: u32,
    /// Dwords of a lane for memory.
    dwords: u32,
    /// Where a branch goes.
    target: Option<usize>,
}

/// Instructions in order.
pub struct Code {
    ops: Vec<Op>,
}

/// Dwords of a memory instruction, by what its name contains; the first that fits.
const DWORDS: [(&str, u32); 16] = [
    ("read2st64_b64", 4),
    ("read2_b64", 4),
    ("write2_b64", 4),
    ("write2st64_b64", 4),
    ("2addr_b64", 4),
    ("2addr_stride64_b64", 4),
    ("x4", 4),
    ("b128", 4),
    ("x3", 3),
    ("b96", 3),
    ("x2", 2),
    ("b64", 2),
    ("2_b32", 2),
    ("2st64_b32", 2),
    ("2addr_b32", 2),
    ("2addr_stride64_b32", 2),
];

/// Classes by the beginnings of names; the first that fits.
const CLASSES: [(Class, &str); 13] = [
    (Class::Mac, "v_pk_fma v_pk_mul_f v_dual_fmac v_dot2 v_pk_mad v_fma v_mac_ v_mad_f v_mad_mix v_mul_f v_madak v_madmk"),
    (Class::Slow, "v_mul_lo v_mul_hi v_rcp v_exp v_log v_sqrt v_rsq v_mad_u64"),
    (Class::Vector, "v_"),
    (Class::LdsRead, "ds_read ds_load ds_bpermute"),
    (Class::LdsWrite, "ds_write ds_store"),
    (Class::Load, "buffer_load global_load image_load tbuffer_load scratch_load"),
    (Class::Store, "buffer_store global_store image_store scratch_store"),
    (Class::Scalar, "s_load s_buffer_load"),
    (Class::Wait, "s_waitcnt s_wait_"),
    (Class::Barrier, "s_barrier"),
    (Class::Branch, "s_branch s_cbranch"),
    (Class::Other, "s_clause s_nop s_inst_prefetch s_delay s_set_inst s_endpgm s_sendmsg s_code_end"),
    (Class::Salu, "s_"),
];

/// An instruction's class and the multiply-adds of a lane.
fn classify(name: &str) -> (Class, u32) {
    let fits = |names: &str| names.split(' ').any(|beginning| name.starts_with(beginning));
    let class = CLASSES.iter().find(|(_, names)| fits(names)).map_or(Class::Other, |(class, _)| *class);
    let packed = fits("v_pk_fma v_pk_mul_f v_dual_fmac v_dot2");
    (
        class,
        if class != Class::Mac {
            0
        } else if packed {
            2
        } else {
            1
        },
    )
}

/// Reads an assembly.
pub fn parse(text: &str) -> Code {
    let mut ops: Vec<Op> = Vec::new();
    let mut starts = HashMap::new();
    let mut targets = Vec::new();
    for line in text.lines() {
        let line = line.split(';').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        if let Some(label) = line.strip_suffix(':') {
            starts.insert(label.to_string(), ops.len());
            continue;
        }
        let name = line.split_whitespace().next().unwrap_or_default();
        let (class, macs) = classify(name);
        let dwords = DWORDS.iter().find(|(part, _)| name.contains(part)).map_or(1, |(_, dwords)| *dwords);
        if class == Class::Branch {
            targets.push((ops.len(), line.split_whitespace().nth(1).unwrap_or("").to_string()));
        }
        ops.push(Op { text: line.into(), class, macs, dwords, target: None });
    }
    for (at, label) in targets {
        ops[at].target = starts.get(&label).copied();
    }
    Code { ops }
}

/// Counts of a piece of code, and how long one wave takes for it alone.
#[derive(Debug, Default, Clone)]
pub struct Mix {
    /// Multiply-adds of a lane.
    pub macs: u32,
    /// Issue slots where every instruction takes one, quarter-rate ones four.
    slots: u32,
    /// Cycles of a SIMD's vector unit.
    pub vector: f64,
    /// Cycles of a compute unit's workgroup memory.
    pub memory: f64,
    /// Cycles from beginning to end of one wave that has the unit to itself.
    pub alone: f64,
}

/// Figures of a machine.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    wave: u32,
    /// Lanes of a SIMD.
    pub lanes: u32,
    /// SIMDs that share one workgroup memory of 128 bytes a cycle.
    simds: u32,
}

const SHARED_LATENCY: f64 = 64.0;
const LOAD_LATENCY: f64 = 300.0;
const SCALAR_LATENCY: f64 = 60.0;

impl Machine {
    pub fn of(family: &str, wave: u32) -> Self {
        let gcn =
            ["polaris", "vega", "renoir", "raven", "tonga", "fiji", "stoney", "carrizo"].iter().any(|f| family.contains(f));
        Self { wave, lanes: if gcn { 16 } else { 32 }, simds: if gcn { 4 } else { 2 } }
    }

    fn issue(&self) -> f64 {
        f64::from(self.wave) / f64::from(self.lanes)
    }
}

/// Plays one wave from `from` until control gets back there: forward branches fall through where they are conditional, inner loops
/// run once.
pub fn play(code: &Code, from: usize, end: usize, machine: Machine) -> Mix {
    let mut mix = Mix::default();
    let issue = machine.issue();
    let mut t = 0.0f64;
    // When what was asked for arrives, in order: from workgroup memory and the constants' cache, and from memory.
    let mut near: Vec<f64> = Vec::new();
    let mut far: Vec<f64> = Vec::new();
    let (mut near_free, mut far_free) = (0.0f64, 0.0f64);
    let mut at = from;
    while at < end {
        let op = &code.ops[at];
        at += 1;
        match op.class {
            Class::Mac | Class::Vector => {
                mix.macs += op.macs;
                mix.vector += issue;
                t += issue;
            }
            Class::Slow => {
                mix.slots += 3;
                mix.vector += 4.0 * issue;
                t += 4.0 * issue;
            }
            Class::LdsRead | Class::LdsWrite => {
                let cycles = f64::from(op.dwords * machine.wave) / 32.0;
                mix.memory += cycles;
                t += 1.0;
                near_free = near_free.max(t) + cycles;
                near.push(near_free + SHARED_LATENCY);
            }
            Class::Load | Class::Store => {
                t += 1.0;
                far_free = far_free.max(t) + f64::from(machine.wave) / 4.0;
                if op.class == Class::Load {
                    far.push(far_free + LOAD_LATENCY);
                }
            }
            Class::Scalar => {
                t += 1.0;
                near.push(t + SCALAR_LATENCY);
            }
            Class::Wait => {
                for (name, list) in [("lgkmcnt(", &mut near), ("vmcnt(", &mut far)] {
                    let rest = op.text.split(name).nth(1).and_then(|rest| rest.split(')').next());
                    if let Some(keep) = rest.and_then(|number| number.parse::<usize>().ok()) {
                        let arrived = list.len().saturating_sub(keep);
                        t = list.drain(..arrived).fold(t, f64::max);
                    }
                }
                t += 1.0;
            }
            Class::Salu | Class::Barrier => t += 1.0,
            Class::Branch => {
                t += 1.0;
                let to = op.target.unwrap_or(end);
                let back = to < at;
                if back && to <= from {
                    mix.slots += 1;
                    break;
                }
                if op.text.starts_with("s_branch") && !back {
                    at = to;
                }
            }
            Class::Other => {}
        }
        mix.slots += u32::from(!matches!(op.class, Class::Wait | Class::Barrier | Class::Other));
    }
    mix.alone = t;
    mix
}

impl Mix {
    /// Share of the peak by the vector unit's issue slots alone.
    pub fn vector_bound(&self, machine: Machine) -> f64 {
        f64::from(self.macs) * machine.issue() / self.vector
    }

    /// Share of the peak by the bandwidth of workgroup memory alone, without bank conflicts.
    pub fn shared_bound(&self, machine: Machine) -> f64 {
        f64::from(self.macs) * machine.issue() / f64::from(machine.simds) / self.memory
    }

    /// Share of issue slots where every instruction takes one (no separate scalar unit): NVIDIA, Intel, Apple.
    pub fn slot_bound(&self) -> f64 {
        f64::from(self.macs) / f64::from(self.slots)
    }
}

/// Loops as first op and end.
pub fn loops(code: &Code) -> Vec<(usize, usize)> {
    let mut found: HashMap<usize, usize> = HashMap::new();
    for (i, op) in code.ops.iter().enumerate() {
        if let Some(to) = op.target.filter(|&to| to <= i) {
            let last = found.entry(to).or_insert(i);
            *last = (*last).max(i);
        }
    }
    let mut list: Vec<_> = found.into_iter().map(|(start, last)| (start, last + 1)).collect();
    list.sort_unstable();
    list
}
