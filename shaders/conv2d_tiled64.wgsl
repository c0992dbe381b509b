// 2-D convolution as a tiled matrix product (implicit GEMM), for GPUs.
//
// One workgroup = a tile of 64 output pixels x 64 output channels, one invocation = 4 pixels x 4 channels of it. The
// reduction runs over kernel positions and input channels, 16 values (4 vec4s) a step: the workgroup brings the values of
// 64 pixels and the weights of 64 channels into workgroup memory, and every invocation uses 4 + 4 of each row.
// A step may cross from one kernel position to the next, so that 4 channels under a 7x7 kernel waste little.
// Grid: x = tiles of pixels, y = tiles of channels, z = independent convolutions of the same shape (Z, usually 1).
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // bits: 1 add the bias, 2 ReLU, 4 add the residual; none for Winograd's products
}

// (Z, N, H, W, C/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (Z, ceil(O/64), KH, KW, C/4, 4 input channels, 16): vec4 over 4 output channels
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

const TILE = 64u; // pixels and output channels of a tile
const TILE_C4 = 16u;
const STEP = 4u; // vec4s of the reduction a step
const INVOCATIONS = 256u;
const LOADS = 1u; // vec4s of a step that an invocation loads: STEP * TILE / INVOCATIONS

// (STEP, TILE): vec4 over input channels, by pixel
var<workgroup> values: array<vec4<f32>, STEP * TILE>;
// (STEP * 4, TILE/4): vec4 over output channels, by input channel
var<workgroup> weights: array<vec4<f32>, STEP * 4u * TILE_C4>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = group.x * TILE;
    // vec4s of the reduction, and where this tile's weights begin
    let in_c4 = min(params.in_c4, arrayLength(&weight)); // not a plain uniform: see conv2d_direct
    let depth = params.kernel_h * params.kernel_w * in_c4;
    let weight_base = (group.z * groups.y + group.y) * depth * 4u * TILE_C4;

    // the pixel whose values this invocation loads, and its top left input position
    let load_pixel = local % TILE;
    let pixel = min(first + load_pixel, pixels - 1u); // a pixel behind the end repeats the last one
    let line = pixel / params.out_w;
    let line0 = (line / params.out_h + group.z * params.batch) * params.in_h;
    let y0 = line % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0 = pixel % params.out_w * params.stride - params.pad_left;

    let column = local % TILE_C4; // the 4 channels this invocation computes
    let row = local / TILE_C4 * 4u; // the first of its 4 pixels
    var acc: array<vec4<f32>, 4>;

    // where in the kernel each vec4 this invocation loads lies: channels / 4, column, row; advanced by a step at a time
    var c: array<u32, LOADS>;
    var kx: array<u32, LOADS>;
    var ky: array<u32, LOADS>;
    for (var i = 0u; i < LOADS; i++) {
        let k = local / TILE + i * (STEP / LOADS);
        c[i] = k % in_c4;
        kx[i] = k / in_c4 % params.kernel_w;
        ky[i] = k / in_c4 / params.kernel_w;
    }

    for (var start = 0u; start < depth; start += STEP) {
        for (var i = 0u; i < LOADS; i++) {
            let y = y0 + ky[i];
            let x = x0 + kx[i];
            var v = vec4<f32>();
            if (ky[i] < params.kernel_h && y < params.in_h && x < params.in_w) {
                v = vec4<f32>(input[((line0 + y) * params.in_w + x) * in_c4 + c[i]]);
            }
            values[(local / TILE + i * (STEP / LOADS)) * TILE + load_pixel] = v;
            c[i] += STEP;
            while (c[i] >= in_c4) {
                c[i] -= in_c4;
                kx[i]++;
                if (kx[i] == params.kernel_w) {
                    kx[i] = 0u;
                    ky[i]++;
                }
            }
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

    let c4 = group.y * TILE_C4 + column;
    if (c4 < params.out_c4) {
        let b = bias_of(c4);
        for (var i = 0u; i < 4u; i++) {
            if (first + row + i < pixels) {
                store(group.z * pixels + first + row + i, c4, acc[i] + b);
            }
        }
    }
}

// The bias of 4 channels; a vec4 that is loaded once, not with every pixel.
fn bias_of(c4: u32) -> vec4<f32> {
    return select(vec4<f32>(), bias[c4], (params.finish & 1u) != 0u);
}

// Adds the residual, applies ReLU, stores. (arrayLength: a plain uniform would be compiled in, as above.)
fn store(pixel: u32, c4: u32, sum: vec4<f32>) {
    let at = pixel * params.out_c4 + c4;
    let lowest = select(-3.4028234e38, 0.0, (params.finish & 2u) != 0u);
    var v = sum;
    if ((min(params.finish, 8u * arrayLength(&bias)) & 4u) != 0u) { v += vec4<f32>(residual[at]); }
    output[at] = vec4<Elem>(max(v, vec4<f32>(lowest)));
}
