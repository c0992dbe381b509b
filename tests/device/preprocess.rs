//! Pictures against Pillow and torchvision: decoding, and resizing on the CPU and on the GPU. The expected values are made by
//! `tests/fixtures/images/make.py`.

use std::path::{Path, PathBuf};

use reslab::data::{Preset, Resize, RgbaImage, decode, resample};
use reslab::device::{Device, DeviceOptions, Precision, Shape, Tensor};
use reslab::ops::Preprocessor;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

fn open(name: &str) -> RgbaImage {
    let path = folder().join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    decode(name, &bytes).unwrap()
}

#[derive(serde::Deserialize)]
struct Cases {
    decode: Vec<DecodeCase>,
    resize: Vec<ResizeCase>,
}

#[derive(serde::Deserialize)]
struct DecodeCase {
    file: String,
    expected: String,
}

#[derive(serde::Deserialize)]
struct ResizeCase {
    file: String,
    preset: String,
    size: Option<u32>,
    expected: String,
}

impl ResizeCase {
    fn preset(&self) -> Preset {
        let preset = Preset::named(&self.preset).unwrap();
        self.size.map_or(preset.clone(), |size| preset.with_size(size).unwrap())
    }

    /// None, where the proportions stay: every Pillow rounds after the pass along rows there. Since version 13 it may round
    /// after the one along columns when it stretches a picture, which moves a value by one.
    fn allowed(&self) -> u8 {
        u8::from(matches!(self.preset().resize, Resize::Exact(..)))
    }
}

fn cases() -> Cases {
    let text = std::fs::read_to_string(folder().join("cases.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn rgb(image: &RgbaImage) -> Vec<u8> {
    image.pixels.as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect()
}

fn worst(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

fn context() -> Device {
    pollster::block_on(Device::new(DeviceOptions::software())).expect("a GPU or a software adapter")
}

/// Runs `images` through the GPU into a batch of `batch` and reads it back, `(batch, 3, h, w)`.
fn on_gpu(
    ctx: &Device,
    preset: &Preset,
    precision: Precision,
    batch: usize,
    band: Option<u64>,
    images: &[&RgbaImage],
) -> Vec<f32> {
    let shape = Shape::new(batch, 3, preset.crop.1 as usize, preset.crop.0 as usize);
    let output = Tensor::zeros(ctx, "input", shape, precision).unwrap();
    let mut preprocessor = Preprocessor::new(ctx, preset.clone(), output.clone()).unwrap();
    if let Some(bytes) = band {
        preprocessor = preprocessor.with_band_bytes(bytes);
    }
    preprocessor.run(ctx, images).unwrap();
    pollster::block_on(output.read_nchw(ctx)).unwrap()
}

#[track_caller]
fn assert_close(ours: &[f32], expected: &[f32], relative: f32) {
    assert_eq!(ours.len(), expected.len());
    for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
        // Written so that NaN fails too.
        assert!((a - b).abs() <= relative * b.abs().max(1.0), "value {i}: {a} instead of {b}");
    }
}

/// A picture whose values depend on the place and the seed in all channels.
fn pattern(width: u32, height: u32, seed: u32) -> RgbaImage {
    let value = |i: u32| ((i.wrapping_add(seed)).wrapping_mul(2_654_435_761) >> 13) as u8;
    RgbaImage::new("pattern", width, height, (0..width * height * 4).map(value).collect()).unwrap()
}

#[test]
fn decoding_agrees_with_pillow() {
    let cases = cases().decode;
    assert!(cases.len() >= 19, "cases.json lists every kind of file");
    for case in cases {
        let (ours, expected) = (open(&case.file), open(&case.expected));
        assert_eq!((ours.width, ours.height), (expected.width, expected.height), "{}", case.file);
        // Lossy formats leave the last bits of the inverse transform and the chroma filter to the decoder.
        let allowed = if case.file.ends_with(".jpg") || case.file.starts_with("lossy") { 3 } else { 0 };
        let found = worst(&rgb(&ours), &rgb(&expected));
        println!("{}: {found}", case.file);
        assert!(found <= allowed, "{}: differs by {found}, allowed {allowed}", case.file);
    }
}

#[test]
fn transparency_is_kept_beside_the_colours() {
    let (ours, opaque) = (open("rgba.png"), open("rgb.png"));
    assert_eq!(rgb(&ours), rgb(&opaque));
    // The fixture's alpha rises from the top to the bottom.
    assert!(ours.pixels[3] < 16 && ours.pixels[ours.pixels.len() - 1] > 239);
    assert!(opaque.pixels.iter().skip(3).step_by(4).all(|a| *a == 255));
}

#[test]
fn resizing_on_the_cpu_is_torchvisions_to_the_bit() {
    for case in cases().resize {
        let ours = resample::resize_and_crop(&open(&case.file), &case.preset());
        let found = worst(&ours, &rgb(&open(&case.expected)));
        assert!(found <= case.allowed(), "{}: differs by {found}", case.expected);
    }
}

#[test]
fn resizing_on_the_gpu_is_torchvisions() {
    let ctx = context();
    for case in cases().resize {
        let preset = case.preset();
        let ours = on_gpu(&ctx, &preset, Precision::F32, 1, None, &[&open(&case.file)]);
        let expected = rgb(&open(&case.expected));
        let (factor, offset) = preset.affine();
        let area = preset.crop.0 as usize * preset.crop.1 as usize;
        assert_eq!(ours.len(), 3 * area);
        for (c, source) in preset.channel_order.indices().into_iter().enumerate() {
            for (i, value) in ours[c * area..][..area].iter().enumerate() {
                let byte = (value - offset[c]) / factor[c];
                let error = (byte - f32::from(expected[i * 3 + source])).abs();
                assert!(error <= f32::from(case.allowed()) + 1e-3, "{}: channel {c}, pixel {i}: {error}", case.expected);
            }
        }
    }
}

#[test]
fn f16_input_is_rounded_and_no_more() {
    let ctx = context();
    if !ctx.has_f16() {
        println!("this adapter has no f16");
        return;
    }
    let image = open("scene.png");
    for name in ["imagenet", "caffe"] {
        let preset = Preset::named(name).unwrap().with_size(48).unwrap();
        let ours = on_gpu(&ctx, &preset, Precision::F16, 1, None, &[&image]);
        // Half a unit in the last of f16's 11 digits.
        assert_close(&ours, &resample::preprocess(&image, &preset), 1.0 / 2048.0);
    }
}

#[test]
fn bands_of_rows_give_the_same_values() {
    let ctx = context();
    let image = open("scene.png");
    let preset = Preset::named("timm-a1").unwrap().with_size(70).unwrap();
    let expected = resample::preprocess(&image, &preset);
    // One row at a time, an odd number of rows, everything.
    for band in [1, 301 * 4 * 7, 1 << 20] {
        assert_close(&on_gpu(&ctx, &preset, Precision::F32, 1, Some(band), &[&image]), &expected, 1e-6);
    }
}

#[test]
fn a_batch_holds_pictures_of_many_sizes() {
    let ctx = context();
    let preset = Preset::custom(19, [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]).unwrap();
    let sizes = [(40, 30), (40, 30), (40, 30), (7, 5), (19, 19), (19, 19), (90, 4), (1, 1)];
    let images: Vec<RgbaImage> = sizes.iter().zip(0..).map(|(&(width, height), seed)| pattern(width, height, seed)).collect();
    let references: Vec<&RgbaImage> = images.iter().collect();
    let expected: Vec<f32> = images.iter().flat_map(|image| resample::preprocess(image, &preset)).collect();
    for band in [None, Some(2 * 40 * 30 * 4), Some(16)] {
        let ours = on_gpu(&ctx, &preset, Precision::F32, sizes.len() + 1, band, &references);
        let (filled, rest) = ours.split_at(expected.len());
        assert_close(filled, &expected, 1e-6);
        assert!(rest.iter().all(|v| *v == 0.0), "the place without a picture was written");
    }
}

#[test]
fn later_pictures_of_one_size_replace_earlier_ones() {
    let ctx = context();
    let preset = Preset::named("cifar").unwrap();
    let output = Tensor::zeros(&ctx, "input", Shape::new(2, 3, 32, 32), Precision::F32).unwrap();
    let mut preprocessor = Preprocessor::new(&ctx, preset.clone(), output.clone()).unwrap();
    for seed in [1, 2] {
        let images = [pattern(32, 32, seed), pattern(32, 32, seed + 10)];
        preprocessor.run(&ctx, &[&images[0], &images[1]]).unwrap();
        let expected: Vec<f32> = images.iter().flat_map(|image| resample::preprocess(image, &preset)).collect();
        assert_close(&pollster::block_on(output.read_nchw(&ctx)).unwrap(), &expected, 1e-6);
    }
}

#[test]
fn a_frame_in_a_texture_gives_what_the_picture_gives() {
    let ctx = context();
    for case in cases().resize {
        let (preset, image) = (case.preset(), open(&case.file));
        let expected = on_gpu(&ctx, &preset, Precision::F32, 1, None, &[&image]);
        let shape = Shape::new(1, 3, preset.crop.1 as usize, preset.crop.0 as usize);
        let output = Tensor::zeros(&ctx, "input", shape, Precision::F32).unwrap();
        let mut preprocessor = Preprocessor::new(&ctx, preset, output.clone()).unwrap();
        assert!(matches!(preprocessor.run_frame(&ctx), Err(reslab::Error::Usage(_))));
        let (texture, is_new) = preprocessor.frame_texture(&ctx, (image.width, image.height)).unwrap();
        assert!(is_new && !pollster::block_on(texture.is_filled(ctx.gpu().unwrap())).unwrap());
        texture.write(ctx.gpu().unwrap(), &image.pixels);
        preprocessor.run_frame(&ctx).unwrap();
        assert_close(&pollster::block_on(output.read_nchw(&ctx)).unwrap(), &expected, 1e-6);
        // The next frame of this size takes the same place; one of another size does not.
        assert!(!preprocessor.frame_texture(&ctx, (image.width, image.height)).unwrap().1);
        assert!(preprocessor.frame_texture(&ctx, (image.width + 1, image.height)).unwrap().1);
    }
    assert!(matches!(reslab::device::FrameTexture::new(ctx.gpu().unwrap(), 0, 5), Err(reslab::Error::Usage(_))));
    assert!(matches!(reslab::device::FrameTexture::new(ctx.gpu().unwrap(), 1 << 20, 5), Err(reslab::Error::Limit { .. })));
}

#[test]
fn small_pictures_are_padded_and_thin_ones_survive() {
    let ctx = context();
    let mut preset = Preset::custom(31, [0.0; 3], [1.0; 3]).unwrap();
    preset.resize = Resize::Shorter(8);
    for (width, height) in [(30, 30), (1000, 3), (3, 1000), (16_384, 1)] {
        let image = pattern(width, height, 9);
        let expected = resample::preprocess(&image, &preset);
        assert!(expected[..31].iter().all(|v| *v == 0.0) || height > width, "the first row is padding");
        assert_close(&on_gpu(&ctx, &preset, Precision::F32, 1, None, &[&image]), &expected, 1e-6);
    }
}

#[test]
fn wrong_uses_are_explained() {
    let ctx = context();
    let tensor = |c, side| Tensor::zeros(&ctx, "input", Shape::new(1, c, side, side), Precision::F32).unwrap();
    let preset = Preset::named("cifar").unwrap();
    let error = Preprocessor::new(&ctx, preset.clone(), tensor(3, 64)).unwrap_err().to_string();
    assert!(error.contains("3 channels and 32 x 32") && error.contains("64 x 64"), "{error}");
    assert!(Preprocessor::new(&ctx, preset.clone(), tensor(2, 32)).is_err());
    let image = pattern(4, 4, 0);
    let error = Preprocessor::new(&ctx, preset, tensor(3, 32)).unwrap().run(&ctx, &[&image, &image]).unwrap_err();
    assert!(error.to_string().contains("2 pictures do not fit into a batch of 1"), "{error}");
}

/// By hand, on photographs of your own: `python tests/fixtures/images/make.py --photos IN OUT` and then
/// `RESLAB_PHOTOS=OUT cargo test --test device preprocess:: -- --ignored --nocapture photographs`.
#[test]
#[ignore = "needs photographs; see its comment"]
fn photographs() {
    let folder = PathBuf::from(std::env::var("RESLAB_PHOTOS").expect("RESLAB_PHOTOS names the folder made by make.py"));
    let read = |name: &str| decode(name, &std::fs::read(folder.join(name)).unwrap()).unwrap();
    let text = std::fs::read_to_string(folder.join("photos.json")).unwrap();
    let photos: Vec<String> = serde_json::from_str(&text).unwrap();
    assert!(!photos.is_empty());
    let ctx = context();
    for photo in photos {
        let (ours, pillows) = (read(&photo), read(&format!("{photo}.decoded.png")));
        let (a, b) = (rgb(&ours), rgb(&pillows));
        let over = a.iter().zip(&b).filter(|(a, b)| a.abs_diff(**b) > 2).count();
        println!(
            "{photo} {} x {}: decoding differs by at most {}, by more than 2 in {:.4} %",
            ours.width,
            ours.height,
            worst(&a, &b),
            100.0 * over as f64 / a.len() as f64
        );
        for name in Preset::NAMES {
            let expected = rgb(&read(&format!("{photo}.{name}.png")));
            let preset = Preset::named(name).unwrap();
            let (factor, offset) = preset.affine();
            let area = preset.crop.0 as usize * preset.crop.1 as usize;
            let level = |image: &RgbaImage| {
                let values = on_gpu(&ctx, &preset, Precision::F32, 1, None, &[image]);
                let order = preset.channel_order.indices();
                let at = |i: usize, c: usize| (values[c * area + i] - offset[c]) / factor[c];
                let error = |(i, c): (usize, usize)| (at(i, c) - f32::from(expected[i * 3 + order[c]])).abs();
                (0..area).flat_map(|i| (0..3).map(move |c| (i, c))).map(error).fold(0.0, f32::max)
            };
            let (resize, both) = (level(&pillows), level(&ours));
            println!("    {name}: resize alone {resize:.3}, with decoding {both:.3}");
            assert!(both <= 2.001, "{photo}: {name} differs by {both}");
        }
    }
}
