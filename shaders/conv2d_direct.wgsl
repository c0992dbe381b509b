// 2-D convolution without workgroup memory, barriers or subgroups: the plain variant for CPU adapters without subgroups,
// and the one that is easiest to read.
//
// One invocation = 8 output pixels x 8 output channels in registers; neighbouring invocations take neighbouring pixels.
//
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
}

// (N, H, W, C/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (ceil(O/8), KH, KW, C/4, 4 input channels, 2): vec4 over 4 output channels
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

const PIXELS = 8u;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let pixels = params.batch * params.out_h * params.out_w;
    let first = (id.x + id.z * groups.x * 64u) * PIXELS;
    if (first >= pixels) { return; }
    // Through arrayLength the loop bounds are no plain uniforms any more: Mesa's llvmpipe would otherwise compile the
    // shader anew, with the bounds as constants, for every dispatch.
    let limit = arrayLength(&weight);
    let kernel_h = min(params.kernel_h, limit);
    let kernel_w = min(params.kernel_w, limit);
    let in_c4 = min(params.in_c4, limit);

    // top left input position of each pixel; a pixel behind the end repeats the last one
    let last = vec4<u32>(pixels - 1u);
    let pixel_a = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), last);
    let pixel_b = min(vec4<u32>(first) + vec4<u32>(4u, 5u, 6u, 7u), last);
    let line_a = pixel_a / params.out_w;
    let line_b = pixel_b / params.out_w;
    let image_a = line_a / params.out_h * params.in_h;
    let image_b = line_b / params.out_h * params.in_h;
    let y0_a = line_a % params.out_h * params.stride - params.pad_top; // wraps below 0: then larger than any height
    let y0_b = line_b % params.out_h * params.stride - params.pad_top;
    let x0_a = pixel_a % params.out_w * params.stride - params.pad_left;
    let x0_b = pixel_b % params.out_w * params.stride - params.pad_left;

    var acc00 = vec4<f32>(); var acc01 = vec4<f32>();
    var acc10 = vec4<f32>(); var acc11 = vec4<f32>();
    var acc20 = vec4<f32>(); var acc21 = vec4<f32>();
    var acc30 = vec4<f32>(); var acc31 = vec4<f32>();
    var acc40 = vec4<f32>(); var acc41 = vec4<f32>();
    var acc50 = vec4<f32>(); var acc51 = vec4<f32>();
    var acc60 = vec4<f32>(); var acc61 = vec4<f32>();
    var acc70 = vec4<f32>(); var acc71 = vec4<f32>();
    var w = id.y * kernel_h * kernel_w * in_c4 * 8u;
    for (var ky = 0u; ky < kernel_h; ky++) {
        for (var kx = 0u; kx < kernel_w; kx++) {
            let y_a = y0_a + ky;
            let y_b = y0_b + ky;
            let x_a = x0_a + kx;
            let x_b = x0_b + kx;
            let ok_a = (y_a < vec4<u32>(params.in_h)) & (x_a < vec4<u32>(params.in_w));
            let ok_b = (y_b < vec4<u32>(params.in_h)) & (x_b < vec4<u32>(params.in_w));
            let at_a = select(vec4<u32>(), ((image_a + y_a) * params.in_w + x_a) * in_c4, ok_a);
            let at_b = select(vec4<u32>(), ((image_b + y_b) * params.in_w + x_b) * in_c4, ok_b);
            let inside_a = select(vec4<f32>(), vec4<f32>(1.0), ok_a);
            let inside_b = select(vec4<f32>(), vec4<f32>(1.0), ok_b);
            for (var c = 0u; c < in_c4; c++) {
                // columns: the 4 output channels that one input channel feeds
                let w0 = mat4x4<f32>(
                    vec4<f32>(weight[w]), vec4<f32>(weight[w + 2u]), vec4<f32>(weight[w + 4u]), vec4<f32>(weight[w + 6u]));
                let w1 = mat4x4<f32>(
                    vec4<f32>(weight[w + 1u]), vec4<f32>(weight[w + 3u]), vec4<f32>(weight[w + 5u]), vec4<f32>(weight[w + 7u]));
                let v0 = vec4<f32>(input[at_a.x + c]) * inside_a.x;
                acc00 += w0 * v0;
                acc01 += w1 * v0;
                let v1 = vec4<f32>(input[at_a.y + c]) * inside_a.y;
                acc10 += w0 * v1;
                acc11 += w1 * v1;
                let v2 = vec4<f32>(input[at_a.z + c]) * inside_a.z;
                acc20 += w0 * v2;
                acc21 += w1 * v2;
                let v3 = vec4<f32>(input[at_a.w + c]) * inside_a.w;
                acc30 += w0 * v3;
                acc31 += w1 * v3;
                let v4 = vec4<f32>(input[at_b.x + c]) * inside_b.x;
                acc40 += w0 * v4;
                acc41 += w1 * v4;
                let v5 = vec4<f32>(input[at_b.y + c]) * inside_b.y;
                acc50 += w0 * v5;
                acc51 += w1 * v5;
                let v6 = vec4<f32>(input[at_b.z + c]) * inside_b.z;
                acc60 += w0 * v6;
                acc61 += w1 * v6;
                let v7 = vec4<f32>(input[at_b.w + c]) * inside_b.w;
                acc70 += w0 * v7;
                acc71 += w1 * v7;
                w += 8u;
            }
        }
    }

    let c4 = id.y * 2u;
    finish(first + 0u, c4, acc00);
    finish(first + 0u, c4 + 1u, acc01);
    finish(first + 1u, c4, acc10);
    finish(first + 1u, c4 + 1u, acc11);
    finish(first + 2u, c4, acc20);
    finish(first + 2u, c4 + 1u, acc21);
    finish(first + 3u, c4, acc30);
    finish(first + 3u, c4 + 1u, acc31);
    finish(first + 4u, c4, acc40);
    finish(first + 4u, c4 + 1u, acc41);
    finish(first + 5u, c4, acc50);
    finish(first + 5u, c4 + 1u, acc51);
    finish(first + 6u, c4, acc60);
    finish(first + 6u, c4 + 1u, acc61);
    finish(first + 7u, c4, acc70);
    finish(first + 7u, c4 + 1u, acc71);
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
