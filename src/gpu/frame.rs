//! A picture in a texture: frames of a video get there without passing through the CPU.

use super::Gpu;
use crate::{Error, Result};

/// An 8-bit RGBA picture on the GPU. It keeps its place from frame to frame.
#[derive(Debug)]
pub struct FrameTexture {
    texture: wgpu::Texture,
    view: wgpu::TextureView,
}

impl FrameTexture {
    /// A transparent picture of this size.
    ///
    /// # Errors
    /// [`Error::Limit`] when a texture cannot be that large, [`Error::Usage`] for a picture without pixels.
    pub fn new(gpu: &Gpu, width: u32, height: u32) -> Result<Self> {
        let limit = gpu.device().limits().max_texture_dimension_2d;
        if width == 0 || height == 0 {
            return Err(Error::Usage("a frame without pixels has nothing to read; wait for the video's first one".into()));
        }
        if width.max(height) > limit {
            return Err(Error::Limit {
                what: "the longer side of a frame (in pixels)".into(),
                needed: u64::from(width.max(height)),
                limit: u64::from(limit),
                hint: "choose a camera or a video with fewer pixels".into(),
            });
        }
        let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
            label: Some("frame"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            // Browsers draw an external picture into the texture; tests read it.
            usage: wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::COPY_DST
                | wgpu::TextureUsages::COPY_SRC
                | wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Ok(Self { texture, view })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.texture.width(), self.texture.height())
    }

    pub(super) fn view(&self) -> &wgpu::TextureView {
        &self.view
    }

    /// Queues a copy of `rgba`, four bytes a pixel, row by row; it happens before any later submit.
    ///
    /// # Panics
    /// When `rgba` does not have the picture's size: a bug of the caller.
    pub fn write(&self, gpu: &Gpu, rgba: &[u8]) {
        let (width, height) = self.size();
        assert_eq!(rgba.len(), width as usize * height as usize * 4, "pixels of a {width} x {height} frame");
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width * 4), rows_per_image: None };
        gpu.queue().write_texture(self.texture.as_image_copy(), rgba, layout, self.texture.size());
    }

    /// Queues a copy of what a browser's picture source shows now: a video, `VideoFrame`, `ImageBitmap` or canvas of the
    /// texture's size. Any later submit sees it.
    ///
    /// wgpu's `copy_external_image_to_texture` panics where the browser refuses, and browsers do refuse (a video on a software
    /// adapter, a frame that is not there yet). So the call is made here, on the handles below wgpu's.
    ///
    /// # Errors
    /// The browser's words.
    #[cfg(target_arch = "wasm32")]
    pub fn copy_from(&self, gpu: &Gpu, source: &wasm_bindgen::JsValue) -> Result<(), String> {
        use js_sys::{Function, Object, Reflect};
        use wasm_bindgen::{JsCast, JsValue};

        let (Some(queue), Some(texture)) = (gpu.queue().as_webgpu(), self.texture.as_webgpu()) else {
            return Err("this device is not the browser's".into());
        };
        let object = |entries: &[(&str, &JsValue)]| -> Result<Object, JsValue> {
            let object = Object::new();
            for (key, value) in entries {
                Reflect::set(&object, &JsValue::from(*key), value)?;
            }
            Ok(object)
        };
        let copy = || -> Result<(), JsValue> {
            let (width, height) = self.size();
            let from = object(&[("source", source)])?;
            let to = object(&[("texture", texture.as_ref())])?;
            let size = object(&[("width", &width.into()), ("height", &height.into())])?;
            let copy: Function = Reflect::get(queue.as_ref(), &"copyExternalImageToTexture".into())?.dyn_into()?;
            copy.call3(queue.as_ref(), &from, &to, &size)?;
            Ok(())
        };
        copy().map_err(|error| {
            let words = Reflect::get(&error, &"message".into()).ok().and_then(|message| message.as_string());
            words.unwrap_or_else(|| format!("{error:?}"))
        })
    }

    /// Whether the picture's first pixel is opaque. Frames of a video are opaque all over, so a texture that is still
    /// transparent shows that a copy came to nothing without an error, as happens on some software adapters.
    ///
    /// # Errors
    /// Those of [`Slice::read`](super::Slice::read).
    pub async fn is_filled(&self, gpu: &Gpu) -> Result<bool> {
        let pixel = super::Slice::new(gpu, "the first pixel", 16);
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        encoder.copy_texture_to_buffer(
            self.texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &pixel.buffer, layout: wgpu::TexelCopyBufferLayout::default() },
            wgpu::Extent3d { width: 1, height: 1, depth_or_array_layers: 1 },
        );
        gpu.queue().submit([encoder.finish()]);
        Ok(pixel.read(gpu).await?.get(3).is_some_and(|alpha| *alpha > 0))
    }
}
