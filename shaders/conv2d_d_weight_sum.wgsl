// Last step of a weight gradient whose pixels were summed in chunks: d_weight `+=` the partial sums.
//
// One invocation = one vec4.
// Grid: x, y = vec4s (in 64s, in rows). Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    count: u32, // vec4s of d_weight
    chunks: u32,
}

// (Z, count)
@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
// (count)
@group(0) @binding(1) var<storage, read_write> d_weight: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 64u;
    if (index >= params.count) { return; }
    // Through arrayLength, or Mesa's llvmpipe would compile the shader anew for every number of chunks.
    let end = min(params.chunks * params.count, arrayLength(&partials));
    var sum = d_weight[index];
    for (var at = index; at < end; at += params.count) { sum += partials[at]; }
    d_weight[index] = sum;
}
