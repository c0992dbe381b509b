// Weights of a convolution turned round for its input gradient: inputs and outputs change places, the kernel is flipped.
//
// One invocation = 4 inputs x 4 outputs under one kernel position. With stride s the
// gradient falls apart into phases (see shared/conv2d.wgsl), each a convolution of its own with every s-th kernel position in
// each axis.
// Grid: x = inputs / 4 with padding (in 64s), y = kernel positions, z = outputs / 4.
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    kernel: u32, // height and width
    stride: u32,
    in_c4: u32,
    out_c4: u32,
    tile_c4: u32, // output channels / 4 of a tile of the forward packing
    reversed_c4: u32, // the same of the reversed packing, whose outputs are the inputs
    reversed_tiles: u32,
    phase: u32, // vec4s from one phase's weights to the next
}

// (ceil(O/tile), K, K, C/4, 4 input channels, tile/4): vec4 over 4 output channels
@group(0) @binding(0) var<storage, read> weight: array<vec4<f32>>;
// phases of (ceil(C/tile), KH, KW, O/4, 4 output channels, tile/4): vec4 over 4 input channels
@group(0) @binding(1) var<storage, read_write> reversed: array<vec4<Elem>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i4 = id.x;
    if (i4 >= params.reversed_tiles * params.reversed_c4) { return; }
    let tap = id.y;

    // the phase, the size of its kernel, and the position there, counted from the end
    let k = vec2<u32>(tap / params.kernel, tap % params.kernel);
    let t = k % params.stride;
    let size = (params.kernel - 1u - t) / params.stride + 1u;
    let at = size - 1u - k / params.stride;
    let phase = t.x * min(params.kernel, params.stride) + t.y;

    let tile = i4 / params.reversed_c4;
    let row = (tile * size.x * size.y + at.x * size.y + at.y) * params.out_c4 + id.z;
    let to = phase * params.phase + row * 4u * params.reversed_c4 + i4 % params.reversed_c4;
    let n = params.tile_c4;
    let line = (id.z / n * params.kernel * params.kernel + tap) * params.in_c4 + i4;
    let source = line * 4u * n + id.z % n;
    var block = mat4x4<f32>(); // a tile's last inputs may not exist
    if (i4 < params.in_c4) {
        block = transpose(mat4x4<f32>(weight[source], weight[source + n], weight[source + 2u * n], weight[source + 3u * n]));
    }
    #for i 4
    reversed[to + $iu * params.reversed_c4] = vec4<Elem>(block[$i]);
    #end
}
