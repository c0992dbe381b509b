//! Textures from which kernels of software adapters read what lies in buffers.
//!
//! llvmpipe reads a storage buffer lane by lane, and puts every word into its vector register by way of the stack: 270 ns for one
//! vec4 in each of 8 lanes on a CPU without AVX-512. The same values come out of a texture ten times faster, and copying a buffer
//! into a texture is a `memcpy`. It is bound as a read-only storage texture: as a sampled one, a load would be 185 instructions
//! instead of 50. So kernels that read much read it from a texture: [`Gpu::texels`] keeps a few, and
//! [`Recorder::stage`](super::Recorder::stage) fills one in front of the dispatch that reads it.

use super::{Gpu, Precision};
use crate::{Error, Result};

/// Texels of a row; the shaders' `texel` functions say the same.
pub(super) const COLUMNS: u32 = 2048;

/// A texture of vec4s: element `i` is texel `(i % 2048, i / 2048)`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Texels {
    texture: wgpu::Texture,
    view: wgpu::TextureView,
    precision: Precision,
}

impl Texels {
    fn new(gpu: &Gpu, precision: Precision, rows: u32) -> Self {
        let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
            label: Some("texels"),
            size: wgpu::Extent3d { width: COLUMNS, height: rows, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: match precision {
                Precision::F32 => wgpu::TextureFormat::Rgba32Float,
                Precision::F16 => wgpu::TextureFormat::Rgba16Float,
            },
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::STORAGE_BINDING,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Self { texture, view, precision }
    }

    pub(super) fn view(&self) -> &wgpu::TextureView {
        &self.view
    }

    /// Encodes the copy of the first `vec4s` of a buffer's piece that starts at `offset`.
    pub(super) fn encode_copy(&self, encoder: &mut wgpu::CommandEncoder, buffer: &wgpu::Buffer, offset: u64, vec4s: u32) {
        let texel_bytes = 4 * self.precision.bytes() as u32;
        let mut copy = |row: u32, width: u32, height: u32| {
            if width == 0 || height == 0 {
                return;
            }
            let source = wgpu::TexelCopyBufferInfo {
                buffer,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: offset + u64::from(row) * u64::from(COLUMNS * texel_bytes),
                    bytes_per_row: Some(COLUMNS * texel_bytes),
                    rows_per_image: None,
                },
            };
            let target = wgpu::TexelCopyTextureInfo {
                texture: &self.texture,
                mip_level: 0,
                origin: wgpu::Origin3d { x: 0, y: row, z: 0 },
                aspect: wgpu::TextureAspect::All,
            };
            encoder.copy_buffer_to_texture(source, target, wgpu::Extent3d { width, height, depth_or_array_layers: 1 });
        };
        // The last row is a copy of its own: the buffer may end within it.
        copy(0, COLUMNS, vec4s / COLUMNS);
        copy(vec4s / COLUMNS, vec4s % COLUMNS, 1);
    }
}

impl Gpu {
    /// Texture number `slot` with room for `vec4s`. Recordings share the textures: each dispatch is preceded by the copies that
    /// fill its own.
    ///
    /// # Errors
    /// [`Error::Limit`] when a texture cannot be that large.
    pub fn texels(&self, slot: usize, precision: Precision, vec4s: usize) -> Result<Texels> {
        let rows = vec4s.div_ceil(COLUMNS as usize).max(1);
        let limit = self.device().limits().max_texture_dimension_2d as usize;
        if rows > limit {
            let bytes = |rows: usize| (rows * COLUMNS as usize * 4 * precision.bytes()) as u64;
            return Err(Error::Limit {
                what: "an operand of a convolution, as a texture,".into(),
                needed: bytes(rows),
                limit: bytes(limit),
                hint: "use a smaller batch or image".into(),
            });
        }
        let mut kept = self.kept_texels();
        let texels = kept.get(&(slot, precision)).filter(|texels| texels.texture.height() as usize >= rows);
        if let Some(texels) = texels {
            return Ok(texels.clone());
        }
        // Doubling, so that few are left behind for the recordings that have them.
        let texels = Texels::new(self, precision, rows.next_power_of_two().min(limit) as u32);
        kept.insert((slot, precision), texels.clone());
        Ok(texels)
    }
}
