//! Small choices of the person, and what the browser knows of them.

use super::js::{wait, window};

/// What was [remembered](remember) under this key; `None` also where the browser keeps nothing.
pub fn recall(key: &str) -> Option<String> {
    window().ok()?.local_storage().ok()??.get_item(key).ok()?
}

/// What the page's address says after `?` under this key.
pub fn query(key: &str) -> Option<String> {
    let query = window().ok()?.location().search().ok()?;
    let pairs = query.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
}

/// Loads the page again, without what its address says after `?`.
pub fn reload_without_query() {
    let Ok(location) = window().map(|window| window.location()) else { return };
    let path = location.pathname().unwrap_or_default() + &location.hash().unwrap_or_default();
    let moved =
        if location.search().is_ok_and(|query| query.is_empty()) { location.reload() } else { location.set_href(&path) };
    if moved.is_err() {
        log::debug!("the page could not be loaded again");
    }
}

/// Keeps a small text in the browser's local storage. A browser that keeps nothing forgets it with the page.
pub fn remember(key: &str, text: &str) {
    if let Some(storage) = window().ok().and_then(|window| window.local_storage().ok()?)
        && storage.set_item(key, text).is_err()
    {
        log::debug!("{key} could not be kept");
    }
}

/// The person's languages as BCP 47 tags, the preferred first.
pub fn languages() -> Vec<String> {
    let languages = window().map(|window| window.navigator().languages());
    languages.map(|tags| tags.iter().filter_map(|tag| tag.as_string()).collect()).unwrap_or_default()
}

/// Whether the person's numbers have a decimal comma, as far as the browser's language tells.
pub fn decimal_comma() -> bool {
    let half = languages().first().map(|tag| String::from(js_sys::Number::from(0.5).to_locale_string(tag)));
    half.is_some_and(|half| half.contains(','))
}

/// Says which language the page is in, and which way it is written: screen readers choose their voice by it, browsers their fonts.
pub fn set_page_language(tag: &str) {
    let direction = if RIGHT_TO_LEFT.contains(&tag) { "rtl" } else { "ltr" };
    if let Some(root) = window().ok().and_then(|window| window.document()?.document_element())
        && (root.set_attribute("lang", tag).is_err() || root.set_attribute("dir", direction).is_err())
    {
        log::debug!("the page's language could not be set");
    }
}

/// Languages that are written from the right; none is there yet, and the layout is ready for one.
const RIGHT_TO_LEFT: [&str; 4] = ["ar", "fa", "he", "ur"];

/// Takes an element out of the page, by its id.
pub fn remove_element(id: &str) {
    if let Some(element) = window().ok().and_then(|window| window.document()?.get_element_by_id(id)) {
        element.remove();
    }
}

/// Puts a text on the clipboard; false where the browser does not allow it.
pub async fn copy_text(text: &str) -> bool {
    match window() {
        Ok(window) => wait(window.navigator().clipboard().write_text(text)).await.is_ok(),
        Err(_) => false,
    }
}
