// Batch norm, output = (x - mean) * scale + bias by channel, with an optional residual and ReLU: one thread a chunk of pixels
// and four channels.
// Reads from textures: see src/gpu/texels.rs.
// uses: shared/chunks.wgsl
// uses: shared/texel.wgsl

struct Params {
    @size(32) chunks: Chunks,
    mean_at: u32, scale_at: u32, bias_at: u32, // where the vectors start
}

@group(0) @binding(0) var input: Texels;                              // [pixels][c4]
@group(0) @binding(1) var residual: Texels;                           // [pixels][c4], or anything without RESIDUAL
@group(0) @binding(2) var<storage, read> scale: array<vec4<f32>>;           // [c4] from mean_at (with MEAN) and from scale_at
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;            // [c4] from bias_at
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;   // [pixels][c4]
@group(0) @binding(5) var<uniform> params: Params;

// Without it the mean is in the bias already. Taken off first, it rounds less.
override MEAN: bool = false;
override RESIDUAL: bool = false;
override RELU: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let chunks = params.chunks;
    let thread = id.x + id.y * groups.x * 64u;
    if thread >= chunks.count * chunks.c4 { return; }
    let c = thread % chunks.c4;
    let chunk = thread / chunks.c4;
    let first = chunk * chunks.stride;
    let length = chunk_length(chunks, chunk);

    var mean = vec4<f32>();
    if MEAN { mean = scale[params.mean_at + c]; }
    let a = scale[params.scale_at + c];
    let b = bias[params.bias_at + c];
    for (var k = 0u; k < length; k++) {
        let i = (first + k * chunks.step) * chunks.c4 + c;
        var value = (texel(input, i) - mean) * a + b;
        if RESIDUAL { value += texel(residual, i); }
        if RELU { value = max(value, vec4<f32>()); }
        output[i] = vec4<Elem>(value);
    }
}
