// 2-D convolution for software adapters whose subgroups have 4 lanes (SwiftShader runs 4 invocations in a SIMD register).
//
// One workgroup = one subgroup = a tile of 8 output pixels x 32 output channels. Lane l owns the 8 output channels
// {l, l + 4} (in fours) of all 8 pixels; it loads the input of pixels l and l + 4, and the lanes pass these values round
// with subgroupBroadcast: on such an adapter a load is scalar code for each lane, so each loaded value should meet many
// channels. Everything is written out because SwiftShader does not unroll loops, and an array stays in memory there.
// Grid: x = tiles of pixels, y = tiles of channels, z = independent convolutions of the same shape (Z, usually 1).
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`, and `enable subgroups;` in browsers.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // bits: 1 add the bias, 2 ReLU, 4 add the residual; none for Winograd's products
}

// (Z, N, H, W, C/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (Z, ceil(O/32), KH, KW, C/4, 4 input channels, 8): vec4 over 4 output channels
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

const PIXELS = 8u;
const TILE_C4 = 8u; // output channels / 4 of a tile

@compute @workgroup_size(4)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = group.x * PIXELS;

    // Through arrayLength the loop bounds are no plain uniforms any more: Mesa's llvmpipe would otherwise compile the
    // shader anew, with the bounds as constants, for every dispatch.
    let limit = arrayLength(&weight);
    let kernel_h = min(params.kernel_h, limit);
    let span = min(params.kernel_w * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // top left input position of the two pixels this lane loads; a pixel behind the end repeats the last one
    let pixel = min(vec2<u32>(first + lane, first + 4u + lane), vec2<u32>(pixels - 1u));
    let line = pixel / params.out_w;
    let line0 = (line / params.out_h + group.z * params.batch) * params.in_h;
    let y0 = line % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0 = (pixel % params.out_w * params.stride - params.pad_left) * params.in_c4;

    var acc00 = vec4<f32>(); var acc01 = vec4<f32>();
    var acc10 = vec4<f32>(); var acc11 = vec4<f32>();
    var acc20 = vec4<f32>(); var acc21 = vec4<f32>();
    var acc30 = vec4<f32>(); var acc31 = vec4<f32>();
    var acc40 = vec4<f32>(); var acc41 = vec4<f32>();
    var acc50 = vec4<f32>(); var acc51 = vec4<f32>();
    var acc60 = vec4<f32>(); var acc61 = vec4<f32>();
    var acc70 = vec4<f32>(); var acc71 = vec4<f32>();
    var w = (group.z * groups.y + group.y) * kernel_h * span * 4u * TILE_C4 + lane;
    for (var ky = 0u; ky < kernel_h; ky++) {
        let y = y0 + ky;
        let start = (line0 + y) * width + x0;
        let end = select(vec2<u32>(), vec2<u32>(width), y < vec2<u32>(params.in_h));
        for (var k = 0u; k < span; k++) {
            // columns: the 4 output channels that one input channel feeds
            let w0 = mat4x4<f32>(
                vec4<f32>(weight[w]), vec4<f32>(weight[w + 8u]), vec4<f32>(weight[w + 16u]), vec4<f32>(weight[w + 24u]));
            let w1 = mat4x4<f32>(
                vec4<f32>(weight[w + 4u]), vec4<f32>(weight[w + 12u]), vec4<f32>(weight[w + 20u]), vec4<f32>(weight[w + 28u]));
            let inside = x0 + k < end;
            let at = select(vec2<u32>(), start + k, inside);
            let keep = select(vec2<f32>(), vec2<f32>(1.0), inside);
            let a = vec4<f32>(input[at.x]) * keep.x;
            let b = vec4<f32>(input[at.y]) * keep.y;
            let v0 = subgroupBroadcast(a, 0u);
            acc00 += w0 * v0;
            acc01 += w1 * v0;
            let v1 = subgroupBroadcast(a, 1u);
            acc10 += w0 * v1;
            acc11 += w1 * v1;
            let v2 = subgroupBroadcast(a, 2u);
            acc20 += w0 * v2;
            acc21 += w1 * v2;
            let v3 = subgroupBroadcast(a, 3u);
            acc30 += w0 * v3;
            acc31 += w1 * v3;
            let v4 = subgroupBroadcast(b, 0u);
            acc40 += w0 * v4;
            acc41 += w1 * v4;
            let v5 = subgroupBroadcast(b, 1u);
            acc50 += w0 * v5;
            acc51 += w1 * v5;
            let v6 = subgroupBroadcast(b, 2u);
            acc60 += w0 * v6;
            acc61 += w1 * v6;
            let v7 = subgroupBroadcast(b, 3u);
            acc70 += w0 * v7;
            acc71 += w1 * v7;
            w += 4u * TILE_C4;
        }
    }

    // behind the end the last pixel is written again, with the same value
    let last = (group.z + 1u) * pixels - 1u;
    let out = group.z * pixels + first;
    let c4 = group.y * TILE_C4 + lane;
    if (c4 < params.out_c4) {
        let b0 = bias_of(c4);
        store(min(out + 0u, last), c4, acc00 + b0);
        store(min(out + 1u, last), c4, acc10 + b0);
        store(min(out + 2u, last), c4, acc20 + b0);
        store(min(out + 3u, last), c4, acc30 + b0);
        store(min(out + 4u, last), c4, acc40 + b0);
        store(min(out + 5u, last), c4, acc50 + b0);
        store(min(out + 6u, last), c4, acc60 + b0);
        store(min(out + 7u, last), c4, acc70 + b0);
    }
    if (c4 + 4u < params.out_c4) {
        let b1 = bias_of(c4 + 4u);
        store(min(out + 0u, last), c4 + 4u, acc01 + b1);
        store(min(out + 1u, last), c4 + 4u, acc11 + b1);
        store(min(out + 2u, last), c4 + 4u, acc21 + b1);
        store(min(out + 3u, last), c4 + 4u, acc31 + b1);
        store(min(out + 4u, last), c4 + 4u, acc41 + b1);
        store(min(out + 5u, last), c4 + 4u, acc51 + b1);
        store(min(out + 6u, last), c4 + 4u, acc61 + b1);
        store(min(out + 7u, last), c4 + 4u, acc71 + b1);
    }
}

// The bias of 4 channels; a vec4 that is loaded once, not with every pixel.
fn bias_of(c4: u32) -> vec4<f32> {
    return select(vec4<f32>(), bias[c4], (params.finish & 1u) != 0u);
}

// Adds the residual, applies ReLU, stores. (arrayLength: a plain uniform would be compiled in, as above.)
fn store(pixel: u32, c4: u32, sum: vec4<f32>) {
    let at = pixel * params.out_c4 + c4;
    let lowest = select(-3.4028234e38, 0.0, (params.finish & 2u) != 0u);
    var v = sum;
    if ((min(params.finish, 8u * arrayLength(&bias)) & 4u) != 0u) { v += vec4<f32>(residual[at]); }
    output[at] = vec4<Elem>(max(v, vec4<f32>(lowest)));
}
