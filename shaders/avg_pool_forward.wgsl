// Average pool, the mean of a window's cells inside the image: one thread a pixel and four channels.

struct Params {
    batch: u32, in_h: u32, in_w: u32, c4: u32,
    out_h: u32, out_w: u32, kernel: u32, stride: u32, pad_top: u32, pad_left: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [batch][in_h][in_w][c4]
@group(0) @binding(1) var<storage, read_write> output: array<vec4<Elem>>;   // [batch][out_h][out_w][c4]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.out_h * params.out_w * params.c4 { return; }
    let c = i % params.c4;
    let x = i / params.c4 % params.out_w;
    let y = i / params.c4 / params.out_w % params.out_h;
    let n = i / params.c4 / params.out_w / params.out_h;

    // The window, cut to the image.
    let top = i32(y * params.stride) - i32(params.pad_top);
    let left = i32(x * params.stride) - i32(params.pad_left);
    let y0 = max(top, 0);
    let x0 = max(left, 0);
    let y1 = min(top + i32(params.kernel), i32(params.in_h));
    let x1 = min(left + i32(params.kernel), i32(params.in_w));

    var sum = vec4<f32>();
    for (var iy = y0; iy < y1; iy++) {
        for (var ix = x0; ix < x1; ix++) {
            sum += vec4<f32>(input[((n * params.in_h + u32(iy)) * params.in_w + u32(ix)) * params.c4 + c]);
        }
    }
    output[i] = vec4<Elem>(sum / f32(max((y1 - y0) * (x1 - x0), 1)));
}
