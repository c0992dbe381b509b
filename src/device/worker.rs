//! The processor's executor in a Web Worker (src/processor.rs): commands go there in order, errors and results come back as values.
//!
//! A message is an array `[method, token, ...arguments]`; one with a token other than 0 is answered by `[token, value, error]`, and an
//! error without a token is the fault of a command that nobody waits for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::{Array, Float32Array, Float64Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, WorkerOptions, WorkerType};

use crate::cpu::{Conv, ConvMethod, Span, Step};
use crate::{Error, Result, cpu};

#[wasm_bindgen]
extern "C" {
    /// Where this program's JavaScript is: the worker's is beside it, in the page and in somebody else's.
    #[wasm_bindgen(thread_local_v2, js_namespace = ["import", "meta"], js_name = url)]
    static HERE: String;
}

thread_local! {
    /// What makes the worker, where the page's JavaScript has a way of its own.
    static MAKE: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Has the worker made by this function: bundlers take along what JavaScript names, not what a program does.
pub fn processor_from(make: Function) {
    MAKE.set(Some(make));
}

/// The worker's script.
const SCRIPT: &str = "processor.js";

pub(super) struct Queue {
    worker: web_sys::Worker,
    replies: Rc<Replies>,
    // The worker calls them as long as it lives.
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(JsValue)>,
}

#[derive(Default)]
struct Replies {
    last: Cell<u32>,
    waiting: RefCell<HashMap<u32, oneshot::Sender<Result<JsValue>>>>,
    fault: RefCell<Option<Error>>,
}

impl Replies {
    /// Ends all waiting, and every later command.
    fn fail(&self, error: &Error) {
        self.fault.borrow_mut().get_or_insert_with(|| error.clone());
        for (_, waiting) in self.waiting.borrow_mut().drain() {
            // Nobody waits any more when the future was dropped.
            let _ = waiting.send(Err(error.clone()));
        }
    }

    fn take(&self, message: &Array) {
        let token = message.get(0).as_f64().unwrap_or_default() as u32;
        let result = match message.get(2).as_string() {
            None => Ok(message.get(1)),
            Some(text) => Err(error_of(&text)),
        };
        match (self.waiting.borrow_mut().remove(&token), result) {
            (Some(waiting), result) => drop(waiting.send(result)),
            (None, Err(error)) => drop(self.fault.borrow_mut().get_or_insert(error)),
            (None, Ok(_)) => {}
        }
    }
}

/// An error as it crossed: the executor's as JSON, the browser's in its words.
fn error_of(text: &str) -> Error {
    match serde_json::from_str::<cpu::Error>(text) {
        Ok(error) => error.into(),
        Err(_) => Error::DeviceLost(text.to_owned()),
    }
}

fn make_worker() -> std::result::Result<web_sys::Worker, JsValue> {
    if let Some(make) = MAKE.with_borrow(Clone::clone) {
        return make.call0(&JsValue::UNDEFINED)?.dyn_into();
    }
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let url = HERE.with(|here| web_sys::Url::new_with_base(SCRIPT, here))?;
    web_sys::Worker::new_with_options(&url.href(), &options)
}

impl Queue {
    /// `threads` are the browser's matter: a worker has one.
    pub(super) async fn open(_threads: usize) -> Result<Self> {
        let worker = make_worker().map_err(|error| Error::NoAdapter(format!("the browser starts no worker: {error:?}")))?;
        let replies = Rc::new(Replies::default());
        let hear = replies.clone();
        let on_message = Closure::new(move |event: MessageEvent| {
            if let Ok(message) = event.data().dyn_into::<Array>() {
                hear.take(&message);
            }
        });
        let hear = replies.clone();
        let on_error = Closure::new(move |_: JsValue| {
            hear.fail(&Error::NoAdapter("the processor's part of the page could not be loaded; check the connection".into()));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let queue = Self { worker, replies, _on_message: on_message, _on_error: on_error };
        // Its wasm may be missing, or the browser too old for SIMD.
        queue.ask("instructions", &Array::new()).await?;
        Ok(queue)
    }

    pub(super) fn threads(&self) -> usize {
        1
    }

    pub(super) fn check(&self) -> Result<()> {
        self.replies.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    pub(super) fn alloc(&self, id: u32, bytes: u64) -> Result<()> {
        self.tell("alloc", &[id.into(), (bytes as f64).into()]);
        Ok(())
    }

    pub(super) fn free(&self, id: u32) {
        self.tell("free", &[id.into()]);
    }

    pub(super) fn write(&self, id: u32, offset: u64, bytes: &[u8]) {
        let bytes = Uint8Array::from(bytes);
        let buffer = bytes.buffer();
        self.post("write", 0, &[id.into(), (offset as f64).into(), bytes.into()], Some(&buffer));
    }

    pub(super) fn pack(&self, to: Span, method: &ConvMethod, conv: &Conv, weight: &[f32]) {
        match serde_json::to_string(&(to, method, conv)) {
            Ok(how) => {
                let weight = Float32Array::from(weight);
                let buffer = weight.buffer();
                self.post("pack", 0, &[how.into(), weight.into()], Some(&buffer));
            }
            Err(error) => self.fault(error),
        }
    }

    pub(super) async fn read(&self, id: u32, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        let place = Array::of3(&id.into(), &(offset as f64).into(), &(bytes as f64).into());
        Ok(self.ask("read", &place).await?.unchecked_into::<Uint8Array>().to_vec())
    }

    pub(super) fn program(&self, id: u32, steps: Vec<Step>) {
        match serde_json::to_string(&steps) {
            Ok(text) => self.tell("program", &[id.into(), text.into()]),
            Err(error) => self.fault(error),
        }
    }

    /// Numbers and lists have no form that JSON lacks.
    fn fault(&self, error: serde_json::Error) {
        self.replies.fault.borrow_mut().get_or_insert(Error::Usage(error.to_string()));
    }

    pub(super) fn forget(&self, id: u32) {
        self.tell("forget", &[id.into()]);
    }

    pub(super) fn run(&self, id: u32) -> Result<()> {
        self.tell("run", &[id.into()]);
        Ok(())
    }

    pub(super) async fn time(&self, id: u32) -> Result<Vec<f64>> {
        let times = self.ask("time", &Array::of1(&id.into())).await?;
        Ok(times.unchecked_into::<Float64Array>().to_vec())
    }

    fn tell(&self, method: &str, arguments: &[JsValue]) {
        self.post(method, 0, arguments, None);
    }

    async fn ask(&self, method: &str, arguments: &Array) -> Result<JsValue> {
        let (sender, receiver) = oneshot::channel();
        let token = self.replies.last.get().wrapping_add(1).max(1);
        self.replies.last.set(token);
        self.replies.waiting.borrow_mut().insert(token, sender);
        self.post(method, token, &arguments.to_vec(), None);
        receiver.await.unwrap_or_else(|_| Err(Error::DeviceLost("the processor's worker was stopped".into())))
    }

    fn post(&self, method: &str, token: u32, arguments: &[JsValue], transfer: Option<&JsValue>) {
        let message = Array::of2(&method.into(), &token.into());
        for argument in arguments {
            message.push(argument);
        }
        let posted = match transfer {
            Some(buffer) => self.worker.post_message_with_transfer(&message, &Array::of1(buffer)),
            None => self.worker.post_message(&message),
        };
        if let Err(error) = posted {
            self.replies.fail(&Error::DeviceLost(format!("the browser took no message to the processor: {error:?}")));
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}
