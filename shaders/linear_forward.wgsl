// Fully connected layer: one thread an image and four outputs.

struct Params { batch: u32, in_c4: u32, out_c4: u32 }

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [batch][in_c4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;         // [in_c4][out_c4][4 inputs], vec4 over outputs
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;            // [out_c4]
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;   // [batch][out_c4]
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.out_c4 { return; }
    let oc = i % params.out_c4;
    let n = i / params.out_c4;
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let in_c4 = min(params.in_c4, arrayLength(&weight));
    var acc = bias[oc];
    for (var ic = 0u; ic < in_c4; ic++) {
        let x = vec4<f32>(input[n * in_c4 + ic]);
        let w = (ic * params.out_c4 + oc) * 4u;
        acc += x.x * vec4<f32>(weight[w]) + x.y * vec4<f32>(weight[w + 1u])
            + x.z * vec4<f32>(weight[w + 2u]) + x.w * vec4<f32>(weight[w + 3u]);
    }
    output[i] = vec4<Elem>(acc);
}
