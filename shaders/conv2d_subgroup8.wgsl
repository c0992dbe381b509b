// 2-D convolution for software adapters whose subgroups have 8 lanes (Mesa's llvmpipe runs 8 invocations in a SIMD register).
//
// One workgroup = one subgroup = a tile of 32 output pixels x 64 output channels. Lane l owns the 8 output channels
// {l, l + 8} (in fours) of all 32 pixels; it loads the input of pixels l, l + 8, l + 16 and l + 24, and the lanes pass
// these values round with subgroupShuffle, so each loaded value meets 64 channels. On such an adapter a load is a
// scalar loop over the lanes, some 100 times the price of a multiplication, and workgroup memory is no cheaper.
// Grid: x = tiles of pixels, y = tiles of channels, z = independent convolutions of the same shape (Z, usually 1).
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`, and `enable subgroups;` in browsers.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // 0: sums alone (Winograd's matrix products), 1: and bias, 2: and bias and ReLU
}

// (Z, N, H, W, C/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (Z, ceil(O/64), KH, KW, C/4, 4 input channels, 16): vec4 over 4 output channels
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4), or a dummy when RESIDUAL is false
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

override RESIDUAL: bool = false;

const TILE_C4 = 16u; // output channels / 4 of a tile

// Sums of 8 pixels: their first 4 channels of this lane, then their second 4.
alias Sums = array<vec4<f32>, 16>;

@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = group.x * 32u;

    // Through arrayLength the loop bounds are no plain uniforms any more: Mesa's llvmpipe would otherwise compile the
    // shader anew, with the bounds as constants, for every dispatch.
    let limit = arrayLength(&weight);
    let kernel_h = min(params.kernel_h, limit);
    let span = min(params.kernel_w * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // top left input position of the 4 pixels this lane loads; a pixel behind the end repeats the last one
    let pixel = min(vec4<u32>(first + lane) + vec4<u32>(0u, 8u, 16u, 24u), vec4<u32>(pixels - 1u));
    let line = pixel / params.out_w;
    let line0 = (line / params.out_h + group.z * params.batch) * params.in_h;
    let y0 = line % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0 = (pixel % params.out_w * params.stride - params.pad_left) * params.in_c4;

    var sums0: Sums;
    var sums1: Sums;
    var sums2: Sums;
    var sums3: Sums;
    var w = (group.z * groups.y + group.y) * kernel_h * span * 4u * TILE_C4 + lane;
    for (var ky = 0u; ky < kernel_h; ky++) {
        let y = y0 + ky;
        let start = (line0 + y) * width + x0;
        let end = select(vec4<u32>(), vec4<u32>(width), y < vec4<u32>(params.in_h));
        for (var k = 0u; k < span; k++) {
            // columns: the 4 output channels that one input channel feeds
            let w0 = mat4x4<f32>(
                vec4<f32>(weight[w]), vec4<f32>(weight[w + 16u]), vec4<f32>(weight[w + 32u]), vec4<f32>(weight[w + 48u]));
            let w1 = mat4x4<f32>(
                vec4<f32>(weight[w + 8u]), vec4<f32>(weight[w + 24u]), vec4<f32>(weight[w + 40u]), vec4<f32>(weight[w + 56u]));
            let inside = x0 + k < end;
            let at = select(vec4<u32>(), start + k, inside);
            let keep = select(vec4<f32>(), vec4<f32>(1.0), inside);
            multiply(&sums0, vec4<f32>(input[at.x]) * keep.x, w0, w1);
            multiply(&sums1, vec4<f32>(input[at.y]) * keep.y, w0, w1);
            multiply(&sums2, vec4<f32>(input[at.z]) * keep.z, w0, w1);
            multiply(&sums3, vec4<f32>(input[at.w]) * keep.w, w0, w1);
            w += 4u * TILE_C4;
        }
    }

    let image = vec2<u32>(group.z * pixels, (group.z + 1u) * pixels - 1u);
    let c4 = group.y * TILE_C4 + lane;
    store8(&sums0, image.x + first, image.y, c4);
    store8(&sums1, image.x + first + 8u, image.y, c4);
    store8(&sums2, image.x + first + 16u, image.y, c4);
    store8(&sums3, image.x + first + 24u, image.y, c4);
}

// Adds the products of 8 lanes' values with this lane's weights. Written out: not every compiler unrolls the loop, and an
// array with a variable index stays in memory.
fn multiply(sums: ptr<function, Sums>, mine: vec4<f32>, w0: mat4x4<f32>, w1: mat4x4<f32>) {
    let v0 = subgroupShuffle(mine, 0u);
    (*sums)[0] += w0 * v0;
    (*sums)[8] += w1 * v0;
    let v1 = subgroupShuffle(mine, 1u);
    (*sums)[1] += w0 * v1;
    (*sums)[9] += w1 * v1;
    let v2 = subgroupShuffle(mine, 2u);
    (*sums)[2] += w0 * v2;
    (*sums)[10] += w1 * v2;
    let v3 = subgroupShuffle(mine, 3u);
    (*sums)[3] += w0 * v3;
    (*sums)[11] += w1 * v3;
    let v4 = subgroupShuffle(mine, 4u);
    (*sums)[4] += w0 * v4;
    (*sums)[12] += w1 * v4;
    let v5 = subgroupShuffle(mine, 5u);
    (*sums)[5] += w0 * v5;
    (*sums)[13] += w1 * v5;
    let v6 = subgroupShuffle(mine, 6u);
    (*sums)[6] += w0 * v6;
    (*sums)[14] += w1 * v6;
    let v7 = subgroupShuffle(mine, 7u);
    (*sums)[7] += w0 * v7;
    (*sums)[15] += w1 * v7;
}

// Stores 8 pixels; behind the end the last pixel is written again, with the same value.
fn store8(sums: ptr<function, Sums>, pixel: u32, last: u32, c4: u32) {
    if (c4 < params.out_c4) {
        let b = bias_of(c4);
        store(min(pixel + 0u, last), c4, (*sums)[0] + b);
        store(min(pixel + 1u, last), c4, (*sums)[1] + b);
        store(min(pixel + 2u, last), c4, (*sums)[2] + b);
        store(min(pixel + 3u, last), c4, (*sums)[3] + b);
        store(min(pixel + 4u, last), c4, (*sums)[4] + b);
        store(min(pixel + 5u, last), c4, (*sums)[5] + b);
        store(min(pixel + 6u, last), c4, (*sums)[6] + b);
        store(min(pixel + 7u, last), c4, (*sums)[7] + b);
    }
    if (c4 + 8u < params.out_c4) {
        let b = bias_of(c4 + 8u);
        store(min(pixel + 0u, last), c4 + 8u, (*sums)[8] + b);
        store(min(pixel + 1u, last), c4 + 8u, (*sums)[9] + b);
        store(min(pixel + 2u, last), c4 + 8u, (*sums)[10] + b);
        store(min(pixel + 3u, last), c4 + 8u, (*sums)[11] + b);
        store(min(pixel + 4u, last), c4 + 8u, (*sums)[12] + b);
        store(min(pixel + 5u, last), c4 + 8u, (*sums)[13] + b);
        store(min(pixel + 6u, last), c4 + 8u, (*sums)[14] + b);
        store(min(pixel + 7u, last), c4 + 8u, (*sums)[15] + b);
    }
}

// The bias of 4 channels; a vec4 that is loaded once, not with every pixel.
fn bias_of(c4: u32) -> vec4<f32> {
    return select(vec4<f32>(), bias[c4], params.finish > 0u);
}

// Adds the residual, applies ReLU, stores.
fn store(pixel: u32, c4: u32, sum: vec4<f32>) {
    let at = pixel * params.out_c4 + c4;
    let lowest = select(-3.4028234e38, 0.0, params.finish == 2u);
    var v = sum;
    if (RESIDUAL) { v += vec4<f32>(residual[at]); }
    output[at] = vec4<Elem>(max(v, vec4<f32>(lowest)));
}
