//! Pictures that ship with the page.

use leptos::prelude::*;
use rust_i18n::t;

use super::lab::Lab;
/// Files below `samples/`, without their ending; what each shows stands in the texts.
const SAMPLES: &[&str] = &["cat", "airplane", "frog", "ship", "horse", "bird", "truck", "dog", "deer", "automobile"];

/// A network with as many classes knows things of every kind.
const MANY: usize = 1000;

/// A strip of pictures to try.
#[component]
pub fn Samples(lab: Lab) -> impl IntoView {
    // A network that does not know what a picture shows could only say something wrong of it.
    let fits = move |name: &str| {
        lab.model.with(|model| {
            let labels = model.as_ref().map(|model| &model.labels);
            labels.is_none_or(|labels| labels.len() >= MANY || labels.iter().any(|label| label == name))
        })
    };
    view! {
        <section class="samples" hidden=move || !SAMPLES.iter().any(|name| fits(name)) aria-labelledby="samples-title">
            <h2 class="eyebrow" id="samples-title">{t!("look.samples")}</h2>
            <ul class="samples__strip">
                {SAMPLES
                    .iter()
                    .map(|name| {
                        let (file, alt) = (format!("{name}.webp"), t!(format!("look.sample_{name}")).into_owned());
                        let (source, words) = (format!("samples/{file}"), alt.clone());
                        view! {
                            <li hidden=move || !fits(name)>
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
