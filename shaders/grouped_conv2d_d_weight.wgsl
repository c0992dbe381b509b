// Grouped convolution backward, gradient of the weights: one workgroup four input channels of one tap of one output, its threads
// share the pixels of the batch.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel: u32,
    stride: u32, pad_top: u32, pad_left: u32, groups: u32,
    group_in: u32, group_out: u32, // channels of a group
    span: u32, // vec4s of the input that a group touches at most
    count: u32, // workgroups
}

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;            // [batch][in_h][in_w][in_c4]
@group(0) @binding(1) var<storage, read> d_output: array<vec4<Elem>>;         // [batch][out_h][out_w][out_c4]
@group(0) @binding(2) var<storage, read_write> d_weight: array<vec4<f32>>;    // [out_c4][kernel][kernel][span][4 outputs], over the input's channels, +=
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> partial: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group.x + group.y * groups.x;
    let o = i / (4u * params.span * params.kernel * params.kernel) * 4u + i % 4u;
    let j = i / 4u % params.span;
    let kx = i / 4u / params.span % params.kernel;
    let ky = i / 4u / params.span / params.kernel % params.kernel;
    let first_channel = o / params.group_out * params.group_in;
    let c4 = first_channel / 4u + j;
    // Channels that do not exist have no gradient, nor has what the last row of workgroups computes past the end.
    let exists = i < params.count && o < params.groups * params.group_out && c4 < params.in_c4;

    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let pixels = select(0u, min(params.batch * params.out_h * params.out_w, arrayLength(&d_output)), exists);
    var sum = vec4<f32>();
    for (var pixel = thread; pixel < pixels; pixel += 64u) {
        let y = pixel / params.out_w % params.out_h * params.stride + ky - params.pad_top; // wraps below 0
        let x = pixel % params.out_w * params.stride + kx - params.pad_left;
        if y < params.in_h && x < params.in_w {
            let n = pixel / params.out_w / params.out_h;
            let at = ((n * params.in_h + y) * params.in_w + x) * params.in_c4 + c4;
            sum += f32(d_output[pixel * params.out_c4 + o / 4u][o % 4u]) * vec4<f32>(input[at]);
        }
    }
    partial[thread] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if thread < half { partial[thread] += partial[thread + half]; }
    }
    if thread > 0u || !exists { return; }
    // A vec4 at the border of a group reaches into others, whose channels this output does not see.
    let channel = vec4<u32>(c4 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
    let inside = channel - first_channel < vec4<u32>(params.group_in); // wraps below the group's first channel
    d_weight[i] += select(vec4<f32>(), partial[0], inside);
}
