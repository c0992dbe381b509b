// Weight gradient of a 2-D convolution for software adapters whose subgroups have 4 lanes (SwiftShader).
//
// A matrix product over pixels: d_weight[row, o] = sum over p of input[p under row] * d_output[p, o], where a row is a kernel
// position and an input channel. One workgroup = one subgroup = 16 rows x 32 output channels. Lane l owns the output
// channels {l, l + 4} (in fours) of all rows; it loads the input under the l-th four rows, and the lanes pass these values
// round with subgroupBroadcast. Four pixels a step, so that a sum is touched once for four products. Everything is written
// out for the reason given in conv2d_subgroup4.
// Grid: x = blocks of rows, y = blocks of channels, z = chunks of pixels.
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`, and `enable subgroups;` in browsers.

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
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (N, OH, OW, O/4)
@group(0) @binding(1) var<storage, read> d_output: array<vec4<Elem>>;
// (Z, ceil(O/tile), KH, KW, C/4, 4 input channels, tile/4): vec4 over 4 output channels
@group(0) @binding(2) var<storage, read_write> d_weight: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let limit = arrayLength(&d_output); // not plain uniforms: see conv2d_direct
    let first = group.z * min(params.chunk, limit);
    let end = min(first + min(params.chunk, limit), params.batch * params.out_h * params.out_w);

    // the four rows under which this lane loads: kernel position, and distance from the kernel's top left value
    let row4 = group.x * 4u;
    let row = min(row4 + lane, params.rows - 1u);
    let c4 = row % params.in_c4;
    let kx = row / params.in_c4 % params.kernel_w;
    let ky = row / params.in_c4 / params.kernel_w;
    let shift = (ky * params.in_w + kx) * params.in_c4 + c4;

    let a_c4 = group.y * 8u + lane;
    let b_c4 = a_c4 + 4u;

    // where this lane's pixel of the step lies, advanced by 4 a step without a division
    let pixel = first + lane;
    var x = pixel % params.out_w;
    var y = pixel / params.out_w % params.out_h;
    var n = pixel / params.out_w / params.out_h;
    let step_x = 4u % params.out_w;
    let step_y = 4u / params.out_w % params.out_h;
    let step_n = 4u / params.out_w / params.out_h;

    // by four rows and channel of them: sums for this lane's first and second 4 output channels
    var a00 = vec4<f32>(); var b00 = vec4<f32>();
    var a01 = vec4<f32>(); var b01 = vec4<f32>();
    var a02 = vec4<f32>(); var b02 = vec4<f32>();
    var a03 = vec4<f32>(); var b03 = vec4<f32>();
    var a10 = vec4<f32>(); var b10 = vec4<f32>();
    var a11 = vec4<f32>(); var b11 = vec4<f32>();
    var a12 = vec4<f32>(); var b12 = vec4<f32>();
    var a13 = vec4<f32>(); var b13 = vec4<f32>();
    var a20 = vec4<f32>(); var b20 = vec4<f32>();
    var a21 = vec4<f32>(); var b21 = vec4<f32>();
    var a22 = vec4<f32>(); var b22 = vec4<f32>();
    var a23 = vec4<f32>(); var b23 = vec4<f32>();
    var a30 = vec4<f32>(); var b30 = vec4<f32>();
    var a31 = vec4<f32>(); var b31 = vec4<f32>();
    var a32 = vec4<f32>(); var b32 = vec4<f32>();
    var a33 = vec4<f32>(); var b33 = vec4<f32>();
    for (var p = first; p < end; p += 4u) {
        // top left input position of this lane's pixel; wraps below 0: then larger than any size
        let top = y * params.stride - params.pad_top;
        let left = x * params.stride - params.pad_left;
        let start = ((n * params.in_h + top) * params.in_w + left) * params.in_c4;
        let position = vec3<u32>(top, left, start);
        // columns: pixels
        let values = transpose(mat4x4<f32>(
            value(subgroupBroadcast(position, 0u), ky, kx, shift, p < end),
            value(subgroupBroadcast(position, 1u), ky, kx, shift, p + 1u < end),
            value(subgroupBroadcast(position, 2u), ky, kx, shift, p + 2u < end),
            value(subgroupBroadcast(position, 3u), ky, kx, shift, p + 3u < end),
        ));
        let da = mat4x4<f32>(
            gradient(p, a_c4, end), gradient(p + 1u, a_c4, end), gradient(p + 2u, a_c4, end), gradient(p + 3u, a_c4, end));
        let db = mat4x4<f32>(
            gradient(p, b_c4, end), gradient(p + 1u, b_c4, end), gradient(p + 2u, b_c4, end), gradient(p + 3u, b_c4, end));
        let v00 = subgroupBroadcast(values[0], 0u);
        a00 += da * v00;
        b00 += db * v00;
        let v01 = subgroupBroadcast(values[1], 0u);
        a01 += da * v01;
        b01 += db * v01;
        let v02 = subgroupBroadcast(values[2], 0u);
        a02 += da * v02;
        b02 += db * v02;
        let v03 = subgroupBroadcast(values[3], 0u);
        a03 += da * v03;
        b03 += db * v03;
        let v10 = subgroupBroadcast(values[0], 1u);
        a10 += da * v10;
        b10 += db * v10;
        let v11 = subgroupBroadcast(values[1], 1u);
        a11 += da * v11;
        b11 += db * v11;
        let v12 = subgroupBroadcast(values[2], 1u);
        a12 += da * v12;
        b12 += db * v12;
        let v13 = subgroupBroadcast(values[3], 1u);
        a13 += da * v13;
        b13 += db * v13;
        let v20 = subgroupBroadcast(values[0], 2u);
        a20 += da * v20;
        b20 += db * v20;
        let v21 = subgroupBroadcast(values[1], 2u);
        a21 += da * v21;
        b21 += db * v21;
        let v22 = subgroupBroadcast(values[2], 2u);
        a22 += da * v22;
        b22 += db * v22;
        let v23 = subgroupBroadcast(values[3], 2u);
        a23 += da * v23;
        b23 += db * v23;
        let v30 = subgroupBroadcast(values[0], 3u);
        a30 += da * v30;
        b30 += db * v30;
        let v31 = subgroupBroadcast(values[1], 3u);
        a31 += da * v31;
        b31 += db * v31;
        let v32 = subgroupBroadcast(values[2], 3u);
        a32 += da * v32;
        b32 += db * v32;
        let v33 = subgroupBroadcast(values[3], 3u);
        a33 += da * v33;
        b33 += db * v33;

        x += step_x;
        let next_line = x >= params.out_w;
        x -= select(0u, params.out_w, next_line);
        y += step_y + select(0u, 1u, next_line);
        let next_image = y >= params.out_h;
        y -= select(0u, params.out_h, next_image);
        n += step_n + select(0u, 1u, next_image);
    }

    store(group.z, (row4 + 0u) * 4u + 0u, a_c4, a00);
    store(group.z, (row4 + 0u) * 4u + 0u, b_c4, b00);
    store(group.z, (row4 + 0u) * 4u + 1u, a_c4, a01);
    store(group.z, (row4 + 0u) * 4u + 1u, b_c4, b01);
    store(group.z, (row4 + 0u) * 4u + 2u, a_c4, a02);
    store(group.z, (row4 + 0u) * 4u + 2u, b_c4, b02);
    store(group.z, (row4 + 0u) * 4u + 3u, a_c4, a03);
    store(group.z, (row4 + 0u) * 4u + 3u, b_c4, b03);
    store(group.z, (row4 + 1u) * 4u + 0u, a_c4, a10);
    store(group.z, (row4 + 1u) * 4u + 0u, b_c4, b10);
    store(group.z, (row4 + 1u) * 4u + 1u, a_c4, a11);
    store(group.z, (row4 + 1u) * 4u + 1u, b_c4, b11);
    store(group.z, (row4 + 1u) * 4u + 2u, a_c4, a12);
    store(group.z, (row4 + 1u) * 4u + 2u, b_c4, b12);
    store(group.z, (row4 + 1u) * 4u + 3u, a_c4, a13);
    store(group.z, (row4 + 1u) * 4u + 3u, b_c4, b13);
    store(group.z, (row4 + 2u) * 4u + 0u, a_c4, a20);
    store(group.z, (row4 + 2u) * 4u + 0u, b_c4, b20);
    store(group.z, (row4 + 2u) * 4u + 1u, a_c4, a21);
    store(group.z, (row4 + 2u) * 4u + 1u, b_c4, b21);
    store(group.z, (row4 + 2u) * 4u + 2u, a_c4, a22);
    store(group.z, (row4 + 2u) * 4u + 2u, b_c4, b22);
    store(group.z, (row4 + 2u) * 4u + 3u, a_c4, a23);
    store(group.z, (row4 + 2u) * 4u + 3u, b_c4, b23);
    store(group.z, (row4 + 3u) * 4u + 0u, a_c4, a30);
    store(group.z, (row4 + 3u) * 4u + 0u, b_c4, b30);
    store(group.z, (row4 + 3u) * 4u + 1u, a_c4, a31);
    store(group.z, (row4 + 3u) * 4u + 1u, b_c4, b31);
    store(group.z, (row4 + 3u) * 4u + 2u, a_c4, a32);
    store(group.z, (row4 + 3u) * 4u + 2u, b_c4, b32);
    store(group.z, (row4 + 3u) * 4u + 3u, a_c4, a33);
    store(group.z, (row4 + 3u) * 4u + 3u, b_c4, b33);
}

// The input at (ky, kx) from a pixel's top left position; 0 in the padding and where there is no pixel.
fn value(position: vec3<u32>, ky: u32, kx: u32, shift: u32, exists: bool) -> vec4<f32> {
    let inside = exists && position.x + ky < params.in_h && position.y + kx < params.in_w;
    return select(vec4<f32>(), vec4<f32>(input[select(0u, position.z + shift, inside)]), inside);
}

// d_output of 4 channels; 0 behind the last pixel and channel.
fn gradient(pixel: u32, o4: u32, end: u32) -> vec4<f32> {
    let inside = pixel < end && o4 < params.out_c4;
    return select(vec4<f32>(), vec4<f32>(d_output[select(0u, pixel * params.out_c4 + o4, inside)]), inside);
}

// Stores the sum of one input channel (`row` is 4 * a vec4 of the kernel + the channel in it) for 4 output channels.
// (arrayLength: a plain uniform would be compiled in by llvmpipe.)
fn store(z: u32, row: u32, o4: u32, sum: vec4<f32>) {
    if (row >= params.rows * 4u || o4 >= params.columns) { return; }
    let tile = z * (params.columns / params.tile_c4) + o4 / params.tile_c4;
    let at = (tile * params.rows * 4u + row) * params.tile_c4 + o4 % params.tile_c4;
    var v = sum;
    if (min(params.add, arrayLength(&d_weight)) != 0u) { v += d_weight[at]; }
    d_weight[at] = v;
}
