// 2-D convolution for software adapters whose subgroups have 8 lanes (Mesa's llvmpipe runs 8 invocations in a SIMD register).
//
// One workgroup = one subgroup = a tile of 32 output pixels x 64 output channels. Lane l owns the 8 output channels
// {l, l + 8} (in fours) of all 32 pixels; it loads the input of pixels l, l + 8, l + 16 and l + 24, and the lanes pass
// these values round with subgroupShuffle, so each loaded value meets 64 channels. On such an adapter a load is a
// scalar loop over the lanes, some 100 times the price of a multiplication, and workgroup memory is no cheaper.
// Grid: x = tiles of pixels, y = tiles of channels, z = independent convolutions of the same shape (Z, usually 1).
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`, and `enable subgroups;` in browsers.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // 0: sums alone (Winograd's matrix products), 1: and bias, 2: and bias and ReLU
}

// (Z, N, H, W, C/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (Z, ceil(O/64), KH, KW, C/4, 4 input channels, 16): vec4 over 4 output channels
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4), or a dummy when RESIDUAL is false
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

override RESIDUAL: bool = false;

const LANES = 8u;
const ROWS = 4u; // pixels a lane loads
const PIXELS = 32u; // LANES * ROWS
const TILE_C4 = 16u; // output channels / 4 of a tile

@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = group.x * PIXELS;

    // Through arrayLength the loop bounds are no plain uniforms any more: Mesa's llvmpipe would otherwise compile the
    // shader anew, with the bounds as constants, for every dispatch.
    let limit = arrayLength(&weight);
    let kernel_h = min(params.kernel_h, limit);
    let span = min(params.kernel_w * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // top left input position of the pixels this lane loads; a pixel behind the end repeats the last one
    var line0: array<u32, ROWS>;
    var y0: array<u32, ROWS>;
    var x0: array<u32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        let pixel = min(first + r * LANES + lane, pixels - 1u);
        let line = pixel / params.out_w;
        line0[r] = (line / params.out_h + group.z * params.batch) * params.in_h;
        y0[r] = line % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
        x0[r] = (pixel % params.out_w * params.stride - params.pad_left) * params.in_c4;
    }

    var acc: array<array<vec4<f32>, 2>, PIXELS>;
    var w = (group.z * groups.y + group.y) * kernel_h * span * 4u * TILE_C4 + lane;
    for (var ky = 0u; ky < kernel_h; ky++) {
        var start: array<u32, ROWS>;
        var end: array<u32, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            let y = y0[r] + ky;
            start[r] = (line0[r] + y) * width + x0[r];
            end[r] = select(0u, width, y < params.in_h);
        }
        for (var k = 0u; k < span; k++) {
            // columns: the 4 output channels that one input channel feeds
            let w0 = mat4x4<f32>(
                vec4<f32>(weight[w]), vec4<f32>(weight[w + 16u]), vec4<f32>(weight[w + 32u]), vec4<f32>(weight[w + 48u]));
            let w1 = mat4x4<f32>(
                vec4<f32>(weight[w + 8u]), vec4<f32>(weight[w + 24u]), vec4<f32>(weight[w + 40u]), vec4<f32>(weight[w + 56u]));
            for (var r = 0u; r < ROWS; r++) {
                let inside = x0[r] + k < end[r];
                let mine = vec4<f32>(input[select(0u, start[r] + k, inside)]) * select(0.0, 1.0, inside);
                for (var l = 0u; l < LANES; l++) {
                    let v = subgroupShuffle(mine, l);
                    acc[r * LANES + l][0] += w0 * v;
                    acc[r * LANES + l][1] += w1 * v;
                }
            }
            w += 4u * TILE_C4;
        }
    }

    for (var o = 0u; o < 2u; o++) {
        let c4 = group.y * TILE_C4 + o * LANES + lane;
        if (c4 < params.out_c4) {
            let b = bias_of(c4);
            for (var i = 0u; i < PIXELS; i++) {
                // behind the end the last pixel is written again, with the same value
                store(group.z * pixels + min(first + i, pixels - 1u), c4, acc[i][o] + b);
            }
        }
    }
}

// The bias of 4 channels; a vec4 that is loaded once, not with every pixel.
fn bias_of(c4: u32) -> vec4<f32> {
    return select(vec4<f32>(), bias[c4], params.finish > 0u);
}

// Adds the residual, applies ReLU, stores.
fn store(pixel: u32, c4: u32, sum: vec4<f32>) {
    let at = pixel * params.out_c4 + c4;
    let lowest = select(-3.4028234e38, 0.0, params.finish == 2u);
    var v = sum;
    if (RESIDUAL) { v += vec4<f32>(residual[at]); }
    output[at] = vec4<Elem>(max(v, vec4<f32>(lowest)));
}
