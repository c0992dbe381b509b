// Batch norm backward, d_input = scale * dz + factor * (x - mean) + offset: one thread a chunk of pixels and four channels.
// Reads from textures: see src/gpu/texels.rs.
// uses: shared/chunks.wgsl
// uses: shared/texel.wgsl

@group(0) @binding(0) var input: Texels;                              // [pixels][c4]
@group(0) @binding(1) var d_output: Texels;                           // [pixels][c4]
@group(0) @binding(2) var accumulate: Texels;                         // [pixels][c4], or anything without ACCUMULATE
@group(0) @binding(3) var<storage, read> saved: array<vec4<f32>>;             // [mean, 1/std, scale, bias][c4]
@group(0) @binding(4) var<storage, read> scratch: array<vec4<f32>>;           // [factor, offset][c4], ...
@group(0) @binding(5) var<storage, read_write> d_input: array<vec4<Elem>>;    // [pixels][c4]
@group(0) @binding(6) var<uniform> chunks: Chunks;

// ReLU right behind the norm; d_output behind a residual addition is masked already.
override RELU: bool = false;
// The statistics came from the batch: the gradient runs through them, too.
override BATCH: bool = true;
override ACCUMULATE: bool = false;

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
    let factor = scratch[c];
    let offset = scratch[chunks.c4 + c];
    for (var k = 0u; k < length; k++) {
        let i = (first + k * chunks.step) * chunks.c4 + c;
        var value = texel(d_output, i);
        if RELU || BATCH {
            let x = texel(input, i);
            if RELU { value = select(vec4<f32>(), value, (x - mean) * scale + bias > vec4<f32>()); }
            value *= scale;
            // x - mean first: with a mean far from zero the products would cancel.
            if BATCH { value += factor * (x - mean) + offset; }
        } else {
            value *= scale;
        }
        if ACCUMULATE { value += texel(accumulate, i); }
        d_input[i] = vec4<Elem>(value);
    }
}
