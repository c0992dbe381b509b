// Fully connected layer backward, gradient of the input: one thread an image and four inputs.

struct Params { batch: u32, in_c4: u32, out_c4: u32 }

@group(0) @binding(0) var<storage, read> d_output: array<vec4<Elem>>;         // [batch][out_c4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;            // [in_c4][out_c4][4 inputs], vec4 over outputs
@group(0) @binding(2) var<storage, read_write> d_input: array<vec4<Elem>>;    // [batch][in_c4]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.in_c4 { return; }
    let ic = i % params.in_c4;
    let n = i / params.in_c4;
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let out_c4 = min(params.out_c4, arrayLength(&weight));
    var gradient = vec4<f32>();
    for (var oc = 0u; oc < out_c4; oc++) {
        let dy = vec4<f32>(d_output[n * out_c4 + oc]);
        let w = (ic * out_c4 + oc) * 4u;
        gradient += vec4<f32>(dot(dy, weight[w]), dot(dy, weight[w + 1u]), dot(dy, weight[w + 2u]), dot(dy, weight[w + 3u]));
    }
    d_input[i] = vec4<Elem>(gradient);
}
