// Batch norm, mean and squared deviations of each chunk (Welford 1962): one thread a chunk of pixels and four channels.
// Reads from textures: see src/gpu/texels.rs.
// uses: shared/chunks.wgsl
// uses: shared/texel.wgsl

@group(0) @binding(0) var input: Texels;                              // [pixels][c4]
@group(0) @binding(1) var<storage, read_write> moments: array<vec4<f32>>;     // [chunks][mean, squared deviations][c4]
@group(0) @binding(2) var<uniform> chunks: Chunks;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let thread = id.x + id.y * groups.x * 64u;
    if thread >= chunks.count * chunks.c4 { return; }
    let c = thread % chunks.c4;
    let chunk = thread / chunks.c4;
    let first = chunk * chunks.stride;
    let length = chunk_length(chunks, chunk);

    var mean = vec4<f32>();
    var deviations = vec4<f32>();
    for (var k = 0u; k < length; k++) {
        let x = texel(input, (first + k * chunks.step) * chunks.c4 + c);
        let delta = x - mean;
        mean += delta * (1.0 / f32(k + 1u));
        deviations += delta * (x - mean);
    }
    moments[2u * chunk * chunks.c4 + c] = mean;
    moments[(2u * chunk + 1u) * chunks.c4 + c] = deviations;
}
