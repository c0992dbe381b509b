//! A Vulkan device that compiles and tells what it compiled. RADV makes one for a card that is not there (`RADV_FORCE_FAMILY`).
#![allow(unsafe_code)] // Vulkan's functions; every handle that they get was made here and lives on

use std::ffi::{CStr, c_char};

use ash::vk;

use crate::compile::Interface;

/// A device, and the extension that tells.
pub struct Device {
    _entry: ash::Entry,
    instance: ash::Instance,
    device: ash::Device,
    executables: ash::khr::pipeline_executable_properties::Device,
}

/// What the driver says of a kernel.
pub struct Compiled {
    pub statistics: Vec<(String, u64)>,
    pub assembly: String,
    /// Lanes of a wave.
    pub wave: u32,
}

fn string(chars: &[c_char]) -> String {
    chars.iter().take_while(|c| **c != 0).map(|c| char::from(*c as u8)).collect()
}

fn failed(what: &'static str) -> impl Fn(vk::Result) -> String {
    move |error| format!("{what}: {error}")
}

impl Device {
    /// The first device whose driver can tell. With `checks` it answers for accesses out of bounds, as wgpu asks.
    pub fn open(checks: bool) -> Result<Self, String> {
        let unloadable = |e| format!("no Vulkan loader ({e}); Debian: apt-get install libvulkan1 mesa-vulkan-drivers");
        // SAFETY: the loader is the system's.
        let entry = unsafe { ash::Entry::load() }.map_err(unloadable)?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: as all below, arguments that live through the call.
        unsafe {
            let instance = entry.create_instance(&info, None).map_err(failed("no Vulkan instance"))?;
            let found = instance.enumerate_physical_devices().map_err(failed("no Vulkan device"))?;
            let physical = *found.first().ok_or("no Vulkan device; Debian: apt-get install mesa-vulkan-drivers")?;
            let name = string(&instance.get_physical_device_properties(physical).device_name);
            if !name.contains("RADV") {
                return Err(format!(
                    "the Vulkan driver is `{name}`, which is not RADV; Debian: apt-get install mesa-vulkan-drivers"
                ));
            }

            let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
            let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
            let mut v13 = vk::PhysicalDeviceVulkan13Features::default();
            let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default();
            let mut executables = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default();
            let mut features = vk::PhysicalDeviceFeatures2::default()
                .push_next(&mut v11)
                .push_next(&mut v12)
                .push_next(&mut v13)
                .push_next(&mut robust)
                .push_next(&mut executables);
            instance.get_physical_device_features2(physical, &mut features);
            features.features.robust_buffer_access = checks.into();
            let core = features.features;
            // What the driver filled in is asked for, each structure in a chain of its own again.
            let mut v11 = vk::PhysicalDeviceVulkan11Features { p_next: std::ptr::null_mut(), ..v11 };
            let mut v12 = vk::PhysicalDeviceVulkan12Features { p_next: std::ptr::null_mut(), ..v12 };
            let mut v13 = vk::PhysicalDeviceVulkan13Features { p_next: std::ptr::null_mut(), ..v13 };
            let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT {
                p_next: std::ptr::null_mut(),
                robust_buffer_access2: checks.into(),
                robust_image_access2: checks.into(),
                null_descriptor: 0,
                ..robust
            };
            let mut executables =
                vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR { p_next: std::ptr::null_mut(), ..executables };
            let mut enable = vk::PhysicalDeviceFeatures2::default()
                .features(core)
                .push_next(&mut v11)
                .push_next(&mut v12)
                .push_next(&mut v13)
                .push_next(&mut robust)
                .push_next(&mut executables);
            let extensions = [ash::khr::pipeline_executable_properties::NAME.as_ptr(), ash::ext::robustness2::NAME.as_ptr()];
            let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&extensions)
                .push_next(&mut enable);
            let device = instance.create_device(physical, &info, None).map_err(failed("the driver gave no device"))?;
            let executables = ash::khr::pipeline_executable_properties::Device::new(&instance, &device);
            Ok(Self { _entry: entry, instance, device, executables })
        }
    }

    /// Compiles the entry point `main` of a compute shader.
    pub fn compile(&self, spirv: &[u32], interface: &Interface) -> Result<Compiled, String> {
        let bindings: Vec<_> = interface
            .bindings
            .iter()
            .map(|(binding, kind)| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(*binding)
                    .descriptor_type(*kind)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        // SAFETY: handles of this device, made here and destroyed at the end; the rest lives through each call.
        unsafe {
            let set = self.device.create_descriptor_set_layout(&info, None).map_err(failed("set layout"))?;
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(std::slice::from_ref(&set));
            let layout = self.device.create_pipeline_layout(&info, None).map_err(failed("pipeline layout"))?;
            let info = vk::ShaderModuleCreateInfo::default().code(spirv);
            let module = self.device.create_shader_module(&info, None).map_err(failed("shader module"))?;
            // wgpu sets this flag where there are subgroups; it forces no size.
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let capture =
                vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
            let info = [vk::ComputePipelineCreateInfo::default().flags(capture).stage(stage).layout(layout)];
            let pipelines = self.device.create_compute_pipelines(vk::PipelineCache::null(), &info, None);
            let pipeline = pipelines.map_err(|(_, error)| failed("pipeline")(error))?[0];
            let compiled = self.ask(pipeline);
            self.device.destroy_pipeline(pipeline, None);
            self.device.destroy_shader_module(module, None);
            self.device.destroy_pipeline_layout(layout, None);
            self.device.destroy_descriptor_set_layout(set, None);
            compiled
        }
    }

    fn ask(&self, pipeline: vk::Pipeline) -> Result<Compiled, String> {
        let info = vk::PipelineInfoKHR::default().pipeline(pipeline);
        let executable = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(0);
        // SAFETY: the pipeline is one of this device that was captured; the lists have the lengths that the driver asked for.
        unsafe {
            let list = self.executables.get_pipeline_executable_properties(&info).map_err(failed("executables"))?;
            let wave = list.first().ok_or("the driver compiled nothing")?.subgroup_size;
            let statistics = self.executables.get_pipeline_executable_statistics(&executable).map_err(failed("statistics"))?;
            let statistics = statistics.iter().map(|s| (string(&s.name), s.value.u64)).collect();
            // ash's own function gets the lengths of the texts, not the texts.
            let texts = self.executables.fp().get_pipeline_executable_internal_representations_khr;
            let mut count = 0;
            let device = self.device.handle();
            texts(device, &executable, &mut count, std::ptr::null_mut()).result().map_err(failed("texts"))?;
            let mut list = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
            texts(device, &executable, &mut count, list.as_mut_ptr()).result().map_err(failed("texts"))?;
            let mut buffers: Vec<Vec<u8>> = list.iter().map(|text| vec![0; text.data_size + 1]).collect();
            for (text, buffer) in list.iter_mut().zip(&mut buffers) {
                text.p_data = buffer.as_mut_ptr().cast();
            }
            texts(device, &executable, &mut count, list.as_mut_ptr()).result().map_err(failed("texts"))?;
            let assembly = list.iter().zip(&buffers).find(|(text, _)| string(&text.name).contains("Assembly"));
            let text = |(_, buffer): (_, &Vec<u8>)| CStr::from_bytes_until_nul(buffer).ok().map(|c| c.to_string_lossy().into());
            let assembly = assembly.and_then(text).ok_or("the driver gave no assembly")?;
            Ok(Compiled { statistics, assembly, wave })
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: nothing made of it is left.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}
