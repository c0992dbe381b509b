// Fully connected layer backward, gradients of weight and bias: one thread four inputs and four outputs, all images.

struct Params { batch: u32, in_c4: u32, out_c4: u32 }

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;            // [batch][in_c4]
@group(0) @binding(1) var<storage, read> d_output: array<vec4<Elem>>;         // [batch][out_c4]
@group(0) @binding(2) var<storage, read_write> d_weight: array<vec4<f32>>;    // [in_c4][out_c4][4 inputs], vec4 over outputs, +=
@group(0) @binding(3) var<storage, read_write> d_bias: array<vec4<f32>>;      // [out_c4], +=
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.in_c4 * params.out_c4 { return; }
    let oc = i % params.out_c4;
    let ic = i / params.out_c4;
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let batch = min(params.batch, arrayLength(&input));
    var g0 = vec4<f32>();
    var g1 = vec4<f32>();
    var g2 = vec4<f32>();
    var g3 = vec4<f32>();
    var sum = vec4<f32>();
    for (var n = 0u; n < batch; n++) {
        let x = vec4<f32>(input[n * params.in_c4 + ic]);
        let dy = vec4<f32>(d_output[n * params.out_c4 + oc]);
        g0 += x.x * dy;
        g1 += x.y * dy;
        g2 += x.z * dy;
        g3 += x.w * dy;
        sum += dy;
    }
    d_weight[i * 4u] += g0;
    d_weight[i * 4u + 1u] += g1;
    d_weight[i * 4u + 2u] += g2;
    d_weight[i * 4u + 3u] += g3;
    // The first row of threads sees every output once.
    if ic == 0u { d_bias[oc] += sum; }
}
