// Adds a batch to the running totals of loss and accuracy: one workgroup of 64 in all, each thread every 64th image.
// uses: shared/finite.wgsl
// uses: shared/loss_target.wgsl

struct Params { batch: u32 }

@group(0) @binding(0) var<storage, read> rows: array<vec4<f32>>;            // [batch]: loss, rank, confidence, predicted
@group(0) @binding(1) var<storage, read> targets: array<Target>;            // [batch]
@group(0) @binding(2) var<storage, read> class_weights: array<vec4<f32>>;   // [c4]
@group(0) @binding(3) var<storage, read_write> totals: array<vec4<f32>>;    // [2]: loss, weight, top-1, top-5; not finite, 0, 0, 0
@group(0) @binding(4) var<uniform> params: Params;

override EVEN: bool = false;    // rows count the same in the mean, else by their classes

var<workgroup> partial: array<vec4<f32>, 64>;
var<workgroup> broken: array<f32, 64>;

// What a row counts in the mean by its class.
fn class_weight(c: u32) -> f32 {
    if EVEN { return 1.0; }
    return class_weights[c / 4u][c % 4u];
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let batch = min(params.batch, arrayLength(&rows));
    var sums = vec4<f32>();
    var not_finite = 0.0;
    for (var n = thread; n < batch; n += 64u) {
        let t = targets[n];
        if t.weight == 0.0 { continue; }
        let row = rows[n];
        if !finite(row.x) {
            not_finite += 1.0;
            continue;
        }
        let weight = row_weight(t, class_weight(t.label), class_weight(t.other));
        sums += vec4<f32>(row.x, weight, f32(row.y < 1.0), f32(row.y < 5.0));
    }
    partial[thread] = sums;
    broken[thread] = not_finite;
    workgroupBarrier();
    if thread == 0u {
        for (var k = 1u; k < 64u; k++) {
            sums += partial[k];
            not_finite += broken[k];
        }
        totals[0] += sums;
        totals[1].x += not_finite;
    }
}
