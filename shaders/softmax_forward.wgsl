// Softmax over the channels of an image: one workgroup of 64 an image, each thread every 64th channel.

struct Params { channels: u32, c4: u32 }

@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;          // [batch][c4], logits
@group(0) @binding(1) var<storage, read_write> output: array<vec4<Elem>>;   // [batch][c4], probabilities
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group.x * params.c4;
    // arrayLength hides the uniform bound: llvmpipe would compile the shader anew at every dispatch to make it a constant.
    let channels = min(params.channels, arrayLength(&input) * 4u);
    let c4 = min(params.c4, arrayLength(&input));

    // The maximum, so that exp cannot overflow.
    var high = f32(input[row].x);
    for (var c = thread; c < channels; c += 64u) {
        high = max(high, f32(input[row + c / 4u][c % 4u]));
    }
    partial[thread] = high;
    workgroupBarrier();
    for (var k = 0u; k < 64u; k++) { high = max(high, partial[k]); }
    workgroupBarrier();

    var sum = 0.0;
    for (var c = thread; c < channels; c += 64u) {
        sum += exp(f32(input[row + c / 4u][c % 4u]) - high);
    }
    partial[thread] = sum;
    workgroupBarrier();
    sum = 0.0;
    for (var k = 0u; k < 64u; k++) { sum += partial[k]; }

    for (var i = thread; i < c4; i += 64u) {
        var value = vec4<Elem>();
        for (var k = 0u; k < 4u; k++) {
            if i * 4u + k < channels { value[k] = Elem(exp(f32(input[row + i][k]) - high) / sum); }
        }
        output[row + i] = value;
    }
}
