// 2-D convolution for software adapters whose subgroups have 8 lanes, layers with up to 32 output channels or a bit over 64.
//
// As conv2d_subgroup8, with other proportions: one workgroup = one subgroup = a tile of 64 output pixels x 32 output channels.
// Lane l owns the l-th 4 output channels of all 64 pixels and loads the input of pixels l, l + 8, ... l + 56.
// Grid: x = tiles of pixels, y = tiles of channels, z = independent convolutions of the same shape (Z, usually 1).
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`, and `enable subgroups;` in browsers.
// uses: shared/texel.wgsl

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // bits: 1 add the bias, 2 ReLU, 4 add the residual; none for Winograd's products
}

// (Z, N, H, W, C/4)
@group(0) @binding(0) var input: Texels;
// (Z, ceil(O/32), KH, KW, C/4, 4 input channels, 8): vec4 over 4 output channels
@group(0) @binding(1) var weight: Texels;
// (Z, N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(2) var residual: Texels;
// (O/4)
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

const TILE_C4 = 8u; // output channels / 4 of a tile

// Sums of 8 pixels for 4 channels of this lane.
alias Sums = array<vec4<f32>, 8>;

@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = group.x * 64u;

    let limit = arrayLength(&output) | 0xffffu; // not plain uniforms: see conv2d_direct
    let kernel_h = min(params.kernel_h, limit);
    let span = min(params.kernel_w * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // top left input position of the 8 pixels this lane loads; a pixel behind the end repeats the last one
    let pixel_a = min(vec4<u32>(first + lane) + vec4<u32>(0u, 8u, 16u, 24u), vec4<u32>(pixels - 1u));
    let line_a = pixel_a / params.out_w;
    let line0_a = (line_a / params.out_h + group.z * params.batch) * params.in_h;
    let y0_a = line_a % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0_a = (pixel_a % params.out_w * params.stride - params.pad_left) * params.in_c4;
    let pixel_b = min(vec4<u32>(first + lane) + vec4<u32>(32u, 40u, 48u, 56u), vec4<u32>(pixels - 1u));
    let line_b = pixel_b / params.out_w;
    let line0_b = (line_b / params.out_h + group.z * params.batch) * params.in_h;
    let y0_b = line_b % params.out_h * params.stride - params.pad_top;
    let x0_b = (pixel_b % params.out_w * params.stride - params.pad_left) * params.in_c4;

    var s0: Sums;
    var s1: Sums;
    var s2: Sums;
    var s3: Sums;
    var s4: Sums;
    var s5: Sums;
    var s6: Sums;
    var s7: Sums;
    var w = (group.z * groups.y + group.y) * kernel_h * span * 4u * TILE_C4 + lane;
    // Ends are asked for at the end: llvmpipe runs a body once more, masked, before it sees that no lane goes on.
    var ky = 0u;
    loop {
        let y_a = y0_a + ky;
        let start_a = (line0_a + y_a) * width + x0_a;
        let end_a = select(vec4<u32>(), vec4<u32>(width), y_a < vec4<u32>(params.in_h));
        let y_b = y0_b + ky;
        let start_b = (line0_b + y_b) * width + x0_b;
        let end_b = select(vec4<u32>(), vec4<u32>(width), y_b < vec4<u32>(params.in_h));
        var k = 0u;
        loop {
            // columns: the 4 output channels that one input channel feeds
            let weights = mat4x4<f32>(
                texel(weight, w), texel(weight, w + 8u), texel(weight, w + 16u), texel(weight, w + 24u));
            let inside_a = x0_a + k < end_a;
            let at_a = select(vec4<u32>(), start_a + k, inside_a);
            let keep_a = select(vec4<f32>(), vec4<f32>(1.0), inside_a);
            let inside_b = x0_b + k < end_b;
            let at_b = select(vec4<u32>(), start_b + k, inside_b);
            let keep_b = select(vec4<f32>(), vec4<f32>(1.0), inside_b);
            multiply(&s0, texel(input, at_a.x) * keep_a.x, weights);
            multiply(&s1, texel(input, at_a.y) * keep_a.y, weights);
            multiply(&s2, texel(input, at_a.z) * keep_a.z, weights);
            multiply(&s3, texel(input, at_a.w) * keep_a.w, weights);
            multiply(&s4, texel(input, at_b.x) * keep_b.x, weights);
            multiply(&s5, texel(input, at_b.y) * keep_b.y, weights);
            multiply(&s6, texel(input, at_b.z) * keep_b.z, weights);
            multiply(&s7, texel(input, at_b.w) * keep_b.w, weights);
            w += 4u * TILE_C4;
            k++;
            if k >= span { break; }
        }
        ky++;
        if ky >= kernel_h { break; }
    }

    // Every lane stores the pixels it loaded, the channels of one lane after the other: see conv2d_subgroup8.
    let out_a = group.z * pixels + pixel_a;
    let out_b = group.z * pixels + pixel_b;
    let mine = bias_of(group.y * TILE_C4 + lane);
    for (var other = 0u; other < min(8u, limit); other++) {
        let c4 = group.y * TILE_C4 + other;
        let b = subgroupShuffle(mine, other);
        if (c4 < params.out_c4) {
            store(out_a.x, c4, transposed(&s0, other, lane) + b);
            store(out_a.y, c4, transposed(&s1, other, lane) + b);
            store(out_a.z, c4, transposed(&s2, other, lane) + b);
            store(out_a.w, c4, transposed(&s3, other, lane) + b);
            store(out_b.x, c4, transposed(&s4, other, lane) + b);
            store(out_b.y, c4, transposed(&s5, other, lane) + b);
            store(out_b.z, c4, transposed(&s6, other, lane) + b);
            store(out_b.w, c4, transposed(&s7, other, lane) + b);
        }
    }
}

// Adds the products of 8 lanes' values with this lane's weights. Written out: not every compiler unrolls the loop, and an
// array with a variable index stays in memory.
fn multiply(sums: ptr<function, Sums>, mine: vec4<f32>, weights: mat4x4<f32>) {
    (*sums)[0] += weights * subgroupShuffle(mine, 0u);
    (*sums)[1] += weights * subgroupShuffle(mine, 1u);
    (*sums)[2] += weights * subgroupShuffle(mine, 2u);
    (*sums)[3] += weights * subgroupShuffle(mine, 3u);
    (*sums)[4] += weights * subgroupShuffle(mine, 4u);
    (*sums)[5] += weights * subgroupShuffle(mine, 5u);
    (*sums)[6] += weights * subgroupShuffle(mine, 6u);
    (*sums)[7] += weights * subgroupShuffle(mine, 7u);
}

// What lane `other` has summed for this lane's pixel.
fn transposed(sums: ptr<function, Sums>, other: u32, lane: u32) -> vec4<f32> {
    var v = subgroupShuffle((*sums)[0], other);
    v = select(v, subgroupShuffle((*sums)[1], other), lane == 1u);
    v = select(v, subgroupShuffle((*sums)[2], other), lane == 2u);
    v = select(v, subgroupShuffle((*sums)[3], other), lane == 3u);
    v = select(v, subgroupShuffle((*sums)[4], other), lane == 4u);
    v = select(v, subgroupShuffle((*sums)[5], other), lane == 5u);
    v = select(v, subgroupShuffle((*sums)[6], other), lane == 6u);
    v = select(v, subgroupShuffle((*sums)[7], other), lane == 7u);
    return v;
}

// The bias of 4 channels; 0 behind the last.
fn bias_of(c4: u32) -> vec4<f32> {
    return select(vec4<f32>(), bias[min(c4, params.out_c4 - 1u)], (params.finish & 1u) != 0u);
}

// Adds the residual, applies ReLU, stores. (arrayLength: a plain uniform would be compiled in, as above.)
fn store(pixel: u32, c4: u32, sum: vec4<f32>) {
    let at = pixel * params.out_c4 + c4;
    let lowest = select(-3.4028234e38, 0.0, (params.finish & 2u) != 0u);
    var v = sum;
    if ((min(params.finish, 8u * arrayLength(&bias)) & 4u) != 0u) { v += texel(residual, at); }
    output[at] = vec4<Elem>(max(v, vec4<f32>(lowest)));
}
