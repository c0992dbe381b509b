// Batch norm with fixed statistics, as scale and shift by channel, with an optional ReLU: one thread a vec4.

struct Params { count: u32, c4: u32 }

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [pixels][c4]
@group(0) @binding(1) var<storage, read> scale: array<vec4<f32>>;           // [c4]
@group(0) @binding(2) var<storage, read> shift: array<vec4<f32>>;           // [c4]
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;   // [pixels][c4]
@group(0) @binding(4) var<uniform> params: Params;

override RELU: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.count { return; }
    let c = i % params.c4;
    var value = vec4<f32>(input[i]) * scale[c] + shift[c];
    if RELU { value = max(value, vec4<f32>()); }
    output[i] = vec4<Elem>(value);
}
