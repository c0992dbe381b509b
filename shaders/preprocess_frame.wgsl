// First pass of the anti-aliased resize of a frame in a texture, along rows: one thread a pixel of the half-resized picture,
// x = column, y = row. Weights, rounding and result are those of preprocess_horizontal.wgsl, which reads a buffer.

struct Params {
    columns: u32,       // of the crop
    rows: u32,
    first_row: u32,     // of the frame
    stride: u32,        // weights reserved for a column
}

@group(0) @binding(0) var frame: texture_2d<f32>;                    // [height][width], RGBA, 8 bits as 0 to 1
@group(0) @binding(1) var<storage, read> bounds: array<vec2<u32>>;   // [columns], first column of the frame and number of them
@group(0) @binding(2) var<storage, read> weights: array<i32>;        // [columns][stride]
@group(0) @binding(3) var<storage, read_write> middle: array<u32>;   // [rows][columns], RGB in the low bytes
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.columns || id.y >= params.rows { return; }
    let window = bounds[id.x];
    let weight = id.x * params.stride;
    var sum = vec3<i32>(1 << 21u);
    for (var i = 0u; i < window.y; i++) {
        let texel = textureLoad(frame, vec2<u32>(window.x + i, params.first_row + id.y), 0);
        sum += vec3<i32>(texel.rgb * 255.0 + 0.5) * weights[weight + i];
    }
    let rgb = vec3<u32>(clamp(sum >> vec3<u32>(22u), vec3<i32>(0), vec3<i32>(255))) << vec3<u32>(0u, 8u, 16u);
    middle[id.y * params.columns + id.x] = rgb.x | rgb.y | rgb.z;
}
