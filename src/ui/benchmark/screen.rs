//! The whole screen.

use leptos::prelude::*;
use rust_i18n::t;

use super::figures::{Figures, Results};
use super::form::Form;
use super::layers::Layers;
use crate::Result;
use crate::split::in_page_part;
use crate::ui::workshop::Workshop;
use crate::web;

in_page_part! { benchmark:
    /// The screen, as a function of what it knows.
    pub fn screen() -> Result<fn(Workshop) -> AnyView> {
        web::add_styles(include_str!("../../../www/styles/benchmark.css"));
        Ok(|lab| view! { <Benchmark lab /> }.into_any())
    }
}

/// Choose, measure, read.
#[component]
fn Benchmark(lab: Workshop) -> impl IntoView {
    let bench = lab.benchmark;
    view! {
        <main id="main" class="speed" data-testid="benchmark">
            <div class="speed__head">
                <h1 class="speed__title">{t!("benchmark.title")}</h1>
                <p class="speed__line">{t!("benchmark.line")}</p>
            </div>
            <div class="speed__left">
                <Form lab />
            </div>
            <div class="speed__right">
                {move || match bench.report() {
                    Some(report) => {
                        view! {
                            <Figures lab report=report.clone() />
                            <Results bench />
                            <Layers report />
                        }
                            .into_any()
                    }
                    None => view! { <p class="speed__empty">{t!("benchmark.empty")}</p> }.into_any(),
                }}
            </div>
        </main>
    }
}
