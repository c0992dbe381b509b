// A class activation map: at each pixel the sum of a layer's channels, weighted. One thread a pixel. The weights are a row of the
// classifier (CAM), or the mean gradient of each channel (Grad-CAM).

struct Params {
    pixels: u32,
    c4: u32,            // channels in fours
}

@group(0) @binding(0) var<storage, read> features: array<vec4<Elem>>;    // [height][width][c4]
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;      // [c4]
@group(0) @binding(2) var<storage, read_write> map: array<f32>;          // [height][width]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let pixel = id.x + id.y * workgroups.x * 64u;
    if pixel >= params.pixels { return; }
    let c4 = min(params.c4, arrayLength(&weights));
    var sum = 0.0;
    for (var c = 0u; c < c4; c++) {
        sum += dot(vec4<f32>(features[pixel * params.c4 + c]), weights[c]);
    }
    map[pixel] = sum;
}
