// Last step of the input gradient of a convolution with stride s: the phases' results are interleaved, `=` or `+ addend`.
//
// Input row y meets only the kernel rows k with (y + pad) % s == k % s, so all rows with the same (y + pad) % s form a
// convolution of d_output with a part of the kernel, computed without stride: a phase. The same holds for columns.
// One invocation = 4 channels of one pixel. Where the stride is larger than the kernel, some pixels meet no weight at all.
// Grid: x, y = pixels * C/4 (in 64s, in rows). Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    count: u32, // vec4s of d_input
    height: u32,
    width: u32,
    c4: u32,
    phase_h: u32,
    phase_w: u32,
    phase: u32, // vec4s from one phase to the next
    kernel: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
    add: u32, // 1: the addend is added
}

// (min(s, K) squared, N, ceil(H/s), ceil(W/s), C/4)
@group(0) @binding(0) var<storage, read> phases: array<vec4<Elem>>;
// (N, H, W, C/4), or anything where it is not added
@group(0) @binding(1) var<storage, read> addend: array<vec4<Elem>>;
// (N, H, W, C/4)
@group(0) @binding(2) var<storage, read_write> d_input: array<vec4<Elem>>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 64u;
    if (index >= params.count) { return; }
    let c4 = index % params.c4;
    let x = index / params.c4 % params.width;
    let line = index / params.c4 / params.width;
    let y = line % params.height;
    let n = line / params.height;

    let row = (y + params.pad_top) % params.stride;
    let column = (x + params.pad_left) % params.stride;
    var v = vec4<f32>();
    if (row < params.kernel && column < params.kernel) {
        let phase = row * min(params.kernel, params.stride) + column;
        let pixel = (n * params.phase_h + y / params.stride) * params.phase_w + x / params.stride;
        v = vec4<f32>(phases[phase * params.phase + pixel * params.c4 + c4]);
    }
    // Through arrayLength, or Mesa's llvmpipe would compile the shader anew whenever the flag changes.
    if (min(params.add, arrayLength(&addend)) != 0u) { v += vec4<f32>(addend[index]); }
    d_input[index] = vec4<Elem>(v);
}
