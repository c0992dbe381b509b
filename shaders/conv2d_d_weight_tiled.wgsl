// Weight gradient of a 2-D convolution as a tiled matrix product over pixels (implicit GEMM), for GPUs.
//
// d_weight[row, o] = sum over p of input[p under row] * d_output[p, o], where a row is a kernel position and an input
// channel. One workgroup = a tile of 64 rows x 64 output channels, one invocation = 4 rows x 4 channels of it. 16 pixels a
// step: the workgroup brings their values under 64 rows and their gradients of 64 channels into workgroup memory.
// Grid: x = tiles of rows, y = tiles of channels, z = chunks of pixels.
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

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

const TILE_C4 = 16u; // rows / 4 and output channels / 4 of a tile
const STEP = 16u; // pixels a step: one invocation of the 256 loads for each pixel, row and channel

// (STEP, TILE_C4): vec4 over input channels
var<workgroup> values: array<vec4<f32>, STEP * TILE_C4>;
// (STEP, TILE_C4): vec4 over output channels
var<workgroup> gradients: array<vec4<f32>, STEP * TILE_C4>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let limit = arrayLength(&d_output); // not plain uniforms: see conv2d_direct
    let first = group.z * min(params.chunk, limit);
    let end = min(first + min(params.chunk, limit), params.batch * params.out_h * params.out_w);

    // the four rows and channels this invocation loads, of pixel local / TILE_C4 of a step
    let row4 = group.x * TILE_C4 + local % TILE_C4;
    let c4 = row4 % params.in_c4;
    let kx = row4 / params.in_c4 % params.kernel_w;
    let ky = row4 / params.in_c4 / params.kernel_w;
    let shift = (ky * params.in_w + kx) * params.in_c4 + c4;
    let load_o4 = group.y * TILE_C4 + local % TILE_C4;

    // where its pixel lies, advanced by a step without a division
    var pixel = first + local / TILE_C4;
    var x = pixel % params.out_w;
    var y = pixel / params.out_w % params.out_h;
    var n = pixel / params.out_w / params.out_h;
    let step_x = STEP % params.out_w;
    let step_y = STEP / params.out_w % params.out_h;
    let step_n = STEP / params.out_w / params.out_h;

    let row = local / TILE_C4; // the four rows and the four channels this invocation computes
    let column = local % TILE_C4;
    var acc0 = vec4<f32>();
    var acc1 = vec4<f32>();
    var acc2 = vec4<f32>();
    var acc3 = vec4<f32>();
    for (var p = first; p < end; p += STEP) {
        let top = y * params.stride - params.pad_top; // wraps below 0: then larger than any size
        let left = x * params.stride - params.pad_left;
        var v = vec4<f32>();
        var d = vec4<f32>();
        if (pixel < end) {
            if (row4 < params.rows && top + ky < params.in_h && left + kx < params.in_w) {
                v = vec4<f32>(input[((n * params.in_h + top) * params.in_w + left) * params.in_c4 + shift]);
            }
            if (load_o4 < params.out_c4) { d = vec4<f32>(d_output[pixel * params.out_c4 + load_o4]); }
        }
        values[local] = v;
        gradients[local] = d;
        workgroupBarrier();

        for (var i = 0u; i < STEP; i++) {
            let value = values[i * TILE_C4 + row];
            let gradient = gradients[i * TILE_C4 + column];
            acc0 += gradient * value.x;
            acc1 += gradient * value.y;
            acc2 += gradient * value.z;
            acc3 += gradient * value.w;
        }
        workgroupBarrier();

        pixel += STEP;
        x += step_x;
        let next_line = x >= params.out_w;
        x -= select(0u, params.out_w, next_line);
        y += step_y + select(0u, 1u, next_line);
        let next_image = y >= params.out_h;
        y -= select(0u, params.out_h, next_image);
        n += step_n + select(0u, 1u, next_image);
    }

    let out_row = (group.x * TILE_C4 + row) * 4u;
    let o4 = group.y * TILE_C4 + column;
    store(group.z, out_row, o4, acc0);
    store(group.z, out_row + 1u, o4, acc1);
    store(group.z, out_row + 2u, o4, acc2);
    store(group.z, out_row + 3u, o4, acc3);
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
