//! WGSL to SPIR-V as wgpu does it, and on through the driver.

use ash::vk;
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use reslab::gpu::{KernelSource, Precision};
use serde::{Deserialize, Serialize};

use crate::isa::{self, Machine, Mix};
use crate::vulkan::Device;

/// A kernel to compile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub name: String,
    pub text: String,
    pub constants: Vec<(String, f64)>,
}

impl From<&KernelSource> for Job {
    fn from(source: &KernelSource) -> Self {
        let kind = if source.precision == Precision::F16 { " f16" } else { "" };
        let sums = if source.shader.sums { " sums" } else { "" };
        Self {
            name: format!("{}{kind}{sums}", source.shader.name),
            text: source.shader.text(source.precision),
            constants: source.constants.iter().map(|(name, value)| ((*name).into(), *value)).collect(),
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub name: String,
    /// Lanes of a wave.
    pub wave: u32,
    pub registers: u64,
    /// Registers of the vector unit that went to memory.
    pub spilled: u64,
    /// Bytes of scratch memory a wave.
    pub scratch: u64,
    /// Bytes of workgroup memory.
    pub shared: u64,
    pub instructions: u64,
    /// That a SIMD holds.
    pub waves: u64,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// The loop with most multiply-adds.
    pub inner: Option<Inner>,
}

/// A turn of a loop, a wave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Inner {
    /// Multiply-adds of an invocation.
    pub macs: u32,
    /// Share of the peak by issue slots of the vector unit.
    pub vector_bound: f64,
    /// By the bandwidth of workgroup memory; 0 where none is used.
    pub shared_bound: f64,
    /// By issue slots where every instruction takes one: machines without a scalar unit.
    pub slot_bound: f64,
    /// Cycles of the vector unit, of workgroup memory, and of a wave that is alone.
    pub vector: f64,
    pub memory: f64,
    pub alone: f64,
}

/// What a pipeline layout needs to know.
pub struct Interface {
    pub bindings: Vec<(u32, vk::DescriptorType)>,
    pub invocations: u32,
}

/// As wgpu-hal 30 asks of naga on RADV. `checks` is off for a trusted module.
fn options(checks: bool) -> spv::Options<'static> {
    let index = if checks { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
    let unchecked = BoundsCheckPolicy::Unchecked; // robustBufferAccess2 does it
    spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: BoundsCheckPolicies {
            index,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: checks,
        emit_int_div_checks: checks,
        ..Default::default()
    }
}

/// The module of a text, its constants not yet replaced.
pub fn parse(job: &Job) -> Result<(naga::Module, naga::valid::ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(&job.text).map_err(|e| e.emit_to_string_with_path(&job.text, &job.name))?;
    let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    let info = validator.validate(&module).map_err(|e| e.emit_to_string_with_path(&job.text, &job.name))?;
    Ok((module, info))
}

fn translate(job: &Job, checks: bool) -> Result<(Vec<u32>, Interface), String> {
    let (module, info) = parse(job)?;
    let constants: naga::back::PipelineConstants = job.constants.iter().cloned().collect();
    let entry = (naga::ShaderStage::Compute, "main");
    let (module, info) = naga::back::pipeline_constants::process_overrides(&module, &info, Some(entry), &constants)
        .map_err(|e| format!("{}: {e}", job.name))?;
    let kind = |variable: &naga::GlobalVariable| match variable.space {
        naga::AddressSpace::Uniform => Some(vk::DescriptorType::UNIFORM_BUFFER),
        naga::AddressSpace::Storage { .. } => Some(vk::DescriptorType::STORAGE_BUFFER),
        naga::AddressSpace::Handle => match module.types[variable.ty].inner {
            naga::TypeInner::Image { class: naga::ImageClass::Storage { .. }, .. } => Some(vk::DescriptorType::STORAGE_IMAGE),
            naga::TypeInner::Image { .. } => Some(vk::DescriptorType::SAMPLED_IMAGE),
            _ => Some(vk::DescriptorType::SAMPLER),
        },
        _ => None,
    };
    let bound = |(_, variable): (_, &naga::GlobalVariable)| Some((variable.binding.as_ref()?.binding, kind(variable)?));
    let bindings = module.global_variables.iter().filter_map(bound).collect();
    let invocations = module.entry_points.first().map_or(0, |entry| entry.workgroup_size.iter().product());
    let entry = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: "main".into() };
    let spirv = spv::write_vec(&module, &info, &options(checks), Some(&entry)).map_err(|e| format!("{}: {e}", job.name))?;
    Ok((spirv, Interface { bindings, invocations }))
}

/// Compiles jobs for the card that `RADV_FORCE_FAMILY` names.
pub fn all(jobs: &[Job], family: &str, checks: bool) -> Result<Vec<Report>, String> {
    let device = Device::open(checks)?;
    jobs.iter().map(|job| one(&device, job, family, checks)).collect()
}

fn one(device: &Device, job: &Job, family: &str, checks: bool) -> Result<Report, String> {
    let (spirv, interface) = translate(job, checks)?;
    let compiled = device.compile(&spirv, &interface).map_err(|e| format!("{}: {e}", job.name))?;
    let machine = Machine::of(family, compiled.wave);
    let get = |key: &str| compiled.statistics.iter().find(|(name, _)| name == key).map_or(0, |(_, value)| *value);
    let code = isa::parse(&compiled.assembly);
    let turns = isa::loops(&code).into_iter().map(|(start, end)| isa::play(&code, start, end, machine));
    let inner = turns.max_by_key(|mix| mix.macs).filter(|mix| mix.macs >= 8);
    Ok(Report {
        name: job.name.clone(),
        wave: compiled.wave,
        registers: get("VGPRs"),
        spilled: get("Spilled VGPRs"),
        scratch: get("Scratch size"),
        shared: get("LDS size"),
        instructions: get("Instructions"),
        // RADV counts a wave of 64 lanes as two where a SIMD has 32.
        waves: get("Subgroups per SIMD") / if machine.lanes == 32 { u64::from(compiled.wave / 32) } else { 1 },
        invocations: interface.invocations,
        inner: inner.map(|mix: Mix| Inner {
            macs: mix.macs,
            vector_bound: mix.vector_bound(machine),
            shared_bound: if mix.memory > 0.0 { mix.shared_bound(machine) } else { 0.0 },
            slot_bound: mix.slot_bound(),
            vector: mix.vector,
            memory: mix.memory,
            alone: mix.alone,
        }),
    })
}
