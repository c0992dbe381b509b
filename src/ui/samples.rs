//! Pictures that ship with the page.

use leptos::prelude::*;
use rust_i18n::t;

use super::lab::Lab;
use crate::engine::Origin;

/// Files below `samples/`, without their ending; what each shows stands in the texts.
const SAMPLES: &[&str] = &["cat", "airplane", "frog", "ship", "horse", "bird", "truck", "dog", "deer", "automobile"];

/// A strip of pictures to try.
#[component]
pub fn Samples(lab: Lab) -> impl IntoView {
    // Their classes are not those that a network was taught here.
    let own = Memo::new(move |_| lab.model.with(|model| model.as_ref().is_some_and(|model| model.origin == Origin::Trained)));
    view! {
        <section class="samples" hidden=move || own.get() aria-labelledby="samples-title">
            <h2 class="eyebrow" id="samples-title">{t!("look.samples")}</h2>
            <ul class="samples__strip">
                {SAMPLES
                    .iter()
                    .map(|name| {
                        let (file, alt) = (format!("{name}.webp"), t!(format!("look.sample_{name}")).into_owned());
                        let (source, words) = (format!("samples/{file}"), alt.clone());
                        view! {
                            <li>
                                <button type="button" class="samples__one" data-testid="sample" on:click=move |_| lab.take_sample(&file, &alt)>
                                    <img src=source alt=words width="96" height="96" loading="lazy" decoding="async" />
                                </button>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}
