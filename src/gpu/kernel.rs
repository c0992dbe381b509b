//! WGSL with constants, compiled once and cached.

use std::sync::Arc;

use super::{Gpu, Precision, wgsl};

/// A WGSL file: a kernel with the entry point `main`. `Elem` is defined by a prelude according to the
/// precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shader {
    /// File name without `.wgsl`.
    pub name: &'static str,
    /// The file's text without comments and indentation, which would be a tenth of what a visitor downloads. Lines keep their
    /// numbers.
    pub source: &'static str,
}

/// Begins a line that names a shared file.
const USES: &str = "// uses: ";

/// Text for more than one kernel, by the name in a kernel's line `// uses: NAME`.
const SHARED: &[(&str, &str)] = &[
    ("shared/chunks.wgsl", wgsl!("shared/chunks.wgsl")),
    ("shared/finite.wgsl", wgsl!("shared/finite.wgsl")),
    ("shared/loss_target.wgsl", wgsl!("shared/loss_target.wgsl")),
    ("shared/optimizer_step.wgsl", wgsl!("shared/optimizer_step.wgsl")),
];

/// Length of what [`stripped`] leaves of a WGSL file.
pub(crate) const fn stripped_length(file: &str) -> usize {
    strip(file.as_bytes(), &mut [])
}

/// A WGSL file's bytes without comments (but for those that name shared files) and indentation; `N` is its [`stripped_length`].
pub(crate) const fn stripped<const N: usize>(file: &str) -> [u8; N] {
    let mut text = [0; N];
    strip(file.as_bytes(), &mut text);
    text
}

/// Writes what is left as far as it fits, and returns its length. WGSL has no string literals, so `//` is a comment wherever it
/// stands. Runs in the compiler, without iterators.
const fn strip(file: &[u8], text: &mut [u8]) -> usize {
    let (mut at, mut length) = (0, 0);
    let mut line_start = true;
    while at < file.len() {
        if starts(file, at, b"//") && !starts(file, at, USES.as_bytes()) {
            while at < file.len() && file[at] != b'\n' {
                at += 1;
            }
            continue;
        }
        let byte = file[at];
        at += 1;
        if line_start && byte == b' ' {
            continue;
        }
        line_start = byte == b'\n';
        if length < text.len() {
            text[length] = byte;
        }
        length += 1;
    }
    length
}

const fn starts(file: &[u8], at: usize, with: &[u8]) -> bool {
    let mut same = 0;
    while same < with.len() && at + same < file.len() && file[at + same] == with[same] {
        same += 1;
    }
    same == with.len()
}

impl Shader {
    /// The text to compile: the precision's prelude, the file, what it uses.
    pub fn text(&self, precision: Precision) -> String {
        let prelude = match precision {
            Precision::F32 => "alias Elem = f32;\n",
            Precision::F16 => "enable f16;\nalias Elem = f16;\n",
        };
        let used = |(name, _): &&(&str, &str)| self.source.lines().any(|line| line.strip_prefix(USES) == Some(name));
        let shared: String = SHARED.iter().filter(used).map(|(_, text)| *text).collect();
        // Last, so that line numbers in a compiler's messages are those of the file.
        format!("{prelude}{}{shared}", self.source)
    }
}

/// What makes two kernels the same. Constants are kept as bits so that they hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct KernelKey {
    shader: &'static str,
    precision: Precision,
    constants: Vec<(&'static str, u64)>,
}

/// A compiled compute pipeline.
#[derive(Debug)]
pub struct Kernel {
    pub(super) name: &'static str,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Kernel {
    /// The shader's name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl Gpu {
    /// The kernel of `shader` with these `override` constants, compiled at first use.
    ///
    /// The bind group layout is the one the shader itself declares, so that a binding is written down once, in WGSL.
    pub fn kernel(&self, shader: Shader, precision: Precision, constants: &[(&'static str, f64)]) -> Arc<Kernel> {
        let key = KernelKey {
            shader: shader.name,
            precision,
            constants: constants.iter().map(|(name, value)| (*name, value.to_bits())).collect(),
        };
        if let Some(kernel) = self.kernels().get(&key) {
            return kernel.clone();
        }
        let module = self.device().create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(shader.name),
            source: wgpu::ShaderSource::Wgsl(shader.text(precision).into()),
        });
        let pipeline = self.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader.name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // No kernel reads workgroup memory it has not written.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        let layout = pipeline.get_bind_group_layout(0);
        let kernel = Arc::new(Kernel { name: shader.name, pipeline, layout });
        self.kernels().insert(key, kernel.clone());
        kernel
    }

    /// How many kernels were compiled so far.
    pub fn kernel_count(&self) -> usize {
        self.kernels().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indentation_go_and_lines_stay() {
        const FILE: &str =
            "// What it does.\n// uses: shared/a.wgsl\nfn f(a: f32) -> f32 {\n    return a / 2.0; // half\n}\n// end";
        const LENGTH: usize = stripped_length(FILE);
        const TEXT: [u8; LENGTH] = stripped(FILE);
        assert_eq!(std::str::from_utf8(&TEXT), Ok("\n// uses: shared/a.wgsl\nfn f(a: f32) -> f32 {\nreturn a / 2.0; \n}\n"));
    }
}
