// ReLU: one thread a vec4.

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [count]
@group(0) @binding(1) var<storage, read_write> output: array<vec4<Elem>>;   // [count]
@group(0) @binding(2) var<uniform> count: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= count { return; }
    output[i] = max(input[i], vec4<Elem>());
}
