//! WGSL with constants, compiled once and cached.

use std::str::Lines;
use std::sync::Arc;

use super::{Gpu, Precision, wgsl};

/// A WGSL file: a kernel with the entry point `main`. `Elem` is defined by a prelude according to the
/// precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shader {
    /// What it is called: the file's name, with the sizes where there are some.
    pub name: &'static str,
    /// File name without `.wgsl`.
    pub file: &'static str,
    /// The file's text without comments and indentation, which would be a tenth of what a visitor downloads.
    pub source: &'static str,
    /// Constants in capitals that the text names, and the counts of its loops (see [`Shader::text`]).
    pub sizes: &'static [(&'static str, u32)],
    /// Whether `Out`, what a kernel writes, is f32 whatever the precision: sums that another kernel finishes.
    pub sums: bool,
}

/// Begins a line that names a shared file.
const USES: &str = "// uses: ";

/// Text for more than one kernel, by the name in a kernel's line `// uses: NAME`.
const SHARED: &[(&str, &str)] = &[
    ("shared/chunks.wgsl", wgsl!("shared/chunks.wgsl")),
    ("shared/conv2d.wgsl", wgsl!("shared/conv2d.wgsl")),
    ("shared/conv2d_d_weight.wgsl", wgsl!("shared/conv2d_d_weight.wgsl")),
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
    /// The text of the file `name`.
    pub const fn new(name: &'static str, source: &'static str) -> Self {
        Self { name, file: name, source, sizes: &[], sums: false }
    }

    /// The same file with these sizes, as `name`.
    pub const fn sized(self, name: &'static str, sizes: &'static [(&'static str, u32)]) -> Self {
        Self { name, sizes, ..self }
    }

    /// The text to compile: the prelude (precision and sizes), the file, what it uses. Lines between `#for NAME COUNT` and `#end`
    /// are there COUNT times, a number or a size, with 0, 1, ... in place of `$NAME`: an accumulator needs a name of its own, as
    /// compilers leave in memory what is indexed.
    pub fn text(&self, precision: Precision) -> String {
        let elem = match precision {
            Precision::F32 => "alias Elem = f32;\n",
            Precision::F16 => "enable f16;\nalias Elem = f16;\n",
        };
        let out = if self.sums { "alias Out = f32;\n" } else { "alias Out = Elem;\n" };
        let sizes: String = self.sizes.iter().map(|(name, size)| format!("const {name} = {size}u;\n")).collect();
        let used = |(name, _): &&(&str, &str)| self.source.lines().any(|line| line.strip_prefix(USES) == Some(name));
        let shared: String = SHARED.iter().filter(used).map(|(_, text)| *text).collect();
        let mut text = elem.to_owned() + out + &sizes;
        let _ = unroll(self.source.lines(), self.sizes, &mut Vec::new(), &mut text);
        text + &shared
    }
}

/// Appends `lines` up to an `#end` to `text`, with their loops written out and `names` replaced; gives the lines behind the `#end`.
fn unroll<'a>(mut lines: Lines<'a>, sizes: &[(&str, u32)], names: &mut Vec<(String, u32)>, text: &mut String) -> Lines<'a> {
    while let Some(line) = lines.next().filter(|line| *line != "#end") {
        let Some((name, count)) = line.strip_prefix("#for ").and_then(|line| line.split_once(' ')) else {
            let written = names.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, &value.to_string()));
            *text += &(written + "\n");
            continue;
        };
        let size = sizes.iter().find(|(size, _)| *size == count).map(|(_, value)| *value);
        let count = size.or_else(|| count.parse().ok()).unwrap_or(1);
        let (body, length) = (lines, text.len());
        lines = body.clone();
        for value in 0..count.max(1) {
            names.push((format!("${name}"), value));
            lines = unroll(body.clone(), sizes, names, text);
            names.pop();
        }
        if count == 0 {
            text.truncate(length);
        }
    }
    lines
}

/// What makes two kernels the same. Constants are kept as bits so that they hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct KernelKey {
    shader: &'static str,
    sums: bool,
    precision: Precision,
    constants: Vec<(&'static str, u64)>,
}

/// What a kernel was compiled from, for who wants to see what other drivers make of it.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelSource {
    /// With its sizes.
    pub shader: Shader,
    /// Of its elements.
    pub precision: Precision,
    /// Values of its `override` constants.
    pub constants: Vec<(&'static str, f64)>,
}

/// A compiled compute pipeline.
#[derive(Debug)]
pub struct Kernel {
    pub(super) name: &'static str,
    pub(super) source: KernelSource,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Kernel {
    /// The shader's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it was compiled from.
    pub fn source(&self) -> &KernelSource {
        &self.source
    }
}

impl Gpu {
    /// The kernel of `shader` with these `override` constants, compiled at first use.
    ///
    /// The bind group layout is the one the shader itself declares, so that a binding is written down once, in WGSL.
    pub fn kernel(&self, shader: Shader, precision: Precision, constants: &[(&'static str, f64)]) -> Arc<Kernel> {
        let key = KernelKey {
            shader: shader.name,
            sums: shader.sums,
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
        let source = KernelSource { shader, precision, constants: constants.to_vec() };
        let kernel = Arc::new(Kernel { name: shader.name, source, pipeline, layout });
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

    #[test]
    fn loops_are_written_out() {
        const SOURCE: &str = "a\n#for i N\nb$i\n#for j 2\nc$i_$j = $ju;\n#end\n#end\n#for x NONE\n#for y 2\ne\n#end\n#end\nd";
        let shader = Shader::new("test", SOURCE).sized("sized", &[("N", 2), ("NONE", 0)]);
        let prelude = "alias Elem = f32;\nalias Out = Elem;\nconst N = 2u;\nconst NONE = 0u;\n";
        let text = "a\nb0\nc0_0 = 0u;\nc0_1 = 1u;\nb1\nc1_0 = 0u;\nc1_1 = 1u;\nd\n";
        assert_eq!(shader.text(Precision::F32), format!("{prelude}{text}"));
    }
}
