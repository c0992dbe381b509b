//! The studio: collect examples, train, judge, watch live, take away.

mod archive;
mod collect;
mod film;
mod gallery;
mod intake;
mod judge;
mod keeping;
mod menu;
mod next;
mod picker;
mod projects;
mod recorder;
mod report;
mod state;
mod step;
mod tabs;
mod takeaway;
mod train;
mod tryout;
mod watch;
mod workbench;

use leptos::prelude::*;
use rust_i18n::t;

pub use self::judge::Judging;
pub use self::state::Studio;
pub use self::step::{Step, follow_address as follow_step};
pub use self::takeaway::Exports;
pub use self::train::Training;
pub use self::tryout::Tries;

use self::keeping::{Keeping, NotOpen};
use self::projects::Projects;
use self::report::Reports;
use self::state::Storage;
use self::workbench::Workbench;
use super::workshop::Workshop;

/// The screen.
#[component]
pub fn Teach(lab: Workshop) -> impl IntoView {
    let studio = lab.studio;
    let open = Memo::new(move |_| studio.project.with(|project| project.as_ref().map(|project| project.id)));
    view! {
        <main id="main" class="studio" data-testid="studio">
            <Keeping studio />
            {move || match studio.storage.get() {
                Storage::Opening => view! { <p class="studio__wait">{t!("studio.opening")}</p> }.into_any(),
                Storage::Late => view! { <NotOpen studio words=t!("studio.storage_late").into_owned() testid="storage-late" /> }.into_any(),
                Storage::Newer => view! { <NotOpen studio words=t!("studio.storage_newer").into_owned() testid="storage-newer" /> }.into_any(),
                Storage::Open => {
                    (move || match open.get() {
                        Some(_) => view! { <Workbench lab /> }.into_any(),
                        None => view! { <Projects lab /> }.into_any(),
                    })
                        .into_any()
                }
            }}
            <Reports studio />
        </main>
    }
}
