// 2-D convolution of any kernel size, stride and padding, in registers: no workgroup memory, no barriers.
// For software adapters, and the easiest one to read.
//
// One invocation = 8 output pixels x 8 output channels; neighbouring invocations take the next 8 pixels.
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
// (Z, ceil(O/8), KH, KW, C/4, 4 input channels, 2): vec4 over 4 output channels
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// (Z, N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;
// (Z, N, OH, OW, O/4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(5) var<uniform> params: Params;

const PIXELS = 8u;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = id.x * PIXELS;
    if (first >= pixels) { return; }

    // Through arrayLength the loop bounds are no plain uniforms any more: Mesa's llvmpipe would otherwise compile the
    // shader anew, with the bounds as constants, for every dispatch.
    let limit = arrayLength(&weight);
    let kernel_h = min(params.kernel_h, limit);
    let span = min(params.kernel_w * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // top left input position of each pixel; a pixel behind the end repeats the last one
    let pixel_a = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(pixels - 1u));
    let line_a = pixel_a / params.out_w;
    let line0_a = (line_a / params.out_h + id.z * params.batch) * params.in_h;
    let y0_a = line_a % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0_a = (pixel_a % params.out_w * params.stride - params.pad_left) * params.in_c4;
    let pixel_b = min(vec4<u32>(first) + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(pixels - 1u));
    let line_b = pixel_b / params.out_w;
    let line0_b = (line_b / params.out_h + id.z * params.batch) * params.in_h;
    let y0_b = line_b % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let x0_b = (pixel_b % params.out_w * params.stride - params.pad_left) * params.in_c4;

    var acc00 = vec4<f32>(); var acc01 = vec4<f32>();
    var acc10 = vec4<f32>(); var acc11 = vec4<f32>();
    var acc20 = vec4<f32>(); var acc21 = vec4<f32>();
    var acc30 = vec4<f32>(); var acc31 = vec4<f32>();
    var acc40 = vec4<f32>(); var acc41 = vec4<f32>();
    var acc50 = vec4<f32>(); var acc51 = vec4<f32>();
    var acc60 = vec4<f32>(); var acc61 = vec4<f32>();
    var acc70 = vec4<f32>(); var acc71 = vec4<f32>();
    var w = (id.z * groups.y + id.y) * kernel_h * span * 8u;
    for (var ky = 0u; ky < kernel_h; ky++) {
        let y_a = y0_a + ky;
        let start_a = (line0_a + y_a) * width + x0_a;
        let end_a = select(vec4<u32>(), vec4<u32>(width), y_a < vec4<u32>(params.in_h));
        let y_b = y0_b + ky;
        let start_b = (line0_b + y_b) * width + x0_b;
        let end_b = select(vec4<u32>(), vec4<u32>(width), y_b < vec4<u32>(params.in_h));
        for (var k = 0u; k < span; k++) {
            // columns: the 4 output channels that one input channel feeds
            let w0 = mat4x4<f32>(
                vec4<f32>(weight[w]), vec4<f32>(weight[w + 2u]), vec4<f32>(weight[w + 4u]), vec4<f32>(weight[w + 6u]));
            let w1 = mat4x4<f32>(
                vec4<f32>(weight[w + 1u]), vec4<f32>(weight[w + 3u]), vec4<f32>(weight[w + 5u]), vec4<f32>(weight[w + 7u]));
            let inside_a = x0_a + k < end_a;
            let at_a = select(vec4<u32>(), start_a + k, inside_a);
            let keep_a = select(vec4<f32>(), vec4<f32>(1.0), inside_a);
            let inside_b = x0_b + k < end_b;
            let at_b = select(vec4<u32>(), start_b + k, inside_b);
            let keep_b = select(vec4<f32>(), vec4<f32>(1.0), inside_b);
            let v0 = vec4<f32>(input[at_a.x]) * keep_a.x;
            acc00 += w0 * v0;
            acc01 += w1 * v0;
            let v1 = vec4<f32>(input[at_a.y]) * keep_a.y;
            acc10 += w0 * v1;
            acc11 += w1 * v1;
            let v2 = vec4<f32>(input[at_a.z]) * keep_a.z;
            acc20 += w0 * v2;
            acc21 += w1 * v2;
            let v3 = vec4<f32>(input[at_a.w]) * keep_a.w;
            acc30 += w0 * v3;
            acc31 += w1 * v3;
            let v4 = vec4<f32>(input[at_b.x]) * keep_b.x;
            acc40 += w0 * v4;
            acc41 += w1 * v4;
            let v5 = vec4<f32>(input[at_b.y]) * keep_b.y;
            acc50 += w0 * v5;
            acc51 += w1 * v5;
            let v6 = vec4<f32>(input[at_b.z]) * keep_b.z;
            acc60 += w0 * v6;
            acc61 += w1 * v6;
            let v7 = vec4<f32>(input[at_b.w]) * keep_b.w;
            acc70 += w0 * v7;
            acc71 += w1 * v7;
            w += 8u;
        }
    }

    // behind the end the last pixel is written again, with the same value
    let last = (id.z + 1u) * pixels - 1u;
    let pixel = id.z * pixels + first;
    let c4 = id.y * 2u;
    let b0 = bias_of(c4);
    store(min(pixel + 0u, last), c4, acc00 + b0);
    store(min(pixel + 1u, last), c4, acc10 + b0);
    store(min(pixel + 2u, last), c4, acc20 + b0);
    store(min(pixel + 3u, last), c4, acc30 + b0);
    store(min(pixel + 4u, last), c4, acc40 + b0);
    store(min(pixel + 5u, last), c4, acc50 + b0);
    store(min(pixel + 6u, last), c4, acc60 + b0);
    store(min(pixel + 7u, last), c4, acc70 + b0);
    if (c4 + 1u < params.out_c4) {
        let b1 = bias_of(c4 + 1u);
        store(min(pixel + 0u, last), c4 + 1u, acc01 + b1);
        store(min(pixel + 1u, last), c4 + 1u, acc11 + b1);
        store(min(pixel + 2u, last), c4 + 1u, acc21 + b1);
        store(min(pixel + 3u, last), c4 + 1u, acc31 + b1);
        store(min(pixel + 4u, last), c4 + 1u, acc41 + b1);
        store(min(pixel + 5u, last), c4 + 1u, acc51 + b1);
        store(min(pixel + 6u, last), c4 + 1u, acc61 + b1);
        store(min(pixel + 7u, last), c4 + 1u, acc71 + b1);
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
