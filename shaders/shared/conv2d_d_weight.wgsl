// What the kernels of a weight gradient have in common: operands and the last step.

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
