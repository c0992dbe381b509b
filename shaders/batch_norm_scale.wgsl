// Batch norm, from statistics to scale and shift; batch statistics are merged from the chunks' and update the running ones.
// One workgroup = 8 groups of four channels (x) times ROWS threads (y) that share the chunks of a group.
// uses: shared/chunks.wgsl

struct Params {
    @size(32) chunks: Chunks,
    eps: f32, momentum: f32,
}

@group(0) @binding(0) var<storage, read> chunk_moments: array<vec4<f32>>;      // [chunks][mean, squared deviations][c4], with BATCH
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;             // [c4]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;               // [c4]
@group(0) @binding(3) var<storage, read_write> running_mean: array<vec4<f32>>; // [c4]
@group(0) @binding(4) var<storage, read_write> running_var: array<vec4<f32>>;  // [c4]
@group(0) @binding(5) var<storage, read_write> saved: array<vec4<f32>>;        // [mean, 1/std, scale, bias][c4]
@group(0) @binding(6) var<uniform> params: Params;

// Batch statistics; otherwise the running ones, as they are.
override BATCH: bool = true;
// The running variance takes n / (n - 1) of the batch's.
override UNBIASED: bool = true;
// Threads that share the chunks, a power of two up to 16; 1 where barriers are dear.
override ROWS: u32 = 16;

struct Moments { count: f32, mean: vec4<f32>, deviations: vec4<f32> }

var<workgroup> rows: array<Moments, 128>;

// Chan, Golub and LeVeque 1979: moments of two samples together. Either may be empty.
fn merge(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let share = b.count / max(count, 1.0);
    let delta = b.mean - a.mean;
    return Moments(count, a.mean + delta * share, a.deviations + b.deviations + delta * delta * (a.count * share));
}

fn batch_moments(chunks: Chunks, c: u32, row: u32, thread: u32) -> Moments {
    var total = Moments(0.0, vec4<f32>(), vec4<f32>());
    if c < chunks.c4 {
        // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
        let count = min(chunks.count, arrayLength(&chunk_moments));
        for (var k = row; k < count; k += ROWS) {
            let at = 2u * k * chunks.c4 + c;
            total = merge(total, Moments(f32(chunk_length(chunks, k)), chunk_moments[at], chunk_moments[at + chunks.c4]));
        }
    }
    if ROWS > 1u {
        rows[thread] = total;
        for (var half = ROWS / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if row < half { rows[thread] = merge(rows[thread], rows[thread + half * 8u]); }
        }
        total = rows[thread];
    }
    return total;
}

@compute @workgroup_size(8, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let chunks = params.chunks;
    let c = group.x * 8u + local.x;
    var mean: vec4<f32>;
    var variance: vec4<f32>;
    if BATCH {
        let total = batch_moments(chunks, c, local.y, local.y * 8u + local.x);
        mean = total.mean;
        variance = total.deviations / max(total.count, 1.0);
    }
    if local.y > 0u || c >= chunks.c4 { return; }

    if BATCH {
        let pixels = f32(chunks.pixels);
        let update = select(variance, variance * (pixels / (pixels - 1.0)), UNBIASED);
        running_mean[c] += params.momentum * (mean - running_mean[c]);
        running_var[c] += params.momentum * (update - running_var[c]);
    } else {
        mean = running_mean[c];
        variance = running_var[c];
    }
    let inverse_std = 1.0 / sqrt(variance + params.eps);
    let scale = weight[c] * inverse_std;
    saved[c] = mean;
    saved[chunks.c4 + c] = inverse_std;
    saved[2u * chunks.c4 + c] = scale;
    saved[3u * chunks.c4 + c] = bias[c];
}
