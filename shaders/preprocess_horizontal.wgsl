// First pass of the anti-aliased resize, along rows: one thread a pixel of the half-resized picture, x = column, y = row.
// Integer weights with 22 fractional bits and rounding to 8 bits, as Pillow: the sums are exact. Rows do not know of each
// other, so they may be those of a part of a picture or of several pictures of one size.

struct Params {
    columns: u32,       // of the crop
    rows: u32,          // of this part
    source_width: u32,
    first_row: u32,     // of this part in `middle`
    stride: u32,        // weights reserved for a column
}

@group(0) @binding(0) var<storage, read> source: array<u32>;         // [rows][source_width], RGBA, red in the low byte
@group(0) @binding(1) var<storage, read> bounds: array<vec2<u32>>;   // [columns], first input column and number of them
@group(0) @binding(2) var<storage, read> weights: array<i32>;        // [columns][stride]
@group(0) @binding(3) var<storage, read_write> middle: array<u32>;   // [first_row + rows][columns], RGB in the low bytes
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.columns || id.y >= params.rows { return; }
    let window = bounds[id.x];
    let first = id.y * params.source_width + window.x;
    let weight = id.x * params.stride;
    var sum = vec3<i32>(1 << 21u);
    for (var i = 0u; i < window.y; i++) {
        let pixel = vec3<i32>((vec3<u32>(source[first + i]) >> vec3<u32>(0u, 8u, 16u)) & vec3<u32>(255u));
        sum += pixel * weights[weight + i];
    }
    let rgb = vec3<u32>(clamp(sum >> vec3<u32>(22u), vec3<i32>(0), vec3<i32>(255))) << vec3<u32>(0u, 8u, 16u);
    middle[(params.first_row + id.y) * params.columns + id.x] = rgb.x | rgb.y | rgb.z;
}
