// A batch of training pictures gathered from the bank: warped, recoloured, normalised, erased and mixed in one pass; one
// thread a pixel of the output.

struct Draw {
    column: vec4<f32>,                                  // of the stored picture: dot(column.xyz, (x, y, 1))
    row: vec4<f32>,                                     // w above 0: the partner shows in the erased rectangle (CutMix)
    red: vec4<f32>, green: vec4<f32>, blue: vec4<f32>,  // dot(.., (r, g, b, 1)), 0 to 255
    erase: vec4<u32>,                                   // left, top, right, bottom
    source: u32,                                        // picture in the bank
    samples: u32,                                       // along each axis of an output pixel
    partner: u32,                                       // row of the batch that is mixed in
    lambda: f32,                                        // share of this row's own picture
}

struct Params {
    batch: u32,
    height: u32,
    width: u32,
    picture_height: u32,
    picture_width: u32,
    picture_words: u32,     // u32s a stored picture
    chunk_pictures: u32,    // stored pictures a chunk
    flags: u32,             // bit 0: blue first; from bit 1: what lies outside of a picture, see `place`
    factor: vec4<f32>,      // by input channel, the rest is 0
    offset: vec4<f32>,
}

@group(0) @binding(0) var<storage, read> draws: array<Draw>;                 // [batch]
@group(0) @binding(1) var<storage, read_write> output: array<vec4<Elem>>;    // [batch][height][width], channels in fours
@group(0) @binding(2) var<storage, read> chunk0: array<u32>;                 // [chunk_pictures][picture_words]: bytes [y][x][channel]
@group(0) @binding(3) var<storage, read> chunk1: array<u32>;
@group(0) @binding(4) var<storage, read> chunk2: array<u32>;
@group(0) @binding(5) var<storage, read> chunk3: array<u32>;
@group(0) @binding(6) var<storage, read> chunk4: array<u32>;
@group(0) @binding(7) var<storage, read> chunk5: array<u32>;
@group(0) @binding(8) var<uniform> params: Params;

override CHUNKS: u32 = 6u;      // how many of them hold pictures
override CHANNELS: u32 = 3u;    // 3 or 1

fn word(picture: u32, i: u32) -> u32 {
    let chunk = picture / params.chunk_pictures;
    let at = (picture % params.chunk_pictures) * params.picture_words + i;
    if CHUNKS == 1u || chunk == 0u { return chunk0[at]; }
    if CHUNKS == 2u || chunk == 1u { return chunk1[at]; }
    if CHUNKS == 3u || chunk == 2u { return chunk2[at]; }
    if CHUNKS == 4u || chunk == 3u { return chunk3[at]; }
    if CHUNKS == 5u || chunk == 4u { return chunk4[at]; }
    return chunk5[at];
}

fn pixel(picture: u32, at: vec2<i32>) -> vec3<f32> {
    let byte = (u32(at.y) * params.picture_width + u32(at.x)) * CHANNELS;
    let shift = (byte % 4u) * 8u;
    var bits = word(picture, byte / 4u) >> shift;
    if CHANNELS == 1u { return vec3<f32>(f32(bits & 255u)); }
    if shift > 8u { bits |= word(picture, byte / 4u + 1u) << (32u - shift); }
    return vec3<f32>((vec3<u32>(bits) >> vec3<u32>(0u, 8u, 16u)) & vec3<u32>(255u));
}

// Where a place outside of the picture finds its colour: nowhere (0), at the nearest edge (1), mirrored at the edge (2), at the other
// end (3), or nowhere, where it is black (4).
fn place(at: vec2<f32>, size: vec2<f32>) -> vec2<f32> {
    let fill = params.flags >> 1u;
    let t = at + 0.5;
    var found = at;
    if fill == 1u { found = at; }
    if fill == 2u {
        let turn = t - 2.0 * size * floor(t / (2.0 * size));
        found = min(turn, 2.0 * size - turn) - 0.5;
    }
    if fill == 3u { found = t - size * floor(t / size) - 0.5; }
    if fill == 0u || fill == 4u { return at; }
    return clamp(found, vec2<f32>(), size - 1.0);
}

// Colour at a place between pixel centres and 1, or zeros outside of the picture. Bilinear; at a centre the pixel itself.
fn sample(picture: u32, mapped: vec2<f32>) -> vec4<f32> {
    let size = vec2<f32>(f32(params.picture_width), f32(params.picture_height));
    var at = mapped;
    if any(at < vec2<f32>(-0.5)) || any(at >= size - 0.5) {
        at = place(at, size);
        if any(at < vec2<f32>(-0.5)) || any(at >= size - 0.5) {
            return vec4<f32>(0.0, 0.0, 0.0, select(0.0, 1.0, (params.flags >> 1u) == 4u));
        }
    }
    let low = floor(at);
    let part = at - low;
    let last = vec2<i32>(size) - 1;
    let near = clamp(vec2<i32>(low), vec2<i32>(), last);
    if all(part == vec2<f32>()) { return vec4<f32>(pixel(picture, near), 1.0); }
    let far = clamp(vec2<i32>(low) + 1, vec2<i32>(), last);
    let above = mix(pixel(picture, near), pixel(picture, vec2<i32>(far.x, near.y)), part.x);
    let below = mix(pixel(picture, vec2<i32>(near.x, far.y)), pixel(picture, far), part.x);
    return vec4<f32>(mix(above, below, part.y), 1.0);
}

fn erased(draw: Draw, x: u32, y: u32) -> bool {
    return x >= draw.erase.x && x < draw.erase.z && y >= draw.erase.y && y < draw.erase.w;
}

// The normalised pixel of one row of the batch before mixing; zero, the mean colour, where there is no picture.
fn view(n: u32, x: u32, y: u32) -> vec4<f32> {
    let draw = draws[n];
    if draw.row.w == 0.0 && erased(draw, x, y) { return vec4<f32>(); }
    let samples = clamp(draw.samples, 1u, 8u);
    var sum = vec4<f32>();
    for (var j = 0u; j < samples; j++) {
        for (var i = 0u; i < samples; i++) {
            let inner = (vec2<f32>(f32(i), f32(j)) + 0.5) / f32(samples) - 0.5;
            let place = vec3<f32>(vec2<f32>(f32(x), f32(y)) + inner, 1.0);
            sum += sample(draw.source, vec2<f32>(dot(draw.column.xyz, place), dot(draw.row.xyz, place)));
        }
    }
    if sum.w == 0.0 { return vec4<f32>(); }
    let old = vec4<f32>(sum.xyz / sum.w, 1.0);
    let rgb = clamp(vec3<f32>(dot(draw.red, old), dot(draw.green, old), dot(draw.blue, old)), vec3<f32>(), vec3<f32>(255.0));
    let value = vec4<f32>(select(rgb, rgb.zyx, (params.flags & 1u) == 1u), 0.0) * params.factor + params.offset;
    return value * (sum.w / f32(samples * samples));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.batch * params.height * params.width { return; }
    let x = i % params.width;
    let y = i / params.width % params.height;
    let n = i / (params.width * params.height);
    let cut = draws[n].row.w > 0.0;
    var shown = n;
    if cut && erased(draws[n], x, y) { shown = draws[n].partner; }
    var value = view(shown, x, y);
    let lambda = draws[n].lambda;
    if !cut && lambda < 1.0 { value = value * lambda + view(draws[n].partner, x, y) * (1.0 - lambda); }
    output[i] = vec4<Elem>(value);
}
