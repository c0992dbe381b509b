// Weight gradient of a 2-D convolution for software adapters whose subgroups have 8 lanes, layers with very few channels.
//
// As conv2d_d_weight_subgroup8, with other proportions: one workgroup = one subgroup = 64 rows x 16 output channels. The
// subgroup works as two halves of 4 lanes, each with every other four pixels; their sums are added at the end. Lane l owns
// the (l % 4)-th 4 output channels of all rows, and loads the input under every fourth of the 16 fours of rows.
// Grid: x = blocks of rows, y = blocks of channels, z = chunks of pixels.
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`, and `enable subgroups;` in browsers.
// uses: shared/texel.wgsl

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_w: u32,
    stride: u32, pad_top: u32, pad_left: u32,
    rows: u32, // vec4s of the weights of one output: KH * KW * C/4
    tile_c4: u32, // output channels / 4 of a tile of the forward packing
    columns: u32, // output channels / 4 with the last tile's padding
    chunk: u32, // pixels that one z of the grid sums
    add: u32, // 1: `+=`, with a grid of one z; 0: every z writes a partial sum
}

// (N, H, W, C/4)
@group(0) @binding(0) var input: Texels;
// (N, OH, OW, O/4)
@group(0) @binding(1) var d_output: Texels;
// what d_weight holds, or anything where nothing is added to it
@group(0) @binding(2) var earlier: Texels;
// (Z, ceil(O/tile), KH, KW, C/4, 4 input channels, tile/4): vec4 over 4 output channels
@group(0) @binding(3) var<storage, read_write> d_weight: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> params: Params;

// Sums of one of the four channels of 4 rows, for the 4 output channels of this lane.
alias Sums = array<vec4<f32>, 4>;

// A four of rows: kernel position, and distance from the kernel's top left value.
struct Row { ky: u32, kx: u32, shift: u32 }

fn row_of(row4: u32) -> Row {
    let row = min(row4, params.rows - 1u);
    let c4 = row % params.in_c4;
    let kx = row / params.in_c4 % params.kernel_w;
    let ky = row / params.in_c4 / params.kernel_w;
    return Row(ky, kx, (ky * params.in_w + kx) * params.in_c4 + c4);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let limit = arrayLength(&d_weight) | 0xffffffu; // not plain uniforms: see conv2d_direct
    let first = group.z * min(params.chunk, limit);
    let end = min(first + min(params.chunk, limit), params.batch * params.out_h * params.out_w);

    let half = lane & 4u; // the first lane of this half
    let row4 = group.x * 16u + lane % 4u; // the first four rows under which this lane loads
    let o4 = group.y * 4u + lane % 4u;

    // where this lane's pixel of the step lies, advanced by 8 a step without a division
    let pixel = first + lane;
    var x = pixel % params.out_w;
    var y = pixel / params.out_w % params.out_h;
    var n = pixel / params.out_w / params.out_h;
    let step_x = 8u % params.out_w;
    let step_y = 8u / params.out_w % params.out_h;
    let step_n = 8u / params.out_w / params.out_h;

    // by four rows and channel of them
    let r0 = row_of(row4 + 0u);
    let r1 = row_of(row4 + 4u);
    let r2 = row_of(row4 + 8u);
    let r3 = row_of(row4 + 12u);
    var s00: Sums;
    var s01: Sums;
    var s02: Sums;
    var s03: Sums;
    var s10: Sums;
    var s11: Sums;
    var s12: Sums;
    var s13: Sums;
    var s20: Sums;
    var s21: Sums;
    var s22: Sums;
    var s23: Sums;
    var s30: Sums;
    var s31: Sums;
    var s32: Sums;
    var s33: Sums;
    for (var p = first; p < end; p += 8u) {
        // top left input position of this lane's pixel; wraps below 0: then larger than any size
        let top = y * params.stride - params.pad_top;
        let left = x * params.stride - params.pad_left;
        let start = ((n * params.in_h + top) * params.in_w + left) * params.in_c4;
        let position = vec3<u32>(top, left, start);
        let p0 = subgroupShuffle(position, half);
        let p1 = subgroupShuffle(position, half + 1u);
        let p2 = subgroupShuffle(position, half + 2u);
        let p3 = subgroupShuffle(position, half + 3u);
        let q = p + half; // the first pixel of this half
        // columns: pixels
        let gradients = mat4x4<f32>(
            gradient(q, o4, end), gradient(q + 1u, o4, end), gradient(q + 2u, o4, end), gradient(q + 3u, o4, end));
        let v0 = transpose(mat4x4<f32>(
            value(p0, r0, q < end), value(p1, r0, q + 1u < end), value(p2, r0, q + 2u < end), value(p3, r0, q + 3u < end)));
        multiply(&s00, v0[0], gradients, half);
        multiply(&s01, v0[1], gradients, half);
        multiply(&s02, v0[2], gradients, half);
        multiply(&s03, v0[3], gradients, half);
        let v1 = transpose(mat4x4<f32>(
            value(p0, r1, q < end), value(p1, r1, q + 1u < end), value(p2, r1, q + 2u < end), value(p3, r1, q + 3u < end)));
        multiply(&s10, v1[0], gradients, half);
        multiply(&s11, v1[1], gradients, half);
        multiply(&s12, v1[2], gradients, half);
        multiply(&s13, v1[3], gradients, half);
        let v2 = transpose(mat4x4<f32>(
            value(p0, r2, q < end), value(p1, r2, q + 1u < end), value(p2, r2, q + 2u < end), value(p3, r2, q + 3u < end)));
        multiply(&s20, v2[0], gradients, half);
        multiply(&s21, v2[1], gradients, half);
        multiply(&s22, v2[2], gradients, half);
        multiply(&s23, v2[3], gradients, half);
        let v3 = transpose(mat4x4<f32>(
            value(p0, r3, q < end), value(p1, r3, q + 1u < end), value(p2, r3, q + 2u < end), value(p3, r3, q + 3u < end)));
        multiply(&s30, v3[0], gradients, half);
        multiply(&s31, v3[1], gradients, half);
        multiply(&s32, v3[2], gradients, half);
        multiply(&s33, v3[3], gradients, half);

        x += step_x;
        let next_line = x >= params.out_w;
        x -= select(0u, params.out_w, next_line);
        y += step_y + select(0u, 1u, next_line);
        let next_image = y >= params.out_h;
        y -= select(0u, params.out_h, next_image);
        n += step_n + select(0u, 1u, next_image);
    }

    // Every lane of the first half stores the rows it loaded, the channels of one lane after the other: see conv2d_subgroup8.
    let rows = select(params.rows, row4, half == 0u);
    for (var other = 0u; other < min(4u, limit); other++) {
        let column = group.y * 4u + other;
        store(group.z, rows + 0u, column,
            transposed(&s00, other, lane), transposed(&s01, other, lane), transposed(&s02, other, lane), transposed(&s03, other, lane));
        store(group.z, rows + 4u, column,
            transposed(&s10, other, lane), transposed(&s11, other, lane), transposed(&s12, other, lane), transposed(&s13, other, lane));
        store(group.z, rows + 8u, column,
            transposed(&s20, other, lane), transposed(&s21, other, lane), transposed(&s22, other, lane), transposed(&s23, other, lane));
        store(group.z, rows + 12u, column,
            transposed(&s30, other, lane), transposed(&s31, other, lane), transposed(&s32, other, lane), transposed(&s33, other, lane));
    }
}

// The input under a row, from a pixel's top left position; 0 in the padding and where there is no pixel.
fn value(position: vec3<u32>, row: Row, exists: bool) -> vec4<f32> {
    let inside = exists && position.x + row.ky < params.in_h && position.y + row.kx < params.in_w;
    return select(vec4<f32>(), texel(input, select(0u, position.z + row.shift, inside)), inside);
}

// d_output of 4 channels; 0 behind the last pixel and channel.
fn gradient(pixel: u32, o4: u32, end: u32) -> vec4<f32> {
    let inside = pixel < end && o4 < params.out_c4;
    return select(vec4<f32>(), texel(d_output, select(0u, pixel * params.out_c4 + o4, inside)), inside);
}

// Adds the products of 4 lanes' values with this lane's gradients. Written out: not every compiler unrolls the loop, and an
// array with a variable index stays in memory.
fn multiply(sums: ptr<function, Sums>, mine: vec4<f32>, gradients: mat4x4<f32>, half: u32) {
    (*sums)[0] += gradients * subgroupShuffle(mine, half + 0u);
    (*sums)[1] += gradients * subgroupShuffle(mine, half + 1u);
    (*sums)[2] += gradients * subgroupShuffle(mine, half + 2u);
    (*sums)[3] += gradients * subgroupShuffle(mine, half + 3u);
}

// What lane `other` of both halves has summed for this lane's rows.
fn transposed(sums: ptr<function, Sums>, other: u32, lane: u32) -> vec4<f32> {
    var v = both((*sums)[0], other);
    v = select(v, both((*sums)[1], other), lane % 4u == 1u);
    v = select(v, both((*sums)[2], other), lane % 4u == 2u);
    v = select(v, both((*sums)[3], other), lane % 4u == 3u);
    return v;
}

fn both(sum: vec4<f32>, other: u32) -> vec4<f32> {
    return subgroupShuffle(sum, other) + subgroupShuffle(sum, other + 4u);
}

// Stores the sums of the four input channels of a row for 4 output channels.
// (arrayLength: a plain uniform would be compiled in by llvmpipe.)
fn store(z: u32, row4: u32, o4: u32, sum0: vec4<f32>, sum1: vec4<f32>, sum2: vec4<f32>, sum3: vec4<f32>) {
    if (row4 >= params.rows || o4 >= params.columns) { return; }
    let tile = (z * params.columns + o4) / params.tile_c4; // tiles fill the columns
    let at = (tile * params.rows + row4) * 4u * params.tile_c4 + o4 % params.tile_c4;
    let add = min(params.add, arrayLength(&d_weight)) != 0u;
    put(at, sum0, add);
    put(at + params.tile_c4, sum1, add);
    put(at + 2u * params.tile_c4, sum2, add);
    put(at + 3u * params.tile_c4, sum3, add);
}

fn put(at: u32, sum: vec4<f32>, add: bool) {
    var v = sum;
    if (add) { v += texel(earlier, at); }
    d_weight[at] = v;
}
