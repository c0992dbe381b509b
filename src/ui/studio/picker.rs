//! Buttons that open the browser's file dialog.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{File, HtmlInputElement};

use crate::web::{self, Folders};

/// What a dialog offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Pictures and archives.
    Files,
    /// Pictures alone.
    Pictures,
    /// One archive.
    Archive,
}

/// Chooses files.
#[component]
pub fn FileButton(
    pick: Pick,
    #[prop(into)] label: String,
    #[prop(into)] testid: String,
    #[prop(optional)] main: bool,
    #[prop(into)] chosen: Callback<Vec<File>>,
) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let (accept, many) = match pick {
        Pick::Files => ("image/*,video/*,.tif,.tiff,.ppm,.pgm,.pnm,.tga,.qoi,.zip", true),
        Pick::Pictures => ("image/*,.tif,.tiff,.ppm,.pgm,.pnm,.tga,.qoi", true),
        Pick::Archive => (".zip,application/zip,.tm,.tar,.tgz,.gz,.npz", false),
    };
    let take = move |event: web_sys::Event| {
        if let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) {
            chosen.run(web::files_from_input(&input));
        }
    };
    view! {
        <button type="button" class="button" class:button--main=main data-testid=testid.clone() on:click=move |_| click(input)>
            {label.clone()}
        </button>
        <input
            node_ref=input
            class="hidden"
            type="file"
            accept=accept
            multiple=many
            tabindex="-1"
            aria-hidden="true"
            data-testid=format!("{testid}-input")
            on:change=take
        />
    }
}

/// Chooses a folder with all that is in it; nothing where the browser cannot.
#[component]
pub fn FolderButton(
    #[prop(into)] label: String,
    #[prop(into)] testid: String,
    #[prop(into)] chosen: Callback<crate::Result<Folders>>,
) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let take = move |event: web_sys::Event| {
        if let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) {
            chosen.run(web::folders_from_input(&input));
        }
    };
    web::folders_work().then(|| {
        view! {
            <button type="button" class="button" data-testid=testid.clone() on:click=move |_| click(input)>
                {label.clone()}
            </button>
            <input
                node_ref=input
                class="hidden"
                type="file"
                multiple
                tabindex="-1"
                aria-hidden="true"
                data-testid=format!("{testid}-input")
                prop:webkitdirectory=true
                on:change=take
            />
        }
    })
}

fn click(input: NodeRef<html::Input>) {
    if let Some(input) = input.get_untracked() {
        input.click();
    }
}
