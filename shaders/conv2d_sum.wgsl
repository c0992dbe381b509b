// Last step of a convolution or weight gradient that was summed in parts: the sums in order, bias, residual, ReLU.
//
// One invocation = one vec4.
// Grid: x, y = vec4s (in 64s, in rows). Prelude: Elem and Out.

struct Params {
    count: u32, // vec4s of the output
    parts: u32,
    out_c4: u32,
    finish: u32, // bits: 1 add the bias, 2 ReLU, 4 add the residual, 16 add what is there
}

// (parts, N, OH, OW, O/4), or as the weights
@group(0) @binding(0) var<storage, read> sums: array<vec4<f32>>;
// (O/4), or anything without bit 1
@group(0) @binding(1) var<storage, read> bias: array<vec4<f32>>;
// (N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(2) var<storage, read> residual: array<vec4<Elem>>;
// (N, OH, OW, O/4), or as the weights
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Out>>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if (at >= params.count) { return; }
    // Through arrayLength, or Mesa's llvmpipe would compile the shader anew for every value.
    let end = min(params.parts * params.count, arrayLength(&sums));
    let finish = min(params.finish, 32u * arrayLength(&bias));
    var sum = vec4<f32>();
    if ((finish & 16u) != 0u) { sum = vec4<f32>(output[at]); }
    for (var i = at; i < end; i += params.count) { sum += sums[i]; }
    if ((finish & 1u) != 0u) { sum += bias[at % params.out_c4]; }
    if ((finish & 4u) != 0u) { sum += vec4<f32>(residual[at]); }
    output[at] = vec4<Out>(max(sum, vec4<f32>(select(-3.4028234e38, 0.0, (finish & 2u) != 0u))));
}
