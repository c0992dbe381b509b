//! Every WGSL file is valid, in both precisions, with the validator wgpu itself uses. No GPU needed.
#![cfg(not(target_arch = "wasm32"))]

use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const F32: &str = "alias Elem = f32;\n";
const F16: &str = "enable f16;\nalias Elem = f16;\n";

#[test]
fn every_kernel_is_valid_in_both_precisions() {
    let mut wrong = Vec::new();
    let kernels = wgsl(&dir());
    assert!(!kernels.is_empty(), "no shaders found in {}", dir().display());
    for path in &kernels {
        for prelude in [F32, F16] {
            if let Err(message) = compile(prelude, path) {
                wrong.push(message);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_kernel_says_what_it_does_and_starts_at_main() {
    for path in wgsl(&dir()) {
        let text = read(&path);
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("// "), "{}: the first line says what the kernel does", path.display());
        let Ok(module) = compile(F32, &path) else { continue }; // reported by the test above
        let names: Vec<&str> = module.entry_points.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["main"], "{}", path.display());
        assert_eq!(module.entry_points[0].stage, naga::ShaderStage::Compute, "{}", path.display());
    }
}

/// WebGPU promises no more than this; a kernel that asks for more fails on some device.
#[test]
fn every_kernel_stays_within_the_default_limits() {
    for path in wgsl(&dir()) {
        let Ok(module) = compile(F32, &path) else { continue };
        let storage =
            module.global_variables.iter().filter(|(_, v)| matches!(v.space, naga::AddressSpace::Storage { .. })).count();
        assert!(storage <= 8, "{}: {storage} storage buffers, 8 are sure", path.display());
        for entry in &module.entry_points {
            let threads: u32 = entry.workgroup_size.iter().product();
            assert!(threads <= 256, "{}: {threads} invocations a workgroup, 256 are sure", path.display());
        }
    }
}

#[test]
fn every_shared_file_is_used() {
    let shared: BTreeSet<PathBuf> = wgsl(&dir().join("shared")).into_iter().collect();
    let used: BTreeSet<PathBuf> = wgsl(&dir()).iter().flat_map(|path| uses(&read(path))).map(|name| dir().join(name)).collect();
    let unused: Vec<_> = shared.difference(&used).collect();
    assert!(unused.is_empty(), "no kernel says `// uses: shared/NAME.wgsl` of {unused:?}");
}

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// The .wgsl files of one folder, sorted; none if it does not exist.
fn wgsl(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wgsl"))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The shared files a kernel's opening comment names: `// uses: shared/NAME.wgsl`.
fn uses(text: &str) -> Vec<String> {
    let opening = text.lines().take_while(|line| line.starts_with("//") || line.trim().is_empty());
    opening.filter_map(|line| line.strip_prefix("// uses: ")).map(|name| name.trim().to_owned()).collect()
}

/// Parses and validates a kernel as the program puts it together: prelude, shared files, the kernel.
fn compile(prelude: &str, path: &Path) -> Result<naga::Module, String> {
    let text = read(path);
    let mut source = prelude.to_owned();
    for shared in uses(&text) {
        source.push_str(&read(&dir().join(shared)));
    }
    source.push_str(&text);
    let name = path.display().to_string();
    let module = naga::front::wgsl::parse_str(&source).map_err(|e| e.emit_to_string_with_path(&source, &name))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP);
    validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
    validator.validate(&module).map_err(|e| e.emit_to_string_with_path(&source, &name))?;
    Ok(module)
}
