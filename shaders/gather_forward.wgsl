// Rows of a table by index: one thread a vec4 of the output.

struct Params { rows: u32, row_vec4s: u32 }

@group(0) @binding(0) var<storage, read> bank: array<vec4<f32>>;            // [stored rows][row_vec4s]
@group(0) @binding(1) var<storage, read> indices: array<u32>;               // [rows]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;    // [rows][row_vec4s]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.rows * params.row_vec4s { return; }
    output[i] = bank[indices[i / params.row_vec4s] * params.row_vec4s + i % params.row_vec4s];
}
