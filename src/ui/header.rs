//! The head of the page: mark, screens, device, language.

use leptos::prelude::*;
use rust_i18n::t;
use wasm_bindgen::JsCast;

use super::lab::Lab;
use super::language::LanguageSwitch;
use super::notice::Notice;
use super::screen::Screen;
use crate::web;

/// The head of every screen.
#[component]
pub fn Header(lab: Lab, language: RwSignal<&'static str>) -> impl IntoView {
    // The address says which screen is shown: the focus goes there by itself.
    let skip = move |event: web_sys::MouseEvent| {
        event.prevent_default();
        if let Some(main) = document().get_element_by_id("main").and_then(|main| main.dyn_into::<web_sys::HtmlElement>().ok())
            && main.set_attribute("tabindex", "-1").is_ok()
        {
            // Without focus nothing is lost but comfort.
            let _ = main.focus();
        }
    };
    let fault = RwSignal::new(None);
    view! {
        <a class="skip" href="#main" data-testid="skip" on:click=skip>{t!("shell.skip")}</a>
        <header class="head">
            <div class="mark">
                <Logo />
                <span class="mark__word">"Res" <b>"Lab"</b></span>
            </div>
            <nav class="screens" aria-label=t!("shell.screens")>
                {Screen::ALL
                    .map(|screen| {
                        view! {
                            <a
                                class="screens__link"
                                href=move || lab.address_of(screen)
                                aria-current=move || (lab.screen.get() == screen).then_some("page")
                                data-testid=format!("screen-{}", screen.address())
                            >
                                {screen.title()}
                            </a>
                        }
                    })
                    .collect_view()}
            </nav>
            <LanguageSwitch language fault />
        </header>
        <Notice text=fault testid="language-fault" />
        <Show when=move || lab.newer.get()>
            <p class="newer" role="status" data-testid="newer">
                {t!("shell.newer")}
                <button type="button" class="button" data-testid="use-newer" on:click=move |_| web::use_update()>
                    {t!("shell.use_newer")}
                </button>
            </p>
        </Show>
    }
}

/// A residual block: two layers in line, and the shortcut around them that meets the line again.
#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="mark__logo" viewBox="0 0 44 36" width="44" height="36" fill="none" aria-hidden="true">
            <path class="mark__cut" d="M6 24 C6 9 10 5 16 5 H26 C33 5 37 9 37 18.5" stroke-width="2.6" stroke-linecap="round" />
            <path class="mark__line" d="M2 24 H33" stroke-width="2.6" stroke-linecap="round" />
            <rect class="mark__layer" x="11" y="16.5" width="6.5" height="15" rx="1.8" />
            <rect class="mark__layer" x="22" y="16.5" width="6.5" height="15" rx="1.8" />
            <circle class="mark__sum" cx="37" cy="24" r="5" />
        </svg>
    }
}
