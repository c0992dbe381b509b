// 2-D convolution for software adapters whose subgroups have 8 lanes (Mesa's llvmpipe runs 8 invocations in a SIMD register).
//
// One workgroup = one subgroup = a tile of 32 output pixels x 64 output channels. Lane l owns the 8 output channels
// {l, l + 8} (in fours) of all 32 pixels; it loads the input of pixels l, l + 8, l + 16 and l + 24, and the lanes pass
// these values round with subgroupShuffle, so each loaded value meets 64 channels. On such an adapter a load from a storage
// buffer or workgroup memory is a scalar loop over the lanes; what is read often comes from textures, where it is a
// tenth of that and still some 80 times the price of a multiplication.
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
// (Z, ceil(O/64), KH, KW, C/4, 4 input channels, 16): vec4 over 4 output channels
@group(0) @binding(1) var weight: Texels;
// (Z, N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(2) var residual: Texels;
// (O/4)
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

const TILE_C4 = 16u; // output channels / 4 of a tile

// Sums of 8 pixels for 4 channels of this lane.
alias Sums = array<vec4<f32>, 8>;

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
    let limit = arrayLength(&output) | 0xffffu;
    let kernel_h = min(params.kernel_h, limit);
    let span = min(params.kernel_w * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // top left input position of the 4 pixels this lane loads; a pixel behind the end repeats the last one
    let pixel = min(vec4<u32>(first + lane) + vec4<u32>(0u, 8u, 16u, 24u), vec4<u32>(pixels - 1u));
    let line = pixel / params.out_w;
    let line0 = (line / params.out_h + group.z * params.batch) * params.in_h;
    let y0 = line % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0 = (pixel % params.out_w * params.stride - params.pad_left) * params.in_c4;

    // four times 8 pixels, the first and the second 4 channels of this lane
    var a0: Sums;
    var a1: Sums;
    var a2: Sums;
    var a3: Sums;
    var b0: Sums;
    var b1: Sums;
    var b2: Sums;
    var b3: Sums;
    var w = (group.z * groups.y + group.y) * kernel_h * span * 4u * TILE_C4 + lane;
    // Ends are asked for at the end: llvmpipe runs a body once more, masked, before it sees that no lane goes on.
    var ky = 0u;
    loop {
        let y = y0 + ky;
        let start = (line0 + y) * width + x0;
        let end = select(vec4<u32>(), vec4<u32>(width), y < vec4<u32>(params.in_h));
        var k = 0u;
        loop {
            // columns: the 4 output channels that one input channel feeds
            let wa = mat4x4<f32>(
                texel(weight, w), texel(weight, w + 16u), texel(weight, w + 32u), texel(weight, w + 48u));
            let wb = mat4x4<f32>(
                texel(weight, w + 8u), texel(weight, w + 24u), texel(weight, w + 40u), texel(weight, w + 56u));
            let inside = x0 + k < end;
            let at = select(vec4<u32>(), start + k, inside);
            let keep = select(vec4<f32>(), vec4<f32>(1.0), inside);
            multiply(&a0, &b0, texel(input, at.x) * keep.x, wa, wb);
            multiply(&a1, &b1, texel(input, at.y) * keep.y, wa, wb);
            multiply(&a2, &b2, texel(input, at.z) * keep.z, wa, wb);
            multiply(&a3, &b3, texel(input, at.w) * keep.w, wa, wb);
            w += 4u * TILE_C4;
            k++;
            if k >= span { break; }
        }
        ky++;
        if ky >= kernel_h { break; }
    }

    // Every lane stores the pixels it loaded, the channels of one lane after the other: a loop of 8 stores, where storing
    // its own channels would take 64 in a row, and compiling a load or store takes as long as 20 multiplications.
    // Behind the end the last pixel is written again, with the same value.
    let out = group.z * pixels + pixel;
    let mine_a = bias_of(group.y * TILE_C4 + lane);
    let mine_b = bias_of(group.y * TILE_C4 + lane + 8u);
    for (var other = 0u; other < min(8u, limit); other++) {
        let c4 = group.y * TILE_C4 + other;
        let bias_a = subgroupShuffle(mine_a, other);
        let bias_b = subgroupShuffle(mine_b, other);
        if (c4 < params.out_c4) {
            store(out.x, c4, transposed(&a0, other, lane) + bias_a);
            store(out.y, c4, transposed(&a1, other, lane) + bias_a);
            store(out.z, c4, transposed(&a2, other, lane) + bias_a);
            store(out.w, c4, transposed(&a3, other, lane) + bias_a);
        }
        if (c4 + 8u < params.out_c4) {
            store(out.x, c4 + 8u, transposed(&b0, other, lane) + bias_b);
            store(out.y, c4 + 8u, transposed(&b1, other, lane) + bias_b);
            store(out.z, c4 + 8u, transposed(&b2, other, lane) + bias_b);
            store(out.w, c4 + 8u, transposed(&b3, other, lane) + bias_b);
        }
    }
}

// Adds the products of 8 lanes' values with this lane's weights. Written out: not every compiler unrolls the loop, and an
// array with a variable index stays in memory.
fn multiply(a: ptr<function, Sums>, b: ptr<function, Sums>, mine: vec4<f32>, wa: mat4x4<f32>, wb: mat4x4<f32>) {
    let v0 = subgroupShuffle(mine, 0u);
    (*a)[0] += wa * v0;
    (*b)[0] += wb * v0;
    let v1 = subgroupShuffle(mine, 1u);
    (*a)[1] += wa * v1;
    (*b)[1] += wb * v1;
    let v2 = subgroupShuffle(mine, 2u);
    (*a)[2] += wa * v2;
    (*b)[2] += wb * v2;
    let v3 = subgroupShuffle(mine, 3u);
    (*a)[3] += wa * v3;
    (*b)[3] += wb * v3;
    let v4 = subgroupShuffle(mine, 4u);
    (*a)[4] += wa * v4;
    (*b)[4] += wb * v4;
    let v5 = subgroupShuffle(mine, 5u);
    (*a)[5] += wa * v5;
    (*b)[5] += wb * v5;
    let v6 = subgroupShuffle(mine, 6u);
    (*a)[6] += wa * v6;
    (*b)[6] += wb * v6;
    let v7 = subgroupShuffle(mine, 7u);
    (*a)[7] += wa * v7;
    (*b)[7] += wb * v7;
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
