//! Live frames: how they get to the network, and what it says of them.

use web_time::Instant;

use super::core::Engine;
use super::heatmap::{self, Heatmap};
use crate::Result;
use crate::data::image::RgbaImage;
#[cfg(target_arch = "wasm32")]
use crate::{Error, device::FrameTexture, device::Gpu, web::VideoSource};

/// A live frame.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Pixels on the CPU.
    Pixels(RgbaImage),
    /// What a video shows when the frame's turn comes.
    #[cfg(target_arch = "wasm32")]
    Video(VideoSource),
}

/// How a frame got to the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameWay {
    /// As pixels through the CPU.
    Pixels,
    /// Copied from the video by the browser.
    Direct,
    /// As a bitmap, where the browser copies no video.
    Bitmap,
}

/// What a network says of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameReading {
    /// Of every answer, in the order of [`ModelInfo::labels`](super::ModelInfo::labels).
    pub probabilities: Vec<f32>,
    /// Where it looks, when that was asked for.
    pub heatmap: Option<Heatmap>,
    /// Milliseconds from the frame to the probabilities on the CPU.
    pub ms: f64,
    /// Size of the frame in pixels.
    pub width: u32,
    /// Size of the frame in pixels.
    pub height: u32,
    /// How it got to the GPU.
    pub way: FrameWay,
}

impl Engine {
    /// What a frame shows, and where the network looks for `map_of`, a class.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) without a model or a head, before a video's first frame, and for a class that is not there.
    pub async fn read_frame(&mut self, frame: &Frame, map_of: Option<usize>) -> Result<FrameReading> {
        let start = Instant::now();
        let ctx = self.context().clone();
        let model = self.loaded_mut()?;
        model.check_head()?;
        let (way, (width, height)) = match frame {
            Frame::Pixels(image) => {
                model.pixels.run(&ctx, &[image])?;
                (FrameWay::Pixels, (image.width, image.height))
            }
            #[cfg(target_arch = "wasm32")]
            Frame::Video(video) => {
                let size = video
                    .size()
                    .ok_or_else(|| Error::Usage("the video shows no frame yet; wait for its first one and try again".into()))?;
                if let Some(gpu) = ctx.gpu() {
                    let (texture, is_new) = model.pixels.frame_texture(&ctx, size)?;
                    let way = copy(gpu, texture, is_new, video).await?;
                    model.pixels.run_frame(&ctx)?;
                    (way, size)
                } else {
                    let image = video.pixels().await?;
                    model.pixels.run(&ctx, &[&image])?;
                    (FrameWay::Pixels, (image.width, image.height))
                }
            }
        };
        model.plan.run(&ctx)?;
        let map = match map_of {
            Some(class) => Some((class, model.maps.record(&ctx, &model.graph, &model.weights, &model.plan, class)?)),
            None => None,
        };
        let map = async {
            match map {
                Some((class, (slice, size))) => heatmap::read(&ctx, class, &slice, size).await.map(Some),
                None => Ok(None),
            }
        };
        // Together: some browsers take long over each.
        let (output, activation) = model.output();
        let (mut probabilities, heatmap) = futures_util::try_join!(model.plan.read(&ctx, output), map)?;
        if let Some(activation) = activation {
            probabilities = activation.probabilities(&probabilities);
        }
        probabilities.truncate(model.info.labels.len());
        Ok(FrameReading { probabilities, heatmap, ms: start.elapsed().as_secs_f64() * 1e3, width, height, way })
    }
}

/// Puts the video's frame into the texture: directly, or as a bitmap where the browser has refused that once.
#[cfg(target_arch = "wasm32")]
async fn copy(gpu: &Gpu, texture: &FrameTexture, is_new: bool, video: &VideoSource) -> Result<FrameWay> {
    if video.is_direct() {
        let copied = match texture.copy_from(gpu, video.element()) {
            // Once is enough: a device that copies one frame copies all.
            Ok(()) if is_new => match texture.is_filled(gpu).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("nothing arrived".into()),
                Err(error @ Error::DeviceLost(_)) => return Err(error),
                Err(error) => Err(error.to_string()),
            },
            copied => copied,
        };
        match copied {
            Ok(()) => return Ok(FrameWay::Direct),
            Err(why) => video.refuse_direct(&why),
        }
    }
    let bitmap = video.bitmap().await?;
    if bitmap.size() != texture.size() {
        return Err(Error::Usage("the video has changed its size; the next frame will be read".into()));
    }
    let doing = || "copying a frame of the video".to_owned();
    texture.copy_from(gpu, bitmap.as_js()).map_err(|message| Error::Gpu { doing: doing(), message })?;
    Ok(FrameWay::Bitmap)
}
