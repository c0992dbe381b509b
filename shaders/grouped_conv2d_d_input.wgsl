// Grouped convolution backward, gradient of the input: one thread an input pixel and four input channels.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel: u32,
    stride: u32, pad_top: u32, pad_left: u32, groups: u32,
    group_in: u32, group_out: u32, // channels of a group
    span: u32, // vec4s of the input that a group touches at most
    count: u32, // threads
}

@group(0) @binding(0) var<storage, read> d_output: array<vec4<Elem>>;      // [batch][out_h][out_w][out_c4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;         // [out_c4][kernel][kernel][span][4 outputs], over the input's channels
@group(0) @binding(2) var<storage, read> accumulate: array<vec4<Elem>>;    // [batch][in_h][in_w][in_c4], or anything without ACCUMULATE
@group(0) @binding(3) var<storage, read_write> d_input: array<vec4<Elem>>; // [batch][in_h][in_w][in_c4]
@group(0) @binding(4) var<uniform> params: Params;

override ACCUMULATE: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.count { return; }
    let c4 = i % params.in_c4;
    let x = i / params.in_c4 % params.in_w;
    let y = i / params.in_c4 / params.in_w % params.in_h;
    let n = i / params.in_c4 / params.in_w / params.in_h;
    // arrayLength hides the uniform bounds: llvmpipe would compile the shader anew at every dispatch to make them constants.
    let kernel = min(params.kernel, arrayLength(&weight));

    // The outputs of those groups that these four channels belong to.
    let begin = c4 * 4u / params.group_in * params.group_out;
    let end = min((c4 * 4u + 3u) / params.group_in + 1u, params.groups) * params.group_out;
    var gradient = vec4<f32>();
    if ACCUMULATE { gradient = vec4<f32>(accumulate[i]); }
    for (var ky = 0u; ky < kernel; ky++) {
        let ty = y + params.pad_top - ky; // wraps below 0: then larger than any height
        let oy = ty / params.stride;
        if oy * params.stride != ty || oy >= params.out_h { continue; }
        for (var kx = 0u; kx < kernel; kx++) {
            let tx = x + params.pad_left - kx;
            let ox = tx / params.stride;
            if ox * params.stride != tx || ox >= params.out_w { continue; }
            let pixel = ((n * params.out_h + oy) * params.out_w + ox) * params.out_c4;
            for (var o = begin; o < end; o++) {
                let j = c4 - o / params.group_out * params.group_in / 4u;
                let w = (((o / 4u * params.kernel + ky) * params.kernel + kx) * params.span + j) * 4u + o % 4u;
                gradient += f32(d_output[pixel + o / 4u][o % 4u]) * weight[w];
            }
        }
    }
    d_input[i] = vec4<Elem>(gradient);
}
