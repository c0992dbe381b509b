//! An error, said where the user looks.

use leptos::prelude::*;
use rust_i18n::t;

use super::format;
use crate::Error;
use crate::error::{Fault, kind_key};

/// An error as a sentence of the page's language, by its kind. What drivers and libraries say of it goes to the console; what the core
/// says of a detail is English, and the sentence around it says so in other languages.
pub fn sentence(error: &Error) -> String {
    match error {
        Error::Image { file: name, reason } | Error::File { name, reason } => match name.is_empty() {
            true => fault(reason),
            false => format!("{name}: {}", fault(reason)),
        },
        Error::Network { url, reason } => t!("error.network", url = url, reason = fault(reason)).into_owned(),
        Error::NoAdapter(_) | Error::DeviceLost(_) | Error::Gpu { .. } | Error::Processor(_) => {
            log::warn!("{error}");
            match error {
                Error::NoAdapter(_) => t!("error.no_adapter"),
                Error::DeviceLost(_) => t!("error.device_lost"),
                Error::Gpu { .. } => t!("error.gpu"),
                _ => t!("error.processor"),
            }
            .into_owned()
        }
        Error::Limit { what, needed, limit, hint } => {
            let [needed, limit] = [needed, limit].map(|bytes| format::bytes(*bytes));
            t!("error.limit", what = what, needed = needed, limit = limit, detail = hint).into_owned()
        }
        Error::WeightsFile { file, reason } => t!("error.weights_file", file = file, detail = reason).into_owned(),
        Error::TensorMismatch { .. } => t!("error.tensor", detail = error).into_owned(),
        Error::UnknownArchitecture(detail) => t!("error.architecture", detail = detail).into_owned(),
        Error::Spec(detail) => t!("error.spec", detail = detail).into_owned(),
        Error::Unknown { .. } => t!("error.unknown", detail = error).into_owned(),
        Error::Io { path, reason } => t!("error.io", path = path, detail = reason).into_owned(),
        Error::Cancelled => t!("error.cancelled").into_owned(),
        // The studio, which alone keeps things, has a sentence for each (`studio/keeping.rs`).
        Error::Storage(trouble) => t!("error.usage", detail = trouble).into_owned(),
        Error::Usage(detail) => t!("error.usage", detail = detail).into_owned(),
    }
}

/// A reason in the page's language; English is the core's own, in the part that it arises in.
pub fn fault(fault: &Fault) -> String {
    let language = rust_i18n::locale();
    let known = |key: &str| crate::_rust_i18n_try_translate(&language, key);
    let Some(text) = fault.key().and_then(known) else { return fault.to_string() };
    fault.arguments().into_iter().fold(text.into_owned(), |text, (name, value)| {
        let value = value.to_string();
        let value = if name == "what" { known(&kind_key(&value)).map_or(value, |kind| kind.into_owned()) } else { value };
        text.replace(&format!("%{{{name}}}"), &value)
    })
}

/// Shows the sentence in `text` until it is closed or replaced.
#[component]
pub fn Notice(text: RwSignal<Option<String>>, testid: &'static str) -> impl IntoView {
    move || {
        text.get().map(|sentence| {
            view! {
                <div class="notice" role="alert" data-testid=testid>
                    <p>{sentence}</p>
                    <button type="button" class="notice__close" aria-label=t!("shell.close_message") on:click=move |_| text.set(None)>
                        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
                            <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" />
                        </svg>
                    </button>
                </div>
            }
        })
    }
}
