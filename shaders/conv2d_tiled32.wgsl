// 2-D convolution as a tiled matrix product (implicit GEMM), for GPUs; the small tile is for layers with few outputs.
//
// One workgroup = a tile of 32 output pixels x 32 output channels, one invocation = 4 pixels x 4 channels of it. The
// reduction runs over kernel positions and input channels, 16 values (4 vec4) a step: the workgroup brings 32 pixels'
// values and 32 channels' weights into workgroup memory and every invocation uses 4 + 4 of each 16 rows.
// Channels that do not fill a step of 4 vec4 continue at the next kernel position, so 4 channels at 7x7 waste little.
//
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
}

// (N, H, W, C/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (ceil(O/32), KH, KW, C/4, 4 input channels, 8): vec4 over 4 output channels
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// (N, OH, OW, O/4), or a dummy when RESIDUAL is false
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;
// (N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

override RELU: bool = false;
override RESIDUAL: bool = false;

const TILE = 32u; // pixels and output channels of a tile
const TILE_C4 = 8u;
const STEP = 4u; // vec4 of the reduction a step
const INVOCATIONS = 64u;

// (STEP, TILE): vec4 over input channels, by pixel
var<workgroup> values: array<vec4<f32>, STEP * TILE>;
// (STEP * 4, TILE/4): vec4 over output channels, by input channel
var<workgroup> weights: array<vec4<f32>, STEP * 4u * TILE_C4>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = (group.x + group.z * groups.x) * TILE;
    // number of vec4 in the reduction, and this tile's part of the weights
    let depth = params.kernel_h * params.kernel_w * params.in_c4;
    let weight_base = group.y * depth * 4u * TILE_C4;

    // the pixel whose values this invocation loads, and its top left input position
    let load_pixel = local % TILE;
    let pixel = min(first + load_pixel, pixels - 1u); // a pixel behind the end repeats the last one
    let line = pixel / params.out_w;
    let image = line / params.out_h * params.in_h;
    let y0 = line % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0 = pixel % params.out_w * params.stride - params.pad_left;

    let column = local % TILE_C4; // the 4 channels this invocation computes
    let row = local / TILE_C4 * 4u; // the first of its 4 pixels
    var acc: array<vec4<f32>, 4>;

    for (var start = 0u; start < depth; start += STEP) {
        for (var r = local / TILE; r < STEP; r += INVOCATIONS / TILE) {
            let k = start + r;
            let tap = k / params.in_c4;
            let y = y0 + tap / params.kernel_w;
            let x = x0 + tap % params.kernel_w;
            var v = vec4<f32>();
            if (k < depth && y < params.in_h && x < params.in_w) {
                v = vec4<f32>(input[((image + y) * params.in_w + x) * params.in_c4 + k % params.in_c4]);
            }
            values[r * TILE + load_pixel] = v;
        }
        for (var i = local; i < STEP * 4u * TILE_C4; i += INVOCATIONS) {
            var v = vec4<f32>();
            if (start * 4u + i / TILE_C4 < depth * 4u) {
                v = vec4<f32>(weight[weight_base + start * 4u * TILE_C4 + i]);
            }
            weights[i] = v;
        }
        workgroupBarrier();

        for (var r = 0u; r < STEP; r++) {
            let at = r * 4u * TILE_C4 + column;
            // columns: the 4 output channels that one input channel feeds
            let w = mat4x4<f32>(
                weights[at], weights[at + TILE_C4], weights[at + 2u * TILE_C4], weights[at + 3u * TILE_C4]);
            for (var i = 0u; i < 4u; i++) {
                acc[i] += w * values[r * TILE + row + i];
            }
        }
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u; i++) {
        finish(first + row + i, group.y * TILE_C4 + column, acc[i]);
    }
}

// Adds bias and residual, applies ReLU, stores.
fn finish(pixel: u32, c4: u32, acc: vec4<f32>) {
    if (pixel >= params.batch * params.out_h * params.out_w || c4 >= params.out_c4) { return; }
    let at = pixel * params.out_c4 + c4;
    var v = acc + bias[c4];
    if (RESIDUAL) { v += vec4<f32>(residual[at]); }
    if (RELU) { v = max(v, vec4<f32>()); }
    output[at] = vec4<Elem>(v);
}
