//! The processor's part of the page: what www/processor.js runs in a Web Worker. A binary of its own, so that a visitor who has a
//! graphics card does not fetch it, and so that it has nothing but the kernels and their executor.

#[cfg(target_arch = "wasm32")]
mod worker {
    use std::collections::HashMap;

    use js_sys::{Float64Array, Uint8Array};
    use reslab_cpu::{Error, Executor, Step};
    use wasm_bindgen::prelude::*;

    /// An executor with its programs. Errors are the executor's, as JSON.
    #[wasm_bindgen]
    pub struct Processor {
        executor: Executor,
        programs: HashMap<u32, Vec<Step>>,
    }

    fn text(error: Error) -> JsValue {
        serde_json::to_string(&error).unwrap_or_else(|_| error.to_string()).into()
    }

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = performance, js_name = now)]
        fn now_ms() -> f64;
    }

    #[wasm_bindgen]
    impl Processor {
        /// Without buffers.
        #[wasm_bindgen(constructor)]
        pub fn new() -> Result<Processor, JsValue> {
            Ok(Self { executor: Executor::new(1).map_err(text)?, programs: HashMap::new() })
        }

        /// The instruction set in use.
        pub fn instructions(&self) -> String {
            self.executor.instructions().into()
        }

        /// A buffer of zeros.
        pub fn alloc(&mut self, id: u32, bytes: f64) -> Result<(), JsValue> {
            self.executor.alloc(id, bytes as u64).map_err(text)
        }

        /// Gives a buffer back.
        pub fn free(&mut self, id: u32) {
            self.executor.free(id);
        }

        /// Writes bytes into a buffer.
        pub fn write(&mut self, id: u32, offset: f64, bytes: &[u8]) -> Result<(), JsValue> {
            self.executor.write(id, offset as u64, bytes).map_err(text)
        }

        /// Packs a convolution's weights into a buffer; where and how, as JSON.
        pub fn pack(&mut self, how: &str, weight: &[f32]) -> Result<(), JsValue> {
            let (to, method, conv) = serde_json::from_str(how).map_err(|error| error.to_string())?;
            self.executor.pack(to, &method, &conv, weight).map_err(text)
        }

        /// Reads bytes of a buffer.
        pub fn read(&self, id: u32, offset: f64, bytes: f64) -> Result<Uint8Array, JsValue> {
            Ok(Uint8Array::from(&self.executor.read(id, offset as u64, bytes as u64).map_err(text)?[..]))
        }

        /// Keeps a list of steps, as JSON.
        pub fn program(&mut self, id: u32, steps: &str) -> Result<(), JsValue> {
            let steps = serde_json::from_str(steps).map_err(|error| error.to_string())?;
            self.programs.insert(id, steps);
            Ok(())
        }

        /// Forgets a list of steps.
        pub fn forget(&mut self, id: u32) {
            self.programs.remove(&id);
        }

        /// Runs a list of steps.
        pub fn run(&mut self, id: u32) -> Result<(), JsValue> {
            self.executor.run(self.programs.get(&id).map_or(&[], Vec::as_slice)).map_err(text)
        }

        /// Runs a list of steps and times each, in milliseconds.
        pub fn time(&mut self, id: u32) -> Result<Float64Array, JsValue> {
            let steps = self.programs.get(&id).map_or(&[][..], Vec::as_slice);
            Ok(Float64Array::from(&self.executor.run_timed(steps, now_ms).map_err(text)?[..]))
        }
    }
}

fn main() {}
