//! The page's language: the browser's first one that there are texts for, until the person chooses another.
//! English comes with the page, each other language is a file that is fetched when it is wanted.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rust_i18n::t;

use super::focus::focus_on;
use super::{notice, texts};
use crate::{Error, Result, web};

/// Languages with their names in themselves; the first is compiled in, the others are www/languages/CODE.json.
const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("zh", "中文")];
/// The choice on the page.
const SELECT: &str = "language";
/// Key of the choice in the browser's local storage.
const KEPT_AS: &str = "reslab-language";

/// Sets the language, with its texts here, and gives its code.
pub async fn start() -> &'static str {
    let wanted = web::recall(KEPT_AS).into_iter().chain(web::languages());
    let known = |tag: String| LANGUAGES.iter().map(|(code, _)| *code).find(|code| tag.split('-').next() == Some(code));
    let mut code = wanted.filter_map(known).next().unwrap_or(LANGUAGES[0].0);
    if let Err(error) = fetch(code).await {
        log::warn!("the page is in English: {error}");
        code = LANGUAGES[0].0;
    }
    apply(code);
    code
}

/// Has a language's texts here.
async fn fetch(code: &str) -> Result<()> {
    if code == LANGUAGES[0].0 || texts::has(code) {
        return Ok(());
    }
    let address = format!("languages/{code}.json");
    let bytes = web::fetch_whole(&address).await?;
    let cannot = |reason: String| Error::Network { url: address.clone(), reason };
    let text = str::from_utf8(&bytes).map_err(|e| cannot(e.to_string()))?;
    texts::add(code, text).map_err(|_| cannot("the server sent something else than the texts of this language".into()))
}

fn apply(code: &str) {
    rust_i18n::set_locale(code);
    web::set_page_language(code);
}

/// Chooses another language. `fault` says when it cannot be fetched.
#[component]
pub fn LanguageSwitch(language: RwSignal<&'static str>, fault: RwSignal<Option<String>>) -> impl IntoView {
    let choose = move |event: web_sys::Event| {
        let value = event_target_value(&event);
        let select: web_sys::HtmlSelectElement = event_target(&event);
        let Some(code) = LANGUAGES.iter().map(|(code, _)| *code).find(|code| *code == value) else { return };
        spawn_local(async move {
            match fetch(code).await {
                Ok(()) => {
                    fault.set(None);
                    web::remember(KEPT_AS, code);
                    apply(code);
                    language.set(code);
                }
                Err(error) => {
                    fault.set(Some(notice::sentence(&error)));
                    // The choice shows what the page is in.
                    select.set_value(language.get_untracked());
                }
            }
            // The choice had the focus, and is another element now.
            request_animation_frame(|| focus_on(SELECT));
        });
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
