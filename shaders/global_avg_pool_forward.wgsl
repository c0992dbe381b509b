// Global average pool: one thread an image and four channels.

struct Params { batch: u32, pixels: u32, c4: u32 }

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [batch][pixels][c4]
@group(0) @binding(1) var<storage, read_write> output: array<vec4<Elem>>;   // [batch][c4]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.c4 { return; }
    let c = i % params.c4;
    let first = i / params.c4 * params.pixels * params.c4 + c;
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let pixels = min(params.pixels, arrayLength(&input));
    var sum = vec4<f32>();
    for (var p = 0u; p < pixels; p++) {
        sum += vec4<f32>(input[first + p * params.c4]);
    }
    output[i] = vec4<Elem>(sum / f32(pixels));
}
