// Sum of two branches, with an optional ReLU: one thread a vec4.

@group(0) @binding(0) var<storage, read> a: array<vec4<Elem>>;              // [count]
@group(0) @binding(1) var<storage, read> b: array<vec4<Elem>>;              // [count]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<Elem>>;   // [count]
@group(0) @binding(3) var<uniform> count: u32;

override RELU: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= count { return; }
    var value = vec4<f32>(a[i]) + vec4<f32>(b[i]);
    if RELU { value = max(value, vec4<f32>()); }
    output[i] = vec4<Elem>(value);
}
