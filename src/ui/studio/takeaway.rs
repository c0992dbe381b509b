//! The trained network as a file, with lines that use it, and the whole project as an archive.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::watch::NothingTrained;
use crate::engine::{Command, ExportFormat, Recipes};
use crate::ui::notice::{self, Notice};
use crate::ui::workshop::Workshop;
use crate::web;

/// The state; lives as long as the page.
#[derive(Clone, Copy)]
pub struct Exports {
    /// Lines of code for the file that was saved last.
    recipes: RwSignal<Option<Recipes>>,
    error: RwSignal<Option<String>>,
}

impl Exports {
    pub fn new() -> Self {
        Self { recipes: RwSignal::new(None), error: RwSignal::new(None) }
    }

    /// Nothing was saved yet of this network.
    pub fn forget(self) {
        self.recipes.set(None);
        self.error.set(None);
    }

    /// Saves what the engine made.
    pub fn on_exported(self, file_name: &str, bytes: &[u8], recipes: Recipes) {
        match web::save_bytes(file_name, bytes) {
            Ok(()) => self.recipes.set(Some(recipes)),
            Err(error) => self.error.set(Some(notice::sentence(&error))),
        }
    }
}

/// The step.
#[component]
pub fn TakeAway(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let export = move |format: ExportFormat| {
        lab.exports.error.set(None);
        lab.send(Command::Export { format });
    };
    let save_project = move |_| {
        if let Some(id) = studio.project.with_untracked(|project| project.as_ref().map(|project| project.id)) {
            studio.export(id);
        }
    };
    let own = Memo::new(move |_| lab.has_own_network());
    let save = move |testid: &'static str, format: ExportFormat, words: std::borrow::Cow<'static, str>| {
        let kind = if testid.ends_with("-f16") { "button" } else { "button button--main" };
        view! {
            <button type="button" class=kind data-testid=testid disabled=move || !own.get() on:click=move |_| export(format)>
                {words}
            </button>
        }
    };
    let name = move || studio.project.with(|project| project.as_ref().map(|project| project.name.clone()).unwrap_or_default());
    view! {
        <section class="takeaway" aria-labelledby="takeaway-title" data-testid="takeaway">
            <h1 id="takeaway-title" class="studio__title">{t!("takeaway.title")}</h1>
            <Show when=move || own.get() fallback=move || view! { <NothingTrained lab words=t!("takeaway.nothing_trained") /> }>
                <p class="takeaway__line" data-testid="takeaway-line">{move || t!("takeaway.line", name = name())}</p>
            </Show>
            <Notice text=lab.exports.error testid="export-error" />
            <div class="takeaway__ways">
                <article class="card takeaway__way">
                    <h2>"ONNX"</h2>
                    <p>{t!("takeaway.onnx")}</p>
                    {save("export-onnx", ExportFormat::Onnx, t!("takeaway.save_onnx"))}
                </article>
                <article class="card takeaway__way">
                    <h2>"safetensors"</h2>
                    <p>{t!("takeaway.safetensors")}</p>
                    {save("export-safetensors", ExportFormat::Safetensors, t!("takeaway.save_safetensors"))}
                </article>
                <article class="card takeaway__way">
                    <h2>"TensorFlow.js"</h2>
                    <p>{t!("takeaway.tfjs")}</p>
                    {save("export-tfjs", ExportFormat::TensorFlowJs, t!("takeaway.save_tfjs"))}
                </article>
                <article class="card takeaway__way">
                    <h2>"TensorFlow Lite"</h2>
                    <p>{t!("takeaway.tflite")}</p>
                    {save("export-tflite", ExportFormat::TensorFlowLite, t!("takeaway.save_tflite"))}
                    {save("export-tflite-f16", ExportFormat::TensorFlowLiteF16, t!("takeaway.save_tflite_f16"))}
                </article>
                <article class="card takeaway__way">
                    <h2>{t!("takeaway.project")}</h2>
                    <p>{t!("takeaway.project_line")}</p>
                    <button type="button" class="button button--main" data-testid="export-zip" on:click=save_project>
                        {t!("takeaway.save_project")}
                    </button>
                </article>
            </div>
            {move || lab.exports.recipes.get().map(|recipes| view! { <HowTo recipes /> })}
        </section>
    }
}

/// Lines that use the file that was saved last.
#[component]
fn HowTo(recipes: Recipes) -> impl IntoView {
    let Recipes { python, javascript, others } = recipes;
    let not_run = move |language: &str| format!("{language} {}", t!("takeaway.not_run"));
    view! {
        <section class="howto" aria-labelledby="howto-title" data-testid="recipes">
            <h2 id="howto-title" class="eyebrow">{t!("takeaway.use_it")}</h2>
            {(!python.is_empty()).then(|| view! { <Code language="Python".to_string() text=python /> })}
            <Code language="JavaScript".to_string() text=javascript />
            {others.into_iter().map(|(language, text)| view! { <Code language=not_run(language) text /> }).collect_view()}
        </section>
    }
}

#[component]
fn Code(language: String, text: String) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = {
        let text = text.clone();
        move |_| {
            let text = text.clone();
            spawn_local(async move { copied.set(web::copy_text(&text).await) });
        }
    };
    view! {
        <details class="code card">
            <summary>{language}</summary>
            <button type="button" class="button code__copy" on:click=copy>
                {move || if copied.get() { t!("takeaway.copied") } else { t!("takeaway.copy") }}
            </button>
            <pre tabindex="0"><code>{text}</code></pre>
        </details>
    }
}
