// Second pass of the anti-aliased resize, along columns, then normalisation into the network's input: one thread a pixel of
// the crop, x = column, y = row, z = picture. Weights and rounding as in the first pass.

struct Params {
    width: u32,         // of the crop
    height: u32,
    rows: u32,          // of a picture in `middle`
    first_image: u32,   // place of the first picture in the batch
    stride: u32,        // weights reserved for a row
    order: u32,         // of the input's channels: 0 red first, 1 blue first, 2 one of luma
    factor: vec4<f32>,  // by input channel; the fourth is padding, 0
    offset: vec4<f32>,
}

@group(0) @binding(0) var<storage, read> middle: array<u32>;                 // [images][rows][width], RGB in the low bytes
@group(0) @binding(1) var<storage, read> bounds: array<vec2<u32>>;           // [height], first row of `middle` and number of them
@group(0) @binding(2) var<storage, read> weights: array<i32>;                // [height][stride]
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;    // [batch][height][width], channels in fours
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.width || id.y >= params.height { return; }
    let window = bounds[id.y];
    var at = (id.z * params.rows + window.x) * params.width + id.x;
    let weight = id.y * params.stride;
    var sum = vec3<i32>(1 << 21u);
    for (var i = 0u; i < window.y; i++) {
        let pixel = vec3<i32>((vec3<u32>(middle[at]) >> vec3<u32>(0u, 8u, 16u)) & vec3<u32>(255u));
        sum += pixel * weights[weight + i];
        at += params.width;
    }
    let rgb = vec3<f32>(clamp(sum >> vec3<u32>(22u), vec3<i32>(0), vec3<i32>(255)));
    var channels = select(rgb, rgb.zyx, params.order == 1u);
    // Pillow's convert("L"): ITU-R 601-2 in 16 bits.
    if params.order == 2u { channels = vec3<f32>(f32((dot(vec3<u32>(rgb), vec3<u32>(19595u, 38470u, 7471u)) + 0x8000u) >> 16u), 0.0, 0.0); }
    let value = vec4<f32>(channels, 0.0) * params.factor + params.offset;
    let pixel = ((params.first_image + id.z) * params.height + id.y) * params.width + id.x;
    output[pixel] = vec4<Elem>(value);
}
