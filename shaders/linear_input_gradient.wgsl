// Fully connected layer backward, gradient of the input: one thread four images and four inputs, so that a weight is read once
// for four images.

struct Params { batch: u32, in_c4: u32, out_c4: u32 }

@group(0) @binding(0) var<storage, read> d_output: array<vec4<Elem>>;         // [batch][out_c4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;            // [in_c4][out_c4][4 inputs], vec4 over outputs
@group(0) @binding(2) var<storage, read_write> d_input: array<vec4<Elem>>;    // [batch][in_c4]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    let ic = i % params.in_c4;
    let n = i / params.in_c4 * 4u;
    if n >= params.batch { return; }
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let out_c4 = min(params.out_c4, arrayLength(&weight));
    // An image behind the end repeats the last one.
    let image = min(n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.batch - 1u));
    let row = image * out_c4;
    var g0 = vec4<f32>();
    var g1 = vec4<f32>();
    var g2 = vec4<f32>();
    var g3 = vec4<f32>();
    for (var oc = 0u; oc < out_c4; oc++) {
        let w = (ic * out_c4 + oc) * 4u;
        // A column an input, each over four outputs: dy * weights is the vec4 of dot(dy, column).
        let weights = mat4x4<f32>(weight[w], weight[w + 1u], weight[w + 2u], weight[w + 3u]);
        g0 += vec4<f32>(d_output[row.x + oc]) * weights;
        g1 += vec4<f32>(d_output[row.y + oc]) * weights;
        g2 += vec4<f32>(d_output[row.z + oc]) * weights;
        g3 += vec4<f32>(d_output[row.w + oc]) * weights;
    }
    // A repeated image is written again with the same gradient.
    d_input[image.w * params.in_c4 + ic] = vec4<Elem>(g3);
    d_input[image.z * params.in_c4 + ic] = vec4<Elem>(g2);
    d_input[image.y * params.in_c4 + ic] = vec4<Elem>(g1);
    d_input[image.x * params.in_c4 + ic] = vec4<Elem>(g0);
}
