//! `reslab.js`: the classifier as an ES module for other pages, without the page of this project.
//!
//! ```js
//! import init, { Classifier } from './reslab.js';
//! await init();
//! const classifier = await Classifier.load('cats.safetensors');
//! const { classes } = await classifier.classify(document.querySelector('img'), { top: 3 });
//! ```
//!
//! Only this binary has JavaScript exports: in the library they would be part of the page too. docs/export.md is the manual.

#[cfg(target_arch = "wasm32")]
mod classifier {
    use std::rc::Rc;

    use futures_util::lock::Mutex;
    use js_sys::{Array, Float32Array, Function, JSON, JsString, Object, Promise, Reflect};
    use reslab::device::{DeviceChoice, DeviceKind, DeviceOptions};
    use reslab::engine::{Classification, DeviceInfo, Engine, Heatmap, HeatmapKind, ModelInfo, Origin, PrecisionChoice};
    use reslab::weights::Choices;
    use reslab::{Error, data, engine, web};
    use serde::{Deserialize, de::DeserializeOwned};
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::future_to_promise;

    #[wasm_bindgen(typescript_custom_section)]
    const TYPES: &str = r#"
/** What can be classified. Elements, bitmaps and canvases count in their own size, a video with its present frame. */
export type Source =
  | HTMLImageElement | HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap | ImageData | Blob;

/** How to load a model. */
export interface LoadOptions {
  /** Name for errors and `classifier.name`; by default that of the file. */
  name?: string;
  /** Class names in the order of the network's outputs; by default the file's. */
  labels?: string[];
  /** Name of a preset of the pixels (`imagenet`, `timm-a1`, `cifar`, ...); by default what the file says. */
  preset?: string;
  /**
   * What computes: `auto`, the default, is a graphics card, else the processor (in a Web Worker); `gpu`, `cpu` and `software` are that one
   * or an error.
   */
  device?: 'auto' | 'gpu' | 'cpu' | 'software';
  /** What the file does not say itself: the network's name, where others have the same shapes (`resnet50-caffe`, ...). */
  as?: string;
  /** Step of the first convolution. */
  stemStride?: number;
  /** Whether a max pool follows it. */
  stemPool?: boolean;
  /** Which convolution of a bottleneck block has the stride. */
  strideOn?: 'conv3x3' | 'conv1x1';
  /** `false`: the weights as they were last, where the file also holds their average. */
  ema?: boolean;
  /** Which network of a file with several: what its names begin with. */
  prefix?: string;
  /** The text or content of a `config.json` that belongs to the file. */
  config?: string | object;
  /** Element type on the GPU. `auto`, the default, is f16 on a real GPU that has it and f32 elsewhere. */
  precision?: 'auto' | 'f32' | 'f16';
  /** Hears of the share done, 0 to 1. */
  onProgress?: (share: number) => void;
}

/** What to say of a picture. */
export interface ClassifyOptions {
  /** How many classes, the most probable first; 5 by default. */
  top?: number;
  /** Where the network looks for a class: that of this index, or the most probable one. Takes a second pass. */
  heatmap?: number | 'top';
}

/** A class and how probable it is. */
export interface Prediction {
  label: string;
  /** Which of the network's outputs it is, counted from 0. */
  index: number;
  /** 0 to 1; over all classes they add up to 1, unless the network was trained with a sigmoid. */
  probability: number;
}

/** How much each part of what the network sees, the central crop of the picture, speaks for a class. */
export interface Heatmap {
  index: number;
  width: number;
  height: number;
  /** Row by row, 0 to 1. */
  values: Float32Array;
}

/** What a picture shows. */
export interface Classification {
  classes: Prediction[];
  /** Milliseconds from its pixels to the probabilities. */
  ms: number;
  /** Where it was asked for. */
  heatmap?: Heatmap;
}

/** What the network runs on. */
export interface Device {
  kind: 'gpu' | 'cpu' | 'software';
  name: string;
  /** A CPU that stands in for a GPU: slow. */
  software: boolean;
}
"#;

    /// A network on this device's GPU.
    #[wasm_bindgen]
    pub struct Classifier {
        // Shared with the promises that are under way, so that `free` may be called at any time.
        shared: Rc<Shared>,
    }

    struct Shared {
        // One picture at a time.
        engine: Mutex<Engine>,
        info: ModelInfo,
        device: DeviceInfo,
        options: DeviceOptions,
    }

    impl Drop for Shared {
        fn drop(&mut self) {
            // The GPU's memory comes back at once, not when the browser gets round to it.
            self.engine.get_mut().context().destroy();
        }
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct LoadOptions {
        name: Option<String>,
        labels: Option<Vec<String>>,
        preset: Option<String>,
        precision: Option<String>,
        device: Option<String>,
        config: Option<serde_json::Value>,
        #[serde(flatten)]
        choices: Choices,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ClassifyOptions {
        top: Option<usize>,
        heatmap: Option<MapOf>,
    }

    /// Whose heatmap is wanted.
    #[derive(Clone, Copy, Deserialize)]
    #[serde(untagged)]
    enum MapOf {
        Index(usize),
        Word(Top),
    }

    #[derive(Clone, Copy, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Top {
        Top,
    }

    #[wasm_bindgen]
    impl Classifier {
        /// Opens the GPU and loads a model: safetensors or a PyTorch file, by its address or as bytes.
        pub async fn load(
            #[wasm_bindgen(unchecked_param_type = "string | URL | ArrayBuffer | Uint8Array | Blob")] source: JsValue,
            #[wasm_bindgen(unchecked_optional_param_type = "LoadOptions")] options: JsValue,
        ) -> Result<Classifier, JsError> {
            let progress = progress_of(&options)?;
            let options: LoadOptions = parse("Classifier.load", &options)?;
            let precision = match options.precision.as_deref() {
                None | Some("auto") => PrecisionChoice::Auto,
                Some("f32") => PrecisionChoice::F32,
                Some("f16") => PrecisionChoice::F16,
                Some(other) => return Err(JsError::new(&format!("precision is 'auto', 'f32' or 'f16', not '{other}'"))),
            };
            let pixels = options.preset.as_deref().map(data::Preset::named).transpose()?;
            let choice = options.device.as_deref().map(str::parse::<DeviceChoice>).transpose()?;
            let device = DeviceOptions { choice: choice.unwrap_or_default(), ..DeviceOptions::default() };
            if choice == Some(DeviceChoice::Kind(DeviceKind::Gpu)) && !web::webgpu_available() {
                let why =
                    "this browser has no WebGPU here; it needs a newer browser, and a page served over https or from localhost";
                return Err(Error::NoAdapter(why.into()).into());
            }
            let (file, bytes) = web::file_of(&source, |share| progress(share / 2.0)).await?;
            let name = options.name.unwrap_or(file);
            let mut engine = open(device).await?;
            engine.set_precision(precision, &mut |_| ()).await?;
            let beside = match options.config {
                Some(serde_json::Value::String(text)) => vec![("config.json".into(), text.into_bytes())],
                Some(config) => vec![("config.json".into(), config.to_string().into_bytes())],
                None => Vec::new(),
            };
            let (labels, choices) = (options.labels, options.choices);
            let load = engine::LoadOptions { origin: Origin::OwnFile, pixels, labels, choices, beside, ..Default::default() };
            let info = engine.load(&name, &bytes, &load, &mut |share| progress(0.5 + share / 2.0)).await?;
            if info.labels.is_empty() {
                return Err(JsError::new(&format!("`{name}` ends in features without a head, so it names no classes")));
            }
            let shared = Shared { device: engine.device(), engine: Mutex::new(engine), info, options: device };
            Ok(Self { shared: Rc::new(shared) })
        }

        /// Says what a picture shows. Calls that come while one is under way wait for it.
        #[wasm_bindgen(unchecked_return_type = "Promise<Classification>")]
        pub fn classify(
            &self,
            #[wasm_bindgen(unchecked_param_type = "Source")] source: JsValue,
            #[wasm_bindgen(unchecked_optional_param_type = "ClassifyOptions")] options: JsValue,
        ) -> Promise {
            let shared = self.shared.clone();
            future_to_promise(async move { Ok(classify(&shared, &source, &options).await?) })
        }

        /// What the model is called.
        #[wasm_bindgen(getter)]
        pub fn name(&self) -> String {
            self.shared.info.name.clone()
        }

        /// Its network, `resnet18`.
        #[wasm_bindgen(getter)]
        pub fn architecture(&self) -> String {
            self.shared.info.arch.clone()
        }

        /// What the file could not tell and was assumed, as sentences.
        #[wasm_bindgen(getter)]
        pub fn assumed(&self) -> Vec<String> {
            self.shared.info.assumed.clone()
        }

        /// What else is to be known of how the file was read, as sentences.
        #[wasm_bindgen(getter)]
        pub fn notes(&self) -> Vec<String> {
            self.shared.info.notes.clone()
        }

        /// What it can answer, in the order of the network's outputs; a network with one output answers its name or "not" it.
        #[wasm_bindgen(getter)]
        pub fn labels(&self) -> Vec<String> {
            self.shared.info.labels.clone()
        }

        /// Width and height in pixels of what the network sees. Pictures of any size are brought to it.
        #[wasm_bindgen(getter, js_name = inputSize, unchecked_return_type = "{ width: number; height: number }")]
        pub fn input_size(&self) -> Object {
            let (width, height) = self.shared.info.pixels.crop;
            object(&[("width", width.into()), ("height", height.into())])
        }

        /// What it runs on.
        #[wasm_bindgen(getter, unchecked_return_type = "Device")]
        pub fn device(&self) -> Object {
            let adapter = &self.shared.device.adapter;
            object(&[
                ("kind", self.shared.device.kind.to_string().into()),
                ("name", adapter.name.as_str().into()),
                ("software", adapter.software.into()),
            ])
        }
    }

    async fn open(device: DeviceOptions) -> Result<Engine, Error> {
        Engine::open(device).await
    }

    async fn classify(shared: &Shared, source: &JsValue, options: &JsValue) -> Result<JsValue, JsError> {
        let options: ClassifyOptions = parse("classify", options)?;
        let image = web::pixels_of(source).await?;
        let mut engine = shared.engine.lock().await;
        let found = match look(&mut engine, &image, &options).await {
            Err(Error::DeviceLost(_)) => {
                // The weights are still here: a new device, and once more.
                engine.reopen(shared.options).await?;
                engine.replan(&mut |_| ()).await?;
                look(&mut engine, &image, &options).await?
            }
            found => found?,
        };
        Ok(to_js(&found.0, found.1).into())
    }

    async fn look(
        engine: &mut Engine,
        image: &data::RgbaImage,
        options: &ClassifyOptions,
    ) -> Result<(Classification, Option<Heatmap>), Error> {
        let mut found = engine.classify(image, options.top.unwrap_or(5).max(1)).await?;
        let class = match options.heatmap {
            None => None,
            Some(MapOf::Index(class)) => Some(class),
            Some(MapOf::Word(Top::Top)) => found.top.first().map(|best| best.class),
        };
        found.top.truncate(options.top.unwrap_or(5));
        let Some(class) = class else { return Ok((found, None)) };
        Ok((found, Some(engine.heatmap(image, class, &HeatmapKind::Cam).await?)))
    }

    fn to_js(found: &Classification, heatmap: Option<Heatmap>) -> Object {
        let classes = found.top.iter().map(|class| {
            let probability = f64::from(class.probability).into();
            object(&[("label", class.label.as_str().into()), ("index", class.class.into()), ("probability", probability)])
        });
        let answer = object(&[("classes", classes.collect::<Array>().into()), ("ms", found.ms.into())]);
        if let Some(Heatmap { class, width, height, values }) = heatmap {
            let values = Float32Array::from(&values[..]).into();
            let map = [("index", class.into()), ("width", width.into()), ("height", height.into()), ("values", values)];
            // Fails for frozen objects only.
            let _ = Reflect::set(&answer, &"heatmap".into(), &object(&map));
        }
        answer
    }

    /// Options as plain data; functions among them are left out.
    fn parse<T: DeserializeOwned + Default>(what: &str, options: &JsValue) -> Result<T, JsError> {
        if options.is_undefined() || options.is_null() {
            return Ok(T::default());
        }
        let wrong = |reason: &str| JsError::new(&format!("the options of {what} cannot be used: {reason}"));
        let text = JSON::stringify(options).ok().and_then(|text| text.dyn_into::<JsString>().ok()).map(String::from);
        let text = text.ok_or_else(|| wrong("an object was expected"))?;
        serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))
    }

    fn progress_of(options: &JsValue) -> Result<impl Fn(f32) + use<>, JsError> {
        let given = Reflect::get(options, &"onProgress".into()).ok().filter(|value| !value.is_undefined() && !value.is_null());
        let function = match given.map(JsCast::dyn_into::<Function>) {
            Some(Err(_)) => return Err(JsError::new("onProgress is not a function")),
            Some(Ok(function)) => Some(function),
            None => None,
        };
        Ok(move |share: f32| {
            if let Some(function) = &function {
                // What it throws is its own affair.
                let _ = function.call1(&JsValue::UNDEFINED, &f64::from(share).into());
            }
        })
    }

    fn object(entries: &[(&str, JsValue)]) -> Object {
        let object = Object::new();
        for (key, value) in entries {
            // Fails for frozen objects only.
            let _ = Reflect::set(&object, &(*key).into(), value);
        }
        object
    }
}

/// Runs when the module is initialised.
#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
}

/// There is no such program outside of browsers.
#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("reslab-module is compiled to WebAssembly: `trunk build` makes dist/reslab.js of it");
}
