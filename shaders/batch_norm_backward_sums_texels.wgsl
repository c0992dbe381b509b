// Batch norm backward, sums of dz and dz * (x - mean) of each chunk, where dz is d_output behind the ReLU:
// one thread a chunk of pixels and four channels.
// Reads from textures: see src/gpu/texels.rs.
// uses: shared/chunks.wgsl
// uses: shared/texel.wgsl

@group(0) @binding(0) var input: Texels;                              // [pixels][c4]
@group(0) @binding(1) var d_output: Texels;                           // [pixels][c4]
@group(0) @binding(2) var output: Texels;                             // [pixels][c4], looked at with MASK
@group(0) @binding(3) var<storage, read_write> masked: array<vec4<Elem>>;     // [pixels][c4], becomes dz with MASK: d_output itself
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>;             // [mean, 1/std, scale, bias][c4]
@group(0) @binding(5) var<storage, read_write> scratch: array<vec4<f32>>;     // [factor, offset][c4], [chunks][the two sums][c4]
@group(0) @binding(6) var<uniform> chunks: Chunks;

// ReLU right behind the norm: dz follows from the input.
override RELU: bool = false;
// ReLU behind a residual addition: dz follows from the output, and is kept.
override MASK: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let thread = id.x + id.y * groups.x * 64u;
    if thread >= chunks.count * chunks.c4 { return; }
    let c = thread % chunks.c4;
    let chunk = thread / chunks.c4;
    let first = chunk * chunks.stride;
    let length = chunk_length(chunks, chunk);

    let mean = saved[c];
    let scale = saved[2u * chunks.c4 + c];
    let bias = saved[3u * chunks.c4 + c];
    var sum = vec4<f32>();
    var product = vec4<f32>();
    for (var k = 0u; k < length; k++) {
        let i = (first + k * chunks.step) * chunks.c4 + c;
        let x = texel(input, i);
        var dz = texel(d_output, i);
        if RELU { dz = select(vec4<f32>(), dz, (x - mean) * scale + bias > vec4<f32>()); }
        if MASK {
            dz = select(vec4<f32>(), dz, texel(output, i) > vec4<f32>());
            masked[i] = vec4<Elem>(dz);
        }
        sum += dz;
        product += dz * (x - mean);
    }
    scratch[2u * (chunk + 1u) * chunks.c4 + c] = sum;
    scratch[(2u * (chunk + 1u) + 1u) * chunks.c4 + c] = product;
}
