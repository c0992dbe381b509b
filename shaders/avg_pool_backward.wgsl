// Average pool backward: a pixel gathers its share of the windows over it. One thread an input pixel and four channels.

struct Params {
    batch: u32, in_h: u32, in_w: u32, c4: u32,
    out_h: u32, out_w: u32, kernel: u32, stride: u32, pad_top: u32, pad_left: u32,
}

@group(0) @binding(0) var<storage, read> d_output: array<vec4<Elem>>;         // [batch][out_h][out_w][c4]
@group(0) @binding(1) var<storage, read> accumulate: array<vec4<Elem>>;       // [batch][in_h][in_w][c4], or anything without ACCUMULATE
@group(0) @binding(2) var<storage, read_write> d_input: array<vec4<Elem>>;    // [batch][in_h][in_w][c4]
@group(0) @binding(3) var<uniform> params: Params;

override ACCUMULATE: bool = false;

// Cells of window `at` along an axis that are inside the image.
fn inside(at: u32, pad: u32, size: u32) -> u32 {
    let first = i32(at * params.stride) - i32(pad);
    return u32(max(min(first + i32(params.kernel), i32(size)) - max(first, 0), 0));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.in_h * params.in_w * params.c4 { return; }
    let c = i % params.c4;
    // In the padded image.
    let x = i / params.c4 % params.in_w + params.pad_left;
    let y = i / params.c4 / params.in_w % params.in_h + params.pad_top;
    let n = i / params.c4 / params.in_w / params.in_h;

    // The windows that cover it: o * stride <= y < o * stride + kernel.
    let first_x = (max(x + 1u, params.kernel) - params.kernel + params.stride - 1u) / params.stride;
    let first_y = (max(y + 1u, params.kernel) - params.kernel + params.stride - 1u) / params.stride;
    let end_x = min(x / params.stride + 1u, params.out_w);
    let end_y = min(y / params.stride + 1u, params.out_h);

    var gradient = vec4<f32>();
    if ACCUMULATE { gradient = vec4<f32>(accumulate[i]); }
    for (var oy = first_y; oy < end_y; oy++) {
        let rows = inside(oy, params.pad_top, params.in_h);
        for (var ox = first_x; ox < end_x; ox++) {
            let cells = max(rows * inside(ox, params.pad_left, params.in_w), 1u);
            gradient += vec4<f32>(d_output[((n * params.out_h + oy) * params.out_w + ox) * params.c4 + c]) / f32(cells);
        }
    }
    d_input[i] = vec4<Elem>(gradient);
}
