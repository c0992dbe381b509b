// 2-D convolution for software adapters whose subgroups have 8 lanes, layers with up to 16 output channels or a bit over 32.
//
// As conv2d_subgroup8, with other proportions: one workgroup = one subgroup = a tile of 128 output pixels x 16 output channels.
// The subgroup works as two halves of 4 lanes with 64 pixels each. Lane l owns the (l % 4)-th 4 output channels of its half's
// pixels and loads the input of every fourth of them; values are passed round within the half.
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
// (Z, ceil(O/16), KH, KW, C/4, 4 input channels, 4): vec4 over 4 output channels
@group(0) @binding(1) var weight: Texels;
// (Z, N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(2) var residual: Texels;
// (O/4)
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

const TILE_C4 = 4u; // output channels / 4 of a tile

// Sums of 4 pixels for the 4 channels of this lane.
alias Sums = array<vec4<f32>, 4>;

// Top left input position of 4 pixels: x in vec4s, the first line of the image, y, and the pixel itself.
struct Pixels { x: vec4<u32>, line: vec4<u32>, y: vec4<u32>, pixel: vec4<u32> }

// The 4 pixels from `first`, 8 apart; one behind the end repeats the last one.
fn pixels_from(first: u32, image: u32) -> Pixels {
    let count = params.batch * params.out_h * params.out_w;
    let pixel = min(vec4<u32>(first) + vec4<u32>(0u, 8u, 16u, 24u), vec4<u32>(count - 1u));
    let line = pixel / params.out_w;
    return Pixels(
        (pixel % params.out_w * params.stride - params.pad_left) * params.in_c4,
        (line / params.out_h + image) * params.in_h,
        line % params.out_h * params.stride - params.pad_top, // wraps below 0: then larger than any height
        pixel,
    );
}

@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = group.x * 128u + lane;
    let half = lane & 4u; // the first lane of this half

    let limit = arrayLength(&output) | 0xffffu; // not plain uniforms: see conv2d_direct
    let kernel_h = min(params.kernel_h, limit);
    let span = min(params.kernel_w * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // the 16 pixels this lane loads
    let image = group.z * params.batch;
    let p0 = pixels_from(first + 0u, image);
    let p1 = pixels_from(first + 32u, image);
    let p2 = pixels_from(first + 64u, image);
    let p3 = pixels_from(first + 96u, image);
    var s0: Sums;
    var s1: Sums;
    var s2: Sums;
    var s3: Sums;
    var s4: Sums;
    var s5: Sums;
    var s6: Sums;
    var s7: Sums;
    var s8: Sums;
    var s9: Sums;
    var s10: Sums;
    var s11: Sums;
    var s12: Sums;
    var s13: Sums;
    var s14: Sums;
    var s15: Sums;
    var w = (group.z * groups.y + group.y) * kernel_h * span * 4u * TILE_C4 + lane % 4u;
    // Ends are asked for at the end: llvmpipe runs a body once more, masked, before it sees that no lane goes on.
    var ky = 0u;
    loop {
        let start0 = (p0.line + p0.y + ky) * width + p0.x;
        let end0 = select(vec4<u32>(), vec4<u32>(width), p0.y + ky < vec4<u32>(params.in_h));
        let start1 = (p1.line + p1.y + ky) * width + p1.x;
        let end1 = select(vec4<u32>(), vec4<u32>(width), p1.y + ky < vec4<u32>(params.in_h));
        let start2 = (p2.line + p2.y + ky) * width + p2.x;
        let end2 = select(vec4<u32>(), vec4<u32>(width), p2.y + ky < vec4<u32>(params.in_h));
        let start3 = (p3.line + p3.y + ky) * width + p3.x;
        let end3 = select(vec4<u32>(), vec4<u32>(width), p3.y + ky < vec4<u32>(params.in_h));
        var k = 0u;
        loop {
            // columns: the 4 output channels that one input channel feeds
            let weights = mat4x4<f32>(
                texel(weight, w), texel(weight, w + 4u), texel(weight, w + 8u), texel(weight, w + 12u));
            let inside0 = p0.x + k < end0;
            let at0 = select(vec4<u32>(), start0 + k, inside0);
            let keep0 = select(vec4<f32>(), vec4<f32>(1.0), inside0);
            multiply(&s0, texel(input, at0.x) * keep0.x, weights, half);
            multiply(&s1, texel(input, at0.y) * keep0.y, weights, half);
            multiply(&s2, texel(input, at0.z) * keep0.z, weights, half);
            multiply(&s3, texel(input, at0.w) * keep0.w, weights, half);
            let inside1 = p1.x + k < end1;
            let at1 = select(vec4<u32>(), start1 + k, inside1);
            let keep1 = select(vec4<f32>(), vec4<f32>(1.0), inside1);
            multiply(&s4, texel(input, at1.x) * keep1.x, weights, half);
            multiply(&s5, texel(input, at1.y) * keep1.y, weights, half);
            multiply(&s6, texel(input, at1.z) * keep1.z, weights, half);
            multiply(&s7, texel(input, at1.w) * keep1.w, weights, half);
            let inside2 = p2.x + k < end2;
            let at2 = select(vec4<u32>(), start2 + k, inside2);
            let keep2 = select(vec4<f32>(), vec4<f32>(1.0), inside2);
            multiply(&s8, texel(input, at2.x) * keep2.x, weights, half);
            multiply(&s9, texel(input, at2.y) * keep2.y, weights, half);
            multiply(&s10, texel(input, at2.z) * keep2.z, weights, half);
            multiply(&s11, texel(input, at2.w) * keep2.w, weights, half);
            let inside3 = p3.x + k < end3;
            let at3 = select(vec4<u32>(), start3 + k, inside3);
            let keep3 = select(vec4<f32>(), vec4<f32>(1.0), inside3);
            multiply(&s12, texel(input, at3.x) * keep3.x, weights, half);
            multiply(&s13, texel(input, at3.y) * keep3.y, weights, half);
            multiply(&s14, texel(input, at3.z) * keep3.z, weights, half);
            multiply(&s15, texel(input, at3.w) * keep3.w, weights, half);
            w += 4u * TILE_C4;
            k++;
            if k >= span { break; }
        }
        ky++;
        if ky >= kernel_h { break; }
    }

    // Every lane stores the pixels it loaded, the channels of one lane after the other: see conv2d_subgroup8.
    let out = group.z * pixels;
    let mine = bias_of(group.y * TILE_C4 + lane % 4u);
    for (var other = 0u; other < min(4u, limit); other++) {
        let c4 = group.y * TILE_C4 + other;
        let b = subgroupShuffle(mine, other);
        let source = half + other;
        if (c4 < params.out_c4) {
            store(out + p0.pixel.x, c4, transposed(&s0, source, lane) + b);
            store(out + p0.pixel.y, c4, transposed(&s1, source, lane) + b);
            store(out + p0.pixel.z, c4, transposed(&s2, source, lane) + b);
            store(out + p0.pixel.w, c4, transposed(&s3, source, lane) + b);
            store(out + p1.pixel.x, c4, transposed(&s4, source, lane) + b);
            store(out + p1.pixel.y, c4, transposed(&s5, source, lane) + b);
            store(out + p1.pixel.z, c4, transposed(&s6, source, lane) + b);
            store(out + p1.pixel.w, c4, transposed(&s7, source, lane) + b);
            store(out + p2.pixel.x, c4, transposed(&s8, source, lane) + b);
            store(out + p2.pixel.y, c4, transposed(&s9, source, lane) + b);
            store(out + p2.pixel.z, c4, transposed(&s10, source, lane) + b);
            store(out + p2.pixel.w, c4, transposed(&s11, source, lane) + b);
            store(out + p3.pixel.x, c4, transposed(&s12, source, lane) + b);
            store(out + p3.pixel.y, c4, transposed(&s13, source, lane) + b);
            store(out + p3.pixel.z, c4, transposed(&s14, source, lane) + b);
            store(out + p3.pixel.w, c4, transposed(&s15, source, lane) + b);
        }
    }
}

// Adds the products of 4 lanes' values with this lane's weights. Written out: not every compiler unrolls the loop, and an
// array with a variable index stays in memory.
fn multiply(sums: ptr<function, Sums>, mine: vec4<f32>, weights: mat4x4<f32>, half: u32) {
    (*sums)[0] += weights * subgroupShuffle(mine, half + 0u);
    (*sums)[1] += weights * subgroupShuffle(mine, half + 1u);
    (*sums)[2] += weights * subgroupShuffle(mine, half + 2u);
    (*sums)[3] += weights * subgroupShuffle(mine, half + 3u);
}

// What lane `other` of this half has summed for this lane's pixel.
fn transposed(sums: ptr<function, Sums>, other: u32, lane: u32) -> vec4<f32> {
    var v = subgroupShuffle((*sums)[0], other);
    v = select(v, subgroupShuffle((*sums)[1], other), lane % 4u == 1u);
    v = select(v, subgroupShuffle((*sums)[2], other), lane % 4u == 2u);
    v = select(v, subgroupShuffle((*sums)[3], other), lane % 4u == 3u);
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
