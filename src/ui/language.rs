//! The page's language: the browser's first one that there are texts for, until the person chooses another.

use leptos::prelude::*;
use rust_i18n::t;

use super::focus::focus_on;
use crate::web;

/// A language with its name in itself.
const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("zh", "中文")];
/// The choice on the page.
const SELECT: &str = "language";
/// Key of the choice in the browser's local storage.
const KEPT_AS: &str = "reslab-language";

/// Sets the language and gives the signal that changes with it: texts are read again by whoever tracks it.
pub fn start() -> RwSignal<&'static str> {
    let wanted = web::recall(KEPT_AS).into_iter().chain(web::languages());
    let known = |tag: String| LANGUAGES.iter().map(|(code, _)| *code).find(|code| tag.split('-').next() == Some(code));
    let code = wanted.filter_map(known).next().unwrap_or(LANGUAGES[0].0);
    apply(code);
    RwSignal::new(code)
}

fn apply(code: &str) {
    rust_i18n::set_locale(code);
    web::set_page_language(code);
}

/// Chooses another language.
#[component]
pub fn LanguageSwitch(language: RwSignal<&'static str>) -> impl IntoView {
    let choose = move |event: web_sys::Event| {
        let value = event_target_value(&event);
        if let Some((code, _)) = LANGUAGES.iter().find(|(code, _)| *code == value) {
            web::remember(KEPT_AS, code);
            apply(code);
            language.set(code);
            // The choice had the focus, and is another element now.
            request_animation_frame(|| focus_on(SELECT));
        }
    };
    view! {
        <label class="language">
            <span class="hidden">{t!("shell.language")}</span>
            <select id=SELECT class="language__select" data-testid="language" prop:value=move || language.get() on:change=choose>
                {LANGUAGES
                    .map(|(code, name)| {
                        view! { <option value=code lang=code selected=move || language.get() == code>{name}</option> }
                    })
                    .collect_view()}
            </select>
        </label>
    }
}
