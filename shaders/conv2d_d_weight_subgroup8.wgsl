// Weight gradient of a 2-D convolution for software adapters whose subgroups have 8 lanes (Mesa's llvmpipe).
//
// A matrix product over pixels: d_weight[row, o] = sum over p of input[p under row] * d_output[p, o], where a row is a kernel
// position and an input channel. One workgroup = one subgroup = 32 rows x 64 output channels. Lane l owns the output
// channels {l, l + 8} (in fours) of all rows; it loads the input under the l-th four rows, and the lanes pass these values
// round with subgroupShuffle, as in conv2d_subgroup8. Four pixels a step, so that a sum is touched once for four products.
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

// Sums of one of the four channels of 8 rows, for 4 output channels of this lane.
alias Sums = array<vec4<f32>, 8>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let limit = arrayLength(&d_weight) | 0xffffffu; // not plain uniforms: see conv2d_direct
    let first = group.z * min(params.chunk, limit);
    let end = min(first + min(params.chunk, limit), params.batch * params.out_h * params.out_w);

    // the four rows under which this lane loads: kernel position, and distance from the kernel's top left value
    let row4 = group.x * 8u + lane;
    let row = min(row4, params.rows - 1u);
    let c4 = row % params.in_c4;
    let kx = row / params.in_c4 % params.kernel_w;
    let ky = row / params.in_c4 / params.kernel_w;
    let shift = (ky * params.in_w + kx) * params.in_c4 + c4;

    let a_c4 = group.y * 16u + lane;
    let b_c4 = a_c4 + 8u;

    // where the pixel lane % 4 of the step lies, advanced by 4 a step without a division
    let pixel = first + lane % 4u;
    var x = pixel % params.out_w;
    var y = pixel / params.out_w % params.out_h;
    var n = pixel / params.out_w / params.out_h;
    let step_x = 4u % params.out_w;
    let step_y = 4u / params.out_w % params.out_h;
    let step_n = 4u / params.out_w / params.out_h;

    // by channel of the four rows: sums for this lane's first and second 4 output channels
    var a0: Sums;
    var a1: Sums;
    var a2: Sums;
    var a3: Sums;
    var b0: Sums;
    var b1: Sums;
    var b2: Sums;
    var b3: Sums;
    for (var p = first; p < end; p += 4u) {
        // top left input position of this lane's pixel; wraps below 0: then larger than any size
        let top = y * params.stride - params.pad_top;
        let left = x * params.stride - params.pad_left;
        let start = ((n * params.in_h + top) * params.in_w + left) * params.in_c4;
        let position = vec3<u32>(top, left, start);
        // columns: pixels
        let values = transpose(mat4x4<f32>(
            value(subgroupShuffle(position, 0u), ky, kx, shift, p < end),
            value(subgroupShuffle(position, 1u), ky, kx, shift, p + 1u < end),
            value(subgroupShuffle(position, 2u), ky, kx, shift, p + 2u < end),
            value(subgroupShuffle(position, 3u), ky, kx, shift, p + 3u < end),
        ));
        let da = mat4x4<f32>(
            gradient(p, a_c4, end), gradient(p + 1u, a_c4, end), gradient(p + 2u, a_c4, end), gradient(p + 3u, a_c4, end));
        let db = mat4x4<f32>(
            gradient(p, b_c4, end), gradient(p + 1u, b_c4, end), gradient(p + 2u, b_c4, end), gradient(p + 3u, b_c4, end));
        multiply(&a0, &b0, values[0], da, db);
        multiply(&a1, &b1, values[1], da, db);
        multiply(&a2, &b2, values[2], da, db);
        multiply(&a3, &b3, values[3], da, db);

        x += step_x;
        let next_line = x >= params.out_w;
        x -= select(0u, params.out_w, next_line);
        y += step_y + select(0u, 1u, next_line);
        let next_image = y >= params.out_h;
        y -= select(0u, params.out_h, next_image);
        n += step_n + select(0u, 1u, next_image);
    }

    // Every lane stores the rows it loaded, the channels of one lane after the other: see conv2d_subgroup8.
    for (var other = 0u; other < min(8u, limit); other++) {
        let o4 = group.y * 16u + other;
        store(group.z, row4, o4,
            transposed(&a0, other, lane), transposed(&a1, other, lane), transposed(&a2, other, lane), transposed(&a3, other, lane));
        store(group.z, row4, o4 + 8u,
            transposed(&b0, other, lane), transposed(&b1, other, lane), transposed(&b2, other, lane), transposed(&b3, other, lane));
    }
}

// The input at (ky, kx) from a pixel's top left position; 0 in the padding and where there is no pixel.
fn value(position: vec3<u32>, ky: u32, kx: u32, shift: u32, exists: bool) -> vec4<f32> {
    let inside = exists && position.x + ky < params.in_h && position.y + kx < params.in_w;
    return select(vec4<f32>(), texel(input, select(0u, position.z + shift, inside)), inside);
}

// d_output of 4 channels; 0 behind the last pixel and channel.
fn gradient(pixel: u32, o4: u32, end: u32) -> vec4<f32> {
    let inside = pixel < end && o4 < params.out_c4;
    return select(vec4<f32>(), texel(d_output, select(0u, pixel * params.out_c4 + o4, inside)), inside);
}

// Adds the products of 8 lanes' values with this lane's gradients. Written out: not every compiler unrolls the loop, and an
// array with a variable index stays in memory.
fn multiply(a: ptr<function, Sums>, b: ptr<function, Sums>, mine: vec4<f32>, da: mat4x4<f32>, db: mat4x4<f32>) {
    let v0 = subgroupShuffle(mine, 0u);
    (*a)[0] += da * v0;
    (*b)[0] += db * v0;
    let v1 = subgroupShuffle(mine, 1u);
    (*a)[1] += da * v1;
    (*b)[1] += db * v1;
    let v2 = subgroupShuffle(mine, 2u);
    (*a)[2] += da * v2;
    (*b)[2] += db * v2;
    let v3 = subgroupShuffle(mine, 3u);
    (*a)[3] += da * v3;
    (*b)[3] += db * v3;
    let v4 = subgroupShuffle(mine, 4u);
    (*a)[4] += da * v4;
    (*b)[4] += db * v4;
    let v5 = subgroupShuffle(mine, 5u);
    (*a)[5] += da * v5;
    (*b)[5] += db * v5;
    let v6 = subgroupShuffle(mine, 6u);
    (*a)[6] += da * v6;
    (*b)[6] += db * v6;
    let v7 = subgroupShuffle(mine, 7u);
    (*a)[7] += da * v7;
    (*b)[7] += db * v7;
}

// What lane `other` has summed for this lane's rows.
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
