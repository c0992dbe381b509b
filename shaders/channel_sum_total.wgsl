// Sum over pixels, from the chunks' sums: one workgroup = 8 groups of four channels (x) times ROWS threads (y) that share the
// chunks of a group.
// uses: shared/chunks.wgsl

@group(0) @binding(0) var<storage, read> sums: array<vec4<f32>>;              // [chunks][c4]
@group(0) @binding(1) var<storage, read_write> total: array<vec4<f32>>;       // [c4], +=
@group(0) @binding(2) var<uniform> chunks: Chunks;

// Threads that share the chunks, a power of two up to 16; 1 where barriers are dear.
override ROWS: u32 = 16;

var<workgroup> rows: array<vec4<f32>, 128>;

@compute @workgroup_size(8, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let c = group.x * 8u + local.x;
    let thread = local.y * 8u + local.x;
    var sum = vec4<f32>();
    if c < chunks.c4 {
        // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
        let count = min(chunks.count, arrayLength(&sums));
        for (var k = local.y; k < count; k += ROWS) { sum += sums[k * chunks.c4 + c]; }
    }
    if ROWS > 1u {
        rows[thread] = sum;
        for (var half = ROWS / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if local.y < half {
                sum += rows[thread + half * 8u];
                rows[thread] = sum;
            }
        }
    }
    if local.y == 0u && c < chunks.c4 { total[c] += sum; }
}
