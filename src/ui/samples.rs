//! Pictures that ship with the page.

use leptos::prelude::*;

use super::lab::Lab;

/// File below `samples/`, what it shows.
const SAMPLES: &[(&str, &str)] = &[
    ("cat.jpg", "A tabby cat, face on"),
    ("airplane.jpg", "An airliner in a blue sky"),
    ("frog.jpg", "A green frog"),
    ("ship.jpg", "A passenger ship at sea"),
    ("horse.jpg", "A brown horse in a meadow"),
    ("bird.jpg", "A small bird with an orange breast on a branch"),
    ("truck.jpg", "A truck with a blue cab and a white box"),
    ("dog.jpg", "A brown dog with its tongue out"),
    ("deer.jpg", "A deer with antlers in a field"),
    ("automobile.jpg", "A red car on a road"),
];

/// A strip of pictures to try.
#[component]
pub fn Samples(lab: Lab) -> impl IntoView {
    view! {
        <section class="samples" aria-labelledby="samples-title">
            <h2 class="eyebrow" id="samples-title">"Or try one of these"</h2>
            <ul class="samples__strip">
                {SAMPLES
                    .iter()
                    .map(|(file, alt)| {
                        view! {
                            <li>
                                <button type="button" class="samples__one" data-testid="sample" on:click=move |_| lab.take_sample(file, alt)>
                                    <img src=format!("samples/{file}") alt=*alt width="96" height="96" loading="lazy" decoding="async" />
                                </button>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}
