// Parameter-free shortcut backward: the pixels that were taken get their gradient back, the others none.
// One thread an input pixel and four channels.

struct Params {
    in_h: u32, in_w: u32, in_channels: u32,
    out_h: u32, out_w: u32, out_channels: u32,
    stride: u32, offset: u32, count: u32,
}

@group(0) @binding(0) var<storage, read> d_output: array<vec4<Elem>>;         // [batch][out_h][out_w][out_c4]
@group(0) @binding(1) var<storage, read> accumulate: array<vec4<Elem>>;       // [batch][in_h][in_w][in_c4], or anything without ACCUMULATE
@group(0) @binding(2) var<storage, read_write> d_input: array<vec4<Elem>>;    // [batch][in_h][in_w][in_c4]
@group(0) @binding(3) var<uniform> params: Params;

override ACCUMULATE: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.count { return; }
    let in_c4 = (params.in_channels + 3u) / 4u;
    let out_c4 = (params.out_channels + 3u) / 4u;
    let c4 = i % in_c4;
    let x = i / in_c4 % params.in_w;
    let y = i / in_c4 / params.in_w % params.in_h;
    let n = i / in_c4 / params.in_w / params.in_h;
    let oy = y / params.stride;
    let ox = x / params.stride;

    var gradient = vec4<f32>();
    if ACCUMULATE { gradient = vec4<f32>(accumulate[i]); }
    if oy * params.stride == y && ox * params.stride == x && oy < params.out_h && ox < params.out_w {
        let pixel = ((n * params.out_h + oy) * params.out_w + ox) * out_c4;
        // The offset need not be a multiple of four, so each of the four channels looks up its own place.
        for (var k = 0u; k < 4u; k++) {
            let channel = c4 * 4u + k;
            let place = channel + params.offset;
            if channel < params.in_channels && place < params.out_channels {
                gradient[k] += f32(d_output[pixel + place / 4u][place % 4u]);
            }
        }
    }
    d_input[i] = vec4<Elem>(gradient);
}
