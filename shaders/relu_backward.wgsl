// ReLU backward: the gradient passes where the output is positive. One thread a vec4.

@group(0) @binding(0) var<storage, read> output: array<vec4<Elem>>;           // [count]
@group(0) @binding(1) var<storage, read> d_output: array<vec4<Elem>>;         // [count]
@group(0) @binding(2) var<storage, read> accumulate: array<vec4<Elem>>;       // [count], or anything without ACCUMULATE
@group(0) @binding(3) var<storage, read_write> d_input: array<vec4<Elem>>;    // [count]
@group(0) @binding(4) var<uniform> count: u32;

override ACCUMULATE: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= count { return; }
    var gradient = select(vec4<f32>(), vec4<f32>(d_output[i]), vec4<f32>(output[i]) > vec4<f32>());
    if ACCUMULATE { gradient += vec4<f32>(accumulate[i]); }
    d_input[i] = vec4<Elem>(gradient);
}
