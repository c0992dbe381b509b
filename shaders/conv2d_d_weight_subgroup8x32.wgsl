// Weight gradient of a 2-D convolution for software adapters whose subgroups have 8 lanes, layers with few output channels.
//
// As conv2d_d_weight_subgroup8, with other proportions: one workgroup = one subgroup = 64 rows x 32 output channels. Lane l
// owns the l-th 4 output channels of all rows, and loads the input under the l-th and (l + 8)-th four rows.
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

// Sums of one of the four channels of 8 rows, for the 4 output channels of this lane.
alias Sums = array<vec4<f32>, 8>;

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

    let a4 = group.x * 16u + lane; // the fours of rows under which this lane loads
    let b4 = a4 + 8u;
    let a = row_of(a4);
    let b = row_of(b4);
    let o4 = group.y * 8u + lane;

    // where the pixel lane % 4 of the step lies, advanced by 4 a step without a division
    let pixel = first + lane % 4u;
    var x = pixel % params.out_w;
    var y = pixel / params.out_w % params.out_h;
    var n = pixel / params.out_w / params.out_h;
    let step_x = 4u % params.out_w;
    let step_y = 4u / params.out_w % params.out_h;
    let step_n = 4u / params.out_w / params.out_h;

    // by channel of the four rows: sums of the first and the second rows
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
        let p0 = subgroupShuffle(position, 0u);
        let p1 = subgroupShuffle(position, 1u);
        let p2 = subgroupShuffle(position, 2u);
        let p3 = subgroupShuffle(position, 3u);
        // columns: pixels
        let gradients = mat4x4<f32>(
            gradient(p, o4, end), gradient(p + 1u, o4, end), gradient(p + 2u, o4, end), gradient(p + 3u, o4, end));
        let va = transpose(mat4x4<f32>(
            value(p0, a, p < end), value(p1, a, p + 1u < end), value(p2, a, p + 2u < end), value(p3, a, p + 3u < end)));
        multiply(&a0, va[0], gradients);
        multiply(&a1, va[1], gradients);
        multiply(&a2, va[2], gradients);
        multiply(&a3, va[3], gradients);
        let vb = transpose(mat4x4<f32>(
            value(p0, b, p < end), value(p1, b, p + 1u < end), value(p2, b, p + 2u < end), value(p3, b, p + 3u < end)));
        multiply(&b0, vb[0], gradients);
        multiply(&b1, vb[1], gradients);
        multiply(&b2, vb[2], gradients);
        multiply(&b3, vb[3], gradients);

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
        let column = group.y * 8u + other;
        store(group.z, a4, column,
            transposed(&a0, other, lane), transposed(&a1, other, lane), transposed(&a2, other, lane), transposed(&a3, other, lane));
        store(group.z, b4, column,
            transposed(&b0, other, lane), transposed(&b1, other, lane), transposed(&b2, other, lane), transposed(&b3, other, lane));
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

// Adds the products of 8 lanes' values with this lane's gradients. Written out: not every compiler unrolls the loop, and an
// array with a variable index stays in memory.
fn multiply(sums: ptr<function, Sums>, mine: vec4<f32>, gradients: mat4x4<f32>) {
    (*sums)[0] += gradients * subgroupShuffle(mine, 0u);
    (*sums)[1] += gradients * subgroupShuffle(mine, 1u);
    (*sums)[2] += gradients * subgroupShuffle(mine, 2u);
    (*sums)[3] += gradients * subgroupShuffle(mine, 3u);
    (*sums)[4] += gradients * subgroupShuffle(mine, 4u);
    (*sums)[5] += gradients * subgroupShuffle(mine, 5u);
    (*sums)[6] += gradients * subgroupShuffle(mine, 6u);
    (*sums)[7] += gradients * subgroupShuffle(mine, 7u);
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
