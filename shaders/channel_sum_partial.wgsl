// Sum over pixels, of each chunk: one thread a chunk of pixels and four channels.

struct Params {
    pixels: u32, c4: u32,
    chunks: u32, length: u32, stride: u32, step: u32, // pixels of a chunk: chunk * stride + i * step, i < length
}

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;            // [pixels][c4]
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;        // [chunks][c4]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let thread = id.x + id.y * groups.x * 64u;
    if thread >= params.chunks * params.c4 { return; }
    let c = thread % params.c4;
    let first = thread / params.c4 * params.stride;
    let count = min(params.length, (params.pixels - first + params.step - 1u) / params.step);
    var sum = vec4<f32>();
    for (var k = 0u; k < count; k++) {
        sum += vec4<f32>(input[(first + k * params.step) * params.c4 + c]);
    }
    sums[thread] = sum;
}
