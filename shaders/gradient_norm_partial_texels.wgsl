// Sum of squares of a flat gradient, first pass: one workgroup of 64 for 1024 vec4s, each thread every 64th.
// Reads from textures: see src/gpu/texels.rs.
// uses: shared/texel.wgsl

struct Params {
    count: u32,   // vec4s
    first: u32,   // place of this gradient's first sum
}

@group(0) @binding(0) var gradients: Texels;                                   // [count]
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;        // one a workgroup, from `first`
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    var squares = vec4<f32>();
    for (var k = 0u; k < 16u; k++) {
        let i = group.x * 1024u + k * 64u + thread;
        if i < params.count {
            let g = texel(gradients, i);
            squares += g * g;
        }
    }
    partial[thread] = dot(squares, vec4<f32>(1.0));
    workgroupBarrier();
    if thread == 0u {
        var sum = 0.0;
        for (var k = 0u; k < 64u; k++) { sum += partial[k]; }
        sums[params.first + group.x] = sum;
    }
}
