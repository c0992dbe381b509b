// 2-D convolution of any kernel size, stride and padding, in registers: no workgroup memory, no barriers.
// One thread computes four neighbouring pixels of a row by four output channels.
// Grid: x = pixel quads * out_c4 (in 64s), y = output row, z = image.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32,
    kernel_h: u32, kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [batch][in_h][in_w][in_c4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<Elem>>;         // [ky][kx][in_c4][out_c4][4 inputs], vec4 over outputs
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;            // [out_c4]
@group(0) @binding(3) var<storage, read> residual: array<vec4<Elem>>;       // the output's shape, unused without RESIDUAL
@group(0) @binding(4) var<storage, read_write> output: array<vec4<Elem>>;   // [batch][out_h][out_w][out_c4]
@group(0) @binding(5) var<uniform> params: Params;

override RELU: bool = false;
override RESIDUAL: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let oc = id.x % params.out_c4;
    let x0 = id.x / params.out_c4 * 4u;
    let y = id.y;
    let n = id.z;
    if x0 >= params.out_w { return; }

    var acc: array<vec4<f32>, 4>;
    for (var p = 0u; p < 4u; p++) { acc[p] = bias[oc]; }
    for (var ky = 0u; ky < params.kernel_h; ky++) {
        let iy = i32(y * params.stride + ky) - i32(params.pad_top);
        if iy < 0 || iy >= i32(params.in_h) { continue; }
        let row = (n * params.in_h + u32(iy)) * params.in_w;
        for (var kx = 0u; kx < params.kernel_w; kx++) {
            let tap = (ky * params.kernel_w + kx) * params.in_c4;
            for (var ic = 0u; ic < params.in_c4; ic++) {
                let w = ((tap + ic) * params.out_c4 + oc) * 4u;
                let m = mat4x4<f32>(vec4<f32>(weight[w]), vec4<f32>(weight[w + 1u]), vec4<f32>(weight[w + 2u]), vec4<f32>(weight[w + 3u]));
                for (var p = 0u; p < 4u; p++) {
                    let ix = i32((x0 + p) * params.stride + kx) - i32(params.pad_left);
                    if ix >= 0 && ix < i32(params.in_w) {
                        acc[p] += m * vec4<f32>(input[(row + u32(ix)) * params.in_c4 + ic]);
                    }
                }
            }
        }
    }
    for (var p = 0u; p < 4u && x0 + p < params.out_w; p++) {
        let at = ((n * params.out_h + y) * params.out_w + x0 + p) * params.out_c4 + oc;
        var value = acc[p];
        if RESIDUAL { value += vec4<f32>(residual[at]); }
        if RELU { value = max(value, vec4<f32>()); }
        output[at] = vec4<Elem>(value);
    }
}
