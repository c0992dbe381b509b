// Fully connected layer: one workgroup four times four outputs of an image, the inputs shared by its lanes.
//
// Few outputs over many inputs, read once: as many lanes as possible must ask for weights at the same time.
// Grid: x = outputs (in 16s), y = images.

struct Params { batch: u32, in_c4: u32, out_c4: u32 }

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [batch][in_c4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;         // [in_c4][out_c4][4 inputs], vec4 over outputs
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;            // [out_c4]
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;   // [batch][out_c4]
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> sums: array<array<vec4<f32>, 4>, 16>; // by lane and outputs

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column = local % 4u;
    let oc = group.x * 4u + column;
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let in_c4 = min(params.in_c4, arrayLength(&weight));
    var sum = vec4<f32>();
    if (oc < params.out_c4) {
        for (var ic = local / 4u; ic < in_c4; ic += 16u) {
            let x = vec4<f32>(input[group.y * in_c4 + ic]);
            let w = (ic * params.out_c4 + oc) * 4u;
            sum += vec4<f32>(weight[w]) * x.x;
            sum += vec4<f32>(weight[w + 1u]) * x.y;
            sum += vec4<f32>(weight[w + 2u]) * x.z;
            sum += vec4<f32>(weight[w + 3u]) * x.w;
        }
    }
    sums[local / 4u][column] = sum;
    workgroupBarrier();
    if (local >= 4u || oc >= params.out_c4) { return; }
    sum = bias[oc];
    #for i 16
    sum += sums[$i][column];
    #end
    output[group.y * params.out_c4 + oc] = vec4<Elem>(sum);
}
