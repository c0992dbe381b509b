// Norm of the whole gradient, second pass: one workgroup of 256 adds up the sums of all parts.
// uses: shared/finite.wgsl

struct Params { count: u32 }

@group(0) @binding(0) var<storage, read> sums: array<f32>;              // [count]
@group(0) @binding(1) var<storage, read_write> norm: array<vec4<f32>>;  // [1]: sum of squares, steps skipped so far (+=), norm, 0
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let count = min(params.count, arrayLength(&sums));
    var sum = 0.0;
    for (var i = thread; i < count; i += 256u) { sum += sums[i]; }
    partial[thread] = sum;
    workgroupBarrier();
    if thread == 0u {
        for (var k = 1u; k < 256u; k++) { sum += partial[k]; }
        norm[0] = vec4<f32>(sum, norm[0].y + f32(!finite(sum)), sqrt(sum), 0.0);
    }
}
