//! Every WGSL file is valid, in both precisions, with the validator wgpu itself uses. No GPU needed.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use reslab::{
    gpu::{Precision, Shader},
    ops::SHADERS,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_file_is_a_kernel_of_the_program() {
    let files: BTreeSet<String> = wgsl(&dir()).iter().map(|p| p.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let listed: BTreeSet<String> = SHADERS.iter().map(|shader| shader.file.to_owned()).collect();
    assert_eq!(files, listed, "left: files in shaders/; right: ops::SHADERS, which these tests and the program go by");
}

#[test]
fn every_kernel_is_valid_in_both_precisions() {
    let mut wrong = Vec::new();
    for shader in SHADERS {
        for precision in [Precision::F32, Precision::F16] {
            if let Err(message) = compile(shader, precision) {
                wrong.push(format!("in {precision:?}: {message}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_kernel_says_what_it_does_and_starts_at_main() {
    for shader in SHADERS {
        let file = file(shader);
        let first = file.lines().next().unwrap_or_default();
        assert!(first.starts_with("// "), "{}: the first line says what the kernel does", shader.name);
        let Ok(module) = compile(shader, Precision::F32) else { continue }; // reported by the test above
        let entries: Vec<_> = module.entry_points.iter().map(|e| (e.name.as_str(), e.stage)).collect();
        assert_eq!(entries, [("main", naga::ShaderStage::Compute)], "{}", shader.name);
    }
}

/// WebGPU promises no more than this; a kernel that asks for more fails on some device.
#[test]
fn every_kernel_stays_within_the_default_limits() {
    for shader in SHADERS {
        let Ok(module) = compile(shader, Precision::F32) else { continue };
        let is_storage = |v: &naga::GlobalVariable| matches!(v.space, naga::AddressSpace::Storage { .. });
        let storage = module.global_variables.iter().filter(|(_, v)| is_storage(v)).count();
        assert!(storage <= 8, "{}: {storage} storage buffers, 8 are sure", shader.name);
        for entry in &module.entry_points {
            let threads: u32 = entry.workgroup_size.iter().product();
            assert!(threads <= 256, "{}: {threads} invocations a workgroup, 256 are sure", shader.name);
        }
    }
}

#[test]
fn shared_files_reach_the_kernels_that_name_them() {
    let mut used = BTreeSet::new();
    for shader in SHADERS {
        let text = shader.text(Precision::F32);
        for name in uses(&file(shader)) {
            let path = dir().join(&name);
            let shared = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{} uses {name}: {e}", shader.name));
            let code = |line: &str| line.split("//").next().unwrap_or_default().trim().to_owned();
            assert!(
                shared.lines().all(|line| text.contains(&code(line))),
                "{} says it uses {name}, but is compiled without it",
                shader.name
            );
            used.insert(path);
        }
    }
    let shared: BTreeSet<PathBuf> = wgsl(&dir().join("shared")).into_iter().collect();
    let unused: Vec<_> = shared.difference(&used).collect();
    assert!(unused.is_empty(), "no kernel says `// uses: shared/NAME.wgsl` of {unused:?}");
}

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// A kernel's file as it was written: the program has it without comments.
fn file(shader: &Shader) -> String {
    let path = dir().join(shader.file).with_extension("wgsl");
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
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

/// The shared files a kernel's opening comment names: `// uses: shared/NAME.wgsl`.
fn uses(text: &str) -> Vec<String> {
    let opening = text.lines().take_while(|line| line.starts_with("//") || line.trim().is_empty());
    opening.filter_map(|line| line.strip_prefix("// uses: ")).map(|name| name.trim().to_owned()).collect()
}

/// Parses and validates a kernel's text as the program compiles it. Override constants keep their defaults.
fn compile(shader: &Shader, precision: Precision) -> Result<naga::Module, String> {
    let text = shader.text(precision);
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string_with_path(&text, shader.name))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16);
    validator.validate(&module).map_err(|e| e.emit_to_string_with_path(&text, shader.name))?;
    Ok(module)
}
