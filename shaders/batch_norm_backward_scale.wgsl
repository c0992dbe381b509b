// Batch norm backward, from the chunks' sums to the parameters' gradients and the coefficients of d_input.
// One workgroup = 8 groups of four channels (x) times ROWS threads (y) that share the chunks of a group.
// uses: shared/chunks.wgsl

@group(0) @binding(0) var<storage, read_write> scratch: array<vec4<f32>>;     // [factor, offset][c4], [chunks][the two sums][c4]
@group(0) @binding(1) var<storage, read> saved: array<vec4<f32>>;             // [mean, 1/std, scale, bias][c4]
@group(0) @binding(2) var<storage, read_write> d_weight: array<vec4<f32>>;    // [c4], +=
@group(0) @binding(3) var<storage, read_write> d_bias: array<vec4<f32>>;      // [c4], +=
@group(0) @binding(4) var<uniform> chunks: Chunks;

// Threads that share the chunks, a power of two up to 16; 1 where barriers are dear.
override ROWS: u32 = 16;

struct Sums { dz: vec4<f32>, product: vec4<f32> }

var<workgroup> rows: array<Sums, 128>;

@compute @workgroup_size(8, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let c = group.x * 8u + local.x;
    let thread = local.y * 8u + local.x;
    var total = Sums();
    if c < chunks.c4 {
        // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
        let count = min(chunks.count, arrayLength(&scratch));
        for (var k = local.y; k < count; k += ROWS) {
            let at = 2u * (k + 1u) * chunks.c4 + c;
            total = Sums(total.dz + scratch[at], total.product + scratch[at + chunks.c4]);
        }
    }
    if ROWS > 1u {
        rows[thread] = total;
        for (var half = ROWS / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if local.y < half {
                let other = rows[thread + half * 8u];
                total = Sums(total.dz + other.dz, total.product + other.product);
                rows[thread] = total;
            }
        }
    }
    if local.y > 0u || c >= chunks.c4 { return; }

    let inverse_std = saved[chunks.c4 + c];
    let scale = saved[2u * chunks.c4 + c];
    let gradient = total.product * inverse_std;
    d_weight[c] += gradient;
    d_bias[c] += total.dz;
    // Through mean and variance of the batch: d_input = scale * dz + factor * (x - mean) + offset.
    let pixels = f32(chunks.pixels);
    scratch[c] = -scale * inverse_std * gradient / pixels;
    scratch[chunks.c4 + c] = -scale * total.dz / pixels;
}
