//! The offer of a stronger network to begin with: downloaded in place, or opened from a file.

use leptos::html;
use leptos::prelude::*;
use rust_i18n::t;

use crate::engine::{Backbone, Origin};
use crate::ui::format;
use crate::ui::model::Progress;
use crate::ui::notice::Notice;
use crate::ui::workshop::Workshop;
use crate::web;
use crate::weights::hub;

/// Shown while training would begin from the small network that ships with the page. Whoever does not want it goes on without it.
#[component]
pub fn StrongerBase(lab: Workshop) -> impl IntoView {
    let training = lab.training;
    let weak = Memo::new(move |_| {
        training.backbone.get() == Backbone::Pretrained
            && training.pretrained.with(|model| model.as_ref().is_some_and(|model| model.origin == Origin::Bundled))
            && !training.busy()
    });
    let other = Memo::new(move |_| hub::recommended(lab.graphics_card()).map(|model| model.name));
    let coming = Memo::new(move |_| lab.busy.with(Option::is_some));
    let input = NodeRef::<html::Input>::new();
    let open = move |_| {
        if let Some(input) = input.get() {
            input.click();
        }
    };
    view! {
        <Show when=move || weak.get()>
            <div class="few" data-testid="stronger-base">
                {move || {
                    let model = other.get().and_then(|name| hub::find(name).ok())?;
                    let small = training.pretrained.with(|model| model.as_ref().map_or(32, |model| model.pixels.crop.0));
                    let size = format::bytes(model.bytes);
                    let network = model.arch.replacen("resnet", "ResNet-", 1);
                    Some(view! {
                        <p>{t!("train.stronger", small = small, arch = network)}</p>
                        <div class="train__actions">
                            <button
                                type="button"
                                class="button"
                                data-testid="stronger-download"
                                disabled=move || coming.get()
                                on:click=move |_| lab.begin_from(|| lab.use_hub(model))
                            >
                                {t!("train.stronger_download", arch = network, size = size, hub = web::hub::name())}
                            </button>
                            <button type="button" class="button button--quiet" data-testid="stronger-open" disabled=move || coming.get() on:click=open>
                                {t!("model.open")}
                            </button>
                        </div>
                    })
                }}
                <input
                    node_ref=input
                    class="hidden"
                    type="file"
                    tabindex="-1"
                    multiple
                    aria-hidden="true"
                    data-testid="stronger-input"
                    on:change=move |event| lab.begin_from(|| lab.take_weights_input(&event))
                />
                <Progress lab=*lab />
                <Notice text=lab.model_error testid="stronger-error" />
                <Show when=move || lab.model_error.with(Option::is_some)>
                    <p class="train__hint">{t!("train.stronger_failed", hub = web::hub::name())}</p>
                </Show>
            </div>
        </Show>
    }
}

impl Workshop {
    /// Loads another network to begin training with. The project's own, where there is one, is the model again once that is there.
    pub fn begin_from(self, load: impl FnOnce()) {
        self.training.returns.set_value(true);
        load();
    }
}
