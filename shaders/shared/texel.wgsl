// Element `i` of an array that lies in a texture: see src/gpu/texels.rs.
fn texel(source: texture_2d<f32>, i: u32) -> vec4<f32> {
    return textureLoad(source, vec2<u32>(i % 2048u, i / 2048u), 0);
}
