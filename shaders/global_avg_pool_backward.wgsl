// Global average pool backward: every pixel gets its share of the image's gradient. One thread a pixel and four channels.

struct Params { batch: u32, pixels: u32, c4: u32 }

@group(0) @binding(0) var<storage, read> d_output: array<vec4<Elem>>;         // [batch][c4]
@group(0) @binding(1) var<storage, read> accumulate: array<vec4<Elem>>;       // [batch][pixels][c4], or anything without ACCUMULATE
@group(0) @binding(2) var<storage, read_write> d_input: array<vec4<Elem>>;    // [batch][pixels][c4]
@group(0) @binding(3) var<uniform> params: Params;

override ACCUMULATE: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.pixels * params.c4 { return; }
    let n = i / params.c4 / params.pixels;
    var gradient = vec4<f32>(d_output[n * params.c4 + i % params.c4]) / f32(params.pixels);
    if ACCUMULATE { gradient += vec4<f32>(accumulate[i]); }
    d_input[i] = vec4<Elem>(gradient);
}
