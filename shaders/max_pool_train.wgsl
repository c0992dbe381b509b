// Max pool that also stores where each maximum was, for the backward pass: one thread a pixel and four channels.

struct Params {
    batch: u32, in_h: u32, in_w: u32, c4: u32,
    out_h: u32, out_w: u32, kernel: u32, stride: u32, pad_top: u32, pad_left: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [batch][in_h][in_w][c4]
// [batch][out_h][out_w][c4]: ky * kernel + kx of the maximum in 8 bits a channel, the first channel lowest; 255 is padding
@group(0) @binding(1) var<storage, read_write> argmax: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<Elem>>;   // [batch][out_h][out_w][c4]
@group(0) @binding(3) var<uniform> params: Params;

// Padding cells are zeros that take part, instead of being left out.
override ZEROS: bool = false;

const PADDING = 255u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.out_h * params.out_w * params.c4 { return; }
    let c = i % params.c4;
    let left = i / params.c4 % params.out_w * params.stride - params.pad_left; // wraps below 0: then larger than any width
    let top = i / params.c4 / params.out_w % params.out_h * params.stride - params.pad_top;
    let n = i / params.c4 / params.out_w / params.out_h;

    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let kernel = min(params.kernel, arrayLength(&input));
    var best = vec4<Elem>();
    var place = vec4<u32>(PADDING);
    var empty = true;
    // Row by row, and only a larger value replaces an earlier one: of equal ones the first wins, as in PyTorch.
    for (var ky = 0u; ky < kernel; ky++) {
        for (var kx = 0u; kx < kernel; kx++) {
            let y = top + ky;
            let x = left + kx;
            let inside = y < params.in_h && x < params.in_w;
            if inside || ZEROS {
                var value = vec4<Elem>();
                if inside { value = input[((n * params.in_h + y) * params.in_w + x) * params.c4 + c]; }
                let better = (value > best) | vec4<bool>(empty);
                best = select(best, value, better);
                place = select(place, vec4<u32>(select(PADDING, ky * kernel + kx, inside)), better);
                empty = false;
            }
        }
    }
    output[i] = best;
    argmax[i] = place.x | (place.y << 8u) | (place.z << 16u) | (place.w << 24u);
}
