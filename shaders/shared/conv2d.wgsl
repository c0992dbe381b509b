// What the kernels of a convolution have in common: operands, the part of the work that a z of the grid is, the epilogue.
//
// A dispatch computes `count` independent convolutions of one shape, or the `stride` * `stride` phases of an input gradient:
// input row y meets only the kernel rows k with (y + pad) % s == k % s, so all rows with the same y % s form a convolution of
// d_output without stride, with a part of the kernel. The same holds for columns.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // bits: 1 add the bias, 2 ReLU, 4 add the residual, 8 the convolutions are phases
    chunk: u32, // vec4s of the reduction that a z of the grid sums
    count: u32, // convolutions
    phase: u32, // vec4s from one phase's weights to the next
}

// (count, N, H, W, C/4), or (N, H, W, C/4) for phases
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (count, ceil(O/tile), KH, KW, C/4, 4 input channels, tile/4): vec4 over 4 output channels
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// as the output, or anything without bit 4
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;
// (parts, count, N, OH, OW, O/4), or (parts, N, OH, OW, O/4) for phases; parts of a reduction are added later
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Out>>;
@group(0) @binding(5) var<uniform> params: Params;

// A convolution: its pixels are `shift` + `spread` * those of the grid `size`.
struct Part {
    kernel: vec2<u32>, // height and width
    pad: vec2<u32>, // may wrap below 0, and the sums of addresses wrap back
    stride: u32,
    size: vec2<u32>,
    spread: u32,
    shift: vec2<u32>,
    weights: u32, // vec4s in front of its weights
    image: u32, // in front of its input
    plane: u32, // images in front of its output
}

// Part `z` of the grid, whose weights are `vec4s` long.
fn part_of(z: u32, vec4s: u32) -> Part {
    let out = vec2<u32>(params.out_h, params.out_w);
    let kernel = vec2<u32>(params.kernel_h, params.kernel_w);
    let pad = vec2<u32>(params.pad_top, params.pad_left);
    let which = z % params.count;
    if ((finish() & 8u) == 0u) {
        let image = which * params.batch;
        return Part(kernel, pad, params.stride, out, 1u, vec2<u32>(), which * vec4s, image, z * params.batch);
    }
    let s = params.stride;
    let shift = vec2<u32>(which / s, which % s);
    let first = (shift + pad) % s; // kernel position
    // Where the stride is larger than the kernel, some pixels meet no weight at all.
    let size = select(vec2<u32>(), (kernel - 1u - first) / s + 1u, first < kernel);
    let last = (shift + pad - first) / s;
    let weights = (first.x * min(kernel.x, s) + first.y) * params.phase;
    return Part(size, size - 1u - last, 1u, (out + s - 1u) / s, s, shift, weights, 0u, z / params.count * params.batch);
}

// Where pixel `pixel` of a part's grid begins in the output; NOWHERE behind the end.
fn place(part: Part, pixel: u32) -> u32 {
    if (pixel >= params.batch * part.size.x * part.size.y) { return NOWHERE; }
    if (part.spread == 1u) { return (part.plane * params.out_h * params.out_w + pixel) * params.out_c4; }
    let line = pixel / part.size.y;
    let y = part.shift.x + part.spread * (line % part.size.x);
    let x = part.shift.y + part.spread * (pixel % part.size.y);
    let at = (((part.plane + line / part.size.x) * params.out_h + y) * params.out_w + x) * params.out_c4;
    return select(NOWHERE, at, y < params.out_h && x < params.out_w);
}

// (arrayLength: llvmpipe compiles a shader anew for every value of a plain uniform that decides a branch.)
fn finish() -> u32 {
    return min(params.finish, 16u * arrayLength(&bias));
}

const NOWHERE = 0xffffffffu;

// Adds bias and residual, applies ReLU, stores 4 channels of the pixel at `place`.
fn store(place: u32, c4: u32, sum: vec4<f32>) {
    if (place == NOWHERE || c4 >= params.out_c4) { return; }
    let at = place + c4;
    var v = sum;
    if ((finish() & 1u) != 0u) { v += bias[c4]; }
    if ((finish() & 4u) != 0u) { v += vec4<f32>(residual[at]); }
    output[at] = vec4<Out>(max(v, vec4<f32>(select(-3.4028234e38, 0.0, (finish() & 2u) != 0u))));
}
