// Grouped convolution: an output channel sees the input channels of its group alone.
// One thread an output pixel and four output channels.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel: u32,
    stride: u32, pad_top: u32, pad_left: u32, groups: u32,
    group_in: u32, group_out: u32, // channels of a group
    span: u32, // vec4s of the input that a group touches at most
    count: u32, // threads
}

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;         // [batch][in_h][in_w][in_c4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;        // [out_c4][kernel][kernel][span][4 outputs], over the input's channels
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;           // [out_c4]
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;      // [batch][out_h][out_w][out_c4], or anything without RESIDUAL
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;  // [batch][out_h][out_w][out_c4]
@group(0) @binding(5) var<uniform> params: Params;

override RESIDUAL: bool = false;
override RELU: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.count { return; }
    let c4 = i % params.out_c4;
    let ox = i / params.out_c4 % params.out_w;
    let oy = i / params.out_c4 / params.out_w % params.out_h;
    let n = i / params.out_c4 / params.out_w / params.out_h;
    // arrayLength hides the uniform bounds: llvmpipe would compile the shader anew at every dispatch to make them constants.
    let kernel = min(params.kernel, arrayLength(&weight));
    let span = min(params.span, arrayLength(&weight));

    // Where the group of each output begins in a pixel. Weights are zero where a vec4 reaches into another group.
    let group = (vec4<u32>(c4 * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) / params.group_out;
    let first = group * params.group_in / 4u;
    let last = params.in_c4 - 1u;
    var sum = bias[c4];
    for (var ky = 0u; ky < kernel; ky++) {
        let y = oy * params.stride + ky - params.pad_top; // wraps below 0: then larger than any height
        if y >= params.in_h { continue; }
        for (var kx = 0u; kx < kernel; kx++) {
            let x = ox * params.stride + kx - params.pad_left;
            if x >= params.in_w { continue; }
            let pixel = ((n * params.in_h + y) * params.in_w + x) * params.in_c4;
            let tap = ((c4 * params.kernel + ky) * params.kernel + kx) * params.span;
            for (var j = 0u; j < span; j++) {
                let at = pixel + min(first + j, vec4<u32>(last));
                let w = (tap + j) * 4u;
                sum += vec4<f32>(
                    dot(vec4<f32>(input[at.x]), vec4<f32>(weight[w])),
                    dot(vec4<f32>(input[at.y]), vec4<f32>(weight[w + 1u])),
                    dot(vec4<f32>(input[at.z]), vec4<f32>(weight[w + 2u])),
                    dot(vec4<f32>(input[at.w]), vec4<f32>(weight[w + 3u])));
            }
        }
    }
    if RESIDUAL { sum += vec4<f32>(residual[i]); }
    if RELU { sum = max(sum, vec4<f32>()); }
    output[i] = vec4<Elem>(sum);
}
