//! `reslab.js`: the classifier as an ES module for other pages, without the page of this project.
//!
//! ```js
//! import init, { Classifier } from './reslab.js';
//! await init();
//! const classifier = await Classifier.load('cats.safetensors');
//! const { classes } = await classifier.classify(document.querySelector('img'), { top: 3 });
//! ```
//!
//! www/reslab.js stands before it: it checks what it is given, and its types are www/reslab.d.ts. Only this binary has JavaScript exports:
//! in the library they would be part of the page too. docs/export.md is the manual.

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
        /// Opens the device and loads a model, by its address or as bytes.
        pub async fn load(source: JsValue, options: JsValue, on_progress: Option<Function>) -> Result<Classifier, JsError> {
            let progress = |share: f32| {
                if let Some(function) = &on_progress {
                    // What it throws is its own affair.
                    let _ = function.call1(&JsValue::UNDEFINED, &f64::from(share).into());
                }
            };
            let options: LoadOptions = parse(&options)?;
            let precision = match options.precision.as_deref() {
                Some("f32") => PrecisionChoice::F32,
                Some("f16") => PrecisionChoice::F16,
                _ => PrecisionChoice::Auto,
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
            let mut opened = engine.device();
            if opened.adapter.name.is_empty() {
                opened.adapter.name = web::adapter_name().await.unwrap_or_default();
            }
            let shared = Shared { device: opened, engine: Mutex::new(engine), info, options: device };
            Ok(Self { shared: Rc::new(shared) })
        }

        /// Says what a picture shows. Calls that come while one is under way wait for it.
        pub fn classify(&self, source: JsValue, options: JsValue) -> Promise {
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
        #[wasm_bindgen(getter, js_name = inputSize)]
        pub fn input_size(&self) -> Object {
            let (width, height) = self.shared.info.pixels.crop;
            object(&[("width", width.into()), ("height", height.into())])
        }

        /// What it runs on.
        #[wasm_bindgen(getter)]
        pub fn device(&self) -> Object {
            let adapter = &self.shared.device.adapter;
            object(&[
                ("kind", self.shared.device.kind.to_string().into()),
                ("name", adapter.name.as_str().into()),
                ("software", adapter.software.into()),
            ])
        }
    }

    /// Has the processor's worker made by a function of www/reslab.js, where bundlers see its address.
    #[wasm_bindgen]
    pub fn processor_from(make: Function) {
        reslab::device::processor_from(make);
    }

    async fn open(device: DeviceOptions) -> Result<Engine, Error> {
        Engine::open(device).await
    }

    async fn classify(shared: &Shared, source: &JsValue, options: &JsValue) -> Result<JsValue, JsError> {
        let options: ClassifyOptions = parse(options)?;
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

    /// Options as plain data; functions among them are left out. That each is what it has to be, www/reslab.js has seen.
    fn parse<T: DeserializeOwned + Default>(options: &JsValue) -> Result<T, JsError> {
        if options.is_undefined() || options.is_null() {
            return Ok(T::default());
        }
        let text = JSON::stringify(options).ok().and_then(|text| text.dyn_into::<JsString>().ok()).map(String::from);
        let parsed = text.and_then(|text| serde_json::from_str(&text).ok());
        parsed.ok_or_else(|| JsError::new("the options cannot be used; docs/export.md lists them"))
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
