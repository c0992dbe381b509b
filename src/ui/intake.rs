//! What people give the page: pictures, weights files, or something else.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;
use wasm_bindgen::JsCast;

use super::lab::Lab;
use super::notice;
use crate::error::Fault;
use crate::web;
use crate::{Error, Result, weights};

/// Endings of networks' files, also of those that are not read: their reader says what they are and what to do. Everything else is taken
/// for a picture.
const WEIGHTS: [&str; 20] = [
    ".safetensors",
    ".safetensors.index.json",
    ".pth",
    ".pth.tar",
    ".pt",
    ".pt2",
    ".th",
    ".bin",
    ".ckpt",
    ".pkl",
    ".npz",
    ".onnx",
    ".h5",
    ".hdf5",
    ".keras",
    ".tflite",
    ".pb",
    // TensorFlow's checkpoints; `.data-00000-of-00001` is one too.
    ".index",
    ".mlmodel",
    ".gguf",
];

impl Lab {
    /// Takes files of any kind: weights become the model, the rest are pictures.
    pub fn take(self, files: Vec<web_sys::File>) {
        let (mut nets, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_weights(&file.name()));
        // A config beside weights says what they are; alone it is no picture, which the decoder says.
        let (configs, pictures): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|file| !nets.is_empty() && weights::is_part(&file.name()));
        self.picture_error.set(None);
        // An index stands for its parts.
        let is_index = |file: &web_sys::File| file.name().ends_with(".index.json") || file.name().ends_with(".index");
        let index = nets.iter().position(is_index).unwrap_or(nets.len().saturating_sub(1));
        if !nets.is_empty() {
            let file = nets.remove(index);
            self.load_file(file, nets.into_iter().chain(configs).collect());
        }
        self.add(pictures.into_iter().map(|file| (file, None)).collect());
    }

    /// Takes what was dropped.
    pub fn take_drop(self, event: &web_sys::DragEvent) {
        // The list of files is only there while the event is handled; the call copies it before it first waits.
        let files = web::files_from_drop(event);
        spawn_local(async move { self.take_or_say(files.await) });
    }

    /// Takes what was pasted; a paste of text alone is nobody's picture.
    pub fn take_paste(self, event: &web_sys::ClipboardEvent) {
        let files = web::files_from_paste(event);
        if files.is_empty() {
            self.picture_error.set(Some(t!("look.clipboard").into_owned()));
        } else {
            event.prevent_default();
            self.take(files);
        }
    }

    /// Takes what was chosen in a file dialog.
    pub fn take_input(self, event: &web_sys::Event) {
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(input) = input else { return };
        self.take(web::files_from_input(&input));
    }

    /// Takes a file chosen as weights, whatever it is called.
    pub fn take_weights_input(self, event: &web_sys::Event) {
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(input) = input else { return };
        self.load_files(web::files_from_input(&input));
    }

    /// Loads the network of these files: its weights, and what belongs to them.
    pub fn load_files(self, mut files: Vec<web_sys::File>) {
        let main = files.iter().position(|file| is_weights(&file.name())).unwrap_or(0);
        if main < files.len() {
            let file = files.remove(main);
            self.load_file(file, files);
        }
    }

    /// Fetches a sample from this page's own folder and takes it as a picture.
    pub fn take_sample(self, file: &str, alt: &str) {
        let (file, alt) = (file.to_owned(), alt.to_owned());
        spawn_local(async move {
            self.picture_error.set(None);
            match fetch_sample(&file).await {
                Ok(file) => self.add(vec![(file, Some(alt))]),
                Err(error) => self.picture_error.set(Some(notice::sentence(&error))),
            }
        });
    }

    fn take_or_say(self, files: Result<Vec<web_sys::File>>) {
        match files {
            Ok(files) => self.take(files),
            Err(error) => self.picture_error.set(Some(notice::sentence(&error))),
        }
    }
}

async fn fetch_sample(file: &str) -> Result<web_sys::File> {
    let url = format!("samples/{file}");
    let bytes = web::fetch_whole(&url).await?;
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes.as_slice()));
    let options = web_sys::FilePropertyBag::new();
    options.set_type("image/webp");
    web_sys::File::new_with_u8_array_sequence_and_options(&parts, file, &options)
        .map_err(|_| Error::File { name: file.into(), reason: Fault::NotMade {} })
}

/// Whether a file of this name is a network rather than a picture or an archive of pictures.
pub fn is_weights(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WEIGHTS.iter().any(|ending| name.ends_with(ending)) || weights::checkpoint_index(&name).is_some()
}
